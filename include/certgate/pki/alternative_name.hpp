// Who a certificate speaks for besides its common name, checked before it is ever signed.
//
// Holding an AlternativeName is the proof that its text has the right form: no control bytes, no
// NUL, no address in a DNS name, so a verifier cannot read it in two ways.
//
// See: RFC 5280 §4.2.1.6 (subjectAltName), §4.2.1.10 (name constraints).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/result.hpp"

namespace certgate::pki {

enum class NameKind { dns, uri, email, ip };

// "dns", "uri", "email", "ip".
std::string_view name_of(NameKind kind);

class AlternativeName {
 public:
  // dns:   letters, digits, hyphens and underscores in labels of up to 63; "*." may lead.
  // uri:   an absolute URI in ASCII, such as spiffe://example.org/sensor-7.
  // email: one local part and one domain, ASCII.
  // ip:    an address as base/ip.hpp reads it.
  static Result<AlternativeName> parse(NameKind kind, std::string_view text);
  NameKind kind() const { return kind_; }
  std::string const& text() const { return text_; }
  friend bool operator==(AlternativeName const&, AlternativeName const&) = default;

 private:
  AlternativeName(NameKind kind, std::string text) : kind_(kind), text_(std::move(text)) {}
  NameKind kind_;
  std::string text_;
};

// One subtree of a name constraint: a domain for dns, email and uri, a network for ip.
class NameSubtree {
 public:
  static Result<NameSubtree> parse(NameKind kind, std::string_view text);
  NameKind kind() const { return kind_; }
  std::string const& text() const { return text_; }

 private:
  NameSubtree(NameKind kind, std::string text) : kind_(kind), text_(std::move(text)) {}
  NameKind kind_;
  std::string text_;
};

struct NameConstraints {
  std::vector<NameSubtree> permitted;
  std::vector<NameSubtree> excluded;
  bool empty() const { return permitted.empty() && excluded.empty(); }
};

// The distinguished name: a common name of 1 to 64 characters, UTF-8, no control characters.
inline constexpr std::size_t max_common_name_characters = 64;  // RFC 5280, ub-common-name

struct Subject {
  std::string common_name;
  std::string organization;  // may be empty
  std::string unit;          // may be empty
};

Result<void> check_subject(Subject const& subject);

}  // namespace certgate::pki
