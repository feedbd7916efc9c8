"""Every public function on arrays is given what people have: the same numbers come out, or an error that says why not.

A function that is public without a place in :data:`EXAMPLES` (:data:`FIGURES` for plotting) fails here.
"""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from coffea_ddp import plotting, stats
from coffea_ddp.errors import DDPError, InputError
from coffea_ddp.stats import checks

RNG = np.random.default_rng(5)
FALLING = RNG.poisson(3000 * np.exp(-np.arange(30) / 8)).astype(np.float64)


class Example(NamedTuple):
    """A valid call.

    Attributes
    ----------
    call
        The function.
    arrays
        Its arguments that are arrays of counts, and of any numbers; by their names.
    options
        All its other arguments; their defaults tell which kind of option each is.
    counts
        Which of the arrays are counts.
    """

    call: Callable[..., Any]
    arrays: Mapping[str, Any]
    options: Mapping[str, Any] = {}
    counts: tuple[str, ...] = ()


def _nplm_log_ratio(x: Any) -> Any:
    return stats.nplm(X_A, X_B, backend="bins", toys=0).log_ratio(x)


def _nplm_histogram(values: Any, x: Any, bins: Any) -> Any:
    return stats.nplm(X_A, X_B, backend="bins", toys=0).histogram(values, x, bins)


A, B = np.array([[10, 0, 4], [5, 8, 3]]), np.array([[20, 0, 3], [5, 18, 2]])
X_A, X_B = RNG.choice(1_000, 40, replace=False), RNG.choice(1_000, 50, replace=False)
CENTRES, EDGES = np.arange(1, 14), np.arange(31)
WORK = {"toys": 20, "seed": 3}

