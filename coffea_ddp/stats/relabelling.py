"""Relabelling: pseudo-experiments in which the labels A and B of the observed events are drawn anew.

Under the null the label of every event is exchangeable: given the n = A + B events of a bin, B is binomial with
``p = kappa / (1 + kappa)``. What a relabelling does to exclusive pieces it does to every union of them, so the
correlations of overlapping cells and windows come out right. Two nulls are offered, and they are different:

``"binomial"``
    Every event is labelled independently. N_A varies: the test is sensitive to the normalisation, as N_sigma with a
    known kappa is. Right when kappa is known.
``"fixed"``
    N_A stays what it was (a permutation; bins follow the multivariate hypergeometric law). Shape only. Right when
    kappa was estimated from the same totals; a statistic with another kappa is then not centred on 0 (28 x 28 bins
    with 20,084 and 19,928 events: N_sigma has mean -0.61 and width 0.64).

Random numbers come in blocks of :data:`TOYS` pseudo-experiments, each block from (seed, key, number of the block): the
same whoever draws it, in whatever order. Where one event is in several histograms its label can be keyed to the event
itself (:func:`event_labels`), so that all histograms are relabelled alike.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from coffea_ddp._splitmix import FACTORS, GOLDEN, mixed
from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats._compiled import TOYS, compiled
from coffea_ddp.stats.conversion import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from coffea_ddp._typing import BoolArray, FloatArray, IntArray

    Single = NDArray[np.float32]

NullKind = Literal["binomial", "fixed"]

_BITS = 32
"""Bits of a probability: p is met to 2^-33, far below what 10^9 events could see."""

_MOST_COINS = 1024
"""Largest number of events of a bin that are labelled by fair coins, 64 in one word; more are one binomial number."""

MOST_ERROR = 10.0
"""A ratio whose logarithm is less certain than that is not known at all."""

_MOST_FIXED = 10**9
"""numpy draws no hypergeometric numbers beyond."""


def stream(seed: int, key: str, block: int) -> np.random.Generator:
    """Return the generator of one block of pseudo-experiments.

    Parameters
    ----------
    seed, key, block
        The user's seed (not negative), what is drawn, and the number of the block.

    Raises
    ------
    InputError
        If the seed is negative.
    """
    if seed < 0:
        raise InputError(f"seed={seed}: give 0 or more")
    digest = hashlib.sha256(key.encode()).digest()
    words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
    return np.random.default_rng(np.random.SeedSequence([seed, *words, block]))


def relabel(
    n: ArrayLike,
    *,
    kappa: ArrayLike = 1.0,
    n_b: int | None = None,
    spread: ArrayLike = 0.0,
    common: float = 0.0,
    seed: int = 0,
    key: str = "",
    block: int = 0,
) -> Single:
    """Return how many of the events of every bin get the label B, in one block of pseudo-experiments.

    Parameters
    ----------
    n
        Events of every bin, both sides together; whole numbers, shape (bins,).
    kappa
        The expected ratio B / A: a number, or one per bin.
    n_b
        With a number, exactly this number of events get the label B (``"fixed"``: kappa plays no role); without, every
        event is labelled on its own (``"binomial"``).
    spread
        Relative systematic error of kappa in every bin, independent from bin to bin: a number, or one per bin. Every
        pseudo-experiment draws its own kappa (log-normal).
    common
        Relative error of kappa that all bins share.
    seed, key, block
        Where the random numbers come from.

    Returns
    -------
    ndarray of float32, shape (bins, TOYS)

    Raises
    ------
    InputError
        If counts are negative or fractional, ``n_b`` is not between 0 and their sum, or the sum is above 10^9 with
        ``n_b`` given.

    Examples
    --------
    >>> labels = relabel([10, 0, 4], kappa=1.0, seed=1, key="example", block=0)
    >>> labels.shape, bool((labels <= [[10], [0], [4]]).all())
    ((3, 64), True)
    """
    events = checks.counts(n, "n", cure="round them first").astype(np.int64)
    if events.ndim != 1:
        raise InputError(f"n has shape {events.shape}: relabelling needs counts in one dimension; flatten them first")
    if not isinstance(key, str):
        raise InputError(f"key={shown(key)}: give text")
    rng = stream(checks.seed(seed), key, checks.whole(block, "block"))
    if n_b is not None:
        return _fixed(events, checks.whole(n_b, "n_b"), rng)
    ratio, width = checks.ratios(kappa, "kappa"), checks.positive(spread, "spread")
    for name, values in (("kappa", ratio), ("spread", width)):
        if values.shape not in ((), events.shape):
            raise InputError(f"{name} has shape {values.shape}; give a number, or one for each of {len(events)} bins")
    common = checks.number(common, "common", low=0.0, high=MOST_ERROR)
    if (width > MOST_ERROR).any():
        raise InputError(f"spread={shown(spread)}: give relative errors, no more than {MOST_ERROR:g}")
    if common or width.any():
        shift = common * rng.standard_normal(TOYS) + _column(width, events) * rng.standard_normal((len(events), TOYS))
        ratio = _column(ratio, events) * np.exp(shift)
        return rng.binomial(events[:, None], ratio / (1 + ratio)).astype(np.float32)
    if ratio.ndim == 0 and ratio == 1.0:
        return _coins(events, rng)
    return rng.binomial(events[:, None], _column(ratio / (1 + ratio), events), (len(events), TOYS)).astype(np.float32)


def _column(values: FloatArray, events: IntArray) -> FloatArray:
    return np.broadcast_to(values, events.shape)[:, None]


def _fixed(events: IntArray, n_b: int, rng: np.random.Generator) -> Single:
    total = int(events.sum())
    if not 0 <= n_b <= total:
        raise InputError(f"n_b={n_b} of {total} events: give a number between 0 and all of them")
    if total >= _MOST_FIXED:
        raise InputError(f"{total:.3g} events are too many for permutations of fixed size (10^9); use null='binomial'")
    drawn = rng.multivariate_hypergeometric(events, n_b, size=TOYS, method="marginals")
    return np.ascontiguousarray(drawn.T, dtype=np.float32)


def _coins(events: IntArray, rng: np.random.Generator) -> Single:
    """Draw Binomial(n, 1/2) as the number of ones in n random bits."""
    result = np.zeros((len(events), TOYS), dtype=np.float32)
    many = events > _MOST_COINS
    if many.any():
        result[many] = rng.binomial(events[many, None], 0.5, (int(many.sum()), TOYS))
    few = np.flatnonzero(~many & (events > 0))
    if len(few):
        n_words = -(-events[few] // 64)
        starts = np.concatenate([[0], np.cumsum(n_words)[:-1]])
        words = rng.integers(0, 2**64, (int(n_words.sum()), TOYS), dtype=np.uint64)
        # The last word of a bin is cut to the bits that are left.
        last = starts + n_words - 1
        left = (events[few] - 64 * (n_words - 1)).astype(np.uint64)
        words[last] &= (np.uint64(2**64 - 1) >> (np.uint64(64) - left))[:, None]
        result[few] = np.add.reduceat(np.bitwise_count(words), starts, axis=0, dtype=np.float32)
    return result


def event_labels(hashes: NDArray[np.uint64], kappa: float, *, seed: int, block: int) -> NDArray[np.uint64]:
    """Return the labels of events in one block of pseudo-experiments, keyed to the events themselves.

    Parameters
    ----------
    hashes
        The hash of every event's identity; shape (n_events,).
    kappa
        The expected ratio B / A.
    seed, block
        Where the random bits come from, together with the hash.

    Returns
    -------
    ndarray of uint64, shape (n_events,)
        Bit t is set where the event gets the label B in pseudo-experiment ``64 block + t``. The bits of an event
        depend on nothing but its hash, kappa, seed and block; with a larger kappa the same bits are set, and more.

    Notes
    -----
    A bit that is 1 with probability p = 0.b1 b2 ... (binary) is made of fair coins c1 c2 ... by taking, from the last
    digit to the first, ``r = c | r`` where b is 1 and ``r = c & r`` where it is 0.
    """
    chances = np.full(hashes.shape, round(kappa / (1 + kappa) * 2**_BITS), dtype=np.uint64)
    return _labels(hashes, chances, seed, block)


def event_labels_of_shares(
    hashes: NDArray[np.uint64], shares: FloatArray, *, opposite: BoolArray | None = None, seed: int, block: int
) -> NDArray[np.uint64]:
    """Return labels of events as :func:`event_labels` does, where every event has a different probability.

    Parameters
    ----------
    hashes
        The hash of every event's identity; shape (n_events,).
    shares
        P(side B) of every event, met to 2^-33; shape (n_events,).
    opposite
        Events whose labels are mirrored (:func:`relabelled_events`): drawn with 1 - share, then exchanged.
    seed, block
        Where the random bits come from, together with the hash.

    Returns
    -------
    ndarray of uint64, shape (n_events,)
        As of :func:`event_labels`, and the same where all shares are ``kappa / (1 + kappa)``. With a larger share the
        same bits of an event are set, and more.

    Raises
    ------
    InputError
        If there are not as many shares as events, or one is not between 0 and 1.

    Examples
    --------
    >>> hashes = np.arange(1, 1001, dtype=np.uint64)
    >>> labels = event_labels_of_shares(hashes, np.full(1000, 0.75), seed=1, block=0)
    >>> bool((labels == event_labels(hashes, 3.0, seed=1, block=0)).all())
    True
    """
    if shares.shape != hashes.shape:
        raise InputError(f"shares have shape {shares.shape}; give one for each of {len(hashes)} events")
    if not ((shares >= 0) & (shares <= 1)).all():
        raise InputError(f"shares={shown(shares)}: give the probability of side B of every event, 0 to 1")
    drawn = np.abs(shares.astype(np.float64) - (0 if opposite is None else opposite))
    chances = np.rint(drawn * 2**_BITS).astype(np.uint64)
    result = _labels(hashes, chances, seed, block)
    return result if opposite is None else np.where(opposite, ~result, result)


def _labels(hashes: NDArray[np.uint64], chances: NDArray[np.uint64], seed: int, block: int) -> NDArray[np.uint64]:
    """Return labels B with chances in units of 2^-32."""
    start = stream(seed, "event labels", block).integers(0, 2**64, dtype=np.uint64)
    with np.errstate(over="ignore"):
        starts = start * np.arange(2 * _BITS - 1, 0, -2, dtype=np.uint64)
    return np.asarray(_labels_of_chances(np.ascontiguousarray(hashes), chances, starts))


@compiled
def _labels_of_chances(
    hashes: NDArray[np.uint64], chances: NDArray[np.uint64], starts: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Return bits that are 1 with probability chance / 2^32, made as in :func:`event_labels`."""
    none, one = np.uint64(0), np.uint64(1)
    result = np.empty_like(hashes)
    for i in range(len(hashes)):
        chance, word = chances[i], none
        for start in starts:
            digit = chance & one
            chance >>= one
            if digit or word:
                # The finaliser of splitmix64, twice.
                coins = hashes[i] + start
                for _ in range(2):
                    coins = (coins ^ (coins >> np.uint64(30))) * FACTORS[0]
                    coins = (coins ^ (coins >> np.uint64(27))) * FACTORS[1]
                    coins = (coins ^ (coins >> np.uint64(31))) + GOLDEN
                word = coins | word if digit else coins & word
        result[i] = ~none if chance else word  # what is left of the chance is its whole part: certainty
    return result


