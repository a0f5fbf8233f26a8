"""Rules, origin and log share one reading of host and target, or the request is refused."""

import pytest

import proxy
import wire


def build(tmp_path_factory, normalization):
    origin = wire.WireOrigin()
    setup = proxy.Setup(tmp_path_factory.mktemp("gate"), origin)
    rules = [
        {"name": "no admin", "action": "block", "response": {"status": 403},
         "expression": 'starts_with(http.request.uri.path, "/admin")'},
        {"name": "no raw secret", "action": "block", "response": {"status": 451},
         "expression": 'raw.http.request.uri.path eq "/raw-secret/%2e"'},
    ]
    headers = {"set": {"X-Judged": "http.request.uri.path", "X-Uri": "http.request.uri",
                       "X-Raw": "raw.http.request.uri", "X-Host": "http.host"}}
    names = ["api.example.com", "*.example.org", "127.0.0.1"]
    certgate = setup.start(rules=rules, request_headers=headers, hosts=[setup.host(names)],
                           url_normalization=normalization)
    setup.certgate = certgate
    return setup


@pytest.fixture(scope="module")
def gates(tmp_path_factory):
    built = {
        "rfc3986": build(tmp_path_factory, {"type": "rfc3986"}),
        "cloudflare": build(tmp_path_factory, {"type": "cloudflare"}),
        "original": build(tmp_path_factory, {"type": "cloudflare", "to_origin": False}),
    }
    yield built
    for setup in built.values():
        setup.certgate.stop()
        setup.origin.close()


def ask(gate, target, host="api.example.com", fields=b"", method=b"GET", sni="api.example.com"):
    gate.origin.clear()
    target = target if isinstance(target, bytes) else target.encode("latin-1")
    host = host if isinstance(host, bytes) else host.encode("latin-1")
    data = method + b" " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + fields
    answer = wire.talk(gate, gate.certgate, data + b"Connection: close\r\n\r\n", host=sni)
    return wire.parse_responses(answer)[0].status


# Target, forwarded with rfc3986, forwarded with cloudflare; a number is a status.
PATHS = [
    ("/", "/", "/"),
    ("/a/b", "/a/b", "/a/b"),
    ("/a//b", "/a//b", "/a/b"),
    ("//admin", "//admin", 403),
    ("///", "///", "/"),
    ("/./a", "/a", "/a"),
    ("/a/./b/.", "/a/b/", "/a/b/"),
    ("/a/../b", "/b", "/b"),
    ("/a/b/..", "/a/", "/a/"),
    ("/../../x", "/x", "/x"),
    ("/x/../admin", 403, 403),
    ("/x/%2e%2e/admin", 403, 403),
    ("/x/.%2E/admin", 403, 403),
    ("/%61dmin", 403, 403),
    ("/%2561dmin", "/%2561dmin", "/%2561dmin"),
    ("/admi%6e/x", 403, 403),
    ("/.../a", "/.../a", "/.../a"),
    ("/a%2fb", "/a%2Fb", "/a%2Fb"),
    ("/a%2Fb", "/a%2Fb", "/a%2Fb"),
    ("/x%2f..%2fadmin", 400, 400),
    ("/x%2f%2e%2e/admin", 400, 400),
    ("/a%5cb", "/a%5Cb", "/a%5Cb"),
    ("/x%5c..%5cadmin", "/x%5C..%5Cadmin", 400),
    ("/a\\b", "/a%5Cb", "/a/b"),
    ("/x\\..\\admin", "/x%5C..%5Cadmin", 403),
    ("/a;x/b", "/a;x/b", "/a;x/b"),
    ("/a/..;/admin", 400, 400),
    ("/a/.;x=1/b", 400, 400),
    ("/a%00b", 400, 400),
    ("/a\0b", 400, 400),
    ("/a#b", 400, 400),
    ("/a?x=1#b", 400, 400),
    ("/a%23b", "/a%23b", "/a%23b"),
    ("/a%", 400, 400),
    ("/a%2", 400, 400),
    ("/a%zz", 400, 400),
    ("/a?x=%zz", 400, 400),
    ("/%c0%afadmin", 400, 400),
    ("/%c0%ae%c0%ae/admin", 400, 400),
    ("/%e0%80%af", 400, 400),
    ("/caf\xe9", 400, 400),
    ("/caf%c3%a9", "/caf%C3%A9", "/caf%C3%A9"),
    ("/%7euser/%41", "/~user/A", "/~user/A"),
    ("/a b", 400, 400),
    ("/a\tb", 400, 400),
    ("/a\x7fb", 400, 400),
    ("/a\"<>^`{|}b", "/a%22%3C%3E%5E%60%7B%7C%7Db", "/a%22%3C%3E%5E%60%7B%7C%7Db"),
    ("/a?b=/../c//d", "/a?b=/../c//d", "/a?b=/../c//d"),
    ("/a/../b?c", "/b?c", "/b?c"),
    ("/a?", "/a?", "/a?"),
    ("/a??b", "/a??b", "/a??b"),
    ("/a;b=c?d=e&f", "/a;b=c?d=e&f", "/a;b=c?d=e&f"),
    ("/a:b@c/!$&'()*+,=", "/a:b@c/!$&'()*+,=", "/a:b@c/!$&'()*+,="),
    ("*", 400, 400),
    ("admin", 400, 400),
    ("?x", 400, 400),
    ("api.example.com:443", 400, 400),
    ("http://api.example.com/a/../b", "/b", "/b"),
    ("HTTPS://API.EXAMPLE.COM/b", "/b", "/b"),
    ("https://api.example.com", "/", "/"),
    ("https://api.example.com?x=1", "/?x=1", "/?x=1"),
    ("https://api.example.com/admin", 403, 403),
    ("https://user@api.example.com/", 400, 400),
    ("https://other.example.com/", 400, 400),
    ("https://api.example.com:8443/", 400, 400),
    ("https:///a", 400, 400),
    ("ftp://api.example.com/", 400, 400),
    ("https://api.example.com\\@evil.test/", 400, 400),
]


