"""Threads that make the works of a scan: all results in their order, and an end when one is asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from threadpoolctl import threadpool_info

from coffea_ddp.scanning.engines import Threads


@dataclass(frozen=True)
class Squares:
    """A work whose results are the squares of its numbers."""

    name: str
    parts: Sequence[Sequence[int]]

    def results(self, numbers: Sequence[int], /) -> Sequence[int]:
        return [number**2 for number in numbers]


@dataclass(frozen=True)
class ThreadsOfProducts:
    """A work whose results are the threads that products of matrices may take."""

    name: str = "threads"
    parts: Sequence[Sequence[int]] = (range(2), range(1))

    def results(self, numbers: Sequence[int], /) -> Sequence[int]:
        return [max(one["num_threads"] for one in threadpool_info()) for _ in numbers]


def test_products_of_matrices_take_one_thread_in_an_engine_and_as_many_as_before_after_it() -> None:
    before = threadpool_info()
    assert list(Threads(2).results([ThreadsOfProducts()], lambda _name, _n: None)) == [[1, 1, 1]]
    assert threadpool_info() == before


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.lists(st.integers(0, 3), max_size=7), max_size=9),
    jobs=st.integers(1, 4),
)
def test_every_part_of_every_work_is_given_once_and_in_order(sizes: list[list[int]], jobs: int) -> None:
    """Works without parts, and parts without numbers, among them."""
    works = [Squares(f"{n}", [range(size) for size in some]) for n, some in enumerate(sizes)]
    told: dict[str, int] = {}
    found = list(Threads(jobs).results(works, lambda name, n: told.update({name: told.get(name, 0) + n})))
    assert found == [[number**2 for part in work.parts for number in part] for work in works]
    assert told == {work.name: sum(map(len, work.parts)) for work in works if work.parts}


def test_an_error_in_a_part_is_raised() -> None:
    with pytest.raises(TypeError):
        list(Threads(2).results([Squares("a", [["x"]])], lambda *_: None))  # type: ignore[list-item]


def test_many_parts_are_left_when_a_signal_comes() -> None:
    """An error of a signal comes anywhere in the main thread, and must leave no lock behind that others wait for."""
    code = (
        "import signal, time; from test_engines import Squares; from coffea_ddp.scanning.engines import Threads\n"
        "class Slow(Squares):\n"
        "    def results(self, numbers): time.sleep(0.001); return super().results(numbers)\n"
        "def stop(*_): raise KeyboardInterrupt\n"
        "signal.signal(signal.SIGALRM, stop)\n"
        "many = Slow('a', [[n] for n in range(20_000)])\n"
        "for number in range(15):\n"
        "    begun = []\n"
        "    def told(name, n):\n"
        "        if not begun: signal.setitimer(signal.ITIMER_REAL, 0.05 + 0.003 * number)\n"
        "        begun.append(n)\n"
        "    try: list(Threads(2).results([many], told))\n"
        "    except KeyboardInterrupt: print(end='.')\n"
    )
    folder = Path(__file__).parent
    made = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder, timeout=60
    )
    assert made.stdout == 15 * ".", made.stderr
