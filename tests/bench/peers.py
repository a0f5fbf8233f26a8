"""nginx, HAProxy, Caddy and certgate set up for the same job, and their CPU and memory from /proc.

Every program is started from a folder of its own on loopback and ended by the one that started it.
"""

import dataclasses
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import proxy as harness  # noqa: E402  (waiting is the black-box tests')

import certificates  # noqa: E402

# Started by root, nginx would serve as a user who cannot read the bench's folder.
AS_USER = "user root;" if os.getuid() == 0 else ""
PATHS = ("/1k", "/16k", "/1m", "/upload")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def scheduled_seconds(pid):
    """A process's time on a CPU so far, from the scheduler: finer than the ticks of /proc/PID/stat."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(task.read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total / 1e9


@dataclasses.dataclass
class Job:
    """What all are asked to do."""

    origin_port: int
    files: certificates.Files
    client_auth: bool = True
    access_log: bool = False
    rules: int = 1
    hosts: list = dataclasses.field(default_factory=list)  # more of them: (name, chain, key)


class Peer:
    """A running program: pinned to a CPU, measured over its whole process tree."""

    name = "?"
    # What it must answer to whom before it is measured, if it asks for client certificates.
    answers = (("client", 200), (None, 403), ("revoked", 403))

    def __init__(self, folder):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=folder))
        self.port = free_port()

    def start(self, command, cpu, environment=None):
        self.process = subprocess.Popen(
            ["taskset", "-c", str(cpu), *command], cwd=self.folder,
            env={**os.environ, **(environment or {})},
            stdout=open(self.folder / "out.txt", "wb"), stderr=subprocess.STDOUT)

        def ready():
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended: {(self.folder / 'out.txt').read_text()}")
            return accepts(self.port)

        harness.wait_until(ready, f"{self.name} to listen")

    def pids(self):
        found = [self.process.pid]
        for pid in found:
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in task.read_text().split()]
        return found

    def cpu_seconds(self):
        return sum(scheduled_seconds(pid) for pid in self.pids())

    def memory_kib(self):
        """Proportional set size of all processes."""
        total = 0
        for pid in self.pids():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


NGINX_FOLDERS = ("client_body_temp_path body; proxy_temp_path p; fastcgi_temp_path f; "
                 "uwsgi_temp_path u; scgi_temp_path s;")


class OriginServer(Peer):
    """What all forward to: an nginx that answers from memory."""

    name = "origin"

    def __init__(self, folder, cpu):
        super().__init__(folder)
        (self.folder / "www").mkdir()
        for size, name in ((1024, "1k"), (16 * 1024, "16k"), (1024 * 1024, "1m")):
            (self.folder / "www" / name).write_bytes(b"x" * size)
        (self.folder / "nginx.conf").write_text(f"""
daemon off; {AS_USER} worker_processes 1; pid pid; error_log stderr error;
worker_rlimit_nofile 65536;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; sendfile on;
  open_file_cache max=100; client_max_body_size 0; {NGINX_FOLDERS}
  server {{ listen 127.0.0.1:{self.port}; root {self.folder}/www;
    # Passed on to itself, so that the whole body is read before the answer.
    location /upload {{ client_body_buffer_size 11m; proxy_pass http://127.0.0.1:{self.port}/sink; }}
    location /sink {{ return 200 "ok"; }}
    location / {{ }} }}
}}
""")
        self.start(["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")], cpu)


NGINX_LOG = """log_format j escape=json '{"time":"$time_iso8601","client":"$remote_addr",\
"client_port":$remote_port,"host":"$host","method":"$request_method","path":"$uri",\
"query":"$args","protocol":"$server_protocol","status":$status,"bytes_in":$request_length,\
"bytes_out":$bytes_sent,"total":$request_time,"origin_time":$upstream_response_time,\
"tls":"$ssl_protocol","cipher":"$ssl_cipher","resumed":"$ssl_session_reused",\
"verify":"$ssl_client_verify","subject":"$ssl_client_s_dn","issuer":"$ssl_client_i_dn",\
"serial":"$ssl_client_serial","fingerprint":"$ssl_client_fingerprint",\
"upstream":"$upstream_addr","request_id":"$request_id","agent":"$http_user_agent"}';"""


class Nginx(Peer):
    name = "nginx"

    def __init__(self, folder, job, cpu, sessions="tickets"):
        super().__init__(folder)
        log = f"{NGINX_LOG} access_log access.log j;" if job.access_log else "access_log off;"
        session = {"tickets": "",
                   "cache": "ssl_session_tickets off; ssl_session_cache shared:S:64m;"}[sessions]
        files = job.files
        rules = "".join(f'  "h{i}.example.com/v1" 1;\n' for i in range(job.rules - 1))
        rules += "".join(f'  "api.example.com{path}" 1;\n' for path in PATHS)
        verify = (f"ssl_client_certificate {files.ca}; ssl_crl {files.crl}; ssl_verify_client optional;"
                  f" ssl_verify_depth 3;" if job.client_auth else "")
        location = """location / {
      if ($denied) { return 403; }
      proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_request_buffering off; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Client-DN $ssl_client_s_dn; proxy_set_header X-Client-Fingerprint $ssl_client_fingerprint;
    }"""
        hosts = "".join(
            f"server {{ listen 127.0.0.1:{self.port} ssl; server_name {name}; ssl_certificate {chain}; "
            f"ssl_certificate_key {key}; {location} }}\n" for name, chain, key in job.hosts)
        (self.folder / "nginx.conf").write_text(f"""
