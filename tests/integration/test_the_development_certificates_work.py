"""certs/make-dev-certs.sh: alice gets through, mallory is revoked, dave is a stranger."""

import pathlib
import shutil
import subprocess

import proxy

CERTS = pathlib.Path(__file__).parents[2] / "certs"


class Pair:
    def __init__(self, folder, name):
        self.path, self.key_path = folder / f"{name}.pem", folder / f"{name}.key"


def test_who_gets_through(setup):
    # A copy, so that nobody's generated files are replaced.
    shutil.copy(CERTS / "make-dev-certs.sh", setup.folder)
    subprocess.run([setup.folder / "make-dev-certs.sh"], check=True, capture_output=True)
    made = setup.folder / "generated"
    config = setup.config()
    config["hosts"][0].update(certificate="generated/server.pem",
                              private_key="generated/server.key",
                              client_auth={"mode": "request", "ca": "generated/ca.pem",
                                           "crl": "generated/ca.crl"})
    setup.server_ca.path = made / "ca.pem"
    with setup.start(config) as certgate:
        for name, status, verdict in (("alice", 200, "verified"), ("mallory", 403, "revoked"),
                                      ("dave", 403, "untrusted")):
            with setup.client(certgate, Pair(made, name)) as client:
                assert client.get(f"/{name}").status == status, name
            certgate.records(1, path=f"/{name}", cert_verdict=verdict)
    done = proxy.run("check", "--config", certgate.config_path)
    assert done.stderr == "", done.stderr
