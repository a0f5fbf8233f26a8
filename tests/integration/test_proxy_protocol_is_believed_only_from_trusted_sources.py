"""PROXY v1 and v2 headers: whose word counts, and what every malformed one comes to."""

import contextlib
import ipaddress
import socket
import ssl
import struct

import pytest

import proxy
import wire

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command=1, family=0x11, body=None, version=2, length=None):
    if body is None:
        body = socket.inet_aton("192.0.2.7") + socket.inet_aton("198.51.100.1") + struct.pack(
            "!HH", 4711, 443)
    return SIGNATURE + bytes([version << 4 | command, family]) + struct.pack(
        "!H", len(body) if length is None else length) + body


V6 = (ipaddress.ip_address("2001:db8::7").packed + ipaddress.ip_address("2001:db8::1").packed
      + struct.pack("!HH", 4711, 443))
MAPPED = (ipaddress.ip_address("::ffff:192.0.2.8").packed
          + ipaddress.ip_address("::ffff:198.51.100.1").packed + struct.pack("!HH", 4711, 443))
TLV = b"\x01\x00\x02h2" + b"\xee\x00\x03abc"
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    with wire.WireOrigin() as origin:
        setup = proxy.Setup(tmp_path_factory.mktemp("gate"), origin)
        listeners = [{"address": "127.0.0.1:0"}]
        for which in ("v1", "v2", "any"):
            listeners.append({"address": "127.0.0.1:0", "proxy_protocol": which,
                              "trusted_sources": ["127.0.0.1"]})
        listeners.append({"address": "127.0.0.1:0", "proxy_protocol": "any",
                          "trusted_sources": ["192.0.2.0/24"]})
        rules = [{"name": "by address", "action": "block", "response": {"status": 451},
                  "expression": "ip.src in {192.0.2.66}"}]
        with setup.start(rules=rules, listeners=listeners,
                         timeouts={"handshake": "2s", "drain": "1s"}) as certgate:
            setup.certgate = certgate
            setup.ports = dict(zip(("off", "v1", "v2", "any", "untrusted"), certgate.ports))
            yield setup


def ask(gate, port, header, pieces=None):
    """The status and what the origin was told of the client; None when cut off."""
    gate.origin.clear()
    with socket.socket() as raw:
        raw.settimeout(proxy.PATIENCE)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            raw.connect(("127.0.0.1", gate.ports[port]))
            for piece in pieces or [header]:
                raw.sendall(piece)
            context = proxy.client_context(gate.server_ca)
            with context.wrap_socket(raw, server_hostname="api.example.com") as tls:
                tls.sendall(b"GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n")
                data = b""
                while piece := tls.recv(4096):
                    data += piece
        except OSError:
            return None
    status = wire.status_of(data)
    return gate.origin.last().one("X-Forwarded-For") if status == 200 else status


