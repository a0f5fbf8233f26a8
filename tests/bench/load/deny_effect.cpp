// Many open connections ask at once, again and again, and say when each of them was answered what.
//
// Exists to measure from a revocation to its effect: tests/bench/deny_to_effect.py denies the
// client's certificate and then has every connection ask. One line of standard input is one round:
// the moment (nanoseconds of CLOCK_MONOTONIC) from which answers are timed. One thread, epoll.
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "client.hpp"

namespace certgate::load {
namespace {

constexpr std::size_t opening_at_once = 32;

class Crowd {
 public:
  Crowd(Options const& options, SSL_CTX* context)
      : request_("GET " + options.path + " HTTP/1.1\r\nHost: " + options.server_name + "\r\n\r\n"),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (unsigned i = 0; i < options.connections; ++i) {
      clients_.push_back(std::make_unique<Client>(options, context, request_, epoll_));
    }
  }

  // Every connection asks once, `at_once` of them at a time; prints what came of it.
  void round(std::uint64_t from, std::size_t at_once) {
    std::vector<double> refused_ms;
    std::size_t accepted = 0, failed = 0, next = 0, busy = 0;
    auto const settle = [&](Client& client, Progress progress) {
      if (progress == Progress::working) return;
      --busy;
      if (progress == Progress::failed) {
        ++failed;
        return;
      }
      if (client.status() == 200) {
        ++accepted;
      } else {
        refused_ms.push_back((static_cast<double>(now_ns()) - static_cast<double>(from)) / 1e6);
      }
      client.finish();
    };
    std::array<epoll_event, 512> events;
    while (next < clients_.size() || busy > 0) {
      while (next < clients_.size() && busy < at_once) {
        Client& client = *clients_[next++];
        ++busy;
        bool const was_open = client.is_connected();
        client.begin(now_ns());
        if (was_open) settle(client, client.advance());
      }
      int const count =
          ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 10'000);
      if (count == 0) break;  // nobody answers any more
      for (int i = 0; i < count; ++i) {
        auto& client = *static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (client.is_busy()) settle(client, client.advance());
      }
    }
    std::sort(refused_ms.begin(), refused_ms.end());
    auto const at = [&](double share) {
      if (refused_ms.empty()) return 0.0;
      return refused_ms[static_cast<std::size_t>(share * static_cast<double>(refused_ms.size() - 1))];
    };
    std::printf(
        "{\"accepted\": %zu, \"refused\": %zu, \"failed\": %zu, \"first_ms\": %.2f, "
        "\"p50_ms\": %.2f, \"last_ms\": %.2f}\n",
        accepted, refused_ms.size(), failed + busy, at(0), at(0.5), at(1));
    std::fflush(stdout);
  }

 private:
  std::string request_;
  int epoll_;
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace
}  // namespace certgate::load

int main(int argc, char** argv) {
  using namespace certgate::load;
  std::signal(SIGPIPE, SIG_IGN);
  Options options;
  unsigned port = 0;
  options.connections = 2000;
  CLI::App app{"Asks on many open connections at once; one round for each line of standard input"};
  app.add_option("--port", port, "On 127.0.0.1")->required();
  app.add_option("--sni", options.server_name);
  app.add_option("--cert", options.certificate, "Client certificate chain, PEM")->required();
  app.add_option("--key", options.key)->required();
  app.add_option("--connections", options.connections);
  app.add_option("--path", options.path);
  CLI11_PARSE(app, argc, argv);
  options.target.sin_family = AF_INET;
  options.target.sin_port = htons(static_cast<std::uint16_t>(port));
  options.target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);

  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_use_certificate_chain_file(context, options.certificate.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, options.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    std::fprintf(stderr, "deny_effect: cannot load %s\n", options.certificate.c_str());
    return 2;
  }
  {
    Crowd crowd(options, context);
    crowd.round(now_ns(), opening_at_once);
    for (std::string line; std::getline(std::cin, line);) {
      crowd.round(std::strtoull(line.c_str(), nullptr, 10), options.connections);
    }
  }
  SSL_CTX_free(context);
  return 0;
}
