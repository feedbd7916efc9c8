"""Closure of a calibration: B against what is expected, in what the fit knows and in what it does not.

A symmetry that is broken by nothing but the efficiencies of leptons closes everywhere: in pT and eta, which are terms
of the fit, and in the numbers of taus and b-jets, in topologies and in all features of the plan, which are not. What
does not close is broken by more than lepton kinematics: by a signal, or by something in the detector that the terms do
not describe.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import chi2

from coffea_ddp.calibration.leptons import COLUMNS

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.scanning.calibrated_events import CalibratedEvents
    from coffea_ddp.scanning.calibrating import ExchangedEvents

BINS = 8
"""Number of bins of a variable: they have the same number of events."""

FEWEST = 20
"""Smallest number of events of a bin; others join their neighbour."""


class Closure(NamedTuple):
    """Comparison in one variable, of all stored events in which flavours are exchanged.

    Attributes
    ----------
    variable
        Its name.
    n_bins
        Degrees of freedom of chi2.
    chi2_before
        ``sum (B - n / 2)^2 / (n / 4)``: without a calibration.
    chi2, p_value
        ``sum (B - E)^2 / V`` and its p-value, for known shares: where they were fitted to the same events it is
        conservative.
    """

    variable: str
    n_bins: int
    chi2_before: float
    chi2: float
    p_value: float


def closure(hists: Histograms, events: CalibratedEvents, exchanged: ExchangedEvents) -> tuple[Closure, ...]:
    """Return the closure in lepton kinematics, missing momentum, multiplicities, topologies and stored features.

    Parameters
    ----------
    hists
        The output.
    events, exchanged
        Its calibrated events, and the same with their leptons.
    """
    found = []
    for name, numbers in _variables(hists, exchanged):
        known = numbers >= 0
        bins = _joined(numbers[known])
        b, e, v, n = (
            np.bincount(bins, values[known]).astype(np.float64)
            for values in (
                exchanged.is_b.astype(np.float64), events.share, events.share * (1 - events.share), np.ones(len(known))
            )
        )  # fmt: skip
        if len(n) < 2:
            continue
        value = float(((b - e) ** 2 / v).sum())
        before = float(((b - n / 2) ** 2 / (n / 4)).sum())
        found.append(Closure(name, len(n), before, value, float(chi2.sf(value, len(n)))))
    return tuple(found)


def _variables(hists: Histograms, events: ExchangedEvents) -> Iterator[tuple[str, IntArray]]:
    """Yield names and the bin of every event, -1 where it has none."""
    leptons = events.leptons
    for k, name in enumerate(("leading lepton", "second lepton")):
        here = leptons.sign[:, k] != 0
        for what, values in (("pT", leptons.pt[:, k]), ("abs(eta)", np.abs(leptons.eta[:, k]))):
            yield f"{what} of the {name}", _quantiles(values, here)
        yield f"charge of the {name}", np.where(here, (leptons.charge[:, k] > 0).astype(np.int64), -1)
    for name, values in (("missing pT", leptons.met), ("number of jets", leptons.n_jets)):
        yield name, _quantiles(values, np.isfinite(values))
    for axis, numbers in zip(hists.layout.grid.axes, hists.layout.grid.decode(events.cell), strict=True):
        yield axis.name, np.asarray(numbers, dtype=np.int64)
    for feature in hists.layout.features:
        if feature.name not in COLUMNS:
            values = hists.events.columns[feature.name][events.numbers].astype(np.float64)
            yield feature.name, _quantiles(values, np.isfinite(values))


def _quantiles(values: FloatArray, known: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> IntArray:
    bins = np.full(len(values), -1, dtype=np.int64)
    if known.any():
        edges = np.unique(np.quantile(values[known], np.linspace(0, 1, BINS + 1)[1:-1]))
        bins[known] = np.searchsorted(edges, values[known], side="right")
    return bins


def _joined(bins: IntArray) -> IntArray:
    """Return bins in which each has enough events: those with fewer join the one below, the first the one above."""
    sizes = np.bincount(bins)
    target, into = np.zeros(len(sizes), np.int64), -1
    held = 0
    for number, size in enumerate(sizes.tolist()):
        if into < 0 or (held >= FEWEST and size >= FEWEST):
            into, held = into + 1, 0
        target[number] = into
        held += size
    return target[bins]
