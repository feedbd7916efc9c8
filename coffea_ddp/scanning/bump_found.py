"""Bumps with the spectra that they were found in: where they are in GeV, their order, and their toys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.report.ordering import sort_key
from coffea_ddp.stats.trials import p_from_z, sidak_z, z_from_p

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.scanning.bump_range import Prepared
    from coffea_ddp.scanning.bump_search import Candidate, Searched


@dataclass(frozen=True, eq=False)
class Found:
    """A bump of a spectrum, or its strongest candidate.

    Attributes
    ----------
    prepared
        The spectrum, and the range that it was found in.
    candidate
        What was found.
    z_spectrum
        After all bins and widths: that of the candidate, or of its toys.
    n_ge, n
        Toys that reach it, and all; ``None`` without toys.
    """

    prepared: Prepared
    candidate: Candidate
    z_spectrum: float
    n_ge: int | None = None
    n: int | None = None

    @property
    def position(self) -> float:
        """The mass: the mean of the peak as fitted, or the centre of the bin of a candidate."""
        edges, one = self.prepared.edges, self.candidate
        place = one.best if one.peak is None else one.peak.place
        return float(np.interp(place + 0.5, np.arange(len(edges)), edges))

    @property
    def width(self) -> float:
        """The standard deviation of the signal there, in GeV."""
        edges, one = self.prepared.edges, self.candidate
        return float(one.sigma * (edges[one.best + 1] - edges[one.best]))

    def with_toys(self, n_ge: int, toys: int) -> Found:
        """Return it with its toys counted; where they give the larger p, they replace the calibration."""
        z = self.z_spectrum
        if n_ge:
            z = min(z, float(z_from_p((n_ge + 1) / (toys + 1), two_sided=False)))
        return replace(self, z_spectrum=z, n_ge=n_ge, n=toys)


def found_in(prepared: Prepared, searched: Searched) -> list[Found]:
    """Return the bumps of a spectrum with it."""
    if searched.cut is not None:
        first, stop, reason = searched.cut
        prepared = replace(prepared, first=first, stop=stop, reason=reason)
    return [Found(prepared, one, one.z_spectrum) for one in searched.bumps]


def z_after(found: Sequence[Found], trials: int) -> FloatArray:
    """Return the global z of bumps after a number of searches, shape (n_bumps,)."""
    return np.asarray(sidak_z(np.array([one.z_spectrum for one in found]), trials, two_sided=False))


def in_order(found: Sequence[Found], trials: int) -> list[Found]:
    """Return bumps in the order of their ranks after a number of searches."""
    if not found:
        return []
    p = p_from_z(z_after(found, trials), two_sided=False).tolist()
    return [found[i] for i in sorted(range(len(found)), key=lambda i: sort_key(p[i], found[i].candidate.z))]
