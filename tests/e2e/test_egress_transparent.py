"""Connections to ports 80 and 443 that the kernel leg redirects into the gate: the name in them is judged and looked
up anew, and the address that the origin chose counts for nothing."""

import socket
import ssl

from harness import namespaces, test
from harness.egress import OPEN_PORT, Place
from harness.origin import Origin
from harness.tls import server_context

HOME4, HOME6 = namespaces.answering(64100), namespaces.answering(64100, 6)   # where packages.example is
ELSEWHERE = {4: namespaces.answering(64200), 6: namespaces.answering(64200, 6)}  # what an origin claims it to be
FAMILIES = {"IPv4": 4, "IPv6": 6}
DOORS = {"of any address": "[::]:3129", "of one address": "10.11.0.1:3129"}


def redirected(t, egress=None):
    place = Place(t)
    place.upstream = place.names({"packages.example": [HOME4, HOME6], "other.example": [HOME4],
                                  "inside.example": ["10.12.0.2"]})
    with place.network.world.inside():
        place.secure = Origin(host="::", port=443, tls=server_context())
    t.later(place.secure.close)
    place.guard({"proxy": None, "transparent": "[::]:3129", "allow": ["packages.example:80", "packages.example:443",
                                                                      "inside.example"]} | (egress or {}))
    return place


def get(place, address, host, target="/x"):
    """The status that comes over a connection to that address at port 80; 0: it was ended without one."""
    with place.network.origin.inside(), socket.create_connection((address, 80), timeout=5.0) as sock:
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        got = b"".join(iter(lambda: sock.recv(4096), b""))
    return int(got.split()[1]) if got else 0


def handshake(place, address, name):
    """Whether TLS comes about with whoever the name leads to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with place.network.origin.inside(), socket.create_connection((address, 443), timeout=5.0) as sock:
        try:
            with context.wrap_socket(sock, server_hostname=name) as secure:
                secure.sendall(b"GET /secure HTTP/1.1\r\nHost: x\r\n\r\n")
                return secure.recv(4096).startswith(b"HTTP/1.1 200")
        except (ssl.SSLError, ConnectionError):
            return False


def reached(place):
    return {met.target for met in place.witness.met(protocol="tcp").met}


@test(each=FAMILIES)
def a_request_goes_where_its_host_leads_and_not_where_it_was_sent(t, family):
    place = redirected(t)
    t.equal(get(place, ELSEWHERE[family], "packages.example"), 200, "status")
    t.check(reached(place) <= {HOME4, HOME6} and reached(place), f"addresses reached: {reached(place)}")
    request = place.world_site.requests_for("/x")[-1]
    t.equal((request.target, request.field("Host")), ("/x", "packages.example"), "what arrived")


@test(each=FAMILIES)
def a_tls_connection_goes_where_its_name_leads(t, family):
    place = redirected(t)
    t.check(handshake(place, ELSEWHERE[family], "packages.example"), "a handshake")
    t.check(reached(place) <= {HOME4, HOME6} and reached(place), f"addresses reached: {reached(place)}")
    t.equal(len(place.secure.requests_for("/secure")), 1, "requests")


@test(each=FAMILIES)
def what_is_not_listed_is_not_reached(t, family):
    place = redirected(t)
    mark = place.server.mark()
    t.equal(get(place, HOME4 if family == 4 else HOME6, "other.example"), 403, "status of an unlisted host")
    t.reason(place.server.next_line(mark), "egress-not-allowed")
    t.equal(get(place, HOME4 if family == 4 else HOME6, "inside.example"), 403, "of one that leads inside")
    t.check(not handshake(place, HOME4 if family == 4 else HOME6, "other.example"), "TLS with an unlisted host")
    t.equal(reached(place), set(), "addresses reached")


@test
def a_nameless_connection_is_judged_by_its_address(t):
    place = redirected(t, {"allow": [f"{HOME4}:443"]})
    t.check(handshake(place, HOME4, None), "TLS without a name to a listed address")
    t.check(not handshake(place, ELSEWHERE[4], None), "to another")
    t.equal(reached(place), {HOME4}, "addresses reached")


@test(each=DOORS)
def the_listener_may_have_one_address_or_all(t, door):
    place = redirected(t, {"transparent": door})
    t.equal(get(place, ELSEWHERE[4], "packages.example"), 200, "status")
    t.check(handshake(place, ELSEWHERE[4], "packages.example"), "a handshake")
    with place.network.neighbour.inside(), socket.create_connection((ELSEWHERE[4], 80), timeout=5.0) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: packages.example\r\n\r\n")
        t.check(sock.recv(4096).startswith(b"HTTP/1.1 200"), "the neighbour's")


@test
def what_is_no_client_hello_is_ended(t):
    place = redirected(t)
    mark = place.server.mark()
    with place.network.origin.inside(), socket.create_connection((HOME4, 443), timeout=5.0) as sock:
        try:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: packages.example\r\n\r\n")
            t.equal(sock.recv(100), b"", "an answer")
        except ConnectionError:
            pass
    t.reason(place.server.next_line(mark), "egress-hello")
    t.equal(reached(place), set(), "addresses reached")


@test
def another_port_in_host_is_refused(t):
    place = redirected(t)
    t.equal(get(place, HOME4, f"packages.example:{OPEN_PORT}"), 400, "status")
    t.equal(get(place, HOME4, "packages.example:80"), 200, "status with the port that it came by")
    t.equal(get(place, HOME4, "packages.example", "http://other.example/"), 400, "of a request for a proxy")


@test
def nobody_gets_into_the_listener_by_itself(t):
    """Whoever asks the listener's own address was not redirected: there is nowhere to go."""
    place = redirected(t)
    door, got = (place.network.inner(place.network.origin), 3129), b""
    try:
        with place.network.origin.inside(), socket.create_connection(door, timeout=5.0) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: packages.example\r\n\r\n")
            got = sock.recv(4096)
    except ConnectionError:
        pass  # as it should be, at whatever step
    t.check(not got.startswith(b"HTTP/1.1 200"), f"an answer: {got[:100]!r}")
    t.equal(reached(place), set(), "addresses reached")