EXAMPLES = {
    "asymmetry_limit": Example(
        stats.asymmetry_limit,
        {"n_a": [10, 4], "n_b": [20, 0], "kappa": [1, 2], "kappa_error": [0, 1]},
        {"level": 0.9},
        ("n_a", "n_b"),
    ),
    "asimov_l1": Example(stats.asimov_l1, {"background": [100, 50], "signal": [10, 20]}),
    "asimov_l2": Example(stats.asimov_l2, {"background": [100, 50], "signal": [10, 20]}, {"kappa": 2.0}),
    "best_rectangles": Example(
        stats.best_rectangles,
        {"a": A, "b": B},
        {"kappa": 2.0, "statistic": "nsigma", "alternative": "greater"},
        ("a", "b"),
    ),
    "bump_scores": Example(
        stats.bump_scores, {"counts": FALLING, "edges": EDGES, "width": np.full(30, 2)}
    ),
    "bump_fit": Example(
        stats.bump_fit,
        {"counts": FALLING, "edges": EDGES, "width": np.full(30, 2)},
        {"background": "polynomial", "orders": (2, 3), "collision_energy": 5e3},
    ),
    "bump_significance": Example(
        stats.bump_significance,
        {"counts": FALLING, "edges": EDGES, "width": np.full(30, 2)},
        {"mask": np.arange(30) == 20, "toys": 5, "seed": 3, "most": 3, "finder": None, "backend": "numpy"},
        ("counts",),
    ),
    "classifier_test": Example(
        stats.classifier_test, {"x_a": X_A, "x_b": X_B}, {"learner": "kernel", "folds": 3, "shares": None, **WORK}
    ),
    "common_ratio": Example(
        stats.common_ratio, {"n_a": np.arange(12) * 50, "n_b": np.arange(12) * 80}, {"kappa": 1.5}
    ),
    "common_factor": Example(stats.common_factor, {"counts": np.arange(12) * 10}),
    "effective_counts": Example(
        stats.effective_counts, {"contents": [4, 9, 1], "variances": [5, 8, 1], "widths": [1, 2, 1]}
    ),
    "poisson_dispersion": Example(stats.poisson_dispersion, {"counts": np.maximum(FALLING, 9)}),
    "estimate_kappa": Example(
        stats.estimate_kappa, {"n_a": [100, 40], "n_b": [120, 7], "variance_a": [90, 30], "variance_b": [110, 6]}
    ),
    "expected_sensitivity": Example(
        stats.expected_sensitivity,
        {"background": [20, 30, 25], "template": [0, 1, 2], "z": [0, 3]},
        {"kind": "l1", "kappa": 2.0, "statistic": "nsigma", "alternative": "greater", **WORK},
    ),
    "expected_p": Example(
        stats.expected_p,
        {"counts": [1, 20, 3], "expected": [2, 3, 4], "error": [1, 0, 2]},
        {"excess": None},
        ("counts",),
    ),
    "ideal_significance": Example(
        stats.ideal_significance, {"counts": [4, 20, 6, 3], "background": [5, 6, 7, 8], "sigma": [1, 1, 2, 2]}
    ),
    "local_p": Example(stats.local_p, {"p_global": [0, 1]}, {"trials": 3.0}),
    "n_sigma": Example(
        stats.n_sigma,
        {"a": A, "b": B, "kappa": [1, 2], "kappa_error": [0, 1], "systematic": [0, 1, 0]},
        {"variance_a": None, "variance_b": None, "batch_ndim": 1, "empty": "all"},
        ("a", "b"),
    ),
    "n_sigma with weights": Example(
        stats.n_sigma,
        {"a": [4, 1], "b": [9, 2], "variance_a": [5, 1], "variance_b": [8, 1]},
        {"kappa": 1.0, "kappa_error": 0.1, "systematic": 0.1, "batch_ndim": 0, "empty": "skip"},
    ),
    "n_sigma_expected": Example(
        stats.n_sigma_expected,
        {"data": [4, 20, 6], "expected": [5, 6, 7], "variance": [1, 2, 3], "shifts": [[1, 2, 3]]},
        {},
        ("data",),
    ),
    "nplm": Example(stats.nplm, {"x_a": X_A, "x_b": X_B}, {"backend": "bins", "shares": None, **WORK}),
    "nplm log_ratio": Example(_nplm_log_ratio, {"x": [1, 5, 9]}),
    "nplm histogram": Example(_nplm_histogram, {"values": [1, 5, 9], "x": [2, 3, 4], "bins": [0, 4, 12]}),
    "nplm_counts": Example(
        stats.nplm_counts,
        {"centres": CENTRES, "a": np.full(13, 30), "b": np.arange(30, 43)},
        {"backend": "kernel", **WORK},
        ("a", "b"),
    ),
    "nplm_reference": Example(
        stats.nplm_reference,
        {"x_a": X_A, "x_b": X_B},
        {"weight_clipping": 9.0, "expected": 40.0, "backend": "bins", **WORK},
    ),
    "p_from_z": Example(stats.p_from_z, {"z": [1, 2]}, {"two_sided": True}),
    "permutation_p": Example(stats.permutation_p, {"sample": np.arange(100)}, {"z": 3.0, "seed": 1}),
    "q0_l1": Example(
        stats.q0_l1,
        {"b": [16, 4], "background": [9, 5], "signal": [1, 2]},
        {"one_sided": True, "bins_ndim": 1},
        ("b",),
    ),
    "q0_l2": Example(
        stats.q0_l2,
        {"a": [[16, 4], [3, 4]], "b": [[9, 5], [3, 4]], "signal": [1, 2], "kappa": [1, 2]},
        {"one_sided": True, "bins_ndim": 1},
        ("a", "b"),
    ),
    "relabel": Example(
        stats.relabel,
        {"n": [10, 4], "kappa": [1, 2], "spread": [1, 0]},
        {"n_b": None, "common": 0.1, "seed": 3, "key": "x", "block": 0},
        ("n",),
    ),
    "relabel of fixed size": Example(
        stats.relabel,
        {"n": [10, 4]},
        {"kappa": None, "spread": None, "n_b": 5, "common": None, "seed": 3, "key": "x", "block": 0},
        ("n",),
    ),
    "scan_submatrices": Example(
        stats.scan_submatrices,
        {"a": A, "b": B},
        {
            "kappa": 2.0,
            "kappa_error": 0.1,
            "systematic": 0.0,
            "statistic": "counts",
            "alternative": "less",
            "null": "binomial",
            "edges": ([0, 1, 2], [0, 1, 2, 3]),
            **WORK,
        },
        ("a", "b"),
    ),
    "holm": Example(stats.holm, {"p": [0, 1]}, {}),
    "sidak": Example(stats.sidak, {"p": [0, 1]}, {"trials": 3.0}),
    "sidak_z": Example(stats.sidak_z, {"z": [4, 7]}, {"trials": 3.0, "two_sided": True}),
    "signal_limit": Example(
        stats.signal_limit,
        {"a": [[16, 4], [3, 4]], "b": [[9, 5], [3, 4]], "signal": [1, 2], "kappa": [1, 2], "kappa_error": [0, 1]},
        {"level": 0.9, "toys": 0, "seed": 3, "bins_ndim": 1},
        ("a", "b"),
    ),
    "signal_for_z": Example(
        stats.signal_for_z, {"background": [100, 50], "signal": [10, 20], "z": [1, 5]}, {"kind": "l2", "kappa": 2.0}
    ),
    "z_from_p": Example(stats.z_from_p, {"p": [1, 1]}, {"two_sided": False}),
    "BinSolver": Example(stats.BinSolver, {}, {"bins": 5, "equal": "width", "ridge": 0.5, "score": True}),
    "FourierSolver": Example(
        stats.FourierSolver, {"widths": [1, 3]}, {"features": 20, "ridge": 1.0, "score": False}
    ),
    "KernelSolver": Example(stats.KernelSolver, {"widths": [1, 3]}, {"centres": 20, "ridge": 1.0, "score": False}),
    "SplineSolver": Example(stats.SplineSolver, {}, {"knots": 5, "ridge": 0.5, "score": True}),
    "NetworkSolver": Example(
        stats.NetworkSolver,
        {},
        {
            "neurons": 3, "slope": 4.0, "ridge": 0.1, "clipping": 9.0, "restarts": 2, "first": 5, "most": 9,
            "optimizer": "newton", "epochs": 10, "rate": 0.1, "cells": 20, "device": "cpu",
        },
    ),
    "BoostingLearner": Example(stats.BoostingLearner, {}, {"iterations": 5, "leaves": 4, "rate": 0.1}),
    "KernelLearner": Example(stats.KernelLearner, {}, {"centres": 20, "width": 1.0, "ridge": 1.0}),
    "NetworkLearner": Example(stats.NetworkLearner, {}, {"solver": stats.NetworkSolver()}),
}  # fmt: skip
"""A valid call of every function and of every description of a fit; "name and words" are further calls of one."""

