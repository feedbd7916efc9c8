"""The rows of a report: one for each test of a cell that is kept.

A row can be rebuilt from JSON-ready data, which may come from a stranger: what does not fit raises ``FormatError``.

Examples
--------
>>> row = Row.of_columns(
...     kind="spectrum", symmetry=None, observable="2mu", cell="inclusive", region=None, test="bump", n_a=None, n_b=40,
...     statistic=4.2, p_local=None, z_local=4.2, p_global=None, z_global=None, method="bump network", status="OK",
...     position=91.2, width=2.5,
... )  # fmt: skip
>>> row.bump.position, row.ratio, Row.from_dict(row.to_dict()) == row
(91.2, None, True)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coffea_ddp._text import printable
from coffea_ddp.errors import FormatError
from coffea_ddp.report.parts import (
    PARTS,
    BumpPart,
    CausePart,
    RatioPart,
    TailPart,
    clean,
    columns_of,
    is_empty,
    part_of,
)
from coffea_ddp.report.regions import Region
from coffea_ddp.report.summaries import typed

Number = int | float


@dataclass(frozen=True, kw_only=True)
class Row:
    """One test of one cell. ``None`` where a thing does not apply or is not finite.

    Attributes
    ----------
    kind
        ``"symmetry"``, ``"spectrum"``, or ``"comparison"`` of data (B) with simulation (A).
    symmetry, observable, cell
        The place: the cell by its shortest name.
    asks
        The axes that the cell asks about, in the order of the grid; ``None`` where that is not known.
    decays_to
        Of a spectrum: the objects and candidates of which it is the mass; empty where nothing tells them.
    number
        Of the row in its report, from 1.
    region
        A part of the observable's range, or of the spectrum around a bump; ``None`` for all of it.
    test, status
        The name of the test, and of a :class:`coffea_ddp.stats.Status`.
    method, p_method, global_method
        The test, how its local p (and that of the cell or spectrum) was made, and how its global p was made, in words;
        empty where there is no p. Reports of version 1 of the format have all in ``method``.
    reason
        Of what was not tested: why, in words.
    n_a, n_b
        In-range contents of A and of B: events, or sums of weights; of a comparison what is expected, and events.
    n_a_error
        Standard deviation of what is expected in a comparison, statistics and variations; ``None`` elsewhere.
    statistic
        Of the test; positive where B is in excess.
    p_local, z_local, p_global, z_global
        Of this test alone, and after all trials of the report. Every z belongs to its p by the one convention of
        ``two_sided``. A p below 1e-300 is ``None``, as no double can hold it: its z tells it.
    rank
        Place among all trials, 1 is the best; ``None`` for what is not among the best of all but is the best of a
        (test, symmetry, observable), of a column of the table of symmetries, or of a spectrum.
    n_bins
        Non-empty bins.
    ratio, tail, bump, cause
        The expected ratio of a symmetry, a fitted tail, the bump of a spectrum, and the kinematics that explain it;
        ``None`` where there is none. Files and tables have their columns beside the others.
    aliases, n_regions
        Cells of the lattice with exactly these events; regions of the cell that were tested, ``None`` for the whole.
    p_cell, p_symmetry
        After the trials in this cell (all its regions; all bins and widths of this spectrum), and in this symmetry.
        p_local <= p_cell <= p_symmetry <= p_global.
    similar_to
        The rank of the strongest row of the same symmetry and direction that holds mostly the same events
        (see :func:`coffea_ddp.stats.grouping.leaders`); its own rank where there is none stronger, ``None`` without
        a rank.
    n_dropped
        Of a test on events: those of the cell that it did not see, as they were not stored or lack a feature.
    n_ge, n
        How many pseudo-experiments reach the row, of how many: what ``p_global`` of a symmetry is counted from,
        (n_ge + 1)/(n + 1); of a bump, the toys of a smooth estimate of the spectrum, which are a check of
        ``p_cell``. ``None`` without pseudo-experiments.
    n_ge_cell, n_cell
        The same for ``p_cell`` of a symmetry.
    two_sided
        True where p is that of a deviation of either sign, abs(Z) >= abs(z) (symmetries), False for an excess (bumps).
    """

    kind: str
    symmetry: str | None
    observable: str | None
    cell: str | None
    region: Region | None
    test: str
    n_a: Number | None
    n_b: Number | None
    statistic: float | None
    p_local: float | None
    z_local: float | None
    p_global: float | None
    z_global: float | None
    method: str
    status: str
    number: int | None = field(default=None, compare=False)
    asks: tuple[str, ...] | None = None
    decays_to: tuple[str, ...] = ()
    p_method: str = ""
    global_method: str = ""
    reason: str | None = None
    rank: int | None = None
    n_bins: int | None = None
    ratio: RatioPart | None = None
    aliases: int | None = None
    similar_to: int | None = None
    n_regions: int | None = None
    p_cell: float | None = None
    p_symmetry: float | None = None
    tail: TailPart | None = None
    bump: BumpPart | None = None
    cause: CausePart | None = None
    n_dropped: int | None = None
    n_ge: int | None = None
    n: int | None = None
    n_ge_cell: int | None = None
    n_cell: int | None = None
    n_a_error: float | None = None
    two_sided: bool | None = None

    @property
    def is_leading(self) -> bool:
        """True where no stronger row holds mostly the same events."""
        return self.similar_to in (None, self.rank)

    @property
    def is_explained(self) -> bool:
        """True where kinematics explain the row: a reflection of a known resonance, or a threshold."""
        return self.cause is not None

    @property
    def is_bound(self) -> bool:
        """True where ``p_global`` is a bound: no pseudo-experiment reaches the row, so p is below 1 / (n + 1)."""
        if self.kind == "spectrum" or self.n is None or self.n_ge != 0 or self.p_global is None:
            return False
        return math.isclose(self.p_global, 1.0 / (self.n + 1), rel_tol=1e-9)

    def __post_init__(self) -> None:
        clean(self)
        for name in PARTS:
            part = getattr(self, name)
            if part is not None and is_empty(part):
                object.__setattr__(self, name, None)
        if self.two_sided is None:
            object.__setattr__(self, "two_sided", self.kind != "spectrum")

    def __repr__(self) -> str:
        """Return the place of the row, its test and its z; :meth:`columns` has everything."""
        number = "" if self.number is None else f"{self.number}: "
        place = " | ".join(filter(None, (self.symmetry, self.observable, self.cell, str(self.region or ""))))
        z = "" if self.z_local is None else f", z={self.z_local:+.2f}"
        p = "" if self.p_global is None else f", p_global={self.p_global:.2g}"
        status = "" if self.status == "OK" else f", {self.status}"
        return printable(f"Row({number}{place}, {self.test}{z}{p}{status})")

    def columns(self) -> dict[str, Any]:
        """Return the row as flat columns: the values of its parts beside the others."""
        found: dict[str, Any] = {}
        for name, value in vars(self).items():
            if name in PARTS:
                found |= vars(PARTS[name]() if value is None else value)
            else:
                found[name] = value
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON-ready data: each of :data:`COLUMNS`, and the region in numbers as ``ranges``."""
        found = {name: list(value) if isinstance(value, tuple) else value for name, value in self.columns().items()}
        text, ranges = (None, None) if self.region is None else (str(self.region), self.region.ranges())
        return {**found, "region": text, "ranges": ranges}

    def to_flat(self) -> dict[str, Any]:
        """Return the row as one line of a table, a value for each of :data:`COLUMNS`: region and names are text."""
        found = {
            name: ", ".join(value) if isinstance(value, tuple) else value for name, value in self.columns().items()
        }
        return {**found, "region": None if self.region is None else str(self.region)}

    @classmethod
    def of_columns(cls, **columns: Any) -> Row:
        """Return the row of flat columns, as :meth:`columns` gives them; those of later versions are left out."""
        own = {name: value for name, value in columns.items() if name in _CORE}
        parts: dict[str, Any] = {name: part_of(kind, columns) for name, kind in PARTS.items()}
        return cls(**own, **parts)

    @classmethod
    def from_dict(cls, data: Any) -> Row:
        """Return the row that :meth:`to_dict` described; keys of later versions are left out.

        Raises
        ------
        FormatError
            If a key is missing or a value is of another type.
        """
        if not isinstance(data, Mapping) or not data.keys() >= _REQUIRED:
            raise FormatError(
                f"a row lacks one of {', '.join(sorted(_REQUIRED))}; make it again with `coffea-ddp scan`"
            )
        for name, kinds in _KINDS.items():
            value = data.get(name)
            if value is not None and type(value) not in kinds:
                raise FormatError(f"a row's {name!r} is {type(value).__name__}; make it again with `coffea-ddp scan`")
        values = {name: data[name] for name in COLUMNS if name in data}
        if values["region"] is not None:
            values["region"] = Region.read(typed(values, "region", str), data.get("ranges"))
        for name in _LISTS:
            if values.get(name) is not None:
                values[name] = tuple(map(str, typed(values, name, list)))
        return cls.of_columns(**{k: value for k, value in values.items() if value is not None or k in _REQUIRED})


_CORE = frozenset(item.name for item in dataclasses.fields(Row)) - PARTS.keys()
COLUMNS = tuple(
    name
    for item in dataclasses.fields(Row)
    for name in (columns_of(PARTS[item.name]) if item.name in PARTS else (item.name,))
)
"""The columns of a row in files and tables."""
_REQUIRED = frozenset(item.name for item in dataclasses.fields(Row) if item.default is dataclasses.MISSING)
_TEXT = frozenset(
    [
        "kind",
        "symmetry",
        "observable",
        "cell",
        "test",
        "method",
        "p_method",
        "global_method",
        "status",
        "reason",
        "flags",
        "cause",
        "explanation",
    ]
)
WHOLE = frozenset(
    {
        "number",
        "rank",
        "n_bins",
        "aliases",
        "similar_to",
        "n_regions",
        "n_dropped",
        "n_ge",
        "n",
        "n_ge_cell",
        "n_cell",
        "bump_number",
    }
)
_LISTS = ("asks", "decays_to")
_KINDS = {
    name: (str,) if name in _TEXT else (int,) if name in WHOLE else (bool,) if name == "two_sided" else (int, float)
    for name in COLUMNS
    if name not in ("region", *_LISTS)
}
