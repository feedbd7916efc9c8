"""Remaining time of long work: reported to a callback or, without one, in one warning.

Examples
--------
>>> told = []
>>> work = Remaining(3, lambda done, of: told.append((done, of)))
>>> work.done(1), work.done(3), told
(None, None, [(1, 3), (3, 3)])
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

LONG = 60.0
"""Seconds that may be left without a word."""


class Remaining:
    """Work of a number of equal pieces.

    Parameters
    ----------
    total
        Pieces.
    progress
        Called with the pieces done and their total; ``None``: one warning where the first ones let expect that more
        than :data:`LONG` seconds are left.
    what
        What a piece is called.
    """

    def __init__(self, total: int, progress: Callable[[int, int], None] | None, what: str = "permutations") -> None:
        self._total, self._progress, self._what = total, progress, what
        self._start, self._first = time.monotonic(), True

    def done(self, number: int) -> None:
        """Report that a number of pieces are done."""
        if self._progress is not None:
            self._progress(number, self._total)
            return
        each = (time.monotonic() - self._start) / number
        left = each * (self._total - number)
        if self._first and left > LONG:
            warnings.warn(
                f"about {left / 60:.0f} minutes left: {number} of {self._total} {self._what} took {each * number:.0f} "
                f"seconds; give progress= to follow them, or fewer {self._what}",
                stacklevel=3,
            )
        self._first = False
