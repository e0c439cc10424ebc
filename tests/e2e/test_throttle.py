"""How often a client may ask, who may not ask at all, and that this outlasts workers and reloads."""

import time

from harness import Client, Failure, test

STRICT = {"per_client": "6/min", "burst": 3}


def throttled(t, throttle, **settings):
    return t.fresh_server({"site": {"shield": {"throttle": throttle}}, **settings})


def ask(server, target="/", source=None, fields=()):
    client = server.client(source=source) if source else server.client()
    try:
        return client.get(target, fields=fields)
    finally:
        client.close()


def statuses(server, count, *arguments, **options):
    return [ask(server, *arguments, **options).status for _ in range(count)]


@test
def who_asks_too_often_is_told_when_to_come_back(t):
    server = throttled(t, STRICT)
    t.equal(statuses(server, 3), [200] * 3, "statuses of the burst")
    mark = server.mark()
    response = ask(server, "/fourth")
    t.equal((response.status, response.field("Retry-After")), (429, "10"), "status and Retry-After")
    line = server.next_line(mark)
    t.reason(line, "throttled")
    t.equal((line.action, line.enforced, line.limit), ("reject", True, 6), "action, enforced and limit in the log")
    t.equal(server.origin.requests_for("/fourth"), [], "what the origin saw of it")
    t.equal(ask(server, source="127.9.9.9").status, 200, "status of another client")
    t.equal(server.reasons()["throttled"], 1, "the reason's count")


@test
def retry_after_is_true(t):
    server = throttled(t, {"per_client": "20/min", "burst": 1})
    t.equal(ask(server).status, 200, "status")
    response = ask(server)
    t.equal((response.status, response.field("Retry-After")), (429, "3"), "status and Retry-After")
    time.sleep(3.0)
    t.equal(ask(server).status, 200, "status after that time")


@test(each={"iis": ("iis", ["/login", "/LOGIN", "/Login/x"]), "tomcat": ("tomcat", ["/login;x=1", "/login", "/login;a/x;b"])})
def no_other_spelling_gets_round_the_rate_of_a_path(t, row):
    kind, targets = row
    server = t.fresh_server({"site": {"shield": {"origin_kind": kind, "throttle": {
        "paths": [{"path": "/login", "per_client": "5/min", "burst": 2}]}}}})
    t.equal([ask(server, target).status for target in targets], [200, 200, 429], "statuses of one path")


@test
def a_path_has_a_rate_of_its_own(t):
    server = throttled(t, {"paths": [{"path": "/login", "per_client": "5/min", "burst": 2}]})
    t.equal(statuses(server, 3, "/%6cogin/form"), [200, 200, 429], "statuses below the path")
    mark = server.mark()
    t.equal(ask(server, "/login?user=a").status, 429, "status at the path")
    line = server.next_line(mark)
    t.reason(line, "throttled")
    t.equal(line.evidence, "/login", "the path that decided")
    t.equal(statuses(server, 5, "/loginx"), [200] * 5, "statuses beside the path")


@test
def two_workers_share_a_limit(t):
    server = throttled(t, {"per_client": "1/min", "burst": 10}, process={"workers": 2})
    answers = statuses(server, 40)
    t.equal(answers.count(200), 10, f"served of 40; {answers}")


@test
def the_client_is_whom_trusted_proxies_name(t):
    server = throttled(t, STRICT, trusted_proxies=["127.0.0.0/8"])
    for visitor, expected in (("203.0.113.1", [200, 200, 200, 429]), ("203.0.113.2", [200]),
                              ("2001:db8::1", [200, 200]), ("2001:db8::ffff:2", [200, 429]),
                              ("2001:db8:0:1::1", [200])):
        answers = statuses(server, len(expected), fields=[("X-Forwarded-For", visitor)])
        t.equal(answers, expected, f"statuses of {visitor}")


@test
def what_a_client_names_itself_does_not_count(t):
    server = throttled(t, STRICT)
    answers = [ask(server, fields=[("X-Forwarded-For", f"203.0.113.{n}")]).status for n in range(4)]
    t.equal(answers, [200, 200, 200, 429], "statuses")


def ban(t, server):
    t.equal(statuses(server, 5), [200, 200, 200, 429, 429], "statuses before the ban")
    mark = server.mark()
    response = ask(server)
    t.equal(response.status, 429, "status of the last strike")
    t.reason(server.next_line(mark), "banned")
    return int(response.field("Retry-After"))


@test
def a_ban_outlasts_reloads_and_workers(t):
    throttle = {**STRICT, "strikes": 3, "ban": "2 min"}
    server = throttled(t, throttle)
    t.check(119 <= ban(t, server) <= 120, "Retry-After is the ban's time")
    for step in ("reload", "other rate", "stricter mode of another part"):
        if step == "other rate":
            server.write_policy({"site": {"shield": {"throttle": {**throttle, "per_client": "100/s"}}}})
        t.equal(server.reload().status, 200, "status of the reload")
        mark = server.mark()
        response = ask(server)
        t.equal(response.status, 429, f"status after: {step}")
        t.check(100 <= int(response.field("Retry-After")) <= 120, "Retry-After is what is left")
        t.reason(server.next_line(mark), "banned")
    t.equal(ask(server, source="127.9.9.9").status, 200, "status of another client")
    t.equal(server.status()["counters"]["clients_banned"], 1, "clients banned")


