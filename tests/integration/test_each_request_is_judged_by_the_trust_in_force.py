"""Revocation, removed CAs, expiry and modes act on the next request of every kind of connection."""

import base64
import contextlib
import datetime
import os
import threading

import pytest

import proxy
from tls_peer import VERSIONS, lax_context


def visit(certgate, context, session=None, name="api.example.com"):
    with proxy.Client(certgate.port, context, name, session) as client:
        return client.get("/").status, client.tls.session_reused, client.tls.session


@pytest.mark.parametrize("version", VERSIONS)
def test_threat_34_a_revoked_certificate_stops_working_on_its_next_request(setup, version):
    stolen, other = setup.ca.issue("stolen"), setup.ca.issue("other")
    context = lax_context(stolen, VERSIONS[version])
    with setup.start() as certgate, \
            proxy.Client(certgate.port, context) as kept, \
            setup.client(certgate, other) as bystander:
        assert kept.get("/").status == bystander.get("/").status == 200
        _, _, session = visit(certgate, context)
        setup.ca.revoke(stolen)
        assert kept.get("/").status == 200  # nobody has told certgate yet
        certgate.reload()
        assert kept.get("/").status == 403
        assert visit(certgate, context, session)[:2] == (403, True)
        assert visit(certgate, context)[:2] == (403, False)
        assert bystander.get("/").status == 200
        for record in certgate.records(3, status=403):
            assert record["cert_verdict"] == "revoked" and record["cert_serial"] == stolen.serial
            assert record["cert_reason"] == "certificate revoked (keyCompromise)"
        # Taken back (a hold that is lifted): again on the next request, the same connection.
        setup.ca.revoked.clear()
        setup.ca.write_crl()
        certgate.reload()
        assert kept.get("/").status == 200
        assert visit(certgate, context, session)[:2] == (200, True)
        assert visit(certgate, context)[0] == 200


@pytest.mark.parametrize("version", VERSIONS)
def test_threat_82_the_clients_of_a_removed_ca_are_unverified_at_once(setup, version):
    second = proxy.Authority(setup.folder, "Second CA")
    alice, bob = setup.ca.issue("alice"), second.issue("bob")
    both, only_second = setup.host(), setup.host(ca=second)
    both["client_auth"]["ca"] = [setup.ca.path.name, second.path.name]
    both["client_auth"]["crl"] = [setup.ca.crl_path.name, second.crl_path.name]
    context = lax_context(alice, VERSIONS[version])
    with setup.start(hosts=[both]) as certgate, proxy.Client(certgate.port, context) as a, \
            setup.client(certgate, bob) as b:
        assert a.get("/").status == b.get("/").status == 200
        _, _, session = visit(certgate, context)
        certgate.reload(setup.config(hosts=[only_second]))
        assert a.get("/").status == 403
        assert b.get("/").status == 200
        assert visit(certgate, context, session)[0] == visit(certgate, context)[0] == 403
        for record in certgate.records(3, status=403):
            assert record["cert_verdict"] == "untrusted"
            assert record["cert_reason"] == "unable to get local issuer certificate"
        certgate.reload(setup.config(hosts=[both]))
        assert a.get("/").status == b.get("/").status == 200


def test_a_host_that_changes_its_mode_judges_open_connections_by_the_new_one(setup):
    alice = setup.ca.issue("alice")
    with setup.start(hosts=[setup.host(mode="off")], rules=[]) as certgate, \
            setup.client(certgate, alice) as unasked:
        assert unasked.get("/").status == 200
        # Now certificates count, and this connection was never asked for one: start over.
        certgate.reload(setup.config(hosts=[setup.host(mode="request")], rules=[]))
        assert unasked.get("/").status == 421
        with setup.client(certgate, alice) as asked, setup.client(certgate) as anonymous:
            assert asked.get("/").status == anonymous.get("/").status == 200
            certgate.reload(setup.config(hosts=[setup.host(mode="require")], rules=[]))
            assert asked.get("/").status == 200
            assert anonymous.get("/").status == 403
            failure = certgate.records(1, status=403)[0]["failure"]
            assert failure == "client_certificate_required"


