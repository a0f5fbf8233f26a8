// Verifies each list against the CAs, then picks per issuer and scope what is in force.
#include "crl_selection.hpp"

#include <algorithm>
#include <string>

namespace certgate::x509 {
namespace {

std::strong_ordering compare_numbers(Bytes a, Bytes b) {
  return compare_crl_numbers(as_text(a), as_text(b));
}

std::string number_text(Bytes number) {
  return number.empty() ? "00" : format_hex(number, HexCase::upper);
}

std::string named(LabelledCrl const& list) {
  return list.label + ": the CRL of \"" + list.crl->issuer_dn() + "\"";
}

// Whether `a` is newer than `b`: by number when both have one, else by thisUpdate.
bool is_newer(Crl const& a, Crl const& b) {
  if (a.number() && b.number()) {
    auto const order = compare_numbers(*a.number(), *b.number());
    if (order != 0) return order > 0;
  }
  return a.this_update() > b.this_update();
}

// The CA that issued the list. Several may have its name; key identifier and signature decide.
Result<IssuerId> issuer_of(LabelledCrl const& list, std::span<Certificate::Pointer const> issuers) {
  std::string best_reason;
  for (Certificate::Pointer const& ca : issuers) {
    auto const verified = list.crl->verify_issued_by(*ca);
    if (verified) return ca->id_as_issuer();
    bool const is_about_name = verified.error().detail.starts_with("it was issued by");
    if (!is_about_name) best_reason = verified.error().detail;
  }
  if (best_reason.empty()) {
    return fail(ErrorCode::invalid, named(list) + " was issued by none of the CAs configured");
  }
  return fail(ErrorCode::invalid, named(list) + " cannot be trusted: " + best_reason);
}

struct Group {
  SelectedCrl chosen;
  Digest scope;
};

Group* group_of(std::vector<Group>& groups, IssuerId const& issuer, Digest const& scope) {
  for (Group& group : groups) {
    if (group.chosen.issuer == issuer && group.scope == scope) return &group;
  }
  return nullptr;
}

CrlFacts facts_of(LabelledCrl const& list, SelectedCrl const& selected) {
  Crl const& crl = *list.crl;
  CrlFacts facts;
  facts.issuer = selected.issuer;
  facts.issuer_dn = crl.issuer_dn();
  facts.label = list.label;
  if (crl.number()) facts.number = number_text(*crl.number());
  facts.scope = crl.scope();
  facts.this_update = crl.this_update();
  facts.next_update = crl.next_update();
  facts.counts_until = selected.counts_until();
  facts.entries = crl.entry_count();
  facts.is_delta = crl.is_delta();
  facts.only_ca_certificates = crl.only_ca_certificates();
  return facts;
}

// Puts a delta beside its base; an older one than the base, or than another delta, is passed over.
Result<void> add_delta(std::vector<Group>& groups, LabelledCrl const& list,
                       IssuerId const& issuer) {
  Crl const& delta = *list.crl;
  Group* const group = group_of(groups, issuer, delta.scope());
  if (group == nullptr) {
    return fail(ErrorCode::invalid, named(list) + " is a delta without its base");
  }
  Crl const& base = *group->chosen.base->crl;
  if (!base.number()) {
    return fail(ErrorCode::invalid, named(list) + " is a delta, but its base has no CRL number");
  }
  // RFC 5280 §5.2.4: "The CRL number of the complete CRL is equal to or greater than the
  // BaseCRLNumber specified in the delta CRL."
  if (compare_numbers(*base.number(), *delta.base_number()) < 0) {
    return fail(ErrorCode::invalid, named(list) + " is a delta to number " +
                                        number_text(*delta.base_number()) +
                                        ", but the base has number " + number_text(*base.number()));
  }
  // "The CRL number of the complete CRL is less than the CRL number of the delta CRL."
  if (compare_numbers(*base.number(), *delta.number()) >= 0) return {};
  LabelledCrl const*& chosen = group->chosen.delta;
  if (chosen == nullptr || is_newer(delta, *chosen->crl)) chosen = &list;
  return {};
}

// The newest number and date that a scope of an issuer has reached, base and delta together.
struct Reached {
  std::string number;  // hexadecimal, "" when there is none
  UnixSeconds this_update = 0;
};

Reached reached(std::vector<CrlFacts> const& lists, IssuerId const& issuer, Digest const& scope) {
  Reached most;
  for (CrlFacts const& list : lists) {
    if (list.issuer != issuer || list.scope != scope) continue;
    if (compare_crl_numbers(most.number, list.number) < 0) most.number = list.number;
    most.this_update = std::max(most.this_update, list.this_update);
  }
  return most;
}

}  // namespace

// RFC 5280 §5.2.4, of a base and a delta: "the resulting locally constructed CRL has the thisUpdate
// and nextUpdate times specified in the corresponding fields of the delta CRL used in its
// construction". A base that is current speaks for itself when its delta has ended.
std::optional<UnixSeconds> SelectedCrl::counts_until() const {
  auto const of_base = base->crl->next_update();
  if (delta == nullptr || !of_base) return of_base;
  auto const of_delta = delta->crl->next_update();
  return of_delta ? std::max(*of_base, *of_delta) : of_delta;
}

// Big-endian without leading zeros: the longer is the higher.
std::strong_ordering compare_crl_numbers(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a <=> b;
}

std::string highest_number(std::span<CrlFacts const> lists) {
  std::string highest;
  for (CrlFacts const& list : lists) {
    if (compare_crl_numbers(highest, list.number) < 0) highest = list.number;
  }
  return highest;
}

Result<CrlSelection> select_crls(std::span<LabelledCrl const> lists,
                                 std::span<Certificate::Pointer const> issuers) {
  std::vector<IssuerId> issuer_ids;
  std::vector<Group> groups;
  for (LabelledCrl const& list : lists) {
    if (!list.crl->unusable_because().empty()) {
      return fail(ErrorCode::invalid,
                  named(list) + " cannot be used: it " + list.crl->unusable_because());
    }
    CERTGATE_TRY(IssuerId const issuer, issuer_of(list, issuers));
    issuer_ids.push_back(issuer);
    if (list.crl->is_delta()) continue;
    Group* const group = group_of(groups, issuer, list.crl->scope());
    if (group == nullptr) {
      groups.push_back({{issuer, &list, nullptr}, list.crl->scope()});
    } else if (is_newer(*list.crl, *group->chosen.base->crl)) {
      group->chosen.base = &list;
    }
  }
  for (std::size_t i = 0; i < lists.size(); ++i) {
    if (!lists[i].crl->is_delta()) continue;
    if (auto added = add_delta(groups, lists[i], issuer_ids[i]); !added) {
      return fail(std::move(added).error());
    }
  }
  CrlSelection selection;
  for (Group const& group : groups) {
    selection.lists.push_back(group.chosen);
    selection.facts.push_back(facts_of(*group.chosen.base, group.chosen));
    if (group.chosen.delta != nullptr) {
      selection.facts.push_back(facts_of(*group.chosen.delta, group.chosen));
    }
  }
  return selection;
}

Result<void> refuse_older(CrlSelection const& selection, RevocationIndex const& previous) {
  for (CrlFacts const& list : selection.facts) {
    Reached const before = reached(previous.lists(), list.issuer, list.scope);
    Reached const after = reached(selection.facts, list.issuer, list.scope);
    std::string const name = list.label + ": the CRL of \"" + list.issuer_dn + "\"";
    if (compare_crl_numbers(after.number, before.number) < 0) {
      return fail(ErrorCode::conflict,
                  name + " goes backwards: number " + before.number + " is in force, this is " +
                      (after.number.empty() ? "without a number" : "number " + after.number));
    }
    if (after.this_update < before.this_update) {
      return fail(ErrorCode::conflict,
                  name + " goes backwards: one of " + format_time(before.this_update) +
                      " is in force, this is of " + format_time(after.this_update));
    }
  }
  return {};
}

}  // namespace certgate::x509
