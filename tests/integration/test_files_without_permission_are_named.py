"""certgate runs as a user without rights of its own: a file that it may not read is named, with the
reason and the way out, at the start and at a reload, which leaves the old configuration in force."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

import proxy

NOBODY = 65534
WAY_OUT = ("the user that certgate runs as must be allowed to read it, and to enter the folders on the "
           "way to it")


class Unprivileged(proxy.Setup):
    """A set-up whose folder anybody may enter; certgate runs as another user where that is possible."""

    def __init__(self, folder, origin):
        super().__init__(folder, origin)
        if os.geteuid() != 0:
            self.command = ()
            return
        # The build may lie where another user cannot go.
        program = pathlib.Path(folder) / "certgate"
        shutil.copy(proxy.BINARY, program)
        self.command = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        self.program = program

    def whole_config(self):
        (self.folder / "paths.txt").write_text("/secret\n")
        (self.folder / "more.yaml").write_text(
            "- name: listed\n  expression: http.request.uri.path in $paths\n  action: block\n")
        self.proof = self.ca.issue("proxy itself")
        config = self.config()
        config["lists"] = {"paths": {"type": "string", "file": "paths.txt"}}
        config["rule_files"] = ["more.yaml"]
        config["origins"]["other"] = {
            "servers": ["https://127.0.0.1:1"],
            "tls": {"ca": self.server_ca.path.name, "certificate": self.proof.path.name,
                    "private_key": self.proof.key_path.name}}
        config["hosts"][0]["routes"] = [{"path": "/other", "origin": "other"}]
        return config

    def hand_over(self):
        """Every file is the other user's own, as after an installation."""
        if not self.command:
            return
        for path in [self.folder, *self.folder.iterdir()]:
            os.chown(path, NOBODY, NOBODY)

    def start_as_nobody(self, config):
        proxy.write_whole(self.folder / "certgate.yaml", proxy.json.dumps(config, indent=1))
        for name in ("certgate.log", "access.log"):
            (self.folder / name).touch()
        self.hand_over()
        # `through` stands before the path of the program, which setpriv starts in its own place.
        through = (*self.command, "env") if self.command else ()
        return proxy.Certgate(self.folder, config, through=through)

    def run(self, command, status):
        program = getattr(self, "program", proxy.BINARY)
        done = subprocess.run([*self.command, program, command, "--config",
                               self.folder / "certgate.yaml"],
                              capture_output=True, text=True, timeout=proxy.PATIENCE)
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stderr


@pytest.fixture
def site(monkeypatch):
    with proxy.Origin() as origin, tempfile.TemporaryDirectory(prefix="certgate-nobody-") as folder:
        site = Unprivileged(folder, origin)
        if site.command:
            monkeypatch.setattr(proxy, "BINARY", str(site.program))
        yield site


def named_files(site):
    return [site.server.path, site.server.key_path, site.ca.path, site.ca.crl_path,
            site.server_ca.path, site.proof.path, site.proof.key_path, site.folder / "paths.txt",
            site.folder / "more.yaml"]


@contextlib.contextmanager
def unreadable(path):
    mode = path.stat().st_mode & 0o777
    path.chmod(0)
    try:
        yield
    finally:
        path.chmod(mode)


def test_a_reload_names_the_file_and_the_old_configuration_stays(site):
    alice = site.ca.issue("alice")
    config = site.whole_config()
    with site.start_as_nobody(config) as certgate, site.client(certgate, alice) as kept:
        assert kept.get("/").status == 200
        for path in named_files(site):
            with unreadable(path):
                refused = certgate.reload(good=False)
            told = [line for line in refused.splitlines() if "reload refused" in line]
            assert len(told) == 1, refused
            assert re.search(rf"certgate\.yaml:\d+:\d+: cannot read .*{re.escape(path.name)}`: "
                             rf"Permission denied \({WAY_OUT}\)", told[0]), refused
            assert "version=1" in refused.splitlines()[-1], refused
            assert kept.get("/").status == 200 and kept.get("/secret").status == 403, path
            with site.client(certgate, alice) as new:
                assert new.get("/").status == 200, path
        # The folder of all of them: the configuration itself cannot be reached.
        with unreadable(certgate.config_path):
            refused = certgate.reload(good=False)
        assert "cannot read the configuration: Permission denied" in refused and WAY_OUT in refused
        assert kept.get("/").status == 200
        assert "nothing changed" in certgate.reload()


def test_check_and_a_start_name_logs_that_cannot_be_written(site):
    config = site.whole_config()
    for folder in ("logs", "access"):
        (site.folder / folder).mkdir()
    (site.folder / "access" / "requests.log").write_text("")
    config["log"] = {"file": "logs/certgate.log", "access": {"file": "access/requests.log"}}
    proxy.write_whole(site.folder / "certgate.yaml", proxy.json.dumps(config, indent=1))
    site.hand_over()
    os.chown(site.folder / "access" / "requests.log", NOBODY if site.command else -1, -1)
    site.run("check", 0)
    assert not (site.folder / "logs" / "certgate.log").exists()
    with unreadable(site.folder / "logs"):
        told = site.run("check", 2)
        assert re.search(r"certgate\.yaml:\d+:\d+: cannot open log .*logs/certgate\.log: Permission denied\n",
                         told), told
        assert "cannot open log" in site.run("run", 2)
    with unreadable(site.folder / "access" / "requests.log"):
        told = site.run("check", 2)
        assert re.search(r": cannot open access log .*requests\.log: Permission denied\n", told), told
        assert "its folder must be there" in told and "cannot open access log" in site.run("run", 2)


def test_a_start_and_check_name_every_such_file_at_once(site):
    config = site.whole_config()
    proxy.write_whole(site.folder / "certgate.yaml", proxy.json.dumps(config, indent=1))
    site.hand_over()
    site.run("check", 0)
    with contextlib.ExitStack() as stack:
        for path in named_files(site):
            stack.enter_context(unreadable(path))
        for command in ("check", "run"):
            told = site.run(command, 2)
            for path in named_files(site):
                assert re.search(rf"certgate\.yaml:\d+:\d+: cannot read .*{re.escape(path.name)}`: "
                                 r"Permission denied\n.*\n.*\n" rf"  hint: {WAY_OUT}\n", told), (path, told)
    with unreadable(site.folder / "certgate.yaml"):
        told = site.run("run", 2)
        assert "cannot read the configuration: Permission denied" in told and WAY_OUT in told


def test_a_log_that_may_not_be_written_refuses_the_start_at_its_place(site):
    config = site.whole_config()
    proxy.write_whole(site.folder / "certgate.yaml", proxy.json.dumps(config, indent=1))
    (site.folder / "certgate.log").touch()
    site.hand_over()
    with unreadable(site.folder / "certgate.log"):
        told = site.run("run", 2)
    assert re.search(r"certgate\.yaml:\d+:\d+: .*certgate\.log .*Permission denied\n.*\n.*\n"
                     "  hint: .*must be allowed to write", told), told
