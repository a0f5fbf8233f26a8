"""nginx and Python servers as origins: TCP, unix sockets, TLS by name, the proxy's certificate."""

import datetime
import os
import socketserver
import ssl
import threading
import types

import pytest

import proxy
import wire

# For set-ups that name their origins themselves.
NOBODY = types.SimpleNamespace(url="http://127.0.0.1:1")


@pytest.fixture
def server_authority(tmp_path):
    return proxy.Authority(tmp_path, "Origin CA")


def tls_context(identity, client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(identity.path), str(identity.key_path))
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(str(client_ca.path))
    return context


def origins_of(setup, server, **tls):
    origin = {"servers": [server]}
    if tls:
        origin["tls"] = tls
    return {"origins": {"api": origin}, "rules": []}


def test_nginx_over_tcp(tmp_path):
    """Static files, ranges, conditional requests, uploads and keep-alive, as nginx does them."""
    server = """
    location = /echo { return 200 "$request_method $http_x_forwarded_for $http_host $scheme"; }
    location = /redirect { return 302 https://api.example.com/elsewhere; }
    location = /gone { return 410; }
    """
    with wire.Nginx(tmp_path, server) as nginx:
        content = bytes(n % 251 for n in range(200_000))
        (tmp_path / "html" / "file.bin").write_bytes(content)
        setup = proxy.Setup(tmp_path, nginx)
        with setup.start(rules=[]) as certgate, setup.client(certgate) as client:
            response = client.get("/file.bin")
            assert response.body == content
            tag = response.getheader("ETag")
            assert client.get("/file.bin", headers=[("If-None-Match", tag)]).status == 304
            part = client.get("/file.bin", headers=[("Range", "bytes=1000-1999")])
            assert (part.status, part.body) == (206, content[1000:2000])
            head = client.get("/file.bin", method="HEAD")
            assert head.getheader("Content-Length") == "200000" and head.body == b""
            assert client.get("/missing").status == 404
            assert client.get("/gone").status == 410
            assert client.get("/redirect").getheader("Location").endswith("/elsewhere")
            assert client.get("/echo").body == b"GET 127.0.0.1 api.example.com http"
            # nginx answers 405 at once to a POST for a file. When that is before the whole body has
            # been passed on, the connection ends with the answer: the rest cannot be told apart.
            assert client.get("/file.bin", method="POST", body=b"x" * 100_000).status == 405
            with setup.client(certgate) as another:
                assert another.get("/file.bin").body == content
            records = certgate.records(10)
        assert {r["origin_server"] for r in records} == {nginx.url}


def test_nginx_over_a_unix_socket(tmp_path):
    server = 'location / { return 200 "$http_host"; }'
    path = tmp_path / "nginx.sock"
    with wire.Nginx(tmp_path, server, listen=f"unix:{path}"):
        setup = proxy.Setup(tmp_path, NOBODY)
        with setup.start(**origins_of(setup, f"unix:{path}")) as certgate:
            with setup.client(certgate) as client:
                for _ in range(3):
                    assert client.get("/").body == b"api.example.com"


def test_nginx_over_tls_with_the_proxys_own_certificate(tmp_path, server_authority):
    server_identity = server_authority.issue("origin", server=True, dns=["origin.internal"])
    ca = proxy.Authority(tmp_path, "Proxy CA")
    own = ca.issue("certgate")
    port = wire.free_port()
    server = f"""
    ssl_certificate {server_identity.path}; ssl_certificate_key {server_identity.key_path};
    ssl_client_certificate {ca.path}; ssl_verify_client optional;
    location / {{ return 200 "$ssl_client_verify $ssl_client_s_dn $ssl_server_name"; }}
    """
    tls = {"ca": server_authority.path.name, "server_name": "origin.internal"}
    with wire.Nginx(tmp_path, server, listen=f"127.0.0.1:{port} ssl", port=port):
        setup = proxy.Setup(tmp_path, NOBODY)
        config = setup.config(**origins_of(setup, f"https://127.0.0.1:{port}", **tls,
                                           certificate=own.path.name,
                                           private_key=own.key_path.name))
        with setup.start(config) as certgate, setup.client(certgate) as client:
            for _ in range(3):
                assert client.get("/").body == b"SUCCESS CN=certgate origin.internal"
            # Without the proxy's certificate nginx sees nobody.
            certgate.reload(setup.config(**origins_of(setup, f"https://127.0.0.1:{port}", **tls)))
            assert client.get("/").body == b"NONE  origin.internal"


