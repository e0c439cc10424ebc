"""Request smuggling: however front and back might disagree about where a message ends, the second
request that hides in the first never reaches the origin as one."""

from harness import test

INNER = b"GET /smuggled HTTP/1.1\r\nHost: site.example\r\n\r\n"


def post(fields, body):
    return b"POST /carrier HTTP/1.1\r\nHost: site.example\r\n" + fields + b"\r\n" + body


def with_length(fields, body=b"0\r\n\r\n" + INNER):
    return post(b"Content-Length: %d\r\n" % len(body) + fields, body)


# Both framings, the coding in every disguise that some server has once believed.
DISGUISES = {
    "plain": b"Transfer-Encoding: chunked\r\n",
    "upper case": b"TRANSFER-ENCODING: CHUNKED\r\n",
    "tab before the value": b"Transfer-Encoding:\tchunked\r\n",
    "no space": b"Transfer-Encoding:chunked\r\n",
    "space before the colon": b"Transfer-Encoding : chunked\r\n",
    "tab before the colon": b"Transfer-Encoding\t: chunked\r\n",
    "leading space": b" Transfer-Encoding: chunked\r\n",
    "folded value": b"Transfer-Encoding:\r\n chunked\r\n",
    "folded away": b"X: y\r\n Transfer-Encoding: chunked\r\n",
    "vertical tab": b"Transfer-Encoding: \x0bchunked\r\n",
    "form feed": b"Transfer-Encoding:\x0cchunked\r\n",
    "DEL": b"Transfer-Encoding: chunked\x7f\r\n",
    "no-break space": b"Transfer-Encoding: \xa0chunked\r\n",
    "NUL": b"Transfer-Encoding: chunked\x00\r\n",
    "bare LF before": b"X: y\nTransfer-Encoding: chunked\r\n",
    "bare CR before": b"X: y\rTransfer-Encoding: chunked\r\n",
    "CR LF within the name": b"Transfer-\r\nEncoding: chunked\r\n",
    "underscore": b"Transfer_Encoding: chunked\r\n",
    "quoted": b'Transfer-Encoding: "chunked"\r\n',
    "misspelt": b"Transfer-Encoding: chunke\r\n",
    "xchunked": b"Transfer-Encoding: xchunked\r\n",
    "list with identity": b"Transfer-Encoding: identity, chunked\r\n",
    "list of chunked": b"Transfer-Encoding: chunked, chunked\r\n",
    "trailing comma": b"Transfer-Encoding: chunked,\r\n",
    "parameter": b"Transfer-Encoding: chunked;foo=bar\r\n",
    "two fields": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n",
    "two fields, second believed": b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked\r\n",
    "dotless i": "Transfer-Encodıng: chunked\r\n".encode(),
    "name in quotes": b'"Transfer-Encoding": chunked\r\n',
}


def reaches_nobody(t, data, *more):
    """Some refusal, one answer, and the origin receives not a byte."""
    server = t.server()
    seen, mark = server.origin.received, server.mark()
    client = t.client(server).send(data, *more)
    response = client.read_response()
    t.check(response.status in (400, 405, 414, 501, 505), f"status {response.status}")
    t.equal(client.read_all(), b"", "what follows the one answer")
    t.reason(server.next_line(mark), *t.reasons_with_status(response.status))
    t.equal(server.origin.received, seen, "bytes the origin has received")
    t.goes_on(server)


@test(each=DISGUISES)
def content_length_beside_a_coding_reaches_nobody(t, disguise):
    """CL.TE: the front believes Content-Length, the back the coding."""
    reaches_nobody(t, with_length(disguise))


@test(each=DISGUISES)
def a_coding_beside_a_shorter_content_length_reaches_nobody(t, disguise):
    """TE.CL: the front believes the coding, the back Content-Length."""
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(INNER), INNER)
    reaches_nobody(t, post(b"Content-Length: 4\r\n" + disguise, body))


@test(each={name: value for name, value in DISGUISES.items()
            if name not in ("plain", "upper case", "tab before the value", "no space")})
def a_disguised_coding_alone_reaches_nobody(t, disguise):
    """TE.0: one side sees no framing at all."""
    reaches_nobody(t, post(disguise, b"0\r\n\r\n" + INNER))


@test(each={
    "two lengths": b"Content-Length: 0\r\nContent-Length: %d\r\n",
    "list": b"Content-Length: 0, %d\r\n",
    "sign": b"Content-Length: +%d\r\n",
    "underscore": b"Content_Length: %d\r\n",
    "space before the colon": b"Content-Length : %d\r\n",
    "folded": b"Content-Length:\r\n %d\r\n",
    "NUL": b"Content-Length: %d\0\r\n",
})
def lengths_that_can_be_read_in_two_ways_reach_nobody(t, field):
    """CL.CL."""
    reaches_nobody(t, post(field % len(INNER), INNER))


