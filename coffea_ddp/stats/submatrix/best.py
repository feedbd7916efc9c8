"""The best rectangle of one matrix, and where it is.

The scores are those of :mod:`coffea_ddp.stats.submatrix.rectangles`, one at a time, in double precision, without
pseudo-experiments; compiled by numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.submatrix.groups import AMOUNT, GROUP, next_group, sums_of_rows
from coffea_ddp.stats.submatrix.limits import limit_index
from coffea_ddp.stats.submatrix.rectangles import expansion_terms, squeeze

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, FloatArray, IntArray
    from coffea_ddp.stats.submatrix.binomial import ZTable


@compiled
def linear_best(x: FloatArray, v: FloatArray, e: FloatArray, sign: int) -> tuple[float, int, int, int, int]:
    """Return the largest linear score of one matrix and where it is.

    Parameters
    ----------
    x, v, e
        As in :func:`linear_extremes`, all of shape (rows, columns).
    sign
        1: the largest; -1: the smallest; 0: the largest in size.

    Returns
    -------
    z, first_row, stop_row, first_column, stop_column
        NaN and zeros where all bins are empty. Of equal scores the first one: fewest rows first, then as they come.
    """
    n_rows, n_columns = v.shape
    best, score, where = np.nan, -np.inf, (0, 0, 0, 0)
    of_x, of_v, of_e = sums_of_rows(x), sums_of_rows(v), sums_of_rows(e)
    strip, strip_v, strip_e = np.zeros((3, n_columns + GROUP))
    for first_row in range(n_rows):
        strip[:] = 0.0
        strip_v[:] = 0.0
        strip_e[:] = 0.0
        for row in range(first_row, n_rows):
            strip += of_x[row]
            strip_v += of_v[row]
            strip_e += of_e[row]
            start, first = next_group(strip, strip_v, 0, 1, _square(score))
            while start < n_columns:
                for stop in range(first, min(first + GROUP, n_columns + 1)):
                    if strip_v[stop] <= strip_v[stop - 1]:
                        continue
                    above, common = strip[stop] - strip[start], strip_e[stop] - strip_e[start]
                    below = strip_v[stop] - strip_v[start] + common * common
                    size = abs(above) if sign == 0 else sign * above
                    # Nearly all rectangles are ruled out without a root or a division.
                    if score > 0.0 and (size <= 0.0 or size * size <= score * score * below):
                        continue
                    z = above / np.sqrt(below)
                    size = abs(z) if sign == 0 else sign * z
                    if size > score * (1.0 + 1e-12) + 1e-12:
                        best, score, where = z, size, (first_row, row + 1, start, stop)
                start, first = next_group(strip, strip_v, start, first + GROUP, _square(score))
    return best, where[0], where[1], where[2], where[3]


@compiled
def _square(score: float) -> float:
    """Return the square that is beyond a score; -1 where any is."""
    return score * score if score > 0.0 else -1.0


@compiled
def exact_best(b: IntArray, n: IntArray, table: ZTable, sign: int) -> tuple[float, int, int, int, int]:
    """Return the largest binomial z of one matrix and where it is: :func:`linear_best` for the exact score.

    Parameters
    ----------
    b, n
        Events on side B and on both sides; shape (rows, columns).
    table
        z of few events.
    sign
        As in :func:`linear_best`.
    """
    p, most = table.p, table.most
    n_rows, n_columns = n.shape
    best, score, where = np.nan, -np.inf, (0, 0, 0, 0)
    of_b, of_n = sums_of_rows(b), sums_of_rows(n)
    strip, strip_n = np.zeros((2, n_columns + GROUP))
    around = np.zeros(n_columns + GROUP)
    for first_row in range(n_rows):
        strip[:] = 0.0
        strip_n[:] = 0.0
        for row in range(first_row, n_rows):
            strip += of_b[row]
            strip_n += of_n[row]
            around[:] = strip - p * strip_n
            start, first = next_group(around, strip_n, 0, 1, _least_square(score, table), AMOUNT)
            while start < n_columns:
                for stop in range(first, min(first + GROUP, n_columns + 1)):
                    if strip_n[stop] == strip_n[stop - 1]:
                        continue
                    found, events = int(strip[stop] - strip[start]), int(strip_n[stop] - strip_n[start])
                    if events > most:
                        # The expansion is dear; nearly all rectangles are ruled out by a bound on it.
                        s = 1.0 / np.sqrt(events * p * (1.0 - p))
                        y = (found - events * p) * s
                        y = abs(y) if sign == 0 else sign * y
                        if y + 0.17 * s * (y * y + 1.0) + 0.3 * s * s * abs(y) ** 3 <= score:
                            continue
                    z = _exact_z(found, events, table)
                    size = abs(z) if sign == 0 else sign * z
                    if size > score:
                        best, score, where = z, size, (first_row, row + 1, start, stop)
                start, first = next_group(around, strip_n, start, first + GROUP, _least_square(score, table), AMOUNT)
    return best, where[0], where[1], where[2], where[3]


@compiled
def _least_square(score: float, table: ZTable) -> float:
    """Return the least ``(B - p n)^2 / n`` that is beyond a score; -1 where any is."""
    if score <= 0.0:
        return -1.0
    return float(table.least[limit_index(score)] * table.p * (1.0 - table.p))


@compiled
def _exact_z(found: int, events: int, table: ZTable) -> float:
    if events <= table.most:
        return float(table.rows[events * (events + 1) // 2 + found])
    c0, c1, c2, c3, mean, scale = expansion_terms(events, table.p, table.dilution)
    y = (found - mean) * scale
    return float(c0 + y * (c1 + y * (c2 + y * c3)))


@compiled
def count_rectangles(v: FloatArray) -> int:
    """Return the number of rectangles that are tested: those that begin and end on a column with events."""
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
def count_rectangles_of_cells(v: FloatArray, shape: tuple[int, int]) -> IntArray:
    """Return :func:`count_rectangles` of many matrices, shape (n_cells, rows * columns); shape (n_cells,)."""
    found = np.zeros(len(v), np.int64)
    for cell in range(len(v)):
        found[cell] = count_rectangles(v[cell].reshape(shape))
    return found


@compiled
def linear_best_cells(
    x: FloatArray, v: FloatArray, e: FloatArray, shape: tuple[int, int], sign: int
) -> tuple[FloatArray, IntArray]:
    """Return :func:`linear_best` of many matrices, without their empty rows and columns.

    Parameters
    ----------
    x, v, e
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
            e_kept = np.zeros((n_rows, n_columns))
            for i in np.flatnonzero(v[cell]):
                row, column = place[i] // n_columns, place[i] % n_columns
                x_kept[row, column], v_kept[row, column] = x[cell, i], v[cell, i]
                e_kept[row, column] = e[cell, i]
            found = linear_best(x_kept, v_kept, e_kept, sign)
            z[cell] = found[0]
            _fill_whole((found[1], found[2], found[3], found[4]), place, v, cell, shape, n_columns, where)
    return z, where


