r"""Upper limits on a signal of known shape on side B, with the background from side A: CLs in the likelihood L2.

``A_i ~ Pois(beta_i)``, ``B_i ~ Pois(kappa beta_i + mu s_i)`` with every beta_i free
(:func:`coffea_ddp.stats.q0_l2`), and ``ln kappa`` with a normal constraint where kappa has an error. A signal strength
mu is excluded where ``CLs = p_mu / (1 - p_b)`` is below 1 - level: p_mu is the probability of a larger ``q_mu`` with
the signal, 1 - p_b that without. The test statistic and its asymptotic distributions are those of G. Cowan et al., Eur.
Phys. J. C 71 (2011) 1554 (arXiv:1007.1727), sections 2.5 and 3.6 to 4.3. The data that are expected without a signal
are those of the fit at mu = 0, without fluctuations; with ``q_A(mu)`` of these the expected limit, N sigma from its
median, is where ``sqrt(q_A) = Phi^-1(1 - (1 - level) Phi(N)) + N``.

The asymptotic formulas need events on side B where the signal is. Without any, and with no background, they exclude
``1.92 / sum s`` where the exact limit is ``3.00 / sum s``. ``toys`` makes both probabilities from pseudo-experiments
instead, drawn from the fit at mu and at 0; the expected limit 2 sigma below the median then rests on tails of 0.1 %,
and needs 10,000 or more of them.

Examples
--------
>>> found = signal_limit([20, 30], [22, 29], [1.0, 0.5])
>>> round(found.limit, 2), found.expected.round(2).tolist()
(12.85, [6.31, 8.5, 11.89, 16.78, 22.96])
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special, stats

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.asymmetry_limits import LEAST_ERROR, LEVEL, level_of
from coffea_ddp.stats.conversion import shown
from coffea_ddp.stats.likelihood_fits import l2_background
from coffea_ddp.stats.limit_fits import Pair, best_kappa, best_signal, limit_problems, pair_of, root_q, toys_of_q
from coffea_ddp.stats.relabelling import stream
from coffea_ddp.stats.templates import check_template, problems_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray

SIGMAS = (-2, -1, 0, 1, 2)
"""Of the expected limits: their median, and one and two standard deviations from it."""

FEWEST_TOYS = 100
"""A tail of 5 % of fewer pseudo-experiments is a handful of them."""

_GRID = 48
"""Signal strengths at which pseudo-experiments are made."""


@dataclass(frozen=True, eq=False)
class SignalLimit:
    """An upper limit; floats for one problem, arrays of the batch's shape for many.

    Attributes
    ----------
    limit
        The largest mu that is not excluded, in units of the template; ``limit * sum(signal)`` events.
    expected
        The same without a signal: 2 and 1 standard deviations below the median, the median, 1 and 2 above it; a last
        axis of 5.
    mu
        The best signal strength, 0 or more.
    level
        The confidence level.
    method
        How it was made.

    Examples
    --------
    >>> SignalLimit(4.2, (2.0, 3.0, 4.0, 5.0, 6.0), 0.3, 0.95, "CLs").level
    0.95
    """

    limit: Any
    expected: Any
    mu: Any
    level: float
    method: str


def signal_limit(
    a: ArrayLike,
    b: ArrayLike,
    signal: ArrayLike,
    *,
    kappa: ArrayLike = 1.0,
    kappa_error: ArrayLike = 0.0,
    level: float = LEVEL,
    toys: int = 0,
    seed: int = 0,
    bins_ndim: int | None = None,
) -> SignalLimit:
    """Return how much of a signal of known shape a pair of matrices excludes.

    Parameters
    ----------
    a, b
        Counts of A and of B, shape ``(..., *bins)``.
    signal
        The template, events of side B at mu = 1; 0 or more; shape ``(..., *bins)``.
    kappa, kappa_error
        The expected ratio E[B] / E[A] without a signal, and its absolute error: numbers, or one for each of the batch.
    level
        The confidence level, between 0 and 1.
    toys
        Pseudo-experiments for either of both probabilities; 0: asymptotic formulas.
    seed
        Of the pseudo-experiments.
    bins_ndim
        How many of the last axes are bins; by default all axes of the array with the fewest.

    Returns
    -------
    SignalLimit
        Of the shape that the leading axes broadcast to.

    Raises
    ------
    InputError
        If shapes do not fit, counts are negative or fractional, the template is negative or empty, kappa is not
        positive, its error is negative or as large as kappa, the level is not between 0 and 1, or there are fewer than
        100 toys.

    Notes
    -----
    Bins without a signal say nothing where kappa is exact, and constrain it where it is not.

    Examples
    --------
    Three events on side B, none on side A: asymptotic, and from pseudo-experiments.

    >>> one, other = signal_limit([0], [3], [1.0]), signal_limit([0], [3], [1.0], toys=2_000)
    >>> round(one.limit, 2), 7.5 < other.limit < 8.1
    (7.0, True)
    """
    first, second, shape = checks.counts(a, "a"), checks.counts(b, "b"), checks.positive(signal, "signal")
    ratio, error = checks.ratios(kappa, "kappa"), checks.positive(kappa_error, "kappa_error")
    wanted, toys, number = level_of(level), checks.toys(toys, "toys"), checks.seed(seed)
    if 0 < toys < FEWEST_TOYS:
        raise InputError(f"toys={toys}: the tails of so few say nothing; give {FEWEST_TOYS} or more, or 0")
    flat, batch, of = problems_of({"a": first, "b": second, "signal": shape}, bins_ndim, ratio, error)
    check_template(flat["signal"])
    ratios, errors = np.atleast_1d(ratio.ravel())[of[:, 3]], np.atleast_1d(error.ravel())[of[:, 4]]
    if (errors >= ratios).any():
        raise InputError(f"kappa_error={shown(kappa_error)}: as large as kappa; give one below it")
    relative = np.where(errors > LEAST_ERROR * ratios, errors / ratios, 0.0)
    of[:, 3] = of[:, 4] = np.arange(len(of))
    targets = expected_roots(wanted)
    found = limit_problems(flat["a"], flat["b"], flat["signal"], ratios, relative, of, math.log1p(-wanted), targets)
    if toys:
        for i, (row_a, row_b, row_s) in enumerate(of[:, :3]):
            pair = pair_of(flat["a"][row_a], flat["b"][row_b], flat["signal"][row_s], ratios[i], relative[i])
            found[i, 1:] = _by_toys(pair, found[i], 1.0 - wanted, toys, (number, i))
    made = f"from {toys} pseudo-experiments with and without the signal" if toys else "asymptotic"
    method = f"CLs of q_mu in L2{', kappa profiled' if error.any() else ''}: {made}"
    found = found.reshape(*batch, 2 + len(targets))
    mu, limit = (values if values.ndim else float(values) for values in (found[..., 0], found[..., 1]))
    return SignalLimit(limit, found[..., 2:], mu, wanted, method)


def expected_roots(level: float) -> FloatArray:
    """Return ``sqrt(q_A)`` at the expected limits, for each of :data:`SIGMAS`.

    Examples
    --------
    >>> expected_roots(0.95).round(2)
    array([1.05, 1.41, 1.96, 2.73, 3.66])
    """
    sigmas = np.array(SIGMAS, dtype=np.float64)
    return np.asarray(-special.ndtri((1.0 - level) * special.ndtr(sigmas)) + sigmas)


def _by_toys(pair: Pair, asymptotic: FloatArray, tail: float, toys: int, key: tuple[int, int]) -> FloatArray:
    """Return the limit and the expected ones of one pair, from pseudo-experiments; shape (6,).

    The expected ones are quantiles of the limits of pseudo-experiments without a signal. All signal strengths share
    their random numbers.
    """
    rng = stream(key[0], "signal_limit", key[1])
    uniform, normal = rng.random((2, 2, toys, len(pair.a))), rng.standard_normal((2, toys))
    mu_hat, without = best_signal(pair), _drawn(pair, 0.0, uniform[0], normal[0])
    grid = np.geomspace(0.4 * asymptotic[1:].min(), 2.5 * asymptotic[1:].max(), _GRID)
    cls = np.zeros((_GRID, 1 + toys))
    for i, mu in enumerate(grid):
        with_signal = np.sort(toys_of_q(pair, *_drawn(pair, mu, uniform[1], normal[1]), mu))
        q = toys_of_q(pair, *without, mu)
        # 1e-9: equal data have equal q but for rounding.
        tested = np.concatenate([[root_q(pair, mu, mu_hat) ** 2], q]) * (1 - 1e-9) - 1e-9
        larger = [toys - np.searchsorted(drawn, tested) for drawn in (with_signal, np.sort(q))]
        cls[i] = np.log((larger[0] + 1.0) / (larger[1] + 1.0)) - math.log(tail)
    limits = _last_zero(np.log(grid), cls)
    quantiles = np.quantile(limits[1:], special.ndtr(np.array(SIGMAS, dtype=np.float64)))
    return np.asarray(np.exp([limits[0], *quantiles]))


def _drawn(pair: Pair, at: float, uniform: FloatArray, normal: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return A, B and kappa as measured in pseudo-experiments from the fit at a signal strength ``at``."""
    kappa = best_kappa(pair, at)
    beta = np.array([l2_background(a, b, at * s, kappa)[0] for a, b, s in zip(*pair[:3], strict=True)])
    a, b = (stats.poisson.ppf(uniform[i], mean) for i, mean in enumerate((beta, kappa * beta + at * pair.signal)))
    return np.maximum(a, 0.0), np.maximum(b, 0.0), kappa * np.exp(pair.error * normal)


def _last_zero(x: FloatArray, values: FloatArray) -> FloatArray:
    """Return where columns of values are last above 0, by straight lines; an end of x where none or all are."""
    last = len(x) - 1 - np.argmax((values > 0)[::-1], axis=0)
    last = np.where((values > 0).any(axis=0), last, -1)
    before = np.clip(last, 0, len(x) - 2)
    columns = np.arange(values.shape[1])
    low, high = values[before, columns], values[before + 1, columns]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = x[before] + (x[before + 1] - x[before]) * low / (low - high)
    return np.asarray(np.where(last < 0, x[0], np.where(last == len(x) - 1, x[-1], found)))
