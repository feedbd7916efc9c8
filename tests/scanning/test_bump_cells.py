"""The bump hunt over a pass: all cells, one ranking, the simulated and the real events."""

from __future__ import annotations

from pathlib import Path

import hist
import numpy as np
import pytest
from mass_spectra import GRID, spectra_in_cells

import coffea_ddp as ddp
from coffea_ddp.errors import InputError, UnknownNameError
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.layout import Layout, SymmetryLayout
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.report.finding import finding
from coffea_ddp.report.joining import joined
from coffea_ddp.scanning import bump_works
from coffea_ddp.scanning.bump_cells import bump_hunt_in_cells
from coffea_ddp.scanning.engines import Threads
from coffea_ddp.spectra.spectrum import MassSpectrum


@pytest.fixture(scope="module")
def hists():
    return spectra_in_cells()


@pytest.fixture(scope="module")
def report(hists):
    return bump_hunt_in_cells(hists, toys=100, toys_for=3, seed=1)


def test_the_cell_with_the_resonance_comes_first(report):
    best = report.rows[0]
    expected = str(GRID.cell("j=1 & b>=2"))
    assert (best.kind, best.observable, best.cell) == ("spectrum", "2mu", expected)
    assert best.bump.position == pytest.approx(200.0, abs=5.0)
    assert best.p_global < 0.01
    assert (best.n_ge, best.n, best.two_sided) == (0, 100, False)
    assert best.p_local <= best.p_cell <= best.p_global
    assert best.rank == best.similar_to == 1


@pytest.mark.parametrize("jobs", [1, 3])
def test_no_result_depends_on_threads(hists, report, jobs, monkeypatch):
    monkeypatch.setattr(bump_works, "AT_ONCE", 8)
    threads = Threads(jobs)
    few = bump_hunt_in_cells(hists, toys=100, toys_for=3, seed=1, engine=threads)
    again = bump_hunt_in_cells(hists, toys=100, toys_for=3, seed=1, engine=Threads(2))
    assert few == again
    assert [row.cell for row in few.rows] == [row.cell for row in report.rows]
    assert [row.z_local for row in few.rows] == pytest.approx([row.z_local for row in report.rows], abs=1e-4)


def test_every_distinct_cell_is_looked_at_once(hists, report):
    lattice = GRID.n_cells
    statuses = report.options["statuses"]
    assert sum(statuses.values()) == statuses["OK"] + statuses["TOO_FEW_ENTRIES"]
    # One search a spectrum, and one more after each bump.
    bumps = [row for row in report.rows if row.bump.bump_number]
    assert statuses["OK"] <= report.trials <= statuses["OK"] + len(bumps) + 8
    assert statuses["OK"] <= 2 * lattice
    names = [(row.observable, row.cell, row.bump.bump_number) for row in report.rows]
    assert len(set(names)) == len(names)
    contents = {row.cell: row.n_b for row in report.rows if row.observable == "2mu"}
    inclusive = hists.spectrum("2mu")
    assert contents["inclusive"] == pytest.approx(inclusive.entries, rel=0.02)  # but for the end of the tail


def test_rows_about_the_same_events_follow_the_strongest(report):
    followers = [row for row in report.rows if row.similar_to == 1 and row.rank != 1]
    assert all(abs(row.bump.position - 200.0) < 8.0 for row in followers)
    assert all(row.similar_to <= row.rank for row in report.rows if row.rank)
    apart = [row for row in report.rows if row.observable == "2e"]
    assert all(row.similar_to != 1 for row in apart)


def test_what_has_too_few_events_is_counted(hists):
    report = bump_hunt_in_cells(hists, min_events=10**9, toys=0)
    assert (report.trials, report.rows) == (0, ())
    assert report.options["statuses"]["TOO_FEW_ENTRIES"] > 0
    with pytest.raises(UnknownNameError, match="no spectrum '2tau'"):
        bump_hunt_in_cells(hists, spectra=["2tau"])


