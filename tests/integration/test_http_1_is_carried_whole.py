"""HTTP/1.0 and 1.1 as clients and origins really speak them: framing, interim and odd responses."""

import threading

import pytest

import proxy
import wire

HEAD = "Host: api.example.com\r\n"


class Answers(wire.WireOrigin):
    """Answers by the path, from `table`: bytes, or a function of (request, connection)."""

    def __init__(self):
        self.table = {}
        super().__init__(self.answer)

    def answer(self, request, connection):
        answer = self.table.get(request.target.split("?")[0])
        return answer(request, connection) if callable(answer) else answer


def answer_at_once(connection):
    """Answers the head, mostly no and that the connection ends, but takes what comes."""
    head, _ = proxy.read_head(connection)
    no = (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
    connection.sendall(wire.OK if b"/early/open" in head else no)
    while connection.recv(65536):
        pass


def echo(connection):
    """Sends the six bytes of the body back as they come, in chunks."""
    _, rest = proxy.read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    left = 6 - len(rest)
    while True:
        if rest:
            connection.sendall(b"%x\r\n%s\r\n" % (len(rest), rest))
        if left == 0:
            break
        rest = connection.recv(left)
        left -= len(rest)
    connection.sendall(b"0\r\n\r\n")
    proxy.read_head(connection)


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    early, echoing = proxy.RawOrigin(answer_at_once), proxy.RawOrigin(echo)
    with Answers() as origin:
        setup = proxy.Setup(tmp_path_factory.mktemp("gate"), origin)
        routes = [{"path": "/early", "origin": "early"}, {"path": "/echo", "origin": "echo"}]
        origins = {"api": {"servers": [origin.url]}, "early": {"servers": [early.url]},
                   "echo": {"servers": [echoing.url]}}
        rules = [{"name": "closed", "expression": 'http.request.uri.path eq "/blocked"',
                  "action": "block"}]
        config = setup.config(rules=rules, origins=origins, hosts=[setup.host(routes=routes)])
        with setup.start(config) as certgate:
            setup.certgate = certgate
            yield setup
    early.close()
    echoing.close()


def talk(gate, text, methods=()):
    data = text if isinstance(text, bytes) else text.encode("latin-1")
    return wire.parse_responses(wire.talk(gate, gate.certgate, data), methods)


def test_http_1_0_closes_unless_asked_to_stay(gate):
    responses = talk(gate, "GET /a HTTP/1.0\r\n" + HEAD + "\r\n")
    assert [r.status for r in responses] == [200]
    assert gate.origin.last().version == "HTTP/1.1"
    both = "GET /b HTTP/1.0\r\n" + HEAD + "Connection: keep-alive\r\n\r\n"
    both += "GET /c HTTP/1.0\r\n" + HEAD + "\r\n"
    responses = talk(gate, both)
    assert [r.body for r in responses] == [b"ok", b"ok"]
    assert responses[0].header("Connection") == "keep-alive"
    assert responses[1].header("Connection") == "close"


def test_http_1_0_without_host_is_the_host_of_the_handshake(gate):
    responses = talk(gate, "GET /no-host HTTP/1.0\r\n\r\n")
    assert [r.status for r in responses] == [200]
    assert gate.origin.last().target == "/no-host"
    assert len(gate.origin.last().all("Host")) == 1


def test_http_1_0_gets_no_chunks(gate):
    gate.origin.table["/chunks"] = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                    b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n")
    raw = wire.talk(gate, gate.certgate, b"GET /chunks HTTP/1.0\r\n" + HEAD.encode() +
                    b"Connection: keep-alive\r\n\r\n")
    head, _, body = raw.partition(b"\r\n\r\n")
    assert body == b"abcde"
    assert b"transfer-encoding" not in head.lower() and b"connection: close" in head.lower()


def test_connection_close_is_obeyed(gate):
    responses = talk(gate, "GET / HTTP/1.1\r\n" + HEAD + "Connection: Close\r\n\r\n"
                     "GET /never HTTP/1.1\r\n" + HEAD + "\r\n")
    assert [r.header("Connection") for r in responses] == ["close"]
    assert gate.origin.last().target == "/"


def test_pipelined_requests_are_answered_in_order(gate):
    gate.origin.clear()
    texts = []
    for number in range(30):
        body = f"body {number}" if number % 3 == 0 else ""
        if number % 6 == 0:
            framing = f"Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n{body}\r\n0\r\n\r\n"
        else:
            framing = f"Content-Length: {len(body)}\r\n\r\n{body}"
        texts.append(f"PUT /{number} HTTP/1.1\r\n{HEAD}{framing}")

    def echo(request, _):
        text = request.target.encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)

    gate.origin.table.update({f"/{number}": echo for number in range(30)})
    with gate.client(gate.certgate) as client:
        client.send("".join(texts))
        for number in range(30):
            assert client.read_response().body == f"/{number}".encode()
    assert [r.target for r in gate.origin.requests] == [f"/{n}" for n in range(30)]
    assert all(r.body == (f"body {n}".encode() if n % 3 == 0 else b"")
               for n, r in enumerate(gate.origin.requests))


