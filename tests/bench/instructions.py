#!/usr/bin/env python3
"""Counts the instructions of one request (parse, decide, serialise, answer) and compares with the stored
count: the same binary and input give the same number on a loaded machine too.

Counts differ between compilers, so each compiler has its own in instructions.json. Not part of CI: a
change that costs instructions may be right, but it should be seen. `--store` writes the new count.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

STORED = pathlib.Path(__file__).with_name("instructions.json")
PARTS = ("parse", "decide", "serialise", "answer")
REQUESTS = 200
# Memory addresses decide how a few instructions of memcpy() and hashing go.
TOLERANCE = 0.01


def count(program):
    """Instructions of each part for one request, callees included, the first request left out."""
    def total(requests):
        with tempfile.NamedTemporaryFile(suffix=".callgrind") as out:
            subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}", program,
                            str(requests)], check=True, capture_output=True)
            text = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", out.name],
                                  check=True, capture_output=True, text=True).stdout
        sums = dict.fromkeys(PARTS, 0)
        for line in text.splitlines():
            # "24,311,402 (39.5%)  file.cpp:(anonymous namespace)::part_parse(...) [program]"
            found = re.match(r"\s*([\d,]+) .*::part_(\w+)\(", line)
            if found and found[2] in sums:
                sums[found[2]] = max(sums[found[2]], int(found[1].replace(",", "")))
        return sums

    first, all_of_them = total(1), total(1 + REQUESTS)
    return {part: round((all_of_them[part] - first[part]) / REQUESTS) for part in PARTS}


def compiler(build):
    """The major version: "GNU 12"."""
    found = {}
    for path in pathlib.Path(build).glob("CMakeFiles/*/CMakeCXXCompiler.cmake"):
        for name in ("ID", "VERSION"):
            found[name] = re.search(rf'set\(CMAKE_CXX_COMPILER_{name} "([^"]+)"\)', path.read_text())[1]
    return f"{found['ID']} {found['VERSION'].split('.')[0]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/bench")
    parser.add_argument("--store", action="store_true", help="write the count into instructions.json")
    options = parser.parse_args()
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    name = compiler(options.build)
    counted = count(str(pathlib.Path(options.build) / "tests/bench/certgate_request_instructions"))
    counted["sum"] = sum(counted.values())
    before = stored.get(name, {})
    worse = False
    print(f"{name:12} {'stored':>9} {'now':>9}")
    for part, now in counted.items():
        change = ""
        if part in before:
            change = f"{100 * (now / before[part] - 1):+6.1f} %"
            worse = worse or now > before[part] * (1 + TOLERANCE)
        print(f"{part:12} {before.get(part, '-'):>9} {now:>9} {change}")
    if options.store:
        stored[name] = counted
        STORED.write_text(json.dumps(stored, indent=1) + "\n")
    elif not before:
        print(f"no count is stored for {name}; --store writes this one")
    elif worse:
        sys.exit("more instructions than stored: say why in the commit and store the new count with --store")


if __name__ == "__main__":
    main()
