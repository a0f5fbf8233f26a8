// A folder with everything that a small configuration names, to start, spoil and mend.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "certgate/base/clock.hpp"
#include "support/test_ca.hpp"

namespace certgate::testing {

class SiteFolder {
 public:
  SiteFolder() {
    set_test_now(SystemClock{}.unix_seconds());
    char name[] = "/tmp/certgate-gateway-XXXXXX";
    require(::mkdtemp(name) != nullptr, "a folder of our own");
    path_ = name;
    ca_ = make_ca("Devices");
    auto server = client_spec("api.example.com");
    server.extended_key_usage = "serverAuth";
    server.alt_names = {{x509::SanType::dns, "api.example.com"}};
    auto const identity = issue(server, &ca_);
    write("server.pem", identity.pem());
    write("server.key", identity.key.pem());
    std::filesystem::permissions(path("server.key"), std::filesystem::perms::owner_read |
                                                         std::filesystem::perms::owner_write);
    write("ca.pem", ca_.pem());
    write_crl("01", {});
    write("certgate.yaml", config());
  }
  ~SiteFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  SiteFolder(SiteFolder const&) = delete;
  SiteFolder& operator=(SiteFolder const&) = delete;

  std::string path(std::string const& name) const { return path_ + "/" + name; }
  std::string config_path() const { return path("certgate.yaml"); }
  Issued const& ca() const { return ca_; }

  void write(std::string const& name, std::string const& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  void write_crl(std::string const& number, std::vector<CrlEntrySpec> entries) const {
    CrlSpec spec;
    spec.number = number;
    spec.entries = std::move(entries);
    spec.next_update = test_now() + 90 * 86'400;
    write("ca.crl", make_crl(spec, ca_));
  }
  // `more` is YAML at the top level.
  std::string config(std::string const& more = {}) const {
    return R"(workers: 2
listeners:
  - address: 127.0.0.1:0
hosts:
  - names: [api.example.com]
    certificate: server.pem
    private_key: server.key
    client_auth: {mode: request, ca: ca.pem, crl: ca.crl}
    origin: api
origins:
  api: {servers: ["http://127.0.0.1:9"]}
log: {file: certgate.log, access: {file: access.log}}
timeouts: {drain: 1s}
rules:
  - name: valid certificates only
    expression: not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked
    action: block
)" + more;
  }

 private:
  std::string path_;
  Issued ca_;
};

}  // namespace certgate::testing
