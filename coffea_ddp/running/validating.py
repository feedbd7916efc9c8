"""Validation of a plan on the first events of every file: branches, exclusive sides, empty cells."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from coffea.processor.executor import WorkItem

from coffea_ddp._text_tables import text_table
from coffea_ddp.errors import check_progress
from coffea_ddp.histograms.cells import Multiplicity
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.merging import EVERYTHING
from coffea_ddp.histograms.shaping import Bump, shapes_of_cut
from coffea_ddp.histograms.simulated import filled_codes, lacking
from coffea_ddp.plan.datasets import check_triggers, datasets
from coffea_ddp.plan.models import ScoreAbove
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.running.chunks import find_chunks, with_datasets, with_preload
from coffea_ddp.running.fileset import check_files_apart, normalise
from coffea_ddp.running.guarding import Guard
from coffea_ddp.running.local import LocalExecutor
from coffea_ddp.running.options import Reading, reading_of, whole
from coffea_ddp.running.processor import ScanProcessor
from coffea_ddp.running.progress import Progress
from coffea_ddp.running.reader import FileRunner
from coffea_ddp.running.schema import OPENING, DDPSchema

if TYPE_CHECKING:
    from rich.table import Table

_SHOWN = 15
_SIDES: Mapping[str, Literal["left", "right"]] = {
    "symmetry": "left", "A": "right", "B": "right", "exclusive cells": "right", "not filled": "right",
}  # fmt: skip
_SPECTRA: Mapping[str, Literal["left", "right"]] = {
    "spectrum": "left", "entries": "right", "below and above": "right", "exclusive cells": "right",
    "range [GeV]": "left", "masks": "left",
}  # fmt: skip
_SAMPLES: Mapping[str, Literal["left", "right"]] = {
    "dataset": "left", "kind": "left", "cross section [pb]": "right", "luminosity [1/fb]": "right",
    "sum of generator weights": "right", "negative weights": "right",
}  # fmt: skip
_SHAPES: Mapping[str, Literal["left", "right"]] = {
    "observable or spectrum": "left", "before": "right", "z": "left", "after": "right", "z after": "left",
    "z of the share that passes": "left",
}  # fmt: skip


@dataclass(frozen=True)
class Validation:
    """Outcome of a validation.

    Attributes
    ----------
    histograms
        Of the events that were read.
    problems
        One line for every file that the plan cannot use; empty when all is well.
    cuts
        Names of the axes of the cells that are cuts on the score of a model.
    """

    histograms: Histograms
    problems: tuple[str, ...]
    cuts: tuple[str, ...] = ()

    @property
    def empty_bins(self) -> dict[str, list[str]]:
        """Per axis of the cells, the bins that no event of any symmetry or spectrum is in."""
        hists = self.histograms
        seen = [np.asarray(hists.occupied(name)) for name in hists.symmetries]
        seen += [hists.spectrum_counts(name).codes for name in hists.spectra]
        seen += [filled_codes(hists.layout, one) for one in hists.samples.values()]
        bins = hists.layout.grid.decode(np.unique(np.concatenate(seen)) if seen else np.zeros(0, np.int64))
        empty = {}
        for axis, found in zip(hists.layout.grid.axes, bins, strict=True):
            names = _bin_names(axis)
            empty[axis.name] = [name for number, name in enumerate(names) if number not in set(found.tolist())]
        return empty

    def tables(self) -> list[Table]:
        """Return what was found as tables for a terminal."""
        hists = self.histograms
        first = [self._sides()] if hists.symmetries else []
        first += [self._spectra()] if hists.spectra else []
        first += [self._samples()] if hists.samples else []
        chosen = [[role, ", ".join(branches)] for role, branches in hists.choices.items()]
        used = text_table("branches chosen", "", {"for": "left", "used": "left"}, chosen)
        empty = [[axis, ", ".join(names) or "none"] for axis, names in self.empty_bins.items()]
        columns: Mapping[str, Literal["left", "right"]] = {
            "axis of the cells": "left",
            "bins without any event": "left",
        }
        return [*first, *map(self._shapes, self.cuts), used, text_table("empty bins", "", columns, empty)]

    def _shapes(self, cut: str) -> Table:
        """Return the largest bumps before and after a cut, those first of which it makes most."""
        shapes = shapes_of_cut(self.histograms, cut)
        lines = [
            [one.name, f"{one.before:,.0f}", _bump(one.bump_before, one.edges[0]), f"{one.after:,.0f}",
             _bump(one.bump_after, one.edges[1]), _bump(one.made, one.edges[2])]
            for one in shapes[:_SHOWN]
        ]  # fmt: skip
        more = f"{len(shapes) - _SHOWN} more" if len(shapes) > _SHOWN else ""
        return text_table(
            f"the cut {cut}: largest excess over neighbouring bins, and what the cut makes", more, _SHAPES, lines
        )

    def _samples(self) -> Table:
        """Return the datasets of a comparison; the caption says what they lack."""
        lines = []
        for name, one in self.histograms.samples.items():
            said, total = one.normalisation, f"{one.sum_of_weights:,.6g}" if one.sums else ""
            numbers = (said.cross_section, said.luminosity)
            lines.append(
                [name, one.kind, *("" if n is None else f"{n:g}" for n in numbers), total, f"{one.negative:,}"]
            )
        title = f"{self.histograms.layout.plan}: datasets of the comparison of data with simulation"
        return text_table(title, "\n".join(lacking(self.histograms.samples)), _SAMPLES, lines)

    def _sides(self) -> Table:
        hists = self.histograms
        lines = []
        for row in hists.summary().to_dict("records"):
            numbers = [i for i, c in enumerate(hists.layout.channels) if c.symmetry == row["symmetry"]]
            unfilled = int(hists.not_filled[numbers].sum())
            a, b = f"{row['n_a']:,} {row['A']}", f"{row['n_b']:,} {row['B']}"
            lines.append([row["symmetry"], a, b, str(row["exclusive cells"]), str(unfilled)])
        title = f"{hists.layout.plan}: sides in the first {hists.n_events:,} events"
        return text_table(title, "", _SIDES, lines)

    def _spectra(self) -> Table:
        """Return the fullest spectra; the caption says how many have no entry."""
        hists = self.histograms
        rows = hists.spectra_summary().to_dict("records")
        filled = [row for row in rows if row["entries"]]
        more = f"{len(filled) - _SHOWN} more with entries; " if len(filled) > _SHOWN else ""
        lines = []
        for row in filled[:_SHOWN]:
            outside, span = f"{row['below']:,.0f}, {row['above']:,.0f}", f"{row['low']:.4g} to {row['high']:.4g}"
            name, entries, cells = row["spectrum"], f"{row['entries']:,.0f}", str(row["exclusive cells"])
            lines.append([name, entries, outside, cells, span, row["masks"]])
        title = f"{hists.layout.plan}: mass spectra of the first {hists.n_events:,} events"
        return text_table(title, f"{more}{len(rows) - len(filled)} of {len(rows)} without any", _SPECTRA, lines)


def validate(
    plan: ScanPlan | str | Path,
    fileset: Any,
    *,
    events: int = 10_000,
    reading: Reading | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Try a plan on the first events of every file, of those that are asked for.

    Parameters
    ----------
    plan, fileset
        As for :func:`coffea_ddp.running.driver.run`.
    events
        Number of events that are read of each file, at most a cluster more.
    reading
        As for :func:`coffea_ddp.running.driver.run`; ``events`` are its chunks, and bad files are always skipped.
    progress
        Called with the number of events that are read, and of all.

    Raises
    ------
    DDPError
        If the plan itself is at fault: it cannot be loaded, its sides overlap, a function of it fails.
    """
    check_progress("validate", progress, "done, total")
    loaded = plan if isinstance(plan, ScanPlan) else load_plan(plan)
    n_events = whole(events, "validate", "events", 1)
    reading = dataclasses.replace(reading_of(reading), chunksize=n_events, skip_bad_files=True)
    files = normalise(fileset, tree=reading.tree, redirector=reading.redirector)
    check_files_apart(files)
    about = datasets(files)
    check_triggers(loaded.spectra, about)
    chunks, lost = find_chunks(files, reading, about=about if loaded.comparisons else None)
    chunks, _ = with_datasets(chunks, about)
    firsts = list({(chunk.dataset, chunk.filename, chunk.treename): chunk for chunk in reversed(chunks)}.values())[::-1]
    found = Histograms.empty(loaded.layout)
    if firsts:
        engine = LocalExecutor(guard=Guard(loaded.layout, reading), done=_counting(firsts, progress))
        # The plan is not packed by coffea: chunks are filled with it as it is.
        runner = FileRunner(engine, schema=DDPSchema, metadata_cache={}, processor_compression=None)
        found = runner.run(with_preload(loaded, firsts), ScanProcessor(loaded), uproot_options=dict(OPENING))["out"][
            EVERYTHING
        ]
    problems = dict.fromkeys(missing.reason for missing in (*lost, *found.missing))  # once, of however many steps
    cuts = tuple(axis.name for axis in loaded.cells if isinstance(getattr(axis, "predicate", None), ScoreAbove))
    return Validation(found, tuple(problems), cuts)


def _bump(found: Bump, span: tuple[float, float]) -> str:
    return f"{found.z:+.1f} at {span[0]:.4g} to {span[1]:.4g}" if found.stop else "too few events"


def _counting(chunks: Sequence[WorkItem], progress: Progress | None) -> Callable[[int], None]:
    """Return what is called with the events of every chunk that is done, and tells how many are in all."""
    done, total = 0, sum(len(chunk) for chunk in chunks)

    def count(events: int) -> None:
        nonlocal done
        done += events
        if progress is not None:
            progress(done, total)

    return count


def _bin_names(axis: Any) -> list[str]:
    if isinstance(axis, Multiplicity):
        return [*(str(n) for n in range(axis.last)), f"{axis.last}+"]
    return ["no", "yes"]
