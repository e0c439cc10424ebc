"""Requests that are not exactly what RFC 9112 says: refused with a reason, the connection closed, and
the origin sees no byte of them."""

from harness import test

HOST = b"Host: site.example\r\n"


def get(fields=b"", line=b"GET /refused HTTP/1.1\r\n", host=HOST):
    return line + host + fields + b"\r\n"


def post(fields, body=b""):
    return b"POST /refused HTTP/1.1\r\n" + HOST + fields + b"\r\n" + body


LINES_AND_BYTES = {
    "bare LF ends the request line": (b"GET /refused HTTP/1.1\n" + HOST + b"\r\n", "bare-lf"),
    "bare LF ends a field": (get(b"A: b\nC: d\r\n"), "bare-lf"),
    "bare LF instead of the empty line": (b"GET /refused HTTP/1.1\r\n" + HOST + b"\n", "bare-lf"),
    "bare LF everywhere": (b"GET /refused HTTP/1.1\nHost: site.example\n\n", "bare-lf"),
    "bare CR in a field": (get(b"A: b\rC: d\r\n"), "bare-cr"),
    "bare CR in the request line": (get(line=b"GET /refused\r HTTP/1.1\r\n"), "bare-cr"),
    "CR CR LF ends a field": (get(b"A: b\r\r\n"), "bare-cr"),
    "bare CR as the empty line": (b"GET /refused HTTP/1.1\r\n" + HOST + b"\rX\r\n\r\n", "bare-cr"),
    "NUL in a value": (get(b"A: b\0c\r\n"), "nul-byte"),
    "NUL in a name": (get(b"A\0: b\r\n"), "nul-byte"),
    "NUL in the request line": (get(line=b"GET /ref\0used HTTP/1.1\r\n"), "nul-byte"),
    "NUL at the start": (b"\0" + get(), ("nul-byte", "method-syntax")),
    "BEL in a value": (get(b"A: b\x07c\r\n"), "control-byte"),
    "ESC in a value": (get(b"A: \x1b[2J\r\n"), "control-byte"),
    "vertical tab in a value": (get(b"A: b\x0bc\r\n"), "control-byte"),
    "form feed in a value": (get(b"A: b\x0cc\r\n"), "control-byte"),
    "DEL in a value": (get(b"A: b\x7fc\r\n"), "control-byte"),
}

FIELDS = {
    "folded by a space": (get(b"A: b\r\n c\r\n"), "field-folded"),
    "folded by a tab": (get(b"A: b\r\n\tc\r\n"), "field-folded"),
    "first field begins with a space": (b"GET /refused HTTP/1.1\r\n Host: site.example\r\n\r\n",
                                        ("field-folded", "field-space")),
    "space before the colon": (get(b"A : b\r\n"), "field-space"),
    "tab before the colon": (get(b"A\t: b\r\n"), "field-space"),
    "space before Content-Length's colon": (post(b"Content-Length : 3\r\n", b"abc"), "field-space"),
    "space before Host's colon": (get(host=b"Host : site.example\r\n"), "field-space"),
    "no colon": (get(b"Nothing\r\n"), "field-no-colon"),
    "empty name": (get(b": b\r\n"), ("field-name", "field-no-colon")),
    "space within a name": (get(b"A B: c\r\n"), ("field-name", "field-space")),
    "bracket in a name": (get(b"A[b]: c\r\n"), "field-name"),
    "slash in a name": (get(b"A/b: c\r\n"), "field-name"),
    "quote in a name": (get(b'A"b: c\r\n'), "field-name"),
    "a name that is not ASCII": (get("Ä: c\r\n".encode()), "field-name"),
    "Content_Length": (post(b"Content_Length: 3\r\n", b"abc"), "field-confusable"),
    "Transfer_Encoding": (post(b"Transfer_Encoding: chunked\r\n", b"0\r\n\r\n"),
                          "field-confusable"),
    "X_Forwarded_For": (get(b"X_Forwarded_For: 10.0.0.1\r\n"), "field-confusable"),
}