RESULTS = {
    "AsymmetryLimit", "BestRectangles", "Bump", "BumpFitResult", "BumpHuntResult", "BumpScores", "ClassifierResult",
    "CommonRatio", "DispersionResult",
    "ExpectedNSigma",
    "KappaResult", "LikelihoodResult", "NPLMResult", "NSigmaResult", "PermutationP", "Sensitivity", "SensitivityRow",
    "SignalLimit",
    "Status", "SubmatrixResult",
}  # fmt: skip
"""What is returned: nothing is given to these."""

X, Y = [0, 1, 3], [0, 2, 5, 6]
FIGURES = {
    "curves": Example(
        plotting.curves,
        {"x": [1, 2, 3]},
        {
            "lines": {"a": [1, 2, 3]}, "bands": {"a": ([1, 1, 1], [2, 3, 4])}, "levels": [(2, "two")], "log_x": True,
            "log_y": False, "xlabel": "x", "ylabel": "y",
        },
    ),
    "learned": Example(
        plotting.learned,
        {"edges": X, "a": [8, 3], "b": [7, 6], "found_a": [7, 4], "found_b": [8, 5], "null_a": [7, 4]},
        {"xlabel": "x", "sides": ("A", "B")},
    ),
    "log_ratio": Example(plotting.log_ratio, {"x": [1, 2, 4], "values": [1, 0, -1]}, {"labels": ["m"]}),
    "matrices": Example(
        plotting.matrices,
        {"a": A.T[:2, :2], "b": B.T[:2, :2], "edges_x": [0, 1, 3], "edges_y": [0, 2, 5], "rectangle": [0, 1, 0, 2]},
        {"xlabel": "x", "ylabel": "y", "sides": ("A", "B"), "kappa": 1.5, "variances": None},
        ("a", "b"),
    ),
    "null": Example(plotting.null, {"sample": [1, 2, 5]}, {"observed": 4.0, "xlabel": "t", "dof": 3.0, "p_text": ""}),
    "overlay": Example(
        plotting.overlay,
        {"a": [4, 9], "b": [9, 1], "edges": X, "kappa": [1, 2]},
        {"xlabel": "x", "sides": ("A", "B"), "variances": None, "log_y": True},
        ("a", "b"),
    ),
    "spectrum": Example(
        plotting.spectrum,
        {"counts": [9, 6, 3], "edges": Y, "z": [0, 1, -1], "z_error": [1, 1, 2], "background": [8, 5, 3]},
        {"xlabel": "m", "position": 3.0, "width": 1.0, "masks": [(0, 1, "Z")]},
    ),
    "table": Example(
        plotting.table,
        {"values": [[1, 2]]},
        {"rows": ["a"], "columns": ["b", "c"], "texts": None, "legend": "z", "limit": 4.0},
    ),
    "z_distribution": Example(plotting.z_distribution, {"counts": [2, 4, 8], "edges": [-1, 0, 1, 2]}),
}  # fmt: skip

