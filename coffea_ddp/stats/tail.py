"""p-values from pseudo-experiments, and the fitted tail beyond what their number can resolve.

The p-value of N pseudo-experiments is ``(n_ge + 1) / (N + 1)``: never 0, and uniform under the null; where a discrete
statistic has ties it is larger than that (conservative), and ``p_mid`` is its mid-p value. It cannot be smaller than
1 / (N + 1). Beyond, the upper tenth of the sample is described by a generalised Pareto distribution (J.
Pickands, Ann. Statist. 3 (1975) 119), fitted by L-moments (J. R. M. Hosking and J. R. Wallis, Technometrics 29 (1987)
339) in z^2, in which normal tails are close to exponential. That is an extrapolation: it has its own names
(``p_tail``, ``p_low``, ``p_high``) and an uncertainty from the bootstrap.

Examples
--------
>>> sample = np.sqrt(np.random.default_rng(1).chisquare(1, 2_000))
>>> found = permutation_p(3.0, sample)
>>> found.n_ge, found.n, round(found.p_value, 4)
(4, 2000, 0.0025)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.trials import P_FLOOR, bound

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray

TAIL_SHARE = 0.1
"""The share of the sample that the tail is fitted to."""

FEWEST = 20
"""A tail is fitted to no fewer values; a smaller sample has none."""

PRIOR = 10
"""The scale of a tail of few values is taken together with that of this number of values of a normal distribution."""

_BOOTSTRAPS = 200
_RESOLVED = 10
"""Number of pseudo-experiments beyond the observed value that give its p-value to 30 %: no tail is needed."""
_ROUNDING = 1e-5
"""Statistics in single precision are equal when they differ by less: ties count as reached."""


@dataclass(frozen=True)
class PermutationP:
    """A p-value from pseudo-experiments.

    Attributes
    ----------
    p_value
        ``(n_ge + 1) / (n + 1)``.
    n_ge, n
        How many pseudo-experiments reach the observed value, and how many there are.
    n_gt
        How many are beyond it; fewer than ``n_ge`` where there are ties, as at low counts.
    p_tail
        From the fitted tail where fewer than 10 reach it; ``None`` elsewhere, and where the sample is too small.
    p_low, p_high
        The central 68 % interval of ``p_tail`` (bootstrap).
    method
        How it was made.

    Examples
    --------
    >>> PermutationP(1 / 101, 0, 100).n_ge
    0
    """

    p_value: float
    n_ge: int
    n: int
    n_gt: int = 0
    p_tail: float | None = None
    p_low: float | None = None
    p_high: float | None = None

    @property
    def p_mid(self) -> float:
        """The mid-p value: ties count half. Without any it is ``p_value`` less half a step."""
        return 0.5 * (self.n_gt + self.n_ge + 1) / (self.n + 1)

    @property
    def method(self) -> str:
        """Method of the p-value."""
        text = f"({self.n_ge} + 1) / ({self.n} + 1) pseudo-experiments"
        return text if self.p_tail is None else f"{text}; tail: generalised Pareto in z^2, an extrapolation"


def p_text(p: float, method: str, counted: PermutationP | None) -> str:
    """Return a p-value and how it was made, as one line: a bound where no pseudo-experiment reaches it.

    Parameters
    ----------
    p
        The p-value.
    method
        How it was made; where it was counted, it begins with the number of pseudo-experiments.
    counted
        The count behind it; ``None``: there is none.

    Examples
    --------
    >>> p_text(1 / 101, "100 permutations", PermutationP(1 / 101, 0, 100))
    'p < 0.01 (0 of 100 permutations)'
    >>> p_text(0.02, "analytic", None)
    'p=0.02 (analytic)'
    """
    if counted is None or counted.n_ge:
        return f"p={p:.3g} ({method})"
    return f"p {bound(counted.n)} (0 of {method})"


@dataclass(frozen=True, eq=False)
class Tail:
    """Generalised Pareto tails in z^2 of one or more samples.

    Attributes
    ----------
    threshold
        Where the tail begins, in signed z^2; shape (...).
    shape, scale
        Parameters, the shape never below 0: no end of the distribution is claimed. Shape (...).
    share
        The share of the sample in the tail.
    """

    threshold: Any
    shape: Any
    scale: Any
    share: float

    def p(self, z: ArrayLike) -> Any:
        """Return the probability to reach z, for z above the threshold; shape (...)."""
        excess = np.maximum(_square(z) - self.threshold, 0.0) / self.scale
        shape = np.asarray(self.shape)
        small = shape < 1e-9
        heavy = np.log1p(np.where(small, 1.0, shape) * excess) / np.where(small, 1.0, shape)
        return np.maximum(self.share * np.exp(-np.where(small, excess, heavy)), P_FLOOR)


def fit_tail(sample: ArrayLike) -> Tail | None:
    """Fit the upper tail of samples of z.

    Parameters
    ----------
    sample
        Shape (..., n): the last axis is the sample.

    Returns
    -------
    Tail or None
        ``None`` where the sample is too small (the tail would have fewer than :data:`FEWEST` values) or has no spread
        in its tail.
    """
    squares = np.sort(_square(sample), axis=-1)
    n = squares.shape[-1]
    k = round(TAIL_SHARE * n)
    if k < FEWEST:
        return None
    threshold = squares[..., n - k - 1]
    excess = squares[..., n - k :] - threshold[..., None]
    first = excess.mean(axis=-1)
    second = 2.0 * (excess * np.arange(k) / (k - 1)).mean(axis=-1) - first
    if not (second > 0).all():
        return None
    shape = np.maximum(2.0 - first / second, 0.0)
    # With the shape held at 0 the best scale is the mean.
    scale = np.where(shape > 0, first * (first / second - 1.0), first)
    return Tail(threshold, shape, scale, k / n)


def permutation_p(z: float, sample: ArrayLike, *, seed: int = 0) -> PermutationP:
    """Return the p-value of an observed z against a sample of the null.

    Parameters
    ----------
    z
        The observed value; the larger, the less likely.
    sample
        The values of the pseudo-experiments, shape (n,).
    seed
        Of the bootstrap.

    Raises
    ------
    InputError
        If the sample is empty or anything is not finite.

    Examples
    --------
    >>> permutation_p(2.0, np.linspace(-3.0, 3.0, 99)).n
    99
    """
    return NullSample(sample, seed=seed).p(z)


class NullSample:
    """The values of the pseudo-experiments, for the p-values of many observed ones.

    Parameters
    ----------
    sample
        Shape (n,).
    seed
        Of the bootstrap.

    Raises
    ------
    InputError
        If the sample is empty or not finite.
    """

    def __init__(self, sample: ArrayLike, *, seed: int = 0) -> None:
        values = checks.finite(sample, "a sample of the null")
        if values.ndim != 1 or not len(values):
            raise InputError("a sample of the null: give at least one pseudo-experiment, all finite numbers")
        self._sorted = np.sort(values)
        self._seed = checks.seed(seed)

    def __len__(self) -> int:
        """Return the number of pseudo-experiments."""
        return len(self._sorted)

    @cached_property
    def _tails(self) -> tuple[Tail | None, Tail | None]:
        drawn = np.random.default_rng(self._seed).choice(self._sorted, (_BOOTSTRAPS, len(self)))
        return fit_tail(self._sorted), fit_tail(drawn)

    def p(self, z: float, *, tail: bool = True) -> PermutationP:
        """Return the p-value of an observed value.

        Parameters
        ----------
        z
            The larger, the less likely.
        tail
            Whether to evaluate the fitted tail where fewer than 10 pseudo-experiments reach ``z``.

        Raises
        ------
        InputError
            If ``z`` is not finite.
        """
        z = checks.number(z, "z")
        n = len(self)
        near = _ROUNDING * max(1.0, abs(z))
        n_ge, n_gt = (n - int(np.searchsorted(self._sorted, edge)) for edge in (z - near, z + near))
        counted = PermutationP((n_ge + 1) / (n + 1), n_ge, n, n_gt)
        if not tail or n_ge >= _RESOLVED:
            return counted
        fitted, spread = self._tails
        if fitted is None:
            return counted
        if spread is None:
            return replace(counted, p_tail=float(fitted.p(z)))
        low, high = np.quantile(spread.p(z), [0.16, 0.84])
        return replace(counted, p_tail=float(fitted.p(z)), p_low=float(low), p_high=float(high))


def p_among_others(values: ArrayLike) -> FloatArray:
    """Return the p-value of every value of a sample among all the others.

    What min-p comparisons need: an observed value and its pseudo-experiments, put together, are all mapped alike, each
    by those that remain without it. Under the null they are exchangeable before and after. Where it is not among the
    largest tenth, a value's p is its rank, ties counting as reached; beyond, p falls as an exponential in z^2, without
    ties at 1 / N. Its scale is the mean excess of the other values of that tenth and of :data:`PRIOR` more of a normal
    distribution: of few values alone it would be known badly, and chance decide which family is on top.

    Parameters
    ----------
    values
        Shape (..., n): the last axis is the sample. The larger, the less likely.

    Returns
    -------
    ndarray
        Of the same shape, between 0 and 1.

    Examples
    --------
    >>> p_among_others(np.arange(1.0, 20.0))[[0, 9, 15, 16]].round(3).tolist()
    [1.0, 0.526, 0.211, 0.158]
    """
    sample = np.asarray(values, dtype=np.float64)
    n = sample.shape[-1]
    ordered = np.sort(sample, axis=-1)
    reached = n + 1 - rankdata(sample, method="min", axis=-1)
    k = _in_tail(n)
    threshold, together = _excess(ordered, k)
    excess = np.maximum(_square(sample) - threshold, 0.0)
    beyond = excess / _scale(together - excess, k - 1)
    return _joined(reached / n, beyond, k / n)


def p_among(z: ArrayLike, sample: ArrayLike) -> FloatArray:
    """Return for other values what :func:`p_among_others` gives one that takes part: each with the sample alone.

    Parameters
    ----------
    z
        Any shape.
    sample
        Shape (n,).

    Returns
    -------
    ndarray
        As ``z``; it falls with z, and strictly beyond the sample.

    Examples
    --------
    >>> sample = np.linspace(0, 3, 1_000)
    >>> bool(p_among(6.0, sample) < p_among(5.0, sample) < 1e-3 < p_among(2.0, sample))
    True
    """
    values = np.asarray(z, dtype=np.float64)
    ordered = np.sort(np.asarray(sample, dtype=np.float64))
    n = len(ordered) + 1
    k = _in_tail(n)
    reached = n - np.searchsorted(ordered, values)
    (threshold,), (together,) = _excess(ordered, k - 1)
    excess = np.maximum(_square(values) - threshold, 0.0)
    return _joined(reached / n, excess / _scale(together, k - 1), k / n)


def snapped(z: ArrayLike, sample: ArrayLike) -> FloatArray:
    """Return values as those of the sample that they are equal to, but for rounding in single precision.

    Parameters
    ----------
    z
        Any shape.
    sample
        Shape (n,).

    Examples
    --------
    >>> snapped([1.0000001, 1.5], [1.0, 2.0]).tolist()
    [1.0, 1.5]
    """
    values = np.asarray(z, dtype=np.float64)
    ordered = np.sort(np.asarray(sample, dtype=np.float64))
    near = _ROUNDING * np.maximum(1.0, np.abs(values))
    place = np.minimum(np.searchsorted(ordered, values - near), len(ordered) - 1)
    return np.where(np.abs(ordered[place] - values) <= near, ordered[place], values)


def _in_tail(n: int) -> int:
    """Return how many of n values are in the tail."""
    return max(1, round(TAIL_SHARE * n))


def _excess(ordered: FloatArray, k: int) -> tuple[FloatArray, FloatArray]:
    """Return where the tail of the k largest begins, in z^2, and their excess over that together; shape (..., 1)."""
    squares = _square(ordered[..., max(ordered.shape[-1] - k - 1, 0) :])
    return squares[..., :1], (squares - squares[..., :1]).sum(axis=-1, keepdims=True)


def _scale(excess: FloatArray, k: int) -> FloatArray:
    """Return the mean excess in z^2 of k values and of PRIOR values of a normal distribution (scale 2)."""
    return (np.maximum(excess, 0.0) + 2.0 * PRIOR) / (k + PRIOR)


def _joined(body: FloatArray, beyond: FloatArray, start: float) -> FloatArray:
    return np.where(beyond > 0, np.maximum(start * np.exp(-beyond), P_FLOOR), body)


def _square(z: ArrayLike) -> FloatArray:
    values = np.asarray(z, dtype=np.float64)
    return np.asarray(np.abs(values) * values)
