// Any bytes as the file of a kept list: refused, or taken apart so that the same file comes of it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "kept_list.hpp"

using namespace certgate;

namespace {

bool is_one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    auto const byte = static_cast<unsigned char>(c);
    return byte < ' ' || byte == 0x7F;
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const kept = gateway::parse_kept_list({reinterpret_cast<char const*>(data), size});
  if (!kept) return 0;
  if (kept->bytes.size() > size) std::abort();
  // These go into the next request.
  auto const& known = kept->validators;
  if (!is_one_line(known.etag) || !is_one_line(known.last_modified)) std::abort();
  gateway::CrlUrl url;
  auto parsed = fetch::Url::parse(kept->url);
  if (!parsed) return 0;
  url.url = *parsed;
  gateway::FetchedList list;
  list.validators = known;
  list.fetched_at = kept->fetched_at;
  auto const again = gateway::parse_kept_list(gateway::format_kept_list(url, list, kept->bytes));
  if (!again || again->url != url.text() || again->bytes != kept->bytes) std::abort();
  if (again->validators.etag != known.etag || again->fetched_at != kept->fetched_at) std::abort();
  return 0;
}
