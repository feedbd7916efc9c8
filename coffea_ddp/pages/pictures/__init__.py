"""Figures of a row of a report, as data, from the histograms.

A row names a place (symmetry or spectrum, observable, cell) and a test; its matrices, spectrum or events are in the
output of the pass. What a scan does not keep (z of every bin of a spectrum, the fit of NPLM) is made again by the
functions of the scan.

Examples
--------
>>> from coffea_ddp.histograms.cells import CellGrid
>>> from coffea_ddp.histograms.histograms import Histograms
>>> from coffea_ddp.histograms.layout import Layout
>>> hists = Histograms.empty(Layout("demo", "0" * 16, CellGrid(()), ()))
>>> row = Row(
...     kind="spectrum",
...     symmetry=None,
...     observable="2mu",
...     cell="inclusive",
...     region=None,
...     test="bump",
...     n_a=None,
...     n_b=None,
...     statistic=None,
...     p_local=None,
...     z_local=None,
...     p_global=None,
...     z_global=None,
...     method="",
...     status="OK",
... )
>>> pictures_of(row, hists).note
"no spectrum '2mu' in plan 'demo'; it has: none"
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coffea_ddp.errors import DDPError
from coffea_ddp.pages.pictures.bumps import spectrum_pictures
from coffea_ddp.pages.pictures.cells import cell_pictures
from coffea_ddp.pages.pictures.comparisons import comparison_pictures
from coffea_ddp.pages.pictures.drawn import Drawn, Permuting
from coffea_ddp.pages.pictures.events import event_pictures
from coffea_ddp.report.rows import Row

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms

__all__ = ["Drawn", "Permuting", "pictures_of"]


def pictures_of(row: Row, hists: Histograms, *, label: str = "", permuting: Permuting | None = None) -> Drawn:
    """Return the figures that belong to a row.

    Of symmetries: the matrices of A and B with the significance of every bin and the best rectangle, and A and B
    overlaid with ratio and pull. Of comparisons: data and simulation with its uncertainty. Of tests on events: the
    learned log-ratio, its null, and the features. Of spectra: the counts with z of every bin.

    Parameters
    ----------
    row
        Of a report.
    hists
        The output of the pass that was scanned.
    label
        The label over the figures: a dataset or luminosity.
    permuting
        The seed of the scan and its permutations, for fits that are made again.

    Returns
    -------
    Drawn
        Its note says what could not be drawn and why: a fault in one row does not stop a report.
    """
    try:
        if row.kind == "spectrum":
            return Drawn(spectrum_pictures(row, hists, label))
        if row.kind == "comparison":
            return Drawn(comparison_pictures(row, hists, label, None if permuting is None else permuting.simulation))
        if row.test in ("nplm", "classifier"):
            return Drawn(event_pictures(row, hists, label, permuting or Permuting()))
        return Drawn(cell_pictures(row, hists, label))
    except DDPError as error:
        return Drawn((), str(error))
