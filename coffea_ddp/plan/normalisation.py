"""Normalisation of a dataset by its metadata: cross section, luminosity, generator weights.

Examples
--------
>>> normalised("dy", {"xsec": 6077.22}).cross_section, normalised("mu", {"lumi": "59.8 /fb"}).luminosity
(6077.22, 59.8)
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from coffea_ddp.errors import InputError

GENERATOR_WEIGHT = "genWeight"
"""Only simulation has it."""
_CROSS_SECTION = ("crosssection", "xsec", "xs", "xsecpb")
_LUMINOSITY = ("luminosity", "lumi", "intlumi", "integratedluminosity")
_SUM = ("sumofweights", "sumw", "sumweights", "sumgenweights", "nsumofweights")
_FIRST_NUMBER = re.compile(r"\s*([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)\s*(.*)", re.DOTALL)
_LONGEST = 60
_NUMBER = re.compile(r"\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*(?:(1/|/)?\s*(pb|fb)\s*(\^?\{?-1\}?)?)?\s*\Z", re.IGNORECASE)


class Told(NamedTuple):
    """Normalisation of a dataset by its metadata; ``None`` where they say nothing.

    Attributes
    ----------
    cross_section
        In pb.
    luminosity
        In 1/fb.
    generator_weight
        The branch; empty where every event counts as one.
    sum_of_weights
        Of all files.
    no_cross_section, no_luminosity
        The value that is in place of one, and what is wrong with it, in words; empty where nothing is.
    """

    cross_section: float | None
    luminosity: float | None
    generator_weight: str
    sum_of_weights: float | None
    no_cross_section: str = ""
    no_luminosity: str = ""


def normalised(name: str, metadata: Mapping[str, Any]) -> Told:
    """Return what the metadata of a dataset say of its normalisation.

    Parameters
    ----------
    name
        Of the dataset.
    metadata
        Of the fileset; keys in any spelling, as ``"xsec"`` and ``"lumi"``.

    Raises
    ------
    InputError
        If ``cross_section`` is no number above 0, a sum is 0 or not finite, or the branch is no text. What other keys
        hold instead (-1 in place of a luminosity) is kept in words, as only a comparison needs them.
    """
    where = f"dataset {name!r}, metadata"
    bare = {key.lower().replace("_", "").replace("-", ""): (key, value) for key, value in metadata.items()}
    branch = metadata.get("generator_weight")
    if branch not in (None, False) and not (isinstance(branch, str) and branch):
        raise InputError(
            f'{where}: generator_weight={branch!r}; give the name of a branch ("genWeight"), or false where every '
            "event counts as one"
        )
    cross_section, no_cross_section = _positive(bare, _CROSS_SECTION, "fb", "pb, fb")
    luminosity, no_luminosity = _positive(bare, _LUMINOSITY, "pb", "/fb, /pb")
    _, wrong = _positive(bare, _CROSS_SECTION[:1], "fb", "pb, fb")
    if wrong.startswith("cross_section="):
        raise InputError(f"{where}: {wrong}; give a cross section in pb, a number above 0")
    return Told(
        cross_section, luminosity, GENERATOR_WEIGHT if branch is None else branch or "", _sum(where, bare),
        no_cross_section, no_luminosity,
    )  # fmt: skip


def _positive(
    bare: Mapping[str, tuple[str, Any]], names: tuple[str, ...], smaller: str, units: str
) -> tuple[float | None, str]:
    """Return a number above 0, as it is or in text with its unit, or what is wrong with what is there instead.

    Of ``smaller`` units a thousandth.
    """
    wrong = ""
    for known in names:
        key, value = bare.get(known, ("", None))
        number = _number(value, smaller)
        if number is not None and math.isfinite(number) and number > 0:
            return number, ""
        if value is not None and not wrong:
            wrong = f"{key}={_short(value)} {_fault(value, units)}"
    return None, wrong


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _fault(value: Any, units: str) -> str:
    """Return what is wrong with a value that is no number above 0 of known unit."""
    found = _FIRST_NUMBER.match(value) if isinstance(value, str) else None
    try:
        number = float(found[1] if found else value)
    except OverflowError:
        return "is not finite"
    except (TypeError, ValueError):
        return "is no number"
    if isinstance(value, bool):
        return "is no number"
    if not math.isfinite(number):
        return "is not finite"
    return f"has none of the units {units}" if number > 0 else "is not above 0"


def _number(value: Any, smaller: str) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) <= sys.float_info.max else None
    found = _NUMBER.match(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        number = float(found[1])
    except ValueError:  # "1.2.3"
        return None
    return number / 1000.0 if (found[3] or "").lower() == smaller else number


def _sum(where: str, bare: Mapping[str, tuple[str, Any]]) -> float | None:
    for known in _SUM:
        key, value = bare.get(known, ("", None))
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not math.isfinite(value) or value == 0:
                raise InputError(f"{where}: {key}={value!r}; a sum of generator weights is finite, and not 0")
            return float(value)
    return None
