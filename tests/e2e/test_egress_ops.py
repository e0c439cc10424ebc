"""What an operator sees of the egress guard, orders of it, and is told by it; and the check that tries to break out."""

import json
import os
import re
import signal
import socket
import subprocess
import time

from harness import Client, Failure, namespaces, test
from harness.browser import Page
from harness.egress import LISTED4, Place
from harness.gate import Gate, other_address
from harness.origin import Origin, reply
from harness.server import BINARY, free_port, own_address
from harness.webhook import Receiver

ORIGINS = ["10.0.0.5", "10.0.0.6 fd00::6"]


def start(t, egress=None, **settings):
    base = {"proxy": f"{own_address()}:{free_port()}", "origins": ORIGINS, "kernel": "off",
            "allow": ["packages.example:443"]}
    return t.fresh_server({"egress": base | (egress or {})} | settings)


def order(server, *words):
    return server.command(*words, "--socket", server.control_socket)


def egress(server, *words):
    return order(server, "egress", *words)


def listed(server):
    return {entry["origin"]: entry for entry in json.loads(server.api("GET", "/api/egress").body)["origins"]}


def stage(server, origin):
    return listed(server)[origin]["stage"]


def news(server):
    return [(line["news"], line["egress"]) for line in map(json.loads, server.events().splitlines()) if "news" in line]


# ---- orders


@test
def an_operator_quarantines_and_releases(t):
    server = start(t)
    result = egress(server, "quarantine", "10.0.0.5", "--for", "1h")
    t.equal((result.returncode, result.stdout, result.stderr),
            (0, "Origin 10.0.0.5 is in quarantine (listed-only) for 1 h.\n", ""), "quarantine")
    entry = listed(server)["10.0.0.5"]
    t.equal((entry["stage"], entry["offence"]), ("listed-only", "ordered"), "how it stands")
    t.check(3590 <= entry["left_s"] <= 3600, entry)
    shown = egress(server, "list").stdout
    t.check(re.search(r"^10\.0\.0\.5 +listed-only +ordered +20\d\d-", shown, re.M), shown)
    result = egress(server, "release", "10.0.0.5")
    t.equal((result.returncode, result.stdout), (0, "Origin 10.0.0.5 is released from quarantine.\n"), "release")
    t.equal(stage(server, "10.0.0.5"), "free", "after the release")
    result = egress(server, "release", "10.0.0.5")
    t.equal((result.returncode, result.stdout), (0, "Origin 10.0.0.5 is not in quarantine.\n"), "a second release")


@test
def an_origin_is_known_by_each_of_its_addresses(t):
    server = start(t)
    result = egress(server, "quarantine", "FD00:0:0::6", "--stage", "2")
    t.equal(result.stdout, "Origin 10.0.0.6 is in quarantine (replies-only) until it is released.\n", "what it says")
    t.check("until" not in listed(server)["10.0.0.6"], listed(server))
    t.equal(stage(server, "10.0.0.5"), "free", "the other origin")


@test
def an_unknown_origin_is_named_with_the_nearest(t):
    server = start(t)
    for name, sentence in (("10.0.0.55", 'there is no egress origin "10.0.0.55", did you mean "10.0.0.5"?\n'),
                           ("shop", 'there is no egress origin "shop"; there is 10.0.0.5, 10.0.0.6\n')):
        result = egress(server, "quarantine", name)
        t.equal((result.returncode, result.stderr), (1, sentence), f"of {name}")


@test
def without_the_section_there_is_nothing_to_order(t):
    server = t.server()
    t.equal(egress(server, "list").stdout, "The policy in force has no egress guard.\n", "the list")
    t.check("egress" not in server.status(), "no member of the status")
    for words in (("egress", "quarantine", "10.0.0.5"), ("pause", "egress", "1h")):
        result = order(server, *words)
        t.equal(result.returncode, 1, f"exit status of {words}")
        t.check("has no egress guard" in result.stderr, result.stderr)


