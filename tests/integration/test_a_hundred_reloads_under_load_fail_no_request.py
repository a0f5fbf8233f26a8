"""100 reloads, half of them of broken files, while clients keep asking: nothing fails, nothing drops."""

import json
import signal
import threading

import proxy

RELOADS = 100
CLIENTS = 3


class Load(threading.Thread):
    """Asks on one connection that is never opened again, and now and then on a new one."""

    def __init__(self, setup, certgate, context, stop):
        super().__init__(daemon=True)
        self.setup, self.certgate, self.context, self.stop = setup, certgate, context, stop
        self.answered = 0
        self.failure = None

    def run(self):
        try:
            with self.setup.client(self.certgate, context=self.context) as kept:
                while not self.stop.is_set():
                    for _ in range(20):
                        self.ask(kept)
                    with self.setup.client(self.certgate, context=self.context) as new:
                        self.ask(new)
        except BaseException as error:  # told to the test by failure
            self.failure = error

    def ask(self, client):
        response = client.get("/load", method="POST", body=b"x" * 1000)
        assert (response.status, response.body) == (200, b"hello\n"), response.status
        self.answered += 1


def test_no_request_fails_and_no_connection_is_dropped(setup):
    alice = setup.ca.issue("alice")
    context = proxy.client_context(setup.server_ca, alice)
    config = setup.config()
    with setup.start(config) as certgate:
        stop = threading.Event()
        clients = [Load(setup, certgate, context, stop) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        good = bad = 0
        extra = {"name": "extra", "expression": 'http.request.uri.path eq "/no"', "action": "block"}
        for number in range(RELOADS):
            if number % 2:
                # Broken in one of four ways.
                text = json.dumps(config, indent=1)
                text = [text[: len(text) // 2], text.replace('"rules"', '"ruels"'),
                        text.replace("cert_verified", "cert_verifeid"),
                        text.replace(setup.ca.path.name, "gone.pem")][number // 2 % 4]
                certgate.reload(text, good=False)
                bad += 1
            else:
                # Something else changes each time: rules, a CRL, an origin, a host.
                kind = number // 2 % 4
                changed = setup.config()
                if kind == 0:
                    changed["rules"].append(dict(extra, name=f"extra {number}"))
                elif kind == 1:
                    setup.ca.write_crl()
                elif kind == 2:
                    changed["origins"]["api"]["balance"] = "least_connections"
                else:
                    changed["hosts"].append(setup.host(names=[f"h{number}.example.com"]))
                config = changed
                certgate.reload(config)
                good += 1
            assert all(client.failure is None for client in clients)
        stop.set()
        for client in clients:
            client.join(proxy.PATIENCE)
            assert client.failure is None, repr(client.failure)
            assert client.answered > 0
        answered = sum(client.answered for client in clients)
        # Exactly one record per request, all of them good.
        records = certgate.records(answered, path="/load", status=200, action="allowed")
        assert len(records) == answered == len(certgate.records(event="request"))
        log = certgate.log()
        assert log.count("reloaded: version ") == good
        assert log.count("the configuration in force stays") == bad
        assert good + bad == RELOADS
    assert len(setup.origin.requests) == answered


def test_signals_in_a_row_are_all_heard(setup):
    alice = setup.ca.issue("alice")
    with setup.start() as certgate, setup.client(certgate, alice) as client:
        config = setup.config()
        config["rules"].append({"name": "last", "expression": 'http.request.uri.path eq "/no"',
                                "action": "block"})
        for _ in range(20):
            certgate.signal(signal.SIGHUP)
            assert client.get("/").status == 200
        certgate.write_config(config)
        certgate.signal(signal.SIGHUP)  # also while a reload is under way: the last file counts
        proxy.wait_until(lambda: client.get("/no").status == 403, "the last file to be in force")