def event_permutation(
    hashes: NDArray[np.uint64], n_b: int, *, seed: int, block: int, mirrored: BoolArray | None = None
) -> NDArray[np.uint64]:
    """Return labels of events as :func:`event_labels` does, with exactly ``n_b`` labels B in every pseudo-experiment.

    Parameters
    ----------
    hashes
        The hash of every event's identity; shape (n_events,).
    n_b
        How many of them get the label B: those with the smallest keys, which are made of hash, seed and block.
    seed, block
        Where the keys come from.
    mirrored
        Events whose keys count from the other end; shape (n_events,).

    Raises
    ------
    InputError
        If ``n_b`` is not between 0 and the number of events.
    """
    if not 0 <= n_b <= len(hashes):
        raise InputError(f"n_b={n_b} of {len(hashes)} events: give a number between 0 and all of them")
    start = stream(seed, "event permutation", block).integers(0, 2**64, dtype=np.uint64)
    result = np.zeros(hashes.shape, dtype=np.uint64)
    if not n_b:
        return result
    for t in range(TOYS):
        with np.errstate(over="ignore"):
            keys = _mix(hashes + start * np.uint64(2 * t + 1))
        if mirrored is not None:
            keys = np.where(mirrored, ~keys, keys)
        result[np.argpartition(keys, n_b - 1)[:n_b]] |= np.uint64(1) << np.uint64(t)
    return result


