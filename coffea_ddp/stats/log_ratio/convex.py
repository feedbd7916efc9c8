"""Fits of log-ratios that are linear in fixed features: convex, many labellings of the events at once.

Every permutation of the labels has the same features, so the Hessian at f = 0 is the same for all and is factorised
once. With it as preconditioner conjugate gradients need a few steps, each of two matrix products for all labellings
together. The score version is the first of these steps: a quadratic form of sums over A alone, whose null is known.

Notation: N points with ``m`` events each, ``y`` of them of the sample that is fitted; ``u`` is what the other
hypothesis expects of it, ``u = (sum y / sum m) m`` in the symmetrized test;
``L(w) = sum_i u_i (exp f_i - 1) - sum_i y_i f_i + sum_j penalty_j w_j^2 / 2`` with ``f = Phi w`` and ``t = -2 min L``
(arXiv:2401.09530; with u a large reference, arXiv:1806.02350).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy.linalg import cho_factor, cho_solve

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, FloatArray, IntArray

_LARGEST = 30.0
"""f is kept below this where ``exp f`` is taken: it must not overflow on the way to the minimum."""
_SMALLEST = 1e-9
"""Added to the Hessian's diagonal, in units of its mean: features may depend on each other."""
_HALVINGS = 30
_BLOCK = 50_000


@dataclass(frozen=True, eq=False)
class Problem:
    """Features of all points with what is shared by all labellings.

    Attributes
    ----------
    phi
        Shape (n_points, n_parameters); single precision is enough for permutations.
    multiplicity
        Events at every point, shape (n_points,); with expected shares their variances e (1 - e).
    penalty
        Shape (n_parameters,).
    total
        Sum of the features over all events, shape (n_parameters,).
    moments
        ``Phi^T m Phi``, shape (n_parameters, n_parameters).
    """

    phi: AnyArray
    multiplicity: AnyArray
    penalty: FloatArray
    total: FloatArray
    moments: FloatArray

    @property
    def n(self) -> int:
        """Events."""
        return int(self.multiplicity.sum())


def problem(phi: AnyArray, multiplicity: AnyArray, penalty: FloatArray) -> Problem:
    """Return a problem; sums over the events are in double precision whatever the features are."""
    total, moments = np.zeros(phi.shape[1]), np.zeros((phi.shape[1],) * 2)
    for first in range(0, len(phi), _BLOCK):
        part = phi[first : first + _BLOCK].astype(np.float64)
        weighted = part * multiplicity[first : first + _BLOCK, None]
        total += weighted.sum(axis=0)
        moments += weighted.T @ part
    return Problem(phi, multiplicity, penalty, total, moments)


@dataclass(frozen=True, eq=False)
class Fits:
    """Fits of one sample for several labellings.

    Attributes
    ----------
    t
        ``-2 min L``, shape (n,).
    weights
        Parameters at the minimum, shape (n, n_parameters).
    decrement
        What a Newton step from there would still add to t, and is in it; shape (n,).
    steps
        Steps taken.
    """

    t: FloatArray
    weights: FloatArray
    decrement: FloatArray
    steps: int


def hessian(one: Problem, share: float) -> FloatArray:
    """Return the Hessian at f = 0 for a sample with this share of the events."""
    found = share * one.moments + np.diag(one.penalty)
    found[np.diag_indices_from(found)] += _SMALLEST * np.trace(found) / len(found)
    return np.asarray(found)


def score_form(one: Problem, share: float) -> FloatArray:
    """Return the matrix of the score version, ``H_A^-1 + H_B^-1``; shape (n_parameters, n_parameters)."""
    both = [np.linalg.inv(hessian(one, part)) for part in (share, 1.0 - share)]
    return np.asarray(both[0] + both[1])


def score_statistic(one: Problem, sums: FloatArray, share: float, form: FloatArray) -> FloatArray:
    """Return t of both samples to second order, shape (n,): no fit, one quadratic form.

    Parameters
    ----------
    one
        What is shared.
    sums
        Sum of the features over the events of A, shape (n, n_parameters).
    share
        ``N_A / N``.
    form
        Of :func:`score_form`.
    """
    gradient = sums - share * one.total
    return np.asarray(((gradient @ form) * gradient).sum(axis=1))


