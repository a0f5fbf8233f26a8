#include "crl_sources.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <set>

namespace certgate::gateway {
namespace {

void look_at(std::string const& path, std::string& seen) {
  struct stat status{};
  seen += path;
  if (::stat(path.c_str(), &status) != 0) {
    seen += " absent\n";
    return;
  }
  for (auto const number :
       {static_cast<long long>(status.st_ino), static_cast<long long>(status.st_size),
        static_cast<long long>(status.st_mtim.tv_sec), static_cast<long long>(status.st_mtim.tv_nsec),
        static_cast<long long>(status.st_ctim.tv_sec),
        static_cast<long long>(status.st_ctim.tv_nsec)}) {
    seen += ' ';
    seen += std::to_string(number);
  }
  seen += '\n';
}

}  // namespace

std::string look_at_crl_files(config::Config const& config) {
  std::set<std::string> paths;
  for (auto const& host : config.hosts) {
    for (auto const& source : host.client_auth.crl) {
      if (source.kind == config::CrlSource::Kind::path) paths.insert(source.path.resolved);
    }
  }
  std::string seen;
  for (auto const& path : paths) {
    look_at(path, seen);
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) continue;
    std::set<std::string> files;
    for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end;
         entry.increment(error)) {
      auto const name = entry->path().filename().string();
      if (!name.empty() && name.front() != '.') files.insert(entry->path().string());
    }
    for (auto const& file : files) look_at(file, seen);
  }
  return seen;
}

}  // namespace certgate::gateway
