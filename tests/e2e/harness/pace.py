"""By how much limits of time are stretched: by as much as this machine is slower just now than the one that they were
measured on. On such a one they are what they say. What sanitizers slow down is given their factor besides."""

import time

USUAL = 0.0125       # seconds that _work takes on a core that is idle
SANITIZED = 3.0      # by so much sanitizers slow down what is tested
MOST = 10.0
MOST_PLAIN = 3.0     # what is later than that is late on any machine
REMEMBERED = 30.0    # a load that was there so long ago may be what made a test late
SELDOM = 1.0         # between two measurements

_is_sanitized = False
_measured = []       # (when, factor), the oldest first


def _work():
    total = 0
    for number in range(400000):
        total += number
    return total


def is_of_sanitized_build():
    global _is_sanitized
    _is_sanitized = True


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
    """The factor: from 1 up to most(), by the slowest moment of the last while."""
    measure()
    slowest = max(1.0, *(factor for _, factor in _measured))
    return min(most(), slowest * (SANITIZED if _is_sanitized else 1.0))


def most():
    """What stretch() will never be above."""
    return MOST if _is_sanitized else MOST_PLAIN


def is_over(began, seconds):
    """So many seconds have passed since `began`, by the pace that things go at here."""
    spent = time.monotonic() - began
    return spent > seconds and spent > seconds * stretch()
