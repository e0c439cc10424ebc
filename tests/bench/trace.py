"""Where the time goes: system calls per request (strace) and hot functions (perf)."""

import os
import shutil
import signal
import subprocess
import time

from process import BenchError, wait_until
from servers import PAGE_BYTES
from works import CONNECTIONS

REQUESTS = 5000
PROFILE_SECONDS = 4


def tracers_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        return next(line.split()[1] for line in status if line.startswith("TracerPid:"))


def strace(loads, server, counts):
    """Runs REQUESTS requests under strace, which writes its table into the file counts."""
    attach = [part for pid in server.pids() for part in ("-p", str(pid))]
    child = subprocess.Popen(["strace", "-f", "-c", "-o", counts, *attach],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if not wait_until(lambda: all(tracers_of(pid) != "0" for pid in server.pids()), 5):
            raise BenchError(f"strace could not attach to {server.label}")
        return loads.rate(server, "/page", REQUESTS, CONNECTIONS, expect=PAGE_BYTES)
    finally:
        time.sleep(0.3)  # for what follows the last answer, as the log
        child.send_signal(signal.SIGINT)
        child.wait(10)


def calls_in(counts):
    """System call -> number, from the table that strace -c writes."""
    calls = {}
    with open(counts, encoding="ascii") as table:
        for line in table:
            cells = line.split()
            if len(cells) >= 5 and cells[3].isdigit() and cells[-1] != "total":
                calls[cells[-1]] = int(cells[3])
    return calls


def syscall_table(loads, names):
    """Markdown: system calls per request of each server, the rare ones left out."""
    place, columns = loads.place, {}
    for name in names:
        server = place.servers[name]
        server.start()
        loads.rate(server, "/page", 200, CONNECTIONS)
        counts = os.path.join(place.dir, f"{name}.strace")
        strace(loads, server, counts)
        columns[name] = {call: n / REQUESTS for call, n in calls_in(counts).items()}
        server.stop()
    totals = {call: max(column.get(call, 0) for column in columns.values())
              for call in set().union(*columns.values())}
    often = sorted((call for call in totals if totals[call] >= 0.01), key=lambda c: -totals[c])
    yield "| system calls per request | " + " | ".join(place.servers[n].label for n in names) + " |"
    yield "|---|" + "---|" * len(names)
    for call in often:
        yield f"| {call} | " + " | ".join(f"{columns[n].get(call, 0):.2f}" for n in names) + " |"
    yield "| all | " + " | ".join(f"{sum(columns[n].values()):.2f}" for n in names) + " |"


def profile(work, loads, server):
    """perf's report of the hottest functions under this work."""
    if not shutil.which("perf"):
        raise BenchError("perf is missing: apt-get install linux-perf")
    data = os.path.join(loads.place.dir, f"{server.name}.perf")
    server.start()
    work.measure(loads, server)
    pids = ",".join(map(str, server.pids()))
    child = subprocess.Popen(["perf", "record", "-q", "-F", "4999", "-o", data, "-p", pids, "--",
                              "sleep", str(PROFILE_SECONDS)])
    while child.poll() is None:
        work.measure(loads, server)
    child.wait(30)
    if os.environ.get("KEEP"): shutil.copy(data, os.environ["KEEP"])
    server.stop()
    return "\n\n".join(perf_report(data, by) for by in ("comm,dso", "comm,dso,symbol"))


def perf_report(data, by):
    done = subprocess.run(["perf", "report", "--stdio", "-i", data, "--no-children",
                           "--percent-limit", "0.4", "--sort", by],
                          capture_output=True, text=True, check=False)
    return "\n".join(line.rstrip(" -") for line in done.stdout.splitlines()
                     if line and line[0] != "#")