daemon off; {AS_USER} worker_processes 1; pid pid; error_log stderr error;
worker_rlimit_nofile 65536;
events {{ worker_connections 32768; }}
http {{
  {log}
  map_hash_max_size 1048576; map_hash_bucket_size 128;
  server_names_hash_max_size 1048576; server_names_hash_bucket_size 128;
  keepalive_requests 100000000; keepalive_timeout 600s; client_max_body_size 0; {NGINX_FOLDERS}
  map $host$uri $listed {{ default 0;
{rules}  }}
  map "$listed:$ssl_client_verify" $denied {{ default 0; {'"~^1:NONE" 1; "~^1:FAILED" 1;' if job.client_auth else ''} }}
  upstream api {{ server 127.0.0.1:{job.origin_port}; keepalive 128; keepalive_requests 100000000; keepalive_timeout 600s; }}
  server {{
    listen 127.0.0.1:{self.port} ssl backlog=4096; server_name api.example.com;
    ssl_certificate {files.server}; ssl_certificate_key {files.server_key};
    ssl_protocols TLSv1.2 TLSv1.3; {session} {verify}
    error_page 495 496 =403 @denied;
    location @denied {{ return 403; }}
    {location}
  }}
  {hosts}
}}
""")
        self.start(["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")], cpu)


class CachingNginx(Nginx):
    name = "nginx-cache"

    def __init__(self, folder, job, cpu):
        super().__init__(folder, job, cpu, sessions="cache")




class Haproxy(Peer):
    name = "haproxy"

    def __init__(self, folder, job, cpu):
        super().__init__(folder)
        files = job.files
        pem = self.folder / "server.pem"
        pem.write_bytes(files.server.read_bytes() + files.server_key.read_bytes())
        certificate = f"crt {pem}"
        if job.hosts:
            many = self.folder / "hosts"
            many.mkdir()
            for name, chain, key in job.hosts:
                (many / f"{name}.pem").write_bytes(chain.read_bytes() + key.read_bytes())
            certificate += f" crt {many}"
        verify = (f"ca-file {files.ca} crl-file {files.crl} verify optional ca-ignore-err all "
                  "crt-ignore-err all" if job.client_auth else "")
        paths = self.folder / "paths.map"
        paths.write_text("".join(f"h{i}.example.com/v1 1\n" for i in range(job.rules - 1)) +
                         "".join(f"api.example.com{path} 1\n" for path in PATHS))
        log = ""
        if job.access_log:
            log = ("  log stdout format raw local0\n"
                   '  log-format \'{"time":"%t","client":"%ci","client_port":%cp,"host":"%[var(txn.host)]",'
                   '"method":"%HM","path":"%HPO","query":"%HQ","protocol":"%HV","status":%ST,"bytes_in":%U,'
                   '"bytes_out":%B,"total":%Ta,"origin_time":%Tr,"tls":"%sslv","cipher":"%sslc",'
                   '"resumed":"%[ssl_fc_is_resumed]","verify":"%[ssl_c_verify]",'
                   '"subject":"%[ssl_c_s_dn]","issuer":"%[ssl_c_i_dn]","serial":"%[ssl_c_serial,hex]",'
                   '"fingerprint":"%[ssl_c_sha1,hex]","upstream":"%s","request_id":"%ID",'
                   '"agent":"%[capture.req.hdr(0)]"}\'\n'
                   "  unique-id-format %{+X}o%ci%cp%Ts%rt\n"
                   "  http-request capture req.hdr(user-agent) len 128\n")
        listed = f"{{ base,map({paths},0) -m str 1 }}"
        deny = (f"  http-request deny deny_status 403 if {listed} !{{ ssl_c_used }}\n"
                f"  http-request deny deny_status 403 if {listed} !{{ ssl_c_verify 0 }}\n"
                if job.client_auth else f"  http-request set-header X-Listed 1 if {listed}\n")
        (self.folder / "haproxy.cfg").write_text(f"""
