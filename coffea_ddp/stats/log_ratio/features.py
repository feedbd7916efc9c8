"""Families of log-ratios that are linear in their parameters: fixed features of the pooled points.

Centres, edges and frequencies come from the pooled points alone, so every permutation of the labels has the same ones.
They are made of features that point towards their longer tails, so that a feature and its mirror image give the same
family, also where events are equal or an edge is at an event. The first feature is the constant.

Examples
--------
>>> from coffea_ddp.stats.samples.points import pool
>>> points = pool(np.arange(30.0), np.arange(30.0) + 0.5)
>>> family = kernel_family(points, centres=8, width=0.3, seed=1)
>>> family(points.x).shape, bool((family(points.x)[:, 0] == 1.0).all())
((60, 9), True)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import BSpline

from coffea_ddp.errors import InputError
from coffea_ddp.stats.samples.points import Points, weighted_percentile

if TYPE_CHECKING:
    from collections.abc import Callable

    from coffea_ddp._typing import AnyArray, FloatArray

CENTRES = 64
"""Centres of kernels where no number is given."""
_BLOCK = 50_000
_SMALLEST = 1e-7
"""Directions of the kernel matrix with less than this share of the largest are left out: rounding, no information."""
_NO_SKEW = 1e-9
"""Sums of cubes that cancel to this share of their absolute values are rounding."""


@dataclass(frozen=True, eq=False)
class Family:
    """Features of events.

    Attributes
    ----------
    name
        What they are, for the record.
    function
        Standardised features of shape (n, d) -> (n, n_parameters), the constant first.
    penalty
        For every parameter 1 over the variance that it is expected to have; 0 where nothing is expected; shape
        (n_parameters,).
    """

    name: str
    function: Callable[[FloatArray], FloatArray]
    penalty: FloatArray

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return the features of events, shape (n, n_parameters)."""
        return self.function(x)

    @property
    def n_parameters(self) -> int:
        """Parameters of one function, the constant among them."""
        return len(self.penalty)


def kernel_family(
    points: Points, *, centres: int | None = None, width: float = 1.0, seed: int = 0, ridge: float = 1.0
) -> Family:
    """Return Gaussian kernels around centres drawn from the points (Nystroem).

    The features are those whose inner product is the kernel between centres, so that the penalty is the norm of
    the function in the kernel's space (2204.02317): a function of size 1 everywhere costs about ``ridge``.

    Parameters
    ----------
    points
        The pooled points.
    centres
        How many centres, drawn among the different events of both samples; 64 by default, or all where there are fewer.
    width
        Standard deviation of the kernel in standardised units.
    seed
        Of the draw.
    ridge
        The penalty.

    Raises
    ------
    InputError
        If there are no centres, or more than different points, or the width or the ridge make no sense.
    """
    if not (width > 0 and ridge >= 0):
        raise InputError(f"width={width}, ridge={ridge}: give a width above 0, and a ridge of 0 or more")
    different = len(np.unique(points.x, axis=0))
    centres = min(CENTRES, different) if centres is None else centres
    if not 1 <= centres <= different:
        raise InputError(
            f"centres={centres}: give 1 to {different}, the number of different points "
            f"({points.n_a} + {points.n_b} events)"
        )
    places = _drawn(points, centres, seed)
    values, vectors = np.linalg.eigh(gaussian(places, places, width))
    kept = values > _SMALLEST * values.max()
    root = vectors[:, kept] / np.sqrt(values[kept])

    def function(x: FloatArray) -> FloatArray:
        return _with_constant(gaussian(x, places, width) @ root)

    penalty = np.concatenate([[0.0], np.full(int(kept.sum()), ridge)])
    return Family(f"{centres} Gaussian kernels of width {width:g}", function, penalty)


def _drawn(points: Points, count: int, seed: int) -> FloatArray:
    """Return ``count`` different points, drawn by their multiplicity.

    They are numbered by their distance from the middle, then from the side of the shorter tails: neither which sample
    is called A nor the sign of a feature decides which are drawn, also where two points are equally far (the middle of
    an even number of events lies between two).
    """
    signs = orientation(points)
    different, owner = np.unique(points.x * signs, axis=0, return_inverse=True)
    events = np.bincount(owner.reshape(-1), weights=points.multiplicity)
    order = np.lexsort((different.sum(axis=1), np.round((different**2).sum(axis=1), 10)))
    share = events[order] / events.sum()
    chosen = np.random.default_rng([seed, 11]).choice(len(order), count, replace=False, p=share)
    return np.asarray(different[order[np.sort(chosen)]] * signs)


def orientation(points: Points) -> FloatArray:
    """Return the sign with which the longer tail of every feature is above its median, shape (d,); 1 without any skew.

    Examples
    --------
    >>> from coffea_ddp.stats.samples.points import pool
    >>> orientation(pool([[0.0, 0.0], [1.0, -1.0]], [[2.0, -2.0], [9.0, -9.0]])).tolist()
    [1.0, -1.0]
    """
    cubes = points.multiplicity[:, None] * points.x**3
    return np.where(cubes.sum(axis=0) < -_NO_SKEW * np.abs(cubes).sum(axis=0), -1.0, 1.0)


def gaussian(x: FloatArray, centres: FloatArray, width: float) -> FloatArray:
    """Return ``exp(-|x - c|^2 / (2 width^2))``, shape (n, n_centres)."""
    square = (x**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1) - 2.0 * x @ centres.T
    return np.asarray(np.exp(-0.5 * np.maximum(square, 0.0) / width**2))


