"""What a worker holds: little for an idle connection, nothing for what is over."""

import os
import re

from harness import reply, test
from harness.server import is_sanitized

HOST = b"Host: site.example\r\n"

MIXED = [
    b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /a%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /" + b"long/" * 700 + b" HTTP/1.1\r\n" + HOST + b"Cookie: " + b"c" * 5000 + b"\r\n\r\n",
    b"POST /b HTTP/1.1\r\n" + HOST + b"Content-Length: 60000\r\n\r\n" + b"x" * 60_000,
    b"POST /b HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" +
         b"x" * 4096 + b"\r\n0\r\n\r\n",
    b"POST /b HTTP/1.1\r\n" + HOST + b"Content-Length: 60000\r\n\r\n" + b"x" * 30_000,
         # and then the end
    b"GET /half HTTP/1.1\r\nHost: si",
    b"GET /cut HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /big HTTP/1.1\r\n" + HOST + b"\r\n",
    b"BAD\0\r\n\r\n",
    b"GET /default.ida?" + b"N" * 224 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /a HTTP/1.1\r\n" + HOST + b"\r\nGET /a HTTP/1.1\r\n" + HOST + b"\r\n",
]


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) << 10


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def rounds(t, server, count):
    for number in range(count):
        client = server.client()
        client.send(MIXED[number % len(MIXED)])
        if number % 5 == 4:
            client.reset()
            continue
        try:
            client.half_close()
        except OSError:
            pass  # a cut answer has reset it already
        client.read_all()
        client.close()
    t.eventually(lambda: not server.status()["counters"]["exchanges"], "nothing is under way")
    server.origin.forget()


@test(seconds=60)
def thousands_of_requests_of_all_kinds_leave_nothing_behind(t):
    if is_sanitized():
        t.skip("a sanitizer's memory grows by itself")
    server = t.fresh_server({"timeouts": {"linger": "100 ms"}})
    server.origin.on("/cut", lambda c,
                     r: c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc") and False)
    server.origin.on("/big", reply(b"x" * 300_000))
    worker = server.workers()[0]
    rounds(t, server, 4000)  # also until the shared ring of the log has been written once all round
    before, open_before = resident(worker), descriptors(worker)
    rounds(t, server, 3000)
    after, open_after = resident(worker), descriptors(worker)
    t.note(f"{before >> 10} KiB, then {after >> 10} KiB; {open_before} descriptors, then {open_after}")
    t.check(after - before < 256 << 10, f"the worker grew from {before} to {after} bytes")
    t.check(open_after <= open_before + 2,
            f"the worker's descriptors grew from {open_before} to {open_after}")
    t.equal(server.workers(), [worker], "workers")


@test(seconds=30)
def an_idle_connection_costs_less_than_a_thousand_bytes(t):
    if is_sanitized():
        t.skip("a sanitizer's memory is another")
    server = t.fresh_server({"quotas": {"per_client": 10_000}})
    server.get("/")
    worker = server.workers()[0]
    warm = [t.client(server) for _ in range(200)]
    for client in warm:
        client.get("/")
    before = server.memory(worker)
    clients = []
    for _ in range(4000):
        clients.append(server.client())
        clients[-1].send(t.request("/"))
        clients[-1].read_response()
    each = (server.memory(worker) - before) / len(clients)
    for client in clients:
        client.close()
    t.note(f"{each:.0f} bytes each")
    t.check(each < 1000, f"{each:.0f} bytes for an idle connection")
