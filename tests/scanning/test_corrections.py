"""Efficiency ratios: arrays, files and correctionlib give the same numbers, and wrong ones say what is wrong."""

from __future__ import annotations

import gzip
import pickle

import hist
import numpy as np
import pytest
from correctionlib import CorrectionSet, schemav2
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from coffea_ddp.errors import FileError, InputError
from coffea_ddp.scanning.corrections import VARIATIONS, EfficiencyRatio, efficiency_ratio
from coffea_ddp.stats import n_sigma

EDGES = [0.0, 50.0, 100.0, 200.0]
PT = hist.axis.Variable(EDGES, name="pt")
ETA = hist.axis.Regular(2, -2.0, 2.0, name="eta")
JETS = hist.axis.Integer(0, 3, name="n_jets")
RATIO = np.array([0.90, 0.95, 1.02])


def binned(values, axis="pt", edges=None, flow="clamp"):
    return schemav2.Binning(
        nodetype="binning", input=axis, edges=edges or EDGES, content=[float(x) for x in values], flow=flow
    )


def correction(name, data, **inputs):
    return schemav2.Correction(
        name=name,
        version=1,
        inputs=[schemav2.Variable(name=each, type=kind) for each, kind in inputs.items()],
        output=schemav2.Variable(name="ratio", type="real"),
        data=data,
    )


def category(name, nodes, default=None):
    items = [schemav2.CategoryItem(key=key, value=node) for key, node in nodes.items()]
    return schemav2.Category(nodetype="category", input=name, content=items, default=default)


def varied(names, default=None):
    return category(
        "systematic", dict(zip(names, map(binned, (RATIO, RATIO + 0.02, RATIO - 0.04)), strict=True)), default
    )


def together(*corrections):
    return schemav2.CorrectionSet(schema_version=2, corrections=list(corrections))


def saved(path, *corrections):
    text = together(*corrections).model_dump_json(exclude_unset=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return str(path)


# -- the ratio -----------------------------------------------------------------------------------------------


@given(
    hnp.arrays(np.float64, (4,), elements=st.floats(0.1, 10)), st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 100)
)
def test_what_it_does_to_kappa(ratio, error, eps, kappa):
    found = EfficiencyRatio(ratio, error)
    np.testing.assert_allclose(found.kappa(kappa), kappa * ratio)
    np.testing.assert_allclose(found.systematic(eps) ** 2, eps**2 + (error / ratio) ** 2)
    np.testing.assert_array_equal(found.systematic(), error / ratio)
    assert found.kappa().shape == found.error.shape == (4,)


def test_it_goes_into_n_sigma():
    """Contents as expected with the efficiency: nothing is left."""
    found = efficiency_ratio((RATIO, 0.01 * RATIO), (PT,))
    a = np.array([10_000.0, 2_000.0, 100.0])
    result = n_sigma(a, 2 * RATIO * a, kappa=found.kappa(2.0), systematic=found.systematic(0.02))
    assert result.statistic == pytest.approx(0)
    assert result.asymmetry == pytest.approx(0)


# -- arrays --------------------------------------------------------------------------------------------------

