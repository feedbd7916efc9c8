"""Cells: the partition of the events, and the lattice of cells above it.

A grid has axes: a *multiplicity* counts one object (its last bin is inclusive, "3+"), a *topology* is a yes/no
property.
One value for every axis makes an *exclusive cell*; each event is in exactly one, and its number in the grid is its
*code*. A *cell* asks, per axis, for "=n", ">=n", yes, no, or nothing, and is a union of exclusive cells.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError, UnknownNameError, named
from coffea_ddp.histograms.descriptions import NO_PHYSICS, clipped, described

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import BoolArray, IntArray

INCLUSIVE = "inclusive"
"""The name of the cell without any condition."""

MOST_LAST = 1000
"""The largest number that a multiplicity tells from others."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONDITION = re.compile(r"(?P<no>!?)\s*(?P<axis>[A-Za-z_][A-Za-z0-9_]*)\s*(?:(?P<op>>=|==|=)\s*(?P<value>\d+))?")


@dataclass(frozen=True)
class Choice:
    """One question that a cell can ask of one axis.

    Attributes
    ----------
    text
        The question as written (``"j>=2"``, ``"!VBF"``); empty for "any".
    bins
        The bins of the axis that answer it, one bool a bin.
    """

    text: str
    bins: tuple[bool, ...]


@dataclass(frozen=True)
class Multiplicity:
    """An axis that counts an object.

    Parameters
    ----------
    name
        Name of the axis in cells; also the object that is counted unless ``of`` says otherwise.
    last
        The number from which on the bin is inclusive: ``last=3`` has the bins 0, 1, 2 and 3+.
    of
        The object that is counted.
    description
        The object in words, for the legend of a report; a plan gives its definition where nothing is said.

    Raises
    ------
    InputError
        If ``last`` is not from 1 to 1,000, or the name cannot stand in a cell's name.

    Examples
    --------
    >>> [choice.text for choice in Multiplicity("tau", last=2).choices]
    ['', 'tau=0', 'tau=1', 'tau>=1', 'tau>=2']
    """

    name: str
    last: int
    of: str = ""
    description: str = field(default="", compare=False, repr=False, metadata={NO_PHYSICS: True})

    def __post_init__(self) -> None:
        _check_name(self.name)
        if not 1 <= self.last <= MOST_LAST:
            raise InputError(
                f"Multiplicity {self.name!r}: last={self.last}, but the inclusive bin starts at 1 or above, up to "
                f"{MOST_LAST}"
            )
        if not self.of:
            object.__setattr__(self, "of", self.name)

    @property
    def bins(self) -> int:
        """Number of bins, the inclusive one among them."""
        return self.last + 1

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """All questions: any, ``=n`` below the inclusive bin, ``>=n`` from 1 on."""
        numbers = range(self.bins)
        exact = [Choice(f"{self.name}={n}", tuple(i == n for i in numbers)) for n in numbers[:-1]]
        above = [Choice(f"{self.name}>={n}", tuple(i >= n for i in numbers)) for n in numbers[1:]]
        return (Choice("", (True,) * self.bins), *exact, *above)


@dataclass(frozen=True)
class Topology:
    """A yes/no axis.

    Parameters
    ----------
    name
        Name of the property in cells; ``"!name"`` is its opposite.
    predicate
        A function of the selection that gives one bool an event. ``None`` in a grid that was read from a file.
    description
        The property in words, for the legend of a report; by default the docstring of the predicate.

    Examples
    --------
    >>> [choice.text for choice in Topology("VBF").choices]
    ['', '!VBF', 'VBF']
    >>> Topology("VBF", lambda ev: ev.count("j") > 1, description="two jets or more").description
    'two jets or more'
    """

    name: str
    predicate: Callable[[Any], Any] | None = field(default=None, compare=False, repr=False)
    description: str = field(default="", compare=False, repr=False, metadata={NO_PHYSICS: True})

    def __post_init__(self) -> None:
        _check_name(self.name)
        if not self.description and self.predicate is not None:
            object.__setattr__(self, "description", described(self.predicate))

    @property
    def bins(self) -> int:
        """Number of bins: no and yes."""
        return 2

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """All questions: any, no, yes."""
        return (Choice("", (True, True)), Choice(f"!{self.name}", (True, False)), Choice(self.name, (False, True)))


