// Heads for tests: text in, RequestHead or ResponseHead out, by the obvious way.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "certgate/http/message.hpp"

namespace certgate::http::testing {

// Owns what a head points to. The text is a whole head with CRLF line ends.
class HeadText {
 public:
  explicit HeadText(std::string text) : text_(std::move(text)) {
    std::string_view rest = text_;
    start_ = take_line(rest);
    while (!rest.empty()) {
      auto const line = take_line(rest);
      if (line.empty()) break;
      auto const colon = line.find(':');
      auto const name = line.substr(0, colon);
      fields_.push_back({name, trim(line.substr(colon + 1)), field_name(name)});
    }
  }
  HeadText(HeadText const&) = delete;
  HeadText& operator=(HeadText const&) = delete;

  RequestHead request() const {
    RequestHead head;
    auto const first = start_.find(' ');
    auto const second = start_.find(' ', first + 1);
    head.method = start_.substr(0, first);
    head.target = start_.substr(first + 1, second - first - 1);
    head.version = version(start_.substr(second + 1));
    head.fields = fields_;
    head.block = text_;
    return head;
  }
  ResponseHead response() const {
    ResponseHead head;
    head.version = version(start_.substr(0, 8));
    head.status = std::stoi(std::string(start_.substr(9, 3)));
    head.reason = start_.size() > 13 ? start_.substr(13) : std::string_view{};
    head.fields = fields_;
    head.block = text_;
    return head;
  }

 private:
  static std::string_view take_line(std::string_view& rest) {
    auto const end = rest.find("\r\n");
    auto const line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    return line;
  }
  static Version version(std::string_view text) {
    if (text == "HTTP/1.0") return Version::http_1_0;
    return text == "HTTP/2" ? Version::http_2 : Version::http_1_1;
  }

  std::string text_;
  std::string_view start_;
  std::vector<Field> fields_;
};

}  // namespace certgate::http::testing
