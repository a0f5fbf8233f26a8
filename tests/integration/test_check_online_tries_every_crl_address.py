"""`certgate check --online` says what each CRL address gives, and keeps nothing of it."""

import datetime
import json
import re

import pytest
from cryptography import x509

import proxy
from crl_server import (
    body, config_of, CrlServer, delta, DeltaServer, FOLLOW, freshest, kept_files, send_raw, signed,
)


@pytest.fixture
def server(setup):
    with CrlServer(setup.ca) as crl_server:
        yield crl_server


def online(setup, config, status=0):
    """What `check --online` says: (text, by path of the address, as JSON)."""
    path = setup.folder / "certgate.yaml"
    proxy.write_whole(path, json.dumps(config))
    text = proxy.run("check", "--online", "--config", path, status=status).stdout
    told = json.loads(proxy.run("check", "--online", "--json", "--config", path, status=status).stdout)
    return text, {each["url"].rpartition("/")[2]: each for each in told["crl_addresses"]}


def test_check_online_says_what_each_address_gives(setup, server):
    lost = setup.ca.issue("lost")
    setup.ca.revoke(lost)
    config = config_of(setup, server.address)
    text, told = online(setup, config)
    until = x509.load_pem_x509_crl(setup.ca.crl_path.read_bytes()).next_update.replace(
        tzinfo=datetime.timezone.utc)
    assert f"{server.address} (api.example.com): first: 1 revoked, number 02, until " in text
    assert told["clients.crl"] == {
        "url": server.address, "host": "api.example.com", "distribution_point": False, "good": True,
        "state": "first", "number": "02", "revoked": 1, "next_update": int(until.timestamp())}
    assert not (setup.folder / "state").exists()  # nothing is kept
    with setup.start(config):
        pass
    before = kept_files(setup)[0].read_bytes()
    assert "unchanged: 1 revoked" in online(setup, config)[0]
    setup.ca.revoke(setup.ca.issue("next"))
    text, told = online(setup, config)
    assert "new: 2 revoked, number 03" in text and told["clients.crl"]["state"] == "new"
    assert kept_files(setup)[0].read_bytes() == before
    assert "crl_addresses" not in json.loads(
        proxy.run("check", "--json", "--config", setup.folder / "certgate.yaml").stdout)


def test_check_online_says_why_an_address_gives_nothing(setup, server):
    bodies = {
        "/clients.crl": server.serve_file,
        "/absent.crl": send_raw(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
        "/other.crl": body(signed(setup.server_ca, number=9)),
        "/old.crl": body(signed(setup.ca, number=9, this_update=proxy.now() - datetime.timedelta(days=9),
                                next_update=proxy.now() - datetime.timedelta(days=1))),
    }
    server.answer = lambda handler, request: bodies[request.path](handler, request)
    config = config_of(setup, *(server.url + path for path in bodies))
    text, told = online(setup, config, status=1)
    assert told["clients.crl"]["good"] and not told["absent.crl"]["good"]
    assert told["absent.crl"]["problem"] == "the server answered 404 Not Found"
    assert "none of the CAs" in told["other.crl"]["problem"]
    assert told["old.crl"]["good"] and told["old.crl"]["next_update"] < proxy.now().timestamp()
    assert f"{server.url}/absent.crl (api.example.com): NOT fetched: the server answered 404" in text
    assert re.search(r"old\.crl .*first: 0 revoked, number 09, until .*, HAS ENDED", text)
    # An address that no list may come from is asked nothing.
    refused = config_of(setup, "http://169.254.169.254/a.crl")
    assert "(link-local)" in online(setup, refused, status=1)[1]["a.crl"]["problem"]


def test_check_online_says_what_the_delta_gives(setup, server):
    base = signed(setup.ca, number=10, extensions=[freshest(f"{server.url}/delta.crl")])
    site = DeltaServer(server, base, delta(setup.ca, number=11, base=10, revoked=[setup.ca.issue("a")]))
    text, told = online(setup, config_of(setup, server.address, client_auth=FOLLOW))
    assert told["clients.crl"]["delta"] == f"{server.url}/delta.crl"
    assert (told["clients.crl"]["number"], told["clients.crl"]["revoked"]) == ("0B", 1)
    assert f"delta {server.url}/delta.crl: fetched" in text
    site.bodies["/delta.crl"] = b"<html>"
    text, told = online(setup, config_of(setup, server.address, client_auth=FOLLOW), status=1)
    assert "web page" in told["clients.crl"]["delta_problem"] and "NOT fetched: it is a web page" in text


@pytest.mark.parametrize("ended", ["base", "delta"])
def test_check_online_takes_a_pair_for_ended_when_enforcement_does(setup, server, ended):
    past, future = (proxy.now() + datetime.timedelta(days=days) for days in (-1, 20))
    ends = {"base": future, "delta": future, ended: past}
    old = proxy.now() - datetime.timedelta(days=9)
    device, lost = setup.ca.issue("sensor-7"), setup.ca.issue("lost")
    base = signed(setup.ca, number=10, this_update=old, next_update=ends["base"],
                  extensions=[freshest(f"{server.url}/delta.crl")])
    site = DeltaServer(server, base, delta(setup.ca, number=11, base=10, revoked=[lost],
                                           this_update=old, next_update=ends["delta"]))
    config = config_of(setup, server.address, client_auth=FOLLOW)
    text, told = online(setup, config)
    assert "HAS ENDED" not in text
    assert told["clients.crl"]["next_update"] == int(future.timestamp())
    with setup.start(config) as gate, setup.client(gate, device) as client, \
            setup.client(gate, lost) as thief:
        assert (client.get().status, thief.get().status) == (200, 403)
        # One line for each list in what monitors read.
        text = proxy.admin_get(setup.folder / "admin.sock", "/metrics")[1]
        days = {series: float(value) for series, value in
                re.findall(r'^certgate_expiry_days(\{kind="crl".*\}) (\S+)$', text, re.MULTILINE)}
        assert len(days) == text.count('certgate_expiry_days{kind="crl"') == 2
        assert max(days.values()) > 19 and (min(days.values()) < 0) == (ended == "delta")
    # What stops working, and when, is said the same way.
    checked = json.loads(proxy.run("check", "--json", "--config", setup.folder / "certgate.yaml").stdout)
    then = {entry["until"]: entry["then"] for entry in checked["expiries"] if entry["kind"] == "crl"}
    assert "counts as not verified" in then[int(future.timestamp())]
    assert ended == "base" or "its complete list counts on" in then.pop(int(past.timestamp()))
    assert list(then) == [int(future.timestamp())]
    site.bodies = {"/clients.crl": signed(setup.ca, number=12, this_update=old, next_update=past,
                                          extensions=[freshest(f"{server.url}/delta.crl")]),
                   "/delta.crl": delta(setup.ca, number=13, base=12, this_update=old, next_update=past)}
    assert "HAS ENDED" in online(setup, config, status=1)[0]


def test_check_online_is_not_asked_for_a_dump(setup):
    refused = proxy.run("check", "--online", "--dump", "--config", setup.folder / "none.yaml", status=2)
    assert "--dump" in refused.stderr and "--online" in refused.stderr


def test_check_without_addresses_has_nobody_to_ask(setup):
    config = setup.config()
    assert "no CRL address is configured" in online(setup, config)[0]
    both = proxy.run("check", "--online", "--offline", "--config", setup.folder / "certgate.yaml",
                     status=2)
    assert "--offline" in both.stderr
