"""The pictures of many rows, in this process or in several.

Examples
--------
>>> list(draw_rows([], None, Path("."), label="", permuting=Permuting(), jobs=1))
[]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from coffea_ddp.pages.images import Image, written
from coffea_ddp.pages.pictures.drawn import Permuting

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.rows import Row

_FEW = 8
"""So few rows are drawn before other processes have started."""


class Images(NamedTuple):
    """The pictures of one row that were written, and a note on those that are missing."""

    images: tuple[Image, ...]
    note: str


def draw_rows(
    rows: Sequence[Row], hists: Histograms | None, folder: Path, *, label: str, permuting: Permuting, jobs: int
) -> Iterator[Images]:
    """Draw the pictures of every row, and yield what was written, in the order of the rows.

    Parameters
    ----------
    rows
        Of a report; the files of the first are called 001.
    hists
        The output of the pass; without it there are no pictures.
    folder
        Where the files are written.
    label, permuting
        As of :func:`coffea_ddp.pages.pictures.pictures_of`.
    jobs
        Processes.
    """
    if hists is None:
        note = "There are no pictures: the report was written without the histograms (--hists HISTS)."
        yield from (Images((), note) for _ in rows)
        return
    numbered = list(enumerate(rows, 1))
    if jobs == 1 or len(rows) <= _FEW:
        yield from map(_drawer(hists, folder, label, permuting), numbered)
        return
    from loky import ProcessPoolExecutor

    with ProcessPoolExecutor(
        min(jobs, len(rows)), initializer=_prepare, initargs=(hists, folder, label, permuting)
    ) as pool:
        yield from pool.map(_draw_prepared, numbered)


def _drawer(hists: Histograms, folder: Path, label: str, permuting: Permuting) -> Callable[[tuple[int, Row]], Images]:
    return partial(_draw, hists, folder, label, permuting)


def _draw(hists: Histograms, folder: Path, label: str, permuting: Permuting, numbered: tuple[int, Row]) -> Images:
    from coffea_ddp.pages.pictures import pictures_of

    number, row = numbered
    found = pictures_of(row, hists, label=label, permuting=permuting)
    images = tuple(written(one, folder, f"{number:03d}-{one.name}.png") for one in found.pictures)
    return Images(images, f"Not drawn: {found.note}." if found.note else "")


_PREPARED: list[Callable[[tuple[int, Row]], Images]] = []
"""Of a worker process: what draws, with histograms that came once and not with every row."""


def _prepare(hists: Histograms, folder: Path, label: str, permuting: Permuting) -> None:
    _PREPARED[:] = [_drawer(hists, folder, label, permuting)]


def _draw_prepared(numbered: tuple[int, Row]) -> Images:
    return _PREPARED[0](numbered)
