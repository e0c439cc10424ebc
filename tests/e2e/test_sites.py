"""Which site and which origin a request goes to."""

import pathlib

from harness import Client, test
from harness.server import free_port, own_address


def sites(*origins):
    names = ("alpha", "beta", "gamma")
    hosts = (["alpha.example", "www.alpha.example"], ["*.beta.example"], ["special.beta.example"])
    return [{"name": name, "hosts": host, "origins": [origin.url]}
            for name, host, origin in zip(names, hosts, origins)]


@test
def a_host_finds_its_site(t):
    alpha, beta, gamma = t.origin(), t.origin(), t.origin()
    server = t.fresh_server({"sites": sites(alpha, beta, gamma)}, origins=[])
    for host, origin in (("alpha.example", alpha), ("www.alpha.example", alpha),
                         ("ALPHA.Example", alpha),
                         ("alpha.example:8080", alpha), ("alpha.example.", alpha),
                         ("x.beta.example", beta), ("x.y.beta.example", beta),
                         ("special.beta.example", gamma)):
        count = len(origin.requests)
        t.equal(server.get("/", host=host).status, 200, f"status for {host}")
        t.equal(len(origin.requests), count + 1, f"requests at the origin of {host}")


@test(each={"another name": "other.example", "no name": "127.0.0.1",
            "below an exact name": "x.alpha.example",
            "the wildcard's own name": "beta.example",
            "a longer name": "alpha.example.evil.example",
            "ends like the wildcard": "evilbeta.example", "IPv6": "[::1]",
            "localhost": "localhost"})
def an_unknown_host_is_refused(t, host):
    server = t.server()
    settings = {"sites": sites(server.origin, server.origin)}
    other = t.server(settings)
    mark, seen = other.mark(), server.origin.received
    t.equal(other.get("/", host=host).status, 421, "status")
    t.reason(other.next_line(mark), "host-unknown")
    t.equal(server.origin.received, seen, "bytes the origin received")


@test
def a_connection_that_asked_for_an_unknown_host_may_ask_again(t):
    """Or it ends in order: never is the next request of the connection taken for something else."""
    server = t.server()
    client = t.client(server)
    response = client.get("/", host="other.example")
    t.equal(response.status, 421, "status")
    if response.field("Connection") == "close":
        t.equal(client.read_all(), b"", "nothing follows")
    else:
        t.equal(client.get("/").status, 200, "status of the next request")


@test
def a_default_site_takes_every_host(t):
    alpha, beta = t.origin(), t.origin()
    server = t.fresh_server({"sites": sites(alpha, beta), "default_site": "beta"}, origins=[])
    for host in ("other.example", "127.0.0.1:80", "[::1]"):
        t.equal(server.get("/default", host=host).status, 200, f"status for {host}")
    t.equal(len(beta.requests_for("/default")), 3, "requests at the default site's origin")


@test
def http_10_without_host_goes_to_the_default_site_or_nowhere(t):
    origin = t.origin()
    server = t.fresh_server({"sites": sites(origin), "default_site": "alpha"}, origins=[])
    t.equal(server.get("/", host=None, version="1.0").status, 200, "status with a default site")
    t.check(origin.requests[-1].field("Host"), "the origin hears some Host")
    t.equal(t.server().get("/", host=None, version="1.0").status, 421,
            "status without a default site")


@test
def the_longest_route_on_a_segment_boundary_wins(t):
    root, api, deep = t.origin(), t.origin(), t.origin()
    server = t.fresh_server({"site": {"routes": [{"path": "/api", "origins": [api.url]},
                                                 {"path": "/api/deep", "origins": [deep.url]}]}},
                            origins=[root])
    for path, origin in (("/", root), ("/api", api), ("/api/x", api), ("/apix", root),
                         ("/api/deep/x", deep),
                         ("/api/deeper", api), ("/x/api", root), ("/%61pi/y", api),
                         ("/api/../x", root),
                         ("/x/../api/deep/z", deep), ("/API/x", root)):
        before = [len(each.requests) for each in (root, api, deep)]
        t.equal(server.get(path).status, 200, f"status of {path}")
        after = [len(each.requests) for each in (root, api, deep)]
        expected = [count + (each is origin) for count, each in zip(before, (root, api, deep))]
        t.equal(after, expected, f"requests at root, api, deep after {path}")


@test
def round_robin_asks_each_origin_in_turn(t):
    origins = [t.origin(), t.origin(), t.origin()]
    server = t.fresh_server(origins=origins)
    for _ in range(12):
        t.equal(server.get("/").status, 200, "status")
    t.equal([len(origin.requests) for origin in origins], [4, 4, 4], "requests at each origin")


@test
def least_connections_spares_the_busy_origin(t):
    busy = t.origin({"/slow": lambda c, r: c.send(2.0, b"HTTP/1.1 204 No Content\r\n\r\n")})
    idle = t.origin({"/slow": lambda c, r: c.send(2.0, b"HTTP/1.1 204 No Content\r\n\r\n")})
    server = t.fresh_server({"site": {"balance": "least-connections"}}, origins=[busy, idle])
    first = t.client(server).send(t.request("/slow"))
    t.eventually(lambda: busy.requests or idle.requests, "the slow request is at an origin")
    if idle.requests:
        busy, idle = idle, busy
    for _ in range(6):
        t.equal(server.get("/quick").status, 200, "status")
    t.equal((len(busy.requests), len(idle.requests)), (1, 6),
            "requests at the busy and the idle origin")
    t.equal(first.read_response().status, 204, "status of the slow one")


