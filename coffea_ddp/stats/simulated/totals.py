"""Numbers of events of simulated samples in exclusive cells, of which a sample may hold few events or none.

A sample that has no event in a cell does not expect 0 there. It borrows half an event, of the cells that all samples
together populate, and of the product of the axes where these have few events, too. A cell of many events keeps them:
none loses more than the square root of its events. All are counted with the mean weight of their sample, so that a
single large weight says nothing of other cells.

Examples
--------
>>> n = np.array([[12.0], [3.0], [0.0]])
>>> weights_of_3, other = SimulatedCounts(3.0 * n, 9.0 * n, n), SimulatedCounts(n + 4.0, n + 4.0, n + 4.0)
>>> cell_totals([weights_of_3, other])[0].round(1)
array([11.8,  2.9,  0.3])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq

from coffea_ddp.stats.simulated.rates import SimulatedCounts, mixture_shape

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

MOST = 0.5
"""Events that a sample borrows of the others in a cell at most."""
_LEAST = 1e-9
_REACH = 50.0


def cell_totals(samples: Sequence[SimulatedCounts], places: IntArray | None = None) -> list[FloatArray]:
    """Return the events of every sample in exclusive cells, shape (n_cells,), of the sum of those that are there.

    Parameters
    ----------
    samples
        The simulated ones.
    places
        Of the cells on the axes of their grid, shape (n_axes, n_cells); by default they have no axes.
    """
    if not samples:
        return []
    common = _common(samples, np.zeros((0, len(samples[0].n)), np.int64) if places is None else places)
    return [_totals(one.n.sum(axis=1), common) for one in samples]


def _totals(n: FloatArray, common: FloatArray) -> FloatArray:
    total = n.sum()
    if not total:
        return n
    around = np.maximum(common * total, _LEAST)
    borrowed = min(mixture_shape(n, around), MOST)

    def events(logarithm: float) -> FloatArray:
        moved = np.exp(logarithm) * around
        return np.asarray(np.maximum((n + borrowed) * moved / (moved + borrowed), n - np.sqrt(n)))

    # What all say together is brought to the level at which the sample keeps its sum: cells of many events keep theirs.
    return events(brentq(lambda one: float(events(one).sum() - total), -_REACH, _REACH))


def _common(samples: Sequence[SimulatedCounts], places: IntArray) -> FloatArray:
    """Return the shares of cells in all samples together, of the sum 1."""
    sizes = [max(float(one.w.sum()), 0.0) / max(float(one.n.sum()), 1.0) for one in samples]
    w = np.sum([size * one.n.sum(axis=1) for size, one in zip(sizes, samples, strict=True)], axis=0)
    squares = np.sum([size**2 * one.n.sum() for size, one in zip(sizes, samples, strict=True)])
    if not w.sum():
        return np.full(len(w), 1.0 / max(len(w), 1))
    events = w * (w.sum() / squares)
    product = np.full(len(w), events.sum())
    for place in places:
        product = product * (np.bincount(place, events) / events.sum())[place]
    product = np.maximum(product * (events.sum() / product.sum()), _LEAST)
    mixed = (events + MOST) * product / (product + MOST)
    return np.asarray(mixed / mixed.sum())