global
  nbthread 1
  no strict-limits
  maxconn 32000
  tune.ssl.default-dh-param 2048
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
  option http-keep-alive
frontend f
  bind 127.0.0.1:{self.port} ssl {certificate} {verify}
{log}  http-request set-var(txn.host) req.hdr(host)
{deny}  option forwardfor
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Client-DN %[ssl_c_s_dn]
  http-request set-header X-Client-Fingerprint %[ssl_c_sha1,hex]
  default_backend b
backend b
  http-reuse always
  server s 127.0.0.1:{job.origin_port} pool-max-conn 256
""")
        # The master hands its listeners on to each new worker.
        self.start(["haproxy", "-W", "-db", "-f", str(self.folder / "haproxy.cfg")], cpu)

    def reload(self):
        self.process.send_signal(signal.SIGUSR2)


class Caddy(Peer):
    """Go's TLS instead of OpenSSL's; it knows no revocation lists."""

    name = "caddy"
    answers = (("client", 200), (None, 403))

    def __init__(self, folder, job, cpu):
        super().__init__(folder)
        files = job.files
        paths = " ".join(PATHS)
        (self.folder / "Caddyfile").write_text(f"""
{{
  admin off
  auto_https off
  log {{
    level ERROR
  }}
  servers {{
    protocols h1
  }}
}}
https://api.example.com:{self.port} {{
  bind 127.0.0.1
  tls {files.server} {files.server_key} {{
    client_auth {{
      mode verify_if_given
      trusted_ca_cert_file {files.ca}
    }}
  }}
  @denied {{
    path {paths}
    expression `{{http.request.tls.client.fingerprint}} == null`
  }}
  respond @denied 403
  reverse_proxy 127.0.0.1:{job.origin_port} {{
    header_up X-Client-DN {{http.request.tls.client.subject}}
    header_up X-Client-Fingerprint {{http.request.tls.client.fingerprint}}
    transport http {{
      keepalive 600s
      keepalive_idle_conns_per_host 128
    }}
  }}
}}
""")
        self.start(["caddy", "run", "--config", str(self.folder / "Caddyfile"), "--adapter",
                    "caddyfile"], cpu, {"XDG_CONFIG_HOME": str(self.folder),
                                        "XDG_DATA_HOME": str(self.folder)})


class Certgate(Peer):
    name = "certgate"

    def __init__(self, folder, binary, job, cpu, name="certgate"):
        self.name = name
        super().__init__(folder)
        files = job.files
        auth = (f"{{mode: request, ca: {files.ca}, crl: {files.crl}}}" if job.client_auth
                else "{mode: off}")
        denied = "(not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked)"
        rules = "".join(
            f"  - {{name: r{i}, action: block, expression: 'http.host in {{\"h{i}.example.com\"}} and "
            f"http.request.uri.path in {{\"/v1\"}} and {denied}'}}\n" for i in range(job.rules - 1))
        if job.client_auth:
            listed = " ".join(f'"{path}"' for path in PATHS)
            rules += ("  - {name: api, action: block, expression: 'http.host in {\"api.example.com\"} and "
                      f"http.request.uri.path in {{{listed}}} and {denied}'}}\n")
        hosts = "".join(f"  - {{names: [{name}], certificate: {chain}, private_key: {key}, origin: api}}\n"
                        for name, chain, key in job.hosts)
        self.access_log = self.folder / "access.log"
        access = f"{{file: {self.access_log}, format: {'json' if job.access_log else 'off'}}}"
        self.config = self.folder / "certgate.yaml"
        self.config.write_text(f"""
workers: 1
listeners: [{{address: "127.0.0.1:{self.port}"}}]
hosts:
  - names: [api.example.com]
    certificate: {files.server}
    private_key: {files.server_key}
    client_auth: {auth}
    origin: api
{hosts}origins:
  api: {{servers: ["http://127.0.0.1:{job.origin_port}"], keepalive: {{connections: 128, idle: 600s}}}}
request_headers:
  set:
    X-Client-DN: cf.tls_client_auth.cert_subject_dn
    X-Client-Fingerprint: cf.tls_client_auth.cert_fingerprint_sha1
timeouts: {{keep_alive: 600s, header: 600s}}
limits: {{connections: 32000}}
log: {{file: {self.folder}/log.txt, access: {access}}}
rules:{'' if rules else ' []'}
{rules}""")
        self.start([binary, "run", "--config", str(self.config)], cpu)
