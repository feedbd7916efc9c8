"""Ranges of luminosity blocks by run, and good-run lists as ATLAS writes them: XML.

Examples
--------
>>> ranges = '<LumiBlockCollection><Run>276262</Run><LBRange Start="33" End="45"/></LumiBlockCollection>'
>>> read_xml(f"<LumiRangeCollection><NamedLumiRange>{ranges}</NamedLumiRange></LumiRangeCollection>")
{'276262': [[33, 45]]}
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

_LARGEST = 2**32 - 1
"""A luminosity block has 32 bits; a range without an end is written with -1 or a larger number."""


def read_xml(text: str) -> dict[str, list[list[int]]]:
    """Return run -> ranges of luminosity blocks, both ends included, of all lists in a text.

    Raises
    ------
    ValueError
        If it is no XML, or no such list; with what is wrong.

    Examples
    --------
    >>> read_xml("<html/>")
    Traceback (most recent call last):
    ...
    ValueError: its first element is 'html', and that of a good-run list LumiRangeCollection
    """
    if re.search(r"<!ENTITY", text):
        raise ValueError("it defines entities, which no good-run list does")
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise ValueError(str(error)) from None
    if root.tag != "LumiRangeCollection":
        raise ValueError(f"its first element is {root.tag[:40]!r}, and that of a good-run list LumiRangeCollection")
    found: dict[str, list[list[int]]] = {}
    for number, block in enumerate(root.iter("LumiBlockCollection"), 1):
        run = (block.findtext("Run") or "").strip()
        if not run.isdigit():
            raise ValueError(f"its LumiBlockCollection {number} has the run {run[:40]!r}, which is no number")
        ranges = found.setdefault(run, [])
        for one in block.iter("LBRange"):
            ranges.append(_range(run, one.get("Start", ""), one.get("End", "")))
    if not any(found.values()):
        raise ValueError("it has no LBRange in any LumiBlockCollection: nothing would be good")
    return found


def disjoint(ranges: Iterable[list[int]]) -> list[list[int]]:
    """Return ranges, both ends included, in their order and apart from each other; there is no block 0.

    coffea's ``LumiMask`` takes ranges as they stand, and counts wrong where they overlap, are not in order, or begin
    at 0.

    Examples
    --------
    >>> disjoint([[8, 9], [0, 3], [2, 5], [6, 6]])
    [[1, 5], [6, 6], [8, 9]]
    """
    found: list[list[int]] = []
    for first, last in sorted([max(first, 1), last] for first, last in ranges):
        if found and first <= found[-1][1]:
            found[-1][1] = max(found[-1][1], last)
        elif last >= first:
            found.append([first, last])
    return found


def _range(run: str, start: str, end: str) -> list[int]:
    try:
        first, last = int(start), int(end)
    except ValueError:
        raise ValueError(f"run {run}: a range from {start[:20]!r} to {end[:20]!r}; whole numbers are needed") from None
    last = _LARGEST if last < 0 or last > _LARGEST else last
    if not 0 <= first <= last:
        raise ValueError(f"run {run}: the range from {first} to {last} is none")
    return [first, last]
