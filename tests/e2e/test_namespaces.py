"""The network in which egress is tested does what it is taken for: without sallyport every attack arrives, and
the witness counts it exactly. So none of the figures of test_egress_kernel.py can be reached by an attack
that does not work."""

from harness import attacks, namespaces, test
from harness.egress import FLOOD_PORT, Place

FAMILIES = {"IPv4": 4, "IPv6": 6}
LAYOUTS = {"on interfaces of their own": False, "on one bridge": True}


@test(each=LAYOUTS)
def everybody_reaches_whom_they_should(t, bridged):
    place = Place(t, bridged)
    network = place.network
    for machine in (network.origin, network.neighbour):
        for family in (4, 6):
            t.equal(place.reach(machine, namespaces.answering(64999, family)).status, 200,
                    f"status, {machine.name}, IPv{family}")
    t.equal(place.witness.met().hosts, 2, "hosts that the witness counted")
    t.equal(place.witness.met(source=network.address(network.origin)).hosts, 1, "by the origin over IPv4")


@test(each=FAMILIES)
def a_scan_reaches_all_and_is_counted(t, family):
    place = Place(t)
    targets = [namespaces.answering(i, family) for i in range(150)] + [namespaces.silent(i, family) for i in range(50)]
    outcome = place.attack(lambda: attacks.connect_scan(targets, patience=0.3))
    t.equal(outcome, {"answered": 150, "silent": 50}, "outcome")
    got = place.escaped(family, protocol="tcp")
    t.equal(got.hosts, 200, "hosts that the witness counted")
    t.note(f"scan without protection: {got}")
    place.witness.forget()
    said = place.packets(namespaces.answering(0, family), "tcp", count=500, targets=100)
    t.equal((said["sent"], place.escaped(family).hosts), (500, 100), "raw packets, and hosts")


@test(each=FAMILIES)
def floods_arrive_and_are_counted(t, family):
    place = Place(t)
    target = namespaces.answering(7, family)
    for protocol in ("udp", "icmp"):
        place.witness.forget()
        said = place.packets(target, protocol, count=3000, size=1000)
        got = place.escaped(family)
        t.equal((got.packets, got.hosts), (said["sent"], 1), f"packets of {protocol} that the witness counted")
        t.check(got.bytes > 3e6, f"bytes: {got}")
        t.note(f"{protocol} flood without protection: {got}")
    place.witness.forget()
    place.sink()
    sent = place.attack(lambda: attacks.tcp_flood(target, FLOOD_PORT, 10.0, most=30 << 20))
    got = place.escaped(family, protocol="tcp")
    t.check(sent > 20e6 and got.bytes > sent / 2, f"{sent} bytes sent, the witness counted {got}")
    t.note(f"TCP flood without protection: {got}")


@test(each=LAYOUTS)
def forged_sources_arrive(t, bridged):
    place = Place(t, bridged)
    network = place.network
    for family, anybody in ((4, "10.77.0.0/16"), (6, "fd77::/64")):
        place.witness.forget()
        target, neighbour = namespaces.answering(3, family), network.address(network.neighbour, family)
        place.packets(target, "tcp", source=anybody, count=500)
        place.packets(target, "tcp", source=neighbour, count=50)
        place.packets(target, "tcp", source=neighbour, mac=network.neighbour.mac, count=50)
        got = place.witness.met()
        t.check(len(got.sources) > 400 and got.packets >= 600, f"of forged sources: {len(got.sources)}, {got}")
        t.equal(place.escaped(family, source=neighbour).hosts, 1, "in the name of the neighbour")

