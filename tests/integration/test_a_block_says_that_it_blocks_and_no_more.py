"""Block, allow and log; the answer of a block in every form; the mTLS form; failed evaluations."""

import json

import pytest

import proxy

BLOCK_ALL = {"name": "a telling rule name", "expression": "http.host ne \"\"", "action": "block"}
SECRETS = ("telling", "cert", "revoke", "expire", "verif", "rule", "CN=", "certgate", "policy")


@pytest.mark.parametrize("accept, content_type", [
    (None, "application/json"),
    ("*/*", "application/json"),
    ("application/json", "application/json"),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
    ("text/plain", "text/plain"),
    ("text/html;q=0.5, text/plain", "text/plain"),
    ("application/json;q=0, text/html;q=0.1", "text/html"),
    ("image/png", "application/json"),
    ("text/*", "text/html"),
    ("nonsense;;q=x,,", "application/json"),
])
def test_the_answer_has_the_form_that_the_client_accepts(setup, accept, content_type):
    revoked = setup.ca.issue("revoked")
    setup.ca.revoke(revoked)
    with setup.start(rules=[dict(BLOCK_ALL)]) as certgate:
        with setup.client(certgate, revoked) as client:
            response = client.get("/", headers=[("Accept", accept)] if accept else [])
            again = client.get("/again")
        assert response.status == 403 and again.status == 403  # and the connection goes on
        assert response.headers["Content-Type"].startswith(content_type)
        assert response.headers["Cache-Control"] == "no-store"
        record = certgate.records(1, path="/")[0]
        text = response.body.decode()
        assert record["request_id"] == response.headers["X-Request-Id"]
        assert record["request_id"] in text and "403" in text
        if content_type == "application/json":
            assert json.loads(text)["request_id"] == record["request_id"]
        # threats.md, row 53: the reason is for the log alone.
        everything = text + str(response.headers)
        assert not [secret for secret in SECRETS if secret in everything]
        assert record["cert_reason"] == "certificate revoked (keyCompromise)"
        assert (record["rule"], record["action"]) == (BLOCK_ALL["name"], "blocked")
        assert record["request_id"] != certgate.records(1, path="/again")[0]["request_id"]
    assert not setup.origin.requests


def test_threat_53_blocks_for_every_cause_look_alike(setup):
    revoked, foreign = setup.ca.issue("revoked"), proxy.Authority(setup.folder, "X").issue("x")
    setup.ca.revoke(revoked)
    with setup.start() as certgate:
        bodies = set()
        for identity in (None, revoked, foreign):
            with setup.client(certgate, identity) as client:
                response = client.get("/")
                bodies.add(response.body.decode().replace(response.headers["X-Request-Id"], "ID"))
        assert len(bodies) == 1
    with setup.start(hosts=[setup.host(mode="off")], rules=[dict(BLOCK_ALL)]) as certgate:
        with setup.client(certgate) as client:
            response = client.get("/")
            bodies.add(response.body.decode().replace(response.headers["X-Request-Id"], "ID"))
        assert len(bodies) == 1


def test_each_rule_may_have_an_answer_of_its_own(setup):
    rules = [
        {"name": "xml", "expression": 'http.request.uri.path eq "/xml"', "action": "block",
         "response": {"status": 451, "content_type": "application/xml", "body": "<no/>\n"}},
        {"name": "status only", "expression": 'http.request.uri.path eq "/404"', "action": "block",
         "response": {"status": 404}},
        {"name": "empty of JSON", "expression": 'http.request.uri.path eq "/json"',
         "action": "block",
         "response": {"status": 401, "content_type": "application/json", "body": "{}"}},
    ]
    with setup.start(rules=rules) as certgate, setup.client(certgate) as client:
        response = client.get("/xml", headers=[("Accept", "text/html")])
        assert (response.status, response.body) == (451, b"<no/>\n")
        assert response.headers["Content-Type"] == "application/xml"
        assert response.headers["X-Request-Id"]
        response = client.get("/404", headers=[("Accept", "text/plain")])
        assert response.status == 404 and b"404" in response.body
        response = client.get("/xml", method="HEAD")
        assert response.status == 451 and response.body == b""
        assert response.headers["Content-Length"] == "6"
        response = client.get("/json", method="POST", body=b"x" * 100)
        assert (response.status, response.body) == (401, b"{}")
        assert client.get("/other").status == 200
        statuses = {r["path"]: (r["status"], r.get("rule")) for r in certgate.records(5)}
        assert statuses["/404"] == (404, "status only") and statuses["/json"][0] == 401
        assert statuses["/other"] == (200, None)


