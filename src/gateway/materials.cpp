#include "materials.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "certgate/x509/distribution_points.hpp"
#include "certgate/x509/pem.hpp"
#include "file_hints.hpp"

namespace certgate::gateway {
namespace {

constexpr UnixSeconds day = 86'400;
constexpr UnixSeconds warn_before = 30 * day;
// A file with more CAs for an origin is a collection, of which nobody watches each one.
constexpr std::size_t most_watched_upstream_cas = 16;

std::string in_backquotes(std::string const& path) { return "`" + path + "`"; }

// Of lists whose delta is not in force with them.
std::vector<std::string> unfollowed_deltas(std::vector<x509::LabelledCrl> const& lists,
                                           x509::RevocationIndex const& index) {
  std::vector<std::string> sentences;
  for (auto const& list : lists) {
    auto const urls = x509::freshest_crl_urls(*list.crl);
    bool const has_delta = std::any_of(
        index.lists().begin(), index.lists().end(), [&](x509::CrlFacts const& facts) {
          return facts.is_delta && facts.issuer_dn == list.crl->issuer_dn() &&
                 facts.scope == list.crl->scope();
        });
    if (list.crl->is_delta() || urls.empty() || has_delta) continue;
    sentences.push_back("the CRL " + in_backquotes(list.label) + " names a delta, " + urls.front() +
                        ", which is not fetched");
  }
  return sentences;
}

std::string consequence_of_ca(Expiry::Kind kind, std::string const& used_by) {
  if (kind == Expiry::Kind::client_ca) {
    return "from then on every certificate that it issued counts as not verified";
  }
  if (kind == Expiry::Kind::crl_server_ca) {
    return "from then on no CRL is fetched from https:// servers with a certificate of this CA";
  }
  return "from then on servers of " + used_by + " with a certificate of this CA are refused";
}

// Equal for equal sets, whatever their order: Trust sorts its anchors, a file does not.
void append_set(std::string& key, std::vector<x509::Digest> digests) {
  std::sort(digests.begin(), digests.end());
  digests.erase(std::unique(digests.begin(), digests.end()), digests.end());
  key += std::to_string(digests.size()) + "\n";
  for (auto const& digest : digests) key.append(digest.bytes.begin(), digest.bytes.end());
}

}  // namespace

std::string format_day(UnixSeconds time) {
  auto const seconds = static_cast<std::time_t>(time);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[40];
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &utc)};
}

std::string_view name_of(Expiry::Kind kind) {
  switch (kind) {
    case Expiry::Kind::server_certificate: return "server_certificate";
    case Expiry::Kind::client_ca: return "client_ca";
    case Expiry::Kind::crl: return "crl";
    case Expiry::Kind::upstream_certificate: return "upstream_certificate";
    case Expiry::Kind::upstream_ca: return "upstream_ca";
    case Expiry::Kind::crl_server_ca: return "crl_server_ca";
  }
  return "unknown";
}

// RFC 5280 §4.1.2.5: "The validity period for a certificate is the period of time from notBefore
// through notAfter, inclusive." At its nextUpdate a list is old: see RevocationIndex::coverage().
UnixSeconds over_at(Expiry const& expiry) {
  return expiry.kind == Expiry::Kind::crl ? expiry.until : expiry.until + 1;
}

Materials::File Materials::read_file(std::string const& path) {
  DiskReader disk;
  auto bytes = disk.read(path);
  return bytes ? File{std::move(*bytes), std::nullopt, std::nullopt}
               : File{{}, bytes.error(), std::nullopt};
}

Materials::File& Materials::file(std::string const& path) {
  auto at = files_.find(path);
  if (at == files_.end()) at = files_.emplace(path, read_file(path)).first;
  return at->second;
}

x509::Digest const& Materials::digest_of(std::string const& path) {
  auto& known = file(path);
  if (!known.digest) known.digest = x509::sha256(as_bytes(known.bytes));
  return *known.digest;
}

void Materials::complain(config::Mark const& mark, std::string message, std::string hint) {
  diagnostics_.add(mark.diagnostic(std::move(message), std::move(hint)));
}

void Materials::warn(config::Mark const& mark, std::string message, std::string hint) {
  diagnostics_.add(mark.diagnostic(std::move(message), std::move(hint), Severity::warning));
}

