"""The score version of symmetrized NPLM in many overlapping cells at once.

A cell is a union of exclusive cells. All that the score version needs of it, weighted sums of features, their products
and the sums over A, are sums over its exclusive cells; so one set of features and one relabelling of the events serve
all cells. Events may carry weights, which stay with them when labels are permuted.

For a cell with weights w and features phi, centred at their mean: ``G = sum_A w phi``, ``M = sum w phi phi^T``,
``C = sum w^2 phi phi^T``, and with the expected share r of A ``t = G^T (H_A^-1 + H_B^-1) G``, ``H_A = r M + ridge``,
``H_B = (1 - r) M + ridge``. Relabelling gives G the covariance ``r (1 - r) C``, so t is a weighted sum of chi2_1, here
approximated by its first three cumulants.

Where every event has an individual expected share, e of side B, labels are replaced by residuals
``rho = a - (1 - e)`` and the information ``4 e (1 - e)`` of each event, 1 at e = 1/2, weighs all sums but that over A:
``M = sum 4 e (1 - e) w phi phi^T``, ``C = sum 4 e (1 - e) w^2 phi phi^T``, features centred with the same weights (so
that a common shift of all log-odds is projected out), and r = 1/2. Drawing the labels from the shares gives
``G = sum w phi rho`` the covariance C / 4. Where shares were fitted, residuals move with the fit, and the covariance
changes by ``(D - F)(D - F)^T - F F^T`` with D and F the sums of ``phi a^T``, a being what moves an event
(:mod:`coffea_ddp.stats.propensity.projection`), of all events and of those that were fitted.

Examples
--------
>>> rng = np.random.default_rng(1)
>>> phi, code, members = rng.normal(size=(600, 3)), np.repeat([0, 1], 300), np.array([[1.0, 0.0], [1.0, 1.0]])
>>> forms = forms_of(members, sums_of(phi, code, 2), share=0.5)
>>> labels = rng.random((600, 2000)) < 0.5
>>> z = z_of(statistic(members, sums_over_a(phi, code, 2, labels), forms), forms)
>>> z.shape, z.std(axis=1).round(1).tolist()
((2, 2000), [1.0, 1.0])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from coffea_ddp.stats.log_ratio.features import evaluated, kernel_family

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, FloatArray, IntArray
    from coffea_ddp.stats.samples.points import Points

LARGEST = 32
"""The largest number of directions of the features that are used, those of the largest variance."""
_KNOWN = 0.05
"""Directions of which all events together say less, in units of the ridge, are left out."""
_NOTHING = 1e-9
NO_OPINION = -38.0
"""z of a cell in which no statistic can be computed: one event, equal features."""


def main_directions(points: Points, width: float, *, seed: int, ridge: float = 1.0) -> FloatArray:
    """Return features of kernels of one width in their main directions, for a ridge of 1; shape (n_points, p).

    Parameters
    ----------
    points
        All events, both labels: nothing of the features depends on labels.
    width
        Of the kernels, in units of half of the central 68 % of every feature.
    seed
        Of the draw of their centres.
    ridge
        What the penalty is in the full fit.
    """
    family = kernel_family(points, width=width, seed=seed, ridge=ridge)
    phi = evaluated(family, points.x)[:, 1:] / np.sqrt(np.maximum(family.penalty[1:], _NOTHING))
    centred = phi - points.multiplicity @ phi / points.n
    size, vectors = np.linalg.eigh((centred * points.multiplicity[:, None]).T @ centred)
    kept = np.flatnonzero(size > _KNOWN)[-LARGEST:]
    return np.asarray(centred @ vectors[:, kept if len(kept) else [-1]])


@dataclass(frozen=True, eq=False)
class CodeSums:
    """Sums over the events of every exclusive cell.

    Attributes
    ----------
    weight, total, moments
        Of w, w phi, w phi phi^T; shapes (n_codes,), (n_codes, p) and (n_codes, p, p).
    squares
        The same three of w^2; ``None`` without weights. With expected shares all of it is weighted by ``4 e (1 - e)``.
    moves
        Of ``(phi, 1) a^T`` of events outside of the fit of the shares, and of those in it, with a what moves each;
        shape (2, n_codes, p + 1, n_directions). ``None`` where shares are exact.
    """

    weight: FloatArray
    total: FloatArray
    moments: FloatArray
    squares: tuple[FloatArray, FloatArray, FloatArray] | None
    moves: FloatArray | None = None


def _moments(phi: FloatArray, code: IntArray, n_codes: int, w: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    p = phi.shape[1]
    moments, total = np.zeros((n_codes, p, p)), np.zeros((n_codes, p))
    for here, rows in _grouped(code):
        weighted = phi[rows] * w[rows, None]
        moments[here], total[here] = weighted.T @ phi[rows], weighted.sum(axis=0)
    return np.bincount(code, w, minlength=n_codes).astype(np.float64), total, moments


def _grouped(code: IntArray) -> list[tuple[int, IntArray]]:
    """Return every exclusive cell that has events, with the numbers of these."""
    order = np.argsort(code, kind="stable")
    values, starts = np.unique(code[order], return_index=True)
    return list(zip(values.tolist(), np.split(order, starts[1:]), strict=True))


def sums_of(
    phi: FloatArray,
    code: IntArray,
    n_codes: int,
    weights: FloatArray | None = None,
    *,
    shares: FloatArray | None = None,
    moves: tuple[FloatArray, FloatArray] | None = None,
) -> CodeSums:
    """Return the sums over the events of every exclusive cell.

    Parameters
    ----------
    phi
        Shape (n_events, p).
    code
        The exclusive cell of every event, 0 to ``n_codes - 1``; shape (n_events,).
    n_codes
        How many there are.
    weights
        Shape (n_events,); 1 each by default.
    shares
        Expected P(B) of every event, shape (n_events,); ``None``: one share for all, which :func:`forms_of` takes.
    moves
        How the residual of every event moves with the fit of the shares, and the same of those that were fitted (0 of
        others), shape (n_events, n_directions); ``None``: shares are exact.
    """
    w = np.ones(len(phi)) if weights is None else np.asarray(weights, dtype=np.float64)
    share = np.full(len(phi), 0.5) if shares is None else np.asarray(shares, dtype=np.float64)
    information = 4.0 * share * (1.0 - share)
    squares = None if weights is None else _moments(phi, code, n_codes, w**2 * information)
    moved = None
    if moves is not None:
        moved = np.stack([_moves(phi, code, n_codes, one) for one in (moves[0] - moves[1], moves[1])])
    return CodeSums(*_moments(phi, code, n_codes, w * information), squares, moved)


def _moves(phi: FloatArray, code: IntArray, n_codes: int, moves: FloatArray) -> FloatArray:
    out = np.zeros((n_codes, phi.shape[1] + 1, moves.shape[1]))
    for here, rows in _grouped(code):
        out[here, :-1], out[here, -1] = phi[rows].T @ moves[rows], moves[rows].sum(axis=0)
    return out


def sums_over_a(
    phi: FloatArray, code: IntArray, n_codes: int, labels: AnyArray, weights: FloatArray | None = None
) -> AnyArray:
    """Return the sums of w phi, and of w behind them, over the events that are labelled A.

    Parameters
    ----------
    phi, code, n_codes, weights
        As for :func:`sums_of`.
    labels
        Which events are A in every pseudo-experiment, shape (n_events, n); with expected shares the residuals.

    Returns
    -------
    ndarray of float32, shape (n_codes, p + 1, n)
    """
    columns = np.concatenate([phi, np.ones((len(phi), 1))], axis=1)
    columns = (columns if weights is None else columns * weights[:, None]).astype(np.float32)
    out = np.zeros((n_codes, columns.shape[1], labels.shape[1]), dtype=np.float32)
    for here, rows in _grouped(code):
        out[here] = columns[rows].T @ labels[rows].astype(np.float32)
    return out


@dataclass(frozen=True, eq=False)
class Forms:
    """The quadratic forms of some cells.

    Attributes
    ----------
    mean
        Of the features, weighted; shape (n_cells, p).
    root
        Matrices R with ``t = |R^T G|^2``; shape (n_cells, p, p).
    cumulants
        The first three of t under relabelling; shape (n_cells, 3). All 0 where there is nothing to be computed.
    total
        What the square of the sum of all residuals is multiplied with before it is added to t, shape (n_cells,):
        where shares are known, so is the number of events. ``None`` for a test of shapes.
    """

    mean: FloatArray
    root: FloatArray
    cumulants: FloatArray
    total: FloatArray | None = None


def forms_of(members: FloatArray, sums: CodeSums, *, share: float, total: bool = False) -> Forms:
    """Return the forms of cells.

    Parameters
    ----------
    members
        Which exclusive cells each is made of; 0.0 and 1.0, shape (n_cells, n_codes).
    sums
        Of the exclusive cells.
    share
        The expected share of A. It is not that of the data, so that all labels are treated alike. With expected shares
        of events it is 1/2: theirs are in the sums.
    total
        Test the number of events on side A, too, as a direction with a ridge of 1 like the others; for expected shares.
    """
    weight, summed, moments = _united(members, sums.weight, sums.total, sums.moments)
    mean = summed / np.where(weight > 0, weight, 1.0)[:, None]
    centred = moments - weight[:, None, None] * mean[:, :, None] * mean[:, None, :]
    size, vectors = np.linalg.eigh(centred)
    size = np.maximum(size, 0.0)
    root = vectors * np.sqrt(1.0 / (share * size + 1.0) + 1.0 / ((1.0 - share) * size + 1.0))[:, None, :]
    spread = centred if sums.squares is None else _around(members, sums.squares, mean)
    covariance = share * (1.0 - share) * (root.transpose(0, 2, 1) @ spread @ root)
    if sums.moves is not None:
        return _with_fit(
            members, sums.moves, Forms(mean, root, np.zeros((0, 3))), covariance, weight if total else None
        )
    cumulants = _cumulants(covariance)
    if not total:
        return Forms(mean, root, cumulants)
    # Centred features and the constant are independent: their covariance with the weights is 0.
    factor = 1.0 / (share * weight + 1.0) + 1.0 / ((1.0 - share) * weight + 1.0)
    own = share * (1.0 - share) * weight * factor
    return Forms(mean, root, cumulants + np.stack([own, 2.0 * own**2, 8.0 * own**3], axis=1), factor)


def _cumulants(covariance: FloatArray) -> FloatArray:
    """Return the first three cumulants of the square of a normal vector, shape (n_cells, 3)."""
    square = covariance @ covariance
    traces = (
        np.trace(covariance, axis1=1, axis2=2),
        2.0 * np.trace(square, axis1=1, axis2=2),
        8.0 * np.einsum("nij,nji->n", square, covariance),
    )
    return np.stack(traces, axis=1)


def _with_fit(
    members: FloatArray, moves: FloatArray, forms: Forms, covariance: FloatArray, weight: FloatArray | None
) -> Forms:
    """Return the forms of cells whose shares were fitted; ``weight`` is that of cells whose total counts."""
    n_codes, columns, n_directions = moves.shape[1:]
    outside, control = ((members @ one.reshape(n_codes, -1)).reshape(-1, columns, n_directions) for one in moves)
    known, factor = np.zeros((len(members), columns, columns)), None
    known[:, :-1, :-1] = covariance
    scale = np.zeros(len(members))
    if weight is not None:
        factor = 2.0 / (0.5 * weight + 1.0)
        known[:, -1, -1], scale = 0.25 * weight * factor, np.sqrt(factor)

    def scaled(values: FloatArray) -> FloatArray:
        centred = values[:, :-1] - forms.mean[:, :, None] * values[:, -1:]
        return np.concatenate([forms.root.transpose(0, 2, 1) @ centred, scale[:, None, None] * values[:, -1:]], axis=1)

    apart, inside = scaled(outside), scaled(control)
    both = known + apart @ apart.transpose(0, 2, 1) - inside @ inside.transpose(0, 2, 1)
    # To first order no direction loses all of its variance.
    size, vectors = np.linalg.eigh(both)
    positive = (vectors * np.maximum(size, 0.0)[:, None, :]) @ vectors.transpose(0, 2, 1)
    return Forms(forms.mean, forms.root, _cumulants(positive), factor)


def _united(
    members: FloatArray, weight: FloatArray, total: FloatArray, moments: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    p = total.shape[1]
    return members @ weight, members @ total, (members @ moments.reshape(len(moments), p * p)).reshape(-1, p, p)


def _around(members: FloatArray, squares: tuple[FloatArray, FloatArray, FloatArray], mean: FloatArray) -> FloatArray:
    """Return the sum of w^2 (phi - mean)(phi - mean)^T."""
    weight, total, moments = _united(members, *squares)
    cross = mean[:, :, None] * total[:, None, :]
    own = weight[:, None, None] * mean[:, :, None] * mean[:, None, :]
    return np.asarray(moments - cross - cross.transpose(0, 2, 1) + own)


def statistic(members: AnyArray, over_a: AnyArray, forms: Forms) -> FloatArray:
    """Return t of some cells for several labellings, shape (n_cells, n).

    Parameters
    ----------
    members
        As for :func:`forms_of`.
    over_a
        Of :func:`sums_over_a`.
    forms
        Of the same cells.
    """
    n_codes, columns, n = over_a.shape
    sums = (members.astype(np.float32) @ over_a.reshape(n_codes, columns * n)).reshape(-1, columns, n)
    # Relative to the mean: what is left of N_A decides nothing, the test is one of shapes.
    gradient = sums[:, :-1] - forms.mean.astype(np.float32)[:, :, None] * sums[:, -1:]
    pulls = forms.root.astype(np.float32).transpose(0, 2, 1) @ gradient
    t = np.asarray((pulls**2).sum(axis=1), dtype=np.float64)
    return t if forms.total is None else t + forms.total[:, None] * sums[:, -1].astype(np.float64) ** 2


def z_of(t: FloatArray, forms: Forms) -> FloatArray:
    """Return the one-sided z of t: the chi2 with its three cumulants, by the cube root of Wilson and Hilferty.

    Parameters
    ----------
    t
        Shape (n_cells, n).
    forms
        Of the same cells.

    Notes
    -----
    E. B. Wilson, M. M. Hilferty, PNAS 17 (1931) 684; three cumulants: P. Hall, Ann. Probab. 11 (1983) 1028.
    """
    first, second, third = forms.cumulants.T[:, :, None]
    known = second > _NOTHING
    dof = 8.0 * second**3 / np.where(known, third, 1.0) ** 2
    dof = np.where(known, dof, 1.0)
    chi2 = dof + (t - first) / np.sqrt(np.where(known, second, 1.0)) * np.sqrt(2.0 * dof)
    root = np.cbrt(np.maximum(chi2, 0.0) / dof)
    return np.where(known, (root - 1.0 + 2.0 / (9.0 * dof)) * np.sqrt(4.5 * dof), NO_OPINION)


def two_sided(z: FloatArray) -> FloatArray:
    """Return the z, 0 or more, whose two-sided p-value is the one-sided one of ``z``; any shape.

    Examples
    --------
    >>> two_sided(np.array([0.0, 1.6448536269514722])).round(4)
    array([0.6745, 1.96  ])
    """
    return np.asarray(-ndtri(0.5 * np.clip(ndtr(-np.asarray(z, dtype=np.float64)), 1e-300, 1.0))) + 0.0
