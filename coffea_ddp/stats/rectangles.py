"""All rectangles of a matrix at once: the loops behind the sub-matrix scan, compiled by numba.

Rows are added up from r0 to r1 once per pair of rows, so that every rectangle of the strip is the difference of two
prefix sums. The innermost loop runs over :data:`TOYS` pseudo-experiments, which share everything that does not depend
on the labels: the number of events of a rectangle, and with it the factor that makes z of its sum. Rectangles that
begin or end on a column without events are skipped: they hold the events of a smaller one.

Two scores:

- *linear*: ``sum(x) / sqrt(sum(v))`` over the bins of the rectangle. With x the pulls and v = 1 for every bin that is
  not empty this is N_sigma of the sub-matrix; with x = B - kappa A and v its variance, the significance of the summed
  counts.
- *exact*: z of the mid-p value of B among A + B events. For a given number of events z rises with B, so it is enough to
  remember the most and the fewest B of all rectangles with n events, for every n up to the end of the table, and to
  look z up once at the end; above that, the expansion of :func:`coffea_ddp.stats.binomial.expansion`.

Each has a plain numpy counterpart in ``tests/test_rectangles.py`` that gives the same answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray

    Single = NDArray[np.float32]

_F = TypeVar("_F", bound=Callable[..., Any])

TOYS = 64
"""Pseudo-experiments in the innermost loop: four vectors of 16, and the bits of one random word."""

# NaN never occurs; sums may be taken in any order. (`isnan` would not work in here.)
_FAST = {"nnan", "nsz", "contract", "reassoc"}


def compiled(function: _F) -> _F:
    """Compile lazily; keep the machine code on disk where that is possible (some containers are read-only)."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": _FAST}
    try:
        return cast("_F", numba.njit(cache=True, **options)(function))
    except RuntimeError:
        return cast("_F", numba.njit(**options)(function))


@compiled
def linear_extremes(x: Single, v: FloatArray, high: Single, low: Single) -> None:
    """Raise ``high`` and lower ``low`` to the extremes of ``sum(x) / sqrt(sum(v))`` over all rectangles.

    Parameters
    ----------
    x
        Shape (rows, columns, TOYS).
    v
        Variances, 0 in empty bins; shape (rows, columns).
    high, low
        The extremes so far, changed in place; shape (TOYS,).
    """
    n_rows, n_columns = v.shape
    strip, prefix = np.zeros((n_columns, TOYS), np.float32), np.zeros((n_columns + 1, TOYS), np.float32)
    strip_v, prefix_v = np.zeros(n_columns), np.zeros(n_columns + 1)
    for first_row in range(n_rows):
        strip[:] = 0.0
        strip_v[:] = 0.0
        for row in range(first_row, n_rows):
            _add_row(x[row], strip, prefix)
            _add_shared(v[row], strip_v, prefix_v)
            for start in range(n_columns):
                if strip_v[start] <= 0.0:
                    continue
                for stop in range(start + 1, n_columns + 1):
                    if strip_v[stop - 1] <= 0.0:
                        continue
                    factor = np.float32(1.0 / np.sqrt(prefix_v[stop] - prefix_v[start]))
                    for t in range(TOYS):
                        z = (prefix[stop, t] - prefix[start, t]) * factor
                        high[t] = max(high[t], z)
                        low[t] = min(low[t], z)


