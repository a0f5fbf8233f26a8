"""Runs the real certgate against real peers: certificates, the daemon, clients, origins.

Everything is on loopback, on ports the kernel picks; nothing sleeps where an event can be awaited.
"""

import contextlib
import http.client
import http.server
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import threading
import time

# The names that tests know: proxy.Authority and so on.
from throwaway_ca import Authority, Identity, now, write_whole  # noqa: F401

BINARY = os.environ.get("CERTGATE_BINARY", "build/release/certgate")
# Sanitizer builds are several times slower; every wait is bounded by this.
PATIENCE = float(os.environ.get("CERTGATE_PATIENCE", "60"))


def wait_until(condition, what="a condition", patience=PATIENCE):
    """Polls a condition that no event tells of (a line in a file)."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {patience:.0f} s in vain for {what}")


# --- Origins --------------------------------------------------------------------------------------


class Recorded:
    def __init__(self, method, path, headers, body, connection):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.connection = connection  # a number per TCP connection

    def all(self, name):
        return self.headers.get_all(name) or []


class Origin:
    """An HTTP/1.1 server that records what reaches it and answers what the test wants."""

    def __init__(self, respond=None, tls=None, address=("127.0.0.1", 0)):
        self.requests = []
        self.lock = threading.Lock()
        origin = self
        counter = iter(range(1 << 30))

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                self.number = next(counter)

            def read_body(self):
                if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                    body = b""
                    while True:
                        size = int(self.rfile.readline().split(b";")[0], 16)
                        if size == 0:
                            while self.rfile.readline() not in (b"\r\n", b""):
                                pass
                            return body
                        body += self.rfile.read(size)
                        self.rfile.readline()
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def serve(self):
                body = self.read_body()
                recorded = Recorded(self.command, self.path, self.headers, body, self.number)
                with origin.lock:
                    origin.requests.append(recorded)
                if respond:
                    respond(self, recorded)
                    return
                answer = b"hello\n"
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = serve

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, request, client_address):
                pass

        self.server = Server(address, Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def last(self):
        with self.lock:
            return self.requests[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class RawOrigin:
    """A TCP server that hands each connection to `talk(connection)` on a thread of its own."""

    def __init__(self, talk, port=0):
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.connections = 0

        def accept():
            while True:
                try:
                    connection, _ = self.socket.accept()
                except OSError:
                    return
                self.connections += 1
                threading.Thread(target=self.run, args=(talk, connection), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()

    @staticmethod
    def run(talk, connection):
        with contextlib.suppress(OSError), connection:
            talk(connection)

    def close(self):
        with contextlib.suppress(OSError):  # wakes the thread that accepts
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def read_head(connection):
    """Bytes up to and including the empty line, and what came behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return data, b""
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


# --- certgate -------------------------------------------------------------------------------------


