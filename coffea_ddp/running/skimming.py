"""Chosen events of NanoAOD files, copied to small files with all that the files know of them.

A skim has the branches of its file with their names and types, collections with one counter each, and the trees of runs
and luminosity blocks as they are: sums of generator weights stay those of all events. Only the parts of a file that
hold chosen events are read in full.

Examples
--------
>>> import tempfile
>>> from coffea_ddp.testing import make_nanoaod
>>> with tempfile.TemporaryDirectory() as folder:
...     path = make_nanoaod(f"{folder}/nano.root", events=500, seed=1)
...     done = skim_files(np.array([[370_000, 1, 7], [370_000, 1, 9], [1, 1, 1]], np.uint64), path, f"{folder}/skims")
>>> [(file.output.name, file.n_events) for file in done.files], done.not_found.tolist()
([('nano_skim.root', 2)], [[1, 1, 1]])
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np

from coffea_ddp._files import SKIM, check_output, write_in_place
from coffea_ddp._root_files import SKIM_TITLE, is_skim
from coffea_ddp.errors import FileError, InputError, check_progress, describe, named
from coffea_ddp.events.dialects.dialect import NANOAOD
from coffea_ddp.events.dialects.known import TREES, dialect_of_tree
from coffea_ddp.histograms.stored import IDENTITY_NAMES, identity_hash
from coffea_ddp.running.fileset import normalise, sources
from coffea_ddp.running.reader import is_parquet
from coffea_ddp.running.trees import open_root

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, BoolArray
    from coffea_ddp.running.sources import Source

STEP = 20_000
"""Number of entries that are read in full at a time."""

_WHOLE = ("Runs", "LuminosityBlocks")
"""Trees that are copied as they are."""


@dataclass(frozen=True)
class SkimmedFile:
    """A file that holds some of the chosen events.

    Attributes
    ----------
    source, output
        The file, and the small file of its chosen events.
    n_events
        Number of these.
    left_out
        Branches that cannot be copied, as they are no numbers or lists of numbers.
    """

    source: str
    output: Path
    n_events: int
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Skim:
    """Chosen events, and where they are.

    Attributes
    ----------
    files
        Those that hold any, in the order of the fileset.
    n_wanted
        Number of events that were chosen.
    not_found
        Run, luminosity block and event of those that no file holds; shape (n, 3).
    """

    files: tuple[SkimmedFile, ...]
    n_wanted: int
    not_found: NDArray[np.uint64]

    @property
    def n_found(self) -> int:
        """Number of events that were found."""
        return self.n_wanted - len(self.not_found)

    def __repr__(self) -> str:
        """Return how many events were found, in how many files."""
        return f"Skim({self.n_found:,} of {self.n_wanted:,} events in {len(self.files):,} files)"


def skim_files(
    identity: NDArray[np.uint64],
    fileset: Any,
    folder: str | Path,
    *,
    tree: str = "Events",
    progress: Callable[[int, int, str], None] | None = None,
) -> Skim:
    """Copy chosen events out of NanoAOD files.

    Parameters
    ----------
    identity
        Run, luminosity block and event of those that are chosen; shape (n, 3).
    fileset
        ROOT files, in any form that :func:`coffea_ddp.run` takes.
    folder
        The folder of the small files, ``NAME_skim.root``; it is made where it is not there. Older skims are replaced,
        and nothing else.
    tree
        Of files that are given without one.
    progress
        Called before each file, and at the end, with the files done, those in all, and the name of the next one.

    Raises
    ------
    InputError
        If no event is chosen.
    FileError
        If a file cannot be read, has no run, luminosity block and event numbers, or is no ROOT file; if a small file
        cannot be written, or something else is in its place.
    """
    check_progress("skim_files", progress)
    for name, value, kinds in (("folder", folder, (str, Path)), ("tree", tree, (str,))):
        if not isinstance(value, kinds):
            raise InputError(f"skim, {name}: got {named(value)}; give {'a path' if name == 'folder' else 'its name'}")
    wanted = np.unique(np.asarray(identity, dtype=np.uint64).reshape(-1, 3), axis=0)
    if not len(wanted):
        raise InputError("skim: no event is chosen")
    hashes = identity_hash(*wanted.T)
    given = [source for _, source in sources(normalise(fileset, tree=tree))]
    outputs = _names(given, _made(folder))
    for output in outputs:
        check_output(output, SKIM, is_skim)
    found: list[SkimmedFile] = []
    seen: list[AnyArray] = []
    for number, (source, output) in enumerate(zip(given, outputs, strict=True)):
        if progress is not None:
            progress(number, len(given), Path(source.path).name)
        one, mine = _skim_file(source, hashes, output)
        seen.append(mine)
        found += [one] if one.n_events else []
    if progress is not None:
        progress(len(given), len(given), "")
    there = np.isin(hashes, np.concatenate(seen))
    return Skim(tuple(found), len(wanted), wanted[~there])


def _made(folder: str | Path) -> Path:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # the latter for names that no file can have
        problem = getattr(error, "strerror", None) or error
        raise FileError(f"{folder}: the folder cannot be made ({problem}); name another") from None
    return Path(folder)


def _names(given: Sequence[Source], folder: Path) -> list[Path]:
    """Return the small file of every file; of equal names the second has a number."""
    names: dict[str, int] = {}
    found = []
    for source in given:
        stem = Path(source.path).name.removesuffix(".root")
        number = names[stem] = names.get(stem, 0) + 1
        found.append(folder / f"{stem}{f'-{number}' if number > 1 else ''}_skim.root")
    return found


def _skim_file(source: Source, hashes: AnyArray, output: Path) -> tuple[SkimmedFile, AnyArray]:
    """Copy the chosen events of one file, and return the hashes of these."""
    if is_parquet(source.path):
        raise FileError(f"{source.path}: is a Parquet file; events are copied out of ROOT files")
    with _reading(source.path), open_root(source.path) as file:
        other = dialect_of_tree(next((one for one in TREES if one in file), ""))
        if source.tree not in file and other is not NANOAOD:
            raise FileError(f"{source.path}: is {other.name}; events are copied out of NanoAOD files alone")
        events = file[source.tree]
        missing = [name for name in IDENTITY_NAMES if name not in events.keys()]  # noqa: SIM118 (uproot's, not a dict)
        if missing:
            raise FileError(f"{source.path}: no branch {missing[0]!r}, so that its events have no identity")
        identity = events.arrays(list(IDENTITY_NAMES), library="np")
        mine = identity_hash(*(identity[name] for name in IDENTITY_NAMES))
        chosen = np.isin(mine, hashes)
        if not chosen.any():
            return SkimmedFile(source.path, output, 0), mine[chosen]
        left_out: list[str] = []

        def write(path: Path) -> None:
            import uproot

            with uproot.recreate(path) as small:
                left_out.extend(_copy(events, chosen, small, source.tree))
                for name in _WHOLE:
                    if name in file:
                        _copy(file[name], np.ones(file[name].num_entries, dtype=bool), small, name)

        write_in_place(output, write, SKIM, is_skim)
    return SkimmedFile(source.path, output, int(chosen.sum()), tuple(left_out)), mine[chosen]


@contextlib.contextmanager
def _reading(path: str) -> Iterator[None]:
    """Name the file in what goes wrong while it is read."""
    try:
        yield
    except (FileError, InputError):
        raise
    except Exception as error:
        raise FileError(f"{path}: cannot be read ({describe(error)})") from error


def _copy(tree: Any, chosen: BoolArray, small: Any, name: str) -> list[str]:
    """Copy chosen entries of a tree to a file, and return the branches that cannot be copied."""
    entries = np.flatnonzero(chosen)
    keys = [key for key in tree.keys() if _is_branch(key)]  # noqa: SIM118 (uproot's, not a dict)
    collections = {key[1:] for key in keys if key.startswith("n")}
    written, left_out = None, []
    for start in np.unique(entries // STEP * STEP).tolist() or [0]:
        mine = entries[(entries >= start) & (entries < start + STEP)] - start
        read = _arrays(tree, keys, start)
        left_out = [key for key in keys if key not in read]
        counters = {_counter(key, collections) for key, values in read.items() if values.ndim > 1}
        content = {key: values[mine] for key, values in read.items() if key not in counters}
        if written is None:
            kinds = {key: str(values.type.content) for key, values in content.items()}
            written = small.mktree(
                name, kinds, title=SKIM_TITLE, counter_name=functools.partial(_counter, collections=collections)
            )
        written.extend(content)
    return left_out


def _is_branch(key: str) -> bool:
    """Return False for parts of branches, and for what an RNTuple holds collections in beside their branches."""
    return "/" not in key and "." not in key and not key.startswith("_")


def _counter(key: str, collections: Collection[str]) -> str:
    """Return the branch with the lengths of a list: that of its collection, or one for itself."""
    parts = key.split("_")
    names = ("_".join(parts[:n]) for n in range(len(parts), 0, -1))
    return f"n{next((one for one in names if one in collections), key)}"


def _arrays(tree: Any, keys: Sequence[str], start: int) -> dict[str, Any]:
    """Return the branches that are numbers, or lists of numbers, in some entries."""
    found = {}
    for key in keys:
        try:
            values = tree[key].array(entry_start=start, entry_stop=start + STEP, library="ak")
        except NotImplementedError:  # uproot cannot read what it holds
            continue
        kind = values.type.content
        inner = kind.content if isinstance(kind, ak.types.ListType) else kind
        if isinstance(inner, ak.types.NumpyType):
            found[key] = values
    return found
