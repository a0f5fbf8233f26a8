"""The zoo: each certificate gives every field its exact value and gets its decision, in TLS 1.2 and
1.3, in full and resumed handshakes. What is expected comes from OpenSSL's own formatting."""

import json
import os
import pathlib
import subprocess

import pytest

import proxy
from tls_peer import VERSIONS, lax_context

BUILD = pathlib.Path(os.environ.get("CERTGATE_BUILD", pathlib.Path(proxy.BINARY).parent))
PREFIX = "cf.tls_client_auth."


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo")
    subprocess.run([BUILD / "tests" / "certgate_zoo", folder], check=True,
                   stdout=subprocess.DEVNULL, timeout=10 * proxy.PATIENCE)
    zoo = json.loads((folder / "zoo.json").read_text())
    zoo["folder"] = folder
    return zoo


@pytest.fixture(scope="module")
def origin():
    with proxy.Origin() as origin:
        yield origin


def config(zoo, origin, tickets="stateful"):
    fields = sorted(zoo["certificates"][0]["fields"])

    def host(name, mode="request", **more):
        auth = {"mode": mode, "ca": zoo["anchors"], "crl": zoo["crls"], **more}
        return {"names": [name], "certificate": zoo["server"], "private_key": zoo["server_key"],
                "origin": "api", "client_auth": {"mode": "off"} if mode == "off" else auth}

    return {
        "workers": 2,
        "listeners": [{"address": "127.0.0.1:0"}],
        "hosts": [host("fields.example.com"), host("api.example.com"),
                  host("chain.example.com", crl_check="chain"), host("off.example.com", "off")],
        "origins": {"api": {"servers": [origin.url]}},
        "rules": [{**proxy.BLOCK_UNVERIFIED,
                   "expression": 'http.host in {"api.example.com" "chain.example.com"} and ('
                                 + proxy.BLOCK_UNVERIFIED["expression"] + ")"}],
        "request_headers": {"set": {header(field): field for field in fields}},
        "sessions": {"tickets": tickets},
        "log": {"file": "certgate.log", "access": {"file": "access.log", "format": "json"}},
        "timeouts": {"drain": "2s"},
    }


def header(field):
    return "X-" + field.removeprefix(PREFIX).replace("_", "-")


def as_header(value):
    """What the documentation of request_headers says of values made from certificates."""
    if isinstance(value, bool):
        return "true" if value else "false"
    data, last = value.encode(), len(value.encode()) - 1
    return "".join(
        f"%{byte:02X}" if not 0x20 <= byte < 0x7F or byte == 0x25 or
        (byte == 0x20 and at in (0, last)) else chr(byte) for at, byte in enumerate(data))


def expected_headers(animal):
    values = {header(field): as_header(value) for field, value in animal["fields"].items()}
    return {name.lower(): value for name, value in values.items() if value}


def received(origin, names):
    headers = origin.last().headers
    return {name: headers[name] for name in names if headers[name] is not None}


def expires(animal):
    return "expired" in animal["reason"]


def look(zoo, origin, certgate, animal, version, tickets):
    """Both hosts, over a full and a resumed handshake."""
    folder = zoo["folder"]
    context = lax_context(version=version, certificate=folder / animal["chain"],
                          key=folder / animal["key"])
    names = [header(field).lower() for field in animal["fields"]]
    decision = 200 if animal["verified"] and not animal["revoked"] else 403
    session = None
    for handshake in ("full", "resumed"):
        with proxy.Client(certgate.port, context, "fields.example.com", session) as client:
            where = (animal["name"], version, handshake)
            response = client.get(f"/{animal['name']}")
            assert response.status == 200, where
            assert received(origin, names) == expected_headers(animal), where
            assert client.get(f"/{animal['name']}", host="api.example.com").status == decision, where
            resumes = handshake == "resumed" and not expires(animal)
            if tickets == "stateful" or not resumes:
                assert client.tls.session_reused == resumes, where
            session = client.tls.session


