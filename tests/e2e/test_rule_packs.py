"""Signed packs of rules: made, installed, exchanged and tampered with, under a server that goes on serving."""

import http.server
import json
import os
import pathlib
import ssl
import subprocess
import threading

from harness import test
from harness.load import Load
from harness.server import run_command
from harness.server import installed as install_program

RULE = '{{ id = "{id}"; where = "path"; equals = "{path}"; message = "{message}"; }}'


def rules(*entries):
    return "rules = (\n" + ",\n".join(entries) + "\n);\n"


def rule(name, path, message="for a test"):
    return RULE.format(id=name, path=path, message=message)


class Publisher:
    """Who makes packs: a folder with a key."""

    def __init__(self, t, name="shop"):
        self.t, self.folder, self.name = t, pathlib.Path(t.directory()) / "publisher", name
        self.folder.mkdir(exist_ok=True)
        self.key = self.folder / f"{name}.key"
        made = run_command("rules", "key", str(self.key))
        t.equal(made.returncode, 0, made.stderr)
        self.public = made.stdout.strip()

    def sign(self, version, files, *arguments):
        source = self.folder / f"{self.name}-{version}"
        source.mkdir()
        for name, text in files.items():
            (source / name).write_text(text)
        self.pack = self.folder / f"{self.name}-{version}.pack"
        return run_command("rules", "sign", str(source), "-k", str(self.key), "-o", str(self.pack), "--version",
                           str(version), "--name", self.name, *arguments, seconds=30)

    def publish(self, version, files):
        result = self.sign(version, files)
        self.t.equal(result.returncode, 0, f"signing: {result.stderr}")
        return self.pack


def protected(t, publisher, **settings):
    """A server that trusts the publisher, and the directory of its pack."""
    origin = t.origin()
    store = pathlib.Path(t.directory()) / "store"
    policy = {"rule_pack": {"keys": [publisher.public], "directory": str(store)}, **settings}
    server = t.fresh_server(policy, origins=[origin])
    return server, store


def ordered(server, verb, *arguments):
    return run_command("rules", verb, *map(str, arguments), "-c", str(server.file), seconds=60)


def done(t, result):
    t.equal(result.returncode, 0, f"exit status\n{result.stdout}{result.stderr}")
    return result.stdout


def refused(t, result, *words):
    t.equal(result.returncode, 1, f"exit status\n{result.stdout}{result.stderr}")
    for word in words:
        t.check(word in result.stderr, f"{word!r} in: {result.stderr}")


# ---- what packs do

@test(seconds=30)
def a_pack_counts_from_its_installation_on_and_a_rollback_undoes_it(t):
    publisher = Publisher(t)
    server, store = protected(t, publisher)
    first = publisher.publish(1, {"a.cfg": rules(rule("shop.one", "/one"))})
    second = publisher.publish(2, {"a.cfg": rules(rule("shop.one", "/uno"), rule("shop.two", "/two"))})
    t.equal((server.get("/one").status, server.get("/two").status), (200, 200), "before")
    said = done(t, ordered(server, "update", first))
    t.check("1 rules added, 0 changed, 0 removed" in said and "has loaded it" in said, said)
    t.equal((server.get("/one").status, server.get("/two").status), (403, 200), "with the first")
    said = done(t, ordered(server, "update", second))
    t.check("added    shop.two" in said and "changed  shop.one" in said, said)
    t.equal((server.get("/one").status, server.get("/uno").status, server.get("/two").status), (200, 403, 403), "second")
    done(t, ordered(server, "rollback"))
    t.equal((server.get("/one").status, server.get("/two").status), (403, 200), "after going back")
    done(t, ordered(server, "rollback"))
    t.equal(server.get("/two").status, 403, "going back twice goes forward")
    said = done(t, ordered(server, "remove"))
    t.check("No pack counts any more" in said and "removed  shop.two" in said, said)
    t.equal((server.get("/one").status, server.get("/two").status), (200, 200), "without a pack")
    t.equal(sorted(os.listdir(store)), ["previous.pack"], "what is kept")


