// How lists are fetched: when, how long, how much, from where, and whom https servers must be.
#pragma once

#include <chrono>
#include <vector>

#include "certgate/base/diagnostic.hpp"
#include "certgate/config/config.hpp"
#include "certgate/fetch/address_policy.hpp"
#include "certgate/fetch/schedule.hpp"
#include "certgate/x509/certificate.hpp"

namespace certgate::gateway {

struct CrlFetchSettings {
  fetch::Pace pace;
  std::chrono::milliseconds timeout{std::chrono::seconds{30}};
  std::size_t max_bytes = std::size_t{64} * 1024 * 1024;
  std::vector<x509::Certificate::Pointer> authorities;  // of https servers
  fetch::AddressPolicy addresses;
};
// Errors: a CA file of `crl_refresh.ca` that cannot be used, at its place.
Result<CrlFetchSettings, Diagnostics> crl_fetch_settings(config::CrlRefresh const& refresh);

}  // namespace certgate::gateway
