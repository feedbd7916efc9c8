"""The region of a row: a range on every axis of its observable, in numbers and in bins.

Examples
--------
>>> region = Region((Range("m_ll", 514.0, 683.0, "GeV", 4, 6), Range("met", 0.0, 40.0, "GeV", 0, 2)))
>>> str(region), region.bins
('m_ll 514 to 683 GeV, met 0 to 40 GeV', ((4, 6), (0, 2)))
>>> Region.read(str(region), region.ranges()) == region
True
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coffea_ddp.errors import FormatError

Bins = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Range:
    """A range on one axis.

    Attributes
    ----------
    name
        Of the axis; empty for the mass of a spectrum.
    low, high
        Edges, in the unit of the axis; ``None`` where the last bin has no end.
    unit
        Empty where there is none.
    first, stop
        The first bin and one past the last; ``None`` for a range that does not end at edges of bins.
    """

    name: str
    low: float | None
    high: float | None
    unit: str = ""
    first: int | None = None
    stop: int | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):  # JSON knows no infinity
                object.__setattr__(self, name, None)

    def __str__(self) -> str:
        """Return the range as text, as in ``"met 0 to 40 GeV"``."""
        low, high = -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high
        return f"{self.name} {low:.5g} to {high:.5g} {self.unit}".strip()


@dataclass(frozen=True)
class Region:
    """A part of the range of an observable, or of a spectrum.

    Attributes
    ----------
    axes
        A range for every axis; empty in reports of earlier versions, which have the label alone.
    label
        The region in words, where there are no numbers.
    """

    axes: tuple[Range, ...] = ()
    label: str = ""

    @property
    def bins(self) -> Bins | None:
        """The first bin and one past the last of every axis; ``None`` where a range has no bins."""
        found = tuple((one.first, one.stop) for one in self.axes if one.first is not None and one.stop is not None)
        return found if found and len(found) == len(self.axes) else None

    def __str__(self) -> str:
        """Return the region as text, as in ``"m_ll 514 to 683 GeV, met 0 to 40 GeV"``."""
        return ", ".join(map(str, self.axes)) or self.label

    def ranges(self) -> list[dict[str, Any]]:
        """Return the ranges of all axes as JSON-ready data."""
        return [dataclasses.asdict(one) for one in self.axes]

    @classmethod
    def read(cls, text: str, ranges: Any) -> Region:
        """Return the region of its text and its ranges; of the text alone where there are none.

        Raises
        ------
        FormatError
            If the ranges are none, or say something else than the text.
        """
        if not ranges:
            return cls(label=text)
        try:
            region = cls(tuple(_range(item) for item in ranges))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise _damaged(str(error)) from None
        if str(region) != text:
            raise _damaged(f"its ranges are {str(region)!r}, its text is {text!r}")
        return region


def _range(data: Mapping[str, Any]) -> Range:
    name, unit, bins = data["name"], data.get("unit", ""), (data.get("first"), data.get("stop"))
    low, high = (None if data[end] is None else float(data[end]) for end in ("low", "high"))
    if not isinstance(name, str) or not isinstance(unit, str):
        raise _damaged("a name or unit is no text")
    if any(type(one) is not int for one in bins if one is not None):
        raise _damaged("a bin is no whole number")
    return Range(name, low, high, unit, *bins)


def _damaged(why: str) -> FormatError:
    return FormatError(f"a row's 'region' is damaged ({why}); make it again with `coffea-ddp scan`")
