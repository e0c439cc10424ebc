"""The PROXY protocol towards origins that want to know the visitor."""

from harness import Origin, reply, test
from harness.proxy_header import split, v1


def introduced():
    """An origin that wants a PROXY header first. What it read is in .headers of each connection."""
    def serve_one(connection):
        while not connection.received.endswith(b"\r\n\r\n"):
            if not connection.more():
                return
        connection.header = split(bytes(connection.received))
        connection.send(reply(b"ok\n"))
        connection.more(5.0)
    return Origin(serve=serve_one)


def with_introduced(t, settings, **options):
    origin = introduced()
    t.later(origin.close)
    return t.fresh_server(settings, origins=[origin], **options), origin


@test(each={"v1": ("v1", 1), "v2": ("v2", 2)})
def an_origin_is_told_the_visitor(t, row):
    word, version = row
    server, origin = with_introduced(t, {"site": {"send_proxy": word}})
    clients = [t.client(server, source=f"127.5.5.{n}") for n in (1, 2)]
    for _ in range(2):
        for client in clients:
            t.equal(client.get("/").status, 200, "status")
    seen = [connection.header[:3] for connection in origin.connections]
    expected = [(version, *client.socket.getsockname()) for client in clients] * 2
    t.equal(seen, expected, "what the origin was told, connection by connection")
    t.check(all(connection.header[3].startswith(b"GET / HTTP/1.1\r\n") for connection in origin.connections),
            "the request follows at once")
    t.eventually(lambda: all(connection.ended == "eof" for connection in origin.connections),
                 lambda: f"connections end in order: {[connection.ended for connection in origin.connections]}")


@test
def the_visitor_of_a_trusted_proxy_is_told(t):
    server, origin = with_introduced(t, {"site": {"send_proxy": "v2"}, "trusted_proxies": ["127.0.0.0/8"]})
    t.equal(server.get("/", fields=[("X-Forwarded-For", "2001:db8::7")]).status, 200, "status")
    t.equal(origin.connections[0].header[:3], (2, "2001:db8::7", 0), "what the origin was told")


@test(each={"v1": "v1", "v2": "v2"})
def health_checks_are_nobodys(t, word):
    server, origin = with_introduced(t, {"site": {"send_proxy": word, "health": {"path": "/up", "interval": "100 ms"}}})

    def told():
        return [connection.header for connection in list(origin.connections) if hasattr(connection, "header")]
    t.eventually(lambda: len(told()) >= 2, "two probes")
    t.check(all(header[1] is None and header[3].startswith(b"GET /up ") for header in told()), f"{told()}")
    t.check("origin-down" not in server.events(), "the origin is healthy")


@test
def a_route_may_do_without(t):
    server, origin = with_introduced(t, {})
    other = t.origin()
    server.write_policy({"site": {"send_proxy": "v1", "routes": [
        {"path": "/plain", "origins": [other.url], "send_proxy": "off"}]}})
    t.equal(server.reload().status, 200, "status of the reload")
    t.equal([server.get("/plain/x").status, server.get("/").status], [200, 200], "statuses")
    t.check(other.requests[0].head.startswith(b"GET /plain/x "), "no header on the route")
    t.equal(origin.connections[0].header[0], 1, "version elsewhere")


@test(seconds=20)
def uploads_and_failures_work_with_introduced_origins(t):
    dead = "http://127.0.0.1:1"
    origin = Origin(serve=lambda connection: upload(connection))
    t.later(origin.close)
    server = t.fresh_server({"site": {"send_proxy": "v1", "origins": [dead, origin.url]}}, origins=[origin])
    for size in (10, 300000):
        client = t.client(server)
        response = client.send(t.request("/up", method="POST", body=b"x" * size)).read_response()
        t.equal((response.status, response.body), (200, str(size).encode()), "status and size")


def upload(connection):
    while b"\r\n\r\n" not in connection.received:
        if not connection.more():
            return
    _, source, _, rest = split(bytes(connection.received))
    size = int(rest.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(split(bytes(connection.received))[3].partition(b"\r\n\r\n")[2]) < size:
        if not connection.more():
            return
    connection.send(reply(str(size).encode()))
    connection.more(5.0)


@test
def through_and_through(t):
    """Balancer, sallyport, origin: the address arrives."""
    origin = introduced()
    t.later(origin.close)
    server = t.fresh_server({"site": {"send_proxy": "v2"}}, origins=[origin], start=False)
    server.settings["listen"][0]["proxy_protocol"] = ["127.0.0.0/8"]
    server.write_policy()
    server.start()
    t.equal(t.client(server).send(v1("192.0.2.7", 4711) + t.request("/")).read_response().status, 200, "status")
    t.equal(origin.connections[0].header[:3], (2, "192.0.2.7", 4711), "what the origin was told")
