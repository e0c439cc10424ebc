"""The log: one line per request, complete, and nobody outside can forge one."""

import json
import os
import re
import signal
import time

from harness import reply, test

COMBINED = {"log": {"format": "combined"}}
COMBINED_LINE = re.compile(
    rb'(?P<client>[0-9a-f.:]+) - - \[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000)\] '
    rb'"(?P<request>(?:[^"\\]|\\x[0-9a-f]{2})*)" (?P<status>\d{3}) (?P<bytes>\d+) '
    rb'"(?P<referer>(?:[^"\\]|\\x[0-9a-f]{2})*)" "(?P<agent>(?:[^"\\]|\\x[0-9a-f]{2})*)"(?P<rest> [\x20-\x7e]*)\Z')

FORGERIES = {
    "quote": b'" 200 1 "-" "-"', "escaped quote": b'\\" 200', "backslash": b"a\\",
             "terminal escape": b"[31m]0;",
    "UTF-8": "Grüße 日本".encode(), "broken UTF-8": b"\xff\xfe\xc3\x28\x80",
             "overlong": b"\xc0\x8a\xc0\x8d",
    "line separators": "\u2028\u2029\u0085".encode(), "JSON": b'","status":200,"reason":"-',
    "format": b"%s%n%x %d", "markup": b"<script>alert(1)</script>",
             "control in Latin-1": b"\x85\x9b31m",
    "spaces": b"a  \t b", "long": b"x" * 7000,
}


def with_field(name, value):
    return b"GET /forged HTTP/1.1\r\nHost: site.example\r\n" + name + b": " + value + b"\r\n\r\n"


@test
def a_line_says_what_there_is_to_know(t):
    server = t.server(scripts={"/known": reply(b"twelve bytes")})
    mark = server.mark()
    client = t.client(server)
    client.send(b"POST /known?a=b HTTP/1.1\r\nHost: site.example\r\nUser-Agent: test/1\r\n"
                b"Referer: http://x.example/\r\nContent-Length: 3\r\n\r\nabc")
    t.equal(client.read_response().status, 200, "status")
    line = server.next_line(mark)
    expected = {"kind": "access", "method": "POST", "target": "/known?a=b", "version": "HTTP/1.1",
                "status": 200,
                "action": "allow", "host": "site.example", "site": "site", "user_agent": "test/1",
                "referer": "http://x.example/", "bytes_in": 3, "bytes_out": 12,
                "client": "127.0.0.1",
                "reason": "-"}
    t.equal({name: line.get(name) for name in expected}, expected, "the line")
    t.check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z", line["time"]),
            f"time: {line['time']}")
    t.check(re.fullmatch("[0-9a-f]{32}", line.id), f"id: {line.id}")
    t.equal(server.origin.requests_for("/known")[-1].field("X-Request-Id"), line.id,
            "the id at the origin")
    t.check(str(server.origin.port) in line.origin, f"the origin's address: {line.raw}")


@test
def timings_are_plausible(t):
    server = t.server(scripts={"/slow": lambda c,
                               r: c.send(0.2, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", 0.2,
                                         b"x")})
    mark = server.mark()
    server.get("/slow")
    line = server.next_line(mark)
    t.check(350_000 < line.total_us < 3_000_000, f"total_us {line.total_us}")
    t.check(150_000 < line.first_byte_us < 1_000_000, f"first_byte_us {line.first_byte_us}")
    t.check(line.head_us < 1_000_000 and line.connect_us < 1_000_000,
            f"head_us, connect_us: {line.raw}")


@test
def every_request_has_one_line_and_an_id_of_its_own(t):
    server = t.server()
    mark = server.mark()
    client = t.client(server)
    for number in range(100):
        client.get(f"/each/{number}")
    lines = t.eventually(lambda: len(found := server.lines_since(mark)) >= 100 and found,
                         "100 lines")
    t.equal([line.target for line in lines], [f"/each/{number}" for number in range(100)],
            "targets")
    t.equal(len({line.id for line in lines}), 100, "different ids")


