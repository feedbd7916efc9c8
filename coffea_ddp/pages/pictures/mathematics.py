r"""Labels that are written in TeX, as the text of a page.

Examples
--------
>>> as_text(r"$m_{\mu\mu}$ [GeV]"), as_text("16.4 fb$^{-1}$ (13 TeV)"), as_text("$p_T$ of 5 $")
('m_μμ [GeV]', '16.4 fb⁻¹ (13 TeV)', 'p_T of 5 $')
"""

from __future__ import annotations

import re
import unicodedata

_RAISED = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_SIGNS = {
    "ell": "\N{SCRIPT SMALL L}", "times": "\N{MULTIPLICATION SIGN}", "to": "→", "rightarrow": "→", "pm": "±",
    "cdot": "·", "geq": "≥", "leq": "≤", "sum": "Σ",
    "sqrt": "√", "infty": "∞", "lambda": "λ", "bar": "", "mathrm": "", "mathit": "", "text": "", "rm": "", "left": "",
    "right": "", "hat": "", "not": "", "perp": "⊥", "parallel": "∥", "circ": "°", "ldots": "…", "quad": " ",
}  # fmt: skip
_FORMULA = re.compile(r"(?<!\\)\$([^$]+)(?<!\\)\$")


def as_text(label: str) -> str:
    r"""Return a label without TeX: Greek letters and signs as characters, raised digits, indices behind ``_``."""
    return _FORMULA.sub(lambda found: _formula(found[1]), label).replace(r"\$", "$")


def _formula(text: str) -> str:
    text = re.sub(r"\\([A-Za-z]+) ?", lambda found: _sign(found[1]), text)
    text = re.sub(r"\\[,;:! ]", " ", text)
    text = re.sub(r"\^\{([-+\d]+)\}|\^([-+\d])", lambda found: (found[1] or found[2]).translate(_RAISED), text)
    return re.sub(r"[{}]", "", text).strip()


def _sign(name: str) -> str:
    if name in _SIGNS:
        return _SIGNS[name]
    case = "CAPITAL" if name[0].isupper() else "SMALL"
    try:
        return unicodedata.lookup(f"GREEK {case} LETTER {name.upper()}")
    except KeyError:
        return name
