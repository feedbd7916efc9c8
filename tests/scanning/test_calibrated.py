"""Calibrated passes and scans: the same bits in any order, no false rows, and a signal that stays."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import coffea_ddp as ddp
from coffea_ddp.calibration.tables import constant
from coffea_ddp.errors import InputError, MergeError, PlanError
from coffea_ddp.histograms.samples import SymmetryEvents
from coffea_ddp.histograms.shares import SHARE
from coffea_ddp.scanning.calibrated_events import CalibratedEvents, calibrated
from coffea_ddp.scanning.calibrating import ExchangedEvents
from coffea_ddp.scanning.closure import closure
from coffea_ddp.testing import Detector, LFVSignal, make_dataset

OBSERVABLES = (ddp.observable(ddp.observables.pt_l0, ddp.observables.met, bins=10), ddp.observable(ddp.observables.met))
CELLS = (ddp.Multiplicity("tau", last=1), ddp.Multiplicity("j", last=3), ddp.Multiplicity("b", last=1))
SYMMETRIES = (
    ddp.symmetries.forward_backward(OBSERVABLES),  # exchanges nothing, and comes first
    ddp.symmetries.e_mu(OBSERVABLES),
    ddp.symmetries.ee_mumu_os(OBSERVABLES),
    ddp.symmetries.eplus_muminus(OBSERVABLES),
)
PLAN = ddp.ScanPlan("calibrated", SYMMETRIES, cells=CELLS, max_stored=50_000)
TESTS = ["nsigma", "submatrix"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A detector whose efficiencies differ by 10 to 30 %, without and with a signal in events with a tau."""
    folder = tmp_path_factory.mktemp("detector")
    signal = LFVSignal(600, lepton="e", tau="hadrons")
    options = {"events": 12_000, "detector": Detector.realistic(), "files": 2}
    return {
        "null": make_dataset(folder / "null", seed=3, **options),
        "signal": make_dataset(folder / "signal", seed=4, signals=[signal], **options),
    }


@pytest.fixture(scope="module")
def null(files):
    return ddp.run(PLAN, files["null"], executor="iterative")


@pytest.fixture(scope="module")
def calibration(null):
    return ddp.calibrate(null)


@pytest.fixture(scope="module")
def filled(files, calibration):
    return ddp.run(replace(PLAN, calibration=calibration), files["null"], executor="iterative")


def test_sums_of_shares_are_the_same_bits_whatever_the_chunks(files, filled, calibration):
    plan = replace(PLAN, calibration=calibration)
    other = ddp.run(plan, files["null"][::-1], executor="futures", workers=2, reading=ddp.Reading(chunksize=3_000))
    assert other == filled
    np.testing.assert_array_equal(other.counts.sum_e, filled.counts.sum_e)
    np.testing.assert_array_equal(other.counts.sum_v, filled.counts.sum_v)


def test_sums_are_those_of_the_stored_events(filled):
    for symmetry in ("e/mu", "ee/mumu OS", "e+mu-/e-mu+"):
        counts = filled.cell_counts(symmetry)
        stored = SymmetryEvents.of(filled, symmetry)
        code = np.searchsorted(counts.codes, stored.cell)
        for number, values in enumerate((stored.shares, stored.shares * (1 - stored.shares))):
            sums = np.bincount(code, values, minlength=len(counts.codes))
            np.testing.assert_allclose(counts.shares[number, :, 0], sums, atol=len(stored) / SHARE)
        assert counts.shares[0].sum() == pytest.approx(counts.counts[:, 1].sum(), abs=4 * np.sqrt(len(stored)) / 2)


def test_a_file_holds_it_all(filled, tmp_path):
    path = filled.save(tmp_path / "hists.ddp")
    again = ddp.load(path)
    assert again == filled
    assert again.layout == filled.layout
    assert again.layout.calibration.fit == filled.layout.calibration.fit


