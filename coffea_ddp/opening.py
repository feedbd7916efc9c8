"""Opening files before a run: how many events each has, in what chunks, or what is wrong with it.

Examples
--------
>>> import tempfile
>>> from coffea_ddp.fileset import normalise
>>> from coffea_ddp.testing import make_nanoaod
>>> with tempfile.TemporaryDirectory() as folder:
...     path = make_nanoaod(f"{folder}/nano.root", events=500, seed=1)
...     chunks, lost = find_chunks(normalise(path), 200_000, skip_bad_files=False)
>>> [len(chunk) for chunk in chunks], lost
([500], [])
"""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from coffea.processor import Runner
from coffea.processor.executor import FileMeta, WorkItem

from coffea_ddp._files import what_is
from coffea_ddp.branches import describe
from coffea_ddp.datasets import ENTRIES, KEY, Dataset, without
from coffea_ddp.duplicates import Reading, Steps, counted_elsewhere, no_steps
from coffea_ddp.errors import FileError, did_you_mean
from coffea_ddp.fileset import Fileset
from coffea_ddp.filling import needed_branches
from coffea_ddp.guarding import TIMEOUT, wait_at_most
from coffea_ddp.ledger import Missing, is_full_name
from coffea_ddp.plan import ScanPlan
from coffea_ddp.schema import OPENING, no_events

_OPENERS = 8
Opened = Iterator[FileMeta | Missing]
Opener = Callable[[Callable[[FileMeta], FileMeta | Missing], list[FileMeta]], Opened]


def find_chunks(
    files: Fileset,
    chunksize: int,
    *,
    skip_bad_files: bool,
    timeout: float = TIMEOUT,
    opener: Opener | None = None,
    tell: Steps = no_steps,
) -> tuple[list[WorkItem], list[Missing]]:
    """Open every file and return its chunks, and the files that cannot be read.

    Parameters
    ----------
    files
        A normalised fileset.
    chunksize
        Events a chunk; chunks end where the file's clusters do.
    skip_bad_files
        Whether files that cannot be opened are returned; else they are an error.
    timeout
        Seconds that a server may take for one answer.
    opener
        Applies a function to every file, on a cluster's workers; threads of this process by default.
    tell
        Called after every file.

    Raises
    ------
    FileError
        If files cannot be read and are not to be skipped; up to five are named.
    """
    metas = [
        FileMeta(dataset, full_name(path), tree, entry["metadata"] or None)
        for dataset, entry in files.items()
        for path, tree in entry["files"].items()
    ]
    opened: list[FileMeta | Missing] = []
    for found in (opener or _in_threads)(partial(_open, timeout=timeout), metas):
        opened.append(found)
        tell(len(opened), len(metas))
    lost = [problem for problem in opened if isinstance(problem, Missing)]
    if lost and not skip_bad_files:
        more = f" (and {len(lost) - 5} more)" if len(lost) > 5 else ""
        reasons = "; ".join(missing.reason for missing in lost[:5])
        others = ". To leave such files out and have the output marked PARTIAL: --skip-bad-files"
        raise FileError(f"{reasons}{more}{others if len(lost) < len(opened) else ''}")
    chunks = [chunk for meta in opened if isinstance(meta, FileMeta) for chunk in _chunks(meta, chunksize)]
    return chunks, lost


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


def _chunks(meta: FileMeta, chunksize: int) -> list[WorkItem]:
    """Return the chunks of an opened file, which know how many entries it has in all."""
    told = {ENTRIES: int(meta.metadata["numentries"])}
    return [
        dataclasses.replace(chunk, usermeta={**(chunk.usermeta or {}), **told})
        for chunk in meta.chunks(chunksize, True)
    ]


def _in_threads(function: Callable[[FileMeta], FileMeta | Missing], files: list[FileMeta]) -> Opened:
    with ThreadPoolExecutor(_OPENERS) as pool:
        yield from pool.map(function, files)


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
        How the events of all chunks are compared before the pass; ``None`` does not compare them.
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
            told.append(dataclasses.replace(item, usermeta={**(item.usermeta or {}), KEY: one}))
    return told, [one for one in elsewhere if isinstance(one, Missing)]


