"""Exceptions: what one names passes, and the same bytes anywhere else are refused; what refuses can be explained,
and what is printed then can be pasted."""

import datetime
import json
import re

from harness import test

SQL = b"1+union+select+password+from+users"
FORM = b"application/x-www-form-urlencoded"
SAYS = {"owner": "shop team", "reason": "words of SQL", "expires": "never"}
SEARCH = {"rule": "sql.*", "path": "/search", "argument": "q", **SAYS}


def site(*exceptions, **shield):
    return {"site": {"shield": {**shield, "exceptions": list(exceptions)}}}


def get(target):
    return b"GET " + target + b" HTTP/1.1\r\nHost: site.example\r\n\r\n"


def post(target, content, kind=FORM):
    return (b"POST " + target + b" HTTP/1.1\r\nHost: site.example\r\nContent-Type: " + kind +
            b"\r\nContent-Length: %d\r\n\r\n" % len(content) + content)


POLICY = site(SEARCH, {"rule": "sql.*", "path": "/post", "form": "comment", **SAYS},
              {"tag": "sql", "path": "/post", "json": "notes[]", **SAYS},
              {"rule": "sql.*", "path": "/get", "method": "GET", "argument": "q", **SAYS},
              {"rule": "sql.union", "argument": "past", **SAYS, "expires": "2026-01-31"},
              {"finding": "escape-invalid", "argument": "percent", **SAYS}, query_findings={"escape_invalid": "reject"})

PASSES = {
    "the search box": get(b"/search?q=" + SQL),
    "below its path": get(b"/search/more?q=" + SQL),
    "a spelling of its path": get(b"/a/../%73earch?q=" + SQL),
    "the comment": post(b"/post", b"a=1&comment=" + SQL + b"&b=2"),
    "the comment, its semicolon escaped": post(b"/post", b"comment=1%3B+" + SQL),
    "the method": get(b"/get?q=" + SQL),
    "the same method in a field": get(b"/get?q=" + SQL).replace(b"\r\n\r\n", b"\r\nX-HTTP-Method-Override: get\r\n\r\n"),
    "a note in JSON": post(b"/post", b'{"notes": ["x", "1 union select 2 from y"]}', b"application/json"),
    "a percent sign": get(b"/?percent=100%"),
}
REFUSED = {
    "another argument": get(b"/search?p=" + SQL),
    "another argument beside it": get(b"/search?q=" + SQL + b"&p=" + SQL),
    "its name in other letters": get(b"/search?Q=" + SQL),
    "another path": get(b"/?q=" + SQL),
    "a path that begins so": get(b"/searching?q=" + SQL),
    "out of its path": get(b"/search/../admin?q=" + SQL),
    "a parameter": get(b"/search;x?q=" + SQL),
    "an encoded slash": get(b"/search/a%2fb?q=" + SQL),
    "an argument behind a semicolon": get(b"/search?q=1;p=" + SQL),
    "another value of the form": post(b"/post", b"comment=1&remark=" + SQL),
    "a value of the form behind a semicolon": post(b"/post", b"comment=1;remark=" + SQL),
    "another method in a field": get(b"/get?q=" + SQL).replace(b"\r\n\r\n", b"\r\nX-HTTP-Method-Override: PUT\r\n\r\n"),
    "the same name in the query": get(b"/post?comment=" + SQL),
    "another value in JSON": post(b"/post", b'{"note": "1 union select 2 from y"}', b"application/json"),
    "one that has ended": get(b"/?past=" + SQL),
    "another percent sign": get(b"/?percent=100%&other=100%"),
}


@test(each=PASSES)
def what_an_exception_names_passes_and_is_noted(t, data):
    server = t.server(POLICY)
    mark = server.mark()
    t.answered(server, data)
    line = server.next_line(mark)
    t.equal((line["action"], line["reason"]), ("allow", "-"), "the verdict")
    t.check(re.match(r"sql\.|escape-invalid$", line.get("excepted", "")), f"what was excepted: {line.raw}")


@test(each=REFUSED)
def the_same_bytes_anywhere_else_are_refused(t, data):
    server = t.server({**POLICY, "site": {"shield": {**POLICY["site"]["shield"], "findings": {"encoded_slash": "accept"}}}})
    _, line = t.refused(server, data, "rule", "escape-invalid")
    t.check("excepted" not in line, f"nothing was excepted: {line.raw}")


@test
def an_exception_for_a_name_in_json_is_for_no_other_that_ends_alike(t):
    long, longer = "l" * 100, "m" * 100
    server = t.server({"rules": [{"id": "of.name", "where": "json-name", "contains": "$evil", "message": "x"}],
                       **site({"rule": "of.name", "json_name": f"{long}.{longer}.$evil", **SAYS})})
    inner = {"a": 1, "$evil": 2}
    t.answered(server, post(b"/", json.dumps({long: {longer: inner}}).encode(), b"application/json"))
    t.refused(server, post(b"/", json.dumps({long: {longer: inner, "$evil": 3}}).encode(), b"application/json"), "rule")


@test
def an_ordinary_request_is_not_noted(t):
    server = t.server(POLICY)
    mark = server.mark()
    t.answered(server, get(b"/search?q=shoes"))
    t.check("excepted" not in server.next_line(mark), "an exception that nobody needed")


