"""The grid and the lattice: against the questions asked event by event, and what cannot be asked."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.errors import InputError, UnknownNameError
from coffea_ddp.histograms.cells import Cell, CellGrid, Multiplicity, Topology
from coffea_ddp.histograms.descriptions import LONGEST, described

axes = st.lists(st.one_of(st.integers(1, 4), st.just(None)), min_size=1, max_size=4).map(
    lambda each: tuple(
        Topology(f"t{i}") if last is None else Multiplicity(f"m{i}", last) for i, last in enumerate(each)
    )
)


def answers(question: str, value: int) -> bool:
    """Return whether an event with the number (or 0/1) `value` on the axis asked about answers yes."""
    if not question:
        return True
    for operation in (">=", "="):
        if operation in question:
            number = int(question.split(operation)[1])
            return value >= number if operation == ">=" else value == number
    return bool(value) is not question.startswith("!")


@given(axes=axes, seed=st.integers(0, 2**32))
def test_every_cell_of_the_lattice_holds_the_events_that_answer(
    axes: tuple[Multiplicity | Topology, ...], seed: int
) -> None:
    grid = CellGrid(axes)
    rng = np.random.default_rng(seed)
    values = [rng.integers(0, 2 if isinstance(axis, Topology) else 7, 20) for axis in axes]
    codes = grid.encode(values)
    names = set()
    questions = list(itertools.product(*([choice.text for choice in axis.choices] for axis in axes)))
    for asked in (questions[i] for i in rng.permutation(len(questions))[:50]):
        cell = grid.cell(" & ".join(question for question in asked if question))
        expected = [
            all(answers(q, int(v)) for q, v in zip(asked, event, strict=True)) for event in zip(*values, strict=True)
        ]
        assert grid.contains(cell, codes).tolist() == expected
        names.add(str(cell))
    assert len(questions) == grid.n_cells
    assert len(names) == min(50, len(questions))
    exclusive = [
        " & ".join(text for text, axis in zip(each, axes, strict=True))
        for each in itertools.product(*([c.text for c in axis.choices if sum(c.bins) == 1] for axis in axes))
    ]
    assert len(exclusive) == grid.n_exclusive
    assert np.array_equal(sum(grid.contains(text, codes).astype(int) for text in exclusive), np.ones(20))


GRID = CellGrid((Multiplicity("j", last=3), Multiplicity("tau", last=1), Topology("VBF")))


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("", "inclusive"),
        ("inclusive", "inclusive"),
        ({}, "inclusive"),
        ("j>=0", "inclusive"),
        ("VBF,j = 2", "j=2 & VBF"),
        ("j==2&!VBF", "j=2 & !VBF"),
        ("  ! VBF &  tau >= 1 ", "tau>=1 & !VBF"),
        ("j=2 & j=2", "j=2"),
        ({"VBF": False, "j": ">=2"}, "j>=2 & !VBF"),
        ({"tau": np.int64(0), "VBF": np.True_}, "tau=0 & VBF"),
        (Cell(("j>=3",)), "j>=3"),
    ],
)
def test_ways_to_write_a_cell(spec: object, name: str) -> None:
    assert str(GRID.cell(spec)) == name  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("k>=1", UnknownNameError, r"no cell axis 'k' \(in 'k>=1'\); the axes are: j, tau, VBF"),
        (Cell(("b=1",)), UnknownNameError, "no cell axis 'b'"),
        ("j=3", InputError, "j=3: the last bin of 'j' is 3.; ask 'j>=3'"),
        ("j>=4", InputError, "j>=4: the last bin of 'j' is 3"),
        ("tau=1", InputError, "the last bin of 'tau' is 1"),
        ("j", InputError, "'j' is a multiplicity; write 'j=n' or 'j>=n'"),
        ("!j", InputError, "'j' is a multiplicity"),
        ("!j=1", InputError, "'j' is a multiplicity"),
        ("VBF=1", InputError, "'VBF' is a yes/no property; write 'VBF' or '!VBF'"),
        ("j>2", InputError, "'j>2' is no condition"),
        ("j<=2", InputError, "is no condition"),
        ({"j": -1}, InputError, "'j=-1' is no condition"),
        ("j=1 & j=2", InputError, "asks 'j' twice"),
        ("VBF & !VBF", InputError, "asks 'VBF' twice"),
    ],
)
def test_what_cannot_be_asked(spec: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        GRID.cell(spec)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "1j", "n j", "j>=1", "inclusive", "!x", "a&b", "é"])
def test_names_that_a_cell_could_not_be_written_with(name: str) -> None:
    with pytest.raises(InputError, match="use letters, digits and _"):
        Multiplicity(name, last=1)
    with pytest.raises(InputError, match="use letters, digits and _"):
        Topology(name)


def test_limits() -> None:
    with pytest.raises(InputError, match="last=0"):
        Multiplicity("j", last=0)
    with pytest.raises(InputError, match=r"at most 2\^31"):
        CellGrid(tuple(Topology(f"t{i}") for i in range(32)))
    assert CellGrid(tuple(Topology(f"t{i}") for i in range(31))).n_exclusive == 2**31
    with pytest.raises(InputError, match="2 arrays for 3 axes"):
        GRID.encode([[1], [1]])
    none = CellGrid()
    assert (none.n_cells, none.n_exclusive, none.encode([], 3).tolist()) == (1, 1, [0, 0, 0])
    assert none.contains("inclusive", [0, 0]).all()


def test_the_slides_columns_make_more_than_100_000_cells() -> None:
    counted = (Multiplicity("tau", 2), Multiplicity("j", 5), Multiplicity("b", 2), Multiplicity("gamma", 2))
    grid = CellGrid((*counted, *(Topology(name) for name in ("Z", "W", "VBF", "ttbar"))))
    assert (grid.n_exclusive, grid.n_cells) == (3 * 6 * 3 * 3 * 16, 5 * 11 * 5 * 5 * 81)


# -- descriptions ----------------------------------------------------------------------------------------------------


class Window:
    """Events in a window."""

    def __call__(self, events: object) -> object:
        return events


@dataclasses.dataclass(frozen=True)
class Above:
    """Events above a threshold.

    Parameters
    ----------
    low
        GeV.
    """

    low: float

    def __call__(self, events: object) -> object:
        return events


def with_parts(events: object) -> object:
    """Return which events are ``odd``.

    So odd that it takes
    two lines.

    Returns
    -------
    Nothing.
    """
    return events


def test_descriptions_are_docstrings_up_to_their_sections() -> None:
    assert described(with_parts) == "events that are odd. So odd that it takes two lines"
    assert described(Above(30.0)) == "Events above a threshold: Above(low=30.0)"
    assert described(functools.partial(with_parts)) == described(with_parts)
    assert [described(one) for one in (Window(), lambda ev: ev, len.__call__)][:2] == ["", ""]


@given(st.one_of(st.none(), st.text(), st.text(min_size=LONGEST + 1, max_size=LONGEST + 5), st.integers()))
def test_descriptions_survive_a_file_and_are_short(text: object) -> None:
    grid = CellGrid.from_dict([{"topology": "VBF", "description": text}, {"multiplicity": "j", "last": 1}])
    assert len(grid.axes[0].description) <= LONGEST
    assert CellGrid.from_dict(grid.to_dict()).to_dict() == grid.to_dict()
    assert grid == CellGrid((Topology("VBF"), Multiplicity("j", last=1)))
