"""Contents of mass spectra as the bump hunt reads them: arrays, read once, and what all spectra of one axis share.

Examples
--------
>>> import hist
>>> from coffea_ddp.spectra.spectrum import MassSpectrum
>>> axis = hist.axis.Regular(60, 100.0, 700.0, name="mass")
>>> first, second = contents_of([MassSpectrum("m0m1", cell, hist.Hist(axis), width=20.0) for cell in ("j=0", "j=1")])
>>> first.binning is second.binning, first.binning.typical, second.cell
(True, 2.0, 'j=1')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.effective import effective
from coffea_ddp.stats.bumphunt.checks import uneven_bins, unfit_width
from coffea_ddp.stats.bumphunt.widths import SCANNED
from coffea_ddp.stats.status import Status

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray
    from coffea_ddp.spectra.spectrum import MassSpectrum

_SAME = 0.05


@dataclass(frozen=True, eq=False)
class BinRange:
    """Some of the bins of a :class:`Binning`.

    Attributes
    ----------
    edges
        In GeV, shape (n_bins + 1,).
    use
        1 for bins that are used, 0 where they are masked; shape (n_bins,).
    sigma
        Width of the signal in bins, shape (n_bins,); ``None`` where it is to be scanned. Where it is the same to a few
        per cent, as in bins that follow the resolution, it is one number: spectra of one width are tested together.
    status, reason
        Why the network cannot be applied to these bins, ``OK`` where it can; the same in words.
    """

    edges: FloatArray
    use: FloatArray
    sigma: FloatArray | None
    status: Status
    reason: str

    @cached_property
    def alike(self) -> tuple[int, bytes]:
        """Number of bins and width of the signal, which are equal for ranges that can be searched together."""
        return len(self.use), b"" if self.sigma is None else self.sigma.tobytes()


@dataclass(frozen=True, eq=False)
class Binning:
    """Bins, masks and width of the signal that spectra of one axis share.

    Attributes
    ----------
    edges
        In GeV, shape (n_bins + 1,).
    sigma
        Width of the signal around every bin, in bins, shape (n_bins,); ``None`` where it is not known.
    masked
        True for bins that are left out, shape (n_bins,).
    """

    edges: FloatArray
    sigma: FloatArray | None
    masked: BoolArray
    _ranges: dict[tuple[int, int], BinRange] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, spectrum: MassSpectrum) -> Binning:
        """Return the bins of a spectrum."""
        return cls(spectrum.edges, spectrum.sigma_bins, spectrum.masked)

    @cached_property
    def typical(self) -> float:
        """The width of the signal in bins that fit ranges are made for."""
        return SCANNED[-1] if self.sigma is None else float(np.median(self.sigma))

    @cached_property
    def unfit(self) -> str:
        """Reason why a signal cannot be searched for in these bins, in words; empty where it can."""
        return unfit_width(self.sigma, self.edges)

    def range(self, first: int, stop: int) -> BinRange:
        """Return the bins from one to another one, which is the first behind them; made once."""
        if (first, stop) not in self._ranges:
            self._ranges[first, stop] = self._range(slice(first, stop))
        return self._ranges[first, stop]

    def _range(self, span: slice) -> BinRange:
        edges, masked = self.edges[span.start : span.stop + 1], self.masked[span]
        sigma = None if self.sigma is None else self.sigma[span]
        status, reason = Status.OK, ""
        if uneven := uneven_bins(edges, ~masked):
            status, reason = Status.UNEVEN_BINS, uneven
        elif len(masked) and (unfit := unfit_width(sigma, edges)):
            status, reason = Status.BAD_WIDTH, unfit
        return BinRange(
            edges, np.where(masked, 0.0, 1.0), _rounded(sigma) if status is Status.OK else sigma, status, reason
        )


@dataclass(frozen=True, eq=False)
class Contents:
    """A spectrum as arrays, without its histogram.

    Attributes
    ----------
    combination, cell, title, decays_to, partial
        Of :class:`~coffea_ddp.spectra.spectrum.MassSpectrum`.
    binning
        Its bins.
    counts
        Contents inside of the axis, shape (n_bins,).
    variances
        Of the contents, shape (n_bins,); ``None`` for counts.
    """

    combination: str
    cell: str
    binning: Binning
    counts: FloatArray
    variances: FloatArray | None = None
    title: str = ""
    decays_to: tuple[str, ...] = ()
    partial: bool = False

    @property
    def name(self) -> str:
        """The name in reports."""
        return self.title or self.combination

    @property
    def entries(self) -> float:
        """Sum of the contents."""
        return float(self.counts.sum())

    @cached_property
    def effective(self) -> FloatArray:
        """Whole numbers with the relative error that the contents have, shape (n_bins,)."""
        if self.variances is None:
            return self.counts
        return effective(self.counts, self.variances, np.diff(self.binning.edges))


def contents_of(spectra: Sequence[MassSpectrum]) -> list[Contents]:
    """Return the contents of spectra; those of the same bins, width and masks share one binning."""
    binnings: dict[tuple[bytes, ...], Binning] = {}
    found = []
    for one in spectra:
        made = Binning.of(one)
        key = tuple(b"" if part is None else part.tobytes() for part in (made.edges, made.sigma, made.masked))
        binning = binnings.setdefault(key, made)
        found.append(
            Contents(
                one.combination, one.cell, binning, one.counts, one.variances, one.title, one.decays_to, one.partial
            )
        )
    return found


def _rounded(sigma: FloatArray | None) -> FloatArray | None:
    """Return one width for all bins where it is the same to a few per cent."""
    if sigma is None or not len(sigma):
        return sigma
    typical = float(np.median(sigma))
    return np.full(len(sigma), round(typical, 2)) if np.ptp(sigma) < _SAME * typical else sigma
