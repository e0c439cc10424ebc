"""Pages where passwords are asked for: one client with many users, many clients with one user, and that the user himself gets in."""

import json
import urllib.parse

from harness import reply, test

RULE = {"path": "/login", "field": "user", "per_client": "6/h", "burst": 4, "per_user": "6/h", "user_burst": 3,
        "failed": ["401", "302 /login"]}
TRUSTED = {"trusted_proxies": ["127.0.0.0/8"]}


class Application:
    """Knows one password. Speaks like a program: 401 on /login, redirects on /login/form."""

    def __init__(self):
        self.tried = []

    def __call__(self, connection, request):
        text = connection.read_body(request).decode()
        if "json" in (request.field("Content-Type") or ""):
            given = json.loads(text)
        else:
            given = dict(urllib.parse.parse_qsl(text))
        self.tried.append(given.get("user"))
        good = given.get("password") == "right"
        if request.target.startswith("/login/form"):
            connection.send(reply(b"", "302 Found", [("Location", "/home" if good else "https://site.example/login?failed")]))
        else:
            connection.send(reply(b"in\n") if good else reply(b"no\n", "401 Unauthorized"))


def guarded(t, *, application=None, throttle=None, **changes):
    server = t.fresh_server({"site": {"shield": {"throttle": {"logins": [{**RULE, **changes}], **(throttle or {})}}}, **TRUSTED})
    application = application or Application()
    for target in ("/login", "/login/form", "/other"):
        server.origin.on(target, application)
    return server, application


def attempt(server, user, *, password="wrong", visitor="203.0.113.1", target="/login", kind="form", body=None):
    if body is None:
        given = {"user": user, "password": password}
        body = json.dumps(given) if kind == "json" else urllib.parse.urlencode(given)
    fields = [("X-Forwarded-For", visitor),
              ("Content-Type", "application/json" if kind == "json" else "application/x-www-form-urlencoded")]
    client = server.client()
    try:
        return client.get(target, method="POST", body=body.encode(), fields=fields)
    finally:
        client.close()


def statuses(server, users, **options):
    return [attempt(server, user, **options).status for user in users]


@test
def a_client_that_tries_many_users_is_held(t):
    server, application = guarded(t)
    mark = server.mark()
    t.equal(statuses(server, [f"user{i}" for i in range(6)]), [401] * 4 + [429] * 2, "statuses of six users")
    t.equal(len(application.tried), 4, "attempts that the origin saw")
    t.eventually(lambda: len(server.lines_since(mark)) == 6, "the log")
    line = server.lines_since(mark)[4]
    t.reason(line, "login-throttled")
    t.equal((line.limit, line["setting"], line.evidence),
            (6, "sites[].shield.throttle.logins[].per_client", "/login"), "limit, setting and page")
    t.equal(attempt(server, "user9", visitor="203.0.113.2").status, 401, "another client's status")
    t.check("user3" not in server.access_log.read_text(), "no name of a user in the log")


@test(each={"form": "form", "json": "json"})
def a_user_whom_many_clients_try_is_held(t, kind):
    server, application = guarded(t)
    answers = [attempt(server, "alice", visitor=f"203.0.113.{i}", kind=kind) for i in range(5)]
    t.equal([answer.status for answer in answers], [401] * 3 + [429] * 2, "statuses of five clients")
    t.equal(application.tried, ["alice"] * 3, "attempts that the origin saw")
    t.check(590 <= int(answers[3].field("Retry-After")) <= 601, "Retry-After is the rate's")
    mark = server.mark()
    for spelling in ("ALICE", " Alice\t"):
        t.equal(attempt(server, spelling, visitor="203.0.113.77", kind=kind).status, 429, f"status of {spelling!r}")
    line = server.next_line(mark)
    t.equal((line.reason, line["setting"]), ("login-throttled", "sites[].shield.throttle.logins[].per_user"), "reason and setting")
    t.equal(attempt(server, "bob", visitor="203.0.113.77", kind=kind).status, 401, "another user's status")


@test
def a_user_is_found_in_the_query_and_behind_others_of_his_name(t):
    server, _ = guarded(t, burst=100)
    for i in range(3):
        t.equal(attempt(server, "x", target="/login?user=%61lice", visitor=f"203.0.113.{i}").status, 401, "status")
    t.equal(attempt(server, "alice").status, 429, "status in a form")
    t.equal(attempt(server, None, body="user=carol&password=x&user=alice").status, 429, "status behind another")
    mark = server.mark()
    t.equal(attempt(server, None, body="&".join(f"user=u{i}" for i in range(9))).status, 429, "status of nine in one")
    t.equal(server.next_line(mark)["setting"], "sites[].shield.throttle.logins[].field", "setting in the log")


