r"""Skims of marked regions: their events, with all branches of their files.

Examples
--------
>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = Path(folder, "events.txt").write_text("# coffea-ddp/events of a region\n1:2:3\n1:2:44\n")
...     read_identity(Path(folder, "events.txt")).tolist()
[[1, 2, 3], [1, 2, 44]]
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp._files import check_input
from coffea_ddp.errors import FileError, FormatError, InputError, check_progress, named
from coffea_ddp.evidence.region_events import RegionEvents
from coffea_ddp.histograms.stored import IDENTITY_NAMES
from coffea_ddp.running.skimming import Skim, skim_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_LINE = re.compile(r"\s*(\d+)\s*:\s*(\d+)\s*:\s*(\d+)\s*(?:#.*)?$")


def skim(
    events: RegionEvents | str | Path,
    fileset: Any,
    folder: str | Path,
    *,
    tree: str = "Events",
    progress: Callable[[int, int, str], None] | None = None,
) -> Skim:
    r"""Copy chosen events out of NanoAOD files, with all that the files know of them.

    Parameters
    ----------
    events
        The events of a region, or the path of a list: text of lines ``run:luminosityBlock:event``, or a CSV or Parquet
        file with the columns ``run``, ``luminosityBlock`` and ``event``.
    fileset, folder, tree, progress
        As for :func:`coffea_ddp.running.skimming.skim_files`.

    Returns
    -------
    Skim
        The small files, and the events that no file holds.

    Raises
    ------
    InputError, FileError, FormatError
        If there are no events, a list is none, or a file cannot be read or written.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp.testing import make_nanoaod
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = make_nanoaod(f"{folder}/nano.root", events=100, seed=1)
    ...     _ = Path(folder, "events.txt").write_text("1:1:1\n")
    ...     skim(f"{folder}/events.txt", path, f"{folder}/skims").n_wanted
    1
    """
    check_progress("skim", progress)
    if isinstance(events, RegionEvents):
        identity = np.stack([events.columns[name].astype(np.uint64) for name in IDENTITY_NAMES], axis=1)
    elif isinstance(events, str | Path):
        identity = read_identity(events)
    else:
        raise InputError(f"skim, events: got {named(events)}; give region_events(...) or the path of a list")
    return skim_files(identity, fileset, folder, tree=tree, progress=progress)


def read_identity(path: str | Path) -> NDArray[np.uint64]:
    """Return run, luminosity block and event of a list of events; shape (n, 3).

    Raises
    ------
    FileError
        If the file cannot be read.
    FormatError
        If it is no list of events.
    """
    check_input(path)
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileError(f"{path}: no such file; `coffea-ddp events REPORT --row N -o {path}` makes a list") from None
    except (OSError, ValueError) as error:  # the latter for names that no file can have
        raise FileError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if content[:4] == b"PAR1":
        return _of_columns(path, content, "read_parquet")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FormatError(f"{path}: neither text nor a Parquet file; {_HELP}") from None
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if lines and "," in lines[0]:
        return _of_columns(path, content, "read_csv")
    found = [_LINE.match(line) for line in lines]
    for line, match in zip(lines, found, strict=True):
        if match is None:
            raise FormatError(f"{path}: the line {line[:60]!r} is no event; {_HELP}")
    try:
        return np.array([match.groups() for match in found if match], dtype=np.uint64).reshape(-1, 3)
    except OverflowError:
        raise FormatError(f"{path}: a number is larger than 2^64; {_HELP}") from None


_HELP = "give lines run:luminosityBlock:event, or a table with the columns run, luminosityBlock and event"


def _of_columns(path: str | Path, content: bytes, how: str) -> NDArray[np.uint64]:
    import pandas as pd

    try:
        table = getattr(pd, how)(io.BytesIO(content))
        lacking = [name for name in IDENTITY_NAMES if name not in table]
        if lacking:
            raise FormatError(f"{path}: no column {lacking[0]!r}; {_HELP}")
        columns = [table[name].to_numpy() for name in IDENTITY_NAMES]
        if any(values.dtype.kind not in "iu" or (values < 0).any() for values in columns):
            raise FormatError(f"{path}: runs, luminosity blocks and events are whole numbers, 0 or more; {_HELP}")
        return np.stack([values.astype(np.uint64) for values in columns], axis=1)
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise FormatError(f"{path}: cannot be read as a table of events ({str(error)[:200]}); {_HELP}") from None
