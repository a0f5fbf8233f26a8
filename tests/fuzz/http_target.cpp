// A target that is accepted stays the same when it is normalised again, hides no dot segment, and
// does not contain what cannot stand in a request line.
#include "certgate/http/target.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

#include "certgate/base/host_name.hpp"

using namespace certgate;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string const text(reinterpret_cast<char const*>(data), size);
  for (auto const type : {http::Normalisation::rfc3986, http::Normalisation::cloudflare}) {
    std::string scratch(http::target_scratch_bytes(size), '\0');
    auto const target = http::parse_target("GET", text, type, scratch);
    if (!target) continue;
    if (!target->path.starts_with('/')) std::abort();
    if ((std::string(target->path) + "/").find("/../") != std::string::npos) std::abort();
    for (char const c : target->origin_form) {
      auto const byte = static_cast<unsigned char>(c);
      if (byte <= 0x20 || byte >= 0x7F || c == '#') std::abort();
    }
    std::string more(http::target_scratch_bytes(target->origin_form.size()), '\0');
    auto const again = http::parse_target("GET", target->origin_form, type, more);
    if (!again || again->origin_form != target->origin_form) std::abort();
  }
  HostBuffer buffer;
  HostBuffer again_buffer;
  if (auto const authority = parse_authority(text, buffer)) {
    auto const again = parse_authority(authority->host, again_buffer);
    if (!again || again->host != authority->host || again->kind != authority->kind) std::abort();
  }
  return 0;
}
