// Breeds the zoo: one function per family of certificates.
#include "support/zoo.hpp"

#include <cstdlib>

namespace certgate::testing {
namespace {

using namespace std::string_literals;

constexpr char const* success = "SUCCESS";
constexpr char const* no_local_issuer = "FAILED:unable to get local issuer certificate";
constexpr char const* no_list = "FAILED:unable to get certificate CRL";
constexpr char const* control_character = "FAILED:control character in certificate name";
constexpr char const* wrong_purpose = "FAILED:unsuitable certificate purpose";

std::string utf16(std::u16string const& text) {
  std::string bytes;
  for (char16_t const c : text) {
    bytes.push_back(static_cast<char>(c >> 8));
    bytes.push_back(static_cast<char>(c & 0xFF));
  }
  return bytes;
}

class Breeder {
 public:
  explicit Breeder(UnixSeconds now)
      : now_(now),
        root_(make_ca("Zoo Root")),
        intermediate_(make_ca("Zoo Issuing CA", &root_)),
        deep_(make_ca("Zoo Deep CA", &intermediate_)),
        revoked_ca_(make_ca("Zoo Revoked CA", &root_)),
        second_root_(make_ca("Zoo Second Root")),
        old_key_(make_ca("Zoo Rollover Root")),
        new_key_(make_ca("Zoo Rollover Root")),
        foreign_(make_ca("Foreign Root")),
        impostor_(make_ca("Zoo Root")),
        rsa_ca_(make_ca("Zoo RSA CA", &root_, KeyKind::rsa2048)),
        partial_root_(make_ca("Zoo Absent Root")),
        partial_(make_ca("Zoo Partial Anchor", &partial_root_)) {}

  Zoo breed() {
    keys();
    chains();
    validity();
    revocation();
    purposes();
    strangers();
    alternative_names();
    distinguished_names();
    hostile_names();
    serials();
    sizes();
    odd_structures();
    Zoo zoo;
    zoo.anchors = {root_, intermediate_, second_root_, old_key_, new_key_, partial_};
    zoo.crls = crls();
    zoo.animals = std::move(animals_);
    zoo.server_ca = make_ca("Zoo Server CA");
    CertificateSpec server;
    server.subject = {{"CN", "localhost"}};
    server.key_usage = "critical,digitalSignature";
    server.extended_key_usage = "serverAuth";
    server.alt_names = {{x509::SanType::dns, "localhost"},
                        {x509::SanType::dns, "*.example.com"},
                        {x509::SanType::dns, "example.com"},
                        {x509::SanType::ip, "\x7F\0\0\1"s}};
    zoo.server = issue(server, &zoo.server_ca);
    return zoo;
  }

 private:
  // `known_issuer`: what the product can know of the issuer, because it was sent or is an anchor.
  ZooAnimal& add(std::string name, std::string story, Issued leaf, std::vector<Issued> others,
                 char const* reason, Issued const* known_issuer) {
    ZooAnimal animal{std::move(name),
                     std::move(story),
                     std::move(leaf),
                     std::move(others),
                     false,
                     false,
                     false,
                     false,
                     reason,
                     {}};
    animal.chain_verified = animal.reason == success;
    bool is_covered = false;
    for (Issued const* const lister : listers()) is_covered = is_covered || lister == known_issuer;
    if (animal.chain_verified && !is_covered) animal.reason = no_list;
    animal.verified = animal.reason == success;
    animal.fields = openssl_fields(animal.leaf, known_issuer, animal.others);
    animal.fields["cert_verified"] = animal.verified ? "true" : "false";
    animal.fields["cert_revoked"] = "false";
    animals_.push_back(std::move(animal));
    return animals_.back();
  }
  // Issued by the issuing CA, which is sent.
  ZooAnimal& usual(std::string name, std::string story, CertificateSpec const& spec,
                   char const* reason = success, KeyKind kind = KeyKind::p256) {
    bool const is_rsa = kind != KeyKind::p256 && kind != KeyKind::p384 && kind != KeyKind::p521 &&
                        kind != KeyKind::ed25519;
    TestKey const key = is_rsa ? TestKey::cached(kind) : TestKey::make(kind);
    return add(std::move(name), std::move(story), issue(spec, key, &intermediate_), {intermediate_},
               reason, &intermediate_);
  }
  ZooAnimal& revoke(ZooAnimal& animal, Issued const& issuer, int reason,
                    std::optional<UnixSeconds> at = {}) {
    CrlEntrySpec entry{animal.fields["cert_serial"], reason, at, {}};
    (&issuer == &root_ ? root_entries_ : issuing_entries_).push_back(entry);
    animal.revoked = animal.revoked_in_chain_mode = true;
    animal.fields["cert_revoked"] = "true";
    return animal;
  }

