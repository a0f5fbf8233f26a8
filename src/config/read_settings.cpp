// Reads the settings that are nothing but values in ranges.
#include "read_parts.hpp"

namespace certgate::config {
namespace {

void read_sessions(MapReader& map, SessionSettings& sessions) {
  map.choice("tickets", sessions.tickets);
  map.number("cache_entries", sessions.cache_entries);
  map.size("cache_bytes", sessions.cache_bytes);
  map.duration("ticket_rotation", sessions.ticket_rotation);
}

void read_limits(MapReader& map, Limits& limits) {
  map.size("header_bytes", limits.header_bytes);
  map.number("header_fields", limits.header_fields);
  map.size("uri_bytes", limits.uri_bytes);
  map.size("body_bytes", limits.body_bytes);
  map.size("body_rate", limits.body_rate);
  map.size("judged_body_bytes", limits.judged_body_bytes);
  map.number("connections", limits.connections);
  map.number("connections_per_address", limits.connections_per_address);
  map.number("connections_per_certificate", limits.connections_per_certificate);
  map.number("handshakes", limits.handshakes);
  map.number("certificate_chain", limits.certificate_chain);
  map.number("rsa_bits", limits.rsa_bits);
  map.number("expression_length", limits.expression_length);
  if (*limits.uri_bytes <= *limits.header_bytes) return;
  if (!map.has("uri_bytes")) {
    limits.uri_bytes.value = *limits.header_bytes;
    return;
  }
  map.reading().wrong(limits.uri_bytes.mark,
                      "`uri_bytes` is above `header_bytes` (" + format_size(*limits.header_bytes) +
                          "), which covers it",
                      "raise `header_bytes`, or lower `uri_bytes`");
}

void read_timeouts(MapReader& map, Timeouts& timeouts) {
  map.duration("handshake", timeouts.handshake);
  map.duration("header", timeouts.header);
  map.duration("body", timeouts.body);
  map.duration("keep_alive", timeouts.keep_alive);
  map.duration("tunnel", timeouts.tunnel);
  map.duration("origin_connect", timeouts.origin_connect);
  map.duration("origin_response", timeouts.origin_response);
  map.duration("drain", timeouts.drain);
}

void read_crl_refresh(MapReader& map, CrlRefresh& refresh) {
  map.duration("watch", refresh.watch);
  map.duration("interval", refresh.interval);
  map.duration("retry", refresh.retry);
  map.duration("timeout", refresh.timeout);
  map.duration("start_wait", refresh.start_wait);
  map.size("max_bytes", refresh.max_bytes);
  map.paths("ca", refresh.ca);
  map.one_or_more("allowed_networks", [&](Value entry) {
    if (!is_line(map.reading(), "allowed_networks", entry)) return;
    if (auto const network = IpNetwork::parse(entry.text())) {
      refresh.allowed_networks.push_back({*network, entry.mark()});
    } else {
      map.reading().wrong(entry, "`" + std::string(entry.text()) +
                                     "` is neither an address nor a network",
                          "write 10.1.0.0/16 or 192.0.2.7, with zeros behind the length");
    }
  });
  if (*refresh.interval < std::chrono::seconds{10}) {
    map.reading().odd(map.get("interval"),
                      "`interval` below 10s is for tests: the CA's server is asked that often",
                      "an hour is usual; nextUpdate and a failed fetch make it sooner");
  }
  if (*refresh.retry > *refresh.interval) {
    Mark const& mark = map.has("retry") ? refresh.retry.mark : refresh.interval.mark;
    map.reading().wrong(mark, "`retry` is longer than `interval`",
                        "lower it, or raise `interval`: after a failure the next try comes sooner");
  }
}

void read_log(MapReader& map, LogSettings& log) {
  map.choice("level", log.level);
  map.path("file", log.file);
  Value const access = map.get("access");
  if (!access) return;
  MapReader own{map.reading(), access, "log.access"};
  if (!own.good()) return;
  own.path("file", log.access_file);
  own.choice("format", log.access_format);
}

AdminSettings read_admin(MapReader& map) {
  AdminSettings admin;
  Value const value = map.get("address");
  map.flag("allow_remote", admin.allow_remote);
  if (!value || !is_line(map.reading(), "address", value)) return admin;
  auto address = parse_admin_address(value.text());
  if (!address) {
    map.reading().wrong(value, "`" + std::string(value.text()) +
                                   "` is not an address for the admin: " + address.error().detail,
                        "write unix:/run/certgate/admin.sock or 127.0.0.1:9901");
    return admin;
  }
  auto const* endpoint = std::get_if<IpEndpoint>(&*address);
  if (endpoint != nullptr && !endpoint->address.is_loopback() && !*admin.allow_remote) {
    map.reading().wrong(value,
                        "the admin address is not loopback: anybody who reaches it could use it",
                        "write unix:/run/certgate/admin.sock or 127.0.0.1:9901, or add "
                        "`allow_remote: true` behind a firewall");
  }
  admin.address = {std::move(*address), value.mark()};
  return admin;
}

template <class Read>
void with_map(MapReader& top, std::string_view name, Read const& read) {
  Value const value = top.get(name);
  if (!value) return;
  MapReader map{top.reading(), value, name};
  if (map.good()) read(map);
}

}  // namespace

void read_plain_settings(MapReader& top, Config& config) {
  top.number("workers", config.workers);
  top.path("state_directory", config.state_directory);
  top.choice("default_action", config.default_action);
  with_map(top, "sessions", [&](MapReader& map) { read_sessions(map, config.sessions); });
  with_map(top, "limits", [&](MapReader& map) { read_limits(map, config.limits); });
  with_map(top, "timeouts", [&](MapReader& map) { read_timeouts(map, config.timeouts); });
  with_map(top, "crl_refresh", [&](MapReader& map) { read_crl_refresh(map, config.crl_refresh); });
  with_map(top, "log", [&](MapReader& map) { read_log(map, config.log); });
  with_map(top, "admin", [&](MapReader& map) { config.admin = read_admin(map); });
  with_map(top, "url_normalization", [&](MapReader& map) {
    map.choice("type", config.url_normalization);
    map.flag("to_origin", config.normalize_to_origin);
    if (!*config.normalize_to_origin) {
      map.reading().warnings.add(config.normalize_to_origin.mark.diagnostic(
          "with `to_origin: false` the origin gets another path than the rules judged",
          "leave it out, unless the origin depends on the client's spelling of the path",
          Severity::warning));
    }
  });
  with_map(top, "tls", [&](MapReader& map) { read_tls(map, config.tls); });
  read_forwarded_certificates(top, config.forward_client_certificate);
  if (Value const headers = top.get("request_headers")) {
    read_request_headers(top.reading(), headers, config.request_headers);
  }
}

}  // namespace certgate::config
