"""Timeouts with their status and reason, and every way in which a peer can break off."""

import select
import socket
import ssl
import struct
import threading
import time

import pytest

import proxy
import wire

HEAD = "Host: api.example.com\r\n"


def reset(connection):
    """Ends a TCP connection with a reset."""
    raw = connection if not isinstance(connection, ssl.SSLSocket) else connection
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


class Moody(wire.WireOrigin):
    """Behaves as the target says."""

    def __init__(self):
        self.release = threading.Event()
        super().__init__(self.answer)

    def answer(self, request, connection):
        path = request.target.split("?")[0]
        if path == "/never":
            self.release.wait(proxy.PATIENCE)
            return False
        if path == "/stalls":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            self.release.wait(proxy.PATIENCE)
            return False
        if path == "/half-head":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
            self.release.wait(proxy.PATIENCE)
            return False
        if path == "/trickles":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
            for _ in range(8):
                connection.sendall(b"x")
                time.sleep(0.2)  # slower than the timeout in all, never silent for as long
            return None if False else b""
        if path == "/dies":
            return False
        if path == "/resets":
            reset(connection)
            return False
        if path == "/resets-in-body":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            reset(connection)
            return False
        if path == "/big":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n")
            connection.sendall(b"z" * 4_000_000)
            return b""
        return None


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    with Moody() as origin:
        setup = proxy.Setup(tmp_path_factory.mktemp("gate"), origin)
        timeouts = {"handshake": "700ms", "header": "700ms", "body": "700ms", "keep_alive": "700ms",
                    "origin_connect": "700ms", "origin_response": "700ms", "drain": "1s"}
        with setup.start(rules=[], timeouts=timeouts, limits={"body_rate": "0B"}) as certgate:
            setup.certgate = certgate
            yield setup
            origin.release.set()


def failures(gate, path, count=1):
    return [r.get("failure") for r in gate.certgate.records(count, path=path)]


def test_threat_75_a_silent_handshake_is_ended(gate):
    with socket.create_connection(("127.0.0.1", gate.certgate.port), proxy.PATIENCE) as silent:
        assert silent.recv(10) == b""


def test_threat_75_a_slow_handshake_is_ended(gate):
    """Bytes that keep coming do not extend the deadline."""
    with socket.create_connection(("127.0.0.1", gate.certgate.port), proxy.PATIENCE) as slow:
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500
        began = time.monotonic()
        with pytest.raises(OSError):
            for byte in hello:
                slow.sendall(bytes([byte]))
                slow.settimeout(0.1)
                try:
                    if not slow.recv(10):
                        raise ConnectionError
                except TimeoutError:
                    pass
        assert time.monotonic() - began < proxy.PATIENCE


def test_threat_75_a_connection_without_a_request_is_ended(gate):
    with gate.client(gate.certgate) as client:
        assert client.read_until_close() == b""


def test_threat_75_slow_fields_get_408(gate):
    """Slowloris: a byte now and then does not extend the deadline of the head."""
    with gate.client(gate.certgate) as client:
        client.send(f"GET /slow HTTP/1.1\r\n{HEAD}X-A: ")
        assert wire.status_of(client.drip("x", every=0.1)) == 408
    assert gate.certgate.records(1, status=408)[-1]["failure"] == "header_timeout"


def test_an_idle_kept_connection_is_ended_quietly(gate):
    with gate.client(gate.certgate) as client:
        assert client.get("/once").status == 200
        assert client.read_until_close() == b""


def test_threat_75_a_body_that_stops_gets_408(gate):
    with gate.client(gate.certgate) as client:
        client.send(f"POST /body-stops HTTP/1.1\r\n{HEAD}Content-Length: 10\r\n\r\nhalf")
        assert wire.status_of(client.read_until_close()) == 408
    assert failures(gate, "/body-stops") == ["body_timeout"]


def test_threat_75_a_body_of_a_byte_now_and_then_gets_408(gate):
    """Never silent for as long as timeouts.body, and ended all the same; body_rate: 0 lets it go on."""
    with gate.start(rules=[], timeouts={"body": "700ms"}, limits={"body_rate": "1KiB"}) as strict:
        with gate.client(strict) as client:
            client.send(f"POST /drips HTTP/1.1\r\n{HEAD}Content-Length: 1000000\r\n\r\n")
            assert wire.status_of(client.drip("x", every=0.05)) == 408
        record = strict.records(1, path="/drips")[0]
        assert record["failure"] == "body_timeout" and record["total_us"] > 700_000


