"""Files: an output as one ``.ddp`` file in open formats.

A zip archive (stored, not compressed again) of ``manifest.json`` (format, version, layout, ledger, cutflows, choices),
``counts.parquet`` and, where events are stored, ``events.parquet`` and ``thresholds.parquet``. Nothing in it is
executable: a file from a stranger is safe to open. It is written under a temporary name and moved into place, so that
there is never half a file. Equal outputs are equal files, byte by byte.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from coffea_ddp._files import OUTPUT, ROOT, what_is, write_in_place
from coffea_ddp.cells import INCLUSIVE
from coffea_ddp.errors import DDPError, FileError, FormatError, did_you_mean
from coffea_ddp.histograms import Histograms, stored_columns
from coffea_ddp.layout import EVENTS, Layout
from coffea_ddp.ledger import Ledger
from coffea_ddp.sparse import SparseCounts
from coffea_ddp.stored import StoredEvents

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray
    from coffea_ddp.views import MatrixPair

FORMAT = "coffea-ddp/histograms"
VERSION = 1
ROWS = 65_536
"""Keys in one row group: the least that is read of the counts."""


def save(histograms: Histograms, path: str | Path, *, guarded: bool = True) -> Path:
    """Write an output to a file.

    Parameters
    ----------
    histograms
        What is written.
    path
        Where; an older output is replaced at the very end, and nothing else.
    guarded
        ``False`` replaces whatever has this name, in a folder of our own.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileError
        If it cannot be written, or something else than an output is there.
    """
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "package": version("coffea-ddp"),
        "layout": histograms.layout.to_dict(),
        "not_filled": histograms.not_filled.tolist(),
        "ledger": histograms.ledger.to_dict(),
        "cutflows": {dataset: dict(cutflow) for dataset, cutflow in histograms.cutflows.items()},
        "choices": {role: list(used) for role, used in histograms.choices.items()},
    }
    counts, events = histograms.counts, histograms.events.ordered()
    tables: dict[str, Mapping[str, AnyArray]] = {
        "counts": _present(key=counts.keys, count=counts.counts, sum_w=counts.sum_w, sum_w2=counts.sum_w2),
        "events": events.columns,
        "thresholds": {"group": events.groups, "threshold": events.thresholds},
    }

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_member("manifest.json"), json.dumps(manifest, indent=1))
            for name, columns in tables.items():
                with archive.open(_member(f"{name}.parquet"), "w", force_zip64=True) as member:
                    table = pa.table({k: pa.array(v) for k, v in columns.items()})
                    pq.write_table(table, member, compression="zstd", row_group_size=ROWS)

    return write_in_place(path, write, OUTPUT if guarded else None)


def load(path: str | Path) -> Histograms:
    """Read an output from a file.

    Raises
    ------
    FileError
        If it cannot be read.
    FormatError
        If it is no output of this package, of a newer version of the format, or damaged.
    """
    with _opened(path) as (archive, manifest):
        return _rebuild(manifest, {name: _table(archive, name) for name in ("counts", "events", "thresholds")})


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[zipfile.ZipFile, Any]]:
    """Yield an archive and its manifest; whatever is found wrong with them meanwhile is said of the file."""
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read("manifest.json"))
            _check_format(path, manifest)
            yield archive, manifest
    except DDPError:
        raise
    except FileNotFoundError:
        near = did_you_mean(str(path), map(str, path.parent.glob("*.ddp")))
        raise FileError(f"{path}: no such file; `coffea-ddp run PLAN FILESET -o {path}` makes one{near}") from None
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        pa.ArrowException,
    ) as error:
        raise FormatError(_no_output(path, error)) from error
    except OSError as error:
        raise FileError(_no_output(path, error)) from error


def _no_output(path: Path, error: Exception) -> str:
    """Tell what was given instead of an output."""
    kind = what_is(path)
    if kind == ROOT:
        return (
            f"{path}: not a coffea-ddp output but a ROOT file; fill histograms first: "
            f"`coffea-ddp run symmetries {path} -o hists.ddp`, then give hists.ddp"
        )
    if kind in ("a file of another kind", OUTPUT, "no file"):
        return (
            f"{path}: not a coffea-ddp output, or damaged ({type(error).__name__}: {error}); "
            "make it again with `coffea-ddp run`"
        )
    return f"{path}: not a coffea-ddp output but {kind}; `coffea-ddp run PLAN FILESET -o hists.ddp` makes one"


def read_pair(path: str | Path, symmetry: str, observable: str, cell: Any = INCLUSIVE) -> MatrixPair:
    """Read the histograms of one cell; of a big file only the parts that hold it.

    Parameters
    ----------
    path
        A ``.ddp`` file.
    symmetry, observable, cell
        As in ``hists[symmetry, observable, cell]``.

    Raises
    ------
    UnknownNameError
        If one of the names does not exist; the message lists those that do.
    FileError, FormatError
        As for :func:`load`.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp.running import run
    >>> from coffea_ddp.testing import make_nanoaod
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hists = run("symmetries", make_nanoaod(f"{folder}/nano.root", events=500, seed=1))
    ...     pair = read_pair(hists.save(f"{folder}/h.ddp"), "ee/mumu OS", "m_ll", "j>=1")
    >>> pair.b == hists["ee/mumu OS", "m_ll", "j>=1"].b
    True
    """
    with _opened(path) as (archive, manifest):
        layout = Layout.from_dict(manifest["layout"])
        asked = layout.grid.cell(cell)
        codes = np.flatnonzero(layout.grid.contains(asked, np.arange(layout.grid.n_exclusive)))
        ranges = []
        for name in dict.fromkeys((EVENTS, observable)):
            channel = layout.channels[layout.channel_number(symmetry, name)]
            first, last = (int(channel.base + code * 2 * channel.extent) for code in (codes[0], codes[-1] + 1))
            ranges.append((first, last))
        counts = _rows_between(Path(path), archive, sorted(ranges))
        nothing = stored_columns(layout, 0)
        tables = {"counts": counts, "events": nothing, "thresholds": _NO_THRESHOLDS}
        return _rebuild(manifest, tables)[symmetry, observable, asked]


def _member(name: str) -> zipfile.ZipInfo:
    """Return a member without the time of day: equal outputs are equal files."""
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))


_LOCAL = struct.Struct("<26x2H")
"""Of a zip member's local header: the lengths of its name and of its extra field, its last four bytes of thirty."""
_NO_THRESHOLDS = {"group": np.zeros(0, np.int64), "threshold": np.zeros(0, np.uint64)}


