"""A server of CRLs for black-box tests, and the configuration that fetches from it."""

import contextlib
import json
import re
import threading

import proxy

LOOPBACK = ["127.0.0.1/32"]


class CrlServer(proxy.Origin):
    """Says whatever `answer(handler, request)` says; at first what lies in a CA's file."""

    def __init__(self, authority, **options):
        self.authority = authority
        self.answer = self.serve_file
        super().__init__(respond=lambda handler, request: self.answer(handler, request), **options)

    @property
    def address(self):
        return f"{self.url}/clients.crl"

    def serve_file(self, handler, _request=None):
        self.serve(handler, self.authority.crl_path.read_bytes())

    @staticmethod
    def serve(handler, body, *, length=None, headers=()):
        with contextlib.suppress(OSError):
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body) if length is None else length))
            for name, value in headers:
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)
            handler.wfile.flush()
        handler.close_connection = True


def refresh(**changes):
    settings = {"interval": "200ms", "retry": "100ms", "timeout": f"{proxy.PATIENCE:.0f}s",
                "start_wait": f"{proxy.PATIENCE:.0f}s", "allowed_networks": LOOPBACK}
    settings.update(changes)
    return {name: value for name, value in settings.items() if value is not None}


def config_of(setup, *addresses, host=None, crl_refresh=None, client_auth=None, state=True, **changes):
    host = host or setup.host()
    host["client_auth"]["crl"] = list(addresses)
    host["client_auth"].update(client_auth or {})
    if state:
        changes["state_directory"] = "state"
    hosts = changes.pop("hosts", [])
    return setup.config(admin={"address": f"unix:{setup.folder}/admin.sock"}, hosts=[host, *hosts],
                        crl_refresh=crl_refresh or refresh(), **changes)


def status_of(gate):
    return json.loads(proxy.run("status", "--config", gate.config_path).stdout)


def metric(gate, name):
    text = proxy.admin_get(gate.folder / "admin.sock", "/metrics")[1]
    found = re.findall(rf"^{name}\{{[^}}]*\}} (\S+)$", text, re.MULTILINE)
    return [float(value) for value in found]


def wait_for_log(gate, text, count=1):
    proxy.wait_until(lambda: gate.log().count(text) >= count, f"{count} times {text!r} in the log")


def wait_for(client, status):
    proxy.wait_until(lambda: client.get().status == status, f"status {status}")


class Bystander:
    """Asks all the time on one connection; every answer must be 200."""

    def __init__(self, setup, gate, identity):
        self.client = setup.client(gate, identity)
        self.over = threading.Event()
        self.answers = []
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.is_set():
            try:
                self.answers.append(self.client.get().status)
            except Exception as error:  # told by the test
                self.answers.append(repr(error))
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.client.close()
        assert set(self.answers) == {200}, set(self.answers)


# --- Answers: `server.answer = body(...)` ----------------------------------------------------------


def send_raw(data):
    def answer(handler, _request):
        with contextlib.suppress(OSError):
            handler.wfile.write(data)
            handler.wfile.flush()
        handler.close_connection = True
    return answer


def redirect_to(place):
    return send_raw(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())


def body(content, **options):
    return lambda handler, _request: CrlServer.serve(handler, content, **options)
