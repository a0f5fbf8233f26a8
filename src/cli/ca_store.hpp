// The ledger of a CA in one SQLite file.
//
// One writer at a time: changes happen between begin() and commit() (BEGIN IMMEDIATE); readers see
// the last commit. The rollback journal is synced before and after every commit
// (synchronous=EXTRA), so a kill or power cut leaves the state before or after the change.
//
// Errors: io with SQLite's words and the way out; conflict when the file is not a CA's or comes
// from a newer certgate.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "certgate/pki/ledger.hpp"

struct sqlite3;

namespace certgate::cli {

inline constexpr int busy_timeout_milliseconds = 60'000;

class CaStore final : public pki::Ledger {
 public:
  static Result<CaStore> create(std::filesystem::path const& path);
  static Result<CaStore> open(std::filesystem::path const& path);

  Result<void> begin();
  Result<void> commit();
  void roll_back();

  Result<std::optional<std::string>> setting(std::string_view key);
  Result<void> set_setting(std::string_view key, std::string_view value);

  Result<void> record(pki::LedgerEntry const& entry) override;
  Result<std::optional<pki::LedgerEntry>> find(pki::Serial const& serial) override;
  Result<std::vector<pki::LedgerEntry>> find_by_name(std::string_view name) override;
  Result<std::vector<pki::LedgerEntry>> find_by_public_key(std::string_view sha256) override;
  Result<std::vector<pki::LedgerEntry>> all() override;
  Result<void> set_state(pki::Serial const& serial, pki::RecordedState state,
                         pki::RevocationReason reason, UnixSeconds at) override;
  Result<std::vector<pki::LedgerEntry>> not_active(std::string_view issuer) override;
  Result<std::optional<pki::SignedList>> last_list(std::string_view issuer) override;
  Result<void> record_list(std::string_view issuer, pki::SignedList const& list) override;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit CaStore(sqlite3* database) : database_(database) {}
  Result<void> execute(char const* sql);
  template <class... Values>
  Result<std::vector<pki::LedgerEntry>> select(std::string const& where, Values const&... values);

  std::unique_ptr<sqlite3, Close> database_;
};

// Rolls back unless committed: `StoreChange change(store); ...; change.commit()`.
class StoreChange {
 public:
  static Result<StoreChange> begin(CaStore& store);
  StoreChange(StoreChange&& other) noexcept : store_(std::exchange(other.store_, nullptr)) {}
  StoreChange& operator=(StoreChange&&) = delete;
  ~StoreChange() {
    if (store_) store_->roll_back();
  }
  Result<void> commit();

 private:
  explicit StoreChange(CaStore& store) : store_(&store) {}
  CaStore* store_;
};

}  // namespace certgate::cli