@pytest.mark.parametrize("type_", ["rfc3986", "cloudflare"])
def test_threat_54_55_57_58_what_is_judged_is_what_is_forwarded(gates, type_):
    gate = gates[type_]
    wrong = []
    for target, rfc, cloudflare in PATHS:
        expected = rfc if type_ == "rfc3986" else cloudflare
        status = ask(gate, target)
        seen = gate.origin.requests[-1] if gate.origin.requests else None
        got = seen.target if status == 200 else status
        if got != expected or (status != 200 and seen is not None):
            wrong.append((target, expected, got))
        if seen is not None:
            judged = seen.all("X-Judged")[0]
            if judged != seen.target.split("?")[0] or seen.one("Host") != "api.example.com":
                wrong.append((target, "judged " + judged, seen.target))
    assert wrong == []
    for record in gate.certgate.records():
        assert not record.get("path", "/").startswith("/admin") or record["status"] == 403, record


def test_threat_54_the_original_for_the_origin(gates):
    gate = gates["original"]
    for target in ("/a//b/../c?x", "/a%2e/%7e", "/a\\b"):
        assert ask(gate, target) == 200
        assert gate.origin.last().target == target
    # The rules see the normalised form all the same.
    for target in ("//admin", "/x/../admin", "/%61dmin", "/x\\..\\admin"):
        assert ask(gate, target) == 403 and gate.origin.requests == [], target
    # And the raw one where they ask for it.
    assert ask(gate, "/raw-secret/%2e") == 451
    assert ask(gate, "/raw-secret/%2e/") == 200


def test_threat_54_options_asterisk(gates):
    gate = gates["rfc3986"]
    assert ask(gate, "*", method=b"OPTIONS") == 200
    assert gate.origin.last().line == "OPTIONS * HTTP/1.1"