class Certgate:
    """The daemon with a configuration; its folder holds every file that it names."""

    def __init__(self, folder, config, wait=True, arguments=(), environment=None, through=()):
        self.folder = pathlib.Path(folder)
        self.config_path = self.folder / "certgate.yaml"
        self.access_path = self.folder / "access.log"
        self.log_path = self.folder / "certgate.log"
        self.write_config(config)
        # What an earlier run in this folder logged is not this one's.
        self.log_begin = self.log_path.stat().st_size if self.log_path.exists() else 0
        self.errors = open(self.folder / "stderr.txt", "wb")
        self.process = subprocess.Popen(
            [*through, BINARY, "run", "--config", str(self.config_path), *arguments],
            stdout=subprocess.DEVNULL, stderr=self.errors, env={**os.environ, **(environment or {})},
        )
        self.port = None
        if wait:
            self.wait_until_serving()

    def write_config(self, config):
        if isinstance(config, dict):
            config = json.dumps(config, indent=1)  # JSON is YAML
        write_whole(self.config_path, config)

    def stderr(self):
        return (self.folder / "stderr.txt").read_text(errors="replace")

    def log(self):
        if not self.log_path.exists():
            return ""
        return self.log_path.read_bytes()[self.log_begin:].decode(errors="replace")

    def wait_until_serving(self):
        def serving():
            if self.process.poll() is not None:
                raise AssertionError(f"certgate ended: {self.stderr()}")
            return "serving" in self.log()

        wait_until(serving, "certgate to serve")
        self.ports = [
            int(line.rsplit(":", 1)[1].split()[0].strip('"'))
            for line in self.log().splitlines()
            if " listening " in line
        ]
        self.port = self.ports[0]

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self, config=None, good=True):
        """SIGHUP, and waits for the receipt or the refusal in the log; returns the new lines."""
        if config is not None:
            self.write_config(config)
        before = len(self.log())
        self.signal(signal.SIGHUP)
        marker = "reloaded: " if good else "the configuration in force stays"
        other = "the configuration in force stays" if good else "reloaded: "

        def answered():
            new = self.log()[before:]
            assert other not in new, new
            return new if marker in new else None

        return wait_until(answered, marker)

    def records(self, count=None, **wanted):
        """Access records with these values; waits until there are `count` of them."""

        def matching():
            found = []
            if self.access_path.exists():
                for line in self.access_path.read_text(errors="replace").splitlines(keepends=True):
                    if not line.endswith("\n"):
                        continue  # a write is seen page by page: the rest is on its way
                    record = json.loads(line)
                    if all(record.get(key) == value for key, value in wanted.items()):
                        found.append(record)
            return found if count is None or len(found) >= count else None

        return matching() if count is None else wait_until(matching, f"{count} records {wanted}")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("certgate did not end after SIGTERM: " + self.log()[-2000:])
        self.errors.close()
        assert self.process.returncode == 0, (self.process.returncode, self.stderr(), self.log()[-3000:])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None and self.process.poll() is None:
            # The test failed already: do not let the end hide why.
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            self.process.kill()
            return
        self.stop()

    def rss_kib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")


def localhost_is_known():
    """Whether `localhost` has an address here: a root file system may come without /etc/hosts."""
    try:
        return bool(socket.getaddrinfo("localhost", None))
    except socket.gaierror:
        return False


