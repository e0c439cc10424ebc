"""The kernel leg's table: whose it is, what a reload keeps, what a crash and a stop leave, what it says. What gets
past it is measured in test_egress_kernel.py."""

import errno
import json
import os
import pathlib
import re
import signal
import socket
import time

from harness import attacks, namespaces, policy, test
from harness.egress import LISTED4, OPEN_PORT, Place

TABLE = ("inet", "sallyport")
# Somebody else's, with a chain on the same hooks, a set that has elements, and one with our name in another family.
FOREIGN = """table inet operators {
	set mine { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.2 }; }
	counter seen { packets 7 bytes 8 }
	chain forward { type filter hook forward priority filter; policy accept; ip daddr @mine drop; }
}
table ip sallyport { chain output { type filter hook output priority 5; policy accept; ip daddr 192.0.2.3 drop; }
}
"""


def guarded(t, egress=None, **options):
    place = Place(t, options.pop("bridged", False))
    place.guard(egress, **options)
    return place


def nft(place, *command, stdin="", check=True):
    return place.network.gateway.run("nft", *command, stdin=stdin, check=check)


def has_table(place):
    return " ".join(("table", *TABLE)) in nft(place, "list", "tables").splitlines()


def our_table(place):
    """Our table without counters, and without what packets put into its dynamic sets."""
    return re.sub(r"(flags dynamic[^{}]*?)\n\t\telements = \{[^}]*\}", r"\1", nft(place, "-s", "list", "table", *TABLE))


def foreign(place):
    return [nft(place, "list", "table", *name) for name in (("inet", "operators"), ("ip", "sallyport"))]


def scan(place, first=0, count=60, attacker=None):
    targets = [namespaces.answering(first + i) for i in range(count)]
    place.attack(lambda: attacks.connect_scan(targets, OPEN_PORT, patience=0.3), attacker)


def hosts(place, **options):
    return place.escaped(**options).hosts


def quarantined(place):
    """Elements of stage 1 in the kernel."""
    listed = json.loads(nft(place, "-j", "list", "set", *TABLE, "stage1"))["nftables"]
    return next(each["set"] for each in listed if "set" in each).get("elem", [])


def process(place, role):
    return next((each for each in place.server.processes() if each["role"] == role), None)


def origin_of(place, name="10.11.0.2"):
    return next(each for each in place.server.status()["egress"]["origins"] if each["origin"] == name)


def told(place, **wanted):
    lines = [json.loads(line) for line in place.server.events().splitlines()]
    return [line for line in lines if all(line.get(name) == value for name, value in wanted.items())]


# ---- whose table it is

@test(seconds=20.0)
def tables_of_others_are_never_touched(t):
    place = Place(t)
    nft(place, "-f", "-", stdin=FOREIGN)
    before = foreign(place)
    server = place.guard()
    t.equal(foreign(place), before, "tables of others once it runs")
    scan(place)
    t.equal(server.reload().status, 200, "status of a reload")
    t.equal(foreign(place), before, "tables of others after a reload")
    server._stop()
    t.equal((has_table(place), foreign(place)), (False, before), "our table, and those of others, after a stop")


@test(seconds=30.0)
def a_crash_of_everything_leaves_the_table_and_the_next_start_takes_it_over(t):
    place = guarded(t)
    server = place.server
    scan(place)
    t.equal(len(quarantined(place)), 1, "origins in quarantine")
    server.process.kill()
    server.process.wait()
    t.eventually(lambda: not server.descendants(), "all processes are gone", 5.0)
    t.check(has_table(place), "the table is gone with the processes")
    place.witness.forget()
    scan(place, 100)
    t.equal(hosts(place), 0, "hosts that an origin in quarantine reached while nobody was there")
    for path in server.runtime.iterdir():
        path.unlink()
    with place.network.gateway.inside():
        server.start()
    t.equal(len(quarantined(place)), 1, "origins in quarantine after another start")
    t.eventually(lambda: told(place, news="quarantine"), "the new server knows of the quarantine", 3.0)


