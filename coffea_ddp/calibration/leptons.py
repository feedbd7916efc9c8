"""Leptons of events, as arrays: what a calibration is a function of, and the columns that stored events have of them.

Examples
--------
>>> columns = {name: np.array([np.nan]) for name in COLUMNS}
>>> columns |= {"lepton0_pt": np.array([40.0]), "lepton0_eta": np.array([1.0]), "lepton0_pdg_id": np.array([-13.0])}
>>> found = Leptons.of_columns(columns)
>>> found.sign.tolist(), found.charge.tolist()
([[1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]])
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, FloatArray

MOST = 3
"""Number of leptons of an event that are looked at, by falling pT."""

N_JETS, MET = "event_n_jets", "event_met"
"""Columns of the number of jets and the missing transverse momentum in GeV."""

COLUMNS = (*(f"lepton{k}_{what}" for k in range(MOST) for what in ("pt", "eta", "pdg_id")), N_JETS, MET)
"""Columns of stored events: NaN where there is no such lepton, no jets in the plan, or no missing momentum in the file.

pdg_id is 11 for an electron, 13 for a muon, with the sign of the particle's number (-11: positron)."""

ELECTRON, MUON = 11, 13


class Leptons(NamedTuple):
    """The leptons of events, those of largest pT first.

    Attributes
    ----------
    pt, eta, charge
        Shape (n_events, n_leptons); 0 where there is none.
    sign
        1 for a muon, -1 for an electron, 0 where there is none; shape (n_events, n_leptons).
    n_jets, met
        Shape (n_events,); NaN where unknown.
    """

    pt: FloatArray
    eta: FloatArray
    charge: FloatArray
    sign: FloatArray
    n_jets: FloatArray
    met: FloatArray

    @classmethod
    def of_columns(cls, columns: Mapping[str, AnyArray]) -> Leptons:
        """Return the leptons of stored events.

        Raises
        ------
        InputError
            If a column is missing: no symmetry of the plan exchanges leptons, or its output is older.
        """
        missing = [name for name in COLUMNS if name not in columns]
        if missing:
            raise InputError(
                f"stored events without {missing[0]!r}: leptons are stored by plans with a symmetry that exchanges "
                "flavours (exchange=FlavourExchange()), from version 0.1 on; run the plan again"
            )

        def stacked(what: str) -> FloatArray:
            return np.stack([columns[f"lepton{k}_{what}"] for k in range(MOST)], axis=1).astype(np.float64)

        pt, eta, pdg_id = (stacked(what) for what in ("pt", "eta", "pdg_id"))
        exists = np.isfinite(pt) & np.isfinite(eta) & np.isfinite(pdg_id)
        sign = np.select([exists & (np.abs(pdg_id) == MUON), exists & (np.abs(pdg_id) == ELECTRON)], [1.0, -1.0], 0.0)
        here = sign != 0
        return cls(
            np.where(here, pt, 0.0),
            np.where(here, eta, 0.0),
            np.where(here, -np.sign(pdg_id), 0.0),
            sign,
            columns[N_JETS].astype(np.float64),
            columns[MET].astype(np.float64),
        )

    @property
    def mirrored(self) -> Leptons:
        """The same with electrons and muons exchanged."""
        return self._replace(sign=-self.sign)

    def take(self, rows: AnyArray) -> Leptons:
        """Return some of the events."""
        return Leptons(*(values[rows] for values in self))
