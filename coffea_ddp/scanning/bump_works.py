"""Works of a bump hunt for an engine: searches in some spectra at a time, and the toys of the best.

Spectra are put together by their number alone, so that what is found depends on no engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from coffea_ddp.scanning.bump_search import Candidate, Searched, Settings, searched
from coffea_ddp.stats.bumphunt.hunt import toys_beyond

if TYPE_CHECKING:
    from coffea_ddp.scanning.bump_contents import BinRange
    from coffea_ddp.scanning.bump_range import Prepared

AT_ONCE = 1024
"""Spectra that are searched together: what was found at every bin is in memory for this number, or twice it."""


@dataclass(frozen=True, eq=False)
class SpectraSearch:
    """Spectra that are searched together, in groups of one length and width; all of them are one part.

    Attributes
    ----------
    groups
        The spectra.
    settings
        The network.
    """

    groups: tuple[tuple[Prepared, ...], ...]
    settings: Settings

    @property
    def name(self) -> str:
        """As progress names it."""
        return "spectra"

    @property
    def parts(self) -> list[range]:
        """The numbers of all spectra, as one part."""
        return [range(sum(map(len, self.groups)))]

    def results(self, _numbers: Sequence[int], /) -> list[Searched]:
        """Return what was found in each of the spectra."""
        return searched(self.groups, self.settings)


class WithToys(NamedTuple):
    """A bump, and the bins that its toys are drawn in."""

    candidate: Candidate
    bins: BinRange


@dataclass(frozen=True, eq=False)
class SpectraToys:
    """Background-only toys of some bumps, each a part.

    Attributes
    ----------
    bumps
        Those of which toys say something.
    settings
        The network, and the number of toys.
    """

    bumps: tuple[WithToys, ...]
    settings: Settings

    @property
    def name(self) -> str:
        """As progress names it."""
        return "toys"

    @property
    def parts(self) -> list[range]:
        """The number of every bump."""
        return [range(number, number + 1) for number in range(len(self.bumps))]

    def results(self, numbers: Sequence[int], /) -> list[int]:
        """Return how many toys reach each bump."""
        return [self._reached(*self.bumps[number]) for number in numbers]

    def _reached(self, candidate: Candidate, bins: BinRange) -> int:
        settings = self.settings
        return toys_beyond(
            settings.network, candidate.smooth, candidate.significance, bins.sigma, bins.use,
            toys=settings.toys, seed=settings.seed, backend=settings.backend, closed=candidate.closed,
        )  # fmt: skip


def searches_of(prepared: Sequence[Prepared], settings: Settings) -> Iterator[tuple[list[int], SpectraSearch]]:
    """Go through spectra, a thousand or so at once: their numbers, and the search in them.

    Parameters
    ----------
    prepared
        Spectra, all of which can be searched.
    settings
        The network.
    """
    alike: dict[tuple[int, bytes], list[int]] = {}
    for number, one in enumerate(prepared):
        alike.setdefault(one.bins.alike, []).append(number)
    groups, size = list[list[int]](), 0
    for numbers in alike.values():
        for start in range(0, len(numbers), AT_ONCE):
            groups.append(numbers[start : start + AT_ONCE])
            size += len(groups[-1])
            if size >= AT_ONCE:
                yield _search(prepared, groups, settings)
                groups, size = [], 0
    if groups:
        yield _search(prepared, groups, settings)


def _search(
    prepared: Sequence[Prepared], groups: Sequence[Sequence[int]], settings: Settings
) -> tuple[list[int], SpectraSearch]:
    spectra = tuple(tuple(prepared[number] for number in group) for group in groups)
    return [number for group in groups for number in group], SpectraSearch(spectra, settings)
