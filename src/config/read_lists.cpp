// Reads named lists, and guesses their type where none is written.
#include <algorithm>

#include "read_parts.hpp"
#include "utf8_text.hpp"
#include "in_backquotes.hpp"

namespace certgate::config {
namespace {

bool is_list_name(std::string_view name) {
  return !name.empty() && name.front() != '.' && name.back() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
         });
}

bool is_integer(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.size() <= 19 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Host bits that are not zero are a mistake of the entry, not a sign that it is a string.
bool is_address(std::string_view text) {
  return IpAddress::parse(text.substr(0, text.find('/'))).has_value();
}

template <class Predicate>
bool both_ends(std::string_view text, Predicate const& is) {
  std::size_t const dots = text.find("..");
  if (dots == text.npos) return is(text);
  return is(text.substr(0, dots)) && is(text.substr(dots + 2));
}

class TypeGuess {
 public:
  void see(std::string_view entry) {
    any_ = true;
    integers_ = integers_ && both_ends(entry, is_integer);
    addresses_ = addresses_ && both_ends(entry, is_address);
  }
  bool decided() const { return !integers_ && !addresses_; }
  ListType type() const {
    if (any_ && integers_) return ListType::integer;
    if (any_ && addresses_) return ListType::ip;
    return ListType::string;
  }

 private:
  bool any_ = false;
  bool integers_ = true;
  bool addresses_ = true;
};

// One entry a line; `#` starts a comment at the start of a line or behind white space.
ListType guess_type(std::string_view text) {
  TypeGuess guess;
  while (!text.empty() && !guess.decided()) {
    std::size_t const end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    for (std::size_t at = line.find('#'); at != line.npos; at = line.find('#', at + 1)) {
      if (at != 0 && line[at - 1] != ' ' && line[at - 1] != '\t') continue;
      line = line.substr(0, at);
      break;
    }
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) {
      line.remove_suffix(1);
    }
    std::size_t const first = line.find_first_not_of(" \t");
    if (first != line.npos) guess.see(line.substr(first));
  }
  return guess.type();
}

void read_values(Reading& reading, Value values, List& list, bool typed) {
  TypeGuess guess;
  bool strings = false;
  list.entries.reserve(values.count());
  for (Value entry = values.first(); entry; entry = entry.next()) {
    if (!entry.is_scalar() || entry.is_null()) {
      reading.wrong(entry, "an entry of list " + in_backquotes(*list.name) + " must be a value, but is " +
                               std::string{entry.is_scalar() ? "empty" : kind_name(entry)},
                    "write the values one by one, such as [192.0.2.1, 198.51.100.0/24]");
      continue;
    }
    guess.see(entry.text());
    strings = strings || !entry.is_plain();
    list.entries.push_back({std::string{entry.text()}, entry.mark()});
  }
  // "007" in quotes is meant as text; an address in quotes is still an address.
  if (typed) return;
  ListType const type = guess.type();
  list.type.value = strings && type == ListType::integer ? ListType::string : type;
}

void read_list_file(Reading& reading, List& list, bool typed) {
  auto text = reading.files.read(list.file.resolved);
  if (!text) {
    reading.wrong(list.file.mark,
                  "cannot read " + in_backquotes(list.file.written) + ": " + text.error().detail,
                  hint_for_unreadable(text.error()));
    return;
  }
  if (text->starts_with("\xEF\xBB\xBF")) text->erase(0, 3);
  list.text = std::make_shared<SourceText const>(list.file.resolved, std::move(*text));
  reading.sources.push_back(list.text);
  if (auto const wrong = find_text_mistake(list.text->text())) {
    reading.wrong(Mark{*list.text, wrong->offset, wrong->length}, wrong->message, wrong->hint);
    return;
  }
  if (!typed) list.type.value = guess_type(list.text->text());
}

List read_list(Reading& reading, Value name, Value value) {
  List list;
  list.name = {std::string{name.text()}, name.mark()};
  if (value.is_sequence()) {
    read_values(reading, value, list, false);
    return list;
  }
  if (!value.is_mapping()) {
    reading.wrong(value,
                  "list " + in_backquotes(name.text()) + " must be a list of values, or a map with `file`",
                  "write [" + std::string{value.text().substr(0, 40)} + "]");
    return list;
  }
  MapReader map{reading, value, "lists.*"};
  map.choice("type", list.type);
  bool const typed = list.type.mark.written();
  if (Value const values = map.get("values")) {
    if (values.is_sequence()) {
      read_values(reading, values, list, typed);
    } else {
      reading.wrong(values, "`values` must be a list, but is " + std::string{kind_name(values)});
    }
  }
  map.path("file", list.file);
  if (!list.file.empty()) read_list_file(reading, list, typed);
  if (map.has("values") == map.has("file")) {
    reading.wrong(name, "list " + in_backquotes(name.text()) + " needs either `values` or `file`",
                  map.has("file") ? "keep one of them" : "add one of them");
  }
  return list;
}

}  // namespace

std::vector<List> read_lists(MapReader& top) {
  std::vector<List> lists;
  Value const map = top.get("lists");
  if (!map) return lists;
  if (!map.is_mapping()) {
    top.reading().wrong(map,
                        "`lists` must be a map of names, but is " + std::string{kind_name(map)},
                        "write `office: [192.0.2.0/24]`");
    return lists;
  }
  for (Value name = map.first(); name;) {
    Value const value = name.next();
    if (name.is_scalar()) {
      auto const before = top.reading().count();
      if (!is_list_name(name.text())) {
        bool const dollar = name.text().starts_with('$');
        top.reading().wrong(name, in_backquotes(name.text()) + " is not a name for a list",
                            dollar ? "leave the dollar sign to the rules: `in $name`"
                                   : "use a-z, 0-9, `_` and `.`, not at the ends");
      }
      lists.push_back(read_list(top.reading(), name, value));
      if (top.reading().count() != before) lists.pop_back();
    }
    name = value.next();
  }
  return lists;
}

}  // namespace certgate::config
