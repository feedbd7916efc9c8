"""Counts of the datasets of a comparison, each for itself: sums of weights are scaled when they are used, never before.

A sample is what one dataset filled: of data the numbers of events, of simulation their number, the sum of their weights
and that of the squared weights, in the nominal column and in those of every variation. What makes events of data out of
sums of weights (cross section, luminosity, and the sum of generator weights of all files) lies beside the counts, so
that it can change without another pass.

Examples
--------
>>> one = Sample(
...     "dy", "simulation", SparseCounts.from_keys([3], [0.5]), {("uuid", "Events"): 100.0}, Normalisation(6077.0)
... )
>>> two = Sample(
...     "dy", "simulation", SparseCounts.from_keys([3], [0.7]), {("uuid", "Events"): 100.0}, Normalisation(6077.0)
... )
>>> both = Sample.sum([one, two])
>>> both.counts.sum_w.tolist(), both.sum_of_weights
([1.2], 100.0)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import MergeError
from coffea_ddp.histograms.sparse import SparseCounts

if TYPE_CHECKING:
    from coffea_ddp._typing import IntArray
    from coffea_ddp.histograms.layout import Layout
    from coffea_ddp.histograms.ledger import Ledger

DATA, SIMULATION = "data", "simulation"
OF_DATASET = ("", "")
"""In place of a file: the sum of generator weights is that of the whole dataset, as its metadata tell it."""
_WRONG = ("no_cross_section", "no_luminosity")
_LONGEST = 200
"""More characters no text of those has."""
SUM_ABOVE_0 = (
    "it has to be above 0, as the weights are scaled by the cross section over it: correct a wrong "
    '"sum_of_weights" in the metadata, or leave out a sample whose weights are negative in sum'
)
"""Advice on any other sum of generator weights."""
File = tuple[str, str]
"""The uuid of a file, and its tree."""


@dataclass(frozen=True)
class Normalisation:
    """Normalisation of a dataset by its metadata; ``None`` where they say nothing.

    Attributes
    ----------
    cross_section
        In pb.
    luminosity
        In 1/fb, of data.
    factor
        On every event's weight, as a k-factor: the dataset's ``weight``.
    era
        Datasets of data of one era share a luminosity, those of different ones add theirs.
    no_cross_section, no_luminosity
        The value that the metadata have in place of one, and what is wrong with it, in words; empty where nothing is.
    """

    cross_section: float | None = None
    luminosity: float | None = None
    factor: float = 1.0
    era: str = ""
    no_cross_section: str = field(default="", compare=False)
    no_luminosity: str = field(default="", compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready data; what is wrong only where something is."""
        return {name: value for name, value in asdict(self).items() if value or name not in _WRONG}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Normalisation:
        """Return what :meth:`to_dict` described."""
        cross_section, luminosity = (
            None if data[name] is None else float(data[name]) for name in ("cross_section", "luminosity")
        )
        wrong = (str(data.get(name, ""))[:_LONGEST] for name in _WRONG)
        return cls(cross_section, luminosity, float(data["factor"]), str(data["era"]), *wrong)


@dataclass(frozen=True, eq=False)
class Sample:
    """The counts of one dataset in all comparisons of a plan.

    Attributes
    ----------
    dataset
        Its name.
    kind
        ``"data"`` or ``"simulation"``.
    counts
        By the keys of the comparisons' channels; with sums of weights where it is simulation.
    sums
        The sums of generator weights of its files, all of their events; none of data.
    normalisation
        Of the dataset.
    negative
        Number of selected events with a negative weight.
    """

    dataset: str
    kind: str
    counts: SparseCounts
    sums: Mapping[File, float] = field(default_factory=dict)
    normalisation: Normalisation = field(default_factory=Normalisation)
    negative: int = 0

    @property
    def is_data(self) -> bool:
        """True for data."""
        return self.kind == DATA

    @property
    def sum_of_weights(self) -> float:
        """The sum of generator weights of all files, each once; that of the dataset where its metadata tell one."""
        told = self.sums.get(OF_DATASET)
        return math.fsum(self.sums.values()) if told is None else told

    @classmethod
    def sum(cls, parts: Sequence[Sample]) -> Sample:
        """Return the sample of at least one part.

        Raises
        ------
        MergeError
            If they say different things of one dataset, or of one file.
        """
        first = parts[0]
        sums = dict(first.sums)
        for other in parts[1:]:
            _check_same(first, other)
            for file, total in other.sums.items():
                if sums.setdefault(file, total) != total:
                    raise MergeError(
                        f"dataset {first.dataset!r}: two sums of generator weights of one file, {sums[file]:g} and "
                        f"{total:g}; run it again"
                    )
        counts = SparseCounts.sum([part.counts for part in parts])
        return cls(
            first.dataset, first.kind, counts, dict(sorted(sums.items())), first.normalisation,
            sum(part.negative for part in parts),
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        """Tell whether two samples hold the same (sums of weights to 12 digits)."""
        if not isinstance(other, Sample):
            return NotImplemented
        return self._said == other._said and self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]

    @property
    def _said(self) -> tuple[Any, ...]:
        return self.dataset, self.kind, dict(self.sums), self.normalisation, self.negative

    def to_dict(self) -> dict[str, Any]:
        """Return all but the counts as JSON-ready data."""
        return {
            "dataset": self.dataset,
            "kind": self.kind,
            "sums": [[*file, total] for file, total in self.sums.items()],
            "normalisation": self.normalisation.to_dict(),
            "negative": self.negative,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], counts: SparseCounts) -> Sample:
        """Return the sample that :meth:`to_dict` described, with its counts."""
        sums = {(str(uuid), str(tree)): float(total) for uuid, tree, total in data["sums"]}
        normalisation = Normalisation.from_dict(data["normalisation"])
        return cls(data["dataset"], data["kind"], counts, sums, normalisation, int(data["negative"]))


