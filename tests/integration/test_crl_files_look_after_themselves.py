"""CRL files that change are in force without a reload; a bad one changes nothing and is told."""

import datetime
import json
import re
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import proxy
from large_crl import large_crl
from wire import SANITIZED

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
        good = setup.ca.crl_path.read_bytes()
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
        # The very same list again: nothing to take over, and the log does not end with an error.
        proxy.write_whole(setup.ca.crl_path, good)
        proxy.wait_until(lambda: "CRLs are well again" in gate.log(), "the all-clear")
        assert not version_of(gate)["crl_problems"] and client.get().status == 403
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


def test_what_a_reload_took_over_is_no_renewal_afterwards(setup):
    """Whatever the order of the CAs in their files: each host names them in one of the two."""
    second, third = proxy.Authority(setup.folder, "Second"), proxy.Authority(setup.folder, "Third")
    hosts = [setup.host(), setup.host(names=["mirror.example.com"]),
             setup.host(names=["quiet.example.com"])]
    pair = [setup.ca, second]
    for host, authorities in zip(hosts, [pair, pair[::-1], [third]]):
        host["client_auth"]["ca"] = [str(authority.path) for authority in authorities]
        host["client_auth"]["crl"] = [str(authority.crl_path) for authority in authorities]
    with setup.start(config_of(setup, hosts=hosts)) as gate:
        setup.ca.revoke(setup.ca.issue("sensor-7"))
        gate.reload()
        # When one list changes, all are looked at again.
        third.revoke(third.issue("sensor-8"))
        renewed = proxy.wait_until(lambda: re.search(
            "version (\\d+): .*host quiet.example.com: 1 revoked, 0 before", gate.log()),
            "the renewal")
        assert "1 revoked, 1 before" not in gate.log()
        assert version_of(gate)["version"] == int(renewed[1])


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


def test_threat_41_a_large_list_is_swapped_while_requests_go_on(setup):
    """No request fails or is let in wrongly while it is read, and it is kept in 32 bytes an entry."""
    entries = 20_000 if SANITIZED else 300_000
    stays, goes = setup.ca.issue("stays"), setup.ca.issue("goes")
    setup.ca.crl_path.write_bytes(large_crl(setup.ca, 10, 1))
    stop, bad = threading.Event(), []

    def go_on(gate):
        with setup.client(gate, stays) as client:
            while not stop.is_set():
                status = client.get().status
                if status != 200:
                    bad.append(status)

    with setup.start(config_of(setup)) as gate, setup.client(gate, goes) as client:
        assert client.get().status == 200
        before = gate.rss_kib()
        thread = threading.Thread(target=go_on, args=(gate,))
        thread.start()
        for number in (2, 3):
            proxy.write_whole(setup.ca.crl_path, large_crl(
                setup.ca, entries, number, [goes.certificate.serial_number] if number == 3 else []))
            proxy.wait_until(lambda: gate.log().count(f"{entries + number - 2} revoked") == 1,
                             "the list")
        assert client.get().status == 403
        stop.set()
        thread.join()
        assert bad == []
        if not SANITIZED:  # whose shadow memory and quarantine are their own
            assert gate.rss_kib() - before <= 32 * entries / 1024 + 12 * 1024


def test_threat_40_a_delta_adds_and_removes(setup):
    """RFC 5280 §5.2.4: what the delta says counts; removeFromCRL gives a hold back."""
    hold, later, valid = (setup.ca.issue(name) for name in ("hold", "later", "valid"))
    setup.ca.revoke(hold, x509.ReasonFlags.certificate_hold)
    base, path = setup.ca.crl_number, setup.folder / "delta.crl"

    def delta(number, entries):
        builder = (x509.CertificateRevocationListBuilder().issuer_name(setup.ca.subject)
                   .last_update(proxy.now()).next_update(proxy.now() + datetime.timedelta(days=9))
                   .add_extension(x509.CRLNumber(number), False)
                   .add_extension(x509.DeltaCRLIndicator(base), True))
        for identity, reason in entries:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(identity.certificate.serial_number)
                .revocation_date(proxy.now()).add_extension(x509.CRLReason(reason), False).build())
        proxy.write_whole(path, builder.sign(setup.ca.key, hashes.SHA256())
                          .public_bytes(serialization.Encoding.PEM))

    delta(base + 1, [])
    host = setup.host()
    host["client_auth"]["crl"] = [setup.ca.crl_path.name, path.name]
    with setup.start(config_of(setup, hosts=[host])) as gate, \
            setup.client(gate, hold) as held, setup.client(gate, later) as revoked, \
            setup.client(gate, valid) as other:
        assert held.get().status == 403 and revoked.get().status == 200
        delta(base + 2, [(hold, x509.ReasonFlags.remove_from_crl),
                         (later, x509.ReasonFlags.key_compromise)])
        wait_for(held, 200)
        wait_for(revoked, 403)
        # A delta of before, or one whose base is not there, changes nothing.
        delta(base + 1, [])
        proxy.wait_until(lambda: "goes backwards" in gate.log(), "the refusal")
        assert held.get().status == 200 and revoked.get().status == 403
        base += 5
        delta(base + 1, [])
        proxy.wait_until(lambda: "but the base has number" in gate.log(), "the refusal")
        assert revoked.get().status == 403 and other.get().status == 200


