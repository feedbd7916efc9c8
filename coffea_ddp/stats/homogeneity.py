"""One ratio B / A in many cells: a difference of efficiencies, which shows in every cell at once.

In disjoint cells ``r_c = ln(B_c / (kappa A_c))`` has the variance ``1 / A_c + 1 / B_c``. One cause that is in all cells
gives one r; the kinematics of cells differ, so r may scatter around it (``spread``), which is estimated besides. Median
and median deviation are not moved by a signal in some of the cells, and two conditions have to hold, so that neither a
fluctuation nor a signal in a few cells counts as common: r is 4 standard errors from 0, and either the cells that are
large enough to show r have its sign more often than a coin does (p below 0.01), or all cells agree on one ratio and the
half of the weight that shows it least still has 3 sigma of it.

Examples
--------
>>> a = np.array([400, 900, 150, 220, 610, 330, 810, 120, 540, 260, 700, 480])
>>> found = common_ratio(a, np.rint(1.2 * a))
>>> round(found.asymmetry, 2), found.n_compatible, common_ratio(a, a) is None
(0.2, 12, True)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import BoolArray, FloatArray

MIN_EVENTS = 20
"""Smallest number of events of a cell: below, the logarithm of a ratio is far from normal."""
MIN_Z = 4.0
"""Smallest r in units of its standard error."""
MAX_SIGN_P = 0.01
"""Largest p-value of the signs of the cells."""
MIN_REST_Z = 3.0
"""Smallest z of the half of the weight that shows r least."""
MIN_HOMOGENEITY_P = 0.05
"""Above this p-value of one ratio there is no spread."""
COMPATIBLE = 3.0
"""Largest distance of a compatible cell from r, in standard deviations."""
EXPLAINED_SPREAD = 0.15
"""Largest spread, as a share of r, that explains the deviation of a row."""
_CHI2_MEDIAN = 0.4549364
"""Of one degree of freedom."""
_MEDIAN_ERROR = np.sqrt(np.pi / 2.0)
"""Standard error of a median of normal numbers, in units of that of their mean."""
_LARGEST_SHARE = 0.2
"""Of the weight of all cells, that one cell may have: no single one decides."""


@dataclass(frozen=True)
class CommonRatio:
    """A ratio of B to its expectation that many cells have in common.

    Attributes
    ----------
    log_ratio, error
        ``r``, its logarithm, positive where B is in excess, and its standard error.
    spread
        Standard deviation of the true r of the cells around it; 0 where counting statistics explain the scatter.
    n_cells, n_compatible
        Cells with 20 events or more, and those of them within 3 standard deviations (spread included).
    chi2, p_value
        Of the hypothesis that all cells have exactly one ratio (without spread), with ``n_cells - 1`` degrees of
        freedom.

    Examples
    --------
    >>> CommonRatio(0.13, 0.01, 0.0, 92, 87, 101.0, 0.2).n_cells
    92
    """

    log_ratio: float
    error: float
    spread: float
    n_cells: int
    n_compatible: int
    chi2: float
    p_value: float

    @property
    def asymmetry(self) -> float:
        """Relative excess of B over its expectation, ``exp(r) - 1``; negative where A is in excess."""
        return float(np.expm1(self.log_ratio))

    def explains(self, z: ArrayLike, asymmetry: ArrayLike, trials: ArrayLike = 1) -> BoolArray:
        """Return which deviations are compatible with the common ratio, and of its sign.

        Parameters
        ----------
        z
            Local significances, positive where B is in excess; shape (n,).
        asymmetry
            The relative difference of efficiency that would explain each alone; NaN: none does. Shape (n,).
        trials
            Regions of which each is the best; a number, or shape (n,).

        Returns
        -------
        ndarray of bool, shape (n,)
            True where z, less what the common ratio makes of it, is below 3 standard deviations for that number of
            trials. They include the spread up to 15 % of r: a larger one would explain a signal, too.

        Examples
        --------
        >>> found = CommonRatio(0.18, 0.01, 0.02, 40, 39, 45.0, 0.2)
        >>> found.explains([6.0, 9.0, -6.0], [0.2, 0.6, -0.2]).tolist()
        [True, False, False]
        """
        local, relative, n = (np.asarray(values, dtype=np.float64) for values in (z, asymmetry, trials))
        if local.shape != relative.shape or n.shape not in ((), local.shape):
            raise InputError(f"z {local.shape}, asymmetry {relative.shape}, trials {n.shape}: give one of each")
        with np.errstate(invalid="ignore", divide="ignore"):
            mine = np.log1p(np.where(relative > -1.0, relative, np.nan))
            sigma = np.abs(mine / local)
            spread = min(self.spread, EXPLAINED_SPREAD * abs(self.log_ratio))
            rest = np.abs(mine - self.log_ratio) / np.sqrt(sigma**2 + spread**2 + self.error**2)
        # Bonferroni, where ndtr keeps its digits.
        limit = -special.ndtri(np.minimum(special.ndtr(-COMPATIBLE) / n, 0.5))
        return np.asarray((rest < limit) & (np.sign(local) == np.sign(self.log_ratio)))


def common_ratio(n_a: ArrayLike, n_b: ArrayLike, *, kappa: float = 1.0) -> CommonRatio | None:
    """Return the ratio of B to its expectation that cells have in common, or ``None`` where they have none.

    Parameters
    ----------
    n_a, n_b
        Events of A and B in disjoint cells, shape (n_cells,).
    kappa
        The expected ratio B / A.

    Raises
    ------
    InputError
        If counts are no whole numbers, have different shapes, or kappa is not above 0.

    Examples
    --------
    A signal in one of many cells is not common:

    >>> a = np.full(30, 200)
    >>> common_ratio(a, np.where(np.arange(30) == 3, 400, 200)) is None
    True
    """
    a, b = checks.counts(n_a, "n_a"), checks.counts(n_b, "n_b")
    kappa = checks.ratio(kappa)
    if a.ndim != 1 or a.shape != b.shape:
        raise InputError(f"n_a {a.shape}, n_b {b.shape}: give the events of A and of B in each cell, (n_cells,)")
    used = a + b >= MIN_EVENTS
    a, b = a[used], b[used]
    if len(a) < 2:
        return None
    # Half an event more: a cell without any on one side has a finite ratio, and the bias of the logarithm is small.
    r = np.log((b + 0.5) / (kappa * (a + 0.5)))
    variance = 1.0 / (a + 0.5) + 1.0 / (b + 0.5)
    mean = (r / variance).sum() / (1.0 / variance).sum()
    chi2 = float(((r - mean) ** 2 / variance).sum())
    p_value = float(special.chdtrc(len(r) - 1, chi2))
    middle = _weighted_median(r, _capped(1.0 / variance))
    spread = 0.0 if p_value > MIN_HOMOGENEITY_P else _spread(r, variance, middle)
    weight = _capped(1.0 / (variance + spread**2))
    middle = _weighted_median(r, weight)
    # Of weights that are capped: the variance of sum w r / sum w, for a median.
    error = float(_MEDIAN_ERROR * np.sqrt((weight**2 * (variance + spread**2)).sum()) / weight.sum())
    by_rest = p_value > MIN_HOMOGENEITY_P and _rest_z(r, variance, middle) >= MIN_REST_Z
    if abs(middle) < MIN_Z * error or not (by_rest or _sign_p(r, variance, middle) <= MAX_SIGN_P):
        return None
    distance = np.abs(r - middle) / np.sqrt(variance + spread**2)
    return CommonRatio(
        log_ratio=middle,
        error=error,
        spread=spread,
        n_cells=len(r),
        n_compatible=int((distance < COMPATIBLE).sum()),
        chi2=chi2,
        p_value=p_value,
    )


def _capped(weight: FloatArray, share: float = _LARGEST_SHARE) -> FloatArray:
    """Return weights of which none is more than a share of their sum."""
    return np.asarray(np.minimum(weight, share * weight.sum()))


def _weighted_median(values: FloatArray, weight: FloatArray) -> float:
    """Return the median of values, the middle of two where it falls between them: mirrored, it is mirrored."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    low, high = (int(np.searchsorted(reached, 0.5 + step)) for step in (-1e-9, 1e-9))
    last = len(values) - 1
    return 0.5 * float(values[order[min(low, last)]] + values[order[min(high, last)]])


