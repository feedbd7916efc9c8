"""NPLM with fixed features: kernels, Fourier features, bins, splines. Convex; no toy is needed to know its null.

Examples
--------
>>> from coffea_ddp.stats.samples.points import pool
>>> rng = np.random.default_rng(1)
>>> points = pool(rng.exponential(size=300), rng.exponential(size=500))
>>> fitter = LinearFitter(points, families_of(BinSolver(bins=5), points, 0))
>>> found = fitter.observed()[0]
>>> fitter.t(points.labels[None]).round(3) == np.round(found.t, 3), found.parameters
(array([[ True]]), 5)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats.log_ratio.convex import (
    Problem,
    fit,
    null_spread,
    null_weights,
    problem,
    score_form,
    score_statistic,
)
from coffea_ddp.stats.log_ratio.features import (
    Family,
    bin_family,
    evaluated,
    fourier_family,
    kernel_family,
    spline_family,
)
from coffea_ddp.stats.log_ratio.result import Observed, runs_away
from coffea_ddp.stats.log_ratio.solvers import BinSolver, FourierSolver, LinearSolver, SplineSolver

if TYPE_CHECKING:
    from collections.abc import Callable

    from coffea_ddp._typing import AnyArray, FloatArray
    from coffea_ddp.stats.samples.points import Points

_FEW = 512
"""Largest number of points that are fitted in double precision in permutations too: their statistics have ties."""
_VALUES = 2_000_000
"""Numbers of one step of many labellings that are worked on together,"""
_IN_CACHE = 128_000
"""and of few events, where leaving the cache costs more than larger products bring."""
TIGHT = 1e-8


def families_of(solver: LinearSolver, points: Points, seed: int) -> tuple[Family, ...]:
    """Return the features of a solver, one family for every test that is taken (a width of kernels, say).

    Parameters
    ----------
    solver
        The settings.
    points
        The pooled events.
    seed
        Of centres and frequencies; bins and splines draw nothing.
    """
    if isinstance(solver, BinSolver):
        return (bin_family(points, bins=solver.bins, equal=solver.equal, ridge=solver.ridge),)
    if isinstance(solver, SplineSolver):
        return (spline_family(points, knots=solver.knots, ridge=solver.ridge),)
    # Widths are given in units of the root of the number of features.
    widths = [width * np.sqrt(points.x.shape[1]) for width in solver.widths]
    if isinstance(solver, FourierSolver):
        return tuple(
            fourier_family(points, features=solver.features, seed=seed, ridge=solver.ridge, width=width)
            for width in widths
        )
    return tuple(
        kernel_family(points, centres=solver.centres, seed=seed, ridge=solver.ridge, width=width) for width in widths
    )


class LinearFitter:
    """Fits of several families to one set of pooled points, observed and permuted.

    Parameters
    ----------
    points
        The pooled events.
    families
        The features.
    score
        Whether t is taken to second order.
    expected
        Events expected in A where B is a reference (the original test); ``None``: the symmetrized test.

    Raises
    ------
    InputError
        If a family without a penalty has more parameters than there are events, or a reference meets the score version.
    """

    def __init__(
        self, points: Points, families: tuple[Family, ...], *, score: bool = False, expected: float | None = None
    ) -> None:
        self.points, self._families = points, families
        self._score, self._expected = score, expected
        self._share = points.n_a / points.n
        self._n_a = points.n_a
        self._problems, self._forms, self._observed = [], [], []
        for family in families:
            check_parameters(family, points)
            exact = problem(evaluated(family, points.x), points.multiplicity, family.penalty)
            form = score_form(exact, self._share)
            self._observed.append(
                self._fitted(points, family, exact, form) if expected is None else self._referred(points, family, exact)
            )
            self._problems.append(in_single_precision(exact))
            self._forms.append(form)

    @property
    def block(self) -> int:
        """Number of labellings that are best given at a time."""
        return block_of(len(self.points.x))

    def observed(self) -> tuple[Observed, ...]:
        """Return the fits of the observed labels, one for each family."""
        return tuple(self._observed)

    def t(self, labels: AnyArray) -> FloatArray:
        """Return t of other labels; (n, n_points) -> (n_families, n)."""
        return np.stack([self._t(number, labels) for number in range(len(self._problems))])

    def _t(self, number: int, labels: AnyArray) -> FloatArray:
        one = self._problems[number]
        if self._score:
            sums = (labels.astype(one.phi.dtype) @ one.phi).astype(np.float64)
            return score_statistic(one, sums, self._share, self._forms[number])
        others = one.multiplicity.astype(labels.dtype) - labels
        if self._expected is not None:
            return fit(one, labels, expected=self._expected / self.points.n_b * others).t
        return fit(one, labels).t + fit(one, others).t

    def against_reference(self, expected: float) -> LinearFitter:
        """Return the fitter of the original test: B a reference, ``expected`` events expected in A."""
        return LinearFitter(self.points, self._families, score=self._score, expected=expected)

    def _referred(self, points: Points, family: Family, one: Problem) -> Observed:
        if self._score:
            raise InputError("the original test has no score version; give a solver with score=False")
        assert self._expected is not None
        labels = points.labels[None]
        reference = self._expected / points.n_b * (points.multiplicity - labels)
        found = fit(one, labels, expected=reference, tolerance=TIGHT)
        return Observed(
            family=f"{family.name}, against a reference",
            parameters=family.n_parameters,
            t_a=float(max(found.t[0], 0.0)),
            t_b=0.0,
            log_a=log_ratio_of(points, family, found.weights[0]),
            log_b=lambda x: np.zeros(len(x)),
            null_weights=None,
            steps=found.steps,
            gradient=float(found.decrement[0]),
            diverges=runs_away(one.phi @ found.weights[0], self._expected, points.n_b),
        )

    def _fitted(self, points: Points, family: Family, one: Problem, form: FloatArray) -> Observed:
        sides = points.labels[None], (points.multiplicity - points.labels)[None]
        both = [fit(one, side, tolerance=TIGHT) for side in sides]
        t_a, t_b = (float(np.maximum(found.t[0], 0.0)) for found in both)
        if self._score:
            sums = points.labels[None].astype(np.float64) @ one.phi
            t = float(score_statistic(one, sums, self._share, form)[0])
            # To second order both samples say the same, and share t in inverse proportion to their size.
            t_a, t_b = (1.0 - self._share) * t, self._share * t
        weights = null_weights(one, self._n_a, form)
        return Observed(
            family=family.name + (", score" if self._score else ""),
            parameters=family.n_parameters,
            t_a=t_a,
            t_b=t_b,
            log_a=log_ratio_of(points, family, both[0].weights[0]),
            log_b=log_ratio_of(points, family, both[1].weights[0]),
            null_weights=weights,
            null_spread=null_spread(one, self._n_a, form, weights),
            steps=max(found.steps for found in both),
            gradient=max(float(found.decrement[0]) for found in both),
            expected=least_expected(one, min(self._share, 1.0 - self._share) * one.multiplicity),
        )


def block_of(n: int) -> int:
    """Return the number of labellings of n points that are best fitted at a time."""
    return int(np.clip((_IN_CACHE if n <= _IN_CACHE // 16 else _VALUES) // n, 1, 64))


def least_expected(one: Problem, rates: FloatArray) -> float:
    """Return the events expected in the emptiest bin; where there are no bins, for each parameter.

    Parameters
    ----------
    one
        The features. Without a penalty p is analytic only where there are enough events; with one this is infinite.
    rates
        Events expected at every point on the side with fewer, shape (n_points,).
    """
    if (one.penalty > 0).any():
        return np.inf
    inside = rates @ one.phi
    if ((one.phi == 0) | (one.phi == 1)).all() and (one.phi[:, 1:].sum(axis=1) <= 1).all():
        # The constant counts all events: what the other bins do not have is in the last.
        return float(min(inside[1:].min(), inside[0] - inside[1:].sum()))
    return float(inside[0] / one.phi.shape[1])


def check_parameters(family: Family, points: Points) -> None:
    """Raise :class:`~coffea_ddp.errors.InputError` where there are fewer events than parameters without a penalty."""
    if family.n_parameters > points.n and not (family.penalty[1:] > 0).all():
        raise InputError(
            f"{family.n_parameters} parameters for {points.n_a} + {points.n_b} events ({family.name}, no ridge): "
            "give fewer, or a ridge"
        )


def in_single_precision(one: Problem) -> Problem:
    """Return a problem for permutations, in single precision where there are many points."""
    if len(one.phi) <= _FEW:
        return one
    return Problem(one.phi.astype(np.float32), one.multiplicity, one.penalty, one.total, one.moments)


def log_ratio_of(points: Points, family: Family, weights: FloatArray) -> Callable[[AnyArray], FloatArray]:
    """Return a log-ratio of fitted weights, a function of events in their own units."""

    def log_ratio(x: AnyArray) -> FloatArray:
        return np.asarray(evaluated(family, points.standardised(x)) @ weights)

    return log_ratio
