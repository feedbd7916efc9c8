"""Penalised logistic regression of the label on an event's terms.

The log-likelihood of labels y (1: side B) is maximised with a Gaussian prior of the coefficients (posterior mode):
``sum_i ln sigma((2 y_i - 1) h_i^T beta) - beta^T P beta / 2``. The covariance is that of the posterior,
``(H^T W H + P)^-1`` with ``W = e (1 - e)``. Fits that leave out one fold at a time, by the hash of the events, tell how
well it predicts events that took no part.

Examples
--------
>>> rng = np.random.default_rng(1)
>>> h = rng.normal(size=(4000, 2))
>>> is_b = rng.random(4000) < 1 / (1 + np.exp(-h @ [0.5, 0.0]))
>>> found = fit_propensity(h, is_b, precision=np.eye(2))
>>> found.coefficients.round(1).tolist(), found.n_events, found.p_value > 0.01
([0.5, 0.0], 4000, True)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import expit
from scipy.stats import chi2
from threadpoolctl import ThreadpoolController

from coffea_ddp._splitmix import GOLDEN, mixed
from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from coffea_ddp._typing import BoolArray, FloatArray, IntArray

FOLDS = 5
"""Number of folds of the cross-fitted log-odds."""

GROUPS = 20
"""Number of groups of expected share in which B is compared with what is expected."""

FEWEST = 100
"""Smallest number of events that a fit takes."""


@dataclass(frozen=True, eq=False)
class PropensityFit:
    """Outcome of a fit.

    Attributes
    ----------
    coefficients
        Shape (n_terms,).
    covariance
        Of the coefficients, with the prior; shape (n_terms, n_terms).
    log_odds
        Of side B of the fitted events; shape (n_events,).
    cross_fitted
        The same by fits without the fold that the event is in; shape (n_events,).
    chi2, n_groups, p_value
        Of the cross-fitted shares against the labels in groups of equal size: ``sum (B - E)^2 / V``, compared with the
        chi2 distribution with one degree of freedom a group. A p-value near 0 says that the terms do not describe the
        labels.
    """

    coefficients: FloatArray
    covariance: FloatArray
    log_odds: FloatArray
    cross_fitted: FloatArray
    chi2: float
    n_groups: int
    p_value: float

    @property
    def n_events(self) -> int:
        """Number of events that were fitted."""
        return len(self.log_odds)

    def shares(self, rows: ArrayLike) -> FloatArray:
        """Return the expected share of side B of events with these terms, shape (n,)."""
        return np.asarray(expit(np.asarray(rows) @ self.coefficients))

    def error(self, rows: ArrayLike) -> FloatArray:
        """Return one standard deviation of the log-odds of events with these terms, shape (n,)."""
        terms = np.asarray(rows, dtype=np.float64)
        return np.asarray(np.sqrt(np.einsum("ij,jk,ik->i", terms, self.covariance, terms)))


def fit_propensity(
    rows: ArrayLike,
    is_b: ArrayLike,
    *,
    precision: ArrayLike,
    hashes: NDArray[np.uint64] | None = None,
    folds: int = FOLDS,
) -> PropensityFit:
    """Fit the log-odds of side B.

    Parameters
    ----------
    rows
        The terms of every event, as of its image on side B; shape (n_events, n_terms).
    is_b
        Which events are on side B; shape (n_events,).
    precision
        The prior's inverse covariance; shape (n_terms, n_terms), positive definite.
    hashes
        Of the events' identities, which choose the folds; by default events are taken in turn. Shape (n_events,).
    folds
        How many; at least 2.

    Raises
    ------
    InputError
        If shapes differ, a number is not finite, there are fewer than 100 events or one side has none, or the precision
        is not that of a prior.

    Notes
    -----
    The fit is scikit-learn's, of terms in the prior's units: newton-cholesky, to 1e-8.
    """
    terms, labels, prior = _checked(rows, is_b, precision)
    checks.whole(folds, "folds", least=2)
    root = np.asarray(np.linalg.cholesky(prior), dtype=np.float64)
    # beta = root^-T w: the prior of w is the unit matrix.
    scaled = solve_triangular(root, terms.T, lower=True).T
    coefficients = _fitted(scaled, labels, root)
    log_odds = terms @ coefficients
    fold = _folds(len(terms), hashes, folds)
    crossed = np.zeros(len(terms))
    for k in range(folds):
        out = fold == k
        if out.any():
            crossed[out] = terms[out] @ _fitted(scaled[~out], labels[~out], root)
    share = expit(log_odds)
    information = (terms * (share * (1 - share))[:, None]).T @ terms + prior
    covariance = cho_solve(cho_factor(information), np.eye(len(prior)))
    value, n = _groups(expit(crossed), labels)
    return PropensityFit(coefficients, covariance, log_odds, crossed, value, n, float(chi2.sf(value, n)))


def _checked(rows: ArrayLike, is_b: ArrayLike, precision: ArrayLike) -> tuple[FloatArray, BoolArray, FloatArray]:
    terms, prior = np.asarray(rows, dtype=np.float64), np.asarray(precision, dtype=np.float64)
    labels = np.asarray(is_b)
    if terms.ndim != 2 or labels.shape != terms.shape[:1] or labels.dtype != np.bool_:
        raise InputError(
            f"rows of shape {terms.shape} and is_b of shape {labels.shape} and type {labels.dtype}: give one row of "
            "terms and one bool an event"
        )
    if prior.shape != (terms.shape[1],) * 2:
        raise InputError(f"precision of shape {prior.shape} for {terms.shape[1]} terms: give a square matrix of them")
    for name, values in (("rows", terms), ("precision", prior)):
        if not np.isfinite(values).all():
            raise InputError(f"{name}: {np.count_nonzero(~np.isfinite(values))} numbers are not finite; leave them out")
    if not np.allclose(prior, prior.T) or np.linalg.eigvalsh(prior)[0] <= 0:
        raise InputError("precision: not symmetric and positive definite; every term needs a prior of finite width")
    n_b = int(labels.sum())
    if len(labels) < FEWEST or not 0 < n_b < len(labels):
        raise InputError(
            f"{len(labels) - n_b} events of A and {n_b} of B: a propensity is fitted to at least {FEWEST} events with "
            "some on either side"
        )
    return terms, labels, prior


def _fitted(scaled: FloatArray, labels: BoolArray, root: FloatArray) -> FloatArray:
    from sklearn.linear_model import LogisticRegression  # 1 s, for fits only

    if labels.all() or not labels.any():
        raise InputError("a fold leaves events of one side only; fit more events")
    model = LogisticRegression(C=1.0, fit_intercept=False, solver="newton-cholesky", tol=1e-8, max_iter=200)
    with ThreadpoolController().limit(limits=1):  # products of narrow matrices: threads only get in each other's way
        found = model.fit(scaled, labels).coef_[0]
    return np.asarray(solve_triangular(root.T, found, lower=False))


def _folds(n: int, hashes: NDArray[np.uint64] | None, folds: int) -> IntArray:
    if hashes is None:
        return np.arange(n) % folds
    if hashes.shape != (n,):
        raise InputError(f"hashes of shape {hashes.shape} for {n} events: give one each")
    with np.errstate(over="ignore"):  # thinning uses the largest bits: folds have other words
        return np.asarray(mixed(hashes + GOLDEN) % np.uint64(folds), dtype=np.int64)


def _groups(share: FloatArray, labels: BoolArray) -> tuple[float, int]:
    order = np.argsort(share, kind="stable")
    parts = np.array_split(order, min(GROUPS, len(order) // 5))
    b, e = (np.array([values[part].sum() for part in parts]) for values in (labels.astype(np.float64), share))
    v = np.array([(share[part] * (1 - share[part])).sum() for part in parts])
    return float(((b - e) ** 2 / v).sum()), len(parts)
