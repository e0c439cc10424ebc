"""Client certificates; redirects to https; HSTS."""

import hashlib
import socket
import ssl

from harness import Client, reply, test
from harness.tls import TlsClient, certificate, context, path, refused, server_context

SITE = certificate("site", certificates=[certificate("other"), certificate("wild")])
CA = path("clients-ca.pem")
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
FIELDS = ("X-Client-Cert-Verify", "X-Client-Cert-Subject", "X-Client-Cert-Issuer", "X-Client-Cert-Fingerprint",
          "X-Client-Cert-Serial")


def said(request):
    return {name: request.field(name) for name in FIELDS if request.field(name) is not None}


def fingerprint(name):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(open(path(name), encoding="ascii").read())).hexdigest()


def demanding(t, demand, **more):
    return t.server({"tls": {**SITE, "client_certificate": demand, "client_ca": CA}, **more})


# ---- certificates

@test(each=VERSIONS)
def a_client_with_a_certificate_is_told_to_the_origin(t, version):
    server = demanding(t, "required")
    client = t.tls_client(server, using=context(version=version, client="client"))
    t.equal(client.get("/who").status, 200, "status")
    fields = said(server.origin.requests_for("/who")[-1])
    t.equal((fields["X-Client-Cert-Verify"], fields["X-Client-Cert-Fingerprint"]),
            ("success", fingerprint("client.pem")), "verification and fingerprint")
    subject = fields["X-Client-Cert-Subject"]
    t.check(subject.startswith("CN=Alice\\, ") and all(" " <= c <= "~" for c in subject), f"subject: {subject!r}")
    t.equal(fields["X-Client-Cert-Issuer"], "CN=clients-ca,O=sallyport tests", "issuer")
    resumed = t.tls_client(server, using=client.socket.context, session=client.session)
    t.check(resumed.resumed, "resumed")
    t.equal(resumed.get("/who").status, 200, "status of a resumed session")
    t.equal(said(server.origin.requests_for("/who")[-1]), fields, "fields of a resumed session")


@test(each=VERSIONS)
def a_client_without_a_certificate_is_refused_where_one_is_required(t, version):
    server = demanding(t, "required")
    for client in (None, "stranger-client", "client-expired"):
        mark = server.mark()
        seen = server.origin.received
        alert = refused(lambda client=client: TlsClient(server.tls_address,
                                                        using=context(version=version, client=client)))
        t.check("ALERT" in alert, f"the alert for {client}: {alert}")
        line = server.next_line(mark)
        t.reason(line, "tls-client-certificate")
        t.check(line.evidence, "the log says why")
        t.equal(server.origin.received, seen, "bytes the origin received")
    t.equal(t.tls_client(server, using=context(client="client")).get("/").status, 200, "status with the right one")


@test
def an_optional_certificate_may_be_missing_but_not_wrong(t):
    server = demanding(t, "optional")
    t.equal(t.tls_client(server).get("/none").status, 200, "status without")
    t.equal(said(server.origin.requests_for("/none")[-1]), {"X-Client-Cert-Verify": "none"}, "fields without")
    t.equal(t.tls_client(server, using=context(client="client")).get("/with").status, 200, "status with")
    t.equal(said(server.origin.requests_for("/with")[-1])["X-Client-Cert-Verify"], "success", "fields with")
    mark = server.mark()
    refused(lambda: TlsClient(server.tls_address, using=context(client="stranger-client")))
    t.reason(server.next_line(mark), "tls-client-certificate")


FORGED = [("X-Client-Cert-Verify", "success"), ("X-Client-Cert-Subject", "CN=root"), ("X-Client-Cert", "MII"),
          ("x-client-cert-Anything", "1")]


@test
def nobody_can_claim_a_certificate(t):
    server = demanding(t, "optional")
    t.tls_client(server).get("/forged", fields=FORGED)
    request = server.origin.requests_for("/forged")[-1]
    t.equal(said(request), {"X-Client-Cert-Verify": "none"}, "fields over TLS")
    t.check(b"root" not in request.head and b"nything" not in request.head, f"nothing of it: {request.head}")
    t.client(server).get("/forged", fields=FORGED)
    t.equal(said(server.origin.requests_for("/forged")[-1]), {}, "fields over a plain connection")
    off = t.server({"tls": SITE})
    t.tls_client(off).get("/forged", fields=FORGED)
    t.equal(said(off.origin.requests_for("/forged")[-1]), {}, "fields where nothing is asked")


