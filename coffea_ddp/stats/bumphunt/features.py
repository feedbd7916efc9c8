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

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats.bumphunt.fits.beside_signal import Beside, backgrounds_beside
from coffea_ddp.stats.bumphunt.fits.loglinear import Polynomials, exponential, legendre
from coffea_ddp.stats.bumphunt.fits.polynomials import Chosen, Scores, adapted, choose, efficient_scores, fitted
from coffea_ddp.stats.bumphunt.fits.signals import LARGEST, Signals, Spectra, asimov, fixed_scores, templates_at
from coffea_ddp.stats.bumphunt.fits.step_features import (
    ESTIMATES,
    STEPPED,
    Background,
    Candidate,
    set_step_features,
)
from coffea_ddp.stats.bumphunt.fits.steps import step_table
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


_AT_ONCE = 12_800
"""Counts that are described together: their arrays stay in the cache."""


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
    smooth, shoulder = np.empty(counts.shape), np.zeros((n_spectra, 4))
    # Copies, however these were made: another memory layout would be compiled anew, which takes seconds.
    n = np.array(counts, dtype=np.float64, order="C")
    used = np.ones_like(n) if use is None else np.array(use, dtype=np.float64, order="C")
    widths = np.array(np.broadcast_to(sigma, counts.shape), dtype=np.float64, order="C")
    tables, which = _tables(widths if np.ndim(sigma) > 1 else widths[:1])
    which = np.broadcast_to(which, (n_spectra,)).copy()
    signals = Signals(tables, tables * tables, which)
    with np.errstate(all="ignore"):  # a spectrum that no fit can follow is told below
        for some in _blocks(n):
            rows = np.arange(some.start, some.stop)
            _some(
                n[some], used[some], signals.of(rows), widths[some], _Outputs(out[some], smooth[some], shoulder[some])
            )
    if not np.isfinite(out).all():
        # A spectrum that no fit can follow: nothing is known of it, which the network then sees.
        np.nan_to_num(out, copy=False, nan=0.0, posinf=LARGEST, neginf=-LARGEST)
    np.nan_to_num(shoulder, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return SpectrumFeatures(out, smooth, shoulder)


def _blocks(counts: FloatArray) -> Iterator[slice]:
    """Go through the spectra that are described together."""
    n_spectra, n_bins = counts.shape
    together = max(_AT_ONCE // n_bins, 1)
    return (slice(first, min(first + together, n_spectra)) for first in range(0, n_spectra, together))


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


def smooth_scores(counts: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the efficient scores beside the best polynomial of each spectrum, as z, and the background of most terms.

    Parameters
    ----------
    counts
        Shape (n_spectra, n_bins).
    sigma
        Width of the signal in bins around every bin, shape (n_bins,).
    """
    n = np.array(counts, dtype=np.float64, order="C")
    z, smooth = np.empty_like(n), np.empty_like(n)
    tables, _ = _tables(np.array(sigma, dtype=np.float64)[None])
    with np.errstate(all="ignore"):
        for block in _blocks(n):
            some = n[block]
            signals = Signals(tables, tables * tables, np.zeros(len(some), dtype=np.int64))
            spectra, beta, _, scores, chosen = _fitted(some, np.ones_like(some), signals)
            z[block] = scores[np.arange(len(some)), chosen.best]
            smooth[block] = exponential(beta, spectra.polynomials.basis)[1]
    return np.nan_to_num(z, copy=False, nan=0.0), np.nan_to_num(smooth, copy=False, nan=0.0)


def _fitted(n: FloatArray, use: FloatArray, signals: Signals) -> tuple[Spectra, FloatArray, Scores, FloatArray, Chosen]:
    """Return spectra with their polynomials, the coefficients, efficient scores, these as z, and what is chosen."""
    ridge = np.array(RIDGE)
    basis = adapted(n, use, legendre(n.shape[1], ORDERS[-1]), ridge)
    spectra = Spectra(n, use, signals, Polynomials(basis, ridge, np.full(len(n), ORDERS[-1])))
    beta = fitted(spectra)
    scores = efficient_scores(spectra, beta, ORDERS)
    z = asimov(scores.score, scores.norms.effective[:, None])
    return spectra, beta, scores, z, choose(z, scores.share, use, scores.d, ORDERS)


def _some(n: FloatArray, use: FloatArray, signals: Signals, sigma: FloatArray, out: _Outputs) -> None:
    """Fill the features of spectra that are described together."""
    n_spectra, n_bins = n.shape
    n_orders, n_clean, n_stepped, every = len(ORDERS), len(CLEAN), len(STEPPED), np.arange(n_spectra)
    spectra, beta, scores, z, (best, place) = _fitted(n, use, signals)
    order, share = np.array(ORDERS)[best], scores.share[every, best]
    mu = np.maximum(scores.score[every, best, place], 0.0)
    mu /= np.sqrt(scores.norms.vv[every, place] * (1.0 - share[every, place]))
    signal = templates_at(signals, place)
    beside = _beside(spectra, scores.share[every, :, place], beta, mu, order, signal)
    clean = fixed_scores(spectra, beside.b)
    log_b, b = beside.log_b[:, n_clean], beside.b[:, n_clean]
    features, leading = out.features, n_orders + n_clean + 1
    features[:, :n_orders], features[:, n_orders:leading], out.smooth[:] = z, clean, b
    candidate, without = (
        Candidate(signal, beside.mu, place),
        Background(order, log_b, b, z[every, best], share, clean[:, -1]),
    )
    stepped = features[:, leading : leading + n_stepped]
    set_step_features(spectra, step_table(n_bins), candidate, without, sigma, stepped, out.shoulder)
    rest = features[:, leading + n_stepped :]
    for number, some in enumerate(CLEAN):
        rest[:, number] = 2.0 * np.sqrt(scores.share[:, ORDERS.index(some)]) - 1.0
    spread = _set_residuals(spectra, beside.b[:, n_clean - 1], b, rest[:, n_clean:])
    height = np.maximum(z[every, best, place], 0.0)
    _set_surroundings(sigma, scores.norms.effective, log_b, height, place, rest[:, n_clean + 3 :])
    _set_constants(n, use, scores.d, order, spread, rest[:, n_clean + 9 :])


def _beside(
    spectra: Spectra, share: FloatArray, beta: FloatArray, mu: FloatArray, order: IntArray, signal: FloatArray
) -> Beside:
    """Return the backgrounds of :data:`CLEAN` terms and of the chosen order, the last, beside the candidate.

    Terms that can imitate the candidate leave its strength open, and with it the backgrounds of fewer terms: these are
    not fitted.
    """
    orders, most = np.array(ORDERS), ORDERS[-1]
    terms = np.maximum(order, np.where(share < _OPEN, orders, 0).max(axis=1))
    fewer, rows = spectra.with_terms(terms), np.flatnonzero(terms < most)
    if len(rows):
        beta[rows] = fitted(fewer.of(rows))
    shown = np.column_stack([np.broadcast_to(CLEAN, (len(order), len(CLEAN))), order])
    return backgrounds_beside(fewer, signal, beta, mu, np.minimum(shown, terms[:, None]))


def _set_residuals(spectra: Spectra, fine: FloatArray, best: FloatArray, out: RealArray) -> FloatArray:
    """Set the pulls of the best and of the finest background; return how far the best ones are from the counts."""
    n, use = spectra.n, spectra.use
    pull = asimov(use * (n - best) / np.sqrt(best), np.maximum(best, 1e-6))
    bins = use.sum(axis=1)
    out[:, 0] = np.clip(pull, -8.0, 8.0) / 2.0
    out[:, 1] = np.clip(use * (n - fine) / np.sqrt(fine), -8.0, 8.0) / 2.0
    out[:, 2] = np.arcsinh(pull / 2.0)
    return np.asarray((np.minimum(pull * pull, 100.0).sum(axis=1) - bins) / np.sqrt(2.0 * bins))


def _set_surroundings(
    sigma: FloatArray, effective: FloatArray, log_b: FloatArray, height: FloatArray, place: IntArray, out: RealArray
) -> None:
    """Set level and slope of the background, where the candidate and the ends of the spectrum are, the width."""
    n_bins = sigma.shape[1]
    bins = np.arange(n_bins)
    low, high = np.maximum(bins - 1, 0), np.minimum(bins + 1, n_bins - 1)
    # The events under the signal's width: what decides how normal everything is.
    out[:, 0] = 0.25 * np.log(np.maximum(effective, 1e-4)) - 1.0
    out[:, 1] = np.clip((log_b[:, high] - log_b[:, low]) / (high - low) * sigma, -3.0, 3.0)
    away = (bins - place[:, None]) / sigma
    out[:, 2] = 0.3 * height[:, None] * np.exp(-0.125 * away * away)
    out[:, 3] = np.exp(-0.3 * bins / sigma)
    out[:, 4] = np.exp(-0.3 * (n_bins - 1 - bins) / sigma)
    out[:, 5] = np.log(sigma)


def _set_constants(
    n: FloatArray, use: FloatArray, d: FloatArray, order: IntArray, spread: FloatArray, out: RealArray
) -> None:
    """Set the features that are one number a spectrum, the same in all bins."""
    n_bins, terms = n.shape[1], d.shape[1]
    events = np.maximum((use * n).sum(axis=1), 1.0)
    constants = [
        *np.clip(np.arcsinh(d[:, 3:] / 3.0), -4.0, 4.0).T,
        0.3 * (order - 5.0),
        np.clip(spread / 3.0, -3.0, 3.0),
        np.full(len(n), np.log(n_bins / 100.0)),
        0.25 * np.log(events) - 2.0,
    ]
    out[:, : terms + 1] = np.array(constants).T[:, :, None]
