"""Deviations that a score cannot exceed: the bounds by which rectangles are passed over without their score.

A rectangle has n events, of which B are on side B, and ``w = 2 (B - p n)``; with ``p = 1/2`` that is B - A. Of n events
or more, w has to be beyond a limit before z is beyond a threshold T: otherwise no rectangle with that many events can
be the one that raises a maximum of T. Limits are tabulated for T in steps of :data:`STEP` and for *rows* of n, every n
up to :data:`FINE` and 256 an octave from there on; a number of events stands for the row that it is in, whose limit
holds for all larger numbers too.

Examples
--------
All of 20 events on one side are 4.9 standard deviations, so it takes 21 of them to be beyond:

>>> limits = score_limits(1.0, 1024)
>>> threshold = limit_index(4.91)
>>> [int(limits.limit[threshold, row_of(n)]) // 2 for n in (10, 100)]
[19, 48]
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.submatrix.binomial import HIGHEST, MARGIN, STEP, ZTable, expansion, z_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, FloatArray, IntArray

    Single = NDArray[np.float32]
    Whole = NDArray[np.int32]

FINE = 512
"""Numbers of events below this have a row each."""

LOOKED_UP = 1 << 16
"""Numbers of events up to this have their row in a table."""

MOST_NARROW = 32_000
"""Numbers up to this are taken in 16 bits."""

NO_LIMIT = 1 << 30
"""Limit where all events may be on one side."""

_HALF = FINE // 2


class ScoreLimits(NamedTuple):
    """Largest deviations that do not reach beyond thresholds.

    Attributes
    ----------
    limit
        The largest size of ``2 w`` with which z is not beyond a threshold in any rectangle with as many events as the
        row says, or more; shape (n_thresholds, n_rows).
    fewest
        The largest number of events which are not beyond a threshold even if all of them are on one side; shape
        (n_thresholds,).
    narrow
        ``limit`` in 16 bits: no larger than :data:`MOST_NARROW`.
    rows
        :func:`row_of` of 0 ... n events.
    """

    limit: Whole
    fewest: IntArray
    narrow: NDArray[np.int16]
    rows: IntArray


@compiled
def row_of(n: int) -> int:
    """Return the row of n events."""
    shift = 0
    while n >> shift >= FINE:
        shift += 1
    return n if shift == 0 else FINE + (shift - 1) * _HALF + (n >> shift) - _HALF


@compiled
def rows_of(n: IntArray) -> IntArray:
    """Return the rows of numbers of events."""
    rows = np.empty_like(n)
    for i in range(len(n)):
        rows[i] = row_of(n[i])
    return rows


def first_of(row: IntArray) -> IntArray:
    """Return the smallest number of events of rows.

    Examples
    --------
    >>> bool((first_of(np.array([row_of(n) for n in (3, 600, 10**6)])) <= [3, 600, 10**6]).all())
    True
    """
    octave, place = np.divmod(np.maximum(row - FINE, 0), _HALF)
    return np.asarray(np.where(row < FINE, row, (_HALF + place) << (octave + 1)))


@compiled
def limit_index(threshold: float) -> int:
    """Return the place of the limits of a threshold: those of the next tabulated one that is smaller."""
    return int(min(max(threshold - MARGIN, 0.0), HIGHEST) / STEP)


@compiled
def fewest_of(thresholds: Single, fewest: IntArray) -> int:
    """Return the number of events that are beyond none of some thresholds; ``fewest`` as in :class:`ScoreLimits`."""
    found = fewest[limit_index(float(thresholds[0]))]
    for threshold in thresholds:
        found = min(found, fewest[limit_index(float(threshold))])
    return int(found)


@compiled
def move_limits(thresholds: Single, of: AnyArray, n_rows: int, known: IntArray, limit: AnyArray) -> None:
    """Fill the limits of thresholds, those that have moved since the last time.

    Parameters
    ----------
    thresholds
        Shape (n,).
    of
        Limits of all tabulated thresholds; shape (n_thresholds, all rows).
    n_rows
        Number of rows that are wanted.
    known
        The places of the limits that are filled, and last in how many rows; -1 and 0 at first. Shape (n + 1,), changed
        in place.
    limit
        Changed in place; shape (all rows, n).
    """
    n = len(thresholds)
    anew = n_rows > known[n]
    known[n] = max(known[n], n_rows)
    for t in range(n):
        place = limit_index(float(thresholds[t]))
        if anew or place != known[t]:
            known[t] = place
            for row in range(known[n]):
                limit[row, t] = of[place, row]


@lru_cache(maxsize=8)
def score_limits(kappa: float, largest: int) -> ScoreLimits:
    """Return the limits of the binomial score.

    Parameters
    ----------
    kappa
        Expected ratio B / A.
    largest
        The largest number of events of a rectangle.

    Notes
    -----
    z of few events is tabulated; of more, by the expansion, ``y sqrt(n p (1 - p))`` at a threshold rises with n, so
    that the limit of a row is that of its smallest number of events. What holds for larger numbers too is the smallest
    limit from there on.
    """
    table = z_table(kappa, largest)
    thresholds: FloatArray = STEP * np.arange(round(HIGHEST / STEP) + 1, dtype=np.float64)
    rows = first_of(np.arange(row_of(largest) + 1))
    many = np.unique(np.append(rows[rows > table.most], table.most + 1))
    few_up, few_down = _limits_of_few(table, thresholds)
    up = np.concatenate([few_up, _limit_of_many(many, table.p, thresholds, 1)], axis=1)
    down = np.concatenate([few_down, _limit_of_many(many, table.p, thresholds, -1)], axis=1)
    numbers = np.append(np.arange(table.most + 1), many)
    place = np.searchsorted(numbers, rows)
    up, down = (np.minimum.accumulate(limit[:, ::-1], axis=1)[:, ::-1] for limit in (up, down))
    limit = np.ascontiguousarray(np.minimum(up, down)[:, place], dtype=np.int32)
    narrow = np.minimum(limit, MOST_NARROW).astype(np.int16)
    return ScoreLimits(limit, _fewest(table, thresholds), narrow, rows_of(np.arange(min(largest, LOOKED_UP) + 1)))


def _limits_of_few(table: ZTable, thresholds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the limits of every number of events of the table; shape (n_thresholds, most + 1) each.

    The first B that is beyond a threshold is not reached as long as ``2 w`` is below that of this B.
    """
    up, down = np.full((2, len(thresholds), table.most + 1), float(NO_LIMIT))
    for n in range(1, table.most + 1):
        z, mean = _row(table, n), n * table.p
        first = np.searchsorted(z, thresholds, side="right")
        last = np.searchsorted(z, -thresholds, side="left") - 1
        up[:, n] = np.where(first <= n, np.ceil(4.0 * (first - mean) - 1e-6) - 1.0, NO_LIMIT)
        down[:, n] = np.where(last >= 0, np.ceil(4.0 * (mean - last) - 1e-6) - 1.0, NO_LIMIT)
    return up, down


