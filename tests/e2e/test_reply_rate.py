"""How much of a site one client gets in a second (shield.throttle.reply_rate): what is over it waits, nothing is
cut, and nobody else waits with it."""

import threading
import time

from harness import reply, test
from harness.guarded import QUICK, known, page, serve
from harness.tls import certificate

RATE = 1 << 20
SIZE = 2 << 20
RULE = {"reply_rate": "1 MiB/s", "reply_burst": "64 KiB"}
# What 2 MiB take, less what goes at once.
TAKES = (SIZE - (64 << 10)) / RATE
CONTENT = bytes(range(256)) * (SIZE // 256)
ACCEPT = ("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n").encode()
UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
           ("Sec-WebSocket-Version", "13")]


def chunked(body, piece=50000):
    pieces = (body[at:at + piece] for at in range(0, len(body), piece))
    return (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in pieces) + b"0\r\n\r\n")


def until_close(connection, request):
    connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + CONTENT)
    return False


def shaped(t, rule=None, shield=None, **settings):
    """A site with that rate, and large replies of every framing."""
    site = {"shield": {"throttle": RULE if rule is None else rule} | (shield or {})}
    server = t.fresh_server({"site": site | settings.pop("site", {})} | settings)
    server.origin.on("/", reply(CONTENT)).on("/chunked", chunked(CONTENT)).on("/close", until_close)
    server.origin.on("/small", reply(b"small"))
    return server


def took(t, client, target="/", **options):
    """How long the whole reply took."""
    began = time.monotonic()
    response = client.get(target, **options)
    seconds = time.monotonic() - began
    client.close()
    t.equal((response.status, len(response.body), response.complete), (200, SIZE, True), "status, length, whole")
    t.check(response.body == CONTENT, "the content is the origin's")
    return seconds


def at_the_rate(t, seconds, least=TAKES):
    t.note(f"{seconds:.2f} s for at least {least:.2f} s")
    t.check(least * 0.95 <= seconds <= least * 1.4 * t.pace() + 0.5, f"{seconds:.2f} s for at least {least:.2f}")


def at_once(t, seconds):
    t.check(seconds < TAKES / 2 * t.pace(), f"{seconds:.2f} s of at most {TAKES / 2:.2f}")