# What goes wrong with an origin's certificate, and the words for it in the log.
CERTIFICATES = [
    ("right name", 200, None), ("address", 200, None),
    ("wrong name", 502, "it is not for `other.internal` but for origin.internal"),
    ("other CA", 502, "unable to get local issuer certificate"),
    ("self-signed", 502, "unable to get local issuer certificate"),
    ("self-signed, named as CA", 200, None), ("expired", 502, "certificate has expired"),
    ("client certificate as server", 502, "unsuitable certificate purpose"),
    ("verify off", 200, None), ("system store", 502, "unable to get local issuer certificate"),
]


@pytest.mark.parametrize("case, status, reason", CERTIFICATES, ids=[c[0] for c in CERTIFICATES])
def test_the_name_of_a_tls_origin_is_verified(tmp_path, server_authority, case, status, reason):
    identity = server_authority.issue("origin", server=True, dns=["origin.internal"])
    tls = {"ca": server_authority.path.name, "server_name": "origin.internal"}
    if case == "address":
        del tls["server_name"]  # the host of the URL, an address, stands in the certificate
    elif case == "wrong name":
        tls["server_name"] = "other.internal"
    elif case == "other CA":
        tls["ca"] = proxy.Authority(tmp_path, "Other CA").path.name
    elif case.startswith("self-signed"):
        alone = proxy.Authority(tmp_path, "origin.internal")
        alone.path.write_bytes(alone.pem())
        identity = alone.issue("leaf", server=True, dns=["origin.internal"])
        if case == "self-signed, named as CA":
            tls["ca"] = identity.path.name
    elif case == "expired":
        identity = server_authority.issue(
            "old", server=True, dns=["origin.internal"],
            valid_from=proxy.now() - datetime.timedelta(days=3),
            valid_for=datetime.timedelta(days=1))
    elif case == "client certificate as server":
        identity = server_authority.issue("client", dns=["origin.internal"])
    elif case == "verify off":
        tls = {"server_name": "anything.internal", "verify": False}
    elif case == "system store":
        del tls["ca"]
    with proxy.Origin(tls=tls_context(identity)) as origin:
        setup = proxy.Setup(tmp_path, origin)
        with setup.start(**origins_of(setup, origin.url, **tls)) as certgate:
            with setup.client(certgate) as client:
                response = client.get("/private")
                assert response.status == status, certgate.log()
                # The reason is for the log, not for the client.
                assert b"certificate" not in response.body.lower()
                if status == 502:
                    assert client.get("/private", method="POST", body=b"secret").status == 502
        assert len(origin.requests) == (1 if status == 200 else 0)
        if status == 502:
            records = certgate.records(2)
            assert {r["failure"] for r in records} == {"origin_certificate_rejected"}
            assert all(reason in r["failure_detail"] for r in records), records
            warnings = [line for line in certgate.log().splitlines() if "cannot be reached" in line]
            assert warnings and all(reason in line and origin.url in line for line in warnings)


def test_an_origin_that_demands_a_certificate(tmp_path, server_authority):
    identity = server_authority.issue("origin", server=True)
    ca = proxy.Authority(tmp_path, "Proxy CA")
    own, foreign = ca.issue("certgate"), server_authority.issue("foreign")
    tls = {"ca": server_authority.path.name}
    with proxy.Origin(tls=tls_context(identity, ca)) as origin:
        setup = proxy.Setup(tmp_path, origin)
        for count, (shown, status) in enumerate([(own, 200), (foreign, 502), (None, 502)], 1):
            more = {} if shown is None else {"certificate": shown.path.name,
                                             "private_key": shown.key_path.name}
            with setup.start(**origins_of(setup, origin.url, **tls, **more)) as certgate:
                with setup.client(certgate) as client:
                    assert client.get("/").status == status, shown and shown.name
                record = certgate.records(count)[-1]
                # The alert, unless the reset that follows it overtakes it.
                words = record.get("failure_detail", "")
                assert ("alert" in words or "reset" in words) == (status == 502), record
        assert len(origin.requests) == 1


