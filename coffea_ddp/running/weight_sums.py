"""Sums of generator weights, as files tell them: of all events that were generated, not of those that a file holds.

Where a file has them depends on its format: NanoAOD in a tree ``Runs``, PHYSLITE in its ``CutBookkeepers``.

Examples
--------
>>> import tempfile
>>> from coffea_ddp.running.trees import open_root
>>> from coffea_ddp.testing import make_nanoaod
>>> with tempfile.TemporaryDirectory() as folder:
...     path = make_nanoaod(f"{folder}/nano.root", events=100, seed=1, weights=2.0)
...     with open_root(str(path)) as file:
...         finite_sum(file, str(path))
200.0
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import FileError, InputError
from coffea_ddp.events.branches import Columns
from coffea_ddp.events.dialects.dialect import NANOAOD
from coffea_ddp.plan.normalisation import GENERATOR_WEIGHT
from coffea_ddp.running import fields, metadata
from coffea_ddp.running.options import TIMEOUT
from coffea_ddp.running.reader import Holding, is_parquet
from coffea_ddp.running.trees import open_root

if TYPE_CHECKING:
    from coffea_ddp.plan.datasets import Dataset

RUNS = "Runs"
_BRANCHES = ("genEventSumw", "genEventSumw_")
"""NanoAOD v6 and later but for some, and v5 with a few v6."""


def sum_of_runs(file: Any) -> float | None:
    """Return the sum of generator weights of a NanoAOD file, from its tree ``Runs``; ``None`` where it has none.

    Parameters
    ----------
    file
        uproot's directory.
    """
    if RUNS not in {name.split(";")[0] for name in file.keys(recursive=False)}:
        return None
    tree = file[RUNS]
    names = set(tree.keys())
    found = next((name for name in _BRANCHES if name in names), None)
    return None if found is None else math.fsum(np.asarray(tree[found].array(library="np"), dtype=np.float64))


def finite_sum(file: Any, path: str) -> float | None:
    """Return the sum of generator weights that an open NanoAOD file tells; ``None`` where it tells none.

    Raises
    ------
    FileError
        If it is not finite.
    """
    found = sum_of_runs(file)
    if found is not None and not math.isfinite(found):
        raise FileError(f"{path}: the sum of generator weights in {RUNS} is {found}")
    return found


def with_sum(path: str, holding: Holding, timeout: float = TIMEOUT) -> Holding:
    """Return what a file holds, with the sum of its generator weights, and whether it has any.

    Raises
    ------
    FileError
        If the sum is not finite, or a PHYSLITE file with generator weights does not tell it.
    """
    if is_parquet(path):
        return holding
    if holding.dialect != NANOAOD.name:
        with fields.opened(path, holding.tree) as events:
            generated = Columns(events, path).has(GENERATOR_WEIGHT)
        found = metadata.sum_of_weights(path).weights if generated else None
    else:
        with open_root(path, timeout) as file:
            generated = GENERATOR_WEIGHT in set(file[holding.tree].keys())
            found = finite_sum(file, path)
    return dataclasses.replace(holding, sum_of_weights=found, generated=generated)


def check_sum(path: str, dataset: Dataset, holding: Holding) -> None:
    """Stop before a pass whose simulation could not be normalised.

    Parameters
    ----------
    path, holding
        Of a file.
    dataset
        What the fileset says of its dataset.

    Raises
    ------
    InputError
        If the file is simulation and tells no sum of generator weights.
    """
    simulated = dataset.kind == "simulation" or holding.generated
    if simulated and dataset.generator_weight and holding.sum_of_weights is None:
        raise InputError(
            f"dataset {dataset.name!r}: {path} does not tell the sum of its generator weights (no branch "
            f"{' or '.join(_BRANCHES)} in a tree {RUNS}), without which simulation cannot be compared with data; add "
            '"sum_of_weights": NUMBER to the metadata of the dataset, the sum over all of its files before any '
            'selection, or "generator_weight": false where every event counts as one'
        )
