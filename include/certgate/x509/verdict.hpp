// What to think of a client at this moment: presented, verified, revoked, and why.
//
// A verdict belongs to a request, not to a connection: judge() takes the trust material in force and
// the time, and the answer may be kept until `until` as long as that material is the same. Without
// a change of either it costs two hash look-ups and allocates nothing.
//
// Rules:  `verified` stays true for a revoked certificate (Cloudflare's meaning). Where lists are
//         configured, a certificate that none of them covers (no list of its issuer, or only lists
//         of another scope) is not verified; under OnExpiredCrl::deny neither is one whose lists
//         have all expired. CrlCheck::leaf asks this of the client's certificate, CrlCheck::chain
//         of each one up to the last anchor. One that a list names stays revoked as well, so that
//         no rule lets it in. A denied certificate is revoked whether it verified or not.
#pragma once

#include <memory>
#include <string_view>

#include "certgate/base/clock.hpp"
#include "certgate/x509/client_chain.hpp"
#include "certgate/x509/deny_list.hpp"
#include "certgate/x509/revocation_index.hpp"
#include "certgate/x509/trust.hpp"

namespace certgate::x509 {

enum class ClientAuthMode : std::uint8_t { require, request, off };
enum class CrlCheck : std::uint8_t { leaf, chain };
enum class OnExpiredCrl : std::uint8_t { deny, use_last };

// One host's client authentication, as a Generation has it. Plain values; copy freely.
struct ClientPolicy {
  ClientAuthMode mode = ClientAuthMode::off;
  Trust::Pointer trust;                  // REQUIRED unless mode is off
  RevocationIndex::Pointer revocations;  // null: no CRLs configured
  DenyList::Pointer deny_list;           // null: nobody is denied
  CrlCheck crl_check = CrlCheck::leaf;
  OnExpiredCrl on_expired_crl = OnExpiredCrl::deny;

  // Equal for policies that give the same client the same verified identity: mode and trust. A TLS
  // session or a connection got under one identity scope carries no identity into another.
  Digest identity_scope() const;
};

struct Verdict {
  bool presented = false;
  bool verified = false;
  bool revoked = false;
  // "NONE", "SUCCESS" or "FAILED:<OpenSSL's words>"; never freed.
  std::string_view reason = "NONE";
  // For the log: "certificate revoked (keyCompromise)", "denied by the operator", or "".
  std::string_view detail;
  CrlStatus crl = CrlStatus::none;          // of the leaf's issuer
  DenyEntry const* denied_by = nullptr;     // lives as long as the policy's deny list
  // The first and the last second at which this verdict may be reused. A clock that is set back to
  // before it was made asks for another one.
  UnixSeconds from = 0;
  UnixSeconds until = 0;

  // Verified and not revoked: what `mode: require` and a careful rule ask for.
  bool ok() const { return verified && !revoked; }
  bool holds_at(UnixSeconds now) const { return from <= now && now <= until; }
};

// Nothing presented (or mode off): `chain` null. REQUIRES: with a chain and a mode other than off,
// `verification` is policy.trust's answer for that chain and holds at `now`.
Verdict judge(ClientPolicy const& policy, ClientChain const* chain,
              Verification const* verification, UnixSeconds now) noexcept;

}  // namespace certgate::x509
