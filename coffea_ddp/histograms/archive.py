"""Files: an output as one ``.ddp`` file in open formats.

A zip archive (stored, not compressed again) of ``manifest.json`` (format, version, layout, ledger, cutflows, choices),
``counts.parquet`` and, where events are stored, ``events.parquet`` and ``thresholds.parquet``; ``sample-N.parquet`` of
every dataset where data are compared with simulation. Nothing in it is executable: a file from a stranger is safe to
open. It is written under a temporary name and moved into place, so that there is never half a file. Equal outputs are
equal files, byte by byte.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from coffea_ddp._files import OUTPUT, advice, check_input, what_is, write_in_place
from coffea_ddp.errors import DDPError, FileError, FormatError, InputError, did_you_mean, named
from coffea_ddp.histograms.archive_checks import (
    check_members,
    check_rows,
    check_tables,
    read_choices,
    read_counters,
    read_layout,
    read_ledger,
    read_not_filled,
    whole_number,
)
from coffea_ddp.histograms.cells import INCLUSIVE
from coffea_ddp.histograms.layout import EVENTS, Layout
from coffea_ddp.histograms.ledger import Ledger
from coffea_ddp.histograms.packing import blocks, counts_columns, parquet
from coffea_ddp.histograms.sample_files import read_samples
from coffea_ddp.histograms.simulated import Samples
from coffea_ddp.histograms.sparse import SparseCounts
from coffea_ddp.histograms.stored import StoredEvents, stored_columns

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, IntArray

FORMAT = "coffea-ddp/histograms"
VERSION = 1


class Output(Protocol):
    """The parts of an output that a file holds."""

    @property
    def layout(self) -> Layout:
        """Names, axes and cells."""

    @property
    def counts(self) -> SparseCounts:
        """Counts of all channels."""

    @property
    def not_filled(self) -> IntArray:
        """Events that were not filled."""

    @property
    def events(self) -> StoredEvents:
        """Stored events."""

    @property
    def ledger(self) -> Ledger:
        """Entries that were counted, and those that are missing."""

    @property
    def cutflows(self) -> Mapping[str, Mapping[str, int]]:
        """Events after every step, by dataset."""

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """Branches that were used."""

    @property
    def samples(self) -> Samples:
        """Counts of every dataset in comparisons of data with simulation."""


class Contents(NamedTuple):
    """The parts of an output as they were read from a file, in the order of the fields of ``Histograms``."""

    layout: Layout
    counts: SparseCounts
    not_filled: IntArray
    events: StoredEvents
    ledger: Ledger
    cutflows: Mapping[str, Mapping[str, int]]
    choices: Mapping[str, tuple[str, ...]]
    samples: Samples = MappingProxyType({})


def write(output: Output, path: str | Path, *, guarded: bool = True) -> Path:
    """Write an output to a file.

    Parameters
    ----------
    output
        Histograms, or the contents of another file.
    path
        Of the file; an older output is replaced at the very end, and nothing else.
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
    counts, events = output.counts, output.events.ordered()
    packed = parquet(counts_columns(counts))
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "package": version("coffea-ddp"),
        "blocks": blocks(packed, counts.keys),
        "layout": output.layout.to_dict(),
        "not_filled": output.not_filled.tolist(),
        "ledger": output.ledger.to_dict(),
        "cutflows": {dataset: dict(cutflow) for dataset, cutflow in output.cutflows.items()},
        "choices": {role: list(used) for role, used in output.choices.items()},
        **({"samples": [one.to_dict() for one in output.samples.values()]} if output.samples else {}),
    }
    others = {
        "events": parquet(events.columns),
        "thresholds": parquet({"group": events.groups, "threshold": events.thresholds}),
        **{
            _sample_table(number): parquet(counts_columns(one.counts))
            for number, one in enumerate(output.samples.values())
        },
    }

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_member("manifest.json"), json.dumps(manifest, indent=1))
            for name, content in {"counts": packed, **others}.items():
                with archive.open(_member(f"{name}.parquet"), "w", force_zip64=True) as member:
                    member.write(content)

    return write_in_place(path, write, OUTPUT if guarded else None)


