#include "certgate/fetch/get.hpp"

#include <algorithm>
#include <array>
#include <memory>

#include "certgate/base/encoding.hpp"
#include "certgate/http/framing.hpp"
#include "certgate/http1/chunked.hpp"
#include "certgate/http1/reader.hpp"
#include "certgate/tls/connector.hpp"

namespace certgate::fetch {
namespace {

constexpr std::size_t head_bytes = 16 * 1024;
constexpr std::size_t piece_bytes = 64 * 1024;
constexpr std::size_t max_validator_bytes = 1024;
constexpr unsigned max_interim_answers = 5;

std::string size_text(std::size_t bytes) {
  constexpr std::size_t mebibyte = 1024 * 1024;
  if (bytes >= mebibyte && bytes % mebibyte == 0) return std::to_string(bytes / mebibyte) + " MiB";
  if (bytes >= 1024 && bytes % 1024 == 0) return std::to_string(bytes / 1024) + " KiB";
  return std::to_string(bytes) + " bytes";
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string validator(http::Fields fields, http::FieldName name) {
  auto const value = http::value_of(fields, name);
  // A tab may stand in a field; where validators are kept, it may not.
  bool const is_plain = value.size() <= max_validator_bytes && value.find('\t') == value.npos;
  return is_plain ? std::string(value) : std::string();
}

std::string answer_text(http::ResponseHead const& head) {
  auto text = "the server answered " + std::to_string(head.status);
  auto const phrase = http::reason_phrase(head.status);
  if (!phrase.empty()) text.append(" ").append(phrase);
  return text;
}

std::string request_text(Request const& request, Url const& url) {
  auto text = "GET " + url.target + " HTTP/1.1\r\nHost: " + url.authority() +
              "\r\nUser-Agent: certgate\r\nAccept: " + request.accept +
              "\r\nAccept-Encoding: identity\r\nConnection: close\r\n";
  if (!request.known.etag.empty()) text += "If-None-Match: " + request.known.etag + "\r\n";
  if (!request.known.last_modified.empty()) {
    text += "If-Modified-Since: " + request.known.last_modified + "\r\n";
  }
  return text + "\r\n";
}

}  // namespace

// One connection and what came over it.
struct Get::Hop {
  std::unique_ptr<net::Stream> stream;
  tls::TlsStream* tls = nullptr;
  std::string received;  // the head, then what follows it
  std::array<http::Field, http1::default_max_fields> slots;
  http::ResponseHead head;  // into `received`
  std::size_t head_size = 0;

