"""Three rules as Cloudflare's documentation prints them, with every kind of certificate, on hosts
with client certificates enabled and on hosts without."""

import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

import proxy
from tls_peer import lax_context

RULES = {
    "unverified": 'http.host in {"api.example.com"} and not cf.tls_client_auth.cert_verified',
    "revoked": "cf.tls_client_auth.cert_revoked",
    "either": 'http.host == "example.com" and (not cf.tls_client_auth.cert_verified or '
              "cf.tls_client_auth.cert_revoked)",
}
# kind of certificate: (verified, revoked). The host has a list of the root alone: what an
# intermediate issued no list covers, so it counts as not verified.
KINDS = {
    "none": (False, False), "valid": (True, False), "revoked": (True, True),
    "expired": (False, False), "early": (False, False), "foreign": (False, False),
    "self-signed": (False, False), "server only": (False, False),
    "through an intermediate": (False, False), "intermediate missing": (False, False),
    "foreign with our CA's name": (False, False),
}


@pytest.fixture
def clients(setup):
    ca, day = setup.ca, datetime.timedelta(days=1)
    issuing = proxy.Authority(setup.folder, "Issuing CA", issuer=ca)
    alone = proxy.Authority(setup.folder, "Self")
    key = ec.generate_private_key(ec.SECP256R1())
    impostor = proxy.Authority(setup.folder, "Impostor", key=key, subject=ca.subject)
    clients = {
        "none": None,
        "valid": ca.issue("valid"),
        "revoked": ca.issue("revoked"),
        "expired": ca.issue("expired", valid_from=proxy.now() - 9 * day, valid_for=day),
        "early": ca.issue("early", valid_from=proxy.now() + day),
        "foreign": proxy.Authority(setup.folder, "Other CA").issue("foreign"),
        "self-signed": proxy.Identity(setup.folder, "self", alone.certificate, alone.key),
        "server only": ca.issue("server", usages=[ExtendedKeyUsageOID.SERVER_AUTH]),
        "through an intermediate": issuing.issue("through", extra_chain=[issuing]),
        "intermediate missing": issuing.issue("missing"),
        "foreign with our CA's name": impostor.issue("impostor"),
    }
    ca.revoke(clients["revoked"])
    assert list(clients) == list(KINDS)
    return {kind: lax_context(identity) for kind, identity in clients.items()}


def blocked(rule, host, enabled, verified, revoked):
    """What the expression says by hand; a host that never asks has no certificate at all."""
    verified, revoked = verified and enabled, revoked and enabled
    return {
        "unverified": host == "api.example.com" and not verified,
        "revoked": revoked,
        "either": host == "example.com" and (not verified or revoked),
    }[rule]


@pytest.mark.parametrize("enabled", [True, False])
def test_the_three_rules(setup, clients, enabled):
    hosts = [setup.host([name], mode="request" if enabled else "off")
             for name in ("api.example.com", "example.com")]
    configs = {name: setup.config(hosts=hosts, rules=[
        {"name": name, "expression": expression, "action": "block"}])
        for name, expression in RULES.items()}
    with setup.start(configs["unverified"]) as certgate:
        connections = {(kind, host): proxy.Client(certgate.port, context, host)
                       for kind, context in clients.items()
                       for host in ("api.example.com", "example.com")}
        for rule, config in configs.items():
            certgate.reload(config)
            setup.origin.requests.clear()
            allowed = []
            for (kind, host), client in connections.items():
                wanted = blocked(rule, host, enabled, *KINDS[kind])
                path = f"/{rule}/{host}/{kind.replace(' ', '-')}"
                assert client.get(path).status == (403 if wanted else 200), path
                if not wanted:
                    allowed.append(path)
            assert [r.path for r in setup.origin.requests] == allowed
            record = certgate.records(1, path=f"/{rule}/example.com/revoked")[0]
            assert record["cert_verdict"] == ("revoked" if enabled else "not_asked")
            for record in certgate.records(rule=rule):
                assert record["action"] == "blocked" and record["status"] == 403
        for client in connections.values():
            client.close()


def test_all_three_together_and_the_host_in_every_spelling(setup, clients):
    rules = [{"name": name, "expression": expression, "action": "block"}
             for name, expression in RULES.items()]
    hosts = [setup.host(["api.example.com"]), setup.host(["example.com"]),
             setup.host(["free.example.com"])]
    with setup.start(hosts=hosts, rules=rules) as certgate:
        for spelling in ("api.example.com", "API.EXAMPLE.COM", "api.example.com.",
                         "api.example.com:8443"):
            for kind, (verified, revoked) in KINDS.items():
                if kind not in ("none", "valid", "revoked", "foreign"):
                    continue
                with proxy.Client(certgate.port, clients[kind], "api.example.com") as client:
                    status = client.get("/", host=spelling).status
                    assert status == (200 if verified and not revoked else 403), (spelling, kind)
        # A host that no rule names: only the second one counts there.
        for kind, (_, revoked) in KINDS.items():
            with proxy.Client(certgate.port, clients[kind], "free.example.com") as client:
                assert client.get("/").status == (403 if revoked else 200), kind
