#!/usr/bin/env python3
"""What large CRLs cost: start, memory and handshakes, beside nginx and HAProxy with the same file.

For each size one list with that many random serials of 16 bytes is given to each proxy, alone on
one CPU. "start" is the CPU time until it accepts, above that with a list of ten entries; memory the
proportional set size after the first handshakes, likewise; a handshake the proxy's CPU time for a
full handshake with client certificate and one request.

  tests/bench/revocation.py --binary build/release/certgate --tools build/bench/tests/bench
"""

import argparse
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import certificates  # noqa: E402
import peers  # noqa: E402


def visit(peer, arguments, files, count):
    done = json.loads(subprocess.run(
        [os.path.join(arguments.tools, "certgate_load"), "--target", f"127.0.0.1:{peer.port}",
         "--mode", "handshake", "--operations", str(count), "--cert", files.client, "--key",
         files.client_key, "--path", "/1k"], stdout=subprocess.PIPE, check=True).stdout)
    assert done["failed"] == done["wrong_status"] == 0, (peer.name, done)


def measure(make, arguments, files, entries, handshakes):
    peer = make(entries)
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
    cpus = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        @functools.cache
        def files_of(entries):
            return certificates.Files(pathlib.Path(folder) / str(entries), crl_entries=entries)

        origin = peers.OriginServer(folder, cpus[0])
        binary = os.path.abspath(arguments.binary)

        def job(entries):
            return peers.Job(origin.port, files_of(entries))

        makers = {
            "certgate": lambda entries: peers.Certgate(folder, binary, job(entries), cpus[-1]),
            "nginx": lambda entries: peers.Nginx(folder, job(entries), cpus[-1]),
            "haproxy": lambda entries: peers.Haproxy(folder, job(entries), cpus[-1])}
        for entries in arguments.entries:
            for name, make in makers.items():
                if name != "certgate" and not shutil.which(name, path="/usr/sbin:/usr/bin"):
                    continue
                rows = []
                for _ in range(arguments.rounds):
                    small = measure(make, arguments, files_of(10), 10, 3)
                    count = 200 if name == "certgate" or entries < 100_000 else 20
                    large = measure(make, arguments, files_of(entries), entries, count)
                    rows.append((large[0] - small[0], (large[1] - small[1]) / 1024, large[2] * 1000))
                start, memory, handshake = (sorted(column)[len(rows) // 2] for column in zip(*rows))
                print(json.dumps({"entries": entries, "proxy": name, "start_cpu_s": round(start, 3),
                                  "memory_mib": round(memory, 1),
                                  "handshake_cpu_ms": round(handshake, 3), "rounds": len(rows),
                                  "load": os.getloadavg()[0]}), flush=True)
        origin.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
