"""The sandbox where the kernel or a container has no part of it: one warning and on, or the end,
as the policy says."""

import os
import pathlib

from harness import refuse, test
from harness.server import is_sanitized, own_address


def without(t, calls, settings=None, **options):
    if not refuse.can():
        t.skip("the numbers of system calls are not known for this machine")
    if is_sanitized():
        t.skip("sanitizer builds run without the sandbox")
    return t.fresh_server(settings, start=False, before=lambda: refuse.calls(*calls), **options)


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def warnings(server):
    return [line for line in server.errors().splitlines() if "warning" in line
            and "rules" not in line]


@test
def without_landlock_it_warns_once_and_goes_on(t):
    server = without(t, ["landlock_create_ruleset"])
    server.start()
    t.equal(server.get("/").status, 200, "status")
    said = warnings(server)
    t.equal(len(said), 1, f"warnings: {said}")
    t.check("Landlock" in said[0], f"what is said: {said[0]}")
    t.equal(status_of(server.workers()[0])["Seccomp"], "2", "Seccomp of the worker all the same")


@test
def without_close_range_no_process_keeps_what_is_not_its_own(t):
    if os.geteuid() != 0:
        t.skip("only root can look into processes that are not dumpable")
    leak = os.open("/etc/hostname", os.O_RDONLY)
    t.later(lambda: os.close(leak))
    server = without(t, ["close_range"], inherit=[leak])
    server.start()
    for process in server.processes():
        held = {fd.name: os.readlink(fd) for fd in pathlib.Path(f"/proc/{process['pid']}/fd").iterdir()}
        t.check("/etc/hostname" not in held.values(), f"the {process['role']} holds {held}")
        if process["role"] == "worker":
            t.check(not any("signalfd" in target for target in held.values()), f"of its generation it holds {held}")


@test
def where_the_sandbox_is_required_a_missing_part_is_fatal(t):
    server = without(t, ["landlock_create_ruleset"], {"process": {"sandbox": "required"}})
    server.start(wait=False)
    t.equal(server.ended(5), 1, "exit status")
    said = server.errors().strip().splitlines()
    t.check(len(said) == 1 and "Landlock" in said[0] and "sandbox" in said[0],
            f"one line says why: {said}")


@test
def a_sandbox_that_is_required_and_there_is_no_hindrance(t):
    if is_sanitized():
        t.skip("sanitizer builds run without the sandbox")
    server = t.fresh_server({"process": {"sandbox": "required"}}, start=False)
    server.start(wait=False)

    def ended_or_ready():
        if server.process.poll() is not None:
            t.skip(f"this machine has no whole sandbox: {server.errors().strip()}")
        try:
            return server.get("/").status == 200
        except OSError:
            return False
    t.eventually(ended_or_ready, "it serves", 5)


@test
def a_sandbox_that_is_off_leaves_the_rights_dropped(t):
    server = t.fresh_server({"process": {"sandbox": "off"}})
    t.equal(server.get("/").status, 200, "status")
    status = status_of(server.workers()[0])
    t.equal((status["NoNewPrivs"], status["CapEff"]), ("1", "0" * 16),
            "NoNewPrivs and CapEff of the worker")
    t.check("0" not in status["Uid"].split() or status_of("self")["Uid"].split()[0] != "0",
            f"the worker runs as {status['Uid']}")


@test
def a_missing_right_is_one_line_and_1(t):
    """A port that only root may take, asked for by somebody else."""
    low = pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()
    if int(low) <= 80 or status_of("self")["Uid"].split()[0] != "0":
        t.skip("everybody may take port 80 here, or the tests do not run as root")
    server = t.fresh_server(start=False, user=65534)
    server.write_policy({"listen": [{"address": f"{own_address()}:80"}]})
    server.start(wait=False)
    t.equal(server.ended(5), 1, "exit status")
    said = server.errors().strip().splitlines()
    t.check(len(said) == 1 and f"{own_address()}:80" in said[0], f"one line names it: {said}")
    t.check(any(word in said[0] for word in ("CAP_NET_BIND_SERVICE", "root", "right", "permi",
                                             "Permi")), f"and says why: {said}")


@test
def the_error_page_comes_from_a_folder_that_workers_may_not_enter(t):
    """They run as nobody; the policy, and what it names, is read before."""
    folder = t.directory()
    (folder / "page.html").write_text("ours: {{status}}")
    folder.chmod(0o700)
    server = t.fresh_server({"error_pages": str(folder)})
    client = server.client()
    client.send(b"GET / HTTP/9.9\r\n\r\n")
    response = client.read_response()
    t.equal((response.status, response.body), (505, b"ours: 505"), "the page")