@test(each={"no verb": ["egress"], "another verb": ["egress", "jail"], "nobody": ["egress", "quarantine"],
            "two": ["egress", "release", "a", "b"], "a stage": ["egress", "quarantine", "a", "--stage", "3"],
            "a time": ["egress", "quarantine", "a", "--for", "soon"], "no time": ["egress", "quarantine", "a", "--for", "0"],
            "of the other verb": ["egress", "release", "a", "--for", "1h"],
            "a site": ["pause", "egress", "shop", "1h"], "no duration": ["pause", "egress"],
            "whose shield": ["pause", "shield", "1h"], "a site to resume": ["resume", "egress", "shop"]})
def wrong_use_is_told_and_never_sent(t, words):
    result = t.server().command(*words)
    t.equal(result.returncode, 2, f"exit status; {result.stderr}")
    t.check(result.stderr.splitlines()[-1].startswith("See: sallyport help "), result.stderr)


@test
def the_api_orders_too(t):
    server = start(t)

    def post(path, content):
        client = Client(server.control_socket)
        t.later(client.close)
        body = json.dumps(content).encode()
        client.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                    + body)
        response = client.read_response()
        return response.status, json.loads(response.body)
    t.equal(post("/api/egress/quarantine", {"origin": "10.0.0.5", "stage": "replies-only", "duration_ms": 60000}),
            (200, {"ok": True, "said": "Origin 10.0.0.5 is in quarantine (replies-only) for 1 min."}), "quarantine")
    t.equal(stage(server, "10.0.0.5"), "replies-only", "how it stands")
    t.equal(post("/api/egress/quarantine", {"origin": "10.0.0.5", "stage": "free"})[0], 400, "no such stage")
    t.equal(post("/api/egress/release", {"origin": "10.9.9.9"})[0], 409, "no such origin")
    t.equal(server.api("GET", "/api/egress/release").status, 405, "status of GET")


# ---- pause


@test
def egress_is_paused_as_a_whole(t):
    server = start(t)
    result = order(server, "pause", "egress", "30min")
    t.equal((result.returncode, result.stdout), (0, "Egress only watches for 30min.\n"), "pause")
    status = server.status()
    t.equal([(entry["leg"], "site" in entry) for entry in status["paused"]], [("egress", False)], "what is paused")
    t.check(1790 <= status["egress"]["paused"]["left_s"] <= 1800, status["egress"])
    shown = order(server, "status").stdout
    t.check(re.search("paused        egress for another (29|30) min", shown), shown)
    said = egress(server, "quarantine", "10.0.0.5").stdout
    t.check("only reported" in said, said)
    t.eventually(lambda: "would be in quarantine" in server.events(), lambda: f"the event: {server.events()}")
    result = order(server, "resume", "egress")
    t.equal((result.returncode, result.stdout), (0, "Egress is not paused.\n"), "resume")
    t.check("paused" not in server.status()["egress"], "it is resumed")


@test
def a_pause_of_egress_runs_out_and_survives_a_reload(t):
    server = start(t)
    order(server, "pause", "egress", "3s")
    t.equal(server.reload().status, 200, "status of the reload")
    t.check("paused" in server.status()["egress"], "it is paused after the reload")
    t.eventually(lambda: "the pause of egress has run out" in server.errors(), "the log says so")
    t.check("paused" not in server.status()["egress"], "it is over")


# ---- what is told


@test
def orders_and_the_end_of_their_time_are_events_within_a_second(t):
    server = start(t)
    began = time.monotonic()
    egress(server, "quarantine", "10.0.0.5", "--for", "700ms")
    t.eventually(lambda: news(server) == [("quarantine", "10.0.0.5")], lambda: f"told: {server.events()}", 1.0)
    t.eventually(lambda: news(server)[1:] == [("end", "10.0.0.5")], lambda: f"the end is told: {server.events()}", 3.0)
    t.within(began, 0.7 + 1.0, "the end is told")
    line = json.loads(server.events().splitlines()[0])
    t.equal((line["reason"], line["rule"], line["event"]),
            ("egress-quarantined", "ordered", "origin 10.0.0.5 is in quarantine (listed-only) for 700 ms: ordered"), "event")
    egress(server, "quarantine", "10.0.0.6")
    egress(server, "release", "10.0.0.6")
    t.eventually(lambda: news(server)[2:] == [("quarantine", "10.0.0.6"), ("release", "10.0.0.6")],
                 lambda: f"told: {server.events()}", 1.0)
    time.sleep(0.6)
    t.equal(len(news(server)), 4, "a release is no end of its time")


