"""nginx, HAProxy and certgate set up for the same job, and their CPU and memory read from /proc.

Every program is started from a folder of its own on loopback and ended by the one that started it.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import proxy as harness  # noqa: E402  (certificates and waiting are the black-box tests')


# Started by root, nginx would serve as a user who cannot read the bench's folder.
AS_USER = "user root;" if os.getuid() == 0 else ""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Peer:
    """A running program: pinned to a CPU, measured over its whole process tree."""

    name = "?"

    def start(self, command, cpu, ports):
        self.ports = ports
        self.process = subprocess.Popen(
            ["taskset", "-c", str(cpu), *command],
            stdout=open(self.folder / "out.txt", "wb"), stderr=subprocess.STDOUT,
        )

        def ready():
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended: {(self.folder / 'out.txt').read_text()}")
            return all(accepts(port) for port in ports)

        harness.wait_until(ready, f"{self.name} to listen")

    def pids(self):
        found = [self.process.pid]
        for pid in found:
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in task.read_text().split()]
        return found

    def cpu_seconds(self):
        """Time on a CPU so far, from the scheduler: finer than the ticks of /proc/PID/stat."""
        total = 0
        for pid in self.pids():
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
                total += int(task.read_text().split()[0])
        return total / 1e9

    def memory_kib(self):
        """Proportional set size of all processes."""
        total = 0
        for pid in self.pids():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class OriginServer(Peer):
    """What all three forward to: an nginx that answers from memory."""

    name = "origin"

    def __init__(self, folder, cpu):
        self.folder = pathlib.Path(folder) / "origin"
        (self.folder / "www").mkdir(parents=True)
        self.port = free_port()
        for size, name in ((1024, "1k"), (16 * 1024, "16k"), (1024 * 1024, "1m")):
            (self.folder / "www" / name).write_bytes(b"x" * size)
        (self.folder / "nginx.conf").write_text(f"""
daemon off; {AS_USER} worker_processes 1; pid {self.folder}/pid; error_log stderr error;
worker_rlimit_nofile 65536;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; sendfile on;
  open_file_cache max=100; client_max_body_size 0; client_body_temp_path {self.folder}/body;
  proxy_temp_path {self.folder}/p; fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u;
  scgi_temp_path {self.folder}/s;
  server {{ listen 127.0.0.1:{self.port}; root {self.folder}/www;
    # Passed on to itself, so that the whole body is read before the answer.
    location /upload {{ client_body_buffer_size 11m; proxy_pass http://127.0.0.1:{self.port}/sink; }}
    location /sink {{ return 200 "ok"; }}
    location / {{ }} }}
}}
""")
        self.start(["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")], cpu,
                   [self.port])


class Job:
    """What the three are asked to do; the certificates lie in `folder`."""

    def __init__(self, folder, origin_port, *, access_log=False, rules=1, key="ec", crl_entries=10,
                 client_auth=True):
        self.folder = pathlib.Path(folder)
        self.origin_port = origin_port
        self.access_log = access_log
        self.rules = rules
        self.client_auth = client_auth


class Nginx(Peer):
    name = "nginx"

    def __init__(self, job, files, cpu, sessions="tickets"):
        self.folder = job.folder / f"nginx-{sessions}-{free_port()}"
        self.folder.mkdir()
        self.port = free_port()
        log = (f'log_format j escape=json \'{{"time":"$time_iso8601","client":"$remote_addr",'
               f'"host":"$host","method":"$request_method","uri":"$request_uri","status":$status,'
               f'"bytes":$bytes_sent,"total":$request_time,"tls":"$ssl_protocol",'
               f'"cipher":"$ssl_cipher","resumed":"$ssl_session_reused",'
               f'"verify":"$ssl_client_verify","subject":"$ssl_client_s_dn",'
               f'"serial":"$ssl_client_serial","fingerprint":"$ssl_client_fingerprint",'
               f'"upstream":"$upstream_addr"}}\'; access_log {self.folder}/access.log j;'
               if job.access_log else "access_log off;")
        session = {"tickets": "",
                   "cache": "ssl_session_tickets off; ssl_session_cache shared:S:64m;"}[sessions]
        rules = "".join(f'  "h{i}.example.com/v1" 1;\n' for i in range(job.rules - 1))
        verify = (f"ssl_client_certificate {files.ca}; ssl_crl {files.crl}; ssl_verify_client optional;"
                  f" ssl_verify_depth 3;" if job.client_auth else "")
        (self.folder / "nginx.conf").write_text(f"""
