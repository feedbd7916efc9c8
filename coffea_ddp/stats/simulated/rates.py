"""Rates of one simulated sample in the bins of all exclusive cells, from events that are few in most of them.

An event of simulation says something about its own bin, and something about how the sample is spread over cells and
over bins. The rate of a bin is a mean of the two: of the events in it, and of the product of what its cell and its bin
hold in all, brought to the level of the cell's events around it. How far rates are from the product is fitted to the
sample itself (empirical Bayes: the numbers of events are a Poisson-gamma mixture around the product, with one relative
width for all bins). A bin of many events keeps them; one of few has most from the product. Sums over a cell stay what
they are, and those over a bin of all cells nearly so.

The variance is smoothed as the mean is, so that of a sum over cells it is the sum of squared weights; of a single bin
it is larger than what a sample of that shape leaves open.

Examples
--------
>>> n = np.array([[40.0, 4.0, 0.0], [80.0, 8.0, 3.0]])
>>> found = smoothed_rates(0.5 * n, 0.25 * n, n, shape=(1, 3))
>>> found.mean.sum().round(9), bool(found.mean[0, 2] > 0)
(np.float64(67.5), True)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special
from scipy.optimize import minimize_scalar

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

FEW = 50.0
"""Events of a bin from which on the weight of its pull is more its own than that of the product."""
_LEAST, _MOST = -3.0, 7.0
"""Of the logarithm of the shape of the mixture: a bin in which the product expects that number of events is half its
own."""
_ROUNDS = 10
"""In which the product is given the sums of what it takes the place of."""
_AROUND = 8.0
"""Events of a cell around a bin that say how it compares with the product there."""
_WEIGHTS = 10.0
"""Effective events beyond one, of all cells, of which half of the mean weight of a bin is its own."""
_NEIGHBOURS = 2.0
"""Events that neighbouring bins have together before they say what a bin among them may hold."""


class SimulatedCounts(NamedTuple):
    """One simulated sample in units of events of data; arrays of shape (n_cells, n_bins).

    Attributes
    ----------
    w, w2, n
        Sums of weights and of squared weights, and numbers of events.
    negative
        Whether some weights are negative.
    """

    w: FloatArray
    w2: FloatArray
    n: FloatArray
    negative: bool = False


class Rates(NamedTuple):
    """Rates of one sample; arrays of shape (n_cells, n_bins).

    Attributes
    ----------
    mean, variance
        Of the sum of weights.
    steady
        Of the sum of weights and of squared weights together, so smooth that it hardly depends on the events of a bin
        that has few: what weights of pulls are made of.
    events
        The smoothed number of events.
    shape
        Of the mixture: events of a bin from which on it is more its own than that of the product; 0 for no sample.
    """

    mean: FloatArray
    variance: FloatArray
    steady: FloatArray
    events: FloatArray
    shape: float


def smoothed_rates(
    w: FloatArray, w2: FloatArray, n: FloatArray, *, shape: tuple[int, int], totals: FloatArray | None = None
) -> Rates:
    """Return the rates of one sample.

    Parameters
    ----------
    w, w2, n
        Sums of weights and of squared weights, and numbers of events, in the bins of exclusive cells; shape
        (n_cells, n_bins).
    shape
        Rows and columns of the bins; one row for one axis.
    totals
        Events of the cells, shape (n_cells,); by default those that are there.
    """
    total = n.sum()
    if not total:
        nothing = np.zeros_like(w)
        return Rates(nothing, nothing, nothing, nothing, 0.0)
    common = _product(n, shape)
    product = common * _nearby(n, common) if 1 in shape else common
    width = mixture_shape(n, product)
    share = width / (width + product)
    product = _with_sums(product, share, n)
    sure = _sure(w, w2)
    mean_weight, mean_square = (_weights_of(values, n, product, share, sure) for values in (w, w2))
    # Of the product alone: a weight that knows how the events of a bin fluctuated would bias the sum of pulls.
    few = FEW / (n + FEW)
    steady_w, steady_w2 = ((1.0 - few) * own + few * common * (own.sum() / total) for own in (w, w2))
    mean, variance, events = (
        (1.0 - share) * own + share * other for own, other in ((w, mean_weight), (w2, mean_square), (n, product))
    )
    found = Rates(mean, variance, np.maximum(steady_w, 0.0) + steady_w2, events, width)
    return found if totals is None else _of_totals(found, totals, (w, w2, n), common)


def _of_totals(
    found: Rates, totals: FloatArray, sums: tuple[FloatArray, FloatArray, FloatArray], common: FloatArray
) -> Rates:
    """Return rates of other events of the cells; in a cell without any, those of all cells together."""
    w, w2, n = sums
    cells, wanted = n.sum(axis=1, keepdims=True), totals[:, None]
    empty = cells == 0
    level = np.divide(wanted, cells, out=np.zeros_like(cells), where=~empty)
    events = np.where(empty, wanted * (common.sum(axis=0) / common.sum()), level * found.events)
    weight, square = w.sum() / n.sum(), w2.sum() / n.sum()
    mean, variance, steady = (
        np.where(empty, events * of_all, level * own)
        for own, of_all in ((found.mean, weight), (found.variance, square), (found.steady, max(weight, 0.0) + square))
    )
    return Rates(mean, variance, steady, events, found.shape)


def _nearby(n: FloatArray, product: FloatArray) -> FloatArray:
    """Return how the events of a cell around each bin compare with the product: cells may fall more or less steeply."""
    sums = [np.concatenate([np.zeros((len(n), 1)), np.cumsum(values, axis=1)], axis=1) for values in (n, product)]
    n_bins = n.shape[1]
    place, found = np.arange(n_bins), np.full(n.shape, np.nan)
    for reach in range(n_bins):
        low, high = np.maximum(place - reach, 0), np.minimum(place + reach + 1, n_bins)
        events, expected = (one[:, high] - one[:, low] for one in sums)
        done = np.isnan(found) & ((events >= _AROUND) | (high - low == n_bins))
        found[done] = np.divide(events, expected, out=np.ones_like(events), where=expected > 0)[done]
        if not np.isnan(found).any():
            break
    return found


def _with_sums(product: FloatArray, share: FloatArray, n: FloatArray) -> FloatArray:
    """Return the product with the sums, over cells and over bins, of the part of the events that it replaces."""
    for _ in range(_ROUNDS):
        for axis in (0, 1):  # a bin without events in any cell keeps what its neighbours say
            wanted, have = ((share * values).sum(axis=axis, keepdims=True) for values in (n, product))
            product = product * np.divide(wanted, have, out=np.ones_like(have), where=(have > 0) & (wanted > 0))
    return product


def _product(n: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Return the numbers of events that cells and bins would share out if they were independent."""
    bins = n.sum(axis=0)
    expected = _neighbouring(bins) if 1 in shape else _outer(bins.reshape(shape)).reshape(-1)
    width = mixture_shape(bins, expected)
    share = width / (width + expected)
    bins = (1.0 - share) * bins + share * expected
    return np.asarray(n.sum(axis=1)[:, None] * bins / bins.sum())


