"""Global p-value of many tests: the largest score of a family, and the smallest p of several families (min-p).

A *family* is what one test made of one observable: its scores are on one scale, so the family is represented by its
largest score (max-type). Families are not on one scale (a maximum over 164,836 rectangles is larger than one over as
many cells), so each is mapped to the z of its local p-value first (min-p; P. H. Westfall and S. S. Young,
Resampling-Based Multiple Testing, 1993, 2.3). The pseudo-experiments have all families at once, with their
correlations: the global p-value of the data's largest z is counted among theirs.

The map of a family is made of the data and the pseudo-experiments alike: each of these N + 1 is mapped by its place
among the other N. Then they stay exchangeable, and the p-value is uniform for any number of families and
pseudo-experiments. (With each pseudo-experiment mapped within the sample that the data are compared with, no
pseudo-experiment is as far out as the data can be: for 140 families and 199 of them P(p <= 0.05) is 0.12.)

Examples
--------
>>> rng = np.random.default_rng(1)
>>> nulls = np.abs(rng.standard_normal((2, 999)))
>>> found = combine([nulls[0], 10 * nulls[1]], [[3.5], [20.0]])
>>> [round(float(z[0]), 1) for z in found.z], found.report(found.z[0][0]).n_ge
([3.5, 2.0], 2)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.stats.tail import PermutationP, p_among, p_among_others, permutation_p, snapped
from coffea_ddp.stats.trials import z_from_p

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray


@dataclass(frozen=True, eq=False)
class Combined:
    """Scores of several families on one scale.

    Attributes
    ----------
    z
        Per family the observed scores as z of their p-value within the family; arrays of the shapes given.
    null
        Per family the same of the pseudo-experiments' largest scores; shape (n_families, n).
    """

    z: tuple[FloatArray, ...]
    null: FloatArray

    def report(self, z: float, families: Sequence[int] | None = None) -> PermutationP:
        """Return the global p-value of a z within some families.

        Parameters
        ----------
        z
            On the common scale.
        families
            Their numbers; all by default.
        """
        chosen = self.null if families is None else self.null[list(families)]
        return permutation_p(z, chosen.max(axis=0))


def combine(nulls: Sequence[ArrayLike], scores: Sequence[ArrayLike]) -> Combined:
    """Put the scores of several families on one scale.

    Parameters
    ----------
    nulls
        Per family the largest score of every pseudo-experiment, shape (n,); the same n pseudo-experiments in the same
        order for all.
    scores
        Per family the observed scores to translate, the largest of the family among them; any shape.

    Returns
    -------
    Combined

    Raises
    ------
    InputError
        If there is no family, or their numbers or lengths differ; if a family has no pseudo-experiment or no score.
    """
    samples = [np.asarray(null, dtype=np.float64) for null in nulls]
    if not samples or len(samples) != len(scores) or len({sample.shape for sample in samples}) != 1:
        raise InputError(f"{len(samples)} nulls and {len(scores)} lists of scores: give as many, all of one length")
    found = [snapped(score, sample) for score, sample in zip(scores, samples, strict=True) if sample.size]
    if len(found) < len(samples) or not all(score.size for score in found):
        raise InputError("a family without pseudo-experiments or without scores; give at least one of both")
    pooled = np.stack([np.append(sample, score.max()) for score, sample in zip(found, samples, strict=True)])
    return Combined(
        tuple(_z(p_among(score, sample)) for score, sample in zip(found, samples, strict=True)),
        _z(p_among_others(pooled)[:, :-1]),
    )


def _z(p: FloatArray) -> FloatArray:
    return np.asarray(z_from_p(p, two_sided=True))
