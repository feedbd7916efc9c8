"""Checks of what an output file says: contents that no pass can have made, and sizes that no output has.

Every reader asks them, of a file from a stranger as of one's own. They raise ``ValueError`` with what is wrong; the
reader says of which file.

Examples
--------
>>> whole_number(3, "unnamed")
3
>>> whole_number(2.5, "unnamed")
Traceback (most recent call last):
...
ValueError: unnamed is 2.5, not a whole number from 0 to 9223372036854775807
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import DDPError
from coffea_ddp.histograms.cells import MOST_LAST
from coffea_ddp.histograms.layout import EVENTS, MOST_BINS, Layout
from coffea_ddp.histograms.ledger import UNKNOWN, Ledger
from coffea_ddp.histograms.shares import SHARE
from coffea_ddp.histograms.stored import IDENTITY, stored_columns

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray

MOST = 2**63 - 1
MANIFEST_BYTES = 2**28
"""The largest manifest that is read: a ledger of a million files."""
_PACKED, _FREE_BYTES = 100, 2**20
"""Largest ratio of a member's size to its packed size, and the bytes that are always allowed."""
_ROWS_PER_BYTE, _FREE_ROWS = 4, 10**5
"""Largest number of rows for each byte of a table, and the rows that are always allowed; our densest have 0.35."""

Tables = Mapping[str, Mapping[str, "AnyArray"]]


def _refuse(told: str) -> None:
    raise ValueError(told)


# -- sizes, before anything is read ------------------------------------------------------------------------------------


def check_members(members: Sequence[zipfile.ZipInfo]) -> None:
    """Fail where members of an archive have one name, or would be much larger than the archive."""
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        _refuse("two members of the archive have one name")
    for member in members:
        most = MANIFEST_BYTES if member.filename == "manifest.json" else MOST
        if member.file_size > min(most, _PACKED * member.compress_size + _FREE_BYTES):
            _refuse(f"{member.filename} would have {member.file_size:,} bytes, packed into {member.compress_size:,}")


def check_rows(name: str, rows: int, size: int) -> None:
    """Fail where a table of so many bytes says that it has more rows than fit."""
    if not 0 <= rows <= _ROWS_PER_BYTE * size + _FREE_ROWS:
        _refuse(f"{name} would have {rows:,} rows in {size:,} bytes")


# -- the manifest ------------------------------------------------------------------------------------------------------


def whole_number(value: Any, what: str, lowest: int = 0) -> int:
    """Return a value that is a whole number of 64 bits, ``lowest`` or more."""
    if type(value) is not int or not lowest <= value <= MOST:
        _refuse(f"{what} is {value!r:.40}, not a whole number from {lowest} to {MOST}")
    return int(value)


def text(value: Any, what: str) -> str:
    """Return a value that is text."""
    if not isinstance(value, str):
        _refuse(f"{what} is {value!r:.40}, not text")
    return str(value)


def read_layout(data: Mapping[str, Any]) -> Layout:
    """Return the layout in a manifest, after its sizes were looked at."""
    for axis in data["cells"]:
        if "multiplicity" in axis and whole_number(axis["last"], "the last bin of a multiplicity") > MOST_LAST:
            _refuse(f"the multiplicity {axis['multiplicity']!r:.40} goes up to {axis['last']}, not {MOST_LAST} or less")
    spectra = data.get("spectra", ())
    compared = (*data["symmetries"], *data.get("comparisons", ()))
    observables = [item for one in compared for item in one["observables"]]
    for axis in [*(axis for item in observables for axis in item["axes"]), *(item["axis"] for item in spectra)]:
        bins = whole_number(axis["bins"] if "bins" in axis else len(axis["edges"]), "the number of bins")
        if bins > MOST_BINS:
            _refuse(f"an axis has {bins:,} bins, not {MOST_BINS:,} or less")
    if type(data["weighted"]) is not bool:
        _refuse(f"weighted is {data['weighted']!r:.40}, not true or false")
    whole_number(data["max_stored"], "max_stored")
    try:
        layout = Layout.from_dict(data)
    except DDPError as error:
        raise ValueError(str(error)) from error
    _check_names(layout)
    _check_axes([axis for channel in (*layout.channels, *layout.comparison_channels) for axis in channel.axes])
    _check_axes([spectrum.axis for spectrum in layout.spectra])
    _check_numbers(layout)
    return layout


