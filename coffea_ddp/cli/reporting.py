"""The command that makes a report for people: report."""

from __future__ import annotations

import click

from coffea_ddp.cli.outputs import Command, OutputFolder
from coffea_ddp.cli.telling import result
from coffea_ddp.cli.terminal import DONE, SOMETHING_MISSING, alert, note, steps_bar
from coffea_ddp.cli.unused import refuse_unused


@click.command(cls=Command)
@click.argument("report_file", metavar="REPORT", type=click.Path())
@click.option("--hists", type=click.Path(), help="The histograms that were scanned; the report has figures of them.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=OutputFolder(),
    help="The folder to write; an older report is replaced, other files stay.",
)
@click.option(
    "--leading",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Number of leading rows with a page each.",
)
@click.option("--label", default="", help="Label above the figures, as in '16.4 fb$^{-1}$ (13 TeV)'.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Processes that make fits again, for figures of the tests on events [default: all cores].",
)
def report(report_file: str, hists: str | None, output: str, leading: int, label: str, jobs: int | None) -> int:
    r"""Write a report as a folder of HTML pages that opens without a network.

    REPORT is what `coffea-ddp scan -o` or `coffea-ddp bump -o` wrote.

    \b
    coffea-ddp report report.json --hists hists.ddp -o report
    coffea-ddp report report.json -o report                     numbers alone
    coffea-ddp report report.json --hists hists.ddp -o report --label '16.4 fb$^{-1}$ (13 TeV)'
    """
    refuse_unused({"label": (hists is not None, "figures: --hists HISTS")})
    from coffea_ddp.histograms.io import load
    from coffea_ddp.pages import write_report
    from coffea_ddp.report.report import ScanReport

    found = ScanReport.load(report_file)
    histograms = None if hists is None else load(hists)
    with steps_bar("writing") as progress:
        index = write_report(
            found, output, hists=histograms, leading=leading, label=label, jobs=jobs, progress=progress
        )
    if histograms is None:
        note("without figures: --hists HISTS draws them")
    note(f"wrote {index}")
    result(lambda: {"index": str(index), "partial": found.partial, "missing": list(found.missing)})
    if found.partial:
        alert("PARTIAL: the input of the scan lacks something, named in the report")
    return SOMETHING_MISSING if found.partial else DONE