def two_sites(t, **site):
    """other.example demands a certificate; site.example says what `site` has."""
    origin = t.origin()
    server = t.fresh_server({"tls": {**SITE}, **({"site": {"tls": site}} if site else {})}, origins=[origin])
    server.write_policy({"sites": [*server.settings["sites"], {
        "name": "other", "hosts": ["other.example"], "origins": [origin.url],
        "tls": {"client_certificate": "required", "client_ca": CA}}]})
    t.equal(server.reload().status, 200, "status of the reload")
    return server


def unnamed(**options):
    made = context(**options)
    made.check_hostname = False
    return made


@test
def a_site_may_demand_what_its_neighbours_do_not(t):
    server = two_sites(t)
    t.equal(t.tls_client(server).get("/").status, 200, "status of the neighbour without a certificate")
    client = t.tls_client(server, name="other.example", using=context(client="client"))
    t.equal(client.get("/", host="other.example").status, 200, "status with a certificate")
    mark = server.mark()
    refused(lambda: TlsClient(server.tls_address, name="other.example"))
    t.reason(server.next_line(mark), "tls-client-certificate")


@test
def another_sites_connection_is_no_way_round_a_demand(t):
    server = two_sites(t)
    cases = {"by a neighbour's name": dict(name="site.example"), "by no name": dict(name=None),
             "with a certificate that nobody asked for": dict(name="site.example", using=unnamed(client="client"))}
    for what, options in cases.items():
        mark = server.mark()
        options.setdefault("using", unnamed())
        client = t.tls_client(server, **options)
        response = client.get("/secret", host="other.example")
        t.equal((response.status, response.field("Connection")), (421, "close"), f"status {what}")
        t.reason(server.next_line(mark), "tls-misdirected")
    mark = server.mark()
    t.equal(t.client(server).get("/secret", host="other.example").status, 421, "status without TLS")
    t.reason(server.next_line(mark), "tls-misdirected")
    client = t.tls_client(server, name="other.example", using=context(client="client"))
    t.equal(client.get("/", host="site.example").status, 421, "status of the other way round")
    t.equal(server.origin.requests_for("/secret"), [], "requests the origin got")


@test
def a_session_without_a_certificate_is_none_with_one(t):
    server = two_sites(t)
    using = unnamed(version=ssl.TLSVersion.TLSv1_3)
    client = t.tls_client(server, name="site.example", using=using)
    t.equal(client.get("/").status, 200, "status")
    mark = server.mark()
    refused(lambda: TlsClient(server.tls_address, name="other.example", using=using, session=client.session))
    t.reason(server.next_line(mark), "tls-client-certificate")


# ---- redirects and HSTS

@test
def plain_requests_are_sent_to_https(t):
    server = t.server({"tls": SITE, "site": {"tls": {"redirect": True}}})
    client = t.client(server)
    mark = server.mark()
    response = client.get("/a/b?c=d&e=%20", host="site.example:8080")
    t.equal((response.status, response.field("Location")), (301, "https://site.example/a/b?c=d&e=%20"), "GET")
    line = server.next_line(mark)
    t.reason(line, "https-redirect")
    response = client.get("/form", method="POST")
    t.equal((response.status, response.field("Location")), (308, "https://site.example/form"), "POST")
    response = client.get("/%7euser/./x", method="HEAD")
    t.equal((response.status, response.field("Location")), (301, "https://site.example/~user/x"), "HEAD")
    t.equal(server.origin.received, 0, "bytes the origin received")
    t.equal(t.tls_client(server).get("/a").status, 200, "status over TLS")


@test
def what_the_shield_refuses_is_not_redirected(t):
    server = t.server({"tls": SITE, "site": {"tls": {"redirect": True}}})
    t.equal(t.client(server).get("/%2e%2e/%2e%2e/etc/passwd").status, 400, "status")


@test
def a_listener_may_redirect_everybody_also_after_a_reload(t):
    server = t.fresh_server({"tls": SITE})
    client = t.client(server)
    t.equal(client.get("/").status, 200, "status before")
    listen = [{**server.settings["listen"][0], "redirect_https": True}, *server.settings["listen"][1:]]
    server.write_policy({"listen": listen, "site": {"tls": {"port": server.tls_address[1]}}})
    t.equal(server.reload().status, 200, "status of the reload")
    response = client.get("/x")
    t.equal((response.status, response.field("Location")),
            (301, f"https://site.example:{server.tls_address[1]}/x"), "a connection that was handed over")
    t.equal(t.client(server).get("/x").status, 301, "a new connection")


