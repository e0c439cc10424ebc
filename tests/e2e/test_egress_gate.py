"""The gate: a forward proxy for egress origins, out to what the policy lets them reach. Its world is loopback,
which is private: what a test uses is listed by address."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from harness import reply, test
from harness.gate import Gate, asks, other_address, place, somewhere
from harness.server import is_sanitized
from harness.tls import certificate, path, server_context

FORBIDDEN = ("Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nX-Forwarded-For: 10.0.0.9\r\n"
             "Forwarded: for=10.0.0.9\r\nX-Real-IP: 10.0.0.9\r\nX-Forwarded-Host: inside\r\nVia: 1.1 cache.inside\r\n"
             "Keep-Alive: 5\r\nConnection: X-Gone\r\nX-Gone: 1\r\n")


# ---- what passes


@test
def a_url_in_absolute_form_passes(t):
    world = somewhere(t)
    gate = Gate(t, [place(world)])
    mark = gate.server.mark()
    response = gate.get(f"http://{place(world)}/a%2Fb//c/../d?e=%20f", fields="X: y\r\n")
    t.equal(response.status, 200, f"status {response.head!r} {response.body!r}")
    got = world.requests[-1]
    t.equal((got.method, got.target, got.field("Host"), got.field("X")),
            ("GET", "/a%2Fb//c/../d?e=%20f", place(world), "y"), "what came there")
    line = gate.server.next_line(mark)
    t.equal((line.egress, line.site, line.origin, line.reason), ("127.0.0.1", "egress", place(world), "-"), "log")


@test
def a_tunnel_passes_bytes_both_ways(t):
    world = somewhere(t)
    gate = Gate(t, [place(world)])
    mark = gate.server.mark()
    client, head = gate.connect(place(world))
    t.equal((head.status, head.fields), (200, []), "head of the tunnel: no framing field")
    time.sleep(0.2)
    response = client.get("/through", host="any")
    t.equal((response.status, world.requests[-1].target), (200, "/through"), "through the tunnel")
    client.half_close()
    t.equal(client.read_all(), b"", "the rest")
    line = gate.server.next_line(mark)
    t.equal((line.method, line.status, line.egress, line.host, line.origin, line.reason),
            ("CONNECT", 200, "127.0.0.1", place(world), place(world), "-"), "log")
    t.equal((line.bytes_in, line.bytes_out), (len(world.requests[-1].head), len(response.head) + 3), "bytes in the log")
    t.check(line.total_us > 200_000, f"duration {line.total_us}")


@test
def curl_uses_it_for_http_and_https(t):
    world, secure = somewhere(t), somewhere(t, tls=server_context("origin"))
    gate = Gate(t, [place(world), place(secure)])
    done = gate.curl(f"http://{place(world)}/plain", "-o", "/dev/null", "-w", "%{http_code}")
    t.equal((done.stdout, done.stderr), (b"200", b""), "curl, http")
    done = gate.curl(f"https://{place(secure)}/", "--insecure", "-o", "/dev/null", "-w", "%{http_connect} %{http_code}")
    t.equal((done.stdout, done.stderr), (b"200 200", b""), "curl, https by CONNECT")
    done = gate.curl(f"https://origin.example:{secure.port}/", "--cacert", path("ca.pem"), "--connect-to",
                     f"origin.example:{secure.port}:{place(secure)}", "-o", "/dev/null", "-w", "%{http_code}")
    t.equal((done.stdout, done.stderr), (b"200", b""), "curl, certificate verified")
    done = gate.curl(f"http://{place(world)}/up", "--data-binary", "@/bin/ls", "-o", "/dev/null", "-w", "%{http_code}")
    t.equal(done.stdout, b"200", "curl, upload")
    t.equal(world.requests_for("/up")[-1].body, open("/bin/ls", "rb").read(), "what was uploaded")


def repository(t, world):
    """A Debian repository of one empty package list, unsigned."""
    root = t.directory()
    release = "Origin: t\nSuite: s\nCodename: s\nArchitectures: all\nComponents: main\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n"
    for path, text in (("/dists/s/Release", release), ("/dists/s/main/binary-all/Packages", "")):
        world.on(path, reply(text.encode()))
    world.on("*", reply(b"", "404 Not Found"))
    for name in ("lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d"):
        (root / name).mkdir(parents=True)
    (root / "status").write_text("")
    return root


@test(seconds=40)
def apt_get_uses_it(t):
    if not shutil.which("apt-get"):
        t.skip("needs apt-get")
    world, secure = somewhere(t), somewhere(t, tls=server_context("origin"))
    gate = Gate(t, [place(world), place(secure)])
    for origin, option in ((world, "http"), (secure, "https")):
        root = repository(t, origin)
        (root / "sources.list").write_text(f"deb [trusted=yes arch=all] {origin.url} s main\n")
        proxy = f"http://{gate.address[0]}:{gate.address[1]}"
        done = subprocess.run(
            ["apt-get", "update", "-o", f"Dir::State={root}", "-o", f"Dir::State::Status={root}/status", "-o", f"Dir::Cache={root}/cache",
             "-o", f"Dir::Etc={root}/etc", "-o", f"Dir::Etc::SourceList={root}/sources.list", "-o", "Dir::Etc::SourceParts=/dev/null",
             "-o", f"Acquire::http::Proxy={proxy}", "-o", f"Acquire::https::Proxy={proxy}", "-o", "APT::Sandbox::User=root",
             "-o", "Acquire::https::Verify-Peer=false", "-o", "Acquire::https::Verify-Host=false", "-o", "APT::Architecture=all",
             "-o", "Acquire::Languages=none"], capture_output=True, text=True, timeout=30, check=False)
        t.check(done.returncode == 0, f"{option}: {done.stdout}{done.stderr}")
        t.check(origin.requests_for("/dists/s/Release"), f"{option}: what was asked for: {done.stdout}{done.stderr}")
    t.eventually(lambda: {line.method for line in gate.server.lines_since()} == {"GET", "CONNECT"}, "methods in the log")


@test
def methods_and_forms_of_targets_pass(t):
    world = somewhere(t)
    gate = Gate(t, [place(world)])
    rows = [("GET", "", "/"), ("GET", "?q", "/?q"), ("OPTIONS", "", "*"), ("OPTIONS", "/", "/"), ("OPTIONS", "?", "/?"),
            ("DELETE", "/x", "/x"), ("BREW", "/pot", "/pot"), ("GET", "/a'|^b", "/a'|^b"), ("GET", "/\xff", "/\xff")]
    for method, rest, target in rows:
        response = gate.ask(asks(f"http://{place(world)}{rest}", host=place(world), method=method))
        t.equal(response.status, 200, f"{method} {rest}")
        t.equal((world.requests[-1].method, world.requests[-1].target), (method, target), "what came there")


@test
def host_may_be_missing_or_say_no_port_where_nothing_is_left_open(t):
    world = somewhere(t)
    gate = Gate(t, [place(world)])
    for data in (asks(place(world), method="CONNECT", version="1.0"),
                 asks(place(world), host=world.host, method="CONNECT"),
                 asks(place(world), host=place(world).replace(world.host, world.host + "."), method="CONNECT"),
                 asks(f"HTTP://{place(world)}/", version="1.0")):
        client = gate.client().send(data)
        t.equal(client.read_head().status, 200, data)


@test
def nothing_tells_of_the_inside(t):
    world = somewhere(t)
    gate = Gate(t, [place(world)])
    gate.get(f"http://{place(world)}/", fields=FORBIDDEN + "X-Request-Id: mine\r\nUser-Agent: u\r\n")
    got = world.requests[-1]
    t.equal(got.fields, [("Host", place(world)), ("X-Request-Id", "mine"), ("User-Agent", "u"), ("Via", "1.1 sallyport")],
            "fields that came there")


@test
def answers_say_by_whom_they_came(t):
    world = somewhere(t)
    world.on("/v", reply(fields=[("Proxy-Authenticate", "Basic"), ("Proxy-Connection", "close"), ("X", "y")]))
    gate = Gate(t, [place(world)])
    response = gate.get(f"http://{place(world)}/v")
    t.equal((response.field("Via"), response.field("X"), response.field("Proxy-Authenticate"),
             response.field("Proxy-Connection")), ("1.1 sallyport", "y", None, None), "fields")


@test
def a_loop_ends(t):
    world = somewhere(t)
    gate = Gate(t, [place(world)])
    mark = gate.server.mark()
    response = gate.get(f"http://{place(world)}/", fields="Via: " + ", ".join(["1.1 sallyport"] * 6) + "\r\n")
    t.equal(response.status, 508, "status")
    t.reason(gate.server.next_line(mark), "loop")


@test
def connections_are_kept_for_the_same_origin_and_host_only(t):
    world = somewhere(t)
    second = other_address()
    gate = Gate(t, [place(world)], origins=["127.0.0.1", second])
    client = gate.client()
    for _ in range(3):
        client.send(asks(f"http://{place(world)}/", host=place(world)))
        t.equal(client.read_response().status, 200, "status")
    t.equal(len(world.connections), 1, "connections after three requests of one client")
    gate.get(f"http://{place(world)}/")
    t.equal(len(world.connections), 1, "after another client of the same origin")
    gate.get(f"http://{place(world)}/", source=second)
    t.equal(len(world.connections), 2, "after a request of another origin")
    gate.get(f"http://{place(world)}/", fields="Authorization: Negotiate abc\r\n")
    gate.get(f"http://{place(world)}/", fields="Authorization: NTLM abc\r\n")
    t.equal(len(world.connections), 4, "after logins that belong to a connection")
    gate.get(f"http://{place(world)}/")
    t.equal(len(world.connections), 4, "and they are nobody else's")


# ---- what is refused


@test
def what_is_private_is_refused_unless_it_is_listed(t):
    world, other = somewhere(t), somewhere(t)
    gate = Gate(t, [place(world)], strikes=1000)
    for ask in (lambda: gate.get(f"http://{place(other)}/"), lambda: gate.connect(place(other))[1]):
        mark = gate.server.mark()
        t.equal(ask().status, 403, "status")
        line = gate.server.next_line(mark)
        t.reason(line, "egress-private")
        t.equal((line.setting, line.action, line.egress), ("egress.allow", "reject", "127.0.0.1"), "log")
    t.equal(other.received, 0, "bytes that came there")
    t.equal(len(other.connections), 0, "connections that came there")


@test
def a_refusal_says_why_and_what_to_change(t):
    gate = Gate(t, ["192.0.2.1:80"])
    response = gate.get("http://169.254.169.254/latest/meta-data/")
    t.equal((response.status, response.field("Content-Type")), (403, "text/plain; charset=utf-8"), "answer")
    t.equal(response.field("Proxy-Status"), 'sallyport; error=destination_ip_prohibited; details="egress-private"',
            "for programs (RFC 9209)")
    text = response.body.decode()
    t.check(re.fullmatch(r"403 Forbidden\negress-private: [^\n]+\nsetting: egress\.allow\nid: [0-9a-f]{32}\n", text), text)


@test
def deny_beats_allow_and_strict_ports_are_for_what_is_listed(t):
    world = somewhere(t)
    gate = Gate(t, [f"{world.host}"], deny=[place(world)])
    rows = {f"{place(world)}": ("egress-denied", "egress.deny"), "93.184.216.34:25": ("egress-not-allowed", "egress.strict_ports"),
            "93.184.216.34:443": ("egress-not-allowed", "egress.strict_ports")}
    for where, (reason, setting) in rows.items():
        mark = gate.server.mark()
        t.equal(gate.connect(where)[1].status, 403, where)
        line = gate.server.next_line(mark)
        t.reason(line, reason)
        t.equal(line.setting, setting, "setting")
    t.equal(len(world.connections), 0, "connections")


@test
def who_is_no_egress_origin_gets_nothing(t):
    world = somewhere(t)
    gate = Gate(t, [place(world)])
    for mode in ("enforce", "monitor"):
        gate.egress["mode"] = mode
        gate.server.write_policy({"egress": gate.egress})
        t.equal(gate.server.api("POST", "/api/reload").status, 200, "reload")
        for data in (asks(f"http://{place(world)}/", host=place(world)), asks(place(world), host=place(world), method="CONNECT")):
            mark = gate.server.mark()
            t.equal(gate.ask(data, source=other_address()).status, 403, "status")
            line = gate.server.next_line(mark)
            t.reason(line, "egress-client")
            t.equal(line.setting, "egress.origins", "setting")
    t.equal(world.received, 0, "bytes that came there")


TARGETS = {
    "origin-form": (lambda at: asks("/", host=at), "egress-target"),
    "origin-form with a host": (lambda at: asks(f"//{at}/", host=at), "egress-target"),
    "asterisk-form": (lambda at: asks("*", host=at, method="OPTIONS"), "egress-target"),
    "authority-form without CONNECT": (lambda at: asks(at, host=at), "egress-target"),
    "https in absolute form": (lambda at: asks(f"https://{at}/", host=at), "egress-target"),
    "ftp": (lambda at: asks(f"ftp://{at}/", host=at), "egress-target"),
    "no host": (lambda at: asks("http:///x", host=at), "egress-target"),
    "user information": (lambda at: asks(f"http://user@{at}/", host=at), "host-userinfo"),
    "a fragment": (lambda at: asks(f"http://{at}/#x", host=at), "fragment"),
    "another host": (lambda at: asks(f"http://{at}/", host="127.0.0.1"), "host-mismatch"),
    "another port": (lambda at: asks(f"http://{at}/", host=at.split(":")[0] + ":81"), "host-mismatch"),
    "a host without the port": (lambda at: asks(f"http://{at}/", host=at.split(":")[0]), "host-mismatch"),
    "no Host field": (lambda at: asks(f"http://{at}/"), "host-missing"),
    "TRACE": (lambda at: asks(f"http://{at}/", host=at, method="TRACE"), "method-trace"),
    "CONNECT to a URL": (lambda at: asks(f"http://{at}/", host=at, method="CONNECT"), "egress-target"),
    "CONNECT to a path": (lambda at: asks("/", host=at, method="CONNECT"), "egress-target"),
    "CONNECT to a path behind": (lambda at: asks(f"{at}/", host=at, method="CONNECT"), "egress-target"),
    "CONNECT without a port": (lambda at: asks(at.split(":")[0], host=at, method="CONNECT"), "egress-target"),
    "CONNECT to port 0": (lambda at: asks(at.split(":")[0] + ":0", host=at, method="CONNECT"), "egress-target"),
    "CONNECT to port 070": (lambda at: asks(at.split(":")[0] + ":070", host=at, method="CONNECT"), "egress-target"),
    "CONNECT to port 70000": (lambda at: asks(at.split(":")[0] + ":70000", host=at, method="CONNECT"), "host-invalid"),
    "CONNECT with user information": (lambda at: asks(f"user:word@{at}", host=at, method="CONNECT"), "host-userinfo"),
    "CONNECT to another than Host": (lambda at: asks(at, host="127.0.0.1:80", method="CONNECT"), "host-mismatch"),
    "CONNECT to another port than Host": (lambda at: asks(at, host=at.split(":")[0] + ":81", method="CONNECT"), "host-mismatch"),
    "CONNECT with content": (lambda at: asks(at, host=at, method="CONNECT", fields="Content-Length: 3\r\n") + b"abc",
                             "egress-target"),
    "CONNECT with chunks": (lambda at: asks(at, host=at, method="CONNECT", fields="Transfer-Encoding: chunked\r\n"),
                            "egress-target"),
    "CONNECT with two Hosts": (lambda at: asks(at, host=at, method="CONNECT", fields=f"Host: {at}\r\n"), "host-repeated"),
}


@test(seconds=30)
def targets_that_are_none_are_refused(t):
    world = somewhere(t)
    gate = Gate(t, [place(world)])
    for name, (data, reason) in TARGETS.items():
        mark = gate.server.mark()
        response = gate.ask(data(place(world)))
        line = gate.server.next_line(mark)
        t.check(line.reason == reason, f"{name}: {line.reason}, expected {reason}")
        t.reason(line, reason)
        t.equal(response.status, line.status, name)
    t.equal(world.received, 0, "bytes that came there")


# The metadata service, loopback and the world's own address by spellings that some program takes for them.
LITERALS = ["0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "127.0.1", "2130706433", "017700000001", "127.0.0.1.",
            "127.000.000.001", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::169.254.169.254]",
            "[2002:7f00:1::]", "[2001:0:1::80ff:fffe]", "[::1]", "[::]", "0.0.0.0", "0", "169.254.169.254", "169.254.169.254.",
            "localhost", "localhost.", "[fe80::1]", "[fe80::1%25lo]", "[fd00::1]", "10.0.0.1", "192.168.0.1", "172.16.0.1",
            "100.64.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "127.0.0.1%00", "127.0.0.1%2e", "\xe2\x91\xa0.0.0.1"]


@test(seconds=40)
def odd_literals_lead_nowhere(t):
    listener = somewhere(t)
    gate = Gate(t, [place(listener)], strikes=1000, **{"new_destinations": "1000/s", "burst": 1000})
    port = listener.port
    for host in LITERALS:
        for data in (asks(f"{host}:{port}", host=f"{host}:{port}", method="CONNECT"),
                     asks(f"http://{host}:{port}/", host=f"{host}:{port}")):
            mark = gate.server.mark()
            response = gate.ask(data)
            line = gate.server.next_line(mark)
            t.check(response.status in (400, 403, 502), f"{host}: {response.status} {line.raw}")
            t.check(line.reason in ("egress-private", "host-invalid", "target-byte", "host-userinfo", "origin-unresolved"),
                    f"{host}: {line.raw}")
    t.equal(len(listener.connections), 0, "connections")


# ---- bytes behind a CONNECT


@test
def what_comes_behind_a_connect_goes_into_the_tunnel(t):
    world = somewhere(t)
    gate = Gate(t, [place(world)])
    early = b"GET /early HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n"
    client, head = gate.connect(place(world), early=early)
    t.equal(head.status, 200, "tunnel")
    t.equal([client.read_response().status for _ in range(2)], [200, 200], "answers")
    t.equal([request.target for request in world.requests], ["/early", "/second"], "requests, in order")


@test
def what_comes_behind_a_refused_connect_is_no_request(t):
    world, closed = somewhere(t), other_address()
    gate = Gate(t, [place(world), f"{closed}:9"])
    for where, status in (("10.0.0.1:443", 403), (f"{closed}:9", 502), ("bad..host:443", 400)):
        inner = asks(f"http://{place(world)}/smuggled", host=place(world))
        client = gate.client().send(asks(where, host=where, method="CONNECT") + inner)
        response = client.read_response()
        t.equal((response.status, response.field("Connection")), (status, "close"), where)
        t.equal(client.read_all(), b"", "nothing follows")
    t.equal(world.received, 0, "bytes that came there")


SMUGGLED = {
    "two framings": ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n", "length-and-coding"),
    "two lengths": ("Content-Length: 4\r\nContent-Length: 5\r\n", b"abcde", "content-length-repeated"),
    "another coding": ("Transfer-Encoding: xchunked\r\n", b"", "transfer-encoding"),
    "a folded field": ("X: a\r\n b\r\n", b"", "field-folded"),
    "a space before the colon": ("Content-Length : 4\r\n", b"abcd", "field-space"),
    "a confusable name": ("Content_Length: 4\r\n", b"abcd", "field-confusable"),
    "a bare LF": ("X: a\nY: b\r\n", b"", "bare-lf"),
}


@test(each=SMUGGLED)
def requests_that_two_would_read_differently_are_refused(t, row):
    fields, body, reason = row
    world = somewhere(t)
    gate = Gate(t, [place(world)])
    mark = gate.server.mark()
    gate.ask(asks(f"http://{place(world)}/", host=place(world), method="POST", fields=fields) + body)
    t.reason(gate.server.next_line(mark), reason)
    t.equal(world.received, 0, "bytes that came there")


# ---- destinations that fail


@test
def what_does_not_answer_is_told_as_usual(t):
    def silent(connection, request):
        connection.more()
        return False

    closed, world = other_address(), somewhere(t)
    world.on("/cut", lambda connection, request: connection.send(b"HTTP/1.1 200 OK\r\nContent-Le") and False)
    world.on("/junk", lambda connection, request: connection.send(b"SSH-2.0-x\r\n\r\n") and False)
    world.on("/silent", silent)
    gate = Gate(t, [place(world), f"{closed}:9"], settings={"timeouts": {"first_byte": "500 ms"}})
    rows = [(f"http://{closed}:9/", 502, "origin-refused", "connection_refused"),
            (f"http://{place(world)}/cut", 502, "origin-closed", "connection_terminated"),
            (f"http://{place(world)}/junk", 502, "origin-status-line", "http_protocol_error"),
            (f"http://{place(world)}/silent", 504, "origin-timeout", "connection_read_timeout")]
    for url, status, reason, error in rows:
        mark = gate.server.mark()
        response = gate.get(url)
        t.equal(response.status, status, url)
        t.check(f"error={error};" in response.field("Proxy-Status"), response.head)
        t.reason(gate.server.next_line(mark), reason)
    mark = gate.server.mark()
    t.equal(gate.connect(f"{closed}:9")[1].status, 502, "CONNECT")
    t.reason(gate.server.next_line(mark), "origin-refused")


# ---- who is slow, and whose it is


@test(seconds=20)
def who_is_slow_is_told_so(t):
    world = somewhere(t)
    gate = Gate(t, [place(world)], settings={"timeouts": {"head": "500 ms", "body_grace": "500 ms", "stall": "500 ms"}})
    for data, reason in ((b"CONNECT 1", "head-timeout"),
                         (asks(f"http://{place(world)}/", host=place(world), method="PUT", fields="Content-Length: 9\r\n"), "body-timeout")):
        mark = gate.server.mark()
        client = gate.client().send(data)
        t.equal(client.read_response().status, 408, reason)
        t.reason(gate.server.next_line(mark), reason)


def read_memory(pid):
    """All that the process can read and write."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            first, last = (int(number, 16) for number in line.split()[0].split("-"))
            if not line.split()[1].startswith("rw") or last - first > 256 << 20:
                continue
            try:
                memory.seek(first)
                found.append(memory.read(last - first))
            except OSError:
                continue
    return b"".join(found)


