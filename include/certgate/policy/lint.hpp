// Rules that load and yet are probably not what their writer meant: the warnings of `check`.
//
// Unreachable and shadowed rules are reported only when that is proven (rules/analysis.hpp); the
// rest are known ways to be wrong about client certificates. Nothing here changes a decision.
//
// Cost: each rule is compared with earlier rules that could cover it, at most
// max_proofs_per_rule; 100,000 rules take seconds.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "certgate/base/diagnostic.hpp"
#include "certgate/policy/header_values.hpp"
#include "certgate/policy/policy.hpp"
#include "certgate/x509/verdict.hpp"

namespace certgate::policy {

inline constexpr std::size_t max_proofs_per_rule = 200;

struct LintContext {
  // How a canonical host name is served; nullopt: by no entry of `hosts`. Null: not checked.
  std::function<std::optional<x509::ClientAuthMode>(std::string_view host)> mode_of_host = nullptr;
  // Some host asks for client certificates.
  bool any_host_asks = true;
  HeaderValues const* header_values = nullptr;
};

// Warnings of the enabled live rules, those of the compiler (Policy::warnings()) included, in the
// order of the rules.
Diagnostics lint(Policy const& policy, LintContext const& context);

}  // namespace certgate::policy