_ELSEWHERE = {"progress", "title", "label", "self"}


def _named(name: str) -> str:
    return name.split(" ", maxsplit=1)[0]


@pytest.mark.parametrize(("module", "examples"), [(stats, {**EXAMPLES, **dict.fromkeys(RESULTS)}), (plotting, FIGURES)])
def test_everything_public_has_an_example(module, examples):
    assert {_named(name) for name in examples} == set(module.__all__)


@pytest.mark.parametrize("name", [*EXAMPLES, *(f"plotting.{name}" for name in FIGURES)])
def test_an_example_gives_every_argument(name):
    example = _example(name)
    wanted = set(inspect.signature(example.call).parameters) - _ELSEWHERE
    assert wanted == {*example.arrays, *example.options}


def _example(name: str) -> Example:
    return FIGURES[name.removeprefix("plotting.")] if name.startswith("plotting.") else EXAMPLES[name]


def _call(example: Example, **changed: Any) -> Any:
    arrays = {key: np.array(values, dtype=np.float64) for key, values in example.arrays.items()}
    return example.call(**{**arrays, **example.options, **changed})


def _outcome(example: Example, key: str, value: Any) -> Any:
    """Return the result, or the error."""
    try:
        return _call(example, **{key: value})
    except Exception as error:  # noqa: BLE001 (whatever it is, it is looked at)
        return error


def _unmasked(values: Any) -> Any:
    return np.ma.filled(np.ma.asarray(values).astype(np.float64), np.nan)


def _helps(error: Exception) -> bool:
    text = str(error)
    return len(text) > 15 and any(word in text for word in ("give", "choose", "leave", "there are", "fill"))


def _plain(found: Any) -> Any:
    """Return a result as nested tuples of plain arrays; figures as what is drawn."""
    if hasattr(found, "axes") and hasattr(found, "savefig"):
        return tuple(
            np.asarray(line.get_xydata()) for axes in found.axes for line in axes.lines if len(line.get_xdata()) > 2
        )
    if dataclasses.is_dataclass(found):
        found = tuple(getattr(found, field.name) for field in dataclasses.fields(found))
    if isinstance(found, tuple):
        return tuple(_plain(one) for one in found if not callable(one))
    return found


def _same(found: Any, expected: Any) -> None:
    if isinstance(expected, tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            _same(one, other)
    elif isinstance(expected, str) or expected is None or dataclasses.is_dataclass(expected):
        assert found == expected
    else:
        np.testing.assert_array_equal(found, expected)


def _strided(values: Any) -> Any:
    array = np.asarray(values)
    wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), -7, dtype=array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def _frozen(values: Any) -> Any:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


