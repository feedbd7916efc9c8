"""Named properties of events: decays, topologies, triggers, the good-run mask.

A predicate takes :class:`~coffea_ddp.events.selected.SelectedEvents` and returns one bool an event. Those here treat
electrons and muons alike: they use the merged collection ``"lepton"``, never a flavour by itself.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp._files import check_input, what_is
from coffea_ddp.errors import FileError, InputError, named
from coffea_ddp.events.selected import SelectedEvents, pair_mass, transverse_mass
from coffea_ddp.plan.run_lists import disjoint, read_xml

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, FloatArray, IntArray

Z_MASS = 91.19
"""GeV."""

_LEPTONS_TRIED = 4


def z_candidate(events: SelectedEvents, window: float = 10.0) -> BoolArray:
    """Return which events have a same-flavour opposite-sign pair within 10 GeV (``window``) of the Z mass, 91.19 GeV.

    All pairs of the four leading leptons are tried.

    Examples
    --------
    >>> from coffea_ddp.histograms.cells import Topology
    >>> Topology("Z", z_candidate).name
    'Z'
    """
    return events.once(("z_candidate", window), lambda: _z_candidate(events, window))


def _z_candidate(events: SelectedEvents, window: float) -> BoolArray:
    return _pair_between(events, Z_MASS - window, Z_MASS + window)


def _pair_between(events: SelectedEvents, low: float, high: float) -> BoolArray:
    found = np.zeros(events.n_events, dtype=bool)
    for rows, masses in events.once("pairs of leptons", lambda: _pairs(events)):
        found[rows] |= (masses > low) & (masses < high)
    return found


def _pairs(events: SelectedEvents) -> list[tuple[IntArray, FloatArray]]:
    """Return for each two of the four leading leptons the events in which they make a pair, and its mass in GeV."""
    # Few events have a second lepton: the masses are computed for those alone.
    several = np.flatnonzero(events.count("lepton") > 1)
    some = events.take(several)
    leptons = [some.leading("lepton", k) for k in range(_LEPTONS_TRIED)]
    pairs = []
    for first, second in itertools.combinations(leptons, 2):
        pair = np.flatnonzero(second.exists & (first.flavour == second.flavour) & (first.charge + second.charge == 0))
        if len(pair):
            pairs.append((several[pair], pair_mass(first.take(pair), second.take(pair))))
    return pairs


@dataclass(frozen=True)
class OppositeSignPair:
    """Events with a same-flavour opposite-sign pair of leptons whose mass is within a window.

    All pairs of the four leading leptons are tried.

    Parameters
    ----------
    low, high
        The window in GeV.

    Raises
    ------
    InputError
        If the window is none.

    Examples
    --------
    >>> OppositeSignPair(76.0, 106.0)
    OppositeSignPair(low=76.0, high=106.0)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.low < self.high:
            raise InputError(
                f"OppositeSignPair({self.low}, {self.high}): give a range of masses in GeV, the lower first"
            )

    def __call__(self, events: SelectedEvents) -> BoolArray:
        """Return which events have such a pair."""
        return events.once(self, lambda: _pair_between(events, self.low, self.high))


def w_candidate(events: SelectedEvents, m_t_min: float = 40.0, met_min: float = 30.0) -> BoolArray:
    """Return which events have mT(leading lepton, missing pT) > 40 GeV, missing pT > 30 GeV, and no Z candidate.

    Examples
    --------
    >>> from coffea_ddp.histograms.cells import Topology
    >>> Topology("W", w_candidate).name
    'W'
    """
    m_t = transverse_mass(events.leading("lepton"), events.met)
    return np.asarray((m_t > m_t_min) & (events.met.pt > met_min) & ~z_candidate(events))


def vbf(events: SelectedEvents, m_jj_min: float = 500.0, d_eta_min: float = 3.5) -> BoolArray:
    """Return which events have the two leading jets in opposite hemispheres, m_jj > 500 GeV and abs(d eta) > 3.5.

    Examples
    --------
    >>> from coffea_ddp.histograms.cells import Topology
    >>> Topology("VBF", vbf).name
    'VBF'
    """
    result = np.zeros(events.n_events, dtype=bool)
    several = np.flatnonzero(events.count("j") > 1)
    some = events.take(several)
    j0, j1 = some.leading("j", 0), some.leading("j", 1)
    apart = (j0.eta * j1.eta < 0) & (np.abs(j0.eta - j1.eta) > d_eta_min)
    result[several] = apart & (pair_mass(j0, j1) > m_jj_min)
    return result


def ttbar(events: SelectedEvents) -> BoolArray:
    """Return which events look like a top pair.

    Two leptons or more, not from a Z, with two jets, one of them b; or one lepton with four jets, two of them b.

    Examples
    --------
    >>> from coffea_ddp.histograms.cells import Topology
    >>> Topology("ttbar", ttbar).name
    'ttbar'
    """
    leptons, jets, b_jets = events.count("lepton"), events.count("j"), events.count("b")
    dilepton = (leptons > 1) & (jets > 1) & (b_jets > 0) & ~z_candidate(events)
    semileptonic = (leptons == 1) & (jets > 3) & (b_jets > 1)
    return np.asarray(dilepton | semileptonic)


