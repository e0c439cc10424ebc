"""The DNS listener: origins get addresses of what the lists allow, and nothing else leaves in a question."""

import socket
import struct

from harness import Failure, attacks, namespaces, test
from harness.egress import Meanwhile, Place
from harness.names import A, AAAA, NOERROR, NXDOMAIN, REFUSED, SERVFAIL, TXT, ask, exactly, question, read_message

V4, V6 = namespaces.answering(64001), namespaces.answering(64001, 6)
NAMES = {"packages.example": [V4, V6], "*.tunnel.example": [V4], "inside.example": ["10.11.0.9"],
         "half.example": ["10.11.0.9", V4], "other.example": [V4], "empty.example": []}
ALLOW = ["packages.example:443", "*.tunnel.example", "inside.example", "half.example", "gone.example", "empty.example"]


def listening(t, egress=None, **options):
    place = Place(t)
    place.upstream = place.names(dict(NAMES))
    place.door = (place.network.inner(place.network.origin), 53)
    place.guard({"dns": "10.11.0.1:53", "allow": ALLOW, "kernel": "off", "proxy": None} | (egress or {}), **options)
    return place


def asked(place, name, kind=A, machine=None, **options):
    with (machine or place.network.origin).inside():
        return ask(place.door, name, kind, **options)


class Fine:
    status, body = 200, b""


def answered(place):
    """For Meanwhile: each way in turn, and a client asks twice before it gives up, as all do."""
    for tcp in (False, True):
        if not any((answer := asked(place, "packages.example", tcp=tcp, patience=1.0)) and answer.code == NOERROR
                   for _ in range(2)):
            raise Failure(f"no answer, TCP: {tcp}")
    return Fine


WAYS = {"UDP": False, "TCP": True}


@test(seconds=20.0)
def what_an_origin_is_told_the_kernel_leg_lets_it_reach(t):
    """By a name at a strict port, whose address changes once it is known."""
    place = listening(t, {"kernel": "required", "allow": ["packages.example:80"]})
    moved = namespaces.answering(64002)
    place.upstream.names["packages.example"] = [moved]
    t.equal(asked(place, "packages.example").code, NOERROR, "code")

    def is_reached():
        try:
            return place.reach(place.network.origin, asked(place, "packages.example").addresses[0]).status == 200
        except (OSError, Failure):
            return False
    t.eventually(is_reached, lambda: f"it is reached\n{place.server.errors()[-1000:]}", 12.0, 0.2)


@test(each=WAYS)
def listed_names_are_answered(t, tcp):
    place = listening(t)
    answer = asked(place, "packages.example", tcp=tcp)
    t.equal((answer.code, answer.addresses, answer.number), (NOERROR, [V4], 0x1234), "A")
    answer = asked(place, "PACKages.Example", AAAA, tcp=tcp)
    t.equal((answer.code, answer.addresses, answer.repeats_question), (NOERROR, [V6], True), "AAAA, by another spelling")
    t.equal(asked(place, "packages.example", TXT, tcp=tcp).addresses, [], "TXT")
    t.equal(asked(place, "gone.example", tcp=tcp).code, NXDOMAIN, "a listed name that does not exist")
    answer = asked(place, "empty.example", tcp=tcp)
    t.equal((answer.code, answer.addresses), (NOERROR, []), "a listed name without an address")


@test(each=WAYS)
def no_other_name_is_asked_of_anybody(t, tcp):
    place = listening(t)
    for name in ("other.example", "x.packages.example", "example", "tunnel.example", "a-secret.evil.example"):
        t.equal(asked(place, name, tcp=tcp).code, REFUSED, f"code for {name}")
    t.equal(place.upstream.asked, [], "what the resolver was asked")
    t.eventually(lambda: "egress-name" in place.server.events(), lambda: f"an event: {place.server.events()}")
    t.asserted.add("egress-name")


