"""The lattice: brute force over all cells of small grids says the same as the walk along the axes."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.histograms.cells import Cell, CellGrid, Multiplicity, Topology
from coffea_ddp.histograms.lattice import distinct_cells

AXES = st.lists(st.one_of(st.integers(1, 3), st.none()), max_size=4).map(
    lambda lasts: tuple(
        Topology(f"t{i}") if last is None else Multiplicity(f"m{i}", last) for i, last in enumerate(lasts)
    )
)


@st.composite
def grids_and_codes(draw):
    grid = CellGrid(draw(AXES))
    return grid, draw(st.lists(st.integers(0, grid.n_exclusive - 1), max_size=12))


def brute_force(grid, codes):
    """All cells of the lattice, one by one: set of events -> names of the cells that hold it."""
    occupied = np.unique(np.asarray(codes, dtype=np.int64))
    found: dict[tuple[bool, ...], list[str]] = {}
    for choices in itertools.product(*(axis.choices for axis in grid.axes)):
        cell = Cell(tuple(choice.text for choice in choices if choice.text))
        inside = tuple(bool(x) for x in grid.contains(cell, occupied))
        found.setdefault(inside, []).append(str(cell))
    return found


def length(name):
    return 0 if name == "inclusive" else len(name)


@given(grids_and_codes())
def test_agrees_with_brute_force(drawn):
    grid, codes = drawn
    cells = distinct_cells(grid, codes)
    expected = brute_force(grid, codes)
    nothing = (False,) * len(cells.codes)
    assert cells.n_total == grid.n_cells == sum(map(len, expected.values()))
    assert cells.n_empty == len(expected.pop(nothing, []))
    rows = [tuple(bool(x) for x in row) for row in cells.members(range(len(cells)))]
    assert len(rows) == len(cells) == len(set(rows))
    assert set(rows) == set(expected)
    for number, row in enumerate(rows):
        name = str(cells.cell(number))
        assert name in expected[row]
        assert length(name) == min(map(length, expected[row]))
        assert cells.aliases[number] == len(expected[row])


@given(grids_and_codes())
def test_names_lead_back_to_the_events(drawn):
    grid, codes = drawn
    cells = distinct_cells(grid, codes)
    for number in range(len(cells)):
        name = str(cells.cell(number))
        np.testing.assert_array_equal(grid.contains(name, cells.codes), cells.members(number)[0] == 1)


@given(grids_and_codes(), st.randoms())
def test_order_and_repeats_of_codes_do_not_matter(drawn, random):
    grid, codes = drawn
    shuffled = [*codes, *codes[:3]]
    random.shuffle(shuffled)
    first, second = distinct_cells(grid, codes), distinct_cells(grid, shuffled)
    np.testing.assert_array_equal(first.choices, second.choices)
    np.testing.assert_array_equal(first.members(range(len(first))), second.members(range(len(second))))
    np.testing.assert_array_equal(first.aliases, second.aliases)


@pytest.mark.parametrize("n_codes", [1, 63, 64, 65, 200])
def test_many_codes_cross_the_words(n_codes):
    grid = CellGrid((Multiplicity("a", last=20), Multiplicity("b", last=20)))
    codes = np.random.default_rng(n_codes).choice(grid.n_exclusive, n_codes, replace=False)
    cells = distinct_cells(grid, codes)
    rows = cells.members(range(len(cells)))
    assert rows.shape == (len(cells), n_codes)
    assert len(np.unique(rows, axis=0)) == len(cells)
    for number in range(0, len(cells), 17):
        np.testing.assert_array_equal(grid.contains(cells.cell(number), cells.codes), rows[number] == 1)


@pytest.mark.parametrize("axes", [(), (Multiplicity("j", last=2), Topology("VBF"))])
def test_no_events(axes):
    cells = distinct_cells(CellGrid(axes), [])
    assert len(cells) == 0
    assert cells.n_empty == cells.n_total == CellGrid(axes).n_cells
    assert cells.members([]).shape == (0, 0)


def test_grid_without_axes_is_the_inclusive_cell():
    cells = distinct_cells(CellGrid(()), [0, 0])
    assert [str(cells.cell(i)) for i in range(len(cells))] == ["inclusive"]
    assert (cells.n_total, cells.n_empty, int(cells.aliases[0])) == (1, 0, 1)
    np.testing.assert_array_equal(cells.members(0), [[1.0]])


def test_memory_does_not_grow_with_what_cells_are_made_of():
    """A row of a matrix of bits would be 480 bytes a cell, and is held several times where cells are compared."""
    grid = CellGrid(tuple(Multiplicity(f"m{i}", last=4) for i in range(3)) + tuple(Topology(f"t{i}") for i in range(5)))
    codes = np.random.default_rng(2).choice(grid.n_exclusive, 3_840, replace=False)
    distinct_cells(grid, codes[:1_000])  # compiles
    tracemalloc.start()
    cells = distinct_cells(grid, codes)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(cells) > 150_000
    assert held / len(cells) < 50
    assert peak / len(cells) < 300
