"""Pseudo-experiments of whole scans: reproducible, keyed to events where they can be, and uniform under the null."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats as scipy_stats
from stored_toys import GRID, X, Y, make_events, make_layout
from toys import scan_expecting

from coffea_ddp.histograms.histograms import Histograms, stored_columns
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.histograms.stored import StoredEvents, side_bits
from coffea_ddp.scanning.binned_tests import Submatrix
from coffea_ddp.scanning.driver import scan

TESTS = ("nsigma", "submatrix", "submatrix_nsigma")


@pytest.fixture(scope="module")
def hists():
    return make_events(1_500, 1, excess=40)


@pytest.fixture(scope="module")
def report(hists):
    return scan(hists, tests=TESTS, toys=200, seed=3, min_events=10, best=50)


def p_values(report):
    return [(row.test, row.symmetry, row.observable, row.cell, row.p_cell, row.p_global) for row in report.rows]


def test_results_depend_on_the_seed_and_not_on_the_threads(hists, report):
    for jobs in (1, 3):
        again = scan(hists, tests=TESTS, toys=200, seed=3, min_events=10, best=50, jobs=jobs)
        assert again.to_dict() == report.to_dict()
    other = scan(hists, tests=TESTS, toys=200, seed=4, min_events=10, best=50)
    assert p_values(other) != p_values(report)


@pytest.mark.parametrize("options", [{}, {"null": "fixed"}, {"kappa": 1.3, "symmetries": ["e/mu"]}])
def test_bounds_make_the_report_of_all_rectangles(hists, options, monkeypatch):
    """Of 3 blocks, of which two are taken together, and cells with p from small to large."""
    told = {"tests": ("nsigma", "submatrix"), "toys": 129, "seed": 3, "min_events": 10, "best": 300, **options}
    bounded = scan_expecting(hists, **told)
    monkeypatch.setattr(Submatrix, "bounded", lambda *_: None)
    assert scan_expecting(hists, **told).to_dict() == bounded.to_dict()
    p_cell = [row.p_cell for row in bounded.rows if row.test == "submatrix"]
    assert min(p_cell) < 0.05
    assert max(p_cell) > 0.5


def test_results_do_not_depend_on_the_order_of_events_or_of_merging(report):
    parts = [make_events(1_500, 1, excess=40)]
    half = parts[0].events
    shuffled = np.random.default_rng(0).permutation(len(half))
    events = StoredEvents.make(
        {name: values[shuffled] for name, values in half.columns.items()},
        max_stored=100_000,
        n_symmetries=2,
        n_exclusive=GRID.n_exclusive,
    )
    again = scan(dataclasses.replace(parts[0], events=events), tests=TESTS, toys=200, seed=3, min_events=10, best=50)
    assert again.to_dict() == report.to_dict()


def test_the_excess_is_found_and_its_p_values_are_told(report):
    top = report.rows[0]
    assert (top.symmetry, top.test) == ("e/mu", "submatrix")
    assert "x" in str(top.region)
    assert "GeV" in str(top.region)
    assert top.p_global == 1 / 201
    assert top.p_local < 1e-6
    assert top.tail is not None
    assert top.p_cell <= top.p_symmetry <= top.p_global
    for row in report.rows:
        assert row.p_global >= 1 / 201
        assert row.p_cell >= 1 / 201
        assert row.n_regions is None or row.n_regions > 1
    scopes = {(found.scope, found.what) for found in report.global_p}
    assert {("e/mu", "min-p"), ("l-/l+", "min-p"), (None, "min-p"), (None, "max nsigma")} <= scopes
    assert "keyed to the events" in top.global_method
    assert "200 + 1" in top.global_method


def test_p_values_grow_with_the_number_of_looks(report):
    for row in report.rows:
        assert row.p_symmetry <= row.p_global + 1e-12
    order = [row for row in report.rows if row.rank]
    assert [row.p_global for row in order] == sorted(row.p_global for row in order)


def test_dropped_events_are_a_bound_and_named():
    hists = make_events(1_500, 1, excess=40, max_stored=20)
    report = scan(hists, toys=100, min_events=10)
    assert "a bound" in report.rows[0].global_method
    # One observable of one symmetry is not a bound: there is nothing to put together.
    one = scan(hists, toys=100, min_events=10, symmetries=["l-/l+"])
    assert "keyed to the events" in one.rows[0].global_method


def test_stored_features_that_are_not_those_of_the_histograms_are_not_used():
    hists = make_events(1_500, 1, drop_features=True)
    assert "a bound" in scan(hists, toys=64, min_events=10).rows[0].global_method


def test_labels_by_event_and_by_channel_are_the_same_null():
    """Each cell's null has the same distribution, however the labels are drawn."""
    keyed, drawn = make_events(800, 5), make_events(800, 5, max_stored=10)
    options = {
        "toys": 1_000,
        "min_events": 10,
        "best": 3,
        "symmetries": ["e/mu"],
        "tests": ["nsigma", "submatrix"],
    }
    for one, other in zip(scan(keyed, **options).rows, scan(drawn, **options).rows, strict=True):
        assert (one.cell, one.test, one.observable) == (other.cell, other.test, other.observable)
        p = (one.p_cell + other.p_cell) / 2
        assert abs(one.p_cell - other.p_cell) < 5 * np.sqrt(2 * p * (1 - p) / 1_000) + 2e-3


