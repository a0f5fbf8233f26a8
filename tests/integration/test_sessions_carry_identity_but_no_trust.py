"""A resumed session is the same client as before, judged anew; and it never changes hosts."""

import datetime
import ssl
import subprocess
import time

import pytest

import proxy
from tls_peer import VERSIONS, lax_context, s_client

KINDS = [(tickets, version) for tickets in ("stateful", "stateless") for version in VERSIONS]
each_kind = pytest.mark.parametrize("tickets, version", KINDS)

IDENTITY = {"set": {f"X-{name}": f"cf.tls_client_auth.{name}" for name in (
    "cert_presented", "cert_verified", "cert_revoked", "cert_subject_dn", "cert_issuer_dn",
    "cert_serial", "cert_issuer_serial", "cert_ski", "cert_issuer_ski", "cert_fingerprint_sha256",
    "cert_not_after", "cert_rfc9440", "cert_chain_rfc9440")}}


def visit(certgate, context, name="api.example.com", session=None, host=None):
    """One request on a new connection: (status, resumed?, the session to go on with)."""
    with proxy.Client(certgate.port, context, name, session) as client:
        status = client.get("/", host=host).status
        return status, client.tls.session_reused, client.tls.session


def seen(setup):
    return {name.lower(): value for name, value in setup.origin.last().headers.items()
            if name.lower().startswith("x-cert_")}


@each_kind
def test_threat_07_a_resumed_session_has_every_field_of_the_full_handshake(setup, tickets, version):
    issuing = proxy.Authority(setup.folder, "Issuing CA", issuer=setup.ca)
    identity = issuing.issue("alice", extra_chain=[issuing])
    context = lax_context(identity, VERSIONS[version])
    config = setup.config(sessions={"tickets": tickets}, request_headers=IDENTITY)
    # No list: one would have to cover the intermediate too.
    del config["hosts"][0]["client_auth"]["crl"]
    with setup.start(config) as certgate:
        status, resumed, session = visit(certgate, context)
        assert (status, resumed) == (200, False)
        full = seen(setup)
        assert full["x-cert_subject_dn"] == "CN=alice" and full["x-cert_chain_rfc9440"]
        for _ in range(3):  # each time with the newest ticket
            status, resumed, session = visit(certgate, context, session=session)
            assert (status, resumed) == (200, True)
            assert seen(setup) == full
        # Without a certificate there is a session too, and it stays without.
        nobody = lax_context(version=VERSIONS[version])
        _, _, session = visit(certgate, nobody)
        assert visit(certgate, nobody, session=session)[:2] == (403, True)
        records = certgate.records(6)
        assert sum(r["tls_resumed"] for r in records) == 4
        certgate.reload(config)  # a reload that changes nothing about trust keeps sessions
        assert visit(certgate, nobody, session=session)[:2] == (403, True)


@pytest.mark.parametrize("version", VERSIONS)
def test_sessions_off_means_full_handshakes_only(setup, version):
    context = lax_context(setup.ca.issue("alice"), VERSIONS[version])
    with setup.start(sessions={"tickets": "off"}) as certgate:
        _, _, session = visit(certgate, context)
        for _ in range(2):
            assert visit(certgate, context, session=session)[:2] == (200, False)
        assert not any(r["tls_resumed"] for r in certgate.records(3))


@pytest.mark.parametrize("tickets", ["stateful", "stateless", "off"])
def test_threat_06_openssl_resumes_and_stays_the_same_client(setup, tickets):
    identity = setup.ca.issue("alice")
    with setup.start(sessions={"tickets": tickets}, request_headers=IDENTITY) as certgate:
        for flag in ("-tls1_2", "-tls1_3"):
            path = setup.folder / f"session{flag}.pem"
            out = s_client(certgate.port, flag, "-cert", identity.path, "-key", identity.key_path,
                           "-sess_out", path)
            assert "200 OK" in out and "New, TLSv1" in out
            if not path.exists():
                assert tickets == "off"
                continue
            # No certificate this time: the session alone says who it is.
            out = s_client(certgate.port, flag, "-sess_in", path)
            if tickets == "off":
                assert "403" in out and "Reused" not in out
            else:
                assert "200 OK" in out and "Reused, TLSv1" in out
                assert seen(setup)["x-cert_subject_dn"] == "CN=alice"