# Host, the status, what the rules and the origin see as the host.
HOSTS = [
    ("api.example.com", 200, "api.example.com"),
    ("API.Example.COM", 200, "api.example.com"),
    ("api.example.com.", 200, "api.example.com"),
    ("api.example.com:443", 200, "api.example.com"),
    ("api.example.com.:8443", 200, "api.example.com"),
    ("a.example.org", 200, "a.example.org"),
    ("A.EXAMPLE.ORG.", 200, "a.example.org"),
    ("a.b.example.org", 421, None),
    ("example.org", 421, None),
    ("other.test", 421, None),
    ("api.example.com.evil.test", 421, None),
    ("", 400, None),
    ("api.example.com, other.test", 400, None),
    ("api.example.com other.test", 400, None),
    ("user@api.example.com", 400, None),
    ("user:pass@api.example.com", 400, None),
    ("api.example.com@evil.test", 400, None),
    ("api.example.com/", 400, None),
    ("api.example.com#", 400, None),
    ("api.example.com?", 400, None),
    ("api.example.com\\", 400, None),
    ("api.example.com%00", 400, None),
    ("api.example.com\0", 400, None),
    ("api.example.com:", 400, None),
    ("api.example.com:x", 400, None),
    ("api.example.com:0", 400, None),
    ("api.example.com:65536", 400, None),
    ("api.example.com:443:443", 400, None),
    ("api.example.com:-1", 400, None),
    ("api..example.com", 400, None),
    (".api.example.com", 400, None),
    ("api.example.com..", 400, None),
    ("-api.example.com", 400, None),
    ("\xe4pi.example.com", 400, None),
    ("[::1", 400, None),
    ("::1", 400, None),
    ("0x7f.1", 400, None),
    ("*.example.org", 400, None),
    ("x" * 64 + ".example.org", 400, None),
]


def test_threat_57_68_hosts(gates):
    gate = gates["rfc3986"]
    wrong = []
    for host, expected, canonical in HOSTS:
        status = ask(gate, "/", host)
        if status != expected:
            wrong.append((host, expected, status))
        elif status == 200:
            seen = gate.origin.last()
            if seen.one("X-Host").split(":")[0] != canonical:
                wrong.append((host, canonical, seen.one("X-Host")))
            if seen.one("Host").split(":")[0] != canonical:
                wrong.append((host, canonical, seen.one("Host")))
    assert wrong == []


def test_threat_68_target_and_host_agree(gates):
    gate = gates["rfc3986"]
    for target, host, status in [
        ("https://api.example.com/x", "api.example.com:443", 200),
        ("https://api.example.com:443/x", "api.example.com", 200),
        ("https://api.example.com./x", "API.example.com", 200),
        ("https://api.example.com/x", "a.example.org", 400),
        ("https://a.example.org/x", "api.example.com", 400),
        ("https://api.example.com:444/x", "api.example.com", 400),
        ("https://api.example.com/x", "", 400),
    ]:
        assert ask(gate, target, host) == status, (target, host)
        if status == 200:
            assert gate.origin.last().target == "/x"
            assert gate.origin.last().one("Host").split(":")[0] == "api.example.com"


def test_routes_take_the_longest_prefix_on_a_segment_boundary(tmp_path):
    origins = {name: wire.WireOrigin() for name in ("api", "v2", "v2users", "slash")}
    setup = proxy.Setup(tmp_path, origins["api"])
    host = setup.host(routes=[{"path": "/v2", "origin": "v2"},
                              {"path": "/v2/users", "origin": "v2users"},
                              {"path": "/dir/", "origin": "slash"}])
    config = setup.config(rules=[], hosts=[host],
                          origins={n: {"servers": [o.url]} for n, o in origins.items()})
    with setup.start(config) as certgate, setup.client(certgate) as client:
        for path, name in [("/", "api"), ("/v2", "v2"), ("/v2/", "v2"), ("/v2?x", "v2"),
                           ("/v20", "api"), ("/v2.0", "api"), ("/V2", "api"), ("/v2/user", "v2"),
                           ("/v2/users", "v2users"), ("/v2/users/7", "v2users"),
                           ("/v2/users2", "v2"), ("/v2/../x", "api"), ("/x/../v2/y", "v2"),
                           ("/%762/users", "v2users"), ("/v2%2fusers", "api"), ("/dir/x", "slash"),
                           ("/dirx", "api")]:
            assert client.get(path).status == 200
            reached = [n for n, o in origins.items() if o.requests]
            assert reached == [name], path
            origins[name].clear()
    for origin in origins.values():
        origin.close()
