// TLS versions, ciphers and groups as a checked value: what most hosts have in common.
//
// Build one per distinct set of settings and share it between hosts: every worker makes one
// SSL_CTX (about 15 KiB) for each Profile in use. Immutable; any thread.
//
// Errors: build() names the cipher or group that this OpenSSL does not know, and refuses versions
//         below TLS 1.2 and lists that leave nothing to negotiate.
// See:    RFC 9325 (recommendations for TLS), RFC 8446.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/x509/digest.hpp"

namespace certgate::tls {

enum class Version { tls_1_2, tls_1_3 };
std::string_view name_of(Version version);  // "TLSv1.2", "TLSv1.3"

// Whether `ciphers` and `groups` of ProfileOptions may hold this name; the error says what to write.
Result<void> check_cipher(std::string const& name);
Result<void> check_group(std::string const& name);

struct ProfileOptions {
  Version min_version = Version::tls_1_2;
  Version max_version = Version::tls_1_3;
  // OpenSSL names, in order of preference; `TLS_*` are for TLS 1.3. Empty: forward-secret AEAD
  // ciphers, AES first where the CPU has instructions for it (a client that puts ChaCha20 first
  // gets it either way).
  std::vector<std::string> ciphers;
  std::vector<std::string> groups;              // empty: OpenSSL's own choice and order
  std::vector<std::string> alpn{"http/1.1"};    // in order of preference
  // The longest time from a full handshake to the last resumption of its session; 0: none.
  std::chrono::seconds session_lifetime{3600};
  friend bool operator==(ProfileOptions const&, ProfileOptions const&) = default;
};

class Profile {
  struct Private {};

 public:
  using Pointer = std::shared_ptr<Profile const>;
  static Result<Pointer> build(ProfileOptions options);

  ProfileOptions const& options() const { return options_; }
  // Equal for equal options.
  x509::Digest const& digest() const { return digest_; }
  // As OpenSSL wants them.
  std::string const& cipher_list() const { return cipher_list_; }      // TLS 1.2
  std::string const& cipher_suites() const { return cipher_suites_; }  // TLS 1.3
  std::string const& group_list() const { return group_list_; }        // empty: the default
  std::string const& alpn_wire() const { return alpn_wire_; }          // RFC 7301 §3.1

  Profile(Private, ProfileOptions options) : options_(std::move(options)) {}

 private:
  ProfileOptions options_;
  x509::Digest digest_;
  std::string cipher_list_, cipher_suites_, group_list_, alpn_wire_;
};

}  // namespace certgate::tls
