// The allowed request on its way to the origin, and the response on its way back.
#include <algorithm>
#include <cstring>

#include "access.hpp"
#include "certgate/base/encoding.hpp"
#include "certgate/http/client_cert_header.hpp"
#include "certgate/http/forward.hpp"
#include "certgate/http1/writer.hpp"
#include "exchange_state.hpp"

namespace certgate::proxy {

using net::IoStatus;
using net::Ready;

namespace {

// Methods whose repetition changes nothing: RFC 9110 §9.2.2.
bool is_idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" ||
         method == "DELETE";
}

// NTLM and Negotiate (RFC 4559) authenticate a connection, not a request: whoever came next on it
// would be taken for the one who logged in.
bool binds_connection(std::string_view credentials) {
  auto const scheme = credentials.substr(0, credentials.find(' '));
  return ascii_iequal(scheme, "NTLM") || ascii_iequal(scheme, "Negotiate");
}

bool has_date(http::ResponseHead const& head) {
  return std::any_of(head.fields.begin(), head.fields.end(),
                     [](http::Field const& field) { return field.id == http::FieldName::date; });
}

bool asks_to_bind_connection(http::ResponseHead const& head) {
  if (head.status != 401) return false;
  for (auto const& field : head.fields) {
    if (!ascii_iequal(field.name, "WWW-Authenticate")) continue;
    http::ListReader list(field.value);
    while (auto const challenge = list.next()) {
      if (binds_connection(*challenge)) return true;
    }
  }
  return false;
}

}  // namespace

net::Task<void> Exchange::forward() {
  pool_ = generation_->pools[site_->origin_for(admitted_.target.path)].get();
  if (!build_upstream_head() || !take_buffered_body()) {
    auto const status = refused_.status;
    auto const failure = refused_.reason;
    co_await answer(status, failure);
    co_return;
  }

  auto const replayable = request_body_.is_complete() && is_idempotent(method_);
  upstream::Server const* avoid = nullptr;
  for (;;) {
    auto const reached = co_await reach_server(*pool_, avoid);
    if (!reached) {
      if (client_left_) {
        end_without_client();
        co_return;
      }
      auto const [status, failure] = upstream_failure();
      co_await answer(status, failure);
      co_return;
    }
    bool const was_kept = upstream_->is_reused();
    bool const may_retry =
        replayable && !fresh_only_ && (was_kept || pool_->origin().servers().size() > 1);
    server_->begin();
    auto const sent = co_await send_request();
    auto outcome = Response::failed;
    if (sent) outcome = co_await receive_response_head();
    if (outcome == Response::received) break;

    // A kept connection may have been closed by its server just as the request was sent: RFC 9112
    // §9.3.1 allows to repeat what is idempotent, on a new connection, once. Where a new one died,
    // another server has it.
    bool const interrupted = connection_.is_interrupted() || client_left_;
    bool const retry = may_retry && !response_any_bytes_ && !response_deadline_.expired() &&
                       !interrupted;
    co_await end_upload_for_an_origin_that_failed();
    bool const clients_fault = upload_result_.status == TransferStatus::source_failed ||
                               upload_result_.status == TransferStatus::source_too_slow ||
                               upload_result_.status == TransferStatus::source_too_large;
    if (!(retry && was_kept) && !clients_fault && !interrupted) {
      server_->request_failed(pool_->origin().settings().health, net::Loop::coarse_milliseconds());
    }
    if (upstream_ != nullptr) failure_detail_ = upstream_->error();
    release_upstream(false);
    if (retry) {
      fresh_only_ = true;
      if (!was_kept) avoid = server_;
      continue;
    }
    if (client_left_) {
      end_without_client();
    } else if (!response_started_) {
      auto const [status, failure] = upstream_failure();
      co_await answer(status, failure);
    } else {
      failure_ = "origin_failed";
      after_ = AfterExchange::gone;
    }
    co_return;
  }
  release_judged_body();
  server_->request_succeeded();
  origin_time_ = time_since(sent_ns_);
  co_await relay_response();
}

// The status is nginx's for a client that closed its connection before there was an answer.
void Exchange::end_without_client() {
  status_ = 499;
  failure_ = "client_closed";
  failure_detail_.clear();
  after_ = AfterExchange::gone;
}

