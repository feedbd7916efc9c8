"""Scan of all rectangles of a pair of matrices, and the global p-value of the best one.

A matrix of 28 x 28 bins has 164,836 rectangles, a spectrum of 28 bins 406. Two statistics of a rectangle w:

``"counts"``
    The significance of its summed counts, B_w of A_w + B_w events, z of the binomial mid-p value, so that windows of
    few and of many events are compared on one scale at any kappa. Its p-value is the full one, which is no smaller.
``"nsigma"``
    N_sigma of the sub-matrix, ``M_w^(-1/2) sum_i (B_i - kappa A_i) / sqrt(kappa (A_i + B_i))`` (arXiv:2203.07529).

Rectangles overlap, so the trials cannot be counted: the p-value after all of them comes from pseudo-experiments with
relabelled events (:mod:`coffea_ddp.stats.relabelling`), or is the Sidak bound where none are made.

Examples
--------
>>> a = np.full((8, 8), 20)
>>> b = a.copy()
>>> b[2:4, 5:7] += 25
>>> found = scan_submatrices(a, b, toys=200, seed=1)
>>> found.bins, found.n_a, found.n_b, round(found.z_value, 2), round(found.p_value, 3)
(((2, 4), (5, 7)), 80, 180, 6.27, 0.005)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from coffea_ddp.errors import InputError, check_progress
from coffea_ddp.stats import checks
from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.conversion import shown
from coffea_ddp.stats.defaults import TOYS as DEFAULT_TOYS
from coffea_ddp.stats.relabelling import MOST_ERROR, check_null, relabel
from coffea_ddp.stats.submatrix.best import count_rectangles
from coffea_ddp.stats.submatrix.binomial import binomial_p, binomial_z
from coffea_ddp.stats.submatrix.matrix import Matrix, one_sided
from coffea_ddp.stats.tail import PermutationP, permutation_p
from coffea_ddp.stats.trials import p_from_z, sidak, z_from_p

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray, IntArray

Statistic = Literal["counts", "nsigma"]
Alternative = Literal["two-sided", "greater", "less"]

_SIGN = {"two-sided": 0, "greater": 1, "less": -1}

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class SubmatrixResult:
    """The best rectangle of a pair of matrices.

    Attributes
    ----------
    bins
        First and one-past-last bin of the rectangle along every axis.
    region
        Its edges along every axis, in the units of the axis; ``None`` without edges.
    n_a, n_b, n_bins
        Its contents, and how many of its bins are not empty.
    statistic
        Of the rectangle; positive where B is in excess.
    z_value, p_local
        Of the rectangle alone, as if no other had been tested. ``p_local`` is two-sided or one-sided as
        ``alternative`` says; of counts it is the full binomial p, where ``z_value`` is that of the mid-p value.
    p_value, z_global
        After all rectangles; ``z_global`` has the sign of the statistic, and is 0 where ``p_value`` is 1.
    permutation
        The counting behind ``p_value``, with the fitted tail; ``None`` without pseudo-experiments.
    null
        The best score of every pseudo-experiment, shape (toys,): absolute z where two-sided.
    n_rectangles
        Number of rectangles tested (different sets of bins that are not empty at their ends).
    asymmetry
        The relative excess eps of B that explains the rectangle, B = kappa (1 + eps) A; inf where A is empty.
    method
        How both p-values were made.

    Examples
    --------
    >>> result = scan_submatrices(np.full((4, 4), 9), np.full((4, 4), 9) + 20 * np.eye(4, dtype=int))
    >>> result.n_b >= result.n_a
    True
    """

    bins: tuple[tuple[int, int], ...]
    region: tuple[tuple[float, float], ...] | None
    n_a: float
    n_b: float
    n_bins: int
    statistic: float
    z_value: float
    p_local: float
    p_value: float
    z_global: float
    permutation: PermutationP | None
    null: FloatArray
    n_rectangles: int
    asymmetry: float
    method: str


class BestRectangles(NamedTuple):
    """The best rectangle of each of many pairs of matrices.

    Attributes
    ----------
    z
        Signed score; NaN where a pair is empty. Shape (n_pairs,).
    bins
        First and one-past-last bin along every axis; shape (n_pairs, n_axes, 2).

    Examples
    --------
    >>> BestRectangles(np.array([3.2]), np.array([[0, 2, 1, 3]])).z.tolist()
    [3.2]
    """

    z: FloatArray
    bins: IntArray


def scan_submatrices(
    a: ArrayLike,
    b: ArrayLike,
    *,
    kappa: float | Literal["totals"] = 1.0,
    kappa_error: float = 0.0,
    systematic: float = 0.0,
    toys: int = DEFAULT_TOYS,
    seed: int = 0,
    statistic: Statistic = "counts",
    alternative: Alternative = "two-sided",
    null: str | None = None,
    edges: Sequence[ArrayLike] | None = None,
    progress: Progress | None = None,
) -> SubmatrixResult:
    """Find the rectangle in which A and B differ most, and its local and global p-value.

    Parameters
    ----------
    a, b
        Counts of A and B, one shape with one or two axes. B is the side whose excess is positive.
    kappa
        The expected ratio E[B] / E[A]; ``"totals"``: that of the matrices' own totals (the scan then sees shapes only).
    kappa_error
        Absolute error of a given kappa, common to all bins. It widens the score of every rectangle, and the
        pseudo-experiments draw kappa anew each time.
    systematic
        Relative error of a given kappa in every bin, independent from bin to bin; the sum of a rectangle is then scored
        by its variance.
    toys
        Pseudo-experiments for the global p-value; 0: the Sidak bound over all rectangles, which overlap, so it is far
        from sharp.
    seed
        Of the pseudo-experiments.
    statistic
        ``"counts"`` (binomial) or ``"nsigma"`` (asymptotically normal: at low counts without pseudo-experiments its
        p-values are no bounds).
    alternative
        ``"two-sided"``: an excess of either; ``"greater"``: of B; ``"less"``: of A.
    null
        ``"binomial"`` (N_A varies) or ``"fixed"`` (N_A kept); by default the one that is right for ``kappa``: fixed for
        ``"totals"``, else binomial.
    edges
        The edges of the bins along every axis, to give the region in its units.
    progress
        Called with the number of pseudo-experiments done and their total.

    Returns
    -------
    SubmatrixResult

    Raises
    ------
    InputError
        If shapes differ or have more than two axes, counts are negative, fractional or not finite, both matrices are
        empty, one side is empty with ``kappa="totals"``, kappa is not positive, or an option is unknown.

    Notes
    -----
    arXiv:2203.07529 names the scan of sub-matrices; the statistic of the scan is the largest z of all rectangles.

    Examples
    --------
    >>> found = scan_submatrices([5, 5, 9, 5], [5, 5, 31, 5], toys=0, edges=[[0, 10, 20, 40, 80]])
    >>> found.region, found.n_rectangles, round(found.p_local, 5), round(found.p_value, 4)
    (((20.0, 40.0),), 10, 0.00068, 0.0068)
    """
    check_progress("scan_submatrices", progress, "done, total")
    first, second = _counts(a, "a"), _counts(b, "b")
    toys, seed = checks.toys(toys, "toys"), checks.seed(seed)
    _check(first, second, statistic, alternative)
    axes = None if edges is None else _axes(edges, first.shape)
    named = isinstance(kappa, str)
    ratio = _ratio(kappa, first, second)
    kind = check_null(("fixed" if named else "binomial") if null is None else null)
    errors = _errors(kappa_error, systematic, ratio, kind)
    matrix = Matrix.make(first, second, ratio, statistic, kappa_error=errors[0], systematic=errors[1])
    sign = _SIGN[alternative]
    z, where = matrix.best(sign)
    sample = np.empty(0)
    if toys:
        drawn = []
        for block in range(-(-toys // TOYS)):
            labels = relabel(
                matrix.n, kappa=ratio, n_b=int(second.sum()) if kind == "fixed" else None,
                common=errors[0], spread=errors[1], seed=seed, key="scan_submatrices", block=block,
            )  # fmt: skip
            drawn.append(one_sided(*matrix.extremes(labels), sign))
            if progress is not None:
                progress(min((block + 1) * TOYS, toys), toys)
        sample = np.concatenate(drawn)[:toys].astype(np.float64)
    return _result(
        first, second, ratio, matrix, z, where, sample, alternative, axes, _method(kind, kappa, matrix, errors)
    )


def best_rectangles(
    a: ArrayLike,
    b: ArrayLike,
    *,
    kappa: float = 1.0,
    statistic: Statistic = "counts",
    alternative: Alternative = "two-sided",
) -> BestRectangles:
    """Return the best rectangle of every pair of a batch, without p-values: for toys of one's own.

    Parameters
    ----------
    a, b
        Counts, shape ``(n_pairs, *bins)`` with one or two axes of bins.
    kappa, statistic, alternative
        As in :func:`scan_submatrices`.

    Raises
    ------
    InputError
        As there.

    Examples
    --------
    >>> found = best_rectangles([[3, 3, 3], [2, 2, 9]], [[3, 9, 3], [2, 2, 0]])
    >>> found.z.round(2), found.bins[:, 0].tolist()
    (array([ 1.68, -3.1 ]), [[1, 2], [2, 3]])
    """
    first, second = _counts(a, "a"), _counts(b, "b")
    if first.shape != second.shape or first.ndim not in (2, 3):
        raise InputError(f"a has shape {first.shape} and b {second.shape}; give two of one shape (n_pairs, *bins)")
    if not math.prod(first.shape[1:]):
        raise InputError(f"a and b have shape {first.shape}: there are no bins; give at least one")
    _options(statistic, alternative)
    ratio = _ratio(kappa, first, second)
    z, bins = np.full(len(first), np.nan), np.zeros((len(first), first.ndim - 1, 2), dtype=np.int64)
    for i, (one, other) in enumerate(zip(first, second, strict=True)):
        if one.any() or other.any():
            z[i], where = Matrix.make(one, other, ratio, statistic).best(_SIGN[alternative])
            bins[i] = where
    return BestRectangles(z, bins)


def _result(  # noqa: PLR0917 (one caller)
    a: IntArray,
    b: IntArray,
    ratio: float,
    matrix: Matrix,
    z: float,
    where: tuple[tuple[int, int], ...],
    sample: FloatArray,
    alternative: str,
    axes: list[FloatArray] | None,
    method: str,
) -> SubmatrixResult:
    inside = tuple(slice(start, stop) for start, stop in where)
    n_a, n_b = int(a[inside].sum()), int(b[inside].sum())
    sign = _SIGN[alternative]
    two_sided, bound = sign == 0, z if sign >= 0 else -z
    if matrix.table is not None:
        split, wide = (n_b, n_a + n_b, ratio / (1 + ratio)), math.sqrt(1 + matrix.table.dilution * (n_a + n_b))
        z = binomial_z(*split) / wide
        bound = z_from_p(binomial_p(*split, sign=sign), two_sided=two_sided) / wide
    p_local = p_from_z(bound, two_sided=two_sided)
    n_rectangles = int(count_rectangles(matrix.n.reshape(matrix.shape).astype(np.float64)))
    found = permutation_p(abs(z) if sign == 0 else sign * z, sample) if len(sample) else None
    p_value = sidak(p_local, n_rectangles) if found is None else found.p_value
    how = f"Sidak bound over {n_rectangles} rectangles" if found is None else found.method
    return SubmatrixResult(
        bins=where,
        region=_region(where, axes),
        n_a=n_a,
        n_b=n_b,
        n_bins=int(np.count_nonzero((a + b)[inside])),
        statistic=z,
        z_value=z,
        p_local=p_local,
        p_value=p_value,
        z_global=math.copysign(max(0.0, z_from_p(p_value, two_sided=sign == 0)), z),
        permutation=found,
        null=sample,
        n_rectangles=n_rectangles,
        asymmetry=n_b / (ratio * n_a) - 1 if n_a else math.inf,
        method=f"local: {method}, {alternative}; after all rectangles: {how}",
    )


def _errors(kappa_error: Any, systematic: Any, ratio: float, kind: str) -> tuple[float, float]:
    """Return the relative errors of kappa: common to all bins, and of every bin."""
    common = checks.number(kappa_error, "kappa_error", low=0.0, high=MOST_ERROR * ratio) / ratio
    spread = checks.number(systematic, "systematic", low=0.0, high=1.0)
    if (common or spread) and kind == "fixed":
        raise InputError(
            "kappa_error and systematic are errors of a kappa that is given, with every event labelled on its own; "
            "with kappa='totals' or null='fixed' leave them out"
        )
    return common, spread


def _method(kind: str, kappa: Any, matrix: Matrix, errors: tuple[float, float]) -> str:
    test = "z of the binomial mid-p, full p" if matrix.table is not None else "asymptotic normal"
    if errors[0]:
        test += "; uncertainty of kappa propagated"
    if errors[1]:
        test += "; systematic error per bin"
    ratio = "kappa from the totals" if kappa == "totals" else f"kappa = {kappa:g}"
    kept = "N_A kept" if kind == "fixed" else "binomial labels"
    return f"{test} ({ratio}; null: {kept})"


def _axes(edges: Sequence[ArrayLike], shape: tuple[int, ...]) -> list[FloatArray]:
    try:
        given = list(edges)
    except TypeError:
        raise InputError(f"edges={shown(edges)}: give a list, with the edges of the bins along every axis") from None
    if len(given) != len(shape):
        raise InputError(f"edges: {len(given)} lists for matrices of {len(shape)} axes; give one list for each axis")
    return [checks.edges(axis, f"edges[{i}]", n) for i, (axis, n) in enumerate(zip(given, shape, strict=True))]


def _region(
    where: tuple[tuple[int, int], ...], axes: list[FloatArray] | None
) -> tuple[tuple[float, float], ...] | None:
    if axes is None:
        return None
    return tuple((float(axis[start]), float(axis[stop])) for axis, (start, stop) in zip(axes, where, strict=True))


def _counts(values: ArrayLike, name: str) -> IntArray:
    return checks.counts(values, name, cure="the scan needs counts").astype(np.int64)


def _check(a: IntArray, b: IntArray, statistic: str, alternative: str) -> None:
    if a.shape != b.shape:
        raise InputError(f"a has shape {a.shape} and b {b.shape}; give two matrices of the same bins")
    if a.ndim not in (1, 2):
        raise InputError(f"matrices of {a.ndim} axes: rectangles are searched for in one or two")
    if not (a.any() or b.any()):
        raise InputError("a and b are both empty: there is nothing to compare")
    _options(statistic, alternative)


def _options(statistic: str, alternative: str) -> None:
    checks.choice(statistic, "statistic", get_args(Statistic))
    checks.choice(alternative, "alternative", get_args(Alternative))


def _ratio(kappa: Any, a: IntArray, b: IntArray) -> float:
    if isinstance(kappa, str):
        if kappa != "totals":
            raise InputError(f"kappa={shown(kappa)}: give the expected ratio B/A, or 'totals'")
        if not (a.any() and b.any()):
            raise InputError("kappa='totals': one side is empty, so its ratio is not known; give kappa")
        return float(b.sum() / a.sum())
    return checks.ratio(kappa)
