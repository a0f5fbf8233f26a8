"""A server of CRLs for black-box tests, and the configuration that fetches from it."""

import contextlib
import datetime
import json
import re
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import proxy

LOOPBACK = ["127.0.0.1/32"]


class CrlServer(proxy.Origin):
    """Says whatever `answer(handler, request)` says; at first what lies in a CA's file."""

    def __init__(self, authority, **options):
        self.authority = authority
        self.answer = self.serve_file
        super().__init__(respond=lambda handler, request: self.answer(handler, request), **options)

    @property
    def address(self):
        return f"{self.url}/clients.crl"

    def serve_file(self, handler, _request=None):
        self.serve(handler, self.authority.crl_path.read_bytes())

    @staticmethod
    def serve(handler, body, *, length=None, headers=()):
        with contextlib.suppress(OSError):
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body) if length is None else length))
            for name, value in headers:
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)
            handler.wfile.flush()
        handler.close_connection = True


def refresh(**changes):
    settings = {"interval": "200ms", "retry": "100ms", "timeout": f"{proxy.PATIENCE:.0f}s",
                "start_wait": f"{proxy.PATIENCE:.0f}s", "allowed_networks": LOOPBACK}
    settings.update(changes)
    return {name: value for name, value in settings.items() if value is not None}


def config_of(setup, *addresses, host=None, crl_refresh=None, client_auth=None, state=True, **changes):
    host = host or setup.host()
    host["client_auth"]["crl"] = list(addresses)
    host["client_auth"].update(client_auth or {})
    if state:
        changes["state_directory"] = "state"
    hosts = changes.pop("hosts", [])
    return setup.config(admin={"address": f"unix:{setup.folder}/admin.sock"}, hosts=[host, *hosts],
                        crl_refresh=crl_refresh or refresh(), **changes)


def status_of(gate):
    return json.loads(proxy.run("status", "--config", gate.config_path).stdout)


def metric(gate, name):
    text = proxy.admin_get(gate.folder / "admin.sock", "/metrics")[1]
    found = re.findall(rf"^{name}\{{[^}}]*\}} (\S+)$", text, re.MULTILINE)
    return [float(value) for value in found]


def wait_for_log(gate, text, count=1):
    proxy.wait_until(lambda: gate.log().count(text) >= count, f"{count} times {text!r} in the log")


def wait_for(client, status):
    proxy.wait_until(lambda: client.get().status == status, f"status {status}")


class Bystander:
    """Asks all the time on one connection; every answer must be 200."""

    def __init__(self, setup, gate, identity):
        self.client = setup.client(gate, identity)
        self.over = threading.Event()
        self.answers = []
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.is_set():
            try:
                self.answers.append(self.client.get().status)
            except Exception as error:  # told by the test
                self.answers.append(repr(error))
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.client.close()
        assert set(self.answers) == {200}, set(self.answers)


# --- Answers: `server.answer = body(...)` ----------------------------------------------------------


def send_raw(data):
    def answer(handler, _request):
        with contextlib.suppress(OSError):
            handler.wfile.write(data)
            handler.wfile.flush()
        handler.close_connection = True
    return answer


def redirect_to(place):
    return send_raw(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())


def body(content, **options):
    return lambda handler, _request: CrlServer.serve(handler, content, **options)


def kept_files(setup):
    return sorted((setup.folder / "state" / "crls").iterdir())


# --- Lists and certificates that the usual authority does not make --------------------------------


def signed(authority, *, number, revoked=(), extensions=(), this_update=None, next_update=None,
           subject=None):
    """A list in PEM, newer than any other when `number` is."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(subject or authority.subject)
        .last_update(this_update or proxy.now())
        .next_update(next_update or proxy.now() + datetime.timedelta(days=40))
        .add_extension(x509.CRLNumber(number), False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    for identity in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(identity.certificate.serial_number)
            .revocation_date(proxy.now())
            .build()
        )
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def tampered(pem):
    der = bytearray(x509.load_pem_x509_crl(pem).public_bytes(serialization.Encoding.DER))
    der[len(der) // 2] ^= 1
    return bytes(der)


def with_points(folder, name, issuer, *urls, more=()):
    """An intermediate CA whose certificate names where its issuer's list lies."""
    authority = proxy.Authority(folder, name, issuer=issuer)
    certificate = authority.certificate
    builder = (
        x509.CertificateBuilder().subject_name(certificate.subject).issuer_name(issuer.subject)
        .public_key(certificate.public_key()).serial_number(certificate.serial_number)
        .not_valid_before(certificate.not_valid_before).not_valid_after(certificate.not_valid_after)
    )
    for extension in certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    points = [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
              for url in urls]
    builder = builder.add_extension(x509.CRLDistributionPoints(points), False)
    for extension, critical in more:
        builder = builder.add_extension(extension, critical)
    authority.certificate = builder.sign(issuer.key, hashes.SHA256())
    authority.path.write_bytes(authority.pem())
    return authority


def freshest(*urls):
    return (x509.FreshestCRL([x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None,
                                                     None, None) for url in urls]), False)


def delta(authority, *, number, base, **options):
    return signed(authority, number=number, extensions=[(x509.DeltaCRLIndicator(base), True)], **options)


class DeltaServer:
    """A complete list at /clients.crl that names its delta, at /delta.crl; both may change."""

    def __init__(self, server, base, change):
        self.bodies = {"/clients.crl": base, "/delta.crl": change}
        self.server = server
        server.answer = self.answer

    def answer(self, handler, request):
        content = self.bodies[request.path]
        if callable(content):
            return content(handler, request)
        return self.server.serve(handler, content)

    def asked(self, path):
        return sum(request.path == path for request in self.server.requests)


FOLLOW = {"crl_distribution_points": True}