@compiled
def exact_extremes(b: Single, n: IntArray, p: float, rows: Single, most: int, high: Single, low: Single) -> None:
    """Raise ``high`` and lower ``low`` to the extremes of the binomial z over all rectangles.

    Parameters
    ----------
    b
        Events on side B; shape (rows, columns, TOYS).
    n
        Events on both sides; shape (rows, columns).
    p, rows, most
        The fields of a :class:`coffea_ddp.stats.binomial.ZTable`.
    high, low
        The extremes so far, changed in place; shape (TOYS,).
    """
    n_rows, n_columns = n.shape
    strip, prefix = np.zeros((n_columns, TOYS), np.float32), np.zeros((n_columns + 1, TOYS), np.float32)
    strip_n, prefix_n = np.zeros(n_columns, np.int64), np.zeros(n_columns + 1, np.int64)
    last = min(most, n.sum())
    # Of all rectangles with so many events, the most and the fewest on side B; -1: there is none.
    largest, smallest = np.full((last + 1, TOYS), np.float32(-1.0)), np.full((last + 1, TOYS), np.float32(np.inf))
    for first_row in range(n_rows):
        strip[:] = 0.0
        strip_n[:] = 0
        for row in range(first_row, n_rows):
            _add_row(b[row], strip, prefix)
            _add_shared(n[row], strip_n, prefix_n)
            _exact_strip(prefix, strip_n, prefix_n, p, largest, smallest, high, low)
    for events in range(1, last + 1):
        if largest[events, 0] >= 0.0:
            base = events * (events + 1) // 2
            for t in range(TOYS):
                high[t] = max(high[t], rows[base + int(largest[events, t])])
                low[t] = min(low[t], rows[base + int(smallest[events, t])])


@compiled
def _exact_strip(
    prefix: Single,
    strip_n: IntArray,
    prefix_n: IntArray,
    p: float,
    largest: Single,
    smallest: Single,
    high: Single,
    low: Single,
) -> None:
    """Look at all rectangles of one strip of rows."""
    last = len(largest) - 1
    for start in range(len(strip_n)):
        if strip_n[start] == 0:
            continue
        for stop in range(start + 1, len(strip_n) + 1):
            if strip_n[stop - 1] == 0:
                continue
            events = prefix_n[stop] - prefix_n[start]
            if events <= last:
                for t in range(TOYS):
                    found = prefix[stop, t] - prefix[start, t]
                    largest[events, t] = max(largest[events, t], found)
                    smallest[events, t] = min(smallest[events, t], found)
            else:
                c0, c1, c2, c3, mean, scale = _expansion(events, p)
                for t in range(TOYS):
                    y = ((prefix[stop, t] - prefix[start, t]) - mean) * scale
                    z = c0 + y * (c1 + y * (c2 + y * c3))
                    high[t] = max(high[t], z)
                    low[t] = min(low[t], z)


@compiled
def _add_row(row: Single, strip: Single, prefix: Single) -> None:
    """Take one more row into the strip, and sum up the strip from its first column on."""
    for column in range(len(strip)):
        for t in range(TOYS):
            strip[column, t] += row[column, t]
            prefix[column + 1, t] = prefix[column, t] + strip[column, t]


@compiled
def _add_shared(row: AnyArray, strip: AnyArray, prefix: AnyArray) -> None:
    """Do the same with what all pseudo-experiments share."""
    for column in range(len(strip)):
        strip[column] += row[column]
        prefix[column + 1] = prefix[column] + strip[column]


@compiled
def _expansion(events: int, p: float) -> tuple[Any, ...]:
    """Return the coefficients of :func:`coffea_ddp.stats.binomial.expansion`, the mean of B and 1 / its width."""
    width = events * p * (1.0 - p)
    skew, kurtosis = (1.0 - 2.0 * p) / np.sqrt(width), (1.0 - 6.0 * p * (1.0 - p)) / width
    return (
        np.float32(skew / 6.0),
        np.float32(1.0 + kurtosis / 8.0 - 7.0 * skew * skew / 36.0),
        np.float32(-skew / 6.0),
        np.float32(skew * skew / 9.0 - kurtosis / 24.0),
        np.float32(events * p),
        np.float32(1.0 / np.sqrt(width)),
    )


