"""Levenberg-Marquardt for many networks at a time, within bounds (torch).

What is minimised is ``L(w) = sum_i u_i (exp f_i - 1) - sum_i y_i f_i + sum_j penalty_j w_j^2 / 2``. Its Gauss-Newton
matrix ``J^T diag(u exp f) J`` is exact where the network is linear in its parameters, and has tens of rows. Parameters
at a bound that the gradient pushes outwards are frozen; where a step would cross a bound, that parameter goes to the
bound and the others' steps are found anew, given that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from coffea_ddp.stats.log_ratio.perceptron import Perceptron

_FIRST_DAMPING = 1e-2
_LEAST, _MOST = 1e-8, 1e10
_WINDOW = 10
"""Steps between two checks of whether a fit still gains."""


@dataclass(frozen=True, eq=False)
class Bounds:
    """Bounds and penalties of the parameters; tensors of shape (n_parameters,), in double precision."""

    largest: Tensor
    penalty: Tensor


@dataclass(frozen=True, eq=False)
class Data:
    """Points and labellings.

    Attributes
    ----------
    x
        Shape (features, n_points).
    expected
        ``u``, shape (n_points,) or (n, n_points).
    labels
        ``y``, shape (n, n_points).
    """

    x: Tensor
    expected: Tensor
    labels: Tensor

    def rows(self, chosen: Tensor) -> Data:
        """Return some of the labellings, in any order."""
        expected = self.expected if self.expected.dim() == 1 else self.expected[chosen]
        return Data(self.x, expected, self.labels[chosen])


@dataclass(frozen=True, eq=False)
class Minima:
    """Minima of the fits.

    Attributes
    ----------
    value
        L, shape (n,).
    parameters
        Shape (n, n_parameters), in double precision.
    steps
        Steps taken, shape (n,).
    gradient
        The largest component of the gradient of parameters that are free, shape (n,).
    """

    value: Tensor
    parameters: Tensor
    steps: Tensor
    gradient: Tensor


def value(net: Perceptron, data: Data, parameters: Tensor, bounds: Bounds) -> Tensor:
    """Return L, shape (n,); infinite where ``exp f`` overflows."""
    return _value(net.values(parameters.to(data.x.dtype), data.x)[1], data, parameters, bounds)


def _value(f: Tensor, data: Data, parameters: Tensor, bounds: Bounds) -> Tensor:
    terms = data.expected * torch.expm1(f) - data.labels * f
    found = terms.sum(dim=1, dtype=torch.float64) + 0.5 * (bounds.penalty * parameters**2).sum(dim=1)
    return torch.nan_to_num(found, nan=torch.inf)


def minimise(
    net: Perceptron, data: Data, start: Tensor, bounds: Bounds, *, most: int = 100, tolerance: float = 1e-3
) -> Minima:
    """Fit one network to every labelling.

    Parameters
    ----------
    net, data, bounds
        What is fitted to what.
    start
        Shape (n, n_parameters), in double precision, within the bounds.
    most
        The largest number of steps.
    tolerance
        A fit ends when ten steps have gained less in 2 L.
    """
    descent = _Descent(net, data, start, bounds)
    while len(descent.row) and descent.done < most:
        descent.step()
        if descent.done % _WINDOW == 0:
            descent.retire(tolerance)
    descent.retire(torch.inf)
    return descent.found


class _Descent:
    """Fits under way; those that have ended leave."""

    def __init__(self, net: Perceptron, data: Data, start: Tensor, bounds: Bounds) -> None:
        n = len(start)
        self.net, self.data, self.bounds, self.kind = net, data, bounds, data.x.dtype
        self.row, self.done = torch.arange(n, device=start.device), 0
        self.w, self.damping = start.clone(), start.new_full((n,), _FIRST_DAMPING)
        self.hidden, self.f = net.values(self.w.to(self.kind), data.x)
        self.now = _value(self.f, data, self.w, bounds)
        self.before, self.slope = self.now.clone(), torch.full_like(self.now, torch.inf)
        steps = torch.zeros(n, dtype=torch.int64, device=start.device)
        self.found = Minima(self.now.clone(), start.clone(), steps, self.slope.clone())

    def _model(self) -> tuple[Tensor, Tensor]:
        """Return gradient and Gauss-Newton matrix."""
        density = self.data.expected * torch.exp(self.f)
        jacobian = self.net.jacobian(self.w.to(self.kind), self.data.x, self.hidden)
        # The gradient is one more row of the product: a matrix times a vector is slower than that.
        n, p, points = jacobian.shape
        left = jacobian.new_empty(n, p + 1, points)
        torch.mul(jacobian, density[:, None], out=left[:, :p])
        torch.sub(density, self.data.labels, out=left[:, p])
        product = torch.bmm(left, jacobian.transpose(1, 2)).double()
        return product[:, p] + self.bounds.penalty * self.w, product[:, :p] + torch.diag(self.bounds.penalty)

    def step(self) -> None:
        """Try one step of every fit; those that gain nothing are damped more."""
        gradient, matrix = self._model()
        largest = self.bounds.largest
        free = ~(((self.w >= largest) & (gradient < 0)) | ((self.w <= -largest) & (gradient > 0)))
        self.slope = (gradient * free).abs().amax(dim=1)
        scale = torch.diagonal(matrix, dim1=1, dim2=2)
        scale = scale + 1e-6 * scale.mean(dim=1, keepdim=True) + 1e-10
        damped = matrix + torch.diag_embed(self.damping[:, None] * scale)
        trial = self._within(damped, gradient, free)
        move = trial - self.w
        promised = -(gradient * move).sum(dim=1) - 0.5 * torch.einsum("ni,nij,nj->n", move, matrix, move)
        hidden, f = self.net.values(trial.to(self.kind), self.data.x)
        then = _value(f, self.data, trial, self.bounds)
        better = then < self.now
        kept = (self.now - then) / promised.clamp(min=1e-30)
        change = torch.where(kept > 0.75, 0.2, torch.where(kept > 0.25, 0.6, 2.0))
        self.damping = (self.damping * torch.where(better, change, 5.0)).clamp(_LEAST, _MOST)
        self.w = torch.where(better[:, None], trial, self.w)
        self.hidden = torch.where(better[:, None, None], hidden, self.hidden)
        self.f = torch.where(better[:, None], f, self.f)
        self.now = torch.where(better, then, self.now)
        self.done += 1

    def _within(self, damped: Tensor, gradient: Tensor, free: Tensor) -> Tensor:
        """Return where a step leads that stays within the bounds."""
        largest = self.bounds.largest
        trial = self.w + _solve(damped, gradient, free)
        out = trial.abs() > largest
        if not bool(out.any()):
            return trial
        fixed = torch.where(out, trial.clamp(-largest, largest) - self.w, 0.0)
        rest = gradient + torch.bmm(damped, fixed[:, :, None])[:, :, 0]
        return (self.w + _solve(damped, rest, free & ~out) + fixed).clamp(-largest, largest)

    def retire(self, tolerance: float) -> None:
        """Write down the fits that gained at most ``tolerance`` since the last check, and continue with the others."""
        # What is infinite, and stays so, ends as well.
        ended = ~(2.0 * (self.before - self.now) >= tolerance)
        rows, stay = self.row[ended], ~ended
        self.found.value[rows], self.found.parameters[rows] = self.now[ended], self.w[ended]
        self.found.steps[rows], self.found.gradient[rows] = self.done, self.slope[ended]
        self.row, self.before, self.data = self.row[stay], self.now[stay], self.data.rows(stay)
        for name in ("w", "damping", "hidden", "f", "now", "slope"):
            setattr(self, name, getattr(self, name)[stay])


def _solve(damped: Tensor, gradient: Tensor, free: Tensor) -> Tensor:
    """Return the step of the free parameters, 0 for the others; shape (n, n_parameters)."""
    mask = free.to(damped.dtype)
    kept = damped * mask[:, :, None] * mask[:, None] + torch.diag_embed(1.0 - mask)
    factor, _ = torch.linalg.cholesky_ex(kept)
    step = torch.cholesky_solve(-(gradient * mask)[:, :, None], factor)[:, :, 0]
    # A matrix that rounding has made indefinite gives no step: the damping grows until it does.
    return torch.nan_to_num(step, nan=0.0, posinf=0.0, neginf=0.0)
