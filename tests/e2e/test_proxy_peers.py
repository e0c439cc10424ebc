"""The PROXY protocol with those who speak it in earnest: HAProxy before us, nginx behind us."""

import os
import socket
import subprocess

from harness import Failure, Skip, test
from harness.server import die_with_parent, free_port, own_address

NGINX = """daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/nginx.err;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
server {{ listen {host}:{port} proxy_protocol;
  location / {{ return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $http_x_forwarded_for\\n"; }} }} }}
"""

HAPROXY = """global
  maxconn 200
defaults
  mode {mode}
  timeout connect 5s
  timeout client 20s
  timeout server 20s
listen front
  bind {host}:{port}
  {mode_options}
  server sallyport {backend} {send} check inter 200ms {check}
"""


def run(t, program, arguments, address):
    """Starts it, and waits until somebody listens there."""
    if not os.path.exists(program):
        raise Skip(f"{program} is not installed")
    folder = t.directory()
    output = open(folder / "output", "wb")
    process = subprocess.Popen([program, *arguments(folder)], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                               preexec_fn=die_with_parent, cwd=folder)

    def end():
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        output.close()
    t.later(end)

    def listens():
        if process.poll() is not None:
            raise Failure(f"{program} ended: {(folder / 'output').read_text()[-2000:]}")
        try:
            socket.create_connection(address, 1.0).close()
            return True
        except OSError:
            return False
    t.eventually(listens, f"{program} listens", 10.0)


def nginx(t):
    address = (own_address(), free_port())

    def arguments(folder):
        (folder / "nginx.conf").write_text(NGINX.format(dir=folder, host=address[0], port=address[1]))
        return ["-e", str(folder / "nginx.err"), "-c", str(folder / "nginx.conf")]
    run(t, "/usr/sbin/nginx", arguments, address)
    return f"http://{address[0]}:{address[1]}"


def haproxy(t, server, send, *, mode="tcp", check="", mode_options=""):
    address = (own_address(), free_port())

    def arguments(folder):
        (folder / "haproxy.cfg").write_text(HAPROXY.format(
            host=address[0], port=address[1], backend=f"{server.address[0]}:{server.address[1]}", send=send, mode=mode,
            check=check, mode_options=mode_options))
        return ["-db", "-f", str(folder / "haproxy.cfg")]
    run(t, "/usr/sbin/haproxy", arguments, address)
    return address


def proxied_server(t, settings=None, **options):
    server = t.fresh_server(settings, start=False, **options)
    server.settings["listen"][0]["proxy_protocol"] = ["127.0.0.0/8"]
    server.write_policy()
    server.start()
    return server


class Through:
    """What t.client wants of a server: its address is the balancer's."""

    def __init__(self, server, address):
        self.server, self.address = server, address

    def client(self, **options):
        server, self.server.address = self.server.address, self.address
        try:
            return self.server.client(**options)
        finally:
            self.server.address = server


@test(seconds=30, each={
    "send-proxy": ("send-proxy", "tcp", "check-send-proxy"),
    "send-proxy-v2": ("send-proxy-v2", "tcp", "check-send-proxy"),
    "send-proxy-v2 with a checksum and an id": ("send-proxy-v2 proxy-v2-options crc32c,unique-id", "tcp", "check-send-proxy"),
    "send-proxy-v2, by HTTP": ("send-proxy-v2", "http", ""),
})
def haproxy_passes_visitors_on(t, row):
    send, mode, check = row
    server = proxied_server(t)
    options = "unique-id-format %[uuid()]" if "unique-id" in send else ""
    mark = server.mark()
    through = Through(server, haproxy(t, server, send, mode=mode, check=check, mode_options=options))
    for source in ("127.77.0.1", "127.77.0.2"):
        client = t.client(through, source=source)
        for path in ("/one", "/two"):
            t.equal(client.get(path).status, 200, "status")
            t.equal(server.origin.requests_for(path)[-1].field("X-Forwarded-For"), source, "X-Forwarded-For")
    lines = [line for line in server.lines_since(mark) if line["reason"].startswith("proxy-")]
    t.equal([line.raw for line in lines], [], "complaints about HAProxy's headers and health checks")


@test(seconds=30, each={"v1": "v1", "v2": "v2"})
def nginx_learns_the_visitor(t, word):
    server = t.fresh_server({"site": {"send_proxy": word, "health": {"path": "/", "interval": "200 ms"}}}, origins=[nginx(t)])
    for source in ("127.77.0.1", "127.77.0.2", "127.77.0.1"):
        client = t.client(server, source=source)
        for _ in range(2):
            port = client.socket.getsockname()[1]
            response = client.get("/")
            t.equal((response.status, response.body.decode()), (200, f"{source} {port} {server.address[0]} {source}\n"),
                    "what nginx learned")
    t.check("is down" not in server.events(), f"nginx is healthy: {server.events()}")


@test(seconds=30)
def the_address_arrives_through_haproxy_and_us_at_nginx(t):
    server = proxied_server(t, {"site": {"send_proxy": "v2"}}, origins=[nginx(t)])
    through = Through(server, haproxy(t, server, "send-proxy"))
    response = t.client(through, source="127.77.0.3").get("/")
    t.check(response.body.startswith(b"127.77.0.3 "), f"what nginx learned: {response.body!r}")