  void keys() {
    usual("valid_p256", "P-256, the common case", client_spec("valid-p256"));
    usual("valid_p384", "P-384", client_spec("valid-p384"), success, KeyKind::p384);
    usual("valid_p521", "P-521", client_spec("valid-p521"), success, KeyKind::p521);
    usual("valid_rsa2048", "RSA 2048", client_spec("valid-rsa2048"), success, KeyKind::rsa2048);
    usual("valid_rsa4096", "RSA 4096", client_spec("valid-rsa4096"), success, KeyKind::rsa4096);
    usual("valid_rsa_pss", "an RSA-PSS key", client_spec("valid-rsa-pss"), success,
          KeyKind::rsa_pss2048);
    usual("valid_ed25519", "Ed25519", client_spec("valid-ed25519"), success, KeyKind::ed25519);
    usual("weak_rsa1024", "RSA 1024", client_spec("weak"), "FAILED:EE certificate key too weak",
          KeyKind::rsa1024);
    CertificateSpec sha1 = client_spec("sha1");
    sha1.digest = "SHA1";
    usual("weak_sha1", "signed with SHA-1", sha1, "FAILED:CA signature digest algorithm too weak");
    add("rsa_issuer", "P-256 key under an RSA CA", issue(client_spec("rsa-issuer"), &rsa_ca_),
        {rsa_ca_}, success, &rsa_ca_);
  }

  void chains() {
    add("direct", "issued by the root, nothing else sent", make_client("direct", root_), {},
        success, &root_);
    add("two_intermediates", "through two intermediates", make_client("deep", deep_),
        {deep_, intermediate_}, success, &deep_);
    add("wrong_order", "the intermediates in the wrong order", make_client("wrong-order", deep_),
        {intermediate_, deep_}, success, &deep_);
    add("root_sent_too", "the root is sent as well", make_client("root-sent", intermediate_),
        {intermediate_, root_}, success, &intermediate_);
    add("missing_intermediate", "the intermediate is not sent", make_client("missing", deep_), {},
        no_local_issuer, nullptr);
    add("partial_anchor", "its intermediate is an anchor, its root is not",
        make_client("partial", partial_), {}, success, &partial_);
    CertificateSpec rolled = client_spec("rolled-over");
    rolled.authority_key_id = false;
    add("rollover_new_key", "two CAs with one name, no key identifier: the new key",
        issue(rolled, &new_key_), {}, success, &new_key_);
    add("rollover_old_key", "two CAs with one name, no key identifier: the old key",
        issue(rolled, &old_key_), {}, success, &old_key_);
    CertificateSpec short_path;
    short_path.subject = {{"CN", "Zoo Short CA"}};
    short_path.ca = true;
    short_path.path_length = 0;
    short_path.key_usage = "critical,keyCertSign,cRLSign";
    Issued const short_ca = issue(short_path, &root_);
    Issued const below = make_ca("Zoo Below Short CA", &short_ca);
    add("path_length", "a CA below one with path length 0", make_client("too-deep", below),
        {below, short_ca}, "FAILED:path length constraint exceeded", &below);
    CertificateSpec constrained = short_path;
    constrained.subject = {{"CN", "Zoo Constrained CA"}};
    constrained.name_constraints = "critical,permitted;DNS:.example.com";
    Issued const constrained_ca = issue(constrained, &root_);
    CertificateSpec outside = client_spec("outside");
    outside.alt_names = {{x509::SanType::dns, "device.example.net"}};
    add("name_constraints", "a name that its CA may not certify", issue(outside, &constrained_ca),
        {constrained_ca}, "FAILED:permitted subtree violation", &constrained_ca);
    CertificateSpec old_ca = short_path;
    old_ca.subject = {{"CN", "Zoo Expired CA"}};
    old_ca.not_before = now_ - 20 * 86400;
    old_ca.not_after = now_ - 86400;
    Issued const expired_ca = issue(old_ca, &root_);
    add("expired_intermediate", "its intermediate has expired",
        make_client("expired-intermediate", expired_ca), {expired_ca},
        "FAILED:certificate has expired", &expired_ca);
    Issued const plain = make_client("not-a-ca", intermediate_);
    add("issued_by_a_leaf", "issued by a certificate that is not a CA",
        make_client("from-leaf", plain), {plain, intermediate_}, "FAILED:invalid CA certificate",
        &plain);
  }