SOURCES = {
    "list": RATIO.tolist(),
    "array": RATIO,
    "pair": (RATIO, 0.1 * RATIO),
    "one error": (RATIO, 0.1),
    "itself": EfficiencyRatio(RATIO, 0.1 * RATIO),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_arrays(kind):
    found = efficiency_ratio(SOURCES[kind], (PT,))
    np.testing.assert_array_equal(found.ratio, RATIO)
    assert found.error.shape == (3,)
    assert found.error.any() == (kind not in ("list", "array"))


def test_a_list_of_two_is_two_bins_and_a_tuple_is_ratio_and_error():
    assert efficiency_ratio([0.9, 1.1], (ETA,)).ratio.tolist() == [0.9, 1.1]
    with pytest.raises(InputError, match="shape"):
        efficiency_ratio((0.9, 1.1), (ETA,))


def test_files_of_arrays(tmp_path):
    np.save(tmp_path / "r.npy", RATIO)
    np.savez(tmp_path / "r.npz", ratio=RATIO, error=0.1 * RATIO)
    np.savez(tmp_path / "only.npz", ratio=RATIO)
    np.testing.assert_array_equal(efficiency_ratio(tmp_path / "r.npy", (PT,)).ratio, RATIO)
    np.testing.assert_allclose(efficiency_ratio(str(tmp_path / "r.npz"), (PT,)).error, 0.1 * RATIO)
    assert not efficiency_ratio(tmp_path / "only.npz", (PT,)).error.any()


# -- correctionlib -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["c.json", "c.json.gz"])
def test_a_correction_is_taken_at_the_centres_of_the_bins(tmp_path, name):
    path = saved(tmp_path / name, correction("eff", binned(RATIO), pt="real"))
    np.testing.assert_allclose(efficiency_ratio(path, (PT,)).ratio, RATIO)
    for axes, expected in (((PT, ETA), np.repeat(RATIO[:, None], 2, 1)), ((ETA, PT), np.repeat(RATIO[None], 2, 0))):
        two = efficiency_ratio(path, axes)
        np.testing.assert_allclose(two.ratio, expected)
        assert not two.error.any()
    fine = hist.axis.Regular(20, 0, 200, name="pt")
    np.testing.assert_allclose(efficiency_ratio(path, (fine,)).ratio, np.repeat(RATIO, (5, 5, 10)))


def test_a_formula_of_two_inputs():
    formula = schemav2.Formula(nodetype="formula", expression="1+x*y/1000", parser="TFormula", variables=["eta", "pt"])
    source = CorrectionSet(together(correction("f", formula, eta="real", pt="real")))["f"]
    found = efficiency_ratio(source, (PT, ETA)).ratio
    np.testing.assert_allclose(found, 1 + np.array([25, 75, 150])[:, None] * np.array([-1, 1]) / 1000)


@pytest.mark.parametrize("kind", ["int", "real"])
def test_an_integer_axis_is_taken_at_its_values(tmp_path, kind):
    edges = [-0.5, 0.5, 1.5, 2.5]
    path = saved(tmp_path / "c.json", correction("eff", binned(RATIO, "n_jets", edges), n_jets=kind))
    np.testing.assert_allclose(efficiency_ratio(path, (JETS, ETA)).ratio[:, 1], RATIO)


@pytest.mark.parametrize("names", VARIATIONS, ids="-".join)
@pytest.mark.parametrize("default", [None, 7.0])
def test_variations_give_the_error(tmp_path, names, default):
    """With a default every label is accepted: only the description tells which ones mean something."""
    source = correction("eff", varied(names, default), pt="real", systematic="string")
    found = efficiency_ratio(saved(tmp_path / "c.json", source), (PT,))
    np.testing.assert_allclose(found.ratio, RATIO)
    np.testing.assert_allclose(found.error, 0.03)
    loaded = pickle.loads(pickle.dumps(CorrectionSet(together(source))["eff"]))
    np.testing.assert_array_equal(efficiency_ratio(loaded, (PT,)).error, found.error)


def test_a_string_with_one_value_takes_it(tmp_path):
    data = category("year", {"2018": varied(VARIATIONS[0])})
    path = saved(tmp_path / "c.json", correction("eff", data, year="string", systematic="string", pt="real"))
    found = efficiency_ratio(path, (PT,))
    np.testing.assert_allclose(found.ratio, RATIO)
    np.testing.assert_allclose(found.error, 0.03)


def test_a_stack_of_corrections(tmp_path):
    one, two = correction("one", binned(RATIO), pt="real"), correction("two", binned([2, 2, 2]), pt="real")
    stack = schemav2.CompoundCorrection(
        name="both",
        inputs=[schemav2.Variable(name="pt", type="real")],
        output=schemav2.Variable(name="ratio", type="real"),
        inputs_update=[],
        input_op="*",
        output_op="*",
        stack=["one", "two"],
    )
    data = schemav2.CorrectionSet(schema_version=2, corrections=[one, two], compound_corrections=[stack])
    (tmp_path / "c.json").write_text(data.model_dump_json(exclude_unset=True))
    np.testing.assert_allclose(efficiency_ratio(f"{tmp_path}/c.json:both", (PT,)).ratio, 2 * RATIO)


def test_one_of_several_corrections(tmp_path):
    one, two = correction("one", binned(RATIO), pt="real"), correction("two", binned(2 * RATIO), pt="real")
    path = saved(tmp_path / "c.json", one, two)
    np.testing.assert_allclose(efficiency_ratio(f"{path}:two", (PT,)).ratio, 2 * RATIO)
    with pytest.raises(InputError, match=r"c.json: more than one correction: it holds one, two; say which"):
        efficiency_ratio(path, (PT,))
    with pytest.raises(InputError, match="no 'three': it holds one, two"):
        efficiency_ratio(f"{path}:three", (PT,))
    (tmp_path / "with:colon.json").write_text((tmp_path / "c.json").read_text())
    np.testing.assert_allclose(efficiency_ratio(f"{tmp_path}/with:colon.json:one", (PT,)).ratio, RATIO)


# -- what is refused -----------------------------------------------------------------------------------------


def test_what_does_not_fit_is_left_alone_or_refused(tmp_path):
    path = saved(tmp_path / "c.json", correction("eff", binned(RATIO), pt="real"))
    assert efficiency_ratio(path, (ETA,), missing_ok=True) is None
    with pytest.raises(InputError, match=r"c.json: correction 'eff' has an input 'pt', and .* the axes 'eta'"):
        efficiency_ratio(path, (ETA,))
    assert efficiency_ratio(RATIO, (ETA,), missing_ok=True) is None
    with pytest.raises(InputError, match=r"shape \(3,\) for bins of shape \(2,\)"):
        efficiency_ratio(RATIO, (ETA,))


@pytest.mark.parametrize(
    ("data", "inputs", "message"),
    [
        (varied(("a", "b", "c")), {"systematic": "string"}, r"'systematic' \(known: a, b, c\) is no variation"),
        (binned([1, 0, 1]), {}, "efficiency ratio 0"),
        (binned(RATIO, edges=[60.0, 70.0, 80.0, 90.0], flow="error"), {}, "cannot be evaluated in the bins of 'pt'"),
    ],
    ids=["strings", "zero", "range"],
)
@pytest.mark.parametrize("missing_ok", [False, True])
def test_bad_corrections(tmp_path, data, inputs, message, missing_ok):
    path = saved(tmp_path / "c.json", correction("eff", data, pt="real", **inputs))
    with pytest.raises(InputError, match=message):
        efficiency_ratio(path, (PT,), missing_ok=missing_ok)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([1.0, 0.0, 1.0], r"efficiency ratio 0 at bin \(1,\)"),
        ([1.0, np.nan, 1.0], "above 0"),
        (([1.0, 1.0, 1.0], [0.1, -0.1, 0.1]), "efficiency error -0.1"),
        (([1.0, 1.0, 1.0], [0.1, 0.1]), "give one each"),
        (["x", "y", "z"], "not an array"),
        ([[1.0], [1.0, 2.0]], "not an array"),
    ],
)
def test_bad_arrays(source, message):
    with pytest.raises(InputError, match=message):
        efficiency_ratio(source, (PT,))


def test_bad_files(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        efficiency_ratio(tmp_path / "none.json", (PT,))
    for name in ("bad.json", "bad.json.gz", "bad.npy", "bad.npz", "bad.txt"):
        (tmp_path / name).write_text("{")
        with pytest.raises(FileError, match=f"{name}.*(cannot be read|end in)"):
            efficiency_ratio(tmp_path / name, (PT,))
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(FileError, match="cannot be read"):
        efficiency_ratio(tmp_path / "objects.npy", (PT,))
    np.savez(tmp_path / "other.npz", x=RATIO)
    with pytest.raises(InputError, match=r"other.npz: it holds x; `ratio` is missing"):
        efficiency_ratio(tmp_path / "other.npz", (PT,))
    saved(tmp_path / "empty.json")
    with pytest.raises(InputError, match="it holds no correction"):
        efficiency_ratio(tmp_path / "empty.json", (PT,))