@test
def whoever_is_alerted_is_told_of_a_quarantine(t):
    receiver = Receiver(t)
    server = start(t, alerts={"webhook": f"http://127.0.0.1:{receiver.port}/"})
    began = time.time()
    egress(server, "quarantine", "10.0.0.5")
    t.eventually(lambda: receiver.posts, "an alert", 5)
    t.check(receiver.posts[0][0] - began < t.pace(), f"after {receiver.posts[0][0] - began:.2f} s")
    alert = json.loads(receiver.posts[0][2])
    t.equal((alert["kind"], alert["egress"], alert["reason"]), ("quarantine", "10.0.0.5", "egress-quarantined"), "alert")
    t.check("is in quarantine (listed-only) until it is released" in alert["text"], alert)
    egress(server, "release", "10.0.0.5")
    t.eventually(lambda: len(receiver.posts) == 2, "another", 5)
    t.check("released" in json.loads(receiver.posts[1][2])["text"], receiver.posts[1][2])


@test
def the_status_says_who_is_in_quarantine_and_what_is_left_open(t):
    server = start(t)
    egress(server, "quarantine", "10.0.0.6")
    shown = order(server, "status").stdout
    for words in (r"  quarantine    10\.0\.0\.6: listed-only, ordered, since 20.*, until it is released\n",
                  r"  egress        enforce; gate on; kernel leg off: egress\.kernel is \"off\"\n",
                  r"that leaves open: what origins send past the gate", "2 origins, 1 of them in quarantine"):
        t.check(re.search(words, shown), f"{words}:\n{shown}")
    t.check(shown.index("quarantine    ") < shown.index("egress        "), "who is in quarantine comes first")


@test
def metrics_are_by_origin(t):
    server = start(t)
    egress(server, "quarantine", "10.0.0.6")
    text = server.api("GET", "/metrics").body.decode()
    for line in text.splitlines():
        t.check(re.fullmatch(r'# (HELP|TYPE) [a-z_:]+ .*|[a-z_:]+(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? [0-9.e+]+',
                             line), f"a line of the metrics: {line!r}")
    for line in ('sallyport_egress_stage{origin="10.0.0.6",stage="listed-only"} 1',
                 'sallyport_egress_stage{origin="10.0.0.5",stage="free"} 1',
                 'sallyport_egress_gate_requests_total{origin="10.0.0.5"} 0', "sallyport_egress_kernel_active 0"):
        t.check(line in text.splitlines(), line)


@test
def the_page_has_a_section_for_it(t):
    server = start(t)
    page, script = server.api("GET", "/").body.decode(), server.api("GET", "/console.js").body.decode()
    for name in re.findall(r'at\("(egress[\w-]*)"\)', script):
        t.check(f'id="{name}"' in page, f"{name} stands in the page")


@test(heavy=True, seconds=60)
def its_buttons_order_in_a_browser_and_keep_the_focus(t):
    port = free_port()
    server = start(t, console={"address": f"127.0.0.1:{port}"})
    page = Page(t, f"http://127.0.0.1:{port}/")
    button = "document.querySelector('#egress-origins button[data-origin=\"10.0.0.6\"]')"
    t.eventually(lambda: page.run(f"!!{button}"), "the section is there", 20)
    page.run(f"window.before = {button}, {button}.focus()")
    t.eventually(lambda: page.run(f"window.before !== {button}"), "the table is written anew")
    t.equal(page.run(f"document.activeElement === {button}"), True, "the focus is where it was")
    page.run("document.activeElement.click()")
    t.eventually(lambda: stage(server, "10.0.0.6") == "listed-only", "the order is obeyed")
    t.eventually(lambda: page.run(f"{button}.textContent") == "Release", "and shown")
    t.check("10.0.0.6" in page.run("document.getElementById('changes').textContent"), "what changed names it")
    page.run(f"{button}.click()")
    t.eventually(lambda: stage(server, "10.0.0.6") == "free", "the release")


