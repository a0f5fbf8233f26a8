"""Whatever spelling a client tries, the origin sees only the identity that certgate verified."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

import proxy
import wire

# threats.md 45: what some CGI-like origins fold into `_`, as `-` is.
SEPARATORS = "-_.!#$%&'*+^`|~"
assert len(SEPARATORS) == 15  # the hyphen itself and its fourteen aliases
PROTECTED = [
    "Client-Cert", "Client-Cert-Chain", "X-Forwarded-Client-Cert", "Cf-Cert-Verified",
    "Cf-Cert-Revoked", "Cf-Cert-Presented", "Cf-Cert-Subject-Dn", "Cf-Cert-Issuer-Dn",
    "Cf-Cert-Serial", "Cf-Cert-Fingerprint-Sha256", "Cf-Cert-Sha1", "Cf-Cert-Not-After",
    "Cf-Client-Cert-Der-Base64", "Cf-Client-Cert-Sha256", "X-Client-Dn", "X-Removed",
]
ROUTING = ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-Ip",
           "X-Request-Id", "Via"]


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    with wire.WireOrigin() as origin:
        setup = proxy.Setup(tmp_path_factory.mktemp("gate"), origin)
        setup.valid = setup.ca.issue("alice", dns=["alice.example.com"],
                                     uris=["spiffe://example.com/alice"])
        setup.revoked = setup.ca.issue("stolen")
        setup.ca.revoke(setup.revoked)
        setup.stranger = proxy.Authority(setup.folder, "Other CA").issue("mallory")
        hosts = [
            setup.host(["api.example.com"]),
            setup.host(["plain.example.com"], mode="off"),
            setup.host(["every.example.com"],
                       forward_client_certificate=["rfc9440", "cloudflare", "xfcc"]),
            setup.host(["rfc.example.com"], forward_client_certificate=["rfc9440"]),
        ]
        # No list: one would have to cover every issuer of a client, intermediates too.
        chain = setup.host(["chain.example.com"], forward_client_certificate=["rfc9440"])
        del chain["client_auth"]["crl"]
        hosts.append(chain)
        listeners = [{"address": "127.0.0.1:0"}, {"address": "127.0.0.1:0"}]
        headers = {"set": {"X-Client-DN": "cf.tls_client_auth.cert_subject_dn"},
                   "remove": ["X-Removed"]}
        with setup.start(hosts=hosts, listeners=listeners, rules=[],
                         request_headers=headers) as certgate:
            setup.certgate = certgate
            yield setup


def request(gate, fields, identity=None, host="plain.example.com", port=None, extra=b""):
    gate.origin.clear()
    context = proxy.client_context(gate.server_ca, identity)
    with proxy.Client(port or gate.certgate.port, context, host) as client:
        text = f"GET /x HTTP/1.1\r\nHost: {host}\r\n"
        text += "".join(f"{name}: {value}\r\n" for name, value in fields)
        client.send(text.encode("latin-1") + b"\r\n" + extra)
        assert client.read_response().status == 200
    return gate.origin.last()


def spellings(name):
    yield name.lower()
    yield name.upper()
    for separator in SEPARATORS:
        yield name.replace("-", separator)
    if name.count("-") > 1:
        yield name.replace("-", "_", 1)


def in_pieces(fields, size=90):
    return [fields[at:at + size] for at in range(0, len(fields), size)]


def canonical(name):
    return "".join(c if c.isalnum() else "-" for c in name.lower())


@pytest.mark.parametrize("who", ["nobody", "valid", "stranger"])
def test_threat_43_44_45_every_spelling_is_removed(gate, who):
    identity = {"nobody": None, "valid": gate.valid, "stranger": gate.stranger}[who]
    host = "plain.example.com" if who == "nobody" else "api.example.com"
    fields = [(spelling, "forged") for name in PROTECTED for spelling in spellings(name)]
    for piece in in_pieces(fields):
        for port in gate.certgate.ports:
            seen = request(gate, piece, identity, host, port)
            assert "forged" not in seen.head.decode("latin-1"), seen.head
    protected = {canonical(name) for name in PROTECTED}
    left = [name for name in seen.names() if canonical(name) in protected]
    assert left in ([], ["x-client-dn"])


def test_threat_45_no_alias_of_what_routes_or_frames(gate):
    fields = [(name.replace("-", separator), "forged") for name in ROUTING for separator in SEPARATORS
              if separator != "-" and "-" in name]
    fields += [(f"Content{s}Length", "forged") for s in SEPARATORS[1:]]
    fields += [(f"Transfer{s}Encoding", "forged") for s in SEPARATORS[1:]]
    for piece in in_pieces(fields):
        assert b"forged" not in request(gate, piece).head


def test_threat_45_underscores_are_dropped_others_stay(gate):
    seen = request(gate, [("X_Anything", "1"), ("X.Dotted", "2"), ("X-Kept", "3"),
                          ("Client-Certificate", "4"), ("My-Client-Cert", "5")])
    assert "x_anything" not in seen.names()
    assert [seen.one(n) for n in ("X.Dotted", "X-Kept", "Client-Certificate", "My-Client-Cert")] == [
        "2", "3", "4", "5"]


def test_threat_46_trailers_carry_no_identity(gate):
    gate.origin.clear()
    with gate.client(gate.certgate) as client:
        client.send("POST /t HTTP/1.1\r\nHost: api.example.com\r\nTE: trailers\r\n"
                    "Trailer: Client-Cert\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3\r\nabc\r\n0\r\nClient-Cert: forged\r\nCf_Cert_Verified: true\r\n\r\n")
        assert client.read_response().status == 200
    # WireOrigin itself refuses any trailer; here nothing announces one either.
    assert gate.origin.last().body == b"abc"
    assert not {"trailer", "te"} & set(gate.origin.last().names())


@pytest.mark.parametrize("named", ["Client-Cert", "client-cert, x-client-dn, cf-cert-verified",
                                   "X-Forwarded-For, X-Forwarded-Proto, X-Request-Id, Via",
                                   "Host, Content-Length", "close, Client-Cert"])
def test_threat_47_connection_cannot_name_what_certgate_sets(gate, named):
    seen = request(gate, [("Connection", named)], gate.valid, "every.example.com")
    for name in ("Client-Cert", "Cf-Cert-Verified", "X-Forwarded-Client-Cert", "X-Client-DN",
                 "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id", "Via", "Host"):
        assert seen.one(name), name


def test_hop_by_hop_fields_end_here(gate):
    seen = request(gate, [("Connection", "keep-alive, X-Private"), ("X-Private", "1"),
                          ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive"),
                          ("Proxy-Authorization", "Basic eDp5"), ("TE", "trailers"),
                          ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
                          ("X-Public", "2")])
    gone = {"connection", "x-private", "keep-alive", "proxy-connection", "te", "upgrade",
            "proxy-authorization", "http2-settings"}
    assert not gone & set(seen.names())
    assert seen.one("X-Public") == "2"


def test_an_absent_value_leaves_no_field(gate):
    assert "x-client-dn" not in request(gate, [("X-Client-DN", "CN=root")]).names()
    seen = request(gate, [("X-Client-DN", "CN=root")], gate.valid, "api.example.com")
    assert seen.one("X-Client-DN") == "CN=alice"


def test_threat_49_what_the_origin_is_told_of_a_valid_client(gate):
    seen = request(gate, [], gate.valid, "every.example.com")
    der = gate.valid.certificate.public_bytes(serialization.Encoding.DER)
    issuer = gate.ca.certificate
    encoded = base64.b64encode(der).decode()
    assert seen.one("Client-Cert") == f":{encoded}:"
    assert seen.one("Cf-Client-Cert-Der-Base64") == encoded
    assert seen.one("Cf-Client-Cert-Sha256") == gate.valid.fingerprint
    assert seen.one("Cf-Cert-Presented") == "true"
    assert seen.one("Cf-Cert-Verified") == "true"
    assert seen.one("Cf-Cert-Revoked") == "false"
    assert seen.one("Cf-Cert-Subject-Dn") == "CN=alice"
    assert seen.one("Cf-Cert-Issuer-Dn") == "CN=Client CA"
    assert seen.one("Cf-Cert-Subject-Dn-Legacy") == "/CN=alice"
    assert seen.one("Cf-Cert-Serial") == gate.valid.serial
    assert seen.one("Cf-Cert-Fingerprint-Sha256") == gate.valid.fingerprint
    assert int(seen.one("Cf-Cert-Issuer-Serial"), 16) == issuer.serial_number
    assert seen.one("X-Forwarded-Client-Cert") == (
        f'Hash={gate.valid.fingerprint};Subject="CN=alice";'
        'URI="spiffe://example.com/alice";DNS="alice.example.com"')


def test_threat_49_the_chain_that_the_client_sent(gate):
    middle = proxy.Authority(gate.folder, "Middle CA", issuer=gate.ca)
    leaf = middle.issue("bob", extra_chain=[middle])
    seen = request(gate, [], leaf, "chain.example.com")
    encoded = base64.b64encode(
        middle.certificate.public_bytes(serialization.Encoding.DER)).decode()
    assert seen.one("Client-Cert-Chain") == f":{encoded}:"
    assert not any(name.startswith("cf-") for name in seen.names())


@pytest.mark.parametrize("name", ["eve\r\nX-Evil: 1", "eve\nX-Evil: 1", "eve\0X-Evil: 1",
                                  "ev\u202ee \U0001f600", "eve,CN=alice", 'eve";URI="spiffe://x'],
                         ids=["CRLF", "LF", "NUL", "unicode", "comma", "quote"])
def test_threat_48_hostile_names_stay_one_value(gate, name):
    """Whatever a CA let into a subject, it is one printable field for the origin."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    hostile = gate.ca.issue("hostile", subject=subject)
    seen = request(gate, [], hostile, "every.example.com")
    assert "x-evil" not in seen.names()
    assert len(seen.names()) == len(set(seen.names()))
    for field in ("X-Client-DN", "Cf-Cert-Subject-Dn", "X-Forwarded-Client-Cert"):
        for value in seen.all(field):
            assert all(0x20 <= ord(c) < 0x7F for c in value), value
            assert value not in ("CN=alice", "CN=eve")
    # A quote in the name does not end the quoted value and start a key of its own.
    for value in seen.all("X-Forwarded-Client-Cert"):
        assert ";URI=\"" not in value.replace('\\"', "'")


