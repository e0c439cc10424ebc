"""Uploads that end badly, at the client's or at the origin's side, and uploads that are sent twice."""

import threading
import time

from harness import reply, test

HOST = b"Host: site.example\r\n"
UNLIMITED = {"site": {"shield": {"limits": {"body": 0}}}}


def post(target, fields, method=b"POST"):
    return method + b" " + target + b" HTTP/1.1\r\n" + HOST + fields + b"\r\n"


def everything(connection, request):
    """Reads until the connection ends, and answers nothing."""
    while connection.more(5):
        pass
    return False


@test(each={"half-closed": "half_close", "reset": "reset"})
def an_upload_that_the_client_cuts_never_looks_complete(t, end):
    """Neither with a length nor in chunks, neither collected nor streamed."""
    server = t.server(scripts={"/cut": everything})
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    for fields, content in ((b"Content-Length: 1000000\r\n", b"x" * 500_000),
                            (b"Transfer-Encoding: chunked\r\n", chunk * 20),
                            (b"Content-Length: 100\r\n", b"x" * 50),
                            (b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n")):
        mark, count = server.mark(), len(server.origin.requests)
        client = t.client(server).send(post(b"/cut", fields), content, 0.1)
        getattr(client, end)()
        t.reason(server.next_line(mark), "client-gone")
        for request in server.origin.requests[count:]:
            connection = request.connection
            t.eventually(lambda connection=connection: connection.ended,
                         "the origin's connection ends")
            body = bytes(connection.received)[len(request.head):]
            t.check(len(body) < 1_000_000 and not body.endswith(b"0\r\n\r\n"),
                    f"it looks complete: …{body[-50:]!r}")
    t.goes_on(server)


@test
def an_upload_with_a_bad_chunk_in_the_middle_never_looks_complete(t):
    server = t.server(scripts={"/cut": everything})
    mark = server.mark()
    client = t.client(server)
    client.send(post(b"/cut", b"Transfer-Encoding: chunked\r\n"),
                (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 20, 0.1,
                b"this is no size\r\n\r\n0\r\n\r\n")
    t.equal(client.read_response().status, 400, "status")
    t.equal(client.read_all(), b"", "what follows")
    t.reason(server.next_line(mark), "chunk-size")
    connection = server.origin.requests_for("/cut")[-1].connection
    t.eventually(lambda: connection.ended, "the origin's connection ends")
    t.check(not bytes(connection.received).endswith(b"0\r\n\r\n"),
            "it looks complete at the origin")


@test
def a_streamed_upload_over_the_limit_never_looks_complete(t):
    server = t.server({"site": {"shield": {"limits": {"body": "300 KiB"}}}},
                      scripts={"/cut": everything})
    mark = server.mark()
    client = t.client(server)
    try:
        client.send(post(b"/cut", b"Transfer-Encoding: chunked\r\n"),
                    (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 20)
    except OSError:
        pass
    t.equal(client.read_response().status, 413, "status")
    t.equal(client.read_all(), b"", "what follows")
    t.reason(server.next_line(mark), "content-too-large")
    connection = server.origin.requests_for("/cut")[-1].connection
    t.eventually(lambda: connection.ended, "the origin's connection ends")
    t.check(not bytes(connection.received).endswith(b"0\r\n\r\n"),
            "it looks complete at the origin")


@test
def nothing_of_a_refused_upload_is_read_as_a_request(t):
    """However the refused content is cut into segments."""
    server = t.server({"site": {"shield": {"limits": {"body": "100 B"}}}})
    inner = b"GET /smuggled HTTP/1.1\r\nHost: site.example\r\n\r\n"
    content = inner + b"x" * 100
    head = post(b"/over", b"Transfer-Encoding: chunked\r\n")
    tail = b"%x\r\n" % len(content) + content + b"\r\n0\r\n\r\n" + inner
    data = head + tail
    for cut in (len(head), len(head) + 2, len(head) + 4, len(head) + 10, len(data) - len(inner),
                len(data)):
        client = t.client(server)
        client.send(data[:cut], 0.02)
        try:
            client.send(data[cut:])
        except OSError:
            pass
        t.equal(client.read_response().status, 413, f"status, cut at {cut}")
        t.equal(client.read_all(), b"", f"what follows, cut at {cut}")
    t.equal(server.origin.requests_for("/smuggled"), [], "requests for /smuggled")


@test
def an_origin_that_does_not_take_the_upload_is_given_up(t):
    stop = threading.Event()
    origin = t.origin(receive_buffer=4096, serve=lambda c: stop.wait(8))
    server = t.fresh_server({**UNLIMITED,
                             "timeouts": {"between_bytes": "600 ms", "first_byte": "600 ms"}},
                            origins=[origin])
    mark, client = server.mark(), t.client(server)
    client.send(post(b"/up", b"Content-Length: 1000000000\r\n"))
    began = time.monotonic()
    feeder = threading.Thread(target=feed, args=(client, b"x" * 65536))
    feeder.start()
    t.equal(client.read_response().status, 504, "status")
    t.within(began, 4, "the time until then")
    t.reason(server.next_line(mark), "origin-timeout", "origin-stalled")
    stop.set()
    client.read_all()
    feeder.join()


def feed(client, block):
    try:
        while True:
            client.socket.sendall(block)
    except OSError:
        pass


@test
def content_of_one_byte_chunks_is_served_in_good_time(t):
    """20,000 chunks of a byte: work, but no more than linear."""
    server = t.server()
    client = t.client(server)
    began = time.monotonic()
    client.send(post(b"/tiny", b"Transfer-Encoding: chunked\r\n") + b"1\r\nx\r\n" * 20_000 +
                b"0\r\n\r\n")
    t.equal(client.read_response().status, 200, "status")
    t.within(began, 2, "the time it took")
    t.equal(len(server.origin.requests_for("/tiny")[-1].body), 20_000, "bytes at the origin")


@test(each={"PUT": b"PUT", "DELETE": b"DELETE"})
def a_collected_upload_is_sent_again_whole_on_a_stale_connection(t, method):
    def serve(connection):
        request = connection.read_head()
        connection.read_body(request)
        connection.send(reply(str(connection.number).encode()))
        if request := connection.read_head():
            connection.read_body(request)
    origin = t.origin(serve=serve)
    server = t.fresh_server(origins=[origin])
    t.equal(server.get("/first").status, 200, "status of the first")
    body = bytes(range(256)) * 100
    client = t.client(server).send(post(b"/again", b"Content-Length: %d\r\n" % len(body), method) +
                                   body)
    t.equal(client.read_response().body, b"1", "answer, by the second connection")
    t.check([request.body == body for request in origin.requests_for("/again")] == [True, True],
            "both times the content was whole")


@test
def chunked_content_of_a_get_stays_content(t):
    server = t.server()
    client = t.client(server)
    client.send(post(b"/got", b"Transfer-Encoding: chunked\r\n", b"GET") +
                b"5\r\nhello\r\n0\r\n\r\n")
    t.equal(client.read_response().status, 200, "status")
    t.equal(server.origin.requests_for("/got")[-1].body, b"hello", "content at the origin")


@test
def a_client_that_expects_100_without_content_is_served(t):
    server = t.server()
    client = t.client(server).send(post(b"/none", b"Expect: 100-continue\r\n", b"GET"))
    t.equal(client.read_response().status, 200, "status")
    t.equal(client.get("/after").status, 200, "status of the next request")


@test
def a_client_that_expects_100_for_a_large_upload_is_served(t):
    server = t.server(UNLIMITED)
    client = t.client(server).send(post(b"/large",
                                        b"Expect: 100-continue\r\nContent-Length: 1000000\r\n"))
    t.equal(client.read_head().status, 100, "interim response")
    client.send(b"x" * 1_000_000)
    t.equal(client.read_response().status, 200, "status")
    t.equal(len(server.origin.requests_for("/large")[-1].body), 1_000_000, "bytes at the origin")


@test
def an_upload_that_is_answered_early_does_not_confuse_the_next_request(t):
    """The origin answers and keeps its connection; the client sends the rest, and then asks again."""
    server = t.server(UNLIMITED, scripts={"/early": reply(b"early")})

    def early(connection, request):
        return connection.send(reply(b"early")) and connection.read_body(request) is not None
    server.origin.on("/early", early)
    client = t.client(server).send(post(b"/early", b"Content-Length: 300000\r\n"), b"x" * 100_000,
                                   0.1)
    response = client.read_response()
    t.equal(response.body, b"early", "answer")
    if response.field("Connection") == "close":
        client.close()
        client = t.client(server)
    else:
        client.send(b"x" * 200_000)
    t.equal(client.get("/after").body, b"ok\n", "the next answer")