@test(each=FORGERIES)
def no_field_forges_a_json_line(t, value):
    server = t.server()
    for name in (b"User-Agent", b"Referer"):
        mark = server.mark()
        t.client(server).send(with_field(name, value)).read_response()
        line = server.next_line(mark)
        t.equal(len(server.lines_since(mark)), 1, "lines")
        t.equal(line.status in (200, 400, 403), True, f"status {line.status}")
        text = line.user_agent if name == b"User-Agent" else line.referer
        if line.status == 200:
            key = "user_agent" if name == b"User-Agent" else "referer"
            kept = text.encode("latin-1" if key in line.get("latin1", ()) else "utf-8")
            t.equal(kept[:4000], value.strip()[:4000], "the text in the log")
            t.check(len(value) < 4096 or key in line.get("cut", ()),
                    f"the cut is marked: {line.raw[-200:]}")


@test(each=FORGERIES)
def no_field_forges_a_combined_line(t, value):
    server = t.server(COMBINED)
    for name in (b"User-Agent", b"Referer"):
        mark = server.mark()
        t.client(server).send(with_field(name, value)).read_response()
        text = t.eventually(lambda: read_since(server, mark), "a line")
        t.equal(text.count(b"\n"), 1, "lines")
        match = COMBINED_LINE.match(text[:-1])
        t.check(match, f"the line is of the combined format: {text!r}")
        t.check(re.fullmatch(rb"[\x20-\x7e\n]*", text.replace("…".encode(), b"")),
                f"it is printable ASCII: {text!r}")


def read_since(server, mark):
    """What was written since. For servers that only this test uses."""
    with open(server.access_log, "rb") as file:
        file.seek(mark[0])
        text = file.read()
    return text if text.endswith(b"\n") else b""


@test(each={"line feed": b"/a\nforged", "carriage return": b"/a\rforged", "NUL": b"/a\0b",
            "escape": b"/\x1b[2J",
            "quote": b'/"x"', "broken UTF-8": b"/\xff\xfe", "encoded line feed": b"/a%0aforged"})
def no_target_forges_a_line(t, target):
    for settings in (None, COMBINED):
        server = t.server(settings)
        mark = server.mark()
        t.client(server).send(b"GET " + target +
                              b" HTTP/1.1\r\nHost: site.example\r\n\r\n").read_response()
        text = t.eventually(lambda: read_since(server, mark), "a line")
        time.sleep(0.05)
        text = read_since(server, mark)
        t.equal(text.count(b"\n"), 1, f"lines in {text!r}")
        t.check(re.fullmatch(rb"[\x20-\x7e\x80-\xff]*\n", text), f"no control byte: {text!r}")
        if settings is None:
            json.loads(text)


@test
def no_method_or_host_forges_a_line(t):
    for data in (b'GE"T / HTTP/1.1\r\nHost: site.example\r\n\r\n',
                 b'GET / HTTP/1.1\r\nHost: a"b\r\n\r\n',
                 b"GET / HTTP/1.1\r\nHost: a\\b\x80\r\n\r\n", b"\xff\xfe\xfd\r\n\r\n",
                 b'{"kind":"access"}\r\n\r\n'):
        server = t.server()
        mark = server.mark()
        t.client(server).send(data).read_response()
        server.next_line(mark)
        t.equal(len(server.lines_since(mark)), 1, f"lines for {data!r}")


@test
def the_combined_format_can_be_read_by_the_usual_tools(t):
    server = t.server(COMBINED | {"trusted_proxies": ["127.0.0.1"]},
                      scripts={"/c": reply(b"12345")})
    mark = server.mark()
    server.get("/c?x=y", fields=[("User-Agent", "a b"), ("Referer", "http://r/"),
                                 ("X-Forwarded-For", "2001:db8::7")])
    text = t.eventually(lambda: read_since(server, mark), "a line")
    match = COMBINED_LINE.match(text[:-1])
    t.check(match, f"the line: {text!r}")
    t.equal((match["client"], match["request"], match["status"], match["bytes"], match["referer"],
             match["agent"]),
            (b"2001:db8::7", b"GET /c?x=y HTTP/1.1", b"200", b"5", b"http://r/", b"a b"),
            "fields of the line")
    t.check(b"reason=-" in match["rest"] and b"site=" in match["rest"],
            f"the rest: {match['rest']!r}")


