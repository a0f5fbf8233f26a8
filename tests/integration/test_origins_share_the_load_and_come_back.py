"""Several servers of one origin: turns, ejection and comeback, health checks, kept connections."""

import collections
import socket
import threading

import pytest

import proxy
import wire


class Switchable(wire.WireOrigin):
    """A server that can be made to fail: `mode` is up, reset or the status to answer with."""

    def __init__(self):
        self.mode = "up"
        super().__init__(self.answer)

    def answer(self, request, connection):
        if self.mode == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return False
        if isinstance(self.mode, int):
            return b"HTTP/1.1 %d Odd\r\nContent-Length: 0\r\n\r\n" % self.mode
        return None


def counts(origins):
    return [sum(1 for r in o.requests if not r.target.startswith("/health")) for o in origins]


@pytest.fixture
def three():
    origins = [Switchable() for _ in range(3)]
    yield origins
    for origin in origins:
        origin.close()


def start(tmp_path, origins, workers=1, timeouts=None, **settings):
    setup = proxy.Setup(tmp_path, origins[0])
    settings = {"servers": [o.url for o in origins], **settings}
    config = setup.config(rules=[], workers=workers, origins={"api": settings},
                          timeouts={"drain": "2s", **(timeouts or {})})
    setup.certgate = setup.start(config)
    return setup


def test_round_robin_takes_turns(tmp_path, three):
    setup = start(tmp_path, three)
    with setup.certgate as certgate, setup.client(certgate) as client:
        for _ in range(30):
            assert client.get("/").status == 200
    assert counts(three) == [10, 10, 10]
    assert [o.connections for o in three] == [1, 1, 1]


