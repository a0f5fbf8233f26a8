// Strings of every length, and with every single byte changed, against plain comparison.
#include "needle.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace certgate::rules {
namespace {

std::string text_of_length(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += static_cast<char>('a' + i % 23);
  return text;
}

Needle needle_for(std::string_view text) {
  return {ends_of(text), 0, static_cast<std::uint32_t>(text.size())};
}

TEST(Needle, equals_only_its_own_string) {
  for (std::size_t size = 0; size <= 70; ++size) {
    auto const text = text_of_length(size);
    auto const needle = needle_for(text);
    EXPECT_TRUE(is_one_of(&needle, 1, text.data(), std::string(text))) << size;
    EXPECT_FALSE(is_one_of(&needle, 1, text.data(), text + 'a')) << size;
    if (size == 0) continue;
    EXPECT_FALSE(is_one_of(&needle, 1, text.data(), text.substr(1))) << size;
    for (std::size_t i = 0; i < size; ++i) {
      auto other = text;
      other[i] = static_cast<char>(other[i] ^ 0x80);
      EXPECT_FALSE(is_one_of(&needle, 1, text.data(), other)) << size << " at " << i;
    }
  }
}

TEST(Needle, is_found_among_others_of_its_length_and_ends) {
  std::string const first = "api.example.com/one/api.example.com";
  std::string const second = "api.example.com/two/api.example.com";
  auto const all = first + second;
  std::vector<Needle> table = {needle_for(first), needle_for(second)};
  table[1].offset = static_cast<std::uint32_t>(first.size());
  EXPECT_TRUE(is_one_of(table.data(), 2, all.data(), first));
  EXPECT_TRUE(is_one_of(table.data(), 2, all.data(), second));
  EXPECT_FALSE(is_one_of(table.data(), 2, all.data(), "api.example.com/six/api.example.com"));
  EXPECT_FALSE(is_one_of(table.data(), 0, all.data(), ""));
}

}  // namespace
}  // namespace certgate::rules
