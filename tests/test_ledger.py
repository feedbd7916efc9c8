"""The ledger against sets of entries: what is counted twice is refused, what is missing is known."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.errors import MergeError
from coffea_ddp.ledger import Chunk, Ledger, Missing

chunks = st.builds(
    lambda file, start, n: Chunk("data", f"{file}.root", "Events", f"uuid-{file}", start, start + n),
    st.sampled_from("ab"),
    st.integers(0, 30),
    st.integers(0, 8),
)
lost = st.builds(
    lambda file, start, n: Missing("data", f"{file}.root", start, start + n, "why"),
    st.sampled_from("ab"),
    st.integers(0, 30),
    st.integers(1, 8),
)


def entries(chunk: Chunk) -> set[tuple[str, int]]:
    return {(chunk.uuid, entry) for entry in range(chunk.start, chunk.stop)}


@given(each=st.lists(chunks, min_size=1, max_size=10))
def test_a_ledger_is_a_set_of_entries(each: list[Chunk]) -> None:
    ledger, seen = Ledger(), set()
    for chunk in each:
        if entries(chunk) & seen:
            with pytest.raises(MergeError, match=rf"of {chunk.filename} were counted before"):
                _ = ledger + Ledger.of(chunk)
            with pytest.raises(MergeError, match="were counted before"):
                _ = Ledger.of(chunk) + ledger
        else:
            assert ledger + Ledger.of(chunk) == Ledger.of(chunk) + ledger
            ledger, seen = ledger + Ledger.of(chunk), seen | entries(chunk)
    assert ledger.n_entries == len(seen)
    held = {(uuid, i) for (uuid, _), r in ledger.files.items() for a, b in r.intervals for i in range(a, b)}
    assert held == seen
    for record in ledger.files.values():  # joined: no interval touches the next
        assert all(first[1] < second[0] for first, second in zip(record.intervals, record.intervals[1:], strict=False))
    assert Ledger.from_dict(json.loads(json.dumps(ledger.to_dict()))) == ledger


@given(each=st.lists(chunks, max_size=6), missing=st.lists(lost, max_size=5), order=st.permutations(range(3)))
def test_missing_is_what_was_not_counted(each: list[Chunk], missing: list[Missing], order: list[int]) -> None:
    """However the ledgers were put together, what stays missing is what no counted range covers."""
    kept: list[Chunk] = []
    for chunk in each:
        if not any(entries(chunk) & entries(other) for other in kept):
            kept.append(chunk)
    parts = [
        Ledger.of(kept[i]).without(missing[i::3]) if i < len(kept) else Ledger().without(missing[i::3])
        for i in range(3)
    ]
    parts += [Ledger.of(chunk) for chunk in kept[3:]]
    joined = parts[order[0]] + parts[order[1]] + parts[order[2]]
    for part in parts[3:]:
        joined = joined + part
    counted = set().union(*map(entries, kept)) if kept else set()
    expected = {
        one for one in missing
        if not {(f"uuid-{one.filename[0]}", i) for i in range(one.start, one.stop)} <= counted
    }  # fmt: skip
    assert set(joined.missing) == expected
    assert list(joined.missing) == sorted(joined.missing)
    assert joined.partial == bool(expected)


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
