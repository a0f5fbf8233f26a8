// Builds and verifies paths with OpenSSL against one set of anchors, and says why not.
#include "certgate/x509/trust.hpp"

#include <openssl/x509v3.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <unordered_map>

#include "openssl_handles.hpp"
#include "verify_reason.hpp"

namespace certgate::x509 {
namespace {

struct Anchor {
  Certificate::Pointer facts;
  X509Handle certificate;
  IssuerId id;
  // Index of the anchor that signed this one (itself for a root); none when that is not an anchor.
  std::optional<std::size_t> issuer;
};

bool is_signed_by(X509* certificate, X509* issuer) {
  EVP_PKEY* const key = X509_get0_pubkey(issuer);
  return key != nullptr && X509_verify(certificate, key) == 1;
}

Digest digest_of(std::vector<Anchor> const& anchors, TrustOptions const& options) {
  std::string text =
      "certgate client trust 1;" + std::to_string(options.max_depth) + ';' +
      std::to_string(options.max_presented) + ';' + std::to_string(options.max_presented_bytes) +
      ';' + std::to_string(options.min_rsa_bits) + ';' + std::to_string(options.min_ec_bits) + ';' +
      std::to_string(options.max_key_bits) + ';' + std::to_string(options.security_level) + ';';
  for (Anchor const& anchor : anchors) {  // sorted by fingerprint
    text.append(as_text(anchor.facts->fingerprint().bytes));
  }
  return sha256(as_bytes(text));
}

class OpensslTrust final : public Trust {
 public:
  static Result<Pointer> build(std::vector<Certificate::Pointer> anchors,
                               TrustOptions const& options) {
    if (anchors.empty()) return fail(ErrorCode::invalid, "there is no CA certificate");
    auto trust = std::make_shared<OpensslTrust>(options);
    if (auto filled = trust->fill(std::move(anchors)); !filled) return fail(filled.error());
    return Pointer(std::move(trust));
  }

  explicit OpensslTrust(TrustOptions const& options) : options_(options) {}

  Verification verify(ClientChain const& chain, UnixSeconds now) const override {
    KeepErrorQueue const keep;
    if (auto refused = refuse_early(chain, now)) return *std::move(refused);
    X509Handle const leaf = decode_certificate(chain.leaf().der());
    if (!leaf) return failure(chain, now, X509_V_ERR_UNSPECIFIED, unreadable);
    X509StackHandle const others(sk_X509_new_null());
    for (auto const& facts : chain.others()) {
      X509Handle other = decode_certificate(facts->der());
      // A certificate that OpenSSL cannot read cannot be part of a path.
      if (other && sk_X509_push(others.get(), other.get()) > 0) (void)other.release();
    }
    return run(chain, leaf.get(), others.get(), now);
  }

  Verification verify_openssl(ClientChain const& chain, X509* leaf, STACK_OF(X509) * presented,
                              UnixSeconds now) const override {
    KeepErrorQueue const keep;
    if (auto refused = refuse_early(chain, now)) return *std::move(refused);
    return run(chain, leaf, presented, now);
  }

  Digest const& digest() const override { return digest_; }
  std::vector<Certificate::Pointer> const& anchors() const override { return facts_; }
  TrustOptions const& options() const override { return options_; }

 private:
  static constexpr std::string_view unreadable = "FAILED:certificate cannot be decoded";

  Result<void> fill(std::vector<Certificate::Pointer> anchors) {
    std::sort(anchors.begin(), anchors.end(),
              [](auto const& a, auto const& b) { return a->fingerprint() < b->fingerprint(); });
    anchors.erase(std::unique(anchors.begin(), anchors.end(),
                              [](auto const& a, auto const& b) {
                                return a->fingerprint() == b->fingerprint();
                              }),
                  anchors.end());
    KeepErrorQueue const keep;
    store_.reset(X509_STORE_new());
    if (!store_) return fail(ErrorCode::crypto, "OpenSSL cannot make a certificate store");
    for (auto& facts : anchors) {
      std::string const name(facts->subject_dn());
      if (facts->is_malformed() || facts->has_control_characters()) {
        return fail(ErrorCode::invalid, "the CA certificate \"" + name + "\" is malformed");
      }
      X509Handle certificate = decode_certificate(facts->der());
      // X509_check_purpose fills OpenSSL's cache of extensions now, not under a worker's feet.
      if (!certificate || X509_get0_pubkey(certificate.get()) == nullptr ||
          X509_check_purpose(certificate.get(), -1, 0) != 1 ||
          X509_STORE_add_cert(store_.get(), certificate.get()) != 1) {
        return fail(ErrorCode::crypto, "OpenSSL cannot use the CA certificate \"" + name + "\"");
      }
      by_subject_[std::string(as_text(facts->subject_name_der()))].push_back(anchors_.size());
      IssuerId const id = facts->id_as_issuer();
      facts_.push_back(facts);
      anchors_.push_back({std::move(facts), std::move(certificate), id, std::nullopt});
    }
    link_issuers();
    set_parameters();
    digest_ = digest_of(anchors_, options_);
    return {};
  }