def _check_same(first: Sample, other: Sample) -> None:
    if first.kind != other.kind:
        raise MergeError(
            f'dataset {first.dataset!r}: {first.kind} in one part, {other.kind} in another; say "kind" in its metadata'
        )
    if first.normalisation != other.normalisation:
        raise MergeError(
            f"dataset {first.dataset!r}: {first.normalisation} in one part, {other.normalisation} in another; run both "
            "with the same metadata (a scan can be told other cross sections and luminosities)"
        )


Samples = Mapping[str, Sample]
"""Dataset -> its sample."""


def sum_samples(parts: Sequence[Samples]) -> dict[str, Sample]:
    """Return the samples of several outputs, dataset by dataset, in the order of their names.

    Raises
    ------
    MergeError
        If outputs say different things of one dataset.
    """
    found: dict[str, list[Sample]] = {}
    for part in parts:
        for name, sample in part.items():
            found.setdefault(name, []).append(sample)
    return {name: Sample.sum(found[name]) for name in sorted(found)}


def counted_share(ledger: Ledger, dataset: str) -> float:
    """Return which share of the entries of a dataset was counted, those that are missing known; 1 where nothing is.

    What holds for a whole dataset (a luminosity) holds for that share of it where some of it is missing.
    """
    files = [one for one in ledger.files.values() if one.dataset == dataset and one.entries > 0]
    counted = sum(stop - start for one in files for start, stop in one.intervals)
    names = {one.filename for one in files}
    lost = sum(one.stop - one.start for one in ledger.missing if one.dataset == dataset and one.filename not in names)
    total = sum(one.entries for one in files) + lost
    return counted / total if total else 1.0


def sum_of_counted(sample: Sample, ledger: Ledger) -> float:
    """Return the sum of generator weights that belongs to the entries that were counted.

    Of a file that was counted in part, the same part of its sum: right on average, as events of simulation are in no
    order.
    """
    if OF_DATASET in sample.sums or not sample.sums:
        return sample.sum_of_weights * counted_share(ledger, sample.dataset)
    parts = []
    for file, total in sample.sums.items():
        record = ledger.files.get(file)
        known = record is not None and record.entries > 0
        counted = sum(stop - start for start, stop in record.intervals) / record.entries if record and known else 1.0
        parts.append(total * counted)
    return math.fsum(parts)


def filled_codes(layout: Layout, sample: Sample) -> IntArray:
    """Return the exclusive cells that a sample fills in any comparison, sorted."""
    found = [np.zeros(0, np.int64)]
    for channel in layout.comparison_channels:
        mine = sample.counts.between(channel.base, channel.end(layout.grid.n_exclusive)).keys
        found.append((mine - channel.base) // (channel.extent * channel.n_sides))
    return np.unique(np.concatenate(found))


def lacking(samples: Samples) -> list[str]:
    """Return what the samples of an output lack to be compared, a sentence each."""
    kinds = {one.kind for one in samples.values()}
    found = [f"there is no dataset of {kind}" for kind in (DATA, SIMULATION) if samples and kind not in kinds]
    for name, one in samples.items():
        if not one.is_data and one.normalisation.cross_section is None:
            wrong = one.normalisation.no_cross_section
            said = f"dataset {name!r}, metadata: {wrong}" if wrong else f"dataset {name!r} has no cross section"
            found.append(f"{said}: a scan needs --cross-section '{name}=NUMBER'")
        if not one.is_data and not one.sums:
            found.append(f'dataset {name!r} has no sum of generator weights: "sum_of_weights" in its metadata is one')
        elif not one.is_data and not one.sum_of_weights > 0:
            found.append(f"dataset {name!r} has a sum of generator weights of {one.sum_of_weights:g}: {SUM_ABOVE_0}")
    return [*found, *_of_luminosity({name: one for name, one in samples.items() if one.is_data})]


def _of_luminosity(data: Samples) -> list[str]:
    wrong = [
        f"dataset {name!r}, metadata: {one.normalisation.no_luminosity}: write a number above 0 in 1/fb, or in text "
        'with its unit ("59.8 /fb"), or a scan needs --luminosity NUMBER'
        for name, one in data.items()
        if one.normalisation.no_luminosity
    ]
    if not data or wrong or any(one.normalisation.luminosity for one in data.values()):
        return wrong
    return ["no dataset of data has a luminosity: a scan needs --luminosity NUMBER"]
