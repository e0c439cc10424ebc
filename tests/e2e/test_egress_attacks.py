"""What an infected origin tries through the gate: scans, floods, rebinding, and what becomes of it then. In a
network of its own, whose addresses a policy takes for the internet."""

import json
import threading
import time

from harness import test
from harness.gate import World, hosts_of
from harness.namespaces import answering, silent

LISTED = answering(60000)
PORT = 8080


def world(t, names=None, **options):
    made = World(t, names)
    return made, made.origin(port=PORT, **options)


def at(number, family=4):
    address = answering(number, family)
    return f"[{address}]:{PORT}" if family == 6 else f"{address}:{PORT}"


def news(gate):
    return [line for line in map(json.loads, gate.server.events().splitlines()) if "news" in line]


def told(gate, what):
    return [line for line in news(gate) if line["news"] == what]


def scan(gate, numbers, threads, family=4, patience=10):
    """CONNECT to each, so many at a time; how often each status came."""
    left, statuses, lock = list(numbers), {}, threading.Lock()

    def work():
        while True:
            with lock:
                if not left:
                    return
                number = left.pop(0)
            client, head = gate.connect(at(number, family), patience=patience)
            client.close()
            with lock:
                statuses[head.status] = statuses.get(head.status, 0) + 1

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return statuses


# ---- scans


@test(each={"IPv4": 4, "IPv6": 6}, seconds=30)
def a_scan_by_connect_ends_after_ten_hosts(t, family):
    here, there = world(t)
    gate = here.gate([f"{LISTED}:{PORT}"])
    start = time.monotonic()
    statuses = scan(gate, range(300), 100, family)
    took = time.monotonic() - start
    reached = hosts_of(there)
    t.check(len(reached) <= 10, f"{len(reached)} hosts were reached: {statuses}")
    t.check(len(reached) >= 5, f"only {len(reached)}: the scan did not work, {statuses}")
    t.equal(gate.get(f"http://{LISTED}:{PORT}/").status, 200, "the listed destination afterwards")
    t.eventually(lambda: told(gate, "quarantine"), "the quarantine is told", 1.0)
    line = told(gate, "quarantine")[0]
    t.check("scan" in line["event"] and line["egress"] == "127.0.0.1", line)
    for reason in ("egress-new-destination", "egress-quarantined"):
        t.reason(gate.server.next_line(None, lambda line: line.reason == reason), reason)
    t.check(len(news(gate)) < 20, f"{len(news(gate))} events")
    t.note(f"{len(reached)} hosts of 300 reached in {took:.2f} s: {statuses}; {len(news(gate))} events")


@test(seconds=30)
def the_quarantine_lets_pass_what_is_listed_and_nothing_else(t):
    here, there = world(t)
    gate = here.gate([f"{LISTED}:{PORT}"], quarantine="3 s", strikes=3)
    kept, head = gate.connect(at(1))
    listed, _ = gate.connect(f"{LISTED}:{PORT}")
    t.equal(head.status, 200, "a tunnel before")
    scan(gate, range(100, 160), 60)
    t.eventually(lambda: told(gate, "quarantine"), "quarantine", 2.0)
    known = sorted(hosts_of(there) - {LISTED})[0]
    client, head = gate.connect(f"{known}:{PORT}")
    t.equal(head.status, 403, "a destination that was known")
    t.equal(kept.read_all(), b"", "the end of the tunnel from before")
    line = gate.server.next_line(None, lambda line: line.status == 200 and line.origin == at(1))
    t.reason(line, "egress-quarantined")
    t.equal(listed.get("/", host="a").status, 200, "through the tunnel to what is listed")
    before = len(there.requests)
    for _ in range(20):
        t.equal(gate.get(f"http://{LISTED}:{PORT}/").status, 200, "what is listed, meanwhile")
    t.equal(len(there.requests) - before, 20, "requests there")
    t.eventually(lambda: gate.connect(at(1))[1].status == 200, "it is over", 6.0)


@test
def a_sentence_ends_what_is_idle_too(t):
    here, there = world(t)
    gate = here.gate([f"{LISTED}:{PORT}"], strikes=3)
    idle, head = gate.connect(at(1))
    listed, _ = gate.connect(f"{LISTED}:{PORT}")
    t.equal(head.status, 200, "a tunnel before")
    result = gate.server.command("egress", "quarantine", "127.0.0.1", "--socket", gate.server.control_socket)
    t.equal(result.returncode, 0, "an operator's order")
    t.equal(idle.read_all(), b"", "the end of the idle tunnel")
    line = gate.server.next_line(None, lambda line: line.status == 200 and line.origin == at(1))
    t.reason(line, "egress-quarantined")
    t.equal(listed.get("/", host="a").status, 200, "through the tunnel to what is listed")


