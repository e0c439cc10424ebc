"""What an infected origin gets at on sallyport's own machine, when it speaks from an address that names nobody
(link-local, or none at all), and by connections that stand already. What a network needs goes on."""

import contextlib
import json
import socket
import struct
import threading

from harness import attacks, namespaces, test
from harness.egress import Meanwhile, Place

SERVICE, OTHER = 2222, 2223
#: Where an origin is, and what is known of that: layout -> (on one bridge, what of bindings)
LAYOUTS = {"routed": (False, ()), "bound to an interface": (False, ("interface",)),
           "bound to a card and an interface": (False, ("mac", "interface")), "bridged": (True, ()),
           "bound to a card": (True, ("mac",)), "bound to ports of a bridge": (True, ("interface",)),
           "bound to cards and ports": (True, ("mac", "interface"))}
ECHO_REQUEST, ECHO_REPLY, LISTENER_QUERY, ROUTER_SOLICIT, ROUTER_ADVERT, REDIRECT = 128, 129, 130, 133, 134, 137


class Service:
    """Something of the machine's own at a port: keeps what TCP brings, counts what UDP brings, and says something to each."""

    def __init__(self, t, machine, port):
        with machine.inside():
            self._tcp = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
            self._udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self._udp.bind(("::", port))
            self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.got, self.datagrams = b"", 0
        for work in (self._accept, self._count):
            threading.Thread(target=work, daemon=True).start()
        t.later(self.close)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._take, args=(self._tcp.accept()[0],), daemon=True).start()

    def _take(self, sock):
        with contextlib.suppress(OSError), sock:
            sock.sendall(b"hello")
            while piece := sock.recv(4096):
                self.got += piece

    def _count(self):
        with contextlib.suppress(OSError):
            while peer := self._udp.recvfrom(2048)[1]:
                self.datagrams += 1
                if self.datagrams == 1:
                    self._udp.sendto(b"hello", peer)

    def close(self):
        for sock in (self._tcp, self._udp):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


class Arrivals:
    """What this machine lets in, counted by its own kernel behind sallyport's rules."""

    RULES = """table inet arrivals {{
	counter {name} {{ }}
	chain input {{ type filter hook input priority 100; {match} counter name {name}; }}
}}
"""

    def __init__(self, machine, **matches):
        self._machine = machine
        for name, match in matches.items():
            machine.run("nft", "-f", "-", stdin=self.RULES.format(name=name, match=match))

    def __getitem__(self, name):
        listed = json.loads(self._machine.run("nft", "-j", "list", "counter", "inet", "arrivals", name))["nftables"]
        return next(each["counter"]["packets"] for each in listed if "counter" in each)


def link_local(machine, interface="eth0"):
    listed = json.loads(machine.run("ip", "-json", "-6", "addr", "show", "dev", interface, "scope", "link"))
    return next(info["local"] for each in listed for info in each.get("addr_info", []) if info.get("local"))


def guarded(t, layout=(False, ()), egress=None):
    bridged, known = layout
    place = Place(t, bridged)
    network = place.network
    bindings = [{"address": network.address(machine), **{what: machine.mac if what == "mac" else network.interface(machine)
                                                         for what in known}}
                for machine in (network.origin, network.neighbour) if known]
    place.guard((egress or {}) | ({"bindings": bindings} if bindings else {}))
    return place


def reaches(machine, target, port, *, source=None):
    """Does a connection come about? A link-local target is on eth0."""
    with machine.inside(), socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET) as sock:
        sock.settimeout(0.6)
        scope = socket.if_nametoindex("eth0")
        if source:
            sock.bind((source, 0, 0, scope))
        return sock.connect_ex((target, port, 0, scope) if ":" in target else (target, port)) == 0


def inner_interface(place):
    return "br0" if place.network.bridged else place.network.interface(place.network.origin)


def say_icmp6(machine, kind, target="ff02::1", body=bytes(20), count=1, source=None):
    """With the hop limit that a neighbour's word must have."""
    with machine.inside(), socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        scope = socket.if_nametoindex("eth0")
        for option in (socket.IPV6_MULTICAST_HOPS, socket.IPV6_UNICAST_HOPS):
            sock.setsockopt(socket.IPPROTO_IPV6, option, 255)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, scope)
        if source:
            sock.bind((source, 0, 0, scope))
        for _ in range(count):
            sock.sendto(struct.pack("!BBH", kind, 0, 0) + body, (target, 0, 0, scope))


