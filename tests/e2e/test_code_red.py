"""The case sallyport was born from. First act: the worm's request is refused, and the page is served
before and after. Second act: the server behind is taken over all the same, and the page stays whole. Third act: it does
what it was taken over for, and nobody has to pull its plug. Requests as they were captured in 2001 (CERT CA-2001-11, CA-2001-19, CA-2001-26;
eEye's analyses of July and August 2001)."""

import re

from harness import attacks, namespaces, reply, test
from harness.egress import LISTED4, Meanwhile, Place
from harness.guarded import learned
from harness.server import ROOT, free_port, own_address

PAGE = b"<html><title>Town library</title><h1>Welcome</h1></html>\n"

CODE_RED_STACK = (b"%u9090%u6858%ucbd3%u7801%u9090%u6858%ucbd3%u7801%u9090%u6858%ucbd3%u7801"
                  b"%u9090%u9090%u8190%u00c3%u0003%u8b00%u531b%u53ff%u0078%u0000%u00=a")
# The worm's code follows the head as content of 3,569 bytes; its first bytes, then filling.
CODE_RED_CONTENT = (b"\x55\x8b\xec\x81\xec\x18\x02\x00\x00\x53\x56\x57\x8d\xbd\xe8\xfd\xff\xff\xb9\x86\x00\x00\x00"
                    b"\xb8\xcc\xcc\xcc\xcc\xf3\xab").ljust(3569, b"\x90")


def code_red(filling, content=CODE_RED_CONTENT):
    return (b"GET /default.ida?" + filling * 224 + CODE_RED_STACK + b"  HTTP/1.0\r\n"
            b"Content-type: text/xml\nHOST:www.worm.com\n Accept: */*\nContent-length: 3569 \r\n\r\n" + content)


def worm(target, method=b"GET"):
    """As Nimda and sadmind/IIS asked: HTTP/1.0, with the fields of their scanners."""
    return method + b" " + target + b" HTTP/1.0\r\nHost: www\r\nConnnection: close\r\n\r\n"


def clean(target):
    """The same URL in a request without any other fault, so that only the URL can be the reason."""
    return b"GET " + target + b" HTTP/1.1\r\nHost: site.example\r\n\r\n"


NIMDA = [
    b"/scripts/root.exe?/c+dir", b"/MSADC/root.exe?/c+dir", b"/c/winnt/system32/cmd.exe?/c+dir",
    b"/d/winnt/system32/cmd.exe?/c+dir", b"/scripts/..%255c../winnt/system32/cmd.exe?/c+dir",
    b"/_vti_bin/..%255c../..%255c../..%255c../winnt/system32/cmd.exe?/c+dir",
    b"/_mem_bin/..%255c../..%255c../..%255c../winnt/system32/cmd.exe?/c+dir",
    b"/msadc/..%255c../..%255c../..%255c/..%c1%1c../..%c1%1c../..%c1%1c../winnt/system32/cmd.exe?/c+dir",
    b"/scripts/..%c1%1c../winnt/system32/cmd.exe?/c+dir",
         b"/scripts/..%c0%2f../winnt/system32/cmd.exe?/c+dir",
    b"/scripts/..%c0%af../winnt/system32/cmd.exe?/c+dir",
         b"/scripts/..%c1%9c../winnt/system32/cmd.exe?/c+dir",
    b"/scripts/..%%35%63../winnt/system32/cmd.exe?/c+dir",
         b"/scripts/..%%35c../winnt/system32/cmd.exe?/c+dir",
    b"/scripts/..%25%35%63../winnt/system32/cmd.exe?/c+dir",
         b"/scripts/..%252f../winnt/system32/cmd.exe?/c+dir",
]

SADMIND = [
    b"/scripts/..%c0%af../winnt/system32/cmd.exe?/c+dir+..\\",
    b"/scripts/..%c1%9c../winnt/system32/cmd.exe?/c+copy+\\winnt\\system32\\cmd.exe+root.exe",
    b"/scripts/root.exe?/c+echo+^<html^>hacked^</html^>>../index.asp",
]

CODE_RED_II = b"/default.ida?" + b"X" * 224 + CODE_RED_STACK

