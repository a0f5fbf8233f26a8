// The fetcher's states without any server: names that cannot be resolved, kept lists, comings and goings.
#include "crl_fetcher.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <condition_variable>
#include <filesystem>

#include "kept_list.hpp"
#include "support/test_ca.hpp"

namespace certgate::gateway {
namespace {

using namespace std::chrono_literals;

CrlUrl address(char letter, x509::Certificate::Pointer authority) {
  CrlUrl url;
  url.url = *fetch::Url::parse(std::string("http://pki.example.com/") + letter);
  url.authorities = {std::move(authority)};
  url.host = "api.example.com";
  url.key = std::string(64, letter) + "-" + std::string(64, '0');
  return url;
}

// Collects what is logged; any thread.
struct Lines {
  std::mutex mutex;
  std::vector<std::string> all;
  auto target() {
    return [this](telemetry::LogLevel, std::string const& line) {
      std::lock_guard const lock(mutex);
      all.push_back(line);
    };
  }
  std::size_t count(std::string const& part) {
    std::lock_guard const lock(mutex);
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&](auto const& line) { return line.find(part) != line.npos; }));
  }
};

// A name server whose answers are counted and can be waited for. A look-up may outlive its fetcher.
class Names {
 public:
  net::Lookup lookup() {
    return [state = state_](std::string const&) -> Result<std::vector<IpAddress>> {
      {
        std::lock_guard const lock(state->mutex);
        ++state->asked;
      }
      state->asked_again.notify_all();
      return fail(ErrorCode::not_found, "no such name");
    };
  }
  void wait_until_asked(int times) {
    std::unique_lock lock(state_->mutex);
    ASSERT_TRUE(state_->asked_again.wait_for(lock, 120s, [&] { return state_->asked >= times; }));
  }
  int asked() const {
    std::lock_guard const lock(state_->mutex);
    return state_->asked;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable asked_again;
    int asked = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

class CrlFetcherTest : public ::testing::Test {
 protected:
  CrlFetcherTest() {
    target_.clock = &clock_;
    target_.lookup = names_.lookup();
    target_.log = lines_.target();
    settings_.pace = {1h, 1min};
  }

  certgate::testing::Issued const ca_ = certgate::testing::make_ca("Fetcher CA");
  CrlUrl const a_ = address('a', ca_.facts), b_ = address('b', ca_.facts);
  ManualClock clock_{1'000'000};
  Names names_;
  Lines lines_;
  CrlFetchTarget target_;
  CrlFetchSettings settings_;
  std::shared_ptr<CrlStore> store_ = std::make_shared<CrlStore>();
};

TEST_F(CrlFetcherTest, AFailureIsToldAndTriedAgainLater) {
  CrlFetcher fetcher(target_, store_);
  fetcher.add({a_}, settings_);
  auto const missing = fetcher.wait_for({a_}, 120s);
  ASSERT_EQ(missing.size(), 1U);
  EXPECT_EQ(missing[0].last_failure, "cannot resolve `pki.example.com`: no such name");
  EXPECT_EQ(missing[0].failures, 1U);
  EXPECT_FALSE(missing[0].has_list);
  EXPECT_EQ(store_->find(a_.key), nullptr);
  // By the clock that was given.
  EXPECT_LE(missing[0].next_at, 1'000'060);
  EXPECT_GE(missing[0].next_at, 1'000'054);
}

TEST_F(CrlFetcherTest, ManyFailuresMakeFewLines) {
  settings_.pace = {1ms, 1ms};
  CrlFetcher fetcher(target_, store_);
  fetcher.add({a_}, settings_);
  names_.wait_until_asked(9);
  auto const lines = lines_.count("CRL not fetched");
  auto const asked = static_cast<unsigned>(names_.asked());
  EXPECT_LE(lines, std::bit_width(asked));  // the 1st, 2nd, 4th, …
  EXPECT_GE(lines, 4U);
}

TEST_F(CrlFetcherTest, OnlyWantedAddressesAreAsked) {
  CrlFetcher fetcher(target_, store_);
  fetcher.add({a_}, settings_);
  fetcher.wait_for({a_}, 120s);
  fetcher.keep_only({b_}, settings_);
  fetcher.wait_for({b_}, 120s);
  auto const states = fetcher.states();
  ASSERT_EQ(states.size(), 1U);
  EXPECT_EQ(states[0].url, "http://pki.example.com/b");
  EXPECT_EQ(names_.asked(), 2);
  fetcher.keep_only({}, settings_);
  EXPECT_TRUE(fetcher.states().empty());
}

TEST_F(CrlFetcherTest, AKeptListIsThereAtOnceAndStays) {
  std::string text = (std::filesystem::temp_directory_path() / "certgate-fetcher-XXXXXX").string();
  target_.state_directory = ::mkdtemp(text.data());
  auto const bytes = certgate::testing::make_crl({}, ca_);
  auto const list = judge_list(bytes, a_);
  ASSERT_TRUE(list) << list.error().detail;
  ASSERT_TRUE(write_kept_list(target_.state_directory, a_, *list, bytes));
  {
    CrlFetcher fetcher(target_, store_);
    fetcher.add({a_, b_}, settings_);
    EXPECT_NE(store_->find(a_.key), nullptr);
    EXPECT_EQ(store_->lists({a_, b_}).size(), 1U);
    auto const missing = fetcher.wait_for({a_, b_}, 120s);
    ASSERT_EQ(missing.size(), 1U);
    EXPECT_EQ(missing[0].key, b_.key);
    names_.wait_until_asked(2);
    EXPECT_NE(store_->find(a_.key), nullptr) << "a failure takes nothing away";
  }
  std::filesystem::remove_all(target_.state_directory);
}

TEST_F(CrlFetcherTest, EndsWhileANameServerIsSilent) {
  struct Gate {
    std::mutex mutex;
  };
  auto const gate = std::make_shared<Gate>();
  std::unique_lock hold(gate->mutex);
  target_.lookup = [gate](std::string const&) -> Result<std::vector<IpAddress>> {
    std::lock_guard const lock(gate->mutex);
    return fail(ErrorCode::not_found, "too late");
  };
  {
    CrlFetcher fetcher(target_, store_);
    fetcher.add({a_}, settings_);
    EXPECT_EQ(fetcher.wait_for({a_}, 50ms).size(), 1U);
  }
  hold.unlock();
}

}  // namespace
}  // namespace certgate::gateway
