"""Slow peers: every wait has an end, and the end has a reason."""

import socket
import threading
import time

from harness import Failure, reply, test

HOST = b"Host: site.example\r\n"
SHORT = {"timeouts": {"head": "700 ms", "idle": "600 ms", "body_grace": "500 ms",
                      "min_rate": "1000 B/s",
                      "stall": "800 ms", "collect": "300 ms", "connect": "500 ms",
                      "first_byte": "600 ms",
                      "between_bytes": "600 ms", "linger": "200 ms"}}


def ends_within(t, client, low, high):
    """Reads until the connection ends; it must do so between low and high seconds from now."""
    began = time.monotonic()
    data = client.read_all(seconds=high + 1)
    t.within(began, high, f"the time until it ended with {data[:200]!r}", least=low)
    return data


# ---- the head

@test
def a_head_that_trickles_is_cut_by_its_total_time(t):
    """Slowloris: bytes keep coming, so no idle time ever passes."""
    server = t.server(SHORT)
    mark = server.mark()
    client = t.client(server)
    began = time.monotonic()
    try:
        for byte in b"GET / HTTP/1.1\r\nHost: site.example\r\nX-Slow: " + b"a" * 1000:
            client.send(bytes([byte]), 0.02)
    except OSError:
        pass
    t.within(began, 2.5, "the time until it was cut", least=0.5)
    t.reason(server.next_line(mark), "head-timeout")


@test
def a_head_that_stops_is_answered_408(t):
    server = t.server(SHORT)
    mark = server.mark()
    client = t.client(server).send(b"GET / HTTP/1.1\r\nHost: si")
    data = ends_within(t, client, 0.5, 2.0)
    t.check(data.startswith(b"HTTP/1.1 408 "), f"the answer: {data[:100]!r}")
    line = server.next_line(mark)
    t.reason(line, "head-timeout")
    t.equal(line.status, 408, "status in the log")


@test
def a_second_head_that_stops_is_answered_408(t):
    server = t.server(SHORT)
    client = t.client(server)
    t.equal(client.get("/").status, 200, "status of the first")
    client.send(b"GET / HT")
    t.check(ends_within(t, client, 0.5, 2.0).startswith(b"HTTP/1.1 408 "), "the answer is 408")


@test
def a_stalled_upload_is_not_kept_alive_by_its_response(t):
    """Where any rate will do, what ends it is the time without a byte of content."""
    def early(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                        *[b"1\r\nx\r\n", 0.1] * 50)
        return False

    slow = {"timeouts": SHORT["timeouts"] | {"min_rate": "0 B/s"}}
    server = t.server(slow, scripts={"/early": early})
    mark = server.mark()
    client = t.client(server).send(b"POST /early HTTP/1.1\r\n" + HOST +
                                   b"Content-Length: 200000\r\n\r\n" + b"x" * 100)
    ends_within(t, client, 0.5, 2.5)
    t.reason(server.next_line(mark), "body-timeout")


# ---- idle

@test
def an_idle_connection_is_closed_without_an_answer(t):
    server = t.server(SHORT)
    client = t.client(server)
    t.equal(client.get("/").status, 200, "status")
    t.equal(ends_within(t, client, 0.4, 1.5), b"", "what came before the end")
    t.equal(client.ended, "eof", "how it ended")


@test
def a_connection_that_never_speaks_is_closed(t):
    server = t.server(SHORT)
    mark = server.mark()
    client = t.client(server)
    data = ends_within(t, client, 0.4, 1.8)
    t.check(data == b"" or data.startswith(b"HTTP/1.1 408 "), f"the answer: {data[:100]!r}")
    idle = [line for line in server.lines_since(mark) if line.reason == "idle-timeout"]
    t.equal(len(idle), 0, "access lines of a connection without a request")


@test
def idle_closes_are_counted(t):
    server = t.server(SHORT)
    before = server.reasons().get("idle-timeout", 0)
    client = t.client(server)
    client.get("/")
    client.read_all()
    t.eventually(lambda: server.reasons().get("idle-timeout", 0) > before,
                 "idle-timeout is counted")
    t.asserted.add("idle-timeout")


# ---- content from the client