def test_on_require_revocation_and_expiry_count_after_the_handshake_too(setup):
    alice = setup.ca.issue("alice")
    with setup.start(hosts=[setup.host(mode="require")], rules=[]) as certgate, \
            setup.client(certgate, alice) as kept:
        assert kept.get("/").status == 200
        setup.ca.revoke(alice)
        certgate.reload()
        assert kept.get("/").status == 403
        assert certgate.records(1, status=403)[0]["cert_verdict"] == "revoked"


def test_threat_34_a_request_on_its_way_is_carried_whole_and_none_behind_it(tmp_path):
    """Revoked in the middle of an upload: it was judged when it came, its follower is judged anew."""
    on_its_way = threading.Event()

    def talk(connection):
        for _ in range(2):
            head, body = proxy.read_head(connection)
            on_its_way.set()
            while head and len(body) < 10:
                body += connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + body)

    with contextlib.closing(proxy.RawOrigin(talk)) as origin:
        setup = proxy.Setup(tmp_path, origin)
        stolen = setup.ca.issue("stolen")
        with setup.start() as certgate, setup.client(certgate, stolen) as client:
            client.send("POST / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 10\r\n\r\n12345")
            assert on_its_way.wait(proxy.PATIENCE)
            setup.ca.revoke(stolen)
            certgate.reload()
            client.send("67890")
            response = client.read_response()
            assert (response.status, response.body) == (200, b"1234567890")
            assert client.get("/").status == 403
            assert [record["cert_verdict"] for record in certgate.records(2)] == ["verified", "revoked"]


# --- WebSocket tunnels ---------------------------------------------------------------------------


def echoing_tunnel(connection):
    head, rest = proxy.read_head(connection)
    assert b"pgrade" in head, head
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                       b"Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n" + rest)
    while True:
        data = connection.recv(65536)
        if not data:
            return
        connection.sendall(data)


def open_tunnel(certgate, context, name="api.example.com"):
    client = proxy.Client(certgate.port, context, name)
    key = base64.b64encode(os.urandom(16)).decode()
    client.send(f"GET /socket HTTP/1.1\r\nHost: {name}\r\nConnection: Upgrade\r\n"
                f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n")
    assert b"101 Switching Protocols" in client.tls.recv(65536)
    return client


def is_open(tunnel):
    try:
        tunnel.send(b"ping")
        return tunnel.tls.recv(65536) == b"ping"
    except OSError:
        return False


@pytest.fixture
def tunnels(tmp_path):
    origin = proxy.RawOrigin(echoing_tunnel)
    yield proxy.Setup(tmp_path, origin)
    origin.close()


def test_threat_34_an_open_tunnel_of_a_client_no_longer_allowed_is_closed(tunnels):
    setup = tunnels
    stolen, other = setup.ca.issue("stolen"), setup.ca.issue("other")
    with setup.start() as certgate:
        cut = [open_tunnel(certgate, lax_context(stolen, v)) for v in VERSIONS.values()]
        stays = open_tunnel(certgate, lax_context(other))
        assert all(is_open(tunnel) for tunnel in [*cut, stays])
        setup.ca.revoke(stolen)
        certgate.reload()
        for tunnel in cut:
            assert tunnel.read_until_close() == b""
            tunnel.close()
        assert is_open(stays)
        for record in certgate.records(2, failure="client_no_longer_allowed"):
            assert record["cert_serial"] == stolen.serial and record["cert_verdict"] == "revoked"
        # By a rule as well: what is allowed is asked again, not only who it is.
        rule = {"name": "no sockets", "expression": 'http.request.uri.path eq "/socket"',
                "action": "block"}
        certgate.reload(setup.config(rules=[rule]))
        assert stays.read_until_close() == b""
        assert certgate.records(1, rule="no sockets")[0]["failure"] == "client_no_longer_allowed"
        stays.close()


def test_an_open_tunnel_ends_with_its_ca_and_with_its_host(tunnels):
    setup = tunnels
    other = proxy.Authority(setup.folder, "Other CA")
    names = ["api.example.com", "gone.example.com", "stays.example.com"]
    hosts = [setup.host([name]) for name in names]
    with setup.start(hosts=hosts) as certgate:
        context = lax_context(setup.ca.issue("alice"))
        by_ca, by_host, stays = (open_tunnel(certgate, context, name) for name in names)
        certgate.reload(setup.config(hosts=[hosts[0], hosts[2]]))
        assert by_host.read_until_close() == b""
        assert is_open(by_ca) and is_open(stays)
        certgate.reload(setup.config(hosts=[setup.host([names[0]], ca=other), hosts[2]]))
        assert by_ca.read_until_close() == b""
        assert is_open(stays)
        for tunnel in (by_ca, by_host, stays):
            tunnel.close()
        certgate.records(2, failure="client_no_longer_allowed")


def test_an_open_tunnel_ends_with_its_certificate(tunnels):
    setup = tunnels
    begin = proxy.now() - datetime.timedelta(hours=1)
    with setup.start() as certgate:
        brief = setup.ca.issue("brief", valid_from=begin,
                               valid_for=proxy.now() - begin + datetime.timedelta(seconds=6))
        tunnel = open_tunnel(certgate, lax_context(brief))
        assert is_open(tunnel)
        assert tunnel.read_until_close() == b""
        end = brief.certificate.not_valid_after
        assert datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) > end
        record = certgate.records(1, failure="client_no_longer_allowed")[0]
        assert record["cert_verdict"] == "expired"
        tunnel.close()


