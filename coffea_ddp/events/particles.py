"""One object an event, as arrays; masses and angles of two of them.

Examples
--------
>>> import numpy as np
>>> first, second = (Particles(*(np.array([value]) for value in (40.0, 0.0, phi, 0.0, 1, 13))) for phi in (0.0, np.pi))
>>> pair_mass(first, second).round(2)
array([80.])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Particles:
    """One object an event: arrays of shape (n_events,), NaN (charge and flavour: 0) where the event has none.

    Examples
    --------
    >>> import numpy as np
    >>> Particles(*(np.array([value]) for value in (45.6, 0.0, 1.0, 0.1, 1, 13))).pt.tolist()
    [45.6]
    """

    pt: FloatArray
    eta: FloatArray
    phi: FloatArray
    mass: FloatArray
    charge: AnyArray
    flavour: AnyArray

    @property
    def exists(self) -> BoolArray:
        """Mask of the events that have the object."""
        return ~np.isnan(self.pt)

    @property
    def energy(self) -> FloatArray:
        """Energy in GeV."""
        square = np.copysign(self.mass**2, self.mass) + _momentum_square(self.pt, self.eta)
        return np.asarray(np.sqrt(np.maximum(square, 0)))

    @property
    def pz(self) -> FloatArray:
        """Momentum along the beam in GeV."""
        return np.asarray(self.pt * np.sinh(self.eta))

    def take(self, rows: IntArray) -> Particles:
        """Return the objects of the chosen events."""
        return Particles(
            *(getattr(self, name).take(rows) for name in ("pt", "eta", "phi", "mass", "charge", "flavour"))
        )


def four_momentum(particles: Particles) -> Any:
    """Return the four-momenta as a ``vector`` array (NaN where the event has none)."""
    import vector  # and with it sympy: coffea's NanoEvents has loaded both

    return vector.array({"pt": particles.pt, "eta": particles.eta, "phi": particles.phi, "mass": particles.mass})


def pair_mass(first: Particles, second: Particles) -> FloatArray:
    """Return the invariant mass of two objects in GeV; NaN where either is missing.

    Examples
    --------
    >>> import numpy as np
    >>> first, second = (
    ...     Particles(*(np.array([value]) for value in (45.6, 0.0, phi, 0.0, 1, 13))) for phi in (0.0, np.pi)
    ... )
    >>> pair_mass(first, second).round(1).tolist()
    [91.2]
    """
    masses = np.full(len(first.pt), np.nan)
    rows = np.flatnonzero(first.exists & second.exists)
    if len(rows):
        _, _, masses[rows] = pair_sum(first.take(rows), second.take(rows))
    return masses


def pair_sum(first: Particles, second: Particles) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return pT in GeV, pseudorapidity and mass in GeV of the sum of two objects, by the formulas of ``vector``.

    The angle in the transverse plane, which takes it most of its time, is left out.

    Examples
    --------
    >>> import numpy as np
    >>> first, second = (
    ...     Particles(*(np.array([value]) for value in (45.6, 0.0, phi, 0.0, 1, 13))) for phi in (0.0, 0.0)
    ... )
    >>> len(pair_sum(first, second))
    3
    """
    with np.errstate(all="ignore"):
        turned = second.phi - first.phi
        along = first.pt + second.pt * np.cos(turned)
        pt = np.sqrt(along**2 + (second.pt * np.sin(turned)) ** 2)
        pz = first.pz + second.pz
        # Without any transverse momentum, eta is infinite along the beam and 0 at rest.
        eta = np.nan_to_num(
            np.arcsinh(pz / pt), nan=np.nan_to_num((pz != 0) * np.inf, posinf=np.nan), posinf=np.inf, neginf=-np.inf
        )
        square = (first.energy + second.energy) ** 2 - _momentum_square(pt, eta)
        return pt, eta, np.copysign(np.sqrt(np.abs(square)), square)


def _momentum_square(pt: FloatArray, eta: FloatArray) -> FloatArray:
    small = np.exp(-eta)
    return np.asarray(pt**2 * (0.5 * (1 + small**2) / small) ** 2)


def delta_phi(first: Particles, second: Particles) -> FloatArray:
    """Return the angle between two objects in the transverse plane, 0 to pi; NaN where either is missing.

    Examples
    --------
    >>> import numpy as np
    >>> first, second = (
    ...     Particles(*(np.array([value]) for value in (40.0, 0.0, phi, 0.1, 1, 13))) for phi in (3.0, -3.0)
    ... )
    >>> delta_phi(first, second).round(3).tolist()
    [0.283]
    """
    apart = np.abs(first.phi - second.phi)
    return np.where(apart > np.pi, 2.0 * np.pi - apart, apart)


def transverse_mass(first: Particles, second: Particles) -> FloatArray:
    """Return ``sqrt(2 pT1 pT2 (1 - cos dphi))`` in GeV, both taken massless; NaN where either is missing.

    Examples
    --------
    >>> import numpy as np
    >>> first, second = (
    ...     Particles(*(np.array([value]) for value in (40.0, 0.0, phi, 0.0, 1, 13))) for phi in (0.0, np.pi)
    ... )
    >>> transverse_mass(first, second).round(1).tolist()
    [80.0]
    """
    return np.sqrt(2.0 * first.pt * second.pt * (1.0 - np.cos(first.phi - second.phi)))