class _Sub(np.ndarray):
    """Somebody's subclass."""


def _pandas(values: Any) -> Any:
    import pandas as pd

    return pd.Series(values) if np.ndim(values) == 1 else pd.DataFrame(values)


def _torch(values: Any) -> Any:
    torch = pytest.importorskip("torch")
    return torch.as_tensor(np.asarray(values, dtype=np.float64))


def _awkward(values: Any) -> Any:
    import awkward as ak

    return ak.Array(np.asarray(values))


def _hist(values: Any) -> Any:
    import hist

    array = np.asarray(values, dtype=np.float64)
    return hist.Hist(*(hist.axis.Integer(0, n, flow=False) for n in array.shape), data=array)


SAME: dict[str, Callable[[Any], Any]] = {
    "list": lambda v: np.asarray(v).tolist(),
    "tuple": lambda v: tuple(np.asarray(v).tolist()),
    "float32": lambda v: np.asarray(v, np.float32),
    "longdouble": lambda v: np.asarray(v, np.longdouble),
    "int16": lambda v: np.asarray(v, np.int16),
    "big-endian": lambda v: np.asarray(v, ">f8"),
    "big-endian int": lambda v: np.asarray(v, ">i4"),
    "Fortran": lambda v: np.asfortranarray(np.asarray(v, np.float64)),
    "strided": _strided,
    "reversed": lambda v: np.asarray(v, np.float64)[..., ::-1].copy()[..., ::-1],
    "read-only": _frozen,
    "subclass": lambda v: np.asarray(v, np.float64).view(_Sub),
    "nothing masked": np.ma.asarray,
    "objects": lambda v: np.asarray(v).astype(object),
    "decimals": lambda v: np.vectorize(lambda x: Decimal(int(x)), otypes=[object])(np.asarray(v)),
    "fractions": lambda v: np.vectorize(lambda x: Fraction(int(x)), otypes=[object])(np.asarray(v)),
    "pandas": _pandas,
    "torch": _torch,
    "awkward": _awkward,
    "hist": _hist,
}


_DRAWN = ("list", "big-endian int", "strided", "read-only")
"""Figures take their time: these kinds are enough where the check is the same."""


def _first(values: Any, one: Any) -> Any:
    array = np.asarray(values).astype(object)
    array.flat[0] = one
    return array.tolist()


def _masked(values: Any) -> Any:
    array = np.ma.array(values, dtype=np.float64)
    array[(0,) * array.ndim] = np.ma.masked
    return array


def _records(values: Any) -> Any:
    return np.zeros(np.shape(values), dtype=[("value", "f8"), ("variance", "f8")])


def _sparse(values: Any) -> Any:
    from scipy import sparse

    return sparse.csr_matrix(np.atleast_2d(np.asarray(values)))


def _gradient(values: Any) -> Any:
    return _torch(values).requires_grad_()


def _weighted(values: Any) -> Any:
    import hist

    return hist.Hist(*(hist.axis.Integer(0, n) for n in np.shape(values)), storage=hist.storage.Weight())


def _endless(values: Any) -> Any:
    within: list[Any] = [1.0]
    within.append(within)
    return within


def _missing(values: Any) -> Any:
    import awkward as ak

    return ak.Array(_first(values, None))


