"""What HTTP/1 says between the lines: cuts at every byte, odd origins, early ends, fields by the way."""

import contextlib
import email.utils
import time

import pytest

import proxy
import wire
from test_http_1_is_carried_whole import HEAD, MALFORMED, Answers
from test_nothing_ambiguous_reaches_the_origin import BAD_CHUNKS, CHUNKED, REFUSED, SMUGGLED, post


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    with Answers() as origin:
        setup = proxy.Setup(tmp_path_factory.mktemp("gate"), origin)
        rules = [{"name": "closed", "expression": 'starts_with(http.request.uri.path, "/blocked")',
                  "action": "block"}]
        with setup.start(rules=rules, limits={"body_bytes": "1MiB"}) as certgate:
            setup.certgate = certgate
            yield setup


def send_bytewise(client, data):
    with contextlib.suppress(OSError):  # refused, and closed, before the end
        for at in range(len(data)):
            client.send(data[at:at + 1])


@pytest.mark.parametrize("name, data, status", REFUSED, ids=[row[0] for row in REFUSED])
def test_threat_64_65_refused_a_byte_at_a_time(gate, name, data, status):
    """Where the pieces are cut makes no difference: the same refusal, and nothing at the origin."""
    gate.origin.clear()
    with gate.client(gate.certgate) as client:
        send_bytewise(client, data + SMUGGLED)
        responses = wire.parse_responses(client.read_until_close())
    assert [r.status for r in responses] == [status]
    assert gate.origin.requests == [] and gate.origin.surplus == []


@pytest.mark.parametrize("name, body", BAD_CHUNKS, ids=[row[0] for row in BAD_CHUNKS])
def test_threat_64_bad_chunks_a_byte_at_a_time(gate, name, body):
    gate.origin.clear()
    with gate.client(gate.certgate) as client:
        client.send(post(CHUNKED))
        send_bytewise(client, body + SMUGGLED)
        responses = wire.parse_responses(client.read_until_close())
    assert [r.status for r in responses] == [400]
    assert [r.target for r in gate.origin.requests] == []


def bytewise(answer, then=None):
    def talk(_, connection):
        for at in range(len(answer)):
            connection.sendall(answer[at:at + 1])
        return then
    return talk


@pytest.mark.parametrize("name, answer", [row for row in MALFORMED if row[0] != "huge head"],
                         ids=[row[0] for row in MALFORMED if row[0] != "huge head"])
def test_a_malformed_answer_a_byte_at_a_time(gate, name, answer):
    gate.origin.table["/bad"] = bytewise(answer, False)
    with gate.client(gate.certgate) as client:
        client.tls.suppress_ragged_eofs = False
        client.send(f"GET /bad HTTP/1.1\r\n{HEAD}\r\n")
        data = b""
        with contextlib.suppress(OSError):
            while b"\r\n\r\n" not in data and (piece := client.tls.recv(4096)):
                data += piece
        # Bad chunks show only once the answer has begun: then it is torn, and never whole.
        if name == "bad chunk" and data.startswith(b"HTTP/1.1 200"):
            with contextlib.suppress(OSError):
                while piece := client.tls.recv(4096):
                    data += piece
            assert not data.endswith(b"0\r\n\r\n")
        else:
            assert wire.status_of(data) == 502


RESPONSES = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n002\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n", b"hello"),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello", b"hello"),
    (b"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", b"hello"),
]


@pytest.mark.parametrize("answer, body", RESPONSES, ids=["length", "chunked", "204", "1.0", "no reason"])
def test_a_response_cut_at_every_byte(gate, answer, body):
    """The same answer for the client wherever it is cut, and the connection stays in step."""
    cut = [0]

    def in_two(_, connection):
        connection.sendall(answer[:cut[0]])
        connection.sendall(answer[cut[0]:])
        return b""

    gate.origin.table["/cut"] = in_two
    with gate.client(gate.certgate) as client:
        for cut[0] in range(0, len(answer), 1 if not wire.SANITIZED else 7):
            client.send(f"GET /cut HTTP/1.1\r\n{HEAD}\r\n")
            response = client.read_response()
            while response.status == 103:
                response = client.read_response()
            assert response.body == body, cut
            assert response.getheader("X-Sum") is None
        gate.origin.table["/cut"] = bytewise(answer, b"")
        client.send(f"GET /cut HTTP/1.1\r\n{HEAD}\r\n")
        response = client.read_response()
        while response.status == 103:
            response = client.read_response()
        assert response.body == body
        assert client.get("/after").body == b"ok"


