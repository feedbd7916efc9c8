"""Outputs of a pass filled at random: two symmetries, a few observables, events in most cells."""

from __future__ import annotations

import hist
import numpy as np

from coffea_ddp.histograms.cells import CellGrid, Multiplicity, Topology
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.layout import EVENTS, Layout, SymmetryLayout
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.scanning.driver import scan
from coffea_ddp.scanning.expectation import Expectation

GRID = CellGrid((Multiplicity("j", last=3), Multiplicity("tau", last=2), Topology("VBF")))
MET = (hist.axis.Regular(5, 0.0, 100.0, name="met"),)
PT_ETA = (hist.axis.Regular(4, 0.0, 100.0, name="pt"), hist.axis.Variable([-2.0, 0.0, 1.0, 2.0], name="eta"))


def make_layout(kappa=1.0, *, weighted=False, grid=GRID):
    return Layout(
        "toys",
        "f" * 16,
        grid,
        (
            SymmetryLayout("e/mu", ("e", "mu"), kappa, (("met", MET), ("pt x eta", PT_ETA))),
            SymmetryLayout("l-/l+", ("l-", "l+"), 1.0, (("met", MET),)),
        ),
        weighted=weighted,
    )


def make_histograms(layout, n_events, seed, *, excess=0.0, flow=0.1):
    """Events spread over all cells and bins, a tenth of them in flow bins; ``excess`` of side B."""
    rng = np.random.default_rng(seed)
    keys = []
    for channel in layout.channels:
        if channel.name == EVENTS:  # the first of its symmetry: new events
            # Few cells hold most events, as in data.
            cells = np.minimum(rng.geometric(0.15, n_events) - 1, layout.grid.n_exclusive - 1)
            sides = (rng.random(n_events) < 0.5 + excess).astype(np.int64)
        bins = np.zeros(n_events, dtype=np.int64)
        for axis in channel.axes:
            outside = rng.random(n_events) < flow
            bins = bins * axis.extent + np.where(outside, axis.extent - 1, rng.integers(1, axis.extent - 1, n_events))
        keys.append(channel.key(cells, sides, bins))
    all_keys = np.concatenate(keys)
    weights = rng.normal(1.0, 0.8, len(all_keys)) if layout.weighted else None
    return with_counts(layout, SparseCounts.from_keys(all_keys, weights))


def with_counts(layout, counts):
    empty = Histograms.empty(layout)
    return Histograms(layout, counts, empty.not_filled, empty.events)


def scan_expecting(hists, tests=None, *, toys=0, **options):
    """A scan; the fields of its expectation may be among its options, and pseudo-experiments are made on demand."""
    said = {name: options.pop(name) for name in ("kappa", "kappa_error", "systematic", "correction") if name in options}
    return scan(hists, tests, toys=toys, expectation=Expectation(**said), **options)
