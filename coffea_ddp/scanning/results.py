"""Results of a test in a block of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray


class CellResults(NamedTuple):
    """Results of a test in a block of cells; all of shape (n_cells,), NaN where nothing can be said.

    Attributes
    ----------
    statistic
        Signed, a z: above 0 where B is in excess.
    bound
        The same of the p-value that a bound may be made of: of the full binomial p where the statistic is that of
        mid-p, which can be half of it.
    nominal
        The same with the plan's kappa, taken as exact, and no systematic error.
    n_a, n_b, n_bins, asymmetry
        Of the cell, or of the best rectangle.
    kappa, scale
        The expected ratio that was used, and what the statistic was multiplied with because of its uncertainty.
    trials
        Number of regions of the cell that were tested.
    rectangle
        The best one (first and one-past-last row, then column); shape (n_cells, 4), ``None`` for whole cells.
    error
        Standard deviation of ``n_a`` where that is an expectation; ``None`` where it is a count.
    """

    statistic: FloatArray
    bound: FloatArray
    nominal: FloatArray
    n_a: FloatArray
    n_b: FloatArray
    n_bins: IntArray
    asymmetry: FloatArray
    kappa: FloatArray
    scale: FloatArray
    trials: IntArray
    rectangle: IntArray | None
    error: FloatArray | None = None
