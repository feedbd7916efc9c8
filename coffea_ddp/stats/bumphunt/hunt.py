"""The bump hunt as it is used: counts in; z at every bin, its error, the best bump and its global p-value out.

The network estimates what an ideal analysis would see, which knows the background; nothing that sees the counts alone
can know it better than the background's smoothness allows, and the error is a measure of that. The evidence for a bump
is a p-value, which is made in one of two ways: counted among toys drawn from a smooth estimate of the spectrum itself,
or looked up in the calibration that comes with the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.bumphunt.checks import Spectra, given_spectra, uneven_bins
from coffea_ddp.stats.bumphunt.domain import WIDTHS
from coffea_ddp.stats.bumphunt.finder import BumpFinder, Estimates, put_together, shipped
from coffea_ddp.stats.bumphunt.fit_range import falling_from
from coffea_ddp.stats.bumphunt.rebinning import BINS, joined, joined_bins, spread_out
from coffea_ddp.stats.bumphunt.toys import AROUND, DOUBTLESS, draw_toys, without_peak
from coffea_ddp.stats.bumphunt.widths import SCANNED, likeliest_width
from coffea_ddp.stats.conversion import shown
from coffea_ddp.stats.defaults import TOYS
from coffea_ddp.stats.dispersion import scatter_flags
from coffea_ddp.stats.trials import p_from_z, sidak_z

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray

EVENTS = (100.0, 1e8)
"""Range of the numbers of events in training."""
_NOT_SMOOTH = 5.0
_LATE = 0.35
"""A spectrum that begins to fall only after this part of its bins is not one that falls."""


@dataclass(frozen=True, eq=False)
class BumpHuntResult:
    """Outcome of a bump hunt in one spectrum, or in each of a batch.

    Attributes
    ----------
    z
        Estimate of the ideal local significance at every bin (background known, Gaussian signal of the width),
        negative where there is too little; shape (..., n_bins). NaN in masked bins.
    z_error
        Its standard deviation, which is what the background's smoothness leaves open; shape (..., n_bins).
    inside
        Where z means something: not within 3 sigma of the ends, not beside a mask, and at least 0.01 events a bin
        expected; shape (..., n_bins).
    z_max, position, width
        The significance of the strongest candidate inside, the centre of its bin and the width of the signal there, in
        units of the edges. As far as there are odds of a resonance it is the z of one, which is not drawn towards that
        of the many bins without, as ``z`` is.
    score
        The largest z anywhere inside after 1.5 of its errors are taken off, as a significance: calibrated on
        background-only spectra, after all bins and widths of this spectrum; one-sided, as all z of bumps.
    p_local
        The one-sided probability of ``z_max`` at one bin.
    p_global
        The probability of a score as large anywhere in a spectrum without resonance, never below ``p_local``; how it
        was made is in ``method``.
    smooth
        The background of the spectrum's own that toys are drawn from, shape (..., n_bins).
    flags
        What is outside of what the network was trained for, one tuple of words a spectrum; empty where nothing is.
        ``SCALED``, ``OVERDISPERSED`` and ``UNDERDISPERSED``: the contents are no Poisson counts, and z is not what it
        seems (:func:`~coffea_ddp.stats.common_factor`, :func:`~coffea_ddp.stats.poisson_dispersion`).
    edges
        Of the bins, shape (n_bins + 1,).
    method
        How the p-values were made.
    """

    z: FloatArray
    z_error: FloatArray
    inside: BoolArray
    z_max: Any
    position: Any
    width: Any
    score: Any
    p_local: Any
    p_global: Any
    smooth: FloatArray
    flags: Any
    edges: FloatArray
    method: str

    def __repr__(self) -> str:
        """Return the best bump."""
        if np.ndim(self.z_max):
            n_spectra, n_bins = np.size(self.z_max), self.z.shape[-1]
            return f"BumpHuntResult({n_spectra} spectra of {n_bins} bins, largest z {np.max(self.z_max):.2f})"
        flags = f", {' '.join(self.flags)}" if self.flags else ""
        return (
            f"BumpHuntResult(z_max={self.z_max:.2f} at {self.position:.5g}, width={self.width:.3g}, "
            f"p_global={self.p_global:.2g} ({self.method}){flags})"
        )


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


def bump_significance(
    counts: ArrayLike,
    edges: ArrayLike | None = None,
    width: ArrayLike | None = None,
    *,
    mask: ArrayLike | None = None,
    toys: int = TOYS,
    seed: int = 0,
    finder: BumpFinder | None = None,
    backend: str = "numpy",
) -> BumpHuntResult:
    """Return how significant a bump is at every bin of a falling spectrum; no background is given.

    Parameters
    ----------
    counts
        Whole numbers, shape (..., n_bins), 20 bins or more.
    edges
        Increasing, shape (n_bins + 1,); by default bins are the unit.
    width
        Standard deviation of the resonance in units of the edges, a number or one a bin; ``None``: several are tried.
        Where it is more than 5 bins, bins are joined first.
    mask
        True for bins that are left out (a known resonance); shape (n_bins,) or that of ``counts``.
    toys
        Background-only toys for every spectrum's global p-value; 0: by the calibration of the network.
    seed
        Of the toys.
    finder
        The network; the one of the package by default.
    backend
        ``"numpy"`` or ``"torch"``.

    Returns
    -------
    BumpHuntResult
        With the leading shape of ``counts``.

    Raises
    ------
    InputError
        If there are fewer than 20 bins, counts are negative, fractional, not finite or all 0, the edges do not
        increase, widths of neighbouring bins jump, or a spectrum rises (its turn-on belongs to no background that
        falls).

    Notes
    -----
    arXiv:2107.11573 and arXiv:2501.05603 (BumpNet): a network that maps a spectrum to significances, trained on
    analytic falling shapes. p-values from toys are ``(n_ge + 1) / (toys + 1)``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(80)
    >>> expected = 2e4 * np.exp(-x / 20.0) + 900.0 * np.exp(-0.5 * ((x - 40) / 2.0) ** 2)
    >>> result = bump_significance(np.random.default_rng(1).poisson(expected), width=2.0, toys=200)
    >>> bool(abs(result.position - 40.5) < 2), bool(result.z_max > 8), result.p_global < 0.01
    (True, True, True)
    """
    spectra = given_spectra(counts, edges, width)
    toys, seed = checks.toys(toys, "toys"), checks.seed(seed)
    checks.choice(backend, "backend", ("numpy", "torch"))
    if finder is not None and not isinstance(finder, BumpFinder):
        raise InputError(f"finder={shown(finder)}: give a BumpFinder, or None for that of the package")
    use = _used(mask, spectra)
    _check_even(spectra, use)
    _check_falling(spectra, use)
    chosen = finder or shipped()
    hunted = hunt(chosen, spectra.counts, spectra.sigma, use, backend=backend)
    score = calibrated_z(hunted, spectra.sigma)
    p_global = p_from_z(score, two_sided=False)
    method, smooth = "calibrated on background-only spectra", hunted.estimates.smooth
    if toys:
        options: dict[str, Any] = {"toys": toys, "seed": seed, "backend": backend}
        reached, smooth = toys_beyond(chosen, spectra.counts, hunted, spectra.sigma, use, **options)
        p_global = (reached + 1) / (toys + 1)
        method = f"{toys} toys from the spectrum's own smooth background"
    return _result(spectra, hunted, use, {"score": score, "p_global": p_global, "smooth": smooth}, method)


def hunt(
    finder: BumpFinder,
    counts: FloatArray,
    sigma: FloatArray | None,
    use: FloatArray,
    *,
    backend: str = "numpy",
    refine: bool = True,
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
    """
    n_bins = counts.shape[1]
    widths = [np.full(n_bins, value) for value in SCANNED] if sigma is None else [sigma]
    found = [_at_width(finder, counts, width, use, backend) for width in widths]
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


