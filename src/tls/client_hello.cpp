#include "client_hello.hpp"

#include <cstring>

#include "certgate/x509/digest.hpp"

namespace certgate::tls {
namespace {

// Reads big-endian lengths and what they announce; fails for good once anything is cut short.
class Reader {
 public:
  explicit Reader(Bytes bytes) : rest_(bytes) {}

  Bytes take(std::size_t size) {
    if (size > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    auto const taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  std::size_t number(std::size_t bytes) {
    std::size_t out = 0;
    for (auto const byte : take(bytes)) out = out << 8 | byte;
    return out;
  }
  Bytes vector(std::size_t length_bytes) { return take(number(length_bytes)); }
  bool empty() const { return rest_.empty(); }
  bool failed() const { return failed_; }

 private:
  Bytes rest_;
  bool failed_ = false;
};

}  // namespace

std::optional<std::string_view> parse_server_name(Bytes extension) {
  Reader outer(extension);
  Reader list(outer.vector(2));
  constexpr std::size_t host_name = 0;
  auto const type = list.number(1);
  auto const name = list.vector(2);
  // RFC 6066 §3: "The ServerNameList MUST NOT contain more than one name of the same name_type",
  // and no other type was ever defined.
  if (outer.failed() || list.failed() || !outer.empty() || !list.empty() || type != host_name ||
      name.empty()) {
    return std::nullopt;
  }
  return as_text(name);
}

std::unique_ptr<ClientHelloFacts> read_client_hello(Bytes message) {
  Reader reader(message);
  auto const type = reader.number(1);
  auto const length = reader.number(3);
  reader.take(2);  // legacy_version
  auto const random = reader.take(32);
  reader.vector(1);  // legacy_session_id
  auto const ciphers = reader.vector(2);
  reader.vector(1);  // legacy_compression_methods
  Reader extensions(reader.empty() ? Bytes{} : reader.vector(2));
  std::string big, little;
  while (!extensions.empty()) {
    auto const extension = extensions.take(2);
    extensions.vector(2);
    if (extensions.failed()) return nullptr;
    big += as_text(extension);
    little += {static_cast<char>(extension[1]), static_cast<char>(extension[0])};
  }
  if (reader.failed() || type != 1) return nullptr;
  auto facts = std::make_unique<ClientHelloFacts>();
  facts->length = static_cast<std::uint32_t>(length);
  std::memcpy(facts->random.data(), random.data(), random.size());
  facts->extensions_sha1 = x509::sha1(as_bytes(big));
  facts->extensions_sha1_le = x509::sha1(as_bytes(little));
  facts->ciphers_sha1 = x509::sha1(ciphers);
  return facts;
}

}  // namespace certgate::tls
