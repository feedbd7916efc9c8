"""What to run over: coffea's fileset (a mapping or its JSON file), or ROOT files and globs.

Examples
--------
>>> normalise({"data": ["root://host//a.root"]})
{'data': {'files': {'root://host//a.root': 'Events'}, 'metadata': {}}}
"""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from coffea_ddp._files import check_input
from coffea_ddp.errors import FileError, InputError, did_you_mean

TREE = "Events"
"""NanoAOD's tree."""

DATASET = "data"
"""The dataset of files that are given without one."""

Fileset = dict[str, dict[str, Any]]


def normalise(fileset: Any, *, tree: str = TREE) -> Fileset:
    """Return ``{dataset: {"files": {path: tree}, "metadata": {...}}}``.

    Parameters
    ----------
    fileset
        coffea's fileset: a mapping of datasets to a list of files or to
        ``{"files": ..., "treename": ..., "metadata": ...}``, or
        the path of a JSON file with one; or one or many ROOT files or globs.
    tree
        The tree of files that are given without one.

    Raises
    ------
    FileError
        If a file does not exist, a glob matches nothing, or the JSON cannot be read; all of them are named.
    InputError
        If there is nothing to run over, or the fileset has another form.
    """
    if isinstance(fileset, str | Path):
        fileset = [fileset]
    if not isinstance(fileset, Mapping):
        paths = [str(path) for path in fileset]
        listed = [path for path in paths if path.endswith(".json")]
        if listed and len(paths) > 1:
            raise InputError(f"{listed[0]}: give either one fileset JSON or ROOT files, not both")
        fileset = _read_json(listed[0]) if listed else {DATASET: _expand(paths)}
    normal = {str(dataset): _dataset(str(dataset), entry, tree) for dataset, entry in fileset.items()}
    if not any(entry["files"] for entry in normal.values()):
        raise InputError(
            "no input files; give ROOT files, globs ('data/*.root'), or a coffea fileset JSON, after the plan"
        )
    _check_exist(path for entry in normal.values() for path in entry["files"])
    return normal


def _read_json(path: str) -> Mapping[str, Any]:
    check_input(path)
    try:
        fileset = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(f"fileset {path}: cannot be read as JSON ({error})") from error
    if not isinstance(fileset, Mapping):
        raise FileError(
            f'fileset {path}: a {type(fileset).__name__}; it must map datasets to files, {{"data": ["a.root"]}}'
        )
    return fileset


def _expand(paths: Iterable[str]) -> list[str]:
    files: list[str] = []
    for given in paths:
        path = str(Path(given).expanduser()) if given.startswith("~") else given
        # Path.glob takes no absolute patterns.
        found = sorted(glob.glob(path, recursive=True)) if _is_glob(path) else [path]  # noqa: PTH207
        if not found:
            raise FileError(f"{path}: the glob matches no file{_what_is_there(path)}")
        files += found
    return list(dict.fromkeys(files))


def _is_glob(path: str) -> bool:
    return "://" not in path and any(sign in path for sign in "*?[") and not Path(path).exists()


def _dataset(name: str, entry: Any, tree: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if isinstance(entry, Mapping):
        if "files" not in entry:
            raise InputError(f"dataset {name!r}: no 'files' in {sorted(entry)}; write {{'files': [...]}} or a list")
        tree = entry.get("treename") or tree
        metadata = dict(entry.get("metadata") or {})
        entry = entry["files"]
    if isinstance(entry, Mapping):
        files = {file: _tree_of(value, tree) for path, value in entry.items() for file in _expand([str(path)])}
    elif isinstance(entry, str | Path):
        if name.endswith(".root"):
            raise InputError(
                f'{name}: files belong to a dataset; write {{"data": {{"files": {{"{name}": "{entry}"}}}}}}'
            )
        files = dict.fromkeys(_expand([str(entry)]), tree)
    elif isinstance(entry, Iterable):
        files = dict.fromkeys(_expand(str(path) for path in entry), tree)
    else:
        raise InputError(f"dataset {name!r}: a {type(entry).__name__} is no list of files")
    return {"files": files, "metadata": metadata}


def _tree_of(value: Any, tree: str) -> str:
    if isinstance(value, Mapping):  # {"object_path": "Events", "steps": [...]}: the form of coffea's preprocess
        return str(value.get("object_path", tree))
    return str(value) if value else tree


def _check_exist(paths: Iterable[str]) -> None:
    lost = [path for path in paths if "://" not in path and not Path(path).is_file()]
    for path in lost:
        check_input(path)
    if lost and Path(lost[0]).is_dir():
        files = any(Path(lost[0]).glob("*.root"))
        way = f"give the files in it, '{Path(lost[0]) / '*.root'}'" if files else "there is no .root file in it"
        raise FileError(f"{lost[0]}: a folder; {way}")
    if lost:
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        raise FileError(f"no such file: {', '.join(lost[:5])}{more}{_instead_of(lost[0])}")


def _instead_of(path: str) -> str:
    """Tell what to write instead of the name of a file that is not there."""
    file, colon, tree = path.rpartition(":")
    if colon and Path(file).is_file():  # uproot's way to name a tree
        return f"; say the tree apart: {file} --tree {tree} (in Python tree={tree!r})"
    return _what_is_there(path)


def _what_is_there(path: str) -> str:
    """Tell what the folder of a name that leads nowhere has, or which folder there is none of."""
    parts = Path(path).parent.parts
    plain = next((number for number, part in enumerate(parts) if _is_glob(part)), len(parts))
    folder = Path(*parts[:plain])
    if not folder.is_dir():
        others = [str(found) for found in folder.parent.glob("*") if found.is_dir()]
        return f"; there is no folder {folder} (seen from {Path.cwd()}){did_you_mean(str(folder), others)}"
    files = sorted(found.name for found in folder.glob("*.root"))
    near = "" if _is_glob(path) else did_you_mean(f"{Path(path).stem}.root", files, cutoff=0.8)
    some = f"{', '.join(files[:5])}{' ...' if len(files) > 5 else ''}"
    return f"; the folder {folder.resolve()} has {some or 'no .root file'}{near}"