def test_a_body_may_be_slow_as_long_as_it_goes_on(gate):
    with gate.client(gate.certgate) as client:
        client.send(f"POST /slow-body HTTP/1.1\r\n{HEAD}Content-Length: 8\r\n\r\n")
        for _ in range(8):
            client.send("x")
            time.sleep(0.15)  # 1.2 s in all, never silent for 700 ms
        assert client.read_response().status == 200


def test_an_origin_that_never_answers_gets_504(gate):
    with gate.client(gate.certgate) as client:
        assert client.get("/never").status == 504
        assert client.get("/half-head").status == 504
        assert client.get("/fine").status == 200
    assert failures(gate, "/never") == ["origin_timeout"]


def test_an_origin_that_stalls_in_its_body_is_cut(gate):
    with gate.client(gate.certgate) as client:
        client.send(f"GET /stalls HTTP/1.1\r\n{HEAD}\r\n")
        data = client.read_until_close()
        assert data.endswith(b"\r\n\r\nhalf")
    assert failures(gate, "/stalls") == ["origin_timeout"]


def test_an_origin_that_trickles_is_not(gate):
    with gate.client(gate.certgate) as client:
        assert client.get("/trickles").body == b"x" * 8


def test_an_origin_that_cannot_be_reached_in_time_gets_504(tmp_path):
    """A listener whose backlog is full lets nobody in."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        setup = proxy.Setup(tmp_path, wire.WireOrigin())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        config = setup.config(rules=[], origins={"api": {"servers": [url]}},
                              timeouts={"origin_connect": "300ms", "origin_response": "300ms"})
        with setup.start(config) as certgate, setup.client(certgate) as client:
            assert client.get("/").status == 504
            assert certgate.records(1)[0]["failure"] == "origin_connect_timeout"
        for filler in fillers:
            filler.close()
        setup.origin.close()


def test_a_tls_origin_that_says_nothing_gets_504(tmp_path):
    release = threading.Event()
    mute = proxy.RawOrigin(lambda _: release.wait(proxy.PATIENCE))
    setup = proxy.Setup(tmp_path, mute)
    origins = {"api": {"servers": [f"https://127.0.0.1:{mute.port}"], "tls": {"verify": False}}}
    with setup.start(rules=[], origins=origins, timeouts={"origin_connect": "300ms"}) as certgate:
        with setup.client(certgate) as client:
            assert client.get("/").status == 504
            assert certgate.records(1)[0]["failure"] == "origin_connect_timeout"
    release.set()
    mute.close()


def test_a_client_that_does_not_read_is_cut_off(gate):
    context = proxy.client_context(gate.server_ca)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", gate.certgate.port))
    with context.wrap_socket(raw, server_hostname="api.example.com") as tls:
        tls.sendall(f"GET /big?slow HTTP/1.1\r\n{HEAD}\r\n".encode())
        record = gate.certgate.records(1, path="/big", query="slow")
        assert [r["failure"] for r in record] == ["client_too_slow"]


def test_an_origin_that_does_not_read_is_cut_off(tmp_path):
    release = threading.Event()

    def deaf(connection):
        proxy.read_head(connection)
        release.wait(proxy.PATIENCE)

    origin = proxy.RawOrigin(deaf)
    setup = proxy.Setup(tmp_path, origin)
    timeouts = {"body": "500ms", "origin_response": "500ms", "drain": "1s"}
    with setup.start(rules=[], timeouts=timeouts) as certgate, setup.client(certgate) as client:
        client.send(f"POST / HTTP/1.1\r\n{HEAD}Content-Length: 1000000000\r\n\r\n")
        assert wire.status_of(flood_until_answered(client.tls)) == 504
        assert certgate.records(1)[0]["failure"] == "origin_timeout"
    release.set()
    origin.close()


def flood_until_answered(tls):
    """Sends as much as is taken. One thread does both: a TLS object is not for two at a time."""
    tls.setblocking(False)
    piece = b"x" * 16_000
    end = time.monotonic() + proxy.PATIENCE
    while time.monotonic() < end:
        try:
            return tls.recv(4096)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            tls.send(piece)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            select.select([tls], [tls], [], 0.05)
    raise AssertionError("no answer")


@pytest.mark.parametrize("path, status, failure", [
    ("/dies", 502, "origin_closed"),
    ("/resets", 502, "origin_closed"),
])
def test_threat_79_an_origin_killed_before_its_answer(gate, path, status, failure):
    with gate.client(gate.certgate) as client:
        assert client.get(path, method="POST", body=b"x").status == status
        assert client.get("/fine").status == 200
    assert failures(gate, path) == [failure]


@pytest.mark.parametrize("ends", ["closed", "reset"])
@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_threat_79_an_origin_killed_within_the_upload(tmp_path, ends, framing):
    """The client, who has more to send and is waiting, is not to blame: 502, and the server counts
    as one that fails."""
    def dies(connection):
        _, body = proxy.read_head(connection)
        while b"half" not in body:
            body += connection.recv(4096)
        if ends == "reset":
            reset(connection)

    origin = proxy.RawOrigin(dies)
    setup = proxy.Setup(tmp_path, origin)
    origins = {"api": {"servers": [origin.url], "health": {"eject_after": 1, "eject_for": "1h"}}}
    admin = setup.folder / "admin.sock"
    with setup.start(rules=[], origins=origins, admin={"address": f"unix:{admin}"}) as certgate:
        with setup.client(certgate) as client:
            client.send(f"POST /dies HTTP/1.1\r\n{HEAD}{framing}\r\n\r\n")
            client.send("half" if "Length" in framing else "4\r\nhalf\r\n")
            assert client.read_response().status == 502
        (record,) = certgate.records(1)
        assert record["failure"] == "origin_closed"
        metrics = proxy.admin_get(admin, "/metrics")[1]
        assert "certgate_origin_server_up{" in metrics
        assert [line for line in metrics.splitlines()
                if line.startswith("certgate_origin_server_up{") and line.endswith(" 0")], metrics
    origin.close()


def test_threat_79_an_origin_killed_within_its_answer(gate):
    with gate.client(gate.certgate) as client:
        client.send(f"GET /resets-in-body HTTP/1.1\r\n{HEAD}\r\n")
        client.tls.suppress_ragged_eofs = False
        with pytest.raises(OSError):
            while client.tls.recv(4096):
                pass
    assert failures(gate, "/resets-in-body") in (["connection_lost"], ["truncated_body"])


PHASES = {
    "before the handshake": None,
    "after the handshake": b"",
    "within the request line": b"GET /reset",
    "within the fields": b"GET /reset HTTP/1.1\r\nHost: api.exa",
    "waiting for the answer": b"GET /never HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
    "within its body": b"POST /reset HTTP/1.1\r\nHost: api.example.com\r\n"
                       b"Content-Length: 100\r\n\r\nhalf",
    "within a chunk": b"POST /reset HTTP/1.1\r\nHost: api.example.com\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n10\r\nhalf",
    "waiting for 100": b"POST /reset HTTP/1.1\r\nHost: api.example.com\r\nExpect: 100-continue\r\n"
                       b"Content-Length: 100\r\n\r\n",
    "within the answer": b"GET /big HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
    "within a stalled answer": b"GET /stalls HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
    "with requests waiting": b"GET /never HTTP/1.1\r\nHost: api.example.com\r\n\r\n" * 5,
    "lingering after a refusal": b"POST /x HTTP/1.1\r\nHost: unknown.test\r\n"
                                 b"Content-Length: 1000000\r\n\r\nx",
}


@pytest.mark.parametrize("how", ["reset", "end of TCP", "end of TLS"])
@pytest.mark.parametrize("phase", PHASES)
def test_threat_79_a_client_breaks_off(gate, phase, how):
    """Nothing leaks and nobody else is hurt: the next client is served as ever."""
    data = PHASES[phase]
    if data is None:
        connection = socket.create_connection(("127.0.0.1", gate.certgate.port), proxy.PATIENCE)
        connection.sendall(b"\x16\x03\x01")
    else:
        connection = gate.client(gate.certgate).tls
        connection.sendall(data) if data else None
        if phase.startswith("within") and "answer" in phase:
            connection.recv(10)
    if how == "reset":
        reset(connection)
    elif how == "end of TLS" and isinstance(connection, ssl.SSLSocket):
        connection.settimeout(0.05)
        try:
            connection.unwrap()
        except OSError:
            pass
        connection.close()
    else:
        connection.shutdown(socket.SHUT_WR)
        connection.close()
    with gate.client(gate.certgate) as client:
        assert client.get("/fine").status == 200


def test_threat_79_afterwards_everything_is_given_back(gate):
    """The connections of all the tests above have ended, with the daemon none the worse."""

    def open_sockets():
        folder = f"/proc/{gate.certgate.process.pid}/fd"
        count = 0
        for name in proxy.os.listdir(folder):
            try:
                count += proxy.os.readlink(f"{folder}/{name}").startswith("socket:")
            except OSError:
                pass
        return count

    # What stays: the listeners and the kept connections to the origin.
    gate.origin.release.set()
    proxy.wait_until(lambda: open_sockets() <= 12, "the sockets to be closed")