def together(*actions):
    """What each gives, begun at the same time."""
    results = [None] * len(actions)

    def run(at):
        results[at] = actions[at]()
    threads = [threading.Thread(target=run, args=(at,)) for at in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@test(each={"by length": ("/", "1.1"), "chunked": ("/chunked", "1.1"), "to the end": ("/close", "1.1"),
            "chunked, for HTTP/1.0": ("/chunked", "1.0")})
def a_large_reply_takes_its_time_in_every_framing(t, row):
    target, version = row
    server = shaped(t)
    at_the_rate(t, took(t, server.client(), target, version=version))


@test
def it_takes_its_time_over_tls_too(t):
    server = shaped(t, tls=certificate("site"))
    at_the_rate(t, took(t, t.tls_client(server)))


@test
def without_a_rate_nothing_waits(t):
    at_once(t, took(t, shaped(t, {"per_client": "100/s"}).client()))


@test
def what_is_at_once_is_not_held_up(t):
    server = shaped(t)
    began = time.monotonic()
    for _ in range(20):
        t.equal(server.get("/small").body, b"small", "content")
        t.equal(server.get("/", method="HEAD").status, 200, "status of a HEAD")
    t.within(began, 1.5, "40 replies with little or no content")


@test(each={"one worker": 1, "two workers": 2})
def connections_of_a_client_share_the_rate_and_another_has_his_own(t, workers):
    server = shaped(t, process={"workers": workers})
    mine = [lambda: took(t, server.client()) for _ in range(3)]
    *shared, other = together(*mine, lambda: took(t, server.client(source="127.9.9.9")))
    at_the_rate(t, max(shared), (3 * SIZE - (64 << 10)) / RATE)
    at_the_rate(t, other)
    t.note(f"three that share: {[f'{seconds:.2f}' for seconds in shared]}")
    t.check(min(shared) > 1.5 * TAKES, f"none has it for itself: {shared}")


@test
def small_replies_count_with_the_large_ones(t):
    """Many short requests are no way around."""
    server = shaped(t, {"reply_rate": "100 KiB/s", "reply_burst": "8 KiB"})
    server.origin.on("/page", reply(b"x" * 10000))
    began = time.monotonic()
    client = t.client(server)
    for _ in range(20):
        t.equal(len(client.get("/page").body), 10000, "length")
    at_the_rate(t, time.monotonic() - began, (200000 - 18000) / 102400)


@test
def the_client_is_whom_trusted_proxies_name(t):
    server = shaped(t, trusted_proxies=["127.0.0.0/8"])
    visitors = ["203.0.113.1", "203.0.113.2"]
    for seconds in together(*(lambda name=name: took(t, server.client(), fields=[("X-Forwarded-For", name)])
                              for name in visitors)):
        at_the_rate(t, seconds)


@test(each={"a listed network": ({**RULE, "allow": ["127.0.0.0/8"]}, {}), "monitor": (RULE, {"mode": "monitor"}),
            "a dry run": ({**RULE, "dry_run": True}, {}), "no shield": (RULE, {"mode": "off"})})
def who_is_not_enforced_upon_is_not_held(t, row):
    rule, shield = row
    at_once(t, took(t, shaped(t, rule, shield).client()))


@test
def a_paused_shield_holds_nobody(t):
    server = shaped(t)
    done = server.command("pause", "shield", "site", "10min", "--socket", server.control_socket)
    t.equal(done.returncode, 0, f"exit status: {done.stderr}")
    at_once(t, took(t, server.client()))


@test
def waits_of_ours_are_nobody_s_fault(t):
    """Each wait, of 2 s for a piece of 1 KiB, is longer than the origin and the client are given."""
    server = shaped(t, {"reply_rate": "500 B/s", "reply_burst": "4 KiB"},
                    timeouts={"between_bytes": "1 s", "first_byte": "1 s", "stall": "1 s", "body_grace": "1 s"})
    server.origin.on("/some", reply(b"x" * 6000))
    mark = server.mark()
    began = time.monotonic()
    response = server.get("/some")
    t.equal((response.status, len(response.body), response.complete), (200, 6000, True), "the reply")
    at_the_rate(t, time.monotonic() - began, (6000 - 4096) / 500)
    t.equal(server.get("/small").body, b"small", "the next one, that waits for its head")
    for _ in range(2):
        line = server.next_line(mark)
        t.equal((line.status, line.reason), (200, "-"), "status and reason in the log")


@test
def waiting_costs_no_work(t):
    server = shaped(t, {"reply_rate": "100 KiB/s", "reply_burst": "64 KiB"})
    client = t.client(server).send(t.request("/"))
    t.check(client.read_head().status == 200, "the reply begins")
    before = server.cpu_seconds()
    until = time.monotonic() + 3
    while time.monotonic() < until:
        client.receive()
    used = server.cpu_seconds() - before
    t.check(used < 0.5, f"{used:.2f} s of processor time in 3 s")


@test
def a_reload_forgets_nothing_and_cuts_nothing(t):
    server = shaped(t)
    results = []
    began = time.monotonic()
    first = threading.Thread(target=lambda: results.append(took(t, server.client())))
    first.start()
    time.sleep(0.5)
    t.equal(server.reload().status, 200, "status of the reload")
    took(t, server.client())
    first.join()
    t.equal(len(results), 1, "the first one went through")
    at_the_rate(t, time.monotonic() - began, (2 * SIZE - (64 << 10)) / RATE)


@test
def what_comes_down_a_tunnel_counts(t):
    server = shaped(t, site={"upgrade": ["websocket"]})

    def floods(connection, request):
        connection.send(ACCEPT + b"x")
        connection.send(CONTENT)
        return False
    server.origin.on("/ws", floods)
    client = t.client(server).send(t.request("/ws", fields=UPGRADE))
    began = time.monotonic()
    t.equal(client.read_head().status, 101, "status")
    t.equal(len(client.read_all()), SIZE + 1, "bytes that came")
    at_the_rate(t, time.monotonic() - began)


@test
def copies_and_known_pages_are_held_to_it_too(t):
    big = CONTENT[:500000]
    origin = serve(t.origin(), {"/": page("<p>home</p>"), "/big.bin": page(big, "application/octet-stream")})
    server = t.fresh_server({"site": {
        "guard": QUICK | {"seeds": ["/", "/big.bin"], "probe_interval": "1 h"},
        "shield": {"throttle": {"reply_rate": "256 KiB/s", "reply_burst": "64 KiB"}}}}, origins=[origin])
    known(t, server, "/big.bin")
    for what in ("the page", "its copy"):
        time.sleep(0.3)
        began = time.monotonic()
        response = server.get("/big.bin")
        t.equal((response.status, response.body == big), (200, True), f"status and content of {what}")
        t.equal(response.field("Age") is not None, what == "its copy", f"{what} has an Age")
        at_the_rate(t, time.monotonic() - began, (500000 - (64 << 10)) / (256 << 10))
        server.origin.on("/big.bin", page(b"changed", "application/octet-stream"))