@test(seconds=30)
def a_packs_rule_takes_the_place_of_a_native_one_and_sites_name_it_by_its_id(t):
    """A site's mode goes by the id, whoever the rule comes from; the policy's own rules go before a pack's."""
    publisher = Publisher(t)
    origin = t.origin()
    store = pathlib.Path(t.directory()) / "store"
    server = t.fresh_server({
        "rule_files": ["policy.d"], "rule_pack": {"keys": publisher.public, "directory": str(store)},
        "rules": [{"id": "own.rule", "where": "path", "equals": "/own", "message": "ours"}],
        "site": {"shield": {"rules": [{"rules": ["worm.root-exe"], "mode": "monitor"}]}},
    }, origins=[origin])
    pack = publisher.publish(1, {"a.cfg": rules(
        rule("worm.code-red", "/instead-of-code-red"), rule("worm.root-exe", "/instead-of-root-exe"),
        rule("own.rule", "/not-ours"))})
    t.equal(server.get("/default.ida").status, 403, "the native rule before")
    said = done(t, ordered(server, "update", pack))
    t.check("0 rules added, 2 changed, 0 removed" in said, said)
    t.equal((server.get("/default.ida").status, server.get("/instead-of-code-red").status), (200, 403), "code-red")
    mark = server.mark()
    t.equal(server.get("/instead-of-root-exe").status, 200, "a rule that the site only watches")
    line = server.next_line(mark)
    t.equal((line.rule, line.enforced), ("worm.root-exe", False), "what the log says of it")
    t.equal((server.get("/own").status, server.get("/not-ours").status), (403, 200), "the policy's own rule")
    listed = json.loads(done(t, run_command("rules", "list", "--json", "-c", str(server.file), seconds=30)))["rules"]
    sources = {entry["id"]: entry["file"] for entry in listed}
    t.equal(sources["worm.code-red"], "pack shop 1/a.cfg", "where a rule of a pack comes from")
    t.check(sources["worm.cmd-exe" if "worm.cmd-exe" in sources else "worm.system-program"].endswith("worms.cfg"), sources)
    shown = done(t, run_command("rules", "show", "worm.code-red", "-c", str(server.file), seconds=30))
    t.check('equals = ( "/instead-of-code-red" );' in shown, shown)


@test(seconds=30)
def a_server_goes_on_serving_while_packs_come_and_go(t):
    publisher = Publisher(t)
    server, _ = protected(t, publisher)
    packs = [publisher.publish(n, {"a.cfg": rules(rule(f"shop.n{n}", f"/n{n}"))}) for n in (1, 2, 3)]
    load = Load(server.address)
    load.start()
    for pack in packs:
        done(t, ordered(server, "update", pack))
    done(t, ordered(server, "rollback"))
    broken = publisher.pack.with_name("broken.pack")
    broken.write_bytes(packs[2].read_bytes().replace(b"/n3", b"/n4"))
    refused(t, ordered(server, "update", broken), "its signature is wrong")
    load.stop()
    t.check(load.served > 50, f"requests served: {load.served}")
    t.equal(load.faults, [], "faults")
    t.equal((server.get("/n2").status, server.get("/n3").status), (403, 200), "the pack that counts")


# ---- what is refused

@test(seconds=30)
def an_older_version_needs_a_word(t):
    publisher = Publisher(t)
    server, store = protected(t, publisher)
    old = publisher.publish(1, {"a.cfg": rules(rule("shop.one", "/one"))})
    new = publisher.publish(2, {"a.cfg": rules(rule("shop.two", "/two"))})
    done(t, ordered(server, "update", new))
    before = (store / "current.pack").read_bytes()
    refused(t, ordered(server, "update", old), "is older than 2", "--allow-older")
    t.equal((store / "current.pack").read_bytes(), before, "what is installed")
    t.equal(server.get("/two").status, 403, "what counts")
    done(t, ordered(server, "update", old, "--allow-older"))
    t.equal((server.get("/one").status, server.get("/two").status), (403, 200), "the old one, wanted")