REQUEST_LINES = {
    "two spaces after the method": (get(line=b"GET  /refused HTTP/1.1\r\n"), "request-space"),
    "two spaces before the version": (get(line=b"GET /refused  HTTP/1.1\r\n"), "request-space"),
    "tab instead of a space": (get(line=b"GET\t/refused\tHTTP/1.1\r\n"),
                               ("request-space", "control-byte", "method-syntax")),
    "space before the method": (get(line=b" GET /refused HTTP/1.1\r\n"), "request-space"),
    "space after the version": (get(line=b"GET /refused HTTP/1.1 \r\n"), "request-space"),
    "space in the target": (get(line=b"GET /refused it HTTP/1.1\r\n"),
                            ("request-line", "request-space", "http-version")),
    "method with a colon": (get(line=b"GE:T /refused HTTP/1.1\r\n"), "method-syntax"),
    "method in quotes": (get(line=b'"GET" /refused HTTP/1.1\r\n'), "method-syntax"),
    "method that is not ASCII": (get(line=b"G\xcb\x9cT /refused HTTP/1.1\r\n"), "method-syntax"),
    "only a method": (get(line=b"GET\r\n"), ("request-line", "http-0.9")),
    "HTTP/0.9": (b"GET /refused\r\n", "http-0.9"),
    "HTTP/0.9 with fields": (get(line=b"GET /refused\r\n"), "http-0.9"),
    "version 2.0": (get(line=b"GET /refused HTTP/2.0\r\n"), "http-version"),
    "version 1.2": (get(line=b"GET /refused HTTP/1.2\r\n"), "http-version"),
    "version 0.9 spelt out": (get(line=b"GET /refused HTTP/0.9\r\n"), ("http-version", "http-0.9")),
    "version 1.10": (get(line=b"GET /refused HTTP/1.10\r\n"), ("http-version", "request-line")),
    "version 1": (get(line=b"GET /refused HTTP/1\r\n"), ("http-version", "request-line")),
    "version 1,1": (get(line=b"GET /refused HTTP/1,1\r\n"), ("http-version", "request-line")),
    "lower case http": (get(line=b"GET /refused http/1.1\r\n"), ("http-version", "request-line")),
    "another protocol": (get(line=b"GET /refused RTSP/1.0\r\n"), ("http-version", "request-line")),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http-version"),
    "two empty lines first": (b"\r\n\r\n" + get(), ("request-line", "method-syntax")),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                    ("method-syntax", "control-byte",
                                                                    "nul-byte")),
}

HOSTS = {
    "none in HTTP/1.1": (get(host=b""), "host-missing"),
    "two alike": (get(host=HOST + HOST), "host-repeated"),
    "two that differ": (get(host=HOST + b"host: other.example\r\n"), "host-repeated"),
    "user information": (get(host=b"Host: admin@site.example\r\n"), "host-userinfo"),
    "user information with a port": (get(host=b"Host: site.example:80@evil.example\r\n"),
                                     "host-userinfo"),
    "a path": (get(host=b"Host: site.example/evil\r\n"), "host-invalid"),
    "a list": (get(host=b"Host: site.example, evil.example\r\n"), "host-invalid"),
    "a space": (get(host=b"Host: site.example evil.example\r\n"), "host-invalid"),
    "a port that is no number": (get(host=b"Host: site.example:http\r\n"), "host-invalid"),
    "a port that is too large": (get(host=b"Host: site.example:65536\r\n"), "host-invalid"),
    "an empty label": (get(host=b"Host: site..example\r\n"), "host-invalid"),
    "an open bracket": (get(host=b"Host: [::1\r\n"), "host-invalid"),
    "a query": (get(host=b"Host: site.example?x\r\n"), "host-invalid"),
    "empty": (get(host=b"Host:\r\n"), ("host-invalid", "host-missing")),
    "percent-encoded": (get(host=b"Host: site%2eexample\r\n"), "host-invalid"),
    "not ASCII": (get(host="Host: sité.example\r\n".encode()), ("host-invalid")),
    "absolute form names another host": (
        get(line=b"GET http://other.example/refused HTTP/1.1\r\n"), "host-mismatch"),
    "absolute form names another port": (
        get(line=b"GET http://site.example:81/refused HTTP/1.1\r\n"), "host-mismatch"),
    "absolute form with user information": (
        get(line=b"GET http://admin@site.example/refused HTTP/1.1\r\n"), "host-userinfo"),
}