  void validity() {
    CertificateSpec expired = client_spec("expired");
    expired.not_before = now_ - 30 * 86400;
    expired.not_after = now_ - 3600;
    usual("expired", "expired an hour ago", expired, "FAILED:certificate has expired");
    CertificateSpec early = client_spec("early");
    early.not_before = now_ + 3600;
    usual("not_yet_valid", "valid from an hour from now", early,
          "FAILED:certificate is not yet valid");
    CertificateSpec first_of_march = client_spec("first-of-march");
    first_of_march.not_before = 1583020805;  // Mar  1 00:00:05 2020
    usual("single_digit_day", "a day of one digit in its dates", first_of_march);
    CertificateSpec far = client_spec("far");
    far.not_after = 4102444799;  // Dec 31 23:59:59 2099: GeneralizedTime
    usual("generalized_time", "ends in 2099", far);
  }

  void revocation() {
    auto const next = [&](char const* name, char const* story) -> ZooAnimal& {
      return usual(name, story, client_spec(name));
    };
    revoke(next("revoked", "revoked for keyCompromise"), intermediate_, 1);
    revoke(next("revoked_no_reason", "revoked without a reason"), intermediate_, -1);
    revoke(next("revoked_hold", "on hold"), intermediate_, 6);
    revoke(next("revoked_future", "its revocation date is tomorrow"), intermediate_, 4,
           now_ + 86400);
    ZooAnimal& below =
        add("revoked_intermediate", "its intermediate is revoked",
            make_client("below-revoked", revoked_ca_), {revoked_ca_}, success, &revoked_ca_);
    below.revoked_in_chain_mode = true;
    root_entries_.push_back({std::string(revoked_ca_.facts->serial()), 2, {}, {}});
    CertificateSpec twin = client_spec("twin-revoked");
    twin.serial = "7777";
    ZooAnimal& revoked_twin =
        add("twin_revoked", "a serial that another CA uses as well; this one is revoked",
            issue(twin, &root_), {}, success, &root_);
    revoke(revoked_twin, root_, 3);
    twin.subject.back().value = "twin-valid";
    add("twin_valid", "the same serial under the other CA, not revoked", issue(twin, &second_root_),
        {}, success, &second_root_);
  }