@test
def more_names_than_the_kernel_leg_hears_of_are_told(t):
    here, _ = world(t)
    gate = here.gate([f"n{i}.example:443" for i in range(300)], kernel="auto")
    t.eventually(lambda: "256 names at most: 44 more" in gate.server.errors(), gate.server.errors)


@test(seconds=40)
def new_destinations_take_their_turn(t):
    here, there = world(t)
    gate = here.gate(burst=4, wait="5 s", strikes=1000)
    start, times = time.monotonic(), []
    for number in range(7):
        t.equal(gate.connect(at(number))[1].status, 200, f"destination {number}")
        times.append(time.monotonic() - start)
    t.check(times[3] < 0.5, f"four at once: {times}")
    t.check(2.5 < times[6] < 4.5, f"then one a second: {times}")
    start = time.monotonic()
    for number in range(7):
        t.equal(gate.get(f"http://{at(number)}/").status, 200, "again")
    t.within(start, 0.5, "those that are known wait no more")
    gate.server.write_policy({"timeouts": {"idle": "30 s"}})
    t.equal(gate.server.api("POST", "/api/reload").status, 200, "reload")
    start = time.monotonic()
    for number in range(7):
        t.equal(gate.connect(at(number))[1].status, 200, "after a reload")
    t.within(start, 0.5, "and they are known after a reload")
    t.note(f"7 destinations with a burst of 4 at 1/s came after {', '.join(f'{at:.1f}' for at in times)} s")


@test(seconds=20)
def who_waits_too_long_is_told_when_to_come_again(t):
    here, _ = world(t)
    gate = here.gate(burst=1, new_destinations="1/min", wait="500 ms")
    t.equal(gate.connect(at(0))[1].status, 200, "the first")
    mark, start = gate.server.mark(), time.monotonic()
    _, head = gate.connect(at(1))
    t.equal(head.status, 429, "the second")
    t.within(start, 1.5, "the time that it waited", least=0.4)
    line = gate.server.next_line(mark)
    t.reason(line, "egress-new-destination")
    t.equal((line.setting, line.limit), ("egress.new_destinations", 1), "log")
    t.check(int(head.field("Retry-After")) >= 1, head.head)
    client = gate.client().send(f"CONNECT {at(2)} HTTP/1.1\r\nHost: {at(2)}\r\n\r\n".encode())
    time.sleep(0.1)
    client.reset()
    t.equal(gate.get(f"http://{at(0)}/").status, 200, "who goes away while it waits leaves nothing behind")


@test(heavy=True, seconds=240)
def a_hundred_thousand_destinations_let_nothing_more_through(t):
    here, there = world(t)
    gate = here.gate([f"{LISTED}:{PORT}"], quarantine="5 min", limits={"requests": "0/s"})
    pid = gate.server.gate_pid()
    gate.get(f"http://{LISTED}:{PORT}/")
    before, failures = gate.server.memory(pid), []
    over = threading.Event()

    def works():
        while not over.wait(0.05):
            if gate.get(f"http://{LISTED}:{PORT}/").status != 200:
                failures.append(1)

    meanwhile = threading.Thread(target=works)
    meanwhile.start()
    statuses = scan(gate, range(50000), 8)
    statuses6 = scan(gate, range(50000), 8, 6)
    over.set()
    meanwhile.join()
    reached = hosts_of(there) - {LISTED}
    t.check(len(reached) <= 10, f"{len(reached)} hosts: {statuses}, {statuses6}")
    t.equal(failures, [], "failures of the listed destination meanwhile")
    grown = gate.server.memory(pid) - before
    t.check(grown < 4 << 20, f"memory grew by {grown}")
    t.note(f"{sum(statuses.values()) + sum(statuses6.values())} destinations: {len(reached)} reached, {grown >> 10} KiB more memory, "
           f"{len(news(gate))} events")


