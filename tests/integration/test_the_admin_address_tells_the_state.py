"""/metrics, /healthz, /readyz and /status, on a unix socket and on loopback TCP."""

import json
import pathlib
import re
import stat
import threading
import time

import proxy


def metric(text, name):
    """Every sample of one metric: labels as text to value."""
    return {labels: float(value) for labels, value in
            re.findall(rf"^{name}({{[^\n]*}})? ([^ \n]+)$", text, re.M)}


def total(text, name, *words):
    return sum(value for labels, value in metric(text, name).items()
               if all(word in labels for word in words))


def free_port():
    with proxy.socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_threat_84_each_answers_on_a_unix_socket_and_on_tcp(setup):
    alice = setup.ca.issue("alice")
    unix, port = setup.folder / "admin.sock", free_port()
    for written, address in ((f"unix:{unix}", unix), (f"127.0.0.1:{port}", port)):
        with setup.start(admin={"address": written}) as certgate:
            with setup.client(certgate, alice) as client:
                assert client.get("/").status == 200
            assert proxy.admin_get(address, "/healthz")[:2] == (200, "ok\n")
            assert proxy.admin_get(address, "/readyz")[:2] == (200, "ready\n")
            status, body, content_type = proxy.admin_get(address, "/status")
            assert status == 200 and content_type == "application/json"
            state = json.loads(body)
            assert state["version"] == 1 and state["ready"] is True
            assert state["listeners"] == [f"127.0.0.1:{certgate.port}"]
            status, body, content_type = proxy.admin_get(address, "/metrics")
            assert status == 200 and content_type.startswith("text/plain")
            assert "certgate_config_version 1" in body
            # Exact routes and methods: nothing else is there.
            for path in ("/", "/metrics/", "/metricsx", "/../metrics", "/STATUS"):
                assert proxy.admin_get(address, path)[0] in (400, 404), path
            assert proxy.admin_get(address, "/reload")[0] == 405
            assert proxy.admin_get(address, "/metrics", method="DELETE")[0] == 405
            # A page that a browser was made to open is no operator.
            if address == port:
                assert proxy.admin_get(address, "/status", headers={"Host": "evil.example"})[0] \
                    in (400, 403, 421)
        if address == unix:
            assert not unix.exists()


def test_every_metric_is_documented_with_its_labels_and_nothing_else_is(setup):
    page = (pathlib.Path(__file__).parents[2] / "docs/operations.md").read_text()
    table = page.split("### Every metric")[1].split("\n## ")[0]
    unix = setup.folder / "admin.sock"
    alice = setup.ca.issue("alice")
    shadow = {"rules": [{"name": "s", "action": "block", "expression": "ssl"}]}
    with setup.start(admin={"address": f"unix:{unix}"}, shadow=shadow) as certgate:
        with setup.client(certgate, alice) as client:
            assert client.get("/").status == 200
        text = proxy.admin_get(unix, "/metrics")[1]
    offered = set(re.findall(r"^# TYPE (\w+) ", text, re.M))
    assert offered == set(re.findall(r"`((?:certgate|process)_\w+)`", table))
    reasons = set(re.findall(r'^certgate_failures_total{reason="(\w+)"}', text, re.M)) - {"other"}
    rows = page.split("| `failure` | status |")[1].split("\n\n")[0].splitlines()[2:]
    assert reasons == {token for row in rows for token in re.findall(r"`(\w+)`", row.split("|")[1])}
    for row in table.splitlines():
        names = re.findall(r"`((?:certgate|process)_\w+)`", row)
        labels = set(re.findall(r"`(\w+)`", row.split("|")[2])) if names else set()
        for name in names:
            seen = {label for sample in metric(text, name) for label in re.findall(r"[{,](\w+)=\"", sample)}
            assert seen <= labels, (name, seen, labels)


def test_the_state_of_origins_reloads_and_the_process_can_be_watched(setup):
    with proxy.socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        config = setup.config(rules=[], admin={"address": f"unix:{setup.folder}/admin.sock"})
        dead = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        config["origins"]["dead"] = {"servers": [dead], "health": {"eject_after": 1, "eject_for": "1d"}}
        config["hosts"][0]["routes"] = [{"path": "/dead", "origin": "dead"}]

        def read(name):
            return metric(proxy.admin_get(setup.folder / "admin.sock", "/metrics")[1], name)

        with setup.start(config) as certgate:
            assert set(read("certgate_origin_server_up").values()) == {1}
            with setup.client(certgate) as client:
                client.get("/dead")
            assert {"dead" in labels: value for labels, value in
                    read("certgate_origin_server_up").items()} == {True: 0, False: 1}
            certgate.reload(config)
            certgate.reload({"hosts": 1}, good=False)
            certgate.write_config(config)
            assert read("certgate_reloads_total") == {'{result="ok"}': 1, '{result="refused"}': 1}
            fds = len(list(pathlib.Path(f"/proc/{certgate.process.pid}/fd").iterdir()))
            assert abs(read("process_open_fds")[""] - fds) <= 4
            assert read("process_max_fds")[""] >= fds
            assert abs(read("process_start_time_seconds")[""] - proxy.time.time()) < 3600
            assert read("process_cpu_seconds_total")[""] > 0
            assert read("process_resident_memory_bytes")[""] > 1_000_000


