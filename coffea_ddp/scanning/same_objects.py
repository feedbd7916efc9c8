"""Bumps of the same objects under another assumption: a new resonance of e and mu is a bump of W(mu nu) and e, too.

The events of a spectrum with candidates or neutrinos are some of those of the spectrum of its visible objects alone. A
bump of the former is explained by a bump of the latter where that is beyond chance, close in mass, and where in every
exclusive cell about as many events are under the one as under the other. How many are in both is known only as a
bound, the smaller number of each exclusive cell; the bump that explains is there to be read.

Examples
--------
>>> import numpy as np
>>> visible("Wm0ne0") == visible("e0m0"), is_direct("e0m0"), is_direct("Wm0ne0")
(True, True, False)
>>> in_common(np.array([10.0, 0.0, 4.0]), np.array([[8.0, 0.0, 4.0], [0.0, 9.0, 4.0]])).round(2)
array([0.86, 0.17])
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.report.parts import CausePart
from coffea_ddp.stats.grouping import OVERLAP

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray
    from coffea_ddp.histograms.layout import Layout
    from coffea_ddp.report.rows import Row

    UnderBump = Callable[[Row], tuple[IntArray, FloatArray]]
    """The exclusive cells that a row is made of, and the events under its bump in each."""

CHANCE = 0.05
"""Bumps with a larger global p explain nothing, and those with a larger p of their spectrum need no explanation."""
_CLOSE = 1.5
"""Masses are further apart than by this factor for other reasons than a neutrino, or a mass that is set."""
_KEPT = 1024
"""Bumps whose events in all exclusive cells are kept while others are compared with them."""
_OBJECT = re.compile(r"[a-z]\d")


def visible(exchange_name: str) -> tuple[str, ...]:
    """Return the visible objects of a spectrum by their letters and places, sorted, without neutrinos and candidates.

    Parameters
    ----------
    exchange_name
        Of its combination in the exchange format.
    """
    return tuple(sorted(_OBJECT.findall(exchange_name)))


def is_direct(exchange_name: str) -> bool:
    """Return whether a spectrum is the mass of visible objects and nothing else."""
    return bool(exchange_name) and _OBJECT.sub("", exchange_name) == ""


def in_common(events: FloatArray, others: FloatArray) -> FloatArray:
    """Return events in both over events in either, at most, shape (n_others,).

    Parameters
    ----------
    events
        Of every exclusive cell, shape (n_codes,).
    others
        The same of others, shape (n_others, n_codes).
    """
    either = np.maximum(events, others).sum(axis=1)
    return np.asarray(np.minimum(events, others).sum(axis=1) / np.maximum(either, 1e-9))


def with_same_objects(layout: Layout, rows: Sequence[Row], under_bump: UnderBump) -> list[Row]:
    """Return the rows of spectra, those that a bump of the same objects explains with their cause.

    Parameters
    ----------
    layout
        Of the output.
    rows
        Of its spectra; those that are explained already explain nothing.
    under_bump
        Gives the events under the bump of a row.
    """
    names = {spectrum.name: spectrum.exchange_name for spectrum in layout.spectra}
    direct: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(rows):
        if is_direct(names[str(row.observable)]) and _is_found(row):
            direct.setdefault(visible(names[str(row.observable)]), []).append(number)

    @lru_cache(maxsize=_KEPT)
    def under(number: int) -> tuple[IntArray, FloatArray]:
        codes, events = under_bump(rows[number])
        filled = np.flatnonzero(events)
        return codes[filled], events[filled]

    found = list(rows)
    # Neighbours in mass are compared with the same bumps, which are kept.
    for number in sorted(range(len(rows)), key=lambda one: _position(rows[one])):
        row = rows[number]
        name = names[str(row.observable)]
        strongest = direct.get(visible(name), [])
        if strongest and not is_direct(name) and _needs_a_cause(row):
            close = [one for one in strongest if _is_close(row, rows[one])]
            if close:
                cause = _cause(under_bump(row), [rows[one] for one in close], [under(one) for one in close])
                found[number] = dataclasses.replace(row, cause=cause)
    return found


def _is_found(row: Row) -> bool:
    """Return whether a row is a bump beyond chance that nothing explains; one without p is so beyond all doubt."""
    p = 0.0 if row.p_global is None and row.z_global is not None else row.p_global
    return _is_bump(row) and p is not None and p <= CHANCE


def _needs_a_cause(row: Row) -> bool:
    return _is_bump(row) and (row.p_cell is None or row.p_cell <= CHANCE)


def _is_bump(row: Row) -> bool:
    return row.cause is None and row.z_local is not None and row.bump is not None and bool(row.bump.position)


def _position(row: Row) -> float:
    """Return the mass of a bump; 0 where there is none."""
    return row.bump.position or 0.0 if row.bump else 0.0


def _is_close(row: Row, other: Row) -> bool:
    """Return whether the masses of two bumps are close."""
    mass, of_other = _position(row), _position(other)
    return min(mass, of_other) > 0.0 and abs(math.log(of_other / mass)) < math.log(_CLOSE)


def _cause(
    here: tuple[IntArray, FloatArray], direct: Sequence[Row], there: Sequence[tuple[IntArray, FloatArray]]
) -> CausePart | None:
    """Return which of some bumps explains one, by the events under it and under them; ``None`` where none does."""
    codes, events = here
    shares = in_common(np.append(events, 0.0), np.array([_placed(codes, *one) for one in there]))
    best = int(shares.argmax())
    if shares[best] <= OVERLAP:
        return None
    one = direct[best]
    at = one.bump.position if one.bump else None
    said = (
        f"the same objects have a bump in {one.observable} at {at:.4g} GeV in {one.cell}; about as many events are "
        f"under both in every exclusive cell: at most {100 * shares[best]:.0f} % of those under either are in both"
    )
    return CausePart(f"bump in {one.observable}", None, said)


def _placed(codes: IntArray, others: IntArray, events: FloatArray) -> FloatArray:
    """Return the events of other exclusive cells in the order of ``codes``, and those of no such cell, added up."""
    place = np.searchsorted(codes, others)
    known = (place < len(codes)) & (codes[np.minimum(place, len(codes) - 1)] == others)
    placed = np.bincount(place[known], events[known], minlength=len(codes))
    return np.append(placed, events[~known].sum())
