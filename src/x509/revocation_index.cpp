// Answers from an index that crl_selection has decided the contents of.
#include "certgate/x509/revocation_index.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <set>

#include "crl_selection.hpp"
#include "der.hpp"
#include "serial_table.hpp"

namespace certgate::x509 {
namespace {

constexpr UnixSeconds for_ever = std::numeric_limits<UnixSeconds>::max();

// What one list (with its delta) speaks for.
struct Scope {
  bool only_user = false;
  bool only_ca = false;
  std::vector<std::string> point_names;  // each GeneralName as DER
  std::optional<UnixSeconds> counts_until;
};

// Whether one of the certificate's CRL distribution points has one of these names.
bool names_one_of(Certificate const& certificate, std::vector<std::string> const& names) noexcept {
  der::Reader outer(certificate.crl_distribution_points()), points;
  if (!outer.enter(der::sequence, points)) return false;
  for (der::Reader point; points.enter(der::sequence, point);) {
    der::Reader name, full;
    if (!point.enter(der::context_constructed(0), name) ||
        !name.enter(der::context_constructed(0), full)) {
      continue;
    }
    for (der::Element element; full.next(element);) {
      for (std::string const& wanted : names) {
        if (as_text(element.whole) == wanted) return true;
      }
    }
  }
  return false;
}

bool covers(Scope const& scope, Certificate const& certificate) noexcept {
  if (scope.only_user && certificate.is_ca()) return false;
  if (scope.only_ca && !certificate.is_ca()) return false;
  return scope.point_names.empty() || names_one_of(certificate, scope.point_names);
}

// Everything one issuer has revoked.
class Issuer {
 public:
  Issuer(IssuerId id, std::vector<SelectedCrl const*> const& lists) : id_(id) {
    slots_.fill(no_table);
    for (SelectedCrl const* list : lists) add_scope(*list);
    fill(lists);
  }

  IssuerId const& id() const { return id_; }
  UnixSeconds latest_revocation() const { return latest_revocation_; }

  std::optional<Revocation> find(Bytes serial, bool negative) const noexcept {
    if (serial.size() > max_serial_bytes + 1) return std::nullopt;
    std::uint8_t const slot = slots_[slot_of(serial, negative)];
    return slot == no_table ? std::nullopt : tables_[slot].find(serial);
  }

  CrlCoverage coverage(Certificate const& subject, UnixSeconds now) const noexcept {
    CrlCoverage answer{CrlStatus::out_of_scope, for_ever};
    for (Scope const& scope : scopes_) {
      if (!covers(scope, subject)) continue;
      // At its nextUpdate a list is old: OpenSSL's reading, and the careful one.
      UnixSeconds const until = scope.counts_until ? *scope.counts_until - 1 : for_ever;
      if (now > until) {
        if (answer.status == CrlStatus::out_of_scope) answer.status = CrlStatus::expired;
      } else if (answer.status != CrlStatus::current || until > answer.until) {
        answer = {CrlStatus::current, until};
      }
    }
    return answer;
  }

  std::size_t entry_count() const {
    std::size_t count = 0;
    for (SerialTable const& table : tables_) count += table.entry_count();
    return count;
  }
  std::size_t memory_bytes() const {
    std::size_t bytes = sizeof *this;
    for (SerialTable const& table : tables_) bytes += table.memory_bytes();
    return bytes;
  }

 private:
  static constexpr std::uint8_t no_table = 0xFF;
  static constexpr std::size_t lengths = max_serial_bytes + 2;
  static std::size_t slot_of(Bytes serial, bool negative) {
    return serial.size() + (negative ? lengths : 0);
  }

  void add_scope(SelectedCrl const& list) {
    Scope scope;
    scope.only_user = list.base->crl->only_user_certificates();
    scope.only_ca = list.base->crl->only_ca_certificates();
    for (Bytes const name : list.base->crl->distribution_point_names()) {
      scope.point_names.emplace_back(as_text(name));
    }
    scope.counts_until = list.counts_until();
    scopes_.push_back(std::move(scope));
  }

  // Calls `visit` with every entry that is in force, always in the same order. `next` reads the
  // entries of bases: Crl::Cursor::next_serial where reason and date are not needed.
  template <class Visit>
  static void walk(std::vector<SelectedCrl const*> const& lists,
                   bool (Crl::Cursor::*next)(CrlEntry&), Visit visit) {
    CrlEntry entry;
    for (SelectedCrl const* list : lists) {
      std::set<std::pair<bool, std::string_view>> changed;
      if (list->delta != nullptr) {
        for (auto cursor = list->delta->crl->entries(); cursor.next(entry);) {
          changed.emplace(entry.negative, as_text(entry.serial));
          // RFC 5280 §5.3.1: removeFromCRL "may only appear in delta CRLs and indicates that a
          // certificate is to be removed from a CRL".
          if (entry.reason != RevocationReason::remove_from_crl) visit(entry);
        }
      }
      for (auto cursor = list->base->crl->entries(); (cursor.*next)(entry);) {
        if (changed.empty() || !changed.contains({entry.negative, as_text(entry.serial)})) {
          visit(entry);
        }
      }
    }
  }

