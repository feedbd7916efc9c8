"""What would each test find? Z expected against Z injected, for a given background and a signal of known shape.

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
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats.likelihood import Kind, asimov_l1, asimov_l2, q0_l1, q0_l2, signal_for_z
from coffea_ddp.stats.nsigma import n_sigma
from coffea_ddp.stats.submatrix import best_rectangles
from coffea_ddp.stats.tail import NullSample
from coffea_ddp.stats.trials import p_from_z, z_from_p
from coffea_ddp.tables import html_table, text_table

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike
    from rich.table import Table

    from coffea_ddp._typing import FloatArray

GLOBAL_Z = 2.0
"""Power is the share of toys whose best rectangle is beyond a global 2 sigma, one-sided."""


@dataclass(frozen=True)
class Found:
    """What a test finds in toys: median, and 16 % and 84 % quantiles, of its one-sided z."""

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
        What they find in toys; the rectangle before the others that were looked at.
    z_global, z_global_method
        Of the median rectangle, after all of them; counted among the toys without a signal, or from their fitted tail.
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
    z_global: float
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

    @property
    def title(self) -> str:
        """What the table shows."""
        given = f"{self.kind.upper()}, kappa = {self.kappa:g}"
        return f"Z found against Z injected ({given}): median [16 %, 84 %] of {self.toys} toys"

    def _lines(self) -> list[list[str]]:
        lines = []
        for row in self.rows:
            marked = f"{row.z_global:.2f}{'~' * ('tail' in row.z_global_method)}"
            expected = [f"{row.z_injected:g}", f"{row.n_signal:.1f}", f"{row.asimov_l1:.2f}", f"{row.asimov_l2:.2f}"]
            toys = [str(found) for found in (row.l1, row.l2, row.nsigma, row.rectangle)]
            lines.append([*expected, *toys, marked, f"{row.power:.2f}"])
        return lines

    @property
    def note(self) -> str:
        """How the numbers were made."""
        return (
            f"z one-sided, asymptotic; rectangle: {self.statistic}; z global: after all rectangles, from {self.toys} "
            f"toys without a signal (~: from their fitted tail); power: beyond a global {GLOBAL_Z:g} sigma"
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
    statistic: str = "counts",
    progress: Callable[[int, int], None] | None = None,
) -> Sensitivity:
    """Tabulate what each test finds of injected signals.

    Parameters
    ----------
    background
        Expected events of side A, above 0 where the signal is; one or two axes.
    template
        The shape of the signal on side B; the same shape, any scale.
    z
        The significances to inject: those of the likelihood ``kind`` on data without fluctuations.
    kind
        ``"l2"`` (background from the other side) or ``"l1"`` (known).
    kappa
        The expected ratio B / A without a signal.
    toys
        Pseudo-experiments per line, and as many without a signal.
    seed
        Of all toys.
    statistic
        Of the rectangles: ``"counts"`` or ``"nsigma"``.
    progress
        Called with the number of lines done and their total.

    Returns
    -------
    Sensitivity

    Raises
    ------
    InputError
        If the background or the template cannot be used, a Z is negative, there are fewer than 20 toys, or kappa is not
        positive.

    Notes
    -----
    The comparison of arXiv:2203.07529: L1 is the ideal analysis, L2 the best that a symmetry allows; N_sigma of k of M
    bins with a signal is ``sqrt(k / M)`` of L2, and scanning sub-matrices wins most of that back.
    """
    b, shape = np.asarray(background, dtype=np.float64), np.asarray(template, dtype=np.float64)
    if b.ndim not in (1, 2):
        raise InputError(f"a background of {b.ndim} axes: give a spectrum or a matrix")
    if toys < 20:
        raise InputError(f"toys={toys}: quantiles need 20 or more")
    wanted = [float(value) for value in z]
    scales = [signal_for_z(b, shape, value, kind=kind, kappa=kappa) for value in wanted]
    rng = np.random.default_rng(seed)
    null = _rectangles(rng, b, kappa * b, kappa, toys, statistic)
    sample = NullSample(null)
    threshold = float(np.quantile(null, 1 - p_from_z(GLOBAL_Z, two_sided=False)))
    rows = []
    for done, (value, scale) in enumerate(zip(wanted, scales, strict=True)):
        if progress is not None:
            progress(done, len(wanted))
        signal = scale * shape
        a, on_b = rng.poisson(b, (toys, *b.shape)), rng.poisson(kappa * b + signal, (toys, *b.shape))
        known = np.where(b > 0, kappa * b, 1e-12)
        best = best_rectangles(a, on_b, kappa=kappa, statistic=statistic, alternative="greater").z  # type: ignore[arg-type]
        median = float(np.median(best))
        found = sample.p(median)
        p_value = found.p_value if found.p_tail is None else found.p_tail
        rows.append(
            SensitivityRow(
                z_injected=value,
                n_signal=float(signal.sum()),
                asimov_l1=asimov_l1(kappa * b, signal) if scale else 0.0,
                asimov_l2=asimov_l2(b, signal, kappa=kappa) if scale else 0.0,
                l1=Found.of(q0_l1(on_b, known, shape).z_value),
                l2=Found.of(q0_l2(a, on_b, shape, kappa=kappa).z_value),
                nsigma=Found.of(n_sigma(a, on_b, kappa=kappa, batch_ndim=1).statistic),
                rectangle=Found.of(best),
                z_global=float(z_from_p(p_value, two_sided=False)),
                z_global_method=found.method,
                power=float((best > threshold).mean()),
            )
        )
    if progress is not None:
        progress(len(wanted), len(wanted))
    return Sensitivity(tuple(rows), kind, kappa, toys, seed, statistic)


def _rectangles(
    rng: np.random.Generator, mean_a: FloatArray, mean_b: FloatArray, kappa: float, toys: int, statistic: str
) -> FloatArray:
    a, b = rng.poisson(mean_a, (toys, *mean_a.shape)), rng.poisson(mean_b, (toys, *mean_b.shape))
    z = best_rectangles(a, b, kappa=kappa, statistic=statistic, alternative="greater").z  # type: ignore[arg-type]
    return np.where(np.isfinite(z), z, 0.0)