def unreachable(kind, folder):
    """An address where no HTTP origin is, with the token and the words that say so."""
    if kind == "refused":
        return f"http://127.0.0.1:{wire.free_port()}", "origin_refused", "Connection refused"
    if kind == "no unix socket":
        return f"unix:{folder}/none.sock", "origin_unreachable", "No such file or directory"
    if kind == "unix socket without a listener":
        with proxy.socket.socket(proxy.socket.AF_UNIX) as socket:
            socket.bind(f"{folder}/dead.sock")
        return f"unix:{folder}/dead.sock", "origin_refused", "Connection refused"
    return f"https://127.0.0.1:{kind.port}", "origin_tls_failed", "wrong version number"


@pytest.mark.parametrize("kind", ["refused", "no unix socket", "unix socket without a listener",
                                  "plain HTTP where TLS is expected"])
def test_threat_80_the_log_says_why_an_origin_cannot_be_reached_and_not_without_end(tmp_path, kind):
    """The access record has the exact reason, the daemon's log warns, the client learns nothing."""
    with proxy.Origin() as plain:
        url, failure, words = unreachable(plain if "TLS" in kind else kind, tmp_path)
        setup = proxy.Setup(tmp_path, NOBODY)
        more = {"verify": False} if "TLS" in kind else {}
        config = setup.config(**origins_of(setup, url, **more)) if more else setup.config(
            rules=[], origins={"api": {"servers": [url]}})
        with setup.start(config) as certgate, setup.client(certgate) as client:
            for _ in range(30):
                response = client.get("/")
                assert response.status == 502
                for secret in (failure, words, "127.0.0.1", ".sock"):
                    assert secret.encode() not in response.body
            records = certgate.records(30)
            assert {r["failure"] for r in records} == {failure}
            assert all(words in r["failure_detail"] for r in records), records[0]
            warnings = [line for line in certgate.log().splitlines() if "cannot be reached" in line]
            # At most ten at once and one a second after that.
            assert 1 <= len(warnings) < 30
            assert words in warnings[0] and url in warnings[0] and "api" in warnings[0]


def test_a_python_server_on_a_unix_socket(tmp_path):
    path = str(tmp_path / "origin.sock")

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            while True:
                head, _ = proxy.read_head(self.request)
                if not head:
                    return
                self.request.sendall(wire.OK)

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    with Server(path, Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        setup = proxy.Setup(tmp_path, NOBODY)
        with setup.start(**origins_of(setup, f"unix:{path}")) as certgate:
            with setup.client(certgate) as client:
                for _ in range(3):
                    assert client.get("/").body == b"ok"
            assert certgate.records(3)[0]["origin_server"] == f"unix:{path}"
            server.shutdown()
            server.server_close()
            os.unlink(path)
            with setup.client(certgate) as client:
                # The kept connection is still served; a new one finds no socket.
                assert client.get("/").status in (200, 502)


def test_preserve_host(tmp_path):
    with wire.WireOrigin() as origin:
        setup = proxy.Setup(tmp_path, origin)
        for preserve, expected in [(True, "api.example.com"), (False, f"127.0.0.1:{origin.port}")]:
            config = setup.config(rules=[], origins={
                "api": {"servers": [origin.url], "preserve_host": preserve}})
            with setup.start(config) as certgate, setup.client(certgate) as client:
                assert client.get("/").status == 200
                assert origin.last().one("Host") == expected
                assert origin.last().one("X-Forwarded-Host") == "api.example.com"


def test_threat_69_plain_bytes_before_the_origins_handshake(tmp_path, server_authority):
    """CVE-2026-1642: an answer injected before TLS towards the origin is not an answer."""

    def injects(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\ninjected")
        connection.recv(4096)

    origin = proxy.RawOrigin(injects)
    setup = proxy.Setup(tmp_path, origin)
    url = f"https://127.0.0.1:{origin.port}"
    with setup.start(**origins_of(setup, url, verify=False)) as certgate:
        with setup.client(certgate) as client:
            response = client.get("/")
            assert response.status == 502 and b"injected" not in response.body
    origin.close()