def lengths():
    values = {"sign": b"+3", "minus": b"-3", "hexadecimal": b"0x3", "empty": b"",
              "letters": b"three",
              "list of the same": b"3, 3", "list of others": b"3, 4", "comma": b"3,",
              "fraction": b"3.0",
              "exponent": b"3e0", "space within": b"1 0", "quoted": b'"3"',
              "too large for 64 bits": b"18446744073709551616", "100 digits": b"1" * 100,
              "vertical tab": b"\x0b3", "underscore": b"1_0"}
    table = {name: (post(b"Content-Length: " + value + b"\r\n", b"abc"), "content-length-invalid")
             for name, value in values.items()}
    table["vertical tab"] = (table["vertical tab"][0], ("control-byte", "content-length-invalid"))
    table["on GET"] = (get(b"Content-Length: -1\r\n"), "content-length-invalid")
    return table | {
        "repeated, the same": (post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"),
                               "content-length-repeated"),
        "repeated, others": (post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abcd"),
                             "content-length-repeated"),
        "repeated, in another case": (post(b"Content-Length: 3\r\ncontent-length: 0\r\n", b"abc"),
                                      "content-length-repeated"),
    }


def codings():
    end = b"0\r\n\r\n"
    values = {"gzip": b"gzip", "gzip, chunked": b"gzip, chunked",
              "chunked twice": b"chunked, chunked",
              "identity": b"identity", "chunked, identity": b"chunked, identity",
              "x-chunked": b"xchunked",
              "chunked with a parameter": b"chunked;x=1", "quoted": b'"chunked"', "empty": b"",
              "comma before": b",chunked", "comma after": b"chunked,"}
    table = {name: (post(b"Transfer-Encoding: " + value + b"\r\n", end), "transfer-encoding")
             for name, value in values.items()}
    return table | {
        "vertical tab before": (post(b"Transfer-Encoding: \x0bchunked\r\n", end),
                                ("transfer-encoding", "control-byte")),
        "repeated": (post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", end),
                     "transfer-encoding-repeated"),
        "repeated, others": (post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                                  end),
                             ("transfer-encoding-repeated", "transfer-encoding")),
        "in HTTP/1.0": (b"POST /refused HTTP/1.0\r\n" + HOST +
                        b"Transfer-Encoding: chunked\r\n\r\n" + end,
                        "transfer-encoding-1.0"),
        "with Content-Length": (post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", end),
                                "length-and-coding"),
        "with Content-Length after it": (post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", end),
                                         "length-and-coding"),
    }


CHUNKS = {
    "not hexadecimal": (b"xyz\r\n", "chunk-size"),
    "0x before": (b"0x3\r\nabc\r\n0\r\n\r\n", "chunk-size"),
    "sign": (b"+3\r\nabc\r\n0\r\n\r\n", "chunk-size"),
    "minus": (b"-1\r\nabc\r\n0\r\n\r\n", "chunk-size"),
    "space before": (b" 3\r\nabc\r\n0\r\n\r\n", "chunk-size"),
    "space after": (b"3 \r\nabc\r\n0\r\n\r\n", ("chunk-size", "chunk-extension", "chunk-end")),
    "empty": (b"\r\n", "chunk-size"),
    "17 digits": (b"00000000000000003\r\nabc\r\n0\r\n\r\n", "chunk-size"),
    "larger than 64 bits": (b"fffffffffffffffff\r\n", "chunk-size"),
    "extension": (b"3;x=y\r\nabc\r\n0\r\n\r\n", "chunk-extension"),
    "extension of the last chunk": (b"3\r\nabc\r\n0;x\r\n\r\n", "chunk-extension"),
    "size line ends in LF": (b"3\nabc\r\n0\r\n\r\n", "chunk-end"),
    "size line ends in CR and more": (b"3\rX\r\nabc\r\n0\r\n\r\n", "chunk-end"),
    "content is longer than its size": (b"3\r\nabcd\r\n0\r\n\r\n", "chunk-end"),
    "content ends in LF": (b"3\r\nabc\n0\r\n\r\n", "chunk-end"),
    "last chunk ends in LF": (b"3\r\nabc\r\n0\n\r\n", "chunk-end"),
    "trailer without a colon": (b"0\r\nNothing\r\n\r\n", "trailer-invalid"),
    "trailer is folded": (b"0\r\nA: b\r\n c\r\n\r\n", "trailer-invalid"),
    "trailer ends in LF": (b"0\r\nA: b\n\r\n", ("trailer-invalid", "chunk-end", "bare-lf")),
    "trailer with NUL": (b"0\r\nA: \0\r\n\r\n", ("trailer-invalid", "nul-byte")),
    "trailer with a bad name": (b"0\r\nA b: c\r\n\r\n", "trailer-invalid"),
    "trailers without end": (b"0\r\n" + b"A: b\r\n" * 20000, "trailer-invalid"),
}

