"""A listener widens and narrows on its port, comes, goes and changes how it reads PROXY headers:
no connection is dropped and no request fails."""

import re
import socket
import threading

import pytest

import proxy


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Callers(threading.Thread):
    """Opens connection after connection on one port; every one is answered."""

    def __init__(self, setup, port, context, stop):
        super().__init__(daemon=True)
        self.setup, self.port, self.context, self.stop = setup, port, context, stop
        self.answered = 0
        self.failure = None

    def run(self):
        try:
            while not self.stop.is_set():
                with proxy.Client(self.port, self.context) as client:
                    assert client.get("/new").status == 200
                self.answered += 1
        except BaseException as error:
            self.failure = error


def reaches(address, port):
    with socket.socket() as probe:
        probe.settimeout(proxy.PATIENCE)
        return probe.connect_ex((address, port)) == 0


def listeners(*addresses):
    return [{"address": address} for address in addresses]


def test_a_port_widens_and_narrows_under_load(setup):
    alice = setup.ca.issue("alice")
    context = proxy.client_context(setup.server_ca, alice)
    port = free_port()
    narrow, wide = (setup.config(listeners=listeners(f"{host}:{port}"))
                    for host in ("127.0.0.1", "0.0.0.0"))
    with setup.start(narrow) as certgate, proxy.Client(port, context) as kept:
        stop = threading.Event()
        callers = [Callers(setup, port, context, stop) for _ in range(3)]
        for caller in callers:
            caller.start()
        for _ in range(6):
            assert not reaches("127.0.0.2", port)
            assert f"listening address=0.0.0.0:{port}" in certgate.reload(wide)
            assert reaches("127.0.0.2", port)
            assert kept.get("/kept").status == 200
            # The narrow sockets run on: nothing is opened, and nobody who waits there is lost.
            before = [caller.answered for caller in callers]
            proxy.wait_until(lambda: all(caller.failure or caller.answered > count
                                         for caller, count in zip(callers, before)), "callers")
            assert f"stopped listening address=0.0.0.0:{port}" in certgate.reload(narrow)
            assert kept.get("/kept").status == 200
            proxy.wait_until(lambda: not reaches("127.0.0.2", port), "the wide socket to close")
        stop.set()
        for caller in callers:
            caller.join(proxy.PATIENCE)
            assert caller.failure is None, repr(caller.failure)
        state = certgate.log()
        assert f"stopped listening address=127.0.0.1:{port}" not in state


def test_a_port_that_began_wide_narrows_and_widens(setup):
    alice = setup.ca.issue("alice")
    context = proxy.client_context(setup.server_ca, alice)
    port = free_port()
    narrow, wide = (setup.config(listeners=listeners(f"{host}:{port}"))
                    for host in ("127.0.0.1", "0.0.0.0"))
    with setup.start(wide) as certgate, proxy.Client(port, context) as kept:
        stop = threading.Event()
        caller = Callers(setup, port, context, stop)
        caller.start()
        certgate.reload(narrow)
        proxy.wait_until(lambda: not reaches("127.0.0.2", port), "the wide socket to close")
        assert kept.get("/kept").status == 200
        certgate.reload(wide)
        assert reaches("127.0.0.2", port)
        stop.set()
        caller.join(proxy.PATIENCE)
        assert caller.failure is None and caller.answered > 0, repr(caller.failure)


def test_an_address_and_all_addresses_may_differ_on_one_port(setup):
    """The more exact one wins, at the start as after a reload."""
    alice = setup.ca.issue("alice")
    context = proxy.client_context(setup.server_ca, alice)
    port = free_port()
    both = setup.config(listeners=listeners(f"0.0.0.0:{port}", f"127.0.0.1:{port}"))
    both["listeners"][0].update(proxy_protocol="v1", trusted_sources=["127.0.0.0/8"])
    with setup.start(both) as certgate:
        for _ in range(3):
            with proxy.Client(port, context) as client:
                assert client.get("/").status == 200
            certgate.reload()


class Callers6(Callers):
    def run(self):
        try:
            while not self.stop.is_set():
                with proxy.Client(self.port, self.context, address="::1") as client:
                    assert client.get("/new6").status == 200
                self.answered += 1
        except BaseException as error:
            self.failure = error


def reaches6(address, port):
    with socket.socket(socket.AF_INET6) as probe:
        probe.settimeout(proxy.PATIENCE)
        return probe.connect_ex((address, port)) == 0


def test_ipv6_listens_on_any_port_and_is_logged_as_what_it_is(setup):
    alice = setup.ca.issue("alice")
    context = proxy.client_context(setup.server_ca, alice)
    with setup.start(setup.config(listeners=listeners("[::1]:0"))) as certgate:
        assert re.search(rf"listening .*\[::1\]:{certgate.port}\b", certgate.log()), certgate.log()
        assert not reaches("127.0.0.1", certgate.port)
        with proxy.Client(certgate.port, context, address="::1") as client:
            assert client.get("/").status == 200
        record, = certgate.records(1, event="request")
        assert record["client"] == "::1", record
        assert setup.origin.last().all("X-Forwarded-For") == ["::1"]


