// The state of one exchange, for the sources that make it up: receiving and judging the request,
// forwarding it, tunnelling, answering, recording.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "certgate/http/answer.hpp"
#include "certgate/http1/reader.hpp"
#include "certgate/policy/decide.hpp"
#include "certgate/telemetry/access_record.hpp"
#include "certgate/upstream/pool.hpp"
#include "connection.hpp"
#include "event.hpp"
#include "exchange.hpp"

namespace certgate::proxy {

// Why an exchange ended as it did, as the log's `failure` says it; a literal. Empty: it went well.
using FailureToken = std::string_view;

inline std::chrono::microseconds time_since(std::int64_t start_ns) {
  return std::chrono::microseconds((net::Loop::nanoseconds() - start_ns) / 1000);
}

class Exchange final : private net::ReadableObserver {
 public:
  explicit Exchange(Connection& connection);
  ~Exchange();  // writes the access record: exactly one, on every way out
  Exchange(Exchange const&) = delete;
  Exchange& operator=(Exchange const&) = delete;

  net::Task<AfterExchange> run();

  // For a tunnel, after a change of trust or rules: would this request be allowed now?
  bool is_still_allowed();
  UnixSeconds verdict_holds_until() const { return verdict_until_; }

 private:
  friend class Tunnel;
  friend void write_access_record(Exchange const& exchange);

  enum class Head { complete, refused, gone };

  // The request's head (exchange.cpp).
  bool try_receive_head(http1::RequestReader& reader, Head& outcome, net::IoStatus& wanted);
  net::Task<Head> receive_head();
  bool grow_block();
  bool admit();                 // false: refused_ says why
  bool has_place();             // false: likewise; its certificate has too many connections
  bool find_site();             // false: likewise
  bool admits_client();         // false: likewise; the host requires a certificate that holds now
  bool judge();                 // false: likewise, or blocked
  policy::Facts facts();
  std::string_view keep(std::string_view text);
  bool parse_head_again();      // fills head_ and admitted_ from block_ after a suspension
  void leave_generation();      // for the one in force now; lets go of all that belongs to the old one

  http1::HeadLimits head_limits() const {
    auto const& limits = generation_->shared->limits;
    return {limits.header_bytes, limits.target_bytes};
  }

  // The request's body, as much as rules see of it or as came with the head (request_body.cpp).
  bool take_buffered_body();    // false: refused_ says why
  bool rules_read_body() const;
  bool begin_judged_body();     // false: refused_ says why
  bool take_judged_body(std::span<char> bytes, std::size_t& consumed);  // false: likewise
  bool has_judged_body() const;
  net::Task<bool> receive_judged_body();  // false: likewise
  net::Task<void> read_judged_body();
  policy::BodyFacts body_facts() const;
  std::string_view frame_judged_body();
  void release_judged_body();

  // Answers of certgate's own (exchange.cpp).
  net::Task<void> answer(int status, FailureToken failure,
                         policy::BlockResponse const* custom = nullptr);

  // Towards the origin (forward.cpp).
  net::Task<void> forward();
  bool build_upstream_head();   // false: refused_ says why
  void append_identity();
  net::Task<bool> reach_server(upstream::Pool& pool, upstream::Server const* avoid);
  void note_unreachable(upstream::ConnectFailure&& failure);
  net::Task<bool> send_request();
  net::Task<void> upload();
  enum class Response { received, retry, failed };
  net::Task<Response> receive_response_head();
  void read_on_behind_head();
  std::string_view join_head_and_body(std::string_view body);
  net::Task<void> relay_response();
  net::Task<void> finish_upload();
  net::Task<void> end_upload_for_an_origin_that_failed();
  bool upload_gave_up() const;
  void release_upstream(bool reusable);
  std::pair<int, FailureToken> upstream_failure() const;

  // A client that leaves while its origin is at work (departure.cpp).
  void watch_client();
  void on_readable() override;
  void client_has_left();
  void end_without_client();

