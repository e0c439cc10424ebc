"""`sallyport vault`: what is in the vault, while the server runs and when it does not."""

import json
import os
import pathlib

from harness import test
from harness.guarded import learned, obeyed, page, site, start
from harness.server import run_command

HOME = "<html>\n<title>Home</title>\n<p>We sell things.</p>\n" + "<p>and more</p>\n" * 8 + "</html>\n"
BAD = HOME.replace("We sell things.", "Hacked by somebody")
PAGES = {"/": HOME, "/logo.png": page(b"\x89PNG\0" + bytes(300), "image/png"),
         "/old": page("", status="301 Moved Permanently", Location="/new?a=b")}
GUARD = {"seeds": ["/", "/logo.png", "/old"]}


def vault(server, *arguments):
    return server.command("vault", *arguments, "-c", str(server.file))


def answer(t, server, *arguments, status=0):
    result = vault(server, *arguments, "--json")
    t.equal(result.returncode, status, f"exit status of {arguments}: {result.stderr}")
    return json.loads(result.stdout)


def refused(t, server, says, *arguments, status=1):
    result = vault(server, *arguments)
    t.equal(result.returncode, status, f"exit status of {arguments}")
    t.check(says in result.stderr, f"{says!r} in {result.stderr!r}")


def start_learned(t, **options):
    origin = t.origin()
    server = start(t, PAGES, GUARD, origins=[origin], **options)
    learned(t, server, 3)
    return server, origin


def end(server):
    """Ends it; its files stay."""
    server.process.terminate()
    server.ended(8)


def hold(t, server, origin, content=BAD):
    origin.on("/", page(content))
    t.eventually(lambda: answer(t, server, "list", "--held")["held"], "the change is held", 10.0)
    t.eventually(lambda: answer(t, server, "list", "--held")["held"][0]["version"],
                 "the scout has seen it too", 10.0)


@test
def sites_pages_and_versions_are_shown(t):
    server, _ = start_learned(t)
    sites = answer(t, server, "list")["sites"]
    t.equal([(s["site"], s["pages"], s["held"]) for s in sites], [("site", 3, 0)], "the sites")
    pages = answer(t, server, "list", "--site", "site")["pages"]
    t.equal([(p["url"], p["policy"], p["serves"]) for p in pages],
            [("/", "exact", 1), ("/logo.png", "exact", 1), ("/old", "exact", 1)], "the pages")
    version = answer(t, server, "show", "site", "/old")["versions"][0]
    t.equal((version["version"], version["state"], version["status"]), (1, "good", 301), "the version")
    t.equal(version["fields"], {"content-type": "text/html", "location": "/new?a=b"}, "its fields")
    text = vault(server, "list", "--site", "site").stdout
    t.check("/logo.png" in text and text.startswith("POLICY"), f"a table: {text}")
    text = vault(server, "show", "site", "/old", "--version", "1").stdout
    t.check("version 1: good" in text and "location             /new?a=b" in text, f"a version: {text}")


@test
def the_vault_of_a_server_is_found_by_its_socket(t):
    server, _ = start_learned(t)
    socket = str(server.directory / "run/console.sock")
    result = server.command("vault", "list", "--site", "site", "--socket", socket)
    t.equal((result.returncode, result.stderr), (0, ""), "exit status and errors")
    t.check("/logo.png" in result.stdout, f"its pages: {result.stdout}")
    result = server.command("vault", "list", "--socket", socket + "x")
    t.equal(result.returncode, 1, "exit status where nobody answers")
    t.check("no server that guards a site answers" in result.stderr, result.stderr)


@test
def a_url_is_read_as_a_browser_writes_it(t):
    server, _ = start_learned(t)
    for url in ("/old", "/%6fld", "/a/../old", "http://site.example/old"):
        t.equal(answer(t, server, "show", "site", url)["url"], "/old", url)


