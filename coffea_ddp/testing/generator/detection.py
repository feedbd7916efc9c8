"""A detector applied to events: leptons exchanged, lost and added, triggers drawn again.

Random numbers are those of (seed, run, luminosity block, event, purpose, number of the object), so the outcome of an
event depends neither on the file nor on the events around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp._splitmix import GOLDEN, mixed
from coffea_ddp.testing.generator.branches import BRANCHES, Columns
from coffea_ddp.testing.generator.detector import Objects
from coffea_ddp.testing.generator.efficiencies import Detector, probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray, IntArray

FLAVOURS = ("Electron", "Muon")
THRESHOLDS = {"Electron": ("HLT_Ele32_WPTight_Gsf", 32.0), "Muon": ("HLT_IsoMu24", 24.0)}
"""Trigger of a flavour and its threshold in GeV."""

JET_PT, JET_ETA, JET_DISTANCE = 30.0, 2.5, 0.4
FAKE_PT_SHARE = 0.7
_EXCHANGE, _SIGN, _FAKE = 0, 1, 2
"""Purposes of random numbers; efficiencies and triggers have one for each flavour."""
_KEEP, _TRIGGER = {"Electron": 10, "Muon": 11}, {"Electron": 20, "Muon": 21}
_FAKES = {"Electron": 30, "Muon": 31}


@dataclass(frozen=True)
class EventNumbers:
    """Random numbers that belong to events.

    Attributes
    ----------
    words
        One for each event.
    """

    words: NDArray[np.uint64]

    @classmethod
    def of(cls, seed: int, run: AnyArray, block: AnyArray, event: AnyArray) -> EventNumbers:
        """Return those of a seed; events that are numbered alike are distinguished by their place."""
        words = np.full(len(event), np.uint64(seed), dtype=np.uint64)
        for part in (run, block, event):
            words = _stirred(words, part.astype(np.uint64))
        if len(np.unique(words)) < len(words):
            words = _stirred(words, np.arange(len(words), dtype=np.uint64))
        return cls(words)

    def uniform(self, purpose: int, owner: IntArray, number: IntArray) -> FloatArray:
        """Return numbers in [0, 1) of the given objects: the event of each, and its number there."""
        words = _stirred(_stirred(self.words, np.uint64(purpose))[owner], number.astype(np.uint64))
        return np.asarray((words >> np.uint64(11)) * 2.0**-53)


def _stirred(words: NDArray[np.uint64], part: AnyArray | np.uint64) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        return mixed((words ^ mixed(np.asarray(part + np.uint64(1)) * GOLDEN)) + GOLDEN)


def applied(
    scalars: Columns, objects: Mapping[str, Objects], detector: Detector, *, seed: int, exchange: bool
) -> tuple[Columns, dict[str, Objects]]:
    """Return events as a detector with these efficiencies has them.

    Parameters
    ----------
    scalars
        Branches with a number per event: run, luminosityBlock, event, and triggers if there are any.
    objects
        Electrons, muons and jets, and others, which stay as they are.
    detector
        The efficiencies.
    seed
        Of the random numbers.
    exchange
        Whether electrons and muons are exchanged in a random half of the events, before all else.
    """
    numbers = EventNumbers.of(seed, *(scalars[name] for name in ("run", "luminosityBlock", "event")))
    n_events = len(numbers.words)
    leptons = {flavour: objects[flavour] for flavour in FLAVOURS}
    if exchange:
        every = np.arange(n_events)
        leptons = exchanged(leptons, numbers.uniform(_EXCHANGE, every, np.zeros(n_events, np.int64)) < 0.5)
    n_jets, jets = _separated_jets(objects["Jet"], leptons)
    changed = np.full(n_events, exchange)
    made = {}
    for flavour, found in leptons.items():
        kept, lost = _kept(found, flavour, detector, numbers, n_jets)
        made[flavour], added = _with_fakes(kept, flavour, detector, numbers, n_jets, jets)
        changed |= lost | added
    triggers = {
        name: np.where(changed, _fired(made[flavour], flavour, threshold, detector, numbers), scalars[name])
        for flavour, (name, threshold) in THRESHOLDS.items()
        if name in scalars
    }
    return {**scalars, **triggers}, {**objects, **made}


def exchanged(leptons: Mapping[str, Objects], swap: BoolArray) -> dict[str, Objects]:
    """Return electrons and muons, exchanged in some events; the branches of either flavour stay what they are."""
    out = {}
    for flavour, other in (FLAVOURS, FLAVOURS[::-1]):
        mine, theirs = leptons[flavour], leptons[other]
        own = _chosen(mine, ~swap[_owner(mine)])
        new = _chosen(theirs, swap[_owner(theirs)])
        new = Objects(new.counts, _as_flavour(new.columns, flavour, mine.columns))
        out[flavour] = _joined(own, new)
    return out


def _as_flavour(columns: Columns, flavour: str, like: Columns) -> Columns:
    """Return the branches of one flavour for leptons of the other: the same where both have them, or by identification.

    What neither tells is 0, an index -1.
    """
    n = len(columns["pt"])
    iso = next((columns[name] for name in ("iso", "pfRelIso03_all", "pfRelIso04_all") if name in columns), np.zeros(n))
    known = {"dxy": np.zeros(n), "dz": np.zeros(n), "sip3d": np.zeros(n), **columns}
    known |= {"iso": iso, "id_passed": passes(columns)}
    made = {}
    for name, column in like.items():
        branch = next((one for one in BRANCHES if (one.collection, one.name) == (flavour, name)), None)
        if name in columns and name != "mass":
            values = columns[name]
        elif branch is not None:
            values = branch.column(known, n, branch.last)
        else:
            values = known.get(name, np.full(n, -1 if name.endswith("Idx") else 0))
        made[name] = np.asarray(values).astype(column.dtype)
    return made


def passes(columns: Columns) -> BoolArray:
    """Return which leptons pass the identification: by the first branch that says so, all where none does."""
    tests: dict[str, Callable[[AnyArray], AnyArray]] = {
        "id_passed": np.asarray, "tightId": np.asarray, "cutBased": lambda level: level >= 4, "mediumId": np.asarray,
    }  # fmt: skip
    for name, test in tests.items():
        if name in columns:
            return np.asarray(test(columns[name]), dtype=bool)
    return np.ones(len(columns["pt"]), dtype=bool)


def _separated_jets(jets: Objects, leptons: Mapping[str, Objects]) -> tuple[IntArray, Objects]:
    """Return the number of jets of every event that are no leptons, and these jets."""
    eta, phi = jets.columns["eta"], jets.columns["phi"]
    far = (jets.columns["pt"] > JET_PT) & (np.abs(eta) < JET_ETA)
    owner = _owner(jets)
    for found in leptons.values():
        first = np.cumsum(found.counts) - found.counts
        for place in range(int(found.counts.max(initial=0))):
            there = found.counts[owner] > place
            at = (first[owner] + place)[there]
            angle = np.abs(np.mod(phi[there] - found.columns["phi"][at] + np.pi, 2 * np.pi) - np.pi)
            far[there] &= np.hypot(eta[there] - found.columns["eta"][at], angle) > JET_DISTANCE
    chosen = _chosen(jets, far)
    return chosen.counts, chosen


def _arguments(objects: Objects, n_jets: IntArray) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    pt, eta = (objects.columns[name].astype(np.float64) for name in ("pt", "eta"))
    charge = objects.columns.get("charge", np.zeros(len(pt), np.int64))
    return pt, eta, charge.astype(np.int64), n_jets[_owner(objects)]


def _kept(
    leptons: Objects, flavour: str, detector: Detector, numbers: EventNumbers, n_jets: IntArray
) -> tuple[Objects, BoolArray]:
    """Return the leptons that are found, and the events in which some are not."""
    chance = probabilities(getattr(detector, flavour.lower()), flavour.lower(), _arguments(leptons, n_jets))
    owner = _owner(leptons)
    keep = numbers.uniform(_KEEP[flavour], owner, _number(leptons)) < chance * (1.0 - detector.lost)
    found = _chosen(leptons, keep)
    return found, found.counts < leptons.counts


def _with_fakes(
    leptons: Objects, flavour: str, detector: Detector, numbers: EventNumbers, n_jets: IntArray, jets: Objects
) -> tuple[Objects, BoolArray]:
    """Return the leptons and those that jets add, and the events with any of these."""
    name = f"fake_{flavour.lower()}"
    neutral = Objects(jets.counts, {**jets.columns, "charge": np.zeros(len(jets.columns["pt"]), np.int64)})
    chance = probabilities(getattr(detector, name), name, _arguments(neutral, n_jets))
    chosen = numbers.uniform(_FAKES[flavour], _owner(jets), _number(jets)) < chance
    fakes = _chosen(jets, chosen)
    if not chosen.any():
        return leptons, np.zeros(len(jets.counts), dtype=bool)
    n = len(fakes.columns["pt"])
    positive = numbers.uniform(_SIGN, _owner(fakes), _number(jets)[chosen]) < 0.5
    columns: Columns = {name: fakes.columns[name] for name in ("pt", "eta", "phi")}
    columns |= {
        "pt": columns["pt"] * FAKE_PT_SHARE, "charge": np.where(positive, 1, -1), "id_passed": np.ones(n, dtype=bool),
        "iso": np.full(n, 0.05), "pfRelIso03_all": np.full(n, 0.05), "pfRelIso04_all": np.full(n, 0.05),
    }  # fmt: skip
    joined = _joined(leptons, Objects(fakes.counts, _as_flavour(columns, flavour, leptons.columns)))
    order = np.lexsort((-joined.columns["pt"], _owner(joined)))
    return replace(joined, columns={name: column[order] for name, column in joined.columns.items()}), fakes.counts > 0


def _fired(leptons: Objects, flavour: str, threshold: float, detector: Detector, numbers: EventNumbers) -> BoolArray:
    owner = _owner(leptons)
    able = passes(leptons.columns) & (leptons.columns["pt"] > threshold)
    fired = able & (numbers.uniform(_TRIGGER[flavour], owner, _number(leptons)) < detector.trigger)
    return np.asarray(np.bincount(owner[fired], minlength=len(leptons.counts)) > 0)


def _owner(objects: Objects) -> IntArray:
    return np.repeat(np.arange(len(objects.counts)), objects.counts)


def _number(objects: Objects) -> IntArray:
    """Return the number of each object in its event."""
    return np.arange(int(objects.counts.sum())) - np.repeat(np.cumsum(objects.counts) - objects.counts, objects.counts)


def _chosen(objects: Objects, keep: BoolArray) -> Objects:
    owner = _owner(objects)
    return Objects(
        np.bincount(owner[keep], minlength=len(objects.counts)),
        {name: column[keep] for name, column in objects.columns.items()},
    )


def _joined(first: Objects, second: Objects) -> Objects:
    """Return the objects of both, event by event: those of the first before those of the second."""
    order = np.argsort(np.concatenate([_owner(first), _owner(second)]), kind="stable")
    return Objects(
        first.counts + second.counts,
        {name: np.concatenate([column, second.columns[name]])[order] for name, column in first.columns.items()},
    )
