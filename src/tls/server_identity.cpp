#include "certgate/tls/server_identity.hpp"

#include <openssl/decoder.h>

#include <utility>

#include "certgate/x509/pem.hpp"
#include "certgate/x509/private_key.hpp"
#include "key_pair.hpp"
#include "openssl.hpp"
#include "worker_library.hpp"

namespace certgate::tls {
namespace {

constexpr unsigned min_rsa_bits = 2048;
constexpr unsigned min_ec_bits = 224;

void free_stack(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }

CertificateOwner decode_for_host(unsigned char const* der, std::size_t size) {
  CertificateOwner owner(X509_new_ex(library_for_files(), nullptr));
  auto* certificate = owner.get();
  if (certificate == nullptr) return nullptr;
  if (d2i_X509(&certificate, &der, static_cast<long>(size)) == nullptr) {
    (void)owner.release();
    X509_free(certificate);  // OpenSSL has freed it and left null here
    return nullptr;
  }
  return owner;
}

// Private keys of one kind in one structure (RFC 5958, or the older forms). To make a decoder costs
// OpenSSL 3.0 twice the time of decoding a key, so it is kept. Any thread.
class KeyDecoder {
 public:
  KeyDecoder(char const* kind, char const* structure)
      : decoder_(OSSL_DECODER_CTX_new_for_pkey(&key_, "DER", structure, kind, EVP_PKEY_KEYPAIR,
                                               library_for_files(), nullptr)) {}
  KeyDecoder(KeyDecoder const&) = delete;
  KeyDecoder& operator=(KeyDecoder const&) = delete;

  // Null: it is something else, or damaged.
  KeyOwner decode(Bytes der) {
    std::lock_guard const lock(mutex_);
    auto const* at = der.data();
    auto left = der.size();
    key_ = nullptr;
    if (decoder_ != nullptr) OSSL_DECODER_from_data(decoder_, &at, &left);
    return KeyOwner(std::exchange(key_, nullptr));
  }