void Materials::note_expiry(Expiry expiry, config::Mark const& mark) {
  auto const key = std::string(name_of(expiry.kind)) + "\n" + expiry.file + "\n" + expiry.name +
                   "\n" + std::to_string(expiry.until);
  auto const [at, is_new] = noted_.try_emplace(key, Noted{expiries_.size(), expiry.consequence, 0});
  if (!is_new) {
    auto& known = expiries_[at->second.index];
    if (known.used_by == expiry.used_by) return;
    auto const others = ++at->second.others;
    known.consequence = at->second.consequence + " (and " + std::to_string(others) +
                        (others == 1 ? " more user of it)" : " more users of it)");
    return;
  }
  if (expiry.until < at_ + warn_before) {
    auto const when = over_at(expiry) <= at_ ? "has expired on " : "expires on ";
    std::string const what = expiry.kind == Expiry::Kind::crl ? "the CRL of " : "the certificate ";
    warn(mark, what + "`" + expiry.name + "` " + when + format_day(expiry.until),
         expiry.consequence);
  }
  expiries_.push_back(std::move(expiry));
}

bool Materials::is_usable(File const& file, config::FilePath const& path, char const* what) {
  if (file.error) {
    complain(path.mark, std::string("cannot read the ") + what + " " + in_backquotes(path.resolved) +
                            ": " + file.error->detail,
             config::hint_for_unreadable(*file.error));
    return false;
  }
  if (file.bytes.empty()) {
    complain(path.mark, std::string("the ") + what + " " + in_backquotes(path.resolved) + " is empty",
             "was it read while being written? Write another file and rename it into place");
    return false;
  }
  return true;
}

std::string const* Materials::contents(config::FilePath const& path, char const* what) {
  auto const& read = file(path.resolved);
  return is_usable(read, path, what) ? &read.bytes : nullptr;
}

void Materials::warn_about_key_permissions(config::FilePath const& key) {
  struct stat status{};
  if (::stat(key.resolved.c_str(), &status) != 0) return;
  if ((status.st_mode & (S_IRWXO | S_IWGRP)) == 0) return;
  warn(key.mark, "the private key " + in_backquotes(key.resolved) + " can be read or changed by others",
       "chmod 600 " + key.resolved);
}

tls::ServerIdentity::Pointer Materials::load_identity(config::FilePath const& certificate,
                                                      config::FilePath const& key,
                                                      tls::IdentityUse use) {
  auto& known = loaded_[{certificate.resolved, key.resolved, use}];
  if (known != nullptr) return known;
  auto const certificate_file = read_file(certificate.resolved);
  auto const key_file =
      key.resolved == certificate.resolved ? certificate_file : read_file(key.resolved);
  bool const good = is_usable(certificate_file, certificate, "certificate");
  if (!is_usable(key_file, key, "private key") || !good) return nullptr;
  auto parsed = use == tls::IdentityUse::server
                    ? identities_.parse(certificate_file.bytes, key_file.bytes)
                    : tls::ServerIdentity::parse(certificate_file.bytes, key_file.bytes, use);
  if (!parsed) {
    auto const& detail = parsed.error().detail;
    auto const& place = is_about_key(detail) ? key : certificate;
    complain(place.mark, sentence_about(place.resolved, detail),
             hint_for_identity(detail, place.resolved));
    return nullptr;
  }
  known = std::move(*parsed);
  return known;
}

tls::ServerIdentity::Pointer Materials::identity(config::FilePath const& certificate,
                                                 config::FilePath const& key, tls::IdentityUse use,
                                                 std::string const& used_by) {
  auto const loaded = load_identity(certificate, key, use);
  if (loaded == nullptr) return nullptr;
  warn_about_key_permissions(key);
  for (auto const& warning : loaded->warnings(at_)) {
    // Dates are told with the expiries, below.
    if (warning.find("expire") == std::string::npos) {
      warn(certificate.mark, in_backquotes(certificate.resolved) + ": " + warning);
    }
  }
  for (auto const& shown : loaded->certificates()) {
    bool const is_leaf = shown.get() == &loaded->leaf();
    if (!is_leaf && shown->is_self_issued()) continue;  // a root: peers go by their own copy
    Expiry expiry;
    expiry.kind = use == tls::IdentityUse::server ? Expiry::Kind::server_certificate
                                                  : Expiry::Kind::upstream_certificate;
    expiry.name = std::string(shown->subject_dn());
    expiry.file = certificate.resolved;
    expiry.used_by = used_by;
    expiry.from = shown->not_before();
    expiry.until = shown->not_after();
    expiry.consequence = use == tls::IdentityUse::server
                             ? "from then on clients refuse to connect to " + used_by
                             : "from then on the servers of " + used_by + " refuse the proxy";
    if (!is_leaf) expiry.consequence += " (it is in the chain of the certificate)";
    note_expiry(std::move(expiry), certificate.mark);
  }
  return loaded;
}

