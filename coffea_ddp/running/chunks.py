"""Opening files before a run: how many events each has, in what chunks, or what is wrong with it.

Examples
--------
>>> import tempfile
>>> from coffea_ddp.running.fileset import normalise
>>> from coffea_ddp.testing import make_nanoaod
>>> with tempfile.TemporaryDirectory() as folder:
...     path = make_nanoaod(f"{folder}/nano.root", events=500, seed=1)
...     chunks, lost = find_chunks(normalise(path), Reading())
>>> [len(chunk) for chunk in chunks], lost
([500], [])
"""

from __future__ import annotations

import dataclasses
import platform
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from coffea.processor.executor import WorkItem

from coffea_ddp._files import what_is
from coffea_ddp.errors import DDPError, FileError, InputError, MergeError, describe, did_you_mean, some_of
from coffea_ddp.events.branches import ROWS
from coffea_ddp.events.dialects.dialect import NANOAOD
from coffea_ddp.filling import needed_branches
from coffea_ddp.histograms.ledger import Missing, is_full_name
from coffea_ddp.plan.datasets import ENTRIES, KEY, Dataset, without
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.running import fields, trees
from coffea_ddp.running.addresses import is_remote
from coffea_ddp.running.duplicates import Steps, counted_elsewhere, no_steps
from coffea_ddp.running.fields import DIALECT, is_translated
from coffea_ddp.running.fileset import Fileset, sources
from coffea_ddp.running.guarding import wait_at_most
from coffea_ddp.running.metadata import menu_of
from coffea_ddp.running.options import Reading
from coffea_ddp.running.reader import Holding, NotATreeError, is_parquet, look, structure
from coffea_ddp.running.shards import Shards
from coffea_ddp.running.sources import Source, asked_twice
from coffea_ddp.running.weight_sums import check_sum, with_sum

_OPENERS = 8
SUM = "coffea_ddp_sum_of_weights"
"""Key of the sum of generator weights of the whole file in a chunk's metadata, until its dataset is there."""
_RESERVED = frozenset(
    ("dataset", "filename", "treename", "metadata", "entrystart", "entrystop", "fileuuid", "numentries", "uuid")
)
"""Metadata that coffea tells a processor itself; those of a fileset do not replace them."""


@dataclass(frozen=True)
class Wanted:
    """One file of a dataset, and what is asked of it; ``sums``: also the sum of its generator weights."""

    dataset: str
    source: Source
    sums: bool = False


@dataclass(frozen=True)
class Lost:
    """A file that cannot be used: why."""

    reason: str


Opened = Iterator[Holding | Lost]
Opener = Callable[[Callable[[Wanted], Holding | Lost], list[Wanted]], Opened]


