"""CRLs from http(s) addresses: kept fresh, judged before they are taken, never lost, and no way in."""

import contextlib
import datetime
import gzip
import re
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import proxy
from crl_server import (
    body, Bystander, config_of, CrlServer, kept_files, metric, redirect_to, refresh, send_raw, signed,
    status_of, tampered, wait_for, wait_for_log,
)


@pytest.fixture
def server(setup):
    with CrlServer(setup.ca) as crl_server:
        yield crl_server


def test_a_fetched_list_is_in_force_from_the_start_and_changes_reach_open_connections(setup, server):
    device, other, lost = (setup.ca.issue(name) for name in ("sensor-7", "sensor-8", "lost"))
    setup.ca.revoke(lost)
    with setup.start(config_of(setup, server.address)) as gate, \
            setup.client(gate, device) as client, Bystander(setup, gate, other):
        with setup.client(gate, lost) as thief:
            assert thief.get().status == 403
        assert client.get().status == 200
        setup.ca.revoke(device)
        wait_for(client, 403)
        log = gate.log()
        assert f"CRL fetched: {server.address}: 1 revoked, number 02" in log
        assert "2 revoked, 1 before" in re.search("revocations renewed: version 2: (.*)", log)[1]
        assert "reloaded" not in log
        [url] = status_of(gate)["crl_urls"]
        assert url["url"] == server.address and url["host"] == "api.example.com"
        assert url["list"].startswith("2 revoked, number 03, until ")
        assert url["failures_in_a_row"] == 0 and url["last_failure"] == ""
        assert url["bytes"] == len(setup.ca.crl_path.read_bytes())
        assert metric(gate, "certgate_crl_fetch_bytes") == [url["bytes"]]
        assert metric(gate, "certgate_crl_fetch_failures_in_a_row") == [0]
        assert metric(gate, "certgate_crl_fetch_failures_total") == [0]
        assert metric(gate, "certgate_crl_fetch_age_seconds")[0] < proxy.PATIENCE
        assert metric(gate, "certgate_crl_fetch_next_seconds")[0] <= 1
        assert [e["file"] for e in status_of(gate)["expiries"] if e["kind"] == "crl"] == [server.address]


def test_der_is_as_good_as_pem(setup, server):
    lost, device = setup.ca.issue("lost"), setup.ca.issue("sensor-7")
    setup.ca.revoke(lost)
    crl = x509.load_pem_x509_crl(setup.ca.crl_path.read_bytes())
    der = crl.public_bytes(serialization.Encoding.DER)
    server.answer = lambda handler, _: server.serve(handler, der)
    with setup.start(config_of(setup, server.address)) as gate, \
            setup.client(gate, lost) as thief, setup.client(gate, device) as client:
        assert (thief.get().status, client.get().status) == (403, 200)


# --- What a server may say ------------------------------------------------------------------------


def endless(handler, _request):
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            handler.wfile.write(b"x" * 65536)
    handler.close_connection = True


def same_name(setup):
    return proxy.Authority(setup.folder / "elsewhere", "Client CA")