@test
def a_trusted_proxy_says_what_its_visitor_came_by(t):
    server = t.server({"site": {"tls": {"redirect": True, "hsts": "1 h"}}, "trusted_proxies": ["127.0.0.0/8"]})
    response = t.client(server).get("/", fields=[("X-Forwarded-Proto", "https")])
    t.equal((response.status, response.field("Strict-Transport-Security")), (200, "max-age=3600"), "by https")
    t.equal(t.client(server).get("/", fields=[("X-Forwarded-Proto", "http")]).status, 301, "by http")
    distrusting = t.server({"site": {"tls": {"redirect": True}}})
    t.equal(t.client(distrusting).get("/", fields=[("X-Forwarded-Proto", "https")]).status, 301, "by nobody's word")


@test
def hsts_is_said_over_tls_only_and_never_twice(t):
    server = t.server({"tls": SITE, "site": {"tls": {"hsts": "365 d", "hsts_subdomains": True}}})
    wanted = "max-age=31536000; includeSubDomains"
    t.equal(t.tls_client(server).get("/").field("Strict-Transport-Security"), wanted, "over TLS")
    t.equal(t.client(server).get("/").field("Strict-Transport-Security"), None, "over a plain connection")
    t.equal(t.tls_client(server).get("/x%00").field("Strict-Transport-Security"), wanted, "with a refusal")
    server.origin.on("/own", b"HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\nContent-Length: 0\r\n\r\n")
    t.equal(t.tls_client(server).get("/own").field("Strict-Transport-Security"), "max-age=1", "the origin's own")


@test
def an_asterisk_and_a_missing_host_are_not_redirected(t):
    server = t.server({"default_site": "site", "site": {"tls": {"redirect": True}}})
    client = Client(server.address)
    t.later(client.close)
    t.equal(client.get("*", method="OPTIONS").status, 200, "status of OPTIONS *")
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    t.equal(client.read_response().status, 200, "status without a host")


# ---- with balancers and challenges

@test
def a_proxy_header_comes_before_the_handshake(t):
    """Its address is the client's for all that follows; bytes behind it are the handshake's."""
    server = t.fresh_server({"tls": SITE, "quotas": {"handshakes": "1/min"}})
    plain, secure = server.settings["listen"]
    server.write_policy({"listen": [plain, {**secure, "proxy_protocol": ["127.0.0.0/8"]}]})
    t.equal(server.reload().status, 200, "status of the reload")

    def through(source):
        mark = server.mark()
        raw = socket.create_connection(server.tls_address, timeout=5)
        t.later(raw.close)
        raw.sendall(f"PROXY TCP4 {source} 192.0.2.1 4711 443\r\n".encode())
        client = context().wrap_socket(raw, server_hostname="site.example")
        client.sendall(t.request("/"))
        t.check(client.recv(65536).startswith(b"HTTP/1.1 200 "), "the answer")
        return server.next_line(mark)
    for source in ("198.51.100.1", "198.51.100.2"):
        line = through(source)
        t.equal((line["client"], line["tls"]), (source, "1.3"), "client and version in the log")
    t.equal(server.origin.requests[-1].field("X-Forwarded-For"), "198.51.100.2", "X-Forwarded-For")
    through("198.51.100.1")
    mark = server.mark()
    try:
        through("198.51.100.1")
        t.fail("a third handshake of the same client went through")
    except OSError:
        pass
    t.reason(server.next_line(mark), "tls-handshake-rate")
    mark = server.mark()
    refused(lambda: TlsClient(server.tls_address))
    t.reason(server.next_line(mark), "proxy-missing")


@test
def an_origin_is_introduced_before_its_handshake(t):
    seen = []

    def serve(connection):
        header = b""
        while not header.endswith(b"\r\n"):
            header += connection.socket.recv(1)
        seen.append(header)
        connection.socket = server_context().wrap_socket(connection.socket, server_side=True)
        connection.read_head()
        connection.send(reply(b"introduced"))
    origin = t.origin(serve=serve)
    server = t.fresh_server({"site": {"origin_tls": {"ca": path("ca.pem")}, "send_proxy": "v1"}},
                            origins=[f"https://127.0.0.1:{origin.port}"])
    response = server.get("/")
    t.equal((response.status, response.body), (200, b"introduced"), "the answer")
    t.check(seen[0].startswith(b"PROXY TCP4 "), f"the header: {seen}")


@test
def a_challenge_is_answered_and_not_redirected(t):
    root = t.directory()
    (root / ".well-known/acme-challenge").mkdir(parents=True)
    (root / ".well-known/acme-challenge/token").write_text("token.key")
    for folder in (root, root / ".well-known", root / ".well-known/acme-challenge"):
        folder.chmod(0o755)
    server = t.fresh_server({"tls": SITE, "acme_webroot": str(root), "site": {"tls": {"redirect": True}}})
    response = server.get("/.well-known/acme-challenge/token")
    t.equal((response.status, response.body), (200, b"token.key"), "the challenge")
    t.equal(server.get("/else").status, 301, "status of everything else")
