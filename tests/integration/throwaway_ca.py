"""A certificate authority that a test throws away: certificates, keys and lists as files in a folder."""

import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def now():
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0, tzinfo=None)


class Authority:
    """A CA whose certificates and lists live as PEM files in a folder."""

    def __init__(self, folder, name="Test CA", issuer=None, key=None, subject=None, days=365):
        self.folder = pathlib.Path(folder)
        self.name = name
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.subject = subject or x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(signer.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now() - datetime.timedelta(days=1))
            .not_valid_after(now() + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(False, False, False, False, False, True, True, False, False), True
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
        )
        if issuer:
            builder = builder.add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False
            )
        self.certificate = builder.sign(signer.key, hashes.SHA256())
        self.revoked = []
        self.crl_number = 0
        slug = name.replace(" ", "-").lower()
        self.path = self.folder / f"{slug}.pem"
        self.crl_path = self.folder / f"{slug}.crl"
        self.path.write_bytes(self.pem())
        self.write_crl()

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, name, *, server=False, dns=(), valid_from=None, valid_for=None, key=None,
              usages=None, extra_chain=(), subject=None, serial=None, uris=(), crl_points=()):
        key = key or ec.generate_private_key(ec.SECP256R1())
        begin = valid_from or now() - datetime.timedelta(hours=1)
        end = begin + (valid_for or datetime.timedelta(days=30))
        if usages is None:
            usages = [ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject or x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self.subject)
            .public_key(key.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
            )
        )
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
        if crl_points:
            points = [x509.DistributionPoint([x509.UniformResourceIdentifier(point)], None, None,
                                             None) for point in crl_points]
            builder = builder.add_extension(x509.CRLDistributionPoints(points), False)
        names = [x509.DNSName(d) for d in dns]
        names += [x509.UniformResourceIdentifier(u) for u in uris]
        if server:
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return Identity(self.folder, name, certificate, key, extra_chain)

    def revoke(self, identity, reason=x509.ReasonFlags.key_compromise):
        self.revoked.append((identity.certificate.serial_number, reason))
        self.write_crl()

    def write_crl(self, next_update=None, this_update=None, path=None, number=None):
        self.crl_number = number if number is not None else self.crl_number + 1
        begin = this_update or now() - datetime.timedelta(minutes=1)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.subject)
            .last_update(begin)
            .next_update(next_update or now() + datetime.timedelta(days=40))
            .add_extension(x509.CRLNumber(self.crl_number), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
            )
        )
        for serial, reason in self.revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(serial)
                .revocation_date(now() - datetime.timedelta(minutes=1))
                .add_extension(x509.CRLReason(reason), False)
                .build()
            )
        crl = builder.sign(self.key, hashes.SHA256())
        target = pathlib.Path(path or self.crl_path)
        write_whole(target, crl.public_bytes(serialization.Encoding.PEM))
        return target


def write_whole(path, content):
    """Never half written: a temporary file is renamed into place."""
    if isinstance(content, str):
        content = content.encode()
    path = pathlib.Path(path)
    temporary = path.with_name("." + path.name + ".new")
    temporary.write_bytes(content)
    temporary.rename(path)


class Identity:
    """A certificate with its key, as PEM files."""

    def __init__(self, folder, name, certificate, key, chain=()):
        self.name = name
        self.certificate = certificate
        self.key = key
        stem = f"{name.replace(' ', '-').replace('*', 'star')}-{certificate.serial_number:x}"[:80]
        self.path = pathlib.Path(folder) / f"{stem}.pem"
        self.key_path = pathlib.Path(folder) / f"{stem}.key"
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        pem += b"".join(authority.pem() for authority in chain)
        self.path.write_bytes(pem)
        self.key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.key_path.chmod(0o600)

    @property
    def serial(self):
        text = f"{self.certificate.serial_number:X}"
        return text if len(text) % 2 == 0 else "0" + text

    @property
    def fingerprint(self):
        return self.certificate.fingerprint(hashes.SHA256()).hex()
