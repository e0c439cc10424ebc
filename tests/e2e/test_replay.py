"""`sallyport replay`: what a policy would have made of a log. Its verdicts are those of a live server, and the lines of
real servers give the requests that were sent."""

import gzip
import json
import os
import subprocess

from harness import reply, test
from harness.peers import Peer
from harness.server import BINARY, is_sanitized, run_command
from harness.wire import Client

# What is sent, as it is written on the wire: quotes, backslashes, escapes, UTF-8, control bytes, commas.
TARGETS = [b"/", b"/plain?a=b&c=d", b'/quote"inside', b"/back\\slash", b'/both\\"', b"/percent%22%5C%0a", "/ü/日本?q=é".encode(), b"/latin1-\xe4\xff",
           b"/apostrophe'x", b"/brackets[1]{2}|^`", b"/tilde~!$&()*+,;=:@", b"/x?q=\\x22", b"/log] \"GET / HTTP/1.1\" 200 1", b"/tab\there",
           b"/bell\x07", b"/escape\x1b[31m", b"/del\x7f", b"/dots/../x//y;z", b"http://site.example/absolute?x"]


def policy(t, name="policy.cfg", **shield):
    """A policy with one site for every host."""
    file = t.directory() / name
    text = " ".join(f"{key} = {value};" for key, value in shield.items())
    file.write_text('listen = ( { address = ":8080"; } );\n'
                    'sites = ( { name = "shop"; hosts = ( "shop.example", "site.example" ); origins = ( "http://127.0.0.1:80" );\n'
                    f"shield = {{ {text} }}; }} );\ndefault_site = \"shop\";\n")
    return str(file)


def log(t, *lines, name="access.log"):
    file = t.directory() / name
    file.write_bytes(b"".join(line if isinstance(line, bytes) else line.encode() + b"\n" for line in lines))
    return str(file)


def line(request, status=200, client="192.0.2.7", agent="test/1"):
    return f'{client} - - [26/Nov/2026:12:00:00 +0000] "{request}" {status} 5 "-" "{agent}"'


def replayed(t, *arguments, status=None):
    result = run_command("replay", "--json", *arguments)
    t.check(result.stdout, f"an answer: {result.returncode} {result.stderr!r}")
    answer = json.loads(result.stdout)
    expected = 1 if answer["newly_rejected"]["count"] else 0
    t.equal(result.returncode, expected if status is None else status, f"exit status; {result.stderr}")
    return answer


def by(answer, kind="newly_rejected"):
    return {row.get("rule") or row["reason"]: row for row in answer[kind]["by"]}


def counts(answer):
    return tuple(answer[kind]["count"] for kind in ("newly_rejected", "newly_passed", "watched"))