BAD = {
    "answers 500": lambda s: (send_raw(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"),
                              "the server answered 500 Internal Server Error"),
    "answers 404": lambda s: (send_raw(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
                              "the server answered 404 Not Found"),
    "answers 204": lambda s: (send_raw(b"HTTP/1.1 204 No\r\n\r\n"), "the server answered 204"),
    "answers 304 unasked": lambda s: (send_raw(b"HTTP/1.1 304 No\r\n\r\n"), "the server answered 304"),
    "no HTTP": lambda s: (send_raw(b"SSH-2.0-OpenSSH_9\r\n\r\n"), "not HTTP as it should be"),
    "two lengths": lambda s: (send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
                                       b"Content-Length: 2\r\n\r\nxx"), "not HTTP as it should be"),
    "garbage": lambda s: (body(b"\x00\xff garbage"), "CRL not fetched"),
    "web page": lambda s: (body(b"<!DOCTYPE html><html>Log in</html>"), "it is a web page (HTML)"),
    "empty": lambda s: (body(b""), "it is empty"),
    "closed early": lambda s: (send_raw(b""), "closed the connection without an answer"),
    "truncated": lambda s: (body(s.ca.crl_path.read_bytes()[:200], length=10_000),
                            "the body ended after 200 of 10000 bytes"),
    "truncated PEM of no length": lambda s: (
        send_raw(b"HTTP/1.1 200 OK\r\n\r\n" + s.ca.crl_path.read_bytes()[:200]), "cut off"),
    "truncated chunks": lambda s: (
        send_raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        "the body ended after 5 bytes"),
    "huge and says so": lambda s: (body(b"x", length=10**12), "longer than 64 KiB"),
    "huge without a word": lambda s: (endless, "longer than 64 KiB"),
    "compressed": lambda s: (body(gzip.compress(s.ca.crl_path.read_bytes()),
                                  headers=[("Content-Encoding", "gzip")]), "compressed (gzip)"),
    "replayed": lambda s: (body(signed(s.ca, number=0)), "goes backwards: number"),
    "older by date": lambda s: (
        body(signed(s.ca, number=s.ca.crl_number,
                    this_update=proxy.now() - datetime.timedelta(days=1))), "goes backwards: one of"),
    "other CA of the same name": lambda s: (
        body(signed(same_name(s), number=99)), "cannot be trusted"),
    "other CA": lambda s: (body(signed(s.server_ca, number=99)), "none of the CAs"),
    "tampered": lambda s: (body(tampered(signed(s.ca, number=99))), "CRL not fetched"),
    "critical and unknown": lambda s: (
        body(signed(s.ca, number=99, extensions=[
            (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)])),
        "critical extension that is not understood"),
    "delta without its base": lambda s: (
        body(signed(s.ca, number=99, extensions=[(x509.DeltaCRLIndicator(1), True)])),
        "a delta without its base"),
    "led to loopback": lambda s: (redirect_to("http://127.0.0.2/x"), "127.0.0.2 (loopback)"),
    "led to metadata": lambda s: (redirect_to("http://169.254.169.254/latest/meta-data/"),
                                  "169.254.169.254 (link-local)"),
    "led to a private network": lambda s: (redirect_to("http://10.0.0.1/"), "10.0.0.1 (private)"),
    "led to a mapped address": lambda s: (redirect_to("http://[::ffff:192.168.0.1]/"), "(private)"),
    "led to a name of loopback": lambda s: (redirect_to("http://localhost:1/"), "localhost"),
    "led to a file": lambda s: (redirect_to("file:///etc/passwd"), "is not an http:// or https://"),
    "led to LDAP": lambda s: (redirect_to("ldap://127.0.0.1/"), "is not an http:// or https://"),
    "led in a circle": lambda s: (redirect_to("/clients.crl"), "more than 3 redirects"),
}


@pytest.mark.parametrize("kind", BAD)
def test_threats_26_28_37_38_39_42_a_bad_answer_changes_nothing_and_is_told(setup, server, kind):
    (setup.folder / "elsewhere").mkdir()
    device, lost, next_lost = (setup.ca.issue(name) for name in ("sensor-7", "lost", "next"))
    setup.ca.revoke(lost)
    config = config_of(setup, server.address, crl_refresh=refresh(max_bytes="64KiB"))
    with setup.start(config) as gate, setup.client(gate, lost) as thief, \
            setup.client(gate, next_lost) as next_thief, Bystander(setup, gate, device):
        assert (thief.get().status, next_thief.get().status) == (403, 200)
        server.answer, sentence = BAD[kind](setup)
        wait_for_log(gate, sentence)
        line = next(line for line in gate.log().splitlines() if sentence in line)
        assert f"CRL not fetched: {server.address}: " in line
        assert "the last good one stays in force (1 revoked, number 02" in line
        # Again and again, without a line for each.
        proxy.wait_until(lambda: metric(gate, "certgate_crl_fetch_failures_in_a_row")[0] >= 5,
                         "five failures")
        lines = gate.log().count("CRL not fetched")
        failures = int(metric(gate, "certgate_crl_fetch_failures_in_a_row")[0])
        assert lines <= failures.bit_length() + 1, failures  # the 1st, 2nd, 4th, 8th, …
        assert (thief.get().status, next_thief.get().status) == (403, 200)
        [url] = status_of(gate)["crl_urls"]
        assert sentence in url["last_failure"] or sentence == "CRL not fetched"
        assert url["failures_in_a_row"] >= 5 and url["list"].startswith("1 revoked, number 02")
        # And it comes back by itself.
        setup.ca.revoke(next_lost)
        server.answer = server.serve_file
        wait_for(next_thief, 403)
        assert thief.get().status == 403
        proxy.wait_until(lambda: metric(gate, "certgate_crl_fetch_failures_in_a_row") == [0], "an end")


def test_a_server_that_stalls_is_left_after_the_timeout(setup, server):
    device, lost = setup.ca.issue("sensor-7"), setup.ca.issue("lost")
    config = config_of(setup, server.address, crl_refresh=refresh(timeout="300ms"))
    release = threading.Event()

    def stall(handler, _request):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
        release.wait(proxy.PATIENCE)
        handler.close_connection = True

    with setup.start(config) as gate, setup.client(gate, lost) as thief, \
            Bystander(setup, gate, device):
        wait_for(thief, 200)
        server.answer = stall
        wait_for_log(gate, "not done within 300 ms")
        setup.ca.revoke(lost)
        server.answer = server.serve_file
        wait_for(thief, 403)
        release.set()


def test_an_unchanged_list_is_not_sent_again(setup, server):
    device = setup.ca.issue("sensor-7")
    content = setup.ca.crl_path.read_bytes()
    not_modified, sent = [], []

    def answer(handler, request):
        if request.headers.get("If-None-Match") == '"one"':
            assert request.headers.get("If-Modified-Since") == "Mon, 30 Nov 2026 10:00:00 GMT"
            handler.send_response(304)
            handler.end_headers()
            not_modified.append(request)
            return
        sent.append(request)
        server.serve(handler, content, headers=[
            ("ETag", '"one"'), ("Last-Modified", "Mon, 30 Nov 2026 10:00:00 GMT")])

    server.answer = answer
    with setup.start(config_of(setup, server.address)) as gate, setup.client(gate, device) as client:
        proxy.wait_until(lambda: len(not_modified) >= 3, "three times 304")
        assert len(sent) == 1
        assert gate.log().count("CRL fetched: ") == 1
        assert "revocations renewed" not in gate.log()
        assert metric(gate, "certgate_crl_fetch_failures_total") == [0]
        assert client.get().status == 200
    # The validators outlive a restart, together with the list.
    before = len(server.requests)
    with setup.start(config_of(setup, server.address)) as gate:
        proxy.wait_until(lambda: len(server.requests) > before, "a request")
        assert server.requests[before].headers.get("If-None-Match") == '"one"'


def test_a_redirect_to_an_allowed_place_is_followed(setup, server):
    lost = setup.ca.issue("lost")
    setup.ca.revoke(lost)

    def answer(handler, request):
        if request.path == "/clients.crl":
            redirect_to("../real/list?x=1")(handler, request)
        else:
            server.serve_file(handler)

    server.answer = answer
    with setup.start(config_of(setup, server.address)) as gate, setup.client(gate, lost) as thief:
        assert thief.get().status == 403
        assert [r.path for r in server.requests[:2]] == ["/clients.crl", "/real/list?x=1"]


@pytest.mark.parametrize("policy, status", [("deny", 403), ("use_last", 200)])
def test_threat_35_a_stale_list_means_what_on_expired_crl_says(setup, server, policy, status):
    device, lost = setup.ca.issue("sensor-7"), setup.ca.issue("lost")
    setup.ca.revoked.append((lost.certificate.serial_number, x509.ReasonFlags.key_compromise))
    ended = proxy.now() - datetime.timedelta(hours=1)
    setup.ca.write_crl(next_update=ended, this_update=ended - datetime.timedelta(hours=1))
    config = config_of(setup, server.address, client_auth={"on_expired_crl": policy})
    with setup.start(config) as gate, setup.client(gate, device) as client, \
            setup.client(gate, lost) as thief:
        assert (client.get().status, thief.get().status) == (status, 403)
        wait_for_log(gate, "has ended on")
        setup.ca.write_crl()
        wait_for(client, 200)
        assert thief.get().status == 403


# --- Starts ---------------------------------------------------------------------------------------


def test_without_any_list_clients_are_not_verified_until_it_comes(setup, server):
    device = setup.ca.issue("sensor-7")
    server.answer = send_raw(b"")
    open_host = setup.host(names=["www.example.com"], mode="off")
    rules = [{"name": "valid", "action": "block",
              "expression": 'http.host eq "api.example.com" and not cf.tls_client_auth.cert_verified'}]
    config = config_of(setup, server.address, hosts=[open_host], rules=rules)
    with setup.start(config) as gate, setup.client(gate, device) as client, \
            setup.client(gate, host="www.example.com") as visitor:
        assert client.get().status == 403
        assert visitor.get().status == 200
        line = next(line for line in gate.log().splitlines() if "CRL not fetched" in line)
        assert " error " in line and "there is none of it yet" in line
        assert f"there is no list yet from {server.address}" in gate.log()
        assert status_of(gate)["crl_urls"][0]["list"] == "none yet"
        server.answer = server.serve_file
        wait_for(client, 200)
        assert "reloaded" not in gate.log()


def test_a_start_waits_for_a_list_but_not_for_ever(setup, server):
    device = setup.ca.issue("sensor-7")
    release = threading.Event()

    def hold(handler, _request):
        release.wait(proxy.PATIENCE * 2)
        server.serve_file(handler)

    server.answer = hold
    with setup.start(config_of(setup, server.address, crl_refresh=refresh(start_wait="200ms"))) as gate, \
            setup.client(gate, device) as client:
        assert client.get().status == 403  # it serves, though the server still holds the list back
        release.set()
        wait_for(client, 200)


@contextlib.contextmanager
def nobody_at(port):
    """Keeps a port from being anybody's: connections to it are refused."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", port))
        yield


@pytest.mark.parametrize("mode", ["request", "require"])
def test_the_last_good_list_is_in_force_after_a_restart_while_the_server_is_away(setup, mode):
    device, lost = setup.ca.issue("sensor-7"), setup.ca.issue("lost")
    setup.ca.revoke(lost)
    with CrlServer(setup.ca) as server:
        config = config_of(setup, server.address, host=setup.host(mode=mode))
        with setup.start(config):
            pass
    with nobody_at(server.port), setup.start(config) as gate:
        wait_for_log(gate, "cannot connect to 127.0.0.1:")
        assert "the last good one stays in force (1 revoked, number 02" in gate.log()
        with setup.client(gate, device) as client:
            assert client.get().status == 200
        if mode == "require":
            with pytest.raises((ssl.SSLError, ConnectionError)):
                with setup.client(gate, lost) as thief:
                    thief.get()
        else:
            with setup.client(gate, lost) as thief:
                assert thief.get().status == 403
    # What `check` and the others say of a certificate is said with the kept list too.
    checked = proxy.run("check", "--config", setup.folder / "certgate.yaml").stdout
    assert "CRL         CN=Client CA, 1 revoked" in checked


@pytest.mark.parametrize("harm", ["a byte", "cut off", "garbage", "empty", "other address", "other CA"])
def test_a_kept_list_that_was_tampered_with_is_not_used(setup, harm):
    device = setup.ca.issue("sensor-7")
    with CrlServer(setup.ca) as server:
        config = config_of(setup, server.address)
        with setup.start(config):
            pass
        [path] = kept_files(setup)
        assert path.stat().st_mode & 0o777 == 0o600
        whole = path.read_bytes()
        head, _, content = whole.partition(b"\n\n")
        other = signed(setup.server_ca, number=9)
        lines = content.splitlines(keepends=True)
        lines[2] = lines[2].swapcase()
        path.write_bytes({
            "a byte": head + b"\n\n" + b"".join(lines),
            "cut off": whole[:-100],
            "garbage": b"\x00" * 100,
            "empty": b"",
            "other address": whole.replace(b"/clients.crl", b"/another.crl"),
            "other CA": re.sub(rb"length: \d+", b"length: %d" % len(other), head) + b"\n\n" + other,
        }[harm])
        server.answer = send_raw(b"")
        with setup.start(config) as gate, setup.client(gate, device) as client:
            assert client.get().status == 403
            assert re.search(r" error .*the kept list .* is not used: ", gate.log()), gate.log()
            server.answer = server.serve_file
            wait_for(client, 200)
        assert kept_files(setup)[0].read_bytes().partition(b"\n\n")[2] == content


def test_a_list_that_is_older_than_the_kept_one_is_refused_after_a_restart(setup, server):
    lost = setup.ca.issue("lost")
    old = setup.ca.crl_path.read_bytes()
    setup.ca.revoke(lost)
    config = config_of(setup, server.address)
    with setup.start(config):
        pass
    server.answer = body(old)
    with setup.start(config) as gate, setup.client(gate, lost) as thief:
        wait_for_log(gate, "it goes backwards: number 02 is in force, this is number 01")
        assert thief.get().status == 403
    # The way of an operator who wants it so.
    kept_files(setup)[0].unlink()
    with setup.start(config) as gate, setup.client(gate, lost) as thief:
        assert thief.get().status == 200


def test_without_a_state_directory_nothing_is_kept_and_that_is_told(setup, server):
    config = config_of(setup, server.address, state=False)
    with setup.start(config) as gate:
        assert "a fetched CRL is not kept without `state_directory`" in gate.log()
    assert not (setup.folder / "state").exists()


def test_what_was_kept_of_an_address_goes_with_the_address(setup, server):
    other = f"{server.url}/other.crl"
    folder = setup.folder / "state" / "crls"
    config = config_of(setup, server.address, other)
    with setup.start(config) as gate:
        assert len(kept_files(setup)) == 2
        (folder / "notes.txt").write_text("mine")
        broken = config_of(setup, server.address, f"{server.url}/gone.crl")
        server.answer = lambda handler, request: (
            send_raw(b"")(handler, request) if request.path == "/gone.crl"
            else server.serve_file(handler))
        gate.reload(broken, good=False)
        assert len(kept_files(setup)) == 3  # a refused reload takes nothing away
        gate.reload(config_of(setup, server.address))
        wait_for_log(gate, f"the kept file of the CRL of {other} was removed: its address is not "
                           "configured any more")
        assert [path.name for path in kept_files(setup) if path.name != "notes.txt"] != []
        assert len(kept_files(setup)) == 2
    # And at a start, for what was taken out while certgate was not running.
    server.answer = server.serve_file
    lost = setup.ca.issue("lost")
    with setup.start(config_of(setup, other)) as gate, setup.client(gate, lost) as client:
        wait_for_log(gate, f"the kept file of the CRL of {server.address} was removed")
        assert client.get().status == 200
        [kept] = [path for path in kept_files(setup) if path.name != "notes.txt"]
        assert f"url: {other}\n".encode() in kept.read_bytes()
        assert (folder / "notes.txt").read_text() == "mine"


# --- Reloads --------------------------------------------------------------------------------------


def test_a_reload_that_asks_for_a_list_that_cannot_be_had_is_refused(setup, server):
    device = setup.ca.issue("sensor-7")
    with setup.start(config_of(setup, server.address)) as gate, Bystander(setup, gate, device):
        wanted = config_of(setup, server.address, f"{server.url}/other.crl")

        def answer(handler, request):
            if request.path == "/other.crl":
                return send_raw(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")(handler, request)
            return server.serve_file(handler)

        server.answer = answer
        refused = gate.reload(wanted, good=False)
        assert f"the CRL cannot be fetched from {server.url}/other.crl: the server answered 404" in refused
        assert [url["url"] for url in status_of(gate)["crl_urls"]] == [server.address]


def test_addresses_come_and_go_with_reloads(setup, server):
    lost = setup.ca.issue("lost")
    setup.ca.revoke(lost)
    with setup.start(setup.config(admin={"address": f"unix:{setup.folder}/admin.sock"},
                                  state_directory="state", hosts=[setup.host()],
                                  crl_refresh=refresh())) as gate, setup.client(gate, lost) as thief:
        assert thief.get().status == 403
        gate.reload(config_of(setup, server.address))
        assert thief.get().status == 403
        assert len(status_of(gate)["crl_urls"]) == 1
        gate.reload(config_of(setup, setup.ca.crl_path.name))
        assert thief.get().status == 403
        assert status_of(gate)["crl_urls"] == []
        asked = len(server.requests)
        gate.reload()
        assert len(server.requests) - asked <= 1  # the last one under way, if any


def test_a_ca_is_rotated_by_reloads(setup):
    old, new = setup.ca, proxy.Authority(setup.folder, "Client CA 2027")
    old_device, new_device = old.issue("old"), new.issue("new")
    new_lost = new.issue("lost")
    new.revoke(new_lost)
    with CrlServer(old) as old_server, CrlServer(new) as new_server:
        config = config_of(setup, old_server.address)
        with setup.start(config) as gate, Bystander(setup, gate, old_device):
            with setup.client(gate, new_device) as client:
                assert client.get().status == 403
            both = [old.path.name, new.path.name]
            gate.reload(config_of(setup, old_server.address, new_server.address,
                                  client_auth={"ca": both}))
            with setup.client(gate, new_device) as client, setup.client(gate, new_lost) as thief:
                assert (client.get().status, thief.get().status) == (200, 403)
        config = config_of(setup, new_server.address, client_auth={"ca": [new.path.name]})
        with setup.start(config) as gate, setup.client(gate, new_device) as client, \
                setup.client(gate, old_device) as former:
            assert (client.get().status, former.get().status) == (200, 403)
        # The address of the old list under the new CA: nobody trusted has signed it.
        with setup.start(config) as gate, Bystander(setup, gate, new_device):
            wrong = config_of(setup, old_server.address, client_auth={"ca": [new.path.name]})
            assert "none of the CAs" in gate.reload(wrong, good=False)
