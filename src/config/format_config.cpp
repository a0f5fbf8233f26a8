// Writes a Config as YAML.
#include "certgate/config/format_config.hpp"

#include <map>

#include "certgate/config/names.hpp"
#include "plain_settings.hpp"

namespace certgate::config {
namespace {

class Writer {
 public:
  std::string take() { return std::move(out_); }

  void line(std::string_view key, std::string_view value) {
    start();
    out_ += key;
    out_ += ": ";
    out_ += value;
    out_ += '\n';
  }
  void words(std::string_view key, std::vector<std::string> const& values) {
    std::string list = "[";
    for (std::string const& value : values) {
      if (list.size() > 1) list += ", ";
      list += value;
    }
    line(key, list + "]");
  }
  void open(std::string_view key) {
    start();
    out_ += key;
    out_ += ":\n";
    indent_ += 2;
  }
  void close() { indent_ -= 2; }
  // The next line begins a list entry; the lines of the entry follow it, up to end_entry().
  void entry() {
    dash_ = true;
    indent_ += 2;
  }
  void end_entry() {
    dash_ = false;
    indent_ -= 2;
  }
  void all(PlainSettings const& settings) {
    for (auto const& [key, value] : settings) line(key, value);
  }

 private:
  void start() {
    out_.append(dash_ ? indent_ - 2 : indent_, ' ');
    if (dash_) out_ += "- ";
    dash_ = false;
  }
  std::string out_;
  std::size_t indent_ = 0;
  bool dash_ = false;
};

std::vector<std::string> texts(std::vector<Setting<std::string>> const& settings) {
  std::vector<std::string> out;
  for (auto const& setting : settings) out.push_back(yaml_text(*setting));
  return out;
}

std::vector<std::string> texts(std::vector<FilePath> const& paths) {
  std::vector<std::string> out;
  for (auto const& path : paths) out.push_back(yaml_text(path.resolved));
  return out;
}

std::vector<std::string> texts(std::vector<Setting<HostName>> const& names) {
  std::vector<std::string> out;
  for (auto const& name : names) out.push_back(yaml_text(name->to_string()));
  return out;
}

// "limits.header_bytes" -> "limits:" and below it "header_bytes".
void write_grouped(Writer& out, PlainSettings const& settings) {
  std::vector<std::pair<std::string_view, std::string>> top;
  std::map<std::string_view, PlainSettings> groups;
  PlainSettings access;
  for (auto const& [path, value] : settings) {
    std::size_t const dot = path.find('.');
    if (dot == path.npos) {
      out.line(path, value);
    } else if (path.starts_with("log.access.")) {
      access.emplace_back(path.substr(11), value);
    } else {
      groups[path.substr(0, dot)].emplace_back(path.substr(dot + 1), value);
    }
  }
  for (auto const& [group, members] : groups) {
    out.open(group);
    out.all(members);
    if (group == "log") {
      out.open("access");
      out.all(access);
      out.close();
    }
    out.close();
  }
}

void write_tls(Writer& out, TlsSettings const& tls) {
  out.open("tls");
  out.all(plain_settings(tls));
  if (!tls.ciphers.empty()) out.words("ciphers", texts(tls.ciphers));
  if (!tls.groups.empty()) out.words("groups", texts(tls.groups));
  out.close();
}

void write_forwarding(Writer& out, std::vector<Setting<ForwardedCertificate>> const& families,
                      RequestHeaders const& headers) {
  std::vector<std::string> names;
  for (auto const& family : families) names.emplace_back(name_of(*family));
  out.words("forward_client_certificate", names);
  if (headers.set.empty() && headers.remove.empty()) {
    out.line("request_headers", "{}");
    return;
  }
  out.open("request_headers");
  if (!headers.set.empty()) {
    out.open("set");
    for (HeaderValue const& header : headers.set) {
      out.line(yaml_text(*header.name), yaml_text(header.value.text()));
    }
    out.close();
  }
  if (!headers.remove.empty()) out.words("remove", texts(headers.remove));
  out.close();
}

void write_host(Writer& out, Host const& host) {
  out.entry();
  out.words("names", texts(host.names));
  std::vector<FilePath> certificates;
  std::vector<FilePath> keys;
  for (Identity const& identity : host.identities) {
    certificates.push_back(identity.certificate);
    keys.push_back(identity.private_key);
  }
  out.words("certificate", texts(certificates));
  out.words("private_key", texts(keys));
  out.open("client_auth");
  out.all(plain_settings(host.client_auth));
  if (!host.client_auth.ca.empty()) out.words("ca", texts(host.client_auth.ca));
  std::vector<std::string> crls;
  for (CrlSource const& crl : host.client_auth.crl) {
    crls.push_back(yaml_text(crl.kind == CrlSource::Kind::url ? crl.url : crl.path.resolved));
  }
  if (!crls.empty()) out.words("crl", crls);
  out.close();
  out.line("origin", yaml_text(*host.origin));
  if (!host.routes.empty()) {
    out.open("routes");
    for (Route const& route : host.routes) {
      out.entry();
      out.line("path", yaml_text(*route.path));
      out.line("origin", yaml_text(*route.origin));
      out.end_entry();
    }
    out.close();
  }
  write_tls(out, host.tls);
  write_forwarding(out, host.forward_client_certificate, host.request_headers);
  out.end_entry();
}

void write_origin(Writer& out, Origin const& origin) {
  out.open(yaml_text(*origin.name));
  std::vector<std::string> servers;
  for (auto const& server : origin.servers) servers.push_back(yaml_text(server->to_string()));
  out.words("servers", servers);
  out.all(plain_settings(origin));
  if (!(origin.tls == OriginTls{})) {
    out.open("tls");
    out.line("verify", *origin.tls.verify ? "true" : "false");
    if (!origin.tls.ca.empty()) out.words("ca", texts(origin.tls.ca));
    if (!origin.tls.server_name->empty()) {
      out.line("server_name", yaml_text(*origin.tls.server_name));
    }
    if (!origin.tls.certificate.empty()) {
      out.line("certificate", yaml_text(origin.tls.certificate.resolved));
      out.line("private_key", yaml_text(origin.tls.private_key.resolved));
    }
    out.close();
  }
  out.open("health");
  out.all(plain_settings(origin.health));
  std::vector<std::string> statuses;
  for (auto const& status : origin.health.status) statuses.push_back(std::to_string(*status));
  if (!statuses.empty()) out.words("status", statuses);
  out.close();
  out.open("keepalive");
  out.all(plain_settings(origin.keepalive));
  out.close();
  out.close();
}

void write_rule(Writer& out, Rule const& rule) {
  out.entry();
  out.line("name", yaml_text(*rule.name));
  if (!rule.description->empty()) out.line("description", yaml_text(*rule.description));
  if (rule.mtls) {
    out.open("mtls");
    out.words("hosts", texts(rule.mtls->hosts));
    if (!rule.mtls->paths.empty()) out.words("paths", texts(rule.mtls->paths));
    out.line("block_revoked", *rule.mtls->block_revoked ? "true" : "false");
    out.close();
  } else {
    out.line("expression", yaml_text(rule.expression.text()));
  }
  out.line("action", name_of(*rule.action));
  if (!*rule.enabled) out.line("enabled", "false");
  if (rule.response) {
    out.open("response");
    out.line("status", std::to_string(*rule.response->status));
    if (!rule.response->content_type->empty()) {
      out.line("content_type", yaml_text(*rule.response->content_type));
      out.line("body", yaml_text(*rule.response->body));
    }
    out.close();
  }
  out.end_entry();
}

void write_rules(Writer& out, std::vector<Rule> const& rules) {
  if (rules.empty()) return out.line("rules", "[]");
  out.open("rules");
  for (Rule const& rule : rules) write_rule(out, rule);
  out.close();
}

void write_list(Writer& out, List const& list) {
  out.open(yaml_text(*list.name));
  out.line("type", name_of(*list.type));
  if (list.text != nullptr) {
    out.line("file", yaml_text(list.file.resolved));
  } else {
    out.words("values", texts(list.entries));
  }
  out.close();
}

void write_named(Writer& out, std::string_view key,
                 std::vector<std::pair<Setting<std::string>, Setting<std::string>>> const& values) {
  if (values.empty()) return;
  std::vector<std::string> order;
  std::map<std::string, std::vector<std::string>> grouped;
  for (auto const& [name, value] : values) {
    auto& group = grouped[*name];
    if (group.empty()) order.push_back(*name);
    group.push_back(yaml_text(*value));
  }
  out.open(key);
  for (std::string const& name : order) {
    if (grouped[name].size() == 1) {
      out.line(yaml_text(name), grouped[name].front());
    } else {
      out.words(yaml_text(name), grouped[name]);
    }
  }
  out.close();
}

void write_test(Writer& out, RuleTest const& test) {
  out.entry();
  out.line("name", yaml_text(*test.name));
  out.open("request");
  out.line("url", yaml_text(*test.url));
  out.line("method", yaml_text(*test.method));
  if (*test.body) out.line("body", yaml_text(**test.body));
  if (*test.source_ip) out.line("source_ip", yaml_text((*test.source_ip)->to_string()));
  write_named(out, "headers", test.headers);
  out.close();
  if (!test.client_certificate.empty()) {
    out.line("client_certificate", yaml_text(test.client_certificate.resolved));
  }
  write_named(out, "fields", test.fields);
  out.open("expect");
  out.line("action", name_of(*test.expected_action));
  if (!test.expected_rule->empty()) out.line("rule", yaml_text(*test.expected_rule));
  out.close();
  out.end_entry();
}

}  // namespace

std::string format_config(Config const& config) {
  Writer out;
  write_grouped(out, plain_settings(config));
  write_tls(out, config.tls);
  write_forwarding(out, config.forward_client_certificate, config.request_headers);
  out.open("listeners");
  for (Listener const& listener : config.listeners) {
    out.entry();
    out.line("address", yaml_text(listener.address->to_string()));
    out.line("proxy_protocol", name_of(*listener.proxy_protocol));
    std::vector<std::string> sources;
    for (auto const& source : listener.trusted_sources) {
      sources.push_back(yaml_text(source->to_string()));
    }
    if (!sources.empty()) out.words("trusted_sources", sources);
    out.end_entry();
  }
  out.close();
  out.open("hosts");
  for (Host const& host : config.hosts) write_host(out, host);
  out.close();
  out.open("origins");
  for (Origin const& origin : config.origins) write_origin(out, origin);
  out.close();
  if (!config.lists.empty()) {
    out.open("lists");
    for (List const& list : config.lists) write_list(out, list);
    out.close();
  }
  write_rules(out, config.rules);
  if (config.shadow) {
    out.open("shadow");
    out.line("default_action", name_of(*config.shadow->default_action));
    write_rules(out, config.shadow->rules);
    out.close();
  }
  if (!config.tests.empty()) {
    out.open("tests");
    for (RuleTest const& test : config.tests) write_test(out, test);
    out.close();
  }
  return out.take();
}

}  // namespace certgate::config
