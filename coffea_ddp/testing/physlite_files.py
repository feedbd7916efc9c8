"""Whole files of toy events as ATLAS writes them: ``make_physlite``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import awkward as ak
import numpy as np

from coffea_ddp._root_files import SIMULATED_TITLE
from coffea_ddp.errors import InputError
from coffea_ddp.testing.files import EQUAL, RUN, check, in_place, numbered
from coffea_ddp.testing.generator.detector import Efficiency
from coffea_ddp.testing.generator.physlite import RELEASES, Column, columns, metadata
from coffea_ddp.testing.generator.writing import Compression, Container

if TYPE_CHECKING:
    from os import PathLike

    from coffea_ddp.testing.generator.signals import Signal

_TREES = {"ttree": "CollectionTree", "rntuple": "EventData"}
_LINK = ".btaggingLink.m_persIndex"


def make_physlite(
    path: str | PathLike[str],
    *,
    events: int = 10_000,
    seed: int | np.random.SeedSequence = 1,
    signals: Sequence[Signal] = (),
    release: int = 25,
    container: Container = "ttree",
    efficiency: Efficiency | Mapping[str, float] = EQUAL,
    run: int = RUN,
    first_event: int = 1,
    simulation: bool = False,
    drop: Sequence[str] = (),
    cluster: int = 20_000,
    compression: Compression = "zstd",
) -> Path:
    """Write one PHYSLITE-shaped file: the events of :func:`make_nanoaod` with this seed, as ATLAS would have them.

    Objects that pass the standard selection of one pass that of the other; the trigger paths are those of one electron
    and one muon. Leptons with large impact parameters fail the identification, since tracks are not written; missing
    momentum is the soft term that remains when the objects of the standard selection are taken off it.

    Parameters
    ----------
    path
        The file to write; its directory is made where it is missing.
    events, seed, signals, efficiency, run, first_event, cluster, compression
        As for :func:`make_nanoaod`.
    release
        Of Athena, 21, 22 or 25: decides the names of tau and b tags.
    container
        ``"ttree"`` (``CollectionTree``) or ``"rntuple"`` (``EventData``).
    simulation
        ``True``: every event has a generator weight, 1.
    drop
        Names of branches (as ROOT has them in a TTree, ``"AnalysisMuonsAuxDyn.quality"``) or of whole containers
        (``"AnalysisMuons"``) to leave out; ``"MetaData"``: the tree with the trigger menu.

    Returns
    -------
    Path
        The path of the file.

    Examples
    --------
    >>> import tempfile, uproot
    >>> path = make_physlite(Path(tempfile.mkdtemp()) / "atlas.root", events=500)
    >>> with uproot.open(path) as file:
    ...     file["CollectionTree"].num_entries, "AnalysisJetsAuxDyn.pt" in file["CollectionTree"]
    (500, True)
    """
    check(events=events, container=container, cluster=cluster, first_event=first_event)
    for name, value, known in (
        ("release", release, RELEASES), ("compression", compression, get_args(Compression)),
    ):  # fmt: skip
        if value not in known:
            raise InputError(f"{name}={value!r}: known are {', '.join(map(str, known))}")
    made = numbered(events, seed, signals, efficiency, run, first_event)
    found = columns(made, release=release, simulation=simulation)
    told = metadata(events)
    unknown = [name for name in drop if name != "MetaData" and not any(_is_of(one, name) for one in (*found, *told))]
    if unknown:
        raise InputError(f"drop={unknown}: there is no such branch or container; it has {', '.join(sorted(found))}")
    found = {name: column for name, column in found.items() if not any(_is_of(name, one) for one in drop)}
    told = {name: values for name, values in told.items() if not any(_is_of(name, one) for one in drop)}
    told = {} if "MetaData" in drop else told
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write = partial(_write, columns=found, told=told, container=container, cluster=cluster, compression=compression)
    return in_place(path, write)


def _is_of(branch: str, name: str) -> bool:
    return branch == name or branch.startswith((f"{name}Aux.", f"{name}AuxDyn."))


def _write(
    path: Path, *, columns: Mapping[str, Column], told: Mapping[str, Any], container: Container, cluster: int,
    compression: Compression,
) -> None:  # fmt: skip
    import uproot

    packed = None if compression == "none" else getattr(uproot, compression.upper())(1)
    n_events = next((len(one.content if one.counts is None else one.counts) for one in columns.values()), 0)
    write = _write_tree if container == "ttree" else _write_ntuple
    with uproot.recreate(path, compression=packed) as file:
        write(file, columns, n_events, cluster)
        if told:
            types = {name: "string" if isinstance(one, list) else one.dtype for name, one in told.items()}
            file.mktree("MetaData", types, title=SIMULATED_TITLE).extend(told)


def _write_tree(file: Any, columns: Mapping[str, Column], n_events: int, cluster: int) -> None:
    types: dict[str, Any] = {
        name: one.content.dtype if one.counts is None else f"var * {one.content.dtype}" for name, one in columns.items()
    }
    baskets = max(n_events // cluster + 1, 2)
    tree = file.mktree(_TREES["ttree"], types, title=SIMULATED_TITLE, initial_basket_capacity=baskets)
    for start in range(0, n_events, cluster):
        tree.extend({name: _part(one, start, start + cluster) for name, one in columns.items()})


def _write_ntuple(file: Any, columns: Mapping[str, Column], n_events: int, cluster: int) -> None:
    """Write an RNTuple: with colons, and links as records."""
    links = [name for name in columns if name.endswith(_LINK)]
    types = {
        name.replace(".", ":"): str(one.content.dtype) if one.counts is None else f"var * {one.content.dtype}"
        for name, one in columns.items()
        if name not in links
    }
    of_link = {name: name.removesuffix(".m_persIndex").replace(".", ":") for name in links}
    types |= dict.fromkeys(of_link.values(), "var * {m_persKey: uint32, m_persIndex: uint32}")
    ntuple = file.mkrntuple(_TREES["rntuple"], types, description=SIMULATED_TITLE)
    for start in range(0, n_events, cluster):
        parts = {name: _part(one, start, start + cluster) for name, one in columns.items()}
        data = {name.replace(".", ":"): part for name, part in parts.items() if name not in of_link}
        for name, field in of_link.items():
            data[field] = ak.zip({"m_persKey": ak.ones_like(parts[name]), "m_persIndex": parts[name]})
        ntuple.extend(ak.zip({name: data[name] for name in types}, depth_limit=1))


def _part(column: Column, start: int, stop: int) -> Any:
    if column.counts is None:
        return column.content[start:stop]
    first, last = int(column.counts[:start].sum()), int(column.counts[:stop].sum())
    return ak.unflatten(column.content[first:last], column.counts[start:stop])
