#!/usr/bin/env python3
"""Measures sallyport side by side with nginx and HAProxy; see README.md here.

Exit status: 0 measured, 1 something broke or did not do its work, 2 wrong use.
"""

import argparse
import os
import resource
import shutil
import signal
import sys
import tempfile
import time

import gates
import report
import trace
from process import LAYOUTS, BenchError, Placement
from servers import ROOT, Place
from works import Loads, Measurement, all_works, compile_load

README = os.path.join(os.path.dirname(os.path.realpath(__file__)), "README.md")
DESCRIPTORS = 13000


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds of each work")
    parser.add_argument("--quick", action="store_true", help="short rounds, 3 of them, for a look")
    parser.add_argument("--work", action="append", help="only this work (again for more)")
    parser.add_argument("--server", action="append", help="only this server (again for more)")
    parser.add_argument("--without-sallyport", action="store_true", help="the others only")
    parser.add_argument("--binary", default=os.path.join(ROOT, "build", "sallyport"))
    parser.add_argument("--layout", choices=LAYOUTS, default="one",
                        help="who runs on which CPU; see README.md")
    parser.add_argument("--minutes", type=float, default=15, help="start no round after this")
    parser.add_argument("--write", action="store_true", help="put the report into README.md")
    parser.add_argument("--syscalls", action="store_true",
                        help="instead: system calls per request of each server (strace)")
    parser.add_argument("--profile", metavar="SERVER",
                        help="instead: the hottest functions of this server under the first work (perf)")
    given = parser.parse_args()
    if given.quick and given.rounds == 9:
        given.rounds = 3
    if given.write and (given.syscalls or given.profile):
        parser.error("--write is for measurements")
    if given.rounds < 1:
        parser.error("--rounds must be at least 1")
    known = [work.name for work in all_works()]
    for name in given.work or ():
        if name not in known:
            parser.error(f"no work '{name}'; there are {', '.join(known)}")
    return given


def raise_descriptors():
    """HAProxy reserves twice the connections it may have; all of them inherit this."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < DESCRIPTORS:
        raise BenchError(f"{DESCRIPTORS} descriptors are needed, {most} allowed: see ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, most))


def need_programs(given):
    for program in ("nginx", "haproxy", "wrk", "taskset"):
        if not shutil.which(program):
            raise BenchError(f"{program} is missing: apt-get install nginx-light haproxy wrk")
    if not given.without_sallyport and not os.access(given.binary, os.X_OK):
        raise BenchError(f"{given.binary} is missing: run make, or use --without-sallyport")


def selected(work, given):
    """The servers that take part: the base of the ratios always does."""
    for name in work.servers:
        if name.startswith("sallyport") and given.without_sallyport:
            continue
        if name == work.ours and work.name in ("idle", "tls-idle", "gate-idle") and os.geteuid() != 0:
            print("  idle: sallyport hides its memory from all but root", file=sys.stderr)
            continue
        if gates.is_missing(name):
            print(f"  {work.name}: {name} is missing: apt-get install {name}", file=sys.stderr)
            continue
        if not given.server or name in given.server or name == work.base:
            yield name


def one_measurement(work, loads, server):
    try:
        return work.measure(loads, server)
    except (BenchError, OSError) as error:
        return Measurement(cost=0, problems=[str(error)])


def run_work(work, names, loads, rounds, deadline):
    place = loads.place
    results = report.Results(work, {name: place.servers[name].label for name in place.servers})
    for name in names:
        place.servers[name].start()
        place.check(place.servers[name])
        one_measurement(work, loads, place.servers[name])  # warms up; not counted
    for index in range(min(rounds, work.rounds_max)):
        if time.monotonic() > deadline and results.rounds:
            break
        turn = index % len(names)
        order = names[turn:] + names[:turn]
        results.rounds.append({name: one_measurement(work, loads, place.servers[name])
                               for name in order})
        print(f"  {work.name} {index + 1}: " + ", ".join(
            f"{name} {report.number(each.cost)}" + "!" * bool(each.problems)
            for name, each in sorted(results.rounds[-1].items())), file=sys.stderr, flush=True)
        for name, each in results.rounds[-1].items():
            for problem in each.problems:
                print(f"    {name}: {problem}", file=sys.stderr, flush=True)
    for name in names:
        place.servers[name].stop()
    return results


def make_loads(place, scale):
    return Loads(place, compile_load("rate"), compile_load("tls", "-lssl", "-lcrypto"), scale)


def run_all(given, place):
    loads = make_loads(place, 0.25 if given.quick else 1)
    deadline = time.monotonic() + given.minutes * 60
    place.origin.start()
    all_results = []
    for work in all_works():
        if given.work and work.name not in given.work:
            continue
        if time.monotonic() > deadline:
            print(f"no time left for '{work.name}'", file=sys.stderr)
            continue
        all_results.append(run_work(work, list(selected(work, given)), loads, given.rounds,
                                    deadline))
    return all_results


def trace_all(given, place):
    """--syscalls and --profile: text, without the works."""
    loads = make_loads(place, 1)
    place.origin.start()
    if given.profile:
        work = next(work for work in all_works() if not given.work or work.name in given.work)
        return trace.profile(work, loads, place.servers[given.profile])
    names = [name for name in ("nginx", "haproxy", "sallyport", "nginx-tls", "haproxy-tls", "sallyport-tls")
             if not name.startswith("sallyport") or not given.without_sallyport]
    return "\n".join(trace.syscall_table(loads, names))


def scratch_parent():
    """Memory, where there is some: a disk's moods are not what is measured."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def measure(given, place):
    """Returns the report, and whether all did their work."""
    if given.syscalls or given.profile:
        return trace_all(given, place), True
    all_results = run_all(given, place)
    if given.without_sallyport:
        for name in [name for name in place.servers if name.startswith("sallyport")]:
            del place.servers[name]
    sound = not any(True for results in all_results for _ in results.problems())
    return report.markdown(all_results, place, given.rounds), sound


def main():
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leaves no server behind
    try:
        need_programs(given)
        raise_descriptors()
        with tempfile.TemporaryDirectory(prefix="bench-", dir=scratch_parent()) as directory:
            place = Place(directory, Placement(given.layout), given.binary)
            try:
                text, sound = measure(given, place)
            finally:
                place.stop()
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(text)
    if given.write:
        report.write_into(README, text)
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