@pytest.mark.parametrize("version", VERSIONS)
def test_threats_20_21_22_24_29_every_field_of_every_certificate(zoo, origin, version):
    assert len(zoo["certificates"]) >= 40
    with proxy.Certgate(zoo["folder"], config(zoo, origin)) as certgate:
        for animal in zoo["certificates"]:
            look(zoo, origin, certgate, animal, VERSIONS[version], "stateful")
        seen = {}
        for record in certgate.records(4 * len(zoo["certificates"]), tls_version=version):
            seen.setdefault(record["path"][1:], []).append(record)
        assert not certgate.records(event="handshake_failed")
    for animal in zoo["certificates"]:
        serial = animal["fields"][PREFIX + "cert_serial"]
        for record in seen[animal["name"]]:
            assert record.get("cert_serial", "") == serial.removeprefix("-") or \
                record["cert_serial"] == serial
            assert record["cert_fingerprint"] == \
                animal["fields"][PREFIX + "cert_fingerprint_sha256"]
            if animal["revoked"]:
                assert record["cert_verdict"] == "revoked"
            elif animal["verified"]:
                assert record["cert_verdict"] == "verified" and "cert_reason" not in record
            elif animal["reason"] == "FAILED:unable to get certificate CRL":
                assert record["cert_verdict"] == "crl_unusable"
                assert record["cert_reason"] == "there is no CRL of its issuer"
            else:
                assert "FAILED:" + record["cert_reason"] == animal["reason"]


CHOSEN = ("valid_p256", "valid_rsa2048", "two_intermediates", "wrong_order", "missing_intermediate",
          "partial_anchor", "rollover_old_key", "rollover_new_key", "expired", "revoked",
          "revoked_intermediate", "twin_revoked", "twin_valid", "self_signed", "wrong_ca_with_root",
          "stuffed_after", "stuffed_before", "tampered_signature", "dn_utf8", "nul_in_cn",
          "serial_negative", "very_large", "large_chain", "no_key_ids", "version_1")


def test_sealed_tickets_keep_every_field_too(zoo, origin):
    animals = [animal for animal in zoo["certificates"] if animal["name"] in CHOSEN]
    assert len(animals) == len(CHOSEN)
    with proxy.Certgate(zoo["folder"], config(zoo, origin, "stateless")) as certgate:
        for animal in animals:
            for version in VERSIONS.values():
                look(zoo, origin, certgate, animal, version, "stateless")
        # All but the very large resume.
        resumed = certgate.records(tls_resumed=True)
        assert len({r["path"] for r in resumed}) >= len(CHOSEN) - 4


def test_threat_36_crl_check_chain_sees_revoked_intermediates(zoo, origin):
    differing = [animal for animal in zoo["certificates"]
                 if animal["revoked"] or animal["revoked_in_chain_mode"]
                 or animal["name"].startswith(("valid", "two_", "direct", "twin", "partial"))]
    assert any(a["revoked_in_chain_mode"] and not a["revoked"] for a in differing)
    with proxy.Certgate(zoo["folder"], config(zoo, origin)) as certgate:
        for animal in differing:
            context = lax_context(certificate=zoo["folder"] / animal["chain"],
                                  key=zoo["folder"] / animal["key"])
            for name, revoked in [("api.example.com", animal["revoked"]),
                                  ("chain.example.com", animal["revoked_in_chain_mode"])]:
                with proxy.Client(certgate.port, context, name) as client:
                    blocked = revoked or not animal["verified"]
                    assert client.get("/").status == (403 if blocked else 200), (animal, name)


def test_without_a_certificate_and_where_none_is_asked_for_fields_are_empty(zoo, origin):
    flags = {header(PREFIX + name).lower(): "false" for name in (
        "cert_presented", "cert_verified", "cert_revoked", "cert_rfc9440_too_large",
        "cert_chain_rfc9440_too_large")}
    names = [header(field).lower() for field in zoo["certificates"][0]["fields"]]
    valid = next(a for a in zoo["certificates"] if a["name"] == "valid_p256")
    mine = lax_context(certificate=zoo["folder"] / valid["chain"], key=zoo["folder"] / valid["key"])
    with proxy.Certgate(zoo["folder"], config(zoo, origin)) as certgate:
        for name, context in [("fields.example.com", lax_context()), ("off.example.com", mine)]:
            with proxy.Client(certgate.port, context, name) as client:
                assert client.get("/").status == 200
            assert received(origin, names) == flags, name