def test_scan_takes_the_tests_that_the_plan_has(hists):
    report = ddp.scan(hists, toys=20, seed=1)
    assert {row.test for row in report.rows} == {"bump"}
    assert report.options["tests"] == ["bump"]
    assert report.rows[0].observable == "2mu"
    with pytest.raises(UnknownNameError, match="nsigma, submatrix, submatrix_nsigma, nplm, classifier, bump"):
        ddp.scan(hists, ["bumps"], toys=0)
    none = Histograms.empty(Layout("none", "0" * 16, GRID, ()))
    with pytest.raises(InputError, match="no mass spectra"):
        ddp.scan(none, ["bump"], toys=0)


@pytest.mark.parametrize(
    ("tests", "fewest", "least"),
    [
        (None, None, 100), (None, 20_000, 20_000), ("bump", 7, 7), (ddp.Bump(min_events=50), None, 50),
        (ddp.Bump(), 20_000, 20_000),
    ],
)  # fmt: skip
def test_min_events_of_a_scan_is_that_of_its_spectra(hists, tests, fewest, least):
    report = ddp.scan(hists, tests, toys=0, min_events=fewest)
    direct = bump_hunt_in_cells(hists, min_events=least, toys=0)
    assert report.options["statuses"] == direct.options["statuses"]
    assert report.options["bump"]["min_events"] == least
    assert report.trials == direct.trials
    assert (report.options["statuses"]["TOO_FEW_ENTRIES"] > 3) == (least == 20_000)


def test_min_events_without_effect_is_an_error(hists):
    with pytest.raises(InputError, match="min_events=30 has no effect on bump, which has its own"):
        ddp.scan(hists, ddp.Bump(min_events=50), min_events=30)


@pytest.mark.parametrize("name", ["min_events", "best", "toys", "seed"])
@pytest.mark.parametrize("value", ["many", 2.5, -1, True, float("nan"), [3]])
def test_numbers_of_a_scan_that_are_none_are_errors(hists, name, value):
    with pytest.raises(InputError, match=f"{name}="):
        ddp.scan(hists, **{name: value})
    if name in ("toys", "min_events"):
        with pytest.raises(InputError, match=f"Bump, {name}="):
            ddp.Bump(**{name: value})


def test_symmetries_and_spectra_are_ranked_together():
    axis = hist.axis.Regular(4, 0.0, 100.0, name="met")
    symmetry = SymmetryLayout("e/mu", ("e", "mu"), 1.0, (("met", (axis,)),))
    with_both = spectra_in_cells(symmetries=(symmetry,), signal=50.0)
    channel = with_both.layout.channels[1]
    keys = np.sort(
        np.concatenate([channel.key(np.zeros(4, int), np.full(4, side), np.arange(1, 5)) for side in (0, 1)])
    )
    events = with_both.layout.channels[0]
    all_keys = np.concatenate([events.key(np.zeros(2, int), np.arange(2), np.zeros(2, int)), keys])
    extra = SparseCounts(all_keys, np.array([400, 800, 100, 100, 100, 100, 200, 200, 200, 200]))
    report = ddp.scan(dataclass_replace(with_both, counts=with_both.counts + extra), toys=0)
    kinds = [row.kind for row in report.rows if row.rank]
    assert kinds[0] == "symmetry"  # 14 sigma
    assert "spectrum" in kinds
    assert [row.rank for row in report.rows if row.rank] == list(range(1, len(kinds) + 1))
    p = [row.p_global for row in report.rows if row.rank]
    assert p == sorted(p)
    of_symmetries = sum(summary.n_tested for summary in report.summaries)
    assert report.trials >= of_symmetries + report.options["bump"]["statuses"]["OK"]
    assert all(row.similar_to <= row.rank for row in report.rows if row.rank)


def dataclass_replace(value, **changes):
    import dataclasses

    return dataclasses.replace(value, **changes)


def test_joining_with_nothing_changes_nothing(report):
    nothing = ddp.ScanReport("made", "", 1, {}, 0, ())
    again = joined(nothing, report)
    assert [(row.cell, row.rank, row.similar_to) for row in again.rows] == [
        (row.cell, row.rank, row.similar_to) for row in report.rows
    ]


