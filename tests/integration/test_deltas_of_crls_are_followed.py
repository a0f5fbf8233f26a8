"""A delta that a fetched list, or a CA, names is fetched, judged and put in force with the list."""

import datetime
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import proxy
from crl_server import (
    body, Bystander, config_of, CrlServer, delta, DeltaServer, FOLLOW, freshest, kept_files,
    redirect_to, refresh, send_raw, signed, status_of, tampered, wait_for, wait_for_log, with_points,
)


@pytest.fixture
def server(setup):
    with CrlServer(setup.ca) as crl_server:
        yield crl_server


def test_a_delta_that_the_list_names_is_fetched_and_put_together_with_it(setup, server):
    device, lost, next_lost = (setup.ca.issue(name) for name in ("sensor-7", "lost", "next"))
    point = freshest(f"{server.url}/delta.crl")
    base = signed(setup.ca, number=10, revoked=[lost], extensions=[point])
    site = DeltaServer(server, base, delta(setup.ca, number=11, base=10))
    config = config_of(setup, server.address, client_auth=FOLLOW)
    with setup.start(config) as gate, setup.client(gate, lost) as thief, \
            setup.client(gate, next_lost) as next_thief, Bystander(setup, gate, device):
        assert (thief.get().status, next_thief.get().status) == (403, 200)
        [url] = status_of(gate)["crl_urls"]
        assert (url["delta"], url["delta_failure"]) == (f"{server.url}/delta.crl", "")
        # A new delta takes one away and gives another back, without a new complete list.
        give_back = (x509.RevokedCertificateBuilder().serial_number(lost.certificate.serial_number)
                     .revocation_date(proxy.now())
                     .add_extension(x509.CRLReason(x509.ReasonFlags.remove_from_crl), False).build())
        builder = (x509.CertificateRevocationListBuilder().issuer_name(setup.ca.subject)
                   .last_update(proxy.now()).next_update(proxy.now() + datetime.timedelta(days=40))
                   .add_extension(x509.CRLNumber(12), False)
                   .add_extension(x509.DeltaCRLIndicator(10), True)
                   .add_revoked_certificate(give_back)
                   .add_revoked_certificate(
                       x509.RevokedCertificateBuilder()
                       .serial_number(next_lost.certificate.serial_number)
                       .revocation_date(proxy.now()).build()))
        site.bodies["/delta.crl"] = builder.sign(setup.ca.key, hashes.SHA256()).public_bytes(
            serialization.Encoding.DER)
        wait_for(next_thief, 403)
        assert thief.get().status == 200
        kept, = kept_files(setup)
        assert kept.read_bytes().count(b"BEGIN X509 CRL") == 2
    # The pair is in force again after a restart, be the server there or not.
    server.answer = send_raw(b"")
    with setup.start(config) as gate, setup.client(gate, next_lost) as next_thief, \
            setup.client(gate, lost) as thief:
        assert (next_thief.get().status, thief.get().status) == (403, 200)


def test_a_delta_is_not_fetched_unless_distribution_points_are_allowed(setup, server):
    device, lost = setup.ca.issue("sensor-7"), setup.ca.issue("lost")
    base = signed(setup.ca, number=10, extensions=[freshest(f"{server.url}/delta.crl")])
    site = DeltaServer(server, base, delta(setup.ca, number=11, base=10, revoked=[lost]))
    with setup.start(config_of(setup, server.address)) as gate, setup.client(gate, lost) as client, \
            Bystander(setup, gate, device):
        proxy.wait_until(lambda: site.asked("/clients.crl") >= 3, "three fetches")
        assert site.asked("/delta.crl") == 0 and client.get().status == 200


