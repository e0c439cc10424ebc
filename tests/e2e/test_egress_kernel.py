"""What an infected origin gets out of the kernel leg: the figures that the egress guard promises. Each attack is
bounded, and is shown in test_namespaces.py to work where nothing stands in its way. A figure is measured by the
world's own kernel; what is listed is left out of it, and must go on meanwhile, as must the origin's site and its
clean neighbour's work."""

import contextlib

from harness import attacks, namespaces, test
from harness.egress import FLOOD_PORT, LISTED4, LISTED6, OPEN_PORT, Meanwhile, Place

FAMILIES = {"IPv4": 4, "IPv6": 6}
MB = 1e6


def guarded(t, egress=None, **options):
    place = Place(t, options.pop("bridged", False))
    place.guard(egress, **options)
    return place


@contextlib.contextmanager
def life_goes_on(t, place, family=4):
    """The site's visitors, the origin's listed outbound traffic, and its neighbour's own: 0 failures."""
    network = place.network
    neighbours = namespaces.answering(63000, family)
    with (Meanwhile(lambda: place.visit(family)) as site,
          Meanwhile(lambda: place.reach(network.origin, LISTED4 if family == 4 else LISTED6)) as listed,
          Meanwhile(lambda: place.reach(network.neighbour, neighbours, OPEN_PORT)) as clean):
        yield
        # An attack may be over sooner than anybody else has done anything.
        t.eventually(lambda: min(len(work.seconds) for work in (site, listed, clean)) >= 10,
                     "ten of each were tried", 10.0)
    site.unhurt("the infected origin's site")
    listed.unhurt("its listed destination")
    clean.unhurt("its clean neighbour")


def held(t, place, family, what, *, hosts=None, megabytes=None, seconds=None, **options):
    """What escaped stays within these; the figure is told."""
    got = place.escaped(family, **options)
    t.note(f"{what}: {got}")
    t.check(hosts is None or got.hosts <= hosts, f"{what}: {got}; at most {hosts} hosts")
    t.check(megabytes is None or got.bytes <= megabytes * MB, f"{what}: {got}; at most {megabytes} MB")
    t.check(seconds is None or got.seconds < seconds, f"{what}: {got}; contained within {seconds} s")
    place.witness.forget()
    return got


def contained(t, place, family, what):
    """Some time later the origin still gets nothing out but what is listed."""
    place.packets(namespaces.answering(500, family), "udp", count=200, targets=50, port=OPEN_PORT)
    place.packets(namespaces.answering(7, family), "tcp", count=200, port=FLOOD_PORT)
    held(t, place, family, f"{what}, afterwards", hosts=0)


# ---- scans

@test(seconds=20.0, each=FAMILIES)
def a_scan_ends_after_ten_hosts(t, family):
    place = guarded(t)
    targets = [namespaces.answering(i, family) for i in range(300)]
    with life_goes_on(t, place, family):
        place.attack(lambda: attacks.connect_scan(targets, OPEN_PORT, patience=0.6))
    held(t, place, family, "scan of 100 at a time", hosts=15, seconds=0.5)
    contained(t, place, family, "scan")


@test(seconds=20.0, each=FAMILIES)
def a_scan_of_raw_packets_ends_too(t, family):
    place = guarded(t)
    with life_goes_on(t, place, family):
        place.packets(namespaces.answering(0, family), "tcp", count=20000, targets=1000, port=OPEN_PORT)
    held(t, place, family, "20,000 SYN to 1,000 hosts", hosts=15, seconds=0.5)


@test(each=FAMILIES)
def nobody_who_is_not_listed_is_reached_at_a_strict_port(t, family):
    place = guarded(t)
    targets = [namespaces.answering(i, family) for i in range(100)]
    place.attack(lambda: attacks.connect_scan(targets, 80, patience=0.3))
    held(t, place, family, "scan of port 80", hosts=0)


