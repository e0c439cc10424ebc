"""What is kept of refused requests: `sallyport explain --request-id` tells why, and nobody's secrets."""

import json
import os
import pwd
import re
import stat
import time

from harness import test
from harness.server import is_sanitized, run_command
from harness.wire import request

SECRET = "hunter2-correct-horse"
SLOT = 4096
RULES = [{"id": "t.word", "where": ["argument", "form", "json"], "pattern": "evil *word", "transform": ["lowercase", "comments"], "message": "a word"},
         {"id": "t.cookie", "where": "cookie", "pattern": "evilcookie", "message": "a cookie"},
         {"id": "t.field", "where": "field", "pattern": "evilfield", "message": "a field"},
         {"id": "t.watched", "where": "argument", "pattern": "watched", "mode": "monitor", "message": "watched"}]
POLICY = {"rules": RULES, "site": {"shield": {"limits": {"arg_value": "200 B"}}},
          "evidence": {"secrets": ["member-no"]}}


def file_of(server):
    return server.directory / "vault" / "evidence"


def refused(t, server, data, status=403):
    """The id that the error page shows is the one that the log has."""
    mark = server.mark()
    response = t.client(server).send(data).read_response()
    t.equal(response.status, status, "status")
    line = server.next_line(mark)
    t.check(line.id.encode() in response.body, "the page has the id")
    return line.id


def explain(server, name, *arguments):
    return server.command("explain", "--request-id", name, "-c", str(server.file), *arguments)


def explained(t, server, name):
    answer = {}

    def is_there():
        result = explain(server, name, "--json")
        if result.returncode == 0:
            answer.update(json.loads(result.stdout))
        return result.returncode == 0
    t.eventually(is_there, lambda: f"{name} is kept: {explain(server, name).stderr}", 3.0)
    return answer


def step(answer, name):
    return [s["text"] for s in answer["steps"] if s["step"] == name]


def nowhere(t, server, secret=SECRET):
    t.check(secret.encode() not in file_of(server).read_bytes(), "the secret is in the file")


def kept(server):
    """How many records there are."""
    data = file_of(server).read_bytes()
    return sum(data[at:at + 4] == b"SPe1" for at in range(0, len(data), SLOT))


@test
def a_refusal_by_rule_is_explained(t):
    server = t.server(POLICY)
    name = refused(t, server, request(f"/find?a=1&q=x+EVIL/**/%20WORD+y&password={SECRET}&member_no=4711",
                                      fields=[("Authorization", f"Basic {SECRET}"), ("X-Api-Key", SECRET), ("Accept", "*/*"),
                                              ("Cookie", f"sid={SECRET}; {SECRET}"), ("Referer", f"http://x/?token={SECRET}&b=1")]))
    answer = explained(t, server, name)
    length = len(SECRET)
    t.equal(step(answer, "request"), [f"GET /find?a=1&q=x+EVIL/**/%20WORD+y&password=[{length} bytes]&member_no=[4 bytes] HTTP/1.1"], "request")
    fields = step(answer, "field")
    for field in (f"Authorization: [{length + 6} bytes]", f"X-Api-Key: [{length} bytes]", "Accept: */*",
                  f"Cookie: sid=[{length} bytes]; [{length} bytes]", f"Referer: http://x/?token=[{length} bytes]&b=1"):
        t.check(field in fields, f"{field} in {fields}")
    t.equal((answer["reason"], answer["rule"], answer["status"], answer["enforced"]), ("rule", "t.word", 403, True), "verdict")
    rule = step(answer, "rule")[0]
    t.check(rule.startswith("t.word (") and "refuses) in argument q: a word" in rule
            and "x+EVIL/**/%20WORD" in rule and "seen through lowercase, comments" in rule, rule)
    t.equal(step(answer, "seen")[0], "decoded: x EVIL/**/ WORD+y".replace("+", " "), "decoded")
    t.check(step(answer, "seen")[1].startswith("lowercase: x evil/**/ word"), "first step")
    t.check(step(answer, "seen")[2].startswith("comments: x evil"), "second step")
    t.equal(step(answer, "now"), ["this policy judges it alike"], "now")
    t.check('rule = "t.word"' in step(answer, "exception")[0] and 'path = "/find"' in step(answer, "exception")[0]
            and 'argument = "q"' in step(answer, "exception")[0], "the exception")
    nowhere(t, server)
    plain = explain(server, name)
    t.check(plain.stdout.startswith("request    GET /find?") and plain.stderr == "", plain.stdout)


