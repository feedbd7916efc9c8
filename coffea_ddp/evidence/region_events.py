"""The stored events of a marked region: which they are, and all their features.

Examples
--------
>>> import tempfile
>>> from coffea_ddp.running.driver import run
>>> from coffea_ddp.scanning.driver import scan
>>> from coffea_ddp.testing import make_nanoaod
>>> with tempfile.TemporaryDirectory() as folder:
...     hists = run("symmetries", make_nanoaod(f"{folder}/nano.root", events=3_000, seed=1))
>>> report = scan(hists, toys=0)
>>> found = region_events(report, hists, row=1)
>>> len(found) == report.rows[0].n_a + report.rows[0].n_b, found.n_missing
(True, 0)
>>> found.to_text().splitlines()[1]
'370000:1:26'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp._files import EVENT_LIST, write_in_place, write_text
from coffea_ddp._text import printable
from coffea_ddp.errors import InputError
from coffea_ddp.evidence.counts_regions import bins_of
from coffea_ddp.evidence.seen import check_scanned
from coffea_ddp.histograms.io import as_histograms
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.histograms.samples import SymmetryEvents
from coffea_ddp.histograms.stored import IDENTITY_NAMES
from coffea_ddp.report.numbered import numbered_row, refuse_compared
from coffea_ddp.report.overview import as_report
from coffea_ddp.report.report import ScanReport
from coffea_ddp.scanning.shares import binned_events

if TYPE_CHECKING:
    import pandas as pd

    from coffea_ddp._typing import AnyArray, IntArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.rows import Row

FORMAT = "coffea-ddp/events"


@dataclass(frozen=True, eq=False)
class RegionEvents:
    """The stored events of a region, in the order of run, luminosity block and event.

    Attributes
    ----------
    row
        Of the report.
    columns
        ``run``, ``luminosityBlock``, ``event``; ``side``, the name of A or of B; then all stored features, NaN where an
        event has none, and the weight and expected share of side B where events have them. Shape (n_events,) each.
    n_events
        Number of events of the region, stored or not.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp import run, scan, testing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hists = run("dimuon_charge", testing.make_nanoaod(f"{folder}/nano.root", events=2000, seed=1))
    >>> report = scan(hists, toys=0)
    >>> region_events(report, hists).n_missing
    0
    """

    row: Row
    columns: Mapping[str, AnyArray]
    n_events: int

    def __len__(self) -> int:
        """Return the number of events that are stored."""
        return len(self.columns["event"])

    @property
    def n_missing(self) -> int:
        """Number of events of the region that are not stored."""
        return max(self.n_events - len(self), 0)

    def __repr__(self) -> str:
        """Return the place of the region, and how many of its events are here."""
        return printable(f"RegionEvents({self.place}: {len(self):,} of {self.n_events:,} events)")

    @property
    def place(self) -> str:
        """The region in words."""
        parts = (self.row.symmetry, self.row.observable, self.row.cell, self.row.region)
        return " | ".join(str(part) for part in parts if part)

    def to_text(self) -> str:
        """Return one line ``run:luminosityBlock:event`` per event, as edmPickEvents.py takes them, under a comment."""
        missing = f"; {self.n_missing} more are not stored" if self.n_missing else ""
        head = printable(f"# coffea-ddp/events {len(self)} of {self.place}{missing}")
        identity = zip(*(self.columns[name].tolist() for name in IDENTITY_NAMES), strict=True)
        return f"{head}\n" + "".join(f"{run}:{block}:{event}\n" for run, block, event in identity)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the events as a table."""
        import pandas as pd  # 0.5 s, and not needed for text

        return pd.DataFrame(dict(self.columns))

    def save(self, path: str | Path) -> Path:
        """Write the events: as text (``.txt``), or with all features as ``.csv`` or ``.parquet``.

        Raises
        ------
        InputError
            If the name ends otherwise.
        FileError
            If it cannot be written, or something else than a list of events is there.
        """
        kind = Path(path).suffix.lower()
        if kind == ".csv":
            return write_text(path, self.to_dataframe().to_csv(index=False), EVENT_LIST)
        if kind == ".parquet":
            return write_in_place(path, self._to_parquet, EVENT_LIST, is_event_table)
        if kind in (".txt", ""):
            return write_text(path, self.to_text(), EVENT_LIST)
        raise InputError(f"{path}: a list of events is .txt (run:luminosityBlock:event), .csv or .parquet")

    def _to_parquet(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table({name: pa.array(values) for name, values in self.columns.items()})
        pq.write_table(table.replace_schema_metadata({"format": FORMAT}), path)


def is_event_table(path: str | Path) -> bool:
    """Tell whether a Parquet file is a list of events that this package wrote."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return (pq.read_schema(path).metadata or {}).get(b"format") == FORMAT.encode()
    except (OSError, pa.ArrowException):
        return False


def region_events(report: ScanReport | str | Path, hists: Histograms | str | Path, *, row: int = 1) -> RegionEvents:
    """Return the stored events of a region of a report.

    Parameters
    ----------
    report
        Of a scan, or its path.
    hists
        The output that was scanned, or its path.
    row
        Number of the row, from 1.

    Raises
    ------
    InputError
        If the report has no such row, the output is another one or stores no events, or the row is about a mass
        spectrum, of which no events are stored.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp import run, scan, testing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hists = run("dimuon_charge", testing.make_nanoaod(f"{folder}/nano.root", events=2000, seed=1))
    >>> report = scan(hists, toys=0)
    >>> found = region_events(report, hists)
    >>> len(found) == report.rows[0].n_a + report.rows[0].n_b
    True
    """
    report = as_report("region_events", report)
    hists = as_histograms("region_events", hists)
    check_scanned("region_events", report, hists)
    found = numbered_row(report, row)
    refuse_compared([found], "it keeps no events; a symmetry of the same plan would store those of its sides")
    if found.symmetry is None:
        raise InputError(
            f"row {row}: it is about the mass spectrum {found.observable!r}; events are stored of symmetries alone. "
            "select_events finds its events in the files"
        )
    if not hists.layout.max_stored:
        raise InputError(f"the plan {hists.layout.plan!r} stores no events (max_stored=0)")
    stored = SymmetryEvents.of(hists, found.symmetry)
    rows, n_events = _of_region(hists, found, stored)
    return RegionEvents(found, events_of(stored, rows, hists.layout.symmetry(found.symmetry).sides), n_events)


def events_of(stored: SymmetryEvents, rows: IntArray, sides: tuple[str, str] | None) -> dict[str, AnyArray]:
    """Return the columns of some stored events, in the order of their identity; without ``sides`` they have none."""
    order = rows[np.lexsort(stored.identity[rows].T[::-1])]
    columns: dict[str, AnyArray] = {name: stored.identity[order, number] for number, name in enumerate(IDENTITY_NAMES)}
    names = np.array(("", "") if sides is None else sides)
    columns["side"] = names[stored.is_b[order].astype(np.int64)]
    columns |= {name: values[order] for name, values in stored.features.items()}
    for name, values in (("weight", stored.weights), ("share", stored.shares)):
        if values is not None:
            columns[name] = values[order]
    return columns


def _of_region(hists: Histograms, row: Row, stored: SymmetryEvents) -> tuple[IntArray, int]:
    """Return the places of the stored events of a region, and the number of all of its events."""
    grid, symmetry = hists.layout.grid, str(row.symmetry)
    named = {name for name, _ in hists.layout.symmetry(symmetry).observables}
    # Tests of stored events have observables of their own: all features together.
    observable = row.observable if row.observable in named else EVENTS
    counts = hists.cell_counts(symmetry, str(observable))
    cell = grid.cell(str(row.cell))
    codes = grid.contains(cell, counts.codes)
    bins = bins_of(counts, row)
    n_events = int(counts.entries[codes][:, :, bins].sum())
    in_cell = np.flatnonzero(grid.contains(cell, stored.cell))
    if not counts.axes:
        return in_cell, n_events
    found = binned_events(stored, counts)
    if found is None:
        missing = [axis.name for axis in counts.axes if axis.name not in stored.features]
        raise InputError(f"row {row.number}: {missing[0]!r} is not stored, so that its events are not known")
    return found.places[codes[found.code] & bins[found.bin]], n_events
