"""Events that are in several datasets, or twice in one, by run, luminosity block and event number.

The three numbers of all events are read before the pass, and two 64-bit numbers of each are held; the first place where
an event stands, in the order of the fileset, is the one that counts. Where datasets have trigger paths, those tell the
same without reading anything (:mod:`coffea_ddp.datasets`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import uproot
from coffea.processor.executor import WorkItem

from coffea_ddp.datasets import Dataset
from coffea_ddp.schema import OPENING
from coffea_ddp.stored import IDENTITY, identity_hash
from coffea_ddp.values import whole_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import IntArray

_READERS = 4
_LOG = logging.getLogger(__name__)
Identities = tuple["NDArray[np.uint64]", "NDArray[np.uint64]"]
"""Hashes of the three numbers, and event numbers: events are the same where both are."""


def repeated(parts: Sequence[Identities | None]) -> list[IntArray]:
    """Return, for each part, the positions of events that stand in a part before it, or before in itself.

    Examples
    --------
    >>> one = (np.array([7, 8, 9], np.uint64), np.array([1, 2, 3], np.uint64))
    >>> two = (np.array([9, 5, 5], np.uint64), np.array([3, 4, 4], np.uint64))
    >>> [positions.tolist() for positions in repeated([one, None, two])]
    [[], [], [0, 2]]
    """
    sizes = [0 if part is None else len(part[0]) for part in parts]
    known = [part for part in parts if part is not None]
    if not known:
        return [np.zeros(0, np.int64) for _ in parts]
    hashes, numbers = (np.concatenate(columns) for columns in zip(*known, strict=True))
    # Equal events come together, the earliest of them first: the sort is stable.
    order = np.lexsort((numbers, hashes))
    same = (np.diff(hashes[order]) == 0) & (np.diff(numbers[order]) == 0)
    again = np.sort(order[1:][same])
    ends = np.concatenate([[0], np.cumsum(sizes)])
    borders = np.searchsorted(again, ends)
    return [again[a:b] - first for (a, b), first in zip(pairwise(borders), ends, strict=False)]


def counted_elsewhere(chunks: Sequence[WorkItem], about: Mapping[str, Dataset]) -> list[IntArray]:
    """Return, for each chunk, its entries that stand in a chunk before it; simulation has no duplicates.

    Parameters
    ----------
    chunks
        In the order of the fileset.
    about
        The datasets.
    """
    with ThreadPoolExecutor(_READERS) as pool:
        parts = list(pool.map(lambda item: _identities(item, about[item.dataset]), chunks))
    return repeated(parts)


def _identities(item: WorkItem, dataset: Dataset) -> Identities | None:
    try:
        with uproot.open({item.filename: None}, **OPENING) as file:
            tree = file[item.treename]
            names = set(tree.keys())
            simulation = dataset.kind == "simulation" or (not dataset.kind and "genWeight" in names)
            if simulation or not {"run", "luminosityBlock", "event"} <= names:
                return None
            run, block, event = (
                tree[name].array(entry_start=item.entrystart, entry_stop=item.entrystop, library="np")
                for name in ("run", "luminosityBlock", "event")
            )
    except Exception as error:  # noqa: BLE001 (what is wrong with the file is said when it is filled)
        _LOG.warning("%s: not compared with other datasets (%s)", item.filename, error)
        return None
    run, block, event = (
        whole_numbers(f"{item.filename}: branch {name}", values, dtype, first=item.entrystart)
        for (name, dtype), values in zip(IDENTITY, (run, block, event), strict=False)
    )
    return identity_hash(run, block, event), event
