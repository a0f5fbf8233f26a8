"""While a reload of very many rules is under way, the admin address answers, a denial comes into force,
and SIGTERM ends the process."""

import json
import signal
import threading

import proxy
import wire

# A sanitized binary takes as long for a twentieth of the rules.
SHARE = 20 if wire.SANITIZED else 1
MOST_RULES = 400_000 // SHARE


def write_rules(setup, count):
    """Rules that take a while to build."""
    lines = [f"- {{name: r{i}, expression: 'http.request.uri.path eq \"/r{i}\"', action: block}}"
             for i in range(count)]
    proxy.write_whole(setup.folder / "many.yaml", "\n".join(lines) + "\n")


class Reload(threading.Thread):
    def __init__(self, socket):
        super().__init__(daemon=True)
        self.socket = socket
        self.status = None
        self.start()

    def run(self):
        self.status = proxy.admin_get(self.socket, "/reload", method="POST",
                                      headers={"Content-Length": "0"})

    def is_under_way(self):
        return self.status is None


def with_many_rules(setup):
    write_rules(setup, 1)
    return setup.config(admin={"address": f"unix:{setup.folder}/admin.sock"},
                        rule_files=["many.yaml"],
                        # Connections outlive the slowest reload.
                        timeouts={"drain": "2s", "header": "10m", "keep_alive": "10m"})


def during_a_reload(setup, work):
    """Does `work` within one reload: with more rules each time, until it fits."""
    count = 25_000 // SHARE
    while count <= MOST_RULES:
        write_rules(setup, count)
        reload = Reload(setup.folder / "admin.sock")
        work()
        fitted = reload.is_under_way()
        reload.join(proxy.PATIENCE * 4)
        assert reload.status and reload.status[0] == 200, reload.status
        if fitted:
            return
        count *= 2
    raise AssertionError("every answer came after the reload's end")


def test_every_question_is_answered_while_a_reload_is_under_way(setup):
    admin = setup.folder / "admin.sock"
    with setup.start(with_many_rules(setup)):
        def ask_everything():
            assert json.loads(proxy.admin_get(admin, "/status")[1])["ready"] is True
            assert "certgate_config_version" in proxy.admin_get(admin, "/metrics")[1]
            assert proxy.admin_get(admin, "/healthz")[0] == 200
            assert proxy.admin_get(admin, "/readyz")[0] == 200
            assert proxy.admin_get(admin, "/denies", method="POST",
                                   headers={"Content-Length": "0"})[0] == 200

        during_a_reload(setup, ask_everything)


def test_a_denial_during_a_reload_holds_at_once_and_afterwards(setup):
    alice, bob = setup.ca.issue("alice"), setup.ca.issue("bob")
    with setup.start(with_many_rules(setup)) as certgate, \
            setup.client(certgate, alice) as client, setup.client(certgate, bob) as other:
        assert client.get("/").status == 200

        def deny():
            proxy.run("deny", "--admin", f"unix:{setup.folder}/admin.sock",
                      "--fingerprint", alice.fingerprint)
            assert client.get("/").status == 403

        during_a_reload(setup, deny)
        # The reload was built from the list before the denial.
        assert client.get("/").status == 403
        assert other.get("/").status == 200
        assert "fingerprint" in proxy.run("denies", "--admin",
                                          f"unix:{setup.folder}/admin.sock").stdout


def test_sigterm_during_a_reload_ends_the_process_in_order(setup):
    alice = setup.ca.issue("alice")
    config = with_many_rules(setup)
    for count in (1, 5_000 // SHARE, 50_000 // SHARE):
        write_rules(setup, 1)
        with setup.start(config) as certgate, setup.client(certgate, alice) as client:
            assert client.get("/").status == 200
            write_rules(setup, count)
            changed = dict(config, listeners=[{"address": "127.0.0.1:0"},
                                              {"address": "127.0.0.2:0"}])
            certgate.write_config(changed)
            certgate.signal(signal.SIGHUP)
            certgate.signal(signal.SIGTERM)
            assert certgate.process.wait(proxy.PATIENCE * 2) == 0, certgate.stderr()
            after = certgate.log().split("draining", 1)[1]
            assert "stopped" in after and " listening address" not in after, after
            # Before the end the reload either came, whole, or was refused for this reason.
            if "reload refused" in after:
                assert "certgate is ending" in after


def test_a_storm_of_reload_signals_is_weathered(setup):
    alice = setup.ca.issue("alice")
    config = with_many_rules(setup)
    with setup.start(config) as certgate, setup.client(certgate, alice) as client:
        count = 5_000 // SHARE
        write_rules(setup, count)
        for _ in range(300):
            certgate.signal(signal.SIGHUP)
            assert client.get("/").status == 200
        # The last one is heard, also when it came while one was under way.
        write_rules(setup, 2)
        certgate.signal(signal.SIGHUP)
        proxy.wait_until(lambda: client.get("/r1").status == 403 and
                         client.get(f"/r{count - 1}").status == 200, "the last rules")
        assert "refused" not in certgate.log()