std::optional<std::vector<x509::Certificate::Pointer>> Materials::authorities(
    std::vector<config::FilePath> const& files, Expiry::Kind kind, std::string const& used_by) {
  std::vector<x509::Certificate::Pointer> all;
  bool good = true;
  for (auto const& path : files) {
    auto at = certificates_.find(path.resolved);
    if (at == certificates_.end()) {
      auto const* const pem = contents(path, "CA file");
      if (pem == nullptr) {
        good = false;
        continue;
      }
      auto parsed = x509::parse_certificates(*pem);
      if (!parsed) {
        complain(path.mark, "the CA file " + sentence_about(path.resolved, parsed.error().detail),
                 parsed.error().detail.find("(DER)") != std::string::npos
                     ? hint_for_identity(parsed.error().detail, path.resolved)
                     : "it must hold one or more certificates in PEM");
        good = false;
        continue;
      }
      at = certificates_.emplace(path.resolved, std::move(*parsed)).first;
    }
    for (auto const& certificate : at->second) {
      if (kind == Expiry::Kind::client_ca && !certificate->is_ca()) {
        complain(path.mark, "`" + std::string(certificate->subject_dn()) + "` in " +
                                in_backquotes(path.resolved) + " is not a CA certificate",
                 "name the certificate that issued the clients' certificates, not one of theirs");
        good = false;
        continue;
      }
      Expiry expiry;
      expiry.kind = kind;
      expiry.name = std::string(certificate->subject_dn());
      expiry.file = path.resolved;
      expiry.used_by = used_by;
      expiry.from = certificate->not_before();
      expiry.until = certificate->not_after();
      expiry.consequence = consequence_of_ca(kind, used_by);
      if (kind == Expiry::Kind::client_ca || at->second.size() <= most_watched_upstream_cas) {
        note_expiry(std::move(expiry), path.mark);
      }
      all.push_back(certificate);
    }
  }
  if (!good) return std::nullopt;
  return all;
}

x509::Trust::Pointer Materials::trust(std::vector<x509::Certificate::Pointer> const& anchors,
                                      x509::TrustOptions const& options,
                                      config::Mark const& mark) {
  std::string key;
  for (auto const& anchor : anchors) {
    auto const& bytes = anchor->fingerprint().bytes;
    key.append(bytes.begin(), bytes.end());
  }
  key += std::to_string(options.max_depth) + "/" + std::to_string(options.max_presented) + "/" +
         std::to_string(options.max_key_bits);
  auto const digest = x509::sha256(as_bytes(key));
  if (auto const known = cache_.trusts.find(digest); known != cache_.trusts.end()) {
    return known->second;
  }
  auto built = x509::Trust::build(anchors, options);
  if (!built) {
    complain(mark, built.error().detail);
    return nullptr;
  }
  cache_.trusts.emplace(digest, *built);
  return std::move(*built);
}

std::optional<std::vector<std::string>> Materials::crl_paths(config::CrlSource const& source) {
  std::error_code error;
  if (!std::filesystem::is_directory(source.path.resolved, error)) {
    return std::vector<std::string>{source.path.resolved};
  }
  std::vector<std::string> paths;
  for (auto const& entry : std::filesystem::directory_iterator(source.path.resolved, error)) {
    auto const name = entry.path().filename().string();
    if (entry.is_regular_file(error) && !name.empty() && name.front() != '.') {
      paths.push_back(entry.path().string());
    }
  }
  if (error) {
    complain(source.mark,
             "cannot list the folder " + in_backquotes(source.path.resolved) + ": " + error.message());
    return std::nullopt;
  }
  std::sort(paths.begin(), paths.end());
  if (paths.empty()) {
    complain(source.mark, "the folder " + in_backquotes(source.path.resolved) + " holds no CRL",
             "put the lists there first, or leave `crl` out");
    return std::nullopt;
  }
  return paths;
}

