"""A CRL of any size, made by hand: a library would make an object for each entry first."""

import datetime
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import proxy


def _tlv(tag, content):
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def _time(when):
    return _tlv(0x17, when.strftime("%y%m%d%H%M%SZ").encode())


def large_crl(authority, entries, number, also=()):
    """DER of a list of `authority` (a proxy.Authority with a P-256 key): that many random serials of
    16 bytes, and the serials `also`."""
    now = proxy.now()
    revoked_at = _time(now - datetime.timedelta(days=1))
    noise = os.urandom(16 * entries)
    serials = [b"\x30\x21\x02\x10" + bytes([0x40 | noise[at] & 0x3F]) + noise[at + 1:at + 16] +
               revoked_at for at in range(0, len(noise), 16)]
    serials += [_tlv(0x30, _tlv(2, serial.to_bytes(serial.bit_length() // 8 + 1, "big")) + revoked_at)
                for serial in also]
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256
    key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    extensions = (_tlv(0x30, bytes.fromhex("0603551d23") + _tlv(4, key_id.public_bytes())) +
                  _tlv(0x30, bytes.fromhex("0603551d14") + _tlv(4, _tlv(2, bytes([number])))))
    to_be_signed = _tlv(0x30, _tlv(2, b"\x01") + algorithm + authority.subject.public_bytes() +
                        _time(now - datetime.timedelta(hours=1)) +
                        _time(now + datetime.timedelta(days=9)) +
                        _tlv(0x30, b"".join(serials)) + _tlv(0xA0, _tlv(0x30, extensions)))
    signature = authority.key.sign(to_be_signed, ec.ECDSA(hashes.SHA256()))
    return _tlv(0x30, to_be_signed + algorithm + _tlv(3, b"\0" + signature))
