"""The request-target: what is refused, what the origin gets, and what stays as it was."""

from harness import test


def get(target, host=b"site.example"):
    return b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"


REFUSED = {
    "double encoding": (b"/%252e%252e/etc/passwd", "escape-double"),
    "double encoding of a slash": (b"/a%252fb", "escape-double"),
    "triple encoding": (b"/%25252e", "escape-double"),
    "percent without digits": (b"/100%", "escape-invalid"),
    "percent with one digit": (b"/%4", "escape-invalid"),
    "percent with other letters": (b"/%zz", "escape-invalid"),
    "encoded NUL": (b"/a%00.html", "escape-nul"),
    "encoded line feed": (b"/a%0ab", "escape-control"),
    "encoded CR LF": (b"/a%0d%0aX:%20y", "escape-control"),
    "encoded DEL": (b"/a%7f", "escape-control"),
    "IIS unicode escape": (b"/%u0041", "escape-unicode"),
    "overlong slash": (b"/..%c0%af../winnt", "utf8-overlong"),
    "overlong dot": (b"/%c0%ae%c0%ae/", "utf8-overlong"),
    "overlong in three bytes": (b"/%e0%80%af", "utf8-overlong"),
    "overlong NUL": (b"/%c0%80", "utf8-overlong"),
    "lone continuation byte": (b"/%80", "utf8-invalid"),
    "UTF-8 cut short": (b"/%c3", "utf8-invalid"),
    "surrogate": (b"/%ed%a0%80", "utf8-invalid"),
    "beyond Unicode": (b"/%f5%80%80%80", "utf8-invalid"),
    "Latin-1": (b"/caf%e9", "utf8-invalid"),
    "above the root": (b"/../etc/passwd", "path-above-root"),
    "above the root, deeper": (b"/a/../../etc/passwd", "path-above-root"),
    "above the root, encoded": (b"/%2e%2e/etc/passwd", "path-above-root"),
    "above the root, half encoded": (b"/a/.%2e/%2E./x", "path-above-root"),
    "backslash": (b"/a\\..\\b", "path-backslash"),
    "encoded backslash": (b"/a%5c..%5cb", "path-backslash"),
    "encoded slash": (b"/a%2fb", "path-encoded-slash"),
    "encoded slash climbing": (b"/..%2f..%2fetc", ("path-encoded-slash", "path-above-root")),
    "a quote": (b'/a"b', "target-byte"),
    "angle brackets": (b"/<script>", "target-byte"),
    "encoded NUL in the query": (b"/?a=%00", "escape-nul"),
    "overlong in the query": (b"/?a=%c0%ae%c0%ae/", "utf8-overlong"),
    "IIS unicode escape in the query": (b"/?a=%u002e", "escape-unicode"),
    "fragment": (b"/a#b", "fragment"),
    "fragment in the query": (b"/a?b#c", "fragment"),
    "no slash": (b"index.html", "target-invalid"),
    "asterisk for GET": (b"*", "target-invalid"),
    "a bare query": (b"?a=b", "target-invalid"),
    "another scheme": (b"ftp://site.example/", "target-invalid"),
    "javascript": (b"javascript:alert(1)", "target-invalid"),
    "authority form": (b"site.example:80", "target-invalid"),
    "a scheme without an authority": (b"http:///a", ("target-invalid", "host-invalid")),
}

CANONICAL = {
    "clean": (b"/a/b.html", "/a/b.html"),
    "unreserved characters decoded": (b"/%61%2D%7E%5f", "/a-~_"),
    "upper case escapes": (b"/%c3%a9", "/%C3%A9"),
    "dot segments removed": (b"/a/./b/../c", "/a/c"),
    "encoded dot segments removed": (b"/a/%2e/b/%2E%2e/c", "/a/c"),
    "a dot segment at the end": (b"/a/b/..", "/a/"),
    "empty segments kept": (b"/a//b", "/a//b"),
    "sub-delims stay": (b"/a;b=c,d!$&'()*+:@", "/a;b=c,d!$&'()*+:@"),
    "encoded sub-delims stay": (b"/%3B%3d%40", "/%3B%3D%40"),
    "encoded question mark stays data": (b"/a%3Fb", "/a%3Fb"),
    "encoded hash stays data": (b"/a%23b", "/a%23b"),
    "encoded space": (b"/a%20b", "/a%20b"),
    "what looks like an authority is a path": (b"//other.example/x", "/other.example/x"),
    "three dots are a name": (b"/.../a", "/.../a"),
    "a tilde": (b"/~user/", "/~user/"),
    "root": (b"/", "/"),
    "what browsers leave raw": (b"/{a}|[b]^`", "/%7Ba%7D%7C%5Bb%5D%5E%60"),
    "bytes above ASCII": ("/é".encode(), "/%C3%A9"),
    "an encoded percent sign": (b"/100%25", "/100%25"),
}

