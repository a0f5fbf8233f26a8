#!/usr/bin/env python3
"""Measures certgate beside nginx and HAProxy doing the same job, in the same run.

All proxies run at the same time on one CPU, each with its own load, and what is compared is CPU per
operation within one round: that ratio is stable where absolute times are not. Medians and ranges
over the rounds are printed and stored as JSON; a plot goes to docs/.
"""

import argparse
import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import proxies

os.environ["PATH"] += ":/usr/sbin:/sbin"
PROXY_CPU, LOAD_CPU = 0, 1


class Bench:
    def __init__(self, build, rounds, seconds):
        self.load_program = str(pathlib.Path(build) / "tests/bench/certgate_load")
        self.certgate_program = str(pathlib.Path(build) / "certgate")
        self.rounds, self.seconds = rounds, seconds
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="certgate-bench-"))
        self.results = {}
        self.files = {}

    def certificates(self, key="ec", crl_entries=10):
        kind = (key, crl_entries)
        if kind not in self.files:
            self.files[kind] = proxies.Files(self.folder / f"{key}-{crl_entries}", key, crl_entries)
        return self.files[kind]

    def load(self, peer, files, arguments, identity="client"):
        command = ["taskset", "-c", str(LOAD_CPU), self.load_program, "--target",
                   f"127.0.0.1:{peer.port}"]
        if identity:
            command += ["--cert", str(getattr(files, identity)),
                        "--key", str(getattr(files, identity + "_key"))]
        return subprocess.Popen(command + [str(a) for a in arguments], stdout=subprocess.PIPE,
                                stdin=subprocess.PIPE, text=True)

    def check(self, peer, files, client_auth):
        """Each proxy answers right before it is measured."""
        wanted = [("client", 200)]
        if client_auth:
            wanted += [(None, 403), ("revoked", 403)]
        for identity, status in wanted:
            run = self.load(peer, files, ["--operations", 2, "--mode", "handshake", "--path", "/1k",
                                          "--expect", status], identity)
            out, _ = run.communicate(timeout=60)
            if run.returncode != 0:
                raise SystemExit(f"{peer.name} does not answer {status} to {identity}: {out}")

    def scenario(self, name, arguments, *, job=None, key="ec", crl_entries=10, identity="client",
                 peers=("nginx", "haproxy", "certgate"), warm_up=True):
        job = dict(job or {})
        files = self.certificates(key, crl_entries)
        origin = proxies.OriginServer(tempfile.mkdtemp(dir=self.folder), LOAD_CPU)
        running = []
        try:
            described = proxies.Job(pathlib.Path(tempfile.mkdtemp(dir=self.folder)), origin.port, **job)
            for peer in peers:
                running.append(self.start(peer, described, files))
            for peer in running:
                self.check(peer, files, described.client_auth)
            if warm_up:
                self.round(running, files, arguments, identity, 0.5)
            rounds = []
            for _ in range(self.rounds):
                rounds.append(self.round(running, files, arguments, identity, self.seconds))
            self.report(name, [p for p in peers], rounds)
        finally:
            for peer in running:
                peer.stop()
            origin.stop()

    def start(self, peer, job, files):
        if peer == "nginx":
            return proxies.Nginx(job, files, PROXY_CPU)
        if peer == "nginx-cache":
            started = proxies.Nginx(job, files, PROXY_CPU, sessions="cache")
            started.name = peer
            return started
        if peer == "haproxy":
            return proxies.Haproxy(job, files, PROXY_CPU)
        if peer.startswith("certgate:"):
            # certgate doing less, to be compared with itself.
            what = peer.split(":")[1]
            less = proxies.Job(job.folder, job.origin_port, access_log=job.access_log,
                               rules=1, client_auth=job.client_auth)
            started = proxies.Certgate(self.certgate_program, less,
                                       self.certificates("ec", 10) if what == "small-crl" else files,
                                       PROXY_CPU)
            started.name = peer
            return started
        return proxies.Certgate(self.certgate_program, job, files, PROXY_CPU)

    def round(self, running, files, arguments, identity, seconds):
        before = {peer.name: peer.cpu_seconds() for peer in running}
        runs = [self.load(peer, files, [*arguments, "--seconds", seconds], identity)
                for peer in running]
        outcomes = {}
        for peer, run in zip(running, runs):
            out, _ = run.communicate(timeout=seconds * 20 + 60)
            outcome = json.loads(out)
            if outcome["failed"] or outcome["wrong_status"]:
                print(f"  {peer.name}: {out.strip()}", file=sys.stderr)
            outcome["cpu_us"] = ((peer.cpu_seconds() - before[peer.name]) * 1e6 /
                                 max(1, outcome["done"]))
            outcomes[peer.name] = outcome
        return outcomes

    def report(self, name, peers, rounds):
        row = {"cpu_us": {}, "ratio": {}, "per_second": {}, "latency_us": {}, "rounds": len(rounds)}
        for peer in peers:
            row["cpu_us"][peer] = spread([r[peer]["cpu_us"] for r in rounds])
            row["per_second"][peer] = spread([r[peer]["per_second"] for r in rounds])
            row["latency_us"][peer] = {p: statistics.median(r[peer]["latency_us"][p] for r in rounds)
                                       for p in ("p50", "p99", "p999")}
            if peer != "certgate":
                row["ratio"][peer] = spread([r["certgate"]["cpu_us"] / r[peer]["cpu_us"] for r in rounds])
        self.results[name] = row
        ratios = "  ".join(f"{peer} {text(row['ratio'][peer])}" for peer in peers if peer != "certgate")
        print(f"{name:42} {row['cpu_us']['certgate']['median']:9.1f} us   vs {ratios}", flush=True)

    def idle_memory(self, name, connections, identity, peers=("nginx", "haproxy", "certgate"), key="ec"):
        files = self.certificates(key)
        origin = proxies.OriginServer(tempfile.mkdtemp(dir=self.folder), LOAD_CPU)
        row = {"kib_per_connection": {}, "base_kib": {}, "connections": connections}
        try:
            for peer_name in peers:
                job = proxies.Job(pathlib.Path(tempfile.mkdtemp(dir=self.folder)), origin.port)
                if identity is None:
                    job.client_auth = False
                peer = self.start(peer_name, job, files)
                try:
                    self.check(peer, files, job.client_auth)
                    base = peer.memory_kib()
                    run = self.load(peer, files, ["--mode", "idle", "--connections", connections,
                                                  "--path", "/1k"], identity)
                    opened = json.loads(run.stdout.readline())
                    if opened["failed"]:
                        print(f"  {peer_name}: {opened}", file=sys.stderr)
                    time.sleep(1.5)
                    row["kib_per_connection"][peer_name] = (peer.memory_kib() - base) / connections
                    row["base_kib"][peer_name] = base
                    run.communicate(timeout=120)
                finally:
                    peer.stop()
        finally:
            origin.stop()
        self.results[name] = row
        print(f"{name:42} " + "  ".join(f"{k} {v:.1f} KiB" for k, v in row["kib_per_connection"].items()),
              flush=True)

    def reload_under_load(self, name):
        """certgate alone: a reload every half second, and nothing may fail."""
        files = self.certificates()
        origin = proxies.OriginServer(tempfile.mkdtemp(dir=self.folder), LOAD_CPU)
        job = proxies.Job(pathlib.Path(tempfile.mkdtemp(dir=self.folder)), origin.port)
        peer = self.start("certgate", job, files)
        try:
            seconds = max(5, self.seconds)
            run = self.load(peer, files, ["--connections", 64, "--path", "/1k", "--seconds", seconds])
            reloads = 0
            while run.poll() is None:
                peer.reload()
                reloads += 1
                time.sleep(0.5)
            outcome = json.loads(run.stdout.read())
        finally:
            peer.stop()
            origin.stop()
        outcome["reloads"] = reloads
        self.results[name] = outcome
        print(f"{name:42} {outcome['done']} requests, {outcome['failed']} lost in {reloads} reloads", flush=True)


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def text(values):
    return f"{values['median']:.2f} [{values['min']:.2f}-{values['max']:.2f}]"


