#include "ca_store.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ca_files.hpp"

namespace certgate::cli {
namespace {

constexpr int schema_version = 1;
// "cgca": tells `file` and us that this database is a certgate CA.
constexpr int application_id = 0x63676361;

constexpr char const* schema = R"sql(
CREATE TABLE certificate (
  serial            TEXT PRIMARY KEY,   -- upper-case hexadecimal
  issuer            TEXT NOT NULL CHECK (issuer IN ('root', 'intermediate')),
  name              TEXT NOT NULL,
  profile           TEXT NOT NULL,
  key_origin        TEXT NOT NULL CHECK (key_origin IN ('authority', 'device')),
  issued_at         INTEGER NOT NULL,   -- seconds since 1970, UTC, as all times here
  not_before        INTEGER NOT NULL,
  not_after         INTEGER NOT NULL,
  state             TEXT NOT NULL CHECK (state IN ('active', 'held', 'revoked')),
  reason            INTEGER NOT NULL,   -- RFC 5280 CRLReason
  revoked_at        INTEGER NOT NULL,
  certificate       BLOB NOT NULL,      -- DER
  public_key_sha256 BLOB NOT NULL
);
CREATE INDEX certificate_by_name ON certificate (name);
CREATE INDEX certificate_by_key ON certificate (public_key_sha256);
CREATE INDEX certificate_not_active ON certificate (issuer) WHERE state <> 'active';
CREATE TABLE revocation_list (          -- the newest of each issuer
  issuer      TEXT PRIMARY KEY,
  number      INTEGER NOT NULL,
  this_update INTEGER NOT NULL,
  next_update INTEGER NOT NULL,
  list        BLOB NOT NULL             -- DER
);
CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL);
)sql";

Error store_error(sqlite3* database, std::string what) {
  auto const code = sqlite3_errcode(database);
  what += ": ";
  what += sqlite3_errmsg(database);
  switch (code) {
    case SQLITE_FULL:
      what += "; make room, then run the command again";
      break;
    case SQLITE_IOERR:
      what += "; look after the disk, then run the command again";
      break;
    case SQLITE_BUSY:
      what += "; another process holds it, try again";
      break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      what += "; run this as the user that owns the CA";
      break;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      what += "; restore certgate-ca.db from a backup";
      break;
    default:
      break;
  }
  return Error{code == SQLITE_BUSY ? ErrorCode::timed_out : ErrorCode::io, std::move(what)};
}

