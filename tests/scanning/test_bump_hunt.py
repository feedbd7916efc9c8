"""Many spectra: where they begin and end, one ranking, `coffea-ddp bump`, and what cannot be looked at."""

from __future__ import annotations

import json
from pathlib import Path

import hist
import numpy as np
import pytest
from console import invoke

from coffea_ddp.errors import InputError
from coffea_ddp.report.report import ScanReport
from coffea_ddp.scanning.bump_hunt import bump_hunt
from coffea_ddp.scanning.bump_range import prepare, without_turn_on
from coffea_ddp.spectra.resolution import Resolution, resolution_axis
from coffea_ddp.spectra.spectrum import MassSpectrum
from coffea_ddp.spectra.writing import write_spectra
from coffea_ddp.stats.bumphunt.finder import shipped
from coffea_ddp.stats.status import Status

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "cms2011"
RESOLUTION = Resolution(0.02)
AXIS = resolution_axis(RESOLUTION, 60.0, 300.0, name="mass")
CENTRES = AXIS.centers


def made(expected, seed=1, cell="mu=2", **options):
    counts = np.random.default_rng(seed).poisson(expected)
    return MassSpectrum("m0m1", cell, hist.Hist(AXIS, data=counts), **{"resolution": RESOLUTION, **options})


def falling(events=1e5, peak=0.0, mass=150.0):
    shape = np.exp(-CENTRES / 60.0)
    signal = np.exp(-0.5 * ((CENTRES - mass) / RESOLUTION.sigma(mass)) ** 2)
    return events * shape / shape.sum() + peak * signal


# -- preparing -----------------------------------------------------------------------------------------------------


def test_a_spectrum_is_tested_from_its_first_events_to_its_last():
    turn_on = falling() / (1.0 + np.exp(-(CENTRES - 80.0) / 3.0))
    one = prepare(made(turn_on))
    assert (one.status, one.first) == (Status.OK, 0)
    middle = np.where((CENTRES > 90.0) & (CENTRES < 150.0), falling(), 0.0)
    assert prepare(made(middle)).edges[[0, -1]] == pytest.approx([88.0, 152.0], abs=5.0)
    assert prepare(made(middle), whole=True).first == 0
    assert len(one.counts) == len(one.use) == len(one.sigma) == len(one.edges) - 1


def test_the_range_behind_a_turn_on_never_begins_on_a_peak():
    turn_on = falling() / (1.0 + np.exp(-(CENTRES - 80.0) / 3.0))
    one = prepare(made(turn_on))
    cut = without_turn_on(one, None, 2.0)
    assert abs(cut.edges[0] - CENTRES[turn_on.argmax()]) < 8.0
    assert "begins behind it, at" in cut.reason
    assert without_turn_on(one, cut.first - one.first + 2, 2.0) is None
    assert without_turn_on(prepare(made(falling())), None, 2.0) is None


def test_a_masked_peak_is_neither_a_turn_on_nor_counted():
    spectrum = made(falling(peak=5e4, mass=91.2), masks=((76.0, 106.0, "Z"),))
    one = prepare(spectrum)
    assert one.first == 0
    assert one.counts[one.use == 0].sum() == 0
    assert np.array_equal(one.use == 0, (AXIS.edges[1:] > 76.0)[: one.stop] & (AXIS.edges[:-1] < 106.0)[: one.stop])


@pytest.mark.parametrize(
    ("expected", "options", "status"),
    [
        (falling(50.0), {}, Status.TOO_FEW_ENTRIES),
        (1.0 / falling(), {}, Status.TOO_FEW_ENTRIES),
        (np.where(CENTRES < 70.0, 500.0, 0.0), {}, Status.TOO_FEW_BINS),
        (falling(), {"masks": ((65.0, 290.0, "all"),)}, Status.TOO_FEW_BINS),
    ],
    ids=["few", "nearly empty", "short", "masked"],
)
def test_why_a_spectrum_is_not_looked_at(expected, options, status):
    spectrum = made(expected, **options)
    assert prepare(spectrum).status is status
    report = bump_hunt([spectrum, made(falling())], toys=0)
    assert [row.status for row in report.rows] == ["OK", status.name]
    assert report.rows[1].rank is None
    assert report.rows[1].reason == status.value
    assert report.trials == 1


