// Sends load to one TLS proxy and prints what came of it as JSON.
//
// Exists because wrk, h2load and hey cannot present a client certificate. One thread, epoll. Closed
// loop (each connection asks again as soon as it has its answer) or open loop (--rate: operations
// begin when they are due, and latency counts from then, so a stall is not hidden).
//
// With --marks it says {"ready": ...} once every connection is open and warm. For each line on
// standard input it then runs once and prints its figures; its connections stay open until standard
// input ends. Whoever started it can read the proxy's CPU time before and after each run, and
// neither opening nor closing connections is counted with what is measured.
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "client.hpp"
#include "histogram.hpp"

namespace certgate::load {
namespace {

[[noreturn]] void die(std::string const& why) {
  std::fprintf(stderr, "load: %s\n", why.c_str());
  std::exit(2);
}

SSL_CTX* make_context(Options const& options) {
  auto* const context = SSL_CTX_new(TLS_client_method());
  int const version = options.tls == "1.2" ? TLS1_2_VERSION : TLS1_3_VERSION;
  SSL_CTX_set_min_proto_version(context, version);
  SSL_CTX_set_max_proto_version(context, version);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // Both sides' mistakes would show in the status; the server's certificate costs time to verify.
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384");
  if (!options.groups.empty() && SSL_CTX_set1_groups_list(context, options.groups.c_str()) != 1) {
    die("unknown groups " + options.groups);
  }
  if (!options.certificate.empty()) {
    if (SSL_CTX_use_certificate_chain_file(context, options.certificate.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, options.key.c_str(), SSL_FILETYPE_PEM) != 1) {
      die("cannot load " + options.certificate);
    }
  }
  return context;
}

std::string make_request(Options const& options) {
  auto text = options.method + " " + options.path + " HTTP/1.1\r\nHost: " + options.server_name +
              "\r\nUser-Agent: certgate-load/1.0\r\nAccept: */*\r\n";
  for (unsigned i = 0; i < options.padding_fields; ++i) {
    text += "X-Bench-Field-" + std::to_string(i) + ": " + std::string(44, 'a' + i % 26) + "\r\n";
  }
  if (options.body_bytes > 0) {
    text += "Content-Length: " + std::to_string(options.body_bytes) + "\r\n";
  }
  text += "\r\n";
  text.append(options.body_bytes, 'x');
  return text;
}

constexpr std::uint64_t max_opening = 32;

struct Totals {
  Histogram latency;
  std::uint64_t done = 0, failed = 0, refused = 0, wrong_status = 0, resumed = 0;
  std::string first_error;
};

// Where a phase ends: after so many operations, or after so long; 0 means no such end.
struct Extent {
  std::uint64_t operations = 0;
  double seconds = 0;
  double rate = 0;
};

class Run {
 public:
  explicit Run(Options const& options)
      : options_(options), context_(make_context(options)), request_(make_request(options)) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < options.connections; ++i) {
      clients_.push_back(std::make_unique<Client>(options_, context_, request_, epoll_));
      free_.push_back(clients_.back().get());
    }
  }
  ~Run() {
    clients_.clear();
    SSL_CTX_free(context_);
    ::close(epoll_);
  }

  // Opens every connection, a few at a time, and lets each do `warm_up` operations.
  void warm_up();
  // What is measured.
  void measure();
  std::size_t connections() const { return clients_.size(); }
  Totals const& totals() const { return totals_; }
  double elapsed() const { return static_cast<double>(ended_ - began_) / 1e9; }

 private:
  void loop(Extent extent, std::uint64_t at_once);
  bool is_over(std::uint64_t now) const {
    if (extent_.operations > 0 && begun_ >= extent_.operations) return true;
    return extent_.seconds > 0 && static_cast<double>(now - began_) >= extent_.seconds * 1e9;
  }
  void give_work(std::uint64_t now, std::uint64_t at_once);
  int wait(std::span<epoll_event> events, std::uint64_t now) const;
  void settle(Client& client, Progress progress);

