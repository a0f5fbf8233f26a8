"""Every `certgate ca` command that changes something says with --json what it did, and why it did not."""

import hashlib
import json
import pathlib
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from certificate_authority import CertificateAuthority


@pytest.fixture
def authority(tmp_path):
    return CertificateAuthority(tmp_path / "ca").init()


def told(authority, *arguments, expect=0):
    done = authority.run(*arguments, "--json", expect=expect)
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    assert answer["done"] is (expect == 0) and ("problem" in answer) is (expect != 0)
    return answer


def assert_is_the_certificate(authority, entry, path):
    """What was told is what `ca list` tells and what the file holds."""
    certificate = x509.load_pem_x509_certificate(pathlib.Path(path).read_bytes())
    der = certificate.public_bytes(serialization.Encoding.DER)
    assert entry["fingerprint_sha256"] == hashlib.sha256(der).hexdigest()
    assert int(entry["serial"], 16) == certificate.serial_number
    assert entry["not_after"] == certificate.not_valid_after.strftime("%Y-%m-%dT%H:%M:%SZ")
    listed, = [row for row in authority.list("--all") if row["serial"] == entry["serial"]]
    assert {name: entry[name] for name in listed} == listed


def assert_is_the_list(authority, crl, issuer="intermediate"):
    held = authority.crl(issuer)
    number = held.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert (crl["issuer"], crl["number"]) == (issuer, number)
    assert crl["this_update"] == held.last_update.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert crl["next_update"] == held.next_update.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert x509.load_pem_x509_crl(pathlib.Path(crl["files"][0]).read_bytes()) == held
    assert x509.load_der_x509_crl(pathlib.Path(crl["files"][1]).read_bytes()) == held


def test_init_tells_both_authorities_their_lists_and_files(tmp_path):
    authority = CertificateAuthority(tmp_path / "ca")
    made = told(authority, "init", "--name", "Test")
    assert made["directory"] == str(authority.directory)
    files = {pathlib.Path(file).relative_to(authority.directory) for file in made["files"]}
    assert files == {path.relative_to(authority.directory)
                     for path in authority.directory.rglob("*") if path.is_file()}
    root, intermediate = made["certificates"]
    assert (root["name"], root["profile"]) == ("Test Root CA", "root")
    assert_is_the_certificate(authority, root, authority.directory / "root/root.pem")
    assert (intermediate["name"], intermediate["profile"]) == ("Test Issuing CA", "intermediate")
    assert_is_the_certificate(authority, intermediate,
                              authority.directory / "intermediate/intermediate.pem")
    assert_is_the_list(authority, made["crls"][0])
    assert_is_the_list(authority, made["crls"][1], "root")
    again = told(authority, "init", expect=1)
    assert "already holds a CA" in again["problem"]


def test_issue_tells_the_certificate_and_its_files(authority, tmp_path):
    entry, = told(authority, "issue", "--name", "Ann's \"phone\"")["certificates"]
    assert entry["name"] == "Ann's \"phone\"" and entry["status"] == "active"
    assert entry["profile"] == "mobile" and entry["reason"] is None
    files = [pathlib.Path(file) for file in entry["files"]]
    assert {file.name for file in files} == {file.name for file in files[0].parent.iterdir()}
    assert len(files) == 7 and all(file.is_file() for file in files)
    assert_is_the_certificate(authority, entry, files[0])
    entry, = told(authority, "issue", "--name", "b", "--no-p12", "--out",
                  tmp_path / "out")["certificates"]
    assert entry["files"] == [str(tmp_path / "out" / name)
                              for name in ("cert.pem", "chain.pem", "key.pem")]
    again = told(authority, "issue", "--name", "b", expect=1)
    assert "already has a certificate" in again["problem"] and "certificates" not in again
    outlives = told(authority, "issue", "--name", "c", "--days", "36500", expect=2)
    assert "outlive the CA" in outlives["problem"]


