"""Runs one scenario after another and keeps what came of each as a row of plain values.

CPU is read between two marks: after every connection is open and warm, and when the last answer has
come, before any connection closes. Rows end up in the JSON file as they are; report.py reads them.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import certificates
import peers

PROXY_CPU, LOAD_CPU = 0, 1


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def text(values, digits=2):
    return f"{values['median']:.{digits}f} [{values['min']:.{digits}f}-{values['max']:.{digits}f}]"


class Load:
    """One load generator: warm when constructed, runs once for every go()."""

    def __init__(self, program, peer, files, arguments, identity="client", cpu=LOAD_CPU):
        command = ["taskset", "-c", str(cpu), program, "--target", f"127.0.0.1:{peer.port}", "--marks"]
        if identity:
            command += ["--cert", str(getattr(files, identity)),
                        "--key", str(getattr(files, identity + "_key"))]
        self.peer = peer
        self.process = subprocess.Popen(command + [str(a) for a in arguments], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def wait_until_warm(self):
        opened = self.heard()
        if opened["failed"]:
            raise SystemExit(f"{self.peer.name}: {opened['failed']} connections could not be warmed: "
                             f"{opened['error']}")

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def heard(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the load generator for {self.peer.name} ended: {self.process.wait()}")
        return json.loads(line)

    def end(self):
        self.process.stdin.close()
        self.process.wait(60)


class OtherWork:
    """How much of the machine somebody else used meanwhile: whether a row can be trusted."""

    def __init__(self, own):
        self.own = own
        self.began = (self.busy_seconds(), self.own_seconds(), time.monotonic())

    @staticmethod
    def busy_seconds():
        ticks = [int(n) for n in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
        idle = ticks[3] + ticks[4]
        return (sum(ticks[:8]) - idle) / os.sysconf("SC_CLK_TCK")

    def own_seconds(self):
        return sum(peers.scheduled_seconds(pid) for pid in self.own)

    def share(self):
        busy, own, began = self.began
        elapsed = (time.monotonic() - began) * os.cpu_count()
        return max(0.0, (self.busy_seconds() - busy - (self.own_seconds() - own)) / elapsed)


class Rounds:
    def __init__(self, build, rounds, seconds):
        self.load_program = str(pathlib.Path(build).resolve() / "tests/bench/certgate_load")
        self.certgate_program = str(pathlib.Path(build).resolve() / "certgate")
        self.rounds, self.seconds = rounds, seconds
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="certgate-bench-"))
        self.files = {}
        self.host_certificates = None

    def clean_up(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def certificates(self, key="ec", crl_entries=10):
        kind = (key, crl_entries)
        if kind not in self.files:
            self.files[kind] = certificates.Files(self.folder / f"{key}-{crl_entries}", key, crl_entries)
        return self.files[kind]

    def hosts(self, count):
        if self.host_certificates is None:
            self.host_certificates = certificates.host_certificates(self.folder / "hosts", count)
        return self.host_certificates

    def start(self, name, job):
        known = {"nginx": peers.Nginx, "nginx-cache": peers.CachingNginx, "haproxy": peers.Haproxy,
                 "caddy": peers.Caddy}
        if name in known:
            return known[name](self.folder, job, PROXY_CPU)
        # certgate doing less, to be compared with itself.
        less = {"certgate": {}, "certgate-one-rule": {"rules": 1},
                "certgate-no-log": {"access_log": False},
                "certgate-small-crl": {"files": self.certificates()}}[name]
        job = dataclasses.replace(job, **less)
        return peers.Certgate(self.folder, self.certgate_program, job, PROXY_CPU, name)

    @contextlib.contextmanager
    def running(self, names, job_settings, key="ec", crl_entries=10):
        """An origin and the proxies before it, each of which has shown that it answers right."""
        files = self.certificates(key, crl_entries)
        origin = peers.OriginServer(self.folder, LOAD_CPU)
        started = []
        try:
            job = peers.Job(origin.port, files, **job_settings)
            for name in names:
                peer = self.start(name, job)
                started.append(peer)
                # The certificates with which it was started: "certgate-small-crl" has others.
                peer.files = self.certificates() if name == "certgate-small-crl" else files
                self.check(peer, job)
            yield started, origin
        finally:
            for peer in started:
                peer.stop()
            origin.stop()

    def check(self, peer, job):
        wanted = peer.answers if job.client_auth else ((None, 200),)
        for identity, status in wanted:
            command = [self.load_program, "--target", f"127.0.0.1:{peer.port}", "--operations", "2",
                       "--mode", "handshake", "--path", "/1k", "--expect", str(status)]
            if identity:
                command += ["--cert", str(getattr(peer.files, identity)),
                            "--key", str(getattr(peer.files, identity + "_key"))]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            if done.returncode != 0:
                raise SystemExit(f"{peer.name} does not answer {status} to {identity}: {done.stdout}")

    # --- CPU per operation: all at the same time -----------------------------------------------------

    def cpu(self, arguments, *, names, job=None, key="ec", crl_entries=10, identity="client",
            warm_up=3, starts=1):
        """`starts`: so often everything is started anew, for what differs between processes of one
        program. Each has its rounds."""
        rounds, shares = [], []
        for _ in range(starts):
            with self.running(names, job or {}, key, crl_entries) as (running, origin):
                loads = [Load(self.load_program, peer, peer.files,
                              [*arguments, "--warm-up", warm_up, "--seconds", self.seconds], identity)
                         for peer in running]
                for load in loads:
                    load.wait_until_warm()
                others = OtherWork([origin.process.pid, *origin.pids(),
                                    *(load.process.pid for load in loads),
                                    *(pid for peer in running for pid in peer.pids())])
                rounds += [self.cpu_round(loads) for _ in range(self.rounds)]
                shares.append(others.share())
                for load in loads:
                    load.end()
        share = max(shares)
        row = {"kind": "cpu", "rounds": len(rounds), "other_work": share, "cpu_us": {}, "ratio": {},
               "per_second": {}}
        for name in names:
            row["cpu_us"][name] = spread([r[name]["cpu_us"] for r in rounds])
            row["per_second"][name] = spread([r[name]["per_second"] for r in rounds])
            if name != "certgate":
                row["ratio"][name] = spread([r["certgate"]["cpu_us"] / r[name]["cpu_us"] for r in rounds])
        said = "  ".join(f"{name} {text(ratio)}" for name, ratio in row["ratio"].items())
        return row, f"{row['cpu_us']['certgate']['median']:9.1f} us   ratio to {said}"

    @staticmethod
    def cpu_round(loads):
        before = [load.peer.cpu_seconds() for load in loads]
        for load in loads:
            load.go()
        outcomes = {}
        for load, at_start in zip(loads, before):
            outcome = load.heard()
            spent = load.peer.cpu_seconds() - at_start
            if outcome["failed"] or outcome["wrong_status"]:
                print(f"  {load.peer.name}: {outcome}", file=sys.stderr)
            outcome["cpu_us"] = spent * 1e6 / max(1, outcome["done"])
            outcomes[load.peer.name] = outcome
        return outcomes

    # --- Latency: one after another, so that none waits for the others ----------------------------------

    def latency(self, rate, connections, *, names):
        with self.running(names, {}) as (running, _):
            loads = [Load(self.load_program, peer, peer.files,
                          ["--connections", connections, "--rate", rate, "--path", "/1k",
                           "--warm-up", 3, "--seconds", self.seconds]) for peer in running]
            for load in loads:
                load.wait_until_warm()
            rounds = [{load.peer.name: self.cpu_round([load])[load.peer.name] for load in loads}
                      for _ in range(self.rounds)]
            for load in loads:
                load.end()
        row = {"kind": "latency", "rate": rate, "rounds": len(rounds), "latency_us": {}, "cpu_us": {}}
        for name in names:
            row["latency_us"][name] = {p: spread([r[name]["latency_us"][p] for r in rounds])
                                       for p in ("p50", "p99", "p999")}
            row["cpu_us"][name] = spread([r[name]["cpu_us"] for r in rounds])
        return row, "  ".join(f"{name} p50 {values['p50']['median']:.0f} p99 {values['p99']['median']:.0f} us"
                              for name, values in row["latency_us"].items())

    # --- Established clients while others reconnect ---------------------------------------------------

    def storm(self, clients, rate, *, names, times):
        """Latency of 64 established connections, alone and while many clients connect at once."""
        row = {"kind": "storm", "clients": clients, "rate": rate, "rounds": times, "peers": {}}
        for name in names:
            with self.running([name], {}) as ((peer,), _):
                kept = Load(self.load_program, peer, peer.files,
                            ["--connections", 64, "--rate", rate, "--path", "/1k", "--warm-up", 3,
                             "--seconds", self.seconds])
                storm = Load(self.load_program, peer, peer.files,
                             ["--connections", clients, "--mode", "handshake", "--path", "/1k",
                              "--warm-up", 0, "--operations", clients, "--seconds", 60])
                for load in (kept, storm):
                    load.wait_until_warm()
                calm, during, back, failed = [], [], [], 0
                for _ in range(times):
                    kept.go()
                    calm.append(kept.heard()["latency_us"])
                    for load in (storm, kept):
                        load.go()
                    during.append(kept.heard()["latency_us"])
                    outcome = storm.heard()
                    back.append(outcome["seconds"])
                    failed += outcome["failed"] + outcome["wrong_status"]
                for load in (kept, storm):
                    load.end()
            row["peers"][name] = {
                **{f"{when}_{p}": spread([one[p] for one in values]) for p in ("p50", "p99")
                   for when, values in (("calm", calm), ("during", during))},
                "seconds": spread(back), "failed": failed}
        return row, "  ".join(
            f"{name} p99 {one['calm_p99']['median']:.0f}, then {one['during_p99']['median']:.0f} us "
            f"({one['seconds']['median']:.1f} s, {one['failed']} failed)" for name, one in row["peers"].items())

    # --- Memory of open connections ------------------------------------------------------------------

    def idle_memory(self, connections, identity, *, names):
        row = {"kind": "memory", "connections": connections, "kib_per_connection": {}, "base_kib": {}}
        for name in names:
            with self.running([name], {"client_auth": identity is not None}) as ((peer,), _):
                base = peer.memory_kib()
                load = Load(self.load_program, peer, peer.files,
                            ["--mode", "idle", "--connections", connections, "--path", "/1k"], identity)
                load.wait_until_warm()
                time.sleep(1.5)  # the last sessions' tickets are sent, buffers given back
                row["kib_per_connection"][name] = (peer.memory_kib() - base) / connections
                row["base_kib"][name] = base
                load.end()
        return row, "  ".join(f"{name} {kib:.1f} KiB" for name, kib in row["kib_per_connection"].items())

    # --- What starting costs -------------------------------------------------------------------------

    def start_cost(self, *, names, times, crl_entries=10, hosts=0):
        row = {"kind": "start", "times": times, "cpu_seconds": {}, "mib": {}}
        files = self.certificates("ec", crl_entries)
        job = peers.Job(1, files, hosts=self.hosts(hosts) if hosts else [])
        measured = {name: [] for name in names}
        for _ in range(times):
            for name in names:
                peer = self.start(name, job)
                measured[name].append((peer.cpu_seconds(), peer.memory_kib() / 1024))
                peer.stop()
        for name, values in measured.items():
            row["cpu_seconds"][name] = spread([cpu for cpu, _ in values])
            row["mib"][name] = spread([mib for _, mib in values])
        return row, "  ".join(f"{name} {row['cpu_seconds'][name]['median']:.2f} s, "
                              f"{row['mib'][name]['median']:.0f} MiB" for name in names)

    # --- Reloads under load --------------------------------------------------------------------------

    def reloads(self, *, names, seconds):
        """A reload every half second: kept-alive requests that get lost, new connections refused."""
        row = {"kind": "reload", "seconds": seconds, "peers": {}}
        for name in names:
            with self.running([name], {}) as ((peer,), _):
                kept = Load(self.load_program, peer, peer.files,
                            ["--connections", 64, "--path", "/1k", "--warm-up", 3, "--seconds", seconds])
                fresh = Load(self.load_program, peer, peer.files,
                             ["--connections", 2, "--rate", 100, "--mode", "handshake", "--path", "/1k",
                              "--warm-up", 2, "--seconds", seconds])
                for load in (kept, fresh):
                    load.wait_until_warm()
                for load in (kept, fresh):
                    load.go()
                reloads = 0
                end = time.monotonic() + seconds - 0.5
                while time.monotonic() < end:
                    peer.reload()
                    reloads += 1
                    time.sleep(0.5)
                requests, handshakes = kept.heard(), fresh.heard()
                for load in (kept, fresh):
                    load.end()
            row["peers"][name] = {
                "reloads": reloads, "requests": requests["done"], "handshakes": handshakes["done"],
                "lost": requests["failed"] - requests["refused"] + requests["wrong_status"],
                "refused": requests["refused"] + handshakes["failed"] + handshakes["wrong_status"]}
        return row, "  ".join(f"{name} {one['lost']} lost, {one['refused']} refused in {one['reloads']}"
                              for name, one in row["peers"].items())
