#!/usr/bin/env python3
"""Makes docs/performance.md's tables and the plot of what compare.py stored, one platform or several.

    tests/bench/report.py docs/performance/debian-12.json docs/performance/debian-13.json

Writes between the markers of docs/performance.md and docs/performance.svg; every figure there comes
from the files named, so that nobody copies one by hand.
"""

import argparse
import html
import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- figures: begin (tests/bench/report.py) -->", "<!-- figures: end -->"
PEER_NAMES = {"nginx": "nginx", "nginx-cache": "nginx, sessions cached", "haproxy": "HAProxy",
              "caddy": "Caddy", "certgate-no-log": "its own without a log",
              "certgate-one-rule": "its own with one rule", "certgate-small-crl": "its own, CRL of 10"}


def spread(values, digits=2):
    if values["min"] == values["max"]:
        return f"{values['median']:.{digits}f}"
    return f"{values['median']:.{digits}f} [{values['min']:.{digits}f}–{values['max']:.{digits}f}]"


def rows_of_kind(stored, kind):
    return {name: row for name, row in stored["rows"].items() if row["kind"] == kind}


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def platforms_table(platforms):
    wanted = [("system", "system"), ("kernel", "kernel"), ("cpu", "CPU"), ("cpus", "CPUs"), ("openssl", "OpenSSL"),
              ("nginx", "nginx"), ("haproxy", "HAProxy"), ("caddy", "Caddy"), ("compiler", "compiler"),
              ("commit", "commit"), ("when", "measured on")]
    rows = [[label, *(str(stored["environment"].get(key, "?")) for stored in platforms)]
            for key, label in wanted]
    rows.append(["rounds, seconds each", *(f"{s['rounds']}, {s['seconds']:g}" for s in platforms)])
    rows.append(["autogrouping while measuring",
                 *("on" if s["environment"].get("autogroup") else "off" for s in platforms)])
    rows.append(["most other work on the machine, share of its CPUs",
                 *(f"{100 * most_other_work(s):.0f} %" for s in platforms)])
    return table(["", *(f"run {i + 1}" for i in range(len(platforms)))] if len(platforms) > 1 else ["", "run"],
                 rows)


QUIET = 0.10


def most_other_work(stored):
    return max((row["other_work"] for row in rows_of_kind(stored, "cpu").values()), default=0)


def warning(stored):
    """What a reader has to know of a run on a busy machine; nothing for a quiet one."""
    if most_other_work(stored) <= QUIET:
        return []
    return [f"**Other work took up to {100 * most_other_work(stored):.0f} % of the machine during this run.** "
            "Its ratios are a first look; absolute times and latencies say nothing."]


def ratio_cell(row, peer):
    ratio = row["ratio"][peer]
    bar = row["bars"].get(peer)
    if bar is None:
        return spread(ratio)
    verdict = "met" if ratio["median"] <= bar else "**missed**"
    return f"{spread(ratio)}, bar {bar:.2f}: {verdict}"


def cpu_table(stored):
    rows = []
    for name, row in rows_of_kind(stored, "cpu").items():
        for i, peer in enumerate(row["ratio"]):
            rows.append([name if i == 0 else "", PEER_NAMES[peer], ratio_cell(row, peer),
                         f"{row['cpu_us']['certgate']['median']:.1f} / {row['cpu_us'][peer]['median']:.1f}"])
    return table(["scenario", "compared with", "certgate's CPU per operation as a share",
                  "µs, certgate / the other"], rows)


def latency_table(stored):
    rows = []
    for name, row in rows_of_kind(stored, "latency").items():
        for peer, values in row["latency_us"].items():
            rows.append([name, PEER_NAMES.get(peer, peer), *(spread(values[p], 0) for p in ("p50", "p99", "p999"))])
    return table(["", "proxy", "p50, µs", "p99, µs", "p99.9, µs"], rows)


def storm_table(stored):
    rows = []
    for name, row in rows_of_kind(stored, "storm").items():
        for peer, one in row["peers"].items():
            rows.append([name, PEER_NAMES.get(peer, peer), spread(one["calm_p99"], 0),
                         spread(one["during_p50"], 0), spread(one["during_p99"], 0),
                         spread(one["seconds"], 1), str(one["failed"])])
    return table(["established connections, µs", "proxy", "p99 before", "p50 meanwhile", "p99 meanwhile",
                  "seconds until all had their answer", "of them failed"], rows)


