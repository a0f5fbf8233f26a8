// The field table: complete, consistent with the scheme, and what the documentation says.
#include "certgate/policy/fields.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "certgate/rules/checker.hpp"
#include "certgate/rules/program.hpp"

namespace certgate::policy {
namespace {

using ::testing::HasSubstr;

TEST(FieldTable, names_are_unique_and_ids_are_row_numbers) {
  auto const scheme = make_scheme();
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < field_table().size(); ++i) {
    auto const& row = field_table()[i];
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    if (i < valued_field_count()) {
      ASSERT_EQ(scheme.find_field(row.name), i) << row.name;
      EXPECT_EQ(scheme.field(static_cast<rules::FieldId>(i)).type, row.type);
    } else {
      EXPECT_EQ(row.availability, Availability::refused) << row.name;
    }
  }
  EXPECT_EQ(answered_field_count(), id_of(Field::first_fixed));
}

TEST(FieldTable, every_example_compiles) {
  auto const scheme = make_scheme();
  for (auto const& row : field_table().first(valued_field_count())) {
    auto const compiled = rules::compile(scheme, row.example);
    ASSERT_TRUE(compiled) << row.name << ": " << row.example << ": "
                          << compiled.error().front().message;
    auto const id = *scheme.find_field(row.name);
    EXPECT_TRUE(compiled->program.fields_used().contains(id))
        << row.name << " is not in its own example";
    EXPECT_TRUE(compiled->warnings.empty())
        << row.name << ": " << compiled->warnings.front().message;
  }
}

TEST(FieldTable, a_refused_field_says_why) {
  auto const scheme = make_scheme();
  for (auto const& row : field_table().subspan(valued_field_count())) {
    auto const compiled = rules::check(scheme, std::string{row.name} + " eq 1");
    ASSERT_FALSE(compiled) << row.name;
    EXPECT_THAT(compiled.error().front().message, HasSubstr(std::string{row.name}));
    EXPECT_THAT(compiled.error().front().message, HasSubstr(std::string{row.doc}));
  }
}

TEST(FieldTable, managed_lists_are_refused_with_a_reason) {
  auto const compiled = rules::check(make_scheme(), "ip.src in $cf.anonymizer");
  ASSERT_FALSE(compiled);
  EXPECT_THAT(compiled.error().front().message, HasSubstr("Cloudflare"));
}

std::string read_file(std::filesystem::path const& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

// CERTGATE_UPDATE_GOLDEN=1 writes the tables into the page instead.
TEST(FieldTable, documentation_is_printed_from_it) {
  auto const path = std::filesystem::path{CERTGATE_SOURCE_DIR} / "docs/language.md";
  auto document = read_file(path);
  auto const start = document.find("### Client certificate\n");
  ASSERT_NE(start, std::string::npos);
  auto const expected = document.substr(0, start) + format_field_reference();
  if (std::getenv("CERTGATE_UPDATE_GOLDEN") != nullptr) {
    std::ofstream{path, std::ios::binary} << expected;
    document = expected;
  }
  EXPECT_TRUE(document == expected)
      << "the tables of docs/language.md are not those of the field table";
}

// Published expressions, where they lie beside the checkout; nothing to do where they do not.
std::vector<std::string> published_expressions() {
  std::vector<std::string> expressions;
  auto const* const elsewhere = std::getenv("CERTGATE_EXPRESSIONS");
  std::ifstream file{elsewhere != nullptr ? std::filesystem::path{elsewhere}
                                          : std::filesystem::path{CERTGATE_SOURCE_DIR} /
                                                "../shared/spec/expressions.txt"};
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && !line.starts_with('#')) expressions.push_back(line);
  }
  return expressions;
}

// Lists are the user's own: give the scheme each that is named.
void add_named_lists(rules::Scheme& scheme, std::string const& expression) {
  for (std::size_t at = 0; (at = expression.find(" in $", at)) != std::string::npos; ++at) {
    auto const start = at + 5;
    auto end = start;
    while (end < expression.size() && (std::isalnum(static_cast<unsigned char>(expression[end])) ||
                                       expression[end] == '_' || expression[end] == '.')) {
      ++end;
    }
    auto const name = expression.substr(start, end - start);
    if (scheme.find_list(name) || scheme.find_unavailable_list(name)) continue;
    auto const before = std::string_view{expression}.substr(0, at);
    auto const kind = before.ends_with("asnum")      ? rules::ListKind::integer
                      : before.ends_with("full_uri") ? rules::ListKind::bytes
                                                     : rules::ListKind::ip;
    scheme.add_list(name, rules::build_list(kind, {}).value());
  }
}

TEST(PublishedExpressions, all_type_check_against_the_documented_schema) {
  for (auto const& expression : published_expressions()) {
    auto scheme = make_scheme(Schema::documented);
    add_named_lists(scheme, expression);
    auto const checked = rules::check(scheme, expression);
    EXPECT_TRUE(checked) << expression << "\n" << checked.error().front().message;
  }
}

TEST(PublishedExpressions, each_is_accepted_or_refused_with_the_name_and_the_reason) {
  for (auto const& expression : published_expressions()) {
    auto scheme = make_scheme();
    add_named_lists(scheme, expression);
    auto const checked = rules::check(scheme, expression);
    if (checked) continue;
    for (auto const& mistake : checked.error()) {
      EXPECT_THAT(mistake.message, HasSubstr("not available")) << expression;
    }
  }
}

}  // namespace
}  // namespace certgate::policy
