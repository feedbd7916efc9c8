"""The outcome of a scan in one sentence, the resolution of its global z, and what there is to be careful of.

Examples
--------
>>> from coffea_ddp.report.report import ScanReport
>>> report = ScanReport(plan="demo", fingerprint="", seed=1, inputs={"events": 1200}, trials=0, rows=())
>>> finding(report).sentence
'Nothing was tested: no cell has enough events.'
>>> resolution(28, 1000, two_sided=True)
(0.09, 0.07)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy import special

from coffea_ddp.report.cell_words import cell_words, symbols
from coffea_ddp.report.closure import open_variables
from coffea_ddp.report.common import leading_rows
from coffea_ddp.report.display import amount, p_of, side_a_of, where_of, z_global_of
from coffea_ddp.report.parts import BumpPart, RatioPart
from coffea_ddp.report.simulated import not_simulated
from coffea_ddp.stats.status import Status
from coffea_ddp.stats.trials import bound, z_from_p

if TYPE_CHECKING:
    from coffea_ddp.report.report import ScanReport
    from coffea_ddp.report.rows import Row

BEYOND = 3.0
"""The global z from which on a region is named as a finding."""
_ONE_SIGMA = 0.158655253931457
_UNBINNED = ("nplm", "classifier")


@dataclass(frozen=True)
class Finding:
    """The outcome of a scan.

    Attributes
    ----------
    sentence
        In words.
    row
        The leading region; ``None`` where nothing was tested, or kinematics explain all.
    significance
        The global z with its resolution, and from what it was made.
    how
        How the global p was made.
    is_beyond
        True where the global z of the region is 3 or more.
    """

    sentence: str
    row: Row | None = None
    significance: str = ""
    how: str = ""
    is_beyond: bool = False


def finding(report: ScanReport, *, symbolic: bool = False) -> Finding:
    """Return the outcome of a scan.

    Parameters
    ----------
    report
        Of a scan.
    symbolic
        Whether particles are named by their symbols.
    """
    written = symbols if symbolic else str
    row = leading_row(report)
    if row is None:
        return Finding(_nothing(report))
    z = _global_z(row)
    trials = f"{report.trials:,} trials" if report.trials != 1 else "one trial"
    where = written(region_words(report, row))
    if z is not None and z >= BEYOND:
        sentence = f"Beyond 3 sigma after {trials}: {where}."
    elif row.is_bound:
        sentence = (
            f"No statement beyond 3 sigma after {trials}: none of {row.n:,} pseudo-experiments reaches the leading "
            f"region, and more (--toys) are needed to tell its global z. It is {where}."
        )
    else:
        sentence = f"Nothing beyond 3 sigma after {trials}. The leading region is {where}."
    return Finding(
        sentence, row, significance_words(row), row.global_method or row.method, is_beyond=z is not None and z >= BEYOND
    )


def leading_row(report: ScanReport) -> Row | None:
    """Return the first row that kinematics do not explain; ``None`` where there is none with a z."""
    rows = leading_rows(report.rows, report.common_asymmetries)
    return next((row for row in rows if row.rank is not None and row.z_local is not None), None)


def _nothing(report: ScanReport) -> str:
    """Return in a sentence why no row leads."""
    if any(one.is_explained for one in report.rows):
        return "Nothing but what kinematics explain."
    return f"Nothing was tested: {'; '.join(untested(report)) or 'no cell has enough events'}."


def untested(report: ScanReport) -> list[str]:
    """Return in words why spectra that have enough events were not tested."""
    without = {Status.OK.name, Status.TOO_FEW_ENTRIES.name}
    rows = (row for row in report.rows if row.kind == "spectrum" and row.status not in without)
    return list(dict.fromkeys(row.reason or row.status for row in rows))


def _global_z(row: Row) -> float | None:
    """Return the size of the global z, of a bump that of an excess; ``None`` where there is none."""
    return row.z_global if row.z_global is None or not row.two_sided else abs(row.z_global)


def region_words(report: ScanReport, row: Row) -> str:
    """Return a region in words: the place, and the events of the sides against what is expected."""
    events = "all events" if row.cell in (None, "inclusive") else f"events with {cell_words(row.cell)}"
    region = f" at {where_of(row)}" if row.region is not None and row.kind != "spectrum" else ""
    if row.kind == "spectrum":
        return f"{_bump(row)} in {events}" if row.cell else _bump(row)
    place = f"{row.symmetry} in {events}{region}"
    if row.n_a is None or row.n_b is None:
        return place
    if row.kind == "comparison":
        observable = f"{row.observable} of " if row.region is None else ""
        counts = f"{amount(row.n_b)} events of data, {side_a_of(row)} expected from simulation"
        return f"{row.symmetry} in {observable}{events}{region}: {counts}"
    if row.test in _UNBINNED:
        return f"{place}: {amount(row.n_a)} and {amount(row.n_b)} events differ in shape ({row.test})"
    sides = next((one.sides for one in report.summaries if one.symmetry == row.symmetry), ("side A", "side B"))
    return f"{place}: {_excess(row, sides)}"


def _excess(row: Row, sides: tuple[str, str]) -> str:
    """Return the events of the side in excess, of how many, and those expected from the other side."""
    n_a, n_b = float(row.n_a or 0.0), float(row.n_b or 0.0)
    kappa = (row.ratio or RatioPart()).kappa or 1.0
    name, n, expected = (sides[1], n_b, kappa * n_a) if n_b >= kappa * n_a else (sides[0], n_a, n_b / kappa)
    return f"{name} in {amount(n)} of {amount(n_a + n_b)} events, {_expected(expected)} expected"


def _expected(value: float) -> str:
    return amount(value) if value == round(value) else amount(float(f"{value:.4g}"))


def _bump(row: Row) -> str:
    bump = row.bump or BumpPart()
    mass = "" if bump.position is None else f" at {bump.position:.4g} GeV"
    many = "" if bump.bump_events is None else f" ({bump.bump_events:,.3g} events above the background)"
    return f"a bump{mass} in the mass of {row.observable}{many}"


def resolution(n_ge: int, n: int, *, two_sided: bool) -> tuple[float, float]:
    """Return how far up and down a counted global z can move: 68 % binomial (Clopper-Pearson), to two digits.

    Parameters
    ----------
    n_ge, n
        Pseudo-experiments that reach the region, at least one, and all.
    two_sided
        The convention of z.
    """
    low = special.betaincinv(n_ge, n - n_ge + 1, _ONE_SIGMA)
    high = 1.0 if n_ge >= n else special.betaincinv(n_ge + 1, n - n_ge, 1.0 - _ONE_SIGMA)
    z, above, below = (float(z_from_p(p, two_sided=two_sided)) for p in ((n_ge + 1) / (n + 1), low, high))
    return round(above - z, 2), round(max(z - below, 0.0), 2)


def significance_words(row: Row) -> str:
    """Return the global z of a row with its resolution, in words."""
    p, z = p_of(row, "p_global"), z_global_of(row)
    if not p:
        return f"global z = {z}" if z else "no global p"
    p = p if p.startswith(("<", "~")) else f"= {p}"
    z = f"global z {z if z.startswith(('>', '<')) else f'= {z}'}, " if z else "global "
    if row.is_bound:
        return f"{z}p {bound(row.n or 0)}: a bound, 0 of {row.n:,} pseudo-experiments reach it"
    if row.n_ge and row.n and row.kind != "spectrum" and _is_count(row):
        up, down = resolution(row.n_ge, row.n, two_sided=bool(row.two_sided))
        error = f"\N{PLUS-MINUS SIGN} {up:.2f}" if up == down else f"+{up:.2f} -{down:.2f}"
        return f"{z.rstrip(', ')} {error}, p {p}: {row.n_ge:,} of {row.n:,} pseudo-experiments reach it"
    return f"{z}p {p}"


def _is_count(row: Row) -> bool:
    """Return True where the global p is that of a count, and was not raised to that of fewer trials."""
    counted = ((row.n_ge or 0) + 1) / ((row.n or 0) + 1)
    return row.p_global is not None and math.isclose(row.p_global, counted, rel_tol=1e-9)


def cautions(report: ScanReport) -> list[str]:
    """Return what is missing, or not closed, a short sentence each."""
    found = []
    if report.partial:
        first = f", first of all {report.missing[0]}" if report.missing else ""
        found.append(f"PARTIAL: {len(report.missing):,} missing from the input{first}.")
    open_ones = open_variables(report.inputs)
    if open_ones:
        found.append(f"The calibration does not close in {', '.join(open_ones)}.")
    found += [
        f"{one.symmetry}: a common asymmetry of {100 * math.expm1(abs(one.log_ratio)):.1f} % in "
        f"{one.n_compatible:,} of {one.n_cells:,} cells is not calibrated."
        for one in report.common_asymmetries
    ]
    if report.rows and not report.global_p and any(row.kind != "spectrum" for row in report.rows):
        found.append("No pseudo-experiments: global p-values of symmetries are the Sidak bound.")
    found += not_simulated(report.inputs)
    return found