CONNECTION = {
    "names Host": (get(b"Connection: host\r\n"), "connection-field"),
    "names Content-Length": (post(b"Connection: content-length\r\nContent-Length: 3\r\n", b"abc"),
                             "connection-field"),
    "names Cookie": (get(b"Connection: close, cookie\r\nCookie: a=b\r\n"), "connection-field"),
    "names Authorization": (get(b"Connection: Authorization\r\nAuthorization: Basic x\r\n"),
                            "connection-field"),
    "names X-Forwarded-For": (get(b"Connection: X-Forwarded-For\r\nX-Forwarded-For: 1.2.3.4\r\n"),
                              "connection-field"),
    "names Via": (get(b"Connection: via\r\nVia: 1.1 a\r\n"), "connection-field"),
    "names Forwarded": (get(b"Connection: forwarded\r\nForwarded: for=1.2.3.4\r\n"),
                        "connection-field"),
    "names Content-Type": (post(b"Connection: content-type\r\nContent-Length: 0\r\n"),
                           "connection-field"),
    "names Transfer-Encoding": (post(b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n",
                                     b"0\r\n\r\n"), "connection-field"),
    "is no list of tokens": (get(b'Connection: "close"\r\n'), "connection-field"),
    "Expect anything else": (post(b"Expect: 200-ok\r\nContent-Length: 3\r\n", b"abc"),
                             "expectation"),
    "Expect two things": (post(b"Expect: 100-continue, x\r\nContent-Length: 3\r\n", b"abc"),
                          "expectation"),
}

METHODS = {
    "CONNECT in authority form": (b"CONNECT site.example:443 HTTP/1.1\r\n" + HOST + b"\r\n",
                                  "method-connect"),
    "CONNECT in origin form": (get(line=b"CONNECT /refused HTTP/1.1\r\n"), "method-connect"),
    "TRACE": (get(line=b"TRACE /refused HTTP/1.1\r\n"), "method-trace"),
    "an unknown method": (get(line=b"BREW /refused HTTP/1.1\r\n"), "method-denied"),
    "methods have a case": (get(line=b"get /refused HTTP/1.1\r\n"), "method-denied"),
}

SIZES = {
    "one long field": (get(b"A: " + b"a" * 9000 + b"\r\n"), "field-too-large"),
    "a long field that does not end": (b"GET /refused HTTP/1.1\r\n" + HOST + b"A: " + b"a" * 70000,
                                       ("field-too-large", "head-too-large")),
    "a long head": (get(b"".join(b"A%d: " % n + b"a" * 500 + b"\r\n" for n in range(60))),
                    "head-too-large"),
    "many fields": (get(b"A: b\r\n" * 101), "too-many-fields"),
    "a long URL": (get(line=b"GET /" + b"a" * 8200 + b" HTTP/1.1\r\n"),
                   ("url-too-long", "path-too-long")),
    "a URL that does not end": (b"GET /" + b"a" * 70000, "url-too-long"),
    "a method that does not end": (b"G" * 70000,
                                   ("method-syntax", "head-too-large", "request-line")),
}


def as_tuple(reasons):
    return reasons if isinstance(reasons, tuple) else (reasons,)


@test(each=LINES_AND_BYTES)
def bytes_that_no_head_may_have_are_refused(t, row):
    data, reasons = row
    t.refused(t.server(), data, *as_tuple(reasons))


@test(each=FIELDS)
def malformed_fields_are_refused(t, row):
    data, reasons = row
    t.refused(t.server(), data, *as_tuple(reasons))


@test(each=REQUEST_LINES)
def malformed_request_lines_are_refused(t, row):
    data, reasons = row
    t.refused(t.server(), data, *as_tuple(reasons))


@test(each=HOSTS)
def hosts_that_are_not_one_plain_host_are_refused(t, row):
    data, reasons = row
    t.refused(t.server(), data, *as_tuple(reasons))


@test(each=lengths())
def content_length_is_one_plain_number(t, row):
    data, reasons = row
    t.refused(t.server(), data, *as_tuple(reasons))


