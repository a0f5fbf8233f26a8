#include "deny_book.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "crl_watch.hpp"
#include "site_folder.hpp"

namespace certgate::gateway {
namespace {

using ::testing::HasSubstr;
using testing::SiteFolder;

constexpr UnixSeconds now = 1'800'000'000;

// What the gateway would do, and what it was told to.
struct Force {
  x509::DenyList::Pointer list;
  bool refuses = false;
  DenyTarget target() {
    DenyTarget target;
    target.put_in_force = [this](x509::DenyList::Pointer next) -> Result<void> {
      if (refuses) return fail(ErrorCode::internal, "a worker could not take the change");
      list = std::move(next);
      return {};
    };
    target.count_connections = [](x509::DenyList const&) { return std::size_t{3}; };
    return target;
  }
};

TEST(DenyBook, DeniesTellsAndTakesBack) {
  auto book = DenyBook::open("", now).value();
  Force force;
  auto const denied = book->change(DenyChange::Kind::deny,
                                   R"({"serial": "0a1b", "reason": "lost", "by": "ann"})", now,
                                   force.target());
  EXPECT_TRUE(denied.ok) << denied.text;
  EXPECT_THAT(denied.text, HasSubstr("3 open connections are affected"));
  EXPECT_THAT(denied.text, HasSubstr("not kept over a restart"));
  EXPECT_THAT(denied.log_line, HasSubstr("denied serial 0A1B"));
  ASSERT_NE(force.list, nullptr);
  EXPECT_EQ(book->entries(now).size(), 1U);
  EXPECT_THAT(book->format("", now), HasSubstr("0A1B"));
  EXPECT_THAT(book->format(R"({"json": true})", now), HasSubstr("\"reason\":\"lost\""));

  auto const back =
      book->change(DenyChange::Kind::undeny, R"({"serial": "0A1B"})", now, force.target());
  EXPECT_TRUE(back.ok) << back.text;
  EXPECT_TRUE(book->entries(now).empty());
  EXPECT_EQ(book->format("", now), "nobody is denied\n");
  auto const again =
      book->change(DenyChange::Kind::undeny, R"({"serial": "0A1B"})", now, force.target());
  EXPECT_FALSE(again.ok);
  EXPECT_THAT(again.text, HasSubstr("nothing changed"));
}

TEST(DenyBook, RefusesWhatItDoesNotUnderstand) {
  auto book = DenyBook::open("", now).value();
  for (auto const* body : {"", "[]", "{}", R"({"serial": 7})", R"({"seriel": "0A"})",
                           R"({"serial": "xyz"})", R"({"serial": "0A", "seconds": -1})"}) {
    EXPECT_FALSE(book->plan_deny(body, now)) << body;
  }
}

TEST(DenyBook, AnEntryEndsWithItsTime) {
  auto book = DenyBook::open("", now).value();
  Force force;
  ASSERT_TRUE(book->change(DenyChange::Kind::deny, R"({"subject": "CN=a", "seconds": 60})", now,
                           force.target())
                  .ok);
  EXPECT_EQ(book->entries(now + 59).size(), 1U);
  EXPECT_TRUE(book->entries(now + 60).empty());
}

TEST(DenyBook, IsKeptAndAudited) {
  SiteFolder const folder;
  auto const state = folder.path("state");
  Force force;
  {
    auto book = DenyBook::open(state, now).value();
    auto const done =
        book->change(DenyChange::Kind::deny, R"({"serial": "0A", "by": "ann"})", now, force.target());
    ASSERT_TRUE(done.ok) << done.text;
  }
  auto book = DenyBook::open(state, now).value();
  EXPECT_EQ(book->entries(now).size(), 1U);
  DiskReader disk;
  EXPECT_THAT(disk.read(state + "/audit.log").value(),
              HasSubstr("\"by\":\"ann\",\"entries\":[{\"serial\":\"0A\"}],\"event\":\"deny\""));
}

TEST(DenyBook, ADenialHoldsWhenItCannotBeKeptAndAnEntryStaysWhenItCannotBeTaken) {
  SiteFolder const folder;
  auto const state = folder.path("state");
  auto book = DenyBook::open(state, now).value();
  Force force;
  ASSERT_TRUE(book->change(DenyChange::Kind::deny, R"({"serial": "0A"})", now, force.target()).ok);
  std::filesystem::remove_all(state);
  folder.write("state", "a file in its place");
  auto const denied =
      book->change(DenyChange::Kind::deny, R"({"serial": "0B"})", now, force.target());
  EXPECT_FALSE(denied.ok);
  EXPECT_THAT(denied.text, HasSubstr("in force, but lost with the next restart"));
  EXPECT_EQ(force.list->entries().size(), 2U);
  auto const back =
      book->change(DenyChange::Kind::undeny, R"({"serial": "0A"})", now, force.target());
  EXPECT_FALSE(back.ok);
  EXPECT_THAT(back.text, HasSubstr("nothing changed, the entry stays in force"));
  EXPECT_EQ(book->entries(now).size(), 2U);
}

TEST(TimeLeft, IsToldAtHalfAtATenthAndAtTheEnd) {
  EXPECT_EQ(time_left(0, 100, 49), TimeLeft::more_than_half);
  EXPECT_EQ(time_left(0, 100, 50), TimeLeft::less_than_half);
  EXPECT_EQ(time_left(0, 100, 89), TimeLeft::less_than_half);
  EXPECT_EQ(time_left(0, 100, 90), TimeLeft::less_than_a_tenth);
  EXPECT_EQ(time_left(0, 100, 99), TimeLeft::less_than_a_tenth);
  EXPECT_EQ(time_left(0, 100, 100), TimeLeft::none);
}

}  // namespace
}  // namespace certgate::gateway
