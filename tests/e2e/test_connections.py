"""HTTP/1.0 and 1.1 on the visitor's side: persistence, pipelining, interim responses, half-close."""

import threading
import time

from harness import reply, test

HOST = b"Host: site.example\r\n"


def get(target, fields=b"", version=b"1.1"):
    return b"GET " + target + b" HTTP/" + version + b"\r\n" + HOST + fields + b"\r\n"


# ---- persistence

@test
def a_connection_serves_many_requests(t):
    server = t.server()
    client = t.client(server)
    for number in range(50):
        t.equal(client.get(f"/keep/{number}").status, 200, f"status of request {number}")
    origin_connections = {r.connection for r in server.origin.requests
                          if r.target.startswith("/keep/")}
    t.equal(len(origin_connections), 1, "origin connections that served them")


@test
def connection_close_is_heeded_and_said(t):
    client = t.client(t.server()).send(get(b"/", b"Connection: close\r\n"))
    response = client.read_response()
    t.equal((response.status, response.field("Connection")), (200, "close"),
            "status and Connection")
    t.equal((client.read_all(), client.ended), (b"", "eof"), "the end")


@test
def nothing_after_a_request_that_closes_is_served(t):
    server = t.server()
    for first in (get(b"/closing", b"Connection: close\r\n"),
                  get(b"/closing", b"Connection: Close, x\r\n"),
                  get(b"/closing", version=b"1.0")):
        client = t.client(server).send(first + get(b"/after-close"))
        t.equal(client.read_response().status, 200, "status")
        t.equal(client.read_all(), b"", "what follows")
    t.equal(server.origin.requests_for("/after-close"), [], "requests for /after-close")


@test
def http_10_closes_unless_asked_to_keep(t):
    server = t.server()
    client = t.client(server).send(get(b"/", version=b"1.0"))
    response = client.read_response()
    t.equal((response.version, response.status, client.read_all()), ("1.1", 200, b""),
            "answer and the end")
    client = t.client(server)
    for _ in range(3):
        client.send(get(b"/", b"Connection: keep-alive\r\n", version=b"1.0"))
        response = client.read_response()
        t.equal((response.status, (response.field("Connection") or "").lower()),
                (200, "keep-alive"),
                "status and Connection for HTTP/1.0 with keep-alive")


