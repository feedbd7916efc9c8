"""N_sigma and rectangles of events with their own shares, against references in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.propensity.projection import projected_variance
from coffea_ddp.stats.submatrix.binomial import binomial_z
from coffea_ddp.stats.submatrix.overlapping import MaxScores, Membership
from coffea_ddp.stats.submatrix.share_best import best_of_shares
from coffea_ddp.stats.submatrix.share_entries import ShareEntries, nsigma_of_shares, nsigma_share_cells
from coffea_ddp.stats.submatrix.share_sums import MOST_DIRECTIONS, NEGLIGIBLE
from coffea_ddp.stats.submatrix.shares import share_cells

SHAPE = (4, 3)
MEMBERS = np.array([[1, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1]])


def made(seed: int, n_directions: int = 3, size: float = 0.3, spread: float = 0.0) -> tuple[ShareEntries, np.ndarray]:
    """Return entries of four exclusive cells, and B - E of each."""
    rng = np.random.default_rng(seed)
    filled = np.flatnonzero(rng.random(4 * 12) < 0.6)
    n = rng.integers(1, rng.choice([4, 60]), len(filled)).astype(float)
    p = rng.uniform(0.2, 0.8, len(filled))
    b = rng.binomial(n.astype(int), p)
    entries = ShareEntries(
        np.searchsorted(filled // 12, np.arange(5)), filled % 12, n, n * p, 0.97 * n * p * (1 - p),
        rng.normal(0, size, (len(filled), n_directions)), rng.normal(0, size, (len(filled), n_directions)),
        spread * n * p * (1 - p),
    )  # fmt: skip
    return entries, b - n * p


def lists(members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the exclusive cells of every cell."""
    cell, code = np.nonzero(members)
    return np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=len(members)))]), code


