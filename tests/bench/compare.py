#!/usr/bin/env python3
"""Measures certgate beside nginx, HAProxy and Caddy doing the same job, in the same run.

All proxies run at the same time on one CPU, each with its own load, and what is compared is CPU per
operation within one round: that ratio is stable where absolute times are not. Medians and ranges over
the rounds are printed and stored as JSON, from which report.py makes docs/performance.md's tables.
"""

import argparse
import contextlib
import datetime
import fcntl
import json
import os
import pathlib
import platform
import re
import resource
import signal
import subprocess
import sys
import tempfile

import rounds

os.environ["PATH"] += ":/usr/sbin:/sbin"
AUTOGROUP = pathlib.Path("/proc/sys/kernel/sched_autogroup_enabled")

KEEP_ALIVE = ["--connections", 64]
HANDSHAKE = ["--connections", 8, "--mode", "handshake", "--path", "/1k"]
RESUME = ["--connections", 8, "--mode", "resume", "--path", "/1k"]
UPLOAD = ["--connections", 4, "--path", "/upload", "--method", "POST", "--body", 10 << 20]
PEERS = ("nginx", "haproxy", "certgate")


def scenarios(bench, quick):
    """(name, what to do, the most that certgate may cost as a share of each peer)."""
    def both(most):
        return {"nginx": most, "haproxy": most}

    debian_13 = host_system() == "Debian 13"
    times = 1 if quick else 3
    # One nginx needs half as much again as another for large bodies, for as long as it lives.
    starts = 2 if quick else 9
    listed = [
        ("keep-alive, 64 connections, 1 KiB", both(0.80),
         lambda: bench.cpu([*KEEP_ALIVE, "--path", "/1k"], names=PEERS, warm_up=20)),
        ("keep-alive, 1 connection, 1 KiB", {},
         lambda: bench.cpu(["--connections", 1, "--path", "/1k"], names=PEERS, warm_up=200)),
        ("keep-alive, 64 connections, JSON access log", {**both(0.85), "certgate-no-log": 1.05},
         lambda: bench.cpu([*KEEP_ALIVE, "--path", "/1k"], names=(*PEERS, "certgate-no-log"),
                           job={"access_log": True}, warm_up=20)),
        ("16 KiB responses", both(0.75),
         lambda: bench.cpu([*KEEP_ALIVE, "--path", "/16k"], names=PEERS, warm_up=20)),
        ("1 MiB responses", both(0.75),
         lambda: bench.cpu(["--connections", 8, "--path", "/1m"], names=PEERS, starts=starts)),
        ("10 MiB uploads", both(0.90),
         lambda: bench.cpu(UPLOAD, names=PEERS, warm_up=1, starts=starts)),
        ("full mTLS handshake and a request, EC chain",
         {"nginx": 0.68 if debian_13 else 0.55, "nginx-cache": 0.90, "caddy": 1.00},
         lambda: bench.cpu(HANDSHAKE, names=("nginx", "nginx-cache", "haproxy", "caddy", "certgate"))),
        ("full mTLS handshake and a request, RSA chain", {"nginx": 0.68 if debian_13 else 0.60},
         lambda: bench.cpu(HANDSHAKE, names=PEERS, key="rsa")),
        ("full handshake and a request, no client certificate", {},
         lambda: bench.cpu(HANDSHAKE, names=PEERS, job={"client_auth": False}, identity=None)),
        ("resumed handshake and a request", {"nginx": 0.70 if debian_13 else 0.45, "nginx-cache": 0.65},
         lambda: bench.cpu(RESUME, names=("nginx", "nginx-cache", "haproxy", "certgate"))),
        ("10,000 rules on distinct hosts, keep-alive", {"nginx": 0.85, "certgate-one-rule": 1.10},
         lambda: bench.cpu([*KEEP_ALIVE, "--path", "/1k"], names=(*PEERS, "certgate-one-rule"),
                           job={"rules": 10_000}, warm_up=20)),
        ("full mTLS handshake, CRL of 10,000", {"certgate-small-crl": 1.05},
         lambda: bench.cpu(HANDSHAKE, names=(*PEERS, "certgate-small-crl"), crl_entries=10_000)),
        ("latency at 2,000 requests a second", {},
         lambda: bench.latency(2_000, 64, names=PEERS)),
        ("500 requests a second while 2,000 clients connect", {},
         lambda: bench.storm(2_000, 500, names=PEERS, times=times)),
        ("idle memory, 2,000 connections, client certificates", both(0.90),
         lambda: bench.idle_memory(2_000, "client", names=PEERS)),
        ("idle memory, 2,000 connections, no client certificate", both(1.00),
         lambda: bench.idle_memory(2_000, None, names=PEERS)),
        ("start with a CRL of 10", {}, lambda: bench.start_cost(names=PEERS, times=times)),
        ("reload every 0.5 s under load", {},
         lambda: bench.reloads(names=PEERS, seconds=5 if quick else 10)),
    ]
    # From OpenSSL 3.5 on clients offer X25519MLKEM768, which costs every proxy the same on top.
    classic = [
        ("full mTLS handshake and a request, RSA chain, X25519", {"nginx": 0.68},
         lambda: bench.cpu([*HANDSHAKE, "--groups", "X25519"], names=PEERS, key="rsa")),
        ("resumed handshake and a request, X25519", {"nginx": 0.70, "nginx-cache": 0.65},
         lambda: bench.cpu([*RESUME, "--groups", "X25519"],
                           names=("nginx", "nginx-cache", "haproxy", "certgate"))),
    ]
    large = [
        ("full mTLS handshake, CRL of 1,000,000", {"certgate-small-crl": 1.05},
         lambda: bench.cpu(HANDSHAKE, names=(*PEERS, "certgate-small-crl"), crl_entries=1_000_000)),
        ("start with a CRL of 1,000,000", {},
         lambda: bench.start_cost(names=PEERS, times=times, crl_entries=1_000_000)),
        ("start with 10,000 hosts", {},
         lambda: bench.start_cost(names=PEERS, times=times, hosts=10_000)),
        ("idle memory, 10,000 connections, client certificates", both(0.90),
         lambda: bench.idle_memory(10_000, "client", names=PEERS)),
        ("idle memory, 10,000 connections, no client certificate", both(1.00),
         lambda: bench.idle_memory(10_000, None, names=PEERS)),
    ]
    return listed + (classic if debian_13 else []) + ([] if quick else large)


