"""Groups of results from the same events: cells of one lattice overlap, so a deviation shows up in hundreds of them.

Examples
--------
>>> members = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]], dtype=bool)
>>> leaders(members, np.array([10.0, 8.0, 5.0]), np.array([1.0, 1.0, -1.0]))
array([0, 0, 2])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray, IntArray

OVERLAP = 0.5
"""Two cells are similar when more than this share of their events is in both (the Jaccard index)."""


def leaders(
    members: ArrayLike | sparse.csr_array[Any],
    weights: ArrayLike | Callable[[int], FloatArray],
    signs: ArrayLike,
    *,
    apart: ArrayLike | None = None,
    overlap: float = OVERLAP,
) -> IntArray:
    """Return for every cell the first, so the strongest, that holds mostly the same events.

    Parameters
    ----------
    members
        Which pieces each cell is made of, the strongest cell first; bools of shape (n_cells, n_pieces), or a sparse
        array of ones.
    weights
        Events of every piece, not negative; shape (n_pieces,). Or the events that each cell is about, where that is
        only a region of it: shape (n_cells, n_pieces), or a function of a cell's number that returns its row.
    signs
        Direction of each cell's deviation; opposite ones are never similar. Shape (n_cells,).
    apart
        Which pairs of cells are about different regions, and so never similar; shape (n_cells, n_cells).
    overlap
        Events in both over events in either, above which two cells are similar.

    Returns
    -------
    ndarray of int64, shape (n_cells,)
        The number of its leader; its own for a cell that leads.

    Raises
    ------
    InputError
        If the shapes do not fit.
    """
    inside: Any = members if sparse.issparse(members) else sparse.csr_array(np.asarray(members, np.float64))
    direction = np.sign(np.asarray(signs, dtype=np.float64))
    events_of = weights if callable(weights) else _rows_of(weights, inside.shape)
    if events_of is None or direction.shape != inside.shape[:1]:
        of_weights = "by cell" if callable(weights) else np.shape(weights)
        raise InputError(
            f"members {inside.shape}, weights {of_weights}, signs {direction.shape}: "
            "give (n_cells, n_pieces), (n_pieces,) or the same, and (n_cells,)"
        )
    different = None if apart is None else np.asarray(apart, dtype=bool)
    result, free = np.arange(len(direction)), np.ones(len(direction), dtype=bool)
    while free.any():
        # The strongest one that follows nobody leads; a pass over all cells per leader, and leaders are few.
        head = int(np.argmax(free))
        events = events_of(head)
        sizes = inside @ events
        common = inside @ (inside[[head]].toarray()[0] * events)
        similar = (common > overlap * (sizes + sizes[head] - common)) & (direction == direction[head])
        if different is not None:
            similar &= ~different[head]
        similar[head] = True
        result[free & similar] = head
        free &= ~similar
    return result


def _rows_of(weights: Any, shape: tuple[int, int]) -> Callable[[int], FloatArray] | None:
    """Return a function of a cell's number that returns its weights; ``None`` where shapes do not fit."""
    events = np.asarray(weights, dtype=np.float64)
    if events.shape not in (shape[1:], shape):
        return None
    return np.broadcast_to(events, shape).__getitem__
