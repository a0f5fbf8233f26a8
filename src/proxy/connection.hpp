// One client connection: handshake, then exchanges one after the other, until either side ends it.
//
// Lives as long as its coroutine. While idle it keeps the TLS stream, the verdict on its client and
// nothing else: buffers are taken when bytes arrive.
#pragma once

#include <memory>
#include <optional>

#include "certgate/tls/server_stream.hpp"
#include "workspace.hpp"

namespace certgate::proxy {

// What the trust material in force says about this connection's client.
struct Judgement {
  std::uint64_t generation = 0;
  Site const* site = nullptr;  // only compared, and only within one generation
  std::shared_ptr<x509::Verification const> verification;
  x509::Digest trust{};  // that `verification` is about
  x509::Verdict verdict;
};

// Counts one more connection as open if there is room for it; the Connection gives the place back.
// Workers may ask at the same moment: the last place goes to one of them.
bool take_open_place(ConnectionCount& count);
// The address's place for one more connection. nullopt: it has as many as it may, which has been
// counted and logged.
std::optional<ConnectionTally::Place> take_address_place(ConnectionCount& count,
                                                         IpAddress const& address);

class Connection {
 public:
  // `place` is its client's in by_address; not counted yet when a PROXY header tells the address.
  static void start(Workspace& workspace, int fd, IpEndpoint peer,
                    std::shared_ptr<ListenerSettings const> listener,
                    ConnectionTally::Place place);
  ~Connection();

  Workspace& workspace() { return workspace_; }
  // Its own among all that this worker ever has; not 0.
  std::uint64_t number() const { return number_; }
  tls::ServerStream& stream() { return stream_; }
  tls::Session const& session() const { return stream_.session(); }
  IpEndpoint const& peer() const { return peer_; }
  ListenerSettings const& listener() const { return *listener_; }
  IpEndpoint const& local();

  // The verdict on this client for a request to `site`: a compare when nothing has changed.
  Judgement const& judge(WorkerGeneration const& generation, Site const& site, UnixSeconds now);

  // Bytes received that no exchange has used yet; given to the next one.
  net::Block carry;
  std::size_t carried = 0;
  std::uint64_t exchanges = 0;
  // Of the origin that the exchange talks to; null: none.
  net::Socket* upstream_socket = nullptr;

  void drain();      // ends it now if it is idle, else after the exchange
  void interrupt();  // ends every wait, that of the exchange for its origin too
  bool is_interrupted() const { return interrupted_; }
  // The client's certificate has as many other connections as it may: no request is served.
  bool is_surplus() const { return surplus_; }
  Connection* next() const { return next_; }

 private:
  Connection(Workspace& workspace, int fd, IpEndpoint peer,
             std::shared_ptr<ListenerSettings const> listener, ConnectionTally::Place place);
  static net::Detached run(std::unique_ptr<Connection> self);
  net::Task<bool> read_proxy_header(WorkerGeneration const& generation);
  net::Task<bool> shake_hands();
  void take_certificate_place();
  bool has_request() const { return carried > 0 || stream_.has_buffered(); }
  void begin_idling();
  void end_idling();
  net::Task<void> end();
  net::Task<void> linger();
  void record_failed_handshake(tls::HandshakeFailure const& failure);

  Workspace& workspace_;
  std::uint64_t const number_;
  tls::ServerStream stream_;
  net::SocketDeadline deadline_;
  IpEndpoint peer_;
  IpEndpoint local_;
  std::shared_ptr<ListenerSettings const> listener_;
  ConnectionTally::Place address_place_;
  ConnectionTally::Place certificate_place_;
  Judgement judgement_;
  bool idle_ = false;
  bool established_ = false;
  bool interrupted_ = false;
  bool surplus_ = false;
  Connection* previous_ = nullptr;
  Connection* next_ = nullptr;
};

}  // namespace certgate::proxy