# ---- what lasts


@test
def a_quarantine_survives_reloads_and_a_policy_without_its_origin(t):
    server = start(t)
    egress(server, "quarantine", "10.0.0.6")
    for origins in (["10.0.0.6", "10.0.0.5"], ["10.0.0.5"], ["10.0.0.7", *ORIGINS]):
        server.settings["egress"]["origins"] = origins
        server.write_policy()
        t.equal(server.reload().status, 200, "status of the reload")
        t.equal(list(listed(server)), sorted((o.split()[0] for o in origins), key=lambda o: (o != "10.0.0.6",)),
                "who is listed") if len(origins) < 3 else None
    t.equal((stage(server, "10.0.0.6"), stage(server, "10.0.0.7")), ("listed-only", "free"), "how they stand")
    egress(server, "release", "10.0.0.6")
    t.equal(stage(server, "10.0.0.6"), "free", "after the release")


@test
def a_policy_with_errors_changes_nothing_of_it(t):
    server = start(t)
    egress(server, "quarantine", "10.0.0.5")
    server.settings["egress"]["origins"] = ["10.0.0.999"]
    server.write_policy()
    t.equal(server.reload().status, 409, "status of the reload")
    t.equal(sorted(listed(server)), ["10.0.0.5", "10.0.0.6"], "who is listed")
    t.equal(stage(server, "10.0.0.5"), "listed-only", "how it stands")


# ---- with the gate


def listed_place(t):
    """Somebody whom the policy lists, and a gate to get there."""
    world = Origin(host=other_address())
    t.later(world.close)
    place = f"{world.host}:{world.port}"
    return world, place, Gate(t, [place])


@test
def an_order_counts_from_the_next_request_through_the_gate(t):
    world, place, gate = listed_place(t)
    server = gate.server

    def status():
        return gate.get(f"http://{place}/").status
    t.equal(status(), 200, "a listed host")
    egress(server, "quarantine", "127.0.0.1")
    t.equal(status(), 200, "a listed host in stage 1")
    egress(server, "quarantine", "127.0.0.1", "--stage", "2")
    mark = server.mark()
    t.equal(status(), 403, "a listed host in stage 2")
    t.reason(server.next_line(mark), "egress-quarantined")
    order(server, "pause", "egress", "1h")
    t.equal(status(), 200, "while egress is paused")
    order(server, "resume", "egress")
    t.equal(status(), 403, "afterwards")
    egress(server, "release", "127.0.0.1")
    t.equal(status(), 200, "once it is released")
    t.equal(len(world.requests), 4, "requests that came there")
    counted = listed(server)["127.0.0.1"]["counters"]
    t.equal((counted["gate_requests"], counted["gate_refused"]), (6, 3), f"counted, with what was only reported: {counted}")


@test
def a_quarantine_survives_the_gate(t):
    world, place, gate = listed_place(t)
    server = gate.server
    egress(server, "quarantine", "127.0.0.1", "--stage", "2")

    def pids():
        return [each["pid"] for each in server.processes() if each["role"] == "gate" and each["pid"]]
    before = pids()
    t.equal(len(before), 1, f"gates: {server.processes()}")
    os.kill(before[0], signal.SIGKILL)
    t.eventually(lambda: pids() and pids() != before, lambda: f"another gate: {server.processes()}")

    def refused():
        try:
            return gate.get(f"http://{place}/").status == 403
        except (OSError, Failure):
            return False
    t.eventually(refused, "the new gate knows of the quarantine")
    t.equal(stage(server, "127.0.0.1"), "replies-only", "how it stands")
    t.equal(len(world.requests), 0, "requests that came there")


