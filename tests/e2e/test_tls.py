"""TLS with visitors: handshakes, names, sessions, records, and what goes wrong."""

import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import time

from harness import Client, reply, test
from harness.server import is_sanitized
from harness.tls import TlsClient, certificate, context, path, refused, text

SITE = certificate("site")
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = {"1.2": V12, "1.3": V13}
MIB = 1 << 20


def tls_server(t, **more):
    return t.server({"tls": SITE, **more})


# ---- the usual

@test(each=VERSIONS)
def a_page_is_served(t, version):
    server = tls_server(t)
    mark = server.mark()
    client = t.tls_client(server, using=context(version=version))
    t.equal(client.get("/").status, 200, "status")
    t.equal(client.get("/").status, 200, "status of a second request")
    line = server.next_line(mark)
    t.equal(line["tls"], "1.2" if version == V12 else "1.3", "version in the log")
    t.equal((line.sni, line["resumed"]), ("site.example", False), "name and resumption in the log")
    t.equal(line.cipher, client.socket.cipher()[0], "cipher in the log")


@test
def the_origin_is_told_of_https(t):
    server = tls_server(t)
    t.tls_client(server).get("/told")
    request = server.origin.requests_for("/told")[-1]
    t.equal(request.field("X-Forwarded-Proto"), "https", "X-Forwarded-Proto")
    t.check("proto=https" in request.field("Forwarded"), f"Forwarded: {request.field('Forwarded')}")


@test
def an_absolute_https_target_is_good_over_tls_only(t):
    server = tls_server(t)
    t.equal(t.tls_client(server).get("https://site.example/absolute").status, 200, "status of https over TLS")
    t.equal(t.tls_client(server).get("https://site.example:443/absolute").status, 200, "status with the port")
    for client, target in ((t.tls_client(server), "http://site.example/"), (t.client(server), "https://site.example/")):
        mark = server.mark()
        t.equal(client.get(target).status, 400, f"status of {target}")
        t.reason(server.next_line(mark), "target-invalid")


@test
def pipelined_requests_are_answered_in_turn(t):
    server = tls_server(t)
    client = t.tls_client(server)
    client.send(b"".join(t.request(f"/p{i}") for i in range(20)))
    for i in range(20):
        t.equal(client.read_response().status, 200, f"status of request {i}")
    t.equal([r.target for r in server.origin.requests[-20:]], [f"/p{i}" for i in range(20)], "order at the origin")


@test
def a_request_in_pieces_of_one_byte_a_record_is_served(t):
    client = t.tls_client(tls_server(t))
    client.send_slowly(t.request("/slowly"))
    t.equal(client.read_response().status, 200, "status")


@test
def the_end_is_told_by_close_notify(t):
    for fields in ([("Connection", "close")], [("Connection", "close"), ("Content-Length", "5")]):
        client = t.tls_client(tls_server(t))
        t.equal(client.get("/", fields=fields, body=b"hello" if len(fields) > 1 else b"").status, 200, "status")
        client.read_all()
        t.equal(client.ended, "eof", "the end of the connection")


@test
def a_client_that_leaves_without_close_notify_is_no_error(t):
    server = tls_server(t)
    mark = server.mark()
    client = t.tls_client(server)
    t.equal(client.get("/").status, 200, "status")
    os.close(client.socket.detach())
    client2 = t.tls_client(server)
    t.equal(client2.get("/").status, 200, "status of another")
    t.equal([line.reason for line in server.lines_since(mark) if line.reason != "-"], [], "reasons in the log")


# ---- content