@test(seconds=30)
def one_version_is_one_thing_and_one_pack_does_not_follow_another(t):
    publisher, other = Publisher(t), Publisher(t, "bank")
    server, _ = protected(t, publisher, rule_pack={"keys": [publisher.public, other.public],
                                                   "directory": str(pathlib.Path(t.directory()) / "store")})
    pack = publisher.publish(7, {"a.cfg": rules(rule("shop.one", "/one"))})
    done(t, ordered(server, "update", pack))
    t.check("installed already" in done(t, ordered(server, "update", pack)), "the same once more")
    (publisher.folder / "shop-7").rename(publisher.folder / "was")
    twin = publisher.publish(7, {"a.cfg": rules(rule("shop.one", "/uno"))})
    refused(t, ordered(server, "update", twin), "version 7 of shop is installed, and is another")
    bank = other.publish(9, {"a.cfg": rules(rule("bank.one", "/bank"))})
    refused(t, ordered(server, "update", bank), 'is "shop", and this is "bank"')
    done(t, ordered(server, "update", bank, "--replace"))
    t.equal((server.get("/one").status, server.get("/bank").status), (200, 403), "the other, wanted")


@test(seconds=30)
def whose_key_is_not_trusted_changes_nothing(t):
    publisher, stranger = Publisher(t), Publisher(t, "stranger")
    server, store = protected(t, publisher)
    pack = stranger.publish(1, {"a.cfg": rules(rule("shop.one", "/one"))})
    refused(t, ordered(server, "update", pack), stranger.public, "not one of rule_pack.keys")
    t.equal(list(store.glob("*.pack")), [], "what is installed")
    t.equal(server.get("/one").status, 200, "what counts")
    none = t.fresh_server({}, origins=[t.origin()])
    refused(t, ordered(none, "update", pack), "no rule_pack.keys")


@test(seconds=30)
def a_pack_that_does_not_fit_the_policy_changes_nothing(t):
    """It compiles by itself, but the policy names a rule that it does away with."""
    publisher = Publisher(t)
    store = pathlib.Path(t.directory()) / "store"
    server = t.fresh_server({"rule_pack": {"keys": publisher.public, "directory": str(store)}}, origins=[t.origin()])
    first = publisher.publish(1, {"a.cfg": rules(rule("shop.one", "/one"))})
    second = publisher.publish(2, {"a.cfg": rules(rule("shop.two", "/two"))})
    done(t, ordered(server, "update", first))
    server.write_policy({"site": {"shield": {"rules": [{"rules": ["shop.one"], "mode": "monitor"}]}}})
    t.equal(server.reload().status, 200, "a policy that names a pack's rule")
    refused(t, ordered(server, "update", second), "shop.one", "nothing was changed")
    t.check(b"version 1\n" in (store / "current.pack").read_bytes(), "what is installed")
    refused(t, ordered(server, "remove"), "shop.one", "without it the policy has errors")
    t.equal(server.get("/one").status, 200, "only watched")


@test(seconds=30)
def what_would_not_compile_or_names_files_is_not_signed(t):
    publisher = Publisher(t)
    secret = pathlib.Path(t.directory()) / "secret.cfg"
    secret.write_text(rules(rule("secret.rule", "/secret")))
    result = publisher.sign(1, {"a.cfg": 'rules = ( { id = "x"; where = "path"; pattern = "("; message = "m"; } );'})
    refused(t, result, "pack shop 1/a.cfg:1", "nothing was signed")
    result = publisher.sign(2, {"a.cfg": f'@include "{secret}"\n'})
    refused(t, result, "pack shop 2/a.cfg:1", "may not include files")
    refused(t, publisher.sign(3, {"a.cfg": "listen = ( );\n" + rules(rule("a", "/a"))}), "unknown setting")
    t.equal(list(publisher.folder.glob("*.pack")), [], "packs that were written")


