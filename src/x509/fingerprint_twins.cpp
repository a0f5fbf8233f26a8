#include "fingerprint_twins.hpp"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/objects.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "der.hpp"
#include "openssl_handles.hpp"

namespace certgate::x509 {
namespace {

constexpr std::size_t max_number_bytes = 66;  // of P-521
// A number is seldom shorter than its curve's order, and never by as much as the next smaller curve.
constexpr std::size_t max_missing_bytes = 3;

// Big-endian, with as many bytes as the order has.
using Order = std::vector<std::uint8_t>;

// Of every curve that a key in a verified path can have.
std::vector<Order> make_orders() {
  std::vector<Order> orders;
  for (int const curve : {NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1, NID_secp224r1,
                          NID_secp256k1, NID_brainpoolP256r1, NID_brainpoolP384r1,
                          NID_brainpoolP512r1}) {
    KeepErrorQueue const keep;
    std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>> const group(EC_GROUP_new_by_curve_name(curve));
    if (!group) continue;  // this OpenSSL was built without it, and verifies nothing with it
    auto const* const order = EC_GROUP_get0_order(group.get());
    Order bytes(static_cast<std::size_t>(BN_num_bytes(order)));
    BN_bn2bin(order, bytes.data());
    orders.push_back(std::move(bytes));
  }
  return orders;
}

std::vector<Order> const& orders() {
  static auto const made = make_orders();
  return made;
}

// One element of DER that is built from its end to its beginning.
class BackwardsDer {
 public:
  std::size_t size() const { return bytes_.size() - begin_; }
  Bytes text() const { return Bytes(bytes_).subspan(begin_); }

  void put(Bytes bytes) {
    begin_ -= bytes.size();
    std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_));
  }
  void put(std::uint8_t byte) { bytes_[--begin_] = byte; }
  // The tag and the length of what is `length` bytes long.
  void wrap(std::uint8_t tag, std::size_t length) {
    std::uint8_t count = 0;
    for (auto rest = length; length >= 0x80 && rest != 0; rest >>= 8, ++count) {
      put(static_cast<std::uint8_t>(rest & 0xFF));
    }
    put(count == 0 ? static_cast<std::uint8_t>(length) : static_cast<std::uint8_t>(0x80 | count));
    put(tag);
  }

 private:
  std::array<std::uint8_t, 2 * max_number_bytes + 32> bytes_{};
  std::size_t begin_ = bytes_.size();
};

// n - s, without leading zeros. False: the number cannot be of this curve.
bool subtract(Order const& order, Bytes s, std::array<std::uint8_t, max_number_bytes>& out,
              Bytes& difference) {
  if (s.size() > order.size() || order.size() > out.size()) return false;
  int borrow = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    auto const at = order.size() - 1 - i;
    int const taken = i < s.size() ? s[s.size() - 1 - i] : 0;
    int const left = int{order[at]} - taken - borrow;
    borrow = left < 0 ? 1 : 0;
    out[at] = static_cast<std::uint8_t>(left & 0xFF);
  }
  if (borrow != 0) return false;
  difference = Bytes(out).first(order.size());
  while (!difference.empty() && difference[0] == 0) difference = difference.subspan(1);
  return !difference.empty();
}

struct Parts {
  der::Element tbs, algorithm, r;
  Bytes s;
};

// False for what has no ECDSA signature.
bool take_apart(Bytes certificate, Parts& parts) {
  der::Reader outer(certificate), signed_whole, algorithm, signature;
  Bytes oid, bits, r, s;
  constexpr std::string_view ecdsa = "\x2a\x86\x48\xce\x3d\x04";  // ecdsa-with-SHA256 and its kin
  if (!outer.enter(der::sequence, signed_whole) || !signed_whole.next(der::sequence, parts.tbs) ||
      !signed_whole.next(der::sequence, parts.algorithm) ||
      !signed_whole.next(der::bit_string, bits) || bits.empty()) {
    return false;
  }
  algorithm = der::Reader(parts.algorithm.content);
  if (!algorithm.next(der::object_identifier, oid) || !as_text(oid).starts_with(ecdsa)) return false;
  der::Reader outside(bits.subspan(1));
  if (!outside.enter(der::sequence, signature) || !signature.next(der::integer, parts.r) ||
      !signature.next(der::integer, s) || !der::is_integer(s) || s[0] >= 0x80) {
    return false;
  }
  parts.s = der::magnitude_of(s);
  return parts.r.whole.size() <= max_number_bytes + 3;
}

Digest digest_with(Parts const& parts, Bytes other_s) {
  BackwardsDer end;
  end.put(other_s);
  bool const looks_negative = other_s[0] >= 0x80;
  if (looks_negative) end.put(0);
  end.wrap(der::integer, other_s.size() + (looks_negative ? 1 : 0));
  end.put(parts.r.whole);
  end.wrap(der::sequence, end.size());
  end.put(0);  // no unused bits
  end.wrap(der::bit_string, end.size());
  BackwardsDer begin;
  begin.wrap(der::sequence, parts.tbs.whole.size() + parts.algorithm.whole.size() + end.size());
  return sha256({begin.text(), parts.tbs.whole, parts.algorithm.whole, end.text()});
}

}  // namespace

FingerprintTwins::FingerprintTwins(Bytes certificate_der) noexcept {
  Parts parts;
  if (!take_apart(certificate_der, parts)) return;
  auto const larger = std::max(parts.s.size(), parts.r.content.size());
  for (auto const& order : orders()) {
    if (count_ == twins_.size()) return;
    if (larger + max_missing_bytes < order.size()) continue;
    std::array<std::uint8_t, max_number_bytes> room;
    Bytes difference;
    if (subtract(order, parts.s, room, difference)) twins_[count_++] = digest_with(parts, difference);
  }
}

}  // namespace certgate::x509
