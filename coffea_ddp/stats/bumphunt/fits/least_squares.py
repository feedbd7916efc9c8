"""Least squares within bounds for many small problems of one size at once.

The Levenberg-Marquardt iteration with a diagonal scaling that only grows (as in MINPACK) and the damping of Nielsen.
Parameters come close to their bounds and never reach them: steps are damped by the gradient over the room that is left
(the scaling of Coleman and Li). What is found for one problem does not depend on the others: no sum goes over problems.

References
----------
J. J. More, "The Levenberg-Marquardt algorithm", 1978; K. Madsen, H. B. Nielsen, O. Tingleff, "Methods for non-linear
least squares problems", 2004; T. F. Coleman, Y. Li, "An interior trust region approach for nonlinear minimization
subject to bounds", SIAM J. Optim. 6 (1996) 418.

Examples
--------
Two exponentials are fitted to their values, one of them with a bound that it reaches:

>>> x, true = np.linspace(0.0, 1.0, 20), np.array([[1.0, -2.0], [0.5, 1.0]])
>>> seen = np.exp(true[:, :1] + true[:, 1:] * x)
>>> def model(theta, rows):
...     y = np.exp(theta[:, :1] + theta[:, 1:] * x)
...     return y - seen[rows], np.stack([y, y * x], axis=1)
>>> high = np.array([[9.0, 9.0], [9.0, 0.7]])
>>> least_squares(model, np.zeros((2, 2)), np.full((2, 2), -9.0), high).round(2).tolist()
[[1.0, -2.0], [0.69, 0.7]]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats.bumphunt.fits.loglinear import rows_of

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray, IntArray

    Model = Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]]

_DAMPING, _LEAST_DAMPING = 1.0, 1e-12
_LEFT, _NO_ROOM = 0.005, 1e-300
"""Part of the way to a bound that is left at least."""
_GOOD = 0.25
"""Share of the predicted gain that a step has to bring if it is to be the last one."""


class _State(NamedTuple):
    """Problems that are not done yet; shapes (n, ...)."""

    rows: IntArray
    theta: FloatArray
    low: FloatArray
    high: FloatArray
    cost: FloatArray
    gradient: FloatArray
    curvature: FloatArray
    scale: FloatArray
    damping: FloatArray
    factor: FloatArray


def least_squares(
    model: Model,
    begin: FloatArray,
    low: FloatArray,
    high: FloatArray,
    *,
    close: float = 1e-6,
    most: int = 60,
) -> FloatArray:
    """Return the parameters with the smallest sum of squares, shape (n_problems, n_parameters).

    Parameters
    ----------
    model
        Called with the parameters of some problems, shape (n, n_parameters), and the numbers of these, shape (n,);
        returns finite residuals, shape (n, n_residuals), and their derivatives, shape (n, n_parameters, n_residuals).
    begin
        Where the search begins, between the bounds; shape (n_problems, n_parameters).
    low, high
        Bounds, which may be infinite; of the same shape. Where both are the same, the parameter is fixed.
    close
        A problem is done where a good step gains less than this part of the sum of squares, or is shorter than this
        part of the parameters.
    most
        The largest number of steps that are tried.
    """
    found = np.clip(begin, low, high)
    if not len(found):
        return found
    rows = np.arange(len(found))
    residuals, slopes = model(found, rows)
    cost, gradient, curvature = _expanded(residuals, slopes)
    state = _State(
        rows, found.copy(), low, high, cost, gradient, curvature, _scales(curvature), np.full(len(rows), _DAMPING),
        np.full(len(rows), 2.0),
    )  # fmt: skip
    for _ in range(most):
        state, done = _step(model, state, close)
        found[state.rows] = state.theta
        if done.all():
            break
        state = rows_of(state, np.flatnonzero(~done))
    return found


def _step(model: Model, state: _State, close: float) -> tuple[_State, BoolArray]:
    """Return the state after one more step was tried, and which problems are done."""
    theta = _inside(state, state.theta + _damped(state))
    step = theta - state.theta
    predicted = -_dot(step, state.gradient) - 0.5 * _dot(step, _times(state.curvature, step))
    cost, gradient, curvature = _expanded(*model(theta, state.rows))
    gained = state.cost - cost
    ratio = gained / np.where(predicted > 0.0, predicted, np.inf)
    better = gained > 0.0
    short = np.sqrt(_dot(step, step)) < close * (close + np.sqrt(_dot(state.theta, state.theta)))
    done = short | (better & (ratio > _GOOD) & (gained < close * state.cost))

    def chosen(new: FloatArray, old: FloatArray) -> FloatArray:
        return np.where(better.reshape(-1, *[1] * (old.ndim - 1)), new, old)

    curvature = chosen(curvature, state.curvature)
    shrunk = np.maximum(state.damping * np.maximum(1.0 / 3.0, 1.0 - (2.0 * ratio - 1.0) ** 3), _LEAST_DAMPING)
    return state._replace(
        theta=chosen(theta, state.theta),
        cost=chosen(cost, state.cost),
        gradient=chosen(gradient, state.gradient),
        curvature=curvature,
        scale=np.maximum(state.scale, _scales(curvature, least=0.0)),
        damping=np.where(better, shrunk, state.damping * state.factor),
        factor=np.where(better, 2.0, 2.0 * state.factor),
    ), done


def _damped(state: _State) -> FloatArray:
    """Return the damped Gauss-Newton step; shorter for parameters that are close to the bound that they move to."""
    free = state.high > state.low
    room = np.where(state.gradient < 0.0, state.high - state.theta, state.theta - state.low)
    matrix = state.curvature * (free[:, :, None] & free[:, None, :])
    number = np.arange(matrix.shape[1])
    damping = state.damping[:, None] * state.scale + np.abs(state.gradient) / np.maximum(room, _NO_ROOM)
    matrix[:, number, number] += np.where(free, damping, 1.0)
    return np.asarray(np.linalg.solve(matrix, np.where(free, -state.gradient, 0.0)[:, :, None])[:, :, 0])


def _inside(state: _State, theta: FloatArray) -> FloatArray:
    """Return parameters between their bounds: those that would be beyond go most of the way."""
    low, high = (
        np.where(np.isfinite(bound), bound + _LEFT * (state.theta - np.where(np.isfinite(bound), bound, 0.0)), bound)
        for bound in (state.low, state.high)
    )
    return np.clip(theta, low, high)


def _expanded(residuals: FloatArray, slopes: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return half the sum of squares, its gradient, and its curvature without second derivatives of the residuals."""
    return (
        0.5 * _dot(residuals, residuals), _times(slopes, residuals), np.matmul(slopes, np.swapaxes(slopes, 1, 2))
    )  # fmt: skip


def _scales(curvature: FloatArray, least: float = 1.0) -> FloatArray:
    """Return the diagonals, ``least`` for parameters that change nothing; shape (n, n_parameters)."""
    diagonal = np.diagonal(curvature, axis1=1, axis2=2)
    return np.where(diagonal > 0.0, diagonal, least)


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray((a * b).sum(axis=1))


def _times(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    return np.asarray(np.matmul(matrix, vector[:, :, None])[:, :, 0])