def test_observables_of_one_symmetry_share_their_labels():
    """x and x x y hold the same events: keyed labels keep their N_sigma together, drawn ones do not."""

    def best(max_stored, seed):
        hists = make_events(1_200, seed, max_stored=max_stored)
        return scan(hists, toys=300, min_events=10, symmetries=["e/mu"], observables=[EVENTS, "x", "x x y"])

    keyed = [best(100_000, seed).global_p[-1].p_value for seed in range(12)]
    drawn = [best(10, seed).global_p[-1].p_value for seed in range(12)]
    # Independent draws can only add looks: the bound is not below, but for the noise of 300.
    assert np.mean(drawn) > np.mean(keyed) - 0.02


KINDS = [(kappa, weighted) for kappa in (1.0, 5.0) for weighted in (False, True)]
"""Ratios, and counts or weights."""


@pytest.mark.parametrize(
    ("kinds", "scans"),
    [
        pytest.param(KINDS, 40, id="all"),
        *(pytest.param([kind], 300, id=f"{kind[0]}-{kind[1]}", marks=pytest.mark.slow) for kind in KINDS),
    ],
)
def test_global_p_values_are_uniform(kinds, scans):
    """Whole pseudo-scans with overlapping cells, all tests combined; every kind by itself among the slow tests.

    Distances from uniform of 0.128 (40 scans of each of four kinds) and 0.094 (300) are beyond the limit of 1 %.
    """
    p = np.array([global_p(seed, *kind) for kind in kinds for seed in range(scans)])
    p -= np.random.default_rng(1).random(len(p)) / 65
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.01


def global_p(seed, ratio, weighted, /, **options):
    shift = options.pop("shift", 0.0)
    hists = make_events(250, seed + 10, kappa=ratio, weighted=weighted, shift=shift)
    given = {"tests": ["nsigma", "submatrix_nsigma"], "toys": 64, "best": 20, "seed": seed} | options
    report = scan_expecting(hists, symmetries=["e/mu"], **given)
    return report.global_p[-1].p_value


