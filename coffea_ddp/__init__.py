"""coffea_ddp: scan all of the data for broken symmetries, without simulation.

The Data-Directed Paradigm takes a property that the Standard Model guarantees and looks everywhere in the data for
where it breaks. Processors fill every cell in one pass over NanoAOD; ``scan`` tests and ranks all cells.

>>> import coffea_ddp as ddp
>>> "ScanPlan" in dir(ddp)
True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coffea_ddp import plotting, stats, testing
    from coffea_ddp.errors import DDPError
    from coffea_ddp.events.cuts import ComputedCut, Cut, FirstAvailable, Recent, WorkingPoint
    from coffea_ddp.events.objects import MergedObject, ObjectDefinition
    from coffea_ddp.filling import fill
    from coffea_ddp.histograms.cells import Cell, CellGrid, Multiplicity, Topology
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.histograms.io import load, read_pair
    from coffea_ddp.histograms.merging import merge_files
    from coffea_ddp.histograms.pairs import MatrixPair
    from coffea_ddp.histograms.samples import SamplePair, sample_pair
    from coffea_ddp.pages import write_report
    from coffea_ddp.plan import nanoaod, observables, selections, symmetries
    from coffea_ddp.plan.masses.candidates import Candidate, System, all_systems, fat_systems, system
    from coffea_ddp.plan.masses.combinations import Combination, all_combinations, combination
    from coffea_ddp.plan.observables import Feature, Observable, observable
    from coffea_ddp.plan.plan import ScanPlan
    from coffea_ddp.plan.plan_files import load_plan
    from coffea_ddp.plan.selections import GoodRuns, Trigger
    from coffea_ddp.plan.spectrum import Spectrum
    from coffea_ddp.plan.symmetry import Symmetry
    from coffea_ddp.report.overview import state_table, symmetry_table
    from coffea_ddp.report.report import ScanReport
    from coffea_ddp.running.driver import run, run_by_dataset
    from coffea_ddp.running.executors import Cluster, DaskAwkward, Iterative, Local
    from coffea_ddp.running.options import Checkpoint, Reading
    from coffea_ddp.running.processor import ScanProcessor
    from coffea_ddp.scanning.binned_tests import NSigma, Submatrix
    from coffea_ddp.scanning.bump_cells import Bump
    from coffea_ddp.scanning.bump_hunt import hunt_spectra
    from coffea_ddp.scanning.classifier_cells import Classifier
    from coffea_ddp.scanning.driver import scan
    from coffea_ddp.scanning.expectation import Expectation
    from coffea_ddp.scanning.nplm_cells import NPLM
    from coffea_ddp.scanning.own_function import CellTest
    from coffea_ddp.spectra.reading import read_spectra, to_spectrum
    from coffea_ddp.spectra.resolution import Resolution, combined, fixed_axis, resolution_axis
    from coffea_ddp.spectra.spectrum import MassSpectrum
    from coffea_ddp.spectra.writing import write_spectra

# A worker pays for what it uses: names are resolved on first use (PEP 562).
_HOME = {
    "scanning.bump_hunt": ("hunt_spectra",),
    "histograms.cells": ("Cell", "CellGrid", "Multiplicity", "Topology"),
    "plan.masses.candidates": ("Candidate", "System", "all_systems", "fat_systems", "system"),
    "plan.masses.combinations": ("Combination", "all_combinations", "combination"),
    "events.cuts": ("ComputedCut", "Cut", "FirstAvailable", "Recent", "WorkingPoint"),
    "errors": ("DDPError",),
    "scanning.binned_tests": ("NSigma", "Submatrix"),
    "scanning.bump_cells": ("Bump",),
    "scanning.classifier_cells": ("Classifier",),
    "scanning.expectation": ("Expectation",),
    "scanning.nplm_cells": ("NPLM",),
    "scanning.own_function": ("CellTest",),
    "spectra.reading": ("read_spectra", "to_spectrum"),
    "spectra.writing": ("write_spectra",),
    "filling": ("fill",),
    "histograms.histograms": ("Histograms",),
    "plan.plan_files": ("load_plan",),
    "events.objects": ("MergedObject", "ObjectDefinition"),
    "plan.observables": ("Feature", "Observable", "observable"),
    "report.overview": ("state_table", "symmetry_table"),
    "pages": ("write_report",),
    "plan.plan": ("ScanPlan",),
    "plan.spectrum": ("Spectrum",),
    "plan.symmetry": ("Symmetry",),
    "running.processor": ("ScanProcessor",),
    "report.report": ("ScanReport",),
    "histograms.merging": ("merge_files",),
    "running.driver": ("run", "run_by_dataset"),
    "running.executors": ("Cluster", "DaskAwkward", "Iterative", "Local"),
    "running.options": ("Checkpoint", "Reading"),
    "histograms.samples": ("SamplePair", "sample_pair"),
    "histograms.io": ("load", "read_pair"),
    "scanning.driver": ("scan",),
    "plan.selections": ("GoodRuns", "Trigger"),
    "spectra.resolution": ("Resolution", "combined", "fixed_axis", "resolution_axis"),
    "spectra.spectrum": ("MassSpectrum",),
    "histograms.pairs": ("MatrixPair",),
}
_MODULES = {
    "nanoaod": "plan.nanoaod",
    "observables": "plan.observables",
    "plotting": "plotting",
    "selections": "plan.selections",
    "stats": "stats",
    "symmetries": "plan.symmetries",
    "testing": "testing",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "NPLM",
    "Bump",
    "Candidate",
    "Cell",
    "CellGrid",
    "CellTest",
    "Checkpoint",
    "Classifier",
    "Cluster",
    "Combination",
    "ComputedCut",
    "Cut",
    "DDPError",
    "DaskAwkward",
    "Expectation",
    "Feature",
    "FirstAvailable",
    "GoodRuns",
    "Histograms",
    "Iterative",
    "Local",
    "MassSpectrum",
    "MatrixPair",
    "MergedObject",
    "Multiplicity",
    "NSigma",
    "ObjectDefinition",
    "Observable",
    "Reading",
    "Recent",
    "Resolution",
    "SamplePair",
    "ScanPlan",
    "ScanProcessor",
    "ScanReport",
    "Spectrum",
    "Submatrix",
    "Symmetry",
    "System",
    "Topology",
    "Trigger",
    "WorkingPoint",
    "all_combinations",
    "all_systems",
    "combination",
    "combined",
    "fat_systems",
    "fill",
    "fixed_axis",
    "hunt_spectra",
    "load",
    "load_plan",
    "merge_files",
    "nanoaod",
    "observable",
    "observables",
    "plotting",
    "read_pair",
    "read_spectra",
    "resolution_axis",
    "run",
    "run_by_dataset",
    "sample_pair",
    "scan",
    "selections",
    "state_table",
    "stats",
    "symmetries",
    "symmetry_table",
    "system",
    "testing",
    "to_spectrum",
    "write_report",
    "write_spectra",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("coffea-ddp")
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"coffea_ddp.{_MODULE_OF[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"coffea_ddp.{_MODULES[name]}")
    raise AttributeError(f"module 'coffea_ddp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