@compiled
def linear_best(x: FloatArray, v: FloatArray, sign: int) -> tuple[float, int, int, int, int]:
    """Return the largest linear score of one matrix and where it is.

    Parameters
    ----------
    x, v
        As in :func:`linear_extremes`, both of shape (rows, columns).
    sign
        1: the largest; -1: the smallest; 0: the largest in size.

    Returns
    -------
    z, first_row, stop_row, first_column, stop_column
        NaN and zeros where all bins are empty. Of equal scores the first one: fewest rows first, then as they come.
    """
    n_rows, n_columns = v.shape
    best, score, where = np.nan, -np.inf, (0, 0, 0, 0)
    strip, strip_v = np.zeros(n_columns + 1), np.zeros(n_columns + 1)
    for first_row in range(n_rows):
        strip[:] = 0.0
        strip_v[:] = 0.0
        for row in range(first_row, n_rows):
            strip[1:] += np.cumsum(x[row])
            strip_v[1:] += np.cumsum(v[row])
            for start in range(n_columns):
                if strip_v[start + 1] <= strip_v[start]:
                    continue
                for stop in range(start + 1, n_columns + 1):
                    if strip_v[stop] <= strip_v[stop - 1]:
                        continue
                    z = (strip[stop] - strip[start]) / np.sqrt(strip_v[stop] - strip_v[start])
                    size = abs(z) if sign == 0 else sign * z
                    if size > score * (1.0 + 1e-12) + 1e-12:
                        best, score, where = z, size, (first_row, row + 1, start, stop)
    return best, where[0], where[1], where[2], where[3]


@compiled
def exact_best(
    b: IntArray, n: IntArray, p: float, rows: Single, most: int, sign: int
) -> tuple[float, int, int, int, int]:
    """Return the largest binomial z of one matrix and where it is: :func:`linear_best` for the exact score.

    Parameters
    ----------
    b, n
        Events on side B and on both sides; shape (rows, columns).
    p, rows, most
        The fields of a :class:`coffea_ddp.stats.binomial.ZTable`.
    sign
        As in :func:`linear_best`.
    """
    n_rows, n_columns = n.shape
    best, score, where = np.nan, -np.inf, (0, 0, 0, 0)
    strip, strip_n = np.zeros(n_columns + 1, np.int64), np.zeros(n_columns + 1, np.int64)
    for first_row in range(n_rows):
        strip[:] = 0
        strip_n[:] = 0
        for row in range(first_row, n_rows):
            strip[1:] += np.cumsum(b[row])
            strip_n[1:] += np.cumsum(n[row])
            for start in range(n_columns):
                if strip_n[start + 1] == strip_n[start]:
                    continue
                for stop in range(start + 1, n_columns + 1):
                    if strip_n[stop] == strip_n[stop - 1]:
                        continue
                    found, events = strip[stop] - strip[start], strip_n[stop] - strip_n[start]
                    if events > most:
                        # The expansion is dear; nearly all rectangles are ruled out by a bound on it.
                        s = 1.0 / np.sqrt(events * p * (1.0 - p))
                        y = (found - events * p) * s
                        y = abs(y) if sign == 0 else sign * y
                        if y + 0.17 * s * (y * y + 1.0) + 0.3 * s * s * abs(y) ** 3 <= score:
                            continue
                    z = _exact_z(found, events, p, rows, most)
                    size = abs(z) if sign == 0 else sign * z
                    if size > score:
                        best, score, where = z, size, (first_row, row + 1, start, stop)
    return best, where[0], where[1], where[2], where[3]


