"""Compilation of loops over numbers by numba, kept on disk, and the block of pseudo-experiments that they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

_F = TypeVar("_F", bound=Callable[..., Any])

TOYS = 64
"""Pseudo-experiments in the innermost loop: four vectors of 16, and the bits of one random word."""

# NaN never occurs; sums may be taken in any order. (`isnan` would not work in here.)
_FAST = {"nnan", "nsz", "contract", "reassoc"}


def compiled(function: _F) -> _F:
    """Compile lazily; keep the machine code on disk where that is possible (some containers are read-only)."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": _FAST}
    try:
        return cast("_F", numba.njit(cache=True, **options)(function))
    except RuntimeError:
        return cast("_F", numba.njit(**options)(function))
