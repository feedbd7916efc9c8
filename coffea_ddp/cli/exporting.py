"""The command that exports a region for other tools: export."""

from __future__ import annotations

from typing import Any

import click

from coffea_ddp._files import REGION, write_text
from coffea_ddp.cli.arrays import read_matrix
from coffea_ddp.cli.outputs import Command, OutputFile, delivering
from coffea_ddp.cli.telling import result
from coffea_ddp.cli.terminal import DONE
from coffea_ddp.cli.unused import refuse_unused


@click.command(cls=Command)
@click.argument("report_file", metavar="REPORT", type=click.Path())
@click.option("--row", type=click.IntRange(min=1), required=True, help="Number of the row in the report.")
@click.option("--hists", type=click.Path(), required=True, help="The histograms that were scanned.")
@click.option(
    "-o",
    "--output",
    type=OutputFile(REGION),
    required=True,
    help="The region to write (JSON, YAML for HEPData; - is standard output).",
)
@click.option(
    "--form",
    type=click.Choice(["histfactory", "uhi", "hepdata"]),
    default="histfactory",
    show_default=True,
    help="A model for pyhf and cabinetry; the histograms, for hist; or a table of HEPData.",
)
@click.option(
    "--signal",
    type=click.Path(),
    help="The template of the model: a .npy or text file in the bins of the observable or of the region. [default: "
    "uniform density in the region, or the Gaussian of a bump]",
)
@click.option(
    "--bins",
    type=click.Choice(["one", "all"]),
    help="Of a symmetry's model: the summed counts of the region, or all of its bins. [default: one for a rectangle "
    "without --signal, else all]",
)
@click.option(
    "--kappa-error",
    type=float,
    default=0.0,
    show_default=True,
    help="Relative uncertainty of the model's background, common to all bins.",
)
@click.option(
    "--systematic",
    type=float,
    default=0.0,
    show_default=True,
    help="Relative uncertainty of the model's background, independent from bin to bin.",
)
def export(report_file: str, row: int, hists: str, output: str, form: str, signal: str | None, **options: Any) -> int:
    r"""Export the region of a row of a report for other tools.

    REPORT is what `coffea-ddp scan -o` wrote. The HistFactory model has the side in excess as data and the other side
    times kappa as background.

    \b
    coffea-ddp export report.json --row 1 --hists hists.ddp -o region.json
    coffea-ddp export report.json --row 1 --hists hists.ddp -o region.json --signal signal.npy --kappa-error 0.02
    coffea-ddp export report.json --row 1 --hists hists.ddp -o region.yaml --form hepdata
    """
    model = form == "histfactory", "a model: --form histfactory"
    refuse_unused(dict.fromkeys(("signal", "bins", "kappa_error", "systematic"), model))
    from coffea_ddp.exports.regions import export_region, text_of

    template = None if signal is None else read_matrix(signal)
    text = text_of(export_region(report_file, row, hists, form=form, signal=template, **options))  # type: ignore[arg-type]
    with delivering() as deliver:
        deliver(output, lambda path: write_text(path, text, REGION))
        result(lambda: {"output": output, "form": form, "row": row})
    return DONE
