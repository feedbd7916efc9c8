"""Expectation of the bins of an observable by the shares of its events, and pseudo-experiments of it.

Wherever the probability of side B differs between events, or is uncertain, it is one of these: a calibration gives
every event its share (:mod:`coffea_ddp.scanning.shares`), a correction or an uncertain kappa every bin
(:mod:`coffea_ddp.scanning.bin_shares`). Tests and pseudo-experiments know no difference. Where kappa is one number,
taken as exact or from totals that pseudo-experiments keep, all events have one share, and tests are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.relabelling import count_labels, stream
from coffea_ddp.stats.submatrix.share_entries import ShareEntries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray
    from coffea_ddp.scanning.calibrated_events import CalibratedEvents

    Single = NDArray[np.float32]

CALIBRATED = "calibrated shares of side B, the uncertainty of their fit projected out"
"""Part of the method of a p-value: where efficiencies enter."""

_STEPS = 30
"""Newton steps of the odds of a cell."""


class KeyedLabels(NamedTuple):
    """Labels of the calibrated events of an observable, drawn per event.

    Attributes
    ----------
    events
        All calibrated events.
    inside
        Places among them of the events in the histogram; shape (n_inside,).
    opposite, entry
        Of those: on another side than in the first symmetry that exchanges flavours; the number of the entry. Shape
        (n_inside,).
    """

    events: CalibratedEvents
    inside: IntArray
    opposite: BoolArray
    entry: IntArray


class SideWeights(NamedTuple):
    """Weights of the events of every entry.

    Attributes
    ----------
    size
        Root mean square, in units common to both sides; shape (n_entries,).
    side_ratio
        How much larger weights are in B.
    number
        Number of events; shape (n_entries,).
    """

    size: FloatArray
    side_ratio: float
    number: IntArray


@dataclass(frozen=True, eq=False)
class ChannelShares:
    """Expectation of one observable of one symmetry, and its pseudo-experiments.

    Attributes
    ----------
    entries
        The filled bins of the exclusive cells, sorted by exclusive cell and bin.
    residual
        ``B - E`` of every entry, as observed; shape (n_entries,).
    moves, control
        How ``B - E`` of every entry moves with the fit, and the part of events that were fitted; shape (n_entries,
        n_directions).
    method
        Where the shares come from, in words, for the method of a p-value.
    keyed
        Labels per event, where all events of the symmetry are stored and have shares; else labels are binomial.
    weights
        Where contents are sums of weights.
    own
        Every cell has its own odds, from its total.
    uncertain
        There are errors that labels do not have, and that functions of counts alone cannot know.
    without, fit_of
        The same by fits that some events took no part in, and which of them belongs to a distinct cell, -1 for none:
        shape (n_distinct,), or none where all cells have one fit.
    """

    entries: ShareEntries
    residual: FloatArray
    moves: Single
    control: Single
    method: str
    keyed: KeyedLabels | None = None
    weights: SideWeights | None = None
    own: bool = False
    uncertain: bool = False
    without: tuple[ChannelShares, ...] = ()
    fit_of: IntArray | None = None

    def parts(self, cells: IntArray) -> Iterator[tuple[IntArray, ChannelShares]]:
        """Yield which of some distinct cells, given by their numbers, have one fit, and the shares of that."""
        if self.fit_of is None:
            yield np.arange(len(cells)), self
            return
        mine = self.fit_of[cells]
        for number in np.unique(mine).tolist():
            yield np.flatnonzero(mine == number), self.without[number] if number >= 0 else self

    def expected(self, members: FloatArray, used: IntArray) -> FloatArray:
        """Return E of cells, given by their exclusive cells, in some bins; shape (n_cells, n_used)."""
        return self._summed(self.entries.e, members, used)

    def odds(self, members: FloatArray, used: IntArray, b: FloatArray) -> FloatArray | None:
        """Return what the odds of the events of cells are multiplied with so that B of their totals is expected.

        ``None`` where all cells have the same odds; NaN where a side is empty. Shapes (n_cells, n_codes), (n_used,),
        (n_cells, n_used); (n_cells,).
        """
        if not self.own:
            return None
        n, e = (self._summed(values, members, used) for values in (self.entries.n, self.entries.e))
        total, wanted = n.sum(axis=1), b.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            p = np.where(n != 0, e / np.where(n != 0, n, 1.0), 0.5)
            inside = (wanted > 0) & (wanted < total)
            mean = np.where(inside, wanted / total, 0.5)
            shift = np.log(mean / (1 - mean)) - np.log(e.sum(axis=1) / (total - e.sum(axis=1)))
            for _ in range(_STEPS):
                q = 1.0 / (1.0 + (1.0 - p) / p * np.exp(-shift)[:, None])
                shift = shift + ((b - n * q).sum(axis=1) / (n * q * (1.0 - q)).sum(axis=1)).clip(-1.0, 1.0)
        return np.where(inside, np.exp(shift), np.nan)

    def _summed(self, values: FloatArray, members: FloatArray, used: IntArray) -> FloatArray:
        table = sparse.csr_array(
            (values, self.entries.bins, self.entries.starts), (members.shape[1], int(used.max(initial=0)) + 1)
        )
        return np.asarray(members @ table.toarray()[:, used])

    def drawn(self, seed: int, key: str, block: int, same: Drawn | None = None) -> Drawn:
        """Return one block of pseudo-experiments; ``same`` are those of another fit, with the labels in common."""
        entries = self.entries
        if self.keyed is not None and same is not None:
            fit = self.keyed.events.drawn(seed, block)[1]
            return same._replace(residual=(same.above - self.moves @ fit).astype(np.float32))
        if self.keyed is not None:
            words, fit = self.keyed.events.drawn(seed, block)
            labels = np.where(self.keyed.opposite, ~words[self.keyed.inside], words[self.keyed.inside])
            b = count_labels(labels, self.keyed.entry, len(entries.n))
            residual = b - entries.e[:, None]
        else:
            b, residual = self._binomial(seed, key, block)
            fit = self._fit_given(residual, seed, key, block)
        return Drawn(b, self._other_side(b), (residual - self.moves @ fit).astype(np.float32), residual)

    def _binomial(self, seed: int, key: str, block: int) -> tuple[Single, FloatArray]:
        """Return B of every entry and ``B - E``: of the mean share, whose variance is larger where shares differ."""
        entries = self.entries
        known = np.clip(entries.e / np.where(entries.n != 0, entries.n, 1.0), 0.0, 1.0)[:, None]
        rng, share = stream(seed, key, block), known
        if entries.spread.any():
            # A bin is off in all cells alike; its odds are log-normal.
            drawn = stream(seed, f"{key}|spread", block).standard_normal((int(entries.bins.max(initial=0)) + 1, TOYS))
            width = entries.spread[:, None] / np.maximum(known * (1.0 - known) * np.abs(entries.n[:, None]), 1e-9)
            share = 1.0 / (1.0 + (1.0 - known) / known * np.exp(-width * drawn[entries.bins]))
        if self.weights is None:
            b = rng.binomial(entries.n.astype(np.int64)[:, None], share, (len(entries.n), TOYS)).astype(np.float32)
            return b, b - entries.e[:, None]
        # Odds are those of events, and each side has its own weights again.
        number, ratio = self.weights.number[:, None], self.weights.side_ratio
        odds = share / ((1.0 - share) * ratio)
        drawn_b = rng.binomial(number, odds / (1.0 + odds), (len(number), TOYS))
        sides = self.weights.size[:, None] * np.sqrt(ratio), self.weights.size[:, None] / np.sqrt(ratio)
        b = (drawn_b * sides[0]).astype(np.float32)
        return b, (1.0 - known) * b - known * ((number - drawn_b) * sides[1])

    def _other_side(self, b: Single) -> Single:
        if self.weights is None:
            return (self.entries.n[:, None] - b).astype(np.float32)
        ratio, size = self.weights.side_ratio, self.weights.size[:, None]
        others = self.weights.number[:, None] * size / np.sqrt(ratio) - b / ratio
        return np.asarray(others, dtype=np.float32)

    def _fit_given(self, residual: AnyArray, seed: int, key: str, block: int) -> FloatArray:
        """Return how the fit moves where its events are known by their entries alone: what is left is normal."""
        n_directions = self.control.shape[1]
        per_variance = self.control / np.maximum(self.entries.v, 1e-9)[:, None]
        size, vectors = np.linalg.eigh(np.eye(n_directions) - self.control.T @ per_variance)
        drawn = stream(seed, f"{key}|fit", block).standard_normal((n_directions, TOYS))
        return np.asarray(per_variance.T @ residual + (vectors * np.sqrt(np.maximum(size, 0.0))) @ drawn)


class Drawn(NamedTuple):
    """One block of pseudo-experiments of an observable; of shape (n_entries, TOYS).

    Attributes
    ----------
    b, a
        Contents of either side of every entry.
    residual
        ``B - E``, less what the fit takes of it.
    above
        ``B - E`` of the shares that labels were drawn from.
    """

    b: Single
    a: Single
    residual: Single
    above: AnyArray
