"""Full-batch Adam, as the papers train networks: the reference beside Levenberg-Marquardt (torch).

What it reaches depends on how long it goes on: the mean t of the null grows from 2 after 3,000 epochs to 15 after
200,000 where a chi2 with 12 degrees of freedom has 12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from coffea_ddp.stats.log_ratio.levenberg import Bounds, Data, Minima, value

if TYPE_CHECKING:
    from torch import Tensor

    from coffea_ddp.stats.log_ratio.perceptron import Perceptron

_FIRST, _SECOND, _SMALL = 0.9, 0.999, 1e-7
"""The two decays, and what keeps a step finite: those of Keras."""


@dataclass(frozen=True)
class AdamSettings:
    """Settings of the optimizer.

    Attributes
    ----------
    epochs
        Steps, each with all events.
    rate
        The learning rate.
    """

    epochs: int
    rate: float


def descend(net: Perceptron, data: Data, start: Tensor, bounds: Bounds, settings: AdamSettings) -> Minima:
    """Train one network for every labelling; parameters beyond a bound are put back on it after every step.

    Parameters
    ----------
    net, data, bounds
        What is fitted to what.
    start
        Shape (n, n_parameters), in double precision.
    settings
        Of the optimizer.
    """
    kind = data.x.dtype
    w = start.to(kind).clone()
    largest, penalty = bounds.largest.to(kind), bounds.penalty.to(kind)
    first, second = torch.zeros_like(w), torch.zeros_like(w)
    gradient = torch.zeros_like(w)
    for epoch in range(1, settings.epochs + 1):
        gradient = _gradient(net, data, w) + penalty * w
        first.lerp_(gradient, 1.0 - _FIRST)
        second.mul_(_SECOND).addcmul_(gradient, gradient, value=1.0 - _SECOND)
        size = settings.rate * (1.0 - _SECOND**epoch) ** 0.5 / (1.0 - _FIRST**epoch)
        w.addcdiv_(first, second.sqrt().add_(_SMALL), value=-size)
        w = torch.clamp(w, -largest, largest)
    found = w.double()
    steps = torch.full((len(w),), settings.epochs, dtype=torch.int64, device=w.device)
    return Minima(value(net, data, found, bounds), found, steps, gradient.double().abs().amax(dim=1))


def _gradient(net: Perceptron, data: Data, w: Tensor) -> Tensor:
    """Return the gradient of L without the penalty, shape (n, n_parameters)."""
    hidden, f = net.values(w, data.x)
    pull = data.expected * torch.exp(f) - data.labels
    n, k = net.neurons, net.neurons * net.features
    out = torch.bmm(hidden, pull[:, :, None])[:, :, 0]
    slope = hidden * (1.0 - hidden) * (w[:, k + n : k + 2 * n, None] * pull[:, None])
    into = torch.matmul(slope, data.x.T).reshape(len(w), k)
    return torch.cat([into, slope.sum(dim=2), out, pull.sum(dim=1, keepdim=True)], dim=1)