# --- Host and SNI --------------------------------------------------------------------------------


def test_threat_12_every_pair_of_policies_that_differ_is_misdirected(setup):
    """SNI of one host, Host of another: only hosts with the very same client policy may share."""
    other = proxy.Authority(setup.folder, "Other CA")
    policies = {
        "off.example.com": dict(mode="off"),
        "off-too.example.com": dict(mode="off"),
        "request.example.com": dict(mode="request"),
        "request-too.example.com": dict(mode="request"),
        "require.example.com": dict(mode="require"),
        "other-ca.example.com": dict(mode="request", ca=other),
        "*.example.org": dict(mode="require"),
        "*": dict(mode="require", ca=other),
    }
    hosts = [setup.host([name], **policy) for name, policy in policies.items()]
    in_chain = setup.host(["chain.example.com"])
    in_chain["client_auth"]["crl_check"] = "chain"
    lenient = setup.host(["lenient.example.com"])
    lenient["client_auth"]["on_expired_crl"] = "use_last"
    hosts += [in_chain, lenient]
    groups = [{"off.example.com", "off-too.example.com"},
              {"request.example.com", "request-too.example.com"},
              {"require.example.com", "a.example.org"}, {"other-ca.example.com"},
              {"unknown.test", None}, {"chain.example.com"}, {"lenient.example.com"}]
    group_of = {name: number for number, group in enumerate(groups) for name in group}
    mine, theirs = lax_context(setup.ca.issue("mine")), lax_context(other.issue("theirs"))
    with setup.start(hosts=hosts, rules=[]) as certgate:
        for sni in group_of:
            context = theirs if sni in ("unknown.test", None, "other-ca.example.com") else mine
            with proxy.Client(certgate.port, context, sni) as client:
                for name in filter(None, group_of):
                    wanted = 200 if group_of[sni] == group_of[name] else 421
                    assert client.get("/", host=name).status == wanted, (sni, name)
        refused = [r["failure"] for r in certgate.records(1, status=421)]
        assert set(refused) == {"misdirected_request"}
        assert len(setup.origin.requests) == sum(len(group - {None}) * len(group)
                                                 for group in groups)
        certgate.records(len(setup.origin.requests), status=200)


def test_threat_11_a_host_is_compared_in_its_canonical_spelling(setup):
    other = proxy.Authority(setup.folder, "Other CA")
    hosts = [setup.host(["api.example.com"]), setup.host(["public.example.com"], mode="off"),
             setup.host(["*.secret.example.com"], mode="require", ca=other)]
    with setup.start(hosts=hosts) as certgate:
        for spelling in ("api.example.com", "API.EXAMPLE.COM", "api.example.com.",
                         "api.example.com:443", "Api.Example.Com.:8443"):
            with proxy.Client(certgate.port, lax_context(), "api.example.com") as client:
                assert client.get("/", host=spelling).status == 403, spelling
            with proxy.Client(certgate.port, lax_context(), "public.example.com") as client:
                assert client.get("/", host=spelling).status == 421, spelling
        for name in ("x.secret.example.com", "X.SECRET.example.com."):
            with proxy.Client(certgate.port, lax_context(), "public.example.com") as client:
                assert client.get("/", host=name).status == 421
    assert not setup.origin.requests
