"""Heads are written anew: what goes on to the origin and back to the visitor, field by field."""

import re

from harness import reply, test

HOST = b"Host: site.example\r\n"
TRUSTED = {"trusted_proxies": ["127.0.0.1", "10.0.0.0/8"]}


def get(fields=b"", target=b"/forward"):
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + fields + b"\r\n"


def names(fields):
    return [name.lower() for name, _ in fields]


# ---- to the origin

@test
def the_origin_gets_exactly_this_head(t):
    server = t.server()
    got = t.answered(server,
                     get(b"User-Agent: test/1\r\nAccept: */*\r\nX-Odd:   spaced\tvalue \r\n"))
    t.equal((got.method, got.target, got.version), ("GET", "/forward", "1.1"), "request line")
    request_id = got.field("X-Request-Id")
    t.check(re.fullmatch("[0-9a-f]{32}", request_id or ""), f"X-Request-Id: {request_id!r}")
    forwarded = got.field("Forwarded") or ""
    expected = {"host": "site.example", "user-agent": "test/1", "accept": "*/*",
                "x-odd": "spaced\tvalue",
                "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http",
                "x-forwarded-host": "site.example", "via": "1.1 sallyport",
                "forwarded": forwarded, "x-request-id": request_id}
    t.equal(sorted((name.lower(), value) for name, value in got.fields), sorted(expected.items()),
            "fields")
    t.equal(sorted(forwarded.replace('"', "").lower().split(";")),
            ["for=127.0.0.1", "host=site.example", "proto=http"], "Forwarded")


@test(each={
    "Connection: keep-alive": b"Connection: keep-alive\r\n",
    "Keep-Alive": b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n",
    "Proxy-Connection": b"Proxy-Connection: keep-alive\r\n",
    "Proxy-Authorization": b"Proxy-Authorization: Basic eDp5\r\n",
    "TE": b"Connection: TE\r\nTE: trailers\r\n",
    "Trailer": b"Trailer: X-Checksum\r\n",
    "Upgrade": b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
})
def hop_by_hop_fields_stay_here(t, fields):
    """RFC 9110 section 7.6.1."""
    got = t.answered(t.server(), get(fields + b"X-End: to-end\r\n"))
    for name in ("Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "TE",
                 "Trailer",
                 "Upgrade"):
        t.equal(got.all(name), [], f"{name} at the origin")
    t.equal(got.field("X-End"), "to-end", "an end-to-end field")


@test
def fields_that_connection_names_stay_here(t):
    got = t.answered(t.server(), get(b"X-One: 1\r\nConnection: x-one, X-TWO\r\nX-Two: 2\r\n"
                                     b"Connection: X-Three\r\nX-Three: 3\r\nX-Four: 4\r\n"))
    t.equal([name for name in names(got.fields) if name in ("x-one", "x-two", "x-three", "x-four")],
            ["x-four"], "what came of them")


@test(each={
    "X-Forwarded-For": b"X-Forwarded-For: 6.6.6.6\r\n",
    "X-Forwarded-For twice": b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n",
    "X-Forwarded-Proto": b"X-Forwarded-Proto: https\r\n",
    "X-Forwarded-Host": b"X-Forwarded-Host: 6.6.6.6\r\n",
    "X-Forwarded-Port": b"X-Forwarded-Port: 6666\r\n",
    "X-Real-IP": b"X-Real-IP: 6.6.6.6\r\n",
    "Forwarded": b"Forwarded: for=6.6.6.6;proto=https;host=evil.example\r\n",
    "X-Request-Id": b"X-Request-Id: 6666\r\n",
})
def what_a_visitor_says_of_the_way_it_came_is_replaced(t, fields):
    server = t.server(TRUSTED)
    client = t.client(server, source="127.1.2.3")
    client.send(get(fields, b"/visitor"))
    t.equal(client.read_response().status, 200, "status")
    got = server.origin.requests_for("/visitor")[-1]
    for forged in (b"6.6.6.6", b"7.7.7.7", b"https", b"evil", b"6666"):
        t.check(forged not in got.head, f"{forged!r} reached the origin: {got.head!r}")
    t.equal(got.field("X-Forwarded-For"), "127.1.2.3", "X-Forwarded-For")
    t.equal(got.field("X-Forwarded-Proto"), "http", "X-Forwarded-Proto")
    t.equal(got.field("X-Forwarded-Host"), "site.example", "X-Forwarded-Host")


