"""Names of origins' servers get other addresses without a reload, and keep them while nobody answers.

In place of the system's resolver certgate has one that reads its names from a file of the test.
"""

import contextlib
import os
import pathlib
import re
import subprocess
import threading

import pytest

import proxy
import wire

RESOLVER = pathlib.Path(__file__).parents[1] / "support/tool/resolver_of_a_file.cpp"


@pytest.fixture(scope="module")
def resolver(tmp_path_factory):
    """The resolver as a library."""
    library = tmp_path_factory.mktemp("resolver") / "resolver.so"
    subprocess.run([os.environ.get("CXX", "g++"), "-std=c++20", "-shared", "-fPIC", "-o", library, RESOLVER],
                   check=True, timeout=proxy.PATIENCE)
    return library


class Names:
    """What the resolver knows."""

    def __init__(self, resolver, folder):
        self.path = folder / "names"
        # The address sanitizer's library wants to come first, but does not have to.
        asan = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))
        self.environment = {"LD_PRELOAD": str(resolver), "CERTGATE_TEST_NAMES": str(self.path),
                            "ASAN_OPTIONS": asan}
        self.set()

    def set(self, **answers):
        """Name → addresses, of names below .internal."""
        proxy.write_whole(self.path, "".join(f"{address} {name}.internal\n"
                                             for name, addresses in answers.items()
                                             for address in addresses))


@pytest.fixture
def names(resolver, tmp_path):
    return Names(resolver, tmp_path)