def test_deltas_that_are_not_followed_any_more_hold_nothing_up(setup, server):
    """What the last delta revoked stays revoked, and the list is looked after without it."""
    device, lost, next_lost = (setup.ca.issue(name) for name in ("sensor-7", "lost", "next"))
    point = freshest(f"{server.url}/delta.crl")
    site = DeltaServer(server, signed(setup.ca, number=10, extensions=[point]),
                       delta(setup.ca, number=12, base=10, revoked=[lost]))
    config = config_of(setup, server.address, client_auth=FOLLOW)
    with setup.start(config) as gate, setup.client(gate, lost) as thief, \
            setup.client(gate, next_lost) as client, Bystander(setup, gate, device):
        assert (thief.get().status, client.get().status) == (403, 200)
        config["hosts"][0]["client_auth"]["crl_distribution_points"] = False
        gate.reload(config)
        asked = site.asked("/clients.crl")
        proxy.wait_until(lambda: site.asked("/clients.crl") >= asked + 3, "three fetches")
        assert thief.get().status == 403
        assert [(url["failures"], url["last_failure"]) for url in status_of(gate)["crl_urls"]] == [(0, "")]
        # A list between the base and the delta, and one behind both.
        site.bodies["/clients.crl"] = signed(setup.ca, number=11, revoked=[next_lost], extensions=[point])
        wait_for(client, 403)
        assert thief.get().status == 403
        site.bodies["/clients.crl"] = signed(setup.ca, number=13, extensions=[point])
        wait_for(thief, 200)
        assert client.get().status == 200 and "goes backwards" not in gate.log()
        proxy.wait_until(lambda: kept_files(setup)[0].read_bytes().count(b"BEGIN X509 CRL") == 1,
                         "a kept file without the delta")


def test_a_delta_that_a_file_names_is_missed_aloud(setup, server):
    middle = with_points(setup.folder, "Middle CA", setup.ca, server.address)
    lost = middle.issue("lost")
    site = DeltaServer(server, signed(setup.ca, number=10),
                       delta(middle, number=11, base=10, revoked=[lost]))
    base = signed(middle, number=10, extensions=[freshest(f"{server.url}/delta.crl")])
    proxy.write_whole(setup.folder / "base.crl", base)
    authorities = {"ca": [setup.ca.path.name, middle.path.name]}
    config = config_of(setup, "base.crl", client_auth={**authorities, **FOLLOW})
    warning = f"base.crl` names a delta, {server.url}/delta.crl, which is not fetched"
    with setup.start(config) as gate, setup.client(gate, lost) as thief:
        assert warning in gate.log() and warning in gate.reload()
        assert thief.get().status == 200
        # Beside its base it is in force.
        proxy.write_whole(setup.folder / "delta.crl", site.bodies["/delta.crl"])
        config["hosts"][0]["client_auth"]["crl"] = ["base.crl", "delta.crl"]
        assert warning not in gate.reload(config)
        assert thief.get().status == 403 and site.asked("/delta.crl") == 0
    # Who does not want deltas is told nothing.
    config = config_of(setup, "base.crl", client_auth=authorities)
    proxy.write_whole(setup.folder / "certgate.yaml", json.dumps(config))
    assert warning not in proxy.run("check", "--config", setup.folder / "certgate.yaml").stderr