def as_bytes(text):
    """As the JSON of sallyport has bytes: UTF-8 where they are, else Latin-1."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


# ---- against other servers' logs

@test
def exceptions_count_as_long_as_they_do(t):
    file = log(t, line("GET /search?q=1%20union%20select%20a,b%20from%20c-- HTTP/1.1"), line("GET /x?q=1%20union%20select%20a,b%20from%20c-- HTTP/1.1"))
    for expires, refused in (("never", 1), ("2020-01-01", 2)):
        exception = f'( {{ tag = "sql"; path = "/search"; argument = "q"; owner = "shop"; reason = "search"; expires = "{expires}"; }} )'
        answer = replayed(t, file, "-c", policy(t, exceptions=exception))
        t.equal(answer["newly_rejected"]["count"], refused, f"refused, where it expires {expires}")

@test
def refusals_are_counted_by_rule_with_what_had_succeeded(t):
    file = log(t, line("GET / HTTP/1.1"), line("GET /?q=1%20union%20select%20a,b%20from%20c-- HTTP/1.1"),
               line("GET /?q=1%20union%20select%20a,b%20from%20c-- HTTP/1.1", 404, "192.0.2.8"), line("GET /.env HTTP/1.1", 302))
    answer = replayed(t, file)
    t.equal((answer["lines"], answer["requests"], answer["passed_both"]), (4, 4, 1), "lines, requests, passed")
    t.equal(counts(answer), (3, 0, 0), "rejected, passed, watched")
    t.equal([answer["newly_rejected"][key] for key in ("clients", "succeeded")], [2, 2], "clients, succeeded")
    rows = by(answer)
    sql = next(row for name, row in rows.items() if name.startswith("sql."))
    t.equal((sql["count"], sql["clients"], sql["succeeded"]), (2, 2, 1), "of the SQL rule")
    t.check(rows["leak.environment"]["examples"][0] | {"line": 4, "status": 302, "request": "GET /.env"}
            == rows["leak.environment"]["examples"][0], f"its example: {rows['leak.environment']}")
    t.check('rule = "sql.' in sql["exception"] and 'argument = "q"' in sql["exception"], f"the narrowest exception: {sql}")


@test
def examples_are_first_of_what_had_succeeded(t):
    file = log(t, *[line("GET /.env HTTP/1.1", 404)] * 3, line("GET /a/.env HTTP/1.1", 200), line("GET /b/.env HTTP/1.1", 304))
    examples = by(replayed(t, "--show", "2", file))["leak.environment"]["examples"]
    t.equal([e["request"] for e in examples], ["GET /a/.env", "GET /b/.env"], "examples")
    t.equal(by(replayed(t, "--show", "0", file))["leak.environment"]["examples"], [], "none")


@test
def limits_say_their_setting_and_the_most_that_came(t):
    file = log(t, line("GET /?" + "a" * 50 + " HTTP/1.1"), line("GET /?" + "a" * 90 + " HTTP/1.1"))
    row = by(replayed(t, "-c", policy(t, limits='{ query = "40 B"; }'), file))["query-too-long"]
    t.equal((row["setting"], row["limit"], row["most"], row["count"]), ("sites[].shield.limits.query", 40, 90, 2), "the limit")


@test
def two_policies_are_compared_whatever_the_log_says(t):
    file = log(t, line("GET /a.zip HTTP/1.1", 403), line("GET /b.exe HTTP/1.1"), line("GET /c.zip.exe HTTP/1.1"), line("GET / HTTP/1.1"))
    old, new = policy(t, deny='{ extensions = ( "zip" ); }'), policy(t, deny='{ extensions = ( "exe" ); }')
    answer = replayed(t, "-c", new, "--against", old, file)
    t.equal(counts(answer), (2, 1, 0), "rejected, passed, watched")
    t.equal([e["request"] for e in by(answer, "newly_passed")["extension-denied"]["examples"]], ["GET /a.zip"], "passes now")
    answer = replayed(t, "-c", new, "--against", new, file)
    t.equal((counts(answer), answer["rejected_both"], answer["passed_both"]), ((0, 0, 0), 2, 2), "with itself")


@test
def what_is_only_watched_is_no_rejection(t):
    file = log(t, line("GET /.env HTTP/1.1"), line("GET / HTTP/1.1"))
    answer = replayed(t, "-c", policy(t, mode='"monitor"'), file)
    t.equal((counts(answer), list(by(answer, "watched"))), ((0, 0, 1), ["leak.environment"]), "a site in monitor mode")
    answer = replayed(t, "-c", policy(t, mode='"monitor"', deny_addresses='( "192.0.2.0/24" )'), file)
    t.equal((counts(answer), sorted(by(answer, "watched"))), ((0, 0, 2), ["address-denied"]), "addresses too, which come first")
    answer = replayed(t, "-c", policy(t, rules='( { rules = ( "leak.*" ); mode = "monitor"; } )'), file)
    t.equal((counts(answer), list(by(answer, "watched"))), ((0, 0, 1), ["leak.environment"]), "a rule in monitor mode")
    answer = replayed(t, "-c", policy(t, rules='( { rules = ( "leak.*" ); mode = "off"; } )'), file)
    t.equal(counts(answer), (0, 0, 0), "a rule that is off")


@test
def clients_and_hosts_of_the_log_are_judged(t):
    lines = ["shop.example:80 192.0.2.7 - - [t] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"",
             "evil.example:80 198.51.100.9 - - [t] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\""]
    file = log(t, *lines)
    rows = by(replayed(t, "-c", policy(t, deny_addresses='( "192.0.2.0/24" )', deny='{ hosts = ( "evil.example" ); }'), file))
    t.equal({name: row["count"] for name, row in rows.items()}, {"address-denied": 1, "host-denied": 1}, "both")


@test
def a_site_takes_what_has_no_host_and_its_own(t):
    file = t.directory() / "two.cfg"
    file.write_text('listen = ( { address = ":8080"; } ); sites = (\n'
                    '{ name = "one"; hosts = ( "one.example" ); origins = ( "http://127.0.0.1:80" ); },\n'
                    '{ name = "two"; hosts = ( "*.two.example" ); origins = ( "http://127.0.0.1:81" ); shield = { methods = ( "POST" ); }; } );\n')
    lines = log(t, line("GET /bare HTTP/1.1"), json.dumps({"request": "GET /one HTTP/1.1", "host": "one.example"}),
                json.dumps({"request": "GET /two HTTP/1.1", "host": "x.two.example"}), json.dumps({"request": "GET /no HTTP/1.1", "host": "no.example"}))
    answer = replayed(t, "-c", str(file), "--site", "two", lines)
    t.equal((answer["requests"], answer["other_sites"], counts(answer)[0]), (2, 2, 2), "requests, others, rejected")
    t.equal([e["request"] for e in by(answer)["method-denied"]["examples"]], ["GET /bare", "GET /two"], "of the site")
    answer = replayed(t, "-c", str(file), "--site", "one", lines)
    t.equal((answer["requests"], answer["other_sites"], counts(answer)[0]), (2, 2, 0), "of the other")
    rows = by(replayed(t, "-c", str(file), lines))
    t.equal(sorted(rows), ["host-unknown", "method-denied"], "of all")
    result = run_command("replay", "-c", str(file), "--site", "three", lines)
    t.equal(result.returncode, 2, f"no such site: {result.stderr}")


# ---- real servers

# Apache writes white space within a request anew; nginx does not.
@test(each={"nginx": ("nginx, logging", TARGETS), "apache": ("apache, logging", [target for target in TARGETS if b" " not in target and b"\t" not in target])})
def what_a_real_server_logs_is_read_as_it_was_sent(t, peer):
    kind, targets = peer
    if not Peer.is_installed(kind):
        t.skip(f"{kind} is not installed")
    folder = t.directory()
    (folder / "root").mkdir()
    peer = Peer(kind, folder / "root", folder)
    t.later(peer.close)
    for target in targets:
        client = Client(peer.address)
        client.send(b"GET " + target + b" HTTP/1.1\r\nHost: site.example\r\nUser-Agent: a\"b\\c \xc3\xa4\r\nConnection: close\r\n\r\n")
        client.read_all()
        client.close()
    access = folder / "access.log"
    t.eventually(lambda: access.exists() and access.read_bytes().count(b"\n") > len(targets), "all lines")
    answer = replayed(t, "-c", policy(t, methods='( "POST" )'), "--show", "1000", str(access))
    t.equal((answer["unreadable"], answer["passed_both"]), (0, 0), "unreadable, passed")
    found = {as_bytes(e["request"]) if e["latin1"] else e["request"].encode()
             for row in answer["newly_rejected"]["by"] for e in row["examples"]}
    for target in targets:
        t.check(b"GET " + target in found, f"{target!r} among {sorted(found)}")


# ---- our own log

ORDINARY = [b"/", b"/a?b=c", "/ü?q=%C3%A9".encode(), b"/a//b;x?y"]
REFUSED = [b"/.env", b"/%252e%252e/etc/passwd", b"/?q=1%20union%20select%20a,b%20from%20c--", b"/x%00", b'/"quoted"', b"/a\\b", b"/" + b"x" * 3000]


@test(each={"json": "json", "combined": "combined"})
def the_policy_that_wrote_a_log_changes_nothing_and_another_what_it_says(t, form):
    server = t.server({"log": {"format": form}})
    for target in ORDINARY + REFUSED:
        client = t.client(server)
        client.send(b"GET " + target + b" HTTP/1.1\r\nHost: site.example\r\nUser-Agent: test \"1\"\r\n\r\n")
        client.read_response()
    access = server.access_log
    t.eventually(lambda: access.exists() and access.read_bytes().count(b"\n") >= len(ORDINARY + REFUSED), "all lines")
    same = replayed(t, "-c", str(server.file), "--format", "sallyport", str(access))
    t.equal(counts(same), (0, 0, 0), "the same policy")
    t.equal((same["passed_both"], same["rejected_both"]), (len(ORDINARY), len(REFUSED)), "passed, rejected")
    off = replayed(t, "-c", policy(t, mode='"off"'), str(access))
    t.equal(counts(off), (0, len(REFUSED), 0), "a shield that is off")
    t.check("leak.environment" in by(off, "newly_passed") and "escape-double" in by(off, "newly_passed"), f"by what refused: {by(off, 'newly_passed')}")
    strict = replayed(t, "-c", policy(t, methods='( "POST" )'), str(access))
    t.equal(counts(strict), (len(ORDINARY), 0, 0), "a stricter one")


@test
def what_a_log_does_not_show_is_not_called_passed(t):
    server = t.server({"site": {"shield": {"throttle": {"per_client": "1/h", "burst": 2}}}})
    mark = server.mark()
    server.get("/one")
    form = b"q=1%20union%20select%20a,b%20from%20c--"
    t.client(server).send(b"POST /form HTTP/1.1\r\nHost: site.example\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                          b"Content-Length: %d\r\n\r\n%s" % (len(form), form)).read_response()
    server.get("/three")
    t.eventually(lambda: len(server.lines_since(mark)) == 3, "three lines")
    reasons = [l["reason"] for l in server.lines_since(mark)]
    t.equal(reasons, ["-", "rule", "throttled"], "reasons then")
    answer = replayed(t, "-c", str(server.file), str(server.access_log))
    t.equal((counts(answer), answer["rejected_unseen"], answer["passed_both"]), ((0, 0, 0), 2, 1), "by content and by rate")


# ---- a rule that is only watched, live

WATCHED = {"site": {"shield": {"rules": [{"rules": ["sql.*"], "mode": "monitor"}]}}}
INJECTION = b"q=1%20union%20select%20a,b%20from%20c--"


@test
def a_watched_rule_lets_pass_and_is_told_and_others_refuse(t):
    server = t.server(WATCHED, {"/shop": reply(b"here")})
    mark = server.mark()
    t.equal(server.get("/shop?" + INJECTION.decode()).status, 200, "the query passes")
    line_of = server.next_line(mark)
    t.check(line_of.rule.startswith("sql.") and line_of["enforced"] is False and line_of["action"] == "reject", f"the line: {line_of.raw}")
    mark = server.mark()
    client = t.client(server)
    client.send(b"POST /shop HTTP/1.1\r\nHost: site.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s"
                % (len(INJECTION), INJECTION))
    t.equal(client.read_response().status, 200, "the form passes")
    t.check(server.next_line(mark).rule.startswith("sql."), "and is told")
    mark = server.mark()
    t.equal(server.get("/.env?" + INJECTION.decode()).status, 403, "another rule refuses")
    t.equal(server.next_line(mark).rule, "leak.environment", "the rule")


@test
def a_rule_that_is_enforced_by_a_reload_refuses(t):
    server = t.fresh_server(WATCHED)
    t.equal(server.get("/?" + INJECTION.decode()).status, 200, "watched")
    server.write_policy({"site": {"shield": {"rules": [{"rules": ["sql.*"], "mode": "enforce"}]}}})
    server.reload()
    t.equal(server.get("/?" + INJECTION.decode()).status, 403, "enforced")
    t.eventually(lambda: len(server.lines_since()) == 2, "two lines")
    answer = replayed(t, "-c", str(server.file), str(server.access_log))
    t.equal((counts(answer), answer["rejected_both"]), ((1, 0, 0), 1), "what was watched then is newly rejected")


# ---- files

@test
def gzip_standard_input_and_many_logs_are_read(t):
    plain = log(t, line("GET /.env HTTP/1.1"))
    packed = t.directory() / "access.log.gz"
    packed.write_bytes(gzip.compress(b"GET\n") + gzip.compress(line("GET /.env HTTP/1.1").encode()))
    answer = replayed(t, plain, str(packed), plain)
    t.equal((answer["lines"], answer["unreadable"], counts(answer)[0]), (4, 1, 3), "of three logs, one with two members")
    for content in (open(plain, "rb").read(), packed.read_bytes()):
        result = subprocess.run([BINARY, "replay", "--json", "-"], input=content, capture_output=True, timeout=30 * t.pace())
        t.equal(json.loads(result.stdout)["newly_rejected"]["count"], 1, "of standard input")


@test
def lines_that_are_broken_are_counted_and_shown_and_never_fatal(t):
    long = b"x" * (300 << 10) + b"\n"
    file = log(t, line("GET /a HTTP/1.1"), "nonsense", b"\x00\xff\x1b[31m\n", long, line("GET /b HTTP/1.1"), b'192.0.2.7 - - [t] "GET /cut')
    answer = replayed(t, file)
    t.equal((answer["lines"], answer["requests"], answer["unreadable"]), (6, 2, 4), "lines, requests, unreadable")
    t.equal([(note["line"], note["why"]) for note in answer["unread"]][2], (4, "longer than 256 KiB"), "the notes")
    text = run_command("replay", file).stdout
    t.check("4 could not be read:" in text and text.count("access.log:") == 3, f"as text, with the first three: {text}")


@test
def what_cannot_be_read_is_status_2(t):
    good = log(t, line("GET / HTTP/1.1"))
    cut = t.directory() / "cut.gz"
    cut.write_bytes(gzip.compress(b"".join(line(f"GET /{n} HTTP/1.1").encode() + b"\n" for n in range(9000)))[:-30])
    for arguments, word in (((good, "/nonexistent.log"), "No such file"), ((str(t.directory()),), "directory"), ((str(cut),), "cut short"),
                            ((log(t, "GET /, GET /x"),), "not one line"), (("-c", "/nonexistent.cfg", good), "nonexistent"),
                            ((), "which log"), (("--format", "xml", good), "--format"), (("--top", "x", good), "--top")):
        result = run_command("replay", *arguments)
        t.equal(result.returncode, 2, f"{arguments}: {result.stderr}")
        t.check(word in result.stderr, f"{word!r} in {result.stderr!r}")
    t.equal(replayed(t, "-c", policy(t), log(t, name="empty.log"))["lines"], 0, "an empty log is no failure")


@test
def what_the_server_says_itself_between_its_lines_is_no_broken_line(t):
    said = [f"2026-11-26T13:40:51.614Z {role}[12351] {level}: 192.0.2.7 is banned" for role in ("master", "worker")
            for level in ("info", "warning", "error")]
    answer = replayed(t, log(t, line("GET /a HTTP/1.1"), *said, "2026-11-26T13:40:51.614Z nobody knows what"))
    t.equal((answer["requests"], answer["no_requests"], answer["unreadable"]), (1, 6, 1), "requests, others, unreadable")


@test
def nothing_of_a_log_reaches_the_terminal_as_it_is(t):
    file = log(t, b'192.0.2.7 - - [t] "GET /.env\x1b[31m\x9b HTTP/1.1" 200 1 "-" "x"\n', b'192.0.2.7 - - [t] "GET /\\x1b]0;y\\x07.env HTTP/1.1" 200 1\n', b'{"\xc2\x9b31m\x7f\n')
    result = subprocess.run([BINARY, "replay", file], capture_output=True, timeout=30 * t.pace())
    t.equal(result.returncode, 1, f"status: {result.stderr}")
    t.check(all(byte == 10 or 32 <= byte < 127 for byte in result.stdout), f"{result.stdout!r}")
    t.check(b"\\x1B[31m\\x9B" in result.stdout, f"it is shown: {result.stdout!r}")


def peak(t, count):
    """Bytes that a replay of so many rejected requests, each of another client, takes at most."""
    file = t.directory() / "many.log"
    with open(file, "w") as out:
        for n in range(count):
            out.write(line(f"GET /{n}/.env HTTP/1.1", client=f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}") + "\n")
    with open(t.directory() / "answer", "w+") as answer:
        process = subprocess.Popen([BINARY, "replay", "--json", str(file)], stdout=answer)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        answer.seek(0)
        rejected = json.load(answer)["newly_rejected"]
    t.equal((rejected["count"], rejected["clients"]), (count, count), "all, of as many clients")
    return usage.ru_maxrss << 10


@test(seconds=60)
def memory_does_not_grow_with_the_log(t):
    few, many = peak(t, 2_000), peak(t, 100_000)
    t.note(f"{few >> 10} KiB for 2,000 lines, {many >> 10} KiB for 100,000")
    # Clients are remembered, 8 bytes each in a table at most half full. A sanitizer keeps what was freed.
    t.check(many - few < (300 << 20 if is_sanitized() else 8 << 20), f"{few} bytes, then {many}")
