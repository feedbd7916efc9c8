"""The numbers of a report as lines of text for its pages: a region, the provenance, the cutflow.

Examples
--------
>>> grid = Grid.of([("name", "text"), ("events", "num")], [["a.root", "12"]])
>>> grid.lines
((('a.root', 'text'), ('12', 'num')),)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from coffea_ddp.errors import some_of
from coffea_ddp.pages.words import minus, minus_in, percent, z_text
from coffea_ddp.report.closure import closure_lines
from coffea_ddp.report.dataset_words import dataset_words, is_about_dataset
from coffea_ddp.report.display import (
    amount,
    convention_of,
    is_bound,
    method_of,
    p_of,
    probability,
    side_a_of,
    tail_text,
    toys_of,
    where_of,
    z_global_of,
)
from coffea_ddp.report.parts import BumpPart, RatioPart
from coffea_ddp.report.simulated import COLUMNS, sample_lines
from coffea_ddp.stats.bumphunt.flags import explained
from coffea_ddp.stats.trials import bound

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.report import ScanReport
    from coffea_ddp.report.rows import Row

Facts = list[tuple[str, str]]
_MOST_FILES = 200
_SIDES = {
    "symmetry": ("events in A", "events in B"),
    "comparison": ("events expected from simulation", "events of data"),
}


@dataclass(frozen=True)
class Grid:
    """A table of text: its headings and lines, every entry with its kind, ``"text"`` or ``"num"``."""

    columns: tuple[tuple[str, str], ...]
    lines: tuple[tuple[tuple[str, str], ...], ...]

    @classmethod
    def of(cls, columns: Sequence[tuple[str, str]], lines: Iterable[Sequence[str]]) -> Grid:
        """Return a table of columns (name and kind) and lines of text."""
        kinds = [kind for _, kind in columns]
        return cls(tuple(columns), tuple(tuple(zip(line, kinds, strict=True)) for line in lines))


class Titled(NamedTuple):
    """A table with its title."""

    title: str
    table: Grid


def _claimed(number: float | None) -> str:
    return "" if number is None else f"{abs(number):,.1f} on side {'B' if number > 0 else 'A'}"


def region_facts(row: Row) -> Facts:
    """Return the numbers and words of a row; what does not apply is left out."""
    n_a, n_b = _SIDES.get(row.kind, ("", "entries"))
    ratio, bump = row.ratio or RatioPart(), row.bump or BumpPart()
    asymmetry = "" if ratio.asymmetry is None else percent(100.0 * ratio.asymmetry)
    z_nominal = "" if ratio.z_nominal is None else f"{z_text(ratio.z_nominal)} with the plan's kappa, taken as exact"
    mass = "" if bump.position is None else f"{bump.position:.5g} GeV, width {bump.width or 0.0:.3g} GeV"
    span = "" if bump.low is None or bump.high is None else f"{bump.low:.5g} to {bump.high:.5g} GeV"
    found = [
        ("rank", "" if row.rank is None else f"{row.rank:,}"),
        ("comparison" if row.kind == "comparison" else "symmetry", row.symmetry or ""),
        ("observable" if row.symmetry else "spectrum", row.observable or ""),
        ("cell", row.cell or ""),
        ("region", where_of(row)),
        ("test", row.test),
        (n_a, side_a_of(row)),
        (n_b, amount(row.n_b)),
        ("expected B / A", "" if ratio.kappa is None else f"{ratio.kappa:.5g}"),
        ("events that the expectation claims", _claimed(ratio.claimed)),
        ("statistic", "" if row.statistic is None else minus(f"{row.statistic:+.4g}")),
        ("z local", _with_error(row)),
        ("z nominal", z_nominal),
        ("p local", p_of(row, "p_local")),
        ("p of this spectrum" if row.kind == "spectrum" else "p of this cell", p_of(row, "p_cell", count=True)),
        ("toys above it", toys_of(row)),
        (
            "p of this comparison" if row.kind == "comparison" else "p of this symmetry",
            p_of(row, "p_symmetry", count=True),
        ),
        ("p global", p_of(row, "p_global", count=True)),
        ("z global", minus_in(z_global_of(row))),
        ("z and p are", convention_of(row)),
        ("extrapolated p global", tail_text(row.tail)),
        ("method", method_of(row)),
        ("asymmetry that would explain it", asymmetry),
        ("bins that are not empty", f"{row.n_bins:,}" if row.n_bins else ""),
        ("regions tested in the cell", "" if row.n_regions is None else f"{row.n_regions:,}"),
        ("cells with exactly these events", "" if row.aliases is None else f"{row.aliases:,}"),
        ("mass", mass),
        ("fit range", span),
        ("events outside of the test", "" if row.n_dropped is None else f"{row.n_dropped:,}"),
        ("status", "" if row.status == "OK" else row.status),
        ("not tested as" if row.status != "OK" else "range", row.reason or ""),
        ("bump of this spectrum", "" if bump.bump_number is None else f"{bump.bump_number}, the strongest is 1"),
        ("events in the bump, as fitted", "" if bump.bump_events is None else f"{bump.bump_events:,.4g}"),
        ("flags", explained(bump.flags or "")),
        ("explained by", "" if row.cause is None else f"{row.cause.cause}: {row.cause.explanation}"),
    ]
    return [(name, value) for name, value in found if name and value]


def _with_error(row: Row) -> str:
    error = None if row.bump is None else row.bump.z_error
    return z_text(row.z_local) + ("" if error is None else f" \N{PLUS-MINUS SIGN} {error:.2f}")


def provenance_facts(report: ScanReport) -> Facts:
    """Return the provenance of the numbers."""
    inputs = report.inputs
    versions = inputs.get("versions")
    found = [
        ("plan", report.plan),
        ("data", dataset_words(inputs)),
        ("fingerprint of the plan", report.fingerprint),
        ("seed", str(report.seed)),
        ("events", _whole(inputs.get("events"))),
        ("files", _whole(inputs.get("files"))),
        ("spectra", _whole(inputs.get("spectra"))),
        ("datasets", ", ".join(map(str, _list(inputs.get("datasets"))))),
        ("complete", "no: PARTIAL" if report.partial else "yes"),
        ("weighted", "yes" if inputs.get("weighted") else ""),
        ("coffea_ddp", str(inputs.get("package", ""))),
        ("versions", _pairs(versions)),
        ("options of the scan", _pairs(report.options)),
        ("cells", _cells(inputs.get("cells"))),
    ]
    return [(name, value) for name, value in found if value]


def _whole(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _pairs(value: Any) -> str:
    if not isinstance(value, Mapping):
        return ""
    return ", ".join(f"{name} {_plain(item)}" for name, item in value.items() if item not in (None, "", [], {}))


def _plain(item: Any) -> str:
    if isinstance(item, Mapping):
        return f"({_pairs(item)})"
    return "/".join(map(str, item)) if isinstance(item, list | tuple) else str(item)


def _cells(axes: Any) -> str:
    described = [axis for axis in _list(axes) if isinstance(axis, Mapping)]
    return ", ".join(
        f"{axis['multiplicity']} (0 to {axis.get('last')}+)" if "multiplicity" in axis else str(axis.get("topology"))
        for axis in described
    )


def provenance_tables(report: ScanReport, hists: Histograms | None) -> list[Titled]:
    """Return the cutflow of every dataset, the branches that were read, and with histograms the files."""
    found = []
    cutflows = _mapping(report.inputs.get("cutflow"))
    for dataset, cutflow in itertools.islice(cutflows.items(), _MOST_FILES):
        steps = itertools.islice(_mapping(cutflow).items(), _MOST_FILES)
        lines = [[str(step), _whole(number)] for step, number in steps]
        found.append(Titled(f"Cutflow of {dataset}", Grid.of([("step", "text"), ("events", "num")], lines)))
    if len(cutflows) > _MOST_FILES:
        more = [[f"and {len(cutflows) - _MOST_FILES:,} more datasets, not shown", ""]]
        found.append(Titled("Other datasets", Grid.of([("step", "text"), ("events", "num")], more)))
    told_choices = _mapping(report.inputs.get("choices"))
    roles = {role: used for role, used in told_choices.items() if not is_about_dataset(str(role))}
    choices = [
        [str(role), some_of(map(str, _list(used)), _MOST_FILES)]
        for role, used in itertools.islice(roles.items(), _MOST_FILES)
    ]
    choices += [[f"and {len(roles) - _MOST_FILES:,} more, not shown", ""]] if len(roles) > _MOST_FILES else []
    if choices:
        columns = [("what", "text"), ("branch that was used", "text")]
        found.append(Titled("Branches, where formats and versions differ", Grid.of(columns, choices)))
    samples = sample_lines(report.inputs)
    if samples:
        found.append(Titled("Simulation, as it was normalised", Grid.of(COLUMNS, samples)))
    closes = closure_lines(report.inputs)
    if closes:
        columns = [("variable", "text"), ("bins", "num"), ("chi2 without", "num"), ("chi2", "num"), ("p", "num")]
        lines = [
            [name, str(n), f"{before:.1f}", f"{after:.1f}", probability(p)] for name, n, before, after, p in closes
        ]
        found.append(Titled("Closure of the calibration: side B against what is expected", Grid.of(columns, lines)))
    return [*found, *([] if hists is None else [_files(hists)])]


def _files(hists: Histograms) -> Titled:
    records = list(hists.ledger.files.items())
    lines = [
        [
            record.dataset,
            record.filename,
            tree,
            uuid,
            f"{sum(stop - start for start, stop in record.intervals):,}",
            _spans(record.intervals),
        ]
        for (uuid, tree), record in records[:_MOST_FILES]
    ]
    more = "" if len(records) <= _MOST_FILES else f", the first {_MOST_FILES:,}"
    columns = [
        ("dataset", "text"),
        ("file", "text"),
        ("tree", "text"),
        ("uuid", "text"),
        ("events", "num"),
        ("entries", "text"),
    ]
    return Titled(f"Files ({len(records):,}{more})", Grid.of(columns, lines))


def _spans(intervals: Sequence[tuple[int, int]]) -> str:
    return some_of((f"{start:,} to {stop:,}" for start, stop in intervals), 3)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def summary_grid(report: ScanReport) -> Grid | None:
    """Return the numbers of cells and trials of every symmetry; ``None`` where there is none."""
    columns = [("symmetry", "text"), ("A", "text"), ("B", "text"), ("expected B / A", "num"), ("cells", "num"),
               ("filled", "num"), ("distinct", "num"), ("trials", "num")]  # fmt: skip
    lines = [
        [one.symmetry, *one.sides, f"{one.kappa:.5g}", f"{one.n_cells:,}", f"{one.n_cells - one.n_empty:,}",
         f"{one.n_distinct:,}", f"{one.n_tested:,}"]
        for one in report.summaries
    ]  # fmt: skip
    return Grid.of(columns, lines) if lines else None


def global_grid(report: ScanReport) -> Grid | None:
    """Return the global p-values of the best of every symmetry and of all; ``None`` without pseudo-experiments."""
    columns = [
        ("best of", "text"),
        ("what", "text"),
        ("score", "num"),
        ("p", "num"),
        ("n_ge of n", "text"),
        ("tail", "text"),
        ("method", "text"),
    ]
    lines = [
        [one.scope or "the whole report", one.what, z_text(one.score),
         bound(one.n) if is_bound(one.p_value, one.n_ge, one.n) else probability(one.p_value),
         f"{one.n_ge} of {one.n}", tail_text(one), one.method]
        for one in report.global_p
    ]  # fmt: skip
    return Grid.of(columns, lines) if lines else None