# What the worms would look like in a request that has no other fault: these only a rule can refuse.
BY_RULE = {
    "Code Red's page": b"/default.ida?" + b"N" * 224 + b"=a", "another .ida": b"/x.ida?a",
           ".idq": b"/x.idq?a",
    "upper case": b"/DEFAULT.IDA?" + b"N" * 100, "encoded": b"/default%2eid%61?" + b"N" * 100,
    "Nimda's shell": b"/scripts/root.exe?/c+dir", "cmd.exe": b"/c/winnt/system32/cmd.exe?/c+dir",
}


def with_worms(t):
    """The rules come with sallyport: they count where the policy says nothing else."""
    server = t.server({"default_site": "site"})
    server.origin.on("/", reply(PAGE))
    return server


def page_is_served(t, server):
    response = server.get("/")
    t.equal((response.status, response.body), (200, PAGE), "the home page")


@test
def code_red_is_refused_and_the_page_is_served_before_and_after(t):
    server = with_worms(t)
    page_is_served(t, server)
    for name, request in (("Code Red I", code_red(b"N")), ("Code Red II", code_red(b"X"))):
        seen, mark = server.origin.received, server.mark()
        client = t.client(server).send(request)
        response = client.read_response()
        t.check(400 <= response.status < 500, f"status for {name}: {response.status}")
        t.equal(client.read_all(), b"", "what follows the refusal")
        line = server.next_line(mark)
        t.check(line.reason not in ("-", None, ""), f"a reason stands in the log: {line.raw}")
        t.asserted.add(line.reason)
        t.check("default.ida" in line.target, f"the worm's URL stands in the log: {line.raw[:200]}")
        t.equal(server.origin.received, seen, "bytes of it that the origin received")
        page_is_served(t, server)


@test(each={"Code Red I": b"/default.ida?" + b"N" * 224 + CODE_RED_STACK,
            "Code Red II": CODE_RED_II})
def code_red_without_its_malformed_head_is_refused_too(t, target):
    server = with_worms(t)
    t.refused(server, clean(target), "escape-unicode", "rule")


@test(each={target.decode(): target for target in NIMDA + SADMIND})
def nimda_and_sadmind_are_refused(t, target):
    server = with_worms(t)
    page_is_served(t, server)
    for data in (worm(target), clean(target)):
        seen, mark = server.origin.received, server.mark()
        client = t.client(server).send(data)
        status = client.read_response().status
        t.check(status in (400, 403), f"status {status}")
        t.asserted.add(server.next_line(mark).reason)
        t.equal(server.origin.received, seen, "bytes of it that the origin received")
    page_is_served(t, server)


@test(each=BY_RULE)
def a_worm_in_flawless_form_is_refused_by_a_rule(t, target):
    server = with_worms(t)
    response, line = t.refused(server, clean(target), "rule")
    t.equal(response.status, 403, "status")
    t.check(re.fullmatch(r"[a-z0-9.-]+", line.rule), f"the rule's id in the log: {line.raw}")


@test(each={"a page about it": b"/articles/code-red.html",
            "a search for it": b"/search?q=default.ida",
            "a name that ends alike": b"/friday", "a folder": b"/ida/index.html",
            "an .exe": b"/files/setup.exe"})
def honest_requests_near_the_rules_are_served(t, target):
    server = with_worms(t)
    t.answered(server, clean(target))


@test
def without_the_rules_an_ida_page_is_a_page(t):
    """The rules are data, not part of the program: a policy may do without them, or name some of them."""
    t.answered(t.server({"rules": []}), clean(b"/default.ida?a"))
    worms = str(ROOT / "conf/policy.d/worms.cfg")
    for settings in ({"@include": [worms]}, {"rule_files": [worms]}):
        t.refused(t.server(settings), clean(b"/default.ida?a"), "rule")


# ---- second act

CLEAN_PAGE = (ROOT / "www/demo/index.html").read_bytes()


def demo(t):
    """The demo site, guarded, and known."""
    server = t.fresh_server(origins=[], start=False)
    server.address = (own_address(), free_port())
    server.settings["listen"] = [{"address": f"{server.address[0]}:{server.address[1]}"}]
    server.settings["sites"] = [{"name": "default", "origins": ["http://127.0.0.1:9"]}]
    server.settings["default_site"] = "default"
    server.write_policy()
    server.arguments = ["-c", str(server.file), "--demo", "--listen", f"{server.address[0]}:{server.address[1]}"]
    t.alone("demo-port")
    server.start()
    return server


