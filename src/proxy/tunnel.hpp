// A connection after 101 Switching Protocols: bytes both ways until either side ends it.
//
// The request that opened it is judged again whenever trust or rules change and when the verdict on
// its client runs out; a client that is no longer allowed is cut off.
#pragma once

#include "certgate/net/deadlines.hpp"
#include "certgate/net/stream.hpp"
#include "event.hpp"
#include "transfer.hpp"
#include "workspace.hpp"

namespace certgate::proxy {

class Exchange;

class Tunnel final : private net::Deadline {
 public:
  Tunnel(Workspace& workspace, Exchange& exchange, net::Stream& client, net::Stream& upstream,
         net::DeadlineList& patience);
  ~Tunnel() override;

  // Until both directions have ended.
  // `early`: bytes for the upstream that were received before; they have to outlive run().
  net::Task<void> run(std::string_view early);
  // Judges the opening request by what is in force now.
  void review(UnixSeconds now, bool everything_changed);
  void cut(std::string_view reason);

  std::uint64_t to_client() const { return to_client_; }
  std::uint64_t to_upstream() const { return to_upstream_; }
  std::string_view failure() const { return failure_; }

 private:
  void on_expired() override { cut("tunnel_idle"); }
  net::Task<bool> carry(net::Stream& from, net::Stream& to, std::uint64_t& count);
  net::Task<bool> drain_into(net::Stream& to, std::string_view bytes);
  net::Task<void> carry_back();

  Workspace& workspace_;
  Exchange& exchange_;
  net::Stream& client_;
  net::Stream& upstream_;
  net::DeadlineList& patience_;
  Event back_done_;
  std::uint64_t to_client_ = 0;
  std::uint64_t to_upstream_ = 0;
  std::string_view failure_;
};

}  // namespace certgate::proxy
