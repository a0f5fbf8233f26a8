// Many open connections ask at once, again and again, and say when each of them was answered what.
//
// Exists to measure from a revocation to its effect: tests/bench/deny_to_effect.py denies the
// client's certificate and then has every connection ask. One line of standard input is one round:
// the moment (nanoseconds of CLOCK_MONOTONIC) from which answers are timed. One thread, epoll.
//
// What a client does for itself is not what is measured, and would take the CPU from the proxy: a
// round's requests are encrypted before its line is read, an answer is timed when its first bytes
// are seen to have come, and all are read and decrypted when the last has. Who waits does so in naps,
// so that not every answer wakes it: times are up to a nap too late.
#include <arpa/inet.h>
#include <openssl/bio.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "client.hpp"

namespace certgate::load {
namespace {

constexpr std::size_t opening_at_once = 32;
constexpr std::size_t sends_between_looks = 100;
constexpr timespec nap{0, 500'000};
constexpr std::uint64_t patience_ns = 10'000'000'000;
constexpr int patience_ms = 10'000;

double cpu_ms() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e3 + static_cast<double>(used.tv_nsec) / 1e6;
}

// One open connection: its TLS reads and writes memory, its socket is served here.
class Asker {
 public:
  explicit Asker(Client& client) : ssl_(client.ssl()), fd_(client.fd()) {
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in_, -1);  // nothing there: more may come
    SSL_set_bio(ssl_, in_, out_);
  }

  int fd() const { return fd_; }
  // 0: not yet.
  std::uint64_t answered_ns() const { return answered_ns_; }

  void prepare(std::string const& request) {
    plain_.clear();
    SSL_write(ssl_, request.data(), static_cast<int>(request.size()));
    char* bytes = nullptr;
    auto const size = BIO_get_mem_data(out_, &bytes);
    sealed_.assign(bytes, static_cast<std::size_t>(size));
    BIO_reset(out_);
  }

  bool ask() const {
    auto const n = ::send(fd_, sealed_.data(), sealed_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return n == static_cast<ssize_t>(sealed_.size());
  }

  void forget_answer() { answered_ns_ = 0; }
  // The first bytes of the answer have come, or the connection's end. False: that was known.
  bool note_answer(std::uint64_t now) {
    if (answered_ns_ != 0) return false;
    answered_ns_ = now;
    return true;
  }

  // The status of the answer, read to its end; 0: there was none.
  unsigned status() {
    unsigned status = 0;
    while (!is_whole(status)) {
      std::array<char, 32 * 1024> bytes;
      auto const n = SSL_read(ssl_, bytes.data(), static_cast<int>(bytes.size()));
      if (n > 0) {
        plain_.append(bytes.data(), static_cast<std::size_t>(n));
        continue;
      }
      if (ended_ || SSL_get_error(ssl_, n) != SSL_ERROR_WANT_READ) return 0;
      take();
    }
    return status;
  }

 private:
  // Waits for bytes, or the end.
  void take() {
    std::array<char, 32 * 1024> bytes;
    pollfd wait{fd_, POLLIN, 0};
    auto const n = ::poll(&wait, 1, patience_ms) == 1
                       ? ::recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT)
                       : 0;
    if (n > 0) BIO_write(in_, bytes.data(), static_cast<int>(n));
    ended_ = n <= 0;
  }

  bool is_whole(unsigned& status) const {
    constexpr std::string_view length_name = "Content-Length: ";
    std::string_view const text(plain_);
    auto const end = text.find("\r\n\r\n");
    if (end == text.npos) return false;
    auto const head = text.substr(0, end + 2);
    std::from_chars(head.data() + 9, head.data() + head.size(), status);
    std::size_t length = 0;
    if (auto const at = head.find(length_name); at != head.npos) {
      std::from_chars(head.data() + at + length_name.size(), head.data() + head.size(), length);
    }
    return text.size() >= end + 4 + length;
  }

  SSL* ssl_;
  int fd_;
  BIO* in_;
  BIO* out_;
  std::string sealed_, plain_;
  std::uint64_t answered_ns_ = 0;
  bool ended_ = false;
};

class Crowd {
 public:
  Crowd(Options const& options, SSL_CTX* context)
      : request_("GET " + options.path + " HTTP/1.1\r\nHost: " + options.server_name + "\r\n\r\n"),
        opening_(::epoll_create1(EPOLL_CLOEXEC)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (unsigned i = 0; i < options.connections; ++i) {
      clients_.push_back(std::make_unique<Client>(options, context, request_, opening_));
    }
  }

