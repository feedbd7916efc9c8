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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.effective import are_variances
from coffea_ddp.scanning.bump_contents import BinRange, Contents, contents_of
from coffea_ddp.stats.bumphunt.checks import LEAST_BINS
from coffea_ddp.stats.bumphunt.fit_range import begins_at, behind_turn_on, ends_at
from coffea_ddp.stats.bumphunt.widths import SCANNED
from coffea_ddp.stats.dispersion import common_factors
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.spectra.spectrum import MassSpectrum

MIN_EVENTS = 100
"""A spectrum of fewer events is not tested: the network was not trained on it."""
_MULTIPLE = 8
"""Spectra are continued to a multiple of this number of bins, so that more of them have one length."""
_PEAK = 3.0
"""No range begins within this many widths of a bump."""
_BLOCK = 1024
"""Spectra that are prepared together."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """The fit range of a spectrum.

    Attributes
    ----------
    contents
        The whole spectrum.
    first, stop
        Bins from where it begins to where it ends.
    status
        Why it is not tested, or ``OK``.
    reason
        The same in words, where there is more to say than the status does; what was left out of a spectrum that is
        tested.
    """

    contents: Contents
    first: int
    stop: int
    status: Status
    reason: str = ""

    @property
    def span(self) -> slice:
        """The bins of the fit range."""
        return slice(self.first, self.stop)

    @property
    def bins(self) -> BinRange:
        """The same with edges, masks and the width of the signal."""
        return self.contents.binning.range(self.first, self.stop)

    @cached_property
    def counts(self) -> FloatArray:
        """Effective counts, 0 in masked bins; shape (n_bins,)."""
        return self.contents.effective[self.span] * self.use

    @property
    def use(self) -> FloatArray:
        """1 for bins that are used, 0 where they are masked; shape (n_bins,)."""
        return self.bins.use

    @property
    def sigma(self) -> FloatArray | None:
        """Width of the signal in bins, shape (n_bins,); ``None`` where it is to be scanned."""
        return self.bins.sigma

    @property
    def edges(self) -> FloatArray:
        """Edges of the bins in GeV, shape (n_bins + 1,)."""
        return self.bins.edges


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
    return prepare_all(contents_of([spectrum]), min_events=min_events, whole=whole)[0]


def prepare_all(spectra: Sequence[Contents], *, min_events: float = MIN_EVENTS, whole: bool = False) -> list[Prepared]:
    """Return the fit ranges of spectra, in their order.

    Parameters
    ----------
    spectra
        Of any bins.
    min_events, whole
        Of :func:`prepare`.
    """
    alike: dict[tuple[int, bool], list[int]] = {}
    for number, one in enumerate(spectra):
        alike.setdefault((id(one.binning), one.variances is None), []).append(number)
    found: dict[int, Prepared] = {}
    for numbers in alike.values():
        for start in range(0, len(numbers), _BLOCK):
            some = numbers[start : start + _BLOCK]
            found.update(zip(some, _prepared([spectra[i] for i in some], min_events, whole=whole), strict=True))
    return [found[number] for number in range(len(spectra))]


def _prepared(spectra: Sequence[Contents], min_events: float, *, whole: bool) -> list[Prepared]:
    """Return the fit ranges of spectra of one binning, all with variances or all without."""
    binning = spectra[0].binning
    n_bins, free = len(binning.masked), ~binning.masked
    found: dict[int, Prepared] = {}
    for number, (one, wrong) in enumerate(zip(spectra, _wrong_contents(spectra), strict=True)):
        if wrong is not None:
            found[number] = Prepared(one, 0, n_bins, *wrong)
        elif binning.unfit:
            found[number] = Prepared(one, 0, n_bins, Status.BAD_WIDTH, binning.unfit)
    rows = [number for number in range(len(spectra)) if number not in found]
    seen = np.array([spectra[row].effective for row in rows]).reshape(len(rows), n_bins) * free
    first, stop = np.zeros(len(rows), dtype=np.int64), np.full(len(rows), n_bins)
    if rows and not whole:
        first, stop = begins_at(seen, binning.typical), ends_at(seen, binning.typical)
    places = zip(rows, (seen.sum(axis=1) >= min_events).tolist(), first.tolist(), stop.tolist(), strict=True)
    for row, enough, begin, end in places:
        found[row] = (
            _ranged(spectra[row], begin, end) if enough else Prepared(spectra[row], 0, n_bins, Status.TOO_FEW_ENTRIES)
        )
    return [found[number] for number in range(len(spectra))]


def _ranged(contents: Contents, first: int, stop: int, reason: str = "") -> Prepared:
    """Return the range between two bins, a few more behind it where that makes lengths equal."""
    free = ~contents.binning.masked
    if min(stop - first, int(free[first:stop].sum())) < LEAST_BINS:
        return Prepared(contents, first, stop, Status.TOO_FEW_BINS)
    longer = min(first + -(-(stop - first) // _MULTIPLE) * _MULTIPLE, len(free))
    bins = contents.binning.range(first, longer)
    return Prepared(contents, first, longer, bins.status, bins.reason or reason)


def within(prepared: Prepared, low: float | None, high: float | None) -> Prepared:
    """Return the part of a range between two of its edges, those of a row of a report; all of it without any."""
    if low is None or high is None:
        return prepared
    first, stop = np.searchsorted(prepared.contents.binning.edges, [low, high]).tolist()
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
    cut = _ranged(prepared.contents, prepared.first + first, prepared.stop, reason)
    return cut if cut.status is Status.OK else None


def _wrong_contents(spectra: Sequence[Contents]) -> list[tuple[Status, str] | None]:
    """Return why the errors of contents are not known, or are not those of counts; ``None`` where they are."""
    contents = np.array([one.counts for one in spectra])
    endless, negative = ~np.isfinite(contents).all(axis=1), (contents < 0).any(axis=1)
    if spectra[0].variances is None:
        broken = (contents != np.rint(contents)).any(axis=1)
        others = [Status.NOT_COUNTS if one else None for one in broken.tolist()]
        factors = common_factors(np.where((endless | negative | broken)[:, None], 0.0, contents))
    else:
        good = [one.variances is not None and are_variances(one.counts, one.variances) for one in spectra]
        others, factors = [None if one else Status.BAD_VARIANCES for one in good], [1] * len(good)
    found: list[tuple[Status, str] | None] = []
    for row, other, factor in zip(np.column_stack([endless, negative]).tolist(), others, factors, strict=True):
        status = Status.NEGATIVE if row[1] else other
        if row[0]:
            found.append((Status.NOT_FINITE, "contents that are not finite numbers"))
        else:
            found.append(_scaled(factor) if status is None else (status, status.value))
    return found


def _scaled(factor: int) -> tuple[Status, str] | None:
    if factor == 1:
        return None
    return Status.SCALED, f"all contents are multiples of {factor}, as no Poisson counts are: give --scale {factor}"
