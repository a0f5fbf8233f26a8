"""Drives `certgate ca` for the tests, and checks that a CA on disk is whole."""

import json
import os
import pathlib
import shutil
import sqlite3
import stat
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import serialization

BINARY = os.environ.get("CERTGATE_BINARY", "certgate")


def public_bytes(key):
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


class CertificateAuthority:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)

    def run(self, command, *arguments, expect=0, before=()):
        done = subprocess.run(
            [*before, BINARY, "ca", command, str(self.directory), *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300,
        )
        if expect is not None:
            assert done.returncode == expect, (command, arguments, done)
        return done

    def init(self, *arguments):
        self.run("init", *arguments)
        return self

    def issue(self, name, *arguments, expect=0):
        return self.run("issue", "--name", name, *arguments, expect=expect)

    def list(self, *arguments):
        return json.loads(self.run("list", "--json", *arguments).stdout)

    def entry(self, name):
        (entry,) = self.list("--name", name)
        return entry

    def issued(self, name, file):
        return self.directory / "issued" / name / file

    def certificate(self, name):
        return x509.load_pem_x509_certificate(self.issued(name, "cert.pem").read_bytes())

    def crl(self, issuer="intermediate"):
        return x509.load_pem_x509_crl((self.directory / "crl" / f"{issuer}.crl").read_bytes())

    def copy_to(self, directory):
        shutil.copytree(self.directory, directory, symlinks=True)
        return CertificateAuthority(directory)

    def openssl_verify(self, name, purpose="sslclient"):
        return subprocess.run(
            ["openssl", "verify", "-x509_strict", "-purpose", purpose,
             "-CAfile", self.directory / "root/root.pem",
             "-untrusted", self.directory / "intermediate/intermediate.pem",
             self.issued(name, "cert.pem")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )

    def assert_whole(self):
        """Everything that is recorded is there, and nothing else is."""
        with sqlite3.connect(self.directory / "certgate-ca.db") as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        entries = [e for e in self.list() if e["issuer"] == "intermediate"]
        serials = self.directory / "issued" / ".serials"
        assert {e["serial"] for e in entries} == {p.name for p in serials.iterdir()}
        assert len({e["serial"] for e in entries}) == len(entries)
        for entry in entries:
            place = serials / entry["serial"]
            chain = (place / "chain.pem").read_bytes()
            certificate = x509.load_pem_x509_certificate((place / "cert.pem").read_bytes())
            assert f"{certificate.serial_number:X}".zfill(2) == entry["serial"].lstrip("0")
            assert chain.startswith((place / "cert.pem").read_bytes())
            if entry["key_origin"] == "authority":
                key = serialization.load_pem_private_key((place / "key.pem").read_bytes(), None)
                assert public_bytes(key.public_key()) == public_bytes(certificate.public_key())
        for path in (self.directory / "issued").iterdir():
            assert path.name == ".serials" or (path / "cert.pem").exists(), path
        for path in self.directory.rglob("*"):
            assert ".tmp-" not in path.name, path
            if path.name.endswith(".key") or path.name == "key.pem":
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        crl = self.crl()
        gone = {e["serial"] for e in entries if e["status"] in ("revoked", "held")}
        assert {f"{r.serial_number:X}" for r in crl} == {s.lstrip("0") for s in gone}
        verified = subprocess.run(
            ["openssl", "crl", "-noout", "-verify", "-in", self.directory / "crl/intermediate.crl",
             "-CAfile", self.directory / "ca.pem"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        assert verified.returncode == 0 and "verify OK" in verified.stdout
        der = (self.directory / "crl/intermediate.der").read_bytes()
        assert x509.load_der_x509_crl(der) == crl
        return entries

    def crl_number(self, issuer="intermediate"):
        return self.crl(issuer).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
