"""Expected shares of calibrated events in the bins of an observable.

A calibrated pass has the sums of shares of all bins. Where events of an output are all stored, their shares make the
sums as well, of any calibration: the one that was learned from them, or one from elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.lattice import distinct_cells
from coffea_ddp.histograms.samples import SymmetryEvents
from coffea_ddp.scanning.channel_shares import CALIBRATED, ChannelShares, KeyedLabels
from coffea_ddp.scanning.relatives import has_object, rarest_axes
from coffea_ddp.scanning.unbinned_input import EventFit
from coffea_ddp.stats.propensity.projection import main_directions
from coffea_ddp.stats.submatrix.share_entries import ShareEntries

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.histograms.cell_counts import CellCounts
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.histograms.samples import Samples
    from coffea_ddp.scanning.calibrated_events import CalibratedEvents
    from coffea_ddp.scanning.closure import Closure

LEAST = 0.02
"""Directions of a fit that change the variance of no region by more than this share are left out."""

MISMATCH = 1e-3
"""Stored features are in single precision: this share of the events may fall into another bin than in the pass."""


class BinnedEvents(NamedTuple):
    """Stored events of a symmetry that are inside of the axes of an observable.

    Attributes
    ----------
    places
        Of these among the stored events of the symmetry; shape (n_inside,), as of what follows.
    code, bin
        Number of the exclusive cell among the occupied ones, and the flat bin.
    """

    places: IntArray
    code: IntArray
    bin: IntArray


def binned_events(stored: SymmetryEvents, counts: CellCounts) -> BinnedEvents | None:
    """Return the stored events in the bins of an observable; ``None`` where one of its axes is not stored."""
    if any(axis.name not in stored.features for axis in counts.axes):
        return None
    bins, inside = np.zeros(len(stored), dtype=np.int64), np.ones(len(stored), dtype=bool)
    for axis in counts.axes:
        values = stored.features[axis.name].astype(np.float64)
        index = np.asarray(axis.index(np.where(np.isfinite(values), values, -np.inf)))
        inside &= np.isfinite(values) & (index >= 0) & (index < axis.size)
        bins = bins * axis.size + index
    places = np.flatnonzero(inside)
    return BinnedEvents(places, np.searchsorted(counts.codes, stored.cell[places]), bins[places])


class ScanShares:
    """Expected shares of all symmetries of an output that exchange flavours.

    Parameters
    ----------
    hists
        The output.
    events
        Its calibrated events.
    told
        What a report says of the calibration.
    leave_out
        The events with the rarest object that a cell asks for take no part in the fit that is used there.

    Raises
    ------
    InputError
        If events are to be left out of a fit that none of them took part in.
    """

    def __init__(
        self, hists: Histograms, events: CalibratedEvents, told: Mapping[str, Any], *, leave_out: bool = False
    ) -> None:
        self._hists, self._events = hists, events
        self.told = told
        self._without: dict[int, CalibratedEvents] = {}
        self._fitted = hists.events.columns["cell"][events.numbers[events.fitted]].astype(np.int64)
        self._leave_out = leave_out
        if leave_out and not len(self._fitted):
            raise InputError(
                "leave_out: no event of this output took part in the fit of its calibration; leave it out, or learn "
                "the calibration from these events (calibration='events', --calibrate)"
            )
        self._stored: Mapping[str, SymmetryEvents] = {}

    def of(self, counts: CellCounts) -> ChannelShares | None:
        """Return what is expected of an observable; ``None`` for a symmetry that exchanges no flavours.

        Raises
        ------
        InputError
            If shares have to be those of the stored events, and some were dropped.
        """
        layout = self._hists.layout.symmetry(counts.symmetry)
        if not layout.exchange:
            return None
        if counts.symmetry not in self._stored:
            self._stored = {counts.symmetry: SymmetryEvents.of(self._hists, counts.symmetry)}
        stored = self._stored[counts.symmetry]
        binned = binned_events(stored, counts) or BinnedEvents(*(np.zeros(0, np.int64) for _ in range(3)))
        found = self._channel(counts, stored, binned, self._events)
        if not self._leave_out:
            return found
        if found.keyed is None:
            raise InputError(
                f"leave_out: {counts.symmetry!r}, {counts.observable!r}: not all events are stored, and what is "
                "expected of the others without their relatives is not known; store all events (max_stored), or fit a "
                "control cell (--control)"
            )
        cells = distinct_cells(self._hists.layout.grid, counts.codes)
        axes = rarest_axes(cells, self._fitted)
        without = {
            axis: self._channel(counts, stored, binned, self._events_without(axis))
            for axis in np.unique(axes).tolist()
            if axis >= 0
        }
        told = f"{CALIBRATED}, without the events of the rarest object of the cell"
        return replace(found, method=told, without=tuple(without.values()), fit_of=_numbered(axes, list(without)))

    def fit_of(self, symmetry: str, samples: Samples) -> EventFit | None:
        """Return what the shares of samples of a symmetry were fitted to; ``None`` where it exchanges no flavours."""
        if not self._hists.layout.symmetry(symmetry).exchange:
            return None
        known = self._events.hashes
        order = np.argsort(known)
        places = order[np.minimum(np.searchsorted(known[order], samples.hashes), len(known) - 1)]
        return EventFit(self._events, places, samples.is_b != self._events.is_b[places])

    def _events_without(self, axis: int) -> CalibratedEvents:
        if axis not in self._without:
            cells = self._hists.events.columns["cell"][self._events.numbers].astype(np.int64)
            self._without[axis] = self._events.without(has_object(self._hists.layout.grid, axis, cells))
        return self._without[axis]

    def _channel(
        self, counts: CellCounts, stored: SymmetryEvents, found: BinnedEvents, events: CalibratedEvents
    ) -> ChannelShares:
        number = self._hists.symmetries.index(counts.symmetry)
        here = events.places(np.flatnonzero(self._hists.events.on_symmetry(number)))
        truth = counts.entries.sum(axis=1)
        place = found.code * counts.n_bins + found.bin
        seen = np.bincount(place, minlength=truth.size).reshape(truth.shape)
        whole = len(stored) == self._hists.cell_counts(counts.symmetry).entries.sum()
        keyed = bool(whole and np.abs(seen - truth).sum() / 2 <= MISMATCH * max(truth.sum(), 1))
        if counts.shares is None and not keyed:
            raise InputError(
                f"{counts.symmetry!r}, {counts.observable!r}: {int(truth.sum() - seen.sum())} of {int(truth.sum())} "
                "events are not stored, so that their shares are not known; give the calibration to the pass "
                "(`coffea-ddp run --calibration FILE`), or store all events (max_stored)"
            )
        filled = np.flatnonzero(seen if keyed else truth)
        entry = np.minimum(np.searchsorted(filled, place), max(len(filled) - 1, 0))
        # An event that fell into another bin than in the pass is in no entry.
        on = np.flatnonzero(filled[entry] == place) if len(filled) else np.zeros(0, np.int64)
        entry, rows = entry[on], found.places[on]
        places = here[rows]
        opposite = stored.is_b[rows] != events.is_b[places]
        share = events.share[places]
        share = np.where(opposite, 1.0 - share, share)
        n, b, e, v = (
            np.bincount(entry, values, minlength=len(filled)).astype(np.float64)
            for values in (np.ones(len(entry)), stored.is_b[rows], share, share * (1.0 - share))
        )
        scale = np.ones(len(filled))
        if not keyed:
            assert counts.shares is not None  # the calibration is that of the pass
            scale = _scale(filled // counts.n_bins, v, counts.shares[1].reshape(-1)[filled])
            n, b, e, v = (
                values.reshape(-1)[filled]
                for values in (truth, counts.entries[:, 1], counts.shares[0], counts.shares[1])
            )
        moves, control = _moves(events, places, opposite, entry, scale)
        main = main_directions(np.concatenate([moves - control, control]), np.concatenate([v, v]), LEAST)
        entries = ShareEntries(
            starts=np.searchsorted(filled // counts.n_bins, np.arange(len(counts.codes) + 1)),
            bins=filled % counts.n_bins,
            n=n,
            e=e,
            v=v,
            outside=np.ascontiguousarray((moves - control) @ main),
            control=np.ascontiguousarray(control @ main),
            spread=np.zeros(len(filled)),
        )
        return ChannelShares(
            entries=entries,
            residual=b - e,
            moves=moves.astype(np.float32),
            control=control.astype(np.float32),
            method=CALIBRATED,
            keyed=KeyedLabels(events, places, opposite, entry) if keyed else None,
        )


def _numbered(axes: IntArray, used: list[int]) -> IntArray:
    """Return the place of every axis among those that are used, -1 for none."""
    return np.array([used.index(axis) if axis in used else -1 for axis in axes.tolist()], dtype=np.int64)


def _moves(
    events: CalibratedEvents, places: IntArray, opposite: BoolArray, entry: IntArray, scale: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the moves of every entry, of all of its events and of those that were fitted."""
    sign = np.where(opposite, -1.0, 1.0)
    # Events that are not stored took no part in a fit: only those that did not are more than are stored.
    fitted = np.where(events.fitted[places], sign, 0.0)
    moves = events.moves[places]

    def summed(weight: FloatArray) -> FloatArray:
        rows = sparse.csr_array((weight, (entry, np.arange(len(entry)))), (len(scale), len(entry)))
        return np.asarray(rows @ moves)

    return summed(sign * scale[entry]), summed(fitted)


def told(hists: Histograms, closes: Sequence[Closure]) -> dict[str, Any]:
    """Return what a report says of the calibration of an output, as JSON-ready data."""
    own = hists.layout.calibration
    found: dict[str, Any] = {} if own is None else {"digest": own.digest}
    found["closure"] = [one._asdict() for one in closes]
    fit = None if own is None else own.fit
    if fit is None:
        return found
    return found | {
        "plan": fit.plan,
        "control": fit.control,
        "n_events": fit.n_events,
        "chi2": fit.chi2,
        "n_groups": fit.n_groups,
        "p_value": fit.p_value,
    }


def _scale(code: IntArray, stored: FloatArray, exact: FloatArray) -> FloatArray:
    """Return by how much the variance of each exclusive cell is larger than that of its stored events, by entry."""
    sums = [np.bincount(code, values) for values in (stored, exact)]
    return np.where(sums[0] > 0, sums[1] / np.where(sums[0] > 0, sums[0], 1.0), 1.0)[code]
