"""The demonstration: files with a lepton-flavour-violating signal hidden in one cell, one pass, and the cell found."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coffea_ddp._files import OUTPUT, REPORT, check_output
from coffea_ddp.errors import FileError, check_progress
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.report.report import ScanReport
from coffea_ddp.running.driver import run
from coffea_ddp.running.executors import Local
from coffea_ddp.scanning.driver import scan
from coffea_ddp.testing import LFVSignal, make_dataset

PLAN = "symmetries"
N_FILES = 4

SIGNAL_PER_EVENT = 2e-3
"""Produced signal events per event made: 400 in 200,000, of which about a quarter end up in the hidden cell."""

HIDDEN = ("emu/mue OS", "tau=1 & b=0 & W")
"""Symmetry and cell of the signal: its hard lepton and missing pT, back to back, make every decay a W candidate."""


@dataclass(frozen=True)
class DemoResult:
    """Outputs of the demonstration.

    Attributes
    ----------
    hists
        The output of the pass.
    report
        The ranked scan.
    report_path
        Path of the report (the caller saves it).
    files
        Other files that were written, by their kind.
    story
        The hidden signal, in one line.
    """

    hists: Histograms
    report: ScanReport
    report_path: Path
    files: dict[str, Path]
    story: str


def fileset_of(files: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Return the fileset of the files that were made, with what is said of the events."""
    return {"data": {"files": {str(file): "Events" for file in files}, "metadata": {"kind": "simulation"}}}


def _silent(_done: int, _total: int, _what: str) -> None:
    return


def run_demo(
    folder: Path,
    *,
    events: int = 200_000,
    seed: int = 1,
    workers: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
) -> DemoResult:
    """Make the files, run the pass on all cores, scan.

    Parameters
    ----------
    folder
        Made when needed; gets ``data/*.root`` and ``hists.ddp``.
    events, seed
        Of the files.
    workers
        Worker processes.
    progress
        Called with the steps of each part that are done, those in all, and the name of the part.

    Raises
    ------
    FileError
        If the folder cannot be written to, or holds other files of these names.
    """
    check_progress("run_demo", progress)
    data = folder / "data"
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be made ({error.strerror}); choose another folder with -o") from error
    if not os.access(data, os.W_OK):
        raise FileError(f"{data}: cannot be written to; choose another folder with -o")
    check_output(folder / "hists.ddp", OUTPUT)
    check_output(folder / "report.json", REPORT)
    tell = progress or _silent
    tell(0, 0, "making events")
    signal = LFVSignal(max(1, round(events * SIGNAL_PER_EVENT)), mass=300.0, lepton="mu", n_tau=1, n_b=0)
    start = time.perf_counter()
    files = make_dataset(data, files=N_FILES, events=events, seed=seed, signals=[signal])
    made = time.perf_counter()
    hists = run(
        PLAN,
        fileset_of(files),
        executor=Local(workers),
        progress=lambda done, total: tell(done, total, "reading events"),
    )
    filled = time.perf_counter()
    hists.save(folder / "hists.ddp")
    report = scan(hists, progress=lambda done, total, _now: tell(done, total, "scanning"))
    scanned = time.perf_counter()
    story = (
        f"hidden: {signal.n} decays X(300 GeV) -> mu tau, tau -> e nu nu, each beside a hadronic tau and no b jet: "
        f"symmetry {HIDDEN[0]!r}, cell {HIDDEN[1]!r}\n"
        f"made {events:,} events in {made - start:.1f} s, one pass in {filled - made:.1f} s, "
        f"scanned {report.trials:,} trials in {scanned - filled:.1f} s"
    )
    written = {"NanoAOD files": data, "histograms": folder / "hists.ddp"}
    return DemoResult(hists, report, folder / "report.json", written, story)
