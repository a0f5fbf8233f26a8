// The families of standard functions, and what their implementations share.
#pragma once

#include <cstring>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "certgate/rules/function.hpp"

namespace certgate::rules {

void add_text_functions(std::vector<Function>& out);
void add_collection_functions(std::vector<Function>& out);
void add_encoding_functions(std::vector<Function>& out);
void add_replace_functions(std::vector<Function>& out);
void add_json_functions(std::vector<Function>& out);
void add_crypto_functions(std::vector<Function>& out);

inline ValueView out_of_arena(CallContext& context) noexcept {
  context.failed = true;
  return {};
}

// Bytes being written into the arena; at most the capacity asked for.
class ArenaText {
 public:
  ArenaText(CallContext& context, std::size_t capacity) noexcept
      : context_(context), start_(context.arena.allocate_array<char>(capacity)) {}
  bool ok() const { return start_ != nullptr; }
  void push(char c) noexcept { start_[size_++] = c; }
  void append(std::string_view text) noexcept {
    if (!text.empty()) std::memcpy(start_ + size_, text.data(), text.size());
    size_ += text.size();
  }
  char* data() { return start_; }
  std::size_t size() const { return size_; }
  void resize(std::size_t size) { size_ = size; }
  // The text, or failure when there was no room.
  ValueView value() noexcept {
    return ok() ? ValueView::bytes({start_, size_}) : out_of_arena(context_);
  }

 private:
  CallContext& context_;
  char* start_;
  std::size_t size_ = 0;
};

}  // namespace certgate::rules