def read(path: str | Path) -> Contents:
    """Read an output from a file.

    Raises
    ------
    FileError
        If it cannot be read.
    FormatError
        If it is no output of this package, of a newer version of the format, or damaged.
    """
    with _opened(path) as (archive, manifest):
        layout = read_layout(manifest["layout"])
        mine = {name: _table(archive, name) for name in ("counts", "events", "thresholds")}
        told = manifest.get("samples", ())
        tables = (_table(archive, _sample_table(number)) for number in range(len(told)))
        return _contents(manifest, layout, mine)._replace(samples=read_samples(layout, told, tables))


def read_cell(path: str | Path, symmetry: str, observable: str, cell: Any = INCLUSIVE) -> Contents:
    """Read the counts of one observable in one cell; of a big file only the parts that hold them.

    Parameters
    ----------
    path
        A ``.ddp`` file.
    symmetry, observable, cell
        As in ``hists[symmetry, observable, cell]``.

    Returns
    -------
    Contents
        Of the whole file, but for other counts (at most those of neighbouring cells) and the stored events.

    Raises
    ------
    UnknownNameError
        If one of the names does not exist; the message lists those that do.
    FileError, FormatError
        As for :func:`read`.
    """
    with _opened(path) as (archive, manifest):
        layout = read_layout(manifest["layout"])
        lowest, highest = layout.grid.code_range(layout.grid.cell(cell))
        ranges = []
        for name in dict.fromkeys((EVENTS, observable)):
            channel = layout.channel(symmetry, name)
            ranges.append((int(channel.end(lowest)), int(channel.end(highest + 1))))
        counts = _rows_between(Path(path), archive, manifest.get("blocks"), sorted(ranges))
        nothing = stored_columns(layout, 0)
        return _contents(manifest, layout, {"counts": counts, "events": nothing, "thresholds": _NO_THRESHOLDS})


@contextmanager
def _opened(path: Any) -> Iterator[tuple[zipfile.ZipFile, Any]]:
    """Yield an archive and its manifest; whatever is found wrong with them meanwhile is said of the file."""
    if not isinstance(path, str | Path):
        raise InputError(f"got {named(path)} where the path of a .ddp file belongs")
    path = Path(path)
    check_input(path)
    try:
        with zipfile.ZipFile(path) as archive:
            check_members(archive.infolist())
            manifest = json.loads(archive.read("manifest.json"))
            _check_format(path, manifest)
            yield archive, manifest
    except DDPError:
        raise
    except FileNotFoundError:
        near = did_you_mean(str(path), map(str, path.parent.glob("*.ddp")))
        raise FileError(f"{path}: no such file; `coffea-ddp run PLAN FILESET -o {path}` makes one{near}") from None
    except pa.ArrowException as error:  # some of them are OSErrors, of what is in the file
        raise FormatError(_no_output(path, error)) from error
    except OSError as error:
        raise FileError(_no_output(path, error)) from error
    except MemoryError as error:
        raise FileError(f"{path}: does not fit into the memory of this machine") from error
    except Exception as error:  # there is no end of what a damaged file does to those who read it
        raise FormatError(_no_output(path, error)) from error


def _no_output(path: Path, error: Exception) -> str:
    """Tell what was given instead of an output."""
    kind = what_is(path)
    if kind in ("a file of another kind", "a zip archive", OUTPUT, "no file"):
        reason = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        return f"{path}: not a coffea-ddp output, or damaged ({reason}); make it again with `coffea-ddp run`"
    said = advice(path)
    makes = "" if ";" in said else "; `coffea-ddp run PLAN FILESET -o hists.ddp` makes one"
    return f"{path}: not a coffea-ddp output but {said}{makes}"


def _member(name: str) -> zipfile.ZipInfo:
    """Return a member without the time of day: equal outputs are equal files."""
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))


_LOCAL = struct.Struct("<26x2H")
"""Of a zip member's local header: the lengths of its name and of its extra field, its last four bytes of thirty."""
_NO_THRESHOLDS = {"group": np.zeros(0, np.int64), "threshold": np.zeros(0, np.uint64)}


def _sample_table(number: int) -> str:
    return f"sample-{number}"


def _check_format(path: Path, manifest: Any) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise FormatError(f"{path}: its manifest is not of the format {FORMAT!r}; give a file made by `coffea-ddp run`")
    if manifest.get("version") != VERSION:
        raise FormatError(
            f"{path}: version {manifest.get('version')!r} of the format, this package reads version {VERSION}; "
            f"it was written by coffea-ddp {manifest.get('package', '(unknown)')}: install that version or a newer one"
        )