@compiled
def exact_best_cells(
    b: IntArray, n: IntArray, shape: tuple[int, int], table: ZTable, sign: int
) -> tuple[FloatArray, IntArray]:
    """Return :func:`exact_best` of many matrices: :func:`linear_best_cells` for the exact score."""
    z, where = np.full(len(n), np.nan), np.zeros((len(n), 4), np.int64)
    for cell in range(len(n)):
        place, n_rows, n_columns = squeeze(n[cell], shape)
        if n_rows > 0:
            b_kept, n_kept = np.zeros((n_rows, n_columns), np.int64), np.zeros((n_rows, n_columns), np.int64)
            for i in range(n.shape[1]):
                if n[cell, i] > 0:
                    row, column = place[i] // n_columns, place[i] % n_columns
                    b_kept[row, column], n_kept[row, column] = b[cell, i], n[cell, i]
            found = exact_best(b_kept, n_kept, table, sign)
            z[cell] = found[0]
            _fill_whole((found[1], found[2], found[3], found[4]), place, n, cell, shape, n_columns, where)
    return z, where


@compiled
def _fill_whole(
    span: tuple[int, int, int, int],
    place: IntArray,
    filled: AnyArray,
    cell: int,
    shape: tuple[int, int],
    n_columns: int,
    where: IntArray,
) -> None:
    """Fill a rectangle of the squeezed matrix of a cell in rows and columns of the whole one."""
    row_of, column_of = np.zeros(shape[0], np.int64), np.zeros(shape[1], np.int64)
    for i in range(filled.shape[1]):
        if filled[cell, i] > 0:
            row_of[place[i] // n_columns] = i // shape[1]
            column_of[place[i] % n_columns] = i % shape[1]
    where[cell, 0], where[cell, 1] = row_of[span[0]], row_of[span[1] - 1] + 1
    where[cell, 2], where[cell, 3] = column_of[span[2]], column_of[span[3] - 1] + 1
