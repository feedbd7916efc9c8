"""The order of rows, p-values that grow with what they are after, and how numbers are shown."""

from __future__ import annotations

import dataclasses

import hist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from toys import make_histograms, make_layout

from coffea_ddp import ScanReport, scan, stats
from coffea_ddp.pages.columns import packed_rows, unpacked
from coffea_ddp.pages.content import index, rows_with_pages
from coffea_ddp.report.display import counted, needed, p_of, significance_of, z_global_of
from coffea_ddp.report.joining import joined
from coffea_ddp.report.ordering import consistent, ranked, sort_key
from coffea_ddp.report.parts import SMALLEST_P
from coffea_ddp.report.rows import Row
from coffea_ddp.report.summaries import GlobalP
from coffea_ddp.scanning.bump_hunt import bump_hunt
from coffea_ddp.spectra.spectrum import MassSpectrum
from coffea_ddp.stats.trials import bound

STEPS = ("p_local", "p_cell", "p_symmetry", "p_global")
P = st.none() | st.floats(1e-320, 1.0) | st.sampled_from([1 / 101, 1e-10, 1.0])
Z = st.none() | st.floats(-60.0, 60.0)


def row(**changes):
    known = {
        "kind": "symmetry", "symmetry": "e/mu", "observable": "met", "cell": "inclusive", "region": None,
        "test": "nsigma", "n_a": 5, "n_b": 6, "statistic": 1.0, "p_local": 0.3, "z_local": 1.0, "p_global": 1.0,
        "z_global": 0.0, "method": "asymptotic", "status": "OK", "rank": 1, "similar_to": 1,
    }  # fmt: skip
    return Row.of_columns(**(known | changes))


ROWS = st.builds(
    row, kind=st.sampled_from(["symmetry", "spectrum"]), p_local=P, z_local=Z, p_cell=P, p_symmetry=P, p_global=P,
    p_tail=P, rank=st.none() | st.just(1), similar_to=st.just(1),
)  # fmt: skip


def assert_consistent(one):
    """No p is below one after fewer trials, nor told by a floor, and z_global is that of p_global."""
    known = [p for name in STEPS if (p := getattr(one, name)) is not None]
    assert known == sorted(known)
    assert all(p >= SMALLEST_P for p in known)
    if one.tail is not None and one.p_local is not None:
        assert one.tail.p_tail >= one.p_local
    for p, z in ((one.p_local, one.z_local), (one.p_global, one.z_global)):
        if z is not None and p is not None and "fitted" not in one.method:
            expected = stats.p_from_z(z, two_sided=one.two_sided)
            if one.test == "submatrix" and z == one.z_local:  # z is that of mid-p, p the full binomial one
                assert expected * (1 - 1e-6) <= p <= 2.0 * expected * (1 + 1e-6)
            else:
                assert p == pytest.approx(expected, rel=1e-6)
        if z is not None and p is None:
            assert abs(z) > 37.0


def assert_in_order(rows):
    """Ranks go up with the global p, and down with the size of z where it is equal."""
    having = [one for one in rows if one.rank is not None]
    assert [one.rank for one in having] == list(range(1, len(having) + 1))
    keys = [sort_key(one.p_global, one.z_local) for one in having]
    assert keys == sorted(keys)
    assert all(one.similar_to is None or one.similar_to <= one.rank for one in having)


# -- any rows ------------------------------------------------------------------------------------------------------


@given(ROWS)
def test_a_p_after_more_trials_is_never_below_one_after_fewer(one):
    made = consistent(one)
    known = [p for name in STEPS if (p := getattr(made, name)) is not None]
    assert known == sorted(known)
    assert all((getattr(made, name) or 0.0) >= (getattr(one, name) or 0.0) for name in STEPS)
    assert consistent(made) == made
    if made.p_global != one.p_global and made.z_global is not None:
        assert made.p_global == pytest.approx(stats.p_from_z(made.z_global, two_sided=made.two_sided), rel=1e-6)


@given(st.lists(ROWS, max_size=8))
def test_rows_are_in_order_of_p_and_then_of_z(rows):
    rows = [dataclasses.replace(one, rank=one.rank and i, similar_to=one.rank and i) for i, one in enumerate(rows, 1)]
    found = ranked(rows)
    assert_in_order(found)
    assert len(found) == len(rows)
    assert ranked(found) == found


