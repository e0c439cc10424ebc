"""Tunnels through the gate, and how much may pass it: at once, in a second, in bytes."""

import socket
import time

from harness import reply, test
from harness.gate import Gate, asks, other_address, place, somewhere


def taken(world):
    """Bytes that came to the first connection; it may be that the world has not taken that one up yet."""
    return getattr(world.connections[0], "taken", 0) if world.connections else 0


# ---- tunnels


@test(each={"the client": True, "the destination": False})
def an_end_goes_through_and_what_follows_still_passes(t, client_first):
    seen = []

    def serve(connection):
        if client_first:
            while connection.more():
                pass
            seen.append(connection.ended)
            connection.send(b"last words")
        else:
            connection.socket.shutdown(socket.SHUT_WR)
            while connection.more():
                pass
            seen.append(bytes(connection.received))

    world = somewhere(t, serve=serve)
    gate = Gate(t, [place(world)])
    client, _ = gate.connect(place(world))
    if client_first:
        t.equal(client.half_close().read_all(), b"last words", "what came at last")
        t.equal(seen, ["eof"], "how the end came there")
    else:
        t.equal(client.read_all(), b"", "the end")
        client.send(b"last words").half_close()
        t.eventually(lambda: seen == [b"last words"], lambda: f"what was said at last: {seen}")


