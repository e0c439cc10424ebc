"""What a URL may hide, and what profiles and kinds of origin make of it."""

from harness import test


def get(target, *fields):
    head = [b"GET " + target + b" HTTP/1.1", b"Host: site.example", *fields]
    return b"\r\n".join(head) + b"\r\n\r\n"


def site(**shield):
    return {"site": {"shield": shield}}


REJECT_ALL = {name: "reject" for name in (
    "parameter", "path_info", "raw_byte", "high_bit", "dot_segment", "empty_segment", "escape_needless", "lookalike",
    "invisible", "dots_many", "short_name")}

STANDARD = {
    "dots behind a parameter": (b"/a/..;/b", "path-parameter-dots"),
    "a dot behind a parameter": (b"/a/.;x=1/b", "path-parameter-dots"),
    "dots and a space": (b"/a/..%20/b", "path-dots-disguised"),
    "dots with a space between": (b"/a/.%20./b", "path-dots-disguised"),
    "full-width dots": (b"/a/%ef%bc%8e%ef%bc%8e/b", "path-dots-disguised"),
    "full-width dots and slash": (b"/a%ef%bc%8f%ef%bc%8e%ef%bc%8e%ef%bc%8fb", "path-dots-disguised"),
    "dots with a zero-width space": (b"/.%e2%80%8b./b", "path-dots-disguised"),
    "dots that remain once some are deleted": (b"/a/....//b", "path-dots-disguised"),
    "the same around a dot segment": (b"/..././b", "path-dots-disguised"),
    "dots glued to a name": (b"/static../b", "path-dots-disguised"),
    "dots before an encoded question mark": (b"/a/..%3f/b", "path-dots-disguised"),
    "dots and a no-break space": (b"/a/..%c2%a0/b", "path-dots-disguised"),
    "two dots in one": (b"/a/%e2%80%a5/b", "path-dots-disguised"),
    "dots over an empty segment": (b"/a//../b", "path-dots-ambiguous"),
    "a control in a name": (b"/?a%0ab=1", "argument-name"),
    "a score of several": (b"/.../%e2%80%ae/%ef%bc%8fx", "score"),
}
IIS = {
    "a device": (b"/nul", "path-device-name"), "a device with an extension": (b"/a/COM1.html", "path-device-name"),
    "a stream": (b"/a.asp::$DATA", "path-stream"), "a drive": (b"/c:/x", "path-stream"),
    "a short name": (b"/progra~1/x", "path-short-name"), "a trailing dot": (b"/a.asp.", "path-trailing-dot"),
    "a trailing space": (b"/a.asp%20", "path-trailing-dot"), "four dots": (b"/a/..../b", "path-dots-many"),
    "a full-width slash": (b"/a%ef%bc%8fb", "path-lookalike"),
}
REJECTED = {
    "parameters": (b"/a;x=1/b", "path-parameter"), "a path behind a script": (b"/x.php/y", "path-info"),
    "a raw byte": (b"/a|b", "raw-byte"), "a high bit": (b"/caf%C3%A9", "high-bit"),
    "a dot segment": (b"/a/./b", "path-dot-segment"), "an empty segment": (b"/a//b", "path-empty-segment"),
    "a needless escape": (b"/%41", "escape-needless"), "a look-alike": (b"/a%E2%88%95b", "path-lookalike"),
    "a bidirectional mark": (b"/a%E2%80%AEb", "invisible"), "three dots": (b"/.../a", "path-dots-many"),
}
PASSES = {
    "jsessionid": (b"/cart;jsessionid=1A2B.node1", "tomcat", "/cart;jsessionid=1A2B.node1"),
    "matrix parameters": (b"/cars;color=red/x", "tomcat", "/cars;color=red/x"),
    "a front controller": (b"/index.php/news/1", "php", "/index.php/news/1"),
    "a colon": (b"/wiki/Talk:Main", "unix", "/wiki/Talk:Main"), "a name with a dot": (b"/wiki/Inc.", "unix", "/wiki/Inc."),
    "a device's name": (b"/con/aux.js", "unix", "/con/aux.js"), "a tilde": (b"/~user/a~1", "unix", "/~user/a~1"),
    "one full-width slash": ("/Fate／stay".encode(), "unix", "/Fate%EF%BC%8Fstay"),
    "empty segments": (b"/web/2020/http://a//b", "unix", "/web/2020/http://a//b"),
    "empty segments are merged": (b"/a//b///c", "tomcat", "/a/b/c"),
    "a joiner": (b"/%D9%85%DB%8C%E2%80%8C%D8%AE", "unix", "/%D9%85%DB%8C%E2%80%8C%D8%AE"),
}