def ping(machine, target):
    with machine.inside(), socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        sock.settimeout(2.0)
        sock.sendto(struct.pack("!BBHHH", ECHO_REQUEST, 0, 0, 7, 1), (target, 0, 0, socket.if_nametoindex("eth0")))
        with contextlib.suppress(TimeoutError):
            while sock.recv(1500)[0] != ECHO_REPLY:
                pass
            return True
    return False


def dhcp_server(t, machine, interface):
    """Listens to the group that DHCPv6 begins with."""
    with machine.inside():
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.bind(("::", 547))
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, "ff02::1:2") +
                        struct.pack("@I", socket.if_nametoindex(interface)))
    t.later(sock.close)


def say_raw4(network, machine, destination, source_port, port, payload=b"x" * 200, count=1):
    """UDP from 0.0.0.0, as DHCP begins."""
    udp = struct.pack("!HHHH", source_port, port, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes(4), socket.inet_aton(destination))
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xffff) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + head[12:]
    with machine.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sock:
        for _ in range(count):
            sock.sendto(head + udp, ("eth0", 0x0800, 0, 0, bytes.fromhex(network.gateway_mac(machine).replace(":", ""))))


def told(place, **wanted):
    lines = [json.loads(line) for line in place.server.events().splitlines()]
    return [line for line in lines if all(line.get(name) == value for name, value in wanted.items())]


# ---- addresses that name nobody

@test(seconds=30.0, each=LAYOUTS)
def this_machine_is_no_target_from_a_link_local_address(t, layout):
    place = guarded(t, layout)
    network = place.network
    service = Service(t, network.gateway, SERVICE)
    here, there = link_local(network.gateway, inner_interface(place)), link_local(network.origin)
    for target in (here, network.inner(network.origin, 6)):
        t.check(not reaches(network.origin, target, SERVICE, source=there), f"a service at {target} was reached from {there}")
    for source in (there, "fe80::/64", "::"):
        place.packets(here, "udp", source=source, count=1000, port=SERVICE)
        place.packets("ff02::1", "udp", source=source, count=1000, port=SERVICE)
    say_raw4(network, network.origin, "255.255.255.255", 99, SERVICE, count=1000)
    t.equal((service.datagrams, service.got), (0, b""), "what came to a service of this machine")


