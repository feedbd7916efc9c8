"""Calibrations as files: read and written whole, evaluated as correctionlib does, wrong ones named."""

from __future__ import annotations

import gzip
import json
import pickle

import correctionlib
import numpy as np
import pytest

from coffea_ddp._files import CALIBRATION, what_is
from coffea_ddp.calibration.calibration import Calibration
from coffea_ddp.calibration.leptons import COLUMNS, Leptons
from coffea_ddp.calibration.record import FitRecord
from coffea_ddp.calibration.tables import LogRatioTables, constant, correction_set
from coffea_ddp.errors import FileError, FormatError, InputError

RECORD = FitRecord(
    {"pt": (10.0, 20.0)}, (0.1, 0.2), ((0.01, 0.0), (0.0, 0.02)), "tau=0", 7, ("a" * 16,), "demo", 900, 17.5, 20, 0.6
)


def tables(seed: int = 1) -> LogRatioTables:
    """Return values that differ from bin to bin."""
    rng = np.random.default_rng(seed)
    return LogRatioTables(
        np.array([10.0, 30.0, 80.0, 250.0]), np.array([0.0, 1.5, 2.5]), rng.normal(0, 0.2, (3, 2, 2)),
        np.full((3, 2, 2), 0.03), np.array([0.0, 0.1, 0.2]), np.array([0.0, 40.0, 150.0]), rng.normal(0, 0.2, (2, 3)),
    )  # fmt: skip


def leptons(n: int = 300, seed: int = 2) -> Leptons:
    """Return events with one to three leptons."""
    rng = np.random.default_rng(seed)
    number = rng.integers(1, 4, n)
    exists = np.arange(3) < number[:, None]
    sign = np.where(rng.random((n, 3)) < 0.5, 1.0, -1.0) * exists
    pt, eta = rng.exponential(60.0, (n, 3)) * exists, rng.uniform(-2.6, 2.6, (n, 3)) * exists
    charge = np.where(rng.random((n, 3)) < 0.5, 1.0, -1.0) * exists
    return Leptons(pt, eta, charge, sign, rng.integers(0, 6, n).astype(float), rng.exponential(50.0, n))


def test_log_odds_are_the_sum_over_leptons_of_what_correctionlib_says() -> None:
    found, events = Calibration(correction_set(tables(), "an example")), leptons()
    parts = correctionlib.CorrectionSet.from_string(found.text)
    odds = found.log_odds(events)
    for i in range(len(odds)):
        here = np.flatnonzero(events.sign[i])
        expected = 0.0
        for k in here:
            values = events.pt[i, k], abs(events.eta[i, k]), int(events.charge[i, k])
            r = parts["log_ratio"].evaluate(*values, "nominal") + parts["log_ratio_jets"].evaluate(
                int(events.n_jets[i])
            )
            expected += events.sign[i, k] * r
        if len(here) == 1:
            expected += events.sign[i, here[0]] * parts["one_lepton"].evaluate(events.met[i], int(events.n_jets[i]))
        assert odds[i] == pytest.approx(expected, abs=1e-12)


def test_the_error_is_that_of_all_leptons_together() -> None:
    found, events = Calibration(correction_set(tables(), "an example")), leptons()
    np.testing.assert_allclose(found.error(events), 0.03 * events.sign.sum(axis=1), atol=1e-9)
    assert not Calibration(experiment(electron=0.8, muon=0.95)).error(events).any()


def test_the_mirror_image_has_the_opposite_odds() -> None:
    found, events = Calibration(correction_set(tables(), "an example")), leptons()
    np.testing.assert_allclose(found.log_odds(events.mirrored), -found.log_odds(events), atol=1e-12)
    nobody = events._replace(sign=np.zeros_like(events.sign))
    assert not found.log_odds(nobody).any()


