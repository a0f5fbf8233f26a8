"""WebSocket through real peers, and nothing that only looks like an upgrade."""

import asyncio
import contextlib
import socket
import threading

import pytest
import websockets
import websockets.exceptions

import proxy
import wire

HANDSHAKE = (b"GET /ws HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\n"
             b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
             b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


class EchoServer:
    """python3-websockets on a thread of its own: sends every message back."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.paths = []
        self.headers = []
        ready = threading.Event()

        async def echo(connection, path=None):
            request = getattr(connection, "request", None)  # since websockets 13
            self.paths.append(request.path if request else connection.path)
            self.headers.append(request.headers if request else connection.request_headers)
            with contextlib.suppress(websockets.exceptions.ConnectionClosed):
                async for message in connection:
                    await connection.send(message)

        async def serve():
            server = await websockets.serve(echo, "127.0.0.1", 0, max_size=None, compression=None)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()

        def run():
            asyncio.set_event_loop(self.loop)
            self.loop.run_until_complete(serve())
            self.loop.run_forever()

        threading.Thread(target=run, daemon=True).start()
        assert ready.wait(proxy.PATIENCE)
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)


@pytest.fixture
def chat(tmp_path):
    server = EchoServer()
    setup = proxy.Setup(tmp_path, server)
    setup.valid = setup.ca.issue("alice")
    yield setup
    server.close()


def connect(setup, certgate, identity):
    context = proxy.client_context(setup.server_ca, identity)
    raw = socket.create_connection(("127.0.0.1", certgate.port))
    return websockets.connect("wss://api.example.com/chat?room=1", ssl=context, sock=raw,
                              server_hostname="api.example.com", max_size=None, compression=None,
                              open_timeout=proxy.PATIENCE, close_timeout=proxy.PATIENCE)


def test_messages_of_every_size_come_back(chat):
    sizes = [0, 1, 125, 126, 65535, 65536, 1_000_000 if not wire.SANITIZED else 200_000]

    async def talk(certgate):
        async with connect(chat, certgate, chat.valid) as connection:
            for size in sizes:
                message = bytes(n % 251 for n in range(size))
                await connection.send(message)
                assert await connection.recv() == message
            await connection.send("text \u00e4")
            assert await connection.recv() == "text \u00e4"
            await (await connection.ping())

    with chat.start() as certgate:
        asyncio.run(talk(certgate))
        record = certgate.records(1, path="/chat")[0]
    assert record["status"] == 101
    assert record["bytes_out"] > sum(sizes) and record["bytes_in"] > sum(sizes)
    assert chat.origin.paths == ["/chat?room=1"]
    assert chat.origin.headers[0]["X-Forwarded-Proto"] == "https"


def test_a_client_without_a_certificate_gets_no_tunnel(chat):
    async def talk(certgate, identity):
        async with connect(chat, certgate, identity):
            raise AssertionError("connected")

    with chat.start() as certgate:
        with pytest.raises(websockets.exceptions.InvalidHandshake, match="HTTP 403"):
            asyncio.run(talk(certgate, None))
        certgate.records(1, status=403)
    assert chat.origin.paths == []


def test_a_revoked_client_loses_its_tunnel(chat):
    """issue 2.3: an open tunnel of a client no longer allowed is closed; others stay."""
    stays = chat.ca.issue("bob")

    async def talk(certgate):
        async with connect(chat, certgate, chat.valid) as leaving:
            async with connect(chat, certgate, stays) as staying:
                for connection in (leaving, staying):
                    await connection.send("hello")
                    assert await connection.recv() == "hello"
                chat.ca.revoke(chat.valid)
                await asyncio.to_thread(certgate.reload)
                with pytest.raises(websockets.exceptions.ConnectionClosed):
                    await asyncio.wait_for(leaving.recv(), proxy.PATIENCE)
                await staying.send("still here")
                assert await staying.recv() == "still here"

    with chat.start() as certgate:
        asyncio.run(talk(certgate))
        record = certgate.records(1, failure="client_no_longer_allowed")[0]
        assert record["status"] == 101


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    """An origin whose answer to an upgrade the test picks."""
    holder = {}

    def respond(request, connection):
        if request.target.startswith("/ws"):
            return holder["respond"](request, connection)
        return None

    with wire.WireOrigin(respond) as origin:
        setup = proxy.Setup(tmp_path_factory.mktemp("gate"), origin)
        setup.holder = holder
        with setup.start(rules=[]) as certgate:
            setup.certgate = certgate
            yield setup


def echo_raw(request, connection):
    connection.sendall(SWITCH + b"first")
    while piece := connection.recv(4096):
        connection.sendall(piece.upper())
    return False


def test_threat_63_bytes_flow_after_101_both_ways(gate):
    gate.origin.clear()
    gate.holder["respond"] = echo_raw
    with gate.client(gate.certgate) as client:
        client.send(HANDSHAKE)
        head = b""
        while not head.endswith(b"\r\n\r\nfirst"):
            head += client.tls.recv(4096)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"Upgrade: websocket" in head and b"Connection: Upgrade" in head
        assert b"Content-Length" not in head and b"Transfer-Encoding" not in head
        client.send("abc")
        assert client.tls.recv(3) == b"ABC"
        # Whatever it looks like, it is the tunnel's.
        client.send("get /x http/1.1\r\n\r\n")
        data = b""
        while len(data) < 19:
            data += client.tls.recv(100)
        assert data == b"GET /X HTTP/1.1\r\n\r\n"
    assert [r.target for r in gate.origin.requests] == ["/ws"]
    seen = gate.origin.last()
    assert seen.one("Connection") == "Upgrade" and seen.one("Upgrade") == "websocket"
    assert seen.one("Sec-WebSocket-Key") == "dGhlIHNhbXBsZSBub25jZQ=="


def test_what_the_client_sent_early_is_not_lost(gate):
    """Bytes that came with the handshake are the tunnel's once it is one."""
    gate.holder["respond"] = echo_raw
    with gate.client(gate.certgate) as client:
        client.send(HANDSHAKE + b"early ")
        client.send(b"and late")
        data = b""
        while not data.endswith(b"LATE"):
            piece = client.tls.recv(4096)
            assert piece, data
            data += piece
        assert data.endswith(b"firstEARLY AND LATE")


def test_the_end_of_either_side_ends_the_tunnel(gate):
    ended = threading.Event()

    def until_client_ends(request, connection):
        connection.sendall(SWITCH)
        while connection.recv(4096):
            pass
        ended.set()
        return False

    gate.holder["respond"] = until_client_ends
    with gate.client(gate.certgate) as client:
        client.send(HANDSHAKE)
        assert client.tls.recv(12) == b"HTTP/1.1 101"
    assert ended.wait(proxy.PATIENCE)

    def says_bye(request, connection):
        connection.sendall(SWITCH + b"bye")
        return False

    gate.holder["respond"] = says_bye
    assert wire.talk(gate, gate.certgate, HANDSHAKE).endswith(b"\r\n\r\nbye")


@pytest.mark.parametrize("status", [b"200 OK", b"403 Forbidden", b"426 Upgrade Required"])
def test_threat_63_another_answer_is_no_tunnel(gate, status):
    gate.origin.clear()
    gate.holder["respond"] = lambda *_: (
        b"HTTP/1.1 " + status + b"\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        b"Content-Length: 2\r\n\r\nno")
    smuggled = b"GET /next HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n"
    responses = wire.parse_responses(wire.talk(gate, gate.certgate, HANDSHAKE + smuggled))
    assert [r.status for r in responses] == [int(status[:3]), 200]
    assert responses[0].header("Upgrade") is None
    # The bytes behind the handshake were a request, judged and forwarded as one.
    assert [r.target for r in gate.origin.requests] == ["/ws", "/next"]
    assert gate.origin.last().one("X-Request-Id")


@pytest.mark.parametrize("change", [
    (b"HTTP/1.1\r\n", b"HTTP/1.0\r\n"),
    (b"GET ", b"POST "),
    (b"Upgrade: websocket", b"Upgrade: h2c"),
    (b"Upgrade: websocket", b"Upgrade: websocket, h2c"),
    (b"Upgrade: websocket", b"Upgrade: websocket\r\nUpgrade: websocket"),
    (b"Connection: Upgrade\r\n", b""),
    (b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\nabc"),
], ids=["HTTP/1.0", "POST", "h2c", "list", "twice", "not named", "body"])
def test_threat_63_what_is_no_websocket_handshake_is_not_upgraded(gate, change):
    """The origin is not even asked; if it switches all the same, that is its mistake."""
    gate.origin.clear()
    gate.holder["respond"] = lambda *_: None
    with gate.client(gate.certgate) as client:
        client.send(HANDSHAKE.replace(*change))
        assert client.read_response().status == 200
    assert "upgrade" not in gate.origin.last().names()
    gate.holder["respond"] = lambda *_: SWITCH
    with gate.client(gate.certgate) as client:
        client.send(HANDSHAKE.replace(*change))
        assert client.read_response().status == 502


@pytest.mark.parametrize("answer", [
    SWITCH.replace(b"Upgrade: WebSocket", b"Upgrade: h2c"),
    SWITCH.replace(b"Upgrade: WebSocket\r\n", b""),
    SWITCH.replace(b"Connection: upgrade\r\n", b""),
    SWITCH.replace(b"HTTP/1.1", b"HTTP/1.0"),
    SWITCH.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n"),
    SWITCH.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"),
], ids=["h2c", "no Upgrade", "no Connection", "HTTP/1.0", "length", "chunked"])
def test_threat_63_a_101_that_does_not_answer_ours_is_502(gate, answer):
    gate.holder["respond"] = lambda *_: answer
    with gate.client(gate.certgate) as client:
        client.send(HANDSHAKE)
        assert client.read_response().status == 502