@test
def http_10_never_gets_chunks(t):
    """Content without a length goes to an HTTP/1.0 visitor until the connection closes."""
    server = t.server(scripts={"/chunks": lambda c, r: c.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")})
    for fields in (b"", b"Connection: keep-alive\r\n"):
        client = t.client(server).send(get(b"/chunks", fields, version=b"1.0"))
        response = client.read_response()
        t.equal((response.field("Transfer-Encoding"), response.body, response.complete),
                (None, b"abcde", True),
                "coding and content")


@test
def http_11_gets_chunks_where_no_length_is_known(t):
    server = t.server(scripts={"/unframed": lambda c, r: c.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
                               and False})
    client = t.client(server)
    response = client.get("/unframed")
    t.equal((response.framing, response.body, response.complete), ("chunked", b"abc", True),
            "answer")
    t.equal(client.get("/").status, 200, "status of the next request on the connection")


# ---- pipelining

@test
def pipelined_requests_are_answered_in_order(t):
    server = t.server(scripts={f"/pipe/{n}": reply(f"answer {n}".encode()) for n in range(20)})
    client = t.client(server).send(b"".join(get(b"/pipe/%d" % n) for n in range(20)))
    t.equal([client.read_response().body for _ in range(20)], [b"answer %d" % n for n in range(20)],
            "answers")


@test
def order_holds_where_the_first_answer_is_the_slowest(t):
    server = t.server(scripts={"/slow": lambda c, r: c.send(0.3, reply(b"slow")),
                               "/fast": reply(b"fast")})
    client = t.client(server).send(get(b"/slow") + get(b"/fast") + get(b"/fast"))
    t.equal([client.read_response().body for _ in range(3)], [b"slow", b"fast", b"fast"], "answers")


@test
def pipelined_content_is_kept_apart_from_the_next_request(t):
    server = t.server()
    post = b"POST /pipe HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello"
    chunked = b"POST /pipe HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nworld\r\n0\r\n\r\n"
    client = t.client(server).send(post + chunked + get(b"/pipe") + post)
    t.equal([client.read_response().status for _ in range(4)], [200] * 4, "statuses")
    t.equal([r.body for r in server.origin.requests_for("/pipe")[-4:]],
            [b"hello", b"world", b"", b"hello"],
            "contents at the origin")


@test
def a_refused_request_ends_the_pipeline(t):
    server = t.server()
    client = t.client(server).send(get(b"/first") + get(b"/second\0") + get(b"/third"))
    t.equal([client.read_response().status, client.read_response().status], [200, 400], "statuses")
    t.equal(client.read_all(), b"", "what follows the refusal")
    t.equal(server.origin.requests_for("/third"), [], "requests for /third")


# ---- methods and statuses without content

@test
def head_has_the_head_and_no_content(t):
    server = t.server(scripts={"/headed": b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nX-A: b\r\n\r\n"})
    client = t.client(server)
    client.send(b"HEAD /headed HTTP/1.1\r\n" + HOST + b"\r\n" + get(b"/after"))
    response = client.read_response("HEAD")
    t.equal((response.status, response.field("Content-Length"), response.field("X-A")),
            (200, "1234", "b"), "HEAD")
    t.equal(client.read_response().body, b"ok\n", "the answer after it")


@test
def head_of_chunked_content_has_no_content(t):
    server = t.server(scripts={"/headed": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"})
    client = t.client(server).send(b"HEAD /headed HTTP/1.1\r\n" + HOST + b"\r\n" + get(b"/after"))
    t.equal(client.read_response("HEAD").status, 200, "status of HEAD")
    t.equal(client.read_response().body, b"ok\n", "the answer after it")


@test(each={"204": b"HTTP/1.1 204 No Content\r\n\r\n",
            "304": b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
            "304 with a length": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"})
def statuses_without_content_end_with_their_head(t, answer):
    server = t.server(scripts={"/empty": answer})
    client = t.client(server)
    for _ in range(2):
        response = client.get("/empty")
        t.equal(response.status, int(answer[9:12]), "status")
        t.equal(response.field("Transfer-Encoding"), None, "Transfer-Encoding")
    t.equal(client.get("/after").body, b"ok\n", "the answer after it")


@test
def a_204_says_no_length(t):
    """RFC 9110 section 8.6."""
    server = t.server(scripts={"/empty": b"HTTP/1.1 204 No Content\r\n\r\n"})
    t.equal(server.get("/empty").field("Content-Length"), None, "Content-Length")


@test
def options_asterisk_goes_to_the_origin(t):
    got = t.answered(t.server(), b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n")
    t.equal((got.method, got.target), ("OPTIONS", "*"), "request at the origin")


# ---- Expect: 100-continue

@test
def a_client_that_expects_100_gets_it_and_then_the_answer(t):
    server = t.server()
    client = t.client(server).send(b"POST /expect HTTP/1.1\r\n" + HOST +
                                   b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    interim = client.read_head()
    t.equal((interim.status, interim.version), (100, "1.1"), "interim response")
    client.send(b"hello")
    t.equal(client.read_response().status, 200, "status")
    t.equal(server.origin.requests_for("/expect")[-1].body, b"hello", "content at the origin")


@test
def a_client_that_does_not_wait_for_100_is_served(t):
    server = t.server()
    client = t.client(server).send(b"POST /expect HTTP/1.1\r\n" + HOST +
                                   b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")
    t.equal(client.read_response().status, 200, "status")
    t.equal(client.get("/after").status, 200, "status of the next request")


@test
def a_refusal_comes_instead_of_100(t):
    server = t.server()
    client = t.client(server).send(b"POST /a%00 HTTP/1.1\r\n" + HOST +
                                   b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    response = client.read_response()
    t.equal((response.status, response.interim), (400, []), "status and interim responses")


@test
def http_10_never_gets_100(t):
    """RFC 9110 section 10.1.1: an Expect from HTTP/1.0 is ignored."""
    server = t.server()
    client = t.client(server).send(b"POST /expect HTTP/1.0\r\n" + HOST +
                                   b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", 0.1,
                                   b"hello")
    response = client.read_response()
    t.equal((response.status, response.interim), (200, []), "status and interim responses")


# ---- 1xx of the origin

EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"


@test
def early_hints_go_on_at_once(t):
    go_on = threading.Event()
    server = t.server(scripts={"/hints": lambda c, r: c.send(EARLY) and go_on.wait(20) and c.send(reply())})
    client = t.client(server)
    began = time.monotonic()
    client.send(get(b"/hints"))
    hints = client.read_head()
    t.within(began, 0.4, "the time until the hints came")
    go_on.set()
    t.equal((hints.status, hints.field("Link")), (103, "</a.css>; rel=preload"), "hints")
    t.equal(client.read_response().status, 200, "status")


@test
def several_interim_responses_go_on_in_order(t):
    server = t.server(scripts={"/interim": b"HTTP/1.1 102 Processing\r\n\r\n" + EARLY + EARLY +
                               reply()})
    response = server.get("/interim")
    t.equal(([each.status for each in response.interim], response.status), ([102, 103, 103], 200),
            "statuses")


@test
def http_10_gets_no_interim_response(t):
    server = t.server(scripts={"/hints": EARLY + reply()})
    response = server.get("/hints", version="1.0")
    t.equal((response.status, response.interim), (200, []), "status and interim responses")


@test
def hop_by_hop_fields_of_an_interim_response_stay_here(t):
    server = t.server(scripts={"/hints": b"HTTP/1.1 103 Early Hints\r\nKeep-Alive: x\r\nX-A: b\r\n\r\n" + reply()})
    hints = server.get("/hints").interim[0]
    t.equal((hints.field("X-A"), hints.field("Keep-Alive")), ("b", None), "X-A and Keep-Alive")


# ---- ends

@test
def a_half_closed_client_gets_its_answer(t):
    server = t.server(scripts={"/late": lambda c, r: c.send(0.2, reply(b"late"))})
    client = t.client(server).send(get(b"/late")).half_close()
    t.equal(client.read_response().body, b"late", "content")
    t.equal(client.read_all(), b"", "the end")


@test
def a_half_closed_client_gets_all_its_pipelined_answers(t):
    """Again and again: the end of the client's side may come between any two of them."""
    server = t.server()
    for turn in range(300):
        client = server.client().send(get(b"/a") * 5).half_close()
        statuses = [client.read_response().status for _ in range(5)]
        t.equal((statuses, client.read_all()), ([200] * 5, b""), f"statuses and the end, turn {turn}")
        client.close()


@test
def half_a_head_and_the_end_is_no_request(t):
    server = t.server()
    seen = server.origin.received
    client = t.client(server).send(b"GET /half HTTP/1.1\r\nHost: site").half_close()
    t.check(b"200 OK" not in client.read_all(), "half a head was answered with 200")
    t.equal(server.origin.received, seen, "bytes the origin received")


@test
def a_client_that_goes_away_is_logged_and_its_origin_connection_not_reused(t):
    server = t.server(scripts={"/gone": lambda c, r: c.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n", *[b"x" * 1000, 0.01] * 50)
                               and False})
    mark = server.mark()
    client = t.client(server).send(get(b"/gone"))
    client.receive()
    client.reset()
    line = server.next_line(mark, lambda line: line.target == "/gone")
    t.reason(line, "client-gone")
    t.goes_on(server)


@test
def a_client_that_opens_and_says_nothing_harms_nobody(t):
    server = t.server()
    for end in ("close", "reset", "half_close"):
        getattr(t.client(server), end)()
    t.goes_on(server)


@test
def bytes_sent_before_an_asked_for_protocol_change_are_refused(t):
    """Upgrade is not passed on, so what follows the head is the next request, and is judged as one."""
    server = t.server()
    mark = server.mark()
    client = t.client(server).send(get(b"/up", b"Connection: upgrade\r\nUpgrade: websocket\r\n") +
                                   b"\x81\x05hello")
    t.equal(client.read_response().status, 200, "status")
    t.equal(client.read_response().status, 400, "status of what is no request")
    t.equal(client.read_all(), b"", "the end")
    t.reason(server.next_line(mark, lambda line: line.status == 400), "method-syntax",
             "request-line", "control-byte")


@test(seconds=20)
def a_client_that_asks_without_reading_is_not_read(t):
    """Pipelining is bounded by what is answered: memory stays small, others are served."""
    server = t.server(scripts={"/kib": reply(b"x" * 1024)})
    client = t.client(server, receive_buffer=4096)
    client.socket.setblocking(False)
    asked, block = 0, get(b"/kib") * 100
    end = time.monotonic() + 3
    while time.monotonic() < end:
        try:
            asked += client.socket.send(block)
        except BlockingIOError:
            time.sleep(0.01)
    held = server.status()["counters"]["memory_bytes"]
    t.check(held < 1 << 20,
            f"{held} bytes are held for a client that asked {asked} bytes and reads nothing")
    t.equal(server.get("/").status, 200, "status for another client")


@test
def a_large_head_within_the_limits_goes_on_whole(t):
    server = t.server({"limits": {"head": 65535, "field": 65535, "fields": 128, "url": 65535,
                                  "response_head": 65535},
                       "site": {"shield": {"limits": {"url": 65535, "path": 65535, "query": 0, "arg_name": 0, "fields": 0,
                                                       "fields_bytes": 0}}}})
    value = b"v" * 500
    fields = b"".join(b"X-%d: %s\r\n" % (number, value) for number in range(110))
    server.origin.on("/large", b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 0\r\n\r\n")
    client = t.client(server).send(get(b"/large?" + b"q" * 4000, fields))
    response = client.read_response()
    t.equal(response.status, 200, "status")
    t.equal(len([value for name, value in response.fields if name.startswith("X-")]), 110,
            "fields of the response")
    got = server.origin.requests_for("/large")[-1]
    t.equal(len([name for name, value in got.fields if name.startswith("X-")
                 and len(value) == 500]), 110,
            "fields at the origin")
