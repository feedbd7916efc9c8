"""All rectangles of a matrix at once: the loops behind the sub-matrix scan, compiled by numba.

Rows are added up from r0 to r1 once per pair of rows, so that every rectangle of the strip is the difference of two
prefix sums. The innermost loop runs over :data:`~coffea_ddp.stats._compiled.TOYS` pseudo-experiments, which share
everything that does not depend on the labels: the number of events of a rectangle, and with it the factor that makes z
of its sum. Rectangles that begin or end on a column without events are skipped: they hold the events of a smaller one.

Two scores:

- *linear*: ``sum(x) / sqrt(sum(v) + sum(e)^2)`` over the bins of the rectangle. With x the pulls and v = 1 for
  every bin that is not empty this is N_sigma of the sub-matrix; with x = B - kappa A and v its variance, the
  significance of the summed counts.
- *exact*: z of the mid-p value of B among A + B events. For a given number of events z rises with B, so it is enough to
  remember the most and the fewest B of all rectangles with n events, for every n up to the end of the table, and to
  look z up once at the end; above that, the expansion of :func:`coffea_ddp.stats.submatrix.binomial.expansion`.

Each has a numpy counterpart in ``tests/stats/submatrix/test_rectangles.py`` that gives the same answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.stats._compiled import TOYS, compiled, compiled_in_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, FloatArray, IntArray
    from coffea_ddp.stats.submatrix.binomial import ZTable

    Single = NDArray[np.float32]


@compiled
def linear_extremes(x: Single, v: FloatArray, e: FloatArray, high: Single, low: Single) -> None:
    """Raise ``high`` and lower ``low`` to the extremes of the linear score over all rectangles.

    The score is ``sum(x) / sqrt(sum(v) + sum(e)^2)``.

    Parameters
    ----------
    x
        Shape (rows, columns, TOYS).
    v
        Variances, 0 in empty bins; shape (rows, columns).
    e
        One standard deviation of what is uncertain in all bins together, 0 where nothing is; shape (rows, columns).
    high, low
        The extremes so far, changed in place; shape (TOYS,).
    """
    n_rows, n_columns = v.shape
    strip, prefix = np.zeros((n_columns, TOYS), np.float32), np.zeros((n_columns + 1, TOYS), np.float32)
    strip_v, prefix_v = np.zeros(n_columns), np.zeros(n_columns + 1)
    strip_e, prefix_e = np.zeros(n_columns), np.zeros(n_columns + 1)
    for first_row in range(n_rows):
        strip[:] = 0.0
        strip_v[:] = 0.0
        strip_e[:] = 0.0
        for row in range(first_row, n_rows):
            _add_row(x[row], strip, prefix)
            _add_shared(v[row], strip_v, prefix_v)
            _add_shared(e[row], strip_e, prefix_e)
            for start in range(n_columns):
                if strip_v[start] <= 0.0:
                    continue
                for stop in range(start + 1, n_columns + 1):
                    if strip_v[stop - 1] <= 0.0:
                        continue
                    common = prefix_e[stop] - prefix_e[start]
                    factor = np.float32(1.0 / np.sqrt(prefix_v[stop] - prefix_v[start] + common * common))
                    for t in range(TOYS):
                        z = (prefix[stop, t] - prefix[start, t]) * factor
                        high[t] = max(high[t], z)
                        low[t] = min(low[t], z)


@compiled
def exact_extremes(b: Single, n: IntArray, table: ZTable, high: Single, low: Single) -> None:
    """Raise ``high`` and lower ``low`` to the extremes of the binomial z over all rectangles.

    Parameters
    ----------
    b
        Events on side B; shape (rows, columns, TOYS).
    n
        Events on both sides; shape (rows, columns).
    table
        z of few events.
    high, low
        The extremes so far, changed in place; shape (TOYS,).

    Notes
    -----
    What is summed up is B less the nearest whole number to its mean, which the pseudo-experiments share: that stays
    far below 2^24, up to where single precision is exact, when the counts themselves do not.
    """
    n_rows, n_columns = n.shape
    mean, around = np.zeros((n_rows, n_columns), np.int64), np.zeros(b.shape, np.float32)
    for row in range(n_rows):
        for column in range(n_columns):
            mean[row, column] = np.int64(np.rint(n[row, column] * table.p))
            for t in range(TOYS):
                around[row, column, t] = b[row, column, t] - np.float32(mean[row, column])
    strip_mean, prefix_mean = np.zeros(n_columns, np.int64), np.zeros(n_columns + 1, np.int64)
    strip, prefix = np.zeros((n_columns, TOYS), np.float32), np.zeros((n_columns + 1, TOYS), np.float32)
    strip_n, prefix_n = np.zeros(n_columns, np.int64), np.zeros(n_columns + 1, np.int64)
    last = min(table.most, n.sum())
    # Of all rectangles with a number of events, the most and the fewest on side B; -1: there is none.
    largest, smallest = np.full((last + 1, TOYS), np.float32(-1.0)), np.full((last + 1, TOYS), np.float32(np.inf))
    for first_row in range(n_rows):
        strip[:] = 0.0
        strip_n[:] = 0
        strip_mean[:] = 0
        for row in range(first_row, n_rows):
            _add_row(around[row], strip, prefix)
            _add_shared(n[row], strip_n, prefix_n)
            _add_shared(mean[row], strip_mean, prefix_mean)
            _exact_strip(prefix, strip_n, prefix_n, prefix_mean, table, largest, smallest, high, low)
    for events in range(1, last + 1):
        if largest[events, 0] >= 0.0:
            base = events * (events + 1) // 2
            for t in range(TOYS):
                high[t] = max(high[t], table.rows[base + int(largest[events, t])])
                low[t] = min(low[t], table.rows[base + int(smallest[events, t])])


@compiled_in_order
def _exact_strip(  # noqa: PLR0917 (numba knows no keyword-only arguments)
    prefix: Single,
    strip_n: IntArray,
    prefix_n: IntArray,
    prefix_mean: IntArray,
    table: ZTable,
    largest: Single,
    smallest: Single,
    high: Single,
    low: Single,
) -> None:
    """Test all rectangles of one strip of rows."""
    last = len(largest) - 1
    for start in range(len(strip_n)):
        if strip_n[start] == 0:
            continue
        for stop in range(start + 1, len(strip_n) + 1):
            if strip_n[stop - 1] == 0:
                continue
            events = prefix_n[stop] - prefix_n[start]
            shared = prefix_mean[stop] - prefix_mean[start]
            if events <= last:
                whole = np.float32(shared)
                for t in range(TOYS):
                    found = (prefix[stop, t] - prefix[start, t]) + whole
                    largest[events, t] = max(largest[events, t], found)
                    smallest[events, t] = min(smallest[events, t], found)
            else:
                c0, c1, c2, c3, mean, scale = expansion_terms(events, table.p, table.dilution)
                shift = np.float32(mean - shared)
                for t in range(TOYS):
                    y = ((prefix[stop, t] - shift) - prefix[start, t]) * scale
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
def expansion_terms(events: int, p: float, dilution: float) -> tuple[Any, ...]:
    """Return the coefficients of the expansion of z, the mean of B and 1 / its width.

    The expansion is :func:`coffea_ddp.stats.submatrix.binomial.expansion`.
    The coefficients are divided by ``sqrt(1 + dilution events)`` (:class:`coffea_ddp.stats.submatrix.binomial.ZTable`).

    The mean is in double precision: single precision would miss it by its rounding.
    """
    width = events * p * (1.0 - p)
    less = 1.0 / np.sqrt(1.0 + dilution * events)
    skew, kurtosis = (1.0 - 2.0 * p) / np.sqrt(width), (1.0 - 6.0 * p * (1.0 - p)) / width
    return (
        np.float32(less * (skew / 6.0)),
        np.float32(less * (1.0 + kurtosis / 8.0 - 7.0 * skew * skew / 36.0)),
        np.float32(less * (-skew / 6.0)),
        np.float32(less * (skew * skew / 9.0 - kurtosis / 24.0)),
        events * p,
        np.float32(1.0 / np.sqrt(width)),
    )


@compiled
def squeeze(n: AnyArray, shape: tuple[int, int]) -> tuple[IntArray, int, int]:
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
