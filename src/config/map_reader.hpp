// Reads the keys of one YAML map into settings, by the types and ranges of the schema.
//
// Every key of the schema for that map must be asked for (asserted by finish()); what the file has
// besides them is an unknown key. A mistake leaves the setting at its default and is collected.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/config/names.hpp"
#include "certgate/config/read_config.hpp"
#include "certgate/config/schema.hpp"
#include "yaml_tree.hpp"

namespace certgate::config {

// What one reading of a configuration shares.
struct Reading {
  explicit Reading(FileReader& reader) : files(reader) {}

  FileReader& files;
  Diagnostics mistakes;
  Diagnostics warnings;
  std::size_t unreported = 0;  // beyond max_reported_mistakes
  std::vector<std::shared_ptr<SourceText const>> sources;

  std::size_t count() const { return mistakes.size() + unreported; }
  void wrong(Mark const& mark, std::string message, std::string hint = {});
  void wrong(Value const& value, std::string message, std::string hint = {}) {
    wrong(value.mark(), std::move(message), std::move(hint));
  }
  void odd(Value const& value, std::string message, std::string hint) {
    warnings.add(value.mark().diagnostic(std::move(message), std::move(hint), Severity::warning));
  }
  // Adds the text to `sources`; marks into it stay valid.
  SourceText const& keep(SourceText source) {
    sources.push_back(std::make_shared<SourceText const>(std::move(source)));
    return *sources.back();
  }
  // Sorted, with a last line for what was not reported.
  Diagnostics take_mistakes();
};

// "a list", "a map", "text": for messages.
std::string_view kind_name(Value const& value);
// `written` against the folder of the source that it stands in.
std::string resolve_path(SourceText const& source, std::string_view written);

class MapReader {
 public:
  // `prefix`: of the schema, such as "hosts[].client_auth".
  MapReader(Reading& reading, Value map, std::string_view prefix);
  ~MapReader() { finish(); }
  MapReader(MapReader const&) = delete;
  MapReader& operator=(MapReader const&) = delete;

  bool good() const { return good_; }
  Mark mark() const { return map_.mark(); }
  Reading& reading() { return reading_; }
  // The value of a key, or nothing when it is absent or empty (which is a mistake).
  Value get(std::string_view name);
  // Written, if without a value.
  bool has(std::string_view name) const;
  // get() would have it.
  bool has_value(std::string_view name) const;
  // Written, or most likely what an unknown key was meant to be: not missing.
  bool is_meant(std::string_view name) const;

  void flag(std::string_view name, Setting<bool>& out);
  void number(std::string_view name, Setting<std::uint64_t>& out);
  void duration(std::string_view name, Setting<Duration>& out);
  void size(std::string_view name, Setting<ByteCount>& out);
  // One line without control characters, not empty.
  void text(std::string_view name, Setting<std::string>& out);
  // Any number of lines; may be empty.
  void lines(std::string_view name, Setting<std::string>& out);
  void path(std::string_view name, FilePath& out);
  void paths(std::string_view name, std::vector<FilePath>& out);
  // Calls `each` for every entry of a list, or for the value itself where it is not a list.
  void one_or_more(std::string_view name, std::function<void(Value)> const& each);
  // Calls `each` for every entry of what must be a list.
  void entries(std::string_view name, std::function<void(Value)> const& each);
  template <class Enum>
  void choice(std::string_view name, Setting<Enum>& out) {
    Value const value = get(name);
    if (value) choice_of(key_named(name), value, out);
  }
  template <class Enum>
  bool choice_of(Key const& key, Value value, Setting<Enum>& out) {
    if (!is_choice(key, value)) return false;
    for (int i = 0; !name_of(static_cast<Enum>(i)).empty(); ++i) {
      if (name_of(static_cast<Enum>(i)) == value.text()) {
        out = {static_cast<Enum>(i), value.mark()};
        return true;
      }
    }
    return false;
  }
  Key const& key_named(std::string_view name) const;

 private:
  void finish();
  void report_unknown(Value key);
  bool is_choice(Key const& key, Value value);
  void wrong_value(Key const& key, Value value, std::string_view wanted);

  Reading& reading_;
  Value map_;
  std::string_view prefix_;
  std::vector<Key const*> const& keys_;
  std::vector<Value> found_;  // beside keys_
  std::vector<bool> asked_;
  std::vector<bool> meant_;  // an unknown key looks like it
  bool good_ = false;
};

// A scalar's text, or a mistake that says that `name` must be `wanted`.
bool is_text(Reading& reading, std::string_view name, Value value, std::string_view wanted);
// One line without control characters, not empty; otherwise a mistake.
bool is_line(Reading& reading, std::string_view name, Value value);
FilePath read_path(Reading& reading, std::string_view name, Value value);

}  // namespace certgate::config
