// The reader against a slow reading of RFC 9112's grammar on damaged heads.
#include "certgate/http1/reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "certgate/http/framing.hpp"
#include "certgate/http1/writer.hpp"

namespace certgate::http1 {
namespace {

struct SlowHead {
  std::string method, target, version;
  std::vector<std::pair<std::string, std::string>> fields;
};

bool is_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    auto const byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7F);
  });
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.erase(0, 1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.pop_back();
  return text;
}

// nullopt: incomplete or not allowed.
std::optional<SlowHead> read_slowly(std::string text) {
  auto const end = text.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  text.resize(end + 2);
  std::vector<std::string> lines;
  while (!text.empty()) {
    auto const at = text.find("\r\n");
    lines.push_back(text.substr(0, at));
    text.erase(0, at + 2);
  }
  SlowHead head;
  auto const& start = lines.front();
  auto const first = start.find(' ');
  auto const second = start.find(' ', first == std::string::npos ? first : first + 1);
  if (second == std::string::npos) return std::nullopt;
  head.method = start.substr(0, first);
  head.target = start.substr(first + 1, second - first - 1);
  head.version = start.substr(second + 1);
  if (!http::is_token(head.method) || head.target.empty()) return std::nullopt;
  for (char const c : head.target) {
    auto const byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7F) return std::nullopt;
  }
  if (head.version != "HTTP/1.0" && head.version != "HTTP/1.1") return std::nullopt;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    auto const colon = lines[i].find(':');
    if (colon == std::string::npos) return std::nullopt;
    auto const name = lines[i].substr(0, colon);
    auto const value = trimmed(lines[i].substr(colon + 1));
    if (!http::is_token(name) || !is_text(lines[i].substr(colon + 1))) return std::nullopt;
    if (name.find('_') == std::string::npos) head.fields.emplace_back(name, value);
  }
  return head;
}

TEST(RequestReader, AgreesWithTheSlowReadingOnDamagedHeads) {
  std::mt19937 random(11);
  std::string const alphabet = "Aa0:_- \t\r\n\x7F\x01\xE9/?,;";
  std::string const sound =
      "GET /a?b=c HTTP/1.1\r\nHost: example.com\r\nAccept:*/*\r\nX-A: \t b \r\nX-Empty:\r\n"
      "Cookie: a=b; c=d\r\n\r\nbody";
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    auto text = sound;
    for (unsigned n = random() % 3; n != 0; --n) {
      auto const at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          text.erase(at, 1);
          break;
        default:
          text.insert(at, 1, alphabet[random() % alphabet.size()]);
      }
    }
    std::array<http::Field, 16> slots;
    RequestReader reader(slots);
    auto const fed = reader.feed(text);
    auto const slow = read_slowly(text);
    ASSERT_EQ(fed == Feed::complete, slow.has_value()) << text << reader.refusal().reason;
    if (!slow) continue;
    ++accepted;
    auto const& head = reader.head();
    EXPECT_EQ(head.method, slow->method);
    EXPECT_EQ(head.target, slow->target);
    EXPECT_EQ(http::format_version(head.version), slow->version);
    ASSERT_EQ(head.fields.size(), slow->fields.size()) << text;
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
      EXPECT_EQ(head.fields[i].name, slow->fields[i].first);
      EXPECT_EQ(head.fields[i].value, slow->fields[i].second);
      EXPECT_EQ(head.fields[i].id, http::field_name(slow->fields[i].first));
    }
  }
  EXPECT_GT(accepted, 5000);
}

TEST(StatusLine, IsTheRegisteredOne) {
  EXPECT_EQ(status_line(200), "HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(status_line(421), "HTTP/1.1 421 Misdirected Request\r\n");
  for (int const status : {-1, 0, 99, 299, 599, 600, 100000}) EXPECT_EQ(status_line(status), "");
}

TEST(InterimResponse, LosesHopByHopFieldsAndHasNoFraming) {
  std::array<http::Field, 8> slots;
  ResponseReader reader(slots);
  ASSERT_EQ(reader.feed("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nKeep-Alive: 5\r\n"
                        "Connection: x-b\r\nX-B: c\r\n\r\n"),
            Feed::complete);
  std::string out;
  append_interim_response(out, reader.head());
  EXPECT_EQ(out, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
}

}  // namespace
}  // namespace certgate::http1