BODY = hashlib.sha256(b"seed").digest() * (MIB // 4)  # 8 MiB


@test(each=VERSIONS, seconds=20)
def large_content_passes_both_ways(t, version):
    server = tls_server(t)
    server.origin.on("/down", reply(BODY))
    client = t.tls_client(server, using=context(version=version))
    response = client.get("/down")
    t.check(response.complete and response.body == BODY, "8 MiB come down whole")
    t.equal(client.get("/up", method="POST", body=BODY).status, 200, "status of 8 MiB up")
    t.check(server.origin.requests_for("/up")[-1].body == BODY, "8 MiB go up whole")
    chunks = b"".join(b"%x\r\n%s\r\n" % (65000, BODY[at:at + 65000]) for at in range(0, 6500000, 65000))
    client.send(t.request("/chunked", method="POST", fields=[("Transfer-Encoding", "chunked")]), chunks, b"0\r\n\r\n")
    t.equal(client.read_response().status, 200, "status of chunks up")
    t.check(server.origin.requests_for("/chunked")[-1].body == BODY[:6500000], "chunks go up whole")


@test(seconds=20)
def both_ways_at_once_do_not_stall(t):
    """An origin that echoes while it reads, a client that reads only after a while."""
    def echo(connection, request):
        size = int(request.field("Content-Length"))
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while size > 0:
            part = connection.read_exactly(min(size, 65536))
            if not part or not connection.send(part):
                return False
            size -= len(part)
    server = tls_server(t)
    server.origin.on("/echo", echo)
    client = t.tls_client(server)
    client.socket.settimeout(0.05)
    client.send(t.request("/echo", method="POST", fields=[("Content-Length", str(len(BODY)))]))
    left = memoryview(BODY)
    received = bytearray()
    while left or len(received) < len(BODY):
        try:
            if left:
                left = left[client.socket.send(left[:65536]):]
        except (TimeoutError, ssl.SSLWantWriteError):
            pass
        try:
            received += client.socket.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            pass
    t.check(bytes(received).endswith(BODY[-65536:]), "the echo is whole")


@test(seconds=20)
def a_reader_that_is_slow_gets_everything(t):
    server = tls_server(t)
    server.origin.on("/slow", reply(BODY))
    client = t.tls_client(server, receive_buffer=8192)
    client.send(t.request("/slow"))
    time.sleep(0.5)
    response = client.read_response()
    t.check(response.complete and response.body == BODY, f"8 MiB come whole: {len(response.body)}")


@test
def content_that_the_origin_cuts_short_never_looks_whole(t):
    def cut(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
        return False
    server = tls_server(t)
    server.origin.on("/cut", cut)
    mark = server.mark()
    client = t.tls_client(server)
    client.send(t.request("/cut"))
    response = client.read_response()
    t.check(not response.complete, "the response is incomplete")
    t.check(client.ended in ("reset", "ragged"), f"no orderly end: {client.ended}")
    t.reason(server.next_line(mark), "origin-truncated")


# ---- names

NAMED = {**SITE, "certificates": [certificate("site-rsa"), certificate("other"), certificate("wild")]}
ASKED = {
    "exact": ("other.example", "other.example"), "wildcard": ("a.wild.example", "wild"),
    "any case": ("OTHER.example", "other.example"), "unknown": ("unknown.example", "site.example"),
    "two labels below a wildcard": ("a.b.wild.example", "site.example"),
    "a wildcard's own name": ("wild.example", "site.example"),
}


@test(each=ASKED)
def a_name_gets_its_certificate(t, row):
    asked, shown = row
    server = t.server({"tls": NAMED, "default_site": "site"})
    using = context()
    using.check_hostname = False
    client = t.tls_client(server, name=asked, using=using)
    t.equal(client.peer_name(), shown, f"certificate for {asked}")
    t.equal(client.get("/", host=asked).status, 200, "status")


@test
def no_name_gets_the_first_certificate(t):
    server = t.server({"tls": NAMED, "default_site": "site"})
    using = context()
    using.check_hostname = False
    t.equal(t.tls_client(server, name=None, using=using).peer_name(), "site.example", "certificate")


@test
def each_client_gets_the_kind_of_key_that_it_can_verify(t):
    server = t.server({"tls": NAMED, "default_site": "site"})
    for auth, kind in (("ECDSA", "ECDSA"), ("RSA", "RSA")):
        using = context(version=V12, ciphers=f"ECDHE-{auth}-AES128-GCM-SHA256")
        client = t.tls_client(server, using=using)
        t.check(kind in client.socket.cipher()[0], f"cipher: {client.socket.cipher()}")


@test
def an_unknown_name_is_refused_by_setting(t):
    server = t.server({"tls": {**NAMED, "refuse_unknown_names": True}})
    mark = server.mark()
    alert = refused(lambda: TlsClient(server.tls_address, name="unknown.example"))
    t.equal(alert, "TLSV1_UNRECOGNIZED_NAME", "the alert")
    line = server.next_line(mark)
    t.reason(line, "tls-name-unknown")
    t.equal(line.sni, "unknown.example", "the name in the log")
    t.equal(t.tls_client(server).get("/").status, 200, "status for a known name")
    using = context()
    using.check_hostname = False
    t.equal(t.tls_client(server, name=None, using=using).get("/").status, 200, "status without a name")


# ---- protocols and versions

@test
def the_protocol_is_http_1_or_an_alert(t):
    server = tls_server(t)
    client = t.tls_client(server, using=context(protocols=["h2", "http/1.1"]))
    t.equal(client.socket.selected_alpn_protocol(), "http/1.1", "protocol")
    client = t.tls_client(server, using=context(protocols=["http/1.0", "http/1.1"]))
    t.equal(client.socket.selected_alpn_protocol(), "http/1.1", "protocol where both are offered")
    old = t.tls_client(server, using=context(protocols=["http/1.0"]))
    t.equal(old.socket.selected_alpn_protocol(), "http/1.0", "protocol where it is all there is")
    t.equal(old.send(b"GET / HTTP/1.0\r\nHost: site.example\r\n\r\n").read_response().status, 200, "status in HTTP/1.0")
    mark = server.mark()
    alert = refused(lambda: TlsClient(server.tls_address, using=context(protocols=["h2"])))
    t.check("no application protocol" in alert.lower().replace("_", " "), f"the alert for h2 alone: {alert}")
    line = server.next_line(mark)
    t.reason(line, "tls-handshake")
    t.equal(line.evidence, "no application protocol", "evidence")


@test
def modern_is_1_3_only(t):
    server = t.server({"tls": {**SITE, "profile": "modern"}})
    t.equal(t.tls_client(server).socket.version(), "TLSv1.3", "version")
    t.equal(refused(lambda: TlsClient(server.tls_address, using=context(version=V12))),
            "TLSV1_ALERT_PROTOCOL_VERSION", "the alert for 1.2")


@test
def weak_ciphers_are_refused(t):
    server = tls_server(t)
    using = context(version=V12, ciphers="AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
    t.equal(refused(lambda: TlsClient(server.tls_address, using=using)), "SSLV3_ALERT_HANDSHAKE_FAILURE", "the alert")


# ---- sessions

def one_page(t, server, session=None, version=V13, using=None, name="site.example"):
    client = t.tls_client(server, using=using or context(version=version), session=session, name=name)
    t.equal(client.get("/").status, 200, "status")
    return client


@test(each=VERSIONS)
def sessions_are_resumed_by_every_worker_and_after_a_reload(t, version):
    server = t.fresh_server({"tls": SITE, "process": {"workers": 2}})
    using = context(version=version)
    session = one_page(t, server, using=using).session
    for _ in range(12):  # both workers will have had some
        client = one_page(t, server, session, using=using)
        t.check(client.resumed, "resumed")
    t.equal(server.reload().status, 200, "status of the reload")
    mark = server.mark()
    client = one_page(t, server, session, using=using)
    t.check(client.resumed, "resumed after a reload")
    t.equal(server.next_line(mark)["resumed"], True, "resumption in the log")
    counters = server.status()["counters"] if "counters" in server.status() else server.status()["totals"]
    t.check(counters["tls_resumed"] >= 13 and counters["tls_handshakes"] >= 1, f"counters: {counters}")


@test
def a_session_of_one_name_is_none_of_another(t):
    server = t.server({"tls": NAMED, "default_site": "site"})
    for version in VERSIONS.values():
        using = context(version=version)
        session = one_page(t, server, using=using).session
        t.check(one_page(t, server, session, using=using).resumed, "resumed for the same name")
        client = t.tls_client(server, using=using, session=session, name="other.example")
        t.check(not client.resumed, "not resumed for another name")


@test
def a_forged_ticket_is_a_full_handshake(t):
    """Bytes of a ticket changed: openssl keeps sessions in files."""
    server = tls_server(t)
    kept = t.directory() / "session"
    address = f"{server.tls_address[0]}:{server.tls_address[1]}"
    base = ["openssl", "s_client", "-connect", address, "-servername", "site.example", "-tls1_2", "-quiet",
            "-no_ign_eof"]

    def talk(*arguments):
        return subprocess.run(base[:-2] + list(arguments), input=t.request("/", fields=[("Connection", "close")]),
                              capture_output=True, timeout=5, check=False).stdout.decode(errors="replace")
    talk("-sess_out", str(kept))
    t.check("Reused," in talk("-sess_in", str(kept)), "the true ticket is taken")
    pem = kept.read_text()
    der = subprocess.run(["openssl", "sess_id", "-in", str(kept), "-outform", "DER"], capture_output=True, check=True)
    lines = pem.split("\n")
    t.check(len(der.stdout) > 200, "the session has a ticket")
    middle = len(lines) // 2
    lines[middle] = lines[middle][::-1]
    kept.write_text("\n".join(lines))
    said = talk("-sess_in", str(kept))
    t.check("Reused," not in said, "the forged ticket is not")
    t.equal(t.tls_client(server).get("/").status, 200, "status of others")


# ---- stapling

@test
def an_ocsp_response_is_stapled(t):
    server = t.server({"tls": {**SITE, "ocsp": path("site.ocsp"), "certificates": [certificate("site-rsa")]}})
    address = f"{server.tls_address[0]}:{server.tls_address[1]}"

    def status(*arguments):
        return subprocess.run(["openssl", "s_client", "-connect", address, "-servername", "site.example", "-status",
                               *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=5,
                              check=False).stdout
    for version in ("-tls1_2", "-tls1_3"):
        t.check("OCSP Response Status: successful" in status(version), f"stapled with {version}")
    t.check("OCSP response: no response sent" in status("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"),
            "the other certificate has none")


@test
def a_response_that_is_over_is_not_stapled(t):
    server = t.fresh_server({"tls": {**SITE, "ocsp": path("over.ocsp")}})
    address = f"{server.tls_address[0]}:{server.tls_address[1]}"
    said = subprocess.run(["openssl", "s_client", "-connect", address, "-status"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=5, check=False).stdout
    t.check("no response sent" in said, "not stapled")
    t.check("over.ocsp is not stapled" in server.errors(), "and the operator is told")


# ---- what is no TLS

@test
def plain_http_gets_400_and_one_sentence(t):
    server = tls_server(t)
    for method in ("GET", "OPTIONS", "DELETE", "PROPFIND"):
        mark = server.mark()
        client = Client(server.tls_address)
        t.later(client.close)
        response = client.get("/", method=method)
        t.equal(response.status, 400, f"status of {method}")
        t.check(b"https" in response.body and response.body.count(b".") == 1, f"one sentence: {response.body}")
        client.read_all()
        t.reason(server.next_line(mark), "tls-plain-http")


GARBAGE = {
    "zeros": b"\0" * 300, "random": os.urandom(300), "an SSL 2 hello": b"\x80\x2e\x01\x00\x02" + b"\0" * 60,
    "a record of a wrong version": b"\x16\x09\x09\x00\x05hello", "a record that is too long": b"\x16\x03\x01\xff\xff" + b"a" * 99,
    "a hello that lies about its length": b"\x16\x03\x01\x00\x20\x01\xff\xff\xff" + b"a" * 28,
    "application data first": b"\x17\x03\x03\x00\x05hello", "an alert first": b"\x15\x03\x03\x00\x02\x02\x28",
}


@test(each=GARBAGE)
def garbage_ends_its_connection_and_nothing_else(t, data):
    server = tls_server(t)
    other = t.tls_client(server)
    t.equal(other.get("/").status, 200, "status of a neighbour before")
    mark = server.mark()
    client = Client(server.tls_address)
    t.later(client.close)
    client.send(data).half_close()
    answer = client.read_all()
    t.check(not answer.startswith(b"HTTP"), f"no HTTP: {answer[:100]}")
    t.check(answer == b"" or answer[0] == 0x15, f"an alert or nothing: {answer[:20]}")
    t.reason(server.next_line(mark), "tls-handshake", "client-gone")
    t.equal(other.get("/").status, 200, "status of a neighbour afterwards")


def through_a_thief(t, server, spoil):
    """A connection whose bytes from the client, after the handshake, go through spoil()."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(version=V12).wrap_bio(incoming, outgoing, server_hostname="site.example")
    raw = socket.create_connection(server.tls_address, timeout=5)
    t.later(raw.close)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            raw.sendall(outgoing.read())
            incoming.write(raw.recv(65536))
    raw.sendall(outgoing.read())
    tls.write(t.request("/"))
    raw.sendall(spoil(outgoing.read()))
    while data := raw.recv(65536):
        incoming.write(data)
    try:
        return tls.read()
    except ssl.SSLError as error:
        return error.reason


SPOILED = {
    "a bit is flipped": (lambda b: b[:-1] + bytes([b[-1] ^ 1]), "SSLV3_ALERT_BAD_RECORD_MAC"),
    "its type is changed": (lambda b: b"\x16" + b[1:], "SSLV3_ALERT_BAD_RECORD_MAC"),
    "it is too long": (lambda b: b[:3] + b"\x60\x00" + b[5:] + b"x" * 24576, "TLSV1_ALERT_RECORD_OVERFLOW"),
}


@test(each=SPOILED)
def a_broken_record_gets_the_alert_and_one_line(t, row):
    spoil, alert = row
    server = tls_server(t)
    other = t.tls_client(server)
    t.equal(other.get("/").status, 200, "status of a neighbour before")
    mark = server.mark()
    t.equal(through_a_thief(t, server, spoil), alert, "the alert")
    line = server.next_line(mark)
    t.reason(line, "tls-record")
    t.check(line.evidence, "the log says what is wrong")
    t.equal(other.get("/").status, 200, "status of a neighbour afterwards")
    server.next_line(mark, lambda other_line: other_line.reason == "-")
    t.equal(len(server.lines_since(mark)), 2, "one line for it, and one for the neighbour")


@test
def a_record_that_breaks_within_content_ends_the_exchange(t):
    server = tls_server(t)
    mark = server.mark()

    def upload(head):
        return head[:-1] + bytes([head[-1] ^ 1])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(incoming, outgoing, server_hostname="site.example")
    raw = socket.create_connection(server.tls_address, timeout=5)
    t.later(raw.close)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            raw.sendall(outgoing.read())
            incoming.write(raw.recv(65536))
    tls.write(t.request("/", method="POST", fields=[("Content-Length", "10000")]) + b"x" * 100)
    raw.sendall(outgoing.read())
    time.sleep(0.1)
    tls.write(b"y" * 100)
    raw.sendall(upload(outgoing.read()))
    while raw.recv(65536):
        pass
    t.reason(server.next_line(mark), "tls-record")
    t.goes_on(server)


@test
def renegotiation_is_refused(t):
    server = tls_server(t)
    address = f"{server.tls_address[0]}:{server.tls_address[1]}"
    child = subprocess.Popen(["openssl", "s_client", "-connect", address, "-servername", "site.example", "-tls1_2"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    t.later(child.kill)
    time.sleep(0.3)
    child.stdin.write(b"R\n")
    child.stdin.flush()
    time.sleep(0.3)
    child.stdin.close()
    said = child.stdout.read()
    t.check(b"no renegotiation" in said, f"openssl says: {said[-300:]}")
    t.goes_on(server)


# ---- deadlines and quotas

@test
def a_handshake_has_a_deadline(t):
    server = t.fresh_server({"tls": SITE, "timeouts": {"handshake": "300 ms"}})
    mark = server.mark()
    silent, slow = Client(server.tls_address), Client(server.tls_address)
    t.later(silent.close)
    t.later(slow.close)
    began = time.monotonic()
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    for byte in hello * 3:
        try:
            slow.send(bytes([byte]), 0.02)
        except OSError:
            break
    slow.read_all()
    silent.read_all()
    t.within(began, 2, "the time until it ended", least=0.2)
    line = server.next_line(mark)
    t.reason(line, "tls-handshake-timeout")
    t.equal((line.setting, line["limit"]), ("timeouts.handshake", 300), "setting and limit in the log")
    t.equal(len([l for l in server.lines_since(mark)]), 1, "lines: whoever said nothing gets none")


@test
def half_a_handshake_costs_nothing_afterwards(t):
    server = t.fresh_server({"tls": SITE})
    for size in (0, 1, 5, 100, 300):
        raw = socket.create_connection(server.tls_address, timeout=5)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            context().wrap_bio(incoming, outgoing, server_hostname="site.example").do_handshake()
        except ssl.SSLWantReadError:
            pass
        raw.sendall(outgoing.read()[:size])
        raw.close()
    client = t.tls_client(server)
    t.equal(client.get("/").status, 200, "status")
    client.close()
    t.eventually(lambda: server.leftovers() is None, server.leftovers)


@test
def handshakes_have_a_rate_for_each_client(t):
    server = t.fresh_server({"tls": SITE, "quotas": {"handshakes": "2/min"}})
    mark = server.mark()
    outcomes = []
    for _ in range(6):
        try:
            client = TlsClient(server.tls_address)
            t.later(client.close)
            outcomes.append(client.get("/").status)
        except OSError:
            outcomes.append("closed")
    t.equal(outcomes, [200] * 4 + ["closed"] * 2, "twice as many at once, then none")
    t.reason(server.next_line(mark, lambda line: line.reason != "-"), "tls-handshake-rate")
    other = t.tls_client(server, source="127.0.0.77")
    t.equal(other.get("/").status, 200, "status for another client")
    t.equal(server.get("/").status, 200, "status without TLS")


# ---- reload

@test(seconds=20)
def a_reload_brings_new_certificates_and_cuts_nobody(t):
    server = t.fresh_server({"tls": SITE, "timeouts": {"drain": "3 s"}})
    server.origin.on("/late", lambda c, r: c.send(0.8, reply(b"late")))
    idle, busy = t.tls_client(server), t.tls_client(server)
    t.equal(idle.get("/").status, 200, "status before")
    busy.send(t.request("/late"))
    t.eventually(lambda: server.origin.requests_for("/late"), "the request is under way")
    server.write_policy({"tls": certificate("renewed")})
    t.equal(server.reload().status, 200, "status of the reload")
    t.equal(t.tls_client(server).peer_name(), "renewed.example", "new connections get the new certificate")
    response = busy.read_response()
    t.equal((response.status, response.body), (200, b"late"), "what was under way is answered")
    response = idle.get("/")
    t.equal((response.status, response.field("Connection")), (200, "close"), "an idle client is served once more")
    idle.read_all()
    t.equal(idle.ended, "eof", "and told the end in order")
    t.eventually(lambda: len(server.workers()) == 1, lambda: f"the old one ends: {server.processes()}", 8)


@test(seconds=20)
def idle_connections_do_not_outlive_the_drain(t):
    server = t.fresh_server({"tls": SITE, "timeouts": {"drain": "1 s"}})
    idle = t.tls_client(server)
    t.equal(idle.get("/").status, 200, "status before")
    t.equal(server.reload().status, 200, "status of the reload")
    idle.read_all(4)
    t.equal(idle.ended, "eof", "the end is told in order")
    t.check("are cut" not in server.errors(), f"no complaint about idle ones: {server.errors()}")


@test
def a_bad_certificate_changes_nothing(t):
    server = t.fresh_server({"tls": SITE})
    server.write_policy({"tls": {"certificate": path("site.pem"), "key": path("stranger.key")}})
    answer = server.reload()
    t.equal(answer.status, 409, "status of the reload")
    t.check(b"stranger.key is not the key of" in answer.body, f"the answer: {answer.body}")
    t.equal(t.tls_client(server).peer_name(), "site.example", "the certificate")


# ---- keys

@test
def keys_are_in_no_process_that_does_not_serve_them_and_in_no_log(t):
    if os.geteuid() != 0:
        t.skip("only root may read other processes' memory")
    if is_sanitized():
        t.skip("a sanitized process has more memory than can be searched")
    server = t.fresh_server({"tls": SITE})
    t.equal(t.tls_client(server).get("/").status, 200, "status")
    said = subprocess.run(["openssl", "pkey", "-in", path("site.key"), "-text", "-noout"], capture_output=True,
                          text=True, check=True).stdout
    private = bytes.fromhex("".join(said.split("priv:")[1].split("pub:")[0].replace(":", "").split()))[-32:]
    needles = {private, private[::-1], text("site.key").split("\n")[1].encode()}

    def has_key(pid):
        """In any memory that it may write to."""
        with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps:
            ranges = [line.split()[0].split("-") for line in maps if line.split()[1].startswith("rw")]
        with open(f"/proc/{pid}/mem", "rb") as memory:
            for start, end in ranges:
                try:
                    memory.seek(int(start, 16))
                    content = memory.read(int(end, 16) - int(start, 16))
                except OSError:  # a device's
                    continue
                if any(needle in content for needle in needles):
                    return True
        return False
    roles = {p["role"]: p["pid"] for p in server.processes()}
    t.check(has_key(roles["worker"]), "the search finds a key where there is one")
    for role, pid in roles.items():
        if role not in ("worker", "generation"):
            t.check(not has_key(pid), f"the {role} has no key")
    t.check(not has_key(server.process.pid), "the master has no key")
    for file in (server.errors_file, server.access_log, server.events_log):
        if file.exists():
            t.check(not any(needle in file.read_bytes() for needle in needles), f"{file} has no key")


@test
def processes_with_keys_leave_no_core_file(t):
    for sandbox in ("best-effort", "off"):
        server = t.fresh_server({"tls": SITE, "process": {"sandbox": sandbox}})
        for process in server.processes():
            if process["role"] not in ("worker", "generation"):
                continue
            limits = open(f"/proc/{process['pid']}/limits", encoding="ascii").read()
            core = [line.split()[4:6] for line in limits.split("\n") if line.startswith("Max core file")]
            if not is_sanitized():
                t.equal(core, [["0", "0"]], f"core limit of the {process['role']}, sandbox {sandbox}")


# ---- peers

@test
def curl_is_served(t):
    if not shutil.which("curl"):
        t.skip("curl is not installed")
    server = tls_server(t)
    address, port = server.tls_address
    done = subprocess.run(["curl", "-sS", "--cacert", path("ca.pem"), "--resolve", f"site.example:{port}:{address}",
                           "-w", "%{http_code} %{ssl_verify_result}\\n", "-o", "/dev/null",
                           f"https://site.example:{port}/a", "-o", "/dev/null", f"https://site.example:{port}/b"],
                          capture_output=True, text=True, timeout=8, check=False)
    t.equal((done.stdout, done.stderr), ("200 0\n200 0\n", ""), "what curl says")


@test
def explain_knows_https(t):
    server = tls_server(t)
    answer = server.command("explain", "-c", str(server.file), "https://site.example/a?b")
    t.equal(answer.returncode, 0, f"exit status\n{answer.stdout}{answer.stderr}")
    t.check("GET /a?b HTTP/1.1" in answer.stdout and "verdict    allow" in answer.stdout, answer.stdout)


