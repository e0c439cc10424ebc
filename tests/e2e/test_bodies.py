"""Content streams both ways: at once, bounded in memory, complete or visibly not."""

import hashlib
import threading
import time

from harness import reply, test
from harness.server import is_sanitized

HOST = b"Host: site.example\r\n"
MIB = 1 << 20
UNLIMITED = {"site": {"shield": {"limits": {"body": 0}}}}
BLOCK = bytes(range(256)) * 256  # 64 KiB


def get(target, fields=b""):
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + fields + b"\r\n"


def post(target, fields):
    return b"POST " + target + b" HTTP/1.1\r\n" + HOST + fields + b"\r\n"


def send_blocks(connection, total, pattern=BLOCK):
    while total > 0:
        part = pattern[:total]
        if not connection.send(part):
            return False
        total -= len(part)
    return True


def pattern_digest(total):
    digest = hashlib.sha256()
    while total > 0:
        digest.update(BLOCK[:total])
        total -= min(total, len(BLOCK))
    return digest.hexdigest()


# ---- as sent

@test
def events_arrive_as_they_are_sent(t):
    """Server-Sent Events: each one while the origin holds the connection open."""
    gate = threading.Event()

    def events(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for number in range(3):
            connection.send(b"data: %d\n\n" % number)
            gate.wait(5)
            gate.clear()
        return False

    client = t.client(t.server(scripts={"/events": events})).send(get(b"/events"))
    response = client.read_head()
    t.equal(response.status, 200, "status")
    for number in range(3):
        came = b""
        while b"data: %d\n\n" % number not in came:
            came += client.receive(2)
        gate.set()


@test(each={"length": b"Content-Length: 4\r\n\r\na",
            "chunked": b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
            "until the end": b"\r\na"})
def the_first_byte_goes_on_at_once(t, start):
    gate = threading.Event()

    def slow(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\n" + start)
        gate.wait(5)
        return False

    client = t.client(t.server(scripts={"/first": slow})).send(get(b"/first"))
    client.read_head()
    came = b""
    while b"a" not in came:
        came += client.receive(2)
    gate.set()


@test
def a_head_without_content_yet_goes_on_at_once(t):
    gate = threading.Event()
    server = t.server(scripts={"/head-first": lambda c, r: c.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n") and gate.wait(5) and c.send(b"abc")})
    client = t.client(server).send(get(b"/head-first"))
    t.equal(client.read_head().status, 200, "status")
    gate.set()
    t.equal(client.receive(), b"abc", "content")


@test
def a_large_upload_streams_while_it_is_sent(t):
    """Longer than what is collected: the origin sees the first bytes before the last were sent."""
    arrived = threading.Event()

    def take(connection, request):
        connection.read_exactly(100_000)
        arrived.set()
        connection.read_exactly(900_000)
        connection.send(reply())

    client = t.client(t.server(scripts={"/stream-up": take}))
    client.send(post(b"/stream-up", b"Content-Length: 1000000\r\n"), b"x" * 500_000)
    t.check(arrived.wait(3), "the origin has the first 100,000 bytes")
    client.send(b"x" * 500_000)
    t.equal(client.read_response().status, 200, "status")


@test
def a_response_may_come_before_the_upload_ends(t):
    """The origin answers early; the answer goes on, and the connection is not reused for what it can't know."""
    server = t.server(scripts={"/early": lambda c, r: c.send(
        reply(b"too much", "413 Content Too Large", [("Connection", "close")])) and False})
    client = t.client(server).send(post(b"/early", b"Content-Length: 10000000\r\n"), b"x" * 200_000)
    response = client.read_response()
    t.equal((response.status, response.body), (413, b"too much"), "answer")


# ---- every size and segmentation

SIZES = (0, 1, 1023, 4096, 16383, 16384, 16385, 65535, 65536, 65537, 200_000, 1_000_003)


@test
def downloads_of_every_size_arrive_whole(t):
    def sized(connection, request):
        size = int(request.target.split("?")[1])
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        return send_blocks(connection, size)

    def chunked(connection, request):
        size = int(request.target.split("?")[1])
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        step = 5000
        for at in range(0, size, step):
            part = (BLOCK * 16)[at % len(BLOCK):][:min(step, size - at)]
            connection.send(b"%x\r\n" % len(part) + part + b"\r\n")
        return connection.send(b"0\r\n\r\n")

    client = t.client(t.server(scripts={"/sized": sized, "/chunked": chunked}))
    for path in ("/sized", "/chunked"):
        for size in SIZES:
            response = client.get(f"{path}?{size}")
            t.check(response.complete, f"{path} of {size} bytes is complete")
            t.equal((len(response.body), hashlib.sha256(response.body).hexdigest()),
                    (size, pattern_digest(size)), f"size and digest of {path}?{size}")


@test
def uploads_of_every_size_arrive_whole(t):
    server = t.server()
    client = t.client(server)
    for size in SIZES:
        body = (BLOCK * 16)[:size]
        chunks = b"".join(b"%x\r\n" % len(body[at:at + 7000]) + body[at:at + 7000] + b"\r\n"
                          for at in range(0, size, 7000)) + b"0\r\n\r\n"
        for fields, content in ((b"Content-Length: %d\r\n" % size, body),
                                (b"Transfer-Encoding: chunked\r\n", chunks)):
            client.send(post(b"/up", fields) + content)
            t.equal(client.read_response().status, 200, f"status of {size} bytes")
            got = server.origin.requests_for("/up")[-1].body
            t.check(got == body, f"{size} bytes differ at the origin: {len(got)} bytes came")


@test
def chunks_cut_anywhere_arrive_whole(t):
    server = t.server()
    data = post(b"/cut",
                b"Transfer-Encoding: chunked\r\n") + b"4\r\nabcd\r\n0a\r\n0123456789\r\n0\r\nA: b\r\n\r\n"
    for step in (1, 2, 3, 7):
        client = t.client(server).send_slowly(data, segment=step)
        t.equal(client.read_response().status, 200, "status")
        t.equal(server.origin.requests_for("/cut")[-1].body, b"abcd0123456789",
                f"content in steps of {step}")
        client.close()


@test
def chunks_of_the_origin_cut_anywhere_arrive_whole(t):
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0A\r\n0123456789\r\n0\r\nA: b\r\n\r\n"
    for step in (1, 3, 7):
        pieces = [answer[at:at + step] for at in range(0, len(answer), step)]
        server = t.server(scripts={"/cut": lambda c, r, pieces=pieces: c.send(*pieces)})
        response = server.get("/cut")
        t.equal((response.body, response.complete), (b"abcd0123456789", True),
                f"content in steps of {step}")


# ---- collecting

@test
def a_slow_small_upload_holds_no_origin_connection(t):
    server = t.fresh_server({"timeouts": {"collect": "5 s"}})
    client = t.client(server).send(post(b"/slow", b"Content-Length: 100\r\n"))
    for _ in range(9):
        client.send(b"x" * 10, 0.05)
        t.equal(len(server.origin.connections), 0, "origin connections while the upload trickles")
    client.send(b"x" * 10)
    t.equal(client.read_response().status, 200, "status")
    t.equal(server.origin.requests[0].body, b"x" * 100, "content at the origin")


@test
def a_slow_small_chunked_upload_holds_no_origin_connection(t):
    server = t.fresh_server({"timeouts": {"collect": "5 s"}})
    client = t.client(server).send(post(b"/slow", b"Transfer-Encoding: chunked\r\n"))
    for _ in range(5):
        client.send(b"1\r\nx\r\n", 0.05)
        t.equal(len(server.origin.connections), 0, "origin connections while the upload trickles")
    client.send(b"0\r\n\r\n")
    t.equal(client.read_response().status, 200, "status")
    t.equal(server.origin.requests[0].body, b"xxxxx", "content at the origin")


@test
def content_larger_than_the_limit_is_refused(t):
    server = t.server({"site": {"shield": {"limits": {"body": "1 KiB"}}}})
    t.refused(server, post(b"/big", b"Content-Length: 1025\r\n"), "content-too-large")
    t.refused(server, post(b"/big", b"Content-Length: 1025\r\nExpect: 100-continue\r\n"),
              "content-too-large")
    t.refused(server, post(b"/big", b"Transfer-Encoding: chunked\r\n") + b"401\r\n" + b"x" * 1025 +
              b"\r\n0\r\n\r\n",
              "content-too-large")
    t.answered(server, post(b"/fits", b"Content-Length: 1024\r\n") + b"x" * 1024)


# ---- back-pressure

@test(seconds=20, each={"length": b"Content-Length: 1000000000\r\n\r\n", "until the end": b"\r\n",
                        "chunked": b"Transfer-Encoding: chunked\r\n\r\n"})
def a_client_that_does_not_read_stalls_the_origin(t, framing):
    sent = []
    block = b"10000\r\n" + BLOCK + b"\r\n" if b"chunked" in framing else BLOCK

    def endless(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\n" + framing)
        for _ in range(10_000):
            if not connection.send(block):
                break
            sent.append(len(BLOCK))
        return False

    server = t.server(scripts={"/endless": endless})
    client = t.client(server, receive_buffer=65536).send(get(b"/endless"))
    client.read_head()
    quiet = steady(lambda: sum(sent))
    t.check(quiet < kernel_buffers() + 4 * MIB,
            f"the origin has sent {quiet} bytes to a client that reads none")
    held = server.status()["counters"]["memory_bytes"]
    t.check(held < 2 * MIB, f"sallyport holds {held} bytes")
    for _ in range(2000):
        client.receive()
    t.check(sum(sent) > quiet, "the origin goes on once the client reads")
    client.reset()


@test(seconds=30, each={"length": False, "chunked": True})
def an_origin_that_does_not_read_stalls_the_client(t, chunked):
    """And once it reads, it gets everything."""
    gate = threading.Event()
    origin = t.origin(receive_buffer=65536)
    origin.on("/up", lambda c, r: gate.wait(15) and c.read_body(r) and c.send(reply()))
    server = t.fresh_server(UNLIMITED, origins=[origin])
    blocks = (kernel_buffers() + 32 * MIB) // len(BLOCK)
    block = b"%x\r\n" % len(BLOCK) + BLOCK + b"\r\n" if chunked else BLOCK
    client = t.client(server)
    client.send(post(b"/up", b"Transfer-Encoding: chunked\r\n" if chunked else
                     b"Content-Length: %d\r\n" % (blocks * len(BLOCK))))
    sent = []

    def feed():
        for _ in range(blocks):
            client.socket.sendall(block)
            sent.append(len(BLOCK))
        client.socket.sendall(b"0\r\n\r\n" if chunked else b"")
    client.socket.settimeout(20)
    feeder = threading.Thread(target=feed)
    feeder.start()
    quiet = steady(lambda: sum(sent))
    held = server.status()["counters"]["memory_bytes"]
    gate.set()
    t.check(quiet < kernel_buffers() + 4 * MIB,
            f"the client could send {quiet} bytes to an origin that reads none")
    t.check(held < 2 * MIB, f"sallyport holds {held} bytes")
    feeder.join()
    t.equal(client.read_response().status, 200, "status")
    got = origin.requests_for("/up")[0].body
    t.check(got == BLOCK * blocks,
            f"the content differs at the origin: {len(got)} of {blocks * len(BLOCK)} bytes")


def kernel_buffers():
    """What the kernel may hold of two connections in a row, whoever reads or doesn't."""
    def largest(name):
        with open(f"/proc/sys/net/ipv4/{name}", encoding="ascii") as file:
            return int(file.read().split()[2])
    return 2 * (largest("tcp_rmem") + largest("tcp_wmem"))


def steady(value, seconds=0.5):
    """The value once it has not changed for so long."""
    last, since = value(), time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.02)
        now = value()
        if now != last:
            last, since = now, time.monotonic()
    return last


# ---- long

def download(t, server, size, sample=None):
    """Reads a download of `size` bytes; the seconds it took."""
    client = t.client(server)
    began = time.monotonic()
    client.send(get(b"/long?%d" % size))
    response = client.read_head()
    t.equal(response.field("Content-Length"), str(size), "Content-Length")
    left = size - len(client.pending)
    client.pending = b""
    buffer = bytearray(1 << 18)
    while left > 0:
        count = client.socket.recv_into(buffer, min(left, len(buffer)))
        t.check(count, f"the download ended {left} bytes early")
        left -= count
        if sample:
            sample()
    client.close()
    return time.monotonic() - began


def long_down(connection, request):
    size = int(request.target.split("?")[1])
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    return send_blocks(connection, size, BLOCK * 16)


def long_up(connection, request):
    left = int(request.field("Content-Length"))
    left -= len(connection.received) - connection._parsed
    connection._parsed = len(connection.received)
    buffer = bytearray(1 << 18)
    while left > 0:
        count = connection.socket.recv_into(buffer, min(left, len(buffer)))
        if not count:
            return False
        left -= count
    return connection.send(reply())


def upload(t, server, size, sample=None):
    client = t.client(server)
    client.send(post(b"/long-up", b"Content-Length: %d\r\n" % size))
    block, left = BLOCK * 4, size
    while left > 0:
        client.socket.sendall(memoryview(block)[:min(left, len(block))])
        left -= min(left, len(block))
        if sample:
            sample()
    t.equal(client.read_response().status, 200, "status")
    client.close()


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS:"))


def peak_while(t, server, transfer, size):
    """The most that the worker held resident during a transfer, beyond what it held before."""
    worker = server.workers()[0]
    before, peak, calls = resident(worker), [0], [0]

    def sample():
        calls[0] += 1
        if calls[0] % 50 == 0:
            peak[0] = max(peak[0], resident(worker))

    transfer(t, server, size, sample)
    if is_sanitized():
        t.skip("a sanitizer's memory grows by itself")
    t.note(f"grown by {(peak[0] - before) >> 10} KiB from {before >> 10} KiB")
    return peak[0] - before


@test(seconds=40)
def a_worker_stays_small_over_256_mib_down(t):
    server = t.server(UNLIMITED, scripts={"/long": long_down, "/long-up": long_up})
    grown = peak_while(t, server, download, 256 * MIB)
    t.check(grown < 4 * MIB, f"the worker grew by {grown} bytes")


@test(seconds=40)
def a_worker_stays_small_over_256_mib_up(t):
    server = t.server(UNLIMITED, scripts={"/long": long_down, "/long-up": long_up})
    grown = peak_while(t, server, upload, 256 * MIB)
    t.check(grown < 4 * MIB, f"the worker grew by {grown} bytes")


@test(heavy=True, seconds=300)
def a_worker_stays_small_over_10_gib_down(t):
    server = t.server(UNLIMITED, scripts={"/long": long_down, "/long-up": long_up})
    grown = peak_while(t, server, download, 10240 * MIB)
    t.check(grown < 4 * MIB, f"the worker grew by {grown} bytes")


@test(heavy=True, seconds=300)
def a_worker_stays_small_over_10_gib_up(t):
    server = t.server(UNLIMITED, scripts={"/long": long_down, "/long-up": long_up})
    grown = peak_while(t, server, upload, 10240 * MIB)
    t.check(grown < 4 * MIB, f"the worker grew by {grown} bytes")