@test
def a_refusal_by_content_is_explained(t):
    server = t.server(POLICY)
    body = f"password={SECRET}&comment=some+Evil++Word".encode()
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    answer = explained(t, server, refused(t, server, request("/post", method="POST", fields=form, body=body)))
    rule = step(answer, "rule")[0]
    t.check("in form comment: a word; an excerpt, up to the match: " in rule and "evil  word" in rule, rule)
    t.check('form = "comment"' in step(answer, "exception")[0], "the exception")
    t.check("lets its head pass" in step(answer, "now")[0], "its content is not kept")
    nowhere(t, server)


@test
def what_is_torn_out_of_content_says_no_secret(t):
    """Of content an excerpt is kept, whose beginning may have named a secret."""
    form, text = "application/x-www-form-urlencoded", "text/plain"
    rules = [*RULES, {"id": "t.content", "where": ["content", "form-name"], "contains": "evil word", "message": "x"}]
    server = t.server({**POLICY, "rules": rules, "evidence": {"per_second": 100}})
    def secret(name, bio, before=""):
        return '{%s"%s":"%s","bio":"%s"}' % (before, name, SECRET, bio)

    for kind, content in [
            *((text, secret("password", "x" * n + " evil word")) for n in (0, 30, 50, 60, 70, 200)),
            *((form, start + secret("password", "x" * n + " evil word")) for n in (0, 60) for start in ("", "payload=")),
            *((form, secret("token", "a=evil word", before)) for before in ("", '"x":"%s",' % ("x" * 90)))]:
        answer = explained(t, server, refused(t, server, request("/", method="POST", fields=[("Content-Type", kind)], body=content.encode())))
        t.check(SECRET not in json.dumps(answer), f"{content}: {answer}")
    plain = "it was said that " + "words " * 20 + "and an evil word"
    answer = explained(t, server, refused(t, server, request("/", method="POST", fields=[("Content-Type", text)], body=plain.encode())))
    t.check("words and an evil word" in json.dumps(answer), f"what names nothing is shown: {answer}")
    nowhere(t, server)


@test
def a_match_within_a_secret_is_told_by_its_length(t):
    server = t.server(POLICY)
    cases = [
        (request("/", fields=[("Cookie", f"theme=evilcookie{SECRET}")]), "t.cookie", "in cookie theme: "),
        (request(f"/?user[password]={SECRET}%20evil%20word"), "t.word", "in argument user[password]: "),
        (request("/", fields=[("X-Auth-Token", f"{SECRET}evilfield")]), "t.field", "in field X-Auth-Token: "),
        (request("/", method="POST", fields=[("Content-Type", "application/x-www-form-urlencoded")],
                 body=f"a=1&new-password={SECRET}+evil+word".encode()), "t.word", "in form new-password: "),
        (request("/", method="POST", fields=[("Content-Type", "application/json")],
                 body=json.dumps({"user": {"memberNo": f"{SECRET} evil word"}}).encode()), "t.word", "memberNo"),
    ]
    for data, rule, place in cases:
        answer = explained(t, server, refused(t, server, data))
        text = step(answer, "rule")[0]
        t.check(text.startswith(rule) and place in text and re.search(r"\[\d+ bytes\] \(\d+ bytes\)", text), f"{place} in {text}")
        t.equal(step(answer, "seen"), [], "no step is shown of what is masked")
        t.check("[" in step(answer, "verdict")[0] and SECRET not in json.dumps(answer), "the verdict")
    nowhere(t, server)


@test
def bytes_of_content_that_are_at_fault_are_told_by_their_length(t):
    """They lie in a value, and nothing says in which."""
    server = t.server(POLICY)
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    for body in (f"password=%00{SECRET}", f"password={SECRET}%00"):
        answer = explained(t, server, refused(t, server, request("/", method="POST", fields=form, body=body.encode()), 400))
        t.equal((answer["reason"], "byte" in step(answer, "verdict")[0]), ("escape-nul", True), "the verdict")
        t.check("%00" not in step(answer, "verdict")[0], step(answer, "verdict")[0])
    broken = b'{"password": "' + SECRET.encode() + b'", "x": }'
    answer = explained(t, server, refused(t, server, request("/", method="POST", fields=[("Content-Type", "application/json")], body=broken), 400))
    t.check(answer["reason"].startswith("body"), answer["reason"])
    nowhere(t, server)


