// Eight bytes at a time against one: every byte at every place of texts of every small length.
#include "certgate/http/byte_scan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace certgate::http {
namespace {

using Find = char const* (*)(char const*, char const*);
using Looks = bool (*)(unsigned char);

bool is_odd(unsigned char c) {
  return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-');
}
bool is_not_printable(unsigned char c) { return c < 0x20 || c > 0x7E; }
bool is_control(unsigned char c) { return c < 0x20 || c == 0x7F; }

// Texts lie in allocations of their very size, so that a sanitizer sees a look beyond the end.
void compare(Find find, Looks looks, std::string const& text) {
  std::vector<char> const exact(text.begin(), text.end());
  auto const* const begin = exact.data();
  auto const* const end = begin + exact.size();
  auto const slowly = std::find_if(exact.begin(), exact.end(),
                                   [&](char c) { return looks(static_cast<unsigned char>(c)); });
  ASSERT_EQ(find(begin, end) - begin, slowly - exact.begin()) << ::testing::PrintToString(text);
}

void compare_all(Find find, Looks looks) {
  for (std::size_t length = 0; length <= 20; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        auto text = std::string(length, 'x');
        text[at] = static_cast<char>(byte);
        compare(find, looks, text);
      }
    }
  }
  // Neighbours must not carry into each other.
  std::mt19937 random(5);
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 24, '\0');
    for (char& c : text) c = static_cast<char>(random() % 3 == 0 ? random() : 'a' + random() % 26);
    compare(find, looks, text);
  }
}

TEST(ByteScan, FindsOddBytesOfNamesAsByteByByte) { compare_all(find_odd_in_name, is_odd); }
TEST(ByteScan, FindsWhatCannotBePrintedAsByteByByte) {
  compare_all(find_not_printable, is_not_printable);
}
TEST(ByteScan, FindsControlsAsByteByByte) { compare_all(find_control, is_control); }

}  // namespace
}  // namespace certgate::http