def test_of_rows_that_nothing_reaches_the_largest_z_comes_first():
    """0 against 107 events is rank 1 though another family's null was wider."""
    sizes = [7.5, -12.0, 3.0]
    rows = [row(p_global=1 / 101, z_local=z, rank=i, similar_to=1 if i == 2 else i) for i, z in enumerate(sizes, 1)]
    others = [row(p_global=0.5, z_local=20.0, rank=4, similar_to=4), row(rank=None, similar_to=None, z_local=50.0)]
    found = ranked([*rows, *others])
    assert [one.z_local for one in found] == [-12.0, 7.5, 3.0, 20.0, 50.0]
    assert [(one.rank, one.similar_to) for one in found] == [(1, 1), (2, 1), (3, 3), (4, 4), (None, None)]


# -- scans -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "toys"), [(1, 0), (1, 30), (2, 300), (3, 0), (3, 300)])
def test_every_row_of_a_scan(seed, toys):
    hists = make_histograms(make_layout(), 600, seed=seed, excess=0.06 * (seed == 3))
    tests = ["nsigma", "submatrix", "submatrix_nsigma"]
    report = scan(hists, tests, min_events=10, best=60, toys=toys, seed=seed)
    assert_in_order(report.rows)
    for one in report.rows:
        assert_consistent(one)
        assert one.two_sided
        assert (one.n, one.n_cell) == ((toys, toys) if toys else (None, None))
        if toys:
            assert one.p_global >= (one.n_ge + 1) / (one.n + 1)
            assert one.p_cell >= (one.n_ge_cell + 1) / (one.n_cell + 1)
            tail = one.tail
            assert tail is None or tail.p_tail_low is None or tail.p_tail_low <= tail.p_tail <= tail.p_tail_high
    whole = [one for one in report.global_p if one.scope is None and one.what == "min-p"]
    parts = [one for one in report.global_p if one.scope is not None]
    for one in whole:
        assert one.p_value >= min(part.p_value for part in parts)
        tails = [part.p_tail for part in parts if part.p_tail is not None]
        assert one.p_tail is None or one.p_tail >= min(tails)
    assert ScanReport.from_dict(report.to_dict()) == report


def spectra(peaks):
    x = np.arange(60)
    axis = hist.axis.Regular(60, 100.0, 700.0, name="mass")
    for seed, peak in enumerate(peaks):
        expected = 5e3 * np.exp(-x / 20.0) + peak * np.exp(-0.5 * ((x - 30.0) / 2.0) ** 2)
        counts = np.random.default_rng(seed).poisson(expected)
        for width in (20.0, None):
            yield MassSpectrum("m0m1", f"j={seed} {width}", hist.Hist(axis, data=counts), width=width)


@pytest.fixture(scope="module")
def bumps():
    return bump_hunt(list(spectra([0.0, 0.0, 60.0, 100.0, 400.0, 1e4, 1e6])), toys=20, toys_for=9)


def test_every_row_of_a_bump_hunt(bumps):
    assert_in_order(bumps.rows)
    for one in bumps.rows:
        assert_consistent(one)
        assert one.two_sided is False
    huge = bumps.rows[0]
    assert (huge.p_local, huge.p_cell, huge.p_global) == (None, None, None)
    assert huge.z_local > 37.0
    assert huge.z_global > 37.0
    assert [one.n is not None for one in bumps.rows].count(True) == 9
    assert any(one.n_ge == 0 and one.p_cell and one.p_cell < 1 / 21 for one in bumps.rows)


def test_where_toys_say_more_than_the_calibration_they_stand(monkeypatch):
    from coffea_ddp.scanning import bump_works as module

    monkeypatch.setattr(module, "toys_beyond", lambda *_, **__: 30)
    report = bump_hunt(list(spectra([400.0, 0.0])), toys=100, toys_for=2)
    rows, searches = report.rows, report.trials
    toyed = [one for one in rows if one.n == 100]
    assert len(toyed) == 2
    for one in toyed:
        assert one.p_cell == pytest.approx(31 / 101)
        assert one.p_global == pytest.approx(stats.sidak(31 / 101, searches))
        assert one.p_local <= one.p_cell
    assert_in_order(rows)


def test_both_kinds_in_one_report(bumps):
    hists = make_histograms(make_layout(), 600, seed=3, excess=0.06)
    report = joined(scan(hists, min_events=10, toys=50, seed=1), bumps)
    assert_in_order(report.rows)
    assert {one.two_sided for one in report.rows if one.kind == "symmetry"} == {True}
    assert {one.two_sided for one in report.rows if one.kind == "spectrum"} == {False}


