"""The PROXY protocol: a listener behind a balancer."""

import time

from harness import test
from harness.proxy_header import tlv, v1, v2


def behind(t, settings=None, networks=("127.0.0.0/8",), **options):
    """A server whose one listener is behind a balancer."""
    server = t.fresh_server(settings, start=False, **options)
    server.settings["listen"][0]["proxy_protocol"] = list(networks)
    server.write_policy()
    server.start()
    return server


def closed(t, server, data, reason):
    """The bytes end the connection without a byte of an answer, and the log says why."""
    mark = server.mark()
    client = t.client(server).send(*data) if isinstance(data, list) else t.client(server).send(data)
    t.equal(client.read_all(), b"", "answer")
    line = server.next_line(mark)
    t.reason(line, reason)
    t.equal(line.status, 0, "status in the log")
    return line


def visitor(server, path):
    return server.origin.requests_for(path)[-1].field("X-Forwarded-For")


@test(each={
    "version 1": (v1("192.0.2.7"), "192.0.2.7"),
    "version 1, IPv6": (v1("2001:db8::7"), "2001:db8::7"),
    "version 2": (v2("192.0.2.7"), "192.0.2.7"),
    "version 2, IPv6": (v2("2001:db8::7"), "2001:db8::7"),
    "version 2, with TLVs": (v2("192.0.2.7", tlvs=tlv(1, b"http/1.1") + tlv(4, b"x" * 900)), "192.0.2.7"),
    "version 2, LOCAL": (v2(command=0x20), None),
    "version 1, UNKNOWN": (b"PROXY UNKNOWN\r\n", None),
})
def the_address_in_the_header_is_the_clients(t, row):
    header, client = row
    server = behind(t)
    mark = server.mark()
    connection = t.client(server)
    client = client or connection.socket.getsockname()[0]
    connection.send(header + t.request("/one") + t.request("/two"))
    for path in ("/one", "/two"):
        t.equal(connection.read_response().status, 200, "status")
        t.equal(visitor(server, path), client, "X-Forwarded-For")
        t.equal(server.next_line(mark, lambda line: line.target == path)["client"], client, "client in the log")
    t.equal(connection.get("/three").status, 200, "status of a later request")
    t.equal(visitor(server, "/three"), client, "X-Forwarded-For of it")


@test(each={"version 1": v1(), "version 2": v2(tlvs=tlv(4, b"ab"))})
def a_header_may_come_in_any_pieces(t, header):
    server = behind(t)
    whole = header + t.request("/pieces")
    connection = t.client(server)
    connection.send_slowly(whole, pause=0.001)
    t.equal(connection.read_response().status, 200, "status byte by byte")
    t.equal(visitor(server, "/pieces"), "192.0.2.7", "X-Forwarded-For")
    for cut in (1, 5, len(header) - 1, len(header), len(header) + 1):
        connection = t.client(server).send(whole[:cut], 0.02, whole[cut:])
        t.equal(connection.read_response().status, 200, f"status, cut after {cut} bytes")


@test(each={
    "a request": (b"GET / HTTP/1.1\r\nHost: site.example\r\n\r\n", "proxy-missing"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "proxy-missing"),
    "an address that is none": (b"PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n", "proxy-malformed"),
    "a version that is none": (v2(command=0x31), "proxy-malformed"),
    "a datagram": (v2(family=0x12), "proxy-malformed"),
    "a TLV over the end": (v2(tlvs=b"\x04\xff\xff"), "proxy-malformed"),
    "a long line": (b"PROXY UNKNOWN " + b"x" * 200, "proxy-too-long"),
    "a long block": (v2(command=0x20, length=65535), "proxy-too-long"),
    "a wrong checksum": (v2(tlvs=tlv(3, b"\0\0\0\0")), "proxy-checksum"),
    "half of one": (v2()[:20], "client-gone"),
})
def what_does_not_begin_with_a_header_is_closed(t, row):
    data, reason = row
    server = behind(t)
    if reason == "client-gone":
        mark = server.mark()
        client = t.client(server).send(data).half_close()
        t.equal(client.read_all(), b"", "answer")
        t.reason(server.next_line(mark), reason)
    else:
        closed(t, server, data, reason)
    t.equal(server.origin.requests, [], "requests at the origin")
    t.equal(t.client(server).send(v1() + t.request("/")).read_response().status, 200, "status of the next connection")


@test
def only_listed_senders_are_heard(t):
    server = behind(t, networks=["127.9.9.9"])
    mark = server.mark()
    liar = t.client(server, source="127.8.8.8").send(v1("192.0.2.7") + t.request("/"))
    t.equal(liar.read_all(), b"", "answer to another sender")
    line = server.next_line(mark)
    t.reason(line, "proxy-sender")
    t.equal(line["client"], "127.8.8.8", "client in the log")
    listed = t.client(server, source="127.9.9.9").send(v1("192.0.2.7") + t.request("/"))
    t.equal(listed.read_response().status, 200, "status for the listed sender")


