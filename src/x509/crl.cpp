// Parses a revocation list by walking its DER twice: once to check every byte, then on demand.
#include "certgate/x509/crl.hpp"

#include <array>
#include <cstring>

#include "certificate_parts.hpp"
#include "crl_parts.hpp"
#include "der.hpp"
#include "object_names.hpp"

namespace certgate::x509 {
namespace {

struct ReasonName {
  RevocationReason reason;
  std::string_view name;
};
constexpr std::array reason_names{
    ReasonName{RevocationReason::unspecified, "unspecified"},
    ReasonName{RevocationReason::key_compromise, "keyCompromise"},
    ReasonName{RevocationReason::ca_compromise, "cACompromise"},
    ReasonName{RevocationReason::affiliation_changed, "affiliationChanged"},
    ReasonName{RevocationReason::superseded, "superseded"},
    ReasonName{RevocationReason::cessation_of_operation, "cessationOfOperation"},
    ReasonName{RevocationReason::certificate_hold, "certificateHold"},
    ReasonName{RevocationReason::remove_from_crl, "removeFromCRL"},
    ReasonName{RevocationReason::privilege_withdrawn, "privilegeWithdrawn"},
    ReasonName{RevocationReason::aa_compromise, "aACompromise"},
};

// A reason from the future is still a revocation.
RevocationReason reason_of(std::uint8_t code) {
  return code <= 10 && code != 7 ? static_cast<RevocationReason>(code)
                                 : RevocationReason::unspecified;
}

// The extensions of nearly every entry that has any: a reason code, not critical, and nothing else.
bool is_reason_alone(Bytes extensions) {
  constexpr std::array<std::uint8_t, 13> before{0x30, 0x0C, 0x30, 0x0A, 0x06, 0x03, 0x55,
                                                0x1D, 0x15, 0x04, 0x03, 0x0A, 0x01};
  return extensions.size() == before.size() + 1 &&
         std::memcmp(extensions.data(), before.data(), before.size()) == 0;
}

// REQUIRES: der::is_integer(content). A negative serial is kept as its two's complement: unique
// together with the sign.
void set_serial(CrlEntry& entry, Bytes content) {
  entry.negative = content[0] >= 0x80;
  entry.serial = entry.negative ? content : der::magnitude_of(content);
}

}  // namespace

// One extension of a list or an entry.
bool next_extension(der::Reader& list, CrlExtension& extension) {
  der::Reader inside;
  Bytes oid, content;
  extension = {};
  if (!list.enter(der::sequence, inside) || !inside.next(der::object_identifier, oid)) return false;
  if (inside.next(der::boolean, content)) {
    auto const critical = der::parse_boolean(content);
    if (!critical) return false;
    extension.critical = *critical;
  }
  if (!inside.next(der::octet_string, extension.value) || !inside.empty()) return false;
  extension.oid = oid;
  if (oid.size() == 3 && oid[0] == 0x55 && oid[1] == 0x1D) extension.number = oid[2];
  return true;
}

bool read_crl_entry(der::Reader& list, CrlEntry& entry, std::string* unusable) {
  der::Reader inside;
  Bytes serial;
  der::Element time;
  if (!list.enter(der::sequence, inside) || !inside.next(der::integer, serial) ||
      !der::is_integer(serial) || serial.size() > max_serial_bytes + 1 || !inside.next(time)) {
    return false;
  }
  auto const revoked_at = der::parse_time(time.tag, time.content);
  if (!revoked_at) return false;
  entry.revoked_at = *revoked_at;
  entry.reason = RevocationReason::unspecified;
  set_serial(entry, serial);
  if (inside.empty()) return true;
  if (is_reason_alone(inside.rest())) {
    entry.reason = reason_of(inside.rest().back());
    return true;
  }
  der::Reader extensions;
  if (!inside.enter(der::sequence, extensions) || !inside.empty()) return false;
  for (CrlExtension extension; !extensions.empty();) {
    if (!next_extension(extensions, extension)) return false;
    if (extension.number == 21) {
      der::Reader value(extension.value);
      Bytes reason;
      if (!value.next(der::enumerated, reason) || !value.empty() || reason.size() != 1) {
        return false;
      }
      entry.reason = reason_of(reason[0]);
    } else if (extension.number == 29) {
      if (unusable != nullptr) *unusable = "has entries of other issuers (an indirect CRL)";
    } else if (extension.critical && extension.number != 23 && extension.number != 24) {
      // RFC 5280 §5.3: "If a CRL contains a critical CRL entry extension that the application
      // cannot process, then the application MUST NOT use that CRL to determine the status of any
      // certificates."
      if (unusable != nullptr) {
        *unusable = "has an entry with a critical extension that is not understood (" +
                    format_oid(extension.oid) + ")";
      }
    }
  }
  return true;
}

std::string_view name_of(RevocationReason reason) {
  for (auto const& known : reason_names) {
    if (known.reason == reason) return known.name;
  }
  return "unspecified";
}

std::optional<RevocationReason> parse_revocation_reason(std::string_view name) {
  for (auto const& known : reason_names) {
    if (ascii_iequal(known.name, name)) return known.reason;
  }
  return std::nullopt;
}

bool Crl::Cursor::next_serial(CrlEntry& entry) {
  der::Reader reader(rest_), inside;
  Bytes serial;
  if (!reader.enter(der::sequence, inside) || !inside.next(der::integer, serial)) return false;
  set_serial(entry, serial);
  rest_ = reader.rest();
  return true;
}

bool Crl::Cursor::next(CrlEntry& entry) {
  der::Reader reader(rest_);
  if (reader.empty() || !read_crl_entry(reader, entry, nullptr)) return false;
  rest_ = reader.rest();
  return true;
}

}  // namespace certgate::x509
