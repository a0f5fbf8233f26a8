"""TLS peers of the identity tests: alerts as names, handshakes byte by byte, openssl s_client."""

import socket
import ssl
import subprocess

import proxy

TLS12 = ssl.TLSVersion.TLSv1_2
TLS13 = ssl.TLSVersion.TLSv1_3
VERSIONS = {"TLSv1.2": TLS12, "TLSv1.3": TLS13}


def lax_context(identity=None, version=None, certificate=None, key=None):
    """Trusts any server and presents any certificate, however weak: the server is what is tested."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    if identity:
        certificate, key = identity.path, identity.key_path
    if certificate:
        context.load_cert_chain(str(certificate), str(key))
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def alert_name(error):
    """'certificate expired' of `[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] sslv3 alert ...`."""
    reason = error.reason or ""
    for prefix in ("SSLV3_ALERT_", "TLSV1_ALERT_", "TLSV13_ALERT_", "TLSV1_"):
        if reason.startswith(prefix):
            return reason[len(prefix):].lower()
    return reason.lower()


def alert_of(port, context, host="api.example.com"):
    """The alert that ends the handshake, or None when it succeeds and the server waits for more.

    In TLS 1.3 the client is done before the server has seen its certificate: a request has to be
    answered before the handshake counts as a success."""
    try:
        client = proxy.Client(port, context, host)
    except ssl.SSLError as error:
        return alert_name(error)
    with client:
        try:
            client.get("/alert", host=host or "api.example.com")
        except ssl.SSLError as error:
            return alert_name(error)
    return None


class Memory:
    """A TLS client whose bytes are sent by hand, in whatever pieces a test wants."""

    def __init__(self, context, host):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=host)

    def client_hello(self):
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def finish(self, connection):
        """The rest of the handshake, over a socket that has been sent the ClientHello."""
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(self.outgoing.read())
                piece = connection.recv(65536)
                if not piece:
                    self.incoming.write_eof()
                self.incoming.write(piece)
        connection.sendall(self.outgoing.read())

    def exchange(self, connection, request):
        self.tls.write(request)
        connection.sendall(self.outgoing.read())
        answer = b""
        while b"\r\n\r\n" not in answer:
            try:
                answer += self.tls.read(65536)
            except ssl.SSLWantReadError:
                piece = connection.recv(65536)
                assert piece, "the connection ended"
                self.incoming.write(piece)
        return answer


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=proxy.PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def one_byte_records(records):
    """The same handshake bytes, each in a TLS record of its own."""
    out, at = b"", 0
    while at < len(records):
        kind, size = records[at], int.from_bytes(records[at + 3:at + 5], "big")
        for byte in records[at + 5:at + 5 + size]:
            out += bytes([kind, *records[at + 1:at + 3], 0, 1, byte])
        at += 5 + size
    return out


def read_to_end(connection):
    data = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return data
        if not piece:
            return data
        data += piece


def s_client(port, *arguments, host="api.example.com", request="GET / HTTP/1.1"):
    """`openssl s_client` asks once and ends; what it printed."""
    text = f"{request}\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", host, "-ign_eof",
         *map(str, arguments)],
        input=text.encode(), capture_output=True, timeout=proxy.PATIENCE)
    return (done.stdout + done.stderr).decode("latin-1")