@test(seconds=30.0)
def a_warden_that_dies_leaves_the_table_and_comes_back(t):
    place = guarded(t)
    old = process(place, "warden")["pid"]
    os.kill(old, signal.SIGKILL)
    t.check(has_table(place), "the table is gone with the warden")
    scan(place)
    t.check(hosts(place) <= 10, f"{hosts(place)} hosts reached while there was no warden")
    t.eventually(lambda: (process(place, "warden") or {"pid": old})["pid"] != old, "another warden runs", 5.0)
    t.eventually(lambda: told(place, news="quarantine"), "it learned who is in quarantine", 5.0)
    t.equal(len(quarantined(place)), 1, "origins in quarantine")


@test(seconds=20.0)
def a_policy_without_the_kernel_leg_takes_the_table_away(t):
    place = guarded(t)
    t.check(has_table(place), "there is no table")
    place.server.write_policy({"egress": place.server.settings["egress"] | {"kernel": "off"}})
    t.equal(place.server.reload().status, 200, "status of the reload")
    t.eventually(lambda: not has_table(place), "the table is gone", 5.0)
    t.eventually(lambda: not process(place, "warden"), "the warden has ended", 3.0)


# ---- reloads

@test(seconds=20.0)
def a_reload_keeps_quarantine_known_destinations_and_counters(t):
    place = guarded(t, {"strikes": 40})
    t.equal(place.reach(place.network.neighbour, namespaces.answering(5), OPEN_PORT).status, 200, "status")
    scan(place)
    before = json.loads(nft(place, "-j", "list", "table", *TABLE))["nftables"]
    place.server.write_policy({"egress": place.server.settings["egress"] | {"allow": [f"{LISTED4}:80", "192.0.2.7"]}})
    t.equal(place.server.reload().status, 200, "status of the reload")
    after = json.loads(nft(place, "-j", "list", "table", *TABLE))["nftables"]
    t.equal(elements(after, "known4"), elements(before, "known4"), "known destinations")
    t.equal(elements(after, "stage1"), elements(before, "stage1"), "origins in quarantine")
    t.check(elements(after, "stage1") and elements(after, "known4"), "nothing was there to be kept")
    t.check(counted(after, "dropped") >= counted(before, "dropped") > 0, "counters began anew")
    t.check("192.0.2.7" in json.dumps(after), "the new destination is not listed")


def elements(listed, name):
    """Of all sets whose name ends so, without what time has changed."""
    found = [each["set"].get("elem", []) for each in listed if "set" in each and each["set"]["name"].endswith(name)]
    return sorted(str(one["elem"]["val"] if isinstance(one, dict) else one) for each in found for one in each)


def counted(listed, name):
    return sum(each["counter"]["packets"] for each in listed
               if "counter" in each and each["counter"]["name"].endswith(name))


@test(seconds=30.0)
def other_numbers_hold_at_once_for_who_is_at_it(t):
    place = guarded(t, {"flows": {"datagram_packets": "1000/s", "new_connections": "1000/s"}})
    network, target = place.network, namespaces.answering(3)

    def hundred_a_second():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _ in range(600):
                sock.sendto(b"one", (target, OPEN_PORT))
                time.sleep(0.01)
        return True
    end = attacks.begin(network.origin, hundred_a_second)
    t.eventually(lambda: place.escaped().packets >= 30, "some pass", 3.0)
    other = {"burst": 5, "flows": {"datagram_packets": "10/s", "bytes": "1 MiB/s", "hourly_bytes": "1 MiB", "new_connections": "900/s"}}
    place.server.write_policy({"egress": policy.merge(place.server.settings["egress"], other)})
    t.equal(place.server.reload().status, 200, "status of the reload")
    place.witness.forget()
    end(20.0)
    got = place.escaped().packets
    t.check(got <= 20 + 6 * 10 + 10, f"{got} packets of a flow that was under way, where its new budget is 10/s")
    listed = {kind: nft(place, "list", f"{kind}s", "inet") for kind in ("limit", "quota")}
    t.check("_new_1_1000_5 " in listed["limit"] and "_new_1_1000_10 " not in listed["limit"], listed["limit"])
    t.check("_connections_900_" in listed["limit"] and "_connections_1000_" not in listed["limit"], listed["limit"])
    t.check("_bytes_1048576 " in listed["limit"] and "_bytes_3145728 " not in listed["limit"], listed["limit"])
    t.check("over 1 mbytes" in listed["quota"] and "256" not in listed["quota"], listed["quota"])


