"""Limits and lists of a site: each with its own reason, value and setting; and what passes by default."""

from harness import test


def get(target, *fields):
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"Host: site.example", *fields]) + b"\r\n\r\n"


def post(*fields, body=b"x"):
    return b"\r\n".join([b"POST / HTTP/1.1", b"Host: site.example", b"Content-Length: %d" % len(body), *fields]) + b"\r\n\r\n" + body


LIMITS = {"site": {"shield": {
    "limits": {"segments": 4, "segment": "20 B", "args": 4, "arg_name": "8 B", "arg_value": "20 B", "arg_repeats": 2,
               "fields": 8, "field": "100 B", "fields_bytes": "250 B", "cookies": 3, "cookie": "20 B", "cookies_bytes": "40 B", "field_repeats": 2, "cookie_repeats": 2},
    "fields": [{"name": "User-Agent", "max": "30 B", "deny": ["sqlmap"]}], "cookie_syntax": "rfc6265"}}}

OVER = {
    "segments": (get(b"/a/b/c/d/e"), "too-many-segments", 4), "empty segments": (get(b"/a////b"), "too-many-segments", 4), "segment": (get(b"/" + b"s" * 21), "segment-too-long", 20),
    "arguments": (get(b"/?a&b&c&d&e"), "too-many-arguments", 4), "name": (get(b"/?" + b"n" * 9), "argument-name-too-long", 8),
    "value": (get(b"/?n=" + b"v" * 21), "argument-too-long", 20), "repeats": (get(b"/?a=1&%61=2&a=3"), "argument-repeated", 2),
    "fields": (get(b"/", *[b"X-%d: x" % i for i in range(8)]), "site-too-many-fields", 8),
    "one field's repetition": (get(b"/", b"X: 1", b"x: 2", b"X: 3"), "field-repeated", 2),
    "a cookie's repetition": (get(b"/", b"Cookie: a=1; a=2; a=3"), "cookie-repeated", 2),
    "field": (get(b"/", b"X: " + b"x" * 100), "site-field-too-large", 100),
    "all fields": (get(b"/", b"A: " + b"x" * 90, b"B: " + b"x" * 90, b"C: " + b"x" * 90), "fields-too-large", 250),
    "one field": (get(b"/", b"User-Agent: " + b"u" * 31), "field-rule-too-large", 30),
    "cookies": (get(b"/", b"Cookie: a=1; b=2; c=3; d=4"), "too-many-cookies", 3),
    "cookie": (get(b"/", b"Cookie: a=" + b"c" * 20), "cookie-too-large", 20),
    "all cookies": (get(b"/", b"Cookie: a=" + b"c" * 16 + b"; b=" + b"c" * 16 + b"; c=1"), "cookies-too-large", 40),
}

LISTS = {"site": {"hosts": ["site.example", "*.example", "old.example"], "shield": {
    "deny": {"hosts": ["old.example", "*.test.example"], "methods": ["PATCH"], "extensions": ["bak", ".asp"], "content_types": ["text/*"], "fields": ["Translate"],
             "url": ["/cgi-bin/", "%2b"], "query": ["<script", "%27"]},
    "allow": {"urls": ["/cgi-bin/known"], "queries": ["q=%27"]},
    "fields": [{"name": "User-Agent", "deny": ["sqlmap"]}], "cookie_syntax": "rfc6265"}}}

LISTED = {
    "method": (b"PATCH / HTTP/1.1\r\nHost: site.example\r\nContent-Length: 0\r\n\r\n", "method-listed"),
    "extension": (get(b"/a.BAK"), "extension-denied"), "extension before a path": (get(b"/a.asp/b"), "extension-denied"),
    "content type": (post(b"Content-Type: Text/Plain; charset=utf-8"), "content-type-denied"),
    "field": (get(b"/", b"translate: f"), "field-denied"), "sequence": (get(b"/CGI-BIN/x"), "url-sequence"),
    "decoded sequence": (get(b"/%63gi-bin/x"), "url-sequence"), "raw sequence": (get(b"/a%2bb"), "url-sequence"),
    "query": (get(b"/?a=%3cSCRIPT%3e"), "query-sequence"), "raw query": (get(b"/?a=%27"), "query-sequence"),
    "field's sequence": (get(b"/", b"User-Agent: SQLMAP/1"), "field-sequence"),
    "cookie": (get(b"/", b"Cookie: a=1; b"), "cookie-malformed"), "cookie's value": (get(b"/", b'Cookie: a="1'), "cookie-malformed"),
}

