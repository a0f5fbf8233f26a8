// Known names behind a small perfect hash: length and three characters, worked out at compile
// time.
#include "certgate/http/field_name.hpp"

#include <array>

#include "certgate/base/encoding.hpp"

namespace certgate::http {
namespace {

constexpr std::array<std::string_view, field_name_count> names{
    "",
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Expect",
    "Upgrade",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Authentication-Info",
    "HTTP2-Settings",
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
    "X-Forwarded-Server",
    "X-Real-IP",
    "X-Request-Id",
    "Early-Data",
    "Client-Cert",
    "Client-Cert-Chain",
    "X-Forwarded-Client-Cert",
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Cache-Control",
    "Content-Encoding",
    "Content-Type",
    "Cookie",
    "Date",
    "ETag",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Last-Modified",
    "Location",
    "Max-Forwards",
    "Origin",
    "Pragma",
    "Range",
    "Referer",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Version",
    "Server",
    "Set-Cookie",
    "User-Agent",
};

constexpr std::size_t table_size = 512;

// Any bytes give some slot; what is in the slot is then compared.
constexpr std::size_t slot_of(std::string_view name, unsigned seed) {
  auto const lower = [](char c) { return static_cast<unsigned char>(c | 0x20); };
  std::uint32_t hash = static_cast<std::uint32_t>(name.size());
  hash = hash * 31 + lower(name.front());
  hash = hash * 131 + lower(name.back());
  hash = hash * 137 + lower(name[name.size() < 4 ? 0 : name.size() - 4]);
  hash *= 2 * seed + 1;
  hash ^= hash >> 15;
  hash *= 0x9E3779B1u;
  return hash >> 23;
}

struct Table {
  unsigned seed = 0;
  std::array<std::uint8_t, table_size> slots{};
};

constexpr Table make_table() {
  for (unsigned seed = 1; seed < 2000; ++seed) {
    Table table{seed, {}};
    bool collision = false;
    for (std::size_t i = 1; i < names.size() && !collision; ++i) {
      auto& slot = table.slots[slot_of(names[i], seed)];
      collision = slot != 0;
      slot = static_cast<std::uint8_t>(i);
    }
    if (!collision) return table;
  }
  return {};
}
constexpr Table table = make_table();
static_assert(table.seed != 0, "no seed separates the names: enlarge the table");

}  // namespace

FieldName field_name(std::string_view name) {
  if (name.empty()) return FieldName::other;
  auto const id = table.slots[slot_of(name, table.seed)];
  if (id == 0) return FieldName::other;
  // Mostly the usual spelling, and then no letter needs folding.
  if (names[id] != name && !ascii_iequal(names[id], name)) return FieldName::other;
  return static_cast<FieldName>(id);
}

std::string_view name_of(FieldName id) { return names[static_cast<std::size_t>(id)]; }

}  // namespace certgate::http
