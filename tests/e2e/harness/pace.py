"""How much slower things go here than on an idle machine with a plain build. Limits of time that are there to
find what hangs, or is far too slow, are stretched by that: they shall tell of the product, not of the load."""

import time

USUAL = 0.0125       # seconds that _work takes on a core that is idle
SANITIZED = 3.0      # by so much sanitizers slow down what is tested
MOST = 10.0
REMEMBERED = 30.0    # a load that was there so long ago may be what made a test late
SELDOM = 1.0         # between two measurements

_build = 1.0
_measured = []       # (when, factor), the oldest first


def _work():
    total = 0
    for number in range(400000):
        total += number
    return total


def is_of_sanitized_build():
    global _build
    _build = SANITIZED


def measure():
    """Looks at the load, unless that was done just now."""
    begin = time.monotonic()
    if _measured and begin - _measured[-1][0] < SELDOM:
        return
    _work()
    end = time.monotonic()
    _measured.append((end, (end - begin) / USUAL))
    while end - _measured[0][0] > REMEMBERED:
        del _measured[0]


def stretch():
    """The factor, 1 to MOST: of the slowest moment of the last while."""
    measure()
    return min(MOST, _build * max(1.0, *(factor for _, factor in _measured)))


def is_over(began, seconds):
    """So many seconds have passed since `began`, by the pace that things go at here."""
    spent = time.monotonic() - began
    return spent > seconds and spent > seconds * stretch()
