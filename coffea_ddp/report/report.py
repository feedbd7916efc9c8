"""The ranked outcome of a scan, and its faces: JSON, CSV, pandas, a table for terminals, HTML for notebooks.

A report is data: it can be read without the plan, and a file from a stranger can only be wrong, not harmful.
What the input lacked is marked wherever the report is shown: PARTIAL.
"""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp._files import BUMP_REPORT, REPORT, TABLE, write_text
from coffea_ddp._text import printable
from coffea_ddp._text_tables import html_table, text_table
from coffea_ddp.errors import FormatError, InputError, UnknownNameError
from coffea_ddp.report.common import CommonAsymmetry, causes, explanations, leading_rows
from coffea_ddp.report.display import local_method_of, method_of, more_would_take, number, significance_of, summary_text
from coffea_ddp.report.older_files import current
from coffea_ddp.report.report_files import FORMAT, VERSION, check, read
from coffea_ddp.report.row_tables import (
    BUMPS,
    BUMPS_NOTE,
    REGIONS,
    SHOWN,
    SIDED_NOTE,
    SUMMARY,
    TAIL_NOTE,
    bump_lines,
    ranked_lines,
    region_cells,
    summary_cells,
)
from coffea_ddp.report.rows import COLUMNS, Row
from coffea_ddp.report.summaries import GlobalP, SymmetrySummary, ZHistogram, typed

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table


