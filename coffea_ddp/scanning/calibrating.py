"""A calibration learned from the stored events of a pass: efficiencies of muons over those of electrons.

All events in which a symmetry exchanges flavours are fitted at once, whatever their multiplicities and observables:
an event and its mirror image differ in nothing but the efficiencies of its leptons
(:mod:`coffea_ddp.stats.propensity.basis`). A signal that takes part in the fit is partly taken for an efficiency; so
events with objects that few events have, such as hadronic taus, are left out by default, where signals are searched for
and where a fit has nothing to gain.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.calibration.calibration import Calibration
from coffea_ddp.calibration.leptons import COLUMNS, Leptons
from coffea_ddp.calibration.record import FitRecord
from coffea_ddp.calibration.tables import LogRatioTables, correction_set
from coffea_ddp.errors import InputError
from coffea_ddp.histograms.cells import Multiplicity
from coffea_ddp.histograms.io import as_histograms
from coffea_ddp.histograms.stored import ALL
from coffea_ddp.stats import checks
from coffea_ddp.stats.propensity.basis import LeptonBasis
from coffea_ddp.stats.propensity.fit import FEWEST, PropensityFit, fit_propensity

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray
    from coffea_ddp.histograms.cells import Cell
    from coffea_ddp.histograms.histograms import Histograms

RARE = 0.05
"""Objects that at most this share of the events have are left out of a fit by default."""


def calibrate(
    hists: Histograms | str | Path,
    *,
    control: Any = None,
    events: int | None = None,
    basis: LeptonBasis | None = None,
) -> Calibration:
    """Learn the efficiencies of muons over those of electrons.

    Parameters
    ----------
    hists
        The output of a pass over a plan with symmetries that exchange flavours, or its path.
    control
        The cell whose events are fitted, as in ``hists[symmetry, observable, cell]``; by default that without objects
        that at most 5 % of the events have.
    events
        Largest number of events to fit, those with the smallest hashes; by default all that are stored.
    basis
        Terms of the fit.

    Returns
    -------
    Calibration
        With its fit: ``found.fit`` says what it is made of and how well it describes the labels.

    Raises
    ------
    InputError
        If no symmetry exchanges flavours, no events are stored, counts are weighted, or fewer than 100 events are
        there.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp import run, testing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hists = run("symmetries", testing.make_nanoaod(f"{folder}/nano.root", events=4000, seed=1))
    >>> calibrate(hists, control="inclusive").fit.n_events > 1000
    True
    """
    hists = as_histograms("calibrate", hists)
    basis = LeptonBasis() if basis is None else basis
    stored = ExchangedEvents.of(hists)
    cell = hists.layout.grid.cell(control) if control is not None else default_control(hists, stored.cell)
    inside = hists.layout.grid.contains(cell, stored.cell)
    threshold = _threshold(hists, cell)
    fitted = np.flatnonzero(inside & ((stored.hashes < threshold) | (threshold == ALL)))
    if events is not None and len(fitted) > checks.whole(events, "events", least=FEWEST):
        threshold = np.uint64(np.partition(stored.hashes[fitted], events)[events])
        fitted = fitted[stored.hashes[fitted] < threshold]
    if len(fitted) < FEWEST:
        names = ", ".join(one.name for one in hists.layout.symmetries if one.exchange)
        if len(stored.numbers) < FEWEST and hists.layout.max_stored:
            raise InputError(
                f"{len(stored.numbers)} stored events on a side of {names}: a calibration is fitted to {FEWEST} or "
                "more; give more data, and see that the plan's electrons and muons are found and have flavours "
                "(flavour=11, flavour=13; `coffea-ddp validate`)"
            )
        raise InputError(
            f"{len(fitted)} stored events in the control cell {str(cell)!r}: a calibration is fitted to {FEWEST} "
            "or more; give another cell (control=..., --control), or store more events (max_stored)"
        )
    rows = stored.rows(basis)[fitted]
    found = fit_propensity(rows, stored.is_b[fitted], precision=basis.precision, hashes=stored.hashes[fitted])
    record = FitRecord(
        basis={name: list(knots) if isinstance(knots, tuple) else knots for name, knots in asdict(basis).items()},
        coefficients=tuple(found.coefficients.tolist()),
        covariance=tuple(tuple(row) for row in found.covariance.tolist()),
        control=str(cell),
        threshold=0 if threshold == ALL else int(threshold),
        sources=sources_of(hists),
        plan=hists.layout.plan,
        n_events=found.n_events,
        chi2=found.chi2,
        n_groups=found.n_groups,
        p_value=found.p_value,
    )
    return Calibration(correction_set(_tables(basis, found), record.description))


class ExchangedEvents:
    """The stored events on a side of any symmetry that exchanges flavours.

    Attributes
    ----------
    numbers
        Of the events among all stored ones; shape (n_events,), as of all that follows.
    hashes, cell
        Hash of the identity, and exclusive cell.
    is_b
        On side B of the first such symmetry that the event is in.
    leptons
        Its leptons.
    """

    def __init__(self, numbers: IntArray, hashes: AnyArray, cell: IntArray, is_b: BoolArray, leptons: Leptons) -> None:
        self.numbers, self.hashes, self.cell, self.is_b, self.leptons = numbers, hashes, cell, is_b, leptons

    @classmethod
    def of(cls, hists: Histograms) -> ExchangedEvents:
        """Return those of an output.

        Raises
        ------
        InputError
            If it has none, or weights.
        """
        exchanged = [i for i, one in enumerate(hists.layout.symmetries) if one.exchange]
        if not exchanged:
            raise InputError(
                f"no symmetry of the plan {hists.layout.plan!r} exchanges flavours: nothing can be calibrated; give "
                "those of electrons and muons exchange=FlavourExchange()"
            )
        if hists.layout.weighted:
            raise InputError(
                f"the plan {hists.layout.plan!r} has weights; a calibration is of events that count as one each: fill "
                "without weights"
            )
        columns, sides = hists.events.columns, hists.events.columns["sides"]
        bits = sum(np.uint64(3) << np.uint64(2 * number) for number in exchanged)
        numbers = np.flatnonzero(sides & bits)
        mine = sides[numbers] & bits
        lowest = mine & (~mine + np.uint64(1))
        return cls(
            numbers,
            hists.events.hashes[numbers],
            columns["cell"][numbers].astype(np.int64),
            # Side A of symmetry s is bit 2s, side B bit 2s + 1: odd places are side B.
            (lowest & np.uint64(0xAAAAAAAAAAAAAAAA)) != 0,
            Leptons.of_columns({name: columns[name][numbers] for name in COLUMNS if name in columns}),
        )

    def rows(self, basis: LeptonBasis) -> FloatArray:
        """Return the terms of every event, as of its image on side B; shape (n_events, n_terms)."""
        pt, eta, charge, sign, n_jets, met = self.leptons
        terms = basis.rows(pt, eta, charge, sign, n_jets=n_jets, met=met)
        return np.where(self.is_b, 1.0, -1.0)[:, None] * terms


def default_control(hists: Histograms, cells: IntArray) -> Cell:
    """Return the cell without the objects that at most 5 % of events, given by their exclusive cells, have."""
    rare = {}
    for axis, numbers in zip(hists.layout.grid.axes, hists.layout.grid.decode(cells), strict=True):
        if isinstance(axis, Multiplicity) and len(cells) and np.count_nonzero(numbers) <= RARE * len(cells):
            rare[axis.name] = 0
    return hists.layout.grid.cell(" & ".join(f"{name}=0" for name in rare) or "inclusive")


def sources_of(hists: Histograms) -> tuple[str, ...]:
    """Return the digests of the files that an output is made of, sorted."""
    return tuple(sorted(hashlib.sha256("|".join(key).encode()).hexdigest()[:16] for key in hists.ledger.files))


def _threshold(hists: Histograms, cell: Cell) -> np.uint64:
    """Return below which hash all events of a cell are stored, of all symmetries that exchange flavours."""
    least = ALL
    for number, symmetry in enumerate(hists.layout.symmetries):
        if symmetry.exchange:
            codes = hists.occupied(symmetry.name)
            inside = codes[hists.layout.grid.contains(cell, codes)]
            least = np.uint64(hists.events.threshold(number, inside).min(initial=least))
    return least


def _tables(basis: LeptonBasis, fit: PropensityFit) -> LogRatioTables:
    """Return a fit in bins, without jets; fine beside its knots, so that values in a bin differ by a per cent or so."""
    n_lepton, n_jets = basis.n_lepton_terms, len(basis.jets)
    pt = np.geomspace(basis.pt[0], basis.pt[-1], 64)
    abseta = np.union1d(np.linspace(basis.abs_eta[0], basis.abs_eta[-1], 51), [basis.endcap])
    grid = np.meshgrid(np.sqrt(pt[1:] * pt[:-1]), (abseta[1:] + abseta[:-1]) / 2, np.array([-1.0, 1.0]), indexing="ij")
    at_pt, at_eta, of_charge = (values.ravel() for values in grid)
    terms = basis.lepton_terms(at_pt, at_eta, of_charge, np.zeros(len(at_pt)))
    shape, own = grid[0].shape, slice(0, n_lepton)
    covariance = fit.covariance[own, own]
    jets = np.arange(int(basis.jets[-1]) + 1, dtype=np.float64)
    nothing = np.zeros(len(jets))
    of_jets = basis.lepton_terms(nothing + 40.0, nothing, nothing, jets)[:, n_lepton - n_jets :]
    met = np.linspace(basis.met[0], basis.met[-1], 61)
    at, number = np.meshgrid((met[1:] + met[:-1]) / 2, jets, indexing="ij")
    events = basis.event_terms(at.ravel(), number.ravel()) @ fit.coefficients[n_lepton:]
    return LogRatioTables(
        pt=pt,
        abseta=abseta,
        log_ratio=(terms @ fit.coefficients[own]).reshape(shape),
        error=np.sqrt(np.einsum("ij,jk,ik->i", terms, covariance, terms)).reshape(shape),
        jets=(of_jets - of_jets[0]) @ fit.coefficients[n_lepton - n_jets : n_lepton],
        met=met,
        one_lepton=events.reshape(at.shape),
    )
