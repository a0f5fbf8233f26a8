#include "certgate/upstream/health.hpp"

#include <algorithm>
#include <array>

#include "certgate/http1/reader.hpp"
#include "certgate/upstream/pool.hpp"

namespace certgate::upstream {
namespace {

constexpr std::size_t probe_head_bytes = 16 * 1024;

bool accepts(HealthSettings const& health, int status) {
  if (health.status.empty()) return status >= 200 && status < 400;
  return std::find(health.status.begin(), health.status.end(), status) != health.status.end();
}

}  // namespace

// One server's probing: sleeps, asks, notes, and sleeps again.
class HealthChecker::Probe final : private net::Deadline {
 public:
  Probe(HealthChecker& owner, std::shared_ptr<Origin> origin, std::shared_ptr<Server> server)
      : owner_(owner), origin_(std::move(origin)), server_(std::move(server)) {}

  void begin() { net::start(run()); }
  // True when nothing is in flight and it may be deleted.
  bool stop() {
    stopped_ = true;
    disarm();
    if (socket_ != nullptr) socket_->cancel();
    return !busy_;
  }
  bool is_of(Server const* server) const { return server_.get() == server; }
  void set_origin(std::shared_ptr<Origin> origin) { origin_ = std::move(origin); }

 private:
  void on_expired() override { net::start(run()); }
  net::Task<void> run();
  net::Task<Result<int, std::string>> ask();
  void note(Result<int, std::string> const& answer);

  HealthChecker& owner_;
  std::shared_ptr<Origin> origin_;
  std::shared_ptr<Server> server_;
  net::Socket* socket_ = nullptr;
  bool busy_ = false;
  bool stopped_ = false;
};

net::Task<void> HealthChecker::Probe::run() {
  busy_ = true;
  auto const answer = co_await ask();
  busy_ = false;
  if (stopped_) co_return;
  note(answer);
  arm(owner_.deadlines_.list(origin_->settings().health.interval));
}

net::Task<Result<int, std::string>> HealthChecker::Probe::ask() {
  auto const origin = origin_;  // may be another one before this ends
  auto const& health = origin->settings().health;
  auto const& settings = server_->settings();
  auto const timeout = health.timeout;
  Pool pool(owner_.loop_, owner_.deadlines_, origin);
  auto const connection = pool.make(*server_);
  auto& stream = connection->stream();
  socket_ = &stream.socket();
  auto connected = co_await pool.connect(*connection, timeout);
  if (stopped_ || !connected) socket_ = nullptr;
  if (stopped_) co_return fail(std::string("stopped"));
  if (!connected) co_return fail(std::move(connected.error().detail));

  net::SocketDeadline deadline(stream.socket());
  deadline.arm(owner_.deadlines_.list(timeout));
  auto const host = health.host.empty() ? settings.authority : health.host;
  auto const request = "GET " + health.path + " HTTP/1.1\r\nUser-Agent: certgate-health\r\nHost: " +
                       host + "\r\nConnection: close\r\n\r\n";
  auto const bytes = std::span<char const>(request);
  auto const sent = co_await net::write_all(stream, bytes);
  std::string received;
  std::array<http::Field, http1::default_max_fields> slots;
  http1::ResponseReader reader(slots);
  std::string why = sent == net::IoStatus::done ? "closed without an answer" : "cannot send";
  int status = 0;
  while (sent == net::IoStatus::done && received.size() < probe_head_bytes) {
    char piece[4096];
    auto const room = std::span<char>(piece);
    auto const result = co_await net::read_some(stream, room);
    if (result.status != net::IoStatus::done) {
      if (deadline.expired()) why = "no answer in time";
      break;
    }
    received.append(piece, result.bytes);
    auto const fed = reader.feed(received);
    if (fed == http1::Feed::need_more) continue;
    if (fed == http1::Feed::complete) {
      status = reader.head().status;
    } else {
      why = "malformed answer";
    }
    break;
  }
  socket_ = nullptr;
  if (status == 0) co_return fail(std::move(why));
  co_return status;
}

void HealthChecker::Probe::note(Result<int, std::string> const& answer) {
  auto const& health = origin_->settings().health;
  bool const well = answer && accepts(health, *answer);
  bool const changed = well ? server_->probe_succeeded(health) : server_->probe_failed(health);
  if (!changed || !owner_.on_change_) return;
  HealthChange change{origin_->settings().name, server_->settings().label, well, {}};
  if (!answer) change.reason = answer.error();
  if (answer && !well) change.reason = "status " + std::to_string(*answer);
  owner_.on_change_(change);
}

HealthChecker::HealthChecker(net::Loop& loop, net::Deadlines& deadlines,
                             std::function<void(HealthChange const&)> on_change)
    : loop_(loop), deadlines_(deadlines), on_change_(std::move(on_change)) {}

HealthChecker::~HealthChecker() = default;

void HealthChecker::watch(std::vector<std::shared_ptr<Origin>> const& origins) {
  auto const is_wanted = [&](Probe const& probe) {
    return std::any_of(origins.begin(), origins.end(), [&](auto const& origin) {
      auto const& servers = origin->servers();
      return std::any_of(servers.begin(), servers.end(),
                         [&](auto const& server) { return probe.is_of(server.get()); });
    });
  };
  // One in flight ends by itself, marked as stopped, and is deleted at the next call.
  std::erase_if(probes_, [&](auto const& probe) { return !is_wanted(*probe) && probe->stop(); });
  for (auto const& origin : origins) {
    if (origin->settings().health.path.empty()) continue;
    for (auto const& server : origin->servers()) {
      auto const watched = std::find_if(probes_.begin(), probes_.end(), [&](auto const& probe) {
        return probe->is_of(server.get());
      });
      if (watched != probes_.end()) {
        (*watched)->set_origin(origin);
        continue;
      }
      probes_.push_back(std::make_unique<Probe>(*this, origin, server));
      probes_.back()->begin();
    }
  }
}

bool HealthChecker::stop() {
  std::erase_if(probes_, [](auto const& probe) { return probe->stop(); });
  return probes_.empty();
}

}  // namespace certgate::upstream