# -- as text -----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 10**7))
def test_a_bound_is_never_rounded_below_itself(n):
    text = bound(n)
    assert text.startswith("< ")
    assert 1.0 / (n + 1) <= float(text[2:]) <= 1.1 / (n + 1) + 1e-12
    assert counted(1 / (n + 1), 0, n, two_sided=True).startswith(f"p {text} (0 of {n}), z > ")


@given(st.floats(0.5, 8.0), st.booleans())
def test_the_number_that_is_needed_is_the_least(z, two_sided):
    n, p = needed(z, two_sided=two_sided), stats.p_from_z(z, two_sided=two_sided)
    assert 1 / (n + 1) <= p * (1 + 1e-9)
    assert n == 0 or 1 / n > p * (1 - 1e-9)


def test_bounds_are_told_wherever_p_is():
    best = row(p_global=1 / 101, z_global=2.5787, n_ge=0, n=100, p_cell=1 / 101, n_ge_cell=0, n_cell=100,
               p_symmetry=1 / 101, p_local=1e-14, z_local=7.7)  # fmt: skip
    other = row(rank=2, similar_to=2, p_global=0.05, z_global=1.96, n_ge=4, n=99, z_local=12.0, p_local=1e-30)
    whole = GlobalP(scope=None, what="min-p", score=5.0, p_value=1 / 101, n_ge=0, n=100, method="binomial labels")
    report = ScanReport("demo", "", 1, {"events": 10}, 9, (best, other), global_p=(whole,))
    assert significance_of(best) == "p < 0.01 (0 of 100), z > 2.6"
    assert [p_of(best, name, count=True) for name in STEPS] == ["1e-14", *["< 0.01 (0 of 100)"] * 3]
    assert (p_of(other, "p_global"), z_global_of(other)) == ("0.05", "+1.96")
    assert (z_global_of(best), z_global_of(dataclasses.replace(best, z_global=-2.5787))) == ("> +2.57", "< -2.57")
    console = Console(width=250, record=True)
    with console.capture() as captured:
        for table in (report.table(), report.regions_table(), report.tests_table()):
            console.print(table)
    assert captured.get().count("< 0.01 (0 of 100)") >= 2
    assert "p < 0.01 (0 of 100), z > 2.6" in captured.get()
    assert "z = 5 would take 1,744,277" in captured.get()
    assert "p < 0.01 (0 of 100), z > 2.6" in report._repr_html_().replace("&lt;", "<").replace("&gt;", ">")
    assert report.to_dataframe()[["n_ge", "n", "is_bound"]].values.tolist() == [[0, 100, True], [4, 99, False]]
    page = index(report, None, {}, None)
    assert page["first"].significance == "global z > +2.57, p < 0.01: a bound, 0 of 100 pseudo-experiments reach it"
    assert page["first"].sentence.startswith("No statement beyond 3")
    assert "1,744,277" in page["head"]["paragraphs"][0]
    tiles = dict(page["head"]["tiles"])
    assert (tiles["largest z, local"], tiles["smallest p, global"]) == ("+12.00", "< 0.01 (0 of 100)")
    assert page["leading"][0]["p_global"] == "< 0.01 (0 of 100)"
    packed = unpacked(packed_rows(report.rows, {}))
    columns = dict(zip(packed["columns"], packed["values"], strict=True))
    assert (columns["p global"], columns["none of"]) == ([0.01, 0.05], [100, None])
    assert "sided" not in columns  # all rows have one convention
    assert rows_with_pages(report, 5)


def test_no_floor_is_shown_as_a_number(bumps, tmp_path):
    saved = bumps.save(tmp_path / "r.json").read_text()
    assert "e-30" not in saved
    huge = bumps.rows[0]
    assert [p_of(huge, name) for name in ("p_local", "p_cell", "p_global")] == ["< 1e-300"] * 3
    assert significance_of(huge).startswith("p < 1e-300, z = +")
    old = Row.from_dict(huge.to_dict() | {"p_local": 2.2250738585072014e-308})
    assert old.p_local is None


@settings(max_examples=200)
@given(ROWS)
def test_every_row_has_a_text(one):
    for name in STEPS:
        text = p_of(one, name, count=True)
        assert "nan" not in text
        assert bool(text) == (getattr(one, name) is not None) or text == "< 1e-300"
    assert "None" not in significance_of(one) + z_global_of(one)
