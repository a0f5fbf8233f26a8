#!/usr/bin/env python3
"""From a revocation to its effect: thousands of open connections and one WebSocket.

Each round a client certificate is taken away from under its open keep-alive connections and its
WebSocket, once by `certgate deny` and once by a CRL that is renamed into place. Measured, from the
end of the command, or from the receipt of the new list in the log: when every connection has had
its refusal, whether one request was still accepted, when the tunnel was cut; and what the latency
of other clients (open loop) was meanwhile, beside that with the same requests and no change. What
the asking itself took of the CPUs, and the proxy, is there too. The rows of docs/performance.md come
at the end.

  tests/bench/deny_to_effect.py --binary build/release/certgate --tools build/bench/tests/bench
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

from cryptography import x509

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import peers  # noqa: E402
import proxy  # noqa: E402  (peers knows the way to the black-box tests)

UPGRADE = ("GET /ws HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\n"
           "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


class Tunnel:
    """A WebSocket that says when it was cut."""

    def __init__(self, setup, certgate, identity):
        self.client = setup.client(certgate, identity)
        self.client.send(UPGRADE)
        data = b""
        while not data.endswith(b"welcome"):
            data += self.client.tls.recv(1000)
        self.cut_at = None
        self.thread = threading.Thread(target=self.wait, daemon=True)
        self.thread.start()

    def wait(self):
        self.client.read_until_close()
        self.cut_at = time.monotonic_ns()

    def milliseconds_after(self, moment):
        self.thread.join(30)
        return (self.cut_at - moment) / 1e6


def tunnel_origin():
    def talk(connection):
        proxy.read_head(connection)
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                           b"Upgrade: websocket\r\n\r\nwelcome")
        while connection.recv(1000):
            pass

    return proxy.RawOrigin(talk)


class Crowd:
    """The connections of one client, in a process of their own."""

    def __init__(self, tool, port, identity, connections):
        self.process = subprocess.Popen(
            [tool, "--port", str(port), "--cert", identity.path, "--key", identity.key_path,
             "--connections", str(connections), "--path", "/1k"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        self.opened = json.loads(self.process.stdout.readline())

    def ask(self, moment):
        self.process.stdin.write(f"{moment}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


def others(tool, port, identity, seconds):
    return subprocess.Popen(
        [tool, "--target", f"127.0.0.1:{port}", "--cert", identity.path, "--key",
         identity.key_path, "--connections", "16", "--rate", "500", "--seconds", str(seconds),
         "--path", "/1k"],
        stdout=subprocess.PIPE, text=True)


def latency(process):
    return json.loads(process.communicate()[0])["latency_us"]


def deny(setup, certgate, identity):
    began = time.monotonic_ns()
    answer = proxy.run("deny", "--config", certgate.config_path, "--fingerprint",
                       identity.fingerprint)
    ended = time.monotonic_ns()
    affected = re.search(r"(\d+) open connections", answer.stdout)
    return ended, {"took_ms": (ended - began) / 1e6, "says": int(affected[1]) if affected else None}


def swap(setup, certgate, identity):
    setup.ca.revoked.append((identity.certificate.serial_number,
                             x509.ReasonFlags.key_compromise))
    seen = certgate.log().count("revocations renewed")
    began = time.monotonic_ns()
    setup.ca.write_crl()
    while certgate.log().count("revocations renewed") == seen:
        time.sleep(0.0005)
    ended = time.monotonic_ns()
    return ended, {"took_ms": (ended - began) / 1e6}


def one_round(setup, arguments, take_away, number):
    identity = setup.ca.issue(f"{take_away.__name__}-{number}")
    other = setup.ca.issue(f"other-{take_away.__name__}-{number}")
    config = setup.config(
        admin={"address": f"unix:{setup.folder}/admin.sock"}, workers=arguments.workers,
        limits={"connections": 20000}, timeouts={"keep_alive": "600s", "drain": "2s"},
        crl_refresh={"watch": "100ms"})
    config["origins"]["tunnel"] = {"servers": [setup.tunnel.url]}
    config["hosts"][0]["routes"] = [{"path": "/ws", "origin": "tunnel"}]
    config["log"]["access"] = {"format": "off"}
    load = os.path.join(arguments.tools, "certgate_load")
    with setup.start(config) as certgate:
        crowd = Crowd(os.path.join(arguments.tools, "certgate_deny_effect"), certgate.port,
                      identity, arguments.connections)
        assert crowd.opened["accepted"] == arguments.connections, crowd.opened
        tunnel = Tunnel(setup, certgate, identity)
        # The same burst of requests without a change, so that the two latencies can be compared.
        control = others(load, certgate.port, other, 2)
        time.sleep(0.7)
        asked = crowd.ask(time.monotonic_ns())
        assert asked["accepted"] == arguments.connections, asked
        before = latency(control)
        during = others(load, certgate.port, other, 2)
        time.sleep(0.7)
        moment, facts = take_away(setup, certgate, identity)
        busy = peers.scheduled_seconds(certgate.process.pid)
        facts.update(crowd.ask(moment))
        facts["proxy_cpu_ms"] = round((peers.scheduled_seconds(certgate.process.pid) - busy) * 1e3, 2)
        facts["tunnel_ms"] = tunnel.milliseconds_after(moment)
        facts["others_p99_us"] = {"before": before["p99"], "during": latency(during)["p99"]}
        crowd.close()
        tunnel.client.close()
    facts["load"] = os.getloadavg()[0]
    return facts


def span(values, digits=0):
    least, most = (f"{value:.{digits}f}" for value in (min(values), max(values)))
    return least if least == most else f"{least} to {most}"


def row(by, rounds):
    """What docs/performance.md has of these rounds."""
    def each(name):
        return [facts[name] for facts in rounds]

    name = {"deny": f"`certgate deny` (takes {span(each('took_ms'))} ms)", "swap": "a CRL swapped"}[by]
    requests = sum(facts["accepted"] + facts["refused"] + facts["failed"] for facts in rounds)
    return (f"| {name} | {sum(each('accepted'))} of {requests:,} | {span(each('last_ms'))} ms | "
            f"{span(each('proxy_cpu_ms'))} ms | {span(each('client_cpu_ms'))} ms | "
            f"{span(each('tunnel_ms'), 1)} ms |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="build/release/certgate")
    parser.add_argument("--tools", default="build/bench/tests/bench",
                        help="where certgate_load and certgate_deny_effect are")
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    proxy.BINARY = arguments.binary
    bad = 0
    rows = []
    for take_away in (deny, swap):
        rounds = []
        for number in range(arguments.rounds):
            with tempfile.TemporaryDirectory() as folder:
                origin = peers.OriginServer(folder, 0)
                origin.url = f"http://127.0.0.1:{origin.port}"
                setup = proxy.Setup(folder, origin)
                setup.tunnel = tunnel_origin()
                facts = one_round(setup, arguments, take_away, number)
                setup.tunnel.close()
                origin.stop()
            bad += facts["accepted"] + facts["failed"]
            print(json.dumps({"by": take_away.__name__, **facts}), flush=True)
            rounds.append(facts)
        rows.append(row(take_away.__name__, rounds))
    print("| | accepted after | last refusal | CPU of the proxy | of the asking | WebSocket cut |",
          "|---|---|---|---|---|---|", *rows, sep="\n")
    print(datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
