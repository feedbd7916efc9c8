"""Options with a value for each symmetry: one for all, or a mapping from symmetries, with ``"*"`` for the others.

Examples
--------
>>> [given_for({"e/mu": 1.15, OTHERS: "global"}, name, "plan") for name in ("e/mu", "charge")]
[1.15, 'global']
>>> check_names("kappa", {"mu/e": 1.15}, "plan", ["e/mu"])
Traceback (most recent call last):
...
coffea_ddp.errors.UnknownNameError: kappa: no symmetry 'mu/e' in this scan; it has: 'e/mu'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coffea_ddp.errors import InputError, UnknownNameError, did_you_mean

OTHERS = "*"
"""In a mapping from symmetries: all that are not named."""

Channels = Sequence[tuple[str, Sequence[str]]]
"""The symmetries of a scan, each with its observables."""


def given_for(given: Any, symmetry: str, default: Any) -> Any:
    """Return what is given for a symmetry: its own, or that of all others."""
    if not isinstance(given, Mapping):
        return given
    return given[symmetry] if symmetry in given else given.get(OTHERS, default)


def check_names(option: str, given: Any, default: Any, symmetries: Sequence[str]) -> None:
    """Stop where an option is given of a symmetry that is not scanned, or of none."""
    if not isinstance(given, Mapping):
        if given != default and not symmetries:
            raise InputError(f"{option}={given!r}: no symmetry is scanned; leave it out")
        return
    for name in given:
        if name != OTHERS and name not in symmetries:
            raise UnknownNameError(
                f"{option}: no symmetry {name!r} in this scan; it has: {listed(symmetries) or 'none'}"
                f"{did_you_mean(str(name), symmetries)}"
            )
    if OTHERS in given and set(symmetries) <= set(given):
        raise InputError(f"{option}: {OTHERS!r} is for the symmetries that are not named, and all are; leave it out")


def check_keys(keys: Sequence[Any], channels: Channels) -> None:
    """Stop where a correction is of nothing that is scanned, or of an observable of several symmetries."""
    owners: dict[str, list[str]] = {}
    for symmetry, observables in channels:
        owners.setdefault(symmetry, []).append(symmetry)
        for observable in observables:
            owners.setdefault(observable, []).append(symmetry)
            owners[f"{symmetry}:{observable}"] = [symmetry]
    for key in keys:
        if key not in owners:
            names = dict.fromkeys(name for _, observables in channels for name in observables)
            raise UnknownNameError(
                f"correction: no observable {key!r} in this scan; it has: {listed(names)}, of the symmetries "
                f"{listed([name for name, _ in channels])}; name it as OBSERVABLE or SYMMETRY:OBSERVABLE"
                f"{did_you_mean(str(key), owners)}"
            )
        if len(owners[key]) > 1:
            raise InputError(
                f"correction: {len(owners[key])} symmetries have {key!r} ({listed(owners[key])}), and an efficiency "
                f"is that of one; say of which it is: '{owners[key][0]}:{key}'"
            )


def listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    """Return names in quotes, with commas."""
    return ", ".join(map(repr, names))