@pytest.mark.parametrize("tickets", ["stateful", "stateless"])
def test_gnutls_resumes_and_stays_the_same_client(setup, tickets):
    """Another TLS library, which keeps sessions in its own way."""
    alice = setup.ca.issue("alice")
    request = b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n"
    with setup.start(sessions={"tickets": tickets}, request_headers=IDENTITY) as certgate:
        for count, version in enumerate(("VERS-TLS1.2", "VERS-TLS1.3"), 1):
            done = subprocess.run(
                ["gnutls-cli", "--no-ca-verification", "--resume", "--waitresumption",
                 f"--priority=NORMAL:-VERS-ALL:+{version}", f"--x509certfile={alice.path}",
                 f"--x509keyfile={alice.key_path}", "--sni-hostname=api.example.com",
                 "-p", str(certgate.port), "127.0.0.1"],
                input=request, capture_output=True, timeout=proxy.PATIENCE)
            out = (done.stdout + done.stderr).decode("latin-1")
            assert "This is a resumed session" in out, out
            assert seen(setup)["x-cert_subject_dn"] == "CN=alice"
            assert len(certgate.records(count, tls_resumed=True, status=200)) == count


@each_kind
def test_threat_01_a_ticket_of_one_host_is_worth_nothing_on_another(setup, tickets, version):
    """CVE-2025-23419: the session got on A must not skip the client authentication of B."""
    other = proxy.Authority(setup.folder, "Other CA")
    alice = setup.ca.issue("alice")
    hosts = [setup.host(["a.example.com"]), setup.host(["b.example.com"], ca=other),
             setup.host(["strict.example.com"], mode="require", ca=other),
             setup.host(["same.example.com"]), setup.host(["off.example.com"], mode="off")]
    context = lax_context(alice, VERSIONS[version])
    with setup.start(hosts=hosts, sessions={"tickets": tickets}) as certgate:
        _, _, session = visit(certgate, context, "a.example.com")
        assert visit(certgate, context, "b.example.com", session)[:2] == (403, False)
        with pytest.raises(ssl.SSLError):
            visit(certgate, context, "strict.example.com", session)
        assert visit(certgate, context, "off.example.com", session)[1] is False
        # The same CAs, but another name: RFC 8446 §4.6.1 lets a server be this careful.
        assert visit(certgate, context, "same.example.com", session)[:2] == (200, False)
        # And from a host without client certificates to one with them.
        _, _, lax_session = visit(certgate, context, "off.example.com")
        for name in ("a.example.com", "b.example.com"):
            assert visit(certgate, context, name, lax_session)[1] is False
        with pytest.raises(ssl.SSLError):
            visit(certgate, context, "strict.example.com", lax_session)
        verdicts = {r["cert_verdict"] for r in certgate.records(2, sni="b.example.com")}
        assert verdicts == {"untrusted"}


@each_kind
def test_threat_02_a_resumed_session_cannot_name_another_host_in_the_request(setup, tickets,
                                                                             version):
    other = proxy.Authority(setup.folder, "Other CA")
    hosts = [setup.host(["a.example.com"]), setup.host(["b.example.com"], ca=other)]
    context = lax_context(setup.ca.issue("alice"), VERSIONS[version])
    with setup.start(hosts=hosts, rules=[], sessions={"tickets": tickets}) as certgate:
        _, _, session = visit(certgate, context, "a.example.com")
        status, resumed, _ = visit(certgate, context, "a.example.com", session, "b.example.com")
        assert (status, resumed) == (421, True)
        assert certgate.records(1, status=421)[0]["failure"] == "misdirected_request"