  void link_issuers() {
    for (std::size_t i = 0; i < anchors_.size(); ++i) {
      X509* const subject = anchors_[i].certificate.get();
      if (anchors_[i].facts->is_self_issued() && is_signed_by(subject, subject)) {
        anchors_[i].issuer = i;
        continue;
      }
      for (std::size_t j = 0; j < anchors_.size() && !anchors_[i].issuer; ++j) {
        X509* const issuer = anchors_[j].certificate.get();
        if (j != i && X509_check_issued(issuer, subject) == X509_V_OK &&
            is_signed_by(subject, issuer)) {
          anchors_[i].issuer = j;
        }
      }
    }
  }

  void set_parameters() {
    X509_VERIFY_PARAM* const parameters = X509_STORE_get0_param(store_.get());
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
    X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_CLIENT);
    X509_VERIFY_PARAM_set_trust(parameters, X509_TRUST_SSL_CLIENT);
    X509_VERIFY_PARAM_set_auth_level(parameters, options_.security_level);
    X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(options_.max_depth));
    X509_STORE_set_get_issuer(store_.get(), &OpensslTrust::get_issuer);
  }

  // OpenSSL's own search takes the first anchor with the right name and, without key identifiers,
  // may take a CA's old key for its new one. This one lets the signature decide.
  static int get_issuer(X509** issuer, X509_STORE_CTX* context, X509* subject) {
    auto const& trust = *static_cast<OpensslTrust const*>(X509_STORE_CTX_get_ex_data(context, 0));
    X509* const found =
        trust.find_issuer(subject, X509_VERIFY_PARAM_get_time(X509_STORE_CTX_get0_param(context)));
    if (found == nullptr) return 0;
    X509_up_ref(found);
    *issuer = found;
    return 1;
  }

  X509* find_issuer(X509* subject, time_t now) const {
    unsigned char const* der = nullptr;
    std::size_t size = 0;
    if (X509_NAME_get0_der(X509_get_issuer_name(subject), &der, &size) != 1) return nullptr;
    std::vector<std::size_t> const* candidates = nullptr;
    if (auto const at = by_subject_.find(std::string(as_text({der, size})));
        at != by_subject_.end()) {
      candidates = &at->second;
    }
    std::vector<std::size_t> all;
    if (candidates == nullptr) {
      // The same name in another encoding (PrintableString against UTF8String).
      for (std::size_t i = 0; i < anchors_.size(); ++i) {
        if (X509_NAME_cmp(X509_get_subject_name(anchors_[i].certificate.get()),
                          X509_get_issuer_name(subject)) == 0) {
          all.push_back(i);
        }
      }
      candidates = &all;
    }
    X509* fallback = nullptr;
    X509* right_key = nullptr;
    std::size_t fitting = 0;
    for (std::size_t const i : *candidates) {
      if (X509_check_issued(anchors_[i].certificate.get(), subject) == X509_V_OK) ++fitting;
    }
    for (std::size_t const i : *candidates) {
      X509* const candidate = anchors_[i].certificate.get();
      if (X509_check_issued(candidate, subject) != X509_V_OK) continue;
      if (fitting == 1) return candidate;
      if (fallback == nullptr) fallback = candidate;
      if (!is_signed_by(subject, candidate)) continue;
      Certificate const& facts = *anchors_[i].facts;
      // A CA certificate renewed with its key: the one that is valid now.
      if (facts.not_before() <= now && now < facts.not_after()) return candidate;
      right_key = candidate;
    }
    return right_key != nullptr ? right_key : fallback;
  }

