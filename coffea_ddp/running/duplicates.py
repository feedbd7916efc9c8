"""Events that are in several datasets, or twice in one, by run, luminosity block and event number.

The three numbers of all events are read before the pass, and two 64-bit numbers of each are held; the first place where
an event stands, in the order of the fileset, is the one that counts. Where datasets have trigger paths, those tell the
same without reading anything (:mod:`coffea_ddp.plan.datasets`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from coffea.processor.executor import WorkItem

from coffea_ddp.errors import DDPError, InputError, describe
from coffea_ddp.events.values import whole_numbers
from coffea_ddp.histograms.ledger import Missing
from coffea_ddp.histograms.stored import IDENTITY, identity_hash
from coffea_ddp.plan.datasets import Dataset
from coffea_ddp.running.guarding import unaccounted, wait_at_most
from coffea_ddp.running.options import Reading
from coffea_ddp.running.reader import file_id, per_event

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import IntArray

_READERS = 4
_NUMBERS = ("run", "luminosityBlock", "event")
_LOG = logging.getLogger(__name__)
Steps = Callable[[int, int], None]
"""Called with the number of files, or chunks, that were looked at, and the number in all."""
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


def no_steps(_done: int, _total: int) -> None:
    """Tell nobody."""


def counted_elsewhere(
    chunks: Sequence[WorkItem], about: Mapping[str, Dataset], reading: Reading, tell: Steps = no_steps
) -> list[IntArray | Missing]:
    """Return, for each chunk, its entries that stand in a chunk before it; simulation has no duplicates.

    A chunk whose events cannot be known must not be filled, or events would count twice: it is returned as missing.
    Its events count where they stand again.

    Parameters
    ----------
    chunks
        In the order of the fileset.
    about
        The datasets.
    reading
        Its timeout and retries.
    tell
        Called after every chunk.

    Raises
    ------
    InputError
        If a file of data has no run, luminosity block and event numbers.
    """
    with ThreadPoolExecutor(_READERS) as pool:
        parts: list[Identities | Missing | None] = []
        for part in pool.map(lambda item: _identities(item, about[item.dataset], reading), chunks):
            parts.append(part)
            tell(len(parts), len(chunks))
    places = repeated([None if isinstance(part, Missing) else part for part in parts])
    return [part if isinstance(part, Missing) else place for part, place in zip(parts, places, strict=True)]


def _identities(item: WorkItem, dataset: Dataset, reading: Reading) -> Identities | Missing | None:
    wait_at_most(reading.timeout)
    for attempt in range(reading.retries + 1):
        try:
            return _read(item, dataset)
        except DDPError:
            raise
        except Exception as error:  # noqa: BLE001 (uproot, the file system and the network have their own)
            problem = f"its events cannot be compared with those of other files ({describe(error)})"
        if attempt < reading.retries:
            _LOG.warning("%s: %s; trying again", item.filename, problem)
            time.sleep(0.5 * 2**attempt)
    return unaccounted(item, f"{item.filename}: {problem}")


def _read(item: WorkItem, dataset: Dataset) -> Identities | None:
    if item.fileuuid and file_id(item.filename) != item.fileuuid:
        raise OSError("it has been replaced by another file since the run began")
    with per_event(item) as (names, array):
        if dataset.kind == "simulation" or (not dataset.kind and "genWeight" in names):
            return None
        lost = [name for name in _NUMBERS if name not in names]
        if lost:
            raise InputError(
                f"{item.filename}: no {', '.join(lost)}, by which events are compared; leave out --deduplicate, or say "
                'that it is simulation: "metadata": {"kind": "simulation"} in the fileset'
            )
        found = [array(name) for name in _NUMBERS]
    run, block, event = (
        whole_numbers(f"{item.filename}: branch {name}", values, dtype, first=item.entrystart)
        for (name, dtype), values in zip(IDENTITY, found, strict=False)
    )
    return identity_hash(run, block, event), event
