// From a Config to a Generation: loads what it names, checks that it fits together, compiles it.
//
// Reads files and resolves names, so it runs off the workers. Everything that a run would use is
// loaded and checked here; what comes out cannot fail later. A Builder remembers what it has parsed,
// so that a reload pays for what changed and rollbacks of CRLs are seen.
//
// Errors: every mistake that can be found in one go, each at the place in the configuration that
//         names the file, host or rule.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/base/diagnostic.hpp"
#include "certgate/base/result.hpp"
#include "certgate/config/config.hpp"
#include "certgate/config/read_config.hpp"
#include "certgate/net/resolve.hpp"
#include "certgate/proxy/generation.hpp"
#include "certgate/telemetry/metrics.hpp"
#include "certgate/x509/deny_list.hpp"

namespace certgate::gateway {

// Something that ends: a certificate, a CA or a CRL that is in use.
struct Expiry {
  enum class Kind {
    server_certificate,
    client_ca,
    crl,
    upstream_certificate,
    upstream_ca,
    crl_server_ca,
  };
  Kind kind = Kind::server_certificate;
  std::string name;     // subject, or issuer of a CRL
  std::string file;
  std::string used_by;  // the first host or origin that uses it
  UnixSeconds from = 0;
  UnixSeconds until = 0;  // notAfter, or of a CRL nextUpdate
  std::string consequence;  // what stops working then
};
std::string_view name_of(Expiry::Kind kind);  // "server_certificate"
// The first second in which it counts no more, as connections are judged: the one behind notAfter,
// and that of nextUpdate itself.
UnixSeconds over_at(Expiry const& expiry);

struct Built {
  std::shared_ptr<proxy::Generation> generation;
  std::vector<Expiry> expiries;
  Diagnostics warnings;  // of `check`, product contract section 7
};

// The lists of a running Generation, read again; parallel to Generation::revocations.
struct Refreshed {
  std::vector<x509::RevocationIndex::Pointer> revocations;
  std::vector<Expiry> expiries;      // of everything
  std::vector<std::string> changes;  // sentences; empty: nothing differs
  Diagnostics problems;              // sets that are wrong stay as they were
  Diagnostics warnings;
};

// A JSON array of {severity, file, line, column, message, hint}, for scripts.
std::string format_diagnostics_json(Diagnostics const& diagnostics);

// The files of this machine, as the configuration names them.
class DiskReader final : public config::FileReader {
 public:
  Result<std::string> read(std::string const& path) override;
};

class CrlStore;  // lists that were fetched; src/gateway/crl_store.hpp

class Builder {
 public:
  // `fetched`: the lists of addresses; null: none was ever fetched. `lookup` resolves the names of
  // origins' servers.
  explicit Builder(std::shared_ptr<CrlStore const> fetched = nullptr,
                   net::Lookup lookup = net::resolve);
  ~Builder();

  // `number` is the Generation's; `at` the moment for which validity is judged.
  Result<Built, Diagnostics> build(config::Config const& config, std::uint64_t number,
                                   UnixSeconds at, telemetry::MetricRegistry& metrics,
                                   x509::DenyList::Pointer deny_list);
  // Reads the CRLs again and nothing else.
  // REQUIRES: `running` was built from `config` by this Builder and committed, or refreshed since.
  Refreshed refresh(config::Config const& config, proxy::Generation const& running,
                    std::vector<Expiry> const& expiries, UnixSeconds at);
  // What was built last is in force now: later builds are compared with it.
  void commit();
  // These are in use instead of those of the same name, which had other addresses.
  void keep(std::vector<std::shared_ptr<upstream::Origin>> const& origins);
  // What was built last is not used.
  void roll_back();

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

// Reads and parses a configuration file with everything it includes. When something is wrong with
// it, what else can be judged is judged as well: expressions, and the files of every host and origin
// in which nothing is wrong, as of `at`. A mistake that only follows from another is not told.
Result<config::Config, Diagnostics> load_config(std::string const& path, UnixSeconds at);

}  // namespace certgate::gateway
