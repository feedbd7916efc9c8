"""Limits of an output: every row is what its cell says alone, whatever the expectation."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import GRID, make_histograms, make_layout

import coffea_ddp as ddp
from coffea_ddp import stats
from coffea_ddp.errors import FileError, InputError, UnknownNameError
from coffea_ddp.histograms.lattice import distinct_cells

NAMES = ("asymmetry", "low", "high", "expected_low", "expected_high")


@pytest.fixture(scope="module")
def hists():
    return make_histograms(make_layout(1.3), 3_000, seed=4)


def events_of(hists, row):
    codes = hists.cell_counts(row.symmetry)
    inside = hists.layout.grid.contains(row.cell, codes.codes)
    return codes.counts[inside][:, :, 0].sum(axis=0)


def check_asymmetry(row, a, b, kappa, error, **options):
    expected = stats.asymmetry_limit(a, b, kappa=kappa, kappa_error=error * kappa, **options)
    np.testing.assert_allclose([getattr(row, name) for name in NAMES], [getattr(expected, name) for name in NAMES],
                               rtol=1e-12)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.sampled_from([0.0, 0.03]), st.sampled_from([0.9, 0.95]))
def test_every_row_is_what_its_cell_says(seed, all_cells, error, level):
    hists = make_histograms(make_layout(1.3), 400, seed=seed)
    expectation = ddp.Expectation(kappa_error=error, systematic=error)
    found = ddp.limits(hists, expectation=expectation, all_cells=all_cells, level=level)
    wanted = {
        (symmetry, str(cells.cell(i)))
        for symmetry in hists.symmetries
        for cells in [distinct_cells(GRID, hists.occupied(symmetry))]
        for i in range(len(cells))
        if all_cells or cells.questions[i] <= 1
    }
    assert {(row.symmetry, row.cell) for row in found.rows} == wanted
    assert len(found.rows) == len(wanted)
    for row in found.rows[:: max(1, len(found.rows) // 25)]:
        a, b = events_of(hists, row)
        assert (row.n_a, row.n_b) == (a, b)
        kappa = hists.layout.symmetry(row.symmetry).kappa
        assert row.kappa_error == pytest.approx(np.hypot(error, error))
        check_asymmetry(row, a, b, kappa, np.hypot(error, error), level=level)
        assert len(row.asks) == (0 if row.cell == "inclusive" else row.cell.count("&") + 1)


def test_kappa_of_all_other_events(hists):
    found = ddp.limits(hists, expectation=ddp.Expectation(kappa="global"))
    for row in found.rows:
        a, b = events_of(hists, row)
        n_a, n_b = hists.cell_counts(row.symmetry).counts[:, :, 0].sum(axis=0)
        if row.cell == "inclusive":
            assert np.isnan(row.kappa)
            assert np.isnan([row.low, row.high]).all()
            continue
        others = n_a - a, n_b - b
        check_asymmetry(row, a, b, others[1] / others[0], np.sqrt(1 / others[0] + 1 / others[1]))


def test_kappa_per_symmetry(hists):
    found = ddp.limits(hists, symmetries=["e/mu"], expectation=ddp.Expectation(kappa={"e/mu": 0.9}))
    assert {row.kappa for row in found.rows} == {0.9}
    assert {row.symmetry for row in found.rows} == {"e/mu"}


def test_signals_in_every_cell(hists):
    template = np.zeros((4, 3))
    template[1:3, 1] = 0.4, 0.1
    for error in (0.0, 0.05):
        expectation = ddp.Expectation(kappa_error=error)
        found = ddp.limits(hists, symmetries=["e/mu"], signal=template, expectation=expectation, all_cells=True)
        for row in found.rows[::9]:
            a, b = hists["e/mu", "pt x eta", row.cell].counts
            one = stats.signal_limit(a, b, template, kappa=1.3, kappa_error=1.3 * error)
            assert row.observable == "pt x eta"
            assert row.signal_events == pytest.approx(one.limit * 0.5, rel=1e-6)
            band = [row.expected_minus_2, row.expected_minus_1, row.expected_median, row.expected_plus_1,
                    row.expected_plus_2]  # fmt: skip
            np.testing.assert_allclose(band, one.expected * 0.5, rtol=1e-6)
            background = 1.3 / 2.3 * (a + b)[template > 0].sum()
            assert row.background == pytest.approx(background)
            assert row.is_few == (background < 3)


def test_progress_is_told(hists):
    told = []
    ddp.limits(hists, signal=np.ones(5), observable="met", all_cells=True, progress=lambda *one: told.append(one))
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1] == (200, 200, "l-/l+")
    assert {name for _, _, name in told} == set(hists.symmetries)


def test_weighted_histograms_have_effective_numbers():
    hists = make_histograms(make_layout(weighted=True), 4_000, seed=2)
    found = ddp.limits(hists)
    assert "not exact" in found.method
    row = found.rows[0]
    counts = hists.cell_counts("e/mu")
    weights, squares = counts.counts.sum(axis=0)[:, 0], counts.squares.sum(axis=0)[:, 0]
    error = np.sqrt((squares / weights**2).sum())  # of ln(B / A)
    assert row.asymmetry == pytest.approx(weights[1] / weights[0] - 1)
    assert np.log1p(row.high) - np.log1p(row.low) == pytest.approx(2 * 1.96 * error, rel=0.03)
    with pytest.raises(InputError, match="sums of weights"):
        ddp.limits(hists, signal=np.ones(5))


def test_calibrated_histograms(tmp_path):
    """With a calibration that is exact kappa of a cell is that of its shares; one that was fitted has an error."""
    from coffea_ddp import testing
    from coffea_ddp.calibration.tables import constant

    files = testing.make_nanoaod(tmp_path / "n.root", events=4_000, seed=2)
    calibration = ddp.Calibration(constant(0.2))
    hists = ddp.run(replace(ddp.load_plan("symmetries"), calibration=calibration), files)
    found = ddp.limits(hists, symmetries=["e/mu"])
    counts = hists.cell_counts("e/mu")
    for row in found.rows:
        inside = hists.layout.grid.contains(row.cell, counts.codes)
        n, e = counts.entries[inside].sum(), counts.shares[0][inside].sum()
        assert row.kappa == pytest.approx(e / (n - e), rel=1e-4)
        check_asymmetry(row, row.n_a, row.n_b, row.kappa, row.kappa_error)
    given = ddp.limits(ddp.run("symmetries", files), symmetries=["e/mu"],
                       expectation=ddp.Expectation(calibration=calibration))  # fmt: skip
    np.testing.assert_allclose([row.kappa for row in given.rows], [row.kappa for row in found.rows], rtol=1e-4)
    learned = ddp.limits(ddp.run("symmetries", files), symmetries=["e/mu"],
                         expectation=ddp.Expectation(calibration="events"))  # fmt: skip
    assert 0 < learned.rows[0].kappa_error < 0.2
    assert "log-normal error" in learned.method


def test_files_and_tables(hists, tmp_path):
    found = ddp.limits(hists, signal=np.ones(5), observable="met")
    table = pd.read_csv(found.save(tmp_path / "l.csv"))
    frame = found.to_dataframe()
    assert list(table.columns) == [name for name in frame.columns if name != "asks"]
    for name in ("n_a", "low", "signal_events"):
        np.testing.assert_allclose(table[name], frame[name].astype(float))
    content = json.loads(found.save(tmp_path / "l.json").read_text())
    assert (content["format"], content["level"], len(content["rows"])) == ("coffea-ddp/limits", 0.95, len(found.rows))
    assert content["rows"][0]["cell"] == "inclusive"
    empty = replace(found.rows[0], high=np.inf, low=np.nan)
    assert (empty.to_dict()["high"], empty.to_dict()["low"]) == (None, None)
    assert "not excluded" in found._repr_html_()
    assert found.table().row_count == len(found.rows)
    assert "rows=" in repr(found)
    for wrong in ("l.txt", "l"):
        with pytest.raises(InputError, match=r"\.json or \.csv"):
            found.save(tmp_path / wrong)
    (tmp_path / "mine.csv").write_text("a,b\n")
    with pytest.raises(FileError, match="would be lost"):
        found.save(tmp_path / "mine.csv")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"symmetries": ["mu/e"]}, UnknownNameError, "mu/e"),
        ({"expectation": ddp.Expectation(kappa="cell")}, InputError, "nothing is left to limit"),
        ({"expectation": ddp.Expectation(correction=np.ones(5)), "symmetries": ["e/mu"]}, InputError, "correction"),
        ({"expectation": ddp.Expectation(kappa=1.2)}, InputError, "say of which"),
        ({"level": 2.0}, InputError, "between 0 and 1"),
        ({"signal": np.ones(7)}, InputError, "none has that shape"),
        ({"signal": np.zeros(5)}, InputError, "0 in every bin"),
        ({"signal": -np.ones(5)}, InputError, "negative"),
        ({"observable": "met"}, InputError, "without a signal"),
        ({"signal": np.ones(5), "observable": "pt x eta"}, InputError, "none has that shape"),
        ({"signal": np.ones(5), "observable": "mass"}, UnknownNameError, "mass"),
        ({"all_cells": "yes"}, InputError, "all_cells"),
    ],
    ids=range(12),
)
def test_what_cannot_be_asked_for(hists, options, error, message):
    with pytest.raises(error, match=message):
        ddp.limits(hists, **options)


def test_a_plan_without_symmetries_has_no_limits() -> None:
    none = ddp.Histograms.empty(replace(make_layout(), plan="masses", symmetries=()))
    with pytest.raises(InputError, match="the plan 'masses' has no symmetry; limits are those of symmetries"):
        ddp.limits(none)