def find_chunks(
    files: Fileset,
    reading: Reading,
    *,
    opener: Opener | None = None,
    by_dataset: bool = False,
    about: Mapping[str, Dataset] | None = None,
    tell: Steps = no_steps,
) -> tuple[list[WorkItem], list[Missing]]:
    """Open every file and return the chunks that are asked for, and the files that cannot be read.

    Parameters
    ----------
    files
        A normalised fileset.
    reading
        Its chunk size (chunks end where the file's clusters do, or a step) and timeout; with ``skip_bad_files`` the
        files that cannot be opened are returned, else they are an error.
    opener
        Applies a function to every file, on a cluster's workers; threads of this process by default.
    by_dataset
        Count datasets apart, so that they may have the same entries.
    about
        What the fileset says of its datasets, where simulation is compared with data: the sums of its generator weights
        are asked for.
    tell
        Called after every file.

    Raises
    ------
    FileError
        If files cannot be read, or are not those that the fileset describes, and are not to be skipped; up to five are
        named.
    MergeError
        If entries of one file, under whatever names, are asked for twice, and bad files are not to be skipped.
    InputError
        If a file of simulation tells no sum of generator weights where one is needed.
    """
    wanted = [
        Wanted(dataset, dataclasses.replace(source, path=full_name(source.path)), sums=_sums_of(dataset, about))
        for dataset, source in sources(files)
    ]
    opened: list[Holding | Lost] = []
    for one in (opener or _in_threads)(partial(_open, timeout=reading.timeout), wanted):
        opened.append(one)
        tell(len(opened), len(wanted))
    pairs = list(zip(wanted, opened, strict=True))
    bad = [(one, told) for one, told in pairs if isinstance(told, Lost)]
    if bad and not reading.skip_bad_files:
        reasons = some_of((lost.reason for _, lost in bad), 5, "; ")
        others = ". To leave such files out and have the output marked PARTIAL: --skip-bad-files"
        raise FileError(f"{reasons}{others if len(bad) < len(opened) else ''}")
    found = [(one, told) for one, told in pairs if isinstance(told, Holding)]
    _check_one_format(found)
    for asked, holding in found:
        if asked.sums and about is not None:
            check_sum(asked.source.path, about[asked.dataset], holding)
    again = asked_twice([_known(one, told, by_dataset) for one, told in found])
    if again and not reading.skip_bad_files:
        raise MergeError(next(iter(again.values())))
    bad += [(found[number][0], Lost(problem)) for number, problem in again.items()]
    chunks = [
        chunk
        for number, (one, told) in enumerate(found)
        if number not in again
        for chunk in _chunks(one, told, files[one.dataset]["metadata"], reading.chunksize)
    ]
    return chunks, [missing for one, lost in bad for missing in _missing(one, lost.reason)]


def _sums_of(dataset: str, about: Mapping[str, Dataset] | None) -> bool:
    return about is not None and about[dataset].kind != "data" and about[dataset].sum_of_weights is None


def full_name(path: str) -> str:
    """Return the name of a file that means the same in every process: an address as it is, a path from the root on.

    Raises
    ------
    FileError
        If the path begins in the working directory, and that is not there any more.
    """
    if is_full_name(path):
        return path
    try:
        return str(Path(path).absolute())
    except FileNotFoundError as error:
        raise FileError(f"{path}: the working directory is not there any more; give the full path") from error


def _in_threads(function: Callable[[Wanted], Holding | Lost], files: list[Wanted]) -> Opened:
    with ThreadPoolExecutor(_OPENERS) as pool:
        yield from pool.map(function, files)


def _known(one: Wanted, holding: Holding, by_dataset: bool) -> tuple[str, Source, str]:
    which = f"{holding.uuid.hex()}{one.dataset if by_dataset else ''}"
    return one.dataset, dataclasses.replace(one.source, tree=holding.tree), which


def _check_one_format(found: Sequence[tuple[Wanted, Holding]]) -> None:
    """Check that all files are of one format.

    Raises
    ------
    InputError
        If they are not: a file of each is named.
    """
    first: dict[str, str] = {}
    for one, holding in found:
        first.setdefault(holding.dialect, one.source.path)
    if len(first) > 1:
        told = " and ".join(f"{path} is {dialect}" for dialect, path in first.items())
        raise InputError(
            f"{told}: events of two experiments are no one sample; run each kind by itself, into an output of its own"
        )


def _tree(source: Source) -> str:
    return ROWS if is_parquet(source.path) else source.tree


def _missing(one: Wanted, reason: str) -> Iterator[Missing]:
    """Yield what cannot be counted: the file or, where only a part of it is asked for, that."""
    if one.source.steps is None:
        yield Missing(one.dataset, one.source.path, reason=reason, tree=_tree(one.source))
    for start, stop in one.source.steps or ():
        yield Missing(one.dataset, one.source.path, start, stop, reason, _tree(one.source))


