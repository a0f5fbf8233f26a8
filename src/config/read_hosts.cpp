// Reads listeners and hosts.
#include <algorithm>

#include "read_parts.hpp"
#include "in_backquotes.hpp"

namespace certgate::config {
namespace {

// "10.0.0.5/8" is most likely meant as the network around it.
std::string network_hint(std::string_view text) {
  std::size_t const slash = text.find('/');
  if (slash == text.npos) return "write an address or a network such as 10.0.0.0/8";
  auto const address = IpAddress::parse(text.substr(0, slash));
  std::string_view const digits = text.substr(slash + 1);
  unsigned length = 0;
  for (char const c : digits) {
    if (c < '0' || c > '9' || length > 128)
      return "write an address or a network such as 10.0.0.0/8";
    length = length * 10 + static_cast<unsigned>(c - '0');
  }
  if (!address || digits.empty() || length > (address->is_v4() ? 32u : 128u)) {
    return "write an address or a network such as 10.0.0.0/8";
  }
  return "the bits behind the prefix must be zero: " + IpNetwork{*address, length}.to_string();
}

Listener read_listener(Reading& reading, Value value) {
  Listener listener;
  MapReader map{reading, value, "listeners[]"};
  if (!map.good()) return listener;
  listener.mark = map.mark();
  if (Value const address = map.get("address")) {
    if (is_line(reading, "address", address)) {
      auto const parsed = parse_listen_address(address.text());
      if (parsed) {
        listener.address = {*parsed, address.mark()};
      } else {
        reading.wrong(address, "`" + std::string(address.text()) +
                                   "` is not an address to listen on: " + parsed.error().detail);
      }
    }
  }
  map.choice("proxy_protocol", listener.proxy_protocol);
  map.one_or_more("trusted_sources", [&](Value entry) {
    if (!is_line(reading, "trusted_sources", entry)) return;
    if (auto const network = IpNetwork::parse(entry.text())) {
      listener.trusted_sources.push_back({*network, entry.mark()});
    } else {
      reading.wrong(entry, in_backquotes(entry.text()) + " is neither an address nor a network",
                    network_hint(entry.text()));
    }
  });
  bool const wants_header = *listener.proxy_protocol != ProxyProtocol::off;
  if (wants_header && !map.has("trusted_sources")) {
    reading.wrong(listener.proxy_protocol.mark,
                  "`proxy_protocol` without `trusted_sources`: anybody could claim any address",
                  "add `trusted_sources: [192.0.2.0/24]` with the addresses of the load balancer");
  }
  if (!wants_header && map.has_value("trusted_sources") && !map.has("proxy_protocol")) {
    reading.wrong(map.get("trusted_sources"), "`trusted_sources` has no effect here",
                  "add `proxy_protocol: v2`, or remove it");
  }
  return listener;
}

void read_crl(Reading& reading, Value value, std::vector<CrlSource>& sources) {
  if (value.is_scalar() && value.text().find("://") != std::string_view::npos) {
    auto const url = parse_fetch_url(value.text());
    if (!url) {
      reading.wrong(value, "`crl` has a wrong URL: " + url.error().detail,
                    "write http://pki.example.com/clients.crl, or the path of a file");
      return;
    }
    sources.push_back({CrlSource::Kind::url, {}, *url, value.mark()});
  } else {
    FilePath path = read_path(reading, "crl", value);
    if (path.empty()) return;
    sources.push_back({CrlSource::Kind::path, std::move(path), {}, value.mark()});
  }
  if (std::count(sources.begin(), sources.end(), sources.back()) > 1) {
    reading.wrong(value, in_backquotes(value.text()) + " is named twice in `crl`", "remove one of them");
    sources.pop_back();
  }
}

ClientAuth read_client_auth(Reading& reading, Value value) {
  ClientAuth auth;
  MapReader map{reading, value, "hosts[].client_auth"};
  if (!map.good()) return auth;
  auth.mark = map.mark();
  map.choice("mode", auth.mode);
  map.paths("ca", auth.ca);
  map.one_or_more("crl", [&](Value entry) { read_crl(reading, entry, auth.crl); });
  map.choice("crl_check", auth.crl_check);
  map.choice("on_expired_crl", auth.on_expired_crl);
  map.flag("crl_distribution_points", auth.crl_distribution_points);
  map.number("depth", auth.depth);
  bool const asks = auth.mode.mark.written() && *auth.mode != ClientAuthMode::off;
  if (asks && !map.has("ca")) {
    reading.wrong(auth.mode.mark,
                  "mode " + in_backquotes(name_of(*auth.mode)) + " without `ca`: nobody could be verified",
                  "add `ca: client-ca.pem` with the CAs that issue your clients' certificates; the "
                  "system's trust store is never used for clients");
  }
  if (auth.mode.mark.written() && !asks && map.has("ca")) {
    reading.odd(value, "client certificates are not asked for: `ca` has no effect",
                "write `mode: request` or `mode: require`");
  }
  return auth;
}

void read_identities(Reading& reading, MapReader& map, Host& host) {
  std::vector<FilePath> certificates;
  std::vector<FilePath> keys;
  map.paths("certificate", certificates);
  map.paths("private_key", keys);
  if (certificates.empty() || keys.empty()) return;  // missing or reported
  if (certificates.size() != keys.size()) {
    reading.wrong(map.get("private_key"),
                  std::to_string(certificates.size()) + " certificates but " +
                      std::to_string(keys.size()) +
                      (keys.size() == 1 ? " private key" : " private keys"),
                  "name one key for each certificate, in the same order");
    return;
  }
  for (std::size_t i = 0; i < certificates.size(); ++i) {
    host.identities.push_back({std::move(certificates[i]), std::move(keys[i])});
  }
}

// Empty when it is one that requests can have after normalisation, otherwise what is wrong.
std::string path_mistake(std::string_view path) {
  if (!path.starts_with('/')) return "must start with a slash";
  if (path.find_first_of("?#") != path.npos) return "must not have a query or a fragment";
  if (path.find("//") != path.npos) return "has an empty segment";
  for (char const c : path) {
    if (c <= ' ' || static_cast<unsigned char>(c) >= 0x7F) {
      return "has characters that a path spells with %XX";
    }
  }
  std::string const closed = std::string{path} + "/";
  if (closed.find("/./") != closed.npos || closed.find("/../") != closed.npos) {
    return "has a dot segment, which no request has after normalisation";
  }
  return {};
}

Route read_route(Reading& reading, Value value) {
  Route route;
  MapReader map{reading, value, "hosts[].routes[]"};
  if (!map.good()) return route;
  if (Value const path = map.get("path"); path && is_line(reading, "path", path)) {
    if (auto const mistake = path_mistake(path.text()); !mistake.empty()) {
      reading.wrong(path, "the path " + in_backquotes(path.text()) + " " + mistake,
                    "write it as it is requested, such as `/v2`");
    } else {
      std::string_view text = path.text();
      while (text.size() > 1 && text.ends_with('/')) text.remove_suffix(1);
      route.path = {std::string{text}, path.mark()};
    }
  }
  map.text("origin", route.origin);
  return route;
}

Host read_host(Reading& reading, Value value, Config const& config) {
  Host host;
  host.tls = config.tls;
  host.forward_client_certificate = config.forward_client_certificate;
  host.request_headers = config.request_headers;
  MapReader map{reading, value, "hosts[]"};
  if (!map.good()) return host;
  host.mark = map.mark();
  map.one_or_more("names", [&](Value name) {
    if (!is_line(reading, "names", name)) return;
    auto parsed = parse_host_name(name.text());
    if (parsed) {
      host.names.push_back({std::move(*parsed), name.mark()});
    } else {
      reading.wrong(name, in_backquotes(name.text()) + " is not a host name: " + parsed.error().detail,
                    "write it as clients ask for it: api.example.com, *.example.com, or * for all others");
    }
  });
  read_identities(reading, map, host);
  if (Value const auth = map.get("client_auth")) host.client_auth = read_client_auth(reading, auth);
  map.text("origin", host.origin);
  map.entries("routes", [&](Value route) { host.routes.push_back(read_route(reading, route)); });
  if (map.has("forward_client_certificate")) host.forward_client_certificate.clear();
  read_forwarded_certificates(map, host.forward_client_certificate);
  if (Value const headers = map.get("request_headers")) {
    host.request_headers = {};
    read_request_headers(reading, headers, host.request_headers);
  }
  if (Value const tls = map.get("tls")) {
    MapReader own{reading, tls, "hosts[].tls"};
    if (own.good()) read_tls(own, host.tls);
  }
  return host;
}

void read_names(MapReader& map, std::string_view name, std::vector<Setting<std::string>>& out) {
  if (map.has(name)) out.clear();
  map.one_or_more(name, [&](Value value) {
    if (!is_line(map.reading(), name, value)) return;
    // "A:B:C" is how OpenSSL and most of its users write such lists.
    std::string_view rest = value.text();
    for (bool more = true; more;) {
      std::size_t const colon = rest.find(':');
      std::string_view const word = rest.substr(0, colon);
      bool const good = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
      });
      if (!good) {
        map.reading().wrong(value, in_backquotes(word) + " is not a name for " + in_backquotes(name),
                            "name them one by one, without +, ! and @");
      } else {
        out.push_back({std::string{word}, value.mark()});
      }
      more = colon != rest.npos;
      if (more) rest.remove_prefix(colon + 1);
    }
  });
}

}  // namespace