@dataclass(frozen=True)
class LeadingAbove:
    """Events whose leading object has pT > ``pt_min`` (GeV); events without the object fail.

    Examples
    --------
    >>> LeadingAbove("lepton", 35.0)
    LeadingAbove(name='lepton', pt_min=35.0)
    """

    name: str
    pt_min: float

    def __call__(self, events: SelectedEvents) -> BoolArray:
        """Return which events pass."""
        return np.asarray(events.leading(self.name).pt > self.pt_min)


@dataclass(frozen=True)
class Trigger:
    """Events that fired any of several paths.

    Parameters
    ----------
    any_of
        Paths (``"HLT_IsoMu24"``); a tuple among them is one path under several names, of which the first that the
        file has is used. All of them must be there: with the muon path alone, e/mu would be broken by the trigger.
    required
        ``False``: a file that lacks one is not cut on at all, and the output says so.
    name
        What the output calls it, where a plan has several.

    Examples
    --------
    >>> Trigger(("HLT_IsoMu24", "HLT_IsoMu27"), required=False).required
    False
    """

    any_of: tuple[str | tuple[str, ...], ...]
    required: bool = True
    name: str = ""

    @property
    def role(self) -> str:
        """Name under which the output says what was used."""
        return f"trigger of {self.name}" if self.name else "trigger"

    @property
    def paths(self) -> tuple[str, ...]:
        """All names of all paths."""
        return tuple(name for path in self.any_of for name in ((path,) if isinstance(path, str) else path))

    def __call__(self, events: SelectedEvents) -> BoolArray:
        """Return which events fired.

        Raises
        ------
        MissingBranchError
            If a path is not in the file and the trigger is required.
        """
        used = []
        for path in self.any_of:
            names = (path,) if isinstance(path, str) else path
            found = events.choose(self.role, names, required=self.required)
            if found is None:
                events.note(self.role, f"not applied: {events.lacking(names)}")
                return np.ones(events.n_events, dtype=bool)
            used.append(found)
        events.note(self.role, " or ".join(used))
        return np.asarray(np.logical_or.reduce([events.flags(name) for name in used]))


@dataclass(frozen=True)
class GoodRuns:
    """A good-run list: run -> ranges of luminosity blocks, both ends included.

    CMS writes it as JSON ("golden JSON"), ATLAS as XML (``LumiRangeCollection``). Kept as text inside the plan, so that
    workers need no file and the plan's fingerprint sees its content.
    Applied by coffea's ``LumiMask``.

    Examples
    --------
    >>> GoodRuns.from_dict({"297050": [[12, 137]]}).mask([297050, 297050, 1], [12, 138, 12])
    array([ True, False, False])
    """

    text: str

    @classmethod
    def from_file(cls, path: str | Path) -> GoodRuns:
        """Read a JSON file of CMS, or an XML file of ATLAS.

        Raises
        ------
        FileError
            If the file cannot be read or is no good-run list.
        InputError
            If it is no path.
        """
        if not isinstance(path, str | Path):
            raise InputError(f"GoodRuns.from_file: got {named(path)}; give the path of a good-run list (JSON or XML)")
        check_input(path)
        form = "JSON"
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
            form = "XML" if text.lstrip().startswith("<") else form
            data = read_xml(text) if form == "XML" else json.loads(text)
        except (OSError, ValueError, RecursionError) as error:
            kind = what_is(path)
            read = "" if kind in ("a JSON file", "a text file", "no file") else f"; it is {kind}"
            reason = error.strerror if isinstance(error, OSError) else error if not read else "no text"
            raise FileError(f"good-run list {path}: cannot be read as {form} ({reason}){read}") from error
        try:
            return cls.from_dict(data)
        except InputError as error:
            raise FileError(f"good-run list {path}: {error}") from None

    @classmethod
    def from_dict(cls, runs: Mapping[str, Sequence[Sequence[int]]]) -> GoodRuns:
        """Take ``{"run": [[first, last], ...]}``.

        Raises
        ------
        InputError
            If it is anything else.
        """
        try:
            clean = {str(int(run)): disjoint([int(a), int(b)] for a, b in ranges) for run, ranges in runs.items()}
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f'a good-run list maps runs to ranges, {{"297050": [[12, 137]]}}; got {error}') from None
        return cls(json.dumps(clean, sort_keys=True))

    def mask(self, runs: Any, luminosity_blocks: Any) -> BoolArray:
        """Return which (run, luminosity block) pairs are good."""
        return np.asarray(
            _lumi_mask(self.text)(np.asarray(runs, dtype=np.uint32), np.asarray(luminosity_blocks, dtype=np.uint32))
        )

    def __call__(self, events: SelectedEvents) -> BoolArray:
        """Return which events are in good luminosity blocks."""
        run, block = (events.whole_numbers(name, np.uint32) for name in ("run", "luminosityBlock"))
        return self.mask(run, block)


@lru_cache(maxsize=4)
def _lumi_mask(text: str) -> Any:
    from coffea.lumi_tools import LumiMask  # only where a mask is asked for

    # LumiMask reads a URL; the list travels with the plan, so it is given as one.
    return LumiMask("data:application/json;base64," + base64.b64encode(text.encode()).decode())
