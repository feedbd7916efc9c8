"""Requirements on the candidates of a collection, as data.

Examples
--------
>>> import numpy as np
>>> Cut("chi2", "<", 5.0).passes({"chi2": np.array([1.0, 7.0, np.nan])})
array([ True, False, False])
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, BoolArray

_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "abs<": lambda x, y: np.abs(x) < y,
    "abs>": lambda x, y: np.abs(x) > y,
    "has bits": lambda x, y: (x.astype(np.int64) & int(y)) == int(y),
}


@dataclass(frozen=True)
class Cut:
    """A requirement on one field of a collection.

    Parameters
    ----------
    field
        The branch without the collection's name: ``"mediumId"`` of ``Muon_mediumId``.
    op
        One of ``== != >= <= > < abs< abs>`` and ``"has bits"`` (all bits of ``value`` set). NaN never passes an
        ordered comparison. Asked for bits, or for more than 0 or 1, a branch of yes or no is an error: whose decision
        it was, it does not say.
    value
        What it is compared with.

    Raises
    ------
    InputError
        If the operation does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> Cut("jetId", "has bits", 2).passes({"jetId": np.array([1, 2, 6])})
    array([False,  True,  True])
    """

    field: str
    op: str = "=="
    value: float = True

    def __post_init__(self) -> None:
        if self.op not in _OPERATIONS:
            raise InputError(
                f"Cut({self.field!r}, {self.op!r}): no such operation; use one of {', '.join(_OPERATIONS)}"
            )

        if self.op == "has bits" and self.value != int(self.value):
            raise InputError(f"Cut({self.field!r}, 'has bits', {self.value!r}): bits are a whole number")

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the cut reads."""
        return (self.field,)

    @property
    def asks_a_flag(self) -> bool:
        """True if the field is taken for yes or no."""
        return self.op in ("==", "!=") and isinstance(self.value, bool)

    @property
    def numbers(self) -> bool:
        """True if yes or no is no answer: bits are asked for, or a comparison with another number than 0 or 1."""
        return self.op == "has bits" or self.value not in (0, 1)

    def passes(self, values: Mapping[str, AnyArray]) -> BoolArray:
        """Return which objects pass; ``values`` holds the flat content of every field."""
        return np.asarray(_OPERATIONS[self.op](values[self.field], self.value), dtype=bool)


@dataclass(frozen=True)
class ComputedCut:
    """A requirement that needs several fields: ``function(field_1, ...)`` of their flat content, one bool an object.

    Parameters
    ----------
    name
        What the output calls it.
    fields
        The branches without the collection's name.
    function
        Of the fields.
    numbers
        ``True``: a field of yes or no is an error.

    Examples
    --------
    >>> ComputedCut("displaced", ("dxy",), lambda dxy: abs(dxy) > 0.1).fields
    ('dxy',)
    """

    name: str
    fields: tuple[str, ...]
    function: Callable[..., Any]
    numbers: bool = False

    def passes(self, values: Mapping[str, AnyArray]) -> BoolArray:
        """Return which objects pass."""
        return np.asarray(self.function(*(values[name] for name in self.fields)), dtype=bool)


@dataclass(frozen=True)
class WorkingPoint:
    """A working point in a field that is a number in some files and bits in others.

    The n-th working point is the number n, or has the lowest n bits set; which of the two is told by the title of the
    branch or by the values of the file (:func:`coffea_ddp.events.nanoaod_versions.encoding_of`).

    Parameters
    ----------
    field
        The branch without the collection's name.
    level
        The lowest working point that passes, counted from 1.

    Examples
    --------
    >>> medium = WorkingPoint("idDeepTau2017v2p1VSjet", 5)
    >>> medium.cut("number")
    Cut(field='idDeepTau2017v2p1VSjet', op='>=', value=5)
    >>> medium.cut("bits")
    Cut(field='idDeepTau2017v2p1VSjet', op='has bits', value=16)
    """

    field: str
    level: int

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the cut reads."""
        return (self.field,)

    def cut(self, encoding: str) -> Cut:
        """Return the cut in an encoding, ``"number"`` or ``"bits"``."""
        if encoding == "number":
            return Cut(self.field, ">=", self.level)
        return Cut(self.field, "has bits", 2 ** (self.level - 1))


@dataclass(frozen=True)
class Recent:
    """An alternative of :class:`FirstAvailable` for files of NanoAOD v10 and later alone.

    Examples
    --------
    >>> Recent(ComputedCut("displaced", ("dxy",), lambda dxy: abs(dxy) > 0.1)).cut.name
    'displaced'
    """

    cut: ComputedCut

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the cut reads."""
        return self.cut.fields


@dataclass(frozen=True)
class NotAsked:
    """No requirement, where a format of files has nothing that could be asked; the output says why.

    Examples
    --------
    >>> NotAsked("not asked: d0 and z0 need links to tracks").fields
    ()
    """

    why: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it reads: none."""
        return ()


@dataclass(frozen=True)
class Only:
    """An alternative of :class:`FirstAvailable` for files of another format than NanoAOD alone.

    Parameters
    ----------
    dialect
        Name of the format (:mod:`coffea_ddp.events.dialects`): ``"PHYSLITE"``.
    cut
        On fields that the format has.

    Examples
    --------
    >>> Only("PHYSLITE", Cut("DFCommonElectronsLHMedium")).cut.field
    'DFCommonElectronsLHMedium'
    """

    dialect: str
    cut: Cut | ComputedCut | NotAsked

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the cut reads."""
        return self.cut.fields


Alternative = Cut | ComputedCut | WorkingPoint | Recent | Only
"""Cuts among which :class:`FirstAvailable` chooses."""


@dataclass(frozen=True)
class FirstAvailable:
    """The first cut whose branches the file has: how one requirement is asked of many versions, and formats, of files.

    Parameters
    ----------
    role
        What is asked ("identification"); error messages and the output name it.
    cuts
        Alternatives, best first.
    required
        ``False``: where no alternative exists nothing is asked, and the output says so.

    Examples
    --------
    >>> FirstAvailable("identification", (Cut("mvaId", ">", 0.5), Cut("cutBased", ">=", 3))).role
    'identification'
    """

    role: str
    cuts: tuple[Alternative, ...]
    required: bool = True

    def of(self, dialect: str) -> tuple[Alternative, ...]:
        """Return the alternatives that may be asked of files of a format.

        Examples
        --------
        >>> cuts = (Cut("mediumId"), Only("PHYSLITE", Cut("quality", "<", 2)))
        >>> [one.fields for one in FirstAvailable("identification", cuts).of("NanoAOD")]
        [('mediumId',)]
        """
        return tuple(one for one in self.cuts if not isinstance(one, Only) or one.dialect == dialect)
