"""A client that goes away while its origin is at work: noticed at once, recorded as 499, and the
origin's connection is closed. A client that only has nothing more to say gets its answer."""

import contextlib
import pathlib
import select
import socket
import ssl
import struct
import threading

import pytest

import proxy
import tls_peer
import wire

HEAD = "Host: api.example.com\r\n"
LARGE = 32 * 1024 * 1024  # more than the sockets on the way hold


class Thinker(wire.WireOrigin):
    """Answers when it is told to, and notices when its connection ends before that."""

    def __init__(self):
        self.go = threading.Event()
        self.ended = threading.Event()
        super().__init__(self.think)

    def think(self, request, connection):
        path = request.target
        if path == "/quick":
            return None
        if path == "/large":
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE + bytes(LARGE)
        if path.startswith("/interim"):
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        if path.startswith("/begun"):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        if path.startswith("/answers"):
            assert self.go.wait(proxy.PATIENCE)
            return None
        # Nothing more comes of a request but its end: the read tells of it.
        connection.settimeout(proxy.PATIENCE)
        try:
            assert connection.recv(1) == b""
        except ConnectionResetError:
            pass
        self.ended.set()
        return False

    def forget(self):
        self.go.clear()
        self.ended.clear()
        self.clear()


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    with Thinker() as origin:
        setup = proxy.Setup(tmp_path_factory.mktemp("gate"), origin)
        timeouts = {"origin_response": "1h", "body": "1h", "header": "1h", "keep_alive": "1h",
                    "drain": "1s"}
        with setup.start(rules=[], timeouts=timeouts) as certgate:
            setup.certgate = certgate
            yield setup


@pytest.fixture
def origin(gate):
    gate.origin.forget()
    return gate.origin


def leave(client, how):
    raw = client.tls
    if how == "reset":
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif how == "end of TLS and TCP":
        raw.settimeout(0)
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLEOFError):  # no answer, or none yet
            raw.unwrap()
    elif how == "half-close of TCP":
        raw.shutdown(socket.SHUT_WR)
        return
    raw.close()


HOW = ["reset", "end of TCP", "end of TLS and TCP", "half-close of TCP"]
PATHS = {
    "GET": "GET /thinks/{n} HTTP/1.1\r\n" + HEAD + "\r\n",
    "POST": "POST /thinks/{n} HTTP/1.1\r\n" + HEAD + "Content-Length: 4\r\n\r\nbody",
    "chunked": "POST /thinks/{n} HTTP/1.1\r\n" + HEAD
               + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    "interim": "GET /interim/{n} HTTP/1.1\r\n" + HEAD + "\r\n",
}


def only_record(gate, path):
    record, = gate.certgate.records(1, path=path)
    return record


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kind", PATHS)
def test_the_origins_work_ends_with_the_client(gate, origin, kind, how, version):
    name = f"{kind}-{how}-{version}".replace(" ", "-")
    client = gate.client(gate.certgate, version=version)
    client.send(PATHS[kind].format(n=name))
    origin.wait_for(1)
    if kind == "interim":
        assert client.tls.recv(4096).startswith(b"HTTP/1.1 103 ")
    leave(client, how)
    assert origin.ended.wait(proxy.PATIENCE)
    path = ("/interim/" if kind == "interim" else "/thinks/") + name
    record = only_record(gate, path)
    assert (record["status"], record["failure"]) == (499, "client_closed")
    assert record["origin_attempts"] == 1
    client.close()


def test_a_body_sent_in_two_pieces(gate, origin):
    client = gate.client(gate.certgate)
    client.send(f"POST /thinks/pieces HTTP/1.1\r\n{HEAD}Content-Length: 8\r\nExpect: 100-continue\r\n\r\n")
    assert client.tls.recv(4096).startswith(b"HTTP/1.1 100 ")
    client.send("half")
    client.send("body")
    origin.wait_for(1)
    leave(client, "end of TCP")
    assert origin.ended.wait(proxy.PATIENCE)
    assert only_record(gate, "/thinks/pieces")["status"] == 499


def test_within_the_answer(gate, origin):
    client = gate.client(gate.certgate)
    client.send(f"GET /begun HTTP/1.1\r\n{HEAD}\r\n")
    received = b""
    while not received.endswith(b"half"):
        received += client.tls.recv(4096)
    leave(client, "end of TCP")
    assert origin.ended.wait(proxy.PATIENCE)
    record = only_record(gate, "/begun")
    assert (record["status"], record["failure"]) == (200, "client_closed")


def test_a_second_request_is_no_departure(gate, origin):
    """Bytes that arrive while the origin thinks wait their turn, and are answered in order."""
    with gate.client(gate.certgate) as client:
        client.send(f"GET /answers/1 HTTP/1.1\r\n{HEAD}\r\n")
        origin.wait_for(1)
        for piece in (f"GET /answers/2 HTTP/1.1\r\n{HEAD}\r\n", "GET /answers/3 HT",
                      f"TP/1.1\r\n{HEAD}\r\n"):
            client.send(piece)
        origin.go.set()
        for _ in range(3):
            assert client.read_response().body == b"ok"
    assert [request.target for request in origin.requests] == [f"/answers/{n}" for n in (1, 2, 3)]
    for n in (1, 2, 3):
        assert only_record(gate, f"/answers/{n}")["status"] == 200


