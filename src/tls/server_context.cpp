#include "certgate/tls/server_context.hpp"

#include <algorithm>

#include "certgate/tls/library.hpp"
#include "server_callbacks.hpp"
#include "worker_library.hpp"

namespace certgate::tls {

ServerContext::ServerContext(net::Loop& loop, ServerOptions options)
    : options_(std::move(options)),
      library_(std::make_unique<WorkerLibrary>()),
      verifications_(options_.verifications),
      chains_(options_.chains),
      admission_(loop, options_.admission) {}

ServerContext::~ServerContext() = default;

Result<std::unique_ptr<ServerContext>> ServerContext::build(net::Loop& loop,
                                                            ServerOptions options) {
  if (options.clock == nullptr) return fail(ErrorCode::internal, "a TLS context without a clock");
  if (auto const sound = check_library(); !sound) return fail(sound.error());
  return std::unique_ptr<ServerContext>(new ServerContext(loop, std::move(options)));
}

Result<void> ServerContext::set_hosts(ServerHosts::Pointer hosts) {
  std::vector<Entry> contexts;
  for (auto const& host : hosts->all()) {
    auto const& profile = host->profile();
    auto const is_this = [&](Entry const& entry) { return entry.profile == profile.digest(); };
    if (std::find_if(contexts.begin(), contexts.end(), is_this) != contexts.end()) continue;
    if (auto const* const known = entry_of(profile)) {
      contexts.push_back({profile.digest(), known->context, std::nullopt});
      continue;
    }
    auto made = ServerStream::Callbacks::make_context(library_->handle(), profile, options_);
    if (!made) return fail(std::move(made).error());
    contexts.push_back({profile.digest(), std::move(made).value(), std::nullopt});
  }
  if (contexts.empty()) return fail(ErrorCode::invalid, "there is no host to serve");
  // A connection begins with the groups of any_context(), and a host that names none changes nothing
  // about them.
  for (auto const& host : hosts->all()) {
    if (!host->profile().group_list().empty()) continue;
    auto const usual = std::find_if(contexts.begin(), contexts.end(), [&](Entry const& entry) {
      return entry.profile == host->profile().digest();
    });
    std::rotate(contexts.begin(), usual, usual + 1);
    break;
  }
  contexts_ = std::move(contexts);
  hosts_ = std::move(hosts);
  for (auto& entry : contexts_) announce(entry);
  return {};
}

void ServerContext::announce(Entry& entry) {
  for (auto const& host : hosts_->all()) {
    auto const& client = host->client();
    if (client.mode == x509::ClientAuthMode::off) continue;
    if (host->profile().digest() != entry.profile) continue;
    ServerStream::Callbacks::announce(entry.context.get(), *client.trust);
    entry.announced = client.trust->digest();
    return;
  }
}

void ServerContext::set_client_hello_facts(bool on) {
  options_.client_hello_facts = on;
  for (auto const& entry : contexts_) ServerStream::Callbacks::watch_hello(entry.context.get(), on);
}

ServerContext::Entry const* ServerContext::entry_of(Profile const& profile) const {
  for (auto const& entry : contexts_) {
    if (entry.profile == profile.digest()) return &entry;
  }
  return nullptr;
}

ssl_ctx_st* ServerContext::context_of(Profile const& profile) const {
  auto const* const entry = entry_of(profile);
  return entry != nullptr ? entry->context.get() : nullptr;
}

bool ServerContext::announces(Profile const& profile, x509::Digest const& trust) const {
  auto const* const entry = entry_of(profile);
  return entry != nullptr && entry->announced == trust;
}

}  // namespace certgate::tls
