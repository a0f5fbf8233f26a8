// Which names a client may not send, in whatever spelling: identity and everything certgate sets.
//
// Frameworks fold names: CGI and its heirs turn `-` and other characters into `_`, so `Client_Cert`
// or `client.cert` may reach an application as Client-Cert. Names are therefore compared in a
// canonical form: ASCII lower case, every byte that is neither letter nor digit replaced by `-`
// (CVE-2026-54763, CVE-2026-39858 and their kin).
//
// Built once per configuration, then read by any thread. matches() looks at the first character
// and the length before anything else and does not allocate.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace certgate::http {

class ProtectedFields {
 public:
  ProtectedFields() = default;  // empty

  // Client-Cert, Client-Cert-Chain, X-Forwarded-Client-Cert, Cf-Cert-*, Cf-Client-Cert-*.
  static ProtectedFields identity();

  void add(std::string_view name);
  void add_prefix(std::string_view prefix);

  bool matches(std::string_view name) const {
    if (name.empty()) return false;
    auto const length = name.size() < 63 ? name.size() : 63;
    auto const lengths = lengths_[static_cast<unsigned char>(name.front())];
    return (lengths >> length & 1) != 0 && matches_slowly(name);
  }

 private:
  bool matches_slowly(std::string_view name) const;

  std::array<std::uint64_t, 256> lengths_{};  // by first byte: bit n, a name of n bytes may match
  std::vector<std::string> names_;            // canonical
  std::vector<std::string> prefixes_;         // canonical
};

// ASCII lower case, `-` for everything that is neither letter nor digit.
std::string canonical_field_name(std::string_view name);

// True for a name that is not spelt like `known` but has its canonical form: `Content_Length`,
// `Transfer.Encoding`. Such aliases of framing and routing fields are never forwarded.
bool is_framing_alias(std::string_view name);

}  // namespace certgate::http
