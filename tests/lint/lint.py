"""House rules as patterns over the sources: each finding is file:line: what, and why."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
MAX_LINES = 600
# Words that promise work instead of doing it.
PROMISES = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
VAGUE_NAMES = {"util", "utils", "common", "helper", "helpers", "manager", "impl", "misc"}
# A co_await is a whole statement, or the right side of one declaration or assignment.
GOOD_AWAIT = re.compile(
    r"^\s*(co_return\s+)?((auto|[\w:<>]+)[\w:<>&* ]*\s[\w.\->]+\s*=\s*|[\w.\->]+\s*=\s*)?co_await\s")
# g++ 12 destroys these twice: aggregates and capturing lambdas made within the expression.
BAD_ARGUMENT = re.compile(r"co_await\s*(\[|.*\(\s*\[|.*[\w>]\s*\{|.*\(\{)")
# Whose headers may be seen in public headers: the standard library's and ours.
THIRD_PARTY = re.compile(r'#include <(boost|spdlog|yaml|re2|openssl|CLI|nlohmann|sqlite3|nghttp2|systemd)')
PUBLIC_THIRD_PARTY = {}  # header: reason


def statement_at(lines, index):
    """The statement that line `index` is part of, on one line, without the `if (...)` before it."""
    begin = index
    while begin > 0 and not re.search(r"[;{}:]\s*(//.*)?$", lines[begin - 1]) and \
            not lines[begin - 1].lstrip().startswith(("//", "#")) and lines[begin - 1].strip():
        begin -= 1
    end = index
    while end + 1 < len(lines) and not re.search(r"[;{}]\s*(//.*)?$", lines[end]):
        end += 1
    statement = " ".join(line.strip() for line in lines[begin:end + 1])
    statement = re.sub(r"^[^(]*\([^()]*\) \{ (?=co_await)", "", statement)  # a body on one line
    return re.sub(r"^(else )?(if|while|for) \(.*?\) (?=co_await|[\w.]+ = co_await)", "", statement)


def is_in_condition(code):
    for keyword in re.finditer(r"\b(if|while|switch|for)\s*(?=\()", code):
        depth = 0
        for at in range(keyword.end(), len(code)):
            depth += {"(": 1, ")": -1}.get(code[at], 0)
            if depth == 0:
                break
        if re.search(r"\bco_await\b", code[keyword.end():at + 1]):
            return True
    return False


def without_comment(line):
    return re.sub(r"//.*$", "", line)


def findings(path, text):
    lines = text.split("\n")
    name = str(path)
    if len(lines) > MAX_LINES + 1 and not name.startswith("tests/"):
        yield len(lines), f"{len(lines)} lines; one idea fits into {MAX_LINES}"
    if path.stem in VAGUE_NAMES:
        yield 1, "a file is named for the type or the verb that it holds"
    if path.suffix == ".hpp":
        if not text.startswith("//"):
            yield 1, "a header begins with the sentence that says what it is for"
        if "#pragma once" not in text:
            yield 1, "no #pragma once"
    for number, line in enumerate(lines, 1):
        if PROMISES.search(line):
            yield number, "a promise; do it, or leave it out"
        if name.startswith("include/") and THIRD_PARTY.match(line) and name not in PUBLIC_THIRD_PARTY:
            yield number, "another library's header in a public header"
        if line != line.rstrip() or "\t" in line:
            yield number, "white space at the end, or a tab"
        code = without_comment(line)
        if re.search(r"(?<!operator )\bco_await\b", code):
            statement = statement_at([without_comment(each) for each in lines], number - 1)
            if is_in_condition(code):
                yield number, "co_await in a condition: await into a name first (g++ 12)"
            elif not GOOD_AWAIT.match(statement):
                yield number, "co_await stands alone: a statement or the right side of a declaration"
            elif BAD_ARGUMENT.search(re.sub(r"\{\s*$", "", statement)):
                yield number, "co_await with something made inside its expression (g++ 12)"


def dead_links():
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "certs/README.md"]:
        for number, line in enumerate(page.read_text().split("\n"), 1):
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
                if "://" not in target and not (page.parent / target).exists():
                    yield f"{page.relative_to(ROOT)}:{number}: there is no {target}"


def threats_without_tests():
    """Each row of docs/security.md names tests that exist, and one of them bears its number.

    A test bears it in its name (`test_threat_07_…`, `threats_26_and_40`), or it is among the rows
    that the comment before it names ("rows 28, 38").
    """
    page = ROOT / "docs/security.md"
    for number, line in enumerate(page.read_text().split("\n"), 1):
        row = re.match(r"\| (\d+) \|", line)
        if not row:
            continue
        cited = [(page.parent / target).resolve()
                 for target in re.findall(r"\]\((\.\./tests/[^)#]+)\)", line)]
        sources = []
        for path in cited:
            sources += sorted(path.rglob("*")) if path.is_dir() else [path]
        bears = re.compile(rf"(?i)(?:threats?|rows?)(?:[_ ,]|and|to|\d)*(?<!\d)0?{row[1]}(?!\d)")
        if not any(path.is_file() and bears.search(path.read_text(errors="replace"))
                   for path in sources):
            yield f"docs/security.md:{number}: no test that row {row[1]} names bears its number"
        for word in re.findall(r"`(test_\w+)`", line):
            if not any(path.is_file() and word in path.read_text(errors="replace")
                       for path in sources):
                yield f"docs/security.md:{number}: there is no {word} in the files of its row"


def main():
    listed = subprocess.run(["git", "ls-files", "*.cpp", "*.hpp"], cwd=ROOT, capture_output=True,
                            text=True, check=True).stdout.split("\n")
    count = 0
    for name in filter(None, listed):
        path = ROOT / name
        if not path.exists():
            continue
        for number, what in findings(pathlib.Path(name), path.read_text(errors="replace")):
            print(f"{name}:{number}: {what}")
            count += 1
    for script in (ROOT / "tests/integration").glob("test_*.py"):
        if not script.read_text().startswith('"""'):
            print(f"{script.relative_to(ROOT)}:1: says in its first sentence what is promised")
            count += 1
    for finding in [*dead_links(), *threats_without_tests()]:
        print(finding)
        count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
