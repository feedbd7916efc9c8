"""The bump hunt as a function: counts in; z at every bin, its error, all bumps and their global p-values out.

The network estimates what an ideal analysis would see, which knows the background; nothing that sees the counts alone
can know it better than the background's smoothness allows, and the error is a measure of that. The evidence for a bump
is a p-value, which is made in one of two ways: counted among toys drawn from a smooth estimate of the spectrum itself,
or looked up in the calibration that comes with the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.bumphunt.checks import Spectra, given_spectra, uneven_bins
from coffea_ddp.stats.bumphunt.finder import BumpFinder, shipped
from coffea_ddp.stats.bumphunt.flags import flags_of, without_bumps
from coffea_ddp.stats.bumphunt.hunt import Hunted, hunt, toys_beyond
from coffea_ddp.stats.bumphunt.peak_shape import Peak
from coffea_ddp.stats.bumphunt.several import CHANCE, MOST, AllBumps, Beside, Together, all_bumps, calibrated_z_of
from coffea_ddp.stats.conversion import shown
from coffea_ddp.stats.defaults import TOYS
from coffea_ddp.stats.trials import p_from_z

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import BoolArray, FloatArray

_CALIBRATED = "calibrated on background-only spectra"
_BY_FIT = "; of a peak without which alone the spectrum is smooth: by what its fit gains in deviance"


@dataclass(frozen=True)
class Bump:
    """A bump of a spectrum.

    Attributes
    ----------
    position, width
        In units of the edges: the mean of the peak as fitted, and the standard deviation that it was searched with.
    events
        Number of events in it, as fitted.
    z, z_error
        Its significance, and the uncertainty of that.
    p_local, p_global
        One-sided; at one bin, and anywhere in a spectrum without resonance, the stronger bumps taken out.

    Examples
    --------
    >>> Bump(91.2, 2.5, 40.0, 4.1, 0.3, 2e-5, 3e-4).position
    91.2
    """

    position: float
    width: float
    events: float
    z: float
    z_error: float
    p_local: float
    p_global: float


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
        The significance of the strongest candidate inside, its place (the centre of its bin; of a bump the mean as
        fitted) and the width of the signal there, in units of the edges. As far as there are odds of a resonance it is
        the z of one, which is not drawn towards that of the many bins without, as ``z`` is.
    score
        The evidence for a resonance anywhere inside, as a significance: calibrated on background-only spectra, after
        all bins and widths of this spectrum; one-sided, as all z of bumps.
    p_local
        The one-sided probability of ``z_max`` at one bin.
    p_global
        The probability of a score as large anywhere in a spectrum without resonance, never below ``p_local``; how it
        was made is in ``method``.
    bumps
        All bumps: the strongest, and those beside it with the shapes of the others profiled, as long as p is below
        0.05; a tuple of :class:`Bump`, strongest first, one tuple a spectrum of a batch. Empty where the strongest one
        has a larger p.
    smooth
        The background of the spectrum's own that toys are drawn from, shape (..., n_bins).
    flags
        What is outside of what the network was trained for, one tuple of words a spectrum; empty where nothing is.
        ``STEP``, ``EDGE`` and ``NOT_SMOOTH``: no smooth shape describes the spectrum; what to do is in
        :data:`~coffea_ddp.stats.bumphunt.flags.FLAGS`.
        ``SCALED``, ``OVERDISPERSED`` and ``UNDERDISPERSED``: the contents are no Poisson counts, and z is not what it
        seems (:func:`~coffea_ddp.stats.common_factor`, :func:`~coffea_ddp.stats.poisson_dispersion`).
    edges
        Of the bins, shape (n_bins + 1,).
    method
        How the p-values were made.

    Examples
    --------
    >>> bump_significance(np.round(1e4 * np.exp(-np.arange(60) / 20))).z.shape
    (60,)
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
    bumps: Any
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


def bump_significance(
    counts: ArrayLike,
    edges: ArrayLike | None = None,
    width: ArrayLike | None = None,
    *,
    mask: ArrayLike | None = None,
    toys: int = TOYS,
    seed: int = 0,
    most: int = MOST,
    finder: BumpFinder | None = None,
    backend: str = "numpy",
) -> BumpHuntResult:
    """Return how significant a bump is at every bin of a smooth spectrum; no background is given.

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
    most
        The largest number of bumps in one spectrum; 1: none is fitted, ``bumps`` is empty.
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
        increase, or widths of neighbouring bins jump.

    Notes
    -----
    arXiv:2107.11573 and arXiv:2501.05603 (BumpNet): a network that maps a spectrum to significances, trained on
    analytic smooth shapes. p-values from toys are ``(n_ge + 1) / (toys + 1)``.

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
    most = checks.whole(most, "most", least=1)
    settings = _Settings(finder or shipped(), spectra.sigma, toys, seed, most, backend)
    hunted = hunt(settings.finder, spectra.counts, spectra.sigma, use, backend=backend)
    bumps: list[AllBumps | None] = [None] * len(spectra.counts)
    if most > 1:
        together = Together(spectra.counts, use, spectra.sigma, hunted)
        (bumps,) = all_bumps(settings.finder, [together], most=most, backend=backend)
    found = [_all_of(spectra, hunted, use, row, settings, one) for row, one in enumerate(bumps)]
    method = f"{toys} toys from the spectrum's own smooth background" if toys else _CALIBRATED
    if any(one.by_fit for one in found):
        method += _BY_FIT
    return _result(spectra, hunted, use, found, method)


