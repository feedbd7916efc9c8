"""The figures of many rows, as data, in this process or in several.

Examples
--------
>>> list(draw_rows([], None, label="", permuting=Permuting(), jobs=1))
[]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from coffea_ddp.pages.pictures.drawn import Permuting

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.pages.pictures.figure import Figure
    from coffea_ddp.report.rows import Row

_FEW = 4
"""So few fits are made again before other processes have started."""
_FITTED = ("nplm", "classifier")


class Drawings(NamedTuple):
    """The figures of one row, and a note on those that are missing."""

    figures: tuple[Figure, ...]
    note: str


def draw_rows(
    rows: Sequence[Row], hists: Histograms | None, *, label: str, permuting: Permuting, jobs: int
) -> Iterator[Drawings]:
    """Yield the figures of every row, in the order of the rows.

    Parameters
    ----------
    rows
        Of a report.
    hists
        The output of the pass; without it there are no figures.
    label, permuting
        As of :func:`coffea_ddp.pages.pictures.pictures_of`.
    jobs
        Processes. Reading histograms is a matter of milliseconds a row: others than this one are started for rows whose
        fits are made again.
    """
    if hists is None:
        note = "There are no figures: the report was written without the histograms (--hists HISTS)."
        yield from (Drawings((), note) for _ in rows)
        return
    fitted = sum(row.test in _FITTED for row in rows)
    if jobs == 1 or fitted <= _FEW:
        yield from map(_drawer(hists, label, permuting), rows)
        return
    from loky import ProcessPoolExecutor

    with ProcessPoolExecutor(min(jobs, fitted), initializer=_prepare, initargs=(hists, label, permuting)) as pool:
        yield from pool.map(_draw_prepared, rows)


def _drawer(hists: Histograms, label: str, permuting: Permuting) -> Callable[[Row], Drawings]:
    return partial(_draw, hists, label, permuting)


def _draw(hists: Histograms, label: str, permuting: Permuting, row: Row) -> Drawings:
    from coffea_ddp.pages.pictures import pictures_of

    found = pictures_of(row, hists, label=label, permuting=permuting)
    return Drawings(found.pictures, f"Not drawn: {found.note}." if found.note else "")


_PREPARED: list[Callable[[Row], Drawings]] = []
"""Of a worker process: what draws, with histograms that came once and not with every row."""


def _prepare(hists: Histograms, label: str, permuting: Permuting) -> None:
    _PREPARED[:] = [_drawer(hists, label, permuting)]


def _draw_prepared(row: Row) -> Drawings:
    return _PREPARED[0](row)
