"""A calibration as a function of a plan: ``ln(eff_mu / eff_e)`` of leptons, where no file has it.

Examples
--------
>>> def log_ratio(pt, abseta):
...     return 0.1 + 0.02 * abseta - 0.1 * (pt < 30.0)
>>> found = CalibrationFunction(log_ratio, uncertainty=0.01)
>>> found.log_ratio(np.array([20.0, 50.0]), np.array([-1.0, 0.0]), np.ones(2), np.zeros(2)).round(2).tolist()
[0.02, 0.1]
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from coffea_ddp.calibration.calibration import MOST, log_odds_of
from coffea_ddp.errors import PlanError
from coffea_ddp.plan.fingerprint import digest

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.calibration.leptons import Leptons

ARGUMENTS = ("pt", "eta", "abseta", "charge", "n_jets")
"""Names of what a function may take: arrays of shape (n_leptons,)."""

_TRIED = {
    "pt": np.array([25.0, 60.0, 200.0]), "eta": np.array([0.3, -1.2, 2.0]), "charge": np.array([-1.0, 1.0, 1.0]),
    "n_jets": np.array([0.0, 1.0, 4.0]),
}  # fmt: skip


@dataclass(frozen=True)
class CalibrationFunction:
    """A function that says how much more often a muon is found than an electron.

    Attributes
    ----------
    function
        Of arrays that are named as in :data:`ARGUMENTS`: ``pt`` in GeV, ``eta``, ``abseta``, ``charge`` (-1 or 1) and
        ``n_jets`` (0 where the plan has no jets), or of some of them; returns ``ln(eff_mu / eff_e)`` of every lepton.
    uncertainty
        One standard deviation of that, which moves all leptons together: a number, or another such function.

    Raises
    ------
    PlanError
        If it is no function of these arguments, fails, or returns anything but one finite number a lepton.

    Examples
    --------
    >>> CalibrationFunction(lambda pt: 1.1 + 0.001 * pt, uncertainty=0.02).uncertainty
    0.02
    """

    function: Callable[..., Any]
    uncertainty: Callable[..., Any] | float = 0.0
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        """Try the function on three leptons, so that a fault is found before a pass."""
        _evaluated(self.function, _TRIED)
        given: Any = self.uncertainty
        if callable(given):
            least = _evaluated(given, _TRIED).min()
        else:
            least = given if isinstance(given, int | float) and not isinstance(given, bool) else np.nan
        if not 0 <= least <= MOST:
            raise PlanError(
                f"{_named(self.function)}: uncertainty={given!r:.60}; give a number, or a function of the same "
                "arguments, that is 0 or more for every lepton"
            )
        object.__setattr__(self, "digest", digest((self.function, self.uncertainty)))

    fit: ClassVar[None] = None
    """No fit: ``uncertainty`` says what is uncertain."""

    def log_ratio(
        self, pt: FloatArray, eta: FloatArray, charge: FloatArray, n_jets: FloatArray, variation: str = "nominal"
    ) -> FloatArray:
        """Return r of leptons; all arrays of shape (n,).

        Raises
        ------
        PlanError
            If the function fails, or returns what cannot be.
        """
        known = {"pt": pt, "eta": eta, "charge": charge, "n_jets": np.where(np.isfinite(n_jets), n_jets, 0.0)}
        found = _evaluated(self.function, known)
        if variation == "nominal":
            return found
        own = self.uncertainty
        error = _evaluated(own, known) if callable(own) else float(own)
        return found + error if variation == "up" else found - error

    def log_odds(self, leptons: Leptons, variation: str = "nominal") -> FloatArray:
        """Return ``ln P(event) / P(mirror image)``, shape (n_events,); 0 without leptons."""
        return log_odds_of(self.log_ratio, leptons, variation)

    def error(self, leptons: Leptons) -> FloatArray:
        """Return how the log-odds of events move where r is larger by its standard deviation; shape (n_events,)."""
        return (self.log_odds(leptons, "up") - self.log_odds(leptons, "down")) / 2

    def shares(self, leptons: Leptons) -> FloatArray:
        """Return the expected share of events among themselves and their mirror images, shape (n_events,)."""
        return 1.0 / (1.0 + np.exp(-self.log_odds(leptons)))


def _evaluated(function: Callable[..., Any], known: dict[str, FloatArray]) -> FloatArray:
    whose = _named(function)
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = ["pt"]
    unknown = [name for name in names if name not in ARGUMENTS]
    if unknown or not names:
        given = f"an argument {unknown[0]!r}" if unknown else "no argument"
        raise PlanError(f"{whose} has {given}; it takes some of {', '.join(ARGUMENTS)}, by these names")
    values = {**known, "abseta": np.abs(known["eta"])}
    n = len(known["pt"])
    try:
        found = np.asarray(function(**{name: values[name] for name in names}), dtype=np.float64)
    except Exception as error:  # the function is a stranger's: whatever it does is its own fault
        raise PlanError(
            f"{whose} failed: {type(error).__name__}: {error}; it takes arrays of leptons, not one lepton at a time "
            "(np.where in the place of if)"
        ) from error
    if found.shape not in ((), (n,)):
        raise PlanError(f"{whose} returned shape {found.shape} for {n} leptons; give one number for each")
    found = np.broadcast_to(found, (n,)).copy()
    bad = ~(np.abs(found) <= MOST)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise PlanError(
            f"{whose} returned {found[first]:g} for a lepton with pT = {values['pt'][first]:g} GeV and eta = "
            f"{values['eta'][first]:g}; it is the logarithm of a ratio of efficiencies, which are above 0"
        )
    return found


def _named(function: Callable[..., Any]) -> str:
    return f"calibration function {getattr(function, '__name__', type(function).__name__)!r}"


def as_calibration(given: Any) -> Any:
    """Return a bare function as a calibration without an uncertainty; everything else as it is."""
    bare = callable(given) and not isinstance(given, type) and not hasattr(given, "log_odds")
    return CalibrationFunction(given) if bare else given
