"""Rectangles in groups: those of a strip of rows that begin with one column and end with neighbouring ones.

A group is passed over as a whole where none of its rectangles can be beyond the best score so far. That takes no branch
for each of them, so that the processor does all of a group at once; few groups are left, to be scored one at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats._compiled import compiled

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, FloatArray

GROUP = 16
"""Rectangles of a group: as many as compilers put into vectors in one go."""

SHARE, AMOUNT = 1.0 - 1e-6, 1e-6
"""Squares are taken for larger than they are by more than rounding can change them; the second one, of events."""


@compiled
def sums_of_rows(values: AnyArray) -> FloatArray:
    """Return the sums over the first columns of every row, the last one a few times: groups may end behind it.

    Parameters
    ----------
    values
        Shape (n_rows, n_columns).

    Returns
    -------
    ndarray, shape (n_rows, n_columns + GROUP)
    """
    n_rows, n_columns = values.shape
    sums = np.zeros((n_rows, n_columns + GROUP))
    for row in range(n_rows):
        for column in range(n_columns):
            sums[row, column + 1] = sums[row, column] + values[row, column]
        for column in range(n_columns + 1, n_columns + GROUP):
            sums[row, column] = sums[row, n_columns]
    return sums


@compiled
def next_group(
    x: FloatArray, v: FloatArray, start: int, first: int, square: float, amount: float = 0.0
) -> tuple[int, int]:
    """Return the next group of which ``sum(x)^2 > square sum(v)`` in a rectangle: its first column, and first end.

    Parameters
    ----------
    x, v
        Sums over the first columns of a strip; shape (n_columns + GROUP,).
    start, first
        First column and first one-past-last column of the group to begin with.
    square
        0 or more; below 0 each group is returned.
    amount
        What rounding changes squares of x by, at most.

    Returns
    -------
    start, first
        The first column is ``n_columns`` where there is none. Columns whose v is 0 begin no rectangle.
    """
    n_columns, less = len(x) - GROUP, square * SHARE
    while start < n_columns:
        before, before_v = x[start], v[start]
        if v[start + 1] > before_v:
            while first <= n_columns:
                beyond = False
                # Loops whose length the compiler knows are written out, and not put into vectors then.
                for i in range(min(GROUP, len(x) - first)):
                    stop = np.uint64(first) + np.uint64(i)
                    above = x[stop] - before
                    beyond |= above * above + amount > less * (v[stop] - before_v)
                if beyond:
                    return start, first
                first += GROUP
        start += 1
        first = start + 1
    return start, first
