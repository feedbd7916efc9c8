"""Nested polynomial backgrounds: one fit of J terms gives the efficient scores beside every fit of fewer.

``log b = sum_j beta_j X_j``, with the penalty ``sum_j R_j beta_j^2 / 2``, is fitted to the counts n. With
``A = sqrt(b) X`` and the Cholesky factor of ``A^T A + R = L L^T``, the columns q_j of ``Q = A L^-T`` are the whitened
polynomials, and ``d = L^T beta`` their components. To first order, the fit with K < J terms has the residuals

``r_K = (n - b) / sqrt(b) + sum_{j >= K} d_j q_j``,

and the efficient score of a signal s, with ``v = s / sqrt(b)``, is ``v . r_K / sqrt(v . v (1 - lambda_K))``, where
``lambda_K = sum_{j < K} (v . q_j)^2 / v . v`` is the share of the signal that the background can imitate.

All spectra of one length are taken at once (compiled).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.bumphunt.fits.loglinear import Polynomials, cholesky, dot, exponential, fit, start
from coffea_ddp.stats.bumphunt.fits.signals import Norms, Spectra, fold, template_norms

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

_STRETCH, _PILOT = 0.15, 5
"""The coordinate of the polynomials advances by this power of a first background, which has this number of terms."""
_CLOSE, _MOST = 1e-3, 12
"""Twice the log-likelihood that may be left to gain: features need no more; and the steps that are taken for it."""
MOST_IMITATED = 0.999
"""The largest share of a signal that a background is said to imitate: beyond, nothing is measured."""
SEARCHED = 0.9
"""A candidate is searched for where the background can imitate less than this share of it."""


class Scores(NamedTuple):
    """Efficient scores of a signal at every bin beside the nested backgrounds.

    Attributes
    ----------
    score
        Shape (n_spectra, n_orders, n_bins).
    share
        lambda, the share of the signal that the background can imitate; shape (n_spectra, n_orders, n_bins).
    norms
        Of the templates.
    d
        Components of the background, shape (n_spectra, terms).
    """

    score: FloatArray
    share: FloatArray
    norms: Norms
    d: FloatArray


def adapted(n: FloatArray, use: FloatArray, basis: FloatArray, ridge: FloatArray) -> FloatArray:
    """Return Legendre polynomials of coordinates t that are stretched where there are many events.

    ``dt ~ (b + 1/2)^0.15`` with a first background b of few terms: steep spectra need their flexibility at their upper
    edge of events, where a polynomial of the mass has little.

    Parameters
    ----------
    n, use
        Shape (n_spectra, n_bins).
    basis, ridge
        Polynomials of the bins, shape (some, n_bins), and penalties, shape (terms,). There are no more polynomials
        than bins.

    Returns
    -------
    FloatArray
        Shape (n_spectra, terms, n_bins); of fewer bins than terms they are not independent, which the penalties allow.
    """
    terms, few = len(ridge), min(_PILOT, len(basis))
    pilot = Polynomials(np.ascontiguousarray(basis[None, :few]), ridge[:few].copy(), np.full(len(n), few))
    beta = start(n, use, pilot)
    fit(n, use, pilot, beta, 10.0 * _CLOSE, 4)
    _, b = exponential(beta, pilot.basis)
    dt = (b + 0.5) ** _STRETCH
    t = np.cumsum(dt, axis=1)
    x = (2.0 * t - dt) / t[:, -1:] - 1.0
    legendre = np.empty((len(n), terms, n.shape[1]))
    legendre[:, 0], legendre[:, 1] = 1.0, x
    for a in range(2, terms):
        legendre[:, a] = ((2 * a - 1) / a) * x * legendre[:, a - 1] - ((a - 1) / a) * legendre[:, a - 2]
    legendre *= np.sqrt(2.0 * np.arange(terms) + 1.0)[:, None]
    return legendre


def fitted(spectra: Spectra) -> FloatArray:
    """Return the coefficients of fitted backgrounds, shape (n_spectra, most_terms)."""
    beta = start(spectra.n, spectra.use, spectra.polynomials)
    fit(spectra.n, spectra.use, spectra.polynomials, beta, _CLOSE, _MOST)
    return beta


@compiled
def orthogonal(columns: FloatArray, ridge: FloatArray, factor: FloatArray) -> None:
    """Make columns A orthonormal in place, ``A L^-T``, and set the lower triangle of ``factor`` to L.

    Shapes (terms, n_bins), (terms,) and (terms, terms).
    """
    terms, n_bins = columns.shape
    for a in range(terms):
        for c in range(a + 1):
            factor[a, c] = dot(columns[a], columns[c])
        factor[a, a] += ridge[a] + 1e-12
    cholesky(factor, terms)
    for a in range(terms):
        for c in range(a):
            for i in range(n_bins):
                columns[a, i] -= factor[a, c] * columns[c, i]
        over = 1.0 / factor[a, a]
        for i in range(n_bins):
            columns[a, i] *= over


def efficient_scores(spectra: Spectra, beta: FloatArray, orders: tuple[int, ...]) -> Scores:
    """Return the efficient scores beside the fits of ``orders`` terms, beta being the fit of all terms."""
    _, b = exponential(beta, spectra.polynomials.basis)
    norms = template_norms(spectra, spectra.use / b)
    score = np.empty((len(b), len(orders), b.shape[1]))
    share, d = np.empty_like(score), np.empty_like(beta)
    _set_scores(spectra, b, beta, norms.vv, np.array(orders), score, share, d)
    return Scores(score, share, norms, d)


@compiled
def _set_scores(
    spectra: Spectra,
    b: FloatArray,
    beta: FloatArray,
    vv: FloatArray,
    orders: IntArray,
    score: FloatArray,
    share: FloatArray,
    d: FloatArray,
) -> None:
    """Set the arrays of :class:`Scores`."""
    basis, ridge = spectra.polynomials.basis, spectra.polynomials.ridge
    terms, n_bins = basis.shape[1], basis.shape[2]
    q, factor, vq = np.empty((terms, n_bins)), np.empty((terms, terms)), np.empty((terms, n_bins))
    root, scale, vr = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins)
    for row in range(len(b)):
        table, x = spectra.signals.tables[spectra.signals.which[row]], basis[row]
        for i in range(n_bins):
            root[i] = np.sqrt(spectra.use[row, i] / b[row, i])
            scale[i] = root[i] * b[row, i]
        for a in range(terms):
            for i in range(n_bins):
                q[a, i] = scale[i] * x[a, i]
        orthogonal(q, ridge, factor)
        for i in range(n_bins):
            scale[i] = (spectra.n[row, i] - b[row, i]) * root[i] * root[i]
        fold(table, scale, vr)
        for a in range(terms):
            d[row, a] = dot(factor[a:, a], beta[row, a:])
            for i in range(n_bins):
                q[a, i] *= root[i]
            fold(table, q[a], vq[a])
        _take_away(vr, vq, d[row], orders, vv[row], score[row], share[row])


@compiled
def _take_away(
    vr: FloatArray,
    vq: FloatArray,
    d: FloatArray,
    orders: IntArray,
    vv: FloatArray,
    score: FloatArray,
    share: FloatArray,
) -> None:
    """Set scores and shares of one spectrum beside the fit of every order; ``vr`` is ``v . r`` of the largest fit."""
    n_bins, a = len(vr), 0
    imitated = np.zeros(n_bins)
    for c in range(len(d)):
        for k in range(n_bins):
            vr[k] += d[c] * vq[c, k]
    for order in range(len(orders)):
        while a < orders[order]:
            for k in range(n_bins):
                vr[k] -= d[a] * vq[a, k]
                imitated[k] += vq[a, k] * vq[a, k]
            a += 1
        for k in range(n_bins):
            some = min(imitated[k] / vv[k], MOST_IMITATED)
            share[order, k] = some
            score[order, k] = vr[k] / np.sqrt(vv[k] * (1.0 - some))


class Chosen(NamedTuple):
    """Chosen backgrounds and candidates, shape (n_spectra,) each.

    Attributes
    ----------
    best
        The number of the order.
    place
        The bin of the candidate; the middle where there is none.
    """

    best: IntArray
    place: IntArray


def choose(z: FloatArray, share: FloatArray, use: FloatArray, d: FloatArray, orders: tuple[int, ...]) -> Chosen:
    """Return the order, and the bin of the candidate, with the best information criterion of both.

    The criterion is ``K log(n_bins) + sum_{j >= K} d_j^2 - z^2``, z being the largest of the fit with K terms.

    Parameters
    ----------
    z, share
        Of :class:`Scores`.
    use, d
        Bins that are used, and components of the background.
    orders
        K of each.
    """
    n_bins = z.shape[2]
    searched = np.where((share < SEARCHED) & (use[:, None] > 0.0), z, 0.0)
    top, where = searched.max(axis=2), searched.argmax(axis=2)
    where = np.where(top > 0.0, where, n_bins // 2)
    rest = np.cumsum((d * d)[:, ::-1], axis=1)[:, ::-1]
    left = np.pad(rest, ((0, 0), (0, 1)))[:, list(orders)]
    best = (np.log(float(n_bins)) * np.array(orders) + left - top * np.maximum(top, 0.0)).argmin(axis=1)
    return Chosen(best, where[np.arange(len(z)), best])
