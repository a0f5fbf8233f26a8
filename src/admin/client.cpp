// Connects, asks, and reads one answer to its end.
#include "certgate/admin/client.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/completion_condition.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <optional>

#include "certgate/base/encoding.hpp"
#include "socket_address.hpp"

namespace certgate::admin {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;

// /metrics of many thousand rules is a few MiB.
constexpr std::size_t max_answer_bytes = 64 * 1024 * 1024;

// Connecting, sending and receiving, one after the other; `outcome` is set when it is over.
struct Exchange {
  asio::io_context context{1};
  Protocol::socket socket{context};
  std::string request;
  std::string answer;
  std::optional<error_code> outcome;
  enum class Step { connecting, asking } step = Step::connecting;

  void start(SocketAddress const& where) {
    Protocol::endpoint const endpoint{where.get(), where.size};
    socket.async_connect(endpoint, [this](error_code error) {
      if (error) return finish(error);
      step = Step::asking;
      send();
    });
  }
  void send() {
    asio::async_write(socket, asio::buffer(request), [this](error_code error, std::size_t) {
      if (error) return finish(error);
      receive();
    });
  }
  void receive() {
    asio::async_read(socket, asio::dynamic_buffer(answer, max_answer_bytes),
                     [this](error_code error, std::size_t) {
                       finish(error == asio::error::eof ? error_code{} : error);
                     });
  }
  void finish(error_code error) { outcome = error; }
};

Error explain(Exchange const& exchange, Address const& address) {
  std::string const at = "admin address " + address.to_string();
  if (!exchange.outcome) return {ErrorCode::timed_out, at + " does not answer in time"};
  error_code const error = *exchange.outcome;
  if (error == asio::error::access_denied) {
    return {ErrorCode::permission, at + ": " + error.message()};
  }
  if (exchange.step == Exchange::Step::connecting) {
    return {ErrorCode::unavailable, "nobody listens on " + at + ": " + error.message()};
  }
  return {ErrorCode::closed, at + ": " + error.message()};
}

std::optional<std::size_t> content_length(std::string_view head) {
  while (!head.empty()) {
    std::size_t const end = head.find("\r\n");
    std::string_view const line = head.substr(0, end);
    constexpr std::string_view name = "content-length:";
    if (line.size() > name.size() && ascii_iequal(line.substr(0, name.size()), name)) {
      std::string_view value = line.substr(name.size());
      while (value.starts_with(' ')) value.remove_prefix(1);
      std::size_t length = 0;
      auto const read = std::from_chars(value.data(), value.data() + value.size(), length);
      if (read.ec == std::errc{} && read.ptr == value.data() + value.size()) return length;
      return std::nullopt;
    }
    if (end == std::string_view::npos) break;
    head.remove_prefix(end + 2);
  }
  return std::nullopt;
}

Result<Answer> parse_answer(std::string_view text, Address const& address) {
  std::size_t const end = text.find("\r\n\r\n");
  bool const http = text.size() >= 12 && text.starts_with("HTTP/1.") && text[8] == ' ';
  if (text.empty()) {
    return fail(ErrorCode::closed, "admin address " + address.to_string() + " hung up");
  }
  if (!http || end == std::string_view::npos) {
    return fail(ErrorCode::invalid,
                "what answers on " + address.to_string() + " is not an admin server");
  }
  Answer answer;
  std::string_view const digits = text.substr(9, 3);
  auto const read = std::from_chars(digits.data(), digits.data() + 3, answer.status);
  answer.body = text.substr(end + 4);
  auto const length = content_length(text.substr(0, end));
  if (read.ec != std::errc{} || read.ptr != digits.data() + 3 || length != answer.body.size()) {
    return fail(ErrorCode::closed,
                "the answer of admin address " + address.to_string() + " is cut short");
  }
  return answer;
}

}  // namespace

Result<Answer> Client::get(std::string_view path) const { return ask("GET", path, {}); }

Result<Answer> Client::post(std::string_view path, std::string_view body) const {
  return ask("POST", path, body);
}

Result<Answer> Client::ask(std::string_view method, std::string_view path,
                           std::string_view body) const {
  Exchange exchange;
  exchange.request = method;
  exchange.request += ' ';
  exchange.request += path;
  exchange.request += " HTTP/1.1\r\nHost: ";
  exchange.request += address_.is_unix() ? "localhost" : address_.tcp.to_string();
  exchange.request += "\r\nContent-Length: " + std::to_string(body.size());
  exchange.request += "\r\nConnection: close\r\n\r\n";
  exchange.request += body;
  exchange.start(SocketAddress{address_});
  exchange.context.run_for(timeout_);
  if (!exchange.outcome || *exchange.outcome) return fail(explain(exchange, address_));
  return parse_answer(exchange.answer, address_);
}

}  // namespace certgate::admin
