"""Columns into ROOT files: a TTree or an RNTuple called ``Events``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import awkward as ak
import numpy as np

from coffea_ddp._root_files import SIMULATED_TITLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from coffea_ddp._typing import IntArray
    from coffea_ddp.testing.generator.branches import Columns

Container = Literal["ttree", "rntuple"]
Compression = Literal["none", "zlib", "lz4", "lzma", "zstd"]


def write_events(
    path: Path,
    scalars: Columns,
    counts: Mapping[str, IntArray],
    collections: Mapping[str, Columns],
    *,
    container: Container,
    cluster: int,
    compression: Compression,
    runs: Columns | None = None,
) -> None:
    """Write scalar branches and collections (contents, objects per event), ``cluster`` events at a time.

    A collection with one nameless column is written as a vector. ``runs`` is written as the tree ``Runs``.
    """
    import uproot

    write = _write_tree if container == "ttree" else _write_rntuple
    packed = None if compression == "none" else getattr(uproot, compression.upper())(1)
    with uproot.recreate(path, compression=packed) as file:
        write(file, scalars, counts, collections, cluster)
        if runs is not None:
            tree = file.mktree("Runs", {name: column.dtype for name, column in runs.items()}, title=SIMULATED_TITLE)
            tree.extend(dict(runs))


def _write_tree(
    file: Any,
    scalars: Columns,
    counts: Mapping[str, IntArray],
    collections: Mapping[str, Columns],
    cluster: int,
) -> None:
    types: dict[str, Any] = {name: column.dtype for name, column in scalars.items()}
    types |= {name: f"var * {_record_type(collections[name])}" for name in counts}
    n_events = _length(scalars, counts)
    tree = file.mktree("Events", types, title=SIMULATED_TITLE, initial_basket_capacity=max(n_events // cluster + 1, 2))
    for start, stop in _slices(n_events, cluster):
        data: dict[str, Any] = {name: column[start:stop] for name, column in scalars.items()}
        for name, per_event in counts.items():
            first, last = per_event[:start].sum(), per_event[:stop].sum()
            columns = {field: column[first:last] for field, column in collections[name].items()}
            record = columns[""] if "" in columns else ak.zip(columns)
            data[name] = ak.unflatten(record, per_event[start:stop])
        tree.extend(data)


def _write_rntuple(
    file: Any,
    scalars: Columns,
    counts: Mapping[str, IntArray],
    collections: Mapping[str, Columns],
    cluster: int,
) -> None:
    types: dict[str, Any] = {name: str(column.dtype) for name, column in scalars.items()}
    for name in counts:
        types[f"n{name}"] = "uint32"
        types |= {_branch(name, field): f"var * {column.dtype}" for field, column in collections[name].items()}
    ntuple = file.mkrntuple("Events", types, description=SIMULATED_TITLE)
    for start, stop in _slices(_length(scalars, counts), cluster):
        data: dict[str, Any] = {name: column[start:stop] for name, column in scalars.items()}
        for name, per_event in counts.items():
            first, last = per_event[:start].sum(), per_event[:stop].sum()
            data[f"n{name}"] = per_event[start:stop].astype(np.uint32)
            for field, column in collections[name].items():
                data[_branch(name, field)] = ak.unflatten(column[first:last], per_event[start:stop])
        ntuple.extend(ak.zip(data, depth_limit=1))


def _branch(collection: str, field: str) -> str:
    return f"{collection}_{field}" if field else collection


def _record_type(columns: Columns) -> str:
    if "" in columns:
        return str(columns[""].dtype)
    return "{" + ", ".join(f'"{name}": {column.dtype}' for name, column in columns.items()) + "}"


def _length(scalars: Columns, counts: Mapping[str, IntArray]) -> int:
    return len(next(iter([*scalars.values(), *counts.values()]), ()))


def _slices(n_events: int, cluster: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + cluster, n_events)) for start in range(0, n_events, cluster))
