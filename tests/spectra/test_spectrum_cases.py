"""Files in which spectra are brought to a bump hunt, and what is right for each: made here, and by ../shared/cases."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import hist
import numpy as np
import pytest
import uproot
import yaml
from click.testing import CliRunner

from coffea_ddp.cli import cli
from coffea_ddp.scanning.bump_hunt import bump_hunt
from coffea_ddp.spectra.reading import read_spectra

# The scripts of ../shared leave it to Python to close their files.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


def one_bad_histogram():
    rng = np.random.default_rng(1)
    values = np.r_[rng.exponential(30, 50_000), rng.normal(50, 1, 600)]
    eff = hist.new.Reg(10, 0, 10).Double()
    eff.view()[:] = 0.9
    eff.view()[0] = np.nan
    with uproot.recreate("mixed.root") as file:
        file["m_ee"] = hist.new.Reg(100, 0, 100, name="mass").Double().fill(values)
        file["eff"] = eff
        file["cutflow"] = hist.new.StrCat(["all", "trigger", "2 e"]).Double()


def mass_count():
    rng = np.random.default_rng(1)
    counts, edges = np.histogram(np.r_[60 + rng.exponential(30, 100_000), rng.normal(91, 2, 2_000)], 120, (60, 120))
    table = np.column_stack([0.5 * (edges[1:] + edges[:-1]), counts])
    for name in ("mass", "x"):
        np.savetxt(f"{name}.csv", table, delimiter=",", header=f"{name},count", comments="", fmt="%g")


def density():
    rng = np.random.default_rng(3)
    edges = np.round(1000 * np.exp(np.arange(45) * 0.045))
    counts = np.histogram(np.r_[1000 + rng.exponential(300, 1_000_000), rng.normal(2000, 40, 2_500)], edges)[0]
    widths, scale = np.diff(edges), 1000 / 137e3
    forms = {
        "counts": [counts],
        "per_gev": [counts / widths],
        "pb_per_tev": [counts / widths * scale],
        "pb_per_tev_with_errors": [counts / widths * scale, counts * (scale / widths) ** 2],
        "scaled_counts": [counts * 1e-3],
    }
    for name, columns in forms.items():
        header = ",".join(["low", "high", "count", "variance"][: 2 + len(columns)])
        table = np.column_stack([edges[:-1], edges[1:], *columns])
        np.savetxt(f"{name}.csv", table, delimiter=",", header=header, comments="", fmt="%.8g")


def hepdata():
    edges = np.arange(1000.0, 4050.0, 50.0)
    counts = np.histogram(1000 + np.random.default_rng(1).exponential(400, 100_000), edges)[0].tolist()
    bins = [{"low": low, "high": low + 50} for low in edges[:-1].tolist()]
    lines = [
        f"{low + 25},{low},{low + 50},{n},{n**0.5:.4g},-{n**0.5:.4g}" for low, n in zip(edges, counts, strict=False)
    ]
    head = '#: name: Figure 1\n"M [GeV]","M [GeV] LOW","M [GeV] HIGH","Events","stat +","stat -"\n'
    Path("table.csv").write_text(head + "\n".join(lines))
    values = [{"value": n, "errors": [{"symerror": n**0.5, "label": "stat"}]} for n in counts]
    table = {
        "independent_variables": [{"header": {"name": "M", "units": "GeV"}, "values": bins}],
        "dependent_variables": [{"header": {"name": "Events"}, "values": values}],
    }
    Path("table.json").write_text(json.dumps(table))
    Path("table.yaml").write_text(yaml.safe_dump(table))


@pytest.fixture(params=["own", "shared"])
def make(request, tmp_path, monkeypatch):
    """Return a function that makes the files of a case, here or by its script, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    scripts = {one_bad_histogram: "04-one-bad-histogram", mass_count: "05-mass-count", density: "06-density"}

    def made(case):
        script = CASES / scripts.get(case, "07-hepdata") / "make.py"
        if request.param == "own":
            case()
        elif script.is_file():
            runpy.run_path(str(script))
        else:
            pytest.skip("needs ../shared/cases")

    return made


def z_of(name, **options):
    row = bump_hunt(read_spectra(f"{name}.csv", **options), toys=0).rows[0]
    return row.status if row.z_local is None else row.z_local


def test_a_bad_histogram_beside_a_good_one(make):
    make(one_bad_histogram)
    done = CliRunner().invoke(cli, ["bump", "mixed.root", "--toys", "0"], standalone_mode=False)
    assert done.return_value == 2
    assert "m_ee" in done.stdout
    assert "not tested: eff: its contents are NaN" in done.stderr
    assert "not tested: cutflow: its 3 bins have labels" in done.stderr


def test_centres_called_mass(make):
    make(mass_count)
    assert z_of("mass") == z_of("x") == pytest.approx(21.0, abs=0.5)


def test_counts_densities_and_cross_sections(make):
    make(density)
    scale = 1000 / 137e3
    as_counts = z_of("counts")
    assert as_counts > 15
    assert [z_of(name) for name in ("per_gev", "pb_per_tev", "scaled_counts")] == ["NOT_COUNTS"] * 3
    assert z_of("pb_per_tev_with_errors") == pytest.approx(as_counts, abs=0.02)
    assert z_of("per_gev", density=True) == pytest.approx(as_counts, abs=0.02)
    assert z_of("pb_per_tev", density=True, scale=scale) == pytest.approx(as_counts, abs=0.02)
    assert z_of("scaled_counts", scale=1e-3) == pytest.approx(as_counts, abs=0.02)


def test_tables_of_hepdata(make):
    make(hepdata)
    found = [read_spectra(f"table.{suffix}") for suffix in ("csv", "json", "yaml")]
    assert [len(one) for one in found] == [1, 1, 1]
    for (one,) in found:
        assert len(one.counts) == 60
        assert one.variances is None
        assert np.array_equal(one.counts, found[0][0].counts)
