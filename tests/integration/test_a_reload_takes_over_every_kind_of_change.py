"""What a reload changed is in force on the next request, and the receipt says what it was."""

import json
import re
import signal
import socket
import threading

import pytest

import proxy


def number_of(receipt):
    return int(re.search(r"reloaded: version (\d+): ", receipt).group(1))


def dns(client):
    """The DNS names of the certificate that the server shows."""
    return {value for kind, value in client.tls.getpeercert()["subjectAltName"] if kind == "DNS"}


def test_rules_lists_ca_crl_and_certificate_change_on_one_open_connection(setup):
    alice = setup.ca.issue("alice")
    (setup.folder / "paths.txt").write_text("/secret\n")
    config = setup.config()
    config["lists"] = {"paths": {"type": "string", "file": "paths.txt"}}
    config["rules"].append({"name": "listed", "expression": "http.request.uri.path in $paths",
                            "action": "block"})
    with setup.start(config) as certgate, setup.client(certgate, alice) as client:
        assert client.get("/a").status == 200
        assert client.get("/secret").status == 403
        # Nothing changed: the receipt says so, and the version counts on.
        receipt = certgate.reload()
        assert number_of(receipt) == 2 and "nothing changed" in receipt
        assert re.search(r"\(\d+\.\d ms\)", receipt)

        # A list file.
        (setup.folder / "paths.txt").write_text("/other\n")
        receipt = certgate.reload()
        assert "list" in receipt, receipt
        assert client.get("/secret").status == 200
        assert client.get("/other").status == 403

        # A rule.
        config["rules"].append({"name": "no tea", "action": "block",
                                "expression": 'http.request.uri.path eq "/tea"'})
        assert client.get("/tea").status == 200
        receipt = certgate.reload(config)
        assert "1 added" in receipt
        assert client.get("/tea").status == 403

        # A CRL, in the same file.
        setup.ca.revoke(alice)
        receipt = certgate.reload()
        assert "other CRLs, 1 revoked" in receipt
        assert client.get("/a").status == 403
        setup.ca.revoked.clear()
        setup.ca.write_crl()
        certgate.reload()
        assert client.get("/a").status == 200

        # Another CA in the same file: alice is a stranger at once.
        other = proxy.Authority(setup.folder, "Other CA")
        mine = setup.ca.path.read_bytes()
        setup.ca.path.write_bytes(other.pem())
        config["hosts"][0]["client_auth"].pop("crl")
        receipt = certgate.reload(config)
        assert "other client CAs" in receipt
        assert client.get("/a").status == 403
        with setup.client(certgate, other.issue("bob")) as bob:
            assert bob.get("/a").status == 200
        setup.ca.path.write_bytes(mine)

        # The server's certificate, in the same files: for new connections.
        renewed = setup.server_ca.issue("api.example.com", server=True,
                                        dns=("api.example.com", "renewed.example.com"))
        setup.server.path.write_bytes(renewed.path.read_bytes())
        setup.server.key_path.write_bytes(renewed.key_path.read_bytes())
        receipt = certgate.reload()
        assert "other certificate" in receipt
        assert client.get("/a").status == 200
        with setup.client(certgate, alice) as new:
            assert "renewed.example.com" in dns(new)
            assert new.get("/a").status == 200


def test_origins_routes_and_hosts_change(setup):
    alice = setup.ca.issue("alice")

    def second(handler, _):
        handler.send_response(200)
        handler.send_header("Content-Length", "6")
        handler.end_headers()
        handler.wfile.write(b"second")

    with proxy.Origin(second) as other, setup.start() as certgate, \
            setup.client(certgate, alice) as client:
        assert client.get("/").body == b"hello\n"
        config = setup.config()
        config["origins"]["other"] = {"servers": [other.url]}
        config["hosts"][0]["routes"] = [{"path": "/v2", "origin": "other"}]
        config["hosts"].append(setup.host(names=["new.example.com"], mode="off", origin="other"))
        receipt = certgate.reload(config)
        assert "origin" in receipt and "new.example.com" in receipt, receipt
        assert client.get("/v2/x").body == b"second"
        assert client.get("/v22").body == b"hello\n"
        with setup.client(certgate, host="new.example.com") as new:
            assert new.get("/").status == 403  # the rule names no host: it holds here, too
        # The servers of an origin that keeps its name.
        config["origins"]["api"]["servers"] = [other.url]
        certgate.reload(config)
        assert client.get("/").body == b"second"
        # A host goes: its name is refused.
        config["hosts"].pop()
        certgate.reload(config)
        with pytest.raises(OSError):
            setup.client(certgate, host="new.example.com")


