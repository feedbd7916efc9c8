"""The object selection of the pass, once more: written with awkward, the usual way, and slow.

It shares the plan's data with `coffea_ddp` and none of its code, and must agree with it bit by bit.
"""

from __future__ import annotations

import awkward as ak
import numpy as np

from coffea_ddp.events.cuts import ComputedCut, Cut, FirstAvailable, Recent, WorkingPoint
from coffea_ddp.events.objects import MergedObject, ObjectDefinition

OPERATIONS = {
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    ">=": lambda x, y: x >= y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    "<": lambda x, y: x < y,
    "abs<": lambda x, y: abs(x) < y,
    "abs>": lambda x, y: abs(x) > y,
    "has bits": lambda x, y: (ak.values_astype(x, np.int64) & y) == y,
}


def select(events: ak.Array, definitions: tuple[ObjectDefinition | MergedObject, ...]) -> dict[str, ak.Array]:
    """Return the selected objects of every event, the largest pT first, by name; `events` has flat NanoAOD names."""
    selected: dict[str, ak.Array] = {}
    for definition in definitions:
        if isinstance(definition, MergedObject):
            both = ak.concatenate([selected[name] for name in definition.of], axis=1)
            selected[definition.name] = by_pt(both)
            continue
        fields = {name: events[f"{definition.collection}_{name}"] for name in ("pt", "eta", "phi")}
        mask = np.isfinite(fields["pt"]) & np.isfinite(fields["eta"]) & np.isfinite(fields["phi"])
        mask = mask & (fields["pt"] > definition.pt_min) & (abs(fields["eta"]) < definition.eta_max)
        for low, high in definition.eta_gaps:
            mask = mask & ~((abs(fields["eta"]) >= low) & (abs(fields["eta"]) <= high))
        for cut in definition.cuts:
            mask = mask & passes(events, definition.collection, cut)
        fields["mass"] = (
            events[f"{definition.collection}_mass"]
            if definition.mass is None
            else ak.full_like(fields["pt"], definition.mass)
        )
        fields["charge"] = (
            events[f"{definition.collection}_charge"] if definition.charged else ak.zeros_like(fields["pt"], dtype=int)
        )
        fields["flavour"] = ak.full_like(fields["pt"], definition.flavour, dtype=int)
        objects = ak.zip(fields)[mask]
        for name, radius in definition.away_from:
            objects = objects[~near(objects, selected[name], radius)]
        selected[definition.name] = by_pt(objects)
    return selected


def passes(events: ak.Array, collection: str, cut: Cut | ComputedCut | FirstAvailable) -> ak.Array:
    """Return which candidates pass, taking the first alternative whose branches exist."""
    if isinstance(cut, FirstAvailable):
        for one in cut.of("NanoAOD"):
            if all(f"{collection}_{name}" in events.fields for name in one.fields):
                if not isinstance(one, Recent):
                    return passes(events, collection, one)
                if "Electron_mvaIso_WP90" in events.fields:
                    return passes(events, collection, one.cut)
        return ak.ones_like(events[f"{collection}_pt"], dtype=bool)
    values = [events[f"{collection}_{name}"] for name in cut.fields]
    if isinstance(cut, WorkingPoint):
        seen = set(ak.flatten(values[0]))
        bits = not seen & {2, 4, 5, 6, 8}
        return (ak.values_astype(values[0], np.int64) & 2 ** (cut.level - 1)) > 0 if bits else values[0] >= cut.level
    if isinstance(cut, Cut):
        return OPERATIONS[cut.op](values[0], cut.value)
    counts = ak.num(values[0])
    return ak.unflatten(cut.function(*(ak.to_numpy(ak.flatten(v)) for v in values)), counts)


def near(objects: ak.Array, others: ak.Array, radius: float) -> ak.Array:
    """Return which objects are closer than `radius` to any of the others."""
    one, two = ak.unzip(ak.cartesian([objects, others], nested=True))
    d_eta = ak.values_astype(one.eta, np.float64) - ak.values_astype(two.eta, np.float64)
    d_phi = abs(ak.values_astype(one.phi, np.float64) - ak.values_astype(two.phi, np.float64))
    d_phi = ak.where(d_phi > np.pi, 2.0 * np.pi - d_phi, d_phi)
    return ak.any(d_eta * d_eta + d_phi * d_phi < radius * radius, axis=-1)


def by_pt(objects: ak.Array) -> ak.Array:
    """Return every event's objects, the largest pT first; equal ones stay in their order."""
    return objects[ak.argsort(objects.pt, axis=1, ascending=False, stable=True)]