@test
def a_refusal_by_a_limit_names_setting_and_value(t):
    server = t.server(POLICY)
    answer = explained(t, server, refused(t, server, request("/?q=" + "a" * 300), 414))
    verdict = [s for s in answer["steps"] if s["step"] == "verdict"][0]
    t.check("the limit is 200, the value 300" in verdict["text"], verdict["text"])
    t.check(verdict["setting"].endswith("limits.arg_value"), verdict["setting"])
    t.equal(step(answer, "exception"), [], "a limit has no exception")


WEIGHTY = {"rules": [{"id": f"t.{word}", "where": "argument", "pattern": word, "score": score, "message": "weighs"}
                     for word, score in (("three", 3), ("two", 2))],
           "site": {"shield": {"limits": {"score": 4}}}}


@test
def of_a_score_everything_that_weighs_is_named(t):
    server = t.server(WEIGHTY)
    answer = explained(t, server, refused(t, server, request("/?a=three&b=two")))
    t.equal(answer["reason"], "score", "the reason")
    t.equal({text.split()[0] for text in step(answer, "rule")}, {"t.three", "t.two"}, "rules")
    exceptions = "\n".join(step(answer, "exception"))
    t.check('rule = "t.three"' in exceptions and 'rule = "t.two"' in exceptions, exceptions)


@test
def an_exception_can_be_pasted_as_it_is(t):
    if "shield.exceptions" not in run_command("check", "--settings").stdout:
        t.skip("policies have no exceptions yet")
    server = t.server(POLICY)
    answer = explained(t, server, refused(t, server, request("/find;jsession/x?a%5B%22%5D=evil+word")))
    said = step(answer, "exception")
    t.equal(len(said), 1, "exceptions")
    text = said[0].replace("NAME WHO ANSWERS FOR IT", "shop").replace("SAY WHY", "it is a word")
    policy = server.directory / "pasted.cfg"
    policy.write_text(re.sub(r"shield = \{", lambda found: found[0] + f" exceptions = ( {text} );", server.file.read_text(), count=1))
    t.check("exceptions" in policy.read_text(), policy.read_text())
    result = run_command("check", "-c", str(policy))
    t.equal(result.returncode, 0, f"{result.stdout}{result.stderr}")


@test
def what_is_not_even_a_request_is_masked_where_it_was_not_understood(t):
    server = t.server(POLICY)
    data = f"GET /?token={SECRET} HTTP/1.1\r\nHost: site.example\r\nAuthorization : Basic {SECRET}\r\n\r\n".encode()
    answer = explained(t, server, refused(t, server, data, 400))
    t.check(answer["reason"].startswith("field"), answer["reason"])
    nowhere(t, server)
    t.check(SECRET not in json.dumps(answer), "the answer")


