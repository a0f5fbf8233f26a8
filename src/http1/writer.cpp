// Status lines are made once, at the first use.
#include "certgate/http1/writer.hpp"

#include <array>

#include "certgate/http/forward.hpp"

namespace certgate::http1 {
namespace {

std::array<std::string, 600> make_status_lines() {
  std::array<std::string, 600> lines;
  for (int status = 100; status < 600; ++status) {
    auto const phrase = http::reason_phrase(status);
    if (phrase.empty()) continue;
    auto& line = lines[static_cast<std::size_t>(status)];
    line = "HTTP/1.1 " + std::to_string(status) + " ";
    line += phrase;
    line += "\r\n";
  }
  return lines;
}

}  // namespace

std::string_view status_line(int status) {
  static auto const lines = make_status_lines();
  if (status < 100 || status > 599) return {};
  return lines[static_cast<std::size_t>(status)];
}

void append_interim_response(std::string& out, http::ResponseHead const& head) {
  http::append_response_head(out, head, http::ResponseValues{});
}

}  // namespace certgate::http1