bool Exchange::build_upstream_head() {
  auto const& shared = *generation_->shared;
  auto const& target = admitted_.target;
  http::ForwardValues values;
  values.origin_form = shared.normalised_to_origin ? target.origin_form : target.raw;
  workspace_.address_text.clear();
  connection_.peer().address.append_to(workspace_.address_text);
  values.client_ip = workspace_.address_text;
  values.host = admitted_.framing.host;
  values.request_id = {request_id_.data(), request_id_.size()};
  append_identity();
  values.identity = workspace_.identity;
  auto const& fields = *site_->request_fields;
  if (!fields.values.empty()) {
    auto const known = facts();
    if (!fields.values.render(known, workspace_.policy, workspace_.headers)) {
      refused_ = {403, "evaluation_failed"};
      return false;
    }
    values.set_values = workspace_.headers.values();
  }
  auto const credentials = http::value_of(head_.fields, http::FieldName::authorization);
  binds_connection_ = binds_connection(credentials);
  upstream_head_.clear();
  http::append_request_head(upstream_head_, head_, admitted_.framing, fields.forwarding, values);
  upstream_head_bytes_ = upstream_head_.size();
  return true;
}

void Exchange::append_identity() {
  auto& lines = workspace_.identity;
  lines.clear();
  auto const& wanted = site_->identity;
  if (!wanted.any()) return;
  auto const& verdict = judgement_->verdict;
  auto const* const chain = connection_.session().chain.get();
  if (wanted.cloudflare) {
    http::ClientCertificateText text;
    text.presented = verdict.presented;
    text.verified = verdict.verified;
    text.revoked = verdict.revoked;
    if (verdict.presented && chain != nullptr) {
      auto const& leaf = chain->leaf();
      text.subject_dn = leaf.subject_dn();
      text.issuer_dn = leaf.issuer_dn();
      text.subject_dn_rfc2253 = leaf.subject_dn_rfc2253();
      text.issuer_dn_rfc2253 = leaf.issuer_dn_rfc2253();
      text.subject_dn_legacy = leaf.subject_dn_legacy();
      text.issuer_dn_legacy = leaf.issuer_dn_legacy();
      text.serial = leaf.serial();
      text.fingerprint_sha256 = leaf.fingerprint_sha256();
      text.fingerprint_sha1 = leaf.fingerprint_sha1();
      text.not_before = leaf.not_before_text();
      text.not_after = leaf.not_after_text();
      text.ski = leaf.subject_key_id();
      if (judgement_->verification != nullptr) {
        text.issuer_serial = judgement_->verification->issuer_serial(leaf);
        text.issuer_ski = judgement_->verification->issuer_key_id(leaf);
      }
    }
    http::append_cloudflare(lines, text);
  }
  // The other fields say "this is the client": only of one that is verified and not revoked.
  if (!verdict.ok() || chain == nullptr) return;
  auto const& leaf = chain->leaf();
  if (wanted.cloudflare) {
    http::append_cloudflare_der(lines, leaf.der(), leaf.fingerprint_sha256());
  }
  if (wanted.rfc9440) {
    std::array<Bytes, 16> others;
    std::size_t count = 0;
    for (auto const& certificate : chain->others()) {
      if (count < others.size()) others[count++] = certificate->der();
    }
    http::append_client_cert(lines, leaf.der(), {others.data(), count});
  }
  if (wanted.xfcc) {
    std::array<std::string_view, 16> uris, names;
    std::size_t uri_count = 0, name_count = 0;
    for (std::size_t i = 0; i < leaf.alt_name_count(); ++i) {
      auto const name = leaf.alt_name(i);
      if (name.type == x509::SanType::uri && uri_count < uris.size()) {
        uris[uri_count++] = name.value;
      }
      if (name.type == x509::SanType::dns && name_count < names.size()) {
        names[name_count++] = name.value;
      }
    }
    http::ForwardedClientCert forwarded;
    forwarded.fingerprint_sha256 = leaf.fingerprint_sha256();
    forwarded.subject = leaf.subject_dn_rfc2253();
    forwarded.uris = {uris.data(), uri_count};
    forwarded.dns_names = {names.data(), name_count};
    http::append_forwarded_client_cert(lines, forwarded);
  }
}

