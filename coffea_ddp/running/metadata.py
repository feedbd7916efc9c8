"""Metadata of ATLAS's files: trigger menus, and sums of the weights of all events that were generated.

Read once a file and process, and once a file where a run keeps its chunks (:mod:`coffea_ddp.running.kept_menus`). A
menu that several files have is parsed once.

Examples
--------
>>> import tempfile
>>> from coffea_ddp.testing import make_physlite
>>> with tempfile.TemporaryDirectory() as folder:
...     path = str(make_physlite(f"{folder}/atlas.root", events=50, seed=1))
...     sorted(menu_of(path).names), sum_of_weights(path)
(['HLT_e26_lhtight_nod0_ivarloose', 'HLT_mu26_ivarmedium'], SumOfWeights(events=50, weights=50.0, squares=50.0))
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import uproot

from coffea_ddp.errors import FileError, describe
from coffea_ddp.events.dialects.dialect import spelled
from coffea_ddp.events.dialects.menu import Menu, chains
from coffea_ddp.running.kept_menus import Place, place
from coffea_ddp.running.trees import identity_of, open_root

TREE = "MetaData"
_MENU, _OLD_MENU = "TriggerMenuJson_HLT", "TriggerMenu"
_BOOKS, _UNFINISHED, _ALL = "CutBookkeepers", "IncompleteCutBookkeepers", "AllExecutedEvents"
_STREAM = "StreamAOD"


@dataclass(frozen=True)
class SumOfWeights:
    """Sums over all events that were generated for a file, before any selection.

    Attributes
    ----------
    events
        Their number.
    weights, squares
        Sums of their (nominal) generator weights, and of the squares of these.

    Examples
    --------
    >>> SumOfWeights(2, 3.0, 5.0) + SumOfWeights(1, 1.0, 1.0)
    SumOfWeights(events=3, weights=4.0, squares=6.0)
    """

    events: int
    weights: float
    squares: float

    def __add__(self, other: SumOfWeights) -> SumOfWeights:
        """Return the sums over the events of both."""
        return SumOfWeights(self.events + other.events, self.weights + other.weights, self.squares + other.squares)


def sum_of_weights(path: str) -> SumOfWeights:
    """Return what a PHYSLITE file says of the events that it was made of (``CutBookkeepers``).

    Parameters
    ----------
    path
        Of the file.

    Raises
    ------
    FileError
        If the file cannot be read, or does not say, or was made of files of which some were not read to their end.
    """
    books, unfinished = _books(path)
    if books is None:
        raise FileError(
            f"{path}: no {_BOOKS} in its tree {TREE!r}, so that the events before its selection are not known; give "
            "the file as ATLAS made it, or the sum of weights of the dataset"
        )
    if unfinished:
        raise FileError(
            f"{path}: {_UNFINISHED} are not empty: some file that it was made of was not read to its end, so that its "
            "sum of weights is not that of its events; take the whole file"
        )
    every = [one for one in books if one["name"] == _ALL]
    of_aod = [one for one in every if one["inputStream"] == _STREAM] or every
    if not of_aod:
        raise FileError(f"{path}: its {_BOOKS} have no {_ALL!r}; the sum of weights cannot be told")
    # A derivation of a derivation counts again what was left of the first: the last cycle has the events of before.
    last = max(one["cycle"] for one in of_aod)
    total = SumOfWeights(0, 0.0, 0.0)
    for one in of_aod:
        if one["cycle"] == last:
            total += SumOfWeights(
                int(one["nAcceptedEvents"]), float(one["sumOfEventWeights"]), float(one["sumOfEventWeightsSquared"])
            )
    return total


def _books(path: str) -> list[list[dict[str, Any]] | None]:
    """Return the bookkeepers, and those of files that were not read to their end; ``None``: there are none."""
    fields = ("name", "inputStream", "cycle", "nAcceptedEvents", "sumOfEventWeights", "sumOfEventWeightsSquared")
    containers = (_BOOKS, _UNFINISHED)
    told = _columns(path, {f"{container}.{field}": 0 for container in containers for field in fields})
    found: list[list[dict[str, Any]] | None] = []
    for container in containers:
        columns = [told.get(f"{container}.{field}") for field in fields]
        if any(column is None for column in columns):
            found.append(None)
            continue
        rows = zip(*(column or () for column in columns), strict=True)
        found.append([dict(zip(fields, row, strict=True)) for row in rows])
    return found


def menu_of(path: str) -> Menu | None:
    """Return the trigger menus of a file; ``None`` if it has none.

    Raises
    ------
    FileError
        If it has one that cannot be read.
    """
    found, kept_at = _menu(path, identity_of(path)), place()
    if kept_at is not None and not kept_at.taken:  # it was read before there was a place for it
        _keep(path, kept_at, found)
    return found


@lru_cache(maxsize=8)
def _menu(path: str, _identity: object) -> Menu | None:
    kept_at = place()
    kept = None if kept_at is None else kept_at.load()
    if kept is not None:
        return kept.menu
    found = _menu_in(path)
    if kept_at is not None:
        _keep(path, kept_at, found)
    return found


def _keep(path: str, kept_at: Place, menu: Menu | None) -> None:
    if uuid_of(path) == kept_at.uuid:  # not of a file that took its place meanwhile
        kept_at.save(menu)


def uuid_of(path: str) -> str:
    """Return the uuid of a ROOT file; empty where it cannot be opened any more."""
    try:
        with open_root(path) as file:
            return str(uuid.UUID(bytes=bytes(file.file.fUUID)))
    except Exception:  # noqa: BLE001 (uproot, the file system and the network have their own)
        return ""


def _menu_in(path: str) -> Menu | None:
    told = _columns(path, {f"{_MENU}.key": 0, f"{_MENU}.payload": 0})
    keys, payloads = told.get(f"{_MENU}.key"), told.get(f"{_MENU}.payload")
    if keys is not None and payloads is not None and len(keys) == len(payloads):
        return Menu({int(key): _chains(path, str(text)) for key, text in zip(keys, payloads, strict=True)})
    return _old_menu(path)


def _old_menu(path: str) -> Menu | None:
    """Return the menus as release 21 has them: lists of names and of their numbers."""
    names = {f"{_OLD_MENU}.smk": 0, f"{_OLD_MENU}.chainNames": 1, f"{_OLD_MENU}.chainIds": 1}
    told = _columns(path, names)
    if any(told.get(name) is None for name in names):
        return None
    menus = zip(*(told[name] for name in names), strict=True)
    return Menu({int(key): {str(n): int(i) for n, i in zip(found, ids, strict=True)} for key, found, ids in menus})


_parsed: dict[bytes, Mapping[str, int]] = {}


def _chains(path: str, payload: str) -> Mapping[str, int]:
    digest = hashlib.sha256(payload.encode()).digest()
    if digest not in _parsed:
        if len(_parsed) > 32:
            _parsed.clear()
        try:
            _parsed[digest] = chains(payload)
        except FileError as error:
            raise FileError(f"{path}: {error}") from None
    return _parsed[digest]


def _columns(path: str, names: Mapping[str, int]) -> dict[str, list[Any]]:
    """Return columns of a file's metadata as flat lists of numbers or texts, or so many levels above these."""
    try:
        with open_root(path) as file:
            if TREE not in file:
                return {}
            places = list(_places(file[TREE], names))
            return {name: list(_leaves(place.array(), names[name])) for name, place in places}
    except Exception as error:
        raise FileError(f"{path}: its metadata cannot be read ({describe(error)})") from error


