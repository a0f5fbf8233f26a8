#include "demo_command.hpp"

#include <signal.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "certgate/gateway/gateway.hpp"
#include "certgate/telemetry/log.hpp"
#include "certgate/tls/connector.hpp"
#include "certgate/x509/pem.hpp"
#include "demo_certificates.hpp"
#include "demo_origin.hpp"

namespace certgate::cli {
namespace {

constexpr std::chrono::seconds request_patience{10};

struct DemoOptions {
  std::string address = "127.0.0.1:8443";
  bool once = false;
};

// A folder that goes away with the demo.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    auto name = (std::filesystem::temp_directory_path() / "certgate-demo-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(TemporaryFolder const&) = delete;
  TemporaryFolder& operator=(TemporaryFolder const&) = delete;
  std::filesystem::path const& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string read(std::filesystem::path const& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string demo_config(std::string const& address, std::uint16_t origin_port) {
  return "listeners:\n  - address: " + address +
         R"(
hosts:
  - names: [api.example.com]
    certificate: server.pem
    private_key: server.key
    client_auth:
      mode: request
      ca: client-ca.pem
      crl: client-ca.crl
    origin: api
origins:
  api:
    servers: ["http://127.0.0.1:)" +
         std::to_string(origin_port) + R"("]
request_headers:
  set:
    X-Client-DN: cf.tls_client_auth.cert_subject_dn
rules:
  - name: valid certificates only
    expression: >-
      http.host in {"api.example.com"}
      and (not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked)
    action: block
log:
  access: {file: access.log, format: json}
  file: certgate.log
)";
}

// GET https://api.example.com/v1/hello with the client certificate of that name.
net::Task<void> ask(net::Loop& loop, IpEndpoint endpoint, std::filesystem::path folder,
                    std::string client, std::string& answer, bool& done) {
  tls::ClientOptions options;
  options.server_name = "api.example.com";
  auto authorities = x509::parse_certificates(read(folder / "server-ca.pem"));
  if (authorities) options.authorities = std::move(*authorities);
  auto identity =
      tls::ServerIdentity::parse(read(folder / (client + ".pem")),
                                 read(folder / (client + ".key")), tls::IdentityUse::client);
  if (identity) options.identity = std::move(*identity);
  auto context = tls::ClientContext::build(std::move(options));
  if (!context) {
    answer = context.error().detail;
    done = true;
    co_return;
  }
  tls::ClientStream stream(loop, *context);
  auto& socket = stream.socket();
  net::SocketAddress const address{endpoint, {}};
  auto const connected = co_await net::connect(socket, address);
  if (!connected) {
    answer = connected.error().detail;
    done = true;
    co_return;
  }
  auto const agreed = co_await stream.handshake();
  if (!agreed) {
    answer = agreed.error().detail;
    done = true;
    co_return;
  }
  std::string const request =
      "GET /v1/hello HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";
  auto const bytes = std::span<char const>(request);
  auto const sent = co_await net::write_all(stream, bytes);
  std::string received;
  while (sent == net::IoStatus::done) {
    char piece[2048];
    auto const room = std::span<char>(piece);
    auto const result = co_await net::read_some(stream, room);
    if (result.status != net::IoStatus::done) break;
    received.append(piece, result.bytes);
  }
  auto const line_end = received.find("\r\n");
  auto const body = received.find("\r\n\r\n");
  answer = received.substr(0, line_end);
  if (body != std::string::npos) answer += "  " + received.substr(body + 4);
  while (!answer.empty() && answer.back() == '\n') answer.pop_back();
  done = true;
}

int failed(std::string const& why) {
  std::fprintf(stderr, "certgate demo: %s\n", why.c_str());
  return 1;
}

int demo(DemoOptions const& options) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  TemporaryFolder folder;
  if (folder.path().empty()) return failed("cannot make a folder for its files");
  SystemClock const clock;
  if (auto made = write_demo_certificates(folder.path(), clock.unix_seconds()); !made) {
    return failed(made.error().detail);
  }
  auto origin = DemoOrigin::start();
  if (!origin) return failed(origin.error().detail);
  auto const config = folder.path() / "certgate.yaml";
  {
    std::ofstream out(config);
    out << demo_config(options.address, (*origin)->port());
  }
  gateway::GatewayOptions gateway_options;
  gateway_options.config_path = config.string();
  auto gateway = gateway::Gateway::start(std::move(gateway_options));
  if (!gateway) {
    std::fputs(render(gateway.error()).c_str(), stderr);
    return failed("cannot start; another port: certgate demo --address 127.0.0.1:9443");
  }
  auto const endpoint = (*gateway)->endpoints().front();
  auto const path = folder.path().string();

  std::printf("certgate serves https://api.example.com on %s, in front of an API on port %u.\n"
              "Its one rule blocks clients without a valid certificate. Asking four times:\n\n",
              endpoint.to_string().c_str(), (*origin)->port());
  struct Case {
    char const* title;
    char const* client;
  };
  constexpr Case cases[] = {{"a valid certificate", "valid"},
                            {"a revoked certificate", "revoked"},
                            {"an expired certificate", "expired"},
                            {"another CA's certificate", "stranger"}};
  net::Loop loop;
  for (auto const& one : cases) {
    std::string answer;
    bool done = false;
    net::start(ask(loop, endpoint, folder.path(), one.client, answer, done));
    loop.run_until([&] { return done; }, request_patience);
    std::printf("  %-26s %s\n", one.title, answer.c_str());
  }
  // With --once the files that the lines name are gone before anybody could try them.
  if (!options.once) {
    auto const port = std::to_string(endpoint.port);
    auto const curl = "curl --cacert " + path +
                      "/server-ca.pem --resolve api.example.com:" + port + ":127.0.0.1";
    auto const url = "https://api.example.com:" + port + "/v1/hello";
    std::printf("\nTry it yourself; the last line has no certificate:\n\n");
    for (auto const& one : cases) {
      auto const identity = path + "/" + one.client;
      std::printf("  %s --cert %s.pem --key %s.key %s\n", curl.c_str(), identity.c_str(),
                  identity.c_str(), url.c_str());
    }
    std::printf("  %s %s\n", curl.c_str(), url.c_str());
    std::printf("\nThe configuration is %s, the access log %s/access.log.\n"
                "Ctrl-C ends the demo and removes its files.\n",
                config.c_str(), path.c_str());
    std::fflush(stdout);
    int signal = 0;
    sigwait(&signals, &signal);
  }
  (*gateway)->drain();
  return 0;
}

}  // namespace

void add_demo_command(CLI::App& root, int& exit_status) {
  auto* const command = root.add_subcommand(
      "demo", "Everything on loopback: throw-away certificates, an API, four requests");
  auto const options = std::make_shared<DemoOptions>();
  command->add_option("--address", options->address, "Where to listen; port 0 is any free one")
      ->capture_default_str();
  command->add_flag("--once", options->once, "End after the four requests");
  command->footer("Example: certgate demo");
  command->callback([options, &exit_status] { exit_status = demo(*options); });
}

}  // namespace certgate::cli
