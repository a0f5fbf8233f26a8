// lookup_json_string() and lookup_json_integer(): one value out of a JSON text, without a tree.
//
// The whole text is validated (RFC 8259) in one pass with a fixed stack; what is deeper than
// max_depth, or not JSON, has no value. Of repeated names the last one counts.
#include <optional>

#include "certgate/base/encoding.hpp"
#include "function_families.hpp"

namespace certgate::rules {

namespace {

constexpr std::size_t max_depth = 128;

class JsonScanner {
 public:
  // `path` holds names (Bytes) and positions (Int).
  JsonScanner(std::string_view text, std::span<ValueView const> path) : text_(text), path_(path) {}

  // The source text of the value at the end of the path; nullopt when there is none or the text is
  // not JSON.
  std::optional<std::string_view> find() noexcept {
    skip_space();
    if (!value()) return std::nullopt;
    skip_space();
    if (at_ != text_.size() || !found_) return std::nullopt;
    return found_;
  }

 private:
  // `matched_` containers from the outermost on lie on the path.
  bool on_path() const { return matched_ == depth_; }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  bool value() noexcept {
    bool const wanted = on_path() && depth_ == path_.size();
    auto const start = at_;
    bool fine = false;
    switch (peek()) {
      case '{':
        fine = container('}');
        break;
      case '[':
        fine = container(']');
        break;
      case '"':
        fine = string();
        break;
      case 't':
        fine = word("true");
        break;
      case 'f':
        fine = word("false");
        break;
      case 'n':
        fine = word("null");
        break;
      default:
        fine = number();
    }
    if (fine && wanted) found_ = text_.substr(start, at_ - start);
    return fine;
  }

  // Recursion is bounded by max_depth.
  bool container(char close) noexcept {
    if (depth_ + 1 > max_depth) return false;
    bool const is_object = close == '}';
    bool const wanted = on_path() && depth_ < path_.size() &&
                        path_[depth_].kind() == (is_object ? Kind::bytes : Kind::integer);
    ++at_;
    ++depth_;
    skip_space();
    bool fine = true;
    if (peek() == close) {
      ++at_;
    } else {
      fine = members(close, wanted);
    }
    --depth_;
    if (matched_ > depth_) matched_ = depth_;
    return fine;
  }

  bool members(char close, bool wanted) noexcept {
    auto const level = depth_ - 1;
    for (std::int64_t position = 0;; ++position) {
      bool matches = false;
      if (close == '}') {
        auto const start = at_;
        if (peek() != '"' || !string()) return false;
        matches =
            wanted && is_name(text_.substr(start + 1, at_ - start - 2), path_[level].as_bytes());
        skip_space();
        if (peek() != ':') return false;
        ++at_;
      } else {
        matches = wanted && path_[level].as_integer() == position;
      }
      skip_space();
      if (matches) {
        matched_ = depth_;
        found_.reset();  // a repeated name replaces what the earlier one had
      }
      if (!value()) return false;
      if (matches) matched_ = level;
      skip_space();
      if (peek() == close) {
        ++at_;
        return true;
      }
      if (peek() != ',') return false;
      ++at_;
      skip_space();
    }
  }

  bool word(std::string_view expected) noexcept {
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }

  bool digits() noexcept {
    auto const start = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > start;
  }

  bool number() noexcept {
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
    } else if (!digits()) {
      return false;
    }
    if (peek() == '.') {
      ++at_;
      if (!digits()) return false;
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return false;
    }
    return true;
  }

  bool string() noexcept {
    for (++at_; at_ < text_.size(); ++at_) {
      auto const c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c < 0x20) return false;
      if (c != '\\') continue;
      ++at_;
      if (at_ == text_.size()) return false;
      if (text_[at_] == 'u') {
        if (at_ + 4 >= text_.size()) return false;
        for (int i = 1; i <= 4; ++i) {
          if (hex_digit(text_[at_ + static_cast<std::size_t>(i)]) < 0) return false;
        }
        at_ += 4;
      } else if (std::string_view("\"\\/bfnrt").find(text_[at_]) == std::string_view::npos) {
        return false;
      }
    }
    return false;
  }

  static bool is_name(std::string_view inside, std::string_view name) noexcept;

  std::string_view text_;
  std::span<ValueView const> path_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::size_t matched_ = 0;
  std::optional<std::string_view> found_;
};

unsigned read_hex4(char const* at) noexcept {
  unsigned code = 0;
  for (int i = 0; i < 4; ++i) code = code * 16 + static_cast<unsigned>(hex_digit(at[i]));
  return code;
}

