"""How much one client, and all of them, may take; and what happens under overload."""

import os
import signal
import threading
import time

from harness import Client, Failure, Origin, Server, apart, reply, test
from harness.server import free_port

HOST = b"Host: site.example\r\n"


def get(target):
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n"


def open_idle(t, server, count, **options):
    """Connections that have served one request each and stay open."""
    clients = [t.client(server, **options) for _ in range(count)]
    for client in clients:
        t.equal(client.get("/").status, 200, "status")
    return clients


@test
def one_address_may_have_so_many_connections(t):
    server = t.fresh_server({"quotas": {"per_client": 8}})
    clients = open_idle(t, server, 8)
    mark = server.mark()
    ninth = t.client(server).send(get(b"/ninth"))
    response = ninth.read_response()
    t.equal((response.status, response.field("Connection")), (429, "close"), "answer to the ninth")
    t.reason(server.next_line(mark), "client-connections")
    t.equal(t.client(server, source="127.9.9.9").get("/").status, 200, "status for another address")
    t.equal(clients[0].get("/").status, 200, "status on a connection that was there")
    clients.pop().close()

    def admitted():
        again = server.client()
        try:
            return again.get("/").status == 200
        finally:
            again.close()
    t.eventually(admitted, "a place that became free is given away")


@test
def the_quota_of_an_address_counts_over_all_workers(t):
    server = t.fresh_server({"quotas": {"per_client": 10}, "process": {"workers": 2}})
    statuses = []
    for _ in range(30):
        client = t.client(server).send(get(b"/"))
        statuses.append(client.read_response().status)
    t.check(10 <= statuses.count(200) <= 11, f"{statuses.count(200)} of 30 connections were served")
    t.equal(set(statuses), {200, 429}, "statuses")


@test
def ipv6_addresses_count_by_their_64(t):
    """Everything under ::1/128 is one client: loopback has no other IPv6 address without rights."""
    port = free_port("127.0.0.1")
    server = t.fresh_server({"quotas": {"per_client": 2}}, start=False)
    server.write_policy({"listen": [*server.settings["listen"], {"address": f"[::1]:{port}"}]})
    server.start()
    statuses = []
    for _ in range(3):
        client = Client(("::1", port))
        t.later(client.close)
        statuses.append(client.get("/").status)
    t.equal(statuses, [200, 200, 429], "statuses")


@test
def a_visitor_with_a_whole_ipv6_network_is_one_client(t):
    """All addresses of a /64 share a quota; another /64 has its own."""
    def work(line):
        try:
            apart.own_network(["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::3",
                               "2001:db8:0:2::1"])
        except OSError as error:
            line.say(f"skip: {error}")
            return
        origin = Origin()
        server = Server([origin],
                        {"quotas": {"per_client": 2}, "listen": [{"address": "[::]:8080"}]})
        clients, statuses = [], []
        for source in ("2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::3",
                       "2001:db8:0:2::1"):
            clients.append(Client(("2001:db8:0:2::1", 8080), source=source))
            statuses.append(clients[-1].get("/").status)
        line.say(statuses)
        server.stop()

    pid, line = apart.start(work)
    t.later(lambda: apart.end(pid))
    said = line.hear()
    if isinstance(said, str):
        t.skip(said)
    t.equal(said, [200, 200, 429, 200], "statuses")


@test
def all_clients_together_may_have_so_many_connections(t):
    server = t.fresh_server({"quotas": {"connections": 10}})
    open_idle(t, server, 10)
    mark = server.mark()
    client = t.client(server, source="127.8.8.8").send(get(b"/eleventh"))
    response = client.read_response()
    t.equal((response.status, response.field("Connection")), (503, "close"), "answer")
    t.check(response.field("Retry-After"), f"Retry-After is said: {response.head!r}")
    t.reason(server.next_line(mark), "all-connections")


