"""Calibrations that are functions of a plan: the numbers of a file, a fingerprint, and faults found before a pass."""

from __future__ import annotations

import json
from dataclasses import replace

import cloudpickle
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import coffea_ddp as ddp
from coffea_ddp.calibration.leptons import Leptons
from coffea_ddp.calibration.tables import constant
from coffea_ddp.errors import InputError, PlanError
from coffea_ddp.testing import Detector, make_dataset

PLAN = ddp.ScanPlan(
    "function",
    (ddp.symmetries.e_mu((ddp.observable(ddp.observables.met, bins=8),)),),
    cells=(ddp.Multiplicity("j", last=2),),
    max_stored=50_000,
)


def of_pt(pt, abseta):
    return 0.2 - 0.1 * np.log(pt / 50.0) + 0.05 * abseta


@given(st.floats(-1, 1), st.integers(0, 2**32 - 1))
def test_a_constant_is_that_of_a_file(value, seed):
    rng = np.random.default_rng(seed)
    sign = rng.choice([-1.0, 0.0, 1.0], (50, 3))
    leptons = Leptons(
        rng.uniform(10, 300, (50, 3)), rng.uniform(-2.4, 2.4, (50, 3)), sign, sign, np.ones(50), np.ones(50)
    )
    mine, theirs = ddp.CalibrationFunction(lambda pt: np.full(len(pt), value)), ddp.Calibration(constant(value))
    np.testing.assert_allclose(mine.log_odds(leptons), theirs.log_odds(leptons), atol=1e-6)
    np.testing.assert_allclose(mine.shares(leptons) + mine.shares(leptons.mirrored), 1.0)
    assert not mine.error(leptons).any()
    wide = ddp.CalibrationFunction(lambda pt: np.full(len(pt), value), uncertainty=0.1)
    np.testing.assert_allclose(wide.error(leptons), 0.1 * sign.sum(axis=1), atol=1e-12)


def test_a_function_sees_what_it_names():
    seen = {}

    def log_ratio(charge, n_jets, eta):
        seen.update(charge=charge, n_jets=n_jets, eta=eta)
        return 0.1 * charge

    found = ddp.CalibrationFunction(log_ratio)
    result = found.log_ratio(np.array([30.0]), np.array([-1.5]), np.array([-1.0]), np.array([np.nan]))
    assert {name: values.tolist() for name, values in seen.items()} == {
        "charge": [-1.0],
        "n_jets": [0.0],
        "eta": [-1.5],
    }
    assert result.tolist() == [-0.1]


def test_its_source_is_in_the_fingerprint():
    plans = [
        replace(PLAN, calibration=function)
        for function in (None, of_pt, lambda pt: 0.1, lambda pt: 0.2, ddp.CalibrationFunction(of_pt, uncertainty=0.1))
    ]
    assert len({plan.fingerprint for plan in plans}) == len(plans)
    digests = {plan.layout.calibration.digest for plan in plans[1:]}
    assert len(digests) == 4
    again = cloudpickle.loads(cloudpickle.dumps(plans[1]))
    assert (again.fingerprint, again.layout.calibration) == (plans[1].fingerprint, plans[1].layout.calibration)


@pytest.mark.parametrize(
    ("function", "options", "told"),
    [
        (lambda pt, phi: pt, {}, "an argument 'phi'; it takes some of pt, eta, abseta, charge, n_jets"),
        (lambda: 0.1, {}, "no argument"),
        (lambda pt: 0.1 if pt > 30 else 0.2, {}, "arrays of leptons, not one lepton at a time"),
        (lambda pt: pt[:1], {}, "shape (1,) for 3 leptons"),
        (lambda pt: np.log(pt * 0), {}, "returned -inf for a lepton with pT = 25 GeV"),
        (lambda pt: "high", {}, "failed: ValueError"),
        (of_pt, {"uncertainty": -0.1}, "uncertainty=-0.1"),
        (of_pt, {"uncertainty": "large"}, "uncertainty='large'"),
        (of_pt, {"uncertainty": True}, "uncertainty=True"),
        (of_pt, {"uncertainty": lambda pt: -0.1 * pt}, "0 or more for every lepton"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_faults_are_found_before_a_pass(function, options, told):
    with pytest.raises(PlanError) as error:
        replace(PLAN, calibration=ddp.CalibrationFunction(function, **options))
    assert told in str(error.value)
    assert "calibration function" in str(error.value)


def test_the_pass_and_the_scan_know_it(tmp_path):
    """Of a detector whose efficiencies are known, with them as a function: no row is left, and a file says the same."""
    detector = Detector.realistic()
    files = make_dataset(tmp_path / "data", events=8_000, seed=5, detector=detector, files=1)

    def known(pt, abseta):
        return np.log(np.where(abseta < 0.2, 0.8, 0.95) / (0.5 + 0.4 * (1 - np.exp(-pt / 40))))

    plain = ddp.scan(ddp.run(PLAN, files, executor="iterative"), toys=0).best()
    plan = replace(PLAN, calibration=ddp.CalibrationFunction(known, uncertainty=0.05))
    hists = ddp.run(plan, files, executor="iterative")
    assert ddp.load(hists.save(tmp_path / "h.ddp")) == hists
    report = ddp.scan(hists, toys=64)
    assert abs(report.best().z_local) < abs(plain.z_local)
    assert report.inputs["calibration"]["digest"] == plan.layout.calibration.digest
    assert json.dumps(report.inputs["calibration"])
    with pytest.raises(InputError, match="a function is part of a plan"):
        ddp.scan(ddp.run(PLAN, files, executor="iterative"), toys=0, expectation=ddp.Expectation(calibration=known))
