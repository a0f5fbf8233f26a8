// The shape of expressions: precedence, chains, indexes, arguments.
#include "certgate/rules/parser.hpp"

#include <gtest/gtest.h>

namespace certgate::rules {
namespace {

auto const name_of_row = [](auto const& info) { return std::string(info.param.name); };

struct Case {
  char const* name;
  char const* expression;
  char const* tree;
};
void PrintTo(Case const& each, std::ostream* out) { *out << each.expression; }
class Parses : public testing::TestWithParam<Case> {};

TEST_P(Parses, into) {
  auto const parsed = parse_expression(GetParam().expression, {});
  EXPECT_TRUE(parsed.mistakes.empty());
  EXPECT_EQ(dump(parsed.root), GetParam().tree);
}

INSTANTIATE_TEST_SUITE_P(
    Shape, Parses,
    testing::Values(
        Case{"and_binds_tighter_than_or", "a or b and c", "(or a (and b c))"},
        Case{"xor_sits_between", "a or b xor c and d", "(or a (xor b (and c d)))"},
        Case{"not_binds_tightest", "not a and b", "(and (not a) b)"},
        Case{"not_takes_a_comparison", "not a == 1 and b", "(and (not (eq a 1)) b)"},
        Case{"chains_are_flat", "a and b and c or d or e", "(or (and a b c) d e)"},
        Case{"parentheses_group", "(a or b) and c", "(and (or a b) c)"},
        Case{"symbols", "a && b || c ^^ !d", "(or (and a b) (xor c (not d)))"},
        Case{"keyword_without_boundary", "t andf", "(and t f)"},
        Case{"not_without_boundary", "notssl", "(not ssl)"},
        Case{"operator_without_spaces", "a.b eq\"x\"and c", "(and (eq a.b \"x\") c)"},
        Case{"set", "a in {1 2..3 0x4}", "(in a {1 2..3 0x4})"},
        Case{"empty_set", "a in{}", "(in a {})"}, Case{"list", "a in $b.c_1", "(in a $b.c_1)"},
        Case{"indexes", "a[0][\"k\"][*] eq 1", "(eq a[0][\"k\"][*] 1)"},
        Case{"spaces_in_brackets", "a[ 0 ] eq 1", "(eq a[0] 1)"},
        Case{"call", "f ( a , \"b\" , 1, -2, ::1, ab:cd )", "(f() a \"b\" 1 -2 ::1 ab:cd)"},
        Case{"call_of_call", "f(g(a)[*])[0] eq \"x\"", "(eq (f() (g() a)[*])[0] \"x\")"},
        Case{"comparison_as_argument", "any(a[*] eq 1)", "(any() (eq a[*] 1))"},
        Case{"condition_as_argument", "any((a) or (b) and not c)",
             "(any() (or a (and b (not c))))"},
        Case{"name_with_digits", "cf.1xx_code eq 1", "(eq cf.1xx_code 1)"},
        Case{"raw", "a eq r#\"x\"y\"#", "(eq a \"x\\\"y\")"},
        Case{
            "every_operator",
            "a ne 1 or a lt 1 or a le 1 or a gt 1 or a ge 1 or a contains \"x\" or a ~ \"x\" or "
            "a wildcard \"x\" or a strict wildcard \"x\" or a & 1",
            "(or (ne a 1) (lt a 1) (le a 1) (gt a 1) (ge a 1) (contains a \"x\") (matches a \"x\") "
            "(wildcard a \"x\") (strict wildcard a \"x\") (bitwise_and a 1))"}),
    name_of_row);

TEST(Parser, goes_on_after_a_mistake) {
  auto const parsed = parse_expression("a eq and (b ! c) or d eq 'x' and e", {});
  EXPECT_GE(parsed.mistakes.size(), 3u);
}

TEST(Parser, gives_exact_spans) {
  auto const parsed = parse_expression(" a  and\tnot b eq \"x\" ", {});
  auto const& root = parsed.root;
  EXPECT_EQ(root.span, (Span{1, 19}));
  EXPECT_EQ(root.mark, (Span{4, 3}));
  EXPECT_EQ(root.children[1].span, (Span{8, 12}));
  EXPECT_EQ(root.children[1].children[0].literals[0].span, (Span{17, 3}));
}

TEST(Lexer, reads_by_what_is_expected) {
  Mistakes mistakes;
  Lexer lexer("10.0.0.1 in {80..90}", mistakes);
  EXPECT_EQ(lexer.next(Expect::literal).bytes, "10.0.0.1");
  EXPECT_EQ(lexer.next(Expect::operation).kind, TokenKind::in);
  EXPECT_EQ(lexer.next(Expect::literal).kind, TokenKind::open_brace);
  EXPECT_EQ(lexer.next(Expect::literal).bytes, "80..90");
  EXPECT_EQ(lexer.next(Expect::literal).kind, TokenKind::close_brace);
  EXPECT_EQ(lexer.next(Expect::operand).kind, TokenKind::end);
  EXPECT_EQ(lexer.next(Expect::operand).kind, TokenKind::end);
  EXPECT_TRUE(mistakes.empty());
}

}  // namespace
}  // namespace certgate::rules
