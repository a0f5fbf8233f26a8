// The parts of a configuration, each read from its own key.
//
// Every function adds its mistakes to the Reading and leaves what it could not read at its default.
#pragma once

#include <vector>

#include "map_reader.hpp"

namespace certgate::config {

std::vector<Listener> read_listeners(MapReader& top);
// `whole`, beside the result: nothing of that host or origin is wrong.
// REQUIRES: config.tls, forward_client_certificate and request_headers are read: hosts inherit.
std::vector<Host> read_hosts(MapReader& top, Config const& config, std::vector<bool>& whole);
std::vector<Origin> read_origins(MapReader& top, std::vector<bool>& whole);

void read_tls(MapReader& tls, TlsSettings& settings);
void read_forwarded_certificates(MapReader& map,
                                 std::vector<Setting<ForwardedCertificate>>& families);
void read_request_headers(Reading& reading, Value value, RequestHeaders& headers);

// `rules` and then the files of `rule_files`, in their order.
std::vector<Rule> read_rules(MapReader& map, std::vector<FilePath>& rule_files);
std::optional<ShadowRules> read_shadow(MapReader& top);
// A list with a mistake in it is left out.
std::vector<List> read_lists(MapReader& top);
std::vector<RuleTest> read_tests(Reading& reading, Value list);

// Settings with nothing but ranges: sessions, limits, timeouts, log, admin, crl_refresh.
void read_plain_settings(MapReader& top, Config& config);

// What only the whole can tell: names that dangle or stand twice, addresses in use twice.
void check_references(Reading& reading, Config const& config);

}  // namespace certgate::config
