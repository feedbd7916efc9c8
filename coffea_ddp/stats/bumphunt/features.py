"""Input of the network: numbers of order 1 at every bin, made of the counts, the mask and the width alone.

For every spectrum one polynomial of the logarithm is fitted, with many terms. Its Cholesky factor gives, for all lower
orders at once, what they would leave over, and from that the efficient score of a signal at every bin (the significance
of a signal whose background is fitted, to first order). The order, and the strongest candidate, are those with the best
information criterion of background *and* signal; that candidate is then fitted together with the background, and what
the background of several orders leaves over without it is the other half of the features. Where a shoulder may
describe the spectrum better than many terms, it is fitted too
(:mod:`~coffea_ddp.stats.bumphunt.fits.step_features`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.bumphunt.fits.loglinear import dot, exponential, fit, legendre, start
from coffea_ddp.stats.bumphunt.fits.polynomials import (
    LARGEST,
    Problem,
    adapted,
    asimov,
    backgrounds_beside,
    choose,
    efficient_scores,
    fixed_scores,
    template,
    whiten,
)
from coffea_ddp.stats.bumphunt.fits.step_features import (
    ESTIMATES,
    STEPPED,
    Background,
    Candidate,
    set_step_features,
)
from coffea_ddp.stats.bumphunt.fits.steps import STEP_ORDERS, Steps, step_table
from coffea_ddp.stats.bumphunt.fits.templates import gaussian_templates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray, IntArray, RealArray

ORDERS = (3, 4, 5, 6, 8, 10, 12)
"""Numbers of terms of the nested backgrounds whose efficient scores are features."""
CLEAN = (4, 6, 8, 12)
"""Numbers of terms of the backgrounds that are shown with the strongest candidate taken out."""
RIDGE = (0.0, 0.0025, 0.01, 0.02, 0.03, 0.05, 0.1, 0.1, 0.1, 0.1, 0.2, 0.2)
"""A weak prior on the coefficients: one over the square of what they may be."""
CHANNELS = (
    *(f"efficient {order}" for order in ORDERS),
    *(f"clean {order}" for order in CLEAN),
    "clean best",
    *STEPPED,
    *(f"leverage {order}" for order in CLEAN),
    "residual",
    "fine residual",
    "wide residual",
    "level",
    "slope",
    "candidate",
    "left edge",
    "right edge",
    "sigma",
    *(f"component {order}" for order in range(3, ORDERS[-1])),
    "best order",
    "spread",
    "log bins",
    "log events",
)
"""Names of the features, in their order."""
N_SCORES = len(ORDERS) + len(CLEAN) + 1 + ESTIMATES
"""The leading channels are estimates of z themselves."""
_REACH = 4.0
_OPEN = 0.7
"""Terms that can imitate more of a candidate are not fitted beside it: its strength would be open."""


@dataclass(frozen=True, eq=False)
class SpectrumFeatures:
    """Features of spectra, and their smooth backgrounds.

    Attributes
    ----------
    features
        Shape (n_spectra, len(CHANNELS), n_bins); the first :data:`N_SCORES` are estimates of z.
    smooth
        The background of the best order, the strongest candidate taken out; shape (n_spectra, n_bins).
    shoulder
        The best background with a shoulder: by how much its criterion is better (0: none was fitted), the logarithm of
        the ratio of both sides, place and width in bins; shape (n_spectra, 4).
    """

    features: NDArray[np.float32]
    smooth: FloatArray
    shoulder: FloatArray


class _Tried(NamedTuple):
    """Backgrounds that are tried, one set for all spectra of one length.

    Attributes
    ----------
    basis, ridge
        Legendre polynomials, shape (terms, n_bins), and the penalties of their coefficients, shape (terms,).
    orders, clean
        Numbers of terms: :data:`ORDERS` and :data:`CLEAN`.
    steps, step_orders
        The steps, and the numbers of terms beside them.
    """

    basis: FloatArray
    ridge: FloatArray
    orders: IntArray
    clean: IntArray
    steps: Steps
    step_orders: IntArray


def features(counts: FloatArray, sigma: FloatArray, use: FloatArray | None = None) -> NDArray[np.float32]:
    """Return the features alone of :func:`describe`."""
    return describe(counts, sigma, use).features


def describe(counts: FloatArray, sigma: FloatArray, use: FloatArray | None = None) -> SpectrumFeatures:
    """Return the features and the smooth background of spectra of one length.

    Parameters
    ----------
    counts
        Shape (n_spectra, n_bins).
    sigma
        Width of the signal in bins around every bin: shape (n_bins,), or (n_spectra, n_bins) for one each.
    use
        0 where a bin is masked, else 1; shape (n_spectra, n_bins). Nothing is masked by default.

    Examples
    --------
    >>> import numpy as np
    >>> found = describe(np.full((1, 40), 100.0), np.full(40, 2.0))
    >>> found.features.shape == (1, len(CHANNELS), 40), bool(abs(found.smooth - 100.0).max() < 0.1)
    (True, True)
    """
    n_spectra, n_bins = counts.shape
    out = np.empty((n_spectra, len(CHANNELS), n_bins), dtype=np.float32)
    smooth, shoulder = np.empty_like(counts), np.zeros((n_spectra, 4))
    # Copies, however these were made: another memory layout would be compiled anew, which takes half a minute.
    used = np.ones_like(counts) if use is None else np.array(use, dtype=np.float64, order="C")
    widths = np.array(np.broadcast_to(sigma, counts.shape), dtype=np.float64, order="C")
    tried = _Tried(
        legendre(n_bins, ORDERS[-1]), np.array(RIDGE), np.array(ORDERS), np.array(CLEAN), step_table(n_bins),
        np.array(STEP_ORDERS),
    )  # fmt: skip
    tables, which = _tables(widths)
    _block(counts, used, tables, which, widths, tried, _Outputs(out, smooth, shoulder))
    if not np.isfinite(out).all():
        # A spectrum that no fit can follow: nothing is known of it, which the network then sees.
        np.nan_to_num(out, copy=False, nan=0.0, posinf=LARGEST, neginf=-LARGEST)
    np.nan_to_num(shoulder, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return SpectrumFeatures(out, smooth, shoulder)


def _tables(widths: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the different tables of templates, padded to one size, and which one each spectrum uses."""
    different, which = np.unique(widths, axis=0, return_inverse=True)
    tables = [gaussian_templates(widths.shape[1], row, reach=_REACH).values for row in different]
    half = max(table.shape[1] for table in tables) // 2
    padded = np.zeros((len(tables), 2 * half + 1, widths.shape[1]))
    for into, table in zip(padded, tables, strict=True):
        inner = table.shape[1] // 2
        into[half - inner : half + inner + 1] = table.T
    return padded, which.reshape(-1)