  // An upgraded connection (tunnel.cpp).
  net::Task<void> tunnel();

  End client_reading() { return {client_, read_deadline_, *generation_->body}; }
  End client_writing() { return {client_, write_deadline_, *generation_->body}; }

  Workspace& workspace_;
  Connection& connection_;
  tls::ServerStream& client_;
  std::shared_ptr<WorkerGeneration const> generation_;

  // What was received: the head stays at the front of the block until the exchange is over.
  net::Block block_;
  std::size_t received_ = 0;
  std::size_t head_bytes_ = 0;
  std::size_t used_ = 0;  // head and the part of the body that came with it
  http::RequestHead head_;
  http::AdmittedRequest admitted_;
  http::Refusal refused_{0, {}};
  bool has_head_ = false;
  bool client_finished_ = false;  // it has said that it will send no more (close_notify)
  bool client_left_ = false;      // it is gone: nobody waits for an answer

  // What is remembered for the log and for later judgements.
  std::string kept_;
  std::string_view method_, host_, upstream_host_, path_, query_, user_agent_;
  http::Version version_ = http::Version::http_1_1;
  std::array<char, 16> request_id_;
  Site const* site_ = nullptr;
  Judgement const* judgement_ = nullptr;
  UnixSeconds verdict_until_ = 0;
  policy::Decision decision_;
  bool decided_ = false;

  // Towards the origin.
  std::string upstream_head_;
  std::size_t upstream_head_bytes_ = 0;  // without Host and what follows it
  std::string buffered_body_;         // that part of the body which goes out with the head
  std::string_view body_to_send_;     // likewise, within buffered_body_ and with its framing
  std::size_t judged_body_begin_ = 0;  // in buffered_body_
  std::size_t judged_body_bytes_ = 0;
  bool keeps_judged_body_ = false;
  bool judged_body_is_whole_ = false;
  BodyDecoder request_body_;
  http::BodyKind upload_kind_ = http::BodyKind::none;
  upstream::Pool* pool_ = nullptr;  // one of generation_'s, or kept_pool_
  std::shared_ptr<upstream::Pool> kept_pool_;
  upstream::Server* server_ = nullptr;
  std::unique_ptr<upstream::Connection> upstream_;
  std::optional<upstream::ConnectFault> connect_fault_;  // of the last server that was tried
  std::string failure_detail_;  // why, in the words of the operating system or OpenSSL
  unsigned attempts_ = 0;
  bool fresh_only_ = false;  // the request is sent once more: not on a kept connection
  bool binds_connection_ = false;  // authenticates the upstream's connection: not for others

  // The upload that goes on while the response is awaited.
  bool uploading_ = false;
  Event upload_done_;
  TransferResult upload_result_;
  TransferCount upload_count_;
  std::string upload_surplus_;

  // The response.
  net::Block response_block_;
  std::size_t response_bytes_ = 0;
  http1::ResponseReader response_reader_;
  std::string out_;
  TransferCount download_count_;
  bool response_started_ = false;  // towards the client
  bool response_any_bytes_ = false;

  net::SocketDeadline read_deadline_;
  net::SocketDeadline write_deadline_;
  net::SocketDeadline upload_deadline_;    // on the upstream's socket
  net::SocketDeadline response_deadline_;  // likewise

  // For the record.
  std::chrono::system_clock::time_point began_;
  std::chrono::system_clock::time_point judged_at_;
  std::int64_t began_ns_ = 0;
  std::int64_t sent_ns_ = 0;
  std::chrono::microseconds connect_time_ = telemetry::not_measured;
  std::chrono::microseconds origin_time_ = telemetry::not_measured;
  std::uint64_t bytes_out_ = 0;
  int status_ = 0;
  FailureToken failure_;
  http::Persistence persistence_ = http::Persistence::keep_alive;
  AfterExchange after_ = AfterExchange::close;
};

}  // namespace certgate::proxy