def test_resonances_of_the_simulated_events(shared):
    """250 Z' of 600 GeV to two muons, before acceptance, among the masses of everything."""
    files = sorted(str(path) for path in Path(shared("nanoaod_sim")).glob("*.root"))
    hists = ddp.run("resonances", files, executor=ddp.Local(2))
    assert len(hists.spectra) == 203 + 91 + 39
    report = bump_hunt_in_cells(hists, spectra=["2mu", "2e", "e+mu", "2mu+j"], min_events=650, toys=100, toys_for=2)
    best = report.rows[0]
    assert best.observable == "2mu"
    assert best.bump.position == pytest.approx(600.0, abs=15.0)
    assert best.z_local > 6
    assert best.p_global < 0.05
    # What Z, W and tops make of jets, and of leptons that are seen as jets, is explained or masked.
    jets = bump_hunt_in_cells(hists, spectra=["mu+j", "e+j", "2j", "j+b", "3j"], min_events=12_000, toys=0)
    assert any(row.is_explained for row in jets.rows)
    left = [row for row in jets.rows if row.p_global is not None and row.p_global < 0.01 and not row.is_explained]
    assert not left
    beyond_all_doubt = [row for row in jets.rows if row.p_global is None and row.z_global is not None]
    assert all(row.is_explained for row in beyond_all_doubt)


@pytest.mark.slow
def test_nothing_but_the_hidden_resonance_is_left_in_all_cells_of_the_simulated_events(shared):
    """All 333 spectra in 34,679 cells, five minutes: what is beyond chance is the Z', or a muon of it seen as a jet."""
    files = sorted(str(path) for path in Path(shared("nanoaod_sim")).glob("*.root"))
    report = bump_hunt_in_cells(ddp.run("resonances", files), toys=0)
    found = [row for row in report.rows if not row.is_explained and (row.p_global or 0.0) < 0.01 and row.rank]
    assert found[0].observable == "2mu"
    assert {row.observable for row in found} <= {"2mu", "mu+j"}
    assert all(abs(row.bump.position - 600.0) < 50.0 for row in found)
    causes = {row.cause.cause for row in report.rows if row.is_explained}
    assert {"bump in 2mu", "W or Z in 2j"} <= causes


def test_real_dimuons_through_the_whole_road(shared):
    """J/psi with psi', Upsilon and Z of 2010 are found at their masses; with them masked nothing is left."""
    hists = ddp.run("dimuon_masses", [str(shared("cms_real") / "cms2010_dimuon_100k.root")])
    report = ddp.scan(hists, toys=100)
    inclusive = [row for row in report.rows if row.cell == "inclusive"]
    rows = {row.observable: row for row in inclusive if (row.bump.bump_number or 1) == 1}
    beside = [row.bump.position for row in inclusive if row.observable == "low" and row.bump.bump_number > 1]
    assert beside == pytest.approx([3.686], abs=0.03)
    for name, mass, near in (("low", 3.097, 0.03), ("middle", 9.46, 0.1), ("high", 91.2, 1.5)):
        assert rows[name].z_local > 10
        assert rows[name].bump.position == pytest.approx(mass, abs=near)
        assert rows[f"{name} masked"].z_local < 4
        assert rows[f"{name} masked"].p_cell > 0.01


def test_why_nothing_was_tested_is_said():
    hists = spectra_in_cells()
    few = bump_hunt_in_cells(hists, toys=0, min_events=10**7)
    assert finding(few).sentence == "Nothing was tested: no cell has enough events."
    lost = ddp.bump_hunt([hists.spectrum("2mu", "inclusive")], toys=0, min_events=10**7)
    assert finding(lost).sentence == "Nothing was tested: no cell has enough events."
    scaled = ddp.bump_hunt(MassSpectrum("2mu", "all", 3 * hists.spectrum("2mu", "inclusive").hist, width=4.0), toys=0)
    assert finding(scaled).sentence.startswith("Nothing was tested: all contents are multiples of 3")
