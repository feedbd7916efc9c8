"""Numbers of a report as text: p-values, bounds, and their z.

A p that no pseudo-experiment reaches is not 1/(N + 1) but below it, and is shown so; what is extrapolated bears a
tilde; what no double can hold is below 1e-300.

Examples
--------
>>> counted(1 / 101, 0, 100, two_sided=True), counted(0.5, 50, 101, two_sided=True)
('p < 0.01 (0 of 100), z > 2.6', 'p = 0.5 (50 of 101), z = 0.7')
>>> needed(5.0, two_sided=True)
1744277
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from coffea_ddp.report.ordering import UNDERFLOW
from coffea_ddp.report.parts import SMALLEST_P
from coffea_ddp.stats.trials import bound, p_from_z, z_from_p

if TYPE_CHECKING:
    from coffea_ddp.report.parts import TailPart
    from coffea_ddp.report.rows import Row
    from coffea_ddp.report.summaries import GlobalP

CALIBRATED = 5e-4
"""The smallest p that the calibration of the bump hunt was counted to; below, a normal tail goes on."""
_SMALLEST = f"< {SMALLEST_P:.0e}"
_DISCOVERY = 5.0
_EXACT = 1e15
"""Below, doubles hold every whole number."""


def number(value: float | None) -> str:
    """Return a number with its sign and two digits; nothing for ``None``."""
    # Rounded first: -0.001 is no -0.00.
    return "" if value is None else f"{round(value, 2) + 0.0:+.2f}"


def amount(value: float | None) -> str:
    """Return a number of events: all digits of a whole one, seven of a sum of weights; nothing for ``None``."""
    if value is None:
        return ""
    return f"{int(value):,}" if abs(value) < _EXACT and value == int(value) else f"{value:,.7g}"


def expectation(value: float, error: float | None) -> str:
    """Return an expected number of events with its uncertainty, to two digits of that.

    Examples
    --------
    >>> expectation(0.67690, 0.70002), expectation(709.69, 12.3), expectation(3.0, 0.0)
    ('0.68 ± 0.70', '710 ± 12', '3 ± 0')
    """
    if error is None or not error > 0:
        return f"{value:.4g}" + ("" if error is None else " \N{PLUS-MINUS SIGN} 0")
    digits = max(1 - math.floor(math.log10(error)), 0)
    return f"{value:,.{digits}f} \N{PLUS-MINUS SIGN} {error:,.{digits}f}"


def side_a_of(row: Row) -> str:
    """Return the contents of side A as text: events, or what simulation leads to expect; nothing for ``None``."""
    if row.kind != "comparison" or row.n_a is None:
        return amount(row.n_a)
    return expectation(row.n_a, row.n_a_error)


def probability(p: float | None) -> str:
    """Return a probability with two digits; nothing for ``None``."""
    return "" if p is None else f"{p:.2g}" if p >= SMALLEST_P else _SMALLEST


def is_bound(p: float | None, n_ge: int | None, n: int | None) -> bool:
    """Return True where p is a bound: none of n pseudo-experiments reaches the observed value."""
    return n_ge == 0 and n is not None and p is not None and math.isclose(p, 1.0 / (n + 1), rel_tol=1e-9)


def needed(z: float, *, two_sided: bool) -> int:
    """Return how many pseudo-experiments it takes until p = 1/(N + 1) can be that of z."""
    return math.ceil(1.0 / p_from_z(z, two_sided=two_sided)) - 1


def counted(p: float, n_ge: int, n: int, *, two_sided: bool) -> str:
    """Return a counted p with its count and z; a bound where none reaches it."""
    z = z_from_p(p, two_sided=two_sided)
    if is_bound(p, n_ge, n):
        return f"p {bound(n)} ({n_ge} of {n}), z > {z:.1f}"
    return f"p = {probability(p)} ({n_ge} of {n}), z = {z:.1f}"


def plain_p(p: float | None, n_ge: int | None, n: int | None) -> str:
    """Return ``"p = 0.03"``, or ``"p < 0.01 (0 of 100)"`` where that is all that n pseudo-experiments can say."""
    text = counted_p(p, n_ge, n)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def counted_p(p: float | None, n_ge: int | None, n: int | None) -> str:
    """Return ``"0.03"``, or ``"< 0.01 (0 of 100)"``; nothing for ``None``."""
    return f"{bound(n)} ({n_ge} of {n})" if n is not None and is_bound(p, n_ge, n) else probability(p)


def region_of(row: Row) -> str:
    """Return the region of a row as text; nothing where the row is about the whole range."""
    return "" if row.region is None else str(row.region)


def where_of(row: Row) -> str:
    """Return the region of a row as text, of a bump its mass and its range; nothing where there is none."""
    position, region = None if row.bump is None else row.bump.position, region_of(row)
    if position is None:
        return region
    return f"{position:.4g} GeV ({region})" if region else f"{position:.4g} GeV"


def local_method_of(row: Row) -> str:
    """Return the test of a row and how its local p was made, as one sentence."""
    return "; ".join(filter(None, (row.method, row.p_method and f"p: {row.p_method}")))


def method_of(row: Row) -> str:
    """Return the test of a row and how its p-values were made, as one sentence."""
    return "; ".join(filter(None, (local_method_of(row), row.global_method and f"global p: {row.global_method}")))


def p_of(row: Row, name: str, *, count: bool = False) -> str:
    """Return a p of a row as text; nothing where it has none.

    Parameters
    ----------
    row
        Of a report.
    name
        Its attribute: ``"p_local"``, ``"p_cell"``, ``"p_symmetry"`` or ``"p_global"``.
    count
        Whether a bound tells its count, as in ``"< 0.01 (0 of 100)"``.
    """
    p: float | None = getattr(row, name)
    if p is None:
        return _SMALLEST if _underflows(row, name) else ""
    n_ge, n = _counts(row, name, p)
    if n is not None and is_bound(p, n_ge, n):
        return counted_p(p, n_ge, n) if count else bound(n)
    beyond = row.kind == "spectrum" and name != "p_local" and (row.p_cell is None or row.p_cell < CALIBRATED)
    return f"{'~' * beyond}{probability(p)}"


def z_global_of(row: Row) -> str:
    """Return the global z as text, a bound where p is one: its size is at least that."""
    if row.z_global is None or not row.is_bound:
        return number(row.z_global)
    return f"{'<' if row.z_global < 0 else '>'} {number(math.trunc(100.0 * row.z_global) / 100.0)}"


def significance_of(row: Row) -> str:
    """Return the global p and z as text; nothing where there is no p."""
    if row.is_bound and row.p_global is not None and row.n_ge is not None and row.n is not None:
        return counted(row.p_global, row.n_ge, row.n, two_sided=bool(row.two_sided))
    p = p_of(row, "p_global")
    z = f", z = {number(row.z_global)}" if row.z_global is not None else ""
    return f"p {p if p.startswith('<') else f'= {p}'}{z}" if p else ""


def toys_of(row: Row) -> str:
    """Return how many toys of a bump reach it, of how many; nothing where there are none."""
    return f"{row.n_ge} of {row.n}" if row.kind == "spectrum" and row.n is not None else ""


def convention_of(row: Row) -> str:
    """Return the convention that ties z to p in a row, in words."""
    return "two-sided: a deviation of either sign" if row.two_sided else "one-sided: an excess"


def summary_text(found: GlobalP) -> str:
    """Return the global p of the best of many trials, with its fitted tail."""
    text = counted(found.p_value, found.n_ge, found.n, two_sided=True)
    return " ".join(filter(None, (text, tail_text(found))))


def more_would_take(found: GlobalP) -> str:
    """Return how many pseudo-experiments would say more; nothing where some reach the observed value."""
    if not is_bound(found.p_value, found.n_ge, found.n):
        return ""
    said = f"a bound, from {found.n:,} pseudo-experiments"
    return f"{said}; z = {_DISCOVERY:g} would take {needed(_DISCOVERY, two_sided=True):,}"


def tail_text(found: TailPart | GlobalP | None) -> str:
    """Return an extrapolated p-value with its interval; nothing where there is none."""
    if found is None or found.p_tail is None:
        return ""
    low, high = probability(found.p_tail_low), probability(found.p_tail_high)
    return f"~{probability(found.p_tail)} [{low}, {high}]" if low and high else f"~{probability(found.p_tail)}"


def _counts(row: Row, name: str, p: float) -> tuple[int | None, int | None]:
    """Return from which count a p of a row was made."""
    if row.kind == "spectrum":
        return None, None
    if name in ("p_local", "p_cell"):  # a local p is counted where there is no formula for it
        return row.n_ge_cell, row.n_cell
    if name == "p_symmetry":  # of the same pseudo-experiments as p_global
        return (0 if row.n is not None and p * (row.n + 1) < 1.5 else None), row.n
    return row.n_ge, row.n


def _underflows(row: Row, name: str) -> bool:
    """Return True where p is missing as it is too small for a number."""
    z = row.z_global if name == "p_global" else row.z_local
    if z is None or (z < 0 and not row.two_sided) or abs(z) <= UNDERFLOW:
        return False
    return name in ("p_local", "p_global") or (name == "p_cell" and row.kind == "spectrum")
