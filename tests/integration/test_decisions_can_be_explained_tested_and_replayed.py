"""explain, test, replay, rule preview and demo, as a person or a script uses them."""

import json
import pathlib
import re
import subprocess

import pytest

import proxy


def test_explain_says_what_a_run_would_do(setup):
    alice, mallory = setup.ca.issue("alice"), setup.ca.issue("mallory")
    setup.ca.revoke(mallory)
    with setup.start() as certgate:
        for identity, status in ((alice, 200), (mallory, 403), (None, 403)):
            words = ["explain", "--config", certgate.config_path,
                     "--url", "https://api.example.com/v1/x?y=1", "--header", "User-Agent: x"]
            if identity:
                words += ["--client-cert", identity.path]
            text = proxy.run(*words).stdout
            told = json.loads(proxy.run(*words, "--json").stdout)
            with setup.client(certgate, identity) as client:
                assert client.get("/v1/x?y=1").status == status
            if status == 403:
                assert "blocked by rule `valid certificates only`" in text and "403" in text
                assert told["status"] == 403
            else:
                assert "allowed by the default action" in text, text
            # Every part with its value.
            assert re.search(r"(true|false) +.*cf\.tls_client_auth\.cert_revoked", text), text
            assert told["rules"][0]["expression"]["parts"]
    refused = proxy.run("explain", "--config", certgate.config_path, "--url",
                        "https://unknown.example.net/", status=1).stderr
    assert "421" in refused and "unknown.example.net" in refused
    bad = proxy.run("explain", "--config", certgate.config_path, "--url", "not a url", status=None)
    assert bad.returncode in (1, 2) and bad.stderr


TESTS = """\
- name: nobody without a certificate
  request: {url: "https://api.example.com/v1"}
  expect: {action: block, rule: valid certificates only}
- name: alice may
  request: {url: "https://api.example.com/v1"}
  client_certificate: %s
  expect: {action: allow}
- name: by hand
  request: {url: "https://api.example.com/v1"}
  fields: {cf.tls_client_auth.cert_verified: true, cf.tls_client_auth.cert_revoked: true}
  expect: {action: %s}
"""


def test_test_runs_tests_of_the_rules(setup):
    alice = setup.ca.issue("alice")
    certgate_yaml = setup.folder / "certgate.yaml"
    certgate_yaml.write_text(json.dumps(setup.config()))
    tests = setup.folder / "rules_test.yaml"
    tests.write_text(TESTS % (alice.path.name, "block"))
    done = proxy.run("test", "--config", certgate_yaml, tests)
    assert "3" in done.stdout + done.stderr
    tests.write_text(TESTS % (alice.path.name, "allow"))
    done = proxy.run("test", "--config", certgate_yaml, tests, status=1)
    text = done.stdout + done.stderr
    assert "by hand" in text and "valid certificates only" in text
    tests.write_text(TESTS % ("nobody.pem", "block"))
    done = proxy.run("test", "--config", certgate_yaml, tests, status=2)
    assert re.search(r"rules_test\.yaml:\d+:\d+: .*", done.stderr) and "nobody.pem" in done.stderr


def test_rules_on_bodies_can_be_explained_and_tested(setup):
    config = setup.config()
    config["rules"] = [{"name": "no admins", "action": "block", "expression":
                        'any(http.request.body.form["role"][*] eq "admin")'}]
    certgate_yaml = setup.folder / "certgate.yaml"
    certgate_yaml.write_text(json.dumps(config))
    words = ["explain", "--config", certgate_yaml, "--url", "https://api.example.com/",
             "--method", "POST", "--header", "Content-Type: application/x-www-form-urlencoded"]
    for content, outcome in (("role=admin", "blocked by rule `no admins`"),
                             ("role=guest", "allowed by the default action")):
        (setup.folder / "body").write_text(content)
        assert outcome in proxy.run(*words, "--body", setup.folder / "body").stdout
    # As much of it is seen as a run would see: here, in tests, and in tests of the configuration.
    config["limits"] = {"judged_body_bytes": "1KiB"}
    request = {"url": "https://api.example.com/", "body": "x" * 1025}
    config["tests"] = [{"name": "cut", "request": request, "expect": {"action": "block"}}]
    config["rules"].append({"name": "long", "action": "block",
                            "expression": "http.request.body.truncated"})
    certgate_yaml.write_text(json.dumps(config))
    (setup.folder / "body").write_text("x" * 1025)
    assert "blocked by rule `long`" in proxy.run(*words, "--body", setup.folder / "body").stdout
    assert "nothing" in proxy.run(*words, "--body", setup.folder / "nothing", status=2).stderr
    tests = setup.folder / "rules_test.yaml"
    tests.write_text("""\
- name: an admin
  request:
    url: https://api.example.com/
    method: POST
    headers: {Content-Type: application/x-www-form-urlencoded}
    body: "a=b&role=admin"
  expect: {action: block, rule: no admins}
- name: nobody
  request: {url: "https://api.example.com/"}
  expect: {action: allow}
""")
    proxy.run("test", "--config", certgate_yaml, tests)
    tests.write_text(tests.read_text().replace("role=admin", "role=guest"))
    assert "an admin" in proxy.run("test", "--config", certgate_yaml, tests, status=1).stdout