def test_a_table_tells_what_was_issued_passed_over_and_wrong(authority, tmp_path):
    authority.issue("two")
    table = tmp_path / "devices.csv"
    table.write_text("name,profile\none,iot\ntwo,iot\nthree,mobile\n")
    done = told(authority, "issue", "--from", table)
    assert [entry["name"] for entry in done["certificates"]] == ["one", "three"]
    assert done["passed_over"] == ["two"]
    for entry in done["certificates"]:
        assert_is_the_certificate(authority, entry, entry["files"][0])
        assert all(pathlib.Path(file).is_file() for file in entry["files"])
    table.write_text("name,profile\nfour,iott\n")
    wrong = told(authority, "issue", "--from", table, expect=2)
    mistake, = wrong["diagnostics"]
    assert (mistake["line"], mistake["column"], mistake["severity"]) == (2, 6, "error")
    assert "iott" in mistake["message"] and "nothing was issued" in wrong["problem"]


def test_sign_tells_what_was_given_and_what_was_not(authority, tmp_path):
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "sensor.csr", "-subj", "/CN=sensor-7",
         "-addext", "subjectAltName=DNS:sensor-7.example.com", "-addext",
         "basicConstraints=critical,CA:TRUE"], check=True, capture_output=True)
    answer = told(authority, "sign", tmp_path / "sensor.csr")
    assert answer["given"] == ["the dns name sensor-7.example.com"]
    assert answer["not_given"] == ["the extension X509v3 Basic Constraints"]
    entry, = answer["certificates"]
    assert entry["key_origin"] == "device"
    assert_is_the_certificate(authority, entry, entry["files"][0])
    (tmp_path / "broken.csr").write_text("no request")
    assert "broken.csr" in told(authority, "sign", tmp_path / "broken.csr", expect=1)["problem"]


def test_renew_tells_the_new_certificate_and_the_old(authority):
    old, = told(authority, "issue", "--name", "one", "--profile", "iot")["certificates"]
    answer = told(authority, "renew", "one")
    new, = answer["certificates"]
    assert new["serial"] != old["serial"] and answer["replaces"]["serial"] == old["serial"]
    assert_is_the_certificate(authority, new, new["files"][0])
    answer = told(authority, "renew", "one", "--revoke-old")
    assert [entry["serial"] for entry in answer["revoked"]] == [new["serial"]]
    assert answer["revoked"][0]["reason"] == "superseded"
    assert_is_the_list(authority, answer["crls"][0])
    assert "no certificate was issued" in told(authority, "renew", "two", expect=1)["problem"]


def test_revoke_and_restore_tell_who_and_the_new_list(authority):
    for name in ("one", "two"):
        authority.issue(name)
    held = told(authority, "revoke", "one", "two", "--reason", "certificateHold")
    assert [(entry["name"], entry["status"], entry["reason"]) for entry in held["revoked"]] == [
        ("one", "held", "certificateHold"), ("two", "held", "certificateHold")]
    crl, = held["crls"]
    assert_is_the_list(authority, crl)
    back = told(authority, "restore", "one")
    assert [(entry["name"], entry["status"]) for entry in back["restored"]] == [("one", "active")]
    assert back["crls"][0]["number"] == crl["number"] + 1
    assert_is_the_list(authority, back["crls"][0])
    assert told(authority, "restore", "one", expect=1)["problem"]
    assert "no certificate has" in told(authority, "revoke", "nobody", expect=1)["problem"]
    assert "unknown reason" in told(authority, "revoke", "one", "--reason", "lost", expect=2)["problem"]


def test_crl_tells_both_lists_and_which_of_them_it_signed(authority):
    before = told(authority, "crl", "--if-due")["crls"]
    assert [(crl["issuer"], crl["signed"]) for crl in before] == [
        ("intermediate", False), ("root", False)]
    after = told(authority, "crl", "--days", "3")["crls"]
    assert [crl["signed"] for crl in after] == [True, False]
    assert after[0]["number"] == before[0]["number"] + 1
    assert_is_the_list(authority, after[0])
    assert_is_the_list(authority, after[1], "root")
    both = authority.run("crl", "--json", "--watch", expect=None)
    assert both.returncode != 0 and "--watch" in both.stderr
