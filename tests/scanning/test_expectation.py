"""What is expected of side B, in a scan: estimated, uncertain, corrected; told with and without."""

from __future__ import annotations

import numpy as np
import pytest
from stored_toys import make_events
from toys import scan_expecting

from coffea_ddp import stats
from coffea_ddp.errors import InputError, UnknownNameError
from coffea_ddp.scanning.driver import scan
from coffea_ddp.scanning.expectation import Expectation
from coffea_ddp.stats.pulls import block_n_sigma

OPTIONS = {"min_events": 30, "symmetries": ["e/mu"]}


@pytest.fixture(scope="module")
def hists():
    return make_events(4_000, 2, kappa=1.4)


def expected_of(expectation, hists, symmetry, observable):
    """The expectation of one observable of an output."""
    kappa = hists.layout.symmetry(symmetry).kappa
    return expectation.of(hists.cell_counts(symmetry, observable), hists.cell_counts(symmetry), kappa)


def cell_counts(hists, row):
    return hists[row.symmetry, row.observable, row.cell].counts


def test_by_default_the_plan_is_right(hists):
    expected = expected_of(Expectation(), hists, "e/mu", "x")
    assert (expected.kappa, expected.nominal, expected.exact, expected.fixed) == (1.4, True, True, False)
    assert all(row.ratio.z_nominal is None for row in scan_expecting(hists, **OPTIONS).rows)


def test_a_number_is_for_all(hists):
    report = scan_expecting(hists, kappa=1.1, **OPTIONS)
    for row in report.rows[:5]:
        a, b = cell_counts(hists, row)
        assert row.statistic == pytest.approx(stats.n_sigma(a, b, kappa=1.1).statistic)
        assert row.ratio.z_nominal == pytest.approx(stats.n_sigma(a, b, kappa=1.4).statistic)
        assert row.ratio.kappa == 1.1
    assert report.options["expectation"] == "kappa = 1.1"


def test_kappa_of_the_totals_of_each_observable(hists):
    a, b = hists["e/mu", "x x y"].counts
    expected = expected_of(Expectation(kappa="global"), hists, "e/mu", "x x y")
    whole = hists["e/mu", "events"].counts
    assert expected.kappa == pytest.approx(float(whole[1] / whole[0]))
    assert expected.estimated_from == sum(whole)
    report = scan(hists, observables=["x x y"], toys=64, expectation=Expectation(kappa="global"), **OPTIONS)
    assert report.options["null"] == "fixed"
    assert "N_A kept" in report.rows[0].global_method
    assert "kappa from the totals" in report.rows[0].p_method
    for row in report.rows[:5]:
        a, b = (side.ravel()[None] for side in cell_counts(hists, row))
        found = block_n_sigma(a, b, expected.kappa, estimated_from=float(sum(whole)))
        assert row.statistic == pytest.approx(found.statistic[0])


def test_kappa_of_each_cell(hists):
    report = scan(
        hists, tests=["nsigma", "submatrix_nsigma"], toys=64, expectation=Expectation(kappa="cell"), **OPTIONS
    )
    for row in [row for row in report.rows if row.test == "nsigma"][:5]:
        a, b = cell_counts(hists, row)
        assert row.ratio.kappa == pytest.approx(b.sum() / a.sum())
        assert row.statistic == pytest.approx(stats.n_sigma(a, b, kappa="totals").statistic)
    assert all(row.p_cell >= 1 / 65 for row in report.rows)


def test_errors_make_less_of_an_excess():
    hists = make_events(4_000, 2, excess=150)
    plain = scan_expecting(hists, **OPTIONS).rows[0]
    for options in ({"systematic": 0.1}, {"kappa_error": 0.1}):
        report = scan_expecting(hists, ["nsigma", "submatrix", "submatrix_nsigma"], toys=128, **options, **OPTIONS)
        row = next(r for r in report.rows if (r.test, r.observable, r.cell) == ("nsigma", plain.observable, plain.cell))
        assert 0 < row.statistic < plain.statistic
        assert row.ratio.z_nominal == pytest.approx(plain.statistic)
        assert "(" in str(report.to_dict()["options"]) or report.options["expectation"]


def test_systematic_errors_are_those_of_n_sigma(hists):
    row = scan_expecting(hists, systematic=0.03, **OPTIONS).rows[0]
    a, b = cell_counts(hists, row)
    assert row.statistic == pytest.approx(stats.n_sigma(a, b, kappa=1.4, systematic=0.03).statistic)
    row = scan_expecting(hists, kappa_error=0.03, **OPTIONS).rows[0]
    a, b = cell_counts(hists, row)
    assert row.statistic == pytest.approx(stats.n_sigma(a, b, kappa=1.4, kappa_error=0.03 * 1.4).statistic)


