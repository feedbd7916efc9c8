"""The engine of networks: pooled points and settings in, fits of any labels out (torch)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from coffea_ddp.errors import InputError
from coffea_ddp.stats.unbinned.levenberg import Bounds, Data, Minima
from coffea_ddp.stats.unbinned.perceptron import Perceptron, starting_points
from coffea_ddp.stats.unbinned.points import in_cells
from coffea_ddp.stats.unbinned.result import Observed, runs_away
from coffea_ddp.stats.unbinned.twins import fit_both, fit_one

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from coffea_ddp._typing import AnyArray, FloatArray
    from coffea_ddp.stats.unbinned.network import NetworkSolver
    from coffea_ddp.stats.unbinned.points import Points

_FEW = 512
"""So few points are fitted in double precision."""
_VALUES = 800_000
"""Numbers of a hidden layer that are fitted together: more than fit into a cache are no faster."""
_ON_GPU = 100


class NetworkEngine:
    """Fits of networks to one set of pooled points.

    Parameters
    ----------
    points
        The pooled events.
    solver
        The settings.
    seed
        Of the starting points.
    expected
        Events expected in A where B is a reference (the original test); ``None``: the symmetrized test.

    Raises
    ------
    InputError
        If there is no such device.
    """

    def __init__(self, points: Points, solver: NetworkSolver, seed: int, *, expected: float | None = None) -> None:
        if solver.device != "cpu" and not torch.cuda.is_available():
            raise InputError(f"device={solver.device!r}: torch sees no GPU here; give 'cpu'")
        self.points = points if solver.cells is None else in_cells(points, solver.cells)
        self.net = Perceptron(solver.neurons, points.x.shape[1])
        self._solver, self._device, self._seed = solver, torch.device(solver.device), seed
        self._expected = expected
        self._kind = torch.float64 if len(self.points.x) <= _FEW else torch.float32
        self._x = self._tensor(self.points.x.T).contiguous()
        self._bounds, self._starts = bounds_and_starts(solver, self.net, points.x, seed)

    def _tensor(self, values: AnyArray) -> Tensor:
        return torch.tensor(np.asarray(values, dtype=np.float64), dtype=self._kind, device=self._device)

    @property
    def block(self) -> int:
        """So many labellings are best given at a time."""
        size = len(self.points.x) * self.net.neurons * self._solver.restarts
        values = _VALUES * (1 if self._device.type == "cpu" else _ON_GPU)
        return int(np.clip(values // size, 1, 4096))

    def observed(self) -> tuple[Observed, ...]:
        """Return the fit of the observed labels."""
        sides = self._fitted(self.points.labels[None])
        logs = [self._log_ratio(side.parameters[0]) for side in sides]
        reference = self._expected is not None
        one = Observed(
            family=self._solver.describe(self.net.features) + (", against a reference" if reference else ""),
            parameters=self.net.n_parameters,
            t_a=float(_t(sides[0])[0]),
            t_b=0.0 if reference else float(_t(sides[1])[0]),
            log_a=logs[0],
            log_b=(lambda x: np.zeros(len(x))) if reference else logs[1],
            null_weights=None,
            steps=int(max(side.steps.max() for side in sides)),
            gradient=float(max(side.gradient.max() for side in sides)),
            restarts=self._solver.restarts,
            diverges=self._diverges(sides[0]),
        )
        return (one,)

    def t(self, labels: AnyArray) -> FloatArray:
        """Return t of other labels; (n, n_points) -> (1, n)."""
        return np.asarray(sum(_t(side) for side in self._fitted(labels)))[None]

    def against_reference(self, expected: float) -> NetworkEngine:
        """Return the engine of the original test: B a reference, so many events expected in A."""
        return NetworkEngine(self.points, self._solver, self._seed, expected=expected)

    def _fitted(self, labels: AnyArray) -> tuple[Minima, ...]:
        steps = {"first": self._solver.first, "most": self._solver.most}
        y, total = self._tensor(labels), self._tensor(self.points.multiplicity)
        if self._expected is None:
            return fit_labels(self.net, self._x, y, total, self._starts, self._bounds, **steps)
        data = Data(self._x, self._expected / self.points.n_b * (total - y), y)
        return (fit_one(self.net, data, self._starts, self._bounds, **steps),)

    def _diverges(self, side: Minima) -> bool:
        if self._expected is None:
            return False
        f = self.net.values(side.parameters.to(self._kind), self._x)[1]
        return runs_away(f.cpu().numpy(), self._expected, self.points.n_b)

    def _log_ratio(self, parameters: Tensor) -> Callable[[AnyArray], FloatArray]:
        kept = parameters[None].double().cpu()

        def log_ratio(x: AnyArray) -> FloatArray:
            events = torch.from_numpy(np.ascontiguousarray(self.points.standardised(x).T))
            found: FloatArray = self.net.values(kept, events)[1][0].numpy()
            return found

        return log_ratio


def bounds_and_starts(solver: NetworkSolver, net: Perceptron, x: FloatArray, seed: int) -> tuple[Bounds, Tensor]:
    """Return the bounds of the parameters, and where fits start, for events of shape (n, features)."""
    largest = np.full(net.n_parameters, np.inf if solver.clipping is None else solver.clipping)
    if solver.slope is not None:
        largest[net.inputs] = np.minimum(largest[net.inputs], solver.slope)
    penalty = np.zeros(net.n_parameters)
    penalty[net.outputs][:-1] = solver.ridge
    starts = np.clip(starting_points(net, x, solver.restarts, seed), -largest, largest)
    device = torch.device(solver.device)
    on = [torch.tensor(values, dtype=torch.float64, device=device) for values in (largest, penalty, starts)]
    return Bounds(on[0], on[1]), on[2]


def fit_labels(
    net: Perceptron, x: Tensor, a: Tensor, total: Tensor, starts: Tensor, bounds: Bounds, *, first: int, most: int
) -> tuple[Minima, Minima]:
    """Fit both samples of many labellings, or of many histograms of the same bins.

    Parameters
    ----------
    net, starts, bounds, first, most
        As for :func:`coffea_ddp.stats.unbinned.twins.fit_both`.
    x
        Points, shape (features, n_points).
    a
        Events of A, shape (n, n_points).
    total
        Events of both, shape (n_points,) or (n, n_points).
    """
    share = a.sum(dim=-1, keepdim=True) / total.sum(dim=-1, keepdim=True)
    data = Data(x, share * total, a), Data(x, (1.0 - share) * total, total - a)
    return fit_both(net, data, starts, bounds, first=first, most=most)


def _t(minima: Minima) -> FloatArray:
    # f = 0 has L = 0: whatever was found, t is no less.
    return np.asarray(np.maximum(-2.0 * minima.value.cpu().numpy(), 0.0))
