"""TLS to origins: who is believed, sessions, certificates of our own, probes, and what goes wrong."""

import hashlib
import socket
import ssl
import time

from harness import reply, test
from harness.tls import path, server_context

TRUSTING = {"ca": path("ca.pem")}
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
BODY = hashlib.sha256(b"up").digest() * (1 << 18)  # 8 MiB


def behind(t, context, origin_tls, *, site=None, **settings):
    origin = t.origin(tls=context)
    return t.fresh_server({"site": {"origin_tls": origin_tls, **(site or {})}, **settings}, origins=[origin])


@test(each=VERSIONS)
def a_verified_origin_serves(t, version):
    server = behind(t, server_context(version=version), TRUSTING)
    client = t.client(server)
    for i in range(5):
        t.equal(client.get(f"/{i}").status, 200, "status")
    t.equal(len(server.origin.connections), 1, "connections: pooled ones are used again")
    t.equal(server.origin.connections[0].socket.version(), version.name.replace("_", "."), "version")
    t.equal(server.origin.requests[0].field("X-Forwarded-Proto"), "http", "X-Forwarded-Proto is the visitor's")


@test(each=VERSIONS, seconds=20)
def large_content_passes_both_ways(t, version):
    server = behind(t, server_context(version=version), TRUSTING)
    server.origin.on("/down", reply(BODY))
    client = t.client(server)
    response = client.get("/down")
    t.check(response.complete and response.body == BODY, "8 MiB come down whole")
    t.equal(client.get("/up", method="POST", body=BODY).status, 200, "status of 8 MiB up")
    t.check(server.origin.requests_for("/up")[-1].body == BODY, "8 MiB go up whole")


@test
def a_name_by_setting_is_asked_for_and_verified(t):
    asked = []
    context = server_context()
    context.sni_callback = lambda sock, name, _: asked.append(name)
    server = behind(t, context, {**TRUSTING, "name": "origin.example"})
    t.equal(server.get("/").status, 200, "status")
    t.equal(asked, ["origin.example"], "the name asked for")


UNBELIEVED = {
    "an unknown CA": ("impostor", TRUSTING, "unable to get local issuer certificate"),
    "the system's CAs": ("origin", {"verify": True}, "unable to get local issuer certificate"),
    "an expired certificate": ("origin-expired", TRUSTING, "certificate has expired"),
    "another name": ("origin", {**TRUSTING, "name": "elsewhere.example"}, "hostname mismatch"),
    "another address": ("site", TRUSTING, None),
    "a client's certificate": ("client", {"ca": path("clients-ca.pem")}, None),
}


@test(each=UNBELIEVED)
def an_origin_that_is_not_the_one_named_gets_no_request(t, row):
    name, settings, evidence = row
    server = behind(t, server_context(name), settings)
    mark = server.mark()
    t.equal(server.get("/secret").status, 502, "status")
    line = server.next_line(mark)
    t.reason(line, "origin-certificate")
    t.check(line.evidence and (evidence is None or evidence in line.evidence.lower()), f"evidence: {line.evidence}")
    t.equal(server.origin.requests, [], "requests the origin got")


@test
def without_verification_whoever_answers_is_believed(t):
    server = behind(t, server_context("impostor"), {"verify": False})
    t.equal(server.get("/").status, 200, "status")
    t.check("verify is false: whoever answers" in server.errors(), "the operator is warned")


@test
def our_own_certificate_is_shown_where_it_is_asked_for(t):
    server = behind(t, server_context(client_ca="clients-ca.pem"),
                    {**TRUSTING, "certificate": path("client.pem"), "key": path("client.key")})
    t.equal(server.get("/").status, 200, "status with it")
    without = behind(t, server_context(client_ca="clients-ca.pem", version=VERSIONS["1.2"]), TRUSTING)
    mark = without.mark()
    t.equal(without.get("/").status, 502, "status without it")
    t.reason(without.next_line(mark), "origin-tls")


@test(each=VERSIONS)
def sessions_are_resumed(t, version):
    resumed = []

    def close(connection, request):
        resumed.append(connection.socket.session_reused)
        connection.send(reply(fields=[("Connection", "close")]))
        return False
    server = behind(t, server_context(version=version), TRUSTING)
    server.origin.on("/close", close)
    for _ in range(4):
        t.equal(server.get("/close").status, 200, "status")
    t.equal(resumed, [False, True, True, True], "resumed")


# ---- what goes wrong