def test_the_error_of_a_calibration_from_elsewhere_makes_z_smaller(files, calibration, tmp_path):
    """The same values without the fit: of a scale factor nobody knows how its errors hang together."""
    text = json.loads(calibration.text)
    text["description"] = "of an experiment"
    given = ddp.Calibration(json.dumps(text))
    assert given.fit is None
    hists = ddp.run(replace(PLAN, calibration=given), files["null"], executor="iterative")
    assert ddp.load(hists.save(tmp_path / "given.ddp")) == hists
    exact = replace(
        hists,
        events=replace(
            hists.events, columns={**hists.events.columns, "share_error": np.zeros(len(hists.events), np.float32)}
        ),
    )
    wide, narrow = (ddp.scan(one, toys=64, symmetries=["e/mu", "ee/mumu OS"]).to_dataframe() for one in (hists, exact))
    both = wide.merge(narrow, on=["symmetry", "observable", "cell"], suffixes=("", "_exact"))
    assert (both["z_local"].abs() <= both["z_local_exact"].abs() + 1e-9).all()
    assert (both["z_local"].abs() < 0.9 * both["z_local_exact"].abs()).any()
    assert wide["p_global"].min() > 0.02


def test_outputs_of_other_calibrations_are_not_added(files, filled, null):
    other = ddp.run(replace(PLAN, calibration=ddp.Calibration(constant(0.1))), files["null"][:1], executor="iterative")
    for one in (other, null):
        with pytest.raises(MergeError, match="different plans"):
            _ = filled + one


def test_a_detector_makes_rows_and_its_calibration_takes_them_away(null, filled):
    plain = ddp.scan(null, TESTS, toys=64, symmetries=["e/mu", "ee/mumu OS"])
    assert plain.to_dataframe()["p_global"].min() < 0.02
    report = ddp.scan(filled, TESTS, toys=64, symmetries=["e/mu", "ee/mumu OS"])
    table = report.to_dataframe()
    assert table["p_global"].min() > 0.05
    assert np.abs(table["z_local"]).max() < np.abs(table["z_nominal"]).max() - 2
    assert report.inputs["calibration"]["control"] == filled.layout.calibration.fit.control
    assert all(one["p_value"] > 1e-4 for one in report.inputs["calibration"]["closure"])


def test_z_is_normal_in_the_null(filled):
    report = ddp.scan(filled, toys=0, best=1000, min_events=100, symmetries=["e/mu", "ee/mumu OS", "e+mu-/e-mu+"])
    z = report.to_dataframe()["z_local"]
    assert len(z) > 50
    assert 0.7 < z.std() < 1.3  # overlapping cells: few of these are independent


def test_what_is_learned_from_the_events_is_what_a_pass_with_it_gives(null, filled, calibration):
    options = {"toys": 64, "seed": 2, "symmetries": ["e/mu"]}
    of_pass = ddp.scan(filled, TESTS, **options).to_dataframe()
    for given in ("events", calibration):
        learned = ddp.scan(null, TESTS, expectation=ddp.Expectation(calibration=given), **options).to_dataframe()
        keys = ["test", "observable", "cell"]
        both = of_pass.merge(learned, on=keys, suffixes=("", "_learned"))
        assert len(both) > 0.9 * len(of_pass)
        # Stored features are in single precision: an event or two are in another bin.
        np.testing.assert_allclose(both["z_local"], both["z_local_learned"], atol=0.1)
        np.testing.assert_allclose(both["p_cell"], both["p_cell_learned"], atol=0.1)


def test_a_signal_is_found_and_said_not_to_close(files):
    hists = ddp.run(PLAN, files["signal"], executor="iterative")
    options = {"toys": 64, "symmetries": ["e/mu", "ee/mumu OS"], "expectation": ddp.Expectation(calibration="events")}
    report = ddp.scan(hists, TESTS, **options)
    best = report.best()
    assert best.symmetry == "e/mu"
    assert "tau" in best.cell
    assert best.z_local < -5
    assert best.n_ge == 0
    found = {one["variable"]: one["p_value"] for one in report.inputs["calibration"]["closure"]}
    assert found["tau"] < 1e-3
    assert found["pT of the leading lepton"] > 1e-3


@pytest.mark.parametrize("test", [ddp.NPLM(), ddp.Classifier()], ids=["nplm", "classifier"])
def test_tests_of_events_know_how_many_are_expected(files, null, test):
    options = {"toys": 64, "symmetries": ["e/mu"], "expectation": ddp.Expectation(calibration="events")}
    hists = ddp.run(PLAN, files["signal"], executor="iterative")
    best = ddp.scan(hists, [test], **options).best()
    assert "tau" in best.cell
    assert best.n_ge == 0
    assert ddp.scan(null, [test], **options).to_dataframe()["p_global"].min() > 0.02


