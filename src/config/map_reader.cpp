// Type checks, ranges, unknown and missing keys.
#include "map_reader.hpp"
#include "in_backquotes.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <optional>

#include "certgate/base/encoding.hpp"

namespace certgate::config {
namespace {

// Long values would bury the message.
std::string shown(std::string_view text) {
  constexpr std::size_t most = 40;
  std::string out{text.substr(0, most)};
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return text.size() > most ? in_backquotes(out + "...") : in_backquotes(out);
}

std::pair<std::string_view, std::string_view> bounds(std::string_view range) {
  std::size_t const dots = range.find("..");
  return {range.substr(0, dots), range.substr(dots + 2)};
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    std::size_t const at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == text.npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string listed(std::vector<std::string_view> const& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size() || text.empty()) {
    return std::nullopt;
  }
  return number;
}

std::string range_hint(Key const& key) {
  auto const [low, high] = bounds(key.range);
  std::string hint = "from " + std::string{low} + " to " + std::string{high};
  if (!key.fallback.empty()) hint += "; the default is " + std::string{key.fallback};
  return hint;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7F;
  });
}

// "limits.header_bytes" -> "limits"; "hosts[].client_auth.ca" -> "hosts[].client_auth".
std::string_view parent_of(std::string_view path) {
  std::size_t const dot = path.rfind('.');
  return dot == path.npos ? std::string_view{} : path.substr(0, dot);
}

// What a person calls the map with that prefix.
std::string place_name(std::string_view prefix) {
  constexpr std::pair<std::string_view, std::string_view> names[] = {
      {"", "the file"},           {"listeners[]", "a listener"},
      {"hosts[]", "a host"},      {"hosts[].routes[]", "a route"},
      {"origins.*", "an origin"}, {"rules[]", "a rule"},
      {"lists.*", "a list"},      {"tests[]", "a test"},
  };
  for (auto const& [known, name] : names) {
    if (known == prefix) return std::string{name};
  }
  std::size_t const dot = prefix.rfind('.');
  return in_backquotes(dot == prefix.npos ? prefix : prefix.substr(dot + 1));
}

// Where a key that is unknown here is known.
std::string known_elsewhere(std::string_view name) {
  std::string where;
  for (Key const& key : all_keys()) {
    if (key.name() != name) continue;
    if (!where.empty()) where += " or ";
    std::string_view const parent = parent_of(key.path);
    where += parent.empty() ? "the top level" : place_name(parent);
  }
  return where;
}

}  // namespace

void Reading::wrong(Mark const& mark, std::string message, std::string hint) {
  if (mistakes.size() >= max_reported_mistakes) {
    ++unreported;
    return;
  }
  mistakes.add(mark.diagnostic(std::move(message), std::move(hint)));
}

Diagnostics Reading::take_mistakes() {
  mistakes.sort();
  if (unreported > 0) {
    Diagnostic more;
    more.message = std::to_string(unreported) + " more mistakes are not shown";
    more.hint = "mend these first";
    mistakes.add(std::move(more));
  }
  return std::move(mistakes);
}

std::string_view kind_name(Value const& value) {
  if (value.is_sequence()) return "a list";
  if (value.is_mapping()) return "a map";
  return "text";
}

std::string resolve_path(SourceText const& source, std::string_view written) {
  std::size_t const slash = source.name().rfind('/');
  if (written.starts_with('/') || slash == std::string::npos) return std::string{written};
  return source.name().substr(0, slash + 1) + std::string{written};
}

bool is_text(Reading& reading, std::string_view name, Value value, std::string_view wanted) {
  if (value.is_scalar() && !value.is_null()) return true;
  std::string const is{value.is_scalar() ? "empty" : kind_name(value)};
  reading.wrong(value, in_backquotes(name) + " must be " + std::string{wanted} + ", but is " + is,
                value.is_scalar() ? "write a value, or remove the key"
                                  : "a value that starts with [ or { needs quotes; write one value only");
  return false;
}