@test
def what_a_trusted_proxy_says_is_kept_and_appended_to(t):
    server = t.server(TRUSTED)
    mark = server.mark()
    got = t.answered(server,
                     get(b"X-Forwarded-For: 6.6.6.6, 10.0.0.7\r\nX-Forwarded-Proto: https\r\n"
                                 b"X-Forwarded-Host: shop.example\r\nForwarded: for=6.6.6.6\r\n"
                                 b"Via: 1.0 inner\r\n"))
    t.equal(", ".join(got.all("X-Forwarded-For")), "6.6.6.6, 10.0.0.7, 127.0.0.1",
            "X-Forwarded-For")
    t.equal(got.field("X-Forwarded-Proto"), "https", "X-Forwarded-Proto")
    t.equal(got.field("X-Forwarded-Host"), "shop.example", "X-Forwarded-Host")
    forwarded = ", ".join(got.all("Forwarded"))
    t.check(forwarded.startswith("for=6.6.6.6, ") and "for=127.0.0.1" in forwarded,
            f"Forwarded: {forwarded}")
    t.equal(", ".join(got.all("Via")), "1.0 inner, 1.1 sallyport", "Via")
    line = server.next_line(mark)
    t.equal((line.client, line.peer), ("6.6.6.6", "127.0.0.1"), "client and peer in the log")


@test
def the_log_names_the_last_address_that_no_trusted_proxy_has(t):
    """A visitor may put anything to the left of what the first trusted proxy appended."""
    server = t.server(TRUSTED)
    mark = server.mark()
    t.answered(server, get(b"X-Forwarded-For: 1.1.1.1, 6.6.6.6, 10.0.0.7\r\n"))
    t.equal(server.next_line(mark).client, "6.6.6.6", "client in the log")
    mark = server.mark()
    t.answered(server, get(b"X-Forwarded-For: <b>\r\n"))
    t.equal(server.next_line(mark).client, "127.0.0.1",
            "client in the log where the field is no address")


@test
def via_says_the_version_that_was_received(t):
    server = t.server()
    server.get("/via", version="1.0")
    got = server.origin.requests_for("/via")[-1]
    t.equal((got.version, got.field("Via")), ("1.1", "1.0 sallyport"),
            "version and Via at the origin")


@test
def via_of_a_visitor_is_appended_to(t):
    got = t.answered(t.server(), get(b"Via: 1.1 elsewhere\r\n"))
    t.equal(", ".join(got.all("Via")), "1.1 elsewhere, 1.1 sallyport", "Via")


@test
def via_can_be_left_out(t):
    """Servers that compress nothing for proxies then answer as to a visitor."""
    server = t.server({"site": {"via": False}})
    got = t.answered(server, get(b"Via: 1.1 elsewhere\r\nCDN-Loop: other\r\n"))
    t.equal((got.field("Via"), got.field("CDN-Loop")), (None, "other, sallyport"), "Via and CDN-Loop")


@test
def repeated_fields_keep_their_order(t):
    got = t.answered(t.server(), get(b"X-List: 1\r\nCookie: a=b\r\nX-List: 2\r\nx-list: 3\r\n"))
    t.equal(got.all("X-List"), ["1", "2", "3"], "X-List")
    t.equal(got.field("Cookie"), "a=b", "Cookie")


