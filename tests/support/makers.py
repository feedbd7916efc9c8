"""Small random events with NanoAOD's flat branch names, and the objects that fit them."""

from __future__ import annotations

import awkward as ak
import numpy as np

from coffea_ddp.events.branches import Columns
from coffea_ddp.events.objects import MergedObject, ObjectDefinition
from coffea_ddp.events.selected import SelectedEvents

# Electrons and muons alike in everything, the mass included, with jets that need no identification.
OBJECTS = (
    ObjectDefinition("e", "Electron", 15.0, 2.4, charged=True, flavour=11),
    ObjectDefinition("mu", "Muon", 15.0, 2.4, charged=True, flavour=13),
    MergedObject("lepton", ("e", "mu")),
    ObjectDefinition("j", "Jet", 30.0, 4.7, away_from=(("e", 0.4), ("mu", 0.4)), mass=None),
    ObjectDefinition("b", "Jet", 60.0, 2.4, away_from=(("e", 0.4), ("mu", 0.4)), mass=None),
)


def jagged(counts: np.ndarray, values: np.ndarray) -> ak.Array:
    """Return values as lists of the given lengths."""
    return ak.unflatten(values, counts)


def particles(rng: np.random.Generator, name: str, counts: np.ndarray, scale: float) -> dict[str, ak.Array]:
    """Return the branches of one collection, single precision as in NanoAOD."""
    n = int(counts.sum())
    columns = {
        "pt": rng.exponential(scale, n) + 5.0,
        "eta": rng.normal(0.0, 1.5, n),
        "phi": rng.uniform(-np.pi, np.pi, n),
        "mass": rng.uniform(3.0, 15.0, n),
    }
    branches = {f"{name}_{key}": jagged(counts, value.astype(np.float32)) for key, value in columns.items()}
    return branches | {f"{name}_charge": jagged(counts, rng.choice([-1, 1], n).astype(np.int32))}


def random_events(n: int, seed: int, most: int = 3) -> ak.Array:
    """Return events of up to `most` electrons and muons and twice as many jets."""
    rng = np.random.default_rng(seed)
    branches = {
        "run": np.full(n, 5, np.uint32),
        "luminosityBlock": (np.arange(n) // 10 + 1).astype(np.uint32),
        "event": rng.permutation(10 * n)[:n].astype(np.uint64),
        "MET_pt": rng.exponential(40.0, n).astype(np.float32),
        "MET_phi": rng.uniform(-np.pi, np.pi, n).astype(np.float32),
    }
    for name, highest, scale in (("Electron", most, 30.0), ("Muon", most, 30.0), ("Jet", 2 * most, 60.0)):
        branches |= particles(rng, name, rng.integers(0, highest + 1, n), scale)
    return ak.Array(branches)


def with_branches(events: ak.Array, **branches: object) -> ak.Array:
    """Return the events with branches replaced or added."""
    return ak.Array({name: events[name] for name in events.fields} | branches)


def select(events: ak.Array, objects: tuple[ObjectDefinition | MergedObject, ...] = OBJECTS) -> SelectedEvents:
    """Return the events after object selection."""
    return SelectedEvents.from_columns(Columns(events), objects)


def lepton_rows(selected: SelectedEvents) -> list[list[dict[str, float]]]:
    """Return the selected leptons of every event as plain Python, the largest pT first, ties as they come."""
    rows = selected.collection("lepton").to_list()
    return [sorted(row, key=lambda lepton: -lepton["pt"]) for row in rows]