  Options const& options_;
  SSL_CTX* context_;
  std::string request_;
  int epoll_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::deque<Client*> free_;
  Totals totals_;
  Extent extent_;
  std::uint64_t began_ = 0, ended_ = 0, begun_ = 0, in_flight_ = 0;
  std::uint64_t due_ = 0;
};

void Run::settle(Client& client, Progress progress) {
  if (progress == Progress::working) return;
  --in_flight_;
  if (progress == Progress::done) {
    ++totals_.done;
    totals_.latency.add(now_ns() - client.intended());
    if (client.status() != options_.expected_status) ++totals_.wrong_status;
    if (client.resumed()) ++totals_.resumed;
    client.finish();
  } else {
    ++totals_.failed;
    if (client.was_refused()) ++totals_.refused;
    if (totals_.first_error.empty()) totals_.first_error = client.error();
  }
  free_.push_back(&client);
}

void Run::give_work(std::uint64_t now, std::uint64_t at_once) {
  while (!free_.empty() && in_flight_ < at_once && !is_over(now)) {
    auto intended = now;
    if (extent_.rate > 0) {
      if (due_ > now) return;
      intended = due_;
      due_ += static_cast<std::uint64_t>(1e9 / extent_.rate);
    }
    auto& client = *free_.front();
    free_.pop_front();
    ++begun_;
    ++in_flight_;
    bool const was_open = client.is_connected();
    client.begin(intended);
    if (was_open) settle(client, client.advance());
  }
}

// Until something is ready or the next operation is due; asleep meanwhile, for the origin shares
// this CPU.
int Run::wait(std::span<epoll_event> events, std::uint64_t now) const {
  std::uint64_t until = now + 100'000'000;
  if (extent_.rate > 0 && !free_.empty()) until = std::min(until, std::max(due_, now));
  timespec time{};
  time.tv_nsec = static_cast<long>(until - now);
  return ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &time, nullptr);
}

void Run::loop(Extent extent, std::uint64_t at_once) {
  extent_ = extent;
  totals_ = {};
  begun_ = 0;
  began_ = due_ = now_ns();
  std::array<epoll_event, 256> events;
  for (;;) {
    auto const now = now_ns();
    give_work(now, at_once);
    if (in_flight_ == 0 && is_over(now)) break;
    int const count = wait(events, now);
    for (int i = 0; i < count; ++i) {
      auto& client = *static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (client.is_busy()) settle(client, client.advance());
    }
    // A proxy that has stopped answering must not hang the benchmark.
    if (in_flight_ > 0 && extent_.seconds > 0 &&
        static_cast<double>(now - began_) > (extent_.seconds + 20) * 1e9) {
      totals_.failed += in_flight_;
      if (totals_.first_error.empty()) totals_.first_error = "no answer";
      break;
    }
  }
  ended_ = now_ns();
}

void Run::warm_up() {
  // Connections take turns, so each does as many.
  loop({std::uint64_t{options_.warm_up} * clients_.size(), 0, 0}, max_opening);
}

void Run::measure() {
  loop({options_.operations, options_.seconds, options_.rate},
       std::numeric_limits<std::uint64_t>::max());
}

void say_ready(Run const& run) {
  std::printf("{\"ready\": %zu, \"failed\": %llu, \"error\": \"%s\"}\n", run.connections(),
              static_cast<unsigned long long>(run.totals().failed),
              run.totals().first_error.c_str());
  std::fflush(stdout);
}

// False when standard input has ended.
bool wait_for_line() {
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
    if (byte == '\n') return true;
  }
  return false;
}

