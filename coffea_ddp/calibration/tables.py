"""Tables of a calibration, and the correctionlib set that they make.

Examples
--------
>>> tables = LogRatioTables(
...     pt=np.array([10.0, 250.0]),
...     abseta=np.array([0.0, 2.5]),
...     log_ratio=np.full((1, 1, 2), 0.1),
...     error=np.full((1, 1, 2), 0.02),
...     jets=np.zeros(1),
...     met=np.array([0.0, 150.0]),
...     one_lepton=np.zeros((1, 1)),
... )
>>> [one["name"] for one in json.loads(correction_set(tables, "an example"))["corrections"]]
['log_ratio', 'log_ratio_jets', 'one_lepton']
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

CHARGES = (-2, 0, 2)
"""Edges of the bins in the charge: negative, positive."""

DIGITS = 7


class LogRatioTables(NamedTuple):
    """Values of a calibration in bins.

    Attributes
    ----------
    pt, abseta
        Edges, in GeV and pseudorapidity.
    log_ratio, error
        ``ln(eff_mu / eff_e)`` without jets, and one standard deviation; shape (n_pt, n_abseta, 2), the negative charge
        first.
    jets
        What 0, 1 ... jets add, the last for all more; shape (n,).
    met
        Edges in GeV, of events with one lepton.
    one_lepton
        What such events have besides; shape (n_met, n_jets).
    """

    pt: FloatArray
    abseta: FloatArray
    log_ratio: FloatArray
    error: FloatArray
    jets: FloatArray
    met: FloatArray
    one_lepton: FloatArray


def correction_set(tables: LogRatioTables, description: str) -> str:
    """Return the tables as the JSON of a ``CorrectionSet`` (schema 2); beyond their edges the outer bins hold."""
    lepton = [
        _input("pt", "real", "transverse momentum in GeV"),
        _input("abseta", "real", "absolute pseudorapidity"),
        _input("charge", "int", "-1 or 1"),
    ]
    variation = _input("variation", "string", "nominal, up or down by one standard deviation")
    jets = [_input("n_jets", "int", "number of jets")]
    edges = [tables.pt, tables.abseta, CHARGES]
    varied = {
        "nominal": tables.log_ratio,
        "up": tables.log_ratio + tables.error,
        "down": tables.log_ratio - tables.error,
    }
    content = [{"key": key, "value": _binned(lepton, edges, values)} for key, values in varied.items()]
    of_jets = np.arange(len(tables.jets) + 1) - 0.5
    return json.dumps(
        {
            "schema_version": 2,
            "description": description,
            "corrections": [
                _correction(
                    "log_ratio",
                    "ln(eff_mu / eff_e) of a lepton",
                    [*lepton, variation],
                    {"nodetype": "category", "input": "variation", "content": content},
                ),
                _correction(
                    "log_ratio_jets",
                    "what jets add to ln(eff_mu / eff_e)",
                    jets,
                    _binned(jets, [of_jets], tables.jets),
                ),
                _correction(
                    "one_lepton",
                    "log-odds that are added once in events with one lepton",
                    [_input("met", "real", "missing transverse momentum in GeV"), *jets],
                    _binned([_input("met", "real", ""), *jets], [tables.met, of_jets], tables.one_lepton),
                ),
            ],
        },
        separators=(",", ":"),
    )


def constant(value: float) -> str:
    """Return the set of a ratio that is the same for all leptons."""
    everywhere, whole = np.array([0.0, 1e6]), np.array([0.0, 10.0])
    ratio = np.full((1, 1, 2), value)
    return correction_set(
        LogRatioTables(everywhere, whole, ratio, np.zeros_like(ratio), np.zeros(1), everywhere, np.zeros((1, 1))),
        f"ln(eff_mu / eff_e) = {value:g}",
    )


def _input(name: str, kind: str, description: str) -> dict[str, str]:
    return {"name": name, "type": kind, "description": description}


def _correction(name: str, description: str, inputs: Sequence[Any], data: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "version": 1,
        "inputs": list(inputs),
        "output": {"name": "log_ratio", "type": "real", "description": description},
        "data": data,
    }


def _binned(inputs: Sequence[dict[str, str]], edges: Sequence[Any], values: FloatArray) -> dict[str, Any]:
    return {
        "nodetype": "multibinning",
        "inputs": [one["name"] for one in inputs],
        "edges": [np.asarray(of, dtype=np.float64).tolist() for of in edges],
        "content": np.round(values, DIGITS).ravel().tolist(),
        "flow": "clamp",
    }
