"""Failures that say what came and what was expected."""

import difflib
import time

from . import pace


class Failure(Exception):
    """An expectation that did not hold."""


class Skip(Exception):
    """The test cannot run here; the text says why."""


def _lines(value):
    if isinstance(value, (bytes, bytearray)):
        text = repr(bytes(value))[2:-1]
        return text.replace("\\r\\n", "\\r\\n\n").replace("\\n", "\\n").split("\n")
    if isinstance(value, str):
        return value.split("\n")
    if isinstance(value, (list, tuple)):
        return [repr(item) for item in value]
    return [repr(value)]


def difference(got, expected, limit=60):
    """What came (+) against what was expected (-)."""
    lines = list(difflib.unified_diff(_lines(expected), _lines(got), "expected", "got", lineterm="",
                                      n=2))
    if len(lines) > limit:
        lines = lines[:limit] + [f"... {len(lines) - limit} more lines"]
    return "\n".join(line[:400] for line in lines)


def equal(got, expected, what):
    if got != expected:
        raise Failure(f"{what}\n{difference(got, expected)}")


def check(condition, what):
    if not condition:
        raise Failure(what() if callable(what) else what)


def eventually(probe, what, seconds=3.0, pause=0.005):
    """Polls until probe() gives something true, and returns it. The seconds are those of an idle machine."""
    began = time.monotonic()
    while True:
        value = probe()
        if value:
            return value
        if pace.is_over(began, seconds):
            raise Failure(f"not within {seconds} s{at_this_pace()}: {what() if callable(what) else what}")
        time.sleep(pause)


def within(began, seconds, what, least=0.0):
    """Since `began` (time.monotonic()) no more seconds of an idle machine passed, and no fewer than `least`."""
    spent = time.monotonic() - began
    if spent < least:
        raise Failure(f"{what}: {spent:.2f} s, less than {least} s")
    if pace.is_over(began, seconds):
        raise Failure(f"{what}: {spent:.2f} s, more than {seconds} s{at_this_pace()}")


def at_this_pace():
    factor = pace.stretch()
    return f" times {factor:.1f}" if factor > 1.05 else ""
