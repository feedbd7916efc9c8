"""The samples of a comparison in an output file, and what cannot be among them.

Examples
--------
>>> from coffea_ddp.histograms.cells import CellGrid
>>> read_samples(Layout("demo", "0" * 16, CellGrid(()), ()), [], [])
{}
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from coffea_ddp.histograms.archive_checks import check_counts, text, whole_number
from coffea_ddp.histograms.layout import Layout
from coffea_ddp.histograms.simulated import DATA, SIMULATION, Sample
from coffea_ddp.histograms.sparse import SparseCounts

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray

MOST_SAMPLES = 10_000
"""More datasets nobody compares with."""


def read_samples(layout: Layout, told: Sequence[Any], tables: Iterable[Mapping[str, AnyArray]]) -> dict[str, Sample]:
    """Return the samples of an output file.

    Parameters
    ----------
    layout
        Of the output.
    told
        What the manifest says of each.
    tables
        The counts of each: name -> column.

    Raises
    ------
    ValueError
        If they cannot be those of a pass; the reader says of which file.
    """
    if not isinstance(told, list | tuple) or len(told) > MOST_SAMPLES:
        raise ValueError("the samples of the comparisons are no list, or too many")
    found: dict[str, Sample] = {}
    for data, counts in zip(told, tables, strict=True):
        name = text(data["dataset"], "the name of a dataset")
        if data["kind"] not in (DATA, SIMULATION) or name in found:
            raise ValueError(f"the dataset {name!r:.60} is neither data nor simulation, or is there twice")
        weighted = data["kind"] == SIMULATION
        check_counts(counts, layout.n_comparison_keys, weighted=weighted)
        whole_number(data["negative"], "the number of negative weights")
        sample = Sample.from_dict(
            data, SparseCounts(counts["key"], counts["count"], counts.get("sum_w"), counts.get("sum_w2"))
        )
        _check_numbers(sample)
        found[name] = sample
    return found


def _check_numbers(sample: Sample) -> None:
    said = sample.normalisation
    numbers = [*sample.sums.values(), said.factor]
    positive = [value for value in (said.cross_section, said.luminosity) if value is not None]
    if not all(map(math.isfinite, [*numbers, *positive])) or any(value <= 0 for value in positive):
        raise ValueError(f"a sum of weights, a cross section or a luminosity of {sample.dataset!r:.60} cannot be")
