"""Failures that say what came and what was expected."""

import difflib
import time


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
    """Polls until probe() gives something true, and returns it."""
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(pause)
