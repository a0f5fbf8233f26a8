"""`certgate check` looks at the certificates of https origins, and says who does not answer."""

import datetime
import re
import shutil

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import proxy
from check_folder import Folder


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def tls_origin(identity):
    context = proxy.ssl.SSLContext(proxy.ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.path, identity.key_path)
    return proxy.Origin(tls=context)


# The certificate that an origin shows, the server name asked for, and what `check` says.
ORIGIN_CERTIFICATES = {
    "sound": (dict(dns=["up.example.com"]), "up.example.com", None),
    "address": (dict(server=True), "", None),
    "another_name": (dict(dns=["wrong.example.com"]), "up.example.com",
                     "it is not for `up.example.com` but for wrong.example.com"),
    "wildcard": (dict(dns=["*.example.com"]), "up.example.com",
                 "covers `up.example.com` by a wildcard only"),
    "expires_soon": (dict(dns=["up.example.com"], valid_for=datetime.timedelta(days=9)),
                     "up.example.com", "expires on "),
    "expired": (dict(dns=["up.example.com"], valid_from=proxy.now() - datetime.timedelta(days=9),
                     valid_for=datetime.timedelta(days=2)), "up.example.com",
                "certificate has expired"),
    "foreign": (dict(dns=["up.example.com"]), "up.example.com", "is not accepted"),
    "not_verified": (dict(dns=["wrong.example.com"]), "up.example.com",
                     "does not cover the name `up.example.com`"),
}


@pytest.mark.parametrize("kind", ORIGIN_CERTIFICATES)
def test_the_certificate_of_an_origin_is_looked_at(folder, kind):
    how, name, words = ORIGIN_CERTIFICATES[kind]
    how = {"valid_for": datetime.timedelta(days=200),
           "usages": [ExtendedKeyUsageOID.SERVER_AUTH], **how}
    identity = folder.server_ca.issue("up", **how)
    ca = folder.ca if kind == "foreign" else folder.server_ca
    folder.copy(ca.path, "up.pem")
    trust = "verify: false" if kind == "not_verified" else "ca: up.pem"
    asked = f', server_name: "{name}"' if name else ""
    with tls_origin(identity) as origin:
        folder.edit('servers: ["http://127.0.0.1:9000"]',
                    f'servers: ["{origin.url}"]\n    tls: {{{trust}{asked}}}')
        done = folder.check(status=0)
        warnings = [line for line in done.stderr.splitlines() if ": warning: " in line]
        told = [line for line in warnings if origin.url in line]
        if words is None:
            assert not told, done.stderr
        else:
            assert any(words in line for line in told), done.stderr
            line = folder.config.splitlines().index(f'    servers: ["{origin.url}"]') + 1
            assert re.search(rf"certgate\.yaml:{line}:\d+: warning: ", told[0]), told
            assert "hint: " in done.stderr
        # Nobody is asked when nobody shall be.
        assert origin.url not in "".join(
            line for line in folder.check("--offline", status=0).stderr.splitlines()
            if ": warning: " in line and "verify" not in line)


def test_an_origin_that_speaks_no_tls_is_told_as_such(folder):
    with proxy.Origin() as origin:
        folder.edit("http://127.0.0.1:9000", f"https://127.0.0.1:{origin.port}")
        text = folder.check(status=0).stderr
    assert "no request will reach" in text and "does not speak TLS: write http://" in text, text


def test_an_origin_that_does_not_answer_is_a_note_and_soon_told(folder):
    # One refuses, one takes the connection and says nothing, one does not speak TLS.
    silent = proxy.socket.create_server(("127.0.0.1", 0))
    with silent, proxy.Origin() as plain:
        quiet = silent.getsockname()[1]
        folder.edit('servers: ["http://127.0.0.1:9000"]',
                    f'servers: ["https://127.0.0.1:1", "https://127.0.0.1:{quiet}", '
                    f'"https://127.0.0.1:{plain.port}"]')
        done = folder.check(status=0)
        assert re.search(r"certgate\.yaml:\d+:\d+: note: the certificate of https://127\.0\.0\.1:1 "
                         "was not looked at: .*refused", done.stderr), done.stderr
        assert f"note: the certificate of https://127.0.0.1:{quiet} was not looked at" in done.stderr
        assert f"warning: no request will reach https://127.0.0.1:{plain.port}: TLS" in done.stderr
        assert "certgate.yaml: ok" in done.stdout


def test_upstream_certificates_are_judged_against_the_name(folder):
    """The origin's certificate is seen when the proxy connects: a wrong name is refused there."""
    wrong = folder.server_ca.issue("wrong.example.com", dns=["wrong.example.com"],
                                   usages=[ExtendedKeyUsageOID.SERVER_AUTH],
                                   subject=x509.Name([x509.NameAttribute(
                                       NameOID.COMMON_NAME, "wrong.example.com")]))
    context = proxy.ssl.SSLContext(proxy.ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(wrong.path, wrong.key_path)
    with proxy.Origin(tls=context) as origin:
        setup_folder = folder.path / "run"
        setup_folder.mkdir()
        setup = proxy.Setup(setup_folder, origin)
        alice = setup.ca.issue("alice")
        shutil.copy(folder.server_ca.path, setup_folder / "up.pem")
        config = setup.config()
        config["origins"]["api"]["tls"] = {"ca": "up.pem"}
        with setup.start(config) as certgate, setup.client(certgate, alice) as client:
            assert client.get("/").status == 502
            certgate.records(1, failure="origin_certificate_rejected")
        assert not origin.requests