// One prepared statement with its values.
class Statement {
 public:
  Statement(sqlite3* database, std::string const& sql) : database_(database) {
    sqlite3_prepare_v2(database, sql.c_str(), static_cast<int>(sql.size()), &statement_, nullptr);
  }
  Statement(Statement const&) = delete;
  Statement& operator=(Statement const&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  Statement& text(std::string_view value) {
    sqlite3_bind_text(statement_, ++bound_, value.data(), static_cast<int>(value.size()),
                      SQLITE_TRANSIENT);
    return *this;
  }
  Statement& blob(std::string_view value) {
    sqlite3_bind_blob(statement_, ++bound_, value.data(), static_cast<int>(value.size()),
                      SQLITE_TRANSIENT);
    return *this;
  }
  Statement& number(std::int64_t value) {
    sqlite3_bind_int64(statement_, ++bound_, value);
    return *this;
  }
  // True with a row, false at the end.
  Result<bool> step() {
    if (!statement_) return fail(store_error(database_, "the CA's database"));
    switch (sqlite3_step(statement_)) {
      case SQLITE_ROW:
        return true;
      case SQLITE_DONE:
        return false;
      default:
        return fail(store_error(database_, "the CA's database"));
    }
  }
  Result<void> run() {
    auto done = step();
    if (!done) return fail(std::move(done).error());
    return {};
  }
  std::string bytes_at(int column) const {
    auto const* data = static_cast<char const*>(sqlite3_column_blob(statement_, column));
    return data ? std::string(data,
                              static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
                : std::string();
  }
  std::int64_t number_at(int column) const { return sqlite3_column_int64(statement_, column); }

 private:
  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

constexpr char const* entry_columns =
    "serial, issuer, name, profile, key_origin, issued_at, not_before, not_after, state, reason, "
    "revoked_at, certificate, public_key_sha256";

Result<pki::LedgerEntry> entry_of(Statement const& row) {
  auto serial = pki::Serial::parse(row.bytes_at(0));
  auto const state = pki::parse_recorded_state(row.bytes_at(8));
  if (!serial || !state) {
    return fail(ErrorCode::io,
                "the CA's database holds an entry that cannot be read; restore "
                "certgate-ca.db from a backup");
  }
  pki::LedgerEntry entry{*std::move(serial)};
  entry.issuer = row.bytes_at(1);
  entry.name = row.bytes_at(2);
  entry.profile = row.bytes_at(3);
  entry.key_origin =
      row.bytes_at(4) == "device" ? pki::KeyOrigin::device : pki::KeyOrigin::authority;
  entry.issued_at = row.number_at(5);
  entry.not_before = row.number_at(6);
  entry.not_after = row.number_at(7);
  entry.state = *state;
  entry.reason = static_cast<pki::RevocationReason>(row.number_at(9));
  entry.revoked_at = row.number_at(10);
  entry.certificate_der = row.bytes_at(11);
  entry.public_key_sha256 = row.bytes_at(12);
  return entry;
}

struct Blob {
  std::string_view bytes;
};
void bind(Statement& statement, std::string_view text) { statement.text(text); }
void bind(Statement& statement, Blob const& blob) { statement.blob(blob.bytes); }

}  // namespace

void CaStore::Close::operator()(sqlite3* database) const { sqlite3_close(database); }

Result<CaStore> CaStore::create(std::filesystem::path const& path) {
  // SQLite would create it readable for others under a lax umask.
  int const file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return fail(system_error("create", path, errno));
  ::close(file);
  sqlite3* database = nullptr;
  int const opened = sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr);
  CaStore store(database);
  if (opened != SQLITE_OK) return fail(store_error(database, "cannot create " + path.string()));
  if (auto done = store.execute("PRAGMA synchronous=EXTRA"); !done) return fail(done.error());
  auto const identity = "PRAGMA application_id=" + std::to_string(application_id) +
                        ";PRAGMA user_version=" + std::to_string(schema_version);
  for (auto const* sql : {"BEGIN IMMEDIATE", schema, identity.c_str(), "COMMIT"}) {
    if (auto done = store.execute(sql); !done) return fail(done.error());
  }
  return store;
}

Result<CaStore> CaStore::open(std::filesystem::path const& path) {
  sqlite3* database = nullptr;
  int const opened = sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr);
  CaStore store(database);
  if (opened != SQLITE_OK) return fail(store_error(database, "cannot open " + path.string()));
  sqlite3_extended_result_codes(database, 0);
  sqlite3_busy_timeout(database, busy_timeout_milliseconds);
  if (auto done = store.execute("PRAGMA synchronous=EXTRA"); !done) return fail(done.error());
  Statement identity(database,
                     "SELECT a.application_id, v.user_version "
                     "FROM pragma_application_id a, pragma_user_version v");
  CERTGATE_TRY(bool const found, identity.step());
  if (!found || identity.number_at(0) != application_id) {
    return fail(ErrorCode::conflict, path.string() + " is not the database of a certgate CA");
  }
  if (identity.number_at(1) > schema_version) {
    return fail(ErrorCode::conflict, path.string() + " was written by a newer certgate (schema " +
                                         std::to_string(identity.number_at(1)) +
                                         "); use that version");
  }
  return store;
}

Result<void> CaStore::execute(char const* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return fail(store_error(database_.get(), "the CA's database"));
}