def _chunks(one: Wanted, holding: Holding, metadata: Mapping[str, Any], chunksize: int) -> Iterator[WorkItem]:
    told = {key: value for key, value in metadata.items() if key not in _RESERVED} | {ENTRIES: holding.num_entries}
    if holding.dialect != NANOAOD.name:
        told[DIALECT] = holding.dialect
    told |= {} if holding.sum_of_weights is None else {SUM: holding.sum_of_weights}
    steps = ((0, holding.num_entries),) if one.source.steps is None else one.source.steps
    for start, stop in steps or ((0, 0),):  # of a file of which nothing is asked it is known that it was there
        edges = [start]
        for border in holding.clusters:
            if edges[-1] + chunksize <= border < stop:
                edges.append(border)
        for first, last in zip(edges, [*edges[1:], stop], strict=True):
            yield WorkItem(one.dataset, one.source.path, holding.tree, first, last, holding.uuid, told, None)


def with_datasets(
    chunks: Sequence[WorkItem],
    about: Mapping[str, Dataset],
    *,
    first_look: Reading | None = None,
    tell: Steps = no_steps,
) -> tuple[list[WorkItem], list[Missing]]:
    """Have every chunk know what is said of its dataset and, if asked, which of its entries count elsewhere.

    Parameters
    ----------
    chunks, about
        The chunks, and what the fileset says of their datasets.
    first_look
        The reading with which the events of all chunks are compared before the pass; ``None`` does not compare them.
    tell
        Called after every chunk that was compared.

    Returns
    -------
    chunks, lost
        The chunks that can be filled, and those whose events cannot be compared.
    """
    elsewhere = [None] * len(chunks) if first_look is None else counted_elsewhere(chunks, about, first_look, tell)
    told: list[WorkItem] = []
    for item, entries in zip(chunks, elsewhere, strict=True):
        if not isinstance(entries, Missing):
            one = about[item.dataset] if entries is None else without(about[item.dataset], entries)
            meta = dict(item.usermeta or {})
            if not one.generator_weight:
                one = dataclasses.replace(one, n_of_file=meta.get(ENTRIES))
            one = dataclasses.replace(one, of_file=meta.pop(SUM, None))
            told.append(dataclasses.replace(item, usermeta={**meta, KEY: one}))
    return told, [one for one in elsewhere if isinstance(one, Missing)]


def with_preload(plan: ScanPlan, chunks: Sequence[WorkItem], shards: Shards | None = None) -> list[WorkItem]:
    """Have coffea read all branches of a chunk at once; which ones, the first file of every dataset tells.

    A file of another version reads what differs when it is asked for. Trigger menus are kept beside finished chunks.
    """
    names: dict[str, frozenset[str] | None] = {}
    for item in chunks:
        if item.dataset not in names:
            with shards.at_hand(item) if shards else nullcontext():
                names[item.dataset] = _branches(plan, item)
    return [dataclasses.replace(item, preload=names[item.dataset]) for item in chunks]


def _branches(plan: ScanPlan, item: WorkItem) -> frozenset[str] | None:
    about = (item.usermeta or {}).get(KEY)
    try:
        stored = trees.structure(item.filename, item.treename)
        if stored is not None:
            if is_translated(item):
                stored = dataclasses.replace(stored, menu=partial(menu_of, item.filename))
            return frozenset(needed_branches(stored, plan, about))
    except Exception:  # noqa: BLE001 (what is not stored as it is asked for, coffea may know how to make)
        pass
    try:
        if is_translated(item):
            with fields.opened(item.filename, item.treename) as opened:
                return frozenset(needed_branches(opened, plan, about))
        with structure(item.filename, item.treename) as events:
            names = frozenset(needed_branches(events, plan, about))
        with structure(item.filename, item.treename, preload=names):  # an RNTuple cannot
            return names
    except Exception:  # noqa: BLE001 (whatever is wrong with the file or the plan is said when the chunk is filled)
        return None