@test(seconds=30)
def a_signed_pack_that_names_a_file_is_refused_where_it_is_installed(t):
    """Signed by other means: what a key's holder may do is decided where the pack counts."""
    publisher = Publisher(t)
    server, _ = protected(t, publisher)
    pack = forged(t, publisher, 1, b'@include "/etc/passwd"\n')
    refused(t, ordered(server, "update", pack), "may not include files", "nothing was changed")
    pack = forged(t, publisher, 2, rules(rule("shop.one", "/one")).encode(), name="../escape.cfg")
    refused(t, ordered(server, "update", pack), "is not named as")


def forged(t, publisher, version, text, name="a.cfg"):
    """A pack made with openssl, which also shows that the format is what the documents say."""
    private = bytes.fromhex(publisher.key.read_text().split("\n")[1])
    der = publisher.folder / "key.der"
    der.write_bytes(bytes.fromhex("302e020100300506032b657004220420") + private)
    body = publisher.folder / "body"
    body.write_bytes(f"sallyport rule pack 1\nname shop\nversion {version}\ncreated 2026-11-26T12:00:00Z\n"
                     f"key {publisher.public}\nfiles 1\nfile {name} {len(text)}\n".encode() + text)
    signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", der, "-keyform", "DER", "-in", body],
                               capture_output=True, check=True).stdout
    pack = publisher.folder / f"forged-{version}.pack"
    pack.write_bytes(body.read_bytes() + f"signature {signature.hex()}\n".encode())
    return pack


@test(seconds=30)
def a_pack_signed_by_openssl_is_as_good(t):
    publisher = Publisher(t)
    server, _ = protected(t, publisher)
    done(t, ordered(server, "update", forged(t, publisher, 5, rules(rule("shop.one", "/one")).encode())))
    t.equal(server.get("/one").status, 403, "its rule")


# ---- what is tampered with

def tamper(store):
    current = store / "current.pack"
    current.write_bytes(current.read_bytes().replace(b"/one", b"/two"))


@test(seconds=30)
def a_pack_that_was_tampered_with_stops_reloads_and_starts_and_says_the_way_out(t):
    publisher = Publisher(t)
    server, store = protected(t, publisher)
    done(t, ordered(server, "update", publisher.publish(1, {"a.cfg": rules(rule("shop.one", "/one"))})))
    done(t, ordered(server, "update", publisher.publish(2, {"a.cfg": rules(rule("shop.one", "/one", "newer"))})))
    tamper(store)
    answer = server.reload()
    t.equal(answer.status, 409, "status of the reload")
    said = json.loads(answer.body)["errors"]
    t.check(str(store) in said and "its signature is wrong" in said and "rules rollback" in said, said)
    t.equal((server.get("/one").status, server.get("/two").status), (403, 200), "the running server has the old set")
    checked = run_command("check", "-c", str(server.file), seconds=30)
    t.equal(checked.returncode, 1, "exit status of check")
    started = run_command("run", "-c", str(server.file), seconds=30)
    t.equal(started.returncode, 1, f"exit status of a start\n{started.stdout}{started.stderr}")
    t.check("its signature is wrong" in started.stdout + started.stderr, "what a start says")
    t.equal(run_command("status", "-c", str(server.file), seconds=30).returncode, 0, "status finds the server")
    done(t, ordered(server, "rollback"))
    t.equal(server.reload().status, 200, "status of the reload afterwards")
    t.check(b"version 1\n" in (store / "current.pack").read_bytes(), "what is installed")


@test(seconds=30)
def what_was_tampered_with_is_nothing_to_go_back_to(t):
    publisher = Publisher(t)
    server, store = protected(t, publisher)
    done(t, ordered(server, "update", publisher.publish(1, {"a.cfg": rules(rule("shop.one", "/one"))})))
    done(t, ordered(server, "update", publisher.publish(2, {"a.cfg": rules(rule("shop.one", "/one", "newer"))})))
    tamper(store)
    result = ordered(server, "update", publisher.publish(3, {"a.cfg": rules(rule("shop.one", "/three"))}))
    done(t, result)
    t.check("does not count" in result.stderr, result.stderr)
    done(t, ordered(server, "rollback"))
    t.check(b"version 1\n" in (store / "current.pack").read_bytes(), "the last whole one before")