def test_rising_and_flat_spectra_are_tested():
    """With a resonance it is found, without one there is none; the range is all of it."""
    for shape in (1e6 / falling(), np.full(len(CENTRES), 500.0)):
        peak = 8.0 * np.sqrt(shape[60]) * np.exp(-0.5 * ((np.arange(len(shape)) - 60.0) / 1.5) ** 2)
        found, none = (bump_hunt([made(expected)], toys=0).rows[0] for expected in (shape + peak, shape))
        assert found.status == none.status == "OK"
        assert found.bump.position == pytest.approx(CENTRES[60], rel=0.03)
        assert found.p_cell < 0.01
        assert none.p_cell > 0.05
        assert none.bump.low == pytest.approx(AXIS.edges[0])


def test_weights_become_effective_counts():
    weighted = hist.Hist(AXIS, storage=hist.storage.Weight())
    weighted.view()["value"] = 0.5 * np.rint(falling())
    weighted.view()["variance"] = 0.25 * np.rint(falling())
    one = prepare(MassSpectrum("m0m1", "mu=2", weighted, resolution=RESOLUTION))
    assert np.array_equal(one.counts, np.rint(falling())[one.span])
    weighted.view()["value"][3] = -1.0
    assert prepare(MassSpectrum("m0m1", "mu=2", weighted)).status is Status.NEGATIVE


# -- ranking -------------------------------------------------------------------------------------------------------


def test_the_spectrum_with_a_bump_comes_first():
    spectra = [made(falling(), seed, cell=f"j={seed}") for seed in range(8)]
    spectra.insert(5, made(falling(peak=600.0), 99, cell="b=1"))
    report = bump_hunt(spectra, toys=200, toys_for=3, seed=5)
    best = report.rows[0]
    assert (best.cell, best.rank, best.kind, best.test) == ("b=1", 1, "spectrum", "bump")
    assert best.bump.position == pytest.approx(150.0, abs=3.0)
    assert best.bump.width == pytest.approx(3.0, rel=0.05)
    assert (best.n_ge, best.n) == (0, 200)
    assert best.p_global is None or best.p_global < 1e-3
    assert "200 toys" in best.p_method
    assert [row.rank for row in report.rows] == list(range(1, 10))
    assert [("toys" in row.p_method) for row in report.rows] == [True] * 3 + [False] * 6
    assert report.rows[1].p_global > 0.01
    assert report.trials == 10  # one search more beside the bump
    again = ScanReport.from_dict(json.loads(json.dumps(report.to_dict())))
    assert again.rows == report.rows
    spectra = next(column for column in report.bumps_table().columns if str(column.header) == "spectrum")
    assert "m0m1" in str(spectra._cells)


def test_neighbours_and_their_order_do_not_matter():
    spectra = [made(falling(peak=100.0 * seed), seed, cell=f"j={seed}") for seed in range(4)]
    first = bump_hunt(spectra, toys=0).rows
    second = bump_hunt(spectra[::-1], toys=0).rows
    assert [row.cell for row in first] == [row.cell for row in second]
    assert [row.z_local for row in first] == pytest.approx([row.z_local for row in second], abs=1e-4)


def test_nothing_and_nonsense():
    with pytest.raises(InputError, match="no spectrum was given"):
        bump_hunt([])
    with pytest.raises(InputError, match="toys=-1"):
        bump_hunt([made(falling())], toys=-1)


# -- command line --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["root", "json", "csv"])
def test_bump_of_a_file_of_histograms(tmp_path, capsys, suffix):
    spectra = [made(falling(peak=600.0 * seed), seed, cell=f"j={seed}") for seed in range(2)]
    path = write_spectra(spectra, tmp_path / f"s.{suffix}")
    code, out, _ = invoke(
        capsys, "bump", path, "--resolution", 0.02, "--toys", 50, "-o", tmp_path / "r.json", "--csv", tmp_path / "r.csv"
    )
    assert code == 0
    assert "m0m1" in out
    assert "50 toys" in out
    report = ScanReport.load(tmp_path / "r.json")
    assert report.rows[0].cell == "j=1"
    assert report.rows[0].bump.position == pytest.approx(150.0, abs=3.0)
    assert (tmp_path / "r.csv").read_text().count("\n") == 3


