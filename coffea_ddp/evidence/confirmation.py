"""The outcome of a confirmation: every region that was marked, on data that the scan has not seen.

Examples
--------
>>> nothing = Confirmation(plan="demo", regions=(), level=0.05, toys=0, seed=0, inputs={})
>>> nothing.title
'demo: nothing was marked, so there is nothing to confirm'
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coffea_ddp._files import CONFIRMATION, write_text
from coffea_ddp._text import printable
from coffea_ddp._text_tables import html_table, text_table
from coffea_ddp.report.display import counted_p, number, probability
from coffea_ddp.report.parts import SMALLEST_P

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    import pandas as pd
    from rich.table import Table

    from coffea_ddp.evidence.outcomes import Outcome
    from coffea_ddp.report.rows import Row

FORMAT, VERSION = "coffea-ddp/confirmation", 1

COLUMNS = [
    "number", "kind", "symmetry", "observable", "cell", "region", "position", "width", "test", "z_local_report",
    "p_global_report", "n_a", "n_b", "expected", "z", "p", "p_holm", "n_ge", "n", "confirmed", "method", "reason",
]  # fmt: skip
"""The columns of a region in files and tables."""

_SHOWN: dict[str, Literal["left", "right"]] = {
    "row": "right", "region": "left", "z then": "right", "A": "right", "B": "right", "B expected": "right",
    "z now": "right", "p": "right", "p (Holm)": "right", "confirmed": "left",
}  # fmt: skip


@dataclass(frozen=True)
class ConfirmedRegion:
    """A region that was marked, and its outcome in new data.

    Attributes
    ----------
    row
        Of the report.
    outcome
        Of its test in the new data.
    p_holm
        p after all regions that are tested together, by Holm's method.
    confirmed
        True where ``p_holm`` is at most the level.
    """

    row: Row
    outcome: Outcome
    p_holm: float
    confirmed: bool

    @property
    def place(self) -> str:
        """The region in words: symmetry, observable, cell and ranges; mass and width of a bump."""
        row = self.row
        what = "" if row.region is None else str(row.region)
        if row.bump is not None and row.bump.position is not None and row.bump.width is not None:
            what = f"mass {row.bump.position:.5g} GeV, width {row.bump.width:.3g} GeV"
        parts = (row.symmetry, row.observable, row.cell, what, row.test)
        return " | ".join(part for part in parts if part)

    def to_dict(self) -> dict[str, Any]:
        """Return the region as JSON-ready data, the names of the report for what is of the report."""
        row, bump, outcome = self.row, self.row.bump, self.outcome
        return {
            "number": row.number,
            "kind": row.kind,
            "symmetry": row.symmetry,
            "observable": row.observable,
            "cell": row.cell,
            "region": None if row.region is None else str(row.region),
            "position": None if bump is None else bump.position,
            "width": None if bump is None else bump.width,
            "test": row.test,
            "z_local_report": row.z_local,
            "p_global_report": row.p_global,
            "n_a": outcome.n_a,
            "n_b": outcome.n_b,
            "expected": outcome.expected,
            "z": outcome.z,
            "p": _sayable(outcome.p),
            "p_holm": _sayable(self.p_holm),
            "n_ge": outcome.n_ge,
            "n": outcome.n,
            "confirmed": self.confirmed,
            "method": outcome.method,
            "reason": outcome.reason or None,
        }


def _sayable(p: float) -> float | None:
    """Return p, ``None`` below 1e-300: its z tells it."""
    return None if p < SMALLEST_P else p


@dataclass(frozen=True)
class Confirmation:
    """All regions that were marked, in the order of the report.

    Attributes
    ----------
    plan
        Name of the plan.
    regions
        Outcomes, one for each region; those that could not be tested are among them.
    level
        Probability that any of the regions is confirmed where the null holds in all of them, at most.
    toys, seed
        Of the pseudo-experiments.
    inputs
        Where the new data come from, as in reports.
    notes
        Differences from the scan that one has to know of, in words.

    Examples
    --------
    >>> Confirmation(plan="demo", regions=(), level=0.05, toys=100, seed=1, inputs={}).to_dict()["level"]
    0.05
    """

    plan: str
    regions: tuple[ConfirmedRegion, ...]
    level: float
    toys: int
    seed: int
    inputs: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def n_confirmed(self) -> int:
        """Number of regions that are confirmed."""
        return sum(one.confirmed for one in self.regions)

    @property
    def partial(self) -> bool:
        """True where the new data lack something that was expected."""
        return bool(self.inputs.get("partial", False))

    @property
    def title(self) -> str:
        """The outcome in one line."""
        mark = "PARTIAL: " if self.partial else ""
        if not self.regions:
            return f"{mark}{self.plan}: nothing was marked, so there is nothing to confirm"
        of = f"{len(self.regions)} marked region{'s' * (len(self.regions) > 1)}"
        return f"{mark}{self.plan}: {self.n_confirmed} of {of} confirmed, at a level of {self.level:g} for all together"

    def __repr__(self) -> str:
        """Return the title."""
        return printable(f"Confirmation({self.title})")

    def to_dict(self) -> dict[str, Any]:
        """Return the confirmation as JSON-ready data."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "plan": self.plan,
            "level": self.level,
            "toys": self.toys,
            "seed": self.seed,
            "inputs": dict(self.inputs),
            "notes": list(self.notes),
            "regions": [one.to_dict() for one in self.regions],
        }

    def save(self, path: str | Path) -> Path:
        """Write the confirmation as JSON; an older one is replaced when this one is whole, and nothing else.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        return write_text(path, json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n", CONFIRMATION)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per region: what the report said of it, and what the new data say."""
        import pandas as pd  # 0.5 s, and not needed for files

        return pd.DataFrame([one.to_dict() for one in self.regions], columns=COLUMNS)

    def table(self) -> Table:
        """Return the regions as a table for terminals: ``rich.print(confirmation.table())``."""
        return text_table(self.title, "\n".join(self._notes()), _SHOWN, self._lines())

    def _lines(self) -> list[list[str]]:
        return [
            [
                str(one.row.number or ""), one.place, number(one.row.z_local), _count(one.outcome.n_a),
                _count(one.outcome.n_b), _count(one.outcome.expected), number(one.outcome.z),
                counted_p(one.outcome.p, one.outcome.n_ge, one.outcome.n), probability(one.p_holm),
                "yes" if one.confirmed else f"no: {one.outcome.reason}" if one.outcome.reason else "no",
            ]
            for one in self.regions
        ]  # fmt: skip

    def _notes(self) -> list[str]:
        methods = dict.fromkeys(f"{one.row.test}: {one.outcome.method}" for one in self.regions if one.outcome.method)
        missing = [f"missing: {item}" for item in self.inputs.get("missing", ())]
        return [
            *self.notes,
            *methods,
            *(["p (Holm): after all of these regions"] if len(self.regions) > 1 else []),
            *missing,
        ]

    def _repr_html_(self) -> str:
        notes = "<br>".join(map(html.escape, self._notes()))
        return f"<p><b>{html.escape(self.title)}</b></p>{html_table(_SHOWN, self._lines())}<p>{notes}</p>"


def _count(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