@test
def a_scan_through_the_gate_is_told_with_its_quarantine_and_its_alert(t):
    receiver = Receiver(t)
    gate = Gate(t, settings={"alerts": {"webhook": f"http://127.0.0.1:{receiver.port}/"}}, strikes=5)
    server = gate.server
    began = time.time()
    for last in range(1, 9):
        gate.get(f"http://10.0.0.{last}/")
    t.eventually(lambda: ("quarantine", "127.0.0.1") in news(server), lambda: f"told: {server.events()}", 1.0)
    lines = [line for line in map(json.loads, server.events().splitlines()) if line.get("news") == "quarantine"]
    t.equal(len(lines), 1, f"sentences: {server.events()}")
    t.check(re.match(r"origin 127\.0\.0\.1 is in quarantine \(listed-only\) for 10 min: forbidden, .* last 10\.0\.0\.\d",
                     lines[0]["event"]), lines[0])
    told = [(line["news"], line["reason"]) for line in map(json.loads, server.events().splitlines()) if "news" in line]
    t.equal(told[0], ("refused", "egress-private"), "what is told first")
    t.check(len(told) < 8, f"what is alike is folded: {server.events()}")

    def alerts():
        return {json.loads(post[2])["kind"] for post in receiver.posts}
    t.eventually(lambda: alerts() == {"egress", "quarantine"}, lambda: f"alerts: {receiver.posts}", 3.0)
    t.check(receiver.posts[-1][0] - began < 2 * t.pace(), "alerts in time")
    shown = order(server, "status").stdout
    t.check("quarantine    127.0.0.1: listed-only, forbidden, since" in shown, shown)


@test
def a_scan_from_the_demo_reaches_nobody_and_its_site_stays_up(t):
    address = f"{own_address()}:{free_port()}"
    server = t.fresh_server(origins=[], start=False, arguments=["--listen", address, "--demo"],
                            environment={"XDG_RUNTIME_DIR": str(t.directory()), "XDG_STATE_HOME": str(t.directory()),
                                         "SALLYPORT_LOG": "off"})
    if os.geteuid() == 0:  # the control socket has one standard place
        t.alone("standard-place")
    server.start(wait=False)
    found = t.eventually(lambda: re.search(r"control socket: (\S+)", server.errors()), server.errors)
    control = found[1]
    result = server.command("demo", "scan", "--socket", control)
    t.equal((result.returncode, result.stderr), (0, ""), f"exit status, errors; {result.stdout}")
    t.check(result.stdout.startswith("100 hosts were tried through the gate: 0 reached, 100 refused.\n"), result.stdout)
    status = json.loads(server.command("status", "--json", "--socket", control).stdout)
    t.equal([(each["origin"], each["stage"]) for each in status["egress"]["origins"]], [("127.0.0.2", "listed-only")],
            "how it stands")
    host, port = address.rsplit(":", 1)
    client = Client((host, int(port)))
    t.later(client.close)
    t.equal(client.get("/", host=address).status, 200, "a page of its site")


@test
def without_a_demo_there_is_nothing_to_scan_from(t):
    server = t.server()
    result = order(server, "demo", "scan")
    t.equal((result.returncode, result.stderr), (1, "sallyport demo: the server has no gate: start sallyport with --demo, "
                                                    "without a policy\n"), "what it says")


# ---- the check


def check(machine, *words):
    """Runs it in a namespace of ours, with nothing of a server; gives exit status, tries, and all of its words."""
    with machine.inside():
        done = subprocess.run([BINARY, "egress", "check", "--json", *words], capture_output=True, text=True, timeout=30,
                              env={"PATH": "/usr/bin"})
    t_found = json.loads(done.stdout) if done.stdout else {"tries": [], "stderr": done.stderr}
    return done.returncode, t_found


def tries(found, **wanted):
    return [each for each in found["tries"] if all(each[name] == value for name, value in wanted.items())]


