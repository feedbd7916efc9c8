"""Fields of RNTuples, each told at once what fields are inside it.

uproot searches all fields of a file for the parts of every one, whenever it is asked what there is: with the thousands
of fields of ATLAS and CMS that took nearly all of the time of a chunk. Here all are gone through once a file.

Examples
--------
>>> import tempfile
>>> from coffea_ddp.testing import make_physlite
>>> with tempfile.TemporaryDirectory() as folder:
...     path = make_physlite(f"{folder}/atlas.root", events=5, seed=1, container="rntuple")
...     with uproot.open(path, object_cache=SortedFields()) as file:
...         [part.name for part in file["EventData"]["AnalysisJetsAuxDyn:btaggingLink"].fields]
['m_persKey', 'm_persIndex']
"""

from __future__ import annotations

from collections import UserDict, defaultdict
from collections.abc import Sequence
from typing import Any

import uproot

_PARTS, _OLD = "_fields", "is_ignored"
"""Names in uproot: of the parts of a field once they were searched for; of what versions have that search otherwise."""


class SortedFields(UserDict[str, Any]):
    """The RNTuples of one open file as uproot's cache of its objects, which keeps nothing else.

    What uproot answers is the same with it. A damaged head is uproot's error wherever the RNTuple is asked for.
    """

    def __setitem__(self, name: str, found: Any) -> None:
        """Keep an RNTuple, and tell its fields their parts."""
        if isinstance(found, uproot.behaviors.RNTuple.RNTuple):
            # An error goes on: uproot compares the checksum of the head the first time only.
            _sort(found.all_fields, [record.parent_field_id for record in found.field_records])
            super().__setitem__(name, found)


def _sort(fields: Sequence[Any], parents: Sequence[int]) -> None:
    """Tell every field its parts.

    Parameters
    ----------
    fields
        uproot's.
    parents
        The number of the field in which each is; of one at the top it is its own.
    """
    if not all(hasattr(field, _PARTS) and not hasattr(type(field), _OLD) for field in fields):
        return
    inside: defaultdict[int, list[int]] = defaultdict(list)
    for number, parent in enumerate(parents):
        if parent != number:
            inside[parent].append(number)

    def parts(number: int) -> list[Any]:
        found: list[Any] | None = getattr(fields[number], _PARTS)
        if found is None:
            found = []
            for one in inside[number]:  # of what has no name, the parts
                found.extend(parts(one) if fields[one].is_anonymous else [fields[one]])
            setattr(fields[number], _PARTS, found)
        return found

    for number in range(len(fields)):
        parts(number)