@test
def sigusr1_opens_the_log_again(t):
    """Rotation: move the file, send the signal, and a new file gets the next lines."""
    server = t.fresh_server()
    server.get("/before")
    server.next_line(None, lambda line: line.target == "/before")
    rotated = server.directory / "access.log.1"
    os.rename(server.access_log, rotated)
    server.get("/between")
    server.process.send_signal(signal.SIGUSR1)
    t.eventually(server.access_log.exists, "a new file")
    # The new scribe opens its files before the old one ends: for a moment lines still go to the old file.
    sent = 0

    def one_in_the_new_file():
        nonlocal sent
        server.get("/after")
        sent += 1
        return '"/after"' in server.access_log.read_text()

    t.eventually(one_in_the_new_file, "a line in the new file")
    server.get("/last")
    t.eventually(lambda: '"/last"' in server.access_log.read_text(),
                 "the last line in the new file")
    old, new = rotated.read_text(), server.access_log.read_text()
    t.equal(["/before" in old, "/before" in new], [True, False], "which lines stand where")
    t.equal((old + new).count('"/between"'), 1, "lines of a request in between")
    t.equal((old + new).count('"/after"'), sent, "lines of the requests after it")


@test
def a_reload_may_change_format_and_file(t):
    server = t.fresh_server()
    server.get("/json")
    server.next_line(None, lambda line: line.target == "/json")
    other = server.directory / "other.log"
    server.write_policy({"log": {"access": str(other), "format": "combined"}})
    t.equal(server.reload().status, 200, "status of the reload")

    def in_new_form():
        server.get("/combined")
        return other.exists() and '"GET /combined HTTP/1.1" 200' in other.read_text()
    t.eventually(in_new_form, "a line of the new format in the new file", 3, 0.05)


@test
def a_log_that_is_off_costs_nobody_anything(t):
    server = t.fresh_server({"log": {"access": "off", "events": "off"}})
    t.equal(server.get("/").status, 200, "status")
    t.check(not server.access_log.exists(), "a file was made")


@test(seconds=20)
def a_full_disk_stalls_nobody_and_is_counted(t):
    """/dev/full refuses every write."""
    server = t.fresh_server({"log": {"access": "/dev/full"}})
    client = t.client(server)
    for _ in range(300):
        t.equal(client.get("/").status, 200, "status")
    said = t.eventually(lambda: (s := server.errors() + server.events()) and "/dev/full" in s and s,
                        "it is told")
    t.check(said.count("/dev/full") <= 4, f"it is told once:\n{said}")


@test
def a_refused_request_says_what_and_why(t):
    server = t.server()
    response, line = t.refused(server,
                               b"GET /a/..%2f..%c0%ae/x HTTP/1.1\r\nHost: site.example\r\n\r\n",
                               "utf8-overlong", "path-encoded-slash")
    t.equal((line.action, line.enforced, line.status), ("reject", True, 400), "verdict in the log")
    t.check("%" in line.evidence, f"evidence: {line.raw}")
    t.check(line.id in response.body.decode(), "the id on the page")


@test(seconds=20)
def a_scribe_that_stands_still_stalls_nobody_and_the_loss_is_counted(t):
    """Records go through a ring; a full ring loses them and says how many."""
    server = t.fresh_server()
    scribe = next(process["pid"] for process in server.processes() if process["role"] == "scribe")
    os.kill(scribe, signal.SIGSTOP)
    t.later(lambda: os.kill(scribe, signal.SIGCONT))
    client = t.client(server)
    asked = t.request("/lost", fields=[("User-Agent", "u" * 3500), ("Referer", "r" * 3500)])
    for _ in range(20):
        client.send(asked * 10)
        t.equal([client.read_response().status for _ in range(10)], [200] * 10, "statuses")
    dropped = server.status()["counters"]["log_dropped"]
    t.check(0 < dropped < 200, f"{dropped} of 200 records were lost")
    os.kill(scribe, signal.SIGCONT)
    lines = t.eventually(lambda: len(found := server.lines_since()) >= 200 - dropped and found,
                         "the others are written")
    t.equal(len(lines), 200 - dropped, "lines")


@test
def a_limit_says_its_value_and_setting(t):
    """Those of the server, which hold before a site is known, and those of the site."""
    server = t.server()
    for target, fields, reason, setting in (("/" + "x" * 9000, (), "url-too-long", "limits.url"),
                                            ("/" + "x" * 3000, (), "path-too-long", "limits.path"),
                                            ("/", [("X-Long", "y" * 9000)], "field-too-large", "limits.field")):
        mark = server.mark()
        server.get(target, fields=fields)
        line = server.next_line(mark)
        t.reason(line, reason)
        t.check(line.setting.endswith(setting) and line.limit > 0, f"{reason}: {line.raw}")
