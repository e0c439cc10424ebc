"""Origins that are gone, slow to come, or several; retries; health."""

import socket
import threading
import time

from harness import Origin, reply, test

HOST = b"Host: site.example\r\n"


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ---- gone

@test
def a_refused_connection_gives_502_at_once(t):
    server = t.fresh_server(origins=[f"http://127.0.0.1:{closed_port()}"])
    mark, began = server.mark(), time.monotonic()
    response = server.get("/")
    t.equal((response.status, response.complete), (502, True), "answer")
    t.within(began, 1, "the time until then")
    line = server.next_line(mark)
    t.reason(line, "origin-refused")
    t.check(line.id in response.body.decode(), "our page with the id")


@test
def many_failures_make_few_events(t):
    server = t.fresh_server(origins=[f"http://127.0.0.1:{closed_port()}"])
    for _ in range(100):
        t.equal(server.get("/").status, 502, "status")
    time.sleep(0.2)
    events = [line for line in server.events().splitlines() if line]
    t.check(1 <= len(events) <= 10, f"{len(events)} events for 100 requests: {events[:12]}")


@test
def an_origin_that_is_down_is_answered_quickly(t):
    """After some failures nobody waits for it any more, and the reason says so."""
    server = t.fresh_server({"site": {"health": {"fall": 2, "down": "5 s"}}},
                            origins=[f"http://127.0.0.1:{closed_port()}"])
    mark = server.mark()
    for _ in range(6):
        t.equal(server.get("/").status, 502, "status")
    lines = t.eventually(lambda: len(server.lines_since(mark)) == 6 and server.lines_since(mark),
                         "six lines")
    t.reason(lines[0], "origin-refused")
    t.reason(lines[-1], "origin-down")


@test(seconds=15)
def an_origin_that_comes_back_is_used_again(t):
    port = closed_port()
    server = t.fresh_server({"site": {"health": {"fall": 2, "down": "500 ms"}}},
                            origins=[f"http://127.0.0.1:{port}"])
    for _ in range(4):
        t.equal(server.get("/").status, 502, "status while it is gone")
    t.origin(port=port)
    t.eventually(lambda: server.get("/").status == 200, "it is used again", 5, 0.05)


@test(seconds=20)
def a_name_without_an_address_gives_502(t):
    server = t.fresh_server({"timeouts": {"connect": "2 s"}}, origins=["http://nobody.invalid:80"])
    mark = server.mark()
    t.equal(server.client(patience=12).get("/").status, 502, "status")
    t.reason(server.next_line(mark), "origin-unresolved")


# ---- closes

@test(each={"at once": lambda c, r: False, "after half a status line": lambda c,
            r: c.send(b"HTTP/1.1 2") and False,
            "after half a head": lambda c, r: c.send(b"HTTP/1.1 200 OK\r\nX: y\r\n") and False,
            "by a reset": lambda c, r: c.reset() or False})
def an_origin_that_closes_before_its_head_is_complete_gives_502(t, script):
    server = t.fresh_server(origins=[t.origin({"/closes": script})])
    for method, body in (("GET", b""), ("POST", b"abc")):
        mark = server.mark()
        response = server.get("/closes", method=method, body=body)
        t.equal((response.status, response.complete), (502, True), f"answer to {method}")
        t.reason(server.next_line(mark), "origin-closed", *(["origin-status-line"]))


@test
def a_fresh_connection_that_fails_is_not_tried_again(t):
    """Only a pooled connection may have been stale; an origin that fails gets each request once."""
    origin = t.origin({"/closes": lambda c, r: False})
    server = t.fresh_server(origins=[origin])
    server.get("/closes")
    t.equal(len(origin.requests_for("/closes")), 1, "requests at the origin")


# ---- stale connections of the pool

def stale_origin(t):
    """An origin that ends every connection when its second request comes, without an answer."""
    def serve(connection):
        request = connection.read_head()
        if request:
            connection.read_body(request)
            connection.send(reply(f"connection {connection.number}".encode()))
            request = connection.read_head()
            if request:
                connection.read_body(request)
    return t.origin(serve=serve)


@test
def a_get_on_a_stale_connection_is_sent_once_more(t):
    origin = stale_origin(t)
    server = t.fresh_server(origins=[origin])
    t.equal(server.get("/first").status, 200, "status of the first")
    response = server.get("/second")
    t.equal((response.status, response.body), (200, b"connection 1"), "answer to the second")
    t.equal([(r.target, r.connection.number) for r in origin.requests],
            [("/first", 0), ("/second", 0), ("/second", 1)], "requests at the origin")


