// What a person sees when something they wrote is wrong.
#include "certgate/base/diagnostic.hpp"

#include <gtest/gtest.h>

#include "certgate/base/clock.hpp"
#include "certgate/base/error.hpp"
#include "certgate/base/result.hpp"

namespace certgate {
namespace {

TEST(SourceText, finds_lines_and_places) {
  SourceText const source{"f.yaml", "one\r\ntwo\n\nfour"};
  EXPECT_EQ(source.line(1), "one");
  EXPECT_EQ(source.line(2), "two");
  EXPECT_EQ(source.line(3), "");
  EXPECT_EQ(source.line(4), "four");
  EXPECT_EQ(source.line(0), "");
  EXPECT_EQ(source.line(5), "");
  struct Case {
    std::size_t offset, line, column;
  };
  for (auto const& row : {Case{0, 1, 1}, Case{4, 1, 5}, Case{5, 2, 1}, Case{8, 2, 4}, Case{9, 3, 1},
                          Case{10, 4, 1}, Case{14, 4, 5}, Case{99, 4, 5}}) {
    auto const place = source.place_of(row.offset);
    EXPECT_EQ(place.file, "f.yaml");
    EXPECT_EQ(place.line, row.line) << row.offset;
    EXPECT_EQ(place.column, row.column) << row.offset;
  }
  EXPECT_EQ(SourceText("e", "").place_of(0).line, 1u);
}

TEST(Render, draws_line_carets_and_hint) {
  std::string text(40, '\n');
  text += "  expression: cf.tls_client_auth.cert_serail eq \"0A\"\n";
  SourceText const source{"certgate.yaml", text};
  auto const diagnostic =
      make_diagnostic(source, 54, 30, "unknown field `cf.tls_client_auth.cert_serail`",
                      "did you mean `cf.tls_client_auth.cert_serial`?");
  EXPECT_EQ(render(diagnostic),
            "certgate.yaml:41:15: unknown field `cf.tls_client_auth.cert_serail`\n"
            "   41 |   expression: cf.tls_client_auth.cert_serail eq \"0A\"\n"
            "      |               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
            "  hint: did you mean `cf.tls_client_auth.cert_serial`?\n");
  EXPECT_EQ(render_short(diagnostic),
            "certgate.yaml:41:15: unknown field `cf.tls_client_auth.cert_serail` "
            "(did you mean `cf.tls_client_auth.cert_serial`?)");
}

TEST(Render, clips_carets_to_the_line_and_shows_at_least_one) {
  SourceText const source{"f", "ab\ncd"};
  EXPECT_EQ(make_diagnostic(source, 1, 50, "m").length, 1u);
  EXPECT_EQ(render(make_diagnostic(source, 2, 0, "expected a value", {}, Severity::warning)),
            "f:1:3: warning: expected a value\n"
            "    1 | ab\n"
            "      |   ^\n");
}

TEST(Render, controls_become_spaces_and_characters_get_one_caret) {
  SourceText const source{"f", "\t\x1B[1m\xC3\xA4\xC3\xB6 x"};
  EXPECT_EQ(render(make_diagnostic(source, 5, 4, "m")),
            "f:1:6: m\n"
            "    1 |   [1m\xC3\xA4\xC3\xB6 x\n"
            "      |      ^^\n");
}

TEST(Render, does_without_what_is_not_known) {
  Diagnostic diagnostic;
  diagnostic.message = "nothing to listen on";
  EXPECT_EQ(render(diagnostic), "nothing to listen on\n");
  diagnostic.place.file = "f";
  diagnostic.severity = Severity::note;
  EXPECT_EQ(render(diagnostic), "f: note: nothing to listen on\n");
}

TEST(Diagnostics, sort_by_place_and_keep_arrival) {
  auto const at = [](char const* file, std::size_t line, char const* message, Severity severity) {
    Diagnostic diagnostic;
    diagnostic.place = {file, line, 1};
    diagnostic.message = message;
    diagnostic.severity = severity;
    return diagnostic;
  };
  Diagnostics all;
  EXPECT_TRUE(all.empty());
  all.add(at("b", 1, "3", Severity::warning));
  EXPECT_FALSE(all.has_errors());
  Diagnostics more;
  more.add(at("a", 9, "1", Severity::error));
  more.add(at("a", 9, "2", Severity::note));
  all.add_all(std::move(more));
  all.sort();
  EXPECT_TRUE(all.has_errors());
  std::string order;
  for (auto const& diagnostic : all) order += diagnostic.message;
  EXPECT_EQ(order, "123");
  EXPECT_EQ(render(all), "a:9:1: 1\na:9:1: note: 2\nb:1:1: warning: 3\n");
}

TEST(Nearest, finds_what_was_probably_meant) {
  std::vector<std::string_view> const fields = {"http.host", "http.request.uri.path", "ip.src"};
  EXPECT_EQ(nearest("http.hosts", fields), "http.host");
  EXPECT_EQ(nearest("http.request.uri.pth", fields), "http.request.uri.path");
  EXPECT_EQ(nearest("completely.different", fields), "");
  EXPECT_EQ(nearest("", fields), "");
  EXPECT_EQ(nearest("x", {"y"}), "");
  EXPECT_EQ(nearest("eqq", {"eq", "ne"}), "eq");
  EXPECT_EQ(nearest(std::string(100000, 'a'), fields), "");
}

Result<int> half(int number) {
  if (number % 2 != 0) return fail(ErrorCode::invalid, "odd");
  return number / 2;
}
Result<int> quarter(int number) {
  CERTGATE_TRY(int const first, half(number));
  CERTGATE_TRY(int const second, half(first));
  return second;
}

TEST(Result, carries_a_value_or_the_first_error) {
  EXPECT_EQ(*quarter(8), 2);
  ASSERT_FALSE(quarter(6));
  EXPECT_EQ(quarter(6).error().detail, "odd");
  EXPECT_EQ(quarter(6).value_or(-1), -1);
  Result<void> const nothing;
  EXPECT_TRUE(nothing.has_value());
  Result<void> const failed = fail(ErrorCode::io, "disk full");
  EXPECT_EQ(name_of(failed.error().code), "io");
}

TEST(Clock, manual_clock_stands_still) {
  ManualClock clock{100};
  EXPECT_EQ(clock.unix_seconds(), 100);
  clock.advance(std::chrono::seconds{5});
  EXPECT_EQ(clock.unix_seconds(), 105);
  clock.set(-1);
  EXPECT_EQ(clock.unix_seconds(), -1);
}

}  // namespace
}  // namespace certgate