@test(seconds=20.0)
def an_origin_that_is_none_any_more_leaves_nothing_in_the_table(t):
    place = guarded(t)
    network = place.network
    both = nft(place, "list", "chains", "inet").count("_out4 {")
    place.server.write_policy({"egress": place.server.settings["egress"] | {
        "origins": [network.address(network.origin)], "burst": 5}})
    t.equal(place.server.reload().status, 200, "status of the reload")
    t.equal((both, nft(place, "list", "chains", "inet").count("_out4 {")), (2, 1), "origins with chains")
    listed = nft(place, "list", "table", *TABLE)
    t.check("_out6 {" not in listed, "chains of an address that is none any more")
    t.equal(listed.count("_new_"), 3, "the limit of new destinations, and the two that ask it")


@test(seconds=20.0)
def rules_that_the_kernel_refuses_change_nothing(t):
    place = guarded(t)
    server, network = place.server, place.network
    before = our_table(place)
    origins = server.settings["egress"]["origins"]
    # a set of ours that holds something else: it cannot be what the new policy needs
    nft(place, "-f", "-", stdin="add set inet sallyport open_77_77_4 { type ipv4_addr; flags timeout; }\n")
    server.write_policy({"egress": server.settings["egress"] | {"allow": [f"{LISTED4}:80", "192.0.2.7:77"]}})
    answer = server.reload()
    t.check(answer.status != 200 and b"kernel refuses the rules" in answer.body and b"exists" in answer.body,
            f"the answer to a reload: {answer.status} {answer.body!r}")
    nft(place, "-f", "-", stdin="delete set inet sallyport open_77_77_4\n")
    t.equal(our_table(place), before, "the table")
    scan(place)
    t.check(0 < hosts(place) <= 10, f"{hosts(place)} hosts")
    server.write_policy({"egress": server.settings["egress"] | {"origins": origins}})
    t.equal(server.reload().status, 200, "status of a reload once nothing is in the way")


# ---- what it judges

@test(seconds=20.0)
def gate_and_kernel_spend_one_budget(t):
    place = guarded(t)
    slot = 0  # of the first origin of a server's first policy
    outcome = []
    with place.network.gateway.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _ in range(6):
            outcome.append(token(asking, slot))
    t.equal(outcome, [True] * 6, "tokens while there are some")
    scan(place, count=20)
    t.check(3 <= hosts(place) <= 5, f"the kernel let {hosts(place)} hosts pass once the gate had 6 of 10")
    with place.network.gateway.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        t.equal(token(asking, slot), False, "a token once all are spent")
        t.equal(token(asking, slot + 1), True, "a token of the neighbour's")


def token(asking, slot):
    try:
        asking.sendto(b"", (f"127.83.{slot // 256}.{slot % 256 + 1}", 9))
        return True
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
        return False


@test(seconds=20.0)
def this_machine_is_no_target_either(t):
    place = guarded(t)
    network, inner = place.network, place.network.inner(place.network.origin)
    with network.gateway.inside():
        service = socket.create_server((inner, 2222))
    t.later(service.close)

    def connects(machine, port):
        with machine.inside(), socket.socket() as sock:
            sock.settimeout(0.6)
            return sock.connect_ex((inner, port))
    t.equal(connects(network.origin, 3128), 0, "a connection to the gate")
    t.check(connects(network.origin, 2222) != 0, "an origin reached a service of this machine")
    with network.gateway.inside():
        t.equal(socket.create_connection((inner, 2222), timeout=1).close(), None, "this machine itself")


