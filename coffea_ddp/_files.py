"""Files on disk: what a path leads to, and outputs that are there whole or not at all.

An output takes the place of nothing, of an empty file, or of an older output of the same kind, which is told by what is
in it. Everything else that may be there is somebody's, and stays.

Examples
--------
>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     path = write_text(f"{folder}/table.csv", "kind,symmetry,observable,cell", TABLE)
...     path.read_text(), what_is(path)
...     write_text(path, "z_injected,n_signal", SENSITIVITY)  # doctest: +IGNORE_EXCEPTION_DETAIL
Traceback (most recent call last):
...
coffea_ddp.errors.FileError: table.csv: a table of a report is there already, and would be lost
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from coffea_ddp.errors import FileError, InputError, named

OUTPUT, REPORT, ROOT = "an output of `coffea-ddp run`", "a report of `coffea-ddp scan`", "a ROOT file"
BUMP_REPORT = "a report of `coffea-ddp bump`"
TABLE, COMPARISON, SENSITIVITY = "a table of a report", "a result of `coffea-ddp compare`", "a table of sensitivities"
SPECTRA, NETWORK, SIMULATED = "a file of mass spectra", "a network of a bump hunt", "a file of simulated events"
PERFORMANCE, CALIBRATION = "a performance report", "a calibration"
CONFIRMATION, REGION, LIMITS = "a confirmation of `coffea-ddp confirm`", "an exported region", "a table of limits"
EVENT_LIST, SKIM = "a list of events", "a file of chosen events"
CHANGES = "a result of `coffea-ddp compare-reports`"
MENU = "a trigger menu that a run has kept"
"""Names of the kinds of files in messages."""

TEXTS = frozenset(
    {REPORT, BUMP_REPORT, TABLE, COMPARISON, SENSITIVITY, CONFIRMATION, REGION, LIMITS, EVENT_LIST, CHANGES}
)
"""The kinds that may go to standard output."""


Ours = Callable[[Path], bool]


def _format(name: str) -> bytes:
    return rb'\{\s*"format"\s*:\s*"coffea-ddp/' + re.escape(name.encode()) + rb'"'


_ZIP = rb"PK\x03\x04(?s:.{0,300}?)"
_MARKS: dict[str, re.Pattern[bytes]] = {
    OUTPUT: re.compile(_ZIP + _format("histograms")),
    NETWORK: re.compile(_ZIP + _format("bump-network")),
    BUMP_REPORT: re.compile(_format("report") + rb'(?s:.{0,500}?)"fingerprint"\s*:\s*""'),  # no pass, no plan
    REPORT: re.compile(_format("report")),
    COMPARISON: re.compile(_format("comparison")),
    CONFIRMATION: re.compile(_format("confirmation")),
    CHANGES: re.compile(_format("report-changes")),
    MENU: re.compile(_format("menu")),
    EVENT_LIST: re.compile(rb"run,luminosityBlock,event,side|# coffea-ddp/events"),
    SPECTRA: re.compile(_format("spectra") + rb"|spectrum,low,high,count(,variance)?\nROI_mass_"),
    TABLE: re.compile(rb"kind,symmetry,observable,cell,"),
    SENSITIVITY: re.compile(rb"z_injected,n_signal"),
    REGION: re.compile(
        _format("region")
        + rb'|\{\s*"version"\s*:\s*"1\.0\.0"\s*,\s*"measurements"\s*:\s*\[\s*\{\s*"name"\s*:\s*"coffea-ddp: '
        + rb"|# coffea-ddp region\n"
    ),
    LIMITS: re.compile(_format("limits") + rb"|symmetry,cell,n_a,n_b,kappa,"),
    PERFORMANCE: re.compile(rb"(?i:<!doctype html>)\s*<!-- coffea-ddp/performance-report -->"),
    CALIBRATION: re.compile(rb'\{\s*"schema_version"\s*:\s*2\s*,\s*"description"\s*:\s*"coffea-ddp calibration'),
    ROOT: re.compile(rb"root"),
    "an array of numpy": re.compile(rb"\x93NUMPY"),
    "a zip archive": re.compile(rb"PK"),
    "a JSON file": re.compile(rb"\s*[\[{]"),
}
"""First bytes of the files of each kind; the first that fits is right."""


def what_is(path: str | Path) -> str:
    """Return what a path leads to, by what is there and not by its name; a report, whichever command made it.

    Examples
    --------
    >>> what_is("/"), what_is("nowhere/at_all"), what_is("/dev/null")
    ('a folder', 'no file', 'a device')
    """
    kind = _kind_of(Path(path))
    return REPORT if kind == BUMP_REPORT else kind


def _kind_of(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            return _no_file(mode)
        with path.open("rb") as file:
            begin = file.read(600)
    except (OSError, ValueError):
        return "no file"
    if not begin:
        return "an empty file"
    known = [kind for kind, mark in _MARKS.items() if mark.match(begin)]
    if not known and b"\x00" not in begin and _is_text(begin):
        known = ["a text file"]
    return known[0] if known else "a file of another kind"


def advice(path: str | Path) -> str:
    """Return what a path leads to, and what to do with such a file: for messages about files of the wrong kind.

    Examples
    --------
    >>> advice("/")
    'a folder'
    """
    kind = what_is(path)
    return f"{kind}; {_ADVICE[kind].format(path=path)}" if kind in _ADVICE else kind


_ADVICE = {
    OUTPUT: "ddp.load reads it, and `coffea-ddp scan {path} -o report.json` makes a report of it",
    REPORT: "ScanReport.load reads it, and `coffea-ddp report {path} -o report` shows it",
    ROOT: "of events: `coffea-ddp run symmetries {path} -o hists.ddp` fills histograms; of mass spectra: "
    "`coffea-ddp bump {path}` looks at them",
    SPECTRA: "`coffea-ddp bump {path}` looks at it",
    CALIBRATION: "`coffea-ddp run PLAN FILES --calibration {path}` uses it",
    NETWORK: "`coffea-ddp bump FILE --weights {path}` uses it",
    REGION: "pyhf, hist or HEPData read it, as it was exported",
}


def _no_file(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFLNK: "a symbolic link",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(content) - 4  # a character cut in two
    return True


def check_input(path: str | Path) -> None:
    """Fail where a path leads to what cannot be read as a file: opening a pipe waits for somebody to write into it.

    Raises
    ------
    FileError
        With what is there. A path that leads nowhere is left to whoever opens it.

    Examples
    --------
    >>> check_input("/dev/null")
    Traceback (most recent call last):
    ...
    coffea_ddp.errors.FileError: /dev/null: is a device, not a file; save what comes from it in a file, and give that
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise FileError(f"{path}: is {_no_file(mode)}, not a file; save what comes from it in a file, and give that")