@test
def a_header_that_does_not_come_has_a_deadline(t):
    server = behind(t, {"timeouts": {"head": "300 ms"}})
    begun = time.monotonic()
    closed(t, server, [b"PROXY TCP4 ", 0.05, b"192.0"], "proxy-timeout")
    t.within(begun, 2.0, "the time until it was closed", least=0.25)


@test
def a_balancer_may_look_whether_we_are_there(t):
    """Connections that say nothing, as health checks make them, leave no line."""
    server = behind(t)
    mark = server.mark()
    for _ in range(3):
        t.client(server).close()
    t.equal(t.client(server).send(v2(command=0x20)).half_close().read_all(), b"", "answer to LOCAL alone")
    t.equal(t.client(server).send(v1() + t.request("/last")).read_response().status, 200, "status")
    server.next_line(mark, lambda line: line.target == "/last")
    t.equal([line.raw for line in server.lines_since(mark) if line.target != "/last"], [], "other lines")


@test
def connections_are_counted_by_the_true_client(t):
    server = behind(t, {"quotas": {"per_client": 3}})
    mark = server.mark()

    def connect(source):
        client = t.client(server).send(v1(source) + t.request("/"))
        response = client.read_response()
        return response.status, client
    held = [connect("192.0.2.7") for _ in range(3)]
    t.equal([status for status, _ in held], [200, 200, 200], "statuses within the quota")
    status, fourth = connect("192.0.2.7")
    t.equal(status, 429, "status over it")
    t.equal(fourth.read_all(), b"", "what follows")
    line = server.next_line(mark, lambda line: line.status == 429)
    t.reason(line, "client-connections")
    t.equal(line["client"], "192.0.2.7", "client in the log")
    t.equal([connect(f"192.0.2.{n}")[0] for n in range(10, 20)], [200] * 10, "statuses of others, same balancer")
    held[0][1].close()
    t.eventually(lambda: connect("192.0.2.7")[0] == 200, "a place that became free is given away")


@test
def throttles_and_lists_go_by_the_true_client(t):
    server = behind(t, {"site": {"shield": {"deny_addresses": ["203.0.113.0/24"],
                                            "throttle": {"per_client": "1/min", "burst": 1}}}})

    def ask(source):
        return t.client(server).send(v2(source) + t.request("/")).read_response().status
    t.equal([ask("192.0.2.7"), ask("192.0.2.7"), ask("192.0.2.8")], [200, 429, 200], "statuses")
    t.equal(ask("203.0.113.9"), 403, "status of a listed address")


@test
def what_the_client_says_of_itself_is_not_believed(t):
    """Not even where the balancer itself is a trusted proxy: its header is about the client."""
    server = behind(t, {"trusted_proxies": ["127.0.0.0/8"]})
    forged = t.request("/forged", fields=[("X-Forwarded-For", "198.18.0.1")])
    t.equal(t.client(server).send(v1("192.0.2.7") + forged).read_response().status, 200, "status")
    t.equal(visitor(server, "/forged"), "192.0.2.7", "X-Forwarded-For")
    local = t.request("/local", fields=[("X-Forwarded-For", "198.18.0.1")])
    client = t.client(server).send(v2(command=0x20) + local)
    t.equal(client.read_response().status, 200, "status")
    t.check(visitor(server, "/local").startswith("198.18.0.1, 127."), f"the balancer's own is kept: {visitor(server, '/local')}")


@test
def a_trusted_proxy_before_the_balancer_is_believed(t):
    server = behind(t, {"trusted_proxies": ["192.0.2.7"]})
    mark = server.mark()
    asked = t.request("/cdn", fields=[("X-Forwarded-For", "198.18.0.1")])
    t.equal(t.client(server).send(v1("192.0.2.7") + asked).read_response().status, 200, "status")
    t.equal(visitor(server, "/cdn"), "198.18.0.1, 192.0.2.7", "X-Forwarded-For")
    t.equal(server.next_line(mark)["client"], "198.18.0.1", "client in the log")


@test
def an_idle_connection_keeps_its_client_over_a_reload(t):
    server = behind(t, {"quotas": {"per_client": 2}})
    clients = [t.client(server).send(v1("192.0.2.7") + t.request("/before")) for _ in range(2)]
    for client in clients:
        t.equal(client.read_response().status, 200, "status before")
    server.write_policy({"site": {"response": {"remove": ["X-Nothing"]}}})
    t.equal(server.reload().status, 200, "status of the reload")
    t.eventually(lambda: server.status()["counters"]["adopted"] >= 2, "the connections are taken over")
    mark = server.mark()
    t.equal(clients[0].get("/after").status, 200, "status after")
    t.equal(visitor(server, "/after"), "192.0.2.7", "X-Forwarded-For after")
    t.equal(server.next_line(mark)["client"], "192.0.2.7", "client in the log")
    third = t.client(server).send(v1("192.0.2.7") + t.request("/"))
    t.equal(third.read_response().status, 429, "status over the quota, taken over with them")


@test
def half_a_header_survives_a_reload(t):
    server = behind(t)
    client = t.client(server).send(v1()[:12])
    time.sleep(0.05)
    t.equal(server.reload().status, 200, "status of the reload")
    client.send(v1()[12:] + t.request("/"))
    t.equal(client.read_response().status, 200, "status")
