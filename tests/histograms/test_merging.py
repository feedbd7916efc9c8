"""Adding outputs in an order that depends on their numbers alone."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp import testing
from coffea_ddp.errors import InputError, MergeError
from coffea_ddp.histograms.io import load
from coffea_ddp.histograms.merging import WIDTH, Tree, merge_files
from coffea_ddp.running.driver import run


@given(st.integers(1, 700), st.randoms(use_true_random=False))
def test_any_order_gives_the_same_bits(n: int, random: object) -> None:
    values = np.random.default_rng(n).lognormal(0.0, 5.0, n)

    def added(order: list[int]) -> float:
        tree: Tree[float] = Tree(n, lambda parts: float(np.add.reduce(np.array(parts))))
        complete = [tree.put(number, float(values[number])) for number in order]
        assert complete == [False] * (n - 1) + [True]
        assert tree.waiting == 0
        return tree.total

    order = list(range(n))
    first = added(order)
    random.shuffle(order)  # type: ignore[attr-defined]
    assert added(order) == first
    assert first == pytest.approx(values.sum())


@given(st.integers(1, 700))
def test_all_are_added_once_and_in_order(n: int) -> None:
    tree: Tree[tuple[int, ...]] = Tree(n, lambda parts: sum(parts, ()))
    for number in reversed(range(n)):
        tree.put(number, (number,))
    assert tree.total == tuple(range(n))


def test_few_wait_where_they_come_in_order() -> None:
    """What is held: at most seven a level."""
    n = 5000
    tree: Tree[int] = Tree(n, sum)
    most = 0
    for number in range(n):
        tree.put(number, 1)
        most = max(most, tree.waiting)
    assert most <= (WIDTH - 1) * np.ceil(np.log(n) / np.log(WIDTH))
    assert tree.total == n


def test_a_sum_that_is_not_complete_is_refused() -> None:
    with pytest.raises(InputError, match="at least one"):
        Tree(0, sum)
    tree: Tree[int] = Tree(2, sum)
    tree.put(0, 1)
    with pytest.raises(InputError, match="only some of 2"):
        _ = tree.total


def test_files(tmp_path: Path) -> None:
    files = testing.make_dataset(tmp_path, files=3, events=600, seed=5)
    parts = [run("symmetries", path).save(tmp_path / f"{path.stem}.ddp") for path in files]
    assert merge_files(parts) == run("symmetries", files)
    assert merge_files(parts[:1]) == load(parts[0])
    other = run("dimuon_charge", files[0]).save(tmp_path / "other.ddp")
    with pytest.raises(MergeError, match=r"other\.ddp: of another plan, 'dimuon_charge'.*nano_0\.ddp: 'symmetries'"):
        merge_files([*parts, other])
    with pytest.raises(MergeError, match=r"nano_1\.root were counted before"):
        merge_files([*parts, parts[1]])
    with pytest.raises(InputError, match="nothing to merge"):
        merge_files([])


@pytest.mark.parametrize("number", [2, 20])
def test_files_that_hold_the_same_entries_are_both_named(tmp_path: Path, number: int) -> None:
    """Whatever the number of files, and of those between the two."""
    paths = []
    for seed in range(number):
        events = testing.make_nanoaod(tmp_path / f"{seed}.root", events=20, seed=seed)
        paths.append(run("dimuon_charge", events).save(tmp_path / f"{seed}.ddp"))
    assert merge_files(paths).n_events == 20 * number
    again = tmp_path / "again.ddp"
    again.write_bytes(paths[1].read_bytes())
    named = re.escape(f"{paths[1]} and {again}: entries 0 to 20 of {tmp_path / '1.root'} were counted before")
    with pytest.raises(MergeError, match=f"^{named}; every entry may be counted once; give one of the two$"):
        merge_files([*paths, again])
