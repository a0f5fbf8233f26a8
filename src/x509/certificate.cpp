// A certificate's facts on demand, and the small readings behind them.
#include "certgate/x509/certificate.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>

#include "certificate_parts.hpp"
#include "der.hpp"
#include "object_names.hpp"

namespace certgate::x509 {
namespace {

unsigned bit_length(Bytes magnitude) {
  if (magnitude.empty()) return 0;
  return static_cast<unsigned>((magnitude.size() - 1) * 8) +
         static_cast<unsigned>(std::bit_width(magnitude[0]));
}

unsigned curve_bits(Bytes oid) {
  if (is_oid(oid, "\x2a\x86\x48\xce\x3d\x03\x01\x07")) return 256;      // P-256
  if (is_oid(oid, "\x2b\x81\x04\x00\x22")) return 384;                  // P-384
  if (is_oid(oid, "\x2b\x81\x04\x00\x23")) return 521;                  // P-521
  if (is_oid(oid, "\x2b\x81\x04\x00\x21")) return 224;                  // P-224
  if (is_oid(oid, "\x2b\x81\x04\x00\x0a")) return 256;                  // secp256k1
  if (is_oid(oid, "\x2a\x86\x48\xce\x3d\x03\x01\x01")) return 192;      // P-192
  if (is_oid(oid, "\x2b\x24\x03\x03\x02\x08\x01\x01\x07")) return 256;  // brainpoolP256r1
  if (is_oid(oid, "\x2b\x24\x03\x03\x02\x08\x01\x01\x0b")) return 384;  // brainpoolP384r1
  if (is_oid(oid, "\x2b\x24\x03\x03\x02\x08\x01\x01\x0d")) return 512;  // brainpoolP512r1
  return 0;
}

// The first INTEGER of the SEQUENCE inside the key's BIT STRING: an RSA modulus.
bool modulus_bits(Bytes key, std::uint32_t& bits) {
  der::Reader outer(key), reader;
  Bytes modulus;
  if (!outer.enter(der::sequence, reader) || !reader.next(der::integer, modulus) ||
      !der::is_integer(modulus) || modulus[0] >= 0x80) {
    return false;
  }
  bits = bit_length(der::magnitude_of(modulus));
  return true;
}

}  // namespace

std::string negated(Bytes content) {
  std::string magnitude(content.size(), '\0');
  unsigned carry = 1;
  for (std::size_t i = content.size(); i-- > 0;) {
    unsigned const byte = (~content[i] & 0xFFU) + carry;
    magnitude[i] = static_cast<char>(byte & 0xFF);
    carry = byte >> 8;
  }
  return magnitude.substr(std::min(magnitude.find_first_not_of('\0'), magnitude.size()));
}

bool read_public_key(Bytes content, KeyType& type, std::uint32_t& bits) {
  der::Reader reader(content), algorithm;
  Bytes oid, key;
  if (!reader.enter(der::sequence, algorithm) || !algorithm.next(der::object_identifier, oid) ||
      !reader.next(der::bit_string, key) || key.empty()) {
    return false;
  }
  key = key.subspan(1);
  type = KeyType::other;
  bits = 0;
  if (is_oid(oid, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")) {
    type = KeyType::rsa;
    return modulus_bits(key, bits);
  }
  if (is_oid(oid, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")) {
    type = KeyType::rsa_pss;
    return modulus_bits(key, bits);
  }
  if (is_oid(oid, "\x2a\x86\x48\xce\x3d\x02\x01")) {
    type = KeyType::ec;
    Bytes curve;
    if (algorithm.next(der::object_identifier, curve)) bits = curve_bits(curve);
    return true;
  }
  if (is_oid(oid, "\x2b\x65\x70")) {
    type = KeyType::ed25519;
    bits = 256;
  } else if (is_oid(oid, "\x2b\x65\x71")) {
    type = KeyType::ed448;
    bits = 456;
  } else if (is_oid(oid, "\x2a\x86\x48\xce\x38\x04\x01")) {
    type = KeyType::dsa;
    der::Reader parameters;
    Bytes prime;
    if (algorithm.enter(der::sequence, parameters) && parameters.next(der::integer, prime) &&
        der::is_integer(prime)) {
      bits = bit_length(der::magnitude_of(prime));
    }
  }
  return true;
}

std::uint16_t extended_key_usage_bit(Bytes oid) {
  if (is_oid(oid, "\x55\x1d\x25\x00")) return any_purpose;
  if (oid.size() == 8 && as_text(oid.first(7)) == "\x2b\x06\x01\x05\x05\x07\x03") {
    switch (oid[7]) {
      case 1:
        return server_auth;
      case 2:
        return client_auth;
      case 3:
        return code_signing;
      case 4:
        return email_protection;
      case 8:
        return time_stamping;
      case 9:
        return ocsp_signing;
      default:
        break;
    }
  }
  return other_purpose;
}

std::string_view name_of(KeyType type) {
  switch (type) {
    case KeyType::rsa:
      return "RSA";
    case KeyType::rsa_pss:
      return "RSA-PSS";
    case KeyType::ec:
      return "EC";
    case KeyType::ed25519:
      return "Ed25519";
    case KeyType::ed448:
      return "Ed448";
    case KeyType::dsa:
      return "DSA";
    case KeyType::other:
      break;
  }
  return "other";
}

std::string format_time(UnixSeconds seconds) {
  static constexpr char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  auto const time = std::chrono::sys_seconds{std::chrono::seconds{seconds}};
  auto const day = std::chrono::floor<std::chrono::days>(time);
  auto const date = std::chrono::year_month_day{day};
  auto const second = (time - day).count();
  char text[40];
  int const length = std::snprintf(
      text, sizeof text, "%s %2u %02d:%02d:%02d %d GMT", months[unsigned{date.month()} - 1],
      unsigned{date.day()}, static_cast<int>(second / 3600), static_cast<int>(second / 60 % 60),
      static_cast<int>(second % 60), int{date.year()});
  return {text, static_cast<std::size_t>(length)};
}

SubjectAltName Certificate::alt_name(std::size_t index) const {
  return {alt_names_[index].type, text(alt_names_[index].value)};
}

IssuerId Certificate::id_as_issuer() const {
  return {sha256({slice(subject_.der), slice(public_key_)})};
}

void Certificate::append_rfc9440(std::string& out) const {
  if (is_rfc9440_too_large()) return;
  out.push_back(':');
  append_base64(out, der());
  out.push_back(':');
}

std::size_t Certificate::memory_bytes() const {
  return sizeof *this + arena_size_ + alt_names_.capacity() * sizeof(AltNameSlice);
}

}  // namespace certgate::x509
