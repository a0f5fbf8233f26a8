// One line per setting, so that dump and comparison cannot forget one that the other knows.
#include "plain_settings.hpp"

#include "certgate/config/names.hpp"

namespace certgate::config {
namespace {

std::string word(Setting<bool> const& setting) { return *setting ? "true" : "false"; }
std::string word(Setting<std::uint64_t> const& setting) { return std::to_string(*setting); }
std::string word(Setting<Duration> const& setting) { return format_duration(*setting); }
std::string word(Setting<ByteCount> const& setting) { return format_size(*setting); }
template <class Enum>
requires std::is_enum_v<Enum> std::string word(Setting<Enum> const& setting) {
  return std::string{name_of(*setting)};
}

}  // namespace

std::string yaml_text(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (char const c : text) {
    auto const byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

namespace {

std::string flow_list(std::vector<std::string> const& words) {
  std::string out = "[";
  for (auto const& text : words) out.append(out.size() > 1 ? ", " : "").append(text);
  return out + "]";
}

}  // namespace

PlainSettings plain_settings(Config const& config) {
  PlainSettings out{
      {"workers", *config.workers == 0 ? "auto" : word(config.workers)},
      {"default_action", word(config.default_action)},
      {"sessions.tickets", word(config.sessions.tickets)},
      {"sessions.cache_entries", word(config.sessions.cache_entries)},
      {"sessions.cache_bytes", word(config.sessions.cache_bytes)},
      {"sessions.ticket_rotation", word(config.sessions.ticket_rotation)},
      {"url_normalization.type", word(config.url_normalization)},
      {"url_normalization.to_origin", word(config.normalize_to_origin)},
      {"log.level", word(config.log.level)},
      {"log.file", config.log.file.empty() ? "stderr" : yaml_text(config.log.file.resolved)},
      {"log.access.file",
       config.log.access_file.empty() ? "stdout" : yaml_text(config.log.access_file.resolved)},
      {"log.access.format", word(config.log.access_format)},
      {"limits.header_bytes", word(config.limits.header_bytes)},
      {"limits.header_fields", word(config.limits.header_fields)},
      {"limits.uri_bytes", word(config.limits.uri_bytes)},
      {"limits.body_bytes", word(config.limits.body_bytes)},
      {"limits.body_rate", word(config.limits.body_rate)},
      {"limits.judged_body_bytes", word(config.limits.judged_body_bytes)},
      {"limits.connections", word(config.limits.connections)},
      {"limits.connections_per_address", word(config.limits.connections_per_address)},
      {"limits.connections_per_certificate", word(config.limits.connections_per_certificate)},
      {"limits.handshakes", word(config.limits.handshakes)},
      {"limits.certificate_chain", word(config.limits.certificate_chain)},
      {"limits.rsa_bits", word(config.limits.rsa_bits)},
      {"limits.expression_length", word(config.limits.expression_length)},
      {"timeouts.handshake", word(config.timeouts.handshake)},
      {"timeouts.header", word(config.timeouts.header)},
      {"timeouts.body", word(config.timeouts.body)},
      {"timeouts.keep_alive", word(config.timeouts.keep_alive)},
      {"timeouts.tunnel", word(config.timeouts.tunnel)},
      {"timeouts.origin_connect", word(config.timeouts.origin_connect)},
      {"timeouts.origin_response", word(config.timeouts.origin_response)},
      {"timeouts.drain", word(config.timeouts.drain)},
      {"crl_refresh.watch", word(config.crl_refresh.watch)},
      {"crl_refresh.interval", word(config.crl_refresh.interval)},
      {"crl_refresh.retry", word(config.crl_refresh.retry)},
      {"crl_refresh.timeout", word(config.crl_refresh.timeout)},
      {"crl_refresh.start_wait", word(config.crl_refresh.start_wait)},
      {"crl_refresh.max_bytes", word(config.crl_refresh.max_bytes)},
  };
  std::vector<std::string> authorities, networks;
  for (auto const& path : config.crl_refresh.ca) authorities.push_back(yaml_text(path.resolved));
  for (auto const& network : config.crl_refresh.allowed_networks) {
    networks.push_back(yaml_text(network->to_string()));
  }
  if (!authorities.empty()) out.emplace_back("crl_refresh.ca", flow_list(authorities));
  if (!networks.empty()) out.emplace_back("crl_refresh.allowed_networks", flow_list(networks));
  if (!config.state_directory.empty()) {
    out.emplace_back("state_directory", yaml_text(config.state_directory.resolved));
  }
  if (config.admin) {
    out.emplace_back("admin.address", yaml_text(format_admin_address(*config.admin->address)));
    out.emplace_back("admin.allow_remote", word(config.admin->allow_remote));
  }
  return out;
}

PlainSettings plain_settings(ClientAuth const& auth) {
  return {{"mode", word(auth.mode)},
          {"crl_check", word(auth.crl_check)},
          {"on_expired_crl", word(auth.on_expired_crl)},
          {"crl_distribution_points", word(auth.crl_distribution_points)},
          {"depth", word(auth.depth)}};
}

PlainSettings plain_settings(TlsSettings const& tls) {
  return {{"min_version", word(tls.min_version)},
          {"max_version", word(tls.max_version)},
          {"session_lifetime", word(tls.session_lifetime)}};
}

PlainSettings plain_settings(Origin const& origin) {
  return {{"resolve_every", word(origin.resolve_every)},
          {"balance", word(origin.balance)},
          {"preserve_host", word(origin.preserve_host)}};
}

PlainSettings plain_settings(Health const& health) {
  PlainSettings out{{"eject_after", word(health.eject_after)},
                    {"eject_for", word(health.eject_for)}};
  if (health.path->empty()) return out;
  out.emplace_back("path", yaml_text(*health.path));
  if (!health.host->empty()) out.emplace_back("host", yaml_text(*health.host));
  out.emplace_back("interval", word(health.interval));
  out.emplace_back("timeout", word(health.timeout));
  out.emplace_back("healthy_after", word(health.healthy_after));
  out.emplace_back("unhealthy_after", word(health.unhealthy_after));
  return out;
}

PlainSettings plain_settings(KeepAlive const& keepalive) {
  return {{"connections", word(keepalive.connections)}, {"idle", word(keepalive.idle)}};
}

}  // namespace certgate::config