def test_listeners_come_and_go_and_open_connections_stay(setup):
    alice = setup.ca.issue("alice")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        extra = probe.getsockname()[1]
    with setup.start() as certgate, setup.client(certgate, alice) as first:
        config = setup.config()
        config["listeners"].append({"address": f"127.0.0.1:{extra}"})
        receipt = certgate.reload(config)
        assert f"listening address=127.0.0.1:{extra}" in receipt
        with proxy.Client(extra, proxy.client_context(setup.server_ca, alice)) as second:
            assert second.get("/second").status == 200
            receipt = certgate.reload(setup.config())
            assert f"stopped listening address=127.0.0.1:{extra}" in receipt
            # Accepted connections go on; new ones are refused by the kernel.
            assert second.get("/still").status == 200

            def refused():
                try:
                    socket.create_connection(("127.0.0.1", extra), timeout=5).close()
                    return False
                except ConnectionRefusedError:
                    return True

            proxy.wait_until(refused, "the listener to be gone")
            assert second.get("/still").status == 200
        assert first.get("/first").status == 200
        # And back again, on the same port.
        certgate.reload(config)
        with proxy.Client(extra, proxy.client_context(setup.server_ca, alice)) as third:
            assert third.get("/third").status == 200
        with setup.client(certgate, alice) as fourth:
            assert fourth.get("/fourth").status == 200


def test_log_files_and_level_change(setup):
    alice = setup.ca.issue("alice")
    with setup.start() as certgate, setup.client(certgate, alice) as client:
        assert client.get("/one").status == 200
        certgate.records(1, path="/one")
        config = setup.config()
        config["log"] = {"file": "second.log", "level": "debug",
                         "access": {"file": "second-access.log", "format": "text"}}
        certgate.write_config(config)
        certgate.signal(signal.SIGHUP)
        second = setup.folder / "second.log"
        proxy.wait_until(lambda: second.exists() and "reloaded" in second.read_text(), "a receipt")
        assert client.get("/two").status == 200
        text = setup.folder / "second-access.log"
        proxy.wait_until(lambda: "/two" in text.read_text(), "the record")
        assert not text.read_text().startswith("{")
        assert not certgate.records(path="/two")


def test_certgate_reload_waits_for_the_verdict(setup):
    admin = f"unix:{setup.folder}/admin.sock"
    config = setup.config(admin={"address": admin})
    with setup.start(config) as certgate:
        done = proxy.run("reload", "--config", certgate.config_path)
        assert "version 2: nothing changed" in done.stdout
        assert json.loads(proxy.run("status", "--admin", admin).stdout)["version"] == 2
        certgate.write_config(certgate.config_path.read_text().replace('"block"', '"blok"'))
        refused = proxy.run("reload", "--admin", admin, status=1)
        assert re.search(r"certgate\.yaml:\d+:\d+: ", refused.stderr)
        assert "`block`" in refused.stderr and "^" in refused.stderr
        state = json.loads(proxy.run("status", "--admin", admin).stdout)
        assert state["version"] == 2 and state["failed_reloads"] == 1
        assert "certgate.yaml" in state["last_reload_failure"]
        certgate.write_config(config)
        proxy.run("reload", "--admin", admin)
        state = json.loads(proxy.run("status", "--admin", admin).stdout)
        assert state["version"] == 3 and state["last_reload_failure"] == ""
    nobody = proxy.run("reload", "--admin", admin, status=1)
    assert admin in nobody.stderr


def test_settings_that_need_a_restart_say_so(setup):
    with setup.start() as certgate:
        receipt = certgate.reload(setup.config(
            workers=3, admin={"address": f"unix:{setup.folder}/admin.sock"}))
        assert "workers: takes effect after a restart" in receipt
        assert "admin: takes effect after a restart" in receipt