def test_round_trip(tmp_path) -> None:
    found = Calibration(correction_set(tables(), RECORD.description))
    path = found.save(tmp_path / "calibration.json")
    again = Calibration.load(path)
    assert again == found == pickle.loads(pickle.dumps(found))
    assert again.digest == found.digest
    assert again.fit == RECORD
    assert what_is(path) == CALIBRATION
    packed = tmp_path / "calibration.json.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert Calibration.load(packed) == found
    other = Calibration(constant(0.1))
    assert other.fit is None
    assert other.digest != found.digest


def test_nothing_of_somebody_is_overwritten(tmp_path) -> None:
    path = tmp_path / "notes.json"
    path.write_text('{"mine": 1}')
    with pytest.raises(FileError, match="is there already"):
        Calibration(constant(0.1)).save(path)
    assert path.read_text() == '{"mine": 1}'


def experiment(**corrections: float) -> str:
    """Return a set of an experiment, each correction a constant of pt and eta."""
    inputs = [{"name": "pt", "type": "real"}, {"name": "eta", "type": "real"}]
    content = [
        {
            "name": name, "version": 1, "inputs": inputs, "output": {"name": "efficiency", "type": "real"},
            "data": {
                "nodetype": "multibinning", "inputs": ["pt", "eta"], "edges": [[0.0, 1000.0], [-3.0, 3.0]],
                "content": [value], "flow": "clamp",
            },
        }
        for name, value in corrections.items()
    ]  # fmt: skip
    return json.dumps({"schema_version": 2, "corrections": content})


def test_efficiencies_of_both_flavours_make_one() -> None:
    found = Calibration(experiment(electron=0.8, muon=0.95))
    ones = np.ones(3)
    np.testing.assert_allclose(found.log_ratio(40 * ones, ones, ones, ones), np.log(0.95 / 0.8))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "no set of corrections"),
        ('{"schema_version": 2, "corrections": []}', "has none"),
        (experiment(muon=0.9), "'electron' and 'muon'"),
        (experiment(log_ratio=0.1).replace('"eta"', '"isolation"'), "an input 'isolation'"),
    ],
)
def test_what_is_no_calibration_is_refused(text: str, told: str, tmp_path) -> None:
    with pytest.raises(FormatError, match=told):
        Calibration(text)
    path = tmp_path / "given.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"given\.json: "):
        Calibration.load(path)


@pytest.mark.parametrize("efficiency", [0.0, -1.0, np.nan])
def test_efficiencies_that_cannot_be_are_named_with_their_lepton(efficiency: float) -> None:
    text = experiment(electron=0.8, muon=1.0).replace("[1.0]", f"[{json.dumps(efficiency)}]")
    ones = np.ones(1)
    try:
        found = Calibration(text)
    except FormatError:
        return  # correctionlib knows no NaN
    with pytest.raises(InputError, match="pT = 40 GeV"):
        found.log_ratio(40 * ones, ones, ones, ones)


def test_files_that_are_not_there_or_no_text(tmp_path) -> None:
    with pytest.raises(FileError, match="coffea-ddp calibrate"):
        Calibration.load(tmp_path / "nowhere.json")
    path = tmp_path / "binary.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match="cannot be read"):
        Calibration.load(path)


@pytest.mark.parametrize("damage", ['"version":1', '"coefficients":[0.1,0.2]', '"control":"tau=0"'])
def test_a_damaged_record_is_refused(damage: str) -> None:
    text = RECORD.description.replace(damage, '"version":99')
    with pytest.raises(FormatError):
        FitRecord.from_description(text)


def test_stored_columns_make_leptons() -> None:
    columns = {name: np.full(2, np.nan, np.float32) for name in COLUMNS}
    columns["lepton0_pt"][:], columns["lepton0_eta"][:] = 40.0, [0.5, -1.0]
    columns["lepton0_pdg_id"][:] = [11, -13]
    found = Leptons.of_columns(columns)
    assert found.sign.tolist() == [[-1, 0, 0], [1, 0, 0]]
    assert found.charge.tolist() == [[-1, 0, 0], [1, 0, 0]]
    del columns["event_met"]
    with pytest.raises(InputError, match="event_met"):
        Leptons.of_columns(columns)