def memory_table(stored):
    rows = []
    for name, row in rows_of_kind(stored, "memory").items():
        kib = row["kib_per_connection"]
        best = min(kib["nginx"], kib["haproxy"])
        bar = row["bars"]["nginx"]
        share = kib["certgate"] / best
        rows.append([name, *(f"{kib[peer]:.1f}" for peer in ("certgate", "nginx", "haproxy")),
                     f"{share:.2f}, bar {bar:.2f}: {'met' if share <= bar else '**missed**'}"])
    return table(["KiB per idle connection (proportional set size)", "certgate", "nginx", "HAProxy",
                  "certgate to the better one"], rows)


def start_table(stored):
    rows = []
    for name, row in rows_of_kind(stored, "start").items():
        rows.append([name, *(f"{row['cpu_seconds'][peer]['median']:.2f} s, {row['mib'][peer]['median']:.0f} MiB"
                             for peer in ("certgate", "nginx", "haproxy"))])
    return table(["CPU until it listens, memory then", "certgate", "nginx", "HAProxy"], rows)


def reload_table(stored):
    rows = []
    for row in rows_of_kind(stored, "reload").values():
        for peer, one in row["peers"].items():
            rows.append([PEER_NAMES.get(peer, peer), str(one["reloads"]), str(one["requests"]), str(one["lost"]),
                         str(one["handshakes"]), str(one["refused"])])
    return table(["a reload every 0.5 s", "reloads", "kept-alive requests", "of them lost", "new connections",
                  "of them refused"], rows)


SECTIONS = [("cpu", "CPU per operation", cpu_table), ("latency", "Latency", latency_table),
            ("storm", "A storm of new connections", storm_table),
            ("memory", "Memory", memory_table), ("start", "Start", start_table),
            ("reload", "Reloads", reload_table)]


def figures(platforms):
    parts = [platforms_table(platforms)]
    for stored in platforms:
        parts += [f"## {stored['environment']['system']}", *warning(stored)]
        for kind, title, make in SECTIONS:
            if rows_of_kind(stored, kind):
                parts.append(f"### {title}\n\n{make(stored)}")
    return "\n\n".join(parts)


COLOURS = ("#2f6f4f", "#6aa786")


def plot(platforms):
    """A bar per scenario, peer and platform: certgate's CPU as a share of the peer's."""
    bars = []  # (label, [ratio or None per platform])
    for name in platforms[0]["rows"]:
        for peer in ("nginx", "haproxy"):
            ratios = [stored["rows"].get(name, {}).get("ratio", {}).get(peer) for stored in platforms]
            if any(ratios):
                bars.append((f"{name} / {PEER_NAMES[peer]}", ratios))
    scale, left, step = 340, 470, 14 * len(platforms) + 10
    height = 70 + step * len(bars)
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + int(scale * 1.35)}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>',
           '<text x="10" y="20" font-size="15">certgate\'s CPU per operation as a share of the other proxy\'s '
           '(less is better, dashed line: equal)</text>']
    for i, stored in enumerate(platforms):
        svg.append(f'<rect x="{10 + 160 * i}" y="30" width="12" height="12" fill="{COLOURS[i % 2]}"/>'
                   f'<text x="{28 + 160 * i}" y="41">{html.escape(stored["environment"]["system"])}</text>')
    for at, (label, ratios) in enumerate(bars):
        y = 56 + step * at
        svg.append(f'<text x="10" y="{y + 12}">{html.escape(label)}</text>')
        for i, ratio in enumerate(ratios):
            if ratio is None:
                continue
            top = y + 14 * i
            svg.append(f'<rect x="{left}" y="{top}" width="{ratio["median"] * scale:.1f}" height="12" '
                       f'fill="{COLOURS[i % 2]}"/>'
                       f'<line x1="{left + ratio["min"] * scale:.1f}" x2="{left + ratio["max"] * scale:.1f}" '
                       f'y1="{top + 6}" y2="{top + 6}" stroke="black"/>'
                       f'<text x="{left + ratio["max"] * scale + 6:.1f}" y="{top + 10}">{ratio["median"]:.2f}</text>')
    svg.append(f'<line x1="{left + scale}" x2="{left + scale}" y1="50" y2="{height - 10}" stroke="#888" '
               'stroke-dasharray="4"/></svg>')
    return "\n".join(svg) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", type=pathlib.Path, help="JSON files of compare.py")
    parser.add_argument("--docs", default=ROOT / "docs", type=pathlib.Path)
    options = parser.parse_args()
    platforms = [json.loads(path.read_text()) for path in options.results]
    page = options.docs / "performance.md"
    text = page.read_text()
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    page.write_text(f"{before}{BEGIN}\n\n{figures(platforms)}\n\n{END}{after}")
    (options.docs / "performance.svg").write_text(plot(platforms))


if __name__ == "__main__":
    main()
