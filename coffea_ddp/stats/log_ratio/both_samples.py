"""Both halves of the symmetrized test, fitted with networks from the same starting points (torch).

Where ``N_A exp(f) + N_B exp(g) = N`` held exactly, one fit would give the other; so the best of one sample is a
starting point for the other, mirrored. Nothing here depends on which sample is called A.
"""

from __future__ import annotations

import torch
from torch import Tensor

from coffea_ddp.stats.log_ratio.levenberg import Bounds, Data, Minima, minimise, value
from coffea_ddp.stats.log_ratio.perceptron import Perceptron

_MIRRORS = (-1.0, -0.6, -0.3, -0.1, 0.0)


def fit_both(
    net: Perceptron, data: tuple[Data, Data], starts: Tensor, bounds: Bounds, *, first: int, most: int
) -> tuple[Minima, Minima]:
    """Fit both samples, for many labellings.

    Parameters
    ----------
    net
        The form of the networks.
    data
        The points with the events of A, and of B.
    starts
        Parameters to begin with, the same for all labellings, shape (n_starts, n_parameters).
    bounds
        Of the parameters.
    first, most
        Steps with all starting points, and then with the best.
    """
    best = [_best_of_starts(net, side, starts, bounds, first) for side in data]
    a, b = (
        minimise(net, side, _least(net, side, [own, *_mirrored(net, other)], bounds), bounds, most=most)
        for side, own, other in zip(data, best, reversed(best), strict=True)
    )
    return a, b


def fit_one(net: Perceptron, data: Data, starts: Tensor, bounds: Bounds, *, first: int, most: int) -> Minima:
    """Fit one sample alone, as :func:`fit_both` fits two."""
    return minimise(net, data, _best_of_starts(net, data, starts, bounds, first), bounds, most=most)


def _best_of_starts(net: Perceptron, data: Data, starts: Tensor, bounds: Bounds, steps: int) -> Tensor:
    """Return the best of all starting points after a few steps, shape (n, n_parameters)."""
    n, restarts = len(data.labels), len(starts)
    rows = torch.arange(n, device=starts.device)
    many = data.rows(rows.repeat_interleave(restarts))
    found = minimise(net, many, starts.repeat(n, 1), bounds, most=steps)
    best = found.value.view(n, restarts).argmin(dim=1)
    return found.parameters.view(n, restarts, -1)[rows, best]


def _mirrored(net: Perceptron, parameters: Tensor) -> list[Tensor]:
    """Return what one sample's fit says of the other: about -f, less where f is large; 0 is always among them."""
    out = []
    for factor in _MIRRORS:
        turned = parameters.clone()
        turned[:, net.outputs] *= factor
        out.append(turned)
    return out


def _least(net: Perceptron, data: Data, candidates: list[Tensor], bounds: Bounds) -> Tensor:
    """Return for every labelling the candidate with the least L."""
    chosen = torch.stack([value(net, data, one, bounds) for one in candidates]).argmin(dim=0)
    return torch.stack(candidates)[chosen, torch.arange(len(chosen), device=chosen.device)]
