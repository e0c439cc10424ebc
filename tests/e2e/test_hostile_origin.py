"""The origin may be infected: its responses are read as strictly as requests. What is not exactly a
response gives 502, and nothing of it reaches the visitor."""

import os
import pathlib
import signal

from harness import Failure, reply, test

OK = b"HTTP/1.1 200 OK\r\n"
MARK = b"EVIL"

# All of these are patient: a row of failures must not take the origin out of service.
PATIENT = {"site": {"health": {"fall": 100}}}

STATUS_LINES = {
    "HTTP/0.9": b"<html>EVIL</html>",
    "HTTP/0.9 with lines": b"EVIL\r\nEVIL: x\r\n\r\n",
    "version 2.0": b"HTTP/2.0 200 EVIL\r\nContent-Length: 0\r\n\r\n",
    "version 1.2": b"HTTP/1.2 200 EVIL\r\nContent-Length: 0\r\n\r\n",
    "another protocol": b"ICY 200 EVIL\r\nContent-Length: 0\r\n\r\n",
    "lower case": b"http/1.1 200 EVIL\r\nContent-Length: 0\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 EVIL\r\nContent-Length: 0\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 EVIL\r\nContent-Length: 0\r\n\r\n",
    "status 000": b"HTTP/1.1 000 EVIL\r\nContent-Length: 0\r\n\r\n",
    "status 600": b"HTTP/1.1 600 EVIL\r\nContent-Length: 0\r\n\r\n",
    "status 999": b"HTTP/1.1 999 EVIL\r\nContent-Length: 0\r\n\r\n",
    "letters for a status": b"HTTP/1.1 EVI EVIL\r\nContent-Length: 0\r\n\r\n",
    "negative status": b"HTTP/1.1 -20 EVIL\r\nContent-Length: 0\r\n\r\n",
    "two spaces": b"HTTP/1.1  200 EVIL\r\nContent-Length: 0\r\n\r\n",
    "tab": b"HTTP/1.1\t200 EVIL\r\nContent-Length: 0\r\n\r\n",
    "space first": b" HTTP/1.1 200 EVIL\r\nContent-Length: 0\r\n\r\n",
    "escape in the phrase": b"HTTP/1.1 200 \x1b[31mEVIL\r\nContent-Length: 0\r\n\r\n",
    "NUL in the phrase": b"HTTP/1.1 200 EV\0IL\r\nContent-Length: 0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 EVIL\nContent-Length: 0\n\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x46EVIL",
}

HEADS = {
    "bare LF ends a field": OK + b"X: EVIL\nY: z\r\nContent-Length: 4\r\n\r\nEVIL",
    "bare CR in a field": OK + b"X: EVIL\rY: z\r\nContent-Length: 4\r\n\r\nEVIL",
    "response splitting by CR": OK + b"X: a\r\r\nSet-Cookie: EVIL\r\nContent-Length: 4\r\n\r\nEVIL",
    "NUL in a value": OK + b"X: EV\0IL\r\nContent-Length: 4\r\n\r\nEVIL",
    "NUL in a name": OK + b"EV\0IL: x\r\nContent-Length: 4\r\n\r\nEVIL",
    "control byte in a value": OK + b"X: EVIL\x08\r\nContent-Length: 4\r\n\r\nEVIL",
    "folded": OK + b"X: EVIL\r\n folded\r\nContent-Length: 4\r\n\r\nEVIL",
    "folded length": OK + b"Content-Length:\r\n 4\r\n\r\nEVIL",
    "space before the colon": OK + b"Content-Length : 4\r\n\r\nEVIL",
    "no colon": OK + b"EVIL\r\nContent-Length: 4\r\n\r\nEVIL",
    "empty name": OK + b": EVIL\r\nContent-Length: 4\r\n\r\nEVIL",
    "space in a name": OK + b"EV IL: x\r\nContent-Length: 4\r\n\r\nEVIL",
    "first field begins with a space": OK + b" X: EVIL\r\nContent-Length: 4\r\n\r\nEVIL",
}

