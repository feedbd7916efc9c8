"""Compilation of loops by numba, with machine code that is kept on disk.

numba keeps the code beside the source, else in the user's own cache (``~/.cache/numba``); ``NUMBA_CACHE_DIR`` names
another folder. Two cases are left to this module: no folder can be written to (an image whose home is read-only), or
the one that numba chose takes no more bytes (a full quota). The code is then kept in a folder of this user among the
temporary files. A folder that is not beside the source is told when it is first used, and that nothing can be kept once
a process.
"""

from __future__ import annotations

import functools
import logging
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

_F = TypeVar("_F", bound=Callable[..., Any])
_PROBE = 1 << 16
"""Bytes that a folder has to take to be used; a full quota takes empty files."""

_config: Any = numba.config  # made of environment variables, so its names have no types

log = logging.getLogger(__name__)


def compiled(function: _F) -> _F:
    """Return a function that is compiled at its first call, in IEEE arithmetic, without the interpreter's lock.

    Examples
    --------
    >>> from coffea_ddp._compiled import compiled
    >>> @compiled
    ... def twice(x: float) -> float:
    ...     return x + x
    >>> twice(0.5)
    1.0
    """
    return compiled_with(function)


def compiled_with(function: _F, **options: Any) -> _F:
    """Return a function as :func:`compiled` does, with more options of ``numba.njit``."""
    make = functools.partial(numba.njit, nogil=True, error_model="numpy", **options)
    kept = _kept(make, function)
    if kept is None:
        with _cache_folder(_temporary_folder()):
            kept = _kept(make, function)
    if kept is None:
        _tell_nothing_is_kept()
        return cast("_F", make()(function))
    _tell_where(function, Path(kept.stats.cache_path))
    return cast("_F", kept)


def _kept(make: Callable[..., Any], function: Callable[..., Any]) -> Any:
    """Return the compiled function, or None where the folder that numba chooses does not take its code."""
    try:
        found = make(cache=True)(function)
    except RuntimeError:  # "no locator available": no folder can be written to, or there is no source
        return None
    return found if _takes_code(found.stats.cache_path) else None


@functools.cache
def _takes_code(folder: str) -> bool:
    """Return True for a folder that holds code already, or takes a file."""
    if any(Path(folder).glob("*.nbi")):
        return True
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)  # numba makes no folder for a package in a zip file
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE))
            file.flush()
    except OSError:
        return False
    return True


@functools.cache
def _temporary_folder() -> str:
    """Return the folder of this user among the temporary files, or "" where it is somebody else's.

    numba unpickles what it finds there, so nobody else may write into it.
    """
    try:
        folder = Path(tempfile.gettempdir(), f"coffea-ddp-numba-{os.getuid()}")
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return ""
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return str(folder) if mine else ""


@contextmanager
def _cache_folder(folder: str) -> Iterator[None]:
    """Let numba choose a folder while a function is declared; other people's functions keep theirs."""
    before = _config.CACHE_DIR
    _config.CACHE_DIR = folder
    try:
        yield
    finally:
        _config.CACHE_DIR = before


def _tell_where(function: Callable[..., Any], folder: Path) -> None:
    """Say where code is kept if that is neither beside the source nor where the user asked; while nothing is there."""
    asked = _config.CACHE_DIR
    expected = Path(asked) if asked else Path(function.__code__.co_filename).parent / "__pycache__"
    if not folder.is_relative_to(expected) and not any(folder.glob("*.nbi")):
        _tell_folder(folder.parent, asked)


@functools.cache
def _tell_folder(folder: Path, asked: str) -> None:
    why = f"NUMBA_CACHE_DIR={asked} cannot be written to" if asked else "the folder of the package cannot be written to"
    log.warning("compiled code is kept in %s: %s", folder, why)


@functools.cache
def _tell_nothing_is_kept() -> None:
    log.warning(
        "compiled code is not kept, so that every process compiles anew: neither the folder of the package, nor the "
        "user's cache, nor a folder for temporary files can be written to. NUMBA_CACHE_DIR names another folder"
    )