@test
def where_a_plain_router_stands_everything_gets_through(t):
    place = Place(t)
    target = namespaces.answering(5)
    status, found = check(place.network.origin, "--target", target, "--burst", "0", "--timeout", "2s")
    t.equal(status, 1, f"exit status: {found}")
    t.equal([each["verdict"] for each in tries(found, target=f"{target}:80")], ["through"], "port 80, which answers")
    t.equal({each["verdict"] for each in tries(found, target=f"{target}:443")}, {"through"}, "a reset is an answer")
    t.equal([each["verdict"] for each in tries(found, target=f"{target}:22")], ["allowed"],
            "where new destinations may be reached, within their budget")
    t.equal([each["verdict"] for each in tries(found, target=target, **{"try": "ping"})], ["allowed"], "ping")
    status, found = check(place.network.origin, "--target", target, "--burst", "0", "--timeout", "2s", "--isolated")
    t.equal([each["verdict"] for each in tries(found, target=f"{target}:22")], ["through"], "on an isolated network")


@test
def where_there_is_no_way_out_nothing_gets_through(t):
    place = Place(t)
    place.network.gateway.set({"ipv4/ip_forward": 0, "ipv6/conf/all/forwarding": 0})
    began = time.monotonic()
    status, found = check(place.network.origin, "--target", namespaces.answering(5), "--target", namespaces.answering(5, 6),
                          "--timeout", "700ms")
    t.equal((status, found["through"]), (0, 0), f"{[each for each in found['tries'] if each['verdict'] == 'through']}")
    t.check(found["tried"] > 50, found["tried"])
    t.equal(found["burst"]["answered"], 0, "of the burst")
    t.within(began, 6, "the time it took")
    t.equal(place.escaped().hosts, 0, "what the world saw")


@test
def behind_the_guard_nothing_gets_through_that_should_not(t):
    place = Place(t)
    server = place.guard()
    origin = place.network.origin
    network = namespaces.answering(255).rpartition(".")[0] + ".0/24"
    status, found = check(origin, "--proxy", f"{place.network.inner(origin)}:3128", "--target", namespaces.answering(5),
                          "--target", network, "--burst", "60", "--allowed", f"{LISTED4}:80", "--timeout", "1500ms")
    t.equal((status, found["through"], found["missing"]), (0, 0, 0),
            f"{[each for each in found['tries'] if each['verdict'] in ('through', 'missing')]}")
    t.check(found["burst"]["answered"] <= 12, f"new destinations: {found['burst']}")
    t.equal([each["verdict"] for each in tries(found, target=f"{LISTED4}:80")], ["allowed", "allowed"],
            "what is listed, before and in quarantine")
    t.check(place.escaped().hosts <= 12, f"hosts that saw any of it: {place.escaped()}")
    stood = listed(server)
    t.check(stood[place.network.address(origin)]["stage"] != "free", f"it is in quarantine: {stood}")
    t.equal(stood[place.network.address(place.network.neighbour)]["stage"], "free", "its neighbour is not")
    t.check(server.status()["egress"]["kernel_active"], "the kernel leg is on")
    t.equal(place.visit().status, 200, "its site")


@test
def an_order_counts_in_the_kernel_and_survives_the_warden(t):
    place = Place(t)
    server = place.guard()
    origin = place.network.origin
    name = place.network.address(origin)

    def reaches():
        with origin.inside():
            try:
                socket.create_connection((LISTED4, 80), timeout=0.4).close()
                return True
            except OSError:
                return False

    def wardens():
        return [each["pid"] for each in server.processes() if each["role"] == "warden" and each["state"] == "running"]
    t.eventually(reaches, "a listed host is reached", 5.0)
    egress(server, "quarantine", name, "--stage", "2")
    t.eventually(lambda: not reaches(), "nothing is, in stage 2", 3.0)
    before = wardens()
    t.equal(len(before), 1, f"wardens: {server.processes()}")
    os.kill(before[0], signal.SIGKILL)
    for _ in range(3):
        t.check(not reaches(), "nothing is, while no warden runs")
    t.eventually(lambda: wardens() and wardens() != before, lambda: f"another warden: {server.processes()}", 5.0)
    t.check(not reaches(), "nothing is, with the new one")
    t.equal(server.reload().status, 200, "status of a reload")
    t.check(not reaches(), "nothing is, after a reload")
    egress(server, "release", name)
    t.eventually(reaches, "a listed host is reached again", 3.0)


