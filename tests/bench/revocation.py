#!/usr/bin/env python3
"""What large CRLs cost: start, memory and handshakes, beside nginx and HAProxy with the same file.

For each size one list with that many random serials of 16 bytes is given to each proxy, alone on
one CPU. "start" is the CPU time until it accepts, above that with a list of ten entries; memory the
proportional set size after the first handshakes, likewise; a handshake the proxy's CPU time for a
full handshake with client certificate and one request.

  tests/bench/revocation.py --binary build/release/certgate --tools build/bench/tests/bench
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import proxies  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from large_crl import large_crl  # noqa: E402  (proxies knows the way to the black-box tests)


def pem(der):
    return x509.load_der_x509_crl(der).public_bytes(serialization.Encoding.PEM)


class Material:
    """What proxies.Files has, with lists as large as asked for."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        authority = proxies.harness.Authority
        self.root = authority(folder, "Bench Root")
        self.issuing = authority(folder, "Bench Issuing", issuer=self.root)
        server = authority(folder, "Bench Server CA").issue("api.example.com", server=True,
                                                            dns=("api.example.com",))
        client = self.issuing.issue("phone", extra_chain=(self.issuing,))
        self.server, self.server_key = server.path, server.key_path
        self.client, self.client_key = client.path, client.key_path
        self.ca = self.folder / "ca.pem"
        self.ca.write_bytes(self.root.pem() + self.issuing.pem())
        self.crl = None

    def use(self, entries):
        self.crl = self.folder / f"{entries}.crl"
        if not self.crl.exists():
            # nginx and HAProxy want a list for every CA of the chain.
            self.crl.write_bytes(pem(large_crl(self.issuing, entries, 7)) +
                                 self.root.crl_path.read_bytes())


def visit(peer, arguments, files, count):
    done = json.loads(subprocess.run(
        [os.path.join(arguments.tools, "certgate_load"), "--target", f"127.0.0.1:{peer.port}",
         "--mode", "handshake", "--operations", str(count), "--cert", files.client, "--key",
         files.client_key, "--path", "/1k"], stdout=subprocess.PIPE, check=True).stdout)
    assert done["failed"] == done["wrong_status"] == 0, (peer.name, done)


def measure(make, arguments, files, handshakes):
    peer = make()
    try:
        start = peer.cpu_seconds()
        visit(peer, arguments, files, 3)
        memory = peer.memory_kib()
        before = peer.cpu_seconds()
        visit(peer, arguments, files, handshakes)
        return start, memory, (peer.cpu_seconds() - before) / handshakes
    finally:
        peer.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="build/release/certgate")
    parser.add_argument("--tools", default="build/bench/tests/bench")
    parser.add_argument("--entries", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    cpu = sorted(os.sched_getaffinity(0))[-1]
    with tempfile.TemporaryDirectory() as folder:
        files = Material(folder)
        origin = proxies.OriginServer(folder, sorted(os.sched_getaffinity(0))[0])
        job = proxies.Job(folder, origin.port)
        binary = os.path.abspath(arguments.binary)
        makers = {"certgate": lambda: proxies.Certgate(binary, job, files, cpu)}
        if proxies.have("nginx"):
            makers["nginx"] = lambda: proxies.Nginx(job, files, cpu)
        if proxies.have("haproxy"):
            makers["haproxy"] = lambda: proxies.Haproxy(job, files, cpu)
        for entries in arguments.entries:
            for name, make in makers.items():
                starts, memories, handshakes = [], [], []
                for _ in range(arguments.rounds):
                    files.use(10)
                    start0, memory0, _ = measure(make, arguments, files, 3)
                    files.use(entries)
                    count = 200 if name == "certgate" or entries < 100_000 else 20
                    start, memory, handshake = measure(make, arguments, files, count)
                    starts.append(start - start0)
                    memories.append((memory - memory0) / 1024)
                    handshakes.append(handshake * 1000)
                def middle(values):
                    return sorted(values)[len(values) // 2]

                print(json.dumps({"entries": entries, "proxy": name,
                                  "start_cpu_s": round(middle(starts), 3),
                                  "memory_mib": round(middle(memories), 1),
                                  "handshake_cpu_ms": round(middle(handshakes), 3),
                                  "rounds": arguments.rounds, "load": os.getloadavg()[0]}),
                      flush=True)
        origin.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
