"""Exported regions in pyhf: its schema, and its significance beside that of the likelihood L2."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from toys import make_histograms, make_layout

import coffea_ddp as ddp
from coffea_ddp import stats
from coffea_ddp.errors import InputError
from coffea_ddp.exports.histfactory import workspace
from coffea_ddp.exports.models import RegionModel, model_of
from coffea_ddp.histograms.layout import Layout

pyhf = pytest.importorskip("pyhf", reason="an extra of the tests")


@pytest.fixture(autouse=True, params=["minuit"])
def _optimiser(request):
    """MINUIT finds q0 to 1e-4; pyhf's default, SLSQP, to some 1e-3, too coarse for Z below one."""
    pyhf.set_backend("numpy", request.param)
    yield
    pyhf.set_backend("numpy", "scipy")


def z_of(exported):
    """Return the root of pyhf's q0, with the workspace's own starting values."""
    found = pyhf.Workspace(exported)  # checks the schema
    model = found.model()
    config = model.config
    q0 = pyhf.infer.test_statistics.q0(
        0.0, found.data(model), model, config.suggested_init(), config.suggested_bounds(), config.suggested_fixed()
    )
    return math.sqrt(max(float(q0), 0.0))


def l2(a, b, signal, kappa):
    size = len(np.atleast_1d(a))
    return RegionModel("x", np.asarray(b, float), np.asarray(signal, float), np.full(size, kappa), np.asarray(a, float),
                       counted=True)  # fmt: skip


