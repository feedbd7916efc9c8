"""Corrections, uncertain kappa and systematic errors as shares: what is expected, and pseudo-experiments."""

from __future__ import annotations

import numpy as np
import pytest
from stored_toys import make_events

from coffea_ddp.scanning.expectation import Expectation

RATIO = np.array([1.0, 1.1, 0.9, 0.8, 0.7, 0.6])


def shares_of(hists, **given):
    expectation = Expectation(**given)
    return expectation.of(hists.cell_counts("e/mu", "x"), hists.cell_counts("e/mu"), 1.4).shares


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "given",
    [
        {"correction": {"x": RATIO}},
        {"kappa_error": 0.05},
        {"systematic": 0.1},
        {"correction": {"x": (RATIO, 0.1)}, "kappa_error": 0.05},
        {"correction": {"x": (RATIO, 0.1)}, "kappa": "global"},
        {"systematic": 0.1, "kappa": "global"},
    ],
    ids=["correction", "kappa", "systematic", "all", "corrected totals", "totals"],
)
def test_pseudo_experiments_are_as_wide_as_their_scores_say(given, weighted):
    """The residual of any region has the mean 0 and the variance of its score: cells of one bin move alike."""
    hists = make_events(3_000, 2, kappa=1.4, weighted=weighted)
    shares = shares_of(hists, **given)
    entries = shares.entries
    drawn = np.concatenate([shares.drawn(1, "x", block).residual for block in range(40)], axis=1)
    for bins in ([0], [0, 1, 2], [2, 5], [0, 1, 2, 3, 4, 5]):
        region = np.isin(entries.bins, bins)
        moved = np.array([entries.spread[entries.bins == one].sum() for one in bins])
        variance = entries.v[region].sum() + (moved**2).sum()
        fitted = entries.control[region].sum(axis=0)
        variance = max(variance + (entries.outside[region].sum(axis=0) ** 2).sum() - (fitted**2).sum(), 1e-3)
        found = drawn[region].sum(axis=0)
        assert abs(found.mean()) < 5 * np.sqrt(variance / found.size)
        assert found.var() == pytest.approx(variance, rel=0.12, abs=1e-3)


def test_a_corrected_kappa_of_the_totals_expects_the_totals():
    hists = make_events(3_000, 2, kappa=1.4)
    shares = shares_of(hists, correction={"x": RATIO}, kappa="global")
    assert shares.residual.sum() == pytest.approx(0, abs=1e-8)
    np.testing.assert_allclose(shares.entries.e / shares.entries.n / (1 - shares.entries.e / shares.entries.n) / RATIO[
        shares.entries.bins
    ], shares.entries.e[0] / (shares.entries.n[0] - shares.entries.e[0]) / RATIO[shares.entries.bins[0]])  # fmt: skip


def test_odds_of_cells_expect_their_totals():
    hists = make_events(3_000, 2, kappa=1.4)
    counts = hists.cell_counts("e/mu", "x")
    shares = shares_of(hists, correction={"x": RATIO}, kappa="cell")
    members = np.eye(len(counts.codes))
    used = np.arange(counts.n_bins)
    odds = shares.odds(members, used, counts.counts[:, 1].astype(float))
    for code, factor in enumerate(odds):
        a, b = counts.counts[code]
        if not (a.sum() and b.sum()):
            assert np.isnan(factor)
            continue
        mine = shares.entries.bins[shares.entries.starts[code] : shares.entries.starts[code + 1]]
        e = shares.entries.e[shares.entries.starts[code] : shares.entries.starts[code + 1]]
        n = (a + b)[mine]
        share = e / n * factor / (1 + e / n * (factor - 1))
        assert (n * share).sum() == pytest.approx(b.sum(), rel=1e-9)


@pytest.mark.parametrize("kappa", ["plan", "global", "cell"])
@pytest.mark.parametrize("test", ["nsigma", "submatrix", "submatrix_nsigma"])
def test_what_was_corrected_is_not_found(test, kappa):
    """Whatever is said of kappa, an efficiency that a correction knows is not in the z of the scan's best rows."""
    from toys import scan_expecting

    hists = make_events(4_000, 3, kappa=1.4)
    options = {"min_events": 30, "symmetries": ["e/mu"], "observables": ["x"], "toys": 64}
    plain = scan_expecting(hists, [test], kappa=kappa, **options)
    wrong = scan_expecting(hists, [test], kappa=kappa, correction={"x": np.linspace(0.3, 3.0, 6)}, **options)
    right = scan_expecting(hists, [test], kappa=kappa, correction={"x": np.linspace(0.999, 1.001, 6)}, **options)
    assert abs(wrong.rows[0].z_local) > 4.5
    assert wrong.rows[0].p_global < 0.03
    known = {row.cell: row.z_local for row in plain.rows}
    both = [(known[row.cell], row.z_local) for row in right.rows if row.cell in known]
    assert len(both) > 10
    before, after = np.abs(both).T
    # A correction of nearly nothing changes nearly nothing; rectangles know what a total of their own has taken.
    if test == "nsigma" or kappa == "plan":
        assert np.abs(after - before).max() < 0.4  # of the totals in range
    else:
        assert ((after > 0.9 * before - 0.1) & (after < 1.6 * before + 0.25)).all()
