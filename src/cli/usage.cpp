#include "usage.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <string_view>
#include <vector>

#include "certgate/base/diagnostic.hpp"

namespace certgate::cli {
namespace {

// The command that was being read when the mistake was met, and its whole name.
struct Asked {
  CLI::App const* command;
  std::string name;
};

Asked command_asked_for(CLI::App const& root) {
  Asked asked{&root, root.get_name()};
  while (!asked.command->get_subcommands().empty()) {
    asked.command = asked.command->get_subcommands().back();
    asked.name += " " + asked.command->get_name();
  }
  return asked;
}

std::string guess(std::string_view word, std::vector<std::string> const& candidates) {
  std::vector<std::string_view> const views(candidates.begin(), candidates.end());
  auto const near = nearest(word, views);
  return near.empty() ? "" : "; did you mean `" + std::string(near) + "`?";
}

std::string explain_word(std::string const& word, CLI::App const& command) {
  std::vector<std::string> candidates;
  if (word.starts_with('-')) {
    for (auto const* option : command.get_options()) {
      for (auto const& name : option->get_lnames()) candidates.push_back("--" + name);
    }
    auto const name = word.substr(0, word.find('='));
    return "unknown option `" + name + "`" + guess(name, candidates);
  }
  auto const below = command.get_subcommands([](CLI::App const*) { return true; });
  if (below.empty()) return "`" + word + "` is one argument too many";
  for (auto const* each : below) candidates.push_back(each->get_name());
  return "unknown command `" + word + "`" + guess(word, candidates);
}

}  // namespace

std::string explain_usage(CLI::App const& root, CLI::ParseError const& error) {
  auto const asked = command_asked_for(root);
  auto const rest = asked.command->remaining();
  auto const has_commands =
      !asked.command->get_subcommands([](CLI::App const*) { return true; }).empty();
  std::string what = error.what();
  if (!rest.empty()) {
    what = explain_word(rest.front(), *asked.command);
  } else if (has_commands) {
    what = "a command is missing";
  }
  return asked.name + ": " + what + "\n`" + asked.name + " --help` lists the " +
         (has_commands ? "commands" : "options") + ".\n";
}

}  // namespace certgate::cli
