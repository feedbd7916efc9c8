"""Outputs with mass spectra alone: smooth in all cells, with a resonance in one."""

from __future__ import annotations

import numpy as np

from coffea_ddp.histograms.cells import CellGrid, Multiplicity
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.layout import Layout
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.histograms.spectrum_layout import SpectrumLayout
from coffea_ddp.spectra.resolution import Resolution, resolution_axis

RESOLUTION = Resolution(0.02)
AXIS = resolution_axis(RESOLUTION, 60.0, 400.0)
GRID = CellGrid((Multiplicity("j", last=3), Multiplicity("b", last=2)))


def falling(events):
    shape = np.exp(-AXIS.centers / 60.0)
    return events * shape / shape.sum()


def peak(events, mass):
    shape = np.exp(-0.5 * ((AXIS.centers - mass) / RESOLUTION.sigma(mass)) ** 2)
    return events * shape / shape.sum()


def spectra_in_cells(*, signal_code=5, signal=120.0, seed=1, symmetries=()):
    """Spectra in all exclusive cells, a resonance at 200 GeV in one of them."""
    spectra = tuple(SpectrumLayout(name, AXIS, RESOLUTION, (), name, (name[1:],) * 2) for name in ("2mu", "2e"))
    layout = Layout("made", "0" * 16, GRID, symmetries, spectra=spectra)
    rng = np.random.default_rng(seed)
    keys, counts = [], []
    for channel in layout.spectrum_channels:
        for code in range(GRID.n_exclusive):
            expected = falling(3e4 / (1 + code) ** 1.5)
            if channel.name == "2mu" and code == signal_code:
                expected = expected + peak(signal, 200.0)
            drawn = rng.poisson(expected)
            filled = np.flatnonzero(drawn)
            keys.append(channel.key(np.full(len(filled), code), 0, filled + 1))
            counts.append(drawn[filled])
    empty = Histograms.empty(layout)
    return Histograms(
        layout, SparseCounts(np.concatenate(keys), np.concatenate(counts)), empty.not_filled, empty.events
    )