@test
def bytes_above_ascii_in_a_value_pass(t):
    """obs-text (RFC 9110 section 5.5)."""
    got = t.answered(t.server(), get("X-Text: Grüße\r\n".encode()))
    t.check("Grüße".encode() in got.head, f"the head: {got.head!r}")


@test
def a_route_may_name_the_host_that_the_origin_hears(t):
    got = t.answered(t.server({"site": {"host": "inner.example"}}), get())
    t.equal((got.field("Host"), got.field("X-Forwarded-Host")), ("inner.example", "site.example"),
            "Host and X-Forwarded-Host")


# ---- framing to the origin

@test
def content_with_a_length_has_one_length(t):
    got = t.answered(t.server(), b"POST /forward HTTP/1.1\r\n" + HOST +
                     b"Content-Length: 003\r\n\r\nabc")
    t.equal((got.all("Content-Length"), got.all("Transfer-Encoding"), got.body),
            (["3"], [], b"abc"),
            "framing and content")


@test
def chunked_content_has_one_framing_and_loses_its_trailers(t):
    got = t.answered(t.server(), b"POST /forward HTTP/1.1\r\n" + HOST +
                     b"Transfer-Encoding: chunked\r\n\r\n"
                     b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: dropped\r\nContent-Length: 9\r\n\r\n")
    framing = got.all("Content-Length") + got.all("Transfer-Encoding")
    t.check(framing in (["5"], ["chunked"]), f"framing: {framing}")
    t.equal(got.body, b"abcde", "content")
    t.check(b"dropped" not in got.connection.received, "the trailer went on")


@test
def a_post_without_content_says_so(t):
    got = t.answered(t.server(), b"POST /forward HTTP/1.1\r\n" + HOST +
                     b"Content-Length: 0\r\n\r\n")
    t.equal(got.all("Content-Length"), ["0"], "Content-Length")


@test
def a_get_says_no_length(t):
    got = t.answered(t.server(), get())
    t.equal(got.all("Content-Length") + got.all("Transfer-Encoding"), [], "framing of a GET")


# ---- back to the visitor

@test
def the_visitor_gets_exactly_this_head(t):
    server = t.server(scripts={"/back": b"HTTP/1.1 203 So to say\r\nX-One:   1 \r\nContent-Length: 2\r\n"
                                        b"Date: Mon, 23 Nov 2026 20:00:00 GMT\r\nX-one: 2\r\n"
                                        b"Connection: keep-alive\r\n\r\nab"})
    response = server.get("/back")
    t.equal((response.version, response.status, response.phrase), ("1.1", 203, "So to say"),
            "status line")
    fields = [(name.lower(), value) for name, value in response.fields if name.lower() != "via"]
    t.equal(sorted(fields), [("content-length", "2"), ("date", "Mon, 23 Nov 2026 20:00:00 GMT"),
                             ("x-one", "1"), ("x-one", "2")], "fields")
    t.equal(response.body, b"ab", "content")


@test
def hop_by_hop_fields_of_the_origin_stay_here(t):
    server = t.server(scripts={"/hops": reply(fields=[
        ("Connection", "X-Secret, keep-alive"), ("X-Secret", "1"), ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"), ("Proxy-Authenticate", "Basic"), ("Upgrade", "h2c"),
        ("Trailer", "X-End"), ("X-Kept", "1")])})
    response = server.get("/hops")
    t.equal(response.status, 200, "status")
    left = names(response.fields)
    for name in ("x-secret", "keep-alive", "proxy-connection", "proxy-authenticate", "upgrade",
                 "trailer",
                 "connection"):
        t.check(name not in left, f"{name} reached the visitor: {response.head!r}")
    t.check("x-kept" in left, "an end-to-end field reaches the visitor")


@test
def the_answer_is_of_our_version_not_of_the_origins(t):
    server = t.server(scripts={"/old": lambda c, r: c.send(b"HTTP/1.0 200 OK\r\n\r\nold")
                               and False})
    response = server.get("/old")
    t.equal((response.version, response.status, response.body, response.complete),
            ("1.1", 200, b"old", True), "answer")
    t.check(response.framing in ("chunked", "close"), f"framing {response.framing}")


@test
def an_answer_without_a_date_gets_one(t):
    """RFC 9110 section 6.6.1."""
    server = t.server(scripts={"/undated": reply()})
    date = server.get("/undated").field("Date")
    t.check(re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", date or ""),
            f"Date: {date!r}")


@test
def a_redirect_passes_as_it_stands(t):
    server = t.server(scripts={"/away": reply(b"", "302 Found",
                                              [("Location", "https://x.example/a?b=%2F")])})
    response = server.get("/away")
    t.equal((response.status, response.field("Location")), (302, "https://x.example/a?b=%2F"),
            "redirect")


@test
def several_cookies_stay_several(t):
    server = t.server(scripts={"/cookies": reply(fields=[("Set-Cookie", "a=1"),
                                                         ("Set-Cookie", "b=2")])})
    t.equal(server.get("/cookies").all("Set-Cookie"), ["a=1", "b=2"], "Set-Cookie")


@test
def chunked_content_of_the_origin_loses_its_trailers_and_extensions_never_pass(t):
    server = t.server(scripts={"/trailers": lambda c, r: c.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n"
        b"3\r\nabc\r\n0\r\nX-End: secret\r\n\r\n")})
    client = t.client(server).send(get(b"Connection: close\r\n", b"/trailers"))
    raw = client.read_all()
    t.check(b"abc" in raw and b"secret" not in raw, f"the answer: {raw!r}")