def test_closure_is_told_of_what_the_fit_knows_and_of_what_it_does_not(null, calibration):
    shared = calibrated(null, calibration)
    exchanged = ExchangedEvents.of(shared)
    found = closure(shared, CalibratedEvents.of(shared, exchanged), exchanged)
    assert {one.variable for one in found} >= {
        "pT of the leading lepton",
        "missing pT",
        "tau",
        "j",
        "b",
        "pt_l0",
        "met",
    }
    assert not any(one.variable.startswith(("lepton", "event_")) for one in found)
    assert sum(one.chi2_before for one in found) > 3 * sum(one.chi2 for one in found)
    assert all(one.p_value > 1e-4 for one in found)


def test_a_feature_of_the_plan_that_does_not_close_is_named(files, calibration):
    """Efficiencies that depend on what no term knows: muons are lost where they are near the missing momentum."""
    plan = replace(PLAN, features=(ddp.observables.dphi_l0_met,))
    hists = ddp.run(plan, files["null"], executor="iterative")
    events = ExchangedEvents.of(hists)
    muons = (events.leptons.sign[:, 0] > 0) & (hists.events.columns["dphi_l0_met"][events.numbers] < 1.5)
    lost = muons & (np.random.default_rng(1).random(len(muons)) < 0.3)
    keep = np.ones(len(hists.events), bool)
    keep[events.numbers[lost]] = False
    columns = {name: values[keep] for name, values in hists.events.columns.items()}
    broken = replace(hists, events=replace(hists.events, columns=columns))
    shared = calibrated(broken, calibration)
    exchanged = ExchangedEvents.of(shared)
    found = {one.variable: one for one in closure(shared, CalibratedEvents.of(shared, exchanged), exchanged)}
    assert found["dphi_l0_met"].p_value < 1e-6
    whole = closure(calibrated(hists, calibration), CalibratedEvents.of(calibrated(hists, calibration)), events)
    assert next(one for one in whole if one.variable == "dphi_l0_met").p_value > 1e-3


def test_dropped_events_need_a_calibrated_pass(files, calibration):
    few = replace(PLAN, max_stored=100)
    hists = ddp.run(few, files["null"], executor="iterative")
    with pytest.raises(InputError, match="coffea-ddp run --calibration"):
        ddp.scan(hists, TESTS, toys=0, symmetries=["e/mu"], expectation=ddp.Expectation(calibration=calibration))
    pass_ = ddp.run(replace(few, calibration=calibration), files["null"], executor="iterative")
    report = ddp.scan(pass_, TESTS, toys=64, symmetries=["e/mu"])
    assert report.to_dataframe()["p_global"].min() > 0.02
    assert "drawn anew" in report.rows[0].global_method


def test_control_and_number_of_events(null):
    found = ddp.calibrate(null, control="tau=0 & b=0", events=1_000)
    assert found.fit.control == "tau=0 & b=0"
    assert found.fit.n_events == 1_000
    assert found.fit.threshold > 0
    with pytest.raises(InputError, match="control cell"):
        ddp.calibrate(null, control="tau>=1 & b>=1 & j=0")


def test_what_says_nothing_beside_a_calibration_is_refused(filled, null, calibration):
    for given in ({"kappa": {"e/mu": 1.1}}, {"systematic": 0.1}, {"kappa": "global"}):
        with pytest.raises(InputError, match="is calibrated"):
            ddp.scan(filled, expectation=ddp.Expectation(**given))
    ddp.scan(filled, toys=0, expectation=ddp.Expectation(kappa={"forward/backward": 1.02}))
    with pytest.raises(InputError, match="was filled with one"):
        ddp.scan(filled, expectation=ddp.Expectation(calibration=calibration))
    with pytest.raises(InputError, match="null='fixed'"):
        ddp.scan(filled, null="fixed", toys=10)
    plain = replace(PLAN, symmetries=(SYMMETRIES[0],))
    with pytest.raises(PlanError, match="no symmetry that exchanges"):
        replace(plain, calibration=calibration)
    with pytest.raises(PlanError, match="nothing to calibrate"):
        plain.for_calibration(1000)
    with pytest.raises(PlanError, match="weights and a calibration"):
        replace(PLAN, weight=lambda ev: np.ones(ev.n_events), calibration=calibration)


