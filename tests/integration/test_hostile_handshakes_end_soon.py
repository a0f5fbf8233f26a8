"""Deadline, caps, plain HTTP, split ClientHellos, renegotiation, early data, compression."""

import re
import select
import ssl
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

import proxy
from tls_peer import (TLS12, TLS13, VERSIONS, Memory, alert_name, alert_of, connect, lax_context,
                      one_byte_records, read_to_end, s_client)


def hello(version=None, host="api.example.com"):
    return Memory(lax_context(version=version), host).client_hello()


def alert_in(records):
    """The number of the last alert in plain records, or None."""
    at, alert = 0, None
    while at + 5 <= len(records):
        size = int.from_bytes(records[at + 3:at + 5], "big")
        if records[at] == 21:
            alert = records[at + 6]
        at += 5 + size
    return alert


def test_threat_75_a_handshake_has_a_deadline(setup):
    first = hello()
    silent = [b"", first[:3], first[: len(first) // 2], first]
    with setup.start(timeouts={"handshake": "400ms", "drain": "2s"}) as certgate:
        connections = [connect(certgate.port) for _ in silent]
        for connection, data in zip(connections, silent):
            connection.sendall(data)
        for connection in connections:
            read_to_end(connection)
            connection.close()
        for record in certgate.records(len(silent), event="handshake_failed"):
            assert record["failure"] == "timed_out", record
        certgate.reload(setup.config())  # time enough for an honest client on a busy machine
        with setup.client(certgate, setup.ca.issue("alice")) as client:
            assert client.get("/").status == 200


def test_threat_85_plain_http_on_the_tls_port_is_told_apart_from_noise(setup):
    table = [(b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n", "plain_http"),
             (b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "plain_http"),
             (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + hello(), "not_tls"),
             (b"SSH-2.0-OpenSSH_9.2\r\n", "not_tls"), (bytes(64), "not_tls")]
    with setup.start() as certgate:
        for count, (data, failure) in enumerate(table, 1):
            with connect(certgate.port) as connection:
                connection.sendall(data)
                answer = read_to_end(connection)
            # Nothing of a secret, and nothing that a browser would show as the site.
            if failure == "plain_http":
                head, body = answer.split(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n") and b"https://" in body
                assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
            else:
                assert b"HTTP" not in answer
            records = certgate.records(count, event="handshake_failed")
            assert records[-1]["failure"] == failure, (data, records[-1])
    assert not setup.origin.requests


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("host", ["api.example.com", None])
def test_threat_08_a_client_hello_in_single_bytes_is_the_same_client_hello(setup, version, host):
    """With and without a name: `*` is laxer here, and must not be reached by splitting."""
    identity = setup.ca.issue("alice")
    hosts = [setup.host(mode="require"), setup.host(["*"], mode="off")]
    name = host or "nobody.test"
    request = f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()
    with setup.start(hosts=hosts, rules=[]) as certgate:
        for split in (lambda data: [bytes([byte]) for byte in data],
                      lambda data: [one_byte_records(data)]):
            for presented in (identity, None):
                memory = Memory(lax_context(presented, VERSIONS[version]), host)
                with connect(certgate.port) as connection:
                    for piece in split(memory.client_hello()):
                        connection.sendall(piece)
                    if host and presented is None:
                        with pytest.raises(ssl.SSLError):
                            memory.finish(connection)
                            memory.exchange(connection, request)
                        continue
                    memory.finish(connection)
                    assert b"200 OK" in memory.exchange(connection, request)
        records = certgate.records(2 if host else 4, event="request")
        assert {r.get("sni") for r in records} == {host}
        assert {r["cert_verdict"] for r in records} == {"verified" if host else "not_asked"}


def test_a_client_that_speaks_on_after_the_alert_can_read_it(setup):
    """In TLS 1.3 a request follows the certificate at once: a reset would destroy the alert."""
    with setup.start(hosts=[setup.host(mode="require")], rules=[]) as certgate:
        memory = Memory(lax_context(None, ssl.TLSVersion.TLSv1_3), "api.example.com")
        with connect(certgate.port) as connection:
            connection.sendall(memory.client_hello())
            memory.finish(connection)
            ended = select.poll()
            ended.register(connection, select.POLLRDHUP)
            assert ended.poll(proxy.PATIENCE * 1000)  # refused, and this side does not know it yet
            for _ in range(3):
                memory.tls.write(b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
                connection.sendall(memory.outgoing.read())
            memory.incoming.write(connection.recv(65536))
            with pytest.raises(ssl.SSLError) as told:
                memory.tls.read(65536)
            assert alert_name(told.value) == "certificate_required"
            assert connection.recv(65536) == b""


def test_threat_76_chains_and_keys_beyond_the_limits_are_refused(setup):
    large = setup.ca.issue("large", key=rsa.generate_private_key(65537, 2112))
    usual = setup.ca.issue("usual", key=rsa.generate_private_key(65537, 2048))
    long = setup.ca.issue("long", extra_chain=[setup.ca] * 3)
    longest = setup.ca.issue("longest", extra_chain=[setup.ca] * 2)
    bulky = setup.ca.issue("bulky", extra_chain=[setup.ca] * 200)  # above 64 KiB
    limits = {"certificate_chain": 3, "rsa_bits": 2048}
    with setup.start(limits=limits) as certgate:
        for version in VERSIONS.values():
            for identity, works in [(usual, True), (longest, True), (large, False), (long, False),
                                    (bulky, False)]:
                try:
                    alert = alert_of(certgate.port, lax_context(identity, version))
                except OSError:  # refused while the client was still sending its 64 KiB
                    assert identity is bulky
                    alert = "reset"
                assert (alert is None) == works, (identity.name, alert)
        records = certgate.records(6, event="handshake_failed")
        assert {r["failure"] for r in records} == {"certificate_limits"}
        reasons = {r.get("cert_subject"): r["reason"] for r in records}
        assert reasons == {"CN=large": "the client's key is larger than allowed",
                           "CN=long": "the client sent too many certificates",
                           None: "excessive message size"}


def test_renegotiation_is_refused(setup):
    with setup.start(rules=[]) as certgate:
        client = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{certgate.port}", "-tls1_2",
             "-servername", "api.example.com"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        client.stdin.write(b"R\n")  # s_client's command to renegotiate
        client.stdin.flush()
        out = client.stdout.read().decode("latin-1")  # until it gives up, its input still open
        client.stdin.close()
        assert client.wait(proxy.PATIENCE) != 0
        assert "RENEGOTIATING" in out and "no renegotiation" in out
        with setup.client(certgate) as client:  # nothing else suffered
            assert client.get("/").status == 200


def test_threat_15_no_early_data_is_accepted(setup, tmp_path):
    session, early = tmp_path / "session.pem", tmp_path / "early"
    early.write_bytes(b"GET /early HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
    for tickets in ("stateful", "stateless"):
        setup.origin.requests.clear()
        with setup.start(rules=[], sessions={"tickets": tickets}) as certgate:
            out = s_client(certgate.port, "-tls1_3", "-sess_out", session)
            assert "Max Early Data: 0" in out and "200 OK" in out
            out = s_client(certgate.port, "-tls1_3", "-sess_in", session, "-early_data", early)
            assert "Reused, TLSv1.3" in out
            assert "Early data was accepted" not in out
        assert all(r.path != "/early" for r in setup.origin.requests)


def test_a_hello_retry_asks_once_more_and_reaches_the_same_host(setup):
    alice = setup.ca.issue("alice")
    hosts = [setup.host(mode="require", tls={"groups": ["X25519"]}),
             setup.host(["*"], mode="off")]
    identity = ("-cert", alice.path, "-key", alice.key_path)
    with setup.start(hosts=hosts) as certgate:
        out = s_client(certgate.port, "-tls1_3", "-groups", "P-256:X25519", *identity)
        assert "200 OK" in out
        assert re.search("(Temp Key|TLS1.3 group): X25519", out, re.IGNORECASE)  # OpenSSL 3.0, 3.5
        assert "200 OK" not in s_client(certgate.port, "-tls1_3", "-groups", "P-256:X25519")
        out = s_client(certgate.port, "-tls1_3", "-groups", "P-256", *identity)
        assert "handshake failure" in out
        failed = certgate.records(2, event="handshake_failed")
        assert {r["failure"] for r in failed} == {"no_certificate", "no_shared_cipher"}


def test_each_host_has_its_own_ciphers(setup):
    strong = "ECDHE-ECDSA-AES256-GCM-SHA384"
    hosts = [setup.host(tls={"ciphers": [strong, "TLS_AES_256_GCM_SHA384"]}),
             setup.host(["other.example.com"])]
    weak = lax_context(version=TLS12)
    weak.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    with setup.start(hosts=hosts, rules=[]) as certgate:
        assert alert_of(certgate.port, weak, "other.example.com") is None
        assert alert_of(certgate.port, weak) == "handshake_failure"
        assert certgate.records(1, event="handshake_failed")[0]["failure"] == "no_shared_cipher"
        for version, cipher in [(TLS12, strong), (TLS13, "TLS_AES_256_GCM_SHA384")]:
            assert alert_of(certgate.port, lax_context(version=version)) is None
            assert certgate.records(1, sni="api.example.com", tls_cipher=cipher)


def test_compression_is_never_chosen(setup):
    """CRIME: a client that offers DEFLATE gets a ServerHello without compression."""
    data = hello(TLS12)
    at = 5 + 4 + 2 + 32
    at += 1 + data[at]  # session id
    at += 2 + int.from_bytes(data[at:at + 2], "big")  # cipher suites
    assert data[at:at + 2] == b"\x01\x00"
    body = data[9:at] + b"\x02\x01\x00" + data[at + 2:]
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    offered = data[:3] + len(handshake).to_bytes(2, "big") + handshake
    with setup.start() as certgate, connect(certgate.port) as connection:
        connection.sendall(offered)
        answer = b""
        while len(answer) < 5 + 4 + 2 + 32 + 1 + 32 + 3:
            piece = connection.recv(65536)
            assert piece
            answer += piece
        assert answer[0] == 22 and answer[5] == 2  # ServerHello
        at = 5 + 4 + 2 + 32
        at += 1 + answer[at] + 2
        assert answer[at] == 0


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_threat_21_malformed_hellos_get_an_alert(setup, version):
    data = hello(version)
    name = b"api.example.com"
    at = data.index(name)
    broken = {
        "NUL in the name": data[:at] + b"api.example.\0om" + data[at + len(name):],
        "space in the name": data[:at] + b"api example.com" + data[at + len(name):],
        "length of the name too large": data[:at - 1] + b"\xff" + data[at:],
        "unknown name type": data[:at - 3] + b"\x05" + data[at - 2:],
    }
    with setup.start() as certgate:
        for count, (what, bytes_) in enumerate(broken.items(), 1):
            with connect(certgate.port) as connection:
                connection.sendall(bytes_)
                assert alert_in(read_to_end(connection)) in (50, 112), what
            assert certgate.records(count, event="handshake_failed")[-1]["failure"] in (
                "unknown_name", "protocol"), what


def test_the_certificate_that_is_shown_carries_its_chain(setup):
    intermediate = proxy.Authority(setup.folder, "Server Issuing CA", issuer=setup.server_ca)
    server = intermediate.issue("api.example.com", server=True, dns=("api.example.com",),
                                extra_chain=[intermediate])
    host = setup.host(certificate=server.path.name, private_key=server.key_path.name)
    with setup.start(hosts=[host], rules=[]) as certgate:
        for version in VERSIONS.values():  # verified by the client, from the root alone
            context = proxy.client_context(setup.server_ca, version=version)
            with proxy.Client(certgate.port, context) as client:
                assert client.get("/").status == 200
                assert client.tls.getpeercert(binary_form=True) == \
                    server.certificate.public_bytes(Encoding.DER)