  // What is refused before OpenSSL does any arithmetic for it.
  std::optional<Verification> refuse_early(ClientChain const& chain, UnixSeconds now) const {
    Certificate const& leaf = chain.leaf();
    std::size_t bytes = leaf.der().size();
    unsigned largest_key = leaf.key_bits();
    for (auto const& other : chain.others()) {
      bytes += other->der().size();
      largest_key = std::max(largest_key, other->key_bits());
    }
    if (chain.others().size() + 1 > options_.max_presented ||
        bytes > options_.max_presented_bytes) {
      return failure(chain, now, X509_V_ERR_CERT_CHAIN_TOO_LONG);
    }
    if (largest_key > options_.max_key_bits) {
      return failure(chain, now, X509_V_ERR_APPLICATION_VERIFICATION,
                     "FAILED:certificate key too large");
    }
    if (auto const reason = refused_facts(leaf); !reason.empty()) {
      return failure(chain, now, X509_V_ERR_APPLICATION_VERIFICATION, reason);
    }
    if (leaf.is_ca() && find_anchor(leaf.fingerprint()) == nullptr) {
      return failure(chain, now, X509_V_ERR_INVALID_PURPOSE);
    }
    return std::nullopt;
  }

  static std::string_view refused_facts(Certificate const& certificate) {
    if (certificate.has_control_characters()) {
      return "FAILED:control character in certificate name";
    }
    if (certificate.is_malformed()) return "FAILED:malformed certificate name or extension";
    if (certificate.key_type() == KeyType::ec && certificate.key_bits() == 0) {
      return "FAILED:certificate key on an unknown curve";
    }
    return {};
  }

  Verification run(ClientChain const& chain, X509* leaf, STACK_OF(X509) * presented,
                   UnixSeconds now) const {
    X509StoreContextHandle const context(X509_STORE_CTX_new());
    if (!context || X509_STORE_CTX_init(context.get(), store_.get(), leaf, presented) != 1 ||
        X509_STORE_CTX_set_ex_data(context.get(), 0, const_cast<OpensslTrust*>(this)) != 1) {
      return failure(chain, now, X509_V_ERR_OUT_OF_MEM);
    }
    X509_STORE_CTX_set_time(context.get(), 0, static_cast<time_t>(now));
    if (X509_verify_cert(context.get()) != 1) {
      int const error = X509_STORE_CTX_get_error(context.get());
      return failure(chain, now, error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error);
    }
    return success(chain, X509_STORE_CTX_get0_chain(context.get()), now);
  }

  Verification success(ClientChain const& chain, STACK_OF(X509) * path, UnixSeconds now) const {
    Verification result;
    Anchor const* anchor = nullptr;
    for (int i = 0; i < sk_X509_num(path); ++i) {
      auto const facts = facts_of(chain, sk_X509_value(path, i), anchor);
      if (!facts) return failure(chain, now, X509_V_ERR_UNSPECIFIED, unreadable);
      result.path.push_back({facts, {}, false});
    }
    if (result.path.empty() || anchor == nullptr) {
      return failure(chain, now, X509_V_ERR_UNSPECIFIED);
    }
    for (PathElement const& element : result.path) {
      Certificate const& certificate = *element.certificate;
      if (auto const reason = refused_facts(certificate); !reason.empty()) {
        return failure(chain, now, X509_V_ERR_APPLICATION_VERIFICATION, reason);
      }
      if (is_too_weak(certificate)) {
        return failure(chain, now,
                       &element == &result.path.front() ? X509_V_ERR_EE_KEY_TOO_SMALL
                                                        : X509_V_ERR_CA_KEY_TOO_SMALL);
      }
    }
    result.from = result.path.front().certificate->not_before();
    result.until = result.path.front().certificate->not_after() - 1;
    for (PathElement const& element : result.path) {
      result.from = std::max(result.from, element.certificate->not_before());
      result.until = std::min(result.until, element.certificate->not_after() - 1);
    }
    extend(result.path, *anchor);
    name_issuers(result.path);
    result.verified = true;
    result.reason = "SUCCESS";
    result.issuer = result.path.size() > 1          ? result.path[1].certificate
                    : chain.leaf().is_self_issued() ? chain.leaf_pointer()
                                                    : nullptr;
    return result;
  }

  // OpenSSL stops at the first anchor. Who issued that anchor matters for revocation, so the path
  // goes on as far as the anchors know.
  void extend(std::vector<PathElement>& path, Anchor const& last) const {
    Anchor const* anchor = &last;
    while (anchor->issuer && &anchors_[*anchor->issuer] != anchor && path.size() < 32) {
      anchor = &anchors_[*anchor->issuer];
      path.push_back({anchor->facts, {}, false});
    }
  }

  void name_issuers(std::vector<PathElement>& path) const {
    for (std::size_t i = 0; i + 1 < path.size(); ++i) {
      Anchor const* const issuer = find_anchor(path[i + 1].certificate->fingerprint());
      path[i].issuer = issuer != nullptr ? issuer->id : path[i + 1].certificate->id_as_issuer();
      path[i].issuer_known = true;
    }
    Anchor const* const last = find_anchor(path.back().certificate->fingerprint());
    if (last != nullptr && last->issuer) {
      path.back().issuer = anchors_[*last->issuer].id;
      path.back().issuer_known = true;
    }
  }