def test_big_pipelined_heads(gate):
    """The next request's head may be cut anywhere, also across the proxy's buffers."""
    gate.origin.clear()
    text = "".join(f"GET /big{n} HTTP/1.1\r\n{HEAD}X-Filler: {'x' * (3000 + 777 * n)}\r\n\r\n"
                   for n in range(12))
    with gate.client(gate.certgate) as client:
        client.send(text)
        for _ in range(12):
            assert client.read_response().status == 200
    assert [len(r.one("X-Filler")) for r in gate.origin.requests] == [
        3000 + 777 * n for n in range(12)]


@pytest.mark.parametrize("size", [0, 1, 4095, 16383, 16384, 16385, 32_700, 32_768, 70_000, 300_000])
def test_bodies_of_every_size_both_ways(gate, size):
    body = bytes(n * 7 % 251 for n in range(size))

    def echo_length(request, _):
        assert request.body == body
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (size, body)

    def echo_chunked(request, _):
        assert request.body == body
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(body[at:at + 999]), body[at:at + 999])
                          for at in range(0, size, 999))
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"

    def echo_close(request, _):
        assert request.body == body
        return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body

    gate.origin.table.update({"/length": echo_length, "/chunked": echo_chunked,
                              "/close": echo_close})
    with gate.client(gate.certgate) as client:
        for path in ("/length", "/chunked", "/close"):
            assert client.get(path, method="POST", body=body).body == body
            client.send(f"POST {path} HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n")
            for at in range(0, size, 5000):
                piece = body[at:at + 5000]
                client.send(b"%X\r\n%s\r\n" % (len(piece), piece))
            client.send(b"0\r\n\r\n")
            response = client.read_response()
            assert response.body == body
            assert response.getheader("Connection") is None


@pytest.mark.parametrize("size", [5, 16384, 40_000])
def test_a_head_that_grows_stands_before_its_body(gate, size):
    body = bytes(n * 7 % 251 for n in range(size))
    gate.origin.table["/short-head"] = b"HTTP/1.1 200 \r\nContent-Length: %d\r\n\r\n%s" % (size, body)
    ask = f"GET /short-head HTTP/1.0\r\n{HEAD}Connection: keep-alive\r\n\r\n"
    with gate.client(gate.certgate) as client:
        for _ in range(2):
            client.send(ask)
            response = client.read_response()
            assert response.getheader("Connection") == "keep-alive"
            assert response.body == body


@pytest.mark.parametrize("size", [1024, 16 * 1024])
def test_head_and_body_leave_in_full_records(gate, size):
    body = bytes(n * 7 % 251 for n in range(size))
    gate.origin.table["/piece"] = (b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n"
                                   b"Content-Length: %d\r\n\r\n%s" % (size, body))
    with gate.client(gate.certgate) as client:
        client.send(f"GET /piece HTTP/1.1\r\n{HEAD}\r\n")
        record = client.tls.recv(65536)  # one record at most
        whole = len(record[:record.index(b"\r\n\r\n") + 4]) + size
        assert len(record) == min(whole, 16 * 1024)


