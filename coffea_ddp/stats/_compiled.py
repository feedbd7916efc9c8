"""Compilation of loops over numbers in fast arithmetic, and the block of pseudo-experiments that they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from coffea_ddp._compiled import compiled_with

_F = TypeVar("_F", bound=Callable[..., Any])

TOYS = 64
"""Pseudo-experiments in the innermost loop: four vectors of 16, and the bits of one random word."""

# NaN never occurs; sums may be taken in any order. (`isnan` would not work in here.)
_FAST = {"nnan", "nsz", "contract", "reassoc"}


def compiled(function: _F) -> _F:
    """Return a function that is compiled at its first call; its arithmetic is fast and knows no NaN."""
    return compiled_with(function, fastmath=_FAST)


def compiled_in_order(function: _F) -> _F:
    """Return a function as :func:`compiled` does, whose sums are taken in the order in which they are written.

    Other functions that do the same sums have the same bits then.
    """
    return compiled_with(function, fastmath=_FAST - {"reassoc"})
