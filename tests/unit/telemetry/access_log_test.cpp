// The access log under load, with a full disk, a slow reader, and a rotation in between.
#include "certgate/telemetry/access_log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "line_ring.hpp"

namespace certgate::telemetry {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto patience = 20s;

class AccessLogTest : public testing::Test {
 protected:
  AccessLogTest() {
    std::string name = (fs::temp_directory_path() / "certgate-log-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~AccessLogTest() override { fs::remove_all(directory_); }
  std::string path(char const* name) const { return (directory_ / name).string(); }

  fs::path directory_;
};

std::vector<std::string> lines_of(std::string const& path) {
  std::ifstream file{path};
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::unique_ptr<AccessLog> open_log(AccessLogOptions options) {
  auto log = AccessLog::open(std::move(options));
  EXPECT_TRUE(log) << (log ? "" : log.error().detail);
  return log ? std::move(*log) : nullptr;
}

AccessRecord record_of(std::string_view id) {
  AccessRecord record;
  record.request_id = id;
  return record;
}

std::string id_of(std::string const& line) {
  auto const start = line.find("\"request_id\":\"");
  if (start == std::string::npos) return line;
  auto const from = start + 14;
  return line.substr(from, line.find('"', from) - from);
}

TEST_F(AccessLogTest, writes_both_kinds_of_records_in_both_formats) {
  {
    auto const log = open_log({.path = path("log")});
    log->worker(0).write(record_of("one"));
    HandshakeRecord handshake;
    handshake.reason = "no certificate";
    log->worker(0).write(handshake);
    ASSERT_TRUE(log->flush(patience));
    EXPECT_EQ(log->counts().written, 2u);
    ASSERT_TRUE(log->retarget(path("log"), AccessLogFormat::text));
    log->worker(0).write(record_of("two"));
    ASSERT_TRUE(log->retarget(path("log"), AccessLogFormat::off));
    log->worker(0).write(record_of("three"));
  }
  auto const lines = lines_of(path("log"));
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(id_of(lines[0]), "one");
  EXPECT_NE(lines[1].find("no certificate"), std::string::npos);
  EXPECT_TRUE(lines[2].ends_with(" id=two")) << lines[2];
}

TEST_F(AccessLogTest, is_not_for_everyone_to_read) {
  auto const log = open_log({.path = path("log")});
  struct stat status {};
  ASSERT_EQ(stat(path("log").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0007, 0u);
}

TEST_F(AccessLogTest, reports_a_file_that_cannot_be_opened_and_keeps_the_old) {
  EXPECT_FALSE(AccessLog::open({.path = path("no/such/directory")}));
  auto const log = open_log({.path = path("log")});
  auto const changed = log->retarget(path("no/such/log"), AccessLogFormat::text);
  ASSERT_FALSE(changed);
  EXPECT_NE(changed.error().detail.find("no/such/log"), std::string::npos);
  log->worker(0).write(record_of("kept"));
  ASSERT_TRUE(log->flush(patience));
  ASSERT_EQ(lines_of(path("log")).size(), 1u);
  EXPECT_EQ(id_of(lines_of(path("log"))[0]), "kept");
}

// Every line arrives whole and in order, or is counted as dropped; also with a tiny queue.
class Hammered : public AccessLogTest, public testing::WithParamInterface<std::size_t> {};
TEST_P(Hammered, every_record_is_written_or_counted) {
  constexpr std::size_t workers = 4;
  constexpr std::uint64_t records = 5000;
  AccessLogCounts counts;
  {
    auto const log = open_log({.path = path("log"), .workers = workers, .queue_bytes = GetParam()});
    std::vector<std::thread> threads;
    for (std::size_t worker = 0; worker < workers; ++worker) {
      threads.emplace_back([&, worker] {
        for (std::uint64_t i = 0; i < records; ++i) {
          std::string const id = std::to_string(worker) + ":" + std::to_string(i);
          log->worker(worker).write(record_of(id));
        }
      });
    }
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(log->reopen());
    for (auto& thread : threads) thread.join();
    ASSERT_TRUE(log->flush(patience));
    counts = log->counts();
  }
  auto const lines = lines_of(path("log"));
  EXPECT_EQ(lines.size(), counts.written);
  EXPECT_EQ(counts.written + counts.dropped, workers * records);
  EXPECT_EQ(counts.write_errors, 0u);
  std::vector<long> last(workers, -1);
  for (auto const& line : lines) {
    ASSERT_TRUE(line.starts_with("{\"time\"") && line.ends_with("}")) << line;
    auto const id = id_of(line);
    auto const worker = static_cast<std::size_t>(id[0] - '0');
    long const number = std::stol(id.substr(2));
    ASSERT_GT(number, last.at(worker));
    last[worker] = number;
  }
}
INSTANTIATE_TEST_SUITE_P(QueueBytes, Hammered, testing::Values(std::size_t{8192}, 1024 * 1024));

TEST_F(AccessLogTest, nothing_is_lost_when_the_queue_is_large_enough) {
  auto const log = open_log({.path = path("log"), .queue_bytes = 4 * 1024 * 1024});
  for (int i = 0; i < 10000; ++i) log->worker(0).write(record_of("x"));
  ASSERT_TRUE(log->flush(patience));
  EXPECT_EQ(log->counts().dropped, 0u);
  EXPECT_EQ(lines_of(path("log")).size(), 10000u);
}

TEST_F(AccessLogTest, after_a_rename_reopen_begins_a_new_file) {
  auto const log = open_log({.path = path("log")});
  log->worker(0).write(record_of("before"));
  ASSERT_TRUE(log->flush(patience));
  fs::rename(path("log"), path("log.1"));
  log->worker(0).write(record_of("still the old file"));
  ASSERT_TRUE(log->flush(patience));
  ASSERT_TRUE(log->reopen());
  log->worker(0).write(record_of("after"));
  ASSERT_TRUE(log->flush(patience));
  EXPECT_EQ(lines_of(path("log.1")).size(), 2u);
  ASSERT_EQ(lines_of(path("log")).size(), 1u);
  EXPECT_EQ(id_of(lines_of(path("log"))[0]), "after");
}

// A full disk: errors are counted, workers go on, and what waited is written when there is room.
TEST_F(AccessLogTest, survives_a_full_disk) {
  std::mutex mutex;
  std::vector<std::string> said;
  auto const report = [&](std::string const& sentence) {
    std::lock_guard const lock{mutex};
    said.push_back(sentence);
  };
  auto const log =
      open_log({.path = "/dev/full", .queue_bytes = 4096, .interval = 1ms, .report = report});
  log->worker(0).write(record_of("first"));
  EXPECT_FALSE(log->flush(50ms));
  while (log->counts().write_errors < 3) std::this_thread::yield();
  while (log->counts().dropped == 0) log->worker(0).write(record_of("more"));
  EXPECT_EQ(log->counts().written, 0u);

  ASSERT_TRUE(log->retarget(path("log"), AccessLogFormat::json));
  ASSERT_TRUE(log->flush(patience));
  log->worker(0).write(record_of("last"));
  ASSERT_TRUE(log->flush(patience));
  auto const lines = lines_of(path("log"));
  EXPECT_EQ(lines.size(), log->counts().written);
  EXPECT_EQ(id_of(lines.front()), "first");
  EXPECT_EQ(id_of(lines.back()), "last");
  std::lock_guard const lock{mutex};
  ASSERT_EQ(said.size(), 2u);
  EXPECT_EQ(said[0], "cannot write to access log /dev/full: No space left on device");
  EXPECT_EQ(said[1], "access log " + path("log") + " is written again");
}

TEST_F(AccessLogTest, shutdown_does_not_wait_for_ever_for_a_full_disk) {
  auto log = open_log({.path = "/dev/full", .shutdown = 10ms});
  log->worker(0).write(record_of("lost"));
  log.reset();
}

// A named pipe whose reader is slow: no worker waits, lines stay whole.
TEST_F(AccessLogTest, a_slow_reader_only_costs_records) {
  auto const pipe = path("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_FALSE(AccessLog::open({.path = pipe})) << "nobody reads yet";
  int const reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  auto log = open_log({.path = pipe, .queue_bytes = 64 * 1024, .interval = 1ms});
  while (log->counts().dropped < 10) log->worker(0).write(record_of(std::string(300, 'x')));
  std::string text;
  char buffer[4096];
  std::uint64_t const queued = log->counts().written;
  while (static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')) <= queued) {
    auto const got = read(reader, buffer, sizeof(buffer));
    if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
  }
  close(reader);
  log.reset();
  std::istringstream lines{text.substr(0, text.rfind('\n') + 1)};
  for (std::string line; std::getline(lines, line);) {
    ASSERT_TRUE(line.starts_with("{\"time\"") && line.ends_with("}")) << line;
  }
}

TEST_F(AccessLogTest, a_reader_that_has_gone_is_an_error_not_a_signal) {
  auto const pipe = path("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  int const reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  auto log = open_log({.path = pipe, .interval = 1ms, .shutdown = 10ms});
  close(reader);
  log->worker(0).write(record_of("x"));
  while (log->counts().write_errors == 0) std::this_thread::yield();
}

TEST_F(AccessLogTest, texts_longer_than_the_queue_could_hold_escaped_are_still_written) {
  auto const log = open_log({.path = path("log"), .queue_bytes = 16 * 1024});
  std::string const text(max_logged_text, 'x');
  auto record = record_of("long");
  record.path = text;
  log->worker(0).write(record);
  ASSERT_TRUE(log->flush(patience));
  EXPECT_EQ(log->counts().written, 1u);
  record.query = record.user_agent = text;
  log->worker(0).write(record);
  EXPECT_EQ(log->counts().dropped, 1u) << "really longer than the queue";
}

TEST(LineRing, gives_room_in_one_piece_up_to_its_capacity) {
  auto const ring = *LineRing::make(1);
  auto const capacity = ring->capacity();
  EXPECT_EQ(capacity, static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
  EXPECT_EQ(ring->reserve(capacity + 1), nullptr);
  char* at = ring->reserve(capacity);
  ASSERT_NE(at, nullptr);
  ring->commit(at + capacity - 3);
  EXPECT_EQ(ring->reserve(4), nullptr);
  at[capacity - 4] = 'y';
  ring->consume(capacity - 4, 0);
  at = ring->reserve(capacity - 1);
  ASSERT_NE(at, nullptr);
  std::string const text(capacity - 1, 'z');
  std::copy(text.begin(), text.end(), at);
  ring->commit(at + capacity - 1);
  EXPECT_EQ(ring->readable(), 'y' + text) << "across the end of the memory";
  EXPECT_TRUE(ring->holds_more_than(capacity - 1));
  EXPECT_FALSE(ring->holds_more_than(capacity));
}

TEST(LineRing, begins_at_the_front_again_when_nothing_waits) {
  auto const ring = *LineRing::make(1);
  char* const front = ring->reserve(10);
  for (std::string const text : {"0123456789", "abcdefghij", "ABCDEFGHIJ"}) {
    char* const at = ring->reserve(10);
    ASSERT_EQ(at, front);
    std::copy(text.begin(), text.end(), at);
    ring->commit(at + 10);
    EXPECT_EQ(ring->readable(), text);
    EXPECT_EQ(ring->reserve(10), front + 10) << "what waits is not touched";
    ring->consume(4, 0);
    EXPECT_EQ(ring->readable(), text.substr(4));
    EXPECT_EQ(ring->reserve(10), front + 10);
    ring->consume(6, 1);
  }
}

TEST(LineRing, tells_how_many_lines_wait) {
  auto const ring = *LineRing::make(1);
  EXPECT_EQ(ring->waiting().lines, 0u);
  for (int i = 0; i < 3; ++i) {
    char* const at = ring->reserve(5);
    std::copy_n("line\n", 5, at);
    ring->commit(at + 5);
  }
  EXPECT_EQ(ring->waiting().lines, 3u);
  ring->consume(7, 1);
  EXPECT_EQ(ring->waiting().lines, 2u) << "a line of which a part is written still waits";
  ring->consume(8, 2);
  EXPECT_EQ(ring->waiting().lines, 0u);
}

// The writer goes back to the front again and again; the reader never sees one line for another, nor
// a number of lines that belongs to a longer text.
TEST(LineRing, shows_every_line_in_order_whatever_the_other_side_does) {
  constexpr std::uint64_t lines = 200'000;
  auto const ring = *LineRing::make(16 * 1024);
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < lines; ++i) {
      auto const line = std::to_string(i) + std::string(i % 50, '.') + '\n';
      char* at = nullptr;
      while ((at = ring->reserve(line.size())) == nullptr) std::this_thread::yield();
      std::copy(line.begin(), line.end(), at);
      ring->commit(at + line.size());
    }
  });
  std::uint64_t seen = 0, wrong = 0;
  while (seen < lines) {
    auto const waiting = ring->waiting();
    auto const before = seen;
    for (std::size_t at = 0; at < waiting.text.size(); ++seen) {
      auto const wanted = std::to_string(seen) + std::string(seen % 50, '.') + '\n';
      if (waiting.text.substr(at, wanted.size()) != wanted) ++wrong;
      at += wanted.size();
    }
    if (waiting.lines && *waiting.lines != seen - before) ++wrong;
    ring->consume(waiting.text.size(), seen - before);
  }
  writer.join();
  EXPECT_EQ(wrong, 0U);
}

}  // namespace
}  // namespace certgate::telemetry
