#include "certgate/proxy/worker.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "certgate/telemetry/log.hpp"
#include "connection.hpp"
#include "tunnel.hpp"
#include "workspace.hpp"

namespace certgate::proxy {

using net::Ready;

namespace {

// Connections accepted before other work gets its turn.
constexpr int accepts_per_turn = 32;
// How long a listener rests when the process has no descriptors left.
constexpr std::chrono::milliseconds descriptor_pause{100};
// How long a listener that is closed accepts connections that were on their way.
constexpr std::chrono::milliseconds retirement_time{1000};

// Who looks after the machine is told of both, but not once for each connection.
void note_full(std::size_t limit) {
  static telemetry::LogLimit log_limit;
  telemetry::process_log().warning(
      log_limit, "connection closed at once: the connection limit is reached", {{"limit", limit}});
}

void note_exhausted(int reason) {
  static telemetry::LogLimit log_limit;
  telemetry::process_log().warning(log_limit, "connections wait and are not accepted",
                                   {{"reason", std::system_category().message(reason)}});
}

}  // namespace

// A listening socket of this worker and the coroutine that accepts on it.
class Acceptor {
 public:
  Acceptor(Workspace& workspace, std::shared_ptr<ListenerSettings const> settings, int fd)
      : workspace_(workspace),
        settings_(std::move(settings)),
        bound_(settings_->endpoint),
        socket_(workspace.loop, fd) {}

  static net::Task<void> run(std::shared_ptr<Acceptor> self);
  void close() {
    retirement_.disarm();
    socket_.close();
  }
  // Closing at once would reset connections that the kernel has accepted and nobody has fetched.
  void retire() {
    net::refuse_new_connections(socket_.fd());
    retirement_.arm(workspace_.deadlines.list(retirement_time));
  }
  bool is_over() const { return !socket_.is_open(); }
  bool is_retiring() const { return retirement_.is_armed(); }
  IpEndpoint const& bound() const { return bound_; }
  void change(std::shared_ptr<ListenerSettings const> settings) { settings_ = std::move(settings); }

 private:
  class Retirement final : public net::Deadline {
   public:
    explicit Retirement(Acceptor& acceptor) : acceptor_(acceptor) {}

   protected:
    void on_expired() override {
      acceptor_.accept_waiting();
      acceptor_.close();
    }

   private:
    Acceptor& acceptor_;
  };

  bool accept_waiting();

