"""Data of figures as tables of HEPData: YAML as it is submitted, of figures with one or two axes.

https://hepdata-submission.readthedocs.io has the format; ``hepdata-validator`` accepts what is written here.

Examples
--------
>>> import numpy as np
>>> axis = Axis("m(ll)", "GeV", np.array([0.0, 10.0, 30.0]))
>>> table = FigureTable("figure-1", "Events.", (axis,), (Column("A", np.array([4.0, 9.0]), np.array([2.0, 3.0])),))
>>> found = table_of(table)
>>> found["independent_variables"][0]["values"][1], found["dependent_variables"][0]["values"][0]
({'low': 10.0, 'high': 30.0}, {'value': 4.0, 'errors': [{'symerror': 2.0, 'label': 'stat'}]})
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from coffea_ddp._files import REGION, write_text
from coffea_ddp.errors import InputError
from coffea_ddp.histograms.axes import quantity

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.histograms.pairs import MatrixPair

MARK = "# coffea-ddp region"
"""The first line of a file of tables."""
_UNITS = {"GeV": "GEV", "TeV": "TEV", "MeV": "MEV"}


@dataclass(frozen=True, eq=False)
class Axis:
    """An axis of a figure: its name, its unit (empty for none), and the edges of its bins."""

    name: str
    unit: str
    edges: FloatArray


@dataclass(frozen=True, eq=False)
class Column:
    """A quantity in the bins of a figure.

    Attributes
    ----------
    name
        Of the quantity.
    values
        In the bins of the axes, a dimension for each; NaN where there is nothing.
    errors
        Statistical errors of the same shape; ``None`` for none.
    unit
        Empty for a number without one.
    """

    name: str
    values: FloatArray
    errors: FloatArray | None = None
    unit: str = ""


@dataclass(frozen=True, eq=False)
class FigureTable:
    """The data of one figure.

    Attributes
    ----------
    name
        Of the table and of its file; unique in a submission.
    description
        The caption.
    axes
        One or two.
    columns
        At least one.
    location
        Where the figure is, as in ``"Figure 3"``.
    """

    name: str
    description: str
    axes: tuple[Axis, ...]
    columns: tuple[Column, ...]
    location: str = ""

    def __post_init__(self) -> None:
        """Check shapes.

        Raises
        ------
        InputError
            If there is no axis or column, or one does not fit.
        """
        shape = tuple(len(axis.edges) - 1 for axis in self.axes)
        if not self.axes or not self.columns:
            raise InputError(f"table {self.name!r}: give at least one axis and one column")
        for column in self.columns:
            for values in (column.values, column.errors):
                if values is not None and np.shape(values) != shape:
                    raise InputError(
                        f"table {self.name!r}, {column.name!r}: values of shape {np.shape(values)} on axes of {shape} "
                        "bins; give one a bin"
                    )


def pair_table(
    pair: MatrixPair, name: str, description: str, *, sides: tuple[str, str] = ("A", "B"), location: str = ""
) -> FigureTable:
    """Return the table of a pair of histograms of one or two axes, with their statistical errors."""
    columns = tuple(
        Column(f"Events, {side}", np.asarray(one.values(), float), np.sqrt(np.asarray(one.variances(), float)))
        for side, one in zip(sides, (pair.a, pair.b), strict=True)
    )
    return FigureTable(name, description, tuple(axis_of(axis) for axis in pair.a.axes), columns, location)


def spectrum_table(
    counts: FloatArray,
    axis: Axis,
    name: str,
    description: str,
    *,
    errors: FloatArray | None = None,
    z: FloatArray | None = None,
    z_error: FloatArray | None = None,
    location: str = "",
) -> FigureTable:
    """Return the table of a mass spectrum: events, by default with Poisson errors, and z of every bin."""
    columns = [Column("Events", counts, np.sqrt(counts) if errors is None else errors)]
    if z is not None:
        columns.append(Column("z of a bump", z, z_error))
    return FigureTable(name, description, (axis,), tuple(columns), location)


def axis_of(axis: Any) -> Axis:
    """Return an axis of ``hist`` as one of a table."""
    shown = quantity(axis)
    return Axis(shown.label, shown.unit, np.asarray(axis.edges, dtype=np.float64))


def table_of(figure: FigureTable) -> dict[str, Any]:
    """Return a table as HEPData has it: bins of all axes in C order, the last axis the fastest."""
    bins = np.meshgrid(*(np.arange(len(axis.edges) - 1) for axis in figure.axes), indexing="ij")
    independent = [
        {"header": _header(axis.name, axis.unit), "values": [_bin(axis.edges, i) for i in places.ravel().tolist()]}
        for axis, places in zip(figure.axes, bins, strict=True)
    ]
    dependent = [{"header": _header(column.name, column.unit), "values": _values(column)} for column in figure.columns]
    return {"independent_variables": independent, "dependent_variables": dependent}


def file_of(figure: FigureTable) -> str:
    """Return the name of the data file of a figure."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", figure.name).strip("._-") + ".yaml"


