"""ROOT files of ours, which are known by the title of all that is in them.

Examples
--------
>>> is_spectra("nowhere.root")
False
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

SPECTRA_TITLE, SIMULATED_TITLE, SKIM_TITLE = "coffea-ddp/spectra", "coffea-ddp/testing", "coffea-ddp/skim"


def is_spectra(path: str | Path) -> bool:
    """Tell whether a ROOT file holds mass spectra that this package wrote, and nothing else."""
    return _titles(path) == {SPECTRA_TITLE}


def is_simulated(path: str | Path) -> bool:
    """Tell whether a ROOT file holds events that this package simulated, and nothing else."""
    return _titles(path) == {SIMULATED_TITLE}


def is_skim(path: str | Path) -> bool:
    """Tell whether a ROOT file holds chosen events that this package copied, and nothing else."""
    return _titles(path) == {SKIM_TITLE}


def _titles(path: str | Path) -> set[str]:
    """Return the titles of all objects at the top of a file; of none if it cannot be read."""
    import uproot  # slow, and hardly ever needed

    try:
        with uproot.open({str(path): None}) as file:
            return {_title(file, name) for name in file.keys(cycle=False, recursive=False)}
    except Exception:  # noqa: BLE001 (a file that cannot be read is nobody's of ours)
        return set()


def _title(file: Any, name: str) -> str:
    key = file.key(name)
    # What an RNTuple has instead is called description.
    return str(file[name].header.ntuple_description if key.fClassName == "ROOT::RNTuple" else key.fTitle)
