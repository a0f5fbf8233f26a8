"""What `certgate ca` signs, judged by OpenSSL, GnuTLS, Java and Python."""

import plistlib
import shutil
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from certificate_authority import BINARY, CertificateAuthority

KEY_TYPES = ["p256", "p384", "rsa2048", "rsa4096", "ed25519"]


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return CertificateAuthority(tmp_path_factory.mktemp("ca") / "ca").init(
        "--name", "Example", "--organization", "Example Ltd",
        "--crl-url", "http://crl.example.com/devices.crl")


def run(*arguments):
    return subprocess.run(list(map(str, arguments)), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120)


@pytest.mark.parametrize("url", ["devices.crl", "file:///srv/devices.crl", "http://",
                                 "http://crl.example.com/a b"])
def test_an_address_that_no_list_can_be_fetched_from_is_refused(tmp_path, url):
    """It would stand in every certificate for years."""
    done = run(BINARY, "ca", "init", tmp_path / "ca", "--crl-url", url)
    assert done.returncode == 2 and "is not the address of a CRL" in done.stdout, done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_every_kind_of_key_can_be_an_authority_and_a_device(tmp_path, key_type):
    ca = CertificateAuthority(tmp_path / "ca").init("--key-type", key_type)
    ca.issue("device", "--profile", "iot", "--key-type", key_type)
    assert ca.openssl_verify("device").returncode == 0
    ca.assert_whole()


@pytest.mark.parametrize("profile, purpose, usages", [
    ("mobile", "sslclient", {ExtendedKeyUsageOID.CLIENT_AUTH}),
    ("iot", "sslclient", {ExtendedKeyUsageOID.CLIENT_AUTH}),
    ("service", "sslserver", {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}),
    ("server", "sslserver", {ExtendedKeyUsageOID.SERVER_AUTH}),
])
def test_a_profile_decides_the_usages(ca, profile, purpose, usages):
    ca.issue(f"a-{profile}", "--profile", profile, "--uri", f"spiffe://example.org/{profile}")
    assert ca.openssl_verify(f"a-{profile}", purpose).returncode == 0
    certificate = ca.certificate(f"a-{profile}")
    usage = certificate.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
    assert set(usage) == usages
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        f"spiffe://example.org/{profile}"]
    wrong = "sslserver" if profile in ("mobile", "iot") else "sslclient"
    if profile != "service":
        assert ca.openssl_verify(f"a-{profile}", wrong).returncode != 0


def test_names_that_the_profile_does_not_allow_are_bad_usage(ca):
    done = ca.issue("wild", "--profile", "iot", "--dns", "*.example.com", expect=2)
    assert "profile iot does not allow the dns name *.example.com" in done.stderr
    ca.issue("wild", "--profile", "server", "--dns", "*.example.com")


@pytest.mark.parametrize("option, value", [
    ("--dns", "exa mple.com"), ("--dns", "192.0.2.1"), ("--dns", "a..b"), ("--uri", "no-scheme"),
    ("--email", "ann"), ("--email", "ann@b@c"), ("--ip", "1.2.3"), ("--name", ""),
    ("--name", "x" * 65), ("--name", "tab\there"),
])
def test_a_malformed_name_is_bad_usage(ca, option, value):
    name = [] if option == "--name" else ["--name", "somebody"]
    done = ca.run("issue", *name, option, value, "--profile", "server", expect=None)
    assert done.returncode == 2 and done.stderr


def test_a_name_cannot_leave_the_directory(ca):
    ca.issue("../../escape", "--profile", "iot")
    assert (ca.directory / "issued" / "%2E.%2F..%2Fescape" / "cert.pem").exists()
    ca.assert_whole()


