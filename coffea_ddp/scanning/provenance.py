"""Provenance of the numbers of a report.

Examples
--------
>>> from coffea_ddp.histograms.cells import CellGrid, Multiplicity
>>> from coffea_ddp.histograms.histograms import Histograms
>>> from coffea_ddp.histograms.layout import Layout
>>> inputs(Histograms.empty(Layout("demo", "0" * 16, CellGrid((Multiplicity("j", last=2),)), ())))["events"]
0
"""

from __future__ import annotations

import functools
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from coffea_ddp.histograms.counted import Counted

_LIBRARIES = ("coffea", "awkward", "uproot", "numpy", "scipy", "numba")
"""Packages on which numbers may depend, beside this one."""

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms


def inputs(hists: Histograms) -> dict[str, Any]:
    """Return where the numbers come from, as JSON-ready data."""
    files = list(hists.ledger.files.values())
    return {
        "events": hists.n_events,
        "files": len(files),
        "datasets": sorted({record.dataset for record in files}),
        "partial": hists.partial,
        "missing": [str(missing) for missing in hists.missing],
        "cutflow": {dataset: dict(cutflow) for dataset, cutflow in hists.cutflows.items()},
        "choices": {role: list(used) for role, used in hists.choices.items()},
        "cells": hists.layout.grid.to_dict(),
        "weighted": hists.layout.weighted,
        "split": None if hists.layout.split is None else hists.layout.split.to_dict(),
        "counted": Counted.of(hists.ledger).to_dict(),
        "package": _version("coffea-ddp"),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}},
    }


@functools.cache
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "unknown"
