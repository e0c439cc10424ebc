"""Tests are functions named as sentences, marked by @test; each=TABLE makes one test of every row."""

import dataclasses
from typing import Any, Callable


@dataclasses.dataclass
class Test:
    name: str
    function: Callable
    arguments: tuple
    heavy: bool
    seconds: float


_tests: list[Test] = []


def test(function=None, *, heavy=False, seconds=10.0, each: dict[str, Any] | None = None):
    """heavy: only with --all. seconds: how long it may take. each: rows of a table, name to value."""

    def register(fn):
        rows = [("", ())]
        if each is not None:
            rows = [(f" [{name}]", (value,)) for name, value in each.items()]
        for suffix, arguments in rows:
            _tests.append(Test(fn.__name__ + suffix, fn, arguments, heavy, seconds))
        return fn

    return register(function) if function else register


def registered():
    return _tests
