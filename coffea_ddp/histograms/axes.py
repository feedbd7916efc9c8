"""The quantities on the axes of histograms: name, label and unit, where a ``hist`` axis has one label for both.

Examples
--------
>>> import hist
>>> quantity(hist.axis.Regular(10, 0.0, 100.0, name="m_ll", label="m(ll) [GeV]"))
Quantity(name='m_ll', label='m(ll)', unit='GeV')
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

_LABEL = re.compile(r"(?P<label>.*?)\s*\[(?P<unit>[^\[\]]*)\]", re.DOTALL)


class Quantity(NamedTuple):
    """The quantity on an axis.

    Attributes
    ----------
    name
        Of the axis; its label where it has no name.
    label
        Without the unit; the name where there is no label.
    unit
        Empty for a number without one.
    """

    name: str
    label: str
    unit: str


def quantity(axis: Any) -> Quantity:
    """Return the quantity on a ``hist`` axis: what stands in square brackets at the end of its label is the unit."""
    whole = str(axis.label or axis.name)
    match = _LABEL.fullmatch(whole)
    label, unit = (match["label"].strip(), match["unit"]) if match and match["unit"] else (whole, "")
    return Quantity(str(axis.name or whole), label, unit)
