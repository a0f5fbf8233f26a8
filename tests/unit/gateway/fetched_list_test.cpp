// What is taken from a server or from the disk: signature, order, files written whole and judged again.
#include "fetched_list.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "certgate/x509/pem.hpp"
#include "kept_list.hpp"
#include "support/test_ca.hpp"

namespace certgate::gateway {
namespace {

using certgate::testing::CrlSpec;
using certgate::testing::Issued;
using certgate::testing::make_ca;
using certgate::testing::make_crl;

Issued const& ca() {
  static Issued const made = make_ca("Fetched CA");
  return made;
}

CrlUrl url_for(std::vector<x509::Certificate::Pointer> authorities,
               std::string const& text = "http://pki.example.com/a.crl") {
  CrlUrl url;
  url.url = *fetch::Url::parse(text);
  url.authorities = std::move(authorities);
  std::string prints;
  for (auto const& authority : url.authorities) prints += authority->fingerprint_sha256();
  url.key = x509::sha256(as_bytes(text)).to_hex() + "-" + x509::sha256(as_bytes(prints)).to_hex();
  return url;
}

CrlSpec with_number(char const* number, UnixSeconds this_update = 0) {
  CrlSpec spec;
  spec.number = number;
  if (this_update != 0) spec.this_update = this_update;
  spec.entries = {{"0A0B"}};
  return spec;
}

class FetchedListFiles : public ::testing::Test {
 protected:
  FetchedListFiles() {
    auto name = std::filesystem::temp_directory_path() / "certgate-fetched-XXXXXX";
    std::string text = name.string();
    directory_ = ::mkdtemp(text.data());
  }
  ~FetchedListFiles() override { std::filesystem::remove_all(directory_); }

  void keep(CrlUrl const& url, std::string const& bytes) {
    auto list = judge_list(bytes, url);
    ASSERT_TRUE(list) << list.error().detail;
    list->validators = {"\"tag\"", "Mon, 30 Nov 2026 10:00:00 GMT"};
    list->fetched_at = 1'234;
    auto const written = write_kept_list(directory_, url, *list, bytes);
    ASSERT_TRUE(written) << written.error().detail;
  }

