"""Inputs of a run: coffea's filesets and those of other frameworks, ROOT and Parquet files, globs, and lists of them.

Whatever form it is given in, it becomes coffea's own: datasets with files, and for each file its tree or, where more is
said (``steps``, ``uuid``, ``num_entries``), a mapping.

Examples
--------
>>> normalise({"data": ["root://host//a.root"]})
{'data': {'files': {'root://host//a.root': 'Events'}, 'metadata': {}}}
>>> normalise([{"root://host//a.root": {"object_path": "Events", "steps": [[0, 100]]}}])["data"]["files"]
{'root://host//a.root': {'object_path': 'Events', 'steps': [[0, 100]]}}
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from coffea_ddp.errors import InputError, MergeError, did_you_mean
from coffea_ddp.running.addresses import check_exist, check_redirector, expand, is_remote, local, place, split_tree
from coffea_ddp.running.listings import is_data, is_good_run_list, is_listing, read_listing
from coffea_ddp.running.sources import TREE, Source, check_apart

__all__ = ["DATASET", "TREE", "Fileset", "check_files_apart", "normalise", "sources"]

DATASET = "data"
"""The dataset of files that are given without one."""

Fileset = dict[str, dict[str, Any]]

_PATHS = ("path", "filename", "file", "name", "lfn", "pfn", "url", "uri")
"""Keys by which frameworks and catalogues give a file's address, where they say more of it."""
_TREES = ("treename", "treeName", "tree_name", "tree", "object_path")
_NOT_METADATA = ("files", "metadata", *_TREES, "format", "compressed_form", "form", "preload")
_ENDINGS = (".root", ".parquet", ".parq", ".pq")


def normalise(fileset: Any, *, tree: str = TREE, redirector: str = "") -> Fileset:
    """Return ``{dataset: {"files": {path: tree or mapping}, "metadata": {...}}}``.

    Parameters
    ----------
    fileset
        coffea's fileset, as a mapping or one of its objects (``DataGroupSpec`` ...): datasets, each with a list of
        files or ``{"files": ..., "treename": ..., "metadata": ...}``; or the path of a JSON (``.json.gz``) or YAML file
        with one; or one or many ROOT or Parquet files, globs, ``file.root:tree``, and text files with one address a
        line. ``{"path": ..., "nevts": ...}`` and datasets with variations, as the Analysis Grand Challenge has them,
        and one dataset in a flat mapping, as topcoffea has it, are understood too.
    tree
        The tree of files that are given without one.
    redirector
        Put before logical names (``/store/...``), as in ``root://cms-xrd-global.cern.ch/``.

    Raises
    ------
    FileError
        If a file does not exist, a glob matches nothing, or a list cannot be read; all of them are named.
    InputError
        If there is nothing to run over, a dataset has no files, or the fileset has another form.
    MergeError
        If an entry of a file is asked for twice in one dataset.
    """
    check_redirector(redirector)
    found: Fileset = {}
    asked = [
        (name, _read(name, files, default or tree, redirector), metadata)
        for name, files, default, metadata in _datasets(fileset)
    ]
    for name, files, metadata in asked:
        once = _once(name, files)
        found[name] = {"files": {source.path: source.written() for source in once}, "metadata": metadata}
    if not any(entry["files"] for entry in found.values()):
        raise InputError(
            "no input files; give ROOT files, globs ('data/*.root'), or a coffea fileset JSON, after the plan"
        )
    empty = [name for name, entry in found.items() if not entry["files"]]
    if empty:
        raise InputError(f"dataset {empty[0]!r}: no files; give some, or leave the dataset out")
    paths = [path for entry in found.values() for path in entry["files"]]
    if redirector and not any(path.startswith(redirector) for path in paths):
        raise InputError(f"redirector={redirector!r}: no file has a logical name (/store/...), which it would serve")
    check_exist(paths)
    if all(source.steps == () for _, source in sources(found)):
        raise InputError("the steps of the fileset ask for no entry of any file")
    return found


def sources(fileset: Fileset) -> Iterator[tuple[str, Source]]:
    """Yield the dataset of every file of a normalised fileset, and what is asked of it."""
    for dataset, entry in fileset.items():
        for path, told in entry["files"].items():
            yield dataset, Source.of(path, told)


