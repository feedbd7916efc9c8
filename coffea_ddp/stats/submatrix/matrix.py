"""One pair of matrices, ready for the loops over its rectangles.

Examples
--------
>>> matrix = Matrix.make(np.array([[3, 0, 3]]), np.array([[9, 0, 3]]), 1.0, "counts")
>>> matrix.shape, matrix.best(0)[1]
((1, 2), ((0, 1), (0, 1)))
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.submatrix.best import exact_best, exact_best_cells, linear_best, linear_best_cells
from coffea_ddp.stats.submatrix.binomial import ZTable, z_table
from coffea_ddp.stats.submatrix.rectangles import exact_extremes, linear_extremes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray, IntArray

    Single = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Matrix:
    """One pair of matrices, ready for its rectangles: two axes, without the rows and columns that are empty.

    Attributes
    ----------
    n
        Events of both sides in the bins that are kept, flat.
    b
        Events of side B, flat.
    ratio
        kappa of every bin, or a number.
    v
        Variance of every bin for the linear score: 1 where there are events (``"nsigma"``); shape (rows, columns).
    e
        What an error of kappa that all bins share moves a bin by, in the same units; shape (rows, columns).
    scale
        What turns ``B - kappa A`` into the x of the linear score, flat.
    table
        For the exact score; ``None``: linear.
    kept
        The rows and the columns that are kept.
    n_axes
        Of the matrices as given.
    """

    n: IntArray
    b: IntArray
    ratio: float
    v: FloatArray
    e: FloatArray
    scale: FloatArray
    table: ZTable | None
    kept: tuple[IntArray, IntArray]
    n_axes: int

    @classmethod
    def make(
        cls,
        a: IntArray,
        b: IntArray,
        ratio: float,
        statistic: str,
        *,
        kappa_error: float = 0.0,
        systematic: float = 0.0,
    ) -> Matrix:
        """Return the pair of matrices without empty rows and columns: they change no rectangle's contents.

        Parameters
        ----------
        a, b
            Counts, of one shape with one or two axes.
        ratio
            kappa.
        statistic
            ``"counts"``: of the sum, exact where no systematic error is part of it; ``"nsigma"``.
        kappa_error, systematic
            Relative errors of kappa: common to all bins, and independent from bin to bin.
        """
        total = np.atleast_2d(a + b)
        rows, columns = np.flatnonzero(total.any(axis=1)), np.flatnonzero(total.any(axis=0))
        kept = np.ix_(rows, columns)
        n, found = total[kept].astype(np.int64), np.atleast_2d(b)[kept].astype(np.int64)
        exact = statistic == "counts" and not systematic
        table = z_table(ratio, round_up(int(n.sum())), kappa_error) if exact else None
        expected = ratio * n / (1 + ratio)
        v, scale = ratio * n + (systematic * expected) ** 2, np.ones(n.shape)
        if statistic == "nsigma":
            scale = 1.0 / np.sqrt(np.where(n > 0, v, 1.0))
            v = (n > 0).astype(np.float64)
        e = kappa_error * expected * scale
        return cls(n.ravel(), found.ravel(), ratio, v, e, scale.ravel(), table, (rows, columns), a.ndim)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns that are kept."""
        return len(self.kept[0]), len(self.kept[1])

    def best(self, sign: int) -> tuple[float, tuple[tuple[int, int], ...]]:
        """Return the best score and its rectangle in bins of the matrices as given."""
        n, b = self.n.reshape(self.shape), self.b.reshape(self.shape)
        if self.table is None:
            x = ((1.0 + self.ratio) * self.b - self.ratio * self.n) * self.scale
            found = linear_best(x.reshape(self.shape), self.v, self.e, sign)
        else:
            found = exact_best(b, n, self.table, sign)
        z, spans = found[0], ((found[1], found[2]), (found[3], found[4]))
        where = tuple(
            (int(kept[start]), int(kept[stop - 1]) + 1) for kept, (start, stop) in zip(self.kept, spans, strict=True)
        )
        return float(z), where[2 - self.n_axes :]

    def extremes(self, labels: Single) -> tuple[Single, Single]:
        """Return the largest and the smallest score of every pseudo-experiment of a block.

        Parameters
        ----------
        labels
            Events with the label B, shape (bins, TOYS).
        """
        high, low = np.full(TOYS, -np.inf, np.float32), np.full(TOYS, np.inf, np.float32)
        if self.table is None:
            x = ((1.0 + self.ratio) * labels - self.ratio * self.n[:, None]) * self.scale[:, None]
            linear_extremes(x.astype(np.float32).reshape(*self.shape, TOYS), self.v, self.e, high, low)
        else:
            stacked = np.ascontiguousarray(labels).reshape(*self.shape, TOYS)
            exact_extremes(stacked, self.n.reshape(self.shape), self.table, high, low)
        return high, low


def one_sided(high: Single, low: Single, sign: int) -> Single:
    """Return the score that an alternative uses: 1 the largest, -1 minus the smallest, 0 the larger in size."""
    return np.maximum(high, -low) if sign == 0 else high if sign > 0 else -low


def round_up(n: int) -> int:
    """Return the next power of two, so that few tables serve many matrices."""
    return 1 << max(6, math.ceil(math.log2(max(n, 1))))


def best_of_cells(
    first: FloatArray,
    second: FloatArray,
    shape: tuple[int, int],
    sign: int,
    table: ZTable | None,
    common: FloatArray | None = None,
) -> tuple[FloatArray, IntArray]:
    """Return the best rectangle of every matrix of a block.

    Parameters
    ----------
    first, second
        With a table: events on side B and on both; without: x and v of the linear score. Shape (n_cells, bins).
    shape
        Rows and columns of the bins.
    sign
        1: the largest score; -1: the smallest; 0: the largest in size.
    table
        For the exact score; ``None``: the linear one.
    common
        Of the linear score: e, what is uncertain in all bins together; shape (n_cells, bins), ``None``: nothing is.

    Returns
    -------
    z
        Signed; NaN where a matrix is empty. Shape (n_cells,).
    where
        First and one-past-last row, first and one-past-last column; shape (n_cells, 4).
    """
    if table is None:
        e = np.zeros(first.shape) if common is None else np.ascontiguousarray(common)
        return linear_best_cells(np.ascontiguousarray(first), np.ascontiguousarray(second), e, shape, sign)
    b, n = np.rint(first).astype(np.int64), np.rint(second).astype(np.int64)
    return exact_best_cells(b, n, shape, table, sign)