BAD_DELTAS = {
    "of another CA": lambda s, lost: (delta(s.server_ca, number=12, base=10, revoked=[lost]),
                                      "was issued by none of the CAs"),
    "tampered": lambda s, lost: (tampered(delta(s.ca, number=12, base=10, revoked=[lost])), ""),
    "to a newer list": lambda s, lost: (delta(s.ca, number=30, base=20, revoked=[lost]),
                                        "is a delta to number 14, but the base has number 0A"),
    "older": lambda s, lost: (delta(s.ca, number=11, base=10, this_update=proxy.now()
                                    - datetime.timedelta(days=2)), "goes backwards"),
    "older by date": lambda s, lost: (delta(s.ca, number=13, base=10, this_update=proxy.now()
                                            - datetime.timedelta(days=2)), "goes backwards: one of "),
    "complete": lambda s, lost: (signed(s.ca, number=12, revoked=[lost]),
                                 "it is a complete list, not a delta"),
    "a web page": lambda s, lost: (b"<html>", "it is a web page"),
    "absent": lambda s, lost: (send_raw(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
                               "the server answered 404"),
    "led to metadata": lambda s, lost: (redirect_to("http://169.254.169.254/"),
                                        "169.254.169.254 (link-local)"),
    "huge": lambda s, lost: (body(b"x", length=10**12), "longer than 64 KiB"),
}


@pytest.mark.parametrize("kind", BAD_DELTAS)
def test_a_bad_delta_changes_nothing_and_is_told(setup, server, kind):
    device, lost, other = (setup.ca.issue(name) for name in ("sensor-7", "lost", "other"))
    base = signed(setup.ca, number=10, extensions=[freshest(f"{server.url}/delta.crl")])
    site = DeltaServer(server, base, delta(setup.ca, number=12, base=10, revoked=[lost]))
    config = config_of(setup, server.address, client_auth=FOLLOW,
                       crl_refresh=refresh(max_bytes="64KiB"))
    with setup.start(config) as gate, setup.client(gate, lost) as thief, \
            setup.client(gate, other) as client, Bystander(setup, gate, device):
        assert (thief.get().status, client.get().status) == (403, 200)
        site.bodies["/delta.crl"], sentence = BAD_DELTAS[kind](setup, other)
        wait_for_log(gate, f"CRL not fetched: the delta of {server.address} from "
                           f"{server.url}/delta.crl: ")
        [url] = status_of(gate)["crl_urls"]
        assert sentence in url["delta_failure"] and url["delta_failure"], url
        assert sentence in gate.log() and url["last_failure"] == ""
        # The last good delta stays in force, and the complete list is still looked after.
        assert (thief.get().status, client.get().status) == (403, 200)
        site.bodies["/clients.crl"] = signed(setup.ca, number=11, revoked=[other], extensions=[
            freshest(f"{server.url}/delta.crl")])
        wait_for(client, 403)
        assert thief.get().status == 403
        site.bodies["/delta.crl"] = delta(setup.ca, number=13, base=11)
        wait_for_log(gate, f"CRL fetched again: the delta of {server.address}")
        wait_for(thief, 200)
        assert client.get().status == 403


def test_a_new_list_of_another_scope_does_not_wait_for_its_delta(setup, server):
    """The delta that was there belongs to the old list: it must not hold the new one back."""
    device, lost, next_lost = (setup.ca.issue(name) for name in ("sensor-7", "lost", "next"))
    point = freshest(f"{server.url}/delta.crl")
    site = DeltaServer(server, signed(setup.ca, number=10, extensions=[point]),
                       delta(setup.ca, number=11, base=10, revoked=[lost]))
    config = config_of(setup, server.address, client_auth=FOLLOW)
    with setup.start(config) as gate, setup.client(gate, next_lost) as client, \
            Bystander(setup, gate, device):
        assert client.get().status == 200
        site.bodies["/delta.crl"] = send_raw(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
        users = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
        site.bodies["/clients.crl"] = signed(setup.ca, number=20, revoked=[lost, next_lost],
                                             extensions=[point, (users, True)])
        wait_for(client, 403)


def test_a_delta_that_never_comes_takes_no_more_time_than_the_list_may(setup, server):
    device, lost = setup.ca.issue("sensor-7"), setup.ca.issue("lost")
    base = signed(setup.ca, number=10, revoked=[lost], extensions=[
        freshest(*(f"{server.url}/delta-{number}.crl" for number in range(20)))])

    def never(handler, request):
        server.over.wait(proxy.PATIENCE)
        handler.close_connection = True

    site = DeltaServer(server, base, never)
    site.bodies.update({f"/delta-{number}.crl": never for number in range(20)})
    config = config_of(setup, server.address, client_auth=FOLLOW, crl_refresh=refresh(timeout="1s"))
    proxy.write_whole(setup.folder / "certgate.yaml", json.dumps(config))
    checked = proxy.run("check", "--online", "--config", setup.folder / "certgate.yaml", status=1)
    assert "first: 1 revoked, number 0A" in checked.stdout
    with setup.start(config) as gate, setup.client(gate, lost) as thief, \
            setup.client(gate, device) as client:
        assert (thief.get().status, client.get().status) == (403, 200)


def test_a_certificate_may_name_the_delta_of_its_issuer(setup, server):
    root = setup.ca
    middle = with_points(setup.folder, "Middle CA", root, server.address,
                         more=[freshest(f"{server.url}/delta.crl")])
    device = middle.issue("sensor-7")
    site = DeltaServer(server, signed(root, number=10), delta(root, number=11, base=10))
    auth = {"ca": [root.path.name, middle.path.name], "crl_check": "chain", **FOLLOW}
    with setup.start(config_of(setup, middle.crl_path.name, client_auth=auth)) as gate, \
            setup.client(gate, device) as client:
        assert client.get().status == 200
        site.bodies["/delta.crl"] = delta(root, number=12, base=10, revoked=[middle])
        wait_for(client, 403)
