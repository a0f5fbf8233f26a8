// A client that asks for more than it takes: it never reads, and wants its key updates answered.
//
// Then both directions wait for the same socket to become writable, and each wait has to end.
#include <gmock/gmock.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "worker_rig.hpp"

namespace certgate::proxy {
namespace {

// Speaks TLS by hand on a socket of its own, in turns with the worker's loop.
class SilentReader {
 public:
  SilentReader(WorkerRig& rig, testing::Issued const& device) : rig_(rig) {
    auto const pem = device.pem(), key_pem = device.key.pem();
    std::unique_ptr<BIO, decltype(&BIO_free)> const certificate_file(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
    std::unique_ptr<BIO, decltype(&BIO_free)> const key_file(
        BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())), BIO_free);
    auto* const certificate = PEM_read_bio_X509(certificate_file.get(), nullptr, nullptr, nullptr);
    auto* const key = PEM_read_bio_PrivateKey(key_file.get(), nullptr, nullptr, nullptr);
    EXPECT_EQ(SSL_use_certificate(ssl_.get(), certificate), 1);
    EXPECT_EQ(SSL_use_PrivateKey(ssl_.get(), key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    SSL_set_tlsext_host_name(ssl_.get(), "api.example.com");

    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(rig.endpoint().port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof(where)), 0);
    EXPECT_EQ(::fcntl(fd_, F_SETFL, O_NONBLOCK), 0);
    SSL_set_fd(ssl_.get(), fd_);
    EXPECT_TRUE(rig_.until([this] { return SSL_connect(ssl_.get()) == 1; }));
  }
  ~SilentReader() { ::close(fd_); }
  SilentReader(SilentReader const&) = delete;
  SilentReader& operator=(SilentReader const&) = delete;

  void send(std::string_view bytes) {
    EXPECT_EQ(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())),
              static_cast<int>(bytes.size()));
  }
  // Until the worker does not read any more.
  void ask_for_key_updates() {
    auto const is_stuck = [this] {
      rig_.loop().post([] {});  // another turn, also when the worker waits
      for (int i = 0; i < 200; ++i) {
        SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED);
        if (SSL_do_handshake(ssl_.get()) != 1) return true;
      }
      return false;
    };
    EXPECT_TRUE(rig_.until(is_stuck));
  }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  WorkerRig& rig_;
  std::unique_ptr<SSL_CTX, Free> context_{SSL_CTX_new(TLS_client_method())};
  std::unique_ptr<SSL, Free> ssl_{SSL_new(context_.get())};
  int fd_ = -1;
};

constexpr std::string_view upgrade =
    "GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

TEST(SilentReader, loses_its_tunnel_with_its_certificate) {
  WorkerRig rig;
  auto const rules = [] { return std::vector{block("cf.tls_client_auth.cert_revoked")}; };
  rig.start(rules());
  auto answer = std::string("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                            "Upgrade: websocket\r\n\r\n");
  answer.append(std::size_t{32} * 1024 * 1024, 'x');
  rig.origin_server->answer = [&](auto const&, int) { return ScriptedOrigin::Answer{answer}; };
  auto const device = testing::make_client("sensor-7", rig.ca);
  SilentReader client(rig, device);
  client.send(upgrade);
  EXPECT_TRUE(rig.until([&] { return !rig.origin_server->requests.empty(); }));
  client.ask_for_key_updates();
  EXPECT_EQ(rig.worker().connection_count(), 1u);

  x509::DenyEntry denied;
  denied.serial = std::string(device.facts->serial());
  rig.adopt(rig.make_generation(rules(), *x509::DenyList::build({denied})));
  EXPECT_TRUE(rig.until([&] { return rig.worker().connection_count() == 0; }));
}

}  // namespace
}  // namespace certgate::proxy
