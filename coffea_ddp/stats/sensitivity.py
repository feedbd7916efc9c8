"""Expected Z of every test against the injected Z, for a given background and a signal of known shape.

Every row injects a signal whose expected profile likelihood (Asimov data) has a chosen Z, and holds the z of the tests
in toys: the likelihood references L1 and L2, which know the shape, N_sigma of the whole matrix, and the best rectangle,
locally and globally.

Examples
--------
>>> background, template = np.full((6, 6), 30.0), np.zeros((6, 6))
>>> template[1:3, 2:4] = 1.0
>>> found = expected_sensitivity(background, template, z=(0, 5), toys=100, seed=1)
>>> [round(row.n_signal, 1) for row in found.rows], round(found.rows[1].asimov_l2, 2)
([0.0, 90.3], 5.0)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.errors import InputError, check_progress
from coffea_ddp.stats import checks
from coffea_ddp.stats.likelihood import Kind, asimov_l1, asimov_l2, q0_l1, q0_l2, signal_for_z
from coffea_ddp.stats.nsigma import n_sigma
from coffea_ddp.stats.relabelling import stream
from coffea_ddp.stats.submatrix.submatrix import Alternative, Statistic, best_rectangles
from coffea_ddp.stats.tail import NullSample
from coffea_ddp.stats.trials import p_from_z, z_from_p

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray, IntArray

GLOBAL_Z = 2.0
"""Power is the share of toys whose best rectangle is beyond a global 2 sigma, one-sided."""

_MAX_EVENTS = 1e15
"""numpy draws no Poisson numbers of larger means than about 10^18."""

NULL_TIMES = 5
"""Toys without a signal for each toy of a line: the threshold of the power lies in their tail."""


@dataclass(frozen=True)
class Quantiles:
    """Median, and 16 % and 84 % quantiles, of the one-sided z of a test in toys."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, z: FloatArray) -> Quantiles:
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
        z in toys; that of the rectangle is local (its size, where two-sided). A toy
        without any event has 0.
    z_global, z_global_method
        Of these rectangles, after all of them, one-sided; counted among the toys without a signal, or from their fitted
        tail. The method is that of the median.
    power
        Share of toys with a rectangle beyond :data:`GLOBAL_Z`.

    Examples
    --------
    >>> (row,) = expected_sensitivity(np.full((4, 4), 50.0), np.eye(4), z=[3], toys=20).rows
    >>> row.z_injected
    3.0
    """

    z_injected: float
    n_signal: float
    asimov_l1: float
    asimov_l2: float
    l1: Quantiles
    l2: Quantiles
    nsigma: Quantiles
    rectangle: Quantiles
    z_global: Quantiles
    z_global_method: str
    power: float

    def to_dict(self) -> dict[str, float | str]:
        """Return the fields, with the three numbers of a test in three entries."""
        flat: dict[str, float | str] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Quantiles):
                flat |= {item.name: value.median, f"{item.name}_low": value.low, f"{item.name}_high": value.high}
            else:
                flat[item.name] = value
        return flat


@dataclass(frozen=True)
class Sensitivity:
    """The outcome of :func:`expected_sensitivity`.

    Examples
    --------
    >>> expected_sensitivity(np.full((4, 4), 50.0), np.eye(4), z=[3], toys=20).toys
    20
    """

    rows: tuple[SensitivityRow, ...]
    kind: str
    kappa: float
    toys: int
    seed: int
    statistic: str
    alternative: str = "greater"

    def to_dicts(self) -> list[dict[str, float | str]]:
        """Return one dictionary per injected signal: of each test the median, and quantiles with _low and _high.

        Examples
        --------
        >>> found = expected_sensitivity([30.0] * 6, [0, 1, 1, 0, 0, 0], z=(3,), toys=50)
        >>> (row,) = found.to_dicts()  # a table: pandas.DataFrame(found.to_dicts())
        >>> row["z_injected"], row["l2_low"] < row["l2"] < row["l2_high"]
        (3.0, True)
        """
        return [row.to_dict() for row in self.rows]


def expected_sensitivity(
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
    """Return the z that each test finds for injected signals, and the power of the best rectangle.

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

    Examples
    --------
    >>> found = expected_sensitivity(np.full((4, 4), 50.0), np.eye(4), z=[0, 3], toys=20)
    >>> [row.z_injected for row in found.rows]
    [0.0, 3.0]
    """
    check_progress("expected_sensitivity", progress, "done, total")
    b, shape = checks.finite(background, "background"), checks.finite(template, "template")
    if b.ndim not in (1, 2):
        raise InputError(f"a background of {b.ndim} axes: give a spectrum or a matrix")
    toys, seed, kappa = checks.toys(toys, "toys", least=20), checks.seed(seed), checks.ratio(kappa)
    if alternative == "less":
        raise InputError("alternative='less': the signal is in B; choose 'greater' or 'two-sided'")
    checks.choice(alternative, "alternative", ("greater", "two-sided"))
    wanted = [float(value) for value in checks.finite(z, "z").reshape(-1)]
    if not wanted:
        raise InputError("z is empty; give at least one significance to inject")
    scales = [signal_for_z(b, shape, value, kind=kind, kappa=kappa) for value in wanted]
    if max(1.0, kappa) * b.max() + max(scales) * shape.max() > _MAX_EVENTS:
        raise InputError(f"more than {_MAX_EVENTS:g} events in a bin: toys of larger numbers cannot be made")
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
    rectangle = Quantiles.of(best)
    some = bool(signal.any())
    return SensitivityRow(
        z_injected=value,
        n_signal=float(signal.sum()),
        asimov_l1=asimov_l1(kappa * settings.background, signal) if some else 0.0,
        asimov_l2=asimov_l2(settings.background, signal, kappa=kappa) if some else 0.0,
        l1=Quantiles.of(q0_l1(b, known, template).z_value),
        l2=Quantiles.of(z["l2"]),
        nsigma=Quantiles.of(z["nsigma"]),
        rectangle=rectangle,
        z_global=Quantiles(*(null.global_z(found) for found in (rectangle.median, rectangle.low, rectangle.high))),
        z_global_method=null.sample.p(rectangle.median).method,
        power=float((best > null.threshold).mean()),
    )


def _best(a: IntArray, b: IntArray, settings: _Settings) -> FloatArray:
    """Return the score of the best rectangle of every toy; 0 without any event."""
    z = best_rectangles(a, b, kappa=settings.kappa, statistic=settings.statistic, alternative=settings.alternative).z
    z = np.where(np.isfinite(z), z, 0.0)
    return np.abs(z) if settings.alternative == "two-sided" else z