@compiled
def _exact_z(found: int, events: int, p: float, rows: Single, most: int) -> float:
    if events <= most:
        return float(rows[events * (events + 1) // 2 + found])
    c0, c1, c2, c3, mean, scale = _expansion(events, p)
    y = (found - mean) * scale
    return float(c0 + y * (c1 + y * (c2 + y * c3)))


@compiled
def count_rectangles(v: FloatArray) -> int:
    """Return how many rectangles are looked at: those that begin and end on a column with events."""
    n_rows, n_columns = v.shape
    total = 0
    strip = np.zeros(n_columns)
    for first_row in range(n_rows):
        strip[:] = 0.0
        for row in range(first_row, n_rows):
            strip += v[row]
            used = 0
            for column in range(n_columns):
                used += strip[column] > 0.0
            total += used * (used + 1) // 2
    return total


@compiled
def squeeze(n: IntArray, shape: tuple[int, int]) -> tuple[IntArray, int, int]:
    """Return where each bin goes when the empty rows and columns are left out, and how many are left.

    Parameters
    ----------
    n
        Events of every bin, flat; shape (rows * columns,).
    shape
        Rows and columns.

    Returns
    -------
    place, n_rows, n_columns
        ``place`` has shape (rows * columns,); 0 for bins that go nowhere (they are empty).
    """
    row_of, column_of = np.full(shape[0], -1), np.full(shape[1], -1)
    for i in range(len(n)):
        if n[i] > 0:
            row_of[i // shape[1]] = 0
            column_of[i % shape[1]] = 0
    n_rows, n_columns = 0, 0
    for row in range(shape[0]):
        if row_of[row] == 0:
            row_of[row] = n_rows
            n_rows += 1
    for column in range(shape[1]):
        if column_of[column] == 0:
            column_of[column] = n_columns
            n_columns += 1
    place = np.zeros(len(n), np.int64)
    for i in range(len(n)):
        if n[i] > 0:
            place[i] = row_of[i // shape[1]] * n_columns + column_of[i % shape[1]]
    return place, n_rows, n_columns


@compiled
def linear_best_cells(x: FloatArray, v: FloatArray, shape: tuple[int, int], sign: int) -> tuple[FloatArray, IntArray]:
    """Return :func:`linear_best` of many matrices, without their empty rows and columns.

    Parameters
    ----------
    x, v
        Shape (n_cells, rows * columns).
    shape
        Rows and columns.
    sign
        As there.

    Returns
    -------
    z, where
        Shapes (n_cells,) and (n_cells, 4); NaN where a matrix is empty.
    """
    z, where = np.full(len(x), np.nan), np.zeros((len(x), 4), np.int64)
    for cell in range(len(x)):
        place, n_rows, n_columns = squeeze((v[cell] > 0.0).astype(np.int64), shape)
        if n_rows > 0:
            x_kept, v_kept = np.zeros((n_rows, n_columns)), np.zeros((n_rows, n_columns))
            for i in np.flatnonzero(v[cell]):
                row, column = place[i] // n_columns, place[i] % n_columns
                x_kept[row, column], v_kept[row, column] = x[cell, i], v[cell, i]
            found = linear_best(x_kept, v_kept, sign)
            z[cell] = found[0]
            where[cell] = _whole((found[1], found[2], found[3], found[4]), place, v[cell] > 0.0, shape, n_columns)
    return z, where


@compiled
def exact_best_cells(
    b: IntArray, n: IntArray, shape: tuple[int, int], p: float, rows: Single, most: int, sign: int
) -> tuple[FloatArray, IntArray]:
    """Return :func:`exact_best` of many matrices: :func:`linear_best_cells` for the exact score."""
    z, where = np.full(len(n), np.nan), np.zeros((len(n), 4), np.int64)
    for cell in range(len(n)):
        place, n_rows, n_columns = squeeze(n[cell], shape)
        if n_rows > 0:
            b_kept, n_kept = np.zeros((n_rows, n_columns), np.int64), np.zeros((n_rows, n_columns), np.int64)
            for i in np.flatnonzero(n[cell]):
                row, column = place[i] // n_columns, place[i] % n_columns
                b_kept[row, column], n_kept[row, column] = b[cell, i], n[cell, i]
            found = exact_best(b_kept, n_kept, p, rows, most, sign)
            z[cell] = found[0]
            where[cell] = _whole((found[1], found[2], found[3], found[4]), place, n[cell] > 0, shape, n_columns)
    return z, where


@compiled
def _whole(
    span: tuple[int, int, int, int], place: IntArray, filled: BoolArray, shape: tuple[int, int], n_columns: int
) -> IntArray:
    """Return a rectangle of the squeezed matrix in rows and columns of the whole one."""
    row_of, column_of = np.zeros(shape[0], np.int64), np.zeros(shape[1], np.int64)
    for i in np.flatnonzero(filled):
        row_of[place[i] // n_columns] = i // shape[1]
        column_of[place[i] % n_columns] = i % shape[1]
    result = np.zeros(4, np.int64)
    result[0], result[1] = row_of[span[0]], row_of[span[1] - 1] + 1
    result[2], result[3] = column_of[span[2]], column_of[span[3] - 1] + 1
    return result