def test_rules_go_from_top_to_bottom_and_log_goes_on(setup):
    rules = [
        {"name": "seen", "expression": "not cf.tls_client_auth.cert_presented", "action": "log"},
        {"name": "public", "expression": 'http.request.uri.path eq "/public"', "action": "allow"},
        {"name": "never", "expression": "ssl", "action": "block", "enabled": False},
        {"name": "also seen", "expression": "ssl", "action": "log"},
        {"name": "valid only",
         "expression": "not cf.tls_client_auth.cert_verified", "action": "block"},
        {"name": "too late", "expression": "ssl", "action": "allow"},
    ]
    with setup.start(rules=rules, default_action="block") as certgate:
        with setup.client(certgate) as client:
            assert client.get("/public").status == 200
            assert client.get("/private").status == 403
        with setup.client(certgate, setup.ca.issue("alice")) as client:
            assert client.get("/alice").status == 200
        found = {r["path"]: (r.get("log_rules"), r.get("rule"), r["action"])
                 for r in certgate.records(3)}
        assert found == {
            "/public": (["seen"], "public", "allowed"),
            "/private": (["seen", "also seen"], "valid only", "blocked"),
            "/alice": (["also seen"], "too late", "allowed"),
        }
        # Without any rule that matches, the default decides.
        certgate.reload(setup.config(rules=[], default_action="block"))
        with setup.client(certgate, setup.ca.issue("bob")) as client:
            assert client.get("/default").status == 403
        assert certgate.records(1, path="/default")[0]["action"] == "blocked"


def test_the_mtls_form_is_the_expression_of_its_preview(setup):
    form = {"name": "devices only", "mtls": {"hosts": ["api.example.com"], "paths": ["/v1"]},
            "action": "block"}
    preview = proxy.run("rule", "preview", "--host", "api.example.com", "--path", "/v1").stdout
    expression = {"name": "devices only", "expression": preview.strip(), "action": "block"}
    revoked, valid = setup.ca.issue("revoked"), setup.ca.issue("valid")
    setup.ca.revoke(revoked)
    lenient = {**form, "mtls": {**form["mtls"], "block_revoked": False}}
    hosts = [setup.host(), setup.host(["free.example.com"])]
    with setup.start(hosts=hosts, rules=[form]) as certgate:
        for rule, of_revoked in [(form, 403), (expression, 403), (lenient, 200)]:
            certgate.reload(setup.config(hosts=hosts, rules=[rule]))
            for identity, status in [(None, 403), (revoked, of_revoked), (valid, 200)]:
                with setup.client(certgate, identity) as client:
                    assert client.get("/v1").status == status, (rule, identity)
                    assert client.get("/v1?x=1").status == status
                    assert client.get("/v2").status == 200
                with setup.client(certgate, identity, host="free.example.com") as client:
                    assert client.get("/v1").status == 200


def test_threat_60_an_evaluation_that_cannot_be_completed_denies(setup):
    """One evaluation has so much memory; a request that needs more of it is refused, whatever the
    default is, and whether it is the rule or the value of a header that needs it."""
    headers = "".join(f'lower(url_decode(http.user_agent, "r")), "{n}", ' for n in range(40))
    greedy = f'concat({headers}"")'
    rule = {"name": "greedy", "expression": f'{greedy} contains "nobody says this"',
            "action": "block"}
    usual, large = "small", "x%2541" * 50000
    value = {"set": {"X-Greedy": f"{greedy}"}}
    limits = {"header_bytes": "512KiB"}
    with setup.start(rules=[rule], limits=limits) as certgate:
        for config in (setup.config(rules=[rule], limits=limits),
                       setup.config(rules=[], request_headers=value, limits=limits)):
            certgate.reload(config)
            setup.origin.requests.clear()
            with setup.client(certgate) as client:
                assert client.get("/", headers=[("User-Agent", usual)]).status == 200
                assert client.get("/large", headers=[("User-Agent", large)]).status == 403
                assert client.get("/", headers=[("User-Agent", usual)]).status == 200
            assert len(setup.origin.requests) == 2
        for record in certgate.records(2, path="/large"):
            assert record["failure"] == "evaluation_failed", record


def test_a_header_that_is_absent_is_no_failure(setup):
    rules = [{"name": "by value", "expression": 'any(http.request.headers["x-a"][*] eq "b")',
              "action": "block"}]
    with setup.start(rules=rules) as certgate, setup.client(certgate) as client:
        assert client.get("/").status == 200
        assert client.get("/", headers=[("X-A", "b")]).status == 403
        assert client.get("/", headers=[("X-A", "a"), ("X-A", "b")]).status == 403
        assert client.get("/", headers=[("X-A", "a")]).status == 200