@test
def a_burst_is_counted_against_the_budget(t):
    place = Place(t)
    network = namespaces.answering(255).rpartition(".")[0] + ".0/24"
    status, found = check(place.network.origin, "--target", network, "--burst", "30", "--timeout", "2s")
    t.equal((status, found["burst"]["answered"]), (1, 30), f"behind a plain router: {found['burst']}")
    t.check(found["through"] >= 30 - 10 - 4, f"beyond the budget: {found['through']}")


@test
def nobody_is_touched_who_was_not_named(t):
    place = Place(t)
    _, found = check(place.network.origin, "--timeout", "300ms")
    asked = {each["target"].rpartition(":")[0].strip("[]") or each["target"] for each in found["tries"]}
    for target in asked:
        t.check(target.startswith(("192.0.2.", "198.51.100.", "203.0.113.", "198.18.", "2001:db8:", "169.254.169.254",
                                   "10.0.0.1", "172.16.0.1", "192.168.", "fd00:")) or ":" not in target, target)
    t.equal(place.witness.met(source=place.network.address(place.network.origin)).hosts, 0, "addresses of the world")


class Proxy(Origin):
    """A forward proxy that answers everything alike."""

    def __init__(self, answer):
        super().__init__(host="::", port=3128)
        self.on("*", reply(b"", answer))


@test(each={"lets everything pass": ("200 OK", 1, "through"), "refuses everything": ("403 Forbidden", 0, "contained"),
            "tries what it should refuse": ("502 Bad Gateway", 1, "through"),
            "throttles": ("429 Too Many Requests", 0, "contained")})
def the_gate_is_judged_by_its_answers(t, answer):
    answer, exit_status, verdict = answer
    place = Place(t)
    place.network.gateway.set({"ipv4/ip_forward": 0, "ipv6/conf/all/forwarding": 0})
    with place.network.gateway.inside():
        gate = Proxy(answer)
        t.later(gate.close)
    proxy = f"http://{place.network.inner(place.network.origin)}:3128"
    status, found = check(place.network.origin, "--proxy", proxy, "--timeout", "2s", "--burst", "0")
    t.equal(status, exit_status, f"exit status: {found}")
    for target in ("127.0.0.1:80", "[::ffff:127.0.0.1]:80", "0x7f000001:80", "169.254.169.254:80", "192.0.2.1:443"):
        t.equal({each["verdict"] for each in tries(found, target=target, **{"try": "connect"})}, {verdict}, target)


@test
def a_gate_that_is_not_there_is_one_error(t):
    place = Place(t)
    place.network.gateway.set({"ipv4/ip_forward": 0, "ipv6/conf/all/forwarding": 0})
    proxy = f"{place.network.inner(place.network.origin)}:3128"
    status, found = check(place.network.origin, "--proxy", proxy, "--timeout", "500ms", "--burst", "0")
    t.equal((status, found["missing"], len(tries(found, **{"try": "connect"}))), (1, 1, 0), f"{found}")


@test
def what_is_listed_has_to_get_through(t):
    place = Place(t)
    status, found = check(place.network.origin, "--allowed", f"{LISTED4}:80", "--timeout", "2s", "--burst", "0")
    t.equal([each["verdict"] for each in tries(found, target=f"{LISTED4}:80")], ["allowed", "allowed"],
            f"before and after all else: {found}")
    t.equal((status, found["missing"]), (0, 0), "nothing else is there to get through")
    place.network.gateway.set({"ipv4/ip_forward": 0})
    status, found = check(place.network.origin, "--allowed", f"{LISTED4}:80", "--timeout", "300ms", "--burst", "0")
    t.equal((status, found["missing"]), (1, 2), "once there is no way")


@test(each={"an option": ["--proxxy", "x"], "an operand": ["x"], "a proxy": ["--proxy", "ftp://x"],
            "a port": ["--proxy", "http://127.0.0.1:99999"], "a time": ["--timeout", "soon"],
            "a number": ["--burst", "many"], "nothing": ["--target"]})
def the_check_tells_wrong_use(t, words):
    result = t.server().command("egress", "check", *words)
    t.equal(result.returncode, 2, f"exit status; {result.stderr}")
