"""NPLM's score version with expected shares: against sums over events, equal shares, its null, both sides, power."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from coffea_ddp.stats.log_ratio.score_test import forms_of, main_directions, statistic, sums_of, sums_over_a, z_of
from coffea_ddp.stats.samples.points import pool
from coffea_ddp.stats.samples.shares import draw_labels_of_shares, residuals

CODES = 7


def events(n, seed, *, p=4, weighted=False):
    """Features, exclusive cells, strongly varying shares, labels drawn from them, weights."""
    rng = np.random.default_rng(seed)
    phi, code = rng.normal(size=(n, p)), rng.integers(0, CODES, n)
    shares = expit(1.5 * phi[:, 0] - 0.4)
    labels = draw_labels_of_shares(shares, 1, seed)[0]
    return phi, code, shares, labels, rng.lognormal(0, 0.4, n) if weighted else None


def cells(seed, n=5):
    members = (np.random.default_rng(seed).random((n, CODES)) < 0.5).astype(float)
    members[:, 0] = 1.0
    return members


def scored(phi, code, shares, labels, weights=None, members=None):
    """t and z of cells, for labels of shape (n, n_events)."""
    members = np.ones((1, CODES)) if members is None else members
    forms = forms_of(members, sums_of(phi, code, CODES, weights, shares=shares), share=0.5)
    seen = residuals(labels, shares).T
    t = statistic(members, sums_over_a(phi, code, CODES, seen, weights), forms)
    return t, z_of(t, forms), forms


@given(seed=st.integers(0, 10**6), weighted=st.booleans())
@settings(max_examples=30, deadline=None)
def test_sums_over_exclusive_cells_give_what_the_events_give(seed, weighted):
    phi, code, shares, labels, weights = events(300, seed, weighted=weighted)
    members = cells(seed)
    t, _, forms = scored(phi, code, shares, labels[None], weights, members)
    w = np.ones(len(phi)) if weights is None else weights
    information = 4 * shares * (1 - shares)
    for row, inside in enumerate(members > 0):
        on = inside[code]
        centred = phi[on] - np.average(phi[on], axis=0, weights=(w * information)[on])
        gradient = (w * (labels - (1 - shares)))[on] @ centred
        moments = (centred * (w * information)[on, None]).T @ centred
        form = 2 * np.linalg.inv(0.5 * moments + np.eye(phi.shape[1]))
        product = form @ (centred * (w**2 * information)[on, None]).T @ centred / 4
        assert t[row, 0] == pytest.approx(gradient @ form @ gradient, rel=1e-3, abs=1e-4)
        expected = [np.trace(product), 2 * np.trace(product @ product), 8 * np.trace(product @ product @ product)]
        np.testing.assert_allclose(forms.cumulants[row], expected, rtol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_shares_of_one_half_give_what_labels_alone_give(weighted):
    phi, code, _, labels, weights = events(400, 3, weighted=weighted)
    members = cells(1)
    t, z, forms = scored(phi, code, np.full(400, 0.5), labels[None], weights, members)
    plain = forms_of(members, sums_of(phi, code, CODES, weights), share=0.5)
    np.testing.assert_array_equal(forms.root, plain.root)
    np.testing.assert_array_equal(forms.cumulants, plain.cumulants)
    other = statistic(members, sums_over_a(phi, code, CODES, labels[:, None], weights), plain)
    np.testing.assert_allclose(t, other, rtol=1e-4)
    np.testing.assert_allclose(z, z_of(other, plain), atol=1e-3)


@given(seed=st.integers(0, 10**6), weighted=st.booleans())
@settings(max_examples=15, deadline=None)
def test_both_sides_are_treated_alike(seed, weighted):
    phi, code, shares, labels, weights = events(200, seed, weighted=weighted)
    t, z, _ = scored(phi, code, shares, labels[None], weights, cells(seed))
    other_t, other_z, _ = scored(phi, code, 1 - shares, 1 - labels[None], weights, cells(seed))
    np.testing.assert_allclose(other_t, t, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(other_z, z, atol=2e-3)


def test_the_order_of_events_does_not_matter():
    phi, code, shares, labels, weights = events(500, 8, weighted=True)
    order = np.random.default_rng(1).permutation(500)
    found = scored(phi, code, shares, labels[None], weights, cells(2))[0]
    other = scored(phi[order], code[order], shares[order], labels[None, order], weights[order], cells(2))[0]
    np.testing.assert_allclose(other, found, rtol=1e-4, atol=1e-5)


def test_a_common_shift_of_all_log_odds_is_no_signal():
    """The gradient of a shift by delta is W delta: what is left of t is of second order."""
    phi, code, shares, _, _ = events(4_000, 9)
    log_odds = np.log(shares / (1 - shares))
    expected = [scored(phi, code, shares, 1 - expit(log_odds + d)[None])[0].item() for d in (0.0, 0.01, 0.02)]
    assert expected[0] == pytest.approx(0.0, abs=1e-6)
    assert expected[2] < 0.02
    assert expected[2] == pytest.approx(16 * expected[1], rel=0.2)  # (delta^2)^2


def of_detector(n, seed, strength):
    """Two features; the share of B depends on the first alone, from 0.1 to 0.9 at strength 1.6."""
    x = np.random.default_rng(seed).normal(size=(n, 2))
    return x, expit(strength * np.sin(2.0 * x[:, 0]) - 0.3)


@pytest.mark.parametrize(
    ("width", "weighted", "strength"), [(0.3, False, 1.6), (1.0, True, 1.6), (3.0, False, 1.6), (1.0, False, 0.0)]
)
def test_z_is_normal_where_labels_are_drawn_from_the_shares(width, weighted, strength):
    """3,000 labellings of 20 overlapping cells, as for equal shares: mean, width and upper tail of z."""
    x, shares = of_detector(2_400, 5, strength)
    rng = np.random.default_rng(6)
    phi, code = main_directions(pool(x[:1_200], x[1_200:]), width, seed=1), rng.integers(0, CODES, 2_400)
    weights = rng.lognormal(0, 0.4, 2_400) if weighted else None
    labels = draw_labels_of_shares(shares, 3_000, 2)
    z = scored(phi, code, shares, labels, weights, cells(3, 20))[1]
    assert abs(z.mean()) < 0.05
    assert z.std() == pytest.approx(1.0, abs=0.06)
    assert (z > 1.2816).mean() == pytest.approx(0.1, rel=0.12)
    assert (z > 2.3263).mean() == pytest.approx(0.01, rel=0.35)
    if strength:
        # One share for all, that of the data, takes the detector for a signal.
        share = 1.0 - shares.mean()
        forms = forms_of(cells(3, 20), sums_of(phi, code, CODES, weights), share=share)
        wrong = z_of(statistic(cells(3, 20), sums_over_a(phi, code, CODES, labels.T[:, :20], weights), forms), forms)
        assert wrong.min() > 4


def test_a_localised_signal_is_seen_as_with_equal_shares():
    """200 of 3,000 events on side A within 0.3 of a place: median z beside that of a detector with equal shares."""
    z = {}
    for strength in (0.0, 1.6):
        x = of_detector(2_800, 11, strength)[0]
        signal = np.random.default_rng(12).normal([0.0, 0.5], 0.15, (200, 2))
        both = np.concatenate([x, signal])
        e = expit(strength * np.sin(2.0 * both[:, 0]) - 0.3)
        labels = draw_labels_of_shares(e, 100, 3)
        labels[:, 2_800:] = 1
        phi = main_directions(pool(both[:1_500], both[1_500:]), 0.4, seed=1)
        z[strength] = np.median(scored(phi, np.zeros(3_000, np.int64), e, labels)[1])
    assert z[0.0] > 4
    assert z[1.6] > 0.8 * z[0.0]


def test_the_number_of_events_is_one_more_direction():
    """Its z has the width of a normal one in the null, and sees an excess that is everywhere."""
    phi, code, shares, _, _ = events(400, 3)
    members = np.ones((1, CODES))
    sums = sums_of(phi, code, CODES, shares=shares)
    labels = draw_labels_of_shares(shares, 2_000, 5)
    shape, both = (forms_of(members, sums, share=0.5, total=total) for total in (False, True))
    over_a = sums_over_a(phi, code, CODES, residuals(labels, shares).T)
    t = statistic(members, over_a, both)
    assert t.mean() == pytest.approx(both.cumulants[0, 0], rel=0.05)
    assert t.var() == pytest.approx(both.cumulants[0, 1], rel=0.15)
    surplus = residuals(labels, shares).sum(axis=1)
    np.testing.assert_allclose(t[0] - statistic(members, over_a, shape)[0], both.total[0] * surplus**2, rtol=1e-3)
    more = sums_over_a(phi, code, CODES, residuals(draw_labels_of_shares(0.75 * shares, 50, 6), shares).T)
    z = [np.median(z_of(statistic(members, more, form), form)) for form in (shape, both)]
    assert z[1] > z[0] + 1
