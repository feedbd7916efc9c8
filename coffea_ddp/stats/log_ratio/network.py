"""Fitter of networks: pooled points and settings in, fits of any labels out (torch)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from coffea_ddp.stats.log_ratio.adam import AdamSettings, descend
from coffea_ddp.stats.log_ratio.both_samples import fit_both, fit_one
from coffea_ddp.stats.log_ratio.levenberg import Bounds, Data, Minima
from coffea_ddp.stats.log_ratio.perceptron import Perceptron, starting_points
from coffea_ddp.stats.log_ratio.result import Observed, runs_away
from coffea_ddp.stats.samples.points import in_cells

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from coffea_ddp._typing import AnyArray, FloatArray, IntArray
    from coffea_ddp.stats.log_ratio.solvers import NetworkSolver
    from coffea_ddp.stats.samples.points import Points

_FEW = 512
"""Largest number of points that are fitted in double precision."""
_VALUES = 800_000
"""Numbers of a hidden layer that are fitted together: more than fit into a cache are no faster."""
_ON_GPU = 100


class NetworkFitter:
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
    """

    def __init__(self, points: Points, solver: NetworkSolver, seed: int, *, expected: float | None = None) -> None:
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
        """Number of labellings that are best given at a time."""
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

    def against_reference(self, expected: float) -> NetworkFitter:
        """Return the fitter of the original test: B a reference, ``expected`` events expected in A."""
        return NetworkFitter(self.points, self._solver, self._seed, expected=expected)

    def _fitted(self, labels: AnyArray) -> tuple[Minima, ...]:
        y, total = self._tensor(labels), self._tensor(self.points.multiplicity)
        if self._expected is None:
            share = y.sum(dim=-1, keepdim=True) / total.sum()
            sides = [Data(self._x, share * total, y), Data(self._x, (1.0 - share) * total, total - y)]
        else:
            sides = [Data(self._x, self._expected / self.points.n_b * (total - y), y)]
        if self._solver.optimizer == "adam":
            return tuple(trained(self.net, side, self._starts, self._bounds, self._solver) for side in sides)
        steps = {"first": self._solver.first, "most": self._solver.most}
        if len(sides) == 1:
            return (fit_one(self.net, sides[0], self._starts, self._bounds, **steps),)
        return fit_both(self.net, (sides[0], sides[1]), self._starts, self._bounds, **steps)

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


def trained(net: Perceptron, data: Data, starts: Tensor, bounds: Bounds, solver: NetworkSolver) -> Minima:
    """Return the best of all starting points after all epochs of Adam, for every labelling."""
    n, restarts = len(data.labels), len(starts)
    rows = torch.arange(n, device=starts.device)
    many = data.rows(rows.repeat_interleave(restarts))
    found = descend(net, many, starts.repeat(n, 1), bounds, AdamSettings(solver.epochs, solver.rate))
    best = found.value.view(n, restarts).argmin(dim=1) + restarts * rows
    return Minima(found.value[best], found.parameters[best], found.steps[best], found.gradient[best])


def out_of_fold(
    points: Points,
    folds: IntArray,
    labels: AnyArray,
    solver: NetworkSolver,
    seed: int,
    shares: FloatArray | None = None,
) -> FloatArray:
    """Return the learned log-ratio of A over all at every event, by a network that has not seen it.

    Parameters
    ----------
    points
        The events.
    folds
        A number from 0 on for each, shape (n_events,).
    labels
        Shape (n, n_events).
    solver, seed
        What is fitted, and where fits start.
    shares
        Expected P(side B) of every event, shape (n_events,): the log-ratio is that to what is expected of A, scaled to
        its events. ``None``: one share for all.
    """
    net = Perceptron(solver.neurons, points.x.shape[1])
    bounds, starts = bounds_and_starts(solver, net, points.x, seed)
    kind = torch.float64 if len(points.x) <= _FEW else torch.float32
    x = torch.tensor(points.x.T, dtype=kind, device=starts.device).contiguous()
    out = np.zeros(labels.shape)
    expected = torch.tensor(np.ones(len(folds)) if shares is None else 1.0 - shares, dtype=kind, device=starts.device)
    step = int(np.clip(_VALUES // (len(points.x) * net.neurons * solver.restarts), 1, 4096))
    for first in range(0, len(labels), step):
        y = torch.tensor(labels[first : first + step].astype(np.float64), dtype=kind, device=starts.device)
        for fold in range(int(folds.max()) + 1):
            inside = folds == fold
            # Events of this fold are there with no weight: all labellings are fitted together.
            seen = torch.tensor(~inside, dtype=kind, device=starts.device)
            rates = expected * seen
            scale = (y * seen).sum(dim=1, keepdim=True) / rates.sum()
            found = fit_one(net, Data(x, scale * rates, y * seen), starts, bounds, first=solver.first, most=solver.most)
            f = net.values(found.parameters.to(kind), x[:, torch.tensor(inside, device=x.device)])[1]
            out[first : first + step, inside] = f.double().cpu().numpy()
    return out


def _t(minima: Minima) -> FloatArray:
    # f = 0 has L = 0: whatever was found, t is no less.
    return np.asarray(np.maximum(-2.0 * minima.value.cpu().numpy(), 0.0))