FRAMINGS = {
    "both framings": OK +
            b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n",
    "both framings, coding first": OK +
            b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "differing lengths": OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nEVIL!",
    "list of differing lengths": OK + b"Content-Length: 4, 5\r\n\r\nEVIL!",
    "length with a sign": OK + b"Content-Length: +4\r\n\r\nEVIL",
    "negative length": OK + b"Content-Length: -4\r\n\r\nEVIL",
    "length in hexadecimal": OK + b"Content-Length: 0x4\r\n\r\nEVIL",
    "length that overflows": OK + b"Content-Length: 18446744073709551620\r\n\r\nEVIL",
    "empty length": OK + b"Content-Length:\r\n\r\nEVIL",
    "length with letters": OK + b"Content-Length: 4EVIL\r\n\r\nEVIL",
    "unknown coding": OK + b"Transfer-Encoding: gzip\r\n\r\nEVIL",
    "gzip and chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n",
    "coding repeated": OK +
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n",
    "coding in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n",
    "confusable length": OK + b"Content_Length: 4\r\nContent-Length: 5\r\n\r\nEVIL!",
}

SIZES = {
    "long field": OK + b"X: " + MARK * 20_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "many fields": OK + b"X: EVIL\r\n" * 400 + b"Content-Length: 0\r\n\r\n",
    "a head that never ends": OK + b"X-Evil: EVIL\r\n" * 20_000,
    "a status line that never ends": b"HTTP/1.1 200 " + MARK * 50_000,
}

INTERIM = {
    "unasked 101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: evil\r\nConnection: upgrade\r\n\r\nEVIL",
    "bare 101": b"HTTP/1.1 101 EVIL\r\n\r\n",
    "endless 1xx": b"HTTP/1.1 103 Early Hints\r\nX: a\r\n\r\n" * 5000,
}

BAD_CHUNKS = {
    "not hexadecimal": b"xyz\r\nEVIL\r\n0\r\n\r\n",
    "sign": b"-4\r\nEVIL\r\n0\r\n\r\n",
    "0x": b"0x4\r\nEVIL\r\n0\r\n\r\n",
    "space": b"4 \r\nEVIL\r\n0\r\n\r\n",
    "LF": b"4\nEVIL\n0\n\n",
    "too long": b"00000000000000004\r\nEVIL\r\n0\r\n\r\n",
    "overflow": b"10000000000000004\r\nEVIL\r\n0\r\n\r\n",
    "extension": b"4;EVIL\r\nEVIL\r\n0\r\n\r\n",
    "empty size": b"\r\nEVIL\r\n0\r\n\r\n",
}


def serves(data):
    """A script that sends data and waits for the end of the connection."""
    def script(connection, request):
        connection.send(data)
        connection.more(5)
        return False
    return script


def gives_502(t, data, *reasons):
    server = t.server(PATIENT, scripts={"/hostile": serves(data)})
    mark = server.mark()
    client = t.client(server).send(t.request("/hostile"))
    response = client.read_response()
    t.equal(response.status, 502, f"status; {response.head!r}")
    t.check(response.complete, "the error page is complete")
    t.check(MARK not in response.head + response.body, f"something of it came through: {response}")
    line = server.next_line(mark, lambda line: line.target == "/hostile")
    t.reason(line, *reasons)
    t.equal(line.status, 502, "status in the log")
    if response.field("Connection") != "close":
        t.equal(client.get("/well").status, 200, "status of the next request on the connection")
    t.equal(server.get("/well").status, 200, "status of another request")
    connection = server.origin.requests_for("/hostile")[-1].connection
    t.eventually(lambda: connection.ended in ("eof", "reset"),
                 "sallyport ends the hostile connection")


@test(each=STATUS_LINES)
def a_status_line_is_exact(t, data):
    gives_502(t, data, "origin-status-line", "origin-head")


@test(each=HEADS)
def the_origins_fields_are_exact(t, data):
    gives_502(t, data, "origin-head", "origin-framing")


@test(each=FRAMINGS)
def the_origins_framing_is_unambiguous(t, data):
    gives_502(t, data, "origin-framing", "origin-head")


@test(each=SIZES)
def the_origins_head_is_bounded(t, data):
    gives_502(t, data, "origin-head-too-large", "origin-status-line")


@test
def response_head_follows_the_policy(t):
    server = t.server({"limits": {"response_head": "2 KiB"}} | PATIENT,
                      scripts={"/long": reply(fields=[("X", "a" * 3000)]),
                               "/short": reply(fields=[("X", "a" * 1500)])})
    mark = server.mark()
    t.equal((server.get("/long").status, server.get("/short").status), (502, 200), "statuses")
    t.reason(server.next_line(mark), "origin-head-too-large")