def relabelled_events(
    hashes: NDArray[np.uint64], opposite: BoolArray, *, kappa: float, n_b: int | None, seed: int, block: int
) -> NDArray[np.uint64]:
    """Return labels keyed to events that are in several symmetries, one of which is relabelled here.

    Parameters
    ----------
    hashes
        The hash of every event's identity; shape (n_events,).
    opposite
        Which events are on another side of this symmetry than of the first one that they are in: their labels are
        mirrored, so that one event moves alike in all symmetries; shape (n_events,).
    kappa
        The expected ratio B / A.
    n_b
        With a number, exactly this number get the label B; without, every event is labelled independently.
    seed, block
        Where the random bits come from, together with the hash.

    Returns
    -------
    ndarray of uint64, shape (n_events,)
        As of :func:`event_labels`.
    """
    if n_b is not None:
        return event_permutation(hashes, n_b, seed=seed, block=block, mirrored=opposite)
    same = event_labels(hashes, kappa, seed=seed, block=block)
    # The mirrored coins: side B where the others would be on A with the inverse ratio.
    return np.where(opposite, ~event_labels(hashes, 1 / kappa, seed=seed, block=block), same)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return well-mixed words (the finaliser of splitmix64, twice, since the inputs differ by little)."""
    with np.errstate(over="ignore"):
        return mixed(mixed(x) + GOLDEN) + GOLDEN


def count_labels(labels: NDArray[np.uint64], bins: IntArray, n_bins: int, weights: FloatArray | None = None) -> Single:
    """Return how many events of every bin have the label B, in every pseudo-experiment of a block.

    Parameters
    ----------
    labels
        From :func:`event_labels`; shape (n_events,).
    bins
        The bin of every event, shape (n_events,); ``n_bins`` is their number.
    weights
        Sum up these instead of counting; shape (n_events,).

    Returns
    -------
    ndarray of float32, shape (n_bins, TOYS)

    Examples
    --------
    >>> labels = np.array([0b01, 0b11], dtype=np.uint64)
    >>> count_labels(labels, np.array([1, 1]), 2)[:, :3]
    array([[0., 0., 0.],
           [2., 1., 0.]], dtype=float32)
    """
    result = np.zeros((n_bins, TOYS), dtype=np.float32)
    if len(labels):
        order = np.argsort(bins, kind="stable")
        bits = np.unpackbits(labels[order][:, None].view(np.uint8), axis=1, bitorder="little")
        used, starts = np.unique(bins[order], return_index=True)
        values = bits if weights is None else bits * weights[order][:, None]
        result[used] = np.add.reduceat(values, starts, axis=0, dtype=np.float32)
    return result


def check_null(null: object) -> NullKind:
    """Return the name of a null, checked.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    for known in get_args(NullKind):
        if isinstance(null, str) and null == known:
            return known  # type: ignore[no-any-return]
    raise InputError(
        f"null={shown(null)}: choose 'binomial' (kappa known) or 'fixed' (N_A kept: kappa from the totals)"
    )
