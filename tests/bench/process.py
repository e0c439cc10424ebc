"""Processes of a server: starting, stopping, and what they cost.

CPU time comes from the kernel's own account of each thread (/proc/PID/task/TID/schedstat,
nanoseconds), memory from Pss, which shares a page among those who map it.
"""

import os
import signal
import socket
import subprocess
import time


class BenchError(Exception):
    """Something is missing or broke; the text says what."""


def free_port():
    """A port below the range that outgoing connections take theirs from."""
    for port in range(20000 + os.getpid() % 5000, 32000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in free_port.given:
            free_port.given.add(port)
            return port
    raise BenchError("no free port between 20000 and 32000")


free_port.given = set()


def children_of():
    """pid -> list of children, of all processes."""
    children = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stat:
                parent = int(stat.read().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(name))
    return children


def tree(pid):
    """A process and all that descend from it."""
    children = children_of()
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo.extend(children.get(found[-1], ()))
    return sorted(found)


def cpu_ns(pids):
    """Run time (user and system) of all threads of these processes."""
    total = 0
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as schedstat:
                total += int(schedstat.read().split()[0])
    return total


def pss_bytes(pids):
    """Memory of these processes together, without what the kernel holds for them."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as smaps:
            for line in smaps:
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


LAYOUTS = {
    "one": "server, origin and load all on one CPU",
    "split": "the measured server on one CPU, origin and load on the others",
    "free": "CPUs left to the scheduler",
}


class Placement:
    """Which CPUs the measured server has, and which origin and load have."""

    def __init__(self, layout):
        cpus = sorted(os.sched_getaffinity(0))
        self.layout = layout if len(cpus) > 1 else "one"
        last = {cpus[-1]}
        self.server = set(cpus) if self.layout == "free" else last
        self.others = {"one": last, "split": set(cpus[:-1]), "free": set(cpus)}[self.layout]

    def describe(self):
        return LAYOUTS[self.layout]


class Process:
    """A program in its own process group, with what it says kept in a file."""

    def __init__(self, argv, cpus, output, errors=None):
        self.output = output
        self.errors = errors or output
        with open(self.output, "ab") as out, open(self.errors, "ab") as err:
            self.child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, cpus))

    def pids(self):
        if self.child.poll() is not None:
            raise BenchError(f"{self.child.args[0]} ended with status {self.child.returncode}: "
                             f"{self.last_words()}")
        return tree(self.child.pid)

    def last_words(self):
        with open(self.errors, encoding="utf-8", errors="replace") as errors:
            return errors.read()[-800:].strip() or "it said nothing"

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()


def wait_until(condition, seconds, pause=0.02):
    """True once condition() holds, False when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
