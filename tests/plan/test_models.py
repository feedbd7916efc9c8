"""Scores of models: the numbers of numpy, missing features, what does not fit, the pass, and the shape of spectra."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from console import invoke
from hypothesis import given
from hypothesis import strategies as st
from onnx_models import network
from scipy.special import expit, softmax

from coffea_ddp import Reading, ScanPlan, Topology, run, testing
from coffea_ddp import observables as obs
from coffea_ddp.errors import DDPError, InputError
from coffea_ddp.plan import models
from coffea_ddp.plan.models import OnnxScore
from coffea_ddp.plan.plan_files import load_plan

pytest.importorskip("onnxruntime")
RANDOM = np.random.default_rng(1)
LAYERS = ((RANDOM.normal(size=(2, 16)) / 20.0, RANDOM.normal(size=16)), (RANDOM.normal(size=(16, 1)), np.zeros(1)))
INPUTS = (obs.pt_l0, obs.met)


def by_hand(x):
    (w, b), (v, c) = LAYERS
    return expit(np.tanh(x @ w + b) @ v + c)[:, 0]


@pytest.mark.parametrize("batch", ["n", 7])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_scores_are_those_of_numpy(batch, kind):
    x = RANDOM.uniform(0.0, 100.0, (50, 2))
    score = OnnxScore(network(*LAYERS, batch=batch, kind=kind), INPUTS)
    np.testing.assert_allclose(score.of(list(x.T)), by_hand(x), rtol=2e-5 if kind == np.float32 else 1e-12)


def test_several_inputs_and_columns():
    x = RANDOM.uniform(0.0, 100.0, (20, 2))
    apart = OnnxScore(network(*LAYERS, inputs=("a", "b")), INPUTS)
    np.testing.assert_allclose(apart.of(list(x.T)), by_hand(x), rtol=2e-5)
    layer = (RANDOM.normal(size=(2, 3)) / 50.0, RANDOM.normal(size=3))
    for column in range(3):
        one = OnnxScore(network(layer, softmax=True), INPUTS, column=column)
        np.testing.assert_allclose(one.of(list(x.T)), softmax(x @ layer[0] + layer[1], axis=1)[:, column], rtol=2e-5)


@given(st.integers(1, 3_000), st.integers(0, 2**32 - 1))
def test_the_score_of_an_event_depends_on_no_other(n, seed):
    rng = np.random.default_rng(seed)
    score = OnnxScore(network(*LAYERS), INPUTS)
    x = rng.uniform(0.0, 200.0, (n, 2))
    whole = score.of(list(x.T))
    some = np.sort(rng.choice(n, size=rng.integers(1, n + 1), replace=False))
    assert np.array_equal(score.of(list(x[some].T)), whole[some])


def test_missing_features_give_no_score_or_are_filled():
    content, columns = network(*LAYERS), [np.array([50.0, np.nan, 20.0]), np.array([10.0, 30.0, np.nan])]
    assert np.isnan(OnnxScore(content, INPUTS).of(columns)).tolist() == [False, True, True]
    filled = OnnxScore(content, INPUTS, nan=-1.0).of(columns)
    np.testing.assert_allclose(filled, by_hand(np.array([[50.0, 10.0], [-1.0, 30.0], [20.0, -1.0]])), rtol=2e-5)
    assert OnnxScore(content, INPUTS).of([np.zeros(0)] * 2).shape == (0,)
    assert np.isnan(OnnxScore(content, INPUTS).of([np.full(3, np.nan)] * 2)).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"inputs": INPUTS[:1]}, "1 features for a model that takes x .* of tensor"),
        ({"inputs": ()}, "0 features"),
        ({"inputs": "met"}, "inputs='met'; give a tuple of Feature"),
        ({"inputs": ("met", "pt")}, "'met' among the inputs is no Feature"),
        ({"output": "probability"}, "no output 'probability' of numbers; there are: score"),
    ],
)
def test_what_does_not_fit_is_an_error(options, said):
    with pytest.raises(DDPError, match=said):
        OnnxScore(network(*LAYERS), **{"inputs": INPUTS, **options})


def test_columns_and_files_that_do_not_fit(tmp_path):
    three = network((np.zeros((2, 3)), np.zeros(3)), softmax=True)
    for column in (None, 3, -1):
        with pytest.raises(InputError, match=r"has 3 columns; give column=0 \.\.\. 2"):
            OnnxScore(three, INPUTS, column=column)
    with pytest.raises(InputError, match=r"nothing.onnx: No such file"):
        OnnxScore(tmp_path / "nothing.onnx", INPUTS)
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(InputError, match="no model in ONNX format"):
        OnnxScore(tmp_path / "text.onnx", INPUTS)


def test_without_onnxruntime_it_says_what_to_install(monkeypatch):
    content = network(*LAYERS)
    models._session.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"pip install 'coffea-ddp\[onnx\]'"):
        OnnxScore(content, INPUTS)
    models._session.cache_clear()


def test_a_score_is_described_in_short_and_known_by_its_bytes(tmp_path):
    content = network(*LAYERS)
    (tmp_path / "m.onnx").write_bytes(content)
    score = OnnxScore(tmp_path / "m.onnx", INPUTS)
    assert score == OnnxScore(content, INPUTS)
    assert repr(score).startswith(f"OnnxScore(pt_l0, met -> score; {len(content):,} bytes, sha256 ")
    assert len(repr(score.above(0.5))) < 200


PLAN = """
from pathlib import Path
from coffea_ddp import Topology, models, load_plan, observables as obs, observable
import dataclasses

