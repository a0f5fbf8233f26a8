#include "access.hpp"

#include <array>

#include "exchange_state.hpp"

namespace certgate::proxy {
namespace {

using telemetry::CertificateVerdict;

// OpenSSL's X509_V_ERR_* (x509_vfy.h), the ones that have a class of their own.
CertificateVerdict class_of(int error) {
  switch (error) {
    case 9: return CertificateVerdict::not_yet_valid;
    case 10: return CertificateVerdict::expired;
    case 2:   // unable to get issuer certificate
    case 18:  // self-signed certificate
    case 19:  // self-signed certificate in chain
    case 20:  // unable to get local issuer certificate
    case 21:  // unable to verify the first certificate
    case 27:  // certificate not trusted
      return CertificateVerdict::untrusted;
    case 26: return CertificateVerdict::wrong_purpose;
    default: return CertificateVerdict::invalid;
  }
}

CertificateVerdict verdict_of(x509::ClientAuthMode mode, Judgement const& judged) {
  if (mode == x509::ClientAuthMode::off) return CertificateVerdict::not_asked;
  auto const& verdict = judged.verdict;
  if (!verdict.presented) return CertificateVerdict::none;
  if (verdict.revoked) return CertificateVerdict::revoked;
  if (verdict.verified) return CertificateVerdict::verified;
  if (judged.verification != nullptr && !judged.verification->verified) {
    return class_of(judged.verification->error);
  }
  return CertificateVerdict::crl_unusable;
}

// Of a certificate whose handshake failed; `verification` is null when it was not looked at.
CertificateVerdict verdict_of(tls::HandshakeFault fault, x509::Verification const* verification) {
  if (fault == tls::HandshakeFault::certificate_revoked) return CertificateVerdict::revoked;
  if (verification == nullptr) return CertificateVerdict::invalid;
  if (!verification->verified) return class_of(verification->error);
  return fault == tls::HandshakeFault::certificate_rejected ? CertificateVerdict::crl_unusable
                                                            : CertificateVerdict::verified;
}

void describe(telemetry::CertificateRecord& record, x509::ClientChain const& chain) {
  auto const& leaf = chain.leaf();
  record.presented = true;
  record.subject = leaf.subject_dn();
  record.issuer = leaf.issuer_dn();
  record.serial = leaf.serial();
  record.fingerprint = leaf.fingerprint_sha256();
}

std::string_view without_prefix(std::string_view reason) {
  constexpr std::string_view prefix = "FAILED:";
  if (reason.substr(0, prefix.size()) == prefix) reason.remove_prefix(prefix.size());
  return reason;
}

void describe(telemetry::CertificateRecord& record, Site const& site, Judgement const& judged,
              tls::Session const& session) {
  record.verdict = verdict_of(site.tls->client().mode, judged);
  if (!judged.verdict.presented || session.chain == nullptr) return;
  describe(record, *session.chain);
  if (!judged.verdict.detail.empty()) {
    record.reason = judged.verdict.detail;
  } else if (!judged.verdict.ok()) {
    record.reason = without_prefix(judged.verdict.reason);
  }
}

std::string_view address_of(IpEndpoint const& peer, std::string& text) {
  text.clear();
  peer.address.append_to(text);
  return text;
}

}  // namespace

void expect_access_record(Connection& connection) {
  auto const* const log = connection.workspace().options.access_log;
  if (log != nullptr) log->expect(connection.number());
}

void write_access_record(Exchange const& exchange) {
  auto& connection = exchange.connection_;
  auto& workspace = exchange.workspace_;
  auto const& session = connection.session();
  auto const& generation = *workspace.current->shared;

  telemetry::AccessRecord record;
  record.time = exchange.began_;
  record.request_id = {exchange.request_id_.data(), exchange.request_id_.size()};
  // Many connections end with their first request.
  if (connection.exchanges != 0) record.connection = connection.number();
  record.client_address = address_of(connection.peer(), workspace.address_text);
  record.client_port = connection.peer().port;
  record.listener = connection.listener().name;
  record.sni = session.server_name;
  record.host = exchange.host_;
  record.method = exchange.method_;
  record.path = exchange.path_;
  record.query = exchange.query_;
  if (exchange.has_head_) record.protocol = http::format_version(exchange.version_);
  record.user_agent = exchange.user_agent_;
  record.status = static_cast<unsigned>(exchange.status_);
  record.bytes_in = exchange.head_bytes_ + exchange.upload_count_.payload;
  record.bytes_out = exchange.bytes_out_;
  if (connection.exchanges == 0) record.handshake = session.handshake;
  record.origin_connect = exchange.connect_time_;
  record.origin_time = exchange.origin_time_;
  record.total =
      std::chrono::microseconds((net::Loop::nanoseconds() - exchange.began_ns_) / 1000);
  record.tls_version = session.version;
  record.tls_cipher = session.cipher;
  record.tls_resumed = session.resumed;

  auto const* site = exchange.site_;
  auto const* judged = exchange.judgement_;
  if (site == nullptr || judged == nullptr) {
    // Refused before any host was asked: the verdict is that of the host named in the handshake.
    site = generation.find_site(session.server_name);
    if (site != nullptr) judged = &connection.judge(*workspace.current, *site, workspace.now());
  }
  if (site != nullptr && judged != nullptr) describe(record.certificate, *site, *judged, session);

  auto rule = telemetry::TrafficMetrics::no_rule;
  std::array<std::string_view, policy::max_logged_rules> logged;
  if (exchange.decided_) {
    auto const& decision = exchange.decision_;
    auto const& live = exchange.generation_->shared->policy->live();
    record.action = decision.action == policy::Action::allow ? telemetry::RequestAction::allowed
                                                             : telemetry::RequestAction::blocked;
    record.rule = decision.rule_name;
    if (decision.by == policy::DecidedBy::rule) rule = decision.rule;
    std::size_t count = 0;
    auto const& metrics = *exchange.generation_->shared->metrics;
    for (auto const index : decision.logged()) {
      logged[count++] = live.rule(index).name;
      metrics.count_logging_rule(*workspace.options.metrics, index);
    }
    record.logging_rules = {logged.data(), count};
    if (decision.shadow.evaluated && decision.shadow.differs) {
      auto& text = workspace.shadow_text;
      text.assign(policy::name_of(decision.shadow.action));
      if (!decision.shadow.rule_name.empty()) {
        text.append(" by ").append(decision.shadow.rule_name);
      }
      record.shadow = text;
    }
  }
  if (exchange.pool_ != nullptr) record.origin = exchange.pool_->origin().settings().name;
  if (exchange.server_ != nullptr) record.origin_server = exchange.server_->settings().label;
  record.origin_attempts = exchange.attempts_;
  record.failure = exchange.failure_;
  if (!record.failure.empty()) record.failure_detail = exchange.failure_detail_;

  auto const& counted_by = exchange.generation_ == workspace.current
                               ? generation
                               : *exchange.generation_->shared;
  counted_by.metrics->count(*workspace.options.metrics, record, rule);
  if (workspace.options.access_log != nullptr) workspace.options.access_log->write(record);
}

void write_handshake_record(Connection& connection, tls::HandshakeFailure const& failure) {
  auto& workspace = connection.workspace();
  telemetry::HandshakeRecord record;
  record.time = workspace.options.tls.clock->now();
  record.client_address = address_of(connection.peer(), workspace.address_text);
  record.client_port = connection.peer().port;
  record.listener = connection.listener().name;
  record.sni = failure.server_name;
  record.handshake = failure.duration;
  record.tls_version = failure.version;
  if (failure.chain != nullptr) {
    describe(record.certificate, *failure.chain);
    record.certificate.verdict =
        verdict_of(failure.fault, connection.session().verification.get());
    record.certificate.reason = without_prefix(failure.verify_reason);
  } else if (failure.fault == tls::HandshakeFault::no_certificate) {
    record.certificate.verdict = CertificateVerdict::none;
  }
  record.reason = failure.detail;
  if (failure.alert_sent >= 0) record.alert = tls::alert_name(failure.alert_sent);
  if (failure.alert_received >= 0) record.alert = tls::alert_name(failure.alert_received);
  record.failure = tls::name_of(failure.fault);
  workspace.current->shared->metrics->count(*workspace.options.metrics, record);
  if (workspace.options.access_log != nullptr) workspace.options.access_log->write(record);
}

void record_handshake(Connection& connection) {
  auto& workspace = connection.workspace();
  auto const& session = connection.session();
  auto const& generation = workspace.current;
  auto const* const site = generation->shared->find_site(session.server_name);
  auto verdict = CertificateVerdict::not_asked;
  if (site != nullptr) {
    auto const& judged = connection.judge(*generation, *site, workspace.now());
    verdict = verdict_of(site->tls->client().mode, judged);
  }
  generation->shared->metrics->count_handshake(
      *workspace.options.metrics,
      session.resumed ? telemetry::HandshakeResult::resumed : telemetry::HandshakeResult::full,
      verdict, session.handshake);
}

}  // namespace certgate::proxy
