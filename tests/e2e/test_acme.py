"""ACME challenges out of a webroot: what certbot and lego put there is what a certificate authority sees."""

import os
import pathlib
import shutil
import subprocess

from harness import test
from harness.server import is_sanitized
from harness.tls import path as tls_path

FOLDER = ".well-known/acme-challenge"
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
CONTENT = f"{TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"


def webroot(t):
    root = t.directory()
    root.chmod(0o755)
    return root


def put(root, token=TOKEN, content=CONTENT):
    """As certbot does: folders as needed, readable for everybody."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / token).write_text(content)
    return folder / token


def with_webroot(t, settings=None, **options):
    root = webroot(t)
    return t.fresh_server({"acme_webroot": str(root)} | (settings or {}), **options), root


def ask(server, token=TOKEN, **options):
    return server.get(f"/{FOLDER}/{token}", **options)


@test
def a_new_challenge_is_seen_at_once(t):
    server, root = with_webroot(t)
    t.equal(ask(server).status, 404, "status before")
    put(root)
    mark = server.mark()
    response = ask(server)
    t.equal((response.status, response.body.decode()), (200, CONTENT), "the answer")
    t.equal(response.field("Content-Type"), "text/plain", "Content-Type")
    t.equal(response.field("Cache-Control"), "no-store", "Cache-Control")
    line = server.next_line(mark)
    t.equal((line.status, line.site, line.origin), (200, "site", "internal:acme"), "the log line")
    (root / FOLDER / TOKEN).unlink()
    (root / FOLDER).rmdir()
    t.equal(ask(server).status, 404, "status when the client has cleaned up")
    put(root, content="another")
    t.equal(ask(server).body, b"another", "content of the next")
    t.equal(server.origin.requests, [], "requests at the origin")


@test
def head_and_keep_alive_work(t):
    server, root = with_webroot(t)
    put(root)
    client = t.client(server)
    head = client.get(f"/{FOLDER}/{TOKEN}", method="HEAD")
    t.equal((head.status, head.field("Content-Length")), (200, str(len(CONTENT))), "HEAD")
    for _ in range(3):
        t.equal(client.get(f"/{FOLDER}/{TOKEN}").body.decode(), CONTENT, "content")
    t.equal(client.get("/").status, 200, "another path on the same connection")
    t.equal(len(server.origin.requests), 1, "requests at the origin")


@test
def nothing_refuses_a_challenge(t):
    """Not the shield, not its lists, not a throttle, not a ban."""
    server, root = with_webroot(t, {
        "site": {"shield": {"profile": "strict", "allow_addresses": ["192.0.2.1"], "limits": {"path": "20 B"},
                            "throttle": {"per_client": "1/h", "burst": 1, "strikes": 1}}},
        "rules": [{"id": "all", "where": "path", "pattern": "acme", "message": "everything"}]})
    put(root)
    t.equal(server.get("/").status, 403, "status of another path")
    t.equal([ask(server).status for _ in range(5)], [200] * 5, "statuses of challenges")


@test(each={
    "another folder": f"/x/{FOLDER}/{TOKEN}",
    "the folder": f"/{FOLDER}/",
    "a dot": f"/{FOLDER}/a.b",
    "a folder below": f"/{FOLDER}/a/b",
    "climbing": f"/{FOLDER}/../acme-challenge/x/../../secret",
    "an encoded slash": f"/{FOLDER}/a%2Fb",
    "an encoded NUL": f"/{FOLDER}/a%00b",
    "a long name": f"/{FOLDER}/{'a' * 129}",
    "slashes": f"/.well-known//acme-challenge/{TOKEN}",
})
def what_is_no_token_is_a_path_like_others(t, target):
    """It goes its way, through the shield to the origin, and never to a file."""
    server, root = with_webroot(t)
    put(root)
    (root / "secret").write_text("secret")
    put(root, "a.b", "dot")
    response = server.get(target)
    t.check(response.body == b"ok\n" or response.status == 400, f"{response.status} {response.body!r}")
    t.equal(len(server.origin.requests), int(response.status == 200), "requests at the origin")


@test
def posts_go_to_the_origin(t):
    server, root = with_webroot(t)
    put(root)
    for options in ({"method": "POST", "body": b"x"}, {"method": "GET", "body": b"x"}):
        t.equal(server.get(f"/{FOLDER}/{TOKEN}", **options).body, b"ok\n", f"answer to {options}")


@test
def a_site_may_keep_its_own_challenges(t):
    server, root = with_webroot(t, {"site": {"acme": False}})
    put(root)
    t.equal(ask(server).body, b"ok\n", "answer")
    t.equal(len(server.origin.requests), 1, "requests at the origin")


@test
def an_unknown_host_has_no_challenges(t):
    server, root = with_webroot(t)
    put(root)
    t.equal(ask(server, host="other.example").status, 421, "status")


@test
def no_link_and_no_other_thing_is_served(t):
    server, root = with_webroot(t)
    folder = put(root).parent
    secret = root / "secret"
    secret.write_text("secret")
    (folder / "link").symlink_to(secret)
    (folder / "outside").symlink_to("/etc/passwd")
    (folder / "sub").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "large").write_bytes(b"x" * 4097)
    (folder / "full").write_bytes(b"x" * 4096)
    (folder / "empty").write_bytes(b"")
    t.equal([ask(server, name).status for name in ("link", "outside", "sub", "pipe", "large")], [404] * 5, "statuses")
    t.equal([len(ask(server, name).body) for name in ("full", "empty")], [4096, 0], "sizes")
    t.check("cannot serve the ACME challenge link" in server.errors(), f"a line says why:\n{server.errors()}")
    real = root / "real"
    (root / ".well-known").rename(real)
    (root / ".well-known").symlink_to(real)
    t.equal(ask(server).status, 404, "status through a linked folder")


@test
def the_visitors_bytes_do_not_reach_the_process(t):
    """However large or odd the request's fields are: it gets the path alone."""
    server, root = with_webroot(t, {"limits": {"head": "60 KiB", "field": "32 KiB"}})
    put(root)
    fields = [(f"X-{n}", "v" * 20000) for n in range(2)] + [("Expect", "100-continue"), ("Range", "bytes=0-1")]
    response = ask(server, fields=fields)
    t.equal((response.status, response.body.decode()), (200, CONTENT), "the answer")


