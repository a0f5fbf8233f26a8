"""Kills `certgate ca`, or tells it that the disk is full, at each system call that writes."""

import shutil

import pytest

from certificate_authority import CertificateAuthority

WRITING_CALLS = [
    "mkdir", "write", "pwrite64", "fchmod", "chmod", "ftruncate", "fsync", "fdatasync", "symlink",
    "rename", "unlink", "syncfs",
]
FAILING_CALLS = ["mkdir", "write", "pwrite64", "fsync", "fdatasync", "symlink", "rename"]
MOST_CALLS_OF_A_KIND = 80
HARMLESS_CALLS_OF_A_KIND = 2

CHANGES = {
    "issue": ["--name", "victim", "--profile", "iot"],
    "renew": ["veteran"],
    "revoke": ["veteran", "--reason", "keyCompromise"],
    "crl": [],
}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    ca = CertificateAuthority(tmp_path_factory.mktemp("pristine") / "ca").init()
    ca.issue("veteran", "--profile", "iot")
    ca.issue("revoked", "--profile", "iot")
    ca.run("revoke", "revoked")
    return ca


def strace(call, injection, number):
    assert shutil.which("strace"), "install strace"
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
            "-e", f"inject={call}:{injection}:when={number}"]


def check_after(ca, command, before_number):
    # Any change finishes or sweeps away what the killed run left.
    ca.issue("next", "--profile", "iot")
    names = [e["name"] for e in ca.assert_whole()]
    assert ca.crl_number() >= before_number
    assert names.count("veteran") in (1, 2 if command == "renew" else 1)


@pytest.mark.parametrize("command", CHANGES)
def test_a_kill_at_every_write_leaves_the_store_whole(pristine, tmp_path, command):
    kills = 0
    for call in WRITING_CALLS:
        for number in range(1, MOST_CALLS_OF_A_KIND):
            ca = pristine.copy_to(tmp_path / f"{call}-{number}")
            before = ca.crl_number()
            done = ca.run(command, *CHANGES[command], expect=None,
                          before=strace(call, "signal=KILL", number))
            killed = done.returncode != 0
            if killed:
                kills += 1
                check_after(ca, command, before)
            shutil.rmtree(ca.directory)
            if not killed:
                break
        else:
            pytest.fail(f"more than {MOST_CALLS_OF_A_KIND} calls of {call}")
    assert kills >= 10


@pytest.mark.parametrize("command", CHANGES)
def test_a_full_disk_at_every_write_leaves_the_store_whole(pristine, tmp_path, command):
    failures = 0
    for call in FAILING_CALLS:
        harmless = 0
        for number in range(1, MOST_CALLS_OF_A_KIND):
            ca = pristine.copy_to(tmp_path / f"{call}-{number}")
            before = ca.crl_number()
            done = ca.run(command, *CHANGES[command], expect=None,
                          before=strace(call, "error=ENOSPC", number))
            assert done.returncode in (0, 1)
            if done.returncode == 1:
                failures += 1
                assert done.stderr.startswith(f"certgate ca {command}: ")
                check_after(ca, command, before)
            # An error that does no harm (standard output, a sync after the fact) is no failure.
            harmless += done.returncode == 0
            shutil.rmtree(ca.directory)
            if harmless > HARMLESS_CALLS_OF_A_KIND:
                break
    assert failures >= 5


def test_a_killed_init_leaves_nothing_in_the_way(tmp_path):
    for call in WRITING_CALLS:
        for number in range(1, MOST_CALLS_OF_A_KIND):
            ca = CertificateAuthority(tmp_path / f"{call}-{number}" / "ca")
            ca.directory.parent.mkdir()
            done = ca.run("init", expect=None, before=strace(call, "signal=KILL", number))
            if done.returncode == 0:
                break
            if not ca.directory.exists():
                ca.init()
            ca.issue("first", "--profile", "iot")
            ca.assert_whole()
            assert [p.name for p in ca.directory.parent.iterdir()
                    if not p.name.endswith(".lock")] == ["ca"]
