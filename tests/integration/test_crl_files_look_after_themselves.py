"""CRL files that change are in force without a reload; a bad one changes nothing and is told."""

import datetime
import json
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import proxy

WATCH = {"crl_refresh": {"watch": "50ms"}}


def version_of(gate):
    return json.loads(proxy.run("status", "--config", gate.config_path).stdout)


def config_of(setup, **changes):
    return setup.config(admin={"address": f"unix:{setup.folder}/admin.sock"}, **WATCH, **changes)


def wait_for(client, status):
    proxy.wait_until(lambda: client.get().status == status, f"status {status}")


def test_a_revocation_in_a_changed_file_holds_for_open_connections_without_a_reload(setup):
    device, other = setup.ca.issue("sensor-7"), setup.ca.issue("sensor-8")
    with setup.start(config_of(setup)) as gate, setup.client(gate, device) as client, \
            setup.client(gate, other) as bystander:
        assert client.get().status == 200
        setup.ca.revoke(device)
        wait_for(client, 403)
        assert bystander.get().status == 200
        assert "reloaded" not in gate.log()
        receipt = re.search("revocations renewed: version 2: (.*)", gate.log())[1]
        assert "1 revoked, 0 before" in receipt
        # And off the list again (a hold that ended).
        setup.ca.revoked.clear()
        setup.ca.write_crl()
        wait_for(client, 200)


@pytest.mark.parametrize("mode", ["request", "require"])
def test_new_handshakes_are_judged_by_the_changed_file_too(setup, mode):
    device = setup.ca.issue("sensor-7")
    setup.ca.revoke(device)
    with setup.start(config_of(setup, hosts=[setup.host(mode=mode)])) as gate:
        setup.ca.revoked.clear()
        setup.ca.write_crl()
        proxy.wait_until(lambda: "revocations renewed" in gate.log(), "the new list")
        with setup.client(gate, device) as client:
            assert client.get().status == 200


def test_der_and_directories_are_watched(setup):
    device = setup.ca.issue("sensor-7")
    folder = setup.folder / "crls"
    folder.mkdir()
    der = folder / "clients.crl"

    def write():
        pem = setup.ca.write_crl().read_bytes()
        crl = x509.load_pem_x509_crl(pem)
        proxy.write_whole(der, crl.public_bytes(serialization.Encoding.DER))

    write()
    host = setup.host()
    host["client_auth"]["crl"] = "crls"
    with setup.start(config_of(setup, hosts=[host])) as gate, \
            setup.client(gate, device) as client:
        assert client.get().status == 200
        setup.ca.revoke(device)
        write()
        wait_for(client, 403)
        # A second list of another issuer's makes the set wrong: the last good one stays.
        proxy.Authority(setup.folder, "Stranger").write_crl(path=folder / "stranger.crl")
        proxy.wait_until(lambda: "CRL refused" in gate.log(), "the refusal")
        assert client.get().status == 403


@pytest.mark.parametrize("kind", ["broken", "foreign", "older", "missing"])
def test_a_bad_file_keeps_the_last_good_list(setup, kind):
    device = setup.ca.issue("sensor-7")
    setup.ca.revoke(device)
    setup.ca.write_crl(number=10)
    with setup.start(config_of(setup)) as gate, setup.client(gate, device) as client:
        assert client.get().status == 403
        if kind == "broken":
            proxy.write_whole(setup.ca.crl_path, b"-----BEGIN X509 CRL-----\nAAAA\n")
        elif kind == "foreign":
            other = proxy.Authority(setup.folder, "Other", subject=setup.ca.subject)
            proxy.write_whole(setup.ca.crl_path, other.crl_path.read_bytes())
        elif kind == "older":
            setup.ca.revoked.clear()
            setup.ca.write_crl(number=9)
        else:
            setup.ca.crl_path.unlink()
        proxy.wait_until(lambda: "the last good one stays in force" in gate.log(), "the refusal")
        assert client.get().status == 403
        status = version_of(gate)
        assert status["version"] == 1
        assert status["crl_problems"]
        # Mended: taken over, and nothing is wrong any more.
        setup.ca.revoked.clear()
        setup.ca.write_crl(number=11)
        wait_for(client, 200)
        proxy.wait_until(lambda: version_of(gate)["crl_problems"] == [], "no problem")


def test_a_reload_after_a_renewal_and_a_denial_keeps_both(setup):
    revoked, denied = setup.ca.issue("sensor-7"), setup.ca.issue("sensor-8")
    with setup.start(config_of(setup)) as gate:
        setup.ca.revoke(revoked)
        proxy.wait_until(lambda: "revocations renewed" in gate.log(), "the new list")
        proxy.run("deny", "--config", gate.config_path, "--serial", denied.serial)
        gate.reload()
        for identity in (revoked, denied):
            with setup.client(gate, identity) as client:
                assert client.get().status == 403


def test_each_list_warns_at_half_and_at_a_tenth_and_at_the_end(setup):
    now = proxy.now()
    hour = datetime.timedelta(hours=1)
    with_left = {"half": 4, "a tenth": 0.5}
    setup.ca.write_crl(this_update=now - 5 * hour, next_update=now + with_left["half"] * hour)
    with setup.start(config_of(setup)) as gate:
        proxy.wait_until(lambda: "has half of its time left" in gate.log(), "half")
        setup.ca.write_crl(this_update=now - 5 * hour, next_update=now + hour / 2)
        proxy.wait_until(lambda: "has a tenth of its time left" in gate.log(), "a tenth")
        setup.ca.write_crl(this_update=now - 5 * hour,
                           next_update=proxy.now() + datetime.timedelta(seconds=2))
        line = proxy.wait_until(
            lambda: [l for l in gate.log().splitlines() if "has ended on" in l], "the end")[0]
        assert "counts as not verified" in line
        assert gate.log().count("has half of its time left") == 1
        ends = [e for e in version_of(gate)["expiries"] if e["kind"] == "crl"]
        assert len(ends) == 1 and ends[0]["days_left"] <= 0


def test_check_at_a_later_day_lists_what_has_ended_by_then(setup):
    gate_config = setup.folder / "certgate.yaml"
    gate_config.write_text(json.dumps(setup.config()))
    day = (proxy.now() + datetime.timedelta(days=60)).strftime("%Y-%m-%d")
    checked = proxy.run("check", "--config", gate_config, "--at", day)
    lines = [line for line in checked.stdout.splitlines() if line.startswith(("ended", "ends"))]
    assert [line.split()[0] for line in lines] == sorted(
        (line.split()[0] for line in lines), key=["ended", "ends"].index)
    over = "\n".join(line for line in lines if line.startswith("ended"))
    assert "crl" in over and "server_certificate" in over
    assert "from then on" in over
    assert "client_ca" in "\n".join(line for line in lines if line.startswith("ends"))
    proxy.run("check", "--config", gate_config, "--at", "soon", status=2)