@test
def without_the_kernel_leg_the_same_scan_reaches_everybody(t):
    place = guarded(t, {"kernel": "off"})
    targets = [namespaces.answering(i) for i in range(300)]
    place.attack(lambda: attacks.connect_scan(targets, OPEN_PORT, patience=0.6))
    t.equal(place.escaped().hosts, 300, "hosts")


@test(seconds=90.0, heavy=True)
def a_slow_scan_ends_too(t):
    """One host each two seconds, at which nobody is. Both machines scan, over one version of IP each."""
    place = guarded(t)
    network, pairs = place.network, ((place.network.origin, 4), (place.network.neighbour, 6))
    ends = [attacks.begin(machine, lambda family=family: attacks.slow_scan(
        [namespaces.silent(i, family) for i in range(16)], OPEN_PORT)) for machine, family in pairs]
    with Meanwhile(lambda: place.visit()) as site:
        for end in ends:
            end(60.0)
    site.unhurt("the site")
    for machine, family in pairs:
        got = place.escaped(family, source=network.address(machine, family))
        t.note(f"slow scan, IPv{family}: {got}")
        t.check(got.hosts <= 8, f"slow scan over IPv{family}: {got}; at most 8 hosts")


@test(seconds=60.0, heavy=True, each=FAMILIES)
def a_hundred_thousand_destinations_let_nothing_more_through(t, family):
    """Whatever a set of the kernel can hold: full, it fails closed, and for this origin alone."""
    place = guarded(t)
    with life_goes_on(t, place, family):
        place.packets(namespaces.answering(0, family), "udp", count=300000, targets=100000, port=OPEN_PORT, seconds=15)
    held(t, place, family, "100,000 destinations", hosts=15, megabytes=0.2)
    for i in range(5):
        response = place.reach(place.network.neighbour, namespaces.answering(62000 + i, family), OPEN_PORT)
        t.equal(response.status, 200, "status of a destination that is new for the neighbour")


# ---- floods

@test(seconds=20.0, each={f"{protocol}, {version}": (protocol, family) for protocol in ("udp", "icmp")
                          for version, family in FAMILIES.items()})
def a_flood_of_packets_is_cut(t, attack):
    protocol, family = attack
    place = guarded(t)
    with life_goes_on(t, place, family):
        place.packets(namespaces.answering(7, family), protocol, count=60000, size=1000, port=OPEN_PORT, seconds=3)
    held(t, place, family, f"{protocol} flood of one target", megabytes=0.2)


@test(seconds=20.0, each=FAMILIES)
def a_flood_of_many_targets_is_cut(t, family):
    """By UDP of one machine, by ICMP of the other."""
    place = guarded(t)
    for machine, protocol in ((place.network.origin, "udp"), (place.network.neighbour, "icmp")):
        place.packets(namespaces.answering(100, family), protocol, attacker=machine, count=40000, size=1000, targets=200,
                      port=OPEN_PORT, seconds=3)
        held(t, place, family, f"{protocol} flood of 200 targets", hosts=15, megabytes=0.2,
             source=place.network.address(machine, family))


@test(seconds=30.0)
def a_flood_by_tcp_of_many_targets_is_cut(t):
    place = guarded(t)
    place.sink()
    ends = [attacks.begin(place.network.origin, lambda i=i: attacks.tcp_flood(
        namespaces.answering(i), FLOOD_PORT, 4.0, most=100 << 20, connections=2)) for i in range(8)]
    for end in ends:
        end(20.0)
    held(t, place, 4, "TCP flood of 8 targets", hosts=8, megabytes=16)


@test(seconds=30.0, each=FAMILIES)
def a_flood_by_tcp_is_cut(t, family):
    place = guarded(t)
    place.sink()
    target = namespaces.answering(7, family)
    with life_goes_on(t, place, family):
        place.attack(lambda: attacks.tcp_flood(target, FLOOD_PORT, 4.0, most=200 << 20))
    held(t, place, family, "TCP flood", megabytes=16)
    place.attack(lambda: attacks.tcp_flood(target, FLOOD_PORT, 1.0, most=20 << 20))
    held(t, place, family, "TCP flood, afterwards", megabytes=0.2)