  void purposes() {
    auto const with_purpose = [&](char const* name, char const* usage, char const* reason) {
      CertificateSpec spec = client_spec(name);
      spec.extended_key_usage = usage;
      usual(name, "extended key usage: "s + (*usage != '\0' ? usage : "none"), spec, reason);
    };
    with_purpose("eku_none", "", success);
    with_purpose("eku_client_and_server", "clientAuth,serverAuth", success);
    with_purpose("eku_server_only", "serverAuth", wrong_purpose);
    with_purpose("eku_code_signing", "codeSigning", wrong_purpose);
    with_purpose("eku_any", "anyExtendedKeyUsage", wrong_purpose);
    CertificateSpec cipher = client_spec("key-encipherment");
    cipher.key_usage = "critical,keyEncipherment";
    usual("usage_encipherment", "key usage without digitalSignature", cipher, wrong_purpose,
          KeyKind::rsa2048);
    CertificateSpec ca = client_spec("ca-as-leaf");
    ca.ca = true;
    ca.key_usage = "critical,digitalSignature,keyCertSign";
    usual("ca_as_leaf", "a CA certificate used as a client's", ca, wrong_purpose);
  }

  void strangers() {
    Issued const unknown = make_client("foreign", foreign_);
    add("wrong_ca", "from a CA that is not configured", unknown, {}, no_local_issuer, nullptr);
    add("wrong_ca_with_root", "the same, and it sends its root",
        make_client("foreign-root", foreign_), {foreign_},
        "FAILED:self signed certificate in certificate chain", &foreign_);
    add("impostor_ca", "from a CA with the root's name and another key",
        make_client("impostor", impostor_), {}, no_local_issuer, nullptr);
    CertificateSpec quiet = client_spec("impostor-quiet");
    quiet.authority_key_id = false;
    add("impostor_ca_no_key_id", "the same without an authority key identifier",
        issue(quiet, &impostor_), {}, "FAILED:certificate signature failure", &root_);
    Issued const lonely = issue(client_spec("valid-p256"), nullptr);
    add("self_signed", "self-signed, with the subject of a good one", lonely, {},
        "FAILED:self signed certificate", &lonely);
    Issued const valid = make_client("stuffed", intermediate_);
    add("stuffed_after", "a valid leaf, then a self-signed stranger", valid,
        {lonely, intermediate_}, success, &intermediate_);
    add("stuffed_before", "a self-signed leaf, then a valid chain of someone else", lonely,
        {valid, intermediate_}, "FAILED:self signed certificate", &lonely);
    Issued tampered = make_client("tampered", intermediate_);
    tampered.der[tampered.der.size() - 4] ^= 1;  // inside the signature
    tampered.facts = *x509::Certificate::parse_der(as_bytes(tampered.der));
    add("tampered_signature", "one bit of its signature is flipped", tampered, {intermediate_},
        "FAILED:certificate signature failure", &intermediate_);
  }

