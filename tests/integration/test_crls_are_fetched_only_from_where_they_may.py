"""Where CRLs are fetched from: listed networks, verified servers, the distribution points of CAs."""

import json
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import proxy
from crl_server import (
    config_of, CrlServer, LOOPBACK, redirect_to, refresh, status_of, wait_for, wait_for_log,
    with_points,
)


@pytest.fixture
def server(setup):
    with CrlServer(setup.ca) as crl_server:
        yield crl_server


@pytest.mark.parametrize("networks", [None, ["10.0.0.0/8"], ["127.0.0.2/32"]])
def test_threat_28_a_private_address_is_asked_only_when_its_network_is_listed(setup, server, networks):
    config = config_of(setup, server.address, crl_refresh=refresh(allowed_networks=networks))
    with setup.start(config) as gate:
        wait_for_log(gate, "leads to 127.0.0.1 (loopback), which is no public address and not in "
                           "`crl_refresh.allowed_networks`")
        assert server.requests == []


def test_https_servers_are_verified(setup):
    device = setup.ca.issue("sensor-7")
    web_ca = proxy.Authority(setup.folder, "Web CA")
    identity = web_ca.issue("pki.example.com", server=True, dns=("pki.example.com",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(identity.path), str(identity.key_path))
    with CrlServer(setup.ca, tls=context) as server:
        trusted = refresh(ca=web_ca.path.name)
        with setup.start(config_of(setup, server.address, crl_refresh=trusted)) as gate, \
                setup.client(gate, device) as client:
            assert client.get().status == 200
            # Without it the system's store is asked, which does not know the CA; no reload goes there.
            other = f"{server.url}/other.crl"
            refused = gate.reload(config_of(setup, other, crl_refresh=refresh()), good=False)
            assert "the certificate of `127.0.0.1` is not accepted" in refused
            if proxy.localhost_is_known():
                by_name = server.address.replace("127.0.0.1", "localhost")
                networks = [*LOOPBACK, "::1/128"]
                refused = gate.reload(config_of(setup, by_name, crl_refresh=refresh(
                    ca=web_ca.path.name, allowed_networks=networks)), good=False)
                assert "it is not for `localhost` but for pki.example.com" in refused
            assert client.get().status == 200


def test_a_redirect_does_not_lead_from_https_to_http(setup, server):
    web_ca = proxy.Authority(setup.folder, "Web CA")
    identity = web_ca.issue("pki.example.com", server=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(identity.path), str(identity.key_path))
    with CrlServer(setup.ca, tls=context) as secure:
        secure.answer = redirect_to(server.address)
        config = config_of(setup, secure.address, crl_refresh=refresh(ca=web_ca.path.name))
        with setup.start(config) as gate:
            wait_for_log(gate, "a redirect from https to http://")
            assert server.requests == []


# --- Distribution points --------------------------------------------------------------------------


def test_distribution_points_of_configured_cas_are_fetched_when_asked_for(setup, server):
    middle = with_points(setup.folder, "Middle CA", setup.ca, "ldap://127.0.0.1/x", server.address)
    device = middle.issue("sensor-7")
    auth = {"ca": [setup.ca.path.name, middle.path.name], "crl_check": "chain",
            "crl_distribution_points": True}
    with setup.start(config_of(setup, middle.crl_path.name, client_auth=auth)) as gate, \
            setup.client(gate, device) as client:
        assert [url["url"] for url in status_of(gate)["crl_urls"]] == [server.address]
        assert client.get().status == 200
        # The root takes its intermediate away.
        setup.ca.revoked.append((middle.certificate.serial_number, x509.ReasonFlags.ca_compromise))
        setup.ca.write_crl()
        wait_for(client, 403)


def test_distribution_points_are_not_fetched_unasked_and_never_those_of_a_client(setup, server):
    middle = with_points(setup.folder, "Middle CA", setup.ca, server.address)
    device = middle.issue("sensor-7")
    points = [x509.DistributionPoint([x509.UniformResourceIdentifier(f"{server.url}/leaf.crl")], None,
                                     None, None)]
    certificate = device.certificate
    builder = (
        x509.CertificateBuilder().subject_name(certificate.subject).issuer_name(middle.subject)
        .public_key(certificate.public_key()).serial_number(certificate.serial_number)
        .not_valid_before(certificate.not_valid_before).not_valid_after(certificate.not_valid_after)
        .add_extension(x509.CRLDistributionPoints(points), False)
    )
    for extension in certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    signed_again = builder.sign(middle.key, hashes.SHA256())
    device.path.write_bytes(signed_again.public_bytes(serialization.Encoding.PEM))
    auth = {"ca": [setup.ca.path.name, middle.path.name]}
    with setup.start(config_of(setup, middle.crl_path.name, client_auth=auth)) as gate, \
            setup.client(gate, device) as client:
        assert client.get().status == 200
        assert server.requests == []
        gate.reload(config_of(setup, middle.crl_path.name,
                              client_auth={**auth, "crl_distribution_points": True}))
        assert client.get().status == 200
        proxy.wait_until(lambda: len(server.requests) >= 3, "the CA's own list")
        assert {request.path for request in server.requests} == {"/clients.crl"}


def test_the_option_without_any_distribution_point_is_a_mistake(setup):
    config = config_of(setup, setup.ca.crl_path.name, client_auth={"crl_distribution_points": True})
    proxy.write_whole(setup.folder / "certgate.yaml", json.dumps(config))
    told = proxy.run("check", "--config", setup.folder / "certgate.yaml", status=2).stderr
    assert "no certificate in `ca` names an http(s) distribution point" in told


# --- check ----------------------------------------------------------------------------------------


def test_check_asks_nobody(setup, server):
    proxy.write_whole(setup.folder / "certgate.yaml", json.dumps(config_of(setup, server.address)))
    checked = proxy.run("check", "--config", setup.folder / "certgate.yaml")
    assert f"there is no list yet from {server.address}" in checked.stdout + checked.stderr
    assert "`interval` below 10s is for tests" in checked.stdout + checked.stderr
    assert server.requests == []
    assert not (setup.folder / "state").exists()


@pytest.mark.parametrize("address, sentence", [
    ("ftp://pki.example.com/a.crl", "http:// or https://"),
    ("ldap://pki.example.com/a.crl", "http:// or https://"),
    ("http://user:word@pki.example.com/a.crl", "user name or password"),
    ("http://pki.example.com/a b.crl", "no spaces"),
    ("http://pki.example.com:0/a.crl", "is not a number from 1 to 65535"),
    ("http:///a.crl", "host name is empty"),
])
def test_an_address_that_is_none_is_refused_at_its_place(setup, address, sentence):
    proxy.write_whole(setup.folder / "certgate.yaml", json.dumps(config_of(setup, address), indent=1))
    told = proxy.run("check", "--config", setup.folder / "certgate.yaml", status=2).stderr
    assert sentence in told and "certgate.yaml:" in told