net::Task<bool> Exchange::send_request() {
  auto& stream = upstream_->stream();
  connection_.upstream_socket = &stream.socket();
  upload_deadline_.watch(stream.socket());
  response_deadline_.watch(stream.socket());
  response_deadline_.clear();
  upload_deadline_.clear();
  auto const& settings = pool_->origin().settings();
  upstream_head_.resize(upstream_head_bytes_);
  // The Host that the rules judged, in the form in which they judged it, unless the origin wants
  // its own name.
  bool const own_name = !settings.preserve_host || upstream_host_.empty();
  http::append_host(upstream_head_,
                    own_name ? std::string_view(server_->settings().authority) : upstream_host_);
  // What was kept for the rules may be large: it is not copied.
  bool const joined = !keeps_judged_body_ || body_to_send_.size() <= net::block_bytes;
  if (joined) upstream_head_ += body_to_send_;

  sent_ns_ = net::Loop::nanoseconds();
  std::array<std::string_view, 2> const pieces{upstream_head_,
                                               joined ? std::string_view() : body_to_send_};
  for (auto const piece : pieces) {
    std::string_view rest;
    bool failed = false;
    if (piece.empty() || send_now(stream, piece, rest, failed)) continue;
    if (failed) co_return false;
    auto const sink = End{stream, upload_deadline_, *generation_->body};
    auto const status = co_await send_all(sink, rest);
    if (status != TransferStatus::complete) co_return false;
  }
  if (!request_body_.is_complete()) {
    // RFC 9110 §10.1.1: "A server MAY omit sending a 100 (Continue) response if it has already
    // received some or all of the content".
    if (admitted_.framing.expectation == http::Expectation::continue_100 &&
        version_ == http::Version::http_1_1 && !keeps_judged_body_ && body_to_send_.empty()) {
      auto const sink = client_writing();
      auto const interim = http1::continue_100;
      auto const status = co_await send_all(sink, interim);
      if (status != TransferStatus::complete) co_return false;
    }
    uploading_ = true;
    net::start(upload());
  } else {
    client_.socket().forget_writable();  // an earlier answer may have waited for this client
    watch_client();
  }
  co_return !upload_gave_up();
}

// The request will never be whole. Asked before every wait for the origin: upload() interrupts one
// that is going on, not one that begins later.
bool Exchange::upload_gave_up() const {
  auto const status = upload_result_.status;
  return status != TransferStatus::complete && status != TransferStatus::sink_failed;
}

// Runs beside the wait for the response: an origin may answer before it has read everything.
net::Task<void> Exchange::upload() {
  auto& stream = upstream_->stream();
  BodyPace pace{generation_->shared->limits.body_rate, generation_->shared->timeouts.body};
  auto source = client_reading();
  source.pace = &pace;
  auto const sink = End{stream, upload_deadline_, *generation_->body};
  upload_result_ = co_await transfer_body(workspace_.transfer, source, request_body_, sink,
                                          upload_kind_, upload_count_, upload_surplus_);
  uploading_ = false;
  if (!upload_gave_up()) {
    watch_client();
    // An origin that takes no more of the body may still answer.
    if (!response_any_bytes_) response_deadline_.arm(*generation_->origin_response);
  } else if (!response_started_) {
    // Somebody's fault or slowness: the origin would wait for the rest in vain.
    stream.socket().cancel();
  }
  upload_done_.set();
}

net::Task<void> Exchange::finish_upload() {
  if (!uploading_) co_return;
  client_.socket().cancel();
  upstream_->stream().socket().cancel();
  co_await upload_done_;
}

// An upload that is still under way has nothing to do with it: that it is broken off now, perhaps
// within a wait for the client, is not the client's fault.
net::Task<void> Exchange::end_upload_for_an_origin_that_failed() {
  bool const was_under_way = uploading_;
  co_await finish_upload();
  if (was_under_way && upload_result_.status == TransferStatus::source_failed) upload_result_ = {};
}