@test(seconds=20.0)
def what_is_listed_for_the_world_does_not_open_this_machine(t):
    network_of = "10.11.0.0/24"  # of the origin and this machine
    place = guarded(t, {"allow": ["0.0.0.0/0:2222", "*:2223", f"{network_of}:2224-2225"], "deny": [f"{network_of}:2225"]})
    network, inner = place.network, place.network.inner(place.network.origin)
    for port in range(2222, 2226):
        with network.gateway.inside():
            service = socket.create_server((inner, port))
        t.later(service.close)

    def connects(port):
        with network.origin.inside(), socket.socket() as sock:
            sock.settimeout(0.6)
            return sock.connect_ex((inner, port)) == 0
    t.equal([port for port in range(2222, 2226) if connects(port)], [2224], "ports of this machine that an origin reaches")
    t.equal(place.server.command("egress", "quarantine", "10.11.0.2", "--stage", "2", "--socket",
                                 place.server.control_socket).returncode, 0, "exit status of the order")
    t.eventually(lambda: not connects(2224), "in stage 2 it reaches none of them", 2.0)


@test(seconds=20.0)
def special_addresses_and_denied_ones_are_not_reached(t):
    place = guarded(t, {"allow": ["0.0.0.0/0:8080", "10.12.0.0/24:8080"], "deny": [namespaces.answering(9)]})
    network = place.network
    with network.neighbour.inside():
        service = socket.create_server(("10.12.0.2", OPEN_PORT))
    t.later(service.close)
    targets = [(namespaces.answering(8), 0), (namespaces.answering(9), 1), ("10.12.0.2", 0), ("10.99.0.2", 1)]
    for target, refused in targets:
        with network.origin.inside(), socket.socket() as sock:
            sock.settimeout(0.6)
            t.equal(int(sock.connect_ex((target, OPEN_PORT)) != 0), refused, f"refused: {target}")


@test(seconds=30.0)
def what_is_listed_by_name_is_listed_in_the_kernel(t):
    place = Place(t)
    home4, home6 = namespaces.answering(61000), namespaces.answering(61000, 6)
    place.names({"packages.example": [home4, home6], "inside.example": ["10.12.0.2"]})
    place.guard({"allow": ["packages.example:80", "inside.example:80"]})

    def reaches(target, port=80):
        with place.network.origin.inside(), socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET) as sock:
            sock.settimeout(0.4)
            return sock.connect_ex((target, port)) == 0
    with place.network.neighbour.inside():
        service = socket.create_server(("10.12.0.2", 80))
    t.later(service.close)
    t.eventually(lambda: home4 in nft(place, "list", "set", *TABLE, "name_80_80_4"), "the kernel has the address", 5.0)
    t.eventually(lambda: reaches(home4) and reaches(home6), "it is reached at a strict port", 5.0)
    t.check(not reaches(namespaces.answering(61001)), "its neighbour in the world is reached, too")
    t.check(not reaches("10.12.0.2"), "a name that is listed opened a private address")
    t.check("10.12.0.2" not in nft(place, "list", "set", *TABLE, "name_80_80_4"), "a private address is in the kernel's set")
    place.server.reload()
    t.check(reaches(home4), "it is not reached after a reload")


@test(seconds=20.0)
def monitor_mode_only_reports(t):
    place = guarded(t, {"mode": "monitor"})
    scan(place)
    t.equal(hosts(place), 60, "hosts")
    t.eventually(lambda: told(place, news="quarantine"), "it says what it would have done", 2.0)
    t.check("would" in told(place, news="quarantine")[0]["event"], told(place, news="quarantine")[0]["event"])


@test(seconds=20.0)
def what_may_be_sent_in_an_hour_ends(t):
    place = guarded(t, {"flows": {"hourly_bytes": "64 KiB"}})
    place.sink()
    target = namespaces.answering(7)
    place.attack(lambda: attacks.tcp_flood(target, 8000, 1.0, most=1 << 20))
    got = place.escaped()
    t.note(f"with 64 KiB an hour: {got}")
    t.check(got.bytes <= 70000, f"{got.bytes} bytes")
    t.eventually(lambda: told(place, news="quarantine", rule="volume"), "it is told", 2.0)


