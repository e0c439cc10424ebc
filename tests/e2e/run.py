#!/usr/bin/env python3
"""Runs the end-to-end tests against the real binary.

    tests/e2e/run.py [--binary PATH] [--all | --rest] [-k PATTERN] [-j N] [--bound SECONDS] [FILE ...]

Each file of tests runs in a process of its own; a test, a file and the whole are bounded in time. A few that
failed beside others are run once more with nothing beside them; that they needed it is said.
Ends with "N passed, N failed" and, where some were skipped, why. Exit status 0: none failed."""

import argparse
import hashlib
import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from harness import check, context, pace, registry, server  # noqa: E402

# Reasons that nobody outside can make happen at will.
UNTESTED_REASONS = {}


def arguments():
    parser = argparse.ArgumentParser(description="Runs the end-to-end tests.")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    parser.add_argument("--binary", type=pathlib.Path, default=server.BINARY)
    parser.add_argument("--all", action="store_true", help="the heavy tests too")
    parser.add_argument("--rest", action="store_true",
                        help="all tests but those that passed already, with this very program, tests, policies and pages")
    parser.add_argument("-k", metavar="PATTERN", default="",
                        help="only tests with this in their name")
    parser.add_argument("-j", type=int, default=3 * (os.cpu_count() or 1), help="files at a time (three for each core)")
    parser.add_argument("--bound", type=float, help="seconds for everything (240; with --all, --rest or sanitizers 3600)")
    parser.add_argument("-v", action="store_true", help="name every test")
    parser.add_argument("--but", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.all = options.all or options.rest
    return options


# ---- one file, in a process of its own

CLEANING = 30  # seconds of an idle machine


class OutOfTime(BaseException):
    pass


class ToldToEnd(BaseException):
    pass


class Alarm:
    """Ends what takes longer than so many seconds of an idle machine."""

    def __init__(self):
        self.began, self.seconds = 0.0, 0.0
        signal.signal(signal.SIGALRM, self._ring)

    def set(self, seconds):
        self.clear()  # what was set before must not ring meanwhile
        pace.measure()
        self.began, self.seconds = time.monotonic(), seconds
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def clear(self):
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _ring(self, signum, frame):
        if pace.is_over(self.began, self.seconds):
            raise OutOfTime
        signal.setitimer(signal.ITIMER_REAL, 1.0)


def tell_to_end(signum, frame):
    raise ToldToEnd


def run_test(test, alarm):
    """The outcome of one test and what there is to say about it; and whether that was the last."""
    at_hand = context.Context()
    outcome, detail, is_last = "passed", "", False
    alarm.set(test.seconds)
    try:
        test.function(at_hand, *test.arguments)
    except check.Skip as skip:
        outcome, detail = "skipped", str(skip)
    except check.Failure as failure:
        outcome, detail = "failed", f"{failure}\n{place(failure)}"
    except OutOfTime as late:
        outcome, detail = "failed", f"not done within {test.seconds} s{check.at_this_pace()}\n{place(late)}"
    except ToldToEnd as order:
        outcome, detail, is_last = "failed", f"told to end\n{place(order)}", True
    except Exception as error:
        outcome, detail = "failed", traceback.format_exc(limit=-6)
        del error
    alarm.set(CLEANING)
    try:
        complaints = at_hand.finish()
    except OutOfTime:
        complaints = [f"cleaning up took more than {CLEANING} s{check.at_this_pace()}"]
    except Exception:
        complaints = [traceback.format_exc(limit=-6)]
    alarm.clear()
    if outcome == "passed":
        detail = "; ".join(at_hand.notes)
    if complaints:
        outcome, detail = "failed", "\n".join([detail, *complaints]).strip()
    return outcome, detail, is_last


def place(error):
    """Where in the test's file it happened."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if os.path.basename(frame.filename).startswith("test_")]
    return "\n".join(f"    {os.path.basename(frame.filename)}:{frame.lineno}: {frame.line}"
                     for frame in frames)


def use_rule_cache(folder):
    """Rules are compiled once for all servers of a run, as for all starts of an installed one: before the
    first, or files side by side would all compile them, and their servers not be ready in time."""
    if "SALLYPORT_CACHE" in os.environ:
        return
    folder.mkdir(exist_ok=True)
    os.environ["SALLYPORT_CACHE"] = str(folder)
    subprocess.run([server.BINARY, "check", "-c", server.ROOT / "conf" / "sallyport.cfg"], check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # whose tests say what is wrong


def run_file(path, options):
    """Loads a file and runs its tests; tells the parent in lines of JSON."""
    def tell(**news):
        print(json.dumps(news), flush=True)

    if not server.BINARY.is_relative_to(server.ROOT):  # built elsewhere: it can't find its files by itself
        os.environ.setdefault("SALLYPORT_DATADIR", str(server.ROOT))
    alarm, is_last = Alarm(), False
    signal.signal(signal.SIGTERM, tell_to_end)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    done = json.loads(options.but.read_text())["passed"] if options.but else []
    try:
        for test in registry.registered():
            if options.k not in f"{path.stem}.{test.name}" or test.heavy and not options.all:
                continue
            if f"{path.stem}: {test.name}" in done or options.only and test.name not in options.only:
                continue
            tell(starts=test.name, seconds=test.seconds)
            began = time.monotonic()
            outcome, detail, is_last = run_test(test, alarm)
            tell(name=test.name, outcome=outcome, detail=detail, seconds=time.monotonic() - began)
            if is_last:
                break
    finally:
        complaints = context.Context.finish_all()
    for complaint in complaints:
        tell(name="the server ends in order", outcome="failed", detail=complaint, seconds=0.0)
    if not is_last:
        tell(asserted=sorted(context.Context.asserted))


# ---- all files

class Results:
    def __init__(self, verbose):
        self.passed, self.failed, self.skipped = [], [], []
        self.asserted = set()
        self.cut_short = set()  # files whose process did not come to its end
        self.verbose = verbose
        self.lock = threading.Lock()

    def add(self, file, name, outcome, detail, seconds):
        with self.lock:
            if outcome == "passed":
                self.passed.append(f"{file}: {name}")
            elif outcome == "skipped":
                self.skipped.append(f"{file}: {name}: {detail}")
            else:
                self.failed.append((file, name))
                print(f"FAILED {file}: {name}\n" +
                      "\n".join("  " + line for line in detail.split("\n")))
            if self.verbose:
                note = f" ({detail})" if outcome == "passed" and detail else ""
                print(f"{outcome:7} {seconds:6.2f} s  {file}: {name}{note}", flush=True)


class Watch:
    """Ends the process of a file where the time for everything is over, or a test has hung beyond its own limit."""

    def __init__(self, child, end):
        self.child, self.end, self.why = child, end, ""
        self.timers = []
        self.expect(CLEANING)

    def expect(self, seconds):
        """News come within that time, its cleaning and what slows both down."""
        self.cancel()
        now = time.monotonic()
        hangs = now + (seconds + CLEANING) * pace.most() + 10
        why = "it hangs" if hangs < self.end else "the time for everything is over (--bound)"
        wait = max(0.1, min(hangs, self.end) - now)
        # SIGTERM lets the child end its servers; the kernel ends them if it has to be killed.
        self.timers = [threading.Timer(wait, self._end, [self.child.terminate, why]),
                       threading.Timer(wait + CLEANING, self._end, [self.child.kill, why])]
        for timer in self.timers:
            timer.start()

    def _end(self, action, why):
        self.why = why
        action()

    def cancel(self):
        for timer in self.timers:
            timer.cancel()


def follow(child, stem, results, watch):
    """Takes the news of a file's process until it ends. The counts by outcome; the test that was running then, and
    whether that was in order."""
    running, ended, counts = None, False, {}
    for line in child.stdout:
        news = json.loads(line)
        if "starts" in news:
            running = news["starts"]
            watch.expect(news["seconds"])
        elif "asserted" in news:
            results.asserted.update(news["asserted"])
            ended = True
        else:
            running = None
            counts[news["outcome"]] = counts.get(news["outcome"], 0) + 1
            results.add(stem, **news)
            watch.expect(CLEANING)
    return counts, running, ended


def supervise(path, options, results, end, only=()):
    """Runs one file, or only some tests of it, in a child process, bounded by `end`."""
    command = [sys.executable, __file__, "--child", "--binary", options.binary, "-k", options.k,
               *(["--but", options.but] if options.but else []), *(f"--only={name}" for name in only), path]
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(command + ["--all"] * options.all, stdout=subprocess.PIPE, stderr=said,
                                 text=True, start_new_session=True)
        watch = Watch(child, end)
        counts, running, ended = follow(child, path.stem, results, watch)
        child.wait()
        watch.cancel()
        said.seek(0)
        errors = said.read().strip()
    if not ended:
        results.cut_short.add(path.stem)
        counts["failed"] = counts.get("failed", 0) + 1
        why = f"the process of the file ended with {child.returncode}: {watch.why or 'by itself'}"
        results.add(path.stem, running or "the file", "failed", f"{why}\n{errors[-8000:]}".strip(), 0.0)
    elif errors:
        print(f"{path.stem} said: {errors[-8000:]}", flush=True)
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


# ---- what passed before

# What tests read besides the program: themselves and what they share with other suites, policies, pages, the texts that
# they hold to their word. MADE is what make-certificates makes anew every day.
TESTED_WITH = ("Dockerfile", "Makefile", "conf", "include/sallyport/reasons.def", "tests/e2e", "tests/histories",
               "tests/make-certificates", "tests/vectors", "www")
MADE = "conf/bad/parts/tls"


def files_tested_with(root):
    for path in (root / name for name in TESTED_WITH):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts and not str(file).startswith(str(root / MADE)):
                yield file


def fingerprint(binary, root):
    """Of the program and of all that a test of it depends on here."""
    digest = hashlib.sha256()
    for file in [binary, *files_tested_with(root)]:
        digest.update(f"{file}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


class Record:
    """What passed with this very program and these tests, in a file beside the program."""

    def __init__(self, options):
        self.path = options.binary.resolve().parent / "e2e-passed.json"
        self.of = fingerprint(options.binary, server.ROOT)
        self.passed, self.asserted = [], []

    def load(self):
        """False where there is none of this program."""
        try:
            record = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return False
        if record["of"] != self.of:
            return False
        self.passed, self.asserted = record["passed"], record["asserted"]
        return True

    def save(self, results):
        record = {"of": self.of, "passed": results.passed, "asserted": sorted(results.asserted)}
        self.path.write_text(json.dumps(record))


def leave_out_what_passed(options, record, results):
    if record.load():
        print(f"{len(record.passed)} tests passed before, the rest is run")
        options.but = record.path
        results.asserted.update(record.asserted)


# Begun first, so that none of them runs alone at the end.
LONGEST = ("test_guard_learning", "test_guard", "test_vault", "test_alerts")


# Run when all others are over, one after the other: how long answers take beside other tests says nothing.
ALONE = ("test_overload", "test_egress_kernel")

# More than these failed for a reason.
UNSTEADY_MAX = 3


def repeat_alone(files, options, results, end):
    """A test that failed beside others may have failed because of them: a few are run once more with nothing beside
    them. Gives those that pass now. What fails again, or never came to its end, has failed."""
    again = [(file, name) for file, name in results.failed if file not in ALONE and file not in results.cut_short]
    if len(files) == 1 or not 0 < len(results.failed) <= UNSTEADY_MAX:
        return []
    for path in files:
        names = [name for file, name in again if file == path.stem]
        if names:
            print(f"{path.stem}: once more, alone: {', '.join(names)}", flush=True)
            supervise(path, options, results, end, names)
    passed = [one for one in again if ": ".join(one) in results.passed]
    results.failed = [one for one in dict.fromkeys(results.failed) if one not in passed]
    return [": ".join(one) for one in passed]


def files_of(options):
    files = [path.resolve() for path in options.files] or sorted(HERE.glob("test_*.py"))
    return sorted(files, key=lambda path: path.stem not in LONGEST)


def bound_of(options):
    """Of the quick tests of a plain build: `make test` is for every day."""
    return 3600 if options.all or server.is_sanitized() else 900


def run_all(options):
    files = files_of(options)
    end = time.monotonic() + (options.bound or bound_of(options))
    results, record = Results(options.v), Record(options)
    if options.rest:
        leave_out_what_passed(options, record, results)
    queue = [path for path in files if path.stem not in ALONE]
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
    for path in files:
        if path.stem in ALONE:
            supervise(path, options, results, end)
    unsteady = repeat_alone(files, options, results, end)
    if not options.files and not options.k:
        check_reasons(results)
        if not options.rest:
            record.save(results)
    for file, name in results.failed:
        print(f"failed: {file}: {name}")
    for name in unsteady:
        print(f"unsteady: {name}: failed beside others, passed alone")
    for name in results.skipped:
        print(f"skipped: {name}")
    skipped = f", {len(results.skipped)} skipped" if results.skipped else ""
    print(f"{len(results.passed)} passed, {len(results.failed)} failed{skipped}")
    return 1 if results.failed or not results.passed else 0


def main():
    options = arguments()
    if not options.binary.exists():
        print(f"{options.binary} is not there: run make first", file=sys.stderr)
        return 2
    server.BINARY = options.binary.resolve()
    use_rule_cache(server.BINARY.parent / "rule-cache")
    if server.is_sanitized():
        pace.is_of_sanitized_build()
    if options.child:
        run_file(options.files[0], options)
        return 0
    return run_all(options)


if __name__ == "__main__":
    sys.exit(main())
