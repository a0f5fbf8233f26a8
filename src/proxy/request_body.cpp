// The request's body as far as it is there before the request goes on.
//
// Rules that read it decide when its beginning has been received; that is kept until an origin has
// answered, without its framing, and framed anew when it goes on: so its memory is bounded by what
// rules may see. None of this runs for a configuration without such rules, nor for a request without
// a body. The connection's other data stay where they are: the head in its block, bytes of the next
// request behind the body in `upload_surplus_`.
#include <algorithm>

#include "certgate/http1/writer.hpp"
#include "exchange_state.hpp"

namespace certgate::proxy {

using net::IoStatus;
using net::Ready;

namespace {

// Framing of chunks is read with what it frames, and whether there is more behind the last byte that
// rules may see is known only when it has come.
constexpr std::size_t room_for_framing = 512;

}  // namespace

bool Exchange::rules_read_body() const {
  return generation_->shared->reads_body && admitted_.framing.body.has_body();
}

// As much as rules may see is there, and it is known whether there is more.
bool Exchange::has_judged_body() const {
  if (judged_body_is_whole_) return true;
  auto const limit = generation_->shared->limits.judged_body_bytes;
  bool const is_announced = admitted_.framing.body.kind == http::BodyKind::length;
  return is_announced ? judged_body_bytes_ >= limit : judged_body_bytes_ > limit;
}

policy::BodyFacts Exchange::body_facts() const {
  auto const& body = admitted_.framing.body;
  std::string_view const kept(buffered_body_.data() + judged_body_begin_, judged_body_bytes_);
  policy::BodyFacts facts;
  facts.content = kept.substr(0, generation_->shared->limits.judged_body_bytes);
  if (body.kind == http::BodyKind::length) {
    facts.size = body.length;
  } else if (judged_body_is_whole_ && facts.content.size() == kept.size()) {
    facts.size = kept.size();  // of a longer one it may be known, too, but that is chance
  }
  facts.truncated = !facts.size || *facts.size > facts.content.size();
  return facts;
}

// Takes what came with the head. False: refused_ says why.
bool Exchange::begin_judged_body() {
  auto const& body = admitted_.framing.body;
  keeps_judged_body_ = true;
  upload_kind_ = body.kind;
  request_body_ = BodyDecoder(body);
  if (body.kind == http::BodyKind::chunked) judged_body_begin_ = body_headroom;
  buffered_body_.resize(judged_body_begin_);
  auto const came = block_.span().first(received_).subspan(used_);
  if (came.empty()) return true;
  std::size_t consumed = 0;
  if (!take_judged_body(came, consumed)) return false;
  used_ += consumed;
  return true;
}

bool Exchange::take_judged_body(std::span<char> bytes, std::size_t& consumed) {
  auto const piece = request_body_.decode(bytes);
  consumed = piece.consumed;
  upload_count_.payload += piece.data.size();
  if (piece.status == BodyDecoder::Status::refused) {
    refused_ = {400, request_body_.reason()};
    persistence_ = http::Persistence::close;
    return false;
  }
  auto const& limits = generation_->shared->limits;
  if (upload_count_.payload > limits.body_bytes) {
    refused_ = {413, "body_too_large"};
    return false;
  }
  auto const needed = buffered_body_.size() + piece.data.size() + body_tailroom;
  if (needed > buffered_body_.capacity()) {
    // Twice as much each time, but nothing that is never used.
    auto const most = limits.judged_body_bytes + room_for_framing + body_headroom + body_tailroom;
    buffered_body_.reserve(std::max(needed, std::min(2 * needed, most)));
  }
  buffered_body_.append(piece.data.data(), piece.data.size());
  judged_body_bytes_ += piece.data.size();
  judged_body_is_whole_ = request_body_.is_complete();
  return true;
}

// What is still missing. False: refused_ says why.
net::Task<bool> Exchange::receive_judged_body() {
  // RFC 9110 §10.1.1: "A server MAY omit sending a 100 (Continue) response if it has already
  // received some or all of the content".
  if (admitted_.framing.expectation == http::Expectation::continue_100 &&
      received_ == head_bytes_) {
    auto const sink = client_writing();
    auto const interim = http1::continue_100;
    auto const sent = co_await send_all(sink, interim);
    if (sent != TransferStatus::complete) refused_ = {400, "client_closed"};
  }
  if (refused_.status == 0) co_await read_judged_body();
  bool const received = refused_.status == 0;
  judged_at_ = workspace_.options.tls.clock->now();

  // Other requests have used the worker's scratch meanwhile.
  if (!received) {
    if (!parse_head_again()) head_ = {};
    co_return false;
  }
  // Trust, rules and limits may be others: what is in force now decides.
  http1::RequestReader reader(generation_->scratch->request_slots, head_limits());
  if (reader.feed({block_.data(), head_bytes_}) != http1::Feed::complete) {
    refused_ = reader.refusal();
    head_ = {};
    co_return false;
  }
  head_ = reader.head();
  co_return admit() && find_site();
}

net::Task<void> Exchange::read_judged_body() {
  BodyPace pace{generation_->shared->limits.body_rate, generation_->shared->timeouts.body};
  while (rules_read_body() && !has_judged_body()) {
    auto const most = generation_->shared->limits.judged_body_bytes;
    auto wanted = judged_body_bytes_ < most ? most - judged_body_bytes_ : 0;
    if (upload_kind_ == http::BodyKind::chunked) wanted += room_for_framing;
    auto const room = workspace_.transfer.payload(
        std::min<std::size_t>(wanted, TransferBuffer::careful_bytes));
    auto const result = client_.try_read(room);
    if (result.status == IoStatus::done) {
      auto const bytes = room.first(result.bytes);
      std::size_t consumed = 0;
      if (!take_judged_body(bytes, consumed)) co_return;
      upload_surplus_.append(bytes.data() + consumed, bytes.size() - consumed);
      continue;
    }
    if (result.status == IoStatus::closed || result.status == IoStatus::failed) {
      refused_ = {400, result.status == IoStatus::closed ? "truncated_body" : "connection_lost"};
      co_return;
    }
    auto const what = result.status;
    auto const began = net::Loop::nanoseconds();
    read_deadline_.arm(*generation_->body);
    auto const ready = co_await net::wait_for(client_, what);
    read_deadline_.disarm();
    pace.waited += std::chrono::nanoseconds{net::Loop::nanoseconds() - began};
    if (ready != Ready::ready && connection_.is_interrupted()) {
      refused_ = {503, "shutting_down"};
    } else if (ready != Ready::ready && !read_deadline_.expired()) {
      refused_ = {400, "connection_lost"};
    } else if (ready != Ready::ready || pace.is_too_slow(upload_count_.payload)) {
      refused_ = {408, "body_timeout"};
    }
    leave_generation();
    if (refused_.status != 0) co_return;
  }
}

// The part of the body that came with the head goes out with the head.
bool Exchange::take_buffered_body() {
  auto const& body = admitted_.framing.body;
  upload_kind_ = body.kind;
  upload_count_.limit = generation_->shared->limits.body_bytes;
  if (!body.has_body()) return true;
  if (keeps_judged_body_) {
    body_to_send_ = frame_judged_body();
    return true;
  }
  request_body_ = BodyDecoder(body);
  auto const left = block_.span().first(received_).subspan(used_);
  if (left.empty()) return true;
  auto const piece = request_body_.decode(left);
  used_ += piece.consumed;
  upload_count_.payload += piece.data.size();
  if (piece.status == BodyDecoder::Status::refused) {
    refused_ = {400, request_body_.reason()};
    persistence_ = http::Persistence::close;
    return false;
  }
  if (upload_count_.payload > upload_count_.limit) {
    refused_ = {413, "body_too_large"};
    return false;
  }
  std::string_view const data(piece.data.data(), piece.data.size());
  if (body.kind == http::BodyKind::chunked) {
    http1::append_chunk(buffered_body_, data);
    if (request_body_.is_complete()) buffered_body_ += http1::last_chunk;
  } else {
    buffered_body_ += data;
  }
  body_to_send_ = buffered_body_;
  return true;
}

std::string_view Exchange::frame_judged_body() {
  buffered_body_.resize(judged_body_begin_ + judged_body_bytes_ + body_tailroom);
  std::span<char> const data(buffered_body_.data() + judged_body_begin_, judged_body_bytes_);
  return encode_in_place(upload_kind_, data,
                         request_body_.is_complete() ? Piece::last : Piece::more_to_come);
}

// An origin has answered: nobody asks for it again.
void Exchange::release_judged_body() {
  if (!keeps_judged_body_) return;
  keeps_judged_body_ = false;
  body_to_send_ = {};
  // A small one costs less where it is.
  if (buffered_body_.capacity() > net::block_bytes) std::string().swap(buffered_body_);
}

}  // namespace certgate::proxy
