"""The classical reference: a profile-likelihood scan with a functional background, for many spectra at once.

At every bin a Gaussian signal of any strength and a background ``exp(sum_j beta_j X_j)`` are fitted together;
``z = sign(mu) sqrt(2 [log L(mu, beta) - log L(0, beta_0)])``. The dijet functions
``(1 - u)^p1 u^-(p2 + p3 ln u + p4 ln^2 u)`` are of this form too, their logarithm being linear in the parameters; so
the fit without a signal is convex, and has one maximum wherever it starts.

Examples
--------
>>> import numpy as np
>>> x = np.arange(60)
>>> expected = 1e4 * np.exp(-x / 15)
>>> counts = np.round(expected + 5 * np.sqrt(2 * np.sqrt(np.pi) * expected[20]) * np.exp(-0.5 * (x - 20.0) ** 2))
>>> result = bump_fit(counts, width=1.0)
>>> int(result.z.argmax()), result.order
(20, 2)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.bumphunt.checks import given_spectra, uneven_bins
from coffea_ddp.stats.bumphunt.fits.loglinear import Polynomials, fit, legendre, start
from coffea_ddp.stats.bumphunt.fits.signal_and_background import Problem, climb, exponential
from coffea_ddp.stats.bumphunt.fits.templates import gaussian_templates
from coffea_ddp.stats.conversion import shown
from coffea_ddp.stats.dispersion import scatter_flags

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import BoolArray, FloatArray

ORDERS = (2, 3, 4, 5, 6, 7, 8)
"""Numbers of terms among which the information criterion chooses."""
COLLISION_ENERGY = 13_000.0
"""GeV: the mass at which the dijet functions end."""
_MOST_DIJET = 5
_MOST, _LIKELY = 60, 1e-4
"""A fit without signal is taken as converged when no more than this is left to be gained in the log-likelihood."""


@dataclass(frozen=True, eq=False)
class BumpFitResult:
    """Outcome of the fits of one spectrum, or of a batch.

    Attributes
    ----------
    z
        Signed significance at every bin with the background profiled, shape (..., n_bins).
    order
        Number of terms of the background chosen.
    deviance
        Twice the log-likelihood that the chosen fit, signal at its best bin included, is short of a perfect one.
    ndf
        Bins less parameters.
    converged
        Whether the fit without signal is at its maximum: one that is not fakes significances.
    method
        How it was made.
    flags
        What makes z another number than a significance, one tuple of words a spectrum: ``NOT_COUNTS`` (fractional
        contents: expected counts, or a spectrum that was scaled), ``SCALED`` (all contents are multiples of one
        number), ``OVERDISPERSED``, ``UNDERDISPERSED`` (:func:`~coffea_ddp.stats.poisson_dispersion`), ``UNEVEN_BINS``
        (widths of neighbouring bins jump; both backgrounds are smooth in counts per bin).

    Examples
    --------
    >>> bump_fit(np.round(1e4 * np.exp(-np.arange(60) / 20)), width=2.0).z.shape
    (60,)
    """

    z: FloatArray
    order: Any
    deviance: Any
    ndf: Any
    converged: Any
    method: str
    flags: Any

    @property
    def p_fit(self) -> Any:
        """The chi-squared probability of the deviance: small where the function does not describe the spectrum.

        The best signal of all bins is in the fit but counted as one parameter, so it is conservative.
        """
        from scipy.special import gammaincc

        return gammaincc(np.asarray(self.ndf) / 2.0, np.asarray(self.deviance) / 2.0)


def bump_fit(
    counts: ArrayLike,
    edges: ArrayLike | None = None,
    width: ArrayLike | None = None,
    *,
    background: str = "polynomial",
    orders: Sequence[int] = ORDERS,
    collision_energy: float = COLLISION_ENERGY,
) -> BumpFitResult:
    """Fit signal and background at every bin.

    Parameters
    ----------
    counts
        Shape (..., n_bins); expected (Asimov) counts pass too, and are flagged.
    edges
        Shape (n_bins + 1,): the bins' edges, in GeV for the dijet functions; by default bins are the unit.
    width
        Standard deviation of the signal in units of the edges.
    background
        ``"polynomial"`` of the logarithm, or ``"dijet"``.
    orders
        Numbers of terms to choose from by the Bayesian information criterion of signal and background together; chosen
        on the background alone, an order takes the signal in. The dijet functions have at most 5.
    collision_energy
        In GeV.

    Returns
    -------
    BumpFitResult
        With the leading shape of ``counts``.

    Raises
    ------
    InputError
        If the data cannot be used (see :func:`coffea_ddp.stats.bump_significance`), no width is given, or the
        background is unknown.

    Examples
    --------
    >>> bump_fit(np.round(1e4 * np.exp(-np.arange(60) / 20)), width=2.0).z.shape
    (60,)
    """
    spectra = given_spectra(counts, edges, width, whole=False)
    if spectra.sigma is None:
        raise InputError("width is missing: a fit needs the width of its signal; give it in the units of the edges")
    checks.choice(background, "background", ("polynomial", "dijet"))
    terms = _terms(orders, background)
    energy = checks.number(collision_energy, "collision_energy", above=0.0)
    designs = _designs(background, terms, spectra.edges, energy)
    templates = gaussian_templates(spectra.n_bins, spectra.sigma)
    flat = spectra.counts
    results = [fit_block(flat, design, templates.values) for design in designs]
    criteria = np.array([
        deviance + (order + 1) * np.log(spectra.n_bins)
        for order, (_, deviance, _) in zip(terms, results, strict=True)
    ])  # fmt: skip
    best = criteria.argmin(axis=0)
    rows = np.arange(len(flat))
    z, deviance, converged = (np.array([result[part] for result in results])[best, rows] for part in range(3))
    order = np.array(terms)[best]
    batch = spectra.shape[:-1]
    uneven = ("UNEVEN_BINS",) if uneven_bins(spectra.edges) else ()
    flags = [(*found, *uneven) for found in scatter_flags(flat)]
    return BumpFitResult(
        z=z.reshape(spectra.shape),
        order=_shaped(order, batch),
        deviance=_shaped(deviance, batch),
        ndf=_shaped(spectra.n_bins - order - 1, batch),
        converged=_shaped(converged, batch),
        method=f"profile likelihood, {background} background, order by BIC of signal and background",
        flags=flags if batch else flags[0],
    )


def _terms(orders: Sequence[int], background: str) -> tuple[int, ...]:
    if not np.iterable(orders):
        raise InputError(f"orders={shown(orders)}: give a list of numbers of terms")
    terms = tuple(sorted({checks.whole(order, "orders", least=1) for order in orders}))
    if background == "dijet":
        kept = tuple(order for order in terms if order <= _MOST_DIJET)
        if terms and not kept:
            raise InputError(f"orders={shown(orders)}: the dijet functions have no more than {_MOST_DIJET} terms")
        return kept
    return terms


def _shaped(values: Any, batch: tuple[int, ...]) -> Any:
    return values.reshape(batch) if batch else values[0].item()


def _designs(background: str, orders: tuple[int, ...], edges: FloatArray, energy: float) -> list[FloatArray]:
    """Return the design matrix of every order, orthogonal for the sake of the numbers; shape (order, n_bins)."""
    n_bins = len(edges) - 1
    if not orders or orders[0] < 1 or orders[-1] >= n_bins - 1:
        raise InputError(f"orders={orders}: give numbers of terms from 1 to {n_bins - 2} for {n_bins} bins")
    if background == "polynomial":
        basis = legendre(n_bins, orders[-1])
    else:
        basis = _dijet(edges, energy)
    return [np.ascontiguousarray(basis[:order]) for order in orders]


def _dijet(edges: FloatArray, energy: float) -> FloatArray:
    """Return 1, ln u, ln(1 - u), ln^2 u, ln^3 u, each made orthogonal to those before it."""
    u = 0.5 * (edges[1:] + edges[:-1]) / energy
    if not (u[0] > 0 and u[-1] < 1):
        raise InputError(
            f"edges from {edges[0]:g} to {edges[-1]:g}: the dijet functions need masses between 0 and the "
            f"collision energy, {energy:g}"
        )
    log_u = np.log(u)
    # Bins whose width grows as a power of the mass need nothing more: ln u takes that power in.
    columns = np.array([np.ones_like(u), log_u, np.log1p(-u), log_u**2, log_u**3])
    orthogonal, _ = np.linalg.qr(columns.T)
    return np.ascontiguousarray(orthogonal.T * np.sqrt(len(u)))


def fit_block(
    counts: FloatArray, design: FloatArray, templates: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return z at every bin, the deviance of the best fit with a signal, and whether the fit without one converged.

    Parameters
    ----------
    counts
        Shape (n_spectra, n_bins).
    design
        Shape (terms, n_bins).
    templates
        Windows of :class:`~coffea_ddp.stats.bumphunt.fits.templates.Templates`.
    """
    z = np.empty_like(counts)
    deviance, left = np.empty(len(counts)), np.empty(len(counts))
    rows, columns = np.tril_indices(len(design))
    products = design[rows] * design[columns]
    terms, ones = len(design), np.ones(counts.shape)
    polynomials = Polynomials(np.ascontiguousarray(design[None]), np.zeros(terms), np.full(len(counts), terms))
    beta = start(counts, ones, polynomials)
    # Bounds what is expected, so that it comes down from far above as well; the last steps do without bounds.
    fit(counts, ones, polynomials, beta, _LIKELY, _MOST)
    _scan(counts, beta, design, products, templates, z, deviance, left)
    return z, deviance, left < _LIKELY