@test(seconds=30)
def a_directory_that_others_may_write_to_is_not_trusted(t):
    publisher = Publisher(t)
    server, store = protected(t, publisher)
    done(t, ordered(server, "update", publisher.publish(1, {"a.cfg": rules(rule("shop.one", "/one"))})))
    store.chmod(0o777)
    answer = server.reload()
    t.check(answer.status == 409 and "can be written by others" in json.loads(answer.body)["errors"], answer.body)
    t.equal(server.get("/one").status, 403, "the old set")


@test(seconds=30)
def a_key_that_is_not_trusted_any_more_ends_its_pack(t):
    publisher, other = Publisher(t), Publisher(t, "bank")
    server, store = protected(t, publisher)
    done(t, ordered(server, "update", publisher.publish(1, {"a.cfg": rules(rule("shop.one", "/one"))})))
    server.write_policy({"rule_pack": {"keys": other.public, "directory": str(store)}})
    answer = server.reload()
    t.check(answer.status == 409 and publisher.public in json.loads(answer.body)["errors"], answer.body)
    done(t, ordered(server, "remove"))
    t.equal(server.reload().status, 200, "status of the reload without the pack")
    t.equal(server.get("/one").status, 200, "its rule is gone")


@test(seconds=30)
def a_check_of_a_policy_with_a_pack_needs_no_rights(t):
    if os.geteuid() != 0:
        t.skip("only root can become another user")
    publisher = Publisher(t)
    server, store = protected(t, publisher)
    done(t, ordered(server, "update", publisher.publish(1, {"a.cfg": rules(rule("shop.one", "/one"))})))
    for folder in (store, store.parent):
        folder.chmod(0o755)
    server.file.chmod(0o644)
    program = install_program(store.parent)
    result = subprocess.run([program, "check", "-c", server.file], user=65534, group=65534, extra_groups=[],
                            capture_output=True, text=True, timeout=30 * t.pace(), check=False)
    t.equal(result.returncode, 0, f"exit status\n{result.stdout}{result.stderr}")
    t.check("pack shop 1 with 1 of them" in result.stdout, result.stdout)


# ---- age

@test(seconds=30)
def an_old_pack_is_warned_of_and_measured(t):
    publisher = Publisher(t)
    server, store = protected(t, publisher)
    pack = forged(t, publisher, 5, rules(rule("shop.one", "/one")).encode())
    text = pack.read_bytes().replace(b"created 2026-11-26", b"created 2001-07-13")
    body = text[:text.rindex(b"signature ")]
    (publisher.folder / "body").write_bytes(body)
    signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", publisher.folder / "key.der", "-keyform",
                                "DER", "-in", publisher.folder / "body"], capture_output=True, check=True).stdout
    pack.write_bytes(body + f"signature {signature.hex()}\n".encode())
    done(t, ordered(server, "update", pack))
    said = done(t, run_command("status", "-c", str(server.file)))
    t.check("pack shop 5 with 1 of them, made 2001-07-13" in said and "OLDER than rule_pack.max_age" in said, said)
    t.check("OLDER" in done(t, run_command("check", "-c", str(server.file), seconds=30)), "what check says")
    status = server.status()["rules"]
    t.equal((status["pack"]["name"], status["pack"]["version"], status["pack"]["old"]), ("shop", 5, True), "status")
    metrics = server.api("GET", "/metrics").body.decode()
    age = int(next(line for line in metrics.splitlines() if line.startswith("sallyport_rules_age_seconds ")).split()[1])
    t.check(age > 20 * 365 * 86400, f"its age: {age}")
    t.check("sallyport_rules_pack_version 5\n" in metrics, "its version")
    server.write_policy({"rule_pack": {"keys": publisher.public, "directory": str(store), "max_age": "0 s"}})
    t.equal(server.reload().status, 200, "status of a reload")
    t.check("OLDER" not in done(t, run_command("status", "-c", str(server.file))), "without a bound")


# ---- from a URL

