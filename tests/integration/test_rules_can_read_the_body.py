"""Rules on http.request.body.*: what they see of it, how it is waited for, and how it goes on."""

import socket
import threading

import pytest

import proxy
import wire

LIMIT = 2048
HOST = "Host: api.example.com\r\n"
INVITED = b"HTTP/1.1 100 Continue\r\n\r\n"


def blocks(name, expression):
    return {"name": name, "expression": expression, "action": "block"}


RULES = [
    blocks("bad word", 'http.request.body.raw contains "attack"'),
    blocks("bad user", 'any(http.request.headers["content-type"][*] eq "application/json") and '
                       'lookup_json_string(http.request.body.raw, "user") eq "mallory"'),
    blocks("bad form", 'any(http.request.body.form["user"][*] eq "mallory")'),
    blocks("cut", 'http.request.uri.path eq "/whole" and http.request.body.truncated'),
    blocks("uncut", 'http.request.uri.path eq "/cut" and not http.request.body.truncated'),
]
SIZE_RULES = [blocks("not 7", "http.request.body.size ne 7"), blocks("bad word", RULES[0]["expression"])]
LIMITS = {"judged_body_bytes": f"{LIMIT}B", "body_bytes": "8MiB"}


def serving(folder, rules):
    with wire.WireOrigin() as origin:
        setup = proxy.Setup(folder, origin)
        with setup.start(rules=rules, limits=LIMITS) as certgate:
            setup.certgate = certgate
            yield setup


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    yield from serving(tmp_path_factory.mktemp("gate"), RULES)


@pytest.fixture(scope="module")
def sized(tmp_path_factory):
    """Where a rule reads the size: not known of a long chunked body, which is then refused."""
    yield from serving(tmp_path_factory.mktemp("sized"), SIZE_RULES)


@pytest.fixture
def client(gate):
    gate.origin.clear()
    with gate.client(gate.certgate) as client:
        yield client