@test(each={"POST": "POST", "PATCH": "PATCH"})
def a_method_that_is_not_idempotent_is_never_sent_twice(t, method):
    origin = stale_origin(t)
    server = t.fresh_server({"site": {"shield": {"methods": ["GET", "POST", "PATCH"]}}},
                            origins=[origin])
    t.equal(server.get("/first").status, 200, "status of the first")
    mark = server.mark()
    status = server.get("/second", method=method, body=b"once").status
    sent = [r for r in origin.requests if r.target == "/second"]
    t.equal(len(sent), 1, f"times that {method} was sent")
    t.equal(status, 502 if sent[0].connection.number == 0 else 200, "status")
    if status == 502:
        t.reason(server.next_line(mark), "origin-closed")


@test
def a_request_is_sent_again_only_once(t):
    """Both connections of the pool are stale and so is the fresh one: two attempts, then 502."""
    def serve(connection):
        request = connection.read_head()
        if request and request.target == "/first":
            connection.send(0.2, reply())
            connection.read_head()
    origin = t.origin(serve=serve)
    server = t.fresh_server(origins=[origin])
    clients = [t.client(server).send(t.request("/first")) for _ in range(3)]
    t.equal([client.read_response().status for client in clients], [200] * 3,
            "statuses that fill the pool")
    t.equal(server.get("/second").status, 502, "status")
    t.equal(len(origin.requests_for("/second")), 2, "attempts")


@test
def a_response_that_began_is_never_asked_for_again(t):
    def serve(connection):
        request = connection.read_head()
        connection.send(reply())
        if connection.read_head():
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Le", 0.1)
    origin = t.origin(serve=serve)
    server = t.fresh_server(origins=[origin])
    t.equal(server.get("/first").status, 200, "status of the first")
    t.equal(server.get("/second").status, 502, "status of the second")
    t.equal(len(origin.requests_for("/second")), 1, "attempts")


@test
def a_connection_that_the_origin_closed_while_idle_is_not_used(t):
    origin = t.origin({"/closing": lambda c, r: c.send(reply(fields=[("Connection", "close")]))
                       and False})
    server = t.fresh_server(origins=[origin])
    for _ in range(5):
        t.equal(server.get("/closing").status, 200, "status")
        t.equal(server.get("/post", method="POST", body=b"x").status, 200, "status of POST")
    t.equal(len(origin.requests), 10, "requests at the origin")


@test
def pooled_connections_end_after_their_idle_time(t):
    server = t.fresh_server({"timeouts": {"origin_idle": "300 ms"}})
    t.equal(server.get("/").status, 200, "status")
    t.eventually(lambda: server.origin.connections[0].ended, "the pooled connection ends", 3)


@test
def the_pool_keeps_no_more_than_it_may(t):
    server = t.fresh_server({"quotas": {"origin_idle": 2}})
    server.origin.on("/slow", lambda c, r: c.send(0.2, reply()))
    clients = [t.client(server).send(t.request("/slow")) for _ in range(8)]
    t.equal([client.read_response().status for client in clients], [200] * 8, "statuses")
    t.eventually(lambda: sum(not c.ended for c in server.origin.connections) <= 2,
                 "two idle connections are left")


# ---- several origins

@test
def a_dead_origin_among_several_is_left_out(t):
    good = t.origin()
    server = t.fresh_server({"site": {"health": {"fall": 1, "down": "10 s"}}},
                            origins=[good, f"http://127.0.0.1:{closed_port()}"])
    statuses = [server.get(f"/{n}").status for n in range(12)]
    t.check(statuses.count(200) >= 11, f"statuses: {statuses}")
    t.equal(statuses[-4:], [200] * 4, "statuses once it is known to be dead")


@test
def a_refused_connection_is_tried_at_another_origin(t):
    """Nothing was sent, so even a POST may go elsewhere."""
    good = t.origin()
    server = t.fresh_server({"site": {"health": {"fall": 100}}},
                            origins=[good, f"http://127.0.0.1:{closed_port()}"])
    statuses = [server.get("/", method=method, body=b"x").status for method in ("GET", "POST") * 4]
    t.equal(statuses, [200] * 8, "statuses")


