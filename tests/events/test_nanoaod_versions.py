"""Branches whose meaning changed between NanoAOD's versions: told apart by titles, values and names, never by types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st

import coffea_ddp as ddp
from coffea_ddp import nanoaod, testing
from coffea_ddp.errors import BranchError
from coffea_ddp.events.branches import Columns
from coffea_ddp.events.candidates import select
from coffea_ddp.events.cuts import FirstAvailable, WorkingPoint
from coffea_ddp.events.nanoaod_versions import BITS, CHANGES, NUMBER, OLD, RECENT, _by_title, encoding, is_recent
from coffea_ddp.events.objects import ObjectDefinition

DEEP_TAU = "Tau_idDeepTau2017v2p1VSjet"
TAU = ObjectDefinition("tau", "Tau", cuts=(FirstAvailable("id", (WorkingPoint("idDeepTau2017v2p1VSjet", 5),)),))
JET = ObjectDefinition("j", "Jet", cuts=nanoaod.jet().cuts)


def bits_of(level: int) -> int:
    return int(2**level - 1)


def taus(values: list[list[int]], dtype: Any = np.uint8, **others: Any) -> ak.Array:
    """Return events with one branch of tau identification, as the file holds it."""
    content = ak.values_astype(ak.Array(values), dtype)
    pt = ak.values_astype(ak.full_like(content, 30), np.float32)
    return ak.Array({"Tau_pt": pt, "Tau_eta": pt * 0, "Tau_phi": pt * 0, DEEP_TAU: content, **others})


def n_taus(events: ak.Array) -> list[int]:
    return select(Columns(events), [TAU])["tau"].counts.tolist()


levels = st.lists(st.lists(st.integers(0, 8), max_size=4), min_size=1, max_size=6).filter(
    lambda found: any(level in (2, 4, 5, 6, 8) for event in found for level in event)
)


@given(found=levels, dtype=st.sampled_from([np.uint8, np.int8, np.int16, np.int32, np.uint64, np.float32, np.float64]))
def test_both_encodings_select_the_same_taus_in_every_type(found: list[list[int]], dtype: Any) -> None:
    expected = [sum(level >= 5 for level in event) for event in found]
    assert n_taus(taus(found, dtype)) == expected
    if any(level > 3 for event in found for level in event):  # else no tau passes either way, and none is told
        assert n_taus(taus([[bits_of(level) for level in event] for event in found], dtype)) == expected


@pytest.mark.parametrize(
    ("title", "says"),
    [
        ("byDeepTau2017v2p1VSjet ID working points: bitmask 1 = VVVLoose, 2 = VVLoose, 4 = VLoose, 16 = Medium", BITS),
        ("byDeepTau2017v2p1VSjet ID working points: 1 = VVVLoose, 2 = VVLoose, 3 = VLoose, 5 = Medium", NUMBER),
        ("byDeepTau2017v2p1VSmu ID working points: bitmask 1 = VLoose, 2 = Loose, 4 = Medium, 8 = Tight", BITS),
        ("byDeepTau2017v2p1VSmu ID working points: 1 = VLoose, 2 = Loose, 3 = Medium, 4 = Tight", NUMBER),
        ("Tau_idDeepTau2017v2p1VSjet/b", ""),
        ("", ""),
    ],
)
def test_titles(title: str, says: str) -> None:
    assert _by_title(title) == says


def test_a_title_decides_where_values_cannot_and_must_not_contradict_them() -> None:
    def titled(values: list[list[int]], title: str) -> ak.Array:
        return ak.with_field(
            taus(values), ak.with_parameter(taus(values)[DEEP_TAU], "__doc__", title, highlevel=True), DEEP_TAU
        )

    assert n_taus(titled([[7], [0, 1]], "3 = VLoose, 5 = Medium")) == [1, 0]
    assert n_taus(titled([[7], [0, 1]], "bitmask 1 = VVVLoose")) == [0, 0]
    with pytest.raises(BranchError, match="its title says bits"):
        n_taus(titled([[7], [5, 1]], "bitmask 1 = VVVLoose"))


def test_what_no_value_tells_the_version_tells_or_it_is_refused() -> None:
    ambiguous = [[0, 1], [7], [3]]
    assert n_taus(taus(ambiguous, Electron_mvaIso_WP90=[[], [], []])) == [0, 1, 0]
    assert n_taus(taus(ambiguous, fixedGridRhoFastjetAll=[1.0, 1.0, 1.0])) == [0, 0, 0]
    with pytest.raises(BranchError, match=rf"{DEEP_TAU} holds 0, 1, 3 and 7 alone"):
        n_taus(taus(ambiguous))
    assert n_taus(taus([[0, 1], [3]])) == [0, 0]  # fails in both encodings


@pytest.mark.parametrize("values", [[[9]], [[5], [15]], [[2.5]], [[-3]]])
def test_values_of_no_encoding_are_refused(values: list[list[Any]]) -> None:
    with pytest.raises(BranchError, match="cannot be told"):
        n_taus(taus(values, np.float64 if isinstance(values[0][0], float) else np.int16))
    assert encoding(np.array([np.nan, 5.0])) == NUMBER


@pytest.mark.parametrize("ending", [".root", ".parquet", ".pq", ".PARQUET", ""])
def test_the_encoding_does_not_depend_on_the_chunk(tmp_path: Path, ending: str) -> None:
    """A chunk whose taus all have 0, 1, 3 or 7 asks the whole file, whose later chunks have a 5 or a 31."""
    rng = np.random.default_rng(1)
    found = rng.choice([0, 1, 3, 7], 2_000)
    found[-100:] = 5
    spectrum = ddp.Spectrum("pt", lambda ev: ev.leading("tau").pt, ddp.fixed_axis(5.0, 0.0, 100.0))
    plan = ddp.ScanPlan("taus", objects=(TAU,), cells=(ddp.Multiplicity("tau", last=1),), spectra=(spectrum,))
    for name, values in (("number", found), ("bits", np.where(found == 5, 31, found))):
        path = tmp_path / f"{name}{ending}"
        _write(path, ak.unflatten(np.asarray(values, np.uint8), np.ones(len(found), np.int64)))
        whole, parts = ddp.run(plan, str(path)), ddp.run(plan, str(path), reading=ddp.Reading(chunksize=100))
        assert whole == parts
        expected = np.count_nonzero(found >= 5) if name == "number" else 100
        assert whole.spectrum_counts("pt").counts.sum() == expected
        assert whole.choices["tau: id"] == (f"{DEEP_TAU} ({name})",)


def _write(path: Path, ids: ak.Array) -> None:
    """Write a file of twenty clusters with one tau an event, as uproot does: without titles."""
    pt = ak.values_astype(ak.full_like(ids, 30), np.float32)
    if path.suffix != ".root":
        flat = {"Tau_pt": pt, "Tau_eta": pt * 0, "Tau_phi": pt * 0, "Tau_idDeepTau2017v2p1VSjet": ids}
        ak.to_parquet(ak.Array(flat), path, row_group_size=100)
        return
    columns = ak.zip({"pt": pt, "eta": pt * 0, "phi": pt * 0, "idDeepTau2017v2p1VSjet": ids})
    with uproot.recreate(path) as file:
        tree = file.mktree("Events", {"Tau": columns.type}, counter_name=lambda name: f"n{name}",
                           field_name=lambda outer, inner: f"{outer}_{inner}")  # fmt: skip
        for start in range(0, len(ids), 100):
            tree.extend({"Tau": columns[start : start + 100]})


def test_names_tell_the_version_and_types_do_not() -> None:
    for name in RECENT:
        assert is_recent(Columns(ak.Array({name: [[1]]}))) is True
    for name in OLD:
        assert is_recent(Columns(ak.Array({name: [[1]]}))) is False
    assert is_recent(Columns(ak.Array({"Jet_pt": [[1.0]]}))) is None
    assert is_recent(Columns(ak.Array({RECENT[0]: [[1]], OLD[0]: [[1]]}))) is None


@pytest.mark.parametrize("version", range(4, 16))
def test_generated_files_of_every_version_are_told(tmp_path: Path, version: int) -> None:
    path = testing.make_nanoaod(tmp_path / "nano.root", events=200, seed=1, version=version)
    with uproot.open(path) as file:
        columns = Columns(file["Events"].arrays())
    assert is_recent(columns) is (version >= 10)


def jets(**fields: list[Any]) -> ak.Array:
    """Return one event a jet, at abs(eta) 1, 2.8 and 4, good unless told otherwise."""
    good = {"pt": [50.0] * 3, "eta": [1.0, -2.8, 4.0], "phi": [0.0] * 3} | fields
    return ak.Array({f"Jet_{name}": ak.unflatten(np.asarray(values), 1) for name, values in good.items()})


def test_the_jet_identification_of_v12_is_corrected_beyond_2_7() -> None:
    fields = {"jetId": [6, 6, 6], "neHEF": [0.995, 0.995, 0.1], "neEmEF": [0.5, 0.5, 0.5]}

    def passing(events: ak.Array) -> tuple[list[int], str]:
        columns = Columns(events)
        return select(columns, [JET])["j"].counts.tolist(), columns.choices["j: identification"]

    mark = {"Electron_mvaIso_WP90": [[], [], []]}
    recent = ak.Array({name: jets(**fields)[name] for name in jets(**fields).fields} | mark)
    assert passing(recent) == ([1, 0, 0], "Jet_jetId, beyond abs(eta) 2.7 by energy fractions")
    assert passing(jets(**fields)) == ([1, 1, 1], "Jet_jetId")
    bare = jets(jetId=[6, 6, 0])
    told = "Jet_jetId, beyond abs(eta) 2.7 not corrected: no energy fractions"
    assert passing(ak.Array({name: bare[name] for name in bare.fields} | mark)) == ([1, 1, 0], told)
    # With multiplicities (v13 and later) the identification of the file is not asked.
    whole = jets(
        **fields | {"jetId": [0, 0, 6], "neEmEF": [0.1, 0.1, 0.5], "neHEF": [0.1, 0.1, 0.1], "chHEF": [0.5] * 3,
                    "chMultiplicity": [3, 0, 0], "neMultiplicity": [3, 3, 3]}
    )  # fmt: skip
    assert passing(whole) == ([1, 1, 0], "Jet energy fractions (tight)")


def test_what_changed_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto" / "nanoaod_versions.md").read_text()
    for change in CHANGES:
        assert f"| `{change.branch}` | {change.meanings} | {change.used} |" in page, change.branch
