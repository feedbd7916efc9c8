"""NPLM where every event has an individual expected share: a logistic regression with an offset.

The log-odds of side A of event i are those that are expected, ``-logit e_i``, and a log-ratio on top of them:
``p_i = sigma(-logit e_i + h(x_i))``. With ``l(h) = sum_A ln p_i + sum_B ln (1 - p_i)`` and half of the solver's penalty

``t = 2 [max_h (l(h) - 1/2 sum_j (penalty_j / 2) w_j^2) - max_c l(c)] >= 0``.

The constants c are the null: that side A has more events everywhere by one factor of the odds is no difference of
shapes. Labels are drawn given x, so this is a conditional likelihood, and needs no density of anything.

Symmetrized NPLM with equal shares r of A fits f and g of the two samples by themselves. Where
``r exp f + (1 - r) exp g = 1``, as it has to be for densities that add up to that of all events, its t is this one with
``h = f - g``; and halves of h have half of the penalty. To second order both are the same,
``t = G^T (H_A^-1 + H_B^-1) G``: here, in the score version, with ``G = sum phi rho`` of the residuals and
``H_A = H_B = 2 sum e (1 - e) phi phi^T + penalty``, features centred.

Examples
--------
>>> from coffea_ddp.stats.log_ratio.linear import families_of
>>> from coffea_ddp.stats.log_ratio.solvers import BinSolver
>>> from coffea_ddp.stats.samples.points import pool
>>> rng = np.random.default_rng(1)
>>> points, shares = pool(rng.exponential(size=300), rng.exponential(size=500)), rng.uniform(0.4, 0.8, 800)
>>> fitter = OffsetFitter(points, families_of(BinSolver(bins=5), points, 0), shares)
>>> found = fitter.observed()[0]
>>> fitter.t(points.labels[None]).round(3) == np.round(found.t, 3), found.parameters
(array([[ True]]), 5)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.log_ratio.convex import Fits, Problem, chi2_weights, descended, hessian, problem
from coffea_ddp.stats.log_ratio.features import Family, evaluated
from coffea_ddp.stats.log_ratio.linear import (
    TIGHT,
    block_of,
    check_parameters,
    in_single_precision,
    least_expected,
    log_ratio_of,
)
from coffea_ddp.stats.log_ratio.result import Observed

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, FloatArray, IntArray
    from coffea_ddp.stats.samples.points import Points

_FACTORS = 64
"""Factors up to 2 that are multiplied: 2^64 is far from what double precision holds."""


class _Logistic:
    """``sum_i ln(1 + exp(o_i + f_i))``: minus the log-likelihood, but for what is linear in f; o: shape (n_points,)."""

    largest = np.inf

    def __init__(self, offset: AnyArray) -> None:
        self._offset = offset
        self._slope, self._value = _logistic(offset, np.zeros((1, len(offset)), offset.dtype))

    def start(self, n: int) -> AnyArray:
        return np.broadcast_to(self._slope, (n, self._slope.shape[1]))

    def at(self, _rows: IntArray, f: AnyArray) -> tuple[AnyArray, FloatArray]:
        slope, value = _logistic(self._offset, f)
        return slope, value - self._value

    def bend(self, slope: AnyArray) -> AnyArray:
        return np.asarray(slope * (1 - slope))


@compiled
def _logistic(offset: AnyArray, f: AnyArray) -> tuple[AnyArray, FloatArray]:
    """Return ``1 / (1 + exp(-x))`` of ``x = offset + f``, shape (n, n_points), and the sums of ``ln(1 + exp(x))``."""
    slope, value = np.empty_like(f), np.zeros(len(f))
    for i in range(len(f)):
        linear, product = 0.0, 1.0
        for j in range(len(offset)):
            x = offset[j] + f[i, j]
            small = np.exp(-abs(x))
            slope[i, j] = (1.0 if x > 0 else small) / (1.0 + small)
            linear += max(x, 0.0)
            # One logarithm of many factors between 1 and 2.
            product *= 1.0 + small
            if j % _FACTORS == 0:
                linear += np.log(product)
                product = 1.0
        value[i] = linear + np.log(product)
    return slope, value


class _Form(NamedTuple):
    """The score version of one family: features centred with the variances of the residuals, and the quadratic form."""

    phi: AnyArray
    expected: FloatArray
    form: FloatArray
    weights: FloatArray
    spread: float

    def t(self, labels: AnyArray) -> FloatArray:
        gradient = (labels.astype(self.phi.dtype) @ self.phi).astype(np.float64) - self.expected
        return np.asarray(((gradient @ self.form) * gradient).sum(axis=1))


class OffsetFitter:
    """Fits of several families to pooled events with expected shares, of any labels.

    Parameters
    ----------
    points
        The pooled events, one at each point.
    families
        The features.
    shares
        P(B) of every event, shape (n_events,).
    score
        Whether t is taken to second order.

    Raises
    ------
    InputError
        If a family without a penalty has more parameters than there are events.
    """

    def __init__(
        self, points: Points, families: tuple[Family, ...], shares: FloatArray, *, score: bool = False
    ) -> None:
        self.points, self._score, self._shares = points, score, shares
        self._variance = shares * (1.0 - shares)
        self._log_odds = np.log1p(-shares) - np.log(shares)
        self._constant = in_single_precision(problem(np.ones((points.n, 1)), self._variance, np.zeros(1)))
        self._problems, self._forms, found = [], [], []
        for family in families:
            check_parameters(family, points)
            exact = problem(evaluated(family, points.x), self._variance, 0.5 * family.penalty)
            found.append(self._fit(exact, points.labels[None], TIGHT))
            form = self._form(exact)
            self._problems.append(in_single_precision(exact))
            self._forms.append(form._replace(phi=form.phi.astype(self._problems[-1].phi.dtype)))
        # By the same steps as in pseudo-experiments: where one side is alone there is no maximum to be reached.
        t = self.t(points.labels[None])[:, 0]
        self._observed = [
            self._described(number, *one) for number, one in enumerate(zip(families, found, t, strict=True))
        ]

    @property
    def block(self) -> int:
        """Number of labellings that are best given at a time."""
        return block_of(self.points.n)

    def observed(self) -> tuple[Observed, ...]:
        """Return the fits of the observed labels, one for each family."""
        return tuple(self._observed)

    def t(self, labels: AnyArray) -> FloatArray:
        """Return t of other labels; (n, n_points) -> (n_families, n)."""
        if self._score:
            return np.stack([form.t(labels) for form in self._forms])
        flat = self._fit(self._constant, labels).t
        return np.stack([np.maximum(self._fit(one, labels).t - flat, 0.0) for one in self._problems])

    def against_reference(self, expected: float) -> NoReturn:
        """Raise :class:`~coffea_ddp.errors.InputError`: the original test has no shares."""
        raise InputError(f"expected={expected:g}: a reference is no sample with expected shares; leave shares out")

    def _fit(self, one: Problem, labels: AnyArray, tolerance: float = 1e-3) -> Fits:
        kind = one.phi.dtype
        loss = _Logistic(self._log_odds.astype(kind))
        return descended(one, labels.astype(kind), loss, hessian(one, 1.0), tolerance=tolerance, most=200)

    def _form(self, one: Problem) -> _Form:
        n = float(self._variance.sum())
        mean = one.total[1:] / n
        phi = one.phi[:, 1:] - mean
        covariance = np.asarray(one.moments[1:, 1:] - n * np.outer(mean, mean))
        centred = Problem(phi, self._variance, one.penalty[1:], np.zeros(len(mean)), covariance)
        form = np.asarray(np.linalg.inv(hessian(centred, 1.0)))
        weights = chi2_weights(covariance, form)
        # A label is no normal variable: its fourth cumulant is v (1 - 6 v).
        diagonal = ((phi @ form) * phi).sum(axis=1) ** 2
        normal = 2.0 * float((weights**2).sum())
        excess = float((self._variance * (1.0 - 6.0 * self._variance)) @ diagonal)
        spread = float(np.sqrt(max(1.0 + excess / normal, 0.1))) if normal > 0 else 1.0
        return _Form(phi, (1.0 - self._shares) @ phi, form, weights, spread)

    def _described(self, number: int, family: Family, found: Fits, t: float) -> Observed:
        one, form = self._problems[number], self._forms[number]
        log_ratio = log_ratio_of(self.points, family, found.weights[0])
        return Observed(
            family=f"{family.name}, expected shares" + (", score" if self._score else ""),
            parameters=family.n_parameters,
            t_a=0.5 * float(t),
            t_b=0.5 * float(t),
            log_a=lambda x: 0.5 * log_ratio(x),
            log_b=lambda x: -0.5 * log_ratio(x),
            null_weights=form.weights,
            null_spread=form.spread,
            steps=found.steps,
            gradient=float(found.decrement[0]),
            expected=min(least_expected(one, side) for side in (self._shares, 1.0 - self._shares)),
        )
