"""Faults that proxies of this kind have had, one by one: names, policies, rules, rewriting, loops.

The rows are those of docs/security.md; other files hold the ones that belong to their subject.
"""

import copy
import datetime
import os
import random
import socket
import ssl
import subprocess

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import proxy
import tls_peer
import wire

HEAD = "Host: api.example.com\r\n"


# --- Names and policies -----------------------------------------------------------------------------


def test_threat_09_one_function_matches_names_for_tls_and_http(setup):
    """Each spelling of a name meets the same policy, in the handshake and in the request."""
    strict = ["api.example.com", "*.example.org"]
    hosts = [setup.host(strict, mode="require"), setup.host(["*"], mode="off")]
    alice = setup.ca.issue("alice")
    spellings = {
        True: ["api.example.com", "API.example.com", "Api.Example.Com", "api.example.com.",
               "API.EXAMPLE.COM.", "www.example.org", "WWW.Example.ORG."],
        False: ["example.com", "xapi.example.com", "a.b.example.org", "example.org", "xn--bcher-kva.de"],
    }
    with setup.start(hosts=hosts, rules=[]) as certgate:
        for is_strict, names in spellings.items():
            for sni in names:
                context = tls_peer.lax_context(alice)
                with proxy.Client(certgate.port, context, sni) as client:
                    for strict_too, hosts_of in spellings.items():
                        for host in hosts_of:
                            for port in ("", ":443", f":{certgate.port}"):
                                wanted = 200 if is_strict == strict_too else 421
                                status = client.get("/", host=host + port).status
                                assert status == wanted, (sni, host, port)
                # Without a certificate the strict ones are closed, however they are spelt.
                alert = tls_peer.alert_of(certgate.port, tls_peer.lax_context(), sni)
                expected = "certificate_required" if is_strict else None
                if is_strict:
                    assert alert == expected, sni


@pytest.mark.parametrize("mode", ["request", "require"])
def test_threat_10_policies_are_compared_and_wildcards_count(setup, mode):
    """A public name in the handshake opens no host that a wildcard protects, nor the reverse."""
    hosts = [setup.host(["public.example.org"], mode="off"), setup.host(["*.example.org"], mode=mode)]
    alice = setup.ca.issue("alice")
    with setup.start(hosts=hosts, rules=[]) as certgate:
        with proxy.Client(certgate.port, tls_peer.lax_context(alice), "public.example.org") as client:
            assert client.get("/", host="public.example.org").status == 200
            for name in ("a.example.org", "A.EXAMPLE.ORG", "a.example.org.", "a.example.org:443"):
                assert client.get("/secret", host=name).status == 421, name
        with proxy.Client(certgate.port, tls_peer.lax_context(alice), "a.example.org") as client:
            assert client.get("/", host="b.example.org").status == 200  # the same policy
            assert client.get("/", host="public.example.org").status == 421
    assert {r.path for r in setup.origin.requests} == {"/"}