@pytest.fixture
def servers():
    """Three that share a port, each at an address of its own."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(proxy.Origin(address=("127.0.0.11", 0)))
        yield [first, *(stack.enter_context(proxy.Origin(address=(address, first.port)))
                        for address in ("127.0.0.12", "127.0.0.13"))]


class Gate(proxy.Setup):
    """One origin, at api.internal; `settings` are more of its keys."""

    def __init__(self, folder, resolver, port, **settings):
        super().__init__(folder)
        self.resolver, self.url = resolver, f"http://api.internal:{port}"
        self.api = {"servers": [self.url], "resolve_every": "100ms", **settings}

    def whole_config(self, **changes):
        return {"workers": 1, "listeners": [{"address": "127.0.0.1:0"}], "hosts": [self.host()],
                "origins": {"api": self.api}, "rules": [], "timeouts": {"drain": "2s"},
                "log": {"file": "certgate.log", "access": {"file": "access.log"}},
                "admin": {"address": f"unix:{self.folder}/admin.sock"}, **changes}

    def begin(self, **changes):
        self.certgate = proxy.Certgate(self.folder, self.whole_config(**changes),
                                       environment=self.resolver.environment)
        return self.certgate

    def metric(self, name):
        text = proxy.admin_get(self.folder / "admin.sock", "/metrics")[1]
        return [float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M)]

    def status(self):
        return proxy.json.loads(proxy.admin_get(self.folder / "admin.sock", "/status")[1])

    def states(self):
        return {server["server"].split("(")[1].rstrip(")"): server["state"]
                for server in self.status()["origins"][0]["servers"]}

    def wait_for_line(self, *words, count=1):
        def lines():
            found = [line for line in self.certgate.log().splitlines()
                     if all(word in line for word in words)]
            return found if len(found) >= count else None

        return proxy.wait_until(lines, words)


def test_added_addresses_get_traffic_and_removed_ones_get_none(tmp_path, names, servers):
    names.set(api=["127.0.0.11"])
    gate = Gate(tmp_path, names, servers[0].port)
    with gate.begin() as certgate, gate.client(certgate) as client:
        for _ in range(4):
            assert client.get().status == 200
        assert [len(server.requests) for server in servers] == [4, 0, 0]
        assert certgate.records(4)[0]["origin_server"] == f"{gate.url} (127.0.0.11)"

        names.set(api=["127.0.0.12", "127.0.0.11"])
        line = gate.wait_for_line("origin addresses followed")[0]
        assert ("version 2: origin api: api.internal from 127.0.0.11 to 127.0.0.11, 127.0.0.12"
                in line), line
        for _ in range(4):
            assert client.get().status == 200
        assert [len(server.requests) for server in servers] == [6, 2, 0]
        # The address that stayed kept its connection.
        assert len({request.connection for request in servers[0].requests}) == 1

        names.set(api=["127.0.0.13"])
        gate.wait_for_line("origin addresses followed", "to 127.0.0.13")
        for _ in range(4):
            assert client.get().status == 200
        assert [len(server.requests) for server in servers] == [6, 2, 4]
        assert gate.states() == {"127.0.0.13": "up"}
        assert gate.metric("certgate_origin_name_addresses") == [1]
        assert gate.metric("certgate_origin_name_changes_total") == [2]
        assert gate.metric("certgate_origin_name_failures_total") == [0]
        assert gate.metric("certgate_config_version") == [3]
        # A reload finds nothing new, and no server that is already there is made anew.
        assert "version 4: nothing changed" in certgate.reload()
        assert client.get().status == 200
        assert len({request.connection for request in servers[2].requests}) == 1


def test_a_removed_address_finishes_its_request_and_its_idle_connections_are_closed(tmp_path, names):
    release, began, ended = threading.Event(), threading.Event(), threading.Semaphore(0)

    def talk(connection):
        """Answers two requests, the one for /slow when it is told to, and sees the end."""
        head, _ = proxy.read_head(connection)
        while head:
            if b"/slow" in head:
                began.set()
                assert release.wait(proxy.PATIENCE)
            connection.sendall(wire.OK)
            head, _ = proxy.read_head(connection)
        ended.release()

    old = proxy.RawOrigin(talk)
    names.set(api=["127.0.0.1"])
    gate = Gate(tmp_path, names, old.port)
    with proxy.Origin(address=("127.0.0.12", old.port)) as new, gate.begin() as certgate, \
            gate.client(certgate) as slow, gate.client(certgate) as quick:
        slow.send("GET /slow HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
        assert began.wait(proxy.PATIENCE)
        assert quick.get("/").status == 200
        assert old.connections == 2
        names.set(api=["127.0.0.12"])
        gate.wait_for_line("origin addresses followed")
        # The idle one goes at once, although a request of the time before is still under way.
        assert ended.acquire(timeout=proxy.PATIENCE)
        assert quick.get("/").status == 200 and len(new.requests) == 1
        release.set()
        assert slow.read_response().status == 200
        assert ended.acquire(timeout=proxy.PATIENCE)
        assert slow.get("/").status == 200 and len(new.requests) == 2
    old.close()


def test_while_nobody_answers_the_last_good_addresses_stay(tmp_path, names, servers):
    names.set(api=["127.0.0.11"])
    gate = Gate(tmp_path, names, servers[0].port)
    with gate.begin() as certgate, gate.client(certgate) as client:
        names.set()
        line = gate.wait_for_line("cannot be resolved")[0]
        assert "warning" in line and "name=api.internal" in line and "127.0.0.11" in line, line
        proxy.wait_until(lambda: gate.metric("certgate_origin_name_failures_total")[0] >= 3, "failures")
        assert client.get().status == 200
        assert gate.status()["names"][0]["last_failure"] != ""
        assert len(gate.wait_for_line("cannot be resolved")) == 1
        # A reload asks, and is refused as a start is.
        assert "cannot resolve `api.internal`" in certgate.reload(good=False)
        assert client.get().status == 200

        names.set(api=["127.0.0.12"])
        line = gate.wait_for_line("is resolved again")[0]
        assert "info" in line and "127.0.0.12" in line, line
        gate.wait_for_line("origin addresses followed", "from 127.0.0.11 to 127.0.0.12")
        assert client.get().status == 200
        assert [len(server.requests) for server in servers[:2]] == [2, 1]
        assert gate.status()["names"][0]["last_failure"] == ""


def test_health_checks_follow_and_what_stays_keeps_its_state(tmp_path, names, servers):
    servers[1].close()
    names.set(api=["127.0.0.11", "127.0.0.12"])
    gate = Gate(tmp_path, names, servers[0].port,
                health={"path": "/healthz", "interval": "100ms", "unhealthy_after": 1})
    with gate.begin() as certgate, gate.client(certgate) as client:
        gate.wait_for_line("origin server is down", "(127.0.0.12)")
        names.set(api=["127.0.0.12", "127.0.0.13", "127.0.0.14"])  # nobody is at the last one
        gate.wait_for_line("origin server is down", "(127.0.0.14)")
        assert gate.states() == {"127.0.0.12": "down", "127.0.0.13": "up", "127.0.0.14": "down"}
        assert len(gate.wait_for_line("origin server is down", "(127.0.0.12)")) == 1
        for _ in range(4):
            assert client.get("/").status == 200
        probed = [request.path for request in servers[2].requests]
        assert probed.count("/healthz") >= 1 and probed.count("/") == 4


def test_with_resolve_every_0_a_reload_follows_and_says_so(tmp_path, names, servers):
    names.set(api=["127.0.0.11"], other=["127.0.0.11"])
    gate = Gate(tmp_path, names, servers[0].port, resolve_every="0s")
    followed = {"servers": [f"http://other.internal:{servers[0].port}"], "resolve_every": "100ms"}
    host = gate.host(routes=[{"path": "/other", "origin": "other"}])
    changes = {"hosts": [host], "origins": {"api": gate.api, "other": followed}}
    with gate.begin(**changes) as certgate, gate.client(certgate) as client:
        names.set(api=["127.0.0.12"], other=["127.0.0.12"])
        gate.wait_for_line("origin addresses followed", "origin other: other.internal")
        assert client.get("/").status == 200
        assert [len(server.requests) for server in servers[:2]] == [1, 0]
        receipt = certgate.reload()
        assert "origin api: api.internal from 127.0.0.11 to 127.0.0.12" in receipt
        assert client.get("/").status == 200
        assert [len(server.requests) for server in servers[:2]] == [1, 1]
        assert "origin api: api.internal" not in "".join(gate.wait_for_line("followed"))


def test_check_says_what_resolved(tmp_path, names, servers):
    gate = Gate(tmp_path, names, servers[0].port, resolve_every="45s")
    names.set(api=["127.0.0.11", "127.0.0.12"])
    proxy.write_whole(tmp_path / "certgate.yaml", proxy.json.dumps(gate.whole_config()))
    environment = {**os.environ, **names.environment}

    def check(status, *arguments):
        return proxy.run("check", "--config", tmp_path / "certgate.yaml", *arguments, status=status,
                         env=environment)

    assert ("origin api: api.internal is 127.0.0.11, 127.0.0.12, looked up again every 45s\n"
            in check(0).stdout)
    assert proxy.json.loads(check(0, "--json").stdout)["names"] == [
        {"origin": "api", "name": "api.internal", "addresses": ["127.0.0.11", "127.0.0.12"]}]
    names.set()
    assert "cannot resolve `api.internal`: Name or service not known" in check(2).stderr
    assert proxy.json.loads(check(2, "--json").stdout)["names"] == []