REFUSED: dict[str, Callable[[Any], Any]] = {
    "complex": lambda v: np.asarray(v) + 1j,
    "complex without imaginary parts": lambda v: np.asarray(v) + 0j,
    "text": lambda v: np.asarray(v).astype(str),
    "bytes": lambda v: np.asarray(v).astype(bytes),
    "text among them": lambda v: _first(v, "3"),
    "dates": lambda v: np.asarray(v).astype("datetime64[s]"),
    "times": lambda v: np.asarray(v).astype("timedelta64[s]"),
    "None among them": lambda v: _first(v, None),
    "bools": lambda v: np.ones(np.shape(v), dtype=bool),
    "unequal lengths": lambda v: [[1.0, 2.0], [3.0]],
    "records": _records,
    "weighted histogram": _weighted,
    "missing": _missing,
    "sparse": _sparse,
    "with a gradient": _gradient,
    "a list within itself": _endless,
    "NaN of decimals that signals": lambda v: _first(v, Decimal("sNaN")),
    "a dictionary": lambda v: {"a": 1},
    "a generator": lambda v: (one for one in (1.0, 2.0)),
    "a word": lambda v: "totally",
    "an object": lambda v: object(),
    "beyond double precision": lambda v: _first(v, 10**400),
}

ALLOWED: dict[str, Callable[[Any], Any]] = {
    "a list of masked arrays": lambda v: [_masked(v), _masked(v)],
    "masked": _masked,
    "NaN": lambda v: _first(v, np.nan),
    "infinite": lambda v: _first(v, np.inf),
    "minus infinity": lambda v: _first(v, -np.inf),
    "negative": lambda v: _first(v, -3.0),
    "huge": lambda v: _first(v, 1e300),
    "tiny": lambda v: _first(v, 5e-324),
    "empty": lambda v: [],
    "empty rows": lambda v: np.zeros((2, 0)),
    "one number": lambda v: 3.0,
    "no dimensions": lambda v: np.array(3),
    "another length": lambda v: np.concatenate([np.asarray(v), np.asarray(v)]),
    "more dimensions": lambda v: np.asarray(v)[None],
    "zeros": lambda v: np.zeros(np.shape(v)),
    "2^63": lambda v: np.full(np.shape(v), 2**63, dtype=np.uint64),
}
"""Refused, or taken as the same numbers in float64 would be; never an error of another kind."""

ARRAYS = [
    (name, key)
    for name, example in [*EXAMPLES.items(), *((f"plotting.{n}", e) for n, e in FIGURES.items())]
    for key in example.arrays
]


@pytest.mark.parametrize(("name", "key"), ARRAYS)
def test_the_same_numbers_give_the_same_result(name, key):
    example = _example(name)
    expected = _plain(_call(example))
    kinds = _DRAWN if name.startswith("plotting.") else tuple(SAME)
    for kind in kinds:
        make = SAME[kind]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = make(example.arrays[key])
        before = np.asarray(values).copy()
        _same(_plain(_call(example, **{key: values})), expected)
        np.testing.assert_array_equal(np.asarray(values), before, err_msg=f"{kind} was changed")


@pytest.mark.parametrize(("name", "key"), ARRAYS)
def test_what_is_not_an_array_of_numbers_is_refused(name, key):
    example = _example(name)
    outcomes = {kind: _outcome(example, key, make(example.arrays[key])) for kind, make in REFUSED.items()}
    assert not {kind: told for kind, told in outcomes.items() if not (isinstance(told, InputError) and _helps(told))}


@pytest.mark.parametrize(("name", "key"), ARRAYS)
def test_odd_numbers_are_refused_or_taken_as_they_are(name, key):
    """Of figures, which take their time, only what is masked is drawn a second time: lists are lists in all of them."""
    example = _example(name)
    for kind, make in ALLOWED.items():
        values = make(example.arrays[key])
        found = _outcome(example, key, values)
        if not isinstance(found, Exception):
            if name.startswith("plotting.") and "masked" not in kind:
                continue
            plain = [_unmasked(one) for one in values] if isinstance(values, list) else _unmasked(values)
            _same(_plain(found), _plain(_call(example, **{key: plain})))
        else:
            assert isinstance(found, InputError), f"{kind}: {found!r}"


