"""The fit that a calibration was learned by, as data: what scores need to know of its uncertainty.

Examples
--------
>>> record = FitRecord({}, (0.1,), ((0.01,),), "tau=0", 0, ("f" * 16,), "demo", 1000, 18.0, 20, 0.6)
>>> FitRecord.from_description(record.description) == record
True
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from coffea_ddp.errors import FormatError

_MARK = "coffea-ddp calibration"
_VERSION = 1


@dataclass(frozen=True)
class FitRecord:
    """A fit of the log-ratio of efficiencies.

    Attributes
    ----------
    basis
        Knots of the terms, as of :class:`coffea_ddp.stats.propensity.basis.LeptonBasis`.
    coefficients, covariance
        Of the terms; shapes (n_terms,) and (n_terms, n_terms).
    control
        The cell whose events were fitted, as text.
    threshold
        Events with a smaller hash took part (0: all of them).
    sources
        Digests of the files from which they are, 16 hexadecimal digits each.
    plan
        Name of the plan.
    n_events
        Number of events that were fitted.
    chi2, n_groups, p_value
        See :class:`coffea_ddp.stats.propensity.fit.PropensityFit`.
    """

    basis: Mapping[str, Any]
    coefficients: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    control: str
    threshold: int
    sources: tuple[str, ...]
    plan: str
    n_events: int
    chi2: float
    n_groups: int
    p_value: float

    @property
    def description(self) -> str:
        """Text for people, and the record as JSON in a line of its own."""
        data = json.dumps({"format": _MARK, "version": _VERSION, **asdict(self)}, separators=(",", ":"))
        return (
            f"{_MARK}: ln(eff_mu / eff_e), learned from {self.n_events} events of the plan {self.plan!r} in the cell "
            f"{self.control!r}\n{data}"
        )

    @classmethod
    def from_description(cls, text: str) -> FitRecord | None:
        """Return the record in a description; ``None`` where there is none.

        Raises
        ------
        FormatError
            If it is damaged, or of another version.
        """
        _, _, data = text.partition("\n")
        if not text.startswith(_MARK) or not data:
            return None
        try:
            return cls.from_dict(json.loads(data))
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(f"the record of the calibration's fit is damaged ({error}); make it again") from error

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON-ready data."""
        return {"version": _VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FitRecord:
        """Return the record of :meth:`to_dict`; errors are those of missing or wrong data."""
        if data["version"] != _VERSION:
            raise FormatError(f"a calibration of version {data['version']!r}; this package reads version {_VERSION}")
        coefficients = tuple(float(x) for x in data["coefficients"])
        covariance = tuple(tuple(float(x) for x in row) for row in data["covariance"])
        if any(len(row) != len(coefficients) for row in covariance) or len(covariance) != len(coefficients):
            raise ValueError(f"{len(coefficients)} coefficients, and a covariance that is not square")
        return cls(
            basis={name: tuple(knots) if isinstance(knots, list) else knots for name, knots in data["basis"].items()},
            coefficients=coefficients,
            covariance=covariance,
            control=str(data["control"]),
            threshold=int(data["threshold"]),
            sources=tuple(map(str, data["sources"])),
            plan=str(data["plan"]),
            n_events=int(data["n_events"]),
            chi2=float(data["chi2"]),
            n_groups=int(data["n_groups"]),
            p_value=float(data["p_value"]),
        )
