// File readers for tests: a folder on disk, or texts held in memory.
#pragma once

#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "certgate/config/read_config.hpp"

namespace certgate::config {

class FolderReader final : public FileReader {
 public:
  explicit FolderReader(std::string folder) : folder_(std::move(folder)) {}
  Result<std::string> read(std::string const& path) override {
    std::ifstream in(path.starts_with('/') ? path : folder_ + "/" + path, std::ios::binary);
    if (!in) return fail(ErrorCode::not_found, "no such file");
    std::ostringstream out;
    out << in.rdbuf();
    return std::move(out).str();
  }

 private:
  std::string folder_;
};

class TextReader final : public FileReader {
 public:
  TextReader() = default;
  explicit TextReader(std::map<std::string, std::string> texts) : texts_(std::move(texts)) {}
  Result<std::string> read(std::string const& path) override {
    auto const found = texts_.find(path);
    if (found == texts_.end()) return fail(ErrorCode::not_found, "no such file");
    return found->second;
  }

 private:
  std::map<std::string, std::string> texts_;
};

}  // namespace certgate::config
