// A certificate with its private key: what a server, or the proxy as a client, shows of itself.
//
// Parsed and checked once, when a Generation is built; immutable after that and shared by hosts,
// workers and Generations. ServerIdentities remembers what it has parsed, so that a reload pays
// only for what changed and hosts that name the same files share one object. Costs about 0.1 ms and
// 9 KiB each.
//
// Errors: parse() refuses broken PEM, a key that is no pair or not that of the first certificate, a leaf
//         whose extended key usage excludes serving (or being a client), and keys too weak to be
//         accepted by peers. What only deserves a warning is in warnings().
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/base/result.hpp"
#include "certgate/x509/certificate.hpp"

struct x509_st;
struct evp_pkey_st;
struct stack_st_X509;

namespace certgate::tls {

enum class IdentityUse { server, client };

class ServerIdentity {
  struct Private {};

 public:
  using Pointer = std::shared_ptr<ServerIdentity const>;

  // The certificate file: leaf first, then the chain up to, but better without, the root.
  static Result<Pointer> parse(std::string_view certificate_pem, std::string_view private_key_pem,
                               IdentityUse use = IdentityUse::server);

  x509::Certificate const& leaf() const { return *certificates_.front(); }
  std::span<x509::Certificate::Pointer const> certificates() const { return certificates_; }
  // Expired or not yet valid at `now`, a chain that is out of order or holds strangers.
  std::vector<std::string> warnings(UnixSeconds now) const;
  std::size_t memory_bytes() const { return memory_bytes_; }

  // For this layer's sources: valid as long as this object.
  x509_st* leaf_handle() const { return leaf_.get(); }
  evp_pkey_st* key_handle() const { return key_.get(); }
  stack_st_X509* chain_handle() const { return chain_.get(); }

  explicit ServerIdentity(Private) {}

 private:
  std::vector<x509::Certificate::Pointer> certificates_;
  std::shared_ptr<x509_st> leaf_;
  std::shared_ptr<evp_pkey_st> key_;
  std::shared_ptr<stack_st_X509> chain_;
  std::size_t memory_bytes_ = 0;
};

// What was parsed before, by the SHA-256 of both texts. Any thread.
class ServerIdentities {
 public:
  Result<ServerIdentity::Pointer> parse(std::string_view certificate_pem,
                                        std::string_view private_key_pem);
  // Forgets what nobody else uses any more; call it after a reload.
  void prune();
  std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<x509::Digest, std::weak_ptr<ServerIdentity const>, x509::DigestHash> known_;
};

}  // namespace certgate::tls