def versions():
    def first(command):
        try:
            done = subprocess.run(command, capture_output=True, text=True)
            return (done.stdout + done.stderr).splitlines()[0]
        except (OSError, IndexError):
            return "?"

    return {"nginx": first(["nginx", "-v"]), "haproxy": first(["haproxy", "-v"]),
            "openssl": first(["openssl", "version"]), "kernel": platform.release(),
            "cpus": os.cpu_count()}


def plot(results, path):
    """A bar per scenario and peer: certgate's CPU as a share of the peer's."""
    rows = [(name, peer, row["ratio"][peer]) for name, row in results.items()
            for peer in row.get("ratio", {}) if not peer.startswith("certgate:")]
    height = 26 * len(rows) + 60
    scale, left = 360, 380
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + scale * 2 + 40}" height="{height}" '
           f'font-family="sans-serif" font-size="13">',
           f'<text x="10" y="20" font-size="15">certgate: CPU per operation, as a share of the peer\'s '
           f'(less is better; line at 1.0)</text>']
    for i, (name, peer, ratio) in enumerate(rows):
        y = 40 + 26 * i
        svg.append(f'<text x="10" y="{y + 14}">{name} / {peer}</text>')
        svg.append(f'<rect x="{left}" y="{y}" width="{ratio["median"] * scale:.1f}" height="18" '
                   f'fill="{"#3a7d44" if ratio["median"] < 1 else "#b23a48"}"/>')
        svg.append(f'<line x1="{left + ratio["min"] * scale:.1f}" x2="{left + ratio["max"] * scale:.1f}" '
                   f'y1="{y + 9}" y2="{y + 9}" stroke="black"/>')
        svg.append(f'<text x="{left + ratio["max"] * scale + 6:.1f}" y="{y + 14}">{ratio["median"]:.2f}</text>')
    svg.append(f'<line x1="{left + scale}" x2="{left + scale}" y1="34" y2="{height - 10}" stroke="#888" '
               f'stroke-dasharray="4"/></svg>')
    path.write_text("\n".join(svg) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/bench")
    parser.add_argument("--quick", action="store_true", help="under five minutes: fewer rounds, no large scenarios")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--only", help="scenarios whose name contains this")
    parser.add_argument("--out", default="build/bench-results")
    parser.add_argument("--plot", help="also write the plot there (docs/performance.svg)")
    options = parser.parse_args()
    # 10,000 idle connections need as many descriptors in every program.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    bench = Bench(options.build, options.rounds or (3 if options.quick else 7),
                  options.seconds or (1.0 if options.quick else 3.0))
    keep_alive = ["--connections", 64]
    three = ("nginx", "haproxy", "certgate")
    scenarios = [
        ("keep-alive, 64 connections, 1 KiB", lambda n: bench.scenario(n, [*keep_alive, "--path", "/1k"])),
        ("keep-alive, 1 connection, 1 KiB", lambda n: bench.scenario(n, ["--connections", 1, "--path", "/1k"])),
        ("keep-alive with JSON access log", lambda n: bench.scenario(
            n, [*keep_alive, "--path", "/1k"], job={"access_log": True})),
        ("16 KiB responses", lambda n: bench.scenario(n, [*keep_alive, "--path", "/16k"])),
        ("1 MiB responses", lambda n: bench.scenario(n, ["--connections", 8, "--path", "/1m"])),
        ("10 MiB uploads", lambda n: bench.scenario(
            n, ["--connections", 4, "--path", "/upload", "--method", "POST", "--body", 10 << 20])),
        ("full handshake, EC chain", lambda n: bench.scenario(
            n, ["--connections", 8, "--mode", "handshake", "--path", "/1k"],
            peers=("nginx", "nginx-cache", "haproxy", "certgate"))),
        ("full handshake, RSA chain", lambda n: bench.scenario(
            n, ["--connections", 8, "--mode", "handshake", "--path", "/1k"], key="rsa")),
        ("full handshake, no client certificate", lambda n: bench.scenario(
            n, ["--connections", 8, "--mode", "handshake", "--path", "/1k"],
            job={"client_auth": False}, identity=None)),
        ("resumed handshake", lambda n: bench.scenario(
            n, ["--connections", 8, "--mode", "resume", "--path", "/1k"],
            peers=("nginx", "nginx-cache", "haproxy", "certgate"))),
        ("10,000 rules", lambda n: bench.scenario(
            n, [*keep_alive, "--path", "/1k"], job={"rules": 10_000},
            peers=("nginx", "haproxy", "certgate:one-rule", "certgate"))),
        ("fixed rate 2,000/s, latency", lambda n: bench.scenario(
            n, ["--connections", 64, "--rate", 2000, "--path", "/1k"])),
        ("idle memory, 2,000 connections", lambda n: bench.idle_memory(n, 2_000, "client")),
        ("idle memory, 2,000, no certificate", lambda n: bench.idle_memory(n, 2_000, None)),
        ("reload under load", lambda n: bench.reload_under_load(n)),
    ]
    large = [
        ("CRL of 10,000, full handshake", lambda n: bench.scenario(
            n, ["--connections", 8, "--mode", "handshake", "--path", "/1k"], crl_entries=10_000,
            peers=("nginx", "haproxy", "certgate:small-crl", "certgate"))),
        ("idle memory, 10,000 connections", lambda n: bench.idle_memory(n, 10_000, "client")),
        ("idle memory, 10,000, no certificate", lambda n: bench.idle_memory(n, 10_000, None)),
    ]
    for name, run in scenarios + ([] if options.quick else large):
        if options.only and options.only not in name:
            continue
        run(name)
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    stored = {"versions": versions(), "rounds": bench.rounds, "seconds": bench.seconds,
              "load_average": os.getloadavg(), "results": bench.results}
    (out / "compare.json").write_text(json.dumps(stored, indent=1) + "\n")
    print(f"stored in {out / 'compare.json'}")
    if options.plot:
        plot(bench.results, pathlib.Path(options.plot))


if __name__ == "__main__":
    main()
