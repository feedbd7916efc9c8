"""Terms of the log-ratio of muon and electron efficiencies, as smooth functions of lepton kinematics.

An event with leptons l of flavour ``s_l`` (1: muon, -1: electron) and its mirror image, in which every electron is a
muon and every muon an electron, have by lepton universality the same rate. What is seen of both differs by the
efficiencies alone: ``ln P(event) / P(mirror image) = sum_l s_l r(l)``, with ``r = ln(eff_mu / eff_e)`` of a lepton's
pT, eta and charge and of the number of jets. Events with one lepton are besides those of two of which one was lost,
which is more likely for one flavour: they have additional terms in the missing momentum and the number of jets.

``r`` is a sum of piecewise linear functions ("hats") of ln pT (in barrel and endcap), abs(eta) and the number of jets,
and of the charge. A Gaussian prior, the ``precision``, keeps it smooth: values at neighbouring knots differ by 0.15 or
so.

Examples
--------
>>> basis = LeptonBasis()
>>> pt, eta, charge = [[40.0, 30.0]], [[0.5, -1.9]], [[1, -1]]
>>> z = basis.rows(pt, eta, charge, [[1, -1]], n_jets=[2], met=[30.0])
>>> mirrored = basis.rows(pt, eta, charge, [[-1, 1]], n_jets=[2], met=[30.0])
>>> z.shape == (1, basis.n_terms), bool((mirrored == -z).all())
(True, True)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import block_diag

from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import FloatArray

LEVEL, STEP = 1.0, 0.15
"""Prior widths: of a function as a whole, and of its change from one knot to the next."""

CHARGE = 0.2
"""Prior width of the terms in the charge."""


@dataclass(frozen=True)
class LeptonBasis:
    """Terms of ``ln P(event) / P(mirror image)``.

    Attributes
    ----------
    pt
        Knots in GeV; between them functions are linear in ln pT, beyond the outer ones constant.
    abs_eta
        Knots in the absolute pseudorapidity.
    jets
        Knots in the number of jets.
    met
        Knots in the missing transverse momentum in GeV, of events with one lepton.
    endcap
        The absolute pseudorapidity at which the functions of pT change.

    Raises
    ------
    InputError
        If knots are not at least two finite numbers in rising order, or those of pT not above 0.
    """

    pt: tuple[float, ...] = (10.0, 15.0, 20.0, 27.0, 35.0, 45.0, 60.0, 85.0, 130.0, 250.0)
    abs_eta: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.6, 1.0, 1.3, 1.5, 1.7, 2.0, 2.2, 2.5)
    jets: tuple[float, ...] = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    met: tuple[float, ...] = (0.0, 15.0, 30.0, 45.0, 60.0, 90.0, 150.0)
    endcap: float = 1.479

    def __post_init__(self) -> None:
        """Check the knots."""
        for name in ("pt", "abs_eta", "jets", "met"):
            knots = np.asarray(getattr(self, name), dtype=np.float64)
            if len(knots) < 2 or not np.isfinite(knots).all() or (np.diff(knots) <= 0).any():
                raise InputError(f"LeptonBasis({name}={getattr(self, name)}): give two or more numbers in rising order")
            object.__setattr__(self, name, tuple(knots.tolist()))
        if self.pt[0] <= 0:
            raise InputError(f"LeptonBasis(pt={self.pt}): transverse momenta are above 0")

    @property
    def n_lepton_terms(self) -> int:
        """Number of terms of r, the log-ratio of a lepton's efficiencies."""
        return 2 * len(self.pt) + len(self.abs_eta) + 4 + len(self.jets)

    @property
    def n_event_terms(self) -> int:
        """Number of terms of events with one lepton."""
        return 1 + len(self.met) + len(self.jets)

    @property
    def n_terms(self) -> int:
        """Number of all terms."""
        return self.n_lepton_terms + self.n_event_terms

    def lepton_terms(self, pt: ArrayLike, eta: ArrayLike, charge: ArrayLike, n_jets: ArrayLike) -> FloatArray:
        """Return the terms of r of leptons; all arguments of shape (n,), the result of (n, n_lepton_terms)."""
        pt, eta, charge, n_jets = (np.asarray(x, dtype=np.float64) for x in (pt, eta, charge, n_jets))
        log_pt = np.log(np.clip(pt, self.pt[0], self.pt[-1]))
        region = np.stack([np.abs(eta) < self.endcap, np.abs(eta) >= self.endcap], axis=1).astype(np.float64)
        of_pt = hats(log_pt, np.log(self.pt))
        # Around the middle of the momenta of leptons that triggers and plans select.
        slope = (log_pt - np.log(40.0))[:, None] * region
        return np.concatenate(
            [
                *(of_pt * region[:, [i]] for i in (0, 1)),
                hats(np.abs(eta), np.asarray(self.abs_eta)),
                charge[:, None] * region,
                charge[:, None] * slope,
                hats(n_jets, np.asarray(self.jets)),
            ],
            axis=1,
        )

    def event_terms(self, met: ArrayLike, n_jets: ArrayLike) -> FloatArray:
        """Return the terms of events with one lepton; arguments of shape (n,), the result of (n, n_event_terms).

        A missing momentum or number of jets that is NaN has no terms.
        """
        found = [hats(np.asarray(x), np.asarray(knots)) for x, knots in ((met, self.met), (n_jets, self.jets))]
        return np.concatenate([np.ones((len(found[0]), 1)), *found], axis=1)

    def rows(
        self,
        pt: ArrayLike,
        eta: ArrayLike,
        charge: ArrayLike,
        sign: ArrayLike,
        *,
        n_jets: ArrayLike,
        met: ArrayLike,
    ) -> FloatArray:
        """Return the terms of events.

        Parameters
        ----------
        pt, eta, charge, sign
            Of the leptons of every event, shape (n_events, n_leptons); ``sign`` is 1 for a muon, -1 for an electron and
            0 where there is none (the rest may be NaN there).
        n_jets, met
            Of the events, shape (n_events,); NaN: unknown, which takes their terms out.

        Returns
        -------
        ndarray, shape (n_events, n_terms)
            Minus itself where all flavours are exchanged.
        """
        pt, eta, charge, sign = (np.asarray(x, dtype=np.float64) for x in (pt, eta, charge, sign))
        n_jets, met = np.asarray(n_jets, dtype=np.float64), np.asarray(met, dtype=np.float64)
        found = np.zeros((len(sign), self.n_terms))
        for k in range(sign.shape[1]):
            some = np.flatnonzero(sign[:, k])
            terms = self.lepton_terms(pt[some, k], eta[some, k], charge[some, k], n_jets[some])
            found[some, : self.n_lepton_terms] += sign[some, k, None] * terms
        alone = np.flatnonzero(np.count_nonzero(sign, axis=1) == 1)
        terms = self.event_terms(met[alone], n_jets[alone])
        found[alone, self.n_lepton_terms :] = sign[alone].sum(axis=1)[:, None] * terms
        return found

    @property
    def precision(self) -> FloatArray:
        """The inverse covariance of the prior of the coefficients; shape (n_terms, n_terms)."""
        charge = np.eye(4) / CHARGE**2
        lepton = [_smooth(len(self.pt)), _smooth(len(self.pt)), _smooth(len(self.abs_eta)), charge]
        event = [np.eye(1) / LEVEL**2, _smooth(len(self.met)), _smooth(len(self.jets))]
        return np.asarray(block_diag(*lepton, _smooth(len(self.jets)), *event))