QUERIES = {
    "plain": b"a=b&c=d", "empty": b"", "plus and space": b"a=b+c%20d",
           "lower case escapes": b"a=%2f%3d",
    "unreserved stay encoded": b"%61=%7e", "dots and slashes": b"u=../../x//y",
           "second question mark": b"a?b?c",
    "a URL": b"next=https://site.example/a", "encoded URL": b"next=https%3A%2F%2Fsite.example%2Fa",
    "signature": b"X-Amz-Signature=fe5f%2Bab/Zw%3D%3D&x=%C3%A9", "repeated": b"a=1&a=2&&a",
           "semicolons": b"a;b;c",
    "what browsers leave raw": b"a={b}|[c]^`\\", "quotes": b'a="b"&c=<d>',
           "double encoding": b"u=%2525",
    "lines": b"text=a%0D%0Ab", "a lone percent sign": b"off=100%", "Latin-1": b"q=caf%e9",
    "escape()": b"q=%u0416", "EUC-KR": b"q=%c0%ba%b3%b2",
}


def as_tuple(reasons):
    return reasons if isinstance(reasons, tuple) else (reasons,)


@test(each=REFUSED)
def urls_with_two_meanings_are_refused(t, row):
    target, reasons = row
    t.refused(t.server(), get(target), *as_tuple(reasons))


@test(each=CANONICAL)
def the_origin_gets_the_canonical_path(t, row):
    raw, canonical = row
    t.equal(t.answered(t.server(), get(raw)).target, canonical, "request-target at the origin")


@test(each=QUERIES)
def the_query_goes_on_byte_for_byte(t, query):
    got = t.answered(t.server(), get(b"/%71uery?" + query))
    t.equal(got.target, "/query?" + query.decode(), "request-target at the origin")


@test
def no_query_stays_no_query(t):
    t.equal(t.answered(t.server(), get(b"/query")).target, "/query", "request-target at the origin")


@test
def the_log_has_the_raw_and_the_canonical_url(t):
    server = t.server()
    mark = server.mark()
    t.answered(server, get(b"/a/%2e/%62?x=%62"))
    line = server.next_line(mark)
    t.equal((line.target, line.canonical), ("/a/%2e/%62?x=%62", "/a/b"),
            "raw and canonical URL in the log")


@test
def an_absolute_form_is_served_as_its_origin_form(t):
    """RFC 9112 section 3.2.2: the host counts, and nothing of the authority goes on in the target."""
    server = t.server()
    got = t.answered(server, get(b"http://site.example/a/../b?c=d"))
    t.equal((got.target, got.field("Host")), ("/b?c=d", "site.example"),
            "target and Host at the origin")
    t.equal(t.answered(server, get(b"http://site.example")).target, "/",
            "an absolute form without a path")
    t.equal(t.answered(server, get(b"HTTP://SITE.example?x")).target, "/?x", "… with a query only")


@test(each={"path": ("path", "path-too-long", b"/" + b"p" * 101),
            "query": ("query", "query-too-long", b"/?" + b"q" * 101),
            "url": ("url", "url-too-long", b"/pppp?" + b"q" * 150)})
def a_site_has_limits_of_its_own(t, row):
    setting, reason, target = row
    server = t.server({"site": {"shield": {"limits": {"path": "100 B", "query": "100 B",
                                                      "url": "150 B"}}}})
    _, line = t.refused(server, get(target), reason)
    t.equal(line.limit, 150 if setting == "url" else 100, "the limit in the log")
    t.answered(server, get(b"/" + b"p" * 40 + b"?" + b"q" * 40))


@test
def monitor_mode_tells_and_lets_pass(t):
    """A finding of the shield is logged as not enforced; framing stays strict all the same."""
    server = t.server({"site": {"shield": {"mode": "monitor", "limits": {"path": "100 B"}}}})
    mark = server.mark()
    t.answered(server, get(b"/" + b"a" * 200))
    t.equal(server.next_line(mark).reason, "path-too-long", "reason in the log")
    t.refused(server, b"GET / HTTP/1.1\r\nHost : site.example\r\n\r\n", "field-space")
