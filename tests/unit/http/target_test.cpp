// The request-target: Cloudflare's table, the refusals, and a slow normaliser that must agree.
#include "certgate/http/target.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "certgate/base/encoding.hpp"

namespace certgate::http {
namespace {

struct Parsed {
  std::vector<char> scratch;
  Result<Target, Refusal> target;
};

Parsed parse(std::string_view text, Normalisation type, std::string_view method = "GET") {
  Parsed parsed{std::vector<char>(target_scratch_bytes(text.size())), fail(Refusal{})};
  parsed.target = parse_target(method, text, type, parsed.scratch);
  return parsed;
}

// The normalised origin-form, or the reason of the refusal in brackets.
std::string normal(std::string_view text, Normalisation type = Normalisation::rfc3986,
                   std::string_view method = "GET") {
  auto const parsed = parse(text, type, method);
  if (!parsed.target) return "[" + std::string(parsed.target.error().reason) + "]";
  return std::string(parsed.target->origin_form);
}

struct Row {
  std::string_view incoming, rfc3986, cloudflare;
};

TEST(Normalisation, IsThatOfCloudflaresTable) {
  Row const rows[] = {
      {"/%68ello", "/hello", "/hello"},
      {"/%68ello//pa\\th", "/hello//pa%5Cth", "/hello/pa/th"},
      {"/hello//../path", "/hello/path", "/path"},
      {"/hello/\\../path", "/hello/%5C../path", "/path"},
  };
  for (auto const& row : rows) {
    EXPECT_EQ(normal(row.incoming), row.rfc3986) << row.incoming;
    EXPECT_EQ(normal(row.incoming, Normalisation::cloudflare), row.cloudflare) << row.incoming;
  }
}

TEST(Normalisation, threat_54_the_corpus) {
  Row const rows[] = {
      // Separators and dot segments.
      {"//", "//", "/"},
      {"//admin", "//admin", "/admin"},
      {"/a//b", "/a//b", "/a/b"},
      {"/./a", "/a", "/a"},
      {"/../a", "/a", "/a"},
      {"/a/.", "/a/", "/a/"},
      {"/a/..", "/", "/"},
      {"/a/../b", "/b", "/b"},
      {"/a/b/../../c", "/c", "/c"},
      {"/a/./././b", "/a/b", "/a/b"},
      {"/a//..", "/a/", "/"},
      {"/..", "/", "/"},
      {"/.", "/", "/"},
      {"/...", "/...", "/..."},
      {"/a/..b", "/a/..b", "/a/..b"},
      {"/a/.b/c", "/a/.b/c", "/a/.b/c"},
      {"/a/%2e%2e/b", "/b", "/b"},
      {"/a/%2E./b", "/b", "/b"},
      {"/a/.%2e/b", "/b", "/b"},
      {"/%2e", "/", "/"},
      {"/a\\..\\b", "/a%5C..%5Cb", "/b"},
      {"/\\/a", "/%5C/a", "/a"},
      // Encoded separators stay what they are, unless they would hide a dot segment.
      {"/a%2fb", "/a%2Fb", "/a%2Fb"},
      {"/a%2Fb", "/a%2Fb", "/a%2Fb"},
      {"/a%5cb", "/a%5Cb", "/a%5Cb"},
      {"/a/..%2fadmin", "[hidden_dot_segment]", "[hidden_dot_segment]"},
      {"/a%2f..", "[hidden_dot_segment]", "[hidden_dot_segment]"},
      {"/a%2f..%2fadmin", "[hidden_dot_segment]", "[hidden_dot_segment]"},
      {"/a%2F%2e%2e%2Fadmin", "[hidden_dot_segment]", "[hidden_dot_segment]"},
      {"/%2F.", "[hidden_dot_segment]", "[hidden_dot_segment]"},
      {"/a/..%5cadmin", "/a/..%5Cadmin", "[hidden_dot_segment]"},
      {"/a%2f..b", "/a%2F..b", "/a%2F..b"},
      {"/a%2f%2fb", "/a%2F%2Fb", "/a%2F%2Fb"},
      // Parameters.
      {"/admin;x", "/admin;x", "/admin;x"},
      {"/admin;x=1/b;y", "/admin;x=1/b;y", "/admin;x=1/b;y"},
      {"/a/..;/admin", "[hidden_dot_segment]", "[hidden_dot_segment]"},
      {"/a/..;x=y/admin", "[hidden_dot_segment]", "[hidden_dot_segment]"},
      {"/a/.;/admin", "[hidden_dot_segment]", "[hidden_dot_segment]"},
      {"/a/%2e%2e;/admin", "[hidden_dot_segment]", "[hidden_dot_segment]"},
      {"/a/...;/b", "/a/...;/b", "/a/...;/b"},
      // NUL, fragments, malformed escapes.
      {"/a%00", "[nul_in_path]", "[nul_in_path]"},
      {"/a#b", "[bad_target_character]", "[bad_target_character]"},
      {"/%", "[bad_escape]", "[bad_escape]"},
      {"/%2", "[bad_escape]", "[bad_escape]"},
      {"/%zz", "[bad_escape]", "[bad_escape]"},
      {"/%2%65", "[bad_escape]", "[bad_escape]"},
      {"/%u0041", "[bad_escape]", "[bad_escape]"},
      {"/a b", "[bad_target_character]", "[bad_target_character]"},
      {"/\x7F", "[bad_target_character]", "[bad_target_character]"},
      {"/\xC3\xA9", "[bad_target_character]", "[bad_target_character]"},
      // Decoded once, never twice.
      {"/%252e%252e/a", "/%252e%252e/a", "/%252e%252e/a"},
      {"/%25%32%65", "/%252e", "/%252e"},
      {"/a%252fb", "/a%252fb", "/a%252fb"},
      // UTF-8: valid stays, overlong is refused.
      {"/%c3%a9", "/%C3%A9", "/%C3%A9"},
      {"/%e9", "/%E9", "/%E9"},
      {"/%c0%ae%c0%ae/", "[overlong_utf8]", "[overlong_utf8]"},
      {"/%C1%81", "[overlong_utf8]", "[overlong_utf8]"},
      {"/%e0%80%af", "[overlong_utf8]", "[overlong_utf8]"},
      {"/%f0%80%80%af", "[overlong_utf8]", "[overlong_utf8]"},
      {"/%e0%a0%80", "/%E0%A0%80", "/%E0%A0%80"},
      {"/%f0%90%80%80", "/%F0%90%80%80", "/%F0%90%80%80"},
      {"/%C0", "/%C0", "/%C0"},
      // Bytes that have no place in a URI; reserved ones have.
      {"/\"<>^`{|}", "/%22%3C%3E%5E%60%7B%7C%7D", "/%22%3C%3E%5E%60%7B%7C%7D"},
      {"/:@!$&'()*+,=[]-._~", "/:@!$&'()*+,=[]-._~", "/:@!$&'()*+,=[]-._~"},
      {"/%3a%40%21", "/%3A%40%21", "/%3A%40%21"},
      {"/%41%7a%30%2d%5f%7e", "/Az0-_~", "/Az0-_~"},
      {"/%0d%0a", "/%0D%0A", "/%0D%0A"},
  };
  for (auto const& row : rows) {
    EXPECT_EQ(normal(row.incoming), row.rfc3986) << row.incoming;
    EXPECT_EQ(normal(row.incoming, Normalisation::cloudflare), row.cloudflare) << row.incoming;
  }
}

TEST(Target, QueryIsForwardedAsReceived) {
  EXPECT_EQ(normal("/%61?b=%61/../c//d\\\"{}"), "/a?b=%61/../c//d\\\"{}");
  EXPECT_EQ(normal("/a?"), "/a?");
  EXPECT_EQ(normal("/a??x"), "/a??x");
  EXPECT_EQ(normal("/a?%00"), "/a?%00");
  EXPECT_EQ(normal("/a?%"), "[bad_escape]");
  EXPECT_EQ(normal("/a?b#c"), "[bad_target_character]");
  EXPECT_EQ(normal("/a?\x01"), "[bad_target_character]");
  EXPECT_EQ(normal("/a/..?b=/.."), "/?b=/..");
}

TEST(Target, HasRawAndNormalisedParts) {
  auto const parsed = parse("/a/../%62?q=%62", Normalisation::rfc3986);
  ASSERT_TRUE(parsed.target);
  auto const& target = *parsed.target;
  EXPECT_EQ(target.raw, "/a/../%62?q=%62");
  EXPECT_EQ(target.raw_path, "/a/../%62");
  EXPECT_EQ(target.raw_query, "q=%62");
  EXPECT_EQ(target.path, "/b");
  EXPECT_EQ(target.query, "q=%62");
  EXPECT_EQ(target.origin_form, "/b?q=%62");
  EXPECT_TRUE(target.has_query);
}

TEST(Target, ThatNeedsNothingIsNotCopied) {
  std::string_view const text = "/v1/devices/7.json?limit=10";
  auto const parsed = parse(text, Normalisation::cloudflare);
  ASSERT_TRUE(parsed.target);
  EXPECT_EQ(parsed.target->origin_form.data(), text.data());
  EXPECT_EQ(parsed.target->path.data(), text.data());
}

TEST(Target, FormsAreThoseOfRfc9112) {
  EXPECT_EQ(normal(""), "[empty_target]");
  EXPECT_EQ(normal("a"), "[bad_target_form]");
  EXPECT_EQ(normal("?a"), "[bad_target_form]");
  EXPECT_EQ(normal("\\a", Normalisation::cloudflare), "[bad_target_form]");
  EXPECT_EQ(normal("*"), "[asterisk_target]");
  EXPECT_EQ(normal("*", Normalisation::rfc3986, "OPTIONS"), "*");
  EXPECT_EQ(normal("**", Normalisation::rfc3986, "OPTIONS"), "[bad_target_form]");
  EXPECT_EQ(normal("a:443", Normalisation::rfc3986, "CONNECT"), "[connect_refused]");
  EXPECT_EQ(normal("a:443"), "[bad_target_form]");
  EXPECT_EQ(normal("ftp://a/"), "[bad_target_form]");
  EXPECT_EQ(normal("file:///a"), "[bad_target_form]");
  EXPECT_EQ(normal("http:/a"), "[bad_target_form]");
  EXPECT_EQ(normal("http://"), "[bad_authority]");
  EXPECT_EQ(normal("http:///a"), "[bad_authority]");
  EXPECT_EQ(normal("http://u:p@a/"), "[user_information]");
  EXPECT_EQ(normal("http://a#b"), "[bad_target_character]");
  EXPECT_EQ(normal("http://a\\b"), "[bad_target_character]");
  EXPECT_EQ(normal("http://a"), "/");
  EXPECT_EQ(normal("HTTPS://a/x/../y"), "/y");
  EXPECT_EQ(normal("http://a?b=c"), "/?b=c");
  auto const parsed = parse("https://API:443?b", Normalisation::rfc3986);
  ASSERT_TRUE(parsed.target);
  EXPECT_EQ(parsed.target->form, TargetForm::absolute);
  EXPECT_EQ(parsed.target->scheme, "https");
  EXPECT_EQ(parsed.target->authority, "API:443");
  EXPECT_EQ(parsed.target->raw, "/?b");
}

// The obvious way: lists of segments and new strings at every step.
std::string normal_slowly(std::string path, Normalisation type) {
  if (type == Normalisation::cloudflare) {
    std::replace(path.begin(), path.end(), '\\', '/');
    for (auto at = path.find("//"); at != std::string::npos; at = path.find("//")) {
      path.erase(at, 1);
    }
  }
  std::string decoded;
  for (std::size_t i = 0; i < path.size(); ++i) {
    char const c = path[i];
    if (c == '%') {
      std::string const escape = path.substr(i, 3);
      if (escape.size() < 3 || hex_digit(escape[1]) < 0 || hex_digit(escape[2]) < 0) return "[]";
      char const byte = static_cast<char>(hex_digit(escape[1]) * 16 + hex_digit(escape[2]));
      if (byte == 0) return "[]";
      // format_percent() leaves exactly the unreserved characters.
      decoded += format_percent(std::string(1, byte));
      i += 2;
    } else if (c <= ' ' || c == 0x7F || c == '#') {
      return "[]";
    } else if (std::string_view("\"<>\\^`{|}").find(c) != std::string_view::npos) {
      decoded += format_percent(std::string(1, c));
    } else {
      decoded += c;
    }
  }
  // RFC 3986 §5.2.4, letter by letter.
  std::string output;
  std::string input = decoded;
  while (!input.empty()) {
    if (input.starts_with("/./")) {
      input.erase(0, 2);
    } else if (input == "/.") {
      input = "/";
    } else if (input.starts_with("/../") || input == "/..") {
      input = input == "/.." ? "/" : input.substr(3);
      auto const at = output.rfind('/');
      output.erase(at == std::string::npos ? 0 : at);
    } else {
      auto const at = std::min(input.find('/', 1), input.size());
      output += input.substr(0, at);
      input.erase(0, at);
    }
  }
  // Hidden dot segments.
  std::string seen = output;
  auto const replace_all = [&seen](std::string_view what) {
    for (auto at = seen.find(what); at != std::string::npos; at = seen.find(what)) {
      seen.replace(at, what.size(), "/");
    }
  };
  replace_all("%2F");
  if (type == Normalisation::cloudflare) replace_all("%5C");
  seen += '/';
  for (std::size_t begin = 1; begin < seen.size();) {
    auto const end = seen.find('/', begin);
    auto segment = seen.substr(begin, end - begin);
    segment.erase(std::min(segment.find(';'), segment.size()));
    if (segment == "." || segment == "..") return "[]";
    begin = end + 1;
  }
  return output;
}

TEST(Normalisation, AgreesWithTheSlowWayAndIsIdempotent) {
  std::mt19937 random(5);
  char const* const pieces[] = {"/",   "/",  "/",   ".", "..", "%2e", "%2F",  "%2f", "%5C",
                                "\\",  "a",  "b",   ";", ";x", "%41", "%c3",  "%A9", "{",
                                "%25", "2e", "%00", "%", "//", "/./", "/../", "~"};
  int normalised = 0;
  for (int round = 0; round < 60000; ++round) {
    std::string path = "/";
    for (unsigned n = random() % 9; n != 0; --n) path += pieces[random() % std::size(pieces)];
    for (auto const type : {Normalisation::rfc3986, Normalisation::cloudflare}) {
      auto fast = normal(path, type);
      // Chance puts no overlong sequence together: %c3 begins none.
      if (fast.starts_with('[')) fast = "[]";
      ASSERT_EQ(fast, normal_slowly(path, type)) << path;
      if (fast == "[]") continue;
      ++normalised;
      ASSERT_EQ(normal(fast, type), fast) << path;
      std::vector<char> scratch(3 * path.size());
      ASSERT_EQ(normalise_path(path, type, scratch), fast) << path;
    }
  }
  EXPECT_GT(normalised, 10000);
}

TEST(PathExtension, IsThatOfTheFieldTable) {
  Row const rows[] = {{"/foo", "", ""},
                      {"/foo.mp3", "mp3", ""},
                      {"/.mp3", "", ""},
                      {"/.foo.mp3", "mp3", ""},
                      {"/foo.", "", ""},
                      {"/foo.tar.bz2", "bz2", ""},
                      {"/foo.MP3", "MP3", ""},
                      {"/a.b/c", "", ""},
                      {"/", "", ""},
                      {"/a.b/.c", "", ""},
                      {"", "", ""}};
  for (auto const& row : rows) EXPECT_EQ(path_extension(row.incoming), row.rfc3986) << row.incoming;
}

TEST(PathPrefix, threat_56_ends_at_a_segment_boundary) {
  EXPECT_TRUE(path_has_prefix("/v1", "/v1"));
  EXPECT_TRUE(path_has_prefix("/v1/x", "/v1"));
  EXPECT_FALSE(path_has_prefix("/v10", "/v1"));
  EXPECT_FALSE(path_has_prefix("/v", "/v1"));
  EXPECT_TRUE(path_has_prefix("/v1/x", "/v1/"));
  EXPECT_FALSE(path_has_prefix("/v1", "/v1/"));
  EXPECT_TRUE(path_has_prefix("/anything", "/"));
  EXPECT_FALSE(path_has_prefix("/V1", "/v1"));
}

template <class Reader>
std::string all_of(std::string_view text) {
  Reader reader(text);
  std::string out;
  while (auto const item = reader.next()) {
    out += "[" + std::string(item->name) + "=" + std::string(item->value) + "]";
  }
  return out;
}

TEST(Arguments, AreInOrderAndUndecoded) {
  EXPECT_EQ(all_of<ArgumentReader>("a=1&b&a=%32&=x&c=&d=e=f&&"), "[a=1][b=][a=%32][=x][c=][d=e=f]");
  EXPECT_EQ(all_of<ArgumentReader>(""), "");
}

TEST(Cookies, AreTrimmedAndUndecoded) {
  EXPECT_EQ(all_of<CookieReader>("a=1; b=%20;c ; ;d=\"x=y\";"), "[a=1][b=%20][c=][d=\"x=y\"]");
}

}  // namespace
}  // namespace certgate::http