def _check_names(layout: Layout) -> None:
    own = [name for name, _ in IDENTITY] + ["weight"] * layout.weighted
    own += [] if layout.calibration is None else layout.calibration.columns
    lists = {
        "symmetries": [symmetry.name for symmetry in layout.symmetries],
        "spectra": [spectrum.name for spectrum in layout.spectra],
        "known resonances": list(layout.known),
        "comparisons": [comparison.name for comparison in layout.comparisons],
        "columns": [*own, *(feature.name for feature in layout.features)],
    }
    named = {one.name: one.observables for one in layout.symmetries}
    named |= {one.name: one.observables for one in layout.comparisons}
    lists |= {f"observables of {name!r}": [EVENTS, *(inner for inner, _ in of)] for name, of in named.items()}
    for what, names in {"names of the plan": [layout.plan, layout.fingerprint], **lists}.items():
        for name in names:
            text(name, f"a name among the {what}")
        if len(set(names)) < len(names) and what in lists:
            _refuse(f"two {what} have one name")
    for symmetry in layout.symmetries:
        for side in symmetry.sides:
            text(side, f"a side of {symmetry.name!r}")


def _check_axes(axes: Iterable[Any]) -> None:
    for axis in axes:
        if axis.extent != len(axis) + 2 or axis.traits.circular:
            _refuse(f"the axis {axis.name!r:.40} has no flow bins, or is circular")
        edges = np.asarray(axis.edges)
        if not (np.diff(edges) > 0).all():  # the last may be infinite
            _refuse(f"the edges of the axis {axis.name!r:.40} do not rise")


def _check_numbers(layout: Layout) -> None:
    for symmetry in layout.symmetries:
        if not (math.isfinite(symmetry.kappa) and symmetry.kappa > 0):
            _refuse(f"kappa of {symmetry.name!r} is {symmetry.kappa}, not a positive number")
    for spectrum in layout.spectra:
        resolution = spectrum.resolution
        terms = () if resolution is None else (resolution.constant, resolution.stochastic, resolution.floor)
        if not all(math.isfinite(term) and term >= 0 for term in terms):
            _refuse(f"the resolution of {spectrum.name!r} is {terms}, not finite numbers from 0 on")
        if not all(math.isfinite(mass) and mass > 0 for mass, _ in (*spectrum.thresholds, *spectrum.end_points)):
            _refuse(f"a threshold or an end point of {spectrum.name!r} is no positive number")
        for low, high, _ in spectrum.masks:
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                _refuse(f"{spectrum.name!r} has a mask from {low} to {high}")


def read_ledger(data: Mapping[str, Any]) -> Ledger:
    """Return the ledger in a manifest."""
    whole_number(data["unnamed"], "the number of events without a file")
    for file in data["files"]:
        for name in ("uuid", "tree", "dataset", "filename"):
            text(file[name], f"the {name} of a file")
        entries = whole_number(file.get("entries", UNKNOWN), f"the entries of {file['filename']}", UNKNOWN)
        most = MOST if entries == UNKNOWN else entries
        before = 0
        for start, stop in file["intervals"]:
            whole_number(start, f"an entry of {file['filename']}")
            whole_number(stop, f"an entry of {file['filename']}")
            if not before <= start < stop <= most:
                _refuse(f"the intervals of {file['filename']} overlap, are empty, or leave the file: {start} to {stop}")
            before = stop
    for one in data["missing"]:
        for name in {*one} - {"start", "stop"}:
            text(one[name], f"the {name} of something missing")
        start, stop = (whole_number(one.get(name, -1), "a missing entry", -1) for name in ("start", "stop"))
        if start > stop or (start < 0) != (stop < 0):
            _refuse(f"entries {start} to {stop} of {one['filename']} are missing")
    ledger = Ledger.from_dict(data)
    if len(ledger.files) < len(data["files"]):
        _refuse("one file is in the ledger twice")
    if ledger.n_entries > MOST:
        _refuse("more entries were counted than a 64-bit number holds")
    return ledger


