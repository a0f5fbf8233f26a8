"""The commands of the guides, pasted in order into a shell in an empty folder."""

import os
import pathlib
import re
import socket
import subprocess

import proxy

SOURCE = pathlib.Path(__file__).parents[2]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def blocks(text):
    """The fenced blocks: (language, text)."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)


def paste(folder, lines):
    """What a shell prints to which these lines are pasted as a whole."""
    program = pathlib.Path(proxy.BINARY).resolve().parent
    done = subprocess.run(
        ["bash", "-u"], input=lines, cwd=folder, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=proxy.PATIENCE * 2,
        env={**os.environ, "PATH": f"{program}:{os.environ['PATH']}"})
    return done.stdout


def test_the_five_minutes_of_the_readme(tmp_path):
    guide = (SOURCE / "README.md").read_text().split("in five minutes\n")[1].split("\n## ")[0]
    with proxy.Origin() as origin:
        # The ports and the socket of the guide may be taken here.
        for printed, real in (("8443", str(free_port())), ("9000", str(origin.port)),
                              ("/tmp/certgate-admin.sock", f"{tmp_path}/admin.sock")):
            assert printed in guide
            guide = guide.replace(printed, real)
        shell = "trap 'kill $(jobs -p); wait' EXIT\n"
        for language, text in blocks(guide):
            if language == "yaml":
                (tmp_path / "certgate.yaml").write_text(text)
            else:
                assert language == "sh"
                shell += text
        assert shell.count("\ntry") == 4  # what it is, and three uses of it
        said = paste(tmp_path, shell)
        assert "certgate.yaml: ok" in said, said
        # No certificate, a valid one, a revoked one.
        assert [r.path for r in origin.requests] == ["/"], said
        assert said.count('{"status":403') == 2, said
        assert "version 2: host api.example.com: other CRLs, 1 revoked" in said, said
        assert "decision: blocked by rule `clients with a valid certificate only`" in said, said
