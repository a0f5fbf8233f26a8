// Says what is wrong with a command line.
#pragma once

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace certgate::cli {

// "certgate check: unknown option `--confg`; did you mean `--config`?", and where help is.
std::string explain_usage(CLI::App const& root, CLI::ParseError const& error);

}  // namespace certgate::cli