def _spread(r: FloatArray, variance: FloatArray, middle: float) -> float:
    """Return the standard deviation beyond counting statistics: squared pulls then have the median of a chi2."""
    weight = _capped(1.0 / variance, _LARGEST_SHARE / 2.0)

    def excess(spread: float) -> float:
        return _weighted_median((r - middle) ** 2 / (variance + spread**2), weight) - _CHI2_MEDIAN

    low, high = 0.0, float(np.abs(r - middle).max())
    if excess(low) <= 0.0:
        return 0.0
    while high - low > 1e-6:
        half = 0.5 * (low + high)
        low, high = (half, high) if excess(half) > 0.0 else (low, half)
    return high


def _sign_p(r: FloatArray, variance: FloatArray, middle: float) -> float:
    """Return the p-value of as many cells with the sign of r, among those whose standard error is below it."""
    able = variance < middle**2
    same: Any = int((np.sign(r[able]) == np.sign(middle)).sum())
    return float(special.bdtrc(same - 1, int(able.sum()), 0.5)) if same else 1.0


def _rest_z(r: FloatArray, variance: FloatArray, middle: float) -> float:
    """Return z of the cells together, without half of the weight: that of the largest pulls to the side of r."""
    pulls, weight = np.sign(middle) * r / np.sqrt(variance), 1.0 / variance
    order = np.argsort(-pulls, kind="stable")
    rest = order[np.cumsum(weight[order]) > 0.5 * weight.sum()][1:]
    return float((pulls[rest] * np.sqrt(weight[rest])).sum() / np.sqrt(weight[rest].sum())) if len(rest) else 0.0
