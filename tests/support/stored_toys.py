"""Outputs of a pass with stored events: two features, sides in two symmetries, a signal at large x and y."""

from __future__ import annotations

import hist
import numpy as np

from coffea_ddp.histograms.cells import CellGrid, Multiplicity, Topology
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.layout import FeatureLayout, Layout, SymmetryLayout
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.histograms.stored import StoredEvents, side_bits, stored_columns

GRID = CellGrid((Multiplicity("j", last=3), Topology("VBF")))
X = hist.axis.Regular(6, 0.0, 1.0, name="x", label="x [GeV]")
Y = hist.axis.Regular(5, 0.0, 1.0, name="y", label="y")


def make_layout(kappa=1.0, *, weighted=False, max_stored=100_000):
    features = tuple(FeatureLayout(name, name, "") for name in ("x", "y"))
    observables = (("x x y", (X, Y)), ("x", (X,)))
    return Layout(
        "toys",
        "f" * 16,
        GRID,
        (
            SymmetryLayout("e/mu", ("e", "mu"), kappa, observables),
            SymmetryLayout("l-/l+", ("l-", "l+"), 1.0, (("y", (Y,)),)),
        ),
        features,
        weighted=weighted,
        max_stored=max_stored,
    )


def make_events(n, seed, *, kappa=1.0, excess=0, weighted=False, max_stored=100_000, drop_features=False, shift=0.0):
    """Events with two features and sides in both symmetries; ``excess`` of them on side B at large x and y.

    ``shift`` is the relative width of what changes kappa, in every bin of x or (negative) in all alike.
    """
    layout = make_layout(kappa, weighted=weighted, max_stored=max_stored)
    rng = np.random.default_rng(seed)
    total = n + excess
    cells = np.minimum(rng.geometric(0.3, total) - 1, GRID.n_exclusive - 1)
    x, y = rng.exponential(0.3, total).astype(np.float32), rng.random(total).astype(np.float32)
    changed = np.full(total, float(kappa))
    if shift:
        bins = np.clip(X.index(x.astype(float)), 0, X.size - 1) if shift > 0 else 0
        changed *= np.exp(abs(shift) * rng.standard_normal(X.size))[bins]
    sides = np.stack([rng.random(total) < changed / (1 + changed), rng.random(total) < 0.5]).astype(np.int8)
    sides[1, rng.random(total) < 0.3] = -1
    x[n:], y[n:], sides[0, n:], cells[n:] = rng.uniform(0.7, 0.95, excess), rng.uniform(0.7, 0.95, excess), 1, 3
    weight = rng.lognormal(0, 0.3, total)
    keys, weights = [], []
    for channel in layout.channels:
        number = [symmetry.name for symmetry in layout.symmetries].index(channel.symmetry)
        on = sides[number] >= 0
        bins = np.zeros(total, dtype=np.int64)
        for axis in channel.axes:
            bins = bins * axis.extent + axis.index({"x": x, "y": y}[axis.name].astype(float)) + 1
        keys.append(channel.key(cells, sides[number].astype(np.int64), bins)[on])
        weights.append(weight[on])
    counts = SparseCounts.from_keys(np.concatenate(keys), np.concatenate(weights) if weighted else None)
    columns = stored_columns(layout, total)
    columns["run"][:] = 1
    columns["event"][:] = np.arange(total) + 1000 * seed
    columns["cell"][:] = cells
    columns["sides"][:] = side_bits(sides)
    columns["x"][:], columns["y"][:] = (np.nan, np.nan) if drop_features else (x, y)
    if weighted:
        columns["weight"][:] = weight
    events = StoredEvents.make(columns, max_stored=max_stored, n_symmetries=2, n_exclusive=GRID.n_exclusive)
    return Histograms(layout, counts, Histograms.empty(layout).not_filled, events)
