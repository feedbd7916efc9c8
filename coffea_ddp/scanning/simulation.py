"""Normalisation of simulation: events of data that one unit of weight of each sample stands for, decided at the scan.

Examples
--------
>>> Simulation(luminosity=59.8, luminosity_error=0.016).words
'luminosity 59.8 /fb, known to 1.6 %'
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from coffea_ddp.errors import InputError, UnknownNameError, did_you_mean
from coffea_ddp.histograms.simulated import SUM_ABOVE_0, counted_share, sum_of_counted
from coffea_ddp.stats import checks

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.histograms.simulated import Sample

_FB_PER_PB = 1000.0
_MOST_FB = 5_000.0
"""More 1/fb than any collider has seen: the number is in 1/pb."""


@dataclass(frozen=True)
class Simulation:
    """Normalisation of simulation in a scan, instead of or beside what the metadata of datasets say.

    Attributes
    ----------
    luminosity
        Of the data, in 1/fb; by default that of the metadata: one for each era, added.
    cross_sections
        Dataset -> pb; by default those of the metadata.
    luminosity_error
        Relative uncertainty of the luminosity: all simulation moves together.
    cross_section_errors
        Relative uncertainty of the cross section of every dataset, each for itself; a number for all, or a mapping from
        datasets.

    Raises
    ------
    InputError
        If a luminosity or a cross section is not above 0, or an uncertainty is not between 0 and 1.

    Examples
    --------
    >>> Simulation(cross_sections={"dy": 6077.22}).cross_sections["dy"]
    6077.22
    """

    luminosity: float | None = None
    cross_sections: Mapping[str, float] = field(default_factory=dict)
    luminosity_error: float = 0.0
    cross_section_errors: float | Mapping[str, float] = 0.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.luminosity is not None:
            checks.number(self.luminosity, "luminosity", above=0.0)
        for name, value in self.cross_sections.items():
            checks.number(value, f"cross_sections[{name!r}]", above=0.0)
        errors = self.cross_section_errors
        named = errors.items() if isinstance(errors, Mapping) else [("", errors)]
        for name, value in [("luminosity_error", self.luminosity_error), *named]:
            where = name if name == "luminosity_error" else f"cross_section_errors{f'[{name!r}]' if name else ''}"
            if not 0 <= checks.number(value, where) < 1:
                raise InputError(f"{where}={value!r}: a relative uncertainty is between 0 and 1")

    @property
    def given(self) -> bool:
        """True where anything is said."""
        return self != Simulation()

    @property
    def words(self) -> str:
        """The normalisation in words; empty where nothing is said."""
        told = []
        if self.luminosity is not None:
            told.append(f"luminosity {self.luminosity:g} /fb")
        if self.luminosity_error:
            about = "" if told else "luminosity "
            told.append(f"{about}known to {100 * self.luminosity_error:g} %")
        told += [f"cross section of {name} {value:g} pb" for name, value in self.cross_sections.items()]
        errors = self.cross_section_errors
        if isinstance(errors, Mapping):
            told += [f"that of {name} known to {100 * value:g} %" for name, value in errors.items()]
        elif errors:
            told.append(f"cross sections known to {100 * errors:g} % each")
        return ", ".join(told)

    def error_of(self, dataset: str) -> float:
        """Return the relative uncertainty of the cross section of a dataset."""
        errors = self.cross_section_errors
        return float(errors.get(dataset, 0.0)) if isinstance(errors, Mapping) else float(errors)


@dataclass(frozen=True)
class ScaledSample:
    """One simulated sample with the number of events of data that a unit of its weight is."""

    sample: Sample
    scale: float
    cross_section: float
    sum_of_weights: float


@dataclass(frozen=True)
class Normalised:
    """Data and simulation of an output, normalised.

    Attributes
    ----------
    luminosity
        Of the data, in 1/fb.
    data
        The samples of data.
    simulated
        Those of simulation.
    """

    luminosity: float
    data: tuple[Sample, ...]
    simulated: tuple[ScaledSample, ...]

    def told(self) -> dict[str, Any]:
        """Return what was used, as JSON-ready data."""
        return {
            "luminosity": self.luminosity,
            "data": [one.dataset for one in self.data],
            "simulation": [
                {
                    "dataset": one.sample.dataset,
                    "cross_section": one.cross_section,
                    "sum_of_weights": one.sum_of_weights,
                    "factor": one.sample.normalisation.factor,
                    "scale": one.scale,
                    "negative": one.sample.negative,
                }
                for one in self.simulated
            ],
        }


def normalised(hists: Histograms, asked: Simulation) -> Normalised:
    """Return the samples of an output, normalised.

    Parameters
    ----------
    hists
        The output of a pass with comparisons.
    asked
        What is said of the normalisation.

    Raises
    ------
    UnknownNameError
        If something is said of a dataset that is none of simulation.
    InputError
        If there is no data or no simulation, or a luminosity, a cross section or a sum of weights is missing; the
        message names the dataset and what to add.
    """
    samples = list(hists.samples.values())
    data = tuple(one for one in samples if one.is_data)
    simulated = [one for one in samples if not one.is_data]
    if not data or not simulated:
        kinds = ", ".join(f"{one.dataset!r} is {one.kind}" for one in samples) or "there is no dataset"
        lacking = "data" if not data else "simulation"
        raise InputError(
            f"a comparison of data with simulation, and no {lacking} ({kinds}); run the plan over datasets of both "
            'kinds: "kind": "data" or "simulation" in their metadata, else a file with genWeight is simulation'
        )
    names = [one.dataset for one in simulated]
    errors = asked.cross_section_errors
    for name in (*asked.cross_sections, *(errors if isinstance(errors, Mapping) else ())):
        if name not in names:
            raise UnknownNameError(
                f"no simulated dataset {name!r}; there are: {', '.join(map(repr, names))}{did_you_mean(name, names)}"
            )
    luminosity = _luminosity(hists, data) if asked.luminosity is None else float(asked.luminosity)
    return Normalised(luminosity, data, tuple(_scaled(hists, one, luminosity, asked) for one in simulated))


def _luminosity(hists: Histograms, data: tuple[Sample, ...]) -> float:
    """Return the luminosity of all eras, of the part of the data that was counted."""
    eras: dict[str, list[Sample]] = {}
    for one in data:
        eras.setdefault(one.normalisation.era, []).append(one)
    parts = []
    for era, samples in eras.items():
        known = {one.normalisation.luminosity for one in samples} - {None}
        whose = f" of era {era!r}" if era else ""
        if len(known) > 1:
            told = ", ".join(f"{one.dataset!r}: {one.normalisation.luminosity}" for one in samples)
            raise InputError(
                f"the datasets of data{whose} have different luminosities ({told}); those of one era share one: give "
                'datasets of other data another "era" in their metadata, or give --luminosity for all together'
            )
        if not known:
            wrong = next((one for one in samples if one.normalisation.no_luminosity), None)
            said = "no luminosity; add" if wrong is None else f"metadata: {wrong.normalisation.no_luminosity}; give"
            raise InputError(
                f"dataset {(wrong or samples[0]).dataset!r}{whose}: {said} "
                '"luminosity": NUMBER in 1/fb to its metadata, or give it to the scan: --luminosity NUMBER, '
                "Simulation(luminosity=NUMBER)"
            )
        found = float(known.pop() or 0.0)
        if found > _MOST_FB:
            raise InputError(
                f"dataset {samples[0].dataset!r}{whose}: a luminosity of {found:g} 1/fb; is it in 1/pb? Then "
                'write "luminosity": "NUMBER /pb" in its metadata, or give the scan --luminosity in 1/fb'
            )
        share = math.fsum(counted_share(hists.ledger, one.dataset) for one in samples) / len(samples)
        parts.append(share * found)
    return math.fsum(parts)


def _scaled(hists: Histograms, sample: Sample, luminosity: float, asked: Simulation) -> ScaledSample:
    said = sample.normalisation
    cross_section = asked.cross_sections.get(sample.dataset, said.cross_section)
    if cross_section is None:
        wrong = f" (metadata: {said.no_cross_section})" if said.no_cross_section else ""
        raise InputError(
            f'dataset {sample.dataset!r}: simulation without a cross section{wrong}; add "cross_section": NUMBER in pb '
            f"to its metadata, or give it to the scan: --cross-section '{sample.dataset}=NUMBER', "
            "Simulation(cross_sections=...)"
        )
    total = sum_of_counted(sample, hists.ledger)
    if not sample.sums:
        raise InputError(
            f"dataset {sample.dataset!r}: simulation with no sum of generator weights; add "
            '"sum_of_weights": NUMBER to its metadata, the sum over all of its files before any selection, and run it '
            "again"
        )
    if not total > 0:
        raise InputError(
            f"dataset {sample.dataset!r}: simulation with a sum of generator weights of {total:g}; {SUM_ABOVE_0}, and "
            "run it again"
        )
    scale = _FB_PER_PB * cross_section * luminosity * said.factor / total
    return ScaledSample(sample, scale, float(cross_section), total)


def as_told(data: Any) -> Simulation:
    """Return what a report's ``inputs["simulation"]`` says that the scan was asked for; nothing where it says nothing.

    Examples
    --------
    >>> import dataclasses
    >>> asked = Simulation(luminosity=41.5, cross_section_errors={"dy": 0.03})
    >>> as_told({"asked": dataclasses.asdict(asked)}) == asked, as_told("") == Simulation()
    (True, True)
    """
    asked = data.get("asked") if isinstance(data, Mapping) else None
    try:
        return Simulation() if asked is None else Simulation(**asked)
    except (TypeError, AttributeError, InputError):  # a stranger's report
        return Simulation()
