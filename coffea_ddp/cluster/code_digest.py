"""The identity of the code that makes a result, and calls that other code refuses.

Counts depend on the code that fills them. Every process that does a part of a run, a worker of a cluster that joins
late as well, is asked to be of the same code before it does it: the same version and sources of this package, and the
same minor version of Python, between which plans cannot travel. Shards carry the digest in their folder's name.

Examples
--------
>>> package, digest, python = here().split("/")
>>> len(digest), difference(here())
(16, '')
>>> difference("0.0.1/0123456789abcdef/3.9").split(";")[0]  # doctest: +ELLIPSIS
'Python 3..., here Python 3.9'
"""

from __future__ import annotations

import hashlib
import platform
import sys
import time
from collections import Counter
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cloudpickle

from coffea_ddp.errors import OtherCodeError

_PACKAGE = Path(__file__).parents[1]
_PLANS = ("plan", "shipped")
"""Shipped plans: in a wheel they lie in the package, in a checkout beside it; a plan has its fingerprint."""
_PAUSE, _PASSES = 0.5, 600
"""Seconds after which a worker of other code gives a call back that must be done, and how often it does so."""
_passed: Counter[str] = Counter()
"""Numbers of calls that this process gave back, by Dask's keys."""


def sources(package: Path = _PACKAGE) -> str:
    """Return 16 hexadecimal digits that differ where the package's sources do."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        if name.parts[:2] != _PLANS:
            content = path.read_bytes()
            digest.update(f"{name.as_posix()}:{len(content)}:".encode() + content)
    return digest.hexdigest()[:16]


LOADED = sources()
"""Of the sources when this process loaded them: what is edited afterwards is not what it runs."""


def here() -> str:
    """Return the identity of this process's code: version, digest of the sources and Python, with slashes between."""
    try:
        package = version("coffea-ddp")
    except PackageNotFoundError:  # run from a source tree that was never installed
        package = "unknown"
    return f"{package}/{LOADED}/{'.'.join(map(str, sys.version_info[:2]))}"


def difference(expected: str) -> str:
    """Return in words how the code of a run, as :func:`here` told it there, differs from this one; empty if equal."""
    mine, theirs = here().split("/"), expected.split("/")
    if mine[2] != theirs[2]:
        return f"Python {mine[2]}, here Python {theirs[2]}; plans travel between equal versions only"
    if mine[:2] != theirs[:2]:
        return (
            f"coffea-ddp {mine[0]} with code {mine[1][:8]}, here coffea-ddp {theirs[0]} with code {theirs[1][:8]}; "
            "install the same on both"
        )
    return ""


def packed(function: Any) -> bytes:
    """Return a function as bytes, by value where it is of a plan's file."""
    content: bytes = cloudpickle.dumps(function)
    return content


@lru_cache(maxsize=8)
def unpacked(content: bytes) -> Any:
    """Return what was packed, the same object each time: a plan has much to build."""
    return cloudpickle.loads(content)


def call(expected: str, content: bytes, *arguments: Any, **options: Any) -> Any:
    """Call a packed function, in a process of the expected code.

    Nothing is unpacked before the code has been compared.

    Raises
    ------
    OtherCodeError
        If this process has other code.
    """
    problem = difference(expected)
    if problem:
        raise OtherCodeError(f"worker {_address()}: {problem}")
    return unpacked(content)(*arguments, **options)


def call_or_pass(expected: str, content: bytes, *arguments: Any) -> Any:
    """Call a packed function on a worker of a Dask cluster; one of other code has Dask give it to another worker.

    Raises
    ------
    OtherCodeError
        If Dask had no other worker for it for minutes.
    """
    if difference(expected):
        from distributed import Reschedule, get_worker

        key = str(get_worker().get_current_task())
        _passed[key] += 1
        if _passed[key] < _PASSES:
            time.sleep(_PAUSE)
            raise Reschedule
    return call(expected, content, *arguments)


def _address() -> str:
    """Return the address of this Dask worker or, of another process, the machine's name."""
    try:
        from distributed import get_worker

        return str(get_worker().address)
    except (ImportError, ValueError):
        return platform.node() or "?"
