"""Revocation lists of `certgate ca`: what is on them, when they change, how they are numbered."""

import contextlib
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess

import pytest
from cryptography import x509

from certificate_authority import BINARY, CertificateAuthority

REASONS = ["unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded",
           "cessationOfOperation", "certificateHold", "privilegeWithdrawn", "aACompromise"]


@pytest.fixture
def ca(tmp_path):
    return CertificateAuthority(tmp_path / "ca").init()


def on_list(ca, name):
    return ca.crl().get_revoked_certificate_by_serial_number(ca.certificate(name).serial_number)


@pytest.mark.parametrize("reason", REASONS)
def test_the_reason_is_on_the_list(ca, reason):
    ca.issue("device", "--profile", "iot")
    ca.run("revoke", "device", "--reason", reason)
    entry = on_list(ca, "device")
    if reason == "unspecified":  # RFC 5280 §5.3.1: absent rather than unspecified
        assert len(list(entry.extensions)) == 0
    else:
        code = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
        assert code == reason
    ca.assert_whole()


def test_a_hold_can_be_taken_back_and_a_revocation_cannot(ca):
    ca.issue("device", "--profile", "iot")
    ca.run("revoke", "device", "--reason", "certificateHold")
    assert on_list(ca, "device")
    ca.run("restore", "device")
    assert on_list(ca, "device") is None
    assert ca.entry("device")["status"] == "active"
    ca.run("revoke", "device", "--reason", "certificateHold")
    ca.run("revoke", "device", "--reason", "keyCompromise")
    assert "only certificateHold" in ca.run("restore", ca.entry("device")["serial"],
                                            expect=1).stderr
    assert "revoked for good already" in ca.run("restore", "device", expect=1).stderr
    assert on_list(ca, "device")


def test_every_list_has_a_higher_number_and_a_next_update(ca):
    numbers = [ca.crl_number()]
    for _ in range(3):
        ca.run("crl", "--days", "3")
        numbers.append(ca.crl_number())
        assert 2 < (ca.crl().next_update - ca.crl().last_update).days + 1 <= 4
    assert numbers == [1, 2, 3, 4]
    ca.run("crl", "--if-due")
    assert ca.crl_number() == 4


def test_a_name_stands_for_all_its_certificates_and_a_serial_for_one(ca):
    ca.issue("device", "--profile", "iot")
    first = ca.entry("device")["serial"]
    ca.run("renew", "device")
    ca.run("revoke", first.lower(), "--reason", "superseded")
    assert [e["status"] for e in ca.list()] == ["revoked", "active"]
    ca.run("renew", "device")
    ca.run("revoke", "device")
    assert [e["status"] for e in ca.list()] == ["revoked"] * 3
    assert "ca issue" in ca.run("renew", "device", expect=1).stderr
    ca.issue("device", "--profile", "iot")
    ca.assert_whole()


def test_several_are_revoked_together_or_not_at_all(ca):
    for name in ["one", "two"]:
        ca.issue(name, "--profile", "iot")
    ca.run("revoke", "one", "two", "nobody", expect=1)
    assert {e["status"] for e in ca.list()} == {"active"}
    ca.run("revoke", "one", "two")
    assert {e["status"] for e in ca.list()} == {"revoked"}


def test_the_root_key_can_be_taken_offline(ca, tmp_path):
    key = ca.directory / "root" / "root.key"
    key.rename(tmp_path / "safe.key")
    ca.issue("device", "--profile", "iot")
    ca.run("revoke", "device")
    ca.run("crl")
    ca.assert_whole()
    done = ca.run("revoke", "certgate Issuing CA", expect=1)
    assert "bring the root's key back" in done.stderr
    (tmp_path / "safe.key").rename(key)
    ca.run("revoke", "certgate Issuing CA", "--reason", "cACompromise")
    assert len(ca.crl("root")) == 1
    assert "was revoked" in ca.issue("late", expect=1).stderr


