"""Dialects of files of events: where another format keeps what NanoAOD keeps in a branch.

Names everywhere else are NanoAOD's. A dialect says of each of them which branches of the file hold it, by which factor
they are multiplied, and which function makes it of them; NanoAOD is the dialect without an entry.

Examples
--------
>>> atlas = Dialect("PHYSLITE", ("CollectionTree",), {"Muon": "AnalysisMuons"}, {"Muon_pt": Source(("pt",), 0.001)}, {})
>>> atlas.source("Muon_pt").branches, atlas.source("Muon_quality").branches
(('AnalysisMuons.pt',), ('AnalysisMuons.quality',))
>>> spelled("AnalysisMuonsAuxDyn:pt"), spelled("xTrigDecisionAux./xTrigDecisionAux.smk")
('AnalysisMuons.pt', 'xTrigDecision.smk')
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coffea_ddp.events.flat import FlatBranch

_STORE = re.compile(r"Aux(Dyn)?\.")


@dataclass(frozen=True)
class Source:
    """Origin of a branch of NanoAOD's name in a file of another format.

    Parameters
    ----------
    branches
        Of the file, as :func:`spelled`; all of them are needed. In a collection without the name of its container.
    factor
        The content is multiplied by it: 0.001 for MeV.
    function
        Of the branches (:class:`~coffea_ddp.events.flat.FlatBranch`, in their order), that returns one; ``None``: the
        first branch as it is.

    Examples
    --------
    >>> Source(("pt",), 0.001).factor
    0.001
    """

    branches: tuple[str, ...]
    factor: float = 1.0
    function: Callable[..., FlatBranch] | None = None

    def within(self, container: str) -> Source:
        """Return the source with the names of the branches of a container in full."""
        names = tuple(name if "." in name else f"{container}.{name}" for name in self.branches)
        return Source(names, self.factor, self.function)


@dataclass(frozen=True)
class Dialect:
    """Translation of NanoAOD's names to those of another format.

    Parameters
    ----------
    name
        Of the format.
    trees
        Names of trees that are of this format, best first.
    collections
        NanoAOD's collections and the containers that hold their candidates. A field that has no entry is taken from the
        branch of its own name.
    columns
        Branches with a list in every event, by NanoAOD's name; those with several sources have the best first.
    events
        Branches with one value an event, by NanoAOD's name.
    marks
        Containers of which a file of this format has one.
    hard
        Collections of which missing momentum is made, beside a soft term; empty where the file has missing momentum.

    Examples
    --------
    >>> Dialect("plain").source("Muon_pt") is None
    True
    """

    name: str
    trees: tuple[str, ...] = ()
    collections: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Source | tuple[Source, ...]] = field(default_factory=dict)
    events: Mapping[str, Source | tuple[Source, ...]] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    hard: tuple[str, ...] = ()

    def sources(self, branch: str) -> tuple[Source, ...]:
        """Return the sources of a branch of NanoAOD's name, best first; none where the dialect does not have it."""
        found = self.events.get(branch)
        if found is not None:
            return found if isinstance(found, tuple) else (found,)
        collection, _, name = branch.partition("_")
        container = self.collections.get(collection)
        if container is None or not name:
            return ()
        given = self.columns.get(branch, Source((name,)))
        return tuple(one.within(container) for one in (given if isinstance(given, tuple) else (given,)))

    def source(self, branch: str, names: Iterable[str] | None = None) -> Source | None:
        """Return the first source of a branch of which all branches are among ``names``; ``None``: whatever is there.

        Parameters
        ----------
        branch
            By NanoAOD's name.
        names
            Of the branches of a file, as :func:`spelled`.
        """
        there = None if names is None else (names if isinstance(names, Mapping) else frozenset(names))
        return next(
            (one for one in self.sources(branch) if there is None or all(name in there for name in one.branches)), None
        )


def spelled(name: str) -> str:
    """Return the one spelling of a branch that is written in several.

    ``A.x``, ``A:x`` (RNTuple) and ``A./A.x`` (a part of a branch) are one, and so are the static and the dynamic store
    of a container (``EventInfoAux.runNumber`` and ``EventInfoAuxDyn.runNumber``): a file has a variable in one of them.

    Examples
    --------
    >>> {spelled(name) for name in ("AAuxDyn.x", "AAuxDyn:x", "AAux./AAux.x")}
    {'A.x'}
    """
    last = name.rsplit("/", maxsplit=1)[-1].replace(":", ".")
    return _STORE.sub(".", last, count=1)


NANOAOD = Dialect("NanoAOD")
"""The names that are used everywhere: nothing is translated."""
