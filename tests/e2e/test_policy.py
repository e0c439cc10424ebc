"""Policies: broken ones say everything that is wrong and change nothing."""

import json
import os
import re
import socket
import subprocess

from harness import server as harness_server
from harness import test
from harness.server import ROOT, free_port, own_address, run_command

GOOD = """
listen = ( { address = "127.0.0.1:8080"; } );
sites = ( { name = "shop"; hosts = ( "shop.example" ); origins = ( "http://127.0.0.1:1" ); } );
"""


def written(t, text, name="policy.cfg"):
    path = t.directory() / name
    path.write_text(text)
    return path


def checked(t, text, *arguments):
    return run_command("check", "-c", str(written(t, text)), *arguments)


# ---- check

@test
def check_says_yes_to_a_good_policy(t):
    result = checked(t, GOOD)
    t.equal((result.returncode, result.stderr), (0, ""), "exit status and standard error")


@test
def check_needs_no_rights(t):
    """As a user who may neither bind the port nor write the log."""
    if os.geteuid() != 0:
        t.skip("only root can become another user")
    path = written(t, GOOD.replace("8080", "80") + 'log = { access = "/var/log/access.log"; };')
    path.chmod(0o644)
    path.parent.chmod(0o755)
    binary = harness_server.installed(path.parent)
    result = subprocess.run([binary, "check", "-c", path], user=65534, group=65534, extra_groups=[],
                            capture_output=True, text=True, timeout=10 * t.pace(), check=False)
    t.equal(result.returncode, 0, f"exit status\n{result.stdout}{result.stderr}")


@test
def check_reports_every_error_at_once_with_file_and_line(t):
    result = checked(t, "listn = ( );\n" + GOOD + 'timeouts = { head = "ten s"; idle = "99 d"; };\n'
                     'quotas = { per_client = -1; };\n')
    t.equal(result.returncode, 1, "exit status")
    said = result.stdout + result.stderr
    for line, word in ((1, "listn"), (5, "head"), (5, "idle"), (6, "per_client")):
        t.check(re.search(rf"policy\.cfg:{line}: error: .*{word}", said), f"line {line}, {word}:\n{said}")
    t.check("did you mean 'listen'" in said or "listen" in said.split("\n")[0], f"the nearest name:\n{said}")


@test
def a_misspelt_command_or_verb_is_told_the_nearest(t):
    for words, nearest in ((("stat",), None), (("statsu",), "status"), (("help", "chek"), "check"),
                           (("rules", "lst"), "list"), (("vault", "aprove"), "approve"), (("vault", "veryfy"), "verify")):
        result = run_command(*words)
        t.equal(result.returncode, 2, f"exit status of {words}")
        t.equal(f'did you mean "{nearest}"?' in result.stderr, nearest is not None, f"{words}: {result.stderr}")
        t.check(f'"{words[-1]}"' in result.stderr, f"what was wrong: {result.stderr}")


@test
def a_misspelt_option_is_told_the_nearest(t):
    for words, sentence in ((("run", "--lisen=:80"), 'there is no option "--lisen" here, did you mean "--listen"?'),
                            (("check", "--confg", "x"), 'there is no option "--confg" here, did you mean "--config"?'),
                            (("vault", "approve", "--urll", "/", "site"), '"--urll" here, did you mean "--url"?'),
                            (("egress", "release", "--stage", "2", "10.0.0.5"), 'there is no option "--stage" here\n'),
                            (("reload", "--json"), 'there is no option "--json" here\n'),
                            (("explain", "-z"), 'there is no option "-z" here\n'),
                            (("replay", "--top"), "--top needs a value\n")):
        result = run_command(*words)
        t.equal(result.returncode, 2, f"exit status of {words}")
        t.check(sentence in result.stderr, f"{words}: {result.stderr}")


@test(seconds=30)
def a_policy_with_errors_costs_no_compilation_of_rules(t):
    """Compiling takes seconds, and what is compiled is kept: nothing is kept here."""
    cache = t.directory() / "cache"
    cache.mkdir()
    environment = {"SALLYPORT_CACHE": str(cache)}
    result = run_command("check", "-c", str(written(t, "nonsense = 1;" + GOOD)), environment=environment)
    t.equal((result.returncode, list(cache.iterdir())), (1, []), "exit status, and what was compiled and kept")
    result = run_command("check", "-c", str(written(t, GOOD)), environment=environment)
    t.check(result.returncode == 0 and list(cache.iterdir()), "a good policy's rules are kept")