@test
def the_log_has_of_a_secret_its_name_alone(t):
    """Whatever refuses it: a limit, a byte that no field has, a rule, a finding in content."""
    rules = [*RULES, {"id": "t.bare", "where": "cookie-name", "pattern": "evilcookie", "message": "a name"}]
    server = t.server({**POLICY, "rules": rules, "limits": {"field": "2 KiB", "head": "8 KiB"}, "evidence": {"size": 0, "secrets": ["member-no"]}})
    form, start = [("Content-Type", "application/x-www-form-urlencoded")], b"GET / HTTP/1.1\r\nHost: site.example\r\n"
    many = (SECRET * 200).encode()
    cases = [
        *((start + name + b": " + many + b"\r\n\r\n", name) for name in (b"Authorization", b"Cookie", b"proxy-authorization", b"Member-No")),
        *((start + name + b": " + SECRET.encode() + b"\x01\r\n\r\n", name) for name in (b"Authorization", b"COOKIE", b"Set-Cookie")),
        (start + b"Authorization : Basic " + SECRET.encode() + b"\r\n\r\n", b"Authorization"),
        (start + b"Cookie: a=b\r\n sid=" + SECRET.encode() + b"\r\n\r\n", b"Cookie"),
        (start + (b"Cookie: " + SECRET.encode() * 40 + b"\r\n") * 10, b"Cookie"),
        (request("/", fields=[("Cookie", f"theme=evilcookie{SECRET}")]), b"theme"),
        (request("/", fields=[("Cookie", f"{SECRET}evilcookie")]), None),
        (request("/", fields=[("X-Auth-Token", f"{SECRET}evilfield")]), b"X-Auth-Token"),
        (request("/", method="POST", fields=form, body=f"new-password={SECRET}+evil+word".encode()), b"new-password"),
    ]
    for data, name in cases:
        mark = server.mark()
        t.client(server).send(data).read_response()
        line = server.next_line(mark)
        t.check(SECRET not in line.raw and line.action == "reject", f"{data[-80:]}: {line.raw}")
        if name:
            t.equal(line.evidence.encode(), name, f"evidence of {data[-80:]}")
    mark = server.mark()
    t.client(server).send(start + b"X-Plain: seen\x01\r\n\r\n").read_response()
    t.check("seen" in server.next_line(mark).evidence, "what is no secret is told")


@test
def what_monitor_mode_lets_pass_is_kept_too(t):
    server = t.server(POLICY)
    mark = server.mark()
    t.equal(server.get("/?q=watched").status, 200, "status")
    answer = explained(t, server, server.next_line(mark).id)
    t.equal((answer["enforced"], answer["allowed"], answer["rule"]), (False, True, "t.watched"), "the verdict")
    t.check("only watched" in step(answer, "rule")[0], "the rule")
    t.check('rule = "t.watched"' in step(answer, "exception")[0], "the exception")


@test
def what_passes_leaves_nothing(t):
    server = t.fresh_server(POLICY)
    for i in range(20):
        t.equal(server.get(f"/page/{i}?q=good").status, 200, "status")
    name = refused(t, server, request("/?q=evil+word"))
    explained(t, server, name)
    t.equal(kept(server), 1, "records")


@test
def another_policy_would_judge_otherwise(t):
    server = t.fresh_server(POLICY)
    name = refused(t, server, request("/?q=evil+word", fields=[("Cookie", "a=b")]))
    explained(t, server, name)
    server.write_policy({"rules": [{**RULES[0], "mode": "off"}, *RULES[1:]]})
    answer = explained(t, server, name)
    t.check(step(answer, "now")[0].startswith("this policy lets its head pass"), step(answer, "now")[0])
    server.write_policy({"rules": RULES[1:]})
    t.check("the policy has no such rule any more" in step(explained(t, server, name), "rule")[0], "a rule that is gone")


@test
def the_file_is_root_s_or_the_user_s_alone(t):
    server = t.server(POLICY)
    refused(t, server, request("/?q=evil+word"))
    info = os.stat(file_of(server))
    t.equal(stat.S_IMODE(info.st_mode), 0o600, "mode")
    t.equal((info.st_uid, info.st_size), (os.geteuid(), 8 << 20), "owner and size")


@test
def a_stranger_is_told_who_may_read_it(t):
    if os.geteuid() != 0:
        t.skip("only root can become another user")
    nobody = pwd.getpwnam("nobody").pw_uid
    server = t.fresh_server(POLICY, user=nobody)
    name = refused(t, server, request("/?q=evil+word"))
    explained(t, server, name)
    t.equal(os.stat(file_of(server)).st_uid, nobody, "owner")
    other = pwd.getpwnam("daemon").pw_uid
    pid = os.fork()
    if pid == 0:
        os.setgid(other)
        os.setuid(other)
        result = run_command_of(server.binary, "explain", "--request-id", name, "-c", str(server.file))
        said = "only root, or the user that runs sallyport, may read it" in result.stderr
        os._exit(0 if result.returncode == 1 and said and not result.stdout else 1)
    t.equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, "what another user is told")


def run_command_of(binary, *arguments):
    import subprocess
    return subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=30, check=False)


