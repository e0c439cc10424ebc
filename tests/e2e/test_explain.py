"""`sallyport explain`: what would become of a request, and that a live one fares the same."""

import json
import re
import urllib.parse

from harness import policy, test
from harness.server import run_command
from harness.wire import request


def explained(t, url, *arguments):
    result = run_command("explain", "--json", *arguments, url)
    t.check(result.stdout, f"an answer for {url!r}: {result.stderr!r}")
    answer = json.loads(result.stdout)
    t.equal(result.returncode, 0 if answer["allowed"] else 1, "exit status")
    return answer


def step(answer, name):
    return [s["text"] for s in answer["steps"] if s["step"] == name]


@test
def a_clean_url_is_allowed(t):
    answer = explained(t, "/index.html?q=1")
    t.equal((answer["allowed"], answer["reason"]), (True, "-"), "the answer")
    t.equal(step(answer, "query"), ["q=1"], "the query")


@test
def the_canonical_path_is_shown(t):
    answer = explained(t, "http://shop.example/a/%2e%2e/b%41")
    t.equal(step(answer, "canonical"), ["/bA"], "canonical path")
    t.equal(step(answer, "host"), ["shop.example"], "host")
    t.check("dot-segment" in step(answer, "finding")[0], "the finding")


POLICY = {"site": {"shield": {
    "origin_kind": "php", "deny_addresses": ["192.0.2.0/24"], "query_findings": {"escape_invalid": "rewrite"},
    "answers": [{"reasons": ["escape-nul"], "action": "tarpit"}],
    "throttle": {"per_client": "50/s", "burst": 100, "strikes": 10, "allow": ["10.0.0.0/8", "10.9.0.0/16"],
                 "reply_rate": "4 MiB/s",
                 "paths": [{"path": "/login", "per_client": "5/min"}, {"path": "/login/api", "per_client": "9/h", "burst": 3}]}}}}


@test
def each_step_names_the_setting_that_decides(t):
    server = t.server(POLICY)

    def said(url, *arguments):
        return [(s["step"], s["text"], s.get("setting")) for s in explained(t, url, "-c", str(server.file), *arguments)["steps"]]
    steps = said("/login/api//x?q=100%")
    for expected in (
            ("mode", "enforce", "sites[].shield.mode"),
            ("finding", "empty-segment in the path: accept; at /", "sites[].shield.findings.empty_segment"),
            ("finding", "escape-invalid in the query: rewrite; at %", "sites[].shield.query_findings.escape_invalid"),
            ("rewritten", "q=100%25", None),
            ("addresses", "1 network denied", "sites[].shield.deny_addresses"),
            ("addresses", "2 networks not throttled", "sites[].shield.throttle.allow"),
            ("throttle", "each client 50 in 1 s, 100 at once", "sites[].shield.throttle.per_client"),
            ("throttle", "each client 9 in 1 h, 3 at once, under /login/api", "sites[].shield.throttle.paths[].per_client"),
            ("throttle", "each client gets 4 MiB/s of replies", "sites[].shield.throttle.reply_rate"),
            ("throttle", "10 refusals in 1 min ban a client for 10 min", "sites[].shield.throttle.strikes")):
        t.check(expected in steps, f"{expected} in {steps}")
    t.check(not [s for s in said("/other") if "under" in s[1]], "no rate of another path")
    t.check(("verdict", "allow; the score is 2", "sites[].shield.limits.score") in said("/.../x"), "a score")


GUARDED = {"mode": "enforce", "exclude": ["/live/"]}


@test(each={
    "a page": ([], {}, "/a/../b?x=1&utm_source=2", "enforce: where /b?x=1 is known, its copy replaces what differs; where not, it passes",
               "unknown"),
    "pages that are not known are held": ([], {"unknown": "hold"}, "/", "enforce: where / is known, its copy replaces what differs; where not, "
                                          "it is held back with 503", "unknown"),
    "excluded": ([], {}, "/live/x", "enforce: the path is excluded, only redirects to foreign hosts are held", "exclude"),
    "no page": (["-X", "POST"], {}, "/", "enforce: pages are asked for by GET and HEAD; of others only redirects to foreign hosts are held", "mode"),
    "in a session": (["-H", "Cookie: PHPSESSID=1"], {}, "/", "enforce: a visitor in a session, who gets 503 for what differs where / is known, and "
                     "no copy", "session_cookies"),
    "in a session that passes": (["-H", "Cookie: PHPSESSID=1"], {"sessions": "pass"}, "/", "enforce: a visitor in a session, who gets / as it comes "
                                 "where it is HTML, XML, JSON or plain text", "sessions"),
    "monitor": ([], {"mode": "monitor"}, "/", "monitor: / is compared where it is known, and what differs is logged", "mode"),
    "off": ([], {"mode": "off"}, "/", None, None),
    "refused before": ([], {}, "/?q=%3Cscript%3E", None, None)})