  std::string why_it_ended() const {
    auto const words = tls != nullptr ? tls->error() : std::string_view();
    return words.empty() ? "the connection broke" : std::string(words);
  }
};

Get::Get(net::Loop& loop, net::Deadlines& deadlines, net::Lookup lookup)
    : loop_(loop), deadlines_(deadlines), lookup_(std::move(lookup)) {}

Get::~Get() = default;

void Get::cancel() {
  is_over_ = true;
  if (socket_ != nullptr) socket_->cancel();
  if (resolving_ != nullptr) resolving_->cancel();
}

Error Get::time_is_up() const {
  return {ErrorCode::timed_out, "not done within " + std::to_string(time_.count()) + " ms"};
}

net::Task<Result<Answer>> Get::run(Request const& request) {
  is_over_ = false;
  time_ = request.time;
  arm(deadlines_.list(request.time));
  auto answer = co_await follow(request);
  disarm();
  if (!answer && is_over_) co_return fail(time_is_up());
  co_return answer;
}

net::Task<Result<Answer>> Get::follow(Request const& request) {
  Url url = request.url;
  for (unsigned hops = 0; hops <= max_redirects; ++hops) {
    auto const prefix = hops == 0 ? std::string() : "redirected to " + url.to_string() + ": ";
    auto const hop = std::make_unique<Hop>();
    auto& hop_at = *hop;
    auto const opened = co_await open(request, url, hop_at);
    if (!opened) {
      socket_ = nullptr;
      co_return fail(Error{opened.error().code, prefix + opened.error().detail});
    }
    auto const asked = co_await ask(request, url, hop_at);
    if (!asked) {
      socket_ = nullptr;
      co_return fail(Error{asked.error().code, prefix + asked.error().detail});
    }
    auto const& head = hop->head;
    if (is_redirect(head.status)) {
      socket_ = nullptr;
      auto const location = http::value_of(head.fields, http::FieldName::location);
      if (location.empty()) {
        co_return fail(ErrorCode::invalid, prefix + "a redirect that leads nowhere");
      }
      auto next = url.resolve(location);
      if (!next) {
        co_return fail(Error{ErrorCode::invalid, prefix + "a redirect: " + next.error().detail});
      }
      if (url.scheme == Url::Scheme::https && next->scheme == Url::Scheme::http) {
        co_return fail(ErrorCode::invalid,
                       prefix + "a redirect from https to " + next->to_string());
      }
      url = std::move(*next);
      continue;
    }
    Answer answer;
    answer.validators.etag = validator(head.fields, http::FieldName::etag);
    answer.validators.last_modified = validator(head.fields, http::FieldName::last_modified);
    bool const asked_for_changes =
        !request.known.etag.empty() || !request.known.last_modified.empty();
    if (head.status == 304 && asked_for_changes) {
      socket_ = nullptr;
      answer.is_unchanged = true;
      co_return answer;
    }
    if (head.status != 200) {
      socket_ = nullptr;
      co_return fail(ErrorCode::unavailable, prefix + answer_text(head));
    }
    auto body = co_await read_body(request, hop_at);
    socket_ = nullptr;
    if (!body) co_return fail(Error{body.error().code, prefix + body.error().detail});
    answer.body = std::move(*body);
    co_return answer;
  }
  co_return fail(ErrorCode::exhausted,
                 "more than " + std::to_string(max_redirects) + " redirects, the last to " +
                     url.to_string());
}

// The addresses of a host that may be connected to, at least one.
net::Task<Result<std::vector<IpAddress>>> Get::resolve(Request const& request, Url const& url) {
  std::vector<IpAddress> addresses;
  auto const literal = IpAddress::parse(url.host);
  if (literal) {
    addresses.push_back(*literal);
  } else {
    net::Resolving resolving(loop_, lookup_, url.host);
    resolving_ = &resolving;
    auto found = co_await resolving;
    resolving_ = nullptr;
    if (!found) {
      co_return fail(Error{found.error().code,
                           "cannot resolve `" + url.host + "`: " + found.error().detail});
    }
    addresses = std::move(*found);
  }
  std::string refused;
  std::vector<IpAddress> allowed;
  for (auto const& address : addresses) {
    if (request.addresses.allows(address)) {
      allowed.push_back(address);
    } else if (refused.empty()) {
      refused = address.to_string() + " (" + std::string(why_not_public(address)) + ")";
    }
  }
  if (allowed.empty()) {
    co_return fail(ErrorCode::permission,
                   "`" + url.host + "` leads to " + refused +
                       ", which is no public address and not in `crl_refresh.allowed_networks`");
  }
  co_return allowed;
}

net::Task<Result<void>> Get::open(Request const& request, Url const& url, Hop& hop) {
  auto const addresses = co_await resolve(request, url);
  if (!addresses) co_return fail(addresses.error());
  tls::ClientContext::Pointer context;
  if (url.scheme == Url::Scheme::https) {
    tls::ClientOptions options;
    options.authorities = request.authorities;
    options.server_name = url.host;
    options.sessions = 0;
    auto built = tls::ClientContext::build(std::move(options));
    if (!built) co_return fail(built.error());
    context = std::move(*built);
  }
  Error last{ErrorCode::unavailable, "no address can be connected to"};
  for (std::size_t i = 0; i < addresses->size() && !is_over(); ++i) {
    tls::ClientStream* encrypted = nullptr;
    if (context != nullptr) {
      auto stream = std::make_unique<tls::ClientStream>(loop_, context);
      encrypted = stream.get();
      hop.stream = std::move(stream);
    } else {
      hop.stream = std::make_unique<net::PlainStream>(loop_);
    }
    hop.tls = encrypted;
    auto& socket = hop.stream->socket();
    socket_ = &socket;
    // An address that swallows everything leaves time for the others.
    net::SocketDeadline patience(socket);
    if (i + 1 < addresses->size()) patience.arm(deadlines_.list(request.time / 3));
    net::SocketAddress address;
    address.ip = IpEndpoint{(*addresses)[i], url.port};
    auto const connected = co_await net::connect(socket, address);
    if (!connected) {
      last = connected.error();
      continue;
    }
    if (encrypted == nullptr) co_return Result<void>{};
    auto const secured = co_await encrypted->handshake();
    if (secured) co_return Result<void>{};
    last = secured.error();
  }
  co_return fail(last);
}

net::Task<Result<void>> Get::ask(Request const& request, Url const& url, Hop& hop) {
  auto const text = request_text(request, url);
  auto const bytes = std::span<char const>(text);
  auto& stream = *hop.stream;
  auto const sent = co_await net::write_all(stream, bytes);
  if (sent != net::IoStatus::done) co_return fail(ErrorCode::closed, hop.why_it_ended());
  for (unsigned answers = 0; answers < max_interim_answers; ++answers) {
    auto const read = co_await read_head(hop);
    if (!read) co_return fail(read.error());
    if (!http::is_interim(hop.head.status)) co_return Result<void>{};
    hop.received.erase(0, hop.head_size);
  }
  co_return fail(ErrorCode::invalid, "too many interim answers");
}

net::Task<Result<void>> Get::read_head(Hop& hop) {
  http1::HeadLimits limits;
  limits.bytes = head_bytes;
  http1::ResponseReader reader(hop.slots, limits);
  std::string piece(head_bytes, '\0');
  auto const room = std::span<char>(piece);
  auto& stream = *hop.stream;
  for (;;) {
    auto const fed = hop.received.empty() ? http1::Feed::need_more : reader.feed(hop.received);
    if (fed == http1::Feed::refused) {
      co_return fail(ErrorCode::invalid, "the answer is not HTTP as it should be (" +
                                             std::string(reader.refusal().reason) + ")");
    }
    if (fed == http1::Feed::complete) {
      hop.head = reader.head();
      hop.head_size = reader.consumed();
      co_return Result<void>{};
    }
    auto const got = co_await net::read_some(stream, room);
    if (got.status == net::IoStatus::closed) {
      co_return fail(ErrorCode::closed, hop.received.empty()
                                            ? "the server closed the connection without an answer"
                                            : "the server closed the connection within the head");
    }
    if (got.status != net::IoStatus::done) co_return fail(ErrorCode::closed, hop.why_it_ended());
    hop.received.append(piece, 0, got.bytes);
  }
}

net::Task<Result<std::string>> Get::read_body(Request const& request, Hop& hop) {
  auto const framing = http::frame_response(hop.head, "GET");
  if (!framing) {
    co_return fail(ErrorCode::invalid, "the answer is not HTTP as it should be (" +
                                           std::string(framing.error().reason) + ")");
  }
  auto const encoding =
      ascii_lower(http::value_of(hop.head.fields, http::FieldName::content_encoding));
  if (!encoding.empty() && encoding != "identity") {
    co_return fail(ErrorCode::invalid, "the body is compressed (" + encoding + "), which nobody asked for");
  }
  auto const kind = framing->body.kind;
  auto const length = framing->body.length;
  auto const too_long = "the body is longer than " + size_text(request.max_bytes) +
                        " (crl_refresh.max_bytes)";
  if (kind == http::BodyKind::length && length > request.max_bytes) {
    co_return fail(ErrorCode::exhausted, too_long);
  }
  std::string body;
  if (kind == http::BodyKind::length) body.reserve(static_cast<std::size_t>(length));
  std::string piece = hop.received.substr(hop.head_size);
  std::size_t filled = piece.size();
  piece.resize(std::max(piece_bytes, piece.size()));
  http1::ChunkedDecoder chunked;
  auto& stream = *hop.stream;
  for (;;) {
    bool is_complete = false;
    if (kind == http::BodyKind::chunked) {
      auto const decoded = chunked.decode(std::span<char>(piece.data(), filled));
      if (decoded.status == http1::ChunkedDecoder::Status::refused) {
        co_return fail(ErrorCode::invalid,
                       "the body is not chunked as it should be (" + std::string(chunked.reason()) + ")");
      }
      body.append(decoded.data);
      is_complete = decoded.status == http1::ChunkedDecoder::Status::complete;
    } else {
      body.append(piece, 0, filled);
      if (kind != http::BodyKind::until_close && body.size() >= length) {
        body.resize(static_cast<std::size_t>(length));
        is_complete = true;
      }
    }
    if (body.size() > request.max_bytes) co_return fail(ErrorCode::exhausted, too_long);
    if (is_complete) co_return Result<std::string>(std::move(body));
    auto const room = std::span<char>(piece);
    auto const got = co_await net::read_some(stream, room);
    bool const is_end =
        got.status == net::IoStatus::closed && kind == http::BodyKind::until_close;
    if (is_end) co_return Result<std::string>(std::move(body));
    if (got.status != net::IoStatus::done) {
      auto text = "the body ended after " + std::to_string(body.size());
      if (kind == http::BodyKind::length) text += " of " + std::to_string(length);
      text += " bytes";
      if (got.status != net::IoStatus::closed) text += ": " + hop.why_it_ended();
      co_return fail(ErrorCode::closed, text);
    }
    filled = got.bytes;
  }
}

}  // namespace certgate::fetch
