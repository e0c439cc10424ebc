#!/usr/bin/env python3
"""Runs the end-to-end tests against the real binary.

    tests/e2e/run.py [--binary PATH] [--all] [-k PATTERN] [-j N] [--bound SECONDS] [FILE ...]

Each file of tests runs in a process of its own; a test, a file and the whole are bounded in time.
Ends with "N passed, N failed" and, where some were skipped, why. Exit status 0: none failed."""

import argparse
import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from harness import check, context, registry, server  # noqa: E402

# Reasons that nobody outside can make happen at will.
UNTESTED_REASONS = {}


def arguments():
    parser = argparse.ArgumentParser(description="Runs the end-to-end tests.")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    parser.add_argument("--binary", type=pathlib.Path, default=server.BINARY)
    parser.add_argument("--all", action="store_true", help="the heavy tests too")
    parser.add_argument("-k", metavar="PATTERN", default="",
                        help="only tests with this in their name")
    parser.add_argument("-j", type=int, default=3, help="files at a time")
    parser.add_argument("--bound", type=float, help="seconds for everything")
    parser.add_argument("-v", action="store_true", help="name every test")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


# ---- one file, in a process of its own

class OutOfTime(BaseException):
    pass


def ring(signum, frame):
    raise OutOfTime


def run_test(test):
    """The outcome of one test and what there is to say about it."""
    at_hand = context.Context()
    outcome, detail = "passed", ""
    signal.setitimer(signal.ITIMER_REAL, test.seconds)
    try:
        test.function(at_hand, *test.arguments)
    except check.Skip as skip:
        outcome, detail = "skipped", str(skip)
    except check.Failure as failure:
        outcome, detail = "failed", f"{failure}\n{place(failure)}"
    except OutOfTime as late:
        outcome, detail = "failed", f"not done within {test.seconds} s\n{place(late)}"
    except Exception as error:
        outcome, detail = "failed", traceback.format_exc(limit=-6)
        del error
    signal.setitimer(signal.ITIMER_REAL, 30)
    try:
        complaints = at_hand.finish()
    except OutOfTime:
        complaints = ["cleaning up took more than 30 s"]
    except Exception:
        complaints = [traceback.format_exc(limit=-6)]
    signal.setitimer(signal.ITIMER_REAL, 0)
    if outcome == "passed":
        detail = "; ".join(at_hand.notes)
    if complaints:
        outcome, detail = "failed", "\n".join([detail, *complaints]).strip()
    return outcome, detail