def what_the_guard_does_is_told(t, row):
    arguments, changes, url, text, setting = row
    file = t.directory() / "policy.cfg"
    file.write_text(policy.write({"listen": [{"address": "127.0.0.1:8080"}], "sites": [
        {"name": "shop", "hosts": ["shop.example"], "origins": ["http://192.0.2.1"], "guard": GUARDED | changes}]}))
    steps = explained(t, f"http://shop.example{url}", "-c", str(file), *arguments)["steps"]
    t.equal([(s["text"], s["setting"]) for s in steps if s["step"] == "guard"],
            [(text, f"sites[].guard.{setting}")] if text else [], "the step")


@test
def findings_in_cookies_and_fields_are_explained(t):
    answer = explained(t, "/", "-H", "Cookie: a=1; sess=x%00%252e", "-H", "Referer: http://x/%zz")
    steps = [(s["text"], s.get("setting")) for s in answer["steps"] if s["step"] == "finding"]
    t.equal(steps, [("escape-nul in the cookie sess: reject; at %00", "sites[].shield.cookie_findings.escape_nul"),
                    ("escape-double in the cookie sess: accept; at %25", "sites[].shield.cookie_findings.escape_double"),
                    ("escape-invalid in the field Referer: accept; at %", "sites[].shield.field_findings.escape_invalid")], "findings")
    t.check("; in sess; evidence %00" in step(answer, "verdict")[0], "the verdict names the cookie")


@test
def an_address_is_judged_where_one_is_given(t):
    server = t.server(POLICY)
    arguments = ("-c", str(server.file), "--from")
    t.equal(explained(t, "/", *arguments, "192.0.2.7")["reason"], "address-denied", "an address that is denied")
    t.equal(explained(t, "/", *arguments, "2001:db8::1")["allowed"], True, "another")
    t.equal(run_command("explain", "--from", "nobody", "/").returncode, 2, "no address at all")


@test
def the_answer_is_told(t):
    answer = explained(t, "/a%00", "-c", str(t.server(POLICY).file))
    t.equal((answer["action"], answer["status"], answer["enforced"]), ("tarpit", 400, True), "the answer")


@test
def a_refusal_names_reason_rule_and_evidence(t):
    answer = explained(t, "/default.ida?NNNN%u9090=a")
    t.equal((answer["status"], answer["reason"], answer["rule"]), (403, "rule", "worm.code-red"), "the answer")
    t.check("/default.ida" in step(answer, "verdict")[0], "the evidence")


@test
def a_limit_names_its_setting(t):
    result = run_command("explain", "/" + "x" * 9000)
    t.equal(result.returncode, 1, "exit status")
    t.check("url-too-long" in result.stdout and "[limits.url]" in result.stdout
            and "the limit is 8192" in result.stdout, result.stdout[-200:])


LIMITED = {"url": ("/" + "x" * 200, ()), "path": ("/" + "x" * 120, ()), "segments": ("/a/b/c/d/e/f", ()), "segment": ("/" + "x" * 60, ()),
           "query": ("/?" + "x" * 80, ()), "args": ("/?a&b&c&d&e", ()), "arg_name": ("/?" + "x" * 30, ()), "arg_value": ("/?a=" + "x" * 30, ()),
           "arg_repeats": ("/?a&a&a", ()), "fields": ("/", [f"X-{i}: x" for i in range(8)]), "field": ("/", ["X: " + "x" * 60]),
           "field_repeats": ("/", ["X: 1"] * 3), "fields_bytes": ("/", [f"X-{i}: " + "x" * 40 for i in range(5)]),
           "cookies": ("/", ["Cookie: a; b; c; d"]), "cookie": ("/", ["Cookie: " + "x" * 30]), "cookie_repeats": ("/", ["Cookie: a=1; a=2; a=3"]),
           "cookies_bytes": ("/", ["Cookie: " + "x" * 18 + "; " + "y" * 18 + "; z"]), "body": ("/", ["Content-Length: 101"]), "score": ("/.../x", ())}