class Host:
    """A web server with one file, over TLS."""

    def __init__(self, t, certificate, content=b"", status=200):
        self.asked, self.content, self.status = [], content, status
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                host.asked.append((self.path, dict(self.headers.items())))
                self.send_response(host.status)
                if host.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(host.content)))
                self.end_headers()
                self.wfile.write(host.content)

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that does not trust us

        self.server = Quiet(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        t.later(self.close)

    def url(self, path="/shop.pack?of=rules"):
        return f"https://localhost:{self.server.server_address[1]}{path}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def certificate(t):
    folder = pathlib.Path(t.directory())
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out",
                    folder / "cert.pem"], check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


@test(seconds=30)
def a_pack_is_fetched_from_its_url_only_when_told_to(t):
    publisher = Publisher(t)
    made = certificate(t)
    host = Host(t, made, publisher.publish(1, {"a.cfg": rules(rule("shop.one", "/one"))}).read_bytes())
    store = str(pathlib.Path(t.directory()) / "store")
    of_pack = {"keys": publisher.public, "directory": store, "url": host.url(), "ca": str(made[0])}
    server = t.fresh_server({"rule_pack": of_pack}, origins=[t.origin()])
    t.equal(server.reload().status, 200, "status of a reload")
    t.equal(run_command("check", "-c", str(server.file), seconds=30).returncode, 0, "exit status of check")
    t.equal(host.asked, [], "what was asked of it unbidden")
    said = done(t, ordered(server, "update"))
    t.check("shop 1 is installed" in said, said)
    t.equal(server.get("/one").status, 403, "its rule")
    path, fields = host.asked[0]
    t.equal((len(host.asked), path), (1, "/shop.pack?of=rules"), "what was asked")
    t.check("Cookie" not in fields and "Authorization" not in fields, fields)


@test(seconds=30)
def what_a_url_answers_is_trusted_for_nothing(t):
    publisher, stranger = Publisher(t), Publisher(t, "stranger")
    made = certificate(t)
    host = Host(t, made, stranger.publish(1, {"a.cfg": rules(rule("shop.one", "/one"))}).read_bytes())
    store = str(pathlib.Path(t.directory()) / "store")
    of_pack = {"keys": publisher.public, "directory": store, "url": host.url(), "ca": str(made[0]), "max_size": "4 KiB"}
    server = t.fresh_server({"rule_pack": of_pack}, origins=[t.origin()])
    refused(t, ordered(server, "update"), stranger.public, "not one of rule_pack.keys")
    host.content = b"x" * 5000
    refused(t, ordered(server, "update"), host.url())
    host.content, host.status = b"", 404
    refused(t, ordered(server, "update"), "status 404")
    host.status, asked = 302, len(host.asked)
    refused(t, ordered(server, "update"), "status 302")
    t.equal(len(host.asked), asked + 1, "no redirect is followed")
    server.write_policy({"rule_pack": {**of_pack, "ca": None}})
    asked = len(host.asked)
    refused(t, ordered(server, "update"), "certificate")
    t.equal(len(host.asked), asked, "nothing is asked of whom no authority vouches for")
    host.close = lambda: None
    host.server.shutdown()
    host.server.server_close()
    refused(t, ordered(server, "update"), host.url())
    t.equal(os.listdir(store), [], "what is installed")


# ---- wrong use

@test(seconds=30)
def the_commands_say_what_they_need(t):
    for arguments, words in ((("rules",), "verb"), (("rules", "publish"), "publish"), (("rules", "show"), "ID"),
                             (("rules", "sign", "x"), "--version"), (("rules", "list", "x"), "no operand"),
                             (("rules", "verify", "x", "--key", "12"), "64 hexadecimal")):
        result = run_command(*arguments)
        t.equal(result.returncode, 2, f"exit status of {arguments}")
        t.check(words in result.stderr, result.stderr)
    publisher = Publisher(t)
    again = run_command("rules", "key", str(publisher.key))
    t.equal((again.returncode, again.stdout.strip()), (0, publisher.public), "a key that is there is not made anew")
    publisher.key.chmod(0o644)
    refused(t, publisher.sign(1, {"a.cfg": rules(rule("a", "/a"))}), "others may use")