@test
def nobody_else_is_answered(t):
    place = Place(t)
    place.names(NAMES)
    place.door = ("10.11.0.1", 53)
    place.guard({"dns": "10.11.0.1:53", "allow": ALLOW, "kernel": "off", "proxy": None, "origins": ["10.11.0.2"]})
    t.check(asked(place, "packages.example", machine=place.network.neighbour, patience=0.3) is None, "by packet")
    t.check(asked(place, "packages.example", machine=place.network.neighbour, patience=0.3, tcp=True) is None, "by TCP")
    t.equal(asked(place, "packages.example").code, NOERROR, "an origin")


@test
def a_name_never_leads_inside(t):
    place = listening(t)
    t.equal(asked(place, "inside.example").code, REFUSED, "a name with a private address")
    answer = asked(place, "half.example")
    t.equal((answer.code, answer.addresses), (NOERROR, [V4]), "one with a public one, too")


@test
def what_is_malformed_gets_no_answer(t):
    place = listening(t)
    good = question("packages.example")
    for message in (b"", b"\0", good[:-1], good + b"x", question("packages.example", flags=0x8100),
                    question("packages.example", counts=(2, 0, 0, 0)), question("packages.example", counts=(1, 1, 0, 0)),
                    good[:12] + b"\xc0\x0c\0\x01\0\x01", bytes(2000)):
        t.check(asked(place, "", message=message or b"\0\0", patience=0.05) is None, f"an answer to {message!r}")
    t.equal(asked(place, "packages.example").code, NOERROR, "afterwards")


@test
def tcp_takes_questions_one_after_the_other_and_in_pieces(t):
    place = listening(t)
    with place.network.origin.inside(), socket.create_connection(place.door, timeout=3.0) as sock:
        message = question("packages.example")
        framed = struct.pack(">H", len(message)) + message
        sock.sendall(framed * 3)
        for _ in range(3):
            t.equal(read_message(sock)[3] & 15, NOERROR, "code")
        for byte in framed:
            sock.sendall(bytes([byte]))
        t.equal(read_message(sock)[3] & 15, NOERROR, "code of one that came byte by byte")
        sock.sendall(b"\xff\xff")
        try:
            exactly(sock, 1)
            t.fail("a connection with a message that is too long goes on")
        except (EOFError, ConnectionError):
            pass


@test(seconds=20.0)
def questions_are_answered_while_the_policy_is_reloaded(t):
    place = listening(t)
    with Meanwhile(lambda: answered(place)) as work:
        for _ in range(4):
            with place.network.gateway.inside():
                t.equal(place.server.reload().status, 200, "status of a reload")
        t.eventually(lambda: len(work.seconds) >= 30, "thirty questions", 10.0)
    work.unhurt("questions during reloads")


@test(seconds=20.0)
def a_tunnel_gets_its_turns_and_no_more(t):
    place = listening(t)
    door = place.door
    outcome = place.attack(lambda: attacks.dns_tunnel(door, lambda i: f"{i:060x}.tunnel.example", 3.0))
    names = len({name for name in place.upstream.asked if name.endswith(".tunnel.example")})
    t.note(f"DNS tunnel: {outcome['sent']} distinct names sent in 3 s, {names} asked for, "
           f"{names * 60 / 3 / 1e3:.2f} kB/s")
    t.check(names <= 70, f"{names} names left; {outcome}")
    t.check(outcome.get(str(REFUSED), 0) > 500, f"the others are refused: {outcome}")
    t.eventually(lambda: "quarantine" in place.server.events(), lambda: f"a quarantine: {place.server.events()}")
    t.equal(asked(place, "packages.example").code, NOERROR, "a listed name meanwhile")


@test
def a_silent_resolver_takes_no_more_places_than_there_are(t):
    place = listening(t)
    place.upstream.silent = True
    door = place.door
    outcome = place.attack(lambda: attacks.dns_tunnel(door, lambda i: f"{i}.tunnel.example", 1.0, most=60))
    t.check(outcome.get(str(SERVFAIL), 0) >= 20, f"over 32 under way: {outcome}")
    place.upstream.silent = False
    t.equal(asked(place, "packages.example", machine=place.network.neighbour).code, NOERROR, "a neighbour's meanwhile")
