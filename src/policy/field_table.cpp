// The rows of the field table. What a column means is said in policy/fields.hpp.
#include <array>

#include "certgate/policy/fields.hpp"

namespace certgate::policy {
namespace {

using rules::bool_type;
using rules::bytes_type;
using rules::int_type;
using rules::ip_type;
using rules::Letters;
using rules::Type;

constexpr Type strings = Type::array_of(bytes_type);
constexpr Type integers = Type::array_of(int_type);
constexpr Type string_arrays = Type::array_of(strings);
constexpr Type string_lists = Type::map_of(strings);
constexpr Type integer_lists = Type::map_of(integers);
constexpr Type integer_map = Type::map_of(int_type);

constexpr FieldRow answered(std::string_view name, Type type, std::string_view doc,
                            std::string_view example, Letters letters = Letters::any) {
  return {name, type, Availability::answered, letters, false, doc, example};
}
constexpr FieldRow hexadecimal(std::string_view name, Letters letters, std::string_view doc,
                               std::string_view example) {
  return {name, bytes_type, Availability::answered, letters, true, doc, example};
}
constexpr FieldRow fixed(std::string_view name, Type type, std::string_view doc,
                         std::string_view example) {
  return {name, type, Availability::fixed, Letters::any, false, doc, example};
}
constexpr FieldRow refused(std::string_view name, Type type, std::string_view why,
                           std::string_view hint = {}) {
  return {name, type, Availability::refused, Letters::any, false, why, hint};
}

constexpr std::string_view no_geoip = "There is no GeoIP database";
constexpr std::string_view no_bots = "No bot detection takes place";

constexpr std::string_view bot_score =
    "Cloudflare's bot score cannot be computed by a standalone proxy, and a made-up "
    "one would let bots in or keep people out";
constexpr std::string_view bot_fingerprint =
    "client fingerprints are only known inside Cloudflare's network";
constexpr std::string_view waf =
    "attack scores come from Cloudflare's WAF, which certgate does not have";
constexpr std::string_view scanning = "certgate does not scan bodies";
constexpr std::string_view credentials = "leaked credentials are only known to Cloudflare";
constexpr std::string_view llm = "certgate does not look for prompts in bodies";
constexpr std::string_view api_shield =
    "it belongs to Cloudflare's API Shield, which certgate does not have";
constexpr std::string_view jwt =
    "tokens are validated by Cloudflare's API Shield, which certgate does not have";
constexpr std::string_view response = "rules decide on the request, and there is no response yet";
constexpr std::string_view packet =
    "it belongs to packets (Magic Firewall), and certgate decides HTTP requests";
constexpr std::string_view network =
    "it names a machine or a place of Cloudflare's network, and certgate runs on yours";
constexpr std::string_view use_client_ip = "the client's address is ip.src";
constexpr std::string_view use_certificate =
    "identify clients by cf.tls_client_auth.cert_fingerprint_sha256 instead";
constexpr std::string_view use_server_ip = "the local address is cf.edge.server_ip";
constexpr std::string_view use_server_port = "the local port is cf.edge.server_port";

constexpr auto table = std::to_array<FieldRow>({
    // The client's certificate.
    answered("cf.tls_client_auth.cert_presented", bool_type,
             "The client sent a certificate, valid or not",
             "not cf.tls_client_auth.cert_presented"),
    answered("cf.tls_client_auth.cert_verified", bool_type,
             "The certificate leads to a CA of this host and is valid now; stays true when it is "
             "revoked",
             "not cf.tls_client_auth.cert_verified"),
    answered("cf.tls_client_auth.cert_revoked", bool_type,
             "A certificate revocation list or the operator's deny list names it",
             "cf.tls_client_auth.cert_revoked"),
    answered("cf.tls_client_auth.cert_subject_dn", bytes_type,
             "Subject, RFC 4514: most specific part first, joined by commas",
             "cf.tls_client_auth.cert_subject_dn eq \"CN=sensor-7,O=Acme\""),
    answered("cf.tls_client_auth.cert_issuer_dn", bytes_type, "Issuer, written as the subject is",
             "cf.tls_client_auth.cert_issuer_dn eq \"CN=Devices CA,O=Acme\""),
    answered("cf.tls_client_auth.cert_subject_dn_rfc2253", bytes_type,
             "Subject with bytes above 0x7F escaped as \\XX",
             "cf.tls_client_auth.cert_subject_dn_rfc2253 eq \"CN=sensor-7,O=Acme\""),
    answered("cf.tls_client_auth.cert_issuer_dn_rfc2253", bytes_type,
             "Issuer with bytes above 0x7F escaped as \\XX",
             "cf.tls_client_auth.cert_issuer_dn_rfc2253 eq \"CN=Devices CA,O=Acme\""),
    answered("cf.tls_client_auth.cert_subject_dn_legacy", bytes_type,
             "Subject in the one-line form of OpenSSL, in the order of the certificate",
             "cf.tls_client_auth.cert_subject_dn_legacy eq \"/O=Acme/CN=sensor-7\""),
    answered("cf.tls_client_auth.cert_issuer_dn_legacy", bytes_type,
             "Issuer in the one-line form of OpenSSL",
             "cf.tls_client_auth.cert_issuer_dn_legacy eq \"/O=Acme/CN=Devices CA\""),
    hexadecimal("cf.tls_client_auth.cert_serial", Letters::upper,
                "Serial number, upper-case hexadecimal, no separators",
                "cf.tls_client_auth.cert_serial in {\"0A\" \"527E0F20A20EA2A4\"}"),
    hexadecimal("cf.tls_client_auth.cert_issuer_serial", Letters::upper,
                "Serial number of the certificate of the direct issuer",
                "cf.tls_client_auth.cert_issuer_serial eq \"2688201DBA77402E\""),
    hexadecimal("cf.tls_client_auth.cert_fingerprint_sha256", Letters::lower,
                "SHA-256 of the DER certificate, lower-case hexadecimal",
                "cf.tls_client_auth.cert_fingerprint_sha256 eq "
                "\"af363dc85bc942a892d3cee9796190fdb36d89cd588a4f1cb17c74a943439714\""),
    hexadecimal(
        "cf.tls_client_auth.cert_fingerprint_sha1", Letters::lower,
        "SHA-1 of the DER certificate, lower-case hexadecimal",
        "cf.tls_client_auth.cert_fingerprint_sha1 eq \"933ad5282c560ae3f482a43ecd73bc9de878a190\""),
    answered(
        "cf.tls_client_auth.cert_not_before", bytes_type,
        "First moment of validity, `Mar 21 13:35:00 2022 GMT`; days below 10 have a space in front",
        "ends_with(cf.tls_client_auth.cert_not_before, \"2022 GMT\")"),
    answered("cf.tls_client_auth.cert_not_after", bytes_type,
             "Last moment of validity, written alike",
             "ends_with(cf.tls_client_auth.cert_not_after, \"2032 GMT\")"),
    hexadecimal("cf.tls_client_auth.cert_ski", Letters::upper,
                "Subject key identifier, upper-case hexadecimal",
                "cf.tls_client_auth.cert_ski eq \"27846FAE6EAC4A8D\""),
    hexadecimal("cf.tls_client_auth.cert_issuer_ski", Letters::upper,
                "Subject key identifier of the direct issuer: pins the CA",
                "cf.tls_client_auth.cert_issuer_ski eq \"8204924CF49D471E\""),
    answered("cf.tls_client_auth.cert_rfc9440", bytes_type,
             "The certificate as the header Client-Cert of RFC 9440 carries it; empty above 10 KiB",
             "cf.tls_client_auth.cert_rfc9440 ne \"\""),
    answered("cf.tls_client_auth.cert_rfc9440_too_large", bool_type,
             "The certificate is larger than that", "cf.tls_client_auth.cert_rfc9440_too_large"),
    answered(
        "cf.tls_client_auth.cert_chain_rfc9440", bytes_type,
        "The other certificates as sent, as Client-Cert-Chain carries them; empty above 16 KiB",
        "cf.tls_client_auth.cert_chain_rfc9440 ne \"\""),
    answered("cf.tls_client_auth.cert_chain_rfc9440_too_large", bool_type,
             "The chain is larger than that", "cf.tls_client_auth.cert_chain_rfc9440_too_large"),
    // The connection.
    answered("ssl", bool_type, "The connection is encrypted: always true", "not ssl"),
    answered("cf.tls_version", bytes_type, "`TLSv1.2` or `TLSv1.3`",
             "cf.tls_version eq \"TLSv1.2\""),
    answered("cf.tls_cipher", bytes_type, "Cipher suite as OpenSSL calls it",
             "cf.tls_cipher eq \"TLS_AES_128_GCM_SHA256\""),
    answered("cf.tls_client_hello_length", int_type,
             "Bytes of the ClientHello; 0 when not recorded", "cf.tls_client_hello_length gt 4096"),
    answered("cf.tls_client_random", bytes_type,
             "Random of the ClientHello, base64; empty when not recorded",
             "len(cf.tls_client_random) eq 44"),
    answered(
        "cf.tls_client_extensions_sha1", bytes_type,
        "SHA-1 of the ClientHello extension numbers, big-endian, base64; empty when not recorded",
        "cf.tls_client_extensions_sha1 ne \"\""),
    answered("cf.tls_client_extensions_sha1_le", bytes_type, "The same, little-endian",
             "cf.tls_client_extensions_sha1_le ne \"\""),
    answered("cf.tls_ciphers_sha1", bytes_type,
             "SHA-1 of the cipher suites offered, base64; empty when not recorded",
             "cf.tls_ciphers_sha1 ne \"\""),
    answered("ip.src", ip_type,
             "Address of the client: of the TCP connection, or what a trusted PROXY header says",
             "ip.src in {192.0.2.0/24 2001:db8::/32}"),
    answered("cf.edge.server_ip", ip_type, "Local address of the connection",
             "cf.edge.server_ip eq 192.0.2.1"),
    answered("cf.edge.server_port", int_type, "Local port of the connection",
             "cf.edge.server_port in {443 8443}"),
    answered("cf.edge.client_tcp", bool_type, "The client uses TCP, not QUIC: always true",
             "cf.edge.client_tcp"),
    answered("cf.ray_id", bytes_type,
             "Identifier of the request, as in the log and in X-Request-Id", "len(cf.ray_id) gt 0"),
    answered("cf.random_seed", bytes_type, "Random bytes of this request, for uuidv4()",
             "len(cf.random_seed) gt 0"),
    answered("http.request.timestamp.sec", int_type,
             "When the request was received, in UNIX seconds",
             "http.request.timestamp.sec gt 1893456000"),
    answered("http.request.timestamp.msec", int_type, "Milliseconds of that moment, 0 to 999",
             "http.request.timestamp.msec lt 500"),
    // The request line.
    answered("http.host", bytes_type,
             "Host name: lower case, without port and trailing dot; literals compared with it are "
             "lower-cased too",
             "http.host in {\"api.example.com\" \"b.example.com\"}", Letters::folded),
    answered("http.request.method", bytes_type, "Method, upper case",
             "http.request.method in {\"POST\" \"PUT\" \"DELETE\"}", Letters::upper),
    answered("http.request.version", bytes_type, "`HTTP/1.0`, `HTTP/1.1` or `HTTP/2`",
             "http.request.version eq \"HTTP/1.0\""),
    answered("http.request.full_uri", bytes_type, "`https://` host path `?` query, without port",
             "http.request.full_uri wildcard \"https://*.example.com/v1/*\""),
    answered("http.request.uri", bytes_type, "Path and query, normalised",
             "http.request.uri eq \"/search?q=1\""),
    answered("http.request.uri.path", bytes_type, "Path, normalised",
             "http.request.uri.path in {\"/v1/a\" \"/v1/b\"}"),
    answered("http.request.uri.path.extension", bytes_type,
             "What follows the last dot of the last segment, lower case",
             "http.request.uri.path.extension in {\"php\" \"bak\"}", Letters::lower),
    answered("http.request.uri.query", bytes_type, "Query without the question mark, as sent",
             "http.request.uri.query contains \"debug\""),
    answered("http.request.uri.args", string_lists, "Arguments of the query by name, undecoded",
             "any(http.request.uri.args[\"page\"][*] eq \"1\")"),
    answered("http.request.uri.args.names", strings, "Their names in order",
             "any(http.request.uri.args.names[*] eq \"debug\")"),
    answered("http.request.uri.args.values", strings, "Their values in order",
             "any(len(http.request.uri.args.values[*])[*] gt 1000)"),
    answered("raw.http.request.full_uri", bytes_type,
             "As http.request.full_uri, with path and query as sent",
             "raw.http.request.full_uri contains \"%2e\""),
    answered("raw.http.request.uri", bytes_type, "Path and query as sent",
             "raw.http.request.uri contains \"//\""),
    answered("raw.http.request.uri.path", bytes_type, "Path as sent",
             "raw.http.request.uri.path ne \"/\""),
    answered("raw.http.request.uri.path.extension", bytes_type,
             "Extension of the path as sent, lower case",
             "raw.http.request.uri.path.extension eq \"mp3\"", Letters::lower),
    answered("raw.http.request.uri.query", bytes_type, "Query as sent",
             "raw.http.request.uri.query eq \"\""),
    answered("raw.http.request.uri.args", string_lists, "Arguments as sent",
             "any(raw.http.request.uri.args[\"a\"][*] eq \"1\")"),
    answered("raw.http.request.uri.args.names", strings, "Their names",
             "any(raw.http.request.uri.args.names[*] eq \"a\")"),
    answered("raw.http.request.uri.args.values", strings, "Their values",
             "any(raw.http.request.uri.args.values[*] eq \"1\")"),
    // Header fields.
    answered("http.request.headers", string_lists,
             "Header fields by lower-case name; identity headers a client tries to forge are not "
             "among them",
             "any(http.request.headers[\"content-type\"][*] eq \"application/json\")"),
    answered("http.request.headers.names", strings,
             "Their names in order, in the spelling of the client",
             "any(lower(http.request.headers.names[*])[*] eq \"x-debug\")"),
    answered("http.request.headers.values", strings, "Their values in the same order",
             "any(len(http.request.headers.values[*])[*] gt 4000)"),
    answered("http.request.headers.truncated", bool_type,
             "Too many header fields: always false, for such a request is answered 431",
             "http.request.headers.truncated"),
    answered("http.cookie", bytes_type, "The Cookie header; several are joined by `; `",
             "http.cookie contains \"session=\""),
    answered("http.request.cookies", string_lists, "Cookies by name, the names percent-decoded",
             "any(http.request.cookies[\"app\"][*] eq \"test\")"),
    answered("http.user_agent", bytes_type, "The User-Agent header; several are joined by `, `",
             "http.user_agent contains \"curl/\""),
    answered("http.referer", bytes_type, "The Referer header; several are joined by `, `",
             "http.referer ne \"\""),
    answered("http.x_forwarded_for", bytes_type,
             "What the client sent as X-Forwarded-For; several are joined by `, `. Never an "
             "identity: anybody can send it",
             "http.x_forwarded_for ne \"\""),
    answered("http.request.accepted_languages", strings,
             "Languages of Accept-Language by falling weight, without `*`",
             "http.request.accepted_languages[0] eq \"fr-CH\""),
    // The body.
    answered("http.request.body.raw", bytes_type,
             "The first `limits.judged_body_bytes` of the body, without transfer coding",
             "lookup_json_string(http.request.body.raw, \"role\") eq \"admin\""),
    answered(
        "http.request.body.size", int_type,
        "Bytes of the whole body. Not known of a chunked one that is longer than what is read: "
        "such a request is refused when a rule reads this",
        "http.request.body.size gt 100000"),
    answered("http.request.body.truncated", bool_type,
             "The body is longer than what the other fields see of it",
             "http.request.body.truncated"),
    answered("http.request.body.mime", bytes_type,
             "What it looks like by its first bytes, whatever Content-Type says: `text/plain` "
             "(JSON, too), `image/png`; empty when nothing known",
             "not http.request.body.mime in {\"image/png\" \"image/jpeg\"}"),
    answered("http.request.body.form", string_lists,
             "Of `application/x-www-form-urlencoded`: its fields by name, undecoded",
             "any(http.request.body.form[\"role\"][*] eq \"admin\")"),
    answered("http.request.body.form.names", strings, "Their names in order",
             "any(http.request.body.form.names[*] eq \"role\")"),
    answered("http.request.body.form.values", strings, "Their values in order",
             "any(http.request.body.form.values[*] contains \"%00\")"),
    answered("http.request.body.multipart", string_lists,
             "Of `multipart/form-data` and its kin: the contents of its parts by name, undecoded",
             "any(http.request.body.multipart[\"role\"][*] eq \"admin\")"),
    answered("http.request.body.multipart.names", string_arrays,
             "For each part its `name`: one, none, or all that are given",
             "any(http.request.body.multipart.names[*][0] eq \"role\")"),
    answered("http.request.body.multipart.values", strings, "The contents of the parts in order",
             "any(http.request.body.multipart.values[*] contains \"<script\")"),
    answered("http.request.body.multipart.content_types", string_arrays,
             "For each part its Content-Type fields",
             "any(http.request.body.multipart.content_types[*][0] eq \"image/png\")"),
    answered("http.request.body.multipart.content_dispositions", string_arrays,
             "For each part its Content-Disposition fields",
             "any(http.request.body.multipart.content_dispositions[*][0] contains \"filename\")"),
    answered("http.request.body.multipart.content_transfer_encodings", string_arrays,
             "For each part its Content-Transfer-Encoding fields",
             "any(http.request.body.multipart.content_transfer_encodings[*][0] eq \"base64\")"),
    answered(
        "http.request.body.multipart.filenames", string_arrays,
        "For each part its `filename`, and `filename*` as it stands: one, none, or all that are "
        "given",
        "any(http.request.body.multipart.filenames[*][0] eq \"a.php\")"),
    // Fixed.
    fixed("ip.src.country", bytes_type, no_geoip, "ip.src.country eq \"XX\""),
    fixed("ip.src.continent", bytes_type, no_geoip, "ip.src.continent eq \"XX\""),
    fixed("ip.src.city", bytes_type, no_geoip, "ip.src.city eq \"XX\""),
    fixed("ip.src.region", bytes_type, no_geoip, "ip.src.region eq \"XX\""),
    fixed("ip.src.region_code", bytes_type, no_geoip, "ip.src.region_code eq \"XX\""),
    fixed("ip.src.postal_code", bytes_type, no_geoip, "ip.src.postal_code eq \"XX\""),
    fixed("ip.src.metro_code", bytes_type, no_geoip, "ip.src.metro_code eq \"XX\""),
    fixed("ip.src.lat", bytes_type, no_geoip, "ip.src.lat eq \"XX\""),
    fixed("ip.src.lon", bytes_type, no_geoip, "ip.src.lon eq \"XX\""),
    fixed("ip.src.timezone.name", bytes_type, no_geoip, "ip.src.timezone.name eq \"XX\""),
    fixed("ip.src.subdivision_1_iso_code", bytes_type, no_geoip,
          "ip.src.subdivision_1_iso_code eq \"XX\""),
    fixed("ip.src.subdivision_2_iso_code", bytes_type, no_geoip,
          "ip.src.subdivision_2_iso_code eq \"XX\""),
    fixed("ip.src.asnum", int_type, no_geoip, "ip.src.asnum eq 64496"),
    fixed("ip.src.is_in_european_union", bool_type, no_geoip, "ip.src.is_in_european_union"),
    fixed("ip.geoip.country", bytes_type, no_geoip, "ip.geoip.country eq \"XX\""),
    fixed("ip.geoip.continent", bytes_type, no_geoip, "ip.geoip.continent eq \"XX\""),
    fixed("ip.geoip.asnum", int_type, no_geoip, "ip.geoip.asnum eq 64496"),
    fixed("ip.geoip.subdivision_1_iso_code", bytes_type, no_geoip,
          "ip.geoip.subdivision_1_iso_code eq \"XX\""),
    fixed("ip.geoip.subdivision_2_iso_code", bytes_type, no_geoip,
          "ip.geoip.subdivision_2_iso_code eq \"XX\""),
    fixed("ip.geoip.is_in_european_union", bool_type, no_geoip, "ip.geoip.is_in_european_union"),
    fixed("cf.threat_score", int_type, "Always 0 at Cloudflare too", "cf.threat_score gt 50"),
    fixed("cf.client.bot", bool_type, no_bots, "cf.client.bot"),
    fixed("cf.bot_management.verified_bot", bool_type, no_bots, "cf.bot_management.verified_bot"),
    fixed("cf.bot_management.static_resource", bool_type, no_bots,
          "cf.bot_management.static_resource"),
    fixed("cf.bot_management.corporate_proxy", bool_type, no_bots,
          "cf.bot_management.corporate_proxy"),
    fixed("cf.bot_management.signed_agent", bool_type, no_bots, "cf.bot_management.signed_agent"),
    fixed("cf.bot_management.js_detection.passed", bool_type, no_bots,
          "cf.bot_management.js_detection.passed"),
    fixed("cf.verified_bot_category", bytes_type, no_bots,
          "cf.verified_bot_category eq \"Search Engine Crawler\""),
    fixed("cf.worker.upstream_zone", bytes_type, "No request comes from a Worker",
          "cf.worker.upstream_zone ne \"\""),
    fixed("cf.hostname.metadata", bytes_type, "There is no metadata for SaaS hosts",
          "cf.hostname.metadata ne \"\""),
    fixed("cf.zone.name", bytes_type, "There are no zones", "cf.zone.name eq \"example.com\""),
    fixed("cf.zone.plan", bytes_type, "There are no plans", "cf.zone.plan eq \"ENT\""),
    fixed("cf.edge.l4.delivery_rate", int_type, "Not measured",
          "cf.edge.l4.delivery_rate lt 100000"),
    fixed("cf.timings.client_tcp_rtt_msec", int_type, "Not measured",
          "cf.timings.client_tcp_rtt_msec gt 500"),
    fixed("cf.timings.client_quic_rtt_msec", int_type, "Always 0 on TCP",
          "cf.timings.client_quic_rtt_msec gt 500"),
    fixed("cf.timings.edge_msec", int_type, "Not measured", "cf.timings.edge_msec gt 500"),
    fixed("cf.timings.origin_ttfb_msec", int_type, "Not known before the request is forwarded",
          "cf.timings.origin_ttfb_msec gt 500"),
    fixed("cf.timings.worker_msec", int_type, "There are no Workers",
          "cf.timings.worker_msec gt 500"),
    // Refused.
    refused("cf.bot_management.score", int_type, bot_score),
    refused("cf.bot_management.ja3_hash", bytes_type, bot_fingerprint, use_certificate),
    refused("cf.bot_management.ja4", bytes_type, bot_fingerprint, use_certificate),
    refused("cf.bot_management.detection_ids", integers, bot_score),
    refused("cf.waf.score", int_type, waf),
    refused("cf.waf.score.sqli", int_type, waf),
    refused("cf.waf.score.xss", int_type, waf),
    refused("cf.waf.score.rce", int_type, waf),
    refused("cf.waf.score.class", bytes_type, waf),
    refused("cf.waf.auth_detected", bool_type, waf),
    refused("cf.waf.content_scan.has_obj", bool_type, scanning),
    refused("cf.waf.content_scan.has_malicious_obj", bool_type, scanning),
    refused("cf.waf.content_scan.num_malicious_obj", int_type, scanning),
    refused("cf.waf.content_scan.has_failed", bool_type, scanning),
    refused("cf.waf.content_scan.num_obj", int_type, scanning),
    refused("cf.waf.content_scan.obj_sizes", integers, scanning),
    refused("cf.waf.content_scan.obj_types", strings, scanning),
    refused("cf.waf.content_scan.obj_results", strings, scanning),
    refused("cf.waf.credential_check.password_leaked", bool_type, credentials),
    refused("cf.waf.credential_check.username_leaked", bool_type, credentials),
    refused("cf.waf.credential_check.username_and_password_leaked", bool_type, credentials),
    refused("cf.waf.credential_check.username_password_similar", bool_type, credentials),
    refused("cf.llm.prompt.detected", bool_type, llm),
    refused("cf.llm.prompt.pii_detected", bool_type, llm),
    refused("cf.llm.prompt.pii_categories", strings, llm),
    refused("cf.llm.prompt.unsafe_topic_detected", bool_type, llm),
    refused("cf.llm.prompt.unsafe_topic_categories", strings, llm),
    refused("cf.llm.prompt.injection_score", int_type, llm),
    refused("cf.llm.prompt.token_count", int_type, llm),
    refused("cf.llm.prompt.custom_topic_categories", integer_map, llm),
    refused("cf.api_gateway.auth_id_present", bool_type, api_shield),
    refused("cf.api_gateway.request_violates_schema", bool_type, api_shield),
    refused("cf.api_gateway.fallthrough_detected", bool_type, api_shield),
    refused("cf.api_gateway.graphql.parsed_successfully", bool_type, api_shield),
    refused("cf.api_gateway.graphql.query_depth", int_type, api_shield),
    refused("cf.api_gateway.graphql.query_size", int_type, api_shield),
    refused("cf.schema_validation.learned.violated", bool_type, api_shield),
    refused("cf.schema_validation.uploaded.violated", bool_type, api_shield),
    refused("cf.sequence.current_op", bytes_type, api_shield),
    refused("cf.sequence.previous_ops", strings, api_shield),
    refused("cf.sequence.msec_since_op", integer_map, api_shield),
    refused("http.request.jwt.claims.aud", string_lists, jwt),
    refused("http.request.jwt.claims.aud.names", strings, jwt),
    refused("http.request.jwt.claims.aud.values", strings, jwt),
    refused("http.request.jwt.claims.iat.sec", integer_lists, jwt),
    refused("http.request.jwt.claims.iat.sec.names", strings, jwt),
    refused("http.request.jwt.claims.iat.sec.values", integers, jwt),
    refused("http.request.jwt.claims.iss", string_lists, jwt),
    refused("http.request.jwt.claims.iss.names", strings, jwt),
    refused("http.request.jwt.claims.iss.values", strings, jwt),
    refused("http.request.jwt.claims.jti", string_lists, jwt),
    refused("http.request.jwt.claims.jti.names", strings, jwt),
    refused("http.request.jwt.claims.jti.values", strings, jwt),
    refused("http.request.jwt.claims.nbf.sec", integer_lists, jwt),
    refused("http.request.jwt.claims.nbf.sec.names", strings, jwt),
    refused("http.request.jwt.claims.nbf.sec.values", integers, jwt),
    refused("http.request.jwt.claims.sub", string_lists, jwt),
    refused("http.request.jwt.claims.sub.names", strings, jwt),
    refused("http.request.jwt.claims.sub.values", strings, jwt),
    refused("http.response.code", int_type, response),
    refused("http.response.headers", string_lists, response),
    refused("http.response.headers.names", strings, response),
    refused("http.response.headers.values", strings, response),
    refused("http.response.headers.truncated", bool_type, response),
    refused("http.response.content_type.media_type", bytes_type, response),
    refused("raw.http.response.headers", string_lists, response),
    refused("raw.http.response.headers.names", strings, response),
    refused("raw.http.response.headers.values", strings, response),
    refused("cf.response.1xxx_code", int_type, response),
    refused("cf.response.error_type", bytes_type, response),
    refused("http.response.1xxx_code", int_type, response),
    refused("cf.colo.name", bytes_type, network),
    refused("cf.colo.region", bytes_type, network),
    refused("cf.metal.id", bytes_type, network),
    refused("ip", bytes_type, packet, use_client_ip),
    refused("ip.dst", ip_type, packet, use_server_ip),
    refused("ip.dst.asnum", int_type, packet),
    refused("ip.dst.country", bytes_type, packet),
    refused("ip.hdr_len", int_type, packet),
    refused("ip.opt.type", int_type, packet),
    refused("ip.proto", bytes_type, packet),
    refused("ip.proto.num", int_type, packet),
    refused("ip.len", int_type, packet),
    refused("ip.ttl", int_type, packet),
    refused("tcp", bytes_type, packet),
    refused("tcp.srcport", int_type, packet),
    refused("tcp.dstport", int_type, packet, use_server_port),
    refused("tcp.flags", int_type, packet),
    refused("tcp.flags.ack", bool_type, packet),
    refused("tcp.flags.cwr", bool_type, packet),
    refused("tcp.flags.ecn", bool_type, packet),
    refused("tcp.flags.fin", bool_type, packet),
    refused("tcp.flags.push", bool_type, packet),
    refused("tcp.flags.reset", bool_type, packet),
    refused("tcp.flags.syn", bool_type, packet),
    refused("tcp.flags.urg", bool_type, packet),
    refused("udp", bytes_type, packet),
    refused("udp.srcport", int_type, packet),
    refused("udp.dstport", int_type, packet, use_server_port),
    refused("icmp", bytes_type, packet),
    refused("icmp.type", int_type, packet),
    refused("icmp.code", int_type, packet),
    refused("sip", bool_type, packet),
});

constexpr std::size_t count_of(Availability availability) {
  std::size_t count = 0;
  for (auto const& row : table) count += row.availability == availability ? 1 : 0;
  return count;
}
static_assert(count_of(Availability::answered) == id_of(Field::first_fixed));
// Spot checks that the enumeration and the rows have the same order.
static_assert(table[id_of(Field::cert_serial)].name == "cf.tls_client_auth.cert_serial");
static_assert(table[id_of(Field::ssl)].name == "ssl");
static_assert(table[id_of(Field::ip_src)].name == "ip.src");
static_assert(table[id_of(Field::host)].name == "http.host");
static_assert(table[id_of(Field::raw_args_values)].name == "raw.http.request.uri.args.values");
static_assert(table[id_of(Field::accepted_languages)].name == "http.request.accepted_languages");
static_assert(table[id_of(Field::body_raw)].name == "http.request.body.raw");

}  // namespace

std::span<FieldRow const> field_table() { return table; }
std::size_t answered_field_count() { return count_of(Availability::answered); }
std::size_t valued_field_count() {
  return count_of(Availability::answered) + count_of(Availability::fixed);
}

}  // namespace certgate::policy