@pytest.mark.parametrize("who", ["nobody", "stranger", "revoked"])
def test_threat_44_no_identity_of_who_is_not_verified(gate, who):
    identity = {"nobody": None, "stranger": gate.stranger, "revoked": gate.revoked}[who]
    seen = request(gate, [], identity, "every.example.com")
    assert not {"client-cert", "client-cert-chain", "x-forwarded-client-cert",
                "cf-client-cert-der-base64"} & set(seen.names())
    assert seen.one("Cf-Cert-Presented") == ("false" if who == "nobody" else "true")
    assert seen.one("Cf-Cert-Verified") == ("true" if who == "revoked" else "false")
    assert seen.one("Cf-Cert-Revoked") == ("true" if who == "revoked" else "false")


def test_threat_51_the_origin_sees_one_of_each(gate):
    seen = request(gate, [("Client-Cert", ":AA==:"), ("client-cert", ":AB==:")], gate.valid,
                   "every.example.com")
    assert len(seen.names()) == len(set(seen.names()))


def test_who_asked_is_appended(gate):
    seen = request(gate, [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "192.0.2.2"),
                          ("Forwarded", "for=192.0.2.1"), ("X-Forwarded-Proto", "http"),
                          ("X-Forwarded-Host", "evil.test"), ("X-Real-IP", "192.0.2.9"),
                          ("X-Request-Id", "mine"), ("Via", "1.0 before")])
    assert seen.one("X-Forwarded-For") == "192.0.2.1, 192.0.2.2, 127.0.0.1"
    assert seen.one("Forwarded") == ("for=192.0.2.1, for=127.0.0.1;host=plain.example.com;"
                                     "proto=https")
    assert seen.one("X-Forwarded-Proto") == "https"
    assert seen.one("X-Forwarded-Host") == "plain.example.com"
    assert "x-real-ip" not in seen.names()
    assert seen.one("Via") == "1.0 before, 1.1 certgate"
    number = seen.one("X-Request-Id")
    assert number != "mine" and len(number) == 16
    assert gate.certgate.records(1, request_id=number)


