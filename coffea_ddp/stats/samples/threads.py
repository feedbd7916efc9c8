"""One thread for many small products of matrices: sharing them costs more than it brings."""

from __future__ import annotations

import functools
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from threadpoolctl import ThreadpoolController

_SMALL = 10_000
_without_torch, _with_torch = functools.cache(ThreadpoolController), functools.cache(ThreadpoolController)
"""A controller knows the libraries that are loaded when it is made, and torch brings its own."""


def small_products(n_points: int) -> AbstractContextManager[Any]:
    """Return a context of one thread where there are few points, and one that changes nothing where there are many.

    Examples
    --------
    >>> with small_products(100):
    ...     pass
    """
    return nullcontext() if n_points >= _SMALL else one_thread()


def one_thread() -> AbstractContextManager[Any]:
    """Return a context in which products of matrices are made by one thread."""
    controller: ThreadpoolController = _with_torch() if "torch" in sys.modules else _without_torch()
    limited: AbstractContextManager[Any] = controller.limit(limits=1)
    return limited