def check_files_apart(fileset: Fileset) -> None:
    """Check that no entry of a file is asked for in two datasets of a normalised fileset, whatever the file is called.

    Raises
    ------
    MergeError
        If one is; both datasets are named.
    """
    check_apart([(dataset, source, place(source.path)) for dataset, source in sources(fileset)])


def plain(given: Any) -> Any:
    """Return one of coffea's objects (they are pydantic's) as mappings and lists; anything else as it is."""
    dumped = getattr(given, "model_dump", None)
    if callable(dumped):
        return dumped()
    if isinstance(given, Mapping):
        return {key: plain(value) for key, value in given.items()}
    return given


# -- datasets ----------------------------------------------------------------------------------------------------------


def _datasets(fileset: Any) -> Iterator[tuple[str, Any, str, dict[str, Any]]]:
    """Yield the name of every dataset, its files as they are given, its tree if it says one, and its metadata."""
    given = plain(fileset)
    if isinstance(given, str | os.PathLike):
        given = [given]
    if not isinstance(given, Mapping):
        if not isinstance(given, Iterable):
            raise InputError(f"a {type(given).__name__} is no fileset; give a mapping, files, or the path of a list")
        given = _of_many([plain(one) for one in given])
    if is_good_run_list(given):
        raise InputError('a good-run list is no fileset; it belongs to a dataset\'s metadata, as its "good_runs"')
    if "files" in given and not isinstance(given["files"], str | None):
        yield from _dataset(DATASET, given)  # one dataset, not a mapping of some
    elif given and all(_is_file_entry(key, value) for key, value in given.items()):
        yield DATASET, given, "", {}
    else:
        names: set[str] = set()
        for key, entry in given.items():
            for name, *rest in _dataset(str(key), entry):
                if not name.strip() or name in names:
                    raise InputError(f"dataset {name!r}: a name that is empty, or there twice")
                names.add(name)
                yield name, *rest


def _of_many(given: list[Any]) -> Mapping[str, Any]:
    """Return what several arguments are: one list file, or files."""
    if given and all(isinstance(one, Mapping) and _is_fileset(one) for one in given):
        raise InputError(
            f"{len(given)} filesets; give one. (coffea's preprocess returns two: the files that could be opened, which "
            "is the one to give, and all)"
        )
    listed = [str(one) for one in given if isinstance(one, str | os.PathLike) and is_listing(local(one))]
    if len(given) == 1 and listed:
        found = read_listing(local(listed[0]))
        return found if isinstance(found, Mapping) else _of_many(found)
    for path in listed:
        if is_data(path) or isinstance(read_listing(local(path)), Mapping):
            raise InputError(f"{path}: give either one fileset JSON or ROOT files, not both")
    return {DATASET: given}


def _is_fileset(given: Mapping[str, Any]) -> bool:
    return bool(given) and all(isinstance(entry, Mapping) and "files" in entry for entry in given.values())


def _is_file_entry(key: Any, value: Any) -> bool:
    """Tell whether a key is a file and its value what is asked of it: uproot's ``{"a.root": "Events"}``."""
    name = split_tree(str(key))[0]
    told = isinstance(value, Mapping) and "files" not in value
    tree = value is None or (isinstance(value, str) and not value.endswith(_ENDINGS) and not is_remote(value))
    return (name.lower().endswith(_ENDINGS) or is_remote(name)) and (told or tree)


def _dataset(name: str, entry: Any) -> Iterator[tuple[str, Any, str, dict[str, Any]]]:
    if not isinstance(entry, Mapping):
        if not isinstance(entry, str | os.PathLike | Iterable):
            raise InputError(f"dataset {name!r}: a {type(entry).__name__} is no list of files")
        yield name, entry, "", {}
        return
    if "files" not in entry:
        if entry and all(_is_file_entry(key, value) for key, value in entry.items()):
            yield name, entry, "", {}
            return
        varied = {key: one for key, one in entry.items() if isinstance(one, Mapping) and "files" in one}
        if not varied or len(varied) < len(entry):
            near = did_you_mean(next((key for key in entry if did_you_mean(str(key), ["files"])), ""), ["files"])
            raise InputError(
                f"dataset {name!r}: no 'files' in {sorted(map(str, entry))}; write {{'files': [...]}} or a list{near}"
            )
        for variation, one in varied.items():
            yield from _dataset(f"{name}__{variation}", one)
        return
    tree = next((str(entry[key]) for key in _TREES if entry.get(key)), "")
    yield name, entry["files"], tree, _metadata(name, entry)


