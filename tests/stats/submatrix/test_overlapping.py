"""Overlapping cells under one relabelling: adding up every cell's matrix and testing it says the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coffea_ddp import stats
from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.relabelling import relabel
from coffea_ddp.stats.submatrix.binomial import z_table
from coffea_ddp.stats.submatrix.overlapping import (
    Entries,
    FloatingKappaLabels,
    KnownKappaLabels,
    MaxScores,
    Membership,
    exact_cells,
    linear_cells,
    nsigma_cells,
)
from coffea_ddp.stats.submatrix.submatrix import best_rectangles

SHAPE = (4, 5)


def toy(seed, *, n_codes=6, n_cells=9, mean=1.5):
    """Exclusive cells of 4 x 5 bins, and cells that are random unions of them."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(mean, (n_codes, 20))
    inside = rng.random((n_cells, n_codes)) < 0.4
    inside[0] = True
    return n, inside


def pieces_of(n, *, kappa=1.0):
    code, place = np.nonzero(n)
    starts = np.searchsorted(code, np.arange(len(n) + 1))
    ratio = np.broadcast_to(kappa, 20)
    return Entries(starts, place, n[code, place], ratio[place] * n[code, place]), ratio[place]


def members_of(inside, keep=None, scale=None, v_scale=None):
    cell, code = np.nonzero(inside)
    ones = np.ones(len(inside))
    keep = np.arange(len(inside)) if keep is None else keep
    return Membership(
        np.searchsorted(cell, np.arange(len(inside) + 1)),
        code,
        ones if scale is None else scale,
        ones if v_scale is None else v_scale,
        keep,
    )


def outcome(n_cells, sign=0):
    return MaxScores(sign, np.full(TOYS, -np.inf, np.float32), np.zeros((n_cells, TOYS), np.float32))


def matrices(n, inside, labels):
    """A and B of every cell and pseudo-experiment; shape (n_cells, TOYS, 4, 5)."""
    code, place = np.nonzero(n)
    b = np.zeros((*n.shape, TOYS))
    b[code, place] = labels
    cells_b = np.einsum("ck,kbt->ctb", inside, b)
    cells_n = np.einsum("ck,kb->cb", inside, n)[:, None]
    shaped = (*cells_b.shape[:2], *SHAPE)
    return (cells_n - cells_b).reshape(shaped), cells_b.reshape(shaped)


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from([0.4, 1.0, 3.0]), st.sampled_from([-1, 0, 1]))
def test_nsigma_of_every_cell(seed, kappa, sign):
    n, inside = toy(seed)
    pieces, ratio = pieces_of(n, kappa=kappa)
    labels = relabel(pieces.n, kappa=kappa, seed=seed)
    x = (labels - ratio[:, None] * (pieces.n[:, None] - labels)).astype(np.float32)
    out = outcome(len(inside), sign)
    nsigma_cells(pieces, members_of(inside), KnownKappaLabels(x, labels), out)
    a, b = matrices(n, inside, labels)
    for cell in range(len(inside)):
        if a[cell].any() or b[cell].any():
            z = stats.n_sigma(a[cell], b[cell], kappa=kappa, batch_ndim=1).statistic
            np.testing.assert_allclose(out.kept[cell], abs(z) if sign == 0 else sign * z, atol=2e-4)
    filled = [i for i in range(len(inside)) if inside[i].any()]
    np.testing.assert_allclose(out.best, out.kept[filled].max(axis=0))


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.sampled_from([1.0, 3.0]), st.sampled_from([-1, 0, 1]))
def test_rectangles_of_every_cell(seed, kappa, sign):
    n, inside = toy(seed)
    inside = inside[inside.any(axis=1)]
    pieces, ratio = pieces_of(n, kappa=kappa)
    labels = relabel(pieces.n, kappa=kappa, seed=seed)
    table = z_table(kappa, 256)
    exact, linear = outcome(len(inside), sign), outcome(len(inside), sign)
    x = (labels - ratio[:, None] * (pieces.n[:, None] - labels)).astype(np.float32)
    exact_cells(pieces, members_of(inside), SHAPE, table, labels, exact)
    linear_cells(pieces, members_of(inside), SHAPE, True, KnownKappaLabels(x, labels), linear)
    a, b = matrices(n, inside, labels)
    alternative = {0: "two-sided", 1: "greater", -1: "less"}[sign]
    for cell in range(len(inside)):
        if not (a[cell] + b[cell]).any():
            continue
        for found, statistic in ((exact, "counts"), (linear, "nsigma")):
            z = best_rectangles(a[cell], b[cell], kappa=kappa, statistic=statistic, alternative=alternative).z
            np.testing.assert_allclose(found.kept[cell], abs(z) if sign == 0 else sign * z, atol=5e-4)


