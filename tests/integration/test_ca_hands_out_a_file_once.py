"""`certgate ca hand-out`: over TLS, with a PIN, once, and not for ever."""

import hashlib
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from certificate_authority import BINARY, CertificateAuthority

PIN = "271828"


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    ca = CertificateAuthority(tmp_path_factory.mktemp("ca") / "ca").init()
    ca.issue("ann-phone")
    return ca


class HandOut:
    def __init__(self, ca, *arguments, lifetime="60s"):
        self.process = subprocess.Popen(
            [BINARY, "ca", "hand-out", str(ca.directory), "ann-phone", "--address", "127.0.0.1",
             "--pin", PIN, "--for", lifetime, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.shown = ""
        while "Ctrl-C" not in self.shown:
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read()
            self.shown += line
        self.url = re.search(r"https://\S+", self.shown).group()
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE

    def get(self, url=None):
        return urllib.request.urlopen(url or self.url, context=self.context, timeout=20)

    def post(self, pin):
        data = urllib.parse.urlencode({"pin": pin}).encode()
        return urllib.request.urlopen(self.url, data, context=self.context, timeout=20)

    def end(self):
        output = self.process.communicate(timeout=60)
        return self.process.returncode, *output


@pytest.mark.parametrize("form, file, kind", [
    ("p12", "ann-phone.p12", "application/x-pkcs12"),
    ("p12-legacy", "ann-phone-legacy.p12", "application/x-pkcs12"),
    ("mobileconfig", "ann-phone.mobileconfig", "application/x-apple-aspen-config"),
])
def test_the_pin_opens_it_once(ca, form, file, kind):
    hand_out = HandOut(ca, "--format", form)
    assert b"PIN" in hand_out.get().read()
    answer = hand_out.post(PIN)
    assert answer.read() == ca.issued("ann-phone", file).read_bytes()
    assert answer.headers["Content-Type"] == kind
    assert file in answer.headers["Content-Disposition"]
    status, out, _ = hand_out.end()
    assert status == 0 and "Fetched" in out
    with pytest.raises(OSError):
        hand_out.get()


def test_the_terminal_shows_the_address_as_a_qr_code_the_pin_and_the_fingerprint(ca):
    hand_out = HandOut(ca)
    assert hand_out.shown.count("█") > 100
    assert PIN in hand_out.shown
    assert ca.issued("ann-phone", "p12-password.txt").read_text().strip() in hand_out.shown
    port = urllib.parse.urlsplit(hand_out.url).port
    pem = ssl.get_server_certificate(("127.0.0.1", port))
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    assert ":".join(re.findall("..", digest)) in hand_out.shown
    hand_out.process.send_signal(signal.SIGINT)
    status, _, error = hand_out.end()
    assert status == 1 and "ended before" in error


def test_a_wrong_pin_ends_it_at_the_fifth_time(ca):
    hand_out = HandOut(ca, "--no-qr")
    for tries_left in [4, 3, 2, 1, 0]:
        with pytest.raises(urllib.error.HTTPError) as refused:
            hand_out.post("000000")
        assert refused.value.code == 403
        assert (str(tries_left) if tries_left else "last try") in refused.value.read().decode()
    status, _, error = hand_out.end()
    assert status == 1 and "guessing" in error


def test_nobody_else_finds_it(ca):
    hand_out = HandOut(ca, "--no-qr")
    for path in ["/", "/ann-phone.p12", "/" + "a" * 16]:
        with pytest.raises(urllib.error.HTTPError) as refused:
            hand_out.get(urllib.parse.urljoin(hand_out.url, path))
        assert refused.value.code == 404
    hand_out.process.send_signal(signal.SIGTERM)
    assert hand_out.end()[0] == 1


def test_it_expires(ca):
    status, _, error = HandOut(ca, "--no-qr", lifetime="1s").end()
    assert status == 1 and "in time" in error


def test_an_idle_connection_does_not_keep_others_out(ca):
    import socket
    hand_out = HandOut(ca, "--no-qr")
    port = urllib.parse.urlsplit(hand_out.url).port
    with socket.create_connection(("127.0.0.1", port)):
        assert hand_out.post(PIN).read()
    assert hand_out.end()[0] == 0


def test_connections_that_are_over_leave_nothing_behind(ca):
    def mapped(hand_out):
        status = pathlib.Path(f"/proc/{hand_out.process.pid}/status").read_text()
        return int(re.search(r"VmSize:\s+(\d+) kB", status).group(1)) // 1024

    hand_out = HandOut(ca, "--no-qr")
    port = urllib.parse.urlsplit(hand_out.url).port
    before = mapped(hand_out)
    for _ in range(200):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(64):  # an alert, and the end: it was served
                pass
    # A thread that nobody has joined keeps its stack: 8 MiB each.
    assert mapped(hand_out) < before + 400
    assert hand_out.post(PIN).read()
    assert hand_out.end()[0] == 0


def test_it_is_not_for_the_open_internet(ca):
    done = ca.run("hand-out", "ann-phone", "--address", "8.8.8.8", expect=2)
    assert "local network" in done.stderr
