#include "demo_certificates.hpp"

#include <sys/stat.h>

#include <fstream>

#include "certgate/pki/authority.hpp"

namespace certgate::cli {
namespace {

constexpr UnixSeconds hour = 3'600;
constexpr UnixSeconds day = 24 * hour;

Result<void> write(std::filesystem::path const& path, std::string const& text) {
  std::ofstream out(path, std::ios::binary);
  ::chmod(path.c_str(), S_IRUSR | S_IWUSR);
  out << text;
  out.close();
  if (!out) return fail(ErrorCode::io, "cannot write " + path.string());
  return {};
}

Result<pki::Authority> make_root(std::string const& name, pki::Validity validity) {
  CERTGATE_TRY(auto key, pki::PrivateKey::make(pki::KeyType::p256));
  CERTGATE_TRY(auto serial, pki::Serial::random());
  pki::CertificateOrder order{serial, validity, {name, "certgate demo", ""}, {}, {}, {}, {}, 0, {}};
  order.profile = pki::ProfileKind::root;
  order.path_length = 0;
  return pki::Authority::make_root(std::move(order), std::move(key));
}

struct Wanted {
  std::string file;
  std::string common_name;
  pki::ProfileKind profile;
  pki::Validity validity;
};

Result<pki::Serial> issue(pki::Authority const& authority, Wanted const& wanted,
                          std::filesystem::path const& folder) {
  CERTGATE_TRY(auto key, pki::PrivateKey::make(pki::KeyType::p256));
  CERTGATE_TRY(auto serial, pki::Serial::random());
  pki::CertificateOrder order{
      serial, wanted.validity, {wanted.common_name, "certgate demo", ""}, {}, {}, {}, {}, 0, {}};
  order.profile = wanted.profile;
  order.public_key_der = key.public_key_der();
  if (wanted.profile == pki::ProfileKind::server) {
    CERTGATE_TRY(auto name, pki::AlternativeName::parse(pki::NameKind::dns, wanted.common_name));
    order.alternative_names.push_back(std::move(name));
    CERTGATE_TRY(auto address, pki::AlternativeName::parse(pki::NameKind::ip, "127.0.0.1"));
    order.alternative_names.push_back(std::move(address));
  }
  CERTGATE_TRY(auto certificate, authority.issue(order));
  CERTGATE_TRY(auto key_pem, key.pem());
  if (auto done = write(folder / (wanted.file + ".pem"), certificate.pem()); !done) {
    return fail(done.error());
  }
  if (auto done = write(folder / (wanted.file + ".key"), key_pem); !done) return fail(done.error());
  return serial;
}

}  // namespace

Result<void> write_demo_certificates(std::filesystem::path const& folder, UnixSeconds now) {
  pki::Validity const decade{now - 10 * day, now + 10 * day};
  pki::Validity const today{now - hour, now + day};
  pki::Validity const yesterday{now - 2 * day, now - day};
  CERTGATE_TRY(auto const servers, make_root("demo server CA", decade));
  CERTGATE_TRY(auto const clients, make_root("demo client CA", decade));
  CERTGATE_TRY(auto const strangers, make_root("somebody else's CA", decade));
  using pki::ProfileKind;
  CERTGATE_TRY([[maybe_unused]] auto const server,
               issue(servers, {"server", "api.example.com", ProfileKind::server, today}, folder));
  CERTGATE_TRY([[maybe_unused]] auto const valid,
               issue(clients, {"valid", "phone-of-alice", ProfileKind::iot, today}, folder));
  CERTGATE_TRY(auto const revoked,
               issue(clients, {"revoked", "stolen-phone", ProfileKind::iot, today}, folder));
  CERTGATE_TRY([[maybe_unused]] auto const expired,
               issue(clients, {"expired", "forgotten-tablet", ProfileKind::iot, yesterday}, folder));
  CERTGATE_TRY([[maybe_unused]] auto const stranger,
               issue(strangers, {"stranger", "phone-of-alice", ProfileKind::iot, today}, folder));

  pki::RevocationListOrder list;
  list.this_update = now - hour;
  list.next_update = now + day;
  list.entries.push_back({revoked, now - hour, pki::RevocationReason::key_compromise});
  CERTGATE_TRY(auto const crl, clients.sign_revocation_list(list));
  if (auto done = write(folder / "client-ca.crl", pki::format_pem("X509 CRL", crl)); !done) {
    return done;
  }
  if (auto done = write(folder / "client-ca.pem", clients.certificate().pem()); !done) return done;
  return write(folder / "server-ca.pem", servers.certificate().pem());
}

}  // namespace certgate::cli