net::Task<Exchange::Response> Exchange::receive_response_head() {
  auto& stream = upstream_->stream();
  auto const& limits = generation_->shared->limits;
  response_bytes_ = 0;
  response_reader_ = http1::ResponseReader(
      generation_->scratch->response_slots,
      http1::HeadLimits{limits.header_bytes, limits.header_bytes});
  if (!uploading_) response_deadline_.arm(*generation_->origin_response);

  // After a request the answer takes a while: waiting first saves a read that would find nothing.
  bool wait_first = !stream.has_buffered();
  for (;;) {
    // A deadline that passes while a piece of the head is on its way cancels no wait.
    bool const too_late = response_deadline_.expired();
    if (upload_gave_up() || client_left_ || too_late) co_return Response::failed;
    if (wait_first) {
      auto const ready = co_await stream.socket().readable();
      if (ready == Ready::cancelled) co_return Response::failed;
    }
    wait_first = true;
    // Not before there is something to read: slow origins would hold a block for every request.
    if (!response_block_) response_block_ = workspace_.response_blocks.take();
    auto const room = response_block_.span().subspan(response_bytes_);
    auto const result = stream.try_read(room);
    if (result.status == IoStatus::want_read) continue;
    if (result.status == IoStatus::want_write) {
      auto const ready = co_await stream.socket().writable();
      if (ready == Ready::cancelled) co_return Response::failed;
      wait_first = false;
      continue;
    }
    if (result.status != IoStatus::done) co_return Response::failed;
    response_bytes_ += result.bytes;
    response_any_bytes_ = true;
    auto fed = response_reader_.feed({response_block_.data(), response_bytes_});
    while (fed == http1::Feed::complete && http::is_interim(response_reader_.head().status)) {
      // 100 was answered by certgate itself; the others (103) are for the client.
      auto const used = response_reader_.consumed();
      if (response_reader_.head().status != 100 && version_ == http::Version::http_1_1) {
        out_.clear();
        http1::append_interim_response(out_, response_reader_.head());
        auto const view = std::string_view(out_);
        auto const sink = client_writing();
        auto const sent = co_await send_all(sink, view);
        if (sent != TransferStatus::complete) co_return Response::failed;
        bytes_out_ += out_.size();
      }
      response_bytes_ -= used;
      std::memmove(response_block_.data(), response_block_.data() + used, response_bytes_);
      response_reader_ = http1::ResponseReader(
          generation_->scratch->response_slots,
          http1::HeadLimits{limits.header_bytes, limits.header_bytes});
      fed = response_bytes_ == 0
                ? http1::Feed::need_more
                : response_reader_.feed({response_block_.data(), response_bytes_});
    }
    if (fed == http1::Feed::complete) {
      response_deadline_.disarm();
      co_return Response::received;
    }
    bool const full = fed == http1::Feed::need_more && response_bytes_ == response_block_.size();
    if (fed == http1::Feed::refused || (full && response_bytes_ >= limits.header_bytes)) {
      refused_ = {502, fed == http1::Feed::refused ? response_reader_.refusal().reason
                                                   : "origin_header_too_large"};
      co_return Response::failed;
    }
    if (full) {
      auto larger =
          workspace_.response_blocks.take(std::min(2 * response_bytes_, limits.header_bytes + 1));
      std::memcpy(larger.data(), response_block_.data(), response_bytes_);
      response_block_ = std::move(larger);
    }
    wait_first = !stream.has_buffered();
  }
}

// Many origins send head and body with two system calls. What has come of the body meanwhile saves
// the client's connection a send of its own; what has not is not waited for.
void Exchange::read_on_behind_head() {
  if (response_bytes_ != response_reader_.consumed()) return;
  auto const room = response_block_.span().subspan(response_bytes_);
  if (room.empty()) return;
  auto const result = upstream_->stream().try_read(room);
  // An end or an error is met again by whoever reads next.
  if (result.status == IoStatus::done) response_bytes_ += result.bytes;
}

// The head in out_ and a part of the body that lies in the block, as one piece. The head goes where
// the origin's was, if it fits there: then nothing of the body is copied. Views of the origin's head
// are void after that.
std::string_view Exchange::join_head_and_body(std::string_view body) {
  if (body.empty()) return out_;
  auto const room = static_cast<std::size_t>(body.data() - response_block_.data());
  if (out_.size() > room) {
    out_ += body;
    return out_;
  }
  auto* const begin = response_block_.data() + (room - out_.size());
  std::memcpy(begin, out_.data(), out_.size());
  return {begin, out_.size() + body.size()};
}