def test_floating_kappa_is_that_of_each_cell_and_pseudo_experiment():
    n, inside = toy(3, mean=8.0)
    pieces, _ = pieces_of(n)
    labels = relabel(pieces.n, kappa=2.0, seed=1)
    kappas = np.full(len(inside), 2.0)
    members = members_of(inside, v_scale=kappas)
    a_labels = (pieces.n[:, None] - labels).astype(np.float32)
    out, windows = outcome(len(inside)), outcome(len(inside))
    nsigma_cells(pieces, members, FloatingKappaLabels(labels, a_labels), out)
    linear_cells(pieces, members, SHAPE, True, FloatingKappaLabels(labels, a_labels), windows)
    a, b = matrices(n, inside, labels)
    own = b.sum(axis=(2, 3), keepdims=True) / a.sum(axis=(2, 3), keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        pulls = np.where(a + b > 0, (b - own * a) / np.sqrt(own * (a + b)), 0.0)
    expected = pulls.sum(axis=(2, 3)) / np.sqrt(np.count_nonzero((a + b)[:, 0], axis=(1, 2)))[:, None]
    np.testing.assert_allclose(out.kept, np.abs(expected), atol=1e-3)
    # The whole matrix is one of the rectangles.
    assert (windows.kept >= out.kept - 1e-3).all()


def test_scales_enter():
    n, inside = toy(5, mean=10.0)
    labels = relabel(n[np.nonzero(n)], seed=1)
    x = (2 * labels - n[np.nonzero(n)][:, None]).astype(np.float32)
    plain, scaled = (outcome(len(inside)) for _ in range(2))
    nsigma_cells(pieces_of(n)[0], members_of(inside), KnownKappaLabels(x, x), plain)
    nsigma_cells(pieces_of(n)[0], members_of(inside, scale=np.full(len(inside), 2.0)), KnownKappaLabels(x, x), scaled)
    np.testing.assert_allclose(scaled.kept, 2 * plain.kept, rtol=1e-5)


def test_only_the_cells_to_keep_are_kept():
    n, inside = toy(1)
    pieces, _ = pieces_of(n)
    labels = relabel(pieces.n, seed=1)
    x = (2 * labels - pieces.n[:, None]).astype(np.float32)
    everything = outcome(len(inside))
    nsigma_cells(pieces, members_of(inside), KnownKappaLabels(x, labels), everything)
    keep = np.full(len(inside), -1)
    keep[[4, 2]] = [0, 1]
    some = outcome(2)
    nsigma_cells(pieces, members_of(inside, keep), KnownKappaLabels(x, labels), some)
    np.testing.assert_array_equal(some.kept, everything.kept[[4, 2]])
    np.testing.assert_array_equal(some.best, everything.best)


def test_cells_without_events_do_not_count():
    n = np.zeros((2, 20), dtype=int)
    n[1, 3] = 4
    pieces, _ = pieces_of(n)
    labels = relabel(pieces.n, seed=1)
    out = outcome(2)
    inside = np.array([[True, False], [False, True]])
    nsigma_cells(pieces, members_of(inside), KnownKappaLabels((2 * labels - 4).astype(np.float32), labels), out)
    assert (out.kept[0] == 0).all()
    assert out.best == pytest.approx(np.abs(2 * labels[0] - 4) / 2)
