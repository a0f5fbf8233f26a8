"""`certgate deny`: in force on every worker and open connection at once, kept, and written down."""

import json
import pathlib
import signal
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import utils

import proxy

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture
def gate(setup):
    config = setup.config(
        admin={"address": f"unix:{setup.folder}/admin.sock"}, state_directory="state", workers=2,
        # Connections stay open however slow the machine is.
        timeouts={"keep_alive": "1h", "header": "1h", "drain": "2s"},
    )
    setup.device = setup.ca.issue("sensor-7")
    setup.other = setup.ca.issue("sensor-8")
    with setup.start(config) as certgate:
        setup.gate = certgate
        yield setup


def ask(setup, command, *arguments, status=0):
    return proxy.run(command, "--config", setup.gate.config_path, *arguments, status=status)


def status_of(setup):
    return json.loads(ask(setup, "status").stdout)


@pytest.mark.parametrize("criteria", ["serial", "serial and issuer", "fingerprint", "subject"])
def test_each_criterion_denies_open_connections_on_their_next_request(gate, criteria):
    arguments = {
        "serial": ["--serial", gate.device.serial.lower()],
        "serial and issuer": ["--serial", gate.device.serial, "--issuer", "CN=Client CA"],
        "fingerprint": ["--fingerprint", gate.device.fingerprint.upper()],
        "subject": ["--subject", "CN=sensor-7"],
    }[criteria]
    opened = [gate.client(gate.gate, gate.device) for _ in range(6)]
    with gate.client(gate.gate, gate.other) as bystander:
        for client in opened:
            assert client.get().status == 200
        assert bystander.get().status == 200
        answer = ask(gate, "deny", *arguments, "--reason", "stolen")
        assert "6 open connections are affected" in answer.stdout
        for client in opened:
            assert client.get().status == 403
        assert bystander.get().status == 200
        with gate.client(gate.gate, gate.device) as new:
            assert new.get().status == 403
        gate.gate.records(count=7, status=403)

        assert "stolen" in ask(gate, "denies").stdout
        listed = json.loads(ask(gate, "denies", "--json").stdout)
        assert listed["kept"] is True
        assert len(listed["denied"]) == 1
        assert len(status_of(gate)["denied"]) == 1

        undone = ask(gate, "undeny", *arguments)
        assert "no longer denied" in undone.stdout
        # The very connections that were refused serve again.
        for client in opened:
            assert client.get().status == 200
            client.close()
    assert ask(gate, "denies").stdout == "nobody is denied\n"


def test_nothing_is_accepted_that_began_after_the_command_returned(gate):
    """Forty idle connections on both workers, and one that never stops asking."""
    clients = [gate.client(gate.gate, gate.device) for _ in range(40)]
    assert {client.get().status for client in clients} == {200}
    stop, begun, answers = threading.Event(), threading.Event(), []

    def go_on():
        with gate.client(gate.gate, gate.device) as client:
            while not stop.is_set():
                began = time.monotonic()
                answers.append((began, client.get().status))
                begun.set()

    thread = threading.Thread(target=go_on)
    thread.start()
    assert begun.wait(proxy.PATIENCE)
    answer = ask(gate, "deny", "--serial", gate.device.serial)
    ended = time.monotonic()
    assert "41 open connections are affected" in answer.stdout
    assert {client.get().status for client in clients} == {403}
    proxy.wait_until(lambda: answers[-1][0] > ended, "a request after the command")
    stop.set()
    thread.join()
    for client in clients:
        client.close()
    assert {status for began, status in answers if began >= ended} == {403}
    assert answers[0][1] == 200


def test_another_issuer_with_the_same_serial_is_not_meant(gate):
    ask(gate, "deny", "--serial", gate.device.serial, "--issuer", "CN=Another CA")
    with gate.client(gate.gate, gate.device) as client:
        assert client.get().status == 200


