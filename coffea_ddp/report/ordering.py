"""The order of rows: by global p, equal ones by the size of local z; those that kinematics explain come last.

The global p is the significance of a row, however it was made; a fitted tail never ranks. Many rows have one p: all
that no pseudo-experiment reaches share 1/(N + 1). Among them abs(z_local) decides, which is the z of one region of one
test: those of different tests are not on one scale, as the best of 10^5 rectangles has a larger z than one test of a
whole cell.

Examples
--------
>>> sorted([(0.01, 7.5), (0.01, -12.0), (None, 40.0), (0.5, 1.0)], key=lambda pair: sort_key(*pair))
[(None, 40.0), (0.01, -12.0), (0.01, 7.5), (0.5, 1.0)]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from coffea_ddp.report.parts import TailPart
from coffea_ddp.stats.trials import z_from_p

if TYPE_CHECKING:
    from coffea_ddp.report.rows import Row

UNDERFLOW = 37.0
"""A z of this size has p below what doubles hold to their full precision."""


def sort_key(p_global: float | None, z_local: float | None) -> tuple[float, float]:
    """Return the key by which rows are sorted, the smallest first.

    Parameters
    ----------
    p_global
        Global p; ``None`` of a row with a z is an underflow, the smallest of all.
    z_local
        Local z; ``None`` where there is none, which comes last.
    """
    if z_local is None:
        return (1.0 if p_global is None else p_global, 0.0)
    return (0.0 if p_global is None and abs(z_local) > UNDERFLOW else 1.0 if p_global is None else p_global,
            -abs(z_local))  # fmt: skip


def consistent(row: Row) -> Row:
    """Return the row with p_local <= p_cell <= p_symmetry <= p_global, none of which is lowered.

    A p after more trials cannot be below one after fewer; where they were made in different ways (a formula, and
    pseudo-experiments), the larger one stands. z_global is that of p_global.
    """
    changed: dict[str, Any] = {}
    first = least = row.p_local or 0.0
    for name in ("p_cell", "p_symmetry", "p_global"):
        p = getattr(row, name)
        if p is not None and p < least:
            changed[name] = least
        least = max(least, p or 0.0)
    if row.tail is not None:  # an extrapolation is below what was counted, and never below p_local
        tails = {name: p if p is None else max(p, first) for name, p in vars(row.tail).items()}
        changed |= {"tail": TailPart(**tails)} if tails != vars(row.tail) else {}
    if "p_global" in changed:
        size = float(z_from_p(changed["p_global"], two_sided=bool(row.two_sided)))
        changed["z_global"] = -size if row.two_sided and (row.z_local or 0.0) < 0 else size
    return dataclasses.replace(row, **changed) if changed else row


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Return the rows in their order with the ranks that they have; those without a rank as they are, last."""
    having = sorted(
        (row for row in rows if row.rank is not None),
        key=lambda row: (row.is_explained, *sort_key(row.p_global, row.z_local)),
    )
    return [*having, *(row for row in rows if row.rank is None)]


def ranked(rows: Sequence[Row]) -> list[Row]:
    """Return the rows in their order with ranks from 1: those that have a rank first, then the others as they are.

    Groups of rows about mostly the same events (:attr:`~coffea_ddp.report.rows.Row.similar_to`) stay together under the
    new rank of their first one.
    """
    order = in_order(rows)
    first: dict[int, int] = {}
    for rank, row in enumerate(order, 1):
        if row.rank is not None and row.similar_to is not None:
            first.setdefault(row.similar_to, rank)
    return [
        row if row.rank is None else _with_rank(row, rank, None if row.similar_to is None else first[row.similar_to])
        for rank, row in enumerate(order, 1)
    ]


def _with_rank(row: Row, rank: int, similar_to: int | None) -> Row:
    if (row.rank, row.similar_to) == (rank, similar_to):
        return row
    return dataclasses.replace(row, rank=rank, similar_to=similar_to)
