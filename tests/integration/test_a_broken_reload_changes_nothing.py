"""Threat 81: whatever is wrong with whichever file, the old state stays whole and the log says where."""

import os
import re
import shutil

import pytest

import proxy

ANYWHERE = r"\S+:\d+:\d+: "


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def break_yaml(setup, config_path):
    edit(config_path, '"hosts"', '"hosts" [')


def unknown_key(setup, config_path):
    edit(config_path, '"workers"', '"wrokers"')


def unknown_field(setup, config_path):
    edit(config_path, "cf.tls_client_auth.cert_verified", "cf.tls_client_auth.cert_verfied")


def unknown_origin(setup, config_path):
    edit(config_path, '"origin": "api"', '"origin": "apy"')


def certificate_gone(setup, config_path):
    setup.server.path.unlink()


def key_gone(setup, config_path):
    setup.server.key_path.unlink()


def key_of_another(setup, config_path):
    shutil.copy(setup.ca.issue("x").key_path, setup.server.key_path)


def certificate_cut(setup, config_path):
    setup.server.path.write_bytes(setup.server.path.read_bytes()[:300])


def ca_gone(setup, config_path):
    setup.ca.path.unlink()


def ca_empty(setup, config_path):
    setup.ca.path.write_bytes(b"")


def ca_cut(setup, config_path):
    setup.ca.path.write_bytes(setup.ca.path.read_bytes()[:300])


def ca_is_a_leaf(setup, config_path):
    shutil.copy(setup.ca.issue("x").path, setup.ca.path)


def crl_gone(setup, config_path):
    setup.ca.crl_path.unlink()


def crl_cut(setup, config_path):
    setup.ca.crl_path.write_bytes(setup.ca.crl_path.read_bytes()[:200])


def crl_of_another(setup, config_path):
    shutil.copy(proxy.Authority(setup.folder, "Other CA").crl_path, setup.ca.crl_path)


def crl_of_a_namesake(setup, config_path):
    (setup.folder / "x").mkdir()
    shutil.copy(proxy.Authority(setup.folder / "x", "Client CA").crl_path, setup.ca.crl_path)


def crl_older(setup, config_path):
    setup.ca.write_crl(number=1)


def list_gone(setup, config_path):
    (setup.folder / "paths.txt").unlink()


def rule_file_broken(setup, config_path):
    edit(setup.folder / "more.yaml", "block", "blok")


def rule_file_gone(setup, config_path):
    (setup.folder / "more.yaml").unlink()


def upstream_ca_gone(setup, config_path):
    setup.server_ca.path.unlink()


def log_in_a_missing_folder(setup, config_path):
    edit(config_path, '"certgate.log"', '"no/such/certgate.log"')


def access_log_in_a_missing_folder(setup, config_path):
    edit(config_path, '"access.log"', '"no/such/access.log"')


def failing_test(setup, config_path):
    edit(config_path, '"action": "allow"', '"action": "block"')


MISTAKES = [
    (break_yaml, "certgate.yaml", ""),
    (unknown_key, "certgate.yaml", "`workers`"),
    (unknown_field, "certgate.yaml", "cert_verified"),
    (unknown_origin, "certgate.yaml", "apy"),
    (certificate_gone, "certgate.yaml", "No such file"),
    (key_gone, "certgate.yaml", "No such file"),
    (key_of_another, "certgate.yaml", "does not belong"),
    (certificate_cut, "certgate.yaml", ".pem"),
    (ca_gone, "certgate.yaml", "No such file"),
    (ca_empty, "certgate.yaml", "is empty"),
    (ca_cut, "certgate.yaml", "client-ca.pem"),
    (ca_is_a_leaf, "certgate.yaml", "is not a CA"),
    (crl_gone, "certgate.yaml", "No such file"),
    (crl_cut, "certgate.yaml", "client-ca.crl"),
    (crl_of_another, "certgate.yaml", "client-ca.crl"),
    (crl_of_a_namesake, "certgate.yaml", "client-ca.crl"),
    (crl_older, "certgate.yaml", "client-ca.crl"),
    (list_gone, "certgate.yaml", "paths.txt"),
    (rule_file_broken, "more.yaml", "`block`"),
    (rule_file_gone, "certgate.yaml", "more.yaml"),
    (upstream_ca_gone, "certgate.yaml", "No such file"),
    (log_in_a_missing_folder, "certgate.yaml", "no/such/certgate.log"),
    (access_log_in_a_missing_folder, "certgate.yaml", "no/such/access.log"),
    (failing_test, "certgate.yaml", "alice may"),
]


def whole_config(setup):
    (setup.folder / "paths.txt").write_text("/secret\n")
    (setup.folder / "more.yaml").write_text(
        "- name: no tea\n  expression: http.request.uri.path eq \"/tea\"\n  action: block\n")
    config = setup.config()
    config["lists"] = {"paths": {"type": "string", "file": "paths.txt"}}
    config["rule_files"] = ["more.yaml"]
    config["rules"].append({"name": "listed", "expression": "http.request.uri.path in $paths",
                            "action": "block"})
    config["origins"]["unused"] = {"servers": ["https://127.0.0.1:1"],
                                   "tls": {"ca": setup.server_ca.path.name}}
    config["hosts"][0]["routes"] = [{"path": "/unused", "origin": "unused"}]
    config["tests"] = [{"name": "alice may", "request": {"url": "https://api.example.com/"},
                        "client_certificate": setup.ca.issue("alice").path.name, "expect": {"action": "allow"}}]
    return config


