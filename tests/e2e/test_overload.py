"""Everything at once: thousands of idle, slow and stuck connections, and one well-behaved client that is
answered all the same. Crowd, origins and the one who measures are processes of their own."""

import resource
import selectors
import socket
import statistics
import time

from harness import Client, Origin, apart, reply, test
from harness.server import is_sanitized

HOST = b"Host: site.example\r\n"
MIB = 1 << 20

HEADS = {
    "idle": b"GET /quick HTTP/1.1\r\n" + HOST + b"\r\n",
    "slowloris": b"GET / HTTP/1.1\r\n" + HOST,
    "posts": b"POST /slow HTTP/1.1\r\n" + HOST + b"Content-Length: 60000\r\n\r\n",
    "readers": b"GET /big HTTP/1.1\r\n" + HOST + b"\r\n",
}
TRICKLES = {"slowloris": b"X: y\r\n", "posts": b"x"}


def allow_descriptors():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def connect(address, kind, number, network):
    """One of many from an address of its own network, 250 to an address's last byte."""
    sock = socket.socket()
    if kind == "readers":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
    sock.bind((f"127.{network}.{number // 250}.{number % 250 + 1}", 0))
    sock.connect(address)
    sock.setblocking(False)
    sock.send(HEADS[kind])
    return sock


def ended(sockets, reading):
    """How many of these the server has ended, by what is left to read of them."""
    count = 0
    with selectors.EpollSelector() as ready:
        for sock in sockets:
            ready.register(sock, selectors.EVENT_READ)
        for key, _ in ready.select(0):
            try:
                while data := key.fileobj.recv(1 << 16):
                    if not reading:
                        break
                    del data
                else:
                    count += 1
            except BlockingIOError:
                pass
            except OSError:
                count += 1
    return count


def crowd(address, numbers):
    """Opens everything, feeds the slow ones a little twice a second, counts the ended when asked."""
    def work(line):
        allow_descriptors()
        sockets = {kind: [connect(address, kind, number, 20 + network) for number in range(count)]
                   for network, (kind, count) in enumerate(numbers.items())}
        for sock in sockets["idle"]:
            sock.settimeout(20)
            assert b"quick" in sock.recv(4096)
            sock.setblocking(False)
        line.say("all are here")
        while (word := line.hear()) is not None:
            if word == "feed":
                for kind, piece in TRICKLES.items():
                    for sock in sockets[kind]:
                        try:
                            sock.send(piece)
                        except OSError:
                            pass
            line.say({kind: ended(sockets[kind], kind != "readers") for kind in sockets
                      if word == "count"})
    return work


def origin(line):
    """Tells, when asked, how many of the slow posts reached it."""
    allow_descriptors()
    server = Origin({"*": reply(b"quick")}, backlog=4096)
    server.on("/big", lambda c,
              r: c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n") and
              c.send(b"x" * 20_000_000))
    line.say(server.url)
    while line.hear() is not None:
        line.say(len(server.requests_for("/slow")))


def answers(t, server, origin, seconds, between):
    """Asks again and again on fresh and kept connections: how long each answer took, and how long the
    origin itself took, asked directly: that much is the machine's own."""
    took, direct, end = [], [], time.monotonic() + seconds
    kept, straight = t.client(server), Client(origin)
    t.later(straight.close)
    while time.monotonic() < end:
        for _ in range(20):
            began = time.monotonic()
            fresh = server.client()
            response = fresh.get("/quick")
            took.append(time.monotonic() - began)
            t.equal((response.status, response.body), (200, b"quick"),
                    "answer on a fresh connection")
            fresh.close()
            began = time.monotonic()
            response = kept.get("/quick")
            took.append(time.monotonic() - began)
            t.equal((response.status, response.body), (200, b"quick"),
                    "answer on a kept connection")
            began = time.monotonic()
            straight.get("/quick")
            direct.append(time.monotonic() - began)
            time.sleep(0.01)
        between()
    return took, direct


def scenario(t, numbers, seconds):
    needed = sum(numbers.values()) + 500
    if allow_descriptors() < needed:
        t.skip(f"{needed} descriptors are needed")
    (quick_pid, quick_line), (pid, origin_line) = apart.start(origin), apart.start(origin)
    t.later(lambda: (apart.end(quick_pid), apart.end(pid)))
    quick, other = quick_line.hear(), origin_line.hear()
    server = t.fresh_server({
        "process": {"workers": 2},
        "site": {"origins": [quick], "routes": [{"path": "/slow", "origins": [other]},
                                                {"path": "/big", "origins": [other]}]},
        "timeouts": {"head": "4 s", "idle": "120 s", "body_grace": "2 s", "min_rate": "500 B/s",
                     "stall": "5 s"}},
        origins=[])
    crowd_pid, line = apart.start(crowd(server.address, numbers))
    t.later(lambda: apart.end(crowd_pid))
    t.equal(line.hear(), "all are here", "the crowd")
    memory = []

    def between():
        line.say("feed")
        line.hear()
        memory.append(server.memory())

    host, port = quick.removeprefix("http://").split(":")
    took, direct = answers(t, server, (host, int(port)), seconds, between)

    def count():
        line.say("count")
        return line.hear()

    shed = {kind: number for kind, number in numbers.items() if kind != "idle"}
    t.eventually(lambda: {kind: number for kind, number in count().items()
                          if kind in ("slowloris", "posts")} ==
                 {kind: shed[kind] for kind in ("slowloris", "posts")},
                 lambda: f"the slow are shed: {count()}", 20, 0.3)
    t.equal(count()["idle"], 0, "idle connections that were ended")
    reasons = server.reasons()
    for reason, kind in (("head-timeout", "slowloris"), ("body-timeout", "posts"),
                         ("send-timeout", "readers")):
        t.eventually(lambda reason=reason,
                     kind=kind: server.reasons().get(reason, 0) >= numbers[kind],
                     lambda: f"the shed are counted: {reasons}", 10, 0.2)
    origin_line.say("how many")
    t.equal(origin_line.hear(), 0, "slow posts that reached an origin")
    slow, slow_direct = (statistics.quantiles(each, n=100)[-1] for each in (took, direct))
    figures = (f"{len(took)} answers: median {statistics.median(took) * 1000:.1f} ms, 99 of 100 within {slow * 1000:.0f} ms "
               f"(of the origin itself {slow_direct * 1000:.0f} ms), slowest {max(took) * 1000:.0f} ms; "
               f"memory of all processes {max(memory) / MIB:.1f} MiB")
    t.note(figures)
    t.check(slow < 0.1 * t.pace() + slow_direct, figures)
    t.check(max(took) < t.pace() + max(direct), figures)
    t.check(max(memory) < 64 * MIB or is_sanitized(), figures)


@test(seconds=60)
def a_well_behaved_client_is_served_among_hundreds_of_slow_ones(t):
    scenario(t, {"idle": 500, "slowloris": 100, "posts": 60, "readers": 20}, 5)


@test(heavy=True, seconds=240)
def a_well_behaved_client_is_served_among_12_000_slow_ones(t):
    scenario(t, {"idle": 10_000, "slowloris": 1000, "posts": 600, "readers": 200}, 15)
