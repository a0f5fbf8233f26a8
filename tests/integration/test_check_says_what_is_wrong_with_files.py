"""`certgate check` on mistakes that need files: golden text, with the place, the line and the way out.

The goldens are tests/golden/check/NAME.expected; CERTGATE_UPDATE_GOLDEN=1 writes them anew.
"""

import datetime
import os
import pathlib
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import proxy
from check_folder import Folder

GOLDENS = pathlib.Path(__file__).parents[1] / "golden" / "check"


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


# Each spoils one thing. The name is that of the golden.


def config_missing(f):
    f.check = lambda *_, **__: proxy.run("check", "--config", "nowhere.yaml", status=2, cwd=f.path)


def config_is_a_directory(f):
    f.check = lambda *_, **__: proxy.run("check", "--config", "other", status=2, cwd=f.path)


def certificate_missing(f):
    f.edit("server.pem", "servr.pem")


def certificate_is_a_directory(f):
    f.edit("server.pem", "other")


def certificate_is_a_key(f):
    f.edit("certificate: server.pem", "certificate: server.key")


def certificate_truncated(f):
    f.write("server.pem", f.read("server.pem")[:400])


def certificate_is_der(f):
    certificate = x509.load_pem_x509_certificate(f.read("server.pem"))
    f.write("server.pem", certificate.public_bytes(serialization.Encoding.DER))


def certificate_is_text(f):
    f.write("server.pem", "a note about certificates\n")


def key_missing(f):
    f.edit("server.key", "servr.key")


def key_empty(f):
    f.write("server.key", b"")


def key_of_another_certificate(f):
    f.copy(f.ca.issue("other").key_path, "server.key")


def key_is_a_certificate(f):
    f.edit("private_key: server.key", "private_key: server.pem")


