"""Calibration of a report: the fit that it is made of, and the variables in which the symmetries close.

A report may be anybody's file: what is missing in it, or of another kind, is left out.

Examples
--------
>>> inputs = {
...     "calibration": {
...         "control": "tau=0",
...         "n_events": 1200,
...         "closure": [{"variable": "tau", "n_bins": 2, "chi2_before": 75.0, "chi2": 22.0, "p_value": 2e-5}],
...     }
... }
>>> for text in calibration_sentences(inputs):
...     print(text)
Calibrated: efficiencies of electrons and muons from 1,200 events of the cell 'tau=0'.
Does not close in tau: there the symmetry is broken by more than lepton kinematics.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OPEN = 1e-3
"""A variable with a smaller p-value does not close."""

_NUMBERS = ("n_bins", "chi2_before", "chi2", "p_value")
_MOST = 200


def calibration_sentences(inputs: Mapping[str, Any]) -> list[str]:
    """Return what the inputs of a report say of its calibration; nothing where there is none."""
    found = inputs.get("calibration")
    if not isinstance(found, Mapping):
        return []
    number, control = found.get("n_events"), found.get("control")
    learned = f" from {number:,} events of the cell {str(control)!r}" if isinstance(number, int) else ""
    open_ones = open_variables(inputs)
    sentences = [f"Calibrated: efficiencies of electrons and muons{learned}."]
    if found.get("leave_out") is True:
        sentences.append("Each cell is tested with a fit without the events of the rarest object that it asks for.")
    if open_ones:
        sentences.append(
            f"Does not close in {', '.join(open_ones)}: there the symmetry is broken by more than lepton kinematics."
        )
    return sentences


def open_variables(inputs: Mapping[str, Any]) -> list[str]:
    """Return the variables in which the calibration of a report does not close."""
    return [name for name, *_, p in closure_lines(inputs) if p < OPEN]


def closure_lines(inputs: Mapping[str, Any]) -> list[tuple[str, int, float, float, float]]:
    """Return variable, number of bins, chi2 without and with the calibration, and its p-value, of every variable."""
    found = inputs.get("calibration")
    lines = found.get("closure") if isinstance(found, Mapping) else None
    usable = []
    for line in lines[:_MOST] if isinstance(lines, list) else []:
        values = [line.get(name) for name in _NUMBERS] if isinstance(line, dict) else []
        numbers = [float(value) for value in values if isinstance(value, int | float)]
        if len(numbers) == len(_NUMBERS):
            n_bins, before, after, p = numbers
            usable.append((str(line.get("variable", "")), int(n_bins), before, after, p))
    return usable