@test
def a_limit_outlasts_reloads(t):
    server = throttled(t, STRICT)
    t.equal(statuses(server, 4), [200, 200, 200, 429], "statuses before")
    t.equal(server.reload().status, 200, "status of the reload")
    t.equal(ask(server).status, 429, "status after")


@test
def a_ban_ends(t):
    server = throttled(t, {"per_client": "30/min", "burst": 1, "strikes": 1, "ban": "3 s"})
    t.equal(ask(server).status, 200, "status of the first")
    began = time.monotonic()
    t.equal(ask(server).status, 429, "status of the second")
    t.equal(ask(server).status, 429, "status while banned")
    t.eventually(lambda: ask(server).status == 200, "the ban ends", pause=0.1, seconds=6)
    t.within(began, 4, "the time of the ban", least=2.9)


@test
def the_banned_may_get_no_answer_at_all(t):
    server = throttled(t, {**STRICT, "strikes": 1, "ban_action": "close"})
    t.equal(statuses(server, 3), [200] * 3, "statuses before")
    for _ in range(2):
        mark = server.mark()
        client = t.client(server).send(t.request("/"))
        try:
            t.equal(client.read_all(), b"", "what a banned client gets")
        except (Failure, ConnectionResetError):
            pass
        line = server.next_line(mark)
        t.reason(line, "banned")
        t.equal((line.action, line.status), ("close", 0), "action and status in the log")


@test
def a_dry_run_only_logs(t):
    server = throttled(t, {**STRICT, "strikes": 2, "dry_run": True})
    mark = server.mark()
    t.equal(statuses(server, 6), [200] * 6, "statuses")
    t.eventually(lambda: len(server.lines_since(mark)) == 6, "six lines")
    found = [(line.reason, line["enforced"]) for line in server.lines_since(mark)[3:]]
    t.equal(found, [("throttled", False), ("banned", False), ("banned", False)], "reasons, and enforced")
    server.write_policy({"site": {"shield": {"throttle": {**STRICT, "strikes": 2, "dry_run": False}}}})
    t.equal(server.reload().status, 200, "status of the reload")
    t.equal(statuses(server, 3), [200] * 3, "statuses once it counts: nothing is carried over")


@test
def what_the_shield_refuses_goes_before_what_is_only_noted(t):
    server = throttled(t, {"per_client": "1/min", "burst": 1, "dry_run": True})
    t.equal(ask(server).status, 200, "status")
    mark = server.mark()
    t.equal(ask(server, "/%252e%252e/x").status, 400, "status of what the shield refuses")
    t.reason(server.next_line(mark), "escape-double")


@test
def an_origin_that_fails_is_told_of_whatever_was_noted(t):
    server = t.fresh_server({"site": {"shield": {"mode": "monitor", "deny_addresses": ["127.0.0.0/8"]}}})
    server.origin.close()
    mark = server.mark()
    t.equal(ask(server, "/%252e%252e/x").status, 502, "status")
    line = server.next_line(mark)
    t.reason(line, "origin-refused")
    t.equal(line.status, 502, "status in the log")


@test
def who_is_allowed_is_not_throttled(t):
    server = throttled(t, {**STRICT, "allow": ["127.9.0.0/16"]})
    t.equal(statuses(server, 10, source="127.9.9.9"), [200] * 10, "statuses of the allowed")
    t.equal(statuses(server, 4), [200, 200, 200, 429], "statuses of another")


@test
def addresses_are_denied_and_allowed(t):
    server = t.fresh_server({"site": {"shield": {"allow_addresses": ["127.0.0.0/8"],
                                                 "deny_addresses": ["127.66.0.0/16"]}},
                             "trusted_proxies": ["127.77.7.7"]})
    t.equal(ask(server).status, 200, "status of an allowed address")
    for source, visitor, reason in (("127.66.1.1", None, "address-denied"),
                                    ("127.77.7.7", "203.0.113.9", "address-not-allowed"),
                                    ("127.77.7.7", "127.66.9.9", "address-denied")):
        mark = server.mark()
        fields = [("X-Forwarded-For", visitor)] if visitor else []
        t.equal(ask(server, source=source, fields=fields).status, 403, f"status of {visitor or source}")
        t.reason(server.next_line(mark), reason)
    t.equal(server.status()["counters"]["requests_rejected"], 3, "requests refused")


@test
def addresses_are_only_noted_in_monitor_mode(t):
    server = t.fresh_server({"site": {"shield": {"mode": "monitor", "deny_addresses": ["127.0.0.0/8"]}}})
    mark = server.mark()
    t.equal(ask(server).status, 200, "status")
    line = server.next_line(mark)
    t.equal((line["reason"], line["enforced"]), ("address-denied", False), "reason, and enforced")
