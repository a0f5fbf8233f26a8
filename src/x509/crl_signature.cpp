// Checks who signed a revocation list: over its bytes as they stand, without decoding entries.
#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "certgate/x509/crl.hpp"
#include "openssl_handles.hpp"

namespace certgate::x509 {
namespace {

Failure<Error> refused(std::string why) { return fail(ErrorCode::crypto, std::move(why)); }

bool is_weak(int digest) {
  return digest == NID_md5 || digest == NID_sha1 || digest == NID_md4 || digest == NID_md5_sha1;
}

bool same_name(Bytes crl_issuer, X509* ca) {
  unsigned char const* at = crl_issuer.data();
  X509NameHandle const name(d2i_X509_NAME(nullptr, &at, static_cast<long>(crl_issuer.size())));
  return name && X509_NAME_cmp(name.get(), X509_get_subject_name(ca)) == 0;
}

// RSA-PSS says its digest and salt in parameters, which OpenSSL reads best itself.
Result<void> verify_with_parameters(X509_ALGOR const* algorithm, Bytes tbs, Bytes signature,
                                    EVP_PKEY* key) {
  ASN1_STRING* const body = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
  // An ASN1_TYPE that holds a SEQUENCE is encoded as the bytes it was given.
  std::unique_ptr<ASN1_TYPE, FreeWith<ASN1_TYPE_free>> const whole(ASN1_TYPE_new());
  std::unique_ptr<ASN1_BIT_STRING, FreeWith<ASN1_BIT_STRING_free>> const bits(
      ASN1_BIT_STRING_new());
  DigestContextHandle const context(EVP_MD_CTX_new());
  KeyContextHandle const key_context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (body == nullptr || !whole) {
    ASN1_STRING_free(body);
    return refused("OpenSSL has no memory to check its signature");
  }
  ASN1_TYPE_set(whole.get(), V_ASN1_SEQUENCE, body);  // owns it now
  if (!bits || !context || !key_context ||
      ASN1_STRING_set(body, tbs.data(), static_cast<int>(tbs.size())) != 1 ||
      ASN1_STRING_set(bits.get(), signature.data(), static_cast<int>(signature.size())) != 1) {
    return refused("OpenSSL has no memory to check its signature");
  }
  EVP_MD_CTX_set_pkey_ctx(context.get(), key_context.get());
  if (ASN1_item_verify_ctx(ASN1_ITEM_rptr(ASN1_ANY), algorithm, bits.get(), whole.get(),
                           context.get()) != 1) {
    return refused("its signature is wrong");
  }
  EVP_MD const* const digest = EVP_MD_CTX_get0_md(context.get());
  if (digest != nullptr && is_weak(EVP_MD_get_type(digest))) {
    return refused("its signature uses a digest that is too weak");
  }
  return {};
}

Result<void> verify_signature(Bytes algorithm_der, Bytes tbs, Bytes signature, EVP_PKEY* key) {
  unsigned char const* at = algorithm_der.data();
  std::unique_ptr<X509_ALGOR, FreeWith<X509_ALGOR_free>> const algorithm(
      d2i_X509_ALGOR(nullptr, &at, static_cast<long>(algorithm_der.size())));
  if (!algorithm) return refused("its signature algorithm is broken");
  ASN1_OBJECT const* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm.get());
  int digest = NID_undef, key_type = NID_undef;
  if (OBJ_find_sigid_algs(OBJ_obj2nid(object), &digest, &key_type) != 1) {
    return refused("its signature algorithm is not known");
  }
  if (is_weak(digest)) return refused("its signature uses a digest that is too weak");
  bool const carries_parameters = digest == NID_undef && key_type == EVP_PKEY_RSA_PSS;
  if (carries_parameters) return verify_with_parameters(algorithm.get(), tbs, signature, key);
  if (key_type != EVP_PKEY_get_base_id(key)) {
    return refused("its signature algorithm does not fit the CA's key");
  }
  DigestContextHandle const context(EVP_MD_CTX_new());
  EVP_MD const* const md = digest == NID_undef ? nullptr : EVP_get_digestbynid(digest);
  if (!context || (digest != NID_undef && md == nullptr) ||
      EVP_DigestVerifyInit(context.get(), nullptr, md, nullptr, key) != 1 ||
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), tbs.data(), tbs.size()) !=
          1) {
    return refused("its signature is wrong");
  }
  return {};
}

}  // namespace

Result<void> Crl::verify_issued_by(Certificate const& ca) const {
  KeepErrorQueue const keep;
  X509Handle const certificate = decode_certificate(ca.der());
  EVP_PKEY* const key = certificate ? X509_get0_pubkey(certificate.get()) : nullptr;
  if (key == nullptr) return refused("the CA's certificate cannot be decoded");
  if (as_text(issuer_) != as_text(ca.subject_name_der()) &&
      !same_name(issuer_, certificate.get())) {
    return refused("it was issued by \"" + issuer_dn_ + "\"");
  }
  if (!authority_key_id_.empty() && !ca.subject_key_id().empty() &&
      authority_key_id_ != ca.subject_key_id()) {
    return refused("it names another key of the CA (" + authority_key_id_ + ")");
  }
  // RFC 5280 §4.2.1.3: "The cRLSign bit is asserted when the subject public key is used for
  // verifying signatures on certificate revocation lists".
  if (ca.has_key_usage() && (ca.key_usage() & crl_sign) == 0) {
    return refused("the CA's certificate may not sign CRLs (no cRLSign)");
  }
  return verify_signature(signature_algorithm_, tbs_, signature_, key);
}

}  // namespace certgate::x509