def test_a_body_that_comes_after_its_head_was_passed_on(gate):
    head_was_seen = threading.Event()

    def answer(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        assert head_was_seen.wait(proxy.PATIENCE)
        return b"later"

    gate.origin.table["/later"] = answer
    with gate.client(gate.certgate) as client:
        client.send(f"GET /later HTTP/1.1\r\n{HEAD}\r\n")
        head, rest = proxy.read_head(client.tls)
        assert rest == b""
        head_was_seen.set()
        while len(rest) < 5:
            rest += client.tls.recv(5)
        assert b"Content-Length: 5\r\n" in head and rest == b"later"


def test_head_has_a_length_and_no_body(gate):
    gate.origin.table["/head"] = b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"
    gate.origin.table["/head-chunked"] = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with gate.client(gate.certgate) as client:
        response = client.get("/head", method="HEAD")
        assert response.getheader("Content-Length") == "12345" and response.body == b""
        assert client.get("/head-chunked", method="HEAD").status == 200
        assert client.get("/after").body == b"ok"
        # A refusal of certgate's own has no body either.
        response = client.get("/x", method="HEAD", host="unknown.test")
        assert response.status == 421
        assert client.read_until_close() == b""


@pytest.mark.parametrize("answer, length", [
    (b"HTTP/1.1 204 No Content\r\n\r\n", None),
    (b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", None),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", "99"),
    (b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", "0"),
], ids=["204", "304", "304 with length", "205"])
def test_answers_without_a_body(gate, answer, length):
    gate.origin.table["/bodyless"] = answer
    with gate.client(gate.certgate) as client:
        response = client.get("/bodyless")
        assert (response.status, response.body) == (int(answer.split()[1]), b"")
        assert response.getheader("Content-Length") == length
        assert response.getheader("Transfer-Encoding") is None
        assert client.get("/after").body == b"ok"


def test_interim_responses_are_passed_on(gate):
    gate.origin.table["/hints"] = (
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x\r\nX: 1\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\n\r\n" + wire.OK)
    with gate.client(gate.certgate) as client:
        client.send(f"GET /hints HTTP/1.1\r\n{HEAD}\r\n")
        data = b""
        while not data.endswith(b"ok"):
            data += client.tls.recv(4096)
    heads = data.split(b"\r\n\r\n")
    assert [head.split(b" ")[1] for head in heads[:3]] == [b"103", b"103", b"200"]
    assert b"Link: </a.css>; rel=preload" in heads[0]
    assert b"Connection" not in heads[0] and b"Content-Length" not in heads[0]
    # HTTP/1.0 knows no interim responses (RFC 9110 15.2).
    assert talk(gate, f"GET /hints HTTP/1.0\r\n{HEAD}\r\n")[0].status == 200


def test_a_body_until_close_is_told_complete_from_torn(gate):
    gate.origin.table["/until-close"] = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it"
    with gate.client(gate.certgate) as client:
        response = client.get("/until-close")
        assert response.body == b"all of it"
        assert response.getheader("Transfer-Encoding") == "chunked"
        assert client.get("/after").body == b"ok"
    gate.origin.table["/old"] = b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nold"
    assert talk(gate, f"GET /old HTTP/1.0\r\n{HEAD}\r\n")[0].body == b"old"


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\nonly this",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n9\r\nonly this\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n99\r\nonly this",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\nonly\r\nzz\r\n",
], ids=["length", "between chunks", "within a chunk", "bad chunk"])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_torn_response_is_an_error_for_the_client(gate, answer, version):
    """The client must be able to tell: no orderly end, no last chunk."""
    gate.origin.table["/torn"] = answer
    with gate.client(gate.certgate) as client:
        client.tls.suppress_ragged_eofs = False
        client.send(f"GET /torn HTTP/{version}\r\n{HEAD}\r\n")
        data = b""
        ended_in_order = True
        try:
            while piece := client.tls.recv(4096):
                data += piece
        except OSError:  # reset, or the end of TCP without TLS's own end
            ended_in_order = False
    assert not ended_in_order or data.startswith(b"HTTP/1.1 502")
    assert not data.endswith(b"0\r\n\r\n")
    record = gate.certgate.records(path="/torn")
    assert record == [] or record[-1]["failure"]


MALFORMED = [
    ("not http", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    ("no status", b"HTTP/1.1\r\n\r\n"),
    ("two digits", b"HTTP/1.1 20 OK\r\n\r\n"),
    ("status 600", b"HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n"),
    ("status 099", b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n"),
    ("version 2", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("bare lf", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    ("length and chunked",
     b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc"),
    ("length list", b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nab"),
    ("negative length", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
    ("gzip, chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("1.0 chunked", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("fold", b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
    ("space before colon", b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"),
    ("nul", b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"),
    ("bare cr", b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: x\r\nContent-Length: 0\r\n\r\n"),
    ("204 with chunks", b"HTTP/1.1 204 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("unasked 101", b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
    ("huge head", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n"),
    ("bad chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"),
    ("nothing", b""),
    ("half a head", b"HTTP/1.1 200 OK\r\nContent-Le"),
]


@pytest.mark.parametrize("name, answer", MALFORMED, ids=[row[0] for row in MALFORMED])
def test_a_malformed_answer_is_502(gate, name, answer):
    def once(_, connection):
        connection.sendall(answer)
        return False

    gate.origin.table["/bad"] = once
    with gate.client(gate.certgate) as client:
        response = client.get("/bad", headers=[("Accept", "application/json")])
        assert response.status == 502, name
        assert b"ok" not in response.body
        # The client's own connection is none the worse for it.
        if response.getheader("Connection") != "close":
            assert client.get("/after").status == 200


def test_the_wrong_bytes_of_an_origin_are_not_the_next_answer(gate):
    """What follows a response belongs to nobody; its connection is not used again."""
    gate.origin.table["/extra"] = wire.OK + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
    with gate.client(gate.certgate) as client:
        for _ in range(3):
            assert client.get("/extra").body == b"ok"
            assert client.get("/after").body == b"ok"


def test_an_early_answer_while_the_upload_goes_on(gate):
    with gate.client(gate.certgate) as client:
        client.send(f"POST /early HTTP/1.1\r\n{HEAD}Content-Length: 100000000\r\n\r\n" + "x" * 999)
        response = client.read_response()
        assert (response.status, response.body) == (401, b"no")
        # The rest of the upload is nobody's: the client is told that the connection ends.
        assert response.getheader("Connection") == "close"
        assert client.read_until_close() == b""


def test_an_early_answer_that_is_whole_says_that_the_connection_ends(gate):
    """The origin would take the rest; but nobody waits for it once the answer is over."""
    with gate.client(gate.certgate) as client:
        client.send(f"POST /early/open HTTP/1.1\r\n{HEAD}Content-Length: 100000000\r\n\r\n" + "x" * 999)
        response = client.read_response()
        assert (response.status, response.body) == (200, b"ok")
        assert response.getheader("Connection") == "close"


@pytest.mark.parametrize("path", ["/blocked", "/early", "/early/open"])
def test_a_client_that_sends_its_whole_body_first_can_read_the_answer(gate, path):
    """More than fits into any buffer on the way: what is not wanted is taken all the same."""
    with gate.client(gate.certgate) as client:
        client.send(f"POST {path} HTTP/1.1\r\n{HEAD}Content-Length: 50000000\r\n\r\n")
        for _ in range(50):
            client.send(b"x" * 1_000_000)
        response = client.read_response()
        assert response.status == {"/blocked": 403, "/early": 401, "/early/open": 200}[path]


def test_both_bodies_at_once(gate):
    """An origin that streams back what it receives, while it is still receiving."""
    with gate.client(gate.certgate) as client:
        client.send(f"POST /echo HTTP/1.1\r\n{HEAD}Content-Length: 6\r\n\r\n")
        data = b""
        for number, piece in enumerate((b"abc", b"def")):
            client.send(piece)
            while data.count(b"\r\n3\r\n") <= number:
                data += client.tls.recv(4096)
        while not data.endswith(b"0\r\n\r\n"):
            data += client.tls.recv(4096)
        assert data.endswith(b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")
        assert client.get("/after").body == b"ok"