def silent_listener(t):
    """A port that takes no connection and says so to nobody: its backlog is full, and SYNs are dropped."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    t.later(listener.close)
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        t.later(filler.close)
    time.sleep(0.1)
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@test(seconds=30)
def an_origin_that_is_switched_off_costs_the_others_visitors_no_answer(t):
    """It refuses nothing, it is just silent: another answers within the connect deadline, and once it was left
    alone for its time, one request at a time tries it, whatever the load."""
    server = t.fresh_server({"timeouts": {"connect": "2 s"}, "site": {"health": {"fall": 2, "down": "1 s"}}},
                            origins=[t.origin(), silent_listener(t)])
    statuses, slow = [], []

    def visitor(method):
        began = time.monotonic()
        statuses.append(server.get("/", method=method, body=b"x" if method == "POST" else b"").status)
        slow.append(time.monotonic() - began)
    visitors = []
    end = time.monotonic() + 7
    while time.monotonic() < end:
        visitors.append(threading.Thread(target=visitor, args=(("GET", "POST")[len(visitors) % 2],)))
        visitors[-1].start()
        time.sleep(0.05)
    for thread in visitors:
        thread.join()
    t.equal(set(statuses), {200}, "statuses")
    # At first there are a few; later one for each second and a half.
    late = [seconds for seconds in slow[len(slow) // 2:] if seconds > 0.5]
    t.check(1 <= len(late) <= 5, f"{len(late)} of {len(slow) // 2} were slow")
    t.check(max(slow) < 1.9, f"the slowest took {max(slow):.2f} s")


@test(seconds=20)
def active_probes_take_an_origin_out_and_back(t):
    health = {"well": True}

    def probe(connection, request):
        return connection.send(reply(status="200 OK" if health["well"] else "500 No"))
    first, second = Origin({"/probe": probe}), t.origin({"/probe": reply()})
    t.later(first.close)
    server = t.fresh_server({"site": {"health": {"path": "/probe", "interval": "150 ms",
                                                 "timeout": "500 ms",
                                                "rise": 2, "fall": 2}}}, origins=[first, second])

    def served_by_first(count=4):
        before = len(first.requests_for("/page"))
        for _ in range(count):
            t.equal(server.get("/page").status, 200, "status")
        return len(first.requests_for("/page")) - before

    t.eventually(lambda: first.requests_for("/probe"), "the first probe")
    t.eventually(lambda: served_by_first() == 2, "both are used")
    health["well"] = False
    t.eventually(lambda: served_by_first() == 0, "the failing origin is left out", 5, 0.1)
    health["well"] = True
    t.eventually(lambda: served_by_first() == 2, "the recovered origin is used again", 5, 0.1)
    probe_head = first.requests_for("/probe")[-1]
    t.equal((probe_head.method, probe_head.version), ("GET", "1.1"), "the probe")


@test
def an_origin_by_its_ipv6_address_hears_it_in_brackets(t):
    """Servers answer 400 to `Host: ::1`, and a probe so answered would take the origin out."""
    origin = t.origin({"/probe": reply()}, host="::1")
    server = t.fresh_server({"site": {"health": {"path": "/probe"}}, "default_site": "site"}, origins=[origin])
    t.eventually(lambda: origin.requests_for("/probe"), "the first probe")
    t.client(server).send(b"GET /old HTTP/1.0\r\n\r\n").read_response()
    heard = {request.target: request.field("Host") for request in origin.requests}
    t.equal(heard, {"/probe": f"[::1]:{origin.port}", "/old": f"[::1]:{origin.port}"}, "Host")


@test(seconds=20)
def probes_are_few_however_many_workers(t):
    origin = t.origin({"/probe": reply()})
    t.fresh_server({"process": {"workers": 2},
                    "site": {"health": {"path": "/probe", "interval": "200 ms"}}},
                   origins=[origin])
    t.eventually(lambda: origin.requests_for("/probe"), "the first probe")
    began, count = time.monotonic(), len(origin.requests_for("/probe"))
    t.eventually(lambda: time.monotonic() - began > 1.5, "some time passes", 3)
    probes = len(origin.requests_for("/probe")) - count
    t.check(4 <= probes <= 10, f"{probes} probes in 1.5 s, at an interval of 0.2 s")


@test
def a_client_that_leaves_frees_its_origin(t):
    """Who resets while the origin thinks no longer holds it."""
    server = t.fresh_server()
    server.origin.on("/think", lambda c, r: c.more(8))
    client = t.client(server).send(t.request("/think"))
    t.eventually(lambda: server.origin.requests, "the request is at the origin")
    client.reset()
    t.eventually(lambda: server.origin.connections[0].ended, "the origin's connection ends", 2)
    t.reason(server.next_line(None), "client-gone")
