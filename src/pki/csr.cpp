#include "certgate/pki/csr.hpp"

#include <openssl/pem.h>

#include <array>

#include "certgate/pki/certificate.hpp"
#include "openssl.hpp"
#include "subject_alternative_names.hpp"

namespace certgate::pki {
namespace {

RequestOwner read_request(std::string_view text) {
  if (text.find("-----BEGIN") != std::string_view::npos) {
    auto const bio = memory_bio(text);
    return RequestOwner(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  }
  auto const* cursor = reinterpret_cast<unsigned char const*>(text.data());
  auto const* const end = cursor + text.size();
  RequestOwner request(d2i_X509_REQ(nullptr, &cursor, static_cast<long>(text.size())));
  if (cursor != end) return nullptr;
  return request;
}

std::string name_of_extension(X509_EXTENSION* extension) {
  std::array<char, 80> name{};
  OBJ_obj2txt(name.data(), static_cast<int>(name.size()), X509_EXTENSION_get_object(extension), 0);
  return std::string("the extension ") + name.data();
}

Result<void> read_extensions(X509_REQ* request, CertificateRequest& read) {
  ExtensionsOwner const extensions(X509_REQ_get_extensions(request));
  for (int i = 0; i < sk_X509_EXTENSION_num(extensions.get()); ++i) {
    auto* const extension = sk_X509_EXTENSION_value(extensions.get(), i);
    if (OBJ_obj2nid(X509_EXTENSION_get_object(extension)) != NID_subject_alt_name) {
      read.ignored.push_back(name_of_extension(extension));
      continue;
    }
    GeneralNamesOwner const names(static_cast<GENERAL_NAMES*>(X509V3_EXT_d2i(extension)));
    if (!names) return fail(openssl_error("cannot read the requested names"));
    if (sk_GENERAL_NAME_num(names.get()) > static_cast<int>(max_requested_names)) {
      return fail(ErrorCode::exhausted,
                  "the request has more than " + std::to_string(max_requested_names) + " names");
    }
    auto found = read_general_names(names.get());
    for (auto& name : found.names) read.alternative_names.push_back(std::move(name));
    for (auto& why : found.refused) read.ignored.push_back(std::move(why));
  }
  if (read.alternative_names.size() > max_requested_names) {
    return fail(ErrorCode::exhausted,
                "the request has more than " + std::to_string(max_requested_names) + " names");
  }
  return {};
}

}  // namespace

Result<CertificateRequest> CertificateRequest::parse(std::string_view text) {
  if (text.size() > max_request_bytes) {
    return fail(ErrorCode::exhausted,
                "the request is larger than " + std::to_string(max_request_bytes) + " bytes");
  }
  auto const request = read_request(text);
  if (!request) return fail(openssl_error("this is not a certificate request (PKCS#10)"));
  auto* const key = X509_REQ_get0_pubkey(request.get());
  if (!key) return fail(openssl_error("the request's public key cannot be read"));
  CertificateRequest read;
  read.public_key_der = der_of(key, i2d_PUBKEY);
  if (auto fine = check_public_key(read.public_key_der); !fine) {
    return fail(std::move(fine).error());
  }
  // RFC 2986 §3: the signature proves that whoever asks holds the private key.
  if (X509_REQ_verify(request.get(), key) != 1) {
    return fail(openssl_error(
        "the request's signature is wrong: whoever made it does not hold the private key"));
  }
  read.subject = subject_of(X509_REQ_get_subject_name(request.get()));
  if (auto fine = read_extensions(request.get(), read); !fine) {
    return fail(std::move(fine).error());
  }
  return read;
}

void filter_by_profile(CertificateRequest& request, Profile const& profile) {
  std::vector<AlternativeName> allowed;
  for (auto& name : request.alternative_names) {
    if (profile.allows(name)) {
      allowed.push_back(std::move(name));
    } else {
      request.ignored.push_back("the " + std::string(name_of(name.kind())) + " name " +
                                name.text() + " (profile " + std::string(profile.name) + ")");
    }
  }
  request.alternative_names = std::move(allowed);
}

Result<std::string> make_request(PrivateKey const& key, Subject const& subject,
                                 std::vector<AlternativeName> const& names) {
  if (auto fine = check_subject(subject); !fine) return fail(std::move(fine).error());
  RequestOwner const request(X509_REQ_new());
  auto const entry = [&](int nid, std::string const& text) {
    return text.empty() ||
           X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(request.get()), nid, MBSTRING_UTF8,
                                      reinterpret_cast<unsigned char const*>(text.data()),
                                      static_cast<int>(text.size()), -1, 0) == 1;
  };
  if (!request || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      !entry(NID_organizationName, subject.organization) ||
      !entry(NID_organizationalUnitName, subject.unit) ||
      !entry(NID_commonName, subject.common_name) ||
      X509_REQ_set_pubkey(request.get(), key.handle()) != 1) {
    return fail(openssl_error("cannot build the request"));
  }
  if (!names.empty()) {
    auto const general_names = build_general_names(names);
    STACK_OF(X509_EXTENSION)* list = nullptr;
    bool const added = general_names &&
                       X509V3_add1_i2d(&list, NID_subject_alt_name, general_names.get(), 0,
                                       X509V3_ADD_DEFAULT) == 1 &&
                       X509_REQ_add_extensions(request.get(), list) == 1;
    ExtensionsOwner const owner(list);
    if (!added) return fail(openssl_error("cannot add the names to the request"));
  }
  auto const* const digest = EVP_PKEY_is_a(key.handle(), "ED25519") ? nullptr : EVP_sha256();
  if (X509_REQ_sign(request.get(), key.handle(), digest) <= 0) {
    return fail(openssl_error("cannot sign the request"));
  }
  return format_pem("CERTIFICATE REQUEST", der_of(request.get(), i2d_X509_REQ));
}

}  // namespace certgate::pki
