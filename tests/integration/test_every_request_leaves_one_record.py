"""The access log: one record per request on every path, with the facts; nobody can forge a line."""

import datetime
import json
import pathlib
import re
import signal
import socket
import time

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

import proxy


def test_a_forwarded_request_tells_everything(setup):
    alice = setup.ca.issue("alice")
    with setup.start() as certgate, setup.client(certgate, alice) as client:
        response = client.get("/v1/things?q=1", method="POST", body=b"12345",
                              headers=[("User-Agent", "test/1")])
        assert response.status == 200
        record, = certgate.records(1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", record["time"])
    assert record["event"] == "request"
    assert re.fullmatch(r"[0-9a-f]{16,}", record["request_id"])
    assert record["client"] == "127.0.0.1" and record["client_port"] > 0
    assert record["sni"] == "api.example.com" and record["host"] == "api.example.com"
    assert (record["method"], record["path"], record["status"]) == ("POST", "/v1/things", 200)
    assert record["bytes_in"] > 5 and record["bytes_out"] > 6
    for duration in ("handshake_us", "origin_us", "total_us"):
        assert record[duration] > 0, duration
    assert record["total_us"] >= record["origin_us"]
    assert record["tls_version"] == "TLSv1.3" and record["tls_cipher"].startswith("TLS_")
    assert record["tls_resumed"] is False
    assert record["cert_verdict"] == "verified"
    assert record["cert_subject"] == "CN=alice" and record["cert_issuer"] == "CN=Client CA"
    assert record["cert_serial"] == alice.serial
    assert record["cert_fingerprint"] == alice.fingerprint
    assert record["action"] == "allowed" and "rule" not in record
    assert record["origin"] == "api" and record["origin_server"] == setup.origin.url
    assert "failure" not in record
    # The request id is the one that the origin got.
    assert record["request_id"] in str(setup.origin.last().headers.items())


# From a connection's second request on, what stays the same is copied and not formatted again.
def test_requests_of_many_connections_keep_their_own_clients(setup):
    identities = [setup.ca.issue("alice"), setup.ca.issue("bob"), None]
    facts = ("client", "client_port", "listener", "sni", "tls_version", "tls_cipher", "tls_resumed",
             "cert_subject", "cert_issuer", "cert_serial", "cert_fingerprint")
    with setup.start() as certgate:
        clients = [setup.client(certgate, identity) for identity in identities]
        for round in range(4):
            for number, client in enumerate(clients):
                assert client.get(f"/{number}/{round}").status == (403 if number == 2 else 200)
        records = certgate.records(12)
        for client in clients:
            client.close()
    seen = {}
    for record in records:
        number = int(record["path"].split("/")[1])
        seen.setdefault(number, []).append(tuple(record.get(fact) for fact in facts))
        assert record["cert_verdict"] == ("none" if number == 2 else "verified")
    for number, identity in enumerate(identities):
        assert len(seen[number]) == 4 and len(set(seen[number])) == 1
        fingerprint = seen[number][0][-1]
        assert fingerprint == (identity.fingerprint if identity else None)
    assert len({rows[0][1] for rows in seen.values()}) == 3, "each has its own port"


def test_the_verdict_says_why(setup):
    revoked = setup.ca.issue("stolen")
    setup.ca.revoke(revoked)
    expired = setup.ca.issue("old", valid_from=proxy.now() - datetime.timedelta(days=9),
                             valid_for=datetime.timedelta(days=2))
    stranger = proxy.Authority(setup.folder, "Other CA").issue("mallory")
    with setup.start() as certgate:
        for identity in (revoked, expired, stranger, None):
            with setup.client(certgate, identity) as client:
                assert client.get("/").status == 403
        records = certgate.records(4)
    by_name = {record.get("cert_subject"): record for record in records}
    assert by_name["CN=stolen"]["cert_verdict"] == "revoked"
    assert "expired" in by_name["CN=old"]["cert_reason"]
    assert by_name["CN=mallory"]["cert_reason"]
    assert by_name["CN=old"]["cert_verdict"] != "verified" != by_name["CN=mallory"]["cert_verdict"]
    assert by_name[None]["cert_verdict"] == "none"
    assert {record["rule"] for record in records} == {"valid certificates only"}
    assert {record["action"] for record in records} == {"blocked"}


def silent(connection):
    proxy.read_head(connection)


def test_every_refusal_leaves_exactly_one_record_with_its_reason(setup):
    alice = setup.ca.issue("alice")
    dead = proxy.RawOrigin(silent)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
        config = setup.config(limits={"header_bytes": "4KiB", "body_bytes": "1KiB",
                                      "uri_bytes": "512B"})
        config["timeouts"].update({"header": "300ms", "origin_connect": "2s"})
        config["origins"]["dead"] = {"servers": [dead.url]}
        config["origins"]["nobody"] = {"servers": [nobody]}
        config["hosts"][0]["routes"] = [{"path": "/dead", "origin": "dead"},
                                        {"path": "/nobody", "origin": "nobody"}]
        cases = [
            (b"GET / HTTP/1.1\r\n\r\n", 400),                                   # no Host
            (b"GET / HTTP/1.1\r\nHost: api.example.com\r\nHost: b\r\n\r\n", 400),
            (b"GET /#x HTTP/1.1\r\nHost: api.example.com\r\n\r\n", 400),
            (b"nonsense\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: unknown.example.net\r\n\r\n", 421),
            (b"GET /" + b"x" * 600 + b" HTTP/1.1\r\nHost: api.example.com\r\n\r\n", 414),
            (b"GET / HTTP/1.1\r\nHost: api.example.com\r\nX: " + b"y" * 5000 + b"\r\n\r\n", 431),
            (b"POST / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 2000\r\n\r\n", 413),
            (b"GET /dead HTTP/1.1\r\nHost: api.example.com\r\n\r\n", 502),
            (b"GET /nobody HTTP/1.1\r\nHost: api.example.com\r\n\r\n", None),   # 502 or 503
            (b"GET /%c0%ae HTTP/1.1\r\nHost: api.example.com\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: api", 408),                               # never finished
        ]
        with setup.start(config) as certgate:
            for number, (request, status) in enumerate(cases, 1):
                with setup.client(certgate, alice) as client:
                    client.send(request)
                    answer = client.read_response().status
                    assert answer == status or (status is None and answer in (502, 503)), request
                records = certgate.records(number)
                assert len(records) == number, request
                assert records[-1]["status"] == answer, request
                assert records[-1]["failure"], request
                # Whoever it is has been asked and judged in the handshake.
                assert records[-1]["cert_verdict"] == "verified", request
                assert records[-1]["cert_subject"] == "CN=alice", request
            assert "/#x" in [record.get("failure_detail") for record in records]
            reasons = [record["failure"] for record in records]
            page = (pathlib.Path(__file__).parents[2] / "docs/operations.md").read_text()
            assert {reason for reason in reasons if f"`{reason}`" not in page} == set()
            # Distinguishable: what is different is called differently.
            assert len(set(reasons)) >= 9, reasons
            # A connection that says nothing leaves no request record.
            setup.client(certgate, alice).close()
            with setup.client(certgate, alice) as client:
                client.get("/last")
            certgate.records(1, path="/last")
            assert len(certgate.records(event="request")) == len(cases) + 1
    dead.close()


def test_a_client_that_goes_away_is_recorded(tmp_path):
    asked = proxy.threading.Event()

    def respond(handler, _):
        asked.set()
        time.sleep(0.2)
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with proxy.Origin(respond) as origin:
        setup = proxy.Setup(tmp_path, origin)
        alice = setup.ca.issue("alice")
        with setup.start() as certgate:
            client = setup.client(certgate, alice)
            client.send("GET /gone HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
            assert asked.wait(proxy.PATIENCE)
            client.tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            certgate.records(1, path="/gone")
            with setup.client(certgate, alice) as other:
                assert other.get("/").status == 200


def test_failed_handshakes_are_recorded_with_the_certificate(setup):
    stranger = proxy.Authority(setup.folder, "Other CA").issue("mallory")
    expired = setup.ca.issue("old", valid_from=proxy.now() - datetime.timedelta(days=9),
                             valid_for=datetime.timedelta(days=2))
    with setup.start(hosts=[setup.host(mode="require")]) as certgate:
        def refused(identity, **options):
            try:
                with setup.client(certgate, identity, **options) as client:
                    assert client.tls.recv(1) == b""
            except OSError:
                return

        for number, identity in enumerate((stranger, expired, None), 1):
            refused(identity)
            certgate.records(number, event="handshake_failed")
        refused(None, host="unknown.example.net")
        with socket.create_connection(("127.0.0.1", certgate.port)) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
            while plain.recv(4096):
                pass
        records = certgate.records(5, event="handshake_failed")
        assert not certgate.records(event="request")
    by_name = {record.get("cert_subject"): record for record in records[:3]}
    assert by_name["CN=mallory"]["cert_issuer"] == "CN=Other CA"
    assert by_name["CN=mallory"]["cert_serial"] == stranger.serial
    assert "expired" in json.dumps(by_name["CN=old"])
    for record in records:
        assert record["failure"], record
        assert record["client"] == "127.0.0.1"
    assert len({record["failure"] for record in records}) >= 4, records
    assert any(record.get("sni") == "unknown.example.net" for record in records)


def test_threat_52_nothing_from_a_peer_breaks_a_line(setup):
    hostile = 'x"\n{"time":"forged"}\r\x1b[31m\u202e\\ end'
    mallory = setup.ca.issue("mallory", subject=x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, hostile)]))
    for form in ("json", "text"):
        config = setup.config()
        config["log"]["access"] = {"file": f"{form}.log", "format": form}
        with setup.start(config) as certgate:
            path = setup.folder / f"{form}.log"
            with setup.client(certgate, mallory) as client:
                client.send('GET /%0d%0aforged"<b>\\x?\x27 HTTP/1.1\r\nHost: api.example.com\r\n\r\n')
                client.read_response()
            with setup.client(certgate, mallory) as client:
                assert client.get("/%22%0a%1b[2J%e2%80%ae").status in (400, 403)
            context = proxy.client_context(setup.server_ca)
            context.check_hostname = False
            try:
                setup.client(certgate, context=context, host='a"b.example.com').close()
            except (OSError, ValueError):
                pass
            with setup.client(certgate, mallory) as client:
                client.get("/end")
            proxy.wait_until(lambda: "/end" in path.read_text(errors="replace"), "the last record")
        for name in (f"{form}.log", "certgate.log"):
            data = (setup.folder / name).read_bytes()
            assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", data), name
            for line in data.decode("utf-8").splitlines():
                assert not line.startswith('{"time":"forged"'), line
                if form == "json" and name == "json.log":
                    json.loads(line)