def test_threat_86_everything_that_ends_is_listed_everywhere_with_what_stops_then(setup):
    """`check`, `status` and the metrics name each server certificate, CA, CRL, and what an origin is
    met with; the log warns of each at half of its time."""
    hour = datetime.timedelta(hours=1)
    upstream_ca = proxy.Authority(setup.folder, "Upstream CA")
    mine = upstream_ca.issue("gateway", valid_from=proxy.now() - 9 * hour, valid_for=10.5 * hour)
    setup.server = setup.server_ca.issue(
        "api.example.com", server=True, dns=("*.example.com",), valid_from=proxy.now() - 9 * hour,
        valid_for=12 * hour)
    inside = {"servers": ["https://127.0.0.1:1"],
              "tls": {"ca": upstream_ca.path.name, "server_name": "inside.example.com",
                      "certificate": mine.path.name, "private_key": mine.key_path.name}}
    config = config_of(setup)
    config["crl_refresh"] = {**WATCH["crl_refresh"],
                             "ca": proxy.Authority(setup.folder, "Web CA").path.name}
    config["origins"]["inside"] = inside
    config["hosts"].append(setup.host(["other.example.com"]))
    then = {"server_certificate": "clients refuse to connect to api.example.com (and 1 more user",
            "client_ca": "every certificate that it issued counts as not verified",
            "crl": "every certificate of this issuer counts as not verified",
            "upstream_certificate": "the servers of origin inside refuse the proxy",
            "upstream_ca": "servers of origin inside with a certificate of this CA are refused",
            "crl_server_ca": "no CRL is fetched from https:// servers with a certificate of this CA"}
    with setup.start(config) as gate:
        listed = {e["kind"]: e for e in version_of(gate)["expiries"]}
        checked = proxy.run("check", "--config", gate.config_path).stdout
        address = f"{setup.folder}/admin.sock"
        metrics = proxy.admin_get(address, "/metrics")[1]
        for kind, words in then.items():
            assert words in listed[kind]["then"], listed[kind]
            assert listed[kind]["days_left"] <= 365 and listed[kind]["until"].endswith("UTC")
            line = next(l for l in checked.splitlines() if f" {kind} " in l)
            assert words in line and line.startswith("ends "), line
            for metric in ("certgate_expiry_days", "certgate_time_left_ratio"):
                assert f'{metric}{{kind="{kind}"' in metrics, (metric, kind)
        for words in ("the certificate CN=api.example.com", "the certificate CN=gateway"):
            proxy.wait_until(lambda: any(words in l and "of its time left" in l
                                         for l in gate.log().splitlines()), words)
        # What has more than half of its time left is not told.
        assert not any("the CA " in l and "time left" in l for l in gate.log().splitlines())


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
    end = datetime.date.fromisoformat(lines[0].split()[1])
    eve = proxy.run("check", "--config", gate_config, "--at", end - datetime.timedelta(days=1)).stdout
    assert re.search(rf"^ends +{end} \d\d:\d\d UTC  \(1 day\)  ", eve, re.MULTILINE), eve
    for no_date in ("soon", "2027-13-01", "2027-02-30", "2027-01-01T24:00:00Z", "2027-01-01 12:00"):
        assert "is no date" in proxy.run("check", "--config", gate_config, "--at", no_date, status=2).stderr


def test_check_ends_a_list_and_a_certificate_in_the_second_in_which_they_stop_counting(setup):
    """As requests are judged: a list counts until its nextUpdate, a certificate through its notAfter."""
    gate_config = setup.folder / "certgate.yaml"
    gate_config.write_text(json.dumps(setup.config()))
    next_update = proxy.now().replace(microsecond=0) + datetime.timedelta(days=3)
    setup.ca.write_crl(next_update=next_update)

    def said_of(kind, at):
        checked = proxy.run("check", "--config", gate_config, "--at", at.strftime("%Y-%m-%dT%H:%M:%SZ"))
        line = next(l for l in checked.stdout.splitlines() if f" {kind} " in l)
        has_expired = [l for l in checked.stderr.splitlines() if "has expired on" in l]
        return line.split()[0], "EXPIRED" in checked.stdout, len(has_expired)

    second = datetime.timedelta(seconds=1)
    assert said_of("crl", next_update - second) == ("ends", False, 0)
    assert said_of("crl", next_update) == ("ended", True, 1)
    setup.ca.write_crl(next_update=next_update + datetime.timedelta(days=4000))
    not_after = setup.server.certificate.not_valid_after.replace(microsecond=0)
    assert said_of("server_certificate", not_after) == ("ends", False, 0)
    assert said_of("server_certificate", not_after + second) == ("ended", False, 1)


def test_threat_86_what_is_shown_behind_a_certificate_ends_as_well(setup):
    """A chain is as good as its first certificate to end; a root in it is everybody's own copy."""
    middle = proxy.Authority(setup.folder, "Middle CA", issuer=setup.server_ca, days=20)
    setup.server = middle.issue("api.example.com", server=True, dns=("api.example.com",),
                                extra_chain=[middle, setup.server_ca])
    config = setup.folder / "certgate.yaml"
    config.write_text(json.dumps(setup.config()))
    expiries = json.loads(proxy.run("check", "--config", config, "--json").stdout)["expiries"]
    shown = {e["name"]: e["then"] for e in expiries if e["kind"] == "server_certificate"}
    assert shown == {
        "CN=api.example.com": "from then on clients refuse to connect to api.example.com",
        "CN=Middle CA": "from then on clients refuse to connect to api.example.com (it is in the chain "
                        "of the certificate)"}


def test_what_has_ended_today_has_less_than_no_days_left(setup):
    config = config_of(setup)
    config["hosts"][0]["client_auth"]["on_expired_crl"] = "use_last"
    hour = datetime.timedelta(hours=1)
    days_left = {}
    for ends in (hour, -hour):
        setup.ca.write_crl(this_update=proxy.now() - 9 * hour, next_update=proxy.now() + ends)
        with setup.start(config) as gate:
            (crl,) = [e for e in version_of(gate)["expiries"] if e["kind"] == "crl"]
            days_left[ends] = crl["days_left"]
    assert days_left == {hour: 0, -hour: -1}
