"""A spectrum of an output, as pure data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coffea_ddp.histograms.axes import axes_from_uhi, axes_to_uhi
from coffea_ddp.spectra.resolution import Resolution


@dataclass(frozen=True)
class SpectrumLayout:
    """A spectrum without its function.

    Attributes
    ----------
    name
        For example ``"2mu+j"``.
    axis
        ``hist`` axis in GeV, with flow bins.
    resolution
        Resolution of the mass, if it is known.
    masks
        Ranges (low, high, name) of known resonances in GeV.
    exchange_name
        Of the combination in the exchange format, ``"m0m1j0"``.
    decays_to
        The objects and candidates of which it is the mass, ``("mu", "mu", "j")``; empty where nothing tells them.
    thresholds
        Masses in GeV at which its objects reach the thresholds that they are selected with, and what those are.
    end_points
        Masses in GeV at which known decays end, and what those are.
    """

    name: str
    axis: Any
    resolution: Resolution | None = None
    masks: tuple[tuple[float, float, str], ...] = ()
    exchange_name: str = ""
    decays_to: tuple[str, ...] = field(default=(), compare=False)
    thresholds: tuple[tuple[float, str], ...] = field(default=(), compare=False)
    end_points: tuple[tuple[float, str], ...] = field(default=(), compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the layout as JSON-ready data; its axis in the UHI form."""
        return {
            "name": self.name,
            "axis": axes_to_uhi((self.axis,))[0],
            "resolution": None if self.resolution is None else dataclasses.astuple(self.resolution),
            "masks": [list(mask) for mask in self.masks],
            "exchange_name": self.exchange_name,
            "decays_to": list(self.decays_to),
            "thresholds": [list(one) for one in self.thresholds],
            "end_points": [list(one) for one in self.end_points],
        }

    @classmethod
    def from_dict(cls, item: Mapping[str, Any]) -> SpectrumLayout:
        """Return the layout that :meth:`to_dict` described."""
        return cls(
            item["name"],
            axes_from_uhi([item["axis"]])[0],
            None if item["resolution"] is None else Resolution(*map(float, item["resolution"])),
            tuple((float(low), float(high), str(name)) for low, high, name in item["masks"]),
            item["exchange_name"],
            tuple(map(str, item.get("decays_to", ()))),
            *(
                tuple((float(m), str(words)) for m, words in item.get(name, ()))
                for name in ("thresholds", "end_points")
            ),
        )


def _masses(items: Any) -> tuple[tuple[float, str], ...]:
    return tuple((float(mass), str(words)) for mass, words in items)