# ---- forgeries

@test(seconds=20.0, each=FAMILIES)
def no_forged_source_leaves(t, family):
    place = guarded(t)
    network, target = place.network, namespaces.answering(3, family)
    neighbour = network.address(network.neighbour, family)
    anybody = ("0.0.0.0/0", "10.77.0.0/16", "45.2.0.0/16") if family == 4 else ("fd77::/64", "2a00:7::/64")
    with life_goes_on(t, place, family):
        for source in anybody:
            place.packets(target, "tcp", source=source, count=3000, port=OPEN_PORT)
        for protocol in ("tcp", "udp", "icmp"):
            place.packets(target, protocol, source=neighbour, count=1000, port=OPEN_PORT)
            place.packets(target, protocol, source=neighbour, mac=network.neighbour.mac, count=1000, port=OPEN_PORT)
    got = place.witness.met(but=(LISTED4, LISTED6, namespaces.answering(63000, family)))
    t.note(f"forged sources: {got}")
    t.equal((got.packets, got.sources), (0, set()), "packets with a source that is not the origin's")


@test(seconds=20.0, each=FAMILIES)
def no_neighbour_on_one_network_is_forged(t, family):
    place = Place(t, bridged=True)
    network, target = place.network, namespaces.answering(3, family)
    bindings = [{"address": network.address(machine, version), "mac": machine.mac, "interface": network.interface(machine)}
                for machine in (network.origin, network.neighbour) for version in (4, 6)]
    place.guard({"bindings": bindings})
    neighbour = network.address(network.neighbour, family)
    with life_goes_on(t, place, family):
        for protocol in ("tcp", "udp", "icmp"):
            place.packets(target, protocol, source=neighbour, count=1000, port=OPEN_PORT)
            place.packets(target, protocol, source=neighbour, mac=network.neighbour.mac, count=1000, port=OPEN_PORT)
    got = place.witness.met(but=(LISTED4, LISTED6, namespaces.answering(63000, family)))
    t.note(f"forged neighbour on one network: {got}")
    t.equal((got.packets, got.sources), (0, set()), "packets in the neighbour's name")


# ---- rights, and what else goes on

@test(seconds=20.0)
def an_ordinary_user_with_one_capability_contains_a_scan(t):
    place = guarded(t, as_user=True)
    targets = [namespaces.answering(i) for i in range(300)]
    with life_goes_on(t, place):
        place.attack(lambda: attacks.connect_scan(targets, OPEN_PORT, patience=0.6))
    held(t, place, 4, "scan, sallyport as an ordinary user", hosts=15, seconds=0.5)


@test(seconds=40.0, heavy=True)
def a_clean_neighbour_hardly_notices(t):
    place = guarded(t)
    network = place.network

    def busy(): return place.reach(network.neighbour, namespaces.answering(63000), OPEN_PORT)
    with Meanwhile(busy, 0.005) as quiet:
        t.eventually(lambda: len(quiet.seconds) >= 300, "300 requests in quiet", 20.0)
    with Meanwhile(busy, 0.005) as loud:
        place.packets(namespaces.answering(0), "udp", count=60000, targets=1000, port=OPEN_PORT, rate=20000,
                      seconds=5)
        t.eventually(lambda: len(loud.seconds) >= 200, "200 requests during an attack", 20.0)
    quiet.unhurt("the neighbour in quiet")
    loud.unhurt("the neighbour during an attack")
    t.note(f"the neighbour's p95: quiet {quiet.p95 * 1e3:.2f} ms, during an attack {loud.p95 * 1e3:.2f} ms")
    t.check(loud.p95 < 2 * quiet.p95, f"p95 {loud.p95 * 1e3:.2f} ms, in quiet {quiet.p95 * 1e3:.2f} ms")
