// Serves one file once over TLS to whoever knows the address and the PIN.
//
// A self-signed certificate that lives in memory only; a random path; the PIN by a form, because an
// address stays in a browser's history. It ends when the file has gone out whole, when the time is
// over, or when the PIN was wrong too often.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "certgate/base/clock.hpp"
#include "certgate/base/ip.hpp"
#include "certgate/base/result.hpp"

namespace certgate::cli {

inline constexpr int max_wrong_pins = 5;
inline constexpr int max_connections = 16;
inline constexpr int connection_seconds = 15;  // from accept to close
inline constexpr std::size_t max_request_head_bytes = 8 * 1024;
inline constexpr std::size_t max_form_bytes = 256;

struct HandOut {
  std::string file_name;  // what the phone calls it
  std::string content_type;
  std::string bytes;
  std::string pin;
  IpAddress address;
  std::uint16_t port = 0;  // 0: any
  UnixSeconds lifetime = 600;
};

enum class HandOutEnd { fetched, expired, wrong_pin, interrupted };

class HandOutServer {
 public:
  // Binds and makes the certificate; url() is then known.
  static Result<HandOutServer> open(HandOut hand_out);
  HandOutServer(HandOutServer&&) noexcept;
  HandOutServer& operator=(HandOutServer&&) noexcept;
  ~HandOutServer();

  std::string const& url() const;
  // SHA-256 of the server's certificate, for comparing with what the phone shows.
  std::string const& fingerprint() const;
  // Serves until one of the ends; SIGINT and SIGTERM interrupt it.
  HandOutEnd serve();

 private:
  struct State;
  explicit HandOutServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace certgate::cli