def test_threat_84_the_socket_is_private(setup):
    unix = setup.folder / "admin.sock"
    with setup.start(admin={"address": f"unix:{unix}"}):
        assert stat.S_ISSOCK(unix.stat().st_mode)
        assert not unix.stat().st_mode & 0o007


def test_log_rules_and_shadow_rules_are_counted_and_change_nothing(setup):
    alice = setup.ca.issue("alice")
    unix = setup.folder / "admin.sock"
    rules = [{"name": "watch tea", "action": "log",
              "expression": 'http.request.uri.path eq "/tea"'}, dict(proxy.BLOCK_UNVERIFIED)]
    shadow = {"rules": [{"name": "no a", "action": "block",
                         "expression": 'http.request.uri.path eq "/a"'}]}
    with setup.start(admin={"address": f"unix:{unix}"}, rules=rules, shadow=shadow) as certgate:
        with setup.client(certgate, alice) as client:
            for path in ("/a", "/tea", "/tea", "/b"):
                assert client.get(path).status == 200
        with setup.client(certgate, None) as client:
            assert client.get("/b").status == 403
        records = {(each["path"], each["action"]): each for each in certgate.records(5)}
        assert records["/a", "allowed"]["shadow"] == "block by no a"
        assert records["/tea", "allowed"]["log_rules"] == ["watch tea"]
        assert "shadow" not in records["/b", "allowed"]
        # What only the shadow rules let pass is a difference as well.
        assert records["/b", "blocked"]["shadow"] == "allow"
        text = proxy.admin_get(unix, "/metrics")[1]
        assert total(text, "certgate_shadow_differences_total") == 2, text
        assert total(text, "certgate_rule_matches_total", "watch tea") == 2


def test_metrics_count_what_the_access_log_records(setup):
    alice, mallory = setup.ca.issue("alice"), setup.ca.issue("mallory")
    setup.ca.revoke(mallory)
    unix = setup.folder / "admin.sock"
    with setup.start(admin={"address": f"unix:{unix}"}) as certgate:
        with setup.client(certgate, alice) as client:
            for _ in range(3):
                assert client.get("/").status == 200
            text = proxy.admin_get(unix, "/metrics")[1]
            assert total(text, "certgate_open_connections") == 1, text
        for identity in (mallory, None):
            with setup.client(certgate, identity) as client:
                assert client.get("/").status == 403
        with proxy.socket.create_connection(("127.0.0.1", certgate.port)) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while plain.recv(4096):
                pass
        certgate.records(5, event="request")
        certgate.records(1, event="handshake_failed")
        text = proxy.admin_get(unix, "/metrics")[1]
        assert total(text, "certgate_requests_total") == 5, text
        assert total(text, "certgate_requests_total", 'action="allowed"') == 3
        assert total(text, "certgate_requests_total", 'action="blocked"') == 2
        assert total(text, "certgate_requests_total", 'cert="revoked"') == 1
        assert total(text, "certgate_rule_matches_total", "valid certificates only") == 2
        assert total(text, "certgate_handshakes_total", "full") == 3
        assert total(text, "certgate_handshakes_total") == 4
        assert metric(text, "certgate_request_duration_seconds_count")
        days = metric(text, "certgate_expiry_days")
        assert len(days) == 3  # certificate, CA, CRL
        assert 29 < total(text, "certgate_expiry_days", "server_certificate") <= 30
        proxy.wait_until(lambda: total(proxy.admin_get(unix, "/metrics")[1],
                                       "certgate_open_connections") == 0, "closed connections")
        # Every metric says what it is, once.
        for name in re.findall(r"^# TYPE (\S+)", text, re.M):
            assert len(re.findall(rf"^# HELP {name} \S", text, re.M)) == 1, name
            assert len(re.findall(rf"^# TYPE {name} ", text, re.M)) == 1, name
        certgate.reload()
        text = proxy.admin_get(unix, "/metrics")[1]
        assert "certgate_config_version 2" in text
        assert total(text, "certgate_requests_total") == 5  # counters live on across reloads