def test_threat_81_every_mistake_is_refused_with_its_place_and_the_old_state_kept(setup):
    alice, mallory = setup.ca.issue("alice"), setup.ca.issue("mallory")
    setup.ca.revoke(mallory)
    stranger = proxy.client_context(setup.server_ca, mallory)
    # Edited files: everything that the configuration names, as it was before each mistake.
    with setup.start(whole_config(setup)) as certgate, setup.client(certgate, alice) as open_one:
        saved = {path: path.read_bytes() for path in setup.folder.iterdir()
                 if path.is_file() and path.name not in ("certgate.log", "access.log", "stderr.txt")}

        def restore():
            for path, content in saved.items():
                if not path.exists() or path.read_bytes() != content:
                    path.write_bytes(content)

        for number, (mistake, file, words) in enumerate(MISTAKES):
            mistake(setup, certgate.config_path)
            complaint = certgate.reload(good=False)
            refused = [line for line in complaint.splitlines() if "reload refused" in line]
            assert refused, (mistake.__name__, complaint)
            assert any(re.search(rf"{file}:\d+:\d+: ", line) and words in line
                       for line in refused), (mistake.__name__, complaint)
            # The version in force is the one before, and it is whole.
            assert re.search(rf"the configuration in force stays version={number + 1}$", complaint,
                             re.M), complaint
            assert open_one.get("/x").status == 200, mistake.__name__
            assert open_one.get("/secret").status == 403, mistake.__name__
            assert open_one.get("/tea").status == 403, mistake.__name__
            with setup.client(certgate, context=stranger) as client:
                assert client.get("/x").status == 403, mistake.__name__
            restore()
            certgate.reload()
        assert not (setup.folder / "no").exists()


def gone(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def directory(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)  # nobody will ever write to it


def loop(path):
    path.unlink()
    path.symlink_to(path.name)


def test_every_file_that_is_named_may_vanish_or_become_something_else(setup):
    """In whichever way one file is spoilt, the reload ends, is refused, and names it."""
    alice = setup.ca.issue("alice")
    config = whole_config(setup)
    proof = setup.ca.issue("proxy itself")
    config["origins"]["unused"]["tls"].update(certificate=proof.path.name,
                                              private_key=proof.key_path.name)
    named = [setup.server.path, setup.server.key_path, setup.ca.path, setup.ca.crl_path,
             setup.server_ca.path, proof.path, proof.key_path, setup.folder / "paths.txt",
             setup.folder / "more.yaml", setup.folder / config["tests"][0]["client_certificate"],
             setup.folder / "certgate.yaml"]
    with setup.start(config) as certgate, setup.client(certgate, alice) as client:
        for path in named:
            whole = path.read_bytes()
            for spoil in (gone, empty, truncated, directory, pipe, loop):
                if spoil in (empty, truncated) and path.name == "paths.txt":
                    continue  # a shorter list of paths is a list
                if spoil is directory and path == setup.ca.crl_path:
                    continue  # a folder of lists is told to be empty: in the goldens
                if spoil is empty and path.name == "more.yaml":
                    continue  # a file without rules
                spoil(path)
                complaint = certgate.reload(good=False)
                assert path.name in complaint and "reload refused" in complaint, (spoil, complaint)
                assert client.get("/x").status == 200, (path, spoil)
                assert client.get("/secret").status == 403, (path, spoil)
                if path.is_dir():
                    path.rmdir()
                elif path.is_symlink() or path.is_fifo():
                    path.unlink()
                path.write_bytes(whole)
        assert "nothing changed" in certgate.reload()


@pytest.mark.parametrize("cut", range(1, 10))
def test_threat_42_a_half_written_crl_is_never_taken(setup, cut):
    revoked = setup.ca.issue("revoked")
    setup.ca.revoke(revoked)
    whole = setup.ca.crl_path.read_bytes()
    with setup.start() as certgate, setup.client(certgate, revoked) as client:
        for at in range(len(whole) * (cut - 1) // 9 + 1, len(whole) * cut // 9, len(whole) // 27):
            setup.ca.crl_path.write_bytes(whole[:at])
            certgate.reload(good=False)
            assert client.get("/").status == 403
        setup.ca.crl_path.write_bytes(whole)
        certgate.reload()


def test_a_refused_reload_leaves_the_logs_where_they_were(setup):
    with setup.start() as certgate:
        config = setup.config()
        config["log"] = {"file": "elsewhere.log", "access": {"file": "no/such/folder.log"}}
        complaint = certgate.reload(config, good=False)
        assert "no/such/folder.log" in complaint
        certgate.reload(setup.config())


def test_a_port_in_use_refuses_the_reload(setup):
    with proxy.socket.create_server(("127.0.0.1", 0)) as taken, setup.start() as certgate:
        port = taken.getsockname()[1]
        config = setup.config()
        config["listeners"].append({"address": f"127.0.0.1:{port}"})
        complaint = certgate.reload(config, good=False)
        assert re.search(r"certgate\.yaml:\d+:\d+: ", complaint) and str(port) in complaint
        with setup.client(certgate) as client:
            assert client.get("/").status == 403


def test_mistakes_of_yaml_rules_and_files_are_logged_together_and_in_order(setup):
    alice = setup.ca.issue("alice")
    with setup.start() as certgate, setup.client(certgate, alice) as client:
        config = setup.config(workers="many")
        config["rules"][0]["expression"] = "not cf.tls_client_auth.cert_verfied"
        config["hosts"][0]["private_key"] = "no/such.key"
        refused = certgate.reload(config, good=False)
        told = [line for line in refused.splitlines() if "reload refused" in line]
        assert len(told) == 3, refused
        assert "`workers` must be" in told[0] and "no/such.key" in told[1], told
        assert "did you mean `cf.tls_client_auth.cert_verified`" in told[2], told
        places = [int(re.search(r"certgate\.yaml:(\d+):\d+: ", line).group(1)) for line in told]
        assert places == sorted(places), told
        assert client.get("/").status == 200
        certgate.reload(setup.config())
