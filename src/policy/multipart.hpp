// Splits a body of parts into its parts and their heads, without copying anything.
//
// A line ends with LF, with or without CR before it. What is damaged is read as far as it goes; time is
// linear. Origins read damaged parts in several ways, so that a rule may see others than they do: ask
// is_unequivocal() first.
//
// See: RFC 2046 §5.1 (boundaries), RFC 7578 (multipart/form-data).
#pragma once

#include <optional>
#include <string_view>

#include "certgate/http/message.hpp"

namespace certgate::policy {

// What Content-Type says about the body.
struct BodyType {
  enum class Kind { other, form, multipart };
  Kind kind = Kind::other;
  // Origins may take it for different things: there are several Content-Type fields.
  bool is_ambiguous = false;
  // Of multipart. Empty: origins may read different ones, for it is missing, repeated, or not what
  // RFC 2046 allows.
  std::string_view boundary;
};
BodyType read_body_type(http::Fields fields);

struct Part {
  std::string_view head;  // its fields, as they stand
  std::string_view content;
};

// Whether all who read parts find the same: boundaries stand in lines of their own, which end with CRLF
// and have nothing else in them, and so do the fields of a head; there is an empty line behind each head,
// and no boundary behind the last.
bool is_unequivocal(std::string_view content, std::string_view boundary, bool truncated);

class PartReader {
 public:
  // `truncated`: there is more than `content`. Then the last part is what surely belongs to it: the
  // beginning of what may become a boundary does not.
  PartReader(std::string_view content, std::string_view boundary, bool truncated);
  std::optional<Part> next();

 private:
  struct Delimiter {
    std::size_t start, end;
    bool is_last;
  };
  std::optional<Delimiter> find_delimiter(std::size_t from) const;

  std::string_view content_;
  std::string_view boundary_;
  std::size_t at_ = 0;
};

// The fields of a part's head in order; a value may hold the line breaks of a folded one.
struct PartField {
  std::string_view name;
  std::string_view value;
};
class PartFieldReader {
 public:
  explicit PartFieldReader(std::string_view head) : rest_(head) {}
  std::optional<PartField> next();

 private:
  std::string_view rest_;
};

// `; name=value` of Content-Type and Content-Disposition.
struct Parameter {
  std::string_view name;
  std::string_view value;      // without quotes, backslashes still in it
  bool is_quoted = false;      // or it was to be: see is_complete
  bool is_complete = true;     // the closing quote is there
  bool has_backslash = false;  // REQUIRED to be looked at: Maps::unescaped()
};
// Whether all find its end at the same place: some take a backslash before a quote for itself.
bool is_unequivocal(Parameter const& parameter);

class ParameterReader {
 public:
  explicit ParameterReader(std::string_view value) : rest_(value) {}
  std::optional<Parameter> next();

 private:
  std::string_view rest_;
};

}  // namespace certgate::policy