CASES = {
    "all tests": {"tests": list(TESTS)},
    "kappa from the totals": {"kappa": "global", "tests": list(TESTS)},
    "kappa from the totals, not kept": {
        "kappa": "global",
        "null": "binomial",
        "observables": ["x"],
        "tests": list(TESTS),
    },
    "kappa from the totals, systematic error": {
        "kappa": "global",
        "systematic": 0.3,
        "shift": 0.3,
        "observables": ["x"],
        "tests": list(TESTS),
    },
    "kappa of each cell": {"kappa": "cell"},
    "systematic error": {"systematic": 0.3, "shift": 0.3, "observables": ["x"], "tests": list(TESTS)},
    "uncertain kappa": {"kappa_error": 0.2, "shift": -0.2, "observables": ["x"], "tests": list(TESTS)},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_global_p_values_are_uniform_in_full(name):
    p = np.array([global_p(seed, 1.5, False, toys=128, **CASES[name]) for seed in range(600)])
    p -= np.random.default_rng(1).random(600) / 129
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.01


def test_event_labels_flip_symmetries_together():
    """Events are on the same side of both symmetries, or on opposite ones: relabelled, they stay so."""
    hists = make_events(3_000, 3)
    sides = hists.events.columns["sides"]
    both = (sides & np.uint64(0b1111)).astype(int)
    equal = np.isin(both, (0b0101, 0b1010))
    opposite = np.isin(both, (0b0110, 0b1001))
    assert equal.sum() > 500
    assert opposite.sum() > 500
    from coffea_ddp.histograms.stored import opposite_sides

    np.testing.assert_array_equal(opposite_sides(sides, 1)[equal | opposite], opposite[equal | opposite])
    assert not opposite_sides(sides, 0).any()


def test_the_largest_z_of_a_family_is_compared_with_the_largest_of_pseudo_experiments():
    """Whatever is kept as a row: cells with many rectangles may have the largest z, and not the best after them."""
    hists = make_events(300, 11)
    few = scan(hists, tests=["submatrix"], toys=64, seed=3, min_events=10, best=1)
    every = scan(hists, tests=["submatrix"], toys=64, seed=3, min_events=10, best=10_000)
    assert [(p.what, p.score, p.p_value) for p in few.global_p] == [
        (p.what, p.score, p.p_value) for p in every.global_p
    ]
    assert few.global_p[-2].score == max(abs(row.z_local) for row in every.rows)


@pytest.mark.parametrize("keyed", [True, False])
def test_weights_that_belong_to_a_side(keyed):
    """1 / efficiency of .6 and .9, ten events a bin: N_sigma and its pseudo-experiments have one distribution."""
    efficiency, z, p = np.array([0.6, 0.9]), [], []
    for seed in range(80):
        rng = np.random.default_rng([seed, 5])
        layout = dataclasses.replace(make_layout(weighted=True), symmetries=make_layout().symmetries[:1])
        side = rng.choice(2, 450, p=efficiency / efficiency.sum())
        x, y = rng.random((2, 450)).astype(np.float32)
        weight, cells = 1 / efficiency[side], np.zeros(450, dtype=np.int64)
        place = [axis.index(v.astype(float)) + 1 for axis, v in ((X, x), (Y, y))]
        bins = {"x x y": place[0] * Y.extent + place[1], "x": place[0], EVENTS: np.zeros(450, dtype=np.int64)}
        keys = [channel.key(cells, side, bins[channel.name]) for channel in layout.channels]
        counts = SparseCounts.from_keys(np.concatenate(keys), np.tile(weight, len(keys)))
        columns = stored_columns(layout, 450)
        columns["event"][:], columns["sides"][:] = np.arange(450) + 1000 * seed, side_bits(side[None].astype(np.int8))
        columns["x"][:], columns["y"][:], columns["weight"][:] = (x, y, weight) if keyed else (np.nan, np.nan, weight)
        events = StoredEvents.make(columns, max_stored=1_000, n_symmetries=1, n_exclusive=GRID.n_exclusive)
        hists = Histograms(layout, counts, Histograms.empty(layout).not_filled, events)
        report = scan(hists, ["nsigma"], observables=["x x y"], toys=99, seed=seed)
        z.append(report.rows[0].z_local)
        p.append(report.rows[0].p_cell - rng.random() / 100)
    assert np.mean(z) == pytest.approx(0.0, abs=4 * np.std(z) / np.sqrt(len(z)))
    assert np.std(z) == pytest.approx(1.0, abs=0.35)
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.01
