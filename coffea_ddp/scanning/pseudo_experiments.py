"""Pseudo-experiments of a whole scan: the labels of all events drawn anew, and every test done again on every cell.

Law 4: labels are drawn for exclusive cells, so one draw is one pseudo-experiment for all cells and all rectangles of an
observable, with their correlations. Where all events of a symmetry are stored, its labels are drawn per event, keyed to
the event's identity: then all its observables are relabelled alike, and so are other symmetries of which that is true.
An event that is on the same side of two symmetries is put on the same side again in both, one that is on opposite sides
on opposite ones, so the correlation of symmetries is that of the data. Elsewhere every observable draws its own labels;
combined as if they were independent, which overlapping events are not: a bound, and the report says so.

Random numbers belong to (symmetry, observable, block of 64 pseudo-experiments), not to workers. Work is cut into two
blocks each, which tests that know bounds (:class:`~coffea_ddp.scanning.protocols.BoundedTest`) take together.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.scanning.labelled_events import LabelledEvents
from coffea_ddp.scanning.memberships import Memberships
from coffea_ddp.scanning.protocols import BoundedTest, RelabelledCounts
from coffea_ddp.scanning.scanned import NullScores
from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.relabelling import relabel
from coffea_ddp.stats.side_weights import pooled_variance
from coffea_ddp.stats.submatrix.bounded.maxima import TOGETHER
from coffea_ddp.stats.submatrix.overlapping import (
    Entries,
    FloatingKappaLabels,
    KnownKappaLabels,
    Labels,
    MaxScores,
    Membership,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.scanning.channel_shares import Drawn
    from coffea_ddp.scanning.engines import Engine
    from coffea_ddp.scanning.expectation import ChannelExpectation
    from coffea_ddp.scanning.scanned import Draw, Family, ScannedCells, ScannedObservable
    from coffea_ddp.stats.submatrix.bounded.maxima import Bounded

    Single = NDArray[np.float32]
    BlockScores = list[tuple[Single, Single]]
    """Scores of one block of pseudo-experiments: of each test the largest of all cells, shape (TOYS,), and those of the
    cells to keep, shape (n_kept, TOYS)."""


def pseudo_experiments(
    observables: Iterable[ScannedObservable],
    draw: Draw,
    engine: Engine,
    progress: Callable[[str], None] | None = None,
) -> dict[Family, NullScores]:
    """Make the pseudo-experiments of a scan.

    Parameters
    ----------
    observables
        What was tested.
    draw
        How many, and how.
    engine
        What makes them.
    progress
        Called after every block, with the name of what it belongs to.

    Returns
    -------
    dict
        One :class:`NullScores` per test, symmetry and observable that tested any cell.
    """
    found: dict[Family, NullScores] = {}
    begun: deque[tuple[_Channel, bool]] = deque()

    def works() -> Iterator[_Work]:
        for observable in observables:
            work = _Work.make(observable, draw)
            begun.append((work.of, work.keyed))
            yield work

    def done(name: str, n: int) -> None:
        if progress is not None:
            for _ in range(n):
                progress(name)

    for blocks in engine.results(works(), done):
        of, keyed = begun.popleft()
        for i, tested in enumerate(of.tested):
            best = np.concatenate([block[i][0] for block in blocks])[: draw.toys]
            kept = np.concatenate([block[i][1] for block in blocks], axis=1)[:, : draw.toys]
            found[tested.test.name, of.symmetry, of.observable] = NullScores(
                best.astype(np.float64),
                {cell: kept[k].astype(np.float64) for k, cell in enumerate(tested.kept.tolist())},
                keyed,
            )
    return found


class _Channel(NamedTuple):
    """One observable of one symmetry, as its blocks need it: without contents and events, which may be large.

    Attributes
    ----------
    symmetry, observable
        Names.
    shape
        Rows and columns of the matrix of a cell.
    tested
        Of each test.
    expected
        What is expected of side B.
    """

    symmetry: str
    observable: str
    shape: tuple[int, int]
    tested: tuple[ScannedCells, ...]
    expected: ChannelExpectation

    @classmethod
    def of(cls, scanned: ScannedObservable) -> _Channel:
        counts = scanned.counts
        return cls(counts.symmetry, counts.observable, counts.shape, scanned.tested, scanned.expected)


@dataclass(frozen=True, eq=False)
class _Work:
    """One observable, ready for its blocks.

    ``members`` are the cells of every test, for every expectation in ``expected`` apart; ``bounded`` the same of the
    tests that know bounds, where all are held.
    """

    of: _Channel
    entries: Entries
    expected: tuple[ChannelExpectation, ...]
    members: tuple[tuple[Memberships, ...], ...]
    bounded: tuple[tuple[Bounded | None, ...], ...]
    weights: FloatArray | None
    events: LabelledEvents | None
    draw: Draw
    n_b: int
    n_other: int

    @property
    def key(self) -> str:
        """The name that random numbers belong to which are not keyed to events."""
        return f"{self.of.symmetry}|{self.of.observable}"

    @property
    def name(self) -> str:
        """Symmetry and observable, as progress names them."""
        return f"{self.of.symmetry}: {self.of.observable}"

    @property
    def keyed(self) -> bool:
        shares = self.of.expected.shares
        return self.events is not None if shares is None else shares.keyed is not None

    @classmethod
    def make(cls, of: ScannedObservable, draw: Draw) -> _Work:
        if of.expected.shares is not None:
            shares = (of.expected.shares, *of.expected.shares.without)
            expectations = tuple(dataclasses.replace(of.expected, shares=one) for one in shares)
            apart, entries = _members_apart(of, len(shares)), _entries_of(of)
            bounded = _all_bounded(of, entries, expectations, apart)
            return cls(_Channel.of(of), entries, expectations, apart, bounded, None, None, draw, 0, 0)
        expected, contents, squares = of.expected, of.counts.counts, of.counts.squares
        n_codes, _, n_bins = contents.shape
        # kappa of the totals of labels by event is only that of the data where N_A is kept.
        events = (
            None
            if expected.fixed and draw.null == "binomial"
            else LabelledEvents.make(of.stored, of.counts, of.events.entries.sum(), of.expected.side_ratio)
        )
        counts = of.counts.entries.sum(axis=1)
        v = counts if squares is None else pooled_variance(squares[:, 0], squares[:, 1], expected.side_ratio)
        if events is not None:
            counts, v = events.tables(n_codes, n_bins)
        # Of one layout, as they come out of a journey, so that one piece of compiled code serves all.
        code, place = map(np.ascontiguousarray, np.nonzero(counts))
        if events is not None:
            events = events.placed(code * n_bins + place, n_bins)
        n, variances = counts[code, place].astype(np.int64), v[code, place].astype(np.float64)
        # Where each cell has its own kappa, the cell's factor comes later.
        factor = 1.0 if expected.per_cell else expected.kappa
        starts = np.searchsorted(code, np.arange(n_codes + 1))
        entries = Entries(starts=starts, bins=place, n=n, v=factor * variances)
        apart = tuple((_members(of, tested, tested.cells),) for tested in of.tested)
        bounded = _all_bounded(of, entries, (expected,), apart)
        weights = None if squares is None else np.sqrt(variances / n)
        # N_A, or an estimated kappa, is that of all events.
        sides = of.events.entries.sum(axis=(0, 2))
        n_b, n_other = int(sides[1]), int(sides.sum() - n.sum())
        return cls(_Channel.of(of), entries, (expected,), apart, bounded, weights, events, draw, n_b, n_other)

    @property
    def parts(self) -> list[range]:
        """The blocks that tests with bounds take together."""
        n_blocks = -(-self.draw.toys // TOYS)
        return [range(first, min(first + TOGETHER, n_blocks)) for first in range(0, n_blocks, TOGETHER)]

    def results(self, numbers: Sequence[int]) -> list[BlockScores]:
        """Return the largest score of all cells, and the scores of those that are kept, of every block and test."""
        tests = self.of.tested
        found = [
            [(np.full(TOYS, -np.inf, np.float32), np.zeros((len(one.kept), TOYS), np.float32)) for one in tests]
            for _ in numbers
        ]
        same: list[Drawn | None] = [None for _ in numbers]
        for part, expected in enumerate(self.expected):
            toys = []
            for i, number in enumerate(numbers):
                if expected.shares is None:
                    toys.append(self._relabelled(number, expected))
                    continue
                drawn = expected.shares.drawn(self.draw.seed, self.key, number, same[i])
                same[i] = same[i] or drawn
                toys.append(self._with_shares(drawn, expected))
            for i, members in enumerate(self.members):
                for cells in members[part]:
                    self._take(i, part, cells, toys, [MaxScores(0, *block[i]) for block in found])
        return found

    def _take(
        self, test: int, part: int, cells: Membership, toys: Sequence[RelabelledCounts], out: Sequence[MaxScores]
    ) -> None:
        """Take the scores of some cells by one test, with one expectation, both by their numbers."""
        tested, bounded = self.of.tested[test], self.bounded[test][part]
        if bounded is None and not self.members[test][part].held:
            bounded = _bounded(tested, self.entries, cells, self.of.shape, self.expected[part])
        if bounded is not None:
            bounded.take([one.labels for one in toys], out)
            return
        for one, scores in zip(toys, out, strict=True):
            tested.test.relabelled(one, cells, scores)

    def _with_shares(self, drawn: Drawn, expected: ChannelExpectation) -> RelabelledCounts:
        labels = KnownKappaLabels(drawn.residual, drawn.b)
        kappa = np.asarray(expected.kappa)
        return RelabelledCounts(self.entries, self.of.shape, labels, drawn.b, drawn.a, kappa, expected)

    def _relabelled(self, number: int, expected: ChannelExpectation) -> RelabelledCounts:
        n_entries, shape = len(self.entries.n), self.of.shape
        kappa = np.asarray(expected.kappa)
        labels: Labels
        if self.events is not None:
            n_b = self.n_b if self.draw.null == "fixed" else None
            b, a = self.events.sides(n_entries, expected, n_b, self.draw.seed, number)
        else:
            b, a = self._drawn(number)
        if self.events is None and self.draw.null == "binomial" and expected.fixed:
            # The last entry are the events outside of the axes: kappa is estimated anew from all.
            a = a.astype(np.float64)
            kappa = np.maximum(b.sum(axis=0), 1e-15) / np.maximum(a.sum(axis=0), 1e-15)
            # In widths of the observed kappa's, with which the weights are made.
            x = (b - kappa * a) * np.sqrt(expected.kappa / kappa)
            labels = KnownKappaLabels(x[:n_entries].astype(np.float32), b[:n_entries])
        elif expected.per_cell:
            labels = FloatingKappaLabels(b[:n_entries], a[:n_entries])
        else:
            residual = b[:n_entries] - kappa * a[:n_entries]
            labels = KnownKappaLabels(residual.astype(np.float32), b[:n_entries])
        return RelabelledCounts(self.entries, shape, labels, b[:n_entries], a[:n_entries], kappa, expected)

    def _drawn(self, number: int) -> tuple[Single, Single]:
        """Draw B and A of every entry and, last, of the events outside of the axes."""
        expected, n = self.of.expected, np.append(self.entries.n, self.n_other)
        # With weights that belong to a side the odds are those of events, and each side has its weights again.
        kappa, root = expected.kappa / expected.side_ratio, np.sqrt(expected.side_ratio)
        n_b = self.n_b if self.draw.null == "fixed" else None
        b = relabel(n, kappa=kappa, n_b=n_b, seed=self.draw.seed, key=self.key, block=number)
        a = (n[:, None] - b).astype(np.float32)
        if self.weights is None:
            return b, a
        weights = np.append(self.weights, self.weights.mean() if len(self.weights) else 1.0)[:, None]
        return (b * (weights * root)).astype(np.float32), (a * (weights / root)).astype(np.float32)


def _entries_of(of: ScannedObservable) -> Entries:
    """Return the entries of events that have shares: what tests of counts alone need of them."""
    assert of.expected.shares is not None
    entries = of.expected.shares.entries
    return Entries(entries.starts, entries.bins, np.rint(entries.n).astype(np.int64), entries.v)


def _members_apart(of: ScannedObservable, number: int) -> tuple[tuple[Memberships, ...], ...]:
    """Return the cells of every test, those of each of the fits that shares come from apart."""
    assert of.expected.shares is not None
    which = of.expected.shares.fit_of
    found = []
    for tested in of.tested:
        mine = np.full(len(tested.cells), 0) if which is None else which[tested.cells] + 1
        found.append(tuple(_members(of, tested, tested.cells[mine == part]) for part in range(number)))
    return tuple(found)


def _members(of: ScannedObservable, tested: ScannedCells, cells: IntArray) -> Memberships:
    """Return some of the cells that a test tested."""
    return Memberships.of(of.cells, tested, cells, per_cell=of.expected.per_cell)


def _all_bounded(
    of: ScannedObservable,
    entries: Entries,
    expected: tuple[ChannelExpectation, ...],
    apart: tuple[tuple[Memberships, ...], ...],
) -> tuple[tuple[Bounded | None, ...], ...]:
    """Return what is ready of every test and expectation, where all cells are held."""
    return tuple(
        tuple(
            None if cells.whole is None else _bounded(tested, entries, cells.whole, of.counts.shape, one)
            for cells, one in zip(members, expected, strict=True)
        )
        for tested, members in zip(of.tested, apart, strict=True)
    )


def _bounded(
    tested: ScannedCells, entries: Entries, cells: Membership, shape: tuple[int, int], expected: ChannelExpectation
) -> Bounded | None:
    """Return cells that are ready for pseudo-experiments by bounds; ``None`` where these do not hold."""
    if not isinstance(tested.test, BoundedTest):
        return None
    return tested.test.bounded(entries, cells, shape, expected, tested.observed)
