// Rules, lists, header values and rule tests of a Config, compiled.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "certgate/base/clock.hpp"
#include "certgate/base/diagnostic.hpp"
#include "certgate/config/config.hpp"
#include "certgate/policy/header_values.hpp"
#include "certgate/policy/policy.hpp"
#include "certgate/proxy/generation.hpp"
#include "certgate/x509/verdict.hpp"

namespace certgate::gateway {

// Null when something is wrong, which is then in `diagnostics`.
std::shared_ptr<policy::Policy const> build_policy(config::Config const& config,
                                                   Diagnostics& diagnostics);
std::optional<policy::HeaderValues> build_header_values(config::Config const& config,
                                                        config::RequestHeaders const& headers,
                                                        Diagnostics& diagnostics);

// Names that cannot be set or removed: what a family of identity fields tells already, and other
// spellings of fields that certgate writes, which would have no effect.
void check_request_fields(config::RequestHeaders const& headers,
                              proxy::IdentityForwarding const& sent, Diagnostics& diagnostics);

// Which facts the rules and the header values of `generation` read, as it says.
void note_facts_in_use(proxy::Generation& generation);

// Whether any of these fields can keep a request out: some live rule that reads one blocks, or lets in
// what would be blocked otherwise. Log rules, disabled ones and shadow rules keep nobody out.
bool keeps_out_by(policy::Policy const& policy, std::function<bool(rules::FieldId)> const& is_one);

// How a host is served, for tests and explanations: null when no entry of `hosts` serves it.
using ClientPolicyOf = std::function<std::optional<x509::ClientPolicy>(std::string_view host)>;

// Runs `tests:`; a failing one is an error at its place.
void run_tests(config::Config const& config, policy::Policy const& policy,
               ClientPolicyOf const& policy_of, UnixSeconds at, Diagnostics& diagnostics);

}  // namespace certgate::gateway
