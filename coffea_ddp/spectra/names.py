"""Names of spectra, as groups exchange them: ``ROI_mass_<combination>_cat_<state>_width_<GeV>``.

The combination is a letter and the pT index of every object (``e0j0``: the leading electron and jet); the state has one
token an object: its number, its letter, and ``x`` where it is exactly that number (``2mx_1j``: two muons, and a jet or
more). A property is a token of its own name, with ``!`` in front where it is denied; ``_`` in names becomes ``-``. The
width is that of the bins in GeV, or ``var``.

Examples
--------
>>> spectrum_name("e0j0", "e=1 & j>=1 & !VBF", 10.0)
'ROI_mass_e0j0_cat_1ex_1j_!VBF_width_10'
>>> parse_name("ROI_mass_e0j0_cat_1ex_1j_!VBF_width_10.0")
('e0j0', 'e=1 & j>=1 & !VBF', 10.0)
>>> parse_name("dijets")
('dijets', '', None)
"""

from __future__ import annotations

import re

LETTERS = {"e": "e", "m": "mu", "t": "tau", "j": "j", "b": "b", "g": "gamma"}
"""Letter of the exchange format -> object of the package."""
_LETTER_OF = {name: letter for letter, name in LETTERS.items()}
INCLUSIVE = "inclusive"
_NAME = re.compile(r"(?:ROI_)?mass_(?P<combination>.+?)_cat_(?P<state>.+?)(?:_width_(?P<width>var|[0-9.eE+-]+))?")
_TOKEN = re.compile(r"(?P<number>\d+)(?P<letter>[a-z])(?P<exactly>x?)")
_CONDITION = re.compile(r"(?P<axis>[A-Za-z]\w*)(?P<relation>>=|=)(?P<number>\d+)")


def spectrum_name(combination: str, cell: str, width: float | None) -> str:
    """Return the name of a spectrum in the exchange format.

    Parameters
    ----------
    combination
        Such as ``"m0m1"``.
    cell
        A cell's name of the package (``"mu=2 & j>=1"``), or ``"inclusive"``.
    width
        Of the bins in GeV; ``None``: they differ.
    """
    tokens = (
        [_token(condition.strip()) for condition in cell.split("&")] if cell not in ("", INCLUSIVE) else [INCLUSIVE]
    )
    return f"ROI_mass_{combination}_cat_{'_'.join(tokens)}_width_{'var' if width is None else f'{width:.12g}'}"


def _token(condition: str) -> str:
    found = _CONDITION.fullmatch(condition)
    if found is None:
        return condition.replace(" ", "").replace("_", "-")
    letter = _LETTER_OF.get(found["axis"])
    if letter is None:  # no object of the format: the condition as it stands
        return condition.replace("_", "-")
    return f"{found['number']}{letter}{'x' if found['relation'] == '=' else ''}"


def parse_name(name: str) -> tuple[str, str, float | None]:
    """Return combination, cell and width of the bins.

    The prefix and the width may be missing. A name of another form is a combination with an empty cell.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return name, "", None
    width = None if found["width"] in (None, "var") else _number(found["width"])
    state = found["state"]
    cell = INCLUSIVE if state == INCLUSIVE else " & ".join(map(_condition, state.split("_")))
    return found["combination"], cell, width


def _condition(token: str) -> str:
    found = _TOKEN.fullmatch(token)
    if found is not None and found["letter"] in LETTERS:
        return f"{LETTERS[found['letter']]}{'=' if found['exactly'] else '>='}{found['number']}"
    return token.replace("-", "_")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
