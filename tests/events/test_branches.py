"""Reading: any shape of awkward array that holds NanoAOD's branches gives the same numbers, or says what is wrong."""

from __future__ import annotations

from collections.abc import Callable

import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.errors import DDPError, FileError, MissingBranchError
from coffea_ddp.events.branches import Columns

lists = st.lists(st.lists(st.floats(-1e3, 1e3, width=32), max_size=4), min_size=1, max_size=12)


def numbers(rows: list[list[float]]) -> ak.Array:
    return ak.values_astype(ak.Array(rows), np.float32)


def check(columns: Columns, rows: list[list[float]]) -> None:
    assert columns.counts("Muon").tolist() == [len(row) for row in rows]
    assert columns.content("Muon_pt").tolist() == [value for row in rows for value in row]


@given(rows=lists, seed=st.integers(0, 2**32))
def test_every_layout_reads_the_same(rows: list[list[float]], seed: int) -> None:
    """Flat names, NanoAODSchema's records, views, indexed arrays, options without a missing value."""
    pt = numbers(rows)
    order = np.random.default_rng(seed).permutation(len(rows))
    padded = numbers([[1.0, 2.0], *rows, [3.0]])
    check(Columns(ak.Array({"Muon_pt": pt})), rows)
    check(Columns(ak.Array({"Muon": ak.zip({"pt": pt, "eta": pt})})), rows)
    check(Columns(ak.Array({"Muon_pt": padded[1:-1]})), rows)
    check(Columns(ak.Array({"Muon_pt": padded})[1:-1]), rows)
    check(Columns(ak.Array({"Muon_pt": numbers([[1.0, 2.0], *rows])[1:]})), rows)
    check(Columns(ak.Array({"Muon_pt": numbers([*rows, [3.0]])[:-1]})), rows)
    check(Columns(ak.Array({"Muon_pt": pt})[order]), [rows[i] for i in order])
    check(Columns(ak.Array({"Muon_pt": ak.mask(pt, np.ones(len(rows), bool))})), rows)
    check(Columns(ak.Array({"Muon": ak.zip({"pt": pt})})[order][::-1]), [rows[i] for i in order[::-1]])


def test_equal_lists_may_come_as_a_matrix() -> None:
    check(Columns(ak.Array({"Muon_pt": np.array([[1.0, 2.0], [3.0, 4.0]])})), [[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    "dtype", [np.bool_, np.int8, np.uint8, np.int16, np.uint32, np.int64, np.uint64, np.float32, np.float64]
)
def test_types_stay_what_the_file_has(dtype: type) -> None:
    columns = Columns(ak.Array({"x": np.array([1, 0, 1], dtype)}))
    assert columns.per_event("x").dtype == dtype
    assert columns.per_event("x").tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "muons",
    [
        ak.Array([[1.0, None], [3.0], [1.0]]),
        ak.Array([[1.0, 2.0], None, [1.0]]),  # would move every later object into the event before
        ak.mask(ak.Array([[1.0], [2.0], [3.0]]), np.array([True, False, True])),
    ],
)
def test_missing_values_are_refused(muons: ak.Array) -> None:
    with pytest.raises(FileError, match=r"a\.root: branch Muon_pt has missing values"):
        Columns(ak.Array({"Muon_pt": muons}), "a.root").content("Muon_pt")


def test_a_missing_value_of_an_event_is_refused() -> None:
    with pytest.raises(FileError, match="branch MET_pt has missing values"):
        Columns(ak.Array({"MET_pt": ak.Array([1.0, None])})).per_event("MET_pt")


@pytest.mark.parametrize("values", [[[[1.0], [2.0]], [[3.0]]], [[{"x": 1}], []]])
def test_what_is_no_number_is_refused(values: list[object]) -> None:
    with pytest.raises(FileError, match="branch Muon_pt has no plain number"):
        Columns(ak.Array({"Muon_pt": ak.Array(values)})).content("Muon_pt")


EVENTS = ak.Array(
    {
        "Muon_pt": [[1.0, 2.0], [3.0]],
        "Muon_mediumId": [[True, False], [True]],
        "MET_pt": [1.0, 2.0],
        "HLT": [{"IsoMu24": True}, {"IsoMu24": False}],
    }
)


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda c: c.content("MET_pt"), "MET_pt has one value an event"),
        (lambda c: c.per_event("Muon_pt"), "Muon_pt is a list in every event"),
        (lambda c: c.content("Muon_mediumID"), "no branch Muon_mediumID; the file has Muon_mediumId"),
        (lambda c: c.per_event("HLT_IsoMu27"), "no branch HLT_IsoMu27; the file has HLT_IsoMu24"),
        (lambda c: c.per_event("nothing_like_it"), "no branch nothing_like_it; the file has "),
        (lambda c: c.first_of("the MET", ("A_pt", "B_pt")), r"no branch A_pt or B_pt \(needed for the MET\)"),
        (lambda c: c.counts("Kaon"), "no branch Kaon_pt"),
    ],
)
def test_errors_name_the_branch_and_its_neighbours(read: Callable[[Columns], object], message: str) -> None:
    with pytest.raises(MissingBranchError, match=message) as caught:
        read(Columns(EVENTS, "b.root"))
    assert str(caught.value).startswith("b.root: ")
    assert isinstance(caught.value, DDPError)


def test_the_first_that_is_there_is_taken_and_told() -> None:
    columns = Columns(EVENTS)
    assert columns.first_of("MET", ("PuppiMET_pt", "MET_pt", "Muon_pt")) == "MET_pt"
    assert columns.first_of("trigger", ("HLT_Ele32",), required=False) is None
    assert columns.choices == {"MET": "MET_pt", "trigger": "none"}
    assert columns.per_event("HLT_IsoMu24").tolist() == [True, False]
    assert columns.names == ("HLT_IsoMu24",)


def test_no_events_need_no_types() -> None:
    columns = Columns(ak.Array({"Muon_pt": ak.Array([[]]), "x": np.zeros(1)})[:0])
    assert columns.n_events == 0
    assert columns.content("Muon_pt").shape == columns.counts("Muon").shape == columns.per_event("x").shape == (0,)
