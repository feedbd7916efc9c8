"""NPLM with networks: a few sigmoids, fitted to second order, many permutations and starting points at once.

A network is not linear in its parameters, and at f = 0 its hidden layer means nothing: no chi2 describes its null,
which depends on how hard one looks for the minimum. p is that of permutations, whose labels are fitted exactly as the
observed ones, from the same starting points. This module is what describes a fit; torch is loaded by what does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from coffea_ddp.stats.unbinned.engine import NetworkEngine
    from coffea_ddp.stats.unbinned.points import Points


def check_device(device: str) -> None:
    """Raise :class:`~coffea_ddp.errors.InputError` where no network can be fitted: no torch, or no such device."""
    try:
        import torch
    except ImportError:
        raise InputError("networks need torch: pip install 'coffea-ddp[torch]', or take kernels") from None
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise InputError(f"device={device!r}: torch sees no GPU here; give 'cpu'")


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

    def parameters(self, features: int) -> int:
        """Return the number of parameters of one function."""
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
        from coffea_ddp.stats.unbinned.engine import NetworkEngine

        return NetworkEngine(points, self, seed)

    def check(self, n_a: int, n_b: int, features: int) -> None:
        """Raise :class:`~coffea_ddp.errors.InputError` where these settings cannot be used."""
        if self.optimizer not in ("newton", "adam"):
            raise InputError(f"optimizer={self.optimizer!r}: give 'newton' or 'adam'")
        for name in ("neurons", "restarts", "first", "most", "epochs"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: give 1 or more")
        for name in ("slope", "clipping"):
            bound = getattr(self, name)
            if bound is not None and not bound > 0:
                raise InputError(f"{name}={bound}: give a bound above 0, or None")
        if not (self.ridge >= 0 and self.rate > 0):
            raise InputError(f"ridge={self.ridge}, rate={self.rate}: give a ridge of 0 or more, and a rate above 0")
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
