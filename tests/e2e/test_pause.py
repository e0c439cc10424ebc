"""How far the shield's verdicts go: modes of single paths, and orders to let it watch only."""

import re

from harness import Client, test
from harness.server import free_port

LIMITS = {"path": "100 B"}


@test
def a_path_has_a_mode_of_its_own(t):
    server = t.server({"site": {"shield": {"limits": LIMITS, "paths": [
        {"path": "/legacy", "mode": "monitor"}, {"path": "/legacy/pay", "mode": "enforce"}]}}})
    long = "x" * 120
    for path, status, enforced in ((f"/legacy/{long}", 200, False), (f"/legacy/pay/{long}", 414, True),
                                   (f"/legacyx/{long}", 414, True), (f"/a/../%6cegacy/{long}", 200, False)):
        mark = server.mark()
        t.equal(server.get(path).status, status, f"status of {path}")
        line = server.next_line(mark)
        t.equal((line.reason, line.enforced), ("path-too-long", enforced), f"log line of {path}")
    mark = server.mark()
    t.equal(server.get("/legacy/..%2fadmin").status, 400, "status of a path that leads out in another reading")
    t.reason(server.next_line(mark), "path-encoded-slash")


@test
def explain_tells_the_mode_of_a_path(t):
    server = t.server({"site": {"shield": {"limits": LIMITS, "paths": [{"path": "/legacy", "mode": "monitor"}]}}})
    result = server.command("explain", "-c", str(server.file), "http://site.example/legacy/" + "x" * 120)
    t.equal(result.returncode, 0, f"exit status: {result.stdout}")
    t.check("monitor" in result.stdout and "sites[].shield.paths" in result.stdout, f"the mode: {result.stdout}")


def order(server, command, *operands):
    return server.command(command, "-c", str(server.file), *operands)


def paused(server):
    return [(entry["leg"], entry["site"]) for entry in server.status()["paused"]]


def refused(server, host="site.example"):
    return server.get("/" + "x" * 120, host=host).status == 414


def two_sites(t):
    """The site of always, and "other" behind the same origin; both with a short limit."""
    origin = t.origin()
    shield = {"limits": LIMITS}
    return t.fresh_server({"sites": [
        {"name": "site", "hosts": ["site.example"], "origins": [origin.url], "shield": shield},
        {"name": "other", "hosts": ["other.example"], "origins": [origin.url], "shield": shield}],
        "process": {"workers": 2}})


@test
def a_paused_shield_watches_until_it_is_resumed(t):
    server = two_sites(t)
    t.check(refused(server), "refused before")
    result = order(server, "pause", "shield", "site", "30min")
    t.equal((result.returncode, result.stderr), (0, ""), "exit status, errors")
    t.equal(result.stdout, "The shield of site only watches for 30min.\n", "what it says")
    mark = server.mark()
    for _ in range(8):  # whichever worker is asked
        t.equal(server.get("/" + "x" * 120).status, 200, "status while paused")
    line = server.next_line(mark)
    t.equal((line.reason, line.enforced, line.action), ("path-too-long", False, "reject"), "the log line")
    t.check(refused(server, "other.example"), "another site is guarded as ever")
    t.equal(paused(server), [("shield", "site")], "what the status tells")
    shown = order(server, "status").stdout
    t.check(re.search("paused        shield of site for another (29|30) min", shown), f"the status:\n{shown}")
    result = order(server, "resume", "shield", "site")
    t.equal((result.returncode, result.stdout), (0, "The shield of site is not paused.\n"), "resume")
    t.check(refused(server), "refused again")
    t.equal(paused(server), [], "what is paused at the end")
    errors = server.errors()
    for sentence in ("site site: its shield is paused by order, until ", "site site: its shield is resumed by order"):
        t.equal(errors.count(sentence), 1, f"how often the log says {sentence!r}")


