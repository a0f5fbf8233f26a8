#include "ca_directory.hpp"

#include <unistd.h>

#include <cerrno>

#include "certgate/base/encoding.hpp"

namespace certgate::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view lists_to_publish = "lists_to_publish";

std::string staged_name(pki::Serial const& serial) {
  return std::string(temporary_prefix) + serial.hex();
}

Result<pki::Certificate> load_certificate(fs::path const& path) {
  CERTGATE_TRY(auto const pem, read_file(path, max_pem_file_bytes));
  auto certificate = pki::Certificate::parse_pem(pem);
  if (!certificate) {
    auto error = std::move(certificate).error();
    error.detail = path.string() + ": " + error.detail;
    return fail(std::move(error));
  }
  return certificate;
}

Result<pki::Authority> load_authority(pki::Certificate const& certificate, fs::path const& path,
                                      std::string_view password) {
  CERTGATE_TRY(auto const pem, read_file(path, max_pem_file_bytes));
  auto key = pki::PrivateKey::parse_pem(pem, password);
  if (!key) return fail(key.error().code, path.string() + ": " + key.error().detail);
  auto authority = pki::Authority::open(certificate, *std::move(key));
  if (!authority) {
    return fail(authority.error().code, path.string() + ": " + authority.error().detail);
  }
  return authority;
}

}  // namespace

std::string file_name_of(std::string_view name) {
  std::string out;
  for (char const c : name) {
    bool const plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '@' || c == '+' || c == '-' || (c == '.' && !out.empty());
    if (plain) {
      out += c;
    } else {
      out += '%';
      append_hex(out, as_bytes(std::string_view(&c, 1)), HexCase::upper);
    }
  }
  return out;
}

CaDirectory::CaDirectory(fs::path path, CaStore store, pki::Certificate root,
                         pki::Certificate intermediate)
    : path_(std::move(path)),
      store_(std::move(store)),
      root_(std::move(root)),
      intermediate_(std::move(intermediate)) {}

Result<CaDirectory> CaDirectory::open(fs::path const& path) {
  auto const database = path / "certgate-ca.db";
  if (::access(database.c_str(), F_OK) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) return fail(system_error("open", database, errno));
    return fail(ErrorCode::not_found, "there is no CA in " + path.string() +
                                          "; make one with `certgate ca init " + path.string() +
                                          "`");
  }
  CERTGATE_TRY(auto store, CaStore::open(database));
  CERTGATE_TRY(auto root, load_certificate(path / "root" / "root.pem"));
  CERTGATE_TRY(auto intermediate, load_certificate(path / "intermediate" / "intermediate.pem"));
  return CaDirectory(path, std::move(store), std::move(root), std::move(intermediate));
}

fs::path CaDirectory::issued(std::string_view name) const {
  return path_ / "issued" / file_name_of(name);
}

Result<pki::Authority> CaDirectory::open_intermediate() const {
  return load_authority(intermediate_, path_ / "intermediate" / "intermediate.key", {});
}

Result<std::optional<pki::Authority>> CaDirectory::open_root(std::string_view password) const {
  if (::access(root_key().c_str(), F_OK) != 0 && errno == ENOENT) {
    return std::optional<pki::Authority>();
  }
  CERTGATE_TRY(auto authority, load_authority(root_, root_key(), password));
  return std::optional(std::move(authority));
}

Result<FileLock> CaDirectory::lock_for_change() {
  CERTGATE_TRY(auto lock, FileLock::take(path_ / ".lock", lock_patience));
  if (auto done = finish_or_sweep(); !done) return fail(std::move(done).error());
  return lock;
}

Result<void> CaDirectory::finish_or_sweep() {
  std::error_code code;
  std::vector<fs::path> staged;
  for (fs::directory_iterator entry(serials(), code), end; !code && entry != end;
       entry.increment(code)) {
    if (entry->path().filename().string().starts_with(temporary_prefix)) {
      staged.push_back(entry->path());
    }
  }
  if (code) return fail(system_error("read", serials(), code.value()));
  for (auto const& path : staged) {
    auto const serial =
        pki::Serial::parse(path.filename().string().substr(temporary_prefix.size()));
    std::optional<pki::LedgerEntry> entry;
    if (serial) {
      CERTGATE_TRY(entry, store_.find(*serial));
    }
    auto done = entry ? put_in_place(*entry) : remove_tree(path);
    if (!done) return done;
  }
  for (auto const* directory : {"", "issued", "crl"}) {
    if (auto done = remove_leftovers(path_ / directory); !done) return done;
  }
  return publish_lists();
}

