// The API behind the proxy in `certgate demo`: answers every request with who is asking.
#pragma once

#include <cstdint>
#include <memory>
#include <thread>

#include "certgate/base/result.hpp"
#include "certgate/net/loop.hpp"

namespace certgate::cli {

// Serves on a thread of its own, on loopback, until it is destroyed.
class DemoOrigin {
 public:
  static Result<std::unique_ptr<DemoOrigin>> start();
  ~DemoOrigin();
  std::uint16_t port() const { return port_; }

 private:
  DemoOrigin() = default;
  struct Listener;
  net::Loop loop_;
  std::shared_ptr<Listener> listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace certgate::cli
