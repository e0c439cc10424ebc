"""What an infected origin gets out of the gate: scans by CONNECT and floods of requests, counted by the world."""

from harness import attacks, namespaces, test
from harness.egress import LISTED4, LISTED6, OPEN_PORT, Meanwhile, Place

FAMILIES = {"IPv4": 4, "IPv6": 6}


def gate(place):
    return place.network.inner(place.network.origin), 3128


def through(place, family, **options):
    """What the gate itself connected to, but what is listed."""
    return place.escaped(family, source=place.network.address(place.network.gateway, family), **options)


@test(seconds=20.0, each={f"{version}, kernel leg {kernel}": (family, kernel)
                          for version, family in FAMILIES.items() for kernel in ("off", "required")})
def a_scan_by_connect_ends_after_ten_hosts(t, case):
    """Also where the kernel leg keeps the budget, and with it: one budget, not two."""
    family, kernel = case
    place = Place(t)
    place.guard({"kernel": kernel, "wait": "200 ms"})
    targets, door = [namespaces.answering(i, family) for i in range(200)], gate(place)
    with Meanwhile(lambda: place.visit(family)) as site:
        outcome = place.attack(lambda: attacks.connect_gate(door, targets, OPEN_PORT))
        t.eventually(lambda: len(site.seconds) >= 10, "ten visits")
    got = through(place, family, protocol="tcp")
    t.note(f"scan by CONNECT: {got}; statuses {outcome}")
    site.unhurt("the site")
    t.check(got.hosts <= 10, f"scan by CONNECT: {got}, {outcome}; at most 10 hosts")
    t.check(set(outcome) <= {"200", "403", "429"}, f"statuses: {outcome}")


@test(seconds=20.0)
def gate_and_kernel_share_one_budget(t):
    place = Place(t)
    place.guard({"wait": "100 ms"})
    door, targets = gate(place), [namespaces.answering(i) for i in range(200)]
    place.attack(lambda: attacks.connect_gate(door, targets[:100], OPEN_PORT))
    place.attack(lambda: attacks.connect_scan(targets[100:], OPEN_PORT, patience=0.3))
    reached = through(place, 4).hosts + place.escaped(4).hosts
    t.note(f"hosts reached through the gate and past it: {reached}")
    t.check(reached <= 15, f"{reached} hosts reached through gate and kernel leg together")


@test(seconds=20.0, each=FAMILIES)
def a_flood_of_requests_is_cut_to_its_rate(t, family):
    place = Place(t)
    place.guard({"limits": {"host_requests": "20/s"}})
    target = LISTED4 if family == 4 else f"[{LISTED6}]"
    door = gate(place)
    outcome = place.attack(lambda: attacks.get_flood(door, f"http://{target}/flood", 3.0))
    seconds = outcome["seconds"]
    arrived = len(place.world_site.requests_for("/flood"))
    t.note(f"flood of GET for {seconds:.2f} s: {arrived} requests arrived; statuses {outcome}")
    t.check(arrived > 20, f"some arrive: {arrived}")
    t.check(arrived <= 20 * seconds + 40 + 1, f"{arrived} requests arrived in {seconds:.2f} s at 20/s and 40 at once")
    t.check(outcome.get("429", 0) > arrived, f"most are refused: {outcome}")
