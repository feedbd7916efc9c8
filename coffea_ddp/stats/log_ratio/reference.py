"""The original NPLM (arXiv:1806.02350): a sample A against a large reference B that is taken as exact.

``t_B(A) = -2 min_f [N_A(H0) / N_B sum_B (exp f - 1) - sum_A f]``. It ignores the fluctuations of B: under the null, t
is ``1 + N_A / N_B`` times too large. And where A has an event and B has none nothing holds f back: t has no minimum
unless the weights are clipped. Both are what the symmetrized test (:mod:`coffea_ddp.stats.log_ratio.nplm`) mends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import check_progress
from coffea_ddp.stats import checks
from coffea_ddp.stats.log_ratio.nplm import Progress, fitter_of, judged, solver_of
from coffea_ddp.stats.log_ratio.solvers import NetworkSolver
from coffea_ddp.stats.samples.points import pool

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp.stats.log_ratio.result import NPLMResult
    from coffea_ddp.stats.log_ratio.solvers import Solver

MOST_TOYS, FEWEST_TOYS = 100, 19
REFITTED = 240_000
"""Events in all permutations together, by default: ten minutes of one core (2,000 + 10,000 take a network 27 s)."""


def nplm_reference(
    x_a: ArrayLike,
    x_b: ArrayLike,
    *,
    weight_clipping: float | None = 9.0,
    expected: float | None = None,
    backend: str | Solver = "network",
    toys: int | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> NPLMResult:
    """Return how well the density of a reference describes a sample.

    Parameters
    ----------
    x_a, x_b
        Features of the events of the sample and of the reference, shapes (n_a, d) and (n_b, d).
    weight_clipping
        The largest weight of a network; ``None``: no bound, and t may have no minimum.
    expected
        Events expected in the sample; as many as there are by default, so that only shapes are compared.
    backend
        A network without other bounds by default; or any backend of :func:`~coffea_ddp.stats.nplm`.
    toys
        Pseudo-experiments, permutations of the labels: how p is counted, B's fluctuations included. ``None``: 100, or
        fewer for many events (20 for 12,000), so that networks end in about ten minutes of one core; 19 at least,
        whatever that takes.
    seed
        Of the permutations and the starting points.
    progress
        Called with the permutations done and wanted. Without, one warning gives the time that is left if it is more
        than a minute.

    Returns
    -------
    NPLMResult
        With ``t_b`` 0. ``DIVERGES`` among the flags: a single event of the reference represents more than 20 of A.

    Raises
    ------
    InputError
        As :func:`~coffea_ddp.stats.nplm`; and where ``expected`` is not above 0.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> found = nplm_reference(rng.exponential(size=200), rng.exponential(size=2_000), backend="bins", toys=0)
    >>> found.t > 0, found.t_b, found.method
    (True, 0.0, 'no p-value: no permutations')
    """
    check_progress("nplm_reference", progress, "done, total")
    expected = None if expected is None else checks.number(expected, "expected", above=0.0)
    if weight_clipping is not None:
        weight_clipping = checks.number(weight_clipping, "weight_clipping", above=0.0)
    seed = checks.seed(seed)
    points = pool(x_a, x_b)
    if toys is None:
        toys = int(np.clip(REFITTED // points.n, FEWEST_TOYS, MOST_TOYS))
    toys = checks.toys(toys, "toys")
    if isinstance(backend, str) and backend == "network":
        backend = NetworkSolver(slope=None, ridge=0.0, clipping=weight_clipping)
    fitter = fitter_of(solver_of(backend), points, seed).against_reference(expected or points.n_a)
    return judged(fitter, toys, seed, progress, analytic=False)
