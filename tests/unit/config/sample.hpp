// A valid configuration with a hole in every map, for tests that fill one of them.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "certgate/config/read_config.hpp"
#include "folder_reader.hpp"

namespace certgate::config {

// `keys` ("depth: 3") go into the map of that schema prefix ("hosts[].client_auth").
inline std::string sample_with(std::string_view prefix = {}, std::string_view keys = {}) {
  std::string const in = keys.empty() ? "" : ", " + std::string{keys};
  auto const hole = [&](std::string_view name) { return name == prefix ? in : std::string{}; };
  // A map that is all hole: {} when empty.
  auto const own = [&](std::string_view name) {
    return "{" + std::string{name == prefix ? keys : ""} + "}";
  };
  std::string text;
  if (prefix.empty() && !keys.empty()) text += std::string{keys} + "\n";
  for (std::string_view const name : {"limits", "timeouts", "crl_refresh", "sessions", "tls",
                                      "url_normalization", "request_headers"}) {
    text += std::string{name} + ": " + own(name) + "\n";
  }
  text += "log: {access: " + own("log.access") + hole("log") + "}\n";
  text += "admin: {address: \"unix:/run/admin.sock\"" + hole("admin") + "}\n";
  text += "shadow: {rules: []" + hole("shadow") + "}\n";
  text += "listeners:\n  - {address: \"127.0.0.1:8443\"" + hole("listeners[]") + "}\n";
  text += "hosts:\n  - names: [api.example.com]\n    certificate: s.pem\n    private_key: s.key\n";
  text += "    client_auth: {mode: request, ca: ca.pem" + hole("hosts[].client_auth") + "}\n";
  text += "    tls: " + own("hosts[].tls") + "\n    origin: api\n";
  text += "origins:\n  api:\n    servers: \"https://127.0.0.1\"\n";
  text += "    tls: " + own("origins.*.tls") + "\n";
  text += "    health: {path: /h" + hole("origins.*.health") + "}\n";
  text += "    keepalive: " + own("origins.*.keepalive") + "\n";
  if (prefix == "origins.*") text += "    " + std::string{keys} + "\n";
  text += "rules:\n  - name: a\n    action: block\n    response: " + own("rules[].response") + "\n";
  text += "    mtls: {hosts: a.example" + hole("rules[].mtls") + "}\n";
  if (prefix == "rules[]") text += "    " + std::string{keys} + "\n";
  text += "tests:\n  - {name: t, expect: {action: allow" + hole("tests[].expect") +
          "}, request: {url: \"https://a.example/\"" + hole("tests[].request") + "}}\n";
  return text;
}

inline Result<Config, Diagnostics> parse_text(std::string text,
                                              std::map<std::string, std::string> files = {}) {
  TextReader reader{std::move(files)};
  return parse_config(SourceText{"certgate.yaml", std::move(text)}, reader);
}

}  // namespace certgate::config