@test
def an_empty_reason_phrase_is_a_phrase(t):
    """RFC 9112 section 4: the space after the status stays."""
    server = t.server(scripts={"/mute": b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok"})
    response = server.get("/mute")
    t.equal((response.status, response.body), (200, b"ok"), "answer")


@test
def conditional_and_range_requests_pass_as_they_stand(t):
    server = t.server(scripts={"/range": b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\n"
                                         b"Content-Length: 2\r\n\r\nab"})
    client = t.client(server).send(get(b"Range: bytes=0-1\r\nIf-None-Match: \"x\"\r\n", b"/range"))
    response = client.read_response()
    t.equal((response.status, response.field("Content-Range"), response.body),
            (206, "bytes 0-1/9", b"ab"), "answer")
    got = server.origin.requests_for("/range")[-1]
    t.equal((got.field("Range"), got.field("If-None-Match")), ("bytes=0-1", '"x"'),
            "fields at the origin")


@test
def a_method_override_is_judged_like_the_method(t):
    """Frameworks take the method from these fields: what may not be asked for may not be asked for that way either."""
    server = t.server({"site": {"shield": {"methods": ["GET", "POST"]}}})
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        mark = server.mark()
        t.equal(server.get("/", method="POST", fields=[(name, "delete")], body=b"x").status, 405, name)
        t.reason(server.next_line(mark), "method-denied")
        t.equal(server.get("/", method="POST", fields=[(name, "GET")], body=b"x").status, 200, f"{name}: GET")


@test
def claims_of_strangers_about_themselves_are_dropped(t):
    server = t.server()
    claims = ("X-Remote-User", "X-WebAuth-User", "X-Auth-Request-User", "CF-Access-Authenticated-User-Email",
              "Remote-Groups", "X-Forward-For", "HTTPS", "X-Envoy-External-Address", "Forwarded-For", "X-Override-URL")
    got = t.answered(server, get(b"".join(name.encode() + b": evil\r\n" for name in claims) + b"X-Kept: 1\r\n"))
    t.equal([name for name in claims if got.field(name)], [], "claims that reached the origin")
    t.equal(got.field("X-Kept"), "1", "another field")


@test
def an_https_target_on_a_plain_connection_is_refused(t):
    t.refused(t.server(), b"GET https://site.example/ HTTP/1.1\r\n" + HOST + b"\r\n", "target-invalid")
