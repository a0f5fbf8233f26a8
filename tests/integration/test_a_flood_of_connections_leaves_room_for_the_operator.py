"""Descriptors are shared out: clients never get the last ones, and who is turned away is told."""

import contextlib
import json
import re
import socket

import pytest

import proxy


def flood(certgate, count):
    """That many connections that say nothing, until the with-statement ends."""
    stack = contextlib.ExitStack()
    for _ in range(count):
        stack.enter_context(socket.create_connection(("127.0.0.1", certgate.port), proxy.PATIENCE))
    return stack


def metric(certgate, name):
    text = proxy.admin_get(certgate.folder / "admin.sock", "/metrics")[1]
    return float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))


def test_more_clients_than_descriptors_do_not_shut_the_operator_out(setup):
    """Status, metrics and a reload work while a flood lasts, and the log says what to do."""
    admin = {"address": f"unix:{setup.folder}/admin.sock"}
    with setup.start(through=("prlimit", "--nofile=160:160"), admin=admin,
                     timeouts={"handshake": "1h"}) as certgate:  # nobody leaves while others come
        log = certgate.log()
        assert re.search(r"may open only 160 files .*96 connections", log), log
        assert metric(certgate, "certgate_connection_limit") == 96
        with flood(certgate, 400):
            proxy.wait_until(lambda: metric(certgate, "certgate_connections_refused_total") >= 304,
                             "what is too much to be turned away")
            status = json.loads(proxy.run("status", "--config", certgate.config_path).stdout)
            assert status["connections"] == 96
            proxy.run("reload", "--config", certgate.config_path)
            assert "Too many open files" not in certgate.log()
        lines = [line for line in certgate.log().splitlines() if "connection limit" in line]
        assert lines and "warning" in lines[0] and "limit=96" in lines[0]
        assert len(lines) < 40  # not one for each
        alice = setup.ca.issue("alice")

        def served():
            with contextlib.suppress(OSError), setup.client(certgate, alice) as client:
                return client.get("/").status == 200

        proxy.wait_until(served, "room after the flood")


def test_the_soft_limit_is_raised_to_what_the_process_may_have(setup):
    with setup.start(through=("prlimit", "--nofile=100:2000"), limits={"connections": 500}) as certgate:
        assert "may open only" not in certgate.log()
        with open(f"/proc/{certgate.process.pid}/limits") as limits:
            soft, hard = re.search(r"Max open files +(\d+) +(\d+)", limits.read()).groups()
        assert soft == hard == "2000"
        alice = setup.ca.issue("alice")
        with flood(certgate, 300), setup.client(certgate, alice) as client:
            assert client.get("/").status == 200


def served(connect):
    """Whether a connection that `connect` opens gets an answer; then it is closed again."""
    with contextlib.suppress(OSError), connect() as client:
        return client.get("/").status == 200
    return False


