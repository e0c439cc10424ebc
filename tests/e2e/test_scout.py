"""The scout before origins that are what origins are, and worse."""

import gzip
import subprocess
import time

from harness import test
from harness.guarded import QUICK, in_state, known, learned, obeyed, page, process, serve, site, start
from harness.server import die_with_parent, free_port, is_sanitized
from harness.webhook import Receiver

MIB = 1 << 20
BROTLI = "/usr/lib/nginx/modules/ngx_http_brotli_filter_module.so"
NGINX = """load_module {brotli}; daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/nginx.err;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5; include /etc/nginx/mime.types; gzip on; gzip_min_length 1;
gzip_types *; gzip_proxied any; brotli on; brotli_min_length 1; brotli_types *; server {{ listen 127.0.0.1:{port}; root {root}; }} }}
"""


def nginx(t, root):
    folder, port = t.directory(), free_port("127.0.0.1")
    folder.chmod(0o755)
    (folder / "nginx.conf").write_text(NGINX.format(dir=folder, root=root, port=port, brotli=BROTLI))
    peer = subprocess.Popen(["nginx", "-e", str(folder / "nginx.err"), "-c", str(folder / "nginx.conf")],
                            preexec_fn=die_with_parent)
    t.later(lambda: (peer.kill(), peer.wait()))
    return f"http://127.0.0.1:{port}"


def plain(response):
    coding = response.field("Content-Encoding")
    if coding == "br":
        return subprocess.run(["brotli", "-dc"], input=response.body, stdout=subprocess.PIPE, check=True).stdout
    return gzip.decompress(response.body) if coding == "gzip" else response.body


def folder_of(t, files):
    root = t.directory()
    root.chmod(0o755)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@test(heavy=True, seconds=40)
def nginx_with_gzip_and_brotli_is_learned_and_judged_in_every_coding(t):
    files = {"index.html": "<title>Shop</title><link rel=stylesheet href=/s.css><a href='/a%20b.html'>a</a>" * 50,
             "s.css": "body { background: url(/img/bg.svg) }" * 50, "img/bg.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
             "a b.html": "<p>a page with a space</p>" * 100, "robots.txt": "Sitemap: http://site.example/map.xml\n",
             "map.xml": "<urlset><url><loc>http://site.example/mapped.html</loc></url></urlset>",
             "mapped.html": "<p>mapped</p>"}
    root = folder_of(t, files)
    server = t.fresh_server({"site": {"guard": {"mode": "enforce", "rate": "100/s", "sample_interval": "100 ms",
                                                "settle": "0 s", "probe_interval": "1 h"}}}, origins=[nginx(t, root)])
    learned(t, server, 5, 20)
    for coding in ("gzip", "br", "identity"):
        for path, name in (("/", "index.html"), ("/a%20b.html", "a b.html"), ("/s.css", "s.css")):
            response = server.get(path, fields=[("Accept-Encoding", coding)])
            t.equal((response.status, plain(response).decode()), (200, files[name]), f"{path} as {coding}")
            t.equal(response.field("Content-Encoding") or "identity", coding, f"coding of {path}")
            t.check(response.field("Age") is None, f"{path} as {coding} comes from the origin")
    (root / "index.html").write_text("<title>Hacked</title>" * 200)
    for coding in ("gzip", "br", "identity"):
        response = server.get("/", fields=[("Accept-Encoding", coding)])
        t.equal(plain(response).decode(), files["index.html"], f"what a visitor gets, as {coding}")


def drip(connection, request):
    connection.read_body(request)
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n",
                    *[part for _ in range(600) for part in (b"x", 0.05)])
    return False


def endless_head(connection, request):
    connection.read_body(request)
    connection.send(b"HTTP/1.1 200 OK\r\n")
    while connection.send(b"X-More: " + b"y" * 1000 + b"\r\n"):
        pass
    return False


def endless_body(connection, request):
    connection.read_body(request)
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    while connection.send(b"<p>more" * 10000):
        pass
    return False


def stall(connection, request):
    connection.read_body(request)
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 10\r\n\r\n12345", 60.0)
    return False


def ends(*parts):
    def script(connection, request):
        connection.read_body(request)
        connection.send(*parts)
        return False
    return script