def test_it_answers_while_reloads_run(setup):
    unix = setup.folder / "admin.sock"
    with setup.start(admin={"address": f"unix:{unix}"}) as certgate:
        done = []
        threads = [threading.Thread(target=lambda: done.append(
            proxy.admin_get(unix, "/reload", method="POST"))) for _ in range(5)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            assert proxy.admin_get(unix, "/healthz")[0] == 200
        for thread in threads:
            thread.join(proxy.PATIENCE)
        assert [answer[0] for answer in done] == [200] * 5
        assert json.loads(proxy.admin_get(unix, "/status")[1])["version"] == 6
        assert certgate.log().count("reloaded: ") == 5


def test_an_address_in_use_or_not_loopback_refuses_the_start(setup):
    with proxy.socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        certgate = proxy.Certgate(setup.folder, setup.config(
            admin={"address": f"127.0.0.1:{port}"}), wait=False)
        assert certgate.process.wait(proxy.PATIENCE) == 2
        assert re.search(r"certgate\.yaml:\d+:\d+: ", certgate.stderr()), certgate.stderr()
        assert str(port) in certgate.stderr()
    certgate = proxy.Certgate(setup.folder, setup.config(admin={"address": "0.0.0.0:0"}), wait=False)
    assert certgate.process.wait(proxy.PATIENCE) == 2
    assert "loopback" in certgate.stderr()


def test_an_address_that_cannot_be_had_is_told_with_the_way_out(setup):
    (setup.folder / "note").write_text("not a socket")
    for change, complaint, hint in (
            ({"admin": {"address": f"unix:{setup.folder}/no/admin.sock"}}, "No such file or directory",
             "hint: the socket's folder must be there"),
            ({"admin": {"address": f"unix:{setup.folder}/note"}}, "a file that is not a socket",
             "hint: choose another address"),
            ({"listeners": [{"address": "192.0.2.77:8443"}]}, "this machine has no such address",
             "hint: `ip address` lists")):
        certgate = proxy.Certgate(setup.folder, setup.config(**change), wait=False)
        assert certgate.process.wait(proxy.PATIENCE) == 2
        certgate.errors.close()
        assert complaint in certgate.stderr() and hint in certgate.stderr(), certgate.stderr()


def histogram(text, name):
    """Bounds in seconds to counts, the sum and the count of one histogram without labels."""
    buckets = {float(bound.replace("+Inf", "inf")): float(value) for bound, value in
               re.findall(rf'^{name}_bucket{{le="([^"]+)"}} (\S+)$', text, re.M)}
    (total_seconds,), (count,) = (metric(text, f"{name}_{part}").values() for part in ("sum", "count"))
    return buckets, total_seconds, count


def test_latencies_are_counted_in_seconds_and_agree_with_the_access_log(setup):
    alice = setup.ca.issue("alice")
    unix = setup.folder / "admin.sock"
    held, arrived = threading.Event(), threading.Event()

    def respond(handler, request):
        if request.path == "/held":
            arrived.set()
            held.wait(proxy.PATIENCE)
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with proxy.Origin(respond) as origin:
        setup.origin = origin
        with setup.start(admin={"address": f"unix:{unix}"}) as certgate, \
                setup.client(certgate, alice) as client:
            for _ in range(9):
                assert client.get("/").status == 200
            client.send("GET /held HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
            assert arrived.wait(proxy.PATIENCE)
            # What takes long is not the machine's doing: the origin holds the request for that time.
            begin = time.monotonic()
            threading.Timer(0.6, held.set).start()
            assert client.read_response().status == 200
            waited = time.monotonic() - begin
            records = certgate.records(10, event="request")
            text = proxy.admin_get(unix, "/metrics")[1]
            assert "# TYPE certgate_request_duration_seconds histogram" in text
            buckets, seconds, count = histogram(text, "certgate_request_duration_seconds")
            assert count == len(records) == 10
            bounds = sorted(buckets)
            assert bounds[-1] == float("inf") and buckets[bounds[-1]] == count
            assert [buckets[bound] for bound in bounds] == sorted(buckets.values())  # cumulative
            logged = [record["total_us"] for record in records]
            for bound in bounds:
                assert buckets[bound] == sum(value <= bound * 1e6 for value in logged), (bound, text)
            assert round(seconds * 1e6) == sum(logged), (seconds, logged)
            assert 0.5 < max(logged) / 1e6 < waited + 5 and buckets[0.5] <= 9
            _, origin_seconds, origin_count = histogram(text, "certgate_origin_duration_seconds")
            assert origin_count == 10 and 0.5 < origin_seconds <= seconds
            assert round(origin_seconds * 1e6) == sum(record["origin_us"] for record in records)
            _, handshake_seconds, handshakes = histogram(text, "certgate_handshake_duration_seconds")
            assert handshakes == 1
            assert {round(handshake_seconds * 1e6)} == {record["handshake_us"] for record in records
                                                     if "handshake_us" in record}
