"""The ledger against sets of entries: what is counted twice is refused, what is missing is known."""

from __future__ import annotations

import functools
import json
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.errors import MergeError
from coffea_ddp.histograms.ledger import Chunk, Ledger, Missing

SIZES = {"a": 38, "b": 20, "c": 0}
"""Entries of the files."""


def name_of(file: str) -> str:
    return f"/data/{file}.root"


def some_chunk(file: str, start: int, n: int, tree: str = "Events", name: str = "") -> Chunk:
    first, last = min(start, SIZES[file]), min(start + n, SIZES[file])
    return Chunk("data", name or name_of(file), tree, f"uuid-{file}", first, last, SIZES[file])


chunks = st.builds(
    some_chunk, st.sampled_from("abc"), st.integers(0, 38), st.integers(0, 20), st.sampled_from(["Events", "Other"]),
    st.sampled_from(["", "", "", "root://far//x.root"]),
)  # fmt: skip
lost = st.one_of(
    st.builds(
        lambda file, start, n, tree, uuid: Missing(
            "data", name_of(file), start, start + n, "why", tree, f"uuid-{file}" if uuid else ""
        ),
        st.sampled_from("ab"),
        st.integers(0, 30),
        st.integers(1, 8),
        st.sampled_from(["Events", "Other"]),
        st.booleans(),
    ),
    st.builds(
        lambda file, tree: Missing("data", name_of(file), reason="why", tree=tree),
        st.sampled_from("abc"),
        st.sampled_from(["Events", "Other"]),
    ),
)


def entries(chunk: Chunk) -> set[tuple[str, int]]:
    return {(chunk.uuid, chunk.tree, entry) for entry in range(chunk.start, chunk.stop)}


@given(each=st.lists(chunks, min_size=1, max_size=10))
def test_a_ledger_is_a_set_of_entries(each: list[Chunk]) -> None:
    ledger, seen = Ledger(), set()
    for chunk in each:
        if entries(chunk) & seen:
            with pytest.raises(MergeError, match="were counted before"):
                _ = ledger + Ledger.of(chunk)
            with pytest.raises(MergeError, match="were counted before"):
                _ = Ledger.of(chunk) + ledger
        else:
            assert ledger + Ledger.of(chunk) == Ledger.of(chunk) + ledger
            ledger, seen = ledger + Ledger.of(chunk), seen | entries(chunk)
    assert ledger.n_entries == len(seen)
    held = {(*key, i) for key, r in ledger.files.items() for a, b in r.intervals for i in range(a, b)}
    assert held == seen
    for record in ledger.files.values():  # joined: no interval touches the next
        assert all(first[1] < second[0] for first, second in zip(record.intervals, record.intervals[1:], strict=False))
    assert Ledger.from_dict(json.loads(json.dumps(ledger.to_dict()))) == ledger


def disjoint(each: list[Chunk]) -> list[Chunk]:
    kept: list[Chunk] = []
    for chunk in each:
        if not any(entries(chunk) & entries(other) for other in kept):
            kept.append(chunk)
    return kept


def is_covered(one: Missing, counted: list[Chunk]) -> bool:
    """Say it entry by entry, from the definition: the same uuid, or the same full name, and the same tree."""
    same = [
        chunk for chunk in counted
        if chunk.tree == one.tree and (chunk.uuid == one.uuid if one.uuid else chunk.filename == one.filename)
    ]  # fmt: skip
    # A file under several names is one file: what was counted of it under another name counts.
    uuids = {chunk.uuid for chunk in same}
    held = {i for chunk in counted if chunk.uuid in uuids and chunk.tree == one.tree
            for i in range(chunk.start, chunk.stop)}  # fmt: skip
    file = one.filename.removeprefix("/data/")[0]
    wanted = range(SIZES[file]) if one.start < 0 else range(one.start, one.stop)
    return bool(same) and set(wanted) <= held


@given(
    each=st.lists(chunks, max_size=7),
    missing=st.lists(lost, max_size=5),
    shuffled=st.permutations(range(4)),
    cut=st.integers(1, 3),
)
def test_missing_is_what_was_not_counted(
    each: list[Chunk], missing: list[Missing], shuffled: list[int], cut: int
) -> None:
    """However the ledgers were put together, what stays missing is what no counted entries cover."""
    kept = disjoint(each)
    parts = []
    for i in range(4):
        part = Ledger()
        for chunk in kept[i::4]:
            part = part + Ledger.of(chunk)
        parts.append(part.without(missing[i::4]))
    order = [parts[i] for i in shuffled]
    joined = functools.reduce(operator.add, order)
    left, right = functools.reduce(operator.add, order[:cut]), functools.reduce(operator.add, order[cut:])
    assert left + right == joined == functools.reduce(operator.add, parts)  # associative and commutative
    assert set(joined.missing) == {one for one in missing if not is_covered(one, kept)}
    assert list(joined.missing) == sorted(joined.missing)
    assert joined.partial == bool(joined.missing)
    assert Ledger.from_dict(json.loads(json.dumps(joined.to_dict()))) == joined


