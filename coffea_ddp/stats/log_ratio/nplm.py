"""Symmetrized NPLM (arXiv:2401.09530): whether two samples of events come from one density.

``t_{A+B}(A) = -2 min_f [N_A / N sum_{A+B} (exp f - 1) - sum_A f]``, ``t_{A+B}(B)`` likewise with g and N_B, and
``t = t_{A+B}(A) + t_{A+B}(B) >= 0``. The pooled points are the same for every permutation of the labels, and the
p-value of a fit of one is counted among fits of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from coffea_ddp.errors import InputError, UnknownNameError, check_progress
from coffea_ddp.stats import checks
from coffea_ddp.stats.conversion import shown
from coffea_ddp.stats.defaults import TOYS
from coffea_ddp.stats.log_ratio.linear import LinearFitter, families_of
from coffea_ddp.stats.log_ratio.offset import OffsetFitter
from coffea_ddp.stats.log_ratio.result import NPLMResult, Observed
from coffea_ddp.stats.log_ratio.solvers import (
    BinSolver,
    FourierSolver,
    KernelSolver,
    NetworkSolver,
    Solver,
    SplineSolver,
    check_device,
)
from coffea_ddp.stats.min_p import combine
from coffea_ddp.stats.samples.permutations import draw_labels
from coffea_ddp.stats.samples.points import Points, pool, pool_counts
from coffea_ddp.stats.samples.remaining import Remaining
from coffea_ddp.stats.samples.shares import checked_shares, draw_labels_of_shares
from coffea_ddp.stats.samples.threads import small_products
from coffea_ddp.stats.tail import PermutationP, permutation_p

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import AnyArray, FloatArray

_NAMED: dict[str, Callable[[], Solver]] = {
    "kernel": KernelSolver,
    "fourier": FourierSolver,
    "bins": BinSolver,
    "splines": SplineSolver,
    "network": NetworkSolver,
}
Progress = Callable[[int, int], None]


class Fitter(Protocol):
    """Fits of one set of pooled points, of the observed labels and of any others."""

    @property
    def points(self) -> Points:
        """The pooled events that are fitted."""

    @property
    def block(self) -> int:
        """Number of labellings that are best given at a time."""

    def observed(self) -> tuple[Observed, ...]:
        """Return the fits of the observed labels, one for each family."""

    def t(self, labels: AnyArray) -> FloatArray:
        """Return t of other labels; (n, n_points) -> (n_families, n)."""

    def against_reference(self, expected: float) -> Fitter:
        """Return the fitter of the original test: B a reference, ``expected`` events expected in A."""


def nplm(
    x_a: ArrayLike,
    x_b: ArrayLike,
    *,
    backend: str | Solver = "kernel",
    toys: int = TOYS,
    seed: int = 1,
    shares: tuple[ArrayLike, ArrayLike] | None = None,
    progress: Progress | None = None,
) -> NPLMResult:
    """Return how well one density describes two samples of events.

    Parameters
    ----------
    x_a, x_b
        Features of the events, shapes (n_a, d) and (n_b, d), or (n_a,) and (n_b,).
    backend
        ``"kernel"``, ``"network"``, ``"fourier"``, ``"bins"`` or ``"splines"``, or a solver with other settings.
    toys
        Pseudo-experiments: permutations of the labels. With none p is the analytic one, which families with fixed
        features have.
    seed
        Of the permutations, and of what the features draw.
    shares
        Where A and B are expected to differ, by a known amount: the pair ``(e_a, e_b)`` of the expected P(side B) of
        every event of ``x_a`` and of ``x_b``, between 0 and 1. What is fitted is then the log-ratio beyond them, and
        pseudo-experiments draw the label of every event from its share; see Notes. Not for networks.
    progress
        Called with the permutations done and wanted. Without, one warning gives the time that is left if it is more
        than a minute: kernels take seconds, networks minutes to hours.

    Returns
    -------
    NPLMResult
        With ``TOO_FEW_EVENTS`` among the flags where p is analytic and bins or splines without a ridge have fewer than
        20 events expected in any on either side: with 5, P(p <= 0.05) is 0.07 to 0.09. Give toys.

    Raises
    ------
    InputError
        If a sample is empty, their features differ or are not finite, or the settings ask for more than there is; if
        shares are no probabilities, not one for every event, or the backend knows none.
    UnknownNameError
        If there is no such backend.

    Notes
    -----
    arXiv:2401.09530; arXiv:2204.02317 for kernels. Whatever is fitted, p is (n_ge + 1) / (n + 1) among permutations of
    the labels. Several widths of a kernel are several trials: the smallest of their p-values is counted among those of
    the same permutations.

    With shares the log-odds of side A of event i are ``-logit e_i + h(x_i)``, and ``t = 2 [max_h l(h) - max_c l(c)]``
    with the log-likelihood of the labels l, penalised by half of the ridge, and constants c: shapes are compared, as
    without. Symmetrized NPLM fits f and g of both samples by themselves; with ``r exp f + (1 - r) exp g = 1``, which
    says that they add up, its t is this one at equal shares, and ``h = f - g``. p is counted among labellings drawn
    from the shares.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> signal = rng.normal(4.0, 0.3, 60)
    >>> found = nplm(np.concatenate([rng.exponential(size=1_000), signal]), rng.exponential(size=1_000), toys=200)
    >>> found.p_value < 0.01, bool(found.log_ratio([4.0])[0] > found.log_ratio([1.0])[0])
    (True, True)
    """
    check_progress("nplm", progress, "done, total")
    points = pool(x_a, x_b)
    expected = None if shares is None else checked_shares(shares, points.n_a, points.n_b)
    return compare(points, backend, toys=toys, seed=seed, progress=progress, shares=expected)


def nplm_counts(
    centres: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    *,
    backend: str | Solver = "kernel",
    toys: int = TOYS,
    seed: int = 1,
    progress: Progress | None = None,
) -> NPLMResult:
    """Return the same of two histograms, their bins being points with many events each.

    Parameters
    ----------
    centres
        Of the bins, shape (n_bins, d) or (n_bins,).
    a, b
        Counts, shape (n_bins,).
    backend, toys, seed, progress
        As for :func:`nplm`.

    Raises
    ------
    InputError
        If counts are no whole numbers; and as for :func:`nplm`.

    Examples
    --------
    >>> found = nplm_counts(np.arange(30) + 0.5, np.full(30, 50), np.full(30, 100), toys=100)
    >>> round(found.t, 6), found.p_value
    (0.0, 1.0)
    """
    check_progress("nplm_counts", progress, "done, total")
    points = pool_counts(centres, a, b)
    return compare(points, backend, toys=toys, seed=seed, progress=progress)


def compare(
    points: Points,
    backend: str | Solver,
    *,
    toys: int,
    seed: int,
    progress: Progress | None = None,
    shares: FloatArray | None = None,
) -> NPLMResult:
    """Return the outcome for pooled points; see :func:`nplm`. Shares are of all events, A first."""
    toys, seed = checks.toys(toys, "toys"), checks.seed(seed)
    fitter = fitter_of(solver_of(backend), points, seed, shares)
    with small_products(len(fitter.points.x)):
        return judged(fitter, toys, seed, progress, shares=shares)


def judged(
    fitter: Fitter,
    toys: int,
    seed: int,
    progress: Progress | None = None,
    *,
    analytic: bool = True,
    shares: FloatArray | None = None,
) -> NPLMResult:
    """Return the observed fit, its p-value and the null from pseudo-experiments.

    Parameters
    ----------
    fitter
        Of the pooled points.
    toys, seed, progress
        As for :func:`nplm`.
    analytic
        Whether there is an analytic p-value where there are no pseudo-experiments.
    shares
        Expected P(B) of every point, from which labels are drawn; ``None``: labels are permuted.
    """
    observed = fitter.observed()
    null = permuted(fitter, toys, seed, progress, shares=shares)
    how = "permutations of the labels" if shares is None else "labellings drawn from the expected shares"
    p_value, best, count, method = _global_p(observed, null, how, analytic=analytic)
    points = fitter.points
    return NPLMResult(p_value, method, count, null, observed, best, points.n_a, points.n_b, shares)


def solver_of(backend: str | Solver) -> Solver:
    """Return the solver of this name with its default settings; a solver is itself.

    Raises
    ------
    UnknownNameError
        If there is no such backend.
    """
    if not isinstance(backend, str):
        if not isinstance(backend, Solver):
            raise InputError(f"backend={shown(backend)}: give the name of one ({', '.join(_NAMED)}), or a solver")
        return backend
    if backend not in _NAMED:
        raise UnknownNameError(f"no backend {shown(backend)}; there are {', '.join(_NAMED)}")
    return _NAMED[backend]()


def fitter_of(solver: Solver, points: Points, seed: int, shares: FloatArray | None = None) -> Fitter:
    """Return the fitter of pooled points with the settings of a solver.

    Parameters
    ----------
    solver
        The settings.
    points
        The pooled events.
    seed
        Of the features that are drawn, or of the starting points of a network.
    shares
        Expected P(B) of every event, shape (n_events,); ``None``: one share for all.

    Raises
    ------
    InputError
        If there are fewer events than parameters, or a network is asked for without torch, on a device that is not
        there, or with expected shares.

    Examples
    --------
    >>> fitter = fitter_of(BinSolver(bins=2), pool([0.0, 1.0, 2.0], [0.5, 1.5, 2.5, 3.5]), 1)
    >>> [one.parameters for one in fitter.observed()]
    [2]
    """
    if not isinstance(solver, NetworkSolver):
        families = families_of(solver, points, seed)
        if shares is None:
            return LinearFitter(points, families, score=solver.score)
        return OffsetFitter(points, families, shares, score=solver.score)
    if shares is not None:
        raise InputError("networks know no expected shares; give backend='kernel' ('fourier' for many features)")
    solver.check(points.n_a, points.n_b, points.x.shape[1])
    check_device(solver.device)
    # torch is loaded where a network is fitted.
    from coffea_ddp.stats.log_ratio.network import NetworkFitter

    return NetworkFitter(points, solver, seed)


def permuted(
    fitter: Fitter, count: int, seed: int, progress: Progress | None = None, *, shares: FloatArray | None = None
) -> FloatArray:
    """Return t of ``count`` pseudo-experiments, shape (n_families, count).

    Labels are permuted; with expected shares each is drawn from its own.
    """
    parts, points = [np.empty((len(fitter.observed()), 0))], fitter.points
    remaining = Remaining(count, progress, "permutations" if shares is None else "pseudo-experiments")
    for first in range(0, count, fitter.block):
        some = min(fitter.block, count - first)
        if shares is None:
            labels = draw_labels(points.multiplicity, points.n_a, some, seed, first)
        else:
            labels = draw_labels_of_shares(shares, some, seed, first)
        parts.append(fitter.t(labels))
        remaining.done(first + some)
    return np.maximum(np.concatenate(parts, axis=1), 0.0)


def _global_p(
    observed: tuple[Observed, ...], null: FloatArray, how: str, *, analytic: bool
) -> tuple[float, int, PermutationP | None, str]:
    """Return the global p of all families, the best family, the count behind p, and how p was made."""
    best_of = f", the best of {len(observed)} families" if len(observed) > 1 else ""
    if not null.shape[1] and not analytic:
        return np.nan, int(np.argmax([one.t for one in observed])), None, "no p-value: no permutations"
    if not null.shape[1]:
        rough = "; too few events for it, give toys" if any(one.is_sparse for one in observed) else ""
        method = f"analytic, a weighted sum of chi2{' (Sidak)' if best_of else ''}{best_of}{rough}"
        return *_analytic(observed), None, method
    # The square root: tails of t are near to exponential, as those of z^2 are.
    scores, samples = np.sqrt([max(one.t, 0.0) for one in observed]), np.sqrt(null)
    if len(observed) == 1:
        count = permutation_p(float(scores[0]), samples[0])
        return count.p_value, 0, count, f"{null.shape[1]} {how}"
    together = combine(list(samples), [[score] for score in scores])
    z = np.array([float(one[0]) for one in together.z])
    count = together.report(float(z.max()))
    return count.p_value, int(z.argmax()), count, f"{null.shape[1]} {how}{best_of}"


def _analytic(observed: tuple[Observed, ...]) -> tuple[float, int]:
    known: list[Any] = [one.p_analytic for one in observed]
    if None in known:
        raise InputError("toys=0: this backend has no null but that of permutations; give some")
    best = int(np.argmin(known))
    return float(-np.expm1(len(known) * np.log1p(-min(known[best], 1.0 - 1e-16)))), best
