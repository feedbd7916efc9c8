"""A mass spectrum: the histogram of one object combination in one cell, with what a bump hunt needs to know of it.

Examples
--------
>>> import hist
>>> spectrum = MassSpectrum("m0m1", "mu=2", hist.new.Reg(40, 60, 120, name="mass").Int64(), width=2.5)
>>> spectrum
MassSpectrum('m0m1', 'mu=2': 40 bins from 60 to 120, 0 entries)
>>> spectrum.sigma_bins[:2].round(2)
array([1.67, 1.67])
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.effective import effective, same
from coffea_ddp.errors import InputError, named

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray
    from coffea_ddp.spectra.resolution import Resolution

_WHOLE = {"Int64", "AtomicInt64"}
"""Storages of whole numbers, whose variances are their contents."""


@dataclass(frozen=True, eq=False)
class MassSpectrum:
    """The invariant-mass histogram of one object combination in one cell.

    Attributes
    ----------
    combination, cell
        Which objects (``"m0m1"``: the two leading muons) of which events.
    hist
        ``hist.Hist`` of one axis, in GeV.
    width
        Standard deviation of a narrow signal in GeV; ``None`` where it is not known or not one number.
    resolution
        Instead: as a function of the mass.
    masks
        Ranges (low, high, name) of known resonances, in GeV, that are left out.
    partial
        Whether something is missing from the input.
    title
        Its name in reports; the combination by default.
    decays_to
        The objects and candidates of which it is the mass, ``("mu", "mu", "j")``; empty where nothing tells them.

    Examples
    --------
    >>> import hist
    >>> MassSpectrum("2mu", "inclusive", hist.Hist.new.Reg(20, 60.0, 120.0).Int64(), width=2.5).width
    2.5
    """

    combination: str
    cell: str
    hist: Any
    width: float | None = None
    resolution: Resolution | None = None
    masks: tuple[tuple[float, float, str], ...] = ()
    partial: bool = False
    title: str = ""
    decays_to: tuple[str, ...] = ()

    @property
    def counts(self) -> FloatArray:
        """Contents inside of the axis (sums of weights in a weighted histogram), shape (n_bins,)."""
        return np.asarray(self.hist.values(), dtype=np.float64)

    @property
    def variances(self) -> FloatArray | None:
        """Variances of the contents, shape (n_bins,); ``None`` for counts, and where none are kept.

        Errors that are nothing but the square roots of the contents say nothing that the contents do not.
        """
        if self.hist.storage_type.__name__ in _WHOLE:
            return None
        variances = self.hist.variances()
        if variances is None or same(self.counts, np.asarray(variances)):
            return None
        return np.asarray(variances, dtype=np.float64)

    @property
    def effective(self) -> FloatArray:
        """Whole numbers with the relative error that the contents have: counts, or ``round((sum w)^2 / sum w^2)``.

        0 where the sum of weights is 0 or negative.
        """
        variances = self.variances
        return self.counts if variances is None else effective(self.counts, variances, np.diff(self.edges))

    @property
    def edges(self) -> FloatArray:
        """Edges of the bins in GeV, shape (n_bins + 1,)."""
        return np.asarray(self.hist.axes[0].edges, dtype=np.float64)

    @property
    def entries(self) -> float:
        """Sum of the contents inside of the axis."""
        return float(self.counts.sum())

    @property
    def sigma_bins(self) -> FloatArray | None:
        """Standard deviation of a narrow signal around every bin, in bins; ``None`` where it is not known."""
        edges = self.edges
        widths = np.diff(edges)
        if self.resolution is not None:
            return np.asarray(self.resolution.sigma(0.5 * (edges[1:] + edges[:-1])) / widths)
        return None if self.width is None else self.width / widths

    @property
    def masked(self) -> BoolArray:
        """Mask of the bins that overlap a masked range, shape (n_bins,)."""
        low, high = self.edges[:-1], self.edges[1:]
        hit = np.zeros(len(low), dtype=bool)
        for start, stop, _ in self.masks:
            hit |= (high > start) & (low < stop)
        return hit

    def __repr__(self) -> str:
        """Return what it is and how much is in it."""
        edges = self.edges
        mark = " PARTIAL" if self.partial else ""
        return (
            f"MassSpectrum({self.combination!r}, {self.cell!r}: {len(edges) - 1} bins from {edges[0]:g} to "
            f"{edges[-1]:g}, {self.entries:g} entries){mark}"
        )

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(repr(self))}</b></p>{self.hist._repr_html_()}"


def only_spectra(what: str, given: Any) -> list[MassSpectrum]:
    """Return spectra as a list.

    Raises
    ------
    InputError
        If something else is among them.
    """
    found = list(given) if isinstance(given, Iterable) and not isinstance(given, str | type) else [given]
    for one in found:
        if not isinstance(one, MassSpectrum):
            raise InputError(
                f"{what}: got {named(one)}; give MassSpectrum objects, or read a file of spectra first "
                '(those in Histograms are looked at by ddp.scan(hists, tests=["bump"]))'
            )
    return found