base = load_plan("symmetries")
score = models.OnnxScore(Path(__file__).with_name("net.onnx"), inputs=(obs.pt_l0, obs.met))
dnn = score.feature("dnn", "score of a network")
plan = dataclasses.replace(
    base, name="scored", cells=(*base.cells, Topology("DNN", score.above(0.6))),
    symmetries=tuple(
        dataclasses.replace(one, observables=(*one.observables, observable(dnn, bins=20))) for one in base.symmetries
    ),
)
"""


@pytest.fixture
def plan_file(tmp_path):
    (tmp_path / "net.onnx").write_bytes(network(*LAYERS))
    (tmp_path / "scored.py").write_text(PLAN)
    return tmp_path / "scored.py"


@pytest.mark.parametrize("executor", ["iterative", "futures"])
def test_a_score_in_the_pass(plan_file, tmp_path, executor):
    """Counts do not depend on chunks or executor, and a cut is what the feature says."""
    files = testing.make_dataset(tmp_path / "data", files=2, events=3_000, seed=3)
    plan = load_plan(plan_file)
    found = run(plan, files, executor=executor, reading=Reading(chunksize=700 if executor == "futures" else 100_000))
    pair = found["e/mu", "dnn", "inclusive"]
    above = found["e/mu", "dnn", "DNN"]
    edges = pair.a.axes[0].edges
    assert pair.a.sum() > 100
    assert above.a.values()[edges[:-1] < 0.6 - 1e-9].sum() == 0
    assert above.a.sum() == pair.a.values()[edges[:-1] > 0.6 - 1e-9].sum()
    assert found == run(plan, files)


def test_the_fingerprint_knows_the_model(plan_file):
    one = load_plan(plan_file).fingerprint
    (weights, biases), last = LAYERS
    plan_file.with_name("net.onnx").write_bytes(network((weights, biases + 1e-3), last))
    assert load_plan(plan_file).fingerprint != one


def test_validate_shows_what_a_cut_does_to_spectra(plan_file, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    files = testing.make_dataset(tmp_path / "data", files=1, events=3_000, seed=3)
    code, out, err = invoke(capfd, "validate", plan_file, *files)
    assert code == 0, err
    assert "the cut DNN: largest excess over neighbouring bins, and what the cut makes" in out
    assert "z after" in out


def test_a_cut_on_the_mass_is_seen_to_make_a_bump(tmp_path):
    """A score that is large around one mass: z after the cut is far larger than before."""
    from coffea_ddp.running.validating import validate

    width = 5.0
    layer = (np.array([[1.0 / width, -1.0 / width]]), np.array([-80.0 / width, 100.0 / width]))
    last = (np.array([[4.0], [4.0]]), np.array([-4.0]))
    score = OnnxScore(network(layer, last), inputs=(obs.m_ll,))
    base = load_plan("symmetries")
    plan = ScanPlan(
        **{
            **{field.name: getattr(base, field.name) for field in dataclasses.fields(base) if field.init},
            "cells": (Topology("window", score.above(0.5)),),
        }
    )
    files = testing.make_dataset(tmp_path / "data", files=1, events=20_000, seed=3)
    found = validate(plan, files, events=20_000)
    (table,) = [one for one in found.tables() if "the cut window" in str(one.title)]
    assert "m_ll" in next(iter(table.columns[0].cells))
