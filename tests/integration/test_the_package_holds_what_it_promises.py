"""The Debian package of this build: what is in it, that its unit is sound, that its program runs."""

import datetime
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import proxy

SOURCE = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("CERTGATE_BUILD", pathlib.Path(proxy.BINARY).parent))


def output(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=proxy.PATIENCE * 8, **options)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    output("cpack", "-G", "DEB", "--config", BUILD.resolve() / "CPackConfig.cmake",
           "-D", f"CPACK_PACKAGE_DIRECTORY={folder}",
           "-D", "CPACK_DEBIAN_COMPRESSION_TYPE=gzip", cwd=BUILD)  # quicker than xz
    deb, = folder.glob("*.deb")
    output("dpkg-deb", "-x", deb, folder / "root")
    output("dpkg-deb", "-e", deb, folder / "control")
    shutil.rmtree(folder / "_CPack_Packages", ignore_errors=True)
    return folder


def commands():
    text = proxy.run("--help").stdout.split("Subcommands:")[1]
    return re.findall(r"^  ([a-z]+) {2,}", text, re.M)


def test_the_files_are_where_debian_wants_them(package):
    for path in ("usr/bin/certgate", "etc/certgate/certgate.yaml",
                 "usr/lib/systemd/system/certgate.service", "usr/lib/sysusers.d/certgate.conf",
                 "usr/share/man/man1/certgate.1", "usr/share/doc/certgate/copyright",
                 "usr/share/doc/certgate/examples/minimal.yaml",
                 "usr/share/bash-completion/completions/certgate",
                 "usr/share/zsh/vendor-completions/_certgate",
                 "usr/share/fish/vendor_completions.d/certgate.fish"):
        assert (package / "root" / path).is_file(), path
    assert (package / "control/conffiles").read_text().split() == ["/etc/certgate/certgate.yaml"]
    control = (package / "control/control").read_text()
    assert re.search(r"^Depends: .*libssl3.*libyaml-0-2", control, re.M)
    assert "yaml-cpp" not in control
    for script in ("postinst", "prerm", "postrm"):
        output("sh", "-n", package / "control" / script)


def test_the_program_in_it_runs(package):
    program = package / "root/usr/bin/certgate"
    assert output(program, "--version").startswith("certgate ")
    # Its configuration is right but for the certificates, which every site has to name itself.
    done = subprocess.run([program, "check", "--config",
                           package / "root/etc/certgate/certgate.yaml"],
                          capture_output=True, text=True)
    assert done.returncode == 2
    mistakes = [line for line in done.stderr.splitlines() if re.match(r"\S+:\d+:\d+: ", line)]
    assert mistakes and all("No such file" in line for line in mistakes), done.stderr


def test_the_commented_configuration_is_accepted_once_its_files_are_there(package, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    authority = proxy.Authority(other, "Client CA")
    server = authority.issue("api.example.com", server=True, dns=["api.example.com"],
                             valid_for=datetime.timedelta(days=300))
    for path, name in ((server.path, "server.pem"), (server.key_path, "server.key"),
                       (authority.path, "client-ca.pem"), (authority.crl_path, "client-ca.crl")):
        shutil.copy(path, tmp_path / name)
    text = (package / "root/etc/certgate/certgate.yaml").read_text()
    config = tmp_path / "certgate.yaml"
    config.write_text(text)
    assert proxy.run("check", "--config", config).stderr.count("warning: ") == 1  # no CRL
    # And with everything in it that is commented out.
    config.write_text(re.sub(r"^( *)# (\S+:( \S+( +#.*)?)?)$|^# (  \S+: \S+)$",
                             lambda found: found.group(5) or found.group(1) + found.group(2),
                             text, flags=re.M))
    for key in ("\nadmin:\n  address: unix:/", "\nstate_directory: /", "\n      crl: client-ca.crl"):
        assert key in config.read_text(), key
    assert proxy.run("check", "--config", config).stderr == ""


def test_installing_without_a_package_gives_the_same_files(package, tmp_path):
    output("cmake", "--install", BUILD, "--prefix", "/usr", cwd=BUILD,
           env={**os.environ, "DESTDIR": str(tmp_path)})

    def files(root):
        return {path.relative_to(root) for path in root.rglob("*") if path.is_file()}

    assert files(tmp_path) == files(package / "root")
    # What somebody edited stays.
    config = tmp_path / "etc/certgate/certgate.yaml"
    config.write_text("# mine\n")
    output("cmake", "--install", BUILD, "--prefix", "/usr", cwd=BUILD,
           env={**os.environ, "DESTDIR": str(tmp_path)})
    assert config.read_text() == "# mine\n"


def test_the_unit_is_sound_and_hardened(package, tmp_path):
    unit = (package / "root/usr/lib/systemd/system/certgate.service").read_text()
    for line in ("Type=notify", "User=certgate", "ExecReload=/bin/kill -HUP $MAINPID",
                 "CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "NoNewPrivileges=yes",
                 "ProtectSystem=strict", "ProtectHome=yes", "PrivateDevices=yes",
                 "RuntimeDirectory=certgate", "StateDirectory=certgate", "LogsDirectory=certgate",
                 "MemoryDenyWriteExecute=yes", "SystemCallFilter=@system-service"):
        assert line in unit.splitlines(), line
    if shutil.which("systemd-analyze"):
        # Commands that exist here, so that only the unit itself is judged.
        copy = tmp_path / "certgate.service"
        copy.write_text(unit.replace("/usr/bin/certgate", shutil.which("true")))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy],
                              capture_output=True, text=True)
        assert "certgate.service" not in done.stderr, done.stderr