@test(each={
    "size with a sign": b"-0\r\n\r\n", "size in 0x": b"0x0\r\n\r\n",
    "size that wraps 64 bits": b"10000000000000000\r\n\r\n",
    "LF ends the size": b"0\n\n", "extension with LF": b"0;\n\r\n\r\n",
    "extension with CR": b"0;a\rb\r\n\r\n", "chunk ended by other bytes": b"1\r\naXX0\r\n\r\n",
    "chunk without its CRLF": b"1\r\na0\r\n\r\n", "spaces before the size": b"  0\r\n\r\n",
})
def chunks_that_can_be_read_in_two_ways_reach_nobody(t, chunks):
    reaches_nobody(t, post(b"Transfer-Encoding: chunked\r\n", chunks + INNER))


@test(each={"GET": b"GET", "HEAD": b"HEAD", "OPTIONS": b"OPTIONS", "DELETE": b"DELETE"})
def content_of_a_method_that_rarely_has_any_stays_content(t, method):
    """CL.0: a back end that ignores the content of GET would take it for the next request. Whatever
    is forwarded says its length, and the content follows in one message."""
    server = t.server()
    count = len(server.origin.requests)
    client = t.client(server).send(method + b" /carrier HTTP/1.1\r\nHost: site.example\r\n"
                                   b"Content-Length: %d\r\n\r\n" % len(INNER) + INNER)
    client.read_response(method.decode())
    carrier = server.origin.requests[count]
    t.equal((carrier.field("Content-Length"), carrier.body), (str(len(INNER)), INNER),
            "length and content")
    t.equal(server.origin.requests_for("/smuggled"), [], "requests for /smuggled")


@test
def a_chunk_of_4_gib_is_no_chunk_of_none(t):
    """A size that is 0 when cut to 32 bits: what follows is its content."""
    server = t.server()
    t.client(server).send(post(b"Transfer-Encoding: chunked\r\n", b"100000000\r\n\r\n" + INNER),
                          0.2).half_close().read_all()
    t.equal(server.origin.requests_for("/smuggled"), [], "requests for /smuggled")


@test
def requests_that_follow_each_other_are_two(t):
    """What is no smuggling: two requests in one segment give two answers in order."""
    server = t.server()
    client = t.client(server).send(post(b"Content-Length: 0\r\n", b"") +
                                   INNER.replace(b"smuggled", b"honest"))
    t.equal([client.read_response().status, client.read_response().status], [200, 200], "statuses")
    t.equal(len(server.origin.requests_for("/honest")), 1, "requests for /honest")


@test
def nothing_after_a_refused_request_is_read_as_one(t):
    server = t.server()
    reaches_nobody(t, b"GET /x HTTP/1.1\r\nHost: site.example\r\nBad header\r\n\r\n" + INNER * 20)
    t.equal(server.origin.requests_for("/smuggled"), [], "requests for /smuggled")


@test
def what_follows_the_last_chunk_late_is_the_next_request(t):
    """The end of a chunked content and the next request may come in any segments."""
    server = t.server()
    data = post(b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n")
    second = b"GET /after-chunks HTTP/1.1\r\nHost: site.example\r\n\r\n"
    for cut in range(len(data) - 12, len(data) + 8):
        client = t.client(server)
        whole = data + second
        client.send(whole[:cut], 0.01, whole[cut:])
        t.equal([client.read_response().status, client.read_response().status], [200, 200],
                f"statuses, cut at {cut}")
        client.close()
    bodies = {request.body for request in server.origin.requests_for("/carrier") if request.body}
    t.check(b"abc" in bodies, f"the content at the origin: {bodies}")


@test
def http_10_with_a_content_length_and_more_bytes_is_one_request(t):
    server = t.server()
    client = t.client(server).send(b"POST /ten HTTP/1.0\r\nHost: site.example\r\nContent-Length: 3\r\n\r\nabc" + INNER)
    client.read_response()
    t.equal(client.read_all(), b"", "what follows the one answer to HTTP/1.0")
    t.equal(server.origin.requests_for("/smuggled"), [], "requests for /smuggled")


@test
def the_content_of_an_upgrade_that_nobody_asked_is_no_request(t):
    """h2c smuggling: Upgrade and HTTP2-Settings are not passed on."""
    server = t.server()
    got = t.answered(server,
                     b"GET /h2c HTTP/1.1\r\nHost: site.example\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                     b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")
    for name in ("Upgrade", "HTTP2-Settings", "Connection"):
        t.equal(got.all(name), [], f"{name} at the origin")