def test_a_denied_certificate_is_cert_revoked_for_the_rules_and_the_log(setup):
    rule = {"name": "only revoked", "expression": "cf.tls_client_auth.cert_revoked and "
            "cf.tls_client_auth.cert_verified", "action": "block"}
    device = setup.ca.issue("sensor-7")
    config = setup.config(admin={"address": f"unix:{setup.folder}/admin.sock"}, rules=[rule])
    with setup.start(config) as gate, setup.client(gate, device) as client:
        assert client.get().status == 200
        answer = proxy.run("deny", "--config", gate.config_path, "--serial", device.serial)
        assert "no `state_directory`" in answer.stdout
        assert client.get().status == 403
        record = gate.records(count=1, status=403)[0]
        assert "denied" in json.dumps(record)
        assert record["rule"] == "only revoked"


def test_the_list_and_its_ends_outlive_a_restart_and_a_kill(gate):
    ask(gate, "deny", "--serial", gate.device.serial)
    ask(gate, "deny", "--subject", "CN=sensor-8", "--for", "2h")
    gate.gate.process.send_signal(signal.SIGKILL)
    gate.gate.process.wait()
    gate.gate.errors.close()
    config = json.loads(gate.gate.config_path.read_text())
    with gate.start(config) as again:
        for identity in (gate.device, gate.other):
            with gate.client(again, identity) as client:
                assert client.get().status == 403
        listed = json.loads(proxy.run("denies", "--json", "--config", again.config_path).stdout)
        assert len(listed["denied"]) == 2
        assert 7100 < listed["denied"][1]["expires"] - time.time() < 7300
        again.reload(config)
        with gate.client(again, gate.device) as client:
            assert client.get().status == 403
    gate.gate.process = again.process


def test_a_denial_with_an_end_ends_by_itself(gate):
    with gate.client(gate.gate, gate.device) as client:
        ask(gate, "deny", "--serial", gate.device.serial, "--for", "2s")
        assert client.get().status == 403
        proxy.wait_until(lambda: client.get().status == 200, "the denial to end")
    assert ask(gate, "denies").stdout == "nobody is denied\n"


