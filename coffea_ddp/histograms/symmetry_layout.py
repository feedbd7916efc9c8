"""Symmetries, calibrations and features of an output, as pure data.

Examples
--------
>>> CalibrationLayout("0123abcd").columns
('share', 'share_error')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coffea_ddp.calibration.record import FitRecord


@dataclass(frozen=True)
class SymmetryLayout:
    """A symmetry without its functions.

    Attributes
    ----------
    name
        For example ``"emu/mue OS"``.
    sides
        The names of A and B.
    kappa
        The expected ratio E[B] / E[A].
    observables
        Name and axes of each.
    exchange
        What side B is made of by exchanging: ``"flavour"`` for electrons and muons, else empty.
    """

    name: str
    sides: tuple[str, str]
    kappa: float
    observables: tuple[tuple[str, tuple[Any, ...]], ...]
    exchange: str = ""


@dataclass(frozen=True)
class CalibrationLayout:
    """The calibration of a pass, without its tables.

    Attributes
    ----------
    digest
        Tells calibrations apart.
    fit
        The fit that it was learned by; ``None`` for one from elsewhere.
    """

    digest: str
    fit: FitRecord | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of stored events: the share, and how its log-odds move where no fit says it."""
        return ("share",) if self.fit is not None else ("share", "share_error")


@dataclass(frozen=True)
class FeatureLayout:
    """A stored feature without its function."""

    name: str
    label: str
    unit: str