BELIEVED = [
    ("v1", V1, "192.0.2.7"),
    ("any", V1, "192.0.2.7"),
    ("v1", b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n", "2001:db8::7"),
    ("v1", b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    ("v1", b"PROXY UNKNOWN ffff:f:f:f:f:f:f:f ffff:f:f:f:f:f:f:f 65535 65535\r\n", "127.0.0.1"),
    ("v2", v2(), "192.0.2.7"),
    ("any", v2(), "192.0.2.7"),
    ("v2", v2(family=0x21, body=V6), "2001:db8::7"),
    ("v2", v2(family=0x21, body=MAPPED), "192.0.2.8"),
    ("v2", v2(body=v2()[16:] + TLV), "192.0.2.7"),
    ("v2", v2(command=0, family=0, body=b""), "127.0.0.1"),
    ("v2", v2(command=0), "127.0.0.1"),
    ("v2", v2(command=0, family=0x31, body=b"\0" * 216), "127.0.0.1"),
    ("v2", v2(family=0, body=b""), "127.0.0.1"),
    ("any", V1.replace(b"192.0.2.7", b"192.0.2.66"), 451),
    ("any", v2(body=socket.inet_aton("192.0.2.66") + v2()[20:]), 451),
    # A balancer that listens for both families tells IPv4 clients so; they are the same clients.
    ("v1", b"PROXY TCP6 ::ffff:192.0.2.8 ::ffff:198.51.100.1 4711 443\r\n", "192.0.2.8"),
    ("v1", b"PROXY TCP6 ::ffff:192.0.2.66 ::ffff:198.51.100.1 4711 443\r\n", 451),
    ("off", b"", "127.0.0.1"),
]


@pytest.mark.parametrize("port, header, expected", BELIEVED)
def test_threat_70_believed(gate, port, header, expected):
    assert ask(gate, port, header) == expected


REFUSED = [
    ("any", b""),  # no header at all where one is required
    ("v1", v2()),
    ("v2", V1),
    ("v1", b"PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n"),
    ("v1", b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443 1\r\n"),
    ("v1", b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 65536\r\n"),
    ("v1", b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 443\r\n"),
    ("v1", b"PROXY TCP4 192.0.2.7 198.51.100.1 04711 443\r\n"),
    ("v1", b"PROXY TCP4 192.0.2.256 198.51.100.1 4711 443\r\n"),
    ("v1", b"PROXY TCP4 2001:db8::7 2001:db8::1 4711 443\r\n"),
    ("v1", b"PROXY TCP6 192.0.2.7 198.51.100.1 4711 443\r\n"),
    ("v1", b"PROXY UDP4 192.0.2.7 198.51.100.1 4711 443\r\n"),
    ("v1", b"PROXY  TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"),
    ("v1", b"proxy TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"),
    ("v1", V1[:-2] + b"\n\n\n"),
    ("v1", b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n"),
    ("v1", b"PROXY TCP4 example.com 198.51.100.1 4711 443\r\n"),
    ("v2", v2(version=1)),
    ("v2", v2(version=3)),
    ("v2", v2(command=2)),
    ("v2", v2(family=0x12)),
    ("v2", v2(family=0x31, body=b"\0" * 216)),
    ("v2", v2(body=b"\xc0\0\2\7")),
    ("v2", v2(family=0x21)),
    ("v2", v2(body=b"")),
    ("v2", v2(length=0xffff)),
    ("v2", SIGNATURE[:-1] + b"X" + v2()[12:]),
    ("any", b"GET / HTTP/1.1\r\n\r\n"),
    ("untrusted", V1),
    ("untrusted", v2()),
    ("untrusted", b""),
    ("off", V1),  # nobody announced one: it is no ClientHello
    ("off", v2()),
]


@pytest.mark.parametrize("port, header", REFUSED)
def test_threat_70_refused(gate, port, header):
    assert ask(gate, port, header) is None
    assert gate.origin.requests == []


@pytest.mark.parametrize("header", [V1, v2(), v2(body=v2()[16:] + TLV)], ids=["v1", "v2", "TLV"])
def test_threat_70_a_header_in_pieces(gate, header):
    """Cut at any byte; the second piece may bring the ClientHello's first byte with it."""
    step = 1 if not wire.SANITIZED else 7
    for cut in range(1, len(header), step * 5):
        assert ask(gate, "any", None, [header[:cut], header[cut:]]) == "192.0.2.7", cut
    assert ask(gate, "any", None, [header[n:n + 1] for n in range(len(header))]) == "192.0.2.7"


def test_threat_70_an_incomplete_header_does_not_wait_forever(gate):
    for start in (b"", b"PROXY TCP4 192", SIGNATURE, v2()[:20]):
        with socket.create_connection(("127.0.0.1", gate.ports["any"]), proxy.PATIENCE) as raw:
            raw.sendall(start)
            with contextlib.suppress(ConnectionResetError):
                assert raw.recv(10) == b""


@pytest.mark.parametrize("noise", [
    b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n", b"\r\n", b"\0", b"STARTTLS\r\n",
    b"\x15\x03\x01\x00\x02\x01\x00", b"\x17\x03\x03\x00\x10" + b"x" * 16,
], ids=["request", "line", "nul", "starttls", "alert", "data"])
def test_threat_69_bytes_before_the_handshake(gate, noise):
    """They are never taken for a part of what the handshake protects."""
    assert ask(gate, "off", noise) is None
    assert gate.origin.requests == []


def test_threat_69_early_plain_bytes_are_no_request(gate):
    """A request in the clear gets no answer in the clear, and nothing reaches the origin."""
    gate.origin.clear()
    with socket.create_connection(("127.0.0.1", gate.ports["off"]), proxy.PATIENCE) as raw:
        raw.sendall(b"GET /plain HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
        data = b""
        with contextlib.suppress(ConnectionResetError, ssl.SSLError):
            while piece := raw.recv(4096):
                data += piece
    assert not data.startswith(b"HTTP/1.1 2")
    assert gate.origin.requests == []