@test(each={"form": "+USER=alice&password=x", "json": '{"User": "alice", "password": "x"}'})
def a_field_spelled_as_lenient_origins_read_it_is_no_way_around(t, body):
    server, _ = guarded(t)
    kind = "json" if body.startswith("{") else "form"
    answers = [attempt(server, None, body=body, kind=kind, visitor=f"203.0.113.{i}").status for i in range(4)]
    t.equal(answers, [401] * 3 + [429], "statuses")


@test
def an_account_of_ones_own_opens_no_way_to_another(t):
    server, _ = guarded(t, burst=100)
    both = "user=alice&user=mallory&password=right"
    answers = [attempt(server, None, body=both, visitor=f"203.0.113.{i}").status for i in range(4)]
    t.equal(answers, [200] * 3 + [429], "statuses of mallory, who names alice besides")
    t.equal(attempt(server, "alice", visitor="203.0.113.1").status, 429, "status of alice from there")


@test(each={"401": "/login", "redirect": "/login/form"})
def who_gets_in_is_not_counted(t, target):
    server, _ = guarded(t)
    good, bad = (302, 302) if "form" in target else (200, 401)
    t.equal(statuses(server, ["alice"] * 12, password="right", target=target), [good] * 12, "statuses of good passwords")
    t.equal(statuses(server, ["bob"] * 4, target=target), [bad] * 3 + [429], "statuses of bad ones")


@test
def the_user_gets_in_where_he_is_known_while_others_try_his_name(t):
    server, _ = guarded(t)
    t.equal(attempt(server, "alice", password="right", visitor="198.51.100.7").status, 200, "status before the attack")
    answers = [attempt(server, "alice", visitor=f"203.0.113.{i}").status for i in range(5)]
    t.equal(answers, [401] * 3 + [429] * 2, "statuses of the attack")
    t.equal(server.reload().status, 200, "status of a reload")
    t.equal(attempt(server, "Alice", password="right", visitor="198.51.100.7").status, 200, "status where he is known")
    t.equal(attempt(server, "alice", password="right", visitor="198.51.100.8").status, 429, "status where he is not")
    t.equal(statuses(server, ["alice"] * 4, visitor="198.51.100.7"), [401] * 3 + [429], "who is known is counted too")


@test
def without_failed_every_attempt_counts(t):
    server, _ = guarded(t, failed=[])
    t.equal(statuses(server, ["alice"] * 4, password="right"), [200] * 3 + [429], "statuses")


@test
def a_client_that_goes_on_is_banned_and_a_user_never(t):
    server, _ = guarded(t, throttle={"strikes": 2, "ban": "2 min"})
    t.equal(statuses(server, [f"u{i}" for i in range(7)]), [401] * 4 + [429] * 3, "statuses")
    t.equal(server.reasons()["banned"], 2, "refused as banned")
    for i in range(3):
        attempt(server, "alice", visitor=f"203.0.113.{i + 10}")
    for _ in range(4):
        t.equal(attempt(server, "alice", visitor="203.0.113.20").status, 429, "status of alice")
    t.equal(attempt(server, "bob", visitor="203.0.113.20").status, 429, "four attempts, each counted")
    t.equal(server.reasons()["banned"], 2, "refused as banned")


@test
def other_methods_and_paths_are_no_attempts(t):
    server, _ = guarded(t)
    client = server.client()
    t.equal([client.get("/login", fields=[("X-Forwarded-For", "203.0.113.1")]).status for _ in range(2)], [401] * 2, "statuses of GET")
    client.close()
    t.equal(statuses(server, ["alice"] * 8, target="/other"), [401] * 8, "statuses beside it")
    t.equal(attempt(server, "alice").status, 401, "status of the first attempt")


@test
def a_dry_run_only_notes(t):
    server, application = guarded(t, throttle={"dry_run": True})
    mark = server.mark()
    t.equal(statuses(server, ["alice"] * 6), [401] * 6, "statuses")
    t.eventually(lambda: len(server.lines_since(mark)) == 6, "the log")
    found = [(line["reason"], line["enforced"]) for line in server.lines_since(mark)[3:]]
    t.equal(found, [("login-throttled", False)] * 3, "reasons, and enforced")
    t.equal(len(application.tried), 6, "attempts that the origin saw")