// No list may go backwards. Where `previous` is null these paths are named for the first time: they
// are measured by what is in force for their CAs under other paths, and may be as old as the oldest.
Result<x509::RevocationIndex::Pointer> Materials::index(
    std::vector<x509::LabelledCrl> const& lists,
    std::vector<x509::Certificate::Pointer> const& anchors,
    x509::RevocationIndex::Pointer const& previous) const {
  std::vector<x509::RevocationIndex::Pointer> measures;
  if (previous != nullptr) {
    measures.push_back(previous);
  } else {
    for (auto const& known : in_force_) {
      bool const speaks = std::any_of(anchors.begin(), anchors.end(), [&](auto const& anchor) {
        return known->has_issuer(anchor->id_as_issuer());
      });
      if (speaks) measures.push_back(known);
    }
  }
  if (measures.empty()) return x509::RevocationIndex::build(lists, anchors);
  for (std::size_t i = 0; i + 1 < measures.size(); ++i) {
    if (auto built = x509::RevocationIndex::build(lists, anchors, measures[i].get())) return built;
  }
  return x509::RevocationIndex::build(lists, anchors, measures.back().get());
}

// A date to come could mean "not yet": the careful reading is taken, and said.
void Materials::warn_about_dates_to_come(x509::RevocationIndex const& index,
                                         std::vector<x509::Certificate::Pointer> const& anchors,
                                         config::Mark const& mark) {
  for (auto const& anchor : anchors) {
    auto const latest = index.latest_revocation(anchor->id_as_issuer());
    if (latest <= at_) continue;
    warn(mark,
         "the CRL of `" + std::string(anchor->subject_dn()) +
             "` has revocation dates in the future, up to " + format_day(latest),
         "those certificates count as revoked now");
  }
}

// Where a host has lists, what none of them covers counts as not verified: better said beforehand.
void Materials::warn_about_issuers_without_list(
    x509::RevocationIndex const& index, std::vector<x509::Certificate::Pointer> const& anchors,
    config::CrlCheck check, config::Mark const& mark) {
  for (auto const& anchor : anchors) {
    auto const id = anchor->id_as_issuer();
    bool has_list = false, covers_clients = false;
    for (auto const& list : index.lists()) {
      if (list.issuer != id) continue;
      has_list = true;
      covers_clients = covers_clients || !list.only_ca_certificates;
    }
    auto const name = "`" + std::string(anchor->subject_dn()) + "`";
    if (has_list && !covers_clients) {
      warn(mark, "the CRL of " + name + " is for CA certificates only",
           "clients that it issued count as not verified; add its list for users too");
    }
    if (has_list) continue;
    // A root above another CA of the host seldom issues clients itself.
    bool const is_above_another = std::any_of(anchors.begin(), anchors.end(), [&](auto const& other) {
      return other != anchor && !other->is_self_issued() &&
             as_text(other->issuer_name_der()) == as_text(anchor->subject_name_der());
    });
    if (check == config::CrlCheck::chain) {
      warn(mark, "no CRL speaks for the issuer " + name,
           "what it issued, and all below that, counts as not verified; add its CRL, or set "
           "`crl_check: leaf`");
    } else if (!is_above_another) {
      warn(mark, "no CRL speaks for the issuer " + name,
           "clients that it issued count as not verified, because the host has CRLs; add its CRL");
    }
  }
}

std::optional<std::vector<Materials::ListFile>> Materials::list_files(
    config::ClientAuth const& client_auth) {
  std::vector<ListFile> files;
  bool good = true;
  for (auto const& source : client_auth.crl) {
    if (source.kind == config::CrlSource::Kind::url) continue;
    auto found = crl_paths(source);
    good = good && found;
    if (!found) continue;
    for (auto& path : *found) {
      good = contents({path, path, source.mark}, "CRL") != nullptr && good;
      files.push_back({std::move(path), source.mark});
    }
  }
  if (!good) return std::nullopt;
  return files;
}

std::optional<std::vector<x509::LabelledCrl>> Materials::parse_lists(
    std::vector<ListFile> const& files) {
  std::vector<x509::LabelledCrl> lists;
  bool good = true;
  for (auto const& named : files) {
    auto parsed = x509::parse_crls(file(named.path).bytes);
    if (!parsed) {
      complain(named.mark, "the CRL " + in_backquotes(named.path) + ": " + parsed.error().detail,
               "a CRL is PEM (BEGIN X509 CRL) or DER; write it under another name and rename it "
               "into place, so that it is never read half written");
      good = false;
      continue;
    }
    for (auto& crl : *parsed) lists.push_back({std::move(crl), named.path});
  }
  if (!good) return std::nullopt;
  return lists;
}

