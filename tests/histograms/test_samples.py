"""Sample pairs: the events of a cell, thinned alike on both sides, and what is missing told."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from stored_toys import GRID, make_events

from coffea_ddp.errors import InputError, UnknownNameError
from coffea_ddp.histograms.lattice import distinct_cells
from coffea_ddp.histograms.samples import MOST_LEVELS, features_of, sample_pair, samples_of
from coffea_ddp.histograms.stored import ALL


def test_a_pair_holds_the_events_of_its_cell():
    hists = make_events(400, 1)
    pair = sample_pair(hists, "e/mu", "j>=1 & VBF", features=["y", "x"])
    matrix = hists["e/mu", "x", "j>=1 & VBF"]
    assert (len(pair.a), len(pair.b)) == (matrix.a.sum(flow=True), matrix.b.sum(flow=True))
    assert pair.n_dropped == 0
    assert pair.features == ("y", "x")
    columns = hists.events.columns
    order = {int(event): row for row, event in enumerate(columns["event"])}
    rows = [order[int(event)] for event in pair.identity_a[:, 2]]
    np.testing.assert_array_equal(pair.a, np.stack([columns["y"][rows], columns["x"][rows]], axis=1))
    assert "dropped" not in repr(pair)


@pytest.mark.parametrize("split", [1, 7, 250])
def test_neither_order_nor_parts_matter(split):
    """The same events in another order give the same arrays."""
    hists = make_events(300, 2)
    columns = {name: np.roll(values, split) for name, values in hists.events.columns.items()}
    other = dataclasses.replace(hists, events=dataclasses.replace(hists.events, columns=columns))
    first, second = (sample_pair(one, "e/mu", "j>=1") for one in (hists, other))
    np.testing.assert_array_equal(first.a, second.a)
    np.testing.assert_array_equal(first.identity_b, second.identity_b)


def test_a_union_is_thinned_to_its_smallest_threshold():
    """Law 9: the shares of the exclusive cells in a union, and of A and B, are those of all events."""
    hists = make_events(20_000, 3, max_stored=300)
    codes = hists.occupied("e/mu")
    samples = samples_of(hists, "e/mu", ("x", "y"))
    assert samples.thinned
    pair = sample_pair(hists, "e/mu", "inclusive")
    smallest = samples.thresholds.min()
    assert len(pair.a) + len(pair.b) == (samples.hashes < smallest).sum()
    assert pair.n_dropped == 20_000 - len(pair.a) - len(pair.b) > 0
    kept = np.bincount(samples.code[samples.hashes < smallest], minlength=len(codes))
    expected = samples.events / samples.events.sum() * kept.sum()
    assert ((kept - expected) ** 2 / expected).sum() < 30  # chi2 with 7 degrees of freedom
    assert "dropped" in repr(pair)


def test_levels_are_few_and_never_above_the_threshold():
    hists = make_events(5_000, 4, max_stored=60)
    samples, cells = samples_of(hists, "e/mu", ("x",)), distinct_cells(GRID, hists.occupied("e/mu"))
    levels = samples.levels(cells)
    members = cells.members(range(len(cells))) > 0
    exact = np.where(members, samples.thresholds, ALL).min(axis=1)
    np.testing.assert_array_equal(levels, exact)
    many = dataclasses.replace(samples, thresholds=np.arange(1, len(samples.events) + 1).astype(np.uint64))
    grid = distinct_cells(GRID, np.arange(GRID.n_exclusive))
    wide = dataclasses.replace(many, thresholds=np.sort(np.arange(GRID.n_exclusive)).astype(np.uint64) + np.uint64(1))
    found = wide.levels(grid)
    assert len(np.unique(found)) <= MOST_LEVELS
    assert (found <= np.where(grid.members(range(len(grid))) > 0, wide.thresholds, ALL).min(axis=1)).all()


def test_events_without_a_feature_are_left_out_and_told():
    hists = make_events(200, 5)
    columns = dict(hists.events.columns)
    columns["x"] = np.where(np.arange(len(columns["x"])) < 17, np.nan, columns["x"])
    broken = dataclasses.replace(hists, events=dataclasses.replace(hists.events, columns=columns))
    pair = sample_pair(broken, "e/mu", features=["x"])
    assert pair.n_dropped == 17
    assert len(pair.a) + len(pair.b) == 183


def test_weights_stay_with_their_events():
    pair = sample_pair(make_events(100, 6, weighted=True), "e/mu")
    assert pair.weights_a.shape == (len(pair.a),)
    assert pair.weights_b.shape == (len(pair.b),)


def test_features_are_those_of_the_observables():
    hists = make_events(50, 7)
    assert features_of(hists, "e/mu") == ("x", "y")
    assert features_of(hists, "e/mu", "x") == ("x",)
    assert features_of(hists, "l-/l+") == ("y",)
    fewer = dataclasses.replace(hists, layout=dataclasses.replace(hists.layout, features=hists.layout.features[:1]))
    assert features_of(fewer, "e/mu", "x x y") == ()


def test_what_is_not_there_is_told():
    hists = make_events(50, 8)
    with pytest.raises(UnknownNameError, match="no stored feature 'z'; there are: 'x', 'y'"):
        sample_pair(hists, "e/mu", features=["z"])
    with pytest.raises(UnknownNameError, match="no symmetry"):
        sample_pair(hists, "e/tau")
    with pytest.raises(InputError, match="no feature is named"):
        sample_pair(hists, "e/mu", features=[])
    nothing = dataclasses.replace(hists, layout=dataclasses.replace(hists.layout, max_stored=0))
    with pytest.raises(InputError, match="stores no events"):
        sample_pair(nothing, "e/mu")
