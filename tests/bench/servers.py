"""The servers compared, each configured to do the same job: forward to one origin over
kept-alive connections, tell it the visitor's address, log a line per request, one worker."""

import http.client
import json
import os
import re
import shutil
import ssl
import subprocess

import gates
from process import BenchError, Process, cpu_ns, free_port, pss_bytes, wait_until

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
PAGE_BYTES = 1024
JUDGED_BYTES = 50 * 1024
FILE_BYTES = 64 * 1024 * 1024
CODE_RED = "/default.ida?" + "N" * 224 + "%u9090%u6858%ucbd3%u7801%u9090=a"

NGINX_COMMON = """
daemon off;
worker_processes 1;
pid {dir}/{name}.pid;
error_log {dir}/{name}.err warn;
events {{ worker_connections 8192; }}
http {{
    client_body_temp_path {dir}/{name}-body;
    proxy_temp_path {dir}/{name}-proxy;
    fastcgi_temp_path {dir}/{name}-fastcgi;
    uwsgi_temp_path {dir}/{name}-uwsgi;
    scgi_temp_path {dir}/{name}-scgi;
    keepalive_requests 100000000;
    client_max_body_size 0;
"""

# Uploads are read whole before they are answered, and their length is logged; what
# answers them is a second server, so that no module outside of nginx's own is needed.
NGINX_ORIGIN = NGINX_COMMON + """
    access_log off;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=16;
    log_format length "$request_length";
    upstream sink {{ server unix:{dir}/sink.socket; keepalive 64; keepalive_requests 100000000; }}
    server {{ listen unix:{dir}/sink.socket; return 200 "stored"; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {dir}/www;
        location = /status {{ stub_status; }}
        location = /upload {{
            access_log {log} length;
            client_body_buffer_size 256k;
            proxy_pass http://sink;
            proxy_http_version 1.1;
            proxy_method GET;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header Connection "";
        }}
    }}
}}
"""

NGINX_PROXY = NGINX_COMMON + """
    access_log {log} combined{log_options};
    upstream origin {{
        server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            {options}
        }}
    }}
}}
"""

# The same for all three: TLS 1.2 and 1.3, these ciphers and groups, tickets, no cache of sessions.
CIPHERS = ("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
           "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305")

NGINX_TLS = NGINX_PROXY.replace("listen 127.0.0.1:{port} backlog=4096;", """
        listen 127.0.0.1:{port} ssl backlog=4096;
        ssl_certificate {dir}/site.pem;
        ssl_certificate_key {dir}/site.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ciphers {ciphers};
        ssl_ecdh_curve X25519:prime256v1:secp384r1;
        ssl_prefer_server_ciphers off;
        ssl_session_timeout 1h;
""")

# What a copy of a known-good page is compared with: the file itself, served and logged.
NGINX_STATIC = NGINX_COMMON + """
    access_log {log} combined;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=16;
    server {{ listen 127.0.0.1:{port} backlog=4096; root {dir}/www; }}
}}
"""

NGINX_TUNED = """
            proxy_buffer_size 256k;
            proxy_buffers 8 256k;
            proxy_busy_buffers_size 512k;
            proxy_max_temp_file_size 0;
            proxy_request_buffering off;
            client_body_buffer_size 256k;
"""

HAPROXY = """
global
    nbthread 1
    maxconn 6000
    log stdout format raw local0
    {tuning}
defaults
    mode http
    log global
    option httplog
    option forwardfor
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-request 10s
    timeout http-keep-alive 60s
    {options}
frontend visitors
    bind 127.0.0.1:{port} backlog 4096
    http-request set-header X-Forwarded-Proto http
    default_backend origin
backend origin
    server origin 127.0.0.1:{origin} pool-max-conn 64
"""

HAPROXY_TLS = HAPROXY.replace("    {tuning}\n", """    {tuning}
    ssl-default-bind-ciphers {ciphers}
    ssl-default-bind-curves X25519:P-256:P-384
    ssl-default-bind-options ssl-min-ver TLSv1.2
    tune.ssl.cachesize 0
""").replace("bind 127.0.0.1:{port} backlog 4096", "bind 127.0.0.1:{port} backlog 4096 ssl crt {dir}/both.pem") \
    .replace("X-Forwarded-Proto http", "X-Forwarded-Proto https")

# Quotas are raised because all load comes from one address.
SALLYPORT = """
rule_files = ( "{root}/conf/policy.d" );
listen = ( {{ address = "127.0.0.1:{port}"; }} );
sites = ( {{ name = "bench"; hosts = ( "bench.example", "127.0.0.1" );
            origins = ( "http://127.0.0.1:{origin}" );
            shield = {{ mode = "enforce"; limits = {{ body = "128 MiB"; }}; }}; {guard} }} );
quotas = {{ connections = 10000; per_client = 10000; }};
process = {{ workers = 1; runtime = "{dir}/{name}-run"; }};
timeouts = {{ drain = "1 s"; }};
log = {{ access = "{log}"; format = "combined"; }};
vault = {{ directory = "{dir}/{name}-vault"; }};
"""