def coded(body, coding):
    return page(body, Content_Encoding=coding)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
HOSTILE = {
    "/stall": stall, "/drip": drip, "/head": endless_head, "/body": endless_body,
    "/short": ends(HEAD + b"Content-Length: 100\r\n\r\nshort"),
    "/two-lengths": ends(HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    "/chunk": ends(HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx"),
    "/cut-chunks": ends(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    "/folded": ends(HEAD + b"X: a\r\n b\r\nContent-Length: 1\r\n\r\nx"),
    "/no-head": ends(b"<html>what is a head?"), "/nothing": ends(b""), "/interim": ends(b"HTTP/1.1 100 \r\n\r\n" * 5000),
    "/bomb": coded(gzip.compress(bytes(100 * MIB)), "gzip"),
    "/bomb-in-bomb": coded(gzip.compress(gzip.compress(bytes(100 * MIB))), "gzip, gzip"),
    "/no-gzip": coded("this is no gzip", "gzip"), "/cut-gzip": coded(gzip.compress(b"x" * 1000)[:-9], "gzip"),
    "/two-gzips": coded(gzip.compress(b"one") + gzip.compress(b"two"), "gzip"),
    "/unknown": coded("x", "rot13"), "/many": coded("x", "gzip, gzip, gzip, gzip"),
    "/loop": page("", status="302 Found", Location="/loop"), "/loop2": page("", status="302 Found", Location="/loop"),
    "/long-field": page("x", Link="<" + "a" * 5000 + ">"),
    "/links": "".join(f'<a href="/n{n}">' for n in range(10000)),
    "/tags": "<a href='" * 200000, "/doctype": page('<!DOCTYPE x [<!ENTITY a "b">]><urlset><url><loc>&a;</loc></url></urlset>', "text/xml"),
}


@test(seconds=90)
def hostile_pages_cost_themselves_only(t):
    origin = t.origin()
    home = "".join(f'<a href="{path}">' for path in HOSTILE) + '<a href="/good.html"><img src="/good.png">'
    pages = HOSTILE | {"/": home, "/good.html": "<p>good</p>", "/good.png": page(b"\x89PNG" + bytes(99), "image/png")}
    server = start(t, pages, {"max_pages": 300, "probe_interval": "1 h"}, origins=[origin])
    scout = process(server, "scout")["pid"]
    t.eventually(lambda: all(origin.requests_for(path) for path in HOSTILE), "all of them are asked for", 40)
    for path in ("/", "/good.html", "/good.png"):
        known(t, server, path, 30)
    for path, text in (("/good.html", b"<p>good</p>"), ("/", home.encode())):
        response = server.get(path)
        t.equal((response.status, response.body), (200, text), path)
    serve(origin, pages | {"/good.html": "<title>Hacked</title>"})
    t.equal(server.get("/good.html").body, b"<p>good</p>", "the guard goes on")
    t.equal(process(server, "scout")["pid"], scout, "the scout is the same")
    for role in ("keeper", "scout", "lifeboat"):
        t.equal(process(server, role).get("restarts", 0), 0, f"restarts of the {role}")
    memory = {role: server.memory(process(server, role)["pid"]) // MIB for role in ("scout", "keeper")}
    t.note(f"MiB after that: {memory}")
    if not is_sanitized(): # what sanitizers keep of freed memory is no measure
        t.check(all(used < 160 for used in memory.values()), f"MiB: {memory}")


@test(heavy=True, seconds=90)
def five_hundred_pages_are_learned_within_their_memory(t):
    count = 500
    body = "<p>some text that pages have</p>" * 600
    pages = {f"/{n}.html": f"<title>{n}</title>{body}" for n in range(count - 1)}
    pages["/"] = "".join(f'<a href="/{n}.html">{n}</a>' for n in range(count - 1))
    server = start(t, pages, {"rate": "500/s", "samples": 2, "probe_interval": "1 h"})
    most, began = 0, time.monotonic()

    def all_known():
        nonlocal most
        most = max(most, sum(server.memory(process(server, role)["pid"]) for role in ("scout", "keeper", "lifeboat")))
        return site(server).get("exact") == count
    t.eventually(all_known, lambda: f"all are known: {site(server)}", 60, 0.2)
    t.note(f"{time.monotonic() - began:.1f} s, {most / MIB:.0f} MiB of scout, keeper and lifeboat")
    t.check(most < 100 * MIB, f"{most / MIB:.0f} MiB")


@test(seconds=30)
def absolute_links_to_any_name_of_the_site_are_followed(t):
    pages = {"/": '<a href="https://www.site.example/a.html">a</a><a href="//other.example/b.html">b</a>'
                  '<script src="http://site.example/c.js"></script>',
             "/a.html": "a", "/b.html": "b", "/c.js": page("c()", "text/javascript")}
    origin = t.origin()
    serve(origin, pages)
    server = start(t, pages, origins=[origin])
    server.write_policy({"site": {"hosts": ["site.example", "*.site.example"]}})
    server.reload()
    learned(t, server, 3)
    t.equal(origin.requests_for("/b.html"), [], "what is another's")


@test(seconds=40)
def what_a_reload_lets_known_pages_and_sitemaps_lead_to_is_learned(t):
    pages = {"/": '<a href="https://www.site.example/a.html">a</a>', "/a.html": "a", "/seed.html": "seed",
             "/mapped.html": "mapped", "/robots.txt": page("Sitemap: http://site.example/map.xml", "text/plain"),
             "/map.xml": page("<urlset><url><loc>https://www.site.example/mapped.html</loc></url></urlset>", "text/xml")}
    origin = t.origin()
    serve(origin, pages)
    server = start(t, pages, origins=[origin])
    learned(t, server, 1)
    t.eventually(lambda: len(origin.requests_for("/")) > 6, "it is looked at as a known page")
    t.equal(origin.requests_for("/a.html") + origin.requests_for("/mapped.html"), [], "what is another's so far")
    server.write_policy({"site": {"hosts": ["site.example", "*.site.example"],
                                  "guard": QUICK | {"seeds": ["/", "/seed.html"]}}})
    server.reload()
    for path in ("/a.html", "/mapped.html", "/seed.html"):
        known(t, server, path)
    learned(t, server, 4)


@test(seconds=30)
def a_page_that_changes_between_probe_and_visitor_is_held(t):
    """The scout gets the good page for ever; visitors would get another."""
    good, bad = "<title>Good</title>", "<title>Hacked</title>"

    def cloaked(connection, request):
        connection.read_body(request)
        agent = request.field("User-Agent") or b""
        agent = agent.decode() if isinstance(agent, bytes) else agent
        connection.send(page(good if "scout" in agent else bad))
    receiver = Receiver(t)
    server = start(t, {"/": good}, {"probe_interval": "1 h"})
    server.write_policy({"alerts": {"webhook": f"http://127.0.0.1:{receiver.port}/"}})
    server.reload()
    learned(t, server, 1)
    server.origin.on("/", cloaked)
    began = time.time()
    for _ in range(50):
        t.equal(server.get("/").body.decode(), good, "what a visitor gets")
    t.eventually(lambda: [a for a in receiver.alerts() if a["kind"] == "held"], "an alert", 5)
    at, alert = next((post[0], a) for post, a in zip(receiver.posts, receiver.alerts()) if a["kind"] == "held")
    t.check(at - began < t.pace(), f"told after {at - began:.2f} s")
    t.equal((alert["site"], alert["url"], alert["reason"]), ("site", "/", "guard-changed"), "alert")
    time.sleep(0.5)
    t.equal(len([a for a in receiver.alerts() if a["kind"] == "held"]), 1, "one alert, however many visitors")


@test(seconds=30)
def sealing_and_recovery_are_told(t):
    receiver = Receiver(t)
    server = start(t, {"/": "<title>Good</title>"})
    server.write_policy({"alerts": {"webhook": f"http://127.0.0.1:{receiver.port}/"}})
    server.reload()
    learned(t, server, 1)
    obeyed(t, server, "seal")
    t.eventually(lambda: "sealed" in [a["kind"] for a in receiver.alerts()], "an alert", 5)
    alert = next(a for a in receiver.alerts() if a["kind"] == "sealed")
    t.equal(alert["site"], "site", "site")
    obeyed(t, server, "release")
    t.eventually(lambda: "recovered" in [a["kind"] for a in receiver.alerts()], lambda: f"an alert: {receiver.alerts()}", 10)
