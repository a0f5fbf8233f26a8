// Certificates, keys, CAs and CRLs from files, parsed once and shared by hosts and Generations.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "certgate/config/config.hpp"
#include "certgate/gateway/build.hpp"
#include "certgate/tls/host_settings.hpp"
#include "certgate/tls/server_identity.hpp"
#include "certgate/x509/revocation_index.hpp"
#include "certgate/x509/trust.hpp"

namespace certgate::gateway {

// Lists in force for a set of CAs, and what they were made from.
struct RevocationSet {
  x509::Digest contents;  // of the CAs and every list
  x509::RevocationIndex::Pointer index;
  // Deltas that lists in files name and that nothing brings: what a warning says of each.
  std::vector<std::string> deltas_not_followed;
};

// What is kept between builds. A build works on a copy of the maps; commit() keeps it.
struct MaterialCache {
  std::map<std::string, RevocationSet> revocations;  // by the paths of CAs and lists
  std::map<x509::Digest, x509::Trust::Pointer> trusts;  // by what they were made from
};

class Materials {
 public:
  Materials(MaterialCache& cache, tls::ServerIdentities& identities, Diagnostics& diagnostics,
            std::vector<Expiry>& expiries, UnixSeconds at)
      : cache_(cache),
        identities_(identities),
        diagnostics_(diagnostics),
        expiries_(expiries),
        at_(at) {
    for (auto const& [paths, set] : cache.revocations) in_force_.push_back(set.index);
  }

  // Each reports what is wrong at the place that names the file, and then gives null or nullopt.
  tls::ServerIdentity::Pointer identity(config::FilePath const& certificate,
                                        config::FilePath const& key, tls::IdentityUse use,
                                        std::string const& used_by);
  std::optional<std::vector<x509::Certificate::Pointer>> authorities(
      std::vector<config::FilePath> const& files, Expiry::Kind kind, std::string const& used_by);
  x509::Trust::Pointer trust(std::vector<x509::Certificate::Pointer> const& anchors,
                             x509::TrustOptions const& options, config::Mark const& mark);
  // The lists of a host; `extra` are those that were fetched, with their labels.
  std::optional<RevocationSet> revocations(
      config::ClientAuth const& client_auth,
      std::vector<x509::Certificate::Pointer> const& anchors,
      std::vector<x509::LabelledCrl> const& extra, std::string const& used_by);
  // Reports those that are no lists, where the CAs that could have signed them are not known.
  void look_at_lists(config::ClientAuth const& client_auth);

  // Contents of a file, read once per build.
  std::string const* contents(config::FilePath const& file, char const* what);

 private:
  struct File {
    std::string bytes;
    std::optional<Error> error;  // why it cannot be read
    std::optional<x509::Digest> digest;  // of bytes, once somebody asked
  };
  static File read_file(std::string const& path);
  File& file(std::string const& path);
  x509::Digest const& digest_of(std::string const& path);
  // Whether there is something in the file; says so if not.
  bool is_usable(File const& file, config::FilePath const& path, char const* what);
  tls::ServerIdentity::Pointer load_identity(config::FilePath const& certificate,
                                             config::FilePath const& key, tls::IdentityUse use);
  void complain(config::Mark const& mark, std::string message, std::string hint = {});
  void warn(config::Mark const& mark, std::string message, std::string hint = {});
  void note_expiry(Expiry expiry, config::Mark const& mark);
  void warn_about_key_permissions(config::FilePath const& key);
  void warn_about_issuers_without_list(x509::RevocationIndex const& index,
                                       std::vector<x509::Certificate::Pointer> const& anchors,
                                       config::CrlCheck check, config::Mark const& mark);
  void warn_about_dates_to_come(x509::RevocationIndex const& index,
                                std::vector<x509::Certificate::Pointer> const& anchors,
                                config::Mark const& mark);
  struct ListFile {
    std::string path;
    config::Mark mark;
  };
  std::optional<std::vector<std::string>> crl_paths(config::CrlSource const& source);
  // All of them, read; nullopt where one cannot be.
  std::optional<std::vector<ListFile>> list_files(config::ClientAuth const& client_auth);
  std::optional<std::vector<x509::LabelledCrl>> parse_lists(std::vector<ListFile> const& files);
  Result<x509::RevocationIndex::Pointer> index(
      std::vector<x509::LabelledCrl> const& lists,
      std::vector<x509::Certificate::Pointer> const& anchors,
      x509::RevocationIndex::Pointer const& previous) const;

  MaterialCache& cache_;
  tls::ServerIdentities& identities_;
  Diagnostics& diagnostics_;
  std::vector<Expiry>& expiries_;
  struct Noted {
    std::size_t index;  // in expiries_
    std::string consequence;
    std::size_t others;  // hosts and origins beside the first that use it
  };
  std::unordered_map<std::string, Noted> noted_;  // by kind, file, name and end
  UnixSeconds at_;
  std::vector<x509::RevocationIndex::Pointer> in_force_;  // before this build
  std::map<std::string, File> files_;  // but not those of identities: keys, and many
  std::map<std::tuple<std::string, std::string, tls::IdentityUse>, tls::ServerIdentity::Pointer>
      loaded_;  // by certificate file, key file and use
  std::map<std::string, std::vector<x509::Certificate::Pointer>> certificates_;
};

// "2027-01-31 12:00 UTC".
std::string format_day(UnixSeconds time);

}  // namespace certgate::gateway
