#include "certgate/pki/authority.hpp"

#include <algorithm>

#include "extensions.hpp"
#include "openssl.hpp"
#include "times.hpp"

namespace certgate::pki {
namespace {

// Ed25519 hashes inside its signature; P-384 and larger are matched by a hash of their strength.
EVP_MD const* digest_for(EVP_PKEY const* key) {
  if (EVP_PKEY_is_a(key, "ED25519")) return nullptr;
  if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) > 256) return EVP_sha384();
  return EVP_sha256();
}

bool add_entry(X509_NAME* name, int nid, std::string const& text) {
  if (text.empty()) return true;
  return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8,
                                    reinterpret_cast<unsigned char const*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

NameOwner build_name(Subject const& subject) {
  NameOwner name(X509_NAME_new());
  if (!name || !add_entry(name.get(), NID_organizationName, subject.organization) ||
      !add_entry(name.get(), NID_organizationalUnitName, subject.unit) ||
      !add_entry(name.get(), NID_commonName, subject.common_name)) {
    return nullptr;
  }
  return name;
}

IntegerOwner build_integer(Serial const& serial) {
  BignumOwner const number(BN_bin2bn(reinterpret_cast<unsigned char const*>(serial.bytes().data()),
                                     static_cast<int>(serial.bytes().size()), nullptr));
  return IntegerOwner(number ? BN_to_ASN1_INTEGER(number.get(), nullptr) : nullptr);
}

Result<void> check_order(CertificateOrder const& order) {
  auto const& profile = profile_of(order.profile);
  if (auto fine = check_subject(order.subject); !fine) return fine;
  for (auto const& name : order.alternative_names) {
    if (!profile.allows(name)) {
      return fail(ErrorCode::invalid,
                  "profile " + std::string(profile.name) + " does not allow the " +
                      std::string(name_of(name.kind())) + " name " + name.text());
    }
  }
  if (order.validity.not_after <= order.validity.not_before) {
    return fail(ErrorCode::invalid, "the certificate would end before it begins");
  }
  return check_public_key(order.public_key_der);
}

// Everything but the signature; `issuer` null means self-signed.
Result<CertificateOwner> build(CertificateOrder const& order, X509 const* issuer) {
  if (auto fine = check_order(order); !fine) return fail(std::move(fine).error());
  CertificateOwner certificate(X509_new());
  auto const subject = build_name(order.subject);
  auto const serial = build_integer(order.serial);
  auto const not_before = asn1_time_of(order.validity.not_before);
  auto const not_after = asn1_time_of(order.validity.not_after);
  auto const* cursor = reinterpret_cast<unsigned char const*>(order.public_key_der.data());
  KeyOwner const key(d2i_PUBKEY(nullptr, &cursor, static_cast<long>(order.public_key_der.size())));
  if (!not_before || !not_after) {
    return fail(ErrorCode::invalid, "the validity lies outside the years that X.509 can write");
  }
  if (!certificate || !subject || !serial || !key ||
      X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      X509_set_serialNumber(certificate.get(), serial.get()) != 1 ||
      X509_set_subject_name(certificate.get(), subject.get()) != 1 ||
      X509_set_issuer_name(certificate.get(),
                           issuer ? X509_get_subject_name(issuer) : subject.get()) != 1 ||
      X509_set1_notBefore(certificate.get(), not_before.get()) != 1 ||
      X509_set1_notAfter(certificate.get(), not_after.get()) != 1 ||
      X509_set_pubkey(certificate.get(), key.get()) != 1) {
    return fail(openssl_error("cannot build the certificate"));
  }
  auto done = add_extensions(certificate.get(), issuer ? issuer : certificate.get(), order);
  if (!done) return fail(std::move(done).error());
  return certificate;
}

Result<Certificate> sign(CertificateOwner certificate, PrivateKey const& key) {
  if (X509_sign(certificate.get(), key.handle(), digest_for(key.handle())) <= 0) {
    return fail(openssl_error("cannot sign the certificate"));
  }
  // Read back from DER, so that what is checked and stored is what a verifier will see.
  return Certificate::parse_der(der_of(certificate.get(), i2d_X509));
}

Result<void> verify_strictly(Certificate const& certificate, Certificate const& issuer) {
  std::unique_ptr<X509_STORE, Release<X509_STORE_free>> const store(X509_STORE_new());
  std::unique_ptr<X509_STORE_CTX, Release<X509_STORE_CTX_free>> const context(X509_STORE_CTX_new());
  if (!store || !context || X509_STORE_add_cert(store.get(), issuer.handle()) != 1 ||
      X509_STORE_CTX_init(context.get(), store.get(), certificate.handle(), nullptr) != 1) {
    return fail(openssl_error("cannot check the new certificate"));
  }
  auto* const parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_X509_STRICT);
  X509_VERIFY_PARAM_set_time(
      parameters, std::max(certificate.validity().not_before, issuer.validity().not_before));
  if (X509_verify_cert(context.get()) == 1) return {};
  int const code = X509_STORE_CTX_get_error(context.get());
  if (code == X509_V_ERR_PERMITTED_VIOLATION || code == X509_V_ERR_EXCLUDED_VIOLATION) {
    return fail(ErrorCode::permission,
                "a name lies outside the name constraints of this authority");
  }
  return fail(ErrorCode::invalid, std::string("the new certificate would not be accepted: ") +
                                      X509_verify_cert_error_string(code));
}

}  // namespace