def test_trailers_of_a_response_end_here(gate):
    gate.origin.table["/trailers"] = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        b"2\r\nok\r\n0\r\nX-Sum: 1\r\nSet-Cookie: late=1\r\n\r\n")
    with gate.client(gate.certgate) as client:
        response = client.get("/trailers")
        assert response.body == b"ok"
        assert not {"x-sum", "set-cookie"} & {name.lower() for name, _ in response.getheaders()}
        assert client.get("/after").body == b"ok"


def test_an_answer_without_a_date_gets_one_and_keeps_its_own(gate):
    """RFC 9110 section 6.6.1."""
    gate.origin.table["/undated"] = b"HTTP/1.1 204 No Content\r\n\r\n"
    gate.origin.table["/dated"] = (b"HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                                   b"Content-Length: 0\r\n\r\n")
    with gate.client(gate.certgate) as client:
        added = client.get("/undated").headers.get_all("Date")
        assert len(added) == 1 and added[0].endswith(" GMT")
        assert abs(email.utils.parsedate_to_datetime(added[0]).timestamp() - time.time()) < 60
        kept = client.get("/dated").headers.get_all("Date")
        assert kept == ["Thu, 01 Jan 1970 00:00:00 GMT"]


def test_a_body_behind_the_answer_to_head_is_nobodys(gate):
    """An origin that sends one all the same has spoilt its connection, and nothing else."""
    gate.origin.table["/head"] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
    with gate.client(gate.certgate) as client:
        for _ in range(3):
            assert client.get("/head", method="HEAD").getheader("Content-Length") == "5"
            assert client.get("/after").body == b"ok"


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 204 No Content\r\n\r\nwrong", b"HTTP/1.1 304 Not Modified\r\n\r\nwrong",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nwrong",
], ids=["204", "304", "chunked"])
def test_bytes_behind_an_answer_are_not_the_next_one(gate, answer):
    gate.origin.table["/behind"] = answer
    with gate.client(gate.certgate) as client:
        for _ in range(3):
            assert client.get("/behind").status == int(answer.split()[1])
            assert client.get("/after").body == b"ok"


def test_close_ends_the_connection_that_says_it_and_no_other(gate):
    """`Connection: close` of the origin is not the client's, and the reverse."""
    gate.origin.table["/closes"] = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    with gate.client(gate.certgate) as client:
        for _ in range(3):
            response = client.get("/closes")
            assert response.body == b"ok" and response.getheader("Connection") is None
    gate.origin.clear()
    for _ in range(3):
        with gate.client(gate.certgate) as client:
            response = client.get("/stays", headers=[("Connection", "close")])
            assert response.getheader("Connection") == "close"
            assert client.read_until_close() == b""
    assert len({request.connection for request in gate.origin.requests}) <= 2  # one per worker
    assert not any("close" in request.all("Connection") for request in gate.origin.requests)


@pytest.mark.parametrize("options", ["close, x-private", "X-Private, Close", "close,close", "CLOSE"])
def test_connection_options_in_every_form(gate, options):
    with gate.client(gate.certgate) as client:
        response = client.get("/options", headers=[("Connection", options), ("X-Private", "1")])
        assert response.getheader("Connection") == "close"
        assert client.read_until_close() == b""
    if "private" in options.lower():
        assert gate.origin.last().all("X-Private") == []


def test_many_interim_answers_then_the_last(gate):
    """Hundreds of 1xx in one go and in pieces; unknown ones too."""
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    gate.origin.table["/many"] = hint * 300 + b"HTTP/1.1 199 Odd\r\n\r\n" + wire.OK
    with gate.client(gate.certgate) as client:
        client.send(f"GET /many HTTP/1.1\r\n{HEAD}\r\n")
        data = b""
        while not data.endswith(b"ok"):
            data += client.tls.recv(65536)
        assert data.count(b" 103 ") == 300 and data.count(b"HTTP/1.1 199 ") == 1
        assert client.get("/after").body == b"ok"


