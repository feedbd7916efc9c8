"""The hunt: the network at one width or at several, the calibrated evidence, and toys of a spectrum.

Examples
--------
>>> from coffea_ddp.stats.bumphunt.finder import shipped
>>> counts = np.random.default_rng(1).poisson(1e4 * np.exp(-np.arange(60) / 15.0), (2, 60)).astype(float)
>>> hunted = hunt(shipped(), counts, np.full(60, 2.0), np.ones((2, 60)))
>>> hunted.best.shape, calibrated_z(hunted, np.full(60, 2.0)).shape
((2,), (2,))
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.stats.bumphunt.domain import WIDTHS
from coffea_ddp.stats.bumphunt.finder import BumpFinder, Estimates, put_together
from coffea_ddp.stats.bumphunt.rebinning import joined, joined_bins, spread_out
from coffea_ddp.stats.bumphunt.toys import DOUBTLESS, draw_toys
from coffea_ddp.stats.bumphunt.widths import SCANNED, likeliest_width
from coffea_ddp.stats.trials import sidak_z

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Hunted:
    """The best of all widths tried, for spectra of one length; arrays of shape (n_spectra, ...)."""

    estimates: Estimates
    sigma: FloatArray
    significance: FloatArray
    spread: FloatArray

    @property
    def best(self) -> IntArray:
        """The bin of the strongest candidate inside, shape (n_spectra,); 0 where nothing is inside."""
        inside = np.where(self.estimates.inside, self.estimates.peak, -np.inf)
        return np.asarray(inside.argmax(axis=1))

    def only(self, row: int) -> Hunted:
        """Return what was found in one of the spectra."""
        some = slice(row, row + 1)
        estimates = put_together([self.estimates], lambda values: values[0][some])
        return Hunted(estimates, self.sigma[some], self.significance[some], self.spread[some])

    def each(self) -> Iterator[Hunted]:
        """Go through what was found in each of the spectra."""
        return (self.only(row) for row in range(len(self.significance)))


def hunt(
    finder: BumpFinder,
    counts: FloatArray,
    sigma: FloatArray | None,
    use: FloatArray,
    *,
    backend: str = "numpy",
    refine: bool = True,
    closed: BoolArray | None = None,
) -> Hunted:
    """Return the estimates of the width given, or of the best of those that are scanned.

    The significance is the largest of all widths; the estimates are those of the width with the strongest evidence or,
    for a candidate beyond doubt, of the likeliest one.

    Parameters
    ----------
    counts, use
        Shape (n_spectra, n_bins).
    sigma
        In bins, shape (n_bins,), or ``None``.
    refine
        Whether likelihoods decide on the width of candidates beyond doubt: what toys do not need.
    closed
        Where nothing is searched although bins are used, shape (n_bins,) or that of the counts; nowhere by default.
    """
    n_bins = counts.shape[1]
    widths = [np.full(n_bins, value) for value in SCANNED] if sigma is None else [sigma]
    found = [_at_width(finder, counts, width, use, backend, closed) for width in widths]
    if len(found) == 1:
        return found[0]
    significance = np.array([one.significance for one in found])
    best = _likeliest(found, significance.argmax(axis=0), counts, use) if refine else significance.argmax(axis=0)
    rows = np.arange(len(counts))

    def pick(values: list[AnyArray]) -> AnyArray:
        return np.asarray(np.array(values)[best, rows])

    estimates = put_together([one.estimates for one in found], pick)
    sigmas, spreads = pick([one.sigma for one in found]), pick([one.spread for one in found])
    return Hunted(estimates, sigmas, significance.max(axis=0), spreads)


def _likeliest(found: list[Hunted], best: IntArray, counts: FloatArray, use: FloatArray) -> IntArray:
    """Return, in place of the width of the strongest evidence, the likeliest one of candidates beyond doubt."""
    out = best.copy()
    for row, width in enumerate(best.tolist()):
        place = int(found[width].best[row])
        if found[width].estimates.z[row, place] > DOUBTLESS:
            out[row] = SCANNED.index(likeliest_width(counts[row], use[row], place, SCANNED[width]))
    return out


def _at_width(
    finder: BumpFinder,
    counts: FloatArray,
    sigma: FloatArray,
    use: FloatArray,
    backend: str,
    closed: BoolArray | None,
) -> Hunted:
    """Return the estimates for one width, bins being joined where it is wider than the network knows."""
    together = joined_bins(len(sigma), sigma)
    kept = len(sigma) // together * together
    narrow = np.maximum(joined(sigma[None], together, kept).mean(axis=0) / together**2, WIDTHS[0])
    shared = joined(use, together, kept) >= together
    found = finder.evaluate(joined(counts * use, together, kept), narrow, shared.astype(np.float64), backend=backend)
    if closed is not None:
        hidden = joined(np.atleast_2d(closed).astype(np.float64), together, kept) > 0.0
        found = dataclasses.replace(found, inside=found.inside & ~hidden)
    significance = finder.significance(found, narrow)
    if together > 1:
        found = spread_out(found, together, counts.shape[1])
    width = np.broadcast_to(np.maximum(sigma, WIDTHS[0]), counts.shape)
    return Hunted(found, width, significance, found.spread)


def toys_beyond(
    finder: BumpFinder,
    smooth: FloatArray,
    least: float,
    sigma: FloatArray | None,
    use: FloatArray,
    *,
    toys: int,
    seed: int,
    number: int = 0,
    backend: str = "numpy",
    closed: BoolArray | None = None,
) -> int:
    """Return how many toys of one spectrum have an evidence of ``least`` or more.

    Parameters
    ----------
    finder
        The network.
    smooth, use
        What the toys are drawn from, and 0 where bins are masked; shape (n_bins,).
    least
        ``Hunted.significance`` of the spectrum.
    sigma
        Width of the signal in bins, shape (n_bins,); ``None``: several are tried.
    toys, seed, number
        How many; they depend on the seed and the number alone.
    backend
        ``"numpy"`` or ``"torch"``.
    closed
        Where nothing is searched, shape (n_bins,).
    """
    drawn = draw_toys(smooth, toys, seed, number)
    used = np.broadcast_to(use, drawn.shape)
    some = hunt(finder, drawn, sigma, used, backend=backend, refine=False, closed=closed)
    return int(np.count_nonzero(some.significance >= least))


def calibrated_z(hunted: Hunted, sigma: FloatArray | None) -> FloatArray:
    """Return the one-sided z of the calibrated p-value of every spectrum, shape (n_spectra,); -inf where p is 1.

    Where widths were scanned it is corrected as if they were independent: a bound.
    """
    if sigma is not None:
        return hunted.significance
    return np.asarray(sidak_z(hunted.significance, len(SCANNED), two_sided=False))
