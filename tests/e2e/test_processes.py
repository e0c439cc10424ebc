"""The processes: their rights, their deaths, their end."""

import os
import pathlib
import random
import re
import signal
import subprocess
import threading
import time

from harness import Failure, reply, test
from harness.server import ROOT, free_port, is_sanitized, own_address


def facts(pid):
    """/proc/PID/status as a dictionary."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def roles(server):
    return {process["role"] for process in server.processes()}


# ---- rights

@test
def every_process_has_its_role_and_name(t):
    server = t.server()
    t.check({"generation", "worker", "scribe", "console"} <= roles(server),
            f"roles: {roles(server)}")
    for process in server.processes():
        line = pathlib.Path(f"/proc/{process['pid']}/cmdline").read_bytes().replace(b"\0",
                                                                                    b" ").decode()
        t.check(process["role"] in line or process["role"] == "master",
                f"{process['role']} calls itself {line!r}")


@test
def without_standard_descriptors_none_is_taken_for_one(t):
    server = t.fresh_server(before=lambda: os.closerange(0, 3))
    for process in server.processes():
        for number in range(3):
            t.equal(os.readlink(f"/proc/{process['pid']}/fd/{number}"), "/dev/null",
                    f"descriptor {number} of the {process['role']}")
    t.equal(server.get("/").status, 200, "status")


@test
def children_are_seen_to_end_though_the_starter_ignores_its_own(t):
    server = t.fresh_server(before=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    worker = server.workers()[0]
    os.kill(worker, signal.SIGKILL)
    t.eventually(lambda: server.workers() not in ([], [worker]), "another worker in its place", 5)
    t.check(f"worker {worker} " in server.errors(), server.errors())


@test
def workers_have_no_rights(t):
    server = t.server()
    if is_sanitized():
        t.skip("sanitizer builds run without the sandbox")
    for pid in server.workers():
        status = facts(pid)
        for name, expected in (("NoNewPrivs", "1"), ("Seccomp", "2"), ("CapEff", "0" * 16),
                               ("CapPrm", "0" * 16),
                               ("CapInh", "0" * 16), ("CapAmb", "0" * 16)):
            t.equal(status[name], expected, f"{name} of worker {pid}")
        if os.geteuid() == 0:
            t.check("0" not in status["Uid"].split() + status["Gid"].split(),
                    f"worker {pid} runs as {status['Uid']}, {status['Gid']}")
            t.check("0" not in status["Groups"].split(),
                    f"worker {pid} has the groups {status['Groups']}")


@test
def no_process_but_the_master_runs_as_root(t):
    if os.geteuid() != 0:
        t.skip("not started as root")
    server = t.server()
    for process in server.processes():
        if process["role"] == "master":
            continue
        status = facts(process["pid"])
        t.check("0" not in status["Uid"].split(), f"{process['role']} runs as {status['Uid']}")
        if not is_sanitized():
            t.equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"),
                    f"NoNewPrivs and Seccomp of {process['role']}")


# Of <linux/capability.h>.
CAPABILITIES = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SETPCAP": 8,
                "CAP_NET_BIND_SERVICE": 10, "CAP_NET_ADMIN": 12}


@test
def the_unit_for_systemd_gives_the_master_what_it_keeps_and_no_more(t):
    if os.geteuid() != 0:
        t.skip("not started as root")
    unit = (ROOT / "conf/sallyport.service").read_text()
    names = re.search("^CapabilityBoundingSet=(.*)$", unit, re.MULTILINE).group(1).split()
    given = sum(1 << CAPABILITIES[name] for name in names)
    ours = int(facts(os.getpid())["CapBnd"], 16)
    master = facts(next(process["pid"] for process in t.server().processes() if process["role"] == "master"))
    t.equal(int(master["CapPrm"], 16), given & ours, "what it keeps")


def descriptors(t, pid):
    """What a process has open, by number."""
    try:
        return {fd.name: os.readlink(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()}
    except PermissionError:
        t.skip("only root can look into processes that are not dumpable")


@test
def a_worker_has_no_file_open_and_no_code_that_can_be_written(t):
    server = t.server()
    for pid in server.workers():
        for fd, target in descriptors(t, pid).items():
            t.check(target.startswith(("socket:", "anon_inode:", "pipe:", "/memfd:", "/dev/null")) or fd in "012",
                    f"descriptor {fd} of worker {pid} is {target}")
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            t.check("wx" not in line.split()[1],
                    f"worker {pid} has memory to write and run: {line}")


@test
def no_process_keeps_a_descriptor_of_ours(t):
    """What the one who started it had open is closed."""
    leak = os.open("/etc/hostname", os.O_RDONLY)
    t.later(lambda: os.close(leak))
    server = t.fresh_server(inherit=[leak])
    for pid in [server.process.pid, *server.descendants()]:
        held = descriptors(t, pid)
        t.check("/etc/hostname" not in held.values(), f"process {pid} holds {held}")


# ---- deaths

@test
def a_killed_worker_is_replaced_and_the_signal_is_told(t):
    server = t.fresh_server({"process": {"workers": 2}})
    before = server.workers()
    t.equal(len(before), 2, "workers")
    os.kill(before[0], signal.SIGKILL)
    for _ in range(20):
        t.equal(server.get("/").status, 200, "status meanwhile")
    after = t.eventually(lambda: len(w := server.workers()) == 2 and before[0] not in w and w,
                         "two workers again")
    t.check(before[1] in after, "the other worker stays")
    said = server.errors() + server.events()
    t.check(str(before[0]) in said
            and ("signal 9" in said or "SIGKILL" in said or "Killed" in said),
            f"the death is told with its signal:\n{said}")


@test
def requests_go_on_while_the_only_worker_is_replaced(t):
    server = t.fresh_server()
    os.kill(server.workers()[0], signal.SIGKILL)
    t.equal(server.get("/").status, 200, "status of a request that waits for the new worker")


@test(seconds=20)
def a_worker_that_dies_again_and_again_is_started_ever_later(t):
    server = t.fresh_server()
    deaths, end = [], time.monotonic() + 6
    while time.monotonic() < end:
        for pid in server.workers():
            if pid and pid not in deaths:
                try:
                    os.kill(pid, signal.SIGKILL)
                    deaths.append(pid)
                except ProcessLookupError:
                    pass
        time.sleep(0.01)
    t.check(2 <= len(deaths) <= 40, f"{len(deaths)} workers in 6 s")


@test(each={"scribe": "scribe", "console": "console"})
def a_helper_that_dies_is_replaced_and_traffic_goes_on(t, role):
    server = t.fresh_server()
    pid = next(process["pid"] for process in server.processes() if process["role"] == role)
    os.kill(pid, signal.SIGKILL)
    t.equal(server.get("/meanwhile").status, 200, "status meanwhile")

    def replaced():
        try:
            return any(p["role"] == role and p["pid"] not in (0, pid) for p in server.processes())
        except (OSError, Failure):
            return False
    t.eventually(replaced, f"a new {role}", 5)
    server.get("/after")
    server.next_line(None, lambda line: line.target == "/after", seconds=5)


@test(seconds=15)
def a_generation_that_dies_is_replaced(t):
    server = t.fresh_server()
    pid = next(process["pid"] for process in server.processes() if process["role"] == "generation")
    os.kill(pid, signal.SIGKILL)

    def served():
        try:
            return server.get("/").status == 200
        except (OSError, Failure):
            return False
    t.eventually(served, "service again", 8, 0.05)
    t.eventually(lambda: any(p["role"] == "generation" and p["pid"] not in (0, pid)
                             for p in server.processes()),
                 "a new generation", 5)


@test
def nothing_outlives_a_killed_master(t):
    server = t.fresh_server()
    pids = server.descendants()
    server.process.kill()
    server.process.wait()
    t.eventually(lambda: not any(os.path.exists(f"/proc/{pid}/fd") and not is_zombie(pid)
                                 for pid in pids),
                 lambda: f"the end of all its processes: {[p for p in pids if os.path.exists(f'/proc/{p}')]}", 5)


def is_zombie(pid):
    try:
        return facts(pid)["State"].startswith("Z")
    except OSError:
        return True


# ---- the end

def slow_download(connection, request):
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", *[b"x", 0.1] * 10)


@test
def sigterm_lets_running_exchanges_end(t):
    server = t.fresh_server()
    server.origin.on("/slow", slow_download)
    idle = t.client(server)
    t.equal(idle.get("/").status, 200, "status")
    running = t.client(server).send(t.request("/slow"))
    t.equal(running.read_head().status, 200, "status of the running download")
    server.process.terminate()
    rest = running.read_all()
    t.equal(rest[-1:], b"x", "the download's last byte")
    t.equal(idle.read_all(), b"", "the idle connection ends in order")
    t.equal(server.ended(5), 0, "exit status")
    t.eventually(lambda: refuses(server), "connections are refused")


def refuses(server):
    try:
        server.client().close()
        return False
    except ConnectionRefusedError:
        return True


@test
def sigterm_ends_within_the_deadline(t):
    server = t.fresh_server({"timeouts": {"drain": "700 ms"}})
    server.origin.on("/hang", lambda c, r: c.more(10))
    client = t.client(server).send(t.request("/hang"))
    t.eventually(lambda: server.origin.requests, "the request is at the origin")
    began = time.monotonic()
    server.process.terminate()
    t.equal(server.ended(5), 0, "exit status")
    t.within(began, 3, "the time until it ended", least=0.4)
    client.read_all()
    t.check(client.ended, "the connection ended")
    t.reason(server.next_line(None), "shutting-down")


@test
def requests_that_come_while_the_server_ends_are_refused(t):
    """A pipelined or kept-alive connection hears 503 or the end, never silence."""
    server = t.fresh_server()
    server.origin.on("/slow", slow_download)
    client = t.client(server).send(t.request("/slow"))
    client.read_head()
    server.process.terminate()
    client.send(t.request("/next"))
    rest = client.read_all()
    t.check(b"HTTP/1.1 200" not in rest, f"a new request was served: {rest}")
    if b"503" in rest:
        line = server.next_line(None, lambda line: line.target == "/next")
        t.reason(line, "shutting-down")


@test
def a_server_that_ends_refuses_connections_at_once(t):
    """Nobody takes them in any more, so they would only wait until it is gone, and a balancer would send more."""
    server = t.fresh_server({"timeouts": {"drain": "60 s"}})
    refused = threading.Event()

    def answer(connection, request):
        refused.wait(30)
        connection.send(reply(b"late"))

    server.origin.on("/late", answer)
    client = t.client(server).send(t.request("/late"))
    t.eventually(lambda: server.origin.requests, "the request is at the origin")
    server.process.terminate()
    try:
        t.eventually(lambda: refuses(server), "a new connection is refused", 2)
    finally:
        refused.set()
    t.equal(client.read_response().status, 200, "what is under way goes on")
    t.equal(server.ended(5), 0, "exit status")


@test
def sigint_ends_it_too(t):
    server = t.fresh_server()
    server.process.send_signal(signal.SIGINT)
    t.equal(server.ended(5), 0, "exit status")


@test
def the_log_is_complete_at_the_end(t):
    """What was answered before SIGTERM stands in the log."""
    server = t.fresh_server()
    for number in range(200):
        t.equal(server.get(f"/last/{number}").status, 200, "status")
    server.process.terminate()
    t.equal(server.ended(5), 0, "exit status")
    targets = [line.target for line in server.lines_since()]
    t.equal([target for target in targets if target.startswith("/last/")],
            [f"/last/{n}" for n in range(200)],
            "targets in the log")


@test
def stop_by_command_ends_in_order(t):
    server = t.fresh_server()
    result = server.command("stop", "-c", str(server.file))
    t.equal(result.returncode, 0, f"exit status of sallyport stop: {result.stderr}")
    t.equal(server.ended(6), 0, "exit status of the server")


@test
def the_control_socket_is_for_its_owner_alone(t):
    server = t.server()
    mode = os.stat(server.control_socket).st_mode & 0o777
    t.equal(mode & 0o077, 0, f"rights of others on the control socket ({mode:o})")


@test
def the_demo_says_what_to_try_and_it_works(t):
    """The commands that `run --demo` prints, run as they stand."""
    t.alone("standard-place")
    address = f"{own_address()}:{free_port()}"
    directory = t.directory()
    server = t.fresh_server(origins=[], start=False, arguments=["--listen", address, "--demo"],
                            environment={"XDG_RUNTIME_DIR": str(directory),
                                         "SALLYPORT_LOG": "off"})
    server.start(wait=False)

    def commands():
        if server.process.poll() is not None:
            t.fail(f"it ended: {server.errors()}")
        return re.findall(r"^  (\S.*?) {2,}(curl .*)$", server.errors(), re.M)
    found = t.eventually(lambda: len(commands()) >= 4 and commands(), "four commands")
    t.check("serves" in t.eventually(lambda: "serves" in server.errors() and server.errors(),
                                     "it serves"), "ready")
    statuses = []
    for _, command in found:
        said = subprocess.run(["sh", "-c", command.replace("curl", "curl -sS", 1)],
                              capture_output=True,
                              timeout=10 * t.pace(), check=False)
        statuses.append(said.stdout[:13])
    t.equal(statuses, [b"HTTP/1.1 200 ", b"HTTP/1.1 403 ", b"HTTP/1.1 400 ", b"HTTP/1.1 414 "],
            f"answers to {[name for name, _ in found]}")
    said = server.command("status", environment={"XDG_RUNTIME_DIR": str(directory)})
    t.check("\n  policy        no file\n" in said.stdout, f"the policy in the status: {said.stdout}{said.stderr}")


@test
def two_workers_share_the_work(t):
    server = t.fresh_server({"process": {"workers": 2}})
    server.origin.on("/work", lambda c, r: c.send(0.05, reply()))
    clients = [t.client(server).send(t.request("/work")) for _ in range(20)]
    t.equal([client.read_response().status for client in clients], [200] * 20, "statuses")


@test
def it_runs_without_root(t):
    if os.geteuid() != 0:
        t.skip("it is tested all the time where the tests do not run as root")
    origin = t.origin()
    server = t.fresh_server(origins=[origin], user=65534)
    t.equal(server.get("/").status, 200, "status")
    server.next_line(None)
    for process in server.processes():
        t.equal(facts(process["pid"])["Uid"].split()[0], "65534", f"user of {process['role']}")
    if not is_sanitized():
        status = facts(server.workers()[0])
        t.equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "NoNewPrivs and Seccomp")


@test(heavy=True, seconds=120)
def whatever_is_killed_service_comes_back(t):
    """Processes of every role but the master die at random under load and reloads."""
    server = t.fresh_server({"process": {"workers": 2}})
    choice = random.Random(7)
    end = time.monotonic() + 40
    killed = []
    while time.monotonic() < end:
        victims = server.descendants()
        if victims:
            killed.append(choice.choice(victims))
            try:
                os.kill(killed[-1], choice.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP,
                                                   signal.SIGHUP]))
            except ProcessLookupError:
                pass
        if choice.random() < 0.3:
            server.process.send_signal(signal.SIGHUP)
        time.sleep(choice.random())
        for pid in server.descendants():
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass

    def served():
        try:
            return server.get("/").status == 200 and server.api("GET", "/readyz").status == 200
        except (Failure, OSError):
            return False
    t.eventually(served, lambda: f"service again\n{server.errors()[-2000:]}", 30, 0.2)
    t.note(f"{len(killed)} were hit")
    t.check(server.process.poll() is None, "the master lives")