@test(each=STANDARD)
def every_kind_of_origin_is_spared_these(t, row):
    t.refused(t.server(), get(row[0]), row[1])


@test(each=IIS)
def windows_is_spared_names_that_it_takes_for_others(t, row):
    t.refused(t.server(site(origin_kind="iis")), get(row[0]), row[1])


REWRITING = {name: "rewrite" for name in ("escape_invalid", "escape_unicode", "raw_byte", "escape_control", "utf8_overlong")}
REWRITTEN = {
    "malformed escapes": (b"/?a=100%&b=%zz&c=%2f", "/?a=100%25&b=%25zz&c=%2f"),
    "IIS escapes": (b"/?a=%u002e%u20ac", "/?a=%25u002e%25u20ac"),
    "raw bytes": (b'/?a[]={"b":1}&c=%7b', "/?a%5B%5D=%7B%22b%22:1%7D&c=%7b"),
    "control bytes": (b"/?a=1%0d%0aSet-Cookie:%20x&b=%2b+", "/?a=1%20%20Set-Cookie:%20x&b=%2b+"),
    "overlong forms": (b"/?a=%c0%ae%c0%ae%2f&b=%C3%A9", "/?a=%EF%BF%BD%EF%BF%BD%2f&b=%C3%A9"),
}
SIGNED = {
    "SAML": b"/?SAMLRequest=fZJNT%2BMwEIbv%2fRWR7%3d%3D&RelayState=https%3a%2F%2fx&SigAlg=http%3A%2F%2Fwww.w3.org%23rsa&Signature=a%2Bb%2f",
    "a presigned URL": b"/o?X-Amz-Credential=AKIA%2F20260101%2feu-west-1%2Fs3&X-Amz-SignedHeaders=host&X-Amz-Signature=0f0f",
    "Latin-1 and GBK": b"/?latin=caf%e9&n=%F1&gbk=%c4%e3%ba%c3&euckr=%c0%ba%b0%a1", "order and empty ones": b"/?&&=&b=;a=1&a=2&%61=3&?",
}


@test(each=REWRITTEN)
def a_query_is_rewritten_where_a_site_says_so(t, row):
    raw, forwarded = row
    server = t.server(site(query_findings=REWRITING))
    t.equal(t.answered(server, get(raw)).target, forwarded, "request-target at the origin")


@test(each=REWRITTEN)
def a_site_that_watches_or_is_paused_rewrites_no_query(t, row):
    server = t.server(site(query_findings=REWRITING, mode="monitor"))
    t.equal(t.answered(server, get(row[0])).target, row[0].decode(), "request-target at the origin")
    server = t.server(site(query_findings=REWRITING, limits={"segments": 99}))
    t.equal(server.command("pause", "-c", str(server.file), "shield", "site", "1min").returncode, 0, "pause")
    t.equal(t.answered(server, get(row[0])).target, row[0].decode(), "request-target at the origin")


@test(each=SIGNED)
def what_is_signed_stays_byte_for_byte(t, raw):
    for settings in (None, site(profile="legacy"), site(query_findings=REWRITING)):
        t.equal(t.answered(t.server(settings), get(raw)).target, raw.decode(), "request-target at the origin")


@test
def rules_see_the_query_that_the_origin_gets(t):
    server = t.server({"rules": [{"id": "a.space", "where": "query", "pattern": "x y", "message": "x"}],
                       **site(query_findings=REWRITING)})
    t.refused(server, get(b"/?a=x%0ay"), "rule")


COOKIES = {
    "an encoded NUL": (b"Cookie: a=1; s=x%00y", "escape-nul", "s", "%00"),
    "a split head": (b"Cookie: lang=en%0d%0aSet-Cookie:%20admin=1", "head-split", "lang", "%0d%0aSet-Cookie:"),
    "an overlong form": (b"Cookie: dir=%c0%ae%c0%ae/", "utf8-overlong", "dir", "%c0%ae%c0%ae"),
    "an IIS escape": (b"Cookie: dir=%u002e", "escape-unicode", "dir", "%u002e"),
    "a control in a name": (b"Cookie: a=1; b%0ac=1", "argument-name", "b%0ac", "b%0ac"),
    "an encoded NUL in a field": (b"Referer: http://site.example/a%00b", "escape-nul", "Referer", "%00"),
}
FORWARDED = {
    "a cookie encoded twice": (b"Cookie", b"a=%257B%2522b%2522; c=%zz; d={\"e\":1}; f=\"g\"; h=caf\xe9; i=x%0A"),
    "a Referer with anything in it": (b"Referer", b"http://x/%F1?u=%252F&b=100%&t=a%0D%0Ab"),
    "an X- field in UTF-8": (b"X-Name", "René €".encode()),
}