def chunks(body, piece=None):
    piece = piece or max(len(body), 1)
    parts = [body[at:at + piece] for at in range(0, len(body), piece)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def post(body, path="/", framing="length", more="", version="1.1"):
    """`framing`: "length", "chunked", or the bytes of a chunk."""
    if framing == "length":
        told, data = f"Content-Length: {len(body)}\r\n", body
    else:
        told = "Transfer-Encoding: chunked\r\n"
        data = chunks(body, None if framing == "chunked" else framing)
    head = f"POST {path} HTTP/{version}\r\n{HOST}{told}{more}\r\n".encode()
    return head, data


def ask(client, *arguments, **options):
    client.send(b"".join(post(*arguments, **options)))
    return client.read_response().status


def ended(client):
    assert client.read_until_close() == b""


FRAMINGS = ["length", "chunked", 1, 7]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_rule_blocks_by_raw_content_and_the_connection_goes_on(gate, client, framing):
    assert ask(client, b"an attack on it", "/raw", framing=framing) == 403
    assert ask(client, b"at tack", "/raw", framing=framing) == 200
    assert ask(client, b"attack", "/raw", framing=framing) == 403
    assert client.get("/none").status == 200
    assert [r.body for r in gate.origin.requests] == [b"at tack", b""]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_rule_blocks_by_a_json_field(client, framing):
    kind = "Content-Type: application/json\r\n"
    assert ask(client, b'{"user": "mallory"}', framing=framing, more=kind) == 403
    assert ask(client, b'{"user": "alice", "n": "mallory"}', framing=framing, more=kind) == 200
    assert ask(client, b'{"user": "mallory"}', framing=framing) == 200


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_rule_blocks_by_a_form_field(client, framing):
    kind = "Content-Type: application/x-www-form-urlencoded\r\n"
    assert ask(client, b"a=b&user=mallory", framing=framing, more=kind) == 403
    assert ask(client, b"a=mallory&user=bob", framing=framing, more=kind) == 200


@pytest.mark.parametrize("framing", FRAMINGS)
def test_size_is_that_of_the_content_without_framing(sized, framing):
    with sized.client(sized.certgate) as client:
        assert [ask(client, b"x" * n, framing=framing) for n in (6, 7, 8)] == [403, 200, 403]


def test_a_request_without_a_body_has_one_of_no_bytes(client):
    assert client.get("/whole").status == 200
    assert client.get("/cut").status == 403
    assert ask(client, b"", "/whole") == 200
    assert ask(client, b"", "/whole", framing="chunked") == 200


@pytest.mark.parametrize("size", [1, LIMIT - 1, LIMIT, LIMIT + 1, LIMIT + 600, 20_000, 100_000, 5 << 20])
@pytest.mark.parametrize("framing", ["length", "chunked", 1, 1000])
def test_an_allowed_body_arrives_unharmed_and_truncated_says_whether_it_was_cut(gate, client, size,
                                                                                framing):
    if framing == 1:
        size = min(size, 20_000)
    body = (b"0123456789abcdefghijk" * (size // 21 + 1))[:size]
    cut = size > LIMIT
    assert ask(client, body, "/whole" if not cut else "/cut", framing=framing) == 200
    reached = gate.origin.last()
    assert reached.body == body
    assert reached.one("Content-Length" if framing == "length" else "Transfer-Encoding") == (
        str(size) if framing == "length" else "chunked")
    client.send(post(body, "/whole" if cut else "/cut", framing=framing)[0])
    if framing == "length":
        client.send(body[:LIMIT])  # as much as decides it
    else:
        client.send(post(body, framing=framing)[1][:LIMIT * 8])
    assert client.read_response().status == 403


@pytest.mark.parametrize("at", [0, LIMIT - 6, LIMIT - 5, LIMIT, LIMIT + 4000])
def test_only_the_beginning_is_seen(client, at):
    body = b"x" * at + b"attack" + b"y" * 9000
    for framing in ("length", "chunked", 1000, 7):
        assert ask_once(client, body, framing) == (403 if at + 6 <= LIMIT else 200)


def ask_once(client, body, framing):
    """On a connection of its own, for a cut body that is blocked ends it."""
    with proxy.Client(client.tls.getpeername()[1], client.tls.context) as other:
        other.send(b"".join(post(body, framing=framing)))
        return other.read_response().status


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_body_in_pieces_is_awaited(gate, client, framing):
    """The head is read alone: no piece shares a record with another."""
    for body, status in ((b"no at-tack at all", 200), (b"so an attack it is", 403)):
        head, data = post(body, "/pieces", framing=framing)
        client.send(head)
        for byte in data:
            client.send(bytes([byte]))
        assert client.read_response().status == status
    assert [r.body for r in gate.origin.requests] == [b"no at-tack at all"]
    assert client.get("/next").status == 200


def test_nothing_reaches_the_origin_before_the_decision(gate, client):
    head, data = post(b"attack")
    client.send(head + data[:-1])
    with gate.client(gate.certgate) as other:  # a round trip of another client
        assert other.get("/other").status == 200
    client.send(data[-1:])
    assert client.read_response().status == 403
    assert [r.target for r in gate.origin.requests] == ["/other"]
    assert gate.origin.surplus == []


@pytest.mark.parametrize("framing", ["length", "chunked", 3])
@pytest.mark.parametrize("in_one", [True, False])
def test_the_next_request_behind_a_body_is_not_lost(gate, client, framing, in_one):
    bodies = [b"first", b"attack", b"third" * 300, b"an attack" * 200, b"last"]
    requests = [post(body, f"/{n}", framing=framing) for n, body in enumerate(bodies)]
    if in_one:
        client.send(b"".join(head + data for head, data in requests))
    else:  # each body in one record with the next request's head
        client.send(requests[0][0])
        for at, (_, data) in enumerate(requests):
            client.send(data + (requests[at + 1][0] if at + 1 < len(requests) else b""))
    assert [client.read_response().status for _ in bodies] == [200, 403, 200, 403, 200]
    assert [r.body for r in gate.origin.requests] == [b"first", b"third" * 300, b"last"]


def test_expect_is_answered_before_the_decision_and_not_passed_on(gate, client):
    expect = "Expect: 100-continue\r\n"
    for framing in ("length", "chunked"):
        for body, status in ((b"fine", 200), (b"attack", 403)):
            head, data = post(body, "/expect", framing=framing, more=expect)
            client.send(head)
            assert client.tls.recv(100) == INVITED
            client.send(data)
            assert client.read_response().status == status
        assert gate.origin.last().all("Expect") == []
    # Longer than what rules see: invited once.
    body = b"z" * (LIMIT * 4)
    head, data = post(body, "/expect", more=expect)
    client.send(head)
    assert client.tls.recv(100) == INVITED
    client.send(data)
    assert client.read_response().status == 200
    assert gate.origin.last().body == body


def test_expect_with_the_body_behind_it_needs_no_invitation(client):
    head, data = post(b"whole", more="Expect: 100-continue\r\n")
    client.send(head + data)
    assert client.read_response().status == 200


def test_http_1_0(gate, client):
    client.send(b"".join(post(b"attack", version="1.0")))
    assert wire.status_of(client.read_until_close()) == 403
    for body in (b"fine", b"f" * (3 * LIMIT)):
        answer = wire.talk(gate, gate.certgate, b"".join(
            post(body, version="1.0", more="Expect: 100-continue\r\n")))
        assert wire.status_of(answer) == 200
        assert gate.origin.last().body == body


def test_the_size_of_a_long_chunked_body_is_not_guessed(sized):
    for more, failure in ((0, None), (1, "evaluation_failed")):
        body, path = b"x" * (LIMIT + more), f"/long-{more}"
        with sized.client(sized.certgate) as client:
            client.send(b"".join(post(body, path, framing=500)))
            assert client.read_response().status == 403
        record = sized.certgate.records(1, path=path)[0]
        assert (record.get("failure"), record.get("rule")) == (failure, None if failure else "not 7")


def test_blocked_before_the_end_of_its_body_the_connection_ends(gate, client):
    body = b"attack" + b"x" * 100_000
    client.send(b"".join(post(body, "/early")) + b"GET /smuggled HTTP/1.1\r\n" + HOST.encode() + b"\r\n")
    answers = wire.parse_responses(client.read_until_close())
    assert [a.status for a in answers] == [403]
    assert answers[0].header("Connection") == "close"
    assert gate.origin.requests == []


def test_bytes_in_counts_the_body_once(gate, client):
    for path, body in (("/bytes-a", b"attack"), ("/bytes-b", b"fine"), ("/bytes-c", b"x" * 300_000)):
        for framing in ("length", 5000):
            head, data = post(body, path, framing=framing)
            client.send(head)
            client.send(data)
            client.read_response()
            record = gate.certgate.records(1 if framing == "length" else 2, path=path)[-1]
            assert record["bytes_in"] == len(head) + len(body)


@pytest.mark.parametrize("data, reason", [
    (b"5;x\r\nhello\r\nz\r\n", "bad_chunk_size"), (b"5\r\nhelloX\r\n", None), (b"-1\r\n", None)])
@pytest.mark.parametrize("apart", [True, False])
def test_malformed_chunks_get_400(gate, client, data, reason, apart):
    head = f"POST /malformed HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n".encode()
    if apart:
        client.send(head)
        for byte in data[:-1]:
            client.send(bytes([byte]))
        client.send(data[-1:])
    else:
        client.send(head + data)
    assert wire.status_of(client.read_until_close()) == 400
    assert gate.origin.requests == []


@pytest.mark.parametrize("apart", [True, False])
def test_more_than_body_bytes_gets_413(tmp_path, apart):
    with wire.WireOrigin() as origin:
        setup = proxy.Setup(tmp_path, origin)
        with setup.start(rules=RULES[:1], limits={"body_bytes": "1KiB"}) as certgate:
            for size, framing, status in ((1024, "length", 200), (1024, 100, 200),
                                          (1025, "length", 413), (1025, 100, 413)):
                with setup.client(certgate) as client:
                    head, data = post(b"x" * size, framing=framing)
                    client.send(head + (b"" if apart else data))
                    if apart and (status, framing) != (413, "length"):
                        client.send(data)
                    assert client.read_response().status == status
            assert [len(r.body) for r in origin.requests] == [1024, 1024]
            assert certgate.records(2, failure="body_too_large")


def test_threat_75_a_slow_body_gets_408(tmp_path):
    with wire.WireOrigin() as origin:
        setup = proxy.Setup(tmp_path, origin)
        with setup.start(rules=RULES[:1], timeouts={"body": "300ms", "drain": "2s"},
                         limits={"body_rate": "1KiB"}) as certgate:
            with setup.client(certgate) as client:  # silent
                client.send(post(b"x" * 100, "/silent")[0] + b"some")
                assert wire.status_of(client.read_until_close()) == 408
            with setup.client(certgate) as client:  # a byte now and then
                client.send(post(b"x" * 100_000, "/drips")[0])
                assert wire.status_of(client.drip("x", every=0.02)) == 408
            for path in ("/silent", "/drips"):
                assert certgate.records(1, path=path)[0]["failure"] == "body_timeout"
            assert origin.requests == []


def test_a_client_that_leaves_meanwhile_is_in_the_log(gate, client):
    client.send(post(b"x" * 100, "/left")[0] + b"some")
    client.tls.shutdown(socket.SHUT_RDWR)
    assert gate.certgate.records(1, path="/left")[0]["failure"] in ("truncated_body", "connection_lost")
    assert gate.origin.requests == []


def test_shutdown_ends_the_wait(tmp_path):
    with wire.WireOrigin() as origin:
        setup = proxy.Setup(tmp_path, origin)
        with setup.start(rules=RULES[:1], timeouts={"drain": "200ms"}) as certgate:
            with setup.client(certgate) as client, setup.client(certgate) as other:
                head, data = post(b"x" * 100, "/open", more="Expect: 100-continue\r\n")
                client.send(head)
                assert client.tls.recv(100) == INVITED
                assert other.get().status == 200
                certgate.process.terminate()
                assert wire.status_of(client.read_until_close()) == 503
            certgate.process.wait(proxy.PATIENCE)
            assert certgate.records(1, path="/open")[0]["failure"] == "shutting_down"


def waits_for_its_body(setup, certgate, identity, path="/"):
    """A client whose head has been read: certgate asked for the body."""
    client = setup.client(certgate, identity)
    client.send(post(b"fine", path, more="Expect: 100-continue\r\n")[0])
    assert client.tls.recv(100) == INVITED
    return client


def test_who_is_revoked_while_the_body_is_read_is_refused(tmp_path):
    with wire.WireOrigin() as origin:
        setup = proxy.Setup(tmp_path, origin)
        device = setup.ca.issue("sensor-7")
        rules = [proxy.BLOCK_UNVERIFIED, RULES[0]]
        with setup.start(rules=rules) as certgate:
            with waits_for_its_body(setup, certgate, device) as client:
                client.send(b"fine")
                assert client.read_response().status == 200
            with waits_for_its_body(setup, certgate, device) as client:
                setup.ca.revoke(device)
                certgate.reload()
                client.send(b"fine")
                assert client.read_response().status == 403
            record = certgate.records(1, status=403)[0]
            assert record["rule"] == proxy.BLOCK_UNVERIFIED["name"]


def test_where_a_certificate_is_required_nobody_else_is_invited_to_send(tmp_path):
    with wire.WireOrigin() as origin:
        setup = proxy.Setup(tmp_path, origin)
        device = setup.ca.issue("sensor-7")
        config = setup.config(rules=[RULES[0]])
        config["hosts"][0]["client_auth"]["mode"] = "require"
        with setup.start(config) as certgate, setup.client(certgate, device) as client:
            assert client.get().status == 200
            setup.ca.revoke(device)
            certgate.reload()
            # The body never comes: it is not waited for, nor asked for.
            client.send(f"POST / HTTP/1.1\r\n{HOST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")
            assert client.read_response().status == 403
            assert certgate.records(1, status=403)[0]["failure"] == "client_certificate_required"


def test_a_reload_while_the_body_is_read_counts(tmp_path):
    """Rules, hosts and limits are those in force when it is decided."""
    with wire.WireOrigin() as origin:
        setup = proxy.Setup(tmp_path, origin)
        config = setup.config(rules=RULES[:1])
        with setup.start(config) as certgate:
            with waits_for_its_body(setup, certgate, None, "/new-rule") as client:
                certgate.reload(setup.config(rules=[blocks("new", 'http.request.body.raw eq "fine"')]))
                client.send(b"fine")
                assert client.read_response().status == 403
            with waits_for_its_body(setup, certgate, None, "/no-rule") as client:
                certgate.reload(setup.config(rules=[]))
                client.send(b"fine")
                assert client.read_response().status == 200
                assert origin.last().body == b"fine"
            certgate.reload(config)
            with waits_for_its_body(setup, certgate, None, "/no-host") as client:
                certgate.reload(setup.config(rules=RULES[:1], hosts=[setup.host(["example.org"])]))
                client.send(b"fine")
                assert wire.status_of(client.read_until_close()) == 421
            certgate.reload(config)
            with waits_for_its_body(setup, certgate, None, "/limit") as client:
                certgate.reload(setup.config(rules=RULES[:1], limits={"body_bytes": "3B"}))
                client.send(b"fine")
                assert wire.status_of(client.read_until_close()) == 413
        assert [r.target for r in origin.requests] == ["/no-rule"]


def test_a_header_value_reads_the_body(tmp_path):
    """Reading happens although no rule does."""
    with wire.WireOrigin() as origin:
        setup = proxy.Setup(tmp_path, origin)
        headers = {"set": {"X-Body-Size": "to_string(http.request.body.size)"}}
        with setup.start(rules=[], hosts=[setup.host(request_headers=headers)]) as certgate:
            with setup.client(certgate) as client:
                head, data = post(b"seven b", framing=2)
                client.send(head)
                client.send(data)
                assert client.read_response().status == 200
        assert origin.last().one("X-Body-Size") == "7"
        assert origin.last().body == b"seven b"


def test_without_such_a_rule_the_origin_has_the_body_as_it_comes(tmp_path):
    """And answers before it is over."""
    arrived = threading.Event()

    def answer_at_once(connection):
        _, rest = proxy.read_head(connection)
        while len(rest) < 4:
            rest += connection.recv(100)
        arrived.set()
        connection.sendall(wire.OK)

    origin = proxy.RawOrigin(answer_at_once)
    setup = proxy.Setup(tmp_path, origin)
    with setup.start(rules=[]) as certgate, setup.client(certgate) as client:
        client.send(post(b"x" * 100)[0] + b"some")
        assert arrived.wait(proxy.PATIENCE)
        assert client.read_response().status == 200
    origin.close()


def test_a_kept_connection_that_died_is_replaced_with_the_body_again(tmp_path):
    """What is kept for the rules is what is sent once more."""
    with wire.WireOrigin(lambda request, _: False if request.target == "/dies" else None) as origin:
        setup = proxy.Setup(tmp_path, origin)
        with setup.start(rules=RULES[:1], workers=1) as certgate, setup.client(certgate) as client:
            body = b"b" * 60_000
            assert client.get("/").status == 200
            client.get("/dies")
            for _ in range(3):
                assert client.get("/again", method="PUT", body=body).status == 200
                assert origin.last().body == body


@pytest.mark.parametrize("framing", ["length", "chunked", 5000])
def test_the_longest_beginning_goes_on_whole_to_an_origin_that_takes_its_time(tmp_path, framing):
    """More than any buffer on the way takes at once, and decided by its last byte."""
    limit, connected, reads, got = 1 << 20, threading.Event(), threading.Event(), []

    def read_late(connection):
        connected.set()
        assert reads.wait(proxy.PATIENCE)
        reader = wire.WireReader(connection)
        got.append(reader.body(reader.head())[0])
        connection.sendall(wire.OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))

    origin = proxy.RawOrigin(read_late)
    setup = proxy.Setup(tmp_path, origin)
    with setup.start(rules=RULES[:1], limits={"judged_body_bytes": "1MiB"}) as certgate:
        for size in (limit, limit + 1, 3 * limit):
            body = (bytes(range(256)) * (size // 256 + 1))[:size]
            bad = body[:limit - 6] + b"attack" + body[limit:]
            answer = wire.talk(setup, certgate, b"".join(post(bad, framing=framing, more="Connection: close\r\n")))
            assert not answer or wire.status_of(answer) == 403
            assert not connected.is_set()
            with setup.client(certgate) as client:
                data = b"".join(post(body, framing=framing))
                sender = threading.Thread(target=client.send, args=(data,))
                sender.start()
                assert connected.wait(proxy.PATIENCE)
                reads.set()
                assert client.read_response().status == 200
                sender.join()
            assert got.pop() == body
            connected.clear()
            reads.clear()
        assert len(certgate.records(3, status=403)) == 3
    origin.close()
