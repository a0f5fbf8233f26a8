#include "workspace.hpp"

#include <malloc.h>
#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "certgate/base/encoding.hpp"
#include "certgate/tls/library.hpp"
#include "tunnel.hpp"

namespace certgate::proxy {

namespace {

constexpr std::size_t max_response_fields = 256;
constexpr std::chrono::milliseconds tunnel_review_interval{1'000};
constexpr std::chrono::milliseconds quiet_time{400};
// Less than this is not worth a walk through the allocator's lists.
constexpr std::size_t worth_releasing = 256 * 1024;

}  // namespace

void RandomBytes::fill(std::span<char> out) {
  if (used_ + out.size() > bytes_.size()) {
    // With the pool of the kernel initialised (it is, long before a daemon starts) this neither
    // blocks nor fails for so few bytes.
    std::size_t filled = 0;
    while (filled < bytes_.size()) {
      auto const n = ::getrandom(bytes_.data() + filled, bytes_.size() - filled, 0);
      if (n > 0) filled += static_cast<std::size_t>(n);
    }
    used_ = 0;
  }
  std::memcpy(out.data(), bytes_.data() + used_, out.size());
  used_ += out.size();
}

class Workspace::TunnelWatch final : public net::Deadline {
 public:
  explicit TunnelWatch(Workspace& workspace) : workspace_(workspace) {}

 private:
  void on_expired() override {
    if (workspace_.tunnels.empty()) return;
    arm(workspace_.deadlines.list(tunnel_review_interval));
    workspace_.review_tunnels(false);
  }
  Workspace& workspace_;
};

class Workspace::QuietWatch final : public net::Deadline {
 public:
  explicit QuietWatch(Workspace& workspace) : workspace_(workspace) {}

 private:
  void on_expired() override {
    if (workspace_.exchanges_ == seen_) return workspace_.release_spare_memory();
    seen_ = workspace_.exchanges_;
    workspace_.watch_for_quiet();
  }
  Workspace& workspace_;
  std::uint64_t seen_ = 0;
};

Workspace::Workspace(WorkerOptions worker_options)
    : options(std::move(worker_options)),
      deadlines(loop),
      tunnel_watch_(std::make_unique<TunnelWatch>(*this)),
      quiet_watch_(std::make_unique<QuietWatch>(*this)) {}

Workspace::~Workspace() = default;

// An origin that did not change keeps its open connections, one that did keeps those to the servers
// that it still has.
std::shared_ptr<upstream::Pool> Workspace::pool_for(std::shared_ptr<upstream::Origin> const& origin) {
  std::shared_ptr<upstream::Pool> before;
  if (current != nullptr) {
    for (auto const& known : current->pools) {
      if (&known->origin() == origin.get()) return known;
      if (known->origin().settings().name == origin->settings().name) before = known;
    }
  }
  auto pool = std::make_shared<upstream::Pool>(loop, deadlines, origin);
  if (before != nullptr) before->hand_over(pool);
  return pool;
}

std::shared_ptr<WorkerGeneration const> Workspace::prepare(
    std::shared_ptr<Generation const> generation) {
  auto own = std::make_shared<WorkerGeneration>();
  own->shared = std::move(generation);
  auto const& shared = *own->shared;
  for (auto const& origin : shared.origins) {
    own->pools.push_back(pool_for(origin));
  }
  own->handshake = &deadlines.list(shared.timeouts.handshake);
  own->header = &deadlines.list(shared.timeouts.header);
  own->body = &deadlines.list(shared.timeouts.body);
  own->keep_alive = &deadlines.list(shared.timeouts.keep_alive);
  own->tunnel = &deadlines.list(shared.timeouts.tunnel);
  own->origin_response = &deadlines.list(shared.timeouts.origin_response);
  own->scratch = std::make_unique<RequestScratch>();
  auto& scratch = *own->scratch;
  scratch.request_slots.resize(shared.limits.header_fields);
  scratch.response_slots.resize(max_response_fields);
  scratch.target_bytes.resize(http::target_scratch_bytes(shared.limits.target_bytes));
  scratch.admission.target = scratch.target_bytes;
  return own;
}

policy::ClientHelloFacts const* Workspace::hello_of(tls::Session const& session) {
  if (session.hello == nullptr) return nullptr;
  auto const& facts = *session.hello;
  hello.length = facts.length;
  auto const encode = [&](std::size_t index, Bytes bytes) {
    hello_texts[index].clear();
    append_base64(hello_texts[index], bytes);
    return std::string_view(hello_texts[index]);
  };
  hello.random = encode(0, facts.random);
  hello.extensions_sha1 = encode(1, facts.extensions_sha1);
  hello.extensions_sha1_little_endian = encode(2, facts.extensions_sha1_le);
  hello.ciphers_sha1 = encode(3, facts.ciphers_sha1);
  return &hello;
}

void Workspace::review_tunnels(bool everything_changed) {
  auto const time = now();
  auto const reviewed = tunnels;  // cutting one only cancels its waits; it leaves the list later
  for (auto* const tunnel : reviewed) tunnel->review(time, everything_changed);
}

void Workspace::watch_tunnels() {
  if (!tunnel_watch_->is_armed()) tunnel_watch_->arm(deadlines.list(tunnel_review_interval));
}

void Workspace::watch_for_quiet() { quiet_watch_->arm(deadlines.list(quiet_time)); }

// After a burst (every client comes back at once) its buffers would stay for good, and so would the
// holes that its handshakes have left between what the connections keep.
void Workspace::release_spare_memory() {
  if (options.access_log != nullptr) options.access_log->release_spare();
  if (blocks.spare_bytes() + response_blocks.spare_bytes() < worth_releasing) return;
  blocks.release_spare();
  response_blocks.release_spare();
  strings.release_spare();
  tls::release_kept_memory();
#if defined(__GLIBC__)
  ::malloc_trim(0);
#endif
}

std::string_view Workspace::date_line() {
  auto const second = now();
  if (second != date_second) {
    date_second = second;
    auto const time = static_cast<std::time_t>(second);
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    char text[48];
    // The "C" locale: the daemon never calls setlocale().
    date.assign(text, std::strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc));
  }
  return date;
}

std::string_view Workspace::http_date() {
  auto line = date_line();
  line.remove_prefix(6);
  line.remove_suffix(2);
  return line;
}

}  // namespace certgate::proxy