Result<void> CaStore::begin() { return execute("BEGIN IMMEDIATE"); }
Result<void> CaStore::commit() { return execute("COMMIT"); }
void CaStore::roll_back() {
  // An error may have ended the transaction already; then there is nothing to undo.
  if (sqlite3_get_autocommit(database_.get()) == 0) {
    sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

Result<std::optional<std::string>> CaStore::setting(std::string_view key) {
  Statement row(database_.get(), "SELECT value FROM setting WHERE key = ?");
  CERTGATE_TRY(bool const found, row.text(key).step());
  return found ? std::optional(row.bytes_at(0)) : std::nullopt;
}

Result<void> CaStore::set_setting(std::string_view key, std::string_view value) {
  return Statement(database_.get(), "INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)")
      .text(key)
      .text(value)
      .run();
}

Result<void> CaStore::record(pki::LedgerEntry const& entry) {
  return Statement(database_.get(), std::string("INSERT INTO certificate (") + entry_columns +
                                        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .text(entry.serial.hex())
      .text(entry.issuer)
      .text(entry.name)
      .text(entry.profile)
      .text(entry.key_origin == pki::KeyOrigin::device ? "device" : "authority")
      .number(entry.issued_at)
      .number(entry.not_before)
      .number(entry.not_after)
      .text(pki::name_of(entry.state))
      .number(static_cast<int>(entry.reason))
      .number(entry.revoked_at)
      .blob(entry.certificate_der)
      .blob(entry.public_key_sha256)
      .run();
}

template <class... Values>
Result<std::vector<pki::LedgerEntry>> CaStore::select(std::string const& where,
                                                      Values const&... values) {
  Statement rows(database_.get(), std::string("SELECT ") + entry_columns + " FROM certificate " +
                                      where + " ORDER BY issued_at, rowid");
  (bind(rows, values), ...);
  std::vector<pki::LedgerEntry> entries;
  for (;;) {
    CERTGATE_TRY(bool const found, rows.step());
    if (!found) return entries;
    CERTGATE_TRY(auto entry, entry_of(rows));
    entries.push_back(std::move(entry));
  }
}

Result<std::optional<pki::LedgerEntry>> CaStore::find(pki::Serial const& serial) {
  CERTGATE_TRY(auto entries, select("WHERE serial = ?", std::string_view(serial.hex())));
  return entries.empty() ? std::nullopt : std::optional(std::move(entries.front()));
}

Result<std::vector<pki::LedgerEntry>> CaStore::find_by_name(std::string_view name) {
  return select("WHERE name = ?", name);
}

Result<std::vector<pki::LedgerEntry>> CaStore::find_by_public_key(std::string_view sha256) {
  return select("WHERE public_key_sha256 = ?", Blob{sha256});
}

Result<std::vector<pki::LedgerEntry>> CaStore::all() { return select(""); }

Result<void> CaStore::set_state(pki::Serial const& serial, pki::RecordedState state,
                                pki::RevocationReason reason, UnixSeconds at) {
  auto done = Statement(database_.get(),
                        "UPDATE certificate SET state = ?, reason = ?, revoked_at = ? "
                        "WHERE serial = ?")
                  .text(pki::name_of(state))
                  .number(static_cast<int>(reason))
                  .number(at)
                  .text(serial.hex())
                  .run();
  if (done && sqlite3_changes(database_.get()) != 1) {
    return fail(ErrorCode::not_found, "no certificate has the serial " + serial.hex());
  }
  return done;
}

Result<std::vector<pki::LedgerEntry>> CaStore::not_active(std::string_view issuer) {
  return select("WHERE issuer = ? AND state <> 'active'", issuer);
}

Result<std::optional<pki::SignedList>> CaStore::last_list(std::string_view issuer) {
  Statement row(database_.get(),
                "SELECT number, this_update, next_update, list FROM revocation_list "
                "WHERE issuer = ?");
  CERTGATE_TRY(bool const found, row.text(issuer).step());
  if (!found) return std::optional<pki::SignedList>();
  return std::optional(
      pki::SignedList{row.number_at(0), row.number_at(1), row.number_at(2), row.bytes_at(3)});
}

Result<void> CaStore::record_list(std::string_view issuer, pki::SignedList const& list) {
  return Statement(database_.get(),
                   "INSERT OR REPLACE INTO revocation_list "
                   "(issuer, number, this_update, next_update, list) VALUES (?, ?, ?, ?, ?)")
      .text(issuer)
      .number(list.number)
      .number(list.this_update)
      .number(list.next_update)
      .blob(list.der)
      .run();
}

Result<StoreChange> StoreChange::begin(CaStore& store) {
  if (auto done = store.begin(); !done) return fail(std::move(done).error());
  return StoreChange(store);
}

Result<void> StoreChange::commit() {
  auto done = store_->commit();
  if (done) store_ = nullptr;
  return done;
}

}  // namespace certgate::cli