@test(seconds=30.0, each=LAYOUTS)
def a_flood_of_what_a_network_needs_is_held(t, layout):
    place = guarded(t, layout)
    network = place.network
    arrivals = Arrivals(network.gateway, pings="icmpv6 type echo-request", dhcp="udp dport 547")
    dhcp_server(t, network.gateway, inner_interface(place))
    here, there = link_local(network.gateway, inner_interface(place)), link_local(network.origin)
    with Meanwhile(lambda: place.visit(6)) as site:
        place.packets(here, "icmp", source=there, count=20000, rate=20000, seconds=2)
        with network.origin.inside(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::", 546))
            for _ in range(2000):
                sock.sendto(b"x" * 60, ("ff02::1:2", 547, 0, socket.if_nametoindex("eth0")))
        t.eventually(lambda: len(site.seconds) >= 10, "ten visits")
    site.unhurt("the infected origin's site")
    t.note(f"of 20,000 pings {arrivals['pings']}, of 2,000 questions to DHCP {arrivals['dhcp']}")
    t.check(0 < arrivals["pings"] <= 100 and 0 < arrivals["dhcp"] <= 200, f"{arrivals['pings']}, {arrivals['dhcp']}")
    # the warden can read what the kernel keeps of it
    warden = next(each["pid"] for each in place.server.processes() if each["role"] == "warden")
    t.equal(place.server.reload().status, 200, "status of a reload")
    t.check(warden in [each["pid"] for each in place.server.processes()], "the warden has died")


@test(seconds=30.0, each=LAYOUTS)
def what_a_network_needs_goes_on(t, layout):
    place = guarded(t, layout)
    network, inside = place.network, inner_interface(place)
    here, there = link_local(network.gateway, inside), link_local(network.origin)
    arrivals = Arrivals(network.gateway, solicits=f"iifname {inside} icmpv6 type nd-router-solicit",
                        queries=f"iifname {inside} icmpv6 type mld-listener-query",
                        redirects=f"iifname {inside} icmpv6 type nd-redirect",
                        adverts=f"iifname {inside} icmpv6 type nd-router-advert",
                        probes=f"iifname {inside} ip6 saddr :: icmpv6 type nd-neighbor-solicit",
                        dhcp6="udp sport 546 udp dport 547", dhcp4="ip saddr 0.0.0.0 udp dport 67")
    dhcp_server(t, network.gateway, inside)
    for _ in range(3):  # each side has to ask who is where
        for machine, interface in ((network.gateway, inside), (network.origin, "eth0"), (network.neighbour, "eth0")):
            machine.run("ip", "-6", "neigh", "flush", "dev", interface)
        t.equal(place.visit(6).status, 200, "status of the site")
        t.equal(place.reach(network.neighbour, namespaces.answering(5, 6), 8080).status, 200, "status of what the neighbour asks")
    t.check(ping(network.origin, here), "a ping of this machine's link-local address is not answered")
    with network.origin.inside():
        site = socket.create_server(("::", 8081), family=socket.AF_INET6)
    t.later(site.close)
    with network.gateway.inside(), socket.socket(socket.AF_INET6) as sock:
        sock.settimeout(2.0)
        t.equal(sock.connect_ex((there, 8081, 0, socket.if_nametoindex(inside))), 0, "this machine's own connection to it")
    for kind in (ROUTER_SOLICIT, ROUTER_ADVERT, REDIRECT):
        say_icmp6(network.origin, kind, body=bytes(36), source=there)
    say_icmp6(network.origin, LISTENER_QUERY, source=there)
    network.origin.ip("addr add fd11::77/64 dev eth0\n")
    with network.origin.inside(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::", 546))
        sock.sendto(b"x" * 60, ("ff02::1:2", 547, 0, socket.if_nametoindex("eth0")))
    say_raw4(network, network.origin, "255.255.255.255", 68, 67)
    for name in ("solicits", "queries", "dhcp6", "dhcp4"):
        t.eventually(lambda name=name: arrivals[name] >= 1, f"{name} arrive", 2.0)
    t.equal(arrivals["redirects"], 0, "redirections by an origin")
    # of an origin it is none; where somebody else may be there, a router's word is this machine's own affair
    is_known = "mac" in layout[1] or layout == LAYOUTS["bound to an interface"]
    t.equal(arrivals["adverts"] == 0, is_known, "advertisements of routers are refused")


@test(seconds=20.0, each={"by interface": ("bound to an interface", "10.11.0.2"), "not at all": (None, "unknown")})
def who_tries_is_told_as_far_as_it_is_known(t, known):
    layout, who = known
    place = guarded(t, LAYOUTS[layout]) if layout else guarded(t)
    network = place.network
    here = link_local(network.gateway, inner_interface(place))
    t.check(not reaches(network.origin, here, SERVICE), "a service was reached")
    t.eventually(lambda: told(place, news="strike", rule="forbidden", egress=who),
                 lambda: f"it is told: {place.server.events()}", 3.0)


@test(seconds=20.0)
def an_origin_whose_link_local_address_is_listed_may_use_it(t):
    place = Place(t)
    network = place.network
    Service(t, network.gateway, SERVICE)
    here, there = link_local(network.gateway, "lan0"), link_local(network.origin)
    place.guard({"origins": [f"{there} 10.11.0.2", "10.12.0.2"], "allow": [f"[{here}]:{SERVICE}"]})
    t.check(reaches(network.origin, here, SERVICE, source=there), "what is listed is not reached")
    t.check(not reaches(network.origin, here, 22, source=there), "what is not listed is reached")
    t.eventually(lambda: told(place, news="strike", rule="forbidden", egress=there), "it is told, and by whom", 3.0)
    t.check('iifname "lan0" ct direction original' in place.rules(), "where it is was not found by its other address")


@test(seconds=20.0)
def what_is_said_to_everybody_is_no_offence(t):
    """A machine that looks for printers (mDNS) does so from its link-local address, all day."""
    for layout in ("routed", "bound to an interface"):
        place = guarded(t, LAYOUTS[layout])
        with place.network.origin.inside(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            for _ in range(100):
                sock.sendto(b"x" * 60, ("ff02::fb", 5353, 0, socket.if_nametoindex("eth0")))
        t.check(not reaches(place.network.origin, link_local(place.network.gateway, inner_interface(place)), SERVICE), "reached")
        t.eventually(lambda: told(place, news="strike", rule="forbidden"), "what is one is told", 3.0)
        t.check(all("5353" not in line.get("evidence", "") for line in told(place, news="strike")), place.server.events())


# ---- connections that stand

LISTED_SERVICES = {"allow": [f"10.11.0.1:{SERVICE}", f"[fd11::1]:{SERVICE}"]}


@test(seconds=20.0, each={"IPv4": 4, "IPv6": 6})
def stage_2_ends_what_stands_with_this_machine(t, family):
    place = guarded(t, egress=LISTED_SERVICES)
    network = place.network
    service = Service(t, network.gateway, SERVICE)
    with network.origin.inside():
        sock = socket.create_connection((network.inner(network.origin, family), SERVICE), timeout=3)
    t.later(sock.close)
    t.equal(sock.recv(5), b"hello", "what a listed service says")
    sock.sendall(b"before.")
    t.eventually(lambda: service.got == b"before.", "it hears the origin", 2.0)
    order = ("egress", "quarantine", "10.11.0.2", "--stage", "2", "--socket", place.server.control_socket)
    t.equal(place.server.command(*order).returncode, 0, "exit status of the order")
    t.eventually(lambda: "0x" in network.gateway.run("nft", "list", "set", "inet", "sallyport", "stage2"), "it is in stage 2", 2.0)
    for _ in range(5):
        sock.sendall(b"after.")
        t.check(not reaches(network.origin, network.inner(network.origin, family), SERVICE), "a new connection came about")
    t.equal(service.got, b"before.", "what a listed service hears in the end")
    t.equal(place.visit().status, 200, "status of the site")


@test(seconds=20.0)
def what_is_listed_no_more_ends_with_the_reload(t):
    place = guarded(t, egress=LISTED_SERVICES)
    network = place.network
    service = Service(t, network.gateway, SERVICE)
    with network.origin.inside():
        sock = socket.create_connection((network.inner(network.origin), SERVICE), timeout=3)
    t.later(sock.close)
    sock.sendall(b"before.")
    t.eventually(lambda: service.got == b"before.", "it hears the origin", 2.0)
    place.server.write_policy({"egress": place.server.settings["egress"] | {"allow": ["192.0.2.7"]}})
    t.equal(place.server.reload().status, 200, "status of the reload")
    sock.sendall(b"after.")
    t.check(not reaches(network.origin, network.inner(network.origin), SERVICE), "a new connection came about")
    t.equal(service.got, b"before.", "what a service hears that is listed no more")


@test(seconds=30.0, each={"IPv4": 4, "IPv6": 6})
def a_flood_of_what_stands_with_this_machine_is_held(t, family):
    place = guarded(t, egress=LISTED_SERVICES | {"flows": {"listed_packets": "100/s"}})
    network, inner = place.network, place.network.inner(place.network.origin, family)
    service = Service(t, network.gateway, SERVICE)

    def flood():
        with socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.settimeout(3.0)
            sock.connect((inner, SERVICE))
            sock.send(b"hello?")
            sock.recv(100)
            for _ in range(20000):
                with contextlib.suppress(OSError):
                    sock.send(b"x" * 100)
        return True
    with Meanwhile(place.visit) as site:
        place.attack(flood)
        t.eventually(lambda: len(site.seconds) >= 10, "ten visits")
    site.unhurt("the infected origin's site")
    t.note(f"{service.datagrams} of 20,000 datagrams came")
    t.check(service.datagrams <= 500, f"{service.datagrams} of 20,000 datagrams of an established flow came, at 100/s")
    t.eventually(lambda: told(place, egress="10.11.0.2", rule="flood"), "the flood is told", 3.0)


@test(seconds=20.0, each={"IPv4": 4, "IPv6": 6})
def pings_of_one_who_was_answered_are_held_too(t, family):
    place = guarded(t)
    arrivals = Arrivals(place.network.gateway, pings="icmpv6 type echo-request" if family == 6 else "icmp type echo-request")
    place.packets(place.network.inner(place.network.origin, family), "icmp", count=20000, seconds=2)
    t.note(f"{arrivals['pings']} of 20,000 pings came")
    t.check(0 < arrivals["pings"] <= 100, f"{arrivals['pings']} of 20,000 pings came")
    t.equal(place.reach(place.network.origin, "10.11.0.1", 3128).status, 400, "what the gate says to a request that is none for a proxy")