def test_threat_83_no_key_is_ever_logged(setup):
    alice = setup.ca.issue("alice")
    config = setup.config()
    config["log"]["level"] = "debug"
    with setup.start(config) as certgate:
        with setup.client(certgate, alice) as client:
            client.get("/")
        certgate.reload()
        setup.server.key_path.write_text(setup.ca.issue("x").key_path.read_text())
        certgate.reload(good=False)
    key_lines = [line for line in alice.key_path.read_text().splitlines() if "-----" not in line]
    for name in ("certgate.log", "access.log", "stderr.txt"):
        text = (setup.folder / name).read_text()
        assert "PRIVATE KEY" not in text and not any(line in text for line in key_lines)


def test_text_format_holds_the_same_facts(setup):
    alice = setup.ca.issue("alice")
    config = setup.config()
    config["log"]["access"]["format"] = "text"
    with setup.start(config) as certgate:
        with setup.client(certgate, alice) as client:
            assert client.get("/v1/x").status == 200
        with setup.client(certgate) as client:
            assert client.get("/v1/y").status == 403
            client.send("GET / HTTP/1.1\r\nbroken\r\n\r\n")
            assert client.read_response().status == 400
        proxy.wait_until(lambda: certgate.access_path.read_text().count("\n") == 3, "three lines")
        lines = certgate.access_path.read_text().splitlines()
        (first,), (second,), (third,) = ([line for line in lines if status in line]
                                         for status in ('" 200 ', '" 403 ', '" 400 '))
    for fact in ("127.0.0.1", "api.example.com", "GET", "/v1/x", "200", "TLSv1.3", "CN=alice",
                 alice.serial, setup.origin.url):
        assert fact in first, fact
    for fact in ("403", "/v1/y", "valid certificates only"):
        assert fact in second, fact
    assert ' - "-" 400 ' in third, third


