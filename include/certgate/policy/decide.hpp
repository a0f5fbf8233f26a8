// The decision: may this request pass?
//
// Rules are tried in order; the first `allow` or `block` that matches ends it, `log` is remembered
// and goes on, and when nothing decides the default action does. A request that cannot be judged
// (memory used up) is blocked, never let through. No I/O, no clock, no allocation, no exception.
#pragma once

#include "certgate/policy/decision.hpp"
#include "certgate/policy/facts.hpp"
#include "certgate/policy/policy.hpp"

namespace certgate::policy {

// Fills the fields that the policy reads, then judges; shadow rules are judged beside.
// Any thread, each with a Scratch of its own.
Decision decide(Policy const& policy, Facts const& facts, Scratch& scratch) noexcept;

}  // namespace certgate::policy
