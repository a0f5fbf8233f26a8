// Asks each server of an origin now and then whether it is well, and writes down the answer.
//
// Runs on one loop (the gateway's own, not a worker's). A probe is one GET on a connection of its
// own; any final answer with a status that the settings accept counts as well. What changes is
// handed to `on_change`, for the log.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "certgate/net/deadlines.hpp"
#include "certgate/upstream/origin.hpp"

namespace certgate::upstream {

struct HealthChange {
  std::string origin;
  std::string server;
  bool is_up = false;
  std::string reason;  // of the last failure
};

class HealthChecker {
 public:
  HealthChecker(net::Loop& loop, net::Deadlines& deadlines,
                std::function<void(HealthChange const&)> on_change);
  ~HealthChecker();

  // Probes the servers of exactly these origins from now on; those without a health path are left
  // out, servers that are watched already go on undisturbed.
  void watch(std::vector<std::shared_ptr<Origin>> const& origins);
  // Ends all probes; true once none is in flight (call again after running the loop).
  bool stop();

 private:
  class Probe;
  net::Loop& loop_;
  net::Deadlines& deadlines_;
  std::function<void(HealthChange const&)> on_change_;
  std::vector<std::unique_ptr<Probe>> probes_;
};

}  // namespace certgate::upstream
