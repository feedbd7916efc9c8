"""The commands that follow a scan: confirm."""

from __future__ import annotations

from typing import Any

import click

from coffea_ddp._files import CONFIRMATION
from coffea_ddp.cli.expectations import expectation_of, expectation_options
from coffea_ddp.cli.outputs import Command, OutputFile, delivering, to_stdout
from coffea_ddp.cli.terminal import note, steps_bar, tell_missing, terminal
from coffea_ddp.cli.unused import refuse_unused


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
    if not found.regions:
        note(f"no row of the report has a global p of {options['level']:g} or less; --row names some")
    return tell_missing(histograms)
