// Header fields for the origin computed from facts: `request_headers.set`.
//
// Each value is an expression of the Rules language that yields a Bytes, Int, Bool or Ip. Whatever
// a peer put into a certificate or a header stays inside its field: bytes outside 0x20 to 0x7E come
// out as %XX, and so does `%` itself where the value is made from a certificate, so that no two
// names look alike (http/client_cert_header.hpp). Built once, then any thread may
// render.
//
// Errors: build() reports the mistakes of every expression.
// Units:  a value longer than max_header_value_bytes is left out whole; half an identity is worse
//         than none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/policy/facts.hpp"
#include "certgate/policy/policy.hpp"

namespace certgate::policy {

// The longest field of Cloudflare's, cert_chain_rfc9440, fits.
inline constexpr std::size_t max_header_value_bytes = 16 * 1024;

struct HeaderValueText {
  std::string name;
  std::string expression;
  Locate locate = nullptr;  // null: locate_in(name, expression)
};

// One request's values, reused by the next: no allocation once it has grown.
class RenderedHeaders {
 public:
  // In the order of the texts given to build(); an empty value leaves its field out.
  std::vector<std::string_view> const& values() const { return values_; }

 private:
  friend class HeaderValues;
  std::string text_;
  std::vector<std::size_t> ends_;
  std::vector<std::string_view> values_;
};

class HeaderValues {
 public:
  HeaderValues() = default;  // sets nothing
  static Result<HeaderValues, Diagnostics> build(std::vector<HeaderValueText> texts,
                                                 rules::Limits const& limits = {});

  bool empty() const { return texts_.empty(); }
  std::vector<HeaderValueText> const& texts() const { return texts_; }
  Diagnostics const& warnings() const { return warnings_; }
  rules::FieldSet const& fields_used(std::size_t index) const {
    return programs_[index].fields_used();
  }
  FillPlan const& plan() const { return plan_; }
  // False when the scratch is too small for this request: it must be refused.
  [[nodiscard]] bool render(Facts const& facts, Scratch& scratch, RenderedHeaders& out) const;

 private:
  std::vector<HeaderValueText> texts_;
  std::vector<rules::Program> programs_;
  std::vector<bool> from_certificate_;
  FillPlan plan_;
  Diagnostics warnings_;
};

}  // namespace certgate::policy
