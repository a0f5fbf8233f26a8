"""Runs the commands of docs/platforms against a server that wants a client certificate.

A code block after `<!-- run -->` is run by sh; one after `<!-- file: NAME -->` is that file.
"""

import http.server
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import threading

import pytest

import proxy
from certificate_authority import BINARY, CertificateAuthority

DOCS = pathlib.Path(__file__).parents[2] / "docs" / "platforms"
BLOCK = re.compile(r"<!-- (run|file: (\S+)) -->\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# What a page's commands need, and the Debian package that has it. ./run test installs them all; where
# one is missing its page is skipped, and pytest says which.
NEEDS = {"java.md": [("javac", "default-jdk-headless")], "nodejs.md": [("node", "nodejs")],
         "curl.md": [("curl", "curl")], "python.md": [("python3", "python3")],
         "go.md": [("go", "golang-go")], "esp32.md": [("/usr/include/mbedtls/ssl.h", "libmbedtls-dev")],
         "android.md": [("openssl", "openssl"), ("certtool", "gnutls-bin")],
         "ios.md": [("openssl", "openssl"), ("python3", "python3")]}
# These put a file on a phone, which nobody has here: they only read it as the phone would.
READ_ONLY = {"android.md", "ios.md"}
PAGES = sorted(p.name for p in DOCS.glob("*.md"))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        subject = dict(entry[0] for entry in self.connection.getpeercert()["subject"])
        body = f"hello {subject['commonName']}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def serve(ca):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca.issued("server", "chain.pem"), ca.issued("server", "key.pem"))
    context.load_verify_locations(ca.directory / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def is_there(tool):
    return os.path.exists(tool) if tool.startswith("/") else shutil.which(tool)


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_the_page_work(page, tmp_path):
    missing = [package for tool, package in NEEDS[page] if not is_there(tool)]
    if missing:
        pytest.skip(f"{page} needs the package {' '.join(missing)}")
    if not proxy.localhost_is_known():
        pytest.skip("`localhost` has no address here (/etc/hosts)")
    ca = CertificateAuthority(tmp_path / "ca").init()
    ca.issue("server", "--profile", "server", "--dns", "localhost")
    server = serve(ca)
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(ca.directory / "root/root.pem", work / "server-ca.pem")
    text = (DOCS / page).read_text()
    if "certgate ca issue" not in text:
        ca.issue("ann-laptop", "--out", work)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "certgate").symlink_to(pathlib.Path(BINARY).resolve())
    # Node.js tries ::1 first where /etc/hosts has it; the server listens on 127.0.0.1.
    environment = dict(os.environ, PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}",
                       NODE_OPTIONS="--dns-result-order=ipv4first")
    text = text.replace("api.example.com:8443", f"localhost:{server.server_address[1]}")
    text = text.replace("api.example.com 8443", f"localhost {server.server_address[1]}")
    text = text.replace("/var/lib/certgate/ca", str(ca.directory))
    asked = 0
    for kind, file, content in BLOCK.findall(text):
        if file:
            (work / file).write_text(content)
            continue
        done = subprocess.run(["sh", "-eu"], input=content, cwd=work, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        assert done.returncode == 0, (content, done.stdout)
        asked += bool(re.search("hello (ann-laptop|sensor-7)", done.stdout))
    server.shutdown()
    assert asked >= (page not in READ_ONLY)
    ca.assert_whole()


def test_every_promised_platform_has_its_page():
    assert {p.stem for p in DOCS.glob("*.md")} >= {
        "curl", "python", "go", "java", "nodejs", "android", "ios", "esp32"}
