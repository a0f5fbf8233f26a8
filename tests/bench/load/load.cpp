// Sends load to one TLS proxy and prints what came of it as JSON.
//
// Exists because wrk, h2load and hey cannot present a client certificate. One thread, epoll. Closed
// loop (each connection asks again as soon as it has its answer) or open loop (--rate: operations
// begin when they are due, and latency counts from then, so a stall is not hidden).
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
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
  std::uint64_t done = 0, failed = 0, wrong_status = 0, resumed = 0;
  std::string first_error;
};

class Run {
 public:
  explicit Run(Options const& options)
      : options_(options), context_(make_context(options)), request_(make_request(options)) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < options.connections; ++i) {
      clients_.push_back(std::make_unique<Client>(options_, context_, request_, epoll_));
    }
  }
  ~Run() {
    clients_.clear();
    SSL_CTX_free(context_);
    ::close(epoll_);
  }

  void loop();
  void hold_idle();
  Totals const& totals() const { return totals_; }
  double elapsed() const { return static_cast<double>(ended_ - began_) / 1e9; }

 private:
  bool is_over(std::uint64_t now) const {
    if (options_.operations > 0 && begun_ >= options_.operations) return true;
    return options_.seconds > 0 &&
           static_cast<double>(now - began_) >= options_.seconds * 1e9;
  }
  void give_work(std::uint64_t now);
  void settle(Client& client, Progress progress);

  Options const& options_;
  SSL_CTX* context_;
  std::string request_;
  int epoll_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::deque<Client*> free_;
  Totals totals_;
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
    if (totals_.first_error.empty()) totals_.first_error = client.error();
  }
  free_.push_back(&client);
}

void Run::give_work(std::uint64_t now) {
  while (!free_.empty() && !is_over(now)) {
    // Idle connections are opened a few at a time: what is measured is what they cost once open.
    if (options_.mode == Options::Mode::idle && in_flight_ >= max_opening) return;
    auto intended = now;
    if (options_.rate > 0) {
      if (due_ > now) return;
      intended = due_;
      due_ += static_cast<std::uint64_t>(1e9 / options_.rate);
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

void Run::loop() {
  began_ = due_ = now_ns();
  for (auto const& client : clients_) free_.push_back(client.get());
  std::array<epoll_event, 256> events;
  for (;;) {
    auto const now = now_ns();
    give_work(now);
    if (in_flight_ == 0 && is_over(now)) break;
    int timeout = 100;
    if (options_.rate > 0) timeout = due_ > now ? static_cast<int>((due_ - now) / 1'000'000) : 0;
    int const count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout);
    for (int i = 0; i < count; ++i) {
      auto& client = *static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (client.is_busy()) settle(client, client.advance());
    }
    // A proxy that has stopped answering must not hang the benchmark.
    if (in_flight_ > 0 && options_.seconds > 0 &&
        static_cast<double>(now - began_) > (options_.seconds + 20) * 1e9) {
      totals_.failed += in_flight_;
      if (totals_.first_error.empty()) totals_.first_error = "no answer";
      break;
    }
  }
  ended_ = now_ns();
}

// One request on each connection, then nothing until standard input ends.
void Run::hold_idle() {
  std::printf("{\"open\": %zu, \"failed\": %llu}\n", clients_.size(),
              static_cast<unsigned long long>(totals_.failed));
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

void print(Run const& run) {
  auto const& totals = run.totals();
  auto const us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000.0; };
  auto const& latency = totals.latency;
  std::printf(
      "{\"done\": %llu, \"failed\": %llu, \"wrong_status\": %llu, \"resumed\": %llu, "
      "\"seconds\": %.3f, \"per_second\": %.1f, \"latency_us\": {\"mean\": %.1f, \"p50\": %.1f, "
      "\"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}, \"error\": \"%s\"}\n",
      static_cast<unsigned long long>(totals.done), static_cast<unsigned long long>(totals.failed),
      static_cast<unsigned long long>(totals.wrong_status),
      static_cast<unsigned long long>(totals.resumed), run.elapsed(),
      static_cast<double>(totals.done) / run.elapsed(), us(latency.mean()),
      us(latency.percentile(0.5)), us(latency.percentile(0.9)), us(latency.percentile(0.99)),
      us(latency.percentile(0.999)), us(latency.max()), totals.first_error.c_str());
}

}  // namespace
}  // namespace certgate::load

int main(int argc, char** argv) {
  using certgate::load::Options;
  std::signal(SIGPIPE, SIG_IGN);
  Options options;
  std::string target = "127.0.0.1:8443", mode = "keep_alive";
  CLI::App app{"Load for a TLS proxy with client certificates; prints JSON"};
  app.add_option("--target", target, "IPv4 loopback address and port");
  app.add_option("--sni", options.server_name);
  app.add_option("--cert", options.certificate, "Client certificate chain, PEM");
  app.add_option("--key", options.key);
  app.add_option("--tls", options.tls, "1.2 or 1.3");
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
  if (options.mode == Options::Mode::idle) {
    options.operations = options.connections;
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  if (options.seconds <= 0 && options.operations == 0) options.seconds = 2;
  certgate::load::Run run(options);
  run.loop();
  if (options.mode == Options::Mode::idle) {
    run.hold_idle();
  } else {
    certgate::load::print(run);
  }
  return run.totals().failed == 0 && run.totals().wrong_status == 0 ? 0 : 1;
}
