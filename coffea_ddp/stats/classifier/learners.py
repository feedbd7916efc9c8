"""Learners of the classifier test: kernels (fast, all permutations at once), boosted trees and networks.

A learner gives every event a score by a model that has not seen it. Which events are in which fold does not depend on
the labels, so that permuted labels are scored exactly as the observed ones.

Where every event has an expected share e of side B, models learn what A has beyond it. The kernels are fitted to the
residuals ``a - (1 - e)``, events weighted by their variance e (1 - e), which is the first step of a logistic regression
with the log-odds of the shares as offset. Boosted trees weigh events of A by e and those of B by 1 - e: where labels
follow the shares, both sides weigh the same everywhere. Networks are fitted to A over all events weighted by 1 - e.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from coffea_ddp.errors import InputError
from coffea_ddp.stats import checks
from coffea_ddp.stats.log_ratio.features import evaluated, kernel_family
from coffea_ddp.stats.log_ratio.solvers import NetworkSolver, check_device
from coffea_ddp.stats.samples.shares import residuals

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, FloatArray, IntArray
    from coffea_ddp.stats.samples.points import Points

_QUANTILES = 255
"""Values of a feature that boosted trees distinguish."""


class Scorer(Protocol):
    """Scores events of one pool, for any labels."""

    def __call__(self, labels: AnyArray) -> FloatArray:
        """Return out-of-fold scores, large where A is; labels (n, n_events) -> (n, n_events)."""


@dataclass(frozen=True)
class KernelLearner:
    """Ridge regression of the labels on Gaussian kernels: one factorisation a fold serves all permutations.

    Attributes
    ----------
    centres
        How many; 64 by default, or all different events where there are fewer.
    width
        In units of half of the central 68 % of a feature times the root of the number of features.
    ridge
        The penalty, in units of the variance of a label.

    Examples
    --------
    >>> KernelLearner(width=2.0).width
    2.0
    """

    centres: int | None = None
    width: float = 1.0
    ridge: float = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.centres is not None:
            checks.whole(self.centres, "centres", least=1)
        checks.number(self.width, "width", above=0.0)
        checks.number(self.ridge, "ridge", low=0.0)

    @property
    def name(self) -> str:
        """Name of the learner with its settings, for the record."""
        return f"kernels of width {self.width:g}"

    def scorer(self, points: Points, folds: IntArray, seed: int, shares: FloatArray | None = None) -> Scorer:
        """Return what scores these events; ``folds`` has a number from 0 on for each, ``shares`` their P(side B)."""
        width = self.width * np.sqrt(points.x.shape[1])
        family = kernel_family(points, centres=self.centres, width=width, seed=seed, ridge=self.ridge)
        phi = evaluated(family, points.x)
        penalty = np.diag(family.penalty + 1e-9 * len(phi))
        weighted = phi
        if shares is not None:
            # In units of their mean: then the penalty is in units of the variance of a label.
            variance = shares * (1.0 - shares)
            weighted = phi * (variance / variance.mean())[:, None]
        parts = []
        for fold in range(int(folds.max()) + 1):
            inside = folds == fold
            others = phi[~inside]
            parts.append((inside, others, cho_factor(others.T @ weighted[~inside] + penalty)))

        def score(labels: AnyArray) -> FloatArray:
            out = np.empty(labels.shape)
            values = labels.astype(np.float64) if shares is None else residuals(labels, shares)
            for inside, others, factor in parts:
                weights = cho_solve(factor, others.T @ values[:, ~inside].T)
                out[:, inside] = (phi[inside] @ weights).T
            return out

        return score


@dataclass(frozen=True)
class BoostingLearner:
    """Gradient-boosted trees (scikit-learn's HistGradientBoostingClassifier), trained anew for every permutation.

    Attributes
    ----------
    iterations, leaves, rate
        Number of trees, leaves of each, learning rate.

    Examples
    --------
    >>> BoostingLearner(iterations=20).iterations
    20
    """

    iterations: int = 50
    leaves: int = 8
    rate: float = 0.1

    def __post_init__(self) -> None:
        """Check the settings."""
        checks.whole(self.iterations, "iterations", least=1)
        checks.whole(self.leaves, "leaves", least=2)
        checks.number(self.rate, "rate", above=0.0)

    @property
    def name(self) -> str:
        """Name of the learner with its settings, for the record."""
        return f"{self.iterations} boosted trees of {self.leaves} leaves"

    def scorer(self, points: Points, folds: IntArray, seed: int, shares: FloatArray | None = None) -> Scorer:
        """Return what scores these events; ``folds`` has a number from 0 on for each, ``shares`` their P(side B).

        Raises
        ------
        InputError
            If scikit-learn is not installed.
        """
        try:
            from sklearn.ensemble import HistGradientBoostingClassifier
        except ImportError as error:
            raise InputError(
                "boosted trees need scikit-learn: pip install 'coffea-ddp[classifier]', or take the kernels"
            ) from error

        x = points.x if shares is None else _in_quantiles(points.x)

        def score(labels: AnyArray) -> FloatArray:
            out = np.empty(labels.shape)
            for row, one in enumerate(labels):
                for fold in range(int(folds.max()) + 1):
                    inside = folds == fold
                    if len(np.unique(one[~inside])) < 2:
                        out[row, inside] = 0.0  # nothing to be learned from one sample alone
                        continue
                    model = HistGradientBoostingClassifier(
                        max_iter=self.iterations, max_leaf_nodes=self.leaves, learning_rate=self.rate,
                        early_stopping=False, random_state=seed % 2**32,
                    )  # fmt: skip
                    weights = None if shares is None else 2.0 * np.where(one > 0, shares, 1.0 - shares)[~inside]
                    model.fit(x[~inside], one[~inside], sample_weight=weights)
                    out[row, inside] = model.decision_function(x[inside])
            return out

        return score


def _in_quantiles(x: FloatArray) -> FloatArray:
    """Return features as the means of their quantiles, as many as trees distinguish; shape (n_events, d).

    Trees would make quantiles themselves, weighted, and anew for every labelling: 25 times as slow.
    """
    out = np.empty_like(x)
    for k, column in enumerate(x.T):
        edges = np.quantile(column, np.arange(1, _QUANTILES) / _QUANTILES)
        place = np.searchsorted(edges, column, side="right")
        counts = np.bincount(place)
        out[:, k] = (np.bincount(place, column) / np.maximum(counts, 1))[place]
    return out


@dataclass(frozen=True)
class NetworkLearner:
    """A few sigmoids whose features are learned, by the loss of NPLM: every fold of every permutation is fitted anew.

    Attributes
    ----------
    solver
        The network.

    Examples
    --------
    >>> type(NetworkLearner().solver).__name__
    'NetworkSolver'
    """

    solver: NetworkSolver = field(default_factory=lambda: NetworkSolver(restarts=2, most=50))

    def __post_init__(self) -> None:
        """Check the settings."""
        if not isinstance(self.solver, NetworkSolver):
            raise InputError(f"solver={self.solver!r}: give a NetworkSolver")

    @property
    def name(self) -> str:
        """Name of the learner with its settings, for the record."""
        return f"network of {self.solver.neurons} sigmoids"

    def scorer(self, points: Points, folds: IntArray, seed: int, shares: FloatArray | None = None) -> Scorer:
        """Return what scores these events; ``folds`` has a number from 0 on for each, ``shares`` their P(side B).

        Raises
        ------
        InputError
            If there are fewer events than parameters, a setting makes no sense, or there is no torch or no such device.
        """
        self.solver.check(points.n_a, points.n_b, points.x.shape[1])
        check_device(self.solver.device)
        from coffea_ddp.stats.log_ratio.network import out_of_fold

        def score(labels: AnyArray) -> FloatArray:
            return out_of_fold(points, folds, labels, self.solver, seed, shares)

        return score


Learner = KernelLearner | BoostingLearner | NetworkLearner