def _table(archive: zipfile.ZipFile, name: str) -> dict[str, AnyArray]:
    info = archive.getinfo(f"{name}.parquet")
    file = pq.ParquetFile(pa.BufferReader(archive.read(info)))
    check_rows(name, file.metadata.num_rows, info.file_size)
    return _columns(file.read(use_threads=False))  # no thread of Arrow outlives what is read


def _columns(table: pa.Table) -> dict[str, AnyArray]:
    if any(column.null_count for column in table.columns):
        raise ValueError("a table has empty fields")
    return {name: table[name].to_numpy() for name in table.column_names}


def _rows_between(
    path: Path, archive: zipfile.ZipFile, blocks: Any, ranges: list[tuple[int, int]]
) -> dict[str, AnyArray]:
    """Return the counts with keys within one of the ranges (first included, last not); others are hardly read."""
    if blocks is None:  # an older output does not say where its keys are
        columns = _table(archive, "counts")
    else:
        content = _buffer(path, archive, "counts.parquet")
        known = _checked(blocks, content.size)
        groups = [
            number
            for number, (*_, lowest, highest) in enumerate(known)
            if any(lowest < last and first <= highest for first, last in ranges)
        ]
        for start, stop, checksum, *_ in [known[-1], *(known[number] for number in groups)]:
            if zlib.crc32(content[start:stop]) != checksum:
                raise ValueError("the checksum of a part of the counts is wrong")
        file = pq.ParquetFile(pa.BufferReader(content))
        check_rows("counts", file.metadata.num_rows, content.size)
        if file.metadata.num_row_groups != len(known) - 1:
            raise ValueError("the checksums are of another table than that of the counts")
        columns = _columns(file.read_row_groups(groups, use_threads=False))
    # A row group has keys of neighbours too, which would be cells without events here.
    wanted = np.logical_or.reduce([(first <= columns["key"]) & (columns["key"] < last) for first, last in ranges])
    return {name: values[wanted] for name, values in columns.items()}


def _checked(blocks: Any, size: int) -> list[list[int]]:
    """Return the parts of a file that its manifest names, if they are all of it."""
    known = [[whole_number(number, "a number of a part of the counts", -1) for number in block] for block in blocks]
    bounds = [0, *(stop for _, stop, *_ in known)]
    if any(len(block) != 5 for block in known) or [block[0] for block in known] != bounds[:-1] or bounds[-1] != size:
        raise ValueError("the checksums are not of the whole of the counts")
    return known


def _buffer(path: Path, archive: zipfile.ZipFile, name: str) -> pa.Buffer:
    """Return a member's bytes, which are read when they are asked for: it is not compressed (if it is, it is read)."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        return pa.py_buffer(archive.read(info))
    with path.open("rb") as raw:
        raw.seek(info.header_offset)
        header = raw.read(_LOCAL.size)
    # The local header's own lengths of name and extra field, which may differ from the directory's.
    name_length, extra_length = _LOCAL.unpack(header)
    mapped = pa.memory_map(str(path))
    mapped.seek(info.header_offset + _LOCAL.size + name_length + extra_length)
    return mapped.read_buffer(info.file_size)


def _contents(manifest: Mapping[str, Any], layout: Layout, tables: Mapping[str, dict[str, AnyArray]]) -> Contents:
    check_tables(layout, tables)
    counts, events, thresholds = tables["counts"], tables["events"], tables["thresholds"]
    stored = StoredEvents(
        {name: events[name] for name in stored_columns(layout, 0)},
        layout.max_stored,
        len(layout.symmetries),
        layout.grid.n_exclusive,
        thresholds["group"],
        thresholds["threshold"],
    )
    return Contents(
        layout,
        SparseCounts(
            counts["key"],
            counts["count"],
            counts.get("sum_w"),
            counts.get("sum_w2"),
            counts.get("sum_e"),
            counts.get("sum_v"),
        ),
        read_not_filled(manifest["not_filled"], layout),
        stored,
        read_ledger(manifest["ledger"]),
        read_counters(manifest["cutflows"]),
        read_choices(manifest["choices"]),
    )
