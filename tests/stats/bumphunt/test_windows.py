"""Resonances in the windows that people cut out around them: wide, tight, one-sided; all are found at their masses.

Real dimuons where the peak is among them, and generated spectra of the same numbers where it is not.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from coffea_ddp import stats

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
Masses = np.ndarray


class Resonance(NamedTuple):
    """Masses, where the peaks are, their width, and windows (low, high, bins)."""

    masses: Callable[[], Masses]
    peaks: tuple[float, ...]
    width: float
    windows: tuple[tuple[float, float, int], ...]
    folder: str = ""


def generated(peaks: dict[float, int], width: float, background: int, low: float, high: float, slope: float) -> Masses:
    """Return masses of peaks with radiative tails on a background that falls by 1/e over ``slope``."""
    rng = np.random.default_rng(5)
    parts = [low - slope * np.log(1.0 - rng.random(background) * -np.expm1((low - high) / slope))]
    for mass, events in peaks.items():
        t = rng.standard_normal(events)
        radiates = rng.random(events) < 0.15
        parts.append(mass + width * np.where(radiates, t - rng.exponential(1.5, events), t))
    return np.concatenate(parts)


@cache
def dimuons() -> Masses:
    import uproot

    with uproot.open(SHARED / "cms_real" / "cms2010_dimuon_100k.root") as file:
        muons = file["Events"].arrays(["Muon_pt", "Muon_eta", "Muon_phi", "Muon_charge"], library="np")
    pt, eta, phi, charge = (
        np.stack(muons[f"Muon_{name}"]).astype(float)[:, :2] for name in ("pt", "eta", "phi", "charge")
    )
    squared = 2.0 * pt.prod(axis=1) * (np.cosh(np.diff(eta)[:, 0]) - np.cos(np.diff(phi)[:, 0]))
    return np.sqrt(np.maximum(squared, 0.0))[charge.prod(axis=1) < 0]


def table(name: str) -> Masses:
    with (SHARED / "cms2011" / name).open() as file:
        return np.array([float(row["M"]) for row in csv.DictReader(file)])


RESONANCES = {
    "omega": Resonance(
        lambda: generated({0.7826: 3_000}, 0.012, 30_000, 0.5, 1.2, 0.5), (0.7826,), 0.012,
        ((0.50, 1.20, 100), (0.65, 0.90, 60), (0.75, 1.20, 80)),
    ),
    "phi": Resonance(
        lambda: generated({1.0195: 2_500}, 0.010, 20_000, 0.9, 1.3, 0.5), (1.0195,), 0.010,
        ((0.90, 1.13, 60), (0.96, 1.08, 40), (1.00, 1.30, 80)),
    ),
    "real phi": Resonance(
        lambda: table("peakdata4.csv"), (1.0195,), 0.008, ((0.90, 1.13, 60), (0.97, 1.07, 40), (0.985, 1.13, 58)),
        "cms2011",
    ),
    "J/psi and psi'": Resonance(
        dimuons, (3.097, 3.686), 0.035, ((2.0, 5.0, 110), (2.8, 4.2, 80), (2.95, 5.0, 100)), "cms_real"
    ),
    "Upsilon": Resonance(
        lambda: generated({9.46: 9_000, 10.023: 2_500, 10.355: 1_600}, 0.077, 60_000, 8.0, 14.0, 6.0),
        (9.46, 10.023, 10.355), 0.077, ((8.2, 14.0, 120), (9.0, 11.0, 60), (9.2, 14.0, 100)),
    ),
    "real Upsilon": Resonance(
        dimuons, (9.46,), 0.09, ((8.2, 14.0, 90), (9.0, 9.7, 30), (9.2, 14.0, 90)), "cms_real"
    ),
    "Z": Resonance(dimuons, (91.0,), 2.2, ((60.0, 110.0, 60), (80.0, 102.0, 40), (85.0, 110.0, 40)), "cms_real"),
    "Z of 2011": Resonance(
        lambda: table("Zmumu_Run2011A_masses.csv"), (91.0,), 2.0, ((60.0, 120.0, 60), (80.0, 102.0, 44),
        (86.0, 120.0, 50)), "cms2011",
    ),
}  # fmt: skip
CASES = [(name, window) for name, one in RESONANCES.items() for window in one.windows]


@pytest.mark.parametrize(
    ("name", "window"), CASES, ids=[f"{name}, {low:g} to {high:g}" for name, (low, high, _) in CASES]
)
def test_resonances_are_found_at_their_masses_and_nothing_where_they_are_cut_out(name, window):
    one = RESONANCES[name]
    if one.folder and not (SHARED / one.folder).is_dir():
        pytest.skip(f"needs ../shared/data/{one.folder}")
    low, high, bins = window
    counts, edges = np.histogram(one.masses(), bins, (low, high))
    found = stats.bump_significance(counts, edges, one.width, toys=200, seed=1)
    for mass in one.peaks:
        nearest = min(found.bumps, key=lambda bump: abs(bump.position - mass))
        assert nearest.position == pytest.approx(mass, abs=0.8 * one.width)
        assert nearest.z > 5.0
        assert nearest.p_global < 0.01
    centres = 0.5 * (edges[1:] + edges[:-1])
    cut = np.any([np.abs(centres - mass) < 6.0 * one.width for mass in one.peaks], axis=0)
    if (~cut).sum() >= 20:
        none = stats.bump_significance(np.where(cut, 0, counts), edges, one.width, mask=cut, toys=200, seed=1)
        assert none.p_global > 0.01
        assert not any(bump.z > 5.0 for bump in none.bumps)


@pytest.mark.parametrize("rises", [False, True])
def test_two_bumps_are_listed_whatever_the_background_does(rises):
    x = np.arange(120.0)
    smooth = 1_000.0 * np.exp((x if rises else -x) / 60.0) * (np.exp(-2.0) if rises else 1.0)
    signal = [10.0 * np.sqrt(smooth[k]) * np.exp(-0.5 * ((x - k) / 2.0) ** 2) for k in (35, 80)]
    found = stats.bump_significance(np.random.default_rng(3).poisson(smooth + sum(signal)), width=2.0, toys=0)
    assert sorted(bump.position for bump in found.bumps) == pytest.approx([35.5, 80.5], abs=1.5)
    assert found.bumps[0].z >= found.z_max - 1e-9
    assert found.position == found.bumps[0].position
    only = stats.bump_significance(np.random.default_rng(3).poisson(smooth + sum(signal)), width=2.0, toys=0, most=1)
    assert only.bumps == ()
    assert only.z_max == found.z_max


def test_bumps_of_a_batch_are_those_of_each():
    x = np.arange(80.0)
    expected = 2_000.0 * np.exp(-x / 40.0) + np.outer([0.0, 1.0], 600.0 * np.exp(-0.5 * ((x - 40.0) / 2.0) ** 2))
    counts = np.random.default_rng(4).poisson(expected)
    both = stats.bump_significance(counts, width=2.0, toys=0)
    alone = [stats.bump_significance(one, width=2.0, toys=0) for one in counts]
    assert [len(bumps) for bumps in both.bumps] == [0, 1]
    assert both.bumps[1][0].z == pytest.approx(alone[1].bumps[0].z, abs=1e-4)
    assert both.position == pytest.approx([one.position for one in alone], abs=1e-4)
