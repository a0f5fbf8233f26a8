// Canonical comparison behind a first-byte and length filter.
#include "certgate/http/protected_fields.hpp"

#include <algorithm>
#include <cassert>

#include "certgate/base/encoding.hpp"
#include "certgate/http/byte_scan.hpp"
#include "certgate/http/field_name.hpp"

namespace certgate::http {
namespace {

constexpr bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

constexpr char canonical(char c) { return is_alphanumeric(c) ? ascii_lower(c) : '-'; }

bool begins_canonically(std::string_view name, std::string_view canonical_prefix) {
  if (name.size() < canonical_prefix.size()) return false;
  for (std::size_t i = 0; i < canonical_prefix.size(); ++i) {
    if (canonical(name[i]) != canonical_prefix[i]) return false;
  }
  return true;
}

// Fields that frame or route a message: no alias of theirs is forwarded.
constexpr FieldName framing_names[] = {
    FieldName::host,
    FieldName::content_length,
    FieldName::transfer_encoding,
    FieldName::connection,
    FieldName::expect,
    FieldName::upgrade,
    FieldName::keep_alive,
    FieldName::te,
    FieldName::trailer,
    FieldName::proxy_connection,
    FieldName::forwarded,
    FieldName::via,
    FieldName::x_forwarded_for,
    FieldName::x_forwarded_host,
    FieldName::x_forwarded_port,
    FieldName::x_forwarded_proto,
    FieldName::x_forwarded_server,
    FieldName::x_real_ip,
    FieldName::x_request_id,
    FieldName::proxy_authorization,
    FieldName::http2_settings,
};

}  // namespace

std::string canonical_field_name(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = canonical(c);
  return out;
}

ProtectedFields ProtectedFields::identity() {
  ProtectedFields fields;
  fields.add("Client-Cert");
  fields.add("Client-Cert-Chain");
  fields.add("X-Forwarded-Client-Cert");
  fields.add_prefix("Cf-Cert-");
  fields.add_prefix("Cf-Client-Cert-");
  return fields;
}

void ProtectedFields::add(std::string_view name) {
  assert(!name.empty());
  names_.push_back(canonical_field_name(name));
  auto const first = names_.back().front();
  std::uint64_t const bit = std::uint64_t{1} << std::min<std::size_t>(name.size(), 63);
  for (unsigned c = 0; c < 256; ++c) {
    if (canonical(static_cast<char>(c)) == first) lengths_[c] |= bit;
  }
}

void ProtectedFields::add_prefix(std::string_view prefix) {
  assert(!prefix.empty());
  prefixes_.push_back(canonical_field_name(prefix));
  auto const first = prefixes_.back().front();
  std::uint64_t const bits = ~std::uint64_t{0} << std::min<std::size_t>(prefix.size(), 63);
  for (unsigned c = 0; c < 256; ++c) {
    if (canonical(static_cast<char>(c)) == first) lengths_[c] |= bits;
  }
}

bool ProtectedFields::matches_slowly(std::string_view name) const {
  for (auto const& known : names_) {
    if (known.size() == name.size() && begins_canonically(name, known)) return true;
  }
  return std::any_of(prefixes_.begin(), prefixes_.end(), [name](std::string const& prefix) {
    return begins_canonically(name, prefix);
  });
}

bool is_framing_alias(std::string_view name) {
  auto const* const end = name.data() + name.size();
  if (find_odd_in_name(name.data(), end) == end) return false;
  return std::any_of(std::begin(framing_names), std::end(framing_names), [name](FieldName known) {
    auto const text = name_of(known);
    if (text.size() != name.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (canonical(text[i]) != canonical(name[i])) return false;
    }
    return true;
  });
}

}  // namespace certgate::http
