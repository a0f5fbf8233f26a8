// Reads a certificate's DER into facts: one walk, one allocation for all texts.
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>

#include "certgate/base/ip.hpp"
#include "certgate/x509/certificate.hpp"
#include "certificate_parts.hpp"
#include "der.hpp"
#include "name_text.hpp"
#include "object_names.hpp"

namespace certgate::x509 {

// Fills a Certificate. Slices of the DER are offsets into it; texts are gathered in a scratch
// string and moved behind the DER at the end, when the size of both is known.
class CertificateReader {
 public:
  static Result<Certificate::Pointer> read(Bytes der) {
    if (der.size() > max_certificate_bytes) {
      return fail(ErrorCode::exhausted, "the certificate is larger than 64 KiB");
    }
    auto certificate = std::make_shared<Certificate>(Certificate::Private{});
    CertificateReader reader(*certificate, der);
    char const* const wrong = reader.read_all();
    if (wrong != nullptr) {
      return fail(ErrorCode::invalid, std::string("not a certificate: ") + wrong);
    }
    return Certificate::Pointer(std::move(certificate));
  }

 private:
  using Slice = Certificate::Slice;

  CertificateReader(Certificate& certificate, Bytes der)
      : out_(certificate), der_(der), texts_(scratch()) {
    texts_.clear();
  }

  static std::string& scratch() {
    thread_local std::string texts;
    return texts;
  }

  Slice of_der(Bytes part) const {
    return {static_cast<std::uint32_t>(part.data() - der_.data()),
            static_cast<std::uint32_t>(part.size())};
  }
  Slice since(std::size_t start) const {
    return {static_cast<std::uint32_t>(der_.size() + start),
            static_cast<std::uint32_t>(texts_.size() - start)};
  }
  Slice text(std::string_view value) {
    std::size_t const start = texts_.size();
    texts_.append(value);
    return since(start);
  }
  Slice hex(Bytes value, HexCase hex_case) {
    std::size_t const start = texts_.size();
    append_hex(texts_, value, hex_case);
    return since(start);
  }

  // Null, or what is wrong.
  char const* read_all() {
    der::Reader outer(der_), certificate, tbs, validity;
    der::Element tbs_whole, issuer, subject, public_key, not_before, not_after;
    Bytes version, serial, signature;
    der::Reader signature_algorithm, inner_algorithm;
    if (!outer.enter(der::sequence, certificate)) return "it is not DER";
    if (!outer.empty()) return "there are bytes after its end";
    if (!certificate.enter(der::sequence, tbs) ||
        !certificate.enter(der::sequence, signature_algorithm) ||
        !certificate.next(der::bit_string, signature) || !certificate.empty()) {
      return "it is not a signed structure";
    }
    if (tbs.peek() == der::context_constructed(0)) {
      der::Reader inside;
      if (!tbs.enter(der::context_constructed(0), inside) || !inside.next(der::integer, version) ||
          !inside.empty() || version.size() != 1 || version[0] > 2) {
        return "its version is not known";
      }
    }
    if (!tbs.next(der::integer, serial) || !der::is_integer(serial)) {
      return "its serial number is broken";
    }
    if (serial.size() > max_certificate_serial_bytes + 1) return "its serial number is too long";
    if (!tbs.enter(der::sequence, inner_algorithm)) return "its signature algorithm is broken";
    if (!tbs.next(der::sequence, issuer)) return "its issuer is broken";
    if (!tbs.enter(der::sequence, validity) || !validity.next(not_before) ||
        !validity.next(not_after) || !validity.empty()) {
      return "its validity is broken";
    }
    if (!tbs.next(der::sequence, subject)) return "its subject is broken";
    if (!tbs.next(der::sequence, public_key)) return "its public key is broken";

    read_serial(serial);
    if (!read_validity(not_before, not_after)) return "its validity is broken";
    if (!read_name(issuer.whole, out_.issuer_)) return "its issuer is broken";
    if (!read_name(subject.whole, out_.subject_)) return "its subject is broken";
    out_.self_issued_ = as_text(issuer.whole) == as_text(subject.whole);
    out_.common_name_ = text(common_name_);  // read_name(subject) came last
    Bytes algorithm;
    if (!signature_algorithm.next(der::object_identifier, algorithm)) {
      return "its signature algorithm is broken";
    }
    out_.signature_algorithm_ = text(algorithm_name(algorithm));
    out_.public_key_ = of_der(public_key.whole);
    if (!read_public_key(public_key.content, out_.key_type_, out_.key_bits_)) {
      return "its public key is broken";
    }
    der::Element ignored;
    if (tbs.peek() == der::context(1)) tbs.next(ignored);
    if (tbs.peek() == der::context(2)) tbs.next(ignored);
    if (!tbs.empty()) {
      der::Reader explicit_tag, extensions;
      if (!tbs.enter(der::context_constructed(3), explicit_tag) || !tbs.empty() ||
          !explicit_tag.enter(der::sequence, extensions) || !explicit_tag.empty()) {
        return "its extensions are broken";
      }
      while (!extensions.empty()) {
        if (!read_extension(extensions)) return "an extension is broken";
      }
    }
    finish();
    return nullptr;
  }

