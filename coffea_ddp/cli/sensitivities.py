"""The command `sensitivity`: expected Z of the tests for an injected signal, as a table."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from coffea_ddp._files import SENSITIVITY, write_text
from coffea_ddp._text_tables import text_table
from coffea_ddp.cli.arrays import read_matrix
from coffea_ddp.cli.outputs import Command, OutputFile, delivering, to_stdout
from coffea_ddp.cli.telling import result
from coffea_ddp.cli.terminal import DONE, steps_bar, terminal
from coffea_ddp.cli.unused import refuse_unused
from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from coffea_ddp.stats.sensitivity import Sensitivity

_COLUMNS = (
    "Z injected", "events", "L1", "L2", "L1 in toys", "L2 in toys", "N_sigma", "rectangle", "z global", "power",
)  # fmt: skip


@click.command(cls=Command)
@click.argument("background", type=click.Path())
@click.argument("template", type=click.Path())
@click.option("--z", "z_values", default="0,1,2,3,4,5", show_default=True, help="Significances to inject, with commas.")
@click.option("--kind", type=click.Choice(["l1", "l2"]), default="l2", show_default=True, help="Whose significances.")
@click.option("--kappa", type=float, help="Expected B / A [default: 1, or that of the histograms].")
@click.option("--toys", type=click.IntRange(min=20), default=400, show_default=True, help="Toys per significance.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the toys.")
@click.option(
    "--statistic", type=click.Choice(["counts", "nsigma"]), default="counts", show_default=True, help="Of rectangles."
)
@click.option("--symmetry", help="Of the histograms, where BACKGROUND is a .ddp file.")
@click.option("--observable", help="Likewise.")
@click.option("--cell", default="inclusive", show_default=True, help="Likewise.")
@click.option("-o", "--output", type=OutputFile(SENSITIVITY), help="The table to write (CSV; - is standard output).")
def sensitivity(background: str, template: str, output: str | None, **options: Any) -> int:
    r"""Estimate the sensitivity of each test: expected Z against injected Z.

    BACKGROUND holds the expected events of side A: a .npy or text file, or the histograms of a pass (.ddp), whose A
    and B together then make the expectation. TEMPLATE is the shape of the signal in the same bins.

    \b
    coffea-ddp sensitivity background.npy signal.npy
    coffea-ddp sensitivity hists.ddp signal.npy --symmetry e/mu --observable 'pt_l0 x met' --cell 'j>=1'
    """
    from coffea_ddp.stats.sensitivity import expected_sensitivity

    of_hists = background.endswith(".ddp"), "histograms as BACKGROUND (.ddp)"
    refuse_unused(dict.fromkeys(("symmetry", "observable", "cell"), of_hists))
    expected, kappa = _background(background, options)
    try:
        wanted = [float(word) for word in options["z_values"].split(",")]
    except ValueError:
        raise InputError(f"--z {options['z_values']}: give numbers with commas between them, as in 1,2,5") from None
    with steps_bar("toys") as progress:
        found = expected_sensitivity(
            expected, read_matrix(template), z=wanted, kind=options["kind"], kappa=kappa, toys=options["toys"],
            seed=options["seed"], statistic=options["statistic"],
            progress=lambda done, total: progress(done, total, ""),
        )  # fmt: skip
    with delivering() as deliver:
        deliver(output, lambda path: write_text(path, _csv(found), SENSITIVITY))
        terminal(stderr=to_stdout(output)).print(_table(found))
        result(lambda: {"rows": found.to_dicts()})
    return DONE


def _background(path: str, options: dict[str, Any]) -> tuple[np.ndarray[Any, Any], float]:
    given = options["kappa"]
    if not path.endswith(".ddp"):
        return read_matrix(path), 1.0 if given is None else given
    from coffea_ddp.histograms.io import load

    histograms = load(path)
    if options["symmetry"] is None or options["observable"] is None:
        known = ", ".join(histograms.symmetries)
        raise InputError(f"{path}: say which of its histograms, with --symmetry ({known}) and --observable")
    pair = histograms[options["symmetry"], options["observable"], options["cell"]]
    kappa = pair.kappa if given is None else given
    a, b = pair.counts
    return (a + b) / (1 + kappa), kappa


def _csv(found: Sensitivity) -> str:
    """Return one line per injected signal; quantiles in separate columns."""
    text, lines = io.StringIO(), found.to_dicts()
    table = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(lines)
    return text.getvalue()


def _table(found: Sensitivity) -> Table:
    from coffea_ddp.stats.sensitivity import GLOBAL_Z, NULL_TIMES

    lines = []
    for row in found.rows:
        marked = f"{row.z_global}~" if "tail" in row.z_global_method else str(row.z_global)
        expected = [f"{row.z_injected:g}", f"{row.n_signal:.1f}", f"{row.asimov_l1:.2f}", f"{row.asimov_l2:.2f}"]
        toys = [str(quantiles) for quantiles in (row.l1, row.l2, row.nsigma, row.rectangle)]
        lines.append([*expected, *toys, marked, f"{row.power:.2f}"])
    given = f"{found.kind.upper()}, kappa = {found.kappa:g}"
    title = f"Z found against Z injected ({given}): median [16 %, 84 %] of {found.toys} toys"
    note = (
        f"events, L1, L2: expected, data without fluctuations; in toys: signed asymptotic z; rectangle: the best, "
        f"{found.statistic}, {found.alternative}; z global: for all rectangles, one-sided, from "
        f"{NULL_TIMES * found.toys} toys without a signal (~: the median is in their fitted tail); "
        f"power: beyond a global {GLOBAL_Z:g} sigma"
    )
    return text_table(title, note, dict.fromkeys(_COLUMNS, "right"), lines)
