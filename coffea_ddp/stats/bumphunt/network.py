"""The network: from features at every bin to z, its error and the evidence for a resonance, in numpy or in torch.

A convolutional network in four resolutions (a U-net with sums across), with the mean and the largest value of the
coarsest one known to all bins. z is a weighted mean of the estimates among the features plus a correction, so that the
network chooses between backgrounds rather than inventing z. The same arrays serve both backends; the number of bins is
free.

Examples
--------
>>> import numpy as np
>>> shape = Shape(inputs=5, scores=2, widths=(8, 8, 8, 8))
>>> weights = initial_weights(shape, seed=1)
>>> x = np.random.default_rng(1).normal(size=(3, 5, 21)).astype(np.float32)
>>> [part.shape for part in apply(weights, x, shape)]
[(3, 21), (3, 21), (3, 21), (3, 21), (3, 21)]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Weights = Mapping[str, "NDArray[np.float32]"]

_KERNEL = 5
_LEAK = 0.1
_OUTPUTS = 5
"""Beside the weights of estimates: correction of z, logarithm of its error, log-odds, what a resonance adds, and the
evidence for a resonance here and nowhere else."""


@dataclass(frozen=True)
class Shape:
    """Sizes of the network.

    Attributes
    ----------
    inputs
        Channels of the features.
    scores
        How many of them, the leading ones, are estimates of z.
    widths
        Channels in each resolution, the finest first.
    """

    inputs: int
    scores: int
    widths: tuple[int, ...] = (32, 48, 64, 64)

    @property
    def coarsest(self) -> int:
        """Bins of the finest resolution in one of the coarsest."""
        return int(2 ** (len(self.widths) - 1))


def layers(shape: Shape) -> dict[str, tuple[int, int, int]]:
    """Return the size of every layer's weights: taps, channels in, channels out."""
    found = {}
    before = shape.inputs
    for level, width in enumerate(shape.widths):
        found[f"down{level}a"] = (_KERNEL, before, width)
        found[f"down{level}b"] = (_KERNEL, width, width)
        before = width
    found["global"] = (1, 2 * before, before)
    for level in range(len(shape.widths) - 2, -1, -1):
        found[f"up{level}a"] = (1, before, shape.widths[level])
        found[f"up{level}b"] = (_KERNEL, shape.widths[level], shape.widths[level])
        before = shape.widths[level]
    found["head"] = (1, before, shape.scores + _OUTPUTS)
    return found


def initial_weights(shape: Shape, seed: int) -> dict[str, NDArray[np.float32]]:
    """Return random weights (He) and zero biases; the head starts small."""
    rng = np.random.default_rng([seed, 77])
    weights: dict[str, NDArray[np.float32]] = {}
    for name, (taps, into, out) in layers(shape).items():
        scale = 0.1 if name == "head" else 1.0
        values = rng.normal(0.0, scale * np.sqrt(2.0 / (taps * into)), (taps, into, out))
        weights[name] = values.astype(np.float32)
        weights[f"{name}.bias"] = np.zeros(out, dtype=np.float32)
    return weights


def apply(weights: Any, features: Any, shape: Shape) -> tuple[Any, Any, Any, Any, Any]:
    """Return z, the logarithm of its error, the log-odds of a resonance, z if there is one, and evidence, at every bin.

    Parameters
    ----------
    weights
        Arrays by name, as of :func:`initial_weights`, of the kind of ``features``.
    features
        Shape (n_spectra, inputs, n_bins): a numpy array, or a torch tensor.
    shape
        Sizes of the network.

    Returns
    -------
    tuple
        Five of shape (n_spectra, n_bins), of the kind of ``features``.
    """
    ops: Any = _Numpy() if isinstance(features, np.ndarray) else _Torch()
    n_bins = features.shape[2]
    scores = features[:, : shape.scores]
    x = ops.enter(features, shape.scores, -n_bins % shape.coarsest)
    kept = []
    for level in range(len(shape.widths)):
        x = ops.dense(weights, f"down{level}a", x if level == 0 else ops.halve(x))
        x = ops.dense(weights, f"down{level}b", x)
        kept.append(x)
    x = x + ops.dense(weights, "global", ops.summary(x))
    for level in range(len(shape.widths) - 2, -1, -1):
        x = kept[level] + ops.double(ops.linear(weights, f"up{level}a", x))
        x = x + ops.dense(weights, f"up{level}b", x)
    out = ops.leave(ops.linear(weights, "head", x), n_bins)
    share = ops.softmax(out[:, : shape.scores])
    z = (share * scores).sum(1) + out[:, shape.scores]
    log_error, odds, more, evidence = (out[:, shape.scores + number] for number in range(1, _OUTPUTS))
    return z, log_error, odds, z + more, evidence


