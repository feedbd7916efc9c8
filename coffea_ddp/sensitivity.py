"""Expected Z of every test against the injected Z, for a given background and a signal of known shape.

Every line injects a signal whose expected profile likelihood (Asimov data) has a chosen Z, and tells what the tests
find in toys: the likelihood references L1 and L2, which know the shape, N_sigma of the whole matrix, and the best
rectangle, before and after all rectangles.

Examples
--------
>>> background, template = np.full((6, 6), 30.0), np.zeros((6, 6))
>>> template[1:3, 2:4] = 1.0
>>> found = sensitivity(background, template, z=(0, 5), toys=100, seed=1)
>>> [round(row.n_signal, 1) for row in found.rows], round(found.rows[1].asimov_l2, 2)
([0.0, 90.3], 5.0)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp._text_tables import html_table, text_table
from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.likelihood import Kind, asimov_l1, asimov_l2, q0_l1, q0_l2, signal_for_z
from coffea_ddp.stats.nsigma import n_sigma
from coffea_ddp.stats.relabelling import stream
from coffea_ddp.stats.submatrix.submatrix import Alternative, Statistic, best_rectangles
from coffea_ddp.stats.tail import NullSample
from coffea_ddp.stats.trials import p_from_z, z_from_p

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike
    from rich.table import Table

    from coffea_ddp._typing import FloatArray, IntArray

GLOBAL_Z = 2.0
"""Power is the share of toys whose best rectangle is beyond a global 2 sigma, one-sided."""

_MOST = 1e15
"""numpy draws no Poisson numbers of larger means than about 10^18."""

NULL_TIMES = 5
"""Toys without a signal for each toy of a line: the threshold of the power lies in their tail."""


@dataclass(frozen=True)
class Found:
    """Median, and 16 % and 84 % quantiles, of the one-sided z of a test in toys."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, z: FloatArray) -> Found:
        """Return the summary of toys."""
        low, median, high = np.quantile(z, [0.16, 0.5, 0.84]).tolist()
        return cls(median, low, high)

    def __str__(self) -> str:
        """Return the median and the interval."""
        return f"{self.median:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class SensitivityRow:
    """One injected signal.

    Attributes
    ----------
    z_injected, n_signal
        The wanted Z, and the number of signal events on side B that has it.
    asimov_l1, asimov_l2
        Expected Z of the references.
    l1, l2, nsigma, rectangle
        What they find in toys; the rectangle before the others that were looked at (its size, where two-sided). A toy
        without any event has 0.
    z_global, z_global_method
        Of these rectangles, after all of them, one-sided; counted among the toys without a signal, or from their fitted
        tail. The method is that of the median.
    power
        Share of toys with a rectangle beyond :data:`GLOBAL_Z`.
    """

    z_injected: float
    n_signal: float
    asimov_l1: float
    asimov_l2: float
    l1: Found
    l2: Found
    nsigma: Found
    rectangle: Found
    z_global: Found
    z_global_method: str
    power: float