  bool is_too_weak(Certificate const& certificate) const {
    switch (certificate.key_type()) {
      case KeyType::rsa:
      case KeyType::rsa_pss:
        return certificate.key_bits() < options_.min_rsa_bits;
      case KeyType::ec:
        return certificate.key_bits() < options_.min_ec_bits;
      case KeyType::ed25519:
      case KeyType::ed448:
        return false;
      case KeyType::dsa:
      case KeyType::other:
        break;
    }
    return true;
  }

  // The facts of an element of OpenSSL's path; `anchor` becomes it when it is one.
  Certificate::Pointer facts_of(ClientChain const& chain, X509* certificate,
                                Anchor const*& anchor) const {
    for (Anchor const& candidate : anchors_) {
      if (candidate.certificate.get() == certificate) {
        anchor = &candidate;
        return candidate.facts;
      }
    }
    unsigned char* der = nullptr;
    int const size = i2d_X509(certificate, &der);
    if (size <= 0) return nullptr;
    Digest const fingerprint = sha256(Bytes(der, static_cast<std::size_t>(size)));
    OPENSSL_free(der);
    if (Anchor const* const found = find_anchor(fingerprint)) {
      anchor = found;
      return found->facts;
    }
    if (chain.leaf().fingerprint() == fingerprint) return chain.leaf_pointer();
    for (auto const& other : chain.others()) {
      if (other->fingerprint() == fingerprint) return other;
    }
    return nullptr;
  }

  Anchor const* find_anchor(Digest const& fingerprint) const {
    auto const at = std::lower_bound(anchors_.begin(), anchors_.end(), fingerprint,
                                     [](Anchor const& anchor, Digest const& wanted) {
                                       return anchor.facts->fingerprint() < wanted;
                                     });
    return at != anchors_.end() && at->facts->fingerprint() == fingerprint ? &*at : nullptr;
  }

  Verification failure(ClientChain const& chain, UnixSeconds now, int error,
                       std::string_view reason = {}) const {
    Verification result;
    result.error = error;
    result.reason = reason.empty() ? failed_reason(error) : reason;
    result.issuer = likely_issuer(chain);
    // Nothing but the passing of a boundary of some validity can change a failure.
    result.from = std::numeric_limits<UnixSeconds>::min();
    result.until = std::numeric_limits<UnixSeconds>::max();
    auto const consider = [&](UnixSeconds boundary) {
      if (boundary <= now) {
        result.from = std::max(result.from, boundary);
      } else {
        result.until = std::min(result.until, boundary - 1);
      }
    };
    auto const consider_both = [&](Certificate const& certificate) {
      consider(certificate.not_before());
      consider(certificate.not_after());
    };
    consider_both(chain.leaf());
    for (auto const& other : chain.others()) consider_both(*other);
    for (auto const& anchor : facts_) consider_both(*anchor);
    return result;
  }

  Certificate::Pointer likely_issuer(ClientChain const& chain) const {
    Certificate const& leaf = chain.leaf();
    auto const fits = [&](Certificate const& candidate) {
      return as_text(candidate.subject_name_der()) == as_text(leaf.issuer_name_der()) &&
             (leaf.authority_key_id().empty() || candidate.subject_key_id().empty() ||
              leaf.authority_key_id() == candidate.subject_key_id());
    };
    for (auto const& other : chain.others()) {
      if (fits(*other)) return other;
    }
    for (auto const& anchor : facts_) {
      if (fits(*anchor)) return anchor;
    }
    return fits(leaf) ? chain.leaf_pointer() : nullptr;
  }

  TrustOptions options_;
  std::vector<Anchor> anchors_;  // sorted by fingerprint
  std::vector<Certificate::Pointer> facts_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_subject_;
  X509StoreHandle store_;
  Digest digest_;
};

}  // namespace

std::string_view Verification::issuer_serial(Certificate const& leaf) const {
  return issuer ? issuer->serial() : leaf.authority_serial();
}

std::string_view Verification::issuer_key_id(Certificate const& leaf) const {
  return issuer && !issuer->subject_key_id().empty() ? issuer->subject_key_id()
                                                     : leaf.authority_key_id();
}

Result<Trust::Pointer> Trust::build(std::vector<Certificate::Pointer> anchors,
                                    TrustOptions const& options) {
  return OpensslTrust::build(std::move(anchors), options);
}

}  // namespace certgate::x509
