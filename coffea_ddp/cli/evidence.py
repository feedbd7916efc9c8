"""The commands that follow a scan: confirm, events, skim, compare-reports."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coffea_ddp._files import CHANGES, CONFIRMATION, EVENT_LIST
from coffea_ddp.cli.expectations import expectation_of, expectation_options
from coffea_ddp.cli.outputs import STDOUT, Command, OutputFile, OutputFolder, delivering, to_stdout
from coffea_ddp.cli.telling import is_json, is_quiet, result
from coffea_ddp.cli.terminal import DONE, SOMETHING_MISSING, alert, note, steps_bar, tell_missing, terminal
from coffea_ddp.cli.unused import refuse_unused
from coffea_ddp.errors import InputError, some_of

if TYPE_CHECKING:
    from coffea_ddp.evidence.region_events import RegionEvents
    from coffea_ddp.report.report import ScanReport


def _is_event_table(path: str | Path) -> bool:
    from coffea_ddp.evidence.region_events import is_event_table

    return is_event_table(path)


@click.command(cls=Command)
@click.argument("report_file", metavar="REPORT", type=click.Path())
@click.argument("hists", type=click.Path())
@click.option(
    "-o", "--output", type=OutputFile(CONFIRMATION), help="The outcome to write (JSON; - is standard output)."
)
@click.option(
    "--row", "rows", type=click.IntRange(min=1), multiple=True,
    help="Number of a row of the report; can be repeated. [default: those with a global p of --level or less]",
)  # fmt: skip
@click.option(
    "--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.05, show_default=True,
    help="Probability that any region is confirmed where there is nothing, at most.",
)  # fmt: skip
@click.option("--toys", type=click.IntRange(min=1), default=10_000, show_default=True, help="Pseudo-experiments.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of everything random.")
@expectation_options
def confirm(report_file: str, hists: str, output: str | None, rows: tuple[int, ...], **options: Any) -> int:
    r"""Test the marked regions of a REPORT, unchanged, on data that the scan has not seen.

    HISTS is the output of the same plan over other files, or over the other half of the events. Each region keeps its
    cell, observable, rectangle or mass and width, its test and its direction; p is one-sided, and after all regions
    that are tested (Holm).

    \b
    coffea-ddp confirm report.json new.ddp
    coffea-ddp confirm report.json b.ddp -o confirmation.json --row 1 --row 4
    """
    from coffea_ddp.evidence.confirming import confirm as confirm_regions
    from coffea_ddp.histograms.io import load

    learned = options["calibrate"]
    expectation = expectation_of(options)
    refuse_unused({"control": (learned, "a calibration that is learned here (--calibrate)")})
    histograms = load(hists)
    with steps_bar("confirming") as progress:
        found = confirm_regions(
            report_file, histograms, rows=rows or None, expectation=expectation, progress=progress, **options
        )
    with delivering() as deliver:
        deliver(output, found.save)
        terminal(stderr=to_stdout(output)).print(found.table())
        result(found.to_dict)
    if not found.regions:
        alert(f"no row of the report has a global p of {options['level']:g} or less; --row names some")
    return tell_missing(histograms)


@click.command(cls=Command)
@click.argument("report_file", metavar="REPORT", type=click.Path())
@click.argument("fileset", nargs=-1, type=click.Path())
@click.option("--row", type=click.IntRange(min=1), default=1, show_default=True, help="Number of a row of the report.")
@click.option("--hists", type=click.Path(), help="The histograms that were scanned. [default: those of the report]")
@click.option("--plan", help="Select the events anew in the files of FILESET, by the plan of the report.")
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes [default: all cores].")
@click.option(
    "-o", "--output", type=OutputFile(EVENT_LIST, _is_event_table), default=STDOUT, show_default=True,
    help="The list to write: .txt (run:luminosityBlock:event), or .csv or .parquet with all features.",
)  # fmt: skip
def events(report_file: str, fileset: Sequence[str], output: str, **options: Any) -> int:
    r"""List the events of a marked region of a REPORT: run, luminosity block, event.

    Stored events are listed, those that a pass keeps of every cell; it is noted how many are not. With --plan all
    events of the region are selected anew in the files: also of mass spectra, of which no events are stored.

    \b
    coffea-ddp events report.json --row 3
    coffea-ddp events report.json --row 3 --hists hists.ddp -o events.parquet
    coffea-ddp events bumps.json 'data/*.root' --plan resonances --row 1 -o events.csv
    """
    from coffea_ddp.report.report import ScanReport

    refuse_unused({
        "hists": (options["plan"] is None, "stored events (no --plan)"),
        "workers": (options["plan"] is not None, "files to select in (--plan PLAN)"),
    })  # fmt: skip
    if fileset and options["plan"] is None:
        raise InputError("files are given, and no plan to select events by; give --plan PLAN, or leave them out")
    found = _events_of(ScanReport.load(report_file), fileset, options)
    with delivering() as deliver:
        if output != STDOUT:
            deliver(output, found.save)
        elif not is_json():
            sys.stdout.write(found.to_text())
        result(lambda: {
            "place": found.place, "events": found.to_text().split(), "of": found.n_events, "missing": found.n_missing
        })  # fmt: skip
    note(f"{len(found):,} of {found.n_events:,} events of {found.place}")
    if found.n_missing:
        alert(f"{found.n_missing:,} are not stored; --plan PLAN FILES selects all of them")
    return SOMETHING_MISSING if found.n_missing else DONE


def _events_of(report: ScanReport, fileset: Sequence[str], options: dict[str, Any]) -> RegionEvents:
    if options["plan"] is not None:
        from coffea_ddp.evidence.selecting import select_events
        from coffea_ddp.running.executors import Local

        workers = Local(options["workers"] or os.cpu_count() or 1)
        return select_events(
            report, options["plan"], list(fileset), row=options["row"], executor=workers, progress=not is_quiet()
        )
    from coffea_ddp.evidence.region_events import region_events

    hists = options["hists"] or report.inputs.get("file")
    if not hists or not Path(hists).exists():
        where = f"{hists!r}, of which the report is, is not here" if hists else "the report names none"
        raise InputError(f"events are stored in the histograms that were scanned: {where}; give --hists HISTS")
    return region_events(report, hists, row=options["row"])


@click.command(cls=Command)
@click.argument("events_file", metavar="EVENTS", type=click.Path())
@click.argument("fileset", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--output", required=True, type=OutputFolder(), help="The folder of the small files.")
@click.option("--tree", default="Events", show_default=True, help="The tree of events.")
def skim(events_file: str, fileset: Sequence[str], output: str, tree: str) -> int:
    r"""Copy chosen EVENTS out of NanoAOD files, with all branches.

    EVENTS is what `coffea-ddp events` writes, any text with lines run:luminosityBlock:event, or a CSV or Parquet table
    with these three columns. FILESET is as for `coffea-ddp run`.

    \b
    coffea-ddp skim events.txt 'data/*.root' -o skims
    """
    from coffea_ddp.evidence.skimming import skim as skim_events

    with steps_bar("copying events") as progress:
        found = skim_events(events_file, list(fileset), output, tree=tree, progress=progress)
    for file in found.files:
        note(f"wrote {file.output}: {file.n_events:,} events of {file.source}")
        if file.left_out:
            note(f"without {len(file.left_out)} branches that are no numbers: {some_of(file.left_out, 5)}")
    missing = len(found.not_found)
    (alert if missing else note)(f"{found.n_found:,} of {found.n_wanted:,} events were found")
    result(lambda: {"files": [str(one.output) for one in found.files], "found": found.n_found, "missing": missing})
    return SOMETHING_MISSING if missing else DONE


@click.command(cls=Command)
@click.argument("before", type=click.Path())
@click.argument("after", type=click.Path())
@click.option("-o", "--output", type=OutputFile(CHANGES), help="The changes to write (JSON; - is standard output).")
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="Rows shown.")
@click.option("--similar", is_flag=True, help="Also show rows whose events are mostly those of a stronger row.")
def compare_reports(before: str, after: str, output: str | None, top: int, similar: bool) -> int:
    r"""Compare two reports, row by row: BEFORE and AFTER, as two eras, two seeds, or with and without a calibration.

    A row rose or fell where the size of its z changed by 1 or more; it appeared or is gone where the other report does
    not keep it.

    \b
    coffea-ddp compare-reports 2022.json 2023.json
    coffea-ddp compare-reports nominal.json calibrated.json -o changes.json
    """
    from coffea_ddp.evidence.changes import compare_reports as compared

    found = compared(before, after)
    with delivering() as deliver:
        deliver(output, found.save)
        terminal(stderr=to_stdout(output)).print(found.table(top, similar=similar))
        result(found.to_dict)
    return DONE
