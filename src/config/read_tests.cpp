// Reads tests of a rule set, inline or from a file of their own.
#include <algorithm>

#include "read_parts.hpp"
#include "in_backquotes.hpp"

namespace certgate::config {
namespace {

using NamedValues = std::vector<std::pair<Setting<std::string>, Setting<std::string>>>;

void read_named_values(Reading& reading, std::string_view what, Value map, bool may_repeat,
                       NamedValues& out) {
  if (!map) return;
  if (!map.is_mapping()) {
    reading.wrong(map, in_backquotes(what) + " must be a map, but is " + std::string{kind_name(map)},
                  "write `name: value`, one a line");
    return;
  }
  for (Value name = map.first(); name;) {
    Value const value = name.next();
    auto const add = [&](Value one) {
      if (!name.is_scalar() || !is_text(reading, name.text(), one, "a value")) return;
      out.push_back(
          {{std::string{name.text()}, name.mark()}, {std::string{one.text()}, one.mark()}});
    };
    if (may_repeat && value.is_sequence()) {
      for (Value one = value.first(); one; one = one.next()) add(one);
    } else {
      add(value);
    }
    name = value.next();
  }
}

void read_url(Reading& reading, Value value, RuleTest& test) {
  if (!value || !is_line(reading, "url", value)) return;
  std::string_view const text = value.text();
  std::string_view rest = text;
  bool good = rest.starts_with("https://");
  if (good) {
    rest.remove_prefix(8);
    std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    std::size_t const bracket = authority.find(']');
    std::size_t const colon = authority.find(':', bracket == authority.npos ? 0 : bracket);
    good = canonical_host(authority.substr(0, colon)).has_value();
  }
  if (!good) {
    reading.wrong(value, "`url` must be an https:// URL with a host, but is " + in_backquotes(text),
                  "write https://api.example.com/v1/x");
    return;
  }
  test.url = {std::string{text}, value.mark()};
}

void read_request(Reading& reading, Value value, RuleTest& test) {
  MapReader map{reading, value, "tests[].request"};
  if (!map.good()) return;
  read_url(reading, map.get("url"), test);
  map.text("method", test.method);
  read_named_values(reading, "headers", map.get("headers"), true, test.headers);
  if (Value const body = map.get("body"); body && is_text(reading, "body", body, "text")) {
    test.body = {std::string{body.text()}, body.mark()};
  }
  if (Value const ip = map.get("source_ip"); ip && is_line(reading, "source_ip", ip)) {
    auto const address = IpAddress::parse(ip.text());
    if (address) {
      test.source_ip = {address, ip.mark()};
    } else {
      reading.wrong(ip, in_backquotes(ip.text()) + " is not an IP address", "write 192.0.2.1");
    }
  }
}

RuleTest read_test(Reading& reading, Value value) {
  RuleTest test;
  MapReader map{reading, value, "tests[]"};
  if (!map.good()) return test;
  test.mark = map.mark();
  map.text("name", test.name);
  if (Value const request = map.get("request")) read_request(reading, request, test);
  map.path("client_certificate", test.client_certificate);
  read_named_values(reading, "fields", map.get("fields"), false, test.fields);
  if (Value const expect = map.get("expect")) {
    MapReader own{reading, expect, "tests[].expect"};
    if (own.good()) {
      own.choice("action", test.expected_action);
      own.lines("rule", test.expected_rule);
    }
  }
  return test;
}

}  // namespace

std::vector<RuleTest> read_tests(Reading& reading, Value list) {
  std::vector<RuleTest> tests;
  if (!list) return tests;
  if (!list.is_sequence()) {
    reading.wrong(list, "`tests` must be a list, but is " + std::string{kind_name(list)},
                  "start each test with `- name: ...`");
    return tests;
  }
  for (Value entry = list.first(); entry; entry = entry.next()) {
    tests.push_back(read_test(reading, entry));
  }
  return tests;
}

Result<TestFile, Diagnostics> parse_tests(SourceText source) {
  struct NoFiles final : FileReader {
    Result<std::string> read(std::string const&) override {
      return fail(ErrorCode::internal, "a test file includes nothing");
    }
  } none;
  Reading reading{none};
  SourceText const& text = reading.keep(std::move(source));
  YamlTree const tree{text, reading.mistakes};
  Value list = tree.root();
  if (list && list.is_mapping()) {
    Value found;
    for (Value key = list.first(); key;) {
      Value const value = key.next();
      if (key.is_scalar() && key.text() == "tests") {
        found = value;
      } else if (key.is_scalar()) {
        reading.wrong(key, "unknown key " + in_backquotes(key.text()) + " in a test file",
                      "it holds `tests:` and nothing else");
      }
      key = value.next();
    }
    if (!found) {
      reading.wrong(list, "no tests in the file", "write `tests:` and below it `- name: ...`");
    }
    list = found;
  }
  TestFile file{reading.sources.front(), read_tests(reading, list)};
  if (reading.mistakes.has_errors()) return fail(reading.take_mistakes());
  return file;
}

}  // namespace certgate::config