def pours(total):
    """Sends so many bytes, then takes as many."""
    def serve(connection):
        block = bytes(range(256)) * 1024
        for _ in range(total // len(block)):
            connection.send(block)
        connection.socket.shutdown(socket.SHUT_WR)
        while connection.more():
            if len(connection.received) > 1 << 20:
                connection.taken = getattr(connection, "taken", 0) + len(connection.received)
                connection.received.clear()
        connection.taken = getattr(connection, "taken", 0) + len(connection.received)
    return serve


@test(seconds=30)
def large_amounts_pass_unharmed_with_a_reader_that_is_slow(t):
    total = 32 << 20
    world = somewhere(t, serve=pours(total))
    gate = Gate(t, [place(world)], limits={"bytes": "0 B/s", "host_bytes": "0 B/s"})
    client, _ = gate.connect(place(world))
    got, expected = 0, bytes(range(256)) * 1024
    while data := client.receive():
        at = got % len(expected)
        t.check(all(data[i:i + len(expected) - at] == (expected[at:] + expected[:at])[:len(data[i:i + len(expected) - at])]
                    for i in range(0, min(len(data), len(expected) - at), len(expected))), f"bytes at {got}")
        got += len(data)
        if got < 2 << 20:
            time.sleep(0.02)
    t.equal(got, total, "bytes received")
    block = b"x" * (1 << 20)
    for _ in range(16):
        client.send(block)
    client.half_close()
    t.eventually(lambda: taken(world) == 16 << 20, "what was sent came there")
    t.equal(gate.server.complaint(), None, "complaint")


@test(seconds=20)
def a_tunnel_through_which_nothing_passes_ends(t):
    world = somewhere(t, serve=lambda connection: connection.more())
    gate = Gate(t, [place(world)], settings={"timeouts": {"tunnel": "500 ms"}})
    mark = gate.server.mark()
    client, _ = gate.connect(place(world))
    start = time.monotonic()
    t.equal(client.read_all(), b"", "the end")
    t.within(start, 3, "the time until then", least=0.4)
    t.reason(gate.server.next_line(mark), "tunnel-idle")


@test(each={"out": True, "in": False}, seconds=20)
def tunnels_are_not_read_faster_than_they_may(t, out):
    amount = 2 << 20
    world = somewhere(t, serve=pours(0 if out else amount))
    gate = Gate(t, [place(world)], limits={"bytes": "4 MiB/s", "host_bytes": "1 MiB/s"})
    client, _ = gate.connect(place(world))
    before, start = gate.server.cpu_seconds(), time.monotonic()
    if out:
        client.send(b"x" * amount).half_close()
        t.eventually(lambda: taken(world) == amount, "all of it came", 10)
    else:
        t.equal(len(client.read_all()), amount, "bytes")
    took, spent = time.monotonic() - start, gate.server.cpu_seconds() - before
    t.check(1.5 < took < 4, f"2 MiB at 1 MiB/s took {took:.2f} s")
    t.check(spent < 0.5, f"CPU {spent:.2f} s: it must wait, not ask again and again")
    t.note(f"2 MiB at 1 MiB/s: {took:.2f} s, CPU {spent:.2f} s")


@test(seconds=20)
def the_slowest_rate_is_a_rate(t):
    world = somewhere(t, serve=pours(0))
    gate = Gate(t, [place(world)], limits={"bytes": "2 B/s"})
    client, _ = gate.connect(place(world))
    before = gate.server.cpu_seconds()
    client.send(b"slow").half_close()
    t.eventually(lambda: taken(world) == 4, "all of it came", 8)
    spent = gate.server.cpu_seconds() - before
    t.check(spent < 0.3, f"CPU {spent:.2f} s: it must wait, not ask again and again")


@test(seconds=20)
def contents_are_not_read_faster_than_they_may_either(t):
    world = somewhere(t)
    world.on("/big", reply(b"x" * (2 << 20)))
    gate = Gate(t, [place(world)], limits={"bytes": "1 MiB/s"})
    start = time.monotonic()
    response = gate.get(f"http://{place(world)}/big")
    t.equal((len(response.body), response.complete), (2 << 20, True), "content")
    down = time.monotonic() - start
    start = time.monotonic()
    gate.ask(asks(f"http://{place(world)}/up", host=place(world), method="PUT",
                  fields=f"Content-Length: {2 << 20}\r\n") + b"y" * (2 << 20))
    up = time.monotonic() - start
    t.equal(len(world.requests_for("/up")[-1].body), 2 << 20, "what came there")
    t.check(1.5 < down < 4 and 1.5 < up < 4, f"2 MiB at 1 MiB/s: {down:.2f} s down, {up:.2f} s up")


def deaf(t):
    """Takes connections, and next to nothing of what comes in them."""
    listener = socket.socket()
    t.later(listener.close)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    listener.bind((other_address(), 0))
    listener.listen()
    return "{}:{}".format(*listener.getsockname())


@test(seconds=20)
def an_upload_that_is_held_waits_for_who_takes_it_and_not_for_ever(t):
    where = deaf(t)
    gate = Gate(t, [where], limits={"bytes": "256 KiB/s"},
                settings={"quotas": {"collect": "1 MiB"}, "timeouts": {"collect": "1 s", "first_byte": "3 s"}})
    client, mark = gate.client(), gate.server.mark()
    client.send(asks(f"http://{where}/up", host=where, method="PUT", fields=f"Content-Length: {8 << 20}\r\n")
                + b"x" * (512 << 10))
    time.sleep(1.5)
    before = gate.server.cpu_seconds()
    t.reason(gate.server.next_line(mark, seconds=8), "origin-timeout")
    spent = gate.server.cpu_seconds() - before
    t.check(spent < 0.3, f"CPU {spent:.2f} s: it must wait, not ask again and again")


# ---- how much at once


@test(seconds=20)
def a_flood_of_requests_passes_at_its_rate(t):
    world = somewhere(t)
    gate = Gate(t, [place(world)], limits={"requests": "50/s", "host_requests": "20/s"})
    mark, start, refused = gate.server.mark(), time.monotonic(), 0
    while time.monotonic() - start < 2:
        response = gate.get(f"http://{place(world)}/")
        if response.status == 429:
            refused += 1
            t.check(int(response.field("Retry-After")) >= 1, response.head)
    passed, took = len(world.requests), time.monotonic() - start
    t.check(20 <= passed <= 20 * took + 40 + 1, f"{passed} passed in {took:.2f} s, {refused} were refused")
    t.check(refused > 10, refused)
    line = gate.server.next_line(mark, lambda line: line.status == 429)
    t.reason(line, "egress-rate")
    t.equal((line.setting, line.limit), ("egress.limits.host_requests", 20), "limit in the log")
    t.note(f"{passed} requests passed in {took:.2f} s at 20/s, {refused} were refused")


@test
def connections_at_once_are_bounded(t):
    world, other = somewhere(t, serve=lambda c: c.more()), somewhere(t, serve=lambda c: c.more())
    gate = Gate(t, [place(world), place(other)], limits={"connections": 5, "host_connections": 3})
    kept = [gate.connect(place(world)) for _ in range(3)] + [gate.connect(place(other)) for _ in range(2)]
    t.equal([head.status for _, head in kept], [200] * 5, "tunnels")
    for where, setting, limit in ((place(other), "egress.limits.connections", 5),):
        mark = gate.server.mark()
        t.equal(gate.connect(where)[1].status, 429, "one more")
        line = gate.server.next_line(mark)
        t.reason(line, "egress-connections")
        t.equal((line.setting, line.limit), (setting, limit), "limit")
    kept[3][0].close()
    t.eventually(lambda: gate.connect(place(other))[1].status == 200, "there is room again")
    kept[4][0].close()
    mark = gate.server.mark()

    def is_full():
        """The end of the other tunnel may not have been seen yet: then it is all of them that are too many."""
        return gate.connect(place(world))[1].status == 429 and any(
            line.setting == "egress.limits.host_connections" for line in gate.server.lines_since(mark))
    t.eventually(is_full, "too many to one host")


@test(heavy=True, seconds=60)
def a_thousand_tunnels_stand_and_go(t):
    world = somewhere(t, serve=lambda connection: [connection.send(b"hi"), connection.more(60)])
    gate = Gate(t, [place(world)], limits={"connections": 2000, "host_connections": 2000, "requests": "0/s", "host_requests": "0/s"})
    pid = gate.server.gate_pid()
    gate.connect(place(world))[0].close()
    before = gate.server.memory(pid)
    tunnels = [gate.connect(place(world)) for _ in range(1000)]
    t.check(all(head.status == 200 for _, head in tunnels), "all stand")
    each = (gate.server.memory(pid) - before) / 1000
    t.check(each < 12000, f"{each:.0f} bytes of memory for each")
    t.note(f"{each:.0f} bytes of memory for each idle tunnel")
    for client, _ in tunnels:
        client.send(b"x").half_close()
    for client, _ in tunnels:
        t.equal(client.read_all(), b"hi", "what came through")
    t.eventually(lambda: gate.server.status()["counters"]["exchanges"] == 0, "all are gone")
