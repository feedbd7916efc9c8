"""A calibration: ``r = ln(eff_mu / eff_e)`` of a lepton, as a correctionlib file.

A file is a ``CorrectionSet`` (schema 2) with the corrections

``log_ratio``
    r of ``pt`` (GeV), ``abseta``, ``charge`` and ``variation`` ("nominal", "up", "down": one standard deviation), or of
    some of them; ``eta`` may stand for ``abseta``.
``log_ratio_jets``
    What the number of jets, ``n_jets``, adds to r; optional.
``one_lepton``
    What is added once for events with one lepton, of ``met`` (GeV) and ``n_jets``; optional: events of two leptons of
    which one was not found, which depends on its flavour.

or, instead, with ``electron`` and ``muon``: the efficiencies (or scale factors) of both, of the same inputs.

A calibration that :func:`coffea_ddp.scanning.calibrating.calibrate` has learned has its fit with it (see
:class:`~coffea_ddp.calibration.record.FitRecord`), in the description of the set.

Examples
--------
>>> from coffea_ddp.calibration.tables import constant
>>> found = Calibration(constant(0.2))
>>> leptons = Leptons(*np.array([[[40.0]], [[0.5]], [[1.0]], [[-1.0]]]), np.array([0.0]), np.array([30.0]))
>>> found.log_odds(leptons).tolist()
[-0.2]
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp._files import CALIBRATION, advice, check_input, write_text
from coffea_ddp.calibration.leptons import Leptons
from coffea_ddp.calibration.record import FitRecord
from coffea_ddp.errors import FileError, FormatError, InputError, named

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray

VARIATIONS = ("nominal", "up", "down")

_INPUTS = ("pt", "eta", "abseta", "charge", "n_jets", "met")
MOST = 20.0
"""Largest size of a log-ratio: efficiencies that differ more are no efficiencies."""


@dataclass(frozen=True)
class Calibration:
    """A correctionlib set that says how much more often a muon is found than an electron.

    Attributes
    ----------
    text
        The set as JSON.

    Raises
    ------
    FormatError
        If the text is no set of corrections, or lacks what a calibration needs.

    Examples
    --------
    >>> from coffea_ddp.calibration.tables import constant
    >>> Calibration(constant(0.1)).digest == Calibration(constant(0.1)).digest
    True
    """

    text: str

    def __post_init__(self) -> None:
        """Check that the text can be evaluated."""
        names = set(self._corrections)
        if "log_ratio" not in names and not {"electron", "muon"} <= names:
            raise FormatError(
                f"a calibration has a correction 'log_ratio', or 'electron' and 'muon'; this set has "
                f"{', '.join(sorted(names)) or 'none'}"
            )
        for name in names & {"log_ratio", "log_ratio_jets", "one_lepton", "electron", "muon"}:
            unknown = [one.name for one in self._corrections[name].inputs if one.name not in (*_INPUTS, "variation")]
            if unknown:
                raise FormatError(
                    f"correction {name!r} has an input {unknown[0]!r}; a calibration knows {', '.join(_INPUTS)} and "
                    "variation"
                )

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as text: corrections are made again where they are used."""
        return Calibration, (self.text,)

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read a calibration from a ``.json`` or ``.json.gz`` file.

        Raises
        ------
        InputError, FileError
            If it is no path, or cannot be read.
        FormatError
            If it is no calibration.
        """
        if not isinstance(path, str | Path):
            raise InputError(f"Calibration.load: got {named(path)} where the path of a calibration belongs")
        check_input(path)
        try:
            content = Path(path).read_bytes()
            text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()
        except FileNotFoundError:
            raise FileError(f"{path}: no such file; `coffea-ddp calibrate PLAN FILES -o {path}` makes one") from None
        except UnicodeDecodeError:
            raise FileError(f"{path}: cannot be read as a calibration, it is {advice(path)}") from None
        except (OSError, EOFError) as error:
            raise FileError(f"{path}: cannot be read as a calibration ({error})") from error
        try:
            return cls(text)
        except FormatError as error:
            raise FormatError(f"{path}: {error}") from error

    def save(self, path: str | Path) -> Path:
        """Write the set to a ``.json`` file.

        Raises
        ------
        FileError
            If it cannot be written, or something else than a calibration is there.
        """
        return write_text(path, self.text, CALIBRATION)

    @property
    def digest(self) -> str:
        """Digest of the set, 16 hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    @cached_property
    def fit(self) -> FitRecord | None:
        """The fit that it was learned by; ``None`` for one from elsewhere."""
        return FitRecord.from_description(json.loads(self.text).get("description") or "")

    @cached_property
    def _corrections(self) -> Mapping[str, Any]:
        from correctionlib import CorrectionSet  # comes with coffea; 0.1 s

        try:
            return dict(CorrectionSet.from_string(self.text))
        except Exception as error:  # correctionlib raises RuntimeError, pydantic's and others
            raise FormatError(f"no set of corrections of correctionlib ({error})") from error

    def log_ratio(
        self, pt: FloatArray, eta: FloatArray, charge: FloatArray, n_jets: FloatArray, variation: str = "nominal"
    ) -> FloatArray:
        """Return r of leptons; all arrays of shape (n,).

        Raises
        ------
        InputError
            If the calibration has no value there, or one that cannot be.
        """
        known = {"pt": pt, "eta": eta, "abseta": np.abs(eta), "charge": charge, "n_jets": n_jets}
        if "log_ratio" in self._corrections:
            found = self._evaluated("log_ratio", known, variation)
            if "log_ratio_jets" in self._corrections:
                found = found + self._evaluated("log_ratio_jets", known, "nominal")
        else:
            muon, electron = (self._evaluated(name, known, variation) for name in ("muon", "electron"))
            with np.errstate(divide="ignore", invalid="ignore"):
                found = np.log(muon) - np.log(electron)
        bad = ~(np.abs(found) <= MOST)
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"calibration: ln(eff_mu / eff_e) = {found[first]:g} of a lepton with pT = {pt[first]:g} GeV and "
                f"eta = {eta[first]:g}; efficiencies are above 0 for every lepton that a plan selects (flow: clamp)"
            )
        return found

    def error(self, leptons: Leptons) -> FloatArray:
        """Return how the log-odds of events move where r is larger by its standard deviation; shape (n_events,).

        All leptons move together, as a scale factor's variations do; 0 for a calibration without variations.
        """
        return (self.log_odds(leptons, "up") - self.log_odds(leptons, "down")) / 2

    def shares(self, leptons: Leptons) -> FloatArray:
        """Return the expected share of events among themselves and their mirror images, shape (n_events,)."""
        return 1.0 / (1.0 + np.exp(-self.log_odds(leptons)))

    def log_odds(self, leptons: Leptons, variation: str = "nominal") -> FloatArray:
        """Return ``ln P(event) / P(mirror image)``, shape (n_events,); 0 without leptons."""
        found = log_odds_of(self.log_ratio, leptons, variation)
        if "one_lepton" in self._corrections:
            alone = np.flatnonzero(np.count_nonzero(leptons.sign, axis=1) == 1)
            of = leptons.take(alone)
            found[alone] += of.sign.sum(axis=1) * self._evaluated(
                "one_lepton", {"met": of.met, "n_jets": of.n_jets}, "nominal"
            )
        return found

    def _evaluated(self, name: str, known: Mapping[str, FloatArray], variation: str) -> FloatArray:
        correction = self._corrections[name]
        arguments: list[Any] = []
        for one in correction.inputs:
            if one.name == "variation":
                arguments.append(variation)
                continue
            values = np.where(np.isfinite(known[one.name]), known[one.name], 0.0)
            arguments.append(values.astype(np.int64 if one.type == "int" else np.float64))
        n = len(next(iter(known.values())))
        try:
            return np.array(np.broadcast_to(correction.evaluate(*arguments), (n,)), dtype=np.float64)
        except (IndexError, RuntimeError, ValueError) as error:
            raise InputError(
                f"calibration: correction {name!r} cannot be evaluated for every lepton ({error}); it has to cover all "
                "of them (flow: clamp)"
            ) from error


def log_odds_of(log_ratio: Callable[..., FloatArray], leptons: Leptons, variation: str) -> FloatArray:
    """Return the sum of ``+- r`` over the leptons of every event, shape (n_events,); 0 without leptons.

    Parameters
    ----------
    log_ratio
        r of pT, eta, charge and the number of jets, and of the variation.
    leptons
        Of the events.
    variation
        One of :data:`VARIATIONS`.
    """
    found = np.zeros(len(leptons.n_jets))
    for k in range(leptons.sign.shape[1]):
        some = np.flatnonzero(leptons.sign[:, k])
        of = leptons.take(some)
        kinematics = of.pt[:, k], of.eta[:, k], of.charge[:, k], of.n_jets
        found[some] += of.sign[:, k] * log_ratio(*kinematics, variation)
    return found