ORDINARY = {
    "single sign-on": get(b"/sso?SAMLRequest=" + b"fZJNb9swDIbv%2BxWC7v6Qk6aNEDvIWgwL0K1B7O6wm2IxmVBb8kQ5%2B" * 48 + b"%3D&RelayState=x"),
    "Latin-1": get(b"/search?q=caf%e9"), "a presigned URL": get(b"/o?X-Amz-Credential=A%2F20260101%2Fus&X-Amz-Signature=" + b"0f" * 32),
    "lines": get(b"/?t=a%0d%0ab"), "what browsers leave raw": get(b"/[a]|b?c={d}|[e]^`\\"), "repeated": get(b"/?" + b"&".join([b"id[]=1"] * 60)),
    "many cookies": get(b"/", b"Cookie: " + b"; ".join(b"_ga_%d=GS1.1.%d" % (i, i) for i in range(100))),
    "odd cookies": get(b"/", b'Cookie: {"a":1}; flag; b=a b; c="x,y"; d=a=b'), "a long token": get(b"/", b"Authorization: Bearer " + b"t" * 4000),
    "no content type": post(), "a slug": get("/日本語/".encode() * 20),
}


@test(each=OVER)
def a_limit_that_is_hit_is_named_with_its_value(t, row):
    data, reason, limit = row
    _, line = t.refused(t.server(LIMITS), data, reason)
    t.equal(line.limit, limit, "the limit in the log")
    t.check(line.value > limit and line.setting.startswith("sites[].shield."), f"value and setting in the log: {line.raw}")


@test(each=LISTED)
def lists_refuse_with_their_own_reasons(t, row):
    t.refused(t.server(LISTS), row[0], row[1])


@test(each={"a host": b"old.example", "its port": b"OLD.example:80", "any below": b"a.b.test.example"})
def hosts_may_be_denied(t, host):
    server = t.server(LISTS)
    t.refused(server, b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", "host-denied")
    t.answered(server, b"GET / HTTP/1.1\r\nHost: test.example\r\n\r\n")


@test(each={"a known URL": get(b"/cgi-bin/known"), "a known query": get(b"/?q=%27"), "another type": post(b"Content-Type: application/json", body=b"1")})
def what_is_always_allowed_passes_the_lists(t, row):
    t.answered(t.server(LISTS), row)


@test
def only_listed_extensions_and_types_may_be_allowed(t):
    server = t.server({"site": {"shield": {"allow": {"extensions": ["html", "."], "content_types": ["application/*"]}}}})
    t.answered(server, get(b"/v1.2/a.html"))
    t.answered(server, post(b"Content-Type: application/json", body=b"1"))
    t.refused(server, get(b"/a.php"), "extension-denied")
    t.refused(server, post(b"Content-Type: text/xml"), "content-type-denied")
    t.refused(server, post(), "content-type-denied")


@test(each={"php": ("php", b"/?a.b=1&a_b=2&%20a%20b=3", True), "iis": ("iis", b"/?Id=1&iD=2&ID=3", True),
            "unix": ("unix", b"/?Id=1&iD=2&ID=3", False), "semicolons": ("unix", b"/?a=1;a=2;a=3", True),
            "no semicolons": ("tomcat", b"/?a=1;a=2;a=3", False)})
def names_are_compared_as_the_origin_reads_them(t, row):
    kind, target, repeated = row
    server = t.server({"site": {"shield": {"origin_kind": kind, "limits": {"arg_repeats": 2}}}})
    if repeated:
        t.refused(server, get(target), "argument-repeated")
    else:
        t.answered(server, get(target))


@test
def content_that_grows_too_long_is_noted_where_a_site_watches(t):
    server = t.server({"site": {"shield": {"mode": "monitor", "limits": {"body": "10 B"}}}})
    mark = server.mark()
    t.answered(server, b"POST / HTTP/1.1\r\nHost: site.example\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n")
    line = server.next_line(mark)
    t.equal((line.reason, line.enforced, line.limit, line.value, line.status), ("content-too-large", False, 10, 11, 200), "the log")


@test
def a_large_token_passes_once_the_named_settings_are_raised(t):
    token = get(b"/", b"Authorization: Negotiate " + b"Y" * 49152)
    for settings, reason, setting in (
            ({}, "field-too-large", "limits.field"),
            ({"limits": {"field": "60 KiB"}}, "head-too-large", "limits.head"),
            ({"limits": {"field": "60 KiB", "head": 65535}}, "site-field-too-large", "sites[].shield.limits.field"),
            ({"limits": {"field": "60 KiB", "head": 65535}, "site": {"shield": {"limits": {"field": "60 KiB"}}}},
             "fields-too-large", "sites[].shield.limits.fields_bytes")):
        _, line = t.refused(t.server(settings), token, reason)
        t.equal(line.setting, setting, "the setting in the log")
    t.answered(t.server({"limits": {"field": "60 KiB", "head": 65535},
                         "site": {"shield": {"limits": {"field": "60 KiB", "fields_bytes": 65535}}}}), token)


@test(each=ORDINARY)
def ordinary_requests_pass_by_default(t, row):
    t.answered(t.server(), row)