def check_output(path: str | Path, kind: str, ours: Ours | None = None) -> None:
    """Fail where a file of a kind cannot be written, or would take the place of anything but an older one of its kind.

    Parameters
    ----------
    path
        Of the output.
    kind
        One of the kinds of this module, :data:`OUTPUT` or the like.
    ours
        Tells of a file whose beginning does not say it whether it is of this kind.

    Raises
    ------
    FileError
        With what is there, and what to do.
    """
    path = Path(path)
    try:
        problem = _problem(path, kind, ours)
    except (OSError, ValueError) as error:
        problem = f"cannot be written ({getattr(error, 'strerror', None) or error}); choose another output file"
    if problem:
        raise FileError(f"{path}: {problem}")


def _problem(path: Path, kind: str, ours: Ours | None) -> str:
    """Return what is wrong with an output's place; empty if it is free."""
    folder = path.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return f"the folder {folder.resolve()} does not exist or cannot be written to; choose another output file"
    try:
        status = path.lstat()
    except FileNotFoundError:
        return ""
    if not stat.S_ISREG(status.st_mode):
        advice = "give a file" + (", or - for standard output" if kind in TEXTS else "")
        leads = f" to {path.readlink()}" if stat.S_ISLNK(status.st_mode) else ""
        return f"is {_no_file(status.st_mode)}{leads}, not a file; {advice}"
    if status.st_size and _kind_of(path) != kind and not (ours is not None and ours(path)):
        return f"{_kind_of(path)} is there already, and would be lost; choose another output file"
    if not status.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        return "is write-protected; choose another output file, or allow it with chmod"
    return ""


def write_in_place(
    path: str | Path, write: Callable[[Path], object], kind: str | None, ours: Ours | None = None
) -> Path:
    """Write a file under a temporary name beside ``path`` and move it there when it is whole and on the disk.

    Parameters
    ----------
    path
        Of the file.
    write
        Writes it to the path that it is given.
    kind, ours
        As for :func:`check_output`, which is asked before and after the writing; ``None`` in a folder of our own, where
        whatever has this name is replaced.

    Raises
    ------
    InputError
        If it is no path of a file.
    FileError
        If it cannot be written, or something else is there.
    """
    given: Any = path
    if not isinstance(given, str | os.PathLike) or not Path(given).name:
        raise InputError(f"path: got {named(given)}; give the path of the file to write")
    path = Path(given)
    temporary = path.with_name(f".coffea-ddp-{uuid.uuid4().hex[:12]}.tmp")
    try:
        if kind is not None:
            check_output(path, kind, ours)
        write(temporary)
        if kind is not None:
            check_output(path, kind, ours)
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(path, temporary)  # those who could read the older one can read this one
        _to_disk(temporary)
        temporary.replace(path)
        with contextlib.suppress(OSError):  # not all file systems do that for folders
            _to_disk(path.parent)
    except OSError as error:
        raise FileError(
            f"{path}: cannot be written ({error.strerror or error}); choose another output file, or make the folder"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return path


def write_text(path: str | Path, text: str, kind: str | None) -> Path:
    """Write a text file in place (see :func:`write_in_place`)."""
    return write_in_place(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline=""), kind)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
