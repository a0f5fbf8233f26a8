// The classes of characters that the language's texts are made of.
#pragma once

namespace certgate::rules {

inline bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace certgate::rules