@test(seconds=20.0)
def news_come_within_a_second_and_few(t):
    place = guarded(t)
    scan(place)
    t.eventually(lambda: told(place, news="quarantine", egress="10.11.0.2"),
                 lambda: f"the quarantine is told: {place.server.events()} {place.server.errors()} {quarantined(place)}", 1.0)
    event = told(place, news="quarantine")[0]
    t.check(event["rule"] == "scan" and ":8080" in event["evidence"], f"the event: {event}")
    t.check(len(told(place, egress="10.11.0.2")) <= 4, f"{len(told(place))} events of one scan")
    origin = origin_of(place)
    t.equal((origin["stage"], origin["offence"]), ("listed-only", "scan"), "the status")
    t.eventually(lambda: (counters := origin_of(place)["counters"])["kernel_new"] == 10 and counters["kernel_dropped"] >= 50,
                 lambda: f"counters: {origin_of(place)}", 2.0)


@test(seconds=30.0)
def whom_an_operator_releases_is_free_and_then_in_quarantine_for_longer(t):
    place = guarded(t)
    command = ("egress", "release", "10.11.0.2", "--socket", place.server.control_socket)
    scan(place)
    t.eventually(lambda: quarantined(place), "it is in quarantine", 2.0)
    first = quarantined(place)[0]["elem"]["timeout"]
    t.equal(place.server.command(*command).returncode, 0, "exit status of the release")
    t.eventually(lambda: not quarantined(place), "the kernel has released it", 1.0)
    place.witness.forget()
    time.sleep(1.2)  # what follows within a second of a conviction is the same deed
    scan(place, 100)
    t.eventually(lambda: quarantined(place) and quarantined(place)[0]["elem"]["timeout"] > first * 1.5,
                 lambda: f"it is in quarantine for longer than {first} s: {quarantined(place)}", 3.0)
    t.check(0 < hosts(place) <= 10, f"{hosts(place)} hosts after the release")


@test(seconds=30.0)
def what_an_operator_orders_holds_in_the_kernel(t):
    place = guarded(t)
    socket_of = ("--socket", place.server.control_socket)
    t.equal(place.server.command("egress", "quarantine", "10.11.0.2", "--stage", "2", *socket_of).returncode, 0,
            "exit status of the order")
    t.eventually(lambda: "0x" in nft(place, "list", "set", *TABLE, "stage2"), "the kernel has it in stage 2", 1.0)

    def reaches(target):
        with place.network.origin.inside(), socket.socket() as sock:
            sock.settimeout(0.5)
            return sock.connect_ex((target, 80)) == 0
    t.check(not reaches(LISTED4), "in stage 2 it reached what is listed")
    t.equal(place.visit().status, 200, "status of its site")
    t.equal(place.server.command("pause", *socket_of, "egress", "2s").returncode, 0, "exit status of a pause")
    t.eventually(lambda: reaches(LISTED4), "nothing is dropped in a pause", 2.0)
    t.eventually(lambda: not reaches(LISTED4), "and all is again after it", 4.0)


def moved(place):
    """The origin is elsewhere: by an interface of that name."""
    place.network.gateway.ip("link add lan9 type veth peer name lan8\nlink set lan8 up\nlink set lan9 up\nroute add 10.11.0.2/32 dev lan9\n")


@test(seconds=20.0)
def the_rules_follow_the_network(t):
    place = guarded(t)
    t.check('iifname "lan0"' in place.rules(), place.rules())
    moved(place)
    t.eventually(lambda: 'iifname "lan9" ct direction original' in place.rules(), "the rules have the other interface", 3.0)
    t.equal(place.server.errors().count("follows a change"), 1, "how often it is said")


