"""Reloads: a new policy takes over without a reset, an error or a lost connection."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from harness import Client, reply, test
from harness.load import Load
from harness.server import free_port, is_sanitized, own_address


def master(server):
    """Resident bytes and descriptors of the master."""
    pid = server.process.pid
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    resident = int(re.search(r"^VmRSS:\s+(\d+)", status, re.M)[1]) << 10
    return resident, len(os.listdir(f"/proc/{pid}/fd"))


def reload_and_wait(t, server):
    generation = server.status()["generation"]
    answer = server.reload()
    t.equal(answer.status, 200, f"status of the reload: {answer.body}")
    t.eventually(lambda: server.status()["generation"] > generation, "the next generation")


@test
def a_reload_changes_the_policy(t):
    server = t.fresh_server()
    t.equal(server.get("/", host="new.example").status, 421, "status before")
    server.write_policy({"site": {"hosts": ["site.example", "new.example"]}})
    reload_and_wait(t, server)
    t.equal(server.get("/", host="new.example").status, 200, "status after")


@test
def sighup_reloads(t):
    server = t.fresh_server()
    server.write_policy({"site": {"hosts": ["site.example", "new.example"]}})
    server.process.send_signal(signal.SIGHUP)
    t.eventually(lambda: server.get("/", host="new.example").status == 200, "the new policy")


@test
def the_reload_command_reloads(t):
    server = t.fresh_server()
    server.write_policy({"site": {"hosts": ["site.example", "new.example"]}})
    result = server.command("reload", "-c", str(server.file))
    t.equal(result.returncode, 0, f"exit status: {result.stderr}")
    t.eventually(lambda: server.get("/", host="new.example").status == 200, "the new policy")


@test
def an_idle_connection_survives_a_reload_and_gets_the_new_policy(t):
    server = t.fresh_server()
    client = t.client(server)
    long = "/" + "a" * 200
    t.equal(client.get(long).status, 200, "status before")
    server.write_policy({"site": {"shield": {"limits": {"path": "100 B"}}}})
    reload_and_wait(t, server)
    t.eventually(lambda: server.status()["counters"]["adopted"] >= 1,
                 "the connection is taken over")
    t.equal(client.get("/").status, 200, "status after, on the same connection")
    t.equal(client.get(long).status, 414, "status after of what the new policy refuses")


@test
def a_running_download_ends_under_its_old_policy(t):
    server = t.fresh_server()
    server.origin.on("/slow", lambda c,
                     r: c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", *[b"x", 0.1] * 10))
    client = t.client(server).send(t.request("/slow"))
    t.equal(client.read_head().status, 200, "status")
    reload_and_wait(t, server)
    t.equal(server.get("/").status, 200, "status of another request")
    body = client.pending
    client.pending = b""
    while len(body) < 10:
        part = client.receive()
        t.check(part, f"the download was cut after {len(body)} bytes")
        body += part
    t.equal(client.get("/").status, 200, "status of the next request on the connection")


@test
def half_a_head_survives_a_reload(t):
    """A client in the middle of a request is not reset."""
    server = t.fresh_server()
    client = t.client(server).send(b"GET / HTTP/1.1\r\nHo")
    time.sleep(0.05)
    reload_and_wait(t, server)
    client.send(b"st: site.example\r\n\r\n")
    t.equal(client.read_response().status, 200, "status")


@test
def many_reloads_at_once_end_in_the_last_policy(t):
    server = t.fresh_server()
    client = t.client(server)
    t.equal(client.get("/").status, 200, "status before")
    for number in range(40):
        server.write_policy({"site": {"hosts": ["site.example", f"host{number}.example"]}})
        server.process.send_signal(signal.SIGHUP)
    t.eventually(lambda: server.get("/", host="host39.example").status == 200, "the last policy", 8)
    t.equal(server.get("/", host="host38.example").status, 421, "status of what was before it")
    t.eventually(lambda: len(server.workers()) == 1,
                 lambda: f"one worker is left: {server.processes()}", 8)
    t.equal(client.get("/").status, 200, "status on the connection of before")


@test
def old_generations_end(t):
    server = t.fresh_server()
    for _ in range(3):
        reload_and_wait(t, server)
    t.eventually(lambda: len(server.workers()) == 1,
                 lambda: f"one worker is left: {server.processes()}", 6)


@test
def no_more_than_so_many_generations_drain_at_once(t):
    server = t.fresh_server({"quotas": {"generations": 2}, "timeouts": {"drain": "30 s"}})
    server.origin.on("/hang", lambda c, r: c.more(15))
    for _ in range(5):
        t.client(server).send(t.request("/hang"))
        t.eventually(lambda: server.status()["generation"], "a generation")
        time.sleep(0.05)
        reload_and_wait(t, server)
    t.eventually(lambda: len(server.workers()) <= 3,
                 lambda: f"at most three workers: {server.processes()}", 5)
    t.equal(server.get("/").status, 200, "status")
    server.process.kill()


@test
def listeners_come_and_go_with_a_reload(t):
    server = t.fresh_server()
    second = (own_address(), free_port())
    first = server.settings["listen"]
    server.write_policy({"listen": [*first, {"address": f"{second[0]}:{second[1]}"}]})
    reload_and_wait(t, server)
    client = Client(second)
    t.later(client.close)
    t.equal(client.get("/").status, 200, "status at the new address")
    server.write_policy({"listen": first})
    reload_and_wait(t, server)

    def gone():
        try:
            Client(second).close()
            return False
        except OSError:
            return True
    t.eventually(gone, "the second address is closed", 5)
    t.equal(server.get("/").status, 200, "status at the first address")


@test
def a_reload_into_a_port_in_use_changes_nothing(t):
    server, other = t.fresh_server(), t.server()
    before = server.settings["listen"]
    server.write_policy({"listen": [*before,
                                    {"address": f"{other.address[0]}:{other.address[1]}"}]})
    answer = server.reload()
    t.equal(answer.status, 409, f"status of the reload: {answer.body}")
    t.check(str(other.address[1]).encode() in answer.body,
            f"the answer names the address: {answer.body}")
    t.equal(server.get("/").status, 200, "status")


def reload_many_times(t, count, seconds):
    """Reloads under load; nothing may fail, and the master may not grow."""
    server = t.fresh_server({"process": {"workers": 2}, "timeouts": {"drain": "5 s"}})
    load = Load(server.address)
    load.start()
    t.later(load.stop)
    after_ten, began = None, time.monotonic()
    for number in range(1, count + 1):
        t.within(began, seconds, f"{number} reloads")
        reload_and_wait(t, server)
        if number == 10:
            after_ten = settled(t, server)
    after_all = settled(t, server)
    load.stop()
    t.equal(load.faults[:5], [], f"faults among {load.served} requests during {count} reloads")
    t.check(load.served > count, f"{load.served} requests were served")
    t.check(after_all[1] <= after_ten[1],
            f"descriptors of the master: {after_ten[1]} after 10, {after_all[1]} after {count}")
    t.check(is_sanitized() or after_all[0] <= after_ten[0] + 256 * 1024,
            f"bytes of the master: {after_ten[0]} after 10, {after_all[0]} after {count}")
    t.note(f"{load.served} requests, {load.reopened} connections closed in order; "
           f"master {after_ten} after 10, {after_all} after {count}")


def settled(t, server):
    """The master's figures once the old generations have ended."""
    t.eventually(lambda: len(server.workers()) <= 2,
                 lambda: f"old generations end: {server.processes()}", 8)
    return master(server)