def test_sigusr1_opens_the_files_again_after_a_rename(setup):
    alice = setup.ca.issue("alice")
    with setup.start() as certgate, setup.client(certgate, alice) as client:
        client.get("/one")
        certgate.records(1, path="/one")
        for path in (certgate.access_path, certgate.log_path):
            path.rename(path.with_suffix(".1"))
        client.get("/still")
        old = certgate.access_path.with_suffix(".1")
        proxy.wait_until(lambda: "/still" in old.read_text(), "the record in the renamed file")
        certgate.signal(signal.SIGUSR1)
        proxy.wait_until(lambda: "log files opened again" in certgate.log(), "the new log")
        client.get("/two")
        certgate.records(1, path="/two")
        assert "/two" not in old.read_text() and "/one" not in certgate.access_path.read_text()


def test_a_full_disk_costs_records_and_no_requests(setup):
    alice = setup.ca.issue("alice")
    config = setup.config(admin={"address": f"unix:{setup.folder}/admin.sock"})
    config["log"]["access"]["file"] = "/dev/full"
    with setup.start(config) as certgate, setup.client(certgate, alice) as client:
        for number in range(50):
            assert client.get(f"/{number}").status == 200

        def failed_writes():
            metrics = proxy.admin_get(f"{setup.folder}/admin.sock", "/metrics")[1]
            found = re.search(r"^certgate_access_log_write_errors_total (\d+)$", metrics, re.M)
            return found and int(found.group(1)) > 0

        proxy.wait_until(failed_writes, "the counter")
        proxy.wait_until(lambda: "No space left" in certgate.log(), "a word in the log")
        # Told, but not once per record.
        assert certgate.log().count("No space left") < 20
        assert client.get("/after").status == 200
        certgate.reload(setup.config(admin=config["admin"]))
        assert client.get("/healed").status == 200
        certgate.records(1, path="/healed")


