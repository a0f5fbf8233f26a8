"""Descriptors are shared out: clients never get the last ones, and who is turned away is told."""

import contextlib
import json
import re
import socket

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
    with setup.start(through=("prlimit", "--nofile=160:160"), admin=admin) as certgate:
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
