"""Arguments of fits with a signal template: arrays with leading batch axes as the rows of many problems.

Examples
--------
>>> flat, batch, of = problems_of({"a": np.ones((2, 1, 3)), "signal": np.ones((4, 3))}, bins_ndim=1)
>>> flat["a"].shape, batch, of.shape
((2, 3), (2, 4), (8, 2))
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray


def problems_of(
    arrays: dict[str, FloatArray], bins_ndim: int | None, *others: FloatArray
) -> tuple[dict[str, FloatArray], tuple[int, ...], IntArray]:
    """Return the arrays as rows of bins, the shape of the batch, and which rows make each problem.

    Parameters
    ----------
    arrays
        By their names, shape ``(..., *bins)``.
    bins_ndim
        How many of the last axes are bins; by default all axes of the array with the fewest.
    others
        What has no bins, as kappa: of a shape that fits to the leading axes.

    Returns
    -------
    dict, tuple, ndarray
        Every array as (n_rows, n_bins), C-contiguous; the shape that all leading axes broadcast to; the row of every
        array and of every one of the others, in their order, of each problem; shape (n_problems, n_arrays).

    Raises
    ------
    InputError
        If bins differ, batches do not fit together, or there are no bins.
    """
    n_axes = min(array.ndim for array in arrays.values())
    n_axes = n_axes if bins_ndim is None else checks.whole(bins_ndim, "bins_ndim")
    if n_axes < 1 or any(array.ndim < n_axes for array in arrays.values()):
        raise InputError(f"bins_ndim={n_axes}: give 1 to the number of axes of every array")
    bins = {name: array.shape[array.ndim - n_axes :] for name, array in arrays.items()}
    if len(set(bins.values())) > 1:
        given = ", ".join(f"{name} {shape}" for name, shape in bins.items())
        raise InputError(f"bins differ ({given}); give arrays of the same bins, and bins_ndim where there are batches")
    heads = [array.shape[: array.ndim - n_axes] for array in arrays.values()]
    heads += [one.shape for one in others]
    try:
        batch = np.broadcast_shapes(*heads)
    except ValueError as error:
        raise InputError(f"batches of shapes {', '.join(map(str, heads))} do not fit together ({error})") from error
    rows = [np.broadcast_to(np.arange(math.prod(head)).reshape(head), batch).ravel() for head in heads]
    size = math.prod(next(iter(bins.values())))
    if not size:
        raise InputError("there are no bins; give at least one")
    flat = {name: np.ascontiguousarray(array.reshape(-1, size)) for name, array in arrays.items()}
    return flat, batch, np.stack(rows, axis=1)


def check_template(signal: FloatArray) -> None:
    """Stop where a template of rows of bins is 0 in all of them."""
    if not signal.any(axis=1).all():
        raise InputError("a signal template is 0 in every bin: it lies outside of the matrix, or was never filled")
