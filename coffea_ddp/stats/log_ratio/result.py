"""Outcome of NPLM: t, its p-value with the method, and the fitted log-ratio of the samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats as scipy_stats
from scipy.special import chdtrc, expit, logit

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.conversion import shown
from coffea_ddp.stats.log_ratio.chi2_mixture import tail
from coffea_ddp.stats.samples.points import as_events
from coffea_ddp.stats.tail import p_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from coffea_ddp._typing import AnyArray, FloatArray
    from coffea_ddp.stats.tail import PermutationP

FEWEST_EXPECTED = 20.0
"""Events expected in every bin on each side for an analytic p-value: with 20, P(p <= 0.05) is 0.052 to 0.056."""

_UNLIKELY = 1e-3
"""A null sample and a chi2 are reported to disagree below this p-value."""


@dataclass(frozen=True, eq=False)
class Observed:
    """The fit of one family of log-ratios to the observed labels.

    Attributes
    ----------
    family
        What the log-ratios are.
    parameters
        Of one function, the constant among them.
    t_a, t_b
        The two halves of t; equal with expected shares, where one fit says both.
    log_a, log_b
        f and g: logarithms of the density of A, and of B, over that of all events; from events of shape (n, d), in
        their own units, to (n,). With expected shares half of h and -h: their difference is what the log-odds of A are
        beyond the expected ones.
    null_weights
        Weights of the chi2 that t is a sum of under permutations; ``None`` where the family is not linear.
    null_spread
        Standard deviation of t under permutations, in units of that of the weighted sum.
    steps
        Steps of the fit.
    gradient
        What is left of it at the minimum: for fixed features as what t could still gain, for networks its largest
        component.
    restarts
        Fits from different starting points.
    diverges
        Whether there seems to be no minimum; only against a reference.
    expected
        Of a family without a penalty the events expected in the emptiest bin of the smaller sample, or for each
        parameter; infinite with a penalty.
    """

    family: str
    parameters: int
    t_a: float
    t_b: float
    log_a: Callable[[AnyArray], FloatArray]
    log_b: Callable[[AnyArray], FloatArray]
    null_weights: FloatArray | None
    steps: int
    gradient: float
    restarts: int = 1
    diverges: bool = False
    null_spread: float = 1.0
    expected: float = math.inf

    @property
    def is_sparse(self) -> bool:
        """True if there are too few events for an analytic p-value."""
        return self.expected < FEWEST_EXPECTED

    @property
    def t(self) -> float:
        """``t_a + t_b``."""
        return self.t_a + self.t_b

    @cached_property
    def p_analytic(self) -> float | None:
        """The p-value of ``t`` from the weighted sum of chi2; ``None`` where there is none."""
        return None if self.null_weights is None else self.analytic_tail(self.t)

    def analytic_tail(self, t: float) -> float:
        """Return the probability of a statistic as large from the weighted sum of chi2, brought to the right spread.

        Raises
        ------
        InputError
            If the family is not linear.
        """
        if self.null_weights is None:
            raise InputError(f"{self.family}: no family with fixed features, so there is no analytic null")
        mean = float(self.null_weights.sum())
        return tail(self.null_weights, mean + (t - mean) / self.null_spread)

    @property
    def dof(self) -> int:
        """Degrees of freedom of the chi2 that a convex family without a penalty has."""
        return self.parameters - 1

    @property
    def p_chi2(self) -> float:
        """The p-value of a chi2 with ``dof``: exact for large samples and convex families without a penalty only."""
        return float(chdtrc(self.dof, max(self.t, 0.0))) if self.dof else 1.0


def runs_away(f: ArrayLike, expected: float, n_b: int) -> bool:
    """Return whether an event of the reference represents more than 20 of the sample somewhere."""
    return bool(np.max(f) > np.log(20.0 * n_b / expected))


@dataclass(frozen=True, eq=False)
class NPLMResult:
    """Two samples of events compared.

    Attributes
    ----------
    t, t_a, t_b
        The statistic, 0 or more, and its halves ``t_{A+B}(A)`` and ``t_{A+B}(B)``; where several families were tried,
        of the one with the smallest p-value.
    p_value, method
        The p-value after all families that were tried, and how it was made.
    permutation
        The count behind it and, beyond the resolution of the permutations, a fitted tail; ``None`` where there were
        none.
    null
        t of the permutations, shape (n_families, n); of no permutation where there were none.
    families
        The fits of all families tried.
    best
        The number of that of ``t``.
    n_a, n_b
        Events.
    shares
        Expected P(B) of all events, A first, shape (n_a + n_b,); ``None`` without.
    flags
        ``CHI2_DISAGREES``: the permutations' t do not follow the chi2 with as many degrees of freedom. ``DIVERGES``: t
        seems to have no minimum. ``TOO_FEW_EVENTS``: the p-value is analytic, and fewer than 20 events are expected in
        some bin on one side; give toys.

    Examples
    --------
    >>> import numpy as np
    >>> from coffea_ddp.stats import nplm
    >>> rng = np.random.default_rng(1)
    >>> 0.0 < nplm(rng.normal(size=(60, 1)), rng.normal(size=(60, 1)), toys=20, seed=1).p_value <= 1.0
    True
    """

    p_value: float
    method: str
    permutation: PermutationP | None
    null: FloatArray
    families: tuple[Observed, ...]
    best: int
    n_a: int
    n_b: int
    shares: FloatArray | None = None

    @property
    def t(self) -> float:
        """The statistic."""
        return self.families[self.best].t

    @property
    def t_a(self) -> float:
        """``t_{A+B}(A)``."""
        return self.families[self.best].t_a

    @property
    def t_b(self) -> float:
        """``t_{A+B}(B)``."""
        return self.families[self.best].t_b

    @property
    def p_chi2(self) -> float:
        """The p-value of ``t`` from a chi2 with P - 1 degrees of freedom, to be compared; never the one that counts."""
        return self.families[self.best].p_chi2

    @property
    def p_analytic(self) -> float | None:
        """The p-value of ``t`` from the weighted sum of chi2 that a convex family's null is; ``None`` for networks."""
        return self.families[self.best].p_analytic

    @property
    def flags(self) -> tuple[str, ...]:
        """Reasons to doubt the result, as words."""
        one = self.families[self.best]
        words: tuple[str, ...] = ("DIVERGES",) if one.diverges else ()
        sample = self.null[self.best]
        if one.is_sparse and self.permutation is None and one.null_weights is not None:
            words += ("TOO_FEW_EVENTS",)
        if len(sample) and one.dof and scipy_stats.kstest(sample, "chi2", (one.dof,)).pvalue < _UNLIKELY:
            words += ("CHI2_DISAGREES",)
        return words

    def log_ratio(self, x: ArrayLike) -> FloatArray:
        """Return the learned logarithm of the density of A over that of B, ``f - g``; events (n, d) -> (n,).

        With expected shares that beyond them: ``h``, in which 0 everywhere is what is expected.
        """
        events, one = as_events(x, "the events"), self.families[self.best]
        return np.asarray(one.log_a(events) - one.log_b(events))

    def histogram(self, values: ArrayLike, x: ArrayLike, bins: ArrayLike | int = 20) -> Distorted:
        """Return what A and B are learned to be in any observable.

        Parameters
        ----------
        values
            The observable of all events of both samples, shape (n,).
        x
            Their features, shape (n, d), in the same order.
        bins
            Number of bins of equal width, or their edges, or a rule of :func:`numpy.histogram_bin_edges` by its name.

        Raises
        ------
        InputError
            If there are not as many values as events, or with expected shares other events than were compared.
        """
        events, one = as_events(x, "the events"), self.families[self.best]
        column = checks.finite(values, "values")
        if column.shape != (len(events),):
            raise InputError(f"values of shape {column.shape} for {len(events)} events: give one for each")
        edges = _edges(column, bins)
        parts: tuple[FloatArray, ...]
        if self.shares is None:
            share = self.n_a / (self.n_a + self.n_b)
            parts = (
                share * np.exp(one.log_a(events)),
                (1.0 - share) * np.exp(one.log_b(events)),
                np.full(len(events), share),
            )
        else:
            if len(events) != len(self.shares):
                raise InputError(
                    f"{len(events)} events where {len(self.shares)} were compared: with expected shares give all of "
                    "them, A first"
                )
            is_a = expit(self.log_ratio(x) - logit(self.shares))
            parts = (is_a, 1.0 - is_a, 1.0 - self.shares)
        return Distorted(edges, *(np.histogram(column, edges, weights=part)[0] for part in parts))

    def __repr__(self) -> str:
        """Return t and its p-value."""
        flags = f", {' '.join(self.flags)}" if self.flags else ""
        return (
            f"NPLMResult(t={self.t:.2f} ({self.t_a:.2f} + {self.t_b:.2f}), "
            f"{p_text(self.p_value, self.method, self.permutation)}, "
            f"{self.n_a} against {self.n_b} events, {self.families[self.best].family}{flags})"
        )


def _edges(column: FloatArray, bins: ArrayLike | int | str) -> FloatArray:
    if not len(column):
        raise InputError("values: there are no events; give those of both samples")
    if isinstance(bins, str):
        try:
            return np.histogram_bin_edges(column, bins)
        except ValueError as error:
            raise InputError(f"bins={shown(bins)}: give a number of bins, or their edges ({error})") from error
    if np.ndim(checks.finite(bins, "bins")) == 0:
        return np.histogram_bin_edges(column, checks.whole(bins, "bins", least=1, most=10**7))
    return checks.edges(bins, "bins")


@dataclass(frozen=True, eq=False)
class Distorted:
    """An observable as the fits have learned it.

    Attributes
    ----------
    edges
        Of the bins, shape (n_bins + 1,).
    a, b
        Learned expectation of A and of B, shape (n_bins,).
    null
        Expectation of A if both samples are of one density: all events times ``N_A / N``, or by their expected shares;
        shape (n_bins,). That of B are all other events.
    """

    edges: FloatArray
    a: FloatArray
    b: FloatArray
    null: FloatArray