@test
def what_is_served_can_be_printed(t):
    server, origin = start_learned(t)
    t.equal(vault(server, "show", "site", "/", "--content").stdout, HOME, "what is served")
    hold(t, server, origin)
    t.equal(vault(server, "show", "site", "/", "--content").stdout, HOME, "what is served still")
    version = str(answer(t, server, "list", "--held")["held"][0]["version"])
    t.equal(vault(server, "show", "site", "/", "--version", version, "--content").stdout, BAD, "what was held")


@test
def what_was_held_is_listed_and_compared(t):
    server, origin = start_learned(t)
    hold(t, server, origin)
    held = answer(t, server, "list", "--held", "--site", "site")["held"]
    t.equal([(h["site"], h["url"]) for h in held], [("site", "/")], "what is held")
    diff = vault(server, "diff", "site", "/")
    t.equal(diff.returncode, 0, f"exit status: {diff.stderr}")
    lines = diff.stdout.splitlines()
    t.check(lines[0].startswith("--- version 1, good") and "held" in lines[1], f"the versions: {lines[:2]}")
    t.check("-<p>We sell things.</p>" in lines and "+<p>Hacked by somebody</p>" in lines, f"the lines: {lines}")
    t.check(" <title>Home</title>" in lines, "the lines around them")
    t.equal(sum(line[0] in "+-" for line in lines[2:]), 2, "nothing else")
    backwards = vault(server, "diff", "site", "/", str(held[0]["version"]), "1").stdout
    t.check("+<p>We sell things.</p>" in backwards, f"the other way round: {backwards}")


@test
def what_is_no_text_is_compared_by_size(t):
    server, origin = start_learned(t)
    origin.on("/logo.png", page(b"\x89PNG\0" + bytes(400), "image/png"))
    t.eventually(lambda: len(answer(t, server, "show", "site", "/logo.png")["versions"]) == 2, "another version", 10.0)
    diff = vault(server, "diff", "site", "/logo.png").stdout
    t.check("-content: 305 bytes, sha256" in diff and "+content: 405 bytes, sha256" in diff, diff)


@test
def terminals_get_no_control_characters(t):
    server, origin = start_learned(t)
    hold(t, server, origin, HOME.replace("We sell", "\x1b]0;owned\x07\x1b[2J"))
    diff = vault(server, "diff", "site", "/").stdout
    t.check("owned" in diff and "\x1b" not in diff and "\x07" not in diff, f"the diff: {diff!r}")


@test
def wrong_use_is_told(t):
    server, _ = start_learned(t)
    refused(t, server, "takes SITE URL", "show", "site", status=2)
    refused(t, server, "no operand", "list", "site", status=2)
    refused(t, server, "no version or two", "diff", "site", "/", "1", status=2)
    refused(t, server, "there is no option \"--all\" here", "list", "--all", status=2)
    refused(t, server, 'no site "other"', "list", "--site", "other")
    refused(t, server, "no page /nothing", "show", "site", "/nothing")
    refused(t, server, "no version 9", "show", "site", "/", "--version", "9")
    refused(t, server, "is no number", "show", "site", "/", "--version", "x")
    refused(t, server, "one version only", "diff", "site", "/old")
    refused(t, server, "is no path", "show", "site", "x")
    refused(t, server, "--trust-key takes a public key", "restore", "/tmp", "--trust-key", "12", status=2)


@test
def a_vault_that_others_could_use_is_refused(t):
    server, _ = start_learned(t)
    path = server.directory / "vault"
    path.chmod(0o755)
    refused(t, server, "others may use", "list")
    path.chmod(0o700)
    result = run_command("vault", "list", "--directory", str(server.directory / "nothing"))
    t.equal(result.returncode, 1, "exit status without a vault")
    t.check("there is no vault" in result.stderr, result.stderr)


