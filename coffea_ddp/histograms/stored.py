"""Stored events: the unbinned features, thinned by a hash of the event's identity.

Per symmetry and exclusive cell the k events with the smallest hashes are kept, with the threshold below which all are
(a bottom-k sketch). The same threshold holds for A and B, so N_A / N_B is not biased; sketches merged in any order
are the sketch of the union. What was dropped is known: the counts are exact, and kept elsewhere.

Examples
--------
>>> identity_hash([1], [2], [3]) == identity_hash([1], [2], [3])
array([ True])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp._splitmix import GOLDEN, mixed
from coffea_ddp.errors import InputError
from coffea_ddp.histograms.sparse import compact

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from coffea_ddp._typing import AnyArray, BoolArray, IntArray
    from coffea_ddp.histograms.layout import Layout

IDENTITY: tuple[tuple[str, type[np.generic]], ...] = (
    ("run", np.uint32),
    ("luminosityBlock", np.uint32),
    ("event", np.uint64),
    ("cell", np.int32),
    ("sides", np.uint64),
)
"""The columns that every table of stored events has, before the features (float32)."""

IDENTITY_NAMES = ("run", "luminosityBlock", "event")
"""The columns that tell events apart."""

ALL = np.uint64(2**64 - 1)
"""The threshold of a group from which nothing was dropped."""


def identity_hash(run: ArrayLike, luminosity_block: ArrayLike, event: ArrayLike) -> NDArray[np.uint64]:
    """Return a 64-bit hash of every event's identity (splitmix64 over the three numbers); shape (n_events,)."""
    state = np.zeros(np.shape(event), dtype=np.uint64)
    for part in (run, luminosity_block, event):
        with np.errstate(over="ignore"):
            state = mixed((state ^ np.asarray(part).astype(np.uint64)) + GOLDEN)
    return state


def side_bits(sides: NDArray[np.int8]) -> NDArray[np.uint64]:
    """Return one word an event: bit 2s set for side A of symmetry s, bit 2s + 1 for side B.

    Parameters
    ----------
    sides
        0, 1 or -1; shape (n_symmetries, n_events).
    """
    word = np.zeros(sides.shape[1], dtype=np.uint64)
    for number, side in enumerate(sides):
        bits = np.array([1, 2, 0], np.uint64) << np.uint64(2 * number)
        word |= bits.take(side)  # -1, neither, is the last one
    return word


def opposite_sides(sides: NDArray[np.uint64], symmetry: int) -> BoolArray:
    """Return which events are on another side of this symmetry than of the first one that they are in.

    Parameters
    ----------
    sides
        As of :func:`side_bits`; shape (n_events,).
    symmetry
        Its number; the events are all in it.
    """
    lowest = sides & (~sides + np.uint64(1))
    # Side A of symmetry s is bit 2s, side B bit 2s + 1: odd places are side B.
    odd = np.uint64(0xAAAAAAAAAAAAAAAA)
    first_is_b = (lowest & odd) != 0
    here_is_b = (sides >> np.uint64(2 * symmetry + 1)) & np.uint64(1) != 0
    return np.asarray(first_is_b != here_is_b)


