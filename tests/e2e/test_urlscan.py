"""What UrlScan 3.1 could say: for each row of the table in conf/README.md, that its setting does it."""

import re

from harness import reply, test
from harness.server import ROOT


def ask(target, *fields, method=b"GET", body=None):
    if body is not None:
        fields = (*fields, b"Content-Length: %d" % len(body))
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: site.example", *fields]) + b"\r\n\r\n" + (body or b"")


def shield(**settings):
    return {"site": {"shield": settings}}


SLASH_DENIED = {"deny": {"url": ["..", "./", "\\", ":", "%"]}}

# the words of UrlScan.ini: settings, what is refused for which reason, what still passes
ROWS = {
    "UseAllowVerbs=1": (shield(methods=["GET", "HEAD"]), [(ask(b"/", method=b"POST", body=b""), "method-denied"),
                                                          (ask(b"/", method=b"get"), "method-denied")], [ask(b"/")]),
    "UseAllowVerbs=0": (shield(methods=["GET", "POST", "PROPFIND"], deny={"methods": ["PROPFIND"]}),
                        [(ask(b"/", method=b"PROPFIND"), "method-listed"), (ask(b"/", method=b"TRACE"), "method-trace")], [ask(b"/")]),
    "UseAllowExtensions=1": (shield(allow={"extensions": [".htm", "."]}), [(ask(b"/a.asp"), "extension-denied")],
                             [ask(b"/a.HTM"), ask(b"/a")]),
    "UseAllowExtensions=0": (shield(deny={"extensions": [".asp", ".ida"]}),
                             [(ask(b"/a.asp"), "extension-denied"), (ask(b"/a.ASP/b"), "extension-denied"),
                              (ask(b"/%61%2e%61sp"), "extension-denied")], [ask(b"/a.html")]),
    "NormalizeUrlBeforeScan": (shield(deny={"url": ["/scripts"]}), [(ask(b"/x/../%73cripts/a"), "url-sequence")], [ask(b"/x")]),
    "VerifyNormalization": (None, [(ask(b"/%252e"), "escape-double"), (ask(b"/%25%32%65"), "escape-double")], [ask(b"/100%25")]),
    "AllowHighBitCharacters=0": (shield(**dict.fromkeys(("findings", "query_findings", "cookie_findings", "field_findings"), {"high_bit": "reject"})),
                                 [(ask(b"/caf%C3%A9"), "high-bit"), (ask(b"/?q=%F1"), "high-bit"), (ask(b"/", b"Cookie: a=%F1"), "high-bit"),
                                  (ask(b"/", b"X: \xf1"), "high-bit")], [ask(b"/cafe?q=n", b"Cookie: a=n")]),
    "AllowDotInPath=0": (shield(findings={"dot_in_path": "reject"}), [(ask(b"/a.b/c"), "path-dot")], [ask(b"/a/c.html")]),
    "[DenyHeaders]": (shield(deny={"fields": ["Translate", "If", "Lock-Token"]}),
                      [(ask(b"/", b"translate: f"), "field-denied"), (ask(b"/", b"IF: x"), "field-denied")], [ask(b"/", b"If-Match: x")]),
    "MaxAllowedContentLength": (shield(limits={"body": "10 B"}),
                                [(ask(b"/", b"Expect: 100-continue", b"Content-Length: 11", method=b"POST"), "content-too-large"),
                                 (ask(b"/", b"Transfer-Encoding: chunked", method=b"POST") + b"b\r\nhello world\r\n0\r\n\r\n", "content-too-large")],
                                [ask(b"/", method=b"POST", body=b"0123456789")]),
    "MaxUrl": (shield(limits={"path": "20 B"}), [(ask(b"/" + b"x" * 20), "path-too-long")], [ask(b"/" + b"x" * 19 + b"?q=0123456789")]),
    "MaxQueryString": (shield(limits={"query": "10 B"}), [(ask(b"/?0123456789a"), "query-too-long")], [ask(b"/012345678901234?0123456789")]),
    "Max-": (shield(fields=[{"name": "Content-Type", "max": "12 B"}]),
             [(ask(b"/", b"content-type: text/plainer/", method=b"POST", body=b""), "field-rule-too-large")],
             [ask(b"/", b"Content-Type: text/plain", method=b"POST", body=b""), ask(b"/", b"Accept: " + b"x" * 99)]),
    "[DenyUrlSequences]": (shield(**SLASH_DENIED), [(ask(b"/a:b"), "url-sequence"), (ask(b"/a%20b"), "url-sequence"),
                                                    (ask(b"/a/./b"), "url-sequence")], [ask(b"/a/b?x=..%20:")]),
    "[AlwaysAllowedUrls]": (shield(**SLASH_DENIED, allow={"urls": ["/known:url"]}), [(ask(b"/other:url"), "url-sequence")],
                            [ask(b"/known:url"), ask(b"/%6bnown:url")]),
    "[DenyQueryStringSequences]": (shield(deny={"query": ["<", "xp_cmdshell"]}),
                                   [(ask(b"/?q=%3Cscript"), "query-sequence"), (ask(b"/?q=%58P_CMDshell"), "query-sequence")], [ask(b"/?q=a")]),
    "UnescapeQueryString": (shield(deny={"query": ["%3c", "<"]}),
                            [(ask(b"/?q=%3Ca"), "query-sequence"), (ask(b"/?q=<a"), "query-sequence")], [ask(b"/?q=%3e")]),
    "[AlwaysAllowedQueryStrings]": (shield(deny={"query": ["--"]}, allow={"queries": ["id=--1"]}), [(ask(b"/?id=--2"), "query-sequence")],
                                    [ask(b"/?id=--1")]),
    "ScanURL": ({"rules": [{"id": "a", "where": "path", "pattern": "/secret", "message": "x"},
                           {"id": "b", "where": "url", "pattern": "%2b", "message": "x"},
                           {"id": "c", "where": "query", "pattern": "drop\\s+table", "message": "x"}]},
                [(ask(b"/%73ecret"), "rule"), (ask(b"/a?b=%2b"), "rule"), (ask(b"/?q=DROP%20%20Table"), "rule")], [ask(b"/a?q=table")]),
    "ScanHeaders": (shield(fields=[{"name": "Cookie", "deny": ["--"]}]), [(ask(b"/", b"Cookie: a=1--"), "field-sequence")],
                    [ask(b"/", b"Cookie: a=1-", b"X: --")]),
    "AppliesTo": ({"rules": [{"id": "a", "where": "url", "pattern": "\\.aspx?\\?.*;", "message": "x"}]}, [(ask(b"/a.asp?q=;"), "rule")],
                  [ask(b"/a.html?q=;")]),
    "DenyUnescapedPercent": (shield(query_findings={"escape_invalid": "reject"}), [(ask(b"/?q=100%"), "escape-invalid")],
                             [ask(b"/?q=100%25")]),
}


