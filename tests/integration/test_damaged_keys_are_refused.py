"""A private key that was damaged on disk is refused where it is read, and serves nobody."""

import base64
import re

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import proxy


def swap(der, old, new):
    assert der.count(old) == 1 and len(old) == len(new)
    return der.replace(old, new)


def der_of(key):
    return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def ec_with_the_secret_of_another(size, curve):
    key, other = ec.generate_private_key(curve), ec.generate_private_key(curve)
    secret = [each.private_numbers().private_value.to_bytes(size, "big") for each in (key, other)]
    return key, swap(der_of(key), *secret)


def rsa_with_a_wrong_exponent():
    key = rsa.generate_private_key(65537, 2048)
    numbers = key.private_numbers()
    # d and the exponent that signatures are made with, both altered in one bit.
    der = der_of(key)
    for number in (numbers.d, numbers.dmp1, numbers.dmq1):
        size = (number.bit_length() + 7) // 8
        der = swap(der, number.to_bytes(size, "big"), (number ^ 4).to_bytes(size, "big"))
    return key, der


def pem(der):
    lines = base64.encodebytes(der).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{lines}-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("make", [
    lambda: ec_with_the_secret_of_another(32, ec.SECP256R1()),
    lambda: ec_with_the_secret_of_another(48, ec.SECP384R1()),
    rsa_with_a_wrong_exponent,
], ids=["P-256", "P-384", "RSA"])
def test_a_key_whose_secret_is_not_that_of_its_public_part_is_refused(setup, make):
    """At check, at the start, and at a reload, which leaves the good one in force."""
    key, damaged = make()
    setup.server = setup.server_ca.issue("api.example.com", server=True, dns=["api.example.com"], key=key)
    alice = setup.ca.issue("alice")
    sentence = "the secret in the private key does not belong to the public key beside it"
    with setup.start() as certgate, setup.client(certgate, alice) as kept:
        assert kept.get("/").status == 200
        setup.server.key_path.write_text(pem(damaged))
        refused = certgate.reload(good=False)
        assert sentence in refused and setup.server.key_path.name in refused, refused
        assert re.search(r"certgate\.yaml:\d+:\d+: ", refused), refused
        assert kept.get("/").status == 200
        with setup.client(certgate, alice) as new:
            assert new.get("/").status == 200
        for command in ("check", "run"):
            told = proxy.run(command, "--config", certgate.config_path, status=2).stderr
            assert sentence in told and f"{certgate.config_path}:" in told, told


def cut(text):
    return text[:len(text) // 2]


def one_letter_changed(text):
    """Of the base64, in the middle: the DER cannot be read, or the key is another."""
    at = len(text) // 2
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1:]


def one_letter_that_is_none(text):
    at = len(text) // 2
    return text[:at] + "!" + text[at + 1:]


def without_its_last_line(text):
    return text[:text.rindex("-----END")]


@pytest.mark.parametrize("key", [
    ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048),
], ids=["P-256", "RSA"])
def test_a_reload_is_refused_for_a_key_that_was_damaged(setup, key):
    setup.server = setup.server_ca.issue("api.example.com", server=True, dns=["api.example.com"], key=key)
    alice = setup.ca.issue("alice")
    whole = setup.server.key_path.read_text()
    with setup.start() as certgate, setup.client(certgate, alice) as kept:
        for number, damage in enumerate((cut, one_letter_changed, one_letter_that_is_none,
                                         without_its_last_line)):
            setup.server.key_path.write_text(damage(whole))
            refused = certgate.reload(good=False)
            assert re.search(r"certgate\.yaml:\d+:\d+: `[^`]*" + re.escape(setup.server.key_path.name),
                             refused), (damage, refused)
            assert f"the configuration in force stays version={number + 1}" in refused, refused
            assert kept.get("/").status == 200, damage
            with setup.client(certgate, alice) as new:
                assert new.get("/").status == 200, damage
            setup.server.key_path.write_text(whole)
            certgate.reload()