def null_weights(one: Problem, n_a: int, form: FloatArray) -> FloatArray:
    """Return the weights of the chi2_1 that the score version is a sum of under permutations; shape (n_parameters,).

    Sums over A have the covariance of a draw without replacement, ``N_A N_B / (N (N - 1))`` times the centred moments.
    """
    n = float(one.n)
    centred = one.moments - np.outer(one.total, one.total) / n
    return chi2_weights(n_a * (n - n_a) / (n * max(n - 1.0, 1.0)) * centred, form)


def chi2_weights(covariance: FloatArray, form: FloatArray) -> FloatArray:
    """Return the weights of the chi2_1 that ``G^T form G`` is a sum of; G normal with this covariance; shape (n,)."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(np.maximum(np.linalg.eigvalsh(root.T @ form @ root), 0.0))


def null_spread(one: Problem, n_a: int, form: FloatArray, weights: FloatArray) -> float:
    """Return the standard deviation of the score version under permutations, in units of the weighted sum's.

    A label is 0 or 1 and no normal variable: its fourth cumulant, ``r (1 - r) (1 - 6 r (1 - r))``, changes the variance
    of a quadratic form by that times the sum of its squared diagonal. Less than 1 at equal sizes, more at unequal ones.
    """
    share = n_a / one.n
    diagonal = 0.0
    for first in range(0, len(one.phi), _BLOCK):
        centred = one.phi[first : first + _BLOCK] - one.total / one.n
        own = ((centred @ form) * centred).sum(axis=1)
        diagonal += float(one.multiplicity[first : first + _BLOCK] @ own**2)
    spread = share * (1.0 - share)
    normal = 2.0 * float((weights**2).sum())
    return float(np.sqrt(max(1.0 + spread * (1.0 - 6.0 * spread) * diagonal / normal, 0.1))) if normal > 0 else 1.0


def fit(
    one: Problem, labels: AnyArray, *, expected: AnyArray | None = None, tolerance: float = 1e-3, most: int = 200
) -> Fits:
    """Fit one sample for several labellings.

    Parameters
    ----------
    one
        What is shared.
    labels
        Events of the fitted sample at every point, shape (n, n_points); all rows have the same sum.
    expected
        ``u``, shape (n, n_points) or (n_points,); that of the symmetrized test by default.
    tolerance
        The decrement of t at which a fit ends.
    most
        The largest number of steps.
    """
    kind = one.phi.dtype
    y = labels.astype(kind)
    share = float(labels[0].sum(dtype=np.int64)) / one.n
    if expected is None:
        expected = share * one.multiplicity
    u = np.broadcast_to(np.asarray(expected, dtype=kind), y.shape)
    loss = _Poisson(u, u.sum(axis=1, dtype=np.float64))
    return descended(one, y, loss, hessian(one, share), tolerance=tolerance, most=most)


class Loss(Protocol):
    """The part of L that is not linear in f, a sum over points, for several labellings."""

    @property
    def largest(self) -> float:
        """The bound on f: far above any minimum, as beyond it L would be that of a smaller f than its weights."""

    def start(self, n: int) -> AnyArray:
        """Return its slope in every f at f = 0, what is expected there; shape (n, n_points)."""

    def at(self, rows: IntArray, f: AnyArray) -> tuple[AnyArray, FloatArray]:
        """Return its slope in every f, and how much more it is than at f = 0, shape (n,); of some labellings."""

    def bend(self, slope: AnyArray) -> AnyArray:
        """Return its second derivative where it has this slope."""


@dataclass(frozen=True, eq=False)
class _Poisson:
    """``sum_i u_i (exp f_i - 1)``; u of shape (n, n_points), and its sums, shape (n,)."""

    u: AnyArray
    flat: FloatArray
    largest: float = _LARGEST

    def start(self, n: int) -> AnyArray:
        return self.u[:n]

    def at(self, rows: IntArray, f: AnyArray) -> tuple[AnyArray, FloatArray]:
        slope = self.u[rows] * np.exp(f)
        return slope, slope.sum(axis=1, dtype=np.float64) - self.flat[rows]

    def bend(self, slope: AnyArray) -> AnyArray:
        return slope


def descended(one: Problem, y: AnyArray, loss: Loss, start: FloatArray, *, tolerance: float, most: int) -> Fits:
    """Return the minimum of a loss less ``sum_i y_i f_i`` plus the penalty, from f = 0.

    Parameters
    ----------
    one
        What is shared.
    y
        Labels, in the precision of the features; shape (n, n_points).
    loss
        What is not linear in f.
    start
        About the Hessian at f = 0, of any labelling; shape (n_parameters, n_parameters).
    tolerance, most
        As for :func:`fit`.
    """
    descent = _Descent(one, y, loss, cho_factor(start))
    steps = descent.run(tolerance, most)
    return Fits(2.0 * descent.gain + descent.decrement, descent.weights, descent.decrement, steps)


class _Descent:
    """Preconditioned conjugate gradients for all labellings at once; those that are done are left alone."""

    def __init__(self, one: Problem, y: AnyArray, loss: Loss, factor: Any) -> None:
        n = len(y)
        self.one, self.loss, self.factor = one, loss, factor
        self.sums = (y @ one.phi).astype(np.float64)
        self.weights, self.f = np.zeros((n, one.phi.shape[1])), np.zeros(y.shape, y.dtype)
        self.gain, self.decrement = np.zeros(n), np.full(n, np.inf)
        self.active, self.density = np.arange(n), loss.start(n)

    def run(self, tolerance: float, most: int) -> int:
        gradient = self._gradient()
        before, direction, last = gradient, np.zeros_like(gradient), np.ones(len(gradient))
        for step in range(most):
            natural = cho_solve(self.factor, gradient.T).T
            slope = (gradient * natural).sum(axis=1)
            self.decrement[self.active] = slope
            keep = slope > tolerance
            if not keep.any():
                return step
            if not keep.all():
                self.active, self.density = self.active[keep], self.density[keep]
                gradient, natural, slope, last = gradient[keep], natural[keep], slope[keep], last[keep]
                before, direction = before[keep], direction[keep]
            # Polak and Ribiere's; negative: begin anew, down the gradient.
            turned = np.maximum(slope - (before * natural).sum(axis=1), 0.0) / last if step else np.zeros(len(slope))
            direction = natural + turned[:, None] * direction
            before, last = gradient, slope
            gradient = self._advance(direction, gradient)
        return most

    def _advance(self, direction: FloatArray, gradient: FloatArray) -> FloatArray:
        """Go to about the best point along a direction: a Newton step in one dimension, halved where L rises."""
        rows, phi, penalty = self.active, self.one.phi, self.one.penalty
        along = direction.astype(phi.dtype) @ phi.T
        rise = (gradient * direction).sum(axis=1)
        bend = np.einsum("ij,ij,ij->i", self.loss.bend(self.density), along, along).astype(np.float64)
        size = rise / np.maximum(bend + (penalty * direction**2).sum(axis=1), 1e-30)
        f, weights, gain = self.f[rows], self.weights[rows], self.gain[rows]
        for _ in range(_HALVINGS):
            trial = np.minimum(f + size.astype(phi.dtype)[:, None] * along, self.loss.largest)
            moved = weights + size[:, None] * direction
            density, more = self.loss.at(rows, trial)
            found = self._gain(rows, moved, more)
            worse = found < gain - 1e-7 * np.abs(gain) - 1e-9
            if not worse.any():
                break
            size = np.where(worse, 0.5 * size, size)
        self.f[rows], self.weights[rows], self.density = trial, moved, density
        self.gain[rows] = np.maximum(found, gain)
        return self._gradient()

    def _gain(self, rows: IntArray, weights: FloatArray, more: FloatArray) -> FloatArray:
        """Return -L."""
        ridge = 0.5 * (self.one.penalty * weights**2).sum(axis=1)
        return np.asarray((self.sums[rows] * weights).sum(axis=1) - more - ridge)

    def _gradient(self) -> FloatArray:
        """Return minus the gradient of L for the active labellings; shape (n_active, n_parameters)."""
        rows = self.active
        expected = (self.density @ self.one.phi).astype(np.float64)
        return np.asarray(self.sums[rows] - expected - self.one.penalty * self.weights[rows])
