"""What the runner itself promises: what it remembers as passed, and by how much it stretches limits of time."""

import importlib.util
import subprocess
import sys

from harness import pace, server, test
from harness.server import ROOT, is_sanitized


def runner():
    spec = importlib.util.spec_from_file_location("runner", ROOT / "tests/e2e/run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tree(t, run):
    """A file of each name that tests depend on; the program."""
    root = t.directory()
    for name in run.TESTED_WITH:
        path = root / name if (ROOT / name).is_file() else root / name / "deeper/file"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    binary = root / "program"
    binary.write_bytes(b"1")
    return root, binary


@test
def what_passed_counts_for_the_very_files_that_it_was_tested_with(t):
    run = runner()
    root, binary = tree(t, run)
    of = run.fingerprint(binary, root)
    t.equal(run.fingerprint(binary, root), of, "of the same files")
    for path in [binary, *run.files_tested_with(root)]:
        before = path.read_bytes()
        path.write_bytes(b"another")
        t.check(run.fingerprint(binary, root) != of, f"{path} counts")
        path.write_bytes(before)
    new = root / "conf/bad/new.cfg"
    new.parent.mkdir()
    new.write_text("")
    t.check(run.fingerprint(binary, root) != of, "a new file counts, though it is empty")
    new.unlink()
    made = root / run.MADE / "site.pem"
    made.parent.mkdir(parents=True)
    made.write_text("made anew every day")
    t.equal(run.fingerprint(binary, root), of, "beside certificates that the tests make")


@test
def whatever_tests_open_by_its_place_in_the_tree_is_remembered_with_what_passed(t):
    run = runner()
    known = {str(path.relative_to(ROOT)) for path in run.files_tested_with(ROOT)}
    for name in ("conf/bad/egress-lists.cfg", "conf/README.md", "conf/policy.d/worms.cfg", "conf/compose.yaml", "tests/e2e/harness/pace.py",
                 "tests/e2e/attacks/packets.c", "www/console/index.html", "tests/vectors/bodies.txt"):
        t.check(name in known, f"{name} counts")


@test
def limits_of_a_plain_build_are_not_stretched_for_long(t):
    if is_sanitized():
        t.check(pace.SANITIZED <= t.pace() <= pace.MOST, f"with sanitizers they are stretched: {t.pace()}")
    else:
        t.check(1.0 <= t.pace() <= pace.MOST_PLAIN == pace.most(), f"as the machine is: {t.pace()}")


UNSTEADY = """
import os
from harness import test

@test
def passes_alone(t):
    if not os.path.exists("{folder}/failed"):
        open("{folder}/failed", "w").close()
        t.fail("beside others")

@test
def fails(t):
    t.fail("again")
"""

STEADY = """
from harness import test

@test
def passes(t):
    t.equal(1, 1, "one")
"""


@test(seconds=20.0)
def what_failed_beside_others_is_run_once_more_alone(t):
    folder = t.directory()
    unsteady, steady = folder / "test_unsteady.py", folder / "test_steady.py"
    unsteady.write_text(UNSTEADY.format(folder=folder))
    steady.write_text(STEADY)

    def run(*options):
        command = [sys.executable, ROOT / "tests/e2e/run.py", "--binary", server.BINARY, "-j2", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60.0, check=False)
        return done.returncode, done.stdout.splitlines()
    status, said = run(unsteady, steady)
    t.equal((status, said[-3:]), (1, ["failed: test_unsteady: fails",
                                      "unsteady: test_unsteady: passes_alone: failed beside others, passed alone",
                                      "2 passed, 1 failed"]), "beside another")
    (folder / "failed").unlink()
    status, said = run(unsteady, "-k", "passes_alone")
    t.equal((status, said[-2:]), (1, ["failed: test_unsteady: passes_alone", "0 passed, 1 failed"]), "alone already")