 private:
  std::mutex mutex_;
  EVP_PKEY* key_ = nullptr;  // where the decoder puts what it read
  OSSL_DECODER_CTX* decoder_;
};

KeyDecoder* decoder_for(x509::KeyType kind, std::string_view label) {
  struct Decoders {
    KeyDecoder ec{"EC", "PrivateKeyInfo"}, traditional_ec{"EC", "type-specific"};
    KeyDecoder rsa{"RSA", "PrivateKeyInfo"}, traditional_rsa{"RSA", "type-specific"};
  };
  static auto* const decoders = new Decoders;  // outlives the threads that use it
  if (kind == x509::KeyType::ec) {
    if (label == "PRIVATE KEY") return &decoders->ec;
    if (label == "EC PRIVATE KEY") return &decoders->traditional_ec;
  }
  if (kind == x509::KeyType::rsa) {
    if (label == "PRIVATE KEY") return &decoders->rsa;
    if (label == "RSA PRIVATE KEY") return &decoders->traditional_rsa;
  }
  return nullptr;
}

// Without being told the kind of key, OpenSSL 3.0 tries every decoder it has.
KeyOwner decode_key_quickly(std::string_view pem, x509::Certificate const& leaf) {
  auto blocks = x509::parse_pem(pem);
  if (!blocks || blocks->size() != 1) return nullptr;
  auto& der = blocks->front().der;
  auto* const decoder = decoder_for(leaf.key_type(), blocks->front().label);
  auto key = decoder != nullptr ? decoder->decode(as_bytes(der)) : nullptr;
  OPENSSL_cleanse(der.data(), der.size());
  ERR_clear_error();
  return key;
}

Result<std::shared_ptr<EVP_PKEY>> parse_key(std::string_view pem, X509* leaf,
                                            x509::Certificate const& facts) {
  if (auto quick = decode_key_quickly(pem, facts)) {
    if (X509_check_private_key(leaf, quick.get()) == 1) {
      return std::shared_ptr<EVP_PKEY>(std::move(quick));
    }
    ERR_clear_error();
  }
  CERTGATE_TRY(auto const key, x509::PrivateKey::parse_pem(pem));
  if (X509_check_private_key(leaf, key.handle()) != 1) {
    ERR_clear_error();
    return fail(ErrorCode::invalid, "the private key does not belong to the certificate of `" +
                                        std::string(facts.subject_dn()) + "`");
  }
  EVP_PKEY_up_ref(key.handle());
  return std::shared_ptr<EVP_PKEY>(key.handle(), Release<EVP_PKEY_free>{});
}

Result<void> check_key(EVP_PKEY* key) {
  if (is_key_pair(key)) return {};
  return fail(ErrorCode::invalid,
              "the secret in the private key does not belong to the public key beside it: the file "
              "is damaged or was put together wrongly; restore it, or make a new key and certificate");
}

Result<void> check_leaf(x509::Certificate const& leaf, IdentityUse use) {
  auto const wanted = use == IdentityUse::server ? x509::server_auth : x509::client_auth;
  if (leaf.has_extended_key_usage() &&
      (leaf.extended_key_usage() & (wanted | x509::any_purpose)) == 0) {
    return fail(ErrorCode::invalid,
                use == IdentityUse::server
                    ? "the certificate may not be used by a server (extended key usage without "
                      "serverAuth)"
                    : "the certificate may not be used by a client (extended key usage without "
                      "clientAuth)");
  }
  bool const rsa =
      leaf.key_type() == x509::KeyType::rsa || leaf.key_type() == x509::KeyType::rsa_pss;
  if (rsa && leaf.key_bits() < min_rsa_bits) {
    return fail(ErrorCode::invalid, "the certificate's RSA key has " +
                                        std::to_string(leaf.key_bits()) +
                                        " bits; clients want 2048 or more");
  }
  if (leaf.key_type() == x509::KeyType::ec && leaf.key_bits() < min_ec_bits) {
    return fail(ErrorCode::invalid, "the certificate's EC key is too small");
  }
  return {};
}

}  // namespace

Result<ServerIdentity::Pointer> ServerIdentity::parse(std::string_view certificate_pem,
                                                      std::string_view private_key_pem,
                                                      IdentityUse use) {
  CERTGATE_TRY(auto const blocks, x509::parse_pem(certificate_pem));
  auto const identity = std::make_shared<ServerIdentity>(Private{});
  std::shared_ptr<STACK_OF(X509)> const chain(sk_X509_new_null(), free_stack);
  if (!chain) return fail(openssl_error("no memory for a certificate chain"));
  for (auto const& block : blocks) {
    // A file that holds certificate and key together is fine; the key is read from it as well.
    if (block.label.ends_with("PRIVATE KEY") || block.label == "EC PARAMETERS") continue;
    auto const where = "the block at line " + std::to_string(block.line);
    if (block.label != "CERTIFICATE" && block.label != "X509 CERTIFICATE") {
      return fail(ErrorCode::invalid, where + " is `" + block.label + "`, not a certificate");
    }
    auto const* at = reinterpret_cast<unsigned char const*>(block.der.data());
    auto decoded = decode_for_host(at, block.der.size());
    if (!decoded) return fail(openssl_error(where + " is not a certificate"));
    CERTGATE_TRY(auto facts, x509::Certificate::parse_openssl(decoded.get()));
    identity->memory_bytes_ += facts->memory_bytes() + 3 * block.der.size() + 2048;
    identity->certificates_.push_back(std::move(facts));
    if (!identity->leaf_) {
      identity->leaf_ = std::move(decoded);
    } else {
      if (sk_X509_push(chain.get(), decoded.get()) <= 0) {
        return fail(openssl_error("no memory for a certificate chain"));
      }
      (void)decoded.release();
    }
  }
  if (!identity->leaf_) return fail(ErrorCode::invalid, "holds no certificate");
  if (auto usable = check_leaf(identity->leaf(), use); !usable) {
    return fail(std::move(usable).error());
  }
  CERTGATE_TRY(identity->key_,
               parse_key(private_key_pem, identity->leaf_.get(), identity->leaf()));
  if (auto whole = check_key(identity->key_.get()); !whole) return fail(std::move(whole).error());
  identity->chain_ = chain;
  return Pointer(identity);
}

std::vector<std::string> ServerIdentity::warnings(UnixSeconds now) const {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < certificates_.size(); ++i) {
    auto const& certificate = *certificates_[i];
    auto const name = "the certificate of `" + std::string(certificate.subject_dn()) + "` ";
    if (now > certificate.not_after()) {
      out.push_back(name + "expired on " + std::string(certificate.not_after_text()));
    }
    if (now < certificate.not_before()) {
      out.push_back(name + "is not valid before " + std::string(certificate.not_before_text()));
    }
    if (i > 0) {
      auto const wanted = certificates_[i - 1]->issuer_name_der();
      auto const found = certificate.subject_name_der();
      if (as_text(wanted) != as_text(found)) {
        out.push_back(name + "does not belong after that of `" +
                      std::string(certificates_[i - 1]->subject_dn()) +
                      "`: clients may not find the chain");
      }
    }
  }
  return out;
}

Result<ServerIdentity::Pointer> ServerIdentities::parse(std::string_view certificate_pem,
                                                        std::string_view private_key_pem) {
  auto const digest =
      x509::sha256({x509::sha256(as_bytes(certificate_pem)).bytes, as_bytes(private_key_pem)});
  {
    std::lock_guard const lock(mutex_);
    if (auto const at = known_.find(digest); at != known_.end()) {
      if (auto identity = at->second.lock()) return identity;
    }
  }
  CERTGATE_TRY(auto identity, ServerIdentity::parse(certificate_pem, private_key_pem));
  std::lock_guard const lock(mutex_);
  known_[digest] = identity;
  return identity;
}

void ServerIdentities::prune() {
  std::lock_guard const lock(mutex_);
  std::erase_if(known_, [](auto const& entry) { return entry.second.expired(); });
}

std::size_t ServerIdentities::size() const {
  std::lock_guard const lock(mutex_);
  return known_.size();
}

}  // namespace certgate::tls
