"""The outcome of one test of one region, chosen beforehand."""

from __future__ import annotations

from typing import NamedTuple


class Outcome(NamedTuple):
    """The outcome of the test of a region.

    Attributes
    ----------
    p
        That the null gives as much or more; 1 where nothing could be tested. One-sided in the direction in which the
        region was marked, where the test has one.
    z
        Signed, above 0 where B is in excess; ``None`` where nothing could be tested.
    n_a, n_b, expected
        Contents of A and B of the region, and what is expected of B; of a bump the events within two widths and those
        of the smooth background. ``None`` where they do not apply.
    method
        The way in which p was made, in words.
    n_ge, n
        What p is counted from, ``(n_ge + 1) / (n + 1)``; ``None`` where it is not counted.
    reason
        The reason why nothing was tested; empty where something was.
    """

    p: float
    z: float | None = None
    n_a: float | None = None
    n_b: float | None = None
    expected: float | None = None
    method: str = ""
    n_ge: int | None = None
    n: int | None = None
    reason: str = ""


def untested(reason: str) -> Outcome:
    """Return the outcome of a region in which nothing can be tested: it stays among the trials, with p = 1."""
    return Outcome(1.0, reason=reason)
