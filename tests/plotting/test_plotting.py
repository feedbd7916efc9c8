"""Figures: what is drawn is what was given, whoever draws it, and it looks as it did.

New baselines, to be looked at before kept:
``pytest tests/plotting/test_plotting.py --mpl-generate-path=tests/plotting/baseline``.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.stats import norm

import coffea_ddp as ddp
from coffea_ddp import plotting, stats
from coffea_ddp.errors import InputError
from coffea_ddp.plotting.style import StyledFigure

# Letters are set differently by other versions.
looks = pytest.mark.skipif(
    mpl.__version_info__[:2] != (3, 11),
    reason="tests/plotting/baseline was drawn by matplotlib 3.11: make it anew with yours",
)
image = pytest.mark.mpl_image_compare(savefig_kwargs={"dpi": 60})

EDGES = np.linspace(0, 200, 41)
CENTRES = (EDGES[1:] + EDGES[:-1]) / 2
X, Y = np.linspace(0, 300, 31), np.linspace(0, 200, 21)
LABEL = "made up, 16.4 fb$^{-1}$ (13 TeV)"
few = settings(max_examples=8)
counts = arrays(np.int64, st.integers(1, 6), elements=st.integers(0, 10**6))
pairs = st.integers(1, 6).flatmap(lambda n: st.tuples(*[arrays(np.int64, n, elements=st.integers(0, 500))] * 2))
kappas = st.sampled_from([0.25, 0.5, 1.0, 2.0, 3.0])


def two_sides() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rng = np.random.default_rng(1)
    expected = 2000 * np.exp(-CENTRES / 40) + 3000 * np.exp(-0.5 * ((CENTRES - 91) / 3) ** 2)
    excess = 0.5 * np.exp(-0.5 * ((CENTRES - 125) / 6) ** 2)
    return rng.poisson(expected), rng.poisson(expected * (1 + excess))


def two_matrices() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rng = np.random.default_rng(2)
    x, y = np.meshgrid((X[1:] + X[:-1]) / 2, (Y[1:] + Y[:-1]) / 2, indexing="ij")
    expected = 60 * np.exp(-x / 80 - y / 60)
    excess = 6 * np.exp(-0.5 * ((x - 150) / 20) ** 2 - 0.5 * ((y - 90) / 20) ** 2)
    return rng.poisson(expected), rng.poisson(expected + excess)


def picture(figure: Figure, dpi: int = 30) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    return file.getvalue()


def edges_of(n_bins: int) -> NDArray[np.float64]:
    return np.linspace(0, 10, n_bins + 1)


def bars(figure: Figure, panel: int) -> NDArray[np.float64]:
    return np.array([bar.get_height() for bar in figure.axes[panel].containers[0]])


def points(figure: Figure, panel: int) -> NDArray[np.float64]:
    return np.asarray(figure.axes[panel].containers[-1].lines[0].get_xydata())


# -- how they look -------------------------------------------------------------------------------------------


@looks
@image
def test_overlay_looks() -> Figure:
    a, b = two_sides()
    sides = ("ee", "μμ")
    return plotting.overlay(a, b, EDGES, xlabel="$m_{ll}$ [GeV]", sides=sides, title="e ↔ μ, two leptons", label=LABEL)


@looks
@image
def test_overlay_of_another_ratio_looks() -> Figure:
    a, b = two_sides()
    title = "opposite charges, exactly one b jet and missing transverse energy above 50 GeV, inclusive otherwise"
    return plotting.overlay(a[20:], b[20:] // 2, EDGES[20:], xlabel="m [GeV]", kappa=0.5, title=title, label=LABEL)


@looks
@image
def test_matrices_look() -> Figure:
    a, b = two_matrices()
    axes = {"xlabel": "$m_{coll}$ [GeV]", "ylabel": "$p_T$ of the muon [GeV]"}
    return plotting.matrices(a, b, X, Y, **axes, rectangle=(12, 18, 6, 12), title="The best sub-matrix", label=LABEL)


@looks
@image
def test_spectrum_looks() -> Figure:
    rng = np.random.default_rng(3)
    edges = np.linspace(60, 160, 101)
    mass = (edges[1:] + edges[:-1]) / 2
    bump = np.exp(-0.5 * ((mass - 125) / 2) ** 2)
    events, z = rng.poisson(4000 * np.exp(-mass / 30) + 60 * bump), rng.normal(0, 0.8, 100) + 5.6 * bump
    z[[*range(6), *range(26, 36), *range(94, 100)]] = np.nan
    masks = [(86, 96, "Z"), (150, 151, "narrow")]
    marked = {"position": 125.2, "width": 2.1, "masks": masks, "z_error": np.full(100, 0.6)}
    marked["background"] = 4000 * np.exp(-mass / 30)
    return plotting.spectrum(events, edges, z, **marked, xlabel="m(μμ) [GeV]", title="Two muons", label=LABEL)


@looks
@image
def test_z_distribution_looks() -> Figure:
    z = np.random.default_rng(4).normal(size=20_000)
    edges = np.linspace(-5, 5, 51)
    looked = np.histogram(np.append(z, [6.2, 7.4, 9.0]), np.concatenate([[-np.inf], edges, [np.inf]]))[0]
    return plotting.z_distribution(looked, edges, title="z of all trials", label=LABEL)


@looks
@image
def test_null_looks() -> Figure:
    sample = np.random.default_rng(5).chisquare(12, 1000)
    return plotting.null(sample, 31.2, dof=12, p_text="p = 0.003 (permutations)", title="NPLM, kernels", label=LABEL)


@looks
@image
def test_map_of_the_log_ratio_looks() -> Figure:
    x = np.random.default_rng(6).exponential(1, (8000, 2))
    values = 0.6 * np.exp(-8 * ((x - [1.5, 1]) ** 2).sum(axis=1)) - 0.1 * x[:, 0]
    return plotting.log_ratio(x, values, labels=["m [100 GeV]", "$p_T$ [100 GeV]"], title="Learned", label=LABEL)


@looks
@image
def test_what_was_learned_looks() -> Figure:
    a, b = two_sides()
    null = (a + b) * a.sum() / (a + b).sum()
    bump = 0.2 * np.exp(-0.5 * ((CENTRES - 125) / 6) ** 2)
    found = null * (1 - bump), (a + b - null) * (1 + bump)
    return plotting.learned(EDGES, a, b, *found, null, xlabel="m [GeV]", sides=("ee", "μμ"), title="Learned by NPLM")


@looks
@image
def test_curves_look() -> Figure:
    z = np.linspace(0, 6, 13)
    lines = {name: norm.cdf(k * z - 1.64) for name, k in (("N_sigma", 0.7), ("sub-matrices", 0.9), ("NPLM", 1.0))}
    bands = {"NPLM": (lines["NPLM"] - 0.04, lines["NPLM"] + 0.04)}
    words = {"xlabel": "injected z", "ylabel": "power at p < 0.05", "title": "What would be found", "label": LABEL}
    return plotting.curves(z, lines, bands=bands, levels=[(0.05, "nothing there")], **words)


@looks
@image
def test_table_looks() -> Figure:
    z = np.random.default_rng(7).normal(0, 1.3, (3, 7))
    z[1, 3], z[2, 2] = np.nan, 6.4
    columns = ["inclusive", "1 jet", "2 jets", "≥ 3 jets", "b jet", "tau", "photon"]
    return plotting.table(z, ["e ↔ μ", "charge", "forward ↔ backward"], columns, title="z of the best", label=LABEL)


# -- what is drawn is what was given -------------------------------------------------------------------------


@few
@given(pairs, kappas)
def test_pulls_and_ratios_are_their_closed_forms(pair: Any, kappa: float) -> None:
    a, b = pair
    figure = plotting.overlay(a, b, edges_of(len(a)), xlabel="x", kappa=kappa)
    with np.errstate(invalid="ignore"):
        pulls = np.nan_to_num((b - kappa * a) / np.sqrt(kappa * (a + b)))
    assert_allclose(bars(figure, 2), pulls)
    assert_allclose(points(figure, 1)[:, 1], (b[a > 0] / (kappa * a[a > 0])))
    assert_allclose(points(figure, 0)[:, 1], b)


@few
@given(pairs, kappas)
def test_pulls_mirror_when_the_sides_are_swapped(pair: Any, kappa: float) -> None:
    a, b = pair
    there = plotting.overlay(a, b, edges_of(len(a)), xlabel="x", kappa=kappa)
    back = plotting.overlay(b, a, edges_of(len(a)), xlabel="x", kappa=1 / kappa)
    assert_allclose(bars(there, 2), -bars(back, 2), atol=1e-12)
    assert_allclose(there.axes[2].get_ylim(), back.axes[2].get_ylim())


def test_weights_have_their_variances() -> None:
    a, b, v = np.array([2.5, -0.5, 0.0]), np.array([4.0, 1.0, 0.0]), np.array([1.5, 0.5, 0.0])
    figure = plotting.overlay(a, b, edges_of(3), xlabel="x", variances=(v, v))
    assert_allclose(bars(figure, 2), [1.5 / np.sqrt(3), 1.5, 0.0])
    assert picture(figure)


def test_kappa_may_differ_from_bin_to_bin() -> None:
    kappa = np.array([0.5, 2.0])
    figure = plotting.overlay([10, 10], [5, 20], edges_of(2), xlabel="x", kappa=kappa)
    assert_allclose(bars(figure, 2), 0.0, atol=1e-12)
    assert_allclose(points(figure, 1)[:, 1], 1.0)


@few
@given(st.data())
def test_matrices_are_what_was_given_and_the_rectangle_is_at_its_edges(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    a, b = (data.draw(arrays(np.int64, shape, elements=st.integers(0, 50))) for _ in range(2))
    x, y = np.cumsum(np.arange(1.0, shape[0] + 2)), np.cumsum(np.arange(2.0, shape[1] + 3))
    first = [data.draw(st.integers(0, n - 1)) for n in shape]
    stop = [data.draw(st.integers(i + 1, n)) for i, n in zip(first, shape, strict=True)]
    window = first[0], stop[0], first[1], stop[1]
    figure = plotting.matrices(a, b, x, y, xlabel="x", ylabel="y", rectangle=window)
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    shown = {axes: axes.collections[0].get_array() for axes in panels}
    pulls = next(v for axes, v in shown.items() if "significance" in axes.get_title(loc="left"))
    empty = (a + b == 0).T
    assert (pulls.mask == empty).all()
    assert_allclose(pulls[~empty], ((b - a) / np.sqrt(np.maximum(a + b, 1))).T[~empty])
    for axes, side in zip(panels[1:], (a, b), strict=True):
        assert_allclose(shown[axes].filled(0), side.T)
    for axes in panels:
        for patch in axes.patches:
            assert_allclose(patch.get_xy(), (x[first[0]], y[first[1]]))
            assert_allclose(patch.get_width(), x[stop[0]] - x[first[0]])
            assert_allclose(patch.get_height(), y[stop[1]] - y[first[1]])
        assert len(axes.patches) == 2


@pytest.mark.parametrize("largest", [0.2, 7.0])
def test_diverging_colours_are_symmetric_about_0(largest: float) -> None:
    figure = plotting.log_ratio(np.eye(2), [0.1, -largest], labels=["x", "y"])
    scale = figure.axes[0].collections[0].norm
    assert scale.vmin == -scale.vmax
    scale = plotting.table([[largest, -1]], ["r"], ["c", "d"]).axes[0].collections[0].norm
    assert (scale.vmin, scale.vmax) == (-max(largest, 3), max(largest, 3))


def test_z_is_not_drawn_where_nobody_looked() -> None:
    z = np.array([np.nan, 1.0, np.nan, 2.0])
    figure = plotting.spectrum([5, 4, 3, 2], edges_of(4), z, position=5.0, width=1.0)
    steps = figure.axes[1].patches[0]
    assert_allclose(steps.get_data().values, z)
    assert {line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linestyle() == "--"} == {5.0}


def test_the_normal_has_the_total_of_all_trials_and_the_rest_is_noted() -> None:
    edges = np.array([-8.0, 0.0, 8.0])
    figure = plotting.z_distribution([1, 4, 6, 9], edges)
    assert_allclose(figure.axes[0].patches[0].get_data().values, 10, rtol=1e-12)
    assert figure.axes[0].texts[0].get_text().split("\n")[1:] == ["1 below -8", "9 above 8"]
    assert not plotting.z_distribution([4, 6], edges).axes[0].texts


def test_chi2_is_drawn_on_the_scale_of_the_pseudo_experiments() -> None:
    sample = np.random.default_rng(8).chisquare(10, 50_000)
    figure = plotting.null(sample, 12.0, dof=10)
    steps = figure.axes[0].patches[0].get_data()
    x, expected = figure.axes[0].lines[0].get_data()
    middle = (steps.edges[1:] + steps.edges[:-1]) / 2
    there = np.interp(middle, x, expected)
    assert (np.abs(steps.values - there) < 6 * np.sqrt(there + 10)).all()


def test_what_nplm_learned_is_drawn() -> None:
    rng = np.random.default_rng(9)
    x_a, x_b = rng.normal(0, 1, (300, 1)), rng.normal(0.5, 1, (400, 1))
    found = stats.nplm(x_a, x_b, backend="bins", toys=20, seed=1)
    both = np.concatenate([x_a, x_b])
    d = found.histogram(both[:, 0], both, bins=12)
    a, b = (np.histogram(x, d.edges)[0] for x in (x_a, x_b))
    figure = plotting.learned(d.edges, a, b, d.a, d.b, d.null, xlabel="x")
    drawn = [patch.get_data().values for patch in figure.axes[0].patches]
    assert_allclose(drawn[0] + drawn[2], a + b)  # the nulls share out all events
    assert_allclose([drawn[1], drawn[3]], [d.a, d.b])
    assert picture(plotting.log_ratio(both, found.log_ratio(both), labels=["x"]))


# -- whatever is given, whoever draws ------------------------------------------------------------------------


@settings(max_examples=3)
@given(counts)
def test_any_counts_are_drawn(values: NDArray[np.int64]) -> None:
    edges, n = edges_of(len(values)), len(values)
    assert picture(plotting.overlay(values, values[::-1], edges, xlabel="x"))
    assert picture(plotting.spectrum(values, edges, np.where(values > 3, 1.0, np.nan)))
    assert picture(plotting.z_distribution(values, edges))
    assert picture(plotting.matrices(values[:, None], values[::-1, None], edges, [0, 1], xlabel="x", ylabel="y"))
    assert picture(plotting.learned(edges, values, values, values, values, values, xlabel="x"))
    assert picture(plotting.null(values, 3.0, dof=2))
    assert picture(plotting.curves(np.arange(n), {"a": values}, xlabel="x", ylabel="y", log_y=True))


def nothing() -> dict[str, Figure]:
    zero, edges, nan = np.zeros(3), edges_of(3), np.full(3, np.nan)
    return {
        "overlay": plotting.overlay(zero, zero, edges, xlabel="x"),
        "matrices": plotting.matrices(np.zeros((3, 3)), np.zeros((3, 3)), edges, edges, xlabel="x", ylabel="y"),
        "spectrum": plotting.spectrum(zero, edges, nan, z_error=nan),
        "z_distribution": plotting.z_distribution(zero, edges),
        "null": plotting.null([0.0], 0.0, dof=1),
        "log_ratio": plotting.log_ratio(np.zeros((1, 2)), [0.0], labels=["x", "y"]),
        "learned": plotting.learned(edges, zero, zero, zero, zero, zero, xlabel="x"),
        "curves": plotting.curves(zero, {"a": nan}, xlabel="x", ylabel="y", log_y=True),
        "table": plotting.table([[np.nan]], ["row"], ["column"]),
    }


def test_emptiness_is_drawn_without_a_warning() -> None:
    drawn = nothing()
    assert sorted(drawn) == sorted(plotting.__all__)
    for figure in drawn.values():
        assert picture(figure).startswith(b"\x89PNG")


def test_settings_and_open_figures_stay_as_they_are() -> None:
    plain = picture(plotting.overlay([3, 4], [5, 1], edges_of(2), xlabel="x"))
    with mpl.rc_context({"font.size": 31, "axes.facecolor": "black", "savefig.facecolor": "red"}):
        before, open_figures = mpl.rcParams.copy(), plt.get_fignums()
        figure = plotting.overlay([3, 4], [5, 1], edges_of(2), xlabel="x")
        again = picture(figure)
        assert mpl.rcParams.copy() == before
        assert plt.get_fignums() == open_figures
    assert plain == again == picture(figure)


def test_threads_draw_what_one_draws() -> None:
    a, b = two_sides()
    before = mpl.rcParams.copy()

    def draw(k: int) -> bytes:
        return picture(plotting.curves(CENTRES, {"A": a + 100 * k, "B": b}, xlabel="m [GeV]", ylabel="events"))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(draw, range(6))) == [draw(k) for k in range(6)]
    assert mpl.rcParams.copy() == before


def test_a_notebook_shows_the_picture() -> None:
    formatters = pytest.importorskip("IPython.core.formatters")
    figure = plotting.curves([1, 2], {"a": [1, 2]}, xlabel="x", ylabel="y")
    shown, _ = formatters.DisplayFormatter().format(figure)
    assert shown["image/png"] == picture(figure, 110)


def test_a_figure_can_be_sent_and_changed() -> None:
    figure = plotting.curves([1, 2], {"a": [1, 2]}, xlabel="x", ylabel="y")
    sent = pickle.loads(pickle.dumps(figure))
    assert isinstance(sent, StyledFigure)
    assert picture(sent) == picture(figure)
    figure.axes[0].set_ylim(0, 9)
    assert picture(sent) != picture(figure)


@few
@given(st.integers(0, 200), st.integers(0, 130))
def test_title_and_label_stay_apart_and_inside(n_title: int, n_label: int) -> None:
    title, label = ("word " * 40)[:n_title].strip(), ("label " * 40)[:n_label].strip()
    figure = plotting.curves([1, 2], {"a": [1, 2]}, xlabel="x", ylabel="y", title=title, label=label)
    picture(figure, 110)
    figure.draw_without_rendering()
    texts = [t for t in figure.axes[0].get_children() if hasattr(t, "get_text") and t.get_text().strip()]
    # A line left empty for the other text is part of a text's extent, so what counts is the ink: the lines.
    boxes = [t.get_window_extent() for t in texts]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1 for box in boxes)
    if len(texts) == 2 and "\n" not in title + texts[0].get_text():
        assert boxes[0].x1 < boxes[1].x0


def test_dollars_are_mathematics_only_where_they_can_be() -> None:
    bad = "$5 or $x_{$"
    words = {"xlabel": bad, "ylabel": bad, "title": bad, "label": bad, "levels": [(1, bad)]}
    assert picture(plotting.curves([1, 2], {bad: [1, 2], "b": [2, 1]}, **words))
    assert picture(plotting.matrices([[1]], [[2]], [0, 1], [0, 1], xlabel=bad, ylabel=bad, sides=(bad, bad), title=bad))
    assert picture(plotting.table([[1.0]], [bad], [bad], texts=[[bad]], legend=bad))
    assert picture(plotting.spectrum([1], [0, 1], [1.0], masks=[(0.2, 0.8, bad)]))


def test_the_package_brings_it_when_asked() -> None:
    assert ddp.plotting is plotting
    assert "plotting" in dir(ddp)


# -- what cannot be drawn ------------------------------------------------------------------------------------

_TWO = {"edges": [0, 1, 2], "xlabel": "x"}
_PLANE = {"edges_x": [0, 1, 2], "edges_y": [0, 1], "xlabel": "x", "ylabel": "y"}
BAD: dict[str, tuple[Callable[[], Figure], str]] = {
    "shape": (lambda: plotting.overlay([1, 2, 3], [1, 2], **_TWO), r"a has shape \(3,\).*\(2,\)"),
    "nan": (lambda: plotting.overlay([1, np.nan], [1, 2], **_TWO), "a has NaN.*finite"),
    "words": (lambda: plotting.overlay(["x", "y"], [1, 2], **_TWO), "a: not an array of numbers"),
    "negative": (lambda: plotting.overlay([1, -2], [1, 2], **_TWO), "a has negative contents"),
    "fraction": (lambda: plotting.overlay([1, 2.5], [1, 2], **_TWO), "fractional.*give variances"),
    "falling": (lambda: plotting.overlay([1, 2], [1, 2], [0, 2, 1], xlabel="x"), "edges.*must increase"),
    "one edge": (lambda: plotting.overlay([], [], [0], xlabel="x"), "at least two"),
    "kappa": (lambda: plotting.overlay([1, 2], [1, 2], kappa=0, **_TWO), "kappa=0"),
    "kappas": (lambda: plotting.overlay([1, 2], [1, 2], kappa=[1, 1, 1], **_TWO), r"kappa has shape \(3,\)"),
    "variances": (lambda: plotting.overlay([1, 2], [1, 2], variances=[[1, 1]], **_TWO), "give a pair"),
    "turned": (lambda: plotting.matrices([[1, 2]], [[1, 2]], **_PLANE), r"a has shape \(1, 2\).*\(2, 1\)"),
    "outside": (
        lambda: plotting.matrices([[1], [2]], [[1], [2]], rectangle=(0, 3, 0, 1), **_PLANE),
        "not within 2 x 1",
    ),
    "nothing": (lambda: plotting.matrices([[1], [2]], [[1], [2]], rectangle=(1, 1, 0, 1), **_PLANE), "not within"),
    "bins": (lambda: plotting.matrices([[1], [2]], [[1], [2]], rectangle=(0, 1), **_PLANE), "give four bins"),
    "z": (lambda: plotting.spectrum([1, 2], [0, 1, 2], [1]), r"z has shape \(1,\)"),
    "infinite": (lambda: plotting.spectrum([1, 2], [0, 1, 2], [1, np.inf]), "z has infinite.*NaN"),
    "word": (lambda: plotting.spectrum([1, 2], [0, 1, 2], ["a", "b"]), "z: not an array"),
    "error": (lambda: plotting.spectrum([1, 2], [0, 1, 2], [1, 2], z_error=[1, -1]), "z_error has negative"),
    "background": (lambda: plotting.spectrum([1, 2], [0, 1, 2], [1, 2], background=[1]), "background has shape"),
    "width": (lambda: plotting.spectrum([1, 2], [0, 1, 2], [1, 2], width=1), "without a position"),
    "widths": (lambda: plotting.spectrum([1, 2], [0, 1, 2], [1, 2], position=1, width=-1), "width=-1"),
    "position": (lambda: plotting.spectrum([1, 2], [0, 1, 2], [1, 2], position=[1, 2]), "give one finite number"),
    "mask": (lambda: plotting.spectrum([1, 2], [0, 1, 2], [1, 2], masks=[(2, 1, "Z")]), "lower edge"),
    "masks": (lambda: plotting.spectrum([1, 2], [0, 1, 2], [1, 2], masks=[(1, 2)]), "give .low, high, name."),
    "looks": (lambda: plotting.z_distribution([1, 2, 3], [0, 1, 2]), r"counts has shape \(3,\)"),
    "no sample": (lambda: plotting.null([], 1.0), r"sample has shape \(0,\)"),
    "observed": (lambda: plotting.null([1.0], np.nan), "observed=nan: give one finite"),
    "dof": (lambda: plotting.null([1.0], 1.0, dof=0), "dof=0"),
    "features": (lambda: plotting.log_ratio(np.ones((4, 3)), np.ones(4), labels=list("abc")), "one or two features"),
    "labels": (lambda: plotting.log_ratio([1.0], [1.0], labels=["x", "y"]), "2 labels for 1 features"),
    "values": (lambda: plotting.log_ratio([1.0, 2.0], [1.0], labels=["x"]), "values has shape"),
    "null": (lambda: plotting.learned([0, 1], [1], [1], [1], [1], [3], xlabel="x"), "null_a is above"),
    "line": (lambda: plotting.curves([1, 2], {"f": [1]}, xlabel="x", ylabel="y"), r"lines\['f'\] has shape"),
    "points": (lambda: plotting.curves([], {}, xlabel="x", ylabel="y"), "points of the axis"),
    "log": (lambda: plotting.curves([0, 1], {}, xlabel="x", ylabel="y", log_x=True), "without log_x"),
    "band": (lambda: plotting.curves([1], {}, xlabel="x", ylabel="y", bands={"f": ([1],)}), "a lower and an upper"),
    "entries": (lambda: plotting.table([[1, 2]], ["r"], ["c"]), r"values has shape \(1, 2\)"),
    "no rows": (lambda: plotting.table([], [], ["c"]), "at least one of each"),
    "texts": (lambda: plotting.table([[1]], ["r"], ["c"], texts=[["a", "b"]]), "texts do not fit"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told(name: str) -> None:
    call, words = BAD[name]
    with pytest.raises(InputError, match=words):
        call()
