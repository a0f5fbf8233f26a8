// Every key of the configuration file: the one table that parsing, suggestions and docs follow.
//
// Parsing asks for keys by name and takes type, range and choices from here, so that a key that is
// read but not listed, or listed but not read, is an assertion failure; a test compares
// docs/configuration.md and the defaults of config.hpp with this table.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace certgate::config {

enum class KeyType {
  map,         // keys of its own
  list,        // `- ` entries
  text,        // one line, or several
  flag,        // true or false
  number,      // a whole number
  duration,    // 250ms, 3s, 2h, 1d
  size,        // 32KiB, 10MiB
  choice,      // one of `range`, separated by |
  path,        // relative to the file that names it
  expression,  // Rules language
};

struct Key {
  // `.` goes into a map, `[]` into a list's entries, `.*` into a map with names of your own.
  std::string_view path;
  KeyType type;
  std::string_view fallback;  // the default as one would write it; empty: none
  std::string_view range;     // `low..high`, or the choices
  std::string_view summary;
  bool required = false;

  std::string_view name() const { return path.substr(path.rfind('.') + 1); }
};

// In the order of docs/configuration.md.
std::span<Key const> all_keys();
// The keys directly inside a map: "limits", "hosts[].client_auth", "" for the top level.
std::vector<Key const*> const& keys_of(std::string_view prefix);
std::string_view name_of(KeyType type);

}  // namespace certgate::config
