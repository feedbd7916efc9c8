"""Permutations of the labels: which of the pooled events are A, drawn anew with both numbers kept.

Examples
--------
>>> drawn = draw_labels(np.array([1, 1, 1, 3]), 2, 1000, seed=1)
>>> drawn.shape, bool((drawn.sum(axis=1) == 2).all()), round(float(drawn[:, 3].mean()), 1)
((1000, 4), True, 1.0)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats._compiled import compiled

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, IntArray

_MOST = 10**9
"""numpy draws no hypergeometric numbers beyond."""


def draw_labels(multiplicity: IntArray, n_a: int, count: int, seed: int, first: int = 0) -> AnyArray:
    """Return the events of A at every point in each permutation, shape (count, n_points).

    They are of type int8 where no point has more than one event.

    Permutation k depends on (seed, first + k) alone: any split into blocks draws the same ones.

    Parameters
    ----------
    multiplicity
        Events at every point, shape (n_points,).
    n_a
        Events of A.
    count
        Number of permutations.
    seed, first
        Where their random numbers come from.

    Raises
    ------
    InputError
        If points have several events each, and there are 10^9 events or more in all.
    """
    single = bool((multiplicity == 1).all())
    out = np.empty((count, len(multiplicity)), dtype=np.int8 if single else np.int32)
    if not single and multiplicity.sum() >= _MOST:
        raise InputError(
            f"{multiplicity.sum():.3g} events are too many for permutations (10^9 and more): give toys=0 and a "
            "backend whose p is analytic, such as 'bins'"
        )
    for row in range(count):
        rng = np.random.Generator(np.random.SFC64([seed, first + row]))
        if single:
            _select(rng.integers(0, 2**32, len(multiplicity), dtype=np.uint32), n_a, out[row])
        else:
            out[row] = rng.multivariate_hypergeometric(multiplicity, n_a, method="marginals")
    return out


@compiled
def _select(words: Any, n_a: int, out: Any) -> None:
    """Take n_a of the points, each with the share still needed of those left (Knuth's selection sampling).

    A word of 32 bits decides to 2^-32 of the number of points.
    """
    need, left = np.uint64(n_a), np.uint64(len(out))
    for i in range(len(out)):
        taken = ((np.uint64(words[i]) * left) >> np.uint64(32)) < need
        out[i] = taken
        if taken:
            need -= np.uint64(1)
        left -= np.uint64(1)
