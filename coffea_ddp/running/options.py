"""Options of a run: the reading of files, and the folder of finished chunks.

Examples
--------
>>> Reading(chunksize=0)
Traceback (most recent call last):
...
coffea_ddp.errors.InputError: Reading(chunksize=0): give a whole number of 1 or more
"""

from __future__ import annotations

import dataclasses
import math
import operator
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coffea_ddp.errors import InputError, named
from coffea_ddp.running.sources import TREE

CHUNKSIZE = 200_000
"""Default number of events a chunk; chunks end where the file's clusters do."""
TIMEOUT = 60.0
"""Default number of seconds that a server may take for one answer."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The reading of files: chunks, tree, addresses, and what is done about files that cannot be read.

    Parameters
    ----------
    chunksize
        Events a chunk; chunks end where the file's clusters do.
    tree
        The tree of files given without one.
    redirector
        Put before logical names (``/store/...``), as in ``root://cms-xrd-global.cern.ch/``.
    timeout
        Seconds that a server may take for one answer.
    retries
        Number of further attempts for a chunk of a file that is not on a local disk.
    skip_bad_files
        A file that cannot be opened, or lacks a branch, is left out, named in ``missing``, and the output is PARTIAL;
        else it stops the run. What fails later (a file that vanishes, a basket that cannot be read, a chunk with which
        workers die) never stops it: the rest is done, and what failed is named.

    Raises
    ------
    InputError
        If a value cannot be used.

    Examples
    --------
    >>> Reading(chunksize=50_000, skip_bad_files=True).timeout
    60.0
    """

    chunksize: int = CHUNKSIZE
    tree: str = TREE
    redirector: str = ""
    timeout: float = TIMEOUT
    retries: int = 2
    skip_bad_files: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "chunksize", whole(self.chunksize, "Reading", "chunksize", 1))
        object.__setattr__(self, "retries", whole(self.retries, "Reading", "retries", 0))
        object.__setattr__(self, "timeout", _seconds(self.timeout))
        flag(self.skip_bad_files, "Reading(skip_bad_files)")
        for name in ("tree", "redirector"):
            if not isinstance(text := getattr(self, name), str):
                raise InputError(f"Reading({name}): got {named(text)}; give a text")


@dataclass(frozen=True)
class Checkpoint:
    """The folder of finished chunks, with which an interrupted run goes on.

    Parameters
    ----------
    folder
        A new or empty folder, or that of an earlier run. Its chunks are removed when everything is done; other files in
        it are never touched. On a cluster the workers write there if they reach it, else this process does.
    resume
        Take the chunks in the folder for done; without it, they are removed first. The result has the same bits as that
        of a run that was never interrupted.
    keep
        Leave the chunks when everything is done: for those who remove them once the result is saved.

    Raises
    ------
    InputError
        If the folder is no path, or ``resume`` and ``keep`` are not True or False.

    Examples
    --------
    >>> Checkpoint("hists.parts", resume=True).keep
    False
    """

    folder: str | Path
    resume: bool = dataclasses.field(default=False, kw_only=True)
    keep: bool = dataclasses.field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        folder: Any = self.folder
        if not isinstance(folder, str | os.PathLike) or not str(folder) or "\0" in str(folder):
            raise InputError(f"Checkpoint(folder): got {named(folder)}; give the path of a folder")
        flag(self.resume, "Checkpoint(resume)")
        flag(self.keep, "Checkpoint(keep)")


def reading_of(given: Reading | None) -> Reading:
    """Return the reading that was given, or the default.

    Raises
    ------
    InputError
        If it is something else.
    """
    if given is None:
        return Reading()
    if isinstance(given, Reading):
        return given
    raise InputError(f"reading: got {named(given)}; give a Reading, as in reading={_as_reading(given)}")


def checkpoint_of(given: Checkpoint | str | Path | None) -> Checkpoint | None:
    """Return the checkpoint that was given as an object or as a folder, if one was.

    Raises
    ------
    InputError
        If it is something else.
    """
    if given is None or isinstance(given, Checkpoint):
        return given
    if isinstance(given, str | os.PathLike):
        return Checkpoint(Path(given) if str(given) else given)
    raise InputError(f"checkpoint: got {named(given)}; give a folder, or Checkpoint('FOLDER', resume=True)")


def whole(value: Any, kind: str, name: str, lowest: int) -> int:
    """Return a whole number; 2e5 is one, too.

    Raises
    ------
    InputError
        If it is none, or below the lowest.
    """
    wrong = InputError(f"{kind}({name}={value!r}): give a whole number of {lowest} or more")
    if isinstance(value, bool):
        raise wrong
    try:
        found = int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)
    except TypeError:
        raise wrong from None
    if found < lowest:
        raise wrong
    return found


def flag(value: Any, name: str) -> None:
    """Check that a value is True or False: a text such as "no" would count as True.

    Raises
    ------
    InputError
        If it is not.
    """
    if not isinstance(value, bool):
        raise InputError(f"{name}: got {named(value)}; give True or False")


def _seconds(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 1e-3:
        raise InputError(f"Reading(timeout={value!r}): give a number of seconds, 0.001 or more")
    return float(value)


def _as_reading(given: Any) -> str:
    """Return how a reading is written, with what was given where its meaning is known."""
    known = {field.name for field in dataclasses.fields(Reading)}
    if isinstance(given, dict) and given and set(given) <= known:
        return f"Reading({', '.join(f'{name}={value!r}' for name, value in given.items())})"
    if isinstance(given, int) and not isinstance(given, bool):
        return f"Reading(chunksize={given})"
    return "Reading(chunksize=200_000)"