class _Numpy:
    """Arrays of shape (n_spectra, n_bins, channels): a convolution is one matrix product."""

    def enter(self, features: Any, scores: int, padding: int) -> Any:
        x = np.ascontiguousarray(features.transpose(0, 2, 1))
        x[:, :, :scores] = np.arcsinh(x[:, :, :scores] * np.float32(0.5))
        return np.pad(x, ((0, 0), (0, padding), (0, 0)), mode="edge") if padding else x

    def linear(self, weights: Any, name: str, x: Any) -> Any:
        taps, into, out = weights[name].shape
        n_spectra, n_bins, _ = x.shape
        if taps == 1:
            columns = x.reshape(-1, into)
        else:
            padded = np.zeros((n_spectra, n_bins + taps - 1, into), dtype=np.float32)
            padded[:, taps // 2 : taps // 2 + n_bins] = x
            windows = np.lib.stride_tricks.as_strided(
                padded, (n_spectra, n_bins, taps * into), (*padded.strides[:2], padded.strides[2])
            )
            columns = windows.reshape(-1, taps * into)
        product = columns @ weights[name].reshape(-1, out)
        product += weights[f"{name}.bias"]
        return product.reshape(n_spectra, n_bins, out)

    def dense(self, weights: Any, name: str, x: Any) -> Any:
        y = self.linear(weights, name, x)
        return np.maximum(y, np.float32(_LEAK) * y, out=y)

    def halve(self, x: Any) -> Any:
        return (x[:, 0::2] + x[:, 1::2]) * np.float32(0.5)

    def double(self, x: Any) -> Any:
        return np.repeat(x, 2, axis=1)

    def summary(self, x: Any) -> Any:
        return np.concatenate([x.mean(axis=1, keepdims=True), x.max(axis=1, keepdims=True)], axis=2)

    def leave(self, x: Any, n_bins: int) -> Any:
        return x[:, :n_bins].transpose(0, 2, 1)

    def softmax(self, x: Any) -> Any:
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)


class _Torch:
    """Tensors of shape (n_spectra, channels, 1, n_bins), the channels innermost in memory: the faster convolutions."""

    def enter(self, features: Any, scores: int, padding: int) -> Any:
        import torch
        from torch.nn import functional

        half = features[:, :scores] * 0.5
        # torch.asinh is three times slower than this.
        size = half.abs()
        small = torch.copysign(torch.log(size + torch.sqrt(size * size + 1.0)), half)
        x = torch.cat([small, features[:, scores:]], dim=1)
        x = functional.pad(x, (0, padding), mode="replicate") if padding else x
        return x.unsqueeze(2).contiguous(memory_format=torch.channels_last)

    def linear(self, weights: Any, name: str, x: Any) -> Any:
        from torch.nn import functional

        kernel = weights[name].permute(2, 1, 0).unsqueeze(2)
        return functional.conv2d(x, kernel, weights[f"{name}.bias"], padding=(0, kernel.shape[3] // 2))

    def dense(self, weights: Any, name: str, x: Any) -> Any:
        from torch.nn import functional

        return functional.leaky_relu(self.linear(weights, name, x), _LEAK)

    def halve(self, x: Any) -> Any:
        return (x[..., 0::2] + x[..., 1::2]) * 0.5

    def double(self, x: Any) -> Any:
        from torch.nn import functional

        return functional.interpolate(x, scale_factor=(1, 2), mode="nearest")

    def summary(self, x: Any) -> Any:
        import torch

        return torch.cat([x.mean(dim=3, keepdim=True), x.amax(dim=3, keepdim=True)], dim=1)

    def leave(self, x: Any, n_bins: int) -> Any:
        return x[:, :, 0, :n_bins]

    def softmax(self, x: Any) -> Any:
        return x.softmax(dim=1)
