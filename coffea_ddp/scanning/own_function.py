"""A test of one's own: a function of the counts of A and B in the bins of each cell.

Examples
--------
>>> def excess(a, b, ratio):
...     return (b - ratio * a).sum(axis=1) / np.sqrt((ratio * (a + b)).sum(axis=1))
>>> CellTest("excess", excess, "of the number of events")
CellTest(name='excess', function=<function excess at 0x...>, description='of the number of events', normal=True)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import sparse

from coffea_ddp.errors import InputError
from coffea_ddp.scanning.binned_tests import kappa_of
from coffea_ddp.scanning.results import CellResults

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, FloatArray
    from coffea_ddp.scanning.cell_matrices import Block
    from coffea_ddp.scanning.expectation import ChannelExpectation
    from coffea_ddp.scanning.protocols import RelabelledCounts
    from coffea_ddp.stats.submatrix.overlapping import MaxScores, Membership

Function = Callable[["FloatArray", "FloatArray", "FloatArray"], "FloatArray"]
"""Counts of A and B, shape (n_cells, n_bins), and the expected ratio B / A, which broadcasts to it -> signed z, shape
(n_cells,)."""

_CELLS = 1_024


@dataclass(frozen=True)
class CellTest:
    """A test made of a function of counts.

    Its global p-values are counted among pseudo-experiments as those of any other test, so its z need not be normal
    for them to hold; local p-values are those of a normal z.

    Attributes
    ----------
    name
        As in the rows of the report.
    function
        Of the counts of A and B, each of shape (n_cells, n_bins), and of the expected ratio B / A in every bin, which
        broadcasts to that; returns z, shape (n_cells,), above 0 where B is in excess, NaN where nothing can be said.
        Bins that are empty in all cells may be left out.
    description
        The test, in words, for the report.
    normal
        Whether z is normal without a signal: then it is part of the report's histogram of z.

    Examples
    --------
    >>> CellTest("totals", lambda a, b: (b.sum() - a.sum()) / (a.sum() + b.sum()) ** 0.5).name
    'totals'
    """

    name: str
    function: Function
    description: str = ""
    normal: bool = True
    kind: ClassVar[str] = "counts"

    def __post_init__(self) -> None:
        """Check the name."""
        if not str(self.name).isidentifier():
            raise InputError(f"a test's name is an identifier, as in 'chi2'; got {self.name!r}")
        if not callable(self.function):
            raise InputError(f"the test {self.name!r} needs a function of the counts of A, of B, and of their ratio")

    def observed(self, block: Block, expected: ChannelExpectation) -> CellResults:
        """Test a block of cells."""
        self._check(expected)
        kappa = kappa_of(block, expected)
        known = np.isfinite(kappa)
        ratio = np.where(known, kappa, 1.0)[:, None]
        if expected.shares is not None:
            ratio = _ratio(expected.shares.expected(block.members, block.used), block.a + block.b)
            if not expected.shares.own:
                kappa = (ratio * (block.a + block.b) / (1 + ratio)).sum(axis=1)
                kappa = kappa / (block.n_a + block.n_b - kappa)
            else:
                ratio = ratio * (block.n_b / np.maximum((block.a * ratio).sum(axis=1), 1e-15))[:, None]
        z = np.where(known, self._z(block.a, block.b, ratio), np.nan)
        plan = np.full_like(ratio, expected.plan_kappa)
        nominal = z if expected.nominal else self._z(block.a, block.b, plan)
        n_bins = ((block.a + block.b) > 0).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            asymmetry = block.n_b / (block.a * ratio).sum(axis=1) - 1
        ones = np.ones(len(z))
        trials = ones.astype(np.int64)
        return CellResults(z, z, nominal, block.n_a, block.n_b, n_bins, asymmetry, kappa, ones, trials, None)

    def relabelled(self, toys: RelabelledCounts, cells: Membership, out: MaxScores) -> None:
        """Test all cells in a block of pseudo-experiments."""
        expected, entries = toys.expected, toys.entries
        n_codes, n_bins, n_toys = len(entries.starts) - 1, math.prod(toys.shape), len(out.best)
        ratios = np.broadcast_to(toys.kappa, (n_toys,))
        for first in range(0, len(cells.scale), _CELLS):
            last = min(first + _CELLS, len(cells.scale))
            starts = cells.starts[first : last + 1]
            inside = slice(starts[0], starts[-1])
            members = sparse.csr_array(
                (np.ones(starts[-1] - starts[0]), cells.codes[inside], starts - starts[0]), (last - first, n_codes)
            )
            keep = cells.keep[first:last]

            def summed(values: AnyArray, members: Any = members) -> FloatArray:
                found = members @ sparse.csr_array((values, entries.bins, entries.starts), (n_codes, n_bins))
                return np.asarray(found.toarray(), dtype=np.float64)

            of_shares = None
            if expected.shares is not None:
                of_shares = _ratio(summed(expected.shares.entries.e), summed(entries.n))
            for toy in range(n_toys):
                a, b = (summed(side[:, toy]) for side in (toys.a, toys.b))
                ratio = np.full((1, 1), ratios[toy]) if of_shares is None else of_shares
                if expected.per_cell:
                    ratio = ratio * (b.sum(axis=1) / np.maximum((a * ratio).sum(axis=1), 1e-15))[:, None]
                z = np.nan_to_num(np.abs(self._z(a, b, ratio)), nan=0.0)
                out.best[toy] = max(out.best[toy], z.max(initial=0.0))
                out.kept[keep[keep >= 0], toy] = z[keep >= 0]

    def _z(self, a: FloatArray, b: FloatArray, ratio: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.asarray(self.function(a, b, ratio), dtype=np.float64)
        if z.shape != (len(a),):
            raise InputError(
                f"the test {self.name!r} returned shape {z.shape} of counts of shape {a.shape}; it has to return one z "
                f"for each cell, shape ({len(a)},)"
            )
        return z

    def _check(self, expected: ChannelExpectation) -> None:
        if expected.weighted:
            raise InputError(f"the test {self.name!r} is a function of counts, and the plan has weights; leave it out")
        if expected.shares is not None and expected.shares.uncertain:
            raise InputError(
                f"the test {self.name!r} knows no uncertainty of the expected ratio; scan without kappa_error, "
                "systematic and errors of corrections, or leave it out"
            )

    @property
    def described(self) -> str:
        """The test, in words: its name where it has no description."""
        return self.description or self.name

    def p_method(self, _expected: ChannelExpectation, /) -> str:
        """Return how the local p-value is made, in words."""
        return "normal, two-sided, of the function's z"


def _ratio(expected: FloatArray, total: FloatArray) -> FloatArray:
    """Return the expected ratio B / A of bins, out of the events expected on side B and those of both; 1 if empty."""
    return np.where(total > 0, expected, 1.0) / np.where(total > 0, np.maximum(total - expected, 1e-9), 1.0)
