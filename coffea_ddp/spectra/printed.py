r"""Tables as programs print them, made into plain ones: ROOT's ``TH1::Print`` and ``TTree::Scan``, Excel, LaTeX.

Examples
--------
>>> print(as_table(" TH1.Print Name = m_ee, Entries= 5\n fSumw[1]=3, x=60.5\n fSumw[2]=2, x=61.5\n"))
#: name: m_ee
center,content
60.5,3
61.5,2
>>> print(as_table("*******\n* Row * m *\n*******\n* 0 * 91.2 *\n"))
| Row | m |
| 0 | 91.2 |
>>> as_table("mass,count\n60.5,3\n")
'mass,count\n60.5,3\n'
"""

from __future__ import annotations

import re
from typing import Any

from coffea_ddp.errors import FormatError

_BIN = re.compile(
    r"\s*fSumw\[(?P<bin>\d+)\]=\s*(?P<content>[^,\s]+), x=\s*(?P<x>[^,\s]+)(?:, error=\s*(?P<error>\S+))?"
)
_NAME = re.compile(r"\s*TH1\.Print Name\s*=\s*(?P<name>[^,]*)")
_SCANNED = re.compile(r"\s*\*(?P<row>.*)\*\s*")
_SEPARATOR = re.compile(r"\s*\"?sep=(?P<mark>[,;|\t])\"?\s*(?:\r\n|\r|\n)", re.IGNORECASE)


def as_table(text: str, path: Any = "the text") -> str:
    """Return the plain table of a text that a program printed; any other text as it is.

    Raises
    ------
    FormatError
        If it is a web page, or of YODA.
    """
    begin = text.lstrip()[:200].lower()
    if begin.startswith(("<!doctype", "<html", "<?xml", "<table")):
        raise FormatError(f"{path}: a web page or XML; save the table as CSV, with low, high and count of every bin")
    if begin.startswith("begin yoda"):
        raise FormatError(f"{path}: a file of YODA; write the histogram as CSV (xlow, xhigh, sumw, sumw2) or as ROOT")
    if "fSumw[" in text:
        return _printed_histograms(text)
    if "\\begin{tabular" in text or "\\\\" in text:
        return _latex(text)
    text = _SEPARATOR.sub("", text, count=1) if _SEPARATOR.match(text) else text
    lines = text.splitlines()
    if begin.startswith("*") and all(_SCANNED.fullmatch(line) for line in lines[:3]):
        rows = (found["row"] for line in lines if (found := _SCANNED.fullmatch(line)) and found["row"].strip("* "))
        return "\n".join(f"|{row.replace('*', '|')}|" for row in rows)
    return text


def _printed_histograms(text: str) -> str:
    """Return one table a histogram, without its flow bins: 0 and, where that is printed, the last."""
    parts: list[tuple[str, list[dict[str, str]]]] = [("", [])]
    for line in text.splitlines():
        if found := _NAME.match(line):
            parts.append((found["name"].strip(), []))
        elif found := _BIN.match(line):
            parts[-1][1].append(found.groupdict(default=""))
    lines: list[str] = []
    for name, bins in parts:
        kept = bins[1:-1] if bins and bins[0]["bin"] == "0" else bins
        if not kept:
            continue
        errors = all(one["error"] for one in kept)
        lines += [f"#: name: {name}" if name else "", "center,content" + (",error" if errors else "")]
        lines += [f"{one['x']},{one['content']}" + (f",{one['error']}" if errors else "") for one in kept]
    return "\n".join(filter(None, lines)) if lines else text


def _latex(text: str) -> str:
    """Return the rows of a ``tabular``."""
    rows = [re.sub(r"\\(?:hline|toprule|midrule|bottomrule)", "", row).strip() for row in re.split(r"\\\\", text)]
    rows = [re.sub(r"\\begin\{tabular\*?\}(?:\{[^{}]*\})*", "", row).strip().replace("\n", " ") for row in rows]
    kept = [row for row in rows if "&" in row]
    return "\n".join("|" + re.sub(r"(?<!\\)&", "|", row) + "|" for row in kept) if kept else text
