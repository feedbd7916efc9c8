"""Cells, symmetries and observables in words: plain text for terminals, symbols of particles for pages.

Examples
--------
>>> cell_words("tau=1 & b=0 & j>=2 & W")
'one hadronic tau, no b jet, at least 2 jets and a W candidate'
>>> symbols("emu/mue OS: m_ee"), symbols(cell_words("tau=1 & !VBF"))
('eμ/μe OS: m_ee', 'one hadronic τ and no VBF topology')
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coffea_ddp.histograms.cells import INCLUSIVE

DECAYS = ("Z", "W", "H", "t", "V", "Jpsi", "Upsilon")
"""Properties of an event that are named like a particle are decays; all others are topologies."""
OBJECTS = {
    "e": "electron",
    "mu": "muon",
    "lepton": "lepton",
    "tau": "hadronic tau",
    "j": "jet",
    "b": "b jet",
    "gamma": "photon",
    "t": "top jet",
    "tJ": "top jet",
    "HJ": "Higgs jet",
    "VJ": "W or Z jet",
}
_SYMBOLS = {
    "mu": "\N{GREEK SMALL LETTER MU}",
    "tau": "\N{GREEK SMALL LETTER TAU}",
    "gamma": "\N{GREEK SMALL LETTER GAMMA}",
    "l": "\N{SCRIPT SMALL L}",
    "Jpsi": "J/\N{GREEK SMALL LETTER PSI}",
    "Upsilon": "\N{GREEK CAPITAL LETTER UPSILON}",
}
# Whole words and what stands beside a digit or a sign alone: "mumu", "m_ll", "pt_l0", but not "ele" or "formula".
_PARTICLES = re.compile(r"(?<![A-Za-z])(?:(?:e|mu|tau|gamma)+|l+|Jpsi|Upsilon)(?![A-Za-z])")
_ONE = re.compile("mu|tau|gamma|l|Jpsi|Upsilon")
_CONDITION = re.compile(r"(?P<no>!?)(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<op>>=|=)(?P<n>\d{1,6}))?")
_MOST = 50
"""Conditions of a cell that are put in words; a name with more is a stranger's."""


@dataclass(frozen=True)
class Meaning:
    """An axis of the cells: its name, the word for it, and its definition, which is empty where nobody gave one."""

    name: str
    words: str
    definition: str


def symbols(text: str) -> str:
    """Return text with the symbols of particles in place of their names."""
    return _PARTICLES.sub(lambda found: _ONE.sub(lambda one: _SYMBOLS[one[0]], found[0]), text)


def cell_words(cell: str | None) -> str:
    """Return a cell in words, as what its events have; a name that is none of a cell as it is."""
    if cell is None or cell == INCLUSIVE:
        return "all events" if cell else ""
    asked = [_CONDITION.fullmatch(part) for part in cell.split(" & ")[: _MOST + 1]]
    words = [_in_words(one) for one in asked if one is not None]
    if len(words) < len(asked) or len(words) > _MOST:
        return cell
    return listed(words)


def listed(words: Sequence[str]) -> str:
    """Return words with commas and an "and"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _in_words(asked: re.Match[str]) -> str:
    name, number = asked["name"], asked["n"]
    if number is None:
        return f"no {topology_words(name)}" if asked["no"] else f"a {topology_words(name)}"
    object_name, n = OBJECTS.get(name, name), int(number)
    if asked["op"] == "=":
        return f"no {object_name}" if n == 0 else f"one {object_name}" if n == 1 else f"{n} {_several(object_name)}"
    return f"at least one {object_name}" if n == 1 else f"at least {n} {_several(object_name)}"


def _several(name: str) -> str:
    return f"{name}s" if name in OBJECTS.values() else name


def topology_words(name: str) -> str:
    """Return the words for a property of an event: a candidate for a decay, or a topology."""
    return f"{name} candidate" if name in DECAYS else f"{name} topology"


def legend(axes: Any) -> list[Meaning]:
    """Return the axes of the cells, as a report describes them, with their words and definitions."""
    described = [axis for axis in axes if isinstance(axis, Mapping)] if isinstance(axes, list | tuple) else []
    found = []
    for axis in described[:_MOST]:
        definition = str(axis.get("description") or "")
        if "multiplicity" in axis:
            name = str(axis["multiplicity"])
            found.append(Meaning(name, OBJECTS.get(name, name), definition))
        elif "topology" in axis:
            name = str(axis["topology"])
            found.append(Meaning(name, topology_words(name), definition))
    return found