// Calls sink(char) for each byte of a valid JSON string's value; false stops it. A lone surrogate
// has no UTF-8 form: then the result is false as well.
template <class Sink>
bool unescape(std::string_view inside, Sink sink) noexcept {
  for (std::size_t i = 0; i < inside.size(); ++i) {
    char c = inside[i];
    if (c != '\\') {
      if (!sink(c)) return false;
      continue;
    }
    c = inside[++i];
    if (c != 'u') {
      auto const known = std::string_view("bfnrt").find(c);
      if (known != std::string_view::npos) c = "\b\f\n\r\t"[known];
      if (!sink(c)) return false;
      continue;
    }
    auto code = read_hex4(inside.data() + i + 1);
    i += 4;
    if (code >= 0xd800 && code < 0xdc00 && inside.substr(i + 1).starts_with("\\u")) {
      auto const low = read_hex4(inside.data() + i + 3);
      if (low < 0xdc00 || low > 0xdfff) return false;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      i += 6;
    } else if (code >= 0xd800 && code <= 0xdfff) {
      return false;
    }
    char bytes[4];
    std::size_t count = 0;
    if (code < 0x80) {
      bytes[count++] = static_cast<char>(code);
    } else {
      if (code >= 0x10000) {
        bytes[count++] = static_cast<char>(0xf0 | code >> 18);
        bytes[count++] = static_cast<char>(0x80 | (code >> 12 & 63));
      } else if (code >= 0x800) {
        bytes[count++] = static_cast<char>(0xe0 | code >> 12);
      } else {
        bytes[count++] = static_cast<char>(0xc0 | code >> 6);
      }
      if (code >= 0x800) bytes[count++] = static_cast<char>(0x80 | (code >> 6 & 63));
      bytes[count++] = static_cast<char>(0x80 | (code & 63));
    }
    for (std::size_t k = 0; k < count; ++k) {
      if (!sink(bytes[k])) return false;
    }
  }
  return true;
}

bool JsonScanner::is_name(std::string_view inside, std::string_view name) noexcept {
  if (inside.find('\\') == std::string_view::npos) return inside == name;
  std::size_t at = 0;
  bool const same = unescape(inside, [&](char c) { return at < name.size() && name[at++] == c; });
  return same && at == name.size();
}

ValueView lookup_json_string(CallContext& context, std::span<ValueView const> arguments) noexcept {
  auto const found = JsonScanner(arguments[0].as_bytes(), arguments.subspan(1)).find();
  if (!found || !found->starts_with('"')) return {};
  auto const inside = found->substr(1, found->size() - 2);
  if (inside.find('\\') == std::string_view::npos) return ValueView::bytes(inside);
  ArenaText out(context, inside.size());
  if (!out.ok()) return out.value();
  bool const whole = unescape(inside, [&](char c) {
    out.push(c);
    return true;
  });
  return whole ? out.value() : ValueView();
}

ValueView lookup_json_integer(CallContext&, std::span<ValueView const> arguments) noexcept {
  auto const found = JsonScanner(arguments[0].as_bytes(), arguments.subspan(1)).find();
  if (!found) return {};
  auto digits = *found;
  bool const negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  if (digits.empty()) return {};
  std::int64_t number = 0;
  for (char const c : digits) {
    if (c < '0' || c > '9') return {};
    auto const digit = c - '0';
    if (__builtin_mul_overflow(number, 10, &number) ||
        __builtin_add_overflow(number, negative ? -digit : digit, &number)) {
      return {};
    }
  }
  return ValueView::integer(number);
}

}  // namespace

void add_json_functions(std::vector<Function>& out) {
  std::vector<Parameter> const parameters = {{"the JSON text", {bytes_type}, Accepts::field_only},
                                             {"a name or position", {bytes_type, int_type}}};
  out.push_back({.name = "lookup_json_string",
                 .parameters = parameters,
                 .required = 2,
                 .repeats_last = true,
                 .result = bytes_type,
                 .doc = "lookup_json_string(text, name or position, ...)",
                 .call = lookup_json_string});
  out.push_back({.name = "lookup_json_integer",
                 .parameters = parameters,
                 .required = 2,
                 .repeats_last = true,
                 .result = int_type,
                 .doc = "lookup_json_integer(text, name or position, ...)",
                 .call = lookup_json_integer});
}

}  // namespace certgate::rules
