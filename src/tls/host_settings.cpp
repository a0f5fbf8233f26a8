#include "certgate/tls/host_settings.hpp"

#include <algorithm>

namespace certgate::tls {
namespace {

char byte_of(auto value) { return static_cast<char>('0' + static_cast<int>(value)); }

}  // namespace

Result<HostSettings::Pointer> HostSettings::build(HostOptions options) {
  if (options.names.empty()) return fail(ErrorCode::invalid, "a host needs a name");
  auto const& first = options.names.front();
  if (options.identities.empty()) {
    return fail(ErrorCode::invalid, "the host `" + first.to_string() + "` has no certificate");
  }
  if (!options.profile) return fail(ErrorCode::internal, "a host without a TLS profile");
  auto const& client = options.client;
  bool const asks = client.mode != x509::ClientAuthMode::off;
  if (asks && (!client.trust || client.trust->anchors().empty())) {
    return fail(ErrorCode::invalid, "the host `" + first.to_string() +
                                        "` asks for client certificates but trusts no CA");
  }

  auto const host = std::make_shared<HostSettings>(Private{}, std::move(options));
  auto const& policy = host->options_.client;
  // The list of a CA may change under a session: revocation is judged per request. What may not
  // change is whom the handshake let in and how its answer is to be read.
  std::string const rules{byte_of(policy.mode), byte_of(policy.crl_check),
                          byte_of(policy.on_expired_crl)};
  host->client_scope_ = x509::sha256({policy.identity_scope().bytes, as_bytes(rules)});

  std::vector<std::string> names;
  for (auto const& name : host->options_.names) names.push_back(name.to_string());
  std::sort(names.begin(), names.end());
  std::string all;
  for (auto const& name : names) all += name + '\n';
  host->scope_ = x509::sha256({host->client_scope_.bytes, host->profile().digest().bytes,
                               as_bytes(all)});
  auto rest = host->options_;
  rest.identities.clear();
  rest.client.revocations = nullptr;
  rest.client.deny_list = nullptr;
  auto const lasting = std::make_shared<HostSettings>(Private{}, std::move(rest));
  lasting->scope_ = host->scope_;
  lasting->client_scope_ = host->client_scope_;
  host->lasting_ = lasting;
  return Pointer(host);
}

Result<ServerHosts::Pointer> ServerHosts::build(std::vector<HostSettings::Pointer> hosts) {
  auto const out = std::make_shared<ServerHosts>(Private{});
  for (auto const& host : hosts) {
    for (auto const& name : host->names()) {
      if (!out->table_.insert(name, host)) {
        return fail(ErrorCode::conflict, "two hosts are called `" + name.to_string() + "`");
      }
    }
  }
  out->all_ = std::move(hosts);
  return Pointer(out);
}

HostSettings::Pointer const* ServerHosts::find(std::string_view server_name) const {
  return server_name.empty() ? table_.any() : table_.find(server_name);
}

}  // namespace certgate::tls
