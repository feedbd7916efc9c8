"""Outputs under the null, drawn from the counts of another: for studies of many scans, without events."""

from __future__ import annotations

import dataclasses

import numpy as np

from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.histograms.split import EventSplit


def null_halves(hists: Histograms, rng: np.random.Generator, share: float = 0.5) -> tuple[Histograms, Histograms]:
    """Return two outputs that have no event in common, every event on a side drawn with the plan's kappa.

    Events of the filled bins are dealt to the first with probability ``share``, each observable for itself; the numbers
    of events of the exclusive cells, of which only the cells matter, stay those of all.
    """
    parts: tuple[list[SparseCounts], list[SparseCounts]] = ([], [])
    for channel in hists.layout.channels:
        mine = hists.counts.between(channel.base, channel.end(hists.layout.grid.n_exclusive))
        if channel.name == EVENTS:
            for part in parts:
                part.append(mine)
            continue
        side_of_cell, place = np.divmod(mine.keys - channel.base, channel.extent)
        cell = side_of_cell // 2
        bins, number = np.unique(cell * channel.extent + place, return_inverse=True)
        n = np.bincount(number, mine.counts).astype(np.int64)
        first = rng.binomial(n, share)
        kappa = hists.layout.symmetry(channel.symmetry).kappa
        for part, size in zip(parts, (first, n - first), strict=True):
            n_b = rng.binomial(size, kappa / (1.0 + kappa))
            cells, places = np.divmod(bins, channel.extent)
            keys = [channel.base + (2 * cells + side) * channel.extent + places for side in (0, 1)]
            all_keys, counts = np.concatenate(keys), np.concatenate([size - n_b, n_b])
            order = np.argsort(all_keys)
            kept = order[counts[order] > 0]
            part.append(SparseCounts(all_keys[kept], counts[kept]))
    halves = []
    for name, part in zip("ab", parts, strict=True):
        layout = dataclasses.replace(hists.layout, split=EventSplit(name, share))
        halves.append(dataclasses.replace(hists, layout=layout, counts=SparseCounts.sum(part)))
    return halves[0], halves[1]
