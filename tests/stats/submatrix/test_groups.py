"""Groups of rectangles: none that is beyond is passed over, whatever the width of the matrix."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.submatrix.best import exact_best, linear_best
from coffea_ddp.stats.submatrix.binomial import HIGHEST, STEP, binomial_z, expansion, z_table
from coffea_ddp.stats.submatrix.groups import GROUP, next_group, sums_of_rows
from coffea_ddp.stats.submatrix.overlapping import MaxScores, Membership
from coffea_ddp.stats.submatrix.share_best import best_of_shares
from coffea_ddp.stats.submatrix.share_entries import ShareEntries
from coffea_ddp.stats.submatrix.share_limits import MANY, ROWS, SMALLEST, share_limits
from coffea_ddp.stats.submatrix.shares import share_cells

widths = st.integers(1, 3 * GROUP)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60)
@given(widths, seeds, st.sampled_from([-1.0, 0.0, 1.0, 9.0, 1e6]), st.floats(0.2, 1.0))
def test_groups_hold_all_that_is_beyond(width, seed, square, filled):
    rng = np.random.default_rng(seed)
    v = rng.exponential(size=width) * (rng.random(width) < filled)
    x = rng.normal(size=width) * np.sqrt(v) * rng.choice([1.0, 5.0], width)
    of_x, of_v = sums_of_rows(np.array([x]))[0], sums_of_rows(np.array([v]))[0]
    left, at = set(), (0, 1)
    while (at := next_group(of_x, of_v, *at, square))[0] < width:
        left.update((at[0], stop) for stop in range(at[1], min(at[1] + GROUP, width + 1)))
        at = at[0], at[1] + GROUP
    for start, stop in itertools.combinations(range(width + 1), 2):
        if v[start] > 0 and (x[start:stop].sum() ** 2 > square * v[start:stop].sum() or square < 0):
            assert (start, stop) in left
    assert all(v[start] > 0 for start, _ in left)


@settings(max_examples=60)
@given(st.floats(0.02, 50.0), st.integers(1, 4000), st.data(), st.floats(0.0, 1.1 * HIGHEST))
def test_no_smaller_deviation_is_beyond_a_threshold(kappa, n, data, threshold):
    table, p = z_table(kappa, 1024), kappa / (1 + kappa)
    b = data.draw(st.integers(0, n))
    y = (b - n * p) / np.sqrt(n * p * (1 - p))
    c = expansion(n, p)
    z = binomial_z(b, n, p) if n <= table.most else c[0] + y * (c[1] + y * (c[2] + y * c[3]))
    place = int(min(threshold, HIGHEST) / STEP)
    if abs(z) > threshold + 1e-5:
        assert y**2 >= table.least[place] * (1 - 1e-6)
    assert (np.diff(table.least) >= 0).all()


@pytest.mark.parametrize("kappa", [0.05, 0.7, 1.0])
@pytest.mark.parametrize("sign", [-1, 0, 1])
def test_the_best_of_wide_matrices(kappa, sign):
    rng, p = np.random.default_rng(7), kappa / (1 + kappa)
    table = z_table(kappa, 4096)
    for width, mean in itertools.product((15, 16, 17, 33, 40), (0.5, 4.0, 100.0)):
        n = rng.poisson(mean, (3, width))
        b = rng.binomial(n, p)
        x, v, e = b - p * n, p * (1 - p) * n, 0.02 * n
        exact, linear = [], []
        for r0, r1 in itertools.combinations(range(4), 2):
            for c0, c1 in itertools.combinations(range(width + 1), 2):
                inside = slice(r0, r1), slice(c0, c1)
                if (events := n[inside].sum()) > 0:
                    linear.append(x[inside].sum() / np.sqrt(v[inside].sum() + e[inside].sum() ** 2))
                    y, c = (b[inside].sum() - events * p) / np.sqrt(events * p * (1 - p)), expansion(events, p)
                    few = events <= table.most
                    z = binomial_z(b[inside].sum(), events, p) if few else c[0] + y * (c[1] + y * (c[2] + y * c[3]))
                    exact.append(float(z))
        for found, scores in ((exact_best(b, n, table, sign)[0], exact), (linear_best(x, v, e, sign)[0], linear)):
            sizes = np.abs(scores) if sign == 0 else sign * np.array(scores)
            assert (abs(found) if sign == 0 else sign * found) == pytest.approx(sizes.max(), abs=2e-5)


def test_tiny_weights_are_not_neglected():
    """Squares of weighted sums may be far below 1."""
    rng = np.random.default_rng(3)
    x, v = 1e-6 * rng.normal(size=(2, 20)), np.full((2, 20), 1e-12)
    found = linear_best(x, v, np.zeros((2, 20)), 0)
    assert found[0] == pytest.approx(linear_best(1e6 * x, 1e12 * v, np.zeros((2, 20)), 0)[0], rel=1e-9)


@settings(max_examples=25)
@given(
    seeds, st.sampled_from([0.02, 0.3, 0.5]), st.sampled_from([0.5, 4.0, 60.0]), st.sampled_from([0.0, 0.3]),
    st.sampled_from([0.0, 0.4]),
)  # fmt: skip
def test_the_best_of_wide_cells_of_shares(seed, rarest, mean, spread, fitted):
    rng, shape = np.random.default_rng(seed), (3, int(np.random.default_rng(seed).integers(1, 40)))
    n = rng.poisson(mean, shape[0] * shape[1]).astype(float)
    bins = np.flatnonzero(n)
    if len(bins) == 0:
        return
    n, p = n[bins], rng.uniform(rarest, 1 - rarest, len(bins))
    v = n * p * (1 - p)
    outside, control = fitted * np.sqrt(v)[:, None] * rng.normal(size=(2, len(bins), 2)) / np.sqrt(len(bins))
    entries = ShareEntries(np.array([0, len(bins)]), bins, n, n * p, v, outside, control, spread * v)
    x = rng.binomial(n.astype(int), p) - n * p
    found = best_of_shares(entries, np.array([0, 1]), np.array([0]), x, shape)
    kept, labels = np.zeros((1, TOYS), np.float32), np.repeat(x[:, None], TOYS, axis=1).astype(np.float32)
    one = Membership(np.array([0, 1]), np.array([0]), np.ones(1), np.ones(1), np.arange(1))
    share_cells(entries, one, shape, labels, MaxScores(0, np.full(TOYS, -np.inf, np.float32), kept))
    assert abs(found.z[0]) == pytest.approx(float(kept[0, 0]), rel=2e-4, abs=1e-4)


def test_least_deviations_of_shares_are_those_of_the_limits():
    limits = share_limits(0.5, 0.5, 1e4)
    v = np.arange(int(ROWS * SMALLEST), 512) / ROWS  # one row each
    of_rows = (limits.limit[:, int(ROWS * SMALLEST) : 512] / 2.0) ** 2
    for place in (150, 250, 400):
        assert (limits.least[0, place] * v <= of_rows[place] * (1 + 1e-6)).all()
        assert (limits.least[1, place] * v <= of_rows[place] * (1 + 1e-6))[v >= MANY].all()
        assert 0.2 * (STEP * place) ** 2 < limits.least[0, place] < limits.least[1, place] < (STEP * place) ** 2


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_weighted_shares_of_any_scale_have_the_same_best_rectangle(scale):
    rng, shape = np.random.default_rng(11), (4, 23)
    n = rng.uniform(0.1, 3.0, 92)
    v, nothing = 0.2 * n, np.zeros((92, 0))
    x = np.sqrt(v) * rng.normal(size=92)
    found = [
        best_of_shares(
            ShareEntries(np.array([0, 92]), np.arange(92), s * n, 0.3 * s * n, s**2 * v, nothing, nothing,
                         np.zeros(92), False),
            np.array([0, 1]), np.array([0]), s * x, shape,
        )
        for s in (1.0, scale)
    ]  # fmt: skip
    assert found[1].z[0] == pytest.approx(found[0].z[0], rel=1e-9)
    assert (found[1].where == found[0].where).all()
