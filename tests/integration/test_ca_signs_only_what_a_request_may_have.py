"""A device's own request: proof of possession, and extensions filtered by the profile."""

import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from certificate_authority import CertificateAuthority, public_bytes


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return CertificateAuthority(tmp_path_factory.mktemp("ca") / "ca").init()


def request(path, key, name, names=(), extensions=(), encoding=serialization.Encoding.PEM):
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    path.write_bytes(builder.sign(key, digest).public_bytes(encoding))
    return path


def p256():
    return ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize("encoding", [serialization.Encoding.PEM, serialization.Encoding.DER])
@pytest.mark.parametrize("make_key", [
    p256, ed25519.Ed25519PrivateKey.generate,
    lambda: ec.generate_private_key(ec.SECP384R1()),
    lambda: rsa.generate_private_key(65537, 2048)])
def test_a_device_keeps_its_key(ca, tmp_path, encoding, make_key):
    key = make_key()
    name = f"device-{tmp_path.name}"
    ca.run("sign", request(tmp_path / "csr", key, name, encoding=encoding), "--out", tmp_path)
    certificate = x509.load_pem_x509_certificate((tmp_path / "cert.pem").read_bytes())
    assert public_bytes(certificate.public_key()) == public_bytes(key.public_key())
    assert not ca.issued(name, "key.pem").exists()
    assert ca.openssl_verify(name).returncode == 0
    ca.run("renew", name, "--revoke-old")
    assert public_bytes(ca.certificate(name).public_key()) == public_bytes(key.public_key())


def test_a_request_cannot_widen_its_profile(ca, tmp_path):
    names = [x509.DNSName("*.example.com"), x509.DNSName("a.example.com"),
             x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "other")]))]
    csr = request(tmp_path / "csr", p256(), "greedy", names, [
        x509.BasicConstraints(ca=True, path_length=3),
        x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])])
    done = ca.run("sign", csr)
    assert "Requested and given: the dns name a.example.com" in done.stdout
    for what in ["*.example.com", "Basic Constraints", "Extended Key Usage", "alternative name"]:
        assert any(what in line for line in done.stdout.splitlines()
                   if line.startswith("Requested and not given:")), (what, done.stdout)
    certificate = ca.certificate("greedy")
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    given = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [n.value for n in given] == ["a.example.com"]


def test_the_operator_decides_the_name(ca, tmp_path):
    csr = request(tmp_path / "csr", p256(), "root-of-all", [x509.DNSName("a.example.com")])
    done = ca.run("sign", csr, "--name", "sensor-1", "--no-requested-names")
    assert "Requested and not given: the common name root-of-all" in done.stdout
    assert ca.certificate("sensor-1").subject.rfc4514_string() == "CN=sensor-1"
    nameless = request(tmp_path / "nameless", p256(), "")
    assert "--name" in ca.run("sign", nameless, expect=2).stderr


def test_what_a_request_says_cannot_write_to_the_terminal(ca, tmp_path):
    name = "x\n\x1b[2J\x1b]0;owned\x07Requested and given: everything\x7f"
    csr = request(tmp_path / "csr", p256(), name)
    done = ca.run("sign", csr, "--name", "sensor-2")
    assert set(done.stdout) & {"\x1b", "\x07", "\x7f"} == set()
    assert not any(line.startswith("Requested and given") for line in done.stdout.splitlines())
    assert "Requested and not given: the common name x" in done.stdout
    # As the name itself it is refused.
    refused = ca.run("sign", csr, expect=1)
    assert "\x1b" not in refused.stdout + refused.stderr


def test_a_request_without_proof_of_possession_is_refused(ca, tmp_path):
    der = bytearray(request(tmp_path / "csr", p256(), "liar",
                            encoding=serialization.Encoding.DER).read_bytes())
    der[-1] ^= 1
    (tmp_path / "csr").write_bytes(der)
    done = ca.run("sign", tmp_path / "csr", expect=1)
    assert "does not hold the private key" in done.stderr


@pytest.mark.parametrize("key, why", [
    (lambda: rsa.generate_private_key(65537, 1024), "too weak"),
    (lambda: ec.generate_private_key(ec.SECP256K1()), "P-256, P-384 or P-521")])
def test_a_weak_key_is_refused(ca, tmp_path, key, why):
    assert why in ca.run("sign", request(tmp_path / "csr", key(), "weak"), expect=1).stderr


@pytest.mark.parametrize("content", [
    b"", b"hello", b"-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n",
    b"\x30\x82" * 20_000, b"\x30\x80\x00\x00"])
def test_garbage_is_refused(ca, tmp_path, content):
    (tmp_path / "csr").write_bytes(content)
    ca.run("sign", tmp_path / "csr", expect=1)


def test_a_key_belongs_to_one_device_and_never_comes_back_after_a_compromise(ca, tmp_path):
    key = p256()
    ca.run("sign", request(tmp_path / "a", key, "first-owner"))
    second = request(tmp_path / "b", key, "second-owner")
    assert "belongs to first-owner" in ca.run("sign", second, expect=1).stderr
    ca.run("revoke", "first-owner", "--reason", "keyCompromise")
    assert "compromised" in ca.run("sign", second, expect=1).stderr


def test_the_authorities_own_key_cannot_be_certified(ca, tmp_path):
    csr = tmp_path / "own.csr"
    subprocess.run(["openssl", "req", "-new", "-key",
                    str(ca.directory / "intermediate/intermediate.key"), "-subj", "/CN=me",
                    "-out", str(csr)], check=True)
    ca.run("sign", csr, expect=1)