def keys_of(value, path=()):
    """Every map of a document with the path that leads to it."""
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from keys_of(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from keys_of(inner, (*path, index))


def at(document, path):
    for step in path:
        document = document[step]
    return document


def test_threat_17_no_key_is_misspelt_in_silence(setup):
    """Each key of the whole schema, misspelt where it stands, is an error that names it."""
    config = setup.config()
    host = config["hosts"][0]
    host["routes"] = [{"path": "/v2", "origin": "api"}]
    host["request_headers"] = {"set": {"X-Who": "http.host"}, "remove": ["X-Old"]}
    config["origins"]["api"]["health"] = {"path": "/up"}
    config["rules"].append({"name": "form", "mtls": {"hosts": ["api.example.com"]}, "action": "block",
                            "response": {"status": 403, "content_type": "text/plain", "body": "no"}})
    config["lists"] = {"ops": {"type": "ip", "values": ["192.0.2.0/24"]}}
    config["admin"] = {"address": "127.0.0.1:0"}
    path = setup.folder / "certgate.yaml"
    proxy.write_whole(path, yaml.safe_dump(config))
    whole = yaml.safe_load(proxy.run("check", "--config", path, "--dump").stdout)
    tried = 0
    misspelt = copy.deepcopy(whole)
    words = []
    # All at once: a diagnostic for each, none hidden by another.
    for where, keys in list(keys_of(whole)):
        if where and where[-1] in ("origins", "lists", "set"):
            continue  # names that the user chooses
        for key in keys:
            if where and where[-1] == "origins":
                continue
            wrong = f"{key}x"
            at(misspelt, where)[wrong] = at(misspelt, where)[key]
            words.append(wrong)
            tried += 1
    assert tried > 80, tried
    proxy.write_whole(path, yaml.safe_dump(misspelt, width=1000))
    errors = proxy.run("check", "--config", path, status=2).stderr
    missing = [word for word in words if f"`{word}`" not in errors and f"'{word}'" not in errors
               and word not in errors]
    assert not missing, (missing, errors[:2000])
    # And what is in force is shown for each host.
    proxy.write_whole(path, yaml.safe_dump(config))
    shown = proxy.run("check", "--config", path).stdout
    assert "host api.example.com" in shown and "CN=Client CA" in shown and "request" in shown


@pytest.mark.parametrize("tickets", ["stateful", "stateless"])
@pytest.mark.parametrize("version", tls_peer.VERSIONS)
def test_threat_23_a_session_does_not_outlive_the_validation_it_passed(setup, version, tickets):
    """Settings of the verification change: a resumed client is judged by the new ones."""
    middle = proxy.Authority(setup.folder, "Middle CA", issuer=setup.ca)
    lower = proxy.Authority(setup.folder, "Lower CA", issuer=middle)
    deep = lower.issue("deep", extra_chain=[lower, middle])
    config = setup.config(sessions={"tickets": tickets})
    del config["hosts"][0]["client_auth"]["crl"]
    context = proxy.client_context(setup.server_ca, deep, tls_peer.VERSIONS[version])
    with setup.start(config) as certgate:
        with setup.client(certgate, context=context) as client:
            assert client.get("/").status == 200
            session = client.tls.session
        with setup.client(certgate, context=context, session=session) as client:
            assert client.tls.session_reused
            assert client.get("/").status == 200
            session = client.tls.session
            # Its chain is too long from now on.
            changed = copy.deepcopy(config)
            changed["hosts"][0]["client_auth"]["depth"] = 1
            certgate.reload(changed)
            assert client.get("/").status == 403
        with setup.client(certgate, context=context, session=session) as client:
            assert client.get("/").status == 403
        certgate.reload(config)
        with setup.client(certgate, context=context) as client:
            assert client.get("/").status == 200


def test_threat_31_sha_1_fingerprints_are_warned_of(setup):
    config = setup.config(rules=[{
        "name": "by fingerprint", "action": "block",
        "expression": 'not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked or '
                      'not cf.tls_client_auth.cert_fingerprint_sha1 in {"' + "ab" * 20 + '"}'}])
    path = setup.folder / "certgate.yaml"
    proxy.write_whole(path, yaml.safe_dump(config))
    done = proxy.run("check", "--config", path)
    assert "SHA-1 fingerprints can be forged" in done.stdout + done.stderr
    assert "cert_fingerprint_sha256" in done.stdout + done.stderr
    better = yaml.safe_dump(config).replace("fingerprint_sha1", "fingerprint_sha256").replace(
        "ab" * 20, "ab" * 32)
    proxy.write_whole(path, better)
    done = proxy.run("check", "--config", path)
    assert "SHA-1" not in done.stdout + done.stderr


@pytest.mark.parametrize("version", tls_peer.VERSIONS)
def test_threat_33_validity_begins_and_ends_on_a_connection_that_stays(setup, version):
    """Each request is judged by the clock of its moment: not yet valid, valid, expired."""
    begin = proxy.now() + datetime.timedelta(seconds=4 if not wire.SANITIZED else 15)
    length = datetime.timedelta(seconds=6 if not wire.SANITIZED else 20)
    brief = setup.ca.issue("brief", valid_from=begin, valid_for=length)
    context = proxy.client_context(setup.server_ca, brief, tls_peer.VERSIONS[version])
    with setup.start() as certgate, setup.client(certgate, context=context) as client:
        seen = []

        def judged():
            seen.append(client.get("/").status)
            return seen[-1]

        assert judged() == 403
        proxy.wait_until(lambda: judged() == 200, "the certificate to become valid")
        proxy.wait_until(lambda: judged() == 403, "the certificate to expire")
        changes = [seen[0]] + [b for a, b in zip(seen, seen[1:]) if a != b]
        assert changes == [403, 200, 403]
        verdicts = []
        for record in certgate.records(len(seen)):
            if not verdicts or verdicts[-1] != record["cert_verdict"]:
                verdicts.append(record["cert_verdict"])
        assert verdicts == ["not_yet_valid", "verified", "expired"]


class SetClock:
    """The wall clock of a certgate that is started with its `environment`: set at will."""

    SOURCE = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec* time) {
  static long const volatile* offset;
  if (!offset) offset = mmap(0, 8, PROT_READ, MAP_SHARED, open(getenv("CLOCK_OFFSET"), O_RDONLY), 0);
  int const result = syscall(SYS_clock_gettime, id, time);
  if (id == CLOCK_REALTIME) time->tv_sec += *offset;
  return result;
}
"""

    def __init__(self, folder):
        source, library, self.offset = folder / "clock.c", folder / "clock.so", folder / "offset"
        source.write_text(self.SOURCE)
        self.set(0)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(self.offset),
                            "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=1"}

    def set(self, days):
        with open(self.offset, "r+b" if self.offset.exists() else "wb") as file:
            file.write(int(days * 86_400).to_bytes(8, "little", signed=True))


def test_threat_33_a_clock_that_is_put_right_gives_everybody_a_new_verdict(setup):
    """A machine that starts with a wrong clock: what it thought then is not held against anybody."""
    clock = SetClock(setup.folder)
    alice = setup.ca.issue("alice")
    setup.ca.write_crl(next_update=proxy.now() + datetime.timedelta(days=10))
    with proxy.Certgate(setup.folder, setup.config(), environment=clock.environment) as certgate:
        with setup.client(certgate, alice) as client:
            seen = []
            # Past the end of the list, of the certificate, before its begin; and the truth between.
            for days in (0, 15, 0, 4000, 0, -400, 0):
                clock.set(days)
                seen.append(client.get("/").status)
            assert seen == [200, 403, 200, 403, 200, 403, 200]
            verdicts = [record["cert_verdict"] for record in certgate.records(7)]
            assert verdicts == ["verified", "crl_unusable", "verified", "expired", "verified",
                                "not_yet_valid", "verified"]


def test_threat_25_certificates_that_brought_libraries_down_end_soon(setup):
    """Policy trees that explode (CVE-2023-0464) and long punycode in constraints (CVE-2022-3602)."""
    key = ec.generate_private_key(ec.SECP256R1())
    policies = [x509.PolicyInformation(x509.ObjectIdentifier(f"1.3.6.1.4.1.99999.{n}"), None)
                for n in range(200)]

    def authority(name, issuer, *extensions):
        made = proxy.Authority(setup.folder, name, issuer=issuer)
        builder = (
            x509.CertificateBuilder().subject_name(made.subject).issuer_name(issuer.subject)
            .public_key(made.key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(proxy.now() - datetime.timedelta(days=1))
            .not_valid_after(proxy.now() + datetime.timedelta(days=9))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True))
        for extension in extensions:
            builder = builder.add_extension(extension, False)
        made.certificate = builder.sign(issuer.key, hashes.SHA256())
        return made

    issuer, chain = setup.ca, []
    for level in range(3):
        issuer = authority(f"Policy CA {level}", issuer, x509.CertificatePolicies(policies))
        chain.insert(0, issuer)
    policy_client = issuer.issue("policies", key=key, extra_chain=chain)
    puny = authority("Puny CA", setup.ca, x509.NameConstraints(
        None, [x509.RFC822Name("x@xn--" + "a" * 600 + ".example")]))
    puny_client = puny.issue("puny", extra_chain=[puny])
    alice = setup.ca.issue("alice")
    host = setup.host()
    del host["client_auth"]["crl"]  # these CAs have no lists
    with setup.start(hosts=[host]) as certgate:
        for identity, statuses in ((policy_client, {200}), (puny_client, {200, 403})):
            with setup.client(certgate, identity) as client:
                assert client.get("/").status in statuses
        # The worker is none the worse.
        with setup.client(certgate, alice) as client:
            assert client.get("/").status == 200


def test_threat_25_an_openssl_with_known_faults_is_not_run(setup):
    """Older than 3.0.9 (CVE-2023-0286, -0464): certgate says so and does not serve."""
    source = setup.folder / "old.c"
    source.write_text("unsigned long OpenSSL_version_num(void) { return 0x30000080L; }\n")
    library = setup.folder / "old.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    proxy.write_whole(setup.folder / "certgate.yaml", yaml.safe_dump(setup.config()))
    old = {**os.environ, "LD_PRELOAD": str(library), "ASAN_OPTIONS": "verify_asan_link_order=0"}
    done = proxy.run("run", "--config", setup.folder / "certgate.yaml", status=2, env=old)
    assert "OpenSSL 3.0.8 has known faults" in done.stderr
    assert "install 3.0.9 or later" in done.stderr


# --- The origin beside the proxy --------------------------------------------------------------------


def test_threat_50_an_origin_that_asks_for_the_proxys_certificate_has_no_side_door(tmp_path):
    """With `origins.*.tls.certificate` nobody but certgate gets through to the origin."""
    authority = proxy.Authority(tmp_path, "Origin CA")
    identity = authority.issue("origin", server=True)
    proxies = proxy.Authority(tmp_path, "Proxy CA")
    own = proxies.issue("certgate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(identity.path), str(identity.key_path))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(str(proxies.path))
    with proxy.Origin(tls=context) as origin:
        setup = proxy.Setup(tmp_path, origin)
        alice = setup.ca.issue("alice")
        config = setup.config()
        config["origins"]["api"]["tls"] = {
            "ca": authority.path.name, "certificate": own.path.name,
            "private_key": own.key_path.name}
        config["hosts"][0]["forward_client_certificate"] = ["rfc9440"]
        with setup.start(config) as certgate, setup.client(certgate, alice) as client:
            assert client.get("/through").status == 200
        # Going around it, even with a certificate that opens certgate, and a forged header.
        for intruder in (None, alice):
            direct = tls_peer.lax_context(intruder)
            try:
                with socket.create_connection(("127.0.0.1", origin.port), proxy.PATIENCE) as raw:
                    with direct.wrap_socket(raw, server_hostname="127.0.0.1") as tls:
                        tls.sendall(b"GET /around HTTP/1.1\r\nHost: x\r\nClient-Cert: :AAAA:\r\n\r\n")
                        assert tls.recv(1) == b""
            except OSError:
                pass
        request, = origin.requests
        assert request.path == "/through" and len(request.all("Client-Cert")) == 1


# --- Rules ------------------------------------------------------------------------------------------


def test_threat_56_more_than_a_hundred_names_and_thousands_of_rules(setup):
    """What the index decides is what trying each rule in turn would decide, in every spelling."""
    chance = random.Random(56)
    names = [f"host-{n}.example.com" for n in range(150)]
    setup.names = ["*.example.com"]
    rules = [{"name": "many names", "action": "block", "response": {"status": 451},
              "expression": "http.request.uri.path eq \"/listed\" and http.host in {"
                            + " ".join(f'"{n}"' for n in names) + "}"}]
    count = 2_000
    for n in range(count):
        rules.append({"name": f"r{n}", "action": "block", "response": {"status": 430 + n % 60},
                      "expression": f'http.request.uri.path eq "/p/{n}"'})
    rules.append({"name": "prefix", "action": "block", "response": {"status": 491},
                  "expression": 'starts_with(http.request.uri.path, "/p/")'})

    def naive(host, path):
        if path == "/listed" and host.lower().rstrip(".") in names:
            return 451
        if path.startswith("/p/"):
            number = path[3:]
            if number.isdigit() and str(int(number)) == number and int(number) < count:
                return 430 + int(number) % 60
            return 491
        return 200

    with setup.start(rules=rules) as certgate, setup.client(certgate, host="www.example.com") as client:
        for n in range(400 if not wire.SANITIZED else 60):
            name = chance.choice(names + [f"host-{n}.example.com" for n in range(150, 170)])
            host = "".join(chance.choice((c.lower(), c.upper())) for c in name) + chance.choice(("", "."))
            path = chance.choice(("/listed", "/LISTED", "/listed/", f"/p/{chance.randrange(count + 50)}",
                                  f"/p/{chance.randrange(count)}x", "/p/007", "/p", "/other"))
            assert client.get(path, host=host).status == naive(host, path), (host, path)


def test_threat_59_expressions_on_attackers_text_take_linear_time(setup):
    """Patterns that hang a backtracking engine for longer than the universe has existed."""
    rules = [
        {"name": n, "action": "block",
         "expression": f'any(http.request.headers["x-text"][*] matches "{pattern}")'}
        for n, pattern in (("nested", "^(a+)+$"), ("alternation", "^(a|a)*$"),
                           ("optional", "^(a?){30}a{30}b$"), ("tail", "(.*a){12}b$"))
    ]
    with setup.start(rules=rules, limits={"header_bytes": "64KiB"}) as certgate:
        with setup.client(certgate) as client:
            assert client.get("/", headers=[("X-Text", "a" * 60_000 + "!")]).status == 200
            assert client.get("/", headers=[("X-Text", "a" * 60_000)]).status == 403
            assert client.get("/", headers=[("X-Text", "a" * 66_000)]).status == 431
    # What would cost too much when compiled is refused when it is read.
    path = setup.folder / "huge.yaml"
    huge = setup.config(rules=[{"name": "huge", "action": "block", "expression":
                                'http.host matches "((a{1000}){1000}){1000}"'}])
    proxy.write_whole(path, yaml.safe_dump(huge))
    done = proxy.run("check", "--config", path, status=2)
    assert "huge.yaml:" in done.stderr


def test_threat_61_rules_that_contradict_or_shadow_are_told(setup):
    rules = [
        {"name": "contradiction", "action": "block",
         "expression": 'http.host eq "a.example.com" and http.host eq "b.example.com"'},
        {"name": "wide", "action": "block", "expression": 'starts_with(http.request.uri.path, "/a")'},
        {"name": "narrow", "action": "allow", "expression": 'http.request.uri.path eq "/a/b"'},
    ]
    path = setup.folder / "certgate.yaml"
    proxy.write_whole(path, yaml.safe_dump(setup.config(rules=rules)))
    done = proxy.run("check", "--config", path)
    told = done.stdout + done.stderr
    assert "can never match" in told
    assert "never reached" in told and "`wide`" in told


def test_threat_62_nothing_that_is_written_becomes_an_expression(setup):
    """Values are values: quotes, line ends and template marks in them change no rule."""
    path = setup.folder / "certgate.yaml"
    for host in ('api.example.com"} or true or http.host in {"x', "api.example.com\n or true",
                 "{{ .Host }}", "${HOST}", "$(id)"):
        config = setup.config(rules=[{"name": "form", "mtls": {"hosts": [host]}, "action": "block"}])
        proxy.write_whole(path, yaml.safe_dump(config))
        done = proxy.run("check", "--config", path, status=2)
        assert "certgate.yaml:" in done.stderr
    for secret in ('/v1"} or true or http.request.uri.path in {"', "/v1\n or true", "/{{x}}"):
        config = setup.config(rules=[{"name": "form", "action": "block",
                                      "mtls": {"hosts": ["api.example.com"], "paths": [secret]}}])
        proxy.write_whole(path, yaml.safe_dump(config))
        done = proxy.run("check", "--config", path, status=None)
        if done.returncode == 0:  # a path as good as any other: it is one literal
            with setup.start(config) as certgate, setup.client(certgate) as client:
                assert client.get("/other").status == 200
    texts = ['{{ http.host }}', '${HOME}', 'a" or "b', "%{SSL_CLIENT_S_DN}e", "$http_host"]
    values = {f"X-Value-{n}": '"' + text.replace('"', '\\"') + '"' for n, text in enumerate(texts)}
    config = setup.config(rules=[], request_headers={"set": values})
    with setup.start(config) as certgate, setup.client(certgate) as client:
        assert client.get("/").status == 200
    for n, text in enumerate(texts):
        assert setup.origin.last().all(f"X-Value-{n}") == [text]


# --- Memory that only grows -------------------------------------------------------------------------


@pytest.mark.parametrize("version", tls_peer.VERSIONS)
def test_threat_77_the_session_cache_is_bounded(setup, version):
    """The oldest sessions make room: they are handshaken anew, the newest resume."""
    alice = setup.ca.issue("alice")
    context = proxy.client_context(setup.server_ca, alice, tls_peer.VERSIONS[version])
    with setup.start(sessions={"tickets": "stateful", "cache_entries": 10}, workers=1) as certgate:
        sessions = []
        for _ in range(60):
            with setup.client(certgate, context=context) as client:
                assert client.get("/").status == 200
                sessions.append(client.tls.session)
        resumed = []
        for session in (sessions[0], sessions[1], sessions[-1]):
            with setup.client(certgate, context=context, session=session) as client:
                assert client.get("/").status == 200
                resumed.append(client.tls.session_reused)
        assert resumed == [False, False, True]


# --- Loops that make no progress --------------------------------------------------------------------


def cpu_seconds(certgate):
    fields = open(f"/proc/{certgate.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_threat_78_peers_that_stand_still_keep_no_worker_busy(tmp_path):
    """Readers that stop, half-closed clients, noise behind the end of TLS, a full pipeline: each
    worker sleeps until something happens."""
    release = proxy.threading.Event()

    def respond(request, connection):
        if request.target == "/big":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            try:
                while not release.is_set():
                    connection.sendall(b"z" * 65536)
            except OSError:
                pass
            return False
        if request.target.startswith("/waits"):
            release.wait(proxy.PATIENCE)
            return False
        return None

    with wire.WireOrigin(respond) as origin:
        setup = proxy.Setup(tmp_path, origin)
        timeouts = {name: "1h" for name in ("header", "body", "keep_alive", "origin_response")}
        with setup.start(rules=[], workers=1, timeouts={**timeouts, "drain": "1s"}) as certgate:
            still = []

            def client(data):
                still.append(setup.client(certgate))
                still[-1].send(data)

            client(f"GET /big HTTP/1.1\r\n{HEAD}\r\n")                       # reads nothing
            client(f"GET /waits HTTP/1.1\r\n{HEAD}\r\n")                     # waits
            client(f"GET /waits HTTP/1.1\r\n{HEAD}\r\n" * 2000)              # more than fits
            client(f"POST /waits HTTP/1.1\r\n{HEAD}Content-Length: 9\r\n\r\nhalf")
            client("GET /hal")
            memory = tls_peer.Memory(proxy.client_context(
                setup.server_ca, version=ssl.TLSVersion.TLSv1_3), "api.example.com")
            raw = tls_peer.connect(certgate.port)
            raw.sendall(memory.client_hello())
            memory.finish(raw)
            memory.tls.write(f"GET /waits HTTP/1.1\r\n{HEAD}\r\n".encode())
            raw.sendall(memory.outgoing.read())
            with pytest.raises(ssl.SSLWantReadError):
                memory.tls.unwrap()
            raw.sendall(memory.outgoing.read() + b"noise behind the end" * 100)
            # Everything has been taken in once another client of the same worker is served.
            with setup.client(certgate) as other:
                for _ in range(20):
                    assert other.get("/quick").status == 200
                before = cpu_seconds(certgate)
                proxy.time.sleep(2)  # not awaited: that nothing happens is what is measured
                spent = cpu_seconds(certgate) - before
                assert other.get("/quick").status == 200
            assert spent < 1, f"{spent} s of CPU in 2 s in which nothing happened"
            release.set()
            for connection in [*still, raw]:
                connection.close()
