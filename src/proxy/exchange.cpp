#include "exchange.hpp"

#include <algorithm>
#include <cstring>

#include "access.hpp"
#include "certgate/base/encoding.hpp"
#include "exchange_state.hpp"

namespace certgate::proxy {

using net::IoStatus;
using net::Ready;

net::Task<AfterExchange> serve_exchange(Connection& connection) {
  Exchange exchange(connection);
  auto const after = co_await exchange.run();
  co_return after;
}

Exchange::Exchange(Connection& connection)
    : workspace_(connection.workspace()),
      connection_(connection),
      client_(connection.stream()),
      generation_(workspace_.current),
      kept_(workspace_.strings.take()),
      upstream_head_(workspace_.strings.take()),
      buffered_body_(workspace_.strings.take()),
      response_reader_({}, {}),
      out_(workspace_.strings.take()),
      read_deadline_(client_.socket()),
      write_deadline_(client_.socket()),
      upload_deadline_(client_.socket()),
      response_deadline_(client_.socket()),
      began_(workspace_.options.tls.clock->now()),
      judged_at_(began_),
      began_ns_(net::Loop::nanoseconds()) {
  workspace_.note_exchange();
  std::array<char, 8> random;
  workspace_.random.fill(random);
  for (std::size_t i = 0; i < random.size(); ++i) {
    constexpr char digits[] = "0123456789abcdef";
    auto const byte = static_cast<unsigned char>(random[i]);
    request_id_[2 * i] = digits[byte >> 4];
    request_id_[2 * i + 1] = digits[byte & 15];
  }
}

Exchange::~Exchange() {
  client_.socket().observe_readable(nullptr);
  if (status_ != 0 || has_head_ || !failure_.empty()) write_access_record(*this);
  ++connection_.exchanges;
  workspace_.strings.give_back(std::move(kept_));
  workspace_.strings.give_back(std::move(upstream_head_));
  workspace_.strings.give_back(std::move(buffered_body_));
  workspace_.strings.give_back(std::move(out_));

  // Bytes of the next request go back to the connection.
  if (after_ != AfterExchange::keep_alive) return;
  auto const pipelined = received_ - used_;
  if (pipelined > 0) {
    std::memmove(block_.data(), block_.data() + used_, pipelined);
    connection_.carry = std::move(block_);
    connection_.carried = pipelined;
  } else if (!upload_surplus_.empty()) {
    if (upload_surplus_.size() > block_.size()) {
      block_ = workspace_.blocks.take(upload_surplus_.size());
    }
    std::memcpy(block_.data(), upload_surplus_.data(), upload_surplus_.size());
    connection_.carry = std::move(block_);
    connection_.carried = upload_surplus_.size();
  }
}

net::Task<AfterExchange> Exchange::run() {
  auto const received = co_await receive_head();
  if (connection_.is_surplus()) persistence_ = http::Persistence::close;
  if (received == Head::gone) co_return after_ = AfterExchange::gone;
  bool ready = received == Head::complete && admit() && has_place() && find_site();
  if (ready && rules_read_body()) {
    ready = admits_client() && begin_judged_body();
    if (ready && !has_judged_body()) {
      auto const arrived = co_await receive_judged_body();
      ready = arrived;
    }
  }
  if (!ready || !judge()) {
    auto const status = refused_.status;
    auto const failure = refused_.reason;
    auto const* const custom = decision_.response;
    co_await answer(status, failure, custom);
    co_return after_;
  }
  co_await forward();
  co_return after_;
}

// --- The head -------------------------------------------------------------------------------------

bool Exchange::grow_block() {
  auto const limit = generation_->shared->limits.header_bytes;
  if (block_.size() > limit) return false;
  auto larger = workspace_.blocks.take(std::min(block_.size() * 2, limit + 1));
  std::memcpy(larger.data(), block_.data(), received_);
  block_ = std::move(larger);
  return true;
}

// Reads what there is. True when `outcome` is known; false when `wanted` has to be waited for.
bool Exchange::try_receive_head(http1::RequestReader& reader, Head& outcome, IoStatus& wanted) {
  for (;;) {
    if (received_ > 0) {
      auto const fed = reader.feed({block_.data(), received_});
      if (fed == http1::Feed::complete) {
        head_ = reader.head();
        head_bytes_ = used_ = reader.consumed();
        has_head_ = true;
        outcome = Head::complete;
        return true;
      }
      if (fed == http1::Feed::refused || (received_ == block_.size() && !grow_block())) {
        refused_ = fed == http1::Feed::refused ? reader.refusal()
                                               : http::Refusal{431, "head_too_large"};
        outcome = Head::refused;
        return true;
      }
    }
    auto const room = block_.span().subspan(received_);
    auto const result = client_.try_read(room);
    if (result.status == IoStatus::done) {
      received_ += result.bytes;
      continue;
    }
    wanted = result.status;
    if (wanted == IoStatus::want_read || wanted == IoStatus::want_write) return false;
    // The end of an idle connection is no request; the end within a head is worth a record.
    if (received_ > 0) failure_ = "client_closed";
    outcome = Head::gone;
    return true;
  }
}

net::Task<Exchange::Head> Exchange::receive_head() {
  if (connection_.carried > 0) {
    block_ = std::move(connection_.carry);
    received_ = std::exchange(connection_.carried, 0);
  } else {
    block_ = workspace_.blocks.take();
  }
  http1::RequestReader reader(generation_->scratch->request_slots, head_limits());
  auto outcome = Head::gone;
  auto wanted = IoStatus::want_read;
  while (!try_receive_head(reader, outcome, wanted)) {
    if (!read_deadline_.is_armed()) read_deadline_.arm(*generation_->header);
    // A client that asks for more than it takes (key updates) is read again when it has taken some:
    // its socket is readable all the while.
    auto const direction =
        wanted == IoStatus::want_write ? net::Direction::write : net::Direction::read;
    net::Socket::Wait wait(client_.socket(), direction);
    auto const ready = co_await wait;
    if (ready == Ready::ready) continue;
    if (received_ == 0) co_return Head::gone;
    if (!read_deadline_.expired()) {
      failure_ = "shutting_down";
      co_return Head::gone;
    }
    refused_ = {408, "header_timeout"};
    co_return Head::refused;
  }
  read_deadline_.disarm();
  co_return outcome;
}

std::string_view Exchange::keep(std::string_view text) {
  if (text.data() >= block_.data() && text.data() < block_.data() + head_bytes_) return text;
  // REQUIRES: admit() reserved enough, so that earlier views stay valid.
  auto const offset = kept_.size();
  kept_.append(text);
  return {kept_.data() + offset, text.size()};
}

bool Exchange::admit() {
  method_ = head_.method;
  version_ = head_.version;
  auto const& shared = *generation_->shared;
  auto const admitted = http::admit_request(head_, shared.normalisation, generation_->scratch->admission);
  if (!admitted) {
    refused_ = admitted.error();
    failure_detail_ = head_.target;  // for the log: there is no path that the rules saw
    return false;
  }
  admitted_ = *admitted;
  auto const& authority = admitted_.authority;
  kept_.clear();
  kept_.reserve(2 * authority.host.size() + 8 + admitted_.target.origin_form.size());
  host_ = upstream_host_ = keep(authority.host);
  if (authority.port != 0) {
    auto const offset = kept_.size();
    kept_.append(authority.host).append(":").append(std::to_string(authority.port));
    upstream_host_ = std::string_view(kept_).substr(offset);
  }
  path_ = keep(admitted_.target.path);
  query_ = keep(admitted_.target.query);
  user_agent_ = http::value_of(head_.fields, http::FieldName::user_agent);
  if (admitted_.framing.persistence == http::Persistence::close) {
    persistence_ = http::Persistence::close;
  }
  auto const& body = admitted_.framing.body;
  if (body.kind == http::BodyKind::length && body.length > shared.limits.body_bytes) {
    refused_ = {413, "body_too_large"};
    return false;
  }
  return true;
}

// RFC 6585 §4 leaves to the server who the user is and how his requests are counted.
bool Exchange::has_place() {
  if (!connection_.is_surplus()) return true;
  refused_ = {429, "too_many_connections"};
  return false;
}

// The host that answers, if this connection may speak for it. RFC 9110 §15.5.20: 421 "indicates
// that the request was directed at a server that is unable or unwilling to produce an authoritative
// response for the target URI".
bool Exchange::find_site() {
  auto const& shared = *generation_->shared;
  auto const& session = connection_.session();
  if (host_.empty()) host_ = session.server_name;
  site_ = shared.find_site(host_);
  auto const* const spoken_to = shared.find_site(session.server_name);
  if (site_ == nullptr) {
    refused_ = {421, "unknown_host"};
    return false;
  }
  // The connection's client was asked for a certificate as the host named in the handshake wants
  // it. Compared are the policies in force now, for a reload may have changed both.
  bool const same = spoken_to != nullptr &&
                    (spoken_to == site_ ||
                     spoken_to->tls->client_scope() == site_->tls->client_scope());
  bool const was_asked = session.host->client().mode != x509::ClientAuthMode::off;
  bool const is_asked = site_->tls->client().mode != x509::ClientAuthMode::off;
  if (!same || (is_asked && !was_asked)) {
    refused_ = {421, "misdirected_request"};
    return false;
  }
  return true;
}

policy::Facts Exchange::facts() {
  auto const& session = connection_.session();
  policy::Facts facts;
  facts.client_ip = connection_.peer().address;
  if (generation_->shared->reads_local_address) {
    facts.local_ip = connection_.local().address;
    facts.local_port = connection_.local().port;
  }
  facts.tls_version = session.version;
  facts.tls_cipher = session.cipher;
  facts.client_hello = workspace_.hello_of(session);
  bool const asked = site_->tls->client().mode != x509::ClientAuthMode::off;
  facts.chain = asked ? session.chain.get() : nullptr;
  facts.verification = judgement_->verification.get();
  facts.verdict = &judgement_->verdict;
  facts.head = &head_;
  facts.target = &admitted_.target;
  facts.host = host_;
  if (keeps_judged_body_) {
    workspace_.body = body_facts();
    facts.body = &workspace_.body;
  }
  facts.request_id = {request_id_.data(), request_id_.size()};
  workspace_.random.fill(workspace_.seed);
  facts.random_seed = {workspace_.seed.data(), workspace_.seed.size()};
  facts.time_msec = std::chrono::floor<std::chrono::milliseconds>(judged_at_).time_since_epoch().count();
  return facts;
}

bool Exchange::admits_client() {
  auto const now = std::chrono::floor<std::chrono::seconds>(judged_at_).time_since_epoch().count();
  judgement_ = &connection_.judge(*generation_, *site_, now);
  verdict_until_ = judgement_->verdict.until;
  // `require` holds for every request, not only for the handshake: a certificate that has expired
  // or was revoked since then is refused here.
  if (site_->tls->client().mode == x509::ClientAuthMode::require && !judgement_->verdict.ok()) {
    refused_ = {403, "client_certificate_required"};
    persistence_ = http::Persistence::close;
    return false;
  }
  return true;
}

bool Exchange::judge() {
  if (!admits_client()) return false;
  auto const known = facts();
  decision_ = policy::decide(*generation_->shared->policy, known, workspace_.policy);
  decided_ = true;
  if (decision_.action == policy::Action::allow) return true;
  auto const status = decision_.response == nullptr ? 403 : decision_.response->status;
  refused_ = {status, decision_.evaluation_failed() ? "evaluation_failed" : ""};
  return false;
}

bool Exchange::parse_head_again() {
  http1::RequestReader reader(generation_->scratch->request_slots, head_limits());
  if (reader.feed({block_.data(), head_bytes_}) != http1::Feed::complete) return false;
  head_ = reader.head();
  auto const admitted =
      http::admit_request(head_, generation_->shared->normalisation, generation_->scratch->admission);
  if (!admitted) return false;
  admitted_ = *admitted;
  return true;
}

// From now on the record is about what is in force now, for what was before may go: no tunnel keeps a
// Generation with all its revoked serials. Only its pool is kept, with the server it is connected to.
void Exchange::leave_generation() {
  if (generation_ == workspace_.current) return;
  for (auto const& pool : generation_->pools) {
    if (pool.get() == pool_) kept_pool_ = pool;
  }
  site_ = nullptr;
  judgement_ = nullptr;
  decided_ = false;
  decision_ = {};
  generation_ = workspace_.current;
}

bool Exchange::is_still_allowed() {
  leave_generation();
  judged_at_ = workspace_.options.tls.clock->now();
  return parse_head_again() && find_site() && judge();
}

// --- Answers of certgate's own --------------------------------------------------------------------

net::Task<void> Exchange::answer(int status, FailureToken failure,
                                 policy::BlockResponse const* custom) {
  status_ = status;
  failure_ = failure;

  // What is left of the request must not be taken for the next one. A body that has arrived whole
  // is skipped; anything else ends the connection.
  bool body_is_read = has_head_;
  if (has_head_ && admitted_.framing.body.has_body()) {
    auto const& body = admitted_.framing.body;
    if (upload_kind_ != http::BodyKind::none) {
      body_is_read = request_body_.is_complete();  // on its way to an origin already
    } else {
      body_is_read = body.kind == http::BodyKind::length && body.length <= received_ - used_;
      if (body_is_read) used_ += body.length;
    }
  }
  bool const malformed = !has_head_ || status == 400 || site_ == nullptr;
  if (!body_is_read || malformed || status == 408) persistence_ = http::Persistence::close;

  http::Answer plan;
  plan.status = status;
  plan.request_id = {request_id_.data(), request_id_.size()};
  plan.client_version = version_;
  plan.persistence = persistence_;
  if (method_ == "HEAD") plan.body = http::Answer::Body::head_only;
  bool const head_is_there = has_head_ && upstream_ == nullptr && attempts_ == 0;
  if (head_is_there || (has_head_ && parse_head_again())) {
    plan.format = http::choose_format(head_.fields);
  }
  http::CustomBody body;
  if (custom != nullptr && !custom->body.empty()) {
    body.body = custom->body;
    body.content_type = custom->content_type.empty() ? "text/plain; charset=utf-8"
                                                     : std::string_view(custom->content_type);
    plan.custom = &body;
  }
  auto const date = workspace_.http_date();
  plan.date = date;
  out_.clear();
  http::append_answer(out_, plan);

  expect_access_record(connection_);
  auto const view = std::string_view(out_);
  auto const sink = client_writing();
  auto const sent = co_await send_all(sink, view);
  bytes_out_ += out_.size();
  if (sent != TransferStatus::complete) {
    after_ = AfterExchange::gone;
  } else if (persistence_ == http::Persistence::keep_alive) {
    after_ = AfterExchange::keep_alive;
  } else {
    after_ = body_is_read && has_head_ ? AfterExchange::close : AfterExchange::linger;
  }
}

}  // namespace certgate::proxy
