"""A good configuration with all its files, for the tests of `certgate check` to spoil."""

import datetime
import shutil

import proxy

BASE = """\
listeners:
  - address: 127.0.0.1:0
hosts:
  - names: [api.example.com]
    certificate: server.pem
    private_key: server.key
    client_auth:
      mode: request
      ca: ca.pem
      crl: ca.crl
    origin: api
origins:
  api:
    servers: ["http://127.0.0.1:9000"]
rules:
  - name: valid certificates only
    expression: not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked
    action: block
"""


class Folder:
    """A good configuration, to be spoilt."""

    def __init__(self, path):
        self.path = path
        # Outside the folder that `check` sees: what the authorities write beside.
        self.other = path / "other"
        self.other.mkdir()
        self.ca = proxy.Authority(self.other, "Client CA")
        self.server_ca = proxy.Authority(self.other, "Server CA")
        server = self.server_ca.issue("api.example.com", server=True, dns=["api.example.com"],
                                      valid_for=datetime.timedelta(days=300))
        self.copy(server.path, "server.pem")
        self.copy(server.key_path, "server.key")
        self.copy(self.ca.path, "ca.pem")
        self.ca.write_crl(next_update=proxy.now() + datetime.timedelta(days=90), number=5)
        self.copy(self.ca.crl_path, "ca.crl")
        self.config = BASE

    def copy(self, source, name):
        shutil.copy(source, self.path / name)

    def write(self, name, content):
        content = content.encode() if isinstance(content, str) else content
        (self.path / name).write_bytes(content)

    def read(self, name):
        return (self.path / name).read_bytes()

    def edit(self, old, new):
        assert old in self.config, old
        self.config = self.config.replace(old, new, 1)

    def check(self, *arguments, status=2):
        self.write("certgate.yaml", self.config)
        return proxy.run("check", "--config", "certgate.yaml", *arguments, status=status,
                         cwd=self.path)
