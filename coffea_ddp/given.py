"""What a function is given: an object of ours, or the path of the file that holds it; else an error that says what is.

Examples
--------
>>> histograms_of("scan", [1, 2])
Traceback (most recent call last):
...
coffea_ddp.errors.InputError: scan: got a list; give Histograms (of ddp.run, ddp.fill or ddp.load), or the path of a .ddp file
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from coffea_ddp.errors import InputError
from coffea_ddp.histograms import Histograms

if TYPE_CHECKING:
    from coffea_ddp.report import ScanReport


def histograms_of(what: str, value: Any) -> Histograms:
    """Return histograms, or those of the file that a path leads to.

    Raises
    ------
    InputError
        If it is neither.
    FileError, FormatError
        If the file cannot be read, or is of another kind.
    """
    if isinstance(value, Histograms):
        return value
    if isinstance(value, str | Path):
        from coffea_ddp.saving import load  # pyarrow, for files alone

        return load(value)
    raise InputError(
        f"{what}: got {_named(value)}; give Histograms (of ddp.run, ddp.fill or ddp.load), or the path of a .ddp file"
    )


def report_of(what: str, value: Any) -> ScanReport:
    """Return a report, or that of the file that a path leads to.

    Raises
    ------
    InputError
        If it is neither.
    FileError, FormatError
        If the file cannot be read, or is of another kind.
    """
    from coffea_ddp.report import ScanReport

    if isinstance(value, ScanReport):
        return value
    if isinstance(value, str | Path):
        return ScanReport.load(value)
    made = "of ddp.scan, ddp.hunt_spectra or ScanReport.load"
    raise InputError(f"{what}: got {_named(value)}; give a ScanReport ({made}), or the path of a report (.json)")


def a_path(what: str, value: Any) -> Path:
    """Return a path.

    Raises
    ------
    InputError
        If it is something else.
    """
    if isinstance(value, str | Path) and str(value):
        return Path(value)
    raise InputError(f"{what}: got {_named(value)}; give the path of a file")


def _named(value: Any) -> str:
    if isinstance(value, str):
        return "an empty text" if not value else f"the text {value!r}"
    name = type(value).__name__
    if isinstance(value, Histograms):
        return "Histograms"
    return "nothing" if value is None else f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