@test(each=COOKIES)
def a_cookie_or_field_that_hides_something_is_named(t, row):
    """explain gives the bytes; the log has of a cookie the name alone."""
    field, reason, name, evidence = row
    server = t.server()
    _, line = t.refused(server, get(b"/", field), reason)
    t.equal((line.name, line.evidence), (name, evidence if name == "Referer" else name), "name and evidence in the log")
    said = server.command("explain", "-c", str(server.file), "-H", field.decode(), "/").stdout
    t.check(f"in {name}; evidence {evidence}" in said, f"explained: {said}")
    group = "field_findings" if name == "Referer" else "cookie_findings"
    t.check(line.setting.startswith(f"sites[].shield.{group}."), f"the setting: {line.setting}")


@test(each=FORWARDED)
def ordinary_cookies_and_fields_are_forwarded_as_they_came(t, row):
    name, value = row
    got = t.answered(t.server(), get(b"/", name + b": " + value))
    t.equal(got.field(name.decode()), value.decode("latin-1"), "the field at the origin")


@test
def a_site_says_what_cookies_and_fields_may_hide(t):
    server = t.server(site(cookie_findings={"escape_nul": "accept", "escape_double": "reject"},
                           field_findings={"high_bit": "reject", "escape_invalid": "score"}, limits={"score": 1}))
    t.answered(server, get(b"/", b"Cookie: a=%00"))
    t.refused(server, get(b"/", b"Cookie: a=%252e"), "escape-double")
    t.refused(server, get(b"/", b"X-Name: caf\xe9"), "high-bit")
    t.refused(server, get(b"/", b"X-Name: %zz"), "score")


@test
def a_site_that_watches_passes_what_a_cookie_hides(t):
    server = t.server(site(mode="monitor"))
    mark = server.mark()
    t.answered(server, get(b"/", b"Cookie: a=%00"))
    line = server.next_line(mark)
    t.equal((line.reason, line.enforced, line.name), ("escape-nul", False, "a"), "what is logged")


@test(each=REJECTED)
def a_site_may_reject_what_others_accept(t, row):
    t.refused(t.server(site(findings=REJECT_ALL)), get(row[0]), row[1])


@test
def a_dot_may_be_kept_for_extensions(t):
    server = t.server(site(findings={"dot_in_path": "reject"}))
    t.refused(server, get(b"/a.b/c"), "path-dot")
    t.answered(server, get(b"/a/c.html"))


@test(each=PASSES)
def ordinary_names_pass(t, row):
    raw, kind, canonical = row
    t.equal(t.answered(t.server(site(origin_kind=kind)), get(raw)).target, canonical, "request-target at the origin")


@test(each={"an encoded slash": (b"/a%2fb", "/a%2Fb"), "a backslash": (b"/a%5cb", "/a%5Cb"), "Latin-1": (b"/caf%e9", "/caf%E9"),
            "a lone percent sign": (b"/100%", "/100%25")})
def the_legacy_profile_takes_them_as_data(t, row):
    t.equal(t.answered(t.server(site(profile="legacy")), get(row[0])).target, row[1], "request-target at the origin")


@test
def an_accepted_separator_hides_no_dots(t):
    server = t.server(site(profile="legacy"))
    t.refused(server, get(b"/..%252fb"), "path-dots-disguised")
    t.refused(server, get(b"/a/%25252e%252e/b"), "path-dots-disguised")
    t.refused(server, get(b"/a%2f..%2fb"), "path-dots-disguised")
    t.refused(server, get(b"/a%2fb/../c"), "path-dots-ambiguous")


@test(each={"backslash": (b"/a\\b%5cc", "/a/b/c"), "slash": (b"/a%2fb", "/a/b"), "dots": (b"/a/b%5c..%2fc", "/a/c"),
            "parameters": (b"/a;x=1/b;y", "/a/b"), "empty": (b"/a///b", "/a/b")})
def what_is_rewritten_is_forwarded_plainly(t, row):
    server = t.server(site(findings={"backslash": "rewrite", "encoded_slash": "rewrite", "parameter": "rewrite",
                                     "empty_segment": "rewrite"}))
    t.equal(t.answered(server, get(row[0])).target, row[1], "request-target at the origin")
