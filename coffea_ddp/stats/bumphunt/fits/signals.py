"""Signals in spectra: their templates, and the significance of one at every bin beside a known background.

Sums under templates are compiled loops; all spectra of one length are taken at once.

Examples
--------
>>> asimov(np.array([3.0]), np.array([100.0])).round(3)  # 30 events on 100
array([2.866])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import compiled
from coffea_ddp.stats.bumphunt.fits.loglinear import Polynomials

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

LARGEST = 60.0
"""Estimates of z are cut here: beyond, something else than a bump is wrong with the fit."""
_HALF, _LEAST_IN_SERIES, _MOST_IN_SERIES = 0.5, -2.0 / 3.0, 2.0
"""A series in u = x / (2 + x) serves up to u = 1/2, where it is good to 1e-7."""
_NO_TEMPLATE, _LEAST_EFFECTIVE = 1e-12, 1e-6


class Signals(NamedTuple):
    """Signals that are searched for: a table of templates for every different set of widths.

    Attributes
    ----------
    tables, squared
        The template of bin k is ``tables[t, :, k]``, at the bins ``k - half`` to ``k + half``; and the squares of it;
        shape (n_tables, 2 half + 1, n_bins).
    which
        The table t of every spectrum, shape (n_spectra,).
    """

    tables: FloatArray
    squared: FloatArray
    which: IntArray

    def of(self, rows: IntArray) -> Signals:
        """Return those of some spectra."""
        return Signals(self.tables, self.squared, self.which[rows])


class Spectra(NamedTuple):
    """Spectra of one length, the signals that are searched for, and the polynomials of the backgrounds.

    Attributes
    ----------
    n, use
        Counts, and 1 for every bin that is used (0: masked); shape (n_spectra, n_bins).
    signals
        The templates.
    polynomials
        X, R and the number of terms.
    """

    n: FloatArray
    use: FloatArray
    signals: Signals
    polynomials: Polynomials

    def of(self, rows: IntArray) -> Spectra:
        """Return some spectra."""
        return Spectra(self.n[rows], self.use[rows], self.signals.of(rows), self.polynomials.of(rows))

    def with_terms(self, terms: IntArray) -> Spectra:
        """Return the same with other numbers of terms, shape (n_spectra,)."""
        return self._replace(polynomials=self.polynomials._replace(terms=terms))


class Norms(NamedTuple):
    """Norms of the templates beside a background b, shape (n_spectra, n_bins) each.

    Attributes
    ----------
    vv
        ``v . v``.
    effective
        ``(sum s)^2 / v . v``: the background of a single bin in which the signal has the same significance.
    """

    vv: FloatArray
    effective: FloatArray


def asimov(score: FloatArray, effective: FloatArray) -> FloatArray:
    """Return z of scores ``(n - b) / sqrt(b)`` on effective backgrounds b: sqrt(q0) instead of its first order.

    Both of one shape, or of shapes that broadcast to that of the scores.
    """
    z = np.empty(score.shape)
    root = np.ascontiguousarray(np.broadcast_to(np.sqrt(effective), score.shape))
    _asimov(np.ascontiguousarray(score).reshape(-1), root.reshape(-1), z.reshape(-1))
    return z


@compiled
def _asimov(score: FloatArray, root: FloatArray, z: FloatArray) -> None:
    """Set z; ``x = score / root``, and with ``u = x / (2 + x)`` the logarithm of 1 + x is a series of odd powers."""
    for i in range(len(z)):
        u = min(max(score[i] / (2.0 * root[i] + score[i]), -_HALF), _HALF)
        v = u * u
        tail = 1 / 13 + v * (1 / 15 + v * (1 / 17 + v * (1 / 19 + v / 21)))
        tail = 1 / 3 + v * (1 / 5 + v * (1 / 7 + v * (1 / 9 + v * (1 / 11 + v * tail))))
        z[i] = 2.0 * u * root[i] * np.sqrt((1.0 + (1.0 + u) * u * tail) / (1.0 - u))
        z[i] = min(max(z[i], -LARGEST), LARGEST)
    for i in range(len(z)):
        if score[i] < _LEAST_IN_SERIES * root[i] or score[i] > _MOST_IN_SERIES * root[i]:
            x = score[i] / root[i]
            rest = (1.0 + x) * np.log1p(x) - x if x > -1.0 else 1.0
            z[i] = np.sign(x) * min(root[i] * np.sqrt(2.0 * rest), LARGEST)


@compiled
def fold(table: FloatArray, values: FloatArray, out: FloatArray) -> None:
    """Set ``out`` to the sum of values under every template: one offset for all bins at a time, which is fast.

    Shapes (2 half + 1, n_bins), (n_bins,) and (n_bins,).
    """
    n_bins, half = len(values), len(table) // 2
    out[:] = 0.0
    for j in range(len(table)):
        first, stop = max(half - j, 0), min(n_bins - j + half, n_bins)
        # Slices: no index could be negative, so that the loop becomes vector instructions.
        into, some, row = out[first:stop], values[first + j - half : stop + j - half], table[j, first:stop]
        for k in range(len(into)):
            into[k] += row[k] * some[k]


@compiled
def _fold_all(tables: FloatArray, which: IntArray, values: FloatArray, out: FloatArray) -> None:
    for row in range(len(values)):
        fold(tables[which[row]], values[row], out[row])


def template_norms(spectra: Spectra, inverse: FloatArray) -> Norms:
    """Return the norms of all templates, ``inverse`` being one over the expected counts, 0 where masked."""
    tables, squared, which = spectra.signals
    vv, total = np.empty_like(inverse), np.empty_like(inverse)
    _fold_all(squared, which, inverse, vv)
    _fold_all(tables, which, spectra.use, total)
    vv += _NO_TEMPLATE
    return Norms(vv, np.maximum(total * total / vv, _LEAST_EFFECTIVE))


def fixed_scores(spectra: Spectra, b: FloatArray) -> FloatArray:
    """Return the significance at every bin, backgrounds b taken as known; shape (n_spectra, n_some, n_bins), as b."""
    score, effective = np.empty(b.shape), np.empty(b.shape)
    _set_fixed(spectra.n, spectra.use, spectra.signals, b, score, effective)
    return asimov(score, effective)


@compiled
def _set_fixed(
    n: FloatArray, use: FloatArray, signals: Signals, b: FloatArray, score: FloatArray, effective: FloatArray
) -> None:
    """Set the scores beside known backgrounds, and what they are effectively of; shape of b."""
    n_bins = n.shape[1]
    inverse, pull, vv, total = np.empty(n_bins), np.empty(n_bins), np.empty(n_bins), np.empty(n_bins)
    for row in range(len(b)):
        table, squared = signals.tables[signals.which[row]], signals.squared[signals.which[row]]
        fold(table, use[row], total)
        for number in range(b.shape[1]):
            into = score[row, number]
            for i in range(n_bins):
                inverse[i] = use[row, i] / b[row, number, i]
                pull[i] = (n[row, i] - b[row, number, i]) * inverse[i]
            fold(squared, inverse, vv)
            fold(table, pull, into)
            for k in range(n_bins):
                norm = vv[k] + _NO_TEMPLATE
                into[k] /= np.sqrt(norm)
                effective[row, number, k] = max(total[k] * total[k] / norm, _LEAST_EFFECTIVE)


def templates_at(signals: Signals, place: IntArray) -> FloatArray:
    """Return the templates of one bin of each spectrum over all bins, shape (n_spectra, n_bins)."""
    half, n_bins = signals.tables.shape[1] // 2, signals.tables.shape[2]
    offset = np.arange(n_bins) - place[:, None]
    inside = np.abs(offset) <= half
    values = signals.tables[signals.which[:, None], np.where(inside, half + offset, 0), place[:, None]]
    return np.where(inside, values, 0.0)