class _Outputs(NamedTuple):
    """Arrays of :class:`SpectrumFeatures`, which are filled."""

    features: RealArray
    smooth: FloatArray
    shoulder: FloatArray


@compiled
def _block(
    counts: FloatArray,
    use: FloatArray,
    tables: FloatArray,
    which: IntArray,
    sigma: FloatArray,
    tried: _Tried,
    out: _Outputs,
) -> None:
    """Fill the features and the background of many spectra, with the number of each one's table of templates."""
    squared = tables * tables
    for row in range(len(counts)):
        n, used, table = counts[row], use[row], which[row]
        basis = adapted(n, used, tried.basis, tried.ridge)
        problem = Problem(n, used, tables[table], squared[table], basis, tried.ridge)
        _one(problem, sigma[row], tried, out.features[row], out.smooth[row], out.shoulder[row])


@compiled
def _one(
    problem: Problem, sigma: FloatArray, tried: _Tried, out: RealArray, smooth: FloatArray, shoulder: FloatArray
) -> None:
    """Fill the features of one spectrum."""
    n, use, basis, ridge, orders, clean = (
        problem.n,
        problem.use,
        problem.basis,
        problem.ridge,
        tried.orders,
        tried.clean,
    )
    n_bins, n_orders, n_clean = len(n), len(orders), len(clean)
    beta, log_b, b = np.empty(len(basis)), np.empty(n_bins), np.empty(n_bins)
    start(n, use, basis, ridge, beta)
    fit(n, use, basis, ridge, beta, 1e-3, 12)
    exponential(beta, basis, log_b, b)
    whitened = whiten(problem, b, beta)
    score, share, norms = efficient_scores(problem, b, orders, whitened)
    for order in range(n_orders):
        for k in range(n_bins):
            out[order, k] = asimov(score[order, k], norms.effective[k])
    best, place = choose(out[:n_orders], share, use, whitened.d, orders)
    mu = max(score[best, place], 0.0) / np.sqrt(norms.vv[place] * (1.0 - share[best, place]))
    shown = np.empty(n_clean + 1, orders.dtype)
    shown[:n_clean], shown[n_clean] = clean, orders[best]
    signal = template(problem.table, place)
    # Terms that can imitate the candidate leave its strength open, and with it the backgrounds of fewer terms.
    terms = orders[best]
    for order in range(n_orders):
        if share[order, place] < _OPEN:
            terms = max(terms, orders[order])
    fewer = Problem(n, use, problem.table, problem.squared, basis[:terms], ridge[:terms])
    if terms < len(basis):
        start(n, use, fewer.basis, fewer.ridge, beta[:terms])
        fit(n, use, fewer.basis, fewer.ridge, beta[:terms], 1e-3, 12)
        for number in range(len(shown)):
            shown[number] = min(shown[number], terms)
    mu, beside = backgrounds_beside(fewer, signal, beta[:terms], mu, shown)
    for number in range(n_clean + 1):
        fixed_scores(problem, beside.b[number], out[n_orders + number])
    smooth[:] = beside.b[n_clean]
    leading, n_stepped = n_orders + n_clean + 1, len(STEPPED)
    without = Background(
        orders[best], beside.log_b[n_clean], beside.b[n_clean], out[best].astype(np.float64), share[best]
    )
    stepped = out[leading : leading + n_stepped]
    set_step_features(
        problem, tried.steps, tried.step_orders, Candidate(signal, mu, place), without, sigma, stepped, shoulder
    )
    rest = out[leading + n_stepped :]
    _shares(share, orders, clean, rest)
    spread = _residuals(n, use, beside.b[n_clean - 1], beside.b[n_clean], rest[n_clean:])
    height = max(float(out[best, place]), 0.0)
    _surroundings(sigma, norms.effective, beside.log_b[n_clean], height, place, rest[n_clean + 3 :])
    _constants(n, use, whitened.d, orders[best], spread, rest[n_clean + 9 :])


