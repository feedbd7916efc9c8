"""Input of the tests on events in the cells of a pass: events, cells and pseudo-experiments, and their outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.scanning.results import CellResults
from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.log_ratio.score_test import LARGEST
from coffea_ddp.stats.relabelling import NullKind, event_labels_of_shares, relabelled_events
from coffea_ddp.stats.samples.points import Points, pool

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.histograms.lattice import DistinctCells
    from coffea_ddp.histograms.samples import Samples
    from coffea_ddp.scanning.calibrated_events import CalibratedEvents
    from coffea_ddp.scanning.expectation import ChannelExpectation

ALL_FEATURES = "all features"
"""The observable of a test of all stored features of a symmetry together."""


class EventFit(NamedTuple):
    """Uncertainty of the fit of the shares of events, and labels that move with it.

    Attributes
    ----------
    events
        All calibrated events.
    places
        Of these samples among them; shape (n_events,), as of what follows.
    opposite
        On another side than in the first symmetry that exchanges flavours.
    """

    events: CalibratedEvents
    places: IntArray
    opposite: BoolArray

    @property
    def moves(self) -> tuple[FloatArray, FloatArray]:
        """Moves of ``y - e`` of every event with the fit, and the same of fitted events; (n_events, n_directions)."""
        moves = np.where(self.opposite, -1.0, 1.0)[:, None] * self.events.moves[self.places]
        return moves, np.where(self.events.fitted[self.places, None], moves, 0.0)

    def labels(self, seed: int, block: int) -> NDArray[np.uint64]:
        """Return one block of labels, bits that are set on side B; shape (n_events,)."""
        words = self.events.drawn(seed, block)[0][self.places]
        return np.where(self.opposite, ~words, words)


_CELLS, _ROWS = 512, 2**23
"""Cells of a block, and numbers in its rows of the membership matrix, at most."""
_BYTES = 2**28


@dataclass(frozen=True, eq=False)
class UnbinnedInput:
    """Input of a test of events: the samples, their cells, and what is expected of their labels.

    Attributes
    ----------
    samples
        The events.
    cells
        The distinct cells of the symmetry.
    min_events
        Cells with fewer of these events are not tested.
    expected
        kappa.
    seed
        Of centres and folds.
    shares
        Expected P(B) of every event of the samples, shape (n_events,); ``None``: that of kappa for all.
    total
        Test the number of events on either side, too, and not their distribution alone: shares say what it is.
    fit
        What the shares were fitted to; ``None``: they are exact.
    """

    samples: Samples
    cells: DistinctCells
    min_events: int
    expected: ChannelExpectation
    seed: int
    shares: FloatArray | None = None
    total: bool = False
    fit: EventFit | None = None

    @property
    def share(self) -> float:
        """The expected share of A; 1/2 where every event has its own, as sums over events have these."""
        return 1.0 / (1.0 + self.expected.kappa) if self.shares is None else 0.5

    def points(self) -> Points:
        """Return all events in common units, in their order."""
        x, is_b = self.samples.x, self.samples.is_b
        first = pool(x[~is_b], x[is_b])
        x = np.arcsinh(first.standardised(x))
        both = pool(x[~is_b], x[is_b])
        labels = (~is_b).astype(np.int64)
        return Points(both.standardised(x), labels, np.ones(len(x), np.int64), both.centre, both.scale)


@dataclass(frozen=True, eq=False)
class UnbinnedResults:
    """Results of a test of events in the cells of one input; arrays of shape (n_tested,).

    Attributes
    ----------
    cells
        Numbers of the distinct cells.
    found
        As for tests of histograms; z is 0 or more.
    t
        The statistic itself.
    best
        Number of the test that was the best, among those that are made in each cell.
    n_dropped
        Events of the cell that the test did not see.
    total
        The number of events on either side is part of the tests.
    """

    cells: IntArray
    found: CellResults
    t: FloatArray
    best: IntArray
    n_dropped: IntArray
    total: bool = False


class PseudoExperiments(NamedTuple):
    """Pseudo-experiments to make.

    Attributes
    ----------
    number
        How many.
    null, seed
        How labels are drawn, and from what.
    pool
        Does pieces of work at the same time.
    progress
        Called with the number of pieces done, and of all.
    """

    number: int
    null: NullKind
    seed: int
    pool: Executor
    progress: Callable[[int, int], None]

    def steps(self, field: UnbinnedInput) -> list[slice]:
        """Return the pseudo-experiments in as many parts as memory asks for."""
        size = _BYTES // (4 * max(len(field.samples), len(field.samples.events) * (LARGEST + 1), 1))
        step = max(size // TOYS, 1) * TOYS
        return [slice(first, min(first + step, self.number)) for first in range(0, self.number, step)]

    def report(self, some: slice, done: int, of: int) -> None:
        """Report the number of pieces of work done for some pseudo-experiments."""
        self.progress(some.start * of + (some.stop - some.start) * done, self.number * of)

    def labels(self, field: UnbinnedInput, some: slice) -> NDArray[np.bool_]:
        """Return which events are A in some pseudo-experiments, shape (n_events, n); they begin with a block.

        Labels with individual expected shares are drawn each by itself, whatever ``null`` says: they have no
        permutations, and tests of shapes do not see how many of them there are.
        """
        first, last = some.start // TOYS, -(-some.stop // TOYS)
        words = np.ascontiguousarray(np.stack([self._block(field, block) for block in range(first, last)], axis=1))
        bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
        return np.asarray(bits[:, : some.stop - some.start] == 0)

    def residuals(self, field: UnbinnedInput, some: slice) -> NDArray[np.float32]:
        """Return what the labels are, 1 for A and 0 for B, less their expected shares of A; shape (n_events, n).

        Raises
        ------
        InputError
            If events have no expected shares.
        """
        return residuals_of(self.labels(field, some), field) + self.moved(field, some)

    def moved(self, field: UnbinnedInput, some: slice) -> NDArray[np.float32] | float:
        """Return how residuals of side A move with the fit of the shares in some pseudo-experiments; (n_events, n)."""
        if field.fit is None:
            return 0.0
        blocks = range(some.start // TOYS, -(-some.stop // TOYS))
        drawn = np.concatenate([field.fit.events.drawn(self.seed, block)[1] for block in blocks], axis=1)
        moves = field.fit.moves[0].astype(np.float32)
        return np.asarray(moves @ drawn[:, : some.stop - some.start].astype(np.float32), dtype=np.float32)

    def _block(self, field: UnbinnedInput, block: int) -> NDArray[np.uint64]:
        samples = field.samples
        if field.fit is not None:
            return field.fit.labels(self.seed, block)
        if field.shares is not None:
            return event_labels_of_shares(
                samples.hashes, field.shares, opposite=samples.opposite, seed=self.seed, block=block
            )
        n_b = int(samples.is_b.sum()) if self.null == "fixed" else None
        return relabelled_events(
            samples.hashes, samples.opposite, kappa=field.expected.kappa, n_b=n_b, seed=self.seed, block=block
        )


def residuals_of(is_a: BoolArray, field: UnbinnedInput) -> NDArray[np.float32]:
    """Return labels, shape (n_events, n), less the expected shares of A of their events.

    Raises
    ------
    InputError
        If events have no expected shares.
    """
    if field.shares is None:
        raise InputError("these events have no individual expected shares; give UnbinnedInput their shares")
    out = is_a.astype(np.float32)
    out -= (1.0 - field.shares[:, None]).astype(np.float32)
    return out


def cell_blocks(cells: DistinctCells, chosen: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
    """Yield some cells at a time, with their rows of the membership matrix, shape (n_cells, n_codes)."""
    size = max(min(_CELLS, _ROWS // max(len(cells.codes), 1)), 1)
    for start in range(0, len(chosen), size):
        some = chosen[start : start + size]
        yield some, cells.members(some)


def enough_events(field: UnbinnedInput) -> tuple[IntArray, NDArray[np.uint64], FloatArray, FloatArray]:
    """Return the cells with enough events, their thresholds, and their events of A and of B."""
    samples, cells = field.samples, field.cells
    levels = samples.levels(cells)
    n = np.zeros((2, len(cells)))
    n_codes = len(samples.events)
    for level in np.unique(levels):
        inside = samples.below(level)
        counts = [np.bincount(samples.code[inside & side], minlength=n_codes) for side in (~samples.is_b, samples.is_b)]
        chosen = levels == level
        n[:, chosen] = cells.sums(np.column_stack(counts))[chosen].T
    enough = np.flatnonzero(n.sum(axis=0) >= max(field.min_events, 2))
    return enough, levels[enough], n[0, enough], n[1, enough]


def expected_ratios(field: UnbinnedInput, cells: IntArray) -> FloatArray:
    """Return the expected B / A of cells, given by their numbers: kappa, or that of the shares of their events."""
    if field.shares is None:
        return np.full(len(cells), field.expected.kappa)
    levels = field.samples.levels(field.cells)[cells]
    found = np.zeros(len(cells))
    for level in np.unique(levels):
        inside, n_codes = field.samples.below(level), len(field.samples.events)
        e = np.bincount(field.samples.code[inside], field.shares[inside], minlength=n_codes)
        n = np.bincount(field.samples.code[inside], minlength=n_codes)
        for chosen, members in cell_blocks(field.cells, cells[levels == level]):
            found[np.searchsorted(cells, chosen)] = (members @ e) / (members @ (n - e))
    return found


def dropped_events(field: UnbinnedInput, cells: IntArray, seen: FloatArray) -> IntArray:
    """Return how many events of cells a test does not see, out of how many it does; shape (n_cells,)."""
    parts = [members @ field.samples.events for _, members in cell_blocks(field.cells, cells)]
    return np.rint(np.concatenate([*parts, np.zeros(0)]) - seen).astype(np.int64)


def results(z: FloatArray, n_a: FloatArray, n_b: FloatArray, trials: int, field: UnbinnedInput) -> CellResults:
    """Return what a test on events found in cells, as tests of histograms return it; all of shape (n_cells,)."""
    n = len(z)
    nothing, zeros = np.full(n, np.nan), np.zeros(n, np.int64)
    kappa, ones = np.full(n, field.expected.kappa), np.ones(n)
    return CellResults(z, z, z, n_a, n_b, zeros, nothing, kappa, ones, np.full(n, trials, np.int64), None)
