"""Branches of NanoAOD's names in the events of another format.

Examples
--------
>>> from coffea_ddp.events.dialects.physlite import PHYSLITE
>>> found = Translation.of(PHYSLITE, ["AnalysisMuonsAuxDyn.pt", "AnalysisMuonsAuxDyn.quality"]).find("Muon_pt")
>>> found.inputs, found.told
(('AnalysisMuonsAuxDyn.pt',), ('AnalysisMuons.pt',))
>>> Translation.of(PHYSLITE, ["AnalysisMuonsAuxDyn.pt"]).find("AnalysisMuonsAuxDyn:pt").inputs
('AnalysisMuonsAuxDyn.pt',)
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.events.dialects.dialect import Dialect, Source, spelled
from coffea_ddp.events.dialects.physlite import DECISION, MENU_KEY
from coffea_ddp.events.flat import FlatBranch

if TYPE_CHECKING:
    from coffea_ddp.events.dialects.menu import Menu

TRIGGER = "HLT_"
"""Beginning of the names of paths, of either experiment."""


@dataclass(frozen=True)
class Translated:
    """A branch of NanoAOD's name as the input holds it.

    Attributes
    ----------
    inputs
        The branches of the input that it is made of, by their names there.
    source
        How it is made of them.
    told
        The input's names for it, for people.
    may_be_empty
        True where a list that no event fills means that there is no such branch.
    """

    inputs: tuple[str, ...]
    source: Source
    told: tuple[str, ...]
    may_be_empty: bool = False

    def make(self, inputs: Sequence[FlatBranch]) -> FlatBranch:
        """Return the branch, made of its inputs."""
        found = inputs[0] if self.source.function is None else self.source.function(*inputs)
        if self.source.factor == 1.0:
            return found
        # In the precision of the file: the factor is one of single precision, too.
        factor = found.content.dtype.type(1.0 / self.source.factor)
        return FlatBranch(found.content / factor, found.counts, found.title)


@dataclass(frozen=True, eq=False)
class Translation:
    """The names of some events, and the dialect that they are of."""

    dialect: Dialect
    names: Mapping[str, str]
    menu: Callable[[], Menu | None] | None = None

    @classmethod
    def of(
        cls, dialect: Dialect, names: Iterable[str], menu: Callable[[], Menu | None] | None = None
    ) -> Translation | None:
        """Return the translation of events with these branches; ``None`` for NanoAOD, of which nothing is translated.

        Parameters
        ----------
        dialect
            Of the events.
        names
            Of their branches.
        menu
            Function that gives the trigger menus of their file.
        """
        return cls(dialect, {spelled(name): name for name in names}, menu) if dialect.trees else None

    @cached_property
    def _found(self) -> dict[str, Translated | None]:
        return {}

    @cached_property
    def _chains(self) -> Menu | None:
        return None if self.menu is None else self.menu()

    def find(self, branch: str) -> Translated | None:
        """Return how the input holds a branch, of NanoAOD's name or its own in another spelling; ``None``: not."""
        if branch not in self._found:
            self._found[branch] = self._find(branch)
        return self._found[branch]

    def _find(self, branch: str) -> Translated | None:
        own = spelled(branch)
        if own in self.names:
            return Translated((self.names[own],), Source((own,)), (own,))
        if branch.startswith(TRIGGER):
            return self._path(branch)
        source = self.dialect.source(branch, self.names)
        if source is None:
            return None
        told = tuple(one for one in source.branches if "Link." not in one)
        empty = branch in self.dialect.events and source.function is not None and len(source.branches) == 1
        return Translated(tuple(self.names[one] for one in source.branches), source, told, empty)

    def _path(self, path: str) -> Translated | None:
        if not {DECISION, MENU_KEY} <= self.names.keys() or self._chains is None or path not in self._chains.names:
            return None
        source = Source((MENU_KEY, DECISION), function=partial(_fired, self._chains, path))
        return Translated((self.names[MENU_KEY], self.names[DECISION]), source, (path,))

    # -- for messages --------------------------------------------------------------------------------------------------

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """The branches of the containers that are translated; all of them, where none is."""
        containers = tuple(f"{one}." for one in (*self.dialect.marks, "BTagging", "MET_Core", "PrimaryVertices"))
        return tuple(one for one in self.names if one.startswith(containers)) or tuple(self.names)

    def asked(self, branch: str) -> tuple[str, ...]:
        """Return the names in this format under which a branch was looked for."""
        first = self.dialect.sources(branch)[:1]
        return tuple(dict.fromkeys(name for one in first for name in one.branches if name not in self.names))

    def near(self, branch: str) -> list[str]:
        """Return branches, or trigger paths, of the input that resemble one."""
        if branch.startswith(TRIGGER):
            names: Iterable[str] = () if self._chains is None else self._chains.names
            return difflib.get_close_matches(branch, sorted(names), n=3, cutoff=0.6)
        wanted = next(iter(self.asked(branch)), spelled(branch))
        inside = [one for one in self.names if one.startswith(f"{wanted.split('.', maxsplit=1)[0]}.")]
        return difflib.get_close_matches(wanted, sorted(inside or self.names), n=3, cutoff=0.6)

    def lacking(self, branches: Sequence[str]) -> str:
        """Return what the input lacks that none of these branches is there, if it is more than they; else nothing."""
        paths = [one for one in branches if one.startswith(TRIGGER)]
        if paths and self._chains is None:
            return "no trigger menu in the file (TriggerMenuJson_HLT in MetaData)"
        # Of a path that the menu has, only the decision can be missing.
        there = self._chains is not None and not self._chains.names.isdisjoint(paths)
        return f"no trigger decision in the file ({DECISION})" if there else ""

    def advice(self, branches: Sequence[str]) -> str:
        """Return what is to be done about branches that are not there; empty where nothing special is known."""
        why = self.lacking(branches)
        return f"There is {why}: make the trigger Trigger(..., required=False), or plan without one" if why else ""


def together(names: Iterable[str]) -> str:
    """Return names of branches in words, those of one container together.

    Examples
    --------
    >>> together(["A.x", "A.y", "B.z", "A.x"])
    'A.x, .y, B.z'
    """
    said: list[str] = []
    last = ""
    for name in dict.fromkeys(names):
        container, dot, variable = name.rpartition(".")
        said.append(f".{variable}" if dot and container == last else name)
        last = container
    return ", ".join(said)


def _fired(menu: Menu, path: str, keys: FlatBranch, words: FlatBranch) -> FlatBranch:
    assert words.counts is not None
    return FlatBranch(np.asarray(menu.fired(path, keys.content, words.content, words.counts)))
