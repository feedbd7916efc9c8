"""Symmetrized NPLM (arXiv:2401.09530): whether two samples of events come from one density.

``t_{A+B}(A) = -2 min_f [N_A / N sum_{A+B} (exp f - 1) - sum_A f]``, ``t_{A+B}(B)`` likewise with g and N_B, and
``t = t_{A+B}(A) + t_{A+B}(B) >= 0``. The pooled points are the same for every permutation of the labels, and the
p-value of a fit of one is counted among fits of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from coffea_ddp.errors import InputError, UnknownNameError
from coffea_ddp.stats import checks
from coffea_ddp.stats.conversion import shown
from coffea_ddp.stats.defaults import TOYS
from coffea_ddp.stats.log_ratio.linear import LinearFitter, families_of
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
        If a sample is empty, their features differ or are not finite, or the settings ask for more than there is.
    UnknownNameError
        If there is no such backend.

    Notes
    -----
    arXiv:2401.09530; arXiv:2204.02317 for kernels. Whatever is fitted, p is (n_ge + 1) / (n + 1) among permutations of
    the labels. Several widths of a kernel are several trials: the smallest of their p-values is counted among those of
    the same permutations.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> signal = rng.normal(4.0, 0.3, 60)
    >>> found = nplm(np.concatenate([rng.exponential(size=1_000), signal]), rng.exponential(size=1_000), toys=200)
    >>> found.p_value < 0.01, bool(found.log_ratio([4.0])[0] > found.log_ratio([1.0])[0])
    (True, True)
    """
    return compare(pool(x_a, x_b), backend, toys=toys, seed=seed, progress=progress)


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
    points = pool_counts(centres, a, b)
    return compare(points, backend, toys=toys, seed=seed, progress=progress)


def compare(
    points: Points, backend: str | Solver, *, toys: int, seed: int, progress: Progress | None = None
) -> NPLMResult:
    """Return the outcome for pooled points; see :func:`nplm`."""
    toys, seed = checks.toys(toys, "toys"), checks.seed(seed)
    fitter = fitter_of(solver_of(backend), points, seed)
    with small_products(len(fitter.points.x)):
        return judged(fitter, toys, seed, progress)


def judged(
    fitter: Fitter, toys: int, seed: int, progress: Progress | None = None, *, analytic: bool = True
) -> NPLMResult:
    """Return the observed fit, its p-value and the null from permutations.

    Parameters
    ----------
    fitter
        Of the pooled points.
    toys, seed, progress
        As for :func:`nplm`.
    analytic
        Whether there is an analytic p-value where nothing is permuted.
    """
    observed = fitter.observed()
    null = permuted(fitter, toys, seed, progress)
    p_value, best, count, method = _global_p(observed, null, analytic=analytic)
    points = fitter.points
    return NPLMResult(p_value, method, count, null, observed, best, points.n_a, points.n_b)


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


def fitter_of(solver: Solver, points: Points, seed: int) -> Fitter:
    """Return the fitter of pooled points with the settings of a solver.

    Parameters
    ----------
    solver
        The settings.
    points
        The pooled events.
    seed
        Of the features that are drawn, or of the starting points of a network.

    Raises
    ------
    InputError
        If there are fewer events than parameters, or a network is asked for without torch or on a device that is not
        there.

    Examples
    --------
    >>> fitter = fitter_of(BinSolver(bins=2), pool([0.0, 1.0, 2.0], [0.5, 1.5, 2.5, 3.5]), 1)
    >>> [one.parameters for one in fitter.observed()]
    [2]
    """
    if not isinstance(solver, NetworkSolver):
        return LinearFitter(points, families_of(solver, points, seed), score=solver.score)
    solver.check(points.n_a, points.n_b, points.x.shape[1])
    check_device(solver.device)
    # torch is loaded where a network is fitted.
    from coffea_ddp.stats.log_ratio.network import NetworkFitter

    return NetworkFitter(points, solver, seed)


def permuted(fitter: Fitter, count: int, seed: int, progress: Progress | None = None) -> FloatArray:
    """Return t of ``count`` permutations of the labels, shape (n_families, count)."""
    parts, points = [np.empty((len(fitter.observed()), 0))], fitter.points
    remaining = Remaining(count, progress)
    for first in range(0, count, fitter.block):
        some = min(fitter.block, count - first)
        parts.append(fitter.t(draw_labels(points.multiplicity, points.n_a, some, seed, first)))
        remaining.done(first + some)
    return np.maximum(np.concatenate(parts, axis=1), 0.0)


def _global_p(
    observed: tuple[Observed, ...], null: FloatArray, *, analytic: bool
) -> tuple[float, int, PermutationP | None, str]:
    """Return the global p of all families, the best family, the count behind p, and how p was made."""
    best_of = f", the best of {len(observed)} families" if len(observed) > 1 else ""
    if not null.shape[1] and not analytic:
        return np.nan, int(np.argmax([one.t for one in observed])), None, "no p-value: no permutations"
    if not null.shape[1]:
        rough = "; too few events for it, give toys" if any(one.is_sparse for one in observed) else ""
        how = f"analytic, a weighted sum of chi2{' (Sidak)' if best_of else ''}{best_of}{rough}"
        return *_analytic(observed), None, how
    # The square root: tails of t are near to exponential, as those of z^2 are.
    scores, samples = np.sqrt([max(one.t, 0.0) for one in observed]), np.sqrt(null)
    if len(observed) == 1:
        count = permutation_p(float(scores[0]), samples[0])
        return count.p_value, 0, count, f"{null.shape[1]} permutations of the labels"
    together = combine(list(samples), [[score] for score in scores])
    z = np.array([float(one[0]) for one in together.z])
    count = together.report(float(z.max()))
    return count.p_value, int(z.argmax()), count, f"{null.shape[1]} permutations of the labels{best_of}"


def _analytic(observed: tuple[Observed, ...]) -> tuple[float, int]:
    known: list[Any] = [one.p_analytic for one in observed]
    if None in known:
        raise InputError("toys=0: this backend has no null but that of permutations; give some")
    best = int(np.argmin(known))
    return float(-np.expm1(len(known) * np.log1p(-min(known[best], 1.0 - 1e-16)))), best
