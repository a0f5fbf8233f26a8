// YAML text to Config, or every mistake in it.
//
// Quiet: the main text is given, and what it includes (`rule_files`, list files) is asked for
// through a FileReader that the caller supplies. Certificates, keys, CAs and CRLs are not read;
// their paths are resolved. Environment variables are not expanded.
//
// YAML as libyaml reads it. Anchors, aliases and merge keys are allowed within the limits
// below; duplicate keys, several documents and text that is not UTF-8 are mistakes.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "certgate/base/diagnostic.hpp"
#include "certgate/base/result.hpp"
#include "certgate/config/config.hpp"

namespace certgate::config {

inline constexpr std::size_t max_file_bytes{64 * 1024 * 1024};
inline constexpr std::size_t max_yaml_nodes{8'000'000};     // after aliases are expanded
inline constexpr std::size_t max_alias_expansion{100'000};  // nodes that come from aliases
inline constexpr std::size_t max_yaml_depth{64};
inline constexpr std::size_t max_list_entries{10'000'000};
inline constexpr std::size_t max_reported_mistakes{200};

// What to do about a file that could not be read.
std::string hint_for_unreadable(Error const& error);

class FileReader {
 public:
  virtual ~FileReader() = default;
  // The whole file. `path` is already resolved against the file that names it.
  virtual Result<std::string> read(std::string const& path) = 0;
};

// The name of `source` is the path of the main file: relative paths start at its folder, and
// diagnostics show it. On success, Config::warnings holds what is odd but works.
Result<Config, Diagnostics> parse_config(SourceText source, FileReader& files);

// As much of a wrong configuration as could be read, so that what it names and the expressions in
// it can be judged in the same go.
struct PartialConfig {
  Config config;  // what is wrong is left out, or at its default
  Diagnostics mistakes;
  bool all_reported = false;      // no more than max_reported_mistakes
  std::vector<bool> whole_hosts;  // beside config.hosts: nothing of it is wrong or missing
  std::vector<bool> whole_origins;
  bool lists_are_whole = false;   // otherwise `in $name` may name one that is left out
  bool limits_are_whole = false;
};
// parse_config() for those who go on after a mistake.
Result<Config, PartialConfig> parse_config_in_parts(SourceText source, FileReader& files);

// A file of `certgate test`: a list of tests, or a map with the one key `tests`. The marks point
// into the source that comes along.
struct TestFile {
  std::shared_ptr<SourceText const> source;
  std::vector<RuleTest> tests;
};
Result<TestFile, Diagnostics> parse_tests(SourceText source);

}  // namespace certgate::config