@dataclass(frozen=True)
class Cell:
    """A union of exclusive cells, by the questions that it asks (in the order of the grid's axes).

    Made by :meth:`CellGrid.cell`, so that the questions are those of a grid. ``str(cell)`` is its name.

    Examples
    --------
    >>> str(CellGrid((Multiplicity("j", last=3), Topology("VBF"))).cell("VBF & j>=2"))
    'j>=2 & VBF'
    """

    conditions: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the name: the questions joined by ``" & "``, or ``"inclusive"``."""
        return " & ".join(self.conditions) or INCLUSIVE


@dataclass(frozen=True)
class CellGrid:
    """The axes of the partition.

    Parameters
    ----------
    axes
        Multiplicities and topologies; no axis at all gives one cell, the inclusive one.

    Raises
    ------
    InputError
        If two axes have one name, or there are more exclusive cells than 2^31.

    Examples
    --------
    >>> grid = CellGrid((Multiplicity("j", last=3), Multiplicity("tau", last=2), Topology("VBF")))
    >>> grid.shape, grid.n_exclusive, grid.n_cells, str(grid.cell("VBF & j>=2"))
    ((4, 3, 2), 24, 105, 'j>=2 & VBF')
    >>> grid.contains("j>=2 & VBF", grid.encode([[1, 2, 9], [0, 0, 1], [1, 1, 1]]))
    array([False,  True,  True])
    """

    axes: tuple[Multiplicity | Topology, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", tuple(self.axes))
        names = [axis.name for axis in self.axes]
        if len(set(names)) != len(names):
            raise InputError(f"axes {names}: every axis of a grid needs a name of its own")
        if self.n_exclusive > 2**31:
            raise InputError(f"{self.n_exclusive} exclusive cells: at most 2^31; use fewer axes or a smaller `last`")

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of bins of every axis."""
        return tuple(axis.bins for axis in self.axes)

    @property
    def n_exclusive(self) -> int:
        """Number of exclusive cells."""
        return math.prod(self.shape)

    @property
    def n_cells(self) -> int:
        """Number of cells of the lattice: the product of the numbers of questions."""
        return math.prod(len(axis.choices) for axis in self.axes)

    def encode(self, values: Sequence[ArrayLike], n_events: int = 0) -> IntArray:
        """Return the code of every event's exclusive cell.

        Parameters
        ----------
        values
            Per axis an array of shape (n_events,): counts, or bools for a topology. Counts above ``last`` go to the
            last bin.
        n_events
            Needed by a grid without axes only, whose single cell has code 0.

        Returns
        -------
        ndarray of int64, shape (n_events,)
            ``0 <= code < n_exclusive``.

        Raises
        ------
        InputError
            If there is not one array per axis.
        """
        if len(values) != len(self.axes):
            raise InputError(f"{len(values)} arrays for {len(self.axes)} axes: give one array per axis")
        if not self.axes:
            return np.zeros(n_events, dtype=np.int64)
        codes = np.zeros(np.shape(values[0]), dtype=np.int64)
        for axis, value in zip(self.axes, values, strict=True):
            found = np.asarray(value)
            codes *= axis.bins
            codes += found if found.dtype == np.bool_ else np.clip(found.astype(np.int64, copy=False), 0, axis.bins - 1)
        return codes

    def decode(self, codes: ArrayLike) -> IntArray:
        """Return the bins of every axis, shape (n_axes, n_codes), for codes made by :meth:`encode`."""
        flat = np.asarray(codes, dtype=np.int64)
        if not self.axes:
            return np.zeros((0, flat.size), dtype=np.int64)
        return np.stack(np.unravel_index(flat, self.shape)).astype(np.int64)

    def cell(self, spec: str | Cell | Mapping[str, object] = INCLUSIVE) -> Cell:
        """Return the cell that ``spec`` names.

        Parameters
        ----------
        spec
            ``"tau>=1 & j=2 & !VBF"`` (also with commas), a mapping like ``{"tau": ">=1", "j": 2, "VBF": False}``, or
            a cell.

        Raises
        ------
        UnknownNameError
            If an axis does not exist.
        InputError
            If a question cannot be read, or asks of the inclusive bin what it cannot tell ("=3" of "3+").
        """
        texts = _texts_of(str(spec) if isinstance(spec, Cell) else spec)
        wanted: dict[str, str] = {}
        for text in (text.strip() for text in texts):
            if text in ("", INCLUSIVE):
                continue
            axis, condition = self._condition(text)
            if axis in wanted and wanted[axis] != condition:
                raise InputError(f"cell {spec!r}: asks {axis!r} twice ({wanted[axis]} and {condition})")
            wanted[axis] = condition
        return Cell(tuple(wanted[axis.name] for axis in self.axes if wanted.get(axis.name)))

    def _condition(self, text: str) -> tuple[str, str]:
        match = _CONDITION.fullmatch(text)
        if match is None:
            raise InputError(f"{text!r} is no condition; write 'j=2', 'j>=2', 'VBF' or '!VBF'")
        name, value = match["axis"], match["value"]
        axis = next((axis for axis in self.axes if axis.name == name), None)
        if axis is None:
            known = ", ".join(axis.name for axis in self.axes) or "none"
            raise UnknownNameError(f"no cell axis {name!r} (in {text!r}); the axes are: {known}")
        if isinstance(axis, Topology):
            if value is not None:
                raise InputError(f"{text!r}: {name!r} is a yes/no property; write {name!r} or '!{name}'")
            return name, text.replace(" ", "")
        if value is None or match["no"]:
            raise InputError(f"{text!r}: {name!r} is a multiplicity; write '{name}=n' or '{name}>=n'")
        return name, self._count_condition(axis, match["op"], int(value))

    @staticmethod
    def _count_condition(axis: Multiplicity, op: str, number: int) -> str:
        if op == ">=" and number == 0:
            return ""
        if number > axis.last or (number == axis.last and op != ">="):
            raise InputError(
                f"{axis.name}{op}{number}: the last bin of {axis.name!r} is {axis.last}+; "
                f"ask '{axis.name}>={axis.last}' or a number below {axis.last}"
            )
        return f"{axis.name}{'>=' if op == '>=' else '='}{number}"

    def exclusive(self, code: int) -> Cell:
        """Return the cell that holds one exclusive cell and no other.

        Examples
        --------
        >>> grid = CellGrid((Multiplicity("j", last=2), Topology("VBF")))
        >>> str(grid.exclusive(0)), str(grid.exclusive(5))
        ('j=0 & !VBF', 'j>=2 & VBF')
        """
        texts = []
        for axis, found in zip(self.axes, self.decode(np.array([code])), strict=True):
            only = tuple(number == int(found[0]) for number in range(axis.bins))
            texts.append(next(choice.text for choice in axis.choices if choice.bins == only))
        return Cell(tuple(texts))

    def contains(self, cell: Cell | str | Mapping[str, object], codes: ArrayLike) -> BoolArray:
        """Tell which exclusive cells are part of ``cell``; shape of ``codes``."""
        asked = set(self.cell(cell).conditions)
        flat = np.asarray(codes, dtype=np.int64)
        inside = np.ones(flat.shape, dtype=bool)
        for axis, bins in zip(self.axes, self.decode(flat), strict=True):
            for choice in axis.choices:
                if choice.text in asked:
                    inside &= np.asarray(choice.bins)[bins]
        return inside

    def code_range(self, cell: Cell | str | Mapping[str, object]) -> tuple[int, int]:
        """Return the lowest and the highest code of the exclusive cells in ``cell``.

        Examples
        --------
        >>> CellGrid((Multiplicity("j", last=2), Topology("VBF"))).code_range("j=1")
        (2, 3)
        """
        asked = set(self.cell(cell).conditions)
        lowest = highest = 0
        for axis in self.axes:
            bins = [True] * axis.bins
            for choice in axis.choices:
                if choice.text in asked:
                    bins = [one and other for one, other in zip(bins, choice.bins, strict=True)]
            inside = np.flatnonzero(bins)
            lowest, highest = lowest * axis.bins + int(inside[0]), highest * axis.bins + int(inside[-1])
        return lowest, highest

    def to_dict(self) -> list[dict[str, object]]:
        """Return the axes as JSON-ready data (predicates are code and stay behind)."""
        found: list[dict[str, object]] = []
        for axis in self.axes:
            if isinstance(axis, Multiplicity):
                found.append({"multiplicity": axis.name, "last": axis.last, "of": axis.of})
            else:
                found.append({"topology": axis.name})
            if axis.description:
                found[-1]["description"] = axis.description
        return found

    @classmethod
    def from_dict(cls, data: Sequence[Mapping[str, Any]]) -> CellGrid:
        """Return the grid that :meth:`to_dict` described."""
        return cls(
            tuple(
                Multiplicity(
                    axis["multiplicity"], int(axis["last"]), axis.get("of", ""), clipped(axis.get("description"))
                )
                if "multiplicity" in axis
                else Topology(axis["topology"], description=clipped(axis.get("description")))
                for axis in data
            )
        )


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name == INCLUSIVE:
        raise InputError(f"axis name {name!r}: use letters, digits and _, starting with a letter (not {INCLUSIVE!r})")


def _texts_of(spec: Any) -> list[str]:
    if isinstance(spec, str):
        return re.split(r"[&,]", spec)
    if not isinstance(spec, Mapping):
        raise InputError(f"cell: got {named(spec)}; name one, as 'tau>=1 & j=2', or {{'tau': '>=1', 'j': 2}}")
    texts = []
    for name, value in spec.items():
        if isinstance(value, bool | np.bool_):
            texts.append(name if value else f"!{name}")
        else:
            texts.append(f"{name}{'=' if isinstance(value, int | np.integer) else ''}{value}")
    return texts