@test
def an_origin_that_speaks_no_tls_is_502(t):
    plain = t.origin(serve=lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    server = t.fresh_server({"site": {"origin_tls": TRUSTING}}, origins=[f"https://127.0.0.1:{plain.port}"])
    mark = server.mark()
    t.equal(server.get("/").status, 502, "status")
    line = server.next_line(mark)
    t.reason(line, "origin-tls")
    t.check(line.evidence, f"evidence: {line.raw}")


@test
def the_handshake_has_the_deadline_of_connecting(t):
    def listen(connection):
        while connection.more(5):
            pass
    silent = t.origin(serve=listen)
    server = t.fresh_server({"site": {"origin_tls": TRUSTING}, "timeouts": {"connect": "300 ms"}},
                            origins=[f"https://127.0.0.1:{silent.port}"])
    mark, began = server.mark(), time.monotonic()
    t.equal(server.get("/").status, 504, "status")
    t.within(began, 2, "the time until then", least=0.25)
    t.reason(server.next_line(mark), "origin-connect-timeout")


def ending(how):
    """A response that ends with the connection: by close_notify, or without."""
    def script(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall there is")
        if how == "close_notify":
            connection.socket.unwrap()
        return False
    return script


@test(each=VERSIONS)
def a_response_to_the_end_needs_close_notify_to_be_whole(t, version):
    server = behind(t, server_context(version=version), TRUSTING)
    server.origin.on("/whole", ending("close_notify")).on("/cut", ending("nothing"))
    response = t.client(server).get("/whole")
    t.check(response.complete and response.body == b"all there is", f"whole: {response}")
    mark = server.mark()
    client = t.client(server)
    client.send(t.request("/cut"))
    t.check(not client.read_response().complete, "cut")
    t.reason(server.next_line(mark), "origin-truncated")


@test
def a_record_that_is_broken_is_the_origins_fault(t):
    def spoil(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        raw = connection.socket.detach()
        with socket.socket(fileno=raw) as plain:
            plain.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
            plain.settimeout(2)
            try:
                while plain.recv(4096):
                    pass
            except OSError:
                pass
        return False
    server = behind(t, server_context(), TRUSTING)
    server.origin.on("/spoiled", spoil)
    mark = server.mark()
    client = t.client(server)
    client.send(t.request("/spoiled"))
    t.check(not client.read_response().complete, "the response is incomplete")
    t.reason(server.next_line(mark), "origin-tls")
    t.equal(server.get("/").status, 200, "status of the next")


@test
def a_pooled_connection_that_the_origin_closed_is_not_used(t):
    server = behind(t, server_context(), TRUSTING)
    client = t.client(server)
    t.equal(client.get("/").status, 200, "status")
    server.origin.connections[0].close()
    time.sleep(0.1)
    t.equal(client.get("/", method="POST", body=b"x").status, 200, "status of what may not be repeated")


@test
def tickets_that_come_late_do_not_cost_the_connection(t):
    """With TLS 1.3 they are no answer, though bytes come."""
    context = server_context(version=VERSIONS["1.3"])
    context.num_tickets = 4
    server = behind(t, context, TRUSTING)
    client = t.client(server)
    for _ in range(3):
        t.equal(client.get("/").status, 200, "status")
        time.sleep(0.05)
    t.equal(len(server.origin.connections), 1, "connections")


@test
def health_probes_speak_tls(t):
    health = {"health": {"path": "/health", "interval": "100 ms", "rise": 1, "fall": 1, "timeout": "1 s"}}
    server = behind(t, server_context(), TRUSTING, site=health)
    t.eventually(lambda: server.origin.requests_for("/health"), "a probe")
    t.equal(server.get("/").status, 200, "status")
    distrusted = behind(t, server_context("impostor"), TRUSTING, site=health)
    t.eventually(lambda: "fails its health check: unable to get local issuer certificate" in distrusted.events(),
                 lambda: f"the event says why: {distrusted.events()}")


@test
def a_failed_handshake_leads_to_another_origin(t):
    good, bad = t.origin(tls=server_context()), t.origin(tls=server_context("impostor"))
    server = t.fresh_server({"site": {"origin_tls": TRUSTING}}, origins=[bad, good])
    for _ in range(4):
        t.equal(server.get("/").status, 200, "status")
    t.equal(bad.requests, [], "requests the impostor got")


@test
def a_route_has_its_own(t):
    plain, secure = t.origin(), t.origin(tls=server_context())
    server = t.fresh_server({"site": {"routes": [{"path": "/api", "origins": [secure.url], "origin_tls": TRUSTING}]}},
                            origins=[plain])
    t.equal(server.get("/api/x").status, 200, "status of the route")
    t.equal(server.get("/x").status, 200, "status of the rest")
    t.equal((len(secure.requests), len(plain.requests)), (1, 1), "requests of each")
