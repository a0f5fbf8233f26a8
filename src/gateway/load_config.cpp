// A configuration file as a Config, or every mistake that can be found in one go.
#include <algorithm>

#include "build_policy.hpp"
#include "certgate/gateway/build.hpp"
#include "mistakes_of_parts.hpp"

namespace certgate::gateway {
namespace {

bool is_blank(std::string const& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

// Takes out what would only repeat a mistake that is known already, or follow from it.
class Sieve {
 public:
  explicit Sieve(config::PartialConfig const& part)
      : lists_are_whole_(part.lists_are_whole),
        longest_(part.limits_are_whole ? 0 : *part.config.limits.expression_length) {}

  void sift(std::vector<config::Rule>& rules) const {
    std::erase_if(rules, [this](config::Rule const& rule) {
      return rule.mtls ? rule.mtls->hosts.empty() : is_doubtful(rule.expression);
    });
  }
  void sift(config::RequestHeaders& headers) const {
    std::erase_if(headers.set, [this](auto const& header) { return is_doubtful(header.value); });
  }

 private:
  bool is_doubtful(config::ExpressionText const& expression) const {
    auto const& text = expression.text();
    if (is_blank(text)) return true;  // missing, and reported
    if (!lists_are_whole_ && text.find('$') != std::string::npos) return true;
    return longest_ != 0 && text.size() > longest_;
  }

  bool lists_are_whole_;
  std::uint64_t longest_;  // 0: as the configuration says
};

Diagnostics all_mistakes(config::PartialConfig part, UnixSeconds at) {
  auto mistakes = std::move(part.mistakes);
  if (!part.all_reported) return mistakes;
  Sieve const sieve(part);
  auto& config = part.config;
  sieve.sift(config.rules);
  if (config.shadow) sieve.sift(config.shadow->rules);
  sieve.sift(config.request_headers);
  for (auto& host : config.hosts) sieve.sift(host.request_headers);
  mistakes.add_all(mistakes_of_parts(part, at));
  mistakes.sort();
  return mistakes;
}

}  // namespace

Result<config::Config, Diagnostics> load_config(std::string const& path, UnixSeconds at) {
  DiskReader disk;
  auto text = disk.read(path);
  if (!text) {
    Diagnostics diagnostics;
    Diagnostic diagnostic;
    diagnostic.place.file = path;
    diagnostic.message = "cannot read the configuration: " + text.error().detail;
    diagnostic.hint = text.error().code == ErrorCode::permission
                          ? config::hint_for_unreadable(text.error())
                          : "give its path with --config";
    diagnostics.add(std::move(diagnostic));
    return fail(std::move(diagnostics));
  }
  auto read = config::parse_config_in_parts(SourceText(path, std::move(*text)), disk);
  if (!read) return fail(all_mistakes(std::move(read.error()), at));
  return std::move(*read);
}

}  // namespace certgate::gateway