SALLYPORT_TLS = SALLYPORT.replace('address = "127.0.0.1:{port}";', """address = "127.0.0.1:{port}";
    tls = {{ certificate = "{dir}/site.pem"; key = "{dir}/site.key"; }};""").replace(
        "per_client = 10000;", 'per_client = 10000; handshakes = "0/s";')

ANYBODY = ssl.create_default_context()
ANYBODY.check_hostname, ANYBODY.verify_mode = False, ssl.CERT_NONE

# Known within a second, and then left alone: the scout's looks are no visitor's requests.
GUARD = """guard = { mode = "enforce"; seeds = ( "/page", "/judged" ); sitemap = false; settle = "0 s";
                      sample_interval = "100 ms"; probe_interval = "1 d"; rate = "100/s"; };"""


class Server:
    """One server: written configuration, running processes, log."""

    def __init__(self, place, name, label, template, argv, **values):
        self.place, self.name, self.label = place, name, label
        self.template, self.argv, self.values = template, argv, values
        self.port = free_port()
        self.log = os.path.join(place.dir, "log", f"{name}.log")
        self.config = os.path.join(place.dir, f"{name}.conf")
        self.is_tls = name.endswith("-tls")
        self.process = None
        self.seen_offset = self.seen_lines = 0

    def start(self):
        values = dict(dir=self.place.dir, name=self.name, port=self.port, log=self.log, root=ROOT, ciphers=CIPHERS,
                      origin=self.place.origin_port, **self.values)
        with open(self.config, "w", encoding="utf-8") as config:
            config.write(self.template.format(**values))
        said = os.path.join(self.place.dir, f"{self.name}.said")
        argv = [part.replace("CONFIG", self.config) for part in self.argv]
        output = self.log if self.name.startswith("haproxy") else said
        self.process = Process(argv, self.place.cpus_of(self), output, said)
        if not wait_until(self.is_ready, 10):
            words = self.process.last_words()
            self.stop()
            raise BenchError(f"{self.label} does not answer on port {self.port}: {words}")

    def is_ready(self):
        self.process.pids()
        try:
            return self.get("/page")[0] == 200
        except OSError:
            return False

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None

    def get(self, path):
        if self.is_tls:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=ANYBODY)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except http.client.HTTPException as error:
            raise OSError(f"{self.label}: {error!r}") from error
        finally:
            connection.close()

    def pids(self):
        return self.process.pids()

    def cpu_ns(self):
        return cpu_ns(self.pids())

    def memory(self):
        return pss_bytes(self.pids())

    def log_lines(self):
        """Lines in the log so far."""
        try:
            with open(self.log, "rb") as log:
                log.seek(self.seen_offset)
                while chunk := log.read(1 << 20):
                    self.seen_offset += len(chunk)
                    self.seen_lines += chunk.count(b"\n")
        except FileNotFoundError:
            pass
        return self.seen_lines


class Guarded(Server):
    """A sallyport that knows its pages; sealed: one that serves copies only."""

    def __init__(self, place, name, label, binary, sealed=False):
        super().__init__(place, name, label, SALLYPORT, [binary, "run", "-c", "CONFIG"], guard=GUARD)
        self.binary, self.sealed = binary, sealed

    def site(self):
        done = subprocess.run([self.binary, "status", "--json", "-c", self.config], capture_output=True,
                              text=True, check=False)
        try:
            return json.loads(done.stdout)["guard"]["sites"][0]
        except (ValueError, KeyError, IndexError):
            return {}

    def is_ready(self):
        if not super().is_ready() or self.site().get("exact") != 2:
            return False
        if not self.sealed:
            return True
        subprocess.run([self.binary, "vault", "seal", "bench", "-c", self.config], capture_output=True,
                       check=False)
        return self.site().get("state") == "sealed"


class Origin(Server):
    """The one origin behind all of them; never measured."""

    def connections_accepted(self):
        return int(re.search(r"requests\s+(\d+)", self.get("/status")[1].decode())[1])

    def uploaded_bytes(self):
        with open(self.log, encoding="ascii") as log:
            log.seek(self.seen_offset)
            lengths = log.read()
            self.seen_offset = log.tell()
        return sum(map(int, lengths.split()))