def host_system():
    release = dict(line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines()
                   if "=" in line)
    return f"{release['NAME'].strip(chr(34)).split()[0]} {release.get('VERSION_ID', '?').strip(chr(34))}"


def environment():
    def version(*command):
        """The last word of the first line that looks like a version."""
        try:
            done = subprocess.run(command, capture_output=True, text=True)
            return re.findall(r"\d+\.\d[\w.+~-]*", (done.stdout + done.stderr).splitlines()[0])[-1]
        except (OSError, IndexError):
            return "?"

    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout

    cpu = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), "?")
    return {"system": host_system(), "kernel": platform.release(), "cpu": cpu, "cpus": os.cpu_count(),
            "openssl": version("openssl", "version", "-v"), "nginx": version("nginx", "-v"),
            "haproxy": version("haproxy", "-v"), "caddy": version("caddy", "version"),
            "compiler": "g++ " + version("g++", "--version"), "commit": commit.strip() or "?",
            "when": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"), "load_before": os.getloadavg()}


@contextlib.contextmanager
def alone():
    """Two benches at once would measure each other."""
    with open(pathlib.Path(tempfile.gettempdir()) / "certgate-bench.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("another bench is running on this machine: wait for its end")
        yield


@contextlib.contextmanager
def one_scheduling_group():
    """Autogrouping shares a CPU between terminal sessions, not processes: other people's sessions
    would weigh as much as all the proxies together. Off while measuring, if this may be changed."""
    try:
        before = AUTOGROUP.read_text()
        AUTOGROUP.write_text("0")
    except OSError:
        yield AUTOGROUP.exists() and AUTOGROUP.read_text().strip() != "0"
        return
    try:
        yield False
    finally:
        AUTOGROUP.write_text(before)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/bench")
    parser.add_argument("--quick", action="store_true", help="under five minutes: fewer rounds, no large scenarios")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--only", action="append", help="scenarios whose name contains this; may be repeated")
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    parser.add_argument("--out", default="build/bench-results/compare.json")
    options = parser.parse_args()
    # Ended by a signal, too, it ends what it has started and puts autogrouping back.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    # 10,000 idle connections need as many descriptors in every program.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    bench = rounds.Rounds(options.build, options.rounds or (3 if options.quick else 7),
                          options.seconds or (1.0 if options.quick else 3.0))
    out = pathlib.Path(options.out)
    stored = {"environment": environment(), "rounds": bench.rounds, "seconds": bench.seconds, "rows": {}}
    try:
        with alone(), one_scheduling_group() as autogroup:
            stored["environment"]["autogroup"] = autogroup
            for name, bars, run in scenarios(bench, options.quick):
                if options.only and not any(wanted in name for wanted in options.only):
                    continue
                if options.list:
                    print(name)
                    continue
                row, said = run()
                row["bars"] = bars
                stored["rows"][name] = row
                print(f"{name:55} {said}", flush=True)
                # After each: a run that is broken off has not been in vain.
                stored["environment"]["load_after"] = os.getloadavg()
                out.parent.mkdir(parents=True, exist_ok=True)
                out.write_text(json.dumps(stored, indent=1) + "\n")
    finally:
        bench.clean_up()
    if stored["rows"]:
        print(f"stored in {out}; tests/bench/report.py makes tables and the plot of it")


if __name__ == "__main__":
    main()