def test_an_interim_answer_is_no_answer(gate):
    gate.origin.table["/only"] = lambda *_: False
    gate.origin.table["/hint"] = bytewise(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", False)
    with gate.client(gate.certgate) as client:
        client.send(f"GET /hint HTTP/1.1\r\n{HEAD}\r\n")
        assert client.read_response().status == 103
        assert client.read_response().status == 502
        assert client.get("/after").body == b"ok"


@pytest.mark.parametrize("path, status", [("/blocked", 403), ("/x", 421), ("/large", 413)])
def test_threat_66_no_100_for_what_is_refused(gate, path, status):
    """A client that asks first is spared the body, and nothing is taken for one."""
    gate.origin.clear()
    length = 2_000_000 if status == 413 else 100
    host = "unknown.test" if status == 421 else "api.example.com"
    with gate.client(gate.certgate) as client:
        client.send(f"POST {path} HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\n"
                    f"Content-Length: {length}\r\n\r\n")
        responses = wire.parse_responses(client.read_until_close())
    assert [r.status for r in responses] == [status]
    assert responses[0].header("Connection") == "close"
    assert gate.origin.requests == []


def test_a_blocked_request_whose_body_is_there_keeps_its_connection(gate):
    with gate.client(gate.certgate) as client:
        for _ in range(3):
            assert client.get("/blocked", method="POST", body=b"x" * 500).status == 403
            assert client.get("/after", method="POST", body=b"y").body == b"ok"


def test_pipelined_requests_of_every_kind_stay_in_step(gate):
    """Bodies, refusals, HEAD and blocks in one flight, answered in order."""
    gate.origin.table["/head"] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    flight = [
        ("GET", f"GET /1 HTTP/1.1\r\n{HEAD}\r\n", 200),
        ("POST", f"POST /2 HTTP/1.1\r\n{HEAD}Content-Length: 3\r\n\r\nabc", 200),
        ("GET", f"GET /blocked HTTP/1.1\r\n{HEAD}\r\n", 403),
        ("HEAD", f"HEAD /head HTTP/1.1\r\n{HEAD}\r\n", 200),
        ("POST", f"POST /3 HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n", 200),
        ("GET", f"GET /4 HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n", 200),
        ("GET", f"GET /never HTTP/1.1\r\n{HEAD}\r\n", None),
    ]
    data = "".join(text for _, text, _ in flight).encode()
    wanted = [status for _, _, status in flight if status]
    methods = [method for method, _, _ in flight]
    for size in (len(data), 1, 7, 100):
        gate.origin.clear()
        with gate.client(gate.certgate) as client:
            with contextlib.suppress(OSError):
                for at in range(0, len(data), size):
                    client.send(data[at:at + size])
            responses = wire.parse_responses(client.read_until_close(), methods)
        assert [r.status for r in responses] == wanted, size
        assert [r.body for r in gate.origin.requests] == [b"", b"abc", b"", b"de", b""]


@pytest.mark.parametrize("line", ["GET https://api.example.com/abs HTTP/1.1",
                                  "GET https://API.example.com:443/abs HTTP/1.1",
                                  "GET http://api.example.com/abs HTTP/1.1"])
def test_an_absolute_target_is_sent_on_as_a_path(gate, line):
    gate.origin.clear()
    with gate.client(gate.certgate) as client:
        client.send(f"{line}\r\nHost: {line.split('/')[2]}\r\n\r\n")
        status = client.read_response().status
    assert status in (200, 400)
    if status == 200:
        assert gate.origin.last().target == "/abs"
        assert len(gate.origin.last().all("Host")) == 1


def test_via_and_the_request_id_are_told(gate):
    with gate.client(gate.certgate) as client:
        client.get("/via", headers=[("Via", "1.0 elsewhere"), ("X-Request-Id", "forged")])
        request = gate.origin.last()
        via = ", ".join(request.all("Via"))
        assert via.startswith("1.0 elsewhere, 1.1 ")
        record, = gate.certgate.records(1, path="/via")
        assert request.all("X-Request-Id") == [record["request_id"]]
        assert request.one("X-Forwarded-Proto") == "https"
        assert request.one("X-Forwarded-Host") == "api.example.com"
        client.send(f"GET /via10 HTTP/1.0\r\n{HEAD}\r\n")
        client.read_response()
        assert gate.origin.last().one("Via").startswith("1.0 ")


def test_a_reset_of_the_origin_behind_a_whole_answer_loses_nothing(gate):
    """The answer to an upload that the origin did not want to read to its end."""
    body = b"r" * 100_000

    def early(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                           % len(body) + body)
        return False

    gate.origin.table["/whole"] = early
    with gate.client(gate.certgate) as client:
        assert client.get("/whole", method="POST", body=b"x" * 200_000).body == body