@dataclass(frozen=True)
class Sensitivity:
    """The outcome of :func:`sensitivity`; a table for terminals, notebooks and pandas."""

    rows: tuple[SensitivityRow, ...]
    kind: str
    kappa: float
    toys: int
    seed: int
    statistic: str
    alternative: str = "greater"

    @property
    def title(self) -> str:
        """Title of the table."""
        given = f"{self.kind.upper()}, kappa = {self.kappa:g}"
        return f"Z found against Z injected ({given}): median [16 %, 84 %] of {self.toys} toys"

    def _lines(self) -> list[list[str]]:
        lines = []
        for row in self.rows:
            marked = f"{row.z_global}~" if "tail" in row.z_global_method else str(row.z_global)
            expected = [f"{row.z_injected:g}", f"{row.n_signal:.1f}", f"{row.asimov_l1:.2f}", f"{row.asimov_l2:.2f}"]
            toys = [str(found) for found in (row.l1, row.l2, row.nsigma, row.rectangle)]
            lines.append([*expected, *toys, marked, f"{row.power:.2f}"])
        return lines

    @property
    def note(self) -> str:
        """Explanation of the numbers."""
        return (
            f"events, L1, L2: expected, data without fluctuations; in toys: signed asymptotic z; rectangle: the best, "
            f"{self.statistic}, {self.alternative}; z global: after all rectangles, one-sided, from "
            f"{NULL_TIMES * self.toys} toys without a signal (~: the median is in their fitted tail); "
            f"power: beyond a global {GLOBAL_Z:g} sigma"
        )

    def table(self) -> Table:
        """Return the table for terminals: ``rich.print(found.table())``."""
        return text_table(self.title, self.note, dict.fromkeys(_COLUMNS, "right"), self._lines())

    def to_dataframe(self) -> pd.DataFrame:
        """Return one line per injected signal; quantiles in columns of their own."""
        import pandas as pd

        lines = []
        for row in self.rows:
            line: dict[str, Any] = {}
            for item in dataclasses.fields(row):
                value = getattr(row, item.name)
                if isinstance(value, Found):
                    line |= {item.name: value.median, f"{item.name}_low": value.low, f"{item.name}_high": value.high}
                else:
                    line[item.name] = value
            lines.append(line)
        return pd.DataFrame(lines)

    def _repr_html_(self) -> str:
        return (
            f"<p><b>{self.title}</b></p>{html_table(dict.fromkeys(_COLUMNS, 'right'), self._lines())}<p>{self.note}</p>"
        )


_COLUMNS = (
    "Z injected", "events", "L1", "L2", "L1 in toys", "L2 in toys", "N_sigma", "rectangle", "z global", "power",
)  # fmt: skip


def sensitivity(
    background: ArrayLike,
    template: ArrayLike,
    *,
    z: Sequence[float] = (1, 2, 3, 4, 5),
    kind: Kind = "l2",
    kappa: float = 1.0,
    toys: int = 400,
    seed: int = 0,
    statistic: Statistic = "counts",
    alternative: Alternative = "greater",
    progress: Callable[[int, int], None] | None = None,
) -> Sensitivity:
    """Tabulate what each test finds of injected signals.

    Parameters
    ----------
    background
        Expected events of side A, above 0 where the signal is; one or two axes. Those of B are kappa times as many.
    template
        The shape of the signal on side B; the same shape, any scale.
    z
        The significances to inject: those of the likelihood ``kind`` on data without fluctuations.
    kind
        ``"l2"`` (background from the other side) or ``"l1"`` (known).
    kappa
        The expected ratio B / A without a signal.
    toys
        Pseudo-experiments per line, and :data:`NULL_TIMES` as many without a signal.
    seed
        Of all toys. A line depends on its own Z, not on the others that are asked for.
    statistic
        Of the rectangles: ``"counts"`` or ``"nsigma"``.
    alternative
        Which rectangles: ``"greater"``, those with more of B, where the signal is; ``"two-sided"``, of either excess.
    progress
        Called with the number of lines done and their total.

    Returns
    -------
    Sensitivity

    Raises
    ------
    InputError
        If the background or the template cannot be used, no Z is given or one is negative, there are fewer than 20
        toys, kappa is not positive, the seed is negative, or an option is unknown.

    Notes
    -----
    The comparison of arXiv:2203.07529: L1 is the ideal analysis, L2 the best that a symmetry allows; N_sigma of k of M
    bins with a signal is ``sqrt(k / M)`` of L2, and scanning sub-matrices wins most of that back.
    """
    b, shape = checks.finite(background, "background"), checks.finite(template, "template")
    if b.ndim not in (1, 2):
        raise InputError(f"a background of {b.ndim} axes: give a spectrum or a matrix")
    if toys < 20:
        raise InputError(f"toys={toys}: quantiles need 20 or more")
    if alternative not in ("greater", "two-sided"):
        raise InputError(f"alternative={alternative!r}: the signal is in B; choose 'greater' or 'two-sided'")
    wanted = [float(value) for value in checks.finite(z, "z").reshape(-1)]
    if not wanted:
        raise InputError("z is empty; give at least one significance to inject")
    scales = [signal_for_z(b, shape, value, kind=kind, kappa=kappa) for value in wanted]
    if max(1.0, kappa) * b.max() + max(scales) * shape.max() > _MOST:
        raise InputError(f"more than {_MOST:g} events in a bin: toys of so many cannot be made")
    settings = _Settings(b, kappa, toys, seed, statistic, alternative)
    null = _Null.of(_best(*settings.toys_of(np.zeros_like(b), "sensitivity without a signal", NULL_TIMES), settings))
    rows = []
    for done, (value, scale) in enumerate(zip(wanted, scales, strict=True)):
        if progress is not None:
            progress(done, len(wanted))
        rows.append(_row(value, scale * shape, shape, settings, null))
    if progress is not None:
        progress(len(wanted), len(wanted))
    return Sensitivity(tuple(rows), kind, float(kappa), toys, seed, statistic, alternative)


