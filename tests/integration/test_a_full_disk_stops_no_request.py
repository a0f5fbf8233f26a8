"""When files cannot grow, requests go on, what is lost is counted, and writing goes on afterwards.

The limit is the process's own (RLIMIT_FSIZE), so that no file system has to be filled."""

import json
import re
import resource

import proxy

FILLING = 256 * 1024


def limit_files(certgate, size):
    """How large the process may make a file: as good as a full disk, and it can be lifted again."""
    hard = resource.prlimit(certgate.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(certgate.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def lift_limit(certgate):
    limit_files(certgate, resource.RLIM_INFINITY)


def metric(setup, name):
    text = proxy.admin_get(setup.folder / "admin.sock", "/metrics")[1]
    return int(re.search(rf"^{name} (\d+)", text, re.M).group(1))


def with_admin(setup):
    return setup.config(admin={"address": f"unix:{setup.folder}/admin.sock"},
                        state_directory="state")


def test_records_wait_are_counted_when_lost_and_are_written_again(setup):
    alice = setup.ca.issue("alice")
    # Only the access log reaches the limit: certgate's own log must be able to speak of it.
    earlier = json.dumps({"path": "/earlier"}) + "\n"
    (setup.folder / "access.log").write_text(earlier * (FILLING // len(earlier) + 1))
    long = "/" + "x" * 4000
    with setup.start(with_admin(setup)) as certgate, setup.client(certgate, alice) as client:
        limit_files(certgate, FILLING)
        asked = 0
        while metric(setup, "certgate_access_log_records_dropped_total") == 0:
            for _ in range(50):
                assert client.get(long).status == 200
                asked += 1
            assert asked < 20_000, "the queue has no end"
        assert metric(setup, "certgate_access_log_write_errors_total") > 0
        told = [line for line in certgate.log().splitlines() if "cannot write to access log" in line]
        assert len(told) == 1 and "access.log" in told[0] and "File too large" in told[0], told
        lift_limit(certgate)
        proxy.wait_until(lambda: "is written again" in certgate.log(), "the log to go on")
        assert client.get("/after").status == 200
        certgate.records(1, path="/after")
        # Every record is there, or was counted as lost; none is torn.
        lost = metric(setup, "certgate_access_log_records_dropped_total")
        assert len(certgate.records(asked - lost, path=long)) == asked - lost


def test_a_standard_output_that_takes_nothing_is_named(setup):
    config = setup.config(rules=[])
    config["log"]["access"] = {"format": "json"}
    full = ("sh", "-c", 'exec "$@" > /dev/full', "sh")
    with setup.start(config, through=full) as certgate, setup.client(certgate) as client:
        assert client.get("/").status == 200
        told = proxy.wait_until(
            lambda: re.search("cannot write to access log .*", certgate.log()), "the complaint")
        assert told[0] == "cannot write to access log (standard output): No space left on device"
        assert client.get("/").status == 200


def test_denials_hold_when_they_cannot_be_kept(setup):
    alice, bob = setup.ca.issue("alice"), setup.ca.issue("bob")
    admin = f"unix:{setup.folder}/admin.sock"
    with setup.start(with_admin(setup)) as certgate, setup.client(certgate, alice) as client, \
            setup.client(certgate, bob) as other:
        proxy.run("deny", "--admin", admin, "--fingerprint", bob.fingerprint)
        limit_files(certgate, 0)
        done = proxy.run("deny", "--admin", admin, "--fingerprint", alice.fingerprint, status=1)
        assert "in force, but lost with the next restart" in done.stdout + done.stderr
        assert client.get("/").status == 403
        # Nobody is let in again whom the next start would not let in.
        done = proxy.run("undeny", "--admin", admin, "--fingerprint", bob.fingerprint, status=1)
        assert "stays in force" in done.stdout + done.stderr
        assert other.get("/").status == 403
        lift_limit(certgate)
        proxy.run("undeny", "--admin", admin, "--fingerprint", bob.fingerprint)
        assert other.get("/").status == 200
        assert client.get("/").status == 403
    # What the disk holds is whole, and the denial that could be kept at last is there.
    kept = json.loads((setup.folder / "state" / "denied.json").read_text())
    assert [entry["fingerprint"].lower() for entry in kept["denied"]] == [alice.fingerprint]


def test_a_reload_while_no_file_may_grow_is_taken_or_refused_whole(setup):
    alice = setup.ca.issue("alice")
    with setup.start(with_admin(setup)) as certgate, setup.client(certgate, alice) as client:
        limit_files(certgate, 0)
        proxy.run("reload", "--admin", f"unix:{setup.folder}/admin.sock")
        assert client.get("/").status == 200
        proxy.run("status", "--admin", f"unix:{setup.folder}/admin.sock")
        lift_limit(certgate)
        assert "reloaded" in certgate.reload()
