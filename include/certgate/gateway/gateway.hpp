// The running process: workers, reload, drain, what the operator can ask of it.
//
// start() validates everything, opens every listener and only then serves. A reload builds a whole
// new Generation beside the running one and swaps once; on any error nothing changes. All member
// functions may be called from any thread; reload() and drain() wait until they are done.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "certgate/base/diagnostic.hpp"
#include "certgate/base/ip.hpp"
#include "certgate/base/result.hpp"
#include "certgate/config/config.hpp"
#include "certgate/gateway/build.hpp"
#include "certgate/net/resolve.hpp"

namespace certgate::gateway {

struct GatewayOptions {
  std::string config_path;
  Clock const* clock = nullptr;  // null: the system's
  net::Lookup lookup = net::resolve;  // for the names of origins' servers; blocks
};

// What a reload did, for the log and for `certgate reload`.
struct Receipt {
  std::uint64_t version = 0;
  std::vector<std::string> changes;  // sentences; empty: nothing differs
  std::chrono::microseconds took{0};
  Diagnostics warnings;
  std::string to_string() const;  // one line
};

class Gateway {
 public:
  // Everything of check(), then listeners and threads.
  static Result<std::unique_ptr<Gateway>, Diagnostics> start(GatewayOptions options);
  // drain() first for an orderly end; otherwise connections are cut.
  ~Gateway();

  Result<Receipt, Diagnostics> reload();
  // Returns at once; `done` runs on another thread. Nothing happens, and `done` is dropped, when one
  // that was asked for in this way has not begun yet: it will see the same files.
  void reload_soon(std::function<void(Result<Receipt, Diagnostics> const&)> done);
  // Stops accepting, lets requests finish for at most timeouts.drain, then closes what is left.
  void drain();
  // Log files are opened again (after a rotation).
  Result<void> reopen_logs();

  // As bound, in the order of the configuration.
  std::vector<IpEndpoint> endpoints() const;
  std::string status_json() const;
  std::string metrics_text() const;
  bool is_ready() const;

 private:
  struct Inside;
  explicit Gateway(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

// Loads everything that a run would load and serves nothing.
struct Checked {
  config::Config config;
  Built built;
};
Result<Checked, Diagnostics> check(std::string const& config_path, UnixSeconds at);

// What is wrong with the certificates that https:// origins show now; notes where one cannot be asked.
// Connects to them, all at once and for two seconds at most.
Diagnostics ask_origins(Checked const& checked, UnixSeconds at);

// What a CRL address of the configuration gives now.
struct CrlAnswer {
  std::string url;
  std::string host;                  // the first that wants it
  bool is_from_certificate = false;  // a distribution point
  std::string problem;               // why there is no list that a run would take; else "" and:
  std::string state;                 // "first", "new" or "unchanged", against the kept list
  std::string list;                  // "12 revoked, number 0A, until 2026-12-01 10:00 UTC"
  std::string number;                // upper-case hex, "" when it has none
  std::size_t entries = 0;
  std::optional<UnixSeconds> next_update;
  std::string delta_url;      // "" when the list names none
  std::string delta_problem;  // why it is not used
};

// Fetches the list of every address as a run would, all at once, and keeps nothing.
// Errors: `crl_refresh` cannot be used.
Result<std::vector<CrlAnswer>, Diagnostics> ask_crl_addresses(Checked const& checked);
std::string describe_crl_answers(std::vector<CrlAnswer> const& answers, UnixSeconds at);

// The effective policy per host, for `check`: certificates, client authentication, routes.
std::string describe_hosts(Checked const& checked, UnixSeconds at);
// What ends when, soonest first, and what stops working then.
std::string describe_expiries(std::vector<Expiry> expiries, UnixSeconds at);

}  // namespace certgate::gateway