def dense(entries: ShareEntries, values: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Return the sums over one cell in every bin."""
    code = np.repeat(np.arange(4), np.diff(entries.starts))
    some = row[code] > 0
    out = np.zeros((12, *values.shape[1:]))
    np.add.at(out, entries.bins[some], values[some])
    return out


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3]))
def test_nsigma(seed: int, spread: float) -> None:
    entries, x = made(seed, spread=spread)
    found = nsigma_of_shares(entries, *lists(MEMBERS), x)
    for cell, row in enumerate(MEMBERS):
        v = dense(entries, entries.v, row)
        filled = v > 0
        weight = np.where(filled, 1 / np.sqrt(np.where(filled, v + dense(entries, entries.spread, row) ** 2, 1.0)), 0.0)
        outside, control = (weight @ dense(entries, values, row) for values in (entries.outside, entries.control))
        if not filled.any():
            assert np.isnan(found.statistic[cell])
            continue
        variance = projected_variance(filled.sum(), outside + control, control)
        assert found.statistic[cell] == pytest.approx((weight @ dense(entries, x, row)) / np.sqrt(variance), rel=1e-9)
        assert found.scale[cell] == pytest.approx(np.sqrt(filled.sum() / variance), rel=1e-9)


def reference(entries: ShareEntries, x: np.ndarray, row: np.ndarray, *, pulls: bool = False) -> float:
    """Return the largest score in size of all rectangles of a cell."""
    parts = [dense(entries, values, row).reshape(*SHAPE, -1) for values in (entries.n, entries.e, entries.v, x)]
    own = dense(entries, entries.spread, row).reshape(*SHAPE, 1) ** 2
    outside, control = (
        dense(entries, values, row).reshape(*SHAPE, -1) for values in (entries.outside, entries.control)
    )
    if pulls:
        weight = 1 / np.sqrt(np.where(parts[2] > 0, parts[2] + own, 1.0))
        outside, control, own = outside * weight, control * weight, 0 * own
        parts[2:] = np.where(parts[2] > 0, 1.0, 0.0), parts[3] * weight
    v = np.maximum(parts[2], 1e-9)
    bound = ((outside**2).sum(axis=2, keepdims=True) + (control**2).sum(axis=2, keepdims=True)) / v
    best = 0.0
    for r0 in range(SHAPE[0]):
        for r1 in range(r0 + 1, SHAPE[0] + 1):
            for c0 in range(SHAPE[1]):
                for c1 in range(c0 + 1, SHAPE[1] + 1):
                    inside = (slice(r0, r1), slice(c0, c1))
                    n, e, var, above = (part[inside].sum() for part in parts)
                    if n == 0:
                        continue
                    known, var = var, var + own[inside].sum()
                    if bound[inside].sum() > NEGLIGIBLE:
                        a, c = outside[inside].sum(axis=(0, 1)), control[inside].sum(axis=(0, 1))
                        var = projected_variance(var, a + c, c)
                    p, y = e / n, above / np.sqrt(var)
                    if pulls or not entries.skewed:
                        best = y if abs(y) > abs(best) else best
                        continue
                    s = np.clip((1 - 2 * p) / np.sqrt(known), -2, 2)
                    k = s**2 - 2 * p * (1 - p) / known
                    s, k = s * min(known / var, 1) ** 1.5, k * min(known / var, 1) ** 2
                    z = y - s * (y**2 - 1) / 6 - k * (y**3 - 3 * y) / 24 + s**2 * (4 * y**3 - 7 * y) / 36
                    if known < 4:
                        wide = np.sqrt(2 * n * known / var)
                        z = np.clip(z, -wide * np.sqrt(-np.log(1 - p)), wide * np.sqrt(-np.log(p)))
                    best = z if abs(z) > abs(best) else best
    return float(best)


@settings(max_examples=20)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 1.5]), st.sampled_from([0.0, 0.3]), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_rectangles(seed: int, size: float, spread: float, pulls: bool, skewed: bool) -> None:
    entries, x = made(seed, size=size, spread=spread)
    entries = entries._replace(skewed=skewed)
    starts, codes = lists(MEMBERS)
    found = best_of_shares(entries, starts, codes, x, SHAPE, pulls=pulls)
    best, kept = np.full(TOYS, -np.inf, np.float32), np.zeros((3, TOYS), np.float32)
    labels = np.repeat(x[:, None], TOYS, axis=1).astype(np.float32)
    cells = Membership(starts, codes, np.ones(3), np.ones(3), np.arange(3))
    share_cells(entries, cells, SHAPE, labels, MaxScores(0, best, kept), pulls=pulls)
    for cell, row in enumerate(MEMBERS):
        if not dense(entries, entries.n, row).any():
            assert np.isnan(found.z[cell])
            continue
        expected = reference(entries, x, row, pulls=pulls)
        assert abs(found.z[cell]) == pytest.approx(abs(expected), rel=1e-9)
        np.testing.assert_allclose(kept[cell], abs(expected), rtol=2e-4, atol=1e-4)
        inside = np.zeros(SHAPE, dtype=bool)
        r0, r1, c0, c1 = found.where[cell]
        inside[r0:r1, c0:c1] = True
        for name in ("n", "e", "v"):
            total = dense(entries, getattr(entries, name), row).reshape(SHAPE)[inside].sum()
            assert getattr(found, name)[cell] == pytest.approx(total, rel=1e-9)
    assert best[0] == pytest.approx(np.nanmax(np.abs(found.z)), rel=2e-4)
    # The largest of all cells is the same where the scores of none of them are kept.
    alone = np.full(TOYS, -np.inf, np.float32)
    share_cells(entries, cells._replace(keep=np.full(3, -1)), SHAPE, labels, MaxScores(0, alone, kept[:0]), pulls=pulls)
    np.testing.assert_array_equal(alone, best)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_exchanged_sides_change_the_sign(seed: int) -> None:
    entries, x = made(seed)
    other = entries._replace(e=entries.n - entries.e)
    starts, codes = lists(MEMBERS)
    first, second = nsigma_of_shares(entries, starts, codes, x), nsigma_of_shares(other, starts, codes, -x)
    np.testing.assert_allclose(first.statistic, -second.statistic, rtol=1e-12)
    np.testing.assert_allclose(
        np.abs(best_of_shares(entries, starts, codes, x, SHAPE).z),
        np.abs(best_of_shares(other, starts, codes, -x, SHAPE).z),
        rtol=1e-9,
    )


@pytest.mark.parametrize("p", [0.3, 0.5, 0.7])
def test_of_equal_shares_z_is_near_that_of_the_mid_p_value(p: float) -> None:
    nothing = np.zeros((1, 0))
    worst = {}
    for n in (8, 20, 50, 200, 1000):
        for b in range(n + 1):
            entries = ShareEntries(
                np.array([0, 1]), np.array([0]), np.array([float(n)]), np.array([n * p]), np.array([n * p * (1 - p)]),
                nothing, nothing, np.zeros(1),
            )  # fmt: skip
            z = best_of_shares(entries, np.array([0, 1]), np.array([0]), np.array([b - n * p]), (1, 1)).z[0]
            exact = binomial_z(b, n, p)
            if abs(exact) < 5:
                worst[n] = max(worst.get(n, 0.0), abs(z - exact))
    # Few events of unequal odds are no normal numbers: the p-value is that of the binomial distribution, not of z.
    assert worst[8] < 0.45
    assert worst[20] < 0.45
    assert worst[50] < 0.15
    assert worst[200] < 0.03
    assert worst[1000] < 0.01


def test_more_directions_than_rectangles_know() -> None:
    entries, x = made(3, n_directions=MOST_DIRECTIONS + 4)
    few = entries._replace(outside=entries.outside[:, :MOST_DIRECTIONS], control=entries.control[:, :MOST_DIRECTIONS])
    first, second = (best_of_shares(one, *lists(MEMBERS), x, SHAPE) for one in (entries, few))
    np.testing.assert_array_equal(first.z, second.z)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_odds_of_a_cell_are_those_of_its_total(seed: int) -> None:
    """Of equal shares, a kappa of each cell's own total: B less its part of the total, and one number less."""
    entries, _ = made(seed, n_directions=0)
    p, rng = 0.4, np.random.default_rng(seed)
    b = rng.binomial(entries.n.astype(int), 0.6)
    entries = entries._replace(e=p * entries.n, v=p * (1 - p) * entries.n)
    starts, codes = lists(MEMBERS)
    share = np.array([dense(entries, b, row).sum() / max(dense(entries, entries.n, row).sum(), 1) for row in MEMBERS])
    inside = (share > 0) & (share < 1)
    odds = np.where(inside, np.divide(share, 1 - share, where=inside, out=np.ones(3)) * (1 - p) / p, 1.0)
    found = nsigma_of_shares(entries, starts, codes, b - entries.e, odds)
    best = best_of_shares(entries, starts, codes, b - entries.e, SHAPE, odds=odds)
    toys = np.repeat((b - entries.e)[:, None], TOYS, axis=1).astype(np.float32)
    kept = np.zeros((3, TOYS), np.float32)
    cells = Membership(starts, codes, np.ones(3), np.ones(3), np.arange(3))
    nsigma_share_cells(entries, cells, toys, True, MaxScores(0, np.zeros(TOYS, np.float32), kept))
    for cell in np.flatnonzero(inside):
        n, counts = (dense(entries, values, MEMBERS[cell]) for values in (entries.n, b))
        some, q = n > 0, share[cell]
        pulls = (counts - q * n)[some] / np.sqrt(n[some])
        width = np.sqrt(some.sum() - np.sqrt(n).sum() ** 2 / n.sum())
        if width**2 < 0.01 * some.sum():
            assert np.isnan(found.statistic[cell])
            continue
        assert found.statistic[cell] == pytest.approx(pulls.sum() / np.sqrt(q * (1 - q)) / width, rel=1e-9, abs=1e-9)
        # In pseudo-experiments labels have the odds of all cells, and variances are those.
        expected = abs(pulls.sum()) / np.sqrt(p * (1 - p)) / np.sqrt(some.sum())
        np.testing.assert_allclose(kept[cell], expected, rtol=1e-3, atol=1e-3)
        r0, r1, c0, c1 = best.where[cell]
        window = np.zeros(SHAPE, dtype=bool)
        window[r0:r1, c0:c1] = True
        size = n[window.ravel()].sum()
        if 0.05 < size / n.sum() < 0.9:
            assert best.e[cell] == pytest.approx(q * size)
            assert best.variance[cell] == pytest.approx(q * (1 - q) * size * (1 - size / n.sum()), rel=1e-6)


@pytest.mark.parametrize("p", [0.5, 0.05, 0.001])
def test_odds_that_make_rare_events_common(p: float) -> None:
    """The variance is then larger than that of all shares by far: 1/4 of all events."""
    n, b = np.array([3e5, 5e5]), np.array([1.51e5, 2.49e5])
    nothing, v = np.zeros((2, 0)), p * (1 - p) * n
    entries = ShareEntries(np.array([0, 2]), np.arange(2), n, p * n, v, nothing, nothing, np.zeros(2))
    odds = np.array([(1 - p) / p])  # of one half
    found = best_of_shares(entries, np.array([0, 1]), np.array([0]), b - p * n, (1, 2), odds=odds)
    width = np.sqrt(0.25 * n[0] * n[1] / n.sum())
    assert found.z[0] == pytest.approx((b - n / 2)[0] / width, rel=1e-3)
    assert found.variance[0] == pytest.approx(width**2)