LIMITS = {"url": 150, "path": 100, "segments": 5, "segment": 50, "query": 70, "args": 4, "arg_name": 20, "arg_value": 20, "arg_repeats": 2,
          "fields": 7, "field": 50, "field_repeats": 2, "fields_bytes": 200, "cookies": 3, "cookie": 20, "cookie_repeats": 2,
          "cookies_bytes": 35, "body": 100, "score": 1}


@test(each={name: name for name in LIMITED})
def each_limit_tells_its_value_what_was_counted_and_its_setting(t, name):
    server = t.server({"site": {"shield": {"limits": LIMITS}}})
    url, fields = LIMITED[name]
    arguments = [word for field in fields for word in ("-H", field)]
    verdict = explained(t, url, "-c", str(server.file), *arguments)["steps"][-1]
    t.equal(verdict["setting"], f"sites[].shield.limits.{name}", f"setting: {verdict}")
    match = re.search(r"the limit is (\d+), the value (\d+)", verdict["text"])
    t.check(match and int(match[1]) == LIMITS[name] < int(match[2]), f"limit and value: {verdict}")


@test
def method_and_fields_are_judged(t):
    t.equal(explained(t, "/", "-X", "TRACE")["reason"], "method-trace", "TRACE")
    t.equal(explained(t, "/", "-H", "Content-Length: 5, 5")["reason"], "content-length-invalid", "a bad length")
    t.equal(explained(t, "/", "-H", "Host: a@b")["reason"], "host-userinfo", "a bad Host")


HANDSHAKE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


@test(each={"as it should be": {}, "no key": {"Sec-WebSocket-Key": None}, "version 8": {"Sec-WebSocket-Version": "8"}, "content": {"Content-Length": "1"}})
def a_request_for_a_websocket_fares_as_explained(t, changes):
    server = t.server({"site": {"upgrade": ["websocket"]}})
    fields = {name: value for name, value in {**HANDSHAKE, **changes}.items() if value}
    options = [text for name, value in fields.items() for text in ("-H", f"{name}: {value}")]
    answer = explained(t, "/ws", "-c", str(server.file), *options)
    t.equal((answer["allowed"], answer["reason"]), (False, "upgrade-invalid") if changes else (True, "-"), "the verdict")
    t.equal(explained(t, "/ws", *options[:2], *options[4:])["allowed"], True, "where nothing is asked for")
    if not changes:
        return
    mark = server.mark()
    response = t.client(server).send(request("/ws", fields=[*fields.items()])).read_response()
    t.equal(response.status, answer["status"], "status")
    line = server.next_line(mark)
    t.reason(line, "upgrade-invalid")
    t.eventually(lambda: "judges it alike" in server.command("explain", "--request-id", line.id, "-c", str(server.file)).stdout,
                 "what was kept of it is judged alike", 3.0)


@test
def control_bytes_of_a_url_do_not_reach_the_terminal(t):
    result = run_command("explain", "/\x1b[31mred")
    t.equal(result.returncode, 1, "exit status")
    t.check("\x1b" not in result.stdout and "\\x1B" in result.stdout, repr(result.stdout))


@test
def wrong_use_is_status_two(t):
    for arguments in ([], ["/a", "/b"], ["--no-such-option", "/"]):
        t.equal(run_command("explain", *arguments).returncode, 2, f"explain {arguments}")


@test
def a_live_request_fares_as_explained(t):
    """The same code: the same reason and status, whatever the URL."""
    server = t.server()
    policy = str(server.directory / "sallyport.cfg")
    for url in ("/", "/a/../b", "/%252e/", "/a%00b", "/../x", "/a%5cb", "/scripts/root.exe?/c+dir", "/x?y=%zz",
                "/" + "a" * 3000, "/%c0%ae%c0%ae/x", "/caf%C3%A9", "/caf%E9", "/x?q=%E9", "/a;b=c/d", "/a%2Fb"):
        answer = explained(t, url, "-c", policy)
        status = server.get(url).status
        expected = 200 if answer["allowed"] else answer["status"]
        t.equal(status, expected, f"status of {urllib.parse.quote(url)[:80]}")