void print(Run const& run) {
  auto const& totals = run.totals();
  auto const us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000.0; };
  auto const& latency = totals.latency;
  std::printf(
      "{\"done\": %llu, \"failed\": %llu, \"refused\": %llu, \"wrong_status\": %llu, "
      "\"resumed\": %llu, \"seconds\": %.3f, \"per_second\": %.1f, \"latency_us\": {\"mean\": %.1f, \"p50\": %.1f, "
      "\"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}, \"error\": \"%s\"}\n",
      static_cast<unsigned long long>(totals.done), static_cast<unsigned long long>(totals.failed),
      static_cast<unsigned long long>(totals.refused),
      static_cast<unsigned long long>(totals.wrong_status),
      static_cast<unsigned long long>(totals.resumed), run.elapsed(),
      static_cast<double>(totals.done) / run.elapsed(), us(latency.mean()),
      us(latency.percentile(0.5)), us(latency.percentile(0.9)), us(latency.percentile(0.99)),
      us(latency.percentile(0.999)), us(latency.max()), totals.first_error.c_str());
  std::fflush(stdout);
}

}  // namespace
}  // namespace certgate::load

int main(int argc, char** argv) {
  using certgate::load::Options;
  std::signal(SIGPIPE, SIG_IGN);
  Options options;
  std::string target = "127.0.0.1:8443", mode = "keep_alive";
  bool marks = false;
  CLI::App app{"Load for a TLS proxy with client certificates; prints JSON"};
  app.add_option("--target", target, "IPv4 loopback address and port");
  app.add_option("--sni", options.server_name);
  app.add_option("--cert", options.certificate, "Client certificate chain, PEM");
  app.add_option("--key", options.key);
  app.add_option("--tls", options.tls, "1.2 or 1.3");
  app.add_option("--groups", options.groups, "Groups offered for the key exchange");
  app.add_option("--mode", mode, "keep_alive, handshake, resume or idle");
  app.add_option("--connections", options.connections);
  app.add_option("--seconds", options.seconds);
  app.add_option("--operations", options.operations);
  app.add_option("--rate", options.rate, "Operations a second (open loop)");
  app.add_option("--method", options.method);
  app.add_option("--path", options.path);
  app.add_option("--body", options.body_bytes, "Bytes of request body");
  app.add_option("--fields", options.padding_fields, "Extra request fields");
  app.add_option("--expect", options.expected_status);
  app.add_option("--warm-up", options.warm_up, "Operations of each connection before measuring");
  app.add_flag("--marks", marks, "Say when warm, run once for each line, stay open");
  CLI11_PARSE(app, argc, argv);

  auto const colon = target.rfind(':');
  options.target.sin_family = AF_INET;
  if (colon == std::string::npos ||
      ::inet_pton(AF_INET, target.substr(0, colon).c_str(), &options.target.sin_addr) != 1) {
    certgate::load::die("bad target");
  }
  // Load is for this machine only.
  if ((ntohl(options.target.sin_addr.s_addr) >> 24) != 127) certgate::load::die("not loopback");
  options.target.sin_port = htons(static_cast<std::uint16_t>(std::stoi(target.substr(colon + 1))));
  if (mode == "handshake") options.mode = Options::Mode::handshake;
  if (mode == "resume") options.mode = Options::Mode::resume;
  if (mode == "idle") options.mode = Options::Mode::idle;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  bool const holds_only = options.mode == Options::Mode::idle;
  if (holds_only) {
    marks = true;
    options.warm_up = 1;
  }
  if (options.seconds <= 0 && options.operations == 0) options.seconds = 2;
  certgate::load::Run run(options);
  if (options.warm_up > 0) run.warm_up();
  bool all_well = true;
  auto const measure = [&] {
    run.measure();
    certgate::load::print(run);
    all_well = all_well && run.totals().failed == 0 && run.totals().wrong_status == 0;
  };
  if (!marks) {
    measure();
    return all_well ? 0 : 1;
  }
  certgate::load::say_ready(run);
  while (certgate::load::wait_for_line()) {
    if (!holds_only) measure();
  }
  return all_well ? 0 : 1;
}
