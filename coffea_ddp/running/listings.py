r"""Files that say what to run over: filesets in JSON or YAML, and plain lists, one address a line.

Examples
--------
>>> addresses("# one file a line\r\nroot://host//a.root\r\n\r\n/store/data/b.root\r\n", "files.txt")
['root://host//a.root', '/store/data/b.root']
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coffea_ddp._files import check_input
from coffea_ddp.errors import FileError
from coffea_ddp.running.addresses import is_file, is_remote

_PACKED = b"\x1f\x8b"
_MOST = 1 << 30
"""Bytes that a fileset may have: a million files take a tenth of it."""
_DATA = (".json", ".yaml", ".yml")
_TEXT = (".txt", ".list", ".lst", ".filelist")
_ADDRESS = re.compile(r"\S.*\.(root(\.[0-9]+)?|parquet|parq|pq)(:[^:\s]+)?$|\S+://\S+$|/\S+$", re.IGNORECASE)
_BEGIN = re.compile(r"\s*(?:\{|\[\s*[\"{\[\]])")
"""Of JSON; a list of Python in a text is one of addresses."""
_COMMENT = re.compile(r"(?:^|\s+)(?:#|//(?=\s)).*$")
_SEVERAL = re.compile(r"(?<=\.root)[\"']?\s*,", re.IGNORECASE)
_LISTED = re.compile(r"(?:[-dl][rwxsStT-]{9}\S*\s.*?|\d[\d.]*[kKMGT]?)\s+(?P<address>\S+\.root)$")
"""A line of ``ls -l``, ``xrdfs ls -l`` or ``du``."""
_COLUMNS = re.compile(r"(?P<address>\S+\.root(\.[0-9]+)?)\s+(\[|[0-9]|adler32|md5)", re.IGNORECASE)


def is_data(path: str) -> bool:
    """Tell whether a path is called like a JSON or YAML file."""
    return path.lower().removesuffix(".gz").endswith(_DATA)


def is_listing(path: str) -> bool:
    """Tell whether a path is that of a fileset or a list, by its name or, where that says nothing, by its beginning."""
    name = path.lower().removesuffix(".gz")
    if name.endswith((*_DATA, *_TEXT)):
        return not is_remote(path)
    if Path(name).suffix or not is_file(path):
        return False
    try:
        with Path(path).open("rb") as file:
            first = file.read(4096).decode("utf-8-sig").splitlines()[:-1]
    except (OSError, ValueError):
        return False
    lines = [line.strip() for line in first if line.strip() and not line.lstrip().startswith("#")]
    return bool(lines) and all(_ADDRESS.match(line) for line in lines)


def read_listing(path: str) -> Mapping[str, Any] | list[Any]:
    """Return what a file says to run over: a fileset, or a list of files.

    Raises
    ------
    FileError
        If it cannot be read, or says something else.
    """
    text = _text(path)
    name = path.lower().removesuffix(".gz")
    if name.endswith((".yaml", ".yml")):
        found = _yaml(text, path)
    elif name.endswith(".json") or _BEGIN.match(text):
        found = _json(text, path)
    else:
        return list(addresses(text, path))
    if not isinstance(found, Mapping) and not _is_list_of_files(found):
        kind = {list: "a list of other things", str: "one text", type(None): "null"}.get(type(found), "a number")
        raise FileError(f'fileset {path}: {kind}; it must map datasets to files, {{"data": ["a.root"]}}')
    if isinstance(found, Mapping):
        _check_kind(found, path)
        return found
    return list(found)


def addresses(text: str, path: str) -> list[str]:
    r"""Return the addresses of a list, one a line; empty lines and what follows ``#`` say nothing.

    Further columns, as ``dasgoclient``, ``cernopendata-client`` and ``ls -l`` print them, quotes, and commas at the end
    are left out; commas may separate several addresses of a line.

    Raises
    ------
    FileError
        If a line is no address, or there is none at all; the line is named.

    Examples
    --------
    >>> addresses("root://host//a.root\t1024\tadler32:01", "files.txt")
    ['root://host//a.root']
    >>> addresses("'a.root', # the first\n'b.root','c.root'", "files.txt")
    ['a.root', 'b.root', 'c.root']
    """
    found: list[str] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub("", raw.strip())
        for part in _SEVERAL.split(line) if "," in line else [line]:
            address = _address(part.strip())
            if address and not _ADDRESS.match(address):
                raise FileError(
                    f"{path}, line {number}: {part[:80]!r} is no address of a ROOT or Parquet file; a list has one a "
                    "line"
                )
            found += [address] if address else []
    if not found:
        raise FileError(f"{path}: a list of files without any address")
    return found


def _address(line: str) -> str:
    """Return the address of a line without its other columns, a comma behind it, and quotes."""
    listed = _LISTED.match(line)
    columns = _COLUMNS.match(line)
    address = listed["address"] if listed else columns["address"] if columns else line.split("\t", maxsplit=1)[0]
    return address.strip().removesuffix(",").strip().strip("\"'[]()")


def _text(path: str) -> str:
    check_input(path)
    try:
        content = Path(path).read_bytes() if is_file(path) else _no_file(path)
        if content.startswith(_PACKED):
            with gzip.open(path) as file:
                content = file.read(_MOST + 1)
        if len(content) > _MOST:
            raise FileError(f"fileset {path}: more than {_MOST:,} bytes; split it, and `merge` the outputs")
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        kind = "JSON" if ".json" in path.lower() else "text"
        raise FileError(f"fileset {path}: cannot be read as {kind} ({error})") from error


def _no_file(path: str) -> bytes:
    Path(path).stat()  # says what is wrong, if nothing is there
    raise OSError("a folder, a device or a pipe")


def _json(text: str, path: str) -> Any:
    def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise FileError(f"fileset {path}: {twice!r} is there twice, and only one of them would be read")
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise FileError(f"fileset {path}: cannot be read as JSON ({error})") from error


def _yaml(text: str, path: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise FileError(f"fileset {path}: YAML is read by PyYAML: pip install pyyaml; or write JSON") from None
    try:
        found = yaml.compose(text, yaml.SafeLoader)
        twice = _written_twice(found)
        loaded = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FileError(f"fileset {path}: cannot be read as YAML ({' '.join(str(error).split())})") from error
    if twice:
        raise FileError(f"fileset {path}: {twice!r} is there twice, and only one of them would be read")
    return loaded


def _written_twice(node: Any) -> str:
    """Return a key that a mapping of a YAML document has twice, empty if there is none."""
    content = getattr(node, "value", None)
    if not isinstance(content, list):
        return ""
    pairs = [pair for pair in content if isinstance(pair, tuple)]
    keys = [str(key.value) for key, _ in pairs]
    twice = [key for key in keys if keys.count(key) > 1] if len(set(keys)) < len(keys) else []
    inner = [value for _, value in pairs] if pairs else content
    return next(filter(None, [*twice, *map(_written_twice, inner)]), "")


def _is_list_of_files(found: Any) -> bool:
    return isinstance(found, list) and bool(found) and all(isinstance(one, str | Mapping) for one in found)


def _check_kind(found: Mapping[str, Any], path: str) -> None:
    if is_good_run_list(found):
        raise FileError(
            f"{path}: a good-run list (luminosity blocks by run), no fileset; give files to run over, and the list as "
            'the "good_runs" of a dataset\'s metadata, or of the plan'
        )
    if str(found.get("format", "")).startswith("coffea-ddp/"):
        raise FileError(f"{path}: a file of this package ({found['format']}), no fileset")


def is_good_run_list(found: Mapping[str, Any]) -> bool:
    """Tell whether a mapping is a list of certified luminosity blocks: run -> pairs of blocks.

    Examples
    --------
    >>> is_good_run_list({"297050": [[12, 137]]}), is_good_run_list({"2018": ["a.root"]})
    (True, False)
    """
    return any(found.values()) and all(
        str(run).isdigit()
        and isinstance(blocks, list)
        and all(isinstance(pair, list) and all(isinstance(one, int) for one in pair) for pair in blocks)
        for run, blocks in found.items()
    )