  // Opens all; each asks once. Prints how many were answered with 200.
  bool open() {
    std::size_t accepted = 0, next = 0, busy = 0;
    std::array<epoll_event, 512> events;
    while (next < clients_.size() || busy > 0) {
      for (; next < clients_.size() && busy < opening_at_once; ++busy) {
        clients_[next++]->begin(now_ns());
      }
      int const count =
          ::epoll_wait(opening_, events.data(), static_cast<int>(events.size()), patience_ms);
      if (count <= 0) break;  // nobody answers any more
      for (int i = 0; i < count; ++i) {
        auto& client = *static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (!client.is_busy()) continue;
        auto const progress = client.advance();
        if (progress == Progress::working) continue;
        --busy;
        if (progress == Progress::failed) continue;
        accepted += client.status() == 200 ? 1 : 0;
        client.finish();
      }
    }
    std::printf("{\"accepted\": %zu}\n", accepted);
    std::fflush(stdout);
    if (accepted != clients_.size()) return false;
    askers_.reserve(clients_.size());
    for (auto const& client : clients_) {
      auto& asker = askers_.emplace_back(*client);
      epoll_event event{};
      event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
      event.data.ptr = &asker;
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, asker.fd(), &event);
    }
    return true;
  }

  void prepare() {
    for (auto& asker : askers_) asker.prepare(request_);
    count_answers();  // what was told late of answers that were read: no news of the next round
    for (auto& asker : askers_) asker.forget_answer();
  }

  // Every connection asks; prints what came of it.
  void round(std::uint64_t from) {
    auto const began = now_ns();
    auto const cpu_began = cpu_ms();
    std::size_t waited_for = 0, sent = 0;
    for (auto& asker : askers_) {
      waited_for += asker.ask() ? 1 : 0;
      if (++sent % sends_between_looks == 0) waited_for -= count_answers();
    }
    auto const asked = now_ns();
    for (auto last_came = asked; waited_for > 0;) {
      auto const came = count_answers();
      auto const now = now_ns();
      if (came > 0) last_came = now;
      if (now - last_came > patience_ns) break;  // nobody answers any more
      waited_for -= came;
      if (waited_for > 0) ::nanosleep(&nap, nullptr);
    }
    auto const cpu = cpu_ms() - cpu_began;

    auto const since = [&](std::uint64_t moment) {
      return (static_cast<double>(moment) - static_cast<double>(from)) / 1e6;
    };
    std::size_t accepted = 0, failed = 0;
    std::vector<double> refused_ms;
    for (auto& asker : askers_) {
      auto const status = asker.answered_ns() == 0 ? 0 : asker.status();
      if (status == 0) {
        ++failed;
      } else if (status == 200) {
        ++accepted;
      } else {
        refused_ms.push_back(since(asker.answered_ns()));
      }
    }
    std::sort(refused_ms.begin(), refused_ms.end());
    auto const at = [&](double share) {
      if (refused_ms.empty()) return 0.0;
      return refused_ms[static_cast<std::size_t>(share * static_cast<double>(refused_ms.size() - 1))];
    };
    std::printf(
        "{\"accepted\": %zu, \"refused\": %zu, \"failed\": %zu, \"began_ms\": %.2f, "
        "\"asked_ms\": %.2f, \"first_ms\": %.2f, \"p50_ms\": %.2f, \"last_ms\": %.2f, "
        "\"client_cpu_ms\": %.2f}\n",
        accepted, refused_ms.size(), failed, since(began), since(asked), at(0), at(0.5), at(1), cpu);
    std::fflush(stdout);
  }

 private:
  // How many connections have the first bytes of their answer, or their end, since the last look.
  std::size_t count_answers() {
    std::size_t answers = 0;
    std::array<epoll_event, 512> events;
    for (int count = 1; count > 0;) {
      count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
      auto const now = now_ns();
      for (int i = 0; i < count; ++i) {
        auto& asker = *static_cast<Asker*>(events[static_cast<std::size_t>(i)].data.ptr);
        answers += asker.note_answer(now) ? 1 : 0;
      }
    }
    return answers;
  }

  std::string request_;
  int opening_, epoll_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Asker> askers_;
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
  int status = 0;
  {
    Crowd crowd(options, context);
    if (!crowd.open()) status = 1;
    if (status == 0) crowd.prepare();
    for (std::string line; status == 0 && std::getline(std::cin, line);) {
      crowd.round(std::strtoull(line.c_str(), nullptr, 10));
      crowd.prepare();
    }
  }
  SSL_CTX_free(context);
  return status;
}