@test(each={"Via": True, "CDN-Loop": False})
def requests_that_go_in_a_circle_are_refused(t, via):
    """Two sallyports that are each other's origin."""
    ports = free_port(), free_port()
    urls = [f"http://{own_address()}:{port}" for port in ports]
    servers = []
    for port, origin in zip(ports, reversed(urls)):
        server = t.fresh_server({"site": {"via": via}}, origins=[origin], start=False)
        server.write_policy({"listen": [{"address": f"{own_address()}:{port}"}]})
        server.address = (own_address(), port)
        server.start()
        servers.append(server)
    t.equal(servers[0].get("/round").status, 508, "status")
    for server in servers:
        t.eventually(lambda server=server: len(server.lines_since()) >= 3,
                     "the lines of three rounds")
    lines = [line for server in servers for line in server.lines_since()]
    t.check(len(lines) <= 8, f"it went round {len(lines)} times")
    t.check(any(line.reason == "loop" for line in lines),
            f"reasons: {[line.reason for line in lines]}")
    t.asserted.add("loop")


@test
def it_listens_on_several_addresses(t):
    second = free_port()
    origin = t.origin()
    server = t.fresh_server(origins=[origin], start=False)
    server.write_policy({"listen": [*server.settings["listen"],
                                    {"address": f"{own_address()}:{second}"},
                                    {"address": f"[::1]:{second}"}]})
    server.start()
    for address in (server.address, (own_address(), second), ("::1", second)):
        client = Client(address)
        t.later(client.close)
        t.equal(client.get("/").status, 200, f"status at {address}")
    t.equal(origin.requests[-1].field("X-Forwarded-For"), "::1",
            "X-Forwarded-For of an IPv6 visitor")


@test
def a_listener_for_both_families_tells_ipv4_visitors_as_such(t):
    port = free_port("127.0.0.1")
    server = t.fresh_server(start=False)
    server.write_policy({"listen": [{"address": f":{port}"}]})
    server.address = ("127.0.0.1", port)
    server.start()
    for address, seen in ((("127.0.0.1", port), "127.0.0.1"), (("::1", port), "::1")):
        client = Client(address)
        t.later(client.close)
        t.equal(client.get("/").status, 200, f"status at {address}")
        t.equal(server.origin.requests[-1].field("X-Forwarded-For"), seen, "X-Forwarded-For")
        server.next_line(None, lambda line, seen=seen: line.client == seen)


@test
def an_origin_may_be_reached_by_ipv6_and_by_name(t):
    hosts = pathlib.Path("/etc/hosts")
    if not hosts.exists() or "localhost" not in hosts.read_text():
        t.skip("/etc/hosts does not know localhost here")
    six = t.origin(host="::1")
    four = t.origin()
    server = t.fresh_server({"sites": [
        {"name": "six", "hosts": ["six.example"], "origins": [six.url]},
        {"name": "named", "hosts": ["named.example"],
         "origins": [f"http://localhost:{four.port}"]}]},
        origins=[])
    t.equal(server.get("/", host="six.example").status, 200, "status by IPv6")
    t.equal(server.get("/", host="named.example").status, 200, "status by name")
    t.equal((len(six.requests), len(four.requests)), (1, 1), "requests at each origin")


@test
def it_runs_without_a_policy_file(t):
    """sallyport run --listen ADDRESS --origin URL: every host, any path."""
    t.alone("standard-place")
    origin = t.origin()
    address = f"{own_address()}:{free_port()}"
    server = t.fresh_server(origins=[origin], start=False,
                            arguments=["--listen", address, "--origin", origin.url],
                            environment={"SALLYPORT_LOG": "off"})
    server.address = (own_address(), int(address.rsplit(":", 1)[1]))
    server.start(wait=False)

    def answer():
        try:
            return server.get("/anything", host="whatever.example").status
        except OSError:
            return None
    t.equal(t.eventually(answer, "an answer"), 200, "status")
    t.equal(origin.requests[-1].field("Host"), "whatever.example", "Host at the origin")


@test
def a_slash_more_goes_round_no_route_and_no_rule(t):
    """Most servers read // as /, so routes and rules do, too; the origin gets them as they came, but at the start,
    where some read // as the beginning of a host."""
    inner = t.origin()
    settings = {"site": {"routes": [{"path": "/admin", "origins": [inner.url]}]},
                "rules": [{"id": "no-private", "where": "path", "pattern": "^/private/", "message": "not for visitors"}]}
    server = t.fresh_server(settings)
    for target in ("/admin/x", "//admin/x", "/admin//x", "/a/..//admin/x"):
        before = len(inner.requests)
        status = server.get(target).status
        t.check(status == 400 or len(inner.requests) == before + 1, f"{target} ({status}) went to the other origin")
    t.equal([inner.requests[1].target, inner.requests[2].target], ["/admin/x", "/admin//x"], "what the origin gets")
    for target in ("/private/x", "//private/x", "/private//x"):
        t.equal(server.get(target).status, 403, target)