def test_corrections_per_bin(hists):
    """Side B loses events at large x; the correction knows it, the permutations draw it."""
    ratio = np.array([1.0, 1.0, 0.9, 0.8, 0.7, 0.6])
    report = scan(
        hists,
        toys=64,
        tests=["nsigma", "submatrix"],
        expectation=Expectation(correction={"x": (ratio, 0.02)}),
        **OPTIONS,
    )
    for row in report.rows:
        a, b = cell_counts(hists, row)
        if row.test == "nsigma" and row.observable == "x":
            expected = stats.n_sigma(a, b, kappa=1.4 * ratio, systematic=0.02 / ratio)
            assert row.statistic == pytest.approx(expected.statistic)
            assert row.ratio.z_nominal == pytest.approx(stats.n_sigma(a, b, kappa=1.4).statistic)
        elif row.observable != "x":
            assert row.ratio.z_nominal is None
    assert "B corrected" in report.options["expectation"]


def test_corrected_scans_of_corrected_data_find_nothing():
    """Global p of 60 scans in which B has an efficiency curve that the correction knows."""
    rng = np.random.default_rng(1)
    p, wrong = [], []
    for seed in range(40):
        hists = make_events(1_500, seed + 100)
        ratio = rng.uniform(0.5, 0.95, 6)
        # Drop events of side B from the histograms of x, bin by bin.
        from coffea_ddp.histograms.sparse import SparseCounts

        channel = hists.layout.channel("e/mu", "x")
        cell_side, place = np.divmod(hists.counts.keys - channel.base, channel.extent)
        mine = (hists.counts.keys >= channel.base) & (cell_side < 2 * hists.layout.grid.n_exclusive)
        inside = mine & (cell_side % 2 == 1) & (place >= 1) & (place <= 6)
        counts = hists.counts.counts.copy()
        counts[inside] = rng.binomial(counts[inside], ratio[place[inside] - 1])
        keys = np.repeat(hists.counts.keys, counts)
        import dataclasses

        thinned = dataclasses.replace(hists, counts=SparseCounts.from_keys(keys))
        options = {"observables": ["x"], "toys": 100, "seed": seed, **OPTIONS}
        p.append(scan_expecting(thinned, correction={"x": ratio}, **options).global_p[-1].p_value)
        wrong.append(scan(thinned, **options).global_p[-1].p_value)
    assert np.mean(p) == pytest.approx(0.5, abs=0.18)
    assert np.mean(wrong) < 0.05


def test_one_sided_cells_have_a_status():
    hists = make_events(60, 1)
    report = scan(hists, min_events=1, expectation=Expectation(kappa="cell"), toys=0)
    statuses = {name: sum(s.statuses[name] for s in report.summaries) for name in ("OK", "NO_RATIO")}
    assert statuses["NO_RATIO"] > 0
    assert statuses["OK"] == report.trials
    assert all(np.isfinite(row.statistic) for row in report.rows)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kappa": "cells"}, InputError, "plan, global, cell"),
        ({"kappa": 0.0}, InputError, "positive"),
        ({"kappa": True}, InputError, "positive"),
        ({"kappa": {"e/mu": 1e30}, "tests": ["submatrix"]}, InputError, "1e\\+30.*from 1e-09 to 1e\\+09"),
        ({"correction": {"e/mu:x": np.full(6, 1e30)}}, InputError, "ratio 1e\\+30"),
        ({"kappa": 1.15}, InputError, "kappa=1.15 for 2 symmetries"),
        ({"kappa": {"*": 1.15}}, InputError, "kappa=1.15 for 2 symmetries"),
        ({"kappa": {"e/mu": 1.15, "l-/l+": 1.0, "*": "global"}}, InputError, "all are"),
        ({"kappa": {"mu/e": 1.15}}, UnknownNameError, "kappa: no symmetry 'mu/e'"),
        ({"kappa": {"l-/l+": 1.1}, "symmetries": ["e/mu"]}, UnknownNameError, "kappa: no symmetry 'l-/l\\+'"),
        ({"kappa": {}}, InputError, "empty mapping"),
        ({"kappa_error": {"e/mu": 1.5}}, InputError, "between 0 and 1"),
        ({"kappa": {"e/mu": "global"}, "kappa_error": {"e/mu": 0.1}}, InputError, "brings its own"),
        ({"systematic": {"emu": 0.1}}, UnknownNameError, "systematic: no symmetry 'emu'"),
        ({"correction": np.ones(6)}, InputError, "2 are scanned"),
        ({"correction": {"e/mu:x": np.ones(7)}}, InputError, "shape \\(7,\\) for bins of shape"),
        ({"correction": {"e/mu": np.ones(77)}}, InputError, "fits none of its observables"),
        ({"correction": {"l-/l+:nothing": np.ones(3)}}, UnknownNameError, "no observable 'l-/l\\+:nothing'"),
        ({"kappa": -1.0}, InputError, "positive"),
        ({"kappa_error": 2.0}, InputError, "between 0 and 1"),
        ({"systematic": -0.1}, InputError, "between 0 and 1"),
        ({"kappa": "global", "kappa_error": 0.1}, InputError, "brings its own"),
        ({"correction": {"z": [1.0]}}, UnknownNameError, "no observable 'z'"),
        ({"correction": [1.0, 1.0], "symmetries": ["e/mu"]}, InputError, "fits none"),
        ({"null": "toys", "toys": 10}, InputError, "binomial"),
        ({"null": "fixed", "systematic": 0.1, "toys": 10}, InputError, "same odds"),
        ({"toys": -1}, InputError, "toys=-1"),
        ({"seed": -1, "toys": 10}, InputError, "seed=-1"),
    ],
)
def test_wrong_options(hists, options, error, message):
    with pytest.raises(error, match=message):
        scan_expecting(hists, **options)