Result<Authority> Authority::make_root(CertificateOrder order, PrivateKey key) {
  order.profile = ProfileKind::root;
  order.public_key_der = key.public_key_der();
  CERTGATE_TRY(auto built, build(order, nullptr));
  CERTGATE_TRY(auto certificate, sign(std::move(built), key));
  if (auto fine = verify_strictly(certificate, certificate); !fine) {
    return fail(std::move(fine).error());
  }
  return Authority(std::move(certificate), std::move(key));
}

Result<Authority> Authority::open(Certificate certificate, PrivateKey key) {
  if (!certificate.is_authority()) {
    return fail(ErrorCode::invalid, "the certificate of " + certificate.subject().common_name +
                                        " is not an authority's (basicConstraints CA)");
  }
  if (X509_check_private_key(certificate.handle(), key.handle()) != 1) {
    return fail(openssl_error("the private key does not belong to the certificate of " +
                              certificate.subject().common_name));
  }
  return Authority(std::move(certificate), std::move(key));
}

Result<Certificate> Authority::issue(CertificateOrder const& order) const {
  if (order.profile == ProfileKind::root) {
    return fail(ErrorCode::invalid, "a root signs itself");
  }
  if (order.public_key_der == certificate_.public_key_der()) {
    return fail(ErrorCode::invalid, "the key is the authority's own");
  }
  auto const own = certificate_.validity();
  if (order.validity.not_before < own.not_before || order.validity.not_after > own.not_after) {
    return fail(ErrorCode::invalid, "the lifetime lies outside that of the authority " +
                                        certificate_.subject().common_name);
  }
  // RFC 5280 §4.2.1.9: the path length "gives the maximum number of non-self-issued intermediate
  // certificates that may follow this certificate in a valid certification path".
  long const own_path_length = X509_get_pathlen(certificate_.handle());
  if (profile_of(order.profile).is_authority && own_path_length >= 0 &&
      order.path_length >= own_path_length) {
    return fail(ErrorCode::permission, "the path length of " + certificate_.subject().common_name +
                                           " (" + std::to_string(own_path_length) +
                                           ") does not allow this authority below it");
  }
  CERTGATE_TRY(auto built, build(order, certificate_.handle()));
  CERTGATE_TRY(auto certificate, sign(std::move(built), key_));
  if (auto fine = verify_strictly(certificate, certificate_); !fine) {
    return fail(std::move(fine).error());
  }
  return certificate;
}

Result<std::string> Authority::sign_revocation_list(RevocationListOrder const& order) const {
  if (order.next_update <= order.this_update || order.number < 0) {
    return fail(ErrorCode::invalid, "a revocation list must be valid for some time");
  }
  CrlOwner const list(X509_CRL_new());
  auto const this_update = asn1_time_of(order.this_update);
  auto const next_update = asn1_time_of(order.next_update);
  if (!list || !this_update || !next_update ||
      X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) != 1 ||
      X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(certificate_.handle())) != 1 ||
      X509_CRL_set1_lastUpdate(list.get(), this_update.get()) != 1 ||
      X509_CRL_set1_nextUpdate(list.get(), next_update.get()) != 1) {
    return fail(openssl_error("cannot build the revocation list"));
  }
  for (auto const& entry : order.entries) {
    RevokedOwner revoked(X509_REVOKED_new());
    auto const serial = build_integer(entry.serial);
    auto const when = asn1_time_of(entry.revoked_at);
    bool fine = revoked && serial && when &&
                X509_REVOKED_set_serialNumber(revoked.get(), serial.get()) == 1 &&
                X509_REVOKED_set_revocationDate(revoked.get(), when.get()) == 1;
    // RFC 5280 §5.3.1: "the reason code CRL entry extension SHOULD be absent instead of using the
    // unspecified (0) reasonCode value".
    if (fine && entry.reason != RevocationReason::unspecified) {
      EnumeratedOwner const reason(ASN1_ENUMERATED_new());
      fine = reason && ASN1_ENUMERATED_set(reason.get(), static_cast<long>(entry.reason)) == 1 &&
             X509_REVOKED_add1_ext_i2d(revoked.get(), NID_crl_reason, reason.get(), 0,
                                       X509V3_ADD_DEFAULT) == 1;
    }
    if (!fine || X509_CRL_add0_revoked(list.get(), revoked.get()) != 1) {
      return fail(openssl_error("cannot add an entry to the revocation list"));
    }
    revoked.release();
  }
  auto done = add_revocation_list_extensions(list.get(), certificate_.handle(), order.number);
  if (!done) return fail(std::move(done).error());
  X509_CRL_sort(list.get());
  if (X509_CRL_sign(list.get(), key_.handle(), digest_for(key_.handle())) <= 0) {
    return fail(openssl_error("cannot sign the revocation list"));
  }
  return der_of(list.get(), i2d_X509_CRL);
}

}  // namespace certgate::pki