@compiled
def _scan(
    counts: FloatArray,
    beta: FloatArray,
    design: FloatArray,
    products: FloatArray,
    templates: FloatArray,
    z: FloatArray,
    deviance: FloatArray,
    left: FloatArray,
) -> None:
    n_bins = design.shape[1]
    half = templates.shape[1] // 2
    null, b = np.empty(n_bins), np.empty(n_bins)
    for row in range(len(counts)):
        n = counts[row]
        exponential(beta[row], design, null)
        _, _, left[row] = climb(Problem(n, templates[0, :0], 0, design, products), null)
        most = 0.0
        for k in range(n_bins):
            first, stop = max(k - half, 0), min(k + half + 1, n_bins)
            b[:] = null
            signal = templates[k, half - k + first : half - k + stop]
            mu, gained, _ = climb(Problem(n, signal, first, design, products), b)
            z[row, k] = np.sign(mu) * np.sqrt(2.0 * gained)
            most = max(most, gained)
        deviance[row] = max(2.0 * (_short(n, null) - most), 0.0)


@compiled
def _short(n: FloatArray, b: FloatArray) -> float:
    """Return by how much the likelihood's logarithm is below that of a perfect fit."""
    total = 0.0
    for i in range(len(n)):
        total += b[i] - n[i]
        if n[i] > 0.0:
            total += n[i] * np.log(n[i] / b[i])
    return total