def test_the_audit_log_has_one_line_for_each_change(gate):
    ask(gate, "deny", "--serial", gate.device.serial, "--reason", 'said "lost"\nyesterday')
    ask(gate, "undeny", "--serial", gate.device.serial)
    state = gate.folder / "state"
    lines = [json.loads(line) for line in (state / "audit.log").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["deny", "undeny"]
    assert lines[0]["entries"][0]["serial"] == gate.device.serial
    assert lines[0]["entries"][0]["reason"] == 'said "lost"\nyesterday'
    assert lines[0]["by"]
    assert abs(lines[0]["time"] - time.time()) < 600
    for name in ("audit.log", "denied.json"):
        assert (state / name).stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700


def test_tunnels_of_a_denied_client_are_cut(setup):
    def talk(connection):
        proxy.read_head(connection)
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                           b"Upgrade: websocket\r\n\r\nwelcome")
        while connection.recv(1000):
            pass

    origin = proxy.RawOrigin(talk)
    device = setup.ca.issue("sensor-7")
    config = setup.config(admin={"address": f"unix:{setup.folder}/admin.sock"},
                          origins={"api": {"servers": [origin.url]}})
    with setup.start(config) as gate, setup.client(gate, device) as client:
        client.send("GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\n"
                    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        data = b""
        while not data.endswith(b"welcome"):
            data += client.tls.recv(1000)
        answer = proxy.run("deny", "--config", gate.config_path, "--serial", device.serial)
        assert "1 open connection is affected" in answer.stdout
        assert client.read_until_close() == b""
    origin.close()


def test_where_a_certificate_is_required_the_handshake_refuses_too(setup):
    device = setup.ca.issue("sensor-7")
    config = setup.config(hosts=[setup.host(mode="require")], admin={"address": f"unix:{setup.folder}/admin.sock"})
    with setup.start(config) as gate:
        with setup.client(gate, device) as client:
            assert client.get().status == 200
            proxy.run("deny", "--config", gate.config_path, "--serial", device.serial)
            assert client.get().status == 403
        with pytest.raises((ssl.SSLError, ConnectionError)):
            with setup.client(gate, device) as client:
                client.get()
        proxy.run("undeny", "--config", gate.config_path, "--serial", device.serial)
        with setup.client(gate, device) as client:
            assert client.get().status == 200


@pytest.mark.parametrize("arguments, said", [
    (["--serial", "xyz"], "not hexadecimal"),
    (["--fingerprint", "ab:cd"], "64 hexadecimal"),
    (["--subject", "CN=a", "--issuer", "CN=b"], "issuer without a serial"),
    (["--subject", "sensor-7"], "`sensor-7` is not a whole name"),
    (["--subject", "CN = sensor-7"], "is not a whole name"),
    (["--subject", "CN=sensor-7, O=Example"], "no spaces behind commas"),
    (["--subject", "CN=Example, Ltd"], "is not a whole name"),
    (["--serial", "77", "--issuer", "Client CA"], "the issuer `Client CA` is not a whole name"),
])
def test_what_cannot_match_is_refused_and_changes_nothing(gate, arguments, said):
    before = status_of(gate)["version"]
    answer = ask(gate, "deny", *arguments, status=1)
    assert said in answer.stderr
    assert "nothing changed" in answer.stderr
    assert status_of(gate)["version"] == before
    assert "no entry" in ask(gate, "undeny", "--serial", "77", status=1).stderr


@pytest.mark.parametrize("name", ["CN=a", r"CN=Example\, Ltd,O=x", "CN=a+OU=b,O=c = d", "1.2.3.4=#0C0161",
                                  "/O=Example, Ltd/CN=a", "CN=,O=x"])
def test_whole_names_are_taken(gate, name):
    assert name in ask(gate, "deny", "--subject", name).stdout


@pytest.mark.parametrize("arguments", [
    [], ["--serial", "1", "--subject", "CN=a"], ["--serial", "1", "--for", "soon"],
])
def test_bad_usage_is_told_apart(gate, arguments):
    ask(gate, "deny", *arguments, status=2)


def test_a_full_or_missing_disk_does_not_keep_a_denial_from_holding(gate):
    state = gate.folder / "state"
    for entry in state.iterdir():
        entry.unlink()
    state.rmdir()
    state.write_text("not a directory")
    answer = ask(gate, "deny", "--serial", gate.device.serial, status=1)
    assert "in force, but lost with the next restart" in answer.stderr
    with gate.client(gate.gate, gate.device) as client:
        assert client.get().status == 403
        # What cannot be taken off the disk stays denied.
        answer = ask(gate, "undeny", "--serial", gate.device.serial, status=1)
        assert "stays in force" in answer.stderr
        assert client.get().status == 403


def test_a_deny_list_that_cannot_be_read_keeps_certgate_from_starting(setup):
    state = setup.folder / "state"
    state.mkdir()
    (state / "denied.json").write_text('{"denied": [{"serial": "0A", "fingerprnt": "x"}]}')
    gate = proxy.Certgate(setup.folder, setup.config(state_directory="state"), wait=False)
    assert gate.process.wait(proxy.PATIENCE) != 0
    assert "denied.json" in gate.stderr()
    gate.errors.close()


def test_requests_never_fail_while_the_list_changes(gate):
    stop = threading.Event()
    bad = []

    def go_on():
        with gate.client(gate.gate, gate.other) as client:
            while not stop.is_set():
                status = client.get().status
                if status != 200:
                    bad.append(status)

    threads = [threading.Thread(target=go_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    for index in range(8):
        ask(gate, "deny", "--serial", f"{index + 1:02X}")
    stop.set()
    for thread in threads:
        thread.join()
    assert bad == []
    assert len(json.loads(ask(gate, "denies", "--json").stdout)["denied"]) == 8


def test_a_denial_that_no_rule_heeds_says_so(setup):
    """A denied certificate is cert_revoked: where no rule asks for that, it still gets in."""
    device = setup.ca.issue("sensor-7")
    config = setup.config(admin={"address": f"unix:{setup.folder}/admin.sock"}, rules=[])
    with setup.start(config) as certgate:
        setup.gate = certgate
        words = "no rule blocks by cf.tls_client_auth.cert_revoked"
        assert f"warning: {words}" in ask(setup, "deny", "--serial", device.serial).stdout
        assert words in certgate.log()
        told = json.loads(ask(setup, "deny", "--serial", device.serial, "--json").stdout)
        assert told["done"] and words in told["warning"]
        assert "warning" not in ask(setup, "undeny", "--serial", device.serial).stdout
        # Rules that ask and keep nobody out.
        asks = {"name": "revoked", "expression": "cf.tls_client_auth.cert_revoked"}
        certgate.reload({**config, "rules": [
            {**asks, "action": "log"}, {**asks, "name": "off", "action": "block", "enabled": False},
            {"name": "in", "expression": "not cf.tls_client_auth.cert_revoked", "action": "allow"}],
            "shadow": {"rules": [{**asks, "action": "block"}]}})
        assert f"warning: {words}" in ask(setup, "deny", "--serial", device.serial).stdout
        with setup.client(certgate, device) as client:
            assert client.get().status == 200
        # Rules that do, and a host that refuses by itself.
        for changed in ({"rules": [proxy.BLOCK_UNVERIFIED]},
                        {"default_action": "block", "rules": [
                            {"name": "in", "action": "allow",
                             "expression": "not cf.tls_client_auth.cert_revoked"}]},
                        {"hosts": [setup.host(mode="require")]}):
            certgate.reload({**config, **changed})
            assert "warning" not in ask(setup, "deny", "--serial", device.serial).stdout
            told = json.loads(ask(setup, "deny", "--serial", device.serial, "--json").stdout)
            assert told["warning"] == ""


def der(tag, content):
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x80 | (size.bit_length() + 7) // 8]) + \
        size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag]) + length + content


def with_other_signature(identity, folder):
    """The same certificate, whose signature (r, s) its owner has replaced by the equally good (r, n - s)."""
    facts = identity.certificate
    r, s = utils.decode_dss_signature(facts.signature)
    signature = utils.encode_dss_signature(r, P256_ORDER - s)
    ecdsa_with_sha256 = bytes.fromhex("300a06082a8648ce3d040302")
    changed = der(0x30, facts.tbs_certificate_bytes + ecdsa_with_sha256 + der(0x03, b"\0" + signature))
    folder = pathlib.Path(folder) / "changed"
    folder.mkdir()
    return proxy.Identity(folder, identity.name, x509.load_der_x509_certificate(changed), identity.key)


def test_a_denied_fingerprint_cannot_be_shaken_off(gate):
    changed = with_other_signature(gate.device, gate.folder)
    with gate.client(gate.gate, changed) as client:
        assert client.get().status == 200
        fingerprint = gate.gate.records(1)[0]["cert_fingerprint"]
        assert fingerprint != gate.device.fingerprint.lower()
        ask(gate, "deny", "--fingerprint", gate.device.fingerprint)
        assert client.get().status == 403
        ask(gate, "undeny", "--fingerprint", gate.device.fingerprint)
        assert client.get().status == 200
        ask(gate, "deny", "--fingerprint", fingerprint)
        assert client.get().status == 403
    with gate.client(gate.gate, gate.device) as original:
        assert original.get().status == 403
    with gate.client(gate.gate, gate.other) as bystander:
        assert bystander.get().status == 200