@each_kind
def test_threat_03_a_session_ends_its_meaning_with_its_ca(setup, tickets, version):
    """CVE-2025-68121: a CA that was removed by a reload must not live on in sessions."""
    other = proxy.Authority(setup.folder, "Other CA")
    context = lax_context(setup.ca.issue("alice"), VERSIONS[version])
    both = setup.host()
    both["client_auth"]["ca"] = [setup.ca.path.name, other.path.name]
    only_other = setup.host(ca=other)
    sessions = {"tickets": tickets}
    with setup.start(hosts=[both], sessions=sessions) as certgate:
        status, _, session = visit(certgate, context)
        assert status == 200
        certgate.reload(setup.config(hosts=[only_other], sessions=sessions))
        status, _, later = visit(certgate, context, session=session)
        assert status == 403
        assert visit(certgate, context, session=later)[0] == 403
        strict = dict(only_other, client_auth={**only_other["client_auth"], "mode": "require"})
        certgate.reload(setup.config(hosts=[strict], sessions=sessions))
        for old in (session, later):
            with pytest.raises(ssl.SSLError):
                visit(certgate, context, session=old)
        certgate.reload(setup.config(hosts=[both], sessions=sessions))
        assert visit(certgate, context, session=session)[0] == 200


@each_kind
def test_threat_04_a_revoked_certificate_does_not_work_by_resuming(setup, tickets, version):
    """Cloudflare, December 2022. On `require` the resumption itself is refused."""
    hosts = [setup.host(), setup.host(["strict.example.com"], mode="require")]
    alice, bob = setup.ca.issue("alice"), setup.ca.issue("bob")
    contexts = {who: lax_context(who, VERSIONS[version]) for who in (alice, bob)}
    config = setup.config(hosts=hosts, sessions={"tickets": tickets})
    with setup.start(config) as certgate:
        sessions = {(who, name): visit(certgate, contexts[who], name)[2]
                    for who in contexts for name in ("api.example.com", "strict.example.com")}
        setup.ca.revoke(alice)
        certgate.reload()
        status, resumed, _ = visit(certgate, contexts[alice],
                                   session=sessions[alice, "api.example.com"])
        assert (status, resumed) == (403, True)
        assert certgate.records(1, status=403, tls_resumed=True)[0]["cert_verdict"] == "revoked"
        with pytest.raises(ssl.SSLError) as error:
            visit(certgate, contexts[alice], "strict.example.com",
                  sessions[alice, "strict.example.com"])
        assert error.value.reason == "SSLV3_ALERT_CERTIFICATE_REVOKED"
        for name in ("api.example.com", "strict.example.com"):
            assert visit(certgate, contexts[bob], name, sessions[bob, name])[:2] == (200, True)


def test_threat_05_no_session_outlives_the_certificate(setup):
    """Sessions renewed over and over end with the certificate, in all four kinds at once; so does
    the trust in a connection that stays open."""
    setups = []
    for tickets in ("stateful", "stateless"):
        folder = setup.folder / tickets
        folder.mkdir()
        for path in setup.folder.glob("*.*"):
            (folder / path.name).write_bytes(path.read_bytes())
        setups.append(proxy.Certgate(folder, setup.config(sessions={"tickets": tickets}),
                                     wait=False))
    with setups[0], setups[1]:
        for certgate in setups:
            certgate.wait_until_serving()
        lifetime, begin = 8, proxy.now() - datetime.timedelta(hours=1)
        alice = setup.ca.issue(
            "alice", valid_from=begin,
            valid_for=proxy.now() - begin + datetime.timedelta(seconds=lifetime))
        end = alice.certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc).timestamp()
        chains = {}
        for certgate in setups:
            for version in VERSIONS.values():
                context = lax_context(alice, version)
                status, _, session = visit(certgate, context)
                assert status == 200 and time.time() < end, "the machine is too slow for this test"
                chains[certgate, version] = (context, session)
        held = [proxy.Client(certgate.port, lax_context(alice)) for certgate in setups]
        assert [client.get("/").status for client in held] == [200, 200]
        for session in (session for _, session in chains.values()):
            assert session.ticket_lifetime_hint <= lifetime
        resumptions = 0
        while chains:
            for key, (context, session) in list(chains.items()):
                asked = time.time()
                status, resumed, session = visit(key[0], context, session=session)
                if asked >= end + 1:
                    assert (status, resumed) == (403, False)
                    del chains[key]
                elif time.time() < end:
                    assert (status, resumed) == (200, True)
                    resumptions += 1
                    chains[key] = (context, session)
        assert resumptions > 0
        assert [client.get("/").status for client in held] == [403, 403]
        for certgate, client in zip(setups, held):
            client.close()
            assert {r["cert_verdict"] for r in certgate.records(3, status=403)} == {"expired"}