class _Null(NamedTuple):
    """The best rectangles of toys without a signal, and what :data:`GLOBAL_Z` of them exceeds."""

    sample: NullSample
    threshold: float

    @classmethod
    def of(cls, z: FloatArray) -> _Null:
        return cls(NullSample(z), float(np.quantile(z, 1 - p_from_z(GLOBAL_Z, two_sided=False))))

    def global_z(self, z: float) -> float:
        found = self.sample.p(z)
        p_value = found.p_value if found.p_tail is None else found.p_tail
        # Below all toys p would be 1 and z without end.
        return float(z_from_p(min(p_value, 1 - 1 / (len(self.sample) + 1)), two_sided=False))


@dataclass(frozen=True)
class _Settings:
    """Settings that all lines have in common."""

    background: FloatArray
    kappa: float
    toys: int
    seed: int
    statistic: Statistic
    alternative: Alternative

    def toys_of(self, signal: FloatArray, key: str, times: int = 1) -> tuple[IntArray, IntArray]:
        """Draw A and B, shape (times * toys, *bins)."""
        rng = stream(self.seed, key, 0)
        shape = (times * self.toys, *self.background.shape)
        return rng.poisson(self.background, shape), rng.poisson(self.kappa * self.background + signal, shape)


def _row(value: float, signal: FloatArray, template: FloatArray, settings: _Settings, null: _Null) -> SensitivityRow:
    kappa = settings.kappa
    a, b = settings.toys_of(signal, f"sensitivity {value!r}")
    # Where nothing is expected there are no counts: any positive number is as good.
    known = np.where(settings.background > 0, kappa * settings.background, 1.0)
    filled = (a + b).any(axis=tuple(range(1, a.ndim)))
    z = {name: np.zeros(settings.toys) for name in ("l2", "nsigma")}
    if filled.any():
        z["l2"][filled] = q0_l2(a[filled], b[filled], template, kappa=kappa).z_value
        z["nsigma"][filled] = n_sigma(a[filled], b[filled], kappa=kappa, batch_ndim=1).statistic
    best = _best(a, b, settings)
    rectangle = Found.of(best)
    some = bool(signal.any())
    return SensitivityRow(
        z_injected=value,
        n_signal=float(signal.sum()),
        asimov_l1=asimov_l1(kappa * settings.background, signal) if some else 0.0,
        asimov_l2=asimov_l2(settings.background, signal, kappa=kappa) if some else 0.0,
        l1=Found.of(q0_l1(b, known, template).z_value),
        l2=Found.of(z["l2"]),
        nsigma=Found.of(z["nsigma"]),
        rectangle=rectangle,
        z_global=Found(*(null.global_z(found) for found in (rectangle.median, rectangle.low, rectangle.high))),
        z_global_method=null.sample.p(rectangle.median).method,
        power=float((best > null.threshold).mean()),
    )


def _best(a: IntArray, b: IntArray, settings: _Settings) -> FloatArray:
    """Return the score of the best rectangle of every toy; 0 without any event."""
    z = best_rectangles(a, b, kappa=settings.kappa, statistic=settings.statistic, alternative=settings.alternative).z
    z = np.where(np.isfinite(z), z, 0.0)
    return np.abs(z) if settings.alternative == "two-sided" else z
