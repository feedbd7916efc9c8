"""A classifier of A against B, weakly supervised as CWoLa is (arXiv:1708.02949): the second tool of arXiv:2203.07529.

If A and B are of one density no classifier can separate them. Every event is scored by a model that has not seen it;
the statistics are the area under the curve of those scores, and the excess of A among the events that are most like
A. Folds share their training events, so neither has the null of a sample: p is counted among permutations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from coffea_ddp.errors import InputError, UnknownNameError, check_progress
from coffea_ddp.stats import checks
from coffea_ddp.stats.classifier.learners import BoostingLearner, KernelLearner, Learner, NetworkLearner
from coffea_ddp.stats.conversion import shown
from coffea_ddp.stats.defaults import TOYS
from coffea_ddp.stats.min_p import combine
from coffea_ddp.stats.propensity.projection import LEAST_VARIANCE
from coffea_ddp.stats.samples.permutations import draw_labels
from coffea_ddp.stats.samples.points import Points, pool
from coffea_ddp.stats.samples.remaining import Remaining
from coffea_ddp.stats.samples.shares import checked_shares, draw_labels_of_shares, residuals
from coffea_ddp.stats.samples.threads import small_products
from coffea_ddp.stats.tail import PermutationP, p_text, permutation_p

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray

FOLDS = 5
CUTS = (0.01, 0.05, 0.2)
"""Shares of the events, those most like A, in which the excess of A is tested."""
_BLOCK = 64
_TIE = 1e-3
_NAMED: dict[str, Callable[[], Learner]] = {
    "kernel": KernelLearner,
    "boosting": BoostingLearner,
    "network": NetworkLearner,
}


@dataclass(frozen=True, eq=False)
class ClassifierResult:
    """Outcome of the classifier test: how well A is separated from B.

    Attributes
    ----------
    auc
        Area under the curve of the out-of-fold scores: 0.5 if there is no difference. With expected shares that of the
        residuals, 0.5 if labels follow the shares.
    auc_z
        The same in units of its standard deviation for scores that are given, ``sqrt((N + 1) / (12 N_A N_B))``; with
        shares see :func:`statistics`.
    cut_z
        The largest excess of A behind the cuts on the score, in standard deviations (hypergeometric; of residuals).
    cut
        The share of the events that cut leaves.
    p_value, method
        The p-value of the better of both statistics after both, and how it was made.
    p_auc, p_cut
        Their own p-values.
    permutation
        The count behind ``p_value``.
    null
        ``auc_z`` and ``cut_z`` of the permutations, shape (2, n).
    scores_a, scores_b
        Out-of-fold scores of the events, in the order given: the share of their fold that is less like A.
    learner
        What learned.
    n_a, n_b
        Events.

    Examples
    --------
    >>> from coffea_ddp.stats import classifier_test
    >>> rng = np.random.default_rng(1)
    >>> 0.0 < classifier_test(rng.normal(size=(60, 1)), rng.normal(size=(60, 1)), toys=20, seed=1).p_value <= 1.0
    True
    """

    auc: float
    auc_z: float
    cut_z: float
    cut: float
    p_value: float
    method: str
    p_auc: float
    p_cut: float
    permutation: PermutationP
    null: FloatArray
    scores_a: FloatArray
    scores_b: FloatArray
    learner: str
    n_a: int
    n_b: int

    def __repr__(self) -> str:
        """Return the statistics and their p-value."""
        return (
            f"ClassifierResult(auc={self.auc:.4f} ({self.auc_z:+.2f} sigma), "
            f"cut_z={self.cut_z:+.2f} at {self.cut:.0%}, {p_text(self.p_value, self.method, self.permutation)}, "
            f"{self.n_a} against {self.n_b} events, {self.learner})"
        )


def classifier_test(
    x_a: ArrayLike,
    x_b: ArrayLike,
    *,
    learner: str | Learner = "kernel",
    folds: int = FOLDS,
    toys: int = TOYS,
    seed: int = 1,
    shares: tuple[ArrayLike, ArrayLike] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ClassifierResult:
    """Return whether a classifier can separate two samples of events.

    Parameters
    ----------
    x_a, x_b
        Features of the events, shapes (n_a, d) and (n_b, d), or (n_a,) and (n_b,). A is where an excess is searched
        for.
    learner
        ``"kernel"``, ``"boosting"`` or ``"network"``, or a learner with other settings.
    folds
        An event is scored by what was learned from the other folds.
    toys
        Pseudo-experiments: permutations of the labels, each learned anew.
    seed
        Of the folds, the learner and the permutations.
    shares
        Where A and B are expected to differ, by a known amount: the pair ``(e_a, e_b)`` of the expected P(side B) of
        every event of ``x_a`` and of ``x_b``, between 0 and 1. The classifier then learns what A has beyond them, both
        statistics are of the residuals (1 for A, 0 for B, less the expected share of A), and pseudo-experiments draw
        the label of every event from its share.
    progress
        Called with the permutations done and wanted. Without, one warning gives the time that is left if it is more
        than a minute.

    Returns
    -------
    ClassifierResult

    Raises
    ------
    InputError
        If a sample is empty, their features differ or are not finite, there are fewer events than folds, or no
        toys; if shares are no probabilities, or not one for every event.
    UnknownNameError
        If there is no such learner.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> found = classifier_test(rng.normal(0.3, 1.0, 400), rng.normal(0.0, 1.0, 400), toys=200)
    >>> found.auc > 0.55, found.p_value < 0.02
    (True, True)
    """
    check_progress("classifier_test", progress, "done, total")
    points = pool(x_a, x_b)
    expected = None if shares is None else checked_shares(shares, points.n_a, points.n_b)
    folds, seed = checks.whole(folds, "folds", least=2), checks.seed(seed)
    toys = checks.toys(toys, "toys", least=1)
    if folds > points.n:
        raise InputError(f"folds={folds} for {points.n} events: give 2 or more, and no more than there are events")
    if isinstance(learner, str):
        if learner not in _NAMED:
            raise UnknownNameError(f"no learner {shown(learner)}; there are {', '.join(_NAMED)}")
        learner = _NAMED[learner]()
    if not isinstance(learner, Learner):
        raise InputError(f"learner={shown(learner)}: give the name of one ({', '.join(_NAMED)}), or a learner")
    places = np.random.default_rng([seed, 31]).permutation(points.n) % folds
    with small_products(points.n):
        scorer = learner.scorer(points, places, seed, expected)
        scores = within_folds(scorer(points.labels[None]), places)
        observed, cuts = statistics(scores, points.labels[None], shares=expected)
        parts = []
        remaining = Remaining(toys, progress, "permutations" if expected is None else "pseudo-experiments")
        for first in range(0, toys, _BLOCK):
            some = min(_BLOCK, toys - first)
            if expected is None:
                labels = draw_labels(points.multiplicity, points.n_a, some, seed, first)
            else:
                labels = draw_labels_of_shares(expected, some, seed, first)
            parts.append(statistics(within_folds(scorer(labels), places), labels, shares=expected)[0])
            remaining.done(first + some)
    null = np.concatenate(parts, axis=1)
    # Excesses behind a cut are few numbers: among equal ones the area under the curve decides.
    sample, found = (np.stack([one[0], one[1] + _TIE * one[0]]) for one in (null, observed[:, 0]))
    together = combine(list(sample), [[one] for one in found])
    count = together.report(max(float(one[0]) for one in together.z))
    own = [permutation_p(float(one), some).p_value for one, some in zip(found, sample, strict=True)]
    how = "permutations of the labels" if expected is None else "labellings drawn from the expected shares"
    return ClassifierResult(
        auc=0.5 + float(observed[0, 0]) * _auc_error(scores, points, expected),
        auc_z=float(observed[0, 0]),
        cut_z=float(observed[1, 0]),
        cut=CUTS[int(cuts[0])],
        p_value=count.p_value,
        method=f"{toys} {how}, the better of AUC and cut",
        p_auc=own[0],
        p_cut=own[1],
        permutation=count,
        null=null,
        scores_a=scores[0, : points.n_a],
        scores_b=scores[0, points.n_a :],
        learner=f"{learner.name}, {folds} folds",
        n_a=points.n_a,
        n_b=points.n_b,
    )


def within_folds(scores: FloatArray, folds: AnyArray) -> FloatArray:
    """Return for every event the share of its fold with a smaller score, ties half; shape (n, n_events).

    Every fold has a separate model, whose constant is the lower the more events of A the fold has: scores of
    different folds are not on one scale.
    """
    out = np.empty(scores.shape)
    for fold in range(int(folds.max()) + 1):
        inside = folds == fold
        out[:, inside] = (rankdata(scores[:, inside], axis=1) - 0.5) / inside.sum()
    return out


Moves = tuple["FloatArray", "FloatArray"]
"""Moves of the residual of every event with the fit of the shares, and the same of those that were fitted."""


def statistics(
    scores: FloatArray, labels: AnyArray, *, ends: int = 1, shares: FloatArray | None = None, moves: Moves | None = None
) -> tuple[FloatArray, AnyArray]:
    """Return AUC and the largest excess behind a cut in standard deviations, shape (2, n), and the number of that cut.

    Parameters
    ----------
    scores, labels
        Shape (n, n_events). A row without an event of either sample says nothing: 0.
    ends
        1: an excess of A among the highest scores; 2: or one of B among the lowest.
    shares
        Expected P(side B) of every event, shape (n_events,); ``None``: one share for all.
    moves
        Where these were fitted: shapes (n_events, n_directions); labels may then carry what the fit moves residuals by.

    Notes
    -----
    Both compare shapes: how many events are A decides nothing. With expected shares both are ``sum v (a - (1 - e))`` of
    labels a, v being the ranks, or 1 behind the cut and 0 before it, centred with the weights ``W = e (1 - e)``; their
    variance is ``N / (N - 1) sum v^2 W``. Equal shares of ``N_B / N`` give what is computed without any, but for the
    variance of tied ranks.
    """
    ranks = rankdata(scores, axis=1)
    auc_z, excess_z = _of_labels(ranks, labels) if shares is None else _of_residuals(ranks, labels, shares, moves)
    z = np.array([sign * excess_z(_behind(ranks, cut, sign)) for sign in (1, -1)[:ends] for cut in CUTS])
    return np.stack([auc_z, z.max(axis=0)]), z.argmax(axis=0)


def _behind(ranks: FloatArray, cut: float, sign: int) -> BoolArray:
    """Return the events behind a cut; ties are in or out together, and nothing behind the cut is no excess."""
    n = ranks.shape[1]
    return np.asarray(ranks > n - np.ceil(cut * n) if sign > 0 else ranks < np.ceil(cut * n) + 1)


_Excess = Callable[["BoolArray"], "FloatArray"]


def _of_labels(ranks: FloatArray, labels: AnyArray) -> tuple[FloatArray, _Excess]:
    """Return AUC in standard deviations, and a function for the excess of A among some events."""
    n = ranks.shape[1]
    n_a = labels.sum(axis=1, dtype=np.float64)
    both = np.maximum(n_a * (n - n_a), 1e-12)
    auc_z = ((ranks * labels).sum(axis=1) - n_a * (n + 1) / 2) / np.sqrt(both * (n + 1.0) / 12.0)

    def excess_z(inside: BoolArray) -> FloatArray:
        kept = inside.sum(axis=1)
        spread = np.sqrt(kept * both * (n - kept) / (n**2 * max(n - 1.0, 1.0)))
        excess = (inside & (labels > 0)).sum(axis=1) - kept * n_a / n
        return np.asarray(excess / np.maximum(spread, 1e-6))

    return auc_z, excess_z


def fitted_spread(weights: AnyArray, variance: AnyArray, moves: Moves | None) -> FloatArray:
    """Return the standard deviation of weighted sums of residuals, whose variance is that of exact shares; shape (n,).

    Parameters
    ----------
    weights
        Of every event, shape (n, n_events).
    variance
        With exact shares, shape (n,).
    moves
        As for :func:`statistics`.
    """
    if moves is None:
        return np.asarray(np.sqrt(variance))
    both, control = (weights @ one for one in moves)
    added = ((both - control) ** 2).sum(axis=1) - (control**2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(variance + added, LEAST_VARIANCE * variance)))


def _of_residuals(
    ranks: FloatArray, labels: AnyArray, shares: FloatArray, moves: Moves | None
) -> tuple[FloatArray, _Excess]:
    """Return the same of labels with expected shares."""
    values, variance = residuals(labels, shares), shares * (1.0 - shares)
    without_replacement = len(shares) / max(len(shares) - 1.0, 1.0)
    total, sums = variance.sum(), values.sum(axis=1)
    centred = ranks - (ranks @ variance / total)[:, None]
    spread = fitted_spread(centred, without_replacement * (centred**2 @ variance), moves)
    auc_z = (centred * values).sum(axis=1) / np.maximum(spread, 1e-6)

    def excess_z(inside: BoolArray) -> FloatArray:
        part = inside @ variance / total
        spread = fitted_spread(inside - part[:, None], without_replacement * total * part * (1.0 - part), moves)
        excess = np.einsum("ij,ij->i", inside, values) - part * sums
        return np.asarray(excess / np.maximum(spread, 1e-6))

    return auc_z, excess_z


def _auc_error(scores: FloatArray, points: Points, shares: FloatArray | None) -> float:
    """Return the standard deviation of the area under the curve, for scores that are given."""
    if shares is None:
        return float(np.sqrt((points.n + 1.0) / (12.0 * points.n_a * points.n_b)))
    variance, ranks = shares * (1.0 - shares), rankdata(scores[0])
    spread = np.sqrt(variance @ (ranks - np.average(ranks, weights=variance)) ** 2)
    return float(spread * np.sqrt(points.n / max(points.n - 1.0, 1.0)) / (points.n * variance.sum()))
