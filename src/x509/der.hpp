// Walks DER without copying: bounds-checked, definite lengths only, and only the shortest form.
//
// Everything this layer reads from a peer or a file goes through DerReader, so nothing else does
// pointer arithmetic on untrusted bytes. See: ITU-T X.690 §8.1 and §10.1.
#pragma once

#include <cstdint>
#include <optional>

#include "certgate/base/clock.hpp"
#include "certgate/base/encoding.hpp"

namespace certgate::x509::der {

inline constexpr std::uint8_t boolean = 0x01, integer = 0x02, bit_string = 0x03,
                              octet_string = 0x04, object_identifier = 0x06, enumerated = 0x0A,
                              utf8_string = 0x0C, utc_time = 0x17, generalized_time = 0x18,
                              sequence = 0x30, set = 0x31;
constexpr std::uint8_t context(unsigned number) { return static_cast<std::uint8_t>(0x80 | number); }
constexpr std::uint8_t context_constructed(unsigned number) {
  return static_cast<std::uint8_t>(0xA0 | number);
}

struct Element {
  std::uint8_t tag = 0;
  Bytes content;
  Bytes whole;  // tag and length included
};

class Reader {
 public:
  Reader() = default;
  explicit Reader(Bytes bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  Bytes rest() const { return rest_; }
  // 0 at the end; no element has tag 0 in what this layer reads.
  std::uint8_t peek() const { return rest_.empty() ? 0 : rest_[0]; }

  // False at the end and when what follows is not DER; nothing is consumed then.
  bool next(Element& element) {
    std::size_t header, length;
    if (!measure(header, length)) return false;
    element = {rest_[0], rest_.subspan(header, length), rest_.first(header + length)};
    rest_ = rest_.subspan(header + length);
    return true;
  }
  bool next(std::uint8_t tag, Element& element) { return peek() == tag && next(element); }
  bool next(std::uint8_t tag, Bytes& content) {
    std::size_t header, length;
    if (peek() != tag || !measure(header, length)) return false;
    content = rest_.subspan(header, length);
    rest_ = rest_.subspan(header + length);
    return true;
  }
  bool enter(std::uint8_t tag, Reader& inside) {
    Bytes content;
    if (!next(tag, content)) return false;
    inside = Reader(content);
    return true;
  }

 private:
  // How long tag and length are, and what follows; false when that is not there, or not DER.
  bool measure(std::size_t& header, std::size_t& length) const {
    if (rest_.size() < 2 || (rest_[0] & 0x1F) == 0x1F) return false;  // no many-byte tags in X.509
    header = 2;
    length = rest_[1];
    if (length >= 0x80 && !measure_long(header, length)) return false;
    return length <= rest_.size() - header;
  }
  // A list has millions of short elements and a handful of long ones.
  [[gnu::noinline]] bool measure_long(std::size_t& header, std::size_t& length) const {
    std::size_t const count = length & 0x7F;
    if (count == 0 || count > 4 || rest_.size() < 2 + count) return false;
    length = 0;
    for (std::size_t i = 0; i < count; ++i) length = length << 8 | rest_[2 + i];
    // X.690 §10.1: "the definite form of length encoding shall be used, encoded in the minimum
    // number of octets."
    if (length < 0x80 || (count > 1 && rest_[2] == 0)) return false;
    header += count;
    return true;
  }

  Bytes rest_;
};

// An INTEGER's content is at least one byte and has no superfluous first byte (X.690 §8.3.2).
inline bool is_integer(Bytes content) {
  if (content.empty()) return false;
  if (content.size() == 1) return true;
  return !((content[0] == 0x00 && content[1] < 0x80) || (content[0] == 0xFF && content[1] >= 0x80));
}
// REQUIRES: is_integer(content) and it is not negative. Big-endian without leading zeros.
inline Bytes magnitude_of(Bytes content) { return content[0] == 0 ? content.subspan(1) : content; }

// A BOOLEAN's content: DER knows 00 and FF only.
inline std::optional<bool> parse_boolean(Bytes content) {
  if (content.size() != 1 || (content[0] != 0 && content[0] != 0xFF)) return std::nullopt;
  return content[0] != 0;
}

// UTCTime `YYMMDDHHMMSSZ` or GeneralizedTime `YYYYMMDDHHMMSSZ` (RFC 5280 §4.1.2.5: Zulu, with
// seconds, without fractions).
std::optional<UnixSeconds> parse_time(std::uint8_t tag, Bytes content);
inline bool is_time(std::uint8_t tag) { return tag == utc_time || tag == generalized_time; }

}  // namespace certgate::x509::der