def submission(figures: Sequence[FigureTable], comment: str = "") -> list[dict[str, Any]]:
    """Return the documents of ``submission.yaml``.

    Raises
    ------
    InputError
        If there is no figure, or two have one name or file.
    """
    names = [file_of(figure) for figure in figures]
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"a submission needs figures of different names, got {', '.join(names) or 'none'}; rename them"
        )
    told = [
        {
            "name": figure.name[:256], "location": figure.location, "description": figure.description, "keywords": [],
            "data_file": file,
        }
        for figure, file in zip(figures, names, strict=True)
    ]  # fmt: skip
    return [{"comment": comment}, *told]


def submission_files(figures: Sequence[FigureTable], comment: str = "") -> dict[str, str]:
    """Return the files of a submission by their names: ``submission.yaml``, and one for each figure."""
    files = {file_of(figure): as_yaml([table_of(figure)]) for figure in figures}
    return {"submission.yaml": as_yaml(submission(figures, comment)), **files}


def write_submission(figures: Sequence[FigureTable], folder: str | Path, comment: str = "") -> list[Path]:
    """Write the files of a submission into a folder.

    Parameters
    ----------
    figures
        Their data.
    folder
        Is made where it is not there.
    comment
        The abstract.

    Raises
    ------
    InputError
        As for :func:`submission`.
    FileError
        If a file cannot be written, or anything but an older one of this package is there.
    """
    files = submission_files(figures, comment)
    Path(folder).mkdir(parents=True, exist_ok=True)
    return [write_text(Path(folder, name), text, REGION) for name, text in files.items()]


def single_file(figures: Sequence[FigureTable], comment: str = "") -> str:
    """Return a submission as one file, in which a table follows what is said of it."""
    first, *told = submission(figures, comment)
    documents = [first]
    for figure, one in zip(figures, told, strict=True):
        documents.append({**{k: v for k, v in one.items() if k != "data_file"}, **table_of(figure)})
    return as_yaml(documents)


def as_yaml(documents: Sequence[Any]) -> str:
    """Return documents as YAML, under a line that says whose they are."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump_all(documents, Dumper=dumper, sort_keys=False, allow_unicode=True, explicit_start=True)
    return f"{MARK}\n{text}"


def _header(name: str, unit: str) -> dict[str, str]:
    return {"name": name} | ({"units": _UNITS.get(unit, unit)} if unit else {})


def _bin(edges: FloatArray, number: int) -> dict[str, Any]:
    low, high = float(edges[number]), float(edges[number + 1])
    if np.isinf(high):
        return {"value": f">= {low:g}"}
    return {"value": f"< {high:g}"} if np.isinf(low) else {"low": low, "high": high}


def _values(column: Column) -> list[dict[str, Any]]:
    values = np.asarray(column.values, dtype=np.float64).ravel()
    errors = np.full(values.shape, np.nan) if column.errors is None else np.asarray(column.errors, float).ravel()
    return [_value(value, error) for value, error in zip(values.tolist(), errors.tolist(), strict=True)]


def _value(value: float, error: float) -> dict[str, Any]:
    if not np.isfinite(value):
        return {"value": "-"}
    # No error of 0: HEPData asks for one that is not.
    some = np.isfinite(error) and error > 0
    return {"value": value} | ({"errors": [{"symerror": error, "label": "stat"}]} if some else {})