std::vector<Listener> read_listeners(MapReader& top) {
  std::vector<Listener> listeners;
  top.entries("listeners",
              [&](Value entry) { listeners.push_back(read_listener(top.reading(), entry)); });
  if (Value const list = top.get("listeners"); list && list.is_sequence() && list.count() == 0) {
    top.reading().wrong(list, "no listeners: nothing would be served",
                        "add `- address: 0.0.0.0:8443`");
  }
  return listeners;
}

std::vector<Host> read_hosts(MapReader& top, Config const& config, std::vector<bool>& whole) {
  std::vector<Host> hosts;
  top.entries("hosts", [&](Value entry) {
    auto const before = top.reading().count();
    hosts.push_back(read_host(top.reading(), entry, config));
    whole.push_back(top.reading().count() == before);
  });
  if (Value const list = top.get("hosts"); list && list.is_sequence() && list.count() == 0) {
    top.reading().wrong(list, "no hosts: every handshake would be refused",
                        "add `- names: [api.example.com]` with its certificate and origin");
  }
  return hosts;
}

void read_tls(MapReader& map, TlsSettings& settings) {
  map.choice("min_version", settings.min_version);
  map.choice("max_version", settings.max_version);
  read_names(map, "ciphers", settings.ciphers);
  read_names(map, "groups", settings.groups);
  map.duration("session_lifetime", settings.session_lifetime);
  if (*settings.min_version > *settings.max_version) {
    Mark const& mark =
        map.has("min_version") ? settings.min_version.mark : settings.max_version.mark;
    map.reading().wrong(mark, "`min_version` is above `max_version`: no handshake could succeed",
                        "raise `max_version`, or lower `min_version`");
  }
}

void read_forwarded_certificates(MapReader& map,
                                 std::vector<Setting<ForwardedCertificate>>& families) {
  Key const& key = map.key_named("forward_client_certificate");
  Value const value = map.get("forward_client_certificate");
  if (value && value.is_sequence() && value.count() == 0) return;  // a host that forwards nothing
  map.one_or_more("forward_client_certificate", [&](Value entry) {
    Setting<ForwardedCertificate> family;
    if (!map.choice_of(key, entry, family)) return;
    if (std::find(families.begin(), families.end(), family) != families.end()) {
      map.reading().wrong(entry, in_backquotes(entry.text()) + " is named twice", "remove one of them");
      return;
    }
    families.push_back(family);
  });
}

}  // namespace certgate::config
