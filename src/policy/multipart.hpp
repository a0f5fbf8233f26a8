// Splits a body of parts into its parts and their heads, without copying anything.
//
// A line ends with LF, with or without CR before it: some origins read both alike, and rules shall
// see every part that an origin may see. What is damaged is read as far as it goes; time is linear.
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
class ParameterReader {
 public:
  explicit ParameterReader(std::string_view value) : rest_(value) {}
  std::optional<Parameter> next();

 private:
  std::string_view rest_;
};

}  // namespace certgate::policy
