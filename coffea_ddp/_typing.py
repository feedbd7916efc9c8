"""Short names for array types, so that signatures stay readable."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ShortArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]
AnyArray = NDArray[Any]
RealArray = NDArray[np.floating[Any]]
"""Real numbers of single or double precision."""