def _outer(matrix: FloatArray) -> FloatArray:
    rows, columns = (_neighbouring(matrix.sum(axis=axis)) for axis in (1, 0))
    return np.asarray(rows[:, None] * columns / matrix.sum())


def _neighbouring(counts: FloatArray) -> FloatArray:
    """Return the mean of every bin and as many of its neighbours as have a few events together; of the same sum."""
    sums = np.concatenate([[0.0], np.cumsum(counts)])
    place = np.arange(len(counts))
    found = np.full(len(counts), np.nan)
    for reach in range(len(counts)):
        low, high = np.maximum(place - reach, 0), np.minimum(place + reach + 1, len(counts))
        inside = sums[high] - sums[low]
        done = np.isnan(found) & ((inside >= _NEIGHBOURS) | (high - low == len(counts)))
        found[done] = (inside / (high - low))[done]
        if not np.isnan(found).any():
            break
    return np.asarray(found * (counts.sum() / found.sum()))


def mixture_shape(n: FloatArray, expected: FloatArray) -> float:
    """Return the shape that makes the numbers of events most likely, as a Poisson-gamma mixture around others."""
    inside = expected > 0
    own, around = n[inside], expected[inside]
    filled = own > 0

    def surprise(logarithm: float) -> float:
        shape = np.exp(logarithm)
        likelihood = special.gammaln(own[filled] + shape).sum() - filled.sum() * special.gammaln(shape)
        likelihood -= ((own + shape) * np.log1p(around / shape)).sum() + own.sum() * logarithm
        return -float(likelihood)

    return float(np.exp(minimize_scalar(surprise, bounds=(_LEAST, _MOST), method="bounded").x))


def _sure(w: FloatArray, w2: FloatArray) -> FloatArray:
    """Return how far the mean weight of a bin, over all cells, is known, from 0 to 1; shape (n_bins,)."""
    squares = w2.sum(axis=0)
    effective = np.divide(w.sum(axis=0) ** 2, squares, out=np.zeros_like(squares), where=squares > 0)
    beyond_one = np.maximum(effective - 1.0, 0.0)
    return np.asarray(beyond_one / (beyond_one + _WEIGHTS))


def _weights_of(w: FloatArray, n: FloatArray, product: FloatArray, share: FloatArray, sure: FloatArray) -> FloatArray:
    """Return sums of weights of as many events as the product has: weights depend on the cell and on the bin.

    A cell keeps its sum, so that a large weight in one says nothing of others. Where some weights are negative, and a
    cell's or a bin's may add up to nothing, that of the whole sample is taken.
    """
    overall = w.sum() / n.sum()
    cells, bins = n.sum(axis=1), n.sum(axis=0)
    of_cells = np.divide(w.sum(axis=1), cells, out=np.full(len(cells), overall), where=cells > 0)
    of_bins = np.divide(w.sum(axis=0), bins, out=np.full(len(bins), overall), where=bins > 0)
    found = product * overall
    if overall > 0 and of_cells.min() > 0 and of_bins.min() > 0:
        found = product * of_cells[:, None] * (sure * of_bins / overall + 1.0 - sure)
        wanted, have = ((share * values).sum(axis=1, keepdims=True) for values in (w, found))
        return np.asarray(found * np.divide(wanted, have, out=np.ones_like(have), where=wanted * have > 0))
    wanted, have = float((share * w).sum()), float((share * found).sum())
    return np.asarray(found * (wanted / have) if wanted * have > 0 else found)
