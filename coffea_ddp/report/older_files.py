"""Reports of version 1 of the format, in the columns of today.

Version 1 had other names for some columns, told a region in words alone, and
all methods (or why nothing was tested) in one sentence. What it did not tell stays unknown.

Examples
--------
>>> old = {"format": "coffea-ddp/report", "version": 1, "looks": 1, "rows": [{"like": 1, "z_plain": None}]}
>>> current(old)["trials"], current(old)["rows"]
(1, [{'similar_to': 1, 'z_nominal': None}])
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VERSION = 2
_NAMES = {"looks": "trials"}
_ROW_NAMES = {"like": "similar_to", "z_plain": "z_nominal"}


def current(data: Any) -> Any:
    """Return what a file of this or the earlier version says in the columns of this one; anything else as it is."""
    if not isinstance(data, Mapping) or type(data.get("version")) is not int or data["version"] != 1:
        return data
    new = _renamed(data, _NAMES) | {"version": VERSION}
    if isinstance(new.get("rows"), list):
        new["rows"] = [_row(row) if isinstance(row, Mapping) else row for row in new["rows"]]
    return new


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    new = _renamed(row, _ROW_NAMES)
    if isinstance(new.get("region"), str):
        new["region"] = {"axes": [], "label": new["region"]}
    if new.get("z_local") is None and new.get("status") not in (None, "OK") and "reason" not in new:
        new |= {"method": "", "reason": new.get("method")}
    return new


def _renamed(data: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in data.items()}