@test
def check_as_json_can_be_read_by_a_program(t):
    result = checked(t, GOOD + "nonsense = 1;\n", "--json")
    answer = json.loads(result.stdout)
    t.equal((result.returncode, answer["ok"], answer["errors"]), (1, False, 1), "exit status, ok, errors")
    problem = answer["problems"][0]
    t.equal((problem["kind"], problem["line"]), ("error", 4), "the problem")


@test
def a_file_that_is_not_there_is_an_error_in_one_line(t):
    for command in ("check", "run"):
        result = run_command(command, "-c", "/nonexistent/policy.cfg")
        said = (result.stdout + result.stderr).strip()
        t.equal(result.returncode, 1, f"exit status of {command}")
        t.check("/nonexistent/policy.cfg" in said and len(said.splitlines()) == 1, f"one line names it: {said!r}")


@test
def wrong_use_ends_with_2(t):
    for arguments in (["no-such-command"], ["check", "--no-such-option"], ["check"], ["run", "-c"]):
        result = run_command(*arguments)
        t.equal(result.returncode, 2, f"exit status of {arguments}")
        t.check(result.stderr.strip(), f"something is said about {arguments}")


def bad_policies():
    return {path.name: path for path in sorted((ROOT / "conf/bad").glob("*.cfg"))}


def must_be_said(path):
    """The file's lines "# expect: LINE: error: TEXT"."""
    return re.findall(r"^# expect: (.+)$", path.read_text(errors="replace"), re.M)


@test(each=bad_policies())
def every_bad_policy_is_refused_with_what_must_be_said(t, path):
    expected = must_be_said(path)
    t.check(expected, f"{path} says what must be said")
    result = run_command("check", "-c", str(path.relative_to(ROOT)), directory=ROOT)
    said = result.stdout + result.stderr
    only_warnings = all("warning: " in line for line in expected)
    t.equal(result.returncode, 0 if only_warnings else 1, f"exit status; {said}")
    t.equal(len(re.findall(r": (?:error|warning): ", said)), len(expected), f"errors and warnings\n{said}")
    for line in expected:
        t.check(line in said, f"not said: {line}\nsaid: {said}")


@test
def there_are_bad_policies(t):
    t.check(len(bad_policies()) >= 20, f"conf/bad has {len(bad_policies())} policies")


# ---- run

