"""Requests for one file: its tree, its entries, and what the fileset says of it that can be checked.

Examples
--------
>>> asked = Source.of("a.root", {"object_path": "Events", "steps": [[500, 600], [0, 100], [100, 200]]})
>>> asked.steps, asked.written()
(((0, 200), (500, 600)), {'object_path': 'Events', 'steps': [[0, 200], [500, 600]]})
>>> Source.of("a.root", "Events").written()
'Events'
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from coffea_ddp.errors import InputError, MergeError, did_you_mean

Steps = tuple[tuple[int, int], ...]
TREE = "Events"
"""NanoAOD's tree."""

_TREES = ("object_path", "tree", "treename", "treepath")
_ENTRIES = ("num_entries", "nevts", "nevents", "nEvents", "n_events", "entries")
_KNOWN = (*_TREES, *_ENTRIES, "steps", "uuid")


@dataclass(frozen=True)
class Source:
    """The request for one file.

    Attributes
    ----------
    path
        A path or an address.
    tree
        The tree in it.
    steps
        Ranges of entries, sorted, apart from each other (neighbours are joined); ``None`` asks for all, ``()`` for
        none.
    uuid, num_entries
        Of the file, as the fileset gives them; empty and ``None`` are not given.
    """

    path: str
    tree: str = TREE
    steps: Steps | None = None
    uuid: str = ""
    num_entries: int | None = None

    @classmethod
    def of(cls, path: str, told: Any, tree: str = TREE) -> Source:
        """Return what a fileset asks of a file.

        Parameters
        ----------
        path
            Of the file.
        told
            The tree, ``None``, or a mapping: that of coffea's ``preprocess``, with ``object_path``, ``steps``,
            ``num_entries`` and ``uuid``.
        tree
            Its tree, if none is given.

        Raises
        ------
        InputError
            If steps are no ranges of entries, or overlap; the file is named.
        """
        if not told or isinstance(told, str):
            return cls(path, told or tree)
        if not isinstance(told, Mapping):
            raise InputError(f'{path}: {told!r} is no tree; write "Events", or {{"object_path": "Events"}}')
        for key in told:
            near = did_you_mean(str(key), _KNOWN, cutoff=0.75)
            if key not in _KNOWN and near and key != "num_selected_entries":
                raise InputError(f"{path}: {key!r} means nothing here{near}")
        entries = next((told[key] for key in _ENTRIES if told.get(key) is not None), None)
        if entries is not None and (not is_whole(entries) or entries < 0):
            raise InputError(f"{path}: {entries!r} is no number of entries")
        found = cls(
            path,
            str(next((told[key] for key in _TREES if told.get(key)), tree)),
            read_steps(path, told.get("steps")),
            str(told.get("uuid") or ""),
            None if entries is None else int(entries),
        )
        found.check_steps(found.num_entries, "the fileset says that it has")
        return found

    def written(self) -> str | dict[str, Any]:
        """Return it as a fileset of coffea has it: the tree, or a mapping where there is more to say."""
        if (self.steps, self.uuid, self.num_entries) == (None, "", None):
            return self.tree
        told: dict[str, Any] = {"object_path": self.tree}
        if self.steps is not None:
            told["steps"] = [list(step) for step in self.steps]
        if self.num_entries is not None:
            told["num_entries"] = self.num_entries
        if self.uuid:
            told["uuid"] = self.uuid
        return told

    def check_steps(self, entries: int | None, says: str) -> None:
        """Check that no step goes beyond the end of the file.

        Raises
        ------
        InputError
            If one does.
        """
        last = max((stop for _, stop in self.steps or ()), default=0)
        if entries is not None and last > entries:
            raise InputError(f"{self.path}: its steps go up to entry {last:,}, and {says} {entries:,}")

    def joined(self, other: Source) -> Source | None:
        """Return what both ask of one file; ``None`` where an entry is asked for twice.

        Two that ask the same count as one, as a file that is named twice does.
        """
        if replace(other, path=self.path) == self:
            return self
        if self.steps is None or other.steps is None or self.tree != other.tree:
            return None
        try:
            steps = read_steps(self.path, [*self.steps, *other.steps])
        except InputError:
            return None
        entries = other.num_entries if self.num_entries is None else self.num_entries
        return replace(self, steps=steps, uuid=self.uuid or other.uuid, num_entries=entries)


