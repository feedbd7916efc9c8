"""Four-vectors of many particles at once: arrays of shape (4, n) that hold E, px, py, pz in GeV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator

    from coffea_ddp._typing import FloatArray, IntArray


def four_vectors(pt: FloatArray, eta: FloatArray, phi: FloatArray, mass: float = 0.0) -> FloatArray:
    """Return the four-vectors of given pT (GeV), eta, phi and mass (GeV)."""
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    return np.stack([np.sqrt(px**2 + py**2 + pz**2 + mass**2), px, py, pz])


def pt_eta_phi(p: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return pT (GeV), eta and phi; eta is kept finite along the beam."""
    pt = np.maximum(np.hypot(p[1], p[2]), 1e-9)
    return pt, np.arcsinh(p[3] / pt), np.arctan2(p[2], p[1])


def invariant_mass(p: FloatArray) -> FloatArray:
    """Return the invariant mass in GeV (0 where rounding makes it imaginary)."""
    mass: FloatArray = np.sqrt(np.maximum(p[0] ** 2 - (p[1:] ** 2).sum(axis=0), 0.0))
    return mass


def boosted(p: FloatArray, frame: FloatArray) -> FloatArray:
    """Return ``p``, given in the rest frame of ``frame``, as it is seen in the laboratory."""
    mass = invariant_mass(frame)
    energy = (p[0] * frame[0] + (p[1:] * frame[1:]).sum(axis=0)) / mass
    return np.concatenate([energy[None], p[1:] + frame[1:] * ((p[0] + energy) / (frame[0] + mass))])


def isotropic(rng: Generator, n: int) -> FloatArray:
    """Return n unit vectors of shape (3, n), uniform on the sphere."""
    cos, phi = rng.uniform(-1.0, 1.0, n), rng.uniform(-np.pi, np.pi, n)
    sin = np.sqrt(1.0 - cos**2)
    return np.stack([sin * np.cos(phi), sin * np.sin(phi), cos])


def two_body(
    rng: Generator, parent: FloatArray, m1: FloatArray | float = 0.0, m2: FloatArray | float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Return the daughters, of masses ``m1`` and ``m2`` (GeV), of isotropic decays of ``parent``."""
    mass = invariant_mass(parent)
    energy = (mass**2 + np.square(m1) - np.square(m2)) / (2.0 * mass)
    momentum = np.sqrt(np.maximum(energy**2 - np.square(m1), 0.0))
    first = np.concatenate([energy[None], momentum * isotropic(rng, parent.shape[1])])
    first = boosted(first, parent)
    return first, parent - first


def falling(rng: Generator, n: int, low: float, high: float, power: float) -> FloatArray:
    """Return n numbers between ``low`` and ``high`` with density x^-power (power > 1)."""
    a, b = low ** (1.0 - power), high ** (1.0 - power)
    numbers: FloatArray = (a + rng.random(n) * (b - a)) ** (1.0 / (1.0 - power))
    return numbers


def breit_wigner(rng: Generator, n: int, mass: float, width: float, reach: float) -> FloatArray:
    """Return n masses (GeV) from a Breit-Wigner of full width ``width``, cut off at ``mass`` +- ``reach``."""
    if width == 0.0:
        return np.full(n, float(mass))
    angle: FloatArray = rng.uniform(-1.0, 1.0, n) * np.arctan(2.0 * reach / width)
    return mass + 0.5 * width * np.tan(angle)


def signs(rng: Generator, n: int) -> IntArray:
    """Return n fair coins, -1 or +1."""
    return 2 * rng.integers(0, 2, n) - 1


def produced(rng: Generator, mass: FloatArray, recoil: FloatArray) -> FloatArray:
    """Return systems of given mass and transverse momentum ``recoil`` (2, n), with a symmetric rapidity."""
    # Heavier systems take more of the beams' momentum, so they are made more centrally.
    spread = np.clip(1.3 - 0.12 * np.log(np.maximum(mass, 20.0) / 90.0), 0.5, 1.4)
    rapidity = np.clip(rng.normal(0.0, spread), -3.5, 3.5)
    transverse = np.sqrt(mass**2 + (recoil**2).sum(axis=0))
    return np.stack([transverse * np.cosh(rapidity), recoil[0], recoil[1], transverse * np.sinh(rapidity)])