@dataclass(frozen=True)
class ScanReport:
    """The ranked outcome of a scan.

    Attributes
    ----------
    plan, fingerprint, seed
        The plan, its digest, and the random seed.
    inputs
        Events, files, datasets, cutflow, branch choices, cell axes, and what is missing.
    trials
        Number of tests that were made: the trials factor of the global p-values.
    rows
        The best, ranked.
    options
        What the scan was asked for.
    summaries
        One per symmetry.
    z_histogram
        Of all tests of whole cells.
    global_p
        Global p-values of the best of every symmetry, of every test, and of all; empty without pseudo-experiments.
    common_asymmetries
        Rows of one cause: an excess of one side that many cells of a symmetry have in common.

    Examples
    --------
    >>> report = ScanReport(plan="demo", fingerprint="", seed=1, inputs={"partial": False}, trials=0, rows=())
    >>> report
    ScanReport(plan='demo', trials=0, rows=0)
    >>> ScanReport.from_dict(report.to_dict()) == report
    True
    """

    plan: str
    fingerprint: str
    seed: int
    inputs: Mapping[str, Any]
    trials: int
    rows: tuple[Row, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    summaries: tuple[SymmetrySummary, ...] = ()
    z_histogram: ZHistogram = field(default_factory=ZHistogram)
    global_p: tuple[GlobalP, ...] = ()
    common_asymmetries: tuple[CommonAsymmetry, ...] = ()

    def __post_init__(self) -> None:
        rows = (
            row if row.number == number else dataclasses.replace(row, number=number)
            for number, row in enumerate(self.rows, 1)
        )
        object.__setattr__(self, "rows", tuple(rows))

    @property
    def partial(self) -> bool:
        """True where the input lacks something that was expected."""
        return bool(self.inputs.get("partial", False))

    @property
    def missing(self) -> tuple[str, ...]:
        """The missing parts of the input, in words."""
        return tuple(str(item) for item in self.inputs.get("missing", ()))

    @property
    def title(self) -> str:
        """One line: the plan, how many rows and trials, PARTIAL where it is."""
        mark = f"PARTIAL ({len(self.missing)} missing): " if self.partial else ""
        return f"{mark}{self.plan}: the best {len(self.rows):,} of {self.trials:,} trials"

    def best(self, symmetry: str | None = None) -> Row | None:
        """Return the best row, of one symmetry where it is named; ``None`` where there is none.

        Raises
        ------
        UnknownNameError
            If the report has no such symmetry.
        """
        known = [summary.symmetry for summary in self.summaries]
        if symmetry is not None and symmetry not in known:
            raise UnknownNameError(
                f"no symmetry {symmetry!r} in the report; it has: {', '.join(map(repr, known)) or 'none'}"
            )
        return next((row for row in self.rows if symmetry in (None, row.symmetry)), None)

    # -- files -------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready data; what is not finite is ``None``."""
        data = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        data["looks"] = data.pop("trials")
        data["rows"] = [row.to_dict() for row in self.rows]
        data["summaries"] = [dataclasses.asdict(summary) for summary in self.summaries]
        data["global_p"] = [dataclasses.asdict(found) for found in self.global_p]
        data["common_asymmetries"] = [dataclasses.asdict(found) for found in self.common_asymmetries]
        data["z_histogram"] = dataclasses.asdict(self.z_histogram)
        return {"format": FORMAT, "version": VERSION, **_finite(data)}

    def save(self, path: str | Path) -> Path:
        """Write the report as JSON; an older one is replaced when this one is whole, and nothing else.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        kind = REPORT if self.fingerprint else BUMP_REPORT
        return write_text(path, json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n", kind)

    @classmethod
    def load(cls, path: str | Path) -> ScanReport:
        """Read a report.

        Raises
        ------
        FileError
            If the file cannot be read.
        FormatError
            If it is no report, of another version of the format, or damaged.
        """
        try:
            return cls.from_dict(read(path))
        except FormatError as error:
            raise FormatError(f"{path}: {error}") from None

    @classmethod
    def from_dict(cls, data: Any) -> ScanReport:
        """Return the report that :meth:`to_dict` described.

        Raises
        ------
        FormatError
            If it is none; keys that this version does not know are left out.
        """
        data = current(data)
        check(data)
        try:
            return cls(
                plan=typed(data, "plan", str),
                fingerprint=typed(data, "fingerprint", str),
                seed=typed(data, "seed", int),
                inputs=typed(data, "inputs", dict),
                trials=typed(data, "looks", int),
                rows=tuple(Row.from_dict(item) for item in typed(data, "rows", list)),
                options=typed(data, "options", dict, {}),
                summaries=tuple(SymmetrySummary.from_dict(item) for item in typed(data, "summaries", list, [])),
                z_histogram=ZHistogram.from_dict(typed(data, "z_histogram", dict, {})),
                global_p=tuple(GlobalP.from_dict(item) for item in typed(data, "global_p", list, [])),
                common_asymmetries=tuple(map(CommonAsymmetry.from_dict, typed(data, "common_asymmetries", list, []))),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise FormatError(
                f"damaged ({type(error).__name__}: {error}); make it again with `coffea-ddp scan`"
            ) from error

    def to_csv(self, path: str | Path) -> Path:
        """Write the rows as CSV, names first; the last columns are those of :meth:`to_dataframe`.

        Control characters in names are spelled out.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        writer = csv.writer(text := io.StringIO(), lineterminator="\n")
        writer.writerow((*COLUMNS, "is_bound", "partial"))  # None is an empty field
        for row in self.rows:
            values = (printable(value) if isinstance(value, str) else value for value in row.to_flat().values())
            writer.writerow((*values, row.is_bound, self.partial))
        return write_text(path, text.getvalue(), TABLE)

    # -- faces -------------------------------------------------------------------------------------------

    def to_dataframe(self) -> pd.DataFrame:
        """Return the rows as a table: attributes of :class:`Row`, and ``is_bound`` and ``partial``.

        ``is_bound``: p_global is 1 / (n + 1) as no pseudo-experiment reaches the row, which is below it.
        """
        import pandas as pd  # 0.5 s, and not needed for files

        frame = pd.DataFrame([row.to_flat() for row in self.rows], columns=list(COLUMNS))
        frame["is_bound"] = [row.is_bound for row in self.rows]
        frame["partial"] = self.partial
        return frame

    def table(self, n: int = 20, *, similar: bool = False) -> Table:
        """Return the first ``n`` rows as a table for terminals: ``rich.print(report.table())``.

        Parameters
        ----------
        n
            How many rows.
        similar
            Also rows that hold mostly the same events as a stronger one (of which the column "similar" says how many
            there are), and all of a common asymmetry, of which else the strongest is shown.

        Raises
        ------
        InputError
            If ``n`` is negative.
        """
        title = "\n".join([self.title, *causes(self.common_asymmetries, self.inputs, self.rows)])
        return text_table(title, self._caption(), SHOWN, self._lines(n, similar=similar))

    def summary_table(self) -> Table:
        """Return one line per symmetry for terminals: its lattice, its trials, and its best row."""
        return text_table(
            self._summary_title(), "", SUMMARY, [summary_cells(one, self.best(one.symmetry)) for one in self.summaries]
        )

    def regions_table(self, n: int = 3) -> Table:
        """Return the best regions of every symmetry for terminals, with their local and global p-values.

        Parameters
        ----------
        n
            How many of each; fewer where no more are kept. Rows that hold mostly the events of a stronger one are left
            out.

        Raises
        ------
        InputError
            If ``n`` is negative.
        """
        lines = [region_cells(row) for row in self.best_regions(n)]
        return text_table(f"{self.plan}: the best regions of every symmetry", self._region_caption(), REGIONS, lines)

    def tests_table(self) -> Table:
        """Return the best row of every test of every symmetry for terminals: all tests side by side."""
        title, lines = f"{self.plan}: the best of every test", [region_cells(row) for row in self.best_of_tests()]
        return text_table(title, self._tests_caption(), REGIONS, lines)

    def bumps_table(self, n: int = 20, *, similar: bool = False) -> Table:
        """Return the best spectra for terminals, and those that could not be tested.

        Parameters
        ----------
        n
            How many.
        similar
            Also rows that are mostly about the same events as a stronger one, or that kinematics explain.

        Raises
        ------
        InputError
            If ``n`` is negative.
        """
        _check_n(n)
        spectra = [row for row in self.rows if row.kind == "spectrum"]
        rows = spectra if similar else leading_rows(spectra)
        notes = [method_of(spectra[0]), BUMPS_NOTE, *explanations(spectra)] if spectra else ["no spectrum was tested"]
        return text_table(f"{self.plan}: bumps", "\n".join(notes), BUMPS, bump_lines(rows[:n]))

    def best_regions(self, n: int = 3) -> list[Row]:
        """Return the best rows of every symmetry, in the order of the plan; see :meth:`regions_table`."""
        _check_n(n)
        leading = leading_rows(self.rows, self.common_asymmetries)
        mine = ([row for row in leading if row.symmetry == summary.symmetry][:n] for summary in self.summaries)
        return [row for rows in mine for row in rows]

    def best_of_tests(self) -> list[Row]:
        """Return the best row of every test of every symmetry, in the order of the plan and of the tests."""
        first: dict[tuple[str | None, str], Row] = {}
        for row in self.rows:
            first.setdefault((row.symmetry, row.test), row)
        tests = list(dict.fromkeys(row.test for row in self.rows if row.kind != "spectrum"))
        asked = self.options.get("tests")
        wanted = [str(name) for name in asked] if isinstance(asked, list | tuple) else tests
        places = {
            test: number for number, test in enumerate([*wanted, *(test for test in tests if test not in wanted)])
        }
        symmetries = {summary.symmetry: number for number, summary in enumerate(self.summaries)}
        known = [pair for pair in first if pair[0] in symmetries and pair[1] in places]
        known.sort(key=lambda pair: (symmetries[str(pair[0])], places[pair[1]]))
        return [first[pair] for pair in known]

    def _tests_caption(self) -> str:
        methods = {row.test: local_method_of(row) for row in reversed(self.best_of_tests())}
        return "\n".join(f"{test}: {method}" for test, method in sorted(methods.items()))

    def _region_caption(self) -> str:
        lines = []
        for found in self.global_p:
            whose = f"best of {found.scope}" if found.scope else f"whole report, {found.what}"
            lines.append(f"{whose}: {summary_text(found)}; {found.method}")
        bounds = filter(None, map(more_would_take, self.global_p))
        lines += list(bounds)[:1]
        return "\n".join([*lines, TAIL_NOTE] if lines else [])

    def _summary_title(self) -> str:
        return f"{'PARTIAL: ' if self.partial else ''}{self.plan}: symmetries"

    def _lines(self, n: int, *, similar: bool) -> list[list[str]]:
        _check_n(n)
        followers = Counter(row.similar_to for row in self.rows if not row.is_leading)
        rows = (self.rows if similar else leading_rows(self.rows, self.common_asymmetries))[:n]
        similar_rows = [followers.get(row.rank, "") if row.is_leading else f"like {row.similar_to}" for row in rows]
        return ranked_lines(rows, [str(similar_row) for similar_row in similar_rows])

    def _caption(self) -> str:
        lines = [method_of(self.rows[0]), *self._bound_note(), SIDED_NOTE] if self.rows else ["no cell was tested"]
        lines += [f"missing: {item}" for item in self.missing]
        return "\n".join(lines)

    def _bound_note(self) -> list[str]:
        """Return the global p of the best row, where it is a bound."""
        best = self.rows[0]
        return [f"best: {significance_of(best)}"] if best.is_bound else []

    def __repr__(self) -> str:
        """Return the plan, the number of trials and the best row."""
        mark = " PARTIAL" if self.partial else ""
        top = self.rows[0] if self.rows else None
        best = f", best={top.symmetry} | {top.observable} | {top.cell} z={number(top.z_local)}" if top else ""
        return printable(f"ScanReport(plan={self.plan!r}, trials={self.trials}, rows={len(self.rows)}{best}){mark}")

    def _repr_html_(self) -> str:
        caption = "<br>".join(html.escape(text) for text in self._caption().splitlines())
        rows = html_table(SHOWN, self._lines(20, similar=False))
        regions = html_table(REGIONS, [region_cells(row) for row in self.best_regions()])
        notes = "<br>".join(html.escape(text) for text in self._region_caption().splitlines())
        tests = html_table(REGIONS, [region_cells(row) for row in self.best_of_tests()])
        methods = "<br>".join(html.escape(text) for text in self._tests_caption().splitlines())
        summaries = html_table(SUMMARY, [summary_cells(one, self.best(one.symmetry)) for one in self.summaries])
        common = "".join(
            f"<p>{html.escape(text)}</p>" for text in causes(self.common_asymmetries, self.inputs, self.rows)
        )
        return (
            f"<p><b>{html.escape(self.title)}</b></p>{common}{rows}<p>{caption}</p>"
            f"<p><b>The best regions of every symmetry</b></p>{regions}<p>{notes}</p>"
            f"<p><b>The best of every test</b></p>{tests}<p>{methods}</p>"
            f"<p><b>{html.escape(self._summary_title())}</b></p>{summaries}"
        )


def _check_n(n: int) -> None:
    if n < 0:
        raise InputError(f"n={n}: give how many rows to show, 0 or more")


def _finite(value: Any) -> Any:
    """Return JSON-ready data with ``None`` for what JSON cannot say."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, np.generic):
        return _finite(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