@test
def the_process_is_confined(t):
    server, root = with_webroot(t)
    put(root)
    processes = [process for process in server.processes() if process["role"] == "acme"]
    t.equal(len(processes), 1, f"acme processes: {server.processes()}")
    if is_sanitized():
        return
    path = pathlib.Path(f"/proc/{processes[0]['pid']}/status")

    def is_confined():
        status = path.read_text()
        return "Seccomp:\t2" in status and "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status
    t.eventually(is_confined, lambda: f"it is confined\n{path.read_text()}")
    t.equal(ask(server).status, 200, "status, once it is")


@test(seconds=20)
def its_process_is_replaced_when_it_dies(t):
    server, root = with_webroot(t)
    put(root)
    client = t.client(server)
    t.equal(client.get(f"/{FOLDER}/{TOKEN}").status, 200, "status before")
    pid = next(process["pid"] for process in server.processes() if process["role"] == "acme")
    os.kill(pid, 9)
    response = client.get(f"/{FOLDER}/{TOKEN}")
    t.equal((response.status, response.body.decode()), (200, CONTENT), "the answer once another one is there")


@test(seconds=20)
def a_reload_brings_and_takes_the_webroot(t):
    server = t.fresh_server()
    one, two = webroot(t), webroot(t)
    put(one, content="one")
    put(two, content="two")
    t.equal(ask(server).body, b"ok\n", "answer without a webroot: the origin's")
    for root, expected in ((str(one), b"one"), (str(two), b"two"), (None, b"ok\n")):
        server.write_policy({"acme_webroot": root})
        t.equal(server.reload().status, 200, "status of the reload")
        t.eventually(lambda: ask(server).body == expected, f"the answer {expected!r}")
    t.eventually(lambda: not [p for p in server.processes() if p["role"] == "acme"], "the process has ended")


