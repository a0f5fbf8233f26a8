// The throw-away certificates of `certgate demo`: a CA, a server, four clients, a CRL.
#pragma once

#include <filesystem>
#include <string>

#include "certgate/base/clock.hpp"
#include "certgate/base/result.hpp"

namespace certgate::cli {

// Writes into `folder`: server-ca.pem, server.pem, server.key, client-ca.pem, client-ca.crl and, for
// each of valid, revoked, expired and stranger, NAME.pem and NAME.key.
Result<void> write_demo_certificates(std::filesystem::path const& folder, UnixSeconds now);

}  // namespace certgate::cli