@test(seconds=20)
def a_worker_without_memory_refuses_new_work_and_finishes_the_old(t):
    """A memory ceiling of little more than what the held uploads take."""
    server = t.fresh_server({"quotas": {"memory": "8 MiB", "collect": "1 MiB"},
                             "timeouts": {"collect": "10 s"}})
    download = t.client(server)
    server.origin.on("/running", lambda c,
                     r: c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", 2.0, b"cd"))
    download.send(get(b"/running"))
    t.equal(download.read_head().status, 200, "status of the running download")
    mark = server.mark()
    holders = []
    for number in range(20):
        holder = t.client(server, source=f"127.7.7.{number + 1}")
        try:
            holder.send(b"POST /hold HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000\r\n\r\n" +
                        b"x" * 900_000)
        except OSError:
            break
        holders.append(holder)
    line = server.next_line(mark, lambda line: line.status == 503)
    t.reason(line, "overload")
    rest = b""
    while len(rest) < 4:
        rest += download.receive()
    t.equal(rest, b"abcd", "the running download")
    for holder in holders:
        holder.close()

    def admitted():
        return server.get("/again").status == 200
    t.eventually(admitted, "work is taken again once there is memory")


@test
def an_origin_gets_no_more_connections_than_its_route_allows(t):
    server = t.fresh_server({"site": {"max_connections": 2}})
    server.origin.on("/slow", lambda c, r: c.send(0.3, b"HTTP/1.1 204 No Content\r\n\r\n"))
    clients = [t.client(server).send(get(b"/slow")) for _ in range(6)]
    t.equal([client.read_response().status for client in clients], [204] * 6, "statuses")
    t.equal(len(server.origin.connections), 2, "origin connections")


@test(seconds=15)
def an_origin_that_stays_busy_is_answered_503(t):
    server = t.fresh_server({"site": {"max_connections": 1}, "timeouts": {"connect": "400 ms"}})
    server.origin.on("/hang", lambda c, r: c.more(6))
    holder = t.client(server).send(get(b"/hang"))
    t.eventually(lambda: server.origin.requests, "the origin is busy")
    mark, began = server.mark(), time.monotonic()
    response = server.get("/")
    t.equal(response.status, 503, "status")
    t.within(began, 4, "the time until then")
    t.reason(server.next_line(mark), "origin-busy")
    holder.close()


@test
def connections_that_end_are_not_counted_for_ever(t):
    server = t.fresh_server({"quotas": {"per_client": 4, "connections": 6}})
    ways = ("close", "reset", "half_close")
    for number in range(120):
        client = server.client()
        t.equal(client.get("/").status, 200, f"status of connection {number}")
        getattr(client, ways[number % 3])()
        if number % 3 == 2:
            client.read_all()
            client.close()
        t.eventually(lambda: server.status()["counters"]["connections"] == 0,
                     "the connection is forgotten")


@test
def connections_of_a_killed_worker_are_not_counted_for_ever(t):
    server = t.fresh_server({"quotas": {"per_client": 4}})
    open_idle(t, server, 4)
    os.kill(server.workers()[0], signal.SIGKILL)

    def four_again():
        clients = [server.client() for _ in range(4)]
        try:
            return [client.get("/").status for client in clients] == [200] * 4
        except Failure:
            return False
        finally:
            for client in clients:
                client.close()
    t.eventually(four_again, "four connections again", 5, 0.1)


@test
def connections_that_are_handed_over_are_counted_once(t):
    server = t.fresh_server({"quotas": {"per_client": 4}})
    clients = open_idle(t, server, 4)
    for _ in range(3):
        handed_over = server.status()["counters"]["adopted"]
        t.equal(server.reload().status, 200, "status of the reload")
        t.eventually(lambda: server.status()["counters"]["adopted"] >= handed_over + 4,
                     "all four are taken over")
        t.equal(server.client().get("/").status, 429, "status of a fifth")
    t.equal([client.get("/").status for client in clients], [200] * 4, "statuses of the four")
    clients.pop().close()

    def admitted():
        return server.get("/").status == 200
    t.eventually(admitted, "a place that became free is given away")


@test
def trusted_proxies_are_not_counted(t):
    server = t.fresh_server({"quotas": {"per_client": 3}, "trusted_proxies": ["127.0.0.1"]})
    open_idle(t, server, 10)
    strangers = [t.client(server, source="127.5.5.5") for _ in range(4)]
    t.equal([client.get("/").status for client in strangers], [200, 200, 200, 429],
            "statuses of a stranger")


@test
def who_leaves_the_queue_for_an_origin_does_not_block_it(t):
    server = t.fresh_server({"site": {"max_connections": 1}})
    gate = threading.Event()
    server.origin.on("/hold", lambda c, r: gate.wait(5)
                     and c.send(b"HTTP/1.1 204 No Content\r\n\r\n"))
    holder = t.client(server).send(get(b"/hold"))
    t.eventually(lambda: server.origin.requests, "the origin is busy")
    waiting = [t.client(server).send(get(b"/wait")) for _ in range(6)]
    time.sleep(0.1)
    for client in waiting[:3]:
        client.reset()
    time.sleep(0.1)
    gate.set()
    t.equal(holder.read_response().status, 204, "status of the holder")
    t.equal([client.read_response().status for client in waiting[3:]], [200] * 3,
            "statuses of those who stayed")


@test(seconds=20)
def a_server_without_descriptors_waits_and_recovers(t):
    """Neither spins nor falls over; what is open goes on."""
    server = t.fresh_server({"quotas": {"per_client": 1000}}, limit_descriptors=120)
    kept = t.client(server)
    t.equal(kept.get("/").status, 200, "status before")
    crowd = [t.client(server) for _ in range(200)]
    time.sleep(0.3)
    before, began = cpu_seconds(server.workers()), time.monotonic()
    time.sleep(1.0)
    used = (cpu_seconds(server.workers()) - before) / (time.monotonic() - began)
    t.check(used < 0.3, f"the workers use {used:.0%} of a CPU while they wait")
    t.equal(kept.get("/").status, 200, "status on a connection that was open")
    for client in crowd:
        client.close()
    t.eventually(lambda: server.get("/").status == 200, "service for new connections", 5)


@test(seconds=20)
def unused_origin_connections_give_way(t):
    """What is kept for later must not be what a visitor is refused for."""
    origins = [t.origin() for _ in range(6)]
    sites = [{"name": f"site{i}", "hosts": [f"host{i}.example"], "origins": [origin.url]}
             for i, origin in enumerate(origins)]
    server = t.fresh_server({"sites": sites, "quotas": {"per_client": 1000}}, origins=[], limit_descriptors=160)
    for i, origin in enumerate(origins):
        origin.on("/", lambda c, r: c.send(0.3, reply()))
        clients = [t.client(server).send(t.request("/", host=f"host{i}.example")) for _ in range(30)]
        t.equal({client.read_response().status for client in clients}, {200}, f"statuses of site {i}")
        for client in clients:
            client.close()


@test(seconds=20)
def ports_that_run_out_are_no_fault_of_the_origin(t):
    """The visitor is told to come again, and the origin stays in use."""
    def work(line):
        try:
            apart.own_network()
            with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as file:
                file.write("60000 60001")
        except OSError as error:
            line.say(f"skip: {error}")
            return
        origin = Origin({"/hold": lambda c, r: c.send(2.0, reply())}, port=8081)
        server = Server([origin], {"site": {"health": {"fall": 1}}})
        held = [Client(server.address, source=f"127.0.1.{i}").send(get(b"/hold")) for i in range(2)]
        while len(origin.requests) < 2:
            time.sleep(0.01)
        mark = server.mark()
        refused = Client(server.address, source="127.0.2.1").get("/third").status
        reason = server.next_line(mark).reason
        statuses = [client.read_response().status for client in held]
        line.say([refused, reason, statuses, Client(server.address, source="127.0.2.2").get("/").status])
        server.stop()

    pid, line = apart.start(work)
    t.later(lambda: apart.end(pid))
    said = line.hear()
    if isinstance(said, str):
        t.skip(said)
    t.asserted.add("no-socket")
    t.equal(said, [503, "no-socket", [200, 200], 200], "the answers")


@test
def who_is_refused_with_a_request_on_its_way_reads_the_answer(t):
    """A close over bytes that nobody read would reset the connection."""
    server = t.fresh_server({"quotas": {"per_client": 1}})
    kept = open_idle(t, server, 1)
    worker = server.workers()[0]
    for _ in range(10):
        os.kill(worker, signal.SIGSTOP)
        client = t.client(server).send(get(b"/second"))
        time.sleep(0.02)
        os.kill(worker, signal.SIGCONT)
        t.equal(client.read_response().status, 429, "status")
        client.read_all()
        t.equal(client.ended, "eof", "the end")
    t.equal(kept[0].get("/").status, 200, "status on the connection that was there")


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


@test
def slow_holders_of_memory_make_room_for_newcomers(t):
    """Half heads fill the memory of the only worker; who comes then is answered, and the slow ones are ended."""
    server = t.fresh_server({"process": {"workers": 1}, "quotas": {"memory": "8 MiB"},
                             "timeouts": {"head": "60 s"}, "limits": {"head": "16 KiB"}})
    half = b"GET / HTTP/1.1\r\nHost: site.example\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"x" * 990) for i in range(13))
    holders = [t.client(server).send(half) for _ in range(500)]
    t.eventually(lambda: server.get("/").status == 200, "an answer while the memory is full", seconds=5.0, pause=0.2)
    for _ in range(5):
        t.equal(server.get("/").status, 200, "status")
    counters = server.status()["counters"]
    t.check(0 < counters["shed"] < len(holders), f"slow ones were ended: {counters}")