@test(seconds=40.0)
def a_server_that_is_taken_over_shows_its_last_good_page(t):
    server = demo(t)
    learned(t, server, seconds=20.0, name="default")
    said = server.status()["guard"]
    t.check(said["sites"][0]["exact"] >= 5, f"the demo's pages are known: {said}")
    for act, reasons in (("deface", {"guard-changed", "guard-sealed"}),
                         ("redirect", {"guard-redirect", "guard-sealed"}),
                         ("stop", {"origin-closed", "origin-refused", "guard-sealed"})):
        done = server.command("demo", act, "--socket", server.control_socket)
        t.equal((done.returncode, done.stderr), (0, ""), f"sallyport demo {act}")
        mark = server.mark()
        for _ in range(5):
            response = server.get("/")
            t.equal((response.status, response.body), (200, CLEAN_PAGE), f"the page, {act}")
            t.check(b"worm.example" not in response.head, "no way to the false site")
        line = server.next_line(mark)
        t.check(line.reason in reasons and line.action == "copy", f"the log says why: {line.raw}")
        t.asserted.add(line.reason)
        told = server.command("status", "--socket", server.control_socket).stdout
        t.check(line.reason in told, f"the status says why ({line.reason}):\n{told}")
        if act != "stop":
            t.eventually(lambda: "/ is answered by its copy" in server.events() or
                         "sealed" in server.errors(), "an event")
        server.command("demo", "restore", "--socket", server.control_socket)
    t.eventually(lambda: server.get("/").field("Age") is None, lambda: f"the origin again: {server.errors()}", 20.0)
    t.equal(server.get("/").body, CLEAN_PAGE, "the page")


@test
def there_is_no_demo_to_break_into_without_one(t):
    server = t.server()
    done = server.command("demo", "deface", "--socket", server.control_socket)
    t.equal(done.returncode, 1, "exit status")
    t.check("--demo" in done.stderr, f"what it says: {done.stderr}")
    t.equal(server.command("demo", "burn", "--socket", server.control_socket).returncode, 2, "of wrong use")


# ---- third act

def does_what_a_worm_does(day, targets, flooded):
    """Code Red by the day of the month, as CAIDA described it: until the 19th it scans, 100 threads at a time;
    from the 20th to the 27th it floods one address at port 80."""
    def work():
        if day < 20:
            return attacks.connect_scan(targets, 80, at_once=100, patience=0.6)
        return attacks.tcp_flood(flooded, 80, 2.0, most=100 << 20)
    return work


@test(seconds=40.0)
def an_infected_server_neither_spreads_nor_floods_and_its_site_stays_up(t):
    """With the strict list gone, so that the worm meets throttles and quarantine, as an operator would have it who
    had to leave port 80 open."""
    place = Place(t)
    server = place.guard({"strict_ports": []})
    network, targets = place.network, [namespaces.answering(i) for i in range(400)]
    flooded = namespaces.answering(9000)
    with (Meanwhile(place.visit) as site, Meanwhile(lambda: place.reach(network.origin, LISTED4)) as updates,
          Meanwhile(lambda: place.reach(network.neighbour, namespaces.answering(9001))) as neighbour):
        place.attack(does_what_a_worm_does(19, targets, flooded))
        scan = place.escaped()
        place.witness.forget()
        place.attack(does_what_a_worm_does(20, targets, flooded))
        flood = place.escaped()
    t.note(f"scan on the 19th: {scan}; flood on the 20th: {flood}")
    t.check(scan.hosts <= 15 and scan.seconds < 0.5, f"the scan: {scan}; at most 15 hosts, contained within 0.5 s")
    t.check(flood.bytes <= 16e6, f"the flood: {flood}; at most 16 MB")
    site.unhurt("the infected server's site", 10)
    updates.unhurt("its listed destination", 10)
    neighbour.unhurt("its neighbour", 10)
    told = t.eventually(lambda: "quarantine" in server.events() and server.events(), lambda: f"an event:\n{server.events()}")
    t.check(network.address(network.origin) in told, f"the event names the origin:\n{told}")
