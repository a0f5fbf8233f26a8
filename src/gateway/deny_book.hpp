// The operator's deny list: what is on it, where it is kept, and who changed it when.
//
// Changes come through the admin socket as JSON, are planned here, put in force by the gateway, and
// kept in the state directory: `denied.json` is written whole or not at all, `audit.log` gets one
// JSON line per change. Without a state directory the list lives as long as the process.
//
// Threads: change() one at a time (the gateway's `changing`); the rest at any time.
// Errors:  open() reports a list that is there but cannot be read: to start without it would let
//          everybody in again whom somebody threw out.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/base/result.hpp"
#include "certgate/x509/deny_list.hpp"

namespace certgate::gateway {

// A list that is about to be in force.
struct DenyChange {
  enum class Kind { deny, undeny };
  Kind kind = Kind::deny;
  x509::DenyList::Pointer list;       // all of them
  x509::DenyList::Pointer concerned;  // those that this change adds or takes away
  std::string by;                     // who asked, as the command says
};

// What the gateway does with a change, and what it says about it.
struct DenyTarget {
  std::function<Result<void>(x509::DenyList::Pointer)> put_in_force;
  std::function<std::size_t(x509::DenyList const&)> count_connections;
  std::string doubt;  // why a denial may keep nobody out; said with each
};
struct DenyAnswer {
  bool ok = false;
  std::string text;      // for the operator; JSON where the body asks for it
  std::string log_line;  // the same as one sentence
};

class DenyBook {
 public:
  // `directory` empty: nothing is kept.
  static Result<std::unique_ptr<DenyBook>> open(std::string directory, UnixSeconds now);

  // What is kept there; an empty list when there is none.
  static Result<x509::DenyList::Pointer> read(std::string const& directory, UnixSeconds now);

  bool is_kept() const { return !directory_.empty(); }
  // Never null.
  x509::DenyList::Pointer list() const;
  // Those that hold at that moment.
  std::vector<x509::DenyEntry> entries(UnixSeconds now) const;

  // `body`: {"serial" | "fingerprint" | "subject": …, "issuer", "seconds", "reason", "by", "json"}.
  Result<DenyChange> plan_deny(std::string_view body, UnixSeconds now) const;
  // The same criteria take entries away; a serial without issuer those of every issuer.
  Result<DenyChange> plan_undeny(std::string_view body, UnixSeconds now) const;

  // Plans, puts in force and keeps. A denial holds even if it cannot be kept, and the answer says
  // so; an entry that cannot be taken from the disk stays in force.
  DenyAnswer change(DenyChange::Kind kind, std::string_view body, UnixSeconds now,
                    DenyTarget const& target);

  // As `certgate denies` prints it.
  std::string format(std::string_view body, UnixSeconds now) const;

 private:
  Result<void> keep(DenyChange const& change);
  void take(DenyChange const& change);
  Result<void> audit(DenyChange const& change, std::size_t connections, UnixSeconds now);

  std::string directory_;
  mutable std::mutex mutex_;  // of list_ alone
  x509::DenyList::Pointer list_;
};

// "serial 0A1B of CN=Devices", for logs and answers.
std::string describe(x509::DenyEntry const& entry);

}  // namespace certgate::gateway
