"""Well-mixed 64-bit words: the finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014).

Examples
--------
>>> int(mixed(np.array([1], dtype=np.uint64))[0])
6238072747940578789
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""The increment of splitmix64: the odd number next to 2^64 over the golden ratio."""

FACTORS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
"""The two multipliers of the finaliser."""


def mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return words of which every bit depends on all bits of x; a one-to-one map, 0 stays 0."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * FACTORS[0]
        x = (x ^ (x >> np.uint64(27))) * FACTORS[1]
        return x ^ (x >> np.uint64(31))
