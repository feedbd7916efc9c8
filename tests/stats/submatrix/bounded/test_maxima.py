"""Largest scores by bounds are those of all rectangles of all cells, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.relabelling import relabel
from coffea_ddp.stats.submatrix.binomial import expansion, z_table
from coffea_ddp.stats.submatrix.bounded import count_scores
from coffea_ddp.stats.submatrix.bounded.blocks import LANES
from coffea_ddp.stats.submatrix.bounded.cluster_sums import TOO_NARROW, Labels, cluster_for, fill_w, prepare
from coffea_ddp.stats.submatrix.bounded.clusters import WIDEST, clusters_of
from coffea_ddp.stats.submatrix.bounded.maxima import bounded_cells
from coffea_ddp.stats.submatrix.bounded.measured import BETWEEN
from coffea_ddp.stats.submatrix.limits import MARGIN, MOST_NARROW, STEP, first_of, limit_index, row_of, score_limits
from coffea_ddp.stats.submatrix.matrix import round_up
from coffea_ddp.stats.submatrix.overlapping import Entries, KnownKappaLabels, MaxScores, Membership, exact_cells

SHAPES = [(1, 1), (1, 9), (7, 1), (3, 4), (9, 12), (2, 37)]
KAPPAS = [1.0, 0.8, 3.0, 0.1]


def lattice(rng, shape, mean, n_codes, n_cells, *, same=False):
    """Exclusive cells of unequal size, and cells that are unions of them: most differ from another one by little."""
    size = rng.exponential(1.0, n_codes) ** 3
    n = np.minimum(rng.poisson(mean * size[:, None] * rng.exponential(1.0, shape[0] * shape[1])), 1 << 20)
    inside = np.zeros((n_cells, n_codes), dtype=bool)
    inside[0] = True
    for cell in range(1, n_cells):
        inside[cell] = inside[rng.integers(cell)]
        if not same:
            inside[cell] ^= rng.random(n_codes) < rng.choice([0.05, 0.3])
    code, place = np.nonzero(n)
    entries = Entries(np.searchsorted(code, np.arange(n_codes + 1)), place, n[code, place], n[code, place] * 1.0)
    cell, code = np.nonzero(inside)
    starts, ones = np.searchsorted(cell, np.arange(n_cells + 1)), np.ones(n_cells)
    keep = np.where(rng.random(n_cells) < 0.3, 0, -1)
    keep[keep == 0] = np.arange((keep == 0).sum())
    return entries, Membership(starts, code.astype(np.int32), ones, ones, keep)


def outcomes(keep, n_blocks):
    kept = keep.max(initial=-1) + 1
    return [
        MaxScores(0, np.full(TOYS, -np.inf, np.float32), np.zeros((kept, TOYS), np.float32)) for _ in range(n_blocks)
    ]


def assert_same(rng, entries, membership, shape, kappa, n_blocks):
    """Both ways of finding the largest scores agree: of all cells, and wherever those of kept cells are wanted."""
    labels = [relabel(entries.n, kappa=kappa, seed=7, block=block) for block in range(n_blocks)]
    every, bounded = outcomes(membership.keep, n_blocks), outcomes(membership.keep, n_blocks)
    table = z_table(kappa, round_up(int(entries.n.sum())))
    for b, out in zip(labels, every, strict=True):
        exact_cells(entries, membership, shape, table, b, out)
    scores = np.concatenate([out.kept for out in every], axis=1)
    wanted = np.array([rng.choice([rng.uniform(0, 6), rng.choice(row)]) for row in scores], dtype=np.float64)
    bounded_cells(entries, membership, shape, kappa, wanted).take([KnownKappaLabels(b, b) for b in labels], bounded)
    for one, other in zip(every, bounded, strict=True):
        np.testing.assert_array_equal(one.best, other.best)
        reached = one.kept >= wanted[:, None] - 1e-5
        np.testing.assert_array_equal(reached, other.kept >= wanted[:, None] - 1e-5)
        assert (other.kept <= one.kept).all()


@settings(max_examples=40)
@given(
    st.integers(0, 10**6),
    st.sampled_from(SHAPES),
    st.sampled_from(KAPPAS),
    st.sampled_from([0.02, 0.5, 8.0, 200.0]),
    st.integers(1, 40),
    st.integers(1, 3),
)
def test_largest_scores_are_those_of_all_rectangles(seed, shape, kappa, mean, n_cells, n_blocks):
    rng = np.random.default_rng(seed)
    entries, membership = lattice(rng, shape, mean, 8, n_cells)
    if len(entries.n):
        assert_same(rng, entries, membership, shape, kappa, n_blocks)


@pytest.mark.parametrize("kappa", KAPPAS)
def test_sums_that_take_32_bits(kappa, monkeypatch):
    widths = set()

    def strip_for(n_columns, n_known, dtype, made=count_scores.strip_for):
        widths.add(np.dtype(dtype).type)
        return made(n_columns, n_known, dtype)

    monkeypatch.setattr(count_scores, "strip_for", strip_for)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        entries, membership = lattice(rng, (6, 7), 4e5, 6, 12)
        assert_same(rng, entries, membership, (6, 7), kappa, 1)
    assert widths == {np.int16, np.int32}


def test_sums_of_16_bits_are_those_of_32_bits_or_are_not_used():
    """Also where labels are on one side, such that sums of 16 bits begin anew once or several times."""
    said = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        shape = SHAPES[seed % len(SHAPES)]
        entries, membership = lattice(rng, shape, 10 ** rng.uniform(0, 4.5), 6, 8)
        if not len(entries.n):
            continue
        mean, side = np.rint(0.3 * entries.n).astype(np.int64), rng.choice([-0.3, 0.0, 0.7], (len(entries.n), LANES))
        labels = Labels.of((rng.choice([0.01, 0.1, 1.0]) * side * entries.n[:, None]).astype(np.int32), mean)
        cells, cluster = rng.choice(8, rng.integers(1, 3), replace=False), cluster_for(entries, shape)
        size = prepare(cluster, entries, membership, cells, shape, mean, 0.3)[:2]
        narrow, wide = (np.ones((shape[0] + 1, shape[1] + 1, LANES), dtype) for dtype in (np.int16, np.int32))
        found = fill_w(cluster, entries, labels.narrow, labels.most, size, 0.3, narrow)
        slack = fill_w(cluster, entries, labels.around, labels.most, size, 0.3, wide)
        sums, expected = (w[: size[0] + 1, : size[1] + 1] for w in (narrow, wide))
        if 2 * np.ptp(expected, axis=(0, 1)).max(initial=0) > MOST_NARROW:
            assert found == TOO_NARROW
        if found != TOO_NARROW:
            assert found == slack
            between = np.ptp(expected, axis=(0, 1)).max(initial=0) + cluster.measures[*size, BETWEEN]
            assert between + slack <= MOST_NARROW
            np.testing.assert_array_equal(sums, expected)
        said.add((found == TOO_NARROW, bool(expected.any())))
    assert said >= {(True, True), (False, True)}


@pytest.mark.parametrize("mean", [0.3, 30.0])
def test_cells_that_are_all_the_same(mean):
    rng = np.random.default_rng(3)
    entries, membership = lattice(rng, (8, 8), mean, 5, 150, same=True)
    assert_same(rng, entries, membership, (8, 8), 1.0, 2)
    assert len(clusters_of(entries, membership).starts) - 1 == 3  # of 64 cells at most


def test_excess_that_is_far_beyond_all_limits():
    """Labels that no symmetry makes: thresholds end at 10, scores do not."""
    rng = np.random.default_rng(1)
    entries, membership = lattice(rng, (9, 9), 20.0, 6, 20)
    labels = relabel(entries.n, seed=1)
    labels[:, ::3] = entries.n[:, None]
    one, other = outcomes(membership.keep, 1), outcomes(membership.keep, 1)
    exact_cells(entries, membership, (9, 9), z_table(1.0, round_up(int(entries.n.sum()))), labels, one[0])
    wanted = one[0].kept.max(axis=1).astype(np.float64)
    bounded_cells(entries, membership, (9, 9), 1.0, wanted).take([KnownKappaLabels(labels, labels)], other)
    np.testing.assert_array_equal(one[0].best, other[0].best)
    assert one[0].best.max() > 20.0


def test_no_score_is_below_that_of_an_even_split():
    entries = Entries(np.array([0, 1]), np.array([0]), np.array([2]), np.array([2.0]))
    ones = np.ones(1)
    membership = Membership(np.array([0, 1]), np.array([0], dtype=np.int32), ones, ones, np.array([0]))
    (out,) = outcomes(membership.keep, 1)
    even = np.ones((1, TOYS), np.float32)
    bounded_cells(entries, membership, (1, 1), 1.0, np.zeros(1)).take([KnownKappaLabels(even, even)], [out])
    assert (out.best == 0.0).all()
    assert (out.kept == 0.0).all()


def test_bins_beyond_single_precision_are_left_to_the_other_way():
    entries = Entries(np.array([0, 1]), np.array([0]), np.array([1 << 24]), np.array([1.0]))
    ones = np.ones(1)
    membership = Membership(np.array([0, 1]), np.array([0], dtype=np.int32), ones, ones, np.array([-1]))
    assert bounded_cells(entries, membership, (1, 1), 1.0, np.zeros(0)) is None


@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("threshold", [0.3, 2.0, 4.91, 7.3, 20.0])
def test_no_deviation_within_a_limit_is_beyond_its_threshold(kappa, threshold):
    limits, table, p = score_limits(kappa, 1 << 17), z_table(kappa, 1 << 17), kappa / (1 + kappa)
    index = limit_index(threshold)
    least = np.inf
    for n in [*range(1, 3_000), *np.geomspace(3_000, 1 << 17, 300).astype(int).tolist()]:
        b = np.arange(n + 1)
        y = (b - n * p) / np.sqrt(n * p * (1 - p))
        c0, c1, c2, c3 = expansion(n, p)
        z = table.rows[n * (n + 1) // 2 + b] if n <= table.most else c0 + y * (c1 + y * (c2 + y * c3))
        inside = np.abs(4 * (b - n * p)) <= limits.limit[index, row_of(n)]
        assert np.abs(z[inside]).max(initial=0.0) <= threshold
        if n <= limits.fewest[index]:
            assert np.abs(z).max() <= threshold
        elif n > 200 and threshold < 10.0:
            least = min(least, np.abs(z[inside]).max())
    # The limit of the worse side is close to the threshold, too.
    assert not np.isfinite(least) or least > threshold - STEP - MARGIN - 0.45 * (1 + (threshold if kappa != 1 else 0))
    assert (np.diff(limits.limit, axis=0) >= 0).all()
    assert (np.diff(limits.limit, axis=1) >= 0).all()


def test_rows_of_events_are_in_order():
    n = np.arange(5_000)
    rows = np.array([row_of(one) for one in n])
    assert set(np.diff(rows)) <= {0, 1}
    np.testing.assert_array_equal(np.searchsorted(rows, rows), first_of(rows))


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([0.02, 3.0, 100.0]), st.integers(1, 200))
def test_clusters_are_a_partition_of_cells_that_are_nearly_the_same(seed, mean, n_cells):
    entries, membership = lattice(np.random.default_rng(seed), (3, 4), mean, 9, n_cells)
    events = np.array([entries.n[a:b].sum() for a, b in zip(entries.starts, entries.starts[1:], strict=False)])
    inside = np.zeros((n_cells, 9), dtype=bool)
    for cell in range(n_cells):
        inside[cell, membership.codes[membership.starts[cell] : membership.starts[cell + 1]]] = True
    sizes = inside @ events
    found = clusters_of(entries, membership)
    np.testing.assert_array_equal(np.sort(found.cells), np.flatnonzero(sizes > 0))
    leaders = sizes[found.cells[found.starts[:-1]]]
    assert (np.diff(leaders) <= 0).all()
    for start, end in zip(found.starts, found.starts[1:], strict=False):
        mine = inside[found.cells[start:end]]
        between = events[mine.any(axis=0) & ~mine.all(axis=0)].sum()
        assert between <= WIDEST * np.sqrt(sizes[found.cells[start]])