def test_a_function_of_ones_own_gets_the_expected_ratio(filled):
    def z(a, b, ratio):
        variance = ratio * (a + b)
        pulls = np.where(variance > 0, (b - ratio * a) / np.sqrt(np.where(variance > 0, variance, 1.0)), 0.0)
        return pulls.sum(axis=1) / np.sqrt(np.maximum((variance > 0).sum(axis=1), 1))

    own = ddp.CellTest("own", z)
    report = ddp.scan(filled, [own, "nsigma"], toys=64, symmetries=["e/mu"])
    table = report.to_dataframe()
    mine, theirs = (table[table["test"] == name][["observable", "cell", "z_local"]] for name in ("own", "nsigma"))
    both = mine.merge(theirs, on=["observable", "cell"])
    assert len(both) > 10
    # Without the projection of the fit, and with the mean share of a bin: the same but for a factor near 1.
    assert np.corrcoef(both["z_local_x"], both["z_local_y"])[0, 1] > 0.9
    assert table["p_global"].min() > 0.02


# -- relatives left out of the fit ---------------------------------------------------------------------------


def signal_of(hists, **options):
    """Return the row of all events with a tau, of N_sigma of missing momentum."""
    expectation = ddp.Expectation(calibration="events", control="inclusive", **options)
    report = ddp.scan(hists, toys=64, symmetries=["e/mu"], observables=["met"], expectation=expectation)
    return report, {row.cell: row for row in report.rows}


@pytest.fixture(scope="module")
def with_signal(files):
    return ddp.run(PLAN, files["signal"], executor="iterative")


def test_events_are_left_out_to_first_order_of_a_fit_without_them(with_signal):
    """The shares of a fit to all events but those with a tau, made anew and by one Newton step."""
    everything = calibrated(with_signal, ddp.calibrate(with_signal, control="inclusive"))
    anew = calibrated(with_signal, ddp.calibrate(with_signal, control="tau=0"))
    cells = with_signal.events.columns["cell"].astype(np.int64)
    with_tau = with_signal.layout.grid.decode(cells)[0] > 0
    first, second = CalibratedEvents.of(everything), CalibratedEvents.of(anew)
    out = with_tau[first.numbers]
    step = first.without(out)
    before, after = (np.abs(one.share - second.share)[out] for one in (first, step))
    assert after.mean() < 0.3 * before.mean()
    np.testing.assert_array_equal(step.fitted, second.fitted)
    # Its covariance is that of the fit without them.
    wide, new = ((one.moves @ one.moves.T)[:50, :50].diagonal() for one in (step, second))
    np.testing.assert_allclose(wide, new, rtol=0.25)


def test_a_signal_that_is_left_out_is_not_taken_for_an_efficiency(with_signal):
    (_, fitted), (report, out) = signal_of(with_signal), signal_of(with_signal, leave_out=True)
    row = out["tau>=1"]
    assert row.n_a > row.n_b
    assert abs(row.z_local) > 4
    # B expected of the cell: without the signal in the fit there is more of it.
    assert row.ratio.kappa > fitted["tau>=1"].ratio.kappa
    assert "without the events of the rarest object" in row.p_method
    assert report.inputs["calibration"]["leave_out"] is True
    # The inclusive cell asks for nothing, and is what it was.
    assert out["inclusive"].z_local == fitted["inclusive"].z_local
    assert min(row.p_global for row in out.values()) < 0.05


def test_pseudo_experiments_without_relatives_have_the_width_of_their_scores(null):
    """One in twenty is beyond 1.96 in every cell, whichever fit it has."""
    expectation = ddp.Expectation(calibration="events", control="inclusive", leave_out=True)
    report = ddp.scan(
        null, toys=1000, min_events=100, symmetries=["e/mu"], observables=["met"], expectation=expectation
    )
    assert report.to_dataframe()["p_global"].min() > 0.01
    for row in report.rows:
        expected = 2 * (1 - stats.norm.cdf(abs(row.z_local)))
        assert abs(row.p_cell - expected) < 0.02 + 4 * np.sqrt(expected * (1 - expected) / 1000)


def test_events_that_the_calibration_claims(filled, null):
    report = ddp.scan(filled, [*TESTS, "nplm"], toys=64, symmetries=["e/mu", "forward/backward"])
    table = report.to_dataframe()
    for row in report.rows:
        if row.symmetry == "forward/backward":
            assert row.ratio.claimed is None
            continue
        n = row.n_a + row.n_b
        assert row.ratio.claimed == pytest.approx(n * (row.ratio.kappa / (1 + row.ratio.kappa) - 0.5))
        if row.test == "nsigma":
            # The excess is what is claimed, and what is left.
            assert row.ratio.claimed + (row.n_b - n * row.ratio.kappa / (1 + row.ratio.kappa)) == pytest.approx(
                row.n_b - n / 2
            )
    inclusive = table[(table["cell"] == "inclusive") & (table["symmetry"] == "e/mu")]
    assert {"nsigma", "submatrix"} <= set(inclusive["test"])
    assert (table.loc[table["symmetry"] == "e/mu", "claimed"].abs() > 0).all()
    assert ddp.scan(null, symmetries=["e/mu"], toys=0).to_dataframe()["claimed"].isna().all()


