"""Parts of the data: no event in both, every event in one, whatever file, chunk or executor it comes by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import coffea_ddp as ddp
from coffea_ddp.errors import InputError, MergeError
from coffea_ddp.histograms.counted import Counted
from coffea_ddp.histograms.ledger import Chunk, Ledger
from coffea_ddp.histograms.split import EventSplit
from coffea_ddp.histograms.stored import identity_hash
from coffea_ddp.running.options import Reading
from coffea_ddp.running.shards import Shards
from coffea_ddp.testing import make_nanoaod

PLAN = ddp.load_plan("symmetries")


@pytest.fixture(scope="module")
def nano(tmp_path_factory):
    return make_nanoaod(tmp_path_factory.mktemp("split") / "nano.root", events=4_000, seed=3)


@given(
    share=st.floats(0.01, 0.99),
    identity=st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**63))),
)
def test_every_event_is_in_one_part(share, identity):
    run, block, event = (np.array([one[i] for one in identity], np.uint64) for i in range(3))
    first = EventSplit("a", share)
    in_a, in_b = (one.holds(identity_hash(run, block, event)) for one in (first, first.other))
    np.testing.assert_array_equal(in_a, ~in_b)
    assert first.other.other == first
    assert EventSplit.from_dict(first.to_dict()) == first


@pytest.mark.parametrize("share", [0.03, 0.5, 0.9])
def test_parts_have_their_share_and_know_nothing_of_what_is_stored(share):
    n = 200_000
    run, block, event = np.full(n, 367_000), np.arange(n) // 300, np.arange(n)
    inside = EventSplit("a", share).holds(identity_hash(run, block, event))
    error = np.sqrt(share * (1 - share) / n)
    assert abs(inside.mean() - share) < 4 * error
    # Stored events are those with the smallest hashes: of these the share is the same.
    stored = identity_hash(run, block, event) < np.uint64(2**62)
    assert abs(inside[stored].mean() - share) < 4 * error * 2


@pytest.mark.parametrize("bad", [{"part": "c"}, {"part": ""}, {"part": "a", "share": 0}, {"part": "a", "share": 1.0},
                                 {"part": "a", "share": float("nan")}, {"part": "a", "share": "half"},
                                 {"part": "a", "share": True}])  # fmt: skip
def test_what_is_no_part_is_an_error(bad):
    with pytest.raises(InputError, match=r"half=|share="):
        EventSplit(**bad)


def test_the_two_parts_of_a_run_are_the_whole(nano):
    whole, a, b = (ddp.run(plan, nano, reading=Reading(chunksize=900)) for plan in (PLAN, PLAN.half("a", 0.3), PLAN.half("b", 0.3)))  # fmt: skip  # noqa: E501
    keys = np.concatenate([a.counts.keys, b.counts.keys])
    summed = np.zeros(len(whole.counts.keys))
    np.add.at(summed, np.searchsorted(whole.counts.keys, keys), np.concatenate([a.counts.counts, b.counts.counts]))
    np.testing.assert_array_equal(summed, whole.counts.counts)
    names = ("run", "luminosityBlock", "event")
    found = [set(zip(*(h.events.columns[name].tolist() for name in names), strict=True)) for h in (a, b, whole)]
    assert not found[0] & found[1]
    assert found[0] | found[1] == found[2]
    assert a.n_events == b.n_events == whole.n_events  # all are read
    assert a.cutflow["part a (30 % of the events)"] + b.cutflow["part b (70 % of the events)"] == whole.n_events
    assert a.layout.fingerprint == whole.layout.fingerprint


def test_a_part_survives_its_file_and_is_added_to_its_like_alone(nano, tmp_path):
    a, b, whole = (ddp.run(plan, nano) for plan in (PLAN.half("a"), PLAN.half("b"), PLAN))
    again = ddp.Histograms.load(a.save(tmp_path / "a.ddp"))
    assert again == a
    assert again.layout.split == EventSplit("a")
    with pytest.raises(MergeError, match=r"one of half a and one of half b"):
        a + b
    with pytest.raises(MergeError, match=r"one of half a and one of all events"):
        a + whole
    assert "split" not in whole.layout.to_dict()
    assert "half a" in repr(a)
    assert "half" not in repr(whole)


def test_shards_of_the_parts_are_apart(tmp_path):
    folders = {Shards.of(tmp_path, plan.layout).folder for plan in (PLAN, PLAN.half("a"), PLAN.half("b"), PLAN.half("a", 0.2))}  # fmt: skip  # noqa: E501
    assert len(folders) == 4


def test_events_without_an_identity_are_split_by_file_and_entry():
    import awkward as ak

    pt = ddp.observables.met
    plan = ddp.ScanPlan(
        "n", (ddp.Symmetry("s", a=lambda ev: ev.met.pt < 50, b=lambda ev: ev.met.pt >= 50,
                           observables=(ddp.observable(pt),)),), objects=(),
    )  # fmt: skip
    events = ak.Array({"MET_pt": np.linspace(0, 100, 1_000), "MET_phi": np.zeros(1_000)})
    found = [ddp.fill(events, plan.half(part)).cell_counts("s").counts.sum() for part in "ab"]
    assert sum(found) == 1_000
    assert min(found) > 400


intervals = st.lists(st.integers(0, 60), min_size=0, max_size=8, unique=True).map(
    lambda ends: tuple(zip(sorted(ends)[::2], sorted(ends)[1::2], strict=False))
)


@given(first=intervals, second=intervals)
def test_files_in_common_are_those_with_an_entry_in_both(first, second):
    one, other = (Counted({"f": ranges}, 1) for ranges in (first, second))
    entries = [{i for a, b in ranges for i in range(a, b)} for ranges in (first, second)]
    assert one.common(other) == other.common(one) == bool(entries[0] & entries[1])


def test_of_many_files_the_same_are_told(monkeypatch):
    monkeypatch.setattr("coffea_ddp.histograms.counted.MOST_FILES", 50)
    uuids = [f"uuid-{number}" for number in range(400)]
    ledgers = [
        sum((Ledger.of(Chunk("d", f"{u}.root", "Events", u, 0, 5)) for u in chosen), start=Ledger())
        for chosen in (uuids, uuids[::-1], uuids[:200], uuids[200:])
    ]
    everything, again, first, second = map(Counted.of, ledgers)
    assert everything == again
    assert (everything.n_files, len(everything.files)) == (400, 50)
    assert first.common(second) == 0
    assert everything.common(first) > 0
    assert everything.common(second) > 0
