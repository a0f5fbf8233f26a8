// certgate's own answers: which form the client gets, and that they give no reason away.
#include "certgate/http/answer.hpp"

#include <gtest/gtest.h>

#include "certgate/http/quality.hpp"

namespace certgate::http {
namespace {

AnswerFormat format_for(std::string_view accept) {
  Field const field{"Accept", accept, FieldName::accept};
  return choose_format({&field, 1});
}

TEST(AnswerFormat, FollowsAccept) {
  EXPECT_EQ(choose_format({}), AnswerFormat::json);
  EXPECT_EQ(format_for(""), AnswerFormat::json);
  EXPECT_EQ(format_for("*/*"), AnswerFormat::json);
  EXPECT_EQ(format_for("application/json"), AnswerFormat::json);
  EXPECT_EQ(format_for("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            AnswerFormat::html);
  EXPECT_EQ(format_for("text/plain"), AnswerFormat::text);
  EXPECT_EQ(format_for("TEXT/PLAIN"), AnswerFormat::text);
  EXPECT_EQ(format_for("text/*"), AnswerFormat::html);
  EXPECT_EQ(format_for("text/*, text/html;q=0"), AnswerFormat::text);
  EXPECT_EQ(format_for("text/html;q=0.4, text/plain;q=0.5"), AnswerFormat::text);
  EXPECT_EQ(format_for("text/html;level=1;q=0.4, application/json;q=0.3"), AnswerFormat::html);
  EXPECT_EQ(format_for("*/*, text/plain"), AnswerFormat::text);
  EXPECT_EQ(format_for("image/png"), AnswerFormat::json);
  EXPECT_EQ(format_for("*/*;q=0"), AnswerFormat::json);
  EXPECT_EQ(format_for("text/html;q=2"), AnswerFormat::json);
  EXPECT_EQ(format_for("garbage;;;=,,;q"), AnswerFormat::json);
}

TEST(Answer, IsWholeAndExact) {
  Answer answer;
  answer.request_id = "r1";
  answer.date = "Tue, 20 Apr 2021 02:07:55 GMT";
  std::string out;
  append_answer(out, answer);
  EXPECT_EQ(out,
            "HTTP/1.1 403 Forbidden\r\n"
            "Date: Tue, 20 Apr 2021 02:07:55 GMT\r\n"
            "Content-Type: application/json\r\n"
            "Content-Length: 53\r\n"
            "Cache-Control: no-store\r\n"
            "X-Request-Id: r1\r\n"
            "Connection: close\r\n"
            "\r\n"
            "{\"status\":403,\"error\":\"Forbidden\",\"request_id\":\"r1\"}\n");
}

TEST(Answer, threat_53_bodies_say_what_happened_and_not_why) {
  std::string out;
  append_answer_body(out, 403, "r1", AnswerFormat::text);
  EXPECT_EQ(out, "403 Forbidden\nRequest id: r1\n");
  out.clear();
  append_answer_body(out, 421, "<r&1>", AnswerFormat::html);
  EXPECT_EQ(
      out,
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>421 Misdirected "
      "Request</title></head>\n<body><h1>421 Misdirected Request</h1>\n<p>Request id: "
      "<code>&lt;r&amp;1&gt;</code></p></body></html>\n");
  out.clear();
  append_answer_body(out, 403, "a\"b", AnswerFormat::json);
  EXPECT_EQ(out, "{\"status\":403,\"error\":\"Forbidden\",\"request_id\":\"a\\\"b\"}\n");
}

TEST(Answer, OfARuleIsTheRulesOwn) {
  CustomBody const custom{"text/xml", "<no/>"};
  Answer answer;
  answer.status = 451;
  answer.custom = &custom;
  answer.persistence = Persistence::keep_alive;
  answer.extra = "Retry-After: 1\r\n";
  std::string out;
  append_answer(out, answer);
  EXPECT_EQ(out,
            "HTTP/1.1 451 Unavailable For Legal Reasons\r\nContent-Type: text/xml\r\n"
            "Content-Length: 5\r\nCache-Control: no-store\r\nRetry-After: 1\r\n\r\n<no/>");
}

TEST(Answer, ToHeadHasNoBodyAndToHttp10SaysKeepAlive) {
  Answer answer;
  answer.body = Answer::Body::head_only;
  answer.client_version = Version::http_1_0;
  answer.persistence = Persistence::keep_alive;
  std::string out;
  append_answer(out, answer);
  EXPECT_TRUE(out.ends_with("Connection: keep-alive\r\n\r\n")) << out;
  EXPECT_NE(out.find("Content-Length: 51\r\n"), std::string::npos) << out;
}

TEST(AcceptedLanguages, AreSortedByWeight) {
  Field const fields[] = {
      {"Accept-Language", "da, en-gb;q=0.8, *;q=0.9, en;q=0.7", FieldName::accept_language},
      {"accept-language", "fr;q=0, de;q=0.85 ", FieldName::accept_language}};
  auto const languages = accepted_languages(fields);
  EXPECT_EQ(languages, (std::vector<std::string_view>{"da", "de", "en-gb", "en"}));
}

}  // namespace
}  // namespace certgate::http
