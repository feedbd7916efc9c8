"""Missing transverse momentum: of the file or, where it has a soft term alone, that minus the objects of a plan.

The latter is an approximation of the experiment's own (METMaker), which takes objects by its own selection and overlap
removal, and jets below a plan's threshold; so an output says of what it was made.

Examples
--------
>>> import awkward as ak
>>> from coffea_ddp.events.branches import Columns
>>> from coffea_ddp.events.candidates import select
>>> from coffea_ddp.events.objects import ObjectDefinition
>>> events = ak.Array(
...     {
...         "AnalysisMuonsAuxDyn.pt": [[40e3, 20e3]],
...         "AnalysisMuonsAuxDyn.eta": [[0.0, 0.0]],
...         "AnalysisMuonsAuxDyn.phi": [[0.0, 0.0]],
...         "MET_Core_AnalysisMETAuxDyn.mpx": [[5e3]],
...         "MET_Core_AnalysisMETAuxDyn.mpy": [[0.0]],
...         "MET_Core_AnalysisMETAuxDyn.source": [[81952]],
...     }
... )
>>> columns = Columns(events)
>>> pt, phi = missing_momentum(columns, select(columns, [ObjectDefinition("mu", "Muon", pt_min=30.0)]))
>>> pt.tolist(), columns.choices["missing transverse momentum"]
([35.0], 'approximate: soft term of tracks minus the selected mu')
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import MissingBranchError

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.events.branches import Columns
    from coffea_ddp.events.objects import ObjectArrays

MET_BRANCHES = ("PuppiMET", "MET", "PFMET")
"""Missing transverse momentum over the NanoAOD versions, best first."""
ROLE = "missing transverse momentum"
APPROXIMATE = "approximate: soft term of tracks minus the selected"
"""Beginning of what an output says of such a missing momentum."""


def is_there(columns: Columns) -> bool:
    """Tell whether a file has a missing momentum, or a soft term to make it of."""
    if columns.dialect.hard:
        return columns.has("SoftTerm_px")
    return any(columns.has(f"{name}_pt") for name in MET_BRANCHES)


def missing_momentum(columns: Columns, objects: Mapping[str, ObjectArrays]) -> tuple[FloatArray, FloatArray]:
    """Return size in GeV and angle of missing momentum, shape (n_events,) of the whole chunk.

    Of the first of PuppiMET, MET, PFMET that a file has. Beside a soft term, a candidate that several objects are made
    of (a jet that is a b-jet, too) is taken once; right for those events of which ``objects`` holds the objects, NaN
    where an event has no soft term.

    Raises
    ------
    MissingBranchError
        If there is neither, or no object of a collection that belongs to missing momentum.
    """
    if columns.dialect.hard:
        px, py = _beside_soft_term(columns, objects)
        return np.hypot(px, py), np.arctan2(py, px)
    branch = str(columns.first_of(ROLE, [f"{name}_pt" for name in MET_BRANCHES]))
    pt, phi = (columns.per_event(name).astype(np.float64) for name in (branch, branch.replace("_pt", "_phi")))
    return pt, phi


def _beside_soft_term(columns: Columns, objects: Mapping[str, ObjectArrays]) -> tuple[FloatArray, FloatArray]:
    mine: dict[str, list[str]] = {}
    for name, arrays in objects.items():
        if arrays.collection in columns.dialect.hard:
            mine.setdefault(arrays.collection, []).append(name)
    if not mine:
        raise MissingBranchError(
            f"{columns.source}: {columns.dialect.name} has a soft term of missing momentum alone, from which the "
            "selected objects are subtracted, and the plan has none; give it objects (nanoaod.standard_objects())"
        )
    px, py = (columns.per_event(f"SoftTerm_{axis}").astype(np.float64) for axis in ("px", "py"))
    for collection, names in mine.items():
        counts = columns.counts(collection)
        pt, phi = (columns.content(f"{collection}_{field}").astype(np.float64) for field in ("pt", "phi"))
        taken = np.zeros(len(pt), dtype=bool)
        for name in names:
            taken[objects[name].candidates] = True
        owner = np.repeat(np.arange(columns.n_events), counts)[taken]
        px = px - np.bincount(owner, pt[taken] * np.cos(phi[taken]), columns.n_events)
        py = py - np.bincount(owner, pt[taken] * np.sin(phi[taken]), columns.n_events)
    columns.choices[ROLE] = f"{APPROXIMATE} {', '.join(name for names in mine.values() for name in names)}"
    return px, py
