"""The simulated events, as a physicist meets them: the hidden Z' comes out, approximate symmetries are told as such."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import coffea_ddp as ddp

SOME = ["m_ll x met", "pt_l0 x met", "dphi_ll"]
"""One observable of two dimensions for either number of leptons, and one of one dimension."""


@pytest.fixture(scope="module")
def hists(shared):
    files = sorted(str(path) for path in Path(shared("nanoaod_sim")).glob("*.root"))
    return ddp.run("symmetries", files, executor=ddp.Local(2))


@pytest.fixture(
    scope="module", params=[pytest.param("some", id="some"), pytest.param("all", id="all", marks=pytest.mark.slow)]
)
def report(hists, request):
    """Return the outcome for some observables and 40 pseudo-experiments; for all and 250 among the slow tests."""
    observables, toys = (SOME, 40) if request.param == "some" else (None, 250)
    return ddp.scan(hists, tests=["nsigma", "submatrix"], observables=observables, toys=toys, seed=1)


@pytest.fixture
def smallest(report):
    """Return the smallest p that so many pseudo-experiments can tell."""
    return 1 / (1 + next(row.n for row in report.rows if row.n))


def is_the_resonance(best):
    """250 Z' of 600 GeV to two muons among 8,500 pairs: a region of nothing but muons."""
    mass = best.region.axes[0]
    assert mass.low < 600 < mass.high
    assert best.test == "submatrix"
    assert best.z_local > 10
    assert best.n_a < 5
    assert best.n_b > 80


def strongest(report):
    return max((row for row in report.rows if row.symmetry == "ee/mumu OS"), key=lambda row: abs(row.z_local))


def test_the_hidden_resonance_is_found(report, smallest):
    best = strongest(report)
    is_the_resonance(best)
    assert best.p_global == smallest


def test_the_tail_goes_beyond_the_number_of_pseudo_experiments(hists):
    options = {"symmetries": ["ee/mumu OS"], "observables": ["m_ll x met"]}
    best = strongest(ddp.scan(hists, tests=["submatrix"], toys=250, seed=1, **options))
    is_the_resonance(best)
    assert best.p_global == 1 / 251
    assert best.tail.p_tail < 1e-4


def test_each_symmetry_has_its_best_regions_with_local_and_global_p(report, smallest):
    rows = report.best_regions(3)
    assert {row.symmetry for row in rows} == {summary.symmetry for summary in report.summaries}
    for row in rows:
        assert 0 < row.p_local <= 1
        assert smallest <= row.p_symmetry <= row.p_global <= 1
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