def secret_of(name):
    """The private number of a key, as OpenSSL has it in memory: words, the least first."""
    text = subprocess.run(["openssl", "pkey", "-in", path(f"{name}.key"), "-noout", "-text"], capture_output=True, text=True,
                          check=True).stdout
    digits = re.search(r"(?:priv|privateExponent):\n((?: +[0-9a-f:]+\n)+)", text)[1]
    return bytes.fromhex(re.sub(r"[\s:]", "", digits)).lstrip(b"\0")[::-1]


@test(seconds=20)
def it_has_no_key_and_no_socket_of_the_sites(t):
    if os.geteuid() != 0:
        t.skip("needs root, to read the memory of processes that hide it")
    if is_sanitized():
        t.skip("sanitizers keep what was freed")
    gate = Gate(t, ["192.0.2.1:80"], settings={"tls": certificate("site")})
    server, secret = gate.server, secret_of("site")
    t.check(secret in read_memory(server.workers()[0]), "a worker has the key: so it can be found")
    t.check(secret not in read_memory(server.gate_pid()), "the gate must not have the key")
    listening = {int(line.split()[1].split(":")[1], 16): line.split()[9]
                 for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"}
    ports = {"site": server.address[1], "tls": server.tls_address[1], "gate": gate.address[1]}
    for pid, own in ((server.gate_pid(), {"gate"}), (server.workers()[0], {"site", "tls"})):
        held = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        t.equal({name for name, port in ports.items() if f"socket:[{listening[port]}]" in held}, own, "listening sockets")
    t.check("sallyport-egress" in pathlib.Path(f"/proc/{server.gate_pid()}/maps").read_text(), "the gate has how origins stand")
    for pid, names in ((server.gate_pid(), ("tickets", "throttle", "nominations", "health")), (server.workers()[0], ("egress",))):
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
        t.equal([name for name in names if f"sallyport-{name}" in maps], [], "memory of the others")


@test(seconds=20)
def a_gate_that_dies_is_started_again(t):
    world = somewhere(t)
    gate = Gate(t, [place(world)])
    first = gate.server.gate_pid()
    os.kill(first, signal.SIGKILL)
    t.eventually(lambda: gate.server.gate_pid() not in (0, first), "another gate")
    t.eventually(lambda: gate.get(f"http://{place(world)}/").status == 200, "it serves")
    t.equal(gate.server.workers(), gate.server.first_workers, "workers")


@test(seconds=20)
def a_reload_to_fewer_connections_throws_none_out(t):
    world = somewhere(t)
    gate = Gate(t, [place(world)], limits={"connections": 5})
    kept = [gate.client() for _ in range(5)]
    url = asks(f"http://{place(world)}/", host=place(world))
    for client in kept:
        t.equal(client.send(url).read_response().status, 200, "before")
    gate.egress["limits"] = {"connections": 1}
    gate.server.write_policy({"egress": gate.egress, "quotas": {"per_client": 1}})
    t.equal(gate.server.reload().status, 200, "reload")
    time.sleep(0.5)
    for client in kept:
        t.equal(client.send(url).read_response().status, 200, "after")
