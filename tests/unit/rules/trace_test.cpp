// What `explain` can show of an evaluation.
#include "certgate/rules/trace.hpp"

#include <gtest/gtest.h>

#include "sample.hpp"

namespace certgate::rules {
namespace {

std::string traced(std::string_view text) {
  test::Sample sample;
  auto const checked = check(sample.scheme(), text);
  EXPECT_TRUE(checked) << text;
  auto const result = trace(*checked, sample.values(), sample.scratch());
  EXPECT_EQ(result.outcome == Outcome::match, sample.outcome(text) == "match");
  return format_trace(result);
}

TEST(Trace, shows_every_value) {
  EXPECT_EQ(traced("host in {\"api.example.com\"}\n   and (not yes or gone_bool)"),
            "false  host in {\"api.example.com\"} and (not yes or gone_bool)\n"
            "true     host in {\"api.example.com\"}\n"
            "           host = \"api.example.com\"\n"
            "false    (not yes or gone_bool)\n"
            "false      not yes\n"
            "true         yes\n"
            "miss.      gone_bool\n");
}

TEST(Trace, marks_what_is_not_reached) {
  EXPECT_EQ(traced("off and port eq 443"),
            "false  off and port eq 443\n"
            "false    off\n"
            "true     port eq 443   (not reached)\n"
            "           port = 443   (not reached)\n");
}

TEST(Trace, shows_arrays_and_calls) {
  EXPECT_EQ(traced(R"(any(lower(names[*])[*] eq "bob"))"),
            "true   any(lower(names[*])[*] eq \"bob\")\n"
            "         lower(names[*])[*] eq \"bob\" = [false true false]\n"
            "           lower(names[*])[*] = [\"ann\" \"bob\" \"cy\"]\n"
            "             lower(names[*]) = [\"ann\" \"bob\" \"cy\"]\n"
            "               names[*] = [\"Ann\" \"Bob\" \"Cy\"]\n"
            "                 names = [\"Ann\" \"Bob\" \"Cy\"]\n");
}

TEST(Trace, knows_what_decides) {
  test::Sample sample;
  auto const checked = check(sample.scheme(), "yes or off");
  auto const result = trace(*checked, sample.values(), sample.scratch());
  EXPECT_TRUE(result.root.children[0].decisive);
  EXPECT_TRUE(result.root.children[1].skipped);
  EXPECT_FALSE(result.root.children[1].decisive);
}

TEST(Trace, says_when_memory_ran_out) {
  test::Sample sample;
  auto const checked = check(sample.scheme(), R"(concat(text, text) eq "x")");
  Scratch small(8);
  auto const result = trace(*checked, sample.values(), small);
  EXPECT_EQ(result.outcome, Outcome::failed);
  EXPECT_EQ(result.root.value, "failed");
}

TEST(FormatValue, shortens) {
  EXPECT_EQ(format_value(ValueView::bytes("abcdef"), 3), "\"abc\"...");
  std::vector<ValueView> const many(40, ValueView::integer(1));
  EXPECT_EQ(format_value(ValueView::array(many)).substr(61), "1 1 ...]");
  MapEntry const entries[] = {{"k", ValueView::boolean(true)}, {"l", ValueView()}};
  EXPECT_EQ(format_value(ValueView::map(entries)), "{\"k\": true, \"l\": missing}");
}

TEST(Types, format_and_fit) {
  auto const type = Type::map_of(Type::array_of(bytes_type));
  EXPECT_EQ(format_type(type), "Map<Array<Bytes>>");
  EXPECT_EQ(type.element().element(), bytes_type);
  auto deepest = bytes_type;
  for (int i = 0; i < Type::max_depth; ++i) deepest = Type::array_of(deepest);
  for (int i = 0; i < Type::max_depth; ++i) deepest = deepest.element();
  EXPECT_EQ(deepest, bytes_type);
  test::Sample sample;
  for (FieldId id = 0; id < sample.scheme().field_count(); ++id) {
    EXPECT_TRUE(has_type(sample.values()[id], sample.scheme().field(id).type));
  }
  EXPECT_FALSE(has_type(ValueView::integer(1), bytes_type));
}

}  // namespace
}  // namespace certgate::rules