@test(seconds=30)
def what_is_forbidden_is_an_offence(t):
    here, there = world(t)
    gate = here.gate([f"{LISTED}:{PORT}"], strikes=5)
    for number in range(8):
        gate.connect(f"10.0.0.{number}:{PORT}")
    t.eventually(lambda: told(gate, "quarantine"), "quarantine", 2.0)
    t.check("forbidden" in told(gate, "quarantine")[0]["event"], told(gate, "quarantine"))
    mark = gate.server.mark()
    t.equal(gate.connect(at(1))[1].status, 403, "what is not listed, afterwards")
    t.reason(gate.server.next_line(mark), "egress-quarantined")
    t.equal(hosts_of(there), set(), "hosts")


# ---- who only watches


@test(each={"monitor": "monitor", "paused": "enforce"}, seconds=30)
def nothing_is_refused_where_it_only_reports(t, mode):
    here, there = world(t)
    gate = here.gate(mode=mode, deny=[at(5)], burst=2, strikes=2)
    if mode == "enforce":
        done = gate.server.command("pause", "egress", "10min", "--socket", gate.server.control_socket)
        t.equal(done.returncode, 0, f"pause: {done.stdout} {done.stderr}")
    statuses = scan(gate, range(30), 10)
    t.equal(statuses, {200: 30}, "statuses")
    t.eventually(lambda: len(hosts_of(there)) == 30, lambda: f"30 hosts, not {len(hosts_of(there))}")
    line = gate.server.next_line(None, lambda line: line.reason == "egress-denied")
    t.equal((line.action, line["enforced"], line.setting, line.status), ("reject", False, "egress.deny", 200), "what would have been")
    t.check(gate.server.next_line(None, lambda line: line.reason == "egress-new-destination"), "new destinations")
    t.equal(told(gate, "quarantine"), [], "quarantines")
    t.check(told(gate, "refused"), "refusals that would have been are told")


# ---- names


@test(seconds=20)
def names_are_looked_up_by_the_gate_in_both_families(t):
    four, six = answering(1), answering(2, 6)
    here, there = world(t, {"four.example": [four], "six.example": [six], "inside": ["10.0.0.1"]})
    gate = here.gate()
    for name, address in (("four.example", four), ("six.example", six), ("FOUR.example.", four)):
        t.equal(gate.get(f"http://{name}:{PORT}/{name}").status, 200, name)
        t.equal(there.requests_for(f"/{name}")[0].connection.local, address, f"where {name} led")
    mark = gate.server.mark()
    response = gate.get(f"http://gone.example:{PORT}/")
    t.equal(response.status, 502, "a name that is none")
    line = gate.server.next_line(mark)
    t.reason(line, "origin-unresolved")
    t.equal(line.evidence, "no such name (NXDOMAIN)", "why")
    t.equal(gate.get(f"http://inside:{PORT}/").status, 403, "a name that leads inside")
    t.check(not any("search.example" in name for name in here.asked()), f"asked for: {here.asked()}")


