"""Corrections for efficiencies: the ratio of side B's to side A's, bin by bin, from arrays or correctionlib files.

The expected ratio of bin i is then ``kappa_i = kappa ratio_i``, and the relative error of the ratio adds in quadrature
to the systematic error of the bin (independent from bin to bin; an error that all bins share belongs to kappa).

Examples
--------
>>> import hist
>>> axes = (hist.axis.Regular(2, 0.0, 100.0, name="pt"),)
>>> found = efficiency_ratio(([0.8, 1.0], [0.04, 0.0]), axes)
>>> found.kappa(2.0), found.systematic(0.12).round(2)
(array([1.6, 2. ]), array([0.13, 0.12]))
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import FileError, InputError
from coffea_ddp.stats.checks import LEAST_RATIO, MOST_RATIO

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from coffea_ddp._typing import AnyArray, FloatArray

VARIATIONS = (
    ("nominal", "up", "down"),
    ("sf", "sfup", "sfdown"),
    ("central", "up", "down"),
    ("nominal", "systup", "systdown"),
    ("sf", "systup", "systdown"),
)
"""Names of the central value and its variations in corrections, in order of preference."""

_SUFFIXES = (".npy", ".npz", ".json", ".json.gz")


@dataclass(frozen=True, eq=False)
class EfficiencyRatio:
    """The efficiency of side B over that of side A in every bin.

    Attributes
    ----------
    ratio
        From 1e-9 to 1e9; the shape of the bins.
    error
        One standard deviation, absolute, 0 or more; the same shape. A number is that of every bin.

    Raises
    ------
    InputError
        If shapes differ, a ratio is not within 1e-9 and 1e9, an error is below 0, or either is not finite.
    """

    ratio: FloatArray
    error: FloatArray

    def __post_init__(self) -> None:
        try:
            ratio, error = (np.asarray(x, dtype=np.float64) for x in (self.ratio, self.error))
        except (TypeError, ValueError) as found:
            raise InputError(f"efficiency ratios: not an array of numbers ({found})") from found
        if error.shape not in ((), ratio.shape):
            raise InputError(f"ratios of shape {ratio.shape} and errors of shape {error.shape}: give one each per bin")
        for name, values, good in (
            ("ratio", ratio, (ratio >= LEAST_RATIO) & (ratio <= MOST_RATIO)),
            ("error", error, np.isfinite(error) & (error >= 0)),
        ):
            if not good.all():
                where = tuple(int(i) for i in np.argwhere(~good)[0])
                raise InputError(
                    f"efficiency {name} {values[where]:g} at bin {where}: ratios are above 0 and errors 0 or more in "
                    "every bin; give 1 (and an error) where nothing is known"
                )
        object.__setattr__(self, "ratio", ratio)
        object.__setattr__(self, "error", np.broadcast_to(error, ratio.shape))

    def kappa(self, kappa: ArrayLike = 1.0) -> FloatArray:
        """Return the expected ratio B / A in every bin, for that at equal efficiencies; the shape of the bins."""
        return np.asarray(np.multiply(self.ratio, kappa))

    def systematic(self, eps: ArrayLike = 0.0) -> FloatArray:
        """Return the relative error of every bin: that of the ratio and ``eps`` in quadrature."""
        return np.asarray(np.hypot(self.error / self.ratio, eps))


def efficiency_ratio(source: Any, axes: tuple[Any, ...], *, missing_ok: bool = False) -> EfficiencyRatio | None:
    """Return the efficiency ratio in the bins of an observable.

    Parameters
    ----------
    source
        One of: an array of ratios, or a tuple of ratios and their absolute errors, in the shape of the bins; an
        :class:`EfficiencyRatio`; a ``.npy`` file of ratios, or a ``.npz`` file with ``ratio`` and, if known, ``error``;
        a correctionlib file (``.json``, ``.json.gz``), with ``:NAME`` behind it where it holds several corrections; a
        ``correctionlib.highlevel.Correction``. A correction is evaluated at the centres of the bins (the values of an
        Integer axis): its numerical inputs are called like axes. A string input with one value takes it; one with
        several is the variation (:data:`VARIATIONS`), and the error is ``|up - down| / 2``. Without one it is 0.
    axes
        ``hist`` axes of the observable.
    missing_ok
        Return ``None`` where a correction has an input that is no axis, or an array another shape than the bins.

    Returns
    -------
    EfficiencyRatio or None

    Raises
    ------
    FileError
        If a file cannot be read.
    InputError
        If the source does not fit the axes, cannot be evaluated in a bin, or has ratios that are not above 0.

    Examples
    --------
    >>> import hist
    >>> pt, eta = (hist.axis.Regular(2, 0.0, 1.0, name=name) for name in ("pt", "eta"))
    >>> efficiency_ratio([1.0, 1.1], (pt, eta))
    Traceback (most recent call last):
    ...
    coffea_ddp.errors.InputError: efficiency ratios of shape (2,) for bins of shape (2, 2); give one for each bin ...
    """
    if isinstance(source, str | Path):
        try:
            return efficiency_ratio(_read(str(source)), axes, missing_ok=missing_ok)
        except InputError as error:
            raise InputError(f"{source}: {error}") from error
    if hasattr(source, "evaluate"):
        return _evaluated(source, axes, missing_ok=missing_ok)
    found = source if isinstance(source, EfficiencyRatio) else _arrays(source)
    shape = tuple(len(axis) for axis in axes)
    if found.ratio.shape == shape:
        return found
    if missing_ok:
        return None
    raise InputError(
        f"efficiency ratios of shape {found.ratio.shape} for bins of shape {shape}; give one for each bin of the axes "
        f"{_names(axes)}, without flow bins"
    )


def check_fits(symmetry: str, given: Mapping[str, tuple[Any, bool, tuple[Any, ...]]]) -> None:
    """Stop where a correction does not fit its observable, or none of its symmetry's.

    Parameters
    ----------
    symmetry
        Its name.
    given
        Of each observable the correction (``None``: it has none), whether it is that observable's own, and the axes.

    Raises
    ------
    InputError
        Naming the observable, or all of them.
    """
    loose, fitting = None, []
    for observable, (source, must_fit, axes) in given.items():
        if source is None:
            continue
        if must_fit:
            try:
                efficiency_ratio(source, axes)
            except InputError as error:
                raise InputError(f"correction of {symmetry!r}, {observable!r}: {error}") from error
            continue
        loose = source
        if axes and efficiency_ratio(source, axes, missing_ok=True) is not None:
            fitting.append(observable)
    if loose is not None and not fitting:
        raise InputError(
            f"the correction of {symmetry!r} fits none of its observables: {', '.join(map(repr, given))}; its inputs "
            "have to be called like their axes, an array needs the shape of their bins"
        )
    if len(fitting) > 1 and not _names_inputs(loose):
        raise InputError(
            f"an array of corrections fits {len(fitting)} observables: {', '.join(map(repr, sorted(fitting)))}; say of "
            f"which it is, as in {{'{symmetry}:{fitting[0]}': array}} (--correction '{symmetry}:{fitting[0]}=FILE')"
        )


def _names_inputs(correction: Any) -> bool:
    """Return whether a correction names its inputs: a correctionlib file or object."""
    text = str(correction) if isinstance(correction, str | Path) else ""
    return hasattr(correction, "evaluate") or (bool(text) and not text.endswith((".npy", ".npz")))


def _arrays(source: Any) -> EfficiencyRatio:
    if isinstance(source, tuple) and len(source) == 2:
        return EfficiencyRatio(*source)
    return EfficiencyRatio(source, np.float64(0.0))  # type: ignore[arg-type]


def _names(axes: tuple[Any, ...]) -> str:
    return ", ".join(repr(axis.name) for axis in axes) or "(none)"


# -- files ---------------------------------------------------------------------------------------------------


def _read(text: str) -> Any:
    """Return what a file holds: arrays, or a correction."""
    path, name = text, ""
    if not Path(text).exists() and ":" in text:
        path, _, name = text.rpartition(":")
    if not Path(path).is_file():
        raise FileError(f"{text}: no such file; give a correctionlib file (FILE.json:NAME) or an array (.npy, .npz)")
    if not path.endswith(_SUFFIXES):
        raise FileError(f"{path}: efficiency ratios are in files that end in {', '.join(_SUFFIXES)}; rename it")
    try:
        return _arrays_of(path) if path.endswith((".npy", ".npz")) else _correction(path, name)
    except InputError:
        raise
    except Exception as error:  # there is no end of what a damaged archive does to those who read it
        raise FileError(f"{path}: cannot be read as efficiency ratios ({error}); write it anew") from error


def _arrays_of(path: str) -> Any:
    with Path(path).open("rb") as file:  # numpy leaves it open where the archive is damaged
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            if "ratio" not in loaded:
                raise InputError(f"it holds {', '.join(loaded) or 'nothing'}; `ratio` is missing")
            return (loaded["ratio"], loaded["error"]) if "error" in loaded else loaded["ratio"]


def _correction(path: str, name: str) -> Any:
    from correctionlib import CorrectionSet  # comes with coffea; 0.1 s

    found = CorrectionSet.from_file(path)
    known = {**dict(found), **dict(found.compound)}
    if not name and len(known) == 1:
        return next(iter(known.values()))
    if name not in known:
        given = f"it has no {name!r}" if name else "more than one correction"
        names = ", ".join(known) or "no correction at all"
        raise InputError(f"{given}: it holds {names}; say which, as in {path}:{next(iter(known), 'NAME')}")
    return known[name]


# -- corrections ---------------------------------------------------------------------------------------------


def _evaluated(correction: Any, axes: tuple[Any, ...], *, missing_ok: bool) -> EfficiencyRatio | None:
    points = dict(zip((axis.name for axis in axes), _points(axes), strict=True))
    missing = [item.name for item in correction.inputs if item.type != "string" and item.name not in points]
    if missing:
        if missing_ok:
            return None
        raise InputError(
            f"correction {correction.name!r} has an input {missing[0]!r}, and the observable has the axes "
            f"{_names(axes)}; name the axes like the inputs, or give arrays"
        )
    shape = tuple(len(axis) for axis in axes)

    def at(strings: dict[str, str]) -> FloatArray:
        arguments = [
            strings[item.name]
            if item.type == "string"
            else points[item.name].astype(np.int64 if item.type == "int" else np.float64)
            for item in correction.inputs
        ]
        return np.array(np.broadcast_to(correction.evaluate(*arguments), shape), dtype=np.float64)

    fixed, varied = _strings(correction)
    try:
        if varied is None:
            return EfficiencyRatio(at(fixed), np.zeros(shape))
        name, labels = varied
        central, up, down = (at({**fixed, name: label}) for label in labels)
    except (IndexError, RuntimeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"correction {correction.name!r} cannot be evaluated in the bins of {_names(axes)} ({error}); it has to "
            "cover all of them (flow: clamp)"
        ) from error
    return EfficiencyRatio(central, np.abs(up - down) / 2)


def _points(axes: tuple[Any, ...]) -> tuple[AnyArray, ...]:
    """Return the points at which a bin is evaluated, one grid an axis: centres, or the values of an Integer axis."""
    values = [np.asarray(axis.edges[:-1] if _is_integer(axis) else axis.centers) for axis in axes]
    return tuple(np.meshgrid(*values, indexing="ij"))


def _is_integer(axis: Any) -> bool:
    return type(axis).__name__ in ("Integer", "IntCategory")


def _strings(correction: Any) -> tuple[dict[str, str], tuple[str, tuple[str, str, str]] | None]:
    """Return the string inputs that have one value, and the one (with its labels) that is the variation."""
    fixed: dict[str, str] = {}
    varied = None
    for item in correction.inputs:
        if item.type != "string":
            continue
        keys = _keys(correction, item.name)
        if len(keys) == 1:
            fixed[item.name] = keys[0]
            continue
        # Where the keys cannot be known, the evaluation shows whether the first ones are right.
        labels = next((names for names in VARIATIONS if set(names) <= set(keys)), None) if keys else VARIATIONS[0]
        if labels is None or varied is not None:
            raise InputError(
                f"correction {correction.name!r}: its string input {item.name!r} (known: {', '.join(keys)}) is no "
                f"variation like {', '.join(VARIATIONS[0])}; give a correction without it, or arrays"
            )
        varied = (item.name, labels)
    return fixed, varied


def _keys(correction: Any, name: str) -> list[str]:
    """Return the values of a string input that a correction knows, from its own description; none where unknown."""
    state = correction.__getstate__()  # what pickle gets: the set of corrections as JSON
    try:
        described = json.loads(state["_context"].__getstate__()["_data"])
    except (KeyError, TypeError, AttributeError, ValueError):
        return []
    compound = {entry["name"]: entry.get("stack", []) for entry in described.get("compound_corrections") or []}
    wanted = {correction.name, *compound.get(correction.name, [])}
    keys: dict[str, None] = {}
    for entry in described.get("corrections", []):
        if entry.get("name") in wanted:
            keys |= dict.fromkeys(_categories(entry.get("data"), name))
    return list(keys)


def _categories(node: Any, name: str) -> Iterator[str]:
    """Yield the keys of all categories of one input below a node."""
    if isinstance(node, list):
        for each in node:
            yield from _categories(each, name)
    elif isinstance(node, dict):
        if node.get("nodetype") == "category" and node.get("input") == name:
            yield from (str(item["key"]) for item in node["content"])
        for value in node.values():
            yield from _categories(value, name)