def test_threat_82_a_long_poll_across_a_reload_is_answered_and_the_next_request_is_judged_anew(
        tmp_path):
    asked, answer = threading.Event(), threading.Event()

    def respond(handler, recorded):
        if recorded.path == "/poll":
            asked.set()
            answer.wait(proxy.PATIENCE)
        handler.send_response(200)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")

    with proxy.Origin(respond) as origin:
        setup = proxy.Setup(tmp_path, origin)
        alice = setup.ca.issue("alice")
        with setup.start() as certgate, setup.client(certgate, alice) as client:
            client.send("GET /poll HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
            assert asked.wait(proxy.PATIENCE)
            setup.ca.revoke(alice)
            config = setup.config()
            config["origins"]["api"]["servers"] = ["http://127.0.0.1:1"]  # the old one goes
            certgate.reload(config)
            answer.set()
            # Judged when it came, carried to its end by the origin that it was sent to.
            response = client.read_response()
            assert (response.status, response.body) == (200, b"ok")
            assert client.get("/next").status == 403
            certgate.records(1, path="/poll", status=200)


def tunnel_origin():
    def talk(connection):
        head, rest = proxy.read_head(connection)
        if b"upgrade" not in head.lower():
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                           b"Upgrade: websocket\r\n\r\n" + rest)
        while piece := connection.recv(4096):
            connection.sendall(piece)

    return proxy.RawOrigin(talk)


UPGRADE = ("GET /socket HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\n"
           "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def open_tunnel(client):
    client.send(UPGRADE)
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.tls.recv(4096)
    assert data.startswith(b"HTTP/1.1 101"), data


def echo(client, message):
    client.tls.sendall(message)
    data = b""
    while len(data) < len(message):
        piece = client.tls.recv(4096)
        assert piece, "the tunnel ended"
        data += piece
    assert data == message


def test_a_tunnel_goes_on_across_reloads_until_its_client_is_revoked(tmp_path):
    origin = tunnel_origin()
    setup = proxy.Setup(tmp_path, origin)
    alice, bob = setup.ca.issue("alice"), setup.ca.issue("bob")
    with setup.start() as certgate, setup.client(certgate, alice) as first, \
            setup.client(certgate, bob) as second:
        open_tunnel(first)
        open_tunnel(second)
        echo(first, b"before")
        for _ in range(5):
            certgate.reload()
            echo(first, b"between")
        setup.ca.revoke(alice)
        certgate.reload()
        assert first.read_until_close() == b""
        echo(second, b"untouched")
        certgate.records(1, path="/socket", failure="client_no_longer_allowed")
    origin.close()


def move_origin(config):
    config["origins"]["api"]["servers"] = ["http://127.0.0.1:1"]


def rename_origin(config):
    config["origins"] = {"other": config["origins"]["api"]}
    for host in config["hosts"]:
        host["origin"] = "other"


def allow_fewer_fields(config):
    """The request that opened the tunnel would be refused before any rule is asked."""
    config["limits"] = {"header_fields": 2}


def drop_host(config):
    config["hosts"][0]["names"] = ["new.example.com"]


@pytest.mark.parametrize("change, failure", [
    (move_origin, None),
    (rename_origin, None),
    (allow_fewer_fields, "client_no_longer_allowed"),
    (drop_host, "client_no_longer_allowed"),
])
def test_a_tunnel_ends_well_when_what_it_was_opened_under_is_gone(tmp_path, change, failure):
    """Its record tells the origin and the server that it was connected to, whatever is left of them."""
    origin = tunnel_origin()
    setup = proxy.Setup(tmp_path, origin)
    alice = setup.ca.issue("alice")
    config = setup.config()
    config["rules"] = [
        {"name": f"seen by number {n} of several rules that only log", "action": "log",
         "expression": "http.request.uri.path eq \"/socket\""} for n in range(3)
    ] + [{"name": "whoever has a certificate may open a socket", "action": "allow",
          "expression": "cf.tls_client_auth.cert_verified"}]
    with setup.start(config) as certgate, setup.client(certgate, alice) as client:
        open_tunnel(client)
        echo(client, b"before")
        changed = setup.config()
        changed["rules"] = []
        change(changed)
        certgate.reload(changed)
        if failure is None:
            echo(client, b"after")
            certgate.reload(changed)
            echo(client, b"and after that")
            client.close()
        else:
            assert client.read_until_close() == b""
        record = certgate.records(1, path="/socket")[0]
        assert record["status"] == 101
        assert record.get("failure") == failure
        assert record["origin"] == "api"
        assert record["origin_server"] == origin.url
    origin.close()