def fourier_family(
    points: Points, *, features: int = 128, width: float = 1.0, seed: int = 0, ridge: float = 1.0
) -> Family:
    """Return random Fourier features of the same kernel (Rahimi and Recht): no centres, any dimension.

    A cosine and a sine of each frequency, so that the family of ``-x`` is that of ``x``.

    Parameters
    ----------
    points
        The pooled points.
    features
        How many; of an odd number the last is a cosine without its sine.
    width, seed, ridge
        As for :func:`kernel_family`.

    Raises
    ------
    InputError
        If there are none, or the width or the ridge make no sense.
    """
    if not (features >= 1 and width > 0 and ridge >= 0):
        raise InputError(
            f"features={features}, width={width}, ridge={ridge}: give one feature or more, a width above 0, "
            "and a ridge of 0 or more"
        )
    rng = np.random.default_rng([seed, 12])
    n_frequencies = -(-features // 2)
    frequencies = orientation(points)[:, None] * rng.standard_normal((points.x.shape[1], n_frequencies)) / width

    def function(x: FloatArray) -> FloatArray:
        phases = x @ frequencies
        waves = np.concatenate([np.cos(phases), np.sin(phases)], axis=1)[:, :features]
        return _with_constant(np.sqrt(2.0 / features) * waves)

    penalty = np.concatenate([[0.0], np.full(features, ridge)])
    return Family(f"{features} random Fourier features of width {width:g}", function, penalty)


def bin_family(points: Points, *, bins: int = 13, equal: str = "probability", ridge: float = 0.0) -> Family:
    """Return bins of the first feature, of equal probability of the pooled events or of equal width.

    Without a ridge t is the two-sample G statistic of homogeneity.

    Parameters
    ----------
    points
        The pooled points, one feature.
    bins
        How many; the parameters are as many, the constant in place of the last bin.
    equal
        ``"probability"`` or ``"width"``.
    ridge
        The penalty.

    Raises
    ------
    InputError
        If there is more than one feature, fewer than two bins, or bins without any event.
    """
    x, weight = points.x, points.multiplicity
    if x.shape[1] != 1:
        raise InputError(f"bins of {x.shape[1]} features: bins are of one; use kernels, or count in cells beforehand")
    if bins < 2 or equal not in ("probability", "width"):
        raise InputError(f"bins={bins}, equal={equal!r}: give two bins or more, of equal 'probability' or 'width'")
    signs = orientation(points)
    x = x * signs
    if equal == "width":
        edges = np.linspace(x.min(), x.max(), bins + 1)[1:-1]
    else:
        edges = np.array([weighted_percentile(x, weight, k, bins)[0] for k in range(1, bins)])
    inside = np.bincount(np.searchsorted(edges, x[:, 0], side="right"), weights=weight, minlength=bins)
    if (inside == 0).any():
        raise InputError(
            f"bins={bins}: {int((inside == 0).sum())} of them have no event; give fewer, or equal='probability'"
        )

    def function(one: FloatArray) -> FloatArray:
        place = np.searchsorted(edges, one[:, 0] * signs, side="right")
        return _with_constant((place[:, None] == np.arange(bins - 1)).astype(np.float64))

    penalty = np.concatenate([[0.0], np.full(bins - 1, ridge)])
    return Family(f"{bins} bins of equal {equal}", function, penalty)


def spline_family(points: Points, *, knots: int = 10, ridge: float = 0.0) -> Family:
    """Return cubic B-splines of the first feature, knots at quantiles of the pooled events; constant outside.

    Parameters
    ----------
    points
        The pooled points, one feature.
    knots
        Inner knots; there are three parameters more, the constant among them.
    ridge
        The penalty.

    Raises
    ------
    InputError
        If there is more than one feature, no knot, or fewer different points than parameters.
    """
    x, weight = points.x, points.multiplicity
    if x.shape[1] != 1:
        raise InputError(f"splines of {x.shape[1]} features: they are of one; use kernels")
    if knots < 1 or len(np.unique(x)) < knots + 4:
        raise InputError(f"knots={knots}: give one or more, and at least {knots + 4} different points")
    signs = orientation(points)
    x = x * signs
    low, high = float(x.min()), float(x.max())
    inner = [float(weighted_percentile(x, weight, k + 1, knots + 1)[0]) for k in range(knots)]
    inner = [place for place in dict.fromkeys(inner) if low < place < high]
    ladder = np.array([low] * 4 + inner + [high] * 4)

    def function(one: FloatArray) -> FloatArray:
        inside = np.clip(one[:, 0] * signs, low, high)
        design = BSpline.design_matrix(inside, ladder, 3).toarray()
        return _with_constant(design[:, 1:])  # they add up to 1: the constant takes the place of the first

    penalty = np.concatenate([[0.0], np.full(len(ladder) - 5, ridge)])
    return Family(f"cubic splines with {len(inner)} knots", function, penalty)


def evaluated(family: Family, x: FloatArray, kind: Any = np.float64) -> AnyArray:
    """Return the features of many events, made in blocks so that nothing else is as large; shape (n, n_parameters)."""
    out = np.empty((len(x), family.n_parameters), dtype=kind)
    for first in range(0, len(x), _BLOCK):
        out[first : first + _BLOCK] = family(x[first : first + _BLOCK])
    return out


def _with_constant(columns: FloatArray) -> FloatArray:
    return np.concatenate([np.ones((len(columns), 1)), columns], axis=1)
