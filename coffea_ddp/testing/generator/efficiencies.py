"""Efficiencies of a detector for leptons, as functions of their kinematics.

Examples
--------
>>> electron = LeptonEfficiency(pt={20: 0.57, 35: 0.77, 100: 0.91}, abs_eta={(1.5, 2.5): 0.85})
>>> electron(np.array([35.0, 35.0]), np.array([0.3, -2.0]), np.array([1, -1]), np.array([0, 2])).round(4).tolist()
[0.77, 0.6545]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray, IntArray

EfficiencyFunction: TypeAlias = "Callable[[FloatArray, FloatArray, IntArray, IntArray], FloatArray]"
"""pT in GeV, eta, charge and number of jets of each lepton -> probabilities, all of one shape."""


@dataclass(frozen=True)
class LeptonEfficiency:
    """A product of factors: of pT, of abs(eta), of the charge and of the number of jets.

    Attributes
    ----------
    pt
        Points (pT in GeV, efficiency), between which it is linear in ln pT, and constant outside; a mapping or pairs.
    abs_eta
        Factors in ranges of abs(eta): ``{(1.5, 2.5): 0.85}``, or triples (low, high, factor); 1 elsewhere.
    charge_asymmetry
        Relative difference a between the charges: factors 1 + a and 1 - a for positive and negative leptons.
    loss_per_jet
        Relative loss with each jet of the event: a factor ``(1 - loss_per_jet)^n_jets``.

    Examples
    --------
    >>> LeptonEfficiency(pt={30.0: 0.8, 60.0: 0.95}).pt
    ((30.0, 0.8), (60.0, 0.95))
    """

    pt: Mapping[float, float] | Sequence[tuple[float, float]] = ((1.0, 1.0),)
    abs_eta: Mapping[tuple[float, float], float] | Sequence[tuple[float, float, float]] = ()
    charge_asymmetry: float = 0.0
    loss_per_jet: float = 0.0

    def __post_init__(self) -> None:
        """Bring points and ranges into one form, and refuse those that make no sense."""
        points = tuple(sorted(self.pt.items() if isinstance(self.pt, Mapping) else map(tuple, self.pt)))
        given = self.abs_eta
        ranges = ((*key, value) for key, value in given.items()) if isinstance(given, Mapping) else map(tuple, given)
        object.__setattr__(self, "pt", points)
        object.__setattr__(self, "abs_eta", tuple(ranges))
        if not points or any(len(point) != 2 or not (point[0] > 0 and 0 <= point[1] <= 1) for point in points):
            raise InputError(f"pt={self.pt}: give points (pT above 0 GeV, efficiency from 0 to 1)")
        if any(len(one) != 3 or not (0 <= one[0] < one[1] and one[2] >= 0) for one in self.abs_eta):
            raise InputError(
                f"abs_eta={self.abs_eta}: give ranges (low, high, factor) with 0 <= low < high, factor >= 0"
            )
        if not (-1 <= self.charge_asymmetry <= 1 and 0 <= self.loss_per_jet <= 1):
            raise InputError(
                f"charge_asymmetry={self.charge_asymmetry}, loss_per_jet={self.loss_per_jet}: give numbers between "
                "-1 and 1, and between 0 and 1"
            )

    def __call__(self, pt: FloatArray, eta: FloatArray, charge: IntArray, n_jets: IntArray) -> FloatArray:
        """Return the efficiency of each lepton; all of one shape."""
        where, height = np.array(self.pt, dtype=np.float64).T
        found = np.interp(np.log(np.maximum(pt, 1e-9)), np.log(where), height)
        size = np.abs(eta)
        for low, high, factor in cast("Sequence[tuple[float, float, float]]", self.abs_eta):
            found = found * np.where((size >= low) & (size < high), factor, 1.0)
        return np.asarray(found * (1.0 + self.charge_asymmetry * np.sign(charge)) * (1.0 - self.loss_per_jet) ** n_jets)


@dataclass(frozen=True)
class Detector:
    """Description of what a detector does to electrons and muons.

    Attributes
    ----------
    electron, muon
        Probability that a lepton is in its collection: a number, a :class:`LeptonEfficiency`, or a function of the
        arrays (pT in GeV, eta, charge, number of jets). Jets have pT > 30 GeV and abs(eta) < 2.5, and are further than
        0.4 from every lepton.
    lost
        Probability that a lepton of either flavour is lost whatever its kinematics.
    fake_electron, fake_muon
        Probability that a jet adds a lepton to the collection, of 70 % of its pT: numbers or functions as above, of the
        jet. A fake has a random charge and passes the identification.
    trigger
        Probability that a lepton above the threshold (e 32 GeV, mu 24 GeV) that passes the identification fires the
        trigger ``HLT_Ele32_WPTight_Gsf`` or ``HLT_IsoMu24``.

    Examples
    --------
    >>> Detector(electron=0.8, muon=LeptonEfficiency(charge_asymmetry=-0.02), lost=0.01).electron
    0.8
    """

    electron: float | EfficiencyFunction = 1.0
    muon: float | EfficiencyFunction = 1.0
    lost: float = 0.0
    fake_electron: float | EfficiencyFunction = 0.0
    fake_muon: float | EfficiencyFunction = 0.0
    trigger: float = 0.95

    def __post_init__(self) -> None:
        """Refuse numbers that are no probabilities."""
        for name, value in vars(self).items():
            if not callable(value) and not 0.0 <= value <= 1.0:
                raise InputError(f"Detector({name}={value}): give a probability, 0 to 1, or a function of the leptons")

    @classmethod
    def realistic(cls) -> Detector:
        """Return efficiencies as those of a real detector, different for electrons and muons.

        Electrons: 0.57 at 20 GeV, 0.77 at 35, 0.91 at 100, times 0.85 beyond abs(eta) 1.5. Muons: 0.95, times 0.80
        within abs(eta) 0.2 and 0.85 beyond 2.1.
        """
        return cls(
            electron=LeptonEfficiency({20: 0.57, 35: 0.77, 100: 0.91}, {(1.5, np.inf): 0.85}),
            muon=LeptonEfficiency({20: 0.95}, {(0.0, 0.2): 0.80, (2.1, np.inf): 0.85}),
        )


def probabilities(
    given: float | EfficiencyFunction,
    name: str,
    leptons: tuple[FloatArray, FloatArray, IntArray, IntArray],
) -> FloatArray:
    """Return the probability of each lepton or jet.

    Parameters
    ----------
    given
        A number, or a function of pT, eta, charge and number of jets.
    name
        What it is called in messages.
    leptons
        pT, eta, charge and number of jets, all of one shape.

    Raises
    ------
    InputError
        If the function gives another shape, or what is no probability.
    """
    pt, eta, charge, n_jets = leptons
    found = np.asarray(given(pt, eta, charge, n_jets) if callable(given) else np.full(len(pt), given), dtype=np.float64)
    if found.shape != pt.shape:
        raise InputError(
            f"{name}: the function returned shape {found.shape} for {len(pt)} leptons; give one value each"
        )
    bad = np.flatnonzero(~((found >= 0.0) & (found <= 1.0)))
    if len(bad):
        first = bad[0]
        raise InputError(
            f"{name}: {found[first]:.4g} at pT {pt[first]:.4g} GeV, eta {eta[first]:.3g}, charge {charge[first]:g}, "
            f"{n_jets[first]} jets is no probability; give a function with values from 0 to 1"
        )
    return found