@pytest.mark.parametrize("more", [1, 8_000])
def test_a_client_that_leaves_behind_a_second_request(gate, origin, more):
    """What it sent last does not hide that it has gone."""
    client = gate.client(gate.certgate)
    client.send(f"GET /thinks/behind-{more} HTTP/1.1\r\n{HEAD}\r\n")
    origin.wait_for(1)
    client.send(f"GET /never HTTP/1.1\r\n{HEAD}X: {'y' * more}\r\n\r\n")
    leave(client, "end of TCP")
    assert origin.ended.wait(proxy.PATIENCE)
    assert only_record(gate, f"/thinks/behind-{more}")["status"] == 499
    assert len(origin.requests) == 1


def ask(gate, origin, connection, path, version):
    context = proxy.client_context(gate.server_ca, version=version)
    client = tls_peer.Memory(context, "api.example.com")
    connection.sendall(client.client_hello())
    client.finish(connection)
    client.tls.write(f"GET {path} HTTP/1.1\r\n{HEAD}\r\n".encode())
    connection.sendall(client.outgoing.read())
    origin.wait_for(1)
    return client


def say_goodbye(client, connection):
    """close_notify; the TCP connection stays open both ways."""
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.unwrap()
    connection.sendall(client.outgoing.read())


def test_the_end_of_tls_1_3_alone_is_no_departure(gate, origin):
    """RFC 8446 section 6.1: closing its writing side leaves the client its reading side."""
    with tls_peer.connect(gate.certgate.port) as connection:
        client = ask(gate, origin, connection, "/answers/half", ssl.TLSVersion.TLSv1_3)
        say_goodbye(client, connection)
        origin.go.set()
        # What comes is a record of the answer and the server's own close_notify.
        received = tls_peer.read_to_end(connection)
        assert len(received) > 100
    assert only_record(gate, "/answers/half")["status"] == 200


def test_the_end_of_tls_1_2_is_one(gate, origin):
    """RFC 5246 section 7.2.1: the other side closes at once, "discarding any pending writes"."""
    with tls_peer.connect(gate.certgate.port) as connection:
        client = ask(gate, origin, connection, "/thinks/tls12", ssl.TLSVersion.TLSv1_2)
        say_goodbye(client, connection)
        assert origin.ended.wait(proxy.PATIENCE)
    assert only_record(gate, "/thinks/tls12")["status"] == 499


def test_a_client_that_leaves_is_not_the_servers_fault(tmp_path):
    """However many leave, the server is not taken out of rotation."""
    with Thinker() as origin:
        setup = proxy.Setup(tmp_path, origin)
        setup.origin = origin
        config = setup.config(rules=[])
        config["origins"]["api"]["health"] = {"eject_after": 1, "eject_for": "1h"}
        with setup.start(config) as certgate:
            for n in range(1, 4):
                client = setup.client(certgate)
                client.send(f"GET /thinks/{n} HTTP/1.1\r\n{HEAD}\r\n")
                origin.wait_for(n)
                client.close()
                certgate.records(1, path=f"/thinks/{n}", status=499)
            with setup.client(certgate) as client:
                assert client.get("/quick").status == 200


def test_a_client_that_leaves_while_the_origin_is_being_connected(tmp_path):
    """No request is sent for somebody who is not there any more."""
    with proxy.socket.socket() as full:
        # A listener whose queue is full: connecting to it takes for ever.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        setup = proxy.Setup(tmp_path, None)
        config = {"origins": {"api": {"servers": [f"http://127.0.0.1:{port}"]}}, "rules": [],
                  "timeouts": {"origin_connect": "1h", "drain": "1s"}, "workers": 1}
        setup.origin = type("Origin", (), {"url": f"http://127.0.0.1:{port}"})()
        with setup.start(setup.config(**config)) as certgate:
            client = setup.client(certgate)
            client.send(f"GET /early HTTP/1.1\r\n{HEAD}\r\n")
            # Once the worker has turned to a second client it is waiting on behalf of the first.
            with setup.client(certgate, host="api.example.com") as other:
                assert other.get("/", host="unknown.test").status == 421
            client.close()
            certgate.records(1, path="/early", status=499, failure="client_closed")
        for filler in fillers:
            filler.close()


def sockets_that_report_writable(certgate):
    """How many of its sockets wake certgate whenever they can be written to."""
    found = 0
    for info in pathlib.Path(f"/proc/{certgate.process.pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):
            for line in info.read_text().splitlines():
                fields = line.split()
                if fields[:1] == ["tfd:"] and int(fields[3], 16) & select.EPOLLOUT:
                    found += 1
    return found


def test_watching_a_client_does_not_wake_for_its_room(tmp_path):
    """A client that had to be waited for once is afterwards watched for what it sends only."""
    with Thinker() as origin:
        setup = proxy.Setup(tmp_path, origin)
        with setup.start(rules=[]) as certgate, setup.client(certgate) as client:
            client.send(f"GET /large HTTP/1.1\r\n{HEAD}\r\n")
            proxy.wait_until(lambda: sockets_that_report_writable(certgate), "a client that is full")
            received = b""
            while b"\r\n\r\n" not in received:
                received += client.tls.recv(4096)
            left = LARGE - len(received.partition(b"\r\n\r\n")[2])
            while left > 0:
                left -= len(client.tls.recv(min(left, 256 * 1024)))
            # The connection to the origin is used again: both have been waited for by now.
            client.send(f"GET /answers HTTP/1.1\r\n{HEAD}\r\n")
            origin.wait_for(2)
            proxy.wait_until(lambda: not sockets_that_report_writable(certgate), "reading only")
            origin.go.set()
            assert client.read_response().body == b"ok"
