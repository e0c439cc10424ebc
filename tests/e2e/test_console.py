"""The control API, the metrics and the commands that use them."""

import json
import re

from harness import Client, Failure, test
from harness.server import free_port


def with_tcp(t):
    port = free_port("127.0.0.1")
    server = t.fresh_server({"console": {"address": f"127.0.0.1:{port}"}})
    server.console = ("127.0.0.1", port)
    return server


def ask(t, server, method, path, fields=(), host=None):
    client = Client(server.console)
    t.later(client.close)
    return client.get(path, method=method, host=host or f"127.0.0.1:{server.console[1]}",
                      fields=[("Connection", "close"), *fields])


@test
def livez_and_readyz_say_200(t):
    server = t.server()
    t.equal((server.api("GET", "/livez").status, server.api("GET", "/readyz").status), (200, 200),
            "statuses")


@test
def status_tells_the_processes_and_the_counters(t):
    server = t.server()
    before, reasons = server.status(), server.reasons()
    server.get("/counted")
    server.get("/refused%00")

    def counted():
        return server.reasons().get("escape-nul", 0) == reasons.get("escape-nul", 0) + 1
    t.eventually(counted, "the refusal is counted")
    status = server.status()
    for name in ("version", "uptime_s", "generation", "processes", "counters", "reasons"):
        t.check(name in status, f"{name} stands in the status: {list(status)}")
    t.check(status["counters"]["requests"] >= before["counters"]["requests"] + 2,
            "requests are counted")
    t.check(status["counters"]["requests_rejected"] >= 1, "refusals are counted")


@test
def metrics_are_of_the_prometheus_text_format(t):
    server = t.server()
    server.get("/refused%00")
    response = server.api("GET", "/metrics")
    t.check((response.field("Content-Type") or "").startswith("text/plain"),
            f"type: {response.head!r}")
    text = response.body.decode()
    for line in text.splitlines():
        t.check(re.fullmatch(r'# (HELP|TYPE) [a-z_:]+ .*|[a-z_:]+(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? -?[0-9.e+]+',
                             line), f"a line of the metrics: {line!r}")
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    for name in re.findall(r"^([a-z_:]+)[ {]", re.sub(r"^#.*\n", "", text, flags=re.M), re.M):
        t.check(name in names, f"{name} has a type")
    t.check('reason="escape-nul"' in text, "refusals by reason")


@test
def the_status_command_shows_it(t):
    server = t.server()
    result = server.command("status", "-c", str(server.file))
    t.equal(result.returncode, 0, f"exit status: {result.stderr}")
    t.check(str(server.workers()[0]) in result.stdout, f"the worker stands in it:\n{result.stdout}")
    result = server.command("status", "-c", str(server.file), "--json")
    t.equal(json.loads(result.stdout)["generation"], server.status()["generation"],
            "generation as JSON")


@test
def the_status_of_no_server_is_1(t):
    server = t.fresh_server()
    server.process.terminate()
    server.ended(8)
    result = server.command("status", "-c", str(server.file))
    t.equal(result.returncode, 1, "exit status")
    t.equal(len(result.stderr.strip().splitlines()), 1, f"one line says so: {result.stderr}")


@test
def over_tcp_an_order_needs_its_header(t):
    """No foreign page can make a browser send it."""
    server = with_tcp(t)
    t.equal(ask(t, server, "GET", "/api/status").status, 200, "status of the status")
    t.equal(ask(t, server, "POST", "/api/reload").status, 403,
            "status of an order without its header")
    t.equal(ask(t, server, "POST", "/api/reload", [("X-Sallyport-Order", "1")]).status, 200,
            "status with it")


@test(each={"another name": "evil.example", "another name with the port": "evil.example:1",
            "none": ""})
def over_tcp_a_foreign_host_is_refused(t, host):
    """DNS rebinding: a name that points here is not ours."""
    server = with_tcp(t)
    client = Client(server.console)
    t.later(client.close)
    line = f"Host: {host}\r\n" if host else ""
    client.send(f"GET /api/status HTTP/1.1\r\n{line}Connection: close\r\n\r\n".encode())
    response = client.read_response()
    t.check(400 <= response.status < 500, f"status {response.status}")
    t.check(b"generation" not in response.body, "something was told")


@test
def orders_are_posts(t):
    server = t.server()
    for path in ("/api/reload", "/api/stop"):
        t.equal(server.api("GET", path).status, 405, f"status of GET {path}")
    t.equal(server.api("GET", "/nothing").status, 404, "status of an unknown path")
    t.equal(server.get("/").status, 200, "the server goes on")


@test
def the_page_is_small_and_loads_nothing_from_elsewhere(t):
    server = with_tcp(t)
    response = ask(t, server, "GET", "/")
    t.equal(response.status, 200, "status")
    page = response.body.decode()
    t.check("<html" in page.lower(), "it is HTML")
    t.equal(re.findall(r'(?:src|href)="(?:https?:)?//[^"]*"', page), [],
            "what it loads from elsewhere")
    t.check(response.field("Content-Security-Policy"),
            f"it has a Content-Security-Policy: {response.head!r}")


@test
def the_api_stays_up_under_nonsense(t):
    server = t.server()
    for data in (b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n",
                 b"POST /api/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
                 b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n"):
        client = Client(server.control_socket)
        t.later(client.close)
        client.send(data)
    t.equal(server.api("GET", "/livez").status, 200, "status")


@test
def stop_by_the_api_ends_the_server(t):
    server = t.fresh_server()
    t.equal(server.api("POST", "/api/stop").status, 202, "status")
    t.equal(server.ended(6), 0, "exit status")


@test
def readyz_says_503_while_it_ends(t):
    server = t.fresh_server()
    server.origin.on("/slow", lambda c, r: c.send(1.0, b"HTTP/1.1 204 No Content\r\n\r\n"))
    client = t.client(server).send(t.request("/slow"))
    t.eventually(lambda: server.origin.requests, "the request is at the origin")
    server.process.terminate()

    def not_ready():
        try:
            return server.api("GET", "/readyz").status == 503
        except (Failure, OSError):
            return True  # gone with the server
    t.eventually(not_ready, "it says so", 2)
    t.equal(client.read_response().status, 204, "status of the running request")
