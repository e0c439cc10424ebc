"""How often one session may ask, whoever has it, and that inventing sessions gains nothing."""

from harness import test

RULE = {"cookie": "sid", "per_session": "6/min", "burst": 3, "new_per_client": "1/min", "new_burst": 4}


def guarded(t, *, throttle=None, **changes):
    return t.fresh_server({"site": {"shield": {"throttle": {"sessions": {**RULE, **changes}, **(throttle or {})}}},
                           "trusted_proxies": ["127.0.0.0/8"], "process": {"workers": 2}})


def ask(server, cookie=None, visitor="203.0.113.1"):
    fields = [("X-Forwarded-For", visitor)] + ([("Cookie", cookie)] if cookie else [])
    client = server.client()
    try:
        return client.get("/", fields=fields)
    finally:
        client.close()


def statuses(server, count, *arguments, **options):
    return [ask(server, *arguments, **options).status for _ in range(count)]


@test
def a_session_is_held_wherever_it_comes_from(t):
    server = guarded(t)
    t.equal([ask(server, "a=1; sid=secret-of-alice", f"203.0.113.{i}").status for i in range(5)], [200] * 3 + [429] * 2,
            "statuses at five addresses")
    mark = server.mark()
    answer = ask(server, "sid=secret-of-alice; b=2")
    t.equal((answer.status, answer.field("Retry-After")), (429, "10"), "status and Retry-After")
    line = server.next_line(mark)
    t.reason(line, "session-throttled")
    t.equal((line.limit, line["setting"]), (6, "sites[].shield.throttle.sessions.per_session"), "limit and setting")
    t.check("secret-of-alice" not in server.access_log.read_text(), "the log has no cookie")
    t.equal(statuses(server, 3, "sid=bob"), [200] * 3, "another session of the same client")
    t.equal(statuses(server, 5), [200] * 5, "requests without a session")
    t.equal(server.reload().status, 200, "status of a reload")
    t.equal(ask(server, "sid=secret-of-alice").status, 429, "status after it")


@test(each={"quoted": 'sid="alice"', "among others": "sid=x; sid=alice", "last of many": "sid=a; sid=b; sid=c; sid=alice"})
def no_other_spelling_is_another_session(t, cookie):
    server = guarded(t, new_burst=100, burst=30)
    t.equal(statuses(server, 30, "sid=alice"), [200] * 30, "statuses of the burst")
    t.equal(ask(server, cookie, "203.0.113.2").status, 429, "status of another spelling")


@test
def cookies_that_are_made_up_share_one_rate(t):
    server = guarded(t)
    answers = [ask(server, f"sid=made-up-{i}").status for i in range(20)]
    t.equal(answers, [200] * (4 + 3) + [429] * 13, "four new sessions, and a burst for all others")
    t.equal(ask(server, "sid=made-up-0").status, 200, "status of one that was new")
    t.equal(ask(server, "sid=made-up-77", "203.0.113.2").status, 200, "status at another address")


@test
def the_clients_own_rate_holds_besides(t):
    server = guarded(t, throttle={"per_client": "6/min", "burst": 5})
    mark = server.mark()
    t.equal([ask(server, f"sid={i}").status for i in range(6)], [200] * 5 + [429], "statuses")
    t.eventually(lambda: len(server.lines_since(mark)) == 6, "the log")
    t.equal(sorted(line["reason"] for line in server.lines_since(mark)), ["-"] * 5 + ["throttled"], "reasons, by two workers")


@test
def empty_and_deleted_cookies_are_no_session(t):
    server = guarded(t)
    for cookie in ("sid=", "sid=deleted", 'sid=""', "other=alice"):
        t.equal(statuses(server, 5, cookie), [200] * 5, f"statuses of {cookie}")


@test
def a_session_that_floods_is_no_strike_of_its_client(t):
    server = guarded(t, throttle={"strikes": 2, "ban": "2 min"})
    t.equal(statuses(server, 8, "sid=alice"), [200] * 3 + [429] * 5, "statuses")
    t.equal(ask(server, "sid=bob").status, 200, "status of another behind that address")
    t.equal(server.reasons().get("banned", 0), 0, "bans")


@test
def a_dry_run_only_notes(t):
    server = guarded(t, throttle={"dry_run": True})
    mark = server.mark()
    t.equal(statuses(server, 4, "sid=alice"), [200] * 4, "statuses")
    t.eventually(lambda: len(server.lines_since(mark)) == 4, "the log")
    found = sorted((line["reason"], line["enforced"]) for line in server.lines_since(mark))
    t.equal(found, [("-", True)] * 3 + [("session-throttled", False)], "reasons, and enforced")