Result<void> CaDirectory::check_names_free(std::span<Parcel const> parcels) {
  for (auto const& parcel : parcels) {
    CERTGATE_TRY(auto const entries, store_.find_by_name(parcel.entry.name));
    for (auto const& entry : entries) {
      auto const status = pki::status_at(entry.state, entry.not_after, parcel.entry.issued_at);
      if (status != pki::Status::active && status != pki::Status::held) continue;
      return fail(ErrorCode::conflict,
                  entry.name + " already has a certificate that is " +
                      std::string(pki::name_of(status)) + " (serial " + entry.serial.hex() +
                      "); use `ca renew`, or `ca revoke` it first, or choose another name");
    }
  }
  return {};
}

Result<void> CaDirectory::stage(Parcel const& parcel, Sync sync) {
  auto const directory = serials() / staged_name(parcel.entry.serial);
  if (auto done = make_directory(directory, FileMode::secret); !done) return done;
  for (auto const& file : parcel.files) {
    auto done = write_new_file(directory / file.name, file.bytes, file.mode, sync);
    if (!done) return done;
  }
  return sync == Sync::now ? sync_directory(directory) : Result<void>();
}

Result<void> CaDirectory::put_in_place(pki::LedgerEntry const& entry) {
  auto const serial = entry.serial.hex();
  // The link first: while the staged directory is there, a killed run can be finished.
  auto const link = issued(entry.name);
  if (auto done = replace_link(link, fs::path(".serials") / serial); !done) return done;
  return rename_path(serials() / staged_name(entry.serial), serials() / serial);
}

Result<void> CaDirectory::deliver(std::span<Parcel const> parcels, SameName same_name) {
  CERTGATE_TRY(auto const lock, lock_for_change());
  CERTGATE_TRY(auto change, StoreChange::begin(store_));
  if (same_name == SameName::conflict) {
    if (auto done = check_names_free(parcels); !done) return done;
  }
  auto const sync = parcels.size() < parcels_synced_together ? Sync::now : Sync::later;
  Result<void> done;
  for (auto const& parcel : parcels) {
    done = stage(parcel, sync);
    if (done) done = store_.record(parcel.entry);
    if (!done) break;
  }
  if (done) done = sync == Sync::now ? sync_directory(serials()) : sync_file_system(serials());
  if (!done) {
    // Nothing of it was recorded, so nothing of it may stay. What cannot be removed now is swept
    // away by the next change.
    for (auto const& parcel : parcels) {
      static_cast<void>(remove_tree(serials() / staged_name(parcel.entry.serial)));
    }
    return done;
  }
  // A commit that fails may be in force all the same (the last sync is after the point of no
  // return), so the staged files stay: the next change reads the ledger anew and decides.
  if (done = change.commit(); !done) return done;
  for (auto const& parcel : parcels) {
    if (done = put_in_place(parcel.entry); !done) {
      return fail(done.error().code, done.error().detail +
                                         "; the certificate is recorded, and the next change to "
                                         "this CA puts its files in place");
    }
  }
  if (done = sync_directory(serials()); !done) return done;
  return sync_directory(path_ / "issued");
}

Result<pki::SignedList> CaDirectory::sign_list(pki::Authority const& authority,
                                               std::string_view issuer, UnixSeconds now,
                                               UnixSeconds lifetime) {
  CERTGATE_TRY(auto list, pki::sign_next_list(authority, store_, issuer, now, lifetime));
  if (auto done = store_.set_setting(lists_to_publish, "yes"); !done) return fail(done.error());
  return list;
}

Result<void> CaDirectory::publish_lists() {
  CERTGATE_TRY(auto const waiting, store_.setting(lists_to_publish));
  if (waiting != "yes") return {};
  for (std::string const issuer : {"intermediate", "root"}) {
    CERTGATE_TRY(auto const list, store_.last_list(issuer));
    if (!list) continue;
    auto const place = path_ / "crl" / issuer;
    auto done = replace_file(place.string() + ".der", list->der, FileMode::open);
    if (done) {
      done = replace_file(place.string() + ".crl", pki::format_pem("X509 CRL", list->der),
                          FileMode::open);
    }
    if (!done) return done;
  }
  return store_.set_setting(lists_to_publish, "no");
}

}  // namespace certgate::cli