@compiled
def _shares(share: FloatArray, orders: IntArray, clean: IntArray, out: RealArray) -> None:
    """Set the shares of a signal that the backgrounds can imitate."""
    for number in range(len(clean)):
        for order in range(len(orders)):
            if orders[order] == clean[number]:
                for k in range(share.shape[1]):
                    out[number, k] = 2.0 * np.sqrt(share[order, k]) - 1.0


@compiled
def _residuals(n: FloatArray, use: FloatArray, fine: FloatArray, best: FloatArray, out: RealArray) -> float:
    """Set the pulls of the best and of the finest background; return how far the best one is from the counts."""
    deviance, bins = 0.0, 0.0
    for i in range(len(n)):
        pull = asimov(use[i] * (n[i] - best[i]) / np.sqrt(best[i]), max(best[i], 1e-6))
        deviance += min(pull * pull, 100.0)
        bins += use[i]
        out[0, i] = min(max(pull, -8.0), 8.0) / 2.0
        out[1, i] = min(max(use[i] * (n[i] - fine[i]) / np.sqrt(fine[i]), -8.0), 8.0) / 2.0
        out[2, i] = np.arcsinh(pull / 2.0)
    return float((deviance - bins) / np.sqrt(2.0 * bins))


@compiled
def _surroundings(
    sigma: FloatArray, effective: FloatArray, log_b: FloatArray, height: float, place: int, out: RealArray
) -> None:
    """Set level and slope of the background, where the candidate and the ends of the spectrum are, the width."""
    n_bins = len(sigma)
    for i in range(n_bins):
        # The events under the signal's width: what decides how normal everything is.
        out[0, i] = 0.25 * np.log(max(effective[i], 1e-4)) - 1.0
        low, high = max(i - 1, 0), min(i + 1, n_bins - 1)
        slope = (log_b[high] - log_b[low]) / (high - low) * sigma[i]
        out[1, i] = min(max(slope, -3.0), 3.0)
        away = (i - place) / sigma[i]
        out[2, i] = 0.3 * height * np.exp(-0.125 * away * away)
        out[3, i] = np.exp(-0.3 * i / sigma[i])
        out[4, i] = np.exp(-0.3 * (n_bins - 1 - i) / sigma[i])
        out[5, i] = np.log(sigma[i])


@compiled
def _constants(n: FloatArray, use: FloatArray, d: FloatArray, order: int, spread: float, out: RealArray) -> None:
    """Set the features that are one number a spectrum, the same in all bins."""
    n_bins, terms = len(n), len(d)
    for a in range(3, terms):
        out[a - 3, :] = min(max(np.arcsinh(d[a] / 3.0), -4.0), 4.0)
    events = dot(use, n)
    out[terms - 3, :] = 0.3 * (order - 5.0)
    out[terms - 2, :] = min(max(spread / 3.0, -3.0), 3.0)
    out[terms - 1, :] = np.log(n_bins / 100.0)
    out[terms, :] = 0.25 * np.log(max(events, 1.0)) - 2.0