daemon off; {AS_USER} worker_processes 1; pid {self.folder}/pid; error_log stderr error;
worker_rlimit_nofile 65536;
events {{ worker_connections 32768; }}
http {{
  {log}
  map_hash_max_size 1048576; map_hash_bucket_size 128;
  keepalive_requests 100000000; keepalive_timeout 600s; client_max_body_size 0;
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/p;
  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  map $host$uri $listed {{ default 0;
{rules}  "api.example.com/1k" 1; "api.example.com/16k" 1; "api.example.com/1m" 1; "api.example.com/upload" 1; }}
  map "$listed:$ssl_client_verify" $denied {{ default 0; "~^1:NONE" 1; "~^1:FAILED" 1; }}
  upstream api {{ server 127.0.0.1:{job.origin_port}; keepalive 128; keepalive_requests 100000000; keepalive_timeout 600s; }}
  server {{
    listen 127.0.0.1:{self.port} ssl backlog=4096; server_name api.example.com;
    ssl_certificate {files.server}; ssl_certificate_key {files.server_key};
    ssl_protocols TLSv1.2 TLSv1.3; {session} {verify}
    error_page 495 496 =403 @denied;
    location @denied {{ return 403; }}
    location / {{
      if ($denied) {{ return 403; }}
      proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_request_buffering off; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Client-DN $ssl_client_s_dn; proxy_set_header X-Client-Fingerprint $ssl_client_fingerprint;
    }}
  }}
}}
""")
        self.start(["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")], cpu,
                   [self.port])


class Haproxy(Peer):
    name = "haproxy"

    def __init__(self, job, files, cpu):
        self.folder = job.folder / f"haproxy-{free_port()}"
        self.folder.mkdir()
        self.port = free_port()
        pem = self.folder / "server.pem"
        pem.write_bytes(pathlib.Path(files.server).read_bytes() +
                        pathlib.Path(files.server_key).read_bytes())
        verify = (f"ca-file {files.ca} crl-file {files.crl} verify optional ca-ignore-err all crt-ignore-err all"
                  if job.client_auth else "")
        paths = self.folder / "paths.map"
        paths.write_text("".join(f"h{i}.example.com/v1 1\n" for i in range(job.rules - 1)) +
                         "".join(f"api.example.com{p} 1\n" for p in ("/1k", "/16k", "/1m", "/upload")))
        log = ""
        if job.access_log:
            log = (f"  log stdout format raw local0\n"
                   '  log-format \'{"time":"%t","client":"%ci","host":"%[var(txn.host)]","request":"%HM %HU",'
                   '"status":%ST,"bytes":%B,"total":%Ta,"tls":"%sslv","cipher":"%sslc","verify":"%[ssl_c_verify]",'
                   '"subject":"%[ssl_c_s_dn]","serial":"%[ssl_c_serial,hex]","server":"%s"}\'\n')
        deny = ("  http-request deny deny_status 403 if { var(txn.key),map("
                f"{paths},0) -m str 1 }} !{{ ssl_c_used }}\n"
                f"  http-request deny deny_status 403 if {{ var(txn.key),map({paths},0) -m str 1 }}"
                " !{ ssl_c_verify 0 }\n" if job.client_auth else "")
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
  bind 127.0.0.1:{self.port} ssl crt {pem} {verify}
{log}  http-request set-var(txn.host) req.hdr(host)
  http-request set-var(txn.key) req.hdr(host),concat(,,),lower
  http-request set-var(txn.key) base
{deny}  option forwardfor
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Client-DN %[ssl_c_s_dn]
  http-request set-header X-Client-Fingerprint %[ssl_c_sha1,hex]
  default_backend b
backend b
  http-reuse always
  server s 127.0.0.1:{job.origin_port} pool-max-conn 256
""")
        self.start(["haproxy", "-db", "-f", str(self.folder / "haproxy.cfg")], cpu, [self.port])


