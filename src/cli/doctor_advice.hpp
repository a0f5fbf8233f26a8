// What to do about each way in which a client certificate fails, in plain words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/x509/client_chain.hpp"
#include "certgate/x509/verdict.hpp"

namespace certgate::cli {

struct Finding {
  enum class Grade { good, note, bad };
  Grade grade = Grade::good;
  std::string what;
  std::string remedy;  // "" when there is nothing to do
};

// The certificate by itself: dates, purpose, key, names, size.
std::vector<Finding> examine_certificate(x509::ClientChain const& chain, UnixSeconds now);
// Its way through one host's client authentication: chain, CRLs, deny list.
std::vector<Finding> examine_path(x509::ClientChain const& chain, x509::ClientPolicy const& policy,
                                  UnixSeconds now);

}  // namespace certgate::cli
