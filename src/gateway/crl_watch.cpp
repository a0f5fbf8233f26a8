#include "crl_watch.hpp"

#include <algorithm>

#include "crl_sources.hpp"
#include "materials.hpp"

namespace certgate::gateway {
namespace {

// For the warnings, where no file is watched.
constexpr std::chrono::seconds longest_sleep{30};
// With thousands of hosts the log should not drown in certificates of one age.
constexpr std::size_t most_at_once = 20;

std::string what_ends(Expiry const& expiry) {
  switch (expiry.kind) {
    case Expiry::Kind::crl: return "the CRL of ";
    case Expiry::Kind::client_ca:
    case Expiry::Kind::upstream_ca:
    case Expiry::Kind::crl_server_ca: return "the CA ";
    case Expiry::Kind::server_certificate:
    case Expiry::Kind::upstream_certificate: break;
  }
  return "the certificate ";
}

}  // namespace

TimeLeft time_left(UnixSeconds from, UnixSeconds until, UnixSeconds now) {
  if (now >= until) return TimeLeft::none;
  auto const whole = std::max<UnixSeconds>(until - from, 1);
  auto const left = until - now;
  if (left <= whole / 10) return TimeLeft::less_than_a_tenth;
  if (left <= whole / 2) return TimeLeft::less_than_half;
  return TimeLeft::more_than_half;
}

std::vector<std::string> ExpiryWarnings::due(std::vector<Expiry> const& expiries, UnixSeconds now) {
  std::vector<std::string> sentences;
  std::map<std::string, TimeLeft> told;
  std::size_t more = 0;
  for (auto const& expiry : expiries) {
    auto const key = std::string(name_of(expiry.kind)) + "\n" + expiry.file + "\n" + expiry.name + "\n" + std::to_string(expiry.from) + " " +
                     std::to_string(expiry.until);
    auto left = time_left(expiry.from, expiry.until, now);
    if (left == TimeLeft::none && now < over_at(expiry)) left = TimeLeft::less_than_a_tenth;
    auto const known = told_.find(key);
    auto const before = known == told_.end() ? TimeLeft::more_than_half : known->second;
    told[key] = std::max(left, before);
    if (left <= before) continue;
    if (sentences.size() == most_at_once) {
      ++more;
      continue;
    }
    auto sentence = what_ends(expiry) + expiry.name + " (" + expiry.file + ") ";
    switch (left) {
      case TimeLeft::none: sentence += "has ended on "; break;
      case TimeLeft::less_than_a_tenth: sentence += "has a tenth of its time left, until "; break;
      case TimeLeft::less_than_half: sentence += "has half of its time left, until "; break;
      case TimeLeft::more_than_half: continue;
    }
    sentences.push_back(sentence + format_day(expiry.until) + ": " + expiry.consequence);
  }
  if (more > 0) {
    sentences.push_back("and " + std::to_string(more) +
                        " more have less than half of their time left; `certgate status` lists them");
  }
  told_ = std::move(told);
  return sentences;
}

CrlWatch::CrlWatch(CrlWatchTarget target, std::string seen)
    : target_(std::move(target)), seen_(std::move(seen)), thread_([this] { run(); }) {}

CrlWatch::~CrlWatch() {
  {
    std::lock_guard const lock(mutex_);
    is_over_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void CrlWatch::run() {
  ExpiryWarnings warnings;
  for (;;) {
    auto const config = target_.config();
    std::chrono::milliseconds const period = *config->crl_refresh.watch;
    if (period.count() > 0) {
      // Looked at before it is read: what changes in between is seen at the next look.
      auto seen = look_at_crl_files(*config);
      if (seen != seen_) {
        seen_ = std::move(seen);
        target_.refresh();
      }
    }
    for (auto const& sentence : warnings.due(target_.expiries(), target_.now())) {
      target_.warn(sentence);
    }
    std::unique_lock lock(mutex_);
    auto const sleep = period.count() > 0 ? std::min<std::chrono::milliseconds>(period, longest_sleep)
                                          : longest_sleep;
    if (wake_.wait_for(lock, sleep, [this] { return is_over_; })) return;
  }
}

}  // namespace certgate::gateway
