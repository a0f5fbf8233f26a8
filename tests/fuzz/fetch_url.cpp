// A URL, and after a line end where it redirects to: what is accepted can stand in a request line and
// a Host field, and means the same when it is read again.
#include "certgate/fetch/url.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

using certgate::fetch::Url;

namespace {

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

void expect_good(Url const& url) {
  if (url.host.empty() || url.port == 0 || !url.target.starts_with('/')) std::abort();
  if (!is_visible(url.host) || !is_visible(url.target)) std::abort();
  if (url.host.find_first_of("@/?#") != url.host.npos) std::abort();
  if (url.target.find('#') != url.target.npos) std::abort();
  auto const text = url.to_string();
  if (text.size() > certgate::fetch::max_url_bytes) return;  // a `/` was put in
  auto const again = Url::parse(text);
  if (!again || *again != url) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  auto const end = std::min(text.find('\n'), size);
  auto const url = Url::parse(text.substr(0, end));
  if (!url) return 0;
  expect_good(*url);
  auto const next = url->resolve(text.substr(std::min(end + 1, size)));
  if (next) expect_good(*next);
  return 0;
}
