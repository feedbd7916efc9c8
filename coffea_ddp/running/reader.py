"""One file of events, ROOT or Parquet: what it holds, and the events of a chunk of it.

Local files are opened by their names as they are. uproot and fsspec would read ``:``, ``::``, ``*`` and the like in
a name as something else, and coffea cannot tell apart files whose names are not ASCII.

Examples
--------
>>> import tempfile
>>> from coffea_ddp.testing import make_nanoaod
>>> with tempfile.TemporaryDirectory() as folder:
...     holding = look(str(make_nanoaod(f"{folder}/a:b *.root", events=500, seed=1)), "Events")
>>> holding.num_entries, holding.clusters
(500, (0, 500))
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np
import uproot
from coffea.nanoevents import NanoEventsFactory
from coffea.processor import Runner
from coffea.processor.executor import WorkItem

from coffea_ddp.events.branches import ROWS
from coffea_ddp.events.dialects.dialect import NANOAOD
from coffea_ddp.filling import fill
from coffea_ddp.histograms.ledger import UNKNOWN, Chunk
from coffea_ddp.plan.datasets import ENTRIES, KEY
from coffea_ddp.running import baskets, fields, trees
from coffea_ddp.running.addresses import is_remote
from coffea_ddp.running.baskets import DamagedError
from coffea_ddp.running.fields import is_translated
from coffea_ddp.running.options import TIMEOUT
from coffea_ddp.running.schema import DDPSchema
from coffea_ddp.running.shards import file_uuid
from coffea_ddp.running.trees import open_root, opening

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray

_PARQUET = (".parquet", ".parq", ".pq")
_MAGIC = b"PAR1"
_FIRST = 1 << 16
"""Bytes at the beginning of a Parquet file that tell it from another one with the same footer."""


@dataclass(frozen=True)
class Holding:
    """Contents of a file: its entries, their clusters, and its identity.

    Attributes
    ----------
    num_entries
        Number of events.
    uuid
        16 bytes that no other file has: ROOT's own or, of a Parquet file, a digest.
    clusters
        Borders of the parts that are read at once, from 0 to the number of events.
    tree
        The tree that holds them: where NanoAOD's is asked for and is not there, that of another format.
    dialect
        Name of the format.
    sum_of_weights
        Of the generator, of all events; ``None`` where the file does not tell, or nobody asked.
    generated
        True for a file with generator weights; False where nobody asked.
    """

    num_entries: int
    uuid: bytes
    clusters: tuple[int, ...]
    tree: str = ROWS
    dialect: str = NANOAOD.name
    sum_of_weights: float | None = None
    generated: bool = False


class NotATreeError(Exception):
    """Something that is called like the tree, and holds no events."""


def is_parquet(path: str) -> bool:
    """Tell whether a file is Parquet: by its beginning or, on a server, by its name."""
    if is_remote(path):
        return path.split("?", maxsplit=1)[0].lower().endswith(_PARQUET)
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (no Path for names as they are)
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return path.lower().endswith(_PARQUET)


def look(path: str, tree: str, timeout: float = TIMEOUT) -> Holding:
    """Return what a file holds.

    Parameters
    ----------
    path
        Of the file.
    tree
        Of a ROOT file.
    timeout
        Seconds that a server may take for one answer.

    Raises
    ------
    NotATreeError
        If it is no tree.
    FileError
        If what the file says of itself cannot be.
    Exception
        uproot's and pyarrow's own, if the file cannot be read.
    """
    if is_parquet(path):
        with _open_parquet(path) as (file, uuid):
            groups = [file.metadata.row_group(number).num_rows for number in range(file.metadata.num_row_groups)]
            return Holding(sum(groups), uuid, (0, *sorted({*accumulate(groups)} - {0})))
    identity = trees.identity_of(path)
    with open_root(path, timeout) as file:
        tree = fields.known_tree(file, tree)
        found = file[tree]
        trees.keep(path, tree, found, identity)
        if not hasattr(found, "num_entries"):
            raise NotATreeError(f"{tree!r} is a {type(found).__name__.removeprefix('Model_')}, and no tree")
        n_entries = int(found.num_entries)
        if isinstance(found, uproot.behaviors.RNTuple.HasFields):
            inner = {int(cluster.num_first_entry) for cluster in found.cluster_summaries}
        else:
            _check_entries(path, found)
            inner = {int(offset) for offset in found.common_entry_offsets()}
        clusters = (0, *sorted(offset for offset in inner if 0 < offset < n_entries), n_entries)
        dialect = fields.of_model(found).name
        return Holding(n_entries, file.file.fUUID, clusters if n_entries else (0,), tree, dialect)


def _check_entries(path: str, tree: Any) -> None:
    """Check that a tree has as many entries as its branches: either number may be damaged."""
    says, have = int(tree.num_entries), {int(branch.num_entries) for branch in tree.branches}
    if says < 0 or (have and says not in have):
        raise DamagedError(
            f"{path}: damaged: the tree says that it has {says:,} entries, its branches have {max(have):,}"
        )


def file_id(path: str, timeout: float = TIMEOUT) -> bytes:
    """Return the 16 bytes that no other file has."""
    if is_parquet(path):
        with _open_parquet(path) as (_, uuid):
            return uuid
    with open_root(path, timeout) as file:
        return bytes(file.file.fUUID)


@contextmanager
def structure(path: str, tree: str, *, preload: frozenset[str] | None = None) -> Iterator[Any]:
    """Yield a file's events without any event: what branches there are, which tells what a plan would read."""
    if is_parquet(path):
        with _open_parquet(path) as (file, _):
            yield ak.from_arrow(_readable(file.schema_arrow).empty_table())
        return
    with open_root(path) as file:
        factory = NanoEventsFactory.from_root(
            file, treepath=tree, schemaclass=DDPSchema, mode="virtual", preload=preload, entry_stop=0
        )
        yield factory.events()