def test_name_constraints_are_kept(tmp_path):
    ca = CertificateAuthority(tmp_path / "ca").init(
        "--permit-dns", "devices.example.com", "--permit-ip", "10.0.0.0/8",
        "--exclude-dns", "secret.devices.example.com")
    ca.issue("inside", "--profile", "iot", "--dns", "a.devices.example.com", "--ip", "10.1.2.3")
    assert ca.openssl_verify("inside").returncode == 0
    for option, value in [("--dns", "a.example.com"), ("--ip", "192.168.1.1"),
                          ("--dns", "x.secret.devices.example.com")]:
        done = ca.issue("outside", "--profile", "iot", option, value, expect=1)
        assert "name constraints" in done.stderr
    assert [e["name"] for e in ca.list()] == ["inside"]


def test_path_lengths_keep_the_intermediate_from_making_authorities(ca):
    for file, length in [("root/root.pem", 1), ("intermediate/intermediate.pem", 0)]:
        certificate = x509.load_pem_x509_certificate((ca.directory / file).read_bytes())
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert basic.critical and basic.value.ca and basic.value.path_length == length


def test_serials_are_128_bits_and_never_twice(ca):
    for i in range(20):
        ca.issue(f"serial-{i}", "--profile", "iot")
    serials = {e["serial"] for e in ca.list()}
    assert len(serials) == len(ca.list())
    assert all(len(s) >= 28 for s in serials)


def test_pkcs12_opens_everywhere(ca):
    ca.issue("phone", "--email", "ann@example.org")
    password = ca.issued("phone", "p12-password.txt").read_text().strip()
    for file in ["phone.p12", "phone-legacy.p12"]:
        path = ca.issued("phone", file)
        for mode in [[], ["-legacy"]]:
            done = run("openssl", "pkcs12", "-in", path, "-passin", f"pass:{password}", "-nodes",
                       *mode)
            assert done.returncode == 0 and "BEGIN PRIVATE KEY" in done.stdout, done
            assert done.stdout.count("BEGIN CERTIFICATE") == 2
        assert run("openssl", "pkcs12", "-in", path, "-passin", "pass:wrong").returncode != 0
        done = run("certtool", "--p12-info", "--inder", "--infile", path, "--password", password)
        assert done.returncode == 0 and done.stdout.count("BEGIN CERTIFICATE") == 2, done
    legacy = run("openssl", "pkcs12", "-info", "-noout", "-in", ca.issued("phone", file),
                 "-passin", f"pass:{password}").stdout
    assert "3-KeyTripleDES" in legacy and "sha1" in legacy


@pytest.mark.skipif(not shutil.which("keytool"), reason="Java's keytool is not on this machine")
@pytest.mark.parametrize("file", ["robot.p12", "robot-legacy.p12"])
def test_pkcs12_opens_with_java(ca, file):
    if not ca.issued("robot", file).exists():
        ca.issue("robot")
    password = ca.issued("robot", "p12-password.txt").read_text().strip()
    done = run("keytool", "-list", "-storetype", "PKCS12", "-keystore", ca.issued("robot", file),
               "-storepass", password)
    assert done.returncode == 0 and "PrivateKeyEntry" in done.stdout, done


def test_a_chosen_pkcs12_password_is_used_and_not_written_down(ca, tmp_path):
    (tmp_path / "password").write_text("correct horse\n")
    ca.issue("chosen", "--p12-password-file", tmp_path / "password")
    assert not ca.issued("chosen", "p12-password.txt").exists()
    done = run("openssl", "pkcs12", "-in", ca.issued("chosen", "chosen.p12"), "-passin",
               "pass:correct horse", "-nodes", "-info")
    assert "BEGIN PRIVATE KEY" in done.stdout and "Iteration 100000" in done.stdout


def test_the_mobileconfig_is_a_property_list_with_the_identity(ca):
    ca.issue("Ann's <iPad> & more")
    stem = "Ann%27s%20%3CiPad%3E%20%26%20more"
    place = ca.directory / "issued" / stem
    profile = plistlib.loads((place / f"{stem}.mobileconfig").read_bytes())
    assert profile["PayloadType"] == "Configuration"
    assert profile["PayloadDisplayName"] == "Ann's <iPad> & more"
    (identity,) = profile["PayloadContent"]
    assert identity["PayloadType"] == "com.apple.security.pkcs12"
    assert identity["PayloadContent"] == (place / f"{stem}-legacy.p12").read_bytes()
    assert "Password" not in identity
    assert len({profile["PayloadUUID"], identity["PayloadUUID"]}) == 2