@test(seconds=60.0)
def a_change_of_the_network_that_the_kernel_leg_does_not_follow_at_first_is_tried_again(t):
    place = guarded(t)
    in_the_way(place)
    moved(place)
    t.eventually(lambda: "does not follow a change" in place.server.errors(),
                 lambda: f"it is told: {place.server.errors()}", 5.0)
    time.sleep(6.0)  # it has been tried again by then
    t.check('iifname "lan9" ct direction original' not in place.rules(), "the rules have come in spite of what is in the way")
    nft(place, "delete", "map", *TABLE, "uses")
    t.eventually(lambda: 'iifname "lan9" ct direction original' in place.rules(), "the rules have the other interface", 15.0)
    t.equal(place.server.errors().count("does not follow a change"), 1, "how often it is said")


def in_the_way(place):
    """A chain that is none of ours, and cannot go."""
    nft(place, "-f", "-", stdin="add chain inet sallyport theirs\nadd map inet sallyport uses { type ipv4_addr : verdict; "
        "elements = { 192.0.2.1 : jump theirs }; }\n")


@test(seconds=30.0)
def a_pause_that_the_kernel_does_not_end_at_first_ends_later(t):
    place = guarded(t)
    t.equal(place.server.command("pause", "--socket", place.server.control_socket, "egress", "2s").returncode, 0, "exit status of a pause")

    def enforces(): return "drop" in nft(place, "list", "chain", *TABLE, "stranger")
    t.check(enforces(), "it does not enforce at first")
    t.eventually(lambda: not enforces(), "nothing is dropped in a pause", 2.0)
    in_the_way(place)
    t.eventually(lambda: "cannot enforce again" in place.server.errors(),
                 lambda: f"it is told that the pause does not end: {place.server.errors()}", 5.0)
    nft(place, "delete", "map", *TABLE, "uses")
    t.eventually(enforces, "it ends once the kernel takes the rules", 8.0)


# ---- rights

@test(seconds=20.0)
def required_does_not_start_without_the_right(t):
    place = Place(t)
    place.network.gateway.set({"ipv4/ip_unprivileged_port_start": 0})
    server = t.fresh_server({"egress": {"origins": ["10.11.0.2"], "kernel": "required"}},
                            origins=["http://10.11.0.2:80"], start=False, user=65534)
    with place.network.gateway.inside():
        server.start(wait=False)
    t.equal(server.process.wait(10), 1, "exit status")
    t.check("CAP_NET_ADMIN" in server.errors() and "required" in server.errors(), server.errors())


@test(seconds=20.0)
def auto_says_once_what_is_left_open(t):
    place = Place(t)
    place.network.gateway.set({"ipv4/ip_unprivileged_port_start": 0})
    server = t.fresh_server({"egress": {"origins": ["10.11.0.2"]}}, origins=["http://10.11.0.2:80"], start=False, user=65534)
    with place.network.gateway.inside():
        server.start()
    t.equal(server.reload().status, 200, "status of a reload")
    t.equal(server.errors().count("the kernel leg is off"), 1, "how often it is said")
    t.check(not has_table(place), "there is a table")


def spent_ms(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


@test(seconds=60.0)
def a_reload_of_many_origins_costs_little(t):
    """Of each, the kernel has some 70 things by name; what it does for one must not grow with all others."""
    place = Place(t)
    both = ["10.11.0.2 fd11::2", "10.12.0.2 fd12::2"]
    place.guard({"origins": both + [f"10.11.1.{i} fd11::1:{i}" for i in range(1, 61)]})
    pid = process(place, "warden")["pid"]
    before = spent_ms(pid)
    order = place.server.command("reload", "--socket", place.server.control_socket, seconds=40.0)
    spent = spent_ms(pid) - before
    t.note(f"a reload of 62 origins: {spent:.0f} ms of the warden's CPU time")
    t.equal(order.returncode, 0, "exit status of the reload")
    t.check(spent <= 1500 * t.pace(), f"{spent} ms of CPU time")


@test(seconds=20.0)
def an_idle_warden_costs_next_to_nothing(t):
    place = guarded(t)
    pid = process(place, "warden")["pid"]
    time.sleep(1.0)

    before = spent_ms(pid)
    time.sleep(4.0)
    spent = spent_ms(pid) - before
    t.note(f"an idle warden: {spent / 4:.1f} ms of CPU a second")
    t.check(spent <= 40, f"{spent} ms of CPU in 4 s")