@test(each=codings())
def transfer_encoding_is_exactly_chunked(t, row):
    data, reasons = row
    t.refused(t.server(), data, *as_tuple(reasons))


@test(each=CHUNKS)
def malformed_chunks_are_refused(t, row):
    """A small upload is collected before the origin is asked: it never hears of this one."""
    data, reasons = row
    t.refused(t.server(), post(b"Transfer-Encoding: chunked\r\n", data), *as_tuple(reasons))


@test(each=CONNECTION)
def connection_and_expect_say_only_what_they_may(t, row):
    data, reasons = row
    t.refused(t.server(), data, *as_tuple(reasons))


@test(each=METHODS)
def methods_that_are_not_passed_on_are_refused(t, row):
    data, reasons = row
    t.refused(t.server(), data, *as_tuple(reasons))


@test(each=SIZES)
def oversize_heads_are_refused(t, row):
    data, reasons = row
    t.refused(t.server(), data, *as_tuple(reasons))


@test
def the_limits_themselves_are_allowed(t):
    """One byte below each limit is served, so the limits are where the policy says."""
    server = t.server()
    t.answered(server, get(b"".join(b"A%d: b\r\n" % i for i in range(99)), line=b"GET /fits HTTP/1.1\r\n"))
    t.answered(server, get(b"A: " + b"a" * 8000 + b"\r\n", line=b"GET /fits HTTP/1.1\r\n"))
    t.answered(server, get(line=b"GET " + (b"/" + b"a" * 511) * 4 + b"?a=" + b"a" * 6000 + b" HTTP/1.1\r\n"))


@test
def limits_of_the_policy_are_heeded(t):
    server = t.server({"limits": {"head": "2 KiB", "field": "1 KiB", "fields": 10, "url": "300 B"}})
    t.refused(server, get(b"A: " + b"a" * 1100 + b"\r\n"), "field-too-large")
    t.refused(server, get(b"A: b\r\n" * 11), "too-many-fields")
    t.refused(server, get((b"A: " + b"a" * 900 + b"\r\n") * 3), "head-too-large")
    t.refused(server, get(line=b"GET /" + b"a" * 400 + b" HTTP/1.1\r\n"), "url-too-long")
    t.answered(server, get(b"A: " + b"a" * 900 + b"\r\n", line=b"GET /fits HTTP/1.1\r\n"))


@test
def what_can_be_refused_early_is_refused_before_the_head_ends(t):
    server = t.server()
    for start in (b"GET /refused HTTP/1.1\r\nA : b\r\n", b"GET /refused HTTP/7.1\r\n", b"GET /\0"):
        client = t.client(server).send(start)
        t.check(client.read_response().status in (400, 505), f"{start!r} is refused at once")


@test
def a_head_that_comes_byte_by_byte_is_judged_the_same(t):
    server = t.server()
    t.refused(server, [bytes([byte]) for byte in get(b"A : b\r\n")[:-2]], "field-space")
    whole = get(b"A: b\r\n", line=b"GET /bytewise HTTP/1.1\r\n")
    count = len(server.origin.requests)
    client = t.client(server).send_slowly(whole)
    t.equal(client.read_response().status, 200, "status")
    t.equal(server.origin.requests[count].field("A"), "b", "the field at the origin")


@test
def one_empty_line_before_a_request_is_skipped(t):
    """RFC 9112 section 2.2."""
    t.answered(t.server(), b"\r\n" + get(line=b"GET /fine HTTP/1.1\r\n"))


@test
def a_refusal_shows_the_request_id_and_little_else(t):
    server = t.server()
    response, line = t.refused(server, get(b"A : <script>alert(1)</script>\r\n"), "field-space")
    page = response.body.decode()
    t.check(line.id in page, f"the id {line.id} stands on the page:\n{page}")
    t.check(len(page) < 4096, f"the page has {len(page)} bytes")
    for word in ("script>alert", "field-space", "127.", "sallyport/"):
        t.check(word not in page, f"{word!r} stands on the page:\n{page}")
    t.check((response.field("Content-Type") or "").startswith("text/"),
            f"its type: {response.head!r}")


@test
def a_refusal_of_head_has_no_content(t):
    server = t.server()
    client = t.client(server).send(b"HEAD /refused HTTP/1.1\r\nHost: site.example\r\nCookie x\r\n\r\n")
    response = client.read_response("HEAD")
    t.equal((response.status, client.read_all()), (400, b""), "status and what follows the head")
