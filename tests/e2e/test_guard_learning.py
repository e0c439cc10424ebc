"""What the guard learns, when it counts, and what an operator decides: the real processes before scripted
origins."""

import json
import os
import pathlib
import signal
import subprocess
import time

from harness import Client, test
from harness.guarded import (QUICK, in_state, known, learned, obeyed, order, page, process, serve, site, start)
from harness.origin import reply
from harness.server import is_sanitized, own_address
from harness.tls import certificate, path as tls_path, server_context

HOME = '<html><title>Home</title><a href="/about.html">About</a> <img src="/logo.png"></html>'
PAGES = {"/": HOME, "/about.html": "<html><title>About</title>We sell things.</html>",
         "/logo.png": page(b"\x89PNG" + bytes(300), "image/png")}
BAD = "<html><title>Hacked by somebody</title></html>"


def body(server, target="/", **options):
    response = server.get(target, **options)
    return response.status, response.body.decode(errors="replace")


def is_copy(response):
    return response.field("Age") is not None


def held(t, server, count=1, seconds=10.0):
    t.eventually(lambda: site(server).get("held") == count,
                 lambda: f"{count} are held: {site(server)}\n{server.errors()[-2000:]}", seconds, 0.05)


# ---- enrolment

@test
def a_site_is_enrolled_from_seeds_sitemaps_and_links(t):
    sitemap = ('<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
               "<url><loc>http://site.example/mapped.html</loc></url></urlset>")
    origin = t.origin()
    pages = PAGES | {"/robots.txt": page("User-agent: *\nSitemap: http://site.example/map.xml\n", "text/plain"),
                     "/map.xml": page(sitemap, "application/xml"), "/mapped.html": "<p>mapped</p>",
                     "/seed.html": '<a href="/deep1">1</a>', "/deep1": '<a href="/deep2">2</a>',
                     "/deep2": '<a href="/deep3">3</a>', "/deep3": "too deep"}
    server = start(t, pages, {"seeds": ["/", "/seed.html"], "depth": 2}, origins=[origin])
    learned(t, server, 7)
    in_state(t, server, "guarded")
    fetched = {request.target for request in origin.requests}
    t.check("/mapped.html" in fetched and "/deep2" in fetched, f"what was fetched: {fetched}")
    t.check("/deep3" not in fetched, "nothing deeper than guard.depth is fetched")


@test
def the_scout_is_a_stranger(t):
    origin = t.origin()
    server = start(t, PAGES, origins=[origin])
    origin.on("/", page(HOME, Set_Cookie="session=1; Path=/"))
    learned(t, server)
    for request in origin.requests:
        t.equal(request.field("Host"), "site.example", "Host")
        for name in ("Cookie", "Authorization", "Range", "If-None-Match", "If-Modified-Since"):
            t.equal(request.all(name), [], f"{name} of {request.target}")


@test
def the_rate_is_kept(t):
    origin = t.origin()
    links = "".join(f'<a href="/{n}">{n}</a>' for n in range(100))
    start(t, {"/": links} | {f"/{n}": str(n) for n in range(100)}, {"rate": "20/s"}, origins=[origin])
    begin = time.monotonic()
    t.eventually(lambda: len(origin.requests) >= 20, "fetches", 10.0)
    time.sleep(1.0)
    spent = time.monotonic() - begin
    t.check(len(origin.requests) <= spent * 20 + 8, f"{len(origin.requests)} fetches in {spent:.1f} s")


@test
def excluded_paths_are_not_fetched(t):
    origin = t.origin()
    server = start(t, PAGES | {"/": HOME + '<a href="/private/x">x</a>', "/private/x": "x"},
                   {"exclude": ["/private"]}, origins=[origin])
    learned(t, server, 3)
    t.equal(origin.requests_for("/private/x"), [], "fetches of what is excluded")


@test
def what_visitors_ask_for_is_learned_too(t):
    server = start(t, PAGES | {"/hidden.html": "no link leads here"})
    learned(t, server, 3)
    t.equal(body(server, "/hidden.html")[0], 200, "status")
    learned(t, server, 4)


@test(seconds=40.0)
def what_is_no_page_by_its_size_is_left_alone(t):
    """A download that is larger than any page, and a stream that is cut before it ends."""
    sent = []

    def huge(connection, request):
        sent.append("head")
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 500000000\r\n\r\n", 0.5)
        while connection.send(bytes(1 << 20)) and sent.count("MiB") < 100:
            sent.append("MiB")
        return False

    def endless(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                        b"3\r\n: \n\r\n")
        return False
    links = "<a href=/huge.mp4>1</a><a href=/events>2</a>"
    server = start(t, {"/": links, "/huge.mp4": huge, "/events": endless})
    learned(t, server, 1, 30.0)
    t.eventually(lambda: site(server)["pages"] == 1, "what is no page takes no room", 20.0, 0.2)
    t.equal(sent.count("head"), 1, "looks at the download")
    t.check(sent.count("MiB") < 10, f"{sent.count('MiB')} MiB were fetched")
    t.check(len(server.origin.requests_for("/events")) <= 4, "looks at the stream")


