"""Bans by order: on all sites at once, over reloads, for a time or until lifted; and lifting what a throttle gave."""

import os
import signal

from harness import Client, test

TRUSTED = {"trusted_proxies": ["127.0.0.0/8"]}


def ask(server, visitor):
    client = server.client()
    try:
        return client.get("/", fields=[("X-Forwarded-For", visitor)])
    finally:
        client.close()


def post(server, verb, content):
    client = Client(server.control_socket)
    try:
        return client.get(f"/api/bans/{verb}", host="localhost", method="POST", body=content.encode(), fields=[("Connection", "close")])
    finally:
        client.close()


def order(t, server, *words, status=0):
    result = server.command("bans", *words, "--socket", server.control_socket)
    t.equal(result.returncode, status, f"exit status of bans {' '.join(words)}: {result.stdout}{result.stderr}")
    return result.stdout + result.stderr


@test
def a_network_is_banned_until_it_is_lifted(t):
    server = t.fresh_server({**TRUSTED, "process": {"workers": 2}})
    t.check("Nobody is banned" in order(t, server, "list"), "nobody is")
    t.check("192.0.2.0/24 is banned until it is lifted." in order(t, server, "add", "192.0.2.0/24"), "what was done")
    order(t, server, "add", "2001:db8::7", "2h")
    mark = server.mark()
    t.equal([ask(server, v).status for v in ("192.0.2.9", "2001:db8::7", "192.0.3.1", "2001:db8::8")], [429, 429, 200, 200],
            "statuses")
    t.eventually(lambda: len(server.lines_since(mark)) == 4, "the log")
    t.equal(sorted((line.reason, line["evidence"]) for line in server.lines_since(mark) if line["reason"] != "-"),
            [("banned", "by order")] * 2, "reasons and evidence")
    t.check(7100 <= int(ask(server, "2001:db8::7").field("Retry-After")) <= 7200, "Retry-After is what is left")
    listed = order(t, server, "list")
    t.check("192.0.2.0/24" in listed and "until it is lifted" in listed, f"the list: {listed}")
    t.check("2001:db8::7" in listed and "for another" in listed, f"the list: {listed}")
    worker = server.first_workers[0]
    t.check(worker > 0, "a worker")
    os.kill(worker, signal.SIGKILL)
    t.eventually(lambda: worker not in server.workers() and 0 not in server.workers(), "another worker")
    t.equal(ask(server, "192.0.2.9").status, 429, "status with another worker")
    t.equal(server.reload().status, 200, "status of a reload")
    t.equal(ask(server, "192.0.2.9").status, 429, "status after it")
    order(t, server, "lift", "192.0.2.0/24")
    t.equal([ask(server, v).status for v in ("192.0.2.9", "2001:db8::7")], [200, 429], "statuses after one is lifted")
    t.check("192.0.2.0/24: its ban is lifted by order" in server.errors_file.read_text(), "the master's log says so")


@test
def a_ban_ends(t):
    server = t.fresh_server(TRUSTED)
    order(t, server, "add", "192.0.2.9", "1s")
    t.equal(ask(server, "192.0.2.9").status, 429, "status")
    t.eventually(lambda: ask(server, "192.0.2.9").status == 200, "it ends", pause=0.1, seconds=4)
    t.check("Nobody is banned" in order(t, server, "list"), "it is not listed any longer")


@test
def what_a_throttle_gave_is_lifted_too(t):
    server = t.fresh_server({"site": {"shield": {"throttle": {"per_client": "60/min", "burst": 1, "strikes": 2, "ban": "1 h"}}},
                             **TRUSTED})
    t.equal([ask(server, "192.0.2.9").status for _ in range(3)], [200, 429, 429], "statuses until it is banned")
    t.check(int(ask(server, "192.0.2.9").field("Retry-After")) > 3000, "it is banned")
    order(t, server, "lift", "192.0.2.9")
    t.eventually(lambda: ask(server, "192.0.2.9").status == 200, "it is served again", pause=1.1, seconds=8)
    t.check("is not banned" in order(t, server, "lift", "192.0.2.10", status=1), "there is nothing else to lift")


@test
def orders_that_are_wrong_change_nothing(t):
    server = t.fresh_server(TRUSTED)
    for words in (["add", "192.0.2.1/24"], ["add", "shop.example"], ["add", "192.0.2.1", "soon"], ["add"], ["lift"], ["list", "x"],
                  ["add", "192.0.2.1", "400d"], ["ban", "192.0.2.1"]):
        order(t, server, *words, status=2)
    for path, content in (("add", "{}"), ("add", '{"network":"nonsense"}'), ("lift", '{"network":"1.2.3.4","duration_ms":5}'),
                          ("add", '{"network":"1.2.3.4","duration_ms":99999999999999}')):
        answer = post(server, path, content)
        t.check(answer.status in (400, 409), f"status of {content}: {answer.status}")
    t.equal(server.status()["bans"], [], "bans")


@test
def there_is_room_for_so_many_and_monitor_mode_only_notes(t):
    server = t.fresh_server({"site": {"shield": {"mode": "monitor"}}, **TRUSTED})
    for i in range(128):
        t.equal(post(server, "add", f'{{"network":"192.0.2.{i}"}}').status, 200, "status")
    answer = post(server, "add", '{"network":"192.0.2.200"}')
    t.equal(answer.status, 409, "status of one more")
    t.check(b"128 bans by order already" in answer.body, "why")
    t.equal(len(server.status()["bans"]), 128, "bans in the status")
    mark = server.mark()
    t.equal(ask(server, "192.0.2.77").status, 200, "status in monitor mode")
    line = server.next_line(mark)
    t.equal((line["reason"], line["enforced"]), ("banned", False), "reason, and enforced")