@dataclass(frozen=True, eq=False)
class StoredEvents:
    """A table of events and the thresholds of the groups that were thinned.

    Attributes
    ----------
    columns
        ``run``, ``luminosityBlock``, ``event``, ``cell``, ``sides`` (see :func:`side_bits`), then the features in
        float32 (NaN where an event has none), in a calibrated pass ``share``, the expected share of an event among
        itself and its mirror image (float32), with ``share_error``, how its log-odds move with the error of a
        calibration from elsewhere, and in a weighted plan ``weight``.
    max_stored
        k: at most so many events a group.
    n_symmetries, n_exclusive
        A group is ``symmetry * n_exclusive + cell``.
    groups, thresholds
        The thinned groups, sorted, and below which hash their events are kept.
    """

    columns: Mapping[str, AnyArray]
    max_stored: int
    n_symmetries: int
    n_exclusive: int
    groups: IntArray
    thresholds: NDArray[np.uint64]

    @classmethod
    def make(
        cls, columns: Mapping[str, AnyArray], *, max_stored: int, n_symmetries: int, n_exclusive: int
    ) -> StoredEvents:
        """Return the sketch of a table of events.

        Raises
        ------
        InputError
            If the columns differ in length.
        """
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise InputError(f"stored events: columns of different lengths {lengths}")
        whole = cls(dict(columns), max_stored, n_symmetries, n_exclusive, np.zeros(0, np.int64), np.zeros(0, np.uint64))
        return whole._thinned()

    def __len__(self) -> int:
        """Return the number of stored events."""
        return len(self.columns["event"])

    @cached_property
    def hashes(self) -> NDArray[np.uint64]:
        """The identity hash of every event."""
        return identity_hash(*(self.columns[name] for name in ("run", "luminosityBlock", "event")))

    def threshold(self, symmetry: int, cells: IntArray) -> NDArray[np.uint64]:
        """Return the thresholds of cells in a symmetry (:data:`ALL` where nothing was dropped)."""
        return self._thresholds(symmetry * self.n_exclusive + np.asarray(cells, dtype=np.int64))

    def _thresholds(self, groups: IntArray) -> NDArray[np.uint64]:
        found = np.full(groups.shape, ALL, dtype=np.uint64)
        if len(self.groups):
            place = np.minimum(np.searchsorted(self.groups, groups), len(self.groups) - 1)
            hit = self.groups[place] == groups
            found[hit] = self.thresholds[place[hit]]
        return found

    def on_symmetry(self, symmetry: int) -> BoolArray:
        """Return which stored events belong to a symmetry's sketch."""
        on = (self.columns["sides"] >> np.uint64(2 * symmetry)) & np.uint64(3) != 0
        first, last = np.searchsorted(self.groups, [symmetry * self.n_exclusive, (symmetry + 1) * self.n_exclusive])
        if first == last:  # nothing was dropped
            return np.asarray(on)
        rows = np.flatnonzero(on)
        threshold = self.threshold(symmetry, self.columns["cell"][rows])
        on[rows] = (self.hashes[rows] < threshold) | (threshold == ALL)
        return np.asarray(on)

    def _thinned(self) -> StoredEvents:
        """Lower the thresholds until no group holds more than k events, and drop what no group keeps."""
        if self.max_stored == 0:
            nothing = {name: values[:0] for name, values in self.columns.items()}
            return self._with(nothing, self.groups[:0], self.thresholds[:0])
        cells = self.columns["cell"].astype(np.int64)
        # Counted by their number among the cells that are here: the grid may have 10^9.
        known, numbers = (None, cells) if self.n_exclusive <= 1_000_000 else np.unique(cells, return_inverse=True)
        keep = np.zeros(len(self), dtype=bool)
        groups, thresholds = [self.groups], [self.thresholds]
        for symmetry in range(self.n_symmetries):
            on = np.flatnonzero(self.on_symmetry(symmetry))
            sizes = np.bincount(numbers[on]) if len(on) else np.zeros(0, np.int64)
            crowded = np.flatnonzero(sizes > self.max_stored)
            if not len(crowded):
                keep[on] = True
                continue
            limits = np.full(len(sizes), ALL)
            limits[crowded] = self._limits(on, numbers[on], crowded)
            limit = limits[numbers[on]]
            keep[on[(self.hashes[on] < limit) | (limit == ALL)]] = True
            groups.append(symmetry * self.n_exclusive + (crowded if known is None else known[crowded]))
            thresholds.append(limits[crowded])
        if len(groups) == 1 and not len(self.groups):
            return self
        lowest = _least(np.concatenate(groups), np.concatenate(thresholds))
        rows = np.flatnonzero(keep)
        return self._with({name: values.take(rows) for name, values in self.columns.items()}, *lowest)

    def _limits(self, on: IntArray, numbers: IntArray, crowded: IntArray) -> NDArray[np.uint64]:
        """Return the (k+1)-th smallest hash of each crowded cell; ``numbers`` are the cells of the events ``on``."""
        place = np.full(int(numbers.max()) + 1, -1, dtype=np.int64)
        place[crowded] = np.arange(len(crowded))
        places = place[numbers]
        inside = np.flatnonzero(places >= 0)
        # Few bits are sorted in time that grows with the number of events alone.
        kind = np.uint16 if len(crowded) <= np.iinfo(np.uint16).max else np.int64
        order = inside[np.argsort(places[inside].astype(kind), kind="stable")]
        hashes = self.hashes[on[order]]
        ends = np.cumsum(np.bincount(places[inside], minlength=len(crowded)))
        return np.array(
            [np.partition(each, self.max_stored)[self.max_stored] for each in np.split(hashes, ends[:-1])], np.uint64
        )

    def _with(self, columns: Mapping[str, AnyArray], groups: IntArray, thresholds: NDArray[np.uint64]) -> StoredEvents:
        return StoredEvents(columns, self.max_stored, self.n_symmetries, self.n_exclusive, groups, thresholds)

    @classmethod
    def sum(cls, parts: Sequence[StoredEvents]) -> StoredEvents:
        """Return the sketch of the events of at least one part, all added at once."""
        first = parts[0]
        if len(parts) == 1:
            return first
        columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in first.columns}
        groups, thresholds = _lowest(parts)
        return first._with(columns, groups, thresholds)._thinned()  # noqa: SLF001

    def __add__(self, other: StoredEvents) -> StoredEvents:
        """Return the sketch of the events of both (see :meth:`sum`)."""
        return self.sum([self, other])

    def ordered(self) -> StoredEvents:
        """Return the same events in the order of their identity (equal events: of all their columns)."""
        identity = [self.columns[name] for name in ("event", "luminosityBlock", "run")]
        order = np.lexsort(identity)
        same = np.ones(max(len(self) - 1, 0), dtype=bool)
        for values in identity:
            same &= np.diff(values[order].astype(np.int64)) == 0
        if same.any():  # rarely: events that are there twice, told apart by all that they have
            others = [values for name, values in self.columns.items() if name not in IDENTITY_NAMES]
            order = np.lexsort([*reversed(others), *identity])
        return self._with({n: values[order] for n, values in self.columns.items()}, self.groups, self.thresholds)

    def __eq__(self, other: object) -> bool:
        """Tell whether both hold the same events and thresholds, in any order; NaN equals NaN."""
        if not isinstance(other, StoredEvents):
            return NotImplemented
        if len(self) != len(other) or set(self.columns) != set(other.columns):
            return False
        mine, theirs = self.ordered(), other.ordered()
        return (
            np.array_equal(self.groups, other.groups)
            and np.array_equal(self.thresholds, other.thresholds)
            and all(
                np.array_equal(values, theirs.columns[name], equal_nan=values.dtype.kind == "f")
                for name, values in mine.columns.items()
            )
        )

    __hash__ = None  # type: ignore[assignment]

    def to_dataframe(self) -> pd.DataFrame:
        """Return the events as a pandas table, in the order of their identity."""
        import pandas as pd  # 1 s, never needed in the pass

        return pd.DataFrame(dict(self.ordered().columns))

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel small: integers above their least in the shortest type that holds them, NaNs as bits."""
        columns = {name: _packed(values) for name, values in self.columns.items()}
        sizes = self.max_stored, self.n_symmetries, self.n_exclusive
        return _restored, (columns, len(self), *sizes, self.groups, self.thresholds)


_Packed = tuple["AnyArray", Any, "AnyArray | None"]
"""Integers, and what to add to them; or floating-point numbers, the bits of those that are left out, and where these
are not. ``None``: nothing."""


def _packed(values: AnyArray) -> _Packed:
    if values.dtype.kind in "ui" and len(values):
        least = values.min()
        return compact(values - least), least, None
    missing = np.isnan(values)
    if np.count_nonzero(missing) <= len(values) // 8:
        return values, None, None
    bits = values.view(f"u{values.itemsize}")
    nothing = bits[np.argmax(missing)]  # of several kinds of NaN the first one
    there = bits != nothing
    return values[there], nothing, np.packbits(there)


def _unpacked(packed: _Packed, n_events: int) -> AnyArray:
    values, known, there = packed
    if known is None:
        return values
    if there is None:
        return np.asarray(values.astype(known.dtype) + known)
    bits = np.full(n_events, known)
    bits[np.unpackbits(there, count=n_events).astype(bool)] = values.view(known.dtype)
    return bits.view(values.dtype)


def _restored(
    columns: dict[str, _Packed],
    n_events: int,
    max_stored: int,
    n_symmetries: int,
    n_exclusive: int,
    groups: IntArray,
    thresholds: NDArray[np.uint64],
) -> StoredEvents:
    restored = {name: _unpacked(packed, n_events) for name, packed in columns.items()}
    return StoredEvents(restored, max_stored, n_symmetries, n_exclusive, groups, thresholds)


def _lowest(parts: Sequence[StoredEvents]) -> tuple[IntArray, NDArray[np.uint64]]:
    """Return every group of any part with the lowest of its thresholds."""
    return _least(np.concatenate([part.groups for part in parts]), np.concatenate([part.thresholds for part in parts]))


def _least(groups: IntArray, thresholds: NDArray[np.uint64]) -> tuple[IntArray, NDArray[np.uint64]]:
    """Return every group once, sorted, with the lowest of its thresholds."""
    if not len(groups):
        return groups, thresholds
    order = np.lexsort((thresholds, groups))
    groups, thresholds = groups[order], thresholds[order]
    first = np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]]))
    return groups[first], thresholds[first]


def stored_columns(layout: Layout, n_events: int) -> dict[str, AnyArray]:
    """Return zeros for every column of the stored events, shape (n_events,)."""
    columns: dict[str, AnyArray] = {name: np.zeros(n_events, dtype=dtype) for name, dtype in IDENTITY}
    columns |= {feature.name: np.zeros(n_events, dtype=np.float32) for feature in layout.features}
    if layout.calibration is not None:
        columns |= {name: np.zeros(n_events, dtype=np.float32) for name in layout.calibration.columns}
    if layout.weighted:
        columns["weight"] = np.zeros(n_events, dtype=np.float64)
    return columns
