"""The scan: what it finds is what the cells say one by one, and memory, blocks and order do not show."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from toys import GRID, MET, make_histograms, make_layout, with_counts

from coffea_ddp import stats
from coffea_ddp.errors import InputError, UnknownNameError
from coffea_ddp.histograms.cells import CellGrid, Multiplicity
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.lattice import distinct_cells
from coffea_ddp.histograms.layout import EVENTS, Layout, SymmetryLayout
from coffea_ddp.histograms.ledger import Missing
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.histograms.walk import Walk
from coffea_ddp.scanning import cell_matrices, symmetry_scan
from coffea_ddp.scanning.cell_matrices import CellBlocks
from coffea_ddp.scanning.data_tests import DataTests
from coffea_ddp.scanning.driver import scan
from coffea_ddp.scanning.options import MIN_EVENTS
from coffea_ddp.stats.submatrix.binomial import binomial_p


def naive(hists, symmetry, observable, cell):
    """N_sigma of one cell as a user would make it, from its two histograms."""
    pair = hists[symmetry, observable, cell]
    (a, b), variances = pair.counts, {}
    if hists.layout.weighted:
        variances = {"variance_a": pair.a.variances(), "variance_b": pair.b.variances()}
    return stats.n_sigma(a, b, kappa=pair.kappa, **variances), a.sum(), b.sum()


@pytest.mark.parametrize("test", ["nsigma", "submatrix", "submatrix_nsigma"])
def test_the_number_of_events_is_one_bin_and_has_no_region(test):
    report = scan(make_histograms(make_layout(), 600, seed=1), [test], observables=["events"], min_events=5, toys=64)
    assert report.rows
    assert all(row.region is None for row in report.rows)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kappa", [1.0, 2.5])
def test_rows_are_what_the_cells_say(kappa, weighted):
    hists = make_histograms(make_layout(kappa, weighted=weighted), 600, seed=1, excess=0.1)
    report = scan(hists, min_events=5, best=10_000, toys=0)
    assert len(report.rows) == report.trials > 50
    for row in report.rows:
        result, n_a, n_b = naive(hists, row.symmetry, row.observable, row.cell)
        assert row.statistic == pytest.approx(result.statistic, abs=1e-9)
        assert row.z_local == row.statistic
        assert row.p_local == pytest.approx(result.p_value, rel=1e-6)
        assert (row.n_a, row.n_b) == pytest.approx((n_a, n_b))
        assert row.n_bins == result.n_bins
        assert row.ratio.kappa == hists.layout.symmetry(row.symmetry).kappa
        if row.ratio.asymmetry is not None:
            assert row.ratio.asymmetry == pytest.approx(result.asymmetry, rel=1e-6, abs=1e-9)
        assert isinstance(row.n_a, float if weighted else int)


def test_every_cell_is_accounted_for():
    hists = make_histograms(make_layout(), 300, seed=2)
    report = scan(hists, min_events=10, best=10_000, toys=0)
    assert report.trials == sum(report.z_histogram.counts) == len(report.rows)
    for summary in report.summaries:
        cells = distinct_cells(GRID, hists.occupied(summary.symmetry))
        n_observables = len(hists.observables(summary.symmetry))
        assert (summary.n_cells, summary.n_empty, summary.n_distinct) == (
            GRID.n_cells,
            cells.n_empty,
            len(cells),
        )
        assert summary.n_aliases == int(cells.aliases.sum()) - len(cells)
        assert sum(summary.statuses.values()) == n_observables * len(cells)
        assert summary.statuses["TOO_FEW_ENTRIES"] > 0
        for observable in hists.observables(summary.symmetry):
            tested = sum(row.symmetry == summary.symmetry and row.observable == observable for row in report.rows)
            enough = sum(
                sum(naive_entries(hists, summary.symmetry, observable, cells.cell(i))) >= 10 for i in range(len(cells))
            )
            assert tested == enough


def naive_entries(hists, symmetry, observable, cell):
    return [side.sum() for side in hists[symmetry, observable, cell].counts]


def test_aliases_are_tested_once():
    """All events have one jet: "inclusive", "j=1" and "j>=1" are one look, and the row says so."""
    layout = make_layout(grid=CellGrid((Multiplicity("j", last=2),)))
    channel = layout.channel("e/mu", "met")
    ones = np.ones(40, dtype=np.int64)
    keys = [channel.key(ones, np.arange(40) % 2, 1 + np.arange(40) % 5)]
    keys.append(layout.channel("e/mu", EVENTS).key(ones, np.arange(40) % 2, 0 * ones))
    report = scan(with_counts(layout, SparseCounts.from_keys(np.concatenate(keys))), observables=["met"], toys=0)
    assert report.trials == 1
    (row,) = report.rows
    assert (row.cell, row.aliases, row.n_a, row.n_b) == ("inclusive", 3, 20, 20)
    assert (row.p_local, row.p_global, row.z_global) == (1.0, 1.0, 0.0)
    assert report.summaries[0].n_aliases == 2


def test_the_bound_over_rectangles_is_made_of_full_p():
    hists = make_histograms(make_layout(kappa=1.5), 900, seed=3, excess=0.15)
    report = scan(hists, tests=["submatrix"], min_events=5, toys=0)
    assert len(report.rows) == report.trials > 5
    trials = sum(row.n_regions for row in report.rows)
    for row in report.rows:
        full = binomial_p(row.n_b, row.n_a + row.n_b, row.ratio.kappa / (1 + row.ratio.kappa))
        assert row.p_local == pytest.approx(full)
        assert row.p_global == pytest.approx(stats.sidak(full, trials))
        assert row.p_local >= stats.p_from_z(row.z_local, two_sided=True) * (1 - 1e-9)


def test_ranked_with_sidak_over_all_looks():
    report = scan(make_histograms(make_layout(), 900, seed=3, excess=0.15), min_events=5, toys=0)
    assert [row.rank for row in report.rows] == list(range(1, len(report.rows) + 1))
    sizes = [abs(row.z_local) for row in report.rows]
    assert sizes == sorted(sizes, reverse=True)
    assert report.rows[0].z_local > 3
    for row in report.rows:
        assert row.p_global == pytest.approx(stats.sidak(row.p_local, report.trials))
        assert abs(row.z_global) <= abs(row.z_local)
        assert (row.method, row.p_method) == ("N_sigma", "asymptotic normal, two-sided")
        assert row.global_method == f"Sidak bound over {report.trials} trials"
        assert row.status == "OK"
        assert row.kind == "symmetry"
        assert row.test == "nsigma"
        assert row.region is None


def test_keeping_fewer_rows_changes_nothing_else():
    hists = make_histograms(make_layout(), 900, seed=4, excess=0.05)
    everything, few = scan(hists, min_events=5, best=10_000, toys=0), scan(hists, min_events=5, best=7, toys=0)
    assert few.rows[:7] == everything.rows[:7]
    assert few.trials == everything.trials
    assert few.z_histogram == everything.z_histogram
    assert few.summaries == everything.summaries
    # The best of every (symmetry, observable) is there, without a rank where it is not among the best of all.
    for symmetry in hists.symmetries:
        for observable in hists.observables(symmetry):
            rows = [
                [r for r in x.rows if (r.symmetry, r.observable) == (symmetry, observable)] for x in (everything, few)
            ]
            assert rows[0][0].cell == rows[1][0].cell
            assert all(row.rank is None for row in few.rows[7:])
    # And the best of every column of the table: inclusive, and every axis alone and with others.
    n_columns = len(hists.symmetries) * (1 + 2 * len(hists.layout.grid.axes))
    assert len(few.rows) <= 7 + 3 + n_columns


@pytest.mark.parametrize("block_bytes", [1, 3000, 20_000])
@pytest.mark.parametrize("weighted", [False, True])
def test_blocks_do_not_show(monkeypatch, block_bytes, weighted):
    hists = make_histograms(make_layout(weighted=weighted), 500, seed=5)
    whole = scan(hists, min_events=5, best=10, toys=0)
    monkeypatch.setattr(CellBlocks.__init__, "__kwdefaults__", {"min_events": 1, "block_bytes": block_bytes})
    parts = scan(hists, min_events=5, best=10, toys=0)
    assert parts.z_histogram == whole.z_histogram
    assert parts.summaries == whole.summaries
    if weighted:  # sums of weights may be added up in another order
        assert [row.statistic for row in parts.rows] == pytest.approx([row.statistic for row in whole.rows])
    else:
        assert parts == whole


@pytest.mark.parametrize("with_members", [False, True])
def test_blocks_are_bounded(with_members):
    hists = make_histograms(make_layout(), 500, seed=5)
    cells, counts = distinct_cells(GRID, hists.occupied("e/mu")), hists.cell_counts("e/mu", "met")
    options = {"block_bytes": 10_000, "with_members": with_members}
    sizes = [len(block.cells) for block in CellBlocks(counts, cells, **options)]
    assert len(sizes) > 3
    assert sum(sizes) == len(cells)
    assert max(sizes) * 8 * (7 * counts.n_bins + 2 * len(cells.codes) * with_members) <= 10_000
    assert cell_matrices.BLOCK_BYTES <= 64 * 2**20


@pytest.mark.parametrize("weighted", [False, True])
def test_a_part_of_the_cells_costs_no_more_than_it_holds(monkeypatch, weighted):
    hists = make_histograms(make_layout(weighted=weighted), 500, seed=5)
    cells, counts = distinct_cells(GRID, hists.occupied("e/mu")), hists.cell_counts("e/mu", "met")
    asked = []

    def recorded(walk, values, unions=None, trail=None):
        asked.append(len(walk.choices) if unions is None else len(unions))
        return sums(walk, values, unions, trail)

    sums = Walk.sums
    monkeypatch.setattr(Walk, "sums", recorded)
    blocks = CellBlocks(counts, cells, min_events=5)
    whole, size = list(blocks), 7
    n_whole, _ = sum(asked), asked.clear()
    parts = [block for first in range(0, len(cells), size) for block in blocks.within(first, first + size)]
    assert sum(asked) == n_whole  # was the number of parts times as many: 65 s in place of 7 where there are 206
    for name in ("cells", "n_a", "n_b", "a", "b", *(["variance"] if weighted else [])):
        one, other = (np.concatenate([getattr(block, name) for block in found]) for found in (whole, parts))
        np.testing.assert_array_equal(one, other)


def test_a_large_lattice_has_few_parts(monkeypatch):
    """Every part holds its largest deviations until all are made."""
    monkeypatch.setattr(symmetry_scan, "PART", 1)
    seen = []

    class Recorded(DataTests):
        def __init__(self, *given):
            super().__init__(*given)
            seen.append(len(self.parts))

    hists = make_histograms(make_layout(), 500, seed=5)
    n_cells = len(distinct_cells(GRID, hists.occupied("e/mu")))
    whole = scan(hists, toys=0)
    monkeypatch.setattr(symmetry_scan, "DataTests", Recorded)
    monkeypatch.setattr(symmetry_scan, "MOST_PARTS", 4)
    assert scan(hists, toys=0) == whole
    assert n_cells > 4
    assert max(seen) == 4


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 300), st.integers(1, 40), st.booleans())
def test_any_histograms(seed, n_events, min_events, weighted):
    """Whatever there is to scan, numbers add up and the report survives a JSON round trip."""
    report = scan(make_histograms(make_layout(weighted=weighted), n_events, seed), min_events=min_events, toys=0)
    assert report.trials == sum(summary.n_tested for summary in report.summaries)
    assert type(report).from_dict(json.loads(json.dumps(report.to_dict(), allow_nan=False))) == report


def test_swapped_sides_change_the_sign():
    layout = make_layout()
    hists = make_histograms(layout, 500, seed=6)
    keys = []
    for channel in layout.channels:
        size = layout.grid.n_exclusive * 2 * channel.extent
        part = hists.counts.between(channel.base, channel.base + size)
        cell_side, place = np.divmod(part.keys - channel.base, channel.extent)
        swapped = channel.base + (cell_side ^ 1) * channel.extent + place
        keys.append(np.repeat(swapped, part.counts))
    mirrored = with_counts(layout, SparseCounts.from_keys(np.concatenate(keys)))
    first, second = scan(hists, best=10_000, toys=0), scan(mirrored, best=10_000, toys=0)
    assert {where(row): row.statistic for row in first.rows} == pytest.approx(
        {where(row): -row.statistic for row in second.rows}
    )


def where(row):
    return (row.symmetry, row.observable, row.cell)


def test_adding_histograms_adds_counts_in_the_scan():
    layout = make_layout()
    first, second = (make_histograms(layout, 200, seed) for seed in (7, 8))
    total = with_counts(layout, first.counts + second.counts)
    best = scan(first + second, toys=0).rows[0]
    assert best == scan(total, toys=0).rows[0]


# -- the null --------------------------------------------------------------------------------------


def test_p_of_the_inclusive_cell_is_uniform():
    """Poisson toys in exclusive cells; 400 toys, a Kolmogorov-Smirnov test of their p-values."""
    layout = Layout(
        "toys",
        "f" * 16,
        CellGrid((Multiplicity("j", last=2),)),
        (SymmetryLayout("a/b", ("a", "b"), 1.0, (("met", MET),)),),
    )
    rng = np.random.default_rng(9)
    channel, events = layout.channels[1], layout.channels[0]
    n_keys = layout.grid.n_exclusive * 2 * channel.extent
    found = []
    for _ in range(400):
        counts = rng.poisson(4.0, n_keys)
        keys = np.concatenate([[events.base], channel.base + np.arange(n_keys)])
        marks = [events.key(np.arange(3), np.zeros(3, np.int64), np.zeros(3, np.int64))]
        all_keys = np.concatenate([marks[0], np.repeat(keys[1:], counts)])
        report = scan(with_counts(layout, SparseCounts.from_keys(all_keys)), toys=0)
        found.append(next(row.p_local for row in report.rows if row.cell == "inclusive"))
    assert scipy_stats.kstest(found, "uniform").pvalue > 0.01


# -- choices ---------------------------------------------------------------------------------------


def test_symmetries_and_observables_can_be_chosen():
    hists = make_histograms(make_layout(), 500, seed=10)
    report = scan(hists, symmetries=["l-/l+"], toys=0)
    assert {row.symmetry for row in report.rows} == {"l-/l+"}
    assert [summary.symmetry for summary in report.summaries] == ["l-/l+"]
    assert {row.observable for row in scan(hists, observables=["pt x eta"], toys=0).rows} == {"pt x eta"}
    assert scan(hists, symmetries="l-/l+", toys=0).rows == report.rows
    everything = scan(hists, best=10_000, toys=0)
    assert EVENTS not in {row.observable for row in everything.rows}
    counted = scan(hists, observables=EVENTS, best=10_000, toys=0)
    assert {(row.observable, row.n_bins) for row in counted.rows} == {(EVENTS, 1)}
    row = next(row for row in counted.rows if row.cell == "inclusive" and row.symmetry == "e/mu")
    assert row.n_a + row.n_b == 500


def test_progress_is_told():
    told = []
    scan(make_histograms(make_layout(), 100, seed=11), progress=lambda *args: told.append(args), toys=0)
    assert told == [(0, 3, "e/mu: met"), (1, 3, "e/mu: pt x eta"), (2, 3, "l-/l+: met"), (3, 3, "")]


def test_no_events():
    report = scan(Histograms.empty(make_layout()), toys=0)
    assert (report.trials, report.rows, sum(report.z_histogram.counts)) == (0, (), 0)
    assert [summary.n_empty for summary in report.summaries] == [GRID.n_cells] * 2
    assert report.inputs["events"] == 0
    assert scan(Histograms.empty(make_layout(weighted=True)), toys=0).trials == 0


def test_plan_without_symmetries():
    report = scan(Histograms.empty(Layout("none", "f" * 16, GRID, ())), toys=0)
    assert (report.trials, report.summaries) == (0, ())


def test_too_few_events_everywhere():
    report = scan(make_histograms(make_layout(), 15, seed=12), min_events=MIN_EVENTS, toys=0)
    assert report.rows == ()
    assert report.summaries[0].statuses["TOO_FEW_ENTRIES"] > 0


def test_effective_entries_decide_with_weights():
    """40 events of weight 0.1 are 40 entries; one weight of 100 among them makes it little more than one."""
    layout = make_layout(weighted=True, grid=CellGrid(()))
    met, events = (layout.channel("e/mu", name) for name in ("met", EVENTS))
    zeros = np.zeros(40, dtype=np.int64)
    keys = np.concatenate([met.key(zeros, np.arange(40) % 2, zeros + 2), events.key(zeros, np.arange(40) % 2, zeros)])
    for last, looks in ((0.1, 1), (100.0, 0)):
        weights = np.full(80, 0.1)
        weights[39] = last
        hists = with_counts(layout, SparseCounts.from_keys(keys, weights))
        assert scan(hists, observables=["met"], min_events=40 if looks else 2, toys=0).trials == looks


def test_inputs_are_told():
    hists = make_histograms(make_layout(), 100, seed=13)
    report = scan(hists, seed=42, min_events=7, best=5, toys=0)
    assert (report.plan, report.fingerprint, report.seed) == ("toys", "f" * 16, 42)
    assert report.options == {
        "tests": ["nsigma"], "min_events": 7, "best": 5, "toys": 0, "null": None, "expectation": ""
    }  # fmt: skip
    assert report.inputs["cells"] == GRID.to_dict()
    assert not report.partial
    incomplete = scan(hists.with_missing([Missing("data", "a.root", -1, -1, "truncated")]), toys=0)
    assert incomplete.partial
    assert "a.root" in incomplete.missing[0]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"tests": ["nplm9"]}, UnknownNameError, "the tests are: nsigma"),
        ({"tests": ()}, InputError, "no test is named"),
        ({"symmetries": ["x/y"]}, UnknownNameError, "'e/mu', 'l-/l\\+'"),
        ({"observables": ["mass"]}, UnknownNameError, "'events', 'met', 'pt x eta'"),
        ({"observables": ["pt x eta"], "symmetries": ["l-/l+"]}, UnknownNameError, "'events', 'met'"),
        ({"min_events": 0}, InputError, "min_events=0"),
        ({"best": 0}, InputError, "best=0"),
    ],
)
def test_bad_input(options, error, message):
    with pytest.raises(error, match=message):
        scan(Histograms.empty(make_layout()), **options)
