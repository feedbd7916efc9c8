"""Sparse counts: sorted integer keys with their counts, and sums of weights where there are weights.

What no event reached costs nothing, and adding two is a merge of sorted arrays.

Examples
--------
>>> first, second = SparseCounts.from_keys([7, 3, 7]), SparseCounts.from_keys([3])
>>> total = first + second
>>> total.keys, total.counts
(array([3, 7]), array([2, 2]))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import MergeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import AnyArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class SparseCounts:
    """Counts by key.

    Attributes
    ----------
    keys
        Sorted, each once; shape (n,).
    counts
        Exact integers above 0.
    sum_w, sum_w2
        Sums of weights and of squared weights, or ``None`` without weights.
    sum_e, sum_v
        Sums of the expected share of side B, and of its variance, in whole units of ``1 / SHARE``
        (:mod:`coffea_ddp.histograms.shares`), or ``None`` without a calibration.
    """

    keys: IntArray
    counts: IntArray
    sum_w: FloatArray | None = None
    sum_w2: FloatArray | None = None
    sum_e: IntArray | None = None
    sum_v: IntArray | None = None

    @classmethod
    def empty(cls, *, weighted: bool = False, calibrated: bool = False) -> SparseCounts:
        """Return no counts."""
        nothing = np.zeros(0, dtype=np.int64)
        weights, shares = np.zeros(0) if weighted else None, nothing if calibrated else None
        return cls(nothing, nothing, weights, weights, shares, shares)

    @classmethod
    def from_keys(
        cls, keys: ArrayLike, weights: ArrayLike | None = None, shares: tuple[IntArray, IntArray] | None = None
    ) -> SparseCounts:
        """Count keys (in any order); ``weights``, and the shares and their variances, have one entry a key."""
        keys = np.asarray(keys, dtype=np.int64)
        if weights is None and shares is None:
            return cls.from_sorted(np.sort(keys))
        order = np.argsort(keys, kind="stable")
        w = None if weights is None else np.asarray(weights, dtype=np.float64)[order]
        e, v = (None, None) if shares is None else (values[order] for values in shares)
        return cls._grouped(keys[order], np.ones(len(keys), np.int64), w, None if w is None else w**2, e, v)

    @classmethod
    def from_sorted(cls, keys: IntArray) -> SparseCounts:
        """Count keys that are sorted."""
        starts = _starts(keys)
        return cls(keys[starts], np.diff(np.append(starts, len(keys))))

    @classmethod
    def _grouped(cls, keys: IntArray, counts: IntArray, *sums: AnyArray | None) -> SparseCounts:
        """Add up neighbours of equal key."""
        starts = _starts(keys)
        if not len(starts):
            return cls.empty(weighted=sums[0] is not None, calibrated=sums[2] is not None)

        def add(values: Any) -> Any:
            return None if values is None else np.add.reduceat(values, starts)

        return cls(keys[starts], add(counts), *map(add, sums))

    @property
    def _sums(self) -> tuple[AnyArray | None, ...]:
        return self.sum_w, self.sum_w2, self.sum_e, self.sum_v

    @property
    def weighted(self) -> bool:
        """True if there are sums of weights."""
        return self.sum_w is not None

    @property
    def calibrated(self) -> bool:
        """True if there are sums of expected shares."""
        return self.sum_e is not None

    def __len__(self) -> int:
        """Return the number of different keys."""
        return len(self.keys)

    @classmethod
    def sum(cls, parts: Sequence[SparseCounts]) -> SparseCounts:
        """Return the counts of at least one part, all added at once.

        Raises
        ------
        MergeError
            If some have weights and others have none.
        """
        if len({part.weighted for part in parts}) > 1:
            raise MergeError("counts with and without weights cannot be added; fill both with weights, or neither")
        if len({part.calibrated for part in parts}) > 1:
            raise MergeError("counts with and without a calibration cannot be added; fill both with the same, or none")
        full = [part for part in parts if len(part)]
        if len(full) < 2:
            return full[0] if full else parts[0]
        keys = np.concatenate([part.keys for part in full])
        # A stable sort of sorted runs is a merge of them.
        order = np.argsort(keys, kind="stable")

        def all_of(values: Sequence[AnyArray | None]) -> Any:
            known = [value for value in values if value is not None]
            return np.concatenate(known)[order] if known else None

        return cls._grouped(
            keys[order],
            all_of([part.counts for part in full]),
            *(all_of([part._sums[number] for part in full]) for number in range(4)),  # noqa: SLF001
        )

    def __add__(self, other: SparseCounts) -> SparseCounts:
        """Return the counts of both (see :meth:`sum`)."""
        return self.sum([self, other])

    def __eq__(self, other: object) -> bool:
        """Tell whether keys and counts are equal, and sums of weights to 12 digits (added in another order)."""
        if not isinstance(other, SparseCounts):
            return NotImplemented
        if not (np.array_equal(self.keys, other.keys) and np.array_equal(self.counts, other.counts)):
            return False
        if self.calibrated != other.calibrated:
            return False
        for mine, theirs in ((self.sum_e, other.sum_e), (self.sum_v, other.sum_v)):
            if mine is not None and theirs is not None and not np.array_equal(mine, theirs):
                return False
        if self.sum_w is None or other.sum_w is None or self.sum_w2 is None or other.sum_w2 is None:
            return self.weighted == other.weighted
        # |sum w| <= sqrt(n sum w^2): the scale of the terms, also where weights of both signs cancel.
        scale = np.sqrt(self.counts * self.sum_w2)
        same = np.abs(self.sum_w - other.sum_w) <= 1e-12 * scale
        return bool(same.all() and np.allclose(self.sum_w2, other.sum_w2, rtol=1e-12, atol=0.0))

    __hash__ = None  # type: ignore[assignment]

    def between(self, low: int, high: int) -> SparseCounts:
        """Return the counts with ``low <= key < high`` (views, no copies)."""
        first, last = np.searchsorted(self.keys, [low, high])
        part = slice(int(first), int(last))
        sums = (None if values is None else values[part] for values in self._sums)
        return SparseCounts(self.keys[part], self.counts[part], *sums)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel small: differences of keys and counts, each in the shortest integer that holds them."""
        return _restored, (compact(np.diff(self.keys, prepend=0)), compact(self.counts), *self._sums)


def _restored(steps: AnyArray, counts: AnyArray, *sums: AnyArray | None) -> SparseCounts:
    return SparseCounts(np.cumsum(steps, dtype=np.int64), counts.astype(np.int64), *sums)


def _starts(ordered: IntArray) -> IntArray:
    """Return where each run of equal keys begins."""
    if not len(ordered):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))


def compact(values: AnyArray) -> AnyArray:
    """Return non-negative integers in the shortest unsigned type that holds them."""
    return values.astype(np.min_scalar_type(int(values.max()))) if len(values) else values.astype(np.uint8)
