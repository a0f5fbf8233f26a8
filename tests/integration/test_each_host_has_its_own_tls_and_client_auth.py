"""TLS versions, hosts by SNI, RSA and ECDSA side by side, and the modes off, request and require."""

import datetime
import json
import re
import ssl
import warnings

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

import proxy
from tls_peer import TLS12, TLS13, VERSIONS, alert_of, lax_context, s_client


def der(identity):
    return identity.certificate.public_bytes(Encoding.DER)


def served(certgate, name, context=None, host=None):
    """The certificate shown for this server_name, and the status of a request."""
    with proxy.Client(certgate.port, context or lax_context(), name) as client:
        status = client.get("/", host=host or name or "api.example.com").status
        return client.tls.getpeercert(binary_form=True), status


@pytest.fixture
def named(setup):
    """Hosts that differ in their certificates, so that it shows which one answered."""
    certificates = {
        name: setup.server_ca.issue(name, server=True, dns=(name,))
        for name in ("exact", "wildcard", "any")
    }

    def host(names, kind, **more):
        return setup.host(names, certificate=certificates[kind].path.name,
                          private_key=certificates[kind].key_path.name, **more)

    hosts = [host(["api.example.com", "xn--bcher-kva.example"], "exact"),
             host(["*.example.com"], "wildcard")]
    return setup, certificates, hosts, host(["*"], "any")


def test_a_host_is_found_by_its_name_in_every_spelling(named):
    setup, certificates, hosts, any_host = named
    table = [("api.example.com", "exact"), ("API.Example.COM", "exact"),
             ("api.example.com.", "exact"), ("xn--bcher-kva.example", "exact"),
             ("www.example.com", "wildcard"), ("WWW.EXAMPLE.COM.", "wildcard"),
             ("a.b.example.com", "any"), ("example.com", "any"), ("other.test", "any"),
             (None, "any")]
    with setup.start(hosts=[*hosts, any_host], rules=[]) as certgate:
        for name, kind in table:
            shown, status = served(certgate, name, host=name or "unknown.test")
            assert shown == der(certificates[kind]), name
            assert status == 200, name
        # A name that is none is refused, not served by `*`.
        assert alert_of(certgate.port, lax_context(), "api.example.com:443") == "unrecognized_name"


@pytest.mark.parametrize("version", VERSIONS)
def test_without_a_default_host_unknown_names_are_refused(named, version):
    setup, _, hosts, _ = named
    context = lax_context(version=VERSIONS[version])
    with setup.start(hosts=hosts, rules=[]) as certgate:
        for name in ("other.test", "a.b.example.com", None):
            assert alert_of(certgate.port, context, name) == "unrecognized_name", name
        failed = certgate.records(3, event="handshake_failed", failure="unknown_name")
        assert {r.get("sni") for r in failed} == {"other.test", "a.b.example.com", None}
        assert {r["alert"] for r in failed} == {"unrecognized_name"}
        for name in ("other.test", "a.b.example.com"):
            assert served(certgate, "api.example.com", context, host=name)[1] == 421
        for record in certgate.records(2, status=421):
            assert record["failure"] == "unknown_host"
    assert not setup.origin.requests


def test_each_host_has_its_own_lowest_version(setup):
    hosts = [setup.host(["api.example.com"], tls={"min_version": 1.3}),
             setup.host(["old.example.com"], tls={"max_version": 1.2})]
    with setup.start(hosts=hosts, rules=[]) as certgate:
        for name, version, works in [("api.example.com", TLS13, True),
                                     ("api.example.com", TLS12, False),
                                     ("old.example.com", TLS12, True),
                                     ("old.example.com", TLS13, False)]:
            alert = alert_of(certgate.port, lax_context(version=version), name)
            assert alert == (None if works else "protocol_version"), (name, version)
        versions = {(r["sni"], r["tls_version"]) for r in certgate.records(2, event="request")}
        assert versions == {("api.example.com", "TLSv1.3"), ("old.example.com", "TLSv1.2")}
        assert len(certgate.records(2, event="handshake_failed", failure="version")) == 2


def test_versions_before_tls_1_2_are_refused(setup):
    with setup.start() as certgate, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            context = lax_context(version=version)
            context.set_ciphers("ALL:@SECLEVEL=0")
            assert alert_of(certgate.port, context) == "protocol_version"


def test_rsa_and_ecdsa_are_served_side_by_side(setup):
    rsa_server = setup.server_ca.issue("rsa", server=True, dns=("api.example.com",),
                                       key=rsa.generate_private_key(65537, 2048))
    host = setup.host()
    host["certificate"] = [setup.server.path.name, rsa_server.path.name]
    host["private_key"] = [setup.server.key_path.name, rsa_server.key_path.name]
    with setup.start(hosts=[host], rules=[]) as certgate:
        for cipher, identity in [("ECDHE-ECDSA-AES128-GCM-SHA256", setup.server),
                                 ("ECDHE-RSA-AES128-GCM-SHA256", rsa_server)]:
            context = lax_context(version=TLS12)
            context.set_ciphers(cipher)
            assert served(certgate, "api.example.com", context) == (der(identity), 200)
        for algorithms, kind in [("ecdsa_secp256r1_sha256", "ECDSA"),
                                 ("rsa_pss_rsae_sha256", "RSA-PSS")]:
            out = s_client(certgate.port, "-tls1_3", "-sigalgs", algorithms)
            told = re.search("Peer signature type: (.*)", out)[1]  # OpenSSL 3.5 names the scheme
            assert told in (kind, algorithms) and "200 OK" in out


