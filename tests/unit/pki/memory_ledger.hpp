// A ledger in memory, as plain as can be: what the SQLite one must agree with.
#pragma once

#include <map>

#include "certgate/pki/ledger.hpp"

namespace certgate::pki {

class MemoryLedger final : public Ledger {
 public:
  Result<void> record(LedgerEntry const& entry) override {
    for (auto const& known : entries_) {
      if (known.serial == entry.serial) return fail(ErrorCode::conflict, "serial twice");
    }
    entries_.push_back(entry);
    return {};
  }
  Result<std::optional<LedgerEntry>> find(Serial const& serial) override {
    for (auto const& entry : entries_) {
      if (entry.serial == serial) return std::optional(entry);
    }
    return std::optional<LedgerEntry>();
  }
  Result<std::vector<LedgerEntry>> find_by_name(std::string_view name) override {
    return filtered([&](LedgerEntry const& entry) { return entry.name == name; });
  }
  Result<std::vector<LedgerEntry>> find_by_public_key(std::string_view sha256) override {
    return filtered([&](LedgerEntry const& entry) { return entry.public_key_sha256 == sha256; });
  }
  Result<std::vector<LedgerEntry>> all() override { return entries_; }
  Result<void> set_state(Serial const& serial, RecordedState state, RevocationReason reason,
                         UnixSeconds at) override {
    for (auto& entry : entries_) {
      if (entry.serial != serial) continue;
      entry.state = state;
      entry.reason = reason;
      entry.revoked_at = at;
      return {};
    }
    return fail(ErrorCode::not_found, "no such serial");
  }
  Result<std::vector<LedgerEntry>> not_active(std::string_view issuer) override {
    return filtered([&](LedgerEntry const& entry) {
      return entry.issuer == issuer && entry.state != RecordedState::active;
    });
  }
  Result<std::optional<SignedList>> last_list(std::string_view issuer) override {
    auto const found = lists_.find(std::string(issuer));
    if (found == lists_.end()) return std::optional<SignedList>();
    return std::optional(found->second);
  }
  Result<void> record_list(std::string_view issuer, SignedList const& list) override {
    lists_[std::string(issuer)] = list;
    return {};
  }

 private:
  template <class Test>
  std::vector<LedgerEntry> filtered(Test test) const {
    std::vector<LedgerEntry> found;
    for (auto const& entry : entries_) {
      if (test(entry)) found.push_back(entry);
    }
    return found;
  }
  std::vector<LedgerEntry> entries_;
  std::map<std::string, SignedList> lists_;
};

}  // namespace certgate::pki