def test_an_array_has_to_say_of_which_observable():
    hists = make_events(300, 1)
    # Both symmetries have an observable of five bins or of six; an array of the right length for two is ambiguous.
    fits = scan(hists, min_events=10, symmetries=["e/mu"], expectation=Expectation(correction=np.ones(6)), toys=0)
    assert fits.trials > 0
    import dataclasses

    layout = hists.layout
    first = layout.symmetries[0]
    twice = dataclasses.replace(first, observables=(*first.observables, ("again", first.observables[1][1])))
    wide = dataclasses.replace(hists, layout=dataclasses.replace(layout, symmetries=(twice, *layout.symmetries[1:])))
    with pytest.raises(InputError, match="say of which"):
        Expectation(correction=np.ones(6)).check(wide.layout, [("e/mu", ["x", "again"])])


def test_an_empty_side_of_everything_is_a_status():
    hists = make_events(50, 1, kappa=1e6)
    report = scan(hists, min_events=1, symmetries=["e/mu"], expectation=Expectation(kappa="global"), toys=0)
    assert report.trials == 0
    assert sum(s.statuses["NO_RATIO"] for s in report.summaries) > 0


def test_each_symmetry_has_its_own(hists):
    both = {"kappa": {"e/mu": 1.1}, "kappa_error": {"e/mu": 0.02}, "systematic": {"e/mu": 0.01}}
    report = scan_expecting(hists, min_events=30, **both)
    alone = scan(hists, min_events=30, toys=0)
    other = [(row.observable, row.cell, row.statistic) for row in alone.rows if row.symmetry != "e/mu"]
    assert [(row.observable, row.cell, row.statistic) for row in report.rows if row.symmetry != "e/mu"] == other
    assert {round(row.ratio.kappa, 12) for row in report.rows if row.symmetry == "e/mu"} == {1.1}
    assert report.options["expectation"] == "e/mu: kappa = 1.1, kappa known to 2 %, systematic 1 % a bin"
    named = Expectation(kappa={"e/mu": 1.1, "*": "global"}, kappa_error=0.05)
    assert expected_of(named, hists, "e/mu", "x").shares.uncertain
    assert expected_of(named, hists, "l-/l+", named_observable(hists, "l-/l+")).shares is None


def named_observable(hists, symmetry):
    return next(iter(hists.observables(symmetry)))


@pytest.mark.parametrize("test", ["submatrix", "submatrix_nsigma"])
@pytest.mark.parametrize("weighted", [False, True])
def test_an_uncertain_kappa_widens_rectangles_as_it_does_their_pseudo_experiments(test, weighted):
    hists = make_events(3_000, 6, kappa=1.3, weighted=weighted)
    options = {"tests": [test], "kappa": 1.0, "toys": 128, "seed": 3, **OPTIONS}
    sharp, wide = (scan_expecting(hists, kappa_error=error, **options) for error in (0.0, 0.3))
    assert abs(sharp.rows[0].z_local) > 5
    assert abs(wide.rows[0].z_local) < 3.5
    assert "uncertainty of kappa propagated" in wide.rows[0].p_method
    # z and its p agree: the row is not far from what pseudo-experiments reach.
    assert wide.global_p[-1].p_value > 0.05
    row = wide.rows[0]
    pair = hists[row.symmetry, row.observable, row.cell]
    n_a, n_b = row.n_a, row.n_b
    n = n_a + n_b
    if test == "submatrix" and not weighted:
        exact = stats.scan_submatrices([int(n_a)], [int(n_b)], toys=0).z_value
        assert row.statistic == pytest.approx(exact / np.sqrt(1 + 0.3**2 * n / 4), rel=0.02)
    assert pair.kappa == pytest.approx(1.3)