@test
def many_ask_at_once(t):
    """More than it has connections: they wait, and each is answered."""
    server, root = with_webroot(t)
    put(root)
    clients = [t.client(server).send(t.request(f"/{FOLDER}/{TOKEN}")) for _ in range(200)]
    t.equal({client.read_response().status for client in clients}, {200}, "statuses")


@test
def explain_and_check_know_it(t):
    server, root = with_webroot(t)
    result = server.command("explain", f"http://site.example/{FOLDER}/{TOKEN}", "-c", str(server.file))
    t.equal(result.returncode, 0, f"exit status: {result.stdout}{result.stderr}")
    t.check(f"answered from {root}" in result.stdout, result.stdout)
    result = server.command("check", "-c", str(server.file))
    t.check("1 site, 1 origin" in result.stdout, result.stdout)


@test(seconds=30)
def the_flow_of_an_acme_client(t):
    """Challenge put, fetched by the authority, taken away; then the deploy hook reloads, while visitors are
    served on, connections kept."""
    server, root = with_webroot(t)
    visitor = t.client(server)
    t.equal(visitor.get("/").status, 200, "a visitor before")
    hook = ["sh", "-c", f'"{server.process.args[0]}" reload -c "{server.file}"']
    for turn in range(2):
        challenge = put(root, f"token-{turn}", f"token-{turn}.thumbprint")
        response = ask(server, f"token-{turn}", host="SITE.EXAMPLE:80", fields=[("User-Agent", "a validation server")])
        t.equal((response.status, response.body.decode()), (200, f"token-{turn}.thumbprint"), "what the authority sees")
        challenge.unlink()
        t.equal(subprocess.run(hook, capture_output=True, timeout=15 * t.pace(), cwd=server.directory).returncode, 0, "the hook's status")
        t.equal(visitor.get("/").status, 200, "the visitor afterwards, on the same connection")


@test(seconds=30)
def a_renewed_certificate_counts_after_the_deploy_hook(t):
    """As certbot leaves it: files of the same names with other contents, then the hook. Plain HTTP is redirected,
    challenges are not."""
    live = t.directory()
    for name in ("site", "renewed"):
        for end in ("pem", "key"):
            shutil.copy(tls_path(f"{name}.{end}"), live / f"{name}.{end}")
    files = {"certificate": str(live / "site.pem"), "key": str(live / "site.key")}
    server, root = with_webroot(t, {"tls": files, "site": {"tls": {"redirect": True}}})
    put(root)
    t.equal(ask(server).status, 200, "a challenge")
    t.equal(server.get("/").status, 301, "a page without TLS")
    t.equal(t.tls_client(server).peer_name(), "site.example", "the certificate before")
    for end in ("pem", "key"):
        os.replace(live / f"renewed.{end}", live / f"site.{end}")
    hook = ["sh", "-c", f'"{server.process.args[0]}" reload -c "{server.file}"']
    t.equal(subprocess.run(hook, capture_output=True, timeout=15 * t.pace(), cwd=server.directory).returncode, 0, "the hook's status")
    t.equal(t.tls_client(server).peer_name(), "renewed.example", "the certificate afterwards")


@test
def as_root_the_webroot_may_lie_where_only_root_may_go(t):
    if os.geteuid() != 0:
        t.skip("needs root")
    outer = t.directory()
    outer.chmod(0o700)
    root = outer / "webroot"
    root.mkdir()
    put(root)
    server = t.fresh_server({"acme_webroot": str(root)})
    t.equal(ask(server).status, 200, "status")
    (root / FOLDER / TOKEN).chmod(0o600)
    t.equal(ask(server).status, 404, "status of a file for root alone")
    t.eventually(lambda: "Permission denied" in server.errors(), "a line that says why")