@test
def an_answer_that_cannot_be_written_was_not_given(t):
    with open("/dev/full", "wb") as full:
        for arguments in (["version"], ["help"], ["check", "--help"], ["check", "--rules"]):
            result = subprocess.run([harness_server.BINARY, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
            t.equal(result.returncode, 1, f"exit status of {arguments}")
            t.equal(result.stderr.count("cannot write the answer"), 1, result.stderr)


def fails_in_one_line(t, result, *words):
    said = result.stderr.strip().splitlines()
    t.equal(result.returncode, 1, f"exit status\n{result.stderr}")
    t.check(len(said) == 1, f"one line is said: {said}")
    for word in words:
        t.check(word in said[0], f"{word!r} is named: {said[0]}")


@test
def a_port_in_use_is_one_line_and_1(t):
    with socket.socket() as taken:
        taken.bind((own_address(), 0))
        taken.listen()
        address = f"{own_address()}:{taken.getsockname()[1]}"
        path = written(t, GOOD.replace("127.0.0.1:8080", address) +
                       f'process = {{ runtime = "{t.directory()}/run"; }};')
        fails_in_one_line(t, run_command("run", "-c", str(path)), address, "in use")


@test
def an_address_of_another_machine_is_one_line_and_1(t):
    path = written(t, GOOD.replace("127.0.0.1:8080", "192.0.2.1:8080") +
                   f'process = {{ runtime = "{t.directory()}/run"; }};')
    fails_in_one_line(t, run_command("run", "-c", str(path)), "192.0.2.1:8080")


@test
def a_log_that_cannot_be_written_is_one_line_and_1(t):
    path = written(t, GOOD.replace("127.0.0.1:8080", f"{own_address()}:{free_port()}") +
                   'log = { access = "/nonexistent/access.log"; };\n'
                   f'process = {{ runtime = "{t.directory()}/run"; }};')
    fails_in_one_line(t, run_command("run", "-c", str(path)), "/nonexistent/access.log")


@test
def helpers_that_lose_their_master_add_nothing(t):
    folder = t.directory()
    os.chmod(folder, 0o755)  # the keeper, who is not root, has to get through
    guarded = GOOD.replace("origins = (", 'guard = { mode = "monitor"; }; origins = (')
    path = written(t, guarded.replace("127.0.0.1:8080", f"{own_address()}:{free_port()}") +
                   f'vault = {{ directory = "{folder}/vault"; }};\n'
                   'log = { access = "/nonexistent/access.log"; };\n'
                   f'process = {{ runtime = "{folder}/run"; }};')
    result = run_command("run", "-c", str(path))
    said = [line for line in result.stderr.splitlines() if " info: " not in line]  # a keeper may have come so far as to make its key
    t.check(result.returncode == 1 and len(said) == 1 and "/nonexistent/access.log" in said[0], f"what is said: {result.stderr}")


@test
def a_broken_policy_does_not_start(t):
    result = run_command("run", "-c", str(written(t, GOOD + "nonsense = 1;\n")))
    t.equal(result.returncode, 1, "exit status")
    t.check("policy.cfg:4: error:" in result.stderr, f"what is said: {result.stderr}")


@test
def a_second_server_in_the_same_place_does_not_start(t):
    """Two masters at one control socket would take each other's orders."""
    server = t.server()
    path = written(t, GOOD.replace("127.0.0.1:8080", f"{own_address()}:{free_port()}") +
                   f'process = {{ runtime = "{server.runtime}"; }};')
    fails_in_one_line(t, run_command("run", "-c", str(path)), "another")
    t.equal(server.get("/").status, 200, "status of the first one")


# ---- reload

@test
def a_broken_policy_leaves_the_running_server_as_it_is(t):
    server = t.fresh_server()
    before, workers = server.file.read_text(), server.workers()
    client = t.client(server)
    t.equal(client.get("/").status, 200, "status before")
    for broken in ("nonsense = 1;\n", "sites = (", 'sites = ( { name = "a"; } );\n',
                   'listen = ( { address = "192.0.2.1:1"; } );\n'):
        server.file.write_text((before if "nonsense" in broken else "") + broken)
        answer = server.reload()
        t.equal(answer.status, 409, f"status of the reload of {broken!r}")
        t.check(b'"ok":false' in answer.body.replace(b" ", b""), f"the answer: {answer.body}")
        t.equal(client.get("/").status, 200, "status on the same connection")
        t.equal(server.workers(), workers, "workers")
    result = server.command("reload", "-c", str(server.file))
    t.equal(result.returncode, 1, f"exit status of sallyport reload\n{result.stderr}")
    server.file.write_text(before)
    t.equal(server.reload().status, 200, "status of the reload of the good policy")
    t.equal(client.get("/").status, 200, "status afterwards")


@test
def a_reload_tells_every_error(t):
    server = t.fresh_server()
    server.file.write_text(server.file.read_text() + "nonsense = 1;\nabsurd = 2;\n")
    answer = server.reload().body
    for word in (b"nonsense", b"absurd", b"sallyport.cfg:"):
        t.check(word in answer, f"{word!r} in the answer: {answer}")


@test
def includes_are_read_beside_the_policy_and_their_errors_name_them(t):
    directory = t.directory()
    (directory / "part.cfg").write_text('timeouts = { head = "5 s"; };\nnonsense = 1;\n')
    main = directory / "main.cfg"
    main.write_text(GOOD + '@include "part.cfg"\n')
    result = run_command("check", "-c", str(main))
    t.equal(result.returncode, 1, "exit status")
    t.check("part.cfg:2: error:" in result.stdout + result.stderr, f"what is said: {result.stdout}{result.stderr}")


@test
def settings_of_the_environment_serve_a_container(t):
    t.alone("standard-place")
    origin = t.origin()
    port = free_port()
    server = t.fresh_server(origins=[origin], start=False,
                            environment={"SALLYPORT_LISTEN": f"{own_address()}:{port}",
                                         "SALLYPORT_ORIGIN": origin.url, "SALLYPORT_LOG": "off",
                                         "XDG_RUNTIME_DIR": str(t.directory())})
    server.process = subprocess.Popen(
        [harness_server.BINARY, "run"], stdin=subprocess.DEVNULL, env=os.environ | server.environment,
        stdout=subprocess.DEVNULL, stderr=open(server.errors_file, "wb"), start_new_session=True)
    server.address = (own_address(), port)

    def answer():
        try:
            return server.get("/", host="any.example").status
        except OSError:
            return None
    t.equal(t.eventually(answer, lambda: f"an answer\n{server.errors()}"), 200, "status")