  std::string directory_;
};

TEST(FetchedList, IsJudgedByWhoSignedIt) {
  auto const url = url_for({ca().facts});
  auto const der = make_crl(with_number("0A"), ca());
  auto const good = judge_list(der, url);
  ASSERT_TRUE(good) << good.error().detail;
  EXPECT_EQ(good->facts.size(), 1U);
  EXPECT_EQ(good->bytes, der.size());
  EXPECT_EQ(describe(*good).substr(0, 27), "1 revoked, number 0A, until");
  EXPECT_TRUE(judge_list(x509::format_pem("X509 CRL", as_bytes(der)), url));

  auto const impostor = make_ca("Fetched CA");
  auto const forged = judge_list(make_crl(with_number("0B"), ca(), &impostor), url);
  ASSERT_FALSE(forged);
  EXPECT_NE(forged.error().detail.find("cannot be trusted"), std::string::npos);
  EXPECT_EQ(forged.error().detail.find("http"), std::string::npos) << "the address is said by others";
  auto const same_name = judge_list(make_crl(with_number("0B"), impostor), url);
  EXPECT_FALSE(same_name);
  auto broken = der;
  broken[broken.size() / 2] ^= 1;
  EXPECT_FALSE(judge_list(broken, url));
}

TEST(FetchedList, SaysWhatItIsInstead) {
  auto const url = url_for({ca().facts});
  EXPECT_EQ(judge_list("", url).error().detail, "it is empty");
  EXPECT_EQ(judge_list(" \r\n<html>", url).error().detail, "it is a web page (HTML), not a CRL");
  EXPECT_FALSE(judge_list("garbage", url));
  EXPECT_FALSE(judge_list(ca().pem(), url)) << "a certificate is no list";
}

TEST(FetchedList, MayNotGoBackwards) {
  auto const url = url_for({ca().facts});
  auto const now = certgate::testing::test_now();
  auto const list = [&](char const* number, UnixSeconds at) {
    return *judge_list(make_crl(with_number(number, at), ca()), url);
  };
  auto const in_force = list("0100", now - 1000);
  EXPECT_TRUE(refuse_older_list(list("0100", now - 1000), in_force)) << "the same";
  EXPECT_TRUE(refuse_older_list(list("0101", now - 999), in_force));
  EXPECT_EQ(refuse_older_list(list("FF", now), in_force).error().detail,
            "it goes backwards: number 0100 is in force, this is number FF");
  EXPECT_FALSE(refuse_older_list(list("0100", now - 1001), in_force));
  EXPECT_FALSE(refuse_older_list(list("0101", now - 1001), in_force)) << "newer number, older date";
  EXPECT_FALSE(refuse_older_list(list("", now), in_force)) << "the number went away";
  // Another scope is another list.
  auto users = with_number("01", now - 5000);
  users.only_user = true;
  EXPECT_TRUE(refuse_older_list(*judge_list(make_crl(users, ca()), url), in_force));
}

// A list and its delta, in PEM one behind the other.
FetchedList pair_of(CrlSpec const& base, CrlSpec delta, char const* base_number) {
  delta.base_number = base_number;
  auto const pem = x509::format_pem("X509 CRL", as_bytes(make_crl(base, ca()))) +
                   x509::format_pem("X509 CRL", as_bytes(make_crl(delta, ca())));
  auto judged = judge_list(pem, url_for({ca().facts}));
  EXPECT_TRUE(judged) << judged.error().detail;
  return std::move(*judged);
}

TEST(FetchedList, OfAPairIsDueWithTheFirstAndCountsUntilTheLast) {
  auto base = with_number("0A"), delta = with_number("0C");
  auto const now = certgate::testing::test_now();
  for (auto const& [base_ends, delta_ends] : {std::pair{100, 900}, std::pair{900, 100}}) {
    base.next_update = now + base_ends;
    delta.next_update = now + delta_ends;
    auto const both = pair_of(base, delta, "0A");
    EXPECT_EQ(successor_due(both), now + 100);
    EXPECT_EQ(end_of(both), now + 900);
  }
}

TEST(FetchedList, MayNotFallBehindWhatAPairHadReached) {
  auto const both = pair_of(with_number("0A"), with_number("0C"), "0A");
  auto const alone = [](char const* number) {
    return *judge_list(make_crl(with_number(number), ca()), url_for({ca().facts}));
  };
  auto const behind = refuse_step_back(alone("0B"), both);
  ASSERT_FALSE(behind);
  EXPECT_EQ(behind.error().detail, "it goes backwards: number 0C is in force, this is number 0B");
  EXPECT_TRUE(refuse_step_back(alone("0C"), both));
  EXPECT_TRUE(refuse_step_back(alone("0D"), both));
}

TEST_F(FetchedListFiles, ComeBackAsTheyWere) {
  auto const url = url_for({ca().facts});
  auto const bytes = make_crl(with_number("0A"), ca());
  EXPECT_EQ(read_kept_list(directory_, url).error().code, ErrorCode::not_found);
  EXPECT_EQ(read_kept_list("", url).error().code, ErrorCode::not_found);
  keep(url, bytes);
  auto const back = read_kept_list(directory_, url);
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_TRUE(is_same_list(*back, *judge_list(bytes, url)));
  EXPECT_EQ(back->validators.etag, "\"tag\"");
  EXPECT_EQ(back->validators.last_modified, "Mon, 30 Nov 2026 10:00:00 GMT");
  EXPECT_EQ(back->fetched_at, 1'234);
}

// Cut off after any byte, or with any byte changed: either it is refused, or what it holds is whole.
TEST_F(FetchedListFiles, AreJudgedAgain) {
  auto const url = url_for({ca().facts});
  auto const bytes = make_crl(with_number("0A"), ca());
  keep(url, bytes);
  auto const path = directory_ + "/crls/" + url.key;
  std::string whole;
  {
    std::ifstream in(path, std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(in), {});
  }
  auto const write = [&](std::string const& content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  };
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write(whole.substr(0, size));
    auto const read = read_kept_list(directory_, url);
    ASSERT_FALSE(read) << size;
    ASSERT_NE(read.error().detail.find(path), std::string::npos);
  }
  for (std::size_t at = whole.size() - bytes.size(); at < whole.size(); at += 7) {
    auto changed = whole;
    changed[at] ^= 0x20;
    write(changed);
    EXPECT_FALSE(read_kept_list(directory_, url)) << at;
  }
  write(whole + "x");
  EXPECT_FALSE(read_kept_list(directory_, url));
}

TEST_F(FetchedListFiles, ServeMoreCasWhenOneOfThemSigned) {
  auto const bytes = make_crl(with_number("0A"), ca());
  keep(url_for({ca().facts}), bytes);
  auto const other = make_ca("Another CA");
  EXPECT_TRUE(read_kept_list(directory_, url_for({ca().facts, other.facts})));
  EXPECT_EQ(read_kept_list(directory_, url_for({other.facts})).error().code, ErrorCode::not_found);
  EXPECT_FALSE(read_kept_list(directory_, url_for({ca().facts}, "http://pki.example.com/b.crl")));
}

TEST_F(FetchedListFiles, CannotWriteIntoTheNextRequest) {
  for (std::string const foreign : {"", "\r", "\x01", "\x7F"}) {
    auto const text = "certgate fetched CRL 1\nurl: http://a/\netag: \"a\"" + foreign +
                      "X-Evil: y\nlength: 1\n\n0";
    EXPECT_EQ(parse_kept_list(text).has_value(), foreign.empty()) << text;
  }
}

// --- Files that are not wanted any more ---

TEST_F(FetchedListFiles, OfAnotherAddressAreRemovedAndNothingElseIs) {
  auto const a = url_for({ca().facts}, "http://pki.example.com/a.crl");
  auto const b = url_for({ca().facts}, "http://pki.example.com/b.crl");
  auto const c = url_for({ca().facts}, "http://pki.example.com/c.crl");
  auto const bytes = make_crl(with_number("0A"), ca());
  for (auto const& url : {a, b, c}) keep(url, bytes);
  auto const folder = std::filesystem::path(directory_) / "crls";
  auto const write = [&](std::string const& name, std::string const& text) {
    std::ofstream(folder / name, std::ios::binary) << text;
  };
  write("notes.txt", "mine");
  write(std::string(64, 'A') + "-" + std::string(64, 'B'), "not of certgate");
  write(std::string(64, 'A') + "-" + std::string(64, 'C') + ".new", "certgate fet");
  write(std::string(64, 'A') + "-" + std::string(64, 'D') + ".new", "not of certgate");
  std::filesystem::create_symlink("notes.txt", folder / (std::string(64, 'E') + "-" + std::string(64, 'E')));
  std::filesystem::create_directory(folder / (std::string(64, 'F') + "-" + std::string(64, 'F')));

  auto const removed = remove_unwanted_lists(directory_, {b});
  std::vector<std::string> urls;
  for (auto const& gone : removed) {
    urls.push_back(gone.url);
    EXPECT_EQ(gone.problem, "");
  }
  std::sort(urls.begin(), urls.end());
  EXPECT_EQ(urls, (std::vector<std::string>{"", a.text(), c.text()}));
  EXPECT_FALSE(std::filesystem::exists(folder / a.key));
  EXPECT_TRUE(read_kept_list(directory_, b));
  std::size_t left = 0;
  for (auto const& entry : std::filesystem::directory_iterator(folder)) left += !entry.path().empty();
  EXPECT_EQ(left, 6U);  // b, and the five that certgate did not write
  EXPECT_TRUE(remove_unwanted_lists(directory_, {b}).empty());
  EXPECT_TRUE(remove_unwanted_lists("", {}).empty());
  EXPECT_TRUE(remove_unwanted_lists(directory_ + "/nowhere", {}).empty());
}

TEST_F(FetchedListFiles, OfTheSameAddressUnderOtherCasStayUntilThereIsABetterOne) {
  auto const other = make_ca("Another CA");
  auto const before = url_for({ca().facts});
  auto const after = url_for({ca().facts, other.facts});
  auto const bytes = make_crl(with_number("0A"), ca());
  keep(before, bytes);
  EXPECT_TRUE(remove_unwanted_lists(directory_, {after}).empty());
  EXPECT_TRUE(read_kept_list(directory_, after)) << "from the file of the CAs of before";
  keep(after, bytes);
  EXPECT_EQ(remove_unwanted_lists(directory_, {after}).size(), 1U);
  EXPECT_TRUE(read_kept_list(directory_, after));
}

}  // namespace
}  // namespace certgate::gateway
