"""NPLM with networks: a few sigmoids, fitted to second order, many permutations and starting points at once.

A network is not linear in its parameters, and at f = 0 its hidden layer means nothing: no chi2 describes its null,
which depends on how hard one looks for the minimum. p is that of permutations, whose labels are fitted exactly as the
observed ones, from the same starting points. This module is what describes a fit; torch is loaded by what does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.conversion import shown

if TYPE_CHECKING:
    from coffea_ddp.stats.log_ratio.network import NetworkEngine
    from coffea_ddp.stats.samples.points import Points


def check_device(device: str) -> None:
    """Raise :class:`~coffea_ddp.errors.InputError` where no network can be fitted: no torch, or no such device."""
    try:
        import torch
    except ImportError:
        raise InputError("networks need torch: pip install 'coffea-ddp[torch]', or take kernels") from None
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise InputError(f"device={shown(device)}: torch sees no GPU here; give 'cpu'")


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
        Count in so many cells between quantiles first (one or two features); ``None``: fit to the events.
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

    def engine(self, points: Points, seed: int) -> NetworkEngine:
        """Return what fits these points.

        Raises
        ------
        InputError
            If there are fewer events than parameters, a setting makes no sense, or there is no torch or no such device.
        """
        self.check(points.n_a, points.n_b, points.x.shape[1])
        check_device(self.device)
        from coffea_ddp.stats.log_ratio.network import NetworkEngine

        return NetworkEngine(points, self, seed)

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
