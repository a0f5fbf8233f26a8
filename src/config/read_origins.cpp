// Reads origins.
#include <algorithm>
#include <charconv>

#include "read_parts.hpp"
#include "in_backquotes.hpp"

namespace certgate::config {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

void read_host_text(MapReader& map, std::string_view name, Setting<std::string>& out) {
  Value const value = map.get(name);
  if (!value || !is_line(map.reading(), name, value)) return;
  auto host = canonical_host(value.text());
  if (host) {
    out = {std::move(*host), value.mark()};
  } else {
    map.reading().wrong(value, in_backquotes(name) + " is not a host name: " + host.error().detail,
                        "write one name, such as api.example.com, or an address");
  }
}

void read_server(Reading& reading, Value value, Origin& origin) {
  if (!is_line(reading, "servers", value)) return;
  auto url = parse_server_url(value.text());
  if (!url) {
    std::string hint = "write http://127.0.0.1:9000, https://api.internal or unix:/run/api.sock";
    if (value.text().find("://") == std::string_view::npos && !value.text().starts_with("unix")) {
      hint = "write http://" + std::string{value.text()};
    }
    reading.wrong(value, in_backquotes(value.text()) + " is not a server: " + url.error().detail, hint);
    return;
  }
  Setting<ServerUrl> server{std::move(*url), value.mark()};
  if (std::find(origin.servers.begin(), origin.servers.end(), server) != origin.servers.end()) {
    reading.wrong(value, "the server " + in_backquotes(value.text()) + " is named twice",
                  "remove one of them");
    return;
  }
  origin.servers.push_back(std::move(server));
}

void read_origin_tls(Reading& reading, Value value, Origin& origin) {
  OriginTls& tls = origin.tls;
  MapReader map{reading, value, "origins.*.tls"};
  if (!map.good()) return;
  map.paths("ca", tls.ca);
  read_host_text(map, "server_name", tls.server_name);
  map.path("certificate", tls.certificate);
  map.path("private_key", tls.private_key);
  map.flag("verify", tls.verify);
  bool const lacks_key = map.has_value("certificate") && !map.has("private_key");
  if (lacks_key || (map.has_value("private_key") && !map.has("certificate"))) {
    reading.wrong(
        map.get(lacks_key ? "certificate" : "private_key"),
        lacks_key ? "`certificate` without `private_key`" : "`private_key` without `certificate`",
        "write both, or neither");
  }
  if (!*tls.verify && map.has_value("ca")) {
    reading.wrong(map.get("ca"), "`ca` has no effect with `verify: false`",
                  "remove `verify: false` to verify the origin");
  }
  bool const uses_tls =
      std::any_of(origin.servers.begin(), origin.servers.end(),
                  [](auto const& server) { return server->scheme == ServerUrl::Scheme::https; });
  if (!uses_tls && !origin.servers.empty()) {
    reading.wrong(value, "`tls` has no effect: no server of this origin is https://",
                  "write https:// in `servers`, or remove `tls`");
  }
}

void read_health(Reading& reading, Value value, Health& health) {
  MapReader map{reading, value, "origins.*.health"};
  if (!map.good()) return;
  map.text("path", health.path);
  read_host_text(map, "host", health.host);
  map.duration("interval", health.interval);
  map.duration("timeout", health.timeout);
  map.number("healthy_after", health.healthy_after);
  map.number("unhealthy_after", health.unhealthy_after);
  map.one_or_more("status", [&](Value entry) {
    int status = 0;
    std::string_view const text = entry.is_scalar() ? entry.text() : "";
    auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), status);
    if (failed != std::errc{} || end != text.data() + text.size() || status < 100 || status > 599) {
      reading.wrong(entry, "`status` must be status codes from 100 to 599", "write [200, 204]");
      return;
    }
    health.status.push_back({status, entry.mark()});
  });
  map.number("eject_after", health.eject_after);
  map.duration("eject_for", health.eject_for);
  if (!health.path->empty() && !health.path->starts_with('/')) {
    reading.wrong(health.path.mark, "the path of a health check must start with a slash",
                  "write `/" + *health.path + "`");
  }
  if (map.has("path")) return;
  for (std::string_view const name :
       {"host", "interval", "timeout", "healthy_after", "unhealthy_after", "status"}) {
    if (!map.has_value(name)) continue;
    reading.wrong(map.get(name), in_backquotes(name) + " has no effect without `path`",
                  "add `path: /healthz` to check the servers actively");
    return;
  }
}

Origin read_origin(Reading& reading, Value name, Value value) {
  Origin origin;
  origin.name = {std::string{name.text()}, name.mark()};
  origin.mark = name.mark();
  MapReader map{reading, value, "origins.*"};
  if (!map.good()) return origin;
  map.one_or_more("servers", [&](Value server) { read_server(reading, server, origin); });
  map.duration("resolve_every", origin.resolve_every);
  if (origin.resolve_every->count() > 0 && *origin.resolve_every < std::chrono::seconds{1}) {
    reading.odd(map.get("resolve_every"),
                "`resolve_every` below 1s is for tests: the resolver is asked that often",
                "30s is usual; 0s looks names up at load and reload only");
  }
  map.choice("balance", origin.balance);
  map.flag("preserve_host", origin.preserve_host);
  if (Value const tls = map.get("tls")) read_origin_tls(reading, tls, origin);
  if (Value const health = map.get("health")) read_health(reading, health, origin.health);
  if (Value const keepalive = map.get("keepalive")) {
    MapReader own{reading, keepalive, "origins.*.keepalive"};
    if (own.good()) {
      own.number("connections", origin.keepalive.connections);
      own.duration("idle", origin.keepalive.idle);
    }
  }
  return origin;
}

}  // namespace

std::vector<Origin> read_origins(MapReader& top, std::vector<bool>& whole) {
  std::vector<Origin> origins;
  Value const map = top.get("origins");
  if (!map) return origins;
  if (!map.is_mapping()) {
    top.reading().wrong(map,
                        "`origins` must be a map of names, but is " + std::string{kind_name(map)},
                        "write `api:` and below it `servers: [\"http://127.0.0.1:9000\"]`");
    return origins;
  }
  for (Value name = map.first(); name;) {
    Value const value = name.next();
    auto const before = top.reading().count();
    if (name.is_scalar() && !is_name(name.text())) {
      top.reading().wrong(name, in_backquotes(name.text()) + " is not a name for an origin",
                          "use letters, digits, `-`, `_` and `.`");
    }
    if (name.is_scalar()) {
      origins.push_back(read_origin(top.reading(), name, value));
      whole.push_back(top.reading().count() == before);
    }
    name = value.next();
  }
  if (origins.empty()) {
    top.reading().wrong(map, "no origins: there is nowhere to send a request",
                        "write `api:` and below it `servers: [\"http://127.0.0.1:9000\"]`");
  }
  return origins;
}

}  // namespace certgate::config
