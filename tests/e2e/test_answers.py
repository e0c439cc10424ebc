"""What who is refused gets: a status of the site's choice, nothing at all, or nothing after a long wait."""

import time

from harness import test


def get(target, *fields):
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"Host: site.example", *fields]) + b"\r\n\r\n"


STATUSES = (400, 403, 404, 405, 410, 413, 414, 415, 417, 429, 431)


def pit(**more):
    return {"site": {"shield": {"answers": [{"reasons": ["escape-nul", "content-too-large"], "action": "tarpit", "status": 404}],
                                "limits": {"body": "100 B"}}},
            "timeouts": {"tarpit": "400 ms", "linger": "300 ms"}, **more}


def gauge(server, name):
    return server.status()["counters"][name]


@test(each={str(status): status for status in STATUSES})
def a_site_chooses_the_status_by_reason(t, status):
    server = t.server({"site": {"shield": {"answers": [{"reasons": ["escape-nul", "too-many-segments"], "status": status}],
                                           "limits": {"segments": 3}}}})
    for target, reason in ((b"/a%00", "escape-nul"), (b"/a/b/c/d", "too-many-segments")):
        mark = server.mark()
        response = t.client(server).send(get(target)).read_response()
        t.equal(response.status, status, f"status for {reason}")
        line = server.next_line(mark)
        t.equal((line.reason, line.status, line.action), (reason, status, "reject"), "the log")
    t.goes_on(server)


RULES = {"rules": [{"id": "a.plain", "where": "path", "pattern": "/plain", "message": "x"},
                   {"id": "a.hidden", "where": "path", "pattern": "/hidden", "message": "x", "status": 404},
                   {"id": "a.closed", "where": "path", "pattern": "/closed", "message": "x", "action": "close"}],
         "site": {"shield": {"answers": [{"reasons": ["rule"], "status": 410}]}}}


@test
def a_rule_has_an_answer_of_its_own(t):
    server = t.server(RULES)
    t.equal(server.get("/plain").status, 410, "what the site says")
    t.equal(server.get("/hidden").status, 404, "what the rule says")
    mark = server.mark()
    client = t.client(server)
    client.send(get(b"/closed"))
    t.equal(client.read_all(), b"", "nothing is said")
    line = server.next_line(mark)
    t.equal((line.action, line.status, line.rule), ("close", 0, "a.closed"), "the log")


@test
def a_tarpit_holds_and_then_closes_without_a_word(t):
    server = t.server(pit())
    mark = server.mark()
    began = time.monotonic()
    client = t.client(server)
    client.send(get(b"/a%00"))
    t.equal(client.read_all(), b"", "nothing is said")
    t.within(began, 3, "the time it is held", least=0.35)
    line = server.next_line(mark)
    t.equal((line.action, line.status, line.reason), ("tarpit", 0, "escape-nul"), "the log")
    t.check(line.total_us < 300_000, "the log does not wait for it")
    t.goes_on(server)


@test
def content_that_grows_too_long_falls_into_the_tarpit_too(t):
    server = t.server(pit())
    mark = server.mark()
    client = t.client(server)
    client.send(b"POST / HTTP/1.1\r\nHost: site.example\r\nTransfer-Encoding: chunked\r\n\r\n80\r\n" + b"x" * 128 + b"\r\n0\r\n\r\n")
    t.equal(client.read_all(), b"", "nothing is said")
    line = server.next_line(mark)
    t.equal((line.action, line.reason, line.setting, line.limit), ("tarpit", "content-too-large", "sites[].shield.limits.body", 100),
            "the log")


@test
def a_full_tarpit_refuses_at_once(t):
    server = t.fresh_server(pit(quotas={"tarpit": 2}, timeouts={"tarpit": "20 s"}))
    held = [t.client(server).send(get(b"/a%00")) for _ in range(2)]
    t.eventually(lambda: gauge(server, "connections_tarpit") == 2, "both are held")
    mark = server.mark()
    t.equal(server.get("/a%00").status, 404, "status for the third")
    t.equal(server.next_line(mark).action, "reject", "the log")
    memory = gauge(server, "memory_bytes")
    t.check(memory < 16384, f"{memory} bytes for two that wait")
    t.equal(gauge(server, "exchanges"), 0, "requests under way")
    held[0].close()
    t.eventually(lambda: gauge(server, "connections_tarpit") == 1, "who leaves is forgotten at once")
    held.append(t.client(server).send(get(b"/a%00")))
    t.eventually(lambda: gauge(server, "tarpitted") == 3, "there is room again")


@test
def who_is_held_makes_room_for_newcomers(t):
    server = t.fresh_server(pit(quotas={"connections": 3, "per_client": 3, "tarpit": 8}, timeouts={"tarpit": "20 s"}))
    held = [t.client(server).send(get(b"/a%00")) for _ in range(3)]
    t.eventually(lambda: gauge(server, "connections_tarpit") == 3, "all are held")
    t.equal(server.get("/").status, 200, "a newcomer")
    t.equal(held[0].read_all(), b"", "who was held longest")
    t.equal(gauge(server, "connections_tarpit"), 2, "those held")


@test
def a_reload_and_a_stop_wait_for_nobody_who_is_held(t):
    server = t.fresh_server(pit(timeouts={"tarpit": "60 s", "drain": "20 s"}))
    held = t.client(server).send(get(b"/a%00"))
    t.eventually(lambda: gauge(server, "connections_tarpit") == 1, "it is held")
    t.equal(server.reload().status, 200, "reload")
    t.equal(held.read_all(), b"", "who was held")
    began = time.monotonic()
    t.client(server).send(get(b"/a%00"))
    t.eventually(lambda: gauge(server, "connections_tarpit") == 1, "it is held")
    server.process.terminate()
    server.ended(8)
    t.within(began, 5, "it ends soon")


@test
def a_watching_site_holds_nobody(t):
    settings = pit()
    settings["site"]["shield"]["mode"] = "monitor"
    server = t.server(settings)
    mark = server.mark()
    t.equal(server.get("/a%00").status, 200, "status")
    line = server.next_line(mark)
    t.equal((line.action, line.reason, line.enforced), ("tarpit", "escape-nul", False), "the log")


@test
def addresses_and_rates_are_answered_as_the_site_says(t):
    server = t.fresh_server({"site": {"shield": {"deny_addresses": ["192.0.2.0/24"],
                                                 "throttle": {"per_client": "1/h", "burst": 2, "strikes": 2, "ban_action": "tarpit"},
                                                 "answers": [{"reasons": ["address-denied"], "status": 404},
                                                             {"reasons": ["throttled"], "status": 403}]}},
                             "trusted_proxies": ["127.0.0.0/8"], "timeouts": {"tarpit": "300 ms"}})
    t.equal(server.get("/", fields=[("X-Forwarded-For", "192.0.2.1")]).status, 404, "an address that is denied")
    t.equal([server.get("/").status for _ in range(3)], [200, 200, 403], "a client over its rate")
    mark = server.mark()
    client = t.client(server)
    client.send(get(b"/"))
    t.equal(client.read_all(), b"", "a client that is banned")
    line = server.next_line(mark)
    t.equal((line.reason, line.action), ("banned", "tarpit"), "the log")