def test_a_certificate_cannot_outlive_its_authority(tmp_path):
    ca = CertificateAuthority(tmp_path / "ca").init("--days", "30")
    done = ca.issue("long", "--days", "31", expect=2)
    assert "outlive the CA" in done.stderr
    ca.issue("usual")
    end = x509.load_pem_x509_certificate(
        (ca.directory / "intermediate/intermediate.pem").read_bytes()).not_valid_after
    assert ca.certificate("usual").not_valid_after == end


def test_list_says_who_is_active_revoked_held_or_expired(tmp_path):
    ca = CertificateAuthority(tmp_path / "ca").init()
    for name in ["active", "revoked", "held"]:
        ca.issue(name, "--profile", "iot")
    ca.issue("expired", "--profile", "iot", "--not-after", "1s")
    ca.run("revoke", "revoked", "--reason", "cessationOfOperation")
    ca.run("revoke", "held", "--reason", "certificateHold")
    deadline = time.monotonic() + 30
    while ca.entry("expired")["status"] != "expired":
        assert time.monotonic() < deadline
    assert {e["name"]: e["status"] for e in ca.list()} == {n: n for n in (
        "active", "revoked", "held", "expired")}
    assert [e["name"] for e in ca.list("--status", "held")] == ["held"]
    assert [e["name"] for e in ca.list("--expiring-within", "366d")] == ["active"]
    assert ca.list("--expiring-within", "30d") == []
    table = ca.run("list", "--csv").stdout.splitlines()
    assert table[0].startswith("name,serial,profile,status,") and len(table) == 5
    assert "cessationOfOperation" in ca.run("list").stdout


def test_a_device_that_was_away_can_be_renewed_after_the_end(tmp_path):
    ca = CertificateAuthority(tmp_path / "ca").init()
    ca.issue("scooter", "--profile", "iot", "--uri", "urn:scooter:1", "--not-after", "1s")
    deadline = time.monotonic() + 30
    while ca.entry("scooter")["status"] != "expired":
        assert time.monotonic() < deadline
    old_key = ca.issued("scooter", "key.pem").read_bytes()
    ca.run("renew", "scooter", "--days", "30", "--keep-key")
    assert ca.issued("scooter", "key.pem").read_bytes() == old_key
    names = ca.certificate("scooter").extensions.get_extension_for_class(
        x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:scooter:1"]
    ca.run("renew", "scooter", "--days", "30", "--revoke-old")
    assert ca.issued("scooter", "key.pem").read_bytes() != old_key
    assert [e["status"] for e in ca.list()] == ["expired", "revoked", "active"]
    ca.assert_whole()


@pytest.mark.parametrize("command", [
    "init", "issue", "sign", "renew", "revoke", "restore", "list", "crl", "hand-out"])
def test_every_command_has_help_with_an_example(ca, command):
    done = subprocess.run([__import__("certificate_authority").BINARY, "ca", command, "--help"],
                          stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert f"certgate ca {command}" in done.stdout.split("Example:")[1]


def test_mistakes_say_the_way_out(ca, tmp_path):
    nowhere = CertificateAuthority(tmp_path / "nowhere")
    assert "certgate ca init" in nowhere.run("list", expect=1).stderr
    assert "already holds a CA" in ca.run("init", expect=1).stderr
    assert "ca list" in ca.run("revoke", "nobody", expect=1).stderr
    assert "keyCompromise" in ca.run("revoke", "nobody", "--reason", "boredom", expect=2).stderr
    ca.issue("twice")
    assert "ca renew" in ca.issue("twice", expect=1).stderr