bool is_line(Reading& reading, std::string_view name, Value value) {
  if (!is_text(reading, name, value, "text")) return false;
  if (value.text().empty()) {
    reading.wrong(value, in_backquotes(name) + " is empty", "write a value, or remove the key");
    return false;
  }
  if (has_control(value.text())) {
    reading.wrong(value, in_backquotes(name) + " must be one line without control characters");
    return false;
  }
  return true;
}

FilePath read_path(Reading& reading, std::string_view name, Value value) {
  if (value.is_scalar() && value.text().starts_with("-----BEGIN")) {
    reading.wrong(value, in_backquotes(name) + " holds the text of a PEM file",
                  "save it as a file of its own and write its path here");
    return {};
  }
  if (!is_line(reading, name, value)) return {};
  return {std::string{value.text()}, resolve_path(value.source(), value.text()), value.mark()};
}

MapReader::MapReader(Reading& reading, Value map, std::string_view prefix)
    : reading_(reading),
      map_(map),
      prefix_(prefix),
      keys_(keys_of(prefix)),
      found_(keys_.size()),
      asked_(keys_.size(), false),
      meant_(keys_.size(), false) {
  if (!map.is_mapping()) {
    std::string const name = place_name(prefix);
    std::string example;
    for (Key const* key : keys_) {
      if (example.empty() || key->required) example = key->name();
      if (key->required) break;
    }
    reading_.wrong(map, name + " must be a map of keys, but is " + std::string{kind_name(map)},
                   "write `" + example + ": ...`, one key a line");
    return;
  }
  good_ = true;
  for (Value key = map.first(); key;) {
    Value const value = key.next();
    auto const known = std::find_if(keys_.begin(), keys_.end(), [&](Key const* candidate) {
      return key.is_scalar() && candidate->name() == key.text();
    });
    if (known == keys_.end()) {
      if (key.is_scalar()) report_unknown(key);
    } else {
      auto const at = static_cast<std::size_t>(known - keys_.begin());
      if (!found_[at]) found_[at] = value;
      if (value.is_null()) {
        reading_.wrong(key, in_backquotes(key.text()) + " has no value",
                       "write one behind or below it, or remove the key");
      }
    }
    key = value.next();
  }
}

void MapReader::report_unknown(Value key) {
  std::vector<std::string_view> names;
  for (Key const* known : keys_) names.push_back(known->name());
  std::string const where = prefix_.empty() ? "at the top level" : "in " + place_name(prefix_);
  std::string hint;
  if (auto const close_by = nearest(key.text(), names); !close_by.empty()) {
    hint = "did you mean `" + std::string{close_by} + "`?";
    auto const at = std::find(names.begin(), names.end(), close_by) - names.begin();
    meant_[static_cast<std::size_t>(at)] = true;
  } else if (auto const elsewhere = known_elsewhere(key.text()); !elsewhere.empty()) {
    hint = "it belongs to " + elsewhere;
  } else {
    hint = "known here: " + listed(names);
  }
  reading_.wrong(key, "unknown key " + shown(key.text()) + " " + where, std::move(hint));
}

void MapReader::finish() {
  if (!good_) return;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    assert(asked_[i] && "a key of the schema that nothing reads");
    if (!keys_[i]->required || found_[i] || meant_[i]) continue;
    std::string const where = prefix_.empty() ? "" : " in " + place_name(prefix_);
    reading_.wrong(
        map_, "missing key " + in_backquotes(keys_[i]->name()) + where,
        "add `" + std::string{keys_[i]->name()} + ": ...`. " + std::string{keys_[i]->summary});
  }
}

Key const& MapReader::key_named(std::string_view name) const {
  auto const known =
      std::find_if(keys_.begin(), keys_.end(), [&](Key const* key) { return key->name() == name; });
  assert(known != keys_.end() && "a key that the schema does not list");
  return **known;
}