@test
def what_frames_a_request_is_never_paused(t):
    server = two_sites(t)
    order(server, "pause", "shield", "site", "1h")
    for request in (b"GET / HTTP/1.1\r\nHost: site.example\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                    b"GET / HTTP/1.1\r\nHost: site.example\r\nHost: site.example\r\n\r\n"):
        client = t.client(server)
        client.send(request)
        t.equal(client.read_response().status, 400, "status of an ambiguous request")
    t.equal(server.get("/", method="TRACE").status, 405, "status of TRACE")


@test
def a_pause_counts_for_content_that_grows(t):
    server = t.fresh_server({"site": {"shield": {"limits": {"body": "10 B"}}}})
    request = (b"POST / HTTP/1.1\r\nHost: site.example\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"20\r\n" + b"x" * 32 + b"\r\n0\r\n\r\n")
    for status in (413, 200):
        client = t.client(server)
        client.send(request)
        t.equal(client.read_response().status, status, "status")
        order(server, "pause", "shield", "site", "1h")


@test
def a_pause_survives_reloads_and_dead_workers(t):
    server = two_sites(t)
    order(server, "pause", "shield", "site", "1h")
    # sites before it change their places, and go and come
    first, other = server.settings["sites"]
    for sites in ([{**other, "name": "third", "hosts": ["third.example"]}, other, first], [first], [other, first]):
        server.settings["sites"] = sites
        server.write_policy()
        t.equal(server.reload().status, 200, "status of the reload")
        t.check(not refused(server), "still paused")
    t.check(refused(server, "other.example"), "the other site is not")


@test
def a_pause_runs_out_once(t):
    server = two_sites(t)
    t.equal(order(server, "pause", "shield", "site", "300ms").returncode, 0, "exit status")
    t.eventually(lambda: "site site: the pause of its shield has run out" in server.errors(), "the log says so")
    t.check(refused(server), "refused again")
    t.equal(server.reload().status, 200, "status of a reload")
    t.equal(server.errors().count("has run out"), 1, "how often the log says so")
    t.equal(paused(server), [], "what is paused")


@test
def a_second_pause_replaces_the_first(t):
    server = two_sites(t)
    order(server, "pause", "shield", "site", "1h")
    order(server, "pause", "shield", "site", "2 min")
    left = server.status()["paused"][0]["left_s"]
    t.check(100 < left <= 120, f"{left} s are left")
    t.equal(order(server, "pause", "shield", "site", "0").returncode, 0, "exit status of 0")
    t.equal(paused(server), [], "what is paused")


@test
def an_unknown_site_is_named_with_the_nearest(t):
    server = two_sites(t)
    for name, sentence in (("sitte", 'there is no site "sitte", did you mean "site"?\n'),
                           ("warehouse", 'there is no site "warehouse"; there is ')):
        result = order(server, "pause", "shield", name, "1h")
        t.equal(result.returncode, 1, f"exit status: {result.stderr}")
        t.check(sentence in result.stderr, f"what it says: {result.stderr}")
    t.equal(paused(server), [], "what is paused")


@test(each={"no operand": (), "no duration": ("shield", "site"), "a leg that there is not": ("helm", "site", "1h"),
            "a number without unit": ("shield", "site", "30"), "too long": ("shield", "site", "8d"),
            "no name": ("shield", "", "1h"), "too many": ("shield", "site", "1h", "2h")})
def wrong_use_of_pause_is_2(t, operands):
    server = t.server()
    result = order(server, "pause", *operands)
    t.equal(result.returncode, 2, f"exit status: {result.stderr}")
    t.check("sallyport pause: " in result.stderr, f"what it says: {result.stderr}")
    t.equal(paused(server), [], "what is paused")


@test
def over_tcp_a_pause_needs_the_header_of_orders(t):
    port = free_port("127.0.0.1")
    server = t.fresh_server({"console": {"address": f"127.0.0.1:{port}"}})
    content = b'{"leg":"shield","site":"site","duration_ms":60000}'
    for fields, status in ((b"", 403), (b"X-Sallyport-Order: 1\r\n", 200)):
        client = Client(("127.0.0.1", port))
        t.later(client.close)
        client.send(b"POST /api/pause HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s"
                    % (port, fields, len(content), content))
        t.equal(client.read_response().status, status, "status")
        t.equal(len(paused(server)), int(status == 200), "how many sites are paused")


@test
def the_states_of_sites_are_read_only_for_workers(t):
    """A captured worker cannot pause a site, however it maps the memory."""
    server = two_sites(t)
    for process in server.processes():
        maps = open(f"/proc/{process['pid']}/maps", encoding="ascii").read().splitlines()
        rights = {line.split()[1] for line in maps if "/memfd:sallyport-sites" in line}
        expected = {"master": {"rw-s"}, "generation": {"r--s"}, "worker": {"r--s"}}.get(process["role"], set())
        t.equal(rights, expected, f"how {process['role']} maps the states")
