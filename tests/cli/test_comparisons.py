"""Data beside simulation on the command line: from files to pages, and what other commands say of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from coffea_ddp.report.report import ScanReport
from coffea_ddp.testing import Resonance, make_nanoaod
from tests.support.console import exit_code, invoke

PLAN = """
from coffea_ddp import Comparison, Multiplicity, ScanPlan, ScanProcessor, observable
from coffea_ddp import observables as obs

comparison = Comparison(observables=(observable(obs.m_ll, bins=20), observable(obs.m_ll, obs.pt_l0, bins=6)))
plan = ScanPlan(
    "compared", cells=(Multiplicity("mu", last=2), Multiplicity("j", last=2)), comparisons=(comparison,),
    selection=lambda ev: ev.count("lepton") >= 2,
)
processor = ScanProcessor(plan)
"""
TOPS = ["ttbar, two leptons", "ttbar, lepton + jets"]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Return a folder with data that have 60 decays of a Z' of 600 GeV, and simulation without, run and scanned."""
    folder = tmp_path_factory.mktemp("compared")
    rng = np.random.default_rng(1)
    make_nanoaod(folder / "data.root", events=12_060, seed=1, signals=[Resonance(60, 600.0, 3.0)])
    make_nanoaod(folder / "dy.root", events=9_600, seed=2, processes=["Z/gamma* + jets"], weights=3.7)
    weights = np.where(rng.random(7_200) < 0.2, -2.0, 2.0)
    make_nanoaod(folder / "tt.root", events=7_200, seed=3, processes=TOPS, weights=weights)
    make_nanoaod(folder / "vv.root", events=4_800, seed=4, processes=["dibosons"], weights=1.0)
    sections = {"dy": 2.4, "tt": 2.4, "vv": 1.44}
    fileset = {name: {"files": {str(folder / f"{name}.root"): "Events"}, "metadata": {"cross_section": one}}
               for name, one in sections.items()}  # fmt: skip
    fileset["data"] = {"files": {str(folder / "data.root"): "Events"}, "metadata": {"kind": "data"}}
    (folder / "plan.py").write_text(PLAN)
    (folder / "fileset.json").write_text(json.dumps(fileset))
    assert exit_code("run", folder / "plan.py", folder / "fileset.json", "-o", folder / "h.ddp",
                     "--executor", "iterative") == 0  # fmt: skip
    scan = ("scan", folder / "h.ddp", "--tests", "nsigma,roi,submatrix", "--luminosity", "1", "--toys", "300")
    assert exit_code(*scan, "--seed", "1", "--cross-section-error", "0.05", "-o", folder / "r.json") == 0
    return folder


def test_a_resonance_of_600_gev_is_first(made):
    report = ScanReport.load(made / "r.json")
    best = report.rows[0]
    assert (best.kind, best.rank, best.n_ge) == ("comparison", 1, 0)
    assert best.observable == "m_ll"
    region = next(row for row in report.rows if row.region is not None)
    mass = region.region.axes[0]
    assert region.n_ge == 0
    assert mass.low < 600.0 < mass.high
    assert region.n_a < 10 < region.n_b
    assert report.inputs["simulation"]["luminosity"] == 1.0
    assert report.inputs["simulation"]["asked"]["cross_section_errors"] == 0.05
    assert {row.test for row in report.rows} == {"nsigma", "roi", "submatrix"}


def test_another_luminosity_needs_no_other_pass(made, capsys):
    other = ("--luminosity", "2", "--cross-section", "dy=1.2", "--top", "1")
    code, out, _ = invoke(capsys, "scan", made / "h.ddp", "--toys", "0", *other)
    assert code == 0
    assert "expected from simulation" in " ".join(out.split())


def test_a_run_says_what_a_scan_will_need(made, tmp_path, capsys):
    code, _, err = invoke(capsys, "run", made / "plan.py", made / "fileset.json", "-o", tmp_path / "h.ddp")
    assert code == 0
    assert "no dataset of data has a luminosity: a scan needs --luminosity NUMBER" in " ".join(err.split())


def test_the_pages_show_data_and_simulation(made):
    assert exit_code("report", made / "r.json", "--hists", made / "h.ddp", "-o", made / "pages") == 0
    index = (made / "pages" / "index.html").read_text()
    assert "Comparisons</h2>" in index
    assert "Simulation, as it was normalised" in index
    assert "cross sections known to 5 % each" in index
    assert "expected from simulation" in index
    region = (made / "pages" / "regions" / "001.html").read_text()
    assert "events expected from simulation" in region
    assert "In the cell: dy" in region
    assert "ddp.compared_cell(hists" in region
    assert "Not drawn" not in region
    maps = [path.read_text() for path in (made / "pages" / "regions").glob("*.html")]
    assert any("z of data" in text for text in maps)


@pytest.mark.parametrize(("arguments", "message"), [
    (("scan", "{h}", "--luminosity", "1", "--kappa", "1.1"), "--kappa has no effect"),
    (("scan", "{h}", "--luminosity", "1", "--tests", "nplm"), "'nplm' tests symmetries"),
    (("scan", "{h}"), "no luminosity; add"),
    (("scan", "{h}", "--luminosity", "1", "--cross-section", "dyy=2"), "no simulated dataset 'dyy'"),
    (("scan", "{h}", "--cross-section", "2"), "of which dataset"),
    (("scan", "{h}", "--cross-section", "dy=x"), "'x' is no number"),
    (("scan", "{h}", "--cross-section", "dy=1", "--cross-section", "dy=2"), "given twice for dy"),
    (("scan", "{h}", "--cross-section-error", "0.1", "--cross-section-error", "dy=0.2"), "one number for all"),
    (("scan", "{h}", "--luminosity", "1", "--symmetry", "e/mu"), "no symmetry or comparison 'e/mu'"),
    (("scan", "{h}", "--symmetry", "data/simulaton"), "Did you mean 'data/simulation'?"),
    (("export", "{r}", "--row", "1", "-o", "{f}/e.json", "--hists", "{h}"), "a comparison of data with simulation"),
    (("events", "{r}", "--row", "1", "--hists", "{h}"), "a comparison of data with simulation"),
    (("limits", "{h}"), "has no symmetry"),
    (("calibrate", "{f}/plan.py", "{f}/fileset.json", "-o", "{f}/c.json"), "no symmetry exchanges flavours"),
])  # fmt: skip
def test_what_does_not_go_together_is_said(made, arguments, message, capsys):
    texts = [one.format(h=made / "h.ddp", r=made / "r.json", f=made) for one in arguments]
    code, _, err = invoke(capsys, *texts)
    assert code == 1
    assert message in " ".join(err.split())


def test_confirm_refuses_a_comparison(made, tmp_path, capsys):
    fileset = json.loads((made / "fileset.json").read_text())
    del fileset["dy"], fileset["tt"], fileset["vv"]
    make_nanoaod(tmp_path / "new.root", events=500, seed=9)
    fileset["data"]["files"] = {str(tmp_path / "new.root"): "Events"}
    (tmp_path / "new.json").write_text(json.dumps(fileset))
    assert exit_code("run", made / "plan.py", tmp_path / "new.json", "-o", tmp_path / "n.ddp") == 0
    capsys.readouterr()
    code, _, err = invoke(capsys, "confirm", made / "r.json", tmp_path / "n.ddp")
    assert code == 1
    assert "of which this is not made" in " ".join(err.split())
