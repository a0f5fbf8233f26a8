"""`certgate doctor`: why a client certificate is refused, in plain words, and what helps."""

import datetime
import json

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

import proxy


def config_at(setup, **changes):
    path = setup.folder / "certgate.yaml"
    path.write_text(json.dumps(setup.config(**changes)))
    return path


def doctor(config, identity, *more, status):
    return proxy.run("doctor", identity.path, "--config", config, *more, status=status).stdout


def expired(setup):
    return setup.ca.issue("old", valid_from=proxy.now() - datetime.timedelta(days=9),
                          valid_for=datetime.timedelta(days=2))


def revoked(setup):
    identity = setup.ca.issue("lost")
    setup.ca.revoke(identity)
    return identity


@pytest.mark.parametrize("make, said, remedy", [
    (expired, "has expired on", "certgate ca renew"),
    (revoked, "revoked (keyCompromise)", "issue a new certificate"),
    (lambda s: s.ca.issue("srv", usages=[ExtendedKeyUsageOID.SERVER_AUTH]),
     "lacks clientAuth", "clientAuth"),
    (lambda s: proxy.Authority(s.folder, "Stranger").issue("x"),
     "unable to get local issuer", "is not in `client_auth: {ca: ...}`"),
    (lambda s: proxy.Authority(s.folder, "Twin", subject=s.ca.subject).issue("x"),
     "does not verify", "signed with another key"),
], ids=["expired", "revoked", "purpose", "stranger", "twin"])
def test_each_reason_is_told_with_its_remedy(setup, make, said, remedy):
    identity = make(setup)
    text = doctor(config_at(setup), identity, status=1)
    assert said in text and remedy in text
    assert "would be refused" in text
    assert "valid certificates only" in text


def through_an_intermediate(setup):
    """A host that knows root and intermediate, and a client of the intermediate."""
    below = proxy.Authority(setup.folder, "Issuing CA", issuer=setup.ca)
    host = setup.host()
    host["client_auth"]["ca"] = [setup.ca.path.name, below.path.name]
    return below, host


def test_an_issuer_that_no_list_covers_is_told(setup):
    below, host = through_an_intermediate(setup)
    config = config_at(setup, hosts=[host])
    text = doctor(config, below.issue("sensor-7"), status=1)
    assert "none of the host's CRLs is of its issuer, so it does not count as verified" in text
    assert "add the CRL of `CN=Issuing CA` to `client_auth: {crl: ...}`" in text
    # Nothing is wrong with whom the list covers.
    assert "not on the CRL of its issuer, which is fresh" in doctor(
        config, setup.ca.issue("sensor-8"), status=0)


def test_a_list_that_crl_check_chain_misses_above_the_issuer_is_told(setup):
    below, host = through_an_intermediate(setup)
    host["client_auth"]["crl"] = below.crl_path.name
    device = below.issue("sensor-7")
    assert "would be let in" in doctor(config_at(setup, hosts=[host]), device, status=0)
    host["client_auth"]["crl_check"] = "chain"
    text = doctor(config_at(setup, hosts=[host]), device, status=1)
    assert "BAD   for an issuer above it: " in text
    assert "asks for a fresh CRL of every issuer up to the root" in text
    host["client_auth"]["crl"] = [below.crl_path.name, setup.ca.crl_path.name]
    assert "would be let in" in doctor(config_at(setup, hosts=[host]), device, status=0)


def test_a_good_certificate_would_be_let_in(setup):
    text = doctor(config_at(setup), setup.ca.issue("sensor-7"), status=0)
    assert "BAD" not in text and "would be let in" in text
    assert "fresh" in text


def test_the_deny_list_that_is_kept_counts(setup):
    identity = setup.ca.issue("sensor-7")
    config = setup.config(admin={"address": f"unix:{setup.folder}/admin.sock"},
                          state_directory="state")
    with setup.start(config) as gate:
        proxy.run("deny", "--config", gate.config_path, "--serial", identity.serial,
                  "--reason", "lost")
        text = doctor(gate.config_path, identity, status=1)
    assert "an operator has denied it: lost" in text and "undeny" in text


def test_a_running_server_is_visited(setup):
    identity = setup.ca.issue("sensor-7")
    with setup.start() as gate:
        common = ["doctor", f"127.0.0.1:{gate.port}", "--host", "api.example.com"]
        told = proxy.run(*common, "--ca", setup.server_ca.path, "--cert", identity.path,
                         "--key", identity.key_path)
        assert "HTTP/1.1 200" in told.stdout
        told = proxy.run(*common, "--ca", setup.server_ca.path, status=1)
        assert "HTTP/1.1 403" in told.stdout
        told = proxy.run(*common, "--ca", setup.ca.path, status=1)
        assert "the handshake fails" in told.stdout


def test_bad_usage_is_told(setup):
    proxy.run("doctor", setup.folder / "nothing.pem", status=2)
