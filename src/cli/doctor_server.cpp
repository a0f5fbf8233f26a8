#include "doctor_server.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <optional>

#include "certgate/net/stream.hpp"
#include "certgate/tls/connector.hpp"
#include "certgate/x509/pem.hpp"
#include "loaded_policy.hpp"

namespace certgate::cli {
namespace {

using Grade = Finding::Grade;

constexpr std::chrono::seconds handshake_patience{15};

std::optional<IpEndpoint> resolve(std::string const& host, std::string const& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return std::nullopt;
  std::optional<IpEndpoint> endpoint;
  for (auto const* entry = found; entry != nullptr && !endpoint; entry = entry->ai_next) {
    if (entry->ai_family == AF_INET) {
      sockaddr_in v4{};
      std::memcpy(&v4, entry->ai_addr, sizeof v4);
      endpoint = IpEndpoint{IpAddress::v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
    } else if (entry->ai_family == AF_INET6) {
      sockaddr_in6 v6{};
      std::memcpy(&v6, entry->ai_addr, sizeof v6);
      std::array<std::uint8_t, 16> bytes{};
      std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
      endpoint = IpEndpoint{IpAddress::v6(bytes), ntohs(v6.sin6_port)};
    }
  }
  ::freeaddrinfo(found);
  return endpoint;
}

Result<tls::ClientContext::Pointer> build_context(ServerVisit const& visit) {
  tls::ClientOptions options;
  options.server_name = visit.name.empty() ? visit.host : visit.name;
  options.sessions = 0;
  if (!visit.ca.empty()) {
    CERTGATE_TRY(auto const pem, read_whole_file(visit.ca));
    CERTGATE_TRY(options.authorities, x509::parse_certificates(pem));
  }
  if (!visit.certificate.empty()) {
    CERTGATE_TRY(auto const pem, read_whole_file(visit.certificate));
    CERTGATE_TRY(auto const key, read_whole_file(visit.key));
    CERTGATE_TRY(options.identity, tls::ServerIdentity::parse(pem, key, tls::IdentityUse::client));
  }
  return tls::ClientContext::build(std::move(options));
}

class Visit {
 public:
  Visit(ServerVisit const& visit, tls::ClientContext::Pointer context, IpEndpoint endpoint)
      : visit_(visit), stream_(loop_, std::move(context)) {
    to_.ip = endpoint;
  }

  std::vector<Finding> run() {
    net::start(carry());
    auto const is_over = [this] { return is_over_; };
    if (!loop_.run_until(is_over, handshake_patience)) {
      stream_.socket().close();
      loop_.run_until(is_over, std::chrono::seconds{5});
      add(Grade::bad, "no answer in time", "is something between here and there that drops packets?");
    }
    return std::move(findings_);
  }

 private:
  void add(Grade grade, std::string what, std::string remedy = {}) {
    findings_.push_back({grade, std::move(what), std::move(remedy)});
  }

  net::Task<void> carry() {
    co_await talk();
    is_over_ = true;
  }

  net::Task<void> talk() {
    auto& socket = stream_.socket();
    auto const connected = co_await net::connect(socket, to_);
    if (!connected) {
      add(Grade::bad, connected.error().detail,
          "does it run, and on this port? `certgate status` lists its listeners");
      co_return;
    }
    auto const shaken = co_await stream_.handshake();
    if (!shaken) {
      add(Grade::bad, "the handshake fails: " + shaken.error().detail,
          "a wrong name or an unknown issuer: see --host and --ca; an alert about certificates: the "
          "server asks for a client certificate that it accepts (--cert, --key)");
      co_return;
    }
    add(Grade::good, "the server's certificate is right; " + std::string(stream_.version()));
    auto const name = visit_.name.empty() ? visit_.host : visit_.name;
    auto const request = visit_.method + " " + visit_.path + " HTTP/1.1\r\nHost: " + name +
                         "\r\nUser-Agent: certgate-doctor\r\nConnection: close\r\n\r\n";
    auto const bytes = std::span<char const>(request);
    auto const sent = co_await net::write_all(stream_, bytes);
    std::array<char, 4096> room{};
    auto const into = std::span<char>(room);
    auto const read = co_await net::read_some(stream_, into);
    if (sent != net::IoStatus::done || read.status != net::IoStatus::done) {
      // With TLS 1.3 a server refuses a client's certificate after the handshake seemed complete.
      add(Grade::bad, "the server ended the connection instead of answering: " +
                          std::string(stream_.error()),
          visit_.certificate.empty()
              ? "it probably requires a client certificate: name one with --cert and --key"
              : "it probably refuses this client certificate: `certgate doctor CERT --config FILE` "
                "where the server runs says why");
      co_return;
    }
    auto line = std::string(room.data(), read.bytes);
    line.resize(std::min(line.find('\r'), line.size()));
    bool const refused = line.find(" 403") != std::string::npos || line.find(" 421") != std::string::npos;
    for (auto& c : line) {
      if (c < ' ' || c > '~') c = '?';
    }
    add(refused ? Grade::bad : Grade::good, visit_.method + " " + visit_.path + ": " + line,
        refused ? "the access log of the server names the rule; `certgate doctor CERT --config FILE` "
                  "there explains it"
                : "");
  }

  ServerVisit const& visit_;
  net::Loop loop_;
  tls::ClientStream stream_;
  net::SocketAddress to_;
  std::vector<Finding> findings_;
  bool is_over_ = false;
};

}  // namespace

std::vector<Finding> visit_server(ServerVisit const& visit) {
  auto context = build_context(visit);
  if (!context) return {{Grade::bad, context.error().detail, {}}};
  auto const endpoint = resolve(visit.host, visit.port);
  if (!endpoint) {
    return {{Grade::bad, "the name " + visit.host + " cannot be resolved", "check it, and the DNS"}};
  }
  Visit one(visit, std::move(*context), *endpoint);
  return one.run();
}

}  // namespace certgate::cli