CONTENTS = {
    "a form": (["-d", "a=1&b=%3Cb%3E"], "-", ["argument a = 1", "argument b = <b>", "form, well-formed: 2 values"]),
    "JSON": (["-H", "Content-Type: application/json", "-d", '{"a":{"b":[true]}}'], "-", ["value a.b[] = true", "json, well-formed: 1 values"]),
    "broken JSON": (["-H", "Content-Type: application/json", "-d", '{"a":'], "body-malformed", []),
    "a NUL": (["-d", "a=1&b=%00"], "escape-nul", ["argument a = 1"]),
    "no such type": (["-H", "Content-Type: x", "-d", "a"], "body-type", []),
    "text": (["-H", "Content-Type: text/plain", "-d", "a"], "-", ["raw, not looked into"]),
    "no content": (["-X", "POST"], "-", []),
    "a number of 63 bits": (["-H", "Content-Type: application/json", "-d", "[9223372036854775807]"], "-",
                            ["value [] = 9223372036854775807", "json, well-formed: 1 values"]),
    "a number of 64 bits": (["-H", "Content-Type: application/json", "-d", "[9223372036854775808]"], "-",
                            ["value [] = 9.2233720368547758e+18", "json, well-formed: 1 values"]),
    "a number beyond all": (["-H", "Content-Type: application/json", "-d", "[1e999]"], "body-malformed", []),
    "XML in windows-1251": (["-H", "Content-Type: text/xml", "-d", "<?xml version='1.0' encoding='windows-1251'?><a/>"], "body-charset", []),
    "XML in ISO-8859-2": (["-H", "Content-Type: text/xml; charset=iso-8859-2", "-d", "<a/>"], "body-charset", []),
    "XML in ISO-8859-1": (["-H", "Content-Type: text/xml; charset=iso-8859-1", "-d", "<a>x</a>"], "-", ["text a = x", "xml, well-formed: 2 values"]),
}


@test(each=CONTENTS)
def content_is_taken_apart(t, row):
    arguments, reason, said = row
    answer = explained(t, "/", *arguments)
    t.equal((answer["reason"], step(answer, "content")), (reason, said), "the answer")
    t.equal(len(step(answer, "verdict")), 1, "verdicts")


REFUSED = {
    "malformed": ("application/json", '{"a":', "body-malformed"),
    "ambiguous": ("application/json", '{"a":1,"a":2}', "body-ambiguous"),
    "a document type": ("text/xml", "<!DOCTYPE a><a/>", "body-doctype"),
    "a charset": ("text/xml", "<?xml version='1.0' encoding='windows-1251'?><a/>", "body-charset"),
    "a charset of the type": ("text/xml; charset=windows-1252", "<a/>", "body-charset"),
    "no type": ("x", "a", "body-type"),
    "a coding": ("application/json", "[]", "body-coding", ("Content-Encoding", "x-unknown")),
}


@test(each=REFUSED)
def content_that_is_refused_names_what_lets_it_pass(t, row):
    kind, content, reason, *more = row
    fields = [("Content-Type", kind), *more]
    setting = "sites[].shield.bodies.skip_paths"
    server = t.server({"site": {"shield": {"bodies": {"skip_paths": ["/skipped"]}}}})
    answer = explained(t, "/", "-c", str(server.file), "-d", content, *(text for name, value in fields for text in ("-H", f"{name}: {value}")))
    t.equal((answer["reason"], [s.get("setting") for s in answer["steps"] if s["step"] == "verdict"]), (reason, [setting]), "explained")
    mark = server.mark()
    t.client(server).send(request("/", method="POST", fields=fields, body=content.encode())).read_response()
    line = server.next_line(mark)
    t.reason(line, reason)
    t.equal(line.setting, setting, "the setting that the log names")
    skipped = t.client(server).send(request("/skipped", method="POST", fields=fields, body=content.encode()))
    t.equal(skipped.read_response().status, 200, "status where it is set")


@test
def a_charset_of_xml_passes_where_its_type_is_skipped(t):
    server = t.server({"site": {"shield": {"bodies": {"skip_types": ["text/xml"]}}}})
    for kind, content in (("text/xml", "<?xml version='1.0' encoding='windows-1251'?><a/>"), ("text/xml; charset=iso-8859-2", "<a/>")):
        data = request("/", method="POST", fields=[("Content-Type", kind)], body=content.encode())
        t.equal(t.client(server).send(data).read_response().status, 200, f"status of {kind}")


@test
def content_may_stand_in_a_file(t):
    file = t.directory() / "body"
    file.write_bytes(b"--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.php\"\r\n\r\n\x00\x01\r\n--B--\r\n")
    answer = explained(t, "/", "-H", "Content-Type: multipart/form-data; boundary=B", "-d", f"@{file}")
    t.equal(step(answer, "content"), ["file name f = x.php", "file f = \\x00\\x01", "multipart, well-formed: 1 values"], "the answer")
    t.equal(run_command("explain", "-d", "@/no/such/file", "/").returncode, 2, "exit status of a file that is not there")
