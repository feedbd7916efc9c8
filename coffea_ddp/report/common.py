"""Rows of one cause: a ratio of the sides that many cells have in common, as a difference of efficiencies makes it.

Examples
--------
>>> found = CommonAsymmetry(
...     symmetry="e/mu", sides=("e", "mu"), log_ratio=0.131, error=0.008, spread=0.0, n_cells=92, n_compatible=87,
...     chi2=101.0, p_value=0.2, ranks=(1, 2, 5),
... )  # fmt: skip
>>> found.text.partition(":")[0], found.text.partition(": ")[2].partition(";")[0]
('e/mu', 'mu exceeds e by 14.0 % in 87 of 92 cells (chi2 = 101.0 for 91 degrees of freedom, p = 0.2)')
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coffea_ddp.errors import FormatError
from coffea_ddp.report.closure import calibration_sentences
from coffea_ddp.report.summaries import typed

if TYPE_CHECKING:
    from coffea_ddp.report.rows import Row


_CAUSES = 5
"""Causes of bumps that are told in a sentence each."""


@dataclass(frozen=True, kw_only=True)
class CommonAsymmetry:
    """An excess of one side that the exclusive cells of a symmetry have in common, and the rows that it explains.

    Attributes
    ----------
    symmetry, sides
        The symmetry, and the names of A and B.
    log_ratio, error
        Logarithm of B over its expectation, positive where B is in excess, and its standard error.
    spread
        Standard deviation of the true values of the cells around it; 0 where counting statistics explain the scatter.
    n_cells, n_compatible
        Exclusive cells with 20 events or more, and those within 3 standard deviations, spread included.
    chi2, p_value
        Of the hypothesis that all of these cells have one ratio, with ``n_cells - 1`` degrees of freedom.
    ranks
        Of the rows that are compatible with it (:meth:`coffea_ddp.stats.CommonRatio.explains`), the strongest first.
    """

    symmetry: str
    sides: tuple[str, str]
    log_ratio: float
    error: float
    spread: float
    n_cells: int
    n_compatible: int
    chi2: float
    p_value: float
    ranks: tuple[int, ...]

    @property
    def text(self) -> str:
        """The common asymmetry in a sentence, and what to do about it."""
        more, less = self.sides[::-1] if self.log_ratio > 0 else self.sides
        spread = f", {100 * self.spread:.1f} % from cell to cell," if self.spread else ""
        return (
            f"{self.symmetry}: {more} exceeds {less} by {100 * math.expm1(abs(self.log_ratio)):.1f} %{spread} in "
            f"{self.n_compatible:,} of {self.n_cells:,} cells (chi2 = {self.chi2:.1f} for {self.n_cells - 1:,} degrees "
            f"of freedom, p = {self.p_value:.2g}); {len(self.ranks):,} rows are compatible with this one cause, the "
            "strongest of which is listed. Different efficiencies of the two sides do that: calibrate them with "
            "`coffea-ddp calibrate`, or give the expected ratio with --kappa"
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CommonAsymmetry:
        """Return what ``dataclasses.asdict`` described.

        Raises
        ------
        FormatError, KeyError, TypeError, ValueError
            If it is none.
        """
        a, b = typed(data, "sides", list)
        n_cells, n_compatible = (typed(data, name, int) for name in ("n_cells", "n_compatible"))
        if n_compatible > n_cells:
            raise FormatError(f"'n_compatible' is above n_cells = {n_cells}; make it again with `coffea-ddp scan`")
        return cls(
            symmetry=typed(data, "symmetry", str),
            sides=(str(a), str(b)),
            n_cells=n_cells,
            n_compatible=n_compatible,
            ranks=tuple(int(rank) for rank in typed(data, "ranks", list)),
            **{name: float(data[name]) for name in ("log_ratio", "error", "spread", "chi2", "p_value")},
        )


def causes(common: Sequence[CommonAsymmetry], inputs: Mapping[str, Any], rows: Sequence[Row] = ()) -> list[str]:
    """Return the calibration of a report's inputs, its common asymmetries and what explains bumps, in sentences."""
    return [*calibration_sentences(inputs), *(one.text for one in common), *explanations(rows)]


def explanations(rows: Sequence[Row]) -> list[str]:
    """Return what kinematics explain, a sentence for each cause: how many rows, and the strongest of them."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.cause is not None:
            groups.setdefault(str(row.cause.cause), []).append(row)
    sentences = []
    for cause, members in groups.items():
        first, bump = members[0], members[0].bump
        where = "" if bump is None or bump.position is None else f" at {bump.position:.4g} GeV"
        many = "1 bump is" if len(members) == 1 else f"{len(members):,} bumps are"
        explanation = "" if first.cause is None else first.cause.explanation
        named = f"{first.observable} in {first.cell}{where}"
        sentences.append(f"{cause}: {many} explained by it, the strongest in {named}: {explanation}")
    others = len(sentences) - _CAUSES
    many = "1 more cause explains bumps" if others == 1 else f"{others:,} more causes explain bumps"
    more = [f"{many}; the rows say which, in the column cause"] if others > 0 else []
    return [*sentences[:_CAUSES], *more]


def leading_rows(rows: Sequence[Row], common: Sequence[CommonAsymmetry] = ()) -> list[Row]:
    """Return the rows without those of a stronger one: that hold mostly its events, or have its common cause.

    Bumps that kinematics explain are left out, too.
    """
    explained = {rank for one in common for rank in one.ranks[1:]}
    return [row for row in rows if row.is_leading and row.rank not in explained and not row.is_explained]
