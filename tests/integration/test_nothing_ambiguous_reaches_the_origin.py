"""Requests that two parsers could read differently are refused, and their connection is closed."""

import pytest

import proxy
import wire

HOST = b"Host: api.example.com\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: api.example.com\r\n\r\n"


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    with wire.WireOrigin() as origin:
        setup = proxy.Setup(tmp_path_factory.mktemp("gate"), origin)
        with setup.start(rules=[]) as certgate:
            setup.certgate = certgate
            yield setup


def post(*fields, body=b"", line=b"POST /judged HTTP/1.1\r\n"):
    return line + HOST + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked"

# Name, the bytes, the status.
REFUSED = [
    # beast-strictness: what Beast 1.81 accepts and certgate must not.
    ("gzip then length", post(b"Transfer-Encoding: gzip", b"Content-Length: 5", body=b"hello"), 400),
    ("length then gzip", post(b"Content-Length: 5", b"Transfer-Encoding: gzip", body=b"hello"), 400),
    ("length then chunked", post(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"), 400),
    ("chunked then length", post(CHUNKED, b"Content-Length: 5", body=b"0\r\n\r\n"), 400),
    ("chunked, gzip", post(b"Transfer-Encoding: chunked, gzip"), 400),
    ("xchunked", post(b"Transfer-Encoding: xchunked"), 400),
    ("identity and length", post(b"Transfer-Encoding: identity", b"Content-Length: 3", body=b"abc"),
     400),
    ("identity", post(b"Transfer-Encoding: identity"), 400),
    ("gzip, chunked", post(b"Transfer-Encoding: gzip, chunked", body=b"3\r\nabc\r\n0\r\n\r\n"), 400),
    ("two encodings", post(b"Transfer-Encoding: gzip", CHUNKED, body=b"0\r\n\r\n"), 400),
    ("chunked twice", post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"), 400),
    ("chunked, chunked", post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"), 400),
    ("chunked with parameter", post(b"Transfer-Encoding: chunked;x=1", body=b"0\r\n\r\n"), 400),
    ("quoted chunked", post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"), 400),
    ("vertical tab", post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"), 400),
    ("empty encoding", post(b"Transfer-Encoding: ", body=b"0\r\n\r\n"), 400),
    ("1.0 chunked", post(CHUNKED, body=b"3\r\nabc\r\n0\r\n\r\n", line=b"POST / HTTP/1.0\r\n"), 400),
    ("two hosts", b"GET / HTTP/1.1\r\n" + HOST + b"Host: other.example.com\r\n\r\n", 400),
    ("the same host twice", b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    ("no host", b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n", 400),
    ("length list", post(b"Content-Length: 5, 5", body=b"hello"), 400),
    ("equal lengths", post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"), 400),
    ("different lengths", post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello"), 400),
    ("plus", post(b"Content-Length: +5", body=b"hello"), 400),
    ("minus", post(b"Content-Length: -5", body=b"hello"), 400),
    ("leading zero", post(b"Content-Length: 05", body=b"hello"), 400),
    ("hex length", post(b"Content-Length: 0x5", body=b"hello"), 400),
    ("empty length", post(b"Content-Length: ", body=b""), 400),
    ("2^63", post(b"Content-Length: 9223372036854775808"), 400),
    ("2^64 + 5", post(b"Content-Length: 18446744073709551621", body=b"hello"), 400),
    ("length with space", post(b"Content-Length: 5 5", body=b"hello"), 400),
    ("fold", b"GET / HTTP/1.1\r\n" + HOST + b"X-A: 1\r\n folded\r\n\r\n", 400),
    ("folded encoding", post(b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n"), 400),
    ("folded first line", b"GET / HTTP/1.1\r\n X: y\r\n" + HOST + b"\r\n", 400),
    ("space before colon", post(b"Content-Length : 5", body=b"hello"), 400),
    ("tab before colon", post(b"Transfer-Encoding\t: chunked", body=b"0\r\n\r\n"), 400),
    ("no colon", b"GET / HTTP/1.1\r\n" + HOST + b"Nonsense\r\n\r\n", 400),
    ("empty name", b"GET / HTTP/1.1\r\n" + HOST + b": x\r\n\r\n", 400),
    ("bare lf", b"GET / HTTP/1.1\nHost: api.example.com\n\n", 400),
    ("one bare lf", b"GET / HTTP/1.1\r\n" + HOST + b"X: y\n\r\n", 400),
    ("bare cr in value", b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n", 400),
    ("cr and smuggled field", post(b"X: a\rContent-Length: 5", body=b""), 400),
    ("nul in value", b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", 400),
    ("nul in name", b"GET / HTTP/1.1\r\n" + HOST + b"X\0: a\r\n\r\n", 400),
    ("leading crlf", b"\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("http 1.2", b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", 505),
    ("http 2.0", b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    ("http 0.9", b"GET /\r\n\r\n", 400),
    ("lower-case version", b"GET / http/1.1\r\n" + HOST + b"\r\n", 400),
    ("long version", b"GET / HTTP/1.10\r\n" + HOST + b"\r\n", 400),
    ("two spaces", b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("tab", b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("three words", b"GET / x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("lower-case method", b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("method with a colon", b"GE:T / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("trace", b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    ("connect", b"CONNECT api.example.com:443 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    ("http/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
]


@pytest.mark.parametrize("name, data, status", REFUSED, ids=[row[0] for row in REFUSED])
def test_threat_64_65_refused_and_closed(gate, name, data, status):
    gate.origin.clear()
    answer = wire.talk(gate, gate.certgate, data + SMUGGLED)
    responses = wire.parse_responses(answer)
    assert [r.status for r in responses] == [status], answer
    assert responses[0].header("Connection") == "close"
    assert gate.origin.requests == [] and gate.origin.surplus == []


# Bad chunked framing shows only once the request is under way: the origin may have seen a part of
# it, but never what follows it as a request of its own.
BAD_CHUNKS = [
    ("0x3", b"0x3\r\nabc\r\n0\r\n\r\n"),
    ("plus", b"+3\r\nabc\r\n0\r\n\r\n"),
    ("minus", b"-3\r\nabc\r\n0\r\n\r\n"),
    ("space before", b" 3\r\nabc\r\n0\r\n\r\n"),
    ("space behind", b"3 \r\nabc\r\n0\r\n\r\n"),
    ("empty size", b"\r\nabc\r\n0\r\n\r\n"),
    ("overflow", b"10000000000000003\r\nabc\r\n0\r\n\r\n"),
    ("bare lf behind size", b"3\nabc\r\n0\r\n\r\n"),
    ("bare lf in extension", b"3;a\nabc\r\n0\r\n\r\n"),
    ("bare cr in extension", b"3;a\rb\r\nabc\r\n0\r\n\r\n"),
    ("bare lf behind data", b"3\r\nabc\n0\r\n\r\n"),
    ("too much data", b"3\r\nabcd\r\n0\r\n\r\n"),
    ("bare lf at the end", b"3\r\nabc\r\n0\r\n\n"),
    ("length as a trailer", b"3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n"),
    ("host as a trailer", b"3\r\nabc\r\n0\r\nHost: other\r\n\r\n"),
    ("encoding as a trailer", b"3\r\nabc\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n"),
    ("folded trailer", b"3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n"),
    ("trailer without colon", b"3\r\nabc\r\n0\r\nnonsense\r\n\r\n"),
]


@pytest.mark.parametrize("split", [False, True], ids=["whole", "body apart"])
@pytest.mark.parametrize("name, body", BAD_CHUNKS, ids=[row[0] for row in BAD_CHUNKS])
def test_threat_64_bad_chunks(gate, name, body, split):
    gate.origin.clear()
    head = post(CHUNKED, b"X-Case: bad-chunk")
    with gate.client(gate.certgate) as client:
        client.send(head if split else head + body + SMUGGLED)
        if split:
            client.send(body + SMUGGLED)
        responses = wire.parse_responses(client.read_until_close())
    assert [r.status for r in responses] == [400]
    assert responses[0].header("Connection") == "close"
    assert [r.target for r in gate.origin.requests] == []
    assert not any(b"smuggled" in piece for piece in gate.origin.surplus)


# Unusual, but everybody agrees on it: it passes, framed anew in one canonical way.
PASSED = [
    ("chunked", post(CHUNKED, body=b"3\r\nabc\r\n0\r\n\r\n"), b"abc"),
    ("upper case", post(b"TRANSFER-ENCODING: CHUNKED", body=b"3\r\nabc\r\n0\r\n\r\n"), b"abc"),
    ("upper-case size", post(CHUNKED, body=b"A\r\n0123456789\r\n0\r\n\r\n"), b"0123456789"),
    ("leading zeros", post(CHUNKED, body=b"0003\r\nabc\r\n000\r\n\r\n"), b"abc"),
    ("extensions", post(CHUNKED, body=b"3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n"), b"abc"),
    ("trailers", post(CHUNKED, body=b"3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n"), b"abc"),
    ("length", post(b"Content-Length: 3", body=b"abc"), b"abc"),
    ("no space behind colon", post(b"Content-Length:3", body=b"abc"), b"abc"),
    ("spaces around the value", post(b"Content-Length: \t3 \t ", body=b"abc"), b"abc"),
    ("zero", post(b"Content-Length: 0"), b""),
    ("empty chunked", post(CHUNKED, body=b"0\r\n\r\n"), b""),
    ("GET with a body", b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc", b"abc"),
]


@pytest.mark.parametrize("name, data, body", PASSED, ids=[row[0] for row in PASSED])
def test_threat_65_framed_anew(gate, name, data, body):
    gate.origin.clear()
    after = b"GET /after HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n"
    responses = wire.parse_responses(wire.talk(gate, gate.certgate, data + after))
    assert [r.status for r in responses] == [200, 200]
    first, second = gate.origin.requests
    assert first.body == body and second.target == "/after"
    assert first.version == "HTTP/1.1"
    assert not {"trailer", "te", "x-sum"} & set(first.names())


def test_threat_65_the_head_split_at_every_byte(gate):
    """Where the pieces of a request are cut does not matter."""
    gate.origin.clear()
    whole = post(CHUNKED, b"X-Split: yes", body=b"3;e=1\r\nabc\r\n0\r\nX-T: 1\r\n\r\n")
    with gate.client(gate.certgate) as client:
        for cut in range(1, len(whole), 1 if not wire.SANITIZED else 5):
            client.send(whole[:cut])
            client.send(whole[cut:])
            assert client.read_response().status == 200, cut
    assert {(r.line, r.body) for r in gate.origin.requests} == {("POST /judged HTTP/1.1", b"abc")}


def test_threat_65_one_byte_at_a_time(gate):
    gate.origin.clear()
    whole = post(CHUNKED, body=b"3;e=1\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n")
    with gate.client(gate.certgate) as client:
        for byte in range(len(whole)):
            client.send(whole[byte:byte + 1])
        assert client.read_response().status == 200
    assert gate.origin.last().body == b"abcde"


def test_threat_63_an_unread_body_is_no_request(gate):
    """The answer of certgate's own comes before the body: nothing behind it is taken as a request."""
    gate.origin.clear()
    blocked = post(b"Content-Length: 1000", body=SMUGGLED, line=b"POST / HTTP/1.1\r\n").replace(
        b"api.example.com\r\nContent", b"unknown.test\r\nContent")
    responses = wire.parse_responses(wire.talk(gate, gate.certgate, blocked))
    assert [r.status for r in responses] == [421]
    assert gate.origin.requests == []


def test_threat_66_expect(gate):
    gate.origin.clear()
    with gate.client(gate.certgate) as client:
        client.send(post(b"Expect: 100-continue", b"Content-Length: 5"))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.tls.recv(1)
        assert head == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"hello")
        assert client.read_response().status == 200
        # A body that came along needs no invitation.
        client.send(post(b"Expect: 100-Continue", b"Content-Length: 5", body=b"hello"))
        assert client.read_response().status == 200
        # Nothing to wait for: no 100 either.
        client.send(post(b"Expect: 100-continue", b"Content-Length: 0"))
        assert client.read_response().status == 200
    assert [r.body for r in gate.origin.requests] == [b"hello", b"hello", b""]
    assert not any("expect" in r.names() for r in gate.origin.requests)
    for value in (b"200-maybe", b"100-continue, x", b"100-continue;q=1", b"100"):
        gate.origin.clear()
        data = post(b"Expect: " + value, b"Content-Length: 5", body=b"hello" + SMUGGLED)
        responses = wire.parse_responses(wire.talk(gate, gate.certgate, data))
        assert responses[0].status == 417, value
        assert all(r.target == "/smuggled" for r in gate.origin.requests)


def test_threat_66_expect_from_http_1_0_is_ignored(gate):
    gate.origin.clear()
    data = post(b"Expect: 100-continue", b"Content-Length: 5", body=b"hello",
                line=b"POST / HTTP/1.0\r\n")
    responses = wire.parse_responses(wire.talk(gate, gate.certgate, data))
    assert [r.status for r in responses] == [200]
    assert gate.origin.last().body == b"hello"