@test(each=INTERIM)
def interim_responses_are_bounded_and_101_must_be_asked_for(t, data):
    server = t.server(PATIENT, scripts={"/hostile": serves(data)})
    mark = server.mark()
    client = t.client(server).send(t.request("/hostile"))
    try:
        response = client.read_response()
        t.equal(response.status, 502, "status")
        t.check(len(response.interim) < 100, f"{len(response.interim)} interim responses went on")
    except Failure:
        t.check(client.ended, "the connection ended")  # after interim responses it may just end
    t.reason(server.next_line(mark), "origin-interim")
    t.check(MARK not in client.pending, "something of it came through")
    t.equal(server.get("/well").status, 200, "status of another request")


@test(each=BAD_CHUNKS)
def malformed_chunks_give_502_or_never_look_complete(t, chunks):
    """Where the head has gone on already, the visitor sees that the content is broken."""
    for pause in (0, 0.1):
        server = t.server(PATIENT, scripts={"/hostile": lambda c, r, pause=pause: c.send(
            OK + b"Transfer-Encoding: chunked\r\n\r\n", pause, chunks, 0.2) and False})
        mark = server.mark()
        client = t.client(server).send(t.request("/hostile"))
        response = client.read_response()
        t.check(response.status == 502 or response.status == 200 and not response.complete,
                f"it looks complete: {response}")
        t.check(response.status != 502 or MARK not in response.body,
                f"something came through: {response}")
        t.reason(server.next_line(mark), "origin-chunk")
    t.equal(server.get("/well").status, 200, "status of another request")