def trickle(t, server, fields, piece, pause, pieces):
    """A POST whose content comes piece by piece; the answer."""
    client = t.client(server).send(b"POST /slow HTTP/1.1\r\n" + HOST + fields + b"\r\n")
    stop = threading.Event()

    def feed():
        try:
            for _ in range(pieces):
                client.socket.sendall(piece)
                if stop.wait(pause):
                    return
        except OSError:
            pass
    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        return client.read_response()
    finally:
        stop.set()
        feeder.join()


@test
def content_slower_than_the_minimum_rate_is_cut(t):
    server = t.server(SHORT)
    mark = server.mark()
    response = trickle(t, server, b"Content-Length: 100000\r\n", b"x" * 10, 0.05, 100)
    t.equal((response.status, response.field("Connection")), (408, "close"), "answer")
    t.reason(server.next_line(mark), "body-timeout")


@test
def chunks_slower_than_the_minimum_rate_are_cut(t):
    """What counts is content, not the chunked coding around it."""
    server = t.server(SHORT)
    mark = server.mark()
    response = trickle(t, server, b"Transfer-Encoding: chunked\r\n", b"1\r\nx\r\n", 0.01, 400)
    t.equal(response.status, 408, "status")
    t.reason(server.next_line(mark), "body-timeout")


@test
def content_that_stops_is_cut(t):
    server = t.server(SHORT)
    mark = server.mark()
    client = t.client(server).send(b"POST /slow HTTP/1.1\r\n" + HOST +
                                   b"Content-Length: 10\r\n\r\nabc")
    data = ends_within(t, client, 0.3, 2.5)
    t.check(data.startswith(b"HTTP/1.1 408 "), f"the answer: {data[:100]!r}")
    t.reason(server.next_line(mark), "body-timeout")


@test
def content_of_an_honest_slow_client_passes(t):
    """Ten times the minimum rate, in small pieces, for longer than every other timeout."""
    server = t.server(SHORT)
    response = trickle(t, server, b"Content-Length: 20000\r\n", b"x" * 500, 0.04, 40)
    t.equal(response.status, 200, "status")
    t.equal(len(server.origin.requests_for("/slow")[-1].body), 20000, "bytes at the origin")


# ---- content to the client

def big(connection, request):
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
    for _ in range(50):
        if not connection.send(b"x" * 1_000_000):
            return False
    return True


@test(seconds=15)
def a_client_that_stops_reading_is_shed(t):
    server = t.server(SHORT, scripts={"/big": big})
    mark = server.mark()
    client = t.client(server, receive_buffer=4096).send(b"GET /big HTTP/1.1\r\n" + HOST + b"\r\n")
    client.read_head()
    line = server.next_line(mark, lambda line: line.target == "/big", seconds=6)
    t.reason(line, "send-timeout")
    data = drain(client)
    t.check(data < 50_000_000, "the whole content came")


@test(seconds=15)
def a_client_that_reads_too_slowly_is_shed(t):
    server = t.server(SHORT, scripts={"/big": big})
    mark = server.mark()
    client = t.client(server, receive_buffer=2048).send(b"GET /big HTTP/1.1\r\n" + HOST + b"\r\n")
    end = time.monotonic() + 8 * t.pace()
    line = None
    while time.monotonic() < end and not line:
        try:
            client.socket.recv(20)
        except OSError:
            pass
        time.sleep(0.05)
        line = next((line for line in server.lines_since(mark) if line.target == "/big"), None)
    t.check(line, "the slow reader was not shed")
    t.reason(line, "send-timeout")


def read_slowly(client, seconds, size, pause):
    """How much came in that time, and whether there is more to come."""
    total, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        data = client.socket.recv(size)
        if not data:
            return total, False
        total += len(data)
        time.sleep(pause)
    return total, True


@test(seconds=20)
def a_client_that_reads_steadily_is_served_though_the_kernel_takes_no_more(t):
    """40 kB/s are far above the minimum, and far below what makes room in megabytes of the kernel's."""
    server = t.server(SHORT, scripts={"/big": big})
    client = t.client(server, receive_buffer=16384).send(b"GET /big HTTP/1.1\r\n" + HOST + b"\r\n")
    client.read_head()
    total, goes_on = read_slowly(client, 4, 2000, 0.05)
    t.check(goes_on, f"it was cut after {total} bytes")


