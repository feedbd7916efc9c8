"""Pictures of a mass spectrum: the counts, and the network's z of every bin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.pages.pictures.drawn import Picture, axis_label
from coffea_ddp.plotting import spectrum as spectrum_figure
from coffea_ddp.report.parts import BumpPart
from coffea_ddp.scanning.bump_range import prepare, within
from coffea_ddp.stats.bumphunt.finder import shipped
from coffea_ddp.stats.bumphunt.hunt import hunt
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.rows import Row
    from coffea_ddp.scanning.bump_range import Prepared


def spectrum_pictures(row: Row, hists: Histograms, label: str) -> tuple[Picture, ...]:
    """Return the picture of a row of the bump hunt.

    Parameters
    ----------
    row
        Of a spectrum.
    hists
        The output of the pass.
    label
        The label over the figures.

    Raises
    ------
    UnknownNameError
        If the histograms have no such spectrum or cell.
    InputError
        If the spectrum is empty.
    """
    found = hists.spectrum(str(row.observable), row.cell)
    if not found.counts.any():
        raise InputError(f"the spectrum {row.observable!r} is empty in {row.cell}")
    bump = row.bump or BumpPart()
    prepared = within(prepare(found, min_events=1), bump.low, bump.high)
    tested = prepared.status is Status.OK and row.status == Status.OK.name
    span = prepared.span if tested else slice(0, int(np.flatnonzero(found.counts)[-1]) + 1)
    counts, edges = found.counts[span], found.edges[span.start : span.stop + 1]
    z, error = _z(prepared) if tested else (np.full(len(counts), np.nan), None)
    figure = spectrum_figure(
        counts, edges, z, xlabel=axis_label(found.hist.axes[0]), z_error=error, position=bump.position,
        width=bump.width, masks=found.masks, title=f"{row.observable}: {row.cell}", label=label,
    )  # fmt: skip
    if not tested:
        caption = f"The spectrum; it was not tested: {row.reason or row.status}."
        return (Picture("spectrum", figure, caption, caption),)
    caption = (
        "Counts of the spectrum in its fit range, and z of every bin: the network's estimate of what an ideal "
        "analysis would see, with its error. Shaded: known resonances that are left out."
    )
    return (Picture("spectrum", figure, caption, f"{caption} {_told(row, counts.sum())}"),)


def _told(row: Row, entries: float) -> str:
    if row.bump is None or row.bump.position is None or row.z_local is None:
        return f"{entries:,.7g} entries."
    beside = (row.bump.bump_number or 1) - 1
    if beside:
        taken = f"with {beside} stronger bump{'s' * (beside > 1)} taken out, "
        return f"{entries:,.7g} entries; {taken}the largest z is {row.z_local:+.1f} at {row.bump.position:.5g} GeV."
    return f"{entries:,.7g} entries; the largest z is {row.z_local:+.1f} at {row.bump.position:.5g} GeV."


def _z(prepared: Prepared) -> tuple[FloatArray, FloatArray]:
    """Return z of every bin and its error, NaN where it means nothing; shape (n_bins,)."""
    hunted = hunt(shipped(), prepared.counts[None], prepared.sigma, prepared.use[None])
    shown = np.where(hunted.estimates.inside[0] & (prepared.use > 0), 1.0, np.nan)
    return hunted.estimates.z[0] * shown, hunted.estimates.error[0] * shown
