"""1 GiB up and 1 GiB down arrive unharmed, while the proxy's memory grows by less than 16 MiB.

CERTGATE_BIG_MIB sets the size; sanitized runs, whose memory is not the product's, use 64 MiB.
"""

import hashlib
import os
import socket
import threading

import pytest

import proxy
import wire

MIB = 1024 * 1024
BIG = int(os.environ.get("CERTGATE_BIG_MIB", "64" if wire.SANITIZED else "1024"))
GROWTH_KIB = 16 * 1024
BLOCK = hashlib.shake_128(b"certgate").digest(MIB)  # not compressible, not periodic below 1 MiB


def expected_digest():
    digest = hashlib.sha1()
    for number in range(BIG):
        digest.update(number.to_bytes(8, "big") + BLOCK[8:])
    return digest.hexdigest()


def send_big(connection, size=None):
    for number in range(size or BIG):
        connection.sendall(number.to_bytes(8, "big") + BLOCK[8:])


class Digesting(proxy.RawOrigin):
    """/up answers with the digest of what it got; /down sends; both stream."""

    def __init__(self):
        self.sent = 0
        self.blocked = threading.Event()
        super().__init__(self.talk)

    def talk(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            head, rest = proxy.read_head(connection)
            if not head:
                return
            if head.startswith(b"POST "):
                assert f"Content-Length: {BIG * MIB}\r\n".encode() in head
                digest, left = hashlib.sha1(rest), BIG * MIB - len(rest)
                buffer = bytearray(MIB)
                while left:
                    count = connection.recv_into(buffer, min(left, MIB))
                    assert count, "the upload was cut short"
                    digest.update(memoryview(buffer)[:count])
                    left -= count
                text = digest.hexdigest().encode()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n" + text)
            elif head.startswith(b"GET /down"):
                connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {BIG * MIB}\r\n\r\n".encode())
                send_big(connection)
            elif head.startswith(b"GET /flood"):
                connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {BIG * MIB}\r\n\r\n".encode())
                connection.settimeout(1.0)
                try:
                    while True:
                        self.sent += connection.send(BLOCK)
                except TimeoutError:
                    self.blocked.set()
                return
            else:
                connection.sendall(wire.OK)


@pytest.fixture
def gate(tmp_path):
    origin = Digesting()
    setup = proxy.Setup(tmp_path, origin)
    with setup.start(rules=[]) as certgate:
        setup.certgate = certgate
        with setup.client(certgate) as client:  # what a first request allocates is not growth
            for _ in range(20):
                assert client.get("/").status == 200
        yield setup
    origin.close()


def assert_bounded(gate, before):
    grown = gate.certgate.rss_kib() - before
    if not wire.SANITIZED:
        assert grown < GROWTH_KIB, f"{grown} KiB more"


def test_up(gate):
    before = gate.certgate.rss_kib()
    with gate.client(gate.certgate) as client:
        client.send(f"POST /up HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: {BIG * MIB}\r\n"
                    "\r\n")
        send_big(client.tls)
        client.tls.settimeout(None)
        assert client.read_response().body.decode() == expected_digest()
        assert client.get("/after").status == 200
    assert_bounded(gate, before)
    assert gate.certgate.records(1, path="/up")[0]["bytes_in"] > BIG * MIB


def test_down(gate):
    before = gate.certgate.rss_kib()
    digest, buffer = hashlib.sha1(), bytearray(MIB)
    with gate.client(gate.certgate) as client:
        client.send("GET /down HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.tls.recv(1)
        assert f"Content-Length: {BIG * MIB}\r\n".encode() in head
        left = BIG * MIB
        while left:
            count = client.tls.recv_into(buffer, min(left, MIB))
            assert count, "the download was cut short"
            digest.update(memoryview(buffer)[:count])
            left -= count
        assert digest.hexdigest() == expected_digest()
        assert client.get("/after").status == 200
    assert_bounded(gate, before)
    assert gate.certgate.records(1, path="/down")[0]["bytes_out"] > BIG * MIB


def test_a_reader_that_stops(gate):
    """Back-pressure: what the client does not read stays with the origin, not in the proxy."""
    before = gate.certgate.rss_kib()
    with gate.client(gate.certgate) as client:
        client.send("GET /flood HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
        assert client.tls.recv(12) == b"HTTP/1.1 200"
        assert gate.origin.blocked.wait(proxy.PATIENCE)
        # Only the kernel's buffers on the way have taken anything.
        assert gate.origin.sent < 40 * MIB
        assert_bounded(gate, before)


def test_many_readers_that_stop(gate):
    before = gate.certgate.rss_kib()
    clients = []
    for _ in range(16):
        client = gate.client(gate.certgate)
        client.send("GET /flood HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
        assert client.tls.recv(12) == b"HTTP/1.1 200"
        clients.append(client)
    assert gate.origin.blocked.wait(proxy.PATIENCE)
    assert_bounded(gate, before)
    for client in clients:
        client.close()
