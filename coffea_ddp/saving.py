"""Files: an output as one ``.ddp`` file in open formats.

A zip archive (stored, not compressed again) of ``manifest.json`` (format, version, layout, ledger, cutflows, choices),
``counts.parquet`` and, where events are stored, ``events.parquet`` and ``thresholds.parquet``. Nothing in it is
executable: a file from a stranger is safe to open. It is written under a temporary name and moved into place, so that
there is never half a file. Equal outputs are equal files, byte by byte.
"""

from __future__ import annotations

import json
import uuid
import zipfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from coffea_ddp.errors import DDPError, FileError, FormatError
from coffea_ddp.histograms import Histograms, stored_columns
from coffea_ddp.layout import Layout
from coffea_ddp.ledger import Ledger
from coffea_ddp.sparse import SparseCounts
from coffea_ddp.stored import StoredEvents

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray

FORMAT = "coffea-ddp/histograms"
VERSION = 1


def save(histograms: Histograms, path: str | Path) -> Path:
    """Write an output to a file.

    Parameters
    ----------
    histograms
        What is written.
    path
        Where; an existing file is replaced at the very end.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileError
        If it cannot be written.
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
                    pq.write_table(pa.table({k: pa.array(v) for k, v in columns.items()}), member, compression="zstd")

    return write_in_place(path, write)


def load(path: str | Path) -> Histograms:
    """Read an output from a file.

    Raises
    ------
    FileError
        If it cannot be read.
    FormatError
        If it is no output of this package, of a newer version of the format, or damaged.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read("manifest.json"))
            _check_format(path, manifest)
            tables = {name: _table(archive, name) for name in ("counts", "events", "thresholds")}
        return _rebuild(manifest, tables)
    except DDPError:
        raise
    except FileNotFoundError:
        raise FileError(f"{path}: no such file; `coffea-ddp run PLAN FILESET -o {path}` makes one") from None
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        pa.ArrowException,
    ) as error:
        raise FormatError(
            f"{path}: not a coffea-ddp output, or damaged ({type(error).__name__}: {error}); "
            "make it again with `coffea-ddp run`"
        ) from error
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error})") from error


def write_in_place(path: str | Path, write: Callable[[Path], None]) -> Path:
    """Write a file under a temporary name beside ``path`` and move it there when it is whole.

    Raises
    ------
    FileError
        If the folder does not exist or cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        write(temporary)
        temporary.replace(path)
    except OSError as error:
        raise FileError(
            f"{path}: cannot be written ({error.strerror or error}); choose another -o, or make the folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _member(name: str) -> zipfile.ZipInfo:
    """Return a member without the time of day: equal outputs are equal files."""
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))


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
