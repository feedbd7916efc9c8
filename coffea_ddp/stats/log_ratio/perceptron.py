"""Networks of one hidden layer of sigmoids, many at a time: values, derivatives, starting points (torch).

A network of n neurons on d features has ``n (d + 2) + 1`` parameters, in this order: the input weights (n x d), the
biases (n), the output weights (n), the constant.

Examples
--------
>>> net = Perceptron(neurons=4, features=1)
>>> net.n_parameters
13
>>> parameters = starting_points(net, np.linspace(-2, 2, 50)[:, None], 3, seed=1)
>>> x = torch.linspace(-2, 2, 7, dtype=torch.float64)[None]
>>> hidden, f = net.values(torch.from_numpy(parameters), x)
>>> tuple(hidden.shape), tuple(f.shape), tuple(net.jacobian(torch.from_numpy(parameters), x, hidden).shape)
((3, 4, 7), (3, 7), (3, 13, 7))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

_FLATTEST, _STEEPEST = 0.5, 5.0
"""Slopes that networks start with, in units of the features; drawn evenly in the logarithm."""
_OUTPUT = 0.5
"""Standard deviation of the output weights that networks start with."""


@dataclass(frozen=True)
class Perceptron:
    """The form of a network.

    Attributes
    ----------
    neurons
        In the hidden layer.
    features
        Of an event.
    """

    neurons: int
    features: int

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return self.neurons * (self.features + 2) + 1

    @property
    def inputs(self) -> slice:
        """Slice of the input weights."""
        return slice(0, self.neurons * self.features)

    @property
    def outputs(self) -> slice:
        """Slice of the output weights, and of the constant behind them."""
        return slice(self.neurons * (self.features + 1), self.n_parameters)

    def values(self, parameters: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return hidden layer (n, neurons, n_points) and output (n, n_points) at ``x`` (features, n_points)."""
        k, n = self.neurons * self.features, self.neurons
        weights = parameters[:, :k].reshape(-1, n, self.features)
        hidden = torch.sigmoid(torch.matmul(weights, x) + parameters[:, k : k + n, None])
        out = torch.bmm(parameters[:, None, k + n : k + 2 * n], hidden)[:, 0]
        return hidden, out + parameters[:, -1:]

    def jacobian(self, parameters: Tensor, x: Tensor, hidden: Tensor) -> Tensor:
        """Return the derivatives of the output, shape (n, n_parameters, n_points)."""
        k, n = self.neurons * self.features, self.neurons
        slopes = hidden * (1.0 - hidden) * parameters[:, k + n : k + 2 * n, None]
        out = hidden.new_empty(len(parameters), self.n_parameters, x.shape[1])
        torch.mul(slopes[:, :, None], x, out=out[:, :k].view(-1, n, self.features, x.shape[1]))
        out[:, k : k + n] = slopes
        out[:, k + n : k + 2 * n] = hidden
        out[:, -1] = 1.0
        return out


def starting_points(net: Perceptron, x: FloatArray, count: int, seed: int) -> FloatArray:
    """Return parameters to begin with, shape (count, n_parameters).

    Every neuron has a random direction and slope, and is half-way up at a random quantile of the events along it: what
    is drawn depends neither on labels nor on the order of the events.

    Parameters
    ----------
    net
        The form.
    x
        Events, shape (n_points, features).
    count
        How many networks.
    seed
        Of the draw.
    """
    rng = np.random.default_rng([seed, 21])
    shape = (count, net.neurons)
    weights = rng.standard_normal((*shape, net.features))
    slope = np.exp(rng.uniform(np.log(_FLATTEST), np.log(_STEEPEST), shape))
    weights *= (slope / np.linalg.norm(weights, axis=2))[:, :, None]
    ranks = (rng.random(shape) * len(x)).astype(np.int64)
    along = np.sort(x @ weights.reshape(-1, net.features).T, axis=0)
    biases = -along[ranks.reshape(-1), np.arange(ranks.size)].reshape(shape)
    outputs = _OUTPUT * rng.standard_normal(shape)
    return np.concatenate([weights.reshape(count, -1), biases, outputs, np.zeros((count, 1))], axis=1)
