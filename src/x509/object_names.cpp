// Knows the common OIDs by heart and asks OpenSSL for the rest.
#include "object_names.hpp"

#include <openssl/asn1.h>
#include <openssl/objects.h>

#include <algorithm>
#include <memory>

#include "openssl_handles.hpp"

namespace certgate::x509 {
namespace {

using namespace std::string_view_literals;

// REQUIRES nothing: null when `oid` is not an OID's content.
std::unique_ptr<ASN1_OBJECT, FreeWith<ASN1_OBJECT_free>> object_of(Bytes oid) {
  if (oid.empty() || oid.size() > 120) return nullptr;
  KeepErrorQueue const keep;
  std::uint8_t der[122] = {0x06, static_cast<std::uint8_t>(oid.size())};
  std::copy(oid.begin(), oid.end(), der + 2);
  unsigned char const* at = der;
  return std::unique_ptr<ASN1_OBJECT, FreeWith<ASN1_OBJECT_free>>(
      d2i_ASN1_OBJECT(nullptr, &at, static_cast<long>(oid.size() + 2)));
}

}  // namespace

AttributeType attribute_type(Bytes oid, std::string& scratch) {
  if (oid.size() == 3 && oid[0] == 0x55 && oid[1] == 0x04) {  // 2.5.4.x
    switch (oid[2]) {
      case 3:
        return {"CN", true};
      case 4:
        return {"SN", true};
      case 5:
        return {"serialNumber", true};
      case 6:
        return {"C", true};
      case 7:
        return {"L", true};
      case 8:
        return {"ST", true};
      case 9:
        return {"street", true};
      case 10:
        return {"O", true};
      case 11:
        return {"OU", true};
      case 12:
        return {"title", true};
      default:
        break;
    }
  }
  if (is_oid(oid, "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01")) return {"emailAddress", true};
  if (is_oid(oid, "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19")) return {"DC", true};
  if (is_oid(oid, "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01")) return {"UID", true};
  if (auto const object = object_of(oid)) {
    int const nid = OBJ_obj2nid(object.get());
    if (nid != NID_undef) return {OBJ_nid2sn(nid), true};
  }
  scratch = format_oid(oid);
  return {scratch, false};
}

std::string algorithm_name(Bytes oid) {
  if (is_oid(oid, "\x2a\x86\x48\xce\x3d\x04\x03\x02")) return "ecdsa-with-SHA256";
  if (is_oid(oid, "\x2a\x86\x48\xce\x3d\x04\x03\x03")) return "ecdsa-with-SHA384";
  if (is_oid(oid, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b")) return "sha256WithRSAEncryption";
  if (is_oid(oid, "\x2b\x65\x70")) return "ED25519";
  if (auto const object = object_of(oid)) {
    int const nid = OBJ_obj2nid(object.get());
    if (nid != NID_undef) return OBJ_nid2ln(nid);
  }
  return format_oid(oid);
}

std::string format_oid(Bytes oid) {
  // Arcs above 64 bits exist only in hostile certificates; OpenSSL's text of them is used.
  auto const object = object_of(oid);
  if (!object) return {};
  int const length = OBJ_obj2txt(nullptr, 0, object.get(), 1);
  if (length <= 0) return {};
  std::string text(static_cast<std::size_t>(length) + 1, '\0');
  OBJ_obj2txt(text.data(), length + 1, object.get(), 1);
  text.resize(static_cast<std::size_t>(length));
  return text;
}

}  // namespace certgate::x509