@test(seconds=20)
def a_client_that_pauses_has_earned_it_by_what_it_read(t):
    """Longer than body_grace, before anything had to wait for it."""
    timeouts = SHORT["timeouts"] | {"body_grace": "200 ms", "stall": "4 s"}
    server = t.server({"timeouts": timeouts}, scripts={"/big": big})
    client = t.client(server, receive_buffer=16384).send(b"GET /big HTTP/1.1\r\n" + HOST + b"\r\n")
    client.read_head()
    for _ in range(200):
        client.socket.recv(4096)
    time.sleep(1.5)
    more = drain(client)
    t.check(more > 45_000_000, f"it was cut: {more} bytes came after the pause")


def drain(client):
    total = 0
    while data := client.receive(3):
        total += len(data)
    return total


# ---- the origin

@test
def a_silent_origin_is_answered_504(t):
    server = t.server(SHORT, scripts={"/silent": lambda c, r: c.more(5)})
    mark = server.mark()
    began = time.monotonic()
    response = server.get("/silent")
    t.equal(response.status, 504, "status")
    t.within(began, 2, "the time until then", least=0.4)
    t.reason(server.next_line(mark), "origin-timeout")


@test
def an_origin_that_trickles_its_head_is_answered_504(t):
    server = t.server(SHORT,
                      scripts={"/trickle": lambda c, r: c.send(*[b"H", 0.1, b"TTP/1.1 200 OK\r\n"] +
                                                                     [b"X: y\r\n", 0.1] * 50)})
    mark = server.mark()
    began = time.monotonic()
    response = server.get("/trickle")
    t.equal(response.status, 504, "status")
    t.within(began, 3, "the time until then")
    t.reason(server.next_line(mark), "origin-timeout", "origin-stalled")


@test(each={"length": b"Content-Length: 10\r\n\r\nabc",
            "chunked": b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "until the end": b"\r\nabc"})
def an_origin_that_stops_within_its_content_never_looks_complete(t, start):
    server = t.server(SHORT, scripts={"/stops": lambda c, r: c.send(b"HTTP/1.1 200 OK\r\n" + start)
                                      and c.more(5)})
    mark = server.mark()
    response = server.get("/stops")
    t.check(not response.complete, f"it looks complete: {response}")
    t.reason(server.next_line(mark), "origin-stalled")


@test
def an_origin_may_be_slow_as_long_as_it_goes_on(t):
    server = t.server(SHORT, scripts={"/steady": lambda c, r: c.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n", *[0.2, b"x"] * 8)})
    response = server.get("/steady")
    t.equal((response.body, response.complete), (b"x" * 8, True), "content")


@test(seconds=15)
def a_connection_that_does_not_come_about_is_answered_504(t):
    """A listener whose backlog is full drops the SYN."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    t.later(listener.close)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
        t.later(filler.close)
    time.sleep(0.1)
    server = t.fresh_server(SHORT, origins=[f"http://127.0.0.1:{listener.getsockname()[1]}"])
    mark = server.mark()
    began = time.monotonic()
    t.equal(server.get("/").status, 504, "status")
    t.within(began, 2.0, "the time until then", least=0.3)
    t.reason(server.next_line(mark), "origin-connect-timeout")


@test
def after_a_refusal_a_client_that_goes_on_sending_is_cut(t):
    """Lingering lets the refusal arrive; it has an end."""
    server = t.server(SHORT)
    client = t.client(server).send(b"POST / HTTP/1.1\r\nHost : x\r\n\r\n")
    began = time.monotonic()
    try:
        while time.monotonic() - began < 4:
            client.send(b"x" * 1000, 0.02)
        t.fail("the connection was still open after 4 s")
    except OSError:
        t.within(began, 3, "the time until it was cut")


@test
def a_late_reader_still_gets_the_refusal(t):
    """The refusal of a request whose content is still under way is not lost to a reset."""
    server = t.server(SHORT)
    client = t.client(server).send(b"POST / HTTP/1.1\r\nHost : x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
    try:
        response = client.read_response()
    except Failure as failure:
        t.fail(f"the refusal was lost: {failure}")
    t.equal(response.status, 400, "status")


@test
def every_timeout_leaves_the_server_well(t):
    server = t.server(SHORT, scripts={"/well": reply(b"well")})
    t.equal(server.get("/well").body, b"well", "content")
