"""The axes of histograms: their quantities (a ``hist`` axis has one label for name and unit), and their JSON form.

Examples
--------
>>> import hist
>>> quantity(hist.axis.Regular(10, 0.0, 100.0, name="m_ll", label="m(ll) [GeV]"))
Quantity(name='m_ll', label='m(ll)', unit='GeV')
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import hist
import numpy as np
from boost_histogram.serialization import from_uhi, to_uhi

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


def axes_to_uhi(axes: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Return ``hist`` axes in the JSON form of the Unified Histogram Interface."""
    described: list[dict[str, Any]] = []
    for axis in axes:
        data = dict(to_uhi(hist.Hist(axis, storage=hist.storage.Int64()))["axes"][0])
        if "edges" in data:
            data["edges"] = [float(edge) for edge in data["edges"]]
        described.append(data)
    return described


def axes_from_uhi(described: list[dict[str, Any]]) -> tuple[Any, ...]:
    """Return the ``hist`` axes that :func:`axes_to_uhi` described."""
    axes = []
    for data in described:
        empty = {"uhi_schema": 1, "axes": [data], "storage": {"type": "int", "values": _zeros(data)}, "metadata": {}}
        axes.append(hist.Hist(from_uhi(empty)).axes[0])
    return tuple(axes)


def _zeros(axis: Mapping[str, Any]) -> Any:

    bins = axis["bins"] if "bins" in axis else len(axis["edges"]) - 1
    return np.zeros(int(bins) + bool(axis["underflow"]) + bool(axis["overflow"]), dtype=np.int64)
