"""Expected shares: the probability of side B of every event, where it is known and differs from event to event.

The null is that the label of event i is drawn on its own with ``P(B) = e_i``. What an event says is then its residual
``rho_i = a_i - (1 - e_i)``, a_i being 1 on side A and 0 on side B: of mean 0 and variance ``W_i = e_i (1 - e_i)``.
Equal shares are the null of one kappa, ``e = kappa / (1 + kappa)``.

Examples
--------
>>> shares = checked_shares(([0.5, 0.2], [0.9]), 2, 1)
>>> shares.tolist(), residuals(np.array([[1, 1, 0]]), shares).round(1).tolist()
([0.5, 0.2, 0.9], [[0.5, 0.2, -0.1]])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.conversion import shown

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, FloatArray

LEAST = 1e-9
"""A label that is more certain than that says nothing."""


def checked_shares(shares: Any, n_a: int, n_b: int) -> FloatArray:
    """Return the expected shares of pooled events, A first; shape (n_a + n_b,).

    Parameters
    ----------
    shares
        Those of the events of A and of B, a pair of arrays.
    n_a, n_b
        How many events there are.

    Raises
    ------
    InputError
        If they are no such pair, or one is not between 0 and 1 (no nearer to either than 1e-9).
    """
    is_array = isinstance(shares, np.ndarray) and shares.ndim > 0
    if not (is_array or isinstance(shares, (tuple, list))) or len(shares) != 2:
        raise InputError(
            f"shares={shown(shares)}: give a pair (e_a, e_b), the expected P(B) of every event of x_a and of x_b"
        )
    parts = []
    for name, values, n in (("e_a", shares[0], n_a), ("e_b", shares[1], n_b)):
        part = checks.finite(values, f"shares, {name}")
        if part.shape != (n,):
            raise InputError(f"shares: {name} has shape {part.shape}; give {n} numbers, one for each event")
        outside = ~((part >= LEAST) & (part <= 1.0 - LEAST))
        if outside.any():
            raise InputError(
                f"shares: {name} has {int(outside.sum())} of {n} values that are no probabilities between 0 and 1, as "
                f"{part[outside][0]:g}; an event whose label is certain says nothing: leave it out"
            )
        parts.append(part)
    return np.concatenate(parts)


def residuals(labels: AnyArray, shares: FloatArray) -> FloatArray:
    """Return ``a - (1 - e)``: labels (1 on side A) less what is expected of them; shapes (..., n) and (n,)."""
    return np.asarray(labels + (shares - 1.0))


def draw_labels_of_shares(shares: FloatArray, count: int, seed: int, first: int = 0) -> AnyArray:
    """Return labels (1 on side A) drawn from the expected shares, int8 of shape (count, n_events).

    Labelling k depends on (seed, first + k) alone: any split into blocks draws the same ones.

    Parameters
    ----------
    shares
        P(B) of every event, shape (n_events,).
    count
        Number of labellings.
    seed, first
        Where their random numbers come from.
    """
    out = np.empty((count, len(shares)), dtype=np.int8)
    for row in range(count):
        rng = np.random.Generator(np.random.SFC64([seed, first + row]))
        out[row] = rng.random(len(shares)) >= shares
    return out