def key_encrypted(f):
    key = ec.generate_private_key(ec.SECP256R1())
    f.write("server.key", key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret")))


def ca_missing(f):
    f.edit("ca: ca.pem", "ca: no/ca.pem")


def ca_empty(f):
    f.write("ca.pem", b"")


def ca_is_a_directory(f):
    f.edit("ca: ca.pem", "ca: other")


def ca_is_a_leaf(f):
    f.copy(f.ca.issue("leaf").path, "ca.pem")


def ca_is_a_key(f):
    f.copy(f.other / "../server.key", "ca.pem")


def ca_is_der(f):
    certificate = x509.load_pem_x509_certificate(f.read("ca.pem"))
    f.write("ca.pem", certificate.public_bytes(serialization.Encoding.DER))


def ca_truncated(f):
    f.write("ca.pem", f.read("ca.pem")[:300])


def ca_one_bad_among_ten(f):
    good = b"".join(proxy.Authority(f.other, f"CA {number}").pem() for number in range(9))
    bad = f.read("ca.pem").replace(b"\nMII", b"\nAAA", 1)
    f.write("ca.pem", good + bad)
    f.edit("      crl: ca.crl\n", "")


def crl_missing(f):
    f.edit("ca.crl", "no.crl")


def crl_empty(f):
    f.write("ca.crl", b"")


def crl_truncated(f):
    f.write("ca.crl", f.read("ca.crl")[:200])


def crl_of_another_issuer(f):
    f.copy(proxy.Authority(f.other, "Other CA").crl_path, "ca.crl")


def crl_signed_by_a_namesake(f):
    (f.other / "namesake").mkdir()
    f.copy(proxy.Authority(f.other / "namesake", "Client CA").crl_path, "ca.crl")


def crl_is_a_certificate(f):
    f.edit("crl: ca.crl", "crl: ca.pem")


def crl_folder_empty(f):
    (f.path / "crls").mkdir()
    f.edit("crl: ca.crl", "crl: crls")


def rule_unknown_field(f):
    f.edit("cert_verified", "cert_verfied")


def rule_unknown_list(f):
    f.edit("not cf.tls_client_auth.cert_verified", "http.request.uri.path in $paths")


def rule_wrong_type(f):
    f.edit("not cf.tls_client_auth.cert_verified", "http.host")


def rule_form_and_expression(f):
    f.edit("    action: block", "    mtls: {hosts: [api.example.com]}\n    action: block")


def unknown_origin(f):
    f.edit("origin: api", "origin: apis")


def rule_file_missing(f):
    f.config += "rule_files: [more.yaml]\n"


def rule_file_wrong(f):
    f.write("more.yaml", "- name: tea\n  expression: http.hots eq \"x\"\n  action: block\n")
    f.config += "rule_files: [more.yaml]\n"


def list_file_missing(f):
    f.config += "lists:\n  paths: {type: string, file: paths.txt}\n"


def list_file_wrong_value(f):
    f.write("networks.txt", "192.0.2.0/24\n# fine\n192.0.2.300\n")
    f.config += "lists:\n  networks: {type: ip, file: networks.txt}\n"


def failing_test(f):
    f.config += ("tests:\n  - name: everybody may\n    request: {url: \"https://api.example.com/\"}\n"
                 "    expect: {action: allow}\n")


def upstream_ca_missing(f):
    f.edit('servers: ["http://127.0.0.1:9000"]',
           'servers: ["https://127.0.0.1:9000"]\n    tls: {ca: up.pem}')


def crl_server_ca_missing(f):
    f.config += "crl_refresh: {ca: web.pem}\n"


def upstream_key_of_another(f):
    f.copy(f.ca.issue("proxy").path, "proxy.pem")
    f.copy(f.ca.issue("stranger").key_path, "proxy.key")
    f.edit('servers: ["http://127.0.0.1:9000"]',
           'servers: ["https://127.0.0.1:9000"]\n    tls: {ca: ca.pem, certificate: proxy.pem, '
           'private_key: proxy.key}')


def unknown_cipher(f):
    f.config += "tls: {groups: [X25519, P-257]}\n"


def identity_fields_set_twice(f):
    f.edit("    origin: api\norigins", "    origin: api\n    forward_client_certificate: "
           "[rfc9440, xfcc, cloudflare]\norigins")
    f.config += ("request_headers:\n  set: {client_cert: cf.tls_client_auth.cert_serial, X-Mine: ssl}\n"
                 "  remove: [X-Forwarded-Client-Cert, CF-Cert-Verified]\n")


def request_headers_in_other_spellings(f):
    f.config += ("request_headers: {set: {X_Request_Id: '\"1\"', X_Mine: ssl}, "
                 "remove: [x.forwarded.for, Cookie]}\n")


def unknown_ciphers_of_every_kind(f):
    f.config += ("tls: {ciphers: [TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA348, HIGH, NULL-SHA256,\n"
                 "                TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, ECDHE-NONSENSE], groups: [X52519]}\n")


def tls_versions_in_disorder(f):
    f.config += "tls: {min_version: 1.3, max_version: 1.2}\n"


# The mistakes of YAML, of what it names and of expressions, together and in the order of the file.


def mistakes_of_every_kind(f):
    f.write("networks.txt", "192.0.2.0/24\n192.0.2.300\n")
    f.edit("private_key: server.key", "private_key: servr.key")
    f.edit("crl: ca.crl", "crl: no.crl")
    f.edit("cert_verified", "cert_verfied")
    f.edit("    action: block", "    action: blok")
    f.config += ("rule_files: [more.yaml]\n"
                 "lists: {networks: {type: ip, file: networks.txt}}\n"
                 "request_headers: {set: {X-Serial: cf.tls_client_auth.cert_serail}}\n"
                 "timeouts: {drain: soon}\n")
    f.write("more.yaml", "- name: tea\n  expression: http.hots eq \"x\"\n  action: block\n")


def mistakes_without_what_follows_from_them(f):
    f.edit("names: [api.example.com]", "names: [api..example.com]")
    f.edit("private_key: server.key", "private_key: servr.key")
    f.edit("not cf.tls_client_auth.cert_verified", "ip.src in $office and http.host = \"a\"")
    f.config += ("  - name: devices only\n    mtls: {hosts: [api..example.com]}\n    action: block\n"
                 "  - name: empty\n    expression: \"\"\n    action: block\n"
                 "lists: {office: [[192.0.2.1]]}\n")


def log_folder_missing(f):
    f.config += "log:\n  file: logs/certgate.log\n  access: {file: access/requests.log}\n"
    f.edit("certificate: server.pem", "certificate: other.pem")  # told as well


def log_is_a_directory(f):
    (f.path / "logs").mkdir()
    f.config += "log:\n  file: logs\n  access: {file: certgate.yaml/requests.log}\n"


MISTAKES = [
    mistakes_of_every_kind, mistakes_without_what_follows_from_them,
    config_missing, config_is_a_directory, certificate_missing, certificate_is_a_directory,
    certificate_is_a_key, certificate_truncated, certificate_is_der, certificate_is_text,
    key_missing, key_empty, key_of_another_certificate, key_is_a_certificate, key_encrypted,
    ca_missing, ca_empty, ca_is_a_directory, ca_is_a_leaf, ca_is_a_key, ca_is_der, ca_truncated,
    ca_one_bad_among_ten, crl_missing, crl_empty, crl_truncated, crl_of_another_issuer,
    crl_signed_by_a_namesake, crl_is_a_certificate, crl_folder_empty, rule_unknown_field,
    rule_unknown_list, rule_wrong_type, rule_form_and_expression, unknown_origin,
    rule_file_missing, rule_file_wrong, list_file_missing, list_file_wrong_value, failing_test,
    upstream_ca_missing, crl_server_ca_missing, upstream_key_of_another, unknown_cipher,
    identity_fields_set_twice, request_headers_in_other_spellings,
    unknown_ciphers_of_every_kind, tls_versions_in_disorder, log_folder_missing,
    log_is_a_directory,
]


def normal(text, path):
    text = text.replace(f"{path}/", "").replace(str(path), "FOLDER")
    # What differs between two versions of OpenSSL is not ours to fix.
    text = re.sub(r"error:[0-9A-F]{8}:[^\n`)]*", "error:OPENSSL", text)
    return re.sub(r"\b[0-9A-F]{40}\b", "KEY_ID", text)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_mistake(folder, mistake):
    mistake(folder)
    done = folder.check()
    assert done.stdout == ""
    text = normal(done.stderr, folder.path)
    golden = GOLDENS / f"{mistake.__name__}.expected"
    if os.environ.get("CERTGATE_UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()
    if not mistake.__name__.startswith("config_"):
        assert re.match(r"[\w.]+:\d+:\d+: ", text), text


def test_all_mistakes_are_told_at_once(folder):
    for mistake in (key_missing, ca_missing, unknown_cipher):
        mistake(folder)
    text = folder.check().stderr
    for words in ("servr.key", "no/ca.pem", "P-257"):
        assert words in text, text


def test_a_good_configuration_is_described(folder):
    done = folder.check(status=0)
    assert done.stderr == ""
    for words in ("host api.example.com", "CN=Client CA", "1 rule, then allow",
                  "certgate.yaml: ok", "0 revoked", "origin        api"):
        assert words in done.stdout, done.stdout


# The warnings: what is not wrong, and yet is seldom meant.


def expiring_certificate(f):
    server = f.server_ca.issue("api.example.com", server=True, dns=["api.example.com"],
                               valid_for=datetime.timedelta(days=20))
    f.copy(server.path, "server.pem"), f.copy(server.key_path, "server.key")


def expired_certificate(f):
    server = f.server_ca.issue("api.example.com", server=True, dns=["api.example.com"],
                               valid_from=proxy.now() - datetime.timedelta(days=9),
                               valid_for=datetime.timedelta(days=2))
    f.copy(server.path, "server.pem"), f.copy(server.key_path, "server.key")


def expiring_chain(f):
    middle = proxy.Authority(f.other, "Middle CA", issuer=f.server_ca, days=20)
    server = middle.issue("api.example.com", server=True, dns=["api.example.com"],
                          valid_for=datetime.timedelta(days=300), extra_chain=[middle, f.server_ca])
    f.copy(server.path, "server.pem"), f.copy(server.key_path, "server.key")


def expiring_crl_server_ca(f):
    f.copy(proxy.Authority(f.other, "Web CA", days=20).path, "web.pem")
    f.config += "crl_refresh: {ca: web.pem}\n"


def expiring_crl(f):
    f.ca.write_crl(path=f.path / "ca.crl", next_update=proxy.now() + datetime.timedelta(days=3))


def expired_crl(f):
    f.ca.write_crl(path=f.path / "ca.crl", this_update=proxy.now() - datetime.timedelta(days=9),
                   next_update=proxy.now() - datetime.timedelta(days=2))


def expired_ca(f):
    f.check_at = "2030-01-01"


def no_crl(f):
    f.edit("      crl: ca.crl\n", "")


def readable_key(f):
    (f.path / "server.key").chmod(0o644)


def certificate_does_not_cover(f):
    f.edit("[api.example.com]", "[api.example.com, other.example.com]")


def lax_default_host(f):
    f.edit("origins:\n", "  - {names: ['*'], certificate: server.pem, private_key: server.key, "
           "client_auth: {mode: off}, origin: api}\norigins:\n")


def host_that_is_an_address(f):
    f.edit("names: [api.example.com]", "names: [api.example.com, 127.0.0.1, \"[::1]\"]")


def no_rule_about_certificates(f):
    f.edit("    expression: not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked",
           "    expression: http.request.method eq \"TRACE\"")


def only_log_and_shadow_rules_about_certificates(f):
    no_rule_about_certificates(f)
    f.config += ("  - {name: seen, expression: not cf.tls_client_auth.cert_verified, action: log}\n"
                 "  - {name: off, expression: not cf.tls_client_auth.cert_verified, action: block,"
                 " enabled: false}\n"
                 "  - {name: in, expression: cf.tls_client_auth.cert_verified, action: allow}\n"
                 "shadow:\n  rules:\n"
                 "  - {name: soon, expression: not cf.tls_client_auth.cert_verified, action: block}\n")


def rule_never_matches(f):
    f.config += "  - {name: never, expression: 'http.host eq \"a\" and http.host eq \"b\"', action: block}\n"


def rule_shadowed(f):
    f.config += "  - {name: later, expression: not cf.tls_client_auth.cert_verified, action: block}\n"


def rule_on_a_host_without_certificates(f):
    f.edit("origins:\n", "  - {names: [plain.example.com], certificate: server.pem, private_key: "
           "server.key, client_auth: {mode: off}, origin: api}\norigins:\n")
    f.edit("not cf", 'http.host eq "plain.example.com" and not cf')


def allow_without_revoked(f):
    f.config += "  - {name: in, expression: cf.tls_client_auth.cert_verified, action: allow}\n"
    f.edit("    expression: not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked",
           "    expression: http.request.method eq \"TRACE\"")


def hex_case(f):
    f.config += ("  - {name: hex, expression: 'cf.tls_client_auth.cert_verified and "
                 "cf.tls_client_auth.cert_serial eq \"0a1b\"', action: block}\n")


def identity_without_verified(f):
    f.edit("    expression: not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked",
           "    expression: cf.tls_client_auth.cert_subject_dn eq \"CN=alice\"")
    f.edit("action: block", "action: allow")


def empty_list(f):
    f.write("paths.txt", "# none yet\n")
    f.config += "  - {name: listed, expression: http.request.uri.path in $paths, action: block}\n"
    f.config += "lists:\n  paths: {type: string, file: paths.txt}\n"


def empty_regex(f):
    f.config += "  - {name: any, expression: 'http.request.uri.path matches \"\"', action: log}\n"


def original_to_origin(f):
    f.config += "url_normalization: {to_origin: false}\n"


def ciphers_of_another_version(f):
    f.config += "tls: {min_version: 1.3, ciphers: [ECDHE-ECDSA-AES128-GCM-SHA256]}\n"


WARNINGS = [
    (expiring_certificate, "expires on"), (expired_certificate, "has expired on"),
    (expiring_chain, "the certificate `CN=Middle CA` expires on"),
    (expiring_crl_server_ca, "the certificate `CN=Web CA` expires on"),
    (expiring_crl, "the CRL of `CN=Client CA` expires on"),
    (expired_crl, "the CRL of `CN=Client CA` has expired on"),
    (expired_ca, "`CN=Client CA` has expired on"), (no_crl, "has no CRL"),
    (readable_key, "can be read or changed by others"),
    (certificate_does_not_cover, "does not cover the host name `other.example.com`"),
    (lax_default_host, "asks less of its clients"),
    (no_rule_about_certificates, "lets everybody in: no rule blocks by certificates"),
    (only_log_and_shadow_rules_about_certificates, "lets everybody in: no rule blocks by certificates"),
    (host_that_is_an_address, "add \"*\" to these names"), (rule_never_matches, "never"),
    (rule_shadowed, "`valid certificates only`"), (rule_on_a_host_without_certificates, "plain.example.com"),
    (allow_without_revoked, "cert_revoked"), (hex_case, "0A1B"),
    (identity_without_verified, "cert_verified"), (empty_list, "empty"), (empty_regex, "matches everything"),
    (original_to_origin, "to_origin"),
    (ciphers_of_another_version, "none of these ciphers is for TLS 1.3"),
]


@pytest.mark.parametrize("spoil,words", WARNINGS, ids=lambda value: getattr(value, "__name__", ""))
def test_threat_86_warning(folder, spoil, words):
    spoil(folder)
    at = ["--at", folder.check_at] if hasattr(folder, "check_at") else []
    done = folder.check(*at, status=0)
    warnings = [line for line in done.stderr.splitlines() if ": warning: " in line]
    assert any(words in line for line in done.stderr.splitlines()), done.stderr
    assert warnings and all(re.match(r".*[\w.]+:\d+:\d+: warning: ", line) for line in warnings)
    assert "certgate.yaml: ok" in done.stdout