def columns(item: WorkItem, names: Collection[str] | None = None) -> Any:
    """Return the events of a chunk in memory, as an awkward record array.

    Parameters
    ----------
    item
        The chunk.
    names
        NanoAOD's names of the branches that are wanted, those of a ROOT file must be there; ``None`` takes all of a
        Parquet file.

    Raises
    ------
    DamagedError
        If what the file says of its entries contradicts itself.
    """
    if is_parquet(item.filename):
        return _rows(item, names)
    with open_root(item.filename) as file:
        found = _branches(item, file[item.treename], names or ())
        if found is not None:
            return found
        events = NanoEventsFactory.from_root(
            file,
            treepath=item.treename,
            schemaclass=DDPSchema,
            mode="virtual",
            entry_start=item.entrystart,
            entry_stop=item.entrystop,
        ).events()
        return ak.materialize(ak.zip({name: _column(events, name) for name in names or ()}, depth_limit=1))


def _column(events: Any, name: str) -> Any:
    collection, _, field = name.partition("_")
    return events[name] if name in events.fields else events[collection][field]


def _branches(item: WorkItem, tree: Any, names: Collection[str]) -> Any:
    """Return branches of a TTree, or fields of an RNTuple, as they are stored; ``None`` where not all are there.

    A list's lengths are stored twice, with the list and by a counter (``nMuon``): they must agree.
    """
    ntuple = isinstance(tree, uproot.behaviors.RNTuple.HasFields)
    stored = {one.name: one for one in (tree.fields if ntuple else tree.branches)}
    if not names or not stored.keys() >= set(names):
        return None
    counters = {name: counter for name in sorted(names) if (counter := _counter(stored, name))}
    wanted = {*names, *counters.values()}
    chosen = {"filter_field" if ntuple else "filter_branch": lambda one: one.name in wanted}
    arrays = tree.arrays(entry_start=item.entrystart, entry_stop=item.entrystop, how=dict, ak_add_doc=True, **chosen)
    for name in wanted:
        if len(arrays[name]) != len(item):
            raise DamagedError(
                f"{item.filename}: damaged: branch {name} has {len(arrays[name])} of {len(item)} entries"
            )
    for name, counter in counters.items():
        if arrays[name].ndim > 1 and not np.array_equal(
            np.asarray(ak.num(arrays[name], axis=1)), np.asarray(arrays[counter])
        ):
            raise DamagedError(
                f"{item.filename}: damaged: the lengths of {name} in entries {item.entrystart} to {item.entrystop} are "
                f"not those that {counter} tells"
            )
    layouts = [ak.to_packed(arrays[name]).layout for name in names]
    return ak.Array(ak.contents.RecordArray(layouts, list(names), length=len(item)))


def _counter(stored: Mapping[str, Any], name: str) -> str:
    """Return what tells the lengths of a branch's lists, empty if nothing does; an RNTuple knows it by name only."""
    if hasattr(stored[name], "count_branch"):
        return stored[name].count_branch.name if stored[name].count_branch is not None else ""
    collection, underscore, _ = name.partition("_")
    return f"n{collection}" if underscore and f"n{collection}" in stored else ""


@contextmanager
def per_event(item: WorkItem) -> Iterator[tuple[set[str], Callable[[str], AnyArray]]]:
    """Yield the names of a chunk's branches, and what reads one that has a number for every event."""
    if is_translated(item):
        with fields.per_event(item) as found:
            yield found
        return
    if is_parquet(item.filename):
        with _open_parquet(item.filename) as (file, _):
            names = set(file.schema_arrow.names)
        yield names, lambda name: np.asarray(_rows(item, (name,))[name])
        return
    with open_root(item.filename) as file:
        tree = file[item.treename]
        start, stop = item.entrystart, item.entrystop
        yield set(tree.keys()), lambda name: tree[name].array(entry_start=start, entry_stop=stop, library="np")


def chunk_of(item: WorkItem) -> Chunk:
    """Return which entries of which file a chunk is, as the ledger has it."""
    whole = (item.usermeta or {}).get(ENTRIES, UNKNOWN)
    return Chunk(item.dataset, item.filename, item.treename, file_uuid(item), item.entrystart, item.entrystop, whole)