def whole(name: str, uuid: str, n: int, tree: str = "Events") -> Ledger:
    return Ledger.of(Chunk("data", name, tree, uuid, 0, n, n))


GONE = Missing("data", "/one/nano_1.root", reason="gone", tree="Events")


@pytest.mark.parametrize(
    ("other", "still"),
    [
        (whole("/two/nano_1.root", "u", 10), True),  # another folder
        (whole("nano_1.root", "u", 10), True),  # a name that says not where
        (whole("/one/nano_1.root", "u", 10, "Runs"), True),
        (Ledger.of(Chunk("data", "/one/nano_1.root", "Runs", "u", 0, 0, 0)), True),
        (Ledger.of(Chunk("data", "/one/nano_1.root", "Events", "u", 0, 5, 10)), True),  # half of it
        (Ledger.of(Chunk("data", "/one/nano_1.root", "Events", "u", 0, 0, 10)), True),  # nothing of it
        (Ledger.of(Chunk("data", "/one/nano_1.root", "Events", "u", 0, 10)), True),  # who knows whether that is all
        (whole("/one/nano_1.root", "u", 10), False),
        (whole("/one/nano_1.root", "u", 0), False),
    ],
)
def test_a_missing_file_is_found_by_all_of_its_own_entries(other: Ledger, still: bool) -> None:
    assert (Ledger().without([GONE]) + other).partial == still
    assert (other + Ledger().without([GONE])).partial == still


def test_a_file_that_was_replaced_does_not_stand_for_the_old_one() -> None:
    lost = Ledger().without([Missing("data", "/one/a.root", 0, 5, "replaced", "Events", "old")])
    assert (lost + whole("/one/a.root", "new", 5)).partial
    assert not (lost + whole("/elsewhere/a.root", "old", 5)).partial


def test_what_older_outputs_say() -> None:
    """Without tree, uuid and number of entries: it is read, and nothing is taken for something else."""
    old = Ledger.from_dict(
        {
            "files": [{"uuid": "u", "tree": "Events", "dataset": "d", "filename": "b.root", "intervals": [[0, 9]]}],
            "missing": [{"dataset": "d", "filename": "a.root", "start": -1, "stop": -1, "reason": "gone"}],
            "unnamed": 0,
        }
    )
    assert old.n_entries == 9
    assert not old.files["u", "Events"].whole
    assert (old + whole("a.root", "v", 3)).partial
    assert (old + whole("/data/a.root", "v", 3)).partial


def test_outputs_that_disagree_on_a_file() -> None:
    first = Ledger.of(Chunk("data", "/a.root", "Events", "u", 0, 5, 10))
    with pytest.raises(MergeError, match="one output says that it has 9 entries, another 10; one is damaged"):
        _ = first + Ledger.of(Chunk("data", "/a.root", "Events", "u", 5, 9, 9))


def test_one_file_under_two_names_is_one_file() -> None:
    """Known by uuid: through a redirector and from a local disk it is counted once."""
    local = Chunk("data", "/disk/a.root", "Events", "u", 0, 10)
    remote = Chunk("data", "root://far//a.root", "Events", "u", 5, 15)
    with pytest.raises(MergeError, match=r"entries 5 to 10 .* \(the same file as root://far//a\.root\)"):
        _ = Ledger.of(local) + Ledger.of(remote)
    rest = Chunk("data", "root://far//a.root", "Events", "u", 10, 15)
    assert Ledger.of(local) + Ledger.of(rest) == Ledger.of(rest) + Ledger.of(local)
    other_tree = Chunk("data", "/disk/a.root", "Other", "u", 0, 10)
    assert (Ledger.of(local) + Ledger.of(other_tree)).n_entries == 20


def test_a_file_without_events_is_in_the_ledger() -> None:
    empty = Ledger.of(Chunk("data", "e.root", "Events", "u", 0, 0))
    assert [record.filename for record in empty.files.values()] == ["e.root"]
    assert empty.n_entries == 0
    assert empty + empty == empty


def test_unnamed_events_are_added() -> None:
    assert (Ledger(unnamed=3) + Ledger(unnamed=4)).n_entries == 7


def test_words() -> None:
    assert str(Chunk("d", "a.root", "Events", "u", 3, 9)) == "a.root (entries 3 to 9)"
    assert str(Missing("d", "a.root", 3, 9, "timeout")) == "a.root: entries 3 to 9 (timeout)"
    assert str(Missing("d", "a.root", reason="gone")) == "a.root: the whole file (gone)"