def test_replay_finds_what_another_configuration_decides_differently(setup):
    alice = setup.ca.issue("alice")
    with setup.start() as certgate:
        with setup.client(certgate, alice) as client:
            for path in ("/a", "/tea", "/b"):
                assert client.get(path).status == 200
        certgate.records(3)
    other = setup.config()
    other["rules"].append({"name": "no tea", "expression": 'http.request.uri.path eq "/tea"',
                           "action": "block"})
    new = setup.folder / "new.yaml"
    new.write_text(json.dumps(other))
    done = proxy.run("replay", "--config", new, certgate.access_path)
    assert done.stdout.count("\n") >= 1 and "/tea" in done.stdout and "no tea" in done.stdout
    assert "/a" not in done.stdout
    same = proxy.run("replay", "--config", certgate.config_path, certgate.access_path)
    assert same.stdout == ""
    lines = proxy.run("replay", "--json", "--config", new, certgate.access_path).stdout.splitlines()
    assert len([json.loads(line) for line in lines]) == 1


@pytest.mark.parametrize("log", ["text", "directory", "missing"])
def test_replay_says_what_it_cannot_read(setup, log):
    path = setup.folder / "certgate.yaml"
    proxy.write_whole(path, json.dumps(setup.config()))
    other = {"text": setup.folder / "text.log", "directory": setup.folder,
             "missing": setup.folder / "missing.log"}[log]
    if log == "text":
        other.write_text('2026-01-01T00:00:00Z 192.0.2.1 "GET a.example/ " 200\n')
    told = proxy.run("replay", "--config", path, other, status=1).stderr
    assert {"text": "is a record of the JSON access log", "directory": "Is a directory",
            "missing": "No such file"}[log] in told and str(other) in told


def test_a_misspelt_field_of_a_test_has_a_suggestion(setup):
    config = setup.config(tests=[{
        "name": "slip", "request": {"url": "https://api.example.com/"},
        "fields": {"cf.tls_client_auth.cert_verfied": True}, "expect": {"action": "allow"}}])
    path = setup.folder / "certgate.yaml"
    proxy.write_whole(path, json.dumps(config))
    told = proxy.run("check", "--config", path, status=2).stderr
    assert "did you mean `cf.tls_client_auth.cert_verified`?" in told


def test_replay_counts_log_rules_and_compares_the_shadow_rules(setup):
    alice = setup.ca.issue("alice")
    with setup.start() as certgate:
        with setup.client(certgate, alice) as client:
            for path in ("/a", "/tea", "/tea"):
                assert client.get(path).status == 200
        certgate.records(3)
    other = setup.config()
    other["rules"].append({"name": "watch tea", "action": "log",
                           "expression": 'http.request.uri.path eq "/tea"'})
    other["rules"].append({"name": "watch a header", "action": "log",
                           "expression": 'http.referer eq "x"'})
    other["shadow"] = {"rules": [{"name": "no a", "action": "block",
                                  "expression": 'http.request.uri.path eq "/a"'}]}
    new = setup.folder / "new.yaml"
    new.write_text(json.dumps(other))
    done = proxy.run("replay", "--config", new, certgate.access_path)
    assert "3 requests: 3 the same" in done.stderr
    assert 'log rule "watch tea": 2 recorded, 0 uncertain' in done.stderr
    assert 'log rule "watch a header": 0 recorded, 3 uncertain' in done.stderr
    assert "shadow rules: 2 as the live ones, 1 different, 0 uncertain" in done.stderr
    assert "live rules allow, shadow rules block by rule \"no a\"" in done.stdout
    lines = proxy.run("replay", "--json", "--config", new, certgate.access_path).stdout.splitlines()
    told, = [json.loads(line) for line in lines]
    assert told["rules"] == "shadow" and told["shadow_rule"] == "no a" and told["live"] == "allow"


def test_rule_preview_prints_what_cloudflare_shows():
    done = proxy.run("rule", "preview", "--host", "api.example.com")
    assert done.stdout.strip() == (
        'http.host in {"api.example.com"} and '
        '(not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked)')
    assert "starts_with" in proxy.run("rule", "preview", "--host", "a.example.com", "--path",
                                      "/v1").stdout
    bad = proxy.run("rule", "preview", "--host", 'a"b', status=2)
    assert bad.stderr


def test_the_demo_shows_who_gets_through():
    done = proxy.run("demo", "--address", "127.0.0.1:0", "--once")
    answers = re.findall(r"^  (a valid|a revoked|an expired|another CA's) certificate +HTTP/1.1 (\d+)",
                         done.stdout, re.MULTILINE)
    assert answers == [("a valid", "200"), ("a revoked", "403"), ("an expired", "403"),
                       ("another CA's", "403")], done.stdout
    assert done.stdout.count("HTTP/1.1") == 4, done.stdout
    # Its files are gone: no line may send somebody to them.
    assert "curl" not in done.stdout and "/tmp" not in done.stdout, done.stdout


def test_the_demo_prints_curl_lines_that_work_while_it_runs():
    with subprocess.Popen([proxy.BINARY, "demo", "--address", "127.0.0.1:0"],
                          stdout=subprocess.PIPE, text=True) as demo:
        try:
            lines = []
            for line in demo.stdout:
                lines.append(line)
                if line.startswith("Ctrl-C"):
                    break
            curls = [line.split() for line in lines if line.startswith("  curl ")]
            statuses = [subprocess.run([*curl, "-s", "-o", "/dev/null", "-w", "%{http_code}"],
                                       capture_output=True, text=True, check=True,
                                       timeout=proxy.PATIENCE).stdout
                        for curl in curls]
            assert statuses == ["200", "403", "403", "403", "403"], lines
            folder = pathlib.Path(curls[0][curls[0].index("--cacert") + 1]).parent
            assert folder.is_dir()
        finally:
            demo.terminate()
            assert demo.wait(proxy.PATIENCE) == 0
        assert not folder.exists()
