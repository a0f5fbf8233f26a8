// The head parser against Boost.Beast's, which is the slow and well-tried way to do the same.
#include "head_parser.hpp"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "certgate/http/framing.hpp"
#include "head_scan.hpp"

namespace certgate::http1 {
namespace {

namespace beast_http = boost::beast::http;
using BeastText = boost::beast::string_view;
using BeastError = boost::beast::error_code;

// What either parser made of a head, in words that can be compared.
struct Reading {
  std::string start;
  std::vector<std::pair<std::string, std::string>> fields;
  friend bool operator==(Reading const&, Reading const&) = default;
};

template <bool is_request>
class BeastParser final : public beast_http::basic_parser<is_request> {
 public:
  Reading reading;

 private:
  static std::string text(BeastText view) { return std::string(view.data(), view.size()); }
  void on_request_impl(beast_http::verb, BeastText method, BeastText target, int version,
                       BeastError&) override {
    reading.start = text(method) + " " + text(target) + " " + std::to_string(version);
  }
  void on_response_impl(int code, BeastText reason, int version, BeastError&) override {
    reading.start = std::to_string(version) + " " + std::to_string(code) + " " + text(reason);
  }
  void on_field_impl(beast_http::field, BeastText name, BeastText value, BeastError&) override {
    reading.fields.emplace_back(text(name), text(value));
  }
  void on_header_impl(BeastError&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, BeastError&) override {}
  std::size_t on_body_impl(BeastText, BeastError&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, BeastText, BeastError&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastText, BeastError&) override { return 0; }
  void on_finish_impl(BeastError&) override {}
};

template <bool is_request>
BeastError read_with_beast(std::string_view block, Reading& reading) {
  BeastParser<is_request> parser;
  parser.header_limit(static_cast<std::uint32_t>(block.size() + 1));
  parser.body_limit(boost::none);
  parser.skip(true);
  BeastError error;
  auto const used = parser.put(boost::asio::const_buffer(block.data(), block.size()), error);
  if (!error && (used != block.size() || !parser.is_header_done())) {
    error = beast_http::error::partial_message;
  }
  reading = parser.reading;
  return error;
}

// Beast also judges how fields that frame a body go together; here http::frame_*() does.
bool is_about_framing(BeastError const& error) {
  return error == beast_http::error::bad_content_length ||
         error == beast_http::error::multiple_content_length ||
         error == beast_http::error::bad_transfer_encoding;
}

std::string_view token_of(BeastError const& error) {
  using E = beast_http::error;
  if (error == E::bad_method) return "bad_method";
  if (error == E::bad_target) return "bad_target_character";
  if (error == E::bad_version) return "bad_version";
  if (error == E::bad_status) return "bad_status";
  if (error == E::bad_reason) return "bad_reason";
  if (error == E::bad_line_ending) return "bare_cr";
  if (error == E::bad_field) return "bad_field_name";
  if (error == E::bad_value) return "bad_field_value";
  return "";
}

int digits(http::Version version) { return version == http::Version::http_1_0 ? 10 : 11; }

Reading with_fields(std::string start, http::Fields fields) {
  Reading reading{std::move(start), {}};
  for (auto const& field : fields) {
    reading.fields.emplace_back(field.name, field.value);
    EXPECT_EQ(field.id, http::field_name(field.name));
  }
  return reading;
}

template <bool is_request>
Flaw read_with_ours(std::string_view block, Reading& reading, bool& frames) {
  std::array<http::Field, 32> slots;
  FieldLines lines{slots, Underscores::keep};
  if constexpr (is_request) {
    http::RequestHead head;
    auto const flaw = parse_request_head(block, head, lines);
    if (flaw != Flaw::none) return flaw;
    reading = with_fields(std::string(head.method) + " " + std::string(head.target) + " " +
                              std::to_string(digits(head.version)),
                          head.fields);
    frames = http::frame_request(head).has_value();
  } else {
    http::ResponseHead head;
    auto const flaw = parse_response_head(block, head, lines);
    if (flaw != Flaw::none) return flaw;
    reading = with_fields(std::to_string(digits(head.version)) + " " + std::to_string(head.status) +
                              " " + std::string(head.reason),
                          head.fields);
    frames = http::frame_response(head, "GET").has_value();
  }
  return Flaw::none;
}

// True when both accept. The text is copied to an allocation of its very size, so that a sanitizer
// sees any look beyond its end.
template <bool is_request>
bool agree(std::string_view text) {
  std::size_t scanned = 0, line = 0;
  if (scan_head(text, 1 << 16, scanned, line) != Scan::complete) return false;
  std::vector<char> const exact(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(scanned));
  std::string_view const block(exact.data(), exact.size());
  Reading theirs, ours;
  bool frames = false;
  auto const error = read_with_beast<is_request>(block, theirs);
  auto const flaw = read_with_ours<is_request>(block, ours, frames);
  if (is_about_framing(error)) {
    EXPECT_TRUE(flaw != Flaw::none || !frames) << block;
    return false;
  }
  EXPECT_EQ(flaw != Flaw::none, bool(error)) << block << error.message() << name_of(flaw);
  if (error && !token_of(error).empty()) {
    EXPECT_EQ(name_of(flaw), token_of(error)) << block;
  }
  if (!error && flaw == Flaw::none) {
    EXPECT_EQ(ours, theirs) << block;
  }
  return !error && flaw == Flaw::none;
}

std::string const request =
    "POST /a?b=%20c HTTP/1.1\r\nHost: example.com:8443\r\nConnection: close, x-y\r\nX_A: \t b\tc \r\n"
    "X-Empty:\r\nContent-Length: 10\r\nCookie: abcdefghijklmnopqrstuvwxyz; \xE9\r\n\r\n";
std::string const response =
    "HTTP/1.0 404 Not \xE9 Found\r\nServer: x\r\nProxy-Connection: keep-alive\r\nDate: Sun, 06 Nov "
    "1994 08:49:37 GMT\r\nContent-Length: 0\r\nSet-Cookie: a=b\r\n\r\n";

template <bool is_request>
void replace_every_byte(std::string const& sound) {
  ASSERT_TRUE(agree<is_request>(sound));
  int accepted = 0;
  for (std::size_t at = 0; at < sound.size(); ++at) {
    for (int byte = 0; byte < 256 && !::testing::Test::HasFailure(); ++byte) {
      auto text = sound;
      text[at] = static_cast<char>(byte);
      accepted += agree<is_request>(text) ? 1 : 0;
    }
  }
  EXPECT_GT(accepted, 10000);
}

TEST(HeadParser, ReadsRequestsAsBeastDoesWhateverByteIsReplaced) {
  replace_every_byte<true>(request);
}
TEST(HeadParser, ReadsResponsesAsBeastDoesWhateverByteIsReplaced) {
  replace_every_byte<false>(response);
}

template <bool is_request>
void damage(std::string const& sound) {
  std::mt19937 random(17);
  std::string const alphabet = "Aa09:_- \t\r\n\x7F\x01\x1F\x80\xFF/?,;\"=()HTTP.";
  for (int round = 0; round < 30000 && !::testing::Test::HasFailure(); ++round) {
    auto text = sound;
    for (unsigned n = 1 + random() % 4; n != 0; --n) {
      auto const at = random() % text.size();
      auto const byte = alphabet[random() % alphabet.size()];
      switch (random() % 4) {
        case 0: text[at] = byte; break;
        case 1: text.insert(at, 1 + random() % 9, byte); break;
        case 2: text.erase(at, 1 + random() % 9); break;
        default: text.insert(at, text.substr(random() % text.size(), random() % 40)); break;
      }
    }
    agree<is_request>(text);
  }
}

TEST(HeadParser, ReadsDamagedRequestsAsBeastDoes) { damage<true>(request); }
TEST(HeadParser, ReadsDamagedResponsesAsBeastDoes) { damage<false>(response); }

TEST(HeadParser, FindsAControlAtEveryPlaceOfAValue) {
  for (std::size_t length = 0; length < 40; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        if (byte == '\n') continue;  // the scan has ended the line there
        auto value = "x" + std::string(length, 'v') + "x";
        value[1 + at] = static_cast<char>(byte);
        std::array<http::Field, 2> slots;
        FieldLines lines{slots, Underscores::keep};
        http::RequestHead head;
        auto const flaw = parse_request_head("GET / HTTP/1.1\r\nA: " + value + "\r\n\r\n", head, lines);
        bool const control = (byte < 0x20 && byte != '\t') || byte == 0x7F;
        auto const expected = byte == '\r' ? Flaw::bare_cr
                                           : (control ? Flaw::bad_value : Flaw::none);
        ASSERT_EQ(flaw, expected) << length << " " << at << " " << byte;
      }
    }
  }
}

TEST(HeadParser, RefusesConnectionOptionsThatAreNoTokens) {
  auto const read = [](std::string const& value) {
    std::array<http::Field, 2> slots;
    FieldLines lines{slots, Underscores::keep};
    http::RequestHead head;
    return parse_request_head("GET / HTTP/1.1\r\nConnection: " + value + "\r\n\r\n", head, lines);
  };
  for (auto const* sound : {"close", "keep-alive , x", "", ",close,,"}) {
    EXPECT_EQ(read(sound), Flaw::none) << sound;
  }
  for (auto const* odd : {"close;x", "a b", "\"close\"", "close, x=y"}) {
    EXPECT_EQ(read(odd), Flaw::bad_value) << odd;
  }
}

}  // namespace
}  // namespace certgate::http1
