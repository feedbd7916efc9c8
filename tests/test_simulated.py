"""The simulated events, as a physicist meets them: the hidden Z' comes out, approximate symmetries are told as such."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import coffea_ddp as ddp


@pytest.fixture(scope="module")
def report(shared):
    files = sorted(str(path) for path in Path(shared("nanoaod_sim")).glob("*.root"))
    hists = ddp.run("symmetries", files, executor=ddp.Local(2))
    return ddp.scan(hists, tests=["nsigma", "submatrix"], permutations=250, seed=1)


def test_the_hidden_resonance_is_found(report):
    """250 Z' of 600 GeV to two muons among 8,500 pairs: a region of nothing but muons."""
    best = max((row for row in report.rows if row.symmetry == "ee/mumu OS"), key=lambda row: abs(row.z_local))
    assert best.test == "submatrix"
    assert best.z_local > 10
    assert best.n_a < 5
    assert best.n_b > 80
    mass = best.region.axes[0]
    assert mass.low < 600 < mass.high
    assert best.p_global == 1 / 251
    assert best.p_tail < 1e-4


def test_each_symmetry_has_its_best_regions_with_local_and_global_p(report):
    rows = report.best_regions(3)
    assert {row.symmetry for row in rows} == {summary.symmetry for summary in report.summaries}
    for row in rows:
        assert 0 < row.p_local <= 1
        assert 1 / 251 <= row.p_symmetry <= row.p_global <= 1
    assert {found.scope for found in report.global_p} >= {summary.symmetry for summary in report.summaries}


def test_null_symmetries_have_ordinary_p_values(report):
    """Neither forward/backward nor the charges of e mu hide anything."""
    for found in report.global_p:
        if found.scope in ("forward/backward", "e+mu-/e-mu+", "ee/mumu SS", "emu/mue SS"):
            assert found.p_value > 0.02


def test_what_was_not_stored_is_a_bound(report):
    """One symmetry has more events in a cell than are stored."""
    methods = {found.scope: found.method for found in report.global_p if found.what == "min-p"}
    assert "a bound" in methods["e/mu"]
    assert "keyed to the events" in methods["ee/mumu OS"]
    assert "a bound" in methods[None]


def test_scores_of_all_cells_are_told(report):
    assert sum(report.z_histogram.counts) == sum(row.n_tested for row in report.summaries) // 2
    z = np.array([row.z_local for row in report.rows if row.test == "nsigma" and row.rank])
    assert (np.abs(z) > 2).all()
