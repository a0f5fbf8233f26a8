"""Each limit: what just fits passes, and one more is refused with the right status and reason."""

import pytest

import proxy
import wire

HEADER_BYTES = 4096
FIELDS = 20
URI_BYTES = 1024
BODY_BYTES = 64 * 1024


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    with wire.WireOrigin() as origin:
        setup = proxy.Setup(tmp_path_factory.mktemp("gate"), origin)
        limits = {"header_bytes": "4KiB", "header_fields": FIELDS, "uri_bytes": "1KiB",
                  "body_bytes": "64KiB"}
        with setup.start(rules=[], limits=limits) as certgate:
            setup.certgate = certgate
            yield setup


def ask(gate, data):
    gate.origin.clear()
    with gate.client(gate.certgate) as client:
        client.send(data)
        response = client.read_response()
    if response.status != 200:
        assert gate.origin.requests == []
    return response.status


def reason(gate, status):
    return gate.certgate.records(1, status=status)[-1]["failure"]


@pytest.mark.parametrize("more, status", [(-1, 200), (0, 200), (1, 431), (1000, 431)])
@pytest.mark.parametrize("count", [1, 15])
def test_header_bytes(gate, more, status, count):
    """The request line and all fields together, up to and including the empty line."""
    start = b"GET / HTTP/1.1\r\nHost: api.example.com\r\n"
    fields = [b"X-%02d: " % n for n in range(count)]
    room = HEADER_BYTES + more - len(start) - 2 - sum(len(f) + 2 for f in fields)
    values = [room // count + (1 if n < room % count else 0) for n in range(count)]
    data = start + b"".join(f + b"x" * v + b"\r\n" for f, v in zip(fields, values)) + b"\r\n"
    assert len(data) == HEADER_BYTES + more
    assert ask(gate, data) == status
    if status == 431:
        assert reason(gate, 431) == "head_too_large"
    else:
        assert sum(len(gate.origin.last().one(f"X-{n:02d}")) for n in range(count)) == room


def test_an_endless_head_is_refused_before_its_end(gate):
    """No empty line is needed to know that it is too much."""
    assert ask(gate, b"GET / HTTP/1.1\r\nHost: api.example.com\r\nX: " + b"x" * HEADER_BYTES) == 431
    assert ask(gate, b"GET / HTTP/1.1\r\nHost: api.example.com\r\n" + b"X: y\r\n" * 2000) == 431


@pytest.mark.parametrize("more, status", [(0, 200), (1, 431)])
def test_header_fields(gate, more, status):
    fields = "".join(f"X-{n}: {n}\r\n" for n in range(FIELDS + more - 1))
    assert ask(gate, f"GET / HTTP/1.1\r\nHost: api.example.com\r\n{fields}\r\n") == status
    if status == 431:
        assert reason(gate, 431) in ("too_many_fields", "head_too_large")


@pytest.mark.parametrize("more, status", [(-1, 200), (0, 200), (1, 414), (100, 414)])
@pytest.mark.parametrize("query", [False, True])
def test_uri_bytes(gate, more, status, query):
    target = ("/?" if query else "/").ljust(URI_BYTES + more, "x")
    assert ask(gate, f"GET {target} HTTP/1.1\r\nHost: api.example.com\r\n\r\n") == status
    if status == 414:
        assert reason(gate, 414) == "target_too_long"
    else:
        assert gate.origin.last().target == target


def test_an_endless_target_is_refused_before_its_end(gate):
    assert ask(gate, "GET /" + "x" * 2000) == 414


@pytest.mark.parametrize("size, status", [(BODY_BYTES, 200), (BODY_BYTES + 1, 413)])
def test_body_bytes_announced(gate, size, status):
    """Refused by the announcement alone: not one byte of the body has to be sent."""
    head = f"POST / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: {size}\r\n\r\n".encode()
    assert ask(gate, head if status == 413 else head + b"x" * size) == status
    if status == 413:
        assert reason(gate, 413) == "body_too_large"


def test_body_bytes_announced_with_expect(gate):
    """The point of 100-continue: the client learns it before it sends anything."""
    assert ask(gate, "POST / HTTP/1.1\r\nHost: api.example.com\r\nExpect: 100-continue\r\n"
                     f"Content-Length: {BODY_BYTES + 1}\r\n\r\n") == 413


@pytest.mark.parametrize("piece", [1000, 16384, BODY_BYTES])
@pytest.mark.parametrize("more, status", [(0, 200), (1, 413)])
def test_body_bytes_in_chunks(gate, piece, more, status):
    """What counts is the payload, not its framing."""
    size = BODY_BYTES + more
    data = b""
    for at in range(0, size, piece):
        length = min(piece, size - at)
        data += b"%x;extension=ignored\r\n%s\r\n" % (length, b"y" * length)
    head = b"POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\n\r\n"
    gate.origin.clear()
    answer = wire.talk(gate, gate.certgate, (head + data + b"0\r\n\r\n").replace(
        b"Transfer", b"Connection: close\r\nTransfer"))
    assert [r.status for r in wire.parse_responses(answer)] == [status]
    assert [len(r.body) for r in gate.origin.requests] == ([size] if status == 200 else [])


def test_connections(tmp_path):
    """The connection above the limit is closed at once; when one ends there is room again."""
    with wire.WireOrigin() as origin:
        setup = proxy.Setup(tmp_path, origin)
        with setup.start(rules=[], limits={"connections": 3}) as certgate:
            clients = [setup.client(certgate) for _ in range(3)]
            for client in clients:
                assert client.get("/").status == 200
            with pytest.raises(OSError):
                setup.client(certgate)
            for client in clients:
                assert client.get("/").status == 200
            clients.pop().close()

            def room():
                try:
                    clients.append(setup.client(certgate))
                except OSError:
                    return False
                return clients[-1].get("/").status == 200

            proxy.wait_until(room, "room for another connection")
            for client in clients:
                client.close()


def test_default_limits(tmp_path):
    """32 KiB of fields, 100 of them, a target of 16 KiB, any body."""
    with wire.WireOrigin() as origin:
        setup = proxy.Setup(tmp_path, origin)
        with setup.start(rules=[]) as certgate:
            setup.certgate = certgate
            host = "GET / HTTP/1.1\r\nHost: api.example.com\r\n"
            assert ask(setup, host + "X: 1\r\n" * 99 + "\r\n") == 200
            assert ask(setup, host + "X: 1\r\n" * 100 + "\r\n") == 431
            rest = 32 * 1024 - len(host) - len("X: \r\n\r\n")
            assert ask(setup, host + f"X: {'x' * rest}\r\n\r\n") == 200
            assert ask(setup, host + f"X: {'x' * (rest + 1)}\r\n\r\n") == 431
            target = "/".ljust(16 * 1024, "x")
            assert ask(setup, host.replace("/", target, 1) + "\r\n") == 200
            assert ask(setup, host.replace("/", target + "x", 1) + "\r\n") == 414
