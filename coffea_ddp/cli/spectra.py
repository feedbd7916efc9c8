"""The command that exports mass spectra: spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from coffea_ddp._files import SPECTRA
from coffea_ddp._root_files import is_spectra
from coffea_ddp.cli.outputs import Command, OutputFile, delivering
from coffea_ddp.cli.telling import result
from coffea_ddp.cli.terminal import DONE
from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.spectra.spectrum import MassSpectrum


@click.command(cls=Command)
@click.argument("hists", type=click.Path())
@click.option(
    "-o", "--output", type=OutputFile(SPECTRA, is_spectra), required=True, help="Ends in .root, .json or .csv."
)
@click.option("--spectrum", "names", multiple=True, help="Only this spectrum; can be repeated.  [default: all]")
@click.option(
    "--cell", "cells", multiple=True,
    help="A cell, as in 'mu>=2 & j=1'; can be repeated.  [default: inclusive and every filled exclusive one]",
)  # fmt: skip
@click.option(
    "--min-events", type=click.IntRange(min=0), default=1, show_default=True, help="Leave out spectra with fewer."
)
def spectra(hists: str, output: str, names: tuple[str, ...], cells: tuple[str, ...], min_events: int) -> int:
    r"""Export mass spectra as ROOT histograms, UHI JSON or CSV.

    They are called ROI_mass_COMBINATION_cat_STATE_width_GEV, the exchange format of the groups that hunt bumps.

    \b
    coffea-ddp spectra masses.ddp -o masses.root --min-events 100
    coffea-ddp spectra masses.ddp -o dimuon.csv --spectrum 2mu --cell inclusive
    """
    from coffea_ddp.histograms.io import load
    from coffea_ddp.spectra.writing import write_spectra

    histograms = load(hists)
    if not histograms.spectra:
        raise InputError(f"{hists}: no mass spectra in it; run a plan with spectra, as resonances")
    found = [
        spectrum
        for name in names or histograms.spectra
        for spectrum in _in_cells(histograms, name, cells)
        if spectrum.entries >= min_events
    ]
    if not found:
        raise InputError(f"{hists}: no spectrum has {min_events} entries or more; nothing is written")
    with delivering() as deliver:
        deliver(output, lambda path: write_spectra(found, path), f"{len(found)} spectra to ")
        result(
            lambda: {
                "output": output,
                "spectra": [{"spectrum": one.combination, "cell": one.cell, "entries": one.entries} for one in found],
            }
        )
    return DONE


def _in_cells(hists: Histograms, name: str, cells: tuple[str, ...]) -> list[MassSpectrum]:
    if cells:
        return [hists.spectrum(name, cell) for cell in cells]
    codes = hists.spectrum_counts(name).codes
    exclusive = [hists.layout.grid.exclusive(int(code)) for code in codes]
    return [hists.spectrum(name), *(hists.spectrum(name, cell) for cell in exclusive)]
