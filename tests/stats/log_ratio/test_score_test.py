"""NPLM's score version in overlapping cells: against the plain one, its null, weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coffea_ddp.stats.log_ratio.convex import problem, score_form, score_statistic
from coffea_ddp.stats.log_ratio.score_test import (
    NO_OPINION,
    forms_of,
    main_directions,
    statistic,
    sums_of,
    sums_over_a,
    two_sided,
    z_of,
)
from coffea_ddp.stats.samples.points import pool


def events(n, seed, *, codes=7, p=4, weighted=False):
    rng = np.random.default_rng(seed)
    phi, code = rng.normal(size=(n, p)), rng.integers(0, codes, n)
    return phi, code, rng.random(n) < 0.4, rng.lognormal(0, 0.4, n) if weighted else None


def plain(phi, is_a, weights, share):
    """The statistic, its root mean square directions and the covariance of its sums, event by event."""
    w = np.ones(len(phi)) if weights is None else weights
    centred = phi - (w @ phi) / w.sum()
    gradient = (w * is_a) @ centred
    moments = (centred * w[:, None]).T @ centred
    one = np.eye(phi.shape[1])
    form = np.linalg.inv(share * moments + one) + np.linalg.inv((1 - share) * moments + one)
    covariance = share * (1 - share) * (centred * (w**2)[:, None]).T @ centred
    return gradient @ form @ gradient, form, covariance


@given(seed=st.integers(0, 10**6), weighted=st.booleans(), share=st.floats(0.05, 0.95))
@settings(max_examples=30, deadline=None)
def test_sums_over_exclusive_cells_give_what_the_events_give(seed, weighted, share):
    phi, code, is_a, weights = events(300, seed, weighted=weighted)
    members = np.random.default_rng(seed).random((5, 7)) < 0.5
    members[:, 0] = True
    forms = forms_of(members.astype(float), sums_of(phi, code, 7, weights), share=share)
    t = statistic(members, sums_over_a(phi, code, 7, is_a[:, None], weights), forms)[:, 0]
    for row, inside in enumerate(members):
        here = inside[code]
        found, form, covariance = plain(phi[here], is_a[here], None if weights is None else weights[here], share)
        assert t[row] == pytest.approx(found, rel=1e-3, abs=1e-4)
        product = form @ covariance
        expected = [np.trace(product), 2 * np.trace(product @ product), 8 * np.trace(product @ product @ product)]
        np.testing.assert_allclose(forms.cumulants[row], expected, rtol=1e-6)


def test_one_cell_is_the_score_version_of_nplm():
    """With the constant, whose direction drops out, and the data's own share of A."""
    phi, code, is_a, _ = events(400, 3, codes=1)
    share = is_a.mean()
    one = problem(np.concatenate([np.ones((400, 1)), phi], axis=1), np.ones(400, np.int64), np.array([0.0, 1, 1, 1, 1]))
    sums = is_a[None].astype(float) @ one.phi
    expected = score_statistic(one, sums, share, score_form(one, share))
    forms = forms_of(np.ones((1, 1)), sums_of(phi, code, 1), share=share)
    found = statistic(np.ones((1, 1)), sums_over_a(phi, code, 1, is_a[:, None]), forms)
    assert found[0, 0] == pytest.approx(expected[0], rel=1e-4)


@pytest.mark.parametrize(("width", "weighted", "share"), [(0.3, False, 0.5), (1.0, True, 0.5), (3.0, False, 0.2)])
def test_z_is_normal_under_relabelling(width, weighted, share):
    """3,000 labellings of 20 overlapping cells: mean, width and the upper tail of z (errors 0.004, 0.003, 5 %)."""
    rng = np.random.default_rng(5)
    points = pool(rng.exponential(size=1_200), rng.exponential(size=1_200))
    phi, code = main_directions(points, width, seed=1), rng.integers(0, 12, 2_400)
    weights = rng.lognormal(0, 0.4, 2_400) if weighted else None
    members = (rng.random((20, 12)) < 0.5).astype(float)
    members[:, 0] = 1.0
    forms = forms_of(members, sums_of(phi, code, 12, weights), share=share)
    labels = rng.random((2_400, 3_000)) < share
    z = z_of(statistic(members, sums_over_a(phi, code, 12, labels, weights), forms), forms)
    assert abs(z.mean()) < 0.04
    assert z.std() == pytest.approx(1.0, abs=0.06)
    assert (z > 1.2816).mean() == pytest.approx(0.1, rel=0.1)
    assert (z > 2.3263).mean() == pytest.approx(0.01, rel=0.35)


def test_features_know_neither_labels_nor_order():
    rng = np.random.default_rng(6)
    x = rng.exponential(size=(500, 2))
    first = main_directions(pool(x[:200], x[200:]), 1.0, seed=1)
    other = main_directions(pool(x[::-1][:350], x[::-1][350:]), 1.0, seed=1)[::-1]
    # Directions are told up to their sign.
    np.testing.assert_allclose(np.abs(first), np.abs(other), atol=1e-6)


def test_where_nothing_differs_there_is_no_opinion():
    phi, code = np.zeros((10, 3)), np.zeros(10, np.int64)
    forms = forms_of(np.ones((1, 1)), sums_of(phi, code, 1), share=0.5)
    z = z_of(statistic(np.ones((1, 1)), sums_over_a(phi, code, 1, np.ones((10, 1), bool)), forms), forms)
    assert z[0, 0] == NO_OPINION
    assert two_sided(z)[0, 0] == 0.0
    assert main_directions(pool([1.0, 1.0], [1.0, 1.0]), 1.0, seed=1).shape == (4, 1)
