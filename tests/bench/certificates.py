"""The benchmark's certificates and revocation lists, as files that every proxy can read."""

import base64
import datetime
import os
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import proxy as harness  # noqa: E402  (its certificate authority is the black-box tests')


class Files:
    """One kind of certificates: for the servers, for the load generator, and a list that revokes."""

    def __init__(self, folder, key="ec", crl_entries=10):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)

        def new_key():
            if key == "rsa":
                return rsa.generate_private_key(public_exponent=65537, key_size=2048)
            return ec.generate_private_key(ec.SECP256R1())

        root = harness.Authority(folder, "Bench Root", key=new_key())
        issuing = harness.Authority(folder, "Bench Issuing", issuer=root, key=new_key())
        server_ca = harness.Authority(folder, "Bench Server CA")
        server = server_ca.issue("api.example.com", server=True, dns=("api.example.com",))
        client = issuing.issue("phone-of-alice", key=new_key(), extra_chain=(issuing,))
        revoked = issuing.issue("stolen-phone", key=new_key(), extra_chain=(issuing,))
        # nginx and HAProxy want a list for every CA of the chain.
        self.crl = folder / "all.crl"
        self.crl.write_bytes(revocation_list(issuing, crl_entries, revoked.certificate.serial_number) +
                             root.crl_path.read_bytes())
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(root.pem() + issuing.pem())
        self.server, self.server_key = server.path, server.key_path
        self.client, self.client_key = client.path, client.key_path
        self.revoked, self.revoked_key = revoked.path, revoked.key_path


def host_certificates(folder, count):
    """A P-256 certificate of its own for each of many hosts: [(name, chain file, key file)]."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    authority = harness.Authority(folder, "Bench Hosts CA")
    made = []
    for i in range(count):
        name = f"h{i}.example.com"
        identity = authority.issue(name, server=True, dns=(name,))
        made.append((name, identity.path, identity.key_path))
    return made


# --- A list of a million entries --------------------------------------------------------------------
# The library's builder copies all entries for each one that is added, so DER is written here.

def der(tag, *content):
    body = b"".join(content)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    size = (len(body).bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + len(body).to_bytes(size, "big") + body


def sequence(*content):
    return der(0x30, *content)


def utc_time(when):
    return der(0x17, when.strftime("%y%m%d%H%M%SZ").encode())


def integer(number):
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def revocation_list(authority, entries, revoked_serial):
    """PEM: `entries` revoked serials, random but for one, each with the reason keyCompromise."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    revoked_at = utc_time(now - datetime.timedelta(minutes=1))
    reason = sequence(sequence(der(0x06, b"\x55\x1d\x15"), der(0x04, der(0x0A, b"\x01"))))
    tail = revoked_at + reason
    head = bytes((0x30, 18 + len(tail), 0x02, 16))
    # 16 octets, the first between 0x40 and 0x7F: positive and not padded.
    numbers = os.urandom(16 * (entries - 1))
    listed = b"".join(
        head + bytes((numbers[at] & 0x3F | 0x40,)) + numbers[at + 1:at + 16] + tail
        for at in range(0, len(numbers), 16))
    listed += sequence(integer(revoked_serial), tail)

    if isinstance(authority.key, rsa.RSAPrivateKey):
        algorithm = sequence(der(0x06, bytes.fromhex("2a864886f70d01010b")), der(0x05))
    else:
        algorithm = sequence(der(0x06, bytes.fromhex("2a8648ce3d040302")))
    key_id = x509.SubjectKeyIdentifier.from_public_key(authority.key.public_key()).digest
    extensions = sequence(
        sequence(der(0x06, b"\x55\x1d\x14"), der(0x04, integer(1))),
        sequence(der(0x06, b"\x55\x1d\x23"), der(0x04, sequence(der(0x80, key_id)))))
    body = sequence(integer(1), algorithm, authority.subject.public_bytes(),
                    utc_time(now - datetime.timedelta(minutes=1)),
                    utc_time(now + datetime.timedelta(days=40)),
                    sequence(listed), der(0xA0, extensions))
    if isinstance(authority.key, rsa.RSAPrivateKey):
        signature = authority.key.sign(body, padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = authority.key.sign(body, ec.ECDSA(hashes.SHA256()))
    whole = sequence(body, algorithm, der(0x03, b"\x00", signature))
    text = base64.b64encode(whole)
    lines = b"\n".join(text[at:at + 64] for at in range(0, len(text), 64))
    return b"-----BEGIN X509 CRL-----\n" + lines + b"\n-----END X509 CRL-----\n"