def test_all_of_ipv6_and_all_of_ipv4_share_a_port_and_each_widens_and_narrows(setup):
    """`::` takes no IPv4 connection: `0.0.0.0` may stand beside it, come and go."""
    alice = setup.ca.issue("alice")
    context = proxy.client_context(setup.server_ca, alice)
    port = free_port()

    def config(*addresses):
        return setup.config(listeners=listeners(*(f"{address}:{port}" for address in addresses)))

    with setup.start(config("[::]", "0.0.0.0")) as certgate:
        stop = threading.Event()
        callers = [Callers(setup, port, context, stop), Callers6(setup, port, context, stop)]
        with proxy.Client(port, context, address="::1") as kept6, proxy.Client(port, context) as kept4:
            for caller in callers:
                caller.start()
            for _ in range(2):
                certgate.reload(config("[::1]", "127.0.0.1"))
                proxy.wait_until(lambda: not reaches("127.0.0.2", port), "the wide socket to close")
                certgate.reload(config("[::]", "127.0.0.1"))
                assert not reaches("127.0.0.2", port)
                certgate.reload(config("[::1]", "0.0.0.0"))
                assert reaches("127.0.0.2", port)
                certgate.reload(config("0.0.0.0", "[::]"))
                assert reaches("127.0.0.2", port)
                assert kept6.get("/kept").status == 200 and kept4.get("/kept").status == 200
            stop.set()
            for caller in callers:
                caller.join(proxy.PATIENCE)
                assert caller.failure is None and caller.answered > 0, repr(caller.failure)
            # One family goes; the other stays.
            certgate.reload(config("0.0.0.0"))
            proxy.wait_until(lambda: not reaches6("::1", port), "IPv6 to be gone")
            certgate.reload(config("[::]"))
            proxy.wait_until(lambda: not reaches("127.0.0.1", port), "IPv4 to be gone")
            assert reaches6("::1", port)
            assert kept6.get("/kept").status == 200 and kept4.get("/kept").status == 200


def test_a_listener_that_goes_answers_whom_it_has_accepted(setup):
    alice = setup.ca.issue("alice")
    context = proxy.client_context(setup.server_ca, alice)
    port = free_port()
    two = setup.config(listeners=listeners("127.0.0.1:0", f"127.0.0.1:{port}"))
    with setup.start(two) as certgate:
        for _ in range(3):
            # Connected, as far as the kernel is concerned, before the listener goes.
            early = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
            certgate.reload(setup.config())
            for connection in early:
                with context.wrap_socket(connection, server_hostname="api.example.com") as tls:
                    tls.sendall(b"GET /early HTTP/1.1\r\nHost: api.example.com\r\n"
                                b"Connection: close\r\n\r\n")
                    assert tls.recv(100).startswith(b"HTTP/1.1 200")
            proxy.wait_until(lambda: not reaches("127.0.0.1", port), "the listener to be gone")
            certgate.reload(two)
            with proxy.Client(port, context) as client:
                assert client.get("/back").status == 200


def test_proxy_protocol_changes_for_new_connections(setup):
    alice = setup.ca.issue("alice")
    context = proxy.client_context(setup.server_ca, alice)
    port = free_port()
    plain = setup.config(listeners=listeners(f"127.0.0.1:{port}"))
    behind = setup.config(listeners=[{"address": f"127.0.0.1:{port}", "proxy_protocol": "v1",
                                      "trusted_sources": ["127.0.0.1/32"]}])

    def through_balancer(path):
        with socket.create_connection(("127.0.0.1", port), timeout=proxy.PATIENCE) as connection:
            connection.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 443\r\n")
            with context.wrap_socket(connection, server_hostname="api.example.com") as tls:
                tls.sendall(f"GET {path} HTTP/1.1\r\nHost: api.example.com\r\n"
                            "Connection: close\r\n\r\n".encode())
                assert tls.recv(100).startswith(b"HTTP/1.1 200")

    with setup.start(plain) as certgate, proxy.Client(port, context) as kept:
        certgate.reload(behind)
        through_balancer("/balanced")
        record, = certgate.records(1, path="/balanced")
        assert record["client"] == "192.0.2.7"
        assert kept.get("/kept").status == 200
        certgate.reload(plain)
        with proxy.Client(port, context) as direct:
            assert direct.get("/direct").status == 200
        with pytest.raises(OSError):
            through_balancer("/refused")
        assert kept.get("/kept").status == 200


def test_a_port_in_use_refuses_the_reload_and_leaves_every_listener(setup):
    alice = setup.ca.issue("alice")
    context = proxy.client_context(setup.server_ca, alice)
    port, fresh = free_port(), free_port()
    with setup.start(setup.config(listeners=listeners(f"127.0.0.1:{port}"))) as certgate, \
            socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        complaint = certgate.reload(
            setup.config(listeners=listeners(f"127.0.0.1:{fresh}", f"127.0.0.1:{taken}")),
            good=False)
        assert re.search(rf"certgate\.yaml:\d+:\d+: cannot listen on 127\.0\.0\.1:{taken}: the "
                         "address is already in use by another program "
                         r"\(choose another port, or stop the other program\)", complaint)
        assert "stopped listening" not in complaint and not reaches("127.0.0.1", fresh)
        with proxy.Client(port, context) as client:
            assert client.get("/").status == 200
        # Widening onto a port that somebody has on another address is refused, too.
        with socket.create_server(("127.0.0.3", port)):
            complaint = certgate.reload(setup.config(listeners=listeners(f"0.0.0.0:{port}")),
                                        good=False)
            assert f"0.0.0.0:{port}" in complaint and "already in use" in complaint
        with proxy.Client(port, context) as client:
            assert client.get("/").status == 200