Value MapReader::get(std::string_view name) {
  auto const known =
      std::find_if(keys_.begin(), keys_.end(), [&](Key const* key) { return key->name() == name; });
  assert(known != keys_.end() && "a key that the schema does not list");
  auto const at = static_cast<std::size_t>(known - keys_.begin());
  asked_[at] = true;
  if (!found_[at] || found_[at].is_null()) return {};
  return found_[at];
}

bool MapReader::has(std::string_view name) const {
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (keys_[i]->name() == name) return static_cast<bool>(found_[i]);
  }
  return false;
}

bool MapReader::has_value(std::string_view name) const {
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (keys_[i]->name() == name) return found_[i] && !found_[i].is_null();
  }
  return false;
}

bool MapReader::is_meant(std::string_view name) const {
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (keys_[i]->name() == name) return found_[i] || meant_[i];
  }
  return false;
}

void MapReader::wrong_value(Key const& key, Value value, std::string_view wanted) {
  std::string const is = value.is_scalar() ? shown(value.text()) : std::string{kind_name(value)};
  reading_.wrong(value, in_backquotes(key.name()) + " must be " + std::string{wanted} + ", but is " + is,
                 key.range.empty() ? "" : range_hint(key));
}

void MapReader::flag(std::string_view name, Setting<bool>& out) {
  Value const value = get(name);
  if (!value) return;
  if (value.is_plain() && (value.text() == "true" || value.text() == "false")) {
    out = {value.text() == "true", value.mark()};
    return;
  }
  std::string const is = value.is_scalar() ? shown(value.text()) : std::string{kind_name(value)};
  std::string hint;
  if (value.is_scalar()) {
    std::string const word = ascii_lower(value.text());
    if (word == "yes" || word == "on" || word == "1" || word == "true") hint = "write `true`";
    if (word == "no" || word == "off" || word == "0" || word == "false") hint = "write `false`";
    if (!hint.empty() && !value.is_plain()) hint += " without quotes";
  }
  reading_.wrong(value, in_backquotes(name) + " must be true or false, but is " + is, std::move(hint));
}

void MapReader::number(std::string_view name, Setting<std::uint64_t>& out) {
  Value const value = get(name);
  if (!value) return;
  Key const& key = key_named(name);
  if (key.fallback == "auto" && value.is_plain() && value.text() == "auto") {
    out = {0, value.mark()};
    return;
  }
  auto const number = value.is_plain() ? parse_number(value.text()) : std::nullopt;
  if (!number) return wrong_value(key, value, "a whole number");
  auto const [low, high] = bounds(key.range);
  if (*number < *parse_number(low) || *number > *parse_number(high)) {
    reading_.wrong(value, in_backquotes(name) + " is out of range", range_hint(key));
    return;
  }
  out = {*number, value.mark()};
}

void MapReader::duration(std::string_view name, Setting<Duration>& out) {
  Value const value = get(name);
  if (!value) return;
  Key const& key = key_named(name);
  auto const duration = value.is_scalar() ? parse_duration(value.text()) : std::nullopt;
  if (!duration) {
    bool const bare = value.is_scalar() && parse_number(value.text()).has_value();
    std::string const wanted = "a duration such as 250ms, 3s, 5m, 2h or 1d";
    if (!bare) return wrong_value(key, value, wanted);
    reading_.wrong(value, in_backquotes(name) + " needs a unit",
                   "write " + std::string{value.text()} + "s for seconds, or ms, m, h, d");
    return;
  }
  auto const [low, high] = bounds(key.range);
  if (*duration < *parse_duration(low) || *duration > *parse_duration(high)) {
    reading_.wrong(value, in_backquotes(name) + " is out of range", range_hint(key));
    return;
  }
  out = {*duration, value.mark()};
}