@pytest.fixture
def clients(setup):
    """One client certificate of each kind: (identity, verified, revoked)."""
    past = proxy.now() - datetime.timedelta(days=9)
    kinds = {
        "none": (None, False, False),
        "valid": (setup.ca.issue("valid"), True, False),
        "revoked": (setup.ca.issue("revoked"), True, True),
        "expired": (setup.ca.issue("expired", valid_from=past,
                                   valid_for=datetime.timedelta(days=2)), False, False),
        "early": (setup.ca.issue("early", valid_from=proxy.now() + datetime.timedelta(days=2)),
                  False, False),
        "foreign": (proxy.Authority(setup.folder, "Other CA").issue("foreign"), False, False),
        "server only": (setup.ca.issue("server only", usages=[ExtendedKeyUsageOID.SERVER_AUTH]),
                        False, False),
    }
    setup.ca.revoke(kinds["revoked"][0])
    return kinds


REQUIRE_ALERTS = {
    # kind: (alert of TLS 1.2, alert of TLS 1.3, failure, OpenSSL's words, verdict in the log)
    "none": ("handshake_failure", "certificate_required", "no_certificate", None, "none"),
    "valid": (None, None, None, None, None),
    "revoked": ("certificate_revoked",) * 2 + ("certificate_revoked", "certificate revoked",
                                               "revoked"),
    "expired": ("certificate_expired",) * 2 + ("certificate_rejected", "certificate has expired",
                                               "expired"),
    "early": ("bad_certificate",) * 2 + ("certificate_rejected", "certificate is not yet valid",
                                         "not_yet_valid"),
    "foreign": ("unknown_ca",) * 2 + ("certificate_rejected",
                                      "unable to get local issuer certificate", "untrusted"),
    "server only": ("unsupported_certificate",) * 2 + (
        "certificate_rejected", "unsuitable certificate purpose", "wrong_purpose"),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_require_refuses_in_the_handshake_with_the_right_alert(setup, clients, version):
    with setup.start(hosts=[setup.host(mode="require")], rules=[]) as certgate:
        for count, (kind, (identity, _, _)) in enumerate(clients.items()):
            alert_12, alert_13, failure, words, verdict = REQUIRE_ALERTS[kind]
            wanted = alert_12 if version == "TLSv1.2" else alert_13
            assert alert_of(certgate.port, lax_context(identity, VERSIONS[version])) == wanted, kind
            if wanted is None:
                continue
            record = certgate.records(1, event="handshake_failed")[-1] if count == 0 else \
                proxy.wait_until(lambda: next(iter(
                    r for r in certgate.records(event="handshake_failed")
                    if r.get("cert_serial") == identity.serial), None), kind)
            assert (record["failure"], record["cert_verdict"]) == (failure, verdict), kind
            assert record["alert"] == wanted and record["sni"] == "api.example.com"
            assert record["tls_version"] == version
            if identity is None:
                assert "cert_subject" not in record
                continue
            assert record["cert_subject"] == f"CN={kind}"
            assert record["cert_issuer"] == ("CN=Other CA" if kind == "foreign" else "CN=Client CA")
            assert record["cert_serial"] == identity.serial
            assert record["cert_fingerprint"] == identity.fingerprint
            assert words in record["reason"], record
    assert len(setup.origin.requests) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_request_lets_every_certificate_through_the_handshake(setup, clients, version):
    names = ("cert_presented", "cert_verified", "cert_revoked")
    headers = {"set": {f"X-{name}": f"cf.tls_client_auth.{name}" for name in names}}
    hosts = [setup.host(), setup.host(["off.example.com"], mode="off")]
    with setup.start(hosts=hosts, rules=[], request_headers=headers) as certgate:
        for kind, (identity, verified, revoked) in clients.items():
            context = lax_context(identity, VERSIONS[version])
            for name, wanted in [("api.example.com", (identity is not None, verified, revoked)),
                                 ("off.example.com", (False, False, False))]:
                with proxy.Client(certgate.port, context, name) as client:
                    assert client.get("/").status == 200
                got = tuple(setup.origin.last().headers[f"X-{name}"] == "true" for name in names)
                assert got == wanted, (kind, name)
        assert not certgate.records(event="handshake_failed")
        for record in certgate.records(len(clients), host="off.example.com"):
            assert record["cert_verdict"] == "not_asked" and "cert_subject" not in record


def test_off_never_asks_and_the_others_name_their_cas(setup):
    hosts = [setup.host(), setup.host(["off.example.com"], mode="off")]
    with setup.start(hosts=hosts, rules=[]) as certgate:
        for version in ("-tls1_2", "-tls1_3"):
            asked = s_client(certgate.port, version)
            assert re.search("Acceptable client certificate CA names\nCN ?= ?Client CA\n", asked)
            not_asked = s_client(certgate.port, version, host="off.example.com")
            assert "No client certificate CA names sent" in not_asked
            assert "Requested Signature Algorithms" not in not_asked


def ca_files(setup):
    """Files that are no usable CA set, and what the message must say."""
    pem = setup.ca.pem()
    bad = {
        "empty.pem": b"",
        "folder": None,
        "key.pem": setup.server.key_path.read_bytes(),
        "text.pem": b"no PEM at all\n",
        "truncated.pem": pem[: len(pem) // 2],
        "one-bad.pem": pem * 9 + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "missing.pem": None,
    }
    for name, content in bad.items():
        if content is not None:
            (setup.folder / name).write_bytes(content)
    (setup.folder / "folder").mkdir()
    return list(bad)


def test_threat_16_a_ca_set_that_cannot_be_read_refuses_start_and_reload(setup):
    valid = setup.ca.issue("valid")
    with setup.start() as certgate, setup.client(certgate, valid) as client:
        good = setup.config()
        for name in ca_files(setup):
            host = setup.host()
            host["client_auth"]["ca"] = name
            certgate.write_config(setup.config(hosts=[host]))
            refused = proxy.run("check", "--config", certgate.config_path, status=2)
            assert name in refused.stdout + refused.stderr
            assert name in certgate.reload(good=False)
            assert client.get("/").status == 200, name
        certgate.reload(good)
        assert client.get("/").status == 200


def test_threat_16_the_system_trust_store_is_never_used_for_clients(setup):
    system = proxy.Authority(setup.folder, "System CA")
    stranger = system.issue("known to the system")
    environment = {"SSL_CERT_FILE": str(system.path), "SSL_CERT_DIR": str(setup.folder)}
    with proxy.Certgate(setup.folder, setup.config(), environment=environment) as certgate:
        with setup.client(certgate, stranger) as client:
            assert client.get("/").status == 403
        assert certgate.records(1)[0]["cert_verdict"] == "untrusted"


def warnings_of(setup, config):
    path = setup.folder / "checked.yaml"
    path.write_text(json.dumps(config))
    done = proxy.run("check", "--config", path)
    return [line for line in (done.stdout + done.stderr).splitlines() if "warning: " in line]


def test_threat_14_a_default_host_laxer_than_a_named_one_is_warned_of(setup):
    for mode, lax in [("off", True), ("request", True), ("require", False)]:
        hosts = [setup.host(mode="require"), setup.host(["*"], mode=mode)]
        warned = warnings_of(setup, setup.config(hosts=hosts, rules=[]))
        assert any("the host `*` asks less" in line for line in warned) == lax, mode


def test_threats_18_19_rules_that_trust_too_much_are_warned_of(setup):
    """A subject that anybody may have written, and a verified certificate that is revoked."""
    def allowing(expression):
        config = setup.config(default_action="block", rules=[
            {"name": "in", "expression": expression, "action": "allow"}])
        return " ".join(warnings_of(setup, config))

    prefix = "cf.tls_client_auth."
    good = f"{prefix}cert_verified and not {prefix}cert_revoked"
    quiet = allowing(good)
    by_subject = allowing(f'{prefix}cert_subject_dn eq "CN=alice"')
    assert "can claim any name" in by_subject and "can claim any name" not in quiet
    revoked = "lets revoked clients in"
    assert revoked in allowing(f"{prefix}cert_verified") and revoked not in quiet
    # What the warning is about: Cloudflare's fields speak of unverified certificates too.
    alone = proxy.Authority(setup.folder, "alice")
    config = setup.config(default_action="block", rules=[
        {"name": "in", "expression": f'{good} and {prefix}cert_subject_dn eq "CN=alice"',
         "action": "allow"}])
    with setup.start(config) as certgate:
        for identity, status in [(proxy.Identity(setup.folder, "a", alone.certificate, alone.key),
                                  403), (setup.ca.issue("alice"), 200)]:
            with proxy.Client(certgate.port, lax_context(identity)) as client:
                assert client.get("/").status == status


@pytest.mark.parametrize("narrow_first", [True, False])
def test_groups_are_those_of_the_host_asked_for(setup, narrow_first):
    """A host that names no groups has the usual ones, whatever another host has."""
    narrow = setup.host(["narrow.example.com"], tls={"groups": ["P-384"]})
    usual = setup.host(["usual.example.com"])
    hosts = [narrow, usual] if narrow_first else [usual, narrow]
    with setup.start(hosts=hosts, rules=[]) as certgate:
        def agreed(name, group):
            return "200 OK" in s_client(certgate.port, "-tls1_3", "-groups", group, host=name)

        assert agreed("narrow.example.com", "P-384")
        assert not agreed("narrow.example.com", "X25519")
        assert agreed("usual.example.com", "X25519")
        assert agreed("usual.example.com", "P-256")
