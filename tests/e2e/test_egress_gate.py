"""The gate: a forward proxy for egress origins, out to what the policy lets them reach."""

from harness import reply, test
from harness.gate import Gate, other_address
from harness.origin import Origin


def somewhere(t, address=None):
    """A server in the world, at an address of its own."""
    origin = Origin(host=address or other_address())
    t.later(origin.close)
    return origin


def place(origin):
    return f"{origin.host}:{origin.port}"


@test
def a_url_in_absolute_form_passes(t):
    world = somewhere(t)
    gate = Gate(t, [place(world)])
    mark = gate.server.mark()
    response = gate.get(f"http://{place(world)}/a%2Fb?c=%20d", fields="X: y\r\n")
    t.equal(response.status, 200, f"status {response.head!r} {response.body!r}")
    got = world.requests[-1]
    t.equal((got.method, got.target, got.field("Host"), got.field("X")),
            ("GET", "/a%2Fb?c=%20d", place(world), "y"), "what came there")
    line = gate.server.next_line(mark)
    t.equal((line.egress, line.site, line.origin, line.reason), ("127.0.0.1", "egress", place(world), "-"), "log")


@test
def a_tunnel_passes_bytes_both_ways(t):
    world = somewhere(t)
    gate = Gate(t, [place(world)])
    mark = gate.server.mark()
    client, head = gate.connect(place(world))
    t.equal((head.status, head.fields), (200, []), "head of the tunnel")
    response = client.get("/through", host="any")
    t.equal((response.status, world.requests[-1].target), (200, "/through"), "through the tunnel")
    client.half_close()
    t.equal(client.read_all(), b"", "the rest")
    line = gate.server.next_line(mark)
    t.equal((line.method, line.status, line.egress, line.origin, line.reason),
            ("CONNECT", 200, "127.0.0.1", place(world), "-"), "log")
    t.check(line.bytes_in > 20 and line.bytes_out > 20, line.raw)


@test
def what_is_private_is_refused_unless_it_is_listed(t):
    world, other = somewhere(t), somewhere(t)
    gate = Gate(t, [place(world)], strikes=1000)
    for ask in (lambda: gate.get(f"http://{place(other)}/"), lambda: gate.connect(place(other))[1]):
        mark = gate.server.mark()
        response = ask()
        t.equal(response.status, 403, "status")
        line = gate.server.next_line(mark)
        t.reason(line, "egress-private")
        t.equal(line.setting, "egress.allow", "setting in the log")
    t.equal(other.received, 0, "bytes that came there")