  // Where an entry goes: its table's slot and the hash of its serial.
  struct Place {
    std::uint32_t hash;
    std::uint8_t slot;
  };
  // How many entries ahead memory is asked for: filling goes to a place of its own for each.
  static constexpr std::size_t ahead = 16;

  void fill(std::vector<SelectedCrl const*> const& lists) {
    std::array<std::size_t, 2 * lengths> counts{};
    std::vector<Place> places;
    std::size_t most = 0;
    for (SelectedCrl const* list : lists) {
      most += list->base->crl->entry_count();
      if (list->delta != nullptr) most += list->delta->crl->entry_count();
    }
    places.reserve(most);
    walk(lists, &Crl::Cursor::next_serial, [&](CrlEntry const& entry) {
      std::size_t const slot = slot_of(entry.serial, entry.negative);
      ++counts[slot];
      places.push_back({SerialTable::hash_of(entry.serial), static_cast<std::uint8_t>(slot)});
    });
    for (std::size_t slot = 0; slot < counts.size(); ++slot) {
      if (counts[slot] == 0) continue;
      slots_[slot] = static_cast<std::uint8_t>(tables_.size());
      tables_.emplace_back(slot % lengths, counts[slot]);
    }
    auto const table_of = [&](Place place) -> SerialTable& { return tables_[slots_[place.slot]]; };
    for (Place const place : places) table_of(place).count_one(place.hash);
    for (SerialTable& table : tables_) table.start_placing();
    std::size_t at = 0;
    walk(lists, &Crl::Cursor::next, [&](CrlEntry const& entry) {
      if (at + 2 * ahead < places.size()) {
        table_of(places[at + 2 * ahead]).will_find_place(places[at + 2 * ahead].hash);
        table_of(places[at + ahead]).will_place(places[at + ahead].hash);
      }
      table_of(places[at]).place(entry, places[at].hash);
      latest_revocation_ = std::max(latest_revocation_, entry.revoked_at);
      ++at;
    });
  }

  IssuerId id_;
  std::vector<Scope> scopes_;
  UnixSeconds latest_revocation_ = 0;
  std::array<std::uint8_t, 2 * lengths> slots_;  // serial length and sign -> table
  std::vector<SerialTable> tables_;
};

class PackedIndex final : public RevocationIndex {
 public:
  explicit PackedIndex(CrlSelection const& selection) : facts_(selection.facts) {
    std::map<IssuerId, std::vector<SelectedCrl const*>> by_issuer;
    for (SelectedCrl const& list : selection.lists) by_issuer[list.issuer].push_back(&list);
    issuers_.reserve(by_issuer.size());
    for (auto const& [id, lists] : by_issuer) issuers_.emplace_back(id, lists);
  }

  std::optional<Revocation> find(IssuerId const& id, Bytes serial,
                                 bool negative) const noexcept override {
    Issuer const* const issuer = issuer_of(id);
    return issuer == nullptr ? std::nullopt : issuer->find(serial, negative);
  }
  CrlCoverage coverage(IssuerId const& id, Certificate const& subject,
                       UnixSeconds now) const noexcept override {
    Issuer const* const issuer = issuer_of(id);
    return issuer == nullptr ? CrlCoverage{CrlStatus::none, for_ever}
                             : issuer->coverage(subject, now);
  }
  bool has_issuer(IssuerId const& id) const noexcept override { return issuer_of(id) != nullptr; }
  UnixSeconds latest_revocation(IssuerId const& id) const noexcept override {
    Issuer const* const issuer = issuer_of(id);
    return issuer == nullptr ? 0 : issuer->latest_revocation();
  }
  std::vector<CrlFacts> const& lists() const override { return facts_; }
  std::size_t entry_count() const override {
    std::size_t count = 0;
    for (Issuer const& issuer : issuers_) count += issuer.entry_count();
    return count;
  }
  std::size_t memory_bytes() const override {
    std::size_t bytes = sizeof *this;
    for (Issuer const& issuer : issuers_) bytes += issuer.memory_bytes();
    return bytes;
  }

 private:
  Issuer const* issuer_of(IssuerId const& id) const noexcept {
    auto const at = std::lower_bound(
        issuers_.begin(), issuers_.end(), id,
        [](Issuer const& issuer, IssuerId const& wanted) { return issuer.id() < wanted; });
    return at != issuers_.end() && at->id() == id ? &*at : nullptr;
  }

  std::vector<CrlFacts> facts_;
  std::vector<Issuer> issuers_;  // sorted by id
};

}  // namespace

std::string_view name_of(CrlStatus status) {
  switch (status) {
    case CrlStatus::none:
      return "none";
    case CrlStatus::current:
      return "current";
    case CrlStatus::expired:
      return "expired";
    case CrlStatus::out_of_scope:
      break;
  }
  return "out_of_scope";
}

Result<RevocationIndex::Pointer> RevocationIndex::build(
    std::span<LabelledCrl const> lists, std::span<Certificate::Pointer const> issuers,
    RevocationIndex const* previous, OnOlderCrl on_older) {
  CERTGATE_TRY(auto const selection, select_crls(lists, issuers));
  if (previous != nullptr && on_older == OnOlderCrl::refuse) {
    if (auto forward = refuse_older(selection, *previous); !forward) {
      return fail(std::move(forward).error());
    }
  }
  return Pointer(std::make_shared<PackedIndex>(selection));
}

}  // namespace certgate::x509
