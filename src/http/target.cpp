// Classifies a request-target byte by byte; only a path with something to change is rewritten.
#include "certgate/http/target.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "certgate/base/encoding.hpp"

namespace certgate::http {
namespace {

enum : std::uint8_t {
  plain = 0,    // stands for itself wherever it is
  refused = 1,  // space, controls, DEL, above 0x7F, `#`
  percent = 2,
  slash = 4,
  backslash = 8,
  encode = 16,  // RFC 3986 has no place for it unencoded
  semicolon = 32,
};

constexpr auto classes = [] {
  std::array<std::uint8_t, 256> table{};
  for (unsigned c = 0; c < 256; ++c) table[c] = c <= 0x20 || c >= 0x7F ? refused : plain;
  table['#'] = refused;
  table['%'] = percent;
  table['/'] = slash;
  table['\\'] = backslash;
  table[';'] = semicolon;
  for (unsigned char const c : {'"', '<', '>', '^', '`', '{', '|', '}'}) table[c] = encode;
  return table;
}();

std::uint8_t class_of(char c) { return classes[static_cast<unsigned char>(c)]; }

// RFC 3986 §2.3: unreserved = ALPHA / DIGIT / "-" / "." / "_" / "~"
bool is_unreserved(int c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

// The byte that `%XX` at the front stands for, or -1. REQUIRES: text begins with `%`.
int escaped_byte(std::string_view text) {
  if (text.size() < 3) return -1;
  int const high = hex_digit(text[1]);
  int const low = hex_digit(text[2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// RFC 3629 §3: the shortest form only. REQUIRES: `first` is the escape at the front of `text`.
bool begins_overlong(int first, std::string_view text) {
  if (first != 0xC0 && first != 0xC1 && first != 0xE0 && first != 0xF0) return false;
  auto const rest = text.substr(3);
  if (rest.empty() || rest.front() != '%') return false;
  int const second = escaped_byte(rest);
  switch (first) {
    case 0xE0:
      return second >= 0x80 && second <= 0x9F;
    case 0xF0:
      return second >= 0x80 && second <= 0x8F;
    default:
      return second >= 0x80 && second <= 0xBF;
  }
}

// What a first look at a path says.
struct PathScan {
  Refusal refusal{0, {}};
  bool changes = false;  // normalisation would alter it
  bool encoded_separator = false;
  bool parameters = false;
};

PathScan scan_path(std::string_view path, Normalisation type) {
  PathScan scan;
  char const* const begin = path.data();
  char const* const end = begin + path.size();
  for (char const* at = begin; at != end; ++at) {
    auto const what = class_of(*at);
    if (what == plain) continue;
    switch (what) {
      case slash: {
        if (at + 1 == end) break;
        char const next = at[1];
        // Segments that may be dot segments are rare enough to let the slow way decide.
        if (next == '.') scan.changes = true;
        if (next == '/' && type == Normalisation::cloudflare) scan.changes = true;
        break;
      }
      case percent: {
        std::string_view const rest(at, static_cast<std::size_t>(end - at));
        int const byte = escaped_byte(rest);
        if (byte < 0) {
          scan.refusal = {400, "bad_escape"};
          return scan;
        }
        if (byte == 0) {
          scan.refusal = {400, "nul_in_path"};
          return scan;
        }
        if (begins_overlong(byte, rest)) {
          scan.refusal = {400, "overlong_utf8"};
          return scan;
        }
        if (byte == '/' || byte == '\\') scan.encoded_separator = true;
        if (is_unreserved(byte) || ascii_upper(at[1]) != at[1] || ascii_upper(at[2]) != at[2]) {
          scan.changes = true;
        }
        at += 2;
        break;
      }
      case backslash:
      case encode:
        scan.changes = true;
        break;
      case semicolon:
        scan.parameters = true;
        break;
      default:
        scan.refusal = {400, "bad_target_character"};
        return scan;
    }
  }
  return scan;
}

// Is one of the segments, split at encoded separators too, a dot segment that the plain reading
// does not show? REQUIRES: path is normalised, so that plain dot segments are gone.
bool hides_dot_segment(std::string_view path, Normalisation type) {
  auto const separator_at = [&](std::size_t i) -> std::size_t {
    if (path[i] == '/') return 1;
    if (path[i] != '%') return 0;
    auto const code = path.substr(i, 3);
    if (code == "%2F") return 3;
    // With the RFC 3986 type a backslash is a character like any other, raw or encoded.
    return code == "%5C" && type == Normalisation::cloudflare ? 3 : 0;
  };
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= path.size();) {
    std::size_t const separator = i == path.size() ? 1 : separator_at(i);
    if (separator == 0) {
      ++i;
      continue;
    }
    auto segment = path.substr(begin, i - begin);
    segment = segment.substr(0, segment.find(';'));
    if (segment == "." || segment == "..") return true;
    i += separator;
    begin = i;
  }
  return false;
}

constexpr std::string_view upper_digits = "0123456789ABCDEF";

char* write_escape(char* to, unsigned char byte) {
  to[0] = '%';
  to[1] = upper_digits[byte >> 4];
  to[2] = upper_digits[byte & 15];
  return to + 3;
}

// RFC 3986 §5.2.4, at the end of a segment that begins behind the slash at `segment`.
// Returns where the next byte goes; a `..` takes the segment before it along.
char* close_segment(char* begin, char* segment, char* to) {
  auto const length = to - segment;  // slash included
  if (length == 2 && segment[1] == '.') return segment;
  if (length == 3 && segment[1] == '.' && segment[2] == '.') {
    if (segment == begin) return segment;
    do --segment;
    while (*segment != '/');
    return segment;
  }
  return to;
}

// REQUIRES: scan_path() found nothing to refuse; `to` has room for three times the path.
std::size_t rewrite_path(std::string_view path, Normalisation type, char* const begin) {
  bool const slashes = type == Normalisation::cloudflare;
  char* to = begin;
  char* segment = begin;
  bool dot_last = false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (slashes && c == '\\') c = '/';
    if (c == '/') {
      if (i != 0) {
        if (slashes && to == segment + 1 && *segment == '/') continue;
        to = close_segment(begin, segment, to);
      }
      segment = to;
      *to++ = '/';
      continue;
    }
    switch (class_of(c)) {
      case percent: {
        auto const byte =
            static_cast<unsigned char>(hex_digit(path[i + 1]) * 16 + hex_digit(path[i + 2]));
        if (is_unreserved(byte)) {
          *to++ = static_cast<char>(byte);
        } else {
          to = write_escape(to, byte);
        }
        i += 2;
        break;
      }
      case backslash:
      case encode:
        to = write_escape(to, static_cast<unsigned char>(c));
        break;
      default:
        *to++ = c;
    }
  }
  char* const closed = close_segment(begin, segment, to);
  dot_last = closed != to;
  to = closed;
  // "/a/." and "/a/b/.." end in the slash of the directory they name.
  if (dot_last || to == begin) *to++ = '/';
  return static_cast<std::size_t>(to - begin);
}

Result<std::string_view, Refusal> normalise(std::string_view path, Normalisation type,
                                            std::span<char> scratch) {
  auto const scan = scan_path(path, type);
  if (scan.refusal.status != 0) return fail(scan.refusal);
  if (scan.changes) {
    assert(scratch.size() >= 3 * path.size());
    path = {scratch.data(), rewrite_path(path, type, scratch.data())};
  }
  if ((scan.encoded_separator || scan.parameters) && hides_dot_segment(path, type)) {
    return fail(Refusal{400, "hidden_dot_segment"});
  }
  return path;
}

Refusal check_query(std::string_view query) {
  for (std::size_t i = 0; i < query.size(); ++i) {
    auto const what = class_of(query[i]);
    if (what == refused) return {400, "bad_target_character"};
    if (what == percent) {
      if (escaped_byte(query.substr(i)) < 0) return {400, "bad_escape"};
      i += 2;
    }
  }
  return {0, {}};
}

// Splits `raw`, normalises its path, and puts path and query together again.
Result<Target, Refusal> parse_origin_form(Target target, Normalisation type,
                                          std::span<char> scratch) {
  auto const raw = target.raw;
  auto const question = static_cast<char const*>(std::memchr(raw.data(), '?', raw.size()));
  std::string_view suffix;  // `?` and query
  if (question != nullptr) {
    auto const at = static_cast<std::size_t>(question - raw.data());
    suffix = raw.substr(at);
    target.raw_path = raw.substr(0, at);
    target.raw_query = suffix.substr(1);
    target.has_query = true;
    if (auto const refusal = check_query(target.raw_query); refusal.status != 0) {
      return fail(refusal);
    }
  } else {
    target.raw_path = raw;
  }
  auto const path = normalise(target.raw_path, type, scratch);
  if (!path) return fail(path.error());
  target.path = *path;
  target.query = target.raw_query;
  if (path->data() == raw.data()) {
    target.origin_form = raw;
    return target;
  }
  char* const end = scratch.data() + path->size();
  std::copy(suffix.begin(), suffix.end(), end);
  target.origin_form = {scratch.data(), path->size() + suffix.size()};
  if (target.has_query) target.query = target.origin_form.substr(path->size() + 1);
  return target;
}

Result<Target, Refusal> parse_absolute_form(std::string_view text, std::size_t scheme_length,
                                            Normalisation type, std::span<char> scratch) {
  Target target;
  target.form = TargetForm::absolute;
  target.scheme = text.substr(0, scheme_length);
  text.remove_prefix(scheme_length + 3);
  auto const end = text.find_first_of("/?#\\");
  target.authority = text.substr(0, end);
  if (target.authority.empty()) return fail(Refusal{400, "bad_authority"});
  if (target.authority.find('@') != std::string_view::npos) {
    return fail(Refusal{400, "user_information"});
  }
  auto const rest = end == std::string_view::npos ? std::string_view{} : text.substr(end);
  if (rest.starts_with('/')) {
    target.raw = rest;
    return parse_origin_form(target, type, scratch);
  }
  if (!rest.empty() && rest.front() != '?') return fail(Refusal{400, "bad_target_character"});
  // RFC 9112 §3.2.1: "If the target URI's path component is empty, the client MUST send "/" as the
  // path within the origin-form of request-target."
  char* const composed = scratch.data();
  composed[0] = '/';
  std::copy(rest.begin(), rest.end(), composed + 1);
  target.raw = {composed, rest.size() + 1};
  return parse_origin_form(target, type, scratch.subspan(rest.size() + 1));
}

// "http" or "https" before "://", without case; 0 when the text does not begin so.
std::size_t scheme_length(std::string_view text) {
  for (std::string_view const scheme : {"http", "https"}) {
    if (text.size() > scheme.size() && ascii_iequal(text.substr(0, scheme.size()), scheme) &&
        text.substr(scheme.size()).starts_with("://")) {
      return scheme.size();
    }
  }
  return 0;
}

}  // namespace

Result<Target, Refusal> parse_target(std::string_view method, std::string_view target,
                                     Normalisation type, std::span<char> scratch) {
  assert(scratch.size() >= target_scratch_bytes(target.size()));
  // CONNECT is no proxying of a resource but a tunnel to anywhere.
  if (method == "CONNECT") return fail(Refusal{405, "connect_refused"});
  if (target.empty()) return fail(Refusal{400, "empty_target"});
  if (target.front() == '/') {
    Target parsed;
    parsed.raw = target;
    return parse_origin_form(parsed, type, scratch);
  }
  if (target == "*") {
    // RFC 9112 §3.2.4: "The "asterisk-form" of request-target is only used for a server-wide
    // OPTIONS request".
    if (method != "OPTIONS") return fail(Refusal{400, "asterisk_target"});
    Target parsed;
    parsed.form = TargetForm::asterisk;
    parsed.raw = parsed.raw_path = parsed.origin_form = parsed.path = target;
    return parsed;
  }
  if (auto const length = scheme_length(target); length != 0) {
    return parse_absolute_form(target, length, type, scratch);
  }
  return fail(Refusal{400, "bad_target_form"});
}

std::optional<std::string_view> normalise_path(std::string_view path, Normalisation type,
                                               std::span<char> scratch) {
  auto const normalised = normalise(path, type, scratch);
  if (!normalised) return std::nullopt;
  return *normalised;
}

std::string_view path_extension(std::string_view path) {
  auto const last_slash = path.rfind('/');
  auto const segment = last_slash == std::string_view::npos ? path : path.substr(last_slash + 1);
  auto const dot = segment.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return {};
  return segment.substr(dot + 1);
}

bool path_has_prefix(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return false;
  if (prefix.empty() || prefix.back() == '/') return true;
  return path.size() == prefix.size() || path[prefix.size()] == '/';
}

std::optional<Argument> ArgumentReader::next() {
  while (!rest_.empty()) {
    auto const end = std::min(rest_.find('&'), rest_.size());
    auto const piece = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (piece.empty()) continue;
    auto const equals = piece.find('=');
    if (equals == std::string_view::npos) return Argument{piece, {}};
    return Argument{piece.substr(0, equals), piece.substr(equals + 1)};
  }
  return std::nullopt;
}

std::optional<Argument> CookieReader::next() {
  while (!rest_.empty()) {
    auto const end = std::min(rest_.find(';'), rest_.size());
    auto const piece = trim(rest_.substr(0, end));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (piece.empty()) continue;
    auto const equals = piece.find('=');
    if (equals == std::string_view::npos) return Argument{piece, {}};
    return Argument{trim(piece.substr(0, equals)), trim(piece.substr(equals + 1))};
  }
  return std::nullopt;
}

}  // namespace certgate::http
