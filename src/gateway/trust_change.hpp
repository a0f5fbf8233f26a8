// A Generation like the running one, with other revocations or another deny list.
//
// Everything else is shared: rules, origins, certificates, TLS contexts. The hosts are made anew
// around the same parts, so that handshakes (`mode: require`) are judged by the new lists too and
// the old lists go with the last request that uses them. Cheap: microseconds for each host.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/proxy/generation.hpp"

namespace certgate::gateway {

struct TrustChange {
  std::optional<x509::DenyList::Pointer> deny_list;
  // Parallel to Generation::revocations; an empty vector: they stay.
  std::vector<x509::RevocationIndex::Pointer> revocations;
};

// Its number is the next one.
Result<std::shared_ptr<proxy::Generation>> with_change(proxy::Generation const& running,
                                                       TrustChange const& change);

}  // namespace certgate::gateway