def test_manual_and_completions_know_every_command(package):
    root = package / "root/usr/share"
    manual = (root / "man/man1/certgate.1").read_text()
    fish = (root / "fish/vendor_completions.d/certgate.fish").read_text()
    zsh = (root / "zsh/vendor-completions/_certgate").read_text()
    bash = root / "bash-completion/completions/certgate"
    offered = output("bash", "-c", f"source {bash}; COMP_WORDS=(certgate ''); COMP_CWORD=1; "
                     "_certgate; echo ${COMPREPLY[@]}").split()
    for command in commands():
        assert re.search(rf'(^\.BI? "?|, |\| ){command}\b', manual, re.M), command
        assert f"'{command}:" in zsh and re.search(rf"\b{command}\b", fish), command
        assert command in offered


def test_the_manual_knows_every_option(package):
    """Those of `ca` are for its --help; --help and --json are said once for all."""
    manual = (package / "root/usr/share/man/man1/certgate.1").read_text().replace("\\-", "-")
    for command in commands():
        if command == "ca":
            continue
        words = ["rule", "preview"] if command == "rule" else [command]
        options = re.findall(r"^ +(?:-[a-zA-Z],)?(--[a-z-]+)", proxy.run(*words, "--help").stdout, re.M)
        begin = re.search(rf'^\.BI? "?{" ".join(words)}\b', manual, re.M).start()
        end = manual.find("\n.TP\n", begin)
        for option in set(options) - {"--help", "--json", "--config", "--admin"}:
            assert option in manual[begin:end], (command, option)


def test_the_bash_completion_offers_every_option_and_takes_files_only_for_files(package, tmp_path):
    script = package / "root/usr/share/bash-completion/completions/certgate"
    (tmp_path / "ca").mkdir()  # as in the guide of the README

    def offered(*words):
        line = " ".join(f"'{word}'" for word in words)
        return output("bash", "-c", f"source {script}; COMP_WORDS=({line}); "
                      f"COMP_CWORD={len(words) - 1}; _certgate; echo ${{COMPREPLY[@]}}",
                      cwd=tmp_path).split()

    def walk(*words):
        text = proxy.run(*words, "--help").stdout
        below = re.findall(r"^  ([a-z-]+) {2,}", text.split("Subcommands:")[1], re.M) \
            if "Subcommands:" in text else []
        if below:
            assert set(below) <= set(offered("certgate", *words, "")), words
        else:
            options = set(re.findall(r"^ +(?:-[a-zA-Z],)?(--[a-z0-9-]+)", text, re.M))
            assert set(offered("certgate", *words, "--")) == options, words
        for name in below:
            walk(*words, name)

    walk()
    assert offered("certgate", "ca", "list", "c") == ["ca"]
    assert offered("certgate", "check", "c") == []
    assert offered("certgate", "check", "--config", "c") == ["ca"]
    assert offered("certgate", "ca", "revoke", "ca", "x", "--reason", "keyC") == ["keyCompromise"]
    # Readline adds a slash to what is a directory only when it is told that it completes a file.
    assert output("bash", "-c", f"source {script}; complete -p certgate").split() == [
        "complete", "-F", "_certgate", "certgate"]


def ca_options():
    """Each command of `ca` with its options."""
    below = re.findall(r"^  ([a-z-]+) {2,}",
                       proxy.run("ca", "--help").stdout.split("Subcommands:")[1], re.M)
    return {name: set(re.findall(r"^ +(?:-[a-zA-Z],)?(--[a-z0-9-]+)",
                                 proxy.run("ca", name, "--help").stdout, re.M)) for name in below}


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_the_fish_completion_offers_every_option_of_ca(tmp_path):
    script = SOURCE / "config/completion/certgate.fish"

    def offered(words):
        text = output("fish", "--no-config", "-c", f"source {script}; complete -C '{words}'",
                      cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)})
        return {line.split("\t")[0] for line in text.splitlines()}

    options = ca_options()
    assert offered("certgate ca ") == set(options)
    for name, wanted in options.items():
        assert offered(f"certgate ca {name} --") == wanted, name
    assert offered("certgate ca revoke ca x --reason keyC") == {"keyCompromise"}


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_the_zsh_completion_offers_every_option_of_ca():
    script = SOURCE / "config/completion/_certgate"

    def specifications(name):
        """What the script hands to zsh's own function for options."""
        text = output("zsh", "-f", "-c", "_arguments() { print -rl -- \"$@\" }; "
                      f"complete_it() {{ source {script} }}; words=(certgate ca '{name}' --); "
                      "CURRENT=4; complete_it")
        return text.splitlines()

    options = ca_options()
    names = re.search(r"\((.*)\)", specifications("")[0]).group(1).split()
    assert set(names) == set(options)
    for name, wanted in options.items():
        offered = [re.match(r"\*?(--[a-z0-9-]+)", line) for line in specifications(name)]
        assert sorted(match.group(1) for match in offered if match) == sorted(wanted), name


def test_every_command_has_help_with_an_example():
    def walk(*words):
        text = proxy.run(*words, "--help").stdout
        below = re.findall(r"^  ([a-z-]+) {2,}", text.split("Subcommands:")[1], re.M) \
            if "Subcommands:" in text else []
        assert "certgate " in text, words
        if words and not below:
            assert "Example" in text, words
        for name in below:
            walk(*words, name)

    walk()
    proxy.run(status=2)
    for words in (["nonsense"], ["run", "--nonsense"], ["explain"], ["rule"], ["ca"]):
        done = proxy.run(*words, status=2)
        assert done.stderr, words
