"""The figure of a mass spectrum: the counts, what is expected without a bump, and the network's z of every bin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.pages.pictures.compared import Texts, with_range
from coffea_ddp.pages.pictures.drawn import axis_of, title_of
from coffea_ddp.pages.pictures.figure import Column, Figure, Layer, Panel, Span
from coffea_ddp.plotting.intervals import poisson_interval
from coffea_ddp.plotting.ranges import close_in, contents_scale, per_bin
from coffea_ddp.report.parts import BumpPart
from coffea_ddp.scanning.bump_range import prepare, within
from coffea_ddp.stats.bumphunt.features import describe
from coffea_ddp.stats.bumphunt.finder import shipped
from coffea_ddp.stats.bumphunt.hunt import hunt
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coffea_ddp._typing import FloatArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.pages.pictures.figure import Axis
    from coffea_ddp.report.rows import Row
    from coffea_ddp.scanning.bump_range import Prepared


def spectrum_pictures(row: Row, hists: Histograms, label: str) -> tuple[Figure, ...]:
    """Return the figure of a row of the bump hunt.

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
    columns = [Column("n", "events", found.counts), *_intervals(found.counts, found.variances)]
    layers = [Layer("points", "data", "n", "n_low", "n_high", label="events")]
    title = title_of(str(row.observable), row.cell)
    axis, spans = axis_of(found.hist.axes[0]), _spans(row, found.masks, found.edges)
    if not tested:
        caption = f"The spectrum; it was not tested: {row.reason or row.status}."
        texts = Texts("spectrum", title, label, caption, caption)
        shown = with_range(axis, found.counts, spans)
        return (Figure(*texts, (shown,), tuple(columns), (_counts_panel(columns, layers, axis),), spans),)
    z, error, smooth = (_outside_nan(values, prepared) for values in _hunted(prepared))
    if found.variances is None:
        columns.append(Column("background", "expected without a bump", smooth))
        layers.insert(0, Layer("curve", "model", "background", label="expected without a bump"))
    ends = Column("z_low", "z - error", z - error), Column("z_high", "z + error", z + error)
    columns += [Column("z", "z", z), *ends]
    low, high = min(-2.0, float(np.nanmin(z, initial=0.0))), close_in(z, at_least=3.0)
    significance = Panel(
        "z", 1.25 * low, 1.2 * high, height=1.2, levels=(0.0, 3.0, 5.0),
        layers=(Layer("band", "data", low="z_low", high="z_high"), Layer("steps", "ink", "z")),
    )  # fmt: skip
    inside = found.counts * (np.arange(len(found.counts)) < prepared.stop)
    shown = with_range(axis, inside, spans)
    expected = " The line is the log-linear fit of the hunt, its strongest candidate left out." * (
        found.variances is None
    )
    caption = (
        "Counts of the spectrum, and z of every bin in its fit range: the network's estimate of the significance with "
        f"a known background, with its error.{expected} Shaded: known resonances that are left out, and the bump."
    )
    texts = Texts("spectrum", title, label, caption, f"{caption} {_told(row, found.counts[prepared.span].sum())}")
    panels = (_counts_panel(columns, layers, axis), significance)
    return (Figure(*texts, (shown,), tuple(columns), panels, spans),)


def _intervals(counts: FloatArray, variances: FloatArray | None) -> list[Column]:
    low, high = poisson_interval(counts, variances)
    return [Column("n_low", "events: 68 % from", low), Column("n_high", "events: 68 % to", high)]


def _counts_panel(columns: list[Column], layers: list[Layer], axis: Axis) -> Panel:
    counts, _, high = (np.asarray(one.values, dtype=np.float64) for one in columns[:3])
    scale = contents_scale(np.concatenate([counts, high]), log=bool((counts > 0).any()), room=1.15)
    label = f"events / {per_bin(axis.edges, axis.named)}"
    return Panel(label, scale.low, scale.high, scale.log, tuple(layers), height=2.4)


def _spans(row: Row, masks: Sequence[tuple[float, float, str]], edges: FloatArray) -> tuple[Span, ...]:
    """Return the masks within the axis, and the bump with two widths to both sides."""
    spans = [
        Span("mask", max(low, float(edges[0])), min(high, float(edges[-1])), name)
        for low, high, name in masks
        if low < edges[-1] and high > edges[0]
    ]
    bump = row.bump
    if bump is not None and bump.position is not None:
        name, width = f"bump at {bump.position:.4g}", bump.width or 0.0
        if width:
            wide = f"{name}, width {width:.3g} (band: \N{PLUS-MINUS SIGN} 2 widths)"
            spans.append(Span("region", bump.position - 2 * width, bump.position + 2 * width, wide))
        spans.append(Span("line", bump.position, bump.position, "" if width else name))
    return tuple(spans)


def _told(row: Row, entries: float) -> str:
    if row.bump is None or row.bump.position is None or row.z_local is None:
        return f"{entries:,.7g} entries."
    beside = (row.bump.bump_number or 1) - 1
    if beside:
        taken = f"with {beside} stronger bump{'s' * (beside > 1)} taken out, "
        return f"{entries:,.7g} entries; {taken}the largest z is {row.z_local:+.1f} at {row.bump.position:.5g} GeV."
    return f"{entries:,.7g} entries; the largest z is {row.z_local:+.1f} at {row.bump.position:.5g} GeV."


def _hunted(prepared: Prepared) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return z of every bin, its error, and the smooth background; NaN where they mean nothing, shape (n_bins,)."""
    found = hunt(shipped(), prepared.counts[None], prepared.sigma, prepared.use[None])
    shown = np.where(found.estimates.inside[0] & (prepared.use > 0), 1.0, np.nan)
    smooth = describe(prepared.counts[None], found.sigma[0], prepared.use[None]).smooth[0]
    return found.estimates.z[0] * shown, found.estimates.error[0] * shown, smooth


def _outside_nan(values: FloatArray, prepared: Prepared) -> FloatArray:
    """Return values of the fit range as those of all bins."""
    whole = np.full(len(prepared.contents.counts), np.nan)
    whole[prepared.span] = values
    return whole
