"""The simulation that data were compared with, as a report describes it: lines of tables and sentences.

A report may come from a stranger: what is not as it should be is left out.

Examples
--------
>>> told = {
...     "simulation": [{"dataset": "dy", "cross_section": 6077.0, "sum_of_weights": 1e8, "scale": 2.4, "negative": 3}]
... }
>>> sample_lines({"simulation": told})
[['dy', '6,077', '1e+08', '2.4', '3']]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COLUMNS = (
    ("dataset", "text"), ("cross section [pb]", "num"), ("sum of generator weights", "num"),
    ("events of data a unit of weight", "num"), ("negative weights", "num"),
)  # fmt: skip
"""Headings of :func:`sample_lines`, and their kinds."""


def told(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a report's inputs say of simulation; nothing where data were not compared with any."""
    found = inputs.get("simulation")
    return found if isinstance(found, Mapping) else {}


def sample_lines(inputs: Mapping[str, Any]) -> list[list[str]]:
    """Return a line for every simulated dataset, as it was normalised."""
    samples = told(inputs).get("simulation")
    found = [one for one in samples if isinstance(one, Mapping)] if isinstance(samples, list | tuple) else []
    names = ("cross_section", "sum_of_weights", "scale", "negative")
    return [[str(one.get("dataset", "")), *(_text(one.get(name)) for name in names)] for one in found]


def sentences(inputs: Mapping[str, Any]) -> list[str]:
    """Return the normalisation of simulation and its variations, in sentences."""
    found = told(inputs)
    if not found:
        return []
    variations = found.get("variations")
    names = ", ".join(map(str, variations)) if isinstance(variations, list | tuple) and variations else ""
    first = f"Simulation is normalised to a luminosity of {_text(found.get('luminosity'))} /fb"
    said = f" ({found['said']})" if isinstance(found.get("said"), str) and found["said"] else ""
    moved = f"variations that move bins and cells together: {names}" if names else "no variation was given"
    return [f"{first}{said}; {moved}, and each sample has the statistics of its events."]


def not_simulated(inputs: Mapping[str, Any]) -> list[str]:
    """Return in which observables there are data where nothing is simulated, a sentence each."""
    counts = told(inputs).get("not_simulated")
    found = counts.items() if isinstance(counts, Mapping) else []
    return [
        f"{name}: {number:,} {'events' if number > 1 else 'event'} of data in bins in which nothing is simulated."
        for name, number in found
        if isinstance(number, int) and number > 0
    ]


def _text(value: Any) -> str:
    return f"{value:,.5g}" if isinstance(value, int | float) and not isinstance(value, bool) else ""
