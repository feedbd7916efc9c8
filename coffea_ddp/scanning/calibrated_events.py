"""Stored events with their expected shares of side B, and how these move with the fit that they come from.

The fit of a calibration is not repeated in pseudo-experiments. To first order it moves the residual ``B - E`` of a
region by ``a^T s``, with ``s = L^T (H_c^T (y_c - e_c) + P^(1/2) xi)`` of the labels of the events that were fitted and
one draw from the prior, and ``a = L^T H^T W`` summed over the region's events
(:mod:`coffea_ddp.stats.propensity.projection`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.layout import CalibrationLayout
from coffea_ddp.histograms.shares import SHARE, quantised
from coffea_ddp.scanning.calibrating import ExchangedEvents, sources_of
from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.propensity.basis import LeptonBasis
from coffea_ddp.stats.propensity.projection import without_events
from coffea_ddp.stats.relabelling import event_labels_of_shares, stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import BoolArray, FloatArray, IntArray
    from coffea_ddp.calibration.calibration import Calibration
    from coffea_ddp.calibration.record import FitRecord
    from coffea_ddp.histograms.histograms import Histograms


@dataclass(frozen=True, eq=False)
class CalibratedEvents:
    """The stored events of all symmetries that exchange flavours, with their shares.

    Attributes
    ----------
    numbers
        Of the events among all stored ones, sorted; shape (n_events,), as of all that follows.
    hashes
        Of their identities.
    is_b, share
        On side B of the first such symmetry that the event is in, and what is expected of that.
    moves
        How the residual of an event moves with the fit, ``L^T h W``; shape (n_events, n_directions).
    fitted
        Events that took part in the fit.
    prior
        ``L^T P^(1/2)``, of the draw from the prior; shape (n_directions, n_terms).
    labelled_as
        The same events with the shares that labels are drawn from, where these are those of a fit without some of them:
        pseudo-experiments have their labels in common; ``None``: these.
    """

    numbers: IntArray
    hashes: NDArray[np.uint64]
    is_b: BoolArray
    share: FloatArray
    moves: FloatArray
    fitted: BoolArray
    prior: FloatArray
    labelled_as: CalibratedEvents | None = None

    @classmethod
    def of(cls, hists: Histograms, events: ExchangedEvents | None = None) -> CalibratedEvents:
        """Return those of an output that has a calibration; its events in which flavours are exchanged may be given.

        Raises
        ------
        InputError
            If it has none, or no symmetry that exchanges flavours.
        """
        events = ExchangedEvents.of(hists) if events is None else events
        if hists.layout.calibration is None:
            raise InputError(f"an output of the plan {hists.layout.plan!r} without a calibration; give it one")
        own = hists.events.columns["share"][events.numbers].astype(np.float64)
        fit = hists.layout.calibration.fit
        share = np.where(events.is_b, own, 1.0 - own)
        moves, fitted, prior = _given(hists, events, share) if fit is None else _moves(hists, events, share, fit)
        return cls(events.numbers, events.hashes, events.is_b, share, moves, fitted, prior)

    def places(self, numbers: IntArray) -> IntArray:
        """Return where events, given by their numbers among all stored ones, are among these."""
        return np.searchsorted(self.numbers, numbers)

    def without(self, out: BoolArray) -> CalibratedEvents:
        """Return the events with the shares of a fit that some of them took no part in; ``out`` has shape (n_events,).

        To first order in what these events move (:func:`~coffea_ddp.stats.propensity.projection.without_events`).
        """
        known = self.share * (1.0 - self.share)
        rows, some = self.moves / known[:, None], out & self.fitted
        shift, root = without_events(rows[some], self.is_b[some] - self.share[some], known[some])
        share = expit(logit(self.share) + rows @ shift)
        return replace(
            self,
            share=share,
            moves=(rows @ root) * (share * (1.0 - share))[:, None],
            fitted=self.fitted & ~out,
            prior=root.T @ self.prior,
            labelled_as=self,
        )

    @functools.cached_property
    def _blocks(self) -> dict[tuple[int, int], tuple[NDArray[np.uint64], FloatArray]]:
        return {}

    def drawn(self, seed: int, block: int) -> tuple[NDArray[np.uint64], FloatArray]:
        """Return one block of pseudo-experiments, made once: all observables have them in common.

        The labels, bit t of which is set on side B, shape (n_events,); and how the fit moves, shape (n_directions,
        TOYS).
        """
        if (seed, block) not in self._blocks:
            if self.labelled_as is None:
                labels = event_labels_of_shares(self.hashes, self.share, seed=seed, block=block)
            else:
                labels = self.labelled_as.drawn(seed, block)[0]
            self._blocks[seed, block] = labels, self._fit_moves(labels, seed, block)
        return self._blocks[seed, block]

    def _fit_moves(self, labels: NDArray[np.uint64], seed: int, block: int) -> FloatArray:
        if not self.moves.shape[1]:
            return np.zeros((0, TOYS))
        drawn = stream(seed, "prior of the calibration", block).standard_normal((self.prior.shape[1], TOYS))
        some = np.flatnonzero(self.fitted)
        words = np.ascontiguousarray(labels[some])
        bits = np.unpackbits(words[:, None].view(np.uint8), axis=1, bitorder="little")
        # h (y - e): the moves without their variance e (1 - e).
        rows = self.moves[some] / (self.share * (1.0 - self.share))[some, None]
        share = self.share if self.labelled_as is None else self.labelled_as.share
        found = rows.T @ (bits - share[some, None]) + self.prior @ drawn
        return np.asarray(found, dtype=np.float64)


def calibrated(hists: Histograms, calibration: Calibration) -> Histograms:
    """Return an output whose stored events have the expected shares of a calibration.

    Its counts have no sums of them: what is expected of bins is known where all events are stored.

    Raises
    ------
    InputError
        If no symmetry exchanges flavours, or counts are weighted.
    """
    events = ExchangedEvents.of(hists)
    found = {
        "share": np.full(len(hists.events), 0.5, np.float32),
        "share_error": np.zeros(len(hists.events), np.float32),
    }
    found["share"][events.numbers] = quantised(calibration.shares(events.leptons)) / SHARE
    layout = CalibrationLayout(calibration.digest, calibration.fit)
    if calibration.fit is None:
        found["share_error"][events.numbers] = calibration.error(events.leptons)
    columns = {name: found[name] for name in layout.columns}
    stored = replace(hists.events, columns={**hists.events.columns, **columns})
    return replace(hists, layout=replace(hists.layout, calibration=layout), events=stored)


def _given(hists: Histograms, events: ExchangedEvents, share: FloatArray) -> tuple[FloatArray, BoolArray, FloatArray]:
    """Return the moves with the error of a calibration from elsewhere: one direction, in which all leptons move."""
    error = hists.events.columns["share_error"][events.numbers].astype(np.float64)
    moves = np.where(events.is_b, error, -error) * share * (1.0 - share)
    return moves[:, None], np.zeros(len(share), dtype=bool), np.eye(1)


def _moves(
    hists: Histograms, events: ExchangedEvents, share: FloatArray, fit: FitRecord
) -> tuple[FloatArray, BoolArray, FloatArray]:
    basis = LeptonBasis(**fit.basis)
    if len(fit.coefficients) != basis.n_terms:
        raise InputError(
            f"the calibration has {len(fit.coefficients)} coefficients for {basis.n_terms} terms: it was made by "
            "another version; make it again"
        )
    root = np.linalg.cholesky(np.asarray(fit.covariance, dtype=np.float64))
    moves = (events.rows(basis) @ root) * (share * (1.0 - share))[:, None]
    sources = sources_of(hists)
    # Events of which nobody said the file are taken for the same.
    same = bool(set(fit.sources) & set(sources)) or not (fit.sources or sources)
    control = hists.layout.grid.contains(hists.layout.grid.cell(fit.control), events.cell) if same else None
    below = np.ones(len(share), dtype=bool) if not fit.threshold else events.hashes < np.uint64(fit.threshold)
    fitted = np.zeros(len(share), dtype=bool) if control is None else control & below
    return moves, fitted, root.T @ np.linalg.cholesky(basis.precision)