# -- Parquet -----------------------------------------------------------------------------------------------------------


@contextmanager
def _open_parquet(path: str) -> Iterator[tuple[Any, bytes]]:
    """Yield pyarrow's file, and its identity: a digest of the footer, the size and the beginning."""
    import pyarrow.parquet as pq

    with _bytes_of(path) as raw:
        size = raw.seek(0, 2)
        if size < 12:
            raise OSError("too short for a Parquet file")
        raw.seek(size - 8)
        length, magic = int.from_bytes(raw.read(4), "little"), raw.read(4)
        if magic != _MAGIC or length > size - 12:
            raise OSError("a Parquet file without its end: truncated")
        raw.seek(size - 8 - length)
        digest = hashlib.md5(raw.read(length), usedforsecurity=False)
        raw.seek(0)
        digest.update(size.to_bytes(8, "little") + raw.read(_FIRST))
        yield pq.ParquetFile(raw, page_checksum_verification=True), digest.digest()


def _bytes_of(path: str) -> Any:
    if not is_remote(path):
        return open(path, "rb")  # noqa: PTH123 (the caller closes it)
    import fsspec

    return fsspec.open(path, "rb")


def _readable(schema: Any) -> Any:
    """Return the columns of a schema that hold numbers, or lists or records of them: text is left out."""
    import pyarrow as pa

    def holds_numbers(kind: Any) -> bool:
        if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            return holds_numbers(kind.value_type)
        if pa.types.is_struct(kind):
            return all(holds_numbers(field.type) for field in kind)
        if isinstance(kind, pa.ExtensionType):
            return holds_numbers(kind.storage_type)
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))

    return pa.schema([field for field in schema if holds_numbers(field.type)])


def _rows(item: WorkItem, names: Collection[str] | None) -> Any:
    with _open_parquet(item.filename) as (file, _):
        schema = _readable(file.schema_arrow)
        wanted = [name for name in schema.names if names is None or _is_of(name, names)]
        if not wanted:
            return ak.Array(ak.contents.RecordArray([], [], length=len(item)))
        sizes = [file.metadata.row_group(number).num_rows for number in range(file.metadata.num_row_groups)]
        ends = list(accumulate(sizes))
        groups = [
            number
            for number, (end, size) in enumerate(zip(ends, sizes, strict=True))
            if end > item.entrystart and end - size < item.entrystop
        ]
        if not groups:
            return ak.from_arrow(schema.empty_table().select(wanted))
        table = file.read_row_groups(groups, columns=wanted, use_threads=False)
        first = ends[groups[0]] - sizes[groups[0]]
        return ak.from_arrow(table.slice(item.entrystart - first, len(item)))


def _is_of(column: str, names: Collection[str]) -> bool:
    """Tell whether a column is one of these branches, or the collection of one."""
    return column in names or any(name.startswith(f"{column}_") for name in names)


# -- coffea's Runner ---------------------------------------------------------------------------------------------------


class FileRunner(Runner):  # type: ignore[misc]
    """coffea's Runner for our chunks: files by their names as they are, the branches that a plan reads at once.

    What is not stored under NanoAOD's names is left to coffea's NanoEvents. coffea's own way to read Parquet reads a
    column of the whole file for every chunk, and fails where one spans parts.
    """

    @staticmethod
    def _work_function(*given: Any, processor_instance: Any, uproot_options: Any, **options: Any) -> Any:
        *settings, item = given
        work, processor = item if processor_instance == "heavy" else (item, processor_instance)
        with _known(work) as events:
            if events is not None:
                about = (work.usermeta or {}).get(KEY)
                try:
                    return {"out": fill(events, processor.plan, chunk=chunk_of(work), dataset=about)}
                except Exception as error:
                    raise Exception(f"Failed processing file: {work!r}. The error was: {error!r}.") from error
        return Runner._work_function(  # noqa: SLF001 (overridden here)
            *settings,
            work,
            processor_instance=processor,
            uproot_options=uproot_options | opening(work.filename),
            **options,
        )


@contextmanager
def _known(work: WorkItem) -> Iterator[Any]:
    """Yield the events of a chunk, with all that is wanted of them; ``None`` where coffea is to find it."""
    if is_translated(work) and work.preload is None:
        with fields.of_chunk(work) as events:
            yield events
    else:
        yield _at_once(work)


def _at_once(work: WorkItem) -> Any:
    """Return the branches of a chunk that are known to be wanted; ``None`` where coffea is to find them."""
    if is_parquet(work.filename):
        return _rows(work, work.preload)
    if work.preload is None:
        return None
    if is_translated(work):
        return fields.read(work.filename, work.treename, work.preload, work.entrystart, work.entrystop)
    events = baskets.read(work.filename, work.treename, work.preload, work.entrystart, work.entrystop)
    if events is not None:
        return events
    with open_root(work.filename) as file:
        return _branches(work, file[work.treename], work.preload)
