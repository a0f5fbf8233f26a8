// Finds what only the whole configuration can tell: dangling and doubled names.
#include <map>
#include <set>

#include "read_parts.hpp"
#include "in_backquotes.hpp"

namespace certgate::config {
namespace {

std::string stands_at(Mark const& mark) {
  Place const place = mark.place();
  return place.file + ":" + std::to_string(place.line);
}

class OriginNames {
 public:
  OriginNames(Reading& reading, Config const& config) : reading_(reading) {
    for (Origin const& origin : config.origins) names_.push_back(*origin.name);
  }

  void use(Setting<std::string> const& name) {
    // Missing, and reported: the name, or all that it could be.
    if (name->empty() || names_.empty()) return;
    used_.insert(*name);
    for (std::string_view const known : names_) {
      if (known == *name) return;
    }
    std::string hint;
    if (auto const close_by = nearest(*name, names_); !close_by.empty()) {
      hint = "did you mean " + in_backquotes(close_by) + "?";
    } else {
      hint = "add it to `origins`, or name one of those there";
    }
    reading_.wrong(name.mark, "unknown origin " + in_backquotes(*name), std::move(hint));
  }

  void report_unused(Config const& config) {
    for (Origin const& origin : config.origins) {
      if (used_.contains(*origin.name)) continue;
      reading_.warnings.add(
          origin.name.mark.diagnostic("no host or route uses the origin " + in_backquotes(*origin.name),
                                      "remove it, or name it", Severity::warning));
    }
  }

 private:
  Reading& reading_;
  std::vector<std::string_view> names_;
  std::set<std::string_view> used_;
};

void check_origins(Reading& reading, Config const& config) {
  OriginNames names{reading, config};
  for (Host const& host : config.hosts) {
    names.use(host.origin);
    std::map<std::string_view, Mark const*> paths;
    for (Route const& route : host.routes) {
      names.use(route.origin);
      if (route.path->empty()) continue;
      auto const [before, inserted] = paths.emplace(*route.path, &route.path.mark);
      if (inserted) continue;
      reading.wrong(route.path.mark, "a second route for the path " + in_backquotes(*route.path),
                    "the first is at " + stands_at(*before->second) + ": keep one of them");
    }
  }
  if (!reading.mistakes.has_errors()) names.report_unused(config);
}

void check_host_names(Reading& reading, Config const& config) {
  std::map<std::string, Mark const*> seen;
  for (Host const& host : config.hosts) {
    for (auto const& name : host.names) {
      auto const [before, inserted] = seen.emplace(name->to_string(), &name.mark);
      if (inserted) continue;
      reading.wrong(name.mark, "the host name " + in_backquotes(name->to_string()) + " is served twice",
                    "the first is at " + stands_at(*before->second) +
                        ": case and a trailing dot make no difference");
    }
  }
}

void check_addresses(Reading& reading, Config const& config) {
  std::map<std::string, Mark const*> seen;
  auto const use = [&](IpEndpoint const& address, Mark const& mark) {
    if (address.port == 0 || !mark.written()) return;
    auto const [before, inserted] = seen.emplace(address.to_string(), &mark);
    if (inserted) return;
    reading.wrong(
        mark, "the address " + in_backquotes(address.to_string()) + " is used twice",
        "the first is at " + stands_at(*before->second) + ": one of them needs another port");
  };
  for (Listener const& listener : config.listeners) {
    use(*listener.address, listener.address.mark);
  }
  if (!config.admin) return;
  if (auto const* endpoint = std::get_if<IpEndpoint>(&*config.admin->address)) {
    use(*endpoint, config.admin->address.mark);
  }
}

void check_log_files(Reading& reading, Config const& config) {
  LogSettings const& log = config.log;
  // `log` may be `stderr` and `log.access` `stdout`; the reader has taken those words already.
  auto const is_stream = [](FilePath const& file) {
    return file.written == "stdout" || file.written == "stderr" || file.written == "-";
  };
  auto const refuse_stream = [&](FilePath const& file, std::string const& what, std::string const& own) {
    if (!is_stream(file)) return false;
    reading.wrong(file.mark, what + " goes to a file or to `" + own + "`, not to " +
                                 in_backquotes(file.written),
                  "write `" + own + "`; a file that is really called so is written `./" +
                      file.written + "`");
    return true;
  };
  bool const log_refused = refuse_stream(log.file, "the log", "stderr");
  bool const access_refused = refuse_stream(log.access_file, "the access log", "stdout");
  if (log_refused || access_refused || log.file.empty() || !(log.file == log.access_file)) return;
  reading.wrong(log.access_file.mark, "the access log and the log are the same file",
                "give one of them another name");
}

}  // namespace

void check_references(Reading& reading, Config const& config) {
  check_host_names(reading, config);
  check_addresses(reading, config);
  check_log_files(reading, config);
  check_origins(reading, config);
}

}  // namespace certgate::config
