"""Injected signals: where they go, how many they are, and that they are seen by the pass."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from coffea.nanoevents import BaseSchema, NanoAODSchema, NanoEventsFactory
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

import coffea_ddp as ddp
from coffea_ddp.errors import InputError
from coffea_ddp.filling import fill
from coffea_ddp.running.schema import DDPSchema
from coffea_ddp.testing import LFVSignal, inject, inject_events, make_nanoaod

TEMPLATE = np.array([[0.0, 1.0, 2.0], [0.0, 3.0, 4.0]])


@given(st.integers(0, 1_000), st.floats(0, 500), st.booleans())
def test_counts_only_grow_and_only_where_the_signal_is(seed, n, poisson):
    known = np.random.default_rng(seed).poisson(5, (4, 2, 3))
    wanted = n if poisson else round(n)
    found = inject(known, TEMPLATE, wanted, seed=seed, poisson=poisson)
    assert (found >= known).all()
    assert (found[..., 0] == known[..., 0]).all()
    if not poisson:
        assert ((found - known).sum(axis=(1, 2)) == wanted).all()
    np.testing.assert_array_equal(found, inject(known, 7 * TEMPLATE, wanted, seed=seed, poisson=poisson))


@pytest.mark.parametrize("poisson", [True, False])
def test_the_signal_has_the_shape_of_the_template(poisson):
    drawn = inject(np.zeros((2_000, 2, 3), dtype=int), TEMPLATE, 50, seed=1, poisson=poisson)
    total = drawn.sum(axis=0).ravel()[[1, 2, 4, 5]]
    expected = 2_000 * 50 * np.array([1, 2, 3, 4]) / 10
    if poisson:
        assert ((total - expected) ** 2 / expected).sum() < scipy_stats.chi2.isf(1e-3, 4)
        assert drawn.sum(axis=(1, 2)).var() == pytest.approx(50, rel=0.15)
    else:
        assert scipy_stats.chisquare(total, expected).pvalue > 1e-3


def test_one_number_for_each_of_the_batch():
    found = inject(np.zeros((3, 2, 3), dtype=int), TEMPLATE, [0, 10, 200], seed=1, poisson=False)
    assert found.sum(axis=(1, 2)).tolist() == [0, 10, 200]


@pytest.mark.parametrize(
    ("counts", "template", "n", "options", "message"),
    [
        ([1, -1], [1, 1], 1, {}, "whole numbers"),
        ([1, 0.5], [1, 1], 1, {}, "whole numbers"),
        ([1, 1], [1, 1, 1], 1, {}, "one value per bin"),
        ([1, 1], [0, 0], 1, {}, "above 0 in some"),
        ([1, 1], [-1, 2], 1, {}, "0 or more"),
        ([1, 1], [1, 1], -1, {}, "0 or more"),
        ([1, 1], [1, 1], 1.5, {"poisson": False}, "whole"),
        ([1, 1], [1, 1], [1, 2], {}, "one for each of the batch"),
        ([1, np.inf], [1, 1], 1, {}, "counts has NaN or infinite"),
        ([1, 1], [np.nan, 1], 1, {}, "template has NaN or infinite"),
        ([1, 1], ["a", "b"], 1, {}, "template: not an array of numbers"),
        ([1, 1], [1, 1], np.nan, {}, "n has NaN"),
        ([1, 1], [1, 1], 1e30, {}, "how many signal events"),
        ([1, 1], [1, 1], 1, {"seed": -1}, "seed=-1"),
    ],
)
def test_bad_counts(counts, template, n, options, message):
    with pytest.raises(InputError, match=message):
        inject(counts, template, n, **{"seed": 1} | options)


@pytest.mark.parametrize("replace", [False, True])
def test_events_of_numpy(replace):
    events, signal = np.zeros((100, 2)), np.arange(1, 41).repeat(2).reshape(40, 2)
    found = inject_events(events, signal, 30, seed=1, replace=replace)
    assert len(found) == (100 if replace else 130)
    taken = found[found[:, 0] > 0, 0]
    assert len(taken) == 30
    assert len(set(taken.tolist())) == 30
    np.testing.assert_array_equal(found, inject_events(events, signal, 30, seed=1, replace=replace))
    assert (found != inject_events(events, signal, 30, seed=2, replace=replace)).any()


def test_bad_events():
    events = np.zeros((5, 2))
    with pytest.raises(InputError, match="3 signal events"):
        inject_events(events, events[:3], 4, seed=1)
    with pytest.raises(InputError, match="not so many"):
        inject_events(events[:1], events, 2, seed=1, replace=True)
    with pytest.raises(InputError, match="same columns"):
        inject_events(events, np.zeros((5, 3)), 2, seed=1)
    with pytest.raises(InputError, match="lacks y"):
        inject_events(ak.Array([{"x": 1, "y": 2}]), ak.Array([{"x": 1}]), 1, seed=1)
    with pytest.raises(InputError, match="lacks Muon_eta"):
        inject_events(
            ak.Array([{"Muon": [{"pt": 1.0, "eta": 0.0}]}]), ak.Array([{"Muon": [{"pt": 1.0, "mass": 0.1}]}]), 1, seed=1
        )
    with pytest.raises(InputError, match="whole number"):
        inject_events(events, events, 1.5, seed=1)
    with pytest.raises(InputError, match="seed=-1"):
        inject_events(events, events, 1, seed=-1)
    with pytest.raises(InputError, match="would be cut"):
        inject_events(events.astype(int), events, 1, seed=1)
    with pytest.raises(InputError, match="two of a kind"):
        inject_events(events, ak.Array([{"x": 1}]), 1, seed=1)
    for wrong in ([[1, 2]], ak.Array([1, 2]), 3):
        with pytest.raises(InputError, match="events: give a numpy array"):
            inject_events(wrong, events, 1, seed=1)


@given(st.integers(0, 1_000), st.integers(0, 20), st.booleans())
def test_events_are_those_of_both_and_taken_once(seed, n, replace):
    kind = [("x", "f4"), ("origin", "i4")]
    events, signal = np.zeros(25, dtype=kind), np.ones(20, dtype=kind)
    events["x"], signal["x"] = np.arange(25), np.arange(20)
    found = inject_events(events, signal, n, seed=seed, replace=replace)
    as_records = inject_events(ak.Array(events), ak.Array(signal), n, seed=seed, replace=replace)
    np.testing.assert_array_equal(found["x"], ak.to_numpy(as_records.x))
    assert len(found) == 25 + (0 if replace else n)
    assert np.count_nonzero(found["origin"]) == n
    assert len(set(found.tolist())) == len(found)
    assert set(found.tolist()) <= set(events.tolist()) | set(signal.tolist())


def test_places_are_random():
    """Every place is as good as any other: chi2 of where one of 10 events lands."""
    places = [int(np.flatnonzero(inject_events(np.zeros(9), np.ones(3), 1, seed=seed))[0]) for seed in range(1_000)]
    assert scipy_stats.chisquare(np.bincount(places, minlength=10)).pvalue > 1e-3


def test_numbers_of_the_objects_of_a_chunk_are_left_out():
    events = ak.Array([{"Jet": [{"pt": 1.0, "muonIdx1": 0, "muonIdxG": 0}]}] * 3)
    found = inject_events(events, events, 2, seed=1)
    assert found.Jet.fields == ["pt", "muonIdx1"]
    assert ak.num(found.Jet).tolist() == [1] * 5


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("injection")
    signal = make_nanoaod(folder / "s.root", events=400, seed=2, signals=[LFVSignal(400, n_jets=0, n_b=0)])
    return make_nanoaod(folder / "b.root", events=3_000, seed=3), signal


@pytest.mark.filterwarnings("ignore:Missing cross-reference", "ignore:Branch .* already exists")
@pytest.mark.parametrize("schema", [BaseSchema, DDPSchema, NanoAODSchema])
@pytest.mark.parametrize("mode", ["eager", "virtual"])
def test_events_of_a_file_are_seen_by_the_pass(files, schema, mode):
    """A lepton-flavour-violating signal, injected into a chunk of any schema, fills the side that it belongs to."""
    plan = ddp.load_plan("symmetries")

    def read(path):
        return NanoEventsFactory.from_root({str(path): "Events"}, schemaclass=schema, mode=mode).events()

    def grown(found):
        before = fill(read(files[0]), plan)
        name = "emu/mue OS", "m_coll x pt_l0"
        return [int(new.sum() - old.sum()) for old, new in zip(before[name].counts, found[name].counts, strict=True)]

    alone = fill(read(files[1]), plan)["emu/mue OS", "m_coll x pt_l0"].counts
    injected = inject_events(read(files[0]), read(files[1]), 300, seed=1)
    assert len(injected) == 3_300
    on_a, on_b = grown(fill(injected, plan))
    assert on_a == pytest.approx(0.75 * alone[0].sum(), abs=10)
    assert on_b == pytest.approx(0.75 * alone[1].sum(), rel=0.2)
    assert on_b > 40 > 5 * on_a
    everything = fill(inject_events(read(files[0]), read(files[1]), 400, seed=1), plan)
    assert grown(everything) == [side.sum() for side in alone]