  void alternative_names() {
    using x509::SanType;
    auto const with_names = [&](char const* name, std::vector<AltName> names,
                                char const* reason = success) {
      CertificateSpec spec = client_spec(name);
      spec.alt_names = std::move(names);
      usual(name, "subject alternative names", spec, reason);
    };
    with_names("san_dns", {{SanType::dns, "sensor-7.devices.example.com"}});
    with_names("san_uri", {{SanType::uri, "spiffe://example.org/ns/prod/sa/web"}});
    with_names("san_email", {{SanType::email, "jane@example.com"}});
    with_names("san_ip", {{SanType::ip, "\x0A\0\0\1"s},
                          {SanType::ip, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"s}});
    with_names("san_all", {{SanType::dns, "a.example.com"},
                           {SanType::uri, "urn:uuid:1"},
                           {SanType::email, "a@example.com"},
                           {SanType::ip, "\xC0\0\2\1"s}});
    with_names("san_email_like_host", {{SanType::email, "api.example.com"}});
    with_names("san_broken_ip", {{SanType::ip, "\x0A\0\0"s}},
               "FAILED:malformed certificate name or extension");
  }

  void distinguished_names() {
    auto const with_dn = [&](char const* name, std::vector<NameAttribute> subject,
                             char const* reason = success) {
      CertificateSpec spec = client_spec(name);
      spec.subject = std::move(subject);
      usual(name, "distinguished name", spec, reason);
    };
    with_dn("dn_cloudflare", {{"C", "US", 19},
                              {"ST", "Texas"},
                              {"L", "Austin"},
                              {"O", "Access"},
                              {"OU", "Access Admins"},
                              {"CN", "James Royal"}});
    with_dn("dn_special_characters", {{"O", "a,b+c\"d\\e;f<g>h=i"}, {"CN", "#hash "}});
    with_dn("dn_spaces", {{"O", "  two spaces  "}, {"CN", " "}});
    with_dn("dn_utf8", {{"O",
                         "B\xC3\xBC"
                         "cher GmbH"},
                        {"CN", "J\xC3\xBCrgen \xE2\x82\xAC"}});
    with_dn("dn_emoji_and_rtl", {{"CN", "\xF0\x9F\x94\x91 \xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D"}});
    with_dn("dn_bmp", {{"CN", utf16(u"J\u00FCrgen \u20AC"), 30}});
    with_dn("dn_latin1", {{"CN", "J\xFCrgen", 20}});
    with_dn("dn_multi_valued", {{"O", "Test"}, {"CN", "multi"}, {"UID", "42", 12, true}});
    with_dn("dn_slash", {{"O", "x/CN=admin"}, {"CN", "user"}});
    with_dn("dn_comma_injection", {{"CN", "user,CN=admin"}});
    with_dn("dn_two_common_names", {{"CN", "first"}, {"CN", "second"}});
    with_dn("dn_many_types", {{"DC", "com", 22},
                              {"DC", "example", 22},
                              {"UID", "u1"},
                              {"serialNumber", "4711", 19},
                              {"SN", "Royal"},
                              {"GN", "James"},
                              {"title", "Dr"},
                              {"street", "Main St 1"},
                              {"postalCode", "78701"},
                              {"emailAddress", "j@example.com", 22},
                              {"CN", "many"}});
    with_dn("dn_unknown_type", {{"1.3.6.1.4.1.99999.1", "odd"}, {"CN", "unknown-type"}});
    with_dn("dn_empty", {});
    with_dn("dn_long", {{"O", std::string(400, 'o')}, {"CN", std::string(64, 'c')}});
    with_dn("dn_empty_value", {{"O", ""}, {"CN", "empty-value"}});
  }

  void hostile_names() {
    using x509::SanType;
    auto const with = [&](char const* name, std::string const& common_name,
                          std::vector<AltName> names, char const* reason = control_character) {
      CertificateSpec spec = client_spec(common_name);
      spec.alt_names = std::move(names);
      usual(name, "hostile name", spec, reason);
    };
    with("nul_in_cn", "admin\0.evil"s, {});
    with("crlf_in_cn", "x\r\nX-Admin: yes", {});
    with("escape_in_cn", "x\x1b[2Jy", {});
    with("del_in_cn", "x\x7fy", {});
    with("nul_in_dns", "nul-dns", {{SanType::dns, "api.example.com\0.evil.net"s}});
    with("nul_in_uri", "nul-uri", {{SanType::uri, "spiffe://example.org/a\0b"s}});
    with("nul_in_email", "nul-email", {{SanType::email, "a@example.com\0@evil"s}});
    with("newline_in_dns", "newline-dns", {{SanType::dns, "a\nb"}});
    with("high_byte_in_dns", "high-dns", {{SanType::dns, "b\xC3\xBC.example.com"}},
         "FAILED:malformed certificate name or extension");
  }

  void serials() {
    auto const with_serial = [&](char const* name, char const* serial) {
      CertificateSpec spec = client_spec(name);
      spec.serial = serial;
      usual(name, "serial "s + serial, spec);
    };
    with_serial("serial_20_bytes", "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF");
    with_serial("serial_leading_zero_digit", "0A1B2C");
    with_serial("serial_high_bit", "FF00FF");
    with_serial("serial_one", "01");
    with_serial("serial_negative", "-80");
    with_serial("serial_long", "11223344556677889900AABBCCDDEEFF11223344556677889900AABBCCDDEEFF");
    CertificateSpec padded = client_spec("revoked-high-bit");
    padded.serial = "00F0E0D0";
    revoke(usual("revoked_high_bit", "revoked, with a serial whose first bit is set", padded),
           intermediate_, 1);
  }

  void sizes() {
    CertificateSpec large = client_spec("large");
    for (int i = 0; i < 400; ++i) {
      large.alt_names.push_back(
          {x509::SanType::dns, "host-" + std::to_string(i) + ".devices.example.com"});
    }
    usual("very_large", "more than 10 KiB", large);
    CertificateSpec bulky_ca;
    bulky_ca.subject = {{"CN", "Zoo Bulky CA"}};
    bulky_ca.ca = true;
    bulky_ca.key_usage = "critical,keyCertSign";
    bulky_ca.extensions = {
        {"1.3.6.1.4.1.99999.2", false, "\x04\x82\x33\x00"s + std::string(0x3300, 'x')}};
    Issued const bulky = issue(bulky_ca, &root_);
    add("large_chain", "its chain is more than 16 KiB", make_client("large-chain", bulky), {bulky},
        success, &bulky);
  }

  void odd_structures() {
    CertificateSpec critical = client_spec("critical");
    critical.extensions = {{"1.3.6.1.4.1.99999.3", true, "\x05\x00"s}};
    usual("unknown_critical", "a critical extension nobody knows", critical,
          "FAILED:unhandled critical extension");
    CertificateSpec ignored = client_spec("non-critical");
    ignored.extensions = {{"1.3.6.1.4.1.99999.3", false, "\x05\x00"s}};
    usual("unknown_extension", "an extension nobody knows, not critical", ignored);
    CertificateSpec no_ids = client_spec("no-key-ids");
    no_ids.subject_key_id = no_ids.authority_key_id = false;
    usual("no_key_ids", "without key identifiers", no_ids);
    CertificateSpec v1 = client_spec("version-1");
    v1.version_1 = true;
    usual("version_1", "an X.509 v1 certificate", v1);
  }

  std::vector<std::string> crls() const {
    CrlSpec issuing;
    issuing.number = "1001";
    issuing.entries = issuing_entries_;
    CrlSpec root;
    root.number = "07";
    root.entries = root_entries_;
    std::vector<std::string> lists;
    for (Issued const* const lister : listers()) {
      CrlSpec const& spec = lister == &root_           ? root
                            : lister == &intermediate_ ? issuing
                                                       : CrlSpec{};
      lists.push_back(make_crl(spec, *lister));
    }
    return lists;
  }
  // The anchors: only a CA that the host knows can have a list there.
  std::vector<Issued const*> listers() const {
    return {&root_, &intermediate_, &second_root_, &old_key_, &new_key_, &partial_};
  }

  UnixSeconds now_;
  Issued root_, intermediate_, deep_, revoked_ca_, second_root_, old_key_, new_key_, foreign_,
      impostor_, rsa_ca_, partial_root_, partial_;
  std::vector<CrlEntrySpec> root_entries_, issuing_entries_;
  std::vector<ZooAnimal> animals_;
};

}  // namespace

ZooAnimal const& Zoo::animal(std::string const& name) const {
  for (ZooAnimal const& animal : animals) {
    if (animal.name == name) return animal;
  }
  require(false, name.c_str());
  std::abort();
}

Zoo build_zoo(UnixSeconds now) {
  UnixSeconds const before = test_now();
  set_test_now(now);
  Zoo zoo = Breeder(now).breed();
  set_test_now(before);
  return zoo;
}

}  // namespace certgate::testing