  void read_serial(Bytes content) {
    out_.serial_negative_ = content[0] >= 0x80;
    std::size_t const start = texts_.size();
    if (!out_.serial_negative_) {
      Bytes const magnitude = der::magnitude_of(content);
      out_.serial_ = of_der(magnitude);
      append_hex(texts_, content.size() == 1 && content[0] == 0 ? content : magnitude,
                 HexCase::upper);
      out_.serial_text_ = since(start);
      return;
    }
    out_.serial_ = of_der(content);
    texts_.push_back('-');
    append_hex(texts_, as_bytes(negated(content)), HexCase::upper);
    out_.serial_text_ = since(start);
  }

  bool read_validity(der::Element const& not_before, der::Element const& not_after) {
    auto const from = der::parse_time(not_before.tag, not_before.content);
    auto const until = der::parse_time(not_after.tag, not_after.content);
    if (!from || !until) return false;
    out_.not_before_ = *from;
    out_.not_after_ = *until;
    out_.not_before_text_ = text(format_time(*from));
    out_.not_after_text_ = text(format_time(*until));
    return true;
  }

  bool read_name(Bytes name, Certificate::NameSlices& slices) {
    if (!parse_name(name, attributes_)) return false;
    slices.der = of_der(name);
    NameSigns const signs = inspect_name(attributes_);
    out_.control_characters_ |= signs.control_characters;
    out_.malformed_ |= signs.malformed;
    std::size_t start = texts_.size();
    append_name(texts_, attributes_, NameForm::rfc4514);
    slices.rfc4514 = slices.rfc2253 = since(start);
    if (signs.beyond_ascii) {
      start = texts_.size();
      append_name(texts_, attributes_, NameForm::rfc2253);
      slices.rfc2253 = since(start);
    }
    start = texts_.size();
    append_name(texts_, attributes_, NameForm::legacy);
    slices.legacy = since(start);
    common_name_.clear();
    for (NameAttribute const& attribute : attributes_) {
      if (!is_oid(attribute.type, "\x55\x04\x03")) continue;
      common_name_.clear();
      append_plain_value(common_name_, attribute);
    }
    return true;
  }

  // False when the list itself is broken; a broken extension only marks the certificate.
  bool read_extension(der::Reader& extensions) {
    der::Reader extension;
    Bytes oid, critical, value;
    if (!extensions.enter(der::sequence, extension) ||
        !extension.next(der::object_identifier, oid)) {
      return false;
    }
    if (extension.peek() == der::boolean) extension.next(der::boolean, critical);
    if (!extension.next(der::octet_string, value) || !extension.empty()) return false;
    if (oid.size() != 3 || oid[0] != 0x55 || oid[1] != 0x1D) return true;  // 2.5.29.x
    unsigned const number = oid[2];
    bool good = true;
    switch (number) {
      case 14:
        good = read_subject_key_id(value);
        break;
      case 15:
        good = read_key_usage(value);
        break;
      case 17:
        good = read_alt_names(value);
        break;
      case 19:
        good = read_basic_constraints(value);
        break;
      case 31:
        out_.crl_distribution_points_ = of_der(value);
        break;
      case 35:
        good = read_authority_key_id(value);
        break;
      case 37:
        good = read_extended_key_usage(value);
        break;
      case 46:
        out_.freshest_crl_ = of_der(value);
        break;
      default:
        return true;
    }
    // RFC 5280 §4.2: "A certificate MUST NOT include more than one instance of a particular
    // extension."
    if (!good || (seen_ >> number & 1) != 0) out_.malformed_ = true;
    seen_ |= std::uint64_t{1} << number;
    return true;
  }

  bool read_subject_key_id(Bytes value) {
    der::Reader reader(value);
    Bytes id;
    if (!reader.next(der::octet_string, id) || !reader.empty()) return false;
    out_.subject_key_id_ = hex(id, HexCase::upper);
    return true;
  }

  bool read_authority_key_id(Bytes value) {
    der::Reader outer(value), reader;
    if (!outer.enter(der::sequence, reader) || !outer.empty()) return false;
    for (der::Element element; !reader.empty();) {
      if (!reader.next(element)) return false;
      if (element.tag == der::context(0)) {
        out_.authority_key_id_ = hex(element.content, HexCase::upper);
      } else if (element.tag == der::context(2)) {
        if (!der::is_integer(element.content)) return false;
        if (element.content[0] >= 0x80) continue;
        Bytes const magnitude = der::magnitude_of(element.content);
        out_.authority_serial_ =
            hex(magnitude.empty() ? element.content : magnitude, HexCase::upper);
      }
    }
    return true;
  }