def read_counters(data: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Return the cutflows in a manifest."""
    return {
        dataset: {step: whole_number(number, f"{step!r:.40} of the cutflow") for step, number in cutflow.items()}
        for dataset, cutflow in data.items()
    }


def read_choices(data: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return in a manifest which branches were used."""
    if not all(isinstance(used, list) for used in data.values()):
        _refuse("the branches that were used are no lists")
    return {role: tuple(text(name, "the name of a branch") for name in used) for role, used in data.items()}


def read_not_filled(data: Any, layout: Layout) -> Any:
    """Return the numbers of events that were not filled, shape (n_channels, 2)."""
    if len(data) != len(layout.channels) or any(len(pair) != 2 for pair in data):
        _refuse(f"not_filled has {len(data)} pairs for {len(layout.channels)} observables")
    numbers = [[whole_number(number, "a number of events that were not filled") for number in pair] for pair in data]
    return np.asarray(numbers, dtype=np.int64).reshape(len(layout.channels), 2)


# -- the tables --------------------------------------------------------------------------------------------------------


def check_tables(layout: Layout, tables: Tables) -> None:
    """Fail where the columns of the tables, or what is in them, cannot be.

    Parameters
    ----------
    layout
        Of the output.
    tables
        ``counts``, ``events`` and ``thresholds``: name -> column.
    """
    _check_counts(layout, tables["counts"])
    _check_events(layout, tables["events"])
    _check_thresholds(layout, tables["thresholds"])


def _check_columns(what: str, columns: Mapping[str, AnyArray], wanted: Mapping[str, Any]) -> None:
    found = {name: values.dtype for name, values in columns.items()}
    if found != {name: np.dtype(dtype) for name, dtype in wanted.items()}:
        _refuse(f"{what} have the columns {_told(found)}, not {_told(wanted)}")


def _told(columns: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} ({np.dtype(dtype)})" for name, dtype in sorted(columns.items()))


def _check_counts(layout: Layout, counts: Mapping[str, AnyArray]) -> None:
    check_counts(counts, layout.n_keys, weighted=layout.weighted, calibrated=layout.calibration is not None)


def check_counts(counts: Mapping[str, AnyArray], n_keys: int, *, weighted: bool, calibrated: bool = False) -> None:
    """Fail where the columns of counts, or what is in them, cannot be.

    Parameters
    ----------
    counts
        Name -> column.
    n_keys
        One more than the largest possible key.
    weighted, calibrated
        Which sums there are.
    """
    wanted: dict[str, Any] = {"key": np.int64, "count": np.int64}
    if weighted:
        wanted |= {"sum_w": np.float64, "sum_w2": np.float64}
    if calibrated:
        wanted |= {"sum_e": np.int64, "sum_v": np.int64}
    _check_columns("the counts", counts, wanted)
    keys, numbers = counts["key"], counts["count"]
    if not len(keys):
        return
    if keys[0] < 0 or keys[-1] >= n_keys or (np.diff(keys) <= 0).any():
        _refuse("the keys of the counts are out of order or out of range")
    if numbers.min() < 1 or numbers.sum(dtype=np.float64) > 2.0**62:
        _refuse("a count is below 1, or all together are more than a 64-bit number holds")
    if weighted:
        _check_weights(numbers, counts["sum_w"], counts["sum_w2"])
    if calibrated:
        _check_shares(numbers, counts["sum_e"], counts["sum_v"])


def _check_shares(numbers: AnyArray, sum_e: AnyArray, sum_v: AnyArray) -> None:
    # Shares are between 0 and 1, so their variances are at most 1/4 each; half a unit each for rounding.
    most = numbers.astype(np.float64) * SHARE
    if (sum_e < 0).any() or (sum_e > most).any():
        _refuse("a sum of expected shares is below 0, or larger than its number of events")
    if (sum_v < 0).any() or (sum_v > np.minimum(sum_e, most / 4) + numbers).any():
        _refuse("a sum of variances of shares is below 0, or larger than its number of events allows")


def _check_weights(numbers: AnyArray, sum_w: AnyArray, sum_w2: AnyArray) -> None:
    if not (np.isfinite(sum_w).all() and np.isfinite(sum_w2).all()) or (sum_w2 < 0).any():
        _refuse("a sum of weights is not finite, or one of squared weights negative")
    # |sum w| <= sqrt(n sum w^2), with room for rounding and for squares that are too small for a double.
    if (np.abs(sum_w) > np.sqrt(numbers * sum_w2) * (1 + 1e-9) + 1e-150 * numbers).any():
        _refuse("a sum of weights is larger than its number of events and squared weights allow")


def _check_events(layout: Layout, events: Mapping[str, AnyArray]) -> None:
    _check_columns(
        "the stored events", events, {name: values.dtype for name, values in stored_columns(layout, 0).items()}
    )
    cells, sides = events["cell"], events["sides"]
    if not len(cells):
        return
    if layout.max_stored == 0:
        _refuse(f"{len(cells):,} events are stored where none is to be")
    if cells.min() < 0 or cells.max() >= layout.grid.n_exclusive:
        _refuse("a stored event is in a cell that does not exist")
    known = np.uint64(4 ** len(layout.symmetries) - 1)
    both = sides & (sides >> np.uint64(1)) & np.uint64(0x5555555555555555)
    if (sides == 0).any() or (sides & ~known).any() or both.any():
        _refuse("a stored event is on no side, on both sides of a symmetry, or of a symmetry that does not exist")
    if layout.calibration is not None and not ((events["share"] > 0) & (events["share"] < 1)).all():
        _refuse("the expected share of a stored event is not between 0 and 1")
    if "share_error" in events and not np.isfinite(events["share_error"]).all():
        _refuse("the error of the expected share of a stored event is not finite")
    if layout.weighted and not np.isfinite(events["weight"]).all():
        _refuse("the weight of a stored event is not finite")


def _check_thresholds(layout: Layout, thresholds: Mapping[str, AnyArray]) -> None:
    _check_columns("the thresholds", thresholds, {"group": np.int64, "threshold": np.uint64})
    groups = thresholds["group"]
    most = len(layout.symmetries) * layout.grid.n_exclusive
    if len(groups) and (groups[0] < 0 or groups[-1] >= most or (np.diff(groups) <= 0).any()):
        _refuse("the thresholds of stored events are out of order, or of groups that do not exist")