@test
def an_id_that_is_not_there_is_answered_with_what_is(t):
    server = t.server(POLICY)
    explained(t, server, refused(t, server, request("/?q=evil+word")))
    result = explain(server, "0" * 32)
    t.equal((result.returncode, result.stdout), (1, ""), "exit status")
    t.check(re.search(r"nothing is kept of 0{32}\.\n.* has \d+ refusals, from 2\S+Z to 2\S+Z; \d+ more were only counted", result.stderr)
            and "There is room for 2048" in result.stderr and "evidence.per_second" in result.stderr, result.stderr)
    t.equal(explain(server, "xyz").returncode, 1, "no id")
    t.equal(server.command("explain", "--request-id", "0" * 32, "/x").returncode, 2, "wrong use")


@test
def evidence_outlives_restart_reload_and_damage(t):
    server = t.fresh_server(POLICY)
    name = refused(t, server, request("/?q=evil+word"))
    first = explained(t, server, name)
    t.equal(server.reload().status, 200, "reload")
    later = refused(t, server, request("/?q=evil+word"))
    explained(t, server, later)
    server.process.terminate()
    server.process.wait(20)
    with open(file_of(server), "r+b") as file:
        file.seek(100 * SLOT + 17)
        file.write(os.urandom(3 * SLOT))
        file.truncate(200 * SLOT + 5)
    t.equal(explained(t, server, name)["steps"], first["steps"], "while no server runs")
    server.start()
    newest = refused(t, server, request("/?q=evil+word"))
    for each in (name, later, newest):
        explained(t, server, each)
    t.equal(os.stat(file_of(server)).st_size, 8 << 20, "size")


@test
def its_size_follows_the_policy(t):
    server = t.fresh_server(POLICY)
    name = refused(t, server, request("/?q=evil+word"))
    explained(t, server, name)
    server.write_policy({"evidence": {"size": "64 KiB"}})
    t.equal(server.reload().status, 200, "reload")
    t.eventually(lambda: os.stat(file_of(server)).st_size == 64 << 10, "the file has shrunk", 5.0)
    explained(t, server, name)
    server.write_policy({"evidence": {"size": 0}})
    t.equal(server.reload().status, 200, "reload")
    before = kept(server)
    refused(t, server, request("/?q=evil+word"))
    time.sleep(0.3 * t.pace())
    t.equal(kept(server), before, "nothing is kept")


@test(seconds=60)
def a_flood_costs_little_and_throws_nothing_out(t):
    """One client, one rule, thousands a second: a few are kept, more than there is room for, the others are counted."""
    kept = 40  # a second; there is room for 16
    server = t.fresh_server({**POLICY, "evidence": {"size": "64 KiB", "per_second": kept}})
    precious = refused(t, server, request("/precious?q=" + "a" * 300), 414)
    explained(t, server, precious)
    data = request("/?q=evil+word&r=" + "x" * 100, fields=[(f"X-{i}", "y" * 50) for i in range(20)])
    memory, cpu, began = server.memory(), server.cpu_seconds(), time.monotonic()
    count = 3000
    for _ in range(count):
        client = server.client()
        client.send(data)
        client.read_response()
        client.close()
    spent = server.cpu_seconds() - cpu
    seconds = time.monotonic() - began
    t.note(f"{count} refusals in {seconds:.1f} s took {spent / count * 1e6:.0f} us of all processes each")
    t.check(spent / count < 0.0005 * t.pace(), f"{spent / count * 1e6:.0f} us each")
    if not is_sanitized():  # they keep what was freed
        t.check(server.memory() - memory < 2 << 20, f"memory grew by {server.memory() - memory}")
    explained(t, server, precious)
    t.equal(os.stat(file_of(server)).st_size, 64 << 10, "size")
    counters = server.status()["counters"]
    t.check(counters["evidence_skipped"] > count - kept * (seconds + 2) - 1, counters["evidence_skipped"])
    t.equal(counters["log_dropped"], 0, "log records dropped")


@test
def a_file_that_is_another_s_is_left_alone_and_the_server_serves(t):
    server = t.fresh_server(POLICY, start=False)
    folder = server.directory / "vault"
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    target = server.directory / "target"
    target.write_text("precious")
    (folder / "evidence").symlink_to(target)
    server.start()
    refused(t, server, request("/?q=evil+word"))
    t.equal(target.read_text(), "precious", "what the link leads to")
    t.check("no evidence of refusals is kept" in server.errors(), server.errors())