  bool read_key_usage(Bytes value) {
    der::Reader reader(value);
    Bytes bits;
    if (!reader.next(der::bit_string, bits) || !reader.empty() || bits.empty() || bits[0] > 7) {
      return false;
    }
    out_.has_key_usage_ = true;
    for (std::size_t bit = 0; bit < 9 && 1 + bit / 8 < bits.size(); ++bit) {
      if ((bits[1 + bit / 8] & 0x80 >> bit % 8) != 0) {
        out_.key_usage_ = static_cast<std::uint16_t>(out_.key_usage_ | 1U << bit);
      }
    }
    return true;
  }

  bool read_extended_key_usage(Bytes value) {
    der::Reader outer(value), reader;
    if (!outer.enter(der::sequence, reader) || !outer.empty()) return false;
    out_.has_extended_key_usage_ = true;
    for (Bytes oid; !reader.empty();) {
      if (!reader.next(der::object_identifier, oid)) return false;
      out_.extended_key_usage_ =
          static_cast<std::uint16_t>(out_.extended_key_usage_ | extended_key_usage_bit(oid));
    }
    return true;
  }

  bool read_basic_constraints(Bytes value) {
    der::Reader outer(value), reader;
    if (!outer.enter(der::sequence, reader) || !outer.empty()) return false;
    Bytes content;
    if (reader.next(der::boolean, content)) {
      auto const ca = der::parse_boolean(content);
      if (!ca) return false;
      out_.is_ca_ = *ca;
    }
    if (reader.next(der::integer, content)) {
      if (!der::is_integer(content) || content[0] >= 0x80) return false;
      std::int32_t length = 0;
      for (std::uint8_t const byte : content) {
        length = length > 0xFFFF ? 0xFFFFFF : length << 8 | byte;  // as good as no limit
      }
      out_.path_length_ = length;
    }
    return reader.empty();
  }

  bool read_alt_names(Bytes value) {
    der::Reader outer(value), reader;
    if (!outer.enter(der::sequence, reader) || !outer.empty()) return false;
    bool good = true;
    std::vector<Certificate::AltNameSlice>& names = out_.alt_names_;
    for (der::Element element; !reader.empty();) {
      if (!reader.next(element)) return false;
      SanType type;
      switch (element.tag) {
        case der::context(1):
          type = SanType::email;
          break;
        case der::context(2):
          type = SanType::dns;
          break;
        case der::context(6):
          type = SanType::uri;
          break;
        case der::context(7): {
          auto const address = address_of(element.content);
          good = good && address;
          if (address) names.push_back({SanType::ip, text(address->to_string())});
          continue;
        }
        default:
          out_.has_other_alt_names_ = true;
          continue;
      }
      for (std::uint8_t const byte : element.content) {
        if (byte < 0x20 || byte == 0x7F) out_.control_characters_ = true;
        if (byte > 0x7F) good = false;  // IA5String is ASCII
      }
      names.push_back({type, of_der(element.content)});
    }
    names.shrink_to_fit();
    return good;
  }

  static std::optional<IpAddress> address_of(Bytes content) {
    if (content.size() == 4) {
      std::array<std::uint8_t, 4> bytes;
      std::copy(content.begin(), content.end(), bytes.begin());
      return IpAddress::v4(bytes);
    }
    if (content.size() == 16) {
      std::array<std::uint8_t, 16> bytes;
      std::copy(content.begin(), content.end(), bytes.begin());
      return IpAddress::v6(bytes);
    }
    return std::nullopt;
  }

  void finish() {
    out_.fingerprint_ = sha256(der_);
    out_.fingerprint_sha256_ = hex(out_.fingerprint_.bytes, HexCase::lower);
    out_.fingerprint_sha1_ = hex(sha1(der_), HexCase::lower);
    out_.der_size_ = static_cast<std::uint32_t>(der_.size());
    out_.arena_size_ = static_cast<std::uint32_t>(der_.size() + texts_.size());
    out_.arena_ = std::make_unique_for_overwrite<char[]>(out_.arena_size_);
    std::memcpy(out_.arena_.get(), der_.data(), der_.size());
    std::memcpy(out_.arena_.get() + der_.size(), texts_.data(), texts_.size());
  }

  Certificate& out_;
  Bytes der_;
  std::string& texts_;
  std::string common_name_;
  std::vector<NameAttribute> attributes_;
  std::uint64_t seen_ = 0;
};

Result<Certificate::Pointer> Certificate::parse_der(Bytes der) {
  return CertificateReader::read(der);
}

Result<Certificate::Pointer> Certificate::parse_openssl(x509_st* certificate) {
  thread_local std::string der;
  int const size = certificate == nullptr ? 0 : i2d_X509(certificate, nullptr);
  if (size <= 0) return fail(ErrorCode::invalid, "OpenSSL cannot encode the certificate");
  der.resize(static_cast<std::size_t>(size));
  auto* at = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509(certificate, &at);
  return CertificateReader::read(as_bytes(der));
}

}  // namespace certgate::x509
