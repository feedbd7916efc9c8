"""Relabelling: the moments are those of the two nulls, and random numbers belong to (seed, key, block)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from coffea_ddp import stats
from coffea_ddp._splitmix import GOLDEN, mixed
from coffea_ddp.errors import InputError
from coffea_ddp.stats.relabelling import (
    TOYS,
    check_null,
    count_labels,
    event_labels,
    event_labels_of_shares,
    event_permutation,
    relabel,
    relabelled_events,
    stream,
)

COUNTS = np.array([0, 1, 2, 30, 64, 65, 700, 5_000])


def many(n, blocks=150, **options):
    return np.concatenate([relabel(n, block=block, **options) for block in range(blocks)], axis=1).astype(float)


@pytest.mark.parametrize("kappa", [1.0, 0.2, 5.0])
def test_binomial_labels_have_the_moments_of_the_binomial(kappa):
    p = kappa / (1 + kappa)
    drawn = many(COUNTS, kappa=kappa, seed=3, key=f"{kappa}")
    n_toys = drawn.shape[1]
    error = np.sqrt(np.maximum(COUNTS * p * (1 - p), 1e-12) / n_toys)
    assert (np.abs(drawn.mean(axis=1) - COUNTS * p) < 4.5 * error + 1e-12).all()
    assert drawn.var(axis=1) == pytest.approx(COUNTS * p * (1 - p), rel=0.08)
    assert (drawn <= COUNTS[:, None]).all()
    assert (drawn >= 0).all()


def test_coins_follow_the_binomial_distribution():
    n = np.full(200, 70)  # two words, the second cut
    drawn = relabel(n, seed=5).ravel().astype(int)
    observed = np.bincount(drawn, minlength=71)
    expected = scipy_stats.binom.pmf(np.arange(71), 70, 0.5) * len(drawn)
    wide = expected > 5
    chi2 = ((observed - expected)[wide] ** 2 / expected[wide]).sum()
    assert scipy_stats.chi2.sf(chi2, wide.sum() - 1) > 0.01


def test_fixed_labels_keep_the_total_and_have_hypergeometric_moments():
    n_b = 2_000
    total = COUNTS.sum()
    drawn = many(COUNTS, blocks=60, n_b=n_b, seed=3)
    assert (drawn.sum(axis=0) == n_b).all()
    share = n_b / total
    variance = COUNTS * share * (1 - share) * (total - COUNTS) / (total - 1)
    assert drawn.mean(axis=1) == pytest.approx(COUNTS * share, abs=4.5 * np.sqrt(variance.max() / drawn.shape[1]))
    assert drawn.var(axis=1)[3:] == pytest.approx(variance[3:], rel=0.12)


def test_spread_and_common_errors_widen_the_labels():
    n = np.full(400, 400)
    plain = many(n, 4, seed=1)
    wide = many(n, 4, seed=1, spread=0.1)
    # B = n p with p = kappa / (1 + kappa): a relative change d of kappa moves B by n d / 4.
    assert wide.var() == pytest.approx(plain.var() + (400 * 0.1 / 4) ** 2, rel=0.05)
    together = many(n, 30, seed=1, common=0.1).mean(axis=0)
    assert together.std() == pytest.approx(400 * 0.1 / 4, rel=0.1)


def test_the_two_nulls_are_different():
    """PHYSICS T7: fixed sizes are shape only; N_sigma with kappa = 1 is then off centre and narrow."""
    rng = np.random.default_rng(7)
    b = rng.poisson(25.4, 784)
    a = rng.poisson(25.6, 784)
    n = a + b
    rho2 = np.sqrt(n).sum() ** 2 / (len(n) * n.sum())

    def n_sigma(**options):
        drawn = many(n, 40, seed=2, **options)
        return (2 * drawn - n[:, None]).T @ (1 / np.sqrt(n)) / np.sqrt(len(n))

    binomial, fixed = n_sigma(), n_sigma(n_b=int(b.sum()))
    assert binomial.mean() == pytest.approx(0.0, abs=0.08)
    assert binomial.std() == pytest.approx(1.0, abs=0.05)
    assert fixed.std() == pytest.approx(np.sqrt(1 - rho2), abs=0.02)
    shift = np.sqrt(n).sum() * (b.sum() - a.sum()) / n.sum() / np.sqrt(len(n))
    assert fixed.mean() == pytest.approx(shift, abs=0.02)
    assert scipy_stats.kstest(binomial, "norm").pvalue > 0.01


def test_numbers_belong_to_seed_key_and_block():
    first = relabel(COUNTS, seed=1, key="x", block=3)
    np.testing.assert_array_equal(first, relabel(COUNTS, seed=1, key="x", block=3))
    for other in ({"seed": 2}, {"key": "y"}, {"block": 4}):
        assert (first != relabel(COUNTS, **({"seed": 1, "key": "x", "block": 3} | other))).any()


@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=20), st.integers(0, 100))
def test_labels_never_exceed_the_events(n, seed):
    drawn = relabel(n, seed=seed)
    assert drawn.shape == (len(n), TOYS)
    assert ((drawn >= 0) & (drawn <= np.array(n)[:, None])).all()


# -- labels of events ------------------------------------------------------------------------------------------------

HASHES = np.random.default_rng(1).integers(0, 2**64, 4_000, dtype=np.uint64)


def bits(labels):
    return np.unpackbits(labels[:, None].view(np.uint8), axis=1, bitorder="little")


@pytest.mark.parametrize("kappa", [1.0, 0.1, 3.0, 40.0])
def test_event_labels_have_the_probability_of_side_b(kappa):
    p = kappa / (1 + kappa)
    drawn = bits(event_labels(HASHES, kappa, seed=1, block=0))
    assert drawn.mean() == pytest.approx(p, abs=4.5 * np.sqrt(p * (1 - p) / drawn.size))
    # Neither events nor pseudo-experiments know of each other.
    sums = drawn.sum(axis=0)
    assert sums.std() == pytest.approx(np.sqrt(len(HASHES) * p * (1 - p)), rel=0.35)
    assert np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1] == pytest.approx(0, abs=0.06)


def test_event_labels_depend_on_the_event_alone():
    whole = event_labels(HASHES, 2.0, seed=1, block=5)
    order = np.random.default_rng(2).permutation(len(HASHES))
    np.testing.assert_array_equal(whole[order][:100], event_labels(HASHES[order][:100], 2.0, seed=1, block=5))
    assert (whole != event_labels(HASHES, 2.0, seed=2, block=5)).mean() > 0.99
    assert (whole != event_labels(HASHES, 2.0, seed=1, block=6)).mean() > 0.99


def test_a_larger_kappa_sets_more_of_the_same_labels():
    small, large = (event_labels(HASHES, kappa, seed=1, block=0) for kappa in (0.7, 1.9))
    assert (small & ~large == 0).all()


def coins_in_numpy(hashes, share, seed, block):
    """Whole arrays in the place of the compiled loop: from the last binary digit of the share to the first."""
    chance = round(share * 2**32)
    start = stream(seed, "event labels", block).integers(0, 2**64, dtype=np.uint64)
    result = np.zeros_like(hashes)
    for i in range(32):
        with np.errstate(over="ignore"):
            coins = mixed(mixed(hashes + start * np.uint64(2 * (31 - i) + 1)) + GOLDEN) + GOLDEN
        result = coins | result if chance >> i & 1 else coins & result
    return result


@pytest.mark.parametrize("kappa", [1e-9, 0.1, 0.7345, 1.0, 3.0, 1e9])
def test_event_labels_are_those_of_whole_arrays_and_of_equal_shares(kappa):
    share = kappa / (1 + kappa)
    expected = coins_in_numpy(HASHES, share, 4, 2)
    np.testing.assert_array_equal(event_labels(HASHES, kappa, seed=4, block=2), expected)
    shares = np.full(len(HASHES), share)
    np.testing.assert_array_equal(event_labels_of_shares(HASHES, shares, seed=4, block=2), expected)
    opposite = HASHES % np.uint64(3) == 0
    np.testing.assert_array_equal(
        event_labels_of_shares(HASHES, shares, opposite=opposite, seed=4, block=2),
        relabelled_events(HASHES, opposite, kappa=kappa, n_b=None, seed=4, block=2),
    )


SHARES = np.random.default_rng(5).uniform(0, 1, len(HASHES))


def test_every_event_gets_side_b_by_its_own_share():
    drawn = np.concatenate([bits(event_labels_of_shares(HASHES, SHARES, seed=1, block=b)) for b in range(8)], axis=1)
    n = drawn.shape[1]
    pulls = (drawn.mean(axis=1) - SHARES) / np.sqrt(SHARES * (1 - SHARES) / n)
    assert abs(pulls.mean()) < 4.5 / np.sqrt(len(pulls))
    assert pulls.std() == pytest.approx(1.0, abs=0.06)
    # Events that are close in share know no more of each other than others.
    residual = drawn - SHARES[:, None]
    assert residual.sum(axis=0).std() == pytest.approx(np.sqrt((SHARES * (1 - SHARES)).sum()), rel=0.15)


def test_shares_of_events_belong_to_the_event():
    whole = event_labels_of_shares(HASHES, SHARES, seed=1, block=5)
    some = np.random.default_rng(2).permutation(len(HASHES))[:100]
    np.testing.assert_array_equal(whole[some], event_labels_of_shares(HASHES[some], SHARES[some], seed=1, block=5))
    np.testing.assert_array_equal(whole[::-1], event_labels_of_shares(HASHES[::-1], SHARES[::-1], seed=1, block=5))


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_sets_more_of_the_same_labels(one, other):
    small, large = (
        event_labels_of_shares(HASHES, np.full(len(HASHES), share), seed=1, block=0) for share in sorted((one, other))
    )
    assert (small & ~large == 0).all()


def test_opposite_events_are_drawn_mirrored():
    every = np.ones(len(HASHES), bool)
    mirrored = event_labels_of_shares(HASHES, SHARES, opposite=every, seed=1, block=0)
    np.testing.assert_array_equal(mirrored, ~event_labels_of_shares(HASHES, 1 - SHARES, seed=1, block=0))
    share = bits(mirrored).mean(axis=1)
    assert np.corrcoef(share, SHARES)[0, 1] > 0.95


def test_certain_labels_are_certain():
    sure = event_labels_of_shares(HASHES, np.where(SHARES < 0.5, 0.0, 1.0), seed=1, block=0)
    np.testing.assert_array_equal(sure, np.where(SHARES < 0.5, 0, 2**64 - 1).astype(np.uint64))


@pytest.mark.parametrize("shares", [np.full(3, 0.5), np.where(SHARES < 0.1, np.nan, 0.5), SHARES - 0.1, SHARES + 0.1])
def test_shares_that_are_none(shares):
    with pytest.raises(InputError, match="shares"):
        event_labels_of_shares(HASHES, shares, seed=1, block=0)


def test_event_permutations_keep_the_number_of_labels():
    n_b = 1_300
    labels = event_permutation(HASHES, n_b, seed=1, block=2)
    drawn = bits(labels)
    assert (drawn.sum(axis=0) == n_b).all()
    assert drawn.mean(axis=1).std() == pytest.approx(np.sqrt(0.325 * 0.675 / TOYS), rel=0.1)
    mirrored = event_permutation(HASHES, len(HASHES) - n_b, seed=1, block=2, mirrored=np.ones(len(HASHES), bool))
    np.testing.assert_array_equal(mirrored, ~labels)
    assert not event_permutation(HASHES, 0, seed=1, block=2).any()
    with pytest.raises(InputError, match="between 0 and all"):
        event_permutation(HASHES, len(HASHES) + 1, seed=1, block=2)


def test_counting_labels_is_counting_events():
    rng = np.random.default_rng(3)
    bins = rng.integers(0, 50, len(HASHES))
    weights = rng.normal(1, 0.5, len(HASHES))
    labels = event_labels(HASHES, 1.0, seed=1, block=0)
    one = bits(labels).astype(float)
    for given_weights in (None, weights):
        found = count_labels(labels, bins, 60, given_weights)
        for t in (0, 17, 63):
            w = one[:, t] * (1 if given_weights is None else given_weights)
            assert found[:, t] == pytest.approx(np.bincount(bins, w, minlength=60), rel=1e-4, abs=1e-4)
    assert count_labels(labels[:0], bins[:0], 3).shape == (3, TOYS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": [1.5]}, "counts are whole"),
        ({"n": [-1]}, "counts are 0 or more"),
        ({"n": [[1]]}, "one dimension"),
        ({"n": [3], "n_b": 4}, "between 0 and all"),
        ({"n": [2 * 10**9], "n_b": 4}, "binomial"),
        ({"n": [3], "kappa": 0}, "positive"),
        ({"n": [3], "seed": -1}, "0 or more"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(InputError, match=message):
        relabel(**arguments)


def test_unknown_null():
    assert check_null("fixed") == "fixed"
    with pytest.raises(InputError, match="binomial"):
        check_null("bootstrap")


def test_relabelled_counts_give_normal_n_sigma_at_any_ratio():
    """Law 4 in the small: relabelling one pair gives the null of N_sigma."""
    n = np.random.default_rng(0).poisson(3.0, 784)
    drawn = many(n, 20, kappa=5.0, seed=9)
    result = stats.n_sigma((n[:, None] - drawn).T, drawn.T, kappa=5.0, batch_ndim=1)
    assert scipy_stats.kstest(result.statistic, "norm").pvalue > 0.01