def test_every_key_of_a_record_is_documented(setup):
    """Of requests that were allowed, blocked and refused, and of a handshake that failed."""
    page = (pathlib.Path(__file__).parents[2] / "docs/operations.md").read_text()
    known = set(re.findall(r"`(\w+)`", page.split("## Logs")[1].split("\n## ")[0]))
    stranger = proxy.Authority(setup.folder, "Other CA").issue("mallory")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        config = setup.config(
            hosts=[setup.host(), setup.host(["strict.example.com"], mode="require")],
            rules=[{"name": "seen", "expression": "ssl", "action": "log"}, proxy.BLOCK_UNVERIFIED],
            shadow={"rules": [{"name": "all", "expression": "ssl", "action": "block"}]})
        config["origins"]["nobody"] = {"servers": [f"http://127.0.0.1:{probe.getsockname()[1]}"]}
        config["hosts"][0]["routes"] = [{"path": "/nobody", "origin": "nobody"}]
        with setup.start(config) as certgate:
            with setup.client(certgate, setup.ca.issue("alice")) as client:
                assert client.get("/a?b=c", headers=[("User-Agent", "test/1")]).status == 200
                assert client.get("/nobody").status == 502
                assert client.get("/%zz").status == 400
            with setup.client(certgate, stranger) as client:
                assert client.get("/").status == 403
            with pytest.raises(OSError), setup.client(certgate, stranger,
                                                      host="strict.example.com") as client:
                client.get("/")
            certgate.records(1, event="handshake_failed")
            keys = {key for record in certgate.records(5) for key in record}
    assert {"log_rules", "shadow", "alert", "query", "cert_reason", "failure_detail"} <= keys
    assert keys <= known, keys - known