@test(seconds=40)
def thirty_reloads_under_load_break_nothing(t):
    reload_many_times(t, 30, 30)


@test(heavy=True, seconds=900)
def a_thousand_reloads_under_load_break_nothing(t):
    reload_many_times(t, 1000, 800)


@test(heavy=True, seconds=900)
def a_thousand_reloads_under_wrk_break_nothing(t):
    if not shutil.which("wrk"):
        t.skip("wrk is not installed")
    server = t.fresh_server({"process": {"workers": 2}})
    server.origin.on("/load", reply())
    script = t.directory() / "host.lua"
    script.write_text('wrk.headers["Host"] = "site.example"\n')
    # An answer that takes longer than that counts as an error; a machine that does other work pauses for seconds.
    wrk = subprocess.Popen(["wrk", "-t1", "-c16", "-d600s", "--timeout", "20s", "-s", script,
                            f"http://{server.address[0]}:{server.address[1]}/load"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    t.later(wrk.kill)
    for _ in range(1000):
        reload_and_wait(t, server)
    wrk.send_signal(signal.SIGINT)
    said = wrk.communicate(timeout=20)[0]
    t.check("requests in" in said, f"wrk said:\n{said}")
    t.check("Socket errors" not in said and "Non-2xx" not in said, f"wrk saw errors:\n{said}")


def new_workers(t, server, known, count):
    """Workers of the coming generation, in the moment in which they are there."""
    def found():
        fresh = [pid for pid in all_workers(server) if pid not in known]
        return fresh if len(fresh) == count else None
    return t.eventually(found, f"{count} new workers", 10, 0.001)


def title(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()
    except OSError:
        return ""


def attempt(action):
    try:
        return action()
    except OSError:
        return None


def all_workers(server):
    return [pid for pid in server.descendants() if title(pid) == "sallyport: worker"]


def half_started(t, server, policy):
    """A generation of which one worker accepts, at an address of its own, and the other stands still before
    it does. Gives the address and the other's pid; None where it was too quick for that."""
    address, known, mark = (own_address(), free_port()), set(server.descendants()), len(server.errors())
    server.write_policy({"site": {"response": {"add": [f"X-Policy: {policy}"]}},
                         "listen": [server.settings["listen"][0], {"address": f"{address[0]}:{address[1]}"}]})
    os.kill(server.process.pid, signal.SIGHUP)
    first, second = new_workers(t, server, known, 2)
    os.kill(second, signal.SIGSTOP)
    time.sleep(0.5)  # the first gets ready meanwhile
    os.kill(first, signal.SIGSTOP)
    os.kill(second, signal.SIGCONT)
    time.sleep(0.2)
    if " serves: " not in server.errors()[mark:]:
        return address, first
    os.kill(first, signal.SIGCONT)
    t.eventually(lambda: len(all_workers(server)) == 2, "the old one ends", 8)
    return None


@test(seconds=60)
def a_generation_that_fails_while_it_starts_gives_its_visitors_back(t):
    """One of its workers accepts already, the other dies before it does: the reload fails, and whoever
    was taken in meanwhile is served to the end and goes on with the old policy."""
    server = t.fresh_server({"process": {"workers": 2}, "site": {"response": {"add": ["X-Policy: 0"]}}})
    server.origin.on("/slow", lambda c, r: c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", 1.5, b"cd"))
    for policy in range(1, 20):
        mark = len(server.errors())
        half = half_started(t, server, policy)
        if half:
            break
    address, other = half

    def visitor():
        client = Client(address)
        t.later(client.close)
        return client
    busy = t.eventually(lambda: attempt(visitor), "the new address takes visitors", 10, 0.01)
    idle = visitor()
    t.equal(idle.get("/").field("X-Policy"), str(policy), "the policy of the new worker")
    busy.send(t.request("/slow"))
    t.equal(busy.read_head().field("X-Policy"), str(policy), "the policy of the new worker")
    os.kill(other, signal.SIGKILL)
    t.eventually(lambda: "reload refused" in server.errors()[mark:], "the reload fails", 5, 0.01)
    rest = b""
    while len(rest) < 4 and not busy.ended:
        rest += busy.receive(3)
    t.equal(rest, b"abcd", "the answer that was under way")
    for client in (busy, idle):
        t.equal(client.get("/").field("X-Policy"), str(policy - 1), "the policy that counts afterwards")
    t.eventually(lambda: len(server.workers()) == 2 and len(all_workers(server)) == 2,
                 "nothing is left of the new generation", 8)
