"""Thousands of messages that are almost right, made from a seed. Whatever comes of one, what reaches the
other side is exact, and is as many messages as there were."""

import random
import re

from harness import Failure, reply, test

REQUESTS = [
    b"GET /m HTTP/1.1\r\nHost: site.example\r\nAccept: */*\r\n\r\n",
    b"POST /m?a=b HTTP/1.1\r\nHost: site.example\r\nContent-Length: 11\r\n\r\nhello world",
    b"POST /m HTTP/1.1\r\nHost: site.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    b"GET http://site.example/m/../m/%41 HTTP/1.1\r\nHost: site.example\r\nConnection: close, x-a\r\nX-A: b\r\n\r\n",
    b"PUT /m HTTP/1.0\r\nHost: site.example\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: keep-alive\r\n\r\nabc",
    b"HEAD /m HTTP/1.1\r\nHost: site.example\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nVia: 1.1 a\r\n\r\n",
]

RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX-A: b\r\n\r\nhello world",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-T: y\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nhello world",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
    b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n",
]

PIECES = [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"0", b"1", b"f",
          b"\r\n\r\n", b"\r\n ", b"%", b"%00",
          b"%2e", b"/", b"..", b"chunked", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n",
          b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n",
          b"Connection: content-length\r\n",
          b"Host: evil.example\r\n", b"HTTP/1.1", b"GET /n HTTP/1.1\r\nHost: site.example\r\n\r\n",
          b"\xff", b"\x7f", b"\x0b",
          b"X" * 300, b"A: b\r\n" * 60]


def mutated(choice, message):
    """One to three small changes: a piece put in, bytes taken out, doubled, swapped, or a case changed."""
    for _ in range(choice.choice((1, 1, 1, 2, 3))):
        at = choice.randrange(len(message) + 1)
        length = choice.choice((1, 1, 2, 4, 10))
        kind = choice.randrange(6)
        if kind <= 1:
            message = message[:at] + choice.choice(PIECES) + message[at:]
        elif kind == 2:
            message = message[:at] + message[at + length:]
        elif kind == 3:
            message = message[:at] + message[at:at + length] * 2 + message[at + length:]
        elif kind == 4:
            message = message[:at] + bytes([choice.randrange(256)]) + message[at + 1:]
        else:
            message = message[:at] + message[at:at + length].swapcase() + message[at + length:]
    return message


def segments(choice, data):
    """The data in one piece, or cut in two."""
    if choice.random() < 0.7:
        return [data]
    cut = choice.randrange(len(data) + 1)
    return [data[:cut], 0.001, data[cut:]]


def answers(client, methods):
    """Final responses until the connection ends; fails where one is malformed."""
    found = []
    try:
        while True:
            method = methods[len(found)] if len(found) < len(methods) else "GET"
            found.append(client.read_response(method))
    except Failure as failure:
        if not client.ended or client.pending:
            raise Failure(f"{failure}\nafter {[answer.status for answer in found]}") from None
    return found


def mutate_requests(t, seed, count):
    """As many requests reach the origin as get 200, and each of them is exact (the origin's reader is
    strict, and the test fails by what it finds)."""
    server = t.server({"timeouts": {"head": "300 ms", "idle": "300 ms", "stall": "300 ms",
                                    "body_grace": "300 ms",
                                    "linger": "50 ms"}, "quotas": {"per_client": 100000}})
    choice = random.Random(seed)
    refused = 0
    for number in range(count):
        data = mutated(choice, choice.choice(REQUESTS))
        if number % 50 == 0:
            server.origin.forget()
        seen = len(server.origin.requests)
        client = server.client()
        try:
            client.send(*segments(choice, data)).half_close()
        except OSError:
            pass
        method = re.match(rb"(?:\r\n)?([A-Z]+) ", data)
        found = answers(client, [method[1].decode()] if method else [])
        client.close()
        served = [answer for answer in found if answer.status == 200]
        refused += len(found) - len(served)
        reached = len(server.origin.requests) - seen
        t.check(reached == len(served) or not all(answer.complete for answer in found),
                f"number {number}: {len(served)} answers 200, {reached} requests at the origin\n{data!r}\n"
                f"{[r.head for r in server.origin.requests[seen:]]}")
        t.check(not server.origin.errors, f"number {number}: {data!r}\n{server.origin.errors}")
        for request in server.origin.requests[seen:]:
            framing = request.all("Content-Length") + request.all("Transfer-Encoding")
            t.check(len(framing) <= 1 and len(request.all("Host")) == 1,
                    f"number {number}: {data!r}\n{request.head!r}")
            t.check(b"evil" not in request.head or b"evil" in data,
                    f"number {number}: {request.head!r}")
        for answer in found:
            t.check(answer.status != 500, f"number {number}: 500 for {data!r}")
    t.check(0.2 < refused / count < 0.95, f"{refused} of {count} were refused")
    t.note(f"{refused} of {count} refused")
    t.goes_on(server)


def mutate_responses(t, seed, count):
    """The visitor gets exact responses, or a broken connection; the next visitor gets an own one."""
    server = t.server({"site": {"health": {"fall": 100}},
                       "timeouts": {"first_byte": "1 s", "between_bytes": "300 ms"}})
    choice = random.Random(seed)
    current = {}

    def script(connection, request):
        connection.send(*current["segments"])
        return choice.random() < 0.5
    server.origin.on("/r", script)
    server.origin.on("/own", reply(b"own"))
    broken = 0
    for number in range(count):
        data = mutated(choice, choice.choice(RESPONSES))
        if number % 50 == 0:
            server.origin.forget()
        current["segments"] = segments(choice, data)
        client = server.client()
        try:
            client.send(t.request("/r") + t.request("/own")).half_close()
        except OSError:
            pass
        found = answers(client, [])
        whole = [answer for answer in found if answer.complete]
        broken += not whole or whole[0].status == 502
        # What comes late from the origin meets the request that follows on its connection, and breaks it.
        t.check(len(found) <= 2
                and (len(whole) < 2 or whole[1].body == b"own" or whole[1].status == 502),
                f"number {number}: {data!r}\n{found}")
        client.close()
        t.equal(server.get("/own").body, b"own",
                f"number {number}: the next visitor's content, after {data!r}")
    t.check(0.2 < broken / count < 0.95, f"{broken} of {count} were broken")
    t.note(f"{broken} of {count} broken")


@test(seconds=40)
def requests_that_are_almost_right_are_refused_or_exact(t):
    mutate_requests(t, 20010719, 1200)


@test(seconds=40)
def responses_that_are_almost_right_are_refused_or_exact(t):
    mutate_responses(t, 20010804, 500)


@test(heavy=True, seconds=600)
def many_requests_that_are_almost_right_are_refused_or_exact(t):
    mutate_requests(t, 1, 40_000)


@test(heavy=True, seconds=600)
def many_responses_that_are_almost_right_are_refused_or_exact(t):
    mutate_responses(t, 2, 12_000)
