"""Dialects that are known, and the one that a file is of.

Examples
--------
>>> dialect_of(["AnalysisElectronsAuxDyn.pt", "EventInfoAuxDyn.runNumber"]).name, dialect_of(["Muon_pt"]).name
('PHYSLITE', 'NanoAOD')
>>> dialect_of_tree("CollectionTree").name, dialect_of_tree("Events").name
('PHYSLITE', 'NanoAOD')
"""

from __future__ import annotations

from collections.abc import Iterable

from coffea_ddp.events.dialects.dialect import NANOAOD, Dialect, spelled
from coffea_ddp.events.dialects.physlite import PHYSLITE

TRANSLATED: tuple[Dialect, ...] = (PHYSLITE,)
"""Dialects other than NanoAOD."""
TREES: tuple[str, ...] = tuple(tree for dialect in TRANSLATED for tree in dialect.trees)
"""Trees by whose names such files are known, where no other is asked for."""


def dialect_of_tree(tree: str) -> Dialect:
    """Return the dialect of a tree of this name."""
    return next((one for one in TRANSLATED if tree in one.trees), NANOAOD)


def dialect_of(names: Iterable[str]) -> Dialect:
    """Return the dialect of events with these branches: that of which one is in a container."""
    containers = {spelled(name).split(".", maxsplit=1)[0] for name in names if "Aux" in name or "." in name}
    return next((one for one in TRANSLATED if not containers.isdisjoint(one.marks)), NANOAOD)