def test_what_the_configuration_sets_or_removes_is_told_once_or_not_at_all(gate, tmp_path):
    """Of certgate's own fields, too; and the values may be facts that no rule asks for."""
    fields = {"X-Forwarded-For": "ip.src", "X-Request-Id": '"mine"', "X-Port": "cf.edge.server_port",
              "X-Address": "cf.edge.server_ip", "X-Hello": "cf.tls_client_hello_length",
              "X-Random": "cf.tls_client_random"}
    setup = proxy.Setup(tmp_path, gate.origin)
    with setup.start(rules=[], request_headers={
            "set": fields, "remove": ["via", "Forwarded", "X-Forwarded-Proto", "X-Forwarded-Host"]}
            ) as certgate, setup.client(certgate) as client:
        gate.origin.clear()
        client.get("/", headers=[("X-Forwarded-For", "192.0.2.1"), ("Via", "1.1 b"),
                                 ("Forwarded", "for=b"), ("X_Request_Id", "b")])
        seen = gate.origin.last()
    assert seen.one("X-Forwarded-For") == seen.one("X-Address") == "127.0.0.1"
    assert seen.one("X-Request-Id") == "mine"
    assert seen.one("X-Port") == str(certgate.port)
    assert int(seen.one("X-Hello")) > 100 and len(seen.one("X-Random")) == 44
    assert not {"via", "forwarded", "x-forwarded-proto", "x-forwarded-host"} & set(seen.names())


def test_end_to_end_fields_keep_order_and_spelling(gate):
    fields = [("X-b", "1"), ("x-A", "two  spaces"), ("COOKIE", "a=1; b=2"), ("X-b", "3"),
              ("X-Empty", ""), ("X-Latin", "caf\xe9"), ("Accept", "*/*")]
    seen = request(gate, fields)
    mine = [field for field in seen.head.decode("latin-1").split("\r\n")
            if field.split(":")[0] in {name for name, _ in fields}]
    assert [field.rstrip() for field in mine] == [f"{n}: {v}".rstrip() for n, v in fields]
