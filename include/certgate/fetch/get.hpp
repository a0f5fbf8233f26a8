// Fetches one document over http or https, without trusting anybody on the way.
//
// A GET on a loop of the caller's, never on a worker: names are looked up on a thread of their own,
// and everything together, redirects included, ends within the time given. A name is resolved once
// and the connection goes to an address that AddressPolicy allows; each redirect is judged anew, and
// none leads from https to http. No cookies, no proxy from the environment, no compressed bodies.
// https verifies the server's certificate and name against the given CAs, or the system's.
//
// Errors: one sentence that names the place ("answered 500", "is longer than 64 MiB", "leads to
//         169.254.169.254 (link-local)", "ended after 10 of 20 bytes").
// See:    docs/decisions/0010-own-http-client.md
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "certgate/base/ip.hpp"
#include "certgate/base/result.hpp"
#include "certgate/fetch/address_policy.hpp"
#include "certgate/fetch/url.hpp"
#include "certgate/net/deadlines.hpp"
#include "certgate/net/resolving.hpp"
#include "certgate/net/stream.hpp"
#include "certgate/net/task.hpp"
#include "certgate/x509/certificate.hpp"

namespace certgate::fetch {

inline constexpr unsigned max_redirects = 3;

// What a server said about a document, to ask it next time whether that changed (RFC 9110 §13.1).
struct Validators {
  std::string etag;           // as sent, quotes included; "": none
  std::string last_modified;  // likewise
};

struct Request {
  Url url;
  std::vector<x509::Certificate::Pointer> authorities;  // for https; empty: the system's
  AddressPolicy addresses;
  std::size_t max_bytes = std::size_t{64} * 1024 * 1024;
  std::chrono::milliseconds time{std::chrono::seconds{30}};
  std::string accept = "*/*";
  Validators known;  // of the copy at hand
};

struct Answer {
  bool is_unchanged = false;  // 304: the copy at hand is still good, `body` is empty
  std::string body;
  Validators validators;
};

// One fetch. Used on the loop's thread only; lives until run() has ended.
class Get final : private net::Deadline {
 public:
  Get(net::Loop& loop, net::Deadlines& deadlines, net::Lookup lookup = net::resolve);
  ~Get() override;

  // Once at a time. REQUIRES: the request outlives it.
  net::Task<Result<Answer>> run(Request const& request);
  // Ends run() soon, with ErrorCode::timed_out.
  void cancel();

 private:
  struct Hop;
  void on_expired() override { cancel(); }
  bool is_over() const { return is_over_; }
  Error time_is_up() const;
  net::Task<Result<Answer>> follow(Request const& request);
  net::Task<Result<std::vector<IpAddress>>> resolve(Request const& request, Url const& url);
  net::Task<Result<void>> open(Request const& request, Url const& url, Hop& hop);
  net::Task<Result<void>> ask(Request const& request, Url const& url, Hop& hop);
  net::Task<Result<void>> read_head(Hop& hop);
  net::Task<Result<std::string>> read_body(Request const& request, Hop& hop);

  net::Loop& loop_;
  net::Deadlines& deadlines_;
  net::Lookup lookup_;
  std::chrono::milliseconds time_{0};
  net::Resolving* resolving_ = nullptr;
  net::Socket* socket_ = nullptr;
  bool is_over_ = false;
};

}  // namespace certgate::fetch
