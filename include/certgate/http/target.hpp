// The request-target: what it is, and the one path that rules, origin and log all use.
//
// Refused (400): an empty target, a fragment (`#`), control characters, space, DEL and bytes above
// 0x7F, a percent sign without two hexadecimal digits, `%00` in the path, an absolute-form with
// user information or another scheme than http(s), `*` with any method but OPTIONS, CONNECT's
// authority-form (405), and these ambiguous paths:
//   a dot segment that appears only once an encoded separator is decoded (`/a/..%2Fadmin`; with
//     the Cloudflare type also `..%5Cadmin`, for there a backslash separates);
//   a dot segment with a parameter (`/..;x/admin`), which Java servers read as `..`;
//   an overlong UTF-8 sequence (`%C0%AE` for `.`).
// Kept, and the same for rules and origin: `%2F` and `%5C` elsewhere (upper-cased), `;parameters`,
// double encoding (`%252E` is the text "%2E"; one pass decodes once), and with the RFC 3986 type
// also empty segments (`//admin` is a path, never an authority).
//
// The query is judged and forwarded as received: Cloudflare's fields promise arguments without any
// decoding. A malformed escape is refused there too; `%00` in it is passed.
//
// Allocation-free: when nothing changes the normalised views are views of the target, otherwise of
// the scratch. Normalising twice gives what normalising once gave.
//
// See: RFC 9112 §3.2, RFC 3986 §3.3, §5.2.4, §6.2.2; Cloudflare's "URL normalization".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "certgate/base/result.hpp"
#include "certgate/http/message.hpp"

namespace certgate::http {

enum class Normalisation : std::uint8_t {
  rfc3986,     // decode unreserved, encode what may not stand raw, upper-case hex, no dot segments
  cloudflare,  // first `\` becomes `/`, then runs of `/` become one, then as above
};

enum class TargetForm : std::uint8_t { origin, absolute, asterisk };

struct Target {
  TargetForm form = TargetForm::origin;
  std::string_view scheme;     // absolute-form only, as received
  std::string_view authority;  // absolute-form only, as received

  std::string_view raw;        // path and query as received, in origin-form (`*` for asterisk)
  std::string_view raw_path;   // the part of `raw` before the first `?`
  std::string_view raw_query;  // the part after it

  std::string_view origin_form;  // normalised path and query: what is forwarded
  std::string_view path;
  std::string_view query;
  bool has_query = false;  // a `?` was there, even with nothing behind it
};

// Enough scratch for a target of that many bytes, however much must be encoded.
constexpr std::size_t target_scratch_bytes(std::size_t target_bytes) {
  return 6 * target_bytes + 8;
}

// REQUIRES: scratch.size() >= target_scratch_bytes(target.size()).
Result<Target, Refusal> parse_target(std::string_view method, std::string_view target,
                                     Normalisation type, std::span<char> scratch);

// The path alone; nullopt when it is ambiguous or malformed as told above.
// REQUIRES: path begins with `/` and scratch.size() >= 3 * path.size().
std::optional<std::string_view> normalise_path(std::string_view path, Normalisation type,
                                               std::span<char> scratch);

// What follows the last dot of the last segment, in the sender's case: "" for `/foo`, `/foo.` and
// `/.mp3`, "mp3" for `/.foo.mp3`. Rules see it in lower case.
std::string_view path_extension(std::string_view path);

// `path` is `prefix` or lies below it: the prefix ends at a segment boundary.
bool path_has_prefix(std::string_view path, std::string_view prefix);

// The arguments of a query in order, undecoded; `a` and `a=` both have an empty value, and empty
// pieces between `&` are left out.
struct Argument {
  std::string_view name;
  std::string_view value;
};
class ArgumentReader {
 public:
  explicit ArgumentReader(std::string_view query) : rest_(query) {}
  std::optional<Argument> next();

 private:
  std::string_view rest_;
};

// The pairs of a Cookie field (RFC 6265 §4.2.1) in order, trimmed, undecoded.
class CookieReader {
 public:
  explicit CookieReader(std::string_view value) : rest_(value) {}
  std::optional<Argument> next();

 private:
  std::string_view rest_;
};

}  // namespace certgate::http
