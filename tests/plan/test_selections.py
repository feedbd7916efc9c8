"""Decays and topologies against plain Python over all pairs; what triggers and good-run lists do together."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import lepton_rows, random_events, select, with_branches

from coffea_ddp import selections

seeds = st.integers(0, 2**32)
Object = dict[str, float]


def mass(*objects: Object) -> float:
    """Return the invariant mass from components."""
    energy = sum(math.hypot(o["pt"] * math.cosh(o["eta"]), o["mass"]) for o in objects)
    px, py = (sum(o["pt"] * f(o["phi"]) for o in objects) for f in (math.cos, math.sin))
    pz = sum(o["pt"] * math.sinh(o["eta"]) for o in objects)
    return math.sqrt(max(energy**2 - px**2 - py**2 - pz**2, 0.0))


def is_z(leptons: list[Object], window: float) -> bool:
    return any(
        a["flavour"] == b["flavour"] and a["charge"] == -b["charge"] and abs(mass(a, b) - 91.19) < window
        for a, b in itertools.combinations(leptons[:4], 2)
    )


def is_w(lepton: Object, met: float, met_phi: float) -> bool:
    px, py = (lepton["pt"] * f(lepton["phi"]) + met * f(met_phi) for f in (math.cos, math.sin))
    return met > 30.0 and (lepton["pt"] + met) ** 2 - px**2 - py**2 > 40.0**2


@given(seed=seeds, window=st.sampled_from([5.0, 10.0, 40.0]))
def test_z_candidates_are_found_among_all_pairs(seed: int, window: float) -> None:
    selected = select(random_events(80, seed))
    expected = [is_z(row, window) for row in lepton_rows(selected)]
    assert selections.z_candidate(selected, window).tolist() == expected
    # Asked again, also with another window, the answer is not that of somebody else's question.
    assert selections.z_candidate(selected, 0.0).sum() == 0
    assert selections.z_candidate(selected, window).tolist() == expected
    assert selections.OppositeSignPair(91.19 - window, 91.19 + window)(selected).tolist() == expected


@given(seed=seeds)
def test_w_candidates(seed: int) -> None:
    selected = select(random_events(80, seed))
    expected = [
        bool(row) and is_w(row[0], pt, phi) and not is_z(row, 10.0)
        for row, pt, phi in zip(lepton_rows(selected), selected.met.pt, selected.met.phi, strict=True)
    ]
    assert selections.w_candidate(selected).tolist() == expected


@given(seed=seeds)
def test_vbf_and_ttbar(seed: int) -> None:
    selected = select(random_events(150, seed))
    jets, leptons = selected.collection("j").to_list(), lepton_rows(selected)
    vbf = [
        len(row) > 1
        and row[0]["eta"] * row[1]["eta"] < 0
        and abs(row[0]["eta"] - row[1]["eta"]) > 3.5
        and mass(*row[:2]) > 500.0
        for row in jets
    ]
    assert selections.vbf(selected).tolist() == vbf
    tops = [
        (len(lep) >= 2 and len(jet) >= 2 and b >= 1 and not is_z(lep, 10.0))
        or (len(lep) == 1 and len(jet) >= 4 and b >= 2)
        for lep, jet, b in zip(leptons, jets, selected.count("b"), strict=True)
    ]
    assert selections.ttbar(selected).tolist() == tops


@given(seed=seeds, data=st.data())
def test_an_event_is_judged_by_itself(seed: int, data: st.DataObject) -> None:
    """The same answers before and after `take`: nothing cached for all events is given to some."""
    selected = select(random_events(40, seed))
    some = np.array(data.draw(st.lists(st.integers(0, 39), max_size=15)), np.int64)
    predicates: list[Callable[[selections.SelectedEvents], np.ndarray]] = [
        selections.z_candidate, selections.w_candidate, selections.vbf, selections.ttbar,
        selections.LeadingAbove("lepton", 30.0), selections.OppositeSignPair(20.0, 70.0),
    ]  # fmt: skip
    for predicate in predicates:
        whole = predicate(selected)
        assert whole.dtype == np.bool_
        assert np.array_equal(predicate(selected.take(some)), whole[some])


def test_the_trigger_takes_the_first_name_of_a_path() -> None:
    events = with_branches(
        random_events(4, 1), HLT_A=[True, False, False, False], HLT_B2=[False, True, False, False], HLT_B1=[False] * 4
    )
    trigger = selections.Trigger(("HLT_A", ("HLT_B1", "HLT_B2")))
    assert trigger(select(events)).tolist() == [True, False, False, False]
    assert selections.Trigger(("HLT_A", ("HLT_B0", "HLT_B2")))(select(events)).tolist() == [True, True, False, False]
    assert selections.Trigger(("HLT_A",))(select(events).take(np.array([1, 0]))).tolist() == [False, True]


ranges = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 10)), min_size=1, max_size=5)


@settings(max_examples=8)
@given(runs=st.dictionaries(st.integers(1, 5), ranges, min_size=1, max_size=4), seed=seeds)
def test_good_runs_against_membership(runs: dict[int, list[tuple[int, int]]], seed: int) -> None:
    blocks = {run: {block for start, n in each for block in range(start, start + n + 1)} for run, each in runs.items()}
    merged = {str(run): _ranges(sorted(found)) for run, found in blocks.items()}
    rng = np.random.default_rng(seed)
    run, block = rng.integers(1, 7, 200), rng.integers(1, 70, 200)
    expected = [int(b) in blocks.get(int(r), set()) for r, b in zip(run, block, strict=True)]
    assert selections.GoodRuns.from_dict(merged).mask(run, block).tolist() == expected


def _ranges(blocks: list[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for block in blocks:
        if found and found[-1][1] == block - 1:
            found[-1][1] = block
        else:
            found.append([block, block])
    return found


def test_every_block_of_the_golden_list(shared: Callable[[str], Path]) -> None:
    path = shared("cms_real/golden_2017.json")
    runs = {int(run): each for run, each in json.loads(path.read_text()).items()}
    good = {(run, block) for run, each in runs.items() for first, last in each for block in range(first, last + 1)}
    tried = sorted({(run, block + step) for run, block in good for step in (-1, 0, 1)} | {(1, 1)})
    run, block = np.array(tried).T
    assert selections.GoodRuns.from_file(path).mask(run, block).tolist() == [pair in good for pair in tried]