def _at_width(finder: BumpFinder, counts: FloatArray, sigma: FloatArray, use: FloatArray, backend: str) -> Hunted:
    """Return the estimates for one width, bins being joined where it is wider than the network knows."""
    together = joined_bins(len(sigma), sigma)
    kept = len(sigma) // together * together
    narrow = np.maximum(joined(sigma[None], together, kept).mean(axis=0) / together**2, WIDTHS[0])
    shared = joined(use, together, kept) >= together
    found = finder.evaluate(joined(counts * use, together, kept), narrow, shared.astype(np.float64), backend=backend)
    significance = finder.significance(found, narrow)
    if together > 1:
        found = spread_out(found, together, counts.shape[1])
    width = np.broadcast_to(np.maximum(sigma, WIDTHS[0]), counts.shape)
    return Hunted(found, width, significance, found.spread)


def toys_beyond(
    finder: BumpFinder,
    counts: FloatArray,
    hunted: Hunted,
    sigma: FloatArray | None,
    use: FloatArray,
    *,
    toys: int,
    seed: int,
    backend: str = "numpy",
) -> tuple[IntArray, FloatArray]:
    """Return how many of each spectrum's toys have a score as large, and what they were drawn from.

    Shapes (n_spectra,) and (n_spectra, n_bins).
    """
    reached, drawn_from = np.empty(len(use), dtype=np.int64), hunted.estimates.smooth.copy()
    for row, place in enumerate(hunted.best.tolist()):
        if hunted.estimates.z[row, place] > DOUBTLESS:
            reach = AROUND * float(hunted.sigma[row, place])
            drawn_from[row] = without_peak(counts[row], use[row], place, reach)
        drawn = draw_toys(drawn_from[row], toys, seed, row)
        some = hunt(finder, drawn, sigma, np.broadcast_to(use[row], drawn.shape), backend=backend, refine=False)
        reached[row] = np.count_nonzero(some.significance >= hunted.significance[row])
    return reached, drawn_from


