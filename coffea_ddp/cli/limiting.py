"""The command for limits from a null result: limits."""

from __future__ import annotations

import json
from typing import Any

import click

from coffea_ddp._files import LIMITS, write_text
from coffea_ddp.cli.arrays import read_matrix
from coffea_ddp.cli.expectations import expectation_of, expectation_options
from coffea_ddp.cli.outputs import Command, OutputFile, delivering, to_stdout
from coffea_ddp.cli.telling import result
from coffea_ddp.cli.terminal import steps_bar, tell_missing, terminal
from coffea_ddp.cli.unused import refuse_unused


@click.command(cls=Command)
@click.argument("hists", type=click.Path())
@click.option(
    "-o",
    "--output",
    type=OutputFile(LIMITS),
    help="The limits to write (CSV where the name ends with .csv, else JSON; - is standard output).",
)
@click.option("--symmetry", "symmetries", multiple=True, help="Only this symmetry; can be repeated.")
@click.option(
    "--signal",
    type=click.Path(),
    help="A template, in the bins of an observable (.npy or text): how many of its events are excluded?",
)
@click.option("--observable", help="In whose bins the template is [default: the one of its shape].")
@click.option("--all-cells", is_flag=True, help="All cells, and not only those that ask at most one question.")
@click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Confidence level.",
)
@expectation_options
def limits(hists: str, output: str | None, **options: Any) -> int:
    r"""Set limits from a null result: on the asymmetry of every symmetry in every cell, and on a signal of given shape.

    \b
    coffea-ddp limits hists.ddp
    coffea-ddp limits hists.ddp -o limits.csv --kappa-error 0.02
    coffea-ddp limits hists.ddp --symmetry e/mu --signal signal.npy --observable 'pt_l0 x met' -o limits.json
    """
    refuse_unused({
        "observable": (options["signal"] is not None, "a template: --signal FILE"),
        "control": (options["calibrate"], "a calibration that is learned here (--calibrate)"),
    })  # fmt: skip
    from coffea_ddp.histograms.io import load
    from coffea_ddp.scanning.limits import limits as limits_of

    expectation = expectation_of(options)
    signal, symmetries = options.pop("signal"), options.pop("symmetries")
    template = None if signal is None else read_matrix(signal)
    histograms = load(hists)
    with steps_bar("limits") as progress:
        found = limits_of(
            histograms, symmetries=symmetries or None, expectation=expectation, signal=template, progress=progress,
            **options,
        )  # fmt: skip
    text = found.to_csv() if output is not None and output.endswith(".csv") else found.to_json()
    with delivering() as deliver:
        deliver(output, lambda path: write_text(path, text, LIMITS))
        terminal(stderr=to_stdout(output)).print(found.table())
        result(lambda: json.loads(found.to_json()))
    return tell_missing(histograms)