@pytest.mark.parametrize(("name", "key"), ARRAYS)
def test_messages_are_one_line_however_long_what_is_given(name, key):
    example = _example(name)
    for bad in (-1.5, np.nan, 1e200):
        for make in (list, _pandas):
            outcome = _outcome(example, key, make([bad] * 3_000))
            if isinstance(outcome, Exception):
                assert isinstance(outcome, InputError)
                assert len(str(outcome)) < 400
                assert "\n" not in str(outcome)


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, e in EXAMPLES.items() for key in e.counts])
def test_what_cannot_be_a_count_is_refused(name, key):
    example = _example(name)
    for bad in (1e19, 2**53, 0.5, -1, np.nan, np.inf):
        with pytest.raises(InputError, match=r"counts are|not count|NaN or infinite"):
            _call(example, **{key: _first(example.arrays[key], bad)})
    single = np.asarray(example.arrays[key], dtype=np.float32)
    single.flat[0] = 2**24
    with pytest.raises(InputError, match=r"float32 does not count beyond 2\^24"):
        _call(example, **{key: single})


_BAD = {
    int: [np.nan, np.inf, -1, 0.5, "3", True, 1j, [1, 2], 2**63, 2**70, object(), np.timedelta64(3)],
    float: [np.nan, "3", True, 1j, [[1], [1, 2]], object(), np.datetime64("2020-01-01")],
    bool: [0, 1, "no", None, np.nan, [True]],
    str: ["?", 3, True, ["a"], b"numpy", object(), np.nan],
}


def _options(examples: Mapping[str, Example]) -> list[tuple[str, str]]:
    return [(name, key) for name, example in examples.items() for key, v in example.options.items() if type(v) in _BAD]


@pytest.mark.parametrize(("name", "key"), [one for one in _options(EXAMPLES) if one[1] != "key"])
def test_options_that_make_no_sense_are_refused(name, key):
    example = _example(name)
    outcomes = {repr(bad): _outcome(example, key, bad) for bad in _BAD[type(example.options[key])]}
    assert not {bad: told for bad, told in outcomes.items() if not (isinstance(told, DDPError) and _helps(told))}


@pytest.mark.parametrize(("name", "key"), [one for one in _options(EXAMPLES) if one[1] != "key"])
def test_numbers_of_numpy_are_options(name, key):
    example = _example(name)
    value = example.options[key]
    if isinstance(value, str):
        given_as = [np.str_(value)]
    elif isinstance(value, bool):
        given_as = [np.bool_(value)]
    else:
        given_as = [np.float64(value), np.array(value)]
        given_as += [np.int16(value), float(value)] if isinstance(value, int) else []
    expected = _plain(_call(example))
    for one in given_as:
        _same(_plain(_call(example, **{key: one})), expected)


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.integers(0, 120), min_size=1, max_size=12),
    kind=st.sampled_from(["<i1", "<u1", ">i2", "<u4", ">i8", "<u8", "<f2", ">f4", "<f8", ">f8", "O"]),
    order=st.sampled_from(["C", "F", "strided", "reversed", "read-only"]),
)
def test_any_type_and_order_is_read_alike(values, kind, order):
    array = np.array(values, dtype=kind)
    if order == "strided":
        array = np.repeat(array, 3)[::3]
    elif order == "reversed":
        array = array[::-1].copy()[::-1]
    elif order == "read-only":
        array.flags.writeable = False
    found = checks.counts(array, "n")
    assert found.dtype == np.float64
    assert found.flags.c_contiguous
    assert found.flags.writeable
    assert not np.shares_memory(found, array)
    assert found.tolist() == values


def test_masked_values_are_nothing_where_nan_means_nothing():
    found = stats.p_from_z(np.ma.array([1.0, -499.9], mask=[False, True]), two_sided=True)
    assert found[0] == pytest.approx(0.3173, abs=1e-4)
    assert np.isnan(found[1])


def test_read_only_spectra_are_compiled_for_once():
    from coffea_ddp.stats.bumphunt.fits.bump_fit import _scan

    example = EXAMPLES["bump_fit"]
    _call(example)
    known = len(_scan.signatures)
    for make in (SAME["read-only"], SAME["strided"], SAME["Fortran"]):
        _call(example, counts=make(FALLING), edges=make(EDGES), width=make(np.full(30, 2)))
    assert len(_scan.signatures) == known


