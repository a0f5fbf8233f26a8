"""Two runs at once, thousands at once, and bulk runs that are interrupted."""

import os
import signal
import subprocess
import time

import pytest

from certificate_authority import BINARY, CertificateAuthority
from wire import SANITIZED


@pytest.fixture
def ca(tmp_path):
    return CertificateAuthority(tmp_path / "ca").init()


def write_table(path, count):
    rows = ["name,profile,uri,days"]
    rows += [f"dev-{i},iot,spiffe://example.org/dev-{i},{1 + i % 700}" for i in range(count)]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_fifty_parallel_runs_give_fifty_certificates_with_fifty_serials(ca):
    runs = [subprocess.Popen([BINARY, "ca", "issue", str(ca.directory), "--name", f"dev-{i}",
                              "--profile", "iot"], stdout=subprocess.DEVNULL)
            for i in range(50)]
    assert [run.wait(300) for run in runs] == [0] * 50
    entries = ca.list()
    assert {e["name"] for e in entries} == {f"dev-{i}" for i in range(50)}
    assert len({e["serial"] for e in entries}) == 50
    ca.assert_whole()


def test_parallel_runs_for_one_name_give_one_certificate(ca):
    runs = [subprocess.Popen([BINARY, "ca", "issue", str(ca.directory), "--name", "same",
                              "--profile", "iot"], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL) for _ in range(8)]
    assert sorted(run.wait(300) for run in runs) == [0] + [1] * 7
    ca.assert_whole()


def test_parallel_revocations_are_all_on_the_list(ca):
    for i in range(10):
        ca.issue(f"dev-{i}", "--profile", "iot")
    runs = [subprocess.Popen([BINARY, "ca", "revoke", str(ca.directory), f"dev-{i}"],
                             stdout=subprocess.DEVNULL) for i in range(10)]
    assert [run.wait(300) for run in runs] == [0] * 10
    assert len(ca.crl()) == 10 and ca.crl_number() == 11
    ca.assert_whole()


def test_parallel_inits_make_one_ca(tmp_path):
    runs = [subprocess.Popen([BINARY, "ca", "init", str(tmp_path / "ca")],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(5)]
    assert sorted(run.wait(300) for run in runs) == [0, 1, 1, 1, 1]
    CertificateAuthority(tmp_path / "ca").assert_whole()


def test_a_table_is_issued_and_a_second_run_passes_over_what_is_there(ca, tmp_path):
    table = write_table(tmp_path / "devices.csv", 250)
    done = ca.run("issue", "--from", table)
    assert "Issued 250" in done.stdout and "250 of 250 issued" in done.stderr
    assert "250 of 250 have a certificate already" in ca.run("issue", "--from", table).stderr
    assert len(ca.list()) == 250
    ca.assert_whole()


def test_ten_thousand_devices_come_from_one_table_with_a_bar(ca, tmp_path):
    """On a terminal: one bar that redraws itself. Every certificate has its serial and its files."""
    count = 300 if SANITIZED else 10_000
    table = write_table(tmp_path / "devices.csv", count)
    screen, terminal = os.openpty()
    process = subprocess.Popen([BINARY, "ca", "issue", str(ca.directory), "--from", str(table)],
                               stdout=subprocess.DEVNULL, stderr=terminal)
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(screen, 65536)
        except OSError:  # what a terminal says at the end
            piece = b""
        if not piece:
            break
        shown += piece
    os.close(screen)
    assert process.wait(30) == 0, shown[-500:]
    bars = [bar for bar in shown.decode().split("\r") if bar.startswith("[")]
    assert len(bars) == count // 100
    assert bars[0].startswith("[") and f"100 of {count}" in bars[0]
    assert bars[-1] == "[" + 30 * "#" + f"] {count} of {count}"
    entries = ca.list()
    assert len({e["serial"] for e in entries}) == len(entries) == count
    assert len(list((ca.directory / "issued").glob("dev-*"))) == count
    assert len(ca.run("list", "--csv").stdout.splitlines()) == count + 1


def test_an_interrupted_table_is_resumed(ca, tmp_path):
    table = write_table(tmp_path / "devices.csv", 1000)
    process = subprocess.Popen([BINARY, "ca", "issue", str(ca.directory), "--from", str(table)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(ca.list()) < 100:
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    begun = len(ca.list())
    assert 100 <= begun <= 1000
    ca.run("issue", "--from", table)
    assert len(ca.list()) == 1000
    assert len({e["serial"] for e in ca.list()}) == 1000
    ca.assert_whole()


def test_every_mistake_in_a_table_is_shown_before_anything_is_issued(ca, tmp_path):
    table = tmp_path / "devices.csv"
    table.write_text('name,profile,dns,days\n'
                     'good,iot,a.example.com,30\n'
                     'good,iot,,\n'
                     'bad-name,iot,exa_mple..com,30\n'
                     'bad-profile,phone,,30\n'
                     '"bad ""days""",iot,,zero\n'
                     'short,iot\n')
    done = ca.run("issue", "--from", table, expect=2)
    for place in [":3:1:", ":4:14:", ":5:13:", ":6:21:", ":7:1:"]:
        assert f"devices.csv{place}" in done.stderr, done.stderr
    assert ca.list() == []
    table.write_text("nmae,profile\nx,iot\n")
    assert "did you mean `name`?" in ca.run("issue", "--from", table, expect=2).stderr