@test(seconds=30)
def a_name_that_changes_to_a_private_address_leads_nowhere(t):
    """DNS rebinding: the first look-up is innocent."""
    here, there = world(t, {"evil.example": [answering(3)]})
    inside = here.origin("127.0.0.1", PORT + 1)
    gate = here.gate(["evil.example"], strikes=1000)
    t.equal(gate.get(f"http://evil.example:{PORT}/").status, 200, "the first time")
    client, _ = gate.connect(f"evil.example:{PORT}")
    for addresses in (["127.0.0.1"], ["::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]):
        here.name(evil_example=addresses)
        mark = gate.server.mark()
        t.eventually(lambda: gate.get(f"http://evil.example:{PORT + 1}/").status == 403, f"{addresses}", 9.0)
        line = gate.server.next_line(mark, lambda line: line.status == 403)
        t.reason(line, "egress-private")
        t.equal(len(inside.connections), 0, "connections inside")
    t.equal(client.get("/", host="a").status, 200, "the tunnel to where it led before stands")


@test(seconds=20)
def of_many_addresses_only_those_that_are_public_are_tried(t):
    good = answering(4)
    here, there = world(t, {"mixed.example": ["10.0.0.1", "127.0.0.1", good, "192.168.0.1", "fd00::1"]})
    inside = here.origin("127.0.0.1", PORT + 2)
    gate = here.gate(strikes=1000)
    for _ in range(4):
        t.equal(gate.get(f"http://mixed.example:{PORT}/").status, 200, "status")
    t.equal(hosts_of(there), {good}, "hosts")
    t.equal(gate.get(f"http://mixed.example:{PORT + 2}/").status, 502, "a port at which only the inside listens")
    t.equal(len(inside.connections), 0, "connections inside")


@test(seconds=30)
def names_are_a_way_out_and_so_they_are_counted(t):
    """What is looked up reaches whoever answers for the name."""
    here, there = world(t, {f"d{i}.tunnel.example": [answering(5)] for i in range(100)})
    gate = here.gate(wait="0 s", strikes=1000)
    for i in range(100):
        gate.get(f"http://d{i}.tunnel.example:{PORT}/")
    asked = {name for name in here.asked() if "tunnel" in name}
    t.check(len(asked) <= 12, f"{len(asked)} names were asked for")
    t.note(f"{len(asked)} of 100 names were asked for")


@test(seconds=30)
def each_address_of_a_name_is_a_destination(t):
    """One name, a hundred hosts: a scan by its own DNS server."""
    here, there = world(t, {"scan.example": [answering(i) for i in range(10)]})
    gate = here.gate(wait="0 s", strikes=1000, burst=5, new_destinations="1/min")
    for number in range(10):
        here.name(scan_example=[answering(number)])
        gate.connect(f"scan.example:{PORT}")
        gate.server.api("POST", "/api/reload")  # a new gate has looked nothing up yet
    t.check(len(hosts_of(there)) <= 5, f"{len(hosts_of(there))} hosts")


@test(seconds=20)
def who_does_not_answer_is_given_up(t):
    here, _ = world(t)
    gate = here.gate([f"{silent(1)}:{PORT}"], settings={"timeouts": {"connect": "600 ms"}})
    here.namespace.ip(f"route del blackhole 45.1.0.0/16\nlink add d0 type veth peer name d1\nlink set d0 up\nlink set d1 up\n"
                      f"addr add 198.51.100.1/24 dev d0\nroute add 45.1.0.0/16 via 198.51.100.2\n"
                      f"neigh add 198.51.100.2 lladdr 02:00:00:00:00:01 dev d0\n")
    mark = gate.server.mark()
    _, head = gate.connect(f"{silent(1)}:{PORT}")
    t.equal(head.status, 504, "status")
    t.reason(gate.server.next_line(mark), "origin-connect-timeout")
    t.check("connection_timeout" in head.field("Proxy-Status"), head.head)


# ---- reloads


@test(seconds=40)
def reloads_end_no_tunnel_and_fail_no_request(t):
    here, there = world(t)
    gate = here.gate([f"{LISTED}:{PORT}"], settings={"timeouts": {"drain": "10 s"}}, limits={"requests": "0/s", "host_requests": "0/s"})
    tunnels = [gate.connect(f"{LISTED}:{PORT}")[0] for _ in range(20)]
    idle = [gate.client() for _ in range(10)]
    url = f"GET http://{LISTED}:{PORT}/ HTTP/1.1\r\nHost: {LISTED}:{PORT}\r\n\r\n".encode()
    for client in idle:
        t.equal(client.send(url).read_response().status, 200, "before")
    statuses, over = {}, threading.Event()

    def asks():
        client = gate.client()
        while not over.is_set():
            response = client.send(url).read_response()
            statuses[response.status] = statuses.get(response.status, 0) + 1
            if response.field("Connection") == "close":
                client = gate.client()

    workers = [threading.Thread(target=asks) for _ in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(5):
        t.equal(gate.server.api("POST", "/api/reload").status, 200, "reload")
        for client in tunnels:
            t.equal(client.get("/", host="a").status, 200, "through a tunnel")
    over.set()
    for worker in workers:
        worker.join()
    t.equal(list(statuses), [200], "statuses meanwhile")
    for client in idle:
        t.equal(client.send(url).read_response().status, 200, "on an idle connection")
    t.check(statuses[200] > 100, statuses)
    t.note(f"{statuses[200]} requests during 5 reloads")


@test(seconds=30)
def a_quarantine_outlives_a_reload(t):
    here, _ = world(t)
    gate = here.gate([f"{LISTED}:{PORT}"], strikes=3)
    scan(gate, range(60), 60)
    t.eventually(lambda: told(gate, "quarantine"), "quarantine", 2.0)
    t.equal(gate.server.api("POST", "/api/reload").status, 200, "reload")
    t.equal(gate.connect(at(99))[1].status, 403, "afterwards")
    t.equal(gate.get(f"http://{LISTED}:{PORT}/").status, 200, "what is listed")