def hats(x: FloatArray, knots: FloatArray) -> FloatArray:
    """Return the piecewise linear functions that are 1 at one knot and 0 at the others.

    Parameters
    ----------
    x
        Shape (n,); beyond the outer knots the values there hold. NaN has no function.
    knots
        In rising order, shape (k,).

    Returns
    -------
    ndarray, shape (n, k)
        Rows sum to 1 (0 for NaN).

    Examples
    --------
    >>> hats(np.array([0.5, 3.0, np.nan]), np.array([0.0, 2.0, 3.0])).tolist()
    [[0.75, 0.25, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """
    known = np.isfinite(x)
    inside = np.clip(np.where(known, x, knots[0]), knots[0], knots[-1])
    at = np.clip(np.searchsorted(knots, inside, side="right") - 1, 0, len(knots) - 2)
    above = (inside - knots[at]) / (knots[at + 1] - knots[at])
    found = np.zeros((len(x), len(knots)))
    rows = np.arange(len(x))
    found[rows, at] = (1.0 - above) * known
    found[rows, at + 1] = above * known
    return found


def _smooth(n: int) -> FloatArray:
    """Return the precision of n values at knots: a level, and steps from knot to knot."""
    steps = np.diff(np.eye(n), axis=0)
    return np.asarray(np.full((n, n), (1.0 / (n * LEVEL)) ** 2) + steps.T @ steps / STEP**2)