class Certgate(Peer):
    name = "certgate"

    def __init__(self, binary, job, files, cpu, hosts=1):
        self.folder = job.folder / f"certgate-{free_port()}"
        self.folder.mkdir()
        self.port = free_port()
        auth = (f"{{mode: request, ca: {files.ca}, crl: {files.crl}}}" if job.client_auth
                else "{mode: off}")
        rules = "".join(
            f"  - {{name: r{i}, action: block, expression: 'http.host in {{\"h{i}.example.com\"}} and "
            f"http.request.uri.path in {{\"/v1\"}} and (not cf.tls_client_auth.cert_verified or "
            f"cf.tls_client_auth.cert_revoked)'}}\n" for i in range(job.rules - 1))
        deny = ("  - {name: api, action: block, expression: 'http.host in {\"api.example.com\"} and "
                "http.request.uri.path in {\"/1k\" \"/16k\" \"/1m\" \"/upload\"} and "
                "(not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked)'}\n"
                if job.client_auth else "")
        access = f"{{file: {self.folder}/access.log, format: {'json' if job.access_log else 'off'}}}"
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
origins:
  api: {{servers: ["http://127.0.0.1:{job.origin_port}"], keepalive: {{connections: 128, idle: 600s}}}}
request_headers:
  set:
    X-Client-DN: cf.tls_client_auth.cert_subject_dn
    X-Client-Fingerprint: cf.tls_client_auth.cert_fingerprint_sha1
timeouts: {{keep_alive: 600s, header: 600s}}
limits: {{connections: 32000}}
log: {{file: {self.folder}/log.txt, access: {access}}}
rules:{' []' if not (rules or deny) else ''}
{rules}{deny}""")
        self.start([binary, "run", "--config", str(self.config)], cpu, [self.port])

    def reload(self):
        self.process.send_signal(signal.SIGHUP)


class Files:
    """Certificates of one kind, for the servers and for the load generator."""

    def __init__(self, folder, key="ec", crl_entries=10):
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec, rsa

        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)

        def new_key():
            if key == "rsa":
                return rsa.generate_private_key(public_exponent=65537, key_size=2048)
            return ec.generate_private_key(ec.SECP256R1())

        root = harness.Authority(folder, "Bench Root", key=new_key())
        issuing = harness.Authority(folder, "Bench Issuing", issuer=root, key=new_key())
        server_ca = harness.Authority(folder, "Bench Server CA")
        server = server_ca.issue("api.example.com", server=True, dns=("api.example.com",))
        client = issuing.issue("phone-of-alice", key=new_key(), extra_chain=(issuing,))
        revoked = issuing.issue("stolen-phone", key=new_key(), extra_chain=(issuing,))
        reason = x509.ReasonFlags.key_compromise
        issuing.revoked = [(x509.random_serial_number(), reason) for _ in range(crl_entries - 1)]
        issuing.revoked.append((revoked.certificate.serial_number, reason))
        issuing.write_crl()
        root.write_crl()
        # nginx and HAProxy want a list for every CA of the chain.
        self.crl = folder / "all.crl"
        self.crl.write_bytes(issuing.crl_path.read_bytes() + root.crl_path.read_bytes())
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(root.pem() + issuing.pem())
        self.server, self.server_key = server.path, server.key_path
        self.client, self.client_key = client.path, client.key_path
        self.revoked, self.revoked_key = revoked.path, revoked.key_path


def have(program):
    return shutil.which(program) or os.path.exists(f"/usr/sbin/{program}")