def place(error):
    """Where in the test's file it happened."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if os.path.basename(frame.filename).startswith("test_")]
    return "\n".join(f"    {os.path.basename(frame.filename)}:{frame.lineno}: {frame.line}"
                     for frame in frames)


def use_rule_cache(folder):
    """Rules are compiled once for all servers of a run, as for all starts of an installed one."""
    folder.mkdir(exist_ok=True)
    os.environ.setdefault("SALLYPORT_CACHE", str(folder))


def run_file(path, options):
    """Loads a file and runs its tests; tells the parent in lines of JSON."""
    def tell(**news):
        print(json.dumps(news), flush=True)

    server.BINARY = options.binary.resolve()
    use_rule_cache(server.BINARY.parent / "rule-cache")
    if not server.BINARY.is_relative_to(server.ROOT):  # built elsewhere: it can't find its files by itself
        os.environ.setdefault("SALLYPORT_DATADIR", str(server.ROOT))
    signal.signal(signal.SIGALRM, ring)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    try:
        for test in registry.registered():
            if options.k not in f"{path.stem}.{test.name}" or test.heavy and not options.all:
                continue
            tell(starts=test.name)
            began = time.monotonic()
            outcome, detail = run_test(test)
            tell(name=test.name, outcome=outcome, detail=detail, seconds=time.monotonic() - began)
    finally:
        complaints = context.Context.finish_all()
    for complaint in complaints:
        tell(name="the server ends in order", outcome="failed", detail=complaint, seconds=0.0)
    tell(asserted=sorted(context.Context.asserted))


# ---- all files

class Results:
    def __init__(self, verbose):
        self.passed, self.failed, self.skipped = 0, [], []
        self.asserted = set()
        self.verbose = verbose
        self.lock = threading.Lock()

    def add(self, file, name, outcome, detail, seconds):
        with self.lock:
            if outcome == "passed":
                self.passed += 1
            elif outcome == "skipped":
                self.skipped.append(f"{file}: {name}: {detail}")
            else:
                self.failed.append(f"{file}: {name}")
                print(f"FAILED {file}: {name}\n" +
                      "\n".join("  " + line for line in detail.split("\n")))
            if self.verbose:
                note = f" ({detail})" if outcome == "passed" and detail else ""
                print(f"{outcome:7} {seconds:6.2f} s  {file}: {name}{note}", flush=True)


def supervise(path, options, results, end):
    """Runs one file in a child process, bounded by `end`."""
    command = [sys.executable, __file__, "--child", "--binary", options.binary, "-k", options.k,
               path]
    child = subprocess.Popen(command + ["--all"] * options.all, stdout=subprocess.PIPE, text=True,
                             start_new_session=True)
    # SIGTERM lets the child end its servers; the kernel ends them if it has to be killed.
    watch = [threading.Timer(max(0.1, end - time.monotonic()), child.terminate),
             threading.Timer(max(0.1, end - time.monotonic()) + 10, child.kill)]
    for timer in watch:
        timer.start()
    running, ended, counts, began = None, False, {}, time.monotonic()
    for line in child.stdout:
        news = json.loads(line)
        if "starts" in news:
            running = news["starts"]
        elif "asserted" in news:
            results.asserted.update(news["asserted"])
            ended = True
        else:
            running = None
            counts[news["outcome"]] = counts.get(news["outcome"], 0) + 1
            results.add(path.stem, **news)
    child.wait()
    for timer in watch:
        timer.cancel()
    if not ended:
        counts["failed"] = counts.get("failed", 0) + 1
        results.add(path.stem, running or "the file", "failed",
                    f"the process of the file ended with {child.returncode}", 0.0)
    if counts:
        summary = ", ".join(f"{counts[key]} {key}" for key in ("passed", "failed", "skipped")
                            if key in counts)
        print(f"{path.stem}: {summary} ({time.monotonic() - began:.1f} s)", flush=True)


def check_reasons(results):
    """Every reason of reasons.def was seen in a log line by some test, or stands in UNTESTED_REASONS."""
    missing = sorted(set(context.REASONS) - results.asserted - set(UNTESTED_REASONS))
    needless = sorted(set(UNTESTED_REASONS) & results.asserted | set(UNTESTED_REASONS) - set(context.REASONS))
    detail = "\n".join([f"no test sees the reason {name}" for name in missing] +
                       [f"{name} need not stand in UNTESTED_REASONS" for name in needless])
    results.add("run.py", "every_reason_has_a_test", "failed" if detail else "passed", detail, 0.0)


def run_all(options):
    files = [path.resolve() for path in options.files] or sorted(HERE.glob("test_*.py"))
    end = time.monotonic() + (options.bound or (3600 if options.all else 240))
    results = Results(options.v)
    queue = list(files)
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                if not queue:
                    return
                path = queue.pop(0)
            supervise(path, options, results, end)

    threads = [threading.Thread(target=work) for _ in range(max(1, options.j))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not options.files and not options.k:
        check_reasons(results)
    for name in results.failed:
        print(f"failed: {name}")
    for name in results.skipped:
        print(f"skipped: {name}")
    skipped = f", {len(results.skipped)} skipped" if results.skipped else ""
    print(f"{results.passed} passed, {len(results.failed)} failed{skipped}")
    return 1 if results.failed or not results.passed else 0


def main():
    options = arguments()
    if not options.binary.exists():
        print(f"{options.binary} is not there: run make first", file=sys.stderr)
        return 2
    if options.child:
        run_file(options.files[0], options)
        return 0
    return run_all(options)


if __name__ == "__main__":
    sys.exit(main())
