// The daemon's log: lines that cannot be forged, and not too many of them.
#include "certgate/telemetry/log.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace certgate::telemetry {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class LogTest : public testing::Test {
 protected:
  LogTest() {
    std::string name = (fs::temp_directory_path() / "certgate-log-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~LogTest() override { fs::remove_all(directory_); }
  std::string path(char const* name = "log") const { return (directory_ / name).string(); }
  std::unique_ptr<Log> open(LogOptions options) {
    auto log = Log::open(std::move(options));
    EXPECT_TRUE(log);
    return std::move(*log);
  }
  std::vector<std::string> lines(char const* name = "log") const {
    std::ifstream file{path(name)};
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
  }

  fs::path directory_;
};

TEST_F(LogTest, text_lines_have_time_level_sentence_and_fields) {
  auto const log = open({.path = path()});
  log->info("reloaded", {{"version", 7}, {"took_ms", 12u}, {"file", "a b.yaml"}, {"none", ""}});
  ASSERT_EQ(lines().size(), 1u);
  std::string shape = lines()[0];
  for (char& c : shape) {
    if (c >= '0' && c <= '9') c = '0';
  }
  EXPECT_EQ(shape,
            "0000-00-00T00:00:00.000Z info reloaded version=0 took_ms=00 file=\"a b.yaml\" "
            "none=\"\"");
}

TEST_F(LogTest, json_lines_are_objects) {
  auto const log = open({.format = LogFormat::json, .path = path()});
  log->error("cannot \"reload\"", {{"where", "f\n:1"}, {"line", -1}});
  ASSERT_EQ(lines().size(), 1u);
  EXPECT_TRUE(lines()[0].ends_with(
      R"(Z","level":"error","message":"cannot \"reload\"","where":"f\n:1","line":-1})"))
      << lines()[0];
}

TEST_F(LogTest, what_a_peer_sends_cannot_forge_a_line) {
  auto const log = open({.path = path()});
  std::string const hostile = "x\n2026-03-01T00:00:00.000Z info all is well\x1B[2J";
  log->warning(hostile, {{"client", hostile}});
  ASSERT_EQ(lines().size(), 1u);
  EXPECT_EQ(lines()[0].find('\x1B'), std::string::npos);
  EXPECT_NE(lines()[0].find(R"(client="x\n2026)"), std::string::npos);
}

TEST_F(LogTest, writes_from_its_level_on) {
  auto const log = open({.level = LogLevel::warning, .path = path()});
  log->debug("no");
  log->info("no");
  EXPECT_FALSE(log->enabled(LogLevel::info));
  log->warning("yes");
  log->error("yes");
  EXPECT_EQ(lines().size(), 2u);
  ASSERT_TRUE(log->configure({.level = LogLevel::off, .path = path()}));
  log->error("no");
  EXPECT_EQ(lines().size(), 2u);
}

TEST_F(LogTest, level_names_are_read) {
  for (auto const level :
       {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error, LogLevel::off}) {
    EXPECT_EQ(parse_log_level(name_of(level)), level);
  }
  EXPECT_EQ(parse_log_level("warn"), LogLevel::warning);
  EXPECT_EQ(parse_log_level("loud"), std::nullopt);
}

TEST_F(LogTest, after_a_rename_reopen_begins_a_new_file) {
  auto const log = open({.path = path()});
  log->info("before");
  fs::rename(path(), path("log.1"));
  ASSERT_TRUE(log->reopen());
  log->info("after");
  EXPECT_EQ(lines("log.1").size(), 1u);
  EXPECT_EQ(lines().size(), 1u);
}

TEST_F(LogTest, a_file_that_cannot_be_opened_changes_nothing) {
  auto const log = open({.path = path()});
  std::ofstream{path("file")} << "x";
  auto const changed = log->configure({.path = path("file/below")});
  ASSERT_FALSE(changed);
  EXPECT_NE(changed.error().detail.find("file/below"), std::string::npos) << changed.error().detail;
  EXPECT_FALSE(log->configure({.path = path("no/such/log")}));
  EXPECT_FALSE(fs::exists(path("no")));
  log->info("still here");
  EXPECT_EQ(lines().size(), 1u);
}

TEST_F(LogTest, survives_a_full_disk) {
  auto const log = open({.path = "/dev/full"});
  log->error("nobody will read this");
  ASSERT_TRUE(log->configure({.path = path()}));
  log->error("but this");
  EXPECT_EQ(lines().size(), 1u);
}

TEST_F(LogTest, limited_lines_say_how_many_are_missing) {
  auto const log = open({.path = path()});
  LogLimit limit{2, 1h};
  for (int i = 0; i < 5; ++i) log->warning(limit, "again", {{"n", i}});
  EXPECT_EQ(lines().size(), 2u);
  LogLimit quick{1, 1ns};
  quick.admit(std::chrono::steady_clock::time_point{});
  quick.admit(std::chrono::steady_clock::time_point{});
  log->warning(quick, "later");
  ASSERT_EQ(lines().size(), 3u);
  EXPECT_TRUE(lines()[2].ends_with("warning later suppressed=1")) << lines()[2];
}

TEST(LogLimit, lets_a_burst_pass_and_then_one_per_interval) {
  LogLimit limit{3, 1000ms};
  std::chrono::steady_clock::time_point const start{std::chrono::hours{5}};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.admit(start), 0u) << i;
  EXPECT_EQ(limit.admit(start), std::nullopt);
  EXPECT_EQ(limit.admit(start + 999ms), std::nullopt);
  EXPECT_EQ(limit.admit(start + 1000ms), 2u);
  EXPECT_EQ(limit.admit(start + 1000ms), std::nullopt);
  auto const later = start + 1h;
  for (int i = 0; i < 3; ++i) EXPECT_NE(limit.admit(later), std::nullopt) << i;
  EXPECT_EQ(limit.admit(later), std::nullopt);
}

TEST_F(LogTest, many_threads_write_whole_lines) {
  auto const log = open({.path = path()});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) log->info("line", {{"n", i}});
    });
  }
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(log->reopen());
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(lines().size(), 800u);
  for (auto const& line : lines()) EXPECT_NE(line.find(" info line n="), std::string::npos);
}

}  // namespace
}  // namespace certgate::telemetry
