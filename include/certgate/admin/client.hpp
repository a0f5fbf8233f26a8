// One request to a running certgate, as `certgate reload` and `certgate status` make it.
//
// Blocks the calling thread until the answer is complete or the time is over.
// Errors: unavailable (nobody listens there), permission, timed_out, closed (it hung up), invalid
// (what answered is not certgate's admin server).
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "certgate/admin/address.hpp"
#include "certgate/base/result.hpp"

namespace certgate::admin {

struct Answer {
  unsigned status = 0;
  std::string body;
};

class Client {
 public:
  explicit Client(Address address, std::chrono::milliseconds timeout = std::chrono::seconds{10})
      : address_(std::move(address)), timeout_(timeout) {}
  Result<Answer> get(std::string_view path) const;
  Result<Answer> post(std::string_view path, std::string_view body = {}) const;

 private:
  Result<Answer> ask(std::string_view method, std::string_view path, std::string_view body) const;

  Address address_;
  std::chrono::milliseconds timeout_;
};

}  // namespace certgate::admin