def run(*arguments, status=0, **options):
    """One certgate command; returns the finished process."""
    done = subprocess.run(
        [BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE * 2, **options
    )
    if status is not None:
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done


# --- Clients --------------------------------------------------------------------------------------


def client_context(server_ca, identity=None, version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(str(server_ca.path))
    if identity:
        context.load_cert_chain(str(identity.path), str(identity.key_path))
    if version:
        context.minimum_version = context.maximum_version = version
    return context


class Client:
    """A kept-alive TLS connection that speaks HTTP/1.1 by hand."""

    def __init__(self, port, context, host="api.example.com", session=None, address="127.0.0.1",
                 source=None, preamble=b""):
        """`source`: the address to come from. `preamble`: what is sent before TLS begins."""
        raw = socket.create_connection((address, port), timeout=PATIENCE,
                                       source_address=(source, 0) if source else None)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            raw.sendall(preamble)
            self.tls = context.wrap_socket(raw, server_hostname=host, session=session)
        except BaseException:
            raw.close()
            raise
        self.host = host
        self.buffer = b""

    def send(self, data):
        self.tls.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def drip(self, piece, every):
        """Sends `piece` again and again, `every` so many seconds, until something comes back."""
        self.tls.settimeout(every)
        data, end = b"", time.monotonic() + PATIENCE
        while not data and time.monotonic() < end:
            try:
                self.send(piece)
                data = self.tls.recv(4096)
            except (TimeoutError, ssl.SSLWantReadError):
                continue
        return data

    def read_response(self, method="GET"):
        response = http.client.HTTPResponse(_Unclosed(self), method=method)
        response.begin()
        body = response.read()
        response.body = body
        return response

    def get(self, path="/", host=None, method="GET", headers=(), body=None):
        text = f"{method} {path} HTTP/1.1\r\nHost: {host or self.host}\r\n"
        text += "".join(f"{name}: {value}\r\n" for name, value in headers)
        data = text.encode("latin-1")
        if body is not None:
            data += f"Content-Length: {len(body)}\r\n".encode()
        self.send(data + b"\r\n" + (body or b""))
        return self.read_response(method)

    def read_until_close(self):
        data = self.buffer
        self.buffer = b""
        while True:
            try:
                piece = self.tls.recv(65536)
            except (ConnectionResetError, ssl.SSLError):
                break
            if not piece:
                break
            data += piece
        return data

    def close(self):
        self.tls.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Unclosed:
    """Lets http.client read one response from a connection that stays open."""

    def __init__(self, client):
        self.client = client

    def makefile(self, *_args, **_options):
        return _Reader(self.client)


class _Reader:
    def __init__(self, client):
        self.client = client

    def _fill(self):
        piece = self.client.tls.recv(65536)
        self.client.buffer += piece
        return bool(piece)

    def readline(self, limit=-1):
        while b"\n" not in self.client.buffer:
            if not self._fill():
                break
        line, newline, rest = self.client.buffer.partition(b"\n")
        self.client.buffer = rest
        return line + newline

    def read(self, size=-1):
        while size < 0 or len(self.client.buffer) < size:
            if not self._fill():
                break
        size = len(self.client.buffer) if size < 0 else size
        data, self.client.buffer = self.client.buffer[:size], self.client.buffer[size:]
        return data

    def readinto(self, view):
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def flush(self):
        pass

    def close(self):
        pass


class _UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.host)


def admin_get(address, path, method="GET", headers=None):
    """Status, body and content type from an admin address: a socket's path or a TCP port."""
    if isinstance(address, int):
        connection = http.client.HTTPConnection("127.0.0.1", address, timeout=PATIENCE)
    else:
        connection = _UnixConnection(str(address))
    with contextlib.closing(connection):
        connection.request(method, path, headers={"Host": "localhost", **(headers or {})})
        response = connection.getresponse()
        return response.status, response.read().decode(), response.getheader("Content-Type")


# --- A whole set-up -------------------------------------------------------------------------------

BLOCK_UNVERIFIED = {
    "name": "valid certificates only",
    "expression": "not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked",
    "action": "block",
}


class Setup:
    """CAs, a server certificate, an origin, and the configuration that puts them together."""

    def __init__(self, folder, origin=None, names=("api.example.com",)):
        self.folder = pathlib.Path(folder)
        self.server_ca = Authority(folder, "Server CA")
        self.ca = Authority(folder, "Client CA")
        self.server = self.server_ca.issue("api.example.com", server=True,
                                           dns=("api.example.com", "*.example.com", "example.com",
                                                "*.example.org", "example.org"))
        self.origin = origin
        self.names = list(names)

    def config(self, **changes):
        config = {
            "workers": 2,
            "listeners": [{"address": "127.0.0.1:0"}],
            "hosts": [self.host()],
            "origins": {"api": {"servers": [self.origin.url]}},
            "rules": [dict(BLOCK_UNVERIFIED)],
            "log": {"file": "certgate.log", "access": {"file": "access.log", "format": "json"}},
            "timeouts": {"drain": "2s"},
        }
        config.update(changes)
        return config

    def host(self, names=None, mode="request", ca=None, origin="api", **more):
        host = {
            "names": list(names or self.names),
            "certificate": self.server.path.name,
            "private_key": self.server.key_path.name,
            "origin": origin,
        }
        if mode == "off":
            host["client_auth"] = {"mode": "off"}
        else:
            authority = ca or self.ca
            host["client_auth"] = {
                "mode": mode, "ca": authority.path.name, "crl": authority.crl_path.name,
            }
        host.update(more)
        return host

    def start(self, config=None, *, through=(), **changes):
        """`through`: a command that starts certgate in its own place, such as prlimit."""
        return Certgate(self.folder, config or self.config(**changes), through=through)

    def client(self, certgate, identity=None, host="api.example.com", version=None, session=None,
               context=None):
        context = context or client_context(self.server_ca, identity, version)
        return Client(certgate.port, context, host, session)
