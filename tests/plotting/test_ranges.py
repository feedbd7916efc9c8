"""Ranges hold what a figure is about, intervals are exact, colours keep their meaning for all readers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats as distributions

from coffea_ddp import plotting
from coffea_ddp.plotting import palette
from coffea_ddp.plotting.intervals import TAIL, poisson_interval, ratio_interval
from coffea_ddp.plotting.ranges import contents_scale, filled_range, ratio_scale

counts = st.integers(0, 10_000)


@given(counts)
def test_intervals_of_counts_are_those_of_garwood(n: int) -> None:
    low, high = (end[0] for end in poisson_interval(np.array([float(n)])))
    assert_allclose(distributions.poisson.cdf(n, high), TAIL, rtol=1e-6)
    if n:
        assert_allclose(distributions.poisson.sf(n - 1, low), TAIL, rtol=1e-6)
    else:
        assert low == 0.0


@given(counts, counts)
def test_intervals_of_ratios_are_those_of_clopper_and_pearson(a: int, b: int) -> None:
    low, high = (end[0] for end in ratio_interval(np.array([float(a)]), np.array([float(b)])))
    if not a + b:
        assert np.isnan([low, high]).all()
        return
    exact = distributions.binomtest(b, a + b).proportion_ci(1 - 2 * TAIL, method="exact")
    for end, share in ((low, exact.low), (high, exact.high)):
        assert_allclose(end, share / (1 - share) if share < 1 else np.inf, rtol=1e-6, atol=1e-12)


@given(st.lists(counts, min_size=1, max_size=5), st.floats(0.01, 100))
def test_equal_weights_scale_intervals(values: list[int], weight: float) -> None:
    n = np.array(values, dtype=np.float64)
    scale = weight if n.any() else 1.0  # of no event nobody knows the weight
    for plain, weighted in zip(poisson_interval(n), poisson_interval(weight * n, weight**2 * n), strict=True):
        assert_allclose(weighted, scale * plain, rtol=1e-9, atol=1e-12)
    of_both = ratio_interval(weight * n, 3 * weight * n, (weight**2 * n, 3 * weight**2 * n))
    for plain, weighted in zip(ratio_interval(n, 3 * n), of_both, strict=True):
        assert_allclose(weighted, plain, rtol=1e-9)


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=12))
def test_a_panel_of_ratios_holds_those_that_mean_something(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, dtype=np.float64).T
    with np.errstate(all="ignore"):
        ratio = np.where(a > 0, b / a, np.nan)
    interval = ratio_interval(a, b)
    scale = ratio_scale(ratio, interval)
    assert scale.low < 1 < scale.high
    for value, low, high in zip(ratio, *interval, strict=True):
        if np.isfinite(value) and value > 0.01 and value < 200 and high - low < 1:
            assert scale.low <= value <= scale.high


def test_94_against_8_is_in_its_panel() -> None:
    figure = plotting.overlay([8, 50, 0], [94, 48, 4], [0, 1, 2, 3], xlabel="m [GeV]")
    low, high = figure.axes[1].get_ylim()
    assert low < 0.5
    assert high > 94 / 8
    assert figure.axes[1].get_yscale() == "log"
    quiet = plotting.overlay([800, 500], [810, 480], [0, 1, 2], xlabel="m [GeV]").axes[1]
    assert (quiet.get_yscale(), *quiet.get_ylim()) == ("linear", 0.8, 1.2)


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=6),
    st.integers(0, 20),
    st.integers(0, 20),
    st.floats(-5, 40),
    st.floats(0.1, 10),
)
def test_the_region_is_in_the_range(some: list[int], before: int, after: int, low: float, width: float) -> None:
    values = [0] * before + some + [0] * after
    edges = np.arange(len(values) + 1.0)
    first, last = filled_range(np.array(values), edges, keep=(low, low + width))
    assert edges[0] <= first < last <= edges[-1]
    filled = np.flatnonzero(values)
    if len(filled):
        assert first <= edges[filled[0]]
        assert last >= edges[filled[-1] + 1]
    inside = max(low, edges[0]), min(low + width, edges[-1])
    assert inside[0] >= inside[1] or (first <= inside[0] and inside[1] <= last)


@given(st.lists(st.floats(-100, 1e6), max_size=9))
def test_contents_are_inside_of_their_scale(values: list[float]) -> None:
    scale = contents_scale(np.array(values))
    assert scale.low < scale.high
    assert all(value < scale.high and (scale.log or value >= scale.low) for value in values)


# -- colours -------------------------------------------------------------------------------------------------

# Machado, Oliveira, Fernandes, IEEE Trans. Vis. Comput. Graph. 15 (2009) 1291: protanopia, deuteranopia, tritanopia.
SEEN = (
    np.eye(3),
    np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    np.array([[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]),
)


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """Return OKLab (B. Ottosson, 2020) of linear sRGB."""
    cones = np.array([[0.41222, 0.53633, 0.05145], [0.21190, 0.68070, 0.10740], [0.08830, 0.28172, 0.62998]]) @ rgb
    mixed = [[0.21045, 0.79362, -0.00407], [1.97800, -2.42859, 0.45059], [0.02590, 0.78277, -0.80868]]
    return np.asarray(np.array(mixed) @ np.cbrt(np.maximum(cones, 0)))


def contrast(one: str, other: str) -> float:
    lights = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


@pytest.mark.parametrize("theme", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_colours_of_different_meaning_are_told_apart(theme: dict[str, str]) -> None:
    for seen in SEEN:
        places = {name: lab(seen @ linear(theme[name])) for name in ("a", "b", "model", "mark", "data")}
        apart = {pair: np.linalg.norm(places[pair[0]] - places[pair[1]]) for pair in itertools.combinations(places, 2)}
        assert apart["a", "b"] > 0.15
        assert min(apart.values()) > 0.05, apart
    assert all(contrast(theme[name], theme["paper"]) >= 3 for name in ("a", "b", "model", "mark", "data"))
    assert all(contrast(theme[name], theme["paper"]) >= 4.5 for name in ("ink", "faint"))


@pytest.mark.parametrize("theme", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_levels_rise(theme: dict[str, str]) -> None:
    """The larger an excess or a content, the farther its colour is from the paper."""
    levels = palette.diverging(theme)
    for side in (levels[6:], levels[6::-1], [theme["paper"], *palette.sequential(theme)]):
        away = [contrast(colour, theme["paper"]) for colour in side]
        assert away == sorted(away)
        assert len(set(away)) == len(away)


def test_a_colour_has_one_meaning_in_all_figures() -> None:
    """Nothing but the sides has their colours."""
    edges = np.arange(4.0)
    of_no_side = [
        plotting.spectrum([4, 2, 1], edges, [0.1, 2.0, 0.3], position=1.5, width=0.2, background=[3, 2, 1]),
        plotting.z_distribution([1, 4, 2], edges),
        plotting.null([1.0, 2.0, 5.0], 4.0, dof=2),
        plotting.curves([1, 2], {str(i): [i, 2] for i in range(6)}, xlabel="x", ylabel="y"),
    ]
    from matplotlib.colors import to_hex

    for figure in of_no_side:
        drawn = {
            to_hex(found)
            for artist in figure.findobj()
            for name in ("get_color", "get_facecolor", "get_edgecolor")
            if hasattr(artist, name)
            for found in [getattr(artist, name)()]
            if isinstance(found, str | tuple)
        }
        assert drawn.isdisjoint({palette.A_COLOUR, palette.B_COLOUR})
