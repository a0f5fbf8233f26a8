// The fields of the request's body: forms, parts, media types, and what is refused.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "unit/policy/request_fixture.hpp"

namespace certgate::policy {
namespace {

constexpr char form_type[] = "application/x-www-form-urlencoded";
constexpr char parts_type[] = "multipart/form-data; boundary=b";

SampleText described(std::string body, std::string content_type) {
  SampleText text;
  text.method = "POST";
  text.url = "https://a.example/";
  text.body = std::move(body);
  if (!content_type.empty()) text.headers = {{"Content-Type", std::move(content_type)}};
  return text;
}

FillPlan plan_of_body_field(Field field) {
  rules::FieldSet fields;
  fields.insert(id_of(field));
  return FillPlan{fields};
}

std::string shown(Facts const& facts, Field field) {
  static Scratch scratch;
  if (!fill_values(facts, plan_of_body_field(field), scratch)) return "(refused)";
  auto const& value = scratch.values()[id_of(field)];
  EXPECT_TRUE(rules::has_type(value, field_table()[id_of(field)].type));
  if (value.kind() == rules::Kind::array || value.kind() == rules::Kind::map) {
    return rules::format_value(value, 100'000);
  }
  std::string text;
  rules::append_text(text, value);
  return text;
}

std::string shown(std::string body, std::string content_type, Field field) {
  auto const request = make_request(described(std::move(body), std::move(content_type)));
  return shown(request->facts(), field);
}

struct BodyCase {
  char const* name;
  std::string content_type;
  std::string body;
  Field field;
  std::string expected;
};
void PrintTo(BodyCase const& c, std::ostream* out) { *out << c.name; }

class BodyFields : public ::testing::TestWithParam<BodyCase> {};

TEST_P(BodyFields, value) {
  auto const& c = GetParam();
  EXPECT_EQ(shown(c.body, c.content_type, c.field), c.expected);
}

INSTANTIATE_TEST_SUITE_P(Plain, BodyFields,
                         ::testing::Values(BodyCase{"raw", "", "a b", Field::body_raw, "a b"},
                                           BodyCase{"size", "", "a b", Field::body_size, "3"},
                                           BodyCase{"whole", "", "a b", Field::body_truncated,
                                                    "false"},
                                           BodyCase{"empty", "", "", Field::body_size, "0"}),
                         [](auto const& c) { return std::string{c.param.name}; });

INSTANTIATE_TEST_SUITE_P(
    Form, BodyFields,
    ::testing::Values(
        BodyCase{"by_name", form_type, "a=1&B=%32&a=3&flag&x=&&=v", Field::body_form,
                 R"({"a": ["1" "3"], "B": ["%32"], "flag": [""], "x": [""], "": ["v"]})"},
        BodyCase{"names", form_type, "a=1&B=2&a=3", Field::body_form_names, R"(["a" "B" "a"])"},
        BodyCase{"values", form_type, "a=1&B=+2&a=3", Field::body_form_values, R"(["1" "+2" "3"])"},
        BodyCase{"with_charset", "Application/X-WWW-Form-URLEncoded ; charset=utf-8", "a=1",
                 Field::body_form, R"({"a": ["1"]})"},
        BodyCase{"of_another_type", "text/plain", "a=1", Field::body_form, "{}"},
        BodyCase{"of_a_longer_type", std::string{form_type} + "2", "a=1", Field::body_form, "{}"},
        BodyCase{"of_no_type", "", "a=1", Field::body_form_names, "[]"},
        BodyCase{"of_parts", parts_type, "a=1", Field::body_form_values, "[]"},
        BodyCase{"empty_form", form_type, "", Field::body_form, "{}"}),
    [](auto const& c) { return std::string{c.param.name}; });

std::string const two_parts =
    "--b\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nann\r\n"
    "--b\r\ncontent-disposition: form-data; name=pic; filename=\"p.png\"\r\n"
    "CONTENT-TYPE: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n1\r\n\r\n2\r\n--b--\r\n";

std::string one_part(std::string head, std::string content = "v") {
  return "--b\r\n" + head + "\r\n\r\n" + content + "\r\n--b--\r\n";
}
std::string disposed(std::string parameters) {
  return one_part("Content-Disposition: form-data; " + parameters);
}

INSTANTIATE_TEST_SUITE_P(
    Parts, BodyFields,
    ::testing::Values(
        BodyCase{"by_name", parts_type, two_parts, Field::body_multipart,
                 "{\"user\": [\"ann\"], \"pic\": [\"1\\x0d\\x0a\\x0d\\x0a2\"]}"},
        BodyCase{"names", parts_type, two_parts, Field::body_multipart_names,
                 R"([["user"] ["pic"]])"},
        BodyCase{"values", parts_type, two_parts, Field::body_multipart_values,
                 "[\"ann\" \"1\\x0d\\x0a\\x0d\\x0a2\"]"},
        BodyCase{"filenames", parts_type, two_parts, Field::body_multipart_filenames,
                 R"([[] ["p.png"]])"},
        BodyCase{"types", parts_type, two_parts, Field::body_multipart_content_types,
                 R"([[] ["image/png"]])"},
        BodyCase{"encodings", parts_type, two_parts, Field::body_multipart_transfer_encodings,
                 R"([[] ["binary"]])"},
        BodyCase{"dispositions", parts_type, two_parts, Field::body_multipart_content_dispositions,
                 R"([["form-data; name=\"user\""] ["form-data; name=pic; filename=\"p.png\""]])"},
        BodyCase{"quoted_boundary", "multipart/form-data; charset=x; boundary=\"b\"", two_parts,
                 Field::body_multipart_names, R"([["user"] ["pic"]])"},
        BodyCase{"another_subtype", "Multipart/Mixed; Boundary=b", two_parts,
                 Field::body_multipart_names, R"([["user"] ["pic"]])"},
        BodyCase{"of_another_type", "text/plain; boundary=b", two_parts,
                 Field::body_multipart_names, "[]"},
        BodyCase{"preamble_and_epilogue", parts_type,
                 "before\r\n" + disposed("name=a") + "after\r\n--b\r\n\r\nx\r\n",
                 Field::body_multipart_values, "(refused)"},
        BodyCase{"preamble_and_plain_epilogue", parts_type,
                 "before\n" + std::string{"\r\n"} + disposed("name=a") + "after\n--c\n",
                 Field::body_multipart_values, R"(["v"])"},
        BodyCase{"line_feeds_in_content", parts_type, one_part("X: y", "a\n--c\n\rb"),
                 Field::body_multipart_values, "[\"a\\x0a--c\\x0a\\x0db\"]"},
        // What only some take for a boundary or for the end of a head hides what follows from a rule.
        BodyCase{"boundary_behind_a_line_feed", parts_type, one_part("X: y", "a\n--b\nevil"),
                 Field::body_multipart_values, "(refused)"},
        BodyCase{"end_behind_a_line_feed", parts_type, one_part("X: y", "a\n--b--\nevil"),
                 Field::body_multipart_values, "(refused)"},
        BodyCase{"boundary_behind_a_carriage_return", parts_type, one_part("X: y", "a\r--b\r\n"),
                 Field::body_multipart_values, "(refused)"},
        BodyCase{"head_with_a_line_feed", parts_type,
                 one_part("X: y\n\nContent-Disposition: form-data; filename=x"),
                 Field::body_multipart_filenames, "(refused)"},
        BodyCase{"bare_line_feeds", parts_type,
                 "--b\nContent-Disposition: form-data; name=a\n\nv\n--b--\n", Field::body_multipart, "(refused)"},
        BodyCase{"padding_after_the_boundary", parts_type, "--b \t\r\n\r\nv\r\n--b-- \r\n",
                 Field::body_multipart_values, "(refused)"},
        BodyCase{"a_longer_boundary", parts_type,
                 "--b\r\n\r\nx\r\n--bb\r\ny\r\n--b--\r\n", Field::body_multipart_values, "(refused)"},
        BodyCase{"a_boundary_inside_a_line_is_content", parts_type, "--b\r\n\r\nx--b\r\n--b--",
                 Field::body_multipart_values, R"(["x--b"])"},
        BodyCase{"nested_parts_are_content", "multipart/form-data; boundary=o",
                 "--o\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--o--\r\n", Field::body_multipart_values,
                 "[\"--b\\x0d\\x0a\\x0d\\x0ax\\x0d\\x0a--b--\"]"},
        BodyCase{"empty_content", parts_type, one_part("X: y", ""), Field::body_multipart_values,
                 R"([""])"},
        BodyCase{"no_head", parts_type, "--b\r\n\r\nv\r\n--b--", Field::body_multipart_values,
                 R"(["v"])"},
        BodyCase{"no_empty_line", parts_type, "--b\r\nX: y\r\n--b--", Field::body_multipart_values, "(refused)"},
        BodyCase{"boundaries_in_a_row", parts_type, "--b\r\n--b\r\n--b--",
                 Field::body_multipart_values, "(refused)"},
        BodyCase{"no_end", parts_type, "--b\r\n\r\nv\r\n--", Field::body_multipart_values,
                 "[\"v\\x0d\\x0a--\"]"},
        BodyCase{"nothing_but_a_boundary", parts_type, "--b\r\n", Field::body_multipart_values,
                 "[]"},
        BodyCase{"no_boundary_in_it", parts_type, "a=1", Field::body_multipart_values, "[]"},
        BodyCase{"ends_at_once", parts_type, "--b--\r\n--b\r\n\r\nx", Field::body_multipart_values, "(refused)"}),
    [](auto const& c) { return std::string{c.param.name}; });

INSTANTIATE_TEST_SUITE_P(
    PartHeads, BodyFields,
    ::testing::Values(
        BodyCase{"escaped_quote", parts_type, disposed(R"(name="a\"b\\c;d")"),
                 Field::body_multipart_names, "(refused)"},
        BodyCase{"escaped_end_of_a_name", parts_type, disposed(R"(filename="a\"; filename=b; x=".txt")"),
                 Field::body_multipart_filenames, "(refused)"},
        BodyCase{"escaped_backslash_at_the_end", parts_type, disposed(R"(filename="a\\"; name="b")"),
                 Field::body_multipart_filenames, "(refused)"},
        BodyCase{"a_path_keeps_its_backslashes", parts_type, disposed(R"(filename="C:\dir\a.txt")"),
                 Field::body_multipart_filenames, R"([["C:\\dir\\a.txt"]])"},
        BodyCase{"percent_signs_stay", parts_type, disposed(R"(name="a%22b")"),
                 Field::body_multipart_names, R"([["a%22b"]])"},
        BodyCase{"upper_case_parameters", parts_type, disposed("NAME=a ; FileName=b"),
                 Field::body_multipart_filenames, R"([["b"]])"},
        BodyCase{"semicolon_in_quotes", parts_type, disposed(R"(filename="a; name=evil"; name=b)"),
                 Field::body_multipart_names, R"([["b"]])"},
        BodyCase{"name_given_twice", parts_type, disposed("name=a; name=b"), Field::body_multipart,
                 R"({"a": ["v"], "b": ["v"]})"},
        BodyCase{"extended_filename", parts_type, disposed("filename=a; filename*=UTF-8''b.php"),
                 Field::body_multipart_filenames, R"([["a" "UTF-8''b.php"]])"},
        BodyCase{"no_closing_quote", parts_type, disposed("name=\"a"), Field::body_multipart_names, "(refused)"},
        BodyCase{"no_value", parts_type, disposed("name; filename="),
                 Field::body_multipart_filenames, R"([[""]])"},
        BodyCase{"spaces", parts_type, one_part("Content-Disposition : form-data ; name = \"a\" "),
                 Field::body_multipart_names, R"([["a"]])"},
        BodyCase{"folded", parts_type,
                 one_part("Content-Disposition: form-data;\r\n name=\"a\"\r\nContent-Type: t/x"),
                 Field::body_multipart_names, "(refused)"},
        BodyCase{"fields_given_twice", parts_type,
                 one_part("Content-Type: a/b\r\nnonsense\r\ncontent-type: c/d"),
                 Field::body_multipart_content_types, R"([["a/b" "c/d"]])"}),
    [](auto const& c) { return std::string{c.param.name}; });

std::string const seventy(70, 'x');

INSTANTIATE_TEST_SUITE_P(
    Boundaries, BodyFields,
    ::testing::Values(
        BodyCase{"of_70_characters", "multipart/form-data; boundary=" + seventy,
                 "--" + seventy + "\r\n\r\nv", Field::body_multipart_values, R"(["v"])"},
        BodyCase{"of_71_characters", "multipart/form-data; boundary=x" + seventy,
                 "--x" + seventy + "\r\n\r\nv", Field::body_multipart_values, "(refused)"},
        BodyCase{"missing", "multipart/form-data", "--b\r\n\r\nv", Field::body_multipart_values,
                 "(refused)"},
        BodyCase{"empty_boundary", "multipart/form-data; boundary=\"\"", "--\r\n\r\nv",
                 Field::body_multipart, "(refused)"},
        BodyCase{"repeated", "multipart/form-data; boundary=b; boundary=c", two_parts,
                 Field::body_multipart_names, "(refused)"},
        BodyCase{"extended", "multipart/form-data; boundary=b; boundary*=c", two_parts,
                 Field::body_multipart_names, "(refused)"},
        BodyCase{"not_closed", "multipart/form-data; boundary=\"b", two_parts,
                 Field::body_multipart_names, "(refused)"},
        BodyCase{"with_a_comma", "multipart/form-data; boundary=b,c", two_parts,
                 Field::body_multipart_names, "(refused)"},
        BodyCase{"with_a_backslash", "multipart/form-data; boundary=\"\\b\"", two_parts,
                 Field::body_multipart_names, "(refused)"},
        BodyCase{"unquoted_equals", "multipart/form-data; boundary=----=_Part/1:2",
                 "------=_Part/1:2\r\n\r\nv", Field::body_multipart_values, R"(["v"])"},
        BodyCase{"missing_but_no_body", "multipart/form-data", "", Field::body_multipart_values,
                 "[]"},
        BodyCase{"missing_but_only_the_form_is_read", "multipart/form-data", "a=1",
                 Field::body_form, "{}"}),
    [](auto const& c) { return std::string{c.param.name}; });

using namespace std::string_literals;

BodyCase looks_like(char const* name, std::string body, std::string expected) {
  return {name, "text/x-other", std::move(body), Field::body_mime, std::move(expected)};
}

INSTANTIATE_TEST_SUITE_P(
    Mime, BodyFields,
    ::testing::Values(
        looks_like("nothing", "", ""), looks_like("text", "hello", "text/plain"),
        looks_like("json", "{\"a\": 1}", "text/plain"),
        looks_like("escape_is_text", "\x1B[0m\t\f\r\n", "text/plain"),
        looks_like("binary", "abc\x01", ""), looks_like("zeros", std::string(100, '\0'), ""),
        looks_like("html", "<html>", "text/html"),
        looks_like("doctype", " \n<!doctype HTML >", "text/html"),
        looks_like("comment", "<!-- x", "text/html"),
        looks_like("script", "<script >", "text/html"),
        looks_like("no_tag", "<htmlx>", "text/plain"), looks_like("short", "<b", "text/plain"),
        looks_like("xml", "\t<?xml version", "text/xml"),
        looks_like("pdf", "%PDF-1.7", "application/pdf"),
        looks_like("postscript", "%!PS-Adobe-3", "application/postscript"),
        looks_like("utf8_bom", "\xEF\xBB\xBF\x01", "text/plain"),
        looks_like("utf16_be", "\xFE\xFF\0a"s, "text/plain"),
        looks_like("utf16_le", "\xFF\xFE\0a"s, "text/plain"),
        looks_like("icon", "\0\0\1\0"s, "image/x-icon"),
        looks_like("cursor", "\0\0\2\0"s, "image/x-icon"), looks_like("bmp", "BM\1", "image/bmp"),
        looks_like("gif87", "GIF87a", "image/gif"), looks_like("gif89", "GIF89a\0"s, "image/gif"),
        looks_like("webp", "RIFF\1\2\3\4WEBPVP8", "image/webp"),
        looks_like("png", "\x89PNG\r\n\x1A\n\0"s, "image/png"),
        looks_like("jpeg", "\xFF\xD8\xFF\xE0", "image/jpeg"),
        looks_like("aiff", "FORM\1\2\3\4AIFF", "audio/aiff"),
        looks_like("id3", "ID3\4", "audio/mpeg"), looks_like("ogg", "OggS\0"s, "application/ogg"),
        looks_like("midi", "MThd\0\0\0\6"s, "audio/midi"),
        looks_like("avi", "RIFF\1\2\3\4AVI ", "video/avi"),
        looks_like("wave", "RIFF\1\2\3\4WAVE", "audio/wave"),
        looks_like("riff", "RIFF\1\2\3\4", ""),
        looks_like("mp4", "\0\0\0\x14"s + "ftypmp42\0\0\0\0mp41"s, "video/mp4"),
        looks_like("mp4_by_compatible_brand", "\0\0\0\x14"s + "ftypisom\0\0\0\0mp41"s, "video/mp4"),
        looks_like("mp4_cut_off", "\0\0\0\x18"s + "ftypmp42\0\0\0\0mp41"s, ""),
        looks_like("webm", "\x1A\x45\xDF\xA3\x9F\x42\x82\x84webm", "video/webm"),
        looks_like("matroska", "\x1A\x45\xDF\xA3\x9F\x42\x82\x88matroska", ""),
        looks_like("webm_cut_off", "\x1A\x45\xDF\xA3\x9F\x42\x82", ""),
        looks_like("mp3", "\xFF\xFB\x90\x44" + std::string(413, '\0') + "\xFF\xFB\x90\x44",
                   "audio/mpeg"),
        looks_like("one_frame_of_mp3", "\xFF\xFB\x90\x44" + std::string(417, '\0'), ""),
        looks_like("gzip", "\x1F\x8B\x08", "application/x-gzip"),
        looks_like("zip", "PK\3\4", "application/zip"),
        looks_like("rar", "Rar!\x1A\7", "application/x-rar-compressed"),
        looks_like("ttf", "\0\1\0\0"s, "font/ttf"), looks_like("otf", "OTTO", "font/otf"),
        looks_like("ttc", "ttcf", "font/collection"), looks_like("woff", "wOFF", "font/woff"),
        looks_like("woff2", "wOF2", "font/woff2"),
        looks_like("eot", std::string(34, '\1') + "LP", "application/vnd.ms-fontobject"),
        looks_like("lp_in_a_text", std::string(34, 'x') + "LP", "text/plain")),
    [](auto const& c) { return std::string{c.param.name}; });

TEST(BodyFacts, a_request_without_a_body_has_empty_values) {
  SampleText text;
  text.url = "https://a.example/";
  text.headers = {{"Content-Type", "multipart/form-data"}};
  auto const request = make_request(text);
  for (auto id = id_of(Field::body_raw); id < id_of(Field::first_fixed); ++id) {
    auto const type = field_table()[id].type;
    EXPECT_EQ(shown(request->facts(), static_cast<Field>(id)),
              type == rules::bool_type            ? "false"
              : type == rules::int_type           ? "0"
              : type.kind() == rules::Kind::map   ? "{}"
              : type.kind() == rules::Kind::array ? "[]"
                                                  : "")
        << field_table()[id].name;
  }
}

TEST(BodyFacts, a_size_that_nobody_knows_refuses_and_is_not_guessed) {
  auto const request = make_request(described("abc", ""));
  auto facts = request->facts();
  BodyFacts const body{"abc", std::nullopt, true};
  facts.body = &body;
  EXPECT_EQ(shown(facts, Field::body_size), "(refused)");
  EXPECT_EQ(shown(facts, Field::body_raw), "abc");
  EXPECT_EQ(shown(facts, Field::body_truncated), "true");

  auto const policy = make_policy(
      {{.name = "large", .expression = "http.request.body.size gt 10", .action = Action::log}});
  Scratch scratch;
  auto const decision = decide(policy, facts, scratch);
  EXPECT_EQ(decision.action, Action::block);
  EXPECT_TRUE(decision.evaluation_failed());
}

TEST(BodyFacts, a_body_that_was_announced_and_not_given_refuses) {
  for (auto const& [name, value, expected] :
       {std::tuple{"Content-Length", "1", "(refused)"}, std::tuple{"Content-Length", "0", "false"},
        std::tuple{"Transfer-Encoding", "chunked", "(refused)"}}) {
    SampleText text;
    text.method = "POST";
    text.url = "https://a.example/";
    text.headers = {{name, value}};
    EXPECT_EQ(shown(make_request(text)->facts(), Field::body_truncated), expected) << value;
  }
}

TEST(BodyFacts, several_content_types_refuse) {
  for (std::string const second : {form_type, parts_type, "text/plain"}) {
    auto text = described("a=1", form_type);
    text.headers.emplace_back("Content-Type", second);
    auto const request = make_request(text);
    EXPECT_EQ(shown(request->facts(), Field::body_form), "(refused)") << second;
    EXPECT_EQ(shown(request->facts(), Field::body_multipart), "(refused)") << second;
    EXPECT_EQ(shown(request->facts(), Field::body_raw), "a=1") << second;
  }
}

TEST(BodyFacts, more_parts_than_there_is_room_for_refuse) {
  std::string body;
  for (int i = 0; i < 40'000; ++i) body += "--b\n";
  EXPECT_EQ(shown(body, parts_type, Field::body_multipart_names), "(refused)");
  std::string form;
  for (int i = 0; i < 60'000; ++i) form += "a&";
  EXPECT_EQ(shown(form, form_type, Field::body_form), "(refused)");
}

TEST(BodyFacts, a_sample_shows_what_is_judged_of_it) {
  auto text = described("0123456789", "");
  text.judged_body_bytes = 4;
  auto const request = make_request(text);
  EXPECT_EQ(shown(request->facts(), Field::body_raw), "0123");
  EXPECT_EQ(shown(request->facts(), Field::body_truncated), "true");
  EXPECT_EQ(shown(request->facts(), Field::body_size), "10");
  EXPECT_EQ(shown(request->facts(), Field::headers),
            R"({"host": ["a.example"], "content-length": ["10"]})");
  text.headers = {{"Transfer-Encoding", "chunked"}};
  EXPECT_EQ(shown(make_request(text)->facts(), Field::body_size), "(refused)");
}

TEST(BodyFacts, json_is_looked_up) {
  auto const policy = make_policy(
      {{.name = "admin",
        .expression = R"(lookup_json_string(http.request.body.raw, "user", "role") eq "admin")",
        .action = Action::block}});
  Scratch scratch;
  for (auto const& [body, action] : {std::pair{R"({"user": {"role": "admin"}})", Action::block},
                                     std::pair{R"({"user": {"role": "guest"}})", Action::allow},
                                     std::pair{R"({"user": {"role")", Action::allow}}) {
    auto const request = make_request(described(body, "application/json"));
    EXPECT_EQ(decide(policy, request->facts(), scratch).action, action) << body;
  }
}

TEST(BodyFacts, the_longest_body_can_be_decoded_and_lowered) {
  auto const policy = make_policy(
      {{.name = "script",
        .expression =
            R"(lower(url_decode(http.request.body.raw)) contains "<script" or )"
            R"(any(lower(url_decode(http.request.body.form.values[*])[*])[*] contains "<script"))",
        .action = Action::block}});
  auto text = described("a=" + std::string(1024 * 1024 - 20, 'A') + "%3CSCRIPT", form_type);
  text.judged_body_bytes = 1024 * 1024;
  auto const request = make_request(text);
  Scratch scratch;
  auto const decision = decide(policy, request->facts(), scratch);
  EXPECT_FALSE(decision.evaluation_failed());
  EXPECT_EQ(decision.action, Action::block);
  text.body = std::string(1024 * 1024, 'A');
  auto const harmless = make_request(text);
  EXPECT_FALSE(decide(policy, harmless->facts(), scratch).evaluation_failed());
  EXPECT_EQ(decide(policy, harmless->facts(), scratch).action, Action::allow);
}

// One of the ways in which origins read parts.
struct NaiveReader {
  bool ends_lines_with_lf, ends_lines_with_cr, takes_padding, takes_longer_boundaries;
};

// All lines, each with its break, are sorted into parts one by one: the heads, then the contents.
std::vector<std::string> parts_naively(std::string const& body, std::string const& boundary,
                                       NaiveReader reader) {
  struct Line {
    std::string text, line_break;
  };
  std::vector<Line> lines(1);
  for (std::size_t i = 0; i < body.size(); ++i) {
    auto& line = lines.back();
    bool const is_crlf = body.compare(i, 2, "\r\n") == 0;
    if (is_crlf) {
      line.line_break = body.substr(i++, 2);
    } else if ((body[i] == '\n' && reader.ends_lines_with_lf) ||
               (body[i] == '\r' && reader.ends_lines_with_cr)) {
      line.line_break = body[i];
    } else {
      line.text += body[i];
      continue;
    }
    lines.emplace_back();
  }
  if (lines.back().text.empty()) lines.pop_back();
  auto const delimits = [&](std::string text, std::string const& delimiter) {
    if (reader.takes_longer_boundaries && text.starts_with(delimiter)) return true;
    while (reader.takes_padding && (text.ends_with(' ') || text.ends_with('\t'))) text.pop_back();
    return text == delimiter;
  };
  std::vector<std::vector<Line>> parts;
  bool inside = false;
  for (auto const& line : lines) {
    bool const ends = delimits(line.text, "--" + boundary + "--");
    if (!ends && !delimits(line.text, "--" + boundary)) {
      if (inside) parts.back().push_back(line);
      continue;
    }
    if (inside && !parts.back().empty()) parts.back().back().line_break.clear();
    inside = !ends;
    if (ends) break;
    parts.emplace_back();
  }
  if (inside && parts.back().empty()) parts.pop_back();  // nothing follows the delimiter
  std::vector<std::string> found;
  for (auto const& part : parts) {
    std::string head, content;
    bool in_head = true;
    for (auto const& line : part) {
      (in_head ? head : content) += line.text + line.line_break;
      // The break of the empty line was the delimiter's, perhaps.
      in_head = in_head && !line.text.empty();
    }
    found.push_back(content);
  }
  return found;
}

std::vector<std::string> strings_of(Facts const& facts, Field field) {
  static Scratch scratch;
  EXPECT_TRUE(fill_values(facts, plan_of_body_field(field), scratch));
  std::vector<std::string> found;
  for (auto const& value : scratch.values()[id_of(field)].as_array()) {
    if (value.kind() == rules::Kind::bytes) found.emplace_back(value.as_bytes());
    if (value.kind() != rules::Kind::array) continue;
    std::string joined;
    for (auto const& item : value.as_array()) joined += std::string{item.as_bytes()} + '\x01';
    if (!joined.empty()) joined.pop_back();
    found.push_back(joined);
  }
  return found;
}

// What is not refused is read alike by all of them.
TEST(PartsOracle, agrees_on_every_mixture_of_pieces) {
  std::vector<NaiveReader> const readers{{false, false, false, false}, {true, false, false, false},
                                         {true, true, false, false},   {true, false, true, false},
                                         {false, false, true, false},  {true, false, false, true},
                                         {false, false, false, true},  {true, true, true, true}};
  std::vector<std::string> const pieces{"--b", "--b--", "\r\n", "\n", "\r", "--", "b",
                                        " ",   "X: y",  "v",    "-",  "--bb", "--b\r\n\r\n",
                                        "\r\n--b\r\nX: y\r\n\r\n"};
  std::mt19937 random{7};
  std::size_t with_parts = 0, refused = 0;
  for (int round = 0; round < 40'000; ++round) {
    std::string body;
    auto const count = 1 + random() % 14;
    for (std::size_t i = 0; i < count; ++i) {
      body += pieces[random() % pieces.size()];
      if (random() % 2 == 0) body += random() % 4 == 0 ? "\n" : "\r\n";
    }
    auto const request = make_request(described(body, parts_type));
    if (shown(request->facts(), Field::body_multipart_values) == "(refused)") {
      ++refused;
      continue;
    }
    auto const found = strings_of(request->facts(), Field::body_multipart_values);
    for (auto const& reader : readers) ASSERT_EQ(found, parts_naively(body, "b", reader)) << body;
    with_parts += found.empty() ? 0 : 1;
  }
  EXPECT_GT(with_parts, 1'000u);
  EXPECT_GT(refused, 10'000u);
}

// However little is read, what is shown is the beginning of what there is.
TEST(Truncated, values_are_beginnings_at_every_length) {
  std::string const body =
      "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"a\\b\\\\c\"; filename=\"C:\\d\"\r\n"
      "Content-Type: text/plain; x=\"y\"\r\n\r\none\r\n--\r\n--c\r\n\r\n--b\r\n"
      "content-disposition: form-data; filename*=UTF-8''x; name=tok\r\n\r\n\r\n--b\r\n\r\n"
      "a=1&b=2\r-- b\n\r\n--b--\r\nepilogue";
  auto const whole = make_request(described(body, parts_type));
  for (auto const field :
       {Field::body_multipart_values, Field::body_multipart_names, Field::body_multipart_filenames,
        Field::body_multipart_content_types, Field::body_multipart_content_dispositions}) {
    auto const all = strings_of(whole->facts(), field);
    ASSERT_GE(all.size(), 3u);
    for (std::size_t length = 0; length < body.size(); ++length) {
      auto text = described(body, parts_type);
      text.judged_body_bytes = length;
      auto const request = make_request(text);
      auto const some = strings_of(request->facts(), field);
      ASSERT_LE(some.size(), all.size()) << length;
      for (std::size_t i = 0; i < some.size(); ++i) {
        ASSERT_TRUE(all[i].starts_with(some[i]))
            << field_table()[id_of(field)].name << " of " << length << ": " << some[i];
        if (i + 1 < some.size()) {
          ASSERT_EQ(some[i], all[i]) << length;
        }
      }
    }
  }
}

}  // namespace
}  // namespace certgate::policy
