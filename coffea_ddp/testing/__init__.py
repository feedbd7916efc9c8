"""Generated NanoAOD files: with chosen signals inside, or broken in chosen ways.

The events are a toy: masses, angles and multiplicities come from parametric shapes and isotropic decays,
without matrix elements, parton densities or pile-up, in the proportions of a lepton skim. What it keeps
exactly are the symmetries that coffea_ddp tests: electron and muon, positive and negative charge, forward
and backward are decided by fair coins, unless ``Efficiency``, a ``Detector`` or a signal says otherwise. (The single-
lepton triggers are the exception, as in real data: their thresholds are 32 GeV for electrons and 24 GeV for
muons.)

Every NanoAOD version from 4 to 15 is written with the branch names and types that its real files have. All
lepton ids above ``loose`` share one decision, all b taggers one score and all missing momenta one value, so
that the same seed describes the same events in every version. ``make_physlite`` writes them as ATLAS would.

Examples
--------
>>> import tempfile, uproot
>>> from pathlib import Path
>>> directory = Path(tempfile.mkdtemp())
>>> hidden = LFVSignal(100, n_jets=2, n_b=0)
>>> path = make_nanoaod(directory / "toy.root", events=2_000, seed=1, signals=[hidden])
>>> with uproot.open(path) as file:
...     file["Events"].num_entries
2000
"""

from __future__ import annotations

from coffea_ddp.testing.broken_files import (
    Damage,
    make_corrupt,
    make_damaged,
    make_empty,
    make_not_finite,
    make_not_root,
    make_truncated,
    make_wrong_tree,
)
from coffea_ddp.testing.detected import apply_detector
from coffea_ddp.testing.files import make_copies, make_dataset, make_nanoaod
from coffea_ddp.testing.generator.detector import Efficiency
from coffea_ddp.testing.generator.efficiencies import Detector, LeptonEfficiency
from coffea_ddp.testing.generator.injection import inject, inject_events
from coffea_ddp.testing.generator.signals import LFVSignal, Resonance, Signal
from coffea_ddp.testing.generator.writing import Compression, Container
from coffea_ddp.testing.physlite_files import make_physlite

__all__ = [
    "Compression",
    "Container",
    "Damage",
    "Detector",
    "Efficiency",
    "LFVSignal",
    "LeptonEfficiency",
    "Resonance",
    "Signal",
    "apply_detector",
    "inject",
    "inject_events",
    "make_copies",
    "make_corrupt",
    "make_damaged",
    "make_dataset",
    "make_empty",
    "make_nanoaod",
    "make_not_finite",
    "make_not_root",
    "make_physlite",
    "make_truncated",
    "make_wrong_tree",
]
