"""Every command whose outcome a script would read says it as JSON, refusals included."""

import json

import proxy


def told(*arguments, status=0):
    done = proxy.run(*arguments, "--json", status=status)
    assert done.stderr == ""
    return json.loads(done.stdout)


def with_socket(setup):
    return setup.config(admin={"address": f"unix:{setup.folder}/admin.sock"},
                        crl_refresh={"watch": "0s"})  # changes come with a reload only


def test_reload_tells_the_receipt_and_the_refusal(setup):
    with setup.start(with_socket(setup)) as gate:
        same = told("reload", "--config", gate.config_path)
        assert same["reloaded"] and same["version"] == 2 and same["changes"] == []
        assert same["took_us"] > 0
        setup.ca.revoke(setup.ca.issue("sensor-7"))
        taken = told("reload", "--config", gate.config_path)
        assert taken["changes"] == ["host api.example.com: other CRLs, 1 revoked"]
        address = f"unix:{setup.folder}/admin.sock"
        proxy.write_whole(setup.ca.crl_path, b"no list")
        refused = told("reload", "--admin", address, status=1)
        assert not refused["reloaded"] and refused["version"] == 3
        error, = [each for each in refused["diagnostics"] if each["severity"] == "error"]
        assert error["file"] == str(gate.config_path) and error["line"] and error["column"]
        assert setup.ca.crl_path.name in error["message"] and error["hint"]


def test_status_is_json_with_and_without_being_asked(setup):
    with setup.start(with_socket(setup)) as gate:
        asked = told("status", "--config", gate.config_path)
        assert asked["version"] == json.loads(
            proxy.run("status", "--config", gate.config_path).stdout)["version"] == 1


def test_deny_and_undeny_tell_whom_they_concern(setup):
    device = setup.ca.issue("sensor-7")
    with setup.start(with_socket(setup)) as gate, setup.client(gate, device) as client:
        assert client.get().status == 200
        where = ["--config", gate.config_path]
        denied = told("deny", *where, "--serial", device.serial, "--reason", 'said "lost"')
        assert denied["done"] and denied["open_connections"] == 1
        assert denied["entries"] == [{"serial": device.serial, "reason": 'said "lost"'}]
        assert denied["kept"] is False and denied["problem"] == ""
        assert client.get().status == 403
        assert told("denies", *where)["denied"] == denied["entries"]
        assert told("undeny", *where, "--serial", device.serial)["entries"] == denied["entries"]
        again = told("undeny", *where, "--serial", device.serial, status=1)
        assert not again["done"] and "no entry" in again["problem"] and again["entries"] == []


def test_deny_tells_that_it_keeps(setup):
    with setup.start(with_socket(setup) | {"state_directory": "state"}) as gate:
        assert told("deny", "--config", gate.config_path, "--serial", "0A")["kept"] is True


def test_doctor_tells_findings_by_host(setup):
    device = setup.ca.issue("sensor-7")
    setup.ca.revoke(device)
    config = setup.folder / "certgate.yaml"
    config.write_text(json.dumps(setup.config()))
    seen = told("doctor", device.path, "--config", config, status=1)
    assert seen["let_in"] is False and seen["certificate"]["subject"] == "CN=sensor-7"
    assert seen["certificate"]["serial"] == device.serial
    assert {each["grade"] for each in seen["findings"]} <= {"ok", "note"}
    host, = seen["hosts"]
    assert host["host"] == "api.example.com"
    bad = [each["what"] for each in host["findings"] if each["grade"] == "bad"]
    assert any("revoked" in what for what in bad) and any("is blocked by" in what for what in bad)
    good = told("doctor", setup.ca.issue("sensor-8").path, "--config", config)
    assert good["let_in"] is True


def test_doctor_tells_what_it_found_at_a_server(setup):
    with setup.start() as gate:
        seen = told("doctor", f"127.0.0.1:{gate.port}", "--host", "api.example.com", "--ca",
                    setup.server_ca.path, status=1)
        assert [each["grade"] for each in seen["findings"]] == ["ok", "bad"]
        assert "403" in seen["findings"][1]["what"]


def test_rule_preview_tells_the_expression(setup):
    plain = proxy.run("rule", "preview", "--host", "api.example.com", "--path", "/v1").stdout
    assert told("rule", "preview", "--host", "api.example.com", "--path", "/v1") == {
        "expression": plain.rstrip("\n")}


def test_check_tells_mistakes_and_expiries(setup):
    config = setup.folder / "certgate.yaml"
    config.write_text(json.dumps(setup.config()))
    fine = told("check", "--config", config)
    assert fine["valid"] and {each["kind"] for each in fine["expiries"]} >= {"crl", "client_ca"}
    config.write_text(json.dumps(setup.config(listners=[])))
    wrong = told("check", "--config", config, status=2)
    assert not wrong["valid"] and "listeners" in wrong["diagnostics"][0]["hint"]