# -- another way to the same numbers -------------------------------------------------------------------------


def strata_of(events):
    """Return strata of leptons: their relation, pT and abs(eta) of the first, missing momentum beside one alone."""
    leptons = events.leptons
    relation = np.where(leptons.sign[:, 1] == 0, 0, np.where(leptons.sign[:, 1] == leptons.sign[:, 0], 1, 2))
    pt = np.digitize(leptons.pt[:, 0], np.quantile(leptons.pt[:, 0], [0.15, 0.3, 0.45, 0.6, 0.75, 0.9]))
    eta = np.digitize(np.abs(leptons.eta[:, 0]), [0.2, 1.0, 1.5, 2.1])
    met = np.where(relation == 0, np.digitize(leptons.met, [20.0, 40.0]), 0)
    return np.unique(((relation * 7 + pt) * 5 + eta) * 3 + met, return_inverse=True)[1]


def stratified_z(is_b, strata, inside):
    """Return the exact comparison of B in a region with permutations of the labels within strata, in its widths."""
    n, b, k = (
        np.bincount(strata, values, minlength=strata.max() + 1) for values in (np.ones(len(strata)), is_b, inside)
    )
    mean = (k * b / n).sum()
    variance = (k * b * (n - b) * (n - k) / (n**2 * np.maximum(n - 1, 1))).sum()  # hypergeometric
    return ((is_b & inside).sum() - mean) / np.sqrt(variance)


def test_strata_of_leptons_with_labels_permuted_in_them_agree(null):
    """The calibrated z of the number of events in a cell is that of a comparison that fits nothing."""
    expectation = ddp.Expectation(calibration="events", control="inclusive")
    options = {"toys": 0, "symmetries": ["e/mu"], "observables": ["events"], "min_events": 150, "best": 200}
    rows = ddp.scan(null, expectation=expectation, **options).rows
    events = ExchangedEvents.of(null)
    on = np.isin(events.numbers, np.flatnonzero(null.events.on_symmetry(null.symmetries.index("e/mu"))))
    strata, grid = strata_of(events), null.layout.grid
    both = []
    for row in rows:
        inside = grid.contains(grid.cell(row.cell), events.cell)
        # The inclusive cell is its own stratum, and cells that are nearly all of it say nothing in either.
        if inside[on].mean() < 0.8:
            exact = stratified_z(events.is_b[on], strata[on], inside[on])
            both.append((row.z_local, exact, row.ratio.z_nominal))
    calibrated_z, exact_z, plain_z = np.array(both).T
    assert len(both) >= 10
    assert np.corrcoef(calibrated_z, exact_z)[0, 1] > 0.8
    assert np.sqrt(np.mean((calibrated_z - exact_z) ** 2)) < 0.7
    # Without a calibration they do not.
    assert np.sqrt(np.mean((plain_z - exact_z) ** 2)) > 1


def test_what_cannot_be_left_out_is_an_error(null, files, calibration):
    with pytest.raises(InputError, match="there is no calibration"):
        ddp.scan(null, toys=0, expectation=ddp.Expectation(leave_out=True))
    given = ddp.Expectation(calibration=ddp.Calibration(constant(0.1)), leave_out=True)
    with pytest.raises(InputError, match="no event of this output took part"):
        ddp.scan(null, toys=0, expectation=given)
    with pytest.raises(InputError, match="leave_out has no effect on nplm"):
        ddp.scan(null, ["nplm"], expectation=ddp.Expectation(calibration="events", leave_out=True))
    with pytest.raises(InputError, match="control='tau=0'"):
        ddp.Expectation(control="tau=0")
    few = ddp.run(replace(PLAN, calibration=calibration, max_stored=200), files["null"], executor="iterative")
    with pytest.raises(InputError, match="not all events are stored"):
        ddp.scan(few, toys=0, expectation=ddp.Expectation(leave_out=True))
