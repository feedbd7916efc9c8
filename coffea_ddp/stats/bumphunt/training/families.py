"""Families of smooth spectra by name: what the network is trained on, what chooses between models, what judges them.

Each family draws the logarithm of shapes over the unit interval. Three sets never mix: :data:`TRAINING` alone is
trained on, :data:`VALIDATION` alone decides between models, :data:`FINAL` is for the tables in the documentation.

Examples
--------
>>> rng = np.random.default_rng(1)
>>> shapes = log_shapes(rng, 3, 50, ("exponentials",))
>>> shapes.shape, bool((np.diff(shapes) < 0).all())
((3, 50), True)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import UnknownNameError
from coffea_ddp.stats.bumphunt.training import falling_shapes, held_out, other_shapes

if TYPE_CHECKING:
    from numpy.random import Generator

    from coffea_ddp._typing import FloatArray
    from coffea_ddp.stats.bumphunt.training.draws import Family

TRAINING: dict[str, float] = {
    "exponentials": 1.0,
    "powers": 1.0,
    "dijet": 1.0,
    "turn_ons": 1.0,
    "knees": 1.0,
    "slopes": 2.0,
    "wiggles": 0.7,
    "polynomials": 1.0,
    "gaussian_tails": 0.7,
    "steps": 2.0,
    "mixtures": 1.0,
    "rising": 0.8,
    "flat": 0.6,
    "whole_turn_ons": 1.2,
    "kinematic_edges": 0.8,
    "end_points": 0.5,
    "jumps": 0.8,
    "second_turn_ons": 0.6,
}
"""Name -> how often, relative to the others."""
VALIDATION = ("lorentz_tails", "secants", "arctangents", "thermal", "whole_thermal", "thresholds")
MILD = ("stretched", "ua2", "gammas")
FINAL = (*MILD, "shoulders")
_FAMILIES: dict[str, Family] = {
    name: getattr(module, name)
    for module, names in (
        (falling_shapes, ("exponentials", "powers", "dijet", "turn_ons", "knees", "slopes", "wiggles", "polynomials",
                          "gaussian_tails", "steps", "mixtures")),
        (other_shapes, ("rising", "flat", "whole_turn_ons", "kinematic_edges", "end_points", "jumps",
                        "second_turn_ons")),
        (held_out, (*VALIDATION, *FINAL)),
    )
    for name in names
}  # fmt: skip


def log_shapes(
    rng: Generator, size: int, n_bins: int, names: Sequence[str], weights: Sequence[float] | None = None
) -> FloatArray:
    """Return logarithms of shapes whose largest value is 0, shape (size, n_bins), families drawn at random.

    Raises
    ------
    UnknownNameError
        If there is no family of a name.
    """
    for name in names:
        if name not in _FAMILIES:
            raise UnknownNameError(f"no family {name!r} of spectra; there are: {', '.join(_FAMILIES)}")
    x = (np.arange(n_bins) + 0.5) / n_bins
    share = np.ones(len(names)) if weights is None else np.asarray(weights, dtype=np.float64)
    chosen = rng.choice(len(names), size, p=share / share.sum())
    out = np.empty((size, n_bins))
    for number, name in enumerate(names):
        rows = np.flatnonzero(chosen == number)
        if len(rows):
            out[rows] = _FAMILIES[name](rng, x, len(rows))
    return np.asarray(out - out.max(axis=1, keepdims=True))
