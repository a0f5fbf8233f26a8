// Keeps denied certificates in three tables, by what they are denied for.
#include "certgate/x509/deny_list.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "fingerprint_twins.hpp"

namespace certgate::x509 {
namespace {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};
using Table = std::unordered_multimap<std::string, std::size_t, TextHash, std::equal_to<>>;

// Hexadecimal digits without colons, spaces and a leading "0x"; nullopt when there is anything
// else.
std::optional<std::string> plain_hex(std::string_view text, HexCase hex_case) {
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  std::string digits;
  for (char const c : text) {
    if (c == ':' || c == ' ') continue;
    if (hex_digit(c) < 0) return std::nullopt;
    digits.push_back(hex_case == HexCase::upper ? ascii_upper(c) : ascii_lower(c));
  }
  return digits;
}

// The form of Certificate::serial(): upper case, an even number of digits, no leading zero byte.
std::optional<std::string> canonical_serial(std::string_view text) {
  bool const negative = text.starts_with('-');
  auto digits = plain_hex(text.substr(negative ? 1 : 0), HexCase::upper);
  if (!digits || digits->empty()) return std::nullopt;
  digits->erase(0, std::min(digits->find_first_not_of('0'), digits->size()));
  if (digits->empty()) return "00";
  if (digits->size() % 2 != 0) digits->insert(0, 1, '0');
  if (negative) digits->insert(0, 1, '-');
  return digits;
}

bool is_issuer(Certificate const& certificate, std::string_view dn) {
  return certificate.issuer_dn() == dn || certificate.issuer_dn_rfc2253() == dn ||
         certificate.issuer_dn_legacy() == dn;
}

class HashedDenyList final : public DenyList {
 public:
  Result<void> fill(std::vector<DenyEntry> entries) {
    entries_ = std::move(entries);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      DenyEntry& entry = entries_[i];
      std::string const name = "deny entry " + std::to_string(i + 1);
      int const criteria =
          !entry.serial.empty() + !entry.fingerprint.empty() + !entry.subject.empty();
      if (criteria != 1) {
        return fail(ErrorCode::invalid,
                    name + " must have exactly one of serial, fingerprint and subject");
      }
      if (!entry.issuer.empty() && entry.serial.empty()) {
        return fail(ErrorCode::invalid, name + " has an issuer without a serial");
      }
      if (!entry.serial.empty()) {
        auto serial = canonical_serial(entry.serial);
        if (!serial) return fail(ErrorCode::invalid, name + ": the serial is not hexadecimal");
        entry.serial = *std::move(serial);
        by_serial_.emplace(entry.serial, i);
      } else if (!entry.fingerprint.empty()) {
        auto digits = plain_hex(entry.fingerprint, HexCase::lower);
        if (!digits || digits->size() != 64) {
          return fail(ErrorCode::invalid,
                      name + ": the fingerprint is not SHA-256 (64 hexadecimal digits)");
        }
        entry.fingerprint = *std::move(digits);
        by_fingerprint_.emplace(entry.fingerprint, i);
      } else {
        by_subject_.emplace(entry.subject, i);
      }
    }
    return {};
  }

  DenyEntry const* find(Certificate const& certificate, UnixSeconds now) const noexcept override {
    if (entries_.empty()) return nullptr;
    if (auto const* entry = find_by_fingerprint(certificate, now)) return entry;
    auto const [first, last] = by_serial_.equal_range(certificate.serial());
    for (auto at = first; at != last; ++at) {
      DenyEntry const& entry = entries_[at->second];
      if (now < entry.expires && (entry.issuer.empty() || is_issuer(certificate, entry.issuer))) {
        return &entry;
      }
    }
    for (std::string_view const dn : {certificate.subject_dn(), certificate.subject_dn_rfc2253(),
                                      certificate.subject_dn_legacy()}) {
      if (auto const* entry = find_in(by_subject_, dn, now)) return entry;
    }
    return nullptr;
  }

  UnixSeconds holds_until(UnixSeconds now) const noexcept override {
    UnixSeconds until = never_expires;
    for (DenyEntry const& entry : entries_) {
      if (entry.expires > now && entry.expires != never_expires) {
        until = std::min(until, entry.expires - 1);
      }
    }
    return until;
  }

  std::vector<DenyEntry> const& entries() const override { return entries_; }

 private:
  // Whichever of its fingerprints it comes with.
  DenyEntry const* find_by_fingerprint(Certificate const& certificate,
                                       UnixSeconds now) const noexcept {
    if (by_fingerprint_.empty()) return nullptr;
    if (auto const* entry = find_in(by_fingerprint_, certificate.fingerprint_sha256(), now)) {
      return entry;
    }
    FingerprintTwins const twins(certificate.der());
    for (auto const& twin : twins.all()) {
      std::array<char, 64> text;
      constexpr std::string_view digits = "0123456789abcdef";
      for (std::size_t i = 0; i < twin.bytes.size(); ++i) {
        text[2 * i] = digits[twin.bytes[i] >> 4];
        text[2 * i + 1] = digits[twin.bytes[i] & 15];
      }
      if (auto const* entry = find_in(by_fingerprint_, {text.data(), text.size()}, now)) return entry;
    }
    return nullptr;
  }

  DenyEntry const* find_in(Table const& table, std::string_view key,
                           UnixSeconds now) const noexcept {
    auto const [first, last] = table.equal_range(key);
    for (auto at = first; at != last; ++at) {
      if (now < entries_[at->second].expires) return &entries_[at->second];
    }
    return nullptr;
  }

  std::vector<DenyEntry> entries_;
  Table by_serial_, by_fingerprint_, by_subject_;
};

}  // namespace

Result<DenyList::Pointer> DenyList::build(std::vector<DenyEntry> entries) {
  auto list = std::make_shared<HashedDenyList>();
  if (auto filled = list->fill(std::move(entries)); !filled) {
    return fail(std::move(filled).error());
  }
  return Pointer(std::move(list));
}

}  // namespace certgate::x509
