"""Largest scores of events with shares by bounds are those of all rectangles of all cells."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.submatrix.bounded import share_scores
from coffea_ddp.stats.submatrix.bounded.share_cluster import FINEST, MOST_SKEW, digits_of
from coffea_ddp.stats.submatrix.bounded.share_maxima import bounded_shares
from coffea_ddp.stats.submatrix.bounded.share_scores import ShareScores
from coffea_ddp.stats.submatrix.limits import first_of, limit_index, row_of
from coffea_ddp.stats.submatrix.overlapping import KnownKappaLabels, MaxScores, Membership
from coffea_ddp.stats.submatrix.share_entries import ShareEntries
from coffea_ddp.stats.submatrix.share_limits import (
    DEVIATIONS,
    FEW,
    MOST_SKEWNESS,
    ROWS,
    SIGNED,
    SMALLEST,
    scaled_limits,
    share_limits,
)
from coffea_ddp.stats.submatrix.shares import share_cells

SHAPES = [(1, 1), (1, 9), (7, 1), (3, 4), (9, 12), (2, 37)]
N_CODES = 8
NEAR = 1e-4
"""Scores of residuals in whole units and of others differ by less than this."""


def lattice(rng, shape, mean, n_cells, *, n_directions=3, fitted=0.1, spread=0.0, width=0.3):
    """Return entries of exclusive cells of unequal size, and cells that are unions of them: most are nearly the same.

    ``fitted`` is the share of the variance that the fit takes, about, and ``width`` that of the shares.
    """
    size = rng.exponential(1.0, N_CODES) ** 3
    n = rng.poisson(mean * size[:, None] * rng.exponential(1.0, shape[0] * shape[1]))
    code, place = np.nonzero(n)
    events = n[code, place].astype(np.float64)
    share = np.clip(rng.uniform(0.5 - width, 0.5 + width) + rng.uniform(-width, width, len(code)), 0.02, 0.98)
    v = rng.uniform(0.9, 1.0, len(code)) * events * share * (1.0 - share)
    vectors = rng.normal(1.0, 1.0, (2, len(code), n_directions)) * v[:, None]
    length = np.sqrt(max(fitted, 1e-9) / max((vectors[0] ** 2 / np.maximum(v, 1e-9)[:, None]).sum(), 1e-9))
    starts = np.searchsorted(code, np.arange(N_CODES + 1))
    entries = ShareEntries(starts, place, events, events * share, v, *(length * vectors), spread * v)
    inside = np.zeros((n_cells, N_CODES), dtype=bool)
    inside[0] = True
    for cell in range(1, n_cells):
        inside[cell] = inside[rng.integers(cell)] ^ (rng.random(N_CODES) < rng.choice([0.05, 0.3]))
    cell, of_cell = np.nonzero(inside)
    keep = np.where(rng.random(n_cells) < 0.3, 0, -1)
    keep[keep == 0] = np.arange((keep == 0).sum())
    ones = np.ones(n_cells)
    return entries, Membership(
        np.searchsorted(cell, np.arange(n_cells + 1)), of_cell.astype(np.int32), ones, ones, keep
    )


def drawn(rng, entries):
    """Return residuals of one block: labels of the shares, and what a fit takes that knows other events too."""
    share = (entries.e / entries.n)[:, None]
    b = rng.binomial(entries.n.astype(np.int64)[:, None], share, (len(entries.n), TOYS))
    fit = rng.standard_normal((entries.control.shape[1], TOYS))
    return (b - entries.e[:, None] - (entries.outside + entries.control) @ fit).astype(np.float32)


def outcome(membership):
    kept = membership.keep.max(initial=-1) + 1
    return MaxScores(0, np.full(TOYS, -np.inf, np.float32), np.zeros((kept, TOYS), np.float32))


def assert_same(rng, entries, membership, shape, n_blocks=2):
    """Both ways of finding the largest scores agree: of all cells, and wherever those of kept cells are wanted."""
    x = [drawn(rng, entries) for _ in range(n_blocks)]
    unit = np.float32(2.0 ** digits_of(entries))
    every, bounded = [outcome(membership) for _ in x], [outcome(membership) for _ in x]
    for one, out in zip(x, every, strict=True):
        share_cells(entries, membership, shape, np.rint(one * unit) / unit, out)
    scores = np.concatenate([out.kept for out in every], axis=1)
    wanted = np.array([rng.choice([rng.uniform(0, 6), rng.choice(row)]) for row in scores], dtype=np.float64)
    found = bounded_shares(entries, membership, shape, wanted)
    found.take([KnownKappaLabels(one, one) for one in x], bounded)
    for one, other in zip(every, bounded, strict=True):
        np.testing.assert_allclose(np.maximum(one.best, 0.0), np.maximum(other.best, 0.0), rtol=NEAR, atol=NEAR)
        clear = np.abs(one.kept - wanted[:, None]) > NEAR * (1.0 + one.kept)
        np.testing.assert_array_equal((one.kept >= wanted[:, None])[clear], (other.kept >= wanted[:, None])[clear])
        assert (other.kept <= one.kept * (1.0 + NEAR) + NEAR).all()


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    st.sampled_from(SHAPES),
    st.sampled_from([0.05, 0.5, 8.0, 200.0]),
    st.integers(1, 40),
    st.sampled_from([0, 1, 3, 8, 11]),
    st.sampled_from([0.0, 0.02, 0.3, 0.9]),
    st.sampled_from([0.0, 0.05, 0.3]),
    st.sampled_from([0.01, 0.2, 0.45]),
)
def test_largest_scores_are_those_of_all_rectangles(seed, shape, mean, n_cells, n_directions, fitted, spread, width):
    rng = np.random.default_rng(seed)
    entries, membership = lattice(
        rng, shape, mean, n_cells, n_directions=n_directions, fitted=fitted, spread=spread, width=width
    )
    assert_same(rng, entries, membership, shape)


def test_of_many_events_the_sieve_takes_32_bits(monkeypatch):
    widths = set()

    def strip_for(n_columns, n_known, dtype, made=share_scores.strip_for):
        widths.add(dtype)
        return made(n_columns, n_known, dtype)

    monkeypatch.setattr(share_scores, "strip_for", strip_for)
    for mean in (3e3, 3e5, 3e7):
        rng = np.random.default_rng(1)
        entries, membership = lattice(rng, (5, 6), mean, 12)
        assert digits_of(entries) < FINEST or mean < 1e4
        assert_same(rng, entries, membership, (5, 6))
    assert widths == {np.int16, np.int32}


def test_one_large_bin_beside_many_small_ones():
    rng = np.random.default_rng(2)
    entries, membership = lattice(rng, (6, 6), 2.0, 20)
    n = entries.n.copy()
    n[::40] *= 10**6
    share = entries.e / entries.n
    many = entries._replace(n=n, e=n * share, v=n * share * (1 - share), outside=0 * entries.outside)
    assert_same(rng, many._replace(control=0 * entries.control), membership, (6, 6))


def test_shares_next_to_0_and_1():
    rng = np.random.default_rng(7)
    entries, membership = lattice(rng, (4, 6), 3.0, 20)
    e, v = entries.e.copy(), entries.v.copy()
    e[::5], v[::5] = entries.n[::5], 1e-7
    e[1::5], v[1::5] = 1e-17, 1e-7
    nothing = 0.0 * entries.control
    assert_same(rng, entries._replace(e=e, v=v, control=nothing, outside=nothing), membership, (4, 6))


def test_blocks_are_the_same_alone_and_together():
    rng = np.random.default_rng(3)
    entries, membership = lattice(rng, (6, 7), 5.0, 30)
    labels = [KnownKappaLabels(x, x) for x in (drawn(rng, entries) for _ in range(3))]
    wanted = np.full(membership.keep.max() + 1, 2.5)
    cells = bounded_shares(entries, membership, (6, 7), wanted)
    together, alone = [outcome(membership) for _ in labels], [outcome(membership) for _ in labels]
    cells.take(labels, together)
    for one, out in zip(labels, alone, strict=True):
        cells.take([one], [out])
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.best, other.best)
        np.testing.assert_array_equal(one.kept >= 2.5, other.kept >= 2.5)


def test_most_rectangles_are_not_scored(monkeypatch):
    rng = np.random.default_rng(4)
    entries, membership = lattice(rng, (12, 12), 4.0, 40)
    listed, score = [], ShareScores.score

    def counted(self, cells, n, *args):
        listed.append(n * len(cells))
        return score(self, cells, n, *args)

    monkeypatch.setattr(ShareScores, "score", counted)
    x = drawn(rng, entries)
    bounded_shares(entries, membership, (12, 12), np.full(membership.keep.max() + 1, 9.0)).take(
        [KnownKappaLabels(x, x)], [outcome(membership)]
    )
    assert 0 < sum(listed) < 0.1 * 40 * (12 * 13 // 2) ** 2


def test_sums_of_weights_and_odd_errors_have_no_bounds():
    entries, membership = lattice(np.random.default_rng(5), (3, 4), 5.0, 4)
    assert bounded_shares(entries._replace(skewed=False), membership, (3, 4), np.zeros(4)) is None
    assert bounded_shares(entries._replace(spread=-entries.v), membership, (3, 4), np.zeros(4)) is None


def score(y, v, variance, mean):
    """Return z of y of a rectangle whose mean of ``1 - 2 e`` is given; shape as of the arguments together."""
    share = (1.0 - mean) / 2.0
    skew = np.clip(mean / np.sqrt(v), -MOST_SKEWNESS, MOST_SKEWNESS)
    kurtosis = skew**2 - 2.0 * share * (1.0 - share) / v
    less = np.minimum(v / variance, 1.0)
    skew, kurtosis = skew * less**1.5, kurtosis * less**2
    return (
        skew / 6.0
        + y * (1.0 + kurtosis / 8.0 - 7.0 * skew**2 / 36.0)
        - y**2 * skew / 6.0
        + y**3 * (skew**2 / 9.0 - kurtosis / 24.0)
    )


@settings(max_examples=200)
@given(
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.floats(SMALLEST, 1e4),
    st.floats(0.02, 50.0),
    st.floats(0.1, 9.9),
    st.floats(-1.0, 1.0),
)
def test_no_score_below_its_limit_is_beyond_the_threshold(largest, usual, variance, known, threshold, part):
    usual = min(usual, largest)
    limits = share_limits(largest, usual, 2e4)
    mean = part * largest
    # Of a smaller share of the variance the mean counts less; where the skewness is cut off, even less.
    left = min(known, 1.0)
    lowest = mean * left if known * variance >= 0.25 else 0.0
    place = limit_index(threshold)
    row = row_of(int(ROWS * variance))
    half = limits.limit[place, row] / 2.0
    for sign in (-1.0, 1.0):
        # A mean above 0 makes scores of negative residuals larger.
        against = mean if sign * mean < 0.0 else lowest
        besides = -sign * against - limits.usual
        changed = besides * (limits.more[min(place + 1, len(limits.more) - 1)] if besides > 0 else limits.less[place])
        x = np.linspace(0.0, max(half - changed / 2.0, 0.0), 400)
        z = score(sign * x / np.sqrt(variance), known * variance, variance, mean)
        assert np.abs(z).max() <= threshold or half - changed / 2.0 <= 0.0


def test_limits_rise_with_the_variance_and_the_threshold():
    limits = share_limits(0.4, 0.1, 1e5)
    assert (np.diff(limits.limit, axis=1) >= 0).all()
    signed = int(SIGNED / 0.02) + 1
    assert (np.diff(limits.limit[signed:], axis=0) >= 0).all()
    assert (first_of(np.array([limits.limit.shape[1] - 1])) >= ROWS * 1e5).all()
    assert limits.more.max() <= MOST_SKEW
    assert limits.deviation == np.ceil(0.4 * DEVIATIONS) / DEVIATIONS


def test_limits_in_whole_units_are_no_larger():
    limits = share_limits(0.4, 0.1, 1e3)
    narrow, wide = scaled_limits(limits, 4, True), scaled_limits(limits, 12, False)
    known = limits.limit > 0
    assert (narrow[known] <= 16.0 * limits.limit[known]).all()
    assert (wide[known] <= 2.0**12 * limits.limit[known]).all()
    assert narrow.dtype == np.int16
    assert wide.dtype == np.int32


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 40), st.floats(0.001, 0.999)), min_size=1, max_size=8))
def test_few_events_are_told_by_a_sum(parts):
    """All of few events on one side: no further out than what their parts add up to, which also bounds the variance."""
    n, share = np.array(parts).T
    rare = np.minimum(share, 1.0 - share)
    odd = (n * -np.log(rare)).sum()
    p = (n * share).sum() / n.sum()
    for side in (p, 1.0 - p):
        assert n.sum() * -np.log(side) <= odd * (1.0 + 1e-12)
    assert (n * share * (1.0 - share)).sum() <= odd / (4.0 * np.log(2.0)) * (1.0 + 1e-12)
    limits = share_limits(1.0, 0.0, 10.0)
    assert limits.fewest.max() < 4.0 * np.log(2.0) * FEW
