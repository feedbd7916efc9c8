"""The data of a report in one line: data or simulation, energy, luminosity, events and files.

Examples
--------
>>> choices = {"kind of events": ["data"], "collision energy": ["13 TeV"], "integrated luminosity": ["16.4 fb^-1"]}
>>> dataset_words({"choices": choices, "events": 1200, "files": 2, "datasets": ["muon"]})
'data, 13 TeV, 16.4 fb^-1, 1,200 events of 2 files (muon)'
>>> dataset_words({"choices": {"missing transverse momentum": ["approximate: soft term minus jets"]}, "events": 1200})
'approximate missing transverse momentum, 1,200 events'
>>> dataset_words({"events": 1200, "files": 2, "split": {"part": "a", "share": 0.5}})
'half a, 1,200 events of 2 files'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coffea_ddp.errors import DDPError
from coffea_ddp.histograms.descriptions import ENERGY_ROLE, KIND_ROLE, LUMINOSITY_ROLE, is_approximate
from coffea_ddp.histograms.split import EventSplit

_LONGEST = 40
_MOST = 3
"""Datasets and luminosities that are named."""
_ROLES = (KIND_ROLE, ENERGY_ROLE, LUMINOSITY_ROLE)


def is_about_dataset(role: str) -> bool:
    """Return True for the roles, among the choices of an output, that say what its events are."""
    return role.startswith(_ROLES)


def dataset_words(inputs: Mapping[str, Any]) -> str:
    """Return what a report's inputs say of its data; what is not known is left out."""
    told = inputs.get("choices")
    choices = {str(role): _texts(used) for role, used in told.items()} if isinstance(told, Mapping) else {}
    luminosities = {role: used for role, used in choices.items() if role.startswith(LUMINOSITY_ROLE)}
    if isinstance(inputs.get("simulation"), Mapping):  # numbers are in the unit that they were used in
        luminosities = {role: [_with_unit(one) for one in used] for role, used in luminosities.items()}
    found = [
        " and ".join(sorted(choices.get(KIND_ROLE, []))),
        " and ".join(choices.get(ENERGY_ROLE, [])[:_MOST]),
        *[f"{', '.join(used[:_MOST])}{role.removeprefix(LUMINOSITY_ROLE)}" for role, used in luminosities.items()][
            :_MOST
        ],
        *[f"approximate {role[:_LONGEST]}" for role, used in choices.items() if any(map(is_approximate, used))][:_MOST],
        _part(inputs.get("split")),
        _size(inputs),
    ]
    return ", ".join(filter(None, found))


def _with_unit(text: str) -> str:
    try:
        return f"{float(text):g} fb^-1"
    except ValueError:
        return text


def _part(split: Any) -> str:
    """Return the part of the events that was scanned, of the events that were read."""
    try:
        part = EventSplit.from_dict(split)
    except (DDPError, KeyError, TypeError, ValueError, AttributeError):  # a stranger's report
        return ""
    return "" if part is None else str(part)


def _size(inputs: Mapping[str, Any]) -> str:
    events, spectra, files = (inputs.get(name) for name in ("events", "spectra", "files"))
    if not isinstance(events, int):
        return _number(spectra, "spectrum", "spectra") if isinstance(spectra, int) else ""
    of = f" of {_number(files, 'file', 'files')}" if isinstance(files, int) and files else ""
    names = _texts(inputs.get("datasets"))
    # What the files were called that were given without a dataset says nothing more.
    named = "" if names in ([], ["data"]) else f" ({', '.join(names)})"
    if len(names) > _MOST:
        named = f" in {len(names):,} datasets"
    return f"{_number(events, 'event', 'events')}{of}{named}"


def _number(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else []
