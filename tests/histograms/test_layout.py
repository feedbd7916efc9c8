"""The layout: where every count is kept, and its JSON form."""

from __future__ import annotations

import itertools
import json

import hist
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.errors import PlanError, UnknownNameError
from coffea_ddp.histograms.axes import axes_from_uhi, axes_to_uhi
from coffea_ddp.histograms.cells import CellGrid, Multiplicity, Topology
from coffea_ddp.histograms.layout import EVENTS, FeatureLayout, Layout, SymmetryLayout
from coffea_ddp.histograms.spectrum_layout import SpectrumLayout

numbers = st.floats(-1e6, 1e6)
edges = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8, unique=True).map(sorted)
regular = st.builds(
    lambda bins, low, span, name, label: hist.axis.Regular(bins, low, low + span, name=name, label=label),
    st.integers(1, 40), numbers, st.floats(0.1, 1e3), st.sampled_from(["x", "pt", ""]), st.text(max_size=8),
)  # fmt: skip
variable = st.builds(lambda e, label: hist.axis.Variable(e, name="v", label=label), edges, st.text(max_size=8))
integer = st.builds(lambda low, n: hist.axis.Integer(low, low + n, name="n"), st.integers(-9, 9), st.integers(1, 9))
log = st.builds(
    lambda bins, high: hist.axis.Regular(bins, 1.0, high, name="l", transform=hist.axis.transform.log),
    st.integers(1, 9), st.floats(2.0, 1e3),
)  # fmt: skip
axis = st.one_of(regular, variable, integer, log)


@given(axes=st.lists(axis, max_size=3).map(tuple))
def test_axes_survive_json_to_the_last_bit(axes: tuple[hist.axis.AxesMixin, ...]) -> None:
    again = axes_from_uhi(json.loads(json.dumps(axes_to_uhi(axes))))
    assert again == axes
    for one, two in zip(axes, again, strict=True):
        assert (one.name, one.label, one.extent, type(one)) == (two.name, two.label, two.extent, type(two))
        assert np.array_equal(one.edges, two.edges)


grids = st.sampled_from([
    CellGrid(),
    CellGrid((Topology("VBF"),)),
    CellGrid((Multiplicity("j", last=2), Multiplicity("K", last=1, of="kaon"), Topology("Z"))),
])  # fmt: skip


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    symmetries = tuple(
        SymmetryLayout(
            f"a{i}/b{i}",
            (f"a{i}", f"b{i}"),
            draw(st.floats(0.1, 10.0)),
            tuple(
                (f"o{k}", tuple(draw(st.lists(axis, min_size=1, max_size=2)))) for k in range(draw(st.integers(0, 3)))
            ),
        )
        for i in range(draw(st.integers(0, 3)))
    )
    features = tuple(FeatureLayout(f"f{i}", draw(st.text(max_size=5)), "GeV") for i in range(draw(st.integers(0, 2))))
    return Layout("p", "0123", draw(grids), symmetries, features, draw(st.booleans()), draw(st.integers(0, 9)))


@given(layout=layouts())
def test_round_trip_through_json(layout: Layout) -> None:
    again = Layout.from_dict(json.loads(json.dumps(layout.to_dict())))
    assert again == layout
    assert again.channels == layout.channels
    assert again.n_keys == layout.n_keys


@given(layout=layouts())
def test_no_two_bins_have_one_key(layout: Layout) -> None:
    """All (channel, cell, side, bin) together number the keys from 0 on, each once."""
    n = layout.grid.n_exclusive
    pieces = []
    for channel in layout.channels:
        cell, side, place = np.array(list(itertools.product(range(n), (0, 1), range(channel.extent)))).T
        pieces.append(channel.key(cell, side, place))
    keys = np.concatenate(pieces) if pieces else np.zeros(0, int)
    assert np.array_equal(np.sort(keys), np.arange(layout.n_keys))
    for symmetry in layout.symmetries:
        mine = [channel.name for channel in layout.channels if channel.symmetry == symmetry.name]
        assert mine == [EVENTS, *(name for name, _ in symmetry.observables)]


def of(n: int, bins: int = 3) -> Layout:
    one = (("o", (hist.axis.Regular(bins, 0, 1, name="x"), hist.axis.Regular(bins, 0, 1, name="y"))),)
    return Layout("p", "0", CellGrid(), tuple(SymmetryLayout(f"s{i}", ("A", "B"), 1.0, one) for i in range(n)))


def test_a_list_of_names_that_is_cut_says_how_many_more_there_are() -> None:
    axis = hist.axis.Regular(3, 0, 1, name="m")

    def many(n: int) -> Layout:
        return Layout("p", "0", CellGrid(), (), spectra=tuple(SpectrumLayout(f"s{i}", axis) for i in range(n)))

    with pytest.raises(UnknownNameError, match=r"'s38', 's39', \.\.\. and 10 more$"):
        many(50).spectrum("elephant")
    with pytest.raises(UnknownNameError, match=r"'s38', 's39'$"):
        many(40).spectrum("elephant")


def test_names_that_do_not_exist_list_those_that_do() -> None:
    layout = of(2)
    assert layout.channels[layout.channel_number("s1", "o")].base == layout.n_keys - 2 * 25
    with pytest.raises(UnknownNameError, match="no symmetry 's2' in plan 'p'; it has: 's0', 's1'"):
        layout.channel_number("s2", "o")
    with pytest.raises(UnknownNameError, match="no observable 'm_ll' in symmetry 's0'; it has: 'o'"):
        layout.channel_number("s0", "m_ll")
    with pytest.raises(UnknownNameError, match="it has: none"):
        of(0).symmetry("s0")


def test_limits() -> None:
    assert len(of(32).symmetries) == 32
    with pytest.raises(PlanError, match="33 symmetries in one plan: at most 32"):
        of(33)
    wide = CellGrid(tuple(Topology(f"t{i}") for i in range(31)))
    fine = (("o", (hist.axis.Regular(100_000, 0, 1, name="x"), hist.axis.Regular(100_000, 0, 1, name="y"))),)
    with pytest.raises(PlanError, match="more bins than a 64-bit key can number"):
        Layout("p", "0", wide, (SymmetryLayout("s", ("A", "B"), 1.0, fine),))
