"""Preparation of a mass spectrum for the bump hunt: its fit range, its width, and why it cannot be tested.

Examples
--------
>>> import hist
>>> import numpy as np
>>> from coffea_ddp.spectra.spectrum import MassSpectrum
>>> counts = np.random.default_rng(1).poisson(5e3 * np.exp(-np.arange(60) / 20.0))
>>> axis = hist.axis.Regular(60, 100.0, 700.0, name="mass")
>>> prepared = prepare(MassSpectrum("m0m1", "inclusive", hist.Hist(axis, data=counts), width=20.0))
>>> prepared.status.name, prepared.edges[[0, -1]].tolist()
('OK', [100.0, 700.0])
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.effective import are_variances
from coffea_ddp.spectra.spectrum import MassSpectrum
from coffea_ddp.stats.bumphunt.checks import LEAST_BINS, uneven_bins, unfit_width
from coffea_ddp.stats.bumphunt.fit_range import begins_at, behind_turn_on, ends_at
from coffea_ddp.stats.bumphunt.widths import SCANNED
from coffea_ddp.stats.dispersion import common_factor
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray

MIN_EVENTS = 100
"""A spectrum of fewer events is not tested: the network was not trained on it."""
_SAME = 0.05
_MULTIPLE = 8
"""Spectra are continued to a multiple of this number of bins, so that more of them have one length."""
_PEAK = 3.0
"""No range begins within this many widths of a bump."""


class _Read(MassSpectrum):
    """A spectrum whose arrays are read from its histogram once; nobody fills it while it is searched."""

    @cached_property
    def counts(self) -> FloatArray:
        return super().counts

    @cached_property
    def variances(self) -> FloatArray | None:
        return super().variances

    @cached_property
    def effective(self) -> FloatArray:
        return super().effective

    @cached_property
    def edges(self) -> FloatArray:
        return super().edges

    @cached_property
    def sigma_bins(self) -> FloatArray | None:
        return super().sigma_bins

    @cached_property
    def masked(self) -> BoolArray:
        return super().masked


@dataclass(frozen=True, eq=False)
class Prepared:
    """The fit range of a spectrum.

    Attributes
    ----------
    spectrum
        The whole one.
    first, stop
        Bins from where it begins to where it ends.
    status
        Why it is not tested, or ``OK``.
    reason
        The same in words, where there is more to say than the status does; what was left out of a spectrum that is
        tested.
    """

    spectrum: MassSpectrum
    first: int
    stop: int
    status: Status
    reason: str = ""

    @property
    def span(self) -> slice:
        """The bins of the fit range."""
        return slice(self.first, self.stop)

    @cached_property
    def counts(self) -> FloatArray:
        """Effective counts, 0 in masked bins; shape (n_bins,)."""
        return self.spectrum.effective[self.span] * self.use

    @cached_property
    def use(self) -> FloatArray:
        """1 for bins that are used, 0 where they are masked; shape (n_bins,)."""
        return np.where(self.spectrum.masked[self.span], 0.0, 1.0)

    @cached_property
    def sigma(self) -> FloatArray | None:
        """Width of the signal in bins, shape (n_bins,); ``None`` where it is to be scanned.

        Where it is the same to a few per cent, as in bins that follow the resolution, it is one number: spectra of
        one width are tested together.
        """
        sigma = self.spectrum.sigma_bins
        if sigma is None:
            return None
        inside = sigma[self.span]
        typical = float(np.median(inside))
        return np.full(len(inside), round(typical, 2)) if np.ptp(inside) < _SAME * typical else inside

    @cached_property
    def edges(self) -> FloatArray:
        """Edges of the bins in GeV, shape (n_bins + 1,)."""
        return self.spectrum.edges[self.first : self.stop + 1]


def prepare(spectrum: MassSpectrum, *, min_events: float = MIN_EVENTS, whole: bool = False) -> Prepared:
    """Return the fit range of a spectrum, by rule.

    It reaches from its first events (:func:`~coffea_ddp.stats.bumphunt.fit_range.begins_at`) to its last
    (:func:`~coffea_ddp.stats.bumphunt.fit_range.ends_at`), whether it rises or falls.

    Parameters
    ----------
    spectrum
        The spectrum.
    min_events
        Fewer effective events: ``TOO_FEW_ENTRIES``.
    whole
        Take all bins, whatever they hold.
    """
    spectrum = _Read(**{field.name: getattr(spectrum, field.name) for field in dataclasses.fields(spectrum)})
    n_bins = len(spectrum.counts)
    wrong = _wrong_contents(spectrum)
    if wrong is not None:
        return Prepared(spectrum, 0, n_bins, *wrong)
    counts, free = spectrum.effective, ~spectrum.masked
    sigma = spectrum.sigma_bins
    if unfit := unfit_width(sigma, spectrum.edges):
        return Prepared(spectrum, 0, n_bins, Status.BAD_WIDTH, unfit)
    typical = SCANNED[-1] if sigma is None else float(np.median(sigma))
    if counts[free].sum() < min_events:
        return Prepared(spectrum, 0, n_bins, Status.TOO_FEW_ENTRIES)
    seen = counts * free
    first, stop = (0, n_bins) if whole else (begins_at(seen, typical), ends_at(seen, typical))
    return _ranged(spectrum, first, stop)


def _ranged(spectrum: MassSpectrum, first: int, stop: int, reason: str = "") -> Prepared:
    """Return the range between two bins, a few more behind it where that makes lengths equal."""
    free = ~spectrum.masked
    if min(stop - first, int(free[first:stop].sum())) < LEAST_BINS:
        return Prepared(spectrum, first, stop, Status.TOO_FEW_BINS)
    longer = min(first + -(-(stop - first) // _MULTIPLE) * _MULTIPLE, len(free))
    status, wrong = _wrong_bins(spectrum, slice(first, longer))
    return Prepared(spectrum, first, longer, status, wrong or reason)


def within(prepared: Prepared, low: float | None, high: float | None) -> Prepared:
    """Return the part of a range between two of its edges, those of a row of a report; all of it without any."""
    if low is None or high is None:
        return prepared
    first, stop = np.searchsorted(prepared.spectrum.edges, [low, high]).tolist()
    return dataclasses.replace(prepared, first=max(first, prepared.first), stop=min(stop, prepared.stop))


def without_turn_on(prepared: Prepared, bump: int | None, width: float) -> Prepared | None:
    """Return the range behind the turn-on of a spectrum; ``None`` where there is none, or it would begin on a peak.

    Parameters
    ----------
    prepared
        All of it.
    bump, width
        The bin of its bump, counted from the first of the range, and the width in bins; ``None``: it has none.
    """
    sigma, free = prepared.sigma, prepared.use > 0
    typical = SCANNED[-1] if sigma is None else float(np.median(sigma))
    places = np.flatnonzero(free)
    behind = behind_turn_on(prepared.counts[free], typical, at_maximum=sigma is not None) if len(places) else 0
    first = int(places[behind]) if behind else 0
    if first == 0 or (bump is not None and first > bump - _PEAK * width and first < bump + _PEAK * width):
        return None
    edge = prepared.edges[first]
    reason = f"no smooth shape describes its turn-on: the range begins behind it, at {edge:.5g} GeV"
    cut = _ranged(prepared.spectrum, prepared.first + first, prepared.stop, reason)
    return cut if cut.status is Status.OK else None


def _wrong_bins(spectrum: MassSpectrum, span: slice) -> tuple[Status, str]:
    """Return why the network cannot be applied to the bins of the fit range, ``OK`` where they are."""
    edges, sigma = spectrum.edges[span.start : span.stop + 1], spectrum.sigma_bins
    if uneven := uneven_bins(edges, ~spectrum.masked[span]):
        return Status.UNEVEN_BINS, uneven
    unfit = unfit_width(None if sigma is None else sigma[span], edges)
    return (Status.BAD_WIDTH, unfit) if unfit else (Status.OK, "")


def _wrong_contents(spectrum: MassSpectrum) -> tuple[Status, str] | None:
    """Return why the errors of the contents are not known, or are not those of counts; ``None`` where they are."""
    contents, variances = spectrum.counts, spectrum.variances
    if (contents < 0).any():
        return Status.NEGATIVE, Status.NEGATIVE.value
    if variances is None and (contents != np.rint(contents)).any():
        return Status.NOT_COUNTS, Status.NOT_COUNTS.value
    if variances is not None and not are_variances(contents, variances):
        return Status.BAD_VARIANCES, Status.BAD_VARIANCES.value
    if variances is None and (factor := common_factor(contents)) > 1:
        return Status.SCALED, f"all contents are multiples of {factor}, as no Poisson counts are: give --scale {factor}"
    return None
