"""The parts of a row that only some rows have: a bump and its cause, an expected ratio, a fitted tail.

Examples
--------
>>> RatioPart(kappa=1.0, asymmetry=float("inf"))
RatioPart(kappa=1.0, asymmetry=None, z_nominal=None, claimed=None)
>>> part_of(BumpPart, {"position": None, "width": None}) is None
True
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

SMALLEST_P = 1e-300
"""Below, a p-value is given by its z alone: doubles end at 2.2e-308."""


def clean(record: Any) -> None:
    """Set to ``None`` what a frozen record cannot say in JSON: numbers that are not finite, and p below 1e-300."""
    for name, value in vars(record).items():
        if isinstance(value, float):
            too_small = 0 <= value < SMALLEST_P and name.startswith("p_")
            if too_small or not math.isfinite(value):
                object.__setattr__(record, name, None)


@dataclass(frozen=True)
class RatioPart:
    """The expected ratio of a symmetry.

    Attributes
    ----------
    kappa
        The transfer factor: the expected ratio B / A.
    asymmetry
        The relative difference of efficiency, equal in all bins, that would explain the statistic.
    z_nominal
        z_local with the plan's kappa, taken as exact, and no correction or systematic error; ``None`` where that is
        what was used.
    claimed
        How many more events are expected on side B than with the plan's kappa: the part of an excess that a calibration
        or another kappa explains; below 0 on side A. ``None`` where the plan's kappa is what was used.
    """

    kappa: float | None = None
    asymmetry: float | None = None
    z_nominal: float | None = None
    claimed: float | None = None

    def __post_init__(self) -> None:
        clean(self)


@dataclass(frozen=True)
class TailPart:
    """An extrapolation of ``p_global`` beyond what the number of pseudo-experiments resolves, from a fitted tail.

    Attributes
    ----------
    p_tail, p_tail_low, p_tail_high
        The p-value, and its 68 % interval.
    """

    p_tail: float | None = None
    p_tail_low: float | None = None
    p_tail_high: float | None = None

    def __post_init__(self) -> None:
        clean(self)


@dataclass(frozen=True)
class BumpPart:
    """The bump of a spectrum, and the range in which it was searched.

    Attributes
    ----------
    position, width, z_error
        The mass and the standard deviation of the signal in GeV, and the uncertainty of its z; ``None`` where the
        spectrum was not tested.
    low, high
        The fit range, in GeV.
    flags
        Names of what is outside of the network's experience, or no smooth shape; empty where nothing is.
    bump_number, bump_events
        1 for the strongest bump of a spectrum, more for those found beside it; and the number of events in it, as
        fitted. ``None`` where no bump was fitted.
    """

    position: float | None = None
    width: float | None = None
    z_error: float | None = None
    low: float | None = None
    high: float | None = None
    flags: str | None = None
    bump_number: int | None = None
    bump_events: float | None = None

    def __post_init__(self) -> None:
        clean(self)


@dataclass(frozen=True)
class CausePart:
    """Kinematics that explain a bump: a known resonance of other objects, or a threshold.

    Attributes
    ----------
    cause
        Its name; rows of one cause are grouped.
    cause_share
        The share of the events under the bump that have the known resonance; ``None`` of a threshold.
    explanation
        What was counted, in words.
    """

    cause: str | None = None
    cause_share: float | None = None
    explanation: str | None = None

    def __post_init__(self) -> None:
        clean(self)


PARTS: Mapping[str, type[Any]] = {"ratio": RatioPart, "tail": TailPart, "bump": BumpPart, "cause": CausePart}
"""The parts of a row, by their attributes."""

Part = TypeVar("Part")


def columns_of(kind: type[Any]) -> tuple[str, ...]:
    """Return the columns of a kind of part."""
    return tuple(item.name for item in dataclasses.fields(kind))


def part_of(kind: type[Part], columns: Mapping[str, Any]) -> Part | None:
    """Return a part made of the columns of a row; ``None`` where it has no value."""
    values = {name: columns.get(name) for name in columns_of(kind)}
    return None if all(value is None for value in values.values()) else kind(**values)


def is_empty(part: Any) -> bool:
    """Return whether no column of a part has a value."""
    return all(value is None for value in vars(part).values())
