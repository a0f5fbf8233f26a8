// Judges a client from its verification, the revocation index and the deny list.
#include "certgate/x509/verdict.hpp"

#include <openssl/x509_vfy.h>

#include <algorithm>
#include <limits>

#include "verify_reason.hpp"

namespace certgate::x509 {
namespace {

std::string_view revoked_leaf(RevocationReason reason) {
  switch (reason) {
    case RevocationReason::key_compromise:
      return "certificate revoked (keyCompromise)";
    case RevocationReason::ca_compromise:
      return "certificate revoked (cACompromise)";
    case RevocationReason::affiliation_changed:
      return "certificate revoked (affiliationChanged)";
    case RevocationReason::superseded:
      return "certificate revoked (superseded)";
    case RevocationReason::cessation_of_operation:
      return "certificate revoked (cessationOfOperation)";
    case RevocationReason::certificate_hold:
      return "certificate revoked (certificateHold)";
    case RevocationReason::remove_from_crl:
      return "certificate revoked (removeFromCRL)";
    case RevocationReason::privilege_withdrawn:
      return "certificate revoked (privilegeWithdrawn)";
    case RevocationReason::aa_compromise:
      return "certificate revoked (aACompromise)";
    case RevocationReason::unspecified:
      break;
  }
  return "certificate revoked (unspecified)";
}

// The first finding is what the reason and the detail say.
void not_verified(Verdict& verdict, int error, std::string_view detail) {
  if (verdict.verified) verdict.reason = failed_reason(error);
  verdict.verified = false;
  if (verdict.detail.empty()) verdict.detail = detail;
}

// What it means that no fresh list covers a certificate. A host that has lists counts on them: what
// none of them speaks for is not verified, or a partition left out would let everybody in.
void check_coverage(CrlStatus status, OnExpiredCrl on_expired, Verdict& verdict) {
  switch (status) {
    case CrlStatus::current:
      return;
    case CrlStatus::expired:
      if (on_expired == OnExpiredCrl::use_last) return;
      return not_verified(verdict, X509_V_ERR_CRL_HAS_EXPIRED,
                          "the CRL of the issuer is past its nextUpdate");
    case CrlStatus::out_of_scope:
      return not_verified(verdict, X509_V_ERR_DIFFERENT_CRL_SCOPE,
                          "no CRL of its issuer covers it");
    case CrlStatus::none:
      break;
  }
  not_verified(verdict, X509_V_ERR_UNABLE_TO_GET_CRL, "there is no CRL of its issuer");
}

// Looks one certificate of the path up.
void check_revocation(ClientPolicy const& policy, PathElement const& element, bool is_leaf,
                      UnixSeconds now, Verdict& verdict) {
  RevocationIndex const& index = *policy.revocations;
  CrlCoverage const coverage = index.coverage(element.issuer, *element.certificate, now);
  verdict.until = std::min(verdict.until, coverage.until);
  if (is_leaf) verdict.crl = coverage.status;
  // Whatever a list names is revoked, however old the list and whatever scope it states.
  if (auto const revocation = index.find(element.issuer, *element.certificate)) {
    if (!verdict.revoked) {
      verdict.detail =
          is_leaf ? revoked_leaf(revocation->reason) : "an issuer's certificate is revoked";
    }
    verdict.revoked = true;
  }
  check_coverage(coverage.status, policy.on_expired_crl, verdict);
}

}  // namespace

Digest ClientPolicy::identity_scope() const {
  std::uint8_t const mode_byte = static_cast<std::uint8_t>(mode);
  Bytes const mode_bytes(&mode_byte, 1);
  return trust ? sha256({mode_bytes, trust->digest().bytes}) : sha256(mode_bytes);
}

Verdict judge(ClientPolicy const& policy, ClientChain const* chain,
              Verification const* verification, UnixSeconds now) noexcept {
  Verdict verdict;
  verdict.from = now;
  verdict.until = std::numeric_limits<UnixSeconds>::max();
  if (policy.mode == ClientAuthMode::off || chain == nullptr) return verdict;
  verdict.presented = true;
  if (verification == nullptr) {  // a caller's mistake must not let anyone in
    verdict.reason = failed_reason(1);
    verdict.until = now;
    return verdict;
  }
  verdict.verified = verification->verified;
  verdict.reason = verification->reason;
  verdict.until = verification->until;
  if (now < verification->from || now > verification->until) {
    verdict.verified = false;
    verdict.reason = failed_reason(1);
    verdict.until = now;
  }
  if (verdict.verified && policy.revocations) {
    std::size_t const depth = policy.crl_check == CrlCheck::leaf
                                  ? std::min<std::size_t>(1, verification->path.size())
                                  : verification->path.size();
    for (std::size_t i = 0; i < depth; ++i) {
      PathElement const& element = verification->path[i];
      // A root's own entry in its own list would say nothing that the list's signature does not.
      bool const is_root = i > 0 && element.issuer_known && element.certificate->is_self_issued() &&
                           element.issuer == element.certificate->id_as_issuer();
      if (element.issuer_known && !is_root) {
        check_revocation(policy, element, i == 0, now, verdict);
      } else if (i == 0) {
        // The certificate is an anchor itself and nobody knows its issuer.
        check_coverage(CrlStatus::none, policy.on_expired_crl, verdict);
      }
    }
  }
  if (policy.deny_list) {
    verdict.until = std::min(verdict.until, policy.deny_list->holds_until(now));
    verdict.denied_by = policy.deny_list->find(chain->leaf(), now);
    if (verdict.denied_by != nullptr) {
      verdict.revoked = true;
      verdict.detail = "denied by the operator";
    }
  }
  return verdict;
}

}  // namespace certgate::x509
