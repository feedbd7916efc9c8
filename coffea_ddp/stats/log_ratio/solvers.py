"""Solvers of NPLM: settings of the log-ratios that are fitted, by kernels, Fourier features, bins, splines or networks.

A solver is a description and fits nothing: :func:`~coffea_ddp.stats.log_ratio.nplm.fitter_of` does. Log-ratios that are
linear in their parameters have one best fit, and an analytic null. Networks are not, and at f = 0 their hidden layer
means nothing: no chi2 describes their null, which depends on how thoroughly the minimum is searched for. Their p is
that of permutations, whose labels are fitted exactly as the observed ones, from the same starting points.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.conversion import shown

WIDTHS = (0.3, 1.0, 3.0)
"""Widths of the kernels, in units of half of the central 68 % of every feature, and of the root of their number."""


def check_device(device: str) -> None:
    """Raise :class:`~coffea_ddp.errors.InputError` where no network can be fitted: no torch, or no such device."""
    try:
        import torch
    except ImportError:
        raise InputError("networks need torch: pip install 'coffea-ddp[torch]', or take kernels") from None
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise InputError(f"device={shown(device)}: torch sees no GPU here; give 'cpu'")


def _check_settings(solver: LinearSolver) -> None:
    """Check the settings of a solver, each by its name."""
    for setting in fields(solver):
        name, value = setting.name, getattr(solver, setting.name)
        if name == "score":
            checks.flag(value, name)
        elif name == "ridge":
            checks.number(value, name, low=0.0)
        elif name == "equal":
            checks.choice(value, name, ("probability", "width"))
        elif name == "widths":
            widths = checks.finite(value, name)
            if widths.ndim != 1 or not len(widths) or not (widths > 0).all():
                raise InputError(f"widths={shown(value)}: give the width of a kernel, or several, all above 0")
            object.__setattr__(solver, name, tuple(widths.tolist()))
        elif not (name == "centres" and value is None):
            checks.whole(value, name, least=2 if name == "bins" else 1)


@dataclass(frozen=True)
class KernelSolver:
    """Gaussian kernels around centres drawn from the events (arXiv:2204.02317), a battery of several widths.

    Attributes
    ----------
    centres
        How many; 64 by default, or all different events where there are fewer.
    widths
        Of the kernels, in units of half of the central 68 % of every feature times the root of the number of features.
    ridge
        The penalty of a log-ratio, half its squared norm in the kernel's space times this. 1: a log-ratio whose size
        is 1 is what one expects.
    score
        Whether t is taken to second order: much faster, and its null is known exactly.

    Examples
    --------
    >>> KernelSolver(widths=(0.5, 2.0)).widths
    (0.5, 2.0)
    """

    centres: int | None = None
    widths: tuple[float, ...] = WIDTHS
    ridge: float = 1.0
    score: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        _check_settings(self)


@dataclass(frozen=True)
class FourierSolver:
    """Random Fourier features of Gaussian kernels: no centres, for many features (A. Rahimi, B. Recht, NIPS 2007).

    Attributes
    ----------
    features
        How many.
    widths, ridge, score
        As for :class:`KernelSolver`.

    Examples
    --------
    >>> FourierSolver(features=64).features
    64
    """

    features: int = 128
    widths: tuple[float, ...] = WIDTHS
    ridge: float = 1.0
    score: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        _check_settings(self)


@dataclass(frozen=True)
class BinSolver:
    """Bins of one feature: without a ridge the G test of homogeneity of two samples.

    Attributes
    ----------
    bins
        How many.
    equal
        Of equal ``"probability"`` of the pooled events, or of equal ``"width"``.
    ridge
        The penalty.
    score
        Whether t is taken to second order (Pearson's chi2 in place of G).

    Examples
    --------
    >>> BinSolver(bins=8).bins
    8
    """

    bins: int = 13
    equal: str = "probability"
    ridge: float = 0.0
    score: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        _check_settings(self)


@dataclass(frozen=True)
class SplineSolver:
    """Cubic splines of one feature, knots at quantiles of the pooled events.

    Attributes
    ----------
    knots
        Inner knots.
    ridge, score
        As for :class:`BinSolver`.

    Examples
    --------
    >>> SplineSolver(knots=5).knots
    5
    """

    knots: int = 9
    ridge: float = 0.0
    score: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        _check_settings(self)


@dataclass(frozen=True)
class NetworkSolver:
    """Networks of one hidden layer of sigmoids (arXiv:2401.09530), fitted by Levenberg-Marquardt.

    Attributes
    ----------
    neurons
        In the hidden layer; 4 on one feature are the 13 parameters of the papers.
    slope
        The largest input weight, in units of half of the central 68 % of a feature: no sigmoid is steeper than that.
        ``None``: no bound.
    ridge
        The penalty of the output weights, half their squared sum times this.
    clipping
        The largest of all parameters (weight clipping of arXiv:1806.02350); ``None``: no bound.
    restarts
        Starting points of every fit.
    first, most
        Steps with all starting points, and then with the best.
    optimizer
        ``"newton"``: Levenberg-Marquardt. ``"adam"``: full-batch Adam as in the papers, the reference: every starting
        point is trained for all epochs, and the best is taken.
    epochs, rate
        Of Adam.
    cells
        Number of cells between quantiles in which events are counted first (one or two features); ``None``: unbinned.
    device
        ``"cpu"`` or ``"cuda"``.

    Examples
    --------
    >>> NetworkSolver().parameters(features=1), NetworkSolver(neurons=5).parameters(features=2)
    (13, 21)
    """

    neurons: int = 4
    slope: float | None = 5.0
    ridge: float = 0.1
    clipping: float | None = None
    restarts: int = 4
    first: int = 20
    most: int = 400
    optimizer: str = "newton"
    epochs: int = 200_000
    rate: float = 1e-3
    cells: int | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Check the settings."""
        checks.choice(self.optimizer, "optimizer", ("newton", "adam"))
        checks.choice(self.device, "device", ("cpu", "cuda"))
        for name in ("neurons", "restarts", "first", "most", "epochs"):
            checks.whole(getattr(self, name), name, least=1)
        for name in ("slope", "clipping"):
            if getattr(self, name) is not None:
                checks.number(getattr(self, name), name, above=0.0)
        if self.cells is not None:
            checks.whole(self.cells, "cells", least=2)
        checks.number(self.ridge, "ridge", low=0.0)
        checks.number(self.rate, "rate", above=0.0)

    def parameters(self, features: int) -> int:
        """Return the number of parameters of one function."""
        features = checks.whole(features, "features", least=1)
        return self.neurons * (features + 2) + 1

    def check(self, n_a: int, n_b: int, features: int) -> None:
        """Raise :class:`~coffea_ddp.errors.InputError` where there are fewer events than parameters."""
        if self.parameters(features) > n_a + n_b:
            raise InputError(
                f"{self.parameters(features)} parameters for {n_a} + {n_b} events: give fewer neurons, or use kernels"
            )

    def describe(self, features: int) -> str:
        """Return what is fitted, in words."""
        words = [f"network {features}-{self.neurons}-1"]
        words += [] if self.slope is None else [f"slope up to {self.slope:g}"]
        words += [] if self.clipping is None else [f"weights up to {self.clipping:g}"]
        words += [f"ridge {self.ridge:g}"] if self.ridge else []
        words += [f"Adam, {self.epochs} epochs"] if self.optimizer == "adam" else []
        words += [] if self.cells is None else [f"{self.cells} cells"]
        return ", ".join(words)


LinearSolver = KernelSolver | FourierSolver | BinSolver | SplineSolver
"""Solvers whose log-ratio is linear in its parameters."""
Solver = LinearSolver | NetworkSolver
