#include "documented_scheme.hpp"

#include <string_view>

namespace certgate::rules::test {

namespace {

// name:type, the types written as B(ool), I(nt), S(tring), P (address), A<..>, M<..>.
constexpr std::string_view fields = R"(
cf.tls_client_auth.cert_presented:B cf.tls_client_auth.cert_verified:B
cf.tls_client_auth.cert_revoked:B cf.tls_client_auth.cert_subject_dn:S
cf.tls_client_auth.cert_issuer_dn:S cf.tls_client_auth.cert_subject_dn_rfc2253:S
cf.tls_client_auth.cert_issuer_dn_rfc2253:S cf.tls_client_auth.cert_subject_dn_legacy:S
cf.tls_client_auth.cert_issuer_dn_legacy:S cf.tls_client_auth.cert_serial:S
cf.tls_client_auth.cert_issuer_serial:S cf.tls_client_auth.cert_fingerprint_sha256:S
cf.tls_client_auth.cert_fingerprint_sha1:S cf.tls_client_auth.cert_not_before:S
cf.tls_client_auth.cert_not_after:S cf.tls_client_auth.cert_ski:S
cf.tls_client_auth.cert_issuer_ski:S cf.tls_client_auth.cert_rfc9440:S
cf.tls_client_auth.cert_rfc9440_too_large:B cf.tls_client_auth.cert_chain_rfc9440:S
cf.tls_client_auth.cert_chain_rfc9440_too_large:B
ssl:B cf.tls_version:S cf.tls_cipher:S cf.tls_client_hello_length:I cf.tls_client_random:S
cf.tls_client_extensions_sha1:S cf.tls_client_extensions_sha1_le:S cf.tls_ciphers_sha1:S
ip.src:P cf.edge.server_ip:P cf.edge.server_port:I cf.edge.client_tcp:B cf.edge.l4.delivery_rate:I
cf.timings.client_tcp_rtt_msec:I cf.timings.client_quic_rtt_msec:I cf.timings.edge_msec:I
cf.timings.origin_ttfb_msec:I cf.timings.worker_msec:I cf.ray_id:S cf.random_seed:S
http.host:S http.request.method:S http.request.version:S http.request.full_uri:S
http.request.uri:S http.request.uri.path:S http.request.uri.path.extension:S
http.request.uri.query:S http.request.uri.args:M<A<S>> http.request.uri.args.names:A<S>
http.request.uri.args.values:A<S>
raw.http.request.full_uri:S raw.http.request.uri:S raw.http.request.uri.path:S
raw.http.request.uri.path.extension:S raw.http.request.uri.query:S
raw.http.request.uri.args:M<A<S>> raw.http.request.uri.args.names:A<S>
raw.http.request.uri.args.values:A<S>
http.request.timestamp.sec:I http.request.timestamp.msec:I
http.request.headers:M<A<S>> http.request.headers.names:A<S> http.request.headers.values:A<S>
http.request.headers.truncated:B http.cookie:S http.request.cookies:M<A<S>> http.user_agent:S
http.referer:S http.x_forwarded_for:S http.request.accepted_languages:A<S>
http.request.body.raw:S http.request.body.size:I http.request.body.truncated:B
http.request.body.mime:S http.request.body.form:M<A<S>> http.request.body.form.names:A<S>
http.request.body.form.values:A<S> http.request.body.multipart:M<A<S>>
http.request.body.multipart.names:A<A<S>> http.request.body.multipart.values:A<S>
http.request.body.multipart.content_types:A<A<S>>
http.request.body.multipart.content_dispositions:A<A<S>>
http.request.body.multipart.content_transfer_encodings:A<A<S>>
http.request.body.multipart.filenames:A<A<S>>
http.request.jwt.claims.aud:M<A<S>> http.request.jwt.claims.aud.names:A<S>
http.request.jwt.claims.aud.values:A<S> http.request.jwt.claims.iat.sec:M<A<I>>
http.request.jwt.claims.iat.sec.names:A<S> http.request.jwt.claims.iat.sec.values:A<I>
http.request.jwt.claims.iss:M<A<S>> http.request.jwt.claims.iss.names:A<S>
http.request.jwt.claims.iss.values:A<S> http.request.jwt.claims.jti:M<A<S>>
http.request.jwt.claims.jti.names:A<S> http.request.jwt.claims.jti.values:A<S>
http.request.jwt.claims.nbf.sec:M<A<I>> http.request.jwt.claims.nbf.sec.names:A<S>
http.request.jwt.claims.nbf.sec.values:A<I> http.request.jwt.claims.sub:M<A<S>>
http.request.jwt.claims.sub.names:A<S> http.request.jwt.claims.sub.values:A<S>
ip.src.country:S ip.src.continent:S ip.src.city:S ip.src.region:S ip.src.region_code:S
ip.src.postal_code:S ip.src.metro_code:S ip.src.lat:S ip.src.lon:S ip.src.timezone.name:S
ip.src.subdivision_1_iso_code:S ip.src.subdivision_2_iso_code:S ip.src.asnum:I
ip.src.is_in_european_union:B ip.geoip.country:S ip.geoip.continent:S ip.geoip.asnum:I
ip.geoip.subdivision_1_iso_code:S ip.geoip.subdivision_2_iso_code:S
ip.geoip.is_in_european_union:B
cf.threat_score:I cf.client.bot:B cf.bot_management.verified_bot:B
cf.bot_management.static_resource:B cf.bot_management.corporate_proxy:B
cf.bot_management.signed_agent:B cf.bot_management.js_detection.passed:B
cf.bot_management.score:I cf.bot_management.ja3_hash:S cf.bot_management.ja4:S
cf.bot_management.detection_ids:A<I> cf.verified_bot_category:S cf.worker.upstream_zone:S
cf.hostname.metadata:S cf.zone.name:S cf.zone.plan:S cf.metal.id:S
cf.waf.score:I cf.waf.score.sqli:I cf.waf.score.xss:I cf.waf.score.rce:I cf.waf.score.class:S
cf.waf.content_scan.has_obj:B cf.waf.content_scan.has_malicious_obj:B
cf.waf.content_scan.num_malicious_obj:I cf.waf.content_scan.has_failed:B
cf.waf.content_scan.num_obj:I cf.waf.content_scan.obj_sizes:A<I>
cf.waf.content_scan.obj_types:A<S> cf.waf.content_scan.obj_results:A<S>
cf.waf.credential_check.password_leaked:B cf.waf.credential_check.username_leaked:B
cf.waf.credential_check.username_and_password_leaked:B
cf.waf.credential_check.username_password_similar:B
cf.waf.auth_detected:B
cf.llm.prompt.detected:B cf.llm.prompt.pii_detected:B cf.llm.prompt.pii_categories:A<S>
cf.llm.prompt.injection_score:I cf.llm.prompt.unsafe_topic_detected:B
cf.llm.prompt.unsafe_topic_categories:A<S> cf.llm.prompt.token_count:I
cf.llm.prompt.custom_topic_categories:M<I>
cf.api_gateway.auth_id_present:B cf.api_gateway.fallthrough_detected:B
cf.api_gateway.request_violates_schema:B cf.api_gateway.graphql.parsed_successfully:B
cf.api_gateway.graphql.query_size:I cf.api_gateway.graphql.query_depth:I
cf.sequence.current_op:S cf.sequence.previous_ops:A<S> cf.sequence.msec_since_op:M<I>
http.response.code:I http.response.headers:M<A<S>> http.response.headers.names:A<S>
http.response.headers.values:A<S> http.response.headers.truncated:B
http.response.content_type.media_type:S cf.response.1xxx_code:I cf.response.error_type:S
raw.http.response.headers:M<A<S>> raw.http.response.headers.names:A<S>
raw.http.response.headers.values:A<S>
cf.schema_validation.learned.violated:B cf.schema_validation.uploaded.violated:B
http.response.1xxx_code:I cf.colo.name:S cf.colo.region:S ip:S tcp:S udp:S icmp:S ip.dst.asnum:I
ip.dst:P ip.dst.country:S ip.proto:S ip.proto.num:I ip.len:I ip.ttl:I ip.hdr_len:I
ip.opt.type:I tcp.srcport:I tcp.dstport:I tcp.flags:I tcp.flags.ack:B tcp.flags.cwr:B
tcp.flags.ecn:B tcp.flags.fin:B tcp.flags.push:B tcp.flags.reset:B tcp.flags.syn:B
tcp.flags.urg:B udp.srcport:I udp.dstport:I icmp.type:I icmp.code:I sip:B
)";

Type parse_type(std::string_view text) {
  switch (text[0]) {
    case 'B':
      return bool_type;
    case 'I':
      return int_type;
    case 'S':
      return bytes_type;
    case 'P':
      return ip_type;
    case 'A':
      return Type::array_of(parse_type(text.substr(2)));
    default:
      return Type::map_of(parse_type(text.substr(2)));
  }
}

}  // namespace

Scheme documented_scheme() {
  Scheme scheme;
  add_standard_functions(scheme);
  for (std::size_t at = 0; (at = fields.find_first_not_of(" \n", at)) != std::string_view::npos;) {
    auto const end = fields.find_first_of(" \n", at);
    auto const entry = fields.substr(at, end - at);
    auto const colon = entry.find(':');
    auto const name = entry.substr(0, colon);
    FieldOptions options;
    if (name == "http.host") options.letters = Letters::folded;
    if (name == "http.request.headers") options.key_letters = Letters::lower;
    options.hexadecimal = name.ends_with("_serial") || name.ends_with("_sha256");
    if (options.hexadecimal) {
      options.letters = name.ends_with("_serial") ? Letters::upper : Letters::lower;
    }
    scheme.add_field(std::string(name), parse_type(entry.substr(colon + 1)), options);
    at = end;
  }
  return scheme;
}

}  // namespace certgate::rules::test
