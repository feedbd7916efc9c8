"""Reports of earlier versions of the package, in the columns of today.

They had other names for some columns, gave a region in words alone and all methods (or why nothing was tested) in one
sentence, and left to names of cells and spectra what they are about. What they did not tell stays unknown.

Examples
--------
>>> old = {"format": "coffea-ddp/report", "version": 1, "looks": 1, "rows": [{"like": 1, "z_plain": None}]}
>>> current(old)["rows"]
[{'similar_to': 1, 'z_nominal': None}]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from coffea_ddp.histograms.cells import INCLUSIVE

_OPTIONS = {"permutations": "toys"}
_ROW_NAMES = {"like": "similar_to", "z_plain": "z_nominal"}
_TODAY = frozenset(("similar_to", "reason", "asks", "decays_to"))
_AXIS = re.compile(r"[A-Za-z_]\w*")
_PART = re.compile(r"(\d{0,4})([A-Za-z_]\w*)(\(.*\))?")


def current(data: Any) -> Any:
    """Return what a file says in the columns of today; anything else as it is."""
    if not isinstance(data, Mapping):
        return data
    new = dict(data)
    options = new.get("options")
    if isinstance(options, Mapping):
        new["options"] = _options(options)
    if isinstance(new.get("rows"), list):
        new["rows"] = [_row(row) if isinstance(row, Mapping) else row for row in new["rows"]]
    return new


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    # "permutations" of symmetries come last: they, and not the toys of the bump hunt, are what the report counts.
    new = _renamed({name: options[name] for name in sorted(options, key=_OPTIONS.__contains__)}, _OPTIONS)
    if isinstance(new.get("fits"), Mapping):
        new["fits"] = _renamed(new["fits"], _OPTIONS)
    return new


def _row(row: Mapping[str, Any]) -> Mapping[str, Any]:
    if row.keys() >= _TODAY:
        return row
    new = _renamed(row, _ROW_NAMES)
    if new.get("z_local") is None and new.get("status") not in (None, "OK") and "reason" not in new:
        new |= {"method": "", "reason": new.get("method")}
    if "asks" not in new and isinstance(new.get("cell"), str):
        new["asks"] = axes_of(new["cell"])
    if "decays_to" not in new and new.get("kind") == "spectrum" and isinstance(new.get("observable"), str):
        new["decays_to"] = objects_of(new["observable"])
    return new


def axes_of(cell: str) -> list[str]:
    """Return the axes that the name of a cell asks about.

    Examples
    --------
    >>> axes_of("tau>=1 & !VBF"), axes_of("inclusive")
    (['tau', 'VBF'], [])
    """
    if cell == INCLUSIVE:
        return []
    matches = (_AXIS.search(condition) for condition in cell.split("&"))
    return list(dict.fromkeys(match[0] for match in matches if match))


def objects_of(spectrum: str) -> list[str]:
    """Return the objects and candidates in the name of a spectrum; nothing where it is not made of them.

    Examples
    --------
    >>> objects_of("2mu+j"), objects_of("Z(2mu)+gamma"), objects_of("t(V(2j)+b)+W(mu+nu)"), objects_of("low masked")
    (['mu', 'mu', 'j'], ['Z', 'gamma'], ['t', 'W'], [])
    """
    found: list[str] = []
    for part in _parts(spectrum):
        match = _PART.fullmatch(part)
        if match is None:
            return []
        found += [match[2]] * min(int(match[1] or 1), 9)
    return found


def _parts(text: str) -> list[str]:
    """Return what stands between plus signs outside of brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "+" and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _renamed(data: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in data.items()}
