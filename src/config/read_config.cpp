// Reads the top level of a configuration and puts the parts together.
#include "certgate/config/read_config.hpp"

#include <algorithm>

#include "read_parts.hpp"

namespace certgate::config {

Result<Config, PartialConfig> parse_config_in_parts(SourceText source, FileReader& files) {
  Reading reading{files};
  SourceText const& text = reading.keep(std::move(source));
  YamlTree const tree{text, reading.mistakes};
  PartialConfig part;
  Config& config = part.config;
  if (Value const root = tree.root()) {
    MapReader top{reading, root, ""};
    if (top.good()) {
      auto const before_settings = reading.count();
      read_plain_settings(top, config);
      part.limits_are_whole = reading.count() == before_settings;
      config.listeners = read_listeners(top);
      config.origins = read_origins(top, part.whole_origins);
      config.hosts = read_hosts(top, config, part.whole_hosts);
      auto const before_lists = reading.count();
      config.lists = read_lists(top);
      part.lists_are_whole = reading.count() == before_lists;
      config.rules = read_rules(top, config.rule_files);
      config.shadow = read_shadow(top);
      config.tests = read_tests(reading, top.get("tests"));
      check_references(reading, config);
    }
  }
  config.sources = std::move(reading.sources);
  if (reading.mistakes.has_errors()) {
    part.all_reported = reading.unreported == 0;
    part.mistakes = reading.take_mistakes();
    return fail(std::move(part));
  }
  config.warnings = std::move(reading.warnings);
  config.warnings.sort();
  return std::move(config);
}

Result<Config, Diagnostics> parse_config(SourceText source, FileReader& files) {
  auto read = parse_config_in_parts(std::move(source), files);
  if (!read) return fail(std::move(read.error().mistakes));
  return std::move(*read);
}

std::string hint_for_unreadable(Error const& error) {
  switch (error.code) {
    case ErrorCode::not_found:
      return "paths are relative to the file that names them";
    case ErrorCode::permission:
      return "the user that certgate runs as must be allowed to read it, and to enter the folders on "
             "the way to it";
    case ErrorCode::invalid:
      return "name a regular file";
    default:
      return {};
  }
}

Origin const* Config::find_origin(std::string_view name) const {
  auto const found = std::find_if(origins.begin(), origins.end(),
                                  [&](Origin const& origin) { return *origin.name == name; });
  return found == origins.end() ? nullptr : &*found;
}

// Where something was written makes no difference to what it does.
bool operator==(Rule const& a, Rule const& b) {
  return a.name == b.name && a.description == b.description && a.expression == b.expression &&
         a.mtls == b.mtls && a.action == b.action && a.enabled == b.enabled &&
         a.response == b.response;
}

bool operator==(List const& a, List const& b) {
  bool const same_text = (a.text == nullptr) == (b.text == nullptr) &&
                         (a.text == nullptr || a.text->text() == b.text->text());
  return a.name == b.name && a.type == b.type && a.entries == b.entries && same_text;
}

bool operator==(Origin const& a, Origin const& b) {
  return a.name == b.name && a.servers == b.servers && a.resolve_every == b.resolve_every &&
         a.balance == b.balance && a.tls == b.tls && a.health == b.health &&
         a.keepalive == b.keepalive && a.preserve_host == b.preserve_host;
}

bool operator==(ClientAuth const& a, ClientAuth const& b) {
  return a.mode == b.mode && a.ca == b.ca && a.crl == b.crl && a.crl_check == b.crl_check &&
         a.on_expired_crl == b.on_expired_crl &&
         a.crl_distribution_points == b.crl_distribution_points && a.depth == b.depth;
}

}  // namespace certgate::config
