"""A comparison of data with simulation in an output, as pure data.

Examples
--------
>>> found = ComparisonLayout("data/simulation", (), ("muon efficiency",))
>>> found.n_columns, ComparisonLayout.from_dict(found.to_dict()) == found
(3, True)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coffea_ddp.histograms.axes import axes_from_uhi, axes_to_uhi

SIDES = ("simulation", "data")
"""The names of sides A and B of every comparison: an excess of the data is positive."""


@dataclass(frozen=True)
class ComparisonLayout:
    """A comparison without its functions.

    Attributes
    ----------
    name
        For example ``"data/simulation"``.
    observables
        Name and axes of each.
    variations
        Names of the variations of the simulation; each has two columns of counts, up and down.
    """

    name: str
    observables: tuple[tuple[str, tuple[Any, ...]], ...]
    variations: tuple[str, ...] = ()

    @property
    def n_columns(self) -> int:
        """Number of columns of counts of a simulated sample: the nominal one, then up and down of each variation."""
        return 1 + 2 * len(self.variations)

    def to_dict(self) -> dict[str, Any]:
        """Return the layout as JSON-ready data; axes in the UHI form."""
        return {
            "name": self.name,
            "observables": [{"name": name, "axes": axes_to_uhi(axes)} for name, axes in self.observables],
            "variations": list(self.variations),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ComparisonLayout:
        """Return the layout that :meth:`to_dict` described."""
        observables = tuple((item["name"], axes_from_uhi(item["axes"])) for item in data["observables"])
        return cls(str(data["name"]), observables, tuple(map(str, data["variations"])))
