"""WebSocket: passed through where the policy allows it, after a handshake that both sides agreed to."""

import base64
import hashlib
import pathlib
import time

from harness import reply, test
from harness.tls import certificate, path, server_context

ALLOWED = {"site": {"upgrade": ["websocket"]}, "timeouts": {"tunnel": "20 s", "stall": "1 s", "body_grace": "1 s"}}
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ASK = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13"}


def asks(target="/ws", **changes):
    fields = {**ASK, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return f"GET {target} HTTP/1.1\r\nHost: site.example\r\n{lines}\r\n".encode()


def accept(key):
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return base64.b64encode(digest).decode()


def switching(key=KEY, *, connection="Upgrade", upgrade="websocket", fields=""):
    return (f"HTTP/1.1 101 Switching Protocols\r\nConnection: {connection}\r\nUpgrade: {upgrade}\r\n"
            f"Sec-WebSocket-Accept: {accept(key)}\r\n{fields}\r\n").encode()


def echoes(connection, request):
    """Agrees, and sends back what it gets, to the end."""
    connection.send(switching(request.field("Sec-WebSocket-Key")))
    at = len(connection.received)
    while connection.more():
        connection.send(bytes(connection.received[at:]))
        at = len(connection.received)
    return False


def opened(t, server, script=echoes):
    server.origin.on("/ws", script)
    client = t.client(server).send(asks())
    response = client.read_response()
    t.equal((response.status, response.field("Upgrade"), response.field("Connection"),
             response.field("Sec-WebSocket-Accept")), (101, "websocket", "Upgrade", accept(KEY)), "handshake")
    return client


def receive(client, count):
    data = b""
    while len(data) < count and not client.ended:
        data += client.receive()
    return data


@test
def bytes_pass_both_ways_as_they_are_sent(t):
    server = t.server(ALLOWED)
    mark = server.mark()
    client = opened(t, server)
    got = server.origin.requests_for("/ws")[-1]
    t.equal((got.field("Connection"), got.field("Upgrade"), got.field("Sec-WebSocket-Key")),
            ("Upgrade", "websocket", KEY), "fields at the origin")
    for data in (b"\x81\x05hello", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 8):
        client.send(data)
        t.equal(receive(client, len(data)), data, "what came back")
    client.half_close()
    t.equal(client.read_all(), b"", "the rest")
    t.equal(client.ended, "eof", "the end")
    line = server.next_line(mark)
    t.equal((line.status, line.reason, line.bytes_in, line.bytes_out), (101, "-", 2073, 2073), "log")


@test
def the_origins_first_bytes_come_with_its_answer(t):
    def greets(connection, request):
        connection.send(switching() + b"\x81\x02hi")
        connection.more()
        return False
    client = opened(t, t.server(ALLOWED), greets)
    t.equal(receive(client, 4), b"\x81\x02hi", "the greeting")


@test(each={"the client": True, "the origin": False})
def an_end_goes_through_and_what_follows_still_passes(t, client_first):
    """Half a connection may end before the other."""
    seen = []

    def talks(connection, request):
        connection.send(switching())
        if client_first:
            while connection.more():
                pass
            seen.append(connection.ended)
            connection.send(b"last words")
        else:
            connection.socket.shutdown(1)
            while connection.more():
                pass
            seen.append(bytes(connection.received[-10:]))
        return False
    server = t.server(ALLOWED)
    mark = server.mark()
    client = opened(t, server, talks)
    if client_first:
        client.half_close()
        t.equal(client.read_all(), b"last words", "what the origin said at last")
        t.equal(seen, ["eof"], "how the client's end came to the origin")
    else:
        t.equal(client.read_all(), b"", "the origin's end")
        client.send(b"last words").half_close()
        t.eventually(lambda: seen == [b"last words"], lambda: f"what the client said at last: {seen}")
    t.equal(server.next_line(mark).reason, "-", "reason in the log")


@test(seconds=20)
def large_amounts_pass_unharmed_with_a_reader_that_is_slow(t):
    server = t.server(ALLOWED)
    block, count = bytes(range(256)) * 256, 128

    def pours(connection, request):
        connection.send(switching())
        for _ in range(count):
            connection.send(block)
        return False
    client = opened(t, server, pours)
    time.sleep(0.5)
    data = client.read_all()
    t.equal(hashlib.sha256(data).hexdigest(), hashlib.sha256(block * count).hexdigest(), "what came")


def kernel_holds():
    """The most that it takes on both ways through sallyport: four buffers."""
    most = [int(pathlib.Path(f"/proc/sys/net/ipv4/tcp_{of}mem").read_text().split()[2]) for of in "rw"]
    return 2 * sum(most)


@test(seconds=20)
def who_does_not_read_keeps_the_other_from_being_read(t):
    """And is shed at last."""
    sent = []

    def pours(connection, request):
        connection.send(switching())
        connection.socket.settimeout(15)
        try:
            while True:
                sent.append(connection.socket.send(bytes(1 << 16)))
        except OSError:
            return False
    server = t.server(ALLOWED)
    mark = server.mark()
    server.origin.on("/ws", pours)
    client = server.client(receive_buffer=4096)
    t.later(client.close)
    client.send(asks())
    t.reason(server.next_line(mark, seconds=12), "send-timeout")
    t.check(sum(sent) < kernel_holds() + (1 << 20), f"the origin got rid of {sum(sent)} bytes")


@test(seconds=20)
def an_origin_that_does_not_read_is_given_up(t):
    """What waits for it is held in memory."""
    def sleeps(connection, request):
        connection.send(switching(), 8.0)
        return False
    server = t.server({"site": {"upgrade": ["websocket"]}, "timeouts": {"between_bytes": "1 s", "tunnel": "20 s"}})
    mark = server.mark()
    client = opened(t, server, sleeps)
    client.socket.settimeout(6)
    sent = 0
    try:
        while True:
            sent += client.socket.send(bytes(1 << 16))
    except OSError:
        pass
    t.check(sent < 32 << 20, f"the client got rid of {sent} bytes")
    t.reason(server.next_line(mark, seconds=8), "origin-stalled")


@test
def a_tunnel_through_which_nothing_passes_ends(t):
    server = t.server({"site": {"upgrade": ["websocket"]}, "timeouts": {"tunnel": "400 ms"}})
    mark = server.mark()
    client = opened(t, server)
    for _ in range(4):
        time.sleep(0.2)
        client.send(b"ping")
        t.equal(receive(client, 4), b"ping", "echo")
    began = time.monotonic()
    t.equal(client.read_all(), b"", "the end")
    t.within(began, 2, "the time until then", least=0.3)
    line = server.next_line(mark)
    t.reason(line, "tunnel-idle")
    t.equal(line.setting, "timeouts.tunnel", "the setting that the log names")


@test(each={"not allowed": {}, "of another route": {"routes": True}})
def where_it_is_not_allowed_it_is_an_ordinary_request(t, row):
    settings = {}
    if row:
        other = t.origin()
        settings = {"site": {"upgrade": ["websocket"],
                             "routes": [{"path": "/ws", "origins": [other.url], "upgrade": []}]}}
    server = t.fresh_server(settings)
    origin = other if row else server.origin
    origin.on("/ws", reply())
    t.equal(t.client(server).send(asks()).read_response().status, 200, "status")
    got = origin.requests_for("/ws")[-1]
    t.equal((got.field("Upgrade"), got.field("Connection")), (None, None), "Upgrade and Connection")
    origin.on("/ws", echoes)
    mark = server.mark()
    t.equal(t.client(server).send(asks()).read_response().status, 502, "status of an unasked 101")
    t.reason(server.next_line(mark), "origin-interim")


@test
def a_route_may_allow_it_alone(t):
    other = t.origin({"/ws": echoes})
    server = t.fresh_server({"site": {"routes": [{"path": "/ws", "origins": [other.url],
                                                  "upgrade": ["websocket"]}]}})
    server.origin = other
    client = opened(t, server)
    client.send(b"x")
    t.equal(receive(client, 1), b"x", "echo")


@test(each={"no key": {"Sec_WebSocket_Key": None}, "a short key": {"Sec_WebSocket_Key": "abc="},
            "version 8": {"Sec_WebSocket_Version": "8"}, "content": {"Content_Length": "1"}, "chunks": {"Transfer_Encoding": "chunked"}})
def a_malformed_request_for_it_is_refused(t, changes):
    t.refused(t.server(ALLOWED), asks(**changes), "upgrade-invalid")


@test
def a_length_of_zero_is_no_content(t):
    """As the client of Java's library says."""
    server = t.server(ALLOWED)
    server.origin.on("/ws", echoes)
    client = t.client(server).send(asks(Content_Length="0"))
    t.equal(client.read_response().status, 101, "status")
    got = server.origin.requests_for("/ws")[-1]
    t.equal((got.field("Content-Length"), got.field("Transfer-Encoding")), (None, None), "what the origin is told of content")
    client.send(b"GET / HTTP/1.1\r\n")
    t.equal(receive(client, 16), b"GET / HTTP/1.1\r\n", "echo")


@test(each={"two": ("Content-Length: 0\r\nContent-Length: 0\r\n", "content-length-repeated"), "a list": ("Content-Length: 0, 0\r\n", "content-length-invalid"),
            "chunks, too": ("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "length-and-coding")})
def any_other_length_is_refused(t, row):
    fields, reason = row
    t.refused(t.server(ALLOWED), asks()[:-2] + f"{fields}\r\n".encode(), reason)


@test(each={"another key": switching("AAAAAAAAAAAAAAAAAAAAAA=="), "another protocol": switching(upgrade="h2c"),
            "no Connection": switching(connection="keep-alive"),
            "a subprotocol that was not offered": switching(fields="Sec-WebSocket-Protocol: chat\r\n"),
            "an extension that was not offered": switching(fields="Sec-WebSocket-Extensions: x\r\n"),
            "no accept": b"HTTP/1.1 101 Ok\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"})
def an_answer_to_something_else_is_502(t, answer):
    server = t.server(ALLOWED)
    server.origin.on("/ws", lambda c, r: c.send(answer + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0.1) and False)
    mark = server.mark()
    t.equal(t.client(server).send(asks()).read_response().status, 502, "status")
    t.reason(server.next_line(mark), "origin-upgrade")


@test
def an_ordinary_answer_is_an_ordinary_answer(t):
    server = t.server(ALLOWED)
    server.origin.on("/ws", reply(b"no\n", "403 Forbidden"))
    client = t.client(server).send(asks())
    response = client.read_response()
    t.equal((response.status, response.body), (403, b"no\n"), "answer")
    t.equal(client.get("/").status, 200, "status of the next request on the connection")


@test
def what_is_sent_before_the_answer_is_no_content_of_the_tunnel(t):
    """Or a request could hide in it, or content be taken for one."""
    server = t.server(ALLOWED)

    def slowly(connection, request):
        connection.send(0.3)
        return echoes(connection, request)
    server.origin.on("/ws", slowly)
    for parts in ((asks() + b"\x81\x05hello",), (asks(), 0.1, b"\x81\x05hello")):
        mark = server.mark()
        client = t.client(server).send(*parts)
        t.equal(client.read_response().status, 400, "status")
        t.reason(server.next_line(mark), "upgrade-invalid")
        t.check(b"hello" not in bytes(server.origin.connections[-1].received), "it reached the origin")


@test(each={"client": "client", "origin": "origin"})
def a_reset_of_one_side_ends_the_other(t, who):
    ends = []

    def waits(connection, request):
        connection.send(switching())
        if who == "origin":
            connection.more()
            connection.reset()
        else:
            while connection.more():
                pass
            ends.append(connection.ended)
        return False
    server = t.server(ALLOWED)
    mark = server.mark()
    client = opened(t, server, waits)
    if who == "client":
        client.reset()
        t.eventually(lambda: ends == ["reset"], lambda: f"how it ended at the origin: {ends}")
    else:
        client.send(b"x")
        client.read_all()
        t.equal(client.ended, "reset", "the end")
    t.reason(server.next_line(mark), "client-gone" if who == "client" else "origin-truncated")


@test(seconds=20)
def a_reload_leaves_it_alone_and_the_drain_deadline_ends_it(t):
    server = t.fresh_server({**ALLOWED, "timeouts": {"drain": "2 s", "tunnel": "20 s"}})
    client = opened(t, server)
    t.equal(server.reload().status, 200, "status of the reload")
    client.send(b"still there")
    t.equal(receive(client, 11), b"still there", "echo after the reload")
    began = time.monotonic()
    client.read_all(8)
    t.within(began, 6, "the time until it was cut")


# ---- over TLS

def half_closes(connection, request):
    """Agrees, waits for the client's end, and only then says what it has to say."""
    connection.send(switching(request.field("Sec-WebSocket-Key")))
    while connection.more():
        pass
    connection.send(b"last words")
    if hasattr(connection.socket, "unwrap"):
        connection.socket.unwrap()
    return False


@test
def a_tunnel_passes_over_tls_on_either_side(t):
    origin = t.origin(tls=server_context())
    server = t.fresh_server({"tls": certificate("site"), "site": {"upgrade": ["websocket"],
                                                                 "origin_tls": {"ca": path("ca.pem")}}},
                            origins=[origin])
    origin.on("/ws", echoes)
    for client in (t.client(server), t.tls_client(server)):
        client.send(asks())
        t.equal(client.read_response().status, 101, "status")
        for size in (1, 1000, 100000):
            sent = bytes(range(256)) * (size // 256 + 1)
            client.send(sent)
            t.check(receive(client, len(sent)) == sent, f"an echo of {len(sent)} bytes")


@test
def one_side_of_a_tls_tunnel_may_end_before_the_other(t):
    server = t.fresh_server({"tls": certificate("site"), "site": {"upgrade": ["websocket"]}})
    server.origin.on("/ws", half_closes)
    client = t.tls_client(server)
    client.send(asks())
    t.equal(client.read_response().status, 101, "status")
    client.send(b"hello")
    client.socket.settimeout(5)
    try:  # sends close_notify, and does not get one yet
        client.socket.unwrap()
    except OSError as error:
        t.check("application data after close notify" in str(error).lower(), f"bytes came after our end: {error}")