@test
def a_vault_is_verified_while_it_is_used(t):
    server, origin = start_learned(t)
    report = answer(t, server, "verify")
    t.equal((report["ok"], report["findings"], report["sites"], report["pages"]), (True, [], 1, 3), "the report")
    t.check(report["audit_lines"] > 0 and report["baseline"] > 0, f"audit and baseline: {report}")
    for n in range(5):
        origin.on("/", page(HOME + str(n)))
        t.check(answer(t, server, "verify")["ok"], "whole while it changes")


@test
def damage_is_found(t):
    server, _ = start_learned(t)
    end(server)
    content = answer(t, server, "show", "site", "/")["versions"][0]["content"]
    file = server.directory / "vault" / "content" / content[:2] / content
    file.write_bytes(b"X" + file.read_bytes()[1:])
    report = answer(t, server, "verify", status=1)
    t.equal([f["finding"] for f in report["findings"]], ["bad-content"], "the findings")
    t.check(content in report["findings"][0]["text"], "which content")
    audit = server.directory / "vault" / "audit.log"
    audit.write_bytes(audit.read_bytes()[:-20])
    text = vault(server, "verify")
    t.equal(text.returncode, 1, "exit status")
    t.check("bad-audit" in text.stderr and "findings" in text.stdout, f"{text.stdout}{text.stderr}")


@test(seconds=30.0)
def a_backup_is_taken_while_it_runs_and_comes_back_when_it_does_not(t):
    server, origin = start_learned(t)
    place = server.directory / "backup"
    result = vault(server, "backup", str(place))
    t.equal(result.returncode, 0, f"exit status: {result.stderr}")
    t.check(not (place / "key").exists(), "without the private key")
    refused(t, server, "in use", "restore", str(place))
    hold(t, server, origin)
    obeyed(t, server, "approve", "--url", "/")
    t.eventually(lambda: vault(server, "show", "site", "/", "--content").stdout == BAD, "the change is good", 10.0)
    end(server)
    result = vault(server, "restore", str(place))
    t.equal(result.returncode, 0, f"exit status: {result.stderr}")
    t.equal(vault(server, "show", "site", "/", "--content").stdout, HOME, "what was good then")
    t.check(answer(t, server, "verify")["ok"], "whole")
    # whoever runs the server can use what root has restored
    owner = os.stat(server.directory / "vault").st_uid
    for path in (server.directory / "vault").rglob("*"):
        if path.name == "evidence":  # of refusals, which only who started the server may read
            continue
        t.equal(path.stat().st_uid, owner, f"the owner of {path.name}")
    server.start()
    t.eventually(lambda: server.get("/").body.decode() == HOME, "and it is served", 10.0)


@test
def another_key_signs_a_vault_that_is_idle(t):
    server, _ = start_learned(t)
    refused(t, server, "in use", "rotate-key")
    refused(t, server, "in use", "adopt")
    end(server)
    before = (server.directory / "vault" / "key.pub").read_text()
    t.equal(vault(server, "rotate-key").returncode, 0, "exit status")
    t.check((server.directory / "vault" / "key.pub").read_text() != before, "another key")
    t.check(answer(t, server, "verify")["ok"], "whole")
    server.start()
    t.eventually(lambda: site(server).get("exact") == 3, "all is known still", 10.0)


@test
def without_its_key_a_vault_is_nothing_until_it_is_adopted(t):
    server, _ = start_learned(t)
    end(server)
    (server.directory / "vault" / "key").unlink()
    result = vault(server, "adopt")
    t.equal(result.returncode, 0, f"exit status: {result.stderr}")
    t.check("key-lost" in result.stderr and "3 versions" in result.stdout, f"{result.stdout}{result.stderr}")
    t.check(answer(t, server, "verify")["ok"], "whole")


@test
def the_audit_is_plain_json(t):
    server, _ = start_learned(t)
    lines = pathlib.Path(server.directory / "vault" / "audit.log").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    t.equal([entry["n"] for entry in entries], list(range(1, len(entries) + 1)), "numbers")
    t.check({"time", "who", "what"} <= set(entries[0]), f"who, what, when: {entries[0]}")
