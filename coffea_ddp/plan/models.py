"""Models of one's own in the pass: the score of a network in ONNX format, as a feature or a yes/no property.

The model's bytes travel in the plan, and are part of its fingerprint: workers need no file, and outputs of two versions
of a network cannot be added. A process makes one session of it, of one thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp.errors import InputError, describe
from coffea_ddp.events.selected import SelectedEvents
from coffea_ddp.plan.checks import all_of
from coffea_ddp.plan.observables import Feature

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray

EVENTS = 1_024
"""Events that go through a network together: few enough for the cache."""
_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}
_ANY = "the inputs are given as one matrix, shape (n_events, n_features), or each as a column or a vector"


@dataclass(frozen=True)
class OnnxScore:
    """The score of a model in ONNX format: one number an event.

    It is a function of events: give it to a :class:`~coffea_ddp.plan.observables.Feature`, or use :meth:`feature` for
    an observable and :meth:`above` for a :class:`~coffea_ddp.histograms.cells.Topology`.

    Parameters
    ----------
    model
        The model, or the path of its file; kept as bytes.
    inputs
        Features, in the order of the columns of the model's one input, or of its several inputs.
    output
        Name of the model's output; may be left out where one alone holds numbers.
    column
        Number of the column of the output that is the score; may be left out where there is one column.
    nan
        What stands for a feature that an event does not have (NaN). ``None``: such an event has no score, NaN.

    Raises
    ------
    InputError
        If it is no model, inputs, output or column do not fit to it, or ``onnxruntime`` is not installed.

    Notes
    -----
    A score that knows the mass shapes what passes a cut on it: ``coffea-ddp validate`` shows by how much.

    Examples
    --------
    >>> from coffea_ddp.plan.observables import met, pt_l0
    >>> OnnxScore(b"weights", inputs=(met, pt_l0))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    coffea_ddp.errors.InputError: OnnxScore: 7 bytes that are no model in ONNX format (...
    """

    model: bytes = field(repr=False)
    inputs: tuple[Feature, ...]
    output: str = ""
    column: int | None = None
    nan: float | None = None

    def __init__(
        self,
        model: bytes | str | Path,
        inputs: Sequence[Feature],
        output: str = "",
        column: int | None = None,
        nan: float | None = None,
    ) -> None:
        """Read the model, and see that everything fits."""
        content = model if isinstance(model, bytes) else _read(model)
        features = all_of("OnnxScore", "inputs", inputs, Feature)
        for name, value in (("model", content), ("inputs", features), ("column", column), ("nan", nan)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "output", _fitting(_session(content), len(features), output, column))

    def __repr__(self) -> str:
        """Return what goes in and out, and which model it is."""
        names = ", ".join(feature.name for feature in self.inputs)
        column = "" if self.column is None else f", column {self.column}"
        return f"OnnxScore({names} -> {self.output}{column}; {len(self.model):,} bytes, sha256 {self.digest[:12]})"

    @property
    def digest(self) -> str:
        """SHA-256 of the model, in hexadecimal digits."""
        return hashlib.sha256(self.model).hexdigest()

    def __call__(self, events: SelectedEvents) -> FloatArray:
        """Return the score of every event, NaN where there is none; shape (n_events,)."""
        return events.once(self, lambda: self.of([feature.values(events) for feature in self.inputs]))

    def of(self, columns: Sequence[FloatArray]) -> FloatArray:
        """Return the scores of values of the inputs; shape (n,) each, and of what is returned.

        Raises
        ------
        InputError
            If the model does not give one number an event.
        """
        values = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns])
        known = ~np.isnan(values)
        if self.nan is not None:
            values = np.where(known, values, self.nan)
        usable = np.ones(len(values), bool) if self.nan is not None else known.all(axis=1)
        out = np.full(len(values), np.nan)
        out[usable] = _scores(_session(self.model), values[usable], self.output, self.column)
        return out

    def feature(self, name: str, label: str = "", *, low: float = 0.0, high: float = 1.0) -> Feature:
        """Return the score as a feature.

        Parameters
        ----------
        name, label
            Of the feature; the label is the name by default.
        low, high
            Range of its axis.
        """
        return Feature(name, label or name, "", self, low, high)

    def above(self, cut: float) -> ScoreAbove:
        """Return the property of events to have a score above ``cut``, as the predicate of a topology."""
        return ScoreAbove(self, float(cut))


@dataclass(frozen=True)
class ScoreAbove:
    """Events whose score is above a cut; events without a score fail.

    Parameters
    ----------
    score
        The score.
    cut
        What it is above of.

    Examples
    --------
    >>> import numpy as np
    >>> ScoreAbove(lambda events: np.array([0.95, 0.2, np.nan]), 0.9)(None)
    array([ True, False, False])
    """

    score: OnnxScore
    cut: float

    def __call__(self, events: SelectedEvents) -> BoolArray:
        """Return which events pass, shape (n_events,)."""
        return np.asarray(self.score(events) > self.cut)


class _Port(NamedTuple):
    """An input or output of a model: its name, type and shape (names, or ``None``, for free lengths)."""

    name: str
    type: str
    shape: tuple[Any, ...]


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"OnnxScore: {path}: {error.strerror or error}; give a model's bytes or the path of its file"
        ) from error


@lru_cache(maxsize=8)
def _session(model: bytes) -> Any:
    """Return a session of one thread."""
    try:
        import onnxruntime  # an extra
    except ImportError as error:
        raise InputError(
            "OnnxScore needs the package onnxruntime, on workers too: pip install 'coffea-ddp[onnx]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InputError(
            f"OnnxScore: {len(model):,} bytes that are no model in ONNX format ({describe(error)}); export the network "
            "with torch.onnx.export, skl2onnx, tf2onnx or the like, its weights in the same file"
        ) from error


def _ports(found: Sequence[Any]) -> list[_Port]:
    return [_Port(one.name, one.type, tuple(one.shape)) for one in found]


def _fitting(session: Any, n_inputs: int, output: str, column: int | None) -> str:
    """Return the name of the output, when inputs, output and column are seen to fit to a model."""
    inputs, outputs = _ports(session.get_inputs()), _ports(session.get_outputs())
    of = {port.name: port for port in outputs if port.type in _TYPES}
    wrong = [port for port in inputs if port.type not in _TYPES or len(port.shape) not in {1, 2}]
    takes = ", ".join(f"{port.name} {list(port.shape)} of {port.type}" for port in inputs)
    if wrong or not inputs:
        raise InputError(f"OnnxScore: the model takes {takes or 'nothing'}; {_ANY} of float or double")
    widths = [port.shape[1] if len(port.shape) == 2 and isinstance(port.shape[1], int) else 1 for port in inputs]
    free = len(inputs) == 1 and len(inputs[0].shape) == 2 and not isinstance(inputs[0].shape[1], int)
    if not free and (sum(widths) if len(inputs) == 1 else len(inputs)) != n_inputs:
        raise InputError(f"OnnxScore: {n_inputs} features for a model that takes {takes}; {_ANY}")
    if len(inputs) > 1 and max(widths) > 1:
        raise InputError(f"OnnxScore: the model takes {takes}; {_ANY}")
    if output and output not in of:
        raise InputError(f"OnnxScore: no output {output!r} of numbers; there are: {', '.join(of) or 'none'}")
    if not output and len(of) != 1:
        raise InputError(f"OnnxScore: give output=..., one of: {', '.join(of) or 'none'}")
    name = output or next(iter(of))
    width = of[name].shape[1] if len(of[name].shape) == 2 else 1
    if isinstance(width, int) and not (width == 1 or (column is not None and 0 <= column < width)):
        raise InputError(f"OnnxScore: output {name!r} has {width} columns; give column=0 ... {width - 1}")
    return name


def _scores(session: Any, values: FloatArray, output: str, column: int | None) -> FloatArray:
    """Return the scores of events that have all inputs, shape (n,)."""
    inputs = _ports(session.get_inputs())
    length = inputs[0].shape[0] if inputs[0].shape else None
    at_once = length if isinstance(length, int) else EVENTS
    found = [np.zeros(0)]
    for first in range(0, len(values), at_once):
        part = values[first : first + at_once]
        # A model for batches of one length gets the last one filled up.
        filled = np.pad(part, ((0, at_once - len(part)), (0, 0))) if isinstance(length, int) else part
        try:
            (answer,) = session.run([output], _fed(inputs, filled))
        except Exception as error:
            raise InputError(
                f"OnnxScore: the model fails on {len(filled)} events with {values.shape[1]} inputs ({describe(error)})"
            ) from error
        found.append(_one_each(np.asarray(answer), len(filled), output, column)[: len(part)])
    return np.concatenate(found)


def _fed(inputs: Sequence[_Port], values: FloatArray) -> dict[str, AnyArray]:
    """Return what a model is given: the columns together, or one input each."""
    if len(inputs) == 1 and len(inputs[0].shape) == 2:
        return {inputs[0].name: values.astype(_TYPES[inputs[0].type])}
    return {
        port.name: values[:, i : i + 1].astype(_TYPES[port.type]).reshape((-1, 1)[: len(port.shape)])
        for i, port in enumerate(inputs)
    }


def _one_each(answer: AnyArray, n: int, output: str, column: int | None) -> FloatArray:
    scores = answer[:, column] if column is not None and answer.ndim == 2 and column < answer.shape[1] else answer
    if scores.size != n:
        raise InputError(
            f"OnnxScore: output {output!r} has shape {answer.shape} for {n} events; it must be one number an event"
            + (", give column=..." if answer.ndim == 2 and column is None else "")
        )
    return np.asarray(scores, dtype=np.float64).reshape(n)