class Place:
    """The directory, the origin and the servers of one run."""

    def __init__(self, directory, placement, binary):
        self.dir, self.placement, self.binary = directory, placement, binary
        os.chmod(directory, 0o755)
        os.mkdir(os.path.join(directory, "log"))
        os.chmod(os.path.join(directory, "log"), 0o777)  # a server may log as another user
        os.mkdir(os.path.join(directory, "www"))
        self.write("page", PAGE_BYTES)
        self.write("judged", JUDGED_BYTES)
        self.write("file", FILE_BYTES)
        self.make_certificate()
        nginx = ["nginx", "-c", "CONFIG"]
        self.origin_port = None
        self.origin = Origin(self, "origin", "origin", NGINX_ORIGIN, nginx)
        self.origin_port = self.origin.port
        self.servers = {server.name: server for server in self.make_servers(nginx)}

    def make_servers(self, nginx):
        haproxy = ["haproxy", "-db", "-f", "CONFIG"]
        default = dict(options="", log_options="")
        yield Server(self, "nginx", "nginx", NGINX_PROXY, nginx, **default)
        yield Server(self, "twin", "nginx again (noise)", NGINX_PROXY, nginx, **default)
        yield Server(self, "nginx-buffered", "nginx, buffered log", NGINX_PROXY, nginx, options="",
                     log_options=" buffer=64k flush=1s")
        yield Server(self, "nginx-tuned", "nginx, tuned", NGINX_PROXY, nginx,
                     options=NGINX_TUNED, log_options="")
        yield Server(self, "haproxy", "HAProxy", HAPROXY, haproxy, tuning="", options="")
        tuned = dict(tuning="tune.bufsize 65536\n    maxpipes 64", options="option splice-auto")
        yield Server(self, "haproxy-tuned", "HAProxy, tuned", HAPROXY, haproxy, **tuned)
        yield Server(self, "haproxy-twin", "HAProxy, tuned, again (noise)", HAPROXY, haproxy,
                     **tuned)
        yield Server(self, "haproxy-spliced", "HAProxy, always splicing", HAPROXY, haproxy,
                     tuning="maxpipes 64\n    tune.pipesize 1048576",
                     options="option splice-request\n    option splice-response")
        yield Server(self, "nginx-static", "nginx, the file itself", NGINX_STATIC, nginx)
        yield Server(self, "sallyport", "sallyport", SALLYPORT,
                     [self.binary, "run", "-c", "CONFIG"], guard="")
        yield Guarded(self, "sallyport-guarded", "sallyport, guarded", self.binary)
        yield Guarded(self, "sallyport-sealed", "sallyport, sealed", self.binary, sealed=True)
        yield Server(self, "nginx-tls", "nginx", NGINX_TLS, nginx, **default)
        yield Server(self, "twin-tls", "nginx again (noise)", NGINX_TLS, nginx, **default)
        yield Server(self, "haproxy-tls", "HAProxy", HAPROXY_TLS, haproxy, tuning="", options="")
        yield Server(self, "sallyport-tls", "sallyport", SALLYPORT_TLS, [self.binary, "run", "-c", "CONFIG"], guard="")
        yield from gates.servers(self)

    def make_certificate(self):
        """ECDSA, signed by itself, the same for all."""
        files = [os.path.join(self.dir, name) for name in ("site.key", "site.pem", "both.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "30", "-subj", "/CN=bench.example", "-addext",
                        "subjectAltName=DNS:bench.example", "-keyout", files[0], "-out", files[1]],
                       capture_output=True, check=True)
        with open(files[2], "w", encoding="ascii") as both:
            for name in (files[1], files[0]):
                with open(name, encoding="ascii") as part:
                    both.write(part.read())

    def write(self, name, size):
        block = (b"0123456789abcdef" * 4096)[:size]
        with open(os.path.join(self.dir, "www", name), "wb") as page:
            for _ in range(size // len(block)):
                page.write(block)

    def cpus_of(self, server):
        return self.placement.others if server is self.origin else self.placement.server

    def check(self, server):
        """The page comes through whole, and the shield is on."""
        status, content = server.get("/page")
        if status != 200 or len(content) != PAGE_BYTES:
            raise BenchError(f"{server.label}: /page gave {status} and {len(content)} bytes")
        if not server.name.startswith("sallyport") or isinstance(server, gates.Gate):
            return
        status, _ = server.get(CODE_RED)
        if not 400 <= status < 500 or status == 404:
            raise BenchError(f"sallyport passed Code Red's request (status {status}): "
                             "the shield is off")

    def stop(self):
        for server in self.servers.values():
            server.stop()
        self.origin.stop()


def versions(binary, names):
    """One line each, as the programs give them."""
    commands = {"nginx": ["nginx", "-v"], "haproxy": ["haproxy", "-v"],
                "squid": ["squid", "-v"], "tinyproxy": ["tinyproxy", "-v"],
                "sallyport": [binary, "--version"], "wrk": ["wrk", "-v"]}
    lines = []
    for name, argv in commands.items():
        if name != "wrk" and name not in names or not shutil.which(argv[0]):
            continue
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        lines.append((done.stdout + done.stderr).strip().splitlines()[0])
    return lines
