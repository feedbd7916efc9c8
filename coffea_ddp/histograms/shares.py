"""Expected shares of side B in whole units: sums of them are the same bits in any order.

An event of which side B has the probability e is expected with e on side B, with the variance e (1 - e). Both are
rounded to multiples of 2^-24, which single precision holds exactly; 10^9 of them fit into a 64-bit sum.

Examples
--------
>>> e = quantised(np.array([0.5, 0.25]))
>>> (e / SHARE).tolist(), (variance(e) / SHARE).tolist()
([0.5, 0.25], [0.25, 0.1875])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

SHARE = 2**24
"""Units of a share of 1."""


def quantised(share: FloatArray) -> IntArray:
    """Return shares in whole units, between 1 and ``SHARE - 1``: no event is certain; shape (n,)."""
    return np.clip(np.rint(share * SHARE), 1, SHARE - 1).astype(np.int64)


def variance(units: IntArray) -> IntArray:
    """Return the variance of shares, e (1 - e), in whole units; shape (n,)."""
    return np.rint(units * ((SHARE - units) / SHARE)).astype(np.int64)
