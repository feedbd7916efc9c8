"""Outputs of a comparison of data with simulation whose truth is known, without files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import hist
import numpy as np

from coffea_ddp.histograms.cells import CellGrid, Multiplicity
from coffea_ddp.histograms.comparison_layout import ComparisonLayout
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.layout import EVENTS, Layout
from coffea_ddp.histograms.simulated import Normalisation, Sample
from coffea_ddp.histograms.sparse import SparseCounts

N_BINS = 20
NAME = "data/simulation"


class Process(NamedTuple):
    """A simulated process: its share of the data, how its spectrum falls, weight and share of negative weights."""

    share: float
    slope: float
    weight: float
    negative: float = 0.0


WELL = (Process(0.6, 0.25, 0.2), Process(0.3, 0.12, 0.5), Process(0.1, 0.08, 0.05))
"""Samples of several times the statistics of the data, or about as much."""
SPARSE = (Process(0.6, 0.25, 1.0), Process(0.3, 0.12, 3.0), Process(0.1, 0.08, 0.5))
NEGATIVE = (Process(0.6, 0.25, 0.2, 0.2), Process(0.3, 0.12, 0.5), Process(0.1, 0.08, 0.05, 0.05))


FEW_CELLS = CellGrid((Multiplicity("j", last=3), Multiplicity("b", last=2), Multiplicity("lepton", last=1)))
MANY_CELLS = CellGrid(tuple(Multiplicity(name, last=last) for name, last in (("j", 5), ("b", 3), ("e", 3))))
"""96 exclusive cells, of which samples of a few hundred events miss many."""


def layout_of(variations: Sequence[str] = (), grid: CellGrid = FEW_CELLS) -> Layout:
    axis = hist.axis.Regular(N_BINS, 0.0, 200.0, name="m")
    comparison = ComparisonLayout(NAME, (("m", (axis,)),), tuple(variations))
    return Layout("toy", "0" * 16, grid, (), comparisons=(comparison,))


def rates_of(layout: Layout, processes: Sequence[Process], total: float, seed: int = 5) -> np.ndarray:
    """Return the expected events of data of every process, exclusive cell and bin; cells differ in shape."""
    rng = np.random.default_rng(seed)
    n_cells = layout.grid.n_exclusive
    cells = rng.dirichlet(np.full(n_cells, 0.5))
    found = []
    for one in processes:
        mine = cells * rng.lognormal(0.0, 0.5, n_cells)
        slopes = one.slope * rng.lognormal(0.0, 0.2, n_cells)[:, None]
        shape = np.exp(-slopes * np.arange(N_BINS))
        found.append(total * one.share * (mine / mine.sum())[:, None] * shape / shape.sum(axis=1, keepdims=True))
    return np.array(found)


def _counts(layout: Layout, columns: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], *, weighted: bool):
    """Return counts of cells and bins: number, sum of w, sum of w^2 in every column."""
    keys, counts, sums, squares = [], [], [], []
    for number, (n, w, w2) in enumerate(columns):
        for channel in layout.comparison_channels:
            values = [v.sum(axis=1, keepdims=True) if channel.name == EVENTS else v for v in (n, w, w2)]
            cell, place = np.nonzero(values[0])
            bins = place if channel.name == EVENTS else place + 1
            keys.append(channel.key(cell.astype(np.int64), number, bins))
            for kept, v in zip((counts, sums, squares), values, strict=True):
                kept.append(v[cell, place])
    order = np.argsort(np.concatenate(keys))
    n, w, w2 = (np.concatenate(kept)[order] for kept in (counts, sums, squares))
    both = (w.astype(float), w2.astype(float)) if weighted else (None, None)
    return SparseCounts(np.concatenate(keys)[order], n.astype(np.int64), *both)


def simulated(layout: Layout, processes: Sequence[Process], rates: np.ndarray, rng: np.random.Generator):
    """Return the samples; one unit of weight is one event of data."""
    found = {}
    for number, (one, rate) in enumerate(zip(processes, rates, strict=True)):
        events = rate / (one.weight * (1.0 - 2.0 * one.negative))
        plus, minus = rng.poisson(events * (1.0 - one.negative)), rng.poisson(events * one.negative)
        name = f"mc{number}"
        column = (plus + minus, one.weight * (plus - minus), one.weight**2 * (plus + minus))
        counts = _counts(layout, [column], weighted=True)
        # 1 pb at 1/fb: a thousand events, over a sum of weights of a thousand.
        sums = {(name, "Events"): 1000.0}
        found[name] = Sample(name, "simulation", counts, sums, Normalisation(1.0), int(minus.sum()))
    return found


def data(layout: Layout, rates: np.ndarray, rng: np.random.Generator, extra: np.ndarray | None = None):
    """Return the sample of data: Poisson around the sum of all processes, and events besides."""
    n = rng.poisson(rates.sum(axis=0)) + (0 if extra is None else extra)
    counts = _counts(layout, [(n, n, n)], weighted=False)
    return {"data": Sample("data", "data", counts, {}, Normalisation(luminosity=1.0))}


def output(layout: Layout, samples: dict[str, Sample]) -> Histograms:
    return dataclasses.replace(Histograms.empty(layout), samples=dict(sorted(samples.items())))


def null_output(
    seed: int, processes: Sequence[Process] = WELL, total: float = 2000.0, extra=None, grid: CellGrid = FEW_CELLS
) -> Histograms:
    """Return one output in which data and simulation have one truth, the same for every seed."""
    layout = layout_of(grid=grid)
    rates, rng = rates_of(layout, processes, total), np.random.default_rng(seed)
    samples = simulated(layout, processes, rates, rng)
    return output(layout, samples | data(layout, rates, rng, extra))
