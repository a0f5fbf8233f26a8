// The CA's ledger: what it keeps, two runs at once, a full disk, and a kill before and after commit.
#include "ca_store.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

namespace certgate::cli {
namespace {

namespace fs = std::filesystem;

pki::LedgerEntry ledger_entry(std::string const& serial, std::string const& name) {
  pki::LedgerEntry entry{*pki::Serial::parse(serial)};
  entry.issuer = "intermediate";
  entry.name = name;
  entry.profile = "iot";
  entry.key_origin = pki::KeyOrigin::device;
  entry.issued_at = 1'900'000'000;
  entry.not_before = 1'899'999'700;
  entry.not_after = 1'930'000'000;
  entry.certificate_der = std::string("\x30\0\xFF der", 7);
  entry.public_key_sha256 = std::string(32, '\x01') + serial;
  return entry;
}

class CaStoreTest : public testing::Test {
 protected:
  CaStoreTest() {
    std::string pattern = (fs::temp_directory_path() / "ca-store-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ / "certgate-ca.db";
  }
  ~CaStoreTest() override { fs::remove_all(folder_); }

  // Runs `work` in a process of its own and gives its exit status; 200 + N when a signal ended it.
  template <class Work>
  static int in_another_process(Work work) {
    pid_t const child = ::fork();
    if (child == 0) ::_exit(work());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 200 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  std::size_t count() { return CaStore::open(path_)->all()->size(); }

  fs::path folder_, path_;
};

TEST_F(CaStoreTest, keeps_every_part_of_an_entry) {
  auto store = *CaStore::create(path_);
  auto const entry = ledger_entry("0A1B", "sensor-7");
  ASSERT_TRUE(store.record(entry));
  ASSERT_TRUE(store.record(ledger_entry("0A1C", "sensor-8")));
  auto const found = *store.find(entry.serial);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, "sensor-7");
  EXPECT_EQ(found->issuer, "intermediate");
  EXPECT_EQ(found->profile, "iot");
  EXPECT_EQ(found->key_origin, pki::KeyOrigin::device);
  EXPECT_EQ(found->issued_at, entry.issued_at);
  EXPECT_EQ(found->not_before, entry.not_before);
  EXPECT_EQ(found->not_after, entry.not_after);
  EXPECT_EQ(found->state, pki::RecordedState::active);
  EXPECT_EQ(found->certificate_der, entry.certificate_der);
  EXPECT_EQ(found->public_key_sha256, entry.public_key_sha256);
  EXPECT_EQ(store.find_by_name("sensor-8")->size(), 1u);
  EXPECT_EQ(store.find_by_public_key(entry.public_key_sha256)->size(), 1u);
  EXPECT_EQ(store.all()->size(), 2u);
  EXPECT_TRUE(store.not_active("intermediate")->empty());
}

TEST_F(CaStoreTest, states_change_and_come_back) {
  auto store = *CaStore::create(path_);
  auto const entry = ledger_entry("0A1B", "sensor-7");
  ASSERT_TRUE(store.record(entry));
  ASSERT_TRUE(store.set_state(entry.serial, pki::RecordedState::held,
                              pki::RevocationReason::certificate_hold, 1'900'000'500));
  auto const held = *store.not_active("intermediate");
  ASSERT_EQ(held.size(), 1u);
  EXPECT_EQ(held[0].reason, pki::RevocationReason::certificate_hold);
  EXPECT_EQ(held[0].revoked_at, 1'900'000'500);
  EXPECT_TRUE(store.not_active("root")->empty());
  ASSERT_TRUE(store.set_state(entry.serial, pki::RecordedState::active,
                              pki::RevocationReason::unspecified, 0));
  EXPECT_TRUE(store.not_active("intermediate")->empty());
  auto const unknown = store.set_state(*pki::Serial::parse("FF"), pki::RecordedState::revoked,
                                       pki::RevocationReason::unspecified, 0);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::not_found);
}

TEST_F(CaStoreTest, a_serial_is_recorded_once) {
  auto store = *CaStore::create(path_);
  ASSERT_TRUE(store.record(ledger_entry("0A1B", "first")));
  EXPECT_FALSE(store.record(ledger_entry("0A1B", "second")));
  EXPECT_EQ(store.all()->front().name, "first");
}

TEST_F(CaStoreTest, of_each_issuer_the_newest_list_is_kept) {
  auto store = *CaStore::create(path_);
  EXPECT_FALSE(*store.last_list("root"));
  ASSERT_TRUE(store.record_list("root", {1, 100, 200, "one"}));
  ASSERT_TRUE(store.record_list("root", {2, 150, 250, std::string("t\0wo", 4)}));
  auto const last = *store.last_list("root");
  ASSERT_TRUE(last);
  EXPECT_EQ(last->number, 2);
  EXPECT_EQ(last->this_update, 150);
  EXPECT_EQ(last->next_update, 250);
  EXPECT_EQ(last->der, std::string("t\0wo", 4));
  EXPECT_FALSE(*store.last_list("intermediate"));
}

TEST_F(CaStoreTest, is_for_its_owner_alone_whatever_the_umask) {
  mode_t const before = ::umask(0);
  auto const store = CaStore::create(path_);
  ::umask(before);
  ASSERT_TRUE(store);
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  auto const again = CaStore::create(path_);
  EXPECT_FALSE(again) << "a store that is there is never made anew";
}

TEST_F(CaStoreTest, a_change_that_is_not_committed_never_was) {
  auto store = *CaStore::create(path_);
  {
    auto const change = *StoreChange::begin(store);
    ASSERT_TRUE(store.record(ledger_entry("01", "lost")));
    EXPECT_EQ(store.all()->size(), 1u);
  }
  EXPECT_TRUE(store.all()->empty());
  auto change = *StoreChange::begin(store);
  ASSERT_TRUE(store.record(ledger_entry("02", "kept")));
  ASSERT_TRUE(change.commit());
  EXPECT_EQ(count(), 1u);
}

// Two runs at once: the second waits for the first, and both are kept.
TEST_F(CaStoreTest, two_writers_take_turns) {
  { ASSERT_TRUE(CaStore::create(path_)); }
  int ready[2], go[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(go), 0);
  pid_t const child = ::fork();
  if (child == 0) {
    auto mine = *CaStore::open(path_);
    auto change = *StoreChange::begin(mine);
    char byte = 'x';
    if (::write(ready[1], &byte, 1) != 1 || ::read(go[0], &byte, 1) != 1) ::_exit(1);
    bool const good = mine.record(ledger_entry("01", "child")) && change.commit();
    ::_exit(good ? 0 : 1);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);  // the child holds the ledger
  auto store = *CaStore::open(path_);
  EXPECT_TRUE(store.all()->empty()) << "a reader sees the last commit";
  ASSERT_EQ(::write(go[1], &byte, 1), 1);
  auto change = StoreChange::begin(store);  // waits until the child has committed
  ASSERT_TRUE(change);
  EXPECT_EQ(store.all()->size(), 1u);
  ASSERT_TRUE(store.record(ledger_entry("02", "parent")));
  ASSERT_TRUE(change->commit());
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(count(), 2u);
  for (int const fd : {ready[0], ready[1], go[0], go[1]}) ::close(fd);
}

// A kill between begin and commit loses that change and nothing else; one after it loses nothing.
TEST_F(CaStoreTest, a_kill_leaves_the_state_before_or_after_the_change) {
  { ASSERT_TRUE(CaStore::create(path_)->record(ledger_entry("01", "before"))); }
  for (bool const commits : {false, true}) {
    int const ended = in_another_process([&] {
      auto mine = *CaStore::open(path_);
      auto change = *StoreChange::begin(mine);
      // Enough to spill out of SQLite's cache into the file.
      for (int i = 0; i < 300; ++i) {
        auto entry = ledger_entry("10" + std::to_string(1000 + i), "x");
        entry.certificate_der.assign(20'000, 'x');
        if (!mine.record(entry)) return 1;
      }
      if (commits && !change.commit()) return 1;
      ::raise(SIGKILL);
      return 1;
    });
    EXPECT_EQ(ended, 200 + SIGKILL);
    EXPECT_EQ(count(), commits ? 301u : 1u);
  }
}

// A full disk, at every size that the file may still reach.
TEST_F(CaStoreTest, a_full_disk_changes_nothing_and_is_told) {
  { ASSERT_TRUE(CaStore::create(path_)->record(ledger_entry("01", "before"))); }
  auto const size = fs::file_size(path_);
  bool has_failed = false, has_worked = false;
  for (std::uintmax_t room = 0; room <= 256 * 1024; room += 16 * 1024) {
    int const ended = in_another_process([&] {
      std::signal(SIGXFSZ, SIG_IGN);
      rlimit const limit{size + room, size + room};
      ::setrlimit(RLIMIT_FSIZE, &limit);
      auto mine = CaStore::open(path_);
      if (!mine) return 1;
      auto change = StoreChange::begin(*mine);
      if (!change) return 1;
      auto entry = ledger_entry("0200" + std::to_string(1000 + room / 1024), "large");
      entry.certificate_der.assign(100'000, 'x');
      auto const recorded = mine->record(entry);
      auto const done = recorded ? change->commit() : recorded;
      if (done) return 0;
      bool const says_so = done.error().detail.find("then run the command again") != std::string::npos;
      return says_so ? 3 : 4;
    });
    EXPECT_TRUE(ended == 0 || ended == 3) << ended << " with room for " << room;
    has_worked = has_worked || ended == 0;
    has_failed = has_failed || ended == 3;
    auto store = CaStore::open(path_);
    ASSERT_TRUE(store) << store.error().detail;
    EXPECT_EQ((*store->find(*pki::Serial::parse("0200" + std::to_string(1000 + room / 1024)))).has_value(),
              ended == 0);
    EXPECT_TRUE(*store->find(*pki::Serial::parse("01")));
  }
  EXPECT_TRUE(has_failed && has_worked);
}

TEST_F(CaStoreTest, what_is_no_ledger_is_told_apart) {
  EXPECT_FALSE(CaStore::open(path_)) << "nothing there";
  std::ofstream(path_) << std::string(5000, 'x');
  auto const rubbish = CaStore::open(path_);
  ASSERT_FALSE(rubbish);
  EXPECT_NE(rubbish.error().detail.find("restore certgate-ca.db from a backup"), std::string::npos)
      << rubbish.error().detail;
  std::ofstream(path_, std::ios::trunc).flush();
  auto const empty = CaStore::open(path_);
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code, ErrorCode::conflict);
}

}  // namespace
}  // namespace certgate::cli