@test
def a_watched_site_notes_what_it_would_have_refused_as_before(t):
    server = t.server(site(SEARCH, mode="monitor"))
    mark = server.mark()
    t.answered(server, get(b"/search?q=" + SQL + b"&p=" + SQL))
    line = server.next_line(mark)
    t.equal((line.reason, line.enforced, line.rule, line.name), ("rule", False, "sql.union", "p"), "the verdict")
    mark = server.mark()
    t.answered(server, get(b"/search?q=" + SQL))
    line = server.next_line(mark)
    t.equal((line.reason, line["excepted"]), ("-", "sql.union"), "what was excepted")


@test
def exceptions_are_counted_and_the_ended_are_told_of(t):
    server = t.fresh_server(POLICY)
    for _ in range(3):
        t.equal(server.get("/search?q=" + SQL.decode()).status, 200, "status")
    t.eventually(lambda: server.status()["counters"]["requests_excepted"] == 3, "three are counted")
    status = server.status()
    t.equal((status["exceptions"], status["exceptions_ended"]), (6, 1), "exceptions, and those that have ended")
    t.check(b"sallyport_requests_excepted_total 3\n" in server.api("GET", "/metrics").body, "the metric")
    text = server.command("status", "-c", str(server.file)).stdout
    t.check("exceptions    6, of them ended 1" in text, f"sallyport status: {text}")
    checked = server.command("check", "-c", str(server.file)).stdout
    t.check(re.search(r'cfg:\d+: warning: shield\.exceptions: "sql\.union" has ended on 2026-01-31 and counts no more '
                      r"\(shop team: words of SQL\)", checked), f"sallyport check: {checked}")


@test
def a_reload_brings_exceptions_and_takes_them_away(t):
    server = t.fresh_server()
    target = "/search?q=" + SQL.decode()
    today = datetime.datetime.now(datetime.timezone.utc).date()
    for exceptions, status in (([], 403), ([SEARCH], 200), ([{**SEARCH, "expires": str(today)}], 200),
                               ([{**SEARCH, "expires": str(today - datetime.timedelta(days=1))}], 403)):
        server.write_policy({"site": {"shield": {"exceptions": exceptions}}})
        t.equal(server.reload().status, 200, "status of the reload")
        t.eventually(lambda status=status: server.get(target).status == status, f"{status} with {exceptions}")


def explained(t, server, url, *arguments):
    result = server.command("explain", "--json", "-c", str(server.file), *arguments, url)
    t.check(result.stdout, f"an answer for {url!r}: {result.stderr!r}")
    return json.loads(result.stdout)


def texts(answer, step):
    return [s["text"] for s in answer["steps"] if s["step"].strip() == step]


CASES = {"an argument": ("/search?q=1+union%2F**%2Fselect+2", ()),
         "a cookie": ("/", ("-H", "Cookie: last=1%20union%20select%202")),
         "a field": ("/x", ("-H", "User-Agent: () { :;}; /bin/id")), "a path": ("/.git/config", ()),
         "a name with odd bytes": ("/y?%22%5C%25%FF=1+union+select+2", ()),
         "a form": ("/post", ("-d", "a=1&note=1+union+select+2")),
         "JSON": ("/post", ("-H", "Content-Type: application/json", "-d", '{"a":{"b":["1 union select 2"]}}')),
         "two rules at once": ("/z?a=1+union+select+2&b=<script>", ())}


@test(each=CASES)
def what_explain_prints_can_be_pasted(t, row):
    url, arguments = row
    server = t.fresh_server()
    first = explained(t, server, url, *arguments)
    t.equal(first["allowed"], False, "allowed at first")
    pasted = texts(first, "except")
    t.check(pasted, f"an exception is printed: {first['steps']}")
    policy = server.file.read_text()
    t.check("shield" not in policy, "the policy has no shield of its own yet")
    server.file.write_text(re.sub(r"(sites = \( \{)", lambda m: m.group(1) + " shield = { exceptions = ( %s ); };"
                                  % ",\n".join(dict.fromkeys(pasted)), policy, count=1))
    second = explained(t, server, url, *arguments)
    t.equal(second["allowed"], True, f"allowed with {pasted}")
    t.check(texts(second, "excepted"), "which exception it was")
    t.check("but for an exception" in texts(second, "verdict")[0], "the verdict says so")
    other = explained(t, server, url.replace("?", "/more?") if "?" in url else url + "/more", *arguments)
    t.equal(other["allowed"], False, "allowed one path below")
    t.equal(server.reload().status, 200, "status of the reload with what was pasted")


@test
def explain_shows_the_bytes_and_every_transformation(t):
    answer = explained(t, t.server(), "/search?q=%253Cscript%253E&x=%1b[2J")
    t.equal(texts(answer, "where"), ["in argument q"], "where")
    t.equal(texts(answer, "value"), ["as sent: %253Cscript%253E", "decoded: %3Cscript%3E", "through url: <script>"],
            "the value")
    t.equal(texts(answer, "matched"), ["bytes 0 to 8: <script>"], "the match")
    plain = t.server().command("explain", "-c", str(t.server().file), "/?q=%1b[2J<script>").stdout
    t.check("\x1b" not in plain and "\\x1B[2J<script>" in plain, f"no byte of it reaches a terminal: {plain!r}")
