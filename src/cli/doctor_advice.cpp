#include "doctor_advice.hpp"

#include <algorithm>

namespace certgate::cli {
namespace {

using Grade = Finding::Grade;

constexpr UnixSeconds one_day = 86'400;
constexpr UnixSeconds soon = 30 * one_day;

std::string in_backquotes(std::string_view text) { return "`" + std::string(text) + "`"; }

// What OpenSSL's words mean for whoever has to mend it.
std::string remedy_for(std::string_view reason, x509::ClientChain const& chain,
                       x509::Trust const& trust) {
  auto const says = [&](std::string_view words) { return reason.find(words) != std::string_view::npos; };
  auto const issuer = in_backquotes(chain.leaf().issuer_dn());
  if (says("expired")) {
    return "issue a new certificate (`certgate ca renew`), and check the clocks of both machines";
  }
  if (says("not yet valid")) {
    return "its time has not begun: check the clocks of the CA, the client and this machine";
  }
  if (says("purpose")) {
    return "the certificate must be issued for TLS clients: extended key usage `clientAuth`";
  }
  if (says("revoked")) return "issue a new certificate";
  if (says("key too small") || says("md too weak") || says("digest")) {
    return "issue it again with a key of RSA 2048 bits or more, or P-256, and SHA-256";
  }
  if (says("path length") || says("too long")) {
    return "the chain is longer than `client_auth: {depth: ...}` or than a CA in it allows";
  }
  if (says("local issuer") || says("verify the first") || says("self-signed") ||
      says("self signed")) {
    auto const& anchors = trust.anchors();
    bool const knows_name = std::any_of(anchors.begin(), anchors.end(), [&](auto const& anchor) {
      return anchor->subject_dn() == chain.leaf().issuer_dn();
    });
    if (knows_name) {
      return "a CA with the name of the issuer is in `ca`, but this certificate was signed with "
             "another key: the CA was made anew, or this is another CA of the same name; add the "
             "right one to `client_auth: {ca: ...}`";
    }
    return "the issuer " + issuer +
           " is not in `client_auth: {ca: ...}`, and the client sends no intermediate that leads "
           "there: add the issuer to `ca`, or have the client send its whole chain";
  }
  if (says("signature")) return "the certificate was changed after it was issued: get it again";
  return "compare it with one that works: `openssl x509 -in CERT -noout -text`";
}

}  // namespace

std::vector<Finding> examine_certificate(x509::ClientChain const& chain, UnixSeconds now) {
  std::vector<Finding> findings;
  auto const& leaf = chain.leaf();
  auto const add = [&](Grade grade, std::string what, std::string remedy = {}) {
    findings.push_back({grade, std::move(what), std::move(remedy)});
  };
  if (leaf.is_ca()) {
    add(Grade::bad, "this is a CA certificate, not one of a client",
        "name the certificate that the CA issued for the device (first in its file)");
  }
  auto const until = std::string(leaf.not_after_text());
  if (now > leaf.not_after()) {
    add(Grade::bad, "it has expired on " + until,
        "issue a new one (`certgate ca renew`), and check the clocks");
  } else if (now < leaf.not_before()) {
    add(Grade::bad, "it is not valid before " + std::string(leaf.not_before_text()),
        "check the clocks of the CA, the client and this machine");
  } else if (leaf.not_after() - now < soon) {
    add(Grade::note, "it expires in " + std::to_string((leaf.not_after() - now) / one_day) + " days, on " + until,
        "renew it in time (`certgate ca renew`)");
  } else {
    add(Grade::good, "valid until " + until);
  }
  if (leaf.has_extended_key_usage() &&
      (leaf.extended_key_usage() & (x509::client_auth | x509::any_purpose)) == 0) {
    add(Grade::bad, "it is not for TLS clients: its extended key usage lacks clientAuth",
        "issue it again with the extended key usage `clientAuth` (`certgate ca issue` does)");
  } else if (!leaf.has_extended_key_usage()) {
    add(Grade::note, "it states no extended key usage, so it may be used for anything");
  } else {
    add(Grade::good, "for TLS clients");
  }
  if (leaf.has_key_usage() && (leaf.key_usage() & (x509::digital_signature | x509::key_agreement)) == 0) {
    add(Grade::bad, "its key usage does not allow to sign, which TLS needs",
        "issue it again with the key usage `digitalSignature`");
  }
  if (leaf.is_malformed() || leaf.has_control_characters()) {
    add(Grade::bad, "a name or an extension in it is malformed; such a certificate never verifies",
        "issue it again with plain names");
  }
  if (leaf.is_rfc9440_too_large() || chain.is_rfc9440_chain_too_large()) {
    add(Grade::note,
        "it is too large for the Client-Cert fields: the origin does not get it in a header",
        "fewer names in the certificate, or `forward_client_certificate: [cloudflare]`");
  }
  return findings;
}

std::vector<Finding> examine_path(x509::ClientChain const& chain, x509::ClientPolicy const& policy,
                                  UnixSeconds now) {
  std::vector<Finding> findings;
  auto const add = [&](Grade grade, std::string what, std::string remedy = {}) {
    findings.push_back({grade, std::move(what), std::move(remedy)});
  };
  if (policy.mode == x509::ClientAuthMode::off || policy.trust == nullptr) {
    add(Grade::note, "this host never asks for a client certificate",
        "set `client_auth: {mode: request}` or `require` if it should");
    return findings;
  }
  auto const verification = policy.trust->verify(chain, now);
  if (verification.verified) {
    add(Grade::good, "its chain leads to a CA of this host");
  } else {
    add(Grade::bad, "it does not verify: " + std::string(verification.reason),
        remedy_for(verification.reason, chain, *policy.trust));
  }
  auto const verdict = x509::judge(policy, &chain, &verification, now);
  if (verdict.denied_by != nullptr) {
    auto const& entry = *verdict.denied_by;
    add(Grade::bad,
        "an operator has denied it" + (entry.reason.empty() ? "" : ": " + entry.reason),
        "`certgate denies` lists the entries, `certgate undeny` takes one away");
  } else if (verdict.revoked) {
    add(Grade::bad, std::string(verdict.detail),
        "issue a new certificate; one that is on hold comes back with `certgate ca restore`");
  }
  if (!verification.verified) return findings;
  bool const has_lists = policy.revocations != nullptr;
  switch (verdict.crl) {
    case x509::CrlStatus::current:
      if (!verdict.revoked) add(Grade::good, "not on the CRL of its issuer, which is fresh");
      if (!verdict.verified) {
        add(Grade::bad, "for an issuer above it: " + std::string(verdict.reason.substr(7)),
            "`crl_check: chain` asks for a fresh CRL of every issuer up to the root; name them all "
            "with `client_auth: {crl: ...}`, or set `crl_check: leaf`");
      }
      break;
    case x509::CrlStatus::expired:
      add(verdict.verified ? Grade::note : Grade::bad,
          "the CRL of its issuer is past its nextUpdate",
          "publish a new one (`certgate ca crl`); `on_expired_crl: use_last` would go on with the "
          "old one");
      break;
    case x509::CrlStatus::none:
      add(has_lists ? Grade::bad : Grade::note,
          has_lists ? "none of the host's CRLs is of its issuer, so it does not count as verified"
                    : "no CRL speaks for its issuer: a revocation would not be known",
          has_lists ? "add the CRL of `" + std::string(chain.leaf().issuer_dn()) +
                          "` to `client_auth: {crl: ...}`; `certgate status` says whether one that "
                          "is fetched is missing"
                    : "name the CRL with `client_auth: {crl: ...}`");
      break;
    case x509::CrlStatus::out_of_scope:
      add(Grade::bad,
          "the CRLs of its issuer do not cover this certificate (they are for CAs, or for another "
          "distribution point), so it does not count as verified",
          "add the list of its own distribution point, or the issuer's complete list");
      break;
  }
  return findings;
}

}  // namespace certgate::cli