def _metadata(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a fileset says of a dataset; what stands beside the files counts as what stands in ``metadata``."""
    inner = entry.get("metadata")
    if inner is not None and not isinstance(inner, Mapping):
        raise InputError(f"dataset {name!r}: its metadata are a {type(inner).__name__}, and no mapping")
    beside = {str(key): value for key, value in entry.items() if key not in _NOT_METADATA and value is not None}
    metadata = {str(key): value for key, value in (inner or {}).items()}
    for key in beside.keys() & metadata.keys():
        if beside[key] != metadata[key]:
            raise InputError(
                f"dataset {name!r}: {key}={beside[key]!r} beside the files and {metadata[key]!r} in the metadata"
            )
    return beside | metadata


# -- files -------------------------------------------------------------------------------------------------------------


def _read(dataset: str, given: Any, tree: str, redirector: str) -> list[Source]:
    """Return the files of a dataset, in whatever form they are given."""
    if isinstance(given, str | os.PathLike):
        address = local(given)
        if is_listing(address):
            found = read_listing(address)
            if isinstance(found, Mapping) and not all(_is_file_entry(key, value) for key, value in found.items()):
                raise InputError(f"dataset {dataset!r}: {given} is a fileset with datasets of its own; give it alone")
            return _read(dataset, found, tree, redirector)
        path, own = split_tree(address)
        return [Source(file, own or tree) for file in expand(path, redirector)]
    if isinstance(given, Mapping):
        key = next((key for key in _PATHS if key in given), "")
        if key and isinstance(given[key], list):  # dasgoclient -json
            return _read(dataset, given[key], tree, redirector)
        if key:
            told = {name: value for name, value in given.items() if name not in _PATHS and name in _TOLD}
            return _files(str(given[key]), told, tree, redirector)
        for path, told in given.items():
            if isinstance(told, list | tuple | int | float):
                raise InputError(
                    f"dataset {dataset!r}: {str(path)[:80]!r} with {str(told)[:60]} is no file with its tree; write "
                    '{"files": ["a.root", ...]}, or {"a.root": "Events"}'
                )
        return [source for path, told in given.items() for source in _files(str(path), told, tree, redirector)]
    if isinstance(given, Iterable):
        return [source for one in given for source in _read(dataset, plain(one), tree, redirector)]
    raise InputError(f"dataset {dataset!r}: {given!r} is no file")


_TOLD = ("object_path", "treename", "tree", "steps", "uuid", "num_entries", "nevts", "nevents", "nEvents", "n_events")


def _files(given: str, told: Any, tree: str, redirector: str) -> list[Source]:
    """Return what is asked of the file, or the files, of one key of a mapping."""
    path, own = split_tree(local(given))
    files = expand(path, redirector)
    found = [Source.of(file, told, own or tree) for file in files]
    if len(files) > 1 and any((one.steps, one.uuid, one.num_entries) != (None, "", None) for one in found):
        raise InputError(
            f"{given}: steps, a uuid and a number of entries are those of one file, and not of {len(files)}"
        )
    return found


def _once(dataset: str, files: list[Source]) -> list[Source]:
    """Return the files of a dataset; one that is named twice, however it is written, is one file."""
    found: dict[tuple[str, str], Source] = {}
    for source in files:
        key = (place(source.path), source.tree)
        both = found[key].joined(source) if key in found else source
        if both is None:
            check_apart([(dataset, found[key], ""), (dataset, source, "")])
            raise MergeError(f"dataset {dataset!r}: {source.path} is there twice, and it is not said alike of it")
        found[key] = both
    paths = [source.path for source in found.values()]
    twice = next((path for path in paths if paths.count(path) > 1), None) if len(set(paths)) < len(paths) else None
    if twice is not None:
        raise InputError(f"dataset {dataset!r}: two trees of {twice}; give each tree a dataset of its own")
    return list(found.values())
