// One worker: a thread's loop with its listeners, connections, pools and caches.
//
// Nothing is shared between workers on the data path, but for the counts of open connections.
// Everything but loop() and build() is to be
// called on the loop's own thread (post to it): a reload is a message.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/base/ip.hpp"
#include "certgate/net/loop.hpp"
#include "certgate/proxy/connection_tally.hpp"
#include "certgate/proxy/generation.hpp"
#include "certgate/telemetry/access_log.hpp"
#include "certgate/telemetry/metrics.hpp"
#include "certgate/tls/server_context.hpp"

namespace certgate::proxy {

enum class ProxyProtocol : std::uint8_t { off, v1, v2, any };

// A listening address as every worker sees it.
struct ListenerSettings {
  IpEndpoint endpoint;  // as bound: port 0 is resolved
  std::string name;     // as written, for logs
  ProxyProtocol proxy_protocol = ProxyProtocol::off;
  std::vector<IpNetwork> trusted_sources;  // who may send a PROXY header
};

// Open connections of all workers together.
struct ConnectionCount {
  std::atomic<std::size_t> open{0};
  std::atomic<std::size_t> limit{65'536};
  std::atomic<std::uint64_t> refused{0};  // closed at once because so many were open
  ConnectionTally by_address;
  ConnectionTally by_certificate;
  std::atomic<std::uint64_t> refused_by_address{0};  // closed at once because of by_address
};

struct WorkerOptions {
  tls::ServerOptions tls;
  std::shared_ptr<ConnectionCount> connections;
  telemetry::AccessLog::Worker* access_log = nullptr;  // null: no access log
  telemetry::WorkerMetrics* metrics = nullptr;         // REQUIRED
};

class Worker {
 public:
  // Fails when OpenSSL cannot serve the Generation's hosts.
  static Result<std::unique_ptr<Worker>> build(WorkerOptions options,
                                               std::shared_ptr<Generation const> generation);
  ~Worker();

  net::Loop& loop();

  // From the next request and handshake on. Tunnels whose client is no longer allowed are closed.
  Result<void> adopt(std::shared_ptr<Generation const> generation);
  // Takes the listening socket over and accepts on it.
  void listen(std::shared_ptr<ListenerSettings const> settings, int fd);
  // The socket bound to that endpoint takes no new connections; those whose handshake with the
  // kernel is under way are still accepted, for a second, and then it is closed.
  void stop_listening(IpEndpoint const& bound);
  // Other settings for what the socket bound to that endpoint accepts from now on.
  void change_listener(IpEndpoint const& bound, std::shared_ptr<ListenerSettings const> settings);
  void set_client_hello_facts(bool on);
  // No new connections; idle ones are closed, busy ones after their response; tunnels go on until
  // close_all().
  void drain();
  void close_all();
  std::size_t connection_count() const;
  // Every connection whose client certificate `concerns` picks; what they are is told by the count.
  std::size_t count_clients(std::function<bool(x509::ClientChain const&)> const& concerns) const;

 private:
  struct Inside;
  explicit Worker(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace certgate::proxy
