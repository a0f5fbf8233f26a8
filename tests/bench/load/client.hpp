// One TLS connection of the load generator: non-blocking, driven by epoll.
#pragma once

#include <netinet/in.h>
#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>

namespace certgate::load {

struct Options {
  sockaddr_in target{};
  std::string server_name = "api.example.com";
  std::string certificate, key;   // of the client; empty: none
  std::string tls = "1.3";
  std::string groups;             // for the key exchange; empty: OpenSSL's default
  enum class Mode { keep_alive, handshake, resume, idle } mode = Mode::keep_alive;
  unsigned connections = 1;
  double seconds = 0;             // 0: until `operations`
  std::uint64_t operations = 0;   // 0: until `seconds`
  double rate = 0;                // operations a second, open loop; 0: closed loop
  unsigned warm_up = 0;           // operations of each connection before the first mark
  std::string method = "GET";
  std::string path = "/";
  std::size_t body_bytes = 0;
  unsigned padding_fields = 11;   // so that a request has 15 fields and about 900 bytes
  unsigned expected_status = 200;
};

enum class Progress { working, done, failed };

// Connects, shakes hands, sends a request, reads the whole response; then again or anew.
class Client {
 public:
  Client(Options const& options, SSL_CTX* context, std::string const& request, int epoll);
  ~Client();
  Client(Client const&) = delete;
  Client& operator=(Client const&) = delete;

  // Begins an operation; `intended` is when it should have begun (open loop).
  void begin(std::uint64_t intended);
  // Call when the socket is ready. `done`: the response is complete.
  Progress advance();
  // After `done` or `failed`: readies itself for the next operation.
  void finish();

  bool is_busy() const { return busy_; }
  bool is_connected() const { return state_ == State::idle || state_ == State::writing ||
                                     state_ == State::reading; }
  std::uint64_t intended() const { return intended_; }
  std::uint64_t bytes_received() const { return bytes_received_; }
  unsigned status() const { return status_; }
  bool resumed() const { return resumed_; }
  // Of the open connection, for a caller that serves it on its own.
  SSL* ssl() const { return ssl_; }
  int fd() const { return fd_; }
  char const* error() const { return error_; }
  // The last failure came before the proxy had accepted the connection.
  bool was_refused() const { return was_refused_; }

 private:
  enum class State { closed, connecting, handshaking, idle, writing, reading };
  void open();
  void close(bool keep_session);
  void watch(std::uint32_t events);
  Progress fail(char const* why);
  bool parse_head();

  Options const& options_;
  SSL_CTX* context_;
  std::string const& request_;
  int epoll_;
  int fd_ = -1;
  SSL* ssl_ = nullptr;
  SSL_SESSION* session_ = nullptr;
  State state_ = State::closed;
  std::uint32_t events_ = 0;
  bool busy_ = false;
  bool resumed_ = false;
  std::uint64_t intended_ = 0;
  std::size_t written_ = 0;
  std::string head_;
  bool has_head_ = false;
  bool chunked_ = false;
  bool closes_ = false;  // the server said that this answer is its last on the connection
  bool was_refused_ = false;
  std::uint64_t body_left_ = 0;
  std::string tail_;
  unsigned status_ = 0;
  std::uint64_t bytes_received_ = 0;
  char const* error_ = "";
};

std::uint64_t now_ns();

}  // namespace certgate::load