def _present(**columns: AnyArray | None) -> dict[str, AnyArray]:
    return {name: values for name, values in columns.items() if values is not None}


def _check_format(path: Path, manifest: Any) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise FormatError(f"{path}: its manifest is not of the format {FORMAT!r}; give a file made by `coffea-ddp run`")
    if manifest.get("version") != VERSION:
        raise FormatError(
            f"{path}: version {manifest.get('version')!r} of the format, this package reads version {VERSION}; "
            f"it was written by coffea-ddp {manifest.get('package', '(unknown)')}: install that version or a newer one"
        )


def _table(archive: zipfile.ZipFile, name: str) -> dict[str, AnyArray]:
    with archive.open(f"{name}.parquet") as member:
        table = pq.read_table(pa.BufferReader(member.read()))
    return {column: table[column].to_numpy() for column in table.column_names}


def _rows_between(path: Path, archive: zipfile.ZipFile, ranges: list[tuple[int, int]]) -> dict[str, AnyArray]:
    """Return the counts with keys within one of the ranges (first included, last not); others are hardly read."""
    file = pq.ParquetFile(_buffer(path, archive, "counts.parquet"))
    groups = []
    for number in range(file.metadata.num_row_groups):
        keys = file.metadata.row_group(number).column(0)
        known = keys.statistics if keys.path_in_schema == "key" else None
        # Without statistics nobody knows what is in it.
        if known is None or any(known.min < last and first <= known.max for first, last in ranges):
            groups.append(number)
    table = file.read_row_groups(groups)
    keys = table["key"].to_numpy()
    # A row group has keys of neighbours too, which would be cells without events here.
    wanted = np.logical_or.reduce([(first <= keys) & (keys < last) for first, last in ranges])
    return {name: table[name].to_numpy()[wanted] for name in table.column_names}


def _buffer(path: Path, archive: zipfile.ZipFile, name: str) -> Any:
    """Return a member as a file that reads what it is asked for: members are not compressed (if one is, it is read)."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        return pa.BufferReader(archive.read(name))
    with path.open("rb") as raw:
        raw.seek(info.header_offset)
        header = raw.read(_LOCAL.size)
    # The local header's own lengths of name and extra field, which may differ from the directory's.
    name_length, extra_length = _LOCAL.unpack(header)
    mapped = pa.memory_map(str(path))
    mapped.seek(info.header_offset + _LOCAL.size + name_length + extra_length)
    return pa.BufferReader(mapped.read_buffer(info.file_size))


def _rebuild(manifest: Mapping[str, Any], tables: Mapping[str, dict[str, AnyArray]]) -> Histograms:
    layout = Layout.from_dict(manifest["layout"])
    counts, events, thresholds = tables["counts"], tables["events"], tables["thresholds"]
    keys = counts["key"].astype(np.int64)
    if len(keys) and (keys[0] < 0 or keys[-1] >= layout.n_keys or (np.diff(keys) <= 0).any()):
        raise ValueError("keys out of order or out of range")
    expected = stored_columns(layout, 0)
    if set(events) != set(expected):
        raise ValueError(f"stored events have the columns {sorted(events)}, not {sorted(expected)}")
    stored = StoredEvents(
        {name: events[name].astype(values.dtype) for name, values in expected.items()},
        layout.max_stored,
        len(layout.symmetries),
        layout.grid.n_exclusive,
        thresholds["group"].astype(np.int64),
        thresholds["threshold"].astype(np.uint64),
    )
    not_filled = np.asarray(manifest["not_filled"], dtype=np.int64).reshape(len(layout.channels), 2)
    return Histograms(
        layout,
        SparseCounts(keys, counts["count"].astype(np.int64), counts.get("sum_w"), counts.get("sum_w2")),
        not_filled,
        stored,
        Ledger.from_dict(manifest["ledger"]),
        {
            str(dataset): {str(step): int(number) for step, number in cutflow.items()}
            for dataset, cutflow in manifest["cutflows"].items()
        },
        {str(role): tuple(map(str, used)) for role, used in manifest["choices"].items()},
    )