def test_an_encrypted_root_key_needs_its_password(tmp_path):
    (tmp_path / "password").write_text("long and secret\n")
    ca = CertificateAuthority(tmp_path / "ca").init("--root-password-file", tmp_path / "password")
    assert b"ENCRYPTED" in (ca.directory / "root/root.key").read_bytes()
    ca.run("crl")
    assert "encrypted" in ca.run("revoke", "certgate Issuing CA", expect=1).stderr
    ca.run("revoke", "certgate Issuing CA", "--root-password-file", tmp_path / "password")


def watch(ca, **options):
    process = subprocess.Popen([BINARY, "ca", "crl", str(ca.directory), "--watch"],
                               stdout=subprocess.PIPE, text=True, **options)
    assert "Keeping the CRLs" in process.stdout.readline()
    return process


def make_older(ca, days):
    """As if the intermediate's list had been signed that long ago."""
    with contextlib.closing(sqlite3.connect(ca.directory / "certgate-ca.db")) as store, store:
        changed = store.execute("UPDATE revocation_list SET this_update = this_update - ?, "
                                "next_update = next_update - ? WHERE issuer = 'intermediate'",
                                (days * 86400, days * 86400))
        assert changed.rowcount == 1


def test_watch_signs_when_half_of_the_lists_life_is_over_and_ends_on_a_signal(ca):
    ca.issue("lost", "--profile", "iot")
    ca.run("revoke", "lost")
    number = ca.crl_number()
    for days, signs, ending in [(3, False, signal.SIGINT), (1, True, signal.SIGTERM)]:
        make_older(ca, days)
        process = watch(ca)
        if signs:
            line = process.stdout.readline()
            assert f"Signed CRL number {number + 1} of the intermediate" in line, line
        process.send_signal(ending)
        assert process.wait(30) == 0
        assert process.stdout.read() == ""
        assert ca.crl_number() == number + signs
    assert (ca.crl().next_update - ca.crl().last_update).days == 7
    assert on_list(ca, "lost")
    ca.assert_whole()


def test_watch_tells_of_a_failure_and_tries_again(ca):
    number = ca.crl_number()
    make_older(ca, 5)
    key = ca.directory / "intermediate/intermediate.key"
    away = key.with_suffix(".away")
    key.rename(away)
    process = watch(ca, stderr=subprocess.PIPE)
    complaint = process.stderr.readline()
    assert "intermediate.key" in complaint and "trying again in 1 s" in complaint, complaint
    away.rename(key)
    assert f"Signed CRL number {number + 1}" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    process.stderr.close()


def test_if_due_is_what_the_timer_runs(ca):
    """config/systemd: the service runs exactly this, as often as the timer says."""
    systemd = pathlib.Path(__file__).parents[2] / "config/systemd"
    service = (systemd / "certgate-ca-crl.service").read_text()
    timer = (systemd / "certgate-ca-crl.timer").read_text()
    command = re.search(r"^ExecStart=/usr/bin/certgate (.+)$", service, re.MULTILINE)[1].split()
    assert command == ["ca", "crl", "${CA_DIRECTORY}", "--if-due"]
    assert "OnCalendar=" in timer and "Persistent=true" in timer
    number = ca.crl_number()
    assert "nothing to do" in ca.run("crl", "--if-due").stdout
    assert ca.crl_number() == number
    make_older(ca, 4)
    assert f"Signed CRL number {number + 1}" in ca.run("crl", "--if-due").stdout
    assert ca.crl_number() == number + 1
    if shutil.which("systemd-analyze"):
        # The paths of an installed system are not here; everything else is looked at.
        done = subprocess.run(["systemd-analyze", "verify", systemd / "certgate-ca-crl.timer"],
                              capture_output=True, text=True)
        assert "Unknown" not in done.stderr and "Failed to parse" not in done.stderr, done.stderr


def test_an_expired_entry_leaves_after_one_more_list(ca):
    import time
    ca.issue("device", "--profile", "iot", "--not-after", "1s")
    ca.run("revoke", "device")
    deadline = time.monotonic() + 30
    # The list's thisUpdate lies five minutes back, so the entry stays for now.
    while ca.entry("device")["not_after"] > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()):
        assert time.monotonic() < deadline
    ca.run("crl")
    ca.run("crl")
    assert on_list(ca, "device")