def calibrated_z(hunted: Hunted, sigma: FloatArray | None) -> FloatArray:
    """Return the one-sided z of the calibrated p-value of every spectrum, shape (n_spectra,); -inf where p is 1.

    Where widths were scanned it is corrected as if they were independent: a bound.
    """
    if sigma is not None:
        return hunted.significance
    return np.asarray(sidak_z(hunted.significance, len(SCANNED), two_sided=False))


def flags_of(spectra_counts: FloatArray, hunted: Hunted, use: FloatArray) -> list[tuple[str, ...]]:
    """Return what is outside of the network's experience, one tuple of words a spectrum."""
    n_bins = spectra_counts.shape[1]
    together = np.array([joined_bins(n_bins, sigma) for sigma in hunted.sigma])
    events = (spectra_counts * use).sum(axis=1)
    known = {
        "FEW_BINS": n_bins / together < BINS[0],
        "MANY_BINS": n_bins / together > BINS[1],
        "FEW_EVENTS": events < EVENTS[0],
        "MANY_EVENTS": events > EVENTS[1],
        "NOT_SMOOTH": hunted.spread > _NOT_SMOOTH,
        "NO_DOMAIN": ~hunted.estimates.inside.any(axis=1),
    }
    scatter = [scatter_flags(row) for row in spectra_counts * use]
    return [(*(word for word, hit in known.items() if hit[row]), *scatter[row]) for row in range(len(spectra_counts))]


def _result(
    spectra: Spectra, hunted: Hunted, use: FloatArray, outcome: dict[str, FloatArray], method: str
) -> BumpHuntResult:
    rows = np.arange(len(spectra.counts))
    best = hunted.best
    z_max = hunted.estimates.peak[rows, best]
    p_local = p_from_z(z_max, two_sided=False)
    shown = np.where(use > 0, 1.0, np.nan)
    flags = flags_of(spectra.counts, hunted, use)
    batch = spectra.shape[:-1]

    def each(values: Any) -> Any:
        return np.asarray(values).reshape(batch) if batch else np.asarray(values).reshape(-1)[0].item()

    def bins(values: Any) -> Any:
        return values.reshape(spectra.shape)

    return BumpHuntResult(
        z=bins(hunted.estimates.z * shown),
        z_error=bins(hunted.estimates.error * shown),
        inside=bins(hunted.estimates.inside),
        z_max=each(z_max),
        position=each(spectra.centres[best]),
        width=each(hunted.sigma[rows, best] * np.diff(spectra.edges)[best]),
        score=each(outcome["score"]),
        p_local=each(p_local),
        p_global=each(np.maximum(outcome["p_global"], p_local)),
        smooth=bins(outcome["smooth"]),
        flags=flags if batch else flags[0],
        edges=spectra.edges,
        method=method,
    )


def _used(mask: ArrayLike | None, spectra: Spectra) -> FloatArray:
    """Return 1 for every bin that is used, 0 where it is masked; shape (n_spectra, n_bins)."""
    if mask is None:
        return np.ones_like(spectra.counts)
    left_out = checks.bools(mask, "mask", [(spectra.n_bins,), spectra.shape])
    out = np.broadcast_to(left_out, spectra.shape).reshape(spectra.counts.shape)
    if out.all(axis=1).any():
        raise InputError("mask: all bins are masked; nothing is left to test")
    return np.where(out, 0.0, 1.0)


def _check_even(spectra: Spectra, use: FloatArray) -> None:
    for used in np.unique(use > 0, axis=0):
        uneven = uneven_bins(spectra.edges, used)
        if uneven:
            raise InputError(f"edges: UNEVEN_BINS: {uneven}")


def _check_falling(spectra: Spectra, use: FloatArray) -> None:
    sigma = SCANNED[-1] if spectra.sigma is None else float(np.median(spectra.sigma))
    for row, counts in enumerate(spectra.counts):
        first = falling_from(counts[use[row] > 0], sigma)
        if first > _LATE * spectra.n_bins:
            where = "" if len(spectra.counts) == 1 else f"spectrum {row}: "
            raise InputError(
                f"{where}NOT_FALLING: the counts rise up to bin {first} of {spectra.n_bins}; without a resonance they "
                f"must fall: start behind the turn-on (counts[{first}:]), or choose another observable"
            )