def _open(one: Wanted, *, timeout: float) -> Holding | Lost:
    """Return what a file holds; or what is wrong with it."""
    source = one.source
    if is_remote(source.path):
        wait_at_most(timeout)
    try:
        holding = look(source.path, source.tree, timeout)
        _check_described(source, holding)
        holding = with_sum(source.path, holding, timeout) if one.sums else holding
    except DDPError as error:
        return Lost(str(error))
    except Exception as error:  # noqa: BLE001
        # uproot, the file system and the network all have their own ways to fail; the file's name is what counts.
        return Lost(_reason(source, error))
    return holding


def _check_described(source: Source, holding: Holding) -> None:
    """Check that a file is the one that the fileset describes.

    Raises
    ------
    DDPError
        If it has another uuid, another number of entries, or fewer than are asked for.
    """
    there = uuid.UUID(bytes=holding.uuid)
    # coffea knows Parquet files by their names only.
    if source.uuid and not is_parquet(source.path) and _uuid(source.uuid) != there:
        raise FileError(
            f"{source.path}: another file than the fileset describes: its uuid is {there}, and the fileset says "
            f"{source.uuid}; make the fileset anew (coffea's preprocess)"
        )
    if source.num_entries is not None and source.num_entries != holding.num_entries:
        raise FileError(
            f"{source.path}: another file than the fileset describes: it has {holding.num_entries:,} entries, and the "
            f"fileset says {source.num_entries:,}"
        )
    source.check_steps(holding.num_entries, "it has")


def _uuid(written: str) -> uuid.UUID | None:
    """Return a uuid in any of its spellings: with and without dashes or braces, large letters, ``urn:uuid:``."""
    try:
        return uuid.UUID(written.strip())
    except ValueError:
        return None


def _reason(source: Source, error: Exception) -> str:
    path = source.path
    if isinstance(error, FileNotFoundError):
        return (
            f"{path}: no such file on {platform.node() or 'the machine that reads it'}; "
            "the workers of a cluster need files by a path or an address that they reach, too"
        )
    if isinstance(error, KeyError) and type(error).__name__ == "KeyInFileError":
        return f"{path}: no tree {source.tree!r}; {_other_trees(source)}"
    if isinstance(error, NotATreeError):
        return f"{path}: {error}; {_other_trees(source)}"
    if isinstance(error, ImportError):  # the client of a protocol
        return f"{path}: this address needs a package that is not installed ({describe(error)})"
    if is_remote(path):
        return f"{path}: cannot be opened ({describe(error)}); is the address right, and does its server answer?"
    return f"{path}: {_not_readable(path, error)}"


def _not_readable(path: str, error: Exception) -> str:
    """Tell what a file on this machine is that cannot be opened."""
    kind = what_is(path)
    if kind == "an empty file":
        return "the file has no bytes"
    if is_parquet(path):
        return f"a Parquet file that cannot be read ({describe(error)})"
    if path.endswith(".ddp"):
        return f"not a ROOT file but {kind}; `coffea-ddp scan {path}` looks at it"
    if kind == "a text file":
        return "not a ROOT file but text; a list of files, one address a line, is called .txt"
    return f"not a ROOT file, or truncated ({describe(error)})"


def _other_trees(source: Source) -> str:
    """Tell which trees a file has, and how to say which."""
    trees = _named(source.path, "TTree", "RNTuple")
    if not trees:
        spectra = _named(source.path, "TH1")
        bumps = f", but histograms ({some_of(spectra, 5)}), in which `coffea-ddp bump {source.path}` looks for bumps"
        return f"it has: no tree{bumps if spectra else ''}; a pass needs files of events"
    name = trees[0] if len(trees) == 1 else "NAME"
    return (
        f"it has: {', '.join(trees)} (use --tree {name}, Reading(tree={name!r}) in Python, or "
        f'"treename": "{name}" in a fileset){did_you_mean(source.tree, trees)}'
    )


def _named(path: str, *kinds: str) -> list[str]:
    """Return the names of the objects of some kinds in a file."""
    with trees.open_root(path) as file:
        names = [name.split(";")[0] for name, kind in file.classnames().items() if any(one in kind for one in kinds)]
    return list(dict.fromkeys(names))  # a tree may have several cycles
