// Known ways to be wrong about client certificates.
#include <algorithm>
#include <optional>

#include "certgate/rules/ast.hpp"
#include "lint_rules.hpp"

namespace certgate::policy {
namespace {

using rules::Node;

constexpr std::string_view verified_name = "cf.tls_client_auth.cert_verified";
constexpr std::string_view revoked_name = "cf.tls_client_auth.cert_revoked";

bool mentions(Node const& node, rules::FieldId field) {
  if (node.kind == Node::Kind::field && node.field == field) return true;
  return std::any_of(node.children.begin(), node.children.end(),
                     [field](Node const& child) { return mentions(child, field); });
}

// The outermost `not` around a test of cert_verified: "whoever is not ...".
Node const* find_unverified_test(Node const& node) {
  if (node.kind == Node::Kind::negation && mentions(node, id_of(Field::cert_verified)))
    return &node;
  for (auto const& child : node.children) {
    if (auto const* found = find_unverified_test(child)) return found;
  }
  return nullptr;
}

// Whom a comparison is true of: those whose value it names, or everybody else (`ne`, or an odd number
// of `not` around it).
enum class Whom { named, others };

bool is_fingerprint(rules::FieldId field) {
  return field == id_of(Field::cert_fingerprint_sha256) ||
         field == id_of(Field::cert_fingerprint_sha1);
}

// The first comparison of such a field that is true of those. The sign counts the `not` above it.
Node const* find_comparison(Node const& node, bool (*is_wanted)(rules::FieldId), Whom whom,
                            bool negated = false) {
  if (node.kind == Node::Kind::negation) {
    return find_comparison(node.children.front(), is_wanted, whom, !negated);
  }
  if (node.kind == Node::Kind::comparison) {
    auto const* left = &node.children.front();
    while (!left->children.empty() && left->kind != Node::Kind::field) {
      left = &left->children.front();
    }
    bool const excepts = (node.compare == rules::CompareOp::not_equal) != negated;
    // `ne ""` asks whether there is one at all.
    bool const about_absence = node.literals.size() == 1 && node.literals.front().bytes.empty();
    return left->kind == Node::Kind::field && is_wanted(left->field) &&
                   excepts == (whom == Whom::others) && !about_absence
               ? &node
               : nullptr;
  }
  for (auto const& child : node.children) {
    if (auto const* found = find_comparison(child, is_wanted, whom, negated)) return found;
  }
  return nullptr;
}

std::string on_hosts(std::vector<std::string> const& hosts) {
  if (hosts.empty()) return {};
  std::string out = "http.host in {";
  for (auto const& host : hosts) out += rules::format_quoted(host) + " ";
  out.back() = '}';
  return out + " and ";
}

}  // namespace

bool LintedRule::is_about_certificates() const {
  return std::any_of(uses.begin(), uses.end(),
                     [](auto const& use) { return is_certificate_field(use.field); });
}

// As in find_unreachable(): a rule that requires a host covers only what requires one of its hosts.
std::vector<LintedRule const*> Linter::blocks_for(std::vector<std::string> const& hosts) const {
  if (hosts.empty() || candidates_ == Candidates::all) return blocks_;
  auto candidates = blocks_by_host_.on_any_host;
  auto const of_hosts = blocks_by_host_.on(hosts);
  candidates.insert(candidates.end(), of_hosts.begin(), of_hosts.end());
  return candidates;
}

bool Linter::is_blocked(std::string const& expression) const {
  auto limits = policy_.limits();
  limits.expression_length += 1024;  // what the callers put around a rule's text
  limits.nesting = rules::max_nesting;
  auto const checked = rules::check(policy_.scheme(), expression, limits);
  if (!checked) return false;
  std::size_t proofs = 0;
  for (auto const* const rule : blocks_for(asked_hosts(*checked, policy_.scheme()))) {
    if (++proofs > max_proofs_per_rule) return false;
    if (rules::implies(*checked, rule->checked, policy_.scheme())) return true;
  }
  return false;
}

void Linter::check_hosts(LintedRule const& rule) {
  bool const about_certificates = rule.is_about_certificates();
  if (about_certificates && rule.hosts.empty() && !context_.any_host_asks) {
    warn(rule, whole(rule), "no host asks for client certificates, so none is ever presented",
         "set client_auth.mode to request or require");
    return;
  }
  if (!context_.mode_of_host) return;
  for (auto const& host : rule.hosts) {
    auto const mode = context_.mode_of_host(host);
    if (!mode) {
      warn(rule, rule.span_of(id_of(Field::host)), "no entry of hosts serves `" + host + "`",
           "requests for it are answered 421 before any rule is asked");
    } else if (about_certificates && *mode == x509::ClientAuthMode::off) {
      warn(rule, rule.span_of(id_of(Field::host)),
           "client certificates are not asked for on `" + host + "`, so none is ever presented",
           "set client_auth.mode of that host to request or require");
    }
  }
}

// See x509/deny_list.hpp: the deny list knows the other fingerprint, a rule does not.
void Linter::check_fingerprints(LintedRule const& rule) {
  bool const blocks = rule.text->action == Action::block;
  auto const* const kept_out =
      find_comparison(rule.checked.root, is_fingerprint, blocks ? Whom::named : Whom::others);
  if (kept_out == nullptr) return;
  warn(rule, kept_out->span,
       "whoever is kept out by a fingerprint can give an ECDSA-signed certificate another one",
       "name its serial number and issuer, put it on the CRL, or use `certgate deny`");
}

void Linter::check_allow(LintedRule const& rule) {
  auto const& scheme = policy_.scheme();
  bool const verified =
      rules::requires_bool(rule.checked, id_of(Field::cert_verified), true, scheme);
  auto const identity = std::find_if(rule.uses.begin(), rule.uses.end(),
                                     [](auto const& use) { return is_identity_field(use.field); });
  if (identity != rule.uses.end() && !verified &&
      !is_blocked("(" + rule.checked.text + ") and not " + std::string{verified_name})) {
    warn(rule, identity->span,
         "an unverified certificate can claim any name: this lets in whoever made one",
         "add `and cf.tls_client_auth.cert_verified`");
  }
  bool const tests_verified = rule.uses_field(Field::cert_verified);
  if (tests_verified &&
      !rules::requires_bool(rule.checked, id_of(Field::cert_revoked), false, scheme) &&
      !is_blocked("(" + rule.checked.text + ") and " + std::string{revoked_name})) {
    warn(rule, rule.span_of(id_of(Field::cert_verified)),
         "cert_verified stays true for a revoked certificate, so this lets revoked clients in",
         "add `and not cf.tls_client_auth.cert_revoked`");
  }
}

void Linter::check_block(LintedRule const& rule) {
  if (auto const* test = find_unverified_test(rule.checked.root);
      test != nullptr && !rule.uses_field(Field::cert_revoked)) {
    auto revoked = rule.checked.text;
    revoked.replace(test->span.offset, test->span.length, revoked_name);
    if (!is_blocked(revoked)) {
      warn(rule, rule.span_of(id_of(Field::cert_verified)),
           "cert_verified stays true for a revoked certificate, so revoked clients pass this rule",
           "write `(not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked)`");
    }
  }
  if (rule.uses_field(Field::cert_verified)) return;
  // Such a rule blocks all but the named ones, and trusts the name.
  auto const* const excepted =
      find_comparison(rule.checked.root, is_identity_field, Whom::others);
  if (excepted != nullptr &&
      !is_blocked(on_hosts(rule.hosts) + "not " + std::string{verified_name})) {
    warn(rule, excepted->span,
         "an unverified certificate can claim any name: whoever makes one with this value passes",
         "add `or not cf.tls_client_auth.cert_verified`");
  }
}

}  // namespace certgate::policy