@test
def what_visitors_make_up_crowds_nothing_out(t):
    """A site that answers whatever is asked for, and leads on from there."""
    server = start(t, {"/": "<a href=/real>1</a>", "/real": "real"}, {"max_pages": 20})
    learned(t, server, 2)
    server.origin.on("*", page("<a href=sub/deeper>more</a>"))
    client = server.client()
    for number in range(40):
        t.equal(client.get(f"/made-up/{number}/").status, 200, "status")
    client.close()
    t.eventually(lambda: site(server)["pages"] >= 10, "some are learned", 10.0, 0.1)
    fresh = {f"/fresh-{number}": f"fresh {number}" for number in range(5)}
    serve(server.origin, {"/": "".join(f"<a href={path}>x</a>" for path in fresh), **fresh})
    held(t, server)
    obeyed(t, server, "approve", "--url", "/")
    obeyed(t, server, "enrol")
    obeyed(t, server, "enrol", "--url", "/fresh-0")
    known(t, server, "/fresh-0")


@test
def a_page_that_is_not_there_takes_no_room(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    for n in range(20):
        server.get(f"/wp-admin/{n}.php")
    time.sleep(1.0)
    t.equal(site(server)["pages"], 3, "pages")


# ---- learning

@test
def html_has_to_settle_and_images_have_not(t):
    server = start(t, PAGES, {"settle": "1 h"})
    t.eventually(lambda: site(server).get("exact") == 1, "the image is known", 10.0, 0.05)
    t.equal(site(server)["learning"], 2, "HTML is still learned")
    obeyed(t, server, "approve", "--url", "/")
    t.equal(site(server)["exact"], 2, "what is known after the approval of one page")
    t.eventually(lambda: obeyed(t, server, "approve", "--all") and site(server)["exact"] == 3,
                 "all is known after its approval", 10.0, 0.1)


@test
def all_that_is_approved_was_looked_at_often_enough(t):
    """One look does not tell a page that is another each time."""
    server = start(t, PAGES, {"settle": "1 h", "sample_interval": "1 h"})
    t.eventually(lambda: site(server).get("enrolled"), "all was found")
    said = obeyed(t, server, "approve", "--all")
    t.check("0 pages were approved" in said and "3 were not the same in 3 samples yet" in said, f"it says so: {said}")
    t.equal(site(server)["exact"], 0, "what is known")


@test
def a_page_that_is_another_each_time_varies(t):
    count = iter(range(10 ** 6))

    def changing(connection, request):
        connection.send(page(f"<p>{next(count)}</p>"))
    server = start(t, PAGES | {"/about.html": changing})
    t.eventually(lambda: site(server).get("varying") == 1, lambda: f"it varies: {site(server)}", 10.0, 0.05)
    seen = site(server)["fetches"]
    t.eventually(lambda: site(server)["fetches"] > seen + 40, "it is learned anew in vain", 20.0, 0.1)
    t.equal(server.errors().count("/about.html varies"), 1, "how often that is said")
    first, second = body(server, "/about.html"), body(server, "/about.html")
    t.check(first[0] == second[0] == 200 and first != second, "it passes")


@test
def who_approves_a_page_that_has_become_another_each_time_is_told_what_helps(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    count = iter(range(10 ** 6))
    server.origin.on("/about.html", lambda connection, request: connection.send(page(f"<p>{next(count)}</p>")))
    t.eventually(lambda: "it is another at each look" in server.command("vault", "list", "--held", "-c",
                                                                       str(server.file)).stdout, "the reason", 20.0, 0.3)
    t.check("forget it" in obeyed(t, server, "approve", "--url", "/about.html"), "what helps")
    obeyed(t, server, "forget", "--url", "/about.html")
    t.check(not is_copy(server.get("/about.html")), "it passes")
    obeyed(t, server, "enrol", "--url", "/about.html")
    t.eventually(lambda: site(server).get("varying") == 1, lambda: f"it varies: {site(server)}", 10.0, 0.05)
    server.origin.on("/logo.png", page("", status="404 Not Found"))
    t.eventually(lambda: "forget it" in order(server, "approve", "--url", "/logo.png").stderr, "what helps with one that is gone",
                 10.0, 0.3)


@test
def two_forms_that_alternate_are_both_known(t):
    forms = [page("<p>A</p>"), page("<p>B</p>")]
    turn = iter(range(10 ** 6))

    def alternating(connection, request):
        connection.send(forms[next(turn) % 2])
    server = start(t, PAGES | {"/about.html": alternating})
    learned(t, server, 3)
    for _ in range(6):
        response = server.get("/about.html")
        t.check(response.status == 200 and not is_copy(response), "it passes unchanged")


@test
def with_confirm_nothing_counts_before_the_operator_says_so(t):
    server = start(t, PAGES, {"confirm": True})
    learned(t, server, 3)
    t.equal(site(server)["state"], "learning", "state")
    t.check(not site(server)["confirmed"], "it waits")
    serve(server.origin, PAGES | {"/": "<p>an edit</p>"})
    t.equal(body(server)[1], "<p>an edit</p>", "what a visitor gets meanwhile")
    serve(server.origin, PAGES)
    obeyed(t, server, "approve", "--all")
    in_state(t, server, "guarded")
    serve(server.origin, PAGES | {"/": "<p>an edit</p>"})
    t.equal(body(server)[1], HOME, "what a visitor gets from then on")


# ---- holds and decisions

@test
def an_edit_is_held_until_it_is_approved(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    serve(server.origin, PAGES | {"/about.html": "<html><title>About</title>We sell more.</html>"})
    client = server.client()  # a connection that is there already gets it as well
    t.later(client.close)
    t.equal(client.get("/").status, 200, "status")
    response = server.get("/about.html")
    t.check(is_copy(response) and b"sell things" in response.body, "the copy is served at once")
    held(t, server)
    t.equal(site(server)["state"], "guarded", "one page seals nothing")
    t.equal(body(server)[1], HOME, "other pages pass")
    obeyed(t, server, "approve", "--url", "/about.html")
    t.equal(client.get("/about.html").body, b"<html><title>About</title>We sell more.</html>",
            "the next request gets the edit")
    t.equal(site(server)["held"], 0, "held")


@test
def what_is_held_right_after_a_look_is_looked_at_soon(t):
    """A worker tells of a page that it holds once a minute; the next look of the keeper's own would be far away."""
    server = start(t, PAGES, {"probe_interval": "1 h"})
    learned(t, server, 3)
    serve(server.origin, PAGES | {"/about.html": "<p>an edit</p>"})
    t.check(is_copy(server.get("/about.html")), "it is held")
    t.eventually(lambda: order(server, "approve", "--url", "/about.html").returncode == 0, "it can be approved", 8.0, 3.0)
    t.equal(body(server, "/about.html")[1], "<p>an edit</p>", "what the next visitor gets")


@test(seconds=20.0)
def an_edit_that_is_taken_back_is_good_no_more(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    first, second = PAGES["/about.html"], "<p>a slip</p>"

    def approved(content):
        serve(server.origin, PAGES | {"/about.html": content})
        t.check(is_copy(server.get("/about.html")), f"{content} is held")
        time.sleep(1.1)  # times of looks are in seconds
        t.eventually(lambda: order(server, "approve", "--url", "/about.html").returncode == 0, "it is approved", 5.0, 0.1)
        t.equal(body(server, "/about.html")[1], content, "what is good")
        time.sleep(1.1)
    approved(second)
    approved(first)
    approved(second)


@test
def a_rejected_version_waits_for_nobody(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    serve(server.origin, PAGES | {"/about.html": "<p>no</p>"})
    held(t, server)
    t.eventually(lambda: order(server, "reject", "--url", "/about.html").returncode == 0, "it is rejected", 5.0, 0.1)
    for _ in range(5):
        t.check(b"sell things" in server.get("/about.html").body, "the copy")
        time.sleep(0.2)
    t.equal(site(server)["held"], 0, "held")


@test
def what_comes_back_by_itself_is_held_no_more(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    serve(server.origin, PAGES | {"/about.html": "<p>a slip</p>"})
    held(t, server)
    serve(server.origin, PAGES)
    held(t, server, 0)


@test
def a_version_is_gone_back_to_and_pinned(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    serve(server.origin, PAGES | {"/about.html": "<p>second</p>"})
    held(t, server)
    t.eventually(lambda: order(server, "approve", "--url", "/about.html").returncode == 0, "it is approved", 5.0, 0.1)
    before = time.time()
    time.sleep(1.1)
    obeyed(t, server, "rollback", "--url", "/about.html", "--to", "1")
    t.check("sell things" in body(server, "/about.html")[1], "version 1")
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(before))
    obeyed(t, server, "rollback", "--to", moment)
    t.equal(body(server, "/about.html")[1], "<p>second</p>", "what was good then")
    obeyed(t, server, "pin", "--url", "/about.html", "--version", "1")
    t.check("sell things" in body(server, "/about.html")[1], "the pinned one, though the origin has the second")
    obeyed(t, server, "unpin", "--url", "/about.html", "--version", "1")


@test
def a_page_that_is_forgotten_passes(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    serve(server.origin, {**PAGES, "/about.html": "<p>new</p>"})
    t.check("sell things" in body(server, "/about.html")[1], "the copy")
    obeyed(t, server, "forget", "--url", "/about.html")
    t.equal(body(server, "/about.html")[1], "<p>new</p>", "what the origin has")


@test
def in_monitor_mode_everything_passes_and_is_told(t):
    server = start(t, PAGES, {"mode": "monitor"})
    learned(t, server, 3)
    serve(server.origin, PAGES | {"/about.html": "<p>an edit</p>"})
    t.equal(body(server, "/about.html")[1], "<p>an edit</p>", "what a visitor gets")
    held(t, server)


# ---- publishing

@test
def in_a_window_what_changes_is_good(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    obeyed(t, server, "publish", "--for", "1min")
    t.check("window_until" in site(server), "the status says so")
    serve(server.origin, PAGES | {"/about.html": "<p>new edition</p>"})
    t.eventually(lambda: body(server, "/about.html")[1] == "<p>new edition</p>" and
                 not is_copy(server.get("/about.html")), "it is good", 10.0, 0.1)
    obeyed(t, server, "publish", "--for", "0s")
    t.check("window_until" not in site(server), "the window is closed")
    serve(server.origin, PAGES)
    t.equal(body(server, "/about.html")[1], "<p>new edition</p>", "the old edition is good no more")


@test
def a_new_edition_leads_to_new_pages(t):
    server = start(t, {"/": "<a href=/one>1</a>", "/one": "one"})
    learned(t, server, 2)
    serve(server.origin, {"/": "<a href=/one>1</a><a href=/two>2</a>", "/one": "one", "/two": "two"})
    held(t, server)
    obeyed(t, server, "approve", "--url", "/")
    learned(t, server, 3)
    obeyed(t, server, "publish", "--for", "1min")
    serve(server.origin, {"/": "<a href=/one>1</a><a href=/three>3</a>", "/one": "one", "/two": "two", "/three": "three"})
    known(t, server, "/three")


@test
def a_window_freezes_no_page_that_varies(t):
    count = iter(range(10 ** 6))

    def changing(connection, request):
        connection.send(page(f"<input name=csrf value={next(count)}>"))
    server = start(t, PAGES | {"/about.html": changing})
    t.eventually(lambda: site(server).get("varying") == 1, lambda: f"it varies: {site(server)}", 10.0, 0.05)
    obeyed(t, server, "publish", "--for", "1min")
    serve(server.origin, PAGES | {"/about.html": changing, "/new.html": "<p>new</p>", "/form.html": changing})
    for path in ("/new.html", "/form.html"):
        obeyed(t, server, "enrol", "--url", path)
    known(t, server, "/new.html")
    for path in ("/about.html", "/form.html"):
        t.eventually(lambda: site(server).get("varying") == 2, lambda: f"both vary: {site(server)}", 10.0, 0.05)
        t.check(body(server, path) != body(server, path), f"{path} passes")
    t.equal(site(server)["held"], 0, "what is held")


@test
def a_token_opens_a_window_once(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    token = obeyed(t, server, "token", "--for", "1min")
    t.check(len(token) >= 32 and token.isalnum(), f"a word: {token}")
    t.check(token not in pathlib.Path(server.directory / "vault/audit.log").read_text(), "it is written nowhere")
    content = json.dumps({"site": "site", "token": token}).encode()

    def post():
        client = Client(server.control_socket)
        t.later(client.close)
        client.send(b"POST /api/vault/publish HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(content) + content)
        return client.read_response()
    t.equal(post().status, 200, "status of its first use")
    t.check("window_until" in site(server), "a window is open")
    t.equal(post().status, 409, "status of its second use")
    result = order(server, "publish", "--for", "1min", "--token", "wrong")
    t.equal(result.returncode, 1, "exit status with a token that there is not")


@test
def a_window_lets_no_redirect_to_a_foreign_host_in(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    obeyed(t, server, "publish", "--for", "1min")
    serve(server.origin, PAGES | {"/about.html": page("", status="302 Found", Location="http://evil.example/")})
    held(t, server)
    t.check("sell things" in body(server, "/about.html")[1], "the copy")


# ---- sealing

def deface(server, pages=("/", "/about.html"), origin=None):
    serve(origin or server.origin, PAGES | {path: page(BAD) for path in pages})


@test
def two_defaced_pages_seal_a_site_until_it_is_good_again(t):
    server = start(t, PAGES, {"recover": 2})
    learned(t, server, 3)
    deface(server)
    in_state(t, server, "sealed")
    t.check("still sealed" in obeyed(t, server, "approve", "--all"), "whoever approves is told of the seal")
    t.check("no honest edit" in site(server)["why"], f"why: {site(server)['why']}")
    post = server.client()
    t.later(post.close)
    post.send(b"POST /login HTTP/1.1\r\nHost: site.example\r\nContent-Length: 3\r\n\r\na=b")
    t.equal(post.read_response().status, 503, "status of a POST")
    t.equal(body(server)[1], HOME, "what a visitor gets")
    serve(server.origin, PAGES)
    in_state(t, server, "guarded", 20.0)
    t.check(not is_copy(server.get("/")), "visitors get the origin's pages")


@test
def one_defaced_page_seals_nothing(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    deface(server, ("/about.html",))
    held(t, server)
    time.sleep(1.5)
    t.equal(site(server)["state"], "guarded", "state")


@test
def links_that_always_led_elsewhere_seal_nothing(t):
    """Sign-ins with others are linked, and whoever finds an open redirect asks for it with any host."""
    def leave(host):
        return page("", status="302 Found", Location=f"https://{host}/")
    home = "<a href=/auth/one>1</a><a href=/auth/two>2</a>"
    server = start(t, {"/": home, "/auth/one": leave("one.example"), "/auth/two": leave("two.example"),
                       "/go": leave("evil.example")})
    for number in range(3):
        t.equal(server.get(f"/go?to={number}").status, 503, "status of what leads to a foreign host")
    held(t, server, 5)
    t.equal(site(server)["state"], "guarded", "state")
    obeyed(t, server, "approve", "--url", "/auth/one")
    t.equal(server.get("/auth/one").status, 302, "status of one that was approved")
    serve(server.origin, {"/": leave("evil.example"), "/auth/one": leave("evil.example")})
    in_state(t, server, "sealed")


@test
def what_is_defaced_already_at_the_first_start_is_not_taken_for_good(t):
    server = start(t, PAGES | {"/": page(BAD + "<a href=/about.html>")})
    held(t, server)
    t.check("/ is held: it bears the signs of a defacement" in server.errors(), server.errors()[-1000:])
    obeyed(t, server, "enrol", "--url", "/about.html")
    known(t, server, "/about.html")
    said = obeyed(t, server, "approve", "--all")
    t.check("1 that look defaced have to be approved one by one" in said, f"it says so: {said}")
    t.equal(site(server)["state"], "guarded", "state")
    serve(server.origin, PAGES)
    learned(t, server, 3)


@test
def one_of_two_origins_that_is_defaced_is_found(t):
    origins = [t.origin(), t.origin()]
    server = start(t, PAGES, {"recover": 2}, origins=origins)
    learned(t, server, 3)
    deface(server, origin=origins[1])
    in_state(t, server, "sealed")
    time.sleep(1.0)
    t.equal(site(server)["state"], "sealed", "one good origin is not enough")
    serve(origins[1], PAGES)
    in_state(t, server, "guarded", 20.0)


@test
def a_page_that_only_search_engines_see_is_found(t):
    def cloaked(connection, request):
        is_bot = any("bot" in value.lower() for value in request.all("User-Agent"))
        connection.send(page("<p>cheap pills</p>") if is_bot else page(HOME))
    server = start(t, PAGES)
    learned(t, server, 3)
    server.origin.on("/", cloaked)
    held(t, server)
    t.check("as a search engine or a phone gets it" in server.errors(), server.errors()[-1000:])
    t.check(not is_copy(server.get("/")), "ordinary visitors get the origin's page")


@test
def an_origin_that_is_down_seals_nothing(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    server.origin.close()
    t.eventually(lambda: site(server)["origins_down"] == 1, "the status says that it is down", 10.0, 0.1)
    time.sleep(1.0)
    t.equal((site(server)["state"], site(server)["held"]), ("guarded", 0), "state, held")
    t.equal(body(server)[1], HOME, "what a visitor gets")


@test
def an_operator_seals_and_releases(t):
    server = start(t, PAGES, {"recover": 1})
    learned(t, server, 3)
    obeyed(t, server, "seal", "--why", "a drill")
    t.equal((site(server)["state"], site(server)["why"]), ("sealed", "sealed by order: a drill"), "state, why")
    t.check(is_copy(server.get("/")), "a copy")
    time.sleep(1.5)
    t.equal(site(server)["state"], "sealed", "only an operator opens it")
    obeyed(t, server, "release")
    t.equal(site(server)["state"], "guarded", "state")
    t.check(not is_copy(server.get("/")), "the origin's page")
    t.equal(order(server, "release").returncode, 1, "exit status where nothing is sealed")


# ---- lives

@test(each={role: role for role in ("keeper", "scout", "lifeboat")})
def what_is_known_outlives_a_death(t, role):
    server = start(t, PAGES)
    learned(t, server, 3)
    os.kill(process(server, role)["pid"], signal.SIGKILL)
    serve(server.origin, PAGES | {"/": "<p>an edit</p>"})
    t.equal(body(server)[1], HOME, "the copy, without a pause")
    t.eventually(lambda: process(server, role)["restarts"] == 1 and process(server, role)["state"] == "running",
                 "it runs again", 5.0, 0.05)
    held(t, server)
    t.equal(site(server)["exact"], 3, "pages that are known")


@test
def new_workers_and_generations_know_it_too(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    server.origin.close()
    os.kill(server.workers()[0], signal.SIGKILL)
    t.eventually(lambda: server.workers() and body(server)[1] == HOME, "a new worker serves the copy", 5.0, 0.05)
    t.equal(server.reload().status, 200, "status of the reload")
    t.equal(body(server)[1], HOME, "the new generation serves the copy")


@test
def a_restart_serves_copies_at_once_while_the_origin_is_down(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    server.process.terminate()
    server.ended(10)
    server.origin.close()
    server.start()
    t.equal(body(server)[1], HOME, "the very first answer")
    in_state(t, server, "guarded")


@test
def a_seal_outlasts_a_restart(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    obeyed(t, server, "seal")
    server.process.terminate()
    server.ended(10)
    server.start()
    in_state(t, server, "sealed")


@test(seconds=30.0)
def a_vault_that_cannot_be_read_is_learned_anew_loudly(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    server.process.terminate()
    server.ended(10)
    vault = server.directory / "vault"
    for path in vault.glob("catalogue.db*"):
        path.write_bytes(b"this is no database" * 1000)
    serve(server.origin, PAGES | {"/": "<p>an edit</p>"})
    server.start()
    t.eventually(lambda: "learning begins anew" in server.errors(), lambda: f"it says so: {server.errors()}", 5.0)
    t.equal(body(server)[1], "<p>an edit</p>", "no copy is served")
    learned(t, server, 1)
    t.equal(body(server)[1], "<p>an edit</p>", "what is known now")


@test(seconds=30.0)
def what_the_vault_lost_of_a_good_page_comes_back_with_it(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    contents = [path for path in (server.directory / "vault/content").rglob("*") if path.is_file()]
    was = {path: path.read_bytes() for path in contents}

    def is_mended():
        return all(path.exists() and path.read_bytes() == content for path, content in was.items())
    for path in contents:
        path.unlink()
    t.eventually(is_mended, lambda: f"it is there again\n{server.errors()}", 10.0)
    server.process.terminate()
    server.ended(10)
    for path, content in was.items():
        path.write_bytes(b"X" + content[1:])
    server.start()
    t.eventually(is_mended, lambda: f"it is whole again\n{server.errors()}", 10.0)
    t.check("is there again" in server.errors(), "the log says so")
    server.origin.close()
    t.equal(body(server)[1], HOME, "the copy")


@test(seconds=20.0)
def a_page_whose_content_is_lost_is_held_all_the_same(t):
    """A new baseline is made while it is away, and the origin has nothing to mend it with."""
    server = start(t, PAGES, {"probe_interval": "1 h", "seeds": ["/", "/about.html", "/logo.png"]})
    learned(t, server, 3)
    for path in (server.directory / "vault/content").rglob("*"):
        if path.is_file() and path.read_text(errors="replace") == HOME:
            path.unlink()
    serve(server.origin, PAGES | {"/": BAD, "/about.html": "<html><title>About us</title></html>"})
    body(server, "/about.html")
    held(t, server, 1)
    t.eventually(lambda: order(server, "approve", "--url", "/about.html").returncode == 0, "the scout has seen it", 5.0)
    t.equal(body(server, "/about.html")[1], "<html><title>About us</title></html>", "the edit, by a new baseline")
    t.equal(body(server)[0], 503, "status of what is defaced, and has no copy")


@test(each={"open": ("open", 200), "closed": ("closed", 503)}, seconds=20.0)
def without_a_readable_vault_guard_fail_decides(t, case):
    fail, status = case
    server = start(t, PAGES, {"fail": fail})
    learned(t, server, 3)
    server.process.terminate()
    server.ended(10)
    key = server.directory / "vault/key"
    key.chmod(0o644)
    server.start()
    t.equal(body(server)[0], status, "status while the key can be read by others")
    t.check("key" in server.status()["guard"]["vault_error"], f"the status says why: {server.status()['guard']}")
    t.equal(order(server, "approve", "--all").returncode, 1, "exit status of an order")
    key.chmod(0o600)
    t.eventually(lambda: site(server).get("exact") == 3, "it is read again, without a restart", 5.0, 0.05)
    t.equal(body(server), (200, HOME), "a visitor's page")
    t.equal(server.status()["guard"]["vault_error"], "", "what the status says of the vault")
    t.equal(server.errors().count("it cannot be opened"), 1, f"how often the log says so\n{server.errors()}")


@test
def a_reload_changes_what_is_guarded(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    roles = ("keeper", "scout", "lifeboat")
    server.write_policy({"site": {"guard": {"mode": "off"}}})
    t.equal(server.reload().status, 200, "status of the reload")
    t.eventually(lambda: not [p for p in server.processes() if p["role"] in roles], "none of them runs", 5.0)
    server.write_policy({"site": {"guard": {"mode": "enforce", "exclude": ["/about.html"]}}})
    t.equal(server.reload().status, 200, "status of the reload")
    t.eventually(lambda: site(server).get("exact") == 2, lambda: f"two are known: {site(server)}", 5.0)
    keeper = process(server, "keeper")["pid"]
    server.write_policy({"site": {"guard": {"rate": "7/s"}}})
    t.equal(server.reload().status, 200, "status of the reload")
    t.equal(process(server, "keeper")["pid"], keeper, "the keeper, which only gets a new plan")


@test
def the_keeper_has_no_network_and_writes_nowhere_else(t):
    if is_sanitized():
        t.skip("sanitized builds run without the sandbox")
    server = start(t, PAGES)
    learned(t, server, 3)
    status = pathlib.Path(f"/proc/{process(server, 'keeper')['pid']}/status").read_text()
    t.check("Seccomp:\t2" in status and "NoNewPrivs:\t1" in status, status)
    t.check("CapEff:\t0000000000000000" in status, status)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (server.directory / "vault").iterdir()}
    t.equal(modes.get("key"), "0o600", f"mode of the key: {modes}")


# ---- the rest

@test
def metrics_and_status_tell_how_it_is(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    metrics = server.api("GET", "/metrics").body.decode()
    for line in ('sallyport_guard_state{site="site",state="guarded"} 1',
                 'sallyport_guard_pages{site="site",known="exact"} 3', "sallyport_guard_vault_ok 1"):
        t.check(line in metrics, f"{line} in {metrics[-2500:]}")
    said = server.command("status", "-c", str(server.file)).stdout
    for part in ("guard         site: guarded", "3 of 3 pages known", "baseline      "):
        t.check(part in said, f"{part!r} in\n{said}")


@test
def status_says_how_html_comes_to_count(t):
    server = start(t, PAGES, {"settle": "1 h"})
    t.eventually(lambda: site(server).get("learning", 0) > 0, lambda: f"it learns: {site(server)}", 10.0)
    said = server.command("status", "-c", str(server.file)).stdout
    t.check("guard.settle" in said and "'sallyport vault approve site --all'" in said, said)


@test
def a_paused_guard_holds_nothing(t):
    server = start(t, PAGES)
    learned(t, server, 3)
    serve(server.origin, PAGES | {"/": "<p>an edit</p>"})
    t.equal(server.command("pause", "guard", "site", "1h", "-c", str(server.file)).returncode, 0, "exit status")
    t.equal(body(server)[1], "<p>an edit</p>", "what a visitor gets")
    t.equal(server.command("resume", "guard", "site", "-c", str(server.file)).returncode, 0, "exit status")
    t.equal(body(server)[1], HOME, "and afterwards")


@test(each={"no verb": (), "no such verb": ("bless", "site"), "no site": ("approve", "--all"),
            "neither url nor all": ("approve", "site"), "both": ("approve", "site", "--url", "/", "--all"),
            "no path": ("approve", "site", "--url", "about"), "no goal": ("rollback", "site"),
            "a version of no page": ("rollback", "site", "--to", "3"),
            "no duration": ("token", "site"), "a window without one": ("publish", "site"), "too long": ("publish", "site", "--for", "25h"),
            "two sites": ("enrol", "site", "other"), "an option that there is not": ("seal", "site", "--force")})
def wrong_use_of_vault_is_2(t, operands):
    server = t.server()
    result = server.command("vault", *operands)
    t.equal(result.returncode, 2, f"exit status: {result.stderr}")
    t.check("sallyport vault" in result.stderr, f"what it says: {result.stderr}")


@test
def orders_without_a_guard_or_a_site_say_so(t):
    plain = t.server()
    result = order(plain, "approve", "--all")
    t.equal(result.returncode, 1, "exit status")
    t.check("no site is guarded" in result.stderr, result.stderr)
    server = start(t, PAGES)
    learned(t, server, 3)
    result = order(server, "approve", "--all", name="sitte")
    t.check('did you mean "site"?' in result.stderr, result.stderr)
    result = order(server, "approve", "--url", "/nothing")
    t.check("nothing is known of /nothing" in result.stderr, result.stderr)
    result = order(server, "approve", "--url", "/")
    t.check("waits for a decision" in result.stderr, result.stderr)


@test(heavy=True, seconds=150.0)
def old_versions_make_way_and_no_decision_is_lost_by_it(t):
    """Longer than the keeper waits from one tidying to the next."""
    origin = serve(t.origin(), PAGES)
    server = t.fresh_server({"site": {"guard": QUICK}, "vault": {"versions": 3}}, origins=[origin])
    learned(t, server, 3)

    def versions():
        shown = server.command("vault", "show", "site", "/about.html", "--json", "-c", str(server.file))
        return len(json.loads(shown.stdout)["versions"])
    most, end = 0, time.monotonic() + 75
    for edition in range(1000):
        content = f"<p>edition {edition}</p>"
        origin.on("/about.html", page(content))
        t.eventually(lambda: order(server, "approve", "--url", "/about.html").returncode == 0, "it is approved", 5.0, 0.3)
        t.equal(body(server, "/about.html")[1], content, "what is good")
        count = versions()
        if time.monotonic() > end and count < most:
            break
        most = max(most, count)
    t.check(most > 10 and versions() < most, f"{versions()} versions, {most} before")
    t.check("was not made" not in server.errors(), server.errors()[-1000:])
    t.check(server.command("vault", "verify", "-c", str(server.file)).returncode == 0, "the vault is whole")


@test(heavy=True, seconds=120.0)
def learning_500_pages_takes_little_memory(t):
    if is_sanitized():
        t.skip("sanitizers take memory of their own")
    filler = "".join(f"<p>{n} {'lorem ipsum ' * 20}</p>" for n in range(180))
    links = "".join(f'<a href="/{n}">{n}</a>' for n in range(500))
    pages = {"/": links} | {f"/{n}": f"<html><title>{n}</title>{filler}</html>" for n in range(500)}
    server = start(t, pages, {"rate": "500/s", "max_pages": 600})
    most, end = 0, time.monotonic() + 90
    while time.monotonic() < end:
        now = site(server)
        used = sum(server.memory(entry["pid"]) for entry in server.processes()
                   if entry["role"] in ("keeper", "scout", "lifeboat"))
        most = max(most, used)
        if now.get("enrolled") and now["exact"] == 501:
            break
        time.sleep(0.2)
    t.equal(site(server)["exact"], 501, "pages that are known")
    t.note(f"{most >> 20} MiB in keeper, scout and lifeboat")
    t.check(most < 100 << 20, f"{most >> 20} MiB")


@test(seconds=20.0)
def enrolment_goes_on_where_a_death_interrupted_it(t):
    links = "".join(f'<img src="/{n}.png">' for n in range(60))
    images = {f"/{n}.png": page(b"\x89PNG %d" % n, "image/png") for n in range(60)}
    server = start(t, {"/": links} | images, {"rate": "40/s", "sitemap": False})
    t.eventually(lambda: site(server).get("pages") == 61, "all are found", 5.0, 0.02)
    t.check(site(server)["exact"] < 61, "and not all are known")
    os.kill(process(server, "keeper")["pid"], signal.SIGKILL)
    learned(t, server, 61, 15.0)


ORIGIN_TLS = {"a CA of its own": {"ca": tls_path("ca.pem")},
              "a CA and a name": {"ca": tls_path("ca.pem"), "name": "origin.example"},
              "unverified": {"verify": False}}


BY_TLS = {"at a listener": ({"tls": certificate("site")}, {}), "before us": ({}, {"scheme": "https"})}


@test(each=BY_TLS)
def an_origin_that_sends_everybody_to_https_is_learned_as_its_visitors_get_it(t, case):
    """It sees by X-Forwarded-Proto how a visitor came; who says nothing is sent on, for ever."""
    settings, guard = case
    origin = t.origin()

    def by_tls_only(connection, request):
        if "https" in request.all("X-Forwarded-Proto"):
            connection.send(page("<a href='https://%s/about'>about</a>" % request.field("X-Forwarded-Host")))
        else:
            connection.send(page("", status="301 Moved", Location=f"https://site.example{request.target}"))
    serve(origin, {"/": by_tls_only})
    server = t.fresh_server({"site": {"guard": QUICK | guard}, **settings}, origins=[origin])
    known(t, server, "/")
    content = "<a href='https://site.example/about'>about</a>"
    if settings:
        client = t.tls_client(server)
        response = client.get("/")
        t.equal((response.status, response.body.decode()), (200, content), "what a visitor gets")
    origin.on("/", page("defaced"))
    t.equal(server.get("/").body.decode(), content, "the copy")
    server_fields = [request for request in origin.requests if not request.all("Via")][-1]
    t.equal(server_fields.field("Forwarded"), 'for=192.0.2.1;host="site.example";proto=https', "Forwarded")


@test(each=ORIGIN_TLS)
def an_origin_with_tls_is_learned_as_it_is_asked(t, origin_tls):
    origin = serve(t.origin(tls=server_context()), {"/": "<title>Shop</title>"})
    server = t.fresh_server({"site": {"guard": QUICK, "origin_tls": origin_tls}}, origins=[origin])
    learned(t, server, 1)
    origin.on("/", page("defaced"))
    t.equal(server.get("/").body, b"<title>Shop</title>", "what a visitor gets")


@test
def an_origin_that_cannot_prove_who_it_is_teaches_nothing(t):
    origin = serve(t.origin(tls=server_context("impostor")), {"/": "<title>Shop</title>"})
    server = t.fresh_server({"site": {"guard": QUICK, "origin_tls": {"ca": tls_path("ca.pem")}}}, origins=[origin])
    t.eventually(lambda: site(server).get("enrolled") is not None, "the guard is at work", 5.0)
    t.eventually(lambda: len(origin.connections) > 2, "the scout has tried", 10.0)
    t.equal(site(server)["exact"], 0, "pages that are known")
