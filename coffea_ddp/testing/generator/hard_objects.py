"""Momentum of the objects of the standard selection: what stands against missing momentum beside a soft term.

A file that has the soft term alone has that of the toy events, from which a reader subtracts such objects again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray
    from coffea_ddp.testing.generator.detector import Objects

CRACK = (1.444, 1.566)
RADIUS = 0.4
MOST_DXY, MOST_DZ = 0.05, 0.1
"""Largest impact parameters of a lepton, in cm."""
MEDIUM_TAU = 5
_LEPTON = (20.0, 2.4, CRACK)
_RANGES = {"Electron": _LEPTON, "Muon": _LEPTON, "Photon": (25.0, 2.4, CRACK), "Tau": (20.0, 2.3, None),
           "Jet": (30.0, 4.7, None)}  # fmt: skip
_AWAY = {"Photon": ("Electron", "Muon"), "Tau": ("Electron", "Muon"), "Jet": ("Electron", "Muon", "Photon", "Tau")}
_MOST_ISOLATION = 0.15


def momentum(objects: Mapping[str, Objects]) -> tuple[FloatArray, FloatArray]:
    """Return the components of the sum of momenta of all selected objects in GeV, shape (n_events,)."""
    kept: dict[str, Objects] = {}
    n_events = len(objects["Jet"].counts)
    px, py = np.zeros(n_events), np.zeros(n_events)
    for name in _RANGES:
        mine = objects[name]
        keep = _selected(name, mine)
        for other in _AWAY.get(name, ()):
            keep &= ~_near(mine, kept[other])
        kept[name] = _those(mine, keep)
        owner, (pt, phi) = _owner(kept[name]), (_single(kept[name], part) for part in ("pt", "phi"))
        px += np.bincount(owner, pt * np.cos(phi), n_events)
        py += np.bincount(owner, pt * np.sin(phi), n_events)
    return px, py


def prompt(leptons: Objects) -> BoolArray:
    """Return which leptons have small impact parameters."""
    return (np.abs(_single(leptons, "dxy")) < MOST_DXY) & (np.abs(_single(leptons, "dz")) < MOST_DZ)


def _selected(name: str, mine: Objects) -> BoolArray:
    pt_min, eta_max, crack = _RANGES[name]
    distance = np.abs(_single(mine, "eta"))
    keep: BoolArray = (_single(mine, "pt") > pt_min) & (distance < eta_max)
    if crack is not None:
        keep &= (distance < crack[0]) | (distance > crack[1])
    if name in ("Electron", "Muon"):
        keep &= mine.columns["id_passed"] & (_single(mine, "iso") < _MOST_ISOLATION) & prompt(mine)
    elif name == "Photon":
        keep &= mine.columns["id_passed"]
    elif name == "Tau":
        keep &= mine.columns["level"] >= MEDIUM_TAU
    else:
        keep &= mine.columns["tight"]
    return keep


def _near(mine: Objects, others: Objects) -> BoolArray:
    """Return which objects are close to any of the others in their event."""
    owner, found = _owner(mine), np.zeros(len(mine.columns["pt"]), dtype=bool)
    starts = np.cumsum(others.counts) - others.counts
    eta, phi = (_single(mine, part) for part in ("eta", "phi"))
    their_eta, their_phi = (_single(others, part) for part in ("eta", "phi"))
    for number in range(int(others.counts.max(initial=0))):
        rows = np.flatnonzero(others.counts[owner] > number)
        where = starts[owner[rows]] + number
        apart = np.abs(phi[rows] - their_phi[where])
        apart = np.where(apart > np.pi, 2.0 * np.pi - apart, apart)
        found[rows] |= (eta[rows] - their_eta[where]) ** 2 + apart**2 < RADIUS**2
    return found


def _single(objects: Objects, name: str) -> FloatArray:
    """Return a column as a file holds it."""
    return objects.columns[name].astype(np.float32).astype(np.float64)


def _owner(objects: Objects) -> AnyArray:
    return np.repeat(np.arange(len(objects.counts)), objects.counts)


def _those(objects: Objects, keep: BoolArray) -> Objects:
    counts = np.bincount(_owner(objects)[keep], minlength=len(objects.counts))
    return type(objects)(counts, {name: column[keep] for name, column in objects.columns.items()})