@each_kind
def test_what_cannot_be_kept_is_still_served(setup, tickets, version):
    """An expired certificate, and a chain too large for a sealed ticket: handshakes in full."""
    past = proxy.now() - datetime.timedelta(days=9)
    expired = setup.ca.issue("expired", valid_from=past, valid_for=datetime.timedelta(days=2))
    bulky = setup.ca.issue("bulky", extra_chain=[setup.ca] * 60)
    limits = {"certificate_chain": 100}
    with setup.start(sessions={"tickets": tickets}, limits=limits) as certgate:
        for identity, status, resumes in [(expired, 403, False),
                                          (bulky, 200, tickets == "stateful")]:
            context = lax_context(identity, VERSIONS[version])
            got, _, session = visit(certgate, context)
            assert got == status
            assert visit(certgate, context, session=session)[:2] == (status, resumes)
        assert not certgate.records(event="handshake_failed")


@each_kind
def test_a_session_ends_with_its_lifetime(setup, tickets, version):
    context = lax_context(setup.ca.issue("alice"), VERSIONS[version])
    with setup.start(tls={"session_lifetime": "1s"}, sessions={"tickets": tickets}) as certgate:
        _, _, session = visit(certgate, context)
        assert session.ticket_lifetime_hint <= 1 or not session.has_ticket
        # The first session, again and again: it resumes for a second at most.
        proxy.wait_until(lambda: not visit(certgate, context, session=session)[1], "the end")


def test_a_foreign_or_altered_ticket_is_no_ticket(setup):
    """One certgate's sealed tickets mean nothing to another; a changed one means nothing at all."""
    alice = setup.ca.issue("alice")
    path, changed = setup.folder / "session.pem", setup.folder / "changed.pem"
    with setup.start(sessions={"tickets": "stateless"}) as certgate:
        out = s_client(certgate.port, "-tls1_3", "-cert", alice.path, "-key", alice.key_path,
                       "-sess_out", path)
        assert "200 OK" in out
        # RFC 5077 style: key name, IV, sealed state, MAC. The ticket is the last long string but one
        # or two in OpenSSL's file, so some byte of the middle of its tail is sealed state.
        der = bytearray(ssl.PEM_cert_to_DER_cert(
            path.read_text().replace("SSL SESSION PARAMETERS", "CERTIFICATE")))
        der[len(der) - 300] ^= 1
        changed.write_text(ssl.DER_cert_to_PEM_cert(bytes(der)).replace(
            "CERTIFICATE", "SSL SESSION PARAMETERS"))
        assert "Reused" in s_client(certgate.port, "-tls1_3", "-sess_in", path)
        out = s_client(certgate.port, "-tls1_3", "-sess_in", changed)
        assert "Reused" not in out and "200 OK" not in out
    with setup.start(sessions={"tickets": "stateless"}) as certgate:
        out = s_client(certgate.port, "-tls1_3", "-sess_in", path)
        assert "Reused" not in out and "403" in out
