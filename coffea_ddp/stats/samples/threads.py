"""One thread for many small products of matrices: sharing them costs more than it brings."""

from __future__ import annotations

import functools
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from threadpoolctl import ThreadpoolController

_SMALL = 10_000


def small_products(n_points: int) -> AbstractContextManager[Any]:
    """Return a context of one thread where there are few points, and one that changes nothing where there are many.

    Examples
    --------
    >>> with small_products(100):
    ...     pass
    """
    return _controller("torch" in sys.modules).limit(limits=1) if n_points < _SMALL else nullcontext()


@functools.cache
def _controller(torch: bool) -> ThreadpoolController:
    # It knows the libraries that are loaded when it is made; torch brings its own.
    del torch
    return ThreadpoolController()