void MapReader::size(std::string_view name, Setting<ByteCount>& out) {
  Value const value = get(name);
  if (!value) return;
  Key const& key = key_named(name);
  if (key.fallback == "unlimited" && value.is_scalar() && value.text() == "unlimited") {
    out = {unlimited, value.mark()};
    return;
  }
  auto const size = value.is_scalar() ? parse_size(value.text()) : std::nullopt;
  if (!size) {
    bool const bare = value.is_scalar() && parse_number(value.text()).has_value();
    if (!bare) return wrong_value(key, value, "a size such as 512B, 32KiB, 10MiB or 1GiB");
    reading_.wrong(value, in_backquotes(name) + " needs a unit",
                   "write " + std::string{value.text()} + "B for bytes, or KiB, MiB, GiB");
    return;
  }
  auto const [low, high] = bounds(key.range);
  if (*size < *parse_size(low) || *size > *parse_size(high)) {
    reading_.wrong(value, in_backquotes(name) + " is out of range", range_hint(key));
    return;
  }
  out = {*size, value.mark()};
}

void MapReader::text(std::string_view name, Setting<std::string>& out) {
  Value const value = get(name);
  if (value && is_line(reading_, name, value)) out = {std::string{value.text()}, value.mark()};
}

void MapReader::lines(std::string_view name, Setting<std::string>& out) {
  Value const value = get(name);
  if (!value || !is_text(reading_, name, value, "text")) return;
  std::string_view const text = value.text();
  bool const controls = std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r') ||
           static_cast<unsigned char>(c) == 0x7F;
  });
  if (controls) {
    reading_.wrong(value, in_backquotes(name) + " holds control characters");
    return;
  }
  out = {std::string{text}, value.mark()};
}

void MapReader::path(std::string_view name, FilePath& out) {
  Value const value = get(name);
  if (!value) return;
  std::string_view const fallback = key_named(name).fallback;
  if (!fallback.empty() && value.is_scalar() && value.text() == fallback) return;
  out = read_path(reading_, name, value);
}

void MapReader::paths(std::string_view name, std::vector<FilePath>& out) {
  one_or_more(name, [&](Value value) {
    FilePath path = read_path(reading_, name, value);
    if (path.empty()) return;
    auto const before = std::find(out.begin(), out.end(), path);
    if (before != out.end()) {
      reading_.wrong(value,
                     "the file " + shown(value.text()) + " is named twice in " + in_backquotes(name),
                     "remove one of them");
      return;
    }
    out.push_back(std::move(path));
  });
}

void MapReader::one_or_more(std::string_view name, std::function<void(Value)> const& each) {
  Value const value = get(name);
  if (!value) return;
  if (!value.is_sequence()) return each(value);
  if (value.count() == 0) {
    reading_.wrong(value, in_backquotes(name) + " is an empty list",
                   "name at least one, or remove the key");
  }
  for (Value entry = value.first(); entry; entry = entry.next()) each(entry);
}

void MapReader::entries(std::string_view name, std::function<void(Value)> const& each) {
  Value const value = get(name);
  if (!value) return;
  if (!value.is_sequence()) {
    reading_.wrong(value, in_backquotes(name) + " must be a list, but is " + std::string{kind_name(value)},
                   "start each entry on a line of its own with `- `");
    return;
  }
  for (Value entry = value.first(); entry; entry = entry.next()) each(entry);
}

bool MapReader::is_choice(Key const& key, Value value) {
  auto const words = split(key.range, '|');
  if (value.is_scalar() && std::find(words.begin(), words.end(), value.text()) != words.end()) {
    return true;
  }
  std::string const is = value.is_scalar() ? shown(value.text()) : std::string{kind_name(value)};
  std::string hint;
  if (value.is_scalar()) {
    if (auto const close_by = nearest(value.text(), words); !close_by.empty()) {
      hint = "did you mean `" + std::string{close_by} + "`?";
    }
  }
  if (hint.empty() && !key.fallback.empty() && !key.fallback.starts_with("as ")) {
    hint = "the default is `" + std::string{key.fallback} + "`";
  }
  reading_.wrong(value, in_backquotes(key.name()) + " must be " + listed(words) + ", but is " + is,
                 std::move(hint));
  return false;
}

}  // namespace certgate::config