def test_bump_of_masses_with_masks(tmp_path, capsys):
    masses = np.random.default_rng(2).exponential(60.0, 20_000) + 60.0
    path = tmp_path / "masses.csv"
    path.write_text("M\n" + "\n".join(map(str, masses)))
    options = ["--bins", 80, "--low", 60, "--high", 300, "--width", 6, "--mask", "76:106", "--toys", 20]
    code, out, _ = invoke(capsys, "bump", path, *options)
    assert code == 0
    assert "60 to 300" in out
    code, out, err = invoke(capsys, "bump", path, *options[:6], "--min-events", 10**6)
    assert code == 2
    assert "TOO_FEW_ENTRIES" in out
    assert "not tested: masses" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--width", "2", "--resolution", "0.1"], "give one of them"),
        (["--width", "-2"], "is positive"),
        (["--resolution", "-2"], "0 or more"),
        (["--mask", "3"], "write LOW:HIGH"),
        (["--mask", "9:3"], "write LOW:HIGH"),
        (["--name", "other"], "no histogram 'other'"),
        (["--weights", "none.npz"], "none.npz"),
        (["-o", "no/such/folder.json"], "does not exist"),
    ],
)
def test_wrong_arguments(tmp_path, capsys, options, message):
    path = write_spectra([made(falling())], tmp_path / "s.root")
    code, _, err = invoke(capsys, "bump", path, *options)
    assert code == 1
    assert message in err
    assert "Traceback" not in err


def test_files_that_are_not_there(tmp_path, capsys):
    code, _, err = invoke(capsys, "bump", tmp_path / "none.root")
    assert (code, "no such file" in err) == (1, True)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data/cms2011")
def test_the_real_z(capsys, tmp_path):
    options = ["--bins", 60, "--low", 60, "--high", 120, "--width", 2.5, "--toys", 50, "-o", tmp_path / "r.json"]
    code, _, _ = invoke(capsys, "bump", SHARED / "Zmumu_Run2011A_masses.csv", *options)
    best = ScanReport.load(tmp_path / "r.json").rows[0]
    assert code == 0
    assert best.z_local > 10
    assert best.bump.position == pytest.approx(91.2, abs=1.5)


def test_train_bump_makes_a_network_that_bump_takes(tmp_path, capsys):
    weights = tmp_path / "w.npz"
    code, _, err = invoke(
        capsys, "train-bump", "-o", weights, "--steps", 3, "--batch", 8, "--calibration", 2, "--seed", 7
    )
    assert code == 0
    assert "step 3" in err
    path = write_spectra([made(falling())], tmp_path / "s.root")
    code, out, _ = invoke(capsys, "bump", path, "--weights", weights, "--toys", 5)
    assert "5 toys" in out
    assert code == 0
    assert shipped().about["settings"] != {"seed": 7}


def test_a_narrow_window_around_a_strong_peak_through_the_scan():
    """Nothing but its fit tells the peak from a background; the row says so, and toys do not take it away."""
    axis = hist.axis.Regular(40, 0.96, 1.08, name="mass")
    expected = 190.0 - 40.0 * (axis.centers - 0.96) / 0.12 + 260.0 * np.exp(-0.5 * ((axis.centers - 1.02) / 0.009) ** 2)
    counts = np.random.default_rng(5).poisson(expected)
    spectrum = MassSpectrum("m0m1", "", hist.Hist(axis, data=counts), width=0.009)
    best = bump_hunt([spectrum], toys=100).rows[0]
    assert best.bump.position == pytest.approx(1.02, abs=0.004)
    assert best.z_local > 5.0
    assert best.p_cell is None or best.p_cell < 0.01
    assert ("fit of the peak" in best.p_method) == (best.n is None)