def _places(tree: Any, names: Collection[str]) -> Iterator[tuple[str, Any]]:
    if isinstance(tree, uproot.behaviors.RNTuple.HasFields):
        for field in tree.fields:
            here = spelled(field.name)
            inner = [(f"{here.rstrip('.')}.{one.name}", one) for one in field.fields] if here.endswith(".") else []
            yield from ((name, one) for name, one in [(here, field), *inner] if name in names)
        return
    for branch in tree.branches:
        if spelled(branch.name) in names:
            yield spelled(branch.name), branch
        elif spelled(branch.name).rstrip(".") in {name.split(".", maxsplit=1)[0] for name in names}:
            yield from ((spelled(one.name), one) for one in branch.branches if spelled(one.name) in names)


def _leaves(array: Any, depth: int) -> Iterator[Any]:
    """Yield the values of all entries, however deep lists are."""
    found = array.tolist() if hasattr(array, "tolist") else list(array)
    yield from _inner(found, _depth(found) - depth)


def _depth(values: Any) -> int:
    return 0 if not isinstance(values, list) else 1 + max((_depth(one) for one in values), default=0)


def _inner(values: Any, levels: int) -> Iterator[Any]:
    if levels <= 0 or not isinstance(values, list):
        yield values
        return
    for one in values:
        yield from _inner(one, levels - 1)
