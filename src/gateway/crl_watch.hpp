// Notices that a CRL file changed, and tells early when a CRL, a certificate or a CA is about to end.
//
// A thread of its own looks at the files every `crl_refresh.watch` (stat only); what changed is read,
// checked and put in force by the gateway as a reload would do it. It waits, and works, off the
// workers.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/config/config.hpp"
#include "certgate/gateway/build.hpp"

namespace certgate::gateway {

struct CrlWatchTarget {
  std::function<std::shared_ptr<config::Config const>()> config;
  std::function<std::vector<Expiry>()> expiries;
  std::function<UnixSeconds()> now;
  std::function<void()> refresh;  // a file is not what it was
  std::function<void(std::string const&)> warn;
};

class CrlWatch {
 public:
  // `seen`: look_at_crl_files() from before the lists in force were read.
  CrlWatch(CrlWatchTarget target, std::string seen);
  ~CrlWatch();

 private:
  void run();

  CrlWatchTarget target_;
  std::string seen_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_over_ = false;
  std::thread thread_;
};

// What is left of the time from `from` to `until`.
enum class TimeLeft { more_than_half, less_than_half, less_than_a_tenth, none };
TimeLeft time_left(UnixSeconds from, UnixSeconds until, UnixSeconds now);

// Each CRL, certificate and CA once at half, once at a tenth and once at the end of its time.
class ExpiryWarnings {
 public:
  std::vector<std::string> due(std::vector<Expiry> const& expiries, UnixSeconds now);

 private:
  std::map<std::string, TimeLeft> told_;
};

}  // namespace certgate::gateway