net::Task<void> Exchange::relay_response() {
  auto const& head = response_reader_.head();
  auto const upgrade = admitted_.framing.upgrade;
  auto const framed = http::frame_response(head, method_, upgrade);
  if (!framed) {
    auto const failure = framed.error().reason;
    co_await finish_upload();
    release_upstream(false);
    co_await answer(502, failure);
    co_return;
  }
  status_ = head.status;
  binds_connection_ = binds_connection_ || asks_to_bind_connection(head);
  bool const upgraded = head.status == 101;

  http::ResponseValues values;
  values.client_version = version_;
  values.announced_length = framed->announced_length;
  // An origin that answers early and ends its connection will not take the rest of the body, and
  // when the answer is whole nobody waits for it, so the client's connection cannot go on either.
  auto const& body = framed->body;
  bool const is_whole = !body.has_body() || (body.kind == http::BodyKind::length &&
                                             body.length <= response_bytes_ - response_reader_.consumed());
  bool const cut_short =
      uploading_ && !upgraded && (is_whole || framed->persistence == http::Persistence::close);
  if (workspace_.draining || cut_short) persistence_ = http::Persistence::close;
  values.body = http::client_framing(*framed, version_, persistence_);
  values.persistence = persistence_;
  values.upgrade = upgraded ? upgrade : http::Upgrade::none;
  // RFC 9110 §6.6.1: whoever forwards a response without Date says when it was received.
  if (!upgraded && !has_date(head)) values.extra = workspace_.date_line();
  out_.clear();
  http::append_response_head(out_, head, values);

  // The part of the body that came with the head, or for a tunnel the first bytes of the new
  // protocol, go out with the head.
  if (framed->body.has_body()) read_on_behind_head();
  auto const rest = response_block_.span().first(response_bytes_).subspan(
      response_reader_.consumed());
  BodyDecoder decoder(framed->body);
  std::size_t surplus = 0;
  std::string_view body_in_place;
  if (upgraded) {
    out_.append(rest.data(), rest.size());
  } else if (!rest.empty() || !framed->body.has_body()) {
    auto const piece = decoder.decode(rest);
    if (piece.status == BodyDecoder::Status::refused) {
      auto const failure = decoder.reason();
      co_await finish_upload();
      release_upstream(false);
      co_await answer(502, failure);
      co_return;
    }
    surplus = rest.size() - piece.consumed;
    download_count_.payload += piece.data.size();
    std::string_view const data(piece.data.data(), piece.data.size());
    if (values.body.kind == http::BodyKind::chunked) {
      http1::append_chunk(out_, data);
      if (decoder.is_complete() && framed->body.has_body()) out_ += http1::last_chunk;
    } else {
      body_in_place = data;
    }
  }

  response_started_ = true;
  std::string_view unsent;
  bool failed = false;
  auto const all = join_head_and_body(body_in_place);
  expect_access_record(connection_);
  if (!send_now(client_, all, unsent, failed) && !failed) {
    auto const sink = client_writing();
    auto const sent = co_await send_all(sink, unsent);
    failed = sent != TransferStatus::complete;
    if (failed) failure_ = sent == TransferStatus::sink_too_slow ? "client_too_slow" : "client_closed";
  }
  bytes_out_ += all.size();
  if (failed) {
    if (failure_.empty()) failure_ = "client_closed";
    co_await finish_upload();
    release_upstream(false);
    after_ = AfterExchange::gone;
    co_return;
  }
  if (upgraded) {
    client_.socket().observe_readable(nullptr);
    co_await tunnel();
    co_return;
  }

  if (!decoder.is_complete()) {
    auto const source =
        End{upstream_->stream(), response_deadline_, *generation_->origin_response};
    auto const sink = client_writing();
    auto const kind = values.body.kind;
    std::string extra;
    auto const result = co_await transfer_body(workspace_.transfer, source, decoder, sink, kind,
                                               download_count_, extra);
    bytes_out_ += download_count_.written;
    surplus += extra.size();
    if (result.status != TransferStatus::complete) {
      switch (result.status) {
        case TransferStatus::sink_failed: failure_ = "client_closed"; break;
        case TransferStatus::sink_too_slow: failure_ = "client_too_slow"; break;
        case TransferStatus::source_too_slow: failure_ = "origin_timeout"; break;
        default: failure_ = result.reason.empty() ? "origin_failed" : result.reason; break;
      }
      if (connection_.is_interrupted()) failure_ = "shutting_down";
      if (client_left_) failure_ = "client_closed";
      co_await finish_upload();
      release_upstream(false);
      // The client must not take what it got for the whole: no orderly end.
      client_.socket().reset();
      after_ = AfterExchange::gone;
      co_return;
    }
  }

  // RFC 9112 §9.3: the connection to the origin is of use only when both messages are over.
  bool const request_sent = !uploading_ && request_body_.is_complete() &&
                            upload_result_.status == TransferStatus::complete;
  co_await finish_upload();
  release_upstream(request_sent && surplus == 0 && !binds_connection_ &&
                   framed->persistence == http::Persistence::keep_alive);
  if (!request_sent) {
    after_ = AfterExchange::linger;
  } else {
    after_ = persistence_ == http::Persistence::keep_alive ? AfterExchange::keep_alive
                                                           : AfterExchange::close;
  }
  if (client_left_) after_ = AfterExchange::gone;
}

void Exchange::release_upstream(bool reusable) {
  if (upstream_ == nullptr) return;
  server_->end();
  connection_.upstream_socket = nullptr;
  upload_deadline_.disarm();
  response_deadline_.disarm();
  upload_deadline_.watch(client_.socket());
  response_deadline_.watch(client_.socket());
  if (reusable) {
    pool_->put_back(std::move(upstream_));
  } else {
    upstream_ = nullptr;
  }
}

}  // namespace certgate::proxy
