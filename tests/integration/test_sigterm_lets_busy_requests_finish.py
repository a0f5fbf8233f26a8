"""SIGTERM: no new connection, idle ones close, busy requests finish, tunnels are cut at the deadline."""

import json
import signal
import socket
import threading
import time
import types

import proxy
from test_a_reload_takes_over_every_kind_of_change import echo, open_tunnel, tunnel_origin


def slow_origin():
    asked, answer = threading.Event(), threading.Event()

    def respond(handler, recorded):
        if recorded.path == "/slow":
            asked.set()
            answer.wait(proxy.PATIENCE)
        handler.send_response(200)
        handler.send_header("Content-Length", "4")
        handler.end_headers()
        handler.wfile.write(b"done")

    return proxy.Origin(respond), asked, answer


def test_a_busy_request_finishes_and_idle_connections_close(tmp_path):
    origin, asked, answer = slow_origin()
    with origin:
        setup = proxy.Setup(tmp_path, origin)
        alice = setup.ca.issue("alice")
        unix = setup.folder / "admin.sock"
        config = setup.config(admin={"address": f"unix:{unix}"}, timeouts={"drain": "60s"})
        certgate = setup.start(config)
        with certgate, setup.client(certgate, alice) as busy, \
                setup.client(certgate, alice) as idle, setup.client(certgate, alice) as silent:
            assert idle.get("/").status == 200
            busy.send("GET /slow HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
            assert asked.wait(proxy.PATIENCE)
            certgate.signal(signal.SIGTERM)
            assert idle.read_until_close() == b""
            assert silent.read_until_close() == b""
            # Soon nobody is accepted any more, by no worker; the state says so while the busy one is
            # waited for.
            def refused():
                try:
                    socket.create_connection(("127.0.0.1", certgate.port), proxy.PATIENCE).close()
                except ConnectionError:
                    return True
                return False

            proxy.wait_until(refused, "the last worker to stop accepting")
            assert proxy.admin_get(unix, "/readyz")[0] == 503
            assert proxy.admin_get(unix, "/healthz")[0] == 200
            assert json.loads(proxy.admin_get(unix, "/status")[1])["draining"] is True
            assert certgate.process.poll() is None
            answer.set()
            response = busy.read_response()
            assert (response.status, response.body) == (200, b"done")
            assert (response.getheader("Connection") or "").lower() == "close"
            assert busy.read_until_close() == b""
            assert certgate.process.wait(proxy.PATIENCE) == 0
        assert len(certgate.records(path="/slow", status=200)) == 1
        assert not unix.exists()


def test_a_tunnel_goes_on_until_the_deadline_and_is_cut_then(tmp_path):
    origin = tunnel_origin()
    setup = proxy.Setup(tmp_path, origin)
    alice = setup.ca.issue("alice")
    certgate = setup.start(timeouts={"drain": "1s"})
    with certgate, setup.client(certgate, alice) as client:
        open_tunnel(client)
        echo(client, b"before")
        certgate.signal(signal.SIGTERM)
        proxy.wait_until(lambda: "draining" in certgate.log(), "draining")
        echo(client, b"while draining")
        assert client.read_until_close() == b""
        assert certgate.process.wait(proxy.PATIENCE) == 0
    record, = certgate.records(path="/socket")
    assert record["failure"] == "shutting_down"
    origin.close()


def test_a_request_that_never_ends_is_cut_at_the_deadline(tmp_path):
    origin, asked, answer = slow_origin()
    with origin:
        setup = proxy.Setup(tmp_path, origin)
        alice = setup.ca.issue("alice")
        certgate = setup.start(timeouts={"drain": "300ms"})
        with certgate, setup.client(certgate, alice) as client:
            client.send("GET /slow HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
            assert asked.wait(proxy.PATIENCE)
            certgate.signal(signal.SIGINT)
            assert client.read_response().status == 503
            assert client.read_until_close() == b""
            assert certgate.process.wait(proxy.PATIENCE) == 0
        answer.set()
        record, = certgate.records(path="/slow")
        assert record["failure"] == "shutting_down"


def test_ready_and_stopping_are_told_to_systemd(setup):
    path = setup.folder / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(proxy.PATIENCE)
        certgate = proxy.Certgate(setup.folder, setup.config(),
                                  environment={"NOTIFY_SOCKET": str(path)})
        with certgate:
            assert b"READY=1" in notify.recv(4096)
            with setup.client(certgate) as client:  # ready means: it accepts
                assert client.get("/").status == 403
            certgate.reload()
            reloading, ready = notify.recv(4096), notify.recv(4096)
            assert b"RELOADING=1" in reloading and b"MONOTONIC_USEC=" in reloading
            assert b"READY=1" in ready and b"version 2" in ready
            certgate.reload("broken: [", good=False)
            notify.recv(4096)
            assert b"refused" in notify.recv(4096)
            certgate.signal(signal.SIGTERM)
            assert b"STOPPING=1" in notify.recv(4096)


def test_a_start_that_fails_says_why_and_ends_with_2(setup):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        certgate = proxy.Certgate(setup.folder, setup.config(
            listeners=[{"address": f"127.0.0.1:{port}"}]), wait=False)
        assert certgate.process.wait(proxy.PATIENCE) == 2
    text = certgate.stderr()
    assert f"127.0.0.1:{port}" in text and "in use" in text and "hint: " in text, text
    begin = time.monotonic()
    done = proxy.run("run", "--config", setup.folder / "nowhere.yaml", status=2)
    assert "nowhere.yaml" in done.stderr and time.monotonic() - begin < proxy.PATIENCE


def test_an_origin_that_cannot_be_connected_holds_nobody_up(tmp_path):
    """The drain's deadline ends the wait for a connection too."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        setup = proxy.Setup(tmp_path)
        origins = {"api": {"servers": [f"http://127.0.0.1:{full.getsockname()[1]}"]}}
        timeouts = {"origin_connect": "1h", "drain": "200ms"}
        config = {"origins": origins, "rules": [], "timeouts": timeouts, "workers": 1}
        setup.origin = types.SimpleNamespace(url="http://127.0.0.1:1")
        with setup.start(**config) as certgate, setup.client(certgate) as client:
            client.send("GET /held HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
            with setup.client(certgate) as other:  # the one worker has turned to the first by then
                assert other.get("/", host="unknown.test").status == 421
            certgate.stop()
            record, = certgate.records(1, path="/held")
            assert (record["status"], record["failure"]) == (503, "shutting_down")
        for filler in fillers:
            filler.close()
