#include "ca_hand_out_server.hpp"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "ca_files.hpp"
#include "ca_times.hpp"
#include "certgate/base/encoding.hpp"
#include "certgate/pki/authority.hpp"

namespace certgate::cli {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;
using ContextOwner = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using SessionOwner = std::unique_ptr<SSL, decltype(&SSL_free)>;

constexpr std::size_t path_bytes = 12;
constexpr auto housekeeping = std::chrono::milliseconds{500};
constexpr int linger_seconds = 2;

std::string random_path() {
  std::string bytes(path_bytes, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  return format_base64(as_bytes(bytes), Base64Alphabet::url_safe, Base64Padding::unpadded);
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// A throw-away authority signs the server's certificate; neither is ever written anywhere.
Result<std::pair<pki::Certificate, pki::PrivateKey>> make_identity(IpAddress const& address) {
  auto const now = SystemClock().unix_seconds();
  CERTGATE_TRY(auto root_key, pki::PrivateKey::make(pki::KeyType::p256));
  CERTGATE_TRY(auto root_serial, pki::Serial::random());
  pki::CertificateOrder order{std::move(root_serial)};
  order.validity = {now - seconds_per_day, now + seconds_per_day};
  order.subject.common_name = "certgate hand-out";
  CERTGATE_TRY(auto const root, pki::Authority::make_root(order, std::move(root_key)));
  CERTGATE_TRY(auto key, pki::PrivateKey::make(pki::KeyType::p256));
  CERTGATE_TRY(order.serial, pki::Serial::random());
  CERTGATE_TRY(auto name, pki::AlternativeName::parse(pki::NameKind::ip, address.to_string()));
  order.profile = pki::ProfileKind::server;
  order.alternative_names.push_back(std::move(name));
  order.public_key_der = key.public_key_der();
  CERTGATE_TRY(auto certificate, root.issue(order));
  return std::pair{std::move(certificate), std::move(key)};
}

std::string response(std::string_view status, std::string_view type, std::string_view body,
                     std::string_view more = {}) {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Type: " + std::string(type) +
         "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
         "X-Content-Type-Options: nosniff\r\nConnection: close\r\n" +
         std::string(more) + "\r\n" + std::string(body);
}

std::string page(std::string_view status, std::string_view body) {
  return response(status, "text/html; charset=utf-8",
                  "<!doctype html><meta name=viewport content='width=device-width'>"
                  "<title>certgate</title><body style='font:1.2em sans-serif;margin:2em'>" +
                      std::string(body));
}

std::string pin_form(std::string_view sentence) {
  return "<p>" + std::string(sentence) +
         "</p><form method=post><input name=pin inputmode=numeric autocomplete=off autofocus "
         "style='font:inherit;width:8em'> <button style='font:inherit'>Fetch</button></form>";
}

struct Request {
  std::string method;
  std::string path;
  std::string body;
};

// The little of HTTP/1.1 that a browser's GET and form need; anything else has no answer.
class RequestReader {
 public:
  RequestReader(SSL* session, SteadyTime deadline) : session_(session), deadline_(deadline) {}

  std::optional<Request> read() {
    std::size_t head_end = 0;
    while ((head_end = text_.find("\r\n\r\n")) == std::string::npos) {
      if (text_.size() > max_request_head_bytes || !read_more()) return std::nullopt;
    }
    Request request;
    auto const line = text_.substr(0, text_.find("\r\n"));
    auto const first = line.find(' ');
    auto const second = line.find(' ', first + 1);
    if (first == std::string::npos || second == std::string::npos) return std::nullopt;
    request.method = line.substr(0, first);
    request.path = line.substr(first + 1, second - first - 1);
    auto const length = content_length(std::string_view(text_).substr(0, head_end + 2));
    if (!length || *length > max_form_bytes) return std::nullopt;
    while (text_.size() < head_end + 4 + *length) {
      if (!read_more()) return std::nullopt;
    }
    request.body = text_.substr(head_end + 4, *length);
    return request;
  }

 private:
  static std::optional<std::size_t> content_length(std::string_view head) {
    auto const lower = ascii_lower(head);
    auto const at = lower.find("\r\ncontent-length:");
    if (at == std::string::npos) return 0;
    std::size_t value = 0;
    auto const digits = lower.substr(at + 17, lower.find("\r\n", at + 17) - at - 17);
    for (char const c : digits) {
      if (c == ' ') continue;
      if (c < '0' || c > '9' || value > max_form_bytes) return std::nullopt;
      value = value * 10 + static_cast<std::size_t>(c - '0');
    }
    return value;
  }

  bool read_more() {
    if (std::chrono::steady_clock::now() >= deadline_) return false;
    char buffer[2048];
    int const count = SSL_read(session_, buffer, sizeof buffer);
    if (count <= 0) return false;
    text_.append(buffer, static_cast<std::size_t>(count));
    return true;
  }

  SSL* session_;
  SteadyTime deadline_;
  std::string text_;
};

bool send_all(SSL* session, std::string_view bytes) {
  while (!bytes.empty()) {
    int const count = SSL_write(session, bytes.data(),
                                static_cast<int>(std::min<std::size_t>(bytes.size(), 16384)));
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::optional<IpAddress> peer_of(sockaddr_storage const& peer) {
  if (peer.ss_family == AF_INET) {
    auto const& v4 = reinterpret_cast<sockaddr_in const&>(peer);
    return IpAddress::v4(ntohl(v4.sin_addr.s_addr));
  }
  if (peer.ss_family == AF_INET6) {
    auto const& v6 = reinterpret_cast<sockaddr_in6 const&>(peer);
    std::array<std::uint8_t, 16> bytes{};
    std::copy(std::begin(v6.sin6_addr.s6_addr), std::end(v6.sin6_addr.s6_addr), bytes.begin());
    return IpAddress::v6(bytes).unmapped();
  }
  return std::nullopt;
}

}  // namespace

struct HandOutServer::State {
  HandOut hand_out;
  ContextOwner context{nullptr, SSL_CTX_free};
  int listener = -1;
  int wake = -1;
  std::string page_path;
  std::string file_path;
  std::string url;
  std::string fingerprint;

  std::mutex mutex;
  int wrong_pins = 0;
  bool sending = false;
  std::optional<HandOutEnd> end;
  std::map<int, SteadyTime> open_sockets;  // with the time by which each must be done
  std::vector<std::thread::id> served;     // these threads have nothing left to do

  ~State() {
    if (listener >= 0) ::close(listener);
    if (wake >= 0) ::close(wake);
  }

  void finish(HandOutEnd how) {
    std::lock_guard const guard(mutex);
    if (!end) end = how;
    std::uint64_t const one = 1;
    static_cast<void>(::write(wake, &one, sizeof one) == sizeof one);
  }

  Result<void> listen();
  void shut_sockets_older_than(SteadyTime limit);
  void serve_one(int socket);
  void join_served(std::vector<std::thread>& threads);
  void answer(SSL* session, Request const& request);
  std::string answer_pin(std::string_view form);
  void send_file(SSL* session);
};

Result<void> HandOutServer::State::listen() {
  sockaddr_storage place{};
  socklen_t length = 0;
  auto const& bytes = hand_out.address.bytes();
  if (hand_out.address.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(place);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(hand_out.port);
    std::copy_n(bytes.begin(), 4, reinterpret_cast<std::uint8_t*>(&v4.sin_addr));
    length = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(place);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(hand_out.port);
    std::copy_n(bytes.begin(), 16, reinterpret_cast<std::uint8_t*>(&v6.sin6_addr));
    length = sizeof v6;
  }
  auto const where = IpEndpoint{hand_out.address, hand_out.port}.to_string();
  listener = ::socket(place.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int const on = 1;
  if (listener < 0 || ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(listener, reinterpret_cast<sockaddr*>(&place), length) != 0 ||
      ::listen(listener, max_connections) != 0) {
    return fail(system_error("listen on", where, errno));
  }
  length = sizeof place;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&place), &length);
  hand_out.port =
      ntohs(hand_out.address.is_v4() ? reinterpret_cast<sockaddr_in&>(place).sin_port
                                     : reinterpret_cast<sockaddr_in6&>(place).sin6_port);
  return {};
}

void HandOutServer::State::shut_sockets_older_than(SteadyTime limit) {
  std::lock_guard const guard(mutex);
  for (auto const& [socket, deadline] : open_sockets) {
    if (deadline <= limit) ::shutdown(socket, SHUT_RDWR);
  }
}

void HandOutServer::State::serve_one(int socket) {
  timeval const patience{connection_seconds, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  {
    SessionOwner const session(SSL_new(context.get()), SSL_free);
    if (session && SSL_set_fd(session.get(), socket) == 1 && SSL_accept(session.get()) == 1) {
      RequestReader reader(session.get(), std::chrono::steady_clock::now() +
                                              std::chrono::seconds{connection_seconds});
      if (auto const request = reader.read()) answer(session.get(), *request);
    }
    ERR_clear_error();
  }
  std::lock_guard const guard(mutex);
  open_sockets.erase(socket);
  ::close(socket);
  served.push_back(std::this_thread::get_id());
}

// A thread that is over keeps its stack until it is joined.
void HandOutServer::State::join_served(std::vector<std::thread>& threads) {
  std::vector<std::thread::id> over;
  {
    std::lock_guard const guard(mutex);
    over.swap(served);
  }
  std::erase_if(threads, [&over](std::thread& thread) {
    if (std::find(over.begin(), over.end(), thread.get_id()) == over.end()) return false;
    thread.join();
    return true;
  });
}

void HandOutServer::State::answer(SSL* session, Request const& request) {
  bool const reading = request.method == "GET" || request.method == "HEAD";
  std::string text;
  if (request.method == "GET" && equal_in_constant_time(request.path, file_path)) {
    send_file(session);
    return;
  }
  if (request.method == "POST" && equal_in_constant_time(request.path, page_path)) {
    text = answer_pin(request.body);
  } else if (reading && equal_in_constant_time(request.path, page_path)) {
    text = page("200 OK", pin_form("Type the PIN that certgate shows."));
  } else {
    text = page("404 Not Found", "<p>There is nothing here.</p>");
  }
  if (request.method == "HEAD") text.resize(text.find("\r\n\r\n") + 4);
  send_all(session, text);
  SSL_shutdown(session);
}

std::string HandOutServer::State::answer_pin(std::string_view form) {
  std::lock_guard const guard(mutex);
  if (end) return page("410 Gone", "<p>This is over.</p>");
  constexpr std::string_view key = "pin=";
  if (form.starts_with(key) && equal_in_constant_time(form.substr(key.size()), hand_out.pin)) {
    // A fetch of its own, because phones repeat a download as a plain GET.
    return response("303 See Other", "text/plain", "", "Location: " + file_path + "\r\n");
  }
  if (++wrong_pins >= max_wrong_pins) {
    end = HandOutEnd::wrong_pin;
    std::uint64_t const one = 1;
    static_cast<void>(::write(wake, &one, sizeof one) == sizeof one);
    return page("403 Forbidden", "<p>Wrong PIN. This was the last try.</p>");
  }
  return page("403 Forbidden",
              pin_form("Wrong PIN. Tries left: " + std::to_string(max_wrong_pins - wrong_pins)));
}

void HandOutServer::State::send_file(SSL* session) {
  {
    std::lock_guard const guard(mutex);
    if (sending || end) return;
    sending = true;
  }
  auto const name = "Content-Disposition: attachment; filename=\"" + hand_out.file_name + "\"\r\n";
  bool const sent =
      send_all(session, response("200 OK", hand_out.content_type, hand_out.bytes, name));
  if (sent) {
    // Until the other side has closed, the last bytes may still be on their way.
    SSL_shutdown(session);
    int const socket = SSL_get_fd(session);
    ::shutdown(socket, SHUT_WR);
    timeval const patience{linger_seconds, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    char rest[256];
    while (::recv(socket, rest, sizeof rest, 0) > 0) {
    }
    finish(HandOutEnd::fetched);
  }
  std::lock_guard const guard(mutex);
  sending = false;
}

HandOutServer::HandOutServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
HandOutServer::HandOutServer(HandOutServer&&) noexcept = default;
HandOutServer& HandOutServer::operator=(HandOutServer&&) noexcept = default;
HandOutServer::~HandOutServer() = default;
std::string const& HandOutServer::url() const { return state_->url; }
std::string const& HandOutServer::fingerprint() const { return state_->fingerprint; }

Result<HandOutServer> HandOutServer::open(HandOut hand_out) {
  auto state = std::make_unique<State>();
  state->hand_out = std::move(hand_out);
  CERTGATE_TRY(auto const identity, make_identity(state->hand_out.address));
  state->context.reset(SSL_CTX_new(TLS_server_method()));
  auto* const context = state->context.get();
  if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_use_certificate(context, identity.first.handle()) != 1 ||
      SSL_CTX_use_PrivateKey(context, identity.second.handle()) != 1) {
    return fail(ErrorCode::crypto, "cannot prepare TLS");
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  state->wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (auto done = state->listen(); !done) return fail(std::move(done).error());
  state->page_path = '/' + random_path();
  state->file_path = state->page_path + '/' + random_path() + '/' + state->hand_out.file_name;
  state->url = "https://" + IpEndpoint{state->hand_out.address, state->hand_out.port}.to_string() +
               state->page_path;
  auto const hex = format_hex(as_bytes(identity.first.fingerprint()), HexCase::upper);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    state->fingerprint += (i == 0 ? "" : ":") + hex.substr(i, 2);
  }
  return HandOutServer(std::move(state));
}

HandOutEnd HandOutServer::serve() {
  auto& state = *state_;
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  sigprocmask(SIG_BLOCK, &ending, nullptr);
  // A phone that goes away while we write must not end the process.
  std::signal(SIGPIPE, SIG_IGN);
  int const signals = ::signalfd(-1, &ending, SFD_CLOEXEC);
  auto const deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds{state.hand_out.lifetime};
  std::vector<std::thread> threads;
  for (;;) {
    auto const now = std::chrono::steady_clock::now();
    {
      std::lock_guard const guard(state.mutex);
      if (!state.end && now >= deadline) state.end = HandOutEnd::expired;
      if (state.end) break;
    }
    state.shut_sockets_older_than(now);
    state.join_served(threads);
    pollfd places[] = {{state.listener, POLLIN, 0}, {state.wake, POLLIN, 0}, {signals, POLLIN, 0}};
    ::poll(places, 3, static_cast<int>(housekeeping.count()));
    if ((places[2].revents & POLLIN) != 0) state.finish(HandOutEnd::interrupted);
    if ((places[0].revents & POLLIN) == 0) continue;
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    int const socket =
        ::accept4(state.listener, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC);
    if (socket < 0) continue;
    auto const address = peer_of(peer);
    std::lock_guard const guard(state.mutex);
    if (!address || !address->is_private() || state.open_sockets.size() >= max_connections) {
      ::close(socket);
      continue;
    }
    state.open_sockets[socket] = now + std::chrono::seconds{connection_seconds};
    threads.emplace_back([&state, socket] { state.serve_one(socket); });
  }
  if (signals >= 0) ::close(signals);
  // The answer that told of the end is out already or nearly so; nobody else is waited for.
  if (state.end != HandOutEnd::fetched) std::this_thread::sleep_for(std::chrono::milliseconds{200});
  state.shut_sockets_older_than(SteadyTime::max());
  for (auto& thread : threads) thread.join();
  return *state.end;
}

}  // namespace certgate::cli
