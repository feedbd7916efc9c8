"""Does a plan fit its files? Branches, exclusive sides, empty cells: from the first events of every file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.cells import Multiplicity
from coffea_ddp.datasets import datasets
from coffea_ddp.executors import LocalExecutor
from coffea_ddp.fileset import TREE, check_files_apart, normalise
from coffea_ddp.guarding import Guard
from coffea_ddp.histograms import Histograms
from coffea_ddp.loading import load_plan
from coffea_ddp.merging import EVERYTHING
from coffea_ddp.opening import find_chunks, with_datasets, with_preload
from coffea_ddp.plan import ScanPlan
from coffea_ddp.processor import ScanProcessor
from coffea_ddp.reader import FileRunner
from coffea_ddp.schema import OPENING, DDPSchema

if TYPE_CHECKING:
    from rich.table import Table

_SHOWN = 15


@dataclass(frozen=True)
class Validation:
    """What was found.

    Attributes
    ----------
    histograms
        Of the events that were read.
    problems
        One line for every file that the plan cannot use; empty when all is well.
    """

    histograms: Histograms
    problems: tuple[str, ...]

    @property
    def empty_bins(self) -> dict[str, list[str]]:
        """Per axis of the cells, the bins that no event of any symmetry or spectrum is in."""
        hists = self.histograms
        seen = [np.asarray(hists.occupied(name)) for name in hists.symmetries]
        seen += [hists.spectrum_counts(name)[0] for name in hists.spectra]
        bins = hists.layout.grid.decode(np.unique(np.concatenate(seen)) if seen else np.zeros(0, np.int64))
        empty = {}
        for axis, found in zip(hists.layout.grid.axes, bins, strict=True):
            names = _bin_names(axis)
            empty[axis.name] = [name for number, name in enumerate(names) if number not in set(found.tolist())]
        return empty

    def tables(self) -> list[Table]:
        """Return what was found as tables for a terminal."""
        from rich.table import Table

        hists = self.histograms
        first = [self._sides()] if hists.symmetries else []
        first += [self._spectra()] if hists.spectra else []
        used = Table(title="branches chosen")
        used.add_column("for")
        used.add_column("used")
        for role, branches in hists.choices.items():
            used.add_row(role, ", ".join(branches))
        empty = Table(title="bins of the cells' axes without any event")
        empty.add_column("axis")
        empty.add_column("empty")
        for axis, names in self.empty_bins.items():
            empty.add_row(axis, ", ".join(names) or "none")
        return [*first, used, empty]

    def _sides(self) -> Table:
        from rich.table import Table

        hists = self.histograms
        sides = Table(title=f"{hists.layout.plan}: sides in the first {hists.n_events:,} events")
        for heading in ("symmetry", "A", "B", "exclusive cells", "not filled"):
            sides.add_column(heading)
        for row in hists.summary().to_dict("records"):
            numbers = [i for i, c in enumerate(hists.layout.channels) if c.symmetry == row["symmetry"]]
            unfilled = int(hists.not_filled[numbers].sum())
            a, b = f"{row['n_a']:,} {row['A']}", f"{row['n_b']:,} {row['B']}"
            sides.add_row(row["symmetry"], a, b, str(row["exclusive cells"]), str(unfilled))
        return sides

    def _spectra(self) -> Table:
        """Return the fullest spectra; the caption says how many have no entry."""
        from rich.table import Table

        hists = self.histograms
        rows = hists.spectra_summary().to_dict("records")
        filled = [row for row in rows if row["entries"]]
        more = f"{len(filled) - _SHOWN} more with entries; " if len(filled) > _SHOWN else ""
        table = Table(
            title=f"{hists.layout.plan}: mass spectra of the first {hists.n_events:,} events",
            caption=f"{more}{len(rows) - len(filled)} of {len(rows)} without any",
        )
        for heading in ("spectrum", "entries", "below and above", "exclusive cells", "range [GeV]", "masks"):
            table.add_column(heading)
        for row in filled[:_SHOWN]:
            outside, span = f"{row['below']:,.0f}, {row['above']:,.0f}", f"{row['low']:.4g} to {row['high']:.4g}"
            table.add_row(
                row["spectrum"], f"{row['entries']:,.0f}", outside, str(row["exclusive cells"]), span, row["masks"]
            )
        return table


def validate(
    plan: ScanPlan | str | Path, fileset: Any, *, events: int = 10_000, tree: str = TREE, redirector: str = ""
) -> Validation:
    """Try a plan on the first events of every file, of those that are asked for.

    Parameters
    ----------
    plan, fileset, tree, redirector
        As for :func:`coffea_ddp.running.run`.
    events
        How many events of each file are read, at most a cluster more.

    Raises
    ------
    DDPError
        If the plan itself is at fault: it cannot be loaded, its sides overlap, a function of it fails.
    """
    loaded = plan if isinstance(plan, ScanPlan) else load_plan(plan)
    files = normalise(fileset, tree=tree, redirector=redirector)
    check_files_apart(files)
    chunks, lost = find_chunks(files, events, skip_bad_files=True)
    chunks, _ = with_datasets(chunks, datasets(files))
    firsts = list({(chunk.dataset, chunk.filename, chunk.treename): chunk for chunk in reversed(chunks)}.values())[::-1]
    found = Histograms.empty(loaded.layout)
    if firsts:
        engine = LocalExecutor(guard=Guard(loaded.layout, skip_bad_files=True))
        runner = FileRunner(engine, schema=DDPSchema, metadata_cache={})
        found = runner.run(with_preload(loaded, firsts), ScanProcessor(loaded), uproot_options=dict(OPENING))["out"][
            EVERYTHING
        ]
    problems = dict.fromkeys(missing.reason for missing in (*lost, *found.missing))  # once, of however many steps
    return Validation(found, tuple(problems))


def _bin_names(axis: Any) -> list[str]:
    if isinstance(axis, Multiplicity):
        return [*(str(n) for n in range(axis.last)), f"{axis.last}+"]
    return ["no", "yes"]
