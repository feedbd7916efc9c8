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

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.effective import are_variances
from coffea_ddp.spectra.spectrum import MassSpectrum
from coffea_ddp.stats.bumphunt.checks import LEAST_BINS, uneven_bins, unfit_width
from coffea_ddp.stats.bumphunt.fit_range import ends_at, falling_from
from coffea_ddp.stats.bumphunt.widths import SCANNED
from coffea_ddp.stats.dispersion import common_factor
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

MIN_EVENTS = 100
"""A spectrum of fewer events is not tested: the network was not trained on it."""
_SAME = 0.05
_MULTIPLE = 8
"""Spectra are continued to a multiple of this number of bins, so that more of them have one length."""
_LATE = 0.5
"""A spectrum whose turn-on takes more than this part of its bins does not fall."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """The fit range of a spectrum.

    Attributes
    ----------
    spectrum
        The whole one.
    first, stop
        Bins from where it falls to where it ends.
    status
        Why it is not tested, or ``OK``.
    reason
        The same in words, where there is more to say than the status does.
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

    @property
    def counts(self) -> FloatArray:
        """Effective counts, 0 in masked bins; shape (n_bins,)."""
        return self.spectrum.effective[self.span] * self.use

    @property
    def use(self) -> FloatArray:
        """1 for bins that are used, 0 where they are masked; shape (n_bins,)."""
        return np.where(self.spectrum.masked[self.span], 0.0, 1.0)

    @property
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

    @property
    def edges(self) -> FloatArray:
        """Edges of the bins in GeV, shape (n_bins + 1,)."""
        return self.spectrum.edges[self.first : self.stop + 1]


def prepare(spectrum: MassSpectrum, *, min_events: float = MIN_EVENTS, whole: bool = False) -> Prepared:
    """Return the fit range of a spectrum, by rule.

    It begins behind its turn-on (:func:`~coffea_ddp.stats.bumphunt.fit_range.falling_from`, known resonances left out)
    and ends with its events (:func:`~coffea_ddp.stats.bumphunt.fit_range.ends_at`).

    Parameters
    ----------
    spectrum
        The spectrum.
    min_events
        Fewer effective events: ``TOO_FEW_ENTRIES``.
    whole
        Take all bins, whatever they hold.
    """
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
    first, stop = (0, n_bins) if whole else (_start(counts, free, sigma), ends_at(counts * free, typical))
    late = first > _LATE * stop
    few = min(stop - first, int(free[first:stop].sum())) < LEAST_BINS
    status = Status.NOT_FALLING if late else Status.TOO_FEW_BINS if few else Status.OK
    longer = min(first + -(-(stop - first) // _MULTIPLE) * _MULTIPLE, n_bins)
    if status is Status.OK:
        return Prepared(spectrum, first, longer, *_wrong_bins(spectrum, slice(first, longer)))
    return Prepared(spectrum, first, stop, status)


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


def _start(counts: FloatArray, free: Any, sigma: FloatArray | None) -> int:
    """Return the bin at which the spectrum begins to fall, without the masked ones.

    Where the width of a signal is not known, a wide peak must not be taken for the end of a turn-on.
    """
    places = np.flatnonzero(free)
    typical = SCANNED[-1] if sigma is None else float(np.median(sigma))
    first = falling_from(counts[free], typical, at_maximum=sigma is not None)
    return int(places[first]) if len(places) else 0
