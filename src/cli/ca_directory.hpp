// A CA on disk: where its parts lie, and how something new gets there without ever being half
// there.
//
//   DIR/ca.pem                     root and intermediate: what a gateway trusts
//   DIR/certgate-ca.db             the ledger (SQLite)
//   DIR/root/                      root.pem root.key       the key may be taken offline
//   DIR/intermediate/              intermediate.pem intermediate.key
//   DIR/crl/                       intermediate.crl root.crl (PEM), the same .der for URLs
//   DIR/issued/NAME/               key.pem cert.pem chain.pem NAME.p12 ...   (newest of the name)
//   DIR/issued/.serials/SERIAL/    the same of every certificate; NAME is a link to one of them
//
// A certificate goes out in this order: its files are staged and synced beside their place, the
// ledger commits, the staged directory is renamed. A kill before the commit leaves leftovers that
// the next change sweeps away; a kill after it leaves work that the next change finishes.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ca_files.hpp"
#include "ca_store.hpp"
#include "certgate/pki/authority.hpp"

namespace certgate::cli {

inline constexpr std::chrono::seconds lock_patience{60};
// From this many on, one sync of the file system is cheaper than one of each file.
inline constexpr std::size_t parcels_synced_together = 4;
inline constexpr std::size_t max_pem_file_bytes = 1024 * 1024;

struct CaFile {
  std::string name;
  std::string bytes;
  FileMode mode = FileMode::open;
};

// A certificate and its files, ready to go out.
struct Parcel {
  pki::LedgerEntry entry;
  std::vector<CaFile> files;
};

enum class SameName { conflict, allowed };

class CaDirectory {
 public:
  static Result<CaDirectory> open(std::filesystem::path const& path);

  std::filesystem::path const& path() const { return path_; }
  std::filesystem::path root_key() const { return path_ / "root" / "root.key"; }
  std::filesystem::path issued(std::string_view name) const;
  CaStore& store() { return store_; }
  pki::Certificate const& root() const { return root_; }
  pki::Certificate const& intermediate() const { return intermediate_; }

  // The signing authority. Errors name the file and what to do.
  Result<pki::Authority> open_intermediate() const;
  // Nothing when the root key has been taken offline.
  Result<std::optional<pki::Authority>> open_root(std::string_view password) const;

  // Waits for other writers, then finishes or sweeps away what a killed one left.
  Result<FileLock> lock_for_change();

  // Records the parcels and puts their files in place, all or none.
  // Errors: conflict when an active certificate of that name exists.
  Result<void> deliver(std::span<Parcel const> parcels, SameName same_name);

  // Signs the issuer's next list inside the caller's store change; `publish_lists` afterwards.
  Result<pki::SignedList> sign_list(pki::Authority const& authority, std::string_view issuer,
                                    UnixSeconds now, UnixSeconds lifetime);
  Result<void> publish_lists();

 private:
  CaDirectory(std::filesystem::path path, CaStore store, pki::Certificate root,
              pki::Certificate intermediate);
  std::filesystem::path serials() const { return path_ / "issued" / ".serials"; }
  Result<void> check_names_free(std::span<Parcel const> parcels);
  Result<void> stage(Parcel const& parcel, Sync sync);
  Result<void> put_in_place(pki::LedgerEntry const& entry);
  Result<void> finish_or_sweep();

  std::filesystem::path path_;
  CaStore store_;
  pki::Certificate root_;
  pki::Certificate intermediate_;
};

// A name as a directory entry: everything but letters, digits and ._@+- as %XX, and a leading dot.
std::string file_name_of(std::string_view name);

}  // namespace certgate::cli
