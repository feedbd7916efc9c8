"""Bumps of the same objects under another assumption are explained by the bump of the objects alone."""

from __future__ import annotations

import awkward as ak
import hist
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import coffea_ddp as ddp
from coffea_ddp import ScanPlan, Spectrum
from coffea_ddp.filling import fill
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.plan.masses.candidates import all_systems
from coffea_ddp.plan.masses.combinations import all_combinations
from coffea_ddp.report.report import ScanReport
from coffea_ddp.scanning.bump_cells import bump_hunt_in_cells
from coffea_ddp.scanning.same_objects import in_common, is_direct, visible

AXIS = hist.axis.Regular(90, 100.0, 1000.0, name="m")


def filled(direct: np.ndarray, derived: np.ndarray, name: str = "Wm0ne0") -> Histograms:
    """Return the output of a pass over two masses of the same events, NaN where there is none."""
    spectra = (
        Spectrum("e+mu", lambda ev: ev.branch("direct"), AXIS, ddp.Resolution(0.03), exchange_name="e0m0"),
        Spectrum("W+e", lambda ev: ev.branch("derived"), AXIS, ddp.Resolution(0.03), exchange_name=name),
    )
    plan = ScanPlan("toy", objects=(), spectra=spectra)
    return fill(ak.Array({"direct": direct, "derived": derived}), plan)


def falling(rng: np.random.Generator, n: int) -> np.ndarray:
    return 100.0 + rng.exponential(110.0, n)


def scanned(direct: np.ndarray, derived: np.ndarray, name: str = "Wm0ne0", best: int = 1_000) -> ScanReport:
    return bump_hunt_in_cells(filled(direct, derived, name), toys=0, best=best)


def peaks(seed: int, *, of_both: bool = True) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    peak = rng.normal(500.0, 15.0, 160)
    direct, derived = falling(rng, 3_000), 1.05 * falling(rng, 3_000)
    own = rng.normal(520.0, 15.0, 160)
    return np.concatenate([direct, peak if of_both else falling(rng, 160)]), np.concatenate([derived, own])


@pytest.mark.parametrize("seed", range(3))
def test_a_resonance_is_first_and_what_is_made_of_its_objects_is_explained_by_it(seed: int) -> None:
    report = scanned(*peaks(seed))
    first = report.rows[0]
    assert (first.observable, first.rank, first.is_explained) == ("e+mu", 1, False)
    other = max((row for row in report.rows if row.observable == "W+e"), key=lambda row: row.z_local or 0.0)
    assert other.cause is not None
    assert other.cause.cause == "bump in e+mu"
    assert "the same objects have a bump in e+mu at " in str(other.cause.explanation)
    assert other.rank == len(report.rows)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_not_explained_by_nothing_by_other_objects_nor_by_a_bump_elsewhere(seed: int) -> None:
    direct, derived = peaks(seed, of_both=False)
    assert not any(row.is_explained for row in scanned(direct, derived).rows)
    direct, derived = peaks(seed)
    for name in ("Wm0ne1", "Zm0m1e0", "e0m1", ""):
        assert not any(row.is_explained for row in scanned(direct, derived, name).rows), name
    far = np.append(derived[:3_000], np.random.default_rng(seed).normal(820.0, 20.0, 160))
    assert not any(row.is_explained for row in scanned(direct, far).rows)


def test_a_bump_of_many_more_events_is_not_explained_by_a_small_one() -> None:
    direct, derived = peaks(1)
    rng = np.random.default_rng(7)
    more = np.concatenate([derived, rng.normal(520.0, 15.0, 900)])
    report = scanned(np.append(direct, np.full(900, np.nan)), more)
    assert not any(row.is_explained for row in report.rows)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.lists(st.integers(0, 50), min_size=8, max_size=8))
def test_what_is_in_common_is_a_share_and_all_of_it_for_equal_events(one: list[int], other: list[int]) -> None:
    events, others = np.array(one, dtype=float), np.array(other[: len(one)], dtype=float)
    share = in_common(events, others[None])[0]
    assert 0.0 <= share <= 1.0
    assert share == in_common(others, events[None])[0]
    assert in_common(events, events[None])[0] == (1.0 if events.any() else 0.0)


def test_every_system_of_candidates_has_the_objects_of_its_parts() -> None:
    """Walk over all combinations and systems: their names in the exchange format tell visible objects apart."""
    for mass in all_combinations():
        assert is_direct(mass.exchange_name), mass
        assert len(visible(mass.exchange_name)) == len(mass.objects), mass
    for mass in all_systems():
        assert not is_direct(mass.exchange_name), mass
        assert len(visible(mass.exchange_name)) == len(mass.objects), mass


def test_a_report_of_few_places_keeps_rows_and_explanations() -> None:
    """Of many rows neither those that nothing explains nor those that are explained take all places."""
    report = scanned(*peaks(0), best=2)
    assert [(row.observable, row.rank, row.is_explained) for row in report.rows] == [
        ("e+mu", 1, False),
        ("W+e", 2, True),
    ]
    (only, beside) = scanned(*peaks(0), best=1).rows
    assert (only.observable, only.rank, only.is_explained) == ("e+mu", 1, False)
    assert (beside.observable, beside.rank) == ("W+e", None)


def test_toys_are_for_rows_that_lead_and_that_nothing_explains() -> None:
    """The first of all rows would be the same bump in many cells, and reflections: nobody asks for their p."""
    direct, derived = peaks(2)
    rng = np.random.default_rng(5)
    plan = ScanPlan(
        "toy",
        objects=(),
        spectra=(
            Spectrum("e+mu", lambda ev: ev.branch("direct"), AXIS, ddp.Resolution(0.03), exchange_name="e0m0"),
            Spectrum("W+e", lambda ev: ev.branch("derived"), AXIS, ddp.Resolution(0.03), exchange_name="Wm0ne0"),
        ),
        cells=(ddp.Topology("most", lambda ev: ev.branch("most") > 0),),
    )
    most = (rng.random(len(direct)) < 0.9).astype(int)
    hists = fill(ak.Array({"direct": direct, "derived": derived, "most": most}), plan)
    report = bump_hunt_in_cells(hists, toys=50, toys_for=2, seed=3)
    with_toys = [row for row in report.rows if row.n is not None]
    assert with_toys
    assert all(row.is_leading and not row.is_explained for row in with_toys)
    assert report.rows[0] in with_toys
    assert any(row.is_explained for row in report.rows)
    assert any(not row.is_leading for row in report.rows)
    assert not any(row.n for row in bump_hunt_in_cells(hists, toys=0).rows)
    assert not any(row.n for row in bump_hunt_in_cells(hists, toys=50, toys_for=0).rows)