def test_least_connections_avoids_the_busy(tmp_path, three):
    release = threading.Event()
    for origin in three:
        origin.respond = lambda request, _: (
            None if request.target == "/quick" or release.wait(proxy.PATIENCE) else None)
    setup = start(tmp_path, three, balance="least_connections")
    with setup.certgate as certgate, setup.client(certgate) as stuck:
        # Someone's request hangs at a server; everybody else goes elsewhere.
        stuck.send("GET /hangs HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
        busy = proxy.wait_until(lambda: next((o for o in three if o.requests), None), "a request")
        with setup.client(certgate) as client:
            for _ in range(20):
                assert client.get("/quick").status == 200
        release.set()
        assert stuck.read_response().status == 200
    assert [r.target for r in busy.requests] == ["/hangs"]
    assert sorted(counts(three)) == [1, 10, 10]


def test_a_dead_server_is_left_alone_and_used_again(tmp_path, three):
    """Passive: nobody asks; requests show that it is dead, and later that it is back."""
    dead = three[1]
    port = dead.port
    dead.close()
    setup = start(tmp_path, three, health={"eject_after": 2, "eject_for": "700ms"})
    with setup.certgate as certgate, setup.client(certgate) as client:
        # Nothing was sent to it, so another server has the request: nobody notices.
        for number in range(12):
            assert client.get("/", method="POST" if number % 2 else "GET").status == 200
        attempts = [r["origin_attempts"] for r in certgate.records(12)]
        assert attempts.count(2) == 2 and attempts.count(1) == 10
        assert counts(three)[1] == 0
        # Back on the same port, it gets its turn once the ejection is over.
        with wire.WireOrigin(port=port) as revived:

            def served():
                assert client.get("/").status == 200
                return revived.requests

            proxy.wait_until(served, "the server to be used again")


def test_a_server_that_fails_requests_is_ejected(tmp_path, three):
    three[2].mode = "reset"
    setup = start(tmp_path, three, health={"eject_after": 3, "eject_for": "1h"})
    with setup.certgate as certgate, setup.client(certgate) as client:
        statuses = [client.get("/", method="POST", body=b"x").status for _ in range(30)]
    # What was sent may have been done: a POST is not repeated elsewhere, its client is told.
    assert collections.Counter(statuses) == {200: 27, 502: 3}
    assert counts(three)[2] == 3


def test_all_ejected_is_better_than_none(tmp_path, three):
    """When every server has failed, one is tried all the same; a good answer clears it."""
    for origin in three:
        origin.mode = "reset"
    setup = start(tmp_path, three, health={"eject_after": 1, "eject_for": "1h"})
    with setup.certgate as certgate, setup.client(certgate) as client:
        for _ in range(6):
            assert client.get("/").status == 502
        for origin in three:
            origin.mode = "up"
        assert [client.get("/").status for _ in range(5)] == [200] * 5


def test_no_server_at_all(tmp_path):
    origin = wire.WireOrigin()
    origin.close()
    setup = start(tmp_path, [origin])
    with setup.certgate as certgate, setup.client(certgate) as client:
        assert client.get("/").status == 502
        assert client.get("/").status == 502  # a lone server is always tried
        assert {r["failure"] for r in certgate.records(2)} == {"origin_refused"}


def test_active_checks_take_a_server_out_and_back(tmp_path, three):
    sick = three[0]
    setup = start(tmp_path, three, health={"path": "/healthz", "interval": "100ms",
                                           "healthy_after": 2, "unhealthy_after": 2})
    with setup.certgate as certgate, setup.client(certgate) as client:
        sick.wait_for(1)
        probe = sick.requests[0]
        assert probe.line == "GET /healthz HTTP/1.1"
        assert probe.one("Host") == f"127.0.0.1:{sick.port}"
        sick.mode = 503
        proxy.wait_until(lambda: sick.url in certgate.log() and "503" in certgate.log(),
                         "the log to say that a server is down")
        for _ in range(9):
            assert client.get("/").status == 200
        assert counts(three)[0] == 0
        sick.mode = "up"

        def served():
            assert client.get("/").status == 200
            return counts(three)[0]

        proxy.wait_until(served, "the server to be used again")
        for origin in three:
            origin.mode = 500
        # Checked and found down, all of them: that is 503 of certgate's own, not a try.
        proxy.wait_until(lambda: client.get("/").status == 503, "no server")
        assert certgate.records(1, status=503, failure="no_server")


def test_idle_connections_are_reused_and_end(tmp_path):
    with wire.WireOrigin() as origin:
        setup = start(tmp_path, [origin], keepalive={"connections": 8, "idle": "300ms"})
        with setup.certgate as certgate:
            for _ in range(3):  # kept from one client to the next
                with setup.client(certgate) as client:
                    for _ in range(3):
                        assert client.get("/").status == 200
            # Idle for long enough, it is closed by certgate: the next request opens another.
            def reopened():
                with setup.client(certgate) as client:
                    assert client.get("/").status == 200
                return origin.connections > 1 or threading.Event().wait(0.7)

            proxy.wait_until(lambda: reopened() and origin.connections > 1, "a new connection")


def test_no_connection_is_kept_when_told_so(tmp_path):
    with wire.WireOrigin() as origin:
        setup = start(tmp_path, [origin], keepalive={"connections": 0})
        with setup.certgate as certgate, setup.client(certgate) as client:
            for _ in range(3):
                assert client.get("/").status == 200
        assert origin.connections == 3


class Impatient(wire.WireOrigin):
    """Answers one request per connection as if it kept it, and ends it upon the second."""

    def __init__(self):
        self.served = collections.Counter()
        super().__init__(self.answer)

    def answer(self, request, connection):
        self.served[request.connection] += 1
        return None if self.served[request.connection] == 1 else False


@pytest.mark.parametrize("method, repeated", [
    ("GET", True), ("HEAD", True), ("PUT", True), ("DELETE", True), ("OPTIONS", True),
    ("POST", False), ("PATCH", False),
])
def test_a_stale_connection_is_retried_once_and_never_for_post(tmp_path, method, repeated):
    with Impatient() as origin:
        setup = start(tmp_path, [origin])
        with setup.certgate as certgate, setup.client(certgate) as client:
            assert client.get("/first").status == 200
            body = b"once" if method in ("PUT", "POST", "PATCH") else None
            response = client.get("/second", method=method, body=body)
            assert response.status == (200 if repeated else 502)
            assert client.get("/third").status == 200
        seen = [r for r in origin.requests if r.target == "/second"]
        assert len(seen) == (2 if repeated else 1)
        assert all(r.body == (body or b"") for r in seen)
        # The repetition used a new connection, which may not be repeated again.
        assert len({r.connection for r in seen}) == len(seen)


def test_what_dies_on_a_new_connection_is_sent_once_more_to_another_server(tmp_path, three):
    three[0].mode = "reset"
    setup = start(tmp_path, three, health={"eject_after": 2, "eject_for": "1h"})
    with setup.certgate as certgate, setup.client(certgate) as client:
        assert [client.get("/").status for _ in range(12)] == [200] * 12
        attempts = [r["origin_attempts"] for r in certgate.records(12)]
    assert attempts == [2, 1, 2] + [1] * 9  # then it is left alone


def test_no_third_server_is_tried(tmp_path, three):
    for origin in three[:2]:
        origin.mode = "reset"
    setup = start(tmp_path, three, health={"eject_after": 100})
    with setup.certgate as certgate, setup.client(certgate) as client:
        # Turns: 0 and 1, 2 alone, 0 and 1.
        assert [client.get("/", method=m).status for m in ("GET", "PUT", "DELETE")] == [502, 200, 502]
        assert [r["origin_attempts"] for r in certgate.records(3)] == [2, 1, 2]


def test_a_new_connection_that_dies_is_not_retried_at_the_only_server(tmp_path):
    with wire.WireOrigin(lambda *_: False) as origin:
        setup = start(tmp_path, [origin])
        with setup.certgate as certgate, setup.client(certgate) as client:
            assert client.get("/").status == 502
            assert certgate.records(1)[0]["failure"] == "origin_closed"
        assert len(origin.requests) == 1


def test_an_answer_that_has_begun_is_not_retried(tmp_path):
    def half(request, connection):
        if request.target == "/half":
            connection.sendall(b"HTTP/1.1 200 OK\r\nCont")
            return False
        return None

    with wire.WireOrigin(half) as origin:
        setup = start(tmp_path, [origin])
        with setup.certgate as certgate, setup.client(certgate) as client:
            assert client.get("/").status == 200
            assert client.get("/half").status == 502
        assert len(origin.requests) == 2


@pytest.mark.parametrize("scheme", ["NTLM TlRMTVNTUAAB", "negotiate YIIB", "Negotiate"])
def test_threat_71_a_connection_that_someone_logged_in_on_is_not_shared(tmp_path, scheme):
    """NTLM and Negotiate log a connection in: the next client must not inherit it."""
    def respond(request, _):
        if request.target == "/challenge":
            return (b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x, "
                    + scheme.split()[0].encode() + b"\r\nContent-Length: 0\r\n\r\n")
        return None

    with wire.WireOrigin(respond) as origin:
        setup = start(tmp_path, [origin])
        with setup.certgate as certgate, setup.client(certgate) as client:
            for path, headers in [("/", ()), ("/", [("Authorization", "Basic eDp5")]),
                                  ("/in", [("Authorization", scheme)]), ("/next", ()),
                                  ("/challenge", ()), ("/last", ())]:
                assert client.get(path, headers=headers).status in (200, 401)
        numbers = [r.connection for r in origin.requests]
        assert numbers == [0, 0, 0, 1, 1, 2]
