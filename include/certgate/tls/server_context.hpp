// A worker's side of TLS towards clients: settings in force, sessions, caches, admission.
//
// One per worker, used on its thread. set_hosts() is how a reload arrives: connections go on under
// what they agreed on, the next handshake sees the new hosts, and sessions made under a scope that
// still exists go on resuming.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/base/result.hpp"
#include "certgate/net/loop.hpp"
#include "certgate/tls/admission.hpp"
#include "certgate/tls/handshake_failure.hpp"
#include "certgate/tls/host_settings.hpp"
#include "certgate/tls/session_store.hpp"
#include "certgate/tls/ticket_keys.hpp"
#include "certgate/x509/verification_cache.hpp"

struct ssl_ctx_st;

namespace certgate::tls {

struct ServerOptions {
  Clock const* clock = nullptr;             // REQUIRED; outlives the context
  std::shared_ptr<SessionStore> sessions;   // shared by all workers; null: no stateful resumption
  std::shared_ptr<TicketKeys> ticket_keys;  // set: stateless tickets instead
  AdmissionLimits admission;
  x509::VerificationCacheLimits verifications;
  x509::ChainCacheLimits chains;
  bool client_hello_facts = false;          // a rule asks for them
};

// Read by the worker's own thread; the worker publishes them as metrics.
struct ServerCounts {
  std::uint64_t full = 0, resumed = 0, failed = 0;
  std::array<std::uint64_t, handshake_fault_count> faults{};
};

class WorkerLibrary;

class ServerContext {
 public:
  static Result<std::unique_ptr<ServerContext>> build(net::Loop& loop, ServerOptions options);
  ~ServerContext();
  ServerContext(ServerContext const&) = delete;
  ServerContext& operator=(ServerContext const&) = delete;

  // Fails, and changes nothing, when OpenSSL cannot make a context for one of the profiles.
  Result<void> set_hosts(ServerHosts::Pointer hosts);
  ServerHosts::Pointer const& hosts() const { return hosts_; }
  // Whether Session::hello is filled for connections made from now on.
  void set_client_hello_facts(bool on);

  // Shared with whoever judges requests on this worker.
  x509::VerificationCache& verifications() { return verifications_; }
  x509::ChainCache& chains() { return chains_; }
  Admission& admission() { return admission_; }
  ServerOptions const& options() const { return options_; }
  ServerCounts& counts() { return counts_; }
  UnixSeconds now() const { return options_.clock->unix_seconds(); }

  // For this layer's sources: the context of the first host's profile, or of the first that names no
  // groups of its own, and that of any other.
  ssl_ctx_st* any_context() const { return contexts_.front().context.get(); }
  ssl_ctx_st* context_of(Profile const& profile) const;
  // Whether the profile's context names this trust's authorities to clients. Otherwise the connection
  // has to, which costs decoding their names.
  bool announces(Profile const& profile, x509::Digest const& trust) const;

 private:
  struct Entry {
    x509::Digest profile;
    std::shared_ptr<ssl_ctx_st> context;
    std::optional<x509::Digest> announced;  // the trust of its first host that asks for certificates
  };
  Entry const* entry_of(Profile const& profile) const;
  void announce(Entry& entry);
  ServerContext(net::Loop& loop, ServerOptions options);

  ServerOptions options_;
  std::unique_ptr<WorkerLibrary> library_;  // outlives the contexts
  ServerHosts::Pointer hosts_;
  std::vector<Entry> contexts_;  // never empty once hosts are set; few
  x509::VerificationCache verifications_;
  x509::ChainCache chains_;
  Admission admission_;
  ServerCounts counts_;
};

}  // namespace certgate::tls