KAPPAS = [
    (name, example)
    for name, example in EXAMPLES.items()
    if {**example.arrays, **example.options}.get("kappa") is not None
]


@pytest.mark.parametrize(("name", "example"), KAPPAS)
@pytest.mark.parametrize("bad", [0, -1, 1e-10, 5e-324, 1e10, 1e99, 1e300, np.nan, np.inf])
def test_no_kappa_is_nearly_nothing_or_nearly_everything(name, example, bad):
    with pytest.raises(InputError, match=r"kappa"):
        _call(example, kappa=bad)
    with pytest.raises(InputError, match=r"kappa"):
        checks.ratios([1.0, bad], "kappa")


@pytest.mark.parametrize("kappa", [1e-9, 1e9])
def test_the_largest_kappa_is_as_good_as_the_smallest(kappa):
    a, b = np.array([3, 9, 4]), np.array([4, 2, 5])
    found = stats.scan_submatrices(a, b, kappa=kappa, toys=0)
    mirrored = stats.scan_submatrices(b, a, kappa=1 / kappa, toys=0)
    assert found.z_value == pytest.approx(-mirrored.z_value, rel=1e-6)
    assert found.bins == mirrored.bins


def test_arrays_without_contents_are_told():
    none = np.zeros((2, 0))
    for call in (
        lambda: stats.best_rectangles(none, none),
        lambda: stats.n_sigma(none, none, batch_ndim=1),
        lambda: stats.q0_l1(none, none, [], bins_ndim=1),
        lambda: stats.estimate_kappa([], []),
        lambda: stats.common_factor([]),
        lambda: stats.poisson_dispersion([]),
        lambda: stats.effective_counts([], []),
        lambda: stats.ideal_significance([], [], 1.0),
        lambda: stats.permutation_p(1.0, []),
    ):
        with pytest.raises(InputError):
            call()


def test_a_batch_of_nothing_is_nothing():
    none = np.zeros((0, 3))
    assert stats.n_sigma(none, none, batch_ndim=1).statistic.shape == (0,)
    assert stats.best_rectangles(none, none).bins.shape == (0, 1, 2)
    assert stats.q0_l1(none, none, [1, 1, 1], bins_ndim=1).q0.shape == (0,)


def test_errors_of_kappa_have_a_shape_even_where_they_are_0():
    for wrong in (np.zeros(5), np.zeros((3, 0)), []):
        with pytest.raises(InputError, match="kappa_error"):
            stats.n_sigma([3, 4], [4, 5], kappa_error=wrong)
        with pytest.raises(InputError, match="kappa_error"):
            stats.n_sigma([3, 40], [4, 5], kappa="totals", kappa_error=wrong)
    with pytest.raises(InputError, match="kappa_error=1000"):
        stats.scan_submatrices([3, 4], [4, 5], kappa_error=1e9)


def test_what_cannot_have_been_measured_is_refused():
    for call in (stats.common_factor, stats.poisson_dispersion):
        with pytest.raises(InputError, match="negative"):
            call([4, -2, 6])
    with pytest.raises(InputError, match="variance_a"):
        stats.estimate_kappa(3.0, 4.0, variance_a=0.0, variance_b=1.0)
    with pytest.raises(InputError, match="background"):
        stats.ideal_significance([3, 4], [5, 1e-200], 1.0)
    with pytest.raises(InputError, match=r"6e\+09 events are too many"):
        stats.nplm_counts([1, 2, 3], [10**9] * 3, [10**9] * 3, toys=5)


def test_bools_are_masks_and_nothing_else_is():
    for bad in ([0, 1], [True], np.ma.array([True, False], mask=[True, False]), "no", None, [[True], [False, True]]):
        with pytest.raises(InputError, match="mask"):
            checks.bools(bad, "mask", [(2,)])


@pytest.mark.parametrize("edges", [[0, 1, 1], [0, 2, 1], [0], [[0, 1]], [0, np.nan, 1], [0, 1, 2, 3]])
def test_edges_increase(edges):
    with pytest.raises(InputError, match="edges"):
        checks.edges(edges, "edges", 2)
