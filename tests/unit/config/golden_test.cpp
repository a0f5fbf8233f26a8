// Compares what is said about wrong configurations with tests/golden/config/*.expected.
//
// CERTGATE_UPDATE_GOLDEN=1 writes what is said now; read the difference before committing it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "certgate/config/read_config.hpp"
#include "folder_reader.hpp"

namespace certgate::config {
namespace {

std::string golden_folder() { return std::string{CERTGATE_TEST_DIR} + "/golden/config"; }

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (auto const& entry : std::filesystem::directory_iterator(golden_folder())) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, SaysWhatIsWrongAndHowToMendIt) {
  FolderReader files{golden_folder()};
  auto text = files.read(GetParam() + ".yaml");
  ASSERT_TRUE(text) << text.error().detail;
  auto const config = parse_config(SourceText{GetParam() + ".yaml", *text}, files);
  ASSERT_FALSE(config) << "the mistake goes unnoticed";
  std::string const said = render(config.error());
  std::string const path = golden_folder() + "/" + GetParam() + ".expected";
  if (std::getenv("CERTGATE_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << said;
    return;
  }
  auto const expected = files.read(GetParam() + ".expected");
  ASSERT_TRUE(expected) << "no " << path;
  EXPECT_EQ(said, *expected);
}

INSTANTIATE_TEST_SUITE_P(Config, Golden, testing::ValuesIn(golden_names()),
                         [](auto const& each) { return each.param; });

TEST(GoldenFolder, HoldsAtLeastHundredMistakes) { EXPECT_GE(golden_names().size(), 100u); }

}  // namespace
}  // namespace certgate::config