@test(each={"http/1.1": "1.1", "http/1.0": "1.0"})
def a_chunk_that_goes_wrong_in_the_middle_never_looks_complete(t, version):
    server = t.server(PATIENT, scripts={"/middle": serves(
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nNOT A SIZE\r\n")})
    client = t.client(server).send(t.request("/middle", version=version))
    response = client.read_response()
    if response.status == 200:
        t.check(not response.complete and (version == "1.1" or client.ended == "reset"),
                f"it looks complete: {response}, ended by {client.ended}")
    else:
        t.equal(response.status, 502, "status")


# ---- truncated

@test(each={"length": b"Content-Length: 100\r\n\r\nabc",
            "chunk": b"Transfer-Encoding: chunked\r\n\r\n64\r\nabc",
            "no last chunk": b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "no end of trailers": b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"})
def a_truncated_content_never_looks_complete(t, data):
    for version in ("1.1", "1.0"):
        for end in ("close", "reset"):
            def script(connection, request, end=end):
                connection.send(OK + data, 0.1)
                getattr(connection, end)()
                return False
            server = t.server(PATIENT, scripts={"/cut": script})
            mark = server.mark()
            client = t.client(server).send(t.request("/cut", version=version))
            response = client.read_response()
            whole = response.complete and response.status == 200
            t.check(not whole,
                    f"HTTP/{version}, {end}: it looks complete: {response}, ended by {client.ended}")
            t.reason(server.next_line(mark), "origin-truncated")


@test
def content_until_the_end_that_a_reset_cuts_never_looks_complete(t):
    def script(connection, request):
        connection.send(OK + b"\r\nabc", 0.1)
        connection.reset()
        return False
    server = t.server(PATIENT, scripts={"/cut": script})
    response = server.get("/cut")
    t.check(not response.complete, f"it looks complete: {response}")


# ---- more than a response

@test(each={"a second response": reply(MARK), "junk": MARK * 10, "one byte": b"E"})
def bytes_after_a_response_never_reach_anyone(t, extra):
    """A poisoned pool: the next request, also of another visitor, gets its own answer."""
    server = t.server(PATIENT, scripts={"/extra": lambda c, r: c.send(reply(b"first") + extra)})
    for _ in range(3):
        client = t.client(server).send(t.request("/extra"))
        response = client.read_response()
        t.check(response.status == 502 or response.body == b"first", f"answer: {response}")
        t.check(client.quiet(0.05) or client.ended,
                f"something follows the answer: {client.pending!r}")
        t.equal(server.get("/next").body, b"ok\n", "content of the next answer")
        t.check(server.origin.requests_for("/next")[-1].connection is not
                server.origin.requests_for("/extra")[-1].connection,
                "the connection was used again")


@test
def bytes_after_a_response_of_any_size_never_answer_the_next_request(t):
    """Also where they wait in the kernel, behind what was read or spliced last."""
    server = t.server(PATIENT)
    head = len(reply(b"x" * 50_000)) - 50_000
    for size in (1, 1000, 16384 - head, 32768 - head, 65536 - head, 131072 - head, 200_000,
                 1_000_000):
        server.origin.on("/extra", lambda c, r,
                         size=size: c.send(reply(b"x" * size) + reply(MARK) * 3))
        for _ in range(3):
            client = t.client(server).send(t.request("/extra") + t.request("/next"))
            response = client.read_response()
            t.check(response.status == 502 or response.body == b"x" * size,
                    f"answer of {size} bytes")
            t.equal(client.read_response().body, b"ok\n",
                    f"content of the pipelined answer, after {size} bytes")
            t.equal(server.get("/next").body, b"ok\n",
                    f"content of the next answer, after {size} bytes")


@test
def bytes_on_an_idle_connection_of_the_pool_never_answer_a_request(t):
    server = t.server(PATIENT,
                      scripts={"/idle": lambda c, r: c.send(reply(b"first"), 0.1, reply(MARK))})
    for _ in range(3):
        t.equal(server.get("/idle").body, b"first", "content")
        t.eventually(lambda: server.origin.requests_for("/idle")[-1].connection.ended,
                     "the connection is given up")
        t.equal(server.get("/next").body, b"ok\n", "content of the next answer")


@test
def content_of_a_head_or_304_never_answers_the_next_request(t):
    """An origin that sends content where none may be."""
    for path, data in (("/head", OK + b"Content-Length: 4\r\n\r\nEVIL"),
                       ("/304", b"HTTP/1.1 304 Not Modified\r\n\r\n" + MARK),
                       ("/204", b"HTTP/1.1 204 No Content\r\n\r\n" + MARK)):
        server = t.server(PATIENT, scripts={path: data})
        method = "HEAD" if path == "/head" else "GET"
        client = t.client(server)
        client.send(t.request(path, method=method))
        response = client.read_response(method)
        t.check(MARK not in response.head + client.pending, "something came through")
        t.equal(server.get("/next").body, b"ok\n", "content of the next answer")


@test
def extra_bytes_are_told_in_the_log(t):
    """They make one event or reason, so that the operator learns of a hostile origin."""
    server = t.server(PATIENT, scripts={"/extra": lambda c, r: c.send(reply(b"first") + b"EVIL")})
    before = server.reasons().get("origin-extra", 0)
    server.get("/extra")
    t.eventually(lambda: server.reasons().get("origin-extra", 0) > before,
                 "origin-extra is counted")
    t.asserted.add("origin-extra")


def stopped(pid):
    """The signal is sent before the process has heeded it."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


@test
def what_lies_in_a_pooled_connection_is_no_answer_to_the_next_visitor(t):
    """The origin answers once more than it was asked, while the worker is busy: both are there at the same time."""
    origin_side = []

    def answer(connection, request):
        origin_side.append(connection)
        connection.send(OK + b"Content-Length: 4\r\n\r\nGOOD")

    server = t.fresh_server({"process": {"workers": 1}})
    server.origin.on("/", answer)
    server.origin.on("/next", answer)
    visitor = t.client(server)
    visitor.send(b"GET / HTTP/1.1\r\nHost: site.example\r\n\r\n")
    t.equal(visitor.read_response().body, b"GOOD", "the first answer")
    worker = server.workers()[0]
    os.kill(worker, signal.SIGSTOP)
    try:
        t.eventually(lambda: stopped(worker), "the worker has stopped")
        visitor.send(b"GET /next HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n")
        origin_side[0].send(OK + b"Content-Length: 4\r\n\r\n" + MARK)
    finally:
        os.kill(worker, signal.SIGCONT)
    got = visitor.read_all()
    t.check(got.endswith(b"GOOD") and MARK not in got, f"the visitor got {got!r}")


@test
def a_visitor_cannot_close_the_site_for_others(t):
    """Requests that the origin drops say nothing about the origin."""
    def drop(connection, request):
        return False

    server = t.fresh_server({"site": {"health": {"fall": 2}}})
    server.origin.on("/drop", drop)
    server.origin.on("/", reply(b"fine"))
    for _ in range(6):
        t.equal(server.get("/drop").status, 502, "a dropped request")
    t.equal(server.get("/").status, 200, "another visitor's")
