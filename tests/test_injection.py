"""Injected signals: where they go, how many they are, and that they are seen by the pass."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
from coffea.nanoevents import BaseSchema, NanoEventsFactory
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

import coffea_ddp as ddp
from coffea_ddp.errors import InputError
from coffea_ddp.filling import fill
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
    ],
)
def test_bad_counts(counts, template, n, options, message):
    with pytest.raises(InputError, match=message):
        inject(counts, template, n, seed=1, **options)


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


def test_events_of_a_file_are_seen_by_the_pass(tmp_path):
    """A lepton-flavour-violating signal, injected into a chunk, fills the side that it belongs to."""
    signal = make_nanoaod(tmp_path / "s.root", events=400, seed=2, signals=[LFVSignal(400, n_jets=0, n_b=0)])
    plain = make_nanoaod(tmp_path / "b.root", events=3_000, seed=3)
    plan = ddp.load_plan("symmetries")

    def read(path):
        events = NanoEventsFactory.from_root({str(path): "Events"}, schemaclass=BaseSchema, mode="eager").events()
        return ak.zip({name: events[name] for name in events.fields}, depth_limit=1)

    before = fill(read(plain), plan)
    after = fill(inject_events(read(plain), read(signal), 300, seed=1), plan)
    name = "emu/mue OS"
    old, new = (hists[name, "m_coll x pt_l0"].counts for hists in (before, after))
    grown = [int(second.sum() - first.sum()) for first, second in zip(old, new, strict=True)]
    assert grown[1] > 50
    assert grown[1] > 5 * grown[0]
