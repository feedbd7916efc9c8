"""The bump hunt over all cells of a pass: every spectrum of every final state, in one ranking.

As for symmetries, cells that hold the same events are tested once, under their shortest name, and are sums over the
exclusive cells that were filled (law 1).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from coffea_ddp.effective import same
from coffea_ddp.errors import check_progress
from coffea_ddp.histograms.lattice import DistinctCells, distinct_cells
from coffea_ddp.histograms.pairs import as_spectrum
from coffea_ddp.report.ordering import in_order, ranked
from coffea_ddp.report.parts import BumpPart, CausePart
from coffea_ddp.report.report import ScanReport
from coffea_ddp.scanning.bump_contents import Binning, Contents
from coffea_ddp.scanning.bump_hunt import ONE, TOYS_FOR, hunted
from coffea_ddp.scanning.bump_range import MIN_EVENTS
from coffea_ddp.scanning.reflections import with_causes
from coffea_ddp.scanning.same_objects import with_same_objects
from coffea_ddp.scanning.steps import Progress
from coffea_ddp.stats import checks
from coffea_ddp.stats.defaults import TOYS
from coffea_ddp.stats.grouping import leaders
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.rows import Row
    from coffea_ddp.scanning.engines import Engine

_BLOCK = 512
"""Cells whose spectra are added up together."""


@dataclass(frozen=True)
class Bump:
    """The bump hunt in the mass spectra of all cells.

    Attributes
    ----------
    toys
        Background-only toys for each of the best spectra; those of the scan by default.
    toys_for
        Number of spectra that get them.
    min_events
        Spectra with fewer entries are counted as ``TOO_FEW_ENTRIES`` and not tested; by default as the scan says, and
        100 where it says nothing.

    Raises
    ------
    InputError
        If a number is none, or negative.

    Examples
    --------
    >>> Bump(toys=0).name
    'bump'
    """

    toys: int | None = None
    toys_for: int = TOYS_FOR
    min_events: int | None = None
    name: ClassVar[str] = "bump"
    kind: ClassVar[str] = "spectra"

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("toys", "toys_for", "min_events"):
            value = getattr(self, name)
            if value is not None or name == "toys_for":
                object.__setattr__(self, name, checks.whole(value, f"Bump, {name}"))

    def scan(
        self,
        hists: Histograms,
        *,
        best: int,
        toys: int,
        seed: int,
        engine: Engine = ONE,
        progress: Progress | None = None,
    ) -> ScanReport:
        """Return the report on all spectra of an output (:func:`bump_hunt_in_cells`)."""
        check_progress("Bump.scan", progress)
        return bump_hunt_in_cells(
            hists,
            min_events=MIN_EVENTS if self.min_events is None else self.min_events,
            best=best,
            toys=toys if self.toys is None else self.toys,
            toys_for=self.toys_for,
            seed=seed,
            engine=engine,
            progress=progress,
        )


class _Cells(NamedTuple):
    """The distinct cells of one spectrum, and what the exclusive ones hold; shape (n_codes, n_bins) without flow.

    The numbers of the cells that have a spectrum are found by their names.
    """

    cells: DistinctCells
    contents: FloatArray
    edges: FloatArray
    numbers: dict[str, int]


def bump_hunt_in_cells(
    hists: Histograms,
    *,
    spectra: Sequence[str] | None = None,
    min_events: int = MIN_EVENTS,
    best: int = 1_000,
    toys: int = TOYS,
    toys_for: int = TOYS_FOR,
    seed: int = 0,
    engine: Engine = ONE,
    progress: Progress | None = None,
) -> ScanReport:
    """Search the spectra of all cells for bumps.

    Parameters
    ----------
    hists
        The output of a pass.
    spectra
        Names; all by default.
    min_events
        Cells with fewer events in the spectrum are counted as ``TOO_FEW_ENTRIES`` and not tested.
    best
        How many rows the report keeps; the best of every spectrum is kept besides, without a rank.
    toys, toys_for, seed, progress
        Of :func:`coffea_ddp.scanning.bump_hunt.bump_hunt`.
    engine
        What searches: threads, or the workers of a cluster. Nothing depends on it.

    Returns
    -------
    ScanReport
        Rows of kind ``"spectrum"``, ranked, those that kinematics explain behind all others;
        ``options["statuses"]`` counts what became of all cells.

    Raises
    ------
    UnknownNameError
        If there is no spectrum of a name.
    """
    names = list(hists.spectra) if spectra is None else list(spectra)
    found: list[Contents] = []
    by_name: dict[str, _Cells] = {}
    statuses = dict.fromkeys((status.name for status in Status), 0)
    for name in names:
        cells, chosen, too_few = _spectra_of(hists, name, min_events)
        statuses[Status.TOO_FEW_ENTRIES.name] += too_few
        by_name[name] = cells
        found += chosen
    options = {"tests": ["bump"], "min_events": min_events, "best": best, "toys": toys, "toys_for": toys_for}
    if not found:
        return ScanReport(
            hists.layout.plan, hists.layout.fingerprint, seed, {}, 0, (), {**options, "statuses": statuses}
        )
    causes = _Causes(hists, by_name, best)
    asked = {"toys": toys, "toys_for": toys_for, "min_events": min_events, "whole": False}
    report = hunted(found, asked, seed=seed, progress=progress, choose=causes.chosen, engine=engine)
    for row in report.rows:
        # Of cells: a bump beside another one is of the same.
        statuses[row.status] += (row.bump is None) or (row.bump.bump_number or 1) == 1
    kept, others = _strongest(causes.of(report.rows), best)
    rows = [_with_asks(row, by_name) for row in (*_with_leaders(kept, by_name), *_besides(kept, others))]
    return ScanReport(
        hists.layout.plan, hists.layout.fingerprint, seed, report.inputs, report.trials, tuple(rows),
        {**options, "statuses": statuses},
    )  # fmt: skip


@dataclass(eq=False)
class _Causes:
    """Explanations of the bumps of an output, found once, for all rows that are about them."""

    hists: Histograms
    by_name: dict[str, _Cells]
    best: int
    known: dict[tuple[str | None, str | None, int | None], CausePart] | None = None

    def of(self, rows: Sequence[Row]) -> list[Row]:
        """Return rows with their causes."""
        if self.known is None:
            explained = with_same_objects(self.hists.layout, with_causes(self.hists, rows), self._under_bump)
            self.known = {_name_of(row): row.cause for row in explained if row.cause is not None}
        causes = (self.known.get(_name_of(row)) for row in rows)
        return [
            row if cause is None else dataclasses.replace(row, cause=cause)
            for row, cause in zip(rows, causes, strict=True)
        ]

    def chosen(self, rows: Sequence[Row]) -> list[int]:
        """Return the numbers of the rows that lead, in their order: without a cause, and not like a stronger one."""
        kept, _ = _strongest(self.of(rows), self.best)
        number = {_name_of(row): place for place, row in enumerate(rows)}
        leading = [row for row in _with_leaders(kept, self.by_name) if row.is_leading and not row.is_explained]
        return [number[_name_of(row)] for row in leading]

    def _under_bump(self, row: Row) -> tuple[IntArray, FloatArray]:
        return _under_bump(self.by_name[str(row.observable)], row)


def _name_of(row: Row) -> tuple[str | None, str | None, int | None]:
    return row.observable, row.cell, row.bump.bump_number if row.bump else None


def _spectra_of(hists: Histograms, name: str, min_events: int) -> tuple[_Cells, list[Contents], int]:
    """Return a spectrum in all distinct cells with enough events, and how many have too few."""
    layout = hists.layout.spectrum(name)
    counts = hists.spectrum_counts(name, flow=True)
    contents, squares = counts.counts[:, 0], None if counts.squares is None else counts.squares[:, 0]
    cells = distinct_cells(hists.layout.grid, counts.codes)
    inside = contents[:, 1:-1]
    enough = np.flatnonzero(cells.sums(inside.sum(axis=1)[:, None])[:, 0] >= min_events)
    codes, bins = np.nonzero(contents if squares is None else squares)
    walk = cells.walk(codes, bins)
    binning = Binning.of(as_spectrum(layout, "", np.zeros(contents.shape[1]), None, partial=False))
    entries = np.column_stack([values[codes, bins] for values in (contents, squares) if values is not None])
    trail, found = walk.trail(entries.shape[1]), []
    for start in range(0, len(enough), _BLOCK):
        block = enough[start : start + _BLOCK]
        both = np.zeros((len(block), contents.shape[1], entries.shape[1]))
        both[:, walk.bins] = walk.sums(entries, block, trail)
        sums, variances = both[:, 1:-1, 0], None if squares is None else both[:, 1:-1, 1]
        found += [
            Contents(
                layout.exchange_name, str(cells.cell(index)), binning, sums[row], _kept(sums, variances, row),
                layout.name, layout.decays_to, hists.partial,
            )
            for row, index in enumerate(block.tolist())
        ]  # fmt: skip
    numbers = {one.cell: int(index) for one, index in zip(found, enough, strict=True)}
    edges = np.asarray(layout.axis.edges, dtype=np.float64)
    return _Cells(cells, inside, edges, numbers), found, len(cells) - len(enough)


def _kept(sums: FloatArray, variances: FloatArray | None, row: int) -> FloatArray | None:
    """Return the variances of a spectrum; ``None`` for counts, and where they are the contents themselves."""
    return None if variances is None or same(sums[row], variances[row]) else variances[row]


def _with_asks(row: Row, by_name: dict[str, _Cells]) -> Row:
    """Return a row with the axes that its cell asks about."""
    cells = by_name[str(row.observable)]
    return dataclasses.replace(row, asks=cells.cells.asks(cells.numbers[str(row.cell)]))


def _with_leaders(rows: Sequence[Row], by_name: dict[str, _Cells]) -> tuple[Row, ...]:
    """Return the rows with the rank of the strongest one that is mostly about the same events of the same spectrum."""
    changed = list(rows)
    for name, cells in by_name.items():
        mine = [i for i, row in enumerate(rows) if row.observable == name and row.rank is not None]
        if len(mine) < 2:
            continue
        members = cells.cells.sparse_members([cells.numbers[str(rows[i].cell)] for i in mine])
        weights = np.array([_around(cells, rows[i]) for i in mine])
        spans = np.array([_span(rows[i]) for i in mine])
        apart = (spans[:, None, 0] >= spans[None, :, 1]) | (spans[None, :, 0] >= spans[:, None, 1])
        heads = leaders(members, weights, np.ones(len(mine)), apart=apart)
        for i, head in zip(mine, heads.tolist(), strict=True):
            changed[i] = dataclasses.replace(rows[i], similar_to=rows[mine[head]].rank)
    return tuple(changed)


def _strongest(rows: Sequence[Row], best: int) -> tuple[list[Row], list[Row]]:
    """Return the strongest rows, ranked, those that are explained behind all others; and the other rows.

    Explained rows take at most half of the places, as long as there are others: of many rows neither those that nothing
    explains nor the explanations are lost.
    """
    order = in_order(rows)  # those without a rank are last
    plain = [row for row in order if row.rank is not None and not row.is_explained]
    explained = [row for row in order if row.rank is not None and row.is_explained]
    of_plain = min(len(plain), best - min(len(explained), best // 2))
    of_explained = min(len(explained), best - of_plain)
    others = [*plain[of_plain:], *explained[of_explained:], *(row for row in order if row.rank is None)]
    return ranked([*plain[:of_plain], *explained[:of_explained]]), others


def _besides(kept: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """Return the best row of every spectrum that has none among those kept; one that was tested, if any was."""
    shown = {row.observable for row in kept}
    first: dict[str | None, Row] = {}
    for row in others:
        if row.observable not in shown:
            first.setdefault(row.observable, row)
    return [dataclasses.replace(row, rank=None, similar_to=None) for row in first.values()]


def _under_bump(cells: _Cells, row: Row) -> tuple[IntArray, FloatArray]:
    """Return the exclusive cells of a row, and the events under its bump in each; shape (n_codes,)."""
    inside = cells.cells.members([cells.numbers[str(row.cell)]])[0]
    return cells.cells.codes, inside * _around(cells, row)


def _span(row: Row) -> tuple[float, float]:
    """Return the range that a bump is about, in GeV."""
    bump = row.bump or BumpPart()
    position, width = bump.position or 0.0, bump.width or 0.0
    return position - 2.0 * width, position + 2.0 * width


def _around(cells: _Cells, row: Row) -> FloatArray:
    """Return the events of every exclusive cell under a bump, shape (n_codes,)."""
    low, high = _span(row)
    inside = (cells.edges[1:] > low) & (cells.edges[:-1] < high)
    return np.asarray(np.maximum(cells.contents[:, inside].sum(axis=1), 0.0))