void Materials::look_at_lists(config::ClientAuth const& client_auth) {
  if (auto const files = list_files(client_auth)) (void)parse_lists(*files);
}

std::optional<RevocationSet> Materials::revocations(
    config::ClientAuth const& client_auth, std::vector<x509::Certificate::Pointer> const& anchors,
    std::vector<x509::LabelledCrl> const& extra, std::string const& used_by) {
  // The same CAs with the same lists share one index, whichever host names them.
  std::string key;
  for (auto const& ca : client_auth.ca) key += ca.resolved + "\n";
  key += "--\n";
  for (auto const& source : client_auth.crl) {
    bool const is_url = source.kind == config::CrlSource::Kind::url;
    key += (is_url ? source.url : source.path.resolved) + "\n";
  }
  auto const files = list_files(client_auth);
  if (!files) return std::nullopt;

  if (*client_auth.crl_distribution_points) key += "distribution points\n";

  std::vector<x509::Digest> of_anchors, of_lists;
  for (auto const& anchor : anchors) of_anchors.push_back(anchor->fingerprint());
  for (auto const& list : extra) of_lists.push_back(x509::sha256(list.crl->der()));
  for (auto const& named : *files) of_lists.push_back(digest_of(named.path));
  std::string contents_key;
  append_set(contents_key, std::move(of_anchors));
  append_set(contents_key, std::move(of_lists));
  auto const digest = x509::sha256(as_bytes(contents_key));
  auto const known = cache_.revocations.find(key);
  auto set = RevocationSet{digest, nullptr};
  if (known != cache_.revocations.end() && known->second.contents == digest) {
    set = known->second;
  } else {
    auto lists = parse_lists(*files);
    if (!lists) return std::nullopt;
    auto const from_files = *lists;
    lists->insert(lists->begin(), extra.begin(), extra.end());
    auto built =
        index(*lists, anchors, known == cache_.revocations.end() ? nullptr : known->second.index);
    if (!built) {
      auto mark = client_auth.mark;
      if (!client_auth.crl.empty()) mark = client_auth.crl.front().mark;
      for (auto const& named : *files) {
        if (built.error().detail.find(named.path) != std::string::npos) mark = named.mark;
      }
      bool const foreign = built.error().detail.find("none of the CAs") != std::string::npos ||
                           built.error().detail.find("cannot be trusted") != std::string::npos;
      complain(mark, built.error().detail,
               foreign ? "name the list that one of the certificates in `ca` issued, or add its "
                         "issuer to `ca`"
                       : "");
      return std::nullopt;
    }
    set.index = std::move(*built);
    if (*client_auth.crl_distribution_points) {
      set.deltas_not_followed = unfollowed_deltas(from_files, *set.index);
    }
    cache_.revocations.insert_or_assign(key, set);
  }

  auto mark = client_auth.mark;
  if (!client_auth.crl.empty()) mark = client_auth.crl.front().mark;
  for (auto const& facts : set.index->lists()) {
    // A delta that ends first is told as well: nobody renews it any more, it seems.
    auto const until = facts.is_delta ? facts.next_update : facts.counts_until;
    if (!until) continue;
    Expiry expiry;
    expiry.kind = Expiry::Kind::crl;
    // Fetched together, or in one file, the two have one label.
    expiry.name = facts.issuer_dn + (facts.is_delta ? " (delta)" : "");
    expiry.file = facts.label;
    expiry.used_by = used_by;
    expiry.from = facts.this_update;
    expiry.until = *until;
    expiry.consequence =
        !facts.counts_until || *until < *facts.counts_until
            ? "from then on revocations made later are not known (it is a delta; its complete list "
              "counts on)"
        : *client_auth.on_expired_crl == config::OnExpiredCrl::deny
            ? "from then on every certificate of this issuer counts as not verified "
              "(on_expired_crl: deny)"
            : "from then on revocations made later are not known (on_expired_crl: use_last)";
    note_expiry(std::move(expiry), mark);
  }
  warn_about_issuers_without_list(*set.index, anchors, *client_auth.crl_check, mark);
  warn_about_dates_to_come(*set.index, anchors, mark);
  for (auto const& sentence : set.deltas_not_followed) {
    warn(mark, sentence,
         "deltas are fetched for lists that are fetched: name the list's address in `crl`, or put the "
         "delta into a file beside the list");
  }
  return set;
}

}  // namespace certgate::gateway