def pairs(n, seed):
    rng = np.random.default_rng(seed)
    for number in range(n):
        kappa, mean, bins = (
            (0.5, 1.0, 1.7)[number % 3],
            (0.4, 3.0, 40.0, 2_000.0)[number % 4],
            (1, 2, 5, 9)[number // 3 % 4],
        )
        signal = rng.random(bins) + 0.1
        excess = (number % 5) * np.sqrt(mean * bins) * signal / signal.sum()
        yield rng.poisson(mean, bins), rng.poisson(kappa * mean + excess), signal, kappa


@pytest.mark.parametrize("case", [case for case in pairs(60, seed=11) if (case[0] + case[1]).any()], ids=str)
def test_the_significance_of_pyhf_is_that_of_l2(case):
    a, b, signal, kappa = case
    expected = stats.q0_l2(a, b, signal, kappa=kappa, one_sided=True).z_value
    assert z_of(workspace(l2(a, b, signal, kappa))) == pytest.approx(expected, rel=0.01, abs=5e-3)


@pytest.mark.parametrize("_optimiser", ["scipy"], indirect=True)
@pytest.mark.parametrize("case", list(pairs(60, seed=12))[3::5], ids=str)
def test_with_the_default_optimiser_of_pyhf(case):
    a, b, signal, kappa = case
    expected = stats.q0_l2(a, b, signal, kappa=kappa, one_sided=True).z_value
    assert z_of(workspace(l2(a, b, signal, kappa))) == pytest.approx(expected, rel=0.01, abs=0.02)


@pytest.mark.parametrize(("a", "b"), [([0], [1]), ([0], [25]), ([0, 0, 7], [3, 0, 9]), ([0, 0], [0, 1])])
@pytest.mark.parametrize("kappa", [0.5, 1.0, 1.7])
def test_bins_without_control_counts(a, b, kappa):
    signal = np.ones(len(a))
    expected = stats.q0_l2(a, b, signal, kappa=kappa, one_sided=True).z_value
    assert z_of(workspace(l2(a, b, signal, kappa))) == pytest.approx(expected, rel=0.01, abs=5e-3)


def test_systematic_errors_are_modifiers_and_lower_the_significance():
    a, b, signal = np.full(4, 400), np.array([480, 440, 400, 400]), np.array([1.0, 0.5, 0.1, 0.1])
    exact = l2(a, b, signal, 1.0)
    common = replace(exact, shifts={"kappa": np.full(4, np.log1p(0.1))})
    each = replace(exact, systematic=np.full(4, 0.1))
    tilted = replace(exact, shifts={"calibration_1": np.array([0.1, 0.0, 0.0, -0.1])})
    kinds = {
        "kappa": [one["type"] for one in workspace(common)["channels"][0]["samples"][1]["modifiers"]],
        "each": [one["type"] for one in workspace(each)["channels"][0]["samples"][1]["modifiers"]],
        "tilted": [one["type"] for one in workspace(tilted)["channels"][0]["samples"][1]["modifiers"]],
    }
    assert kinds == {"kappa": ["shapesys", "normsys"], "each": ["shapesys"] * 2, "tilted": ["shapesys", "histosys"]}
    z = z_of(workspace(exact))
    assert all(z_of(workspace(one)) < 0.97 * z for one in (common, each, tilted))


# -- rows of a scan ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hists():
    return make_histograms(make_layout(2.0), 6_000, seed=3, excess=0.1)


@pytest.fixture(scope="module")
def report(hists):
    return ddp.scan(hists, ["nsigma", "submatrix"], toys=0, best=200, observables=["met", "pt x eta", "events"])


@pytest.mark.parametrize("bins", [None, "one", "all"])
def test_every_row_of_a_symmetry_is_exported(hists, report, bins):
    """Z of every model is that of L2 in the bins and with the signal of the region."""
    tried = set()
    for row in report.rows:
        key = row.symmetry, row.observable, row.test, (row.statistic or 0) > 0
        if key in tried:
            continue
        tried.add(key)
        found = ddp.export_region(report, row.number, hists, bins=bins)
        json.dumps(found, allow_nan=False)
        a, b, kappa = sides_of(hists, row)
        if bins == "one" or (bins is None and row.region is not None):
            a, b = a.sum(keepdims=True), b.sum(keepdims=True)
        signal = np.array(found["channels"][0]["samples"][0]["data"])
        assert found["observations"][0]["data"] == b.tolist()
        expected = stats.q0_l2(a, b, signal, kappa=kappa, one_sided=True).z_value
        assert z_of(found) == pytest.approx(expected, rel=0.01, abs=5e-3)
    assert len(tried) > 6
    assert {excess for *_, excess in tried} == {True, False}


def sides_of(hists, row):
    """The counts of both sides in the region, those of the excess second, and the ratio between them."""
    a, b = (np.atleast_1d(side) for side in hists[row.symmetry, row.observable, row.cell].counts)
    inside = (slice(None),) * a.ndim
    if row.region is not None:
        inside = tuple(slice(first, stop) for first, stop in row.region.bins)
    a, b = a[inside].ravel(), b[inside].ravel()
    return (a, b, row.ratio.kappa) if row.statistic >= 0 else (b, a, 1 / row.ratio.kappa)


def test_a_rectangle_has_the_significance_that_the_scan_gave_it(hists, report):
    """That of its summed counts, a binomial one: also where bins are nearly empty, in which L2 sees nothing."""
    rows = [row for row in report.rows if row.test == "submatrix" and row.n_a + row.n_b > 100][:20]
    assert rows
    for row in rows:
        assert z_of(ddp.export_region(report, row.number, hists)) == pytest.approx(abs(row.z_local), rel=0.05, abs=0.05)


def test_the_signal_is_uniform_in_density(hists, report):
    row = next(row for row in report.rows if row.observable == "pt x eta" and row.test == "submatrix")
    model = model_of(row, hists, bins="all")
    pair = hists[row.symmetry, row.observable, row.cell]
    area = np.outer(*(np.diff(axis.edges) for axis in pair.a.axes))
    (first, stop), (low, high) = row.region.bins
    inside = area[first:stop, low:high].ravel()
    np.testing.assert_allclose(model.signal / model.signal.sum(), inside / inside.sum())
    assert np.log10(model.signal.sum()) == pytest.approx(round(np.log10(model.signal.sum())))


def test_a_signal_that_is_given(hists, report):
    row = next(row for row in report.rows if row.observable == "pt x eta" and row.test == "submatrix")
    shape = hists[row.symmetry, row.observable, row.cell].counts[0].shape
    whole = np.zeros(shape)
    whole[1:3, 0] = 0.7, 0.2
    found = model_of(row, hists, signal=whole)
    assert found.signal.tolist() == [0.7, 0.2]
    assert len(found.data) == 2
    (first, stop), (low, high) = row.region.bins
    part = np.ones((stop - first, high - low))
    assert model_of(row, hists, signal=part).signal.tolist() == [1.0] * part.size
    with pytest.raises(InputError, match="signal has shape"):
        model_of(row, hists, signal=np.ones((2, 9)))
    with pytest.raises(InputError, match="0 in every bin"):
        model_of(row, hists, signal=np.zeros(shape))


def test_options_reach_the_model(hists, report):
    found = ddp.export_region(report, 1, hists, kappa_error=0.02, systematic=0.05, bins="all")
    kinds = [one["type"] for one in found["channels"][0]["samples"][1]["modifiers"]]
    assert kinds == ["shapesys", "normsys", "shapesys"]
    assert z_of(found) < z_of(ddp.export_region(report, 1, hists, bins="all"))


def test_what_cannot_be_exported(hists, report):
    with pytest.raises(InputError, match="the report has rows 1 to"):
        ddp.export_region(report, 10_000, hists)
    with pytest.raises(InputError, match="histograms that were scanned"):
        ddp.export_region(report, 1, ddp.Histograms.empty(Layout("other", "0" * 16, hists.layout.grid, ())))
    weighted = make_histograms(make_layout(weighted=True), 3_000, seed=1)
    with pytest.raises(InputError, match="sums of weights"):
        ddp.export_region(ddp.scan(weighted, toys=0), 1, weighted)
    with pytest.raises(InputError, match="relative uncertainty"):
        ddp.export_region(report, 1, hists, kappa_error=1.5)
    with pytest.raises(InputError, match="no effect on form='uhi'"):
        ddp.export_region(report, 1, hists, form="uhi", systematic=0.1)
    for options in ({"form": "root"}, {"bins": "two"}):
        with pytest.raises(InputError, match="choose one of"):
            ddp.export_region(report, 1, hists, **options)


# -- calibrated rows and bumps, of made events -------------------------------------------------------------------------


def test_calibrated_histograms_have_a_ratio_for_each_bin(tmp_path):
    from coffea_ddp import testing
    from coffea_ddp.calibration.tables import constant

    files = testing.make_nanoaod(tmp_path / "n.root", events=6_000, seed=2)
    (tmp_path / "c.json").write_text(constant(0.2))
    plan = replace(ddp.load_plan("symmetries"), calibration=ddp.Calibration(constant(0.2)))
    calibrated = ddp.run(plan, files)
    scanned = ddp.scan(calibrated, "submatrix", symmetries=["e/mu"], observables=["pt_l0 x met"], toys=0)
    row = next(row for row in scanned.rows if row.n_a > 30)
    model = model_of(row, calibrated, bins="all")
    counts = calibrated.cell_counts("e/mu", "pt_l0 x met")
    inside = calibrated.layout.grid.contains(row.cell, counts.codes)
    n, e = counts.entries[inside].sum(axis=(0, 1)), counts.shares[0][inside].sum(axis=0)
    (first, stop), (low, high) = row.region.bins
    expected = (e / np.where(n > 0, n - e, np.nan)).reshape(counts.bins)[first:stop, low:high].ravel()
    ratio, filled = model.ratio if row.statistic >= 0 else 1 / model.ratio, np.isfinite(expected)
    assert filled.any()
    np.testing.assert_allclose(ratio[filled], expected[filled], rtol=1e-4)
    assert all(name.startswith("calibration_") for name in model.shifts)
    joined = model_of(row, calibrated)
    ratio = joined.ratio[0] if row.statistic >= 0 else 1 / joined.ratio[0]
    n, e = (values.reshape(counts.bins)[first:stop, low:high].sum() for values in (n, e))
    assert ratio == pytest.approx(e / (n - e), rel=1e-4)
    uncalibrated = ddp.run("symmetries", files)
    told = ddp.scan(uncalibrated, "submatrix", symmetries=["e/mu"], observables=["pt_l0 x met"], toys=0,
                    expectation=ddp.Expectation(calibration=tmp_path / "c.json"))  # fmt: skip
    with pytest.raises(InputError, match="coffea-ddp run --calibration"):
        ddp.export_region(told, 1, uncalibrated)


def test_a_bump_is_exported(tmp_path):
    """The background is a fit outside of the bump; Z is about that of the bump hunt."""
    from coffea_ddp import testing

    files = testing.make_nanoaod(tmp_path / "n.root", events=20_000, seed=2)
    masses = ddp.run("dimuon_masses", files)
    found = ddp.scan(masses, "bump", toys=0)
    row = next(row for row in found.rows if row.bump and row.bump.position)
    exported = ddp.export_region(found, row.number, masses)
    kinds = {one["type"] for one in exported["channels"][0]["samples"][1]["modifiers"]}
    assert "histosys" in kinds
    spectrum = masses.spectrum(row.observable, row.cell)
    assert sum(exported["observations"][0]["data"]) <= spectrum.counts.sum()
    assert z_of(exported) == pytest.approx(row.z_local, rel=0.3)  # no Gaussian: the Z has tails
    untested = next((one for one in found.rows if not (one.bump and one.bump.position)), None)
    if untested is not None:
        with pytest.raises(InputError, match="has no bump"):
            ddp.export_region(found, untested.number, masses)