def is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number; ``True`` is none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def read_steps(path: str, told: Any) -> Steps | None:
    """Return ranges of entries, sorted, neighbours joined; ``None`` where none are told.

    Parameters
    ----------
    path
        Of the file, for messages.
    told
        Pairs of the first entry and the one past the last; or, as uproot takes them, one list of borders.

    Raises
    ------
    InputError
        If one is no such pair, or two overlap: every entry may be counted once.

    Examples
    --------
    >>> read_steps("a.root", [0, 100, 250]), read_steps("a.root", [[7, 7]]), read_steps("a.root", None)
    (((0, 250),), (), None)
    """
    if told is None:
        return None
    if not isinstance(told, Sequence) or isinstance(told, str):
        told = told.tolist() if hasattr(told, "tolist") else told
    if not isinstance(told, list | tuple):
        raise InputError(f"{path}: steps={told!r} is no list of ranges of entries, such as [[0, 100000]]")
    pairs = list(pairwise(told)) if told and all(is_whole(one) for one in told) else told
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(is_whole(one) for one in pair):
            raise InputError(
                f"{path}: the step {pair!r} is no pair of entries, the first one and the one past the last"
            )
        if not 0 <= pair[0] <= pair[1]:
            raise InputError(f"{path}: the step {list(pair)} does not go from an entry to a later one")
    steps: list[tuple[int, int]] = []
    for start, stop in sorted((int(a), int(b)) for a, b in pairs if b > a):
        if steps and start < steps[-1][1]:
            raise InputError(
                f"{path}: the steps {list(steps[-1])} and {[start, stop]} overlap; every entry may be counted once"
            )
        if steps and start == steps[-1][1]:
            steps[-1] = (steps[-1][0], stop)
        else:
            steps.append((start, stop))
    return tuple(steps)


def asked_twice(sources: Sequence[tuple[str, Source, str]]) -> dict[int, str]:
    """Return the places of sources of which some entry is asked for by one before, and what is wrong with them.

    Parameters
    ----------
    sources
        The dataset, what it asks of a file, and what tells whether it is the same file as another: its place or,
        once it is open, its uuid.
    """
    seen: dict[tuple[str, str], list[tuple[str, Source]]] = {}
    found: dict[int, str] = {}
    for number, (dataset, source, which) in enumerate(sources):
        before = seen.setdefault((which, source.tree), [])
        for other, one in before:
            if _overlap(one.steps, source.steps):
                found[number] = _twice(other, one, dataset, source)
                break
        else:
            before.append((dataset, source))
    return found


def check_apart(sources: Sequence[tuple[str, Source, str]]) -> None:
    """Check that no entry of a file is asked for twice.

    Parameters
    ----------
    sources
        As for :func:`asked_twice`.

    Raises
    ------
    MergeError
        If one is; both datasets are named.
    """
    for problem in asked_twice(sources).values():
        raise MergeError(problem)


def _overlap(first: Steps | None, second: Steps | None) -> bool:
    if first is None or second is None:
        return first != () and second != ()
    return any(a < d and c < b for a, b in first for c, d in second)


def _twice(first: str, one: Source, second: str, other: Source) -> str:
    name = one.path if one.path == other.path else f"{other.path} (the same file as {one.path})"
    where = f"is twice in the dataset {first!r}" if first == second else f"is in two datasets, {first!r} and {second!r}"
    what = "its events" if one.steps is None or other.steps is None else "some of its steps"
    more = "" if first == second else "; to count datasets apart: --by-dataset (run_by_dataset in Python)"
    return f"{name} {where}: {what} would be counted that were counted before; every entry may be counted once{more}"