  Workspace& workspace_;
  std::shared_ptr<ListenerSettings const> settings_;
  IpEndpoint const bound_;
  net::Socket socket_;
  Retirement retirement_{*this};
};

// Accepts what waits, up to a turn's worth. True: the process has no descriptors left.
bool Acceptor::accept_waiting() {
  auto& connections = *workspace_.options.connections;
  for (int i = 0; i < accepts_per_turn; ++i) {
    IpEndpoint peer;
    int const fd = net::accept_one(socket_.fd(), peer);
    if (fd < 0) {
      auto const reason = errno;
      if (reason == EAGAIN) socket_.mark_drained();
      bool const exhausted =
          reason == EMFILE || reason == ENFILE || reason == ENOBUFS || reason == ENOMEM;
      if (exhausted) note_exhausted(reason);
      return exhausted;
    }
    if (!take_open_place(connections)) {
      ::close(fd);
      connections.refused.fetch_add(1, std::memory_order_relaxed);
      note_full(connections.limit.load(std::memory_order_relaxed));
      continue;
    }
    ConnectionTally::Place place;
    if (settings_->proxy_protocol == ProxyProtocol::off) {
      auto taken = take_address_place(connections, peer.address);
      if (!taken) {
        ::close(fd);
        connections.open.fetch_sub(1, std::memory_order_relaxed);
        continue;
      }
      place = std::move(*taken);
    }
    Connection::start(workspace_, fd, peer, settings_, std::move(place));
  }
  return false;
}

net::Task<void> Acceptor::run(std::shared_ptr<Acceptor> self) {
  auto& acceptor = *self;
  auto& workspace = acceptor.workspace_;
  while (acceptor.socket_.is_open()) {
    auto const ready = co_await acceptor.socket_.readable();
    if (ready == Ready::cancelled || !acceptor.socket_.is_open()) break;
    bool const exhausted = acceptor.accept_waiting();
    if (exhausted) {
      net::Sleep pause(workspace.deadlines.list(descriptor_pause));
      co_await pause;
    }
  }
}

struct Worker::Inside {
  explicit Inside(WorkerOptions options) : workspace(std::move(options)) {}
  Workspace workspace;
  std::vector<std::shared_ptr<Acceptor>> acceptors;
};

Result<std::unique_ptr<Worker>> Worker::build(WorkerOptions options,
                                              std::shared_ptr<Generation const> generation) {
  auto inside = std::make_unique<Inside>(std::move(options));
  auto& workspace = inside->workspace;
  CERTGATE_TRY(workspace.tls, tls::ServerContext::build(workspace.loop, workspace.options.tls));
  auto const hosts = workspace.tls->set_hosts(generation->tls_hosts);
  if (!hosts) return fail(hosts.error());
  workspace.current = workspace.prepare(std::move(generation));
  return std::unique_ptr<Worker>(new Worker(std::move(inside)));
}

Worker::Worker(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Worker::~Worker() = default;

net::Loop& Worker::loop() { return inside_->workspace.loop; }

Result<void> Worker::adopt(std::shared_ptr<Generation const> generation) {
  auto& workspace = inside_->workspace;
  auto const hosts = workspace.tls->set_hosts(generation->tls_hosts);
  if (!hosts) return fail(hosts.error());
  workspace.current = workspace.prepare(std::move(generation));
  workspace.review_tunnels(true);
  return {};
}

void Worker::listen(std::shared_ptr<ListenerSettings const> settings, int fd) {
  auto acceptor = std::make_shared<Acceptor>(inside_->workspace, std::move(settings), fd);
  inside_->acceptors.push_back(acceptor);
  net::start(Acceptor::run(std::move(acceptor)));
}

void Worker::stop_listening(IpEndpoint const& bound) {
  std::erase_if(inside_->acceptors, [](auto const& acceptor) { return acceptor->is_over(); });
  for (auto const& acceptor : inside_->acceptors) {
    if (acceptor->bound() == bound && !acceptor->is_retiring()) acceptor->retire();
  }
}

void Worker::change_listener(IpEndpoint const& bound,
                             std::shared_ptr<ListenerSettings const> settings) {
  for (auto const& acceptor : inside_->acceptors) {
    if (acceptor->bound() == bound && !acceptor->is_retiring()) acceptor->change(settings);
  }
}

void Worker::set_client_hello_facts(bool on) {
  inside_->workspace.tls->set_client_hello_facts(on);
}

void Worker::drain() {
  auto& workspace = inside_->workspace;
  workspace.draining = true;
  for (auto const& acceptor : inside_->acceptors) acceptor->close();
  inside_->acceptors.clear();
  for (auto* connection = workspace.connections; connection != nullptr;
       connection = connection->next()) {
    connection->drain();
  }
  for (auto const& pool : workspace.current->pools) pool->close_idle();
}

void Worker::close_all() {
  auto& workspace = inside_->workspace;
  for (auto* const tunnel : workspace.tunnels) tunnel->cut("shutting_down");
  for (auto* connection = workspace.connections; connection != nullptr;
       connection = connection->next()) {
    connection->interrupt();
  }
}

std::size_t Worker::connection_count() const { return inside_->workspace.connection_count; }

std::size_t Worker::count_clients(
    std::function<bool(x509::ClientChain const&)> const& concerns) const {
  std::size_t count = 0;
  for (auto* connection = inside_->workspace.connections; connection != nullptr;
       connection = connection->next()) {
    auto const& chain = connection->session().chain;
    if (chain != nullptr && concerns(*chain)) ++count;
  }
  return count;
}

}  // namespace certgate::proxy