@dataclass(frozen=True)
class _Settings:
    """The width of signals in bins, how evidence is made into p-values, and how many bumps are searched."""

    finder: BumpFinder
    sigma: FloatArray | None
    toys: int
    seed: int
    most: int
    backend: str


class _Found(NamedTuple):
    """Outcome of one spectrum: score and global p of its strongest candidate, bumps, flags, the background."""

    score: float
    p_global: float
    bumps: tuple[Bump, ...]
    flags: tuple[str, ...]
    smooth: FloatArray
    by_fit: bool = False


def _all_of(
    spectra: Spectra, hunted: Hunted, use: FloatArray, row: int, settings: _Settings, found: AllBumps | None
) -> _Found:
    counts, used, first = spectra.counts[row : row + 1], use[row : row + 1], hunted.only(row)
    score, smooth = calibrated_z_of(first, settings.sigma), first.estimates.smooth[0]
    flags = flags_of(counts, first, used)[0]
    if found is not None:
        score, smooth = found.z_spectrum, found.rest.estimates.smooth[0]
        if found.complete and found.beyond_doubt:
            flags = without_bumps(flags, flags_of(found.rest_counts, found.rest, used, found.peaks)[0])
    by_fit = found is not None and found.by_fit
    p = _p_value(first, score, smooth, used[0], settings, row, by_fit=by_fit)
    if found is None or not p < CHANCE:
        return _Found(score, p, (), flags, smooth)
    bumps = [_bump(spectra, first, p, 1.0, found.peaks[0])]
    for one, peak in zip(found.beside, found.peaks[1:], strict=True):
        p_beside = _p_value(one.hunted, one.z_spectrum, smooth, used[0], settings, row, beside=one)
        if p_beside < CHANCE:
            bumps.append(_bump(spectra, one.hunted, p_beside, one.scale, peak))
    return _Found(score, p, tuple(bumps), flags, smooth, found.by_fit)


def _p_value(
    hunted: Hunted,
    z: float,
    smooth: FloatArray,
    use: FloatArray,
    settings: _Settings,
    row: int,
    *,
    beside: Beside | None = None,
    by_fit: bool = False,
) -> float:
    """Return the global p of a bump: counted among toys, or that of its calibrated z.

    Beside peaks whose shape is not described, and of bumps that are known by their fit, toys say too much or too little
    of the evidence: the calibrated one bounds their p, or is it.
    """
    calibrated = float(p_from_z(z, two_sided=False))
    if not settings.toys:
        return calibrated
    if by_fit:
        return max(calibrated, 1.0 / (settings.toys + 1))
    closed = None if beside is None else beside.closed
    reached = toys_beyond(
        settings.finder, smooth, float(hunted.significance[0]), settings.sigma, use,
        toys=settings.toys, seed=settings.seed, number=row, backend=settings.backend, closed=closed,
    )  # fmt: skip
    p = (reached + 1) / (settings.toys + 1)
    return max(p, calibrated) if beside is not None and beside.scale > 1.0 else p


def _bump(spectra: Spectra, hunted: Hunted, p_global: float, scale: float, peak: Peak) -> Bump:
    """Return the strongest bump of one spectrum."""
    best = int(hunted.best[0])
    z = float(hunted.estimates.peak[0, best]) / scale
    p_local = float(p_from_z(z, two_sided=False))
    return Bump(
        position=float(np.interp(peak.place + 0.5, np.arange(len(spectra.edges)), spectra.edges)),
        width=float(hunted.sigma[0, best] * np.diff(spectra.edges)[best]),
        events=peak.events,
        z=z,
        z_error=float(hunted.estimates.error[0, best]),
        p_local=p_local,
        p_global=max(p_global, p_local),
    )


def _result(spectra: Spectra, hunted: Hunted, use: FloatArray, found: list[_Found], method: str) -> BumpHuntResult:
    rows = np.arange(len(spectra.counts))
    best = hunted.best
    z_max = hunted.estimates.peak[rows, best]
    p_local = p_from_z(z_max, two_sided=False)
    seen = np.where(use > 0, 1.0, np.nan)
    bumps, flags = [one.bumps for one in found], [one.flags for one in found]
    batch = spectra.shape[:-1]

    def each(values: Any) -> Any:
        return np.asarray(values).reshape(batch) if batch else np.asarray(values).reshape(-1)[0].item()

    def bins(values: Any) -> Any:
        return np.asarray(values).reshape(spectra.shape)

    return BumpHuntResult(
        z=bins(hunted.estimates.z * seen),
        z_error=bins(hunted.estimates.error * seen),
        inside=bins(hunted.estimates.inside),
        z_max=each(z_max),
        position=each(_positions(spectra.centres[best], bumps)),
        width=each(hunted.sigma[rows, best] * np.diff(spectra.edges)[best]),
        score=each([one.score for one in found]),
        p_local=each(p_local),
        p_global=each(np.maximum([one.p_global for one in found], p_local)),
        bumps=bumps if batch else bumps[0],
        smooth=bins([one.smooth for one in found]),
        flags=flags if batch else flags[0],
        edges=spectra.edges,
        method=method,
    )


def _positions(centres: FloatArray, bumps: list[tuple[Bump, ...]]) -> list[float]:
    """Return where the strongest candidates are: as fitted, where they are bumps."""
    return [found[0].position if found else centre for centre, found in zip(centres.tolist(), bumps, strict=True)]


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