@test(each=ROWS)
def a_row_of_the_table_is_true(t, row):
    settings, refused, passing = row
    server = t.server(settings)
    for request, reason in refused:
        t.refused(server, request, reason)
    for request in passing:
        t.answered(server, request)


@test
def the_server_field_is_removed_or_replaced(t):
    answer = reply(fields=[("Server", "Microsoft-IIS/5.0")])
    server = t.server({"site": {"response": {"remove": ["Server"]}}}, {"/": answer})
    t.equal(server.get("/").all("Server"), [], "RemoveServerHeader=1")
    server = t.server({"site": {"response": {"remove": ["Server"], "add": ["Server: other"]}}}, {"/": answer})
    t.equal(server.get("/").all("Server"), ["other"], "AlternateServerName")


@test
def a_site_may_only_log(t):
    server = t.server(shield(mode="monitor", deny={"extensions": ["ida"]}))
    mark = server.mark()
    t.equal(server.get("/a.ida").status, 200, "RejectResponseUrl=/~*")
    t.equal((server.next_line(mark).reason, server.next_line(mark).enforced), ("extension-denied", False), "the log")


@test
def long_urls_are_logged_whole(t):
    server = t.server()
    mark = server.mark()
    target = "/" + "x" * 3000
    t.equal(server.get(target).status, 414, "status")
    t.equal(server.next_line(mark).target, target, "LogLongUrls")


@test
def every_word_of_the_table_has_a_test(t):
    table = (ROOT / "conf/README.md").read_text().split("## For who comes from UrlScan")[1].split("\n## ")[0]
    words = re.findall(r"^\| `?([^|`]+)", table, re.M)[2:]
    elsewhere = ("RemoveServerHeader", "AlternateServerName", "EnableLogging", "LogLongUrls", "RejectResponseUrl", "AllowLateScanning", "RuleList")
    for word in words:
        t.check(any(word.split("`")[0].strip().endswith(row) or row in word for row in ROWS)
                or word.startswith(elsewhere), f"no test for {word!r}")
    t.check(len(words) > 20, f"the table: {words}")