def with_preload(plan: ScanPlan, chunks: Sequence[WorkItem]) -> list[WorkItem]:
    """Have coffea read all branches of a chunk at once; which ones, the first file of every dataset tells.

    A file of another version reads what differs when it is asked for.
    """
    names: dict[str, frozenset[str] | None] = {}
    for item in chunks:
        if item.dataset not in names:
            names[item.dataset] = _branches(plan, item)
    return [dataclasses.replace(item, preload=names[item.dataset]) for item in chunks]


def _branches(plan: ScanPlan, item: WorkItem) -> frozenset[str] | None:
    try:
        about = (item.usermeta or {}).get(KEY)
        names = frozenset(needed_branches(no_events(item.filename, item.treename), plan, about))
        no_events(item.filename, item.treename, preload=names)  # an RNTuple cannot
        return names
    except Exception:  # noqa: BLE001 (whatever is wrong with the file or the plan is said when the chunk is filled)
        return None


def _open(meta: FileMeta, *, timeout: float) -> FileMeta | Missing:
    """Return the file with its number of entries, uuid and clusters; or what is wrong with it."""
    wait_at_most(timeout)
    try:
        (found,) = Runner.metadata_fetcher_root(timeout, True, dict(OPENING), meta)
    except Exception as error:  # noqa: BLE001
        # uproot, the file system and the network all have their own ways to fail; the file's name is what counts.
        return Missing(meta.dataset, meta.filename, reason=_reason(meta, error), tree=meta.treename)
    return found


def _reason(meta: FileMeta, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return (
            f"{meta.filename}: no such file on {platform.node() or 'the machine that reads it'}; "
            "the workers of a cluster need files by a path or an address that they reach, too"
        )
    if "UprootMissTree" in type(error).__name__:
        return f"{meta.filename}: no tree {meta.treename!r}; {_other_trees(meta)}"
    if isinstance(error, ImportError):  # the client of a protocol
        return f"{meta.filename}: this address needs a package that is not installed ({describe(error)})"
    if "://" in meta.filename:
        return (
            f"{meta.filename}: cannot be opened ({describe(error)}); is the address right, and does its server answer?"
        )
    return f"{meta.filename}: {_no_root_file(meta.filename, error)}"


def _no_root_file(path: str, error: Exception) -> str:
    """Tell what a file on this machine is that cannot be opened."""
    kind = what_is(path)
    if kind == "an empty file":
        return "the file has no bytes"
    if path.endswith(".ddp"):
        return f"not a ROOT file but {kind}; `coffea-ddp scan {path}` looks at it"
    if kind == "a text file":
        return 'not a ROOT file but text; write a list of files as a fileset, {"data": ["a.root", ...]}, in a .json'
    return f"not a ROOT file, or truncated ({describe(error)})"


def _other_trees(meta: FileMeta) -> str:
    """Tell which trees a file has, and how to say which."""
    trees = _named(meta.filename, "TTree", "RNTuple")
    if not trees:
        spectra = _named(meta.filename, "TH1")
        shown = f"{', '.join(spectra[:5])}{' ...' if len(spectra) > 5 else ''}"
        bumps = f", but histograms ({shown}), in which `coffea-ddp bump {meta.filename}` looks for bumps"
        return f"it has: no tree{bumps if spectra else ''}; a pass needs files of events"
    name = trees[0] if len(trees) == 1 else "NAME"
    return (
        f"it has: {', '.join(trees)} (use --tree {name}, tree={name!r} in Python, or "
        f'"treename": "{name}" in a fileset){did_you_mean(meta.treename, trees)}'
    )


def _named(path: str, *kinds: str) -> list[str]:
    """Return the names of the objects of some kinds in a file."""
    import uproot  # only for an error message

    with uproot.open(path) as file:
        names = [name.split(";")[0] for name, kind in file.classnames().items() if any(one in kind for one in kinds)]
    return list(dict.fromkeys(names))  # a tree may have several cycles
