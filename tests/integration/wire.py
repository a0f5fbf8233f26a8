"""Peers that send exact bytes and remember exact bytes: origins, clients, and a private nginx."""

import contextlib
import io
import http.client
import os
import pathlib
import socket
import subprocess
import threading

import proxy

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SANITIZED = os.environ.get("CERTGATE_SANITIZED") == "1"


class WireRequest:
    """One request as it stood on the wire, framed by the strictest reading of RFC 9112."""

    def __init__(self, head, body, raw_body, connection):
        self.head, self.body, self.raw_body, self.connection = head, body, raw_body, connection
        lines = head.decode("latin-1").split("\r\n")
        self.line = lines[0]
        self.method, self.target, self.version = self.line.split(" ")
        self.fields = [tuple(line.split(": ", 1)) for line in lines[1:] if line]

    def all(self, name):
        return [value for known, value in self.fields if known.lower() == name.lower()]

    def one(self, name):
        values = self.all(name)
        assert len(values) == 1, (name, self.fields)
        return values[0]

    def names(self):
        return [name.lower() for name, _ in self.fields]


class WireReader:
    def __init__(self, connection):
        self.connection = connection
        self.buffer = b""

    def fill(self):
        piece = self.connection.recv(65536)
        if not piece:
            raise EOFError
        self.buffer += piece

    def until(self, mark):
        while mark not in self.buffer:
            self.fill()
        end = self.buffer.index(mark) + len(mark)
        data, self.buffer = self.buffer[:end], self.buffer[end:]
        return data

    def exactly(self, count):
        while len(self.buffer) < count:
            self.fill()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def head(self):
        return self.until(b"\r\n\r\n")

    def body(self, head):
        """The decoded body and its bytes on the wire."""
        fields = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line]
        lengths = [value for name, value in fields if name.lower() == b"content-length"]
        codings = [value for name, value in fields if name.lower() == b"transfer-encoding"]
        # certgate writes the framing anew: never both, never twice, never anything else.
        assert len(lengths) + len(codings) <= 1, head
        if lengths:
            raw = self.exactly(int(lengths[0]))
            return raw, raw
        if not codings:
            return b"", b""
        assert codings == [b"chunked"], head
        body = raw = b""
        while True:
            line = self.until(b"\r\n")
            size = int(line[:-2], 16)  # no extension either
            raw += line
            if size == 0:
                end = self.exactly(2)
                assert end == b"\r\n", "a trailer reached the origin"
                return body, raw + end
            piece = self.exactly(size + 2)
            body += piece[:-2]
            raw += piece


class WireOrigin:
    """Records every request; `respond(request, connection)` answers with bytes, or None for OK.

    An answer that says `Connection: close`, or False, ends the connection.
    """

    def __init__(self, respond=None, port=0):
        self.requests = []
        self.surplus = []  # bytes that were no whole request when a connection ended
        self.changed = threading.Condition()
        self.respond = respond
        self.numbers = iter(range(1 << 30))
        self.raw = proxy.RawOrigin(self.serve, port)
        self.port, self.url = self.raw.port, self.raw.url

    @property
    def connections(self):
        return self.raw.connections

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = WireReader(connection)
        number = next(self.numbers)
        try:
            while True:
                head = reader.head()
                body, raw = reader.body(head)
                request = WireRequest(head, body, raw, number)
                with self.changed:
                    self.requests.append(request)
                    self.changed.notify_all()
                answer = self.respond(request, connection) if self.respond else OK
                if answer is False:
                    return
                answer = OK if answer is None else answer
                connection.sendall(answer)
                if b"connection: close" in answer.lower():
                    return
        except EOFError:
            pass
        finally:
            if reader.buffer:
                with self.changed:
                    self.surplus.append(reader.buffer)
                    self.changed.notify_all()

    def wait_for(self, count):
        with self.changed:
            arrived = self.changed.wait_for(lambda: len(self.requests) >= count, proxy.PATIENCE)
            assert arrived, f"{len(self.requests)} of {count} requests reached the origin"
            return self.requests[count - 1]

    def clear(self):
        with self.changed:
            self.requests.clear()
            self.surplus.clear()

    def last(self):
        with self.changed:
            return self.requests[-1]

    def close(self):
        self.raw.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# --- Clients --------------------------------------------------------------------------------------


class _Bytes:
    def __init__(self, data):
        self.data = data

    def makefile(self, *_args, **_options):
        return self.data


class Response:
    def __init__(self, status, version, headers, body):
        self.status, self.version, self.headers, self.body = status, version, headers, body

    def header(self, name):
        return self.headers.get(name)


def parse_responses(data, methods=()):
    """Every response in `data`; asserts that nothing is left over and nothing is torn."""
    stream = io.BytesIO(data)
    responses = []
    methods = list(methods)
    while stream.tell() < len(data):
        method = methods.pop(0) if methods else "GET"
        response = http.client.HTTPResponse(_Bytes(stream), method=method)
        response._close_conn = lambda: None
        response.begin()
        body = response.read()
        responses.append(Response(response.status, response.version, response.headers, body))
    return responses


def talk(setup, certgate, data, identity=None, host="api.example.com", context=None):
    """Sends these bytes on a new connection; returns everything until the server closes."""
    with setup.client(certgate, identity, host=host, context=context) as client:
        with contextlib.suppress(OSError):  # refused and closed before everything was sent
            client.send(data)
        return client.read_until_close()


def status_of(data):
    assert data.startswith(b"HTTP/1.1 "), data[:200]
    return int(data.split(b" ", 2)[1])


# --- nginx ----------------------------------------------------------------------------------------


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Nginx:
    """A private nginx: its own prefix, pid file and port. `server` goes into its server block."""

    def __init__(self, folder, server, listen=None, port=None):
        self.folder = pathlib.Path(folder)
        for name in ("logs", "temp", "html"):
            (self.folder / name).mkdir(exist_ok=True)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = f"""
daemon off; worker_processes 1; master_process off; pid {self.folder}/nginx.pid;
error_log {self.folder}/logs/error.log notice;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 0; keepalive_timeout 60s;
  client_body_temp_path {self.folder}/temp/body; proxy_temp_path {self.folder}/temp/proxy;
  fastcgi_temp_path {self.folder}/temp/f; uwsgi_temp_path {self.folder}/temp/u;
  scgi_temp_path {self.folder}/temp/s;
  server {{ listen {listen or f"127.0.0.1:{self.port}"}; root {self.folder}/html;
{server}
  }}
}}
"""
        path = self.folder / "nginx.conf"
        path.write_text(config)
        self.process = subprocess.Popen(
            ["/usr/sbin/nginx", "-p", str(self.folder), "-c", str(path)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        proxy.wait_until(self.is_up, "nginx to listen")

    def is_up(self):
        log = self.folder / "logs" / "error.log"
        assert self.process.poll() is None, log.read_text()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return (self.folder / "nginx.sock").exists()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(proxy.PATIENCE)