def test_threat_75_one_client_cannot_take_all_connections(setup):
    """A limit for each certificate: 429 and the end of the connection; nobody else is touched."""
    admin = {"address": f"unix:{setup.folder}/admin.sock"}
    alice, bob = setup.ca.issue("alice"), setup.ca.issue("bob")
    with contextlib.ExitStack() as stack:
        certgate = stack.enter_context(
            setup.start(rules=[], admin=admin, limits={"connections_per_certificate": 3}))
        mine = [stack.enter_context(setup.client(certgate, alice)) for _ in range(3)]
        assert all(client.get("/").status == 200 for client in mine)
        for path in ("/fourth", "/fifth"):
            with setup.client(certgate, alice) as client:
                answer = client.get(path)
                assert answer.status == 429
                assert answer.getheader("Connection") == "close"
                assert answer.getheader("X-Request-Id") in answer.body.decode()
                assert client.read_until_close() == b""
            (record,) = certgate.records(1, path=path)
            assert record["failure"] == "too_many_connections"
            assert record["action"] == "refused"
            assert "alice" in record["cert_subject"]
        # Requests that are refused for another reason do not keep the connection either.
        with setup.client(certgate, alice) as client:
            client.send("TRACE / HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
            assert client.read_until_close().startswith(b"HTTP/1.1 405 ")
        assert metric(certgate, 'certgate_failures_total{reason="too_many_connections"}') == 2
        for identity in (bob, None):
            clients = [stack.enter_context(setup.client(certgate, identity)) for _ in range(3)]
            assert all(client.get("/").status == 200 for client in clients)
        assert served(lambda: setup.client(certgate))  # without a certificate nothing is counted
        assert mine[0].get("/").status == 200
        mine[0].close()
        proxy.wait_until(lambda: served(lambda: setup.client(certgate, alice)), "a place")
        # A reload changes the limit for what comes; what is open stays.
        certgate.reload(setup.config(rules=[], admin=admin,
                                     limits={"connections_per_certificate": 1}))
        assert mine[1].get("/").status == 200
        assert not served(lambda: setup.client(certgate, alice))
        certgate.reload(setup.config(rules=[], admin=admin))
        assert served(lambda: setup.client(certgate, alice))


def test_threat_75_one_address_cannot_take_all_connections(setup):
    """A limit for each address, that of a PROXY header if there is one: closed at once."""
    admin = {"address": f"unix:{setup.folder}/admin.sock"}
    behind = {"address": "127.0.0.9:0", "proxy_protocol": "any", "trusted_sources": ["127.0.0.0/8"]}
    listeners = [{"address": "127.0.0.1:0"}, behind]
    context = proxy.client_context(setup.server_ca)

    def config(limit):
        return setup.config(rules=[], admin=admin, listeners=listeners,
                            limits={"connections_per_address": limit})

    with contextlib.ExitStack() as stack:
        certgate = stack.enter_context(setup.start(config(2)))
        direct, proxied = certgate.ports

        def from_source(source):
            return lambda: proxy.Client(direct, context, source=source)

        def from_header(source):
            family, to = ("TCP6", "2001:db8:ffff::1") if ":" in source else ("TCP4", "198.51.100.1")
            header = f"PROXY {family} {source} {to} 4711 443\r\n".encode()
            return lambda: proxy.Client(proxied, context, address="127.0.0.9", preamble=header)

        def hold(connect):
            client = stack.enter_context(connect())
            assert client.get("/").status == 200
            return client

        refused = 0
        # Two of one client, one more of it, and one of another.
        for two, more, other in (
            ([from_source("127.0.0.2")] * 2, from_source("127.0.0.2"), from_source("127.0.0.3")),
            ([from_header("192.0.2.7")] * 2, from_header("192.0.2.7"), from_header("192.0.2.8")),
            ([from_header("2001:db8::1"), from_header("2001:db8::2")],
             from_header("2001:db8::3:0:0:3"), from_header("2001:db8:0:1::1")),
        ):
            held = [hold(connect) for connect in two]
            with pytest.raises(OSError):
                more()
            refused += 1
            assert metric(certgate, "certgate_connections_refused_by_address_total") == refused
            hold(other)
            held[0].close()
            proxy.wait_until(lambda connect=more: served(connect), "a place")
            refused = metric(certgate, "certgate_connections_refused_by_address_total")
        assert metric(certgate, "certgate_connections_refused_total") == 0
        log = certgate.log()
        assert re.search(r"warning.*as many as it may.*address=127\.0\.0\.2 limit=2", log), log

        # What is open is still counted when the limit was lifted and set again.
        again = from_source("127.0.0.4")
        counted = hold(again)
        certgate.reload(config(0))
        uncounted = [hold(again) for _ in range(3)]
        certgate.reload(config(1))
        with pytest.raises(OSError):
            again()
        for client in uncounted:
            client.close()
        proxy.wait_until(lambda: metric(certgate, "certgate_open_connections") <= 7, "the ends")
        with pytest.raises(OSError):
            again()
        counted.close()
        proxy.wait_until(lambda: served(again), "the place of the one that was counted")