def _limit_of_many(n: IntArray, p: float, thresholds: FloatArray, sign: int) -> FloatArray:
    """Return ``2 w``, times the sign, at which the expansion is a threshold times the sign; (n_thresholds, len(n))."""
    z = sign * thresholds[:, None]
    c0, c1, c2, c3 = np.moveaxis(expansion(n, p), -1, 0)
    y = np.repeat(z, len(n), axis=1)
    for _ in range(12):
        y -= (c0 + y * (c1 + y * (c2 + y * c3)) - z) / (c1 + y * (2.0 * c2 + y * 3.0 * c3))
    return np.asarray(np.minimum(np.floor(4.0 * sign * y * np.sqrt(n * p * (1.0 - p)) - 1e-3), NO_LIMIT))


def _fewest(table: ZTable, thresholds: FloatArray) -> IntArray:
    """Return the largest number of events for which, and for fewer, no split is beyond a threshold."""
    extremes = [max(-_row(table, n)[0], _row(table, n)[-1]) for n in range(1, table.most + 1)]
    return np.asarray(np.searchsorted(np.maximum.accumulate(extremes), thresholds, side="right"))


def _row(table: ZTable, n: int) -> FloatArray:
    """Return z of 0 ... n events on side B."""
    start = n * (n + 1) // 2
    return table.rows[start : start + n + 1].astype(np.float64)
